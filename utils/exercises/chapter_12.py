"""Exercises of chapter 12, Variational autoencoders."""

from __future__ import annotations

import itertools
import math

import numpy as np

from utils.exercises._agree import agree
from utils.exercises._compare import sizes
from utils.exercises._exercise import exercise

TINY = 1e-12, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6  # that are added to keep a logarithm from 0


def _code(rng):
    """μ and ln σ² (N, d) with different N and d."""
    N, d = sizes(rng, 2)
    return rng.normal(size=(N, d)), rng.normal(size=(N, d))


# ---------------------------------------------------------------- 12.1
@exercise(
    "12.1",
    hints=(
        "One dimension costs ½(μ² + σ² − 1 − ln σ²). You are given ln σ²; what is σ²?",
        "The dimensions are independent, so their divergences add up: sum over the last axis.",
        "(mu**2 + np.exp(log_var) - 1 - log_var).sum(axis=1) / 2",
    ),
    why="The expectation of ln q − ln p under q needs only E[z] = μ and E[z²] = μ² + σ²; "
    "independent dimensions add.",
)
def kl_normal(mu, log_var):
    """KL(N(μ, σ²)‖N(0, 1)) of each code, summed over its dimensions: (N, d), (N, d) → (N,)."""
    return (mu**2 + np.exp(log_var) - 1 - log_var).sum(axis=1) / 2


@kl_normal.check
def _(answer, rng):
    points, weights = np.polynomial.hermite_e.hermegauss(20)
    for _ in range(3):
        mu, log_var = _code(rng)
        # independent: the same from the definition, with numbers of a quadrature
        z = mu[..., None] + np.sqrt(np.exp(log_var))[..., None] * points
        log_ratio = (z**2 - points**2) / 2 - log_var[..., None] / 2
        expected = (log_ratio * weights).sum(-1).sum(1) / np.sqrt(2 * np.pi)
        agree(answer, (mu, log_var), expected, "the divergence")


@kl_normal.mistakes
def _(mu, log_var):
    var = np.exp(log_var)
    parts = mu**2 + var - 1 - log_var
    return {
        "exp(log_var / 2) is σ: the formula needs σ²": (
            (mu**2 + np.exp(log_var / 2) - 1 - log_var).sum(axis=1) / 2
        ),
        "log_var is σ² no more: it is its logarithm already": (
            (mu**2 + log_var - 1 - np.log(np.abs(log_var))).sum(axis=1) / 2
        ),
        "this is KL(N(0, 1)‖q), the other way round": (
            ((1 + mu**2) / var - 1 + log_var).sum(axis=1) / 2
        ),
        "μ must be squared": (mu + var - 1 - log_var).sum(axis=1) / 2,
        "the factor ½ is missing": parts.sum(axis=1),
        "log_var is ln σ², not ln σ: σ² = exp(log_var)": (
            (mu**2 + var**2 - 1 - 2 * log_var).sum(axis=1) / 2
        ),
        "log_var is ln σ²; the formula needs σ² itself: exp(log_var)": (
            (mu**2 + log_var - 1 - log_var).sum(axis=1) / 2
        ),
        "sum over the dimensions; a mean divides the divergence by d": parts.mean(axis=1) / 2,
        "one number for each code: sum over the dimensions only": parts.sum() / 2,
        "the sign of ln σ² is wrong: a wide q costs σ², a narrow one − ln σ²": (
            (mu**2 + var - 1 + log_var).sum(axis=1) / 2
        ),
    }


# ---------------------------------------------------------------- 12.2
@exercise(
    "12.2",
    hints=(
        "z = μ + σ·ε. All three have the shape (N, d).",
        "From ln σ² to σ: halve the logarithm, then exp.",
        "mu + np.exp(log_var / 2) * eps",
    ),
    why="ε carries all the chance and depends on no parameter, so z is a smooth function of μ and "
    "ln σ² and the gradient can pass.",
)
def reparameterize(mu, log_var, eps):
    """A sample z of N(μ, σ²) from ε, a sample of N(0, 1): all (N, d); log_var is ln σ²."""
    return mu + np.exp(log_var / 2) * eps


