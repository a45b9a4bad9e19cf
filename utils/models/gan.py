"""Generative adversarial networks: losses, DCGAN in Keras, LSGAN and WGAN-GP in PyTorch.

Images are in [−1, 1] here, since a generator ends in tanh; `to_unit` brings them back to [0, 1].
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

LATENT, WIDTH, BATCH = 32, 16, 64
LR = 1e-3
REAL_LABEL = 0.9  # one-sided label smoothing
BETAS = {"GAN": (0.5, 0.999), "LSGAN": (0.5, 0.999), "WGAN-GP": (0.0, 0.9)}  # of Adam


def to_unit(images: Any) -> np.ndarray:
    """Images (N, 28, 28) in [0, 1] of a generator's output in [−1, 1], whatever its framework."""
    array = images.numpy(force=True) if hasattr(images, "detach") else np.asarray(images)
    return np.clip((array.reshape(-1, 28, 28) + 1) / 2, 0, 1)


# ---------------------------------------------------------------- losses


def discriminator_loss(kind: str, real: Tensor, fake: Tensor) -> Tensor:
    """What the discriminator descends, from its scores of real and of generated samples, (N, 1).

    * ``"GAN"``: −E ln σ(D(x)) − E ln(1 − σ(D(G(z))))
    * ``"LSGAN"``: E (D(x) − 1)² + E D(G(z))²
    * ``"WGAN-GP"``: E D(G(z)) − E D(x), to which `gradient_penalty` is to be added

    Sources: I. Goodfellow et al. (2014), arXiv:1406.2661; X. Mao et al. (2017), Least squares
    generative adversarial networks, arXiv:1611.04076, eq. 9; I. Gulrajani et al. (2017), Improved
    training of Wasserstein GANs, arXiv:1704.00028.

    Raises:
        ValueError: another kind.

    """
    from torch.nn.functional import softplus

    if _known(kind) == "GAN":
        return softplus(-real).mean() + softplus(fake).mean()
    if kind == "LSGAN":
        return ((real - 1) ** 2).mean() + (fake**2).mean()
    return fake.mean() - real.mean()


def generator_loss(kind: str, fake: Tensor) -> Tensor:
    """What the generator descends, from the scores of its samples, (N, 1).

    * ``"GAN"``: −E ln σ(D(G(z))), which does not saturate
    * ``"LSGAN"``: E (D(G(z)) − 1)²
    * ``"WGAN-GP"``: −E D(G(z))

    Raises:
        ValueError: another kind.

    """
    from torch.nn.functional import softplus

    if _known(kind) == "GAN":
        return softplus(-fake).mean()
    return ((fake - 1) ** 2).mean() if kind == "LSGAN" else -fake.mean()


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


def _known(kind: str) -> str:
    if kind not in BETAS:
        raise ValueError(f"kind must be one of {', '.join(BETAS)}; got {kind!r}")
    return kind


# ---------------------------------------------------------------- Keras


def keras_generator(width: int = WIDTH, latent: int = LATENT) -> Any:
    """Return z (N, latent) → images (N, 28, 28, 1) in (−1, 1), in Keras.

    Source: A. Radford, L. Metz, S. Chintala (2016), arXiv:1511.06434, at a small scale.
    """
    from utils.runtime import import_tensorflow

    keras = import_tensorflow().keras
    L = keras.layers
    up = {"kernel_size": 4, "strides": 2, "padding": "same"}  # twice the side
    norm = functools.partial(L.BatchNormalization, epsilon=1e-5)  # as in PyTorch
    return keras.Sequential(
        [
            keras.Input((latent,)),
            L.Dense(2 * width * 49, use_bias=False),
            norm(),
            L.ReLU(),
            L.Reshape((2 * width, 7, 7)),
            L.Permute((2, 3, 1)),
            L.Conv2DTranspose(width, use_bias=False, **up),
            norm(),
            L.ReLU(),
            L.Conv2DTranspose(1, activation="tanh", **up),
        ]
    )


