"""Exercises of chapter 06, Modern CNNs."""

from __future__ import annotations

import numpy as np

from utils.exercises._compare import Wrong, numbers, same, sizes, unpack
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
        known = {
            "the images stand on their heads: reverse the columns, not the rows": np.flip(x, 2),
            "the images are turned by 180°: reverse the columns only": np.flip(x, (2, 3)),
            "the order of the images is reversed: reverse the columns": np.flip(x, 0),
            "the channels are reversed, red for blue: reverse the columns": np.flip(x, 1),
            "nothing is mirrored": x,
        }
        same(answer(x), np.flip(x, 3), "the mirror image", known=known)


@mirror.wrong("the images stand on their heads")
def _rows(x):
    return x[:, :, ::-1]


@mirror.wrong("the order of the images is reversed")
def _images(x):
    return x[::-1]


@mirror.wrong("the images are turned by 180°")
def _turned(x):
    return x[:, :, ::-1, ::-1]


@mirror.wrong("red for blue")
def _channels(x):
    return x[:, ::-1]


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
        expected = hot - eps * (hot - 1 / K)
        known = {
            "nothing is given away: these are the one-hot targets": hot,
            "each class gets eps: the share eps must be divided by K": hot * (1 - eps) + eps,
            "the label keeps all of its 1: take eps away first": hot + eps / K,
            "only the wrong classes get something; all K do, each eps/K": np.where(
                hot == 1, 1 - eps, eps / (K - 1)
            ),
        }
        same(answer(t, K, eps), expected, "q", known=known)


@smooth.wrong("nothing is given away")
def _hot(t, K, eps):
    return np.eye(K)[t]


@smooth.wrong("each class gets eps")
def _undivided(t, K, eps):
    return np.eye(K)[t] * (1 - eps) + eps


@smooth.wrong("the label keeps all of its 1")
def _more(t, K, eps):
    return np.eye(K)[t] + eps / K


@smooth.wrong("only the wrong classes get something")
def _others(t, K, eps):
    return np.where(np.eye(K)[t] == 1, 1 - eps, eps / (K - 1))


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
        up, down = t / peak, (steps - t) / (steps - peak)
        known = {
            "it climbs for ever: after the peak it must fall": up,
            "there is no climb: before the peak it must rise from 0": np.minimum(down, 1),
            "the fall is too slow: it starts at the peak, so it takes steps − peak": np.where(
                t <= peak, up, 1 - (t - peak) / steps
            ),
            "it jumps at the peak: there the fall must start from 1": np.where(
                t <= peak, up, 1 - t / steps
            ),
        }
        expected = np.interp(t, [0, peak, steps], [0, 1, 0])
        same(answer(t, peak, steps), expected, "the factor", given={"t": t}, known=known)


@cycle.wrong("it climbs for ever")
def _climb(t, peak, steps):
    return t / peak


@cycle.wrong("there is no climb")
def _fall(t, peak, steps):
    return np.minimum((steps - t) / (steps - peak), 1)


@cycle.wrong("it jumps at the peak")
def _jump(t, peak, steps):
    return np.where(t <= peak, t / peak, 1 - t / steps)


@cycle.wrong("the fall is too slow")
def _slow(t, peak, steps):
    return np.where(t <= peak, t / peak, 1 - (t - peak) / steps)


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
        rows = np.maximum(expected.sum(axis=1, keepdims=True), 1)
        known = {
            "each pair counts once only: += with index arrays forgets repetitions; see np.add.at": (
                expected > 0
            ),
            "true classes belong into the rows, answers into the columns": expected.T,
            "these are shares: count the examples": expected / rows,
            "only the right answers are counted": np.diag(np.diag(expected)),
        }
        same(answer(labels, answers, K), expected, "the matrix", known=known)


@confusion.wrong("each pair counts once only")
def _once(labels, answers, K):
    counts = np.zeros((K, K), int)
    counts[labels, answers] += 1
    return counts


