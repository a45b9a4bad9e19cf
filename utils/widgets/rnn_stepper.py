"""RNN stepper: one recurrent neuron unrolled in time; states go forward, gradients come back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from utils import plotting
from utils.widgets._hero import Hero, Numbers, script

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STEPS = 6  # of time


def unroll(inputs: Any, w: float, u: float, b: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Run h_t = tanh(w x_t + u h_{t−1} + b) from h_0 = 0, and back-propagate from L = h_T.

    Args:
        inputs: x_1 … x_T, (T,).
        w: weight of the input.
        u: weight of the state before.
        b: bias.

    Returns:
        The states h_1 … h_T, the gradients ∂L/∂h_1 … ∂L/∂h_T, and what each step adds to ∂L/∂u,
        each (T,).

    """
    x = np.asarray(inputs, float)
    h = np.zeros(len(x) + 1)
    for t in range(len(x)):
        h[t + 1] = np.tanh(w * x[t] + u * h[t] + b)
    slope = 1 - h[1:] ** 2  # tanh′
    gradient = np.ones(len(x))
    for t in reversed(range(len(x) - 1)):
        gradient[t] = gradient[t + 1] * slope[t + 1] * u
    return h[1:], gradient, gradient * slope * h[:-1]


class RNNStepper(Hero):
    """Step through an unrolled RNN: forward to the last state, and back to the first.

    ```python
    stepper = RNNStepper(u=1.2)
    stepper.step = 2 * 6
    stepper.gradients
    ```

    Attributes:
        inputs: x_1 … x_6, each −2 … 2.
        w: weight of the input, −3 … 3.
        u: weight of the state before, −3 … 3.
        b: bias, −3 … 3.
        step: 0 (nothing computed) … 6 (all states known) … 12 (all gradients known).

    Raises:
        traitlets.TraitError: a state that is out of range, NaN or of the wrong kind.

    """

    STATE = ("inputs", "w", "u", "b", "step")
    CONSTANTS: ClassVar = {"STEPS": STEPS}
    _esm = script("rnn_stepper")

    inputs = Numbers((1.0, *[0.0] * (STEPS - 1)), -2, 2).tag(sync=True)
    w = Numbers(1.0, -3, 3).tag(sync=True)
    u = Numbers(0.9, -3, 3).tag(sync=True)
    b = Numbers(0.0, -3, 3).tag(sync=True)
    step = Numbers(2.0 * STEPS, 0, 2 * STEPS).tag(sync=True)

    @property
    def states(self) -> np.ndarray:
        """h_1 … h_6; NaN where the steps have not come yet."""
        states, _, _ = self._unroll()
        return np.where(np.arange(1, STEPS + 1) <= self._forward, states, np.nan)

    @property
    def gradients(self) -> np.ndarray:
        """∂L/∂h_1 … ∂L/∂h_6 with L = h_6; NaN where the steps have not come back yet."""
        _, gradients, _ = self._unroll()
        return np.where(self._is_back, gradients, np.nan)

    @property
    def slope(self) -> float:
        """∂L/∂u, as far as the steps back have summed it."""
        _, _, shares = self._unroll()
        return float(shares[self._is_back].sum())

    @property
    def _forward(self) -> int:
        return min(int(self.step), STEPS)

    @property
    def _is_back(self) -> np.ndarray:
        return np.arange(STEPS) >= 2 * STEPS - int(self.step)

    def _unroll(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return unroll(self.inputs, self.w, self.u, self.b)

    def describe(self) -> str:
        """Return the present state in words."""
        states = ", ".join(f"{h:.2f}" for h in self.states if not np.isnan(h)) or "none yet"
        back = ", ".join(f"{g:.2f}" for g in self.gradients if not np.isnan(g)) or "none yet"
        return (
            f"A recurrent neuron unrolled over {STEPS} steps, w = {self.w:.2f}, u = {self.u:.2f}, "
            f"b = {self.b:.2f}. States: {states}. Gradients of the last state: {back}."
        )

    def draw(self) -> Figure:
        """Return the unrolled network with what is known of it."""
        fig, ax = plotting.figure(width=8.5, height=3.0)
        ax.set(xlim=(-0.9, STEPS - 0.4), ylim=(-1.6, 1.5))
        ax.set_axis_off()
        box = {"boxstyle": "round,pad=0.5", "fc": "none", "ec": plotting.GRAY}
        arrow = {"arrowstyle": "->", "color": plotting.GRAY, "lw": 1.5}
        back = arrow | {"color": plotting.ORANGE, "ls": "--"}
        for t, (x, h, g) in enumerate(zip(self.inputs, self.states, self.gradients, strict=True)):
            ax.text(
                t,
                0,
                "   " if np.isnan(h) else _text(h),
                bbox=box,
                color=plotting.BLUE,
                ha="center",
                va="center",
            )
            ax.text(t, -1.35, f"x{_subscript(t + 1)} = {_text(x)}", ha="center", va="center")
            ax.annotate("", (t, -0.35), (t, -1.1), arrowprops=arrow)
            ax.annotate("", (t - 0.3, 0), (t - 0.7, 0), arrowprops=arrow)
            if not np.isnan(g):
                ax.text(t, 1.1, f"∂ {_text(g)}", color=plotting.ORANGE, ha="center", va="center")
                ax.annotate("", (t, 0.95), (t, 0.35), arrowprops=back)
        ax.text(-0.8, 0, "0", ha="center", va="center")
        ax.set_title(f"hₜ = tanh({_text(self.w)} xₜ + {_text(self.u)} hₜ₋₁ + {_text(self.b)})")
        return fig


def _text(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def _subscript(number: int) -> str:
    return str(number).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))