def keras_discriminator(width: int = WIDTH, dropout: float = 0.3) -> Any:
    """Return images (N, 28, 28, 1) → logits (N, 1), in Keras."""
    from utils.runtime import import_tensorflow

    keras = import_tensorflow().keras
    L = keras.layers
    down = {"kernel_size": 4, "strides": 2, "padding": "same"}  # half the side
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            L.Conv2D(width, **down),
            L.LeakyReLU(0.2),
            L.Conv2D(2 * width, **down),
            L.BatchNormalization(epsilon=1e-5),
            L.LeakyReLU(0.2),
            L.Dropout(dropout),
            L.Permute((3, 1, 2)),
            L.Flatten(),
            L.Dense(1),
        ]
    )


def dcgan_step(G: Any, D: Any, of_G: Any, of_D: Any) -> Callable[[Any, Any], tuple[Any, Any]]:
    """One compiled step for both players, ``step(x, z) -> (loss of D, loss of G)``.

    Both gradients are taken at the same weights, from one pass through each network.
    """
    from utils.runtime import import_tensorflow

    tf = import_tensorflow()
    softplus = tf.nn.softplus
    of_G.build(G.trainable_variables)
    of_D.build(D.trainable_variables)

    @tf.function
    def step(x: Any, z: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as for_D, tf.GradientTape() as for_G:
            fake = G(z, training=True)
            r, f = D(x, training=True), D(fake, training=True)
            loss_D = tf.reduce_mean(softplus(r) - REAL_LABEL * r) + tf.reduce_mean(softplus(f))
            loss_G = tf.reduce_mean(softplus(-f))
        for tape, loss, model, optimizer in (
            (for_D, loss_D, D, of_D),
            (for_G, loss_G, G, of_G),
        ):
            weights = model.trainable_variables
            optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return loss_D, loss_G

    return step


def train_dcgan(
    images: np.ndarray,
    epochs: int,
    *,
    seed: int = 0,
    after_epoch: Callable[[int, Any], None] = lambda epoch, G: None,
) -> Any:
    """Train a DCGAN and return its generator, a Keras model; learning rates fall linearly to 0.

    Args:
        images: real images (N, 28, 28) in [0, 1].
        epochs: how often each is seen.
        seed: of weights, order and noise.
        after_epoch: called with the number of epochs done and the generator.

    """
    from utils.runtime import import_tensorflow

    tf = import_tensorflow()
    tf.keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    G, D = keras_generator(), keras_discriminator()
    players = [tf.keras.optimizers.Adam(LR, beta_1=0.5) for _ in "GD"]
    step = dcgan_step(G, D, *players)
    x = tf.constant(2 * images[..., None] - 1)
    steps, done = epochs * (len(images) // BATCH), 0
    for epoch in range(epochs):
        for rows in batches(len(images), rng):
            for optimizer in players:
                optimizer.learning_rate.assign(LR * (1 - done / steps))
            step(tf.gather(x, rows), rng.normal(size=(BATCH, LATENT)).astype(np.float32))
            done += 1
        after_epoch(epoch + 1, G)
    return G


def batches(n: int, rng: np.random.Generator, size: int = BATCH) -> list[np.ndarray]:
    """The numbers 0 … n − 1 in random order, cut into batches; a last short one is left out."""
    return np.split(rng.permutation(n)[: n - n % size], n // size)


# ---------------------------------------------------------------- PyTorch


def torch_generator(width: int = WIDTH, latent: int = LATENT) -> Any:
    """Return the generator of `keras_generator` in PyTorch; its images are (N, 1, 28, 28)."""
    from torch import nn

    return nn.Sequential(
        nn.Linear(latent, 2 * width * 49, bias=False),
        nn.BatchNorm1d(2 * width * 49),
        nn.ReLU(),
        nn.Unflatten(1, (2 * width, 7, 7)),
        nn.ConvTranspose2d(2 * width, width, 4, 2, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.ConvTranspose2d(width, 1, 4, 2, 1),
        nn.Tanh(),
    )


def torch_discriminator(width: int = WIDTH, *, normalize: bool = True, dropout: float = 0.3) -> Any:
    """Return images (N, 1, 28, 28) → scores (N, 1), in PyTorch.

    A critic with a gradient penalty needs ``normalize=False`` and ``dropout=0``.
    """
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(1, width, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(width, 2 * width, 4, 2, 1),
        *([nn.BatchNorm2d(2 * width)] if normalize else []),
        nn.LeakyReLU(0.2),
        *([nn.Dropout(dropout)] if dropout else []),
        nn.Flatten(),
        nn.Linear(2 * width * 49, 1),
    )


class TorchGame:
    """An LSGAN or a WGAN-GP in PyTorch: two networks and their moves.

    Args:
        kind: ``"LSGAN"`` or ``"WGAN-GP"``, as in `discriminator_loss`.
        lr: the learning rate at the start; None takes 5e-4 for LSGAN and 1e-3 for WGAN-GP.

    Attributes:
        G: the generator, as `torch_generator` makes it.
        D: the discriminator or critic.

    Raises:
        ValueError: another kind.

    """

    def __init__(self, kind: str, lr: float | None = None) -> None:
        import torch

        if kind not in ("LSGAN", "WGAN-GP"):
            raise ValueError(f"kind must be 'LSGAN' or 'WGAN-GP', got {kind!r}")
        self.kind, self._penalized = kind, kind == "WGAN-GP"
        self._lr = lr or (LR if self._penalized else LR / 2)
        self.G = torch_generator()
        self.D = torch_discriminator(
            normalize=not self._penalized, dropout=0 if self._penalized else 0.3
        )
        self._of_G, self._of_D = (
            torch.optim.Adam(model.parameters(), betas=BETAS[kind]) for model in (self.G, self.D)
        )
        self._moves = 0

    def step(self, x: Any, left: float) -> None:
        """Move the discriminator on real images x (N, 1, 28, 28), and the generator.

        WGAN-GP's critic moves three times for each move of its generator. `left` is the share of
        the training that is to come: the learning rates are in proportion to it.
        """
        import torch

        D, fake = self.D, self.G(torch.randn(len(x), LATENT)).detach()
        loss = discriminator_loss(self.kind, D(x), D(fake))
        if self._penalized:
            loss = loss + 10 * gradient_penalty(D, x, fake)
        self._descend(self._of_D, loss, left)
        self._moves += 1
        if not self._penalized or self._moves % 3 == 0:
            score = D(self.G(torch.randn(len(x), LATENT)))
            self._descend(self._of_G, generator_loss(self.kind, score), left)

    def _descend(self, optimizer: Any, loss: Any, left: float) -> None:
        optimizer.param_groups[0]["lr"] = self._lr * left
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def train_torch(
    kind: str,
    images: np.ndarray,
    epochs: int,
    *,
    seed: int = 0,
    lr: float | None = None,
    after_epoch: Callable[[int, Any], None] = lambda epoch, G: None,
) -> Any:
    """Train a `TorchGame` and return its generator; both learning rates fall linearly to 0.

    Args:
        kind: ``"LSGAN"`` or ``"WGAN-GP"``.
        images: real images (N, 28, 28) in [0, 1].
        epochs: how often the discriminator sees each.
        seed: of weights, order and noise; PyTorch's generator goes on from it.
        lr: the learning rate at the start, as in `TorchGame`.
        after_epoch: called with the number of epochs done and the generator.

    Raises:
        ValueError: another kind.

    """
    import torch

    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    game = TorchGame(kind, lr)
    x = torch.tensor(2 * images[:, None] - 1)
    steps, done = epochs * (len(images) // BATCH), 0
    for epoch in range(epochs):
        for rows in batches(len(images), rng):
            game.step(x[rows], left=1 - done / steps)
            done += 1
        after_epoch(epoch + 1, game.G)
    return game.G


def generate(G: Any, z: np.ndarray) -> np.ndarray:
    """Images (N, 28, 28) in [0, 1] of a Keras or PyTorch generator in evaluation mode."""
    if hasattr(G, "parameters"):
        import torch

        with torch.no_grad():
            images = G.eval()(torch.tensor(z, dtype=torch.float32))
        G.train()
        return to_unit(images)
    return to_unit(G(z.astype(np.float32), training=False))


# ---------------------------------------------------------------- latents


def latents(n: int, seed: int = 0) -> np.ndarray:
    """`n` latents from N(0, 1), always the same, (n, latent) as float32."""
    # RandomState's stream is frozen: the same latents under every version of NumPy
    return np.random.RandomState(seed).normal(size=(n, LATENT)).astype(np.float32)


def slerp(a: np.ndarray, b: np.ndarray, t: float) -> np.ndarray:
    """Spherical interpolation: the latent at the share `t` of the way from a to b, both (latent,).

    The angle grows evenly, and the length goes evenly from ‖a‖ to ‖b‖. On a straight line the
    middle of two latents would be too short: in many dimensions nearly all of N(0, I) has length
    √D, and two draws are nearly at right angles.

    Source: T. White (2016), Sampling generative networks, arXiv:1609.04468; there without the
    lengths.
    """
    lengths = np.linalg.norm(a), np.linalg.norm(b)
    u, v = a / lengths[0], b / lengths[1]
    angle = np.arccos(np.clip(u @ v, -1, 1))
    if angle < 1e-6:  # the same direction
        turned = u
    else:
        turned = (np.sin((1 - t) * angle) * u + np.sin(t * angle) * v) / np.sin(angle)
    return ((1 - t) * lengths[0] + t * lengths[1]) * turned


# ---------------------------------------------------------------- without batch normalization


def fold(G: Any) -> dict[str, np.ndarray]:
    """The weights of a Keras generator with its batch normalizations folded away, as float32.

    Returns:
        ``w0`` (C·49, latent), ``b0``, then the kernels ``w1`` (C, C′, 4, 4), ``w2`` (C′, 1, 4, 4)
        in PyTorch's order with their biases ``b1``, ``b2``.

    """
    dense, norm0, first, norm1, last = (layer for layer in G.layers if layer.weights)
    folded = {}
    for i, (layer, norm) in enumerate(((dense, norm0), (first, norm1))):
        kernel = layer.get_weights()[0]
        gain, shift, mean, variance = norm.get_weights()
        factor = gain / np.sqrt(variance + norm.epsilon)
        # Dense is (in, out); Conv2DTranspose (height, width, out, in)
        folded[f"w{i}"] = (
            (kernel * factor).T if i == 0 else ((kernel * factor[:, None]).transpose(3, 2, 0, 1))
        )
        folded[f"b{i}"] = shift - mean * factor
    kernel, bias = last.get_weights()
    return folded | {"w2": kernel.transpose(3, 2, 0, 1), "b2": bias}


def apply_folded(weights: dict[str, np.ndarray], z: np.ndarray) -> np.ndarray:
    """Images (N, 28, 28) in [0, 1] of latents (N, latent), by the engine."""
    from utils.engine import Tensor, no_grad
    from utils.layers import conv_transpose2d

    w = {name: array.astype(np.float64) for name, array in weights.items()}
    with no_grad():
        h = (Tensor(z) @ w["w0"].T + w["b0"]).relu().reshape(len(z), -1, 7, 7)
        h = conv_transpose2d(h, Tensor(w["w1"]), Tensor(w["b1"]), stride=2, padding=1).relu()
        h = conv_transpose2d(h, Tensor(w["w2"]), Tensor(w["b2"]), stride=2, padding=1).tanh()
    return to_unit(h.data)
