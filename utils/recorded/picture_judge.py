"""The judge of painted pictographs: a small network that tells their kind, and a distance of sets.

An error in color says how far a picture is from *one* truth. So a network that was trained once on
the true pictures of `load_sketches` is asked whether it recognizes what was painted, and whether
the paintings as a whole are distributed like true ones in its features.

``python -m utils.recorded.picture_judge`` trains the network again, in half a minute.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from utils import metrics, recorded

FEATURES = 64
SEED, EPOCHS, BATCH, PEAK = 0, 120, 24, 4e-3


def read(pictures: np.ndarray) -> np.ndarray:
    """The most probable kind of each picture (N, 64, 64, 3) in [0, 1]: (N,), as in `Sketches`."""
    return _run(pictures)[1].argmax(axis=1)


def features(pictures: np.ndarray) -> np.ndarray:
    """What the network's last layer sees of each picture (N, 64, 64, 3) in [0, 1]: (N, 64)."""
    return _run(pictures)[0]


def frechet_distance(pictures: np.ndarray, others: np.ndarray) -> float:
    """Squared Fréchet distance of two sets of pictures (N, 64, 64, 3), in features of this network.

    Comparable with itself alone, at equal counts; with a few hundred pictures a set, two halves of
    one set are far from 0 already. Source: as in `utils.recorded.judge.frechet_distance`.

    Raises:
        ValueError: pictures of another shape or outside [0, 1], or fewer than two.

    """
    if min(len(pictures), len(others)) < 2:
        raise ValueError("a covariance needs two pictures at least")
    moments = [(f.mean(axis=0), np.cov(f, rowvar=False)) for f in map(features, (pictures, others))]
    return metrics.frechet_distance(*moments[0], *moments[1])


def train(epochs: int = EPOCHS) -> dict[str, np.ndarray]:
    """Train on the training pictures that have a kind; return the weights as float16."""
    import torch
    from torch import nn

    from utils import optim, transforms
    from utils.datasets import load_sketches
    from utils.training import fit

    data = load_sketches()
    known = data.kind_train >= 0
    torch.manual_seed(SEED)
    model = _network()
    steps = epochs * -(-int(known.sum()) // BATCH)

    def augment(x: Any) -> Any:
        # around 0, which is what comes in at the edge; paper is 2
        return transforms.affine(transforms.flip(x) - 2) + 2

    fit(
        model,
        (_small(data.y_train[known]), data.kind_train[known]),
        epochs,
        torch.optim.AdamW(model.parameters(), lr=PEAK, weight_decay=0.05),
        nn.CrossEntropyLoss(label_smoothing=0.1),
        batch_size=BATCH,
        schedule=optim.one_cycle(steps),
        rng=np.random.default_rng(SEED),
        augment=augment,
    )
    return {name: _half(value) for name, value in model.state_dict().items()}


def _network() -> Any:
    from utils.datasets.sketches import OF_KINDS
    from utils.models.cnn import SmallCNN

    return SmallCNN(FEATURES // 4, classes=len(OF_KINDS))


@functools.cache
def _recorded() -> Any:
    import torch

    model = _network().eval()
    model.load_state_dict({k: torch.tensor(v) for k, v in recorded.load("picture_judge").items()})
    return model


def _run(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Features (N, 64) and scores (N, 9)."""
    import torch

    if pictures.ndim != 4 or pictures.shape[1:] != (64, 64, 3) or not len(pictures):
        raise ValueError(f"the judge reads pictures (N, 64, 64, 3), got {pictures.shape}")
    if not (pictures.min() >= 0 and pictures.max() <= 1):
        raise ValueError(
            f"the judge reads values from 0 to 1, got {pictures.min():.3g} to {pictures.max():.3g}"
        )
    model = _recorded()
    with torch.no_grad():
        seen = model.features(_small(pictures))
        return seen.numpy(), (model.head(seen) / 8).numpy()


def _small(pictures: np.ndarray) -> Any:
    """Pictures (N, 64, 64, 3) in [0, 1] as a tensor (N, 3, 32, 32) in [−2, 2]."""
    from torch.nn import functional as F

    from utils.transforms import to_tensor

    return F.avg_pool2d(to_tensor(pictures), 2)


def _half(value: Any) -> np.ndarray:
    array = value.numpy(force=True)
    return array.astype(np.float16) if array.dtype.kind == "f" else array


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    recorded.make("picture_judge", train, seeds=[SEED])
