"""One look for all figures, readable on white and on black, with caption and alt text."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from utils import runtime

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

# Okabe & Ito (2008), darkened or lightened until each stands out 3:1 from white and from black
BLUE, ORANGE, GREEN, PINK, GRAY = "#0072b2", "#d55e00", "#00895f", "#c06595", "#7a7a7a"
COLORS = (BLUE, ORANGE, GREEN, PINK, GRAY)
OLIVE = "#8a6d00"  # a sixth, where six things run at once
BOX_COLORS = (BLUE, ORANGE, GREEN, PINK, OLIVE)  # a gray frame is lost on a colored ground
MARKERS = ("o", "s", "^", "D", "v")
SCREEN_DPI = 72
PIXEL_RATIO = 2


def style() -> dict[str, Any]:
    """Return the course's matplotlib settings: transparent ground, gray frame, no chart junk."""
    from cycler import cycler

    lines = cycler(color=COLORS) + cycler(linestyle=["-", "--", "-.", ":", (0, (5, 1, 1, 1))])
    return {
        "figure.facecolor": "none",
        "axes.facecolor": "none",
        "savefig.facecolor": "none",
        "figure.dpi": SCREEN_DPI,
        "figure.constrained_layout.use": True,
        "font.size": 11,
        "axes.titlesize": 12,
        "axes.titlecolor": GRAY,
        "axes.labelcolor": GRAY,
        "axes.edgecolor": GRAY,
        "text.color": GRAY,
        "xtick.color": GRAY,
        "ytick.color": GRAY,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": False,
        "axes.prop_cycle": lines,
        "lines.linewidth": 2.0,
        "lines.markersize": 6.0,
        "legend.frameon": False,
        "legend.labelcolor": GRAY,
        "image.cmap": "gray",
        "image.interpolation": "nearest",
    }


def signed() -> Colormap:
    """Return the colors of signed numbers: orange below zero, white at it, blue above."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("signed", [ORANGE, "white", BLUE])


def figure(
    rows: int = 1, cols: int = 1, *, width: float = 8.0, height: float = 3.2, **options: Any
) -> tuple[Figure, Any]:
    """Return a new figure in the course's look and its axes, as `Figure.subplots` gives them.

    `width` and `height` are in inches of 72 screen pixels; `options` go to `Figure.subplots`.
    No pyplot: nothing is kept alive behind the reader's back.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    matplotlib.rcParams.update(style())
    fig = Figure(figsize=(width, height))
    FigureCanvasAgg(fig)
    return fig, fig.subplots(rows, cols, **options)


def render(fig: Figure) -> Any:
    """Return the figure as a Pillow image (RGBA) with two pixels per screen pixel."""
    from PIL import Image

    buffer = io.BytesIO()
    fig.savefig(
        buffer, format="png", dpi=SCREEN_DPI * PIXEL_RATIO, pil_kwargs={"compress_level": 0}
    )
    return Image.open(buffer).convert("RGBA")


def to_png(fig: Figure) -> bytes:
    """Return the figure as a PNG with a palette of 256 colors: a quarter of the weight in git."""
    from PIL import Image

    buffer = io.BytesIO()
    image = render(fig).quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    image.save(buffer, format="png", optimize=True)
    return buffer.getvalue()


