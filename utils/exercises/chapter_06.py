"""Exercises of chapter 06, Modern CNNs."""

from __future__ import annotations

import numpy as np

from utils.exercises._agree import agree
from utils.exercises._compare import Wrong, numbers, sizes
from utils.exercises._exercise import exercise


# ---------------------------------------------------------------- 06.1
@exercise(
    "06.1",
    hints=(
        "Which of the four axes runs from left to right?",
        "The last one. A slice with step −1 walks an axis backwards.",
        "`x[..., ::-1]` reverses the last axis and leaves the others.",
    ),
    why="Columns are the last axis of (N, C, H, W); reversing it swaps left and right of every "
    "channel of every image at once.",
)
def mirror(x):
    """Mirror images (N, C, H, W) left to right."""
    return x[..., ::-1]


@mirror.check
def _(answer, rng):
    for _ in range(2):
        x = rng.normal(size=sizes(rng, 4))
        agree(answer, (x,), np.flip(x, 3), "the mirror image")


@mirror.mistakes
def _(x):
    return {
        "the images stand on their heads: reverse the columns, not the rows": x[:, :, ::-1],
        "the images are turned by 180°: reverse the columns only": x[:, :, ::-1, ::-1],
        "the order of the images is reversed: reverse the columns": x[::-1],
        "the channels are reversed, red for blue: reverse the columns": x[:, ::-1],
        "nothing is mirrored": x,
    }


# ---------------------------------------------------------------- 06.2
@exercise(
    "06.2",
    hints=(
        "Start with the one-hot targets: `np.eye(K)[t]`.",
        "Keep the share 1 − eps of them. What is left, eps, is spread over all K classes.",
        "Each class gets eps/K more, the right one too.",
    ),
    why="q = (1 − ε)·onehot + ε/K sums to 1: the share ε that is taken from the label comes back "
    "in K equal parts.",
)
def smooth(t, K, eps):
    """Targets (N, K) of labels t (N,), with the share eps given to all classes alike."""
    return np.eye(K)[t] * (1 - eps) + eps / K


@smooth.check
def _(answer, rng):
    for _ in range(2):
        n, K = sizes(rng, 2)
        t, eps = rng.integers(0, K, n), float(rng.uniform(0.05, 0.4))
        hot = (t[:, None] == np.arange(K)).astype(float)
        agree(answer, (t, K, eps), hot - eps * (hot - 1 / K), "q")


@smooth.mistakes
def _(t, K, eps):
    hot = np.eye(K)[t]
    return {
        "nothing is given away: these are the one-hot targets": hot,
        "each class gets eps: the share eps must be divided by K": hot * (1 - eps) + eps,
        "the label keeps all of its 1: take eps away first": hot + eps / K,
        "only the wrong classes get something; all K do, each eps/K": (
            np.where(hot == 1, 1 - eps, eps / (K - 1))
        ),
    }


# ---------------------------------------------------------------- 06.3
@exercise(
    "06.3",
    hints=(
        "Two lines. The rising one goes through (0, 0) and (peak, 1).",
        "The falling one goes through (peak, 1) and (steps, 0): (steps − t)/(steps − peak).",
        "Left of the peak the rising line is the lower one, right of it the falling one: "
        "`np.minimum`.",
    ),
    why="Both lines meet at the peak, where both are 1. On each side the line that applies is the "
    "lower one, so the schedule is their minimum.",
)
def cycle(t, peak, steps):
    """Factors of the step size at the steps t (N,): up to 1 at `peak`, down to 0 at `steps`."""
    return np.minimum(t / peak, (steps - t) / (steps - peak))


@cycle.check
def _(answer, rng):
    for _ in range(2):
        peak, rest = (int(n) for n in rng.integers(5, 40, 2))
        steps = peak + rest + 40
        t = np.concatenate([[0.0, peak, peak + 1, steps], rng.integers(0, steps, 4)])
        expected = np.interp(t, [0, peak, steps], [0, 1, 0])
        agree(answer, (t, peak, steps), expected, "the factor", quote="entry")


