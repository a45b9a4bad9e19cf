"""Six test digits on their way through CycleGANs, there and back, in both directions.

``python -m utils.recorded.round_trips`` trains four CycleGANs again, two minutes on one core.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from utils import recorded
from utils.recorded import cycle

if TYPE_CHECKING:
    from torch import nn

    from utils.datasets.looks import Worlds

DIGITS = range(6)  # the first test image of each
# name → the setting in cycle.SETTINGS and the seed; the cycle of ink with seed 1 closes, too, but
# around signs that are mostly read as other digits
TRAININGS = {
    "ink": ("ink", 0),
    "ink, seed 1": ("ink", 1),
    "neon": ("neon, long", 0),
    "any colors": ("any colors", 0),
}
SEEDS = range(2)


class Trips(NamedTuple):
    """Images in [0, 1] of six digits, and what the judge of digits reads in the gray ones.

    With the true gray digit in the middle, B → A → B ends at `a_there`, too.

    Attributes:
        a: gray digits (6, 32, 32).
        a_there: what `to_B` makes of them, (6, 32, 32, 3).
        a_back: what `to_A` makes of that, (6, 32, 32).
        b: the same digits in the look, (6, 32, 32, 3).
        b_there: what `to_A` makes of them, (6, 32, 32).
        b_back: what `to_B` makes of that, (6, 32, 32, 3).
        reads: what is read, (6,) each, by ``"a"``, ``"a_back"`` and ``"b_there"``.

    """

    a: np.ndarray
    a_there: np.ndarray
    a_back: np.ndarray
    b: np.ndarray
    b_there: np.ndarray
    b_back: np.ndarray
    reads: dict[str, np.ndarray]


IMAGES = Trips._fields[:-1]
READS = {field: f"{field} read" for field in ("a", "a_back", "b_there")}  # of the gray ones


@functools.cache
def trips() -> dict[str, Trips]:
    """The recorded round trips by the names of `TRAININGS`."""
    return {
        name: Trips(
            *(np.divide(kept[field], 255, dtype=np.float32) for field in IMAGES),
            reads={field: kept[read] for field, read in READS.items()},
        )
        for name, kept in ((name, kept_of(name)) for name in TRAININGS)
    }


def kept_of(name: str) -> dict[str, np.ndarray]:
    """What is recorded of one of the `TRAININGS`: bytes of images, and readings."""
    kept = recorded.load("round_trips")
    return {field: kept[key_of(name, field)] for field in (*IMAGES, *READS.values())}


def key_of(name: str, field: str) -> str:
    """Where the record keeps it; gray digits are kept once for all, a look once for its seeds."""
    if field in ("a", READS["a"]):
        return field
    return f"{look_of(name) if field == 'b' else name}: {field}"


def look_of(name: str) -> str:
    """The look of one of the `TRAININGS`."""
    return cycle.SETTINGS[TRAININGS[name][0]].look


def error(start: np.ndarray, back: np.ndarray) -> np.ndarray:
    """The mean absolute error of the channels of each image (N, H, W) or (N, H, W, 3): (N,)."""
    return np.abs(start - back).mean(axis=tuple(range(1, start.ndim)), dtype=float)


def travel(to_A: nn.Module, to_B: nn.Module, worlds: Worlds) -> dict[str, np.ndarray]:
    """Send the digits there and back; return images as uint8 and what is read in the gray ones."""
    from utils.datasets.looks import cropped
    from utils.models.cyclegan import translate
    from utils.recorded import judge

    rows = [int(np.argmax(worlds.labels == digit)) for digit in DIGITS]
    a, b = worlds.a_test[rows], worlds.b_test[rows]
    a_there, b_there = translate(to_B, a), translate(to_A, b)
    images = (a, a_there, translate(to_A, a_there), b, b_there, translate(to_B, b_there))
    kept = {
        field: np.rint(255 * made).astype(np.uint8)
        for field, made in zip(IMAGES, images, strict=True)
    }
    reads = {
        read: judge.read(cropped(kept[field] / 255)).astype(np.uint8)
        for field, read in READS.items()
    }
    return kept | reads


def study() -> dict[str, np.ndarray]:
    """Train the networks and let each travel."""
    from utils.datasets.looks import load_worlds

    kept = {}
    for name, (setting, seed) in TRAININGS.items():
        game = cycle.train(setting, seed)
        made = travel(game.to_A, game.to_B, load_worlds(look_of(name), seed))
        kept |= {key_of(name, field): array for field, array in made.items()}
    return kept


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    recorded.make("round_trips", study, seeds=SEEDS)
