"""Exercises of chapter 08, Recurrent networks."""

from __future__ import annotations

import itertools
import math

import numpy as np

from utils.exercises._agree import agree
from utils.exercises._compare import Wrong, numbers, show, sizes, unpack
from utils.exercises._exercise import exercise

CLOSE = {"rtol": 1e-4, "atol": 1e-5}  # a few steps in single precision are no closer


def _weights(rng, D, H):
    """W (H, D), U (H, H), b (H,), none of them small."""
    return rng.normal(size=(H, D)), rng.normal(size=(H, H)), rng.normal(size=H)


def _whole(rng, *shapes):
    """Arrays of whole numbers and halves, short to write."""
    return tuple(rng.integers(-3, 4, shape) / 2 for shape in shapes)


def _loops(x, W, U, b):
    """States (T, H) of one sequence x (T, D), number by number."""
    states, before = [], [0.0] * len(b)
    for row in x.tolist():
        before = [
            float(np.tanh(b[i] + np.dot(W[i], row) + np.dot(U[i], before))) for i in range(len(b))
        ]
        states.append(before)
    return np.array(states)


def _twice(cases):
    """Pairs of a case and arguments: arrays in double precision first, then in single."""
    for single in (False, True):
        for case in cases:
            yield case, tuple(np.float32(v) if single and np.ndim(v) else v for v in case)


# ---------------------------------------------------------------- 08.1
@exercise(
    "08.1",
    hints=(
        "Three things are added: what the input says, what the old state says, and the bias.",
        "A row of x is one sample: W xₙ for all samples is x @ W.T, of shape (N, H).",
        "Bend the sum by np.tanh.",
    ),
    why="h′ = tanh(W x + U h + b), for all samples at once. In the code the samples are rows, so "
    "the matrices stand transposed on the right.",
)
def rnn_step(x, h, W, U, b):
    """The next state (N, H) from inputs x (N, D), states h (N, H), W (H, D), U (H, H), b (H,)."""
    return np.tanh(x @ W.T + h @ U.T + b)


@rnn_step.check
def _(answer, rng):
    cases = []
    for N, D, H in ((3, 2, 2), (1, 2, 2), (2, 1, 3), (2, 2, 2), (1, 1, 1), (3, 3, 3)):
        cases.append(_whole(rng, (N, D), (N, H), (H, D), (H, H), (H,)))
    heights = np.array([[0.0], [1000.0], [-1000.0]])
    cases.append((heights + cases[-1][0], *cases[-1][1:]))
    cases.append([0 * part for part in cases[0]])
    for _ in range(2):
        N, D, H = sizes(rng, 3)
        x, h = 0.4 * rng.normal(size=(N, D)), 0.4 * rng.normal(size=(N, H))
        cases.append((x, h, *_weights(rng, D, H)))
    for (x, h, W, U, b), args in _twice(cases):
        expected = [np.tanh(W @ row + U @ old + b) for row, old in zip(x, h, strict=True)]
        quote = "all" if h.size < 7 else ""
        agree(answer, args, expected, "the next state", quote=quote, **CLOSE)


@rnn_step.mistakes
def _(x, h, W, U, b):
    fed, kept = x @ W.T, h @ U.T
    return {
        "the sum is not bent: tanh is missing": fed + kept + b,
        "U stands transposed: h @ U.T, as a state is a row here": np.tanh(fed + h @ U + b),
        "the bias b is missing": np.tanh(fed + kept),
        "the bias has the wrong sign: it is added": np.tanh(fed + kept - b),
        "the bias is added twice": np.tanh(fed + kept + 2 * b),
        "the bias is added after the bend: tanh comes last": np.tanh(fed + kept) + b,
        "the old state h is missing: that is no recurrent network": np.tanh(fed + b),
        "the input x is missing": np.tanh(kept + b),
        "the old state passes through U: add h @ U.T, not h": np.tanh(fed + h + b),
        "the old state is added after the bend: tanh bends the whole sum": np.tanh(fed + b) + kept,
        "each part is bent by itself: add first, then bend the sum": (
            np.tanh(fed + b) + np.tanh(kept)
        ),
        "the old state is bent already: no second tanh before U": (
            np.tanh(fed + np.tanh(h) @ U.T + b)
        ),
        "this is σ of the sum: this network bends by tanh": 1 / (1 + np.exp(-fed - kept - b)),
        "this is the ReLU of the sum: this network bends by tanh": np.maximum(fed + kept + b, 0),
        "the old state is subtracted: it is added": np.tanh(fed - kept + b),
    }


@rnn_step.mistake("W stands transposed: x @ W.T, as a sample is a row here")
def _(x, h, W, U, b):
    return np.tanh(x @ W + h @ U.T + b)


