"""Shapes and arrows of a diagram: where they are and how much room their texts take."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from utils import plotting
from utils.diagrams._geometry import Point, Rect

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FONT = "DejaVu Sans"
TEXT, SMALL, SIGN = 11, 10, 14  # points: in a shape, beside one, and alone in a circle
LINE = 1.5  # points
FILL = 0.12  # opacity of a shape, so that gray text is readable on it
PITCH, BASELINE = 1.25, 0.31  # em: from line to line, and from a line's middle to its foot
MARGIN = 0.1  # inches, as all lengths below
PAD = 0.12  # from a text to its border
CLEAR = 0.05  # from a text to what it must not touch
GAP = 0.4  # the shortest arrow of a row
SHEET = 0.045  # from one feature map to the next behind it
DOT = 0.035  # radius
HEAD_LENGTH, HEAD_WIDTH = 0.11, 0.09
CORNER = 0.09  # radius where an arrow bends
SIDES = {"above": (0, 1), "below": (0, -1), "right": (1, 0), "left": (-1, 0)}
BENDS = ("", "-|", "|-", "-|-", "|-|")


@dataclass
class Shape:
    """What has a name: its body is what arrows end at, its extent includes the captions."""

    name: str
    kind: str
    text: str
    color: str
    width: float
    height: float
    at: Point | None = None
    size: tuple[int, ...] = ()  # of a tensor
    front: tuple[float, float] = (0.0, 0.0)  # width and height of its first sheet
    sheets: int = 1
    members: tuple[str, ...] = ()  # of a group

    @property
    def body(self) -> Rect:
        return Rect.around(*self.at, self.width, self.height)

    def captions(self) -> list[tuple[str, Rect]]:
        """Texts outside the body: the name of a tensor above it, its size beneath it."""
        if self.kind != "tensor":
            return []
        (w, h), (v, k) = measure(self.text, SMALL), measure(times(self.size), SMALL)
        left, bottom, right, top = self.body
        half = self.front[0] / 2
        return [
            (self.text, Rect.around(right - half, top + CLEAR + h / 2, w, h)),
            (times(self.size), Rect.around(left + half, bottom - CLEAR - k / 2, v, k)),
        ]

    @property
    def extent(self) -> Rect:
        return Rect.union(self.parts())

    def parts(self) -> list[Rect]:
        """Body and captions."""
        return [self.body, *(rect for _, rect in self.captions())]

    @property
    def points(self) -> int:
        """Size of the text; a sign alone in a circle is large."""
        return SIGN if self.kind == "circle" and len(self.text) == 1 else TEXT

    def outlines(self) -> list[list[Point]]:
        """Polygons whose outermost edge an arrow ends at."""
        if self.kind in ("circle", "dot"):
            (x, y), r = self.at, self.width / (2 if self.kind == "circle" else 8)
            turns = [2 * math.pi * k / 180 for k in range(180)]
            return [[(x + r * math.cos(t), y + r * math.sin(t)) for t in turns]]
        (left, bottom, right, top), (width, height) = self.body, self.front
        if self.kind != "tensor":
            return [self.body.corners()]
        stack = [
            (left, bottom),
            (left + width, bottom),
            (right, top - height),
            (right, top),
            (right - width, top),
            (left, bottom + height),
        ]
        return [stack, *(rect.padded(CLEAR / 2).corners() for _, rect in self.captions())]


@dataclass
class Arrow:
    start: str
    end: str
    label: str
    side: str
    color: str
    dashed: bool
    points: list[Point]

    def segments(self) -> Iterator[tuple[Point, Point]]:
        return itertools.pairwise(self.points)

    def __str__(self) -> str:
        return f"the arrow {self.start} → {self.end}"


def times(size: Sequence[int]) -> str:
    """A size as it is written beneath an array: 6×28×28."""
    return "×".join(map(str, size))


def plain(text: str) -> str:
    """The text in one line, without the signs of mathtext; x̂ is read as "x hat"."""
    text = re.sub(r"\\(hat|bar|tilde) *{?(\w)}?", r"\2 \1", " ".join(text.split()))
    return re.sub(r"[${}\\]", "", text)


def measure(text: str, points: float) -> Point:
    """Width and height in inches of lines as `write` puts them: centered, at the same distance."""
    widths, halves = zip(*(_extent(line, points) for line in text.split("\n")), strict=True)
    return max(widths), 2 * max(halves) + PITCH * (len(widths) - 1) * points / 72


@lru_cache(maxsize=1024)
def _extent(line: str, points: float) -> Point:
    """Width, and how far the line reaches up or down from its middle."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    fig = Figure(dpi=plotting.SCREEN_DPI * plotting.PIXEL_RATIO)
    renderer = FigureCanvasAgg(fig).get_renderer()
    text = fig.text(0, 0, line, fontsize=points, fontfamily=FONT, va="baseline")
    box, em = text.get_window_extent(renderer), points / 72
    half = 0.55 * em  # letters; formulas may be taller
    if "$" in line:
        up, down = box.y1 / fig.dpi - BASELINE * em, BASELINE * em - box.y0 / fig.dpi
        half = max(half, up, down)
    return float(box.width) / fig.dpi, float(half)


@lru_cache
def _signs() -> frozenset[int]:
    """Code points that the font can draw."""
    from matplotlib.font_manager import findfont, get_font

    return frozenset(get_font(findfont(FONT)).get_charmap()) | {ord("\n")}


def check_text(text: str, name: str) -> None:
    if not text.strip():
        raise ValueError(f"{name!r} has an empty text")
    if strange := [sign for sign in text if ord(sign) not in _signs()]:
        raise ValueError(f"{name!r}: {FONT} has no {strange[0]!r}")


def check_color(color: str) -> None:
    if color not in plotting.COLORS:
        raise ValueError(f"the color must be one of plotting.COLORS, got {color!r}")
