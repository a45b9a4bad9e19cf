"""Ways of arrows from border to border, and places beside them for labels."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

from utils.diagrams._geometry import Point, Rect
from utils.diagrams._shapes import CLEAR, SIDES, SMALL, Arrow, Shape, measure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


def route(a: Shape, b: Shape, bend: str, reach: float, shift: float) -> list[Point]:
    """The corners of an arrow, from inside a to inside b."""
    if bend == "":
        return _straight(a, b, shift)
    start, *inner, end = _bent(a, b, bend, reach, shift)
    if len(inner) == 2 and math.dist(*inner) < 1e-6:  # no step between shapes opposite each other
        inner.pop()
    return [start, *inner, end]


def _bent(a: Shape, b: Shape, bend: str, reach: float, shift: float) -> list[Point]:
    (ax, ay), (bx, by) = a.at, b.at
    if bend == "-|":
        return [(ax, ay + shift), (bx + shift, ay + shift), (bx + shift, by)]
    if bend == "|-":
        return [(ax + shift, ay), (ax + shift, by + shift), (bx, by + shift)]
    if bend == "-|-":
        x = _turn((a.body.left, a.body.right), (b.body.left, b.body.right), reach)
        return [(ax, ay + shift), (x, ay + shift), (x, by + shift), (bx, by + shift)]
    y = _turn((a.body.bottom, a.body.top), (b.body.bottom, b.body.top), reach)
    return [(ax + shift, ay), (ax + shift, y), (bx + shift, y), (bx + shift, by)]


def _turn(a: Point, b: Point, reach: float) -> float:
    """Where a way turns: halfway between two intervals, or `reach` outside both."""
    if reach:
        return max(*a, *b) + reach if reach > 0 else min(*a, *b) + reach
    low, high = sorted((a, b))
    return (low[1] + high[0]) / 2


def _straight(a: Shape, b: Shape, shift: float) -> list[Point]:
    """Level or upright through the center of one, if it lies opposite the other; else slanted."""
    (ax, ay), (bx, by) = a.at, b.at
    for shape in sorted((a, b), key=lambda shape: shape.height):
        if all(s.body.bottom < shape.at[1] < s.body.top for s in (a, b)):
            return [(ax, shape.at[1] + shift), (bx, shape.at[1] + shift)]
    for shape in sorted((a, b), key=lambda shape: shape.width):
        if all(s.body.left < shape.at[0] < s.body.right for s in (a, b)):
            return [(shape.at[0] + shift, ay), (shape.at[0] + shift, by)]
    length = math.dist(a.at, b.at)
    nx, ny = (ay - by) / length * shift, (bx - ax) / length * shift
    if ny < 0 < shift or shift < 0 < ny:
        nx, ny = -nx, -ny
    return [(ax + nx, ay + ny), (bx + nx, by + ny)]


def border(shape: Shape, inside: Point, outside: Point) -> Point | None:
    """Where the segment leaves the shape for good; None if it starts beside it."""
    (px, py), (qx, qy) = inside, outside
    found = []
    for outline in shape.outlines():
        for (ux, uy), (vx, vy) in itertools.pairwise([*outline, outline[0]]):
            across = (qx - px) * (vy - uy) - (qy - py) * (vx - ux)
            if across == 0:
                continue
            t = ((ux - px) * (vy - uy) - (uy - py) * (vx - ux)) / across
            s = ((ux - px) * (qy - py) - (uy - py) * (qx - px)) / across
            if 0 <= t <= 1 and 0 <= s <= 1:
                found.append(t)
    if not found:
        return None
    t = max(found)
    return px + t * (qx - px), py + t * (qy - py)


def beside(arrow: Arrow) -> Iterator[Rect]:
    """Places for its label, the best first: at the longest part, in the middle, above or right."""
    w, h = measure(arrow.label, SMALL)
    wanted = [SIDES[arrow.side]] if arrow.side else [(0, 1), (1, 0), (0, -1), (-1, 0)]
    for (px, py), (qx, qy) in sorted(arrow.segments(), key=lambda s: -math.dist(*s)):
        length = math.dist((px, py), (qx, qy))
        normal = (-(qy - py) / length, (qx - px) / length)
        for (sx, sy), t in itertools.product(wanted, (0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8)):
            toward = normal[0] * sx + normal[1] * sy
            if abs(toward) < 0.3:  # this part of the way has no such side
                continue
            nx, ny = (math.copysign(1, toward) * n for n in normal)
            away = abs(nx) * w / 2 + abs(ny) * h / 2 + CLEAR
            yield Rect.around(px + t * (qx - px) + nx * away, py + t * (qy - py) + ny * away, w, h)


def first_free(
    places: Iterable[Rect], rects: Sequence[Rect], segments: Sequence[tuple[Point, Point]]
) -> Rect | None:
    """The first place that keeps clear of all rectangles and segments, or None."""
    for place in places:
        wide = place.padded(0.9 * CLEAR)  # a label stands at CLEAR from its own arrow
        if not any(map(wide.overlaps, rects)) and not any(wide.meets(*s) for s in segments):
            return place
    return None
