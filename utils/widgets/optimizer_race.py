"""Optimizer race: several optimizers start at one point of a loss surface and run downhill."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import traitlets
from scipy.special import expit

from utils import plotting
from utils.widgets._hero import Hero, Numbers, script
from utils.widgets.activation_explorer import Choice
from utils.widgets.neuron_playground import ONES, ZEROS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure

VIEW = 2.0
STEPS = 200
HEIGHTS = (-8, 2)  # the axis of losses, in powers of ten
LOST = 100.0  # who leaves this square has diverged and stays where it is
SURFACES = ("ravine", "Rosenbrock", "saddle", "digits")
RACERS = ("descent", "momentum", "Nesterov", "AdaGrad", "RMSProp", "Adam")
BATCHES = ("1", "2", "4", "8", "16", "32", "all")
STARTS = {
    "ravine": (-1.8, 0.9),
    "Rosenbrock": (-1.2, 1.0),
    "saddle": (-1.5, 0.05),
    "digits": (-1.5, 1.5),
}
# 50 zeros and ones of MNIST as two features; targets −1 and +1
POINTS = np.array(ZEROS + ONES)
TARGETS = np.repeat([-1.0, 1.0], [len(ZEROS), len(ONES)])
DECAY = 0.05
LOWEST_ON_DIGITS = 0.24897902568700941
# the other surfaces get one tilt an example; the tilts add up to zero, so their mean is the surface
TILTS = POINTS - POINTS.mean(axis=0)


def loss(surface: str, w: Any) -> np.ndarray:
    """Height of a surface above its lowest point: w (…, 2) → (…).

    ``ravine`` is (w₁² + 25 w₂²)/2. ``Rosenbrock`` is (1 − w₁)² + 100 (w₂ − w₁²)², divided by 100
    (H. Rosenbrock 1960, doi:10.1093/comjnl/3.3.175). ``saddle`` is w₁²/2 + (w₂² − 1)²/4. ``digits``
    is the mean logistic loss of a neuron without bias on 50 digits plus ``DECAY``·‖w‖²/2.
    """
    w = np.asarray(w, float)
    w1, w2 = w[..., 0], w[..., 1]
    if surface == "ravine":
        return (w1 * w1 + 25 * w2 * w2) / 2
    if surface == "Rosenbrock":
        valley = w2 - w1 * w1
        return (1 - w1) * (1 - w1) / 100 + valley * valley
    if surface == "saddle":
        return w1 * w1 / 2 + (w2 * w2 - 1) * (w2 * w2 - 1) / 4
    margin = TARGETS * (w1[..., None] * POINTS[:, 0] + w2[..., None] * POINTS[:, 1])
    logistic = np.logaddexp(0, -margin).mean(axis=-1)
    return logistic + DECAY * (w1 * w1 + w2 * w2) / 2 - LOWEST_ON_DIGITS


def gradient(surface: str, w: Any, examples: Any = None) -> np.ndarray:
    """Gradient of a surface at w (2,), estimated from some `examples` (B,) of the 50, or from all.

    On ``digits`` an example is a digit. On the other surfaces it is the whole surface, tilted.
    """
    w1, w2 = (float(value) for value in w)
    if surface == "digits":
        x, t = (POINTS, TARGETS) if examples is None else (POINTS[examples], TARGETS[examples])
        margin = t * (w1 * x[:, 0] + w2 * x[:, 1])
        slope = -t * expit(-margin)
        return (slope[:, None] * x).mean(axis=0) + DECAY * np.array([w1, w2])
    if surface == "ravine":
        g = np.array([w1, 25 * w2])
    elif surface == "Rosenbrock":
        valley = w2 - w1 * w1
        g = np.array([-2 * (1 - w1) / 100 - 4 * w1 * valley, 2 * valley])
    else:
        g = np.array([w1, w2 * (w2 * w2 - 1)])
    return g if examples is None else g + TILTS[examples].mean(axis=0)


MULTIPLIER, MODULUS = 48271, 2147483647


def draws(count: int) -> list[int]:
    """Draw numbers from 0 to 49, with replacement and the same each time.

    Source: S. Park, K. Miller (1988), doi:10.1145/63039.63042, with the multiplier 48271; it needs
    no more than 53 bits, so the browser draws the same numbers.
    """
    state, numbers = 1, []
    for _ in range(count):
        state = state * MULTIPLIER % MODULUS
        numbers.append(state * len(POINTS) // MODULUS)
    return numbers


def race(
    surface: str, start: Any, step_size: float, momentum: float, batch: str, steps: int = STEPS
) -> dict[str, np.ndarray]:
    """Let all racers run and return the path (steps + 1, 2) of each.

    All see the same examples at the same step. `momentum` is that of momentum and Nesterov;
    RMSProp and Adam keep PyTorch's defaults.
    """
    from utils import optim
    from utils.engine import Tensor

    size = 0 if batch == "all" else int(batch)
    examples = np.array(draws(size * steps), int).reshape(steps, size)
    paths = {}
    for name in RACERS:
        w = Tensor(np.array(start, float))
        nesterov = name == "Nesterov" and momentum > 0
        optimizer = {
            "descent": lambda w: optim.SGD([w], step_size),
            "momentum": lambda w: optim.SGD([w], step_size, momentum),
            "Nesterov": lambda w, n=nesterov: optim.SGD([w], step_size, momentum, nesterov=n),
            "AdaGrad": lambda w: optim.Adagrad([w], step_size),
            "RMSProp": lambda w: optim.RMSprop([w], step_size),
            "Adam": lambda w: optim.Adam([w], step_size),
        }[name](w)
        path = [w.data]
        for drawn in examples:
            if np.abs(w.data).max() <= LOST:
                w.grad = gradient(surface, w.data, drawn if size else None)
                optimizer.step()
            path.append(w.data)
        paths[name] = np.array(path)
    return paths


def _settings() -> dict[str, dict[str, Any]]:
    """What `race` leaves as it is of the optimizers that have more settings than α and μ."""
    from utils import optim

    kinds = {"AdaGrad": optim.Adagrad, "RMSProp": optim.RMSprop, "Adam": optim.Adam}
    return {
        name: {
            key: parameter.default
            for key, parameter in inspect.signature(kind).parameters.items()
            if key in ("alpha", "betas", "eps")
        }
        for name, kind in kinds.items()
    }


class Racers(traitlets.Tuple):
    """Some of the racers, in their order."""

    def validate(self, obj: Any, value: Any) -> tuple[str, ...]:
        """Return the racers as a tuple."""
        if not isinstance(value, tuple | list) or not set(value) <= set(RACERS) or not value:
            raise traitlets.TraitError(
                f"{self.name} must be some of {', '.join(RACERS)}, for instance "
                f"('descent', 'Adam'); got {value!r}"
            )
        return tuple(name for name in RACERS if name in value)


class OptimizerRace(Hero):
    """Watch optimizers run down a loss surface, step by step.

    ```python
    race = OptimizerRace(surface="Rosenbrock", step_size=0.05)
    race.step = 150
    race.losses["Adam"]
    ```

    Args:
        **state: any of the attributes, and `caption`, `alt`. Without `start` the surface's own.

    Attributes:
        surface: one of `SURFACES`.
        start: where all begin, each coordinate −2 … 2.
        step_size: the learning rate α of all racers, 0.001 … 1.
        momentum: μ of momentum and Nesterov, 0 … 0.99.
        batch: how many of 50 examples give the gradient, one of `BATCHES`.
        racers: who takes part, some of `RACERS`.
        step: how many steps are shown, 0 … 200.

    Raises:
        traitlets.TraitError: a state that is out of range, NaN or of the wrong kind.

    """

    STATE = ("surface", "start", "step_size", "momentum", "batch", "racers", "step")
    CONSTANTS: ClassVar = {
        "VIEW": VIEW, "STEPS": STEPS, "LOST": LOST, "STARTS": STARTS,
        "HEIGHTS": HEIGHTS, "racers": RACERS, "MULTIPLIER": MULTIPLIER, "MODULUS": MODULUS,
        "POINTS": POINTS.tolist(), "TARGETS": TARGETS.tolist(), "TILTS": TILTS.tolist(),
        "DECAY": DECAY, "LOWEST_ON_DIGITS": LOWEST_ON_DIGITS, "OPTIMIZERS": _settings(),
    }  # fmt: skip
    _esm = script("optimizer_race")

    surface = Choice(SURFACES, "ravine").tag(sync=True)
    start = Numbers(STARTS["ravine"], -VIEW, VIEW).tag(sync=True)
    step_size = Numbers(0.05, 0.001, 1).tag(sync=True)
    momentum = Numbers(0.9, 0, 0.99).tag(sync=True)
    batch = Choice(BATCHES, "all").tag(sync=True)
    racers = Racers(default_value=RACERS).tag(sync=True)
    step = Numbers(STEPS, 0, STEPS).tag(sync=True)

    def __init__(self, **state: Any) -> None:
        super().__init__(**{"start": STARTS.get(state.get("surface"), STARTS["ravine"])} | state)

    @property
    def paths(self) -> Mapping[str, np.ndarray]:
        """The path of each racer who takes part, (step + 1, 2)."""
        shown = int(self.step) + 1
        paths = race(self.surface, self.start, self.step_size, self.momentum, self.batch)
        return {name: paths[name][:shown] for name in self.racers}

    @property
    def losses(self) -> Mapping[str, float]:
        """The height of each racer above the lowest point at the present step."""
        return {name: float(loss(self.surface, path[-1])) for name, path in self.paths.items()}

    def describe(self) -> str:
        """Return the present state in words."""
        heights = ", ".join(f"{name} {height:.2g}" for name, height in self.losses.items())
        return (
            f"Paths of {len(self.racers)} optimizers down the surface {self.surface} from "
            f"({self.start[0]:.2f}, {self.start[1]:.2f}), step size {self.step_size:g}, "
            f"momentum {self.momentum:g}, batch {self.batch}. Height above the lowest point after "
            f"{int(self.step)} steps: {heights}."
        )

    def draw(self) -> Figure:
        """Return the map with the paths, and the loss of each racer against the step."""
        fig, (left, right) = plotting.figure(1, 2, width=9, height=4.4)
        grid = np.linspace(-VIEW, VIEW, 161)
        height = loss(self.surface, np.stack(np.meshgrid(grid, grid), axis=-1))
        band = (height / height.max()) ** 0.25  # closer lines near the valley
        left.contour(grid, grid, band, levels=16, colors=[plotting.GRAY], linewidths=0.6, alpha=0.6)
        colors = (*plotting.COLORS, plotting.OLIVE)
        dashes = ("-", "-", "-", "-", "-", "--")
        looks = dict(zip(RACERS, zip(colors, dashes, strict=True), strict=True))
        for name, path in self.paths.items():
            color, dash = looks[name]
            left.plot(*path.T, dash, color=color, lw=1.6)
            left.plot(*path[-1], "o", color=color, ms=9)
            left.annotate(
                str(RACERS.index(name) + 1),
                path[-1],
                ha="center",
                va="center",
                fontsize=7,
                color="white",
                annotation_clip=True,
            )
            curve = np.maximum(loss(self.surface, path), 1e-8)
            label = f"{RACERS.index(name) + 1} {name}"
            right.semilogy(curve, dash, color=color, lw=1.6, label=label)
        left.plot(*self.start, "D", mfc="none", color=plotting.GRAY, ms=10, mew=2)
        left.set(xlim=(-VIEW, VIEW), ylim=(-VIEW, VIEW), aspect="equal", xlabel="w₁", ylabel="w₂")
        right.set(xlim=(0, STEPS), ylim=[10.0**power for power in HEIGHTS], xlabel="step")
        right.set(ylabel="loss above the lowest")
        fig.legend(loc="outside lower center", ncols=6, fontsize=9)
        return fig
