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
        "Which way does the loss fall: along the gradient or against it?",
        "By how many examples is each sum divided, and how many are in it?",
        "With 10 examples and B = 4, which values does `first` take? The last batch may be short.",
    ),
    why="Descent subtracts; the mean over a mini-batch is divided by its own size, which for the "
    "last one is smaller; and `range(0, N, B)` reaches every example. `w = w - …` makes a new "
    "array, where `w -= …` would change the caller's.",
)
def epoch(w, X, y, order, B, alpha):
    """One epoch of mini-batch descent of the MSE of X @ w: new w (D,); X (N, D), order (N,)."""
    for first in range(0, len(order), B):
        rows = order[first : first + B]
        g = 2 * X[rows].T @ (X[rows] @ w - y[rows]) / len(rows)
        w = w - alpha * g
    return w


def _steps(w, X, y, order, alpha, cuts, divide=len, sign=-1, factor=2):
    for start, end in cuts:
        some = order[start:end]
        off = np.array([math.fsum(X[n] * w) - y[n] for n in some])
        w = w + sign * alpha * factor * (off[:, None] * X[some]).sum(axis=0) / divide(some)
    return w


def _cuts(N, B):
    return [(start, min(start + B, N)) for start in range(0, N, B)]


@epoch.check
def _(answer, rng):
    for N, B in ((10, 4), (11, 3), (12, 4), (5, 8), (7, 1)):
        X, order = rng.normal(size=(N, sizes(rng, 1)[0])), rng.permutation(N)
        w, y = rng.normal(size=X.shape[1]), rng.normal(size=N)
        expected = _steps(w, X, y, order, 0.05, _cuts(N, B))
        agree(answer, (w, X, y, order, B, 0.05), expected, "the new w")


@epoch.mistakes
def _(w, X, y, order, B, alpha):
    N, cuts = len(order), _cuts(len(order), B)
    whole = [(start, end) for start, end in cuts if end - start == B]
    old = [start for start in range(0, N - B, B)]

    def step(cuts=cuts, order=order, **bug):
        return _steps(w, X, y, order, alpha, cuts, **bug)

    return {
        "it climbs: subtract the step": step(sign=1),
        "each sum is divided by N: a mini-batch has only B examples": step(divide=lambda _: N),
        "the last mini-batch may be short: divide by its own size, not by B": step(
            divide=lambda _: B
        ),
        "the gradient is summed: take the mean over the mini-batch": step(divide=lambda _: 1),
        "examples at the end are left out: the last mini-batch may be short": step(whole),
        "examples at the end are left out: let `first` run to N": step(
            [(start, start + B) for start in old]
        ),
        "the order is not used: the mini-batches are rows of `order`": step(order=np.arange(N)),
        "all mini-batches use the first w: go on from the new one": w
        + sum(_steps(w, X, y, order, alpha, [cut]) - w for cut in cuts),
        "the factor 2 of the derivative of a square is missing": step(factor=1),
        "only the first mini-batch is used: `return` after the loop": step(cuts[:1]),
        "the broken program as it stands: three bugs are to be found": step(
            [(start, start + B) for start in old], divide=lambda _: N, sign=1
        ),
    }


