"""Exercises of chapter 13, Generative adversarial networks."""

from __future__ import annotations

import numpy as np

from utils.exercises._agree import agree
from utils.exercises._compare import Wrong, numbers, sizes
from utils.exercises._exercise import exercise


def _distribution(rng, n):
    """Probabilities of n values."""
    return rng.dirichlet(np.ones(n))


# ---------------------------------------------------------------- 13.1
@exercise(
    "13.1",
    hints=(
        "At one place x the value of the game is p·ln D + q·ln(1 − D). Where is its slope 0?",
        "p/D = q/(1 − D) gives D = p/(p + q).",
        "Where p + q = 0 nothing is ever seen; put ½ there, with `np.where` or `np.divide`.",
    ),
    why="p·ln D + q·ln(1 − D) has the slope p/D − q/(1 − D), which is 0 at D = p/(p + q), and it "
    "bends downward everywhere, so that this is the maximum.",
)
def optimal(p, q):
    """The best discriminator (N,) for densities p and q (N,); ½ where both are 0."""
    total = p + q
    return np.divide(p, total, out=np.full(len(p), 0.5), where=total > 0)


@optimal.check
def _(answer, rng):
    for has_zeros in (False, False, True):
        n = sizes(rng, 1)[0] + 3
        p, q = rng.uniform(0.1, 2, (2, n))
        if has_zeros:
            p[0] = q[1] = p[2] = q[2] = 0
        expected = [a / (a + b) if a + b else 0.5 for a, b in zip(p, q, strict=True)]
        agree(answer, (p, q), expected, "D*", quote="entry")


@optimal.mistakes
def _(p, q):
    best = optimal.reference(p, q)
    return {
        "0/0 gives NaN where both densities are 0: put ½ there": p / (p + q),
        "that is the probability of a fake: the discriminator answers “real”": 1 - best,
        "that is the odds p/q, not a probability: divide by p + q": (
            np.divide(p, q, out=np.full(len(p), 0.5), where=q > 0)
        ),
        "where both densities are 0 it must be ½: nobody knows": best * (p + q > 0),
    }


# ---------------------------------------------------------------- 13.2
@exercise(
    "13.2",
    hints=(
        "First the mixture m = (p + q)/2, then two Kullback–Leibler divergences to it.",
        "KL(p‖m) = Σ p·ln(p/m), where a term with p = 0 is 0.",
        "JS = ½ KL(p‖m) + ½ KL(q‖m), with the natural logarithm.",
    ),
    why="Both are compared with their mixture m, which is 0 only where both are. So JS is finite "
    "even where p and q share nothing: then it is ln 2.",
)
def jensen_shannon(p, q):
    """Jensen–Shannon divergence of two discrete distributions (K,), in nats."""
    m = (p + q) / 2

    def kl(a):
        return (a[a > 0] * np.log(a[a > 0] / m[a > 0])).sum()

    return (kl(p) + kl(q)) / 2


