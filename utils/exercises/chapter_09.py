"""Exercises of chapter 09, LSTM and GRU."""

from __future__ import annotations

import itertools
import math

import numpy as np

from utils.exercises._agree import agree
from utils.exercises._compare import Wrong, numbers, show, sizes, unpack
from utils.exercises._exercise import exercise

CLOSE = {"rtol": 1e-4, "atol": 1e-5}  # a step in single precision is no closer


def _sigma(a):
    return 0.5 * (1 + np.tanh(a / 2))


def _twice(cases):
    """Pairs of a case and arguments: all in double precision first, then all in single."""
    for single in (False, True):
        for case in cases:
            yield case, tuple(np.float32(array) if single else array for array in case)


# ---------------------------------------------------------------- 09.1
@exercise(
    "09.1",
    hints=(
        "Bend first: σ on i, f and o, tanh on g.",
        "The new cell state is σ(f) times the old one plus σ(i) times tanh(g).",
        "The output is σ(o) times tanh of the *new* cell state.",
    ),
    why="f says how much of c stays, i how much of the candidate is written, o how much of the new "
    "cell state is shown. All products are element by element.",
)
def lstm_update(i, f, g, o, c):
    """Output and cell state after one step of an LSTM, from its four parts before their bends."""

    def sigma(a):
        return 1 / (1 + np.exp(-a))

    c = sigma(f) * c + sigma(i) * np.tanh(g)
    return sigma(o) * np.tanh(c), c


@lstm_update.check
def _(answer, rng):
    first = ([[0.0, 1.0]], [[2.0, -1.0]], [[0.5, -2.0]], [[-1.0, 3.0]], [[1.0, -0.5]])
    second = ([[-1.0]], [[1.5]], [[2.0]], [[0.5]], [[-2.0]])
    fixed = [np.array(parts) for parts in (first, second, np.zeros((5, 1, 1)))]
    shut = 10.0 * rng.integers(-3, 4, (5, 3, 3))
    shut[4] = [[0.0], [1000.0], [-1000.0]]
    drawn = [rng.normal(size=(5, *sizes(rng, 2))) for _ in range(2)]
    for (i, f, g, o, c), args in _twice([*fixed, shut, *drawn]):
        new = _sigma(f) * c + _sigma(i) * np.tanh(g)
        expected = {"h": _sigma(o) * np.tanh(new), "c": new}
        quote = "all" if c.size < 3 else ""
        agree(answer, args, expected, order=("c", "h"), quote=quote, **CLOSE)


@lstm_update.mistakes
def _(i, f, g, o, c):
    def step(i, f, g, o):
        new = f * c + i * g
        return o * np.tanh(new), new

    open_i, open_f, open_o, bent = _sigma(i), _sigma(f), _sigma(o), np.tanh(g)
    h, new = step(open_i, open_f, bent, open_o)
    return {
        "forget gate and input gate are exchanged": step(open_f, open_i, bent, open_o),
        "the gates are not bent: they need σ": step(i, f, bent, o),
        "the gates need σ, not tanh": step(np.tanh(i), np.tanh(f), bent, np.tanh(o)),
        "σ(a) is 1/(1 + exp(−a)): the sign of a is wrong": step(
            1 - open_i, 1 - open_f, bent, 1 - open_o
        ),
        "the candidate needs tanh": step(open_i, open_f, g, open_o),
        "the candidate is bent by σ: it is tanh that bends it": step(
            open_i, open_f, _sigma(g), open_o
        ),
        "g and o are exchanged: g is the candidate, o the output gate": (
            step(open_i, open_f, np.tanh(o), _sigma(g))
        ),
        "this is h: return the pair (h, c) in this order": (new, h),
        "nothing of the old cell state is left": step(open_i, 0, bent, open_o),
        "the forget gate is missing: σ(f) times the old cell state": (
            step(open_i, 1, bent, open_o)
        ),
        "the input gate is missing: σ(i) times tanh(g)": step(1, open_f, bent, open_o),
        "nothing new is written: add σ(i) times tanh(g)": step(0, open_f, bent, open_o),
        "an LSTM has an input gate of its own: σ(i), not 1 − σ(f)": (
            step(1 - open_f, open_f, bent, open_o)
        ),
        "the cell state itself is not bent: tanh is for h only": (h, np.tanh(new)),
        "h must come from the new cell state, this one comes from the old": (
            open_o * np.tanh(c),
            ...,
        ),
        "h needs tanh of the cell state": (open_o * new, ...),
        "the output gate is missing: σ(o) times tanh(c)": (np.tanh(new), ...),
        "the output gate is not bent: it needs σ": (o * np.tanh(new), ...),
        "the output gate needs σ, not tanh": (np.tanh(o) * np.tanh(new), ...),
    }


# ---------------------------------------------------------------- 09.2
@exercise(
    "09.2",
    hints=(
        "One block: a matrix (H, D) for the input, a matrix (H, H) for the state, two biases (H,).",
        "That is H·(D + H + 2) numbers.",
        "The plain RNN has one block, the GRU three, the LSTM four.",
    ),
    why="Each gate and each candidate is an affine map of input and state; PyTorch gives each map "
    "two biases. The blocks are stacked, so the counts are multiples.",
)
def count(shape):
    """Numbers of parameters of a plain RNN, a GRU and an LSTM from D inputs to H units."""
    D, H = shape
    return np.array([1, 3, 4]) * H * (D + H + 2)


