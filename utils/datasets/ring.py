"""Eight Gaussians on a ring: real points, and what a generator keeps of the eight modes.

The distribution has eight modes and no direction is special, so a generator that forgets some of
them is seen at a glance and can be counted.

Source: L. Metz, B. Poole, D. Pfau, J. Sohl-Dickstein (2017), Unrolled generative adversarial
networks, arXiv:1611.02163, section 3.1, with radius 1 here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from torch import Tensor

MODES = 8
NEAR = 3.0  # standard deviations
KEPT = 0.01  # share of the samples that a mode needs


def centers() -> np.ndarray:
    """The means of the modes, (8, 2), on the unit circle."""
    angle = 2 * np.pi * np.arange(MODES) / MODES
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def real(n: int, sigma: float) -> Tensor:
    """`n` points of the ring, (n, 2), float32, drawn from PyTorch's generator."""
    import torch

    means = torch.tensor(centers(), dtype=torch.float32)
    return means[torch.randint(MODES, (n,))] + sigma * torch.randn(n, 2)


def count(points: np.ndarray, sigma: float) -> tuple[int, float]:
    """How many modes are kept, and the share of the points that lie near a mode.

    A point is near a mode within 3σ of its mean; a mode is kept by 1 % of all points near it.

    Args:
        points: (N, 2).
        sigma: σ of the modes.

    Raises:
        ValueError: another shape, or no points.

    """
    points = np.asarray(points)
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise ValueError(f"points must have shape (N, 2) with N > 0, got {points.shape}")
    distance = np.linalg.norm(points[:, None] - centers(), axis=2)
    near = distance < NEAR * sigma
    return int((near.mean(axis=0) >= KEPT).sum()), float(near.any(axis=1).mean())


def outline(ax: Axes, sigma: float) -> None:
    """Draw a circle around each mode: inside it, a point counts as near."""
    from matplotlib.patches import Circle

    from utils.plotting import GRAY

    for center in centers():
        ax.add_patch(Circle(center, NEAR * sigma, fill=False, ec=GRAY))
