"""Anchor explorer: step through a detector's anchors and see which answer for an object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import traitlets

from utils import plotting
from utils.datasets.scenes import KINDS
from utils.metrics import iou
from utils.models.detector import ASPECT, GRIDS, VARIANCES, make_anchors, match, to_corners
from utils.recorded import detector
from utils.widgets._hero import Hero, Numbers, script
from utils.widgets._scene import packed_scene

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ANCHORS = make_anchors().astype(float)
SHAPES = ("small square", "small wide", "large square", "large wide")
SPREAD = 0.018  # how far from the center of its cell an anchor's dot lies, in x and y


def place_of(anchor: int) -> tuple[int, int, int, int]:
    """Return grid (cells along a side), row, column and shape of an anchor."""
    for cells in GRIDS:
        count = cells * cells * len(SHAPES)
        if anchor < count:
            break
        anchor -= count
    return cells, *map(int, np.unravel_index(anchor, (cells, cells, len(SHAPES))))


def dots() -> np.ndarray:
    """Where each anchor's dot lies, (A, 2): the four of a cell form a square around its center."""
    shapes = np.arange(len(ANCHORS)) % len(SHAPES)
    return ANCHORS[:, :2] + SPREAD * (2 * np.column_stack([shapes % 2, shapes // 2]) - 1)


class AnchorExplorer(Hero):
    """Step through the 320 anchors over a scene; see their IoU with each object, and the matching.

    ```python
    explorer = AnchorExplorer(threshold=0.4)
    explorer.anchor = 178
    explorer.overlaps, explorer.offsets
    ```

    Attributes:
        anchor: the chosen anchor, 0 … 319, in the order of `utils.models.detector.make_anchors`.
        threshold: the IoU from which an anchor answers for an object, 0.3 … 0.8.

    Raises:
        traitlets.TraitError: a value that is out of range or of the wrong kind.

    """

    STATE = ("anchor", "threshold")
    CONSTANTS: ClassVar = {
        "GRIDS": tuple(GRIDS.items()),  # pairs: as an object's keys, JavaScript would sort them
        "ASPECT": ASPECT,
        "VARIANCES": tuple(VARIANCES.tolist()),
        "SHAPES": SHAPES,
        "SPREAD": SPREAD,
        "KINDS": KINDS,
    }
    _esm = script("anchor_explorer")

    anchor = traitlets.Int(150, min=0, max=len(ANCHORS) - 1).tag(sync=True)
    threshold = Numbers(0.5, 0.3, 0.8).tag(sync=True)
    scene = traitlets.Dict(read_only=True).tag(sync=True)

    @traitlets.default("scene")
    def _recorded_scene(self) -> dict[str, Any]:
        scene = packed_scene()
        return {name: scene[name] for name in ("picture", "truth_boxes", "truth_labels")}

    @property
    def matched(self) -> tuple[np.ndarray, np.ndarray]:
        """What each anchor must answer, as `utils.models.detector.match` says."""
        board = detector.board()
        return match(
            ANCHORS, board["truth_boxes"].astype(float), board["truth_labels"], self.threshold
        )

    @property
    def positives(self) -> int:
        """How many anchors answer for an object."""
        return int(np.count_nonzero(self.matched[0]))

    @property
    def overlaps(self) -> np.ndarray:
        """IoU of the chosen anchor with each object, (n,)."""
        corners = to_corners(ANCHORS[[self.anchor]])
        return iou(corners, detector.board()["truth_boxes"].astype(float))[0]

    @property
    def offsets(self) -> np.ndarray:
        """What the chosen anchor must answer for its place and size, (4,); 0 for background."""
        return self.matched[1][self.anchor]

    def describe(self) -> str:
        """Return the present state in words."""
        cells, row, column, shape = place_of(self.anchor)
        names = [KINDS[label] for label in detector.board()["truth_labels"]]
        overlaps = ", ".join(
            f"{name} {value:.2f}" for name, value in zip(names, self.overlaps, strict=True)
        )
        kind = self.matched[0][self.anchor]
        return (
            f"A scene with {len(names)} objects and {len(ANCHORS)} anchors, of which "
            f"{self.positives} are positive at a threshold of {self.threshold:.2f}. Anchor "
            f"{self.anchor}, on grid {cells}, row {row}, column {column}, {SHAPES[shape]}, "
            f"has these IoUs: {overlaps}; it answers for "
            f"{KINDS[kind - 1] if kind else 'background'}."
        )

    def draw(self) -> Figure:
        """Return the scene with positive anchors as dots, and the chosen one's IoUs as bars."""
        board = detector.board()
        labels = board["truth_labels"]
        names = [f"{j} {KINDS[label]}" for j, label in enumerate(labels, 1)]
        colors = [plotting.BOX_COLORS[label] for label in labels]
        fig, (left, right) = plotting.figure(1, 2, width=8.5, height=4, width_ratios=(5, 4))
        plotting.draw_boxes(left, board["image"], board["truth_boxes"], labels, names)
        corners = to_corners(ANCHORS[[self.anchor]])
        plotting.draw_boxes(left, board["image"], corners, linestyle="--", edgecolor="white")
        classes, _ = self.matched
        for positive in np.flatnonzero(classes):
            marker = "o" if place_of(positive)[0] == max(GRIDS) else "s"
            color = plotting.BOX_COLORS[classes[positive] - 1]
            left.plot(*dots()[positive], marker, color=color, markeredgecolor="white")
        left.set_title(f"{self.positives} of {len(ANCHORS)} anchors are positive")
        right.barh(names, self.overlaps, color=colors)
        right.axvline(self.threshold, color=plotting.GRAY, linestyle="--")
        right.set(xlim=(0, 1), xlabel=f"IoU with anchor {self.anchor}")
        right.invert_yaxis()
        return fig
