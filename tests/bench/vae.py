"""−ELBO of a variational autoencoder in 30 seconds of one core, on the embedded digits.

Each contestant runs in a process of its own on one thread, once for each of three seeds; its time
is CPU seconds of training, and the step size follows the clock. Reported are the median −ELBO on
unseen digits in nats (of stochastically binarized digits, 10 samples each) and all three values.
Names after the command run only those contestants.
"""

from __future__ import annotations

import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
SECONDS, SEEDS = 30.0, (0, 1, 2)
CONTESTANTS = {  # name → what it is; the number that is a target stands in the title
    "ours": "784-400-20, Adam 2e-3, plateau, 30 s (target 118)",
    "deep": "784-400-200-20, as in the chapter, 30 s (target 118)",
    "engine": "the deep one on the course's engine, 30 s",
    "textbook": "784-400-20, Adam 1e-3 constant, batch 128, 30 s",
}


def main(names: list[str]) -> int:
    """Run the contestants one after the other and print a table."""
    one_thread = {name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    settings = os.environ | one_thread | {"COURSE_QUIET": "1"}
    for name in names or CONTESTANTS:
        runs = []
        for seed in SEEDS:
            command = [sys.executable, "-m", "tests.bench.vae", "--only", name, str(seed)]
            done = subprocess.run(
                command, cwd=ROOT, env=settings, stdout=subprocess.PIPE, text=True, check=True
            )
            runs.append(json.loads(done.stdout.splitlines()[-1]))
        nats = [run["nats"] for run in runs]
        print(
            f"{CONTESTANTS[name]:<56} {statistics.median(nats):6.1f} nats "
            f"({', '.join(f'{value:.1f}' for value in nats)})  "
            f"{statistics.median(run['epochs'] for run in runs):.0f} epochs",
            flush=True,
        )
    return 0


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Training and test images, (N, 784)."""
    from utils.datasets import load_digits

    data = load_digits(full=False)
    return data.x_train.reshape(-1, 784), data.x_test.reshape(-1, 784)


def by_the_clock(x, step, batch: int, seed: int) -> float:
    """Call ``step(rows, share of the time used)`` until the time is up; return the epochs."""
    rng, steps, start = np.random.default_rng(seed), 0, time.process_time()
    while True:
        for rows in np.split(rng.permutation(len(x)), range(batch, len(x), batch)):
            used = (time.process_time() - start) / SECONDS
            if used >= 1:
                return steps * batch / len(x)
            step(x[rows], used)
            steps += 1


def in_torch(hidden, lr: float, batch: int, factor, seed: int) -> dict:
    """A model of `utils.vae`; `factor` of the learning rate by the share of time used."""
    import torch

    from utils import vae

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

    epochs = by_the_clock(torch.tensor(x), step, batch, seed)
    return {"nats": sum(vae.nats(model, x_new)), "epochs": epochs}


def on_the_engine(lr: float, batch: int, factor, seed: int) -> dict:
    """The same layers, loss and optimizer in NumPy; judged by the PyTorch model."""
    from utils import vae
    from utils.layers import Linear, ReLU, Sequential
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

    epochs = by_the_clock(x, step, batch, seed)
    model = vae.VAE()
    copy_weights(Sequential(encoder, decoder), model)
    return {"nats": sum(vae.nats(model, x_new)), "epochs": epochs}


def plateau(used: float) -> float:
    """Constant for 40 % of the time, then down to 0."""
    return min(1.0, (1 - used) / 0.6)


RUNS = {
    "ours": lambda seed: in_torch((400,), 2e-3, 100, plateau, seed),
    "deep": lambda seed: in_torch((400, 200), 2e-3, 100, plateau, seed),
    "engine": lambda seed: on_the_engine(2e-3, 100, plateau, seed),
    "textbook": lambda seed: in_torch((400,), 1e-3, 128, lambda used: 1.0, seed),
}

if __name__ == "__main__":
    if sys.argv[1:2] == ["--only"]:
        print(json.dumps(RUNS[sys.argv[2]](int(sys.argv[3])), default=float))
    else:
        sys.exit(main(sys.argv[1:]))
