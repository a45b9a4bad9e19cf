"""Exercises of chapter 02, Gradient descent."""

from __future__ import annotations

import math

import numpy as np

from utils.exercises._agree import agree
from utils.exercises._compare import Wrong, numbers, show, sizes
from utils.exercises._exercise import exercise


# ---------------------------------------------------------------- 02.1
@exercise(
    "02.1",
    hints=(
        "Write d = y_hat − y. The value is the mean of d².",
        "Only one of the N terms contains ŷₙ. What is the derivative of dₙ²/N by ŷₙ?",
        "The gradient is 2 (y_hat − y) / N, an array; the value is one number.",
    ),
    why="The mean is a sum divided by N, so each example contributes 2 (ŷₙ − yₙ)/N. Forget the "
    "division in the gradient alone, and the step size that works depends on the data set's size.",
)
def mean_squared_error(y_hat, y):
    """Mean squared error of N predictions y_hat (N,) for y (N,), and its gradient by y_hat."""
    return np.mean((y_hat - y) ** 2), 2 * (y_hat - y) / len(y)


@mean_squared_error.check
def _(answer, rng):
    for _ in range(3):
        (n,) = sizes(rng, 1)
        y_hat, y = rng.normal(size=n), rng.normal(size=n)
        value = math.fsum((a - b) ** 2 for a, b in zip(y_hat, y, strict=True)) / n
        expected = {"the value": value, "the gradient": (y_hat - y) * 2 / n}
        agree(answer, (y_hat, y), expected, quote="entry")


@mean_squared_error.mistakes
def _(y_hat, y):
    d, n = y_hat - y, len(y)
    value = np.mean(d**2)
    return {
        "the value is the root of what it must be: leave the root away": (np.sqrt(value), ...),
        "the value is halved: this course's MSE has no factor 1/2": (value / 2, ...),
        "the value is N times too large: is a mean missing?": (n * value, ...),
        "the value must be one number: take the mean": (d**2, ...),
        "the factor 2 of the derivative of a square is missing": (..., d / n),
        "the value is averaged and the gradient summed: divide it by N too": (..., 2 * d),
        "the gradient is by y, not by y_hat: the sign is wrong": (..., -2 * d / n),
    }


# ---------------------------------------------------------------- 02.2
@exercise(
    "02.2",
    hints=(
        "exp overflows at about 710. Which number can you subtract from a row so that it cannot?",
        "If m is the largest of a row, ln Σ eᶻ = m + ln Σ eᶻ⁻ᵐ.",
        "`z.max(axis=1, keepdims=True)` gives m as (N, 1); the result is (N,).",
    ),
    why="Every term is at most e⁰ = 1 and one of them is 1, so the sum lies between 1 and K: its "
    "logarithm is always finite.",
)
def log_sum_exp_rows(z):
    """Logarithm of Σₖ exp(zₙₖ) for each row of z (N, K), as (N,), without overflow."""
    m = z.max(axis=1, keepdims=True)
    return m[:, 0] + np.log(np.exp(z - m).sum(axis=1))


@log_sum_exp_rows.check
def _(answer, rng):
    for height in (0.0, 0.0, 1000.0, -1000.0):
        z = rng.normal(size=sizes(rng, 2)) + height
        rest = [math.log(math.fsum(math.exp(v - max(row)) for v in row)) for row in z]
        agree(answer, (z,), z.max(axis=1) + rest, f"lse of rows near {height:g}", rtol=1e-12)
    z = np.array([[1000.0, 999.0], [-1000.0, -1000.0], [0.0, 1000.0], [-1000.0, 0.0]])
    expected = [1000 + math.log1p(math.exp(-1)), -1000 + math.log(2), 1000.0, 0.0]
    agree(answer, (z,), expected, "lse of rows of very different heights", rtol=1e-12)
    agree(answer, (np.array([[3.0]]),), [3.0], "lse of a single number")