@reparameterize.check
def _(answer, rng):
    for _ in range(3):
        mu, log_var = _code(rng)
        eps = rng.normal(size=mu.shape)
        agree(answer, (mu, log_var, eps), mu + np.sqrt(np.exp(log_var)) * eps, "z")


@reparameterize.mistakes
def _(mu, log_var, eps):
    return {
        "ε must be multiplied by σ, not by σ²: exp(log_var / 2)": mu + np.exp(log_var) * eps,
        "log_var is a logarithm: σ = exp(log_var / 2)": mu + log_var * eps,
        "that is σ·ε without the mean": np.exp(log_var / 2) * eps,
        "z must depend on ε": mu,
        "σ multiplies ε alone: μ + σ·ε": np.exp(log_var / 2) * (mu + eps),
        "halve the logarithm, not the variance: exp(log_var / 2)": mu + np.exp(log_var) / 2 * eps,
        "this is ε from z, (z − μ)/σ: z from ε is asked for": (eps - mu) * np.exp(-log_var / 2),
        "ε is not scaled: multiply by σ = exp(log_var / 2)": mu + eps,
        "σ = exp(log_var / 2); the root of a logarithm is no deviation": (
            mu + np.sqrt(np.abs(log_var)) * eps
        ),
    }


# ---------------------------------------------------------------- 12.3
@exercise(
    "12.3",
    hints=(
        "One pixel costs −x ln p − (1 − x) ln(1 − p) with p = σ(logit).",
        "In logits that is ln(1 + eˡ) − x·l. np.logaddexp(0, l) computes the first part safely.",
        "Sum over the pixels of each image, not over the images.",
    ),
    why="−ln p(x|z) of independent pixels is a sum over pixels; the softplus form never overflows "
    "and never takes the logarithm of 0.",
)
def reconstruction_nats(logits, x):
    """−ln p(x|z) of each image in nats, for pixels x in [0, 1]: (N, D), (N, D) → (N,)."""
    return (np.logaddexp(0, logits) - x * logits).sum(axis=1)


@reconstruction_nats.check
def _(answer, rng):
    for scale in (1, 3, 900):  # the last one overflows in a naive form
        N, D = sizes(rng, 2)
        logits, x = scale * rng.normal(size=(N, D)), rng.random((N, D))
        # independent: the larger of l and 0 taken out by hand
        parts = np.maximum(logits, 0) + np.log1p(np.exp(-np.abs(logits))) - x * logits
        agree(answer, (logits, x), [row.sum() for row in parts], "the reconstruction")


@reconstruction_nats.mistakes
def _(logits, x):
    parts = np.logaddexp(0, logits) - x * logits
    p = 1 / (1 + np.exp(-logits))
    return {
        f"{tiny:g} added inside the logarithm changes large losses: use np.logaddexp": (
            -(x * np.log(p + tiny) + (1 - x) * np.log(1 - p + tiny)).sum(axis=1)
        )
        for tiny in TINY
    } | {
        "black pixels count, too: − (1 − x) ln(1 − p) is missing": (
            (x * np.logaddexp(0, -logits)).sum(axis=1)
        ),
        "white pixels count, too: − x ln p is missing": (
            ((1 - x) * np.logaddexp(0, logits)).sum(axis=1)
        ),
        "sum over the pixels: a mean makes the divergence D times as heavy": parts.mean(axis=1),
        "one number for each image: sum over the pixels only": parts.sum(),
        "that is ln p(x|z); the loss is its negative": -parts.sum(axis=1),
        "x and 1 − x are exchanged: black pixels are x = 0": (
            reconstruction_nats.reference(logits, 1 - x)
        ),
        "this is the squared error; the pixels are Bernoulli": ((p - x) ** 2).sum(axis=1),
        "large logits overflow: use np.logaddexp(0, logits) − x·logits": (
            -(x * np.log(p) + (1 - x) * np.log(1 - p)).sum(axis=1)
        ),
        "exp(logits) overflows where logits are large: use np.logaddexp(0, logits)": (
            (np.log(1 + np.exp(logits)) - x * logits).sum(axis=1)
        ),
    }


