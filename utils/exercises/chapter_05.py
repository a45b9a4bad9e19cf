"""Exercises of chapter 05, Convolution."""

from __future__ import annotations

import functools
import itertools

import numpy as np

from utils.exercises._agree import agree
from utils.exercises._compare import Wrong, numbers, same, show, sizes, unpack
from utils.exercises._exercise import exercise

CLOSE = {"rtol": 1e-5, "atol": 1e-4}  # sums of a hundred products of float32 are no closer
KINDS = (np.float64, np.float32)


def _windows(x, K, s=1):
    """All windows of an image as nested loops see them: (H′, W′, K, K)."""
    rows, columns = (range(0, side - K + 1, s) for side in x.shape)
    return np.array([[x[i : i + K, j : j + K] for j in columns] for i in rows])


def _correlated(x, w):
    """The feature map of one image under one kernel."""
    return np.einsum("ijmn,mn->ij", _windows(x, len(w)), w)


def _uneven(rng, *shape):
    """Whole numbers with rows near 0 and ±1000: every sum of them is exact, in float32 too."""
    height = 1000.0 * (np.arange(shape[-2]) % 3 - 1)
    return rng.integers(-3, 4, shape) + height[:, None]


# ---------------------------------------------------------------- 05.1
@exercise(
    "05.1",
    hints=(
        "The padding adds p pixels on each side: an axis of H pixels has H + 2p of them.",
        "With dilation d the kernel spans d·(K − 1) + 1 pixels. How far may its first one go?",
        "The first pixel stands at 0, s, 2s, … up to H + 2p − d(K − 1) − 1: count these.",
    ),
    why="The last start is H + 2p − d(K − 1) − 1; among 0, s, 2s, … up to there are ⌊that/s⌋ + 1, "
    "the + 1 for the start at 0.",
)
def places(size, K, s, p, d):
    """H′ and W′ for an image of size (H, W): kernel side K, stride s, padding p, dilation d."""
    return (size + 2 * p - d * (K - 1) - 1) // s + 1


@places.check
def _(answer, rng):
    # as many pixels beyond the last place as tell the ways of rounding apart
    for K, s, p, d, beyond in (
        (3, 5, 4, 3, (1, 4)), (4, 7, 3, 2, (1, 5)), (5, 6, 2, 4, (1, 5)), (2, 8, 2, 5, (1, 6)),
    ):  # fmt: skip
        size = d * (K - 1) + 1 - 2 * p + s * rng.integers(3, 9, 2) + beyond
        _agree_places(answer, size, K, s, p, d)
    for _ in range(20):
        _agree_places(
            answer, rng.integers(20, 40, 2), *rng.integers([1, 1, 0, 1], [6, 6, 4, 5]).tolist()
        )
    for size, K, s, p, d in (
        ((32, 32), 3, 1, 1, 1), ((224, 224), 7, 2, 3, 1), ((7, 5), 3, 1, 0, 2),
        ((1, 1), 1, 1, 0, 1), ((3, 3), 3, 4, 0, 1), ((1, 9), 3, 2, 1, 1), ((6, 4), 2, 2, 0, 1),
    ):  # fmt: skip
        _agree_places(answer, np.array(size), K, s, p, d)


def _agree_places(answer, size, K, s, p, d):
    """Hold the answer against a count of the places, each of them tried."""
    axes = [range(-p, side + p) for side in size.tolist()]
    count = [sum(start + d * (K - 1) in axis for start in axis[::s]) for axis in axes]
    agree(answer, (size, K, s, p, d), count, "(H′, W′)", quote="all")


@places.mistakes
def _(size, K, s, p, d):
    last = size + 2 * p - d * (K - 1) - 1
    return {
        "the start at 0 counts too: + 1 after the floor": last // s,
        "the padding is on both sides: 2p": (last - p) // s + 1,
        "the padding is missing: it adds p pixels on each side": (last - 2 * p) // s + 1,
        "dilation is missing: the kernel spans d·(K − 1) + 1 pixels": (size + 2 * p - K) // s + 1,
        "the kernel spans d·(K − 1) + 1 pixels, not d·K": (size + 2 * p - d * K) // s + 1,
        "the last place starts at H + 2p − d(K − 1) − 1: the − 1 is missing": (last + 1) // s + 1,
        "a place where the kernel does not fit is counted: round down": 1 - -last // s,
        "round down, not to the nearest number": np.floor(last / s + 0.5) + 1,
        "the numbers of places must be whole: divide by //": last / s + 1,
        "the stride is missing: only every s-th place counts": last + 1,
        "the whole kernel must fit: subtract d·(K − 1) + 1": (size + 2 * p) // s + 1,
        "both numbers are H′: W′ is made from the width": 0 * size + last[0] // s + 1,
        "the image is turned: H′ comes first, then W′": last[::-1] // s + 1,
    }


