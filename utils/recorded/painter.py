"""A U-Net that runs in the page: it paints outlines and listens to dabs of color.

``python -m utils.recorded.painter`` trains it again, some minutes on one core.
"""

from __future__ import annotations

import numpy as np

from utils import recorded

STEPS, SEED = 3_000, 0
LAM = None  # L1 alone
DABS = 6  # the most of an example in training


def weights() -> dict[str, np.ndarray]:
    """The folded weights float32, as `utils.models.unet.fold` names them."""
    kept = recorded.load("painter")
    return {name: array.astype(np.float32) for name, array in kept.items()}


def record(steps: int = STEPS, seed: int = SEED) -> dict[str, np.ndarray]:
    """Train the U-Net and return what `weights` reads, as float16."""
    import torch

    from utils.datasets import load_sketches
    from utils.models import unet

    torch.set_num_threads(1)
    data = load_sketches()
    painter = unet.train(data.x_train, data.y_train, steps, LAM, dabs=DABS, seed=seed)
    return {name: array.astype(np.float16) for name, array in unet.fold(painter).items()}


if __name__ == "__main__":
    recorded.make("painter", record, seeds=[SEED])