# ---------------------------------------------------------------- 12.4
@exercise(
    "12.4",
    hints=(
        "Write the loss that you want: Σ over pixels + β·Σ over dimensions.",
        "A mean over D pixels computes (1/D)·Σ. Multiply the whole loss by D.",
        "What then stands before the sum over the dimensions? A mean over d of them divides by d.",
    ),
    why="Multiplying a loss by a constant moves no minimum, so only the ratio of the terms counts: "
    "a mean over D pixels multiplies β by D, a mean over d dimensions divides it by d.",
)
def effective_beta(shape, pixels, dimensions):
    """The β of Σ + β·Σ to which a loss amounts whose two terms are taken as told.

    `shape` is the array (D, d). `pixels` and `dimensions` are "sum" or "mean": how the
    reconstruction is reduced over D pixels and the divergence over d dimensions.
    """
    D, d = shape
    return (D if pixels == "mean" else 1) / (d if dimensions == "mean" else 1)


@effective_beta.check
def _(answer, rng):
    for pixels, dimensions in itertools.product(("mean", "sum"), ("sum", "mean")):
        for D, d in ((784, 20), (int(rng.integers(50, 99)), int(rng.integers(2, 9))), (6, 6)):
            # independent: reduce ones, and see what a unit of each term weighs
            r = getattr(np, pixels)(np.ones(D)) / D
            k = getattr(np, dimensions)(np.ones(d)) / d
            args = np.array([D, d]), pixels, dimensions
            agree(answer, args, k / r, "β", quote="all")


@effective_beta.mistakes
def _(shape, pixels, dimensions):
    D = shape[0] if pixels == "mean" else 1
    d = shape[1] if dimensions == "mean" else 1
    is_mean = [kind == "mean" for kind in (pixels, dimensions)]
    return {
        "two means do not cancel: D and d differ": 1 if all(is_mean) else D / d,
        "sum and mean are exchanged": effective_beta.reference(
            shape, *("sum" if mean else "mean" for mean in is_mean)
        ),
        "pixels and dimensions are exchanged": effective_beta.reference(shape, dimensions, pixels),
        "D and d are exchanged in shape: (D, d)": effective_beta.reference(
            shape[::-1], pixels, dimensions
        ),
        "784 and 20 are those of the chapter: D and d stand in shape": (
            effective_beta.reference((784, 20), pixels, dimensions)
        ),
        "D/d holds for two means only": shape[0] / shape[1] if any(is_mean) else 1,
        "D/d is right for two means only, look at both arguments": shape[0] / shape[1],
        "a mean over the pixels makes β larger, by D": 1 / D / d,
        "upside down: a mean over the pixels makes the divergence heavier": d / D,
        "a mean over the pixels changes β too": 1 / d,
        "a mean over the dimensions divides the divergence by d": D,
        "a mean divides its own term: over the dimensions it makes β smaller": D * d,
    }


# ---------------------------------------------------------------- 12.5
@exercise(
    "12.5",
    hints=(
        "A dimension that the encoder does not use has the same μ for every image.",
        "So look at the variance of μ over the images: mu.var(axis=0).",
        "Count the dimensions whose variance is larger than the threshold.",
    ),
    why="Where q(z|x) equals the prior for every x, μ is constant: its variance over the images is "
    "0, whatever σ is (Burda et al., 2016).",
)
def active_units(mu, threshold):
    """How many dimensions of the code (N, d) have a variance over the images above `threshold`."""
    return int((mu.var(axis=0) > threshold).sum())


