"""The widgets of chapter 07: their numbers against closed forms, Keras and NumPy; their state."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
import traitlets
from PIL import Image

from tests.support.javascript import state_of
from utils.datasets import _openmoji, load_scenes
from utils.datasets.scenes import DISTRACTORS, KINDS
from utils.models.detector import Detector
from utils.recorded import detector
from utils.widgets import IouDragger, SceneBoard
from utils.widgets.iou_dragger import MOST_SHIFT, SIDE, shifted
from utils.widgets.scene_board import (
    BACKGROUNDS,
    GLYPHS,
    MOST,
    SIZES,
    SPRITE,
    UNSEEN,
    compose,
    forward,
    sheet,
    sprite,
)


def random_box(rng):
    """A box with whole sides, anywhere in the picture."""
    (x1, x2), (y1, y2) = (np.sort(rng.choice(SIDE + 1, 2, replace=False)) for _ in "xy")
    return tuple(map(float, (x1, y1, x2, y2)))


def covered(box):
    """The pixels of a box with whole sides, as a mask."""
    x1, y1, x2, y2 = map(int, box)
    mask = np.zeros((SIDE, SIDE), bool)
    mask[y1:y2, x1:x2] = True
    return mask


# ---------------------------------------------------------------- the dragger


def test_areas_are_counted_pixels(node):
    rng = np.random.default_rng(0)
    dragger, seen = IouDragger(), set()
    for _ in range(100):
        dragger.truth, dragger.answer = random_box(rng), random_box(rng)
        a, b = covered(dragger.truth), covered(dragger.answer)
        both, either = int((a & b).sum()), int((a | b).sum())
        shown = node(dragger).numbers(state_of(dragger))
        assert (dragger.intersection, dragger.union) == (both, either)
        assert (shown["intersection"], shown["union"]) == (both, either)
        assert dragger.iou == pytest.approx(both / either, rel=1e-12)
        assert shown["iou"] == pytest.approx(both / either, rel=1e-12)
        seen.add(both)
    assert 0 in seen
    assert len(seen) > 20


def test_a_shift_costs_what_the_closed_form_says(node):
    rng = np.random.default_rng(1)
    dragger = IouDragger()
    for _ in range(30):
        dragger.truth = random_box(rng)
        dragger.shift = float(rng.integers(MOST_SHIFT + 1))
        x1, y1, x2, y2 = dragger.truth
        left, low = max(0, x2 - x1 - dragger.shift), max(0, y2 - y1 - dragger.shift)
        area = (x2 - x1) * (y2 - y1)
        wanted = [both / (2 * area - both) for both in (left * (y2 - y1), left * low)]
        np.testing.assert_allclose(dragger.after_shift, wanted, rtol=1e-12)
        shown = node(dragger).numbers(state_of(dragger))
        np.testing.assert_allclose([shown["right"], shown["diagonal"]], wanted, rtol=1e-12)


def test_a_third_of_the_width_costs_half():
    right, diagonal = shifted((10, 10, 34, 34), [0, 8, 24])
    np.testing.assert_allclose(right, [1, 0.5, 0])
    assert diagonal[1] < 0.3


def test_boxes_are_moved_and_resized_within_the_picture(node):
    script, box = node(IouDragger()), [12, 14, 38, 40]
    assert script.moved(box, 3, -2, SIDE) == [15, 12, 41, 38]
    assert script.moved(box, -99, 99, SIDE) == [0, 38, 26, 64]
    assert script.resized(box, [0, 1], [5.4, 6.6], SIDE) == [5, 7, 38, 40]
    assert script.resized(box, [2, 3], [-5, 99], SIDE) == [12, 14, 13, 64]
    assert script.resized(box, [2, 1], [99, 99], SIDE) == [12, 39, 64, 40]


def test_the_dragger_in_words_and_as_code():
    dragger = IouDragger(truth=(10, 10, 30, 30), answer=np.array([20, 10, 40, 30]), shift=0)
    assert "They share 200 of 600 square pixels: the IoU is 0.33" in dragger.describe()
    assert eval(repr(dragger)).iou == dragger.iou
    apart = IouDragger(truth=(0, 0, 5, 5), answer=(5, 5, 9, 9))
    assert (apart.intersection, apart.iou) == (0, 0)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"truth": (1, 2, 3)}, "truth must be 4 numbers"),
        ({"truth": (0, 0, 65, 3)}, "truth must stay between 0 and 64"),
        ({"answer": (5, 0, 5, 3)}, r"answer must be \(x1, y1, x2, y2\) with x1 < x2 and y1 < y2"),
        ({"answer": (0, 9, 5, 3)}, "with x1 < x2 and y1 < y2"),
        ({"shift": 17}, "shift must stay between 0 and 16"),
    ],
)
def test_the_dragger_refuses(state, words):
    with pytest.raises(traitlets.TraitError, match=words):
        IouDragger(**state)


def test_the_picture_of_the_dragger_shows_the_numbers():
    dragger = IouDragger()
    plane, chart = dragger.draw().axes
    boxes = [np.ravel(patch.get_bbox()) for patch in plane.patches]
    np.testing.assert_array_equal(boxes[:2], [dragger.truth, dragger.answer])
    assert plane.patches[2].get_width() * plane.patches[2].get_height() == dragger.intersection
    x, y = chart.lines[2].get_data()
    assert list(x) == [dragger.shift] * 2
    assert tuple(y) == dragger.after_shift
    data, metadata = dragger._repr_mimebundle_()
    assert metadata["image/png"]["alt"] == dragger.describe()
    dragger.answer = (0, 0, 5, 5)
    assert len(dragger.draw().axes[0].patches) == 2
    assert dragger._repr_mimebundle_()[0]["image/png"] != data["image/png"]


# ---------------------------------------------------------------- the board


GIVEN = {
    "conv0": (3, 16), "conv1": (16, 32), "conv2": (32, 64), "conv3": (64, 64), "conv4": (64, 64),
    "conv5": (64, 64), "head8": (64, 40), "head4": (64, 40),
}  # fmt: skip


def random_weights(rng):
    """Weights as `utils.recorded.detector` names them, of a network that is sure of a few boxes."""
    weights = {"mean": rng.uniform(0.3, 0.6, 3), "std": rng.uniform(0.2, 0.4, 3)}
    for name, (inputs, outputs) in GIVEN.items():
        spread = np.sqrt(2 / (9 * inputs))
        weights[f"{name}.weight"] = rng.normal(0, spread, (3, 3, inputs, outputs))
        weights[f"{name}.bias"] = rng.normal(0, 0.1, outputs)
    return weights


def random_objects(rng, most=MOST):
    return [
        (str(rng.choice(list(GLYPHS))), *rng.uniform(0, 64, 2), rng.uniform(*SIZES), angle)
        for angle in rng.choice([0, 90, rng.uniform(-180, 180)], rng.integers(most + 1))
    ]


def state_of_scene(rng):
    return {
        "objects": random_objects(rng),
        "background": str(rng.choice(list(BACKGROUNDS))),
        "least": float(rng.uniform(0.05, 0.6)),
    }


@pytest.fixture(scope="module")
def sprites(node):
    """The glyphs as the script cuts them from the sheet, left in Node."""
    places, palette = sheet()
    pixels = np.concatenate([palette[places], np.full((*places.shape, 1), 255, np.uint8)], axis=2)
    return node(SceneBoard()).keep("cut", pixels.ravel(), SceneBoard().constants)


def test_the_script_composes_the_same_pixels(node, sprites):
    board, rng = SceneBoard(), np.random.default_rng(0)
    for _ in range(20):
        state = state_of_scene(rng)
        shown = node(board).compose(sprites, state, board.constants)
        image, boxes = compose(state["objects"], state["background"])
        np.testing.assert_array_equal(shown["pixels"], image.ravel())
        np.testing.assert_array_equal(np.reshape(shown["boxes"], (-1, 4)), boxes)


def test_a_composed_glyph_is_pillows():
    """Turned, reduced and laid over a ground by Pillow, it looks the same but for a little blur."""
    rng = np.random.default_rng(1)
    for glyph in "😀🚲🏯🍉":
        size, angle = int(rng.integers(16, 33)), float(rng.uniform(-30, 30))
        image, (box,) = compose([(glyph, 32, 32, size, angle)], "night")
        large = Image.fromarray(sprite(glyph), "RGBa").rotate(
            -angle, Image.Resampling.BILINEAR, expand=True
        )
        side = round(large.width * size / SPRITE / 2) * 2
        layer = np.asarray(large.resize((side, side), Image.Resampling.BOX), float)
        wanted = compose([], "night")[0].astype(float)
        low, high = 32 - side // 2, 32 + side // 2
        part = wanted[low:high, low:high]
        part[:] = layer[..., :3] + (1 - layer[..., 3:] / 255) * part
        assert np.abs(wanted - image).mean() < 2.5
        rows, columns = (np.flatnonzero((layer[..., 3] > 40).any(axis)) for axis in (1, 0))
        theirs = [low + columns[0], low + rows[0], low + columns[-1] + 1, low + rows[-1] + 1]
        np.testing.assert_allclose(box, theirs, atol=1.01)


def test_upper_objects_hide_lower_ones_and_boxes_stay():
    below, above = ("🏠", 30, 30, 20, 0), ("😀", 30, 30, 30, 0)
    (both, boxes), (alone, _) = compose([below, above], "paper"), compose([above], "paper")
    np.testing.assert_array_equal(both[25:36, 25:36], alone[25:36, 25:36])
    np.testing.assert_array_equal(boxes[0], compose([below], "paper")[1][0])


def test_forward_equals_keras():
    rng = np.random.default_rng(2)
    images = rng.integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    theirs = Detector(images, seed=3)
    for layer in theirs.network.layers:
        if type(layer).__name__ == "BatchNormalization":
            n = len(layer.get_weights()[0])
            moments = rng.uniform(0.5, 1.5, n), rng.normal(0, 0.3, n), rng.normal(0, 0.3, n)
            layer.set_weights([*moments, rng.uniform(0.5, 1.5, n)])
    weights = detector.fold(theirs)
    for image, wanted in zip(images, theirs.answers(images), strict=True):
        assert wanted.std() > 0.01
        np.testing.assert_allclose(forward(weights, image), wanted, atol=1e-4)


def test_the_scripts_answers_equal_numpy(node):
    rng = np.random.default_rng(4)
    for weights in (None, random_weights(rng)):
        board = SceneBoard(weights)
        net = node(board).keep("unpack", board.weights, board.constants)
        for image in (board.image, rng.integers(0, 256, (64, 64, 3))):
            scene = {"pixels": image.ravel().tolist(), "boxes": []}
            state = {"objects": [], "least": 0.3}
            shown = node(board).numbers(net, scene, state, board.constants)
            ours = forward(board._weights, image)
            np.testing.assert_allclose(shown["answers"], ours.ravel(), rtol=1e-9, atol=1e-9)
            assert np.abs(ours).max() > 1


def test_the_script_finds_the_same_boxes(node, sprites):
    board, rng = SceneBoard(), np.random.default_rng(5)
    net = node(board).keep("unpack", board.weights, board.constants)
    boxes = right = 0
    for _ in range(20):
        state = state_of_scene(rng)
        for key, value in state.items():
            setattr(board, key, value)
        scene = node(board).keep("compose", sprites, state, board.constants)
        shown = node(board).numbers(net, scene, state, board.constants)
        found = board.found
        assert [one["label"] for one in shown["found"]] == found.labels.tolist()
        assert [one["isRight"] for one in shown["found"]] == board.right.tolist()
        for one, box, score in zip(shown["found"], found.boxes, found.scores, strict=True):
            np.testing.assert_allclose(one["box"], box, atol=1e-6)
            assert one["score"] == pytest.approx(score, abs=1e-6)
        assert shown["placed"] == len(board.truth[1])
        assert shown["right"] == board.right.sum()
        boxes, right = boxes + len(found.boxes), right + board.right.sum()
    assert 10 < right < boxes


def test_the_detector_is_right_about_the_first_scene_but_for_the_mushroom():
    board = SceneBoard()
    assert sorted(KINDS[label] for label in board.found.labels) == ["animal", "building", "face"]
    assert board.right.all()
    assert len(board.truth[1]) == 4
    assert "animal 1.00, right" in board.describe()
    assert "mushroom" in board.describe()


def test_unseen_glyphs_are_those_that_training_does_not_show():
    label_of, glyphs = _openmoji.glyphs_of((*KINDS, *DISTRACTORS))
    parts = _openmoji.split(label_of, np.random.RandomState(0))
    seen = {glyphs[k] for of_kind, _ in parts for k in of_kind}
    assert {glyph for glyph in GLYPHS if glyph not in seen} == set(UNSEEN)
    for glyph, _, kind in SceneBoard().constants["PALETTE"]:
        where = (*KINDS, *DISTRACTORS)[label_of[glyphs.index(glyph)]]
        assert kind == where or (where in DISTRACTORS and kind == "none of these")


@pytest.mark.slow
def test_no_training_scene_shows_an_unseen_glyph():
    scenes = load_scenes(0)
    shown = {scenes.glyphs[k] for k in np.concatenate(scenes.glyphs_train)}
    assert not shown & set(UNSEEN)
    assert set(GLYPHS[:20]) - set(UNSEEN) <= shown


def test_the_board_travels_as_float16_and_a_small_picture():
    board = SceneBoard()
    sent = np.frombuffer(base64.b64decode(board.weights), "<f2")
    kept = detector.weights()
    assert sent.size == sum(array.size for array in kept.values())
    assert sent.nbytes <= 400_000
    np.testing.assert_array_equal(sent[:3], kept["mean"].astype("<f2"))
    assert len(board.glyphs) < 80_000
    with Image.open(io.BytesIO(base64.b64decode(board.glyphs))) as picture:
        shown = np.asarray(picture.convert("RGB"))
    places, palette = sheet()
    np.testing.assert_array_equal(shown, palette[places])


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"objects": [("🦖", 3, 3, 20, 0)]}, "a glyph of 😀"),
        ({"objects": [("😀", 3, 65, 20, 0)]}, "within 64 × 64 pixels"),
        ({"objects": [("😀", 3, 3, 9, 0)]}, "from 10 to 40 pixels"),
        ({"objects": [("😀", 3, 3, 20, 200)]}, "from -180 to 180 degrees"),
        ({"objects": [("😀", 3, float("nan"), 20, 0)]}, "objects must be"),
        ({"objects": [("😀", 3, 3, 20)]}, "objects must be"),
        ({"objects": 3}, "objects must be"),
        ({"objects": [("😀", 3, 3, 20, 0)] * 9}, "at most 8 objects"),
        ({"background": "lava"}, "background must be one of meadow"),
        ({"least": 1}, "between 0.05 and 0.95"),
    ],
)
def test_the_board_refuses(state, words):
    with pytest.raises(traitlets.TraitError, match=words):
        SceneBoard(**state)


def test_the_board_refuses_other_weights():
    weights = random_weights(np.random.default_rng(7))
    with pytest.raises(ValueError, match=r"conv3.bias of shape \(64,\), got \(63,\)"):
        SceneBoard(weights | {"conv3.bias": np.zeros(63)})
    with pytest.raises(ValueError, match="needs head4"):
        SceneBoard({name: a for name, a in weights.items() if name != "head4.weight"})


def test_an_empty_board():
    board = SceneBoard(objects=[], least=0.9)
    assert (len(board.found.boxes), len(board.truth[0]), len(board.right)) == (0, 0, 0)
    assert "nothing in it" in board.describe()
    assert board._repr_mimebundle_()[0]["image/png"].startswith(b"\x89PNG")


def test_the_picture_of_the_board_shows_the_numbers():
    board = SceneBoard(least=0.3)
    scene, bars = board.draw().axes
    np.testing.assert_array_equal(scene.images[0].get_array(), board.image)
    assert [bar.get_width() for bar in bars.patches] == board.found.scores.tolist()
    drawn = [np.ravel(patch.get_bbox()) for patch in scene.patches[1::2]]
    np.testing.assert_allclose(drawn, board.found.boxes * 64 - 0.5)
    assert "CC BY-SA" in scene.get_xlabel()
    data, metadata = board._repr_mimebundle_()
    assert metadata["image/png"]["alt"] == board.describe()
    assert eval(repr(board)).objects == board.objects
    board.objects = board.objects[:2]
    assert board._repr_mimebundle_()[0]["image/png"] != data["image/png"]
