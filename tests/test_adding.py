"""The adding problem: its sequences."""

import numpy as np
import pytest

from utils.datasets import adding_problem


@pytest.mark.parametrize("steps", [2, 3, 50])
def test_adding_problem(steps):
    x, y = adding_problem(np.random.default_rng(0), 3000, steps)
    assert x.shape == (3000, steps, 2)
    assert x.dtype == y.dtype == np.float32
    values, marks = x[..., 0], x[..., 1]
    assert ((values >= 0) & (values < 1)).all()
    assert set(np.unique(marks)) <= {0, 1}
    for half in (marks[:, : steps // 2], marks[:, steps // 2 :]):
        np.testing.assert_array_equal(half.sum(axis=1), 1)
        np.testing.assert_allclose(half.mean(axis=0), 1 / half.shape[1], atol=0.05)
    expected = [v[m == 1].sum() for v, m in zip(values, marks, strict=True)]
    np.testing.assert_allclose(y, expected, rtol=1e-6)
    assert np.mean((y - 1) ** 2) == pytest.approx(1 / 6, abs=0.015)
    with pytest.raises(ValueError, match="at least two steps, got 1"):
        adding_problem(np.random.default_rng(0), 3, 1)
