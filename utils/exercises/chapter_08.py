"""Exercises of chapter 08, Recurrent networks."""

from __future__ import annotations

import numpy as np

from utils.exercises._compare import Wrong, numbers, same, show, sizes, unpack
from utils.exercises._exercise import exercise


def _weights(rng, D, H):
    """W (H, D), U (H, H), b (H,), none of them small."""
    return rng.normal(size=(H, D)), rng.normal(size=(H, H)), rng.normal(size=H)


def _loops(x, W, U, b):
    """States (T, H) of one sequence x (T, D), number by number."""
    states, before = [], [0.0] * len(b)
    for row in x.tolist():
        before = [
            float(np.tanh(b[i] + np.dot(W[i], row) + np.dot(U[i], before))) for i in range(len(b))
        ]
        states.append(before)
    return np.array(states)


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
    for _ in range(2):
        N, D, H = sizes(rng, 3)
        W, U, b = _weights(rng, D, H)
        x, h = 0.4 * rng.normal(size=(N, D)), 0.4 * rng.normal(size=(N, H))
        expected = np.array([np.tanh(W @ x[n] + U @ h[n] + b) for n in range(N)])
        known = {
            "the sum is not bent: tanh is missing": x @ W.T + h @ U.T + b,
            "U stands transposed: h @ U.T, as a state is a row here": np.tanh(x @ W.T + h @ U + b),
            "the bias b is missing": np.tanh(x @ W.T + h @ U.T),
            "the old state h is missing: that is no recurrent network": np.tanh(x @ W.T + b),
        }
        same(answer(x, h, W, U, b), expected, "the next state", known=known)


@rnn_step.wrong("tanh is missing")
def _unbent(x, h, W, U, b):
    return x @ W.T + h @ U.T + b


@rnn_step.wrong("U stands transposed")
def _turned(x, h, W, U, b):
    return np.tanh(x @ W.T + h @ U + b)


@rnn_step.wrong("the old state h is missing")
def _forgetful(x, h, W, U, b):
    return np.tanh(x @ W.T + b)


@rnn_step.wrong("the bias b is missing")
def _no_bias(x, h, W, U, b):
    return np.tanh(x @ W.T + h @ U.T)


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
    for _ in range(2):
        T, D, H = sizes(rng, 3)
        W, U, b = (0.5 * part for part in _weights(rng, D, H))
        x = rng.normal(size=(T, D))
        states = _loops(x, W, U, b)
        backward = _loops(x[::-1], W, U, b)
        known = {
            "the state is not handed on: every step begins at 0": np.tanh(x @ W.T + b),
            "all T states are wanted, not only the last": states[-1],
            "h_0 is not among the states: T rows, not T + 1": np.vstack([np.zeros(H), states]),
            "the states are shifted: the last one is missing, and h_0 is there": np.vstack(
                [np.zeros(H), states[:-1]]
            ),
            "the sequence is read from its end": backward,
        }
        same(answer(x, W, U, b), states, "the states", known=known)


@run_rnn.wrong("every step begins at 0")
def _no_memory(x, W, U, b):
    return np.tanh(x @ W.T + b)


@run_rnn.wrong("not only the last")
def _only_last(x, W, U, b):
    return run_rnn.reference(x, W, U, b)[-1]


@run_rnn.wrong("T rows, not T + 1")
def _with_first(x, W, U, b):
    return np.vstack([np.zeros(len(b)), run_rnn.reference(x, W, U, b)])


@run_rnn.wrong("read from its end")
def _from_the_end(x, W, U, b):
    return run_rnn.reference(x[::-1], W, U, b)


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
    import torch

    for _ in range(3):
        D, H = sizes(rng, 2)
        ours, theirs = unpack(answer(np.array([D, H])), "PyTorch's number", "Keras's number")
        count = sum(p.numel() for p in torch.nn.RNN(D, H).parameters())
        known = {
            "PyTorch's layer has two biases a unit": count - H,
            "the biases are missing": count - 2 * H,
            "the recurrent matrix U has H² weights": count - H * H,
        }
        same(ours, count, "PyTorch's number", known=known)
        known = {
            "Keras has one bias a unit, not two": count,
            "the bias is missing": count - 2 * H,
        }
        same(theirs, count - H, "Keras's number", known=known)


@rnn_weights.wrong("PyTorch's layer has two biases")
def _one_bias(size):
    D, H = size
    return H * D + H * H + H, H * D + H * H + H


@rnn_weights.wrong("the recurrent matrix U")
def _no_matrix(size):
    D, H = size
    return H * D + 2 * H, H * D + H


