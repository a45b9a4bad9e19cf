"""Exercises of chapter 04, Training deep networks."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import norm

from utils.exercises._agree import agree
from utils.exercises._compare import alike, sizes, unpack
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
        agree(answer, (np.zeros((n_out, n_in)),), math.sqrt(variance), "the deviation")


@xavier_std.mistakes
def _(W):
    n_in, both = W.shape[1], sum(W.shape)
    return {
        "this is the variance: the standard deviation is its square root": 2 / both,
        "this is He's: it looks at the inputs alone": math.sqrt(2 / n_in),
        "this looks at the inputs alone: gradients come from the outputs": math.sqrt(1 / n_in),
        "this is the bound of a uniform distribution: its deviation is √3 times smaller": (
            math.sqrt(6 / both)
        ),
        "the number of inputs and outputs is their sum, each counted once": (
            math.sqrt(2 / (2 * W.shape[0]))
        ),
        "there is a 2 above the line: the mean of n_in and n_out is half their sum": (
            math.sqrt(1 / both)
        ),
    }


# ---------------------------------------------------------------- 04.2 and 04.3
def _check_normalization(answer, rng, axis):
    """Both exercises differ in the axis only; here it is walked in plain loops."""
    for eps in (0.1, 0.5):
        n, d = sizes(rng, 2)
        x = rng.normal(2, 3, size=(n, d))
        gamma, beta = rng.uniform(1, 3, size=d), rng.normal(size=d)
        rows = np.moveaxis(x, axis, 0)
        mean = sum(rows) / len(rows)
        var = sum((row - mean) ** 2 for row in rows) / len(rows)
        expected = gamma * np.moveaxis((rows - mean) / np.sqrt(var + eps), 0, axis) + beta
        agree(answer, (x, gamma, beta, eps), expected, quote="entry")


def _mistaken_normalizations(x, gamma, beta, eps, axis, per):
    def normalized(eps=eps, axis=axis, ddof=0):
        mean, var = x.mean(axis, keepdims=True), x.var(axis, ddof=ddof, keepdims=True)
        return gamma * (x - mean) / np.sqrt(var + eps) + beta

    mean, std = x.mean(axis, keepdims=True), x.std(axis, keepdims=True)
    square = (x**2).mean(axis, keepdims=True)
    return {
        "γ multiplies ẑ alone: add β after it": normalized() + (gamma - 1) * beta,
        "brackets: the whole difference x − mean is divided and multiplied": (
            gamma * x - mean / np.sqrt(std**2 + eps) + beta
        ),
        "x − mean is put into no brackets before the division": (
            x - gamma * mean / np.sqrt(std**2 + eps) + beta
        ),
        "this is the RMS norm: subtract the mean": gamma * x / np.sqrt(square + eps) + beta,
        "this is the mean of x²: the variance is that of x minus its mean": (
            gamma * (x - mean) / np.sqrt(square + eps) + beta
        ),
        f"the statistics run along the wrong axis: take one mean for each {per}": (
            normalized(axis=1 - axis)
        ),
        "γ and β are missing: the last step is γ·ẑ + β": (normalized() - beta) / gamma,
        "the variance is divided by n − 1: a normalization divides by n": normalized(ddof=1),
        "ε belongs under the root: √(σ² + ε)": gamma * (x - mean) / (std + eps) + beta,
        "ε is missing: √(σ² + ε)": normalized(eps=0),
        f"there is one mean for the whole array: take one for each {per}": normalized(axis=(0, 1)),
    }


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
    _check_normalization(answer, rng, 0)


@normalize_batch.mistakes
def _(x, gamma, beta, eps):
    return _mistaken_normalizations(x, gamma, beta, eps, 0, "feature")


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
    _check_normalization(answer, rng, 1)


@normalize_layer.mistakes
def _(x, gamma, beta, eps):
    return _mistaken_normalizations(x, gamma, beta, eps, 1, "example")


normalize_layer.wrongs({"ValueError": lambda x, gamma, beta, eps: x - x.mean(axis=1)})


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
        batch_var = np.array([math.fsum((c - c.mean()) ** 2) / (n - 1) for c in x.T])
        expected = {
            "the mean": mean + momentum * (batch_mean - mean),
            "the variance": var + momentum * (batch_var - var),
        }
        agree(answer, (mean, var, x, momentum), expected)


@update_running.mistakes
def _(mean, var, x, momentum):
    old, new = 1 - momentum, momentum
    return {
        "momentum is the share of the new value: you gave it to the old one": (
            update_running.reference(mean, var, x, 1 - momentum)
        ),
        "this forgets all before": (x.mean(axis=0), x.var(axis=0, ddof=1)),
        "the biased variance: divide by N − 1 here": (..., old * var + new * x.var(axis=0)),
        "the factor N/(N − 1) is upside down: the unbiased variance is the larger one": (
            ...,
            old * var + new * x.var(axis=0) * (len(x) - 1) / len(x),
        ),
        "the factor N/(N − 1) belongs to the new variance alone": (
            ...,
            (old * var + new * x.var(axis=0)) * len(x) / (len(x) - 1),
        ),
        "the deviations are those from the mean of the batch, not from the running mean": (
            ...,
            old * var + new * ((x - mean) ** 2).sum(axis=0) / (len(x) - 1),
        ),
        "the deviations are those from the batch's mean, and there are N − 1 to divide by": (
            ...,
            old * var + new * ((x - mean) ** 2).mean(axis=0),
        ),
        "deviations are averaged: average variances": (
            ...,
            old * var + new * x.std(axis=0, ddof=1),
        ),
    }


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
        agree(answer, (x, keep, p), np.where(keep, x / (1 - p), 0.0), "the output", quote="entry")


@dropout.mistakes
def _(x, keep, p):
    return {
        "the scale is missing: on average the output is too small by 1 − p": x * keep,
        "divide by 1 − p, not by p: p is the share that is lost": x * keep / p,
        "divide by the share that is expected, 1 − p, not by the share of this mask": (
            x * keep / max(keep.mean(), 1e-9)
        ),
        "the mask is upside down: keep is True for those that stay": x * ~keep / (1 - p),
        "multiply or divide? The survivors must become larger": x * keep * (1 - p),
    }


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
    """Gradient of l1 Σ|w| + ½ l2 Σ w², of the shape of w; the slope of |w| at 0 counts as 0."""
    return l1 * np.sign(w) + l2 * w


@penalty_gradient.check
def _(answer, rng):
    for dims in (1, 2):
        w = rng.normal(size=sizes(rng, dims))
        l1, l2 = (float(v) for v in rng.uniform(0.1, 2, size=2))
        expected = np.where(w > 0, l1, -l1) + l2 * w
        agree(answer, (w, l1, l2), expected, "the gradient", quote="entry")
    w = np.array([-2.0, 0.0, 4.0])
    agree(answer, (w, 0.5, 0.25), [-1.0, 0.0, 1.5], "the gradient", quote="entry")
    agree(answer, (np.zeros(2), 3.0, 0.5), [0.0, 0.0], "the gradient", quote="entry")


@penalty_gradient.mistakes
def _(w, l1, l2):
    sign, size = np.sign(w), np.abs(w)
    return {
        "the ½ cancels the 2 of the derivative: the L2 part is l2·w": l1 * sign + 2 * l2 * w,
        "the slope of |w| at 0 counts as 0, not as +1: use np.sign": (
            l1 * np.where(w >= 0, 1, -1) + l2 * w
        ),
        "the slope of |w| at 0 counts as 0, not as −1: use np.sign": (
            l1 * np.where(w > 0, 1, -1) + l2 * w
        ),
        "w/|w| is 0/0 at 0: use np.sign": l1 * w / np.abs(w) + l2 * w,
        "the slope of |w| is its sign, not its size": l1 * size + l2 * w,
        "this is the penalty of each weight: its gradient is asked for": l1 * size + l2 * w**2 / 2,
        "the slope of |w| is −1 for w < 0: where is its sign?": l1 + l2 * w,
        "this is the step downhill: the gradient has the other sign": -l1 * sign - l2 * w,
    }


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
        (np.array([4.0, 3.0, 5.0, 3.0, 3.0, 9.0]), 3),
        (np.array([1.0]), 2),
        (np.array([5.0, 6.0, 4.0, 7.0, 8.0, 1.0]), 2),
    ]
    cases += [(rng.permutation(20).astype(float), int(rng.integers(2, 6)))]
    cases += [(np.round(rng.random(30), 1), 4)]
    for losses, patience in cases:
        lowest = [int(np.argmin(losses[: epoch + 1])) for epoch in range(len(losses))]
        waits = [epoch - best >= patience for epoch, best in enumerate(lowest)]
        stopped = waits.index(True) if any(waits) else len(losses) - 1
        expected = {"best": lowest[stopped], "stopped": stopped}
        agree(answer, (losses, patience), expected, quote="all")


@early_stopping.mistakes
def _(losses, patience):
    best, stopped = early_stopping.reference(losses, patience)
    return {
        "the pair is swapped: best first, then stopped": (stopped, best),
        "the weights to keep are those of the best epoch, not of the last": (stopped, ...),
        "an equal loss is no better one: best moves for a lower loss only": (
            _walk(losses, patience, is_better=lambda loss, best, before: loss <= best)
        ),
        "compare with the lowest loss so far, not with the epoch before": (
            _walk(losses, patience, is_better=lambda loss, best, before: loss < before)
        ),
        "epochs are counted since the best one: a better loss sets the count back to 0": (
            _walk(losses, patience, is_reset=False)
        ),
        "{part} is a loss: return the number of the epoch": (losses[best], losses[stopped]),
        "without a stop the last epoch is len(losses) − 1": (
            ...,
            len(losses) if stopped == len(losses) - 1 and stopped - best < patience else stopped,
        ),
        "training has ended by then: later losses are never seen": (np.argmin(losses), ...),
        "you stop one epoch late: stop as soon as epoch − best ≥ patience": (
            early_stopping.reference(losses, patience + 1)
        ),
    }


def _walk(losses, patience, is_better=lambda loss, best, before: loss < best, is_reset=True):
    best, wait = 0, 0
    for epoch in range(1, len(losses)):
        if is_better(losses[epoch], losses[best], losses[epoch - 1]):
            best, wait = epoch, 0 if is_reset else wait
        else:
            wait += 1
        if wait >= patience:
            break
    return best, min(epoch, len(losses) - 1) if len(losses) > 1 else 0


@early_stopping.wrong("must give")
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
        mean = sum(train) / n
        deviation = np.sqrt(sum((train - mean) ** 2) / n)
        if n > 1 and not answer.suspicion:  # with n − 1 the deviation of train is 1 as well
            pair = [(part - mean) / deviation * np.sqrt((n - 1) / n) for part in (train, test)]
            given = unpack(answer(train, test), "train", "test")
            if all(alike(*parts, 1e-6, 1e-9) for parts in zip(given, pair, strict=True)):
                continue
        expected = {"train": (train - mean) / deviation, "test": (test - mean) / deviation}
        agree(answer, (train, test), expected)


@standardize_both.mistakes
def _(train, test):
    def by(source, axis=0):
        return tuple((a - source.mean(axis)) / source.std(axis) for a in (train, test))

    return {
        "the test set has leaked in: take mean and deviation from train alone": (
            by(np.concatenate([train, test]))
        ),
        "one mean for the whole array: take one for each feature": by(train, axis=None),
        "the range goes to 0 … 1 here: subtract the mean, divide by the deviation": tuple(
            (a - train.min(axis=0)) / np.ptp(train, axis=0) for a in (train, test)
        ),
        "divide by the deviation, not by the range": tuple(
            (a - train.mean(axis=0)) / np.ptp(train, axis=0) for a in (train, test)
        ),
        "the test set is standardized by itself: use the map that train has fixed": (
            ...,
            by(test)[1],
        ),
    }


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
        J = np.eye(d)  # of the whole chain, as one matrix
        for W, slope in zip(weights, slopes, strict=True):
            J = np.diag(slope) @ W @ J
        ratio = np.sqrt(np.sum((g @ J) ** 2) / np.sum(g * g))
        agree(answer, (weights, slopes, g), ratio, "the ratio")


@gradient_ratio.mistakes
def _(weights, slopes, g):
    ratio, start = gradient_ratio.reference, np.linalg.norm(g)
    late, norms = g, 1.0
    for W, slope in zip(weights[::-1], slopes[::-1], strict=True):
        late, norms = slope * (W.T @ late), norms * np.linalg.norm(W.T * slope)
    return {
        "first the slope, then Wᵀ: h = f(Wx), so f′ comes back first": np.linalg.norm(late) / start,
        "the ratio of the norms is asked for, not the product of the matrices' norms": norms,
        "layer 1 is left out": ratio(weights[1:], slopes[1:], g),
        "the last layer is left out": ratio(weights[:-1], slopes[:-1], g),
        "the slopes run from layer 1 up: turn them round as the weights": (
            ratio(weights, slopes[::-1], g)
        ),
        "upside down: the norm at the bottom over that at the top": 1 / ratio(weights, slopes, g),
        "divide by the norm of g: the ratio is asked for": (
            ratio(weights, slopes, g) * np.linalg.norm(g)
        ),
        "W is not transposed: back through a layer it is Wᵀ": ratio(weights.mT, slopes, g),
        "the slopes are missing: δ = slope ⊙ g comes first": ratio(weights, 0 * slopes + 1, g),
        "this begins at layer 1: a gradient starts at the top": (
            ratio(weights[::-1], slopes[::-1], g)
        ),
    }


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


SOURCES = {
    "z": "lambda z: z",
    "ReLU": "lambda z: np.maximum(z, 0)",
    "tanh": "np.tanh",
    "the": "lambda z: 1 / (1 + np.exp(-z))",
    "leaky": "lambda z: np.where(z > 0, z, {a} * z)",
}
SINE = "lambda z: {b} + np.sin(z)"


@variance_factor.check
def _(answer, rng):
    a, b = (float(v) for v in rng.uniform(0.2, 0.8, size=2))
    cases = {
        "z ↦ z": lambda z: z,
        "ReLU": lambda z: np.maximum(z, 0),
        "tanh": lambda z: np.tanh(z),
        "the sigmoid": lambda z: 1 / (1 + np.exp(-z)),
        f"leaky ReLU with slope {a:.2f}": lambda z: np.where(z > 0, z, a * z),
        f"{b:.2f} + sin z": lambda z: b + np.sin(z),
    }
    nodes, weights = np.polynomial.hermite_e.hermegauss(200)  # exact means, without the sample
    count = 4 if hasattr(rng, "smallest") else 100_000
    z = rng.permutation(norm.ppf((np.arange(count) + 0.5) / count))
    for name, f in cases.items():
        f.source = SOURCES.get(name.split(" ")[0], SINE).format(a=a, b=b)
        expected = weights.sum() / (weights @ f(nodes) ** 2)
        if count == 4:  # an example to read: few numbers are no integral
            expected = 4 / sum(f(z) ** 2)
        agree(answer, (z, f), expected, f"c for {name}", rtol=5e-3)


@variance_factor.mistakes
def _(z, f):
    square, h = np.mean(f(z) ** 2), 1e-5
    slope, active = (f(z + h) - f(z - h)) / (2 * h), f(z)[f(z) > 0]
    return {
        "{part}: square first, then take the mean": 1 / np.mean(f(z)) ** 2,
        "{part}: square f(z), not z": 1 / np.mean(f(z**2)),
        "{part}: this is that of the slopes f′, which the way back needs": 1 / np.mean(slope**2),
        "{part}: neurons that are off count as well": 1 / np.mean(active**2),
        "{part}: the squares must be averaged, not the sizes": 1 / np.mean(np.abs(f(z))) ** 2,
        "{part}: this is 1/E|f(z)|, a variance needs squares": (1 / np.mean(np.abs(f(z)))),
        "{part}: this is E[f(z)²]; what c makes c · E[f(z)²] = 1?": square,
        "{part}: this is 1/Var f(z); a weighted sum sees the mean square, for the weights have "
        "mean 0": 1 / np.var(f(z)),
        "{part}: this is the standard deviation; c is a variance": square**-0.5,
    }


variance_factor.wrongs({"the same for all inputs": lambda z, f: 2.0})