@active_units.check
def _(answer, rng):
    for N, d, awake in ((50, 20, 7), (200, 8, 0), (30, 12, 12), (12, 60, 25)):
        scale = np.where(rng.permutation(d) < awake, 1.0, 1e-3)
        mu = 3 + scale * rng.permuted(np.tile(np.linspace(-1, 1, N), (d, 1)), axis=1).T
        agree(answer, (mu, 0.01), awake, f"the number of active dimensions of {d}")
    pair, outlier = np.array([[0.0], [2.0]]), np.array([[0.0]] * 9 + [[3.0]])
    for mu, threshold, count in (  # variances of 1 and 0.81; other spreads lie elsewhere
        *((pair, 1.0, 0), (pair, 0.99, 1), (outlier, 0.85, 0), (outlier, 0.8, 1)),
        *((outlier, 1.0, 0), (2 * outlier, 4.0, 0), (2 * outlier, 3.0, 1)),
        *((2 * pair, 3.0, 1), (pair[:1], 0.5, 0), (pair * [1, 0, 2], 0.5, 2)),
        *((3 * pair, 9.0, 0), (pair * [2, 3], 4.0, 1), (pair * 0.5, 0.3, 0), (-pair, 0.5, 1)),
        *((np.array([[0.0], [1.0], [2.0]]), t, 0) for t in (1.5, 0.8)),
        *((pair + 50.0, 2.0, 0), (pair * [0.1, 0.2], 0.02, 1), (pair * 0.5, 0.24, 1)),
    ):
        agree(answer, (mu, threshold), count, "the number of active dimensions", quote="all")


@active_units.mistakes
def _(mu, threshold):
    active = mu.var(axis=0) > threshold
    return {
        "this compares the standard deviation: take the variance": (
            (mu.std(axis=0) > threshold).sum()
        ),
        "a variance at the threshold is not above it": (mu.var(axis=0) >= threshold).sum(),
        "the variance is divided by N − 1 here: np.var divides by N": (
            (mu.var(axis=0) * len(mu) / max(len(mu) - 1, 1) > threshold).sum()
        ),
        "0.01 is the threshold of the paper: take the argument": (mu.var(axis=0) > 0.01).sum(),
        "this is a sum of squares: divide it by N": (
            (((mu - mu.mean(axis=0)) ** 2).sum(axis=0) > threshold).sum()
        ),
        "this is the mean of μ²: subtract the mean of μ first": (
            ((mu**2).mean(axis=0) > threshold).sum()
        ),
        "this is the range of μ: take the variance": (np.ptp(mu, axis=0) > threshold).sum(),
        "this is the largest deviation: take the variance": (
            (np.abs(mu - mu.mean(axis=0)).max(axis=0) > threshold).sum()
        ),
        "this is the mean deviation: take the variance": (
            (np.abs(mu - mu.mean(axis=0)).mean(axis=0) > threshold).sum()
        ),
        "a constant mean is no activity: take the variance, not the size of μ": (
            (np.abs(mu).mean(axis=0) > threshold).sum()
        ),
        "that counts the dimensions which sleep": (~active).sum(),
        "the variance goes over the images: axis 0": (mu.var(axis=1) > threshold).sum(),
        "that is a share; the number is wanted": active.mean(),
    }


# ---------------------------------------------------------------- 12.6
@exercise(
    "12.6",
    hints=(
        "Let t go from 0 to 1 in `steps` values, both ends included: np.linspace(0, 1, steps).",
        "Each code is (1 − t)·a + t·b. Give t an axis more, so that it meets the d numbers.",
        "t = np.linspace(0, 1, steps)[:, None], then (1 - t) * a + t * b",
    ),
    why="Halfway between two codes the decoder still draws strokes; halfway between two images "
    "lies a double exposure. (In many dimensions the middle lies nearer to the center than both "
    "ends: chapter 13.)",
)
def interpolate(a, b, steps):
    """`steps` codes in equal distances on the line from a to b, both included: (steps, d)."""
    t = np.linspace(0, 1, steps)[:, None]
    return (1 - t) * a + t * b


