"""Convolution and pooling of images (N, C, H, W), named and shaped as in PyTorch.

`im2col` lays the pixels that the kernel sees at each of its L = H′·W′ places side by side as
columns. A convolution is then one matrix product, Y = W X with W (C′, C·K²) and X (C·K², L) for
each image; its gradient is two more, and `col2im`, the adjoint of `im2col`, adds overlapping
columns back into an image. What all libraries call convolution is a cross-correlation: the kernel
is not flipped.

Source: V. Dumoulin and F. Visin, "A guide to convolution arithmetic for deep learning" (2016),
arXiv:1603.07285; I. Goodfellow, Y. Bengio and A. Courville, "Deep Learning" (2016), section 9.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from utils.engine import Tensor, as_tensor
from utils.layers.basic import Module, in_precision_of, uniform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, DTypeLike

    Size = int | tuple[int, int]  # one number for both axes, or (height, width)
    Pair = tuple[int, int]


# --- geometry ---


def output_size(
    size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1
) -> int:
    """How many places a kernel has along an axis: ⌊(size + 2p − d(k − 1) − 1)/s⌋ + 1.

    Raises:
        ValueError: a value is out of range, or the kernel is larger than the padded axis.

    """
    if kernel < 1 or stride < 1 or dilation < 1 or padding < 0:
        raise ValueError(
            "kernel, stride and dilation start at 1, padding at 0; "
            f"got {kernel}, {stride}, {dilation} and {padding}"
        )
    span = dilation * (kernel - 1) + 1  # pixels from the first to the last that the kernel sees
    if span > size + 2 * padding:
        raise ValueError(
            f"a kernel of {kernel} with dilation {dilation} spans {span} pixels, the axis has only "
            f"{size} + 2·{padding}; take a smaller kernel or dilation, or a larger padding"
        )
    return (size + 2 * padding - span) // stride + 1


def _pair(value: Size) -> Pair:
    """(height, width); a single number stands for both.

    Raises:
        TypeError: neither.

    """
    pair = tuple(value) if isinstance(value, list | tuple) else (value, value)
    if len(pair) != 2 or not all(isinstance(part, int | np.integer) for part in pair):
        hint = {"same": "d(k − 1)/2, for an odd kernel and stride 1", "valid": "0"}
        known = isinstance(value, str) and value in hint
        raise TypeError(
            f'padding="{value}" is padding = {hint[value]}'
            if known
            else f"kernel_size, stride, padding and dilation are a whole number or a pair "
            f"(height, width), got {value!r}"
        )
    return pair


def _places(size: Pair, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Pair:
    """H′ and W′: the places of the kernel along both axes."""
    height, width = map(output_size, size, kernel, stride, padding, dilation)
    return height, width


def _taps(kernel: Pair, stride: Pair, dilation: Pair, places: Pair) -> Iterator[tuple]:
    """Index of the pixels that each cell of the kernel meets on its way over a padded image."""
    for cell in np.ndindex(*kernel):
        rows, columns = (
            slice(d * i, d * i + s * (n - 1) + 1, s)
            for i, s, d, n in zip(cell, stride, dilation, places, strict=True)
        )
        yield ..., rows, columns


def _pad(x: np.ndarray, padding: Pair, value: float = 0.0) -> np.ndarray:
    """`x` with `padding` more pixels on each side; itself where that is none."""
    (ph, pw), (h, w) = padding, x.shape[-2:]
    if ph == pw == 0:
        return x
    padded = np.full((*x.shape[:-2], h + 2 * ph, w + 2 * pw), value, x.dtype)
    padded[..., ph : ph + h, pw : pw + w] = x
    return padded


def _crop(padded: np.ndarray, padding: Pair) -> np.ndarray:
    """Undo `_pad`."""
    (ph, pw), (h, w) = padding, padded.shape[-2:]
    return padded[..., ph : h - ph, pw : w - pw]


# --- images as columns ---


def im2col(
    x: np.ndarray, kernel_size: Size, *, stride: Size = 1, padding: Size = 0, dilation: Size = 1
) -> np.ndarray:
    """The pixels under the kernel, a column for each place: (N, C, H, W) → (N, C·K², H′·W′).

    Rows run through channel, kernel row, kernel column; columns through the places row by row. The
    same as `torch.nn.functional.unfold`.

    Raises:
        ValueError: the kernel does not fit into the padded image.

    """
    kernel, stride, dilation = _pair(kernel_size), _pair(stride), _pair(dilation)
    padding = _pair(padding)
    n, c, *size = x.shape
    places = _places(size, kernel, stride, padding, dilation)
    span = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    windows = sliding_window_view(_pad(x, padding), span, axis=(2, 3))  # (N, C, H′, W′, Kh, Kw)
    (sh, sw), (dh, dw) = stride, dilation
    windows = windows[:, :, ::sh, ::sw, ::dh, ::dw]
    return windows.transpose(0, 1, 4, 5, 2, 3).reshape(
        n, c * kernel[0] * kernel[1], np.prod(places)
    )


def col2im(
    columns: np.ndarray,
    size: Pair,
    kernel_size: Size,
    *,
    stride: Size = 1,
    padding: Size = 0,
    dilation: Size = 1,
) -> np.ndarray:
    """Add columns back into images of `size` (H, W): (N, C·K², H′·W′) → (N, C, H, W).

    The adjoint of `im2col`, so its gradient: a pixel receives the sum over all columns it was
    copied to. The same as `torch.nn.functional.fold`.

    Raises:
        ValueError: the shape of `columns` does not belong to `size` and kernel.

    """
    kernel, stride, dilation = _pair(kernel_size), _pair(stride), _pair(dilation)
    padding = _pair(padding)
    places = _places(size, kernel, stride, padding, dilation)
    n, rows, length = columns.shape
    cells = kernel[0] * kernel[1]
    if rows % cells or length != places[0] * places[1]:
        raise ValueError(
            f"col2im: images {size} with kernel {kernel} come from columns (N, C·{cells}, "
            f"{places[0] * places[1]}), got {columns.shape}; give the arguments that im2col had"
        )
    cell_images = columns.reshape(n, -1, cells, *places)
    padded_size = (s + 2 * p for s, p in zip(size, padding, strict=True))
    images = np.zeros((n, rows // cells, *padded_size), columns.dtype)
    for cell, pixels in enumerate(_taps(kernel, stride, dilation, places)):
        images[pixels] += cell_images[:, :, cell]
    return _crop(images, padding)


# --- convolution ---


def conv2d(
    x: Tensor | ArrayLike,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: Size = 1,
    padding: Size = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Tensor:
    """Cross-correlation y[c,i,j] = b[c] + Σₖ Σₘ Σₙ w[c,k,m,n] · x[k, s·i + d·m − p, s·j + d·n − p].

    `x` (N, C, H, W), `weight` (C′, C/groups, Kh, Kw), `bias` (C′,) → (N, C′, H′, W′). With groups,
    each C′/groups outputs see their own C/groups inputs. For ``padding="same"`` of Keras with
    stride 1 and an odd kernel write padding = d(k − 1)/2; with larger strides Keras pads right and
    below more than left and above, which no `padding` here does. Keras also refuses a stride
    together with a dilation.

    Raises:
        ValueError: the channels of `x` are not those of `weight`, or the kernel does not fit.

    """
    x = in_precision_of(weight, x)
    c_out, c_group, *kernel = weight.shape
    _check_images("conv2d", x, c_group * groups)
    if c_out % groups:
        raise ValueError(f"conv2d: groups must divide the {c_out} outputs, got {groups}")
    window = {"stride": _pair(stride), "padding": _pair(padding), "dilation": _pair(dilation)}
    n, size = len(x), x.shape[2:]
    places = _places(size, kernel, *window.values())
    X = im2col(x.data, kernel, **window).reshape(n, groups, -1, places[0] * places[1])
    W = weight.data.reshape(groups, c_out // groups, -1)
    Y = W @ X

    # dY = dW X + W dX, so W receives Σ G Xᵀ over the images and X receives Wᵀ G
    def rule(g: np.ndarray) -> tuple[np.ndarray | None, ...]:
        G = g.reshape(Y.shape)
        dx = dw = None
        if x.requires_grad:
            dX = (W.mT @ G).reshape(n, -1, G.shape[-1])
            dx = col2im(dX, size, kernel, **window)
        if weight.requires_grad:
            dw = (G @ X.mT).sum(axis=0).reshape(weight.shape)
        return dx, dw

    y = Tensor._derive(Y.reshape(n, c_out, *places), "conv2d", (x, weight), rule)
    return y if bias is None else y + bias.reshape(-1, 1, 1)


def conv_transpose2d(
    x: Tensor | ArrayLike,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
) -> Tensor:
    """Transposed convolution: each pixel of `x` stamps the kernel onto the output, times its value.

    `x` (N, C, H, W), `weight` (C, C′/groups, Kh, Kw), `bias` (C′,) → (N, C′, H′, W′) with
    H′ = (H − 1)·s − 2p + d(k − 1) + 1 + output_padding. It is the adjoint of `conv2d` with the same
    weight: the one's forward rule is the other's gradient. It undoes the change of shape, not of
    values. Where a convolution with stride s forgot up to s − 1 last rows, `output_padding` says
    how many.

    Raises:
        ValueError: the channels of `x` are not those of `weight`, `output_padding` is not below
            `stride`, or nothing is left of the output.

    """
    x = in_precision_of(weight, x)
    c, _, *kernel = weight.shape
    _check_images("conv_transpose2d", x, c)
    if c % groups:
        raise ValueError(f"conv_transpose2d: groups must divide the {c} inputs, got {groups}")
    window = {"stride": _pair(stride), "padding": _pair(padding), "dilation": _pair(dilation)}
    extra = _pair(output_padding)
    if not all(0 <= e < s for e, s in zip(extra, window["stride"], strict=True)):
        raise ValueError(
            f"conv_transpose2d: output_padding must be at least 0 and below stride "
            f"{window['stride']}, got {extra}"
        )
    n, *size = x.shape[:1] + x.shape[2:]
    new_size = tuple(
        (places - 1) * s - 2 * p + d * (k - 1) + 1 + e
        for places, k, e, s, p, d in zip(size, kernel, extra, *window.values(), strict=True)
    )
    if min(new_size) < 1:
        raise ValueError(f"conv_transpose2d: nothing is left of the output, its size is {new_size}")
    X = x.data.reshape(n, groups, c // groups, -1)
    W = weight.data.reshape(groups, c // groups, -1)
    Y = (W.mT @ X).reshape(n, -1, X.shape[-1])

    # the rules of conv2d with input and output exchanged
    def rule(g: np.ndarray) -> tuple[np.ndarray | None, ...]:
        G = im2col(g, kernel, **window).reshape(n, groups, -1, X.shape[-1])
        dx = (W @ G).reshape(x.shape) if x.requires_grad else None
        dw = (X @ G.mT).sum(axis=0).reshape(weight.shape) if weight.requires_grad else None
        return dx, dw

    y = col2im(Y, new_size, kernel, **window)
    y = Tensor._derive(y, "conv_transpose2d", (x, weight), rule)
    return y if bias is None else y + bias.reshape(-1, 1, 1)


class Conv2d(Module):
    """Convolution layer, `conv2d` with a learned weight: (N, C, H, W) → (N, C′, H′, W′).

    Weight (C′, C/groups, Kh, Kw) and bias (C′,) start uniform in ±1/√(Kh·Kw·C/groups), as in
    PyTorch. Errors are those of `conv2d`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        rng: np.random.Generator,
        dtype: DTypeLike = np.float32,
    ) -> None:
        _check_groups("Conv2d", in_channels, out_channels, groups)
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups
        shape = (out_channels, in_channels // groups, *_pair(kernel_size))
        bound = 1 / np.sqrt(np.prod(shape[1:]))
        self.weight = uniform(rng, bound, shape, dtype)
        self.bias = uniform(rng, bound, (out_channels,), dtype) if bias else None

    def forward(self, x: Tensor | ArrayLike) -> Tensor:
        """Convolve; an array takes the weight's precision."""
        return conv2d(
            x,
            self.weight,
            self.bias,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
        )


class ConvTranspose2d(Module):
    """Transposed convolution, `conv_transpose2d` with a learned weight.

    Weight (C, C′/groups, Kh, Kw) and bias (C′,) start uniform in ±1/√(Kh·Kw·C′/groups), as in
    PyTorch. Errors are those of `conv_transpose2d`. Keras's ``padding="valid"`` has the same shape
    with padding 0 where the kernel is at least as large as the stride.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size = 1,
        *,
        rng: np.random.Generator,
        dtype: DTypeLike = np.float32,
    ) -> None:
        _check_groups("ConvTranspose2d", in_channels, out_channels, groups)
        self.stride, self.padding, self.output_padding = stride, padding, output_padding
        self.groups, self.dilation = groups, dilation
        shape = (in_channels, out_channels // groups, *_pair(kernel_size))
        bound = 1 / np.sqrt(np.prod(shape[1:]))
        self.weight = uniform(rng, bound, shape, dtype)
        self.bias = uniform(rng, bound, (out_channels,), dtype) if bias else None

    def forward(self, x: Tensor | ArrayLike) -> Tensor:
        """Convolve transposed; an array takes the weight's precision."""
        return conv_transpose2d(
            x,
            self.weight,
            self.bias,
            stride=self.stride,
            padding=self.padding,
            output_padding=self.output_padding,
            groups=self.groups,
            dilation=self.dilation,
        )


def _check_images(function: str, x: Tensor, channels: int) -> None:
    if x.ndim == 4 and x.shape[1] == channels:
        return
    if x.ndim == 4 and x.shape[3] == channels:
        advice = "channels come first here: transpose(0, 3, 1, 2) turns (N, H, W, C) around"
    elif x.ndim == 3 and channels == 1:
        advice = "gray images need an axis for their one channel: x[:, None]"
    elif x.ndim == 3:
        advice = "a single image needs an axis for the batch: x[None]"
    else:
        advice = "the channels of the input must be those of the weight, times the groups"
    raise ValueError(
        f"{function} takes images of shape (N, {channels}, H, W), got {x.shape}; {advice}"
    )


def _check_groups(layer: str, in_channels: int, out_channels: int, groups: int) -> None:
    if groups < 1 or in_channels % groups or out_channels % groups:
        raise ValueError(
            f"{layer}: groups must divide in_channels and out_channels, "
            f"got {groups} for {in_channels} and {out_channels}"
        )


# --- pooling ---


def max_pool2d(
    x: Tensor | ArrayLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
) -> Tensor:
    """Largest pixel under the kernel: (N, C, H, W) → (N, C, H′, W′).

    Without `stride` the windows do not overlap. Where several pixels are largest, the first in
    reading order receives the gradient, as in PyTorch. Padded pixels never win. Keras's
    ``padding="valid"`` is padding 0.

    Raises:
        ValueError: `x` has not four axes, the kernel does not fit, or padding exceeds half of it.

    """
    x = as_tensor(x)
    taps, padding = _pooling("max_pool2d", x, kernel_size, stride, padding, dilation)
    a = _pad(x.data, padding, -np.inf)
    first, *others = taps
    y = a[first].copy()
    for pixels in others:
        np.maximum(y, a[pixels], out=y)

    # dy = da at the first of the largest pixels
    def rule(g: np.ndarray) -> tuple[np.ndarray]:
        da, left = np.zeros_like(a), g.copy()  # left: the gradient not handed out yet
        for pixels in taps:
            share = np.where(a[pixels] == y, left, 0)
            da[pixels] += share
            left -= share
        return (_crop(da, padding),)

    return Tensor._derive(y, "max_pool2d", (x,), rule)


def avg_pool2d(
    x: Tensor | ArrayLike, kernel_size: Size, stride: Size | None = None, padding: Size = 0
) -> Tensor:
    """Mean of the pixels under the kernel: (N, C, H, W) → (N, C, H′, W′).

    Without `stride` the windows do not overlap. Padded pixels count as zeros, as in PyTorch;
    Keras's ``padding="same"`` leaves them out of sum and count.

    Raises:
        ValueError: `x` has not four axes, the kernel does not fit, or padding exceeds half of it.

    """
    x = as_tensor(x)
    taps, padding = _pooling("avg_pool2d", x, kernel_size, stride, padding, 1)
    a = _pad(x.data, padding)
    y = sum(a[pixels] for pixels in taps) / len(taps)

    # dy = Σ da/K²
    def rule(g: np.ndarray) -> tuple[np.ndarray]:
        da, share = np.zeros_like(a), g / len(taps)
        for pixels in taps:
            da[pixels] += share
        return (_crop(da, padding),)

    return Tensor._derive(y, "avg_pool2d", (x,), rule)


class MaxPool2d(Module):
    """`max_pool2d` as a layer."""

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        dilation: Size = 1,
    ) -> None:
        self.kernel_size, self.stride = kernel_size, stride
        self.padding, self.dilation = padding, dilation

    def forward(self, x: Tensor | ArrayLike) -> Tensor:
        """Largest pixel of each window."""
        return max_pool2d(x, self.kernel_size, self.stride, self.padding, self.dilation)


class AvgPool2d(Module):
    """`avg_pool2d` as a layer."""

    def __init__(self, kernel_size: Size, stride: Size | None = None, padding: Size = 0) -> None:
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding

    def forward(self, x: Tensor | ArrayLike) -> Tensor:
        """Mean of each window."""
        return avg_pool2d(x, self.kernel_size, self.stride, self.padding)


def _pooling(
    function: str, x: Tensor, kernel_size: Size, stride: Size | None, padding: Size, dilation: Size
) -> tuple[list[tuple], Pair]:
    """The taps of a pooling window and its padding, checked."""
    if x.ndim != 4:
        raise ValueError(f"{function} takes images of shape (N, C, H, W), got {x.shape}")
    kernel, padding, dilation = _pair(kernel_size), _pair(padding), _pair(dilation)
    stride = kernel if stride is None else _pair(stride)
    if any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
        raise ValueError(
            f"{function}: padding {padding} exceeds half the kernel {kernel}, "
            "so some windows would see no pixel; take a smaller padding"
        )
    places = _places(x.shape[2:], kernel, stride, padding, dilation)
    return list(_taps(kernel, stride, dilation, places)), padding
