"""Words letter by letter: how a recurrent network reads them, and the network that writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from utils.engine import Tensor
from utils.layers import RNN, Embedding, Linear, Module, cross_entropy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

LETTERS = "abcdefghijklmnopqrstuvwxyz"
END = 0  # before the first letter and after the last; a is 1, z is 26
NOTHING = -1  # the target beyond the end


def encode(words: Sequence[str | Sequence[str]]) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets of teacher forcing: the word so far, and the letter that comes next.

    Returns:
        x, y, both int64 (N, T), T − 1 the length of the longest word: x begins with `END` and goes
        on with the letters, y has the letters and then `END`, `NOTHING` beyond.

    Raises:
        ValueError: a word has other signs than a … z, or there is none.

    """
    if not len(words) or not set().union(*words) <= set(LETTERS):
        raise ValueError(f"encode takes words of the letters a to z, got {words!r:.60}")
    steps = 1 + max(map(len, words))
    x, y = np.full((len(words), steps), END), np.full((len(words), steps), NOTHING)
    for row, word in enumerate(words):
        indices = [1 + LETTERS.index(letter) for letter in word]
        x[row, 1 : 1 + len(indices)] = indices
        y[row, : 1 + len(indices)] = [*indices, END]
    return x, y


class LetterRNN(Module):
    """Scores for the next letter at every place: embedding, recurrent layer, one linear layer."""

    def __init__(self, hidden: int, embedding: int = 24, *, rng: np.random.Generator) -> None:
        self.embedding = Embedding(1 + len(LETTERS), embedding, rng=rng)
        self.rnn = RNN(embedding, hidden, rng=rng)
        self.head = Linear(hidden, 1 + len(LETTERS), rng=rng)

    def forward(self, x: ArrayLike) -> Tensor:
        """Indices (N, T) → scores (N, T, 27)."""
        states, _ = self.rnn(self.embedding(x))
        return self.head(states)


def letter_loss(scores: Tensor, targets: ArrayLike) -> Tensor:
    """Mean cross-entropy in nats over all places (N, T) that have a target."""
    targets = np.asarray(targets).ravel()
    asked = np.flatnonzero(targets != NOTHING)
    return cross_entropy(scores.reshape(len(targets), -1)[asked], targets[asked])
