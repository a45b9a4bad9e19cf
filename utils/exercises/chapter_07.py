"""Exercises of chapter 07, Object detection. Boxes are corners (x1, y1, x2, y2)."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from functools import partial

import numpy as np

from utils.exercises._agree import agree
from utils.exercises._compare import Wrong, numbers, sizes
from utils.exercises._exercise import exercise
from utils.exercises._frameworks import OnTensors, in_a_child, tensorflow

GRID = 16  # boxes of the checks lie on GRID × GRID cells: what they share can be counted
PAIRS = {  # corners on that grid, by how the two boxes lie
    "equal": ((2, 3, 7, 9), (2, 3, 7, 9)),
    "one inside the other": ((0, 0, 16, 16), (5, 6, 9, 8)),
    "a cross": ((5, 0, 8, 16), (0, 6, 16, 9)),
    "one over the corner of the other": ((1, 2, 9, 7), (5, 4, 12, 16)),
    "a common side": ((0, 0, 4, 4), (4, 0, 9, 4)),
    "a common corner": ((0, 0, 4, 4), (4, 4, 8, 8)),
    "side by side": ((0, 2, 4, 8), (10, 3, 12, 9)),
    "one above the other": ((2, 0, 8, 4), (3, 10, 9, 12)),
    "far apart": ((0, 0, 3, 2), (9, 10, 12, 15)),
}


def _boxes(rng, n):
    """Draw n boxes with an area on the grid, whole numbers (n, 4) as floats."""
    low = rng.integers(0, GRID - 1, size=(n, 2))
    return np.hstack([low, rng.integers(low + 1, GRID + 1)]).astype(float)


def _cells(box):
    x1, y1, x2, y2 = map(int, box)
    return set(itertools.product(range(x1, x2), range(y1, y2)))


def _counted_iou(a, b):
    """Cells that two boxes on the grid have in common, as a share of those of either."""
    return Fraction(len(_cells(a) & _cells(b)), len(_cells(a) | _cells(b)))


def _counted_table(boxes, others):
    return [[float(_counted_iou(a, b)) for b in others] for a in boxes]


def _areas(boxes):
    return (boxes[..., 2:] - boxes[..., :2]).prod(axis=-1)


def _overlaps(a, b):
    """Areas that boxes have in common, broadcast: (..., 4) and (..., 4) give (...)."""
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    return np.maximum(sides, 0).prod(axis=-1)


def _iou(a, b):
    both = _overlaps(a, b)
    return both / (_areas(a) + _areas(b) - both)


def _try_pairs(answer, rng, value, what):
    """Try a function of pairs of boxes on random and on special ones; value(a, b) is the truth."""

    def attempt(a, b, unit, kind=float):
        expected = [float(value(*pair)) for pair in zip(a, b, strict=True)]
        agree(answer, ((a * unit).astype(kind), (b * unit).astype(kind)), expected, what)

    for unit in (1 / GRID, 20.0):  # fractions of a picture, and pixels
        n = sizes(rng, 1)[0]
        attempt(_boxes(rng, n), _boxes(rng, n), unit)
    for a, b in PAIRS.values():
        attempt(np.array([a, b], float), np.array([b, a], float), 1 / GRID)
    a, b = (np.array(boxes, float) for boxes in zip(*PAIRS.values(), strict=True))
    attempt(a, b, 1 / GRID, np.float32)
    attempt(a[:1], b[1:2], 1 / GRID)
    agree(answer, (np.empty((0, 4)), np.empty((0, 4))), np.empty(0), f"{what} of no boxes")


# ---------------------------------------------------------------- 07.1
@exercise(
    "07.1",
    hints=(
        "Compute by hand: the IoU of a box with itself must be 1, of two boxes far apart 0.",
        "If two boxes lie apart, `right - left` is negative. If they do so in both directions, "
        "what is the product of two negative sides?",
        "What both have in common is in the area of `a` and in that of `b`. How often does it "
        "belong into the union? And which column holds the top of `b`?",
    ),
    why="Negative sides mean that nothing is shared, so each is cut at 0 before they are "
    "multiplied: the product of two negative ones is positive. The two areas hold the "
    "intersection twice, the union once. And a height is y2 − y1, columns 3 and 1.",
)
def iou_repaired(a, b):
    """IoU (N,) of boxes a (N, 4) and b (N, 4) with an area, pair by pair."""
    left, right = np.maximum(a[:, 0], b[:, 0]), np.minimum(a[:, 2], b[:, 2])
    top, bottom = np.maximum(a[:, 1], b[:, 1]), np.minimum(a[:, 3], b[:, 3])
    both = np.maximum(right - left, 0) * np.maximum(bottom - top, 0)
    area_a = (a[:, 2] - a[:, 0]) * (a[:, 3] - a[:, 1])
    area_b = (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])
    return both / (area_a + area_b - both)


@iou_repaired.check
def _(answer, rng):
    _try_pairs(answer, rng, _counted_iou, "the IoU")


_BUGS = {  # of the given program, by what is left to repair
    (0, 0, 1): "the height of b is y2 − y1: mind the columns",
    (0, 1, 0): "the union counts twice what both have in common: subtract it once",
    (1, 0, 0): "boxes that lie apart share nothing: cut negative sides at 0 before the product",
    (0, 1, 1): "the intersection is right; the area of b and the union are not",
    (1, 0, 1): "the union is right but for the area of b; and negative sides are not cut",
    (1, 1, 0): "both areas are right; the union and negative sides are not",
    (1, 1, 1): "the broken program as it stands: three bugs are to be found",
}


@iou_repaired.mistakes
def _(a, b):
    sides = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
    both, uncut, area_a, area_b = _overlaps(a, b), sides.prod(axis=1), _areas(a), _areas(b)
    bad_area = (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 0])
    found = {}
    for (apart, twice, height), text in _BUGS.items():
        shared, area = uncut if apart else both, bad_area if height else area_b
        found[text] = shared / (area_a + area - (0 if twice else shared))
    one_side = np.maximum(sides[:, 0], 0) * sides[:, 1]
    other_side = np.maximum(sides[:, 1], 0) * sides[:, 0]
    positive = np.maximum(uncut, 0)
    size = np.abs(uncut)
    everywhere = _overlaps(a[:, None], b)
    around = (np.maximum(a, b)[:, 2:] - np.minimum(a, b)[:, :2]).prod(axis=1)
    wide = np.maximum(sides + 1, 0).prod(axis=1)
    wide_a, wide_b = ((box[:, 2:] - box[:, :2] + 1).prod(axis=1) for box in (a, b))
    as_sizes = [np.hstack([box[:, :2], box[:, :2] + box[:, 2:]]) for box in (a, b)]
    return found | {
        "cutting the product at 0 is too late: two negative sides give a positive one": (
            positive / (area_a + area_b - positive)
        ),
        "an absolute value makes boxes that lie apart overlap: cut at 0": (
            size / (area_a + area_b - size)
        ),
        "the height is not cut at 0, only the width is": one_side / (area_a + area_b - one_side),
        "the width is not cut at 0, only the height is": (
            other_side / (area_a + area_b - other_side)
        ),
        "this is the share of the smaller box: divide by the union": (
            both / np.minimum(area_a, area_b)
        ),
        "this is the share of a: divide by the union": both / area_a,
        "this is the share of b: divide by the union": both / area_b,
        "the intersection is subtracted twice from the union: once is enough": (
            both / (area_a + area_b - 2 * both)
        ),
        "this is the intersection: divide it by the union": both,
        "the union is less than the box around both: add the areas, subtract what is shared": (
            both / around
        ),
        "+ 1 is for pixels counted with both ends: here x2 − x1 is the width": (
            wide / (wide_a + wide_b - wide)
        ),
        "the last two columns are a corner, not width and height": _iou(*as_sizes),
        "all a are compared with all b: compare row i with row i": (
            everywhere / (area_a[:, None] + area_b - everywhere)
        ),
    }


# ---------------------------------------------------------------- 07.2
def _counted_giou(a, b):
    low, high = np.minimum(a, b)[:2], np.maximum(a, b)[2:]
    around, either = len(_cells((*low, *high))), len(_cells(a) | _cells(b))
    return _counted_iou(a, b) - Fraction(around - either, around)


@exercise(
    "07.2",
    hints=(
        "Three areas are needed: I of the intersection, U of the union and C of the smallest box "
        "around both.",
        "The box around both begins at the smaller x1 and y1 and ends at the larger x2 and y2.",
        "The union's area is area(a) + area(b) − I; then I/U − (C − U)/C.",
    ),
    why="The farther two boxes are apart, the more of C is empty, so GIoU falls from 1 toward −1 "
    "and has a slope where IoU is flat at 0: as a loss it pulls boxes together that do not touch.",
)
def giou(a, b):
    """Generalized IoU (N,) of boxes a (N, 4) and b (N, 4) with an area, pair by pair."""
    sides = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
    both = np.maximum(sides, 0).prod(axis=1)
    area_a, area_b = ((box[:, 2:] - box[:, :2]).prod(axis=1) for box in (a, b))
    either = area_a + area_b - both
    around = (np.maximum(a[:, 2:], b[:, 2:]) - np.minimum(a[:, :2], b[:, :2])).prod(axis=1)
    return both / either - (around - either) / around


@giou.check
def _(answer, rng):
    _try_pairs(answer, rng, _counted_giou, "the GIoU")


def _giou(a, b):
    around = _areas(np.concatenate([np.minimum(a, b)[..., :2], np.maximum(a, b)[..., 2:]], axis=-1))
    either = _areas(a) + _areas(b) - _overlaps(a, b)
    return _iou(a, b) - (around - either) / around


@giou.mistakes
def _(a, b):
    both, areas = _overlaps(a, b), _areas(a) + _areas(b)
    either, iou = areas - both, _iou(a, b)
    low, high = np.minimum(a, b)[:, :2], np.maximum(a, b)[:, 2:]
    around = (high - low).prod(axis=1)
    sides = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
    uncut, inner = sides.prod(axis=1), np.abs(sides).prod(axis=1)
    right = iou - (around - either) / around
    return {
        "this is the IoU alone: subtract the empty share of the box around both": iou,
        "the empty share must be subtracted, not added": iou + (around - either) / around,
        "the empty share alone, 1 − U/C, is not all: subtract it from the IoU": (
            (around - either) / around
        ),
        "the empty part is a share of C, not of U": iou - (around - either) / either,
        "C − U is an area: divide it by C": iou - (around - either),
        "empty is what lies in C and in neither box: C − U, not C − I": (
            iou - (around - both) / around
        ),
        "this divides the intersection by C": both / around,
        "U is the area of a plus that of b minus the intersection": (
            both / areas - (around - areas) / around
        ),
        "the empty part of C is C − U, not U": iou - either / around,
        "the empty share counts for boxes that overlap, too": np.where(both > 0, iou, right),
        "the empty share counts for boxes apart, too: nothing to share is no reason for 0": (
            np.where(both > 0, right, 0)
        ),
        "the IoU divides by U, not by C": right - iou + both / around,
        "all a are compared with all b: compare row i with row i": _giou(a[:, None], b),
        "the box in C must hold both: smaller x1, y1 and larger x2, y2": (
            iou - (inner - either) / inner
        ),
        "GIoU may be negative: do not cut it at 0": np.maximum(right, 0),
        "1 − GIoU is the loss: return GIoU itself": 1 - right,
        "negative sides of the intersection must be cut at 0": (
            uncut / (areas - uncut) - (around - areas + uncut) / around
        ),
        "the center distance belongs to DIoU: here the empty share counts": iou
        - (((a - b)[:, :2] + (a - b)[:, 2:]) ** 2).sum(axis=1)
        / 4
        / ((high - low) ** 2).sum(axis=1),
    }


# ---------------------------------------------------------------- 07.3
@exercise(
    "07.3",
    hints=(
        "The columns are x, y of the upper left corner, then width and height: the other corner "
        "is x + w, y + h.",
        "Cut the corners, not w and h: a box that begins at x = −3 loses 3 pixels of its width.",
        "After `np.clip(corners, 0, 1)` what lay outside has x1 = x2 or y1 = y2: keep the rest.",
    ),
    why="Corners are cut one by one, and a box outside ends as a line on the border, without an "
    "area. It must go: an object that cannot be seen would be asked of the detector. Cutting "
    "first and dividing later is the same.",
)
def from_coco(bbox, width, height):
    """Corners (M, 4) as fractions, cut to the image, of COCO's (x, y, w, h) in pixels (N, 4)."""
    corners = np.hstack([bbox[:, :2], bbox[:, :2] + bbox[:, 2:]])
    boxes = np.clip(corners / [width, height, width, height], 0, 1)
    return boxes[(boxes[:, 0] < boxes[:, 2]) & (boxes[:, 1] < boxes[:, 3])]


