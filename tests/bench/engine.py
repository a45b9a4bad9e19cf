"""The engine's time for one training step, beside PyTorch's and micrograd's.

Run ``python -m tests.bench.engine``. A step is forward, loss, zero, backward, SGD at batch 256, in
CPU seconds on one thread; the contestants take turns, so that a busy machine slows all of them.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import threadpoolctl
import torch

from utils import layers, optim
from utils.weights import copy_weights

BATCH = 256
Step = Callable[[], object]


def main() -> None:
    """Print both comparisons."""
    torch.set_num_threads(1)
    with threadpoolctl.threadpool_limits(1):
        ours, theirs = seconds([engine_digits(), torch_digits()], rounds=200)
        report("MLP 784-128-10, float32", {"engine": ours, "PyTorch": theirs})
        print(f"engine / PyTorch = {ours / theirs:.2f}   (target: at most 4)\n")
        try:
            slow = micrograd_spiral()
        except ModuleNotFoundError:
            print("micrograd is not installed; 'pip install micrograd' adds it to this table")
            return
        ours, theirs = seconds([engine_spiral(), slow], rounds=5)
        report("MLP 2-16-16-1 (micrograd's demo)", {"engine": ours, "micrograd": theirs})
        print(f"micrograd / engine = {theirs / ours:.0f}   (target: at least 50)")


def seconds(steps: list[Step], rounds: int) -> list[float]:
    """Median CPU seconds of each step, after one that does not count."""
    for step in steps:
        step()
    times = [[] for _ in steps]
    for _ in range(rounds):
        for step, taken in zip(steps, times, strict=True):
            start = time.process_time()
            step()
            taken.append(time.process_time() - start)
    return [median(taken) for taken in times]


def report(title: str, times: dict[str, float]) -> None:
    """Print one table."""
    print(f"{title}, batch {BATCH}: CPU time of one training step")
    for name, taken in times.items():
        print(f"  {name:<10}{taken * 1e3:10.3f} ms")


def digits() -> tuple[np.ndarray, np.ndarray, layers.Module]:
    """Random images and labels, and the model that both contestants start from."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(BATCH, 784)).astype(np.float32)
    model = layers.Sequential(
        layers.Linear(784, 128, rng=rng), layers.ReLU(), layers.Linear(128, 10, rng=rng)
    )
    return x, rng.integers(0, 10, BATCH), model


def engine_digits() -> Step:
    """One step of the engine."""
    x, y, model = digits()
    optimizer = optim.SGD(model.parameters(), lr=0.01)

    def step() -> None:
        loss = layers.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def torch_digits() -> Step:
    """The same step of PyTorch."""
    x, y, ours = digits()
    x, y = torch.tensor(x), torch.tensor(y)
    model = torch.nn.Sequential(
        torch.nn.Linear(784, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10)
    )
    copy_weights(ours, model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    def step() -> None:
        loss = torch.nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def spiral() -> tuple[np.ndarray, np.ndarray]:
    """Points of two arms in the plane and their side, ±1."""
    t = np.linspace(0.5, 3, BATCH)
    side = np.where(np.arange(BATCH) % 2, 1.0, -1.0)
    return side[:, None] * np.stack([t * np.cos(2 * t), t * np.sin(2 * t)], axis=1), side[:, None]


def engine_spiral() -> Step:
    """One step of the engine in float64, micrograd's precision."""
    x, y = spiral()
    rng = np.random.default_rng(0)
    model = layers.Sequential(
        layers.Linear(2, 16, rng=rng, dtype=np.float64),
        layers.ReLU(),
        layers.Linear(16, 16, rng=rng, dtype=np.float64),
        layers.ReLU(),
        layers.Linear(16, 1, rng=rng, dtype=np.float64),
    )
    optimizer = optim.SGD(model.parameters(), lr=0.01)

    def step() -> None:
        loss = layers.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def micrograd_spiral() -> Step:
    """The same step of micrograd, one scalar at a time."""
    from micrograd.nn import MLP

    x, y = spiral()
    random.seed(0)
    model = MLP(2, [16, 16, 1])

    def step() -> None:
        errors = [
            (model(point) - side) ** 2
            for point, (side,) in zip(x.tolist(), y.tolist(), strict=True)
        ]
        loss = sum(errors) * (1 / BATCH)
        model.zero_grad()
        loss.backward()
        for p in model.parameters():
            p.data -= 0.01 * p.grad

    return step


if __name__ == "__main__":
    main()
