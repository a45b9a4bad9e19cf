"""The canvas: shapes and arrows are added, checked, laid out, drawn and put into words."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from numbers import Integral
from typing import TYPE_CHECKING, Any, NamedTuple

from utils import plotting
from utils.diagrams._artists import arrow_patches, shape_patches, write
from utils.diagrams._geometry import Point, Rect
from utils.diagrams._shapes import (
    BENDS,
    CLEAR,
    DOT,
    GAP,
    HEAD_LENGTH,
    MARGIN,
    PAD,
    SHEET,
    SIDES,
    SMALL,
    TEXT,
    Arrow,
    Shape,
    check_color,
    check_text,
    measure,
    plain,
    times,
)
from utils.diagrams._ways import beside, border, first_free, route
from utils.plotting import BLUE, GRAY, ORANGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure


class _Edge(NamedTuple):
    """An arrow, or several through dots, for `describe`."""

    start: str
    end: str
    label: str
    color: str


@dataclass
class Diagram:
    """Shapes with names and arrows between them, on a canvas measured in inches from bottom left.

    ```python
    d = Diagram(8, 1.8)
    d.row(
        [d.tensor("image", (1, 28, 28)), d.tensor("maps", (8, 24, 24)), d.box("dense")],
        labels=["conv 5×5", "flatten"],
    )
    show(d.figure, 1, "…", alt=d.describe())
    ```

    A shape without a place (`at`, its center) gets one from `row` or `column`. Texts may hold
    mathtext, as in ``"$h_{t-1}$"``. What cannot be drawn well is refused when it is added or,
    where later shapes matter, when the figure is drawn.

    Args:
        width: of the canvas, in inches of 72 screen pixels.
        height: of the canvas.
        scale: side in inches of a feature map of one pixel; one of n × n has √n times that.

    """

    width: float = 8.0
    height: float = 3.2
    scale: float = 0.18
    _shapes: dict[str, Shape] = field(default_factory=dict, init=False, repr=False)
    _arrows: list[Arrow] = field(default_factory=list, init=False, repr=False)

    # ------------------------------------------------------------ shapes

    def box(
        self,
        name: str,
        at: Point | None = None,
        text: str | None = None,
        *,
        color: str = BLUE,
        width: float = 0.0,
        height: float = 0.0,
    ) -> str:
        """Add a box around `text`, by default its name; at least so wide and high. Return the name.

        Raises:
            ValueError: the name is taken, the text is empty or has a sign that the font lacks, the
                color is none of the course's, or the place is off the canvas or taken.

        """
        text = self._fresh(name, text, color)
        w, h = measure(text, TEXT)
        width, height = max(width, w + 2 * PAD), max(height, h + 2 * PAD)
        return self._add(Shape(name, "box", text, color, width, height), at)

    def circle(
        self, name: str, at: Point | None = None, text: str | None = None, *, color: str = ORANGE
    ) -> str:
        """Add a circle, as for what is done element by element: +, ⊙, tanh. Errors as `box`."""
        text = self._fresh(name, text, color)
        side = max(0.36, measure(text, TEXT)[0] + PAD)
        return self._add(Shape(name, "circle", text, color, side, side), at)

    def text(
        self, name: str, at: Point | None = None, text: str | None = None, *, color: str = GRAY
    ) -> str:
        """Add a text without border, as for inputs and outputs. Errors as `box`."""
        text = self._fresh(name, text, color)
        w, h = measure(text, TEXT)
        return self._add(Shape(name, "text", text, color, w + 2 * CLEAR, h + 2 * CLEAR), at)

    def dot(self, name: str, at: Point | None = None) -> str:
        """Add a dot, where lines meet or part; arrows to it have no head. Errors as `box`."""
        text = self._fresh(name, None, GRAY)
        return self._add(Shape(name, "dot", text, GRAY, 2 * DOT, 2 * DOT), at)

    def tensor(
        self,
        name: str,
        size: tuple[int, ...],
        at: Point | None = None,
        text: str | None = None,
        *,
        color: str = BLUE,
    ) -> str:
        """Add an array in its size, with its text (by default the name) above, the size beneath.

        (channels, height, width) is a stack of feature maps, fewer sheets than channels where
        these are many; (rows, columns) is one sheet; (n,) is a bar that grows with log n.

        Raises:
            ValueError: as `box`; or the size is no one to three positive whole numbers.

        """
        if not 1 <= len(size) <= 3 or not all(isinstance(n, Integral) and n > 0 for n in size):
            raise ValueError(
                f"{name!r}: the size must be 1 to 3 positive whole numbers, got {size}"
            )
        text = self._fresh(name, text, color)
        sheets = 1
        if len(size) == 1:
            front = (0.14, 0.3 + 0.12 * math.log2(size[0]))
        else:
            front = (self.scale * math.sqrt(size[-1]), self.scale * math.sqrt(size[-2]))
        if len(size) == 3:
            sheets = min(8, 1 + round(1.25 * math.log2(size[0])))
        deep = (sheets - 1) * SHEET
        shape = Shape(name, "tensor", text, color, front[0] + deep, front[1] + deep)
        shape.size, shape.front, shape.sheets = size, front, sheets
        return self._add(shape, at)

    def group(
        self,
        name: str,
        members: Sequence[str],
        text: str | None = None,
        *,
        color: str = GRAY,
        pad: float = 0.15,
    ) -> str:
        """Add a dashed frame around shapes and the arrows between them, with its text at the top.

        An arrow may start or end at it. Errors as `box`; also when another shape lies across it.
        """
        if not members:
            raise ValueError(f"{name!r} frames nothing: name its members")
        text = self._fresh(name, text, color)
        inside = [self._placed(member).extent for member in members]
        for arrow in self._arrows:
            if {arrow.start, arrow.end} <= set(members):
                inside += [Rect(*point, *point) for point in arrow.points]
        w, h = measure(text, SMALL)
        frame = Rect.union(inside).padded(pad)
        lack = max(0.0, w + 2 * PAD - (frame.right - frame.left)) / 2
        frame = Rect(frame.left - lack, frame.bottom, frame.right + lack, frame.top + h)
        shape = Shape(
            name, "group", text, color, frame.right - frame.left, frame.top - frame.bottom
        )
        shape.members = tuple(members)
        return self._add(shape, ((frame.left + frame.right) / 2, (frame.bottom + frame.top) / 2))

    def _fresh(self, name: str, text: str | None, color: str) -> str:
        """The text of a new shape, after a look at its name, text and color."""
        if not name.strip():
            raise ValueError("a shape needs a name")
        if name in self._shapes:
            raise ValueError(f"there is already a shape {name!r}")
        check_color(color)
        text = name if text is None else text
        check_text(text, name)
        return text

    def _add(self, shape: Shape, at: Point | None) -> str:
        if at is not None:
            self._place(shape, at)
        self._shapes[shape.name] = shape
        return shape.name

    def _place(self, shape: Shape, at: Point) -> None:
        shape.at = (float(at[0]), float(at[1]))
        extent = shape.extent
        if not Rect(0, 0, self.width, self.height).holds(extent):
            where = " to ".join(f"({x:.2f}, {y:.2f})" for x, y in (extent[:2], extent[2:]))
            raise ValueError(
                f"{shape.name!r}, {where}, is not on the canvas of {self.width} × {self.height}"
            )
        for other in self._shapes.values():
            if other is shape or other.at is None or "group" in (shape.kind, other.kind):
                continue
            if extent.overlaps(other.extent):
                raise ValueError(f"{shape.name!r} overlaps {other.name!r}")

    def _known(self, name: str) -> Shape:
        if name not in self._shapes:
            raise ValueError(f"no shape {name!r}; the shapes are {', '.join(self._shapes)}")
        return self._shapes[name]

    def _placed(self, name: str) -> Shape:
        shape = self._known(name)
        if shape.at is None:
            raise ValueError(f"{name!r} has no place: give `at`, or put it into a row or column")
        return shape

    # ------------------------------------------------------------ layout

    def row(
        self,
        names: Sequence[str],
        y: float | None = None,
        *,
        left: float = MARGIN,
        right: float | None = None,
        labels: Sequence[str] = (),
        **options: Any,
    ) -> None:
        """Place shapes from left to right with centers at height `y`, and join them by arrows.

        They fill the canvas, or what lies between `left` and `right`; by default in its middle.

        Args:
            names: shapes without a place.
            y: height of the centers.
            left: where the first begins.
            right: where the last ends.
            labels: a text for each arrow, or fewer; "" is none.
            options: passed on to `arrow`, for instance ``color`` or ``side``.

        Raises:
            ValueError: a shape has a place or there is too little room; else as `arrow`.

        """
        self._spread(
            names,
            self.height / 2 if y is None else y,
            0,
            (left, self.width - MARGIN if right is None else right),
            labels,
            options,
        )

    def column(
        self,
        names: Sequence[str],
        x: float | None = None,
        *,
        top: float | None = None,
        bottom: float = MARGIN,
        labels: Sequence[str] = (),
        **options: Any,
    ) -> None:
        """Place shapes from top to bottom with centers at `x`, and join them, as `row` does."""
        self._spread(
            names,
            self.width / 2 if x is None else x,
            1,
            (bottom, self.height - MARGIN if top is None else top),
            labels,
            options,
        )

    def _spread(
        self,
        names: Sequence[str],
        across: float,
        axis: int,
        limits: Point,
        labels: Sequence[str],
        options: dict[str, Any],
    ) -> None:
        kind = ("row", "column")[axis]
        shapes = [self._known(name) for name in names]
        labels = _padded(labels, len(names) - 1, kind)
        for shape in shapes:
            if shape.at is not None:
                raise ValueError(f"{shape.name!r} has a place already; join it by `connect`")
            shape.at = (0.0, 0.0)
        # before, body, after: what lies on the way, seen in its direction
        spans = []
        for shape in shapes:
            body, extent = shape.body, shape.extent
            spans.append(
                (body.left - extent.left, shape.width, extent.right - body.right)
                if axis == 0
                else (extent.top - body.top, shape.height, body.bottom - extent.bottom)
            )
            shape.at = None
        gaps = []
        for (one, two), label in zip(itertools.pairwise(spans), labels, strict=True):
            room = measure(label, SMALL)[axis] + HEAD_LENGTH + 2 * CLEAR if label else 0.0
            captions = one[2] + two[0]
            gaps.append(
                max(GAP, room, captions + 2 * CLEAR) if axis == 0 else captions + max(GAP, room)
            )
        need = spans[0][0] + sum(body for _, body, _ in spans) + sum(gaps) + spans[-1][2]
        spare = limits[1] - limits[0] - need
        if spare < 0:
            raise ValueError(
                f"the {kind} {' → '.join(names)} needs {need:.2f} inches, "
                f"there are {limits[1] - limits[0]:.2f}"
            )
        share = spare / (len(gaps) or 2)
        way = spans[0][0] + (0 if gaps else share)
        for shape, (_, body, _), gap in zip(shapes, spans, [*gaps, 0.0], strict=True):
            center = way + body / 2
            self._place(
                shape, (limits[0] + center, across) if axis == 0 else (across, limits[1] - center)
            )
            way += body + gap + share
        self.connect(*names, labels=labels, **options)

    # ------------------------------------------------------------ arrows

    def connect(self, *names: str, labels: Sequence[str] = (), **options: Any) -> None:
        """Draw arrows from each shape to the next; `labels` and `options` as in `row`."""
        labels = _padded(labels, len(names) - 1, "chain")
        for (start, end), label in zip(itertools.pairwise(names), labels, strict=True):
            self.arrow(start, end, label, **options)

    def arrow(
        self,
        start: str,
        end: str,
        label: str = "",
        *,
        bend: str = "",
        reach: float = 0.0,
        shift: float = 0.0,
        side: str = "",
        color: str = GRAY,
        dashed: bool = False,
    ) -> None:
        """Draw an arrow from border to border.

        Args:
            start: name of a shape.
            end: name of another.
            label: a text beside the longest part of the way, where there is room.
            bend: the way as a picture: ``""`` straight, ``"-|"`` across and then up or down,
                ``"|-"`` the other order, ``"-|-"`` and ``"|-|"`` with a turn halfway.
            reach: with the last two, lead the way around both shapes at this distance: to the
                right of them or above; if negative, to the left or below.
            shift: move it sideways, up or to the right, so that two arrows can go side by side.
            side: of the label: above, below, left or right; by default where there is room.
            color: one of `plotting.COLORS`.
            dashed: as for gradients.

        Raises:
            ValueError: an unknown name, bend, side or color; a shape without a place; a way that
                is too short, leaves the canvas, or misses or crosses its own shapes.

        """
        a, b = self._placed(start), self._placed(end)
        if bend not in BENDS:
            raise ValueError(f"bend must be one of {', '.join(map(repr, BENDS))}, got {bend!r}")
        if side not in ("", *SIDES):
            raise ValueError(f"side must be one of {', '.join(SIDES)}, got {side!r}")
        check_color(color)
        if label:
            check_text(label, f"{start} → {end}")
        arrow = Arrow(start, end, label, side, color, dashed, route(a, b, bend, reach, shift))
        inner = [Rect(*point, *point) for point in arrow.points[1:-1]]
        if a.body.overlaps(b.body) or any(s.body.holds(point) for s in (a, b) for point in inner):
            raise ValueError(f"{arrow} would run inside its own shapes; try another bend")
        first, last = border(a, *arrow.points[:2]), border(b, *arrow.points[:-3:-1])
        if first is None or last is None:
            raise ValueError(f"{arrow} misses its shapes: shift={shift} is too far")
        arrow.points[0], arrow.points[-1] = first, last
        if b.kind != "dot" and math.dist(*arrow.points[-2:]) < 1.5 * HEAD_LENGTH:
            raise ValueError(f"{arrow} is too short for its head")
        canvas = Rect(0, 0, self.width, self.height)
        if not all(canvas.holds(Rect(*point, *point)) for point in arrow.points):
            raise ValueError(f"{arrow} leaves the canvas")
        self._arrows.append(arrow)

    # ------------------------------------------------------------ drawing

    @property
    def figure(self) -> Figure:
        """A new figure of the diagram, for `show`.

        Raises:
            ValueError: a shape has no place, an arrow runs through a shape, a frame cuts one, or
                a title or label has no room.

        """
        for name in self._shapes:
            self._placed(name)
        self._check_frames()
        self._check_arrows()
        texts = self._titles()
        texts += self._labels([rect for _, rect, _ in texts])
        fig, ax = plotting.figure(width=self.width, height=self.height)
        fig.set_layout_engine("none")
        ax.set_position((0, 0, 1, 1))
        ax.set(xlim=(0, self.width), ylim=(0, self.height))
        ax.set_axis_off()
        for shape in self._shapes.values():
            for patch in shape_patches(shape):
                patch.set_gid(f"{shape.kind} {shape.name}")
                ax.add_patch(patch)
            if shape.kind in ("box", "circle", "text"):
                write(ax, shape.text, shape.body, shape.points, shape)
            for text, rect in shape.captions():
                write(ax, text, rect, SMALL, shape)
        for arrow in self._arrows:
            for patch in arrow_patches(arrow, self._shapes[arrow.end].kind != "dot"):
                ax.add_patch(patch)
        for text, rect, owner in texts:
            write(ax, text, rect, SMALL, owner)
        return fig

    def _of_kind(self, *, group: bool) -> list[Shape]:
        return [shape for shape in self._shapes.values() if (shape.kind == "group") == group]

    def _check_frames(self) -> None:
        for frame in self._of_kind(group=True):
            for shape in self._shapes.values():
                a, b = frame.body, shape.extent
                if a.overlaps(b) and not a.holds(b) and not (shape.kind == "group" and b.holds(a)):
                    raise ValueError(f"the frame {frame.name!r} cuts {shape.name!r}")

    def _check_arrows(self) -> None:
        for arrow, shape in itertools.product(self._arrows, self._of_kind(group=False)):
            own = shape.name in (arrow.start, arrow.end)
            parts = [rect for _, rect in shape.captions()] if own else shape.parts()
            if any(part.meets(*segment) for part in parts for segment in arrow.segments()):
                raise ValueError(f"{arrow} runs through {shape.name!r}")

    def _obstacles(self) -> tuple[list[Rect], list[tuple[Point, Point]]]:
        """Where no text may stand: rectangles and segments."""
        rects = [part for shape in self._of_kind(group=False) for part in shape.parts()]
        segments = [segment for arrow in self._arrows for segment in arrow.segments()]
        for frame in self._of_kind(group=True):
            corners = frame.body.corners()
            segments += itertools.pairwise([*corners, corners[0]])
        return rects, segments

    def _titles(self) -> list[tuple[str, Rect, Shape]]:
        """Titles of frames, at the top, as far left as arrows allow."""
        rects, segments = self._obstacles()
        found = []
        for frame in self._of_kind(group=True):
            w, h = measure(frame.text, SMALL)
            left, _, right, _ = frame.body.padded(-PAD)
            places = [
                Rect.around(
                    left + w / 2 + k / 8 * (right - left - w), frame.body.top - CLEAR - h / 2, w, h
                )
                for k in range(9)
            ]
            rect = first_free(places, rects, segments)
            if rect is None:
                raise ValueError(f"no room for the title of {frame.name!r}; try another pad")
            rects.append(rect)
            found.append((frame.text, rect, frame))
        return found

    def _labels(self, taken: Sequence[Rect]) -> list[tuple[str, Rect, Arrow]]:
        rects, segments = self._obstacles()
        rects += taken
        canvas, found = Rect(0, 0, self.width, self.height), []
        for arrow in self._arrows:
            if not arrow.label:
                continue
            places = [rect for rect in beside(arrow) if canvas.holds(rect)]
            rect = first_free(places, rects, segments)
            if rect is None:
                raise ValueError(f"no room for {arrow.label!r} at {arrow}; make the canvas larger")
            rects.append(rect)
            found.append((arrow.label, rect, arrow))
        return found

    # ------------------------------------------------------------ in words

    def describe(self) -> str:
        """A draft of the alt text: what leads to what, dashed arrows last; then the frames.

        A way goes on as long as the color of its arrows stays. A shape is given by its name, with
        its text or size where it is first named; the label of an arrow stands between the shapes
        that it joins. Dots where a line parts are left out.
        """
        told, ways = set(), []

        def spoken(name: str) -> str:
            shape = self._shapes[name]
            if name in told or shape.kind == "group":
                return plain(name)
            told.add(name)
            text = plain(shape.text)
            rest = text.removeprefix(plain(name))
            if rest == text or rest[:1].isalnum():
                text = f"{plain(name)} ({text})"
            return f"{text} {times(shape.size)}" if shape.size else text

        for dashed in (False, True):
            edges = self._edges(dashed)
            while edges:
                ends = {edge.end for edge in edges}
                step = next((edge for edge in edges if edge.start not in ends), edges[0])
                way = [spoken(step.start)]
                while step:
                    edges.remove(step)
                    way += [plain(step.label)] if step.label else []
                    way.append(spoken(step.end))
                    here = (step.end, step.color)
                    step = next((edge for edge in edges if (edge.start, edge.color) == here), None)
                ways.append("dashed: " * dashed + " → ".join(way))
        ways += [
            spoken(shape.name)
            for shape in self._of_kind(group=False)
            if shape.name not in told and shape.kind != "dot"
        ]
        sentences = ["; ".join(ways)] if ways else []
        for frame in self._of_kind(group=True):
            inside = [plain(m) for m in frame.members if self._shapes[m].kind != "dot"]
            sentences.append(f"{plain(frame.text)} frames {', '.join(inside)}")
        return "".join(f"{sentence}. " for sentence in sentences).rstrip()

    def _edges(self, dashed: bool) -> list[_Edge]:
        chosen = (arrow for arrow in self._arrows if arrow.dashed == dashed)
        edges = [_Edge(arrow.start, arrow.end, arrow.label, arrow.color) for arrow in chosen]
        for dot in (name for name, shape in self._shapes.items() if shape.kind == "dot"):
            coming = [edge for edge in edges if edge.end == dot]
            going = [edge for edge in edges if edge.start == dot]
            if len(coming) == 1 and going:
                edges = [edge for edge in edges if dot not in (edge.start, edge.end)]
                first = coming[0]
                for edge in going:
                    label = " → ".join(filter(None, (first.label, edge.label)))
                    edges.append(_Edge(first.start, edge.end, label, edge.color))
        return edges


def _padded(labels: Sequence[str], arrows: int, kind: str) -> list[str]:
    if len(labels) > max(arrows, 0):
        raise ValueError(f"the {kind} has {arrows} arrows and {len(labels)} labels")
    return [*labels, *[""] * (arrows - len(labels))]