@rnn_weights.wrong("Keras has one bias")
def _two_biases(size):
    D, H = size
    return H * D + H * H + 2 * H, H * D + H * H + 2 * H


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
    for horizon in (2, 3, 1):
        T, width = 20 + int(rng.integers(0, 5)), int(rng.integers(3, 7))
        values = rng.normal(size=T)
        x, y = unpack(answer(values, width, horizon), "the windows", "the targets")
        rows = [list(values[i : i + width]) for i in range(T) if i + width + horizon <= T]
        wanted = np.array([values[i + width + horizon - 1] for i in range(len(rows))])
        known = {
            "the target is a value inside the window: it must lie `horizon` after the last": values[
                width - 1 : T - horizon
            ],
            "the targets come one step too late": values[width + horizon :],
            "the target is the next value, not the one `horizon` steps on": values[
                width : width + len(rows)
            ],
        }
        same(y, wanted, "the targets", known=known if horizon > 1 else {})
        known = {
            "windows without a target are there too": np.array(
                [values[i : i + width] for i in range(T - width + 1)]
            )
        }
        same(x, np.array(rows), "the windows", known=known)


@make_windows.wrong("a value inside the window")
def _leak(values, width, horizon):
    x, _ = make_windows.reference(values, width, horizon)
    return x, values[width - 1 : len(values) - horizon]


@make_windows.wrong("not the one `horizon` steps on")
def _next(values, width, horizon):
    x, _ = make_windows.reference(values, width, horizon)
    return x, values[width : width + len(x)]


@make_windows.wrong("windows without a target")
def _too_many(values, width, horizon):
    x = np.lib.stride_tricks.sliding_window_view(values, width)
    return x, values[width + horizon - 1 :]


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
    for period, horizon in ((5, 3), (4, 9), (4, 8)):
        values, first = rng.normal(size=40), int(rng.integers(20, 30))
        back = next(k * period for k in range(1, 9) if k * period >= horizon)
        wanted = np.array([values[t - back] for t in range(first, 40)])
        known = {
            "this season's value a period ago is not known yet: go back further": values[
                first - period : 40 - period
            ],
            "that is persistence: the last known value, of another season": values[
                first - horizon : 40 - horizon
            ],
            "one period too far back": values[first - back - period : 40 - back - period],
            "these are the values themselves": values[first:],
        }
        if back == period:
            del known["this season's value a period ago is not known yet: go back further"]
        if back == horizon:
            del known["that is persistence: the last known value, of another season"]
        same(answer(values, period, horizon, first), wanted, "the forecast", known=known)


@seasonal_naive.wrong("that is persistence")
def _persistence(values, period, horizon, first):
    return values[first - horizon : len(values) - horizon]


@seasonal_naive.wrong("is not known yet")
def _from_the_future(values, period, horizon, first):
    return values[first - period : len(values) - period]