def png_bundle(fig: Figure, alt: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a MIME bundle and its metadata: the picture, its alt text and its size on the screen.

    Raises:
        ValueError: the alt text is empty.

    """
    if not alt.strip():
        raise ValueError(
            "a figure needs an alt text: say what a person who cannot see it must know"
        )
    width, height = (round(side * SCREEN_DPI) for side in fig.get_size_inches())
    return (
        {"image/png": to_png(fig), "text/plain": alt},
        {"image/png": {"alt": alt, "width": width, "height": height}},
    )


def show(picture: Any, number: int, caption: str, *, alt: str) -> None:
    """Display a figure or a widget with its caption; `alt` describes it to who cannot see it."""
    from IPython.display import display
    from matplotlib.figure import Figure

    if isinstance(picture, Figure):
        data, metadata = png_bundle(picture, alt)
        display(data, metadata=metadata, raw=True)
    else:
        picture.alt = alt
        display(picture)
    show_caption(number, caption)


def show_caption(number: int, caption: str) -> None:
    """Display “Figure N. …” beneath what was shown before."""
    from IPython.display import display

    display(
        {
            "text/markdown": f"**Figure {number}.** {caption}",
            "text/plain": f"Figure {number}. {caption}",
        },
        raw=True,
    )


def image_grid(
    images: np.ndarray,
    titles: Sequence[str] = (),
    *,
    cols: int = 10,
    size: float = 0.8,
    **options: Any,
) -> Figure:
    """Return a figure of small images in rows of `cols`.

    Args:
        images: (N, H, W) gray in [0, 1], or (N, H, W, 3) color.
        titles: one short text an image, or none.
        cols: images in a row.
        size: side of one image in inches.
        options: passed on to `Axes.imshow`, for instance ``cmap`` and ``vmin``.

    """
    rows = -(-len(images) // cols)
    height = rows * (size + (0.25 if titles else 0.05))
    fig, axes = figure(rows, cols, width=cols * size, height=height, squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, image in zip(axes.flat, images, strict=False):
        ax.imshow(image, **({"vmin": 0, "vmax": 1} | options))
    for ax, title in zip(axes.flat, titles, strict=False):
        ax.set_title(title, fontsize=10)
    return fig


def draw_boxes(
    ax: Axes,
    image: np.ndarray,
    boxes: np.ndarray = (),
    labels: Sequence[int] = (),
    texts: Sequence[str] = (),
    **style: Any,
) -> None:
    """Show an image with boxes over it, and perhaps a word at each.

    Args:
        ax: where to draw; its frame and ticks go.
        image: (H, W, 3), uint8 or in [0, 1].
        boxes: (n, 4): x1, y1, x2, y2 as fractions of width and height.
        labels: the number of each box's color among `BOX_COLORS`; by default all have the first.
        texts: one for each box, at its upper left corner.
        style: passed on to `matplotlib.patches.Rectangle`, for instance ``linestyle``.

    """
    from matplotlib.patches import Rectangle

    ax.imshow(image, extent=(0, 1, 1, 0), aspect=image.shape[0] / image.shape[1])
    ax.set_axis_off()
    for j, (x1, y1, x2, y2) in enumerate(boxes):
        color = BOX_COLORS[labels[j] if len(labels) else 0]
        frame = {"fill": False, "edgecolor": color, "linewidth": 2} | style
        ax.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, **frame))
        if len(texts):
            ground = {"facecolor": color, "edgecolor": "none", "pad": 1}
            ax.text(x1, y1, texts[j], color="white", fontsize=8, va="bottom", bbox=ground)


def decision_region(
    ax: Axes, score: Callable[[np.ndarray], np.ndarray], *, steps: int = 200
) -> None:
    """Shade where `score` ((M, 2) → (M,)) is positive and draw the line where it is 0.

    The present limits of the axes are kept.
    """
    import numpy as np

    xlim, ylim = ax.get_xlim(), ax.get_ylim()
    x, y = np.meshgrid(np.linspace(*xlim, steps), np.linspace(*ylim, steps))
    z = np.asarray(score(np.stack([x.ravel(), y.ravel()], axis=1))).reshape(x.shape)
    ax.contourf(x, y, z, levels=[-np.inf, 0, np.inf], colors=[ORANGE, BLUE], alpha=0.15)
    ax.contour(x, y, z, levels=[0], colors=[GRAY], linewidths=2)
    ax.set(xlim=xlim, ylim=ylim)


class LiveCurve:
    """Curves that grow while a model trains: one display, redrawn in place.

    ```python
    with LiveCurve("train", "test", x="epoch", y="loss", number=4,
                   caption="…", alt="…") as curve:
        for epoch in range(20):
            curve.add(epoch, train=…, test=…)
    ```

    Where output is captured by a test, only the finished curve is drawn.
    """

    def __init__(self, *labels: str, x: str, y: str, number: int, caption: str, alt: str) -> None:
        self.number, self.caption, self.alt = number, caption, alt
        self.points: dict[str, tuple[list[float], list[float]]] = {n: ([], []) for n in labels}
        self.fig, self.ax = figure(height=3.0)
        self.ax.set(xlabel=x, ylabel=y)
        self.lines = {
            label: self.ax.plot([], [], marker=marker, markevery=0.2, label=label)[0]
            for label, marker in zip(labels, MARKERS, strict=False)
        }
        self.ax.legend()

    def add(self, x: float, **values: float) -> None:
        """Append one point to each named curve.

        Raises:
            KeyError: a name that is no curve of this figure.

        """
        for label, value in values.items():
            if label not in self.points:
                raise KeyError(f"no curve {label!r}; the curves are {', '.join(self.points)}")
            self.points[label][0].append(x)
            self.points[label][1].append(value)
        if runtime.shows_progress():
            self._redraw()

    def __enter__(self) -> LiveCurve:
        from IPython.display import display

        data, metadata = png_bundle(self.fig, self.alt)
        self.handle = display(data, metadata=metadata, raw=True, display_id=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._redraw()
        show_caption(self.number, self.caption)

    def _redraw(self) -> None:
        for label, (x, y) in self.points.items():
            self.lines[label].set_data(x, y)
        self.ax.relim()
        self.ax.autoscale_view()
        if self.handle is not None:  # outside Jupyter there is nothing to update
            data, metadata = png_bundle(self.fig, self.alt)
            self.handle.update(data, metadata=metadata, raw=True)
