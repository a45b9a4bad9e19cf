"""Exercises of chapter 04, Training deep networks."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import norm

from utils.exercises._compare import Wrong, numbers, same, show, sizes, unpack
from utils.exercises._exercise import exercise


# ---------------------------------------------------------------- 04.1
@exercise(
    "04.1",
    hints=(
        "Forward wants Var w = 1/n_in, backward 1/n_out; W.shape is (n_out, n_in). What is "
        "Xavier's compromise?",
        "The variance is 2/(n_in + n_out). The question asks for the standard deviation.",
        "The standard deviation is the square root of the variance.",
    ),
    why="Between 1/n_in and 1/n_out lies 2/(n_in + n_out), which is both if the layer is square. "
    "rng.normal wants the deviation, so take the root.",
)
def xavier_std(W):
    """Standard deviation of Xavier's weights for an array W (n_out, n_in), yet to be filled."""
    n_out, n_in = W.shape
    return (2 / (n_in + n_out)) ** 0.5


@xavier_std.check
def _(answer, rng):
    for _ in range(4):
        n_out, n_in = (int(n) for n in 10 + rng.permutation(500)[:2])
        variance = 1 / ((n_in + n_out) / 2)
        known = {
            "this is the variance: the standard deviation is its square root": variance,
            "this is He's: it looks at the inputs alone": math.sqrt(2 / n_in),
            "this looks at the inputs alone: gradients come from the outputs": math.sqrt(1 / n_in),
            "this is the bound of a uniform distribution: its deviation is √3 times smaller": (
                math.sqrt(3 * variance)
            ),
            "there is a 2 above the line: the mean of n_in and n_out is half their sum": (
                math.sqrt(variance / 2)
            ),
        }
        same(answer(np.zeros((n_out, n_in))), math.sqrt(variance), "the deviation", known=known)


@xavier_std.wrong("this is the variance")
def _variance(W):
    return 2 / sum(W.shape)


@xavier_std.wrong("this is He's")
def _he(W):
    return (2 / W.shape[1]) ** 0.5


@xavier_std.wrong("this looks at the inputs alone: gradients")
def _forward_only(W):
    return (1 / W.shape[1]) ** 0.5


@xavier_std.wrong("the bound of a uniform distribution")
def _uniform_bound(W):
    return (6 / sum(W.shape)) ** 0.5


@xavier_std.wrong("there is a 2 above the line")
def _no_two(W):
    return (1 / sum(W.shape)) ** 0.5


# ---------------------------------------------------------------- 04.2 and 04.3
def _normalized(x, gamma, beta, eps, axis, *, correction=0, inside=True):
    """The formula, feature by feature or example by example, in plain loops over one axis."""
    rows = np.moveaxis(x, axis, 0)
    mean = sum(rows) / len(rows)
    var = sum((row - mean) ** 2 for row in rows) / (len(rows) - correction)
    deviation = np.sqrt(var + eps) if inside else np.sqrt(var) + eps
    return gamma * np.moveaxis((rows - mean) / deviation, 0, axis) + beta


def _check_normalization(answer, rng, axis, other, per):
    """Both exercises differ in the axis only."""
    for eps in (0.1, 0.5):
        n, d = sizes(rng, 2)
        x = rng.normal(2, 3, size=(n, d))
        gamma, beta = rng.uniform(1, 3, size=d), rng.normal(size=d)
        ones, zeros = np.ones(d), np.zeros(d)
        expected = _normalized(x, gamma, beta, eps, axis)
        known = {
            f"the statistics run along the wrong axis: take one mean for each {per}": _normalized(
                x, gamma, beta, eps, other
            ),
            "γ and β are missing: the last step is γ·ẑ + β": _normalized(x, ones, zeros, eps, axis),
            "the variance is divided by n − 1: a normalization divides by n": _normalized(
                x, gamma, beta, eps, axis, correction=1
            ),
            "ε belongs under the root: √(σ² + ε)": _normalized(
                x, gamma, beta, eps, axis, inside=False
            ),
            "ε is missing: √(σ² + ε)": _normalized(x, gamma, beta, 0.0, axis),
            f"there is one mean for the whole array: take one for each {per}": (
                gamma * (x - x.mean()) / np.sqrt(x.var() + eps) + beta
            ),
        }
        given = {"x": x}
        same(answer(x, gamma, beta, eps), expected, "the result", given=given, known=known)


