"""Eight Gaussians on a ring: what is kept of them by generators of five kinds, and the record.

The distribution has eight modes and no direction is special, so a generator that forgets some of
them is seen at a glance and can be counted. ``python -m utils.ring`` remakes the record (half an
hour on one core).

Source: L. Metz, B. Poole, D. Pfau, J. Sohl-Dickstein (2017), Unrolled generative adversarial
networks, arXiv:1611.02163, section 3.1, with radius 1 here.
"""

from __future__ import annotations

import functools
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from matplotlib.axes import Axes
    from torch import Tensor, nn

    Sample = Callable[[int], Tensor]

MODES = 8
JUDGED = 2000  # samples that are counted
NEAR = 3.0  # standard deviations
KEPT = 0.01  # share of the samples that a mode needs
SHOWN, FRAMES = 128, 16  # points and pictures of a film
SEEDS = 6
RECORD = Path(__file__).parent / "recorded" / "ring.json"


@dataclass(frozen=True)
class Setting:
    """How a generator of the ring is trained.

    Attributes:
        kind: ``"gan"`` (non-saturating), ``"wgan-gp"`` or ``"diffusion"``.
        sigma: standard deviation σ of each mode.
        rates: learning rates of generator and discriminator.
        hidden: neurons of each hidden layer.
        steps: updates of the generator.
        critic_steps: updates of the discriminator before each of them.
        penalty: λ, the weight of the gradient penalty.

    """

    kind: str
    sigma: float
    rates: tuple[float, float]
    hidden: tuple[int, ...]
    steps: int
    critic_steps: int = 1
    penalty: float = 0.0


SETTINGS = {
    "slow discriminator": Setting("gan", 0.05, (1e-3, 1e-4), (64, 64), 3000),
    "equal rates": Setting("gan", 0.05, (1e-3, 1e-3), (64, 64), 3000),
    "WGAN-GP, λ = 0.1": Setting("wgan-gp", 0.05, (2e-4, 2e-4), (64, 64), 3000, 3, 0.1),
    "WGAN-GP, λ = 10": Setting("wgan-gp", 0.02, (2e-4, 2e-4), (128, 128, 128), 2000, 3, 10.0),
    "diffusion": Setting("diffusion", 0.05, (2e-3, 0.0), (128, 128), 3000),
}
BATCH = 128
TIMES = 50  # noise levels of the diffusion


def centers() -> np.ndarray:
    """The means of the modes, (8, 2), on the unit circle."""
    import numpy as np

    angle = 2 * np.pi * np.arange(MODES) / MODES
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def real(n: int, sigma: float) -> Tensor:
    """`n` points of the ring, (n, 2), float32, drawn from PyTorch's generator."""
    import torch

    means = torch.tensor(centers(), dtype=torch.float32)
    return means[torch.randint(MODES, (n,))] + sigma * torch.randn(n, 2)


def count(points: np.ndarray, sigma: float) -> tuple[int, float]:
    """How many modes are kept, and the share of the points that lie near a mode.

    A point is near a mode within 3σ of its mean; a mode is kept by 1 % of all points near it.

    Args:
        points: (N, 2).
        sigma: σ of the modes.

    Raises:
        ValueError: another shape, or no points.

    """
    import numpy as np

    points = np.asarray(points)
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise ValueError(f"points must have shape (N, 2) with N > 0, got {points.shape}")
    distance = np.linalg.norm(points[:, None] - centers(), axis=2)
    near = distance < NEAR * sigma
    return int((near.mean(axis=0) >= KEPT).sum()), float(near.any(axis=1).mean())


def outline(ax: Axes, sigma: float) -> None:
    """Draw a circle around each mode: inside it, a point counts as near."""
    from matplotlib.patches import Circle

    from utils.plotting import GRAY

    for center in centers():
        ax.add_patch(Circle(center, NEAR * sigma, fill=False, ec=GRAY))


def mlp(inputs: int, hidden: tuple[int, ...], outputs: int) -> nn.Sequential:
    """A network of dense layers with ReLU between them."""
    from torch import nn

    parts: list[nn.Module] = []
    for width in hidden:
        parts += [nn.Linear(inputs, width), nn.ReLU()]
        inputs = width
    return nn.Sequential(*parts, nn.Linear(inputs, outputs))


