"""Gradient flow: how large the loss gradient still is at each layer of a deep network."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from utils import plotting
from utils.widgets._hero import Hero, Numbers, script
from utils.widgets._random import uniforms
from utils.widgets.activation_explorer import Choice

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BATCH, WIDTH, MIN_DEPTH, MAX_DEPTH = 32, 64, 2, 50
ACTIVATIONS = {"sigmoid": "sigmoid", "tanh": "tanh", "ReLU": "relu"}  # name → the engine's method
INITIALIZATIONS = {  # name → standard deviation of a weight with D inputs
    "N(0, 1)": 1.0,
    "N(0, 0.01²)": 0.01,
    "1/(3D), PyTorch's": (1 / (3 * WIDTH)) ** 0.5,
    "1/D, Xavier": (1 / WIDTH) ** 0.5,
    "2/D, He": (2 / WIDTH) ** 0.5,
}
NORMALIZATIONS = ("none", "batch", "layer")
HEALTHY = 0.1, 10.0
EPS = 1e-5  # of the normalization


@lru_cache(maxsize=4)
def normals(seed: int) -> np.ndarray:
    """All standard normal numbers of one draw; the browser draws the same.

    Pairs of uniform ones become normal by G. Box and M. Muller (1958), doi:10.1214/aoms/1177706645.
    """
    u = uniforms(seed, 2 * BATCH * WIDTH + MAX_DEPTH * WIDTH * WIDTH)
    radius, angle = np.sqrt(-2 * np.log(u[::2])), 2 * np.pi * u[1::2]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).ravel()


def flow(
    depth: float, activation: str, initialization: str, normalization: str, skip: str, seed: float
) -> tuple[np.ndarray, np.ndarray]:
    """Send a batch through a fresh network and a random gradient back.

    Layer l is h_l = f(z_l), with z_l = W_l h_{l−1}, normalized or not (without γ and β), plus
    h_{l−1} where ``skip`` is "yes". Batch 32, width 64.

    Returns:
        ‖∂L/∂h_l‖ and the root mean square of h_l, both (depth + 1,), for l = 0 … depth.

    """
    from utils.engine import Tensor
    from utils.layers import standardize

    numbers, cells = normals(int(seed)), BATCH * WIDTH
    weights = numbers[2 * cells :].reshape(MAX_DEPTH, WIDTH, WIDTH)
    std = INITIALIZATIONS[initialization]
    h = Tensor(numbers[:cells].reshape(BATCH, WIDTH), requires_grad=True)
    states = [h]
    for W in weights[: int(depth)]:
        z = h @ Tensor(std * W).T
        if normalization != "none":
            z, _, _ = standardize(z, (0,) if normalization == "batch" else (1,), EPS)
        y = getattr(z, ACTIVATIONS[activation])()
        h = h + y if skip == "yes" else y
        h.retain_grad()
        states.append(h)
    h.backward(numbers[cells : 2 * cells].reshape(BATCH, WIDTH))
    gradients = np.array([np.linalg.norm(state.grad) for state in states])
    return gradients, np.array([np.sqrt(np.mean(state.data**2)) for state in states])


class GradientFlow(Hero):
    """Build a deep network and see what is left of the gradient at each layer.

    ```python
    explorer = GradientFlow(depth=30, activation="ReLU", initialization="2/D, He")
    explorer.normalization = "batch"
    explorer.ratio
    ```

    Attributes:
        depth: number of layers L, 2 … 50.
        activation: one of `ACTIVATIONS`.
        initialization: variance of the weights, one of `INITIALIZATIONS`.
        normalization: of the weighted sums, one of `NORMALIZATIONS`.
        skip: "yes" if each layer adds its input to its output, else "no".
        seed: which weights, inputs and gradient are drawn, 0 … 99.

    Raises:
        traitlets.TraitError: a state that is out of range, NaN or of the wrong kind.

    """

    STATE = ("depth", "activation", "initialization", "normalization", "skip", "seed")
    CONSTANTS: ClassVar = {
        "BATCH": BATCH,
        "WIDTH": WIDTH,
        "MAX_DEPTH": MAX_DEPTH,
        "EPS": EPS,
        "HEALTHY": HEALTHY,
        "INITIALIZATIONS": INITIALIZATIONS,
    }
    _esm = script("gradient_flow")

    depth = Numbers(30, MIN_DEPTH, MAX_DEPTH).tag(sync=True)
    activation = Choice(tuple(ACTIVATIONS), "sigmoid").tag(sync=True)
    initialization = Choice(tuple(INITIALIZATIONS), "1/D, Xavier").tag(sync=True)
    normalization = Choice(NORMALIZATIONS, "none").tag(sync=True)
    skip = Choice(("no", "yes"), "no").tag(sync=True)
    seed = Numbers(0, 0, 99).tag(sync=True)

    @property
    def gradients(self) -> np.ndarray:
        """‖∂L/∂h_l‖/‖∂L/∂h_L‖ for l = 0 … L."""
        gradients, _ = self._flow()
        return gradients / gradients[-1]

    @property
    def ratio(self) -> float:
        """‖∂L/∂h_0‖/‖∂L/∂h_L‖: what is left of the gradient at the bottom."""
        return float(self.gradients[0])

    @property
    def size(self) -> float:
        """Root mean square of the last layer's outputs."""
        return float(self._flow()[1][-1])

    def _flow(self) -> tuple[np.ndarray, np.ndarray]:
        return flow(**{name: getattr(self, name) for name in self.STATE})

    def describe(self) -> str:
        """Return the present state in words."""
        low, high = HEALTHY
        fate = "arrives" if low <= self.ratio <= high else "vanishes"
        fate = "explodes" if self.ratio > high else fate
        skip = "with" if self.skip == "yes" else "without"
        return (
            f"Bar chart of the gradient at each of {int(self.depth)} layers: {self.activation}, "
            f"weights {self.initialization}, normalization {self.normalization}, {skip} skips. "
            f"The gradient {fate}: at the first layer it is {self.ratio:.1e} of the last layer's."
        )

    def draw(self) -> Figure:
        """Return the bars."""
        fig, ax = plotting.figure(width=8, height=3.6)
        low, high = HEALTHY
        for layer, value in enumerate(np.maximum(self.gradients, 1e-300)):
            color = plotting.BLUE if low <= value <= high else plotting.ORANGE
            ax.bar(layer, abs(value - 1), bottom=min(value, 1), width=0.8, color=color)
        ax.axhline(1, color=plotting.GRAY, lw=1)
        smallest, largest = self.gradients.min(), self.gradients.max()
        ax.set(yscale="log", ylim=(min(smallest / 10, 1e-3), max(largest * 10, 1e3)))
        ax.set(xlabel="layer l", ylabel="gradient at layer l / at the last")
        return fig