@exercise(
    "04.2",
    hints=(
        "One mean and one variance for each feature: which axis of (N, D) must vanish?",
        "x.mean(axis=0) and x.var(axis=0) have shape (D,), and broadcast over the batch.",
        "ẑ = (x − mean)/√(var + eps), and then gamma·ẑ + beta.",
    ),
    why="The statistics belong to the features, so the batch axis vanishes. x.var divides by N, as "
    "batch normalization does in training; ε keeps a constant feature from dividing by 0.",
)
def normalize_batch(x, gamma, beta, eps):
    """Batch normalization of x (N, D) in training mode, with gamma and beta (D,)."""
    return gamma * (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps) + beta


@normalize_batch.check
def _(answer, rng):
    _check_normalization(answer, rng, 0, 1, "feature")


@normalize_batch.wrong("along the wrong axis: take one mean for each feature")
def _over_features(x, gamma, beta, eps):
    return _normalized(x, gamma, beta, eps, 1)


@normalize_batch.wrong("γ and β are missing")
def _bare(x, gamma, beta, eps):
    return (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps)


@normalize_batch.wrong("divided by n − 1")
def _unbiased(x, gamma, beta, eps):
    return gamma * (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0, ddof=1) + eps) + beta


@normalize_batch.wrong("ε belongs under the root")
def _outside(x, gamma, beta, eps):
    return gamma * (x - x.mean(axis=0)) / (x.std(axis=0) + eps) + beta


@normalize_batch.wrong("x is changed in place")
def _spoiled(x, gamma, beta, eps):
    x -= x.mean(axis=0)
    return gamma * x / np.sqrt(x.var(axis=0) + eps) + beta


@exercise(
    "04.3",
    hints=(
        "One mean and one variance for each example: which axis of (N, D) must vanish?",
        "x.mean(axis=1) has shape (N,), which does not broadcast against (N, D). What keeps the "
        "axis?",
        "Use keepdims=True for both statistics; gamma and beta stay (D,).",
    ),
    why="Mean and variance are those of one example, so no other example can change its answer. "
    "keepdims leaves (N, 1), which broadcasts along the features.",
)
def normalize_layer(x, gamma, beta, eps):
    """Layer normalization of x (N, D), with gamma and beta (D,)."""
    mean, var = x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True)
    return gamma * (x - mean) / np.sqrt(var + eps) + beta


@normalize_layer.check
def _(answer, rng):
    _check_normalization(answer, rng, 1, 0, "example")


@normalize_layer.wrong("along the wrong axis: take one mean for each example")
def _over_batch(x, gamma, beta, eps):
    return _normalized(x, gamma, beta, eps, 0)


@normalize_layer.wrong("γ and β are missing")
def _bare_layer(x, gamma, beta, eps):
    return _normalized(x, 1.0, 0.0, eps, 1)


@normalize_layer.wrong("ValueError")
def _no_keepdims(x, gamma, beta, eps):
    return gamma * (x - x.mean(axis=1)) / np.sqrt(x.var(axis=1) + eps) + beta


@normalize_layer.wrong("one mean for the whole array")
def _over_all(x, gamma, beta, eps):
    return gamma * (x - x.mean()) / np.sqrt(x.var() + eps) + beta


# ---------------------------------------------------------------- 04.4
@exercise(
    "04.4",
    hints=(
        "Statistics of the batch first: one mean and one variance for each feature.",
        "new = (1 − momentum)·old + momentum·(that of the batch).",
        "The running variance takes the unbiased one: x.var(axis=0, ddof=1).",
    ),
    why="An average that forgets: each batch has the share momentum, and older ones fade. The "
    "running variance estimates that of all data, hence the unbiased N − 1.",
)
def update_running(mean, var, x, momentum):
    """New running mean and variance (D,) after a batch x (N, D)."""
    new_mean = (1 - momentum) * mean + momentum * x.mean(axis=0)
    new_var = (1 - momentum) * var + momentum * x.var(axis=0, ddof=1)
    return new_mean, new_var