# ---------------------------------------------------------------- 05.2
@exercise(
    "05.2",
    hints=(
        "One kernel for each pair of output and input channel, one bias for each output channel.",
        "For one number of one map: how many weights meet a pixel?",
        "Each of the C′·H_out·W_out numbers takes C·K² multiplications.",
    ),
    why="The kernel is shared by all places, so the map's size is in the work and not in the "
    "parameters: a convolution is cheap to store and expensive to compute.",
)
def conv_costs(shape, H_out, W_out):
    """(parameters, multiplications an image) of a layer with bias; shape is (C′, C, K, K)."""
    C_out, C, K, _ = shape
    return C_out * C * K**2 + C_out, C_out * C * K**2 * H_out * W_out


@conv_costs.check
def _(answer, rng):
    small = [(1, 1, 1, 1, 1), (1, 4, 3, 5, 5), (4, 1, 2, 6, 1), (3, 3, 3, 3, 3)]
    for C, C_out, K, H, W in [sizes(rng, 5) for _ in range(3)] + small:
        weights = sum(1 for _ in itertools.product(range(C_out), range(C), range(K), range(K)))
        expected = {
            "the number of parameters": weights + C_out,
            "the number of multiplications": weights * H * W,
        }
        agree(answer, (np.array([C_out, C, K, K]), H, W), expected, quote="all")


@conv_costs.mistakes
def _(shape, H_out, W_out):
    C_out, C, K, _ = shape
    weights, area = C_out * C * K**2, H_out * W_out
    return {
        "the bias is missing: one for each output channel": (weights, ...),
        "an output channel has one bias, not one for each kernel": (weights + C_out * C, ...),
        "the bias belongs to the output channels": (weights + C, ...),
        "the whole layer has a bias for each output channel, not a single one": (weights + 1, ...),
        "a bias belongs to an output channel, not to each of its places": (
            weights + C_out * area,
            ...,
        ),
        "the kernels are shared by all places: H_out and W_out are not in the parameters": (
            area * (weights + C_out),
            ...,
        ),
        "each output channel has a kernel for every input channel": (
            C_out * K**2 + C_out,
            C_out * K**2 * area,
        ),
        "a kernel has K rows and K columns: K² weights": (
            C_out * C * K + C_out,
            C_out * C * K * area,
        ),
        "adding the bias is no multiplication": (..., (weights + C_out) * area),
        "every place is computed anew: H_out·W_out times": (..., weights),
        "each of the C′ output maps is computed: C′ is missing in the work": (
            ...,
            C * K**2 * area,
        ),
        "every output number reads all C input channels": (..., C_out * K**2 * area),
        "count the multiplications alone, not the additions": (..., 2 * weights * area),
        "the map has H_out·W_out places, not H_out²": (..., weights * H_out**2),
        "the pair is swapped: the parameters come first": (weights * area, weights + C_out),
    }


# ---------------------------------------------------------------- 05.3
@exercise(
    "05.3",
    hints=(
        "The map has H − K + 1 rows and W − K + 1 columns.",
        "At place (i, j) the window is x[i:i+K, j:j+K]: multiply it by w and add up.",
        "Or loop over the kernel only: y += w[m, n] * x[m:m+H_out, n:n+W_out].",
    ),
    why="y[i, j] = Σ w[m, n]·x[i + m, j + n]. Looping over the kernel's taps adds whole shifted "
    "images, K² steps instead of H′·W′·K².",
)
def cross_correlate(x, w):
    """Feature map (H − K + 1, W − K + 1) of an image x (H, W) under a kernel w (K, K)."""
    K = len(w)
    H_out, W_out = x.shape[0] - K + 1, x.shape[1] - K + 1
    y = np.zeros((H_out, W_out))
    for m, n in np.ndindex(K, K):
        y += w[m, n] * x[m : m + H_out, n : n + W_out]
    return y


@cross_correlate.check
def _(answer, rng):
    for H, W, K in ((3, 4, 2), (4, 5, 3), (3, 3, 3), (3, 3, 2), (1, 3, 1), (1, 1, 1)):
        x, w = _uneven(rng, H, W), rng.integers(-3, 4, (K, K)) + 0.0
        agree(answer, (x, w), _correlated(x, w), "the feature map", quote="all")
    for kind, K in itertools.product(KINDS, (3, 4, 2, 1)):
        H, W = sizes(rng, 2)
        x, w = rng.normal(size=(H + 2, W + 2)), rng.normal(size=(K, K))
        agree(answer, (kind(x), kind(w)), _correlated(x, w), "the feature map", **CLOSE)