@seasonal_naive.wrong("one period too far back")
def _too_far(values, period, horizon, first):
    back = period * (horizon // period + 1)
    back += period if horizon < period else 0
    return values[first - back : len(values) - back]


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
    for tau in (0.5, 2.0, 0.01):
        z = rng.normal(size=sizes(rng, 1)[0]) * 3 + (10 if tau < 0.1 else 0)
        powers = [np.exp((a - max(z)) / tau) for a in z]
        expected = np.array(powers) / sum(powers)
        p = np.exp(z - z.max())
        known = {
            "multiplied by τ instead of divided": np.exp((z - z.max()) * tau)
            / np.exp((z - z.max()) * tau).sum(),
            "the temperature comes after softmax: divide the scores, not the probabilities": p
            / p.sum()
            / tau,
            "τ is not used": p / p.sum(),
            "the probabilities must sum to 1": np.array(powers),
        }
        got = numbers(answer(z, tau), "the probabilities")
        if np.isnan(got).any():
            raise Wrong(f"NaN at τ = {tau:g}: subtract the largest score before np.exp")
        same(got, expected, "the probabilities", known=known)


@heat.wrong("multiplied by τ")
def _cooled(z, tau):
    e = np.exp((z - z.max()) * tau)
    return e / e.sum()


@heat.wrong("divide the scores, not the probabilities")
def _late(z, tau):
    e = np.exp(z - z.max())
    return e / e.sum() / tau


@heat.wrong("subtract the largest score")
def _overflow(z, tau):
    with np.errstate(all="ignore"):
        e = np.exp(z / tau)
        return e / e.sum()


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
    for _ in range(2):
        p = rng.uniform(0.05, 0.9, size=sizes(rng, 1)[0] + 3)
        bits, perplexity = unpack(answer(p), "the bits", "the perplexity")
        wanted = sum(np.log(1 / q) / np.log(2) for q in p) / len(p)
        known = {
            "these are nats: bits take the logarithm to the base 2": wanted * np.log(2),
            "that is the logarithm of the mean; take the mean of the logarithms": -np.log2(
                p.mean()
            ),
            "the sum over all letters, not their mean": wanted * len(p),
        }
        same(bits, wanted, "the number of bits", known=known)
        known = {
            "the perplexity of bits is 2 to their power, not e": np.exp(wanted),
            "that is the mean of 1/p; the perplexity is the geometric mean": np.mean(1 / p),
        }
        same(perplexity, np.prod(1 / p) ** (1 / len(p)), "the perplexity", known=known)


@surprise.wrong("these are nats")
def _nats(p):
    nats = -np.mean(np.log(p))
    return nats, np.exp(nats)


@surprise.wrong("take the mean of the logarithms")
def _log_of_mean(p):
    bits = -np.log2(np.mean(p))
    return bits, 2**bits


@surprise.wrong("2 to their power")
def _wrong_base(p):
    bits = -np.mean(np.log2(p))
    return bits, np.exp(bits)


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
    H, D = sizes(rng, 2)
    for size, limit in ((10.0, 3.0), (0.01, 3.0)):
        gradients = size * rng.normal(size=(H, D)), size * rng.normal(size=H)
        got = unpack(answer(*gradients, limit), "dW", "db")
        length = np.linalg.norm(np.concatenate([g.ravel() for g in gradients]))
        factor = limit / length if length > limit else 1.0
        for name, mine, g in zip(("dW", "db"), got, gradients, strict=True):
            known = {
                "each array is shortened on its own, which turns the step: one length for both": g
                * min(1, limit / np.linalg.norm(g)),
                "each number is cut on its own, which turns the step": np.clip(g, -limit, limit),
            }
            if factor == 1:
                known = {"gradients that are short enough must stay": g * limit / length}
            same(mine, factor * g, name, known=known)


@clip.wrong("each array is shortened on its own")
def _one_by_one(dW, db, limit):
    return tuple(g * min(1.0, limit / np.linalg.norm(g)) for g in (dW, db))


@clip.wrong("each number is cut on its own")
def _cut(dW, db, limit):
    return np.clip(dW, -limit, limit), np.clip(db, -limit, limit)


@clip.wrong("short enough must stay")
def _always(dW, db, limit):
    length = np.sqrt((dW**2).sum() + (db**2).sum())
    return dW * limit / length, db * limit / length


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
    def back(g, states, matrix, bent=True):
        for h_t in states:
            g = matrix @ (((1 - h_t**2) if bent else 1) * g)
        return g

    for _ in range(2):
        T, H = sizes(rng, 2)
        U = rng.normal(size=(H, H)) / np.sqrt(H)
        h, g = np.tanh(rng.normal(size=(T, H))), rng.normal(size=H)
        product = np.eye(H)
        for h_t in h[1:]:
            product = np.diag(1 - h_t**2) @ U @ product  # ∂h_t/∂h_1
        known = {
            "U must stand transposed on the way back": back(g, h[:0:-1], U),
            "tanh′ is missing: 1 − h² at every step": back(g, h[:0:-1], U.T, bent=False),
            "one step too many: h_1 itself is not passed": back(g, h[::-1], U.T),
            "tanh′ belongs to the later state, 1 − h_{t+1}²": back(g, h[-2::-1], U.T),
            "the states are passed in the wrong order, from the first": back(g, h[1:], U.T),
        }
        same(answer(g, h, U), product.T @ g, "the gradient of h_1", known=known)


@gradient_of_first.wrong("U must stand transposed")
def _not_transposed(g, h, U):
    for h_t in h[:0:-1]:
        g = U @ ((1 - h_t**2) * g)
    return g


@gradient_of_first.wrong("tanh′ is missing")
def _linear(g, h, U):
    for _ in h[1:]:
        g = U.T @ g
    return g


@gradient_of_first.wrong("one step too many")
def _all_states(g, h, U):
    for h_t in h[::-1]:
        g = U.T @ ((1 - h_t**2) * g)
    return g


@gradient_of_first.wrong("belongs to the later state")
def _earlier(g, h, U):
    for h_t in h[-2::-1]:
        g = U.T @ ((1 - h_t**2) * g)
    return g


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
    x, h = rng.normal(size=8), np.zeros(3)
    for t, value in enumerate(x):
        h = W[:, 0] * value + U @ h
        wanted = np.array([x[t - k] if t >= k else 0.0 for k in range(3)])
        if np.allclose(h, wanted):
            continue
        if np.allclose(h, [value] * 3):
            raise Wrong("all three entries hold the newest input: W must fill the first one only")
        if np.allclose(h[0], x[: t + 1].sum()):
            raise Wrong(
                "the first entry adds up all inputs; it must forget the old one: U[0, 0] = 0"
            )
        if t and np.allclose(h, [value, 0, 0]):
            raise Wrong(
                "the older inputs are lost: U must hand entry 0 on to entry 1, and 1 on to 2"
            )
        raise Wrong(
            f"after the inputs {', '.join(show(v, 2) for v in x[: t + 1])} the state is "
            f"({', '.join(show(v, 2) for v in h)}), not ({', '.join(show(v, 2) for v in wanted)})"
        )


@delay_line.wrong("the older inputs are lost")
def _shifted_up():
    return np.array([[1], [0], [0]]), np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0]])


@delay_line.wrong("adds up all inputs")
def _sums():
    return np.array([[1], [0], [0]]), np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0]])


@delay_line.wrong("W must fill the first one only")
def _everywhere():
    return np.ones((3, 1)), np.zeros((3, 3))