def _coco_rows(rng, n, width, height):
    """Draw rows that lie inside, across each border, and outside."""
    x, y = rng.integers(-12, width + 6, size=n), rng.integers(-12, height + 6, size=n)
    return np.stack([x, y, *rng.integers(1, 20, size=(2, n))], axis=1).astype(float)


@from_coco.check
def _(answer, rng):
    across = [[-4, -6, 10, 9], [35, 5, 10, 5], [5, 20, 4, 8], [-5, -5, 90, 90]]
    outside = [[-9, 4, 9, 5], [40, 2, 5, 5], [3, -8, 6, 8], [2, 24, 6, 6], [-9, 4, 5, 5],
               [50, 2, 5, 5], [-9, -9, 4, 4], [60, 60, 9, 9]]  # fmt: skip
    flat = [[5, 6, 0, 8], [5, 6, 8, 0], [7, 7, 1, 1], [5, 6, 0, 0]]
    cases = [
        *((_coco_rows(rng, 9 + sizes(rng, 1)[0], *size), *size) for size in ((40, 24), (24, 60))),
        (np.array([[4.0, 6.0, 10.0, 12.0], [0.0, 0.0, 40.0, 24.0]]), 40, 24),
        (_coco_rows(rng, 2, 40, 24), 40, 24),
        *((np.array(rows, float), 40, 24) for rows in (across, outside, flat, across[:1])),
        (np.array(across + outside + flat, np.float32), 40, 24),
        (np.empty((0, 4)), 40, 24),
    ]
    for rows, width, height in cases:
        expected = []
        for x, y, w, h in rows.tolist():  # the middle one of three numbers is the cut one
            x1, x2 = (sorted((0, end, width))[1] / width for end in (x, x + w))
            y1, y2 = (sorted((0, end, height))[1] / height for end in (y, y + h))
            if (x2 - x1) * (y2 - y1) > 0:
                expected.append((x1, y1, x2, y2))
        shape = len(expected), 4
        agree(answer, (rows, width, height), np.reshape(expected, shape), "the boxes")


@from_coco.mistakes
def _(bbox, width, height):
    whole = np.array([width, height, width, height])
    xy, wh = bbox[:, :2], bbox[:, 2:]
    corners = np.hstack([xy, xy + wh])
    cut_first = np.hstack([np.clip(xy, 0, whole[:2]), np.clip(xy, 0, whole[:2]) + wh])
    inside = np.all((corners >= 0) & (corners <= whole), axis=1)

    def kept(boxes, low=0.0, high=1.0):
        boxes = np.clip(boxes, low, high)
        return boxes[_areas(boxes) > 0]

    right, cut = kept(corners / whole), np.clip(corners / whole, 0, 1)
    return {
        "x is divided by the width, y by the height: they are swapped": kept(
            corners / whole[[1, 0, 3, 2]]
        ),
        "both are divided by the width: y belongs to the height": kept(corners / width),
        "both are divided by the larger side: x belongs to the width, y to the height": kept(
            corners / max(width, height)
        ),
        "w and h are taken for the lower right corner: that is x + w, y + h": kept(bbox / whole),
        "x, y are taken for the center: in COCO they are the upper left corner": kept(
            np.hstack([xy - wh / 2, xy + wh / 2]) / whole
        ),
        "x + w is the other corner, not x + w − 1": kept((corners - [0, 0, 1, 1]) / whole),
        "boxes are not cut to the image": (corners / whole)[_areas(cut) > 0],
        "boxes are cut at 0 only: 1 is the other border": kept(corners / whole, high=np.inf),
        "boxes are cut at 1 only: 0 is the other border": kept(corners / whole, low=-np.inf),
        "the width is divided by, not the width − 1": kept(corners / (whole - 1)),
        "without rows the shape is (0, 4): np.array([]) has (0,)": right if len(right) else [],
        "boxes are not cut, and none is dropped": corners / whole,
        "w and h are added to the corner after it was cut: cut both corners": kept(
            cut_first / whole
        ),
        "what has no area left is to be dropped": cut,
        "boxes are dropped before they are cut: those outside must go, too": cut[
            (wh > 0).all(axis=1)
        ],
        "a box that reaches beyond a border is cut, not dropped": (corners / whole)[
            inside & (_areas(corners) > 0)
        ],
        "an area is lost if either side is: both conditions must hold": cut[
            (cut[:, 0] < cut[:, 2]) | (cut[:, 1] < cut[:, 3])
        ],
        "the corners come as y, x: give x1, y1, x2, y2": right[:, [1, 0, 3, 2]],
        "both x come first: give x1, y1, x2, y2": right[:, [0, 2, 1, 3]],
        "these are pixels: divide by width and height": right * whole,
        "these are x, y, w, h: give both corners": np.hstack(
            [right[:, :2], right[:, 2:] - right[:, :2]]
        ),
        "pixels are cut at 1: divide first, or cut at width and height": kept(
            np.clip(corners, 0, 1) / whole
        ),
    }


# ---------------------------------------------------------------- 07.4
@exercise(
    "07.4",
    hints=(
        "Columns of pixels are axis 1 of the image; `[::-1]` turns an axis round.",
        "In fractions of the width the mirrored place of x is 1 − x.",
        "The left edge of the mirrored box is the mirrored right edge: x1 becomes 1 − x2.",
    ),
    why="1 − x turns the order of x1 and x2 round, so they change places; y stays. With x1 > x2 "
    "a box would have a negative width and an IoU of 0 with everything.",
)
def mirror(image, boxes):
    """Image (H, W, 3) and its boxes (n, 4), in fractions, mirrored left to right."""
    x1, y1, x2, y2 = boxes.T
    return image[:, ::-1], np.stack([1 - x2, y1, 1 - x1, y2], axis=1)