@cross_correlate.mistakes
def _(x, w):
    y, K = _correlated(x, w), len(w)
    return {
        "the kernel is turned by 180°: that is the convolution of mathematics, a layer does not "
        "turn it": _correlated(x, w[::-1, ::-1]),
        "the kernel is transposed: row m of the kernel goes with row i + m": _correlated(x, w.T),
        "the kernel stands on its head: its row m meets row i + m": _correlated(x, w[::-1]),
        "the kernel is mirrored: its column n meets column j + n": _correlated(x, w[:, ::-1]),
        "the image is padded here: only places where the whole kernel fits count": (
            _correlated(np.pad(x, (K - 1) // 2), w)
        ),
        "the image is padded by K//2: only places where the whole kernel fits count": (
            _correlated(np.pad(x, K // 2), w)
        ),
        "the image is padded by K − 1: only places where the whole kernel fits count": (
            _correlated(np.pad(x, K - 1), w)
        ),
        "this is a mean: add the products, do not divide": y / K**2,
        "the last row and column are missing: an axis has H − K + 1 places": y[:-1, :-1],
        "the stride is 1: the kernel moves on by one pixel, not by K": y[::K, ::K],
        "there is no ReLU here: negative answers stay": np.maximum(y, 0),
        "only the diagonal of the kernel is used: all K² weights count": (
            _correlated(x, w * np.eye(K))
        ),
    }


# ---------------------------------------------------------------- 05.4
@exercise(
    "05.4",
    hints=(
        "Output channel c adds the cross-correlations of all C input channels with w[c, k].",
        "Order: sum over channels and window, then the bias, then the ReLU.",
        "`sliding_window_view(x, (K, K), axis=(1, 2))` has shape (C, H′, W′, K, K); `einsum` with "
        "'kijmn,ckmn->cij' adds over k, m and n at once.",
    ),
    why="The sum runs over the window and over all input channels, and the bend comes last: bent "
    "channel by channel, a negative channel could no longer speak against a positive one.",
)
def conv_layer(x, w, b):
    """max(0, convolution + b): images x (C, H, W), kernels w (C′, C, K, K), bias b (C′,)."""
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], axis=(1, 2))
    z = np.einsum("kijmn,ckmn->cij", windows, w) + b[:, None, None]
    return np.maximum(z, 0)


@conv_layer.check
def _(answer, rng):
    for C, C_out, H, W, K in ((2, 2, 3, 3, 2), (1, 1, 3, 3, 3), (1, 2, 1, 2, 1), (2, 1, 2, 4, 2)):
        x, w = _uneven(rng, C, H, W), rng.integers(-3, 4, (C_out, C, K, K)) + 0.0
        for b in (np.arange(C_out) - 2.0, 0.0 * w[:, 0, 0, 0], np.arange(C_out) - 1e5):
            expected = np.maximum(_layer(x, w, b), 0)
            agree(answer, (x, w, b), expected, "the output", quote="all")
    for kind, K in itertools.product(KINDS, (3, 2, 4)):
        C, C_out, H, W = sizes(rng, 4)
        x, w = rng.normal(size=(C, H + 1, W + 1)), rng.normal(size=(C_out, C, K, K))
        b = rng.normal(size=C_out)
        agree(
            answer,
            (kind(x), kind(w), kind(b)),
            np.maximum(_layer(x, w, b), 0),
            "the output",
            **CLOSE,
        )


def _layer(x, w, b):
    """The scores of a convolution layer, one pair of channels after the other."""
    pairs = [[_correlated(image, kernel) for image, kernel in zip(x, k, strict=True)] for k in w]
    return np.array(pairs).sum(axis=1) + b[:, None, None]


@conv_layer.mistakes
def _(x, w, b):
    C, bias = len(x), b[:, None, None]
    z = _layer(x, w, b)
    bent = [_layer(x[k : k + 1], w[:, k : k + 1], 0 * b).clip(0) for k in range(C)]
    scores = {
        "only the first input channel is read: sum over all of them": _layer(x[:1], w[:, :1], b),
        "the bias is missing": z - bias,
        "the bias is added C times: once an output channel": z + (C - 1) * bias,
        "the bias has the wrong sign": z - 2 * bias,
        "this is a mean over the input channels: add them up": (z - bias) / C + bias,
        "the kernels are turned by 180°: a layer does not turn them": (
            _layer(x, w[:, :, ::-1, ::-1], b)
        ),
        "the kernels are transposed: row m goes with row i + m": _layer(x, w.mT, b),
        "the image is padded here: only places where the whole kernel fits count": (
            _layer(np.pad(x, [(0, 0)] + 2 * [(w.shape[2] // 2,) * 2]), w, b)
        ),
        "the bend comes too early: it is the output that is bent, not the image": (
            _layer(x.clip(0), w, b)
        ),
    }
    return {message: np.maximum(scores[message], 0) for message in scores} | {
        "the ReLU is missing": z,
        "the bend comes too early: first the sum over the channels, then the ReLU": (
            sum(bent) + bias
        ),
        "the bend comes too early: the bias belongs inside the ReLU": (
            np.maximum(z - bias, 0) + bias
        ),
        "the ReLU keeps what is positive, not what is negative": np.minimum(z, 0),
        "this is the size of the scores: the ReLU makes negative ones 0": np.abs(z),
    }


@conv_layer.mistake("the bias runs along the columns: b[:, None, None] runs along the channels")
def _(x, w, b):
    return np.maximum(_layer(x, w, 0 * b) + b, 0)


# ---------------------------------------------------------------- 05.5
@exercise(
    "05.5",
    hints=(
        "Row (m, n) of X holds what tap (m, n) meets on its way: x[m::s, n::s], cut to H′ × W′.",
        "The tap's last pixel is m + s·(H′ − 1), so the slice is m : m + s·(H′ − 1) + 1 : s.",
        "Fill an array (K, K, H′, W′) slice by slice and reshape it at the end.",
    ),
    why="Indexed (m, n, i, j), the array holds x[m + s·i, n + s·j]; reshaping the first two and "
    "the last two axes gives taps × places.",
)
def columns(x, K, s):
    """What a K×K window with stride s sees of an image x (H, W): (K², H′·W′)."""
    H_out, W_out = ((side - K) // s + 1 for side in x.shape)
    X = np.empty((K, K, H_out, W_out))
    for m, n in np.ndindex(K, K):
        X[m, n] = x[m : m + s * (H_out - 1) + 1 : s, n : n + s * (W_out - 1) + 1 : s]
    return X.reshape(K * K, H_out * W_out)


@columns.check
def _(answer, rng):
    for H, W, K, s in (
        (5, 4, 2, 3), (4, 5, 3, 1), (3, 3, 3, 2), (4, 4, 2, 2),
        (5, 4, 3, 9), (2, 3, 1, 1), (1, 1, 1, 1),
    ):  # fmt: skip
        x = _uneven(rng, H, W)
        agree(answer, (x, K, s), _columns(x, K, s), "X", quote="all")
    for kind, (K, s) in itertools.product(KINDS, ((2, 1), (3, 2), (3, 1), (2, 3), (1, 2))):
        H, W = sizes(rng, 2)
        x = rng.normal(size=(H + 5, W + 4))
        agree(answer, (kind(x), K, s), _columns(x, K, s), f"X for K = {K}, s = {s}", **CLOSE)


def _columns(x, K, s):
    return _windows(x, K, s).reshape(-1, K * K).T


@columns.mistakes
def _(x, K, s):
    windows, X = _windows(x, K, s), _columns(x, K, s)
    return {
        "it is reshaped without moving the axes: rows must be taps, columns places": (
            windows.reshape(K * K, -1)
        ),
        "a row for each place and a column for each tap: transpose it": X.T,
        "the stride is missing: the window moves by s": _columns(x, K, 1),
        "the window moves by its own side K: it must move by s": _columns(x, K, K),
        "the taps run down the columns first: reading order is row by row": (
            windows.mT.reshape(-1, K * K).T
        ),
        "the places run down the columns first: reading order is row by row": (
            windows.swapaxes(0, 1).reshape(-1, K * K).T
        ),
        "the taps run backwards: the kernel is not turned": X[::-1],
        "the last place of each axis is missing: there are (H − K)//s + 1": (
            windows[:-1, :-1].reshape(-1, K * K).T
        ),
        "the image is padded: only places where the whole kernel fits count": (
            _columns(np.pad(x, K // 2), K, s)
        ),
    }


# ---------------------------------------------------------------- 05.6
@exercise(
    "05.6",
    hints=(
        "The gradient of the largest pixel is 1, of the others 0: g goes to one pixel a block.",
        "Blocks side by side: x.reshape(H/2, 2, W/2, 2).swapaxes(1, 2).reshape(H/2, W/2, 4).",
        "`argmax` gives the first of equal numbers. Put g there, with `np.put_along_axis` or by "
        "a loop over the blocks, and reshape back.",
    ),
    why="max has slope 1 at its winner only. At a tie any share is a subgradient, but two winners "
    "with the whole g each would count it twice; libraries pay the first.",
)
def max_pool_gradient(x, g):
    """∂L/∂x (H, W) of 2×2 max pooling from g (H/2, W/2); at a tie the first pixel wins."""
    H, W = x.shape
    dx = np.zeros((H, W))
    for i, j in np.ndindex(H // 2, W // 2):
        m, n = divmod(int(x[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].argmax()), 2)
        dx[2 * i + m, 2 * j + n] = g[i, j]
    return dx


@max_pool_gradient.check
def _(answer, rng):
    zeros, corner, low = np.zeros((2, 2)), np.array([[0.0, 1], [1, 0]]), np.full((2, 4), -1000.0)
    for x in (zeros, corner, low, 1000 * corner[::-1] - 2000, _uneven(rng, 4, 4)):
        g = rng.integers(-3, 4, (len(x) // 2, x.shape[1] // 2)) + 0.5
        agree(answer, (x, g), _won(x, g), "∂L/∂x", quote="all")
    for kind, ties in itertools.product(KINDS, (False, True, True)):
        h, v = sizes(rng, 2)
        x, g = rng.normal(size=(2 * h, 2 * v)), rng.normal(size=(h, v))
        if ties:
            x = np.clip(np.round(x), -1, 1)
        agree(answer, (kind(x), kind(g)), _won(x, g), "∂L/∂x", **CLOSE)


def _won(x, g, first=lambda pixels: pixels[0]):
    """The gradient if of the largest pixels of a block the first receives it, or another."""
    dx = np.zeros(x.shape)
    for i, j in np.ndindex(g.shape):
        block = list(itertools.product((2 * i, 2 * i + 1), (2 * j, 2 * j + 1)))
        highest = max(x[pixel] for pixel in block)
        dx[first([pixel for pixel in block if x[pixel] == highest])] = g[i, j]
    return dx


@max_pool_gradient.mistakes
def _(x, g):
    def enlarged(block):
        return block.repeat(2, axis=0).repeat(2, axis=1)

    def highest(x):
        return np.maximum.reduce([x[::2, ::2], x[::2, 1::2], x[1::2, ::2], x[1::2, 1::2]])

    wins = x == enlarged(highest(x))
    count = sum(wins[m::2, n::2] for m, n in np.ndindex(2, 2))
    return {
        "every winner of a tie gets the whole gradient: only the first one does": (
            wins * enlarged(g)
        ),
        "a tie shares the gradient: here the first pixel takes all": wins * enlarged(g / count),
        "all four pixels share it: that is the mean's gradient, not the maximum's": (
            enlarged(g / 4)
        ),
        "all four pixels receive it: only the largest does": enlarged(g),
        "the winner receives 1: multiply by the upstream gradient g": _won(x, np.ones(g.shape)),
        "the last of equal pixels wins: the first must": _won(x, g, lambda pixels: pixels[-1]),
        "a tie is broken down the columns: reading order is row by row": (
            _won(x, g, lambda pixels: min(pixels, key=lambda pixel: pixel[::-1]))
        ),
        "the smallest pixel receives the gradient: it belongs to the largest": _won(-x, g),
        "the pixel that is largest without its sign wins: take the maximum itself": (
            _won(np.abs(x), g)
        ),
        "a block of zeros or of negative pixels has a winner too": _won(x, g) * (x > 0),
        "the gradient is multiplied by the pixel: the slope of max is 1": _won(x, g) * x,
    }


# ---------------------------------------------------------------- 05.7
@exercise(
    "05.7",
    hints=(
        "w[m, n] meets x[i + m, j + n] on its way to y[i, j]. Sum over all places it was used at.",
        "∂L/∂w[m, n] = Σᵢ Σⱼ g[i, j]·x[i + m, j + n]: look at the indices.",
        "It is the cross-correlation of x with g, a kernel as large as the map.",
    ),
    why="A shared weight collects the gradient of all its places: Σ g[i, j]·x[i + m, j + n] is "
    "again a cross-correlation, with g in the part of the kernel.",
)
def kernel_gradient(x, g):
    """∂L/∂w (K, K) for y = cross_correlate(x, w), from x (H, W) and g = ∂L/∂y (H′, W′)."""
    windows = np.lib.stride_tricks.sliding_window_view(x, g.shape)
    return np.einsum("mnij,ij->mn", windows, g)


@kernel_gradient.check
def _(answer, rng):
    for H, W, K in ((3, 4, 2), (4, 3, 2), (3, 3, 3), (2, 4, 2), (2, 3, 1), (1, 1, 1)):
        x, g = _uneven(rng, H, W), rng.integers(-3, 4, (H - K + 1, W - K + 1)) + 0.0
        agree(answer, (x, g), _weighed(x, g), "∂L/∂w", quote="all")
    for kind, K in itertools.product(KINDS, (3, 2, 4, 1)):
        H, W = (side + 3 for side in sizes(rng, 2))
        x, g = rng.normal(size=(H, W)), rng.normal(size=(H - K + 1, W - K + 1))
        agree(answer, (kind(x), kind(g)), _weighed(x, g), "∂L/∂w", **CLOSE)


def _weighed(x, g):
    """∂L/∂w, a weight at a time: y is linear in w, so it is g against the map of that weight."""
    (h, v), K = g.shape, len(x) - len(g) + 1
    return np.array([[(g * x[m : m + h, n : n + v]).sum() for n in range(K)] for m in range(K)])


@kernel_gradient.mistakes
def _(x, g):
    dw, ones, middle = _weighed(x, g), np.ones(g.shape), (len(x) - len(g)) // 2
    return {
        "it is turned by 180°: g is not flipped here": dw[::-1, ::-1],
        "g is turned by 180°: g[i, j] meets x[i + m, j + n]": _weighed(x, g[::-1, ::-1]),
        "this is a mean over the places: each of them adds its share": dw / g.size,
        "the upstream gradient is missing: weigh each window with g": _weighed(x, ones),
        "the image is missing: each place adds g times the pixel it met": g.sum() * (0 * dw + 1),
        "only the first place counts: a shared weight collects from all": (
            g[0, 0] * x[: len(dw), : len(dw)]
        ),
        "∂L/∂w is transposed: swap its two axes": dw.T,
        "all weights get the gradient of the middle one: shift the window by m and n": (
            0 * dw + dw[middle, middle]
        ),
        "the sign is wrong": -dw,
    }


# ---------------------------------------------------------------- 05.8
@exercise(
    "05.8",
    hints=(
        "Each g[i, j] goes back to the K × K pixels that made y[i, j], times their weights.",
        "So it stamps w·g[i, j] onto x[i:i+K, j:j+K]; overlapping stamps add up.",
        "H = H′ + K − 1. Loop over the kernel's taps: dx[m:m+H′, n:n+W′] += w[m, n] * g.",
    ),
    why="∂L/∂x[a, b] = Σ w[m, n]·g[a − m, b − n]: the minus signs make it a true convolution with "
    "the kernel turned, on a g padded by K − 1.",
)
def image_gradient(w, g):
    """∂L/∂x (H′ + K − 1, W′ + K − 1) for y = cross_correlate(x, w), from g = ∂L/∂y (H′, W′)."""
    K = len(w)
    H_out, W_out = g.shape
    dx = np.zeros((H_out + K - 1, W_out + K - 1))
    for m, n in np.ndindex(K, K):
        dx[m : m + H_out, n : n + W_out] += w[m, n] * g
    return dx


@image_gradient.check
def _(answer, rng):
    for h, v, K in ((2, 3, 2), (3, 2, 2), (1, 1, 3), (2, 2, 3), (3, 2, 1), (1, 1, 1)):
        w, g = rng.integers(-3, 4, (K, K)) + 0.0, _uneven(rng, h, v)
        agree(answer, (w, g), _stamped(w, g), "∂L/∂x", quote="all")
    for kind, K in itertools.product(KINDS, (3, 2, 4, 1)):
        w, g = rng.normal(size=(K, K)), rng.normal(size=sizes(rng, 2))
        agree(answer, (kind(w), kind(g)), _stamped(w, g), "∂L/∂x", **CLOSE)


def _stamped(w, g):
    """∂L/∂x: on its way a pixel met the weights of the windows that hold it."""
    return _correlated(np.pad(g, len(w) - 1), w[::-1, ::-1])


@image_gradient.mistakes
def _(w, g):
    K, dx = len(w), _stamped(w, g)
    last = np.zeros(dx.shape)
    for i, j in np.ndindex(g.shape):
        last[i : i + K, j : j + K] = w * g[i, j]
    return {
        "the kernel is not turned: on the padded g it must be, by 180°": (
            _stamped(w[::-1, ::-1], g)
        ),
        "a stamp overwrites the ones before it: overlapping stamps add up": last,
        "the kernel is transposed": _stamped(w.T, g),
        "the kernel is turned upside down only: by 180° its columns are reversed too": (
            _stamped(w[:, ::-1], g)
        ),
        "the kernel is mirrored only: by 180° its rows are reversed too": _stamped(w[::-1], g),
        "the kernel is turned by 90° only": _correlated(np.pad(g, K - 1), np.rot90(w)),
        "it is turned by 180°: it is the kernel that turns, not g": dx[::-1, ::-1],
        "this is a mean: every place adds its share": dx / K**2,
        "the upstream gradient is missing: weigh each stamp with g": _stamped(w, np.ones(g.shape)),
        "the weights are missing: a stamp is w times g[i, j]": _stamped(np.ones(w.shape), g),
        "it is too small: pad g by K − 1 on each side, so that H = H′ + K − 1": (
            _correlated(np.pad(g, K // 2), w[::-1, ::-1])
        ),
    }


# ---------------------------------------------------------------- 05.9
@exercise(
    "05.9",
    hints=(
        "Keep two numbers: the field r of one number of the present map, and the distance j, in "
        "pixels of the image, between two neighbors of it. Both start at 1.",
        "A kernel adds d·(K − 1) neighbors, each j pixels further: r grows by d·(K − 1)·j.",
        "Then j is multiplied by s, for the next layer. In this order.",
    ),
    why="Each layer widens the field by the span of its kernel, measured in pixels of the image; "
    "strides multiply this measure for all later layers, but not for their own.",
)
def field(layers):
    """Side of the receptive field, in pixels, after layers (L, 3) of rows (K, s, d)."""
    r, j = 1, 1
    for K, s, d in layers:
        r += d * (K - 1) * j
        j *= s
    return r


@field.check
def _(answer, rng):
    for depth in (2, 3, 4, 4, 1, 6):
        _agree_field(answer, rng.integers([2, 2, 2], [6, 4, 4], (depth, 3)))
    for depth in (1, 2, 3, 4):
        _agree_field(answer, rng.integers([1, 1, 1], [6, 4, 4], (depth, 3)))
    _agree_field(answer, np.array([[3, 1, 1]] * 3))
    _agree_field(answer, np.array([[3, 2, 1], [2, 2, 1]] * 4))
    _agree_field(answer, np.array([[5, 4, 1]]))
    _agree_field(answer, np.ones((2, 3), int))
    _agree_field(answer, np.ones((0, 3), int))  # a pixel of the image itself


def _agree_field(answer, layers):
    side = 1  # backward: a number needs s·(side − 1) + d·(K − 1) + 1 of the map before
    for K, s, d in layers[::-1].tolist():
        side = s * (side - 1) + d * (K - 1) + 1
    agree(answer, (layers,), side, "the field", quote="all")


@field.mistakes
def _(layers):
    (K, s, d), spans = layers.T, layers[:, 2] * (layers[:, 0] - 1)
    after = np.cumprod(s)
    j = after // s
    last = s[:-1].prod() if len(s) else 1
    return {
        "a stride widens only the layers behind it, not its own: first r, then j": (
            1 + (spans * after).sum()
        ),
        "the strides are missing: behind a stride of s a neighbor is s pixels away": (
            1 + spans.sum()
        ),
        "dilation is missing: the kernel spans d·(K − 1) + 1": 1 + ((K - 1) * j).sum(),
        "the field grows by d·(K − 1)·j, not by K: neighbors overlap": 1 + (d * K * j).sum(),
        "it starts at r = 1: a pixel sees itself": (spans * j).sum(),
        "the kernels are multiplied: their spans add up": K.prod(),
        "the spans are multiplied: each layer adds d·(K − 1)·j": (spans + 1).prod(),
        "all strides multiply at once: a layer's measure holds those before it": (
            1 + spans.sum() * last
        ),
        "only the stride of the layer before counts: j is multiplied by each": (
            1 + (spans * np.append(1, s)[: len(s)]).sum()
        ),
        "the strides add up in j: multiply j by s": (1 + (spans * (1 + np.cumsum(s) - s)).sum()),
        "the layers are read from the last to the first": (
            1 + (spans * (np.cumprod(s[::-1])[::-1] // s)).sum()
        ),
        "dilation spreads its own kernel only: j is multiplied by s": (
            1 + (spans * (np.cumprod(s * d) // (s * d))).sum()
        ),
        "the field is measured in pixels: this is j, the distance between neighbors": s.prod(),
        "neighboring windows overlap: a kernel adds d·(K − 1)·j, not K": K.sum(),
        "r itself is not multiplied by the stride: the distance j between neighbors is": (
            functools.reduce(
                lambda r, layer: r * layer[0] + layer[1], zip(s, spans, strict=True), 1
            )
        ),
        "a field has one side: do not square it": (1 + (spans * j).sum()) ** 2,
    }


# ---------------------------------------------------------------- 05.10
@exercise(
    "05.10",
    hints=(
        "Blind to a constant image: what must the nine weights sum to?",
        "Turned by 90° it stays as it is: three numbers suffice, for center, edges and corners. "
        "Then it is blind to slopes already: left and right cancel.",
        "On a bright dot it answers the weight in its middle: that one must be positive.",
    ),
    why="Weights that sum to 0 ignore a constant; the symmetry makes Σ m·w and Σ n·w vanish, so "
    "slopes are ignored too; the positive center answers to a dot. It is minus Laplace's kernel.",
    is_value=True,
)
def dot_kernel():
    """A 3×3 kernel: 0 on a + b·i + c·j, more than 0 on a bright dot, the same turned by 90°."""
    return np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]])


@dot_kernel.check
def _(answer, rng):
    w = numbers(answer, "the kernel", (3, 3))
    tiny = (1e-5 if w.dtype == np.float32 else 1e-9) * np.abs(w).max()
    w = w.astype(float)
    if not w.any():
        raise Wrong("all weights are 0: it answers nothing to a dot either")
    i, j = np.mgrid[:3, :3]
    if abs(w.sum()) > tiny:
        raise Wrong(
            f"on a constant image it answers {show(w.sum())} times the gray: the weights must sum "
            "to 0"
        )
    for name, ramp in (("downward", i), ("to the right", j)):
        if abs((w * ramp).sum()) > tiny:
            raise Wrong(f"on a slope that rises {name} it answers {show((w * ramp).sum())}, not 0")
    if w[1, 1] <= tiny:
        raise Wrong(
            f"on a bright dot beneath its middle it answers {show(w[1, 1])}: this must be above 0"
        )
    if np.abs(np.rot90(w) - w).max() > tiny:
        raise Wrong("turned by 90° it is another kernel: treat all four directions alike")


dot_kernel.wrongs(
    {
        "the weights must sum to 0": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
        "on a slope that rises downward": [[1, 2, 1], [0, 0, 0], [-1, -2, -1]],
        "on a slope that rises to the right": [[1, 0, -1], [2, 0, -2], [1, 0, -1]],
        "this must be above 0": [[0, 1, 0], [1, -4, 1], [0, 1, 0]],
        "treat all four directions alike": [[0, -1, 0], [0, 2, 0], [0, -1, 0]],
        "all weights are 0": np.zeros((3, 3)),
    }
)


# ---------------------------------------------------------------- 05.11
@exercise(
    "05.11",
    hints=(
        "w = u vᵀ: every row of w is a multiple of one and the same row v. What is its rank?",
        "Take the row with the largest number as v; then u[m] is how often it fits into row m.",
        "Or take the singular value decomposition: w can be split if only one singular value is "
        "not 0, up to rounding; u and v are then its first singular vectors.",
    ),
    why="A matrix is an outer product exactly if its rank is at most 1. The singular values tell "
    "the rank robustly; a test with == would fail by rounding.",
)
def split(w):
    """(u, v) with w = u vᵀ, each (K,), or (None, None) if there is no such pair."""
    U, sizes, V = np.linalg.svd(w)
    if (sizes[1:] > 1e-6 * sizes[0]).any():
        return None, None
    return sizes[0] * U[:, 0], V[0]


@split.check
def _(answer, rng):
    for name, u, v in (
        ("Sobel's kernel", [1, 2, 1], [1, 0, -1]),
        ("the binomial kernel", [1, 4, 6, 4, 1], [1, 4, 6, 4, 1]),
        ("a kernel with zeros around", [0, 2, 0], [0, 3, -1]),
        ("a kernel with zeros at its end", [2, 1, 0], [-1, 3, 0]),
        ("a kernel of one number", [-3], [2]),
        ("a kernel of zeros", [0, 0, 0], [0, 0, 0]),
    ):
        w = np.outer(u, v)
        for kernel in (w, np.float32(w), w.T, w[::-1, ::-1]):
            _check_pair(answer, kernel, f"{name}, {kernel.tolist()},")
    for m, n in np.ndindex(3, 3):
        w = np.zeros((3, 3))
        w[m, n] = -2.0
        _check_pair(answer, w, f"the kernel {w.tolist()}")
    for K, size in itertools.product((3, 5, 4), (1, 0.01, 100)):
        _check_pair(answer, size * np.outer(*rng.normal(size=(2, K))), "an outer product")
    laplace = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    almost = [np.outer(*rng.integers(1, 5, (2, K))) for K in (2, 3, 5)]
    for w, (m, n) in itertools.product(almost, ((0, 0), (0, -1), (-1, 0), (-1, -1), (1, 1))):
        w[m, n] += 1
        _check_refusal(answer, w.copy(), f"the kernel {w.tolist()}")
        w[m, n] -= 1
    for name, w in (("Laplace's kernel", laplace), ("the identity", np.eye(3))):
        for kernel in (w, np.float32(w)):
            _check_refusal(answer, kernel, f"{name}, {kernel.tolist()},")
    for K in (3, 5):
        _check_refusal(answer, rng.normal(size=(K, K)), "a kernel of random numbers")


def _check_pair(answer, w, kernel):
    parts = unpack(answer(w), "u", "v")
    if any(part is None for part in parts):
        raise Wrong(f"{kernel} can be split, its rank is {np.linalg.matrix_rank(w)}")
    for part, name in zip(parts, "uv", strict=True):
        if not np.isfinite(numbers(part, name)).all():
            raise Wrong(f"{kernel} can be split, but {name} is not finite: divide by no 0")
    product = np.outer(*(numbers(part, "u and v", (len(w),)) for part in parts))
    tolerance = 1e-5 * np.abs(w).max()
    if np.allclose(product, w, rtol=0, atol=tolerance):
        return
    if np.allclose(product.T, w, rtol=0, atol=tolerance):
        raise Wrong("u and v are swapped: w = u vᵀ has u along its rows' axis")
    same(product, w, f"u vᵀ for {kernel.rstrip(',')}", atol=tolerance)


def _check_refusal(answer, w, kernel):
    if any(part is not None for part in unpack(answer(w), "u", "v")):
        raise Wrong(f"{kernel} cannot be split, its rank is above 1: return None, None")


@split.wrong("its rank is above 1")
def _always(w):
    U, sizes, V = np.linalg.svd(w)
    return sizes[0] * U[:, 0], V[0]


@split.wrong("u and v are swapped")
def _swapped(w):
    return split.reference(w)[::-1]


@split.wrong("everywhere")
def _no_size(w):
    u, v = split.reference(w)
    return (u, v) if u is None or not u.any() else (u / np.linalg.norm(u), v)


@split.wrong("Sobel's kernel, [[1, 0, -1], [2, 0, -2], [1, 0, -1]], can be split")
def _middle(w):
    """The middle as pivot, which may be 0."""
    middle = w[len(w) // 2, len(w) // 2]
    return (None, None) if middle == 0 else split.reference(w)


@split.wrong("is not finite")
def _by_first(w):
    """The first entry as pivot, which may be 0."""
    u, v = split.reference(w)
    return (u, v) if u is None else (w[:, 0] / w[0, 0], w[0] / 1)


@split.wrong("an outer product can be split")
def _exact(w):
    """Exact where the numbers are whole: rounding hides the rank of the others."""
    return split.reference(w) if (w % 1 == 0).all() else (None, None)