@epoch.wrong("w is changed in place")
def _in_place(w, X, y, order, B, alpha):
    for first in range(0, len(order), B):
        rows = order[first : first + B]
        w -= alpha * 2 * X[rows].T @ (X[rows] @ w - y[rows]) / len(rows)
    return w


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
        digits = 1e-4 if height else 1e-6  # float32 knows 800 to four places
        agree(answer, (z, labels), expected, "the gradient", rtol=digits)
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
        "p[:, labels] takes whole columns: one entry of each row is p[np.arange(N), labels]": (
            (p - y.max(axis=0)) / n
        ),
        "the number of the label is subtracted: subtract a row with a single 1": (
            (p - labels[:, None]) / n
        ),
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
        "the Frobenius norm is no eigenvalue: take the largest of these": (
            2 / np.sqrt(np.sum(H * H))
        ),
        "the largest row sum only bounds the largest eigenvalue": 2 / np.abs(H).sum(axis=1).max(),
        "the mean of the eigenvalues does not count: the largest one does": 2
        * len(H)
        / np.trace(H),
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
        if 0 in lengths:
            raise Wrong(f"N = {N}, B = {B}: an empty mini-batch is left at the end")
        if len(lengths) == B != len(wanted):
            raise Wrong("B is the size of a mini-batch, not how many there are")
        if lengths != wanted and max(lengths) <= B and len(lengths) == len(wanted):
            raise Wrong(f"N = {N}, B = {B}: all but the last must have B rows, got {lengths}")
        if lengths != wanted:
            raise Wrong(f"N = {N}, B = {B}: the sizes must be {wanted}, got {lengths}")
        if N > 10 and drawn == list(range(N)):
            raise Wrong("the rows come in their old order: shuffle first")
        if not np.allclose(rows, X[np.random.default_rng(seed).permutation(N)], rtol=1e-6):
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
        "all but the last must have B rows": lambda X, B, rng: np.array_split(
            X[rng.permutation(len(X))], -(-len(X) // B)
        ),
        "not how many there are": lambda X, B, rng: np.array_split(X[rng.permutation(len(X))], B),
        "an empty mini-batch": lambda X, B, rng: [*minibatches.reference(X, B, rng), X[:0]],
        "the sizes must be": lambda X, B, rng: minibatches.reference(X, B + 1, rng),
        "shuffle whole rows": lambda X, B, rng: [
            rng.permutation(batch) for batch in minibatches.reference(X, B, rng)
        ],
    }
)


# ---------------------------------------------------------------- 02.6
@exercise(
    "02.6",
    hints=(
        "You do not know the minimum w*, but the path tells how long each step was.",
        "The distance to w* is multiplied by 1 − αλ at each step, and so is the step itself.",
        "From two steps in a row: 1 − αλ = step₂/step₁, for each axis by itself.",
    ),
    why="w − w* shrinks by 1 − αλ, so differences of places do, too, and the unknown w* drops out. "
    "A negative ratio is a walk that jumps across the floor: αλ is above 1 there.",
)
def steepness(path, alpha):
    """λ (D,) of a bowl along each axis, from places (T, D) of plain descent, T ≥ 3."""
    steps = path[1:] - path[:-1]
    return (1 - steps[1] / steps[0]) / alpha


@steepness.check
def _(answer, rng):
    for d, alpha in ((4, 0.25), (3, 0.5), (1, 0.125), (5, 0.0625)):
        lam, low = rng.uniform(0.2, 1.9, size=d) / alpha, rng.normal(size=d)
        far = rng.uniform(0.5, 2, size=d) * rng.choice([-1, 1], size=d)
        path = [low + far * (1 - alpha * lam) ** t for t in range(4)]
        agree(answer, (np.array(path), alpha), lam, "the steepness", rtol=1e-5)
    path = np.array([[3.0, 5.0], [2.0, 3.0], [1.5, 4.0]])  # the second jumps across the floor
    agree(answer, (path, 0.5), [1.0, 3.0], "the steepness", quote="all")


@steepness.mistakes
def _(path, alpha):
    steps = np.diff(path, axis=0)
    ratio = steps[1] / steps[0]
    return {
        "this is the factor 1 − αλ: solve it for λ": ratio,
        "this is αλ: divide by α": 1 - ratio,
        "1 − ratio is αλ: divide by α, do not multiply": (1 - ratio) * alpha,
        "the minimum need not be at 0: use differences of places": (1 - path[1] / path[0]) / alpha,
        "the ratio is upside down: the later step over the earlier": (1 - 1 / ratio) / alpha,
        "a walk may jump across the floor: do not take the sizes of the steps": (
            (1 - np.abs(ratio)) / alpha
        ),
        "the sign is wrong: the steps are multiplied by 1 − αλ": (ratio - 1) / alpha,
        "these are two steps at once: compare neighboring ones": (1 - steps[-1] / steps[0]) / alpha,
    }


