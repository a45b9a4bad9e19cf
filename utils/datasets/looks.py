"""Worlds without pairs: handwritten digits, and other digits in ink, in any colors, in neon."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from utils.datasets.digits import load_digits

SIDE = 2_000  # training images of each world
SIZE = 32  # pixels
PAPER, INK = (250, 240, 205), (20, 40, 140)
WALL, JOINT = (30, 20, 45), (60, 45, 75)
GLOW, TUBE = (1, 0.15, 0.6), (1, 0.55, 0.85)
CONTRAST = 0.9  # sum over the channels by which ink and ground differ at least


class Worlds(NamedTuple):
    """Gray digits and others in a new look, float32 in [0, 1].

    Attributes:
        a: training digits (2000, 32, 32), white on black.
        b: other training digits, in the look, (2000, 32, 32, 3).
        a_test: test digits (1000, 32, 32).
        b_test: the same ones in the look, (1000, 32, 32, 3): the truth that no training sees.
        labels: of the test digits, (1000,).

    """

    a: np.ndarray
    b: np.ndarray
    a_test: np.ndarray
    b_test: np.ndarray
    labels: np.ndarray


def ink(digits: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Blue ink on cream paper with a little noise: (N, H, W) → (N, H, W, 3)."""
    x = digits[..., None]
    noise = 6 * rng.standard_normal((*digits.shape, 3))
    return _image((np.array(PAPER) * (1 - x) + np.array(INK) * x + noise) / 255)


def any_colors(digits: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Each digit in a random color on a ground of another: (N, H, W) → (N, H, W, 3)."""
    x, n = digits[..., None], len(digits)
    colors = rng.random_sample((2, n, 3))
    while (close := np.abs(colors[0] - colors[1]).sum(axis=1) < CONTRAST).any():
        colors[:, close] = rng.random_sample((2, close.sum(), 3))
    figure, ground = colors[:, :, None, None]
    return _image(ground * (1 - x) + figure * x)


def neon(digits: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """A glowing tube around each stroke, on a wall of bricks: (N, H, W) → (N, H, W, 3)."""
    from scipy import ndimage

    n, height, width = digits.shape
    tube = np.clip(ndimage.grey_dilation(digits, (1, 3, 3)) - digits, 0, 1)
    glow = ndimage.gaussian_filter(tube, (0, 1.3, 1.3))
    down, right = rng.randint(0, 10, (2, n, 1, 1))
    i, j = np.mgrid[:height, :width]
    course = (i + down) // 5
    joint = ((i + down) % 5 == 0) | ((j + right + 5 * (course % 2)) % 10 == 0)
    wall = np.where(joint[..., None], JOINT, WALL) / 255
    light = 0.6 * glow[..., None] * np.array(GLOW) + 0.9 * tube[..., None] * np.array(TUBE)
    return _image(wall + light + 0.015 * rng.standard_normal((n, height, width, 3)))


LOOKS: dict[str, Callable[[np.ndarray, np.random.RandomState], np.ndarray]] = {
    "ink": ink,
    "any colors": any_colors,
    "neon": neon,
}


def load_worlds(look: str, seed: int = 0) -> Worlds:
    """Return 2,000 embedded digits, 2,000 others in a look, and the test digits in both.

    Args:
        look: one of `LOOKS`.
        seed: of who belongs to which world, and of the look's noise in the training images; the
            test images are always the same.

    Raises:
        ValueError: another look.

    """
    if look not in LOOKS:
        raise ValueError(f"look must be one of {', '.join(LOOKS)}; got {look!r}")
    digits = load_digits(full=False)
    seen, unseen = padded(digits.x_train), padded(digits.x_test)
    # RandomState's stream is frozen: the same draws under every version of NumPy
    rng = np.random.RandomState(seed)
    order = rng.permutation(len(seen))
    b = LOOKS[look](seen[order[SIDE : 2 * SIDE]], rng)
    b_test = LOOKS[look](unseen, np.random.RandomState(99))
    return Worlds(seen[order[:SIDE]], b, unseen, b_test, digits.y_test)


def padded(digits: np.ndarray) -> np.ndarray:
    """Digits (N, 28, 28) with two black pixels on each side, (N, 32, 32)."""
    return np.pad(digits, ((0, 0), (2, 2), (2, 2)))


def cropped(images: np.ndarray) -> np.ndarray:
    """The inner 28 × 28 pixels of images (N, 32, 32, …), as a reader of digits takes them."""
    return images[:, 2:-2, 2:-2]


def _image(values: np.ndarray) -> np.ndarray:
    return np.clip(values, 0, 1).astype(np.float32)