@interpolate.check
def _(answer, rng):
    for _ in range(3):
        d, steps = sizes(rng, 2)
        a, b = rng.normal(size=(2, d))
        expected = [a + k * (b - a) / (steps - 1) for k in range(steps)]
        agree(answer, (a, b, steps), expected, "the line of codes")


@interpolate.mistakes
def _(a, b, steps):
    line = interpolate.reference
    return {
        "the line runs from a to b, not back": line(b, a, steps),
        "b itself must be the last code": line(a, b, steps + 1)[:-1],
        "both ends count as steps": line(a, b, steps + 2)[1:-1],
        "the places are not in equal distances: t must grow evenly": (
            a + np.linspace(0, 1, steps)[:, None] ** 2 * (b - a)
        ),
        "`steps` codes have steps − 1 gaps: one code is too many": line(a, b, steps + 1),
        "this is a walk on the sphere: a straight line is asked for": _slerp(a, b, steps),
        "the weights of a and b must add up to 1": line(a, a + b, steps),
    }


def _slerp(a, b, steps):
    t = np.linspace(0, 1, steps)[:, None]
    angle = np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    return (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)


interpolate.wrongs({"transposed": lambda a, b, steps: interpolate.reference(a, b, steps).T})


# ---------------------------------------------------------------- 12.7
@exercise(
    "12.7",
    hints=(
        "First step: for each point the nearest center, by ‖x − c‖². Second: means of the groups.",
        "((x[:, None] - centers) ** 2).sum(axis=2) holds all squared distances, (N, K).",
        "A center that no point is nearest to has no mean: leave it where it is.",
    ),
    why="Both steps lower the sum of squared distances to the own center or leave it, and there "
    "are finitely many groupings, so k-means ends; at a local minimum, not always the best one.",
)
def kmeans_step(x, centers):
    """Group points (N, d) by their nearest center (K, d); return groups (N,) and new centers."""
    groups = ((x[:, None] - centers) ** 2).sum(axis=2).argmin(axis=1)
    moved = centers.copy()
    for k in np.unique(groups):
        moved[k] = x[groups == k].mean(axis=0)
    return groups, moved


@kmeans_step.check
def _(answer, rng):
    for _ in range(3):
        d, K = sizes(rng, 2)
        x, centers = rng.normal(size=(60, d)), rng.normal(size=(K, d))
        centers[1] = 50.0  # nobody's
        groups = np.array([np.argmin([np.linalg.norm(p - c) for c in centers]) for p in x])
        means = [
            x[groups == k].mean(axis=0) if k in groups else center
            for k, center in enumerate(centers)
        ]
        agree(answer, (x, centers), {"the groups": groups, "the centers": means})
    x = np.array([[0.0, 0.0], [0.0, 2.0], [4.0, 0.0], [5.0, 3.0]])
    for centers, groups, means in (  # an empty group, a near one along the axes, one for all
        ([[0.0, 1.0], [9.0, 9.0], [5.0, 1.0]], [0, 0, 2, 2], [[0.0, 1.0], [9.0, 9.0], [4.5, 1.5]]),
        ([[1.0, 0.0], [3.0, 2.0]], [0, 0, 1, 1], [[0.0, 1.0], [4.5, 1.5]]),
        ([[2.0, 1.0]], [0, 0, 0, 0], [[2.25, 1.25]]),
    ):
        expected = {"the groups": groups, "the centers": means}
        agree(answer, (x, np.array(centers)), expected)


