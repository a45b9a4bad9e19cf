"""Recurrent networks on the engine: one that reads a sequence, one that writes words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from utils.layers import RNN, Embedding, Linear, Module, cross_entropy
from utils.text import ALPHABET, IGNORED, PAD

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from utils.engine import Tensor


class LastState(Module):
    """A recurrent layer whose last output a linear layer reads: (N, T, D) → (N, outputs).

    `core` is an `RNN`, `LSTM` or `GRU`. With an `embedding`, inputs are integers (N, T), and
    `PAD` is masked.
    """

    def __init__(
        self,
        core: Module,
        outputs: int,
        *,
        embedding: Embedding | None = None,
        rng: np.random.Generator,
    ) -> None:
        self.embedding, self.core = embedding, core
        self.head = Linear(core.hidden_size, outputs, rng=rng)

    def forward(self, x: np.ndarray) -> Tensor:
        """Scores of each sequence."""
        if self.embedding is None:
            output, _ = self.core(x)
        else:
            output, _ = self.core(self.embedding(x), mask=x != PAD)
        return self.head(output[:, -1])


class LetterRNN(Module):
    """Scores for the next letter at every place: embedding, recurrent layer, one linear layer."""

    def __init__(self, hidden: int, embedding: int = 24, *, rng: np.random.Generator) -> None:
        self.embedding = Embedding(1 + len(ALPHABET), embedding, rng=rng)
        self.rnn = RNN(embedding, hidden, rng=rng)
        self.head = Linear(hidden, 1 + len(ALPHABET), rng=rng)

    def forward(self, x: ArrayLike) -> Tensor:
        """Indices (N, T) → scores (N, T, 27)."""
        states, _ = self.rnn(self.embedding(x))
        return self.head(states)


def letter_loss(scores: Tensor, targets: ArrayLike) -> Tensor:
    """Mean cross-entropy in nats over all places (N, T) that have a target."""
    targets = np.asarray(targets).ravel()
    asked = np.flatnonzero(targets != IGNORED)
    return cross_entropy(scores.reshape(len(targets), -1)[asked], targets[asked])