@update_running.check
def _(answer, rng):
    for momentum in (0.1, 0.3):
        n, d = sizes(rng, 2)
        x = rng.normal(1, 2, size=(n, d))
        mean, var = rng.normal(size=d), rng.uniform(0.5, 2, size=d)
        batch_mean = np.array([math.fsum(column) / n for column in x.T])
        squares = np.array([math.fsum((c - c.mean()) ** 2) for c in x.T])
        swapped = "momentum is the share of the new value: you gave it to the old one"
        old, new = 1 - momentum, momentum
        got = unpack(answer(mean, var, x, momentum), "mean", "variance")
        known = {swapped: new * mean + old * batch_mean, "this forgets all before": batch_mean}
        same(got[0], old * mean + new * batch_mean, "the mean", known=known)
        known = {
            "the biased variance: divide by N − 1 here": old * var + new * squares / n,
            "deviations are averaged: average variances": (
                old * var + new * np.sqrt(squares / (n - 1))
            ),
        }
        same(got[1], old * var + new * squares / (n - 1), "the variance", known=known)


@update_running.wrong("momentum is the share of the new value")
def _keras_momentum(mean, var, x, momentum):
    return (
        momentum * mean + (1 - momentum) * x.mean(axis=0),
        momentum * var + (1 - momentum) * x.var(axis=0, ddof=1),
    )


@update_running.wrong("the biased variance")
def _biased(mean, var, x, momentum):
    return (
        (1 - momentum) * mean + momentum * x.mean(axis=0),
        (1 - momentum) * var + momentum * x.var(axis=0),
    )


@update_running.wrong("this forgets all before")
def _forgets(mean, var, x, momentum):
    return x.mean(axis=0), x.var(axis=0, ddof=1)


@update_running.wrong("mean is changed in place")
def _running_in_place(mean, var, x, momentum):
    mean *= 1 - momentum
    mean += momentum * x.mean(axis=0)
    return mean, (1 - momentum) * var + momentum * x.var(axis=0, ddof=1)


# ---------------------------------------------------------------- 04.5
@exercise(
    "04.5",
    hints=(
        "Where keep is False the output is 0. Multiplying by True and False does that.",
        "On average a share 1 − p of an output survives. What factor brings the mean back to x?",
        "x * keep / (1 - p)",
    ),
    why="The mean over masks of x·keep is (1 − p)·x. Dividing by 1 − p in training restores it, so "
    "that evaluation needs no change at all.",
)
def dropout(x, keep, p):
    """Dropout in training mode: outputs where `keep` is False are 0, the mean over masks is x."""
    return x * keep / (1 - p)


@dropout.check
def _(answer, rng):
    for p in (0.2, 0.6, 0.0):
        x = rng.normal(size=sizes(rng, 2))
        keep = rng.random(x.shape) >= p
        keep.flat[:2] = True, p == 0
        kept = np.where(keep, x, 0.0)
        known = {
            "the scale is missing: on average the output is too small by 1 − p": kept,
            "divide by 1 − p, not by p: p is the share that is lost": kept / p if p else kept,
            "the mask is upside down: keep is True for those that stay": (x - kept) / (1 - p),
            "multiply or divide? The survivors must become larger": kept * (1 - p),
        }
        same(answer(x, keep, p), kept / (1 - p), "the output", given={"x": x}, known=known)


@dropout.wrong("the scale is missing")
def _no_scale(x, keep, p):
    return x * keep


@dropout.wrong("not by p: p is the share")
def _by_p(x, keep, p):
    return x * keep / max(p, 1e-9)


@dropout.wrong("the mask is upside down")
def _upside_down(x, keep, p):
    return x * ~keep / (1 - p)


@dropout.wrong("The survivors must become larger")
def _smaller(x, keep, p):
    return x * keep * (1 - p)


# ---------------------------------------------------------------- 04.6
@exercise(
    "04.6",
    hints=(
        "Differentiate one term at a time: d|w|/dw is +1 right of 0 and −1 left of it.",
        "np.sign gives both signs, and 0 at 0. The derivative of w²/2 is w.",
        "l1·sign(w) + l2·w",
    ),
    why="L1 pulls with the same force however small the weight is, so weights reach 0; L2 pulls in "
    "proportion, so they shrink by a share and never quite get there.",
)
def penalty_gradient(w, l1, l2):
    """Gradient of l1 Σ|w| + ½ l2 Σ w², of the shape of w."""
    return l1 * np.sign(w) + l2 * w


