"""Ablation: the accuracy that one network reaches in equal time with each choice of six ideas.

``python -m utils.recorded.ablation`` trains all choices again, in minutes.
"""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Iterable, Mapping
from typing import Any

from utils import recorded

TRICKS = (
    "whitened stem",
    "normalization",
    "augmentation",
    "one-cycle",
    "label smoothing",
    "test-time flip",
)
WIDTH, BATCH, PEAK = 16, 100, 4e-3
EPOCHS = {False: 5, True: 4}  # of equal time: an epoch with augmentation takes a quarter longer
SEED = 0


def train(tricks: Iterable[str], *, seed: int = SEED, epochs: int | None = None) -> dict[str, Any]:
    """Train a `SmallCNN` on OpenMoji-10 with some of `TRICKS` and judge it on unseen glyphs.

    Everything else stays: AdamW with learning rate 0.004, batches of 100. The test-time flip costs
    no training, so both accuracies come back.

    Args:
        tricks: some of `TRICKS`.
        seed: of weights, batches and augmentation; PyTorch's generator goes on from it.
        epochs: None takes those that all combinations of equal time have.

    Returns:
        ``tricks`` (a list), ``epochs``, CPU ``seconds`` of training, ``accuracy`` without and
        ``flipped`` with the test-time flip.

    Raises:
        ValueError: an unknown trick.

    """
    import numpy as np
    import torch

    from utils import optim, transforms
    from utils.datasets import load_objects
    from utils.metrics import accuracy
    from utils.models.cnn import SmallCNN
    from utils.training import fit, predict

    used = [trick in set(tricks) for trick in TRICKS]
    if unknown := set(tricks) - set(TRICKS):
        raise ValueError(f"no trick {min(unknown)!r}; there are {', '.join(TRICKS)}")
    white, normalize, augment, cycle, smooth, _ = used
    data = load_objects(full=False)
    x, x_new = transforms.to_tensor(data.x_train), transforms.to_tensor(data.x_test)
    torch.manual_seed(seed)
    filters = transforms.whitening_filters(x[:2000], WIDTH) if white else None
    model = SmallCNN(WIDTH, filters=filters, normalize=normalize)
    learned = [p for p in model.parameters() if p.requires_grad]
    epochs = epochs or EPOCHS[augment]
    augment_by = (transforms.flip, transforms.crop, transforms.mix_channels, transforms.cut_out)
    start = time.process_time()
    fit(
        model,
        (x, data.y_train.copy()),
        epochs,
        torch.optim.AdamW(learned, lr=PEAK, weight_decay=0.05),
        torch.nn.CrossEntropyLoss(label_smoothing=0.1 if smooth else 0.0),
        batch_size=BATCH,
        schedule=optim.one_cycle(epochs * len(x) // BATCH) if cycle else None,
        rng=np.random.default_rng(seed),
        augment=transforms.Compose(augment_by) if augment else None,
    )
    seconds = time.process_time() - start
    return {
        "tricks": [trick for trick in TRICKS[:-1] if trick in set(tricks)],
        "epochs": epochs,
        "seconds": round(seconds, 1),
        "accuracy": round(accuracy(predict(model, x_new), data.y_test), 4),
        "flipped": round(accuracy(predict(model, x_new, mirrored=True), data.y_test), 4),
    }


def combinations() -> list[tuple[str, ...]]:
    """All choices of the tricks that change the training, fewer first."""
    return [c for n in range(len(TRICKS)) for c in itertools.combinations(TRICKS[:-1], n)]


@functools.cache
def accuracies() -> Mapping[tuple[str, ...], float]:
    """The recorded accuracy of each choice of tricks, test-time flip included."""
    table = {}
    for run in recorded.load("ablation"):
        table[*run["tricks"],] = run["accuracy"]
        table[*run["tricks"], TRICKS[-1]] = run["flipped"]
    return table


if __name__ == "__main__":
    recorded.make("ablation", lambda: [train(tricks) for tricks in combinations()], seeds=[SEED])