@kmeans_step.mistakes
def _(x, centers):
    groups, _ = kmeans_step.reference(x, centers)
    belongs = np.eye(len(centers))[groups]
    sums, counts = belongs.T @ x, belongs.sum(axis=0)[:, None]
    squares = ((x[:, None] - centers) ** 2).sum(axis=2)
    farthest, sizes = squares.argmax(axis=1), np.abs(x[:, None] - centers).sum(axis=2)
    moved = kmeans_step.reference(x, centers)[1]
    return {
        "the nearest center is that of the straight distance: add up squares, not sizes": (
            sizes.argmin(axis=1),
            ...,
        ),
        "the groups are those by the old centers, before they move": (
            ((x[:, None] - moved) ** 2).sum(axis=2).argmin(axis=1),
            ...,
        ),
        "a center moves all the way to the mean of its group": (..., (centers + moved) / 2),
        "a center moves to the mean of its group, not to the nearest point": (
            ...,
            x[squares.argmin(axis=0)],
        ),
        "{part}: a mean over all coordinates; each coordinate has its own": (
            ...,
            np.array(
                [
                    np.full(x.shape[1], x[groups == k].mean()) if k in groups else c
                    for k, c in enumerate(centers)
                ]
            ),
        ),
        "a group moves to its median here: k-means takes the mean": (
            ...,
            np.array(
                [
                    np.median(x[groups == k], axis=0) if k in groups else c
                    for k, c in enumerate(centers)
                ]
            ),
        ),
        "the nearest center has the smallest distance": (farthest, ...),
        "the centers have not moved to the means of their groups": (..., centers),
        "a center without points must stay: the mean of nothing is NaN": (..., sums / counts),
        "a center without points must stay where it is, not go to 0": (
            ...,
            sums / np.maximum(counts, 1),
        ),
        "divide the sum of a group by its own number of points": (..., sums / len(x)),
    }


# ---------------------------------------------------------------- 12.8
@exercise(
    "12.8",
    hints=(
        "In each group, only the most frequent label counts as right.",
        "np.bincount(labels[groups == k]).max() counts it for the group k.",
        "Add these up over all groups and divide by the number of points.",
    ),
    why="Names of groups are arbitrary, so each group is read as its most frequent label. "
    "Splitting a group can only raise purity, and a group for each point has purity 1: quote the "
    "number of groups with it.",
)
def group_purity(groups, labels):
    """Share of points whose label is the most frequent one of their group: (N,), (N,) → number."""
    counts = [np.bincount(labels[groups == k]).max() for k in np.unique(groups)]
    return sum(counts) / len(labels)


@group_purity.check
def _(answer, rng):
    for _ in range(3):
        K = int(rng.integers(4, 7))
        groups = rng.choice([k for k in range(K) if k != 2], size=90)
        labels = np.where(rng.random(90) < 0.6, (groups * 3) % 7, rng.integers(0, 7, 90))
        table = {}
        for g, y in zip(groups.tolist(), labels.tolist(), strict=True):
            table.setdefault(g, []).append(y)
        best = [max(ys.count(y) for y in ys) for ys in table.values()]
        agree(answer, (groups, labels), sum(best) / 90, "the purity")
    for groups, labels, purity in (  # one label for two groups, a tie, a single point
        ([0, 0, 1, 1], [5, 5, 5, 5], 1.0),
        ([2, 2, 7, 7, 7], [1, 3, 3, 3, 1], 0.6),
        ([4], [0], 1.0),
        ([12, 12, 30, 30, 12], [0, 1, 11, 12, 1], 0.6),
        ([0, 1, 2], [9, 9, 8], 1.0),
        ([99, 99, 4], [3, 3, 2], 1.0),
        ([1, 1, 1, 1], [0, 1, 2, 3], 0.25),
        ([0, 0, 0, 5], [7, 6, 6, 6], 0.75),
    ):
        agree(answer, (np.array(groups), np.array(labels)), purity, "the purity", quote="all")