@count.check
def _(answer, rng):
    drawn = [sizes(rng, 2) for _ in range(3)]
    for D, H in ((2, 3), (5, 4), (1, 2), (3, 1), (1, 1), (4, 4), *drawn, (28, 128)):
        shapes = (H, D), (H, H), (H,), (H,)
        block = sum(math.prod(shape) for shape in shapes)
        expected = [sum([block] * blocks) for blocks in (1, 3, 4)]
        agree(answer, (np.array([D, H]),), expected, "the array of counts", quote="all")


@count.mistakes
def _(shape):
    D, H = shape
    blocks, block = np.array([1, 3, 4]), H * (D + H + 2)
    return {
        "one bias is missing in each block: PyTorch has two": blocks * (block - H),
        "the biases are missing": blocks * H * (D + H),
        "D and H are exchanged": blocks * D * (D + H + 2),
        "GRU and LSTM are exchanged: the LSTM is the larger one": blocks[[0, 2, 1]] * block,
        "each block needs its own biases, not only the first": blocks * H * (D + H) + 2 * H,
        "a bias has H numbers, not one": blocks * (H * (D + H) + 2),
        "the matrix (H, H) for the state is missing": blocks * H * (D + 2),
        "the matrix (H, D) for the input is missing": blocks * H * (H + 2),
        "the matrix for the state is (H, H), not (D, D)": blocks * (H * D + D * D + 2 * H),
        "these are Keras's counts: in PyTorch RNN and LSTM have two biases as well": (
            blocks * block - [H, 0, 4 * H]
        ),
        "the order is RNN, GRU, LSTM: this one is turned round": blocks[::-1] * block,
        "a GRU has three blocks: two gates and the candidate": [block, 2 * block, 4 * block],
        "an LSTM has four blocks: three gates and the candidate": [block, 3 * block, 3 * block],
        "all three are counted as one block: a GRU has three, an LSTM four": [block] * 3,
    }


# ---------------------------------------------------------------- 09.3
@exercise(
    "09.3",
    hints=(
        "Which value s of the gate has s^steps = ½? Take the root.",
        "s = 2^(−1/steps). Now undo σ: which b has σ(b) = s?",
        "The inverse of σ is b = ln(s/(1 − s)).",
    ),
    why="s = 2^(−1/n) halves in n steps, and ln(s/(1 − s)) undoes the sigmoid. For large n it is "
    "about ln(n/ln 2): the bias grows with the logarithm of what you want to bridge.",
)
def forget_bias(steps):
    """Forget biases with which a fresh LSTM keeps half of its cell state for so many steps."""
    s = 0.5 ** (1 / steps)
    return np.log(s / (1 - s))


@forget_bias.check
def _(answer, rng):
    drawn = [rng.integers(2, 200, 5) + 0.0 for _ in range(2)]
    lists = [2.0, 10.0], [5.0, 3.0, 40.0], [1.0], [1.0, 1.0, 400.0]
    for (steps,), args in _twice([(np.array(steps),) for steps in (*lists, *drawn)]):
        expected = [-math.log(math.exp2(1 / n) - 1) if n > 1 else 0.0 for n in steps]
        quote = "all" if len(steps) < 4 else ""
        agree(answer, args, expected, "b", quote=quote, rtol=1e-4, atol=1e-4)


@forget_bias.mistakes
def _(steps):
    s, slow = 0.5 ** (1 / steps), np.exp(-1 / steps)
    return {
        "this is the gate σ(b): undo the σ": s,
        "the sign is wrong: with this bias the gate is nearly shut": np.log((1 - s) / s),
        "this is ln of the gate; the inverse of σ is ln(s/(1 − s))": np.log(s),
        "s/(1 − s) still needs its logarithm": s / (1 - s),
        "the inverse of σ has the natural logarithm: np.log, not np.log2": np.log2(s / (1 - s)),
        "the inverse of σ has the natural logarithm: np.log, not np.log10": np.log10(s / (1 - s)),
        "this is the rule of thumb ln(n/ln 2) for long spans: undo the σ exactly": (
            np.log(steps / np.log(2))
        ),
        "ln(n − 1) keeps a share of about 1/e: a half is asked": np.log(steps - 1),
        "this keeps 1/e of the cell state: a half is asked, s = 2^(−1/steps)": (
            np.log(slow / (1 - slow))
        ),
        "s^steps = ½ asks for a root: s = 2^(−1/steps), not 2^(−steps)": (
            -np.log(np.exp2(steps) - 1)
        ),
        "the gate must be 2^(−1/steps), not ½: it acts at every step": 0 * s,
        "ln(n) keeps a share of about 1/e: a half is asked": np.log(steps),
        "1 − ln 2/n is the gate for long spans only: s = 2^(−1/steps)": (
            np.log(steps / np.log(2) - 1)
        ),
        "a step keeps the same share, not the same amount: s = 2^(−1/steps), not 1 − ½/steps": (
            np.log(2 * steps - 1)
        ),
        "the inverse of tanh is taken: that of σ is ln(s/(1 − s))": np.arctanh(s),
    }