@penalty_gradient.check
def _(answer, rng):
    for dims in (1, 2):
        w = rng.normal(size=sizes(rng, dims))
        l1, l2 = (float(v) for v in rng.uniform(0.1, 2, size=2))
        sign = np.where(w > 0, 1.0, -1.0)
        known = {
            "the ½ cancels the 2 of the derivative: the L2 part is l2·w": l1 * sign + 2 * l2 * w,
            "the slope of |w| is its sign, not its size": l1 * np.abs(w) + l2 * w,
            "this is the penalty of each weight: its gradient is asked for": (
                l1 * np.abs(w) + l2 * w * w / 2
            ),
            "the slope of |w| is −1 for w < 0: where is its sign?": l1 + l2 * w,
            "this is the step downhill: the gradient has the other sign": -l1 * sign - l2 * w,
        }
        same(answer(w, l1, l2), l1 * sign + l2 * w, "the gradient", given={"w": w}, known=known)


@penalty_gradient.wrong("the ½ cancels the 2")
def _twice(w, l1, l2):
    return l1 * np.sign(w) + 2 * l2 * w


@penalty_gradient.wrong("its sign, not its size")
def _size(w, l1, l2):
    return l1 * np.abs(w) + l2 * w


@penalty_gradient.wrong("this is the penalty of each weight")
def _penalty(w, l1, l2):
    return l1 * np.abs(w) + l2 * w**2 / 2


@penalty_gradient.wrong("where is its sign?")
def _no_sign(w, l1, l2):
    return l1 + l2 * w


@penalty_gradient.wrong("the gradient has the other sign")
def _downhill(w, l1, l2):
    return -l1 * np.sign(w) - l2 * w


# ---------------------------------------------------------------- 04.7
@exercise(
    "04.7",
    hints=(
        "Walk through the losses and remember the epoch with the lowest one so far.",
        "After each epoch compare: epoch − best ≥ patience means stop.",
        "Only a loss that is truly lower moves best; an equal one does not.",
    ),
    why="The weights that count are those of the best epoch, not of the last one. The epochs after "
    "it are the price for being sure.",
)
def early_stopping(losses, patience):
    """Pair (best, stopped): the epoch to keep, and the last epoch that was run."""
    best = 0
    for epoch, loss in enumerate(losses):
        if loss < losses[best]:
            best = epoch
        if epoch - best >= patience:
            break
    return best, epoch


@early_stopping.check
def _(answer, rng):
    cases = [
        (np.array([5.0, 4.0, 3.0, 3.5, 3.4, 3.3, 3.2, 1.0]), 3),
        (np.array([3.0, 2.0, 1.0]), 2),
        (np.array([2.0, 2.0, 2.0]), 2),
    ]
    cases += [(rng.permutation(20).astype(float), int(rng.integers(2, 6)))]
    cases += [(np.round(rng.random(30), 1), 4)]
    for losses, patience in cases:
        ends = [
            e
            for e in range(len(losses))
            if e - int(np.argmin(losses[: e + 1])) >= patience
        ]  # fmt: skip
        stopped = ends[0] if ends else len(losses) - 1
        best = int(np.argmin(losses[: stopped + 1]))
        case = f"for losses {losses.tolist()} and patience {patience} "
        got = [numbers(part, "each answer", ()) for part in
               unpack(answer(losses, patience), "best", "stopped")]  # fmt: skip
        if (got[0], got[1]) == (best, stopped):
            continue
        if (got[0], got[1]) == (stopped, best):
            raise Wrong("the pair is swapped: best first, then stopped")
        if got[1] == stopped and got[0] == stopped:
            raise Wrong(case + f"the weights to keep are those of epoch {best}, not of the last")
        if got[0] == int(np.argmin(losses)) and got[0] > stopped:
            raise Wrong(case + f"training ends after epoch {stopped}: later losses are never seen")
        if got[1] == stopped + 1:
            raise Wrong(case + f"you stop one epoch late: {stopped} − {best} ≥ {patience}")
        raise Wrong(
            case + f"the answer is ({best}, {stopped}), got ({show(got[0])}, {show(got[1])})"
        )


@early_stopping.wrong("not of the last")
def _keeps_last(losses, patience):
    _, stopped = early_stopping.reference(losses, patience)
    return stopped, stopped


