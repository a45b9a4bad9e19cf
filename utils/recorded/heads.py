"""Where all heads of the pretrained encoder look in five sentences, a byte for each weight.

``python -m utils.recorded.heads`` computes it again, in seconds.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from utils import recorded

if TYPE_CHECKING:
    from utils.models.encoder import Encoder

SENTENCES = (
    "My name is Wolff. I live in Berlin.",
    "The dog chased the cat, and then it climbed up a tree.",
    "How do I copy a folder with everything in it?",
    "The bank of the river was green, the bank in town was closed.",
    "Unbelievably, a tokenizer cuts seldom words into pieces.",
)
STEPS = 255  # of a weight from 0 to 1
LONGEST = 24  # word pieces of a reader's own sentence, [CLS] and [SEP] among them


class Look(NamedTuple):
    """Where the heads look in a text.

    `pieces` are the T word pieces; `maps`, uint8 (layers, heads, T, T), has a row for each piece
    that looks: its weights in `STEPS`.
    """

    text: str
    pieces: tuple[str, ...]
    maps: np.ndarray


@functools.cache
def _encoder() -> Encoder:
    from utils.models.encoder import load_encoder

    return load_encoder()


def look(text: str) -> Look:
    """Ask the encoder.

    Raises:
        DataUnavailable: its package is missing.
        ValueError: the text has more than `LONGEST` word pieces.

    """
    encoder = _encoder()
    count = len(encoder.tokenizer.encode(text).ids)
    if count > LONGEST:
        raise ValueError(f"{count} word pieces are too many to be drawn; at most {LONGEST} are")
    pieces, maps = encoder.maps(text)
    return Look(text, tuple(pieces), np.rint(STEPS * maps).astype(np.uint8))


@functools.cache
def looks() -> tuple[Look, ...]:
    """What is recorded, a `Look` for each of `SENTENCES`."""
    kept = recorded.load("heads")
    return tuple(
        Look(text, tuple(kept[f"{k} pieces"].tolist()), kept[f"{k} maps"])
        for k, text in enumerate(kept["texts"].tolist())
    )


def record() -> dict[str, np.ndarray]:
    """Look at all of `SENTENCES`."""
    kept = {"texts": np.array(SENTENCES)}
    for k, text in enumerate(SENTENCES):
        _, pieces, maps = look(text)
        kept[f"{k} pieces"], kept[f"{k} maps"] = np.array(pieces), maps
    return kept


if __name__ == "__main__":
    recorded.make("heads", record, seeds=[0])
