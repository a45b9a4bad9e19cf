"""pix2pix in PyTorch: a U-Net that paints outlines, a PatchGAN that judges, dabs of color as hints.

Images are in [−1, 1] here, channels first, since the U-Net ends in tanh; `paint` takes and returns
those of the data set.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from utils import transforms
from utils.models.gan import batches, discriminator_loss, generator_loss
from utils.optim import linear_decay
from utils.runtime import in_own_process

SIZE, WIDTH, BATCH = 64, 16, 16
HINTS = 4  # channels of dabs: where there is one, and its red, green and blue
LR_G, LR_D, BETAS = 2e-3, 5e-4, (0.5, 0.999)
SHIFT = 3  # pixels, of the augmentation
FLAT = 0.1  # range of a channel, out of 2, within which a place counts as one color
PAPER = 0.1  # how much rarer a dab is on white paper than on color


class UNet(nn.Module):
    """Outlines (N, 1 + extra, 64, 64) → pictures (N, 3, 64, 64) in (−1, 1).

    Five convolutions halve the side, five transposed ones double it again. Each of these sees what
    the one at its own size on the way down saw, too; the last convolution sees the input itself.

    Source: O. Ronneberger, P. Fischer, T. Brox (2015), U-Net, arXiv:1505.04597; as a generator:
    P. Isola et al. (2017), arXiv:1611.07004, section 3.2, at a small scale and without dropout.

    Args:
        width: channels after the first convolution; the others have 2, 4, 4 and 4 times as many.
        extra: channels of the input beside the outline, such as the 4 of `dab`.
        skips: whether the way up sees the way down; zeros take its place if not.

    """

    def __init__(self, width: int = WIDTH, extra: int = 0, *, skips: bool = True) -> None:
        super().__init__()
        self._skips = skips
        inputs = 1 + extra
        a, b, c = width, 2 * width, 4 * width
        self.down = nn.ModuleList(
            [
                _down(inputs, a, normalize=False),  # 64 → 32
                _down(a, b),  # 32 → 16
                _down(b, c),  # 16 → 8
                _down(c, c),  # 8 → 4
                _down(c, c),  # 4 → 2
            ]
        )
        self.up = nn.ModuleList(
            [_up(c, c), _up(2 * c, c), _up(2 * c, b), _up(2 * b, a), _up(2 * a, a)]
        )
        self.last = nn.Conv2d(a + inputs, 3, 3, padding=1)
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        """Pictures (N, 3, 64, 64) for inputs (N, 1 + extra, 64, 64)."""
        seen = [x]
        for down in self.down:
            seen.append(down(seen[-1]))
        h = seen.pop()
        for up in self.up:
            h = torch.cat([up(h), self._skips * seen.pop()], dim=1)
        return torch.tanh(self.last(h))


def _down(channels: int, out: int, *, normalize: bool = True) -> nn.Sequential:
    """Half the side: convolution, normalization, leaky ReLU."""
    convolution = nn.Conv2d(channels, out, 4, stride=2, padding=1, bias=not normalize)
    norm = [nn.BatchNorm2d(out)] if normalize else []
    return nn.Sequential(convolution, *norm, nn.LeakyReLU(0.2))


def _up(channels: int, out: int) -> nn.Sequential:
    """Twice the side: transposed convolution, normalization, ReLU."""
    convolution = nn.ConvTranspose2d(channels, out, 4, stride=2, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(out), nn.ReLU())


class PatchGAN(nn.Sequential):
    """Images (N, channels, 64, 64) → scores (N, 1, 15, 15), one for each patch of 22 × 22 pixels.

    Source: Isola et al. (2017), arXiv:1611.07004, section 3.2, with two layers fewer.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(
            nn.Conv2d(channels, 16, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(16, 32, 4, stride=2, padding=1),
            nn.BatchNorm2d(32),
            nn.LeakyReLU(0.2),
            nn.Conv2d(32, 1, 4, stride=1, padding=1),
        )
        self.to(memory_format=torch.channels_last)


class Pix2Pix:
    """A U-Net, its PatchGAN, and their moves: G descends λ·L1 plus the adversarial loss.

    Source: Isola et al. (2017), arXiv:1611.07004, equation 4, with the squared loss of LSGAN.

    Args:
        lam: λ, the weight of L1. 0 is the adversarial loss alone; None is L1 alone, with no
            discriminator.
        extra: channels of the input beside the outline.
        sees_outline: whether the discriminator is given the input beside the picture.
        lr_D: the discriminator's learning rate; the U-Net's is 0.002.
        width: of the U-Net.
        skips: whether the U-Net has its skips.
        distance: stands in the place of L1, such as the squared error.

    Attributes:
        G: the U-Net.
        D: the PatchGAN; None where `lam` is None.

    """

    def __init__(
        self,
        lam: float | None = 100.0,
        *,
        extra: int = 0,
        sees_outline: bool = True,
        lr_D: float = LR_D,
        width: int = WIDTH,
        skips: bool = True,
        distance: Callable[[Tensor, Tensor], Tensor] = F.l1_loss,
    ) -> None:
        self.lam, self._sees_outline, self._distance = lam, sees_outline, distance
        self._rates = {"G": LR_G, "D": lr_D}
        self.G = UNet(width, extra, skips=skips)
        self.D = None if lam is None else PatchGAN(3 + (1 + extra) * sees_outline)
        self._optimizers = {
            name: torch.optim.Adam(model.parameters(), betas=BETAS)
            for name, model in (("G", self.G), ("D", self.D))
            if model is not None
        }

    def step(self, x: Tensor, y: Tensor, rate: float = 1.0) -> None:
        """Move the discriminator, then the U-Net, on a batch of inputs x and true pictures y.

        `rate` is a factor of both learning rates.
        """
        fake = self.G(x)
        loss = self._distance(fake, y)
        if self.lam is not None:
            self._descend(
                "D",
                discriminator_loss("LSGAN", self.score(x, y), self.score(x, fake.detach())),
                rate,
            )
            # the fake once more, to D as it is now: this time the gradient goes through it to G
            loss = self.lam * loss + generator_loss("LSGAN", self.score(x, fake))
        self._descend("G", loss, rate)

    def score(self, x: Tensor, y: Tensor) -> Tensor:
        """Scores (N, 1, 15, 15) of pictures y, which D sees beside their inputs x or alone."""
        return self.D(torch.cat([x, y], dim=1) if self._sees_outline else y)

    def _descend(self, name: str, loss: Tensor, rate: float) -> None:
        optimizer = self._optimizers[name]
        optimizer.param_groups[0]["lr"] = self._rates[name] * rate
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def train(
    outlines: np.ndarray,
    pictures: np.ndarray,
    steps: int,
    lam: float | None = 100.0,
    *,
    dabs: int = 0,
    radius: int = 1,
    seed: int = 0,
    after_step: Callable[[int, UNet], None] = lambda step, G: None,
    **options: Any,
) -> UNet:
    """Train a U-Net on pairs, flipped and shifted at random; return it.

    The learning rates stay for half of the steps, then fall linearly to 0.

    Args:
        outlines: (N, 64, 64) in [0, 1].
        pictures: (N, 64, 64, 3) in [0, 1].
        steps: batches of 16.
        lam: λ, as in `Pix2Pix`.
        dabs: the most dabs of true color that an example gets, each count as often; 0 trains a
            U-Net without that input.
        radius: of a dab, in pixels.
        seed: of weights, batches, augmentation and dabs; PyTorch's generator goes on from it.
        after_step: called with the number of steps done and the U-Net.
        options: others of `Pix2Pix`.

    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    game = Pix2Pix(lam, extra=HINTS if dabs else 0, **options)
    x, y = to_input(outlines), to_target(pictures)
    pairs = torch.cat([x, y, *([dab_places(x, y, radius)] if dabs else [])], dim=1)
    pairs = pairs.contiguous(memory_format=torch.channels_last)  # a third faster
    augment = transforms.Compose([transforms.flip, lambda x: transforms.crop(x, SHIFT)])
    rate, done = linear_decay(steps, constant=0.5), 0
    while done < steps:
        for rows in batches(len(pairs), rng, BATCH)[: steps - done]:
            x, y, *places = augment(pairs[rows]).tensor_split([1, 4], dim=1)
            if dabs:
                x = dab(x, y, *places, torch.randint(0, dabs + 1, (len(x),)), radius)
            game.step(x, y, rate(done))
            done += 1
            after_step(done, game.G)
    return game.G


def to_input(outlines: np.ndarray) -> Tensor:
    """Outlines (N, 64, 64) in [0, 1] as (N, 1, 64, 64) in [−1, 1]."""
    return torch.tensor(2 * outlines[:, None] - 1, dtype=torch.float32)


def to_target(pictures: np.ndarray) -> Tensor:
    """Pictures (N, 64, 64, 3) in [0, 1] as (N, 3, 64, 64) in [−1, 1]."""
    return torch.tensor(2 * pictures.transpose(0, 3, 1, 2) - 1, dtype=torch.float32)


def dab_places(x: Tensor, y: Tensor, radius: int = 1) -> Tensor:
    """How often a dab of `radius` pixels is put at each pixel, relative to others: (N, 1, H, W).

    1 where a whole dab has one color and no line, 0.1 where that color is the white of the paper,
    and 0 elsewhere; `x` are outlines (N, 1, H, W), `y` their true pictures (N, 3, H, W).
    """
    window = (2 * radius + 1, 1, radius)
    dark = F.max_pool2d(-x, *window) > 0
    span = F.max_pool2d(y, *window) + F.max_pool2d(-y, *window)
    flat = span.amax(dim=1, keepdim=True) < FLAT
    white = y.amin(dim=1, keepdim=True) > 1 - FLAT
    return (flat & ~dark) * torch.where(white, PAPER, 1.0)


def dab(x: Tensor, y: Tensor, places: Tensor, counts: Tensor, radius: int = 1) -> Tensor:
    """Add dabs of true color to outlines, as a learner would with a brush.

    A dab is a square of 2·radius + 1 pixels; its place comes from PyTorch's generator.

    Source: R. Zhang et al. (2017), Real-time user-guided image colorization with learned deep
    priors, arXiv:1705.02999, section 3.2, which shows points of true color in the same way.

    Args:
        x: outlines (N, 1, H, W).
        y: true pictures (N, 3, H, W).
        places: from `dab_places`; a picture that has none gets no dab.
        counts: dabs of each, int64 (N,).
        radius: in pixels.

    Returns:
        (N, 5, H, W): the outline, 1 where there is a dab and 0 elsewhere, and the dabs' color, 0
        where there is none.

    """
    n, _, height, width = x.shape
    hints = x.new_zeros(n, HINTS, height, width)
    weights = places.flatten(1)
    possible = weights.any(dim=1)
    counts = torch.where(possible, counts, 0)
    if most := int(counts.max()):
        weights = torch.where(
            possible[:, None], weights, 1.0
        )  # a row of zeros cannot be drawn from
        drawn = torch.multinomial(weights, most, replacement=True)
        offset = torch.arange(-radius, radius + 1)
        for j in range(most):
            (rows,) = torch.nonzero(counts > j, as_tuple=True)
            i, k = drawn[rows, j] // width, drawn[rows, j] % width
            color = F.pad(y[rows, :, i, k], (1, 0), value=1.0)  # 1 for the channel of places
            down = (i[:, None] + offset).clamp(0, height - 1)[:, :, None]
            right = (k[:, None] + offset).clamp(0, width - 1)[:, None, :]
            hints[rows[:, None, None], :, down, right] = color[:, None, None]
    return torch.cat([x, hints], dim=1)


def paint(G: nn.Module, x: Tensor | np.ndarray) -> np.ndarray:
    """Pictures (N, 64, 64, 3) in [0, 1] that a U-Net in evaluation mode paints.

    Args:
        G: the U-Net; afterward it is in training mode again if it was.
        x: outlines (N, 64, 64) in [0, 1], or a tensor as the U-Net takes it.

    """
    x = to_input(x) if isinstance(x, np.ndarray) else x
    was_training = G.training
    with torch.no_grad():
        y = torch.cat([G.eval()(part) for part in x.split(50)])
    G.train(was_training)
    return ((y + 1) / 2).clamp(0, 1).permute(0, 2, 3, 1).numpy()


def bucket_fill(pictures: np.ndarray, x: Tensor, gap: float = 0.0) -> np.ndarray:
    """What a paint program makes of dabs: each fills the region between the lines that it lies in.

    The region that reaches the edge of the picture is paper, and left as it is. Where a line has a
    gap the paint finds no end, and the region is part of the paper.

    Args:
        pictures: what stands there before, (N, 64, 64, 3) in [0, 1].
        x: outlines with dabs as from `dab`, (N, 5, 64, 64).
        gap: paint does not pass where a line is so near, in pixels; it spreads to the line only
            from where it has got without.

    """
    from scipy import ndimage

    filled = pictures.copy()
    for picture, (outline, where, *color) in zip(filled, x.numpy(), strict=True):
        regions, _ = ndimage.label(outline > 0)
        if gap:
            away = ndimage.distance_transform_edt(outline > 0) > gap
            cores, _ = ndimage.label(away)
            nearest = ndimage.distance_transform_edt(~away, return_indices=True)[1]
            regions = np.where(regions > 0, cores[tuple(nearest)], 0)
        paper = {*regions[0], *regions[-1], *regions[:, 0], *regions[:, -1], 0}
        for region in {*regions[where > 0]} - paper:
            inside = regions == region
            picture[inside] = (np.stack(color)[:, inside & (where > 0)].mean(axis=1) + 1) / 2
    return filled


# ---------------------------------------------------------------- the same in Keras


def keras_unet(width: int = WIDTH, extra: int = 0) -> Any:
    """Return the `UNet` in Keras: inputs (N, 64, 64, 1 + extra) → pictures (N, 64, 64, 3)."""
    from utils.runtime import import_tensorflow

    keras = import_tensorflow().keras
    L = keras.layers
    stride = {"kernel_size": 4, "strides": 2, "padding": "same"}

    def norm(x: Any) -> Any:
        return L.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)  # PyTorch's 0.1 and ε

    a, b, c = width, 2 * width, 4 * width
    x = keras.Input((SIZE, SIZE, 1 + extra))
    seen = [x, L.LeakyReLU(0.2)(L.Conv2D(a, **stride)(x))]
    for channels in (b, c, c, c):
        h = norm(L.Conv2D(channels, use_bias=False, **stride)(seen[-1]))
        seen.append(L.LeakyReLU(0.2)(h))
    h = seen.pop()
    for channels in (c, c, b, a, a):
        h = L.ReLU()(norm(L.Conv2DTranspose(channels, use_bias=False, **stride)(h)))
        h = L.Concatenate()([h, seen.pop()])
    return keras.Model(x, L.Conv2D(3, 3, padding="same", activation="tanh")(h))


def keras_step(
    G: UNet, x: np.ndarray, y: np.ndarray, lr: float
) -> tuple[float, dict[str, np.ndarray]]:
    """One step of gradient descent on L1 that the Keras twin of G takes, in a process of its own.

    Args:
        G: where the twin begins; it is not changed.
        x: inputs (N, 1 + extra, 64, 64) as G takes them.
        y: true pictures (N, 3, 64, 64).
        lr: the step size.

    Returns:
        The loss before the step, and the parameters after it by G's names.

    """
    state = {name: value.numpy(force=True) for name, value in G.state_dict().items()}
    width, extra = G.down[0][0].out_channels, G.down[0][0].in_channels - 1
    return in_own_process(_keras_step, state, width, extra, x, y, lr)


def _keras_step(
    state: dict[str, np.ndarray], width: int, extra: int, x: np.ndarray, y: np.ndarray, lr: float
) -> tuple[float, dict[str, np.ndarray]]:
    from utils.runtime import import_tensorflow
    from utils.weights import copy_weights

    tf = import_tensorflow()
    G, twin = UNet(width, extra), keras_unet(width, extra)
    G.load_state_dict({name: torch.tensor(value) for name, value in state.items()})
    copy_weights(G, twin)
    x_last, y_last = (tf.constant(v.transpose(0, 2, 3, 1)) for v in (x, y))
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.abs(twin(x_last, training=True) - y_last))
    slopes = tape.gradient(loss, twin.trainable_variables)
    optimizer = tf.keras.optimizers.SGD(lr)
    optimizer.apply_gradients(zip(slopes, twin.trainable_variables, strict=True))
    copy_weights(twin, G)
    return float(loss), {name: p.numpy(force=True) for name, p in G.named_parameters()}


# ---------------------------------------------------------------- without batch normalization


def fold(G: UNet) -> dict[str, np.ndarray]:
    """The weights of a U-Net with its batch normalizations folded into the kernels, as float32.

    Returns:
        ``down0.weight`` … ``down4.weight`` (out, in, 4, 4), ``up0.weight`` … ``up4.weight`` (in,
        out, 4, 4) and ``last.weight`` (3, in, 3, 3), each with its ``….bias`` (out,).

    """
    named = [(f"down{i}", layers) for i, layers in enumerate(G.down)]
    named += [(f"up{i}", layers) for i, layers in enumerate(G.up)]
    folded = {"last.weight": G.last.weight, "last.bias": G.last.bias}
    for name, (convolution, *rest) in named:
        weight, bias = convolution.weight, convolution.bias
        if isinstance(norm := rest[0], nn.BatchNorm2d):
            factor = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            shape = (1, -1, 1, 1) if isinstance(convolution, nn.ConvTranspose2d) else (-1, 1, 1, 1)
            weight, bias = weight * factor.view(shape), norm.bias - norm.running_mean * factor
        folded |= {f"{name}.weight": weight, f"{name}.bias": bias}
    return {name: value.numpy(force=True) for name, value in folded.items()}


def apply_folded(weights: dict[str, np.ndarray], x: Tensor) -> Tensor:
    """Pictures (N, 3, 64, 64) of the U-Net whose weights `fold` gives, in whatever precision."""
    w = {name: torch.tensor(value, dtype=torch.float32) for name, value in weights.items()}
    seen = [x]
    for i in range(5):
        h = F.conv2d(seen[-1], w[f"down{i}.weight"], w[f"down{i}.bias"], stride=2, padding=1)
        seen.append(F.leaky_relu(h, 0.2))
    h = seen.pop()
    for i in range(5):
        h = F.conv_transpose2d(h, w[f"up{i}.weight"], w[f"up{i}.bias"], stride=2, padding=1)
        h = torch.cat([h.relu(), seen.pop()], dim=1)
    return torch.tanh(F.conv2d(h, w["last.weight"], w["last.bias"], padding=1))
