"""Digit pad: draw a digit and watch a small convolutional network read it, layer by layer."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import traitlets
from scipy.special import softmax

from utils import plotting
from utils.widgets._hero import Hero, Numbers, script
from utils.widgets._ink import ink

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from utils.layers import Module

SIDE = 28  # pixels of MNIST's pictures
BOX = 20  # the larger side of a digit in them
CENTER = 14.0  # where its center of mass lies, as a pixel index
PEN = 1.3  # radius of the stroke in pixels
ZOOM = 4 * SIDE  # pixels a unit of the pad at most: a dot is no digit to be blown up
MAX_POINTS = 2000
# a three in two bows; the pad is 1 × 1, y grows downward
THREE = (
    (
        (0.32, 0.24), (0.42, 0.17), (0.53, 0.16), (0.62, 0.21), (0.65, 0.30), (0.61, 0.39),
        (0.52, 0.45), (0.44, 0.47), (0.55, 0.48), (0.64, 0.53), (0.68, 0.62), (0.66, 0.72),
        (0.57, 0.80), (0.45, 0.82), (0.34, 0.77),
    ),
)  # fmt: skip
LAYERS = ("Conv2d", "ReLU", "MaxPool2d", "Flatten", "Linear")


class Strokes(traitlets.Tuple):
    """Lines of points (x, y) in the unit square, as nested tuples; none is an empty pad."""

    def validate(self, obj: Any, value: Any) -> tuple[tuple[tuple[float, float], ...], ...]:
        """Return the strokes as nested tuples of floats."""
        try:
            lines = [np.asarray(line, float).reshape(-1, 2) for line in value]
            count = sum(map(len, lines))
            inside = all(((line >= 0) & (line <= 1)).all() for line in lines)
        except (TypeError, ValueError):
            inside, count = False, 0
        if not inside or count > MAX_POINTS or any(len(line) == 0 for line in lines):
            raise traitlets.TraitError(
                f"{self.name} must be lines of points (x, y) from 0 to 1, at most {MAX_POINTS} "
                f"points, for instance {self.name} = [[(0.5, 0.2), (0.5, 0.8)]]; got {value!r:.80}"
            )
        return tuple(tuple(map(tuple, line.tolist())) for line in lines)


def render(strokes: Sequence[Any]) -> np.ndarray:
    """Draw strokes as MNIST would show them: fitted into 20×20, centered by mass in 28×28.

    The line has the same thickness whatever the size of the drawing. Source of the two steps:
    Y. LeCun et al., "Gradient-based learning applied to document recognition" (1998), where MNIST
    is described.

    Args:
        strokes: lines of points (x, y) in the unit square, y downward.

    Returns:
        (28, 28) in [0, 1]; zeros for an empty pad.

    """
    if not strokes:
        return np.zeros((SIDE, SIDE))
    lines = [np.asarray(line, float) for line in strokes]
    points = np.concatenate(lines)
    low, high = points.min(0), points.max(0)
    scale = min((BOX - 2 * PEN) / max((high - low).max(), 1e-9), ZOOM)
    lines = [(line - (low + high) / 2) * scale + CENTER for line in lines]
    first = ink(lines, SIDE, PEN)
    y, x = np.mgrid[:SIDE, :SIDE]
    mass = first.sum()
    shift = CENTER - np.array([(x * first).sum() / mass, (y * first).sum() / mass])
    return ink([line + shift for line in lines], SIDE, PEN)


class DigitPad(Hero):
    """Draw with mouse, pen or keyboard; the network answers while you draw.

    ```python
    pad = DigitPad(model)
    pad.strokes = [[(0.5, 0.1), (0.5, 0.9)]]
    pad.answer
    ```

    Args:
        model: an engine `Sequential` of `Conv2d` (stride, dilation and groups 1), `ReLU`,
            `MaxPool2d` (no padding or dilation, stride as large as the window), `Flatten` and
            `Linear`, from (1, 28, 28) to class scores; its weights go to the browser, which
            computes on its own. `Dropout` is left out, as in evaluation.
        class_names: the names of the classes.
        **state: `strokes`, `pen`, `caption`, `alt`.

    Attributes:
        strokes: lines of points (x, y) in the unit square, y downward.
        pen: where the keyboard's pen is, (x, y).

    Raises:
        TypeError: the model has a layer of another kind.
        ValueError: a layer with other settings, or the model does not fit the classes.
        traitlets.TraitError: strokes or pen outside the pad.

    """

    STATE = ("strokes", "pen")
    CONSTANTS: ClassVar = {
        "SIDE": SIDE,
        "BOX": BOX,
        "CENTER": CENTER,
        "PEN": PEN,
        "ZOOM": ZOOM,
        "MAX_POINTS": MAX_POINTS,
    }
    _esm = script("digit_pad")

    strokes = Strokes(THREE).tag(sync=True)
    pen = Numbers((0.5, 0.5), 0, 1).tag(sync=True)
    layers = traitlets.Tuple(read_only=True).tag(sync=True)
    weights = traitlets.Unicode(read_only=True).tag(sync=True)
    class_names = traitlets.Tuple(read_only=True).tag(sync=True)

    def __init__(
        self, model: Module, class_names: Sequence[str] = tuple("0123456789"), **state: Any
    ) -> None:
        self._layers = [layer for layer in model if type(layer).__name__ != "Dropout"]
        layers, arrays = _recipe(self._layers)
        flat = np.concatenate([np.ravel(array) for array in arrays]).astype("<f4")
        for name, value in {
            "layers": layers,
            "weights": base64.b64encode(flat.tobytes()).decode("ascii"),
            "class_names": tuple(map(str, class_names)),
        }.items():
            self.set_trait(name, value)
        scores = self._activations(np.zeros((SIDE, SIDE)))[-1]
        if scores.shape != (len(self.class_names),):
            raise ValueError(
                f"the model gives scores of shape {scores.shape} for {len(self.class_names)} "
                "classes; end it with Flatten() and Linear(…, number of classes)"
            )
        super().__init__(**state)

    @property
    def image(self) -> np.ndarray:
        """What the network sees, (28, 28)."""
        return render(self.strokes)

    @property
    def activations(self) -> list[np.ndarray]:
        """The output of every layer for the present drawing, without the batch axis."""
        return self._activations(self.image)

    @property
    def probabilities(self) -> np.ndarray:
        """The softmax of the last layer's scores, (classes,)."""
        return softmax(self.activations[-1].astype(float))

    @property
    def answer(self) -> str:
        """The most probable class; "" for an empty pad."""
        return self.class_names[int(self.probabilities.argmax())] if self.strokes else ""

    def describe(self) -> str:
        """Return the present state in words."""
        if not self.strokes:
            return "An empty pad to draw a digit on, and a network that waits."
        return (
            f"A drawing of {len(self.strokes)} strokes. The network takes it for a {self.answer}, "
            f"with probability {self.probabilities.max():.2f}; its feature maps are shown."
        )

    def draw(self) -> Figure:
        """Return the drawing, what the network sees, the feature maps and the probabilities."""
        fig, _ = plotting.figure(width=8.5, height=4.2)
        fig.clear()
        stages = self._shown()
        ratios = [3, 1.4, *[1] * len(stages)][: 1 + len(stages)]
        top, *rows = np.atleast_1d(fig.subfigures(1 + len(stages), 1, height_ratios=ratios))
        pad, seen, bars = top.subplots(1, 3, width_ratios=(1, 1, 1.6))
        for line in self.strokes:
            pad.plot(*np.transpose(line), color=plotting.GRAY, lw=6, ls="-", solid_capstyle="round")
        pad.set(xlim=(0, 1), ylim=(1, 0), aspect="equal", xticks=[], yticks=[], title="your digit")
        pad.spines[["top", "right"]].set_visible(True)
        seen.imshow(self.image, vmin=0, vmax=1)
        seen.set(title="what the network sees")
        seen.set_axis_off()
        bars.bar(self.class_names, self.probabilities, color=plotting.BLUE)
        bars.set(ylim=(0, 1), title=f"answer: {self.answer}")
        for row, maps in zip(rows, stages, strict=True):
            for ax, feature in zip(row.subplots(1, len(maps)), maps, strict=True):
                ax.imshow(feature, vmin=0, vmax=max(maps.max(), 1e-9))
                ax.set_axis_off()
        return fig

    def _shown(self) -> list[np.ndarray]:
        """The feature maps behind each ReLU."""
        pairs = zip(self.layers, self.activations, strict=True)
        return [maps for (kind, *_), maps in pairs if kind == "ReLU" and maps.ndim == 3]

    def _activations(self, image: np.ndarray) -> list[np.ndarray]:
        from utils.engine import no_grad

        x, outputs = image[None, None].astype(np.float32), []
        with no_grad():
            for layer in self._layers:
                x = layer(x)
                outputs.append(x.numpy()[0])
        return outputs


