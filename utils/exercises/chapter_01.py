"""Exercises of chapter 01, A neuron."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np

from utils.exercises._agree import agree
from utils.exercises._compare import Wrong, numbers, show, sizes, unpack
from utils.exercises._exercise import exercise

CORNERS = ((0, 0), (0, 1), (1, 0), (1, 1))  # all inputs of a gate, row by row of its truth table
GATES = {
    (0, 0, 0, 1): "AND",
    (0, 1, 1, 1): "OR",
    (0, 1, 1, 0): "XOR",
    (1, 1, 1, 0): "NAND",
    (1, 0, 0, 0): "NOR",
    (1, 0, 0, 1): "XNOR",
    (0, 0, 0, 0): "always 0",
    (1, 1, 1, 1): "always 1",
}


# ---------------------------------------------------------------- 01.1
@exercise(
    "01.1",
    hints=(
        "One sample first: multiply each feature by its weight, add the products, then add b.",
        "All samples at once: x has shape (N, D) and w has shape (D,). Which axis must vanish?",
        "`x @ w` adds the products along the last axis and leaves shape (N,).",
    ),
    why="zₙ = Σ_d xₙd w_d + b: the product x @ w adds over the features of each sample, and the "
    "one bias is added to each of the N sums by broadcasting.",
)
def weighted_sum(x, w, b):
    """Weighted sums z (N,) of N samples x (N, D) with weights w (D,) and one bias b."""
    return x @ w + b


@weighted_sum.check
def _(answer, rng):
    for _ in range(3):
        n, d = sizes(rng, 2)
        x, w, b = rng.normal(size=(n, d)), rng.normal(size=d), float(rng.normal())
        z = [math.fsum(a * c for a, c in zip(row, w, strict=True)) + b for row in x]
        agree(answer, (x, w, b), z, "z", sizes={"D": d, "N": n})


@weighted_sum.mistakes
def _(x, w, b):
    return {
        "the bias is missing: add b to every sum": x @ w,
        "the products are not added up: sum over the features of each sample": x * w + b,
        "the sum runs over the samples: it must run over the features": (x * w).sum(axis=0) + b,
        "the products are averaged: add them up": (x * w).mean(axis=1) + b,
        "the bias is added D times: add it once, after the sum": (x * w + b).sum(axis=1),
    }


# ---------------------------------------------------------------- 01.2
@exercise(
    "01.2",
    hints=(
        "There are two cases, z > 0 and z < 0. Write value and slope of each line on paper.",
        "`np.where(z > 0, a, b)` takes a where z > 0 and b elsewhere.",
        "Right of 0 the line is z with slope 1; left of 0 it is alpha·z. Its slope there?",
    ),
    why="Left of 0 the function is the line αz, and the slope of a line is its factor: α. It is "
    "not 0, so a neuron with a negative sum still learns.",
)
def leaky_relu(z, alpha):
    """Value and derivative of the leaky ReLU, z for z > 0 and alpha·z for z < 0, as a pair."""
    return np.where(z > 0, z, alpha * z), np.where(z > 0, 1.0, alpha)


@leaky_relu.check
def _(answer, rng):
    for dims in (1, 2):
        z, alpha = 3 * rng.normal(size=sizes(rng, dims)), float(rng.uniform(0.05, 0.4))
        value = np.maximum(z, 0) + alpha * np.minimum(z, 0)
        slope = (1 + alpha) / 2 + (1 - alpha) / 2 * np.sign(z)
        agree(answer, (z, alpha), {"the value": value, "the derivative": slope}, quote="entry")
    for single in (np.array([-2.0]), np.array([4.0])):  # D = 1, far from the bend
        value, slope = (single, 1.0) if single > 0 else (0.25 * single, 0.25)
        expected = {"the value": value, "the derivative": np.array([slope])}
        agree(answer, (single, 0.25), expected, quote="entry")


@leaky_relu.mistakes
def _(z, alpha):
    value, slope = leaky_relu.reference(z, alpha)
    return {
        "the pair is swapped: return the value first, then the derivative": (slope, value),
        "the value at z < 0 is 0: that is the ReLU, the leaky one is alpha·z": (z * (z > 0), ...),
        "the value is z everywhere: at z < 0 it must be alpha·z": (z, ...),
        "the derivative at z < 0 is 0: that is the ReLU's, the leaky one's is alpha": (..., z > 0),
        "alpha·z is added on both sides: it belongs to z < 0 alone": (
            np.maximum(z, 0) + alpha * z,
            ...,
        ),
        "the derivative at z < 0 is the factor alpha alone, not alpha·z": (
            ...,
            np.where(z > 0, 1.0, alpha * z),
        ),
        "the derivative at z < 0 is −1: the function rises there too, by alpha": (..., np.sign(z)),
    }


@leaky_relu.wrong("z is changed in place")
def _overwritten(z, alpha):
    slope = np.where(z > 0, 1.0, alpha)
    z[z < 0] *= alpha
    return z, slope


# ---------------------------------------------------------------- 01.3
@exercise(
    "01.3",
    hints=(
        "exp overflows only for large positive arguments. Which of 1/(1 + e⁻ᶻ) and eᶻ/(1 + eᶻ) is "
        "safe for z < 0, and which for z > 0?",
        "e⁻ᶻ is safe for z ≥ 0 and eᶻ for z < 0: both are e to the power −|z|.",
        "With e = np.exp(-np.abs(z)) the answer is 1/(1 + e) for z ≥ 0 and e/(1 + e) for z < 0.",
    ),
    why="e⁻|ᶻ| lies between 0 and 1, so nothing overflows, and both branches keep every digit: far "
    "to the left σ(z) ≈ eᶻ, a tiny number that clipping or 1 − σ(−z) would lose.",
)
def stable_sigmoid(z):
    """σ(z) = 1/(1 + e⁻ᶻ) for any z, ±1000 included: no overflow, no warning, all digits kept."""
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1.0, e) / (1 + e)


@stable_sigmoid.check
def _(answer, rng):
    z = np.concatenate([3 * rng.normal(size=sizes(rng, 1)), [-1000, -300, -36, 0, 36, 300, 1000]])
    z = rng.permutation(z)
    expected = [float(1 / (1 + (-Decimal(value)).exp())) for value in z]
    agree(answer, (z,), expected, "σ(z)", quote="entry", rtol=1e-12, atol=0, double=True)
    if answer.warnings and not answer.suspicion:
        raise Wrong(f"the values are right, but NumPy warns of an {answer.warnings[0]}")
    for number in (-1000.0, -300.0, -36.0, 0.0, 36.0, 1000.0):  # the task says "any z"
        expected = float(1 / (1 + (-Decimal(number)).exp()))
        agree(answer, (number,), expected, "σ(z)", quote="entry", rtol=1e-12, atol=0)
    grid = rng.normal(size=sizes(rng, 2))
    agree(answer, (grid,), 1 / (1 + np.exp(-grid)), "σ(z)", quote="entry", rtol=1e-12)


@stable_sigmoid.mistakes
def _(z):
    e = np.exp(-np.abs(z))
    return {
        "this is tanh, from −1 to 1: the sigmoid lies between 0 and 1": np.tanh(z),
        "exp overflows for large z, and ∞/∞ is NaN: use e⁻ᶻ there": np.exp(z) / (1 + np.exp(z)),
        "far to the left 1 − σ(−z) and 1 + tanh(z/2) lose all digits: use eᶻ/(1 + eᶻ) there": (
            np.where(z >= 0, 1 / (1 + e), 1 - 1 / (1 + e))
        ),
    }


stable_sigmoid.wrongs(
    {
        "NumPy warns of an overflow": lambda z: 1 / (1 + np.exp(-z)),
        "z is cut to the range from −10 to 10": lambda z: 1 / (1 + np.exp(-np.clip(z, -10, 10))),
    }
)


# ---------------------------------------------------------------- 01.4
@exercise(
    "01.4",
    hints=(
        "Differentiate y = 1/(1 + e⁻ᶻ) by the chain rule: e⁻ᶻ/(1 + e⁻ᶻ)².",
        "Split that fraction into two factors. One is y itself.",
        "The other is e⁻ᶻ/(1 + e⁻ᶻ) = 1 − y.",
    ),
    why="e⁻ᶻ/(1 + e⁻ᶻ)² = y · (1 − y): the forward pass has computed y already, so the backward "
    "pass needs no exponential.",
)
def sigmoid_slope(y):
    """Derivative of the sigmoid at z, computed from its output y = σ(z) alone."""
    return y * (1 - y)


@sigmoid_slope.check
def _(answer, rng):
    for dims in (1, 2):
        z = 2 * rng.normal(size=sizes(rng, dims))
        expected = 0.25 / np.cosh(z / 2) ** 2
        agree(answer, (1 / (1 + np.exp(-z)),), expected, "the derivative", quote="entry")
    saturated = np.array([0.0, 0.5, 1.0])
    agree(answer, (saturated,), [0.0, 0.25, 0.0], "the derivative", quote="entry")
    if answer.warnings:
        raise Wrong(f"right, but for y = 0 or 1 NumPy warns of a {answer.warnings[0]}: use y alone")


@sigmoid_slope.mistakes
def _(y):
    again = 1 / (1 + np.exp(-y))
    return {
        "y is already the output of the sigmoid: do not apply it again": again * (1 - again),
        "1 − y is one of two factors": 1 - y,
        "1 − y² is the derivative of tanh, from its output": 1 - y**2,
    }


sigmoid_slope.wrongs(
    {"a + stands where a − belongs": lambda y: y * (1 + y), "wrong sign": lambda y: y * (y - 1)}
)


# ---------------------------------------------------------------- 01.5
@exercise(
    "01.5",
    hints=(
        "The neuron is right when t and the score w·x + b have the same sign: t·(w·x + b) > 0.",
        "If it is right, return w and b as they are. If not, move the line toward the point.",
        "A mistake adds t·x to w, and t to b; write `w + t * x`, for `w += …` would change the "
        "caller's array.",
    ),
    why="After w + t·x and b + t the value t·(w·x + b) has grown by ‖x‖² + 1 > 0: the neuron is "
    "less wrong about this point. A score of 0 decides nothing, so it counts as a mistake; else a "
    "start from w = 0 and b = 0 would never move.",
)
def perceptron_update(x, t, w, b):
    """New (w, b) after one point x (D,) of class t, −1 or +1: changed only if t·(w·x + b) ≤ 0."""
    if t * (w @ x + b) <= 0:
        return w + t * x, b + t
    return w, b


@perceptron_update.check
def _(answer, rng):
    (d,) = sizes(rng, 1)
    for side in ("wrong", "wrong", "right", "on the line", "right"):
        x, w, t = rng.normal(size=d), rng.normal(size=d), int(rng.choice([-1, 1]))
        b = (0.25 if side == "right" else -0.25) * t - math.fsum(x * w)
        if side == "on the line":
            w, b = np.zeros(d), 0.0
        moves = side != "right"
        agree(answer, (x, t, w, b), {"w": w + moves * t * x, "b": b + moves * t})
    w = np.array([2.0, -1.0, 0.5])  # scores of exactly 0 with weights that are not
    for x, t, b in (
        ([1.0, 2.0, 0.0], 1, 0.0),
        ([0.5, 1.0, 4.0], -1, -2.0),
        ([3.0, 2.0, 2.0], 1, -5.0),
    ):
        x = np.array(x)
        agree(answer, (x, t, w, b), {"w": w + t * x, "b": b + t}, quote="all")
    for t in (-1, 1):  # one input
        x, w = np.array([2.0]), np.array([-0.5 * t])
        agree(answer, (x, t, w, 0.25 * t), {"w": w + t * x, "b": 1.25 * t})


@perceptron_update.mistakes
def _(x, t, w, b):
    margin = t * (w @ x + b)

    def unless_right(new_w, new_b):
        return (new_w, new_b) if margin <= 0 else (w, b)

    return {
        "the point is on its side, t·(w·x + b) > 0: w must stay as it is": (w + t * x, b + t),
        "the point is on its side, t·(w·x + b) > 0: b must stay as it is": (..., b + t),
        "a score of exactly 0 counts as a mistake: update when t·(w·x + b) ≤ 0": (
            (w, b) if margin >= 0 else (w + t * x, b + t)
        ),
        "a wrong point must change w": (w, ...),
        "w moves away from the point: the sign of the step is wrong": (
            unless_right(w - t * x, b - t)
        ),
        "a score of exactly 0 is a mistake for both classes, it does not count as +1": (
            (w, b) if (w @ x + b >= 0) == (t > 0) else (w + t * x, b + t)
        ),
        "t minus the sign of the score is ±2: the step is t·x": (
            unless_right(w + 2 * t * x, b + 2 * t)
        ),
        "the classes are −1 and +1 here, not 0 and 1": (
            w + (t - (w @ x + b > 0)) * x,
            b + t - (w @ x + b > 0),
        ),
        "the bias belongs to the score: t·(w·x + b)": (
            (w + t * x, b + t) if t * (w @ x) <= 0 else (w, b)
        ),
        "the step of w forgets the class: it is t·x": unless_right(w + x, b + t),
        "the bias must move too, by t": (..., b),
        "b moves away": unless_right(w + t * x, b - t),
    }


@perceptron_update.wrong("w is changed in place")
def _in_place(x, t, w, b):
    if t * (w @ x + b) <= 0:
        w += t * x
        b += t
    return w, b


# ---------------------------------------------------------------- 01.6
@exercise(
    "01.6",
    hints=(
        "Write the shapes down: (N, D_in) times what gives (N, D_out)?",
        "W has shape (D_out, D_in), as in PyTorch: one row for each neuron. W.T fits.",
        "A b of shape (D_out,) is added to each row by broadcasting, without any reshape.",
    ),
    why="Row k of W holds the weights of neuron k, so entry (n, k) of X Wᵀ is the weighted sum of "
    "sample n at neuron k; b is stretched along the samples.",
)
def layer(X, W, b):
    """Weighted sums (N, D_out) of a layer: inputs X (N, D_in), W (D_out, D_in), b (D_out,)."""
    return X @ W.T + b


@layer.check
def _(answer, rng):
    (side,) = sizes(rng, 1)
    for n, d_in, d_out in ((side, side, side), sizes(rng, 3), sizes(rng, 3)):
        X, W, b = rng.normal(size=(n, d_in)), rng.normal(size=(d_out, d_in)), rng.normal(size=d_out)
        agree(answer, (X, W, b), np.einsum("nd,kd->nk", X, W) + b)


@layer.mistakes
def _(X, W, b):
    found = {"the bias is missing": X @ W.T}
    if len(X) == X.shape[1] == len(W):  # only here these two run at all
        found |= {
            "X @ W takes the columns of W: the weights of a neuron are a row": X @ W + b,
            "b is added down the samples: b[k] belongs to neuron k, to column k": (
                X @ W.T + b[:, None]
            ),
        }
    return found


layer.wrongs({"the result is transposed": lambda X, W, b: W @ X.T + b[:, None]})


# ---------------------------------------------------------------- 01.7
def _step(z, place):
    """Fire at z > 0; z = 0 decides nothing and is a mistake of its own."""
    if abs(z) < 1e-12:
        raise Wrong(f"{place} is on the line, z = 0: move the line off the inputs")
    return int(z > 0)


def _compare_gates(outputs, wanted, remark=""):
    """Name the first wrong row of a truth table, and the gate it is instead."""
    target = next(gate for gate, name in GATES.items() if name == wanted)
    if outputs == target:
        return
    row = next(i for i in range(4) if outputs[i] != target[i])
    instead = f"; this is {GATES[outputs]}" if outputs in GATES else ""
    raise Wrong(f"{CORNERS[row]} gives {outputs[row]}, {wanted} is {target[row]}{remark}{instead}")


@exercise(
    "01.7",
    is_value=True,
    hints=(
        "Draw the four inputs. Where is a line that leaves (1, 1) alone on its side?",
        "With w₁ = w₂ = 1 the sum x₁ + x₂ is 0, 1, 1 or 2: put the border between 1 and 2.",
    ),
    why="x₁ + x₂ − 1.5 is positive for (1, 1) only; any line that cuts off that corner will do.",
)
def and_neuron():
    """Numbers (w1, w2, b) of a step neuron, 1 where w1·x1 + w2·x2 + b > 0, that computes AND.

    No input may lie on the line z = 0.
    """
    return 1.0, 1.0, -1.5


@and_neuron.check
def _(answer, rng):
    if isinstance(answer, tuple | list) and any(np.ndim(part) for part in answer):
        raise Wrong("w1, w2 and b are three numbers in a row: no array inside")
    w1, w2, b = numbers(answer, "(w1, w2, b)", (3,)).tolist()
    outputs = tuple(_step(w1 * x1 + w2 * x2 + b, f"input {x1, x2}") for x1, x2 in CORNERS)
    _compare_gates(outputs, "AND")


and_neuron.wrongs(
    {
        "this is OR": (1.0, 1.0, -0.5),
        "this is NAND": (-1.0, -1.0, 1.5),
        "on the line": (0.0, 0.0, 0.0),
        "must have (3,)": (1.0, 1.0),
        "no array inside": (np.ones(2), -1.5),
    }
)


# ---------------------------------------------------------------- 01.8
@exercise(
    "01.8",
    is_value=True,
    hints=(
        "XOR is “x₁ but not x₂, or x₂ but not x₁”. Each half is one neuron.",
        "Hidden unit 1: x₁ − x₂ − 0.5. Hidden unit 2: the same with the inputs exchanged.",
        "The output fires when at least one of them does: h₁ + h₂ − 0.5.",
    ),
    why="The hidden layer moves the corners: (0, 0) and (1, 1) fall on the same point (0, 0) of "
    "the hidden plane, and there one line is enough.",
)
def xor_weights():
    """Numbers (W1, b1, w2, b2) of two step neurons and a third one behind them, for XOR.

    h = step(W1 x + b1) with W1 (2, 2) and b1 (2,); output step(w2·h + b2) with w2 (2,) and a
    number b2. A step is 1 where its argument is > 0; none may be exactly 0.
    """
    W1 = np.array([[1.0, -1.0], [-1.0, 1.0]])
    b1 = np.array([-0.5, -0.5])
    w2 = np.array([1.0, 1.0])
    b2 = -0.5
    return W1, b1, w2, b2


@xor_weights.check
def _(answer, rng):
    names = ("W1", "b1", "w2", "b2")
    parts = zip(unpack(answer, *names), names, ((2, 2), (2,), (2,), ()), strict=True)
    W1, b1, w2, b2 = (numbers(part, name, shape) for part, name, shape in parts)
    hidden = [
        [_step(W1[k] @ x + b1[k], f"hidden unit {k + 1}: input {x}") for k in (0, 1)]
        for x in CORNERS
    ]
    if all(h[0] == h[1] for h in hidden):
        raise Wrong("both hidden units do the same: together they draw one line, XOR needs two")
    rows = zip(hidden, CORNERS, strict=True)
    outputs = tuple(_step(w2 @ h + b2, f"output unit: input {x}") for h, x in rows)
    row = next((i for i, out in enumerate(outputs) if out != sum(CORNERS[i]) % 2), 0)
    _compare_gates(outputs, "XOR", f" (hidden units {tuple(hidden[row])})")
    if sorted(zip(*hidden, strict=True)) == [(0, 0, 0, 1), (0, 1, 1, 1)]:
        raise Wrong("right, but these are AND and OR, the hidden units of the chapter: find others")


_OR_AND = np.ones((2, 2)), np.array([-0.5, -1.5])  # the hidden layer of the chapter
xor_weights.wrongs(
    {
        "both hidden units do the same": (
            np.ones((2, 2)),
            np.array([-0.5, -0.5]),
            np.array([1.0, -1.0]),
            0.5,
        ),
        "these are AND and OR": (*_OR_AND, np.array([1.0, -1.0]), -0.5),
        "this is OR": (*_OR_AND, np.array([1.0, 1.0]), -0.5),
        "W1 has shape (4,), must have (2, 2)": (
            np.ones(4),
            _OR_AND[1],
            np.array([1.0, -1.0]),
            -0.5,
        ),
        "output unit: input (0, 0) is on the line": (*_OR_AND, np.array([1.0, -1.0]), 0.0),
    }
)


# ---------------------------------------------------------------- 01.9
@exercise(
    "01.9",
    is_value=True,
    hints=(
        "GELU is not monotone: near z = −0.75 it dips to −0.17, and further left it returns to 0.",
        "With w₁ = w₂ the neuron sees only the sum 0, 1 or 2. Put the sum 1 into the dip.",
        "Three z in equal steps: −3, −0.75, 1.5. GELU is about −0.004, −0.17, 1.4. The threshold?",
    ),
    why="gelu(z) < −0.1 holds on an interval of z, so the neuron answers 1 between two parallel "
    "lines instead of on one side of one line. That no single neuron solves XOR is true of "
    "monotone activations only.",
)
def gelu_xor():
    """Numbers (w1, w2, b, threshold): one neuron that answers 1 where gelu(z) < threshold, for XOR.

    z = w1·x1 + w2·x2 + b, and gelu(z) = z·Φ(z) with the normal distribution function Φ.
    """
    return 2.25, 2.25, -3.0, -0.1


@gelu_xor.check
def _(answer, rng):
    w1, w2, b, threshold = numbers(answer, "(w1, w2, b, threshold)", (4,)).tolist()
    if threshold >= 0:
        raise Wrong(
            "gelu(z) < threshold is one half-line of z unless the threshold is below 0: "
            "one cut cannot make XOR, use the dip"
        )
    if w1 * w2 < 0:
        raise Wrong(
            "w1 and w2 have opposite signs: then z of (0, 0) and (1, 1) lies between z of (0, 1) "
            "and (1, 0), and the dip catches all four"
        )
    z = [w1 * x1 + w2 * x2 + b for x1, x2 in CORNERS]
    gelu = [v * 0.5 * math.erfc(-v / math.sqrt(2)) for v in z]
    outputs = tuple(int(value < threshold) for value in gelu)
    if not any(outputs):
        raise Wrong(
            f"the answer is always 0: the lowest gelu(z) is {show(min(gelu))}, "
            f"the threshold {show(threshold)}"
        )
    row = next((i for i, out in enumerate(outputs) if out != sum(CORNERS[i]) % 2), 0)
    _compare_gates(outputs, "XOR", f" (z = {show(z[row])}, gelu(z) = {show(gelu[row])})")


gelu_xor.wrongs(
    {
        "is one half-line of z": (2.25, 2.25, -3.0, 0.0),
        "opposite signs": (2.25, -2.25, -0.75, -0.1),
        "the answer is always 0": (2.25, 2.25, -3.0, -0.2),
        "(0, 0) gives 1, XOR is 0": (1.0, 1.0, -1.0, -0.1),
    }
)


# ---------------------------------------------------------------- 01.10
@exercise(
    "01.10",
    hints=(
        "Walk along the middle row of an image. How many separate strokes do you cross?",
        "A stroke begins where ink follows a pixel without ink: images[:, 14] > 0.5 says where.",
        "Count the places where ink[:, 1:] & ~ink[:, :-1] is true, over the last axis.",
    ),
    why="A line across a 0 meets two strokes, across a 1 only one, wherever the digit stands. You "
    "found this feature by looking; a network finds its own.",
)
def ink_feature(images):
    """One number for each image (N, 28, 28), such that one threshold tells 0 from 1.

    The threshold is chosen for you on known images; 95% of unseen ones must be told right.
    """
    ink = images[:, 14] > 0.5
    return np.sum(ink[:, 1:] & ~ink[:, :-1], axis=1)


@ink_feature.check
def _(answer, rng):
    from utils.datasets import load_digits

    digits = load_digits(full=False)
    pair, unseen_pair = digits.y_train < 2, digits.y_test < 2
    order = rng.permutation(np.sum(unseen_pair))
    images, is_one = digits.x_train[pair], digits.y_train[pair] == 1
    unseen, is_unseen_one = (
        digits.x_test[unseen_pair][order],
        digits.y_test[unseen_pair][order] == 1,
    )

    feature = numbers(answer(images), "the feature", (len(images),))
    few = int(rng.integers(3, 9))
    alone = numbers(answer(images[:few]), "the feature", (few,))
    if not np.allclose(alone, feature[:few], rtol=1e-4, atol=1e-6):
        raise Wrong("the number of an image depends on the images beside it: use that image alone")
    if np.ptp(feature) == 0:
        raise Wrong(f"every image gets the same number, {show(feature[0])}")
    cuts = np.unique(feature)
    rates = np.mean((feature > cuts[:, None]) == is_one, axis=1)
    best = np.argmax(np.abs(rates - 0.5))  # a rate far below one half reads the other way round
    guess = numbers(answer(unseen), "the feature", (len(unseen),)) > cuts[best]
    accuracy = np.mean((guess if rates[best] > 0.5 else ~guess) == is_unseen_one)
    if accuracy < 0.95:
        raise Wrong(f"the best threshold tells {accuracy:.1%} of unseen images, 95% are wanted")
    given = images[:, 12:16, 12:16].mean(axis=(1, 2))
    steps = np.diff(feature[np.argsort(given)].astype(float))
    follows = np.all(steps >= 0) or np.all(steps <= 0)  # a power or a threshold of it does
    if follows or abs(np.corrcoef(feature, given)[0, 1]) > 0.999:
        raise Wrong("it works, but it is the chapter's own ink in the middle: find another number")


def _middle(images):
    return images[:, 12:16, 12:16].mean(axis=(1, 2))


ink_feature.wrongs(
    {
        "every image gets the same number": lambda images: np.ones(len(images)),
        "must have (800,)": lambda images: images.mean(axis=2),
        "the chapter's own ink in the middle": lambda images: -16 * _middle(images),
        "95% are wanted": lambda images: images[:, 10:18, 10:18].mean(axis=(1, 2)),
        "depends on the images beside it": lambda images: _middle(images) - _middle(images).mean(),
    }
)