# ---------------------------------------------------------------- 02.7
@exercise(
    "02.7",
    hints=(
        "Write one step of Adam yourself and compare: `np.allclose` on random w, m, v, g.",
        "At t = 1 with m = v = 0 many wrong versions agree with the right one. Try t = 3 as well.",
        "Compare all three results: a correction that is also kept in m shows only there. And try "
        "small gradients, where ε counts.",
    ),
    why="A test is as good as the wrong programs it catches. Bias correction shows at small t, ε "
    "only for small v, and what is kept in m and v only in the second and third result.",
)
def is_adam(step):
    """Whether step(w, m, v, g, t) → (w, m, v) is Adam with α 0.1, β₁ 0.8, β₂ 0.95, ε 0.001."""
    rng = np.random.default_rng(0)
    for t in (1, 3):
        w, m, root, g = rng.normal(size=(4, 20)) / 100  # small numbers, so that ε counts
        v = root**2
        new_m, new_v = 0.8 * m + 0.2 * g, 0.95 * v + 0.05 * g**2
        m_hat, v_hat = new_m / (1 - 0.8**t), new_v / (1 - 0.95**t)
        right = w - 0.1 * m_hat / (np.sqrt(v_hat) + 0.001), new_m, new_v
        got = step(w.copy(), m.copy(), v.copy(), g.copy(), t)
        if not all(np.allclose(a, b, atol=1e-12) for a, b in zip(got, right, strict=True)):
            return False
    return True


def _adam(w, m, v, g, t, *, beta1=0.8, beta2=0.95, power=2, late=0, corrected=(1, 1), keep=False,
          under_root=False, eps=1e-3, sign=-1, root=True, gradient=False):  # fmt: skip
    m, v = m + (1 - beta1) * (g - m), v + (1 - beta2) * (np.abs(g) ** power - v)
    m_hat = m / (1 - beta1 ** (t + late)) if corrected[0] else m
    v_hat = v / (1 - beta2 ** (t + late)) if corrected[1] else v
    below = np.sqrt(v_hat + eps) if under_root else (np.sqrt(v_hat) if root else v_hat) + eps
    w = w + sign * 0.1 * (g if gradient else m_hat) / below
    return (w, m_hat, v_hat) if keep else (w, m, v)


_WRONG_ADAMS = {
    "one that climbs": {"sign": 1},
    "one without any bias correction": {"corrected": (0, 0)},
    "one that corrects only m": {"corrected": (1, 0)},
    "one that corrects only v": {"corrected": (0, 1)},
    "one that counts t from 0": {"late": 1},
    "one that keeps the corrected m and v": {"keep": True},
    "one with β₁ for both means": {"beta2": 0.8},
    "one with ε under the root": {"under_root": True},
    "one without ε": {"eps": 0.0},
    "one that averages |g| instead of g²": {"power": 1},
    "one that forgets the root": {"root": False},
    "one that divides the gradient instead of m": {"gradient": True},
}


@is_adam.check
def _(answer, rng):
    def textbook(w, m, v, g, t):
        m, v = 0.8 * m + 0.2 * g, 0.95 * v + 0.05 * g * g
        rate = 0.1 * np.sqrt(1 - 0.95**t) / (1 - 0.8**t)
        return w - rate * m / (np.sqrt(v) + 0.001 * np.sqrt(1 - 0.95**t)), m, v

    def verdict(step):
        said = answer(step)
        if not isinstance(said, bool | np.bool_):
            raise Wrong(f"return True or False, got {type(said).__name__}")
        return bool(said)

    for step, name in (
        (_adam, "Adam itself"),
        (textbook, "Adam in another form: allow for rounding"),
    ):
        if not verdict(step):
            raise Wrong(f"your test refuses {name}")
    passed = [
        name
        for name, bug in _WRONG_ADAMS.items()
        if verdict(lambda *args, bug=bug: _adam(*args, **bug))
    ]
    if passed:
        more = f", and {len(passed) - 1} more" if passed[1:] else ""
        raise Wrong(f"your test passes a wrong Adam: {passed[0]}{more}")


