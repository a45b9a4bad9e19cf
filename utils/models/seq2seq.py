"""Encoder and decoder in PyTorch: spelling in, phonemes out, perhaps with attention."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from utils.datasets.pronunciations import LONGEST
from utils.models.language_model import optimizers
from utils.optim import one_cycle
from utils.text import END, FIRST, PAD, START, encode_letters, seq2seq_batches

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Phonemes = tuple[str, ...]


class Pronouncer(nn.Module):
    """Two GRUs read the letters, one in each direction; a third writes the phonemes.

    With attention every written phoneme looks back at all letters, by the scaled dot product of a
    query from the writer's state and a key from each reader's state. Without it the writer has the
    last states of the two readers and nothing else, at every step.

    Source: T. Luong et al. (2015), arXiv:1508.04025, with the score of A. Vaswani et al. (2017):
    the context does not enter the writer's GRU, so that in training all steps are one call.

    Args:
        phonemes: size of their alphabet.
        attention: whether the writer may look back.
        embedding: length of the vectors of letters and of phonemes.
        reader: length of each reader's state.
        writer: length of the writer's state, and of query and key.

    """

    def __init__(
        self,
        phonemes: int = 39,
        attention: bool = True,
        embedding: int = 48,
        reader: int = 64,
        writer: int = 128,
    ) -> None:
        super().__init__()
        self.letters = nn.Embedding(27, embedding)
        self.rightward = nn.GRU(embedding, reader, batch_first=True)
        self.leftward = nn.GRU(embedding, reader, batch_first=True)
        self.bridge = nn.Linear(2 * reader, writer)
        self.phonemes = nn.Embedding(FIRST + phonemes, embedding)
        self.writer = nn.GRU(embedding, writer, batch_first=True)
        if attention:
            self.query = nn.Linear(writer, writer)
            self.key = nn.Linear(2 * reader, writer)
        self.output = nn.Linear(writer + 2 * reader + embedding, FIRST + phonemes)
        self.attention = attention

    def read(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """States at every letter (N, S, 2·reader), and the writer's first state (1, N, writer).

        `x` (N, S) are letters without padding.
        """
        e = self.letters(x)
        right, last = self.rightward(e)
        left, first = self.leftward(e.flip(1))
        summary = torch.cat([last, first], dim=2)  # (1, N, 2·reader): each reader's last state
        memory = torch.cat([right, left.flip(1)], dim=2) if self.attention else summary[0]
        return memory, torch.tanh(self.bridge(summary))

    def attend(self, s: Tensor, memory: Tensor) -> tuple[Tensor, Tensor | None]:
        """Context (N, T, 2·reader) for writer's states (N, T, writer), and weights (N, T, S)."""
        if not self.attention:
            return memory[:, None].expand(-1, s.shape[1], -1), None
        scores = self.query(s) @ self.key(memory).mT / self.query.out_features**0.5
        weights = scores.softmax(dim=-1)
        return weights @ memory, weights

    def write(
        self, y: Tensor, state: Tensor, memory: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Scores of the phoneme that follows each of `y` (N, T), the new state, and the weights.

        In training `y` are the phonemes of the dictionary (teacher forcing), later the network's
        own. `state` (1, N, writer) and `memory` are what `read` gave, or the state of the last
        call.
        """
        e = self.phonemes(y)
        s, state = self.writer(e, state)
        context, weights = self.attend(s, memory)
        return self.output(torch.cat([s, context, e], dim=-1)), state, weights

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Scores (N, T, phonemes) of the phoneme that follows each of `y` (N, T)."""
        memory, state = self.read(x)
        return self.write(y, state, memory)[0]


def train(
    model: Pronouncer,
    data: tuple[Sequence[Iterable[str]], Sequence[Phonemes]],
    alphabet: Sequence[str],
    *,
    steps: int = 0,
    seconds: float = 0,
    lr: float = 6e-3,
    muon: float | None = None,
    batch_size: int = 128,
    rng: np.random.Generator,
) -> list[float]:
    """Teach `model` for so many steps, or so many CPU seconds; return the loss of each step.

    Adam with β₂ = 0.98, or with a step size `muon` the `optimizers` of a language model; gradients
    clipped to norm 1. Step sizes rise for 5 % of the time and fall to 0 for the rest.

    Raises:
        ValueError: neither steps nor seconds are given, or both.

    """
    if (steps > 0) == (seconds > 0):
        raise ValueError(f"give steps or seconds, got {steps} and {seconds}")
    start, losses, parts = time.process_time(), [], 10_000
    factor = one_cycle(parts, warmup=0.05)
    updating = [torch.optim.Adam(model.parameters(), lr=lr, betas=(0.9, 0.98))]
    if muon is not None:
        updating = optimizers(model, lr, muon)
    rates = [(group, group["lr"]) for one in updating for group in one.param_groups]
    model.train()
    while True:
        for x, y, targets in seq2seq_batches(*data, alphabet, batch_size, rng):
            done = len(losses) / steps if steps else (time.process_time() - start) / seconds
            if done >= 1:
                return losses
            for group, rate in rates:
                group["lr"] = rate * factor(int(parts * done))
            scores = model(torch.from_numpy(x), torch.from_numpy(y))
            loss = F.cross_entropy(
                scores.flatten(0, 1), torch.from_numpy(targets).flatten(), ignore_index=PAD
            )
            for optimizer in updating:
                optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for optimizer in updating:
                optimizer.step()
            losses.append(loss.item())


@dataclass(frozen=True)
class Spoken:
    """An answer: its phonemes, and the attention weights (phonemes, letters) or None."""

    phonemes: Phonemes
    weights: np.ndarray | None


@torch.no_grad()
def pronounce(
    model: Pronouncer, words: Sequence[Iterable[str]], alphabet: Sequence[str]
) -> list[Spoken]:
    """Write the most probable phoneme again and again until END, for every word."""
    model.eval()
    letters = [len(word) for word in words]
    spoken: dict[int, Spoken] = {}
    by_length = sorted(range(len(words)), key=letters.__getitem__)
    for _, rows in itertools.groupby(by_length, key=letters.__getitem__):  # without padding
        chosen = list(rows)
        memory, state = model.read(torch.from_numpy(encode_letters([words[i] for i in chosen])))
        y = torch.full((len(chosen), 1), START)
        codes, maps = [], []
        for _ in range(LONGEST):
            scores, state, weights = model.write(y, state, memory)
            y = END + scores[..., END:].argmax(-1)  # neither padding nor START
            codes.append(y)
            maps.append(weights)
        codes = torch.cat(codes, dim=1).tolist()
        maps = torch.cat(maps, dim=1).numpy() if model.attention else [None] * len(chosen)
        for i, row, map_ in zip(chosen, codes, maps, strict=True):
            length = row.index(END) if END in row else LONGEST
            phonemes = tuple(alphabet[code - FIRST] for code in row[:length])
            spoken[i] = Spoken(phonemes, None if map_ is None else map_[:length])
    return [spoken[i] for i in range(len(words))]