# ---------------------------------------------------------------- 09.4
@exercise(
    "09.4",
    hints=(
        "Cut `a` and `u` into three parts each, for r, z and n.",
        "r and z add what both say and bend with σ. n adds r times what the *state* says.",
        "h_new = (1 − z)·n + z·h.",
    ),
    why="r scales only the state's part of the candidate, after its matrix and bias; z divides one "
    "budget between the old state and the candidate.",
)
def gru_update(a, u, h):
    """The state after one step of a GRU, from what input (a) and state (u) say, and the old h."""

    def sigma(x):
        return 1 / (1 + np.exp(-x))

    a_r, a_z, a_n = np.split(a, 3, axis=1)
    u_r, u_z, u_n = np.split(u, 3, axis=1)
    r, z = sigma(a_r + u_r), sigma(a_z + u_z)
    n = np.tanh(a_n + r * u_n)
    return (1 - z) * n + z * h


@gru_update.check
def _(answer, rng):
    first = [[1.0, -2.0, 0.5]], [[0.5, 1.0, -2.0]], [[2.0]]
    second = (
        [[-1.0, 0.5, 2.0, 1.0, 0.0, -0.5]],
        [[2.0, -1.0, -0.5, 0.5, 1.0, 3.0]],
        [[-1.0, 0.5]],
    )
    fixed = [tuple(map(np.array, parts)) for parts in (first, second)]
    fixed.append(tuple(np.zeros((1, width)) for width in (3, 3, 1)))
    shut = [10.0 * rng.integers(-3, 4, (3, width)) for width in (9, 9, 3)]
    shut[2] += [[0.0], [1000.0], [-1000.0]]
    drawn = []
    for n, H in ((3, 1), sizes(rng, 2), sizes(rng, 2)):
        drawn.append([2 * rng.normal(size=(n, width)) for width in (3 * H, 3 * H, H)])
    for (a, u, h), args in _twice([*fixed, shut, *drawn]):
        H = h.shape[1]
        new = np.empty(h.shape)
        for row, k in np.ndindex(h.shape):
            ar, az, an, ur, uz, un = (x[row, k + H * part] for x in (a, u) for part in range(3))
            candidate = math.tanh(an + _sigma(ar + ur) * un)
            new[row, k] = candidate + _sigma(az + uz) * (h[row, k] - candidate)
        quote = "all" if h.size < 3 else ""
        agree(answer, args, new, "h", quote=quote, **CLOSE)


@gru_update.mistakes
def _(a, u, h):
    def mixed(z, n):
        return (1 - z) * n + z * h

    def run(a, u):
        (a_r, a_z, a_n), (u_r, u_z, u_n) = (np.split(x, 3, axis=1) for x in (a, u))
        r, z = _sigma(a_r + u_r), _sigma(a_z + u_z)
        return r, z, np.tanh(a_n + r * u_n)

    def woven(x):
        return x.reshape(len(x), -1, 3).swapaxes(1, 2).reshape(x.shape)

    (a_r, a_z, a_n), (u_r, u_z, u_n) = (np.split(x, 3, axis=1) for x in (a, u))
    r, z, n = run(a, u)
    by_z = np.tanh(a_n + z * u_n)
    return {
        "z and 1 − z are exchanged: z says how much of the old state stays": z * n + (1 - z) * h,
        "r must scale only what the state says, this scales both": (
            mixed(z, np.tanh(r * (a_n + u_n)))
        ),
        "r must scale what the state says, this scales what the input says": (
            mixed(z, np.tanh(r * a_n + u_n))
        ),
        "the reset gate does nothing": mixed(z, np.tanh(a_n + u_n)),
        "the order is r, z, n: here r and z are exchanged": mixed(r, by_z),
        "the reset gate is r, here z scales the state's part too": mixed(z, by_z),
        "the candidate is not bent: it needs tanh": mixed(z, a_n + r * u_n),
        "the candidate is bent by σ: tanh is missing": mixed(z, _sigma(a_n + r * u_n)),
        "the gates are not bent: they need σ": (mixed(a_z + u_z, np.tanh(a_n + (a_r + u_r) * u_n))),
        "the gates need σ, not tanh": (
            mixed(np.tanh(a_z + u_z), np.tanh(a_n + np.tanh(a_r + u_r) * u_n))
        ),
        "add first, then bend: σ(a + u), not σ(a) + σ(u)": mixed(
            _sigma(a_z) + _sigma(u_z),
            np.tanh(a_n + (_sigma(a_r) + _sigma(u_r)) * u_n),
        ),
        "what the state says is missing": mixed(*run(a, 0 * u)[1:]),
        "what the input says is missing": mixed(*run(0 * a, u)[1:]),
        "the state's part of the candidate is missing": mixed(z, np.tanh(a_n)),
        "the gates hear only the input: add what the state says": (
            mixed(_sigma(a_z), np.tanh(a_n + _sigma(a_r) * u_n))
        ),
        "1 − z is missing: the candidate is written with the whole weight": n + z * h,
        "nothing of the old state is left: add z·h": (1 - z) * n,
        "this is the candidate: mix it with the old state": n,
        "the parts are three blocks of H columns, not every third column": (
            mixed(*run(woven(a), woven(u))[1:])
        ),
        "u holds what the state says, U h + d: do not multiply by h again": (
            mixed(z, np.tanh(a_n + r * u_n * h))
        ),
        "the order is r, z, n: here r and n are exchanged": mixed(
            z, np.tanh(a_r + _sigma(a_n + u_n) * u_r)
        ),
        "r scales the old state too: it belongs into the candidate only": (1 - z) * n + z * r * h,
    }


