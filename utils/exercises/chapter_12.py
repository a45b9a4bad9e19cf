"""Exercises of chapter 12, Variational autoencoders."""

from __future__ import annotations

import numpy as np

from utils.exercises._compare import Wrong, numbers, same, sizes, unpack
from utils.exercises._exercise import exercise


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
    for _ in range(3):
        mu, log_var = _code(rng)
        var = np.exp(log_var)
        parts = mu**2 + var - 1 - log_var
        # independent: the same from the definition, with numbers of a quadrature
        points, weights = np.polynomial.hermite_e.hermegauss(20)
        z = mu[..., None] + np.sqrt(var)[..., None] * points
        log_ratio = (z**2 - points**2) / 2 - log_var[..., None] / 2
        expected = (log_ratio * weights).sum(-1).sum(1) / np.sqrt(2 * np.pi)
        known = {
            "the factor ½ is missing": parts.sum(1),
            "log_var is ln σ², not ln σ: σ² = exp(log_var)": (mu**2 + var**2 - 1 - 2 * log_var).sum(
                1
            )
            / 2,
            "log_var is ln σ²; the formula needs σ² itself: exp(log_var)": (
                mu**2 + log_var - 1 - log_var
            ).sum(1)
            / 2,
            "sum over the dimensions; a mean divides the divergence by d": parts.mean(1) / 2,
            "one number for each code: sum over the dimensions only": parts.sum() / 2,
            "the sign of ln σ² is wrong: a wide q costs σ², a narrow one − ln σ²": (
                mu**2 + var - 1 + log_var
            ).sum(1)
            / 2,
        }
        same(answer(mu, log_var), expected, "the divergence", known=known)


@kl_normal.wrong("the factor ½")
def _no_half(mu, log_var):
    return (mu**2 + np.exp(log_var) - 1 - log_var).sum(axis=1)


@kl_normal.wrong("ln σ², not ln σ")
def _log_sigma(mu, log_var):
    return (mu**2 + np.exp(2 * log_var) - 1 - 2 * log_var).sum(axis=1) / 2


@kl_normal.wrong("a mean divides")
def _mean_of_dimensions(mu, log_var):
    return (mu**2 + np.exp(log_var) - 1 - log_var).mean(axis=1) / 2


@kl_normal.wrong("one number for each code")
def _sum_of_all(mu, log_var):
    return (mu**2 + np.exp(log_var) - 1 - log_var).sum() / 2


@kl_normal.wrong("sign of ln σ²")
def _sign_of_log(mu, log_var):
    return (mu**2 + np.exp(log_var) - 1 + log_var).sum(axis=1) / 2


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
        known = {
            "ε must be multiplied by σ, not by σ²: exp(log_var / 2)": mu + np.exp(log_var) * eps,
            "log_var is a logarithm: σ = exp(log_var / 2)": mu + log_var * eps,
            "that is σ·ε without the mean": np.exp(log_var / 2) * eps,
            "z must depend on ε": mu,
            "σ = exp(log_var / 2); the root of a logarithm is no deviation": mu
            + np.sqrt(np.abs(log_var)) * eps,
        }
        same(answer(mu, log_var, eps), mu + np.sqrt(np.exp(log_var)) * eps, "z", known=known)


@reparameterize.wrong("not by σ²")
def _variance(mu, log_var, eps):
    return mu + np.exp(log_var) * eps


@reparameterize.wrong("log_var is a logarithm")
def _no_exp(mu, log_var, eps):
    return mu + log_var * eps


@reparameterize.wrong("without the mean")
def _no_mean(mu, log_var, eps):
    return np.exp(log_var / 2) * eps


