"""The low-rank adapter and head that find entities on the pretrained encoder, in float16.

``python -m utils.recorded.entity_adapter`` trains them again on CoNLL-2003, which it downloads, in
a quarter of an hour on one core.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from utils import recorded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from utils.datasets import Entities
    from utils.models.encoder import EntityTagger

STEPS = 2_640  # three times through the 14,041 sentences
SEED = 0
PARTS = ("valid", "test")  # that training has not seen


def fresh(seed: int = SEED) -> EntityTagger:
    """The pretrained encoder, frozen, with adapters that change nothing yet and a random head.

    Raises:
        DataUnavailable: the encoder's package is missing.

    """
    import torch

    from utils.models.encoder import EntityTagger, add_adapters, load_encoder

    torch.manual_seed(seed)
    encoder = load_encoder()
    add_adapters(encoder)
    return EntityTagger(encoder)


def learned(tagger: EntityTagger) -> dict[str, np.ndarray]:
    """All that is not frozen, by its name."""
    return {
        name: parameter.detach().numpy().astype(np.float16)
        for name, parameter in tagger.named_parameters()
        if parameter.requires_grad
    }


@functools.cache
def tagger() -> EntityTagger:
    """The recorded tagger, ready to be asked.

    Raises:
        DataUnavailable: the encoder's package is missing.

    """
    return _with(fresh(), recorded.load("entity_adapter"))


def _with(made: EntityTagger, kept: Mapping[str, np.ndarray]) -> EntityTagger:
    import torch

    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if parameter.requires_grad:
                parameter.copy_(torch.from_numpy(kept[name].astype(np.float32)))
    return made.eval().requires_grad_(False)


def scores() -> dict[str, float]:
    """F1 of entities that the recorded tagger reached, by part of CoNLL-2003 that was scored."""
    kept = recorded.load("entity_adapter")
    return {part: float(kept[f"f1_{part}"]) for part in PARTS if f"f1_{part}" in kept}


def train(
    data: Entities, steps: int = STEPS, seed: int = SEED, parts: Sequence[str] = PARTS
) -> dict[str, np.ndarray]:
    """Train adapters and head; return their weights, and F1 on the sentences of `parts`."""
    from utils.metrics import entity_f1
    from utils.models.encoder import tag, train_tagger

    made = fresh(seed)
    rng = np.random.default_rng(seed)
    train_tagger(made, data.x_train, data.y_train, steps=steps, lr=4e-3, rng=rng)
    kept = learned(made)
    _with(made, kept)  # what is scored is what is kept, rounded
    for part in parts:
        sentences, right = (getattr(data, f"{side}_{part}") for side in "xy")
        kept[f"f1_{part}"] = np.array(entity_f1(tag(made, sentences), right))
    return kept


def record() -> dict[str, np.ndarray]:
    """Train on the full data.

    Raises:
        DataUnavailable: they cannot be downloaded, or the encoder's package is missing.

    """
    from utils.datasets import load_entities

    return train(load_entities(full=True))


if __name__ == "__main__":
    recorded.make("entity_adapter", record, seeds=[SEED])
