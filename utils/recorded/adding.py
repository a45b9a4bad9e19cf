"""The adding problem: seven recurrent networks at four lengths.

``python -m utils.recorded.adding`` trains them all again, in some minutes.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from utils import recorded
from utils.datasets import adding_problem
from utils.layers import GRU, LSTM, RNN, Module, mse_loss, orthogonal
from utils.models.rnn import LastState

HIDDEN, BATCH = 32, 32
LENGTHS = (10, 25, 50, 100)
STEPS, EVERY = 2000, 25  # of training; a recorded number is the mean of so many losses
SEED = 0
SOLVED = 0.01  # mean squared error
GUESS = 1 / 6  # what the best constant answer leaves
NETWORKS = {  # name → learning rate
    "tanh RNN, PyTorch's start": 1e-3,
    "tanh RNN, orthogonal start": 1e-3,
    "ReLU RNN, identity start": 1e-3,
    "GRU, PyTorch's start": 1e-2,
    "LSTM, PyTorch's start": 1e-2,
    "LSTM, forget bias 1": 1e-2,
    "LSTM, forget bias 3": 1e-2,
}


def make(network: str, rng: np.random.Generator) -> LastState:
    """A fresh network for the adding problem; `network` is one of `NETWORKS`.

    The identity start is that of Q. Le, N. Jaitly and G. Hinton (2015), arXiv:1504.00941: U = I and
    biases 0.

    Raises:
        ValueError: an unknown network.

    """
    if network not in NETWORKS:
        raise ValueError(f"no network {network!r}; there are {'; '.join(NETWORKS)}")
    kind, start = network.split(", ")
    core: Module
    if kind == "GRU":
        core = GRU(2, HIDDEN, rng=rng)
    elif kind == "LSTM":
        bias = float(start[-1]) if start.startswith("forget") else None
        core = LSTM(2, HIDDEN, forget_bias=bias, rng=rng)
    else:
        core = RNN(2, HIDDEN, nonlinearity=kind.split()[0].lower(), rng=rng)
        if start == "orthogonal start":
            core.weight_hh_l0.data = orthogonal(rng, HIDDEN)
        if start == "identity start":
            core.weight_hh_l0.data = np.eye(HIDDEN, dtype=np.float32)
            for bias in (core.bias_ih_l0, core.bias_hh_l0):
                bias.data = np.zeros_like(bias.data)
    return LastState(core, 1, rng=rng)


def train(
    network: str, length: int, steps: int = STEPS, seed: int = SEED
) -> tuple[dict[str, Any], LastState]:
    """Train on fresh sequences in every batch: Adam, gradients clipped at length 1.

    Returns:
        the run and the trained model. The run has ``network``, ``length``, CPU ``seconds`` of
        training, ``loss`` (the mean of each `EVERY` batches) and ``test``, the mean squared error
        on 1,000 more sequences.

    """
    from utils.optim import Adam
    from utils.training import evaluate, fit

    rng = np.random.default_rng(seed)
    model = make(network, rng)
    x, y = adding_problem(rng, steps * BATCH, length)
    start = time.process_time()
    history = fit(
        model,
        (x, y[:, None]),
        1,
        Adam(model.parameters(), lr=NETWORKS[network]),
        mse_loss,
        batch_size=BATCH,
        max_norm=1.0,
        rng=rng,
    )
    seconds = time.process_time() - start
    x, y = adding_problem(rng, 1000, length)
    losses = np.array(history.step_loss[: steps // EVERY * EVERY]).reshape(-1, EVERY).mean(axis=1)
    run = {
        "network": network,
        "length": length,
        "seconds": round(seconds, 1),
        "loss": [float(f"{loss:.3g}") for loss in losses],
        "test": float(f"{evaluate(model, (x, y[:, None]), mse_loss)['loss']:.3g}"),
    }
    return run, model


@functools.cache
def runs() -> Mapping[tuple[str, int], dict[str, Any]]:
    """The recorded run of each network at each length."""
    return {(run["network"], run["length"]): run for run in recorded.load("adding")}


def solved_at(run: Mapping[str, Any]) -> int | None:
    """The step by which the loss, averaged over `EVERY` batches, first fell below `SOLVED`."""
    below = np.flatnonzero(np.array(run["loss"]) < SOLVED)
    return int(EVERY * (below[0] + 1)) if below.size else None


if __name__ == "__main__":
    recorded.make(
        "adding",
        lambda: [train(network, length)[0] for length in LENGTHS for network in NETWORKS],
        seeds=[SEED],
    )