# ---------------------------------------------------------------- 09.5
@exercise(
    "09.5",
    hints=(
        "Sequence n ends at step lengths[n] − 1, counted from 0.",
        "Pick one step for each sequence: two index arrays, one for the rows, one for the steps.",
        "`output[np.arange(len(output)), lengths - 1]`",
    ),
    why="Indexing with two arrays takes pairs: row 0 with its step, row 1 with its own. A slice "
    "would take the same step everywhere.",
)
def last_real(output, lengths):
    """The output (N, H) at the last real step of each sequence of `output` (N, T, H)."""
    return output[np.arange(len(output)), lengths - 1]


@last_real.check
def _(answer, rng):
    cases = []
    for (n, t, h), lengths in (
        ((3, 4, 1), [2, 1, 3]), ((3, 5, 2), [3, 2, 4]), ((3, 3, 3), [2, 3, 1]),
        ((1, 1, 1), [1]), ((2, 3, 1), [3, 3]), ((1, 3, 2), [2]),
    ):  # fmt: skip
        cases.append((rng.integers(-9, 10, (n, t, h)) + 0.5, np.array(lengths)))
    cases.append((np.zeros((3, 4, 2)), np.array([4, 2, 1])))
    for _ in range(3):
        n, t, h = sizes(rng, 3)
        output = rng.normal(size=(n, t, h)) + 1000 * (np.arange(n) % 3 - 1)[:, None, None]
        cases.append((output, rng.integers(1, t + 1, n)))
    for convert in (np.float64, np.float32):
        for output, lengths in cases:
            ends = zip(output, lengths.tolist(), strict=True)
            expected = [sequence[:k][-1] for sequence, k in ends]
            quote = "all" if output.size < 31 else ""
            args = convert(output), lengths
            agree(answer, args, expected, "the last real output", quote=quote)


@last_real.mistakes
def _(output, lengths):
    rows, real = np.arange(len(output)), np.arange(output.shape[1]) < lengths[:, None]
    kept = np.where(real[..., None], output, 0)
    return {
        "these are the outputs at the last step of all, which is padding": output[:, -1],
        "these are the first outputs": output[:, 0],
        "these are one step too early: the last real step has the index lengths − 1": (
            output[rows, np.maximum(lengths - 2, -output.shape[1])]
        ),
        "the lengths are counted from the end: the real steps stand at the beginning": (
            output[rows, -lengths]
        ),
        "all are taken at the step of the longest: each sequence has its own": (
            output[:, lengths.max() - 1]
        ),
        "all are taken at the step of the shortest: each sequence has its own": (
            output[:, lengths.min() - 1]
        ),
        "all are taken at the step of the first: each sequence has its own": (
            output[:, lengths[0] - 1]
        ),
        "each sequence is taken at the steps of all: pair row n with its own step": (
            output[:, lengths - 1]
        ),
        "an axis of length 1 is too much: index with two arrays, (N,) and (N,)": (
            output[rows, lengths - 1][:, None]
        ),
        "this is the mean over the real steps: only the last one is asked": (
            kept.sum(axis=1) / lengths[:, None]
        ),
        "this is the sum over the real steps: only the last one is asked": kept.sum(axis=1),
    }


@last_real.mistake("the axes are exchanged: output is (N, T, H), the sequence comes first")
def _(output, lengths):
    return output[lengths - 1, np.arange(len(output))]


@last_real.mistake("these are one step too late: steps count from 0")
def _(output, lengths):
    return output[np.arange(len(output)), lengths]


# ---------------------------------------------------------------- 09.6
@exercise(
    "09.6",
    hints=(
        "Set the padded steps to 0, then add along the axis of time.",
        "Divide by the number of real steps of each sequence, not by T.",
        "`np.where(mask[..., None], output, 0).sum(axis=1) / mask.sum(axis=1)[:, None]`",
    ),
    why="The sum over real steps divided by their number. `where` is safer than a product: a "
    "padded step may hold NaN, and 0 · NaN is NaN.",
)
def masked_mean(output, mask):
    """Mean over the real steps of each sequence: (N, T, H) and mask (N, T) → (N, H)."""
    total = np.where(mask[..., None], output, 0).sum(axis=1)
    return total / mask.sum(axis=1)[:, None]


