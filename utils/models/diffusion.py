"""Diffusion in PyTorch: the schedule, noising, the network that predicts the noise, sampling.

In the formulas t = 1 … T are the steps of noise; arrays hold step t at t − 1.

Source: J. Ho, A. Jain, P. Abbeel (2020), Denoising diffusion probabilistic models,
arXiv:2006.11239, with the schedule of A. Nichol and P. Dhariwal (2021), arXiv:2102.09672.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from utils.models.mlp import mlp

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

STEPS = 50


def cosine_schedule(steps: int = STEPS) -> Tensor:
    """ᾱₜ (T,), the share of the variance that is still signal after t = 1 … T steps of noise.

    Source: A. Nichol, P. Dhariwal (2021), Improved denoising diffusion probabilistic models,
    arXiv:2102.09672, eq. 17.
    """
    t = torch.arange(steps + 1) / steps
    level = torch.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2
    beta = (1 - level[1:] / level[:-1]).clamp(max=0.999)
    return (1 - beta).cumprod(0)


def add_noise(x: Tensor, noise: Tensor, level: Tensor) -> Tensor:
    """√ᾱ x + √(1 − ᾱ) ε; `level` is ᾱ, of a shape that broadcasts with x."""
    return level.sqrt() * x + (1 - level).sqrt() * noise


class NoisePredictor(nn.Module):
    """The noise ε in points (N, 2) after t steps; the network sees the time as eight waves."""

    def __init__(self, hidden: Sequence[int], steps: int = STEPS) -> None:
        super().__init__()
        self.waves = math.pi * torch.arange(1, 5) / steps
        self.network = mlp(2 + 8, *hidden, 2)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """The noise (N, 2) in points x (N, 2); t (N,) counts from 0."""
        angle = t[:, None] * self.waves
        return self.network(torch.cat([x, angle.sin(), angle.cos()], dim=1))


def sample(predict: Callable[[Tensor, Tensor], Tensor], x: Tensor, level: Tensor) -> Tensor:
    """From noise x (N, …) to samples, by Ho et al. (2020), algorithm 2.

    Args:
        predict: (x, t) ↦ the noise in x; t (N,) counts from 0.
        x: drawn from N(0, I).
        level: ᾱ (T,), as `cosine_schedule` gives it.

    """
    alpha = level / torch.cat([torch.ones(1), level[:-1]])
    for t in reversed(range(len(level))):
        noise = predict(x, torch.full((len(x),), t))
        x = (x - (1 - alpha[t]) / (1 - level[t]).sqrt() * noise) / alpha[t].sqrt()
        if t:
            x = x + (1 - alpha[t]).sqrt() * torch.randn(x.shape)
    return x
