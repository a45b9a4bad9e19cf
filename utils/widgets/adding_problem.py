"""The adding problem at growing length: recorded runs of seven recurrent networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from utils import plotting
from utils.recorded.adding import EVERY, GUESS, LENGTHS, NETWORKS, SOLVED, STEPS, runs, solved_at

if TYPE_CHECKING:
    from utils.widgets._live import Live


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
            run = runs()[name, length]
            line.set_ydata(run["loss"])
            step = solved_at(run)
            words.append(f"{name}: {f'solved by step {step}' if step else 'not solved'}")
        ax.set_title(f"adding problem, T = {length}")
        return "; ".join(words)

    slider = ipywidgets.SelectionSlider(options=LENGTHS, value=LENGTHS[2], description="length T")
    return live(fig, choose, length=slider)