@masked_mean.check
def _(answer, rng):
    gaps = [[False, True, False, True], [True, True, False, True], [False, False, True, False]]
    masks = [gaps, [*gaps[::-1], gaps[0]], [[True]], [[True, False]], [[True] * 3] * 3]
    for _ in range(2):
        drawn = rng.random(sizes(rng, 2)) < 0.5
        drawn[:, 0], drawn[:, 1] = True, False
        masks.append(drawn)
    cases = []
    for mask in map(np.array, masks):
        n, width = len(mask), 1 + len(cases) % 3
        output = rng.integers(-5, 6, (n, mask.shape[1], width)) * 2.0 + 1
        output += 1000 * (np.arange(n) % 3 - 1)[:, None, None]
        cases.append((output, mask))
    zeros = cases[1][0].copy()
    zeros[:, ::2] = 0
    cases.append((zeros, cases[1][1]))
    poisoned = [
        (np.where(mask[..., None], output, padding), mask)
        for padding in (0.0, 1e4, np.nan, np.inf) for output, mask in cases
    ]  # fmt: skip
    for convert in (np.float64, np.float32):
        for output, mask in cases + poisoned:
            steps = [o[m].tolist() for o, m in zip(output, mask, strict=True)]
            expected = [[math.fsum(c) / len(c) for c in zip(*real, strict=True)] for real in steps]
            quote = "all" if output.size < 33 else ""
            agree(answer, (convert(output), mask), expected, "the mean", quote=quote, **CLOSE)


@masked_mean.mistakes
def _(output, mask):
    real, count = np.where(mask[..., None], output, 0), mask.sum(axis=1)[:, None]
    total = real.sum(axis=1)
    first = np.arange(output.shape[1]) < count
    spoiled = (output * mask[..., None]).sum(axis=1) / count
    return {
        "padding is part of this mean": output.mean(axis=1),
        "the sum is divided by T, not by the number of real steps": real.mean(axis=1),
        "this is the sum: divide by the number of real steps": total,
        "the sum of all steps is divided by the number of real ones": output.sum(axis=1) / count,
        "the sum is divided by the real steps of all sequences: each has its own number": (
            total / mask.sum()
        ),
        "this is the mean over the sequences too: each has its own": (
            np.broadcast_to(total.sum(axis=0) / mask.sum(), total.shape)
        ),
        "the sum is divided by N": total / len(mask),
        "the sum is divided by one more than the number of real steps": total / (count + 1),
        "the first steps are averaged: real steps need not stand at the beginning": (
            np.where(first[..., None], output, 0).sum(axis=1) / count
        ),
        "the mask is turned round: True marks the real steps": (
            np.where(mask[..., None], 0, output).sum(axis=1) / (~mask).sum(axis=1)[:, None]
        ),
        "padding counts as 0 in a maximum here: the mean is asked": real.max(axis=1),
        "a padded step that holds NaN spoils the mean: 0 · NaN is NaN, use np.where": spoiled,
        "0 · NaN is NaN only hidden: a padded step may hold anything, infinity as well": (
            np.where(np.isnan(output), 0, output * mask[..., None]).sum(axis=1) / count
        ),
        "steps that hold 0 are left out of the count: the mask says which are real": (
            total / (real != 0).sum(axis=1)
        ),
    }


# ---------------------------------------------------------------- 09.7
@exercise(
    "09.7",
    hints=(
        "Cut the rows into three blocks of H rows each: `np.split(W, 3)`.",
        "Put the blocks into the order z, r, n and join them along the rows again.",
        "Then transpose.",
    ),
    why="Rows are outputs, in blocks of H for each gate. Keras wants the update gate first, and "
    "columns as outputs.",
)
def to_keras(W):
    """Input weights (3H, D) of a PyTorch GRU in the order and shape of Keras."""
    r, z, n = np.split(W, 3)
    return np.concatenate([z, r, n]).T


@to_keras.check
def _(answer, rng):
    shapes = [(2, 2), (1, 2), (3, 1), (1, 1), (6, 2), sizes(rng, 2), sizes(rng, 2)]
    matrices = [np.arange(1.0, 3 * H * D + 1).reshape(3 * H, D) for D, H in shapes[:5]]
    matrices += [rng.normal(size=(3 * H, D)) for D, H in shapes[5:]]
    for (W,), args in _twice([(W,) for W in matrices]):
        D, H = W.shape[1], len(W) // 3
        expected = np.empty((D, 3 * H))
        for d, row, (to, gate) in itertools.product(range(D), range(H), enumerate((1, 0, 2))):
            expected[d, to * H + row] = W[gate * H + row, d]
        agree(answer, args, expected, "W", quote="all" if W.size < 13 else "")


@to_keras.mistakes
def _(W):
    r, z, n = np.split(W, 3)
    rows, D = W.reshape(len(r), 3, -1)[:, [1, 0, 2]], W.shape[1]
    moved = np.concatenate([z, r, n])
    return {
        "the gates are still in PyTorch's order": W.T,
        "r and n are exchanged, not r and z": np.concatenate([n, z, r]).T,
        "z and n are exchanged, not r and z": np.concatenate([r, n, z]).T,
        "the order is z, n, r: Keras wants z, r, n": np.concatenate([z, n, r]).T,
        "the order is n, r, z: Keras wants z, r, n": np.concatenate([n, r, z]).T,
        "single rows are exchanged: cut into blocks of H rows": rows.reshape(W.shape).T,
        "W must be transposed: Keras has the inputs in the rows": moved,
        "nothing has changed: Keras has another order, and the inputs in the rows": W,
        "reshape does not swap the axes: transpose": moved.reshape(D, -1),
        "each block is transposed by itself: its columns go side by side, not below": (
            np.concatenate([z.T, r.T, n.T])
        ),
        "the units run backward: move whole blocks, leave the rows inside them": (
            np.concatenate([z[::-1], r[::-1], n[::-1]]).T
        ),
    }