@mirror.check
def _(answer, rng):
    for n, bytes_ in ((2, False), (3, False), (1, True), (0, True), (0, False)):
        H, W = sizes(rng, 2)
        shape = H, W, 3
        image = rng.integers(256, size=shape).astype(np.uint8) if bytes_ else rng.random(shape)
        boxes = _boxes(rng, n)
        turned = np.empty_like(image)
        for row, column in np.ndindex(H, W):
            turned[row, W - 1 - column] = image[row, column]
        expected = np.array([(GRID - x2, y1, GRID - x1, y2) for x1, y1, x2, y2 in boxes])
        parts = {"the image": turned, "the boxes": expected.reshape(n, 4) / GRID}
        agree(answer, (image, boxes / GRID), parts)
    boxes = np.array([[0, 0, 1, 1], [0, 0.25, 0.5, 1], [0.25, 0, 0.75, 0.5]], np.float32)
    parts = {
        "the image": image,
        "the boxes": [[0, 0, 1, 1], [0.5, 0.25, 1, 1], [0.25, 0, 0.75, 0.5]],
    }
    agree(answer, (image[:, ::-1], boxes), parts)


@mirror.mistakes
def _(image, boxes):
    x1, y1, x2, y2 = boxes.T
    width = image.shape[1]

    def rows(*columns):
        return np.stack(columns, axis=1)

    right = rows(1 - x2, y1, 1 - x1, y2)
    return {
        "the mirrored place of x is 1 − x, not −x": (..., rows(-x2, y1, -x1, y2)),
        "the third number of a box is a corner, not a width": (..., rows(1 - x2, y1, x2 - x1, y2)),
        "without boxes the shape is (0, 4): np.array([]) has (0,)": (
            ..., right if len(right) else [],
        ),
        "x1 is right of x2 now: let them change places": (..., rows(1 - x1, y1, 1 - x2, y2)),
        "the boxes are not mirrored": (..., boxes),
        "x1 and x2 only change places: their mirrored places are 1 − x": (
            ..., rows(x2, y1, x1, y2),
        ),
        "1 − boxes turns y round as well": (..., rows(1 - x2, 1 - y2, 1 - x1, 1 - y1)),
        "1 − boxes turns y round, and the corners change places": (..., 1 - boxes),
        "the boxes are mirrored upside down: x changes, y stays": (
            ..., rows(x1, 1 - y2, x2, 1 - y1),
        ),
        "x is a fraction of the width: the mirrored place is 1 − x, not W − x": (
            ..., rows(width - x2, y1, width - x1, y2),
        ),
        "W − 1 − x is for pixels: x is a fraction of the width": (
            ..., rows(width - 1 - x2, y1, width - 1 - x1, y2),
        ),
        "the image is not mirrored, only its boxes": (image, right),
        "the image is upside down: columns are axis 1": (image[::-1], ...),
        "the image is turned by 180°: keep the order of the rows": (image[::-1, ::-1], ...),
        "red and blue change places: columns are axis 1, not the last one": (
            image[..., ::-1], ...,
        ),
        "the image is transposed: turn the order of its columns round": (
            image.swapaxes(0, 1), ...,
        ),
    }  # fmt: skip


# ---------------------------------------------------------------- 07.5
def _best_first(scores):
    return np.argsort(-scores, kind="stable")


def _suppressed(boxes, scores, threshold, *, measure=_iou, order=_best_first, drops=np.greater,
                compared=lambda kept, better: kept, result=lambda kept, order: kept,
                fixed=None):  # fmt: skip
    """Greedy suppression, or one with a bug: what may drop a box, by which measure, the result."""
    boxes, scores = np.asarray(boxes, float).reshape(-1, 4), np.asarray(scores, float)
    ranked, kept = order(scores).tolist(), []
    for place, i in enumerate(ranked):
        overlaps = [measure(boxes[i], boxes[j]) for j in compared(kept, ranked[:place])]
        if not np.any(drops(overlaps, fixed or threshold)):
            kept.append(i)
    return np.array(result(kept, ranked), int)


def _uncut_iou(a, b):
    both = (np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])).prod()
    return both / (_areas(a) + _areas(b) - both)


def _wide_iou(a, b):
    both = _overlaps(a, b)
    return both / (_areas(a) + _areas(b))


_WRONG_SUPPRESSIONS = {
    "one that keeps every box": {"compared": lambda kept, better: []},
    "one that keeps only the best": {"result": lambda kept, order: kept[:1]},
    "one that drops what overlaps little": {"drops": np.less},
    "one that takes the boxes as they come, whatever their scores": {
        "order": lambda s: np.arange(len(s))
    },
    "one that begins with the worst": {"order": lambda s: np.argsort(s, kind="stable")},
    "one in which dropped boxes drop others": {"compared": lambda kept, better: better},
    "one that compares with the very best alone": {"compared": lambda kept, better: kept[:1]},
    "one that compares with the box kept last alone": {"compared": lambda kept, better: kept[-1:]},
    "one that uses 0.5 whatever the threshold": {"fixed": 0.5},
    "one that divides by the smaller box, not by the union": {
        "measure": lambda a, b: _overlaps(a, b) / min(_areas(a), _areas(b))
    },
    "one that counts the intersection twice in the union": {"measure": _wide_iou},
    "one in which boxes far apart overlap, for negative sides are not cut": {"measure": _uncut_iou},
    "one that gives places in the sorted list": {
        "result": lambda kept, order: [order.index(i) for i in kept]
    },
    "one that gives the kept boxes in the order they came, not best first": {
        "result": lambda kept, order: sorted(kept)
    },
    "one that gives the boxes that are to be dropped": {
        "result": lambda kept, order: [i for i in order if i not in kept]
    },
}


def _suppressed_otherwise(boxes, scores, threshold):
    """Also right: of equal scores the last comes first, and an IoU at the threshold drops."""
    boxes = np.asarray(boxes, float).reshape(-1, 4)
    left, kept = list(range(len(scores)))[::-1], []
    while left:
        best = max(left, key=lambda i: scores[i])
        kept.append(best)
        left = [i for i in left if i != best and _iou(boxes[i], boxes[best]) < threshold]
    return np.array(kept, int)


@exercise(
    "07.5",
    hints=(
        "Compute a few results by hand, or write suppression again and compare on many random "
        "boxes: `np.array_equal(suppress(boxes, scores, t), expected)`.",
        "Random scores have no ties, and no IoU of random boxes is exactly the threshold. Use at "
        "least two thresholds, and scores that are not sorted.",
        "Three boxes in a row, each over the next: the best drops the second, so the third stays. "
        "And two boxes far apart in both directions must both stay.",
    ),
    why="Twenty boxes, many of them chained, at many thresholds, tell greedy suppression from all "
    "the usual mistakes. Few boxes leave gaps: with two of them nobody sees whether a dropped box "
    "drops others.",
)
def is_nms(suppress):
    """Whether suppress(boxes, scores, threshold) is greedy non-maximum suppression."""
    rng = np.random.default_rng(0)
    for threshold in rng.random(30):
        some, others = rng.random((2, 20, 2))  # opposite corners
        boxes = np.hstack([np.minimum(some, others), np.maximum(some, others)])
        scores = rng.random(len(boxes))
        expected = []
        for i in np.argsort(-scores):
            sides = np.minimum(boxes[i, 2:], boxes[expected, 2:]) - np.maximum(
                boxes[i, :2], boxes[expected, :2]
            )
            both = np.maximum(sides, 0).prod(axis=1)
            areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
            if not np.any(both / (areas[i] + areas[expected] - both) > threshold):
                expected.append(i)
        if not np.array_equal(suppress(boxes, scores, threshold), expected):
            return False
    return True


def _bugged(**bug):
    def suppress(boxes, scores, threshold):
        return _suppressed(boxes, scores, threshold, **bug)

    suppress.__qualname__ = "suppress"  # as a message about wrong arguments tells it
    return suppress


@is_nms.check
def _(answer, rng):
    def verdict(suppress):
        said = answer(suppress)
        if not isinstance(said, bool | np.bool_):
            raise Wrong(f"return True or False, got {type(said).__name__}")
        return bool(said)

    for suppress, name in (
        (_bugged(), "greedy suppression"),
        (_suppressed_otherwise, "one that differs only at ties, which are left open"),
    ):
        if not verdict(suppress):
            raise Wrong(f"your test refuses a right one: {name}")
    passed = [name for name, bug in _WRONG_SUPPRESSIONS.items() if verdict(_bugged(**bug))]
    if passed:
        more = f", and {len(passed) - 1} more" if passed[1:] else ""
        raise Wrong(f"your test passes a wrong one: {passed[0]}{more}")


def _examples(*rows):
    """A test that compares with a few examples: boxes, scores, threshold, what must be kept."""
    return lambda suppress: all(
        np.array_equal(suppress(np.array(boxes, float), np.array(scores), threshold), kept)
        for boxes, scores, threshold, kept in rows
    )


_TWO = ((0, 0, 4, 4), (1, 0, 5, 4), (8, 8, 9, 9))  # the first two overlap with IoU 0.6
_CHAIN = ((0, 0, 4, 4), (1, 0, 5, 4), (2, 0, 6, 4))  # neighbors 0.6, the ends 1/3


