"""Activation functions: each with its derivative on plain arrays, and as layers of the engine."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from utils.engine import Tensor, as_tensor
from utils.layers.basic import Module

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

ACTIVATIONS = ("step", "sigmoid", "tanh", "ReLU", "leaky ReLU", "GELU", "identity")
ALPHA = 0.1  # slope of leaky ReLU where none is given


def activation(name: str, z: Any, alpha: float = ALPHA) -> tuple[np.ndarray, np.ndarray]:
    """Return f(z) and f′(z), element by element.

    Where f has no derivative (z = 0 for step, ReLU, leaky ReLU) f′ is that of the left side, as in
    PyTorch. GELU is the exact z·Φ(z), not the tanh approximation (Hendrycks & Gimpel 2016,
    arXiv:1606.08415).

    Args:
        name: one of `ACTIVATIONS`.
        z: any shape.
        alpha: slope of leaky ReLU for z ≤ 0.

    Raises:
        ValueError: unknown name.

    """
    from scipy.special import erf, expit

    z = np.asarray(z, float)
    if name == "step":
        return np.where(z > 0, 1.0, 0.0), np.zeros_like(z)
    if name == "sigmoid":
        return expit(z), expit(z) * expit(-z)
    if name == "tanh":
        return np.tanh(z), 1 - np.tanh(z) ** 2
    if name == "ReLU":
        return np.where(z > 0, z, 0.0), np.where(z > 0, 1.0, 0.0)
    if name == "leaky ReLU":
        return np.where(z > 0, z, alpha * z), np.where(z > 0, 1.0, alpha)
    if name == "GELU":
        cdf = (1 + erf(z / math.sqrt(2))) / 2
        return z * cdf, cdf + z * np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    if name == "identity":
        return z.copy(), np.ones_like(z)
    raise ValueError(f"unknown activation {name!r}; choose one of {', '.join(ACTIVATIONS)}")


# --- layers ---


class ReLU(Module):
    """The larger of x and 0."""

    def forward(self, x: Tensor | ArrayLike) -> Tensor:
        """Element-wise."""
        return as_tensor(x).relu()


class LeakyReLU(Module):
    """x where x > 0, else `negative_slope` times x."""

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = negative_slope

    def forward(self, x: Tensor | ArrayLike) -> Tensor:
        """Element-wise."""
        return _derive("leaky ReLU", x, self.negative_slope)


class GELU(Module):
    """z·Φ(z), Φ the distribution function of N(0, 1)."""

    def forward(self, x: Tensor | ArrayLike) -> Tensor:
        """Element-wise."""
        return _derive("GELU", x)


class Tanh(Module):
    """Hyperbolic tangent."""

    def forward(self, x: Tensor | ArrayLike) -> Tensor:
        """Element-wise."""
        return as_tensor(x).tanh()


class Sigmoid(Module):
    """Logistic function σ(x) = 1/(1 + e⁻ˣ)."""

    def forward(self, x: Tensor | ArrayLike) -> Tensor:
        """Element-wise."""
        return as_tensor(x).sigmoid()


class Softmax(Module):
    """Positive numbers that sum to 1 along the axis `dim`."""

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def forward(self, x: Tensor | ArrayLike) -> Tensor:
        """Same shape as `x`."""
        return as_tensor(x).softmax(self.dim)


def _derive(name: str, x: Tensor | ArrayLike, *options: float) -> Tensor:
    """An activation of this file as an operation of the engine, in the precision of `x`."""
    x = as_tensor(x)
    y, slope = (array.astype(x.dtype) for array in activation(name, x.data, *options))
    return Tensor._derive(y, name, (x,), lambda g: (g * slope,))
