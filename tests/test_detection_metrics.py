"""Boxes against TensorFlow's suppression, COCO's own program, scikit-learn and plain counting."""

import contextlib
import io
import tempfile
from pathlib import Path

import numpy as np
import pytest
import sklearn.metrics
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval, Params

from utils.datasets.coco import numbered, write_coco, write_detections
from utils.metrics import (
    IOU_THRESHOLDS,
    Detections,
    average_precision,
    iou,
    non_maximum_suppression,
    precision_recall,
)
from utils.runtime import import_tensorflow

tf = import_tensorflow()


def random_boxes(rng, n, grid=None):
    """Boxes (n, 4) in [0, 1]; with corners on a grid of so many cells, many IoUs are equal."""
    center, side = rng.uniform(0.2, 0.8, (n, 2)), rng.uniform(0.1, 0.4, (n, 2))
    boxes = np.concatenate([center - side / 2, center + side / 2], axis=1)
    return np.rint(boxes * grid) / grid if grid else boxes


# ---------------------------------------------------------------- intersection over union


def test_iou_counts_cells():
    rng = np.random.default_rng(0)
    corners = np.sort(rng.integers(0, 9, (60, 2, 2)), axis=1)  # box, end, axis
    boxes = corners.reshape(60, 4)
    cells = np.zeros((60, 8, 8), bool)
    for mask, (x1, y1, x2, y2) in zip(cells, boxes, strict=True):
        mask[y1:y2, x1:x2] = True
    both = (cells[:, None] & cells[:20]).sum((2, 3))
    either = (cells[:, None] | cells[:20]).sum((2, 3))
    assert (either == 0).any()  # two boxes without area
    expected = both / np.maximum(either, 1)
    np.testing.assert_array_equal(iou(boxes, boxes[:20]), expected)
    np.testing.assert_allclose(iou(boxes / 7 - 3, boxes[:20] / 7 - 3), expected, atol=1e-12)


def test_iou_keeps_the_precision_of_its_boxes():
    single = random_boxes(np.random.default_rng(0), 5).astype(np.float32)
    assert iou(single, single[:2]).dtype == np.float32
    assert iou(single, single[:2].astype(np.float64)).dtype == np.float64
    assert iou(single.astype(np.float16), single).dtype == np.float32
    np.testing.assert_array_equal(np.diag(iou(single, single)), 1)


def test_iou_of_nothing():
    none, one = np.zeros((0, 4)), np.array([[0, 0, 1, 1]])
    assert iou(none, one).shape == (0, 1)
    assert iou(one, none).shape == (1, 0)
    assert iou(none, none).shape == (0, 0)


BAD_BOXES = {
    "one box alone": ([0, 0, 1, 1], r"expected boxes \(n, 4\), got shape \(4,\)"),
    "an empty list": ([], r"expected boxes \(n, 4\), got shape \(0,\)"),
    "scores beside": (np.zeros((2, 5)), r"expected boxes \(n, 4\), got shape \(2, 5\)"),
    "a negative width": (
        [[0, 0, 1, 1], [0.5, 0, 0.25, 1]],
        r"\[1\]: .*got \[0.5, 0.0, 0.25, 1.0\]",
    ),
    "a negative height": ([[0, 0.5, 1, 0.25]], r"\[0\]: expected finite x1 ≤ x2 and y1 ≤ y2"),
    "no number": ([[0, 0, np.nan, 1]], r"\[0\]: expected finite"),
    "infinite": ([[0, 0, np.inf, 1]], r"\[0\]: expected finite"),
}


@pytest.mark.parametrize("name", BAD_BOXES)
def test_boxes_that_are_none_are_refused(name):
    boxes, words = BAD_BOXES[name]
    good = np.array([[0, 0, 1, 1]])
    with pytest.raises(ValueError, match="^boxes" + r"[^a-z]*" + words):
        iou(boxes, good)
    with pytest.raises(ValueError, match="^others" + r"[^a-z]*" + words):
        iou(good, boxes)
    with pytest.raises(ValueError, match=r"^boxes"):
        non_maximum_suppression(boxes, np.zeros(len(boxes)))
    one = Detections(good, np.ones(1), np.zeros(1, int))
    wrong = Detections(boxes, np.ones(len(boxes)), np.zeros(len(boxes), int))
    with pytest.raises(ValueError, match=r"^detections\[1\]\.boxes"):
        average_precision([one, wrong], [(good, [0])] * 2, 1)
    with pytest.raises(ValueError, match=r"^truths\[1\]"):
        precision_recall([one] * 2, [(good, [0]), (boxes, [0] * len(boxes))], 0)