def _random_test(thresholds, *, ties=False, as_set=False):
    def test(suppress):
        rng = np.random.default_rng(1)
        for threshold in thresholds:
            for _ in range(30):
                low = 6 * rng.random((20, 2))
                boxes = np.hstack([low, low + rng.uniform(1, 6, (20, 2))])
                scores = np.round(rng.random(20), 1 if ties else 9)
                got, right = (f(boxes, scores, threshold) for f in (suppress, _suppressed))
                if as_set:
                    got, right = np.sort(got), np.sort(right)
                if not np.array_equal(got, right):
                    return False
        return True

    return test


is_nms.wrongs(
    {
        "passes a wrong one: one that keeps every box, and 14 more": lambda suppress: True,
        "refuses a right one: greedy suppression": lambda suppress: False,
        "refuses a right one: one that differs only at ties": _random_test((0.2, 0.6), ties=True),
        "passes a wrong one: one that uses 0.5 whatever the threshold": _random_test((0.5,)),
        "passes a wrong one: one that gives the kept boxes in the order they came": _random_test(
            (0.2, 0.6), as_set=True
        ),
        "return True or False, got ndarray": lambda suppress: suppress(
            np.array(_TWO, float), np.array([0.9, 0.8, 0.7]), 0.5
        ),
        "passes a wrong one: one that takes the boxes as they come": _examples(
            (_TWO, (0.9, 0.8, 0.7), 0.5, (0, 2)), (_CHAIN, (0.9, 0.8, 0.7), 0.5, (0, 2))
        ),
        "passes a wrong one: one in which dropped boxes drop others": _examples(
            (_TWO, (0.8, 0.9, 0.7), 0.5, (1, 2)), (_TWO, (0.8, 0.9, 0.7), 0.7, (1, 0, 2))
        ),
        "passes a wrong one: one that compares with the very best alone": _examples(
            (_TWO, (0.8, 0.9, 0.7), 0.5, (1, 2)), (_TWO, (0.8, 0.9, 0.7), 0.7, (1, 0, 2)),
            (_CHAIN, (0.7, 0.8, 0.9), 0.5, (2, 0)),
        ),
    }
)  # fmt: skip


# ---------------------------------------------------------------- 07.6
@exercise(
    "07.6",
    hints=(
        "Suppression as you know it: take the best box that is left, compare it with the others "
        "that are left, go on. Only what happens to them is new.",
        "After each step look for the best again: a box whose score has fallen may come later.",
        "`left` marks the boxes not yet taken. Of these multiply the scores by "
        "`np.exp(-iou ** 2 / sigma)`, but not of the one just taken.",
    ),
    why="A box next to a better one loses a little at small overlap, nearly all at large overlap, "
    "and no threshold decides. Of two things that stand close together the second can survive.",
)
def soft_nms(boxes, scores, sigma):
    """Scores (n,) after soft suppression of boxes (n, 4), in the order in which they came."""
    scores, left = np.array(scores, float), np.ones(len(scores), bool)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    for _ in range(len(scores)):
        best = np.argmax(np.where(left, scores, -np.inf))
        left[best] = False
        sides = np.minimum(boxes[:, 2:], boxes[best, 2:]) - np.maximum(
            boxes[:, :2], boxes[best, :2]
        )
        both = np.maximum(sides, 0).prod(axis=1)
        iou = both / (areas + areas[best] - both)
        scores[left] *= np.exp(-(iou[left] ** 2) / sigma)
    return scores


def _softened(boxes, scores, decay, *, again=True, everyone=False, itself=False, only=None,
              result="given"):  # fmt: skip
    """Soft suppression with another decay, or with a bug in who loses, and when."""
    table = [[_iou(a, b) for b in boxes] for a in boxes]
    now, left, taken = list(map(float, scores)), list(range(len(scores))), []
    while left:
        best = max(left, key=lambda i: (now if again else scores)[i])
        left.remove(best)
        taken.append(best)
        losers = list(range(len(scores))) if everyone else left + [best] * itself
        if only is None or len(taken) <= only:
            for i in losers:
                if itself or i != best:
                    now[i] *= decay(table[best][i])
    return np.array(now if result == "given" else [now[i] for i in taken])


@soft_nms.check
def _(answer, rng):
    row = [(0, 0, 8, 8), (2, 0, 10, 8), (4, 0, 12, 8)]
    cases = [
        *((_boxes(rng, n), rng.uniform(0.05, 0.95, size=n), sigma)
          for n, sigma in zip((5 + sizes(rng, 1)[0], 9), (0.5, 0.3), strict=True)),
        (_boxes(rng, sizes(rng, 1)[0]), None, 0.4),
        (np.array(row, float), np.array([0.8, 0.9, 0.75]), 0.5),
        (np.array(row, float), np.array([0.9, 0.8, 0.75]), 0.5),  # the third overtakes the second
        (np.array(2 * [row[0]]), np.array([0.6, 0.9]), 0.5),
        (np.array([row[1], row[0]], float), np.array([0.7, 0.7]), 0.5),  # of equals the first
        (np.array([row[1], (2, 1, 5, 4), (12, 12, 16, 16)], float), np.array([0.3, 0.5, 0.2]), 0.2),
        (np.array(row[:1], float), np.array([0.4]), 0.5),
        (np.empty((0, 4)), np.empty(0), 0.5),
    ]  # fmt: skip
    for boxes, scores, sigma in cases:
        if scores is None:
            scores = rng.permutation(len(boxes)) / 10 + 0.05
        table = _counted_table(boxes, boxes)
        loss, left = [0.0] * len(boxes), set(range(len(boxes)))  # Σ IoU²/σ of each
        while left:
            best = max(sorted(left), key=lambda i: math.log(scores[i]) - loss[i])
            left.remove(best)
            for i in left:
                loss[i] += table[i][best] ** 2 / sigma
        expected = [s * math.exp(-lost) for s, lost in zip(scores, loss, strict=True)]
        agree(answer, (boxes / GRID, scores, sigma), np.array(expected), "the new scores")
    agree(
        answer, (np.float32(row) / GRID, np.float32([0.9, 0.8, 0.75]), 0.5),
        soft_nms.reference(np.array(row) / GRID, np.array([0.9, 0.8, 0.75]), 0.5),
        "the new scores", rtol=1e-5,
    )  # fmt: skip


@soft_nms.mistakes
def _(boxes, scores, sigma):
    def gauss(iou):
        return math.exp(-(iou**2) / sigma)

    def soft(decay=gauss, **bug):
        return _softened(boxes, scores, decay, **bug)

    table = _iou(boxes[:, None], boxes)
    better = np.tril(np.ones((len(scores), len(scores))), -1)
    order = np.argsort(-scores, kind="stable")
    largest = np.zeros(len(scores))
    largest[order] = (table[order][:, order] * better).max(axis=1, initial=0)
    return {
        "the order is that of the old scores: look for the best again after each step": soft(
            again=False
        ),
        "the IoU must be squared": soft(lambda iou: math.exp(-iou / sigma)),
        "the exponent is −IoU²/σ, not −IoU²/σ²": soft(lambda iou: math.exp(-((iou / sigma) ** 2))),
        "the exponent is −IoU²/σ, not −IoU²/2σ²": soft(
            lambda iou: math.exp(-((iou / sigma) ** 2) / 2)
        ),
        "a 2 is left from another Gaussian: the exponent is −IoU²/σ": soft(
            lambda iou: math.exp(-(iou**2) / sigma / 2)
        ),
        "the exponent is −IoU²/σ: it is divided, not multiplied by σ": soft(
            lambda iou: math.exp(-(iou**2) * sigma)
        ),
        "1 − IoU is the linear decay: take exp(−IoU²/σ)": soft(lambda iou: 1 - iou),
        "scores may only fall: the exponent is negative": soft(lambda iou: 1 / gauss(iou)),
        "boxes that were taken lose, too: only those left may": soft(everyone=True),
        "the box just taken loses by its overlap with itself: leave it out": soft(itself=True),
        "only the very best takes from the others: go on with the next": soft(only=1),
        "the scores come best first: return them in the order of the boxes": soft(result="taken"),
        "scores are set to 0, as in hard suppression: let them fall by exp(−IoU²/σ)": soft(
            lambda iou: float(iou <= sigma)
        ),
        "each better box takes something: factors multiply, not only the strongest counts": (
            scores * np.exp(-(largest**2) / sigma)
        ),
        "the factor alone is 1 for the best: multiply it with the score": _softened(
            boxes, scores, gauss
        )
        / scores,
    }


# ---------------------------------------------------------------- 07.7
RIGHT, DUPLICATE, WRONG_KIND, BADLY_PLACED, BACKGROUND = range(5)