@cycle.mistakes
def _(t, peak, steps):
    up, down = t / peak, (steps - t) / (steps - peak)
    return {
        "it climbs for ever: after the peak it must fall": up,
        "there is no climb: before the peak it must rise from 0": np.minimum(down, 1),
        "the fall is too slow: it starts at the peak, so it takes steps − peak": (
            np.where(t <= peak, up, 1 - (t - peak) / steps)
        ),
        "it jumps at the peak: there the fall must start from 1": (
            np.where(t <= peak, up, 1 - t / steps)
        ),
    }


# ---------------------------------------------------------------- 06.4
@exercise(
    "06.4",
    hints=(
        "Begin with zeros (K, K). Each example adds 1 at one place: which row, which column?",
        "`counts[labels, answers] += 1` counts a pair that comes twice only once. Why?",
        "`np.add.at(counts, (labels, answers), 1)` adds for every pair, repeated ones too.",
    ),
    why="Entry (i, k) counts how often class i was called k. np.add.at repeats the addition where "
    "an index repeats; += with an index array writes the same result twice.",
)
def confusion(labels, answers, K):
    """Confusion matrix (K, K): true classes in rows, answers in columns."""
    counts = np.zeros((K, K), int)
    np.add.at(counts, (labels, answers), 1)
    return counts


@confusion.check
def _(answer, rng):
    for _ in range(2):
        K = sizes(rng, 1)[0]
        labels, answers = rng.integers(0, K, 200), rng.integers(0, K, 200)
        labels[:2], answers[:2] = (0, 0), (K - 1, K - 1)
        expected = np.zeros((K, K), int)
        for i, k in zip(labels, answers, strict=True):
            expected[i, k] += 1
        agree(answer, (labels, answers, K), expected, "the matrix")


@confusion.mistakes
def _(labels, answers, K):
    counts = confusion.reference(labels, answers, K)
    return {
        "each pair counts once only: += with index arrays forgets repetitions; see np.add.at": (
            counts > 0
        ),
        "true classes belong into the rows, answers into the columns": counts.T,
        "these are shares: count the examples": (
            counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        ),
        "only the right answers are counted": np.diag(counts.diagonal()),
    }


# ---------------------------------------------------------------- 06.5
@exercise(
    "06.5",
    hints=(
        "A 3 × 3 convolution from a to b channels without bias has 9·a·b parameters.",
        "A batch normalization of b channels learns 2·b: a gain and a shift for each.",
        "First convolution channels → out, second out → out; the shortcut adds channels·out + "
        "2·out where the two differ.",
    ),
    why="9·C·C′ + 9·C′² + 4·C′ on the main path. The running mean and variance are measured, not "
    "learned, so they are no parameters.",
)
def block_parameters(shape):
    """Number of parameters of a residual block; shape is the array (channels, out)."""
    channels, out = shape
    main = 9 * channels * out + 9 * out * out + 4 * out
    shortcut = channels * out + 2 * out if channels != out else 0
    return main + shortcut


@block_parameters.check
def _(answer, rng):
    a, b = sizes(rng, 2)
    for channels, out in ((a, b), (b, b)):
        expected = 9 * out * (channels + out) + 4 * out + (channels + 2) * out * (channels != out)
        what = f"the number from {channels} to {out} channels"
        agree(answer, (np.array([channels, out]),), expected, what)


@block_parameters.mistakes
def _(shape):
    channels, out = shape
    kernels, is_new = 9 * out * (channels + out), channels != out
    shortcut = (channels + 2) * out
    return {
        "the normalizations are missing: each learns a gain and a shift": (
            kernels + channels * out * is_new
        ),
        "the shortcut is missing: where channels change it is a 1 × 1 convolution": (
            kernels + 4 * out
        ),
        "running mean and variance are measured, not learned: they are no parameters": (
            kernels + 8 * out + (shortcut + 2 * out) * is_new
        ),
        "the convolutions have no bias": kernels + 6 * out + (shortcut + out) * is_new,
        "where channels stay, the shortcut is the identity and costs nothing": (
            kernels + 4 * out + shortcut
        ),
    }


