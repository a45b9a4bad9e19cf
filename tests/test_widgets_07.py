"""The widgets of chapter 07: their numbers against closed forms, Keras and NumPy; their state."""

from __future__ import annotations

import numpy as np
import pytest
import traitlets

from tests.support.javascript import state_of
from utils.widgets import IouDragger
from utils.widgets.iou_dragger import MOST_SHIFT, SIDE, shifted


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