@log_sum_exp_rows.mistakes
def _(z):
    m = z.max(axis=1)
    powers, columns = np.exp(z - m[:, None]), np.exp(z - z.max(axis=0))
    return {
        "exp(z) is infinite or 0: subtract the largest of each row": np.log(np.exp(z).sum(axis=1)),
        "the largest number is subtracted but not added again": np.log(powers.sum(axis=1)),
        "this is the sum of the powers: take its logarithm": powers.sum(axis=1),
        "this is only the largest of each row": m,
        "the sum runs over the rows: add up within each row": (
            z.max(axis=0) + np.log(columns.sum(axis=0))
        ),
        "this is the mean of the powers: take their sum": m + np.log(powers.mean(axis=1)),
    }


# ---------------------------------------------------------------- 02.3
@exercise(
    "02.3",
    hints=(
        "The gradient for one example is p − y, where y has a single 1 at the label.",
        "`np.eye(K)[labels]` turns the labels into rows y (N, K).",
        "The loss is a mean over N examples, so divide p − y by N. Subtract the largest z of each "
        "row before exp.",
    ),
    why="∂lse(z)/∂zₖ is the softmax pₖ, and ∂(Σ yₖzₖ)/∂zₖ is yₖ. The mean over examples divides "
    "both by N.",
)
def cross_entropy_gradient(z, labels):
    """Gradient (N, K) of the mean cross-entropy of softmax(z) by z (N, K), for labels (N,)."""
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return (p - np.eye(z.shape[1])[labels]) / len(z)


@cross_entropy_gradient.check
def _(answer, rng):
    for height in (0.0, 0.0, 800.0):
        n, k = sizes(rng, 2)
        z, labels = rng.normal(size=(n, k)) + height, rng.integers(k, size=n)
        expected = np.empty((n, k))
        for i, row in enumerate(z):
            powers = [math.exp(v - height) for v in row]
            expected[i] = np.array(powers) / math.fsum(powers) / n
            expected[i, labels[i]] -= 1 / n
        agree(answer, (z, labels), expected, "the gradient")
    z = np.array([[1000.0, 0.0, -1000.0], [-1000.0, -1000.0, -1000.0], [0.0, 800.0, 800.0]])
    p = np.array([[1, 0, 0], [1 / 3, 1 / 3, 1 / 3], [0, 1 / 2, 1 / 2]])
    for labels in (np.array([0, 0, 1]), np.array([1, 1, 1])):  # some class is absent
        y = np.zeros((3, 3))
        for i, label in enumerate(labels):
            y[i, label] = 1
        agree(answer, (z, labels), (p - y) / 3, "the gradient of rows of very different heights")


@cross_entropy_gradient.mistakes
def _(z, labels):
    def softmax(powers, axis=1):
        return powers / powers.sum(axis=axis, keepdims=True)

    n, y = len(z), np.eye(z.shape[1])[labels]
    p, by_column = softmax(np.exp(z - z.max())), softmax(np.exp(z - z.max(axis=0)), axis=0)
    return {
        "p − y is right for a sum over the examples: divide by N for the mean": p - y,
        "the sign is wrong: it is p − y": (y - p) / n,
        "this is p/N: subtract 1 at each label": p / n,
        "the softmax divides by the sum of a column: each row is one example": (by_column - y) / n,
        "the gradient is divided by N·K: the mean is over examples only": (p - y) / z.size,
        "exp(z) overflows: subtract the largest z of each row": (softmax(np.exp(z)) - y) / n,
    }


# ---------------------------------------------------------------- 02.4
@exercise(
    "02.4",
    hints=(
        "Along an eigenvector with eigenvalue λ a step multiplies the distance by 1 − αλ.",
        "|1 − αλ| < 1 means α < 2/λ. Which λ is the strictest?",
        "`np.linalg.eigvalsh(H)` gives the eigenvalues of a symmetric matrix.",
    ),
    why="All components must shrink, and the steepest direction allows the smallest step: 2/λ_max.",
)
def largest_step(H):
    """Step size below which descent on w·Hw/2 converges; H (D, D) is symmetric, positive."""
    return 2 / np.linalg.eigvalsh(H).max()


@largest_step.check
def _(answer, rng):
    for _ in range(3):
        (d,) = sizes(rng, 1)
        eigenvalues = rng.uniform(0.5, 5, size=d)
        axes = np.linalg.qr(rng.normal(size=(d, d)))[0]
        H = axes * eigenvalues @ axes.T
        agree(answer, ((H + H.T) / 2,), 2 / eigenvalues.max(), "the limit")


