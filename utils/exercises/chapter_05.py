"""Exercises of chapter 05, Convolution."""

from __future__ import annotations

import itertools

import numpy as np

from utils.exercises._compare import Wrong, numbers, same, show, sizes, unpack
from utils.exercises._exercise import exercise


def _windows(x, K, s=1):
    """All windows of an image as nested loops see them: (H′, W′, K, K)."""
    rows, columns = (range(0, side - K + 1, s) for side in x.shape)
    return np.array([[x[i : i + K, j : j + K] for j in columns] for i in rows])


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
    named = 0
    while named < 5:
        size = rng.integers(20, 40, 2)
        K, s, p, d = rng.integers([2, 2, 1, 2], [6, 5, 4, 4]).tolist()
        known = {
            "the start at 0 counts too: + 1 after the floor": (size + 2 * p - d * (K - 1) - 1) // s,
            "the padding is on both sides: 2p": (size + p - d * (K - 1) - 1) // s + 1,
            "dilation is missing: the kernel spans d·(K − 1) + 1 pixels": (size + 2 * p - K) // s
            + 1,
            "the kernel spans d·(K − 1) + 1 pixels, not d·K": (size + 2 * p - d * K) // s + 1,
            "a place where the kernel does not fit is counted: round down": 1
            - (d * (K - 1) + 1 - size - 2 * p) // s,
        }
        if len({tuple(value) for value in [_count(size, K, s, p, d), *known.values()]}) == 6:
            _same_places(answer, size, K, s, p, d, known)
            named += 1
    for _ in range(20):
        _same_places(answer, rng.integers(20, 40, 2), *rng.integers([1, 1, 0, 1], 5).tolist(), {})


def _count(size, K, s, p, d):
    """The places of the kernel, each of them tried."""
    axes = [range(-p, side + p) for side in size.tolist()]
    return np.array([sum(start + d * (K - 1) in axis for start in axis[::s]) for axis in axes])


def _same_places(answer, size, K, s, p, d, known):
    got = numbers(answer(size, K, s, p, d), "(H′, W′)", (2,))
    if (got % 1).any():
        raise Wrong(f"{show(got.max())} places: divide by // so that the numbers are whole")
    what = f"places([{size[0]}, {size[1]}], {K}, {s}, {p}, {d})"
    same(got, _count(size, K, s, p, d), what, known=known)


@places.wrong("the start at 0 counts too")
def _no_start(size, K, s, p, d):
    return (size + 2 * p - d * (K - 1) - 1) // s


@places.wrong("the padding is on both sides")
def _one_side(size, K, s, p, d):
    return (size + p - d * (K - 1) - 1) // s + 1


@places.wrong("dilation is missing")
def _no_dilation(size, K, s, p, d):
    return (size + 2 * p - K) // s + 1


@places.wrong("not d·K")
def _wide_kernel(size, K, s, p, d):
    return (size + 2 * p - d * K) // s + 1


@places.wrong("round down")
def _round_up(size, K, s, p, d):
    return np.ceil((size + 2 * p - d * (K - 1) - 1) / s) + 1


@places.wrong("divide by //")
def _fraction(size, K, s, p, d):
    return (size + 2 * p - d * (K - 1) - 1) / s + 1


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
    for _ in range(3):
        C, C_out, K, H, W = sizes(rng, 5)
        shape = np.array([C_out, C, K, K])
        parameters, work = unpack(answer(shape, H, W), "the parameters", "the multiplications")
        weights = np.ones(shape).size
        known = {
            "the bias is missing: one for each output channel": weights,
            "an output channel has one bias, not one for each kernel": weights + C_out * C,
            "the bias belongs to the output channels": weights + C,
            "the kernels are shared by all places: H_out and W_out are not in the parameters": H
            * W
            * (weights + C_out),
            "each output channel has a kernel for every input channel": C_out * K**2 + C_out,
        }
        same(parameters, weights + C_out, "the number of parameters", known=known)
        known = {
            "adding the bias is no multiplication": (weights + C_out) * H * W,
            "every place is computed anew: H_out·W_out times": weights,
        }
        same(work, weights * H * W, "the number of multiplications", known=known)


@conv_costs.wrong("the bias is missing")
def _no_bias(shape, H_out, W_out):
    return np.prod(shape), np.prod(shape) * H_out * W_out


@conv_costs.wrong("the kernels are shared by all places")
def _not_shared(shape, H_out, W_out):
    return (np.prod(shape) + shape[0]) * H_out * W_out, np.prod(shape) * H_out * W_out