# ---------------------------------------------------------------- 09.8
@exercise(
    "09.8",
    hints=(
        "First complete dc: h = o·tanh(c), so c also receives dh·o·(1 − tanh²(c)).",
        "c = f·c_old + i·g. So c_old receives dc·f, and the open f receives dc·c_old.",
        "Before its σ, f receives that times σ′ = f·(1 − f).",
    ),
    why="The cell state is used twice, by h and by the next step: both gradients add. Then one "
    "product with the gate leads to c_old; that is the direct path of the chapter.",
)
def lstm_backward(i, f, g, o, c_old, c, dh, dc):
    """∂L/∂c_old and ∂L/∂f (before its σ) of one step of an LSTM."""
    dc = dc + dh * o * (1 - np.tanh(c) ** 2)
    return dc * f, dc * c_old * f * (1 - f)


@lstm_backward.check
def _(answer, rng):
    # i, f, g, o, c_old, dh, dc
    first = np.array([0.5, 0.25, 0.5, 0.75, 2.0, 1.0, -0.5]).reshape(7, 1, 1)
    second = np.array([[0.5, 0.25], [0.25, 0.75], [-0.5, 0.25], [0.5, 0.25],
                       [-1.0, 3.0], [-2.0, 0.5], [1.0, 2.0]])[:, None]  # fmt: skip
    edge = np.ones((7, 3, 3)) * [[0.0], [1.0], [0.5]]
    edge[4], edge[5, 0], edge[6, 1] = [[1000.0], [0.0], [-1000.0]], 2.0, 0.0
    drawn = []
    for _ in range(3):
        shape = sizes(rng, 2)
        open_gates, others = rng.uniform(0.1, 0.9, (3, *shape)), rng.normal(size=(4, *shape))
        i, f, o = open_gates
        drawn.append([i, f, np.tanh(others[0]), o, *others[1:]])
    cases = []
    for i, f, g, o, c_old, dh, dc in (first, second, edge, *drawn):
        cases.append((i, f, g, o, c_old, f * c_old + i * g, dh, dc))
    for (_i, f, _g, o, c_old, c, dh, dc), args in _twice(cases):
        total = dc + dh * o * (1 - np.tanh(c)) * (1 + np.tanh(c))
        expected = {"∂L/∂c_old": total * f, "∂L/∂f": total * c_old * (f - f * f)}
        quote = "all" if c.size < 3 else ""
        agree(answer, args, expected, quote=quote, **CLOSE)


@lstm_backward.mistakes
def _(i, f, g, o, c_old, c, dh, dc):
    def passed_on(at_c):
        return at_c * f, at_c * c_old * f * (1 - f)

    slope = 1 - np.tanh(c) ** 2
    through_h = dh * o * slope
    total = dc + through_h
    old, df = passed_on(total)
    return {
        "what comes through h is missing: c is used there too": passed_on(dc),
        "what comes from the future is missing: add dc": passed_on(through_h),
        "tanh′ is missing on the way through h": passed_on(dc + dh * o),
        "dh reaches c through o and tanh: times o·(1 − tanh²(c))": passed_on(dc + dh),
        "tanh′ is 1 − tanh²(c), not 1 − c²": passed_on(dc + dh * o * (1 - c**2)),
        "tanh′ is taken at the old cell state: h shows the new one": (
            passed_on(dc + dh * o * (1 - np.tanh(c_old) ** 2))
        ),
        "tanh′ is the square's complement: 1 − tanh²(c), not 1 − tanh(c)": (
            passed_on(dc + dh * o * (1 - np.tanh(c)))
        ),
        "this is the gradient by o's way: c goes through tanh′, not tanh": (
            passed_on(dc + dh * o * np.tanh(c))
        ),
        "o is missing on the way through h": passed_on(dc + dh * slope),
        "o is open already: no σ′ of it on the way to c": (
            passed_on(dc + dh * o * (1 - o) * slope)
        ),
        "dc does not pass through h: only dh meets o and tanh′": passed_on((dc + dh) * o * slope),
        "what comes through h is subtracted: both gradients add": passed_on(dc - through_h),
        "the gate is missing: c_old is multiplied by f": (total, ...),
        "c_old is multiplied by f, not by i": (total * i, ...),
        "c_old meets the open f: σ′ is for ∂L/∂f only": (total * f * (1 - f), ...),
        "the pair is swapped: ∂L/∂c_old comes first": (df, old),
        "this is the gradient of the open gate; before its σ it is f·(1 − f) times that": (
            ...,
            total * c_old,
        ),
        "f scales c_old, not the candidate": (..., total * g * f * (1 - f)),
        "f scales the old cell state, not the new one": (..., total * c * f * (1 - f)),
        "what comes through h is missing in ∂L/∂f": (..., dc * c_old * f * (1 - f)),
        "c_old is missing in ∂L/∂f: f multiplies it": (..., total * f * (1 - f)),
        "σ′ is f·(1 − f): 1 − f² is the slope of tanh": (..., total * c_old * (1 - f**2)),
        "f is open already: σ′ is f·(1 − f), without another σ": (
            ...,
            total * c_old * _sigma(f) * (1 - _sigma(f)),
        ),
        "σ′ is f·(1 − f): the factor f is missing": (..., total * c_old * (1 - f)),
        "σ′ is f·(1 − f): the factor 1 − f is missing": (..., total * c_old * f),
    }


