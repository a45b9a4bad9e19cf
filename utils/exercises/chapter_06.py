"""Exercises of chapter 06, Modern CNNs."""

from __future__ import annotations

import itertools
import math

import numpy as np

from utils.exercises._agree import agree
from utils.exercises._compare import Wrong, numbers, show, sizes
from utils.exercises._exercise import exercise

CLOSE = {"rtol": 1e-5, "atol": 1e-5}  # what float32 keeps


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
    shapes = ((2, 2, 2, 2), (3, 3, 3, 3), (1, 1, 2, 3), (2, 1, 3, 1), (0, 3, 2, 2))
    for kind, shape in itertools.product((np.int64, np.float32, np.uint8), shapes):
        x = rng.permutation(math.prod(shape)).reshape(shape)
        agree(answer, (kind(x),), _mirrored(x), "the mirror image", quote="all")
    for _ in range(2):
        x = rng.normal(size=sizes(rng, 4))
        agree(answer, (x,), _mirrored(x), "the mirror image", **CLOSE)


def _mirrored(x):
    last = x.shape[3] - 1
    return np.stack([x[:, :, :, last - column] for column in range(last + 1)], axis=3)


@mirror.mistakes
def _(x):
    return {
        "the images stand on their heads: reverse the columns, not the rows": np.flip(x, 2),
        "the images are turned by 180°: reverse the columns only": np.flip(x, (2, 3)),
        "the order of the images is reversed: reverse the columns": np.flip(x, 0),
        "the channels are reversed, red for blue: reverse the columns": np.flip(x, 1),
        "all four axes are reversed: reverse the columns alone": np.flip(x),
        "rows and columns are swapped: reverse the columns": x.swapaxes(2, 3),
        "the images are moved by one column: reverse the columns": np.roll(x, 1, 3),
        "the images are turned by 90°: reverse the columns": np.rot90(x, axes=(2, 3)),
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
    cases = (
        ([0, 2], 4, 0.5), ([1, 1, 0], 3, 0.25), ([1], 2, 0.125), ([2, 0, 1], 3, 0.0),
        ([0, 1], 5, 1.0), ([0], 1, 0.5), ([], 2, 0.5),
    )  # fmt: skip
    for kind, (t, K, eps) in itertools.product((np.int64, np.uint8), cases):
        _agree_targets(answer, np.array(t, kind), K, eps, quote="all")
    for _ in range(2):
        n, K = sizes(rng, 2)
        _agree_targets(answer, rng.integers(0, K, n), K, float(rng.uniform(0.05, 0.4)))


def _agree_targets(answer, t, K, eps, **kind):
    rows = [[(k == label) - eps * ((k == label) - 1 / K) for k in range(K)] for label in t.tolist()]
    agree(answer, (t, K, eps), np.reshape(rows, (len(t), K)), "q", **CLOSE, **kind)


@smooth.mistakes
def _(t, K, eps):
    hot = np.eye(K)[t]
    return {
        "nothing is given away: these are the one-hot targets": hot,
        "each class gets eps: the share eps must be divided by K": hot * (1 - eps) + eps,
        "the label keeps all of its 1: take eps away first": hot + eps / K,
        "only the wrong classes get something; all K do, each eps/K": (
            np.where(hot == 1, 1 - eps, eps / max(K - 1, 1))
        ),
        "the label gets its part of eps as well: 1 − eps + eps/K": (
            np.where(hot == 1, 1 - eps, eps / K)
        ),
        "eps is spread over the K classes, not over the N examples": (
            hot * (1 - eps) + eps / max(len(t), 1)
        ),
        "eps is what is given away, not what the label keeps": hot * eps + (1 - eps) / K,
        "the shares are swapped: the label keeps 1 − eps": 1 - hot * (1 - eps) - eps / K,
        "each row is one example: the axes are swapped": (hot * (1 - eps) + eps / K).T,
        "each class gets eps/K, and K − 1 does not occur": hot * (1 - eps) + eps / max(K - 1, 1),
        "a class may be absent from t: the argument K says how many there are": (
            np.eye(max([*t, -1]) + 1)[t] * (1 - eps) + eps / K
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
    cases = (
        ([0, 1, 2, 3, 4], 1, 4), ([6, 0, 3, 2, 5], 3, 6), ([1], 1, 2), ([2, 0], 1, 2),
        ([0, 5, 8, 9, 10], 8, 10), ([0, 50, 100, 550, 1000], 100, 1000), ([], 2, 3),
    )  # fmt: skip
    for kind, (t, peak, steps) in itertools.product((int, float, np.float32), cases):
        _agree_factor(answer, np.array(t, kind), peak, steps, quote="all")
    for _ in range(2):
        peak, rest = (int(n) for n in rng.integers(5, 40, 2))
        steps = peak + rest + 40
        t = np.concatenate([[0.0, peak, peak + 1, steps], rng.integers(0, steps, 4)])
        _agree_factor(answer, t, peak, steps, quote="entry")


def _agree_factor(answer, t, peak, steps, quote):
    up = [float(step) / peak for step in t]
    down = [1 - (float(step) - peak) / (steps - peak) for step in t]
    expected = [a if a <= 1 else b for a, b in zip(up, down, strict=True)]
    agree(answer, (t, peak, steps), expected, "the factor", quote=quote, **CLOSE)


@cycle.mistakes
def _(t, peak, steps):
    is_rising, up, down = t <= peak, t / peak, (steps - t) / (steps - peak)
    middle, right = steps / 2, np.minimum(up, down)
    return {
        "it climbs for ever: after the peak it must fall": up,
        "it stays at 1 after the peak: it must fall to 0": np.minimum(up, 1),
        "there is no climb: before the peak it must rise from 0": np.minimum(down, 1),
        "it is the falling line everywhere: the rising one applies before the peak": down,
        "the fall is too slow: it starts at the peak, so it takes steps − peak": (
            np.where(is_rising, up, 1 - (t - peak) / steps)
        ),
        "it jumps at the peak: there the fall must start from 1": (
            np.where(is_rising, up, 1 - t / steps)
        ),
        "at the peak both lines are 1: the fall takes steps − peak, not steps": (
            np.where(t < peak, up, 1 - t / steps)
        ),
        "it jumps to 0 at the peak: fall from 1 to 0": np.where(is_rising, up, 1 - down),
        "the lower of the two lines applies, not the higher": np.maximum(up, down),
        "the lines are not multiplied: one of them applies at a time": up * down,
        "the peak is not in the middle: it is at t = peak": (
            np.minimum(t / middle, (steps - t) / middle)
        ),
        "the fall ends at steps, not one step before": (
            np.where(is_rising, up, 1 - (t - peak) / max(steps - 1 - peak, 0.5))
        ),
        "the climb starts at 0: at t = 0 the factor is 0": (
            np.where(t < peak, (t + 1) / (peak + 1), down)
        ),
        "the lines are straight: this is a cosine": (1 - np.cos(np.pi * right)) / 2,
        "after the peak t is counted from 0: count it from the peak": (
            np.where(is_rising, up, (steps - peak - t) / (steps - peak))
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
    cases = (
        ([0, 0, 1, 0], [1, 1, 0, 0], 2), ([0, 2, 2, 0, 2], [2, 0, 0, 2, 2], 3),
        ([0, 3, 0, 0], [3, 0, 3, 0], 5), ([2], [1], 4), ([1, 1], [1, 1], 2), ([0], [0], 1),
        ([1, 2, 2, 1], [2, 2, 2, 1], 3), ([], [], 2),
    )  # fmt: skip
    for kind, (labels, answers, K) in itertools.product((np.int64, np.uint8), cases):
        _agree_counts(answer, np.array(labels, kind), np.array(answers, kind), K, quote="all")
    for _ in range(2):
        (K,) = sizes(rng, 1)
        _agree_counts(answer, *rng.integers(0, K, (2, 300)), K)


def _agree_counts(answer, labels, answers, K, quote=""):
    pairs = list(zip(labels.tolist(), answers.tolist(), strict=True))
    counts = [[pairs.count((i, k)) for k in range(K)] for i in range(K)]
    agree(answer, (labels, answers, K), counts, "the matrix", quote=quote)


@confusion.mistakes
def _(labels, answers, K):
    counts = np.histogram2d(labels, answers, bins=[np.arange(K + 1) - 0.5] * 2)[0]
    return {
        "each pair counts once only: += with index arrays forgets repetitions; see np.add.at": (
            counts > 0
        ),
        "true classes belong into the rows, answers into the columns": counts.T,
        "these are shares: count the examples": (
            counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        ),
        "these are shares of each answer: count the examples": (
            counts / np.maximum(counts.sum(axis=0), 1)
        ),
        "these are shares of all examples: do not divide by N": counts / max(len(labels), 1),
        "only the right answers are counted": np.diag(np.diag(counts)),
        "the right answers are missing: they stand on the diagonal": (
            counts - np.diag(np.diag(counts))
        ),
        "a class that is absent keeps its row and column: K says how many there are": (
            counts[np.ix_(*2 * [np.union1d(labels, answers).astype(int)])]
        ),
        "K says how many classes there are, not the largest label": (
            counts[: max([*labels, -1]) + 1, : max([*labels, -1]) + 1]
        ),
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
    drawn = sizes(rng, 2)
    for channels, out in (
        (2, 2), (3, 2), (2, 5), drawn, (1, 1), (1, 3), (7, 1), (16, 32), (64, 64),
    ):  # fmt: skip
        layers = [(9, channels, out), (9, out, out)] + [(1, channels, out)] * (channels != out)
        count = sum(taps * a * b + 2 * b for taps, a, b in layers)
        agree(answer, (np.array([channels, out]),), count, "the number", quote="all")


@block_parameters.mistakes
def _(shape):
    channels, out = shape
    kernels, changes = 9 * out * (channels + out), channels != out
    shortcut = (channels + 2) * out
    right = kernels + 4 * out + changes * shortcut
    return {
        "the normalizations are missing: each learns a gain and a shift": (
            kernels + changes * channels * out
        ),
        "the shortcut is missing: where channels change it is a 1 × 1 convolution": (
            kernels + 4 * out
        ),
        "running mean and variance are measured, not learned: they are no parameters": (
            kernels + 8 * out + changes * (channels + 4) * out
        ),
        "the convolutions have no bias": right + (2 + changes) * out,
        "the shortcut's convolution has no bias either": right + changes * out,
        "where channels stay, the shortcut is the identity and costs nothing": (
            kernels + 4 * out + shortcut
        ),
        "the shortcut too has a batch normalization: 2·C′ more": right - changes * 2 * out,
        "a normalization learns a gain and a shift, 2·C′": (
            kernels + 2 * out + changes * (channels + 1) * out
        ),
        "each of the two convolutions has its normalization": right - 2 * out,
        "a 3 × 3 kernel has 9 weights": right - 2 * kernels // 3,
        "the second convolution leads from C′ to C′ channels": (right + 9 * out * (channels - out)),
        "the first convolution leads from C to C′ channels": (
            right + 9 * channels * (channels - out)
        ),
        "there are two 3 × 3 convolutions": right - 9 * out * out - 2 * out,
        "the shortcut is 1 × 1: its kernels have one weight, not 9": (
            right + changes * 8 * channels * out
        ),
        "the first normalization is behind the first convolution: it has C′ channels": (
            right + 2 * (channels - out)
        ),
        "fewer channels behind than before need a convolution in the shortcut too": (
            kernels + 4 * out + (channels < out) * shortcut
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
    """A matrix V (D, D) that whitens u (N, D): cov of u @ V.T, with N or N − 1, is the identity."""
    variances, Q = np.linalg.eigh(np.cov(u.T))
    return (Q / np.sqrt(variances)).T


@whitening.check
def _(answer, rng):
    faults = []
    for kind, n, height in (
        (np.float64, 400, 1), (np.float32, 400, 1), (np.float64, 400, 1000),
        (np.float64, 12, 1), (np.float32, 50, 0),
    ):  # fmt: skip
        d = 2 if n == 12 else sizes(rng, 1)[0]
        # variances far apart: no wrong power of Λ looks right
        u = rng.normal(size=(n, d)) * np.linspace(1.5, 4, d)
        u = u @ np.linalg.qr(rng.normal(size=(d, d)))[0] + height * np.linspace(-1, 1, d)
        V = numbers(answer(kind(u)), "V", (d, d)).astype(float)
        if not _is_white(V, np.cov(u.T), n):
            faults.append(_causes(V, u))
    both = [cause for cause in (faults[0] if faults else ()) if all(cause in f for f in faults)]
    if both and len(faults) > 1:
        raise Wrong(both[0])
    if faults:
        raise Wrong(faults[0][-1])


def _is_white(V, covariance, n):
    """Whether V whitens, with n − 1 or with n."""
    got, one = V @ covariance @ V.T, np.eye(len(V))
    return any(np.allclose(c * got, one, atol=1e-4) for c in (1, (n - 1) / n))


def _causes(V, u):
    """What can be wrong with V, and at the end what is seen."""
    n, covariance = len(u), np.cov(u.T)
    got, variances = V @ covariance @ V.T, np.linalg.eigvalsh(covariance)
    found = np.diag(got)

    def are(*values):
        return np.allclose(np.sort(found), np.sort(values), rtol=1e-3)

    is_diagonal = np.allclose(got, np.diag(found), atol=1e-4 * np.abs(found).max())
    tests = {
        "V is transposed: its rows, not its columns, must be the directions": (
            _is_white(V.T, covariance, n)
        ),
        "the mean of each column must be taken away before the products are averaged": (
            _is_white(V, u.T @ u / n, n)
        ),
        "this whitens columns of variance 1: use the covariance of u itself": (
            _is_white(V, np.corrcoef(u.T) * n / (n - 1), n)
        ),
        "V is the inverse of Σ: its root is wanted, Λ to the power of −1/2": (
            np.allclose(got, np.linalg.inv(covariance), rtol=1e-3, atol=1e-4)
        ),
        "each row of Qᵀ is divided by a root of its own, not each column": (
            _is_white(V * np.sqrt(variances) / np.sqrt(variances)[:, None], covariance, n)
        ),
        "uncorrelated, but the variances are as before: divide by their roots": (
            is_diagonal and are(*variances)
        ),
        "uncorrelated, but each variance is 1 over what it was: divide by the roots": (
            is_diagonal and are(*1 / variances)
        ),
        "uncorrelated, but each variance is squared: divide by the roots, do not multiply": (
            is_diagonal and are(*variances**2)
        ),
        "uncorrelated, but each variance is 1/N: Σ is a mean of products, not their sum": (
            is_diagonal and (are(*found * 0 + 1 / n) or are(*found * 0 + 1 / (n - 1)))
        ),
        "V is the inverse of what whitens: Λ to the power of −1/2, not 1/2": (
            np.linalg.matrix_rank(V) == len(V)
            and any(_is_white(W, covariance, n) for W in (np.linalg.inv(V), np.linalg.inv(V.T)))
        ),
        "the variances are 1, but the columns are still correlated: turn them first": (
            np.allclose(found, 1, rtol=1 / n, atol=1e-4)
        ),
    }
    worst = found[np.abs(found - 1).argmax()]
    seen = f"uncorrelated, but a variance is {show(worst)}, not 1"
    if not is_diagonal:
        i, k = np.unravel_index(np.abs(got - np.diag(found)).argmax(), got.shape)
        seen = (
            "the covariance of u @ V.T must be the identity, and it is not: at "
            f"[{i}, {k}] it is {show(got[i, k])}"
        )
    return [cause for cause, holds in tests.items() if holds] + [seen]


def _eigen(u):
    return np.linalg.eigh(np.cov(u.T))


whitening.wrongs(
    {
        "uncorrelated, but the variances are as before": lambda u: _eigen(u)[1].T,
        "still correlated": lambda u: np.diag(1 / u.std(axis=0, ddof=1)),
        "V is transposed": lambda u: _eigen(u)[1] / np.sqrt(_eigen(u)[0]),
        "each variance is 1 over what it was": lambda u: (_eigen(u)[1] / _eigen(u)[0]).T,
        "each variance is squared": lambda u: (_eigen(u)[1] * np.sqrt(_eigen(u)[0])).T,
        "each variance is 1/N": lambda u: whitening.reference(u) / np.sqrt(len(u)),
        "the mean of each column must be taken away": lambda u: np.linalg.inv(
            np.linalg.cholesky(u.T @ u / len(u))
        ),
        "this whitens columns of variance 1": lambda u: whitening.reference(u / u.std(axis=0)),
        "V is the inverse of what whitens": lambda u: np.linalg.cholesky(np.cov(u.T)),
        "V is the inverse of Σ": lambda u: np.linalg.inv(np.cov(u.T)),
        "each row of Qᵀ": lambda u: _eigen(u)[1].T / np.sqrt(_eigen(u)[0]),
        "a variance is": lambda u: whitening.reference(u) * 2,
        "the covariance of u @ V.T must be the identity": lambda u: np.ones((u.shape[1],) * 2),
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
    few = (
        ([0, 1, 0, 1, 1, 0], [2, 9, 2, 5, 9, 5]), ([1, 0, 1, 1], [7, 3, 7, 3]),
        ([1, 1, 0, 0, 1, 0], [0, 2, 0, 2, 2, 0]), ([1, 0, 0], [4, 1, 2]), ([1, 1], [0, 1]),
    )  # fmt: skip
    for kind, (right, drawing) in itertools.product((float, np.float32, bool), few):
        _agree_error(answer, np.array(right, kind), np.array(drawing), quote="all")
    for groups in (sizes(rng, 1)[0] + 3, 12):
        drawing = 5 + 3 * rng.permutation(np.repeat(np.arange(groups), 15))  # numbers with gaps
        ease = rng.uniform(0.1, 1, groups)
        right = 1.0 * (rng.random(len(drawing)) < ease[(drawing - 5) // 3])
        _agree_error(answer, right, drawing)


def _agree_error(answer, right, drawing, quote=""):
    marks = {}
    for mark, name in zip(right.tolist(), drawing.tolist(), strict=True):
        marks.setdefault(name, []).append(mark)
    shares = [sum(group) / len(group) for group in marks.values()]
    G, center = len(shares), math.fsum(shares) / len(shares)
    error = math.sqrt(math.fsum((share - center) ** 2 for share in shares) / (G - 1) / G)
    agree(answer, (right, drawing), error, "the error", quote=quote, **CLOSE)


@error_by_drawing.mistakes
def _(right, drawing):
    right = right * 1.0
    shares = np.array([right[drawing == g].mean() for g in np.unique(drawing)])
    sums = np.array([right[drawing == g].sum() for g in np.unique(drawing)])
    N, G, a = len(right), len(shares), right.mean()
    scatter = shares.std(ddof=1)
    blocks = right.reshape(G, -1).mean(axis=1).std(ddof=1) / np.sqrt(G)
    return {
        "images of one drawing are taken for independent: average each drawing first": (
            np.sqrt(a * (1 - a) / N)
        ),
        "images of one drawing are taken for independent (with N − 1): average each drawing": (
            right.std(ddof=1) / np.sqrt(N)
        ),
        "that is the scatter of single drawings: divide it by √G": scatter,
        "divide by G − 1, not by G, inside the standard deviation (ddof=1)": (
            shares.std() / np.sqrt(G)
        ),
        "divide by the root of the number of drawings, not of images": scatter / np.sqrt(N),
        "divide by the root of G, not by G": scatter / G,
        "divide by √G: the G − 1 stands inside the standard deviation": scatter / np.sqrt(G - 1),
        "this is the square of the error: take its root": scatter**2 / G,
        "the drawings' numbers must be read: images of one need not be neighbors": blocks,
        "average each drawing: these are sums": sums.std(ddof=1) / np.sqrt(G),
        "that is the scatter of single images: average each drawing first": right.std(),
        "a number that no drawing has is averaged: np.unique gives those that occur": (
            scatter / np.sqrt(G) if np.ptp(drawing) + 1 == G and not drawing.min() else np.nan
        ),
        "the standard error is wanted, not the accuracy": a,
        "√(a(1 − a)/G) holds for drawings that are all right or all wrong: use their averages": (
            np.sqrt(a * (1 - a) / G)
        ),
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
    for d, h in ((2, 3), (3, 2), (2, 2), (1, 3), (3, 1), (1, 1)):
        for height in (1, 1000):
            x, g = height * rng.permutation([-2.0, 1, 4])[:d], rng.permutation([-3.0, 1, 2])[:d]
            A1, A2 = rng.choice([-3.0, 3, 5], (h, d)), rng.integers(-3, 4, (d, h)) + 0.0
            _agree_gradient(answer, x, A1, A2, g, quote="all")
    for kind in 2 * (np.float64, np.float32):
        d, h = sizes(rng, 2)
        h += 8
        x, g = rng.normal(size=d), rng.normal(size=d)
        A1, A2 = rng.normal(size=(h, d)), rng.normal(size=(d, h))
        _agree_gradient(answer, *map(kind, (x, A1, A2, g)))


def _agree_gradient(answer, x, A1, A2, g, quote=""):
    gates = [float(math.fsum(row * x) > 0) for row in A1]
    through = np.einsum("i,ij,j,jk->k", g, A2, gates, A1)
    agree(answer, (x, A1, A2, g), g + through, "∂L/∂x", quote=quote, rtol=1e-5, atol=1e-4)


@residual_gradient.mistakes
def _(x, A1, A2, g):
    z, back = A1 @ x, A2.T @ g
    through = A1.T @ ((z > 0) * back)
    return {
        "the shortcut is missing: y also depends on x directly": through,
        "the bend is missing: it lets the gradient through only where A1 @ x > 0": (
            g + A1.T @ back
        ),
        "only the shortcut is there: add the path through A1 and A2": g,
        "the shortcut passes the gradient g on, not x": x + through,
        "the shortcut passes the gradient g on, not 1": 1 + through,
        "the two paths are added, not subtracted": g - through,
        "the bend multiplies by 1 or 0, not by ReLU(A1 @ x)": (
            g + A1.T @ (np.maximum(z, 0) * back)
        ),
        "the bend looks at A1 @ x on the way there, not at the gradient on the way back": (
            g + A1.T @ np.maximum(back, 0)
        ),
        "the bend lets through where A1 @ x > 0, not where it is negative": (
            g + A1.T @ ((z < 0) * back)
        ),
        "the upstream gradient is missing in the path: A2ᵀ g": (
            g + A1.T @ ((z > 0) * A2.sum(axis=0))
        ),
        "g is what comes back on the way through A2 as well, not x": (
            g + A1.T @ ((z > 0) * (A2.T @ x))
        ),
        "the shortcut passes the gradient g on once": 2 * g + through,
        "this is y, the way there: the gradient goes back": x + A2 @ np.maximum(z, 0),
    }


@residual_gradient.mistake("the matrices must be transposed on the way back: A2ᵀ, then A1ᵀ")
def _(x, A1, A2, g):
    return g + A2 @ ((A1 @ x > 0) * (A1 @ g))


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
    shapes = [(2, 2, 1), (3, 3, 3), (2, 2, 2), (1, 2, 2), (2, 1, 1), (1, 1, 1)]
    shapes += [sizes(rng, 3) for _ in range(2)]
    for kind, (out, channels, K) in itertools.product((np.float64, np.float32), shapes):
        w = rng.normal(size=(out, channels, K, K))
        gain, shift, mean = rng.normal(size=(3, out))
        var, eps = rng.uniform(0.2, 2, out), 0.1
        _agree_fold(answer, *map(kind, (w, gain, shift, mean, var)), eps)
    w, gain, shift = np.ones((3, 1, 1, 1)), np.array([0.0, -1, 2]), np.array([0.0, 3, -1000])
    for eps in (0.25, 1e-5):
        mean, var = np.array([1000.0, -1000, 0]), np.array([0.0, 2, 1e6])
        _agree_fold(answer, w, gain, shift, mean, var, eps, quote="all")


def _agree_fold(answer, w, gain, shift, mean, var, eps, quote=""):
    kernels, bias = np.empty(w.shape), np.empty(len(w))
    for c, spread in enumerate(var):
        root = math.sqrt(float(spread) + eps)
        kernels[c] = gain[c] / root * w[c]
        bias[c] = shift[c] - gain[c] / root * float(mean[c])
    expected = {"the kernels": kernels, "the bias": bias}
    agree(answer, (w, gain, shift, mean, var, eps), expected, quote=quote, **CLOSE)


@fold.mistakes
def _(w, gain, shift, mean, var, eps):
    def folded(s):
        return w * s[:, None, None, None], shift - s * mean

    s = gain / np.sqrt(var + eps)
    kernels, bias = folded(s)
    return {
        "the gain is missing in the kernels": folded(1 / np.sqrt(var + eps)),
        "the gain multiplies; the root of the variance divides": folded(np.sqrt(var + eps) / gain),
        "the kernels are divided by the root: they are multiplied here": (
            folded(gain * np.sqrt(var + eps))
        ),
        "divide by the root of the variance, not by the variance": folded(gain / (var + eps)),
        "the argument eps is missing under the root": folded(gain / np.sqrt(var)),
        "eps belongs under the root": folded(gain / (np.sqrt(var) + eps)),
        "the kernels are as before: they must be scaled, channel by channel": (w, ...),
        "the shift belongs into the bias alone": (kernels + shift[:, None, None, None], ...),
        "the mean must be scaled like the kernels before it is taken away": (..., shift - mean),
        "the bias forgets the mean": (..., shift),
        "the bias forgets the shift": (..., -s * mean),
        "the mean is added; it must be taken away": (..., shift + s * mean),
        "the sign of the bias is wrong: it is shift − s·mean": (..., s * mean - shift),
        "the shift is not scaled: only the mean is": (..., s * (shift - mean)),
        "the gain is missing in the bias: the mean is scaled by it too": (
            ...,
            shift - mean / np.sqrt(var + eps),
        ),
        "the root is missing in the bias: the mean is divided by it too": (
            ...,
            shift - gain * mean,
        ),
        "the pair is swapped: kernels first, then the bias": (bias, kernels),
    }


@fold.mistake("s scales the output channels, the first axis: w * s[:, None, None, None]")
def _(w, gain, shift, mean, var, eps):
    return w * (gain / np.sqrt(var + eps))[:, None, None], ...


@fold.mistake("s scales the output channels, the first axis, not the columns of the kernels")
def _(w, gain, shift, mean, var, eps):
    return w * (gain / np.sqrt(var + eps)), ...


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
    for n, channels, side, width in (
        (24, *sizes(rng, 3)), (24, 3, 5, 5), (24, 1, 4, 4),
        (9, 2, 1, 8), (9, 2, 8, 1), (1, 2, 3, 4),
    ):  # fmt: skip
        shape = (n, channels, side, width)
        x = rng.permutation(math.prod(shape)).reshape(shape)
        x = np.float32(x) if n == 9 else x + 0.0
        seeds = [int(seed) for seed in rng.integers(2**32, size=2)]
        first, again, other = (
            numbers(answer(x, np.random.default_rng(seed)), "the batch", shape)
            for seed in (seeds[0], *seeds)
        )
        if np.array_equal(np.sort(x, axis=None), np.sort(first, axis=None)) and not np.array_equal(
            x.sum(axis=(1, 2, 3)), first.sum(axis=(1, 2, 3))
        ):
            raise Wrong("pixels get into another image: each image keeps its place in the batch")
        offsets = [_offset(*pair) for pair in zip(x, first, strict=True)]
        if n == 1:
            continue
        down, right = (len(set(part)) for part in zip(*offsets, strict=True))
        if down == right == 1:
            raise Wrong("all images move by the same offset: draw one for each")
        if (down == 1 and side > 1) or (right == 1 and width > 1):
            raise Wrong("the images move along one axis only: rows and columns both move")
        if side == width and all(i == j for i, j in offsets):
            raise Wrong("rows and columns move by the same number: draw two for each image")
        if not np.array_equal(first, again):
            raise Wrong("the same rng gives another batch: draw from rng, not from np.random")
        if np.array_equal(first, other):
            raise Wrong("another rng gives the same batch: draw from the rng that is given")


def _offset(image, moved):
    """How far an image has moved, down and to the right."""
    for down, right in np.ndindex(image.shape[1:]):
        if np.array_equal(np.roll(image, (down, right), axis=(1, 2)), moved):
            return down, right
    if not np.array_equal(np.sort(image, axis=None), np.sort(moved, axis=None)):
        raise Wrong("pixel values are lost or new: what leaves must come in again")
    raise Wrong("an image is not moved as a whole: roll all its channels by one offset")


def _rolled(x, draw):
    """Each image moved by its own draw(sides)."""
    return np.stack([np.roll(image, draw(x.shape[2:]), axis=(1, 2)) for image in x])


@roll_each.wrong("pixel values are lost or new")
def _zeros_come_in(x, rng):
    moved = np.zeros_like(x)
    for old, new in zip(x, moved, strict=True):
        right = rng.integers(1, x.shape[3])
        new[..., right:] = old[..., :-right]
    return moved


roll_each.wrongs(
    {
        "all images move by the same offset": lambda x, rng: np.roll(
            x, rng.integers(x.shape[2:]), axis=(2, 3)
        ),
        "along one axis only": lambda x, rng: _rolled(x, lambda s: (0, rng.integers(s[1]))),
        "rows and columns move by the same number": lambda x, rng: _rolled(
            x, lambda sides: (rng.integers(sides[0]),) * 2
        ),
        "pixels get into another image": lambda x, rng: x[rng.permutation(len(x))],
        "not moved as a whole": lambda x, rng: np.stack(
            [[np.roll(part, rng.integers(1, len(part)), axis=0) for part in image] for image in x]
        ),
        "the same rng gives another batch": lambda x, rng: _rolled(
            x, lambda sides: np.random.default_rng().integers(sides)
        ),
        "another rng gives the same batch": lambda x, rng: roll_each.reference(
            x, np.random.default_rng(0)
        ),
    }
)