@rnn_step.mistake("W and U are exchanged: W is for the input, U for the state")
def _(x, h, W, U, b):
    return np.tanh(x @ U.T + h @ W.T + b)


# ---------------------------------------------------------------- 08.2
@exercise(
    "08.2",
    hints=(
        "Begin with h = np.zeros(H), and an empty list for the states.",
        "At each step: h = tanh(W x[t] + U h + b); append it, and take it to the next step.",
        "Return np.array(states): T rows, h_0 not among them.",
    ),
    why="One loop, and the same W, U and b at every step. The loop cannot be turned into one "
    "product: each step needs the one before.",
)
def run_rnn(x, W, U, b):
    """All states h_1 … h_T, (T, H), of one sequence x (T, D), from h_0 = 0."""
    h, states = np.zeros(len(b)), []
    for x_t in x:
        h = np.tanh(W @ x_t + U @ h + b)
        states.append(h)
    return np.array(states)


@run_rnn.check
def _(answer, rng):
    cases = []
    for T, D, H in ((3, 2, 2), (4, 2, 2), (3, 1, 2), (1, 2, 1), (1, 1, 1), (3, 3, 3)):
        cases.append(_whole(rng, (T, D), (H, D), (H, H), (H,)))
    cases.append([0 * part for part in cases[0]])
    for _ in range(2):
        T, D, H = sizes(rng, 3)
        W, U, b = (0.5 * part for part in _weights(rng, D, H))
        cases.append((rng.normal(size=(T, D)), W, U, b))
        cases.append((rng.normal(size=(40, D)), W, U / 4, b))
    for (x, W, U, b), args in _twice(cases):
        quote = "all" if x.size < 10 else ""
        agree(answer, args, _loops(x, W, U, b), "the matrix of states", quote=quote, **CLOSE)


@run_rnn.mistakes
def _(x, W, U, b):
    def run(bend=np.tanh, first=0 * b, matrix=U, bias=b, old=lambda h: h):
        h, states = first, []
        for row in x:
            h = bend(W @ row + matrix @ old(h) + bias)
            states.append(h)
        return np.array(states)

    states, backward = run(), run_rnn.reference(x[::-1], W, U, b)
    with_first = np.vstack([0 * b, states])
    return {
        "the state is not handed on: every step begins at 0": np.tanh(x @ W.T + b),
        "all T states are wanted, not only the last": states[-1],
        "h_0 is not among the states: T rows, not T + 1": with_first,
        "the states are shifted: the last one is missing, and h_0 is there": with_first[:-1],
        "the first state is missing: T rows, h_1 among them": states[1:],
        "the last state is missing: T rows, h_T among them": states[:-1],
        "the sequence is read from its end": backward,
        "the states are read from the end and turned round": backward[::-1],
        "the states stand in the wrong order: h_1 comes first": states[::-1],
        "a row for each step is wanted, (T, H): this is its transpose": states.T,
        "an axis of length 1 is too much: (T, H)": states[:, None],
        "U stands transposed: U @ h": run(matrix=U.T),
        "the bias b is missing": run(bias=0 * b),
        "tanh is missing": run(bend=lambda a: a),
        "the sum is handed on unbent: the next step needs tanh of it": np.tanh(
            run(bend=lambda a: a)
        ),
        "the state is bent twice": run(old=np.tanh),
        "this network bends by tanh, not by σ": run(bend=lambda a: 1 / (1 + np.exp(-a))),
        "this network bends by tanh, not by ReLU": run(bend=lambda a: np.maximum(a, 0)),
        "h_0 is 0, not 1": run(first=np.ones(len(b))),
        "h_0 is 0, not b": run(first=b),
        "the state passes through U: U @ h, not h": run(matrix=np.eye(len(b))),
        "these are running sums of the states": states.cumsum(axis=0),
    }


@run_rnn.mistake("W stands transposed: W @ x[t]")
def _(x, W, U, b):
    return run_rnn.reference(x, W.T, U, b)


# ---------------------------------------------------------------- 08.3
@exercise(
    "08.3",
    hints=(
        "W is H × D, U is H × H. Does the length of the sequence matter?",
        "Keras has one bias for each unit. PyTorch has two, which are only ever added.",
        "PyTorch: H·D + H² + 2H. Keras: one H less.",
    ),
    why="The weights are shared by all steps, so the length T is in the work and not in the number "
    "of weights. PyTorch's second bias is cuDNN's custom and changes no function.",
)
def rnn_weights(size):
    """How many weights torch.nn.RNN(D, H) and keras.layers.SimpleRNN(H) have; size is (D, H)."""
    D, H = size
    return H * D + H * H + 2 * H, H * D + H * H + H


