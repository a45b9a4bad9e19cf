"""The study of the vision transformer: what it lacks against a convolutional network, over seeds.

``python -m utils.recorded.vit_study`` trains all again, ten minutes on one core.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from utils import recorded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

SEEDS = range(3)  # of weights, batches and augmentation
BATCH, WARMUP, PEAK, MUON = 64, 0.1, 4e-3, 0.02
SHIFT = 2  # pixels, at most, in each direction


class Way(NamedTuple):
    """What is trained: batches; options of `ViT`, or None for the CNN; whether images are shifted.

    The steps take equal time, as one calibration found: 15, 30 and 79 ms for the CNN and patches of
    7 and of 4 pixels on a busy core. The last way has three times as many.
    """

    steps: int
    vit: dict[str, Any] | None = None
    shifted: bool = False


WAYS = {
    "CNN": Way(1300),
    "CNN, shifts": Way(1300, shifted=True),
    "ViT, patch 7": Way(650, {"patch": 7}),
    "ViT, patch 7, shifts": Way(650, {"patch": 7}, shifted=True),
    "ViT, patch 4": Way(250, {"patch": 4}),
    "ViT, patch 4, shifts": Way(250, {"patch": 4}, shifted=True),
    "ViT, patch 7, shifts, no positions": Way(650, {"patch": 7, "positions": "none"}, shifted=True),
    "ViT, patch 7, shifts, long": Way(1950, {"patch": 7}, shifted=True),
}


def cnn() -> nn.Module:
    """The better network of chapter 05, for images (N, 1, 28, 28)."""
    import torch
    from torch import nn

    def block(channels: int, out: int) -> tuple[nn.Module, ...]:
        return nn.Conv2d(channels, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU()

    return nn.Sequential(
        *block(1, 16),
        nn.MaxPool2d(2),
        *block(16, 32),
        *block(32, 32),
        nn.MaxPool2d(2),
        *block(32, 64),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(64 * 3 * 3, 10),
    ).to(memory_format=torch.channels_last)


def build(way: str) -> nn.Module:
    """A fresh network of one of the `WAYS`."""
    from utils.models.vit import ViT

    options = WAYS[way].vit
    return cnn() if options is None else ViT(**options)


def train(way: str, seed: int, steps: int | None = None) -> nn.Module:
    """Train in one of the `WAYS`, with its number of steps or another.

    Both kinds of network learn with label smoothing and the same rise and fall of the step size.
    The CNN has chapter 05's AdamW; the ViT has Muon for its matrices and AdamW for the rest.
    """
    import torch
    from torch import nn

    from utils.datasets import load_digits
    from utils.models.language_model import optimizers
    from utils.optim import one_cycle
    from utils.transforms import crop

    data, one = load_digits(full=False), WAYS[way]
    x, y = torch.tensor(data.x_train[:, None]), torch.tensor(data.y_train)
    torch.manual_seed(seed)
    model = build(way)
    if one.vit is None:
        updating = [torch.optim.AdamW(model.parameters(), lr=PEAK, weight_decay=0.01)]
    else:
        updating = optimizers(model, PEAK, MUON)
    rates = [(group, group["lr"]) for each in updating for group in each.param_groups]
    steps = steps or one.steps
    loss, factor = nn.CrossEntropyLoss(label_smoothing=0.1), one_cycle(steps, WARMUP)
    batches: Iterator[torch.Tensor] = iter(())
    model.train()
    for step in range(steps):
        if (rows := next(batches, None)) is None:
            batches = iter(torch.randperm(len(x)).split(BATCH))
            rows = next(batches)
        for group, rate in rates:
            group["lr"] = rate * factor(step)
        images = crop(x[rows], SHIFT) if one.shifted else x[rows]
        for optimizer in updating:
            optimizer.zero_grad()
        loss(model(images), y[rows]).backward()
        for optimizer in updating:
            optimizer.step()
    return model


def run(way: str, seed: int, steps: int | None = None) -> dict[str, Any]:
    """Train in one of the `WAYS` and judge.

    Returns:
        ``way``, ``seed``, ``steps``, ``seconds``, ``weights``; ``accuracy`` on the 1,000 unseen
        digits, ``learned`` on the 4,000 that were learned, and ``shifted``, of the unseen ones
        moved by 2 pixels to the right.

    """
    import torch

    from utils.datasets import load_digits
    from utils.metrics import accuracy
    from utils.training import predict
    from utils.weights import count_parameters

    start = time.process_time()
    model = train(way, seed, steps)
    seconds = time.process_time() - start
    data = load_digits(full=False)
    moved = np.zeros_like(data.x_test)
    moved[:, :, SHIFT:] = data.x_test[:, :, :-SHIFT]
    judged = {
        "accuracy": (data.x_test, data.y_test),
        "learned": (data.x_train, data.y_train),
        "shifted": (moved, data.y_test),
    }
    return {
        "way": way,
        "seed": seed,
        "steps": steps or WAYS[way].steps,
        "seconds": round(seconds, 1),
        "weights": count_parameters(model),
    } | {
        name: round(accuracy(predict(model, torch.tensor(x[:, None])), y), 4)
        for name, (x, y) in judged.items()
    }


def study() -> list[dict[str, Any]]:
    """Train all `WAYS` with all seeds on one thread, seed by seed."""
    import torch

    torch.set_num_threads(1)
    return [run(way, seed) for seed in SEEDS for way in WAYS]


def runs(way: str) -> dict[int, dict[str, Any]]:
    """The recorded runs of one of the `WAYS`, by seed."""
    return recorded.by_seed("vit_study", way=way)


def values(way: str, measure: str = "accuracy") -> dict[int, float]:
    """One measure of the runs of one of the `WAYS`, by seed, as `claim` takes it."""
    return {seed: row[measure] for seed, row in runs(way).items()}


if __name__ == "__main__":
    recorded.make("vit_study", study, seeds=SEEDS)