@largest_step.mistakes
def _(H):
    low, *_, high = np.linalg.eigvalsh(H)
    return {
        "1/λ_max is the step that cures the steepest direction at once; twice that is the limit": (
            1 / high
        ),
        "the smallest eigenvalue allows the largest step, but all must shrink": 2 / low,
        "2/(λ_min + λ_max) is the fastest step, not the limit": 2 / (low + high),
        "the largest entry on the diagonal is not the largest eigenvalue": 2 / H.diagonal().max(),
        "the trace is the sum of all eigenvalues: only the largest counts": 2 / np.trace(H),
    }


# ---------------------------------------------------------------- 02.5
@exercise(
    "02.5",
    hints=(
        "`order = rng.permutation(len(X))` is the numbers of all rows, shuffled.",
        "`X[order[start:start + B]]` are B rows; start = 0, B, 2B, …",
        "A slice beyond the end is simply shorter: the last batch needs no special case.",
    ),
    why="Each example occurs exactly once an epoch. A slice that reaches beyond the end is cut "
    "short by itself.",
)
def minibatches(X, B, rng):
    """The rows of X (N, D), shuffled by rng.permutation, as a list of arrays of B rows or fewer."""
    order = rng.permutation(len(X))
    return [X[order[start : start + B]] for start in range(0, len(X), B)]


