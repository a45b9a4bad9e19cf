"""What matplotlib draws: patches and texts, each with a `gid` that says whose it is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from utils.diagrams._shapes import (
    BASELINE,
    CORNER,
    DOT,
    FILL,
    FONT,
    HEAD_LENGTH,
    HEAD_WIDTH,
    LINE,
    PITCH,
    SHEET,
    Arrow,
    Shape,
)
from utils.plotting import GRAY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Patch

    from utils.diagrams._geometry import Rect


def shape_patches(shape: Shape) -> list[Patch]:
    from matplotlib import patches

    left, bottom, _, _ = shape.body
    color = shape.color
    look = {"edgecolor": color, "facecolor": (color, FILL), "linewidth": LINE, "zorder": 2}
    if shape.kind == "text":
        return []
    if shape.kind == "dot":
        return [patches.Circle(shape.at, DOT, color=color, linewidth=0, zorder=4)]
    if shape.kind == "circle":
        return [patches.Circle(shape.at, shape.width / 2, **look)]
    if shape.kind != "tensor":
        if shape.kind == "group":
            look |= {"facecolor": "none", "linestyle": (0, (4, 3)), "linewidth": 1, "zorder": 1}
        round_ = patches.BoxStyle.Round(pad=0, rounding_size=0.07)
        size = (shape.width, shape.height)
        return [patches.FancyBboxPatch((left, bottom), *size, boxstyle=round_, **look)]
    look["linewidth"] = 1
    width, height = shape.front
    sheets = [patches.Rectangle((left, bottom), width, height, **look)]
    for k in range(1, shape.sheets):  # what can be seen of the maps behind: the ground stays clear
        x, y, d = left + k * SHEET, bottom + k * SHEET, SHEET
        seen = [
            (x, y + height - d),
            (x, y + height),
            (x + width, y + height),
            (x + width, y),
            (x + width - d, y),
            (x + width - d, y + height - d),
        ]
        sheets.append(patches.Polygon(seen, **look))
    return sheets


def arrow_patches(arrow: Arrow, headed: bool) -> list[Patch]:
    from matplotlib import patches
    from matplotlib.path import Path

    points = list(arrow.points)
    (px, py), (qx, qy) = points[-2:]
    length = math.dist((px, py), (qx, qy))
    ux, uy = (qx - px) / length, (qy - py) / length
    base = (qx - HEAD_LENGTH * ux, qy - HEAD_LENGTH * uy)
    if headed:
        points[-1] = base
    vertices, codes = [points[0]], [Path.MOVETO]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        lengths = math.dist(before, corner), math.dist(corner, after)
        r = min(CORNER, *(length / 2 for length in lengths))
        near = [
            tuple(c + r / length * (e - c) for c, e in zip(corner, other, strict=True))
            for other, length in zip((before, after), lengths, strict=True)
        ]
        vertices += [near[0], corner, near[1]]
        codes += [Path.LINETO, Path.CURVE3, Path.CURVE3]
    path = Path([*vertices, points[-1]], [*codes, Path.LINETO])
    line = patches.PathPatch(
        path,
        facecolor="none",
        edgecolor=arrow.color,
        linewidth=LINE,
        zorder=3,
        linestyle=(0, (3, 2)) if arrow.dashed else "-",
        capstyle="butt",
        gid=f"line {arrow}",
    )
    if not headed:
        return [line]
    half = HEAD_WIDTH / 2
    corners = [
        (qx, qy),
        (base[0] - half * uy, base[1] + half * ux),
        (base[0] + half * uy, base[1] - half * ux),
    ]
    head = patches.Polygon(
        corners, facecolor=arrow.color, linewidth=0, zorder=3, gid=f"head {arrow}"
    )
    return [line, head]


def write(ax: Axes, text: str, rect: Rect, points: float, owner: Shape | Arrow) -> None:
    """Write lines into their rectangle, with baselines that do not depend on the letters."""
    kind = "label" if isinstance(owner, Arrow) else owner.kind
    color = owner.color if kind in ("text", "label") else GRAY
    em = points / 72
    middle, lines = (rect.bottom + rect.top) / 2, text.split("\n")
    for k, line in enumerate(lines):
        y = middle + (PITCH * ((len(lines) - 1) / 2 - k) - BASELINE) * em
        ax.text(
            (rect.left + rect.right) / 2,
            y,
            line,
            ha="center",
            va="baseline",
            color=color,
            fontsize=points,
            fontfamily=FONT,
            zorder=5,
            gid=f"{kind} {getattr(owner, 'name', owner)}",
        )