@confusion.wrong("true classes belong into the rows")
def _transposed(labels, answers, K):
    counts = np.zeros((K, K), int)
    np.add.at(counts, (answers, labels), 1)
    return counts


@confusion.wrong("these are shares")
def _shares(labels, answers, K):
    counts = np.zeros((K, K))
    np.add.at(counts, (labels, answers), 1)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


@confusion.wrong("only the right answers are counted")
def _right(labels, answers, K):
    return np.diag([int(((labels == k) & (answers == k)).sum()) for k in range(K)])


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
        kernels = 9 * out * (channels + out)
        shortcut = (channels + 2) * out * (channels != out)
        known = {
            "the normalizations are missing: each learns a gain and a shift": kernels
            + channels * out * (channels != out),
            "the shortcut is missing: where channels change it is a 1 × 1 convolution": kernels
            + 4 * out,
            "running mean and variance are measured, not learned: they are no parameters": kernels
            + 8 * out + (channels + 4) * out * (channels != out),
            "the convolutions have no bias": kernels + 6 * out
            + (shortcut + out * (channels != out)),
            "where channels stay, the shortcut is the identity and costs nothing": kernels
            + 4 * out + (channels + 2) * out,
        }  # fmt: skip
        got = numbers(answer(np.array([channels, out])), "the number of parameters", ())
        what = f"the number from {channels} to {out} channels"
        same(got, kernels + 4 * out + shortcut, what, known=known)


@block_parameters.wrong("the normalizations are missing")
def _no_norm(shape):
    channels, out = shape
    return 9 * channels * out + 9 * out * out + (channels * out if channels != out else 0)


@block_parameters.wrong("the shortcut is missing")
def _no_shortcut(shape):
    channels, out = shape
    return 9 * channels * out + 9 * out * out + 4 * out


@block_parameters.wrong("costs nothing")
def _always_shortcut(shape):
    channels, out = shape
    return 9 * channels * out + 9 * out * out + 4 * out + channels * out + 2 * out


@block_parameters.wrong("measured, not learned")
def _running(shape):
    channels, out = shape
    main = 9 * channels * out + 9 * out * out + 8 * out
    return main + (channels * out + 4 * out if channels != out else 0)


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


@whitening.wrong("uncorrelated, but the variances are as before")
def _turn_only(u):
    return np.linalg.eigh(np.cov(u.T))[1].T


@whitening.wrong("still correlated")
def _scale_only(u):
    return np.diag(1 / u.std(axis=0, ddof=1))


@whitening.wrong("V is transposed")
def _untransposed(u):
    variances, Q = np.linalg.eigh(np.cov(u.T))
    return Q / np.sqrt(variances)


@whitening.wrong("uncorrelated, but the first variance is")
def _no_root(u):
    variances, Q = np.linalg.eigh(np.cov(u.T))
    return (Q / variances).T


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
        root, a = np.sqrt(groups), right.mean()
        expected = np.sqrt(((shares - shares.mean()) ** 2).sum() / (groups - 1)) / root
        known = {
            "images of one drawing are taken for independent: average each drawing first": (
                np.sqrt(a * (1 - a) / len(right))
            ),
            "that is the scatter of single drawings: divide it by √G": expected * root,
            "divide by G − 1, not by G, inside the standard deviation (ddof=1)": (
                expected * np.sqrt((groups - 1) / groups)
            ),
            "divide by the root of the number of drawings, not of images": (
                expected * root / np.sqrt(len(right))
            ),
        }  # fmt: skip
        same(numbers(answer(right, drawing), "the error", ()), expected, "the error", known=known)


@error_by_drawing.wrong("images of one drawing are taken for independent")
def _naive(right, drawing):
    a = right.mean()
    return np.sqrt(a * (1 - a) / len(right))


@error_by_drawing.wrong("divide it by √G")
def _scatter(right, drawing):
    return np.std([right[drawing == g].mean() for g in np.unique(drawing)], ddof=1)


