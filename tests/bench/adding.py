"""The adding problem with 50 steps: CPU seconds until each start of chapter 09 has solved it.

Run ``python -m tests.bench.adding``. Networks, starts and step sizes are the chapter's, in NumPy;
training goes on for the given number of steps, and is solved when the error, averaged over 25
batches, is below 0.01.
"""

from __future__ import annotations

import sys

from tests.bench._race import Contestant, Race, Result
from utils.recorded.adding import EVERY, NETWORKS, solved_at, train

LENGTH = 50
STEPS = {"tanh RNN": 4000, "ReLU RNN": 2000, "GRU": 1000, "LSTM": 1500}


def run(network: str, seed: int) -> Result:
    """Train from a seed; the seconds until it was solved are a share of all."""
    steps = STEPS[network.split(",")[0]]
    result, _ = train(network, LENGTH, steps, seed)
    solved = solved_at(result)
    values = {"error": result["test"], "seconds": result["seconds"], "steps": float(steps)}
    if solved:
        values |= {"solved after, s": result["seconds"] * solved / steps}
    return values


def contestant(network: str) -> Contestant:
    """One start and its target."""
    target = "≤ 12 s" if network.startswith(("GRU", "LSTM")) else ""
    if network.startswith("tanh RNN, P"):
        target = "stays at 0.167"
    return Contestant(
        f"{network}, step size {NETWORKS[network]}", lambda s: run(network, s), target
    )


RACE = Race(
    "adding",
    f"adding problem, {LENGTH} steps, mean of {EVERY} batches below 0.01",
    {"solved after, s": "{:.1f}", "error": "{:.4f}", "steps": "{:.0f}", "seconds": "{:.1f}"},
    {
        "tanh": contestant("tanh RNN, PyTorch's start"),
        "orthogonal": contestant("tanh RNN, orthogonal start"),
        "identity": contestant("ReLU RNN, identity start"),
        "gru": contestant("GRU, PyTorch's start"),
        "lstm": contestant("LSTM, PyTorch's start"),
        "lstm_1": contestant("LSTM, forget bias 1"),
        "lstm_3": contestant("LSTM, forget bias 3"),
    },
    headline="**Memory** (chapter 09): a GRU learns to add two numbers 50 steps apart in "
    "{gru[solved after, s]} s, an LSTM in {lstm_1[solved after, s]} s; a tanh RNN with "
    "PyTorch's start is still at error {tanh[error]} after {tanh[steps]} steps.",
)

if __name__ == "__main__":
    sys.exit(RACE.main(sys.argv[1:]))
