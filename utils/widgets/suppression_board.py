"""Suppression board: a detector's raw boxes in a scene, and what two thresholds leave of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import traitlets

from utils import plotting
from utils.datasets.scenes import KINDS
from utils.metrics import iou, non_maximum_suppression
from utils.recorded import detector
from utils.widgets._hero import Hero, Numbers, script
from utils.widgets._scene import packed_scene

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HIT = 0.5  # least IoU of a hit
VERDICTS = ("hit", "duplicate", "false alarm")
MARKS = ("✓", "=", "✗")


def judge(
    boxes: np.ndarray, labels: np.ndarray, truth_boxes: np.ndarray, truth_labels: np.ndarray
) -> list[int]:
    """Verdict on each detection, the surest first, as an index into `VERDICTS`.

    A hit is of an object's kind, overlaps it with an IoU of `HIT` or more, more than any other
    object that is left, and takes it: what only overlaps objects that are taken is a duplicate.
    """
    if not len(truth_boxes):
        return [2] * len(boxes)
    overlaps = iou(boxes, truth_boxes) * (labels[:, None] == truth_labels)
    free, verdicts = np.ones(len(truth_boxes), bool), []
    for row in overlaps:
        best = int(np.argmax(row * free))
        if free[best] and row[best] >= HIT:
            free[best] = False
            verdicts.append(0)
        else:
            verdicts.append(1 if row.max() >= HIT else 2)
    return verdicts


class SuppressionBoard(Hero):
    """Move two thresholds: which raw boxes of a recorded detector stay, and are they right?

    ```python
    board = SuppressionBoard(score=0.2)
    board.overlap = 1  # keeps all
    board.numbers
    ```

    Attributes:
        score: lowest score of a box that counts.
        overlap: the IoU with a surer box of its kind beyond which a box is dropped; none is at 1.

    Raises:
        traitlets.TraitError: a value that is out of range or of the wrong kind.

    """

    STATE = ("score", "overlap")
    CONSTANTS: ClassVar = {"HIT": HIT, "VERDICTS": VERDICTS, "MARKS": MARKS, "KINDS": KINDS}
    _esm = script("suppression_board")

    score = Numbers(0.3, detector.LEAST, 0.95).tag(sync=True)
    overlap = Numbers(0.45, 0, 1).tag(sync=True)
    scene = traitlets.Dict(read_only=True).tag(sync=True)

    @traitlets.default("scene")
    def _recorded_scene(self) -> dict[str, Any]:
        return packed_scene()

    @property
    def kept(self) -> np.ndarray:
        """Indices of the raw boxes that stay, the surest first."""
        raw = detector.board()
        scores = raw["scores"].astype(float)
        kept = []
        for kind in range(len(KINDS)):
            rows = np.flatnonzero((raw["labels"] == kind) & (scores >= self.score))
            boxes = raw["boxes"][rows].astype(float)
            kept.append(rows[non_maximum_suppression(boxes, scores[rows], self.overlap, len(rows))])
        found = np.sort(np.concatenate(kept))
        return found[np.argsort(-scores[found], kind="stable")]

    @property
    def verdicts(self) -> list[str]:
        """What each kept box is, one of `VERDICTS`."""
        return [VERDICTS[verdict] for verdict in self._judged()]

    @property
    def numbers(self) -> dict[str, float]:
        """Counts of verdicts and of missed objects; precision, NaN if none is kept; recall."""
        judged = self._judged()
        hits, duplicates, alarms = (judged.count(k) for k in range(len(VERDICTS)))
        objects = len(detector.board()["truth_labels"])
        return {
            "hits": hits,
            "duplicates": duplicates,
            "alarms": alarms,
            "missed": objects - hits,
            "precision": hits / len(judged) if judged else np.nan,
            "recall": hits / objects,
        }

    def _judged(self) -> list[int]:
        raw, kept = detector.board(), self.kept
        boxes, truths = (raw[name].astype(float) for name in ("boxes", "truth_boxes"))
        return judge(boxes[kept], raw["labels"][kept], truths, raw["truth_labels"])

    def describe(self) -> str:
        """Return the present state in words."""
        n = self.numbers
        limit = f"up to an IoU of {self.overlap:.2f}" if self.overlap < 1 else "whatever its IoU"
        precision = "" if np.isnan(n["precision"]) else f"precision {n['precision']:.2f}, "
        return (
            f"Of {len(detector.board()['scores'])} raw boxes {len(self.kept)} stay, with a score "
            f"from {self.score:.2f}, beside a surer one of their kind {limit}. Hits {n['hits']}, "
            f"duplicates {n['duplicates']}, false alarms {n['alarms']}, missed objects "
            f"{n['missed']}; {precision}recall {n['recall']:.2f}."
        )

    def draw(self) -> Figure:
        """Return all raw boxes, and beside them those that stay, with kind and score."""
        raw, kept = detector.board(), self.kept
        fig, (left, right) = plotting.figure(1, 2, width=8.5, height=4.2)
        plotting.draw_boxes(left, raw["image"], raw["boxes"], raw["labels"], linewidth=1)
        left.set_title(f"{len(raw['scores'])} raw boxes")
        texts = [f"{KINDS[raw['labels'][i]]} {raw['scores'][i]:.2f}" for i in kept]
        plotting.draw_boxes(right, raw["image"], raw["boxes"][kept], raw["labels"][kept], texts)
        n = self.numbers
        counts = f"{n['hits']} hits, {n['duplicates']} duplicates, {n['alarms']} false alarms"
        right.set_title(f"{len(kept)} kept: {counts}")
        return fig
