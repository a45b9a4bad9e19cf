"""The record of step sizes: runs made again begin alike, and the curvature is the Hessian's."""

import numpy as np
import pytest
from scipy.special import softmax

from utils.recorded.step_sizes import (
    CAREFUL,
    FACTORS,
    KEPT,
    SEEDS,
    STEPS,
    draw,
    largest_eigenvalue,
    runs,
    train,
)


@pytest.mark.parametrize(("factor", "seed"), [(0.9, 0), (3.0, 1)])
def test_a_run_made_again_begins_alike(factor, seed):
    (kept,) = (r for r in runs() if (r["factor"], r["seed"], r["steps"]) == (factor, seed, STEPS))
    again = train(factor, seed, steps=40)
    assert again["limit"] == pytest.approx(kept["limit"], abs=2e-4)
    np.testing.assert_allclose(again["loss"], kept["loss"][: len(again["loss"])], atol=2e-4)


def test_all_runs_are_there_and_whole():
    keys = [(run["factor"], run["seed"], run["steps"]) for run in runs()]
    careful, long = CAREFUL
    wanted = {(f, s, STEPS) for f in FACTORS for s in SEEDS} | {(careful, s, long) for s in SEEDS}
    assert len(keys) == len(set(keys))
    assert set(keys) == wanted
    assert all(len(run["loss"]) == len(KEPT) for run in runs())
    assert careful * long == pytest.approx(3.0 * STEPS, rel=1e-4)


def test_the_largest_curvature_is_that_of_the_hessian():
    """The Hessian of the mean cross-entropy is the mean of (diag(p) − ppᵀ) ⊗ xxᵀ."""
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(30, 4)), rng.normal(size=(3, 4))
    p = softmax(x @ w.T, axis=1)
    each = [np.kron(np.diag(a) - np.outer(a, a), np.outer(b, b)) for a, b in zip(p, x, strict=True)]
    hessian = np.mean(each, axis=0)
    assert largest_eigenvalue(w, x) == pytest.approx(np.linalg.eigvalsh(hessian).max(), rel=1e-9)
    at_zero = np.linalg.eigvalsh(x.T @ x / len(x)).max() / 3
    assert largest_eigenvalue(np.zeros((3, 4)), x) == pytest.approx(at_zero, rel=1e-6)


def test_each_seed_draws_a_thousand_digits_of_its_own():
    sums = {seed: draw(seed)[0].sum() for seed in SEEDS}
    assert len(set(sums.values())) == len(SEEDS)
    x, labels = draw(0)
    assert x.shape == (1000, 50)
    assert set(labels) == set(range(10))
