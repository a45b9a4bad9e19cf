"""−ELBO of a variational autoencoder in 30 seconds of one core, on the embedded digits.

Run ``python -m tests.bench.vae``. Each contestant stops after so many CPU seconds of training, so
its step size follows the clock. Reported are nats of stochastically binarized unseen digits.
"""

from __future__ import annotations

import itertools
import sys

import numpy as np

from tests.bench._race import Contestant, Race, Result, Stopwatch

SECONDS = 30.0


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Training and test images, (N, 784)."""
    from utils.datasets import load_digits

    data = load_digits(full=False)
    return data.x_train.reshape(-1, 784), data.x_test.reshape(-1, 784)


def by_the_clock(x, step, batch: int, seed: int) -> Result:
    """Call ``step(rows, share of the time used)`` until the time is up; epochs and seconds."""
    rng, steps = np.random.default_rng(seed), 0
    with Stopwatch() as clock:
        while clock.so_far() < SECONDS:
            for rows in np.split(rng.permutation(len(x)), range(batch, len(x), batch)):
                used = clock.so_far() / SECONDS
                if used >= 1:
                    break
                step(x[rows], used)
                steps += 1
    return {"epochs": steps * batch / len(x), "seconds": clock.seconds}


def in_torch(hidden, lr: float, batch: int, factor, seed: int) -> Result:
    """A model of `utils.models.vae`; `factor` of the learning rate by the share of time used."""
    import torch

    from utils.models import vae

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    x, x_new = digits()
    model = vae.VAE(hidden)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)

    def step(images, used: float) -> None:
        optimizer.param_groups[0]["lr"] = lr * factor(used)
        optimizer.zero_grad()
        vae.negative_elbo(model(images), images).backward()
        optimizer.step()

    took = by_the_clock(torch.tensor(x), step, batch, seed)
    return {"nats": sum(vae.nats(model, x_new))} | took


def on_the_engine(lr: float, batch: int, factor, seed: int) -> Result:
    """The same layers, loss and optimizer in NumPy; judged by the PyTorch model."""
    from utils.layers import Linear, ReLU, Sequential
    from utils.models import vae
    from utils.optim import Adam
    from utils.weights import copy_weights

    rng = np.random.default_rng(seed)
    x, x_new = digits()

    def dense(*sizes):
        pairs = itertools.pairwise(sizes)
        parts = [part for pair in pairs for part in (Linear(*pair, rng=rng), ReLU())]
        return Sequential(*parts[:-1])

    encoder, decoder = dense(784, 400, 200, 40), dense(20, 200, 400, 784)
    optimizer = Adam([*encoder.parameters(), *decoder.parameters()], lr)

    def step(images, used: float) -> None:
        optimizer.lr = lr * factor(used)
        h = encoder(images)
        mu, log_var = h[:, :20], h[:, 20:]
        eps = rng.normal(size=mu.shape).astype(np.float32)
        logits = decoder(mu + (log_var / 2).exp() * eps)
        reconstruction = (logits.softplus() - logits * images).sum()
        divergence = (mu**2 + log_var.exp() - 1 - log_var).sum() / 2
        optimizer.zero_grad()
        ((reconstruction + divergence) / len(images)).backward()
        optimizer.step()

    took = by_the_clock(x, step, batch, seed)
    model = vae.VAE()
    copy_weights(Sequential(encoder, decoder), model)
    return {"nats": sum(vae.nats(model, x_new))} | took


def plateau(used: float) -> float:
    """Constant for 40 % of the time, then down to 0."""
    return min(1.0, (1 - used) / 0.6)


RACE = Race(
    "vae",
    "variational autoencoder, 1,000 unseen digits, −ELBO",
    {"nats": "{:.1f}", "epochs": "{:.0f}", "seconds": "{:.0f}"},
    {
        "ours": Contestant(
            "chapter 12, 784-400-20, step size falling to 0",
            lambda seed: in_torch((400,), 2e-3, 100, plateau, seed),
            "≤ 118 in 30 s",
        ),
        "deep": Contestant(
            "chapter 12, 784-400-200-20",
            lambda seed: in_torch((400, 200), 2e-3, 100, plateau, seed),
        ),
        "engine": Contestant(
            "the deep one in NumPy", lambda seed: on_the_engine(2e-3, 100, plateau, seed)
        ),
        "textbook": Contestant(
            "textbook 784-400-20: Adam 1e-3, batch 128",
            lambda seed: in_torch((400,), 1e-3, 128, lambda used: 1.0, seed),
        ),
    },
    headline="**A model of digits** (chapter 12): {ours[nats]} nats per unseen digit in "
    "{ours[seconds]} s; the textbook's recipe needs {textbook[nats]}.",
)

if __name__ == "__main__":
    sys.exit(RACE.main(sys.argv[1:]))