def _tester(sizes, times, parts, exact=False):
    """A test that tries some sizes of numbers at some steps and compares the first results."""

    def test(step):
        rng = np.random.default_rng(0)
        for t in times:
            for size in sizes:
                w, m, g = size * rng.normal(size=(3, 20))
                v = size**2 * rng.random(20)
                got, right = (f(w, m, v, g, t) for f in (step, _adam))
                tolerance = {"rtol": 0, "atol": 0} if exact else {"atol": 1e-12}
                if not all(
                    np.allclose(a, b, **tolerance) for a, b in zip(got[:parts], right, strict=False)
                ):
                    return False
        return True

    return test


is_adam.wrongs(
    {
        "passes a wrong Adam: one that climbs, and 11 more": lambda step: True,
        "refuses Adam in another form": _tester((1, 1e-3), (1, 3), 3, exact=True),
        "passes a wrong Adam: one that keeps the corrected m and v": _tester((1, 1e-3), (1, 3), 1),
        "passes a wrong Adam: one without any bias correction": _tester((1, 1e-3), (1000,), 3),
        "refuses Adam itself": lambda step: False,
        "return True or False, got tuple": lambda step: step(*np.ones((4, 2)), 1),
        "passes a wrong Adam: one with ε under the root": _tester((100,), (1, 3), 3),
    }
)


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
        "this is alpha/√t, without a warm-up": alpha / np.sqrt(t),
        "it stays at alpha after the warm-up: let it fall": alpha * np.minimum(line, 1),
        "it rises without an end": alpha * line,
    }


# ---------------------------------------------------------------- 02.9
@exercise(
    "02.9",
    hints=(
        "Below α = 2 plain descent arrives. So search between 0 and 2.",
        "Let Nesterov run from w = 1 with a few step sizes and print the last |w|.",
        "In numbers: with v of the step before, w ← w − α(g + μv). A large μv adds to a large g.",
    ),
    why="Looking ahead makes the slope count 1 + μ times and more: on a bowl Nesterov's limit is "
    "α < 2(1 + μ)/(1 + 2μ)/λ, here 1.357, below the 2/λ of plain descent. Between the two limits "
    "descent arrives and Nesterov runs away.",
    is_value=True,
)
def step_that_breaks_nesterov():
    """A step size α at which, on L = w²/2, descent arrives and Nesterov with μ = 0.9 does not."""
    return 1.5


@step_that_breaks_nesterov.check
def _(answer, rng):
    alpha = float(numbers(answer, "α", ()))
    if not alpha > 0:
        raise Wrong(f"a step size is more than 0, got {show(alpha)}")
    plain = w = 1.0
    v = 0.0
    for _ in range(1000):
        plain -= alpha * plain
        if abs(w) < 1e100:
            v = 0.9 * v + w
            w -= alpha * (w + 0.9 * v)
        if abs(plain) > 1e100:
            raise Wrong(f"plain descent runs away, too, with α = {show(alpha)}")
    if abs(plain) > 1e-3:
        raise Wrong(f"plain descent is still {show(abs(plain))} away, with α = {show(alpha)}")
    if abs(w) < 1e3:
        raise Wrong(f"Nesterov arrives, too, with α = {show(alpha)}: dare more")


step_that_breaks_nesterov.wrongs(
    {
        "Nesterov arrives, too, with α = 0.5": 0.5,
        "Nesterov arrives, too, with α = 1.3": 1.3,
        "plain descent runs away, too": 2.5,
        "plain descent is still": 2.0,
        "a step size is more than 0": -1.5,
        "α must be one number": [1.4, 1.6],
    }
)


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


