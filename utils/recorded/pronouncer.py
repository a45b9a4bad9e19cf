"""The encoder–decoder with attention that pronounces English words, a byte for each weight.

``python -m utils.recorded.pronouncer`` trains it again, in minutes.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np

from utils import recorded
from utils.weights import quantize

STEPS = 8_000  # of training: about ten times through the dictionary
SEED = 0


@functools.cache
def quantized() -> tuple[tuple[str, np.ndarray, np.ndarray], ...]:
    """Name, bytes and scales of each recorded array, as `quantize` gives them."""
    kept = recorded.load("pronouncer")
    names = [name.removesuffix("/bytes") for name in kept if name.endswith("/bytes")]
    return tuple((name, kept[f"{name}/bytes"], kept[f"{name}/scale"]) for name in names)


@functools.cache
def weights() -> Mapping[str, np.ndarray]:
    """The recorded weights by PyTorch's names and in its shapes, as float64."""
    state = {}
    for name, whole, scale in quantized():
        array = whole * scale.astype(np.float64)
        state[name] = array[0] if "bias" in name else array
    return state


def train(steps: int = STEPS, seed: int = SEED) -> dict[str, np.ndarray]:
    """Train a `Pronouncer` on the whole dictionary but its test words; return its weights."""
    import torch

    from utils.datasets import load_pronunciations
    from utils.models.seq2seq import Pronouncer
    from utils.models.seq2seq import train as fit

    data = load_pronunciations()
    torch.manual_seed(seed)
    model = Pronouncer(len(data.phonemes))
    rng = np.random.default_rng(seed)
    fit(model, (data.x_train, data.y_train), data.phonemes, steps=steps, rng=rng)
    return {name: value.numpy() for name, value in model.state_dict().items()}


def record(steps: int = STEPS) -> dict[str, np.ndarray]:
    """Train, and return ``NAME/bytes`` and ``NAME/scale`` of each weight."""
    kept = {}
    for name, array in train(steps).items():
        kept[f"{name}/bytes"], kept[f"{name}/scale"] = quantize(array)
    return kept


if __name__ == "__main__":
    recorded.make("pronouncer", record, seeds=[SEED])
