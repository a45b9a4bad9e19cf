"""Translations without a network: the baselines that a CycleGAN must beat.

Each makes gray images (N, H, W) of color images (N, H, W, 3), both in [0, 1], and none has seen a
pair. `affine` and `histogram` know one axis of color for all images, the first principal component
of all pixels, and what gray values look like. The others are programs for one purpose, by someone
who has looked at the images: `from_frame` knows that a digit leaves its frame empty, `inside_tube`
that the dark between bright walls is the stroke.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def affine(images: np.ndarray, b: np.ndarray, a: np.ndarray) -> np.ndarray:
    """Put images of world B on its axis of color; match mean and standard deviation of world A.

    Args:
        images: to translate, (N, H, W, 3).
        b: training images of world B, (N, H, W, 3).
        a: training images of world A, (N, H, W).

    """
    along = _axis(b)
    seen = along(b)
    made = (along(images) - seen.mean()) / seen.std() * a.std() + a.mean()
    return np.clip(made, 0, 1).astype(np.float32)


def histogram(images: np.ndarray, b: np.ndarray, a: np.ndarray) -> np.ndarray:
    """Put images of world B on its axis of color; match each quantile of world A.

    Arguments as in `affine`.
    """
    along = _axis(b)
    q = np.linspace(0, 1, 2001)
    made = np.interp(along(images), np.quantile(along(b), q), np.quantile(a, q))
    return made.astype(np.float32)


def from_frame(images: np.ndarray) -> np.ndarray:
    """The distance of each pixel's color from the median color of its image's outermost pixels.

    Each image is scaled so that the brightest 2 % of its pixels are 1.
    """
    frame = np.concatenate(
        [images[:, 0], images[:, -1], images[:, 1:-1, 0], images[:, 1:-1, -1]], axis=1
    )
    ground = np.median(frame, axis=1)[:, None, None]
    distance = np.linalg.norm(images - ground, axis=3)
    scale = np.quantile(distance, 0.98, axis=(1, 2), keepdims=True)
    return np.clip(distance / np.maximum(scale, 1e-6), 0, 1).astype(np.float32)


def inside_tube(images: np.ndarray, b: np.ndarray, a: np.ndarray) -> np.ndarray:
    """What bright lines enclose and is dark itself, 0 or 1; the hole of a 0 is taken for a stroke.

    Bright is above 0.45 in `affine`, whose arguments it takes.
    """
    from scipy import ndimage

    bright = affine(images, b, a) > 0.45
    filled = np.stack([ndimage.binary_fill_holes(image) for image in bright])
    return (filled & ~bright).astype(np.float32)


def _axis(b: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return images (N, H, W, 3) → positions (N, H, W) on the first principal axis of `b`'s colors.

    The end with the longer tail is the positive one, as ink is rarer than paper.
    """
    pixels = b.reshape(-1, 3).astype(float)
    center = pixels.mean(axis=0)
    axis = np.linalg.eigh(np.cov(pixels.T))[1][:, -1]
    if (((pixels - center) @ axis) ** 3).mean() < 0:
        axis = -axis
    return lambda images: (images - center) @ axis
