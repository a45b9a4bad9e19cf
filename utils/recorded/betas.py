"""Nine variational autoencoders, a weight β of the divergence each.

``python -m utils.recorded.betas`` trains them again, in minutes.
"""

from __future__ import annotations

import numpy as np
import torch

from utils import recorded
from utils.datasets import load_digits
from utils.models.vae import PIXELS, SEED, VAE, divergence_of, nats, train

BETAS = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 100.0)
EPOCHS = 15
SHOWN = 10  # digits that a run rebuilds, and as many that it invents


def record_beta(beta: float, epochs: int = EPOCHS) -> dict[str, np.ndarray]:
    """Train a model of 784-200-20 with the weight `beta`.

    Returns:
        ``score``: reconstruction and divergence on the test digits; ``divergence`` (20,) of each
        dimension; ``rebuilt`` and ``invented``, ten images each, (10, 28, 28) bytes.

    """
    x, x_test, labels = flat_digits()
    torch.manual_seed(SEED)
    model = VAE((200,), 20)
    train(model, x, epochs, beta=beta)
    first = [int(np.flatnonzero(labels == c)[0]) for c in range(SHOWN)]
    with torch.no_grad():
        rebuilt = model.decode(model.encode(torch.tensor(x_test[first]))[0])
    pictures = {"rebuilt": rebuilt, "invented": model.sample(SHOWN)}
    return {
        "score": np.array(nats(model, x_test)),
        "divergence": divergence_of(model, x_test),
        **{k: np.rint(255 * v.reshape(-1, 28, 28)).astype(np.uint8) for k, v in pictures.items()},
    }


def record() -> dict[str, np.ndarray]:
    """Train a model for each β: ``beta`` (9,), and the arrays of `record_beta`, stacked."""
    runs = [record_beta(beta) for beta in BETAS]
    return {"beta": np.array(BETAS)} | {
        name: np.stack([run[name] for run in runs]) for name in runs[0]
    }


def flat_digits() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training images, test images, each (N, 784), and the labels of the test images."""
    data = load_digits(full=False)
    return data.x_train.reshape(-1, PIXELS), data.x_test.reshape(-1, PIXELS), data.y_test


if __name__ == "__main__":
    recorded.make("betas", record, seeds=[SEED])