@group_purity.mistakes
def _(groups, labels):
    inside = [labels[groups == k] for k in np.unique(groups)]
    best = [np.bincount(part).max() for part in inside]
    leaders = [np.bincount(part).argmax() for part in inside]
    return {
        "divide by the number of points, not by that of the groups": sum(best) / len(best),
        "the last group is left out": sum(best[:-1]) / len(labels),
        "groups are numbered from 0 to 9 here: go through np.unique(groups)": (
            sum(b for k, b in zip(np.unique(groups), best, strict=True) if k < 10) / len(labels)
        ),
        "the leader of a group is its most frequent label, not its first": (
            sum((part == part[0]).sum() for part in inside) / len(labels)
        ),
        "the most frequent label of all is not that of each group": (
            np.mean(labels == np.bincount(labels).argmax())
        ),
        "that is the share of groups with one label only: count points": np.mean(
            [len(set(part.tolist())) == 1 for part in inside]
        ),
        "the number of a label is added: add up how often it occurs": sum(leaders) / len(labels),
        "max of the labels is their largest number, not the most frequent one": (
            sum((part == part.max()).sum() for part in inside) / len(labels)
        ),
        "the name of a group is arbitrary: it need not equal the label": (groups == labels).mean(),
        "weigh the groups by their sizes": np.mean(best / np.array([len(p) for p in inside])),
        "that is a count; divide by the number of points": sum(best),
        "exchanged: go through the groups and count labels": group_purity.reference(labels, groups),
    }


# ---------------------------------------------------------------- 12.9
@exercise(
    "12.9",
    hints=(
        "ln p(x) ≈ ln (1/K) Σₖ wₖ with wₖ = p(x|zₖ) p(zₖ) / q(zₖ|x). You are given ln wₖ.",
        "e^(−120) is fine, but e^(−1000) is 0: take the largest logarithm out before exp.",
        "m = log_w.max(axis=1), then m + ln(mean of exp(log_w − m)).",
    ),
    why="The logarithm of a mean is at least the mean of the logarithms (Jensen), so K samples "
    "bound ln p(x) more tightly than one; with K → ∞ the bound is exact (Burda et al., 2016).",
)
def importance_bound(log_w):
    """Log of the mean of K weights, given their logarithms (N, K) → (N,); must not underflow."""
    m = log_w.max(axis=1)
    return m + np.log(np.exp(log_w - m[:, None]).mean(axis=1))


@importance_bound.check
def _(answer, rng):
    for shift in (0.0, 0.0, -2000.0):
        N, K = sizes(rng, 2)
        log_w = shift + 2 * rng.normal(size=(N, K))
        # independent: logaddexp, two at a time
        expected = np.logaddexp.reduce(log_w, axis=1) - np.log(K)
        agree(answer, (log_w,), expected, "the bound")
    log_w = np.array([[0.0, -2000.0], [-2000.0, -2000.0], [1000.0, 0.0]])
    expected = [-math.log(2), -2000.0, 1000 - math.log(2)]
    agree(answer, (log_w,), expected, "the bound of rows of very different heights")
    log_w = np.array([[900.0, 900.0], [-900.0, -900.0]])
    agree(answer, (log_w,), [900.0, -900.0], "the bound of rows of very different heights")
    agree(answer, (np.array([[-3.0], [5.0]]),), [-3.0, 5.0], "the bound of a single weight")


@importance_bound.mistakes
def _(log_w):
    bound, largest = importance_bound.reference(log_w), log_w.max(axis=1)
    K = log_w.shape[1]
    return {
        f"{tiny:g} added inside the logarithm hides small weights: take the largest out": (
            np.log(np.exp(log_w).mean(axis=1) + tiny)
        )
        for tiny in TINY
    } | {
        "ln K is added: it must be subtracted": bound + 2 * np.log(K),
        "the mean is inside the logarithm: subtract ln K, do not divide by K": (
            (bound + np.log(K)) / K
        ),
        "one maximum for all rows: take that of each row": (
            log_w.max() + np.log(np.exp(log_w - log_w.max()).mean(axis=1))
        ),
        "the mean is over the K weights of an image, axis 1": (
            log_w.max(axis=0) + np.log(np.exp(log_w - log_w.max(axis=0)).mean(axis=0))
        ),
        "that is the ELBO, the mean of the logarithms: take the mean first": log_w.mean(axis=1),
        "a mean, not a sum: subtract ln K": bound + np.log(log_w.shape[1]),
        "the largest weight alone is too optimistic": largest,
        "the largest logarithm was taken out and must be added again": bound - largest,
        "exp underflows to 0: take the largest logarithm out first": (
            np.log(np.exp(log_w).mean(axis=1))
        ),
    }


