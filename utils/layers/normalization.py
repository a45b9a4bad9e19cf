"""Normalization: activations shifted and scaled to mean 0 and variance 1, then γ x̂ + β.

Both layers use the same map x ↦ x̂ = (x − μ)/√(σ² + ε); they differ in the axes that μ and σ² are
taken over. Batch normalization takes them over the batch (and the pixels), for each channel; layer
normalization over the features of each sample, so it needs no batch and no running statistics.

Source: S. Ioffe and C. Szegedy, "Batch normalization", ICML 2015, arXiv:1502.03167, algorithm 1 and
section 3; J. L. Ba, J. R. Kiros and G. E. Hinton, "Layer normalization", arXiv:1607.06450.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from utils.engine import Tensor
from utils.layers.basic import Module, in_precision_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike


def standardize(
    x: Tensor, dim: tuple[int, ...], eps: float = 1e-5
) -> tuple[Tensor, np.ndarray, np.ndarray]:
    """x̂ = (x − μ)/√(σ² + ε), with mean μ and biased variance σ² over the axes `dim`.

    Returns x̂, μ and σ²; the two statistics keep the reduced axes with length 1. The gradient of x̂
    takes into account that both depend on every x.
    """
    mean = x.data.mean(axis=dim, keepdims=True)
    centered = x.data - mean
    var = (centered * centered).mean(axis=dim, keepdims=True)
    scale = 1 / np.sqrt(var + eps)
    x_hat = centered * scale

    # dx = (g − mean(g) − x̂·mean(g·x̂))/√(σ² + ε): no gradient along a shift or a stretch of x
    def rule(g: np.ndarray) -> tuple[np.ndarray]:
        along_shift = g.mean(axis=dim, keepdims=True)
        along_stretch = (g * x_hat).mean(axis=dim, keepdims=True)
        return ((g - along_shift - x_hat * along_stretch) * scale,)

    return Tensor._derive(x_hat, "standardize", (x,), rule), mean, var


class _BatchNorm(Module):
    """Batch normalization of axis 1; a subclass says which shapes it takes."""

    shapes: dict[int, str]  # number of axes → shape in words

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        *,
        dtype: DTypeLike = np.float32,
    ) -> None:
        self.eps, self.momentum = eps, momentum
        self.weight = Tensor(np.ones(num_features, dtype), requires_grad=True)
        self.bias = Tensor(np.zeros(num_features, dtype), requires_grad=True)
        self.running_mean = np.zeros(num_features, dtype)
        self.running_var = np.ones(num_features, dtype)
        self.num_batches_tracked = np.array(0)

    def forward(self, x: Tensor | ArrayLike) -> Tensor:
        """Same shape as `x`.

        Raises:
            ValueError: `x` has other axes or channels, or in training one value a channel.

        """
        x = in_precision_of(self.weight, x)
        name, c = type(self).__name__, len(self.weight)
        if x.ndim not in self.shapes or x.shape[1] != c:
            wanted = " or ".join(self.shapes.values()).replace("C", str(c))
            raise ValueError(
                f"{name}({c}) takes inputs of shape {wanted}, got {x.shape}; "
                f"the channels are axis 1, and num_features must be their number"
            )
        dim = (0, *range(2, x.ndim))
        column = (1, c) + (1,) * (x.ndim - 2)  # a value for each channel, ready to broadcast
        if self.training:
            n = x.data.size // c
            if n < 2:
                raise ValueError(
                    f"{name}: a batch of shape {x.shape} has one value a channel, whose variance "
                    "is 0; train on larger batches, or call eval() first"
                )
            x_hat, mean, var = standardize(x, dim, self.eps)
            self._track(mean.reshape(c), var.reshape(c) * n / (n - 1))
        else:
            scale = 1 / np.sqrt(self.running_var + self.eps)
            x_hat = (x - self.running_mean.reshape(column)) * scale.reshape(column)
        return x_hat * self.weight.reshape(*column) + self.bias.reshape(*column)

    def _track(self, mean: np.ndarray, unbiased_var: np.ndarray) -> None:
        """Move the running statistics by the share `momentum` towards those of the batch."""
        m = self.momentum
        self.running_mean = (1 - m) * self.running_mean + m * mean
        self.running_var = (1 - m) * self.running_var + m * unbiased_var
        self.num_batches_tracked = np.array(self.num_batches_tracked + 1)


class BatchNorm1d(_BatchNorm):
    """Batch normalization of features (N, C) or sequences (N, C, L), for each channel.

    In training with the mean and biased variance of the batch; in evaluation with running averages
    of the mean and of the *unbiased* variance, as in PyTorch. Keras averages the biased variance,
    calls 1 − momentum its momentum (0.99) and adds ε = 1e-3. γ is `weight` (C,), β is `bias` (C,).
    """

    shapes = {2: "(N, C)", 3: "(N, C, L)"}  # noqa: RUF012 - never changed


class BatchNorm2d(_BatchNorm):
    """Batch normalization of images (N, C, H, W), for each channel over batch and pixels.

    All else is as in `BatchNorm1d`.
    """

    shapes = {4: "(N, C, H, W)"}  # noqa: RUF012 - never changed


class LayerNorm(Module):
    """Normalization of each sample over its last axes, which have the shape `normalized_shape`.

    The same in training and evaluation. γ is `weight`, β is `bias`, both of that shape. Keras adds
    ε = 1e-3 where PyTorch and this layer add 1e-5.
    """

    def __init__(
        self,
        normalized_shape: int | tuple[int, ...],
        eps: float = 1e-5,
        *,
        dtype: DTypeLike = np.float32,
    ) -> None:
        self.eps = eps
        self.weight = Tensor(np.ones(normalized_shape, dtype), requires_grad=True)
        self.bias = Tensor(np.zeros(normalized_shape, dtype), requires_grad=True)

    def forward(self, x: Tensor | ArrayLike) -> Tensor:
        """Same shape as `x`.

        Raises:
            ValueError: the last axes of `x` are not `normalized_shape`.

        """
        x = in_precision_of(self.weight, x)
        shape = self.weight.shape
        if x.shape[-len(shape) :] != shape:
            raise ValueError(
                f"LayerNorm({shape}) takes inputs of shape (…, {', '.join(map(str, shape))}), "
                f"got {x.shape}; normalized_shape must be the last axes of the input"
            )
        x_hat, _, _ = standardize(x, tuple(range(-len(shape), 0)), self.eps)
        return x_hat * self.weight + self.bias
