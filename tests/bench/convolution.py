"""Convolution in NumPy beside loops and PyTorch; the networks of chapter 05, seconds and accuracy.

Run ``python -m tests.bench.convolution``. All times are CPU seconds on one thread. The networks are
those of the chapter, trained by its own cells: the median of three seeds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import nbformat
import numpy as np
import threadpoolctl
import torch
import torch.nn.functional as F

from tests.notebooks.execute import CHAPTERS
from utils import layers, runtime, training
from utils.datasets import load_digits
from utils.engine import Tensor
from utils.weights import copy_weights

SEEDS = (0, 1, 2)
Cells = dict[str, str]


def main() -> None:
    """Print both comparisons."""
    torch.set_num_threads(1)
    cells = read_cells()
    with threadpoolctl.threadpool_limits(1):
        one_layer(cells)
        print(f"\n{'reads 1,000 unseen digits':34}{'CPU s':>8}{'accuracy':>10}")
        ours = networks("engine, 10 epochs", train_engine, cells)
        same = networks("the same in PyTorch", train_same_in_torch, cells)
        networks("PyTorch, augmented, 6 epochs", train_better, cells)
    print(f"engine / PyTorch for the same network: {ours / same:.1f}")


def read_cells() -> Cells:
    """The sources of the chapter's cells by id."""
    notebook = nbformat.read(CHAPTERS / "05_convolution.ipynb", as_version=4)
    return {cell.id: cell.source for cell in notebook.cells}


def run_cells(cells: Cells, *names: str, **given: Any) -> dict[str, Any]:
    """Execute cells in an empty notebook that already knows `given`; return its variables."""
    variables: dict[str, Any] = {"np": np, "torch": torch, "F": F, "nn": torch.nn, **given}
    for name in names:
        exec(compile(cells[name], name, "exec"), variables)
        variables |= given  # a cell may have imported the original
    return variables


def seconds(action: Callable[[], object], rounds: int) -> float:
    """The median CPU time of an action, the first two calls left out."""
    times = []
    for _ in range(rounds + 2):
        start = time.process_time()
        action()
        times.append(time.process_time() - start)
    return median(times[2:])


def one_layer(cells: Cells) -> None:
    """The second layer of the chapter's network, for 50 images, forward and backward."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 8, 12, 12)).astype(np.float32)
    w = rng.normal(size=(16, 8, 5, 5)).astype(np.float32)
    b = np.zeros(16, np.float32)
    loops = run_cells(cells, "mathematics-size", "scratch-loops", rng=rng, claim=ignore)
    ours = [Tensor(array, requires_grad=True) for array in (x, w, b)]
    theirs = [torch.tensor(array, requires_grad=True) for array in (x, w, b)]
    forward = {
        "loops": 50 * seconds(lambda: loops["conv_loops"](x[:1], w, b), 1),
        "engine": seconds(lambda: layers.conv2d(*ours), 20),
        "PyTorch": seconds(lambda: F.conv2d(*theirs), 20),
    }
    both = {
        "engine": seconds(lambda: layers.conv2d(*ours).sum().backward(), 20),
        "PyTorch": seconds(lambda: F.conv2d(*theirs).sum().backward(), 20),
    }
    for title, times in (("forward", forward), ("forward and backward", both)):
        print(f"conv 5×5, 8 → 16 channels, 50 maps of 12×12, {title}")
        for name, value in times.items():
            ratio = value / times["PyTorch"]
            print(f"  {name:10}{1000 * value:>12.2f} ms{ratio:>10.1f} × PyTorch")


def networks(name: str, train: Callable[[Cells, int], tuple[float, float]], cells: Cells) -> float:
    """Print the medians over the seeds; return that of the seconds."""
    runs = [train(cells, seed) for seed in SEEDS]
    took, score = median(run[0] for run in runs), median(run[1] for run in runs)
    print(f"{name:34}{took:>8.1f}{score:>10.1%}")
    return took


class Stopwatch:
    """`training.fit` with a clock: the CPU seconds of the last run in `took`."""

    took = 0.0

    def __call__(self, *args: Any, **options: Any) -> training.History:
        """Train."""
        start = time.process_time()
        history = training.fit(*args, **options)
        self.took = time.process_time() - start
        return history


def chapter(cells: Cells, seed: int, *names: str) -> tuple[dict[str, Any], Stopwatch]:
    """The chapter's cells from another seed, without its claims and figures."""
    clock = Stopwatch()
    given = {
        "fit": clock,
        "setup": lambda seed=0, start=seed: runtime.setup(start + seed),
        "claim": ignore,
        "by_budget": lambda smoke, quick: quick,
        "Conv2d": layers.Conv2d,
        "cross_entropy": layers.cross_entropy,
        "accuracy": training.accuracy,
        "evaluate": training.evaluate,
        "load_digits": lambda: load_digits(full=False),
    }
    return run_cells(cells, "scratch-data", *names, **given), clock


def ignore(*args: Any, **options: Any) -> None:
    """In place of a claim."""


def train_engine(cells: Cells, seed: int) -> tuple[float, float]:
    """CPU seconds and accuracy of the network in NumPy."""
    variables, clock = chapter(cells, seed, "scratch-cnn", "scratch-accuracy", "scratch-train-code")
    return clock.took, variables["cnn_accuracy"]


def train_same_in_torch(cells: Cells, seed: int) -> tuple[float, float]:
    """The same network from the same weights on the same batches in PyTorch."""
    variables, _ = chapter(cells, seed, "scratch-cnn")
    nn, clock = torch.nn, Stopwatch()
    twin = nn.Sequential(
        nn.Conv2d(1, 8, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(0.4), nn.Linear(256, 10),
    )  # fmt: skip
    copy_weights(variables["cnn"], twin)
    data = [variables[name] for name in ("X_train", "y_train", "X_test", "y_test")]
    steps = 10 * len(data[0]) // 50
    optimizer = torch.optim.SGD(twin.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    clock(
        twin, data[:2], 10, optimizer, F.cross_entropy, batch_size=50,
        schedule=lambda t: 1 - t / steps, rng=np.random.default_rng(seed),
    )  # fmt: skip
    metrics = {"accuracy": training.accuracy}
    return clock.took, training.evaluate(twin, data[2:], F.cross_entropy, metrics)["accuracy"]


def train_better(cells: Cells, seed: int) -> tuple[float, float]:
    """The augmented network of PyTorch."""
    names = ("scratch-accuracy", "frameworks-augment", "frameworks-train", "frameworks-train-claim")
    variables, clock = chapter(cells, seed, *names)
    return clock.took, variables["better_accuracy"]


if __name__ == "__main__":
    main()