@conv_costs.wrong("a kernel for every input channel")
def _one_kernel(shape, H_out, W_out):
    C_out, _, K, _ = shape
    return C_out * K**2 + C_out, C_out * K**2 * H_out * W_out


@conv_costs.wrong("every place is computed anew")
def _one_place(shape, H_out, W_out):
    return np.prod(shape) + shape[0], np.prod(shape)


@conv_costs.wrong("adding the bias is no multiplication")
def _bias_multiplied(shape, H_out, W_out):
    parameters = np.prod(shape) + shape[0]
    return parameters, parameters * H_out * W_out


# ---------------------------------------------------------------- 05.3
@exercise(
    "05.3",
    hints=(
        "The map has H − K + 1 rows and W − K + 1 columns.",
        "At place (i, j) the window is x[i:i+K, j:j+K]: multiply it by w and add up.",
        "Or loop over the kernel only: y += w[m, n] * x[m:m+H_out, n:n+W_out].",
    ),
    why="y[i, j] = Σ w[m, n]·x[i + m, j + n]. Looping over the kernel's feet adds whole shifted "
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
    for K in (3, 2, 1):
        H, W = sizes(rng, 2)
        x, w = rng.normal(size=(H + 2, W + 2)), rng.normal(size=(K, K))
        windows = _windows(x, K)
        padded = _windows(np.pad(x, (K - 1) // 2), K) if K % 2 else windows
        known = {
            "the kernel is turned by 180°: that is the convolution of mathematics, a layer "
            "does not turn it": np.einsum("ijmn,mn->ij", windows, w[::-1, ::-1]),
            "the kernel is transposed: row m of the kernel goes with row i + m": np.einsum(
                "ijmn,nm->ij", windows, w
            ),
            "the image is padded here: only places where the whole kernel fits count": np.einsum(
                "ijmn,mn->ij", padded, w
            ),
            "this is a mean: add the products, do not divide": np.einsum("ijmn,mn->ij", windows, w)
            / K**2,
        }
        expected = np.einsum("ijmn,mn->ij", windows, w)
        same(answer(x, w), expected, "the feature map", known=known)


@cross_correlate.wrong("the kernel is turned by 180°")
def _turned(x, w):
    return np.einsum("ijmn,mn->ij", _windows(x, len(w)), w[::-1, ::-1])


@cross_correlate.wrong("the kernel is transposed")
def _transposed(x, w):
    return np.einsum("ijmn,nm->ij", _windows(x, len(w)), w)


@cross_correlate.wrong("the image is padded here")
def _padded(x, w):
    return np.einsum("ijmn,mn->ij", _windows(np.pad(x, (len(w) - 1) // 2), len(w)), w)


@cross_correlate.wrong("must have shape")
def _last_missing(x, w):
    return np.einsum("ijmn,mn->ij", _windows(x, len(w)), w)[:-1, :-1]


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
    for _ in range(3):
        C, C_out, H, W = sizes(rng, 4)
        x, w = rng.normal(size=(C, H, W)), rng.normal(size=(C_out, C, 3, 3))
        b = rng.normal(size=C_out)
        parts = np.array(
            [[np.einsum("ijmn,mn->ij", _windows(x[k], 3), w[c, k]) for k in range(C)]
             for c in range(C_out)]
        )  # fmt: skip
        bias = b[:, None, None]
        z = parts.sum(axis=1) + bias
        known = {
            "the ReLU is missing": z,
            "the bend comes too early: first the sum over the channels, then the ReLU": np.maximum(
                parts, 0
            ).sum(axis=1)
            + bias,
            "the bend comes too early: the bias belongs inside the ReLU": np.maximum(z - bias, 0)
            + bias,
            "the bias is missing": np.maximum(z - bias, 0),
            f"the bias is added C = {C} times: once an output channel": np.maximum(
                z + (C - 1) * bias, 0
            ),
            "only the first input channel is read: sum over all of them": np.maximum(
                parts[:, 0] + bias, 0
            ),
        }
        same(answer(x, w, b), np.maximum(z, 0), "the output", known=known)


def _convolved(x, w):
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], axis=(1, 2))
    return np.einsum("kijmn,ckmn->ckij", windows, w)


@conv_layer.wrong("first the sum over the channels")
def _early_bend(x, w, b):
    return np.maximum(_convolved(x, w), 0).sum(axis=1) + b[:, None, None]


@conv_layer.wrong("the ReLU is missing")
def _no_bend(x, w, b):
    return _convolved(x, w).sum(axis=1) + b[:, None, None]


@conv_layer.wrong("the bias belongs inside the ReLU")
def _late_bias(x, w, b):
    return np.maximum(_convolved(x, w).sum(axis=1), 0) + b[:, None, None]


@conv_layer.wrong("the bias is added C =")
def _bias_in_every_channel(x, w, b):
    return np.maximum((_convolved(x, w) + b[:, None, None, None]).sum(axis=1), 0)


# ---------------------------------------------------------------- 05.5
@exercise(
    "05.5",
    hints=(
        "Row (m, n) of X holds what foot (m, n) meets on its way: x[m::s, n::s], cut to H′ × W′.",
        "The foot's last pixel is m + s·(H′ − 1), so the slice is m : m + s·(H′ − 1) + 1 : s.",
        "Fill an array (K, K, H′, W′) slice by slice and reshape it at the end.",
    ),
    why="Indexed (m, n, i, j), the array holds x[m + s·i, n + s·j]; reshaping the first two and "
    "the last two axes gives feet × places.",
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
    for K, s in ((2, 1), (3, 1), (3, 2), (2, 3)):
        H, W = sizes(rng, 2)
        x = rng.normal(size=(H + 5, W + 4))
        windows = _windows(x, K, s)
        expected = windows.reshape(-1, K * K).T
        known = {
            "it is reshaped without moving the axes: rows must be feet, columns places": (
                windows.reshape(K * K, -1)
            ),
            "a row for each place and a column for each foot: transpose it": expected.T,
            "the stride is missing: the window moves by s": _windows(x, K).reshape(-1, K * K).T,
            "the feet run down the columns first: reading order is row by row": windows.transpose(
                0, 1, 3, 2
            )
            .reshape(-1, K * K)
            .T,
        }
        same(answer(x, K, s), expected, f"X for K = {K}, s = {s}", known=known)


@columns.wrong("a row for each place")
def _places_first(x, K, s):
    return _windows(x, K, s).reshape(-1, K * K)


@columns.wrong("reshaped without moving the axes")
def _only_reshaped(x, K, s):
    return _windows(x, K, s).reshape(K * K, -1)


@columns.wrong("the stride is missing")
def _no_stride(x, K, s):
    return _windows(x, K).reshape(-1, K * K).T


@columns.wrong("the feet run down the columns first")
def _feet_transposed(x, K, s):
    return _windows(x, K, s).transpose(0, 1, 3, 2).reshape(-1, K * K).T


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
    for ties in (False, True, True):
        h, v = sizes(rng, 2)
        x, g = rng.normal(size=(2 * h, 2 * v)), rng.normal(size=(h, v))
        if ties:
            x = np.maximum(np.round(x), 0)
        blocks = x.reshape(h, 2, v, 2)
        wins = blocks == blocks.max(axis=(1, 3), keepdims=True)
        first = np.zeros_like(wins)
        for i, j in np.ndindex(h, v):
            m, n = np.argwhere(wins[i, :, j])[0]
            first[i, m, j, n] = True
        upstream = g[:, None, :, None]
        expected = (first * upstream).reshape(x.shape)
        count = wins.sum(axis=(1, 3), keepdims=True)
        known = {
            "every winner of a tie gets the whole gradient: only the first one does": (
                wins * upstream
            ).reshape(x.shape),
            "a tie shares the gradient: here the first pixel takes all": (
                wins * upstream / count
            ).reshape(x.shape),
            "all four pixels share it: that is the mean's gradient, not the maximum's": np.repeat(
                np.repeat(g, 2, 0), 2, 1
            )
            / 4,
            "the winner receives 1: multiply by the upstream gradient g": first.reshape(x.shape),
        }
        known = {m: v for m, v in known.items() if not np.allclose(v, expected)}
        same(answer(x, g), expected, "∂L/∂x", known=known)


@max_pool_gradient.wrong("only the first one does")
def _all_winners(x, g):
    h, v = g.shape
    blocks = x.reshape(h, 2, v, 2)
    wins = blocks == blocks.max(axis=(1, 3), keepdims=True)
    return (wins * g[:, None, :, None]).reshape(x.shape)


@max_pool_gradient.wrong("here the first pixel takes all")
def _shared(x, g):
    h, v = g.shape
    blocks = x.reshape(h, 2, v, 2)
    wins = blocks == blocks.max(axis=(1, 3), keepdims=True)
    return (wins / wins.sum(axis=(1, 3), keepdims=True) * g[:, None, :, None]).reshape(x.shape)


@max_pool_gradient.wrong("that is the mean's gradient")
def _mean(x, g):
    return np.repeat(np.repeat(g, 2, 0), 2, 1) / 4


@max_pool_gradient.wrong("multiply by the upstream gradient")
def _winners_only(x, g):
    return 1.0 * (max_pool_gradient.reference(x, np.ones_like(g)) > 0)


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
    for K in (3, 2, 4):
        H, W = (side + 3 for side in sizes(rng, 2))
        x, g = rng.normal(size=(H, W)), rng.normal(size=(H - K + 1, W - K + 1))
        # y is linear in w: its gradient is g against the map of each unit kernel
        expected = np.array(
            [[(g * x[m : m + g.shape[0], n : n + g.shape[1]]).sum() for n in range(K)]
             for m in range(K)]
        )  # fmt: skip
        known = {
            "it is turned by 180°: g is not flipped here": expected[::-1, ::-1],
            "this is a mean over the places: each of them adds its share": expected / g.size,
            "the upstream gradient is missing: weigh each window with g": np.array(
                [[x[m : m + g.shape[0], n : n + g.shape[1]].sum() for n in range(K)]
                 for m in range(K)]
            ),
        }  # fmt: skip
        same(answer(x, g), expected, "∂L/∂w", known=known)


@kernel_gradient.wrong("turned by 180°")
def _turned_gradient(x, g):
    return kernel_gradient.reference(x, g)[::-1, ::-1]


@kernel_gradient.wrong("a mean over the places")
def _mean_gradient(x, g):
    return kernel_gradient.reference(x, g) / g.size


@kernel_gradient.wrong("the upstream gradient is missing")
def _no_upstream(x, g):
    return kernel_gradient.reference(x, np.ones_like(g))


@kernel_gradient.wrong("∂L/∂w is transposed")
def _transposed_gradient(x, g):
    return kernel_gradient.reference(x, g).T


# ---------------------------------------------------------------- 05.8
@exercise(
    "05.8",
    hints=(
        "Each g[i, j] goes back to the K × K pixels that made y[i, j], times their weights.",
        "So it stamps w·g[i, j] onto x[i:i+K, j:j+K]; overlapping stamps add up.",
        "H = H′ + K − 1. Loop over the kernel's feet: dx[m:m+H′, n:n+W′] += w[m, n] * g.",
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
    for K in (3, 2, 4):
        h, v = sizes(rng, 2)
        w, g = rng.normal(size=(K, K)), rng.normal(size=(h, v))
        wide = np.pad(g, K - 1)
        expected = np.einsum("ijmn,mn->ij", _windows(wide, K), w[::-1, ::-1])
        last = np.zeros_like(expected)
        for i, j in np.ndindex(h, v):
            last[i : i + K, j : j + K] = w * g[i, j]
        known = {
            "the kernel is not turned: on the padded g it must be, by 180°": np.einsum(
                "ijmn,mn->ij", _windows(wide, K), w
            ),
            "a stamp overwrites the ones before it: overlapping stamps add up": last,
            "the kernel is transposed": np.einsum("ijmn,nm->ij", _windows(wide, K), w[::-1, ::-1]),
        }
        same(answer(w, g), expected, "∂L/∂x", known=known)


@image_gradient.wrong("the kernel is not turned")
def _not_turned(w, g):
    return np.einsum("ijmn,mn->ij", _windows(np.pad(g, len(w) - 1), len(w)), w)


@image_gradient.wrong("overlapping stamps add up")
def _overwriting(w, g):
    K = len(w)
    dx = np.zeros((g.shape[0] + K - 1, g.shape[1] + K - 1))
    for i, j in np.ndindex(g.shape):
        dx[i : i + K, j : j + K] = w * g[i, j]
    return dx


@image_gradient.wrong("∂L/∂x must have shape")
def _too_small(w, g):
    return np.einsum("ijmn,mn->ij", _windows(g, 2), w[:2, :2])


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
    for depth in (1, 2, 3, 4, 6):
        layers = np.stack(
            [rng.integers(2, 6, depth), rng.integers(1, 4, depth), rng.integers(1, 4, depth)], 1
        )
        if depth == 2:
            layers[:, 2], layers[0, 1] = 1, 2
        # backward: a number needs s·(side − 1) + d·(K − 1) + 1 of the map before
        side = 1
        for K, s, d in layers[::-1].tolist():
            side = s * (side - 1) + d * (K - 1) + 1
        strides = layers[:, 1]
        before, after = np.cumprod([1, *strides[:-1]]), np.cumprod(strides)
        K, d = layers[:, 0], layers[:, 2]
        known = {
            "a stride widens only the layers behind it, not its own: first r, then j": 1
            + int((d * (K - 1) * after).sum()),
            "the strides are missing: behind a stride of s a neighbor is s pixels away": 1
            + int((d * (K - 1)).sum()),
            "dilation is missing: the kernel spans d·(K − 1) + 1": 1
            + int(((K - 1) * before).sum()),
            "the field grows by d·(K − 1)·j, not by K: neighbors overlap": 1
            + int((d * K * before).sum()),
            "it starts at r = 1: a pixel sees itself": side - 1,
        }
        known = {message: value for message, value in known.items() if value != side}
        same(answer(layers), side, f"the field of {layers.tolist()}", known=known)


def _summed(layers, kernel, late=False):
    strides = np.array(layers)[:, 1]
    j = np.cumprod(strides) if late else np.cumprod([1, *strides[:-1]])
    return 1 + int((kernel * j).sum())


@field.wrong("first r, then j")
def _stride_first(layers):
    return _summed(layers, layers[:, 2] * (layers[:, 0] - 1), late=True)


@field.wrong("the strides are missing")
def _no_strides(layers):
    return 1 + int((layers[:, 2] * (layers[:, 0] - 1)).sum())


@field.wrong("dilation is missing")
def _field_without_dilation(layers):
    return _summed(layers, layers[:, 0] - 1)


@field.wrong("a pixel sees itself")
def _from_zero(layers):
    return field.reference(layers) - 1


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
    w = numbers(answer, "the kernel", (3, 3)).astype(float)
    if not w.any():
        raise Wrong("all weights are 0: it answers nothing to a dot either")
    scale = np.abs(w).max()
    i, j = np.mgrid[:3, :3]
    if abs(w.sum()) > 1e-9 * scale:
        raise Wrong(
            f"on a constant image it answers {show(w.sum())} times the gray: the weights must sum "
            "to 0"
        )
    for name, ramp in (("downward", i), ("to the right", j)):
        if abs((w * ramp).sum()) > 1e-9 * scale:
            raise Wrong(f"on a slope that rises {name} it answers {show((w * ramp).sum())}, not 0")
    if w[1, 1] <= 0:
        raise Wrong(
            f"on a bright dot beneath its middle it answers {show(w[1, 1])}: this must be above 0"
        )
    if not np.allclose(np.rot90(w), w, rtol=1e-9, atol=1e-9 * scale):
        raise Wrong("turned by 90° it is another kernel: treat all four directions alike")


@dot_kernel.wrong("the weights must sum to 0")
def _sum_left():
    return np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]])


@dot_kernel.wrong("on a slope that rises to the right")
def _sobel():
    return np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]])


@dot_kernel.wrong("this must be above 0")
def _laplace():
    return np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])