@early_stopping.wrong("later losses are never seen")
def _clairvoyant(losses, patience):
    return int(np.argmin(losses)), early_stopping.reference(losses, patience)[1]


@early_stopping.wrong("you stop one epoch late")
def _late(losses, patience):
    return early_stopping.reference(losses, patience + 1)


@early_stopping.wrong("the pair is swapped")
def _swapped(losses, patience):
    return early_stopping.reference(losses, patience)[::-1]


@early_stopping.wrong("the answer is (")
def _first_rise(losses, patience):
    for epoch in range(1, len(losses)):
        if losses[epoch] >= losses[epoch - 1]:
            return epoch - 1, epoch
    return len(losses) - 1, len(losses) - 1


# ---------------------------------------------------------------- 04.8
@exercise(
    "04.8",
    hints=(
        "Which numbers are learned here? The mean and the deviation of each feature.",
        "Everything that is learned is learned from `train`, and applied to both.",
        "mean, std = train.mean(axis=0), train.std(axis=0); then (a − mean)/std for both.",
    ),
    why="The test set plays the future, and the future cannot tell you its mean. It gets the map "
    "that the training set has fixed; its own mean is then about 0, not exactly 0.",
)
def standardize_both(train, test):
    """Pair of train (N, D) and test (M, D), standardized by the statistics of train."""
    mean, std = train.mean(axis=0), train.std(axis=0)
    return (train - mean) / std, (test - mean) / std


@standardize_both.check
def _(answer, rng):
    for _ in range(2):
        n, m, d = sizes(rng, 3)
        train, test = rng.normal(1, 2, size=(n, d)), rng.normal(3, 4, size=(m, d))
        both = np.concatenate([train, test])

        def by(a, source):
            centered = source - sum(source) / len(source)
            return (a - sum(source) / len(source)) / np.sqrt(sum(centered**2) / len(source))

        got = unpack(answer(train, test), "train", "test")
        leak = "the test set has leaked in: take mean and deviation from train alone"
        whole = "one mean for the whole array: take one for each feature"
        known = {leak: by(train, both), whole: (train - train.mean()) / train.std()}
        same(got[0], by(train, train), "train", known=known)
        own = "the test set is standardized by itself: use the map that train has fixed"
        same(got[1], by(test, train), "test", known={own: by(test, test), leak: by(test, both)})


@standardize_both.wrong("the test set has leaked in")
def _leak(train, test):
    both = np.concatenate([train, test])
    return tuple((a - both.mean(axis=0)) / both.std(axis=0) for a in (train, test))


@standardize_both.wrong("standardized by itself")
def _each_its_own(train, test):
    return tuple((a - a.mean(axis=0)) / a.std(axis=0) for a in (train, test))


@standardize_both.wrong("one mean for the whole array")
def _one_mean(train, test):
    return tuple((a - train.mean()) / train.std() for a in (train, test))


@standardize_both.wrong("train is changed in place")
def _both_in_place(train, test):
    train -= train.mean(axis=0)
    return train, test


# ---------------------------------------------------------------- 04.9
@exercise(
    "04.9",
    hints=(
        "Begin with g at the top and walk down, from layer L to layer 1.",
        "One layer: first δ = slope ⊙ g, then Wᵀδ is the g of the layer below.",
        "Loop over zip(weights[::-1], slopes[::-1]) with g = W.T @ (slope * g).",
    ),
    why="Each layer multiplies by the slopes of its neurons and by Wᵀ, the last layer first. The "
    "norm at the end over the norm at the start is what Figure 1 draws.",
)
def gradient_ratio(weights, slopes, g):
    """‖∂L/∂h_0‖/‖∂L/∂h_L‖ for weights (L, D, D), slopes f′(z_l) (L, D) and g = ∂L/∂h_L (D,)."""
    start = np.linalg.norm(g)
    for W, slope in zip(weights[::-1], slopes[::-1], strict=True):
        g = W.T @ (slope * g)
    return np.linalg.norm(g) / start