# ---------------------------------------------------------------- 06.6
@exercise(
    "06.6",
    hints=(
        "Compute the covariance Σ of the columns: `np.cov(u.T)`.",
        "`np.linalg.eigh` gives Λ and Q with Σ = QΛQᵀ; the eigenvectors are the columns of Q.",
        "V = Λ^(−1/2) Qᵀ: each row of Qᵀ divided by the root of its eigenvalue.",
    ),
    why="cov(Vu) = VΣVᵀ = Λ^(−1/2) QᵀQ Λ QᵀQ Λ^(−1/2) = I. Any rotation of V whitens as well.",
)
def whitening(u):
    """A matrix V (D, D) that whitens u (N, D): cov of u @ V.T is the identity."""
    variances, Q = np.linalg.eigh(np.cov(u.T))
    return (Q / np.sqrt(variances)).T


@whitening.check
def _(answer, rng):
    for _ in range(2):
        d = sizes(rng, 1)[0]
        # variances far apart: no wrong power of Λ looks right
        u = rng.normal(size=(400, d)) * np.linspace(1.5, 4, d)
        u = u @ np.linalg.qr(rng.normal(size=(d, d)))[0] + rng.normal(size=d)
        V = numbers(answer(u), "V", (d, d))
        got = V @ np.cov(u.T) @ V.T
        if np.allclose(got, np.eye(d), atol=1e-6):
            continue
        if np.allclose(V.T @ np.cov(u.T) @ V, np.eye(d), atol=1e-6):
            raise Wrong("V is transposed: its rows, not its columns, must be the directions")
        if np.allclose(got, np.diag(np.diag(got)), atol=1e-6):
            variances = np.diag(got)
            if np.allclose(np.sort(variances), np.linalg.eigvalsh(np.cov(u.T))):
                raise Wrong("uncorrelated, but the variances are as before: divide by their roots")
            raise Wrong(f"uncorrelated, but the first variance is {variances[0]:.4g}, not 1")
        if np.allclose(np.diag(got), 1, atol=1e-6):
            raise Wrong(
                "the variances are 1, but the columns are still correlated: turn them first"
            )
        raise Wrong("the covariance of u @ V.T must be the identity, and it is not")


whitening.wrongs(
    {
        "uncorrelated, but the variances are as before": lambda u: np.linalg.eigh(np.cov(u.T))[1].T,
        "still correlated": lambda u: np.diag(1 / u.std(axis=0, ddof=1)),
        "V is transposed": lambda u: whitening.reference(u).T,
        "uncorrelated, but the first variance is": lambda u: (
            whitening.reference(u) / np.sqrt(np.linalg.eigvalsh(np.cov(u.T)))[:, None]
        ),
        "the identity, and it is not": lambda u: np.eye(u.shape[1]),
    }
)


# ---------------------------------------------------------------- 06.7
@exercise(
    "06.7",
    hints=(
        "First one number for each drawing: the share of its images that are right.",
        "`np.unique(drawing)` lists the G drawings; a mask `drawing == g` picks the images of one.",
        "Standard deviation of the G averages with ddof=1, divided by √G.",
    ),
    why="The drawings are the independent draws. Their averages scatter by what differs from "
    "drawing to drawing, and the mean of G of them scatters √G times less.",
)
def error_by_drawing(right, drawing):
    """Standard error of the accuracy when images of one drawing are no independent examples."""
    averages = [right[drawing == g].mean() for g in np.unique(drawing)]
    return np.std(averages, ddof=1) / np.sqrt(len(averages))