@minibatches.check
def _(answer, rng):
    for N, B in ((12, 4), (23, 5), (7, 10), (100, 32)):
        seed = int(rng.integers(1000))
        X = np.column_stack([np.arange(N), rng.normal(size=(N, 3))])  # column 0 names the row
        got = answer(X, B, np.random.default_rng(seed))
        if not isinstance(got, list | tuple):
            raise Wrong(f"return a list of arrays, got one {type(got).__name__}")
        parts = [numbers(part, "a mini-batch") for part in got]
        if not parts or any(part.ndim != 2 or part.shape[1] != 4 for part in parts):
            shapes = [part.shape for part in parts]
            raise Wrong(f"every mini-batch must be some rows of X, (…, 4); the shapes are {shapes}")
        lengths, wanted = [len(part) for part in parts], [B] * (N // B) + [N % B] * (N % B > 0)
        rows = np.concatenate(parts)
        drawn = rows[:, 0].tolist()
        if len(drawn) < N and len(set(drawn)) == len(drawn):
            raise Wrong(f"{N - len(drawn)} of N = {N} examples are left out (B = {B})")
        if sorted(drawn) != list(range(N)):
            raise Wrong("some examples occur twice and others never: draw without replacement")
        if lengths != wanted:
            raise Wrong(f"N = {N}, B = {B}: the sizes must be {wanted}, got {lengths}")
        if N > 10 and drawn == list(range(N)):
            raise Wrong("the rows come in their old order: shuffle first")
        if not np.array_equal(rows, X[np.random.default_rng(seed).permutation(N)]):
            raise Wrong("shuffle whole rows, once, with rng.permutation(N): a seed repeats the run")


minibatches.wrongs(
    {
        "are left out": lambda X, B, rng: (
            [batch for batch in minibatches.reference(X, B, rng) if len(batch) == B] or [X[:0]]
        ),
        "draw without replacement": lambda X, B, rng: [
            X[rng.integers(len(X), size=min(B, len(X) - k))] for k in range(0, len(X), B)
        ],
        "shuffle first": lambda X, B, rng: [X[k : k + B] for k in range(0, len(X), B)],
        "the sizes must be": lambda X, B, rng: np.array_split(
            X[rng.permutation(len(X))], -(-len(X) // B)
        ),
        "shuffle whole rows": lambda X, B, rng: [
            rng.permutation(batch) for batch in minibatches.reference(X, B, rng)
        ],
    }
)


# ---------------------------------------------------------------- 02.6
@exercise(
    "02.6",
    hints=(
        "Compute the new v first: it is needed for w.",
        "v = mu * v − alpha * g, as a new array: `v *= mu` would change the caller's.",
        "Then w + v: the minus is already in v.",
    ),
    why="With a constant α this v is −α times PyTorch's, and the paths are equal. When α changes "
    "from step to step, Keras keeps the old steps in v as they were; PyTorch rescales them.",
)
def keras_momentum(w, v, g, alpha, mu):
    """New (w, v) after v ← μv − αg and w ← w + v; all arrays have one shape."""
    v = mu * v - alpha * g
    return w + v, v


@keras_momentum.check
def _(answer, rng):
    for dims in (1, 2):
        shape = sizes(rng, dims)
        w, v, g = (rng.normal(size=shape) for _ in range(3))
        alpha, mu = float(rng.uniform(0.1, 0.5)), float(rng.uniform(0.5, 0.9))
        new_v = -(alpha * g - mu * v)
        agree(answer, (w, v, g, alpha, mu), {"w": w + new_v, "v": new_v}, order=("v", "w"))


@keras_momentum.mistakes
def _(w, v, g, alpha, mu):
    new_v = mu * v - alpha * g
    climbing, torch_v = mu * v + alpha * g, mu * v + g
    return {
        "v climbs: the gradient must be subtracted": (w + climbing, climbing),
        "this v is PyTorch's, without the step size: here α belongs into v": (
            w - alpha * torch_v,
            torch_v,
        ),
        "v forgets everything: multiply the old one by μ": (w - alpha * g, -alpha * g),
        "μ is applied to the gradient as well": (..., mu * (v - alpha * g)),
        "the pair is swapped: return w first": (new_v, w + new_v),
        "w uses the old v: compute the new one first": (w + v, ...),
        "w goes against v: the minus is already in v": (w - new_v, ...),
        "the step size is applied twice": (w + alpha * new_v, ...),
    }


@keras_momentum.wrong("v is changed in place")
def _in_place(w, v, g, alpha, mu):
    v *= mu
    v -= alpha * g
    return w + v, v


# ---------------------------------------------------------------- 02.7
@exercise(
    "02.7",
    hints=(
        "Two running means: m of g with β₁, v of g² with β₂.",
        "Both began at 0: m_hat = m / (1 − β₁ᵗ), v_hat = v / (1 − β₂ᵗ). Return m and v themselves.",
        "w − alpha * m_hat / (np.sqrt(v_hat) + eps).",
    ),
    why="At t = 1 the correction turns m into g and v into g², so the first step is α·sign(g). "
    "The uncorrected m and v go into the next step; correcting them twice would spoil them.",
)
def adam_step(w, m, v, g, t, alpha, beta1, beta2, eps):
    """New (w, m, v) after step t = 1, 2, … of Adam from the gradient g, all of one shape."""
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    return w - alpha * m_hat / (np.sqrt(v_hat) + eps), m, v


@adam_step.check
def _(answer, rng):
    (d,) = sizes(rng, 1)
    for t in (1, 2, 5):
        w, g = rng.normal(size=d), rng.normal(size=d)
        m, v = (np.zeros(d), np.zeros(d)) if t == 1 else (rng.normal(size=d), rng.random(size=d))
        alpha, beta1, beta2, eps = 0.1, 0.8, 0.95, 1e-3
        new_m, new_v = g + beta1 * (m - g), g * g + beta2 * (v - g * g)
        c1, c2 = 1 - math.prod([beta1] * t), 1 - math.prod([beta2] * t)
        new_w = w - alpha * new_m / c1 / (np.sqrt(new_v / c2) + eps)
        expected = {"w": new_w, "m": new_m, "v": new_v}
        agree(answer, (w, m, v, g, t, alpha, beta1, beta2, eps), expected, order=("m", "v", "w"))


@adam_step.mistakes
def _(w, m, v, g, t, alpha, beta1, beta2, eps):
    old_v, m, v = v, beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
    c1, c2, late1, late2 = 1 - beta1**t, 1 - beta2**t, 1 - beta1 ** (t + 1), 1 - beta2 ** (t + 1)
    root = np.sqrt(v / c2) + eps
    return {
        "m is returned corrected: hand on the plain one, the correction is for w": (
            ...,
            m / c1,
            ...,
        ),
        "m adds the whole gradient: weigh it with 1 − β₁": (..., m + beta1 * g, ...),
        "v is returned corrected: hand on the plain one, the correction is for w": (
            ...,
            ...,
            v / c2,
        ),
        "v averages g, not g²": (..., ..., beta2 * old_v + (1 - beta2) * g),
        "v uses β₁: its mean has β₂": (..., ..., beta1 * old_v + (1 - beta1) * g**2),
        "the bias correction is missing": (w - alpha * m / (np.sqrt(v) + eps), ..., ...),
        "the correction counts from t = 0: at the first step t is 1": (
            w - alpha * m / late1 / (np.sqrt(v / late2) + eps),
            ...,
            ...,
        ),
        "w climbs: subtract the step": (w + alpha * m / c1 / root, ..., ...),
        "ε belongs outside the root": (w - alpha * m / c1 / np.sqrt(v / c2 + eps), ..., ...),
        "the root of v is missing": (w - alpha * m / c1 / (v / c2 + eps), ..., ...),
        "the step divides the gradient: its numerator is the corrected m": (
            w - alpha * g / root,
            ...,
            ...,
        ),
    }


# ---------------------------------------------------------------- 02.8
@exercise(
    "02.8",
    hints=(
        "Two branches: t ≤ warmup and t > warmup. At t = warmup both must give alpha.",
        "Rising: alpha · t / warmup. Falling: alpha · √(warmup / t).",
        "The smaller of the two is right everywhere: `np.minimum`.",
    ),
    why="Below the warm-up t/warmup is the smaller of the two, beyond it √(warmup/t) is; at "
    "t = warmup both are 1, so the curve has no jump.",
)
def warmup_root(t, alpha, warmup):
    """Step sizes at steps t (T,): a line up to alpha at t = warmup, then alpha·√(warmup/t)."""
    return alpha * np.minimum(t / warmup, np.sqrt(warmup / t))


@warmup_root.check
def _(answer, rng):
    for _ in range(3):
        alpha, warmup = float(rng.uniform(0.1, 1)), int(rng.integers(5, 20))
        t = np.arange(1, 4 * warmup + sizes(rng, 1)[0])
        line = [alpha * step / warmup for step in t[:warmup]]
        fall = [alpha * math.sqrt(warmup / step) for step in t[warmup:]]
        agree(answer, (t, alpha, warmup), line + fall, "the step size", quote="entry")


@warmup_root.mistakes
def _(t, alpha, warmup):
    line, fall, rising = t / warmup, np.sqrt(warmup / t), t <= warmup
    return {
        "the warm-up is missing: rise in a straight line first": alpha * fall,
        "it starts at 0: the first step is t = 1 and must move": (
            alpha * np.where(rising, (t - 1) / warmup, fall)
        ),
        "this is the factor alone: multiply by alpha": np.minimum(line, fall),
        "there is a jump at the end of the warm-up: fall as √(warmup/t)": (
            alpha * np.where(rising, line, 1 / np.sqrt(t))
        ),
        "it stays at alpha after the warm-up: let it fall": alpha * np.minimum(line, 1),
        "it rises without an end": alpha * line,
    }


# ---------------------------------------------------------------- 02.9
@exercise(
    "02.9",
    hints=(
        "The length of an array of any shape: √ of the sum of its squares.",
        "To shorten without turning, multiply *all* entries by the same number: limit / length.",
        "Only when length > limit; a zero gradient has length 0, so do not divide by it.",
    ),
    why="One factor for all entries keeps the direction; cutting each entry at ±limit would turn "
    "it. min(1, limit/length) leaves short gradients as they are.",
)
def clip(g, limit):
    """Gradient g of any shape, shortened to the length `limit` if it is longer."""
    length = np.sqrt((g**2).sum())
    return g * (limit / length) if length > limit else g


@clip.check
def _(answer, rng):
    gradients = [3 * rng.normal(size=sizes(rng, dims)) for dims in (1, 2)]
    for g in gradients:
        length = math.sqrt(math.fsum(float(v) ** 2 for v in g.ravel()))
        for limit in (0.4 * length, 0.04 * length):  # cut at the first, no entry need change
            agree(answer, (g, limit), g * (limit / length), "a long gradient")
        agree(answer, (g, 2 * length), g, "a short gradient")
    for g in gradients:
        agree(answer, (0 * g, 1.0), 0 * g, "the zero gradient")


@clip.mistakes
def _(g, limit):
    length = np.sqrt((g**2).sum())
    is_long = length > limit
    return {
        "each entry is cut by itself, which turns it: scale all alike": np.clip(g, -limit, limit),
        "it is scaled to length 1: scale it to limit": g / length if is_long else g,
        "it is too long still: nothing was shortened": g,
        "divide by the length, not by its square": g * limit / length**2 if is_long else g,
        "it is stretched: a gradient shorter than limit stays as it is": g * (limit / length),
        "a gradient of zeros has length 0: do not divide by it": (
            g / length * np.minimum(length, limit)
        ),
    }


# ---------------------------------------------------------------- 02.10
BUDGET = 150
STRETCH = 100


@exercise(
    "02.10",
    hints=(
        "Plain descent with α < 2 loses only 2% of the flattest direction at a step: 150 steps "
        "are too few. What remembers its direction?",
        "Momentum with v ← μv + g. On a bowl with λ from 1/100 to 1 the best pair is known: "
        "α = (2/(1 + 1/10))² and μ = (9/11)² (Polyak 1964).",
        "With those two every direction shrinks by about μ^½ = 9/11 a step. 150 steps of it?",
    ),
    why="Momentum's pace depends on the root of the condition number: (√κ − 1)/(√κ + 1) = 9/11 a "
    "step where plain descent has (κ − 1)/(κ + 1) = 99/101. There are other ways: conjugate "
    "gradients need only D steps.",
)
def my_optimizer(w, gradient):
    """Place near the minimum of a bowl, from at most 150 calls of gradient(w), starting at w (D,).

    The eigenvalues of the bowl lie between 0.01 and 1. The distance to the minimum must fall to a
    thousandth.
    """
    alpha, mu = (2 / 1.1) ** 2, (9 / 11) ** 2
    v = np.zeros_like(w)
    for _ in range(150):
        v = mu * v + gradient(w)
        w = w - alpha * v
    return w


@my_optimizer.check
def _(answer, rng):
    for _ in range(5):
        (d,) = sizes(rng, 1)
        between = STRETCH ** -rng.uniform(0, 1, size=d - 2)
        eigenvalues = np.concatenate([[1 / STRETCH, 1], between])
        axes = np.linalg.qr(rng.normal(size=(d, d)))[0]
        H, lowest = axes * eigenvalues @ axes.T, 5 * rng.normal(size=d)
        start = lowest + axes @ rng.choice([-1.0, 1.0], size=d)
        calls = []

        def gradient(w, H=H, lowest=lowest, calls=calls):
            calls.append(1)
            if len(calls) > BUDGET:
                raise Wrong(f"more than {BUDGET} gradients were asked for")
            return H @ (numbers(w, "w", lowest.shape) - lowest)

        end = numbers(answer(start, gradient), "the place", start.shape)
        ratio = np.linalg.norm(end - lowest) / np.linalg.norm(start - lowest)
        if not calls:
            raise Wrong("no gradient was asked for")
        if ratio > 1:
            raise Wrong(f"it ends {show(ratio)} times as far as it began: α too large, or uphill?")
        if ratio > 1e-3:
            raise Wrong(
                f"it ends at {show(ratio, 2)} of the distance it began with, after {len(calls)} "
                "gradients; 0.001 is wanted"
            )


def _descend(w, gradient, alpha, steps):
    for _ in range(steps):
        w = w - alpha * gradient(w)
    return w


my_optimizer.wrongs(
    {
        "0.001 is wanted": lambda w, gradient: _descend(w, gradient, 1.9, BUDGET),
        "more than 150 gradients": lambda w, gradient: _descend(w, gradient, 1.9, 2000),
        "times as far as it began": lambda w, gradient: _descend(w, gradient, 2.1, BUDGET),
        "no gradient was asked for": lambda w, gradient: w,
    }
)
