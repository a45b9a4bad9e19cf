"""Lines of a round pen as pixels: ink() in js/ink.js, which draws them alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence


def ink(lines: Sequence[np.ndarray], side: int, radius: float) -> np.ndarray:
    """How much of each pixel lies under a round pen, by its distance to the lines.

    Args:
        lines: points (n, 2) each, x and y in pixels; the center of the first pixel is (0, 0).
        side: of the square picture.
        radius: of the pen.

    Returns:
        (side, side) in [0, 1].

    """
    y, x = np.mgrid[:side, :side]
    nearest = np.full((side, side), np.inf)
    for line in lines:
        for (x0, y0), (x1, y1) in zip(line, line[[*range(1, len(line)), -1]], strict=True):
            dx, dy = x1 - x0, y1 - y0
            length2 = dx * dx + dy * dy
            along = ((x - x0) * dx + (y - y0) * dy) / length2 if length2 > 0 else 0.0
            t = np.clip(along, 0, 1)
            ex, ey = x - x0 - t * dx, y - y0 - t * dy
            nearest = np.minimum(nearest, np.sqrt(ex * ex + ey * ey))  # as JavaScript rounds it
    return np.clip(radius + 0.5 - nearest, 0, 1)