@rnn_weights.check
def _(answer, rng):
    drawn = [sizes(rng, 2) for _ in range(3)]
    for D, H in ((2, 3), (5, 4), (1, 2), (3, 1), (1, 1), (4, 4), *drawn, (28, 128)):
        keras = sum(math.prod(shape) for shape in ((H, D), (H, H), (H,)))
        expected = {"PyTorch's number": keras + H, "Keras's number": keras}
        agree(answer, (np.array([D, H]),), expected, quote="all")


@rnn_weights.mistakes
def _(size):
    D, H = size
    matrices = H * D + H * H
    ours, theirs = matrices + 2 * H, matrices + H
    return {
        "PyTorch's layer has two biases a unit": (theirs, ...),
        "the biases are missing": (matrices, matrices),
        "the recurrent matrix U has H² weights": (H * D + 2 * H, H * D + H),
        "the recurrent matrix U is H × H, not D × D": (
            ours - H * H + D * D,
            theirs - H * H + D * D,
        ),
        "the input matrix W has H·D weights": (ours - H * D, theirs - H * D),
        "the input matrix W is H × D, not D × D": (ours - H * D + D * D, theirs - H * D + D * D),
        "D and H are exchanged: size is (D, H)": (
            H * D + D * D + 2 * D,
            H * D + D * D + D,
        ),
        "a unit has a bias, an input has none": (matrices + 2 * D, matrices + D),
        "a layer has a bias for each unit, not a single one": (matrices + 2, matrices + 1),
        "Keras has one bias a unit, not two": (..., ours),
        "the bias is missing in Keras's number": (..., matrices),
        "the pair is swapped: PyTorch comes first": (theirs, ours),
        "a plain network has one block, this is four of them as in an LSTM": (4 * ours, 4 * theirs),
        "U counts twice here: one matrix serves all steps": (ours + H * H, theirs + H * H),
    }


# ---------------------------------------------------------------- 08.4
@exercise(
    "08.4",
    hints=(
        "A window is values[i:i + width]; its last value has the index i + width − 1.",
        "Its target is `horizon` steps after this last value: values[i + width − 1 + horizon].",
        "There are T − width − horizon + 1 windows; np.array makes the list a matrix.",
    ),
    why="The target must lie after the window, by as much as the forecast looks ahead. One step "
    "too few and the network is asked for a value that it has just been shown.",
)
def make_windows(values, width, horizon):
    """All windows (N, width) of a series (T,), and the values (N,) `horizon` after their last."""
    N = len(values) - width - horizon + 1
    x = np.array([values[i : i + width] for i in range(N)])
    return x, values[width + horizon - 1 :]


@make_windows.check
def _(answer, rng):
    cases = [(rng.permutation(T) - 2.0, width, horizon)
             for T, width, horizon in ((9, 3, 2), (10, 2, 3), (5, 4, 1), (6, 2, 4), (5, 2, 2),
                                       (4, 1, 1), (2, 1, 1), (5, 1, 3), (7, 3, 1))]  # fmt: skip
    cases += [(np.zeros(7), 2, 2), (np.array([0, 1000, -1000, 0, 1000.0, 5, 0]), 2, 3)]
    for horizon in (2, 3, 1):
        T, width = 20 + int(rng.integers(0, 5)), int(rng.integers(3, 7))
        cases.append((rng.normal(size=T), width, horizon))
    for (values, width, horizon), args in _twice(cases):
        starts = range(next(n for n in itertools.count() if n + width + horizon > len(values)))
        rows = [[values[i + j] for j in range(width)] for i in starts]
        targets = [values[i + width + horizon - 1] for i in starts]
        expected = {"the matrix of windows": rows, "the array of targets": targets}
        quote = "all" if len(values) < 11 else ""
        agree(answer, args, expected, order=[*expected][::-1], quote=quote)


@make_windows.mistakes
def _(values, width, horizon):
    windows = np.lib.stride_tricks.sliding_window_view(values, width)
    end, N = len(values) - horizon, len(values) - width - horizon + 1
    x, y = windows[:N], values[width + horizon - 1 :]
    return {
        "the target is a value inside the window: it must lie `horizon` after the last": (
            ...,
            values[width - 1 : end],
        ),
        "the targets come one step too late": (..., values[width + horizon :]),
        "the targets come one step too early": (..., values[width + horizon - 2 :][:N]),
        "the target is the next value, not the one `horizon` steps on": (
            ...,
            values[width : end + 1],
        ),
        "`horizon` is counted from the first value of the window, not from its last": (
            ...,
            values[horizon : horizon + N],
        ),
        "the targets are all values after the first window: keep those with a window": (
            ...,
            values[width:],
        ),
        "all values up to the target are given, only that `horizon` steps on is asked": (
            ...,
            np.array([values[i + width : i + width + horizon] for i in range(N)]),
        ),
        "a target is a number: y must have the shape (N,)": (..., y[:, None]),
        "windows without a target are there too": (windows, ...),
        "the last window is missing: there are T − width − horizon + 1": (x[:-1], y[:-1]),
        "the first window is missing: it starts at values[0]": (x[1:], y[1:]),
        "the windows overlap: the next one starts one value on, not `width`": (
            x[::width],
            y[::width],
        ),
        "the next window starts one value on, not `horizon`": (x[::horizon], y[::horizon]),
        "the values of a window keep their order: this one is turned round": (x[:, ::-1], ...),
        "a window is a row: this is the transpose": (x.T, ...),
        "the windows are one value too long: `width` values each": (
            np.array([values[i : i + width + 1] for i in range(N)]),
            ...,
        ),
        "an axis of length 1 is too much: the windows are (N, width)": (x[..., None], ...),
        "the pair is swapped: the windows come first": (y, x),
        "`horizon` is not used: these are forecasts one step ahead": (
            windows[:-1],
            values[width:],
        ),
    }


