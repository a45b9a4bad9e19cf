"""A variational autoencoder with a code of two numbers, for the latent map.

``python -m utils.recorded.latent_map`` trains it again, in minutes.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from utils import recorded
from utils.models.vae import SEED, VAE, nats, train
from utils.recorded.betas import flat_digits

EPOCHS = 100


def record_map(epochs: int = EPOCHS) -> dict[str, np.ndarray]:
    """Train a model with a code of two numbers.

    Returns:
        ``w0``, ``b0``, … of the decoder and ``codes`` (1000, 2), the means of the test digits, as
        float16; their ``labels``, and ``score``: reconstruction and divergence on them.

    """
    x, x_test, labels = flat_digits()
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


if __name__ == "__main__":
    recorded.make("latent_map", record_map, seeds=[SEED])