def _recipe(model: Sequence[Module]) -> tuple[tuple[tuple[Any, ...], ...], list[np.ndarray]]:
    """Each layer as (kind, *settings), and all weights in the order of the layers."""
    layers, arrays = [], []
    for layer in model:
        kind = type(layer).__name__
        if kind not in LAYERS:
            raise TypeError(f"DigitPad knows {', '.join(LAYERS)}, not {kind}")
        settings: tuple[int, ...] = ()
        if kind in ("Conv2d", "Linear"):
            if layer.bias is None:
                raise ValueError(f"{kind} needs a bias here; make it with bias=True")
            settings = tuple(map(int, layer.weight.shape))
            arrays += [layer.weight.data, layer.bias.data]
        if kind == "Conv2d":
            if (_one(layer.stride), _one(layer.dilation), layer.groups) != (1, 1, 1):
                raise ValueError("DigitPad takes Conv2d with stride, dilation and groups 1")
            settings += (_one(layer.padding),)
        if kind == "MaxPool2d":
            size = _one(layer.kernel_size)
            stride = size if layer.stride is None else _one(layer.stride)
            if (stride, _one(layer.padding), _one(layer.dilation)) != (size, 0, 1):
                raise ValueError("DigitPad takes MaxPool2d whose stride is its size, unpadded")
            settings = (size,)
        layers.append((kind, *settings))
    return tuple(layers), arrays


def _one(setting: Any) -> int:
    """A setting of both axes as one number."""
    first, *others = np.atleast_1d(setting).tolist()
    if any(other != first for other in others):
        raise ValueError(f"DigitPad takes settings equal in both directions, got {setting}")
    return int(first)
