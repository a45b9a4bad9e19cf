"""Exercises of chapter 08, Recurrent networks."""

from __future__ import annotations

import numpy as np

from utils.exercises._agree import agree
from utils.exercises._compare import Wrong, numbers, show, sizes, unpack
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
        expected = [np.tanh(W @ x[n] + U @ h[n] + b) for n in range(N)]
        agree(answer, (x, h, W, U, b), expected, "the next state")


@rnn_step.mistakes
def _(x, h, W, U, b):
    return {
        "the sum is not bent: tanh is missing": x @ W.T + h @ U.T + b,
        "U stands transposed: h @ U.T, as a state is a row here": np.tanh(x @ W.T + h @ U + b),
        "the bias b is missing": np.tanh(x @ W.T + h @ U.T),
        "the old state h is missing: that is no recurrent network": np.tanh(x @ W.T + b),
    }


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
        agree(answer, (x, W, U, b), _loops(x, W, U, b), "the states")


@run_rnn.mistakes
def _(x, W, U, b):
    states = run_rnn.reference(x, W, U, b)
    with_first = np.vstack([0 * b, states])
    return {
        "the state is not handed on: every step begins at 0": np.tanh(x @ W.T + b),
        "all T states are wanted, not only the last": states[-1],
        "h_0 is not among the states: T rows, not T + 1": with_first,
        "the states are shifted: the last one is missing, and h_0 is there": with_first[:-1],
        "the sequence is read from its end": run_rnn.reference(x[::-1], W, U, b),
    }


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
        count = sum(p.numel() for p in torch.nn.RNN(D, H).parameters())
        expected = {"PyTorch's number": count, "Keras's number": count - H}
        agree(answer, (np.array([D, H]),), expected)