@error_by_drawing.wrong("not of images")
def _by_images(right, drawing):
    averages = [right[drawing == g].mean() for g in np.unique(drawing)]
    return np.std(averages, ddof=1) / np.sqrt(len(right))


@error_by_drawing.wrong("divide by G − 1")
def _biased(right, drawing):
    averages = [right[drawing == g].mean() for g in np.unique(drawing)]
    return np.std(averages) / np.sqrt(len(averages))


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
        known = {
            "the shortcut is missing: y also depends on x directly": through,
            "the bend is missing: it lets the gradient through only where A1 @ x > 0": (
                g + A1.T @ (A2.T @ g)
            ),
            "only the shortcut is there: add the path through A1 and A2": g,
            "the shortcut passes the gradient g on, not x": x + through,
        }
        same(answer(x, A1, A2, g), g + through, "∂L/∂x", known=known)


@residual_gradient.wrong("the shortcut is missing")
def _plain(x, A1, A2, g):
    return A1.T @ ((A1 @ x > 0) * (A2.T @ g))


@residual_gradient.wrong("the bend is missing")
def _linear(x, A1, A2, g):
    return g + A1.T @ (A2.T @ g)


@residual_gradient.wrong("not x")
def _adds_x(x, A1, A2, g):
    return x + A1.T @ ((A1 @ x > 0) * (A2.T @ g))


@residual_gradient.wrong("only the shortcut is there")
def _shortcut_only(x, A1, A2, g):
    return g.copy()


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
        root = (var + eps) ** 0.5
        got = unpack(answer(w, gain, shift, mean, var, eps), "kernels", "bias")
        kernels = np.einsum("c,cijk->cijk", gain / root, w)
        known = {
            "the gain is missing in the kernels": np.einsum("c,cijk->cijk", 1 / root, w),
            "divide by the root of the variance, not by the variance": np.einsum(
                "c,cijk->cijk", gain / (var + eps), w
            ),
            "eps is missing under the root": np.einsum("c,cijk->cijk", gain / var**0.5, w),
            "the kernels are as before: they must be scaled, channel by channel": w,
        }
        same(got[0], kernels, "the kernels", known=known)
        known = {
            "the mean must be scaled like the kernels before it is taken away": shift - mean,
            "the bias forgets the mean": shift,
            "the mean is added; it must be taken away": shift + gain * mean / root,
        }
        same(got[1], shift - gain * mean / root, "the bias", known=known)


@fold.wrong("the mean must be scaled")
def _plain_mean(w, gain, shift, mean, var, eps):
    return w * (gain / np.sqrt(var + eps))[:, None, None, None], shift - mean


@fold.wrong("the bias forgets the mean")
def _no_mean(w, gain, shift, mean, var, eps):
    return w * (gain / np.sqrt(var + eps))[:, None, None, None], shift.copy()


@fold.wrong("not by the variance")
def _variance(w, gain, shift, mean, var, eps):
    s = gain / (var + eps)
    return w * s[:, None, None, None], shift - s * mean


@fold.wrong("the gain is missing")
def _no_gain(w, gain, shift, mean, var, eps):
    s = 1 / np.sqrt(var + eps)
    return w * s[:, None, None, None], shift - s * mean


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


@roll_each.wrong("all images move by the same offset")
def _all_alike(x, rng):
    height, width = x.shape[2:]
    return np.roll(x, (rng.integers(height), rng.integers(width)), axis=(2, 3))


@roll_each.wrong("along one axis only")
def _columns_only(x, rng):
    return np.stack([np.roll(image, rng.integers(x.shape[3]), axis=2) for image in x])


@roll_each.wrong("pixel values are lost or new")
def _zeros_come_in(x, rng):
    moved = np.zeros_like(x)
    for old, new in zip(x, moved, strict=True):
        right = rng.integers(1, x.shape[3])
        new[..., right:] = old[..., :-right]
    return moved


@roll_each.wrong("not moved as a whole")
def _channels_apart(x, rng):
    return np.stack(
        [[np.roll(part, rng.integers(1, len(part)), axis=0) for part in image] for image in x]
    )
