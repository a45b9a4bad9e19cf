"""The adding problem at growing length: recorded runs of seven recurrent networks.

``python -m utils.widgets.adding_problem`` makes the runs again, in some minutes.
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from utils import plotting
from utils.datasets import adding_problem
from utils.layers import GRU, LSTM, RNN, Module, mse_loss, orthogonal
from utils.models.rnn import LastState

if TYPE_CHECKING:
    from utils.widgets._live import Live

RECORD = Path(__file__).parents[1] / "recorded" / "adding.json"
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
        model, (x, y[:, None]), 1, Adam(model.parameters(), lr=NETWORKS[network]), mse_loss,
        batch_size=BATCH, max_norm=1.0, rng=rng,
    )  # fmt: skip
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
def recorded() -> Mapping[tuple[str, int], dict[str, Any]]:
    """The recorded run of each network at each length."""
    runs = json.loads(RECORD.read_text(encoding="utf-8"))["runs"]
    return {(run["network"], run["length"]): run for run in runs}


def write(runs: list[dict[str, Any]], path: Path = RECORD) -> None:
    """Keep the runs with the command that makes them again."""
    lines = ",\n".join(json.dumps(run, ensure_ascii=False) for run in runs)
    command = "python -m utils.widgets.adding_problem"
    path.write_text(
        f'{{"command": "{command}", "seed": {SEED}, "runs": [\n{lines}\n]}}\n', encoding="utf-8"
    )


def solved_at(run: Mapping[str, Any]) -> int | None:
    """The step by which the loss, averaged over `EVERY` batches, first fell below `SOLVED`."""
    below = np.flatnonzero(np.array(run["loss"]) < SOLVED)
    return int(EVERY * (below[0] + 1)) if below.size else None


def adding_lengths() -> Live:
    """Return a widget: choose a length, see how the loss of each network fell."""
    import ipywidgets

    from utils.widgets._live import live

    fig, ax = plotting.figure(width=8.5, height=4)
    at = EVERY * np.arange(1, STEPS // EVERY + 1)
    colors = {
        "tanh RNN": plotting.ORANGE,
        "ReLU RNN": plotting.PINK,
        "GRU": plotting.GREEN,
        "LSTM": plotting.BLUE,
    }
    dashes = iter(["-", "--", "-", "-", "-", "--", ":"])
    lines = {}
    for name in NETWORKS:
        style = {"color": colors[name.split(",")[0]], "linestyle": next(dashes)}
        (lines[name],) = ax.plot(at, at, label=name, **style)
    ax.axhline(GUESS, color=plotting.GRAY, linewidth=1)
    ax.axhline(SOLVED, color=plotting.GRAY, linewidth=1, linestyle=":")
    ax.text(STEPS, SOLVED, "solved", ha="right", va="bottom")
    ax.text(STEPS, GUESS, "a guess", ha="right", va="bottom")
    ax.set(yscale="log", ylim=(1e-4, 1), xlabel="step of training", ylabel="mean squared error")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=9)

    def choose(length: int) -> str:
        words = []
        for name, line in lines.items():
            run = recorded()[name, length]
            line.set_ydata(run["loss"])
            step = solved_at(run)
            words.append(f"{name}: {f'solved by step {step}' if step else 'not solved'}")
        ax.set_title(f"adding problem, T = {length}")
        return "; ".join(words)

    slider = ipywidgets.SelectionSlider(options=LENGTHS, value=LENGTHS[2], description="length T")
    return live(fig, choose, length=slider)


if __name__ == "__main__":
    write([train(network, length)[0] for length in LENGTHS for network in NETWORKS])
