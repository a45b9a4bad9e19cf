"""The heroes of chapter 07 with many boxes: their numbers against detector and metrics."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
import traitlets
from PIL import Image

from utils import plotting
from utils.metrics import Detections, iou, non_maximum_suppression, precision_recall
from utils.models.detector import decode, make_anchors, match, to_corners
from utils.recorded import detector
from utils.widgets import AnchorExplorer, SuppressionBoard
from utils.widgets._scene import packed_scene
from utils.widgets._script import HERE
from utils.widgets.anchor_explorer import ANCHORS, SHAPES, dots, place_of
from utils.widgets.suppression_board import HIT, VERDICTS, judge


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


# ---------------------------------------------------------------- the suppression


def random_board(rng, n=50, kinds=3):
    """Raw boxes around four objects, as the record has them; some scores are equal."""
    truth_boxes, truth_labels = random_boxes(rng, 4), rng.integers(0, kinds, 4)
    about = rng.integers(0, 4, n)
    boxes = truth_boxes[about] + rng.normal(0, 0.03, (n, 4))
    labels = np.where(rng.random(n) < 0.8, truth_labels[about], rng.integers(0, kinds, n))
    return {
        "boxes": boxes,
        "scores": np.round(rng.uniform(0.05, 1, n), 2),
        "labels": labels,
        "truth_boxes": truth_boxes,
        "truth_labels": truth_labels,
    }


def by_metrics(board, score, overlap):
    """Detections of each kind that the metrics' suppression leaves."""
    kept = []
    for kind in range(board["labels"].max() + 1):
        rows = np.flatnonzero((board["labels"] == kind) & (board["scores"] >= score))
        few = non_maximum_suppression(board["boxes"][rows], board["scores"][rows], overlap)
        kept.append(rows[few])
    return kept


def test_the_scripts_suppression_is_the_metrics(node):
    script = node(HERE / "js" / "boxes.js")
    rng = np.random.default_rng(3)
    for _ in range(12):
        board = random_board(rng)
        sent = {name: array.tolist() for name, array in board.items()}
        for score, overlap in ((0.05, 0.45), (0.3, 0), (0.3, 0.2), (0.5, 0.7), (0.05, 1)):
            kept = np.array(script.suppress(sent, {"score": score, "overlap": overlap}))
            for kind, wanted in enumerate(by_metrics(board, score, overlap)):
                np.testing.assert_array_equal(kept[board["labels"][kept] == kind], wanted)
            assert (np.diff(board["scores"][kept]) <= 0).all()
            if overlap == 1:
                assert len(kept) == len(board["scores"])
    assert script.suppress(sent, {"score": 2, "overlap": 0.5}) == []


def test_verdicts_agree_with_average_precisions_hits(node):
    widget = SuppressionBoard()
    script = node(widget)
    rng = np.random.default_rng(4)
    seen = set()
    for _ in range(12):
        board = random_board(rng)
        sent = {name: array.tolist() for name, array in board.items()}
        truth = board["truth_boxes"], board["truth_labels"]
        for score, overlap in ((0.05, 1), (0.3, 0.6), (0.3, 0.45)):
            state = {"score": score, "overlap": overlap}
            shown = script.numbers(sent, state, widget.constants)
            kept, verdicts = np.array(shown["kept"]), np.array(shown["verdicts"])
            ours = judge(board["boxes"][kept], board["labels"][kept], *truth)
            assert ours == shown["verdicts"]
            hits = np.flatnonzero(verdicts == 0)
            for kind in np.unique(board["truth_labels"]):
                rows = kept[board["labels"][kept] == kind]
                found = Detections(*(board[name][rows] for name in ("boxes", "scores", "labels")))
                curve = precision_recall([found], [truth], kind, HIT)
                objects = np.count_nonzero(board["truth_labels"] == kind)
                theirs = np.diff(np.rint(curve.recall * objects), prepend=0) > 0
                np.testing.assert_array_equal(np.isin(rows, kept[hits]), theirs)
            same = board["labels"][kept, None] == board["truth_labels"]
            near = (iou(board["boxes"][kept], truth[0]) * same).max(axis=1) >= HIT
            np.testing.assert_array_equal(verdicts == 2, ~near)
            counts = np.bincount(verdicts, minlength=3)
            assert list(shown["counts"].values()) == [*counts, 4 - counts[0]]
            assert shown["precision"] == counts[0] / len(kept)
            assert shown["recall"] == counts[0] / 4
            seen |= set(verdicts)
    assert seen == {0, 1, 2}


