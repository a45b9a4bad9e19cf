"""The variational autoencoder of chapter 12 in PyTorch, and its recorded runs.

``python -m utils.vae`` trains the recorded ones again, in minutes: the two-dimensional map of the
hero widget, and one model for each weight β of the divergence.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from utils import recorded

COMMAND = "python -m utils.vae"
PIXELS = 28 * 28
BETAS = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 100.0)
SEED, BATCH, PEAK = 0, 100, 2e-3
MAP_EPOCHS, BETA_EPOCHS = 100, 15
SHOWN = 10  # digits that a recorded run rebuilds, and as many that it invents


class VAE(nn.Module):
    """Images (N, 784) in [0, 1] → logits of the pixels, and mean and log variance of the code.

    The decoder sees a fresh sample z = μ + σε at every call, in evaluation too.

    Source: D. Kingma, M. Welling (2014), Auto-encoding variational Bayes, arXiv:1312.6114.

    Args:
        hidden: units of the encoder's hidden layers.
        latent: dimensions of the code.
        up: units of the decoder's hidden layers; None mirrors the encoder's.

    """

    def __init__(
        self,
        hidden: Sequence[int] = (400, 200),
        latent: int = 20,
        up: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        up = hidden[::-1] if up is None else up
        self.latent = latent
        self.encoder = _dense(PIXELS, *hidden, 2 * latent)
        self.decoder = _dense(latent, *up, PIXELS)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of q(z|x), each (N, latent)."""
        return self.encoder(x).chunk(2, dim=1)

    def forward(self, x: Tensor, eps: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (N, 784), μ and ln σ² (N, latent); `eps` are the dice, by default fresh ones."""
        mu, log_var = self.encode(x)
        eps = torch.randn_like(mu) if eps is None else eps
        z = mu + torch.exp(log_var / 2) * eps
        return self.decoder(z), mu, log_var

    def decode(self, z: Any) -> np.ndarray:
        """Images (N, 784) for codes (N, latent): the probability that each pixel is white."""
        with torch.no_grad():
            return torch.sigmoid(self.decoder(torch.as_tensor(z, dtype=torch.float32))).numpy()

    def sample(self, count: int) -> np.ndarray:
        """Images (count, 784) for codes drawn from the prior N(0, I)."""
        return self.decode(torch.randn(count, self.latent))


def terms(outputs: tuple[Tensor, Tensor, Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """Reconstruction −ln p(x|z) and divergence KL(q(z|x)‖p(z)) of each image, in nats: (N,) each.

    Both are sums, over pixels and over dimensions of the code.
    """
    logits, mu, log_var = outputs
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(dim=1)
    divergence = (mu**2 + log_var.exp() - 1 - log_var).sum(dim=1) / 2
    return reconstruction, divergence


def negative_elbo(outputs: tuple[Tensor, Tensor, Tensor], x: Tensor, beta: float = 1.0) -> Tensor:
    """Mean over the batch of −ln p(x|z) + β KL(q(z|x)‖p(z)), in nats an image.

    Source of β: I. Higgins et al. (2017), beta-VAE, ICLR; arXiv:1804.03599 explains it.
    """
    reconstruction, divergence = terms(outputs, x)
    return (reconstruction + beta * divergence).mean()


def nats(model: VAE, x: np.ndarray, samples: int = 10) -> tuple[float, float]:
    """Mean reconstruction and mean divergence of images (N, 784), in nats; their sum is −ELBO.

    The reconstruction is averaged over `samples` codes an image.
    """
    x = torch.tensor(x)
    with torch.no_grad():
        reconstruction, divergence = zip(*(terms(model(x), x) for _ in range(samples)), strict=True)
    return float(torch.stack(reconstruction).mean()), float(divergence[0].mean())


def plateau(steps: int, share: float = 0.4) -> Any:
    """A schedule: factor 1 for a share of the steps, then a straight line to 0."""
    return lambda t: min(1.0, (1 - t / steps) / (1 - share))


def train(
    model: VAE,
    x: np.ndarray,
    epochs: int,
    *,
    beta: float = 1.0,
    lr: float = PEAK,
    seed: int = SEED,
) -> Any:
    """Train on images (N, 784) with Adam in batches of 100; return the history of `fit`."""
    from utils.training import fit

    steps = epochs * -(-len(x) // BATCH)
    return fit(
        model, (x, x), epochs, torch.optim.Adam(model.parameters(), lr=lr),
        lambda outputs, x: negative_elbo(outputs, x, beta),
        batch_size=BATCH, schedule=plateau(steps), rng=np.random.default_rng(seed),
    )  # fmt: skip


def _dense(*sizes: int) -> nn.Sequential:
    """Dense layers with ReLU between them."""
    layers: list[nn.Module] = []
    for n_in, n_out in itertools.pairwise(sizes):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


# ---------------------------------------------------------------- recorded runs


def divergence_of(model: VAE, x: np.ndarray) -> np.ndarray:
    """Mean divergence of each dimension of the code, (latent,), in nats."""
    with torch.no_grad():
        mu, log_var = model.encode(torch.tensor(x))
    return ((mu**2 + log_var.exp() - 1 - log_var) / 2).mean(dim=0).numpy()


def record_map(epochs: int = MAP_EPOCHS) -> dict[str, np.ndarray]:
    """Train a model with a code of two numbers.

    Returns:
        ``w0``, ``b0``, … of the decoder and ``codes`` (1000, 2), the means of the test digits, as
        float16; their ``labels``, and ``score``: reconstruction and divergence on them.

    """
    x, x_test, labels = _digits()
    torch.manual_seed(SEED)
    model = VAE((256, 128), 2, up=(64, 80))
    train(model, x, epochs)
    layers = [layer for layer in model.decoder if isinstance(layer, nn.Linear)]
    kept = {}
    for i, layer in enumerate(layers):
        kept[f"w{i}"] = layer.weight.detach().numpy().astype(np.float16)
        kept[f"b{i}"] = layer.bias.detach().numpy().astype(np.float16)
    with torch.no_grad():
        codes = model.encode(torch.tensor(x_test))[0].numpy()
    return kept | {
        "codes": codes.astype(np.float16),
        "labels": labels.astype(np.uint8),
        "score": np.array(nats(model, x_test)),
    }


def record_beta(beta: float, epochs: int = BETA_EPOCHS) -> dict[str, np.ndarray]:
    """Train a model of 784-200-20 with the weight `beta`.

    Returns:
        ``score``: reconstruction and divergence on the test digits; ``divergence`` (20,) of each
        dimension; ``rebuilt`` and ``invented``, ten images each, (10, 28, 28) bytes.

    """
    x, x_test, labels = _digits()
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


def _digits() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    from utils.datasets import load_digits

    data = load_digits(full=False)
    return data.x_train.reshape(-1, PIXELS), data.x_test.reshape(-1, PIXELS), data.y_test


if __name__ == "__main__":
    recorded.save("latent_map", COMMAND, record_map())
    runs = [record_beta(beta) for beta in BETAS]
    table = {name: np.stack([run[name] for run in runs]) for name in runs[0]}
    recorded.save("betas", COMMAND, {"beta": np.array(BETAS)} | table)
