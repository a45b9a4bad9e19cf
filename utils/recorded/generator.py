"""The generators of digits: a DCGAN at seven stages of its training, and pictures of two others.

``python -m utils.recorded.generator`` trains all three again, some minutes on one core.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from utils import recorded
from utils.models.gan import apply_folded, fold, generate, latents, train_dcgan, train_torch

EPOCHS, OTHERS = 90, 60
STAGES = (1, 2, 5, 10, 20, 45, 90)  # epochs after which the record keeps pictures and scores
FILMED, JUDGED = 12, 1000  # latents of the film; images that are judged
SEED = 0


def weights() -> dict[str, np.ndarray]:
    """The folded weights of the recorded DCGAN, for `apply_folded`."""
    kept = recorded.load("generator")
    return {name: kept[name] for name in ("w0", "b0", "w1", "b1", "w2", "b2")}


def record(epochs: int = EPOCHS, others: int = OTHERS, seed: int = SEED) -> dict[str, np.ndarray]:
    """Train all three generators and return what is kept of them.

    Args:
        epochs: of the DCGAN.
        others: epochs of LSGAN and WGAN-GP.
        seed: of each.

    Returns:
        The DCGAN's folded weights as float16; for each stage of its training ``epoch``,
        ``confidence``, ``classes`` (10,), ``distance`` and ``film`` (12, 28, 28) as bytes;
        ``anchors``, for each digit the latent that the judge is surest of, (10, latent); ``lsgan``
        and ``wgan_gp``, pictures (12, 28, 28) as bytes.

    """
    from utils.datasets import load_digits
    from utils.recorded import judge

    digits, z = load_digits(full=False).x_train, latents(JUDGED)
    kept: dict[str, list[Any]] = {
        name: [] for name in ("epoch", "confidence", "classes", "distance", "film")
    }

    def look(epoch: int, G: Any) -> None:
        if epoch in STAGES or epoch == epochs:
            images = generate(G, z)
            kept["epoch"].append(epoch)
            kept["confidence"].append(judge.confidence(images))
            kept["classes"].append(judge.coverage(images))
            kept["distance"].append(judge.frechet_distance(images))
            kept["film"].append(_bytes(images[:FILMED]))

    weights = fold(train_dcgan(digits, epochs, seed=seed, after_epoch=look))
    weights = {name: array.astype(np.float16) for name, array in weights.items()}
    p = judge.probabilities(apply_folded(weights, z))
    pictures = {
        name: _bytes(generate(train_torch(kind, digits, others, seed=seed), z[:FILMED]))
        for name, kind in (("lsgan", "LSGAN"), ("wgan_gp", "WGAN-GP"))
    }
    scores = {name: np.array(values) for name, values in kept.items()}
    return weights | scores | pictures | {"anchors": z[p.argmax(axis=0)]}


def _bytes(images: np.ndarray) -> np.ndarray:
    return np.round(255 * images).astype(np.uint8)


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    recorded.make("generator", record, seeds=[SEED])
