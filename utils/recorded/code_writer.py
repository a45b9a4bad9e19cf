"""A GPT that writes Python in the page: its matrices as bytes, and the byte pairs it reads.

``python -m utils.recorded.code_writer`` trains it again, about five minutes on one core.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from utils import recorded
from utils.recorded import gpt_study

if TYPE_CHECKING:
    from collections.abc import Mapping

    from utils.byte_pairs import BytePairs
    from utils.models.transformer import GPT

WAY, STEPS, SEED = "GPT, long", 1_900, 0
SCALE = ".scale"  # the end of a name: one number for each row of the matrix before it


def weights() -> dict[str, np.ndarray]:
    """The recorded weights, as `rounded` names them."""
    kept = recorded.load("code_writer")
    return {name: a for name, a in kept.items() if name not in ("merges", "bits", "python")}


def coder() -> BytePairs:
    """The byte pairs with which it was trained."""
    from utils.byte_pairs import BytePairs

    return BytePairs(recorded.load("code_writer")["merges"].tolist())


def bits() -> tuple[float, float]:
    """Bits for a byte of the held-out text: as it was trained, and with matrices as bytes."""
    exact, as_bytes = recorded.load("code_writer")["bits"].tolist()
    return exact, as_bytes


def rounded(model: GPT) -> dict[str, np.ndarray]:
    """Arrays of a model in its order: matrices as int8, each followed by the scales of its rows.

    Scales, biases and norms are float32.
    """
    from utils.weights import quantize

    kept = {}
    for name, tensor in model.state_dict().items():
        array = tensor.numpy(force=True)
        if array.ndim == 2:
            kept[name], kept[name + SCALE] = quantize(array)
        else:
            kept[name] = array.astype(np.float32)
    return kept


def restored(kept: Mapping[str, np.ndarray]) -> GPT:
    """A GPT in float64 that computes with exactly these bytes and scales.

    Raises:
        RuntimeError: arrays of another model.

    """
    import torch

    model = gpt_study.build(WAY, len(kept["tokens.weight"])).double()
    exact = {name: a.astype(np.float64) for name, a in kept.items() if not name.endswith(SCALE)}
    for name in exact:
        if name + SCALE in kept:
            exact[name] *= kept[name + SCALE]
    model.load_state_dict({name: torch.from_numpy(array) for name, array in exact.items()})
    return model.eval()


def record(steps: int = STEPS, seed: int = SEED) -> dict[str, np.ndarray]:
    """Train the GPT; return `rounded` weights, ``merges``, ``bits`` and the ``python`` it read."""
    import torch

    from utils.datasets import load_code
    from utils.models.language_model import bits_per_byte, train

    torch.set_num_threads(1)
    coder, tokens, held_out = gpt_study.corpus()
    torch.manual_seed(seed)
    model = gpt_study.build(WAY, len(coder))
    context, rng = gpt_study.CONTEXT, np.random.default_rng(seed)
    train(model, tokens, steps=steps, context=context, rng=rng, **gpt_study.WAYS[WAY].training)
    kept = rounded(model)
    bits = [bits_per_byte(one, held_out, coder, context) for one in (model, restored(kept))]
    return kept | {
        "merges": np.array(coder.merges, np.uint16),
        "bits": np.round(bits, 4),
        "python": np.array(load_code().version),
    }


if __name__ == "__main__":
    recorded.make("code_writer", record, seeds=[SEED])
