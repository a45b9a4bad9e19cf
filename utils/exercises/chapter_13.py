"""Exercises of chapter 13, Generative adversarial networks."""

from __future__ import annotations

import numpy as np

from utils.exercises._agree import agree
from utils.exercises._compare import Wrong, numbers, sizes
from utils.exercises._exercise import exercise

TINY = 1e-12, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-3  # that are added to keep a divisor from 0


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
        n = sizes(rng, 1)[0] + 3 * has_zeros
        p, q = rng.uniform(0.1, 2, (2, n))
        if has_zeros:
            p[0] = q[1] = p[2] = q[2] = 0
        expected = [a / (a + b) if a + b else 0.5 for a, b in zip(p, q, strict=True)]
        agree(answer, (p, q), expected, "D*", quote="entry")
    for p, q, expected in (  # thin densities, only one of them, and both alike
        ([1e-7, 0.0, 3e-9], [3e-7, 0.0, 1e-9], [0.25, 0.5, 0.75]),
        ([0.0, 2.0], [5.0, 0.0], [0.0, 1.0]),
        ([4e-9, 1e-8], [1e-9, 0.0], [0.8, 1.0]),
        ([4.0], [4.0], [0.5]),
        ([0.0], [0.0], [0.5]),
    ):
        agree(answer, (np.array(p), np.array(q)), expected, "D*", quote="entry")


