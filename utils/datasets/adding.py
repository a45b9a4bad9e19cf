"""The adding problem: made-up sequences that ask a network to remember two of its numbers."""

from __future__ import annotations

import numpy as np


def adding_problem(
    rng: np.random.Generator, samples: int, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Sequences (N, T, 2) and their targets (N,): the sum of the two numbers that are marked.

    The first feature is uniform in [0, 1). The second is 0, but 1 at one random place in the first
    half and at one in the second. Answering 1 always leaves a mean squared error of 1/6, the
    variance of the sum of two uniform numbers.

    Source: S. Hochreiter and J. Schmidhuber (1997), section 5.4, with today's ranges and without
    their varying length.

    Raises:
        ValueError: fewer than two steps.

    """
    if steps < 2:
        raise ValueError(f"two marks need at least two steps, got {steps}")
    x = np.zeros((samples, steps, 2), np.float32)
    x[:, :, 0] = rng.random((samples, steps), np.float32)
    rows = np.arange(samples)
    for low, high in ((0, steps // 2), (steps // 2, steps)):
        x[rows, rng.integers(low, high, samples), 1] = 1
    return x, (x[:, :, 0] * x[:, :, 1]).sum(axis=1)