# ---------------------------------------------------------------- 02.11
@exercise(
    "02.11",
    hints=(
        "`layer = torch.nn.Linear(x.shape[1], K)`; arrays become tensors by `torch.from_numpy`.",
        "The loop: logits, `torch.nn.functional.cross_entropy`, `zero_grad`, `backward`, `step`.",
        "`torch.optim.Adam(layer.parameters(), lr=0.1)` and a hundred steps are enough.",
    ),
    why="The layer's output are logits, and PyTorch's cross_entropy takes the softmax itself. "
    "Gradients add up in `.grad` until `zero_grad` clears them.",
)
def train_layer(x, labels, K):
    """A trained torch.nn.Linear for x (N, D), float32, and labels (N,) from 0 to K − 1."""
    import torch

    layer = torch.nn.Linear(x.shape[1], K)
    inputs, targets = torch.from_numpy(x), torch.from_numpy(labels)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.1)
    for _ in range(100):
        loss = torch.nn.functional.cross_entropy(layer(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return layer


@train_layer.check
def _(answer, rng):
    import torch

    from utils.datasets import load_digits
    from utils.recorded.step_sizes import coarse

    digits = load_digits(full=False)
    centers = np.array([[4, 0, 0], [0, 4, 0], [0, 0, 4], [-4, -4, 0]])
    places = rng.integers(4, size=400)
    clouds = (centers[places] + rng.normal(size=(400, 3))).astype(np.float32)
    tasks = {
        "points of four clouds": (clouds, places, 4, 200, 0.9),
        "digits": (
            np.float32(np.concatenate([coarse(digits.x_train[:1000]), coarse(digits.x_test)])),
            np.concatenate([digits.y_train[:1000], digits.y_test]).astype(np.int64), 10, 1000, 0.8,
        ),
    }  # fmt: skip
    for what, (x, labels, K, n, target) in tasks.items():
        with torch.random.fork_rng():
            torch.manual_seed(0)
            layer = answer(x[:n], labels[:n], K)
        if not isinstance(layer, torch.nn.Linear):
            raise Wrong(f"return the layer, a torch.nn.Linear; got {type(layer).__name__}")
        if (layer.in_features, layer.out_features) != (x.shape[1], K):
            raise Wrong(
                f"for x (N, {x.shape[1]}) and K = {K} the layer must lead from {x.shape[1]} to {K} "
                f"numbers; yours leads from {layer.in_features} to {layer.out_features}"
            )
        if not all(parameter.isfinite().all() for parameter in layer.parameters()):
            raise Wrong("some of its weights are no numbers: did a step run away?")
        with torch.no_grad():
            read = layer(torch.from_numpy(x[n:])).argmax(dim=1).numpy()
        share = np.mean(read == labels[n:])
        if share < target:
            raise Wrong(f"it gets {share:.0%} of unseen {what} right; reach {target:.0%}")


def _layer(x, K):
    import torch

    return torch.nn.Linear(x.shape[1], K)


@train_layer.wrong("of unseen points of four clouds right; reach 90%")
def _climbs(x, labels, K):
    import torch

    layer = _layer(x, K)
    for _ in range(100):
        layer.zero_grad()
        logits = layer(torch.from_numpy(x))
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels))
        loss.backward()
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter += 0.5 * parameter.grad
    return layer


@train_layer.wrong("of unseen digits right; reach 80%")
def _too_few_steps(x, labels, K):
    import torch

    layer = _layer(x, K)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    for _ in range(30):
        logits = layer(torch.from_numpy(x))
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return layer


def _burst(x, labels, K):
    layer = _layer(x, K)
    layer.weight.data *= math.nan
    return layer


train_layer.wrongs(
    {
        "are no numbers: did a step run away?": _burst,
        "yours leads from 3 to 10": lambda x, labels, K: _layer(x, 10),
        "return the layer, a torch.nn.Linear; got Tensor": lambda x, labels, K: (
            _layer(x, K).weight.data
        ),
    }
)
