"""Activation functions against PyTorch and finite differences, on arrays and as layers."""

import numpy as np
import pytest
import torch

from utils import layers
from utils.engine import Tensor
from utils.layers.activations import ACTIVATIONS, activation

TORCH = {
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "ReLU": "relu",
    "leaky ReLU": "leaky_relu",
    "GELU": "gelu",
}


@pytest.mark.parametrize("name", TORCH)
def test_activations_and_derivatives_equal_pytorch(name):
    points = np.append(np.linspace(-6, 6, 200), 0.0)
    z = torch.tensor(points, requires_grad=True)
    options = {"negative_slope": 0.3} if name == "leaky ReLU" else {}
    y = getattr(torch.nn.functional, TORCH[name])(z, **options)
    y.sum().backward()
    f, slope = activation(name, points, 0.3)
    np.testing.assert_allclose(f, y.detach(), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(slope, z.grad, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_derivatives_equal_finite_differences(name):
    z = np.linspace(-4, 4, 100)  # 0 is not among them
    up, down = activation(name, z + 1e-5, 0.1)[0], activation(name, z - 1e-5, 0.1)[0]
    np.testing.assert_allclose(activation(name, z, 0.1)[1], (up - down) / 2e-5, atol=1e-9)


def test_step_is_one_above_zero_only():
    f, slope = activation("step", [-1, 0, 1e-300, 1])
    assert f.tolist() == [0, 0, 1, 1]
    assert not slope.any()


def test_extreme_z_neither_overflows_nor_warns():
    for name in ACTIVATIONS:
        assert np.isfinite(activation(name, [-1000.0, 1000.0])).all()


def test_unknown_activation_names_the_known():
    with pytest.raises(
        ValueError, match=r"unknown activation 'swish'; choose one of step, sigmoid"
    ):
        activation("swish", 0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("ReLU", {}),
        ("Tanh", {}),
        ("Sigmoid", {}),
        ("GELU", {}),
        ("LeakyReLU", {}),
        ("LeakyReLU", {"negative_slope": 0.3}),
        ("Softmax", {"dim": 1}),
    ],
)
def test_layers_equal_pytorch(name, options, dtype):
    rng = np.random.default_rng(0)
    data, g = rng.normal(size=(2, 4, 5)).astype(dtype)
    ours, theirs = Tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
    y = getattr(layers, name)(**options)(ours)
    expected = getattr(torch.nn, name)(**options)(theirs)
    y.backward(g)
    expected.backward(torch.tensor(g))
    assert y.dtype == ours.grad.dtype == dtype
    rtol = 1e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(y.data, expected.detach(), rtol=rtol, atol=rtol)
    np.testing.assert_allclose(ours.grad, theirs.grad, rtol=rtol, atol=rtol)
