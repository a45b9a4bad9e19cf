"""Language models in PyTorch: how one is trained and judged, and a recurrent one to compare with.

A language model maps tokens (N, T) to scores (N, T, vocabulary) of the token that follows each.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from utils.optim import one_cycle, orthogonalize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from utils.byte_pairs import BytePairs


class LSTMLanguageModel(nn.Module):
    """Embedding, one LSTM, a linear layer back to the embedding's length, which scores the tokens.

    As in `transformer.GPT` the matrix of embeddings also scores the next token.
    """

    def __init__(self, vocabulary: int, embedding: int = 128, hidden: int = 384) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, embedding)
        self.lstm = nn.LSTM(embedding, hidden, batch_first=True)
        self.back = nn.Linear(hidden, embedding)
        self.bias = nn.Parameter(torch.zeros(vocabulary))
        nn.init.normal_(self.tokens.weight, std=0.05)

    def forward(self, tokens: Tensor) -> Tensor:
        """Scores (N, T, vocabulary) of the token that follows each of `tokens` (N, T)."""
        states, _ = self.lstm(self.tokens(tokens))
        return F.linear(self.back(states), self.tokens.weight, self.bias)


class Muon(torch.optim.Optimizer):
    """`optim.Muon` for PyTorch, without weight decay, in the precision of the weights."""

    def __init__(self, params: Iterable[Tensor], lr: float, momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self) -> None:
        """Update every matrix that has a gradient."""
        for group in self.param_groups:
            lr, momentum = group["lr"], group["momentum"]
            for p in group["params"]:
                if p.grad is not None:
                    if not self.state[p]:
                        self.state[p]["v"] = torch.zeros_like(p)
                    v = self.state[p]["v"].lerp_(p.grad, 1 - momentum)
                    d = p.grad.lerp(v, momentum)
                    scale = math.sqrt(max(1, p.shape[0] / p.shape[1]))
                    p.add_(orthogonalize(d), alpha=-lr * scale)


def optimizers(
    model: nn.Module, lr: float = 4e-3, muon: float | None = 0.02
) -> list[torch.optim.Optimizer]:
    """Muon for the matrices that map hidden states, AdamW for embeddings, biases and norms.

    AdamW has β₂ = 0.98 and shrinks matrices by 0.05·α a step. With ``muon=None`` it has them all.
    """
    tables = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
    parameters = list(model.parameters())
    hidden = [p for p in parameters if muon and p.ndim == 2 and id(p) not in tables]
    rest = [p for p in parameters if all(p is not q for q in hidden)]
    groups = [
        {"params": [p for p in rest if p.ndim == 2], "weight_decay": 0.05},
        {"params": [p for p in rest if p.ndim != 2], "weight_decay": 0.0},
    ]
    adam = torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.98), fused=True)
    return [Muon(hidden, muon), adam] if hidden else [adam]


def train(
    model: nn.Module,
    tokens: np.ndarray,
    *,
    steps: int = 0,
    seconds: float = 0,
    lr: float = 4e-3,
    muon: float | None = 0.02,
    batch_size: int = 8,
    context: int = 128,
    rng: np.random.Generator,
    after_step: Callable[[int, float], None] = lambda step, loss: None,
) -> list[float]:
    """Teach `model` for so many steps, or so many CPU seconds; return the loss of each step.

    A batch holds windows of `context` tokens from random places. Step sizes rise for 5 % of the
    time and fall to 0 for the rest; gradients are clipped to norm 1.

    Args:
        model: maps tokens (N, T) to scores (N, T, vocabulary).
        tokens: of the training text, int64 (T,), more than `context`.
        steps: of training, or 0.
        seconds: CPU seconds of training, or 0.
        lr: AdamW's largest step size.
        muon: Muon's; None leaves all weights to AdamW.
        batch_size: windows in a batch.
        context: tokens of a window.
        rng: chooses the windows.
        after_step: called with the number of the step, from 1, and its loss.

    Raises:
        ValueError: neither steps nor seconds are given, or both; or too few tokens.

    """
    if (steps > 0) == (seconds > 0):
        raise ValueError(f"give steps or seconds, got {steps} and {seconds}")
    if len(tokens) <= context:
        raise ValueError(f"a window takes {context + 1} tokens, the text has {len(tokens)}")
    device = next(model.parameters()).device
    start, losses, parts = time.process_time(), [], 10_000
    factor, window = one_cycle(parts, warmup=0.05), np.arange(context + 1)
    updating = optimizers(model, lr, muon)
    rates = [(group, group["lr"]) for one in updating for group in one.param_groups]
    model.train()
    while True:
        done = len(losses) / steps if steps else (time.process_time() - start) / seconds
        if done >= 1:
            return losses
        for group, rate in rates:
            group["lr"] = rate * factor(int(parts * done))
        places = rng.integers(0, len(tokens) - context, batch_size)
        batch = torch.from_numpy(tokens[places[:, None] + window]).to(device)
        scores = model(batch[:, :-1])
        loss = F.cross_entropy(scores.flatten(0, 1), batch[:, 1:].flatten())
        for optimizer in updating:
            optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in updating:
            optimizer.step()
        losses.append(loss.item())
        after_step(len(losses), losses[-1])


@torch.no_grad()
def surprise(
    model: nn.Module, tokens: np.ndarray, context: int = 128, batch_size: int = 32
) -> np.ndarray:
    """Bits of each token in windows that overlap by half: −log₂ p, float64 (windows, context).

    Window i asks for tokens 1 + i·context/2 and the following, and shows those before them.

    Raises:
        ValueError: fewer tokens than a window takes.

    """
    if len(tokens) <= context:
        raise ValueError(f"a window takes {context + 1} tokens, the text has {len(tokens)}")
    model.eval()
    device = next(model.parameters()).device
    windows = np.lib.stride_tricks.sliding_window_view(tokens, context + 1)[:: context // 2]
    bits = []
    for first in range(0, len(windows), batch_size):
        batch = torch.from_numpy(windows[first : first + batch_size].copy()).to(device)
        scores = model(batch[:, :-1]).transpose(1, 2)
        nats = F.cross_entropy(scores, batch[:, 1:], reduction="none")
        bits.append(nats.double().cpu().numpy() / math.log(2))
    return np.concatenate(bits)


def bits_per_byte(model: nn.Module, text: bytes, coder: BytePairs, context: int = 128) -> float:
    """How many bits `model` needs for a byte of a text: comparable between any cuts into tokens.

    Counted is the second half of each of the windows of `surprise`, so that every token has at
    least half a context before it.
    """
    tokens, half = coder.encode(text), context // 2
    bits = surprise(model, tokens, context)[:, half:]
    places = 1 + half + half * np.arange(len(bits))[:, None] + np.arange(context - half)
    sizes = np.array([len(word) for word in coder.words])
    return float(bits.sum() / sizes[tokens[places]].sum())
