"""The variational autoencoder of images in PyTorch: its two terms, its training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from utils.models.mlp import mlp
from utils.optim import linear_decay

PIXELS = 28 * 28
SEED, BATCH, PEAK = 0, 100, 2e-3


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
        self.encoder = mlp(PIXELS, *hidden, 2 * latent)
        self.decoder = mlp(latent, *up, PIXELS)

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


def kl_to_prior(mu: Tensor, log_var: Tensor) -> Tensor:
    """KL(N(μ, σ²)‖N(0, 1)) = (μ² + σ² − 1 − ln σ²)/2 of each dimension, in nats; any shape."""
    return (mu**2 + log_var.exp() - 1 - log_var) / 2


def terms(outputs: tuple[Tensor, Tensor, Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """Reconstruction −ln p(x|z) and divergence KL(q(z|x)‖p(z)) of each image, in nats: (N,) each.

    Both are sums, over pixels and over dimensions of the code.
    """
    logits, mu, log_var = outputs
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(dim=1)
    return reconstruction, kl_to_prior(mu, log_var).sum(dim=1)


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


def divergence_of(model: VAE, x: np.ndarray) -> np.ndarray:
    """Mean divergence of each dimension of the code, (latent,), in nats."""
    with torch.no_grad():
        mu, log_var = model.encode(torch.tensor(x))
    return kl_to_prior(mu, log_var).mean(dim=0).numpy()


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
        model,
        (x, x),
        epochs,
        torch.optim.Adam(model.parameters(), lr=lr),
        lambda outputs, x: negative_elbo(outputs, x, beta),
        batch_size=BATCH,
        schedule=linear_decay(steps, constant=0.4),
        rng=np.random.default_rng(seed),
    )
