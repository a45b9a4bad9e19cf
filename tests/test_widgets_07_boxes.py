"""The heroes of chapter 07 with many boxes: their numbers against detector and metrics."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
import traitlets
from PIL import Image

from utils import plotting
from utils.metrics import iou
from utils.models.detector import decode, make_anchors, match, to_corners
from utils.recorded import detector
from utils.widgets import AnchorExplorer
from utils.widgets._scene import packed_scene
from utils.widgets._script import HERE
from utils.widgets.anchor_explorer import ANCHORS, SHAPES, dots, place_of


def random_boxes(rng, n):
    """Boxes (n, 4) with sides of .2 to .5, as objects have."""
    sides = rng.uniform(0.2, 0.5, (n, 2))
    low = rng.uniform(0, 1 - sides)
    return np.concatenate([low, low + sides], axis=1)


def test_the_scene_is_that_of_the_record():
    board, scene = detector.board(), packed_scene()
    kind, text = scene.pop("picture").split(",")
    assert kind == "data:image/png;base64"
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))
    np.testing.assert_array_equal(image, board.pop("image"))
    assert scene.keys() == board.keys()
    for name, array in board.items():
        np.testing.assert_array_equal(scene[name], array)


def test_kinds_have_the_colors_of_the_figures(node):
    css = (HERE / "_hero.css").read_text(encoding="utf-8")
    boxes = node(HERE / "js" / "boxes.js")
    for label, color in enumerate(plotting.BOX_COLORS):
        name = boxes.accent(label).removeprefix("accent-")
        assert f"--dll-{name}: {color};" in css
        assert f".accent-{name} {{ --dll-accent: var(--dll-{name}); }}" in css


def test_the_scripts_iou_equals_the_metrics(node):
    script = node(HERE / "js" / "boxes.js")
    rng = np.random.default_rng(0)
    boxes = [*random_boxes(rng, 12), (0.2, 0.2, 0.2, 0.6), (0.5, 0.5, 0.5, 0.5)]
    wanted = iou(boxes, boxes)
    shown = [[script.iou(a, b) for b in boxes] for a in boxes]
    np.testing.assert_array_equal(shown, wanted)
    assert (wanted == 0).any()
    assert (np.diag(wanted) == [*[1] * 12, 0, 0]).all()


# ---------------------------------------------------------------- the anchors


def test_the_scripts_anchors_are_the_detectors(node):
    explorer = AnchorExplorer()
    shown = node(explorer).anchors(explorer.constants)
    np.testing.assert_array_equal([each["box"] for each in shown], make_anchors())
    for i, each in enumerate(shown):
        assert (each["cells"], each["row"], each["column"], each["shape"]) == place_of(i)


def test_the_scripts_matching_and_offsets_are_the_detectors(node):
    explorer = AnchorExplorer()
    script = node(explorer)
    rng = np.random.default_rng(1)
    forced = 0
    for n in (1, 2, 3, 4, 4, 4):
        boxes, labels = random_boxes(rng, n), np.arange(n)
        for threshold in (0.3, 0.5, 0.65, 0.8):
            classes, offsets = match(ANCHORS, boxes, labels, threshold)
            positive = np.flatnonzero(classes)
            for i in [*rng.choice(positive, 4), *rng.choice(len(ANCHORS), 2)]:
                state = {"anchor": int(i), "threshold": threshold}
                shown = script.numbers(boxes, state, explorer.constants)
                np.testing.assert_array_equal(np.add(shown["owners"], 1), classes)
                np.testing.assert_array_equal(
                    shown["overlaps"], iou(to_corners(ANCHORS[[i]]), boxes)[0]
                )
                np.testing.assert_allclose(shown["offsets"], offsets[i], rtol=1e-6, atol=1e-6)
                assert shown["positives"] == len(positive)
                assert shown["owner"] + 1 == classes[i]
            best = iou(to_corners(ANCHORS), boxes).max(axis=0)
            forced += np.count_nonzero(best < threshold)
    assert forced > 10  # objects that have an anchor only because none is forgotten


def test_two_objects_with_one_best_anchor(node):
    explorer = AnchorExplorer()
    boxes = np.array([[0.31, 0.30, 0.56, 0.55], [0.3, 0.31, 0.56, 0.57]])
    overlap = iou(to_corners(ANCHORS), boxes)
    assert len(set(overlap.argmax(axis=0))) == 1
    for order in ([0, 1], [1, 0]):
        state = {"anchor": 0, "threshold": 0.8}
        shown = node(explorer).numbers(boxes[order], state, explorer.constants)
        classes, _ = match(ANCHORS, boxes[order], np.arange(2), 0.8)
        np.testing.assert_array_equal(np.add(shown["owners"], 1), classes)


def test_the_scripts_offsets_lead_to_the_object(node):
    explorer = AnchorExplorer()
    (box,) = random_boxes(np.random.default_rng(2), 1)
    for anchor in ANCHORS[::37]:
        offsets = node(explorer).encode(box, anchor, explorer.constants)
        np.testing.assert_allclose(decode(np.array(offsets), anchor), box, atol=1e-9)


def test_explorer_state(node):
    explorer = AnchorExplorer(threshold=0.4)
    counts = []
    for threshold, anchor in ((0.3, 0), (0.5, 46), (0.5, 178), (0.8, 154)):
        explorer.threshold, explorer.anchor = threshold, anchor
        boxes = explorer.scene["truth_boxes"]
        state = {"anchor": anchor, "threshold": threshold}
        shown = node(explorer).numbers(boxes, state, explorer.constants)
        assert shown["positives"] == explorer.positives
        np.testing.assert_array_equal(shown["overlaps"], explorer.overlaps)
        np.testing.assert_allclose(shown["offsets"], explorer.offsets, rtol=1e-6, atol=1e-6)
        counts.append(explorer.positives)
    assert counts[0] > counts[1] == counts[2] > counts[3] == len(boxes)
    assert repr(explorer) == "AnchorExplorer(anchor=154, threshold=0.8)"
    assert explorer.describe().endswith("it answers for vehicle.")
    explorer.anchor = 0
    assert "small square" in explorer.describe()
    assert explorer.describe().endswith("it answers for background.")
    data, metadata = explorer._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert metadata["image/png"]["alt"] == explorer.describe()


def test_places_and_dots():
    assert [place_of(i) for i in (0, 7, 255, 256, 319)] == [
        (8, 0, 0, 0),
        (8, 0, 1, 3),
        (8, 7, 7, 3),
        (4, 0, 0, 0),
        (4, 3, 3, 3),
    ]
    away = np.abs(dots()[:, None] - dots()).max(axis=2)
    assert away[~np.eye(len(ANCHORS), dtype=bool)].min() > 0.025  # each can be hit
    assert len(SHAPES) * (8 * 8 + 4 * 4) == len(ANCHORS)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"anchor": 320}, "320"),
        ({"anchor": -1}, "-1"),
        ({"anchor": 1.5}, "int"),
        ({"threshold": 0.2}, "between 0.3 and 0.8"),
        ({"threshold": np.nan}, "between 0.3 and 0.8"),
    ],
)
def test_explorer_refuses(state, words):
    with pytest.raises(traitlets.TraitError, match=words):
        AnchorExplorer(**state)


def test_explorer_picture_shows_the_numbers():
    explorer = AnchorExplorer(anchor=178, threshold=0.45)
    left, right = explorer.draw().axes
    assert left.get_title() == f"{explorer.positives} of 320 anchors are positive"
    shown = [line.get_xydata()[0] for line in left.lines]
    np.testing.assert_array_equal(shown, dots()[explorer.matched[0] > 0])
    np.testing.assert_allclose([bar.get_width() for bar in right.patches], explorer.overlaps)
    assert right.lines[0].get_xdata()[0] == 0.45