# ---------------------------------------------------------------- 08.5
@exercise(
    "08.5",
    hints=(
        "To forecast v[t], `horizon` steps ahead, you know v up to v[t − horizon].",
        "Go back one period; if that is not known yet, another one.",
        "How many periods? The smallest whole number k with k·period ≥ horizon: "
        "-(-horizon // period).",
    ),
    why="v[t − k·period] with k = ⌈horizon/period⌉ is the latest value of the same season that is "
    "already known. Every model must beat it before it is worth its weights.",
)
def seasonal_naive(values, period, horizon, first):
    """Forecasts of values[first:], `horizon` ahead: the latest known value of the same season."""
    back = period * -(-horizon // period)
    return values[first - back : len(values) - back]


@seasonal_naive.check
def _(answer, rng):
    cases = [
        (rng.permutation(T) - 3.0, period, horizon, first)
        for T, period, horizon, first in (
            (12, 4, 2, 8), (16, 3, 5, 12), (14, 2, 4, 8), (14, 4, 4, 8), (10, 1, 1, 6),
            (10, 1, 3, 7), (12, 3, 7, 9), (9, 4, 1, 8), (9, 4, 1, 4), (12, 3, 4, 6), (8, 2, 3, 4),
        )
    ]  # fmt: skip
    cases += [(np.zeros(9), 3, 2, 6), (np.array([0.0, 1000, -1000] * 4), 2, 1, 8)]
    for period, horizon in ((5, 3), (4, 9), (4, 8)):
        cases.append((rng.normal(size=40), period, horizon, int(rng.integers(20, 30))))
    for (values, period, horizon, first), args in _twice(cases):
        expected = []
        for t in range(first, len(values)):
            known = [s for s in range(t - horizon + 1) if (t - s) % period == 0]
            expected.append(values[max(known)])
        quote = "all" if len(values) < 17 else ""
        agree(answer, args, expected, "the forecast", quote=quote)


@seasonal_naive.mistakes
def _(values, period, horizon, first):
    def going(back):
        return values[np.arange(first, len(values)) - back]

    back = -(-horizon // period) * period
    steps = np.arange(first, len(values))
    return {
        "this season's value a period ago is not known yet: go back further": going(period),
        "that is persistence: the last known value, of another season": going(horizon),
        "one period too far back": going(back + period),
        "too far back where horizon is a multiple of period: that value is known already": (
            going((horizon // period + 1) * period)
        ),
        "round the number of periods up: this value is not known yet": (
            going(horizon // period * period)
        ),
        "one step too far back": going(back + 1),
        "one step too late: that is the next season's value": going(back - 1),
        "this goes back `horizon` periods: as many as reach a known value are enough": (
            going(period * horizon)
        ),
        "this goes back one period and the horizon: that is another season": (
            going(period + horizon)
        ),
        "these are the values themselves": going(0),
        "the last value is repeated: each forecast may use what is known by its own time": (
            0 * steps + values[first - 1]
        ),
        "the season before `first` is repeated: each forecast may use what is known by then": (
            values[first - back + (steps - first) % period]
        ),
        "only values[first:] is forecast, and this is more": values[: len(values) - back],
        "this is the mean of a season: its latest known value is asked": np.array(
            [values[t - back :: -period].mean() for t in steps]
        ),
        "this is the mean of a period: take the value of the same season": np.array(
            [values[t - horizon :: -1][:period].mean() for t in steps]
        ),
    }


# ---------------------------------------------------------------- 08.6
@exercise(
    "08.6",
    hints=(
        "Divide the scores by τ first, then apply softmax.",
        "Subtract the largest z/τ before np.exp: nothing changes but the overflow.",
        "τ → 0 must not overflow: with τ = 0.01 scores of 10 become 1000.",
    ),
    why="p ∝ exp(z/τ). As τ falls the largest score takes all; as τ grows all become alike. The "
    "order of the probabilities never changes.",
)
def heat(z, tau):
    """Probabilities softmax(z / τ) of scores z (C,) at a temperature τ > 0."""
    e = np.exp((z - z.max()) / tau)
    return e / e.sum()


@heat.check
def _(answer, rng):
    cases = [
        (np.array(z), tau)
        for z, tau in (
            ([1.0, 2.0, 4.0], 2.0), ([0.0, 1.0], 0.5), ([0.0, 0.0], 0.5), ([3.0], 2.0),
            ([1.0, 2.0, 4.0], 1.0), ([10.0, 9.0, 10.0], 0.01), ([-10.0, 10.0], 0.01),
            ([1000.0, 0.0, -1000.0], 0.5), ([1000.0, 998.0], 4.0), ([-1000.0, -1000.0], 0.5),
            ([10.0, 9.99, 9.98], 0.01), ([5.0, -5.0], 1e6),
        )
    ]  # fmt: skip
    for tau in (0.5, 2.0, 0.01):
        z = rng.normal(size=sizes(rng, 1)[0]) * 3 + (10 if tau < 0.1 else 0)
        cases.append((np.round(z, 2), tau))
    for (z, tau), args in _twice(cases):
        powers = [math.exp((score - max(z)) / tau) for score in z.tolist()]
        expected = [power / math.fsum(powers) for power in powers]
        agree(answer, args, expected, "the distribution", quote="all", rtol=1e-3, atol=1e-5)


@heat.mistakes
def _(z, tau):
    def softmax(z):
        return np.exp(z - z.max()) / np.exp(z - z.max()).sum()

    p = softmax(z / tau)
    return {
        "multiplied by τ instead of divided": softmax(z * tau),
        "the temperature comes after softmax: divide the scores, not the probabilities": (
            softmax(z) / tau
        ),
        "τ is not used, or changes nothing: divide the scores by it": softmax(z),
        "the scores are divided by τ², not τ": softmax(z / tau**2),
        "the scores are divided by √τ, not τ": softmax(z / np.sqrt(tau)),
        "the sign of the scores is turned: the largest has the largest probability": (
            softmax(-z / tau)
        ),
        "the probabilities must sum to 1": np.exp((z - z.max()) / tau),
        "exp overflows where τ is small: subtract the largest score before np.exp": (
            np.exp(z / tau) / np.exp(z / tau).sum()
        ),
        "these are logarithms of the probabilities": (
            (z - z.max()) / tau - np.log(np.exp((z - z.max()) / tau).sum())
        ),
        "these are the scores divided by τ: softmax is missing": z / tau,
        "divide by the sum of the powers, not by their mean": p * len(z),
        "divide by the sum of the powers, not by the root of their squares": (
            p / np.sqrt((p**2).sum())
        ),
        "each score is bent by σ alone: softmax compares them": 1 / (1 + np.exp(-z / tau)),
        "only the largest score is left: that is the limit τ → 0": (z == z.max()) / 1.0,
    }


# ---------------------------------------------------------------- 08.7
@exercise(
    "08.7",
    hints=(
        "A letter that was given the probability p costs −log₂ p bits; take the mean.",
        "The perplexity is 2 to the power of the bits.",
        "np.log2 is the logarithm you need; np.log would give nats.",
    ),
    why="A model with the perplexity P is as unsure as one that chooses among P letters that are "
    "alike. It is the exponential of the cross-entropy, whatever the base.",
)
def surprise(p):
    """Mean bits a letter, and the perplexity; p (N,): the probabilities of the right letters."""
    bits = -np.mean(np.log2(p))
    return bits, 2**bits


@surprise.check
def _(answer, rng):
    fixed = [0.5, 0.25, 0.125, 0.125], [0.25, 1.0, 0.5], [0.5], [1.0, 1.0], [0.25] * 4, [0.001, 1.0]
    cases = [(np.array(p),) for p in fixed]
    for count in (sizes(rng, 1)[0] + 3, sizes(rng, 1)[0] + 3, 2000, 3000):
        cases.append((rng.uniform(0.05, 0.9, size=count),))
    for (p,), args in _twice(cases):
        bits = math.fsum(-math.log(q) for q in p.tolist()) / math.log(2) / len(p)
        expected = {"the number of bits": bits, "the perplexity": math.exp2(bits)}
        agree(answer, args, expected, quote="all" if len(p) < 5 else "", **CLOSE)


@surprise.mistakes
def _(p):
    bits, of_mean, in_all = -np.log2(p).mean(), -np.log2(p.mean()), -np.log2(p).sum()
    nats, weighed, digits = -np.log(p).mean(), -(p * np.log2(p)).sum(), -np.log10(p).mean()
    middle = np.median(-np.log2(p))
    return {
        "these are nats: bits take the logarithm to the base 2": (nats, ...),
        "both results are made from nats: a bit is a logarithm to the base 2": (nats, 2**nats),
        "these are decimal digits: bits take the logarithm to the base 2": (digits, ...),
        "that is the logarithm of the mean; take the mean of the logarithms": (
            of_mean,
            2**of_mean,
        ),
        "the sum over all letters, not their mean": (in_all, 2**in_all),
        "these bits are the sum over all letters: the perplexity is right, they need the mean": (
            in_all,
            ...,
        ),
        "that is an entropy: each letter counts once, whatever its probability": (
            weighed,
            2**weighed,
        ),
        "that is an entropy divided by N: each letter counts once": (
            weighed / len(p),
            2 ** (weighed / len(p)),
        ),
        "the minus is missing: a surprise is −log₂ p": (-bits, 2**-bits),
        "the minus is missing in the bits alone: a surprise is −log₂ p": (-bits, ...),
        "this is the median: take the mean": (middle, 2**middle),
        "the sum is divided by N − 1: there are N letters": (
            in_all / (len(p) - 1),
            2 ** (in_all / (len(p) - 1)),
        ),
        "the pair is swapped: return the bits first": (2**bits, bits),
        "the perplexity of bits is 2 to their power, not e": (..., np.exp(bits)),
        "the perplexity is 2 to the power of the bits, not their square": (..., bits**2),
        "the perplexity is 2 to the power of the bits, not twice as much": (..., 2 * bits),
        "the sign in the power is wrong: a perplexity is at least 1": (..., 2**-bits),
        "that is the mean of 1/p; the perplexity is the geometric mean": (..., np.mean(1 / p)),
        "that is 1 by the mean of p; the perplexity is the geometric mean of 1/p": (
            ...,
            1 / p.mean(),
        ),
        "the perplexity is 2 to the power of the mean, not of the sum": (..., 2**in_all),
        "a product of so many probabilities is 0 to the computer: add their logarithms": (
            ...,
            np.prod(p) ** (-1 / len(p)),
        ),
    }


# ---------------------------------------------------------------- 08.8
@exercise(
    "08.8",
    hints=(
        "The length of both together is √(Σ g²), the sum over all numbers of both arrays.",
        "If it is at most `limit`, nothing changes.",
        "Otherwise multiply both arrays by the same factor, limit/length.",
    ),
    why="One factor for both keeps the direction of the step. Clipping each array or each "
    "number on its own would turn it.",
)
def clip(dW, db, limit):
    """The gradients dW (H, D) and db (H,), shortened together to the length `limit` if longer."""
    length = np.sqrt((dW**2).sum() + (db**2).sum())
    factor = min(1.0, limit / length)
    return factor * dW, factor * db


@clip.check
def _(answer, rng):
    dW, db = np.array([[2.0, -1.0], [0.0, 2.0]]), np.array([0.0, -4.0])  # 3 and 4 long
    cases = [(dW, db, 2.5), (2 * dW[:1], db / 2, 0.75)]
    cases += [(dW, db, limit) for limit in (4.5, 5.0, 6.0, 1000.0, 0.01, 3.5, 1.0)]
    cases += [
        (0 * dW, 0 * db, 1.0), (0 * dW[:1], 0 * db, 2.0), (dW, 0 * db, 2.0), (0 * dW, db, 2.0),
        (1000 * dW, db, 5.0), (dW, 1000 * db, 5.0), (dW[:1, :1], db[1:], 1.0),
        (dW[:1, :1], db[1:], 20.0), (dW / 8, db / 8, 1.0),
    ]  # fmt: skip
    H, D = sizes(rng, 2)
    for size in (10.0, 0.01):
        cases.append((size * rng.normal(size=(H, D)), size * rng.normal(size=H), 3.0))
    for (dW, db, limit), args in _twice(cases):
        length = math.hypot(*dW.ravel(), *db)
        factor = limit / length if length > limit else 1.0
        expected = {"dW": factor * dW, "db": factor * db}
        agree(answer, args, expected, quote="all" if dW.size < 5 else "", **CLOSE)


@clip.mistakes
def _(dW, db, limit):
    def shortened(length, shorter=False):
        factor = limit / length if length > limit or shorter else 1.0
        return factor * dW, factor * db

    both, together = (dW, db), np.append(dW, db)
    length = np.linalg.norm(together)
    squares, first, second = (together**2).sum(), np.linalg.norm(dW), np.linalg.norm(db)
    is_long = length > limit
    return {
        "each array is shortened on its own, which turns the step: one length for both": (
            tuple(g * min(1, limit / np.linalg.norm(g)) for g in both)
        ),
        "each number is cut on its own, which turns the step": (
            tuple(np.clip(g, -limit, limit) for g in both)
        ),
        "gradients that are short enough must stay": shortened(length, shorter=True),
        "this is the length of dW alone: both arrays count": shortened(first),
        "this is the length of db alone: both arrays count": shortened(second),
        "the lengths of the two are added: take the root of the sum of all squares": (
            shortened(first + second)
        ),
        "the longer of the two counts: take the root of the sum of all squares": (
            shortened(max(first, second))
        ),
        "the root is missing: the length is the root of the sum of squares": shortened(squares),
        "the length is measured by the largest entry: add up all squares": (
            shortened(np.abs(together).max())
        ),
        "the length is measured by the sum of the sizes: take the root of the sum of squares": (
            shortened(np.abs(together).sum())
        ),
        "the length is the root of a sum, not of a mean": (
            shortened(np.sqrt(np.mean(together**2)))
        ),
        "nothing is shortened": both,
        "they are scaled to length 1: scale them to limit": (
            (dW / length, db / length) if is_long else both
        ),
        "dW is shortened, db not: one factor for both": (shortened(length)[0], db),
        "db is shortened, dW not: one factor for both": (dW, shortened(length)[1]),
        "long gradients are made 0: shorten them": (0 * dW, 0 * db) if is_long else both,
        "long gradients are divided by limit: multiply by limit/length": (
            (dW / limit, db / limit) if is_long else both
        ),
        "a gradient of zeros has length 0: do not divide by it": (
            tuple(g / length * min(limit, length) for g in both)
        ),
        "the pair is swapped: dW comes first": shortened(length)[::-1],
    }


# ---------------------------------------------------------------- 08.9
@exercise(
    "08.9",
    hints=(
        "Go back step by step: from ∂L/∂h_{t+1} to ∂L/∂h_t, T − 1 times.",
        "Behind h_{t+1} stands the sum a_{t+1} = … + U h_t, and tanh′ there is 1 − h_{t+1}².",
        "g = U.T @ ((1 − h_{t+1}²) * g), for t + 1 = T, T − 1, …, 2.",
    ),
    why="Each step multiplies by diag(1 − h²) and by Uᵀ: the product of Jacobians, from the right "
    "end. That product is what vanishes or explodes.",
)
def gradient_of_first(g, h, U):
    """∂L/∂h_1 (H,) from g = ∂L/∂h_T (H,), the states h_1 … h_T as rows of h (T, H), and U."""
    for h_t in h[:0:-1]:
        g = U.T @ ((1 - h_t**2) * g)
    return g


@gradient_of_first.check
def _(answer, rng):
    cases = []
    for T, H in ((3, 2), (4, 2), (2, 2), (1, 2), (1, 1), (3, 1), (3, 3)):
        cases.append((*_whole(rng, (H,)), rng.integers(-3, 4, (T, H)) / 4, *_whole(rng, (H, H))))
    cases[0][1][0] = cases[1][1][0] = 0.25, 0.5
    edge = np.array([[0.5, 0.0], [1.0, 0.0], [0.0, -1.0], [0.5, 0.0]])
    cases.append((np.array([1000.0, -2.0]), edge, np.eye(2) + 1))
    for _ in range(2):
        T, H = sizes(rng, 2)
        U = rng.normal(size=(H, H)) / np.sqrt(H)
        cases.append((rng.normal(size=H), np.tanh(rng.normal(size=(T, H))), U))
    for (g, h, U), args in _twice(cases):
        product = np.eye(len(g))
        for h_t in h[1:]:
            product = np.diag(1 - h_t**2) @ U @ product  # ∂h_t/∂h_1
        quote = "all" if h.size < 9 else ""
        agree(answer, args, product.T @ g, "the gradient of h_1", quote=quote, **CLOSE)


@gradient_of_first.mistakes
def _(g, h, U):
    def back(states, matrix=U.T, slope=lambda h: 1 - h**2, more=0):
        end = g
        for h_t in states:
            end = matrix @ (slope(h_t) * end) + more
        return end

    def through(states):
        end = g
        for h_t in states:
            end = (1 - h_t**2) * (U.T @ end)
        return end

    later = h[:0:-1]
    return {
        "U must stand transposed on the way back": back(later, U),
        "tanh′ is missing: 1 − h² at every step": back(later, slope=lambda h: 1),
        "one step too many: h_1 itself is not passed": back(h[::-1]),
        "one step too few: from h_T to h_1 there are T − 1": back(h[:1:-1]),
        "only one step is gone back: there are T − 1": back(h[:-2:-1]),
        "tanh′ belongs to the later state, 1 − h_{t+1}²": back(h[-2::-1]),
        "the states are passed in the wrong order, from the first": back(h[1:]),
        "first tanh′, then Uᵀ: here Uᵀ comes first": through(later),
        "h is bent already: tanh′ is 1 − h², not 1 − tanh²(h)": (
            back(later, slope=lambda h: 1 - np.tanh(h) ** 2)
        ),
        "tanh′ is 1 − h², the square is missing": back(later, slope=lambda h: 1 - h),
        "h·(1 − h) is the slope of σ: that of tanh is 1 − h²": (
            back(later, slope=lambda h: h * (1 - h))
        ),
        "tanh′ is 1 − h², not 1 + h²": back(later, slope=lambda h: 1 + h**2),
        "tanh′ is 1 − h², not h": back(later, slope=lambda h: h),
        "Uᵀ is missing: each step passes through it": (back(later, np.eye(len(g)))),
        "the loss sees the last state only: g comes in once, not at every step": (
            back(later, more=g)
        ),
        "this is ∂L/∂h_T itself": g,
    }


# ---------------------------------------------------------------- 08.10
@exercise(
    "08.10",
    hints=(
        "After step t the state shall be (x_t, x_{t−1}, x_{t−2}). Where does each entry come from?",
        "The first entry comes from the input: W has a 1 in its first row, and 0 below.",
        "The second entry is the old first one: U[1, 0] = 1. The third is the old second one.",
    ),
    why="U moves every entry one place down, W fills the first. A state of H numbers can hold the "
    "last H inputs exactly; what is older falls out. Its gradient does not fade: it stops.",
    is_value=True,
)
def delay_line():
    """W (3, 1) and U (3, 3) so that h_t = W x_t + U h_{t−1} holds (x_t, x_{t−1}, x_{t−2})."""
    W = np.array([[1], [0], [0]])
    U = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]])
    return W, U


@delay_line.check
def _(answer, rng):
    W, U = unpack(answer, "W", "U")
    W, U = numbers(W, "W", (3, 1)).astype(float), numbers(U, "U", (3, 3)).astype(float)
    x = np.append([1.0, 2.0, 4.0, -3.0, 0.0, 0.0, 1000.0, 0.5], rng.normal(size=8))

    def run(W, U):
        h, states = np.zeros(3), []
        for value in x:
            h = W[:, 0] * value + U @ h
            states.append(h)
        return np.array(states)

    states, wanted = (
        run(W, U),
        np.array([np.append(np.zeros(k), x[: len(x) - k]) for k in range(3)]).T,
    )
    if np.allclose(states, wanted):
        return
    for why, (other_W, other_U) in DELAYS.items():
        if np.allclose(states, run(np.array(other_W), np.array(other_U))):
            raise Wrong(why)
    if np.allclose(states[:, 0], np.cumsum(x)):
        raise Wrong("the first entry adds up all inputs; it must forget the old one: U[0, 0] = 0")
    t = next(t for t in range(len(x)) if not np.allclose(states[t], wanted[t]))
    shown = (", ".join(show(v) for v in row) for row in (x[: t + 1], states[t], wanted[t]))
    raise Wrong("after the inputs {} the state is ({}), not ({})".format(*shown))


FIRST = [[1.0], [0], [0]]
DELAYS = {
    "all three entries hold the newest input: W must fill the first one only": (
        np.ones((3, 1)),
        np.zeros((3, 3)),
    ),
    "the older inputs are lost: U must hand entry 0 on to entry 1, and 1 on to 2": (
        FIRST,
        np.zeros((3, 3)),
    ),
    "the state stands upside down: the newest input comes first": (FIRST[::-1], np.eye(3, k=1)),
    "the oldest input is lost: U must hand entry 1 on to entry 2": (
        FIRST,
        [[0, 0, 0], [1.0, 0, 0], [0, 0, 0]],
    ),
    "entry 2 gets the input before as well: it comes from entry 1, not from entry 0": (
        FIRST,
        [[0, 0, 0], [1.0, 0, 0], [1, 0, 0]],
    ),
    "entry 1 and entry 2 are exchanged": (FIRST, [[0, 0, 1.0], [0, 0, 0], [1, 0, 0]]),
    "nothing is forgotten: the oldest input comes back into the first entry": (
        FIRST,
        [[0, 0, 1.0], [1, 0, 0], [0, 1, 0]],
    ),
    "each entry keeps its old value as well: the diagonal of U must be 0": (
        FIRST,
        [[1.0, 0, 0], [1, 1, 0], [0, 1, 1]],
    ),
    "W fills all three entries: below the first it must be 0": (np.ones((3, 1)), np.eye(3, k=-1)),
    "the signs are wrong: the old entries are handed on as they are": (FIRST, -np.eye(3, k=-1)),
    "nothing reaches the state: W must bring the input into its first entry": (
        np.zeros((3, 1)),
        np.zeros((3, 3)),
    ),
}
delay_line.wrongs(
    DELAYS
    | {
        "adds up all inputs": (FIRST, np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0]])),
        "after the inputs 1.0, 2.0 the state is (2.0, 2.0, 0.0)": (FIRST, 2 * np.eye(3, k=-1)),
    }
)