@exercise(
    "07.7",
    hints=(
        "Go through the detections in a loop and keep an array `free` (m,) of the true boxes that "
        "nothing has taken yet.",
        "Two masks say nearly all: `own = true_labels == label` and `hit = iou >= 0.5`, both (m,).",
        "Ask in the order of the list: any of hit & own & free? of hit & own? of hit? of own with "
        "IoU ≥ 0.1? Only in the first case something is taken: the one with the largest IoU.",
    ),
    why="Each question is asked only if those before it were answered no, so each detection gets "
    "one name. The counts tell what to work on: many of 2, the naming; many of 3, the offsets; "
    "many of 1, the suppression; many of 4, the threshold of the score.",
)
def errors(boxes, labels, true_boxes, true_labels):
    """Which of 0 to 4 each detection is, (n,), of boxes (n, 4) and labels (n,), best first."""
    found, free = [], np.ones(len(true_boxes), bool)
    areas = (true_boxes[:, 2:] - true_boxes[:, :2]).prod(axis=1)
    for box, label in zip(boxes, labels, strict=True):
        sides = np.minimum(box[2:], true_boxes[:, 2:]) - np.maximum(box[:2], true_boxes[:, :2])
        both = np.maximum(sides, 0).prod(axis=1)
        iou = both / ((box[2:] - box[:2]).prod() + areas - both)
        own, hit = true_labels == label, iou >= 0.5
        if np.any(hit & own & free):
            free[np.argmax(iou * (hit & own & free))] = False
            found.append(0)
        elif np.any(hit & own):
            found.append(1)
        elif np.any(hit):
            found.append(2)
        elif np.any(own & (iou >= 0.1)):
            found.append(3)
        else:
            found.append(4)
    return np.array(found, int)


def _sorted_errors(table, labels, kinds, *, at_least=True, takes=True, takes_other=False,
                   names=True, choose=max, any_kind=False, near=0.1, kind_first=False,
                   all_best=False):  # fmt: skip
    """The truth, from a table of IoUs (n, m); or with one rule changed."""

    def reached(iou, limit):
        return iou >= limit if at_least else iou > limit

    found, taken = [], set()
    for row, label in zip(table, labels, strict=True):
        hits = [j for j, iou in enumerate(row) if reached(iou, 0.5)]
        own = [j for j in hits if not names or kinds[j] == label]
        if all_best and row:  # the truth with the largest IoU of all, whatever its kind
            hits = [j for j in hits if j == row.index(max(row))]
            own = [j for j in hits if kinds[j] == label]
        free = [j for j in own if j not in taken]
        close = [
            j for j, iou in enumerate(row) if reached(iou, near) and (any_kind or kinds[j] == label)
        ]
        others = [j for j in hits if kinds[j] != label]
        if free:
            found.append(RIGHT)
            if takes:
                taken.add(choose(free, key=lambda j: (row[j], -j)))
        elif kind_first and others:
            found.append(WRONG_KIND)
        elif own:
            found.append(DUPLICATE)
        elif hits:
            found.append(WRONG_KIND)
            if takes_other:
                taken.add(max(hits, key=lambda j: (row[j], -j)))
        else:
            found.append(BADLY_PLACED if close else BACKGROUND)
    return np.array(found, int)


def _near(rng, boxes, n):
    """Draw n boxes like some of `boxes`, each corner moved by up to two cells."""
    moved = boxes[rng.integers(len(boxes), size=n)] + rng.integers(-2, 3, size=(n, 4))
    moved = np.clip(moved, 0, GRID)
    moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
    return moved


_BOX, _OTHER = (0, 0, 8, 8), (2, 0, 10, 8)  # IoU 0.6
ERROR_CASES = {  # boxes, labels, true boxes, true labels
    "the second on one object": ([_BOX, _BOX], [1, 1], [_BOX], [1]),
    "the second finds another object, the third none": (
        3 * [_BOX], [1, 1, 1], [_BOX, _OTHER], [1, 1],
    ),
    "the nearest is taken, not the first": (
        [_OTHER, (0, 0, 6, 8)], [1, 1], [_BOX, _OTHER], [1, 1],
    ),
    "of a wrong kind, twice, and then right": (3 * [_BOX], [2, 2, 1], [_BOX], [1]),
    "a duplicate that another kind overlaps, too": ([_BOX, _BOX], [1, 1], [_BOX, _BOX], [1, 2]),
    "of two kinds in one place, each twice": (4 * [_OTHER], [3, 1, 3, 1], 2 * [_OTHER], [1, 3]),
    "an IoU of exactly 1/2": ([(0, 0, 8, 4)], [1], [_BOX], [1]),
    "an IoU of exactly 1/10": ([(0, 0, 10, 1)], [1], [(0, 0, 10, 10)], [1]),
    "a little less, and the wrong kind": (
        [(0, 0, 8, 3), (0, 0, 8, 3), (0, 0, 3, 2)], [1, 2, 1], [_BOX], [1],
    ),
    "they only touch": ([(8, 0, 12, 8), (12, 12, 16, 16)], [1, 1], [_BOX], [1]),
    "the nearest is of another kind": ([_BOX], [2], [_BOX, _OTHER], [1, 2]),
    "nothing to find": ([_BOX, _OTHER], [1, 2], np.empty((0, 4)), np.empty(0, int)),
    "nothing found": (np.empty((0, 4)), np.empty(0, int), [_BOX], [1]),
}  # fmt: skip


@errors.check
def _(answer, rng):
    def attempt(boxes, labels, true_boxes, true_labels, kind=float):
        expected = _sorted_errors(_counted_table(boxes, true_boxes), labels, true_labels)
        fractions = (np.array(b, kind) / GRID for b in (boxes, true_boxes))
        args = next(fractions), np.array(labels), next(fractions), np.array(true_labels)
        agree(answer, args, expected, "the list of errors")

    for _ in range(3):
        m, n = sizes(rng, 2)
        true_boxes = _boxes(rng, m)
        boxes = _near(rng, true_boxes, n + 5)
        attempt(boxes, rng.integers(2, size=n + 5), true_boxes, rng.integers(2, size=m))
    for case in ERROR_CASES.values():
        attempt(*case)
    attempt(*ERROR_CASES["the nearest is taken, not the first"], np.float32)


@errors.mistakes
def _(boxes, labels, true_boxes, true_labels):
    table = _iou(boxes[:, None], true_boxes).tolist()

    def variant(**rule):
        return _sorted_errors(table, labels, true_labels, **rule)

    right = variant()
    backward = _sorted_errors(table[::-1], labels[::-1], true_labels)[::-1]
    return {
        "a true box can be found once: what comes later is a duplicate": variant(takes=False),
        "kinds are not compared": variant(names=False, any_kind=True),
        "only a right detection takes its true box, one of a wrong kind does not": variant(
            takes_other=True
        ),
        "of several free true boxes the one with the largest IoU is taken, not the first": variant(
            choose=lambda free, key: free[0]
        ),
        "look for a free one of its kind first, not for the largest IoU of all": variant(
            all_best=True
        ),
        "an IoU of exactly 0.5 or 0.1 counts (a small number added to the union spoils it)": (
            variant(at_least=False)
        ),
        "a badly placed one must have the kind of the true box": variant(any_kind=True),
        "badly placed begins at an IoU of 0.1, not as soon as they touch": variant(near=1e-6),
        "ask for duplicates before wrong kinds": variant(kind_first=True),
        "the best detection comes first: go through them from the front": backward,
        "duplicates are 1, not background": np.where(right == DUPLICATE, BACKGROUND, right),
        "badly placed ones are 3, not background": np.where(
            right == BADLY_PLACED, BACKGROUND, right
        ),
        "wrong kinds are 2, not background": np.where(right == WRONG_KIND, BACKGROUND, right),
    }


# ---------------------------------------------------------------- 07.8
@exercise(
    "07.8",
    hints=(
        "Only the scores themselves can be the answer: between two of them nothing changes.",
        "For one threshold: `hits[scores >= threshold].mean()` is the precision.",
        "Precision does not fall steadily. Try the thresholds from the lowest and stop at the "
        "first that is good enough.",
    ),
    why="All detections of one score pass together, so only whole groups count. The curve goes up "
    "and down: who comes from the top and stops where it first falls short misses later "
    "recoveries, and with them recall.",
)
def score_for_precision(scores, hits, precision):
    """Lowest of the scores (n,) at which the precision is reached, hits (n,); np.inf if none."""
    for threshold in np.unique(scores):
        if hits[scores >= threshold].mean() >= precision:
            return threshold
    return np.inf


def _thresholds(scores, hits, precision, *, pick=min, from_top=False, tied=True, over=False,
                recall=False, as_given=False):  # fmt: skip
    """The truth, counted from the best on; or with one rule changed."""
    rows = list(zip(scores.tolist(), map(bool, hits), strict=True))
    if not as_given:
        rows.sort(key=lambda row: -row[0])
    good, found = [], 0
    for count, (score, hit) in enumerate(rows, 1):
        found += hit
        if tied and not as_given and [score] == [s for s, _ in rows[count : count + 1]]:
            continue  # the next one has the same score
        share = found / (sum(map(bool, hits)) or 1) if recall else found / count
        if share > precision or (share == precision and not over):
            good.append(score)
        elif from_top:
            break
    return pick(good) if good else math.inf


