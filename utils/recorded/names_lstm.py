"""A small LSTM that reads surnames and tells their language, for the gate viewer.

``python -m utils.recorded.names_lstm`` trains it again, in seconds.
"""

from __future__ import annotations

import numpy as np

from utils import recorded
from utils.layers import LSTM, Embedding
from utils.models.rnn import LastState
from utils.text import ALPHABET, encode_letters

HIDDEN, VECTOR, EPOCHS, LR = 12, 8, 15, 0.02
SEED = 0
MAX_LETTERS, MAX_UNITS = 16, 32
PARTS = ("embedding", *"WUbVa")  # the arrays of a model


def train(epochs: int = EPOCHS, seed: int = SEED) -> tuple[LastState, float]:
    """Train a small LSTM on surnames; the model and its accuracy on unseen names."""
    from utils.datasets import load_names
    from utils.layers import cross_entropy
    from utils.metrics import accuracy
    from utils.optim import AdamW, one_cycle
    from utils.training import evaluate, fit

    data, rng = load_names(), np.random.default_rng(seed)
    model = LastState(
        LSTM(VECTOR, HIDDEN, forget_bias=1, rng=rng),
        len(data.class_names),
        embedding=Embedding(1 + len(ALPHABET), VECTOR, 0, rng=rng),
        rng=rng,
    )
    x, batch = encode_letters(data.x_train, MAX_LETTERS), 64
    fit(
        model,
        (x, data.y_train),
        epochs,
        AdamW(model.parameters(), lr=LR),
        cross_entropy,
        batch_size=batch,
        schedule=one_cycle(epochs * -(-len(x) // batch)),
        max_norm=1.0,
        rng=rng,
    )
    unseen = encode_letters(data.x_test, MAX_LETTERS), data.y_test
    return model, evaluate(model, unseen, cross_entropy, {"accuracy": accuracy})["accuracy"]


def parts_of(model: LastState) -> dict[str, np.ndarray]:
    """The weights of a model as the viewer takes them; the LSTM's two biases are added."""
    core = model.core
    if not isinstance(core, LSTM) or model.embedding is None:
        raise TypeError("the viewer shows a LastState with an embedding and an LSTM")
    if len(model.embedding.weight) != 1 + len(ALPHABET) or core.hidden_size > MAX_UNITS:
        raise ValueError(
            f"the viewer takes an embedding of {1 + len(ALPHABET)} symbols and at most "
            f"{MAX_UNITS} units, got {len(model.embedding.weight)} and {core.hidden_size}"
        )
    return {
        "embedding": model.embedding.weight.data,
        "W": core.weight_ih_l0.data,
        "U": core.weight_hh_l0.data,
        "b": core.bias_ih_l0.data + core.bias_hh_l0.data,
        "V": model.head.weight.data,
        "a": model.head.bias.data,
    }


def record(epochs: int = EPOCHS) -> dict[str, np.ndarray]:
    """Train, and return the model's `PARTS` to four digits, ``languages`` and ``accuracy``."""
    from utils.datasets import load_names

    model, accuracy = train(epochs)
    round_all = np.vectorize(lambda number: float(f"{number:.4g}"))
    return {key: round_all(array) for key, array in parts_of(model).items()} | {
        "languages": np.array(load_names().class_names),
        "accuracy": np.array(round(accuracy, 4)),
    }


if __name__ == "__main__":
    recorded.make("names_lstm", record, seeds=[SEED])