# ---------------------------------------------------------------- 09.9
@exercise(
    "09.9",
    hints=(
        "Which order puts sequences of like lengths side by side?",
        "`np.argsort(lengths)` gives the indices in that order.",
        "Cut it into pieces: `order[start:start + size]` for start = 0, size, 2·size, …",
    ),
    why="In sorted order neighbors differ least, so no other cut pads less when the shortest batch "
    "holds the shortest sequences. Shuffle the *batches* before you train, not their contents.",
)
def by_length(lengths, size):
    """Batches of `size` indices, with as little padding as possible; N is a multiple of size."""
    order = np.argsort(lengths)
    return [order[start : start + size] for start in range(0, len(order), size)]


@by_length.check
def _(answer, rng):
    tried = [
        ([5, 1, 4, 2], 2), ([3, 9, 1, 7, 2, 8], 2), ([6, 5, 4, 3, 2, 1], 3), ([2, 2, 2, 2], 2),
        ([4, 1, 3], 1), ([4, 1, 3], 3), ([7], 1), ([1000, 1, 1000, 1], 2), ([1, 2, 1, 2, 1, 2], 3),
    ]  # fmt: skip
    for _ in range(3):
        size, count = (int(k) for k in rng.integers((2, 4), (5, 8)))
        tried.append((rng.integers(1, 60, size * count).tolist(), size))
    wasteful = []
    for lengths, size in tried:
        batches = _index_lists(answer(np.array(lengths), size), lengths, size)
        cost = sum(size * max(lengths[index] for index in batch) for batch in batches)
        best = size * sum(sorted(lengths)[size - 1 :: size])
        if cost > best:
            wasteful.append((lengths, size, batches, cost, best))
    for why, order in DISORDER.items():
        cuts = [_cut(order(np.array(n), k), k) == batches for n, k, batches, *_ in wasteful]
        if len(cuts) > 1 and all(cuts):
            raise Wrong(why)
    for lengths, size, batches, cost, best in wasteful:
        raise Wrong(
            f"the padded batches have {cost} steps in all, {best} would do: sort by length "
            f"(lengths = {lengths}, size = {size}, batches = {batches})"
        )


def _index_lists(batches, lengths, size):
    """The batches as lists of whole numbers, if they are a partition of the indices."""
    case = f"(lengths = {lengths}, size = {size})"
    if not isinstance(batches, list | tuple):
        raise Wrong(f"return a list of index arrays, got one {type(batches).__name__}")
    batches = [numbers(batch, "a batch") for batch in batches]
    for batch in batches:
        if batch.dtype.kind not in "iu":
            raise Wrong(f"indices are whole numbers: a batch holds {batch.dtype} {case}")
        if batch.ndim != 1:
            raise Wrong(f"a batch must be a flat array of indices, got the shape {batch.shape}")
    batches = [batch.tolist() for batch in batches]
    found = sorted(index for batch in batches for index in batch)
    if found == sorted(lengths):
        raise Wrong(f"these are lengths: return the indices of the sequences {case}")
    if found == [1 + index for index in range(len(lengths))] != [1]:
        raise Wrong(f"indices count from 0, these from 1 {case}")
    if found != list(range(len(lengths))):
        raise Wrong(
            f"each of the indices 0 … {len(lengths) - 1} must come once, got {len(found)} "
            f"indices, {len(set(found))} different ones {case}"
        )
    if {len(batch) for batch in batches} != {size}:
        raise Wrong(f"every batch must have size = {size} sequences, got {batches} {case}")
    return batches


def _cut(order, size):
    return [order[start : start + size].tolist() for start in range(0, len(order), size)]


def _spread(lengths, size):
    return np.argsort(lengths, kind="stable").reshape(size, -1).T.ravel()