@rnn_weights.mistakes
def _(size):
    D, H = size
    matrices = H * D + H * H
    return {
        "PyTorch's layer has two biases a unit": (matrices + H, ...),
        "the biases are missing": (matrices, matrices),
        "the recurrent matrix U has H² weights": (H * D + 2 * H, H * D + H),
        "Keras has one bias a unit, not two": (..., matrices + 2 * H),
        "the bias is missing in Keras's number": (..., matrices),
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
    for horizon in (2, 3, 1):
        T, width = 20 + int(rng.integers(0, 5)), int(rng.integers(3, 7))
        values = rng.normal(size=T)
        rows = [values[i : i + width] for i in range(T) if i + width + horizon <= T]
        targets = [values[i + width + horizon - 1] for i in range(len(rows))]
        expected = {"the windows": np.array(rows), "the targets": targets}
        agree(answer, (values, width, horizon), expected, order=("the targets", "the windows"))


@make_windows.mistakes
def _(values, width, horizon):
    windows = np.lib.stride_tricks.sliding_window_view(values, width)
    end = len(values) - horizon
    return {
        "the target is a value inside the window: it must lie `horizon` after the last": (
            ...,
            values[width - 1 : end],
        ),
        "the targets come one step too late": (..., values[width + horizon :]),
        "the target is the next value, not the one `horizon` steps on": (
            ...,
            values[width : end + 1],
        ),
        "windows without a target are there too": (windows, ...),
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
    for period, horizon in ((5, 3), (4, 9), (4, 8)):
        values, first = rng.normal(size=40), int(rng.integers(20, 30))
        back = next(k * period for k in range(1, 9) if k * period >= horizon)
        expected = [values[t - back] for t in range(first, 40)]
        agree(answer, (values, period, horizon, first), expected, "the forecast")


@seasonal_naive.mistakes
def _(values, period, horizon, first):
    def going(back):
        return values[first - back : len(values) - back]

    seasons = -(-horizon // period)
    return {
        "this season's value a period ago is not known yet: go back further": going(period),
        "that is persistence: the last known value, of another season": going(horizon),
        "one period too far back": going((seasons + 1) * period),
        "too far back where horizon is a multiple of period: that value is known already": (
            going((horizon // period + 1) * period)
        ),
        "these are the values themselves": going(0),
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
    for tau in (0.5, 2.0, 0.01):
        z = rng.normal(size=sizes(rng, 1)[0]) * 3 + (10 if tau < 0.1 else 0)
        powers = [np.exp((a - max(z)) / tau) for a in z]
        agree(answer, (z, tau), np.array(powers) / sum(powers), "the probabilities")


@heat.mistakes
def _(z, tau):
    def softmax(z):
        return np.exp(z - z.max()) / np.exp(z - z.max()).sum()

    return {
        "multiplied by τ instead of divided": softmax(z * tau),
        "the temperature comes after softmax: divide the scores, not the probabilities": (
            softmax(z) / tau
        ),
        "τ is not used": softmax(z),
        "the probabilities must sum to 1": np.exp((z - z.max()) / tau),
        "exp overflows where τ is small: subtract the largest score before np.exp": (
            np.exp(z / tau) / np.exp(z / tau).sum()
        ),
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
    for _ in range(2):
        p = rng.uniform(0.05, 0.9, size=sizes(rng, 1)[0] + 3)
        expected = {
            "the number of bits": sum(np.log(1 / q) / np.log(2) for q in p) / len(p),
            "the perplexity": np.prod(1 / p) ** (1 / len(p)),
        }
        agree(answer, (p,), expected)


@surprise.mistakes
def _(p):
    bits, of_mean, in_all = -np.log2(p).mean(), -np.log2(p.mean()), -np.log2(p).sum()
    return {
        "these are nats: bits take the logarithm to the base 2": (-np.log(p).mean(), ...),
        "that is the logarithm of the mean; take the mean of the logarithms": (
            of_mean,
            2**of_mean,
        ),
        "the sum over all letters, not their mean": (in_all, 2**in_all),
        "the perplexity of bits is 2 to their power, not e": (..., np.exp(bits)),
        "that is the mean of 1/p; the perplexity is the geometric mean": (..., np.mean(1 / p)),
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
    H, D = sizes(rng, 2)
    for size, limit in ((10.0, 3.0), (10.0, 3.0), (0.01, 3.0)):
        dW, db = size * rng.normal(size=(H, D)), size * rng.normal(size=H)
        length = np.linalg.norm(np.concatenate([dW.ravel(), db]))
        factor = limit / length if length > limit else 1.0
        agree(answer, (dW, db, limit), {"dW": factor * dW, "db": factor * db})


@clip.mistakes
def _(dW, db, limit):
    both = dW, db
    length = np.sqrt((dW**2).sum() + (db**2).sum())
    return {
        "each array is shortened on its own, which turns the step: one length for both": (
            tuple(g * min(1, limit / np.linalg.norm(g)) for g in both)
        ),
        "each number is cut on its own, which turns the step": (
            tuple(np.clip(g, -limit, limit) for g in both)
        ),
        "gradients that are short enough must stay": tuple(g * limit / length for g in both),
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
    for _ in range(2):
        T, H = sizes(rng, 2)
        U = rng.normal(size=(H, H)) / np.sqrt(H)
        h, g = np.tanh(rng.normal(size=(T, H))), rng.normal(size=H)
        product = np.eye(H)
        for h_t in h[1:]:
            product = np.diag(1 - h_t**2) @ U @ product  # ∂h_t/∂h_1
        agree(answer, (g, h, U), product.T @ g, "the gradient of h_1")


@gradient_of_first.mistakes
def _(g, h, U):
    def back(states, matrix=U.T):
        end = g
        for h_t in states:
            end = matrix @ ((1 - h_t**2) * end)
        return end

    return {
        "U must stand transposed on the way back": back(h[:0:-1], U),
        "tanh′ is missing: 1 − h² at every step": back(0 * h[:0:-1]),
        "one step too many: h_1 itself is not passed": back(h[::-1]),
        "tanh′ belongs to the later state, 1 − h_{t+1}²": back(h[-2::-1]),
        "the states are passed in the wrong order, from the first": back(h[1:]),
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


_FIRST = np.array([[1], [0], [0]])
delay_line.wrongs(
    {
        "the older inputs are lost": (_FIRST, np.eye(3, k=1)),
        "adds up all inputs": (_FIRST, np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0]])),
        "W must fill the first one only": (np.ones((3, 1)), np.zeros((3, 3))),
        "the state is": (_FIRST, 2 * np.eye(3, k=-1)),
    }
)