def gradient_penalty(critic: nn.Module, x: Tensor, fake: Tensor) -> Tensor:
    """Mean of (‖∇D‖ − 1)² at random points between real and generated samples.

    Source: I. Gulrajani et al. (2017), Improved training of Wasserstein GANs, arXiv:1704.00028,
    algorithm 1. The gradient of the *sum* of the scores is the gradient of each of them only if no
    score depends on another sample: no batch normalization in the critic.

    Args:
        critic: maps (N, …) to scores, one for each sample.
        x: real samples, (N, …).
        fake: generated samples of the same shape.

    """
    import torch

    u = torch.rand(len(x), *[1] * (x.ndim - 1))
    between = (u * x + (1 - u) * fake).requires_grad_()
    (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    return ((gradient.flatten(1).norm(dim=1) - 1) ** 2).mean()


def noise_levels() -> Tensor:
    """ᾱₜ, the share of the variance that is still signal after t = 1 … 50 steps of noise.

    Source: A. Nichol, P. Dhariwal (2021), Improved denoising diffusion probabilistic models,
    arXiv:2102.09672, eq. 17.
    """
    import torch

    t = torch.arange(TIMES + 1) / TIMES
    level = torch.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2
    beta = (1 - level[1:] / level[:-1]).clamp(max=0.999)
    return (1 - beta).cumprod(0)


def _gan(s: Setting, watch: Callable[[int, Sample], None]) -> Sample:
    """Train a GAN or a WGAN-GP."""
    import torch
    from torch.nn.functional import softplus

    G, D = mlp(2, s.hidden, 2), mlp(2, s.hidden, 1)
    wasserstein = s.kind == "wgan-gp"
    betas = (0.0, 0.9) if wasserstein else (0.5, 0.999)
    of_G, of_D = (
        torch.optim.Adam(model.parameters(), lr=rate, betas=betas)
        for model, rate in zip((G, D), s.rates, strict=True)
    )

    def sample(n: int) -> Tensor:
        return G(torch.randn(n, 2))

    for step in range(s.steps):
        watch(step, sample)
        for _ in range(s.critic_steps):
            x, fake = real(BATCH, s.sigma), sample(BATCH).detach()
            if wasserstein:
                loss = D(fake).mean() - D(x).mean() + s.penalty * gradient_penalty(D, x, fake)
            else:
                loss = softplus(-D(x)).mean() + softplus(D(fake)).mean()
            of_D.zero_grad()
            loss.backward()
            of_D.step()
        score = D(sample(BATCH))
        loss = -score.mean() if wasserstein else softplus(-score).mean()
        of_G.zero_grad()
        loss.backward()
        of_G.step()
    return sample


def _diffusion(s: Setting, watch: Callable[[int, Sample], None]) -> Sample:
    """Train a network to find the noise in a point, and walk back from noise with it."""
    import torch

    level = noise_levels()
    alpha = level / torch.cat([torch.ones(1), level[:-1]])
    eps = mlp(2 + 8, s.hidden, 2)
    optimizer = torch.optim.Adam(eps.parameters(), lr=s.rates[0])
    waves = math.pi * torch.arange(1, 5) / TIMES

    def find(x: Tensor, t: Tensor) -> Tensor:
        angle = t[:, None] * waves
        return eps(torch.cat([x, angle.sin(), angle.cos()], dim=1))

    def sample(n: int) -> Tensor:
        x = torch.randn(n, 2)
        for t in range(TIMES - 1, -1, -1):
            noise = find(x, torch.full((n,), t))
            x = (x - (1 - alpha[t]) / (1 - level[t]).sqrt() * noise) / alpha[t].sqrt()
            if t:
                x = x + (1 - alpha[t]).sqrt() * torch.randn(n, 2)
        return x

    for step in range(s.steps):
        watch(step, sample)
        optimizer.param_groups[0]["lr"] = s.rates[0] * (1 - step / s.steps)
        x, noise = real(2 * BATCH, s.sigma), torch.randn(2 * BATCH, 2)
        t = torch.randint(TIMES, (2 * BATCH,))
        signal = level[t][:, None]
        noisy = signal.sqrt() * x + (1 - signal).sqrt() * noise
        loss = ((find(noisy, t) - noise) ** 2).mean()
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
    import dataclasses
    import time

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


@functools.cache
def recorded() -> tuple[dict[str, Any], ...]:
    """The recorded runs, each as `run` returns it; those of seed 0 have a film."""
    return tuple(json.loads(RECORD.read_text(encoding="utf-8"))["runs"])


def modes_kept() -> dict[str, list[int]]:
    """For each setting the modes that its recorded runs kept, in the order of the seeds."""
    return {name: [r["modes"] for r in recorded() if r["setting"] == name] for name in SETTINGS}


def write(runs: list[dict[str, Any]], path: Path = RECORD) -> None:
    """Keep the runs, one a line, with the command that makes them again."""
    lines = ",\n".join(json.dumps(kept, separators=(",", ":")) for kept in runs)
    text = f'{{"command": "python -m utils.ring",\n"runs": [\n{lines}\n]}}\n'
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    write([run(name, seed, film=seed == 0) for name in SETTINGS for seed in range(SEEDS)])