@reparameterize.wrong("must depend on ε")
def _no_chance(mu, log_var, eps):
    return mu


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
        expected = np.array([row.sum() for row in parts])
        known = {
            "sum over the pixels: a mean makes the divergence D times as heavy": parts.mean(1),
            "one number for each image: sum over the pixels only": parts.sum(),
            "that is ln p(x|z); the loss is its negative": -expected,
            "x and 1 − x are exchanged: black pixels are x = 0": (parts + (2 * x - 1) * logits).sum(
                1
            ),
            "this is the squared error; the pixels are Bernoulli": (
                (1 / (1 + np.exp(-np.clip(logits, -500, 500))) - x) ** 2
            ).sum(1),
        }
        got = numbers(answer(logits, x), "the reconstruction")
        if scale == 900 and not np.isfinite(got).all():
            raise Wrong("large logits overflow: use np.logaddexp(0, logits) − x·logits")
        same(got, expected, "the reconstruction", known=known)


@reconstruction_nats.wrong("a mean makes")
def _mean_of_pixels(logits, x):
    return (np.logaddexp(0, logits) - x * logits).mean(axis=1)


@reconstruction_nats.wrong("one number for each image")
def _sum_of_images(logits, x):
    return (np.logaddexp(0, logits) - x * logits).sum()


@reconstruction_nats.wrong("large logits overflow")
def _naive(logits, x):
    with np.errstate(all="ignore"):
        p = 1 / (1 + np.exp(-logits))
        return -(x * np.log(p) + (1 - x) * np.log(1 - p)).sum(axis=1)


@reconstruction_nats.wrong("its negative")
def _log_likelihood(logits, x):
    return (x * logits - np.logaddexp(0, logits)).sum(axis=1)


@reconstruction_nats.wrong("squared error")
def _squares(logits, x):
    return ((1 / (1 + np.exp(-np.clip(logits, -500, 500))) - x) ** 2).sum(axis=1)


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
    for D, d in ((784, 20), (int(rng.integers(50, 99)), int(rng.integers(2, 9)))):
        for pixels in ("mean", "sum"):
            for dimensions in ("sum", "mean"):
                # independent: reduce ones, and see what a unit of each term weighs
                r = getattr(np, pixels)(np.ones(D)) / D
                k = getattr(np, dimensions)(np.ones(d)) / d
                known = {
                    "upside down: a mean over the pixels makes the divergence heavier": r / k,
                    "a mean over the pixels changes β too": k,
                    "a mean over the dimensions divides the divergence by d": 1 / r,
                    "a mean divides its own term: over the dimensions it makes β smaller": 1
                    / (r * k),
                }
                what = f"effective_beta([{D}, {d}], {pixels!r}, {dimensions!r})"
                same(answer(np.array([D, d]), pixels, dimensions), k / r, what, known=known)


@effective_beta.wrong("upside down")
def _upside_down(shape, pixels, dimensions):
    D, d = shape
    return (d if dimensions == "mean" else 1) / (D if pixels == "mean" else 1)


@effective_beta.wrong("changes β too")
def _no_pixels(shape, pixels, dimensions):
    return 1 / (shape[1] if dimensions == "mean" else 1)


@effective_beta.wrong("makes β smaller")
def _product(shape, pixels, dimensions):
    return (shape[0] if pixels == "mean" else 1) * (shape[1] if dimensions == "mean" else 1)


@effective_beta.wrong("over the dimensions divides")
def _no_dimensions(shape, pixels, dimensions):
    return shape[0] if pixels == "mean" else 1


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
        known = {
            "a constant mean is no activity: take the variance, not the size of μ": int(
                (np.abs(mu).mean(0) > 0.01).sum()
            ),
            "that counts the dimensions which sleep": d - awake,
            "the variance goes over the images: axis 0": int((mu.var(axis=1) > 0.01).sum()),
            "that is a share; the number is wanted": awake / d,
        }
        what = f"the number of active dimensions of {d}"
        same(answer(mu, 0.01), awake, what, known=known if awake not in (0, d) else {})


@active_units.wrong("a constant mean")
def _size(mu, threshold):
    return int((np.abs(mu).mean(axis=0) > threshold).sum())