@score_for_precision.check
def _(answer, rng):
    def attempt(scores, hits, precision):
        scores, hits = np.asarray(scores), np.asarray(hits, bool)
        expected = _thresholds(scores, hits, precision)
        where = " where no score is good enough" if expected == math.inf else ""
        agree(answer, (scores, hits, precision), expected, f"the threshold{where}")

    for precision, digits in ((0.7, 3), (0.6, 3), (0.8, 3), (0.6, 1), (0.7, 1)):  # 1: ties
        scores = np.round(rng.random(18 + sizes(rng, 1)[0]), digits)
        hits = rng.random(len(scores)) < scores**3
        hits[np.argmax(scores)], hits[np.argmin(scores)] = True, False
        attempt(scores, hits, precision)
    attempt([0.9, 0.8, 0.7, 0.6, 0.5], [1, 0, 1, 1, 0], 0.75)  # a dip, then exactly 3/4
    attempt([0.9, 0.8, 0.7, 0.6, 0.5], [0, 1, 1, 1, 0], 0.7)  # it begins with a false one
    attempt([0.6, 0.9, 0.6, 0.6, 0.2], [1, 1, 0, 0, 0], 0.6)  # within a tie it seems reached
    attempt([0.4, 0.8, 0.4, 0.4, 0.8], [1, 1, 0, 0, 1], 0.7)
    attempt([0.9, 0.4, 0.4, 0.4], [0, 1, 1, 1], 0.7)
    attempt([0.3, 0.2, 0.9], [1, 1, 1], 1.0)
    attempt([0.9, 0.8, 0.7], [0, 1, 0], 0.9)  # never
    attempt([0.5], [1], 0.9)
    attempt([0.5], [0], 0.9)
    attempt([], [], 0.5)
    attempt(np.float32([0.9, 0.8, 0.7, 0.6]), [1, 1, 0, 0], 0.9)


@score_for_precision.mistakes
def _(scores, hits, precision):
    def rule(**changed):
        return _thresholds(scores, hits, precision, **changed)

    def lowest(passes):
        masks = [(t, passes(scores, t)) for t in np.unique(scores)]
        return min((t for t, m in masks if m.any() and hits[m].mean() >= precision), default=np.inf)

    order = np.argsort(-scores, kind="stable")
    shares = np.cumsum(hits[order]) / np.arange(1, len(scores) + 1)
    good, short = np.flatnonzero(shares >= precision), scores[order][shares < precision]
    right = rule()
    return {
        "the precision dips and recovers: a lower threshold reaches it, too": rule(from_top=True),
        "this is the highest threshold that reaches it: look for the lowest": rule(pick=max),
        "equal scores pass together: look at the end of each group": rule(tied=False),
        "a precision that is just reached is enough: ≥, not >": rule(over=True),
        "this is the lowest score of all: divide by the detections, not by all hits": rule(
            recall=True
        ),
        "detections at the threshold itself count: scores ≥ threshold": lowest(np.greater),
        "detections below the threshold are counted: scores ≥ threshold": lowest(np.less_equal),
        "the scores come in any order: sort them": rule(as_given=True),
        "this is a place in the sorted list: return the score there": max(good, default=np.inf),
        "this is the first score that falls short: look on, for the last that is good enough": (
            max(short, default=np.inf)
        ),
    } | {
        f"return np.inf where no threshold reaches it, not {other}": (
            other if right == math.inf else right
        )
        for other in (0.0, 1.0, -1.0)
    }


# ---------------------------------------------------------------- 07.9
@exercise(
    "07.9",
    hints=(
        "`tf.nn.log_softmax(logits)` (A, C) is safe where the logarithm of a softmax is −∞.",
        "`tf.gather(rows, targets, batch_dims=1)` takes one entry of each row: (A,).",
        "With log_p (A,) of the right class, p = tf.exp(log_p): the mean of −(1 − p)^gamma log_p.",
    ),
    why="An anchor of the background that is known for sure has p near 1 and loses its weight, "
    "(1 − p)^γ; thousands of these weigh little beside the few that matter, none is thrown away. "
    "With γ = 0 it is the cross-entropy.",
)
def focal_loss(logits, targets, gamma):
    """Mean over anchors of −(1 − p)^gamma · ln p, p the probability of the right class."""
    import tensorflow as tf

    log_p = tf.gather(tf.nn.log_softmax(logits), targets, batch_dims=1)
    return tf.reduce_mean(-((1 - tf.exp(log_p)) ** gamma) * log_p)


def _focal(logits, targets, gamma):
    """Each anchor's loss (A,) and the gradient (A, C) of their mean, in closed form."""
    rows = np.asarray(logits, float)
    shifted = rows - rows.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    p, own = np.exp(log_p), np.eye(rows.shape[1])[np.asarray(targets)]
    log_own = (log_p * own).sum(axis=1, keepdims=True)
    p_own = np.exp(log_own)
    easy = 1 - p_own
    slope = gamma * easy ** max(gamma - 1, 0) * log_own * p_own - easy**gamma
    return -(easy**gamma * log_own)[:, 0], slope * (own - p) / len(rows)


SURE = ([[90.0, -90.0, 0.0], [-90.0, 90.0, 0.0], [5.0, 5.0, 5.0]], [[-99.0, 40.0], [0.5, 0.0]])


@focal_loss.check
def _(answer, rng):
    tf = tensorflow()
    draws = [
        (rng.normal(size=sizes(rng, 2)) * spread, gamma)
        for spread, gamma in ((2, 2.0), (2, 1.5), (1, 0.0), (3, 3.0))
    ]
    draws += [(np.array(rows), 2.0) for rows in (*SURE, [[0.0, 0.0, 0.0, 0.0]])]
    if not isinstance(answer.function, OnTensors):
        with in_a_child(tf):
            answer(tf.zeros((2, 3)), tf.zeros(2, tf.int64), 2.0)  # tells a stub from an answer
        answer.function = OnTensors(answer.function, tf.convert_to_tensor, partial(in_a_child, tf))
    wanted = []
    for logits, gamma in draws:
        targets = rng.integers(logits.shape[1], size=len(logits))
        targets[:2] = 0  # in the rows of SURE: right, wrong
        args = logits.astype(np.float32), targets, gamma
        losses, gradient = _focal(*args)
        wanted.append((args, gradient))
        agree(answer, args, losses.mean(), "the loss", rtol=1e-4, atol=1e-6)
    for args, gradient in wanted if not answer.suspicion else ():
        _check_gradient(answer, tf, args, gradient)


def _check_gradient(answer, tf, args, gradient):
    with in_a_child(tf), tf.GradientTape() as tape:
        logits = tf.constant(args[0])
        tape.watch(logits)
        value = answer(logits, *args[1:])
        if not tf.is_tensor(value):
            kind = type(value).__name__
            raise Wrong(f"the value is right: return it as a tensor, not as {kind}")
    found = tape.gradient(value, logits)
    if found is None:
        raise Wrong(
            "the value is right, but it has no gradient: stay in TensorFlow from the logits to "
            "the loss, without .numpy(), np and float()"
        )
    if not np.allclose(found, gradient, rtol=1e-3, atol=1e-5):
        raise Wrong(
            "the value is right, its gradient is not: is tf.stop_gradient used, a condition, or a "
            "softmax that is cut?"
        )


@focal_loss.mistakes
def _(logits, targets, gamma):
    def softmax(rows, axis=1):
        powers = np.exp(rows - rows.max(axis=axis, keepdims=True))
        return powers / powers.sum(axis=axis, keepdims=True)

    def loss(p):
        return ((1 - p) ** gamma * -np.log(p)).mean()

    rows, anchors = np.asarray(logits, float), np.arange(len(logits))
    p, single = softmax(rows)[anchors, targets], softmax(np.float32(rows))[anchors, targets]
    cross, weight = -np.log(p), (1 - p) ** gamma
    every = (1 - softmax(rows)) ** gamma * -np.log(softmax(rows))
    signs = 2 * np.eye(rows.shape[1])[targets] - 1
    log_each = -np.logaddexp(0, -signs * rows)
    binary = (1 - np.exp(log_each)) ** gamma * -log_each
    return {
        "this is the cross-entropy: weigh each anchor by (1 − p)^gamma": cross.mean(),
        "sure anchors get the large weight: it is (1 − p)^gamma, not p^gamma": (
            (p**gamma * cross).mean()
        ),
        "the sign is wrong: a loss falls as p grows": -(weight * cross).mean(),
        "the losses are added up: take their mean over the anchors": (weight * cross).sum(),
        "the mean is over anchors only, not over classes, too": (weight * cross).sum() / rows.size,
        "this is the mean of the weights: multiply each by −ln p": weight.mean(),
        "the weight is (1 − p)^gamma, not (1 − p)·gamma": ((1 - p) * gamma * cross).mean(),
        "the weight is (1 − p)^gamma, not 1 − p^gamma": ((1 - p**gamma) * cross).mean(),
        "only the right class counts, not the sum over all": (every.sum(axis=1).mean()),
        "only the right class counts, not the mean over all": every.mean(),
        "gamma is not used: it is 2 whatever you are given": ((1 - p) ** 2 * cross).mean(),
        "it is divided by the sum of the weights: take the plain mean": (
            (weight * cross).sum() / weight.sum()
        ),
        "each anchor has its own weight: weigh before you take the mean": (
            weight.mean() * cross.mean()
        ),
        "1 − exp(−the mean loss) is one weight for all: each anchor has its own": (
            (1 - np.exp(-cross.mean())) ** gamma * cross.mean()
        ),
        "the factor alpha = 0.25 is not asked for": 0.25 * (weight * cross).mean(),
        "one class of several is right: softmax, not a sigmoid for each": (
            binary.sum(axis=1).mean()
        ),
        "one class of several is right: softmax, not a sigmoid, and no mean over the classes": (
            binary.mean()
        ),
        "the softmax is taken twice: the logits go in once": loss(
            softmax(softmax(rows))[anchors, targets]
        ),
        "the softmax runs over the anchors: its axis is the last one": loss(
            softmax(rows, axis=0)[anchors, targets]
        ),
        "with large logits exp overflows or ln meets 0: use tf.nn.log_softmax": loss(single),
    } | {
        f"p is kept above {tiny:g}, so a gross mistake costs too little: use tf.nn.log_softmax": (
            (1 - p) ** gamma * -np.log(np.maximum(p, tiny))
        ).mean()
        for tiny in (1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12)
    }


