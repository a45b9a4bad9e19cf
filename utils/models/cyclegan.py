"""CycleGAN in PyTorch: two worlds of pictures without pairs, two generators, two discriminators.

Images are in [−1, 1] here, channels first, 32 × 32 with one channel (world A) or three (world B).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from utils.models.gan import batches, discriminator_loss, generator_loss
from utils.optim import linear_decay

WIDTH, BATCH, POOL = 16, 8, 50
CYCLE = 10.0  # λ, the weight of the way there and back
LR_G, LR_D, BETAS = 1e-3, 5e-4, (0.5, 0.999)


class Generator(nn.Module):
    """Images (N, channels, 32, 32) of one world → (N, out, 32, 32) of the other, in (−1, 1).

    Source: J.-Y. Zhu et al. (2017), Unpaired image-to-image translation using cycle-consistent
    adversarial networks, arXiv:1703.10593, section 4 and appendix, at a small scale; that the last
    convolution sees the input, too, is taken from the U-Net.
    """

    def __init__(self, channels: int, out: int, width: int = WIDTH) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_block(nn.Conv2d(channels, width, 4, 2, 1, bias=False)),  # 32 → 16
            *_block(nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False)),  # 16 → 8
            Residual(2 * width),
            Residual(2 * width),
            *_block(nn.ConvTranspose2d(2 * width, width, 4, 2, 1, bias=False)),
            *_block(nn.ConvTranspose2d(width, width, 4, 2, 1, bias=False)),
        )
        self.last = nn.Conv2d(width + channels, out, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """The images in the other world."""
        return torch.tanh(self.last(torch.cat([self.body(x), x], dim=1)))


class Residual(nn.Module):
    """x + F(x), F two convolutions that keep channels and size."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.change = nn.Sequential(
            *_block(nn.Conv2d(channels, channels, 3, padding=1, bias=False)),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.InstanceNorm2d(channels, affine=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        """The maps x (N, channels, H, W) and what is added to them."""
        return x + self.change(x)


def _block(convolution: nn.Module) -> tuple[nn.Module, ...]:
    """A convolution, the normalization of each image's maps by themselves, ReLU.

    The normalization takes every constant away, so a bias before it would be useless.
    """
    return convolution, nn.InstanceNorm2d(convolution.out_channels, affine=True), nn.ReLU()


class Discriminator(nn.Sequential):
    """Images (N, channels, 32, 32) → scores (N, 1, 8, 8), one for each patch of 26 × 26 pixels."""

    def __init__(self, channels: int) -> None:
        super().__init__(
            nn.Conv2d(channels, 16, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(16, 32, 4, 2, 1, bias=False),
            nn.InstanceNorm2d(32, affine=True),
            nn.LeakyReLU(0.2),
            nn.Conv2d(32, 32, 3, padding=1, bias=False),
            nn.InstanceNorm2d(32, affine=True),
            nn.LeakyReLU(0.2),
            nn.Conv2d(32, 1, 3, padding=1),
        )


class Pool:
    """The last fakes: the discriminator sees an older one half of the time, so it cannot forget.

    Source: A. Shrivastava et al. (2017), arXiv:1612.07828, section 2.3.
    """

    def __init__(self, rng: np.random.Generator, size: int = POOL) -> None:
        self._rng, self._size = rng, size
        self._kept: list[Tensor] = []

    def exchange(self, fakes: Tensor) -> Tensor:
        """As many fakes as came, (N, …): new ones, or older ones whose place they take."""
        given = []
        for fake in fakes.detach():
            if len(self._kept) < self._size:
                self._kept.append(fake)
            elif self._rng.random() < 0.5:
                i = self._rng.integers(self._size)
                self._kept[i], fake = fake, self._kept[i]
            given.append(fake)
        return torch.stack(given)


class CycleGAN:
    """Four networks and their moves, with the squared loss of LSGAN and no identity loss.

    Source: Zhu et al. (2017), arXiv:1703.10593, equations 1 to 4.

    Args:
        rng: of the pools.
        cycle: λ, the weight of the L1 errors of A → B → A and of B → A → B.

    Attributes:
        to_A, to_B: the generators.
        of_A, of_B: the discriminators.

    """

    def __init__(self, rng: np.random.Generator, cycle: float = CYCLE) -> None:
        self.to_B, self.to_A = Generator(1, 3), Generator(3, 1)
        self.of_A, self.of_B = Discriminator(1), Discriminator(3)
        self._cycle, self._pool_A, self._pool_B = cycle, Pool(rng), Pool(rng)
        players = ((self.to_B, self.to_A, LR_G), (self.of_A, self.of_B, LR_D))
        self._optimizers = [
            (torch.optim.Adam([*one.parameters(), *two.parameters()], betas=BETAS), lr)
            for one, two, lr in players
        ]

    def step(self, a: Tensor, b: Tensor, rate: float = 1.0) -> None:
        """Move the generators, then the discriminators, on images of both worlds.

        `rate` is a factor of all learning rates.
        """
        fake_a, fake_b = self.to_A(b), self.to_B(a)
        back = F.l1_loss(self.to_A(fake_b), a) + F.l1_loss(self.to_B(fake_a), b)
        fooled = generator_loss("LSGAN", self.of_A(fake_a)) + generator_loss(
            "LSGAN", self.of_B(fake_b)
        )
        generators, discriminators = self._optimizers
        _descend(*generators, fooled + self._cycle * back, rate)
        loss_A = discriminator_loss("LSGAN", self.of_A(a), self.of_A(self._pool_A.exchange(fake_a)))
        loss_B = discriminator_loss("LSGAN", self.of_B(b), self.of_B(self._pool_B.exchange(fake_b)))
        _descend(*discriminators, loss_A + loss_B, rate)


def _descend(optimizer: torch.optim.Optimizer, lr: float, loss: Tensor, rate: float) -> None:
    optimizer.param_groups[0]["lr"] = lr * rate
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def train(
    a: np.ndarray, b: np.ndarray, steps: int, *, seed: int = 0, cycle: float = CYCLE
) -> CycleGAN:
    """Train a `CycleGAN`; the learning rates stay for half of the steps, then fall to 0.

    Args:
        a: images (N, 32, 32) in [0, 1].
        b: images (N, 32, 32, 3) in [0, 1], as many, in no order.
        steps: batches of 8 of each world.
        seed: of weights, batches and pools; PyTorch's generator goes on from it.
        cycle: λ.

    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    game = CycleGAN(rng, cycle)
    x_a, x_b = to_tensor(a), to_tensor(b)
    rate, done = linear_decay(steps, constant=0.5), 0
    while done < steps:
        orders = batches(len(a), rng, BATCH), batches(len(b), rng, BATCH)
        for rows_a, rows_b in list(zip(*orders, strict=True))[: steps - done]:
            game.step(x_a[rows_a], x_b[rows_b], rate(done))
            done += 1
    return game


def to_tensor(images: np.ndarray) -> Tensor:
    """Images (N, H, W) or (N, H, W, 3) in [0, 1] as (N, 1 or 3, H, W) in [−1, 1]."""
    images = images[..., None] if images.ndim == 3 else images
    return torch.tensor(2 * images.transpose(0, 3, 1, 2) - 1, dtype=torch.float32)


def translate(G: nn.Module, images: np.ndarray) -> np.ndarray:
    """Images (N, 32, 32, 3) or (N, 32, 32) in [0, 1] that a generator makes of `images`."""
    with torch.no_grad():
        made = torch.cat([G(part) for part in to_tensor(images).split(100)])
    made = ((made + 1) / 2).permute(0, 2, 3, 1).numpy()
    return made[..., 0] if made.shape[3] == 1 else made
