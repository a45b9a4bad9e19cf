"""Exercises of chapter 09, LSTM and GRU."""

from __future__ import annotations

import numpy as np

from utils.exercises._agree import agree
from utils.exercises._compare import Wrong, numbers, sizes, unpack
from utils.exercises._exercise import exercise


def _sigma(a):
    return 0.5 * (1 + np.tanh(a / 2))


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
    for _ in range(2):
        shape = sizes(rng, 2)
        i, f, g, o, c = rng.normal(size=(5, *shape))
        new = _sigma(f) * c + _sigma(i) * np.tanh(g)
        expected = {"h": _sigma(o) * np.tanh(new), "c": new}
        agree(answer, (i, f, g, o, c), expected, order=("c", "h"))


@lstm_update.mistakes
def _(i, f, g, o, c):
    def shown(cell):
        return _sigma(o) * np.tanh(cell), cell

    h, new = lstm_update.reference(i, f, g, o, c)
    unbent = f * c + i * np.tanh(g)
    return {
        "forget gate and input gate are exchanged": shown(_sigma(i) * c + _sigma(f) * np.tanh(g)),
        "the gates are not bent: they need σ": (o * np.tanh(unbent), unbent),
        "the candidate needs tanh": shown(_sigma(f) * c + _sigma(i) * g),
        "this is h: return the pair (h, c) in this order": (new, h),
        "nothing of the old cell state is left": shown(_sigma(i) * np.tanh(g)),
        "h must come from the new cell state, this one comes from the old": (shown(c)[0], ...),
        "h needs tanh of the cell state": (_sigma(o) * new, ...),
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
    for _ in range(3):
        D, H = sizes(rng, 2)
        block = np.ones((H, D)).size + np.ones((H, H)).size + 2 * H
        agree(answer, (np.array([D, H]),), [block, 3 * block, 4 * block], "the counts")


@count.mistakes
def _(shape):
    D, H = shape
    blocks = np.array([1, 3, 4])
    return {
        "one bias is missing in each block: PyTorch has two": blocks * H * (D + H + 1),
        "the biases are missing": blocks * H * (D + H),
        "D and H are exchanged": blocks * D * (D + H + 2),
        "GRU and LSTM are exchanged: the LSTM is the larger one": (
            blocks[[0, 2, 1]] * H * (D + H + 2)
        ),
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
    for _ in range(2):
        steps = rng.integers(2, 200, 5).astype(float)
        agree(answer, (steps,), -np.log(np.exp2(1 / steps) - 1), "b")


@forget_bias.mistakes
def _(steps):
    s = 0.5 ** (1 / steps)
    return {
        "this is the gate σ(b): undo the σ": s,
        "the sign is wrong: with this bias the gate is nearly shut": np.log((1 - s) / s),
        "this is ln of the gate; the inverse of σ is ln(s/(1 − s))": np.log(s),
        "s/(1 − s) still needs its logarithm": s / (1 - s),
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
    for _ in range(2):
        n, H = sizes(rng, 2)
        a, u, h = (2 * rng.normal(size=(n, width)) for width in (3 * H, 3 * H, H))
        (ar, az, an), (ur, uz, un) = (x.reshape(n, 3, H).swapaxes(0, 1) for x in (a, u))
        new = np.tanh(an + _sigma(ar + ur) * un)
        agree(answer, (a, u, h), new + _sigma(az + uz) * (h - new), "h")


@gru_update.mistakes
def _(a, u, h):
    (a_r, a_z, a_n), (u_r, u_z, u_n) = (np.split(x, 3, axis=1) for x in (a, u))
    r, z = _sigma(a_r + u_r), _sigma(a_z + u_z)
    n = np.tanh(a_n + r * u_n)
    return {
        "z and 1 − z are exchanged: z says how much of the old state stays": z * n + (1 - z) * h,
        "r must scale only what the state says, this scales both": (
            (1 - z) * np.tanh(r * (a_n + u_n)) + z * h
        ),
        "the reset gate does nothing": (1 - z) * np.tanh(a_n + u_n) + z * h,
        "the order is r, z, n: here r and z are exchanged": (
            (1 - r) * np.tanh(a_n + z * u_n) + r * h
        ),
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
    for _ in range(3):
        n, t, h = sizes(rng, 3)
        output, lengths = rng.normal(size=(n, t, h)), rng.integers(1, t, n)
        lengths[:2] = 1, 2
        expected = [o[:k][-1] for o, k in zip(output, lengths, strict=True)]
        agree(answer, (output, lengths), expected, "the last real output")


@last_real.mistakes
def _(output, lengths):
    return {
        "these are the outputs at the last step of all, which is padding": output[:, -1],
        "these are one step too late: steps count from 0": (
            output[np.arange(len(output)), lengths]
        ),
        "these are the first outputs": output[:, 0],
    }


last_real.wrongs({"must have shape": lambda output, lengths: output[:, lengths - 1]})


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
    for is_poisoned in (False, False, True):
        n, t, h = sizes(rng, 3)
        output, mask = rng.normal(size=(n, t, h)) + 1, rng.random((n, t)) < 0.5
        mask[:, 0], mask[:, 1] = True, False
        expected = [o[m].mean(axis=0) for o, m in zip(output, mask, strict=True)]
        if is_poisoned:
            output[~mask] = np.nan
        agree(answer, (output, mask), expected, "the mean")


@masked_mean.mistakes
def _(output, mask):
    real = np.where(mask[..., None], output, 0)
    return {
        "padding is part of this mean": output.mean(axis=1),
        "the sum is divided by T, not by the number of real steps": real.mean(axis=1),
        "this is the sum: divide by the number of real steps": real.sum(axis=1),
        "a padded step that holds NaN spoils the mean: 0 · NaN is NaN, use np.where": (
            (output * mask[..., None]).sum(axis=1) / mask.sum(axis=1)[:, None]
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
    for _ in range(2):
        D, H = sizes(rng, 2)
        W = rng.normal(size=(3 * H, D))
        r, z, n = W.reshape(3, H, D)
        agree(answer, (W,), np.hstack([z.T, r.T, n.T]), "W")


@to_keras.mistakes
def _(W):
    r, z, n = np.split(W, 3)
    rows = W.reshape(len(r), 3, -1)[:, [1, 0, 2]]
    return {
        "the gates are still in PyTorch's order": W.T,
        "r and n are exchanged, not r and z": np.concatenate([n, z, r]).T,
        "single rows are exchanged: cut into blocks of H rows": rows.reshape(W.shape).T,
        "W must be transposed: Keras has the inputs in the rows": np.concatenate([z, r, n]),
        "nothing has changed: Keras has another order, and the inputs in the rows": W,
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
    for _ in range(2):
        shape = sizes(rng, 2)
        i, f, o = rng.uniform(0.1, 0.9, (3, *shape))
        g, c_old, dh, dc = rng.uniform(-0.9, 0.9, (4, *shape))
        c = f * c_old + i * g
        total = dc + dh * o / np.cosh(c) ** 2
        expected = {"∂L/∂c_old": total * f, "∂L/∂f": total * c_old * f * (1 - f)}
        agree(answer, (i, f, g, o, c_old, c, dh, dc), expected)


@lstm_backward.mistakes
def _(i, f, g, o, c_old, c, dh, dc):
    def passed_on(at_c):
        return at_c * f, at_c * c_old * f * (1 - f)

    through_h = dh * o * (1 - np.tanh(c) ** 2)
    total = dc + through_h
    return {
        "what comes through h is missing: c is used there too": passed_on(dc),
        "what comes from the future is missing: add dc": passed_on(through_h),
        "tanh′ is missing on the way through h": passed_on(dc + dh * o),
        "the gate is missing: c_old is multiplied by f": (total, ...),
        "this is the gradient of the open gate; before its σ it is f·(1 − f) times that": (
            ...,
            total * c_old,
        ),
        "f scales c_old, not the candidate": (..., total * g * f * (1 - f)),
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
    for _ in range(3):
        size, count = (int(k) for k in rng.integers((2, 4), (5, 8)))
        lengths = rng.integers(1, 60, size * count)
        batches = answer(lengths, size)
        if not isinstance(batches, list | tuple):
            raise Wrong(f"return a list of index arrays, got one {type(batches).__name__}")
        batches = [numbers(batch, "a batch").ravel().astype(int).tolist() for batch in batches]
        found = sorted(index for batch in batches for index in batch)
        if found == sorted(lengths.tolist()):
            raise Wrong("these are lengths: return the indices of the sequences")
        if found != list(range(len(lengths))):
            raise Wrong(
                f"each of the indices 0 … {len(lengths) - 1} must come once, got {len(found)} "
                f"indices, {len(set(found))} different ones"
            )
        if {len(batch) for batch in batches} != {size}:
            raise Wrong(f"every batch must have {size} sequences")
        cost = sum(size * lengths[batch].max() for batch in batches)
        best = size * np.sort(lengths)[size - 1 :: size].sum()
        if cost > best:
            raise Wrong(
                f"the padded batches have {cost} steps in all, {best} would do: sort by length"
            )


def _cut(order, size):
    return [order[start : start + size] for start in range(0, len(order), size)]


by_length.wrongs(
    {
        "sort by length": lambda lengths, size: _cut(np.arange(len(lengths)), size),
        "these are lengths": lambda lengths, size: _cut(np.sort(lengths), size),
        "must come once": lambda lengths, size: by_length.reference(lengths, size)[:-1],
        "every batch must have": lambda lengths, size: by_length.reference(lengths, size + 1),
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
    for _ in range(2):
        D = int(rng.integers(2, 6))
        mark = np.eye(D)[rng.integers(D)]
        W, U, b = (
            numbers(part, name, shape)
            for part, name, shape in zip(
                unpack(answer(mark), "W", "U", "b"), "WUb", ((4, D), (4,), (4,)), strict=True
            )
        )
        nothing, one, all_ones = np.zeros((50, D)), np.zeros((50, D)), np.ones((50, D))
        one[0] = mark
        others = all_ones * (1 - mark)
        for bits in (nothing, one, others, all_ones, *rng.integers(0, 2, (3, 50, D))):
            h, cells = 0.0, [0.0]
            for x in bits:
                i, f, g, o = W @ x + U * h + b
                cells.append(_sigma(f) * cells[-1] + _sigma(i) * np.tanh(g))
                h = _sigma(o) * np.tanh(cells[-1])
            c = cells[-1]
            wanted = int((bits @ mark).sum())
            if abs(c - wanted) > 0.1:
                why = "each marked 1 must add 1: input gate and candidate must both be 1"
                if bits is nothing:
                    why = "where all is 0 nothing may be added: the candidate needs tanh(0) = 0"
                if bits is one and abs(cells[1] - 1) < 0.1:
                    why = "a single 1 must be kept over 49 zeros: forget gate 1, all else as it is"
                if bits is others:
                    why = "only the marked feature counts"
                raise Wrong(f"50 steps with {wanted} marked ones give c = {c:.3g}; {why}")


def _open_counter(mark, i=20.0, f=20.0, g=0.0):
    return np.outer([0, 0, 20, 0], mark), np.zeros(4), np.array([i, f, g, 0])


counter.wrongs(
    {
        "a single 1 must be kept": lambda mark: _open_counter(mark, f=3.0),
        "where all is 0 nothing may be added": lambda mark: _open_counter(mark, g=1.0),
        "only the marked feature counts": lambda mark: _open_counter(np.ones_like(mark)),
        "each marked 1 must add 1": lambda mark: _open_counter(mark, i=0.0),
    }
)