DISORDER = {
    "the batches are cut from the sequences as they come: sort by length first": (
        lambda lengths, size: np.arange(len(lengths))
    ),
    "sorted inside each batch only: sort all sequences by length before you cut": (
        lambda lengths, size: np.concatenate(
            [k + np.argsort(lengths[k : k + size]) for k in range(0, len(lengths), size)]
        )
    ),
    "each batch takes every k-th of the sorted sequences: neighbors belong together": _spread,
    "argsort of argsort gives the ranks: sort by length once": (
        lambda lengths, size: np.argsort(np.argsort(lengths))
    ),
}
by_length.wrongs(
    {
        why: lambda lengths, size, order=order: list(
            map(np.array, _cut(order(lengths, size), size))
        )
        for why, order in DISORDER.items()
    }
)
by_length.wrongs(
    {
        "would do: sort by length": lambda lengths, size: np.split(
            np.argsort(lengths % 5), len(lengths) // size
        ),
        "these are lengths": lambda lengths, size: np.split(np.sort(lengths), len(lengths) // size),
        "must come once": lambda lengths, size: by_length.reference(lengths, size)[1:],
        "indices count from 0": lambda lengths, size: [
            1 + batch for batch in by_length.reference(lengths, size)
        ],
        "every batch must have": lambda lengths, size: by_length.reference(lengths, size + 1),
        "return a list of index arrays": lambda lengths, size: np.argsort(lengths),
        "indices are whole numbers": lambda lengths, size: [
            1.0 * batch for batch in by_length.reference(lengths, size)
        ],
        "a batch must be a flat array": lambda lengths, size: [
            batch[:, None] for batch in by_length.reference(lengths, size)
        ],
    }
)


# ---------------------------------------------------------------- 09.10
@exercise(
    "09.10",
    hints=(
        "Keep everything: the forget gate must be 1 at all times. Which bias does that?",
        "Add 1 at each marked 1, else 0: the input gate may be 1 always, if the candidate is 1 "
        "there and 0 elsewhere.",
        "tanh(20) is 1. So give the candidate the weights 20·mark and the bias 0, the gates the "
        "weights 0 and the bias 20, and U = 0.",
    ),
    why="With open gates c adds up tanh(20·x), which is 0 or 1. Counting needs a state that is "
    "kept exactly and grows without bound: the cell state can, h and a plain tanh RNN cannot.",
)
def counter(mark):
    """Weights (W, U, b) of an LSTM with one unit that counts the ones of the marked feature."""
    W = np.zeros((4, len(mark)))  # i, f, g, o
    W[2] = 20 * mark
    U = np.zeros(4)
    b = np.array([20.0, 20.0, 0.0, 20.0])
    return W, U, b


@counter.check
def _(answer, rng):
    found, mended = [], {why: [] for why in MENDED}
    for D, place in ((2, 0), (2, 1), (1, 0), (3, 2), (4, 0), (5, 3)):
        mark = np.eye(D)[place]
        W, U, b = (
            numbers(part, name, shape).astype(float)
            for part, name, shape in zip(
                unpack(answer(mark), "W", "U", "b"), "WUb", ((4, D), (4,), (4,)), strict=True
            )
        )
        sequences = _bit_sequences(mark, rng)
        found.append(_first_miscount(W, U, b, mark, sequences))
        for why, change in MENDED.items():
            mended[why].append(not _first_miscount(*change(W, U, b), mark, sequences))
    for why in MENDED:
        if any(found) and all(mended[why]):
            raise Wrong(why)
    for why in filter(None, found):
        raise Wrong(why)


MENDED = {
    "the order is i, f, g, o: here g and o are exchanged": (
        lambda W, U, b: (part[[0, 1, 3, 2]] for part in (W, U, b))
    ),
    "the output comes back through U and spoils the count: with U = 0 it is right": (
        lambda W, U, b: (W, 0 * U, b)
    ),
}


def _bit_sequences(mark, rng):
    """50 steps of bits each, by what a wrong count of their marked ones says."""
    D = len(mark)
    nothing, ones = np.zeros((50, D)), np.ones((50, D))
    first, last = nothing.copy(), nothing.copy()
    first[0] = last[-1] = mark
    half = np.arange(50)[:, None] < 25
    return [
        ("where all is 0 nothing may be added: the candidate needs tanh(0) = 0", nothing),
        ("each marked 1 must add 1: input gate and candidate must both be 1", last),
        ("a single 1 must be kept over 49 zeros: forget gate 1, all else as it is", first),
        ("only the marked feature counts", ones - mark),
        ("each marked 1 must add 1, and nothing may be lost", ones * mark),
        ("what is counted must be kept over zeros and over ones", half * ones),
        *(("the count must be right for any bits", bits) for bits in (ones, ~half * ones)),
        *(("the count must be right for any bits", b) for b in rng.integers(0, 2, (3, 50, D))),
    ]


def _first_miscount(W, U, b, mark, sequences):
    """What is wrong with the first sequence of which the LSTM does not count the marked ones."""
    for why, bits in sequences:
        h = c = 0.0
        for x in bits:
            i, f, g, o = W @ x + U * h + b
            c = _sigma(f) * c + _sigma(i) * np.tanh(g)
            h = _sigma(o) * np.tanh(c)
        wanted = int((bits @ mark).sum())
        if abs(c - wanted) > 0.1:
            return f"50 steps with {wanted} marked ones give c = {show(c, 3)}; {why}"
    return None


def _open_counter(mark, i=20.0, f=20.0, g=0.0, w=20.0, back=0.0, order=(0, 1, 2, 3)):
    rows = np.outer([0, 0, w, 0], mark), np.array([0, 0, back, 0]), np.array([i, f, g, 0])
    return tuple(part[list(order)] for part in rows)


counter.wrongs(
    {
        "a single 1 must be kept": lambda mark: _open_counter(mark, f=3.0),
        "where all is 0 nothing may be added": lambda mark: _open_counter(mark, g=1.0),
        "only the marked feature counts": lambda mark: _open_counter(np.ones_like(mark)),
        "each marked 1 must add 1: input gate": lambda mark: _open_counter(mark, i=0.0),
        "add 1, and nothing may be lost": lambda mark: _open_counter(mark, w=3.0),
        "comes back through U": lambda mark: _open_counter(mark, back=1.0),
        "here g and o are exchanged": lambda mark: _open_counter(mark, order=(0, 1, 3, 2)),
        "W has shape (4, 2), must have (4, 1)": lambda mark: _open_counter(
            np.eye(2)[mark.argmax()]
        ),
    }
)