@jensen_shannon.check
def _(answer, rng):
    for apart in (False, True):
        n = sizes(rng, 1)[0] + 3
        p, q = _distribution(rng, n), _distribution(rng, n)
        p[0] = q[1] = 0
        if apart:
            p[: n // 2] = 0
            q[n // 2 :] = 0
        p, q = p / p.sum(), q / q.sum()
        m = (p + q) / 2
        entropy = [-(a * np.log(np.where(a > 0, a, 1))).sum() for a in (p, q, m)]
        expected = entropy[2] - (entropy[0] + entropy[1]) / 2  # another way to write it
        agree(answer, (p, q), expected, "the divergence")


@jensen_shannon.mistakes
def _(p, q):
    m, divergence = (p + q) / 2, jensen_shannon.reference(p, q)
    one = (p[p > 0] * np.log(p[p > 0] / m[p > 0])).sum()
    return {
        "0·ln 0 gives NaN: leave out what has probability 0": (p * np.log(p / m)).sum(),
        "twice too large: half of each divergence": 2 * divergence,
        "that is in bits: take the natural logarithm": divergence / np.log(2),
        "only p is compared with the mixture; q must be, too": one,
        "only p is compared with the mixture, and by half; q must be, too": one / 2,
    }


# ---------------------------------------------------------------- 13.3
@exercise(
    "13.3",
    hints=(
        "The discriminator wants ln D(x) large for real x and ln(1 − D(x)) large for fake ones.",
        "−ln σ(r) = ln(1 + e^(−r)) and −ln(1 − σ(f)) = ln(1 + e^f).",
        "`np.logaddexp(0, -r).mean() + np.logaddexp(0, f).mean()` does not overflow.",
    ),
    why="The loss is minus the value of the game. Written with logits it never takes the logarithm "
    "of 0: ln(1 + eˢ) is about s for large s.",
)
def discriminator_loss(r, f):
    """Loss of D from its logits r (N,) for real and f (M,) for generated examples."""
    return np.logaddexp(0, -r).mean() + np.logaddexp(0, f).mean()


@discriminator_loss.check
def _(answer, rng):
    n, m = sizes(rng, 2)
    for scale in (1, 1, 400):
        r, f = scale * rng.normal(size=n), scale * rng.normal(size=m)
        if scale > 1:
            r[0], f[0] = -800.0, 800.0
        costs = (np.maximum(s, 0) + np.log1p(np.exp(-np.abs(s))) for s in (-r, f))
        agree(answer, (r, f), sum(cost.mean() for cost in costs), "the loss")


@discriminator_loss.mistakes
def _(r, f):
    def sigma(s):
        return 1 / (1 + np.exp(-s))

    a, b, deceived = np.logaddexp(0, -r), np.logaddexp(0, f), np.logaddexp(0, -f)
    return {
        "real and fake are exchanged": np.logaddexp(0, r).mean() + deceived.mean(),
        "that is the generator's loss: −ln D of the fakes": deceived.mean(),
        "that is the value of the game: the loss is its negative": -a.mean() - b.mean(),
        "a sum instead of a mean: the loss grows with the batch": a.sum() + b.sum(),
        "real and fake count as one batch: take the mean of each": np.concatenate([a, b]).mean(),
        "generated examples are missing": a.mean(),
        "the loss is infinite for large logits: use ln(1 + eˢ), not ln σ(s)": (
            -np.log(sigma(r)).mean() - np.log(1 - sigma(f)).mean()
        ),
    }


# ---------------------------------------------------------------- 13.4
@exercise(
    "13.4",
    hints=(
        "With D = σ(s): what is the derivative of ln(1 − σ(s)) in s? And of −ln σ(s)?",
        "d ln σ(s)/ds = 1 − σ(s), and d ln(1 − σ(s))/ds = −σ(s).",
        "Saturating −σ(s), non-saturating −(1 − σ(s)).",
    ),
    why="Where D is sure of a fake, σ(s) is nearly 0: ln(1 − D) is flat there, −ln D is steep. "
    "Both pull s upward, so both slopes are negative.",
)
def slopes(s):
    """Derivatives of ln(1 − σ(s)) and of −ln σ(s) in the logits s (N,): a pair of (N,)."""
    sigma = 1 / (1 + np.exp(-s))
    return -sigma, -(1 - sigma)


@slopes.check
def _(answer, rng):
    for _ in range(2):
        s = rng.normal(size=sizes(rng, 1)[0]) * 2
        up, down = s + 1e-6, s - 1e-6
        expected = {  # of ln(1 − σ) and of −ln σ
            "the saturating slope": (np.logaddexp(0, down) - np.logaddexp(0, up)) / 2e-6,
            "the non-saturating slope": (np.logaddexp(0, -up) - np.logaddexp(0, -down)) / 2e-6,
        }
        agree(answer, (s,), expected, quote="entry")


@slopes.mistakes
def _(s):
    first, second = slopes.reference(s)
    sigma = -first
    return {
        "the two are exchanged: ln(1 − σ) is flat where σ is small": (second, first),
        "the sign is wrong: both losses fall as the logit grows": (-first, -second),
        "that is the derivative in D; the chain to s is missing: times σ(1 − σ)": (
            -1 / (1 - sigma),
            -1 / sigma,
        ),
        "the sign of the second is wrong: −ln σ(s) falls as the logit grows": (..., -second),
        "the second is the derivative in D; times σ(1 − σ) leads to s": (..., -1 / sigma),
    }


# ---------------------------------------------------------------- 13.5
@exercise(
    "13.5",
    hints=(
        "In one dimension the covariances are variances, s² and t².",
        "tr(Σ + T − 2(Σ^½ T Σ^½)^½) becomes s² + t² − 2st, a square.",
        "(mean difference)² + (difference of the standard deviations)².",
    ),
    why="s² + t² − 2st = (s − t)². Only mean and spread count: two sets with equal moments have "
    "distance 0, however different they are.",
)
def frechet(a, b):
    """Squared Fréchet distance of two samples (N,) and (M,), each taken for a Gaussian."""
    return (a.mean() - b.mean()) ** 2 + (a.std() - b.std()) ** 2


@frechet.check
def _(answer, rng):
    from utils.metrics import frechet_distance as gaussian_distance

    for _ in range(2):
        n, m = (40 + k for k in sizes(rng, 2))
        a, b = rng.normal(1, 2, n), rng.normal(-0.5, 0.7, m)
        moments = [(np.array([x.mean()]), np.array([[x.var()]])) for x in (a, b)]
        value = numbers(answer(a, b), "the distance")
        unbiased = (a.mean() - b.mean()) ** 2 + (a.std(ddof=1) - b.std(ddof=1)) ** 2
        if value.shape == () and np.isclose(value, unbiased, rtol=1e-9):
            continue  # with n − 1: as good an estimate
        agree(answer, (a, b), gaussian_distance(*moments[0], *moments[1]), "the distance")


@frechet.mistakes
def _(a, b):
    shift, spread = a.mean() - b.mean(), a.std() - b.std()
    return {
        "compare the standard deviations, not the variances": shift**2 + (a.var() - b.var()) ** 2,
        "the spreads are missing: equal means are not enough": shift**2,
        "the means are missing": spread**2,
        "both differences must be squared": abs(shift) + abs(spread),
        "that is its root; the squared distance is asked for": np.hypot(shift, spread),
    }


# ---------------------------------------------------------------- 13.6
@exercise(
    "13.6",
    hints=(
        "All distances at once: `x[:, None] - centers` has shape (N, K, 2).",
        "`near = distance < radius` is (N, K); its mean over axis 0 is the share of each mode.",
        "Count the modes whose share reaches `share`.",
    ),
    why="A mode needs points that lie near it. The nearest mode alone says nothing: a point in the "
    "middle of the ring has one, too.",
)
def count_modes(x, centers, radius, share):
    """How many modes keep at least `share` of the points x (N, 2) within `radius`."""
    distance = np.linalg.norm(x[:, None] - centers, axis=2)
    return ((distance < radius).mean(axis=0) >= share).sum()


@count_modes.check
def _(answer, rng):
    for _ in range(3):
        K = 8
        angle = 2 * np.pi * np.arange(K) / K
        centers = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        kept = int(rng.integers(2, 6))
        full = np.concatenate([centers[i] + 0.02 * rng.normal(size=(60, 2)) for i in range(kept)])
        lone = centers[[6]] + 0.01  # one point: seen, but not kept
        between = 0.3 * centers[rng.integers(0, K, 200)]  # near none, but each has a nearest
        x = rng.permutation(np.concatenate([full, lone, between]))
        agree(answer, (x, centers, 0.15, 0.02), kept, "the number of modes")
    centers = np.array([[0.0, 0.0], [10.0, 3.0]])
    for offset, radius, share, kept in (
        *(((0.3, 0.0), 0.5, 0.5, 1), ((0.6, 0.0), 0.5, 0.5, 0)),  # the distance, not its square
        *(((0.4, 0.4), 0.5, 0.5, 0), ((0.3, 0.3), 0.5, 0.5, 1)),  # straight, not along the axes
        *(((0.3, 0.0), 0.5, 0.75, 0), ((0.3, 0.0), 0.5, 0.1, 1)),
    ):
        x = np.array([centers[1] + offset, [5.0, 5.0]])  # half of the points near a mode, or none
        agree(answer, (x, centers, radius, share), kept, "the number of modes", quote="all")


@count_modes.mistakes
def _(x, centers, radius, share):
    distance = np.linalg.norm(x[:, None] - centers, axis=2)
    near, nearest = distance < radius, np.bincount(distance.argmin(axis=1), minlength=len(centers))
    return {
        "a single point is not enough: a mode needs the share": near.any(axis=0).sum(),
        "points far from every mode count for the nearest one: use the radius": (
            (nearest / len(x) >= share).sum()
        ),
        "that is the number of points, not of modes": near.any(axis=1).sum(),
        "those are the modes that are lost": (near.mean(axis=0) < share).sum(),
    }


# ---------------------------------------------------------------- 13.7
@exercise(
    "13.7",
    hints=(
        "Each sample has its own u: (N,) must meet (N, C, H, W).",
        "`u[:, None, None, None]` or `u.reshape(-1, 1, 1, 1)` broadcasts over channels and pixels.",
        "u·x + (1 − u)·fake.",
    ),
    why="The penalty is paid on the straight line between one real and one generated picture, at "
    "one random place of it. All pixels of a picture share their u.",
)
def between(x, fake, u):
    """Points between real and generated images (N, C, H, W); u (N,) is the real one's share."""
    u = u.reshape(-1, 1, 1, 1)
    return u * x + (1 - u) * fake


@between.check
def _(answer, rng):
    n, c, h = sizes(rng, 3)
    for shape in ((n, c, h, n), (n, c, h, h + 1)):  # in the first u also fits the last axis
        x, fake = rng.normal(size=shape), rng.normal(size=shape)
        u = rng.uniform(0.1, 0.9, n)
        agree(answer, (x, fake, u), np.einsum("n,nchw->nchw", u, x - fake) + fake, "the point")


@between.mistakes
def _(x, fake, u):
    column = u[:, None, None, None]
    found = {
        "u is the share of the real image; here it is the generated one's": (
            between.reference(fake, x, u)
        ),
        "all samples have the same u; each has its own": u[0] * x + (1 - u[0]) * fake,
        "the shares must sum to 1: u and 1 − u": column * (x + fake),
    }
    if x.shape[-1] == len(u):
        found["u runs along the last axis: give it the shape (N, 1, 1, 1)"] = u * x + (1 - u) * fake
    return found


# ---------------------------------------------------------------- 13.8
@exercise(
    "13.8",
    hints=(
        "D(x) = v·tanh(Wx + b). Its gradient in x is Wᵀ(v ⊙ (1 − tanh²)).",
        "For all samples at once: `(v * (1 - np.tanh(x @ W.T + b) ** 2)) @ W` is (N, D).",
        "The norm of each row, minus 1, squared, then the mean.",
    ),
    why="‖∇D‖ is a property of one sample: first the norm of each row, then the mean. The penalty "
    "asks for slope 1, not for slopes below 1.",
)
def penalty(x, W, b, v):
    """Gradient penalty at x (N, D) of the critic v·tanh(Wx + b); W is (H, D), b and v (H,)."""
    slope = (v * (1 - np.tanh(x @ W.T + b) ** 2)) @ W
    return ((np.linalg.norm(slope, axis=1) - 1) ** 2).mean()


@penalty.check
def _(answer, rng):
    for _ in range(2):
        n, d, h = sizes(rng, 3)
        x, W = rng.normal(size=(n, d)), rng.normal(size=(h, d))
        b, v = rng.normal(size=(2, h))
        steps = 1e-5 * np.eye(d)  # by finite differences
        up, down = (np.tanh((x[:, None] + s) @ W.T + b) @ v for s in (steps, -steps))
        norm = np.sqrt((((up - down) / 2e-5) ** 2).sum(axis=1))
        agree(answer, (x, W, b, v), ((norm - 1) ** 2).mean(), "the penalty", rtol=1e-5)


@penalty.mistakes
def _(x, W, b, v):
    slope = (v * (1 - np.tanh(x @ W.T + b) ** 2)) @ W
    norm = np.linalg.norm(slope, axis=1)
    return {
        "the norm of all gradients together; each sample has its own": (
            (np.linalg.norm(slope) - 1) ** 2
        ),
        "only slopes above 1 are punished; this penalty asks for slope 1": (
            (np.maximum(norm - 1, 0) ** 2).mean()
        ),
        "the square is missing": np.abs(norm - 1).mean(),
        "‖∇D‖² − 1 instead of ‖∇D‖ − 1: take the root": ((norm**2 - 1) ** 2).mean(),
        "a sum instead of a mean": ((norm - 1) ** 2).sum(),
    }


# ---------------------------------------------------------------- 13.9
@exercise(
    "13.9",
    hints=(
        "One formula makes the noisy point from the clean one: √ᾱ of it, and noise.",
        "The variances must add up: ᾱ of the signal, 1 − ᾱ of the noise.",
        "x = √ᾱ·x₀ + √(1 − ᾱ)·ε; solve it for x₀.",
    ),
    why="A network that knows the noise knows the picture: x₀ = (x − √(1 − ᾱ)·ε)/√ᾱ. That is why "
    "learning to find ε is enough.",
)
def clean(x, eps, level):
    """The clean points x₀ (N, D) behind noisy x (N, D) with noise eps (N, D); level is ᾱ (N,)."""
    level = level[:, None]
    return (x - np.sqrt(1 - level) * eps) / np.sqrt(level)


@clean.check
def _(answer, rng):
    for _ in range(2):
        n, d = sizes(rng, 2)
        x0, eps = rng.normal(size=(2, n, d))
        level = rng.uniform(0.1, 0.9, n)
        x = np.sqrt(level)[:, None] * x0 + np.sqrt(1 - level)[:, None] * eps
        agree(answer, (x, eps, level), x0, "x₀")


@clean.mistakes
def _(x, eps, level):
    a, s = np.sqrt(level)[:, None], np.sqrt(1 - level)[:, None]
    return {
        "that is one more step of noise, not one back": a * x + s * eps,
        "√ᾱ and √(1 − ᾱ), not ᾱ and 1 − ᾱ: the variances add up": (x - s**2 * eps) / a**2,
        "the division by √ᾱ is missing": x - s * eps,
        "the shares are exchanged: ᾱ is the signal's": (x - a * eps) / s,
    }


# ---------------------------------------------------------------- 13.10
@exercise(
    "13.10",
    hints=(
        "Collapse means: the images resemble *each other*. Compare images with images.",
        "Distances between different images of the set, or their spread around their mean image.",
        "`np.sqrt(images.var(axis=0).mean())` is one good answer: the spread across the images.",
    ),
    why="Any spread *across* the images will do: it is 0 for copies and blind to their order. A "
    "spread over the pixels of one image measures contrast, which copies have as well.",
)
def diversity(images):
    """A number for images (N, H, W): 0 for N copies of one image, larger the more they differ."""
    return np.sqrt(images.var(axis=0).mean())


@diversity.check
def _(answer, rng):
    n, h, w = sizes(rng, 3)
    n = 4 * n
    images = rng.uniform(size=(n, h, w))

    def score(x):
        return float(numbers(answer(x), "the diversity", ()))

    full, copies = score(images), score(np.repeat(images[:1], n, axis=0))
    if not np.isclose(copies, 0, atol=1e-9):
        if np.isclose(copies, full, rtol=0.3):
            raise Wrong("copies of one image score as high: compare images, not the pixels of one")
        raise Wrong(f"{n} copies of one image must score 0, got {copies:.3g}")
    if full <= 0:
        raise Wrong("different images must score more than 0")
    half = images.copy()
    half[n // 2 :] = images[0]
    if not score(half) < full:
        raise Wrong("with half of the images replaced by copies the score must fall")
    alike = np.stack([rng.permutation(images[0].ravel()).reshape(h, w) for _ in range(n)])
    if score(alike) < 1e-6:
        raise Wrong("images of one brightness that differ elsewhere must score more than 0")
    order = rng.permutation(n)
    if not np.isclose(score(images[order]), full):
        raise Wrong("the score changes with the order of the images: compare all, not neighbors")
    if not np.isclose(score(np.concatenate([images, images])), full, rtol=0.1):
        raise Wrong("the set twice is as diverse as once: take a mean, not a sum")


diversity.wrongs(
    {
        "copies of one image score as high": lambda images: images.std(axis=(1, 2)).mean(),
        "changes with the order": lambda images: np.abs(np.diff(images, axis=0)).mean(),
        "take a mean, not a sum": lambda images: images.var(axis=0).sum() * len(images),
        "different images must score more than 0": lambda images: 0 * images.sum(),
        "half of the images replaced": lambda images: float(np.ptp(images, axis=0).max() > 0),
        "images of one brightness": lambda images: images.mean(axis=(1, 2)).std(),
        "copies of one image must score 0": lambda images: 1 + 9 * images.var(axis=0).sum(),
    }
)
