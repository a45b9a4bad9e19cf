"""Words letter by letter: the recurrent network of chapter 08 in NumPy and in PyTorch.

Run ``python -m tests.bench.letters``. Bits a letter on 2,000 words that were not learned from.
"""

from __future__ import annotations

import sys

import numpy as np

from tests.bench._race import Contestant, Race, Result, Stopwatch
from utils import optim, training
from utils.datasets import load_pronunciations
from utils.models.rnn import LetterRNN, letter_loss
from utils.text import IGNORED, next_letter_pairs
from utils.weights import copy_weights

HIDDEN, EMBEDDING, EPOCHS, BATCH, LR = 128, 32, 4, 128, 5e-3


def data() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Inputs and targets for training, and for the test."""
    words = load_pronunciations()
    return next_letter_pairs(words.x_train), next_letter_pairs(words.x_test)


def counted(seed: int, signs_before: int) -> Result:
    """Counting how often a sign occurs, or follows another; the seed does not matter."""
    (x, y), (x_new, y_new) = data()
    counts = np.ones((27, 27))
    np.add.at(counts, (x[y != IGNORED], y[y != IGNORED]), 1)
    if not signs_before:
        counts[:] = counts.sum(axis=0)
    p = counts / counts.sum(axis=1, keepdims=True)
    asked = y_new != IGNORED
    return {"bits": -np.log2(p[x_new[asked], y_new[asked]]).mean()}


def engine(seed: int) -> Result:
    """The chapter's network, wider and trained for longer."""
    seen, unseen = data()
    rng = np.random.default_rng(seed)
    model = LetterRNN(HIDDEN, EMBEDDING, rng=rng)
    with Stopwatch() as clock:
        _train(model, seen, optim.Adam(model.parameters(), lr=LR), letter_loss, rng)
    bits = training.evaluate(model, unseen, letter_loss)["loss"] / np.log(2)
    return {"bits": bits, "seconds": clock.seconds}


def in_torch(seed: int) -> Result:
    """The same network from the same weights on the same batches in PyTorch."""
    import torch

    torch.set_num_threads(1)
    seen, unseen = data()
    rng = np.random.default_rng(seed)

    class Twin(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = torch.nn.Embedding(27, EMBEDDING)
            self.rnn = torch.nn.RNN(EMBEDDING, HIDDEN, batch_first=True)
            self.head = torch.nn.Linear(HIDDEN, 27)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.rnn(self.embedding(x))[0])

    def loss(scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(
            scores.flatten(0, 1), targets.flatten(), ignore_index=IGNORED
        )

    model = Twin()
    copy_weights(LetterRNN(HIDDEN, EMBEDDING, rng=rng), model)
    with Stopwatch() as clock:
        _train(model, seen, torch.optim.Adam(model.parameters(), lr=LR), loss, rng)
    bits = training.evaluate(model, unseen, loss)["loss"] / np.log(2)
    return {"bits": bits, "seconds": clock.seconds}


def _train(model, seen, optimizer, loss, rng) -> None:
    steps = EPOCHS * -(-len(seen[0]) // BATCH)
    training.fit(
        model,
        seen,
        EPOCHS,
        optimizer,
        loss,
        batch_size=BATCH,
        max_norm=5.0,
        rng=rng,
        schedule=lambda t: 1 - t / steps,
    )


RACE = Race(
    "letters",
    "words letter by letter, unseen",
    {"bits": "{:.3f}", "seconds": "{:.1f}"},
    {
        "unigram": Contestant("how often each sign occurs", lambda seed: counted(seed, 0)),
        "bigram": Contestant("how often each sign follows another", lambda seed: counted(seed, 1)),
        "engine": Contestant(
            "chapter 08, NumPy, 128 units, 4 epochs", engine, "≤ 3.25 bits in 30 s"
        ),
        "torch": Contestant("the same in PyTorch", in_torch),
    },
    headline="**Letters** (chapter 08): our recurrent network needs {engine[bits]} bits per letter "
    "of an unseen word, counting pairs of letters {bigram[bits]}.",
)

if __name__ == "__main__":
    sys.exit(RACE.main(sys.argv[1:]))
