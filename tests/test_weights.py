"""Bytes for weights; copying is shown by the tests of each layer."""

import numpy as np

from utils.weights import quantize


def test_a_byte_is_within_half_a_step():
    rng = np.random.default_rng(0)
    array = rng.normal(size=(4, 9)) * [[1], [100], [1e-3], [0]]
    whole, scale = quantize(array)
    assert whole.dtype == np.int8
    assert scale.dtype == np.float32
    assert (np.abs(whole * scale - array) <= scale / 2 * (1 + 1e-5)).all()
    assert np.abs(whole[:3]).max(axis=1).tolist() == [127] * 3