@active_units.wrong("which sleep")
def _asleep(mu, threshold):
    return int((mu.var(axis=0) <= threshold).sum())


@active_units.wrong("over the images")
def _over_dimensions(mu, threshold):
    return int((mu.var(axis=1) > threshold).sum())


@active_units.wrong("a share")
def _share(mu, threshold):
    return (mu.var(axis=0) > threshold).mean()


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
        expected = np.array([a + k * (b - a) / (steps - 1) for k in range(steps)])
        known = {
            "the line runs from a to b, not back": expected[::-1],
            "b itself must be the last code": np.array(
                [a + k * (b - a) / steps for k in range(steps)]
            ),
            "both ends count as steps": np.array(
                [a + k * (b - a) / (steps + 1) for k in range(1, steps + 1)]
            ),
            "the weights of a and b must add up to 1": np.array(
                [a + k * b / (steps - 1) for k in range(steps)]
            ),
        }
        same(answer(a, b, steps), expected, "the line of codes", known=known)


@interpolate.wrong("not back")
def _backward(a, b, steps):
    t = np.linspace(0, 1, steps)[:, None]
    return t * a + (1 - t) * b


@interpolate.wrong("b itself")
def _no_end(a, b, steps):
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    return (1 - t) * a + t * b


@interpolate.wrong("must add up to 1")
def _sum_of_both(a, b, steps):
    return a + np.linspace(0, 1, steps)[:, None] * b


@interpolate.wrong("transposed")
def _transposed(a, b, steps):
    t = np.linspace(0, 1, steps)
    return np.outer(a, 1 - t) + np.outer(b, t)


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
        distances = np.array([[np.linalg.norm(p - c) for c in centers] for p in x])
        expected = distances.argmin(axis=1)
        groups, moved = unpack(answer(x, centers), "the groups", "the centers")
        known = {"the nearest center has the smallest distance": distances.argmax(axis=1)}
        same(groups, expected, "the groups", known=known)
        means = np.array(
            [x[expected == k].mean(0) if (expected == k).any() else centers[k] for k in range(K)]
        )
        got = numbers(moved, "the centers", None)
        if got.shape == means.shape and np.isnan(got[1]).all():
            raise Wrong("a center without points must stay: the mean of nothing is NaN")
        zero = means.copy()
        zero[1] = 0
        known = {
            "the centers have not moved to the means of their groups": centers,
            "a center without points must stay where it is, not go to 0": zero,
            "divide the sum of a group by its own number of points": np.array(
                [x[expected == k].sum(0) / len(x) for k in range(K)]
            ),
        }
        same(moved, means, "the centers", known=known)


@kmeans_step.wrong("smallest distance")
def _farthest(x, centers):
    groups = ((x[:, None] - centers) ** 2).sum(axis=2).argmax(axis=1)
    return groups, centers


@kmeans_step.wrong("have not moved")
def _no_move(x, centers):
    return ((x[:, None] - centers) ** 2).sum(axis=2).argmin(axis=1), centers


@kmeans_step.wrong("without points must stay: the mean of nothing")
def _nan(x, centers):
    groups = ((x[:, None] - centers) ** 2).sum(axis=2).argmin(axis=1)
    with np.errstate(invalid="ignore"):
        onehot = np.eye(len(centers))[groups]
        return groups, (onehot.T @ x) / onehot.sum(axis=0)[:, None]


@kmeans_step.wrong("its own number of points")
def _all_points(x, centers):
    groups = ((x[:, None] - centers) ** 2).sum(axis=2).argmin(axis=1)
    return groups, np.eye(len(centers))[groups].T @ x / len(x)


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
        known = {
            "the name of a group is arbitrary: it need not equal the label": (
                groups == labels
            ).mean(),
            "weigh the groups by their sizes": np.mean(
                [b / len(ys) for b, ys in zip(best, table.values(), strict=True)]
            ),
            "that is a count; divide by the number of points": sum(best),
            "exchanged: go through the groups and count labels": sum(
                np.bincount(groups[labels == y]).max() for y in np.unique(labels)
            )
            / 90,
        }
        same(answer(groups, labels), sum(best) / 90, "the purity", known=known)