def test_an_object_is_taken_once_and_the_next_gets_the_other(node):
    widget = SuppressionBoard()
    truths = [[0, 0, 0.4, 0.4], [0.1, 0, 0.5, 0.4]]  # IoU 0.6: each box may hit either
    board = {
        "boxes": [[0, 0, 0.41, 0.4], [0.02, 0, 0.42, 0.4], [0.01, 0, 0.41, 0.4], [0, 0, 0.4, 0.4]],
        "scores": [0.9, 0.8, 0.7, 0.6],
        "labels": [0, 0, 0, 1],
        "truth_boxes": truths,
        "truth_labels": [0, 0],
    }
    shown = node(widget).numbers(board, {"score": 0.5, "overlap": 1}, widget.constants)
    assert [VERDICTS[k] for k in shown["verdicts"]] == ["hit", "hit", "duplicate", "false alarm"]


def test_board_state(node):
    widget = SuppressionBoard(score=0.05, overlap=1)
    raw = detector.board()
    assert len(widget.kept) == len(raw["scores"])
    assert widget.numbers["duplicates"] > widget.numbers["hits"] > 0
    for score, overlap in ((0.05, 1), (0.3, 0.45), (0.1, 0), (0.95, 0.45), (0.3, 0.9)):
        widget.score, widget.overlap = score, overlap
        state = {"score": score, "overlap": overlap}
        shown = node(widget).numbers(widget.scene, state, widget.constants)
        np.testing.assert_array_equal(shown["kept"], widget.kept)
        assert [VERDICTS[k] for k in shown["verdicts"]] == widget.verdicts
        shares = {name: shown[name] for name in ("precision", "recall")}
        assert shown["counts"] | shares == widget.numbers
    assert repr(widget) == "SuppressionBoard(score=0.3, overlap=0.9)"
    assert f"duplicates {widget.numbers['duplicates']}, " in widget.describe()
    data, metadata = widget._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert metadata["image/png"]["alt"] == widget.describe()


def test_a_board_that_keeps_nothing(node, monkeypatch):
    few = {
        name: a[:0] if name in ("boxes", "scores", "labels") else a
        for name, a in detector.board().items()
    }
    monkeypatch.setattr(detector, "board", lambda: few.copy())
    widget = SuppressionBoard()
    assert np.isnan(widget.numbers["precision"])
    assert widget.numbers["recall"] == 0
    assert "precision" not in widget.describe()
    shown = node(widget).numbers(widget.scene, {"score": 0.3, "overlap": 0.45}, widget.constants)
    assert np.isnan(shown["precision"])
    assert shown["counts"]["missed"] == 4


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"score": 0.01}, "between 0.05 and 0.95"),
        ({"overlap": 1.1}, "between 0 and 1"),
        ({"overlap": np.nan}, "between 0 and 1"),
        ({"score": "high"}, "one number"),
    ],
)
def test_board_refuses(state, words):
    with pytest.raises(traitlets.TraitError, match=words):
        SuppressionBoard(**state)


def test_board_picture_shows_the_numbers():
    widget = SuppressionBoard(score=0.2, overlap=0.8)
    left, right = widget.draw().axes
    raw = detector.board()
    assert len(left.patches) == len(raw["scores"])
    shown = [[*patch.get_xy(), patch.get_width(), patch.get_height()] for patch in right.patches]
    kept = raw["boxes"][widget.kept]
    wanted = np.concatenate([kept[:, :2], kept[:, 2:] - kept[:, :2]], axis=1)
    np.testing.assert_allclose(shown, wanted, rtol=1e-6)
    best = widget.kept[0]
    assert right.texts[0].get_text() == f"face {raw['scores'][best]:.2f}"
    assert right.get_title().startswith(f"{len(kept)} kept: {widget.numbers['hits']} hits")
