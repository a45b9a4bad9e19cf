"""Random numbers that Python and the browser draw alike."""

from __future__ import annotations

import numpy as np


def uniforms(seed: int, count: int) -> np.ndarray:
    """Numbers 0 … count − 1 of one draw, between 0 and 1; `uniform` in js/random.js gives the same.

    T. Ettinger's mulberry32, a function of the counter in 32-bit arithmetic.
    """
    t = np.uint32(seed) + np.arange(1, count + 1, dtype=np.uint32) * np.uint32(0x6D2B79F5)
    t = (t ^ t >> np.uint32(15)) * (t | np.uint32(1))
    t ^= t + (t ^ t >> np.uint32(7)) * (t | np.uint32(61))
    return ((t ^ t >> np.uint32(14)) + 0.5) / 2**32