@optimal.mistakes
def _(p, q):
    best = optimal.reference(p, q)
    added = {
        f"{tiny:g} is added below: it shifts D* where the densities are small": p / (p + q + tiny)
        for tiny in TINY
    } | {
        f"{tiny:g} is added above and below: it shifts D* where the densities are small": (
            (p + tiny) / (p + q + 2 * tiny)
        )
        for tiny in TINY
    }
    return added | {
        "½ belongs where both densities are 0; where one is, D* is 0 or 1": (
            np.where((p > 0) & (q > 0), best, 0.5)
        ),
        "D* is a share, p/(p + q), and no decision": np.where(p == q, 0.5, p > q),
        "this is σ(p − q): the logit of D* is ln p − ln q": 1 / (1 + np.exp(q - p)),
        "p and q are densities at some places: they need not sum to 1": (
            optimal.reference(p / p.sum(), q / q.sum())
        ),
        "the mean of p and q is below: their sum belongs there": np.where(p + q, 2 * best, 0.5),
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
    for apart in (False, False, True):
        n = sizes(rng, 1)[0] + 2
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
    half, first = np.array([0.5, 0.5]), np.array([1.0, 0.0])
    apart = np.array([0.0, 1.0])
    for p, q, expected in (
        (half, half, 0.0),
        (first, apart, np.log(2)),
        (first, first, 0.0),
        (first, half, 1.5 * np.log(2) - 0.75 * np.log(3)),
    ):
        agree(answer, (p, q), expected, "the divergence")


@jensen_shannon.mistakes
def _(p, q):
    m, divergence = (p + q) / 2, jensen_shannon.reference(p, q)
    both = (p > 0) & (q > 0)
    forth, back = ((a[both] * np.log(a[both] / b[both])).sum() for a, b in ((p, q), (q, p)))
    inside = sum((a[both] * np.log(a[both] / m[both])).sum() for a in (p, q)) / 2
    seen = m > 0
    reverse = sum(
        (m[seen] * np.log(m[seen] / np.where(a[seen] > 0, a[seen], 1e-12))).sum() for a in (p, q)
    )
    one = (p[p > 0] * np.log(p[p > 0] / m[p > 0])).sum()
    return {
        "0·ln 0 gives NaN: leave out what has probability 0": (p * np.log(p / m)).sum(),
        "twice too large: half of each divergence": 2 * divergence,
        "compare p and q with their mixture, not with each other": (forth + back) / 2,
        "this compares p with q, both ways: compare each with their mixture": forth + back,
        "this is KL(p‖q), which compares p with q: compare both with their mixture": forth,
        "a value that only one of them has counts as well: leave out a term only if p is 0": inside,
        "KL(p‖m) starts from p, not from m: Σ p·ln(p/m)": reverse / 2,
        "this is its root, the distance": np.sqrt(np.maximum(divergence, 0)),
        "this is the value of the game, 2 JS − 2 ln 2": 2 * divergence - 2 * np.log(2),
        "a sum over the values is asked for, not a mean": divergence / len(p),
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
    for scale in (1, 1, 400):
        n, m = sizes(rng, 2)
        r, f = scale * rng.normal(size=n), scale * rng.normal(size=m)
        if scale > 1:
            r[0], f[0] = -800.0, 800.0
        costs = (np.maximum(s, 0) + np.log1p(np.exp(-np.abs(s))) for s in (-r, f))
        agree(answer, (r, f), sum(cost.mean() for cost in costs), "the loss")
    for r, f, expected in (  # sure and right, sure and wrong, undecided
        ([800.0], [-800.0], 0.0),
        ([-800.0, 0.0], [0.0], 400 + 1.5 * np.log(2)),
        ([0.0], [0.0, 900.0, -900.0], 300 + 4 / 3 * np.log(2)),
    ):
        agree(answer, (np.array(r), np.array(f)), expected, "the loss")


@discriminator_loss.mistakes
def _(r, f):
    def sigma(s):
        return 1 / (1 + np.exp(-s))

    a, b, deceived = np.logaddexp(0, -r), np.logaddexp(0, f), np.logaddexp(0, -f)
    return {
        f"{tiny:g} added inside the logarithm hides large losses: use np.logaddexp": (
            -np.log(sigma(r) + tiny).mean() - np.log(1 - sigma(f) + tiny).mean()
        )
        for tiny in TINY
    } | {
        "take the loss of each logit first, then the mean": (
            np.logaddexp(0, -r.mean()) + np.logaddexp(0, f.mean())
        ),
        "this is the critic of Wasserstein: here D is a probability": f.mean() - r.mean(),
        "generated examples must count as fake: +f, not −f": a.mean() + deceived.mean(),
        "this is a halved sum: the two means are added": (a.mean() + b.mean()) / 2,
        "real examples are missing": b.mean(),
        "this is the hinge loss: here it is −ln of a probability": (
            np.maximum(0, 1 - r).mean() + np.maximum(0, 1 + f).mean()
        ),
        "this is the squared loss: here it is −ln of a probability": (
            ((sigma(r) - 1) ** 2).mean() + (sigma(f) ** 2).mean()
        ),
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
    s = np.array([0.0, 40.0, -40.0])
    expected = {"the saturating slope": [-0.5, -1, 0], "the non-saturating slope": [-0.5, 0, -1]}
    agree(answer, (s,), expected, quote="entry")


@slopes.mistakes
def _(s):
    first, second = slopes.reference(s)
    sigma = -first
    return {
        "these are the losses: their derivatives are asked for": (
            -np.logaddexp(0, s),
            np.logaddexp(0, -s),
        ),
        "{part} is that of σ alone, σ(1 − σ): the logarithm divides by σ or 1 − σ": (
            -sigma * (1 - sigma),
            -sigma * (1 - sigma),
        ),
        "s is a logit and no probability: put it through σ": (-1 / (1 - s), -1 / s),
        "each logit has a slope of its own: do not divide by N": (first / len(s), second / len(s)),
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
        n, m = sizes(rng, 2)
        a, b = rng.normal(1, 2, n), rng.normal(-0.5, 0.7, m)
        _agree_frechet(answer, a, b, gaussian_distance)
    for a, b in (  # one mean, one spread, no spread, nothing but the names apart
        ([0.0, 2.0], [-4.0, 0.0, 4.0, 4.0]),
        ([1.0, 3.0], [5.0, 7.0]),
        ([2.0, 2.0], [0.0, 4.0]),
        ([3.0, 1.0], [1.0, 3.0]),
    ):
        _agree_frechet(answer, np.array(a), np.array(b), gaussian_distance)


def _agree_frechet(answer, a, b, gaussian_distance):
    """Hold the answer against the distance of Gaussians; n − 1 makes as good an estimate."""
    moments = [(np.array([x.mean()]), np.array([[x.var()]])) for x in (a, b)]
    expected = gaussian_distance(*moments[0], *moments[1])
    if min(len(a), len(b)) > 1 and not answer.suspicion:
        unbiased = (a.mean() - b.mean()) ** 2 + (a.std(ddof=1) - b.std(ddof=1)) ** 2
        value = numbers(answer(a, b), "the distance")
        if value.shape == () and np.isclose(value, unbiased):
            return
    agree(answer, (a, b), expected, "the distance", atol=1e-7)


@frechet.mistakes
def _(a, b):
    shift, spread = a.mean() - b.mean(), a.std() - b.std()
    squares = a.var() + b.var()
    return {
        "the term −2·s·t is missing: (s − t)² is s² + t² − 2st": shift**2 + squares,
        "the 2 of −2·s·t is missing": shift**2 + squares - a.std() * b.std(),
        "−2·s·t has the deviations in it, not the variances": (
            shift**2 + squares - 2 * a.var() * b.var()
        ),
        "the cross term is subtracted: s² + t² − 2st": shift**2 + squares + 2 * a.std() * b.std(),
        "square both differences by themselves, then add": (shift + spread) ** 2,
        "square both differences by themselves, of their sizes": (abs(shift) + abs(spread)) ** 2,
        "the difference of the means is squared, and that of the spreads": shift + spread**2,
        "the squares are added, not subtracted": shift**2 - spread**2,
        "a Gaussian is at its mean, not at its median": (
            (np.median(a) - np.median(b)) ** 2 + spread**2
        ),
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
        *(((-0.7, 0.75), 1.0, 0.5, 0), ((0.6, -0.7), 1.0, 0.5, 1)),
    ):
        x = np.array([centers[1] + offset, [5.0, 5.0]])  # half of the points near a mode, or none
        agree(answer, (x, centers, radius, share), kept, "the number of modes", quote="all")
    x = np.array([[0.0, 1.6], [0.0, -1.6], [9.0, 3.0], [50.0, 0.0]])
    for points, radius, share, kept in (  # more ways to mistake distance, share and count
        *((x, 2.0, 0.25, 2), (x, 2.0, 0.26, 1), (x, 2.0, 0.5, 1), (x, 1.5, 0.25, 1)),
        *((x, 0.5, 0.1, 0), (x[:2], 2.0, 1.0, 1), (x[2:], 1.2, 0.5, 1), (x[2:], 1.2, 0.4, 1)),
        *((x[[2, 2, 2, 0]], 1.2, 0.5, 1), (x[[2, 2, 0, 0]], 1.7, 0.5, 2), (x[[3]], 3.0, 0.2, 0)),
    ):
        agree(answer, (points, centers, radius, share), kept, "the number of modes", quote="all")


@count_modes.mistakes
def _(x, centers, radius, share):
    distance = np.linalg.norm(x[:, None] - centers, axis=2)
    near, nearest = distance < radius, np.bincount(distance.argmin(axis=1), minlength=len(centers))
    along = np.abs(x[:, None] - centers)
    counts = near.sum(axis=0)
    return {
        "this is the squared distance: take its root": (
            ((distance**2 < radius).mean(axis=0) >= share).sum()
        ),
        "a share that is reached counts: ≥, not >": (near.mean(axis=0) > share).sum(),
        "distances are straight: here they run along the axes, the longer side": (
            ((along.max(axis=2) < radius).mean(axis=0) >= share).sum()
        ),
        "distances are straight: here they run along the axes, both sides added": (
            ((along.sum(axis=2) < radius).mean(axis=0) >= share).sum()
        ),
        "the share is that of all points, not of those near a mode": (
            (counts / max(near.any(axis=1).sum(), 1) >= share).sum()
        ),
        "half of the radius is used": ((distance < radius / 2).mean(axis=0) >= share).sum(),
        "twice the radius is used": ((distance < 2 * radius).mean(axis=0) >= share).sum(),
        "the share is not divided by the number of modes": (
            (near.mean(axis=0) >= share / len(centers)).sum()
        ),
        "that is the share of the modes: count them": (near.mean(axis=0) >= share).mean(),
        "that is a share of the points and no count: compare it with share, then add up": (
            near.mean()
        ),
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
    x, fake = np.array([1.0, 8.0]).reshape(2, 1, 1, 1), np.array([5.0, 0.0]).reshape(2, 1, 1, 1)
    for u in ([1.0, 0.0], [0.25, 0.25], [0.5, 0.75]):  # the ends, one share, different ones
        u = np.array(u)
        agree(answer, (x, fake, u), (fake.ravel() + u * [-4, 8]).reshape(x.shape), "the point")
    x, fake = x[:1].repeat(2, axis=3), fake[:1].repeat(2, axis=3)
    agree(answer, (x, fake, np.array([0.25])), [[[[4.0, 4.0]]]], "the point")


@between.mistakes
def _(x, fake, u):
    column = u[:, None, None, None]
    found = {
        "u is the share of the real image; here it is the generated one's": (
            between.reference(fake, x, u)
        ),
        "all samples have the same u; each has its own": u[0] * x + (1 - u[0]) * fake,
        "the shares must sum to 1: u and 1 − u": column * (x + fake),
        "the middle is one place of the line: take u": (x + fake) / 2,
        "one share for all samples, the mean of u; each has its own": (
            u.mean() * x + (1 - u.mean()) * fake
        ),
        "the shares are u and 1 − u, without a root: this is no noise": (
            np.sqrt(column) * x + np.sqrt(1 - column) * fake
        ),
        "fake is left whole: its share is 1 − u": column * x + fake,
        "x is left whole: its share is u": x + (1 - column) * fake,
        "the line goes from fake to x: fake + u·(x − fake)": fake - column * (x - fake),
        "a point lies between the two images: here one of them is chosen": (
            np.where(column > 0.5, x, fake)
        ),
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
    x, W = np.zeros((2, 2)), np.array([[3.0, 4.0]])
    for b, v, expected in (([0.0], [1.0], 16.0), ([0.0], [-0.2], 0.0), ([50.0], [1.0], 1.0)):
        agree(answer, (x, W, np.array(b), np.array(v)), expected, "the penalty", rtol=1e-5)
    x = np.array([[0.0], [50.0]])  # a slope of 2, and one of 0
    agree(answer, (x, np.eye(1), np.zeros(1), np.array([2.0])), 1.0, "the penalty", rtol=1e-5)


@penalty.mistakes
def _(x, W, b, v):
    slope = (v * (1 - np.tanh(x @ W.T + b) ** 2)) @ W
    norm, bent = np.linalg.norm(slope, axis=1), np.tanh(x @ W.T + b)

    def of(gradients):
        return ((np.linalg.norm(gradients, axis=1) - 1) ** 2).mean()

    return {
        "tanh′ is missing: each hidden unit has the slope 1 − tanh²": of(0 * x + v @ W),
        "tanh′ is 1 − tanh², not 1 − tanh": of((v * (1 - bent)) @ W),
        "tanh′ is no tanh, it is 1 − tanh²": of((v * bent) @ W),
        "tanh belongs to Wx + b: the slope there counts, not that at x": (
            of((v * (1 - np.tanh(x @ W.T) ** 2)) @ W)
        ),
        "v is missing: it weighs the hidden units": of((1 - bent**2) @ W),
        "W is missing: the gradient in x goes back through W": of(v * (1 - bent**2)),
        "first the penalty of each sample, then the mean": (norm.mean() - 1) ** 2,
        "the norm is that of a sample, axis 1": (((np.linalg.norm(slope, axis=0) - 1) ** 2).mean()),
        "the slope asked for is 1, not 0: subtract 1 from the norm": (norm**2).mean(),
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
    x0, eps = np.array([[1.0, -2.0], [5.0, 0.0]]), np.array([[1.0, 3.0], [-1.0, 2.0]])
    for level in ([1.0, 0.64], [0.01, 0.36], [0.5, 0.5]):  # no noise, nearly all noise, N = D
        level = np.array(level)
        x = np.sqrt(level)[:, None] * x0 + np.sqrt(1 - level)[:, None] * eps
        agree(answer, (x, eps, level), x0, "x₀")
    far = np.array([[30.0], [-40.0]])  # points are no pixels: nothing is cut off
    agree(answer, (0.5 * far, 0 * far, np.full(2, 0.25)), far, "x₀")


@clean.mistakes
def _(x, eps, level):
    a, s = np.sqrt(level)[:, None], np.sqrt(1 - level)[:, None]
    right = (x - s * eps) / a
    return {
        "the noise must be subtracted": (x + s * eps) / a,
        "the noise is not scaled: √(1 − ᾱ)·ε": (x - eps) / a,
        "divide by √ᾱ, do not multiply": (x - s * eps) * a,
        "divide the whole difference by √ᾱ: brackets": x - s * eps / a,
        "divide the whole difference by √ᾱ, the noise too": x / a - s * eps,
        "√ᾱ and √(1 − ᾱ): their squares add up to 1, not they themselves": (
            (x - (1 - a) * eps) / a
        ),
        "√(1 − ᾱ), not √(1 − √ᾱ): ᾱ is given": (x - np.sqrt(1 - a) * eps) / a,
        "the noise has the share √(1 − ᾱ): the root is missing": (x - s**2 * eps) / a,
        "the signal has the share √ᾱ: the root is missing": (x - s * eps) / a**2,
        "the signal has the share √ᾱ, not 1 − √(1 − ᾱ)": (x - s * eps) / (1 - s),
        "every point has its own level": ((x - np.sqrt(1 - level[0]) * eps) / np.sqrt(level[0])),
        "points are no pixels: do not cut the result off at ±1": np.clip(right, -1, 1),
        "points are no pixels: do not cut the result off at 0 and 1": np.clip(right, 0, 1),
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
    if not np.isclose(copies, 0, atol=1e-6):
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
    lone = np.full((n, h, w), 0.5)
    lone[0] = 1.0
    if score(lone) < 1e-6:
        raise Wrong("one white image among gray ones must score more than 0")
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
        "one white image among gray ones": lambda images: np.median(
            np.abs(images - np.median(images, axis=0))
        ),
        "images of one brightness": lambda images: images.mean(axis=(1, 2)).std(),
        "copies of one image must score 0": lambda images: 1 + 9 * images.var(axis=0).sum(),
    }
)