@focal_loss.wrong("it has no gradient: stay in TensorFlow")
def _in_numpy(logits, targets, gamma):
    tf = tensorflow()
    return tf.constant(_focal(logits.numpy(), targets.numpy(), gamma)[0].mean(), tf.float32)


@focal_loss.wrong("return it as a tensor, not as float")
def _as_float(logits, targets, gamma):
    return float(focal_loss.reference(logits, targets, gamma))


@focal_loss.wrong("its gradient is not: is tf.stop_gradient used")
def _stopped(logits, targets, gamma):
    tf = tensorflow()
    log_p = tf.gather(tf.nn.log_softmax(logits), targets, batch_dims=1)
    return tf.reduce_mean(-((1 - tf.stop_gradient(tf.exp(log_p))) ** gamma) * log_p)


@focal_loss.wrong("must be one number, has shape")
def _not_averaged(logits, targets, gamma):
    tf = tensorflow()
    log_p = tf.gather(tf.nn.log_softmax(logits), targets, batch_dims=1)
    return -((1 - tf.exp(log_p)) ** gamma) * log_p


# ---------------------------------------------------------------- 07.10
@exercise(
    "07.10",
    hints=(
        "Each image may keep ratio · (its number of positives) negatives: a column (N, 1).",
        "Set the losses of positives to −∞, then `np.argsort(-losses, axis=1, kind='stable')` "
        "lists the anchors of each image, hardest negatives first.",
        "argsort of that order gives the rank of each anchor: keep ranks below the number, and no "
        "positive.",
    ),
    why="A rank, not a limit on the loss: an untrained network gives thousands of anchors the same "
    "loss, and exactly as many as allowed must pass. If there are fewer negatives than allowed, "
    "the ranks of positives come in, so these are taken out at the end.",
)
def hard_negatives(losses, is_positive, ratio):
    """Mask (N, A) of the hardest negatives, ratio to each positive of the same image."""
    allowed = ratio * is_positive.sum(axis=1, keepdims=True)
    order = np.argsort(np.where(is_positive, np.inf, -losses), axis=1, kind="stable")
    rank = np.argsort(order, axis=1)
    return (rank < allowed) & ~is_positive


def _mined(losses, is_positive, allowed, *, key=lambda loss: -loss, negatives_only=True):
    """In each image the first `allowed` of the anchors, sorted by key and place."""
    mask = np.zeros(losses.shape, bool)
    for n, row in enumerate(losses.tolist()):
        places = [i for i in range(len(row)) if not (negatives_only and is_positive[n, i])]
        for i in sorted(places, key=lambda i: (key(row[i]), i))[: int(allowed[n])]:
            mask[n, i] = True
    return mask


@hard_negatives.check
def _(answer, rng):
    def attempt(losses, is_positive, ratio):
        losses, is_positive = np.asarray(losses), np.asarray(is_positive, bool)
        allowed = [ratio * sum(map(bool, row)) for row in is_positive]
        expected = _mined(losses, is_positive, allowed)
        agree(answer, (losses, is_positive, ratio), expected, "the mask")
        mask = answer(losses, is_positive, ratio)
        if "bool" not in str(getattr(mask, "dtype", "bool")):
            raise Wrong(f"the mask must hold True and False, not {mask.dtype}")

    for ratio in (3, 2, 1):
        A = 4 * sizes(rng, 1)[0]
        is_positive = rng.random((3, A)) < 1 / A
        is_positive[0], is_positive[1, :2] = False, True
        attempt(rng.gamma(1, 1, size=(3, A)) + rng.random() * is_positive, is_positive, ratio)
    attempt([[2.0, 1.0, 2.0, 2.0, 2.0, 0.5]], [[0, 1, 0, 0, 0, 0]], 3)  # ties
    attempt(np.full((2, 8), 1.8), np.eye(2, 8, 3), 2)  # as from an untrained network
    attempt([[0.0, 0.0, 0.0, 0.0, 0.3]], [[1, 0, 0, 0, 0]], 3)  # losses of 0
    attempt([[5.0, 4.0, 0.1, 0.2], [1.0, 2.0, 3.0, 4.0]], [[1, 1, 0, 0], [0, 0, 0, 0]], 3)
    attempt([[1.0, 2.0, 3.0]], [[1, 1, 1]], 3)
    attempt([[1.0, 2.0]], [[0, 0]], 3)
    attempt([[0.7], [0.2]], [[0], [1]], 3)
    attempt(
        np.float32([[0.3, 2.5, 1.5, 0.1], [9.0, 8.0, 7.0, 6.0]]), [[1, 0, 0, 0], [0, 0, 0, 1]], 2
    )


@hard_negatives.mistakes
def _(losses, is_positive, ratio):
    count = is_positive.sum(axis=1)
    right = _mined(losses, is_positive, ratio * count)
    flat = losses.reshape(1, -1), is_positive.reshape(1, -1)
    kth = np.sort(np.where(is_positive, -np.inf, losses), axis=1)[:, ::-1]
    order = np.argsort(np.where(is_positive, np.inf, -losses), axis=1, kind="stable")
    first = np.argsort(order, axis=1) < ratio * count[:, None]
    last = np.clip(ratio * count - 1, 0, losses.shape[1] - 1)
    limit = np.where(count, np.take_along_axis(kth, last[:, None], axis=1)[:, 0], np.inf)
    return {
        "this is mining over the whole batch: each image has its own number": _mined(
            *flat, [ratio * count.sum()]
        ).reshape(losses.shape),
        "positives of the whole batch are counted: each image has its own number": _mined(
            losses, is_positive, np.full(len(losses), ratio * count.sum())
        ),
        "argsort gives places, not ranks: argsort once more": (
            (order < ratio * count[:, None]) & ~is_positive
        ),
        "where negatives are few, positives come in: & ~is_positive": first,
        "positives are in the mask: it marks negatives only": right | is_positive,
        "positives compete for the places: only negatives may": (
            _mined(losses, is_positive, ratio * count, negatives_only=False) & ~is_positive
        ),
        "positives are taken for hard negatives": _mined(
            losses, is_positive, ratio * count, negatives_only=False
        ),
        "these are the easiest: keep the largest losses": _mined(
            losses, is_positive, ratio * count, key=lambda loss: loss
        ),
        "an image without positives keeps no negatives": _mined(
            losses, is_positive, ratio * np.maximum(count, 1)
        ),
        "an image without positives keeps none, not all": right
        | (~is_positive & (count == 0)[:, None]),
        "ratio is not used: it is 3 whatever you are given": _mined(losses, is_positive, 3 * count),
        "ratio is the number for each positive, not for each image": _mined(
            losses, is_positive, np.where(count, ratio, 0)
        ),
        "ratio negatives in all, positive or not": _mined(
            losses, is_positive, np.full(len(losses), ratio)
        ),
        "equal losses exceed the number: rank them, the first ones count": (
            (losses >= limit[:, None]) & ~is_positive
        ),
        "of equal losses the first ones count: use kind='stable' on −losses": _mined(
            losses[:, ::-1], is_positive[:, ::-1], ratio * count
        )[:, ::-1],
        "one negative too many: ranks count from 0": _mined(
            losses, is_positive, ratio * count + (count > 0)
        ),
        "the mask is turned round: True marks what is kept": ~right,
        "all negatives are kept": ~is_positive,
    }


# ---------------------------------------------------------------- 07.11
MOST_ANCHORS = 160
COVERED = 0.95


@exercise(
    "07.11",
    hints=(
        "The boxes themselves, turned into (cx, cy, w, h), are good anchors. But 160 of them drawn "
        "at random lie in heaps and leave gaps.",
        "k-means (chapter 12): start from 160 boxes, give each box to its nearest anchor, move "
        "each anchor to the mean of its boxes, and again.",
        "Twenty rounds are enough; an anchor without boxes may be dropped.",
    ),
    why="k-means spreads the anchors over places and sizes at once: along the ground in a street, "
    "everywhere in scenes like ours. A grid has the same sizes at every place, even where no box "
    "of that size fits into the picture.",
)
def my_anchors(boxes):
    """At most 160 anchors (K, 4), as (cx, cy, w, h), for scenes with boxes like these (n, 4)."""
    points = np.hstack([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]])
    anchors = points[:160]
    for _ in range(20):
        nearest = np.linalg.norm(points[:, None] - anchors, axis=-1).argmin(axis=1)
        anchors = np.stack([points[nearest == k].mean(axis=0) for k in np.unique(nearest)])
    return anchors


def _like_the_chapter(rng, n):
    """Boxes anywhere, with sides from about 0.2 to 0.5."""
    side = np.exp(rng.uniform(math.log(0.23), math.log(0.47), size=n))
    stretch = np.exp(np.clip(0.2 * rng.normal(size=n), -0.4, 0.4))
    size = np.stack([side * stretch, side / stretch], axis=1)
    return _around(rng.uniform(size / 2, 1 - size / 2), size)


