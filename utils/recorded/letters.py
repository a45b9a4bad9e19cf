"""A recurrent network that writes words letter by letter, for the word writer.

``python -m utils.recorded.letters`` trains it again, in half a minute.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from utils import recorded
from utils.models.rnn import LetterRNN, letter_loss

if TYPE_CHECKING:
    from collections.abc import Mapping

HIDDEN, EPOCHS, SEED = 96, 6, 0


@functools.cache
def weights() -> Mapping[str, np.ndarray]:
    """The recorded weights as `fold` gives them."""
    return {name: half.astype(np.float32) for name, half in recorded.load("letters").items()}


def fold(model: LetterRNN) -> dict[str, np.ndarray]:
    """The model's weights with all that is added joined, float32.

    ``table`` (27, H) is what each sign adds to the state before tanh: W times its embedding, and
    both biases; ``U`` (H, H), ``V`` (27, H) and ``c`` (27,) are the recurrent matrix and the head.
    """
    rnn, head = model.rnn, model.head
    table = model.embedding.weight.data @ rnn.weight_ih_l0.data.T
    table += rnn.bias_ih_l0.data + rnn.bias_hh_l0.data
    parts = {"table": table, "U": rnn.weight_hh_l0.data}
    parts |= {"V": head.weight.data, "c": head.bias.data}
    return {name: np.asarray(part, np.float32) for name, part in parts.items()}


def train(
    hidden: int = HIDDEN, epochs: int = EPOCHS, words: int | None = None
) -> dict[str, np.ndarray]:
    """Train a network on `words` words of the pronouncing dictionary (None: all); see `fold`."""
    from utils.datasets import load_pronunciations
    from utils.optim import Adam, linear_decay
    from utils.text import next_letter_pairs
    from utils.training import fit

    rng = np.random.default_rng(SEED)
    x, y = next_letter_pairs(load_pronunciations().x_train[:words])
    model, batch = LetterRNN(hidden, rng=rng), 128
    steps = epochs * -(-len(x) // batch)
    fit(
        model,
        (x, y),
        epochs,
        Adam(model.parameters(), lr=6e-3),
        letter_loss,
        batch_size=batch,
        schedule=linear_decay(steps),
        max_norm=5.0,
        rng=rng,
    )
    return fold(model)


def record() -> dict[str, np.ndarray]:
    """Train, and return the weights in half precision."""
    return {name: part.astype(np.float16) for name, part in train().items()}


if __name__ == "__main__":
    recorded.make("letters", record, seeds=[SEED])