# ---------------------------------------------------------------- 12.10
@exercise(
    "12.10",
    hints=(
        "“3 plus what makes a 7 heavy”: directions in the space of codes can be averaged too.",
        "The direction from digit a to digit b is mean(codes of b) − mean(codes of a).",
        "Add it to each code of an a: mu[labels == a] + (mean of b − mean of a).",
    ),
    why="A translation by the difference of the two means carries one group onto the place of the "
    "other and keeps what the codes of a differ in: slant, width, thickness.",
)
def morph(mu, labels, a, b):
    """Codes (N, d) of the digits a, moved by the difference between the mean codes of b and a."""
    return mu[labels == a] + mu[labels == b].mean(axis=0) - mu[labels == a].mean(axis=0)


@morph.check
def _(answer, rng):
    for _ in range(3):
        d, first, second = sizes(rng, 3)
        labels = rng.permutation(np.repeat(np.arange(3), (first, second, 3)))
        mu = rng.normal(size=(len(labels), d)) + 3 * rng.normal(size=(3, d))[labels]
        a, b = rng.permutation(2).tolist()
        ours, theirs = (
            np.array([row for row, y in zip(mu, labels, strict=True) if y == c]) for c in (a, b)
        )
        shift = theirs.sum(axis=0) / len(theirs) - ours.sum(axis=0) / len(ours)
        agree(answer, (mu, labels, a, b), ours + shift, "the moved codes")
    mu, labels = np.array([[0.0, 1.0], [10.0, 0.0], [2.0, 7.0]]), np.array([7, 3, 7])
    agree(answer, (mu, labels, 7, 3), [[9.0, -3.0], [11.0, 3.0]], "the moved codes")
    agree(answer, (mu, labels, 3, 7), [[1.0, 4.0]], "the moved codes")


def _moved(mu, labels, a, b):
    return mu[labels == a] + mu[labels == b].mean(axis=0) - mu[labels == a].mean(axis=0)


@morph.mistakes
def _(mu, labels, a, b):
    ours, center = mu[labels == a], mu[labels == b].mean(axis=0)
    theirs, shift = mu[labels == b], center - ours.mean(axis=0)
    return {
        "the means are vectors: mean(axis=0), not one number": ours + theirs.mean() - ours.mean(),
        "the mean is over the codes, axis 0, not over the dimensions of each": (
            ours + center.mean() - ours.mean(axis=1, keepdims=True)
        ),
        "the difference of the means is asked for, not of the medians": (
            ours + np.median(theirs, axis=0) - np.median(ours, axis=0)
        ),
        "each code moves by the whole difference, not by a part": ours + shift / 2,
        "the mean of all codes does not count: subtract that of a": ours + center - mu.mean(axis=0),
        "a single code of b is no mean of b": ours + theirs[0] - ours.mean(axis=0),
        "single codes are no means: average those of a and of b": ours + theirs[0] - ours[0],
        "the digits b are moved: move those of a": theirs + shift,
        "b moves to a here: the digits a must move": theirs - shift,
        "3 and 7 are an example: take a and b": _moved(mu, labels, 3, 7),
        "that moves away from b: the direction is mean of b − mean of a": ours - shift,
        "subtract the mean of a, or the codes land beyond b": ours + center,
        "each digit must keep its own deviation from the mean of a": 0 * ours + center,
        "only the digits a are wanted": mu + shift,
    }
