"""The judge of generated digits: a small network that reads them, and three scores.

A generator has no test accuracy. So its digits are shown to the convolutional network of chapter
05, trained once on the embedded digits. `confidence` asks whether each picture looks like *some*
digit, `coverage` whether all digits appear, `frechet_distance` whether the pictures as a whole are
distributed like real ones.

``python -m utils.recorded.judge`` trains the network again, in a quarter of a minute.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from utils import metrics, recorded

CLASSES = 10
FEATURES = 64 * 3 * 3  # what the last layer sees
PROJECTED = 64  # directions in which the features are compared
SEED, EPOCHS, BATCH, PEAK = 0, 6, 64, 4e-3


def probabilities(images: np.ndarray) -> np.ndarray:
    """How probable each digit is, (N, 10), for images (N, 28, 28) or (N, 784) in [0, 1].

    Real digits get at most about 0.9: the network was trained with label smoothing 0.1.

    Raises:
        ValueError: another shape, or values outside [0, 1].

    """
    return _run(images)[1]


def features(images: np.ndarray) -> np.ndarray:
    """What the network's last layer sees of each image: (N, 576), none negative.

    Raises:
        ValueError: as in `probabilities`.

    """
    return _run(images)[0]


def read(images: np.ndarray) -> np.ndarray:
    """The most probable digit of each image, (N,)."""
    return probabilities(images).argmax(axis=1)


def confidence(images: np.ndarray) -> float:
    """Mean of the largest probability of each image.

    Alone it says little: a generator that always draws the same 8 is very sure of itself.
    """
    return float(probabilities(images).max(axis=1).mean())


def coverage(images: np.ndarray) -> np.ndarray:
    """Share of the images that are read as 0, 1, …, 9: (10,), sums to 1."""
    return np.bincount(read(images), minlength=CLASSES) / len(images)


def frechet_distance(images: np.ndarray, others: np.ndarray | None = None) -> float:
    """Squared Fréchet distance between two sets of images, in features of this network.

    The features are projected onto 64 random directions (always the same); each set is described
    by their mean and covariance, which `metrics.frechet_distance` compares. So only the first two
    moments count, and the number is comparable with itself alone: never with the FID of another
    network, nor across different counts of images, since few images give a larger distance.

    Source: M. Heusel et al. (2017), GANs trained by a two time-scale update rule converge to a
    local Nash equilibrium, arXiv:1706.08500, section 2; there with Inception's 2,048 features.

    Args:
        images: (N, 28, 28) or (N, 784) in [0, 1]; 1,000 or more.
        others: what to compare with; None takes the 4,000 embedded training digits.

    Raises:
        ValueError: as in `probabilities`, or fewer than two images.

    """
    if others is None:
        record = recorded.load("judge")
        there = record["mean"].astype(float), record["covariance"].astype(float)
    else:
        there = _moments(features(others))
    return metrics.frechet_distance(*_moments(features(images)), *there)


def network() -> Any:
    """The network without weights, on the engine: images (N, 1, 28, 28) → features → scores."""
    from utils.layers import BatchNorm2d, Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential

    rng = np.random.default_rng(0)  # overwritten by what was recorded

    def block(channels: int, out: int) -> tuple[Any, ...]:
        convolution = Conv2d(channels, out, 3, padding=1, bias=False, rng=rng)
        return convolution, BatchNorm2d(out), ReLU()

    return Sequential(
        *block(1, 16),
        MaxPool2d(2),
        *block(16, 32),
        *block(32, 32),
        MaxPool2d(2),
        *block(32, 64),
        MaxPool2d(2),
        Flatten(),
        Linear(FEATURES, CLASSES, rng=rng),
    )


def train(epochs: int = EPOCHS) -> dict[str, np.ndarray]:
    """Train the network in PyTorch, as the better one of chapter 05, and return what is recorded.

    Returns:
        The engine network's weights by name, as float16, and the ``mean`` (64,) and ``covariance``
        (64, 64) of the training digits' projected features.

    """
    import torch
    from torch import nn

    from utils import optim, transforms
    from utils.datasets import load_digits
    from utils.training import fit
    from utils.weights import copy_weights

    def block(channels: int, out: int) -> tuple[nn.Module, ...]:
        return nn.Conv2d(channels, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU()

    data = load_digits(full=False)
    torch.manual_seed(SEED)
    model = nn.Sequential(
        *block(1, 16),
        nn.MaxPool2d(2),
        *block(16, 32),
        *block(32, 32),
        nn.MaxPool2d(2),
        *block(32, 64),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(FEATURES, CLASSES),
    ).to(memory_format=torch.channels_last)
    steps = epochs * -(-len(data.x_train) // BATCH)
    fit(
        model,
        (data.x_train[:, None], data.y_train),
        epochs,
        torch.optim.AdamW(model.parameters(), lr=PEAK, weight_decay=0.01),
        nn.CrossEntropyLoss(label_smoothing=0.1),
        batch_size=BATCH,
        schedule=optim.warmup_cosine(steps, steps // 5),
        rng=np.random.default_rng(SEED),
        augment=transforms.affine,
    )
    ours = network()
    copy_weights(model, ours)
    weights = {name: array.astype(np.float16) for name, array in ours.state_dict().items()}
    mean, covariance = _moments(_apply(_load(weights), data.x_train)[0])
    moments = {"mean": mean.astype(np.float32), "covariance": covariance.astype(np.float32)}
    return weights | moments


@functools.cache
def _network() -> Any:
    kept = recorded.load("judge")
    return _load({k: v for k, v in kept.items() if k not in ("mean", "covariance")})


def _load(weights: dict[str, np.ndarray]) -> Any:
    model = network().eval()
    model.load_state_dict(weights)
    return model


def _run(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    images = np.asarray(images, dtype=np.float32)
    if images.ndim not in (2, 3) or np.prod(images.shape[1:]) != 28 * 28 or len(images) == 0:
        raise ValueError(
            f"the judge reads images (N, 28, 28) or (N, 784), got {images.shape}; "
            "take away the axis of the channel with images.reshape(-1, 28, 28)"
        )
    if not (images.min() >= 0 and images.max() <= 1):
        raise ValueError(
            f"the judge reads values from 0 (black) to 1, got {images.min():.3g} to "
            f"{images.max():.3g}; what ends in tanh needs (images + 1) / 2"
        )
    return tuple(part.copy() for part in _seen(images.tobytes()))


@functools.lru_cache(maxsize=1)  # the three scores ask for the same images, one after another
def _seen(images: bytes) -> tuple[np.ndarray, np.ndarray]:
    return _apply(_network(), np.frombuffer(images, np.float32).reshape(-1, 28, 28))


def _apply(model: Any, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Features and probabilities, 250 images at a time."""
    from utils.engine import Tensor, no_grad

    *body, head = model
    seen = []
    with no_grad():
        for start in range(0, len(images), 250):
            x = Tensor(images[start : start + 250].reshape(-1, 1, 28, 28))
            for layer in body:
                x = layer(x)
            seen.append((x.data, head(x).softmax(1).data))
    return tuple(np.concatenate(part) for part in zip(*seen, strict=True))


def _moments(seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of the features along 64 random directions."""
    if len(seen) < 2:
        raise ValueError(f"a covariance needs two images at least, got {len(seen)}")
    # RandomState's stream is frozen: the same directions under every version of NumPy
    directions = np.random.RandomState(SEED).normal(size=(FEATURES, PROJECTED))
    projected = seen.astype(float) @ (directions / np.sqrt(FEATURES))
    return projected.mean(axis=0), np.cov(projected, rowvar=False)


if __name__ == "__main__":
    recorded.make("judge", train, seeds=[SEED])
