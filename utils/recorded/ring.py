"""Eight Gaussians on a ring, learned by generators of five kinds: what each keeps of the modes.

``python -m utils.recorded.ring`` trains them all again, in minutes.
"""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from utils import recorded
from utils.datasets.ring import count, real

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from torch import Tensor

    Sample = Callable[[int], Tensor]

JUDGED = 2000  # samples that are counted
SHOWN, FRAMES = 128, 16  # points and pictures of a film
SEEDS = 6


@dataclass(frozen=True)
class Setting:
    """How a generator of the ring is trained.

    Attributes:
        kind: ``"GAN"`` (non-saturating), ``"WGAN-GP"`` or ``"diffusion"``.
        sigma: standard deviation σ of each mode.
        lrs: learning rates of generator and discriminator.
        hidden: neurons of each hidden layer.
        steps: updates of the generator.
        critic_steps: updates of the discriminator before each of them.
        penalty: λ, the weight of the gradient penalty.

    """

    kind: str
    sigma: float
    lrs: tuple[float, float]
    hidden: tuple[int, ...]
    steps: int
    critic_steps: int = 1
    penalty: float = 0.0


SETTINGS = {
    "slow discriminator": Setting("GAN", 0.05, (1e-3, 1e-4), (64, 64), 3000),
    "equal rates": Setting("GAN", 0.05, (1e-3, 1e-3), (64, 64), 3000),
    "WGAN-GP, λ = 0.1": Setting("WGAN-GP", 0.05, (2e-4, 2e-4), (64, 64), 3000, 3, 0.1),
    "WGAN-GP, λ = 10": Setting("WGAN-GP", 0.02, (2e-4, 2e-4), (128, 128, 128), 2000, 3, 10.0),
    "diffusion": Setting("diffusion", 0.05, (2e-3, 0.0), (128, 128), 3000),
}
BATCH = 128


def _gan(s: Setting, watch: Callable[[int, Sample], None]) -> Sample:
    """Train a GAN or a WGAN-GP."""
    import torch

    from utils.models.gan import BETAS, discriminator_loss, generator_loss, gradient_penalty
    from utils.models.mlp import mlp

    G, D = mlp(2, *s.hidden, 2), mlp(2, *s.hidden, 1)
    of_G, of_D = (
        torch.optim.Adam(model.parameters(), lr=lr, betas=BETAS[s.kind])
        for model, lr in zip((G, D), s.lrs, strict=True)
    )

    def sample(n: int) -> Tensor:
        return G(torch.randn(n, 2))

    for step in range(s.steps):
        watch(step, sample)
        for _ in range(s.critic_steps):
            x, fake = real(BATCH, s.sigma), sample(BATCH).detach()
            loss = discriminator_loss(s.kind, D(x), D(fake))
            if s.penalty:
                loss = loss + s.penalty * gradient_penalty(D, x, fake)
            of_D.zero_grad()
            loss.backward()
            of_D.step()
        loss = generator_loss(s.kind, D(sample(BATCH)))
        of_G.zero_grad()
        loss.backward()
        of_G.step()
    return sample


def _diffusion(s: Setting, watch: Callable[[int, Sample], None]) -> Sample:
    """Train a network to predict the noise in a point, and sample with it."""
    import torch

    from utils.models import diffusion

    level, predict = diffusion.cosine_schedule(), diffusion.NoisePredictor(s.hidden)
    optimizer = torch.optim.Adam(predict.parameters(), lr=s.lrs[0])

    def sample(n: int) -> Tensor:
        return diffusion.sample(predict, torch.randn(n, 2), level)

    for step in range(s.steps):
        watch(step, sample)
        optimizer.param_groups[0]["lr"] = s.lrs[0] * (1 - step / s.steps)
        x, noise = real(2 * BATCH, s.sigma), torch.randn(2 * BATCH, 2)
        t = torch.randint(len(level), (2 * BATCH,))
        noisy = diffusion.add_noise(x, noise, level[t][:, None])
        loss = ((predict(noisy, t) - noise) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return sample


def run(name: str, seed: int, *, film: bool = False, steps: int | None = None) -> dict[str, Any]:
    """Train one generator of the ring and count what it keeps.

    Args:
        name: one of `SETTINGS`.
        seed: of weights, samples and noise; PyTorch's generator goes on from it.
        film: also keep `FRAMES` pictures of the same noise while the generator learns.
        steps: updates of the generator; None takes those of the setting.

    Returns:
        ``setting``, ``seed``, CPU ``seconds`` of training, ``modes`` and ``near`` as of `count`;
        with `film` ``frames``, each with ``step``, ``modes``, ``near`` and ``points``, the rounded
        hundredfold coordinates (128, 2).

    Raises:
        KeyError: no such setting.

    """
    import torch

    s = SETTINGS[name]
    s = dataclasses.replace(s, steps=s.steps if steps is None else steps)
    torch.manual_seed(seed)
    frames: list[dict[str, Any]] = []
    # more pictures at the start, where more happens
    shown = {round(s.steps * (i / (FRAMES - 1)) ** 1.5) for i in range(FRAMES)} if film else set()
    spent = 0.0

    def look(step: int, sample: Sample) -> None:
        nonlocal spent
        if step not in shown:
            return
        start = time.process_time()
        points = draw(sample)
        modes, near = count(points, s.sigma)
        kept = (100 * points[:SHOWN]).round().astype(int).tolist()
        frames.append({"step": step, "modes": modes, "near": round(near, 3), "points": kept})
        spent += time.process_time() - start

    start = time.process_time()
    sample = {"diffusion": _diffusion}.get(s.kind, _gan)(s, look)
    seconds = time.process_time() - start - spent
    look(s.steps, sample)
    modes, near = count(draw(sample), s.sigma)
    result = {"setting": name, "seed": seed, "seconds": round(seconds, 1)}
    return result | {"modes": modes, "near": round(near, 3)} | ({"frames": frames} if film else {})


def draw(sample: Sample) -> np.ndarray:
    """`JUDGED` points made from the same noise each time; the run's own noise is not touched."""
    import torch

    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        return sample(JUDGED).numpy()


def runs() -> tuple[dict[str, Any], ...]:
    """The recorded runs, each as `run` returns it; those of seed 0 have a film."""
    return recorded.load("ring")


def modes_kept() -> dict[str, list[int]]:
    """For each setting the modes that its recorded runs kept, in the order of the seeds."""
    return {name: [r["modes"] for r in runs() if r["setting"] == name] for name in SETTINGS}


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    recorded.make(
        "ring",
        lambda: [run(name, seed, film=seed == 0) for name in SETTINGS for seed in range(SEEDS)],
        seeds=range(SEEDS),
    )
