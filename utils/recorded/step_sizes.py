"""Step sizes: how ten neurons train on coarse digits below and far beyond the limit 2/λ_max.

``python -m utils.recorded.step_sizes`` trains all runs again, in minutes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import softmax, xlogy

from utils import recorded
from utils.datasets import load_digits

FACTORS = (0.25, 0.5, 0.9, 1.5, 2.0, 3.0, 4.0, 8.0, 16.0)  # of the limit at the start
SEEDS = range(5)
STEPS = 4000
CAREFUL = (0.9, 13_333)  # goes as far in all, steps times step size, as 3.0 does in 4,000 steps
KEPT = np.unique(np.concatenate([np.arange(41), np.geomspace(40, STEPS, 80).astype(int)]))


def draw(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return 1,000 training digits: block means of 4 × 4 pixels and a 1, (N, 50), and labels (N,).

    Seed 0 takes the first thousand, as chapter 02 does; other seeds draw theirs.
    """
    digits = load_digits(full=False)
    some = np.arange(1000)
    if seed:
        some = np.random.default_rng(seed).permutation(len(digits.x_train))[:1000]
    pixels = coarse(digits.x_train[some])
    return np.column_stack([pixels, np.ones(len(pixels))]), digits.y_train[some]


def coarse(images: np.ndarray) -> np.ndarray:
    """Return the means of the blocks of 4 × 4 pixels: (N, 28, 28) → (N, 49)."""
    blocks = images.reshape(-1, 7, 4, 7, 4).mean(axis=(2, 4))
    return blocks.reshape(len(images), 49).astype(float)


def largest_eigenvalue(w: np.ndarray, x: np.ndarray, rounds: int = 200) -> float:
    """Return λ_max of the Hessian of the mean cross-entropy at w (K, D), by power iteration.

    The Hessian maps V to Sᵀx/N, where row n of S is (diag(pₙ) − pₙpₙᵀ) V xₙ.
    """
    p = softmax(x @ w.T, axis=1)
    v = np.random.default_rng(0).normal(size=w.shape)
    for _ in range(rounds):
        v /= np.linalg.norm(v)
        z = x @ v.T
        v = (p * (z - (p * z).sum(axis=1, keepdims=True))).T @ x / len(x)
    return float(np.linalg.norm(v))


def train(factor: float, seed: int, *, steps: int = STEPS) -> dict[str, Any]:
    """Descend from W = 0 with a step size of `factor` times the limit at the start.

    Returns:
        ``factor``, ``seed``, ``steps``, ``alpha``, the ``loss`` at the steps `KEPT`, ``final``
        after the last one, ``last_rise`` (the last step at which the loss rose, 0 if never),
        ``limit`` at the start and ``limit_at_end``: 2/λ_max.

    """
    x, labels = draw(seed)
    y, w = np.eye(10)[labels], np.zeros((10, x.shape[1]))
    limit = 2 / largest_eigenvalue(w, x)
    losses = []
    for _ in range(steps + 1):
        p = softmax(x @ w.T, axis=1)
        losses.append(-xlogy(y, p).sum() / len(x))
        end, w = w, w - factor * limit * (p - y).T @ x / len(x)
    rises = np.flatnonzero(np.diff(losses) > 0)
    return {
        "factor": factor,
        "seed": seed,
        "steps": steps,
        "alpha": round(factor * limit, 4),
        "last_rise": int(rises[-1]) + 1 if len(rises) else 0,
        "limit": round(limit, 4),
        "limit_at_end": round(2 / largest_eigenvalue(end, x), 4),
        "final": round(float(losses[-1]), 4),
        "loss": [round(float(losses[t]), 4) for t in KEPT if t <= steps],
    }


def runs() -> tuple[dict[str, Any], ...]:
    """All recorded runs of `STEPS` steps, and the longer ones of `CAREFUL`."""
    return recorded.load("step_sizes")


def study() -> list[dict[str, Any]]:
    """Train all runs."""
    found = [train(factor, seed) for seed in SEEDS for factor in FACTORS]
    factor, steps = CAREFUL
    return found + [train(factor, seed, steps=steps) for seed in SEEDS]


if __name__ == "__main__":
    recorded.make("step_sizes", study, seeds=SEEDS)