@error_by_drawing.check
def _(answer, rng):
    for groups in (sizes(rng, 1)[0] + 3, 12):
        drawing = 5 + 3 * rng.permutation(np.repeat(np.arange(groups), 15))  # numbers with gaps
        ease = rng.uniform(0.1, 1, groups)
        right = 1.0 * (rng.random(len(drawing)) < ease[(drawing - 5) // 3])
        total, count = np.zeros(groups), np.zeros(groups)
        np.add.at(total, (drawing - 5) // 3, right)
        np.add.at(count, (drawing - 5) // 3, 1)
        shares = total / count
        expected = np.sqrt(((shares - shares.mean()) ** 2).sum() / (groups - 1) / groups)
        agree(answer, (right, drawing), expected, "the error")


@error_by_drawing.mistakes
def _(right, drawing):
    averages = [right[drawing == g].mean() for g in np.unique(drawing)]
    scatter, n = np.std(averages, ddof=1), len(right)
    return {
        "images of one drawing are taken for independent: average each drawing first": (
            np.sqrt(right.mean() * (1 - right.mean()) / n)
        ),
        "that is the scatter of single drawings: divide it by √G": scatter,
        "divide by G − 1, not by G, inside the standard deviation (ddof=1)": (
            np.std(averages) / np.sqrt(len(averages))
        ),
        "divide by the root of the number of drawings, not of images": scatter / np.sqrt(n),
    }


# ---------------------------------------------------------------- 06.8
@exercise(
    "06.8",
    hints=(
        "Two paths lead from x to y. The gradient is the sum over both.",
        "The shortcut passes g on unchanged. On the other path go backwards: A2ᵀ, the bend, A1ᵀ.",
        "The bend lets through where A1 @ x > 0.",
    ),
    why="∂L/∂x = g + A1ᵀ(1[A1x > 0] ⊙ A2ᵀg). The first term is the path on which nothing is "
    "multiplied.",
)
def residual_gradient(x, A1, A2, g):
    """Gradient (D,) by x of a residual block y = x + A2 ReLU(A1 x)."""
    return g + A1.T @ ((A1 @ x > 0) * (A2.T @ g))


@residual_gradient.check
def _(answer, rng):
    for _ in range(2):
        d, h = sizes(rng, 2)
        h += 8
        x, g = rng.normal(size=d), rng.normal(size=d)
        A1, A2 = rng.normal(size=(h, d)), rng.normal(size=(d, h))
        through = np.einsum("i,ij,j,jk->k", g, A2, (A1 @ x > 0).astype(float), A1)
        agree(answer, (x, A1, A2, g), g + through, "∂L/∂x")


@residual_gradient.mistakes
def _(x, A1, A2, g):
    through = A1.T @ ((A1 @ x > 0) * (A2.T @ g))
    return {
        "the shortcut is missing: y also depends on x directly": through,
        "the bend is missing: it lets the gradient through only where A1 @ x > 0": (
            g + A1.T @ (A2.T @ g)
        ),
        "only the shortcut is there: add the path through A1 and A2": g,
        "the shortcut passes the gradient g on, not x": x + through,
    }


# ---------------------------------------------------------------- 06.9
@exercise(
    "06.9",
    hints=(
        "For one channel the normalization is the line gain·(y − mean)/√(var + eps) + shift.",
        "Write it as s·y + b with s = gain/√(var + eps). Which b?",
        "b = shift − s·mean. And s·y is what the kernels times s give: each channel c of w times "
        "s[c].",
    ),
    why="A convolution without bias is linear in its kernels, so s·(w ∗ x) = (s·w) ∗ x. The line's "
    "slope goes into the kernels, the rest into the bias. Libraries do this before they deploy.",
)
def fold(w, gain, shift, mean, var, eps):
    """Kernels and bias of the one convolution that equals convolution and normalization."""
    s = gain / np.sqrt(var + eps)
    return w * s[:, None, None, None], shift - s * mean


@fold.check
def _(answer, rng):
    for _ in range(2):
        out, channels, K = sizes(rng, 3)
        w = rng.normal(size=(out, channels, K, K))
        gain, shift, mean = rng.normal(size=(3, out))
        var, eps = rng.uniform(0.2, 2, out), 0.1
        slope = gain / (var + eps) ** 0.5
        expected = {
            "the kernels": np.einsum("c,cijk->cijk", slope, w),
            "the bias": shift - slope * mean,
        }
        agree(answer, (w, gain, shift, mean, var, eps), expected)


@fold.mistakes
def _(w, gain, shift, mean, var, eps):
    def folded(s):
        return w * s[:, None, None, None], shift - s * mean

    s = gain / np.sqrt(var + eps)
    return {
        "the gain is missing in the kernels": folded(1 / np.sqrt(var + eps)),
        "divide by the root of the variance, not by the variance": folded(gain / (var + eps)),
        "eps is missing under the root": folded(gain / np.sqrt(var)),
        "the kernels are as before: they must be scaled, channel by channel": (w, ...),
        "the mean must be scaled like the kernels before it is taken away": (..., shift - mean),
        "the bias forgets the mean": (..., shift),
        "the mean is added; it must be taken away": (..., shift + s * mean),
    }


# ---------------------------------------------------------------- 06.10
@exercise(
    "06.10",
    hints=(
        "`np.roll(image, (down, right), axis=(1, 2))` moves one image with wrap-around.",
        "Draw two numbers for each image: `rng.integers(0, H)` and `rng.integers(0, W)`.",
        "Roll each image by its own pair and put the results together with `np.stack`.",
    ),
    why="All channels of an image move together, so its colors stay; each image has its own pair "
    "of offsets, so the network sees another place every time.",
)
def roll_each(x, rng):
    """Move each image of x (N, C, H, W) by its own random offset, with wrap-around."""
    height, width = x.shape[2:]
    return np.stack(
        [np.roll(image, (rng.integers(height), rng.integers(width)), axis=(1, 2)) for image in x]
    )


@roll_each.check
def _(answer, rng):
    for _ in range(2):
        channels, height, width = sizes(rng, 3)
        x = rng.normal(size=(24, channels, height, width))
        got = numbers(
            answer(x, np.random.default_rng(int(rng.integers(2**32)))), "the batch", x.shape
        )
        offsets = []
        for image, moved in zip(x, got, strict=True):
            found = [
                (i, j)
                for i in range(height)
                for j in range(width)
                if np.array_equal(np.roll(image, (i, j), axis=(1, 2)), moved)
            ]
            if not found:
                if not np.array_equal(np.sort(image, axis=None), np.sort(moved, axis=None)):
                    raise Wrong("pixel values are lost or new: what leaves must come in again")
                raise Wrong("an image is not moved as a whole: all its channels move by one offset")
            offsets.append(found[0])
        down, right = (len(set(part)) for part in zip(*offsets, strict=True))
        if down == right == 1:
            raise Wrong("all images move by the same offset: draw one for each")
        if down == 1 or right == 1:
            raise Wrong("the images move along one axis only: rows and columns both move")


roll_each.wrongs(
    {
        "all images move by the same offset": lambda x, rng: np.roll(
            x, rng.integers(1, x.shape[2:]), axis=(2, 3)
        ),
        "along one axis only": lambda x, rng: np.stack(
            [np.roll(image, rng.integers(x.shape[3]), axis=2) for image in x]
        ),
        "pixel values are lost or new": lambda x, rng: np.concatenate(
            [0 * x[..., :1], x[..., :-1]], axis=3
        ),
        "not moved as a whole": lambda x, rng: np.stack(
            [[np.roll(part, rng.integers(1, len(part)), axis=0) for part in image] for image in x]
        ),
    }
)
