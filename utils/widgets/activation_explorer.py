"""Activation explorer: a function, its derivative, and a point to drag along them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import traitlets

from utils import plotting
from utils.layers.activations import ACTIVATIONS, ALPHA, activation
from utils.widgets._hero import Hero, Numbers, script

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Choice(traitlets.Enum):
    """One of a few names; the error lists them."""

    def error(self, obj: Any, value: Any, *_: Any) -> None:
        """Refuse `value`."""
        raise traitlets.TraitError(
            f"{self.name} must be one of {', '.join(self.values)}; got {value!r}"
        )


HEIGHTS = (-1.25, 4), (-0.35, 1.35)  # of the graphs of f and f′


class ActivationExplorer(Hero):
    """See f and f′ of an activation at a point z that can be dragged.

    ```python
    explorer = ActivationExplorer(activation="tanh", z=1.0)
    explorer.z = -2
    explorer.value, explorer.slope
    ```

    Attributes:
        activation: the function, one of `ACTIVATIONS`.
        compare: a second function to draw, or ``"none"``.
        z: the point, −4 … 4.
        alpha: slope of leaky ReLU for z ≤ 0, 0 … 0.5.

    Raises:
        traitlets.TraitError: a value that is out of range, NaN or of the wrong kind.

    """

    STATE = ("activation", "compare", "z", "alpha")
    CONSTANTS: ClassVar = {"HEIGHTS": HEIGHTS}
    _esm = script("activation_explorer")

    activation = Choice(ACTIVATIONS, "sigmoid").tag(sync=True)
    compare = Choice(("none", *ACTIVATIONS), "none").tag(sync=True)
    z = Numbers(1.0, -4, 4).tag(sync=True)
    alpha = Numbers(ALPHA, 0, 0.5).tag(sync=True)

    @property
    def value(self) -> float:
        """f(z)."""
        return float(activation(self.activation, self.z, self.alpha)[0])

    @property
    def slope(self) -> float:
        """f′(z)."""
        return float(activation(self.activation, self.z, self.alpha)[1])

    def describe(self) -> str:
        """Return the present state in words."""
        return (
            f"Two graphs, one above the other: {self.activation} and its derivative for z from −4 "
            f"to 4. At z = {self.z:.2f} the value is {self.value:.3f}; the tangent's slope is "
            f"{self.slope:.3f}."
        )

    def draw(self) -> Figure:
        """Return the two graphs with point and tangent."""
        fig, (top, bottom) = plotting.figure(
            2, 1, width=6, height=6, sharex=True, height_ratios=(3, 2)
        )
        halves = np.linspace(-4, -1e-9, 200), np.linspace(1e-9, 4, 200)
        looks = [(self.activation, plotting.BLUE, "-"), (self.compare, plotting.ORANGE, "--")]
        for name, color, dash in looks[: 1 if self.compare == "none" else 2]:
            for half, label in zip(halves, (name, None), strict=True):
                for ax, y in zip((top, bottom), activation(name, half, self.alpha), strict=True):
                    ax.plot(half, y, dash, color=color, label=label)
        top.axline((self.z, self.value), slope=self.slope, color=plotting.GREEN, lw=1.5)
        for ax, y in ((top, self.value), (bottom, self.slope)):
            ax.plot(self.z, y, "o", color=plotting.GREEN, ms=9)
        top.set(ylabel="f(z)", ylim=HEIGHTS[0])
        bottom.set(xlabel="z", ylabel="f′(z)", xlim=(-4, 4), ylim=HEIGHTS[1])
        top.legend(loc="upper left")
        return fig
