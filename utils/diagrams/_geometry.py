"""Rectangles, in inches from the bottom left of the canvas."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

Point = tuple[float, float]


class Rect(NamedTuple):
    """A rectangle in inches."""

    left: float
    bottom: float
    right: float
    top: float

    @classmethod
    def around(cls, x: float, y: float, width: float, height: float) -> Rect:
        """The rectangle with center (x, y)."""
        return cls(x - width / 2, y - height / 2, x + width / 2, y + height / 2)

    @classmethod
    def union(cls, rects: Sequence[Rect]) -> Rect:
        """The smallest rectangle that holds all of them."""
        left, bottom, right, top = zip(*rects, strict=True)
        return cls(min(left), min(bottom), max(right), max(top))

    def padded(self, by: float) -> Rect:
        """The rectangle, larger by so much on each side."""
        return Rect(self.left - by, self.bottom - by, self.right + by, self.top + by)

    def corners(self) -> list[Point]:
        """The four corners, counterclockwise from bottom left."""
        return [
            (self.left, self.bottom),
            (self.right, self.bottom),
            (self.right, self.top),
            (self.left, self.top),
        ]

    def overlaps(self, other: Rect) -> bool:
        """Whether the two share more than an edge."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.bottom < other.top
            and other.bottom < self.top
        )

    def holds(self, other: Rect) -> bool:
        """Whether `other` lies inside; never true of NaN."""
        return (
            self.left <= other.left
            and other.right <= self.right
            and self.bottom <= other.bottom
            and other.top <= self.top
        )

    def meets(self, p: Point, q: Point) -> bool:
        """Whether the segment from p to q has a part inside (Liang & Barsky, 1984)."""
        first, last = 0.0, 1.0
        for start, end, low, high in (
            (p[0], q[0], self.left, self.right),
            (p[1], q[1], self.bottom, self.top),
        ):
            way = end - start
            if way == 0:
                if not low < start < high:
                    return False
                continue
            enters, leaves = sorted(((low - start) / way, (high - start) / way))
            first, last = max(first, enters), min(last, leaves)
        return first < last