@gradient_ratio.check
def _(answer, rng):
    for depth in (1, 2, 6):
        (d,) = sizes(rng, 1)
        weights = rng.normal(size=(depth, d, d))
        slopes = rng.uniform(0.1, 1, size=(depth, d))
        g = 3 * rng.normal(size=d)

        def norm_after(order, transposed=True, bend=True, W=weights, s=slopes, g=g, d=d):
            J = np.eye(d)
            for k in order:
                step = (W[k].T if transposed else W[k]) @ np.diag(s[k] if bend else np.ones(d))
                J = step @ J
            return float(np.sqrt(np.sum((J @ g) ** 2)))

        down, up = range(depth - 1, -1, -1), range(depth)
        start = float(np.sqrt(np.sum(g * g)))
        known = {
            "divide by the norm of g: the ratio is asked for": norm_after(down),
            "W is not transposed: back through a layer it is Wᵀ": norm_after(down, False) / start,
            "the slopes are missing: δ = slope ⊙ g comes first": (
                norm_after(down, bend=False) / start
            ),
            "this begins at layer 1: a gradient starts at the top": norm_after(up) / start,
        }
        same(answer(weights, slopes, g), norm_after(down) / start, "the ratio", known=known)


@gradient_ratio.wrong("W is not transposed")
def _not_transposed(weights, slopes, g):
    return gradient_ratio.reference(weights.mT, slopes, g)


@gradient_ratio.wrong("the slopes are missing")
def _linear(weights, slopes, g):
    return gradient_ratio.reference(weights, np.ones_like(slopes), g)


@gradient_ratio.wrong("divide by the norm of g")
def _no_ratio(weights, slopes, g):
    return gradient_ratio.reference(weights, slopes, g) * np.linalg.norm(g)


@gradient_ratio.wrong("a gradient starts at the top")
def _from_below(weights, slopes, g):
    return gradient_ratio.reference(weights[::-1], slopes[::-1], g)


# ---------------------------------------------------------------- 04.10
@exercise(
    "04.10",
    hints=(
        "Suppose that z has mean 0 and variance 1. What is the mean square of h = f(z)? And the "
        "variance of the next weighted sum?",
        "Var z′ = D · (c/D) · E[f(z)²]. Set it to 1: c = 1/E[f(z)²], for standard normal z.",
        "The mean of f(z)² over the sample is np.mean(f(z) ** 2).",
    ),
    why="D·(c/D)·E[f(z)²] = 1 gives c = 1/E[f(z)²]. For the identity c = 1, Xavier's; ReLU loses "
    "half of the mean square, so c = 2, He's; for tanh it is about 2.54.",
)
def variance_factor(z, f):
    """The c for which Var w = c/D keeps Var z = 1 with activation f, from standard normal z."""
    return 1 / np.mean(f(z) ** 2)


@variance_factor.check
def _(answer, rng):
    a, b = (float(v) for v in rng.uniform(0.2, 0.8, size=2))
    cases = {
        "z ↦ z": lambda z: z,
        "ReLU": lambda z: np.maximum(z, 0),
        "tanh": np.tanh,
        "the sigmoid": lambda z: 1 / (1 + np.exp(-z)),
        f"leaky ReLU with slope {a:.2f}": lambda z: np.where(z > 0, z, a * z),
        f"z ↦ {b:.2f} + sin z": lambda z: b + np.sin(z),
    }
    nodes, weights = np.polynomial.hermite_e.hermegauss(200)  # exact means, without the sample
    weights = weights / weights.sum()
    z = rng.permutation(norm.ppf((np.arange(100_000) + 0.5) / 100_000))
    for name, f in cases.items():
        mean, square = weights @ f(nodes), weights @ f(nodes) ** 2
        known = {
            f"for {name}: this is E[f(z)²]; what c makes c · E[f(z)²] = 1?": square,
            f"for {name}: this is 1/Var f(z); a weighted sum sees the mean square, for "
            "the weights have mean 0": 1 / (square - mean**2),
            f"for {name}: this is the standard deviation; c is a variance": square**-0.5,
        }
        same(answer(z, f), 1 / square, f"c for {name}", rtol=5e-3, known=known)


@variance_factor.wrong("this is E[f(z)²]")
def _mean_square(z, f):
    return np.mean(f(z) ** 2)


@variance_factor.wrong("a weighted sum sees the mean square")
def _by_variance(z, f):
    return 1 / np.var(f(z))


@variance_factor.wrong("this is the standard deviation")
def _deviation(z, f):
    return np.mean(f(z) ** 2) ** -0.5


@variance_factor.wrong("c for z ↦ z must be 1.0")
def _always_he(z, f):
    return 2.0
