"""XOR builder: two step neurons and an output neuron that together do what no single line can."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from utils import plotting
from utils.widgets._hero import Hero, Numbers, script

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CORNERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
TARGETS = np.array([0, 1, 1, 0])
VIEW = (-0.6, 1.6)  # of both spaces


def xor_network(
    w: Any, b: Any, v: Any, c: float, x: np.ndarray = CORNERS
) -> tuple[np.ndarray, np.ndarray]:
    """Return what hidden and output neurons answer: hⱼ = step(wⱼ·x + bⱼ), y = step(v·h + c).

    step(z) is 1 where z > 0 (Minsky & Papert 1969, Perceptrons).

    Args:
        w: (2, 2), row j the weights of hidden neuron j.
        b: (2,).
        v: (2,).
        c: the output's bias.
        x: (N, 2) inputs; the four corners of XOR by default.

    Returns:
        h (N, 2) and y (N,), integers 0 or 1.

    """
    w, b, v = np.asarray(w, float), np.asarray(b, float), np.asarray(v, float)
    # sums written out: the same order of additions as in the browser, so equal to the last bit
    h = (x[:, :1] * w[:, 0] + x[:, 1:] * w[:, 1] + b > 0).astype(int)
    y = (v[0] * h[:, 0] + v[1] * h[:, 1] + c > 0).astype(int)
    return h, y


class XorBuilder(Hero):
    """Turn two lines and weigh their answers until the four corners of XOR come out right.

    ```python
    builder = XorBuilder()
    builder.w = (1, 1), (1, 1)
    builder.b = -0.5, -1.5
    builder.v = 1, -1
    builder.solved
    ```

    Attributes:
        w: weights of the hidden neurons, ((w₁₁, w₁₂), (w₂₁, w₂₂)), each −2 … 2.
        b: their biases, −3 … 3.
        v: weights of the output neuron, −2 … 2.
        c: its bias, −2 … 2.

    Raises:
        traitlets.TraitError: a value that is out of range, NaN or of the wrong shape.

    """

    STATE = ("w", "b", "v", "c")
    CONSTANTS: ClassVar = {"CORNERS": CORNERS.tolist(), "TARGETS": TARGETS.tolist(), "VIEW": VIEW}
    _esm = script("xor_builder")

    w = Numbers(((1, 1), (1, -0.4)), -2, 2).tag(sync=True)
    b = Numbers((-0.5, -0.5), -3, 3).tag(sync=True)
    v = Numbers((1, 1), -2, 2).tag(sync=True)
    c = Numbers(-0.5, -2, 2).tag(sync=True)

    @property
    def right(self) -> int:
        """How many of the four corners the network answers as XOR does."""
        return int((xor_network(self.w, self.b, self.v, self.c)[1] == TARGETS).sum())

    @property
    def solved(self) -> bool:
        """Whether all four corners are right."""
        return self.right == 4

    def describe(self) -> str:
        """Return the present state in words."""
        h, y = xor_network(self.w, self.b, self.v, self.c)
        rows = "; ".join(
            f"{x1}, {x2} gives {answer}" for (x1, x2), answer in zip(CORNERS, y, strict=True)
        )
        return (
            f"The four corners of XOR with the lines of two hidden neurons, and the same corners "
            f"as the output neuron sees them: {len(np.unique(h, axis=0))} different points. "
            f"The network answers: {rows}. {self.right} of 4 are right."
        )

    def draw(self) -> Figure:
        """Return input space and hidden space, each with its lines and the region where y = 1."""
        fig, (left, right) = plotting.figure(1, 2, width=8, height=4)
        h, y = xor_network(self.w, self.b, self.v, self.c)
        grid = np.linspace(*VIEW, 221)
        plane = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
        inside = xor_network(self.w, self.b, self.v, self.c, plane)[1].reshape(221, 221)
        seen = (plane @ self.v + self.c > 0).astype(int).reshape(221, 221)
        for ax, region in ((left, inside), (right, seen)):
            ax.contourf(grid, grid, region, levels=[0.5, 1.5], colors=[plotting.BLUE], alpha=0.2)
            ax.set(xlim=VIEW, ylim=VIEW, aspect="equal", xticks=(0, 1), yticks=(0, 1))
        for j, (color, dash) in enumerate(((plotting.GREEN, "-"), (plotting.PINK, "--"))):
            z = (plane @ self.w[j] + self.b[j]).reshape(221, 221)
            left.contour(grid, grid, z, levels=[0], colors=[color], linestyles=[dash])
            left.plot([], [], dash, color=color, label=f"h{'₁₂'[j]}")
        # inputs that share a corner of the hidden space stand side by side
        side = [0.1 * (sum((h == row).all(1)) - 1) for row in h]
        rank = [sum((h[:i] == row).all(1)) for i, row in enumerate(h)]
        shown = h + np.stack([0.2 * np.array(rank) - side, np.zeros(4)], axis=1)
        for ax, places in ((left, CORNERS), (right, shown)):
            _points(ax, places, TARGETS, y)
        left.set(title="what goes in", xlabel="x₁", ylabel="x₂")
        right.set(title="what the output neuron sees", xlabel="h₁", ylabel="h₂")
        left.legend(loc="upper right", ncols=2)
        return fig


def _points(ax: Any, places: np.ndarray, targets: np.ndarray, answers: np.ndarray) -> None:
    for target, color, marker in ((1, plotting.BLUE, "o"), (0, plotting.ORANGE, "s")):
        ax.plot(*places[targets == target].T, marker, color=color, ms=10)
    wrong = places[targets != answers]
    ax.plot(*wrong.T, "o", ms=18, mfc="none", mec=plotting.GRAY, mew=2)
