"""Sequences of chapter 09: names as numbers, batches of like lengths, the adding problem."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from utils.layers import Embedding, Linear, Module

if TYPE_CHECKING:
    from collections.abc import Sequence

    from utils.engine import Tensor

ALPHABET = "abcdefghijklmnopqrstuvwxyz"
PADDING = 0  # the number of no letter; a is 1, z is 26


def encode(words: Sequence[str], steps: int | None = None) -> np.ndarray:
    """Words of the letters a to z as integers (N, T): 1 … 26, then `PADDING` to T = `steps`.

    None takes the longest word.

    Raises:
        ValueError: a word has other characters, or more than `steps` letters.

    """
    longest = max(map(len, words), default=0)
    steps = longest if steps is None else steps
    if longest > steps:
        raise ValueError(f"the longest word has {longest} letters, more than {steps} steps")
    numbers = np.full((len(words), steps), PADDING)
    for row, word in zip(numbers, words, strict=True):
        row[: len(word)] = [ALPHABET.find(letter) + 1 for letter in word]
        if not row[: len(word)].all():
            raise ValueError(f"{word!r} has characters other than the letters a to z")
    return numbers


def buckets(lengths: np.ndarray, size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Batches of like lengths: all indices 0 … N − 1, `size` in each batch but one, shuffled.

    Sorted by length, with ties in random order, then cut; the batches come in random order.
    """
    order = rng.permutation(len(lengths))
    order = order[np.argsort(np.asarray(lengths)[order], kind="stable")]
    batches = [order[start : start + size] for start in range(0, len(order), size)]
    return [batches[k] for k in rng.permutation(len(batches))]


def adding_problem(
    rng: np.random.Generator, samples: int, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Sequences (N, T, 2) and their targets (N,): the sum of the two numbers that are marked.

    The first feature is uniform in [0, 1). The second is 0, but 1 at one random place in the first
    half and at one in the second. Answering 1 always leaves a mean squared error of 1/6, the
    variance of the sum of two uniform numbers.

    Source: S. Hochreiter and J. Schmidhuber (1997), section 5.4, with today's ranges and without
    their varying length.

    Raises:
        ValueError: fewer than two steps.

    """
    if steps < 2:
        raise ValueError(f"two marks need at least two steps, got {steps}")
    x = np.zeros((samples, steps, 2), np.float32)
    x[:, :, 0] = rng.random((samples, steps), np.float32)
    rows = np.arange(samples)
    for low, high in ((0, steps // 2), (steps // 2, steps)):
        x[rows, rng.integers(low, high, samples), 1] = 1
    return x, (x[:, :, 0] * x[:, :, 1]).sum(axis=1)


class LastState(Module):
    """A recurrent layer whose last output a linear layer reads: (N, T, D) → (N, outputs).

    `core` is an `RNN`, `LSTM` or `GRU`. With an `embedding`, inputs are integers (N, T), and
    `PADDING` is masked.
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
            output, _ = self.core(self.embedding(x), mask=x != PADDING)
        return self.head(output[:, -1])
