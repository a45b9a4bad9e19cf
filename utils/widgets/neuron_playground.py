"""Neuron playground: one neuron, two features, a line that separates two classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import traitlets

from utils import plotting
from utils.layers.activations import ACTIVATIONS, ALPHA, activation
from utils.widgets._hero import Hero, Numbers, script
from utils.widgets.activation_explorer import Choice

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VIEW = 3.5
# the output that gets the full shade: three functions lie within ±1
SPANS = {name: 1 if name in ("step", "sigmoid", "tanh") else 4 for name in ACTIVATIONS}
FEATURE_NAMES = ("ink in the center", "ink around it")
# digit_features() of every 20th zero and every 20th one of MNIST's first 500 each, to one decimal
ZEROS = (
    (-0.9, 0.7), (-0.8, 0.6), (-1.5, 2.0), (0.2, 0.6), (0.4, 0.9), (-1.6, 1.0), (-0.7, 1.0),
    (0.5, 0.9), (-1.0, 1.4), (-0.2, -0.8), (0.4, 0.5), (-1.8, 0.7), (-0.3, 1.6), (-1.7, 0.5),
    (-1.7, 0.7), (-1.2, 0.8), (-1.1, 0.6), (-1.2, 2.0), (-1.5, 2.1), (-1.0, 0.4), (-0.2, 0.5),
    (-0.7, 0.6), (-1.3, 0.9), (-1.0, 1.4), (-1.3, 0.8),
)  # fmt: skip
ONES = (
    (0.7, -0.8), (1.4, -0.7), (0.0, -1.1), (-0.2, -1.1), (1.0, -0.7), (1.3, -0.7), (-0.3, -1.1),
    (1.7, -0.6), (1.0, -0.9), (1.0, -0.7), (-0.4, -1.1), (1.0, -0.9), (1.2, -0.8), (1.0, -0.8),
    (0.6, -0.9), (0.9, -0.8), (0.3, -0.9), (0.4, -0.8), (-0.4, -1.1), (0.4, -0.9), (1.4, -0.6),
    (0.6, -0.9), (0.4, -0.8), (1.3, -0.5), (0.2, -0.9),
)  # fmt: skip


def digit_features(images: np.ndarray) -> np.ndarray:
    """Return two hand-made features of digits, about standardized for zeros and ones.

    The first is the mean ink of the 8×8 pixels in the center, the second that of all pixels
    outside the central 10×10: a zero has an empty center and a wide ring, a one the contrary.

    Args:
        images: (N, 28, 28) in [0, 1].

    Returns:
        (N, 2).

    """
    center = images[:, 10:18, 10:18].mean((1, 2))
    inner = images[:, 9:19, 9:19].sum((1, 2))
    ring = (images.sum((1, 2)) - inner) / (28 * 28 - 10 * 10)
    return np.stack([(center - 0.29) / 0.165, (ring - 0.10) / 0.068], axis=1)


class Answer(NamedTuple):
    """What one neuron makes of N points."""

    z: np.ndarray
    output: np.ndarray
    wrong: np.ndarray
    accuracy: float


def neuron(points: Any, labels: Any, w: Any, b: float, name: str = "sigmoid") -> Answer:
    """Let the neuron z = w·x + b, output f(z), decide for class 1 where z > 0.

    Args:
        points: (N, 2).
        labels: (N,), 0 or 1.
        w: (2,).
        b: the bias.
        name: the activation f, one of `ACTIVATIONS`.

    Returns:
        z (N,), output f(z) (N,), wrong (N,) bool, and the share of right decisions.

    """
    x = np.asarray(points, float)
    # the sum written out: the same order of additions as in the browser, so equal to the last bit
    z = w[0] * x[:, 0] + w[1] * x[:, 1] + b
    wrong = (z > 0) != (np.asarray(labels) == 1)
    return Answer(z, activation(name, z)[0], wrong, float((~wrong).sum() / len(wrong)))


class NeuronPlayground(Hero):
    """Turn and shift the boundary of one neuron until it tells two classes apart.

    ```python
    playground = NeuronPlayground()
    playground.w = (1, -2)
    playground.accuracy
    ```

    Args:
        points: (N, 2), each coordinate within ±3.5; 25 zeros and 25 ones of MNIST by default.
        labels: (N,), 0 or 1.
        feature_names: what the two coordinates are.
        class_names: the names of classes 0 and 1.
        **state: `w`, `b`, `activation`, `caption`, `alt`.

    Attributes:
        w: the weights, each −3 … 3.
        b: the bias, −6 … 6.
        activation: one of `ACTIVATIONS`.

    Raises:
        ValueError: points or labels of the wrong shape or range.
        traitlets.TraitError: a state that is out of range, NaN or of the wrong shape.

    """

    STATE = ("w", "b", "activation")
    CONSTANTS: ClassVar = {"VIEW": VIEW, "ALPHA": ALPHA, "SPANS": SPANS}
    _esm = script("neuron_playground")

    w = Numbers((1, 0), -3, 3).tag(sync=True)
    b = Numbers(0, -6, 6).tag(sync=True)
    activation = Choice(ACTIVATIONS, "sigmoid").tag(sync=True)
    points = traitlets.Tuple(read_only=True).tag(sync=True)
    labels = traitlets.Tuple(read_only=True).tag(sync=True)
    feature_names = traitlets.Tuple(read_only=True).tag(sync=True)
    class_names = traitlets.Tuple(read_only=True).tag(sync=True)

    def __init__(
        self,
        points: Any = None,
        labels: Any = None,
        *,
        feature_names: tuple[str, str] = FEATURE_NAMES,
        class_names: tuple[str, str] = ("0", "1"),
        **state: Any,
    ) -> None:
        if points is None and labels is None:
            points, labels = ZEROS + ONES, [0] * len(ZEROS) + [1] * len(ONES)
        points, labels = _checked(points, labels)
        for name, value in {
            "points": tuple(map(tuple, points.tolist())),
            "labels": tuple(labels.tolist()),
            "feature_names": tuple(feature_names),
            "class_names": tuple(class_names),
        }.items():
            self.set_trait(name, value)
        super().__init__(**state)

    @property
    def answer(self) -> Answer:
        """z, output and mistakes of the present neuron."""
        return neuron(self.points, self.labels, self.w, self.b, self.activation)

    @property
    def accuracy(self) -> float:
        """The share of points on the right side."""
        return self.answer.accuracy

    @property
    def mistakes(self) -> int:
        """How many points are on the wrong side."""
        return int(self.answer.wrong.sum())

    def describe(self) -> str:
        """Return the present state in words."""
        return (
            f"{len(self.points)} points of the classes {self.class_names[0]} and "
            f"{self.class_names[1]} over {self.feature_names[0]} and {self.feature_names[1]}, with "
            f"the boundary and the weight vector of one neuron: w = ({self.w[0]:.2f}, "
            f"{self.w[1]:.2f}), b = {self.b:.2f}, activation {self.activation}. "
            f"{self.mistakes} points are on the wrong side."
        )

    def draw(self) -> Figure:
        """Return the points with shading, boundary, weight vector and rings around mistakes."""
        fig, ax = plotting.figure(width=6, height=5.6)
        grid = np.linspace(-VIEW, VIEW, 141)
        plane = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
        z, output, _, _ = neuron(plane, np.zeros(len(plane)), self.w, self.b, self.activation)
        span = SPANS[self.activation]
        levels = np.linspace(0, span, 9)[1:]
        for sign, color in ((1, plotting.BLUE), (-1, plotting.ORANGE)):
            for level in levels:  # layers of thin color add up to the shade of the output
                shade = (sign * output >= level - span / 16).astype(float).reshape(141, 141)
                ax.contourf(grid, grid, shade, levels=[0.5, 1.5], colors=[color], alpha=0.06)
        if any(self.w):
            ax.contour(
                grid, grid, z.reshape(141, 141), levels=[0], colors=[plotting.GRAY], linewidths=2
            )
        points, labels = np.array(self.points), np.array(self.labels)
        for label, color, marker in ((1, plotting.BLUE, "o"), (0, plotting.ORANGE, "s")):
            ax.plot(*points[labels == label].T, marker, color=color, label=self.class_names[label])
        ax.plot(*points[self.answer.wrong].T, "o", ms=12, mfc="none", mec=plotting.GRAY, mew=1.5)
        arrow = {"arrowstyle": "->", "color": plotting.GREEN, "lw": 2.5}
        ax.annotate("", self.w, (0, 0), arrowprops=arrow)
        ax.annotate("w", self.w, (6, 6), textcoords="offset points", color=plotting.GREEN)
        ax.set(xlim=(-VIEW, VIEW), ylim=(-VIEW, VIEW), aspect="equal")
        ax.set(xlabel=f"x₁ · {self.feature_names[0]}", ylabel=f"x₂ · {self.feature_names[1]}")
        ax.legend(title="digit" if self.class_names == ("0", "1") else None, loc="upper right")
        return fig


def _checked(points: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    points, labels = np.asarray(points, float), np.asarray(labels)
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise ValueError(f"points must have the shape (N, 2), got {points.shape}")
    if not (np.abs(points) <= VIEW).all():
        raise ValueError(
            f"points must be numbers within ±{VIEW}: subtract the mean, divide by the standard "
            f"deviation, and leave out what is still beyond"
        )
    if labels.shape != points.shape[:1] or not np.isin(labels, (0, 1)).all():
        raise ValueError(f"labels must be {len(points)} zeros and ones, got {labels!r}")
    return points, labels.astype(int)