@group_purity.wrong("name of a group")
def _accuracy(groups, labels):
    return (groups == labels).mean()


@group_purity.wrong("weigh the groups")
def _plain_mean(groups, labels):
    ks = np.unique(groups)
    return np.mean([np.bincount(labels[groups == k]).max() / (groups == k).sum() for k in ks])


@group_purity.wrong("that is a count")
def _count(groups, labels):
    return sum(np.bincount(labels[groups == k]).max() for k in np.unique(groups))


@group_purity.wrong("exchanged")
def _exchanged(groups, labels):
    counts = [np.bincount(groups[labels == y]).max() for y in np.unique(labels)]
    return sum(counts) / len(labels)


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
    for shift in (0.0, -2000.0):
        N, K = sizes(rng, 2)
        log_w = shift + 2 * rng.normal(size=(N, K))
        # independent: logaddexp, two at a time
        expected = np.logaddexp.reduce(log_w, axis=1) - np.log(K)
        known = {
            "that is the ELBO, the mean of the logarithms: take the mean first": log_w.mean(1),
            "a mean, not a sum: subtract ln K": expected + np.log(K),
            "the largest weight alone is too optimistic": log_w.max(1),
            "the largest logarithm was taken out and must be added again": expected - log_w.max(1),
        }
        got = numbers(answer(log_w), "the bound")
        if shift and np.isneginf(got).all():
            raise Wrong("exp underflows to 0: take the largest logarithm out first")
        same(got, expected, "the bound", known=known)


@importance_bound.wrong("that is the ELBO")
def _elbo(log_w):
    return log_w.mean(axis=1)


@importance_bound.wrong("subtract ln K")
def _sum_of_weights(log_w):
    m = log_w.max(axis=1)
    return m + np.log(np.exp(log_w - m[:, None]).sum(axis=1))


@importance_bound.wrong("underflows")
def _underflow(log_w):
    with np.errstate(divide="ignore"):
        return np.log(np.exp(log_w).mean(axis=1))


@importance_bound.wrong("must be added again")
def _forgotten(log_w):
    return np.log(np.exp(log_w - log_w.max(axis=1, keepdims=True)).mean(axis=1))


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
        labels = rng.permutation(np.repeat(np.arange(5), 9))
        mu = rng.normal(size=(45, 4)) + 3 * rng.normal(size=(5, 4))[labels]
        a, b = rng.permutation(5)[:2].tolist()
        ours = np.array([row for row, y in zip(mu, labels, strict=True) if y == a])
        center = np.array([row for row, y in zip(mu, labels, strict=True) if y == b]).sum(0) / 9
        shift = center - ours.sum(0) / 9
        known = {
            "that moves away from b: the direction is mean of b − mean of a": ours - shift,
            "subtract the mean of a, or the codes land beyond b": ours + center,
            "each digit must keep its own deviation from the mean of a": np.tile(center, (9, 1)),
            "only the digits a are wanted": mu + shift,
        }
        got = numbers(answer(mu, labels, a, b), "the moved codes")
        same(got, ours + shift, "the moved codes", known=known)


@morph.wrong("away from b")
def _away(mu, labels, a, b):
    return mu[labels == a] - mu[labels == b].mean(axis=0) + mu[labels == a].mean(axis=0)


@morph.wrong("land beyond b")
def _beyond(mu, labels, a, b):
    return mu[labels == a] + mu[labels == b].mean(axis=0)


@morph.wrong("own deviation")
def _all_alike(mu, labels, a, b):
    return np.tile(mu[labels == b].mean(axis=0), ((labels == a).sum(), 1))


@morph.wrong("only the digits a")
def _everybody(mu, labels, a, b):
    return mu + mu[labels == b].mean(axis=0) - mu[labels == a].mean(axis=0)