def _in_a_street(rng, n):
    """People on the ground: the larger, the lower their feet."""
    height = np.exp(rng.uniform(math.log(0.15), math.log(0.6), size=n))
    size = np.stack([0.4 * height * np.exp(0.12 * rng.normal(size=n)), height], axis=1)
    x = rng.uniform(size[:, 0] / 2, 1 - size[:, 0] / 2)
    feet = np.minimum(0.45 + 0.85 * height + 0.01 * rng.normal(size=n), 1)
    return _around(np.stack([x, feet - height / 2], axis=1), size)


def _around(centers, size):
    return np.hstack([centers - size / 2, centers + size / 2])


def _cover(corners, boxes):
    """Share of boxes that have an IoU of 0.5 or more with one of the corners (K, 4)."""
    with np.errstate(all="ignore"):
        table = _iou(boxes[:, None], corners)
    return float(np.mean(np.any(table >= 0.5, axis=1)))


SCENES = {
    "a street with people": _in_a_street,  # first: there x and y are unlike
    "scenes like this chapter's": _like_the_chapter,
}


ORDERS = {
    (0, 1, 3, 2): "width and height are swapped",
    (1, 0, 3, 2): "x and y are swapped",
    (2, 3, 0, 1): "the sizes come first",
}


@my_anchors.check
def _(answer, rng):
    for (name, scene), _ in itertools.product(SCENES.items(), range(2)):
        boxes, others = scene(rng, 1600), scene(rng, 2000)
        anchors = numbers(answer(boxes), "the array of anchors").astype(float)
        if anchors.ndim != 2 or anchors.shape[1] != 4:
            raise Wrong(f"the array of anchors has shape {anchors.shape}, must have (K, 4)")
        if len(anchors) > MOST_ANCHORS:
            raise Wrong(f"at most {MOST_ANCHORS} anchors, got {len(anchors)}")
        anchors = numbers(anchors, "the array of anchors", anchors.shape)
        share = _cover(_around(anchors[:, :2], anchors[:, 2:]), others)
        if share >= COVERED:
            continue
        if _cover(anchors, others) > max(share + 0.1, COVERED):
            raise Wrong("these are corners: an anchor is (cx, cy, w, h)")
        for order, mistake in ORDERS.items():
            turned = anchors[:, order]
            if _cover(_around(turned[:, :2], turned[:, 2:]), others) > max(share + 0.1, COVERED):
                raise Wrong(f"{mistake}: an anchor is (cx, cy, w, h)")
        if np.any(anchors[:, 2:] <= 0):
            raise Wrong("an anchor has no area: w and h must be more than 0")
        if np.any(anchors > 2):
            raise Wrong("the anchors are fractions of the picture, not pixels")
        raise Wrong(
            f"{len(anchors)} anchors cover {share:.1%} of 2,000 other boxes of {name}; "
            f"reach {COVERED:.0%}"
        )


def _centered(boxes):
    return np.hstack([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]])


def _grid_anchors(cells, sides, shapes=(1.0,)):
    return np.array(
        [
            ((i + 0.5) / cells, (j + 0.5) / cells, side * shape**0.5, side / shape**0.5)
            for j, i, side, shape in itertools.product(range(cells), range(cells), sides, shapes)
        ]
    )


my_anchors.wrongs(
    {
        "other boxes of a street with people; reach 95%": lambda boxes: np.vstack(
            [_grid_anchors(8, (0.3,)), _grid_anchors(4, (0.4, 0.48), (1, 1.35, 1 / 1.35))]
        ),
        "other boxes of scenes like this chapter's; reach 95%": lambda boxes: my_anchors.reference(
            _in_a_street(np.random.default_rng(5), 1600)
        ),
        "at most 160 anchors, got 1600": _centered,
        "these are corners": lambda boxes: boxes[:160],
        "width and height are swapped": lambda boxes: my_anchors.reference(boxes)[:, [0, 1, 3, 2]],
        "w and h must be more than 0": lambda boxes: np.hstack(
            [_centered(boxes)[:160, :2], np.zeros((160, 2))]
        ),
        "x and y are swapped": lambda boxes: my_anchors.reference(boxes)[:, [1, 0, 3, 2]],
        "not pixels": lambda boxes: 64 * my_anchors.reference(boxes),
        "must have (K, 4)": lambda boxes: my_anchors.reference(boxes)[:, 2:],
    }
)


# ---------------------------------------------------------------- 07.12
OBJECTS, MOST_ROWS, AP_AHEAD, AHEAD = 4, 10, 0.25, 0.5


@exercise(
    "07.12",
    hints=(
        "Average precision looks at the order of the scores, never at the scores themselves.",
        "Let A find all four objects, but with scores below 0.5; and B only some, with high ones.",
        "Something of A must pass 0.5: a false detection, which costs it little average precision.",
    ),
    why="Squeeze all scores of a detector: its average precision stays, its precision and recall "
    "at 0.5 do not. AP compares orders of detections; the threshold must be chosen for each "
    "detector by itself, on validation data.",
    is_value=True,
)
def two_detectors():
    """Rows (score, hit) of A and of B: A has the better AP, B is better at a score of 0.5."""
    A = [(0.9, 0), (0.45, 1), (0.44, 1), (0.43, 1), (0.42, 1)]
    B = [(0.9, 1), (0.85, 1)]
    return A, B


def _average_precision(rows):
    """Mean over the objects of the best precision of those thresholds that find so many."""
    found = np.cumsum([hit for _, hit in sorted(rows, reverse=True)])
    precision = found / np.arange(1, len(rows) + 1)
    return np.mean([max(precision[found >= k], default=0.0) for k in range(1, OBJECTS + 1)])


def _at_half(rows):
    """Precision and recall of the detections with a score of 0.5 and more."""
    hits = [hit for score, hit in rows if score >= 0.5]
    return np.mean(hits), sum(hits) / OBJECTS


def _read_rows(value, name):
    rows = numbers(value, name)
    if rows.ndim != 2 or rows.shape[1] != 2:
        raise Wrong(f"{name} must hold rows (score, hit), but has shape {rows.shape}")
    rows = numbers(rows, name, rows.shape)
    scores, hits = rows.T
    if len(rows) > MOST_ROWS:
        raise Wrong(f"{name} has {len(rows)} rows: {MOST_ROWS} at most")
    if not np.all((hits == 0) | (hits == 1)):
        raise Wrong(f"the second number of a row of {name} is 1 for a hit and 0 for none")
    if not np.all((scores >= 0) & (scores <= 1)):
        raise Wrong(f"the scores of {name} must lie between 0 and 1")
    if len(np.unique(scores)) < len(scores):
        raise Wrong(f"{name} has equal scores: their order would be open")
    if hits.sum() > OBJECTS:
        raise Wrong(f"{name} has {int(hits.sum())} hits, but there are {OBJECTS} objects")
    if not np.any(scores >= 0.5):
        raise Wrong(f"{name} has no score of 0.5 or more: it has no precision there")
    return rows.tolist()


@two_detectors.check
def _(answer, rng):
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        raise Wrong("assign a pair: the rows of A and the rows of B")
    A, B = (_read_rows(value, name) for value, name in zip(answer, "AB", strict=True))
    ap_a, ap_b = _average_precision(A), _average_precision(B)
    ahead = np.subtract(_at_half(B), _at_half(A))
    if ap_b - ap_a >= AP_AHEAD and np.all(ahead <= 1e-9 - AHEAD):
        raise Wrong("A and B have changed places")
    if ap_a - ap_b < AP_AHEAD:
        raise Wrong(
            f"AP is {ap_a:.2f} for A and {ap_b:.2f} for B: A must lead by {AP_AHEAD} at least"
        )
    for what, gap, values in zip(
        ("precision", "recall"), ahead, zip(_at_half(A), _at_half(B), strict=True), strict=True
    ):
        if gap < AHEAD - 1e-9:
            raise Wrong(
                f"at a score of 0.5 the {what} is {values[0]:.2f} for A and {values[1]:.2f} for B: "
                f"B must be {AHEAD} ahead at least"
            )


_A, _B = two_detectors.reference()

two_detectors.wrongs(
    {
        "A and B have changed places": (_B, _A),
        "AP is 1.00 for A and 1.00 for B": 2 * ([(0.9, 1), (0.8, 1), (0.7, 1), (0.6, 1)],),
        "the precision is 1.00 for A": ([(0.9, 1), *((0.1 * n, 1) for n in range(2, 5))], _B),
        "the recall is 0.50 for A": (
            [(0.9, 0), (0.8, 0), (0.7, 1), (0.6, 1), (0.4, 1), (0.3, 1)],
            [(0.99, 1)],
        ),
        "A has no score of 0.5 or more": (_A[1:], _B),
        "B has equal scores": (_A, [(0.9, 1), (0.9, 1)]),
        "A has 5 hits, but there are 4 objects": ([(0.99, 1), *_A[1:]], _B),
        "the scores of A must lie between 0 and 1": ([(90, 0), *_A[1:]], _B),
        "1 for a hit and 0 for none": (_A, [(1, 0.9), (1, 0.85)]),
        "must hold rows (score, hit), but has shape (2,)": ((0.9, 0.8), _B),
        "A has 11 rows: 10 at most": ([(0.05 * n, 0) for n in range(1, 12)], _B),
        "assign a pair": np.array(_A),
    }
)
