"""Paintings of six held-out outlines by the U-Nets of six settings, for the slider of λ.

``python -m utils.recorded.paintings`` trains the networks again, three minutes on one core. The
glyphs are chosen by eye: a face, whose yellow all networks know; a snail, whose dark shell shows in
the outline already; a frog and a palm tree, whose green a person knows; a shirt and a book, of
which nobody can know the color. Source: OpenMoji, CC BY-SA 4.0, openmoji.org: say so where you show
them.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from utils import recorded
from utils.recorded import translation

if TYPE_CHECKING:
    from torch import nn

GLYPHS = {"😀": "face", "🐌": "snail", "🐸": "frog", "🌴": "palm tree", "👚": "shirt", "📕": "book"}
SHOWN = ("L1", "λ = 100", "λ = 50", "λ = 10", "λ = 1", "GAN")  # of translation.SETTINGS
SEED = 0
STEPS = 127  # of a channel: half as many as usual, since noise is hard to compress


@functools.cache
def examples() -> tuple[np.ndarray, np.ndarray]:
    """The outlines (6, 64, 64) and true pictures (6, 64, 64, 3) of the glyphs, in [0, 1]."""
    from utils.datasets import load_sketches

    data = load_sketches()
    rows = [data.glyphs_test.index(glyph) for glyph in GLYPHS]
    return data.x_test[rows], data.y_test[rows]


@functools.cache
def pictures() -> dict[str, np.ndarray]:
    """What the network of each setting in `SHOWN` painted: (6, 64, 64, 3) in [0, 1], by name.

    Each is the network of seed 0, one of the three whose numbers `translation.values` gives.
    """
    kept = recorded.load("paintings")
    return {name: np.divide(kept[name], STEPS, dtype=np.float32) for name in SHOWN}


def painted(G: nn.Module) -> np.ndarray:
    """What a U-Net paints on the outlines, uint8 (6, 64, 64, 3) in steps of 1/127."""
    from utils.models import unet

    return np.rint(STEPS * unet.paint(G, examples()[0])).astype(np.uint8)


def study() -> dict[str, np.ndarray]:
    """Train the networks and let each paint."""
    return {name: painted(translation.train(name, SEED)) for name in SHOWN}


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    recorded.make("paintings", study, seeds=[SEED])