@dot_kernel.wrong("treat all four directions alike")
def _one_direction():
    return np.array([[0, -1, 0], [0, 2, 0], [0, -1, 0]])


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
    if sizes[1] > 1e-9 * sizes[0]:
        return None, None
    return sizes[0] * U[:, 0], V[0]


@split.check
def _(answer, rng):
    for K, kind in itertools.product((3, 5), ("outer", "plain", "zeros", "almost")):
        u, v = rng.normal(size=K), rng.normal(size=K)
        if kind == "zeros":
            u[0], v[0] = 0, 0
        w = np.outer(u, v)
        if kind == "plain":
            w = rng.normal(size=(K, K))
        elif kind == "almost":
            w[-1, -1] += 0.3
        ours = unpack(answer(w), "u", "v")
        if kind in ("plain", "almost"):
            if any(part is not None for part in ours):
                raise Wrong("this kernel cannot be split, its rank is above 1: return None, None")
            continue
        if any(part is None for part in ours):
            where = " although its first row is 0" if kind == "zeros" else ""
            raise Wrong(f"this kernel can be split, its rank is 1{where}")
        got_u, got_v = (numbers(p, n, (K,)) for p, n in zip(ours, "uv", strict=True))
        known = {"u and v are swapped: w = u vᵀ has u along its rows' axis": w.T}
        same(np.outer(got_u, got_v), w, "u vᵀ", known=known)


@split.wrong("its rank is above 1")
def _always(w):
    U, sizes, V = np.linalg.svd(w)
    return sizes[0] * U[:, 0], V[0]


@split.wrong("u and v are swapped")
def _swapped(w):
    u, v = split.reference(w)
    return v, u


@split.wrong("u vᵀ is")
def _no_size(w):
    u, v = split.reference(w)
    return (None, None) if u is None else (u / np.linalg.norm(u), v)


@split.wrong("this kernel can be split")
def _exact(w):
    return (None, None) if np.linalg.det(w) != 0 or w[0, 0] == 0 else split.reference(w)
