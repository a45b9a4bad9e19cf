"""The multilayer perceptron in PyTorch."""

from __future__ import annotations

import itertools

from torch import nn


def mlp(*sizes: int) -> nn.Sequential:
    """Dense layers of these sizes, inputs first, with ReLU between them."""
    layers: list[nn.Module] = []
    for n_in, n_out in itertools.pairwise(sizes):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])
