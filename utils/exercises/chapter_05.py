"""Exercises of chapter 05, Convolution."""

from __future__ import annotations

import itertools

import numpy as np

from utils.exercises._agree import agree
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
    for i in range(25):
        size = rng.integers(20, 40, 2)
        low, high = ([2, 2, 1, 2], [6, 5, 4, 4]) if i < 5 else ([1, 1, 0, 1], [5, 5, 5, 5])
        K, s, p, d = rng.integers(low, high).tolist()
        axes = [range(-p, side + p) for side in size.tolist()]  # each place is tried
        count = [sum(start + d * (K - 1) in axis for start in axis[::s]) for axis in axes]
        agree(answer, (size, K, s, p, d), count, "(H′, W′)", quote="all")


@places.mistakes
def _(size, K, s, p, d):
    last = size + 2 * p - d * (K - 1) - 1
    return {
        "the start at 0 counts too: + 1 after the floor": last // s,
        "the padding is on both sides: 2p": (last - p) // s + 1,
        "dilation is missing: the kernel spans d·(K − 1) + 1 pixels": (size + 2 * p - K) // s + 1,
        "the kernel spans d·(K − 1) + 1 pixels, not d·K": (size + 2 * p - d * K) // s + 1,
        "a place where the kernel does not fit is counted: round down": np.ceil(last / s) + 1,
        "divide by // so that the numbers are whole": last / s + 1,
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
    for _ in range(3):
        C, C_out, K, H, W = sizes(rng, 5)
        shape = np.array([C_out, C, K, K])
        kernels = np.ones(shape)
        expected = {
            "the number of parameters": kernels.size + len(kernels),
            "the number of multiplications": kernels.size * H * W,
        }
        agree(answer, (shape, H, W), expected)


@conv_costs.mistakes
def _(shape, H_out, W_out):
    C_out, C, K, _ = shape
    weights, one, places = C_out * C * K**2, C_out * K**2, H_out * W_out
    return {
        "the bias is missing: one for each output channel": (weights, ...),
        "an output channel has one bias, not one for each kernel": (weights + C_out * C, ...),
        "the bias belongs to the output channels": (weights + C, ...),
        "the kernels are shared by all places: H_out and W_out are not in the parameters": (
            (weights + C_out) * places,
            ...,
        ),
        "each output channel has a kernel for every input channel": (one + C_out, one * places),
        "adding the bias is no multiplication": (..., (weights + C_out) * places),
        "every place is computed anew: H_out·W_out times": (..., weights),
    }


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
        expected = np.einsum("ijmn,mn->ij", _windows(x, K), w)
        agree(answer, (x, w), expected, "the feature map")


@cross_correlate.mistakes
def _(x, w):
    K, correlate = len(w), cross_correlate.reference
    return {
        "the kernel is turned by 180°: that is the convolution of mathematics, a layer does not "
        "turn it": correlate(x, w[::-1, ::-1]),
        "the kernel is transposed: row m of the kernel goes with row i + m": correlate(x, w.T),
        "the image is padded here: only places where the whole kernel fits count": (
            correlate(np.pad(x, (K - 1) // 2), w)
        ),
        "this is a mean: add the products, do not divide": correlate(x, w) / K**2,
    }


cross_correlate.wrongs({"must have shape": lambda x, w: cross_correlate.reference(x, w)[:-1, :-1]})


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
        z = [
            sum(np.einsum("ijmn,mn->ij", _windows(x[k], 3), w[c, k]) for k in range(C)) + b[c]
            for c in range(C_out)
        ]
        agree(answer, (x, w, b), np.maximum(z, 0), "the output")


@conv_layer.mistakes
def _(x, w, b):
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], axis=(1, 2))
    parts, bias = np.einsum("kijmn,ckmn->ckij", windows, w), b[:, None, None]
    z = parts.sum(axis=1)
    return {
        "the ReLU is missing": z + bias,
        "the bend comes too early: first the sum over the channels, then the ReLU": (
            np.maximum(parts, 0).sum(axis=1) + bias
        ),
        "the bend comes too early: the bias belongs inside the ReLU": np.maximum(z, 0) + bias,
        "the bias is missing": np.maximum(z, 0),
        "the bias is added C times: once an output channel": np.maximum(z + len(x) * bias, 0),
        "only the first input channel is read: sum over all of them": (
            np.maximum(parts[:, 0] + bias, 0)
        ),
    }


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
        expected = _windows(x, K, s).reshape(-1, K * K).T
        agree(answer, (x, K, s), expected, f"X for K = {K}, s = {s}")


@columns.mistakes
def _(x, K, s):
    X = columns.reference(x, K, s)
    return {
        "it is reshaped without moving the axes: rows must be feet, columns places": (
            X.T.reshape(X.shape)
        ),
        "a row for each place and a column for each foot: transpose it": X.T,
        "the stride is missing: the window moves by s": columns.reference(x, K, 1),
        "the feet run down the columns first: reading order is row by row": (
            X.reshape(K, K, -1).swapaxes(0, 1).reshape(X.shape)
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
    for ties in (False, True, True):
        h, v = sizes(rng, 2)
        x, g = rng.normal(size=(2 * h, 2 * v)), rng.normal(size=(h, v))
        if ties:
            x = np.maximum(np.round(x), 0)
        blocks, expected = x.reshape(h, 2, v, 2), np.zeros((h, 2, v, 2))
        for i, j in np.ndindex(h, v):
            m, n = np.argwhere(blocks[i, :, j] == blocks[i, :, j].max())[0]
            expected[i, m, j, n] = g[i, j]
        agree(answer, (x, g), expected.reshape(x.shape), "∂L/∂x")


@max_pool_gradient.mistakes
def _(x, g):
    h, v = g.shape
    blocks, upstream = x.reshape(h, 2, v, 2), g[:, None, :, None]
    wins = blocks == blocks.max(axis=(1, 3), keepdims=True)
    count = wins.sum(axis=(1, 3), keepdims=True)
    return {
        "every winner of a tie gets the whole gradient: only the first one does": (
            (wins * upstream).reshape(x.shape)
        ),
        "a tie shares the gradient: here the first pixel takes all": (
            (wins * upstream / count).reshape(x.shape)
        ),
        "all four pixels share it: that is the mean's gradient, not the maximum's": (
            np.kron(g, np.full((2, 2), 0.25))
        ),
        "the winner receives 1: multiply by the upstream gradient g": (
            max_pool_gradient.reference(x, np.ones_like(g))
        ),
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
    for K in (3, 2, 4):
        H, W = (side + 3 for side in sizes(rng, 2))
        x, g = rng.normal(size=(H, W)), rng.normal(size=(H - K + 1, W - K + 1))
        # y is linear in w: its gradient is g against the map of each unit kernel
        expected = np.zeros((K, K))
        for m, n in np.ndindex(K, K):
            expected[m, n] = (g * x[m : m + g.shape[0], n : n + g.shape[1]]).sum()
        agree(answer, (x, g), expected, "∂L/∂w")


@kernel_gradient.mistakes
def _(x, g):
    dw = kernel_gradient.reference(x, g)
    return {
        "it is turned by 180°: g is not flipped here": dw[::-1, ::-1],
        "this is a mean over the places: each of them adds its share": dw / g.size,
        "the upstream gradient is missing: weigh each window with g": (
            kernel_gradient.reference(x, np.ones_like(g))
        ),
    }


kernel_gradient.wrongs({"∂L/∂w is transposed": lambda x, g: kernel_gradient.reference(x, g).T})


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
        w, g = rng.normal(size=(K, K)), rng.normal(size=sizes(rng, 2))
        windows = _windows(np.pad(g, K - 1), K)
        agree(answer, (w, g), np.einsum("ijmn,mn->ij", windows, w[::-1, ::-1]), "∂L/∂x")


@image_gradient.mistakes
def _(w, g):
    return {
        "the kernel is not turned: on the padded g it must be, by 180°": (
            image_gradient.reference(w[::-1, ::-1], g)
        ),
        "the kernel is transposed": image_gradient.reference(w.T, g),
    }


@image_gradient.mistake("a stamp overwrites the ones before it: overlapping stamps add up")
def _overwriting(w, g):
    K = len(w)
    dx = np.zeros((g.shape[0] + K - 1, g.shape[1] + K - 1))
    for i, j in np.ndindex(g.shape):
        dx[i : i + K, j : j + K] = w * g[i, j]
    return dx


image_gradient.wrongs(
    {"∂L/∂x must have shape": lambda w, g: image_gradient.reference(w, g)[1:-1, 1:-1]}
)


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
        layers = np.stack([rng.integers(2 - k, 6 - 2 * k, depth) for k in (0, 1, 1)], axis=1)
        if depth == 2:
            layers[:, 2], layers[0, 1] = 1, 2
        # backward: a number needs s·(side − 1) + d·(K − 1) + 1 of the map before
        side = 1
        for K, s, d in layers[::-1].tolist():
            side = s * (side - 1) + d * (K - 1) + 1
        agree(answer, (layers,), side, "the field", quote="all")


@field.mistakes
def _(layers):
    K, s, d = layers.T
    after = np.cumprod(s)
    j = after // s
    return {
        "a stride widens only the layers behind it, not its own: first r, then j": (
            1 + (d * (K - 1) * after).sum()
        ),
        "the strides are missing: behind a stride of s a neighbor is s pixels away": (
            1 + (d * (K - 1)).sum()
        ),
        "dilation is missing: the kernel spans d·(K − 1) + 1": 1 + ((K - 1) * j).sum(),
        "the field grows by d·(K − 1)·j, not by K: neighbors overlap": 1 + (d * K * j).sum(),
        "it starts at r = 1: a pixel sees itself": (d * (K - 1) * j).sum(),
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


dot_kernel.wrongs(
    {
        "all weights are 0": np.zeros((3, 3)),
        "the weights must sum to 0": np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
        "on a slope that rises to the right": np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]]),
        "this must be above 0": np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]]),
        "treat all four directions alike": np.array([[0, -1, 0], [0, 2, 0], [0, -1, 0]]),
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
        got = np.outer(*(numbers(part, name, (K,)) for part, name in zip(ours, "uv", strict=True)))
        if np.allclose(got, w.T) and not np.allclose(got, w):
            raise Wrong("u and v are swapped: w = u vᵀ has u along its rows' axis")
        same(got, w, "u vᵀ")


def _largest_part(w):
    U, sizes, V = np.linalg.svd(w)
    return sizes[0] * U[:, 0], V[0]


def _normalized(u, v):
    return (u, v) if u is None else (u / np.linalg.norm(u), v)


split.wrongs(
    {
        "its rank is above 1": _largest_part,
        "u and v are swapped": lambda w: split.reference(w)[::-1],
        "u vᵀ is": lambda w: _normalized(*split.reference(w)),
        "this kernel can be split": lambda w: (
            (None, None) if np.linalg.det(w) != 0 or w[0, 0] == 0 else split.reference(w)
        ),
    }
)
