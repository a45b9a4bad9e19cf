"""Convolution stepper: slide a 3×3 kernel over a picture and read the sum at each place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import traitlets

from utils import plotting
from utils.widgets._hero import Hero, Numbers, script
from utils.widgets.activation_explorer import Choice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure

SIZE = 28
LIMIT = 4
OPERATIONS = ("cross-correlation", "convolution")
KERNELS = {
    "vertical edges": ((1, 0, -1), (1, 0, -1), (1, 0, -1)),
    "horizontal edges": ((1, 1, 1), (0, 0, 0), (-1, -1, -1)),
    "outline": ((0, 1, 0), (1, -4, 1), (0, 1, 0)),
    "sharpen": ((0, -1, 0), (-1, 4, -1), (0, -1, 0)),
    "blur": ((0.5, 1, 0.5), (1, 2, 1), (0.5, 1, 0.5)),
    "one step": ((0, 0, 0), (1, 0, 0), (0, 0, 0)),
}


def smiley() -> np.ndarray:
    """A smiling face, (28, 28) in [0, 1]: a ring, two eyes and a mouth."""
    y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    r = np.hypot(x, y)
    strokes = [np.abs(r - 11), np.hypot(np.abs(x) - 4, y + 3.5) - 0.8]
    strokes.append(np.where(y > 1.5, np.abs(r - 6.5), np.inf))
    return np.clip(1.6 - np.min(strokes, axis=0), 0, 1)


def convolve(
    image: Any,
    kernel: Any,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    operation: str = "cross-correlation",
) -> np.ndarray:
    """Slide a kernel over an image; beyond the image there are zeros.

    y[i, j] = Σ_m Σ_n w[m, n]·x[i·stride + m·dilation − padding, j·stride + n·dilation − padding];
    a convolution turns the kernel by 180° first.

    Args:
        image: (H, W).
        kernel: (K, K).
        stride: step of the window.
        padding: rows and columns of zeros on each side.
        dilation: distance of neighboring kernel entries in the image.
        operation: one of `OPERATIONS`.

    Returns:
        (H′, W′) with H′ = ⌊(H + 2·padding − dilation·(K − 1) − 1)/stride⌋ + 1.

    """
    x = np.pad(np.asarray(image, float), padding)
    w = np.asarray(kernel, float)
    w = w[::-1, ::-1] if operation == "convolution" else w
    h, v = ((side - dilation * (len(w) - 1) - 1) // stride + 1 for side in x.shape)
    y = np.zeros((h, v))
    for m in range(len(w)):  # the order of additions is that of the browser
        for n in range(len(w)):
            rows, columns = (slice(k * dilation, None, stride) for k in (m, n))
            y += w[m, n] * x[rows, columns][:h, :v]
    return y


class ConvolutionStepper(Hero):
    """Edit a 3×3 kernel, slide it over a picture, see products, sum and feature map.

    ```python
    stepper = ConvolutionStepper(position=(10, 12))
    stepper.kernel = ((1, 0, -1), (2, 0, -2), (1, 0, -1))
    stepper.value
    ```

    Args:
        pictures: name → (28, 28) in [0, 1]; three handwritten digits and a smiley by default.
        **state: any of the attributes, and `caption`, `alt`.

    Attributes:
        picture: the name of the picture.
        kernel: 3×3 weights, each −4 … 4.
        position: row and column in the feature map; beyond its edge the last ones count.
        stride, padding, dilation: "1" or "2", "0" or "1", "1" or "2".
        operation: one of `OPERATIONS`.

    Raises:
        ValueError: a picture of another shape or range, or none.
        traitlets.TraitError: a state that is out of range, NaN or of the wrong shape.

    """

    STATE = ("picture", "kernel", "position", "stride", "padding", "dilation", "operation")
    CONSTANTS: ClassVar = {"SIZE": SIZE, "KERNELS": KERNELS}
    _esm = script("convolution_stepper")

    picture = traitlets.Unicode().tag(sync=True)
    kernel = Numbers(KERNELS["vertical edges"], -LIMIT, LIMIT).tag(sync=True)
    position = Numbers((12, 17), 0, SIZE + 1).tag(sync=True)
    stride = Choice(("1", "2"), "1").tag(sync=True)
    padding = Choice(("0", "1"), "0").tag(sync=True)
    dilation = Choice(("1", "2"), "1").tag(sync=True)
    operation = Choice(OPERATIONS, OPERATIONS[0]).tag(sync=True)
    pictures = traitlets.Tuple(read_only=True).tag(sync=True)

    def __init__(self, pictures: Mapping[str, Any] | None = None, **state: Any) -> None:
        pictures = _defaults() if pictures is None else pictures
        if not pictures:
            raise ValueError('give at least one picture: ConvolutionStepper({"name": array})')
        checked = tuple((str(name), _checked(name, image)) for name, image in pictures.items())
        self.set_trait("pictures", checked)
        super().__init__(**{"picture": checked[0][0]} | state)

    @traitlets.validate("picture")
    def _known(self, proposal: Any) -> str:
        names = [name for name, _ in self.pictures]
        if proposal["value"] not in names:
            raise traitlets.TraitError(
                f"picture must be one of {', '.join(names)}; got {proposal['value']!r}"
            )
        return proposal["value"]

    @property
    def image(self) -> np.ndarray:
        """The picture, (28, 28)."""
        return np.array(dict(self.pictures)[self.picture])

    @property
    def feature_map(self) -> np.ndarray:
        """The sums at all places, (H′, W′)."""
        stride, padding, dilation = map(int, (self.stride, self.padding, self.dilation))
        return convolve(self.image, self.kernel, stride, padding, dilation, self.operation)

    @property
    def place(self) -> tuple[int, int]:
        """Row and column of the window's sum in the feature map."""
        row, column = self.position
        height, width = self.feature_map.shape
        return min(int(row), height - 1), min(int(column), width - 1)

    @property
    def value(self) -> float:
        """The sum at the present place."""
        return float(self.feature_map[self.place])

    def describe(self) -> str:
        """Return the present state in words."""
        row, column = self.place
        height, width = self.feature_map.shape
        return (
            f"A 3×3 kernel slides over a picture of 28×28 pixels, {self.picture}, by "
            f"{self.operation} with stride {self.stride}, padding {self.padding} and dilation "
            f"{self.dilation}. The feature map has {height}×{width} numbers; in row {row}, column "
            f"{column} the nine products sum to {self.value:.2f}."
        )

    def draw(self) -> Figure:
        """Return picture with window, kernel, and feature map with the present place."""
        fig, (left, middle, right) = plotting.figure(
            1, 3, width=8.5, height=3.2, width_ratios=(3, 2, 3)
        )
        row, column = self.place
        stride, padding, dilation = map(int, (self.stride, self.padding, self.dilation))
        reach = 2 * dilation + 1
        corner = np.array((column, row)) * stride - padding - 0.5
        left.imshow(self.image, vmin=0, vmax=1)
        left.add_patch(_square(corner, reach))
        left.set(title=self.picture, xlim=(-1.5, SIZE + 0.5), ylim=(SIZE + 0.5, -1.5))
        y = self.feature_map
        right.imshow(y, cmap=plotting.signed(), vmin=-np.abs(y).max(), vmax=np.abs(y).max())
        right.add_patch(_square(np.array((column, row)) - 0.5, 1))
        right.set(title=f"feature map {y.shape[0]}×{y.shape[1]}")
        right.set(xlim=(-1.5, SIZE + 0.5), ylim=(SIZE + 0.5, -1.5))
        middle.imshow(self.kernel, cmap=plotting.signed(), vmin=-2 * LIMIT, vmax=2 * LIMIT)
        for m, n in np.ndindex(3, 3):
            text = f"{self.kernel[m][n]:g}".replace("-", "−")
            middle.text(n, m, text, ha="center", va="center", color="black")
        middle.set_title("kernel")
        middle.text(1, 3, f"sum {self.value:.2f}".replace("-", "−"), ha="center", va="center")
        for ax in (left, middle, right):
            ax.set_axis_off()
        return fig


def _square(corner: np.ndarray, side: float) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(corner, side, side, fill=False, edgecolor=plotting.GREEN, linewidth=2.5)


def _defaults() -> dict[str, np.ndarray]:
    from utils.datasets import load_digits

    digits = load_digits(full=False)
    first = {str(k): digits.x_test[np.flatnonzero(digits.y_test == k)[0]] for k in (7, 4, 8)}
    return {f"a handwritten {k}": image for k, image in first.items()} | {"a smiley": smiley()}


def _checked(name: str, image: Any) -> tuple[tuple[float, ...], ...]:
    """The picture as nested tuples, rounded to two decimals, which is what the widget shows."""
    image = np.asarray(image, float)
    if image.shape != (SIZE, SIZE) or not ((image >= 0) & (image <= 1)).all():
        raise ValueError(f"picture {name!r} must be {SIZE}×{SIZE} numbers from 0 to 1")
    return tuple(map(tuple, np.round(image, 2).tolist()))