# ---------------------------------------------------------------- non-maximum suppression

CROWDS = {
    "floats": lambda rng, n: (random_boxes(rng, n), rng.random(n)),
    "equal scores": lambda rng, n: (random_boxes(rng, n), rng.integers(0, 3, n) / 4),
    "duplicates": lambda rng, n: (
        random_boxes(rng, n)[rng.integers(0, n // 3 + 1, n)],
        rng.random(n),
    ),
    "equal IoUs": lambda rng, n: (random_boxes(rng, n, grid=8), rng.integers(0, 5, n) / 8),
    "no area": lambda rng, n: (random_boxes(rng, n, grid=4), rng.standard_normal(n)),
}


@pytest.mark.parametrize("crowd", CROWDS)
def test_suppression_equals_tensorflows(crowd):
    rng = np.random.default_rng(0)
    for trial in range(100):
        boxes, scores = CROWDS[crowd](rng, int(rng.integers(1, 60)))
        boxes, scores = boxes.astype(np.float32), scores.astype(np.float32)
        threshold = [0.0, 0.1, 1 / 3, 0.45, 0.5, 0.7, 1.0][trial % 7]
        most = [3, 100][trial % 2]
        ours = non_maximum_suppression(boxes, scores, threshold, most)
        theirs = tf.image.non_max_suppression(boxes, scores, most, threshold)
        np.testing.assert_array_equal(ours, theirs)


def test_suppression_at_the_threshold_itself_equals_tensorflows():
    """The threshold is an IoU of the boxes, or the next number to it on either side."""
    rng, kept = np.random.default_rng(1), []
    for _ in range(60):
        boxes = random_boxes(rng, 12).astype(np.float32)
        scores = rng.random(12).astype(np.float32)
        at = iou(boxes, boxes)[tuple(rng.integers(0, 12, 2))]
        for threshold in (np.nextafter(at, np.float32(0)), at, np.nextafter(at, np.float32(1))):
            ours = non_maximum_suppression(boxes, scores, min(float(threshold), 1.0))
            theirs = tf.image.non_max_suppression(boxes, scores, 100, min(float(threshold), 1.0))
            np.testing.assert_array_equal(ours, theirs)
            kept.append(len(ours))
    below, at, above = np.reshape(kept, (-1, 3)).T
    assert (below < at).any()  # a box is dropped beyond the threshold, not at it
    np.testing.assert_array_equal(at, above)


def test_suppression_of_few():
    none = non_maximum_suppression(np.zeros((0, 4)), np.zeros(0))
    assert (none.shape, none.dtype) == ((0,), np.int64)
    assert non_maximum_suppression([[0, 0, 1, 1]], [-3]).tolist() == [0]
    assert non_maximum_suppression([[0, 0, 1, 1]] * 2, [0, 1], most=0).tolist() == []
    unsigned = np.array([0, 200, 100], np.uint8)
    assert non_maximum_suppression([[0, 0, 1, 1]] * 3, unsigned, 1).tolist() == [1, 2, 0]


@pytest.mark.parametrize(
    ("scores", "threshold", "words"),
    [
        ([1, 2, 3], 0.5, r"scores: expected 2 finite scores, one a box, got \(3,\)"),
        ([[1, 2]], 0.5, r"got \(1, 2\)"),
        ([1, np.nan], 0.5, "got numbers that are not"),
        ([1, -np.inf], 0.5, "got numbers that are not"),
        ([1, 2], 45, "threshold: expected an IoU from 0 to 1, got 45"),
        ([1, 2], np.nan, "threshold: expected"),
    ],
)
def test_suppression_says_what_is_wrong(scores, threshold, words):
    with pytest.raises(ValueError, match=words):
        non_maximum_suppression([[0, 0, 1, 1]] * 2, scores, threshold)


# ---------------------------------------------------------------- average precision


def crowd_of_images(seed, images=12, classes=4, most=8, grid=None, steps=None):
    """Truths and detections near them, some missed, some twice, some of another class.

    With `steps`, scores are equal in many; the last class has detections only; one image has no
    truth, one no detection, one neither.
    """
    rng = np.random.default_rng(seed)
    detections, truths = [], []
    for i in range(images):
        n = 0 if i in (1, 3) else int(rng.integers(1, most))
        boxes, labels = random_boxes(rng, n, grid), rng.integers(0, classes - 1, n)
        source = rng.integers(0, max(n, 1), 0 if i in (2, 3) else 3 * n)
        near = boxes[source] + rng.normal(0, 0.03, (len(source), 4))
        near = np.rint(near * grid) / grid if grid else near
        near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1 / 64)
        stray = random_boxes(rng, 0 if i in (2, 3) else 3, grid)
        found = np.concatenate([near, stray, near[:2]])
        kinds = np.where(
            rng.random(len(found)) < 0.8,
            np.concatenate(
                [labels[source], rng.integers(0, classes, len(stray)), labels[source[:2]]]
            ),
            rng.integers(0, classes, len(found)),
        )
        scores = rng.random(len(found))
        scores = np.ceil(scores * steps) / steps if steps else scores
        detections.append(Detections(found, scores, kinds))
        truths.append((boxes, labels))
    return detections, truths


def by_coco(detections, truths, classes, most=100):
    """Average precision (10, C) by COCO's own program."""
    boxes, labels = zip(*truths, strict=True)
    known = numbered(boxes, labels, [str(label) for label in range(classes)], size=(1, 1))
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        true, found = Path(folder, "truths.json"), Path(folder, "detections.json")
        write_coco(true, known)
        write_detections(found, detections, known)
        truths = COCO(true)
        run = COCOeval(truths, truths.loadRes(str(found)), "bbox")
        run.params.maxDets = [most]
        run.evaluate()
        run.accumulate()
    precision = run.eval["precision"][:, :, :, 0, 0]  # threshold, recall, class
    return np.where(precision[:, 0] < 0, np.nan, precision.mean(axis=1))


CASES = {
    "floats": {},
    "rounded boxes": {"grid": 32},
    "equal scores": {"steps": 5},
    "rounded boxes, equal scores": {"grid": 16, "steps": 3},
    "many in an image": {"images": 5, "classes": 2, "most": 90, "steps": 40},
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("seed", range(4))
def test_average_precision_equals_cocos(case, seed):
    options = {"classes": 4} | CASES[case]
    detections, truths = crowd_of_images(seed, **options)
    if case == "many in an image":
        assert max(np.bincount(each.labels).max() for each in detections if len(each.labels)) > 100
    ours = average_precision(detections, truths, options["classes"])
    theirs = by_coco(detections, truths, options["classes"])
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)
    assert np.isnan(ours[:, -1]).all()  # the class without a truth
    assert len(np.unique(ours)) > 8


def test_average_precision_of_few_an_image_equals_cocos():
    detections, truths = crowd_of_images(0, steps=10)
    ours = average_precision(detections, truths, 4, most=3)
    np.testing.assert_allclose(ours, by_coco(detections, truths, 4, 3), rtol=0, atol=1e-9)
    assert np.nansum(ours) < np.nansum(average_precision(detections, truths, 4))


def test_of_equal_ious_cocos_takes_the_last_truth():
    """The surer detection overlaps both truths by 7/9; the next one fits the first alone."""
    truths = [(np.array([[0, 0, 4, 1], [1, 0, 5, 1.0]]), np.zeros(2, int))]
    boxes = np.array([[0.5, 0, 4.5, 1], [0, 0, 4, 1.0]])
    detections = [Detections(boxes, np.array([0.9, 0.8]), np.zeros(2, int))]
    ours = average_precision(detections, truths, 1)
    np.testing.assert_allclose(ours, by_coco(detections, truths, 1), rtol=0, atol=1e-9)
    assert ours[4, 0] == 1  # at .7
    swapped = [(truths[0][0][::-1], truths[0][1])]
    ours = average_precision(detections, swapped, 1)
    np.testing.assert_allclose(ours, by_coco(detections, swapped, 1), rtol=0, atol=1e-9)
    assert ours[4, 0] < 1


def test_single_precision_is_judged_in_double():
    """At an IoU itself a detection hits, at the next number it does not."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        boxes = random_boxes(rng, 2).astype(np.float32)
        boxes[1] = 0.9 * boxes[0] + 0.1 * boxes[1]
        at = iou(*boxes[:, None].astype(np.float64))[0, 0]
        detections = [Detections(boxes[:1], np.ones(1, np.float32), np.zeros(1, int))]
        truths = [(boxes[1:], np.zeros(1, int))]
        table = average_precision(detections, truths, 1, (at, np.nextafter(at, 1)))
        assert table.tolist() == [[1], [0]]


def test_thresholds_are_cocos():
    assert Params("bbox").iouThrs.tolist() == list(IOU_THRESHOLDS)


def test_no_detection_and_no_truth():
    nothing = Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))
    truth = np.array([[0, 0, 1, 1.0]]), np.array([0])
    table = average_precision([nothing, nothing], [truth, (nothing.boxes, nothing.labels)], 2)
    assert table.shape == (len(IOU_THRESHOLDS), 2)
    np.testing.assert_array_equal(table, [[0, np.nan]] * 10)
    curve = precision_recall([nothing], [truth], 0)
    assert [len(part) for part in curve] == [0, 0, 0]
    assert np.isnan(average_precision([], [], 1)).all()
    with pytest.raises(ValueError, match="class 1 has none"):
        precision_recall([nothing], [truth], 1)


# ---------------------------------------------------------------- the curve, and other points


@pytest.fixture
def known():
    """Detections in cells of their own, of which we know by construction which are right."""
    rng = np.random.default_rng(2)
    corner = np.stack(np.divmod(np.arange(80), 10), axis=1).astype(float)
    boxes = np.concatenate([corner, corner + 0.9], axis=1)
    true, found = rng.random(80) < 0.6, rng.random(80) < 0.8
    detections = Detections(boxes[found], rng.random(found.sum()), np.zeros(found.sum(), int))
    return [detections], [(boxes[true], np.zeros(true.sum(), int))], true[found], true.sum()


def test_the_curve_equals_sklearns(known):
    detections, truths, hits, count = known
    curve = precision_recall(detections, truths, 0)
    precision, recall, scores = sklearn.metrics.precision_recall_curve(hits, detections[0].scores)
    of_all = recall * hits.sum() / count  # scikit-learn does not know of truths never found
    np.testing.assert_array_equal(curve.scores, scores[::-1])
    np.testing.assert_allclose(curve.precision, precision[-2::-1], rtol=1e-12)
    np.testing.assert_allclose(curve.recall, of_all[-2::-1], rtol=1e-12)


def test_precision_and_recall_at_a_score(known):
    detections, truths, hits, count = known
    curve, scores = precision_recall(detections, truths, 0), detections[0].scores
    for score in (0, 0.5, scores[3]):
        above = hits[scores >= score]
        assert curve.at(score) == pytest.approx((above.mean(), above.sum() / count))
    assert np.isnan(curve.at(1.5)[0])
    assert curve.at(1.5)[1] == 0


def test_all_points_are_the_area_of_sklearns_curve_with_its_dents_filled(known):
    detections, truths, hits, count = known
    precision, recall, _ = sklearn.metrics.precision_recall_curve(hits, detections[0].scores)
    filled = [precision[:-1][recall[:-1] >= r].max() for r in recall[:-1]]
    expected = -np.diff(recall) @ filled * hits.sum() / count
    (got,) = average_precision(detections, truths, 1, (0.5,), points="all")
    np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_eleven_points_equal_voc_2007(known):
    detections, truths, hits, count = known
    in_order = hits[np.argsort(-detections[0].scores)]
    expected = 0
    for tenth in range(11):
        # exact: k hits of `count` are a recall of tenth / 10 or more
        reached = [
            in_order[:k].sum() / k
            for k in range(1, len(hits) + 1)
            if 10 * in_order[:k].sum() >= tenth * count
        ]
        expected += max(reached, default=0) / 11
    (got,) = average_precision(detections, truths, 1, (0.5,), points="11")
    np.testing.assert_allclose(got, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"truths": []}, "as many detections as truths, one an image, got 1 and 0"),
        ({"points": 11}, 'points: expected "101", "all" or "11", got 11'),
        ({"thresholds": [0.5, 50]}, r"above 0, at most 1, got \[0.5, 50\]"),
        ({"thresholds": [0]}, "above 0, at most 1"),
        ({"classes": 1}, r"detections\[0\]: expected labels from 0 to 0, got \[1\]"),
        ({"truths": [([[0, 0, 1, 1]], [-1])]}, r"truths\[0\]: expected labels from 0 to 1, got"),
        ({"truths": [([[0, 0, 1, 1]], 0)]}, r"truths\[0\]: expected 1 labels, one a box, got \(\)"),
        (
            {"detections": [([[0, 0, 1, 1]], [1, 2], [1])]},
            r"detections\[0\].scores: expected 1 finite scores, one a box, got \(2,\)",
        ),
    ],
)
def test_average_precision_says_what_is_wrong(changes, words):
    box = [[0, 0, 1, 1]]
    given = {"detections": [Detections(box, [1], [1])], "truths": [(box, [1])], "classes": 2}
    with pytest.raises(ValueError, match=words):
        average_precision(**{**given, **changes})
    with pytest.raises(ValueError, match="above 0, at most 1"):
        precision_recall(given["detections"], given["truths"], 1, threshold=75)
