"""IoU dragger: a true box and an answer to pull about, and what they have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import traitlets

from utils import metrics, plotting
from utils.widgets._hero import Hero, Numbers, script

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIDE = 64  # pixels of the picture
MOST_SHIFT = 16  # pixels
HIT, STRICT = 0.5, 0.75  # the two IoUs at which answers are usually judged


class Box(Numbers):
    """A box (x1, y1, x2, y2) in pixels, from the upper left corner, with an area.

    Raises:
        traitlets.TraitError: no four numbers, beyond the picture, or without area.

    """

    def __init__(self, default: tuple[float, ...]) -> None:
        super().__init__(default, 0, SIDE)

    def validate(self, obj: Any, value: Any) -> Any:
        """Return the box as a tuple of four floats."""
        x1, y1, x2, y2 = box = super().validate(obj, value)
        if not (x1 < x2 and y1 < y2):
            raise traitlets.TraitError(
                f"{self.name} must be (x1, y1, x2, y2) with x1 < x2 and y1 < y2, for instance "
                f"{self.name} = {self.default_value}; got {value!r}"
            )
        return box


def shifted(box: Any, pixels: Any) -> tuple[np.ndarray, np.ndarray]:
    """IoU of a box with itself, moved to the right, and moved as far to the right and down.

    Args:
        box: (x1, y1, x2, y2).
        pixels: how far, (N,).

    Returns:
        Two arrays (N,).

    """
    d = np.asarray(pixels, float)[:, None]
    right, diagonal = (box + d * direction for direction in ([1, 0, 1, 0], [1, 1, 1, 1]))
    return metrics.iou([box], right)[0], metrics.iou([box], diagonal)[0]


class IouDragger(Hero):
    """Move and resize two boxes; see intersection, union and IoU, and what a shift costs.

    ```python
    dragger = IouDragger(truth=(10, 10, 30, 30), answer=(15, 10, 35, 30))
    dragger.intersection, dragger.union, dragger.iou
    ```

    Attributes:
        truth: the true box (x1, y1, x2, y2) in pixels of a 64 × 64 picture.
        answer: the box that is compared with it.
        shift: pixels by which the true box is moved, for its IoU with itself, 0 to 16.

    Raises:
        traitlets.TraitError: a box without area or beyond the picture, a shift out of range.

    """

    STATE = ("truth", "answer", "shift")
    CONSTANTS: ClassVar = {"SIDE": SIDE, "HIT": HIT, "STRICT": STRICT}
    _esm = script("iou_dragger")

    truth = Box((12, 14, 38, 40)).tag(sync=True)
    answer = Box((22, 20, 48, 52)).tag(sync=True)
    shift = Numbers(4, 0, MOST_SHIFT).tag(sync=True)

    @property
    def intersection(self) -> float:
        """Area that both boxes cover, in square pixels."""
        (a, b), (c, d) = np.reshape([self.truth, self.answer], (2, 2, 2))
        return float(np.maximum(0, np.minimum(b, d) - np.maximum(a, c)).prod())

    @property
    def union(self) -> float:
        """Area that one of the boxes covers, or both, in square pixels."""
        areas = [(x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in (self.truth, self.answer)]
        return sum(areas) - self.intersection

    @property
    def iou(self) -> float:
        """Intersection over union of the two boxes."""
        return float(metrics.iou([self.truth], [self.answer])[0, 0])

    @property
    def after_shift(self) -> tuple[float, float]:
        """IoU of the true box with itself, moved by `shift` to the right; to the right and down."""
        right, diagonal = shifted(self.truth, [self.shift])
        return float(right[0]), float(diagonal[0])

    def describe(self) -> str:
        """Return the present state in words."""
        right, diagonal = self.after_shift
        (w, h), (v, k) = ((x2 - x1, y2 - y1) for x1, y1, x2, y2 in (self.truth, self.answer))
        return (
            f"A true box of {w:g} × {h:g} pixels and an answer of {v:g} × {k:g}. They share "
            f"{self.intersection:g} of {self.union:g} square pixels: the IoU is {self.iou:.2f}. "
            f"Moved by {self.shift:g} pixels to the right, the true box would have an IoU of "
            f"{right:.2f} with itself; moved to the right and down, {diagonal:.2f}."
        )

    def draw(self) -> Figure:
        """Return the two boxes, and the IoU against the shift."""
        from matplotlib.patches import Rectangle

        fig, (plane, chart) = plotting.figure(1, 2, width=8.5, height=4.2, width_ratios=(4, 3))
        looks = ((self.truth, plotting.BLUE, "-"), (self.answer, plotting.ORANGE, "--"))
        for (x1, y1, x2, y2), color, dash in looks:
            look = {"color": color, "lw": 2.5, "ls": dash}
            plane.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, **look))
        if self.intersection:
            low, high = np.maximum(self.truth, self.answer), np.minimum(self.truth, self.answer)
            width, height = high[2] - low[0], high[3] - low[1]
            plane.add_patch(Rectangle(low[:2], width, height, color=plotting.GREEN, alpha=0.4))
        for name, at, down, side in (
            ("truth", self.truth[:2], 4, "left"),
            ("answer", self.answer[2:], -14, "right"),
        ):
            plane.annotate(name, at, (0, down), textcoords="offset points", ha=side)
        plane.set(xlim=(0, SIDE), ylim=(SIDE, 0), aspect="equal", xlabel="pixels")
        plane.set(title=f"IoU = {self.intersection:g} / {self.union:g} = {self.iou:.2f}")
        pixels = np.linspace(0, MOST_SHIFT, 65)
        curves = zip(shifted(self.truth, pixels), ("to the right", "and down"), strict=True)
        for (curve, name), color in zip(curves, (plotting.BLUE, plotting.PINK), strict=True):
            chart.plot(pixels, curve, color=color, label=name)
        chart.plot([self.shift] * 2, self.after_shift, "o", color=plotting.GRAY)
        chart.axhline(HIT, color=plotting.GRAY, lw=1, ls=":")
        chart.set(xlabel="pixels moved", ylabel="IoU", ylim=(0, 1.02), title="what a shift costs")
        chart.legend()
        return fig
