"""Exercises of chapter 03, Backpropagation."""

from __future__ import annotations

import tracemalloc
from functools import cache, partial

import numpy as np

from utils.exercises._agree import agree
from utils.exercises._compare import Wrong, numbers, show, sizes, unpack
from utils.exercises._exercise import exercise


# ---------------------------------------------------------------- 03.1
@exercise(
    "03.1",
    hints=(
        "Draw the graph: v₁ = a·b, v₂ = v₁ + c, L = v₂².",
        "The square sends 2·v₂ to v₂, and the sum hands it on unchanged, to v₁ and to c.",
        "The product v₁ = a·b sends to a what arrives, times b; and to b, times a.",
    ),
    why="2(ab + c) arrives at the sum, which hands it to both operands; the product multiplies it "
    "by the other factor.",
)
def three_gradients(a, b, c):
    """Derivatives of L = (a·b + c)², element by element, in a, b and c: a tuple of arrays."""
    upstream = 2 * (a * b + c)
    return upstream * b, upstream * a, upstream


@three_gradients.check
def _(answer, rng):
    for _ in range(3):
        shape = sizes(rng, 1)
        a, b, c = (rng.uniform(0.5, 2, shape) * rng.choice([-1, 1], shape) for _ in range(3))
        i = 1e-30j  # f(x + ih) = f(x) + ih·f′(x) up to h²: a derivative without cancellation
        paths = {
            "∂L/∂a": ((a + i) * b + c) ** 2,
            "∂L/∂b": (a * (b + i) + c) ** 2,
            "∂L/∂c": (a * b + c + i) ** 2,
        }
        agree(answer, (a, b, c), {name: path.imag / 1e-30 for name, path in paths.items()})


@three_gradients.mistakes
def _(a, b, c):
    s = 2 * (a * b + c)
    return {
        "{part} lacks the 2 of the square": (s / 2 * b, s / 2 * a, s / 2),
        "a and b are swapped: a receives b times what arrives": (s * a, s * b, s),
        "{part} is the local derivative only: multiply by the upstream": (b, a, np.ones_like(c)),
        "{part} is the upstream only: multiply by the local derivative": (s, s, s),
    }


# ---------------------------------------------------------------- 03.2
@exercise(
    "03.2",
    hints=(
        "Walk back line by line: the loss is a *mean* over the N examples. Where must its 1/N be?",
        "tanh′(z) = 1 − tanh²(z). Which of Z and H holds tanh(z)?",
        "Every example uses b, so b gets the sum of what comes back, not its mean.",
    ),
    why="The 1/N enters once, at the loss, and the chain rule carries it to all weights. The slope "
    "of tanh is 1 − H². And b lies on one path per example, so its shares add up.",
)
def gradients_repaired(X, W, b, V, Y):
    """Gradients (dW, db, dV) of L = Σ (tanh(X Wᵀ + b) Vᵀ − Y)² / N for X (N, D), Y (N, K)."""
    H = np.tanh(X @ W.T + b)
    dY = 2 * (H @ V.T - Y) / len(X)
    delta = (dY @ V) * (1 - H**2)
    return delta.T @ X, delta.sum(axis=0), dY.T @ H


def _two_layers(rng, n, d, h, k):
    shapes = [(n, d), (h, d), (h,), (k, h), (n, k)]
    X, W, b, V, Y = (rng.normal(size=shape) for shape in shapes)
    return X, W / np.sqrt(d), b, V / np.sqrt(h), Y


def _complex_slopes(f, array):
    """The gradient of f by complex steps, which loses no digits."""
    slopes = np.empty(array.shape)
    for i in np.ndindex(array.shape):
        moved = array.astype(complex)
        moved[i] += 1e-30j
        slopes[i] = f(moved).imag / 1e-30
    return slopes


@gradients_repaired.check
def _(answer, rng):
    def loss(X, W, b, V, Y):
        return (((np.tanh(X @ W.T + b) @ V.T) - Y) ** 2).sum() / len(X)

    for shape in (sizes(rng, 4), sizes(rng, 4), (1, 2, 3, 2), (3, 3, 3, 3)):
        X, W, b, V, Y = _two_layers(rng, *shape)
        expected = {
            "dW": _complex_slopes(lambda w, X=X, b=b, V=V, Y=Y: loss(X, w, b, V, Y), W),
            "db": _complex_slopes(lambda w, X=X, W=W, V=V, Y=Y: loss(X, W, w, V, Y), b),
            "dV": _complex_slopes(lambda w, X=X, W=W, b=b, Y=Y: loss(X, W, b, w, Y), V),
        }
        agree(answer, (X, W, b, V, Y), expected, sizes={"N": len(X)})


_LAYER_BUGS = {  # of the given program, by what is left to repair
    (0, 0, 1): "b lies on one path per example: db is the sum of δ, not its mean",
    (0, 1, 0): "the slope of tanh is 1 − tanh², and tanh(z) is H: Z is the wrong one",
    (1, 0, 0): "the loss is a mean over N examples: its slope needs / N",
    (0, 1, 1): "the mean over N is right; the slope of tanh and db are not",
    (1, 0, 1): "the slope of tanh is right; the mean over N and db are not",
    (1, 1, 0): "db adds up, which is right; the mean over N and the slope of tanh are not",
    (1, 1, 1): "the broken program as it stands: three bugs are to be found",
}


@gradients_repaired.mistakes
def _(X, W, b, V, Y):
    Z = X @ W.T + b
    H = np.tanh(Z)
    found = {}
    for (whole, bent, mean), text in _LAYER_BUGS.items():
        dY = 2 * (H @ V.T - Y) / (1 if whole else len(X))
        delta = (dY @ V) * (1 - (Z if bent else H) ** 2)
        db = delta.mean(axis=0) if mean else delta.sum(axis=0)
        found[text] = delta.T @ X, db, dY.T @ H
    dY = 2 * (H @ V.T - Y) / len(X)
    straight = dY @ V
    dW, db, dV = gradients_repaired.reference(X, W, b, V, Y)
    return found | {
        "the bend is missing: multiply by 1 − H²": (straight.T @ X, straight.sum(axis=0), ...),
        "the 2 of the square is missing": (dW / 2, db / 2, dV / 2),
    }


# ---------------------------------------------------------------- 03.3
def _softmax(a):
    e = np.exp(a - a.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def _norm(a):
    return np.sqrt((a**2).sum(axis=-1, keepdims=True))


def _unit(a, g):
    y = a / _norm(a)
    return (g - y * (y * g).sum(axis=-1, keepdims=True)) / _norm(a)


def _relu(a):
    return np.maximum(a, 0)


_RIGHT_RULES = {
    "tanh": (np.tanh, lambda a, g: g * (1 - np.tanh(a) ** 2)),
    "relu": (_relu, lambda a, g: g * (a > 0)),
    "the square": (np.square, lambda a, g: 2 * a * g),
    "softmax along each row": (
        _softmax,
        lambda a, g: _softmax(a) * (g - (g * _softmax(a)).sum(axis=-1, keepdims=True)),
    ),
    "a row minus its mean": (
        lambda a: a - a.mean(axis=-1, keepdims=True),
        lambda a, g: g - g.mean(axis=-1, keepdims=True),
    ),
    "the running sum along each row": (
        lambda a: np.cumsum(a, axis=-1),
        lambda a, g: np.cumsum(g[..., ::-1], axis=-1)[..., ::-1],
    ),
    "a row divided by its length": (lambda a: a / _norm(a), _unit),
    "a thousand times tanh": (
        lambda a: 1000 * np.tanh(a),
        lambda a, g: 1000 * g * (1 - np.tanh(a) ** 2),
    ),
}
_WRONG_RULES = {
    "tanh without the upstream gradient": (np.tanh, lambda a, g: 1 - np.tanh(a) ** 2),
    "softmax as if it acted on each element": (
        _softmax,
        lambda a, g: g * _softmax(a) * (1 - _softmax(a)),
    ),
    "relu that lets everything through": (_relu, lambda a, g: g),
    "an absolute value without its sign": (np.abs, lambda a, g: g),
    "the running sum, run in the wrong direction": (
        lambda a: np.cumsum(a, axis=-1),
        lambda a, g: np.cumsum(g, axis=-1),
    ),
    "a row minus its mean, with the mean over columns": (
        lambda a: a - a.mean(axis=-1, keepdims=True),
        lambda a, g: g - g.mean(axis=0, keepdims=True),
    ),
    "the square, climbing": (np.square, lambda a, g: -2 * a * g),
    "tanh, one percent too large": (np.tanh, lambda a, g: 1.01 * g * (1 - np.tanh(a) ** 2)),
    "tanh, right but for the last column": (
        np.tanh,
        lambda a, g: g * (1 - np.tanh(a) ** 2) * (np.arange(a.shape[-1]) < a.shape[-1] - 1),
    ),
    "tanh with the square of the upstream gradient": (
        np.tanh,
        lambda a, g: g**2 * (1 - np.tanh(a) ** 2),
    ),
    "a rule that gives no numbers": (np.tanh, lambda a, g: g * np.nan),
}


@exercise(
    "03.3",
    hints=(
        "Draw a random `a` of several rows and columns, and a random `g` of the same shape.",
        "For each entry: (forward(a + e) − forward(a − e)) / 2h, where e holds h at that entry and "
        "0 elsewhere. That is an array: what does L change by? Multiply by g and add up.",
        "Hold the result against that entry of rule(a, g), relative to its size. NaN is equal to "
        "nothing: let the test fail there, too.",
    ),
    why="Only the sum of g × (change of the result) tells what L feels. A `g` of ones misses a "
    "forgotten upstream gradient, an `a` of one sign misses kinks, and a look at one entry misses "
    "the others.",
)
def is_right_rule(forward, rule):
    """Whether rule(a, g) is ∂L/∂a for y = forward(a) and g = ∂L/∂y; a, g, y of one shape (N, K)."""
    a, g = np.random.default_rng(0).normal(size=(2, 4, 5))
    slope = np.empty_like(a)
    for i in np.ndindex(a.shape):
        e = np.zeros_like(a)
        e[i] = 1e-5
        slope[i] = ((forward(a + e) - forward(a - e)) * g).sum() / 2e-5
    return np.allclose(rule(a, g), slope)


@is_right_rule.check
def _(answer, rng):
    def verdict(forward, rule):
        said = answer(forward, rule)
        if not isinstance(said, bool | np.bool_):
            raise Wrong(f"return True or False, got {type(said).__name__}")
        return bool(said)

    for name, pair in _RIGHT_RULES.items():
        if not verdict(*pair):
            raise Wrong(f"your test refuses a right rule: {name}")
    missed = [name for name, pair in _WRONG_RULES.items() if verdict(*pair)]
    if missed:
        more = f", and {len(missed) - 1} more" if missed[1:] else ""
        raise Wrong(f"your test passes a wrong rule: {missed[0]}{more}")


def _weak_check(
    forward, rule, *, a=None, g=None, places=None, close=1e-4, absolute=False, nan=True
):
    """A gradient check that looks at less."""
    random = np.random.default_rng(1)
    a = random.normal(size=(4, 5)) if a is None else a(random)
    g = random.normal(size=a.shape) if g is None else g(a)
    found = rule(a, g)
    for i in places or np.ndindex(a.shape):
        e = np.zeros_like(a)
        e[i] = 1e-5
        slope = ((forward(a + e) - forward(a - e)) * g).sum() / 2e-5
        error, most = abs(found[i] - slope), close * (1 if absolute else 1 + abs(slope))
        if error > most or (nan and np.isnan(error)):
            return False
    return True


def _element_by_element(forward, rule):
    a, g = np.random.default_rng(2).normal(size=(2, 4, 5))
    slope = (forward(a + 1e-5) - forward(a - 1e-5)) / 2e-5 * g
    return bool(np.allclose(rule(a, g), slope, atol=1e-4))


is_right_rule.wrongs(
    {
        "wrong rule: tanh without the upstream gradient, and 2 more": partial(
            _weak_check, g=np.ones_like
        ),
        "wrong rule: relu that lets everything through, and 1 more": partial(
            _weak_check, a=lambda random: random.uniform(0.5, 2, (4, 5))
        ),
        "wrong rule: tanh, one percent too large": partial(_weak_check, close=0.05),
        "wrong rule: tanh, right but for the last column": partial(
            _weak_check, places=[(0, 0), (1, 1), (2, 2), (3, 3)]
        ),
        "wrong rule: a rule that gives no numbers": partial(_weak_check, nan=False),
        "refuses a right rule: a thousand times tanh": partial(
            _weak_check, close=1e-9, absolute=True
        ),
        "refuses a right rule: softmax along each row": _element_by_element,
        "refuses a right rule: tanh": lambda forward, rule: False,
        "and 10 more": lambda forward, rule: True,
        "return True or False, got str": lambda forward, rule: "right",
    }
)


# ---------------------------------------------------------------- 03.4
@exercise(
    "03.4",
    hints=(
        "A row of E that was looked up three times lies on three paths to the loss.",
        "Begin with zeros of shape (K, D), loop over the N places, and add row n of g to row "
        "ids[n] of the result.",
        "`grad[ids] += g` does not do that: it reads all rows first, so that of equal ids only the "
        "last counts. `np.add.at(grad, ids, g)` adds one after the other.",
    ),
    why="Each use is a path, and over paths gradients add. Buffered indexing, `grad[ids] += g`, "
    "keeps one of several equal ids and drops the others without a word.",
)
def lookup_rule(ids, g, K):
    """∂L/∂E (K, D) for Y = E[ids], with ids (N,) from 0 to K − 1 and g = ∂L/∂Y (N, D)."""
    grad = np.zeros((K, g.shape[1]))
    np.add.at(grad, ids, g)
    return grad


@lookup_rule.check
def _(answer, rng):
    for _ in range(2):
        K, D, more = sizes(rng, 3)
        ids = rng.permutation(np.concatenate([np.arange(K - 1), rng.integers(K - 1, size=more)]))
        g = rng.normal(size=(len(ids), D))
        agree(answer, (ids, g, K), np.eye(K)[ids].T @ g, "∂L/∂E")
    square = np.array([[1.0, 2.0], [30.0, 40.0]])
    agree(answer, (np.array([1, 1]), square, 2), [[0, 0], [31, 42]], "∂L/∂E")
    agree(answer, (np.array([0]), np.array([[5.0]]), 3), [[5.0], [0], [0]], "∂L/∂E")


@lookup_rule.mistakes
def _(ids, g, K):
    last, first = np.zeros((K, g.shape[1])), np.zeros((K, g.shape[1]))
    last[ids] = g
    first[ids[::-1]] = g[::-1]
    uses = np.maximum(np.bincount(ids, minlength=K), 1)[:, None]
    total = lookup_rule.reference(ids, g, K)
    return {
        "of equal ids only the last counts: add up, for instance with np.add.at": last,
        "of equal ids only the first counts: all uses add up": first,
        "this is the mean over the uses of a row: over paths gradients add": total / uses,
        "every row gets the sum of all g: row n of g belongs to row ids[n]": np.tile(
            g.sum(axis=0), (K, 1)
        ),
    }


lookup_rule.wrongs(
    {"one too few along axis 0": lambda ids, g, K: lookup_rule.reference(ids, g, ids.max() + 1)}
)


# ---------------------------------------------------------------- 03.5
@exercise(
    "03.5",
    hints=(
        "Two neurons with equal w and b have equal h. Then v₁h + v₂h = (v₁ + v₂)h.",
        "tanh is odd: with −w and −b a neuron gives −h. What becomes of its v?",
        "Go through the neurons and keep a list of those that are new; for each, look whether the "
        "list already holds it, or its mirror image. Do not change v itself.",
    ),
    why="Neurons that began alike stay alike, so a layer of them says no more than one neuron with "
    "the sum of their output weights. For tanh the mirrored neuron is the same one, upside down.",
)
def merged(W, b, v):
    """A smaller network of the same function v·tanh(W x + b): W (H, D), b (H,), v (H,), each less.

    Of neurons that are equal or mirrored the first stays; the order is kept.
    """
    neurons, v_new = [], []
    for k, neuron in enumerate(np.column_stack([W, b])):
        for j, known in enumerate(neurons):
            if np.array_equal(neuron, known):
                v_new[j] += v[k]
                break
            if np.array_equal(neuron, -known):
                v_new[j] -= v[k]
                break
        else:
            neurons.append(neuron)
            v_new.append(v[k])
    neurons = np.array(neurons)
    return neurons[:, :-1], neurons[:, -1], np.array(v_new)


def _twins(rng, kinds, twins, d):
    """A layer with some neurons twice, some mirrored, and near ones that are neither."""
    W, b = rng.normal(size=(kinds, d)), rng.normal(size=kinds)
    W[1], b[2] = W[0], -b[1]  # equal w, another b; nearly a mirror image
    W[2] = W[1]
    chosen = np.concatenate([np.arange(kinds), rng.integers(kinds, size=twins), [0, 1, 2]])
    sign = np.where(np.arange(len(chosen)) < kinds, 1, rng.choice([-1, 1], size=len(chosen)))
    sign[-3:] = 1, -1, -1
    order = rng.permutation(len(chosen))
    chosen, sign = chosen[order], sign[order]
    return sign[:, None] * W[chosen], sign * b[chosen], rng.normal(size=len(chosen))


@merged.check
def _(answer, rng):
    for kinds in (4, 5, 4, 6):
        W, b, v = _twins(rng, kinds, 4, int(rng.integers(2, 5)))
        groups = {}
        for j, row in enumerate(np.column_stack([W, b]).tolist()):
            mirrored = tuple(-number for number in row)
            groups.setdefault(mirrored if mirrored in groups else tuple(row), []).append(j)
        rows = np.array(list(groups))
        total = [
            sum(v[j] if np.array_equal(W[j], row[:-1]) and b[j] == row[-1] else -v[j] for j in own)
            for row, own in groups.items()
        ]
        expected = {"W": rows[:, :-1], "b": rows[:, -1], "v": np.array(total)}
        agree(answer, (W, b, v), expected)
    W, b, v = np.array([[1.0], [2.0]]), np.array([0.0, 1.0]), np.array([3.0, 4.0])
    agree(answer, (W, b, v), {"W": W, "b": b, "v": v})  # nothing to merge


def _merge(W, b, v, *, mirror=-1, biases=True, join=sum, signs=True):
    """Merge with a rule of one's own: which neurons are equal, and what becomes of v."""
    groups = {}
    for j, row in enumerate(np.column_stack([W, b]).tolist()):
        key, other = ((tuple(r) if biases else tuple(r[:-1])) for r in (row, -np.array(row)))
        other = other if mirror else key
        place, sign = (other, -1) if other in groups and other != key else (key, 1)
        groups.setdefault(place, []).append((j, sign if signs else 1))
    first = [own[0][0] for own in groups.values()]
    weights = [join([sign * v[j] for j, sign in own]) for own in groups.values()]
    return W[first], b[first], np.array(weights)


@merged.mistakes
def _(W, b, v):
    return {
        "mirrored neurons, −w and −b, are left: tanh is odd": _merge(W, b, v, mirror=0),
        "the output weight of a mirrored neuron counts with a minus": _merge(W, b, v, signs=False),
        "neurons with equal w and different b are different": _merge(W, b, v, biases=False),
        "the output weights are averaged: add them": _merge(W, b, v, join=np.mean),
        "the output weights of the dropped neurons are lost: add them": _merge(
            W, b, v, join=lambda own: own[0]
        ),
    }


@merged.wrong("in place")
def _in_place(W, b, v):
    v *= 1.0 + 1e-9
    return merged.reference(W, b, v)


# ---------------------------------------------------------------- 03.6
@exercise(
    "03.6",
    hints=(
        "One row: yᵢ = aᵢ/n with n = √Σ aₖ². Every yᵢ depends on every aₖ, through n.",
        "∂n/∂aⱼ = aⱼ/n = yⱼ. So ∂yᵢ/∂aⱼ = ([i = j] − yᵢ yⱼ)/n.",
        "Multiply by gᵢ and add over i: (gⱼ − yⱼ Σᵢ yᵢ gᵢ)/n. The sum runs along each row; "
        "`keepdims=True` lets it broadcast.",
    ),
    why="Along its own direction a row can move without any change of y. So what of g points along "
    "y is taken out, and the rest is divided by the length.",
)
def unit_backward(a, g):
    """∂L/∂a for rows y = a/‖a‖ of length 1: a (N, K), and g = ∂L/∂y (N, K)."""
    n = np.sqrt((a**2).sum(axis=1, keepdims=True))
    y = a / n
    return (g - y * (y * g).sum(axis=1, keepdims=True)) / n


@unit_backward.check
def _(answer, rng):
    for _ in range(2):
        N, K = sizes(rng, 2)
        a = rng.normal(size=(N, K)) * 4.0 ** rng.integers(-1, 2, size=(N, 1))
        g = rng.normal(size=(N, K))
        expected = []
        for row, up in zip(a, g, strict=True):
            y, n = row / np.linalg.norm(row), np.linalg.norm(row)
            expected.append((np.eye(K) - np.outer(y, y)) / n @ up)
        agree(answer, (a, g), expected, "∂L/∂a")
    for a, g, expected in (  # N = K, along a axis, a single number per row
        (np.array([[3.0, 4.0], [0.0, 2.0]]), np.eye(2), [[0.128, -0.096], [0.0, 0.0]]),
        (np.array([[2.0], [-3.0]]), np.array([[1.0], [5.0]]), [[0.0], [0.0]]),
    ):
        agree(answer, (a, g), expected, "∂L/∂a")
    a = np.ones((1, 3000))  # a Jacobian of this row would hold nine million numbers
    g = rng.normal(size=a.shape)
    peak = _peak_memory(lambda: answer(a, g))
    if peak > 100 * g.nbytes:
        raise Wrong(
            f"for a row of 3,000 it takes {peak / 1e6:.0f} MB: the whole Jacobian is built; "
            "each row needs one sum"
        )


def _peak_memory(task):
    """Bytes that a task allocates at most at one time."""
    tracemalloc.start()
    try:
        task()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@unit_backward.wrong("the whole Jacobian is built")
def _jacobians(a, g):
    n = np.sqrt((a**2).sum(axis=1))[:, None]
    y = a / n
    J = (np.eye(a.shape[1]) - y[:, :, None] * y[:, None, :]) / n[:, :, None]
    return np.einsum("nij,ni->nj", J, g)


@unit_backward.mistakes
def _(a, g):
    n = np.sqrt((a**2).sum(axis=1, keepdims=True))
    y = a / n
    along = (y * g).sum(axis=1, keepdims=True)
    return {
        "the length is no constant: it depends on a, too": g / n,
        "this is the diagonal of the Jacobian only: y depends on all of a row": g * (1 - y**2) / n,
        "the division by the length is missing": g - y * along,
        "the sum runs over the examples: it must run along each row": (
            (g - y * (y * g).sum(axis=0)) / n
        ),
        "take out what points along y, with a minus": (g + y * along) / n,
        "only what points along y is left: that is what must go": y * along / n,
        "inside the bracket stands y, not a": (g - a * (a * g).sum(axis=1, keepdims=True)) / n,
        "the length is the root of the sum of squares": (
            (g - a / n**2 * (a / n**2 * g).sum(axis=1, keepdims=True)) / n**2
        ),
    }


# ---------------------------------------------------------------- 03.7
@exercise(
    "03.7",
    hints=(
        "Count for each node how many uses of it are still to be visited. Which node has none?",
        "Visit it, and take one from the count of each of its parents. Who is free now?",
        "Keep the free nodes in a list; a loop, not a recursion, survives thousands of nodes.",
    ),
    why="A node becomes free only when its last user has been visited, so its gradient is complete "
    "when it speaks. Each node and each edge is looked at once.",
)
def backward_order(edges):
    """Numbers of all nodes, users first; a row (p, i) of edges (E, 2): node i uses node p.

    There may be several results, and a node may use another twice: two equal rows.
    """
    n = edges.max() + 1
    parents, uses = [[] for _ in range(n)], [0] * n
    for p, i in edges.tolist():
        parents[i].append(p)
        uses[p] += 1
    free, order = [i for i in range(n) if uses[i] == 0], []
    while free:
        node = free.pop()
        order.append(node)
        for p in parents[node]:
            uses[p] -= 1
            if uses[p] == 0:
                free.append(p)
    return order


@backward_order.check
def _(answer, rng):
    graphs = [
        np.array([[0, 1], [1, 2], [0, 2]]),
        np.array([[0, 2], [1, 2], [2, 3], [3, 4], [0, 4]]),
        np.array([[0, 1], [0, 1]]),  # x·x uses x twice
        np.array([[0, 1], [0, 1], [1, 2], [0, 2]]),
        np.array([[0, 2], [1, 2], [0, 3], [1, 3]]),  # two results
    ]
    graphs += [_shuffled_graph(rng, 8) for _ in range(5)]
    graphs.append(np.stack([np.arange(5000), np.arange(1, 5001)], axis=1))
    for edges in graphs:
        order = numbers(answer(edges), "the order").ravel().tolist()
        count = int(edges.max()) + 1
        shown = f" for edges = {edges.tolist()}" if count < 9 else " for a chain of 5,001 nodes"
        if len(set(order)) < len(order):
            raise Wrong(f"a node is visited twice{shown}: it must wait until all users are done")
        if sorted(order) != list(range(count)):
            raise Wrong(f"the order must hold each of the {count} nodes once{shown}")
        place = {node: i for i, node in enumerate(order)}
        early = [(p, i) for p, i in edges.tolist() if place[p] < place[i]]
        if len(early) == len(edges):
            raise Wrong(f"this is the forward order{shown}: users must come before their operands")
        if early:
            raise Wrong("node {} comes before node {}, which uses it".format(*early[0]) + shown)


def _shuffled_graph(rng, count):
    """The edges of a random graph whose numbers are no topological order."""
    name = rng.permutation(count)
    edges = [(name[i - 1], name[i]) for i in range(1, count)]
    edges += [(name[rng.integers(i - 1)], name[i]) for i in range(2, count, 2)]
    return rng.permutation(np.array(edges))


backward_order.wrongs(
    {
        "this is the forward order": lambda edges: backward_order.reference(edges)[::-1],
        "which uses it": lambda edges: list(range(edges.max() + 1))[::-1],
        "each of the 3 nodes once": lambda edges: backward_order.reference(edges)[1:],
    }
)


@backward_order.wrong("visited twice")
def _every_path(edges):
    order, todo = [], [edges[-1, 1]]
    while todo:
        node = todo.pop()
        order.append(node)
        todo += edges[edges[:, 1] == node, 0].tolist()
    return order


@backward_order.wrong("calls itself without an end")
def _recursive(edges):
    order, seen = [], set()

    def visit(node):
        if node not in seen:
            seen.add(node)
            for p in edges[edges[:, 1] == node, 0].tolist():
                visit(p)
            order.append(node)

    for last in set(edges[:, 1].tolist()) - set(edges[:, 0].tolist()):
        visit(last)
    return order[::-1]


# ---------------------------------------------------------------- 03.8
BUGS = "none", "zeroed too early", "never zeroed", "backward twice"


def _descended(grad, loss, w, alpha, bug, steps):
    """Losses of a loop with a bug."""
    losses, kept = [], np.zeros_like(w)
    for _ in range(steps):
        losses.append(loss(w))
        g = grad(w)
        kept = kept + g if bug == "never zeroed" else g
        scale = {"zeroed too early": 0.0, "backward twice": 2.0}.get(bug, 1.0)
        w = w - alpha * scale * kept
    return np.array(losses)


def _task(rng, kind):
    """Loss and gradient: a bowl, or a neuron with a bend."""
    if kind == "bowl":
        steep = rng.uniform(0.5, 2, size=3)
        return lambda w: float((steep * w**2).sum()), lambda w: 2 * steep * w
    x = rng.normal(size=(20, 3))
    y = np.tanh(x @ rng.normal(size=3))
    return (
        lambda w: float(((np.tanh(x @ w) - y) ** 2).mean()),
        lambda w: 2 * x.T @ ((np.tanh(x @ w) - y) * (1 - np.tanh(x @ w) ** 2)) / len(x),
    )


@exercise(
    "03.8",
    hints=(
        "losses[0] is taken before any step: it says nothing. Which bug changes already the first "
        "step, so that losses[1] differs?",
        "A loop that never zeroes has nothing old to add at its first step. When does it differ "
        "for the first time?",
        "If the gradient is thrown away before the step, no weight moves. What does the curve look "
        "like? Ask for that first.",
    ),
    why="The first step of a loop that never zeroes is right, since there is nothing old to add; "
    "the second is not. A doubled gradient shows at once. And without a gradient nothing moves.",
)
def diagnose(right, losses):
    """Which bug a loop has, from its losses (T,) and those of the right loop (T,), T ≥ 4.

    Both start at the same weights, use the same data in each step and the same step size. Answer
    "none", "zeroed too early" (between backward and step), "never zeroed" or "backward twice".
    """
    if np.allclose(losses, right):
        return "none"
    if np.ptp(losses) == 0:
        return "zeroed too early"
    return "never zeroed" if np.isclose(losses[1], right[1]) else "backward twice"


@diagnose.check
def _(answer, rng):
    seen = []
    for kind, alpha, steps in [("bowl", 0.05, 12), ("neuron", 0.3, 30), ("bowl", 0.4, 6),
                               ("neuron", 0.02, 4), ("bowl", 1.1, 9)]:  # fmt: skip
        loss, grad = _task(rng, kind)
        w = rng.normal(size=3)
        right = _descended(grad, loss, w, alpha, "none", steps)
        for bug in BUGS:
            losses = _descended(grad, loss, w, alpha, bug, steps)
            said = answer(right, losses)
            if not isinstance(said, str) or said not in BUGS:
                got = repr(said) if isinstance(said, str) else type(said).__name__
                raise Wrong(f"answer one of {', '.join(map(repr, BUGS))}; got {got}")
            if said != bug:
                seen.append((bug, said, losses[:3], right[:3]))
    if seen:
        pairs = list(dict.fromkeys((bug, said) for bug, said, *_ in seen))
        bug, said, losses, right = seen[0]
        more = f"; {len(pairs)} kinds of confusion in all" if pairs[1:] else ""
        raise Wrong(
            f"{bug!r} was taken for {said!r}: it begins {show(losses[0])}, {show(losses[1])}, "
            f"{show(losses[2])}, the right one {show(right[0])}, {show(right[1])}, "
            f"{show(right[2])}{more}"
        )


def _by_the_end(right, losses):
    if losses[-1] == losses[0]:
        return "zeroed too early"
    if losses[-1] > right[-1] * 1.01:
        return "never zeroed"
    return "backward twice" if losses[-1] < right[-1] * 0.99 else "none"


def _exchanged(right, losses):
    swap = {"never zeroed": "backward twice", "backward twice": "never zeroed"}
    said = diagnose.reference(right, losses)
    return swap.get(said, said)


def _one_too_late(right, losses):
    said = diagnose.reference(right, losses)
    return "backward twice" if said == "never zeroed" else said


def _no_standstill(right, losses):
    said = diagnose.reference(right, losses)
    return "backward twice" if said == "zeroed too early" else said


diagnose.wrongs(
    {
        "'zeroed too early' was taken for 'backward twice'": _no_standstill,
        "'never zeroed' was taken for 'backward twice': it begins": _exchanged,
        "'backward twice' was taken for 'never zeroed'": _by_the_end,
        "answer one of 'none'": lambda right, losses: "a bug",
    }
)


# ---------------------------------------------------------------- 03.9
@exercise(
    "03.9",
    hints=(
        "Where a is larger, the result *is* a: who gets g there, and who gets nothing?",
        "At a tie PyTorch gives half of g to each.",
        "`g * (a > b)` and `g * (a == b) / 2` make the share of a.",
    ),
    why="At a tie the maximum has no derivative; half for each keeps the sum of the two shares "
    "equal to g, as everywhere else, and prefers neither operand.",
)
def maximum_rule(a, b, g):
    """Shares (of a, of b) of the gradient g of np.maximum(a, b); all of one shape."""
    tie = g * (a == b) / 2
    return g * (a > b) + tie, g * (b > a) + tie


@maximum_rule.check
def _(answer, rng):
    for dims in (1, 2):
        shape = sizes(rng, dims)
        a, g = rng.normal(size=shape), rng.normal(size=shape)
        b = a + rng.choice([-1.0, 0.0, 1.0], size=shape)
        b.flat[:3] = a.flat[:3] + np.array([-1.0, 0.0, 1.0])
        to_a = np.select([a > b, a < b], [g, 0 * g], g / 2)
        expected = {"the share of a": to_a, "the share of b": g - to_a}
        agree(answer, (a, b, g), expected, quote="entry")


@maximum_rule.mistakes
def _(a, b, g):
    return {
        "at a tie one operand gets all, a: PyTorch gives each a half": (g * (a >= b), g * (b > a)),
        "at a tie one operand gets all, b: PyTorch gives each a half": (g * (a > b), g * (b >= a)),
        "at a tie both get all of g: together they must get g": (g * (a >= b), g * (b >= a)),
        "at a tie neither gets anything: together they must get g": (g * (a > b), g * (b > a)),
        "the shares are swapped: the larger one receives g": maximum_rule.reference(b, a, g),
        "the upstream gradient g is missing": maximum_rule.reference(a, b, np.ones_like(g)),
    }


# ---------------------------------------------------------------- 03.10
@exercise(
    "03.10",
    hints=(
        "Whatever the order, some product comes last: it joins Jacobians i+1 … k with k+1 … j.",
        "That last product costs nᵢ·n_k·n_j. What must hold for the two parts before it?",
        "cost(i, j) = min over k of cost(i, k) + cost(k, j) + nᵢ·n_k·n_j, and cost(i, i + 1) = 0; "
        "keep what you have computed, with `functools.cache` or in a table.",
    ),
    why="If the whole order is the cheapest, so are its two parts, so one table of K²/2 entries "
    "holds all that is needed: the classic example of dynamic programming. For a general graph "
    "nobody knows a quick way.",
)
def cheapest_order(n):
    """Fewest multiplications for the product of the Jacobians of layers of n₀, …, n_K numbers."""
    K = len(n) - 1
    cost = np.zeros((K + 1, K + 1), dtype=int)  # cost[i, j]: from layer i to layer j
    for length in range(2, K + 1):
        for i in range(K + 1 - length):
            j = i + length
            k = np.arange(i + 1, j)
            cost[i, j] = (cost[i, k] + cost[k, j] + n[i] * n[k] * n[j]).min()
    return cost[0, K]


def _carried(n):
    """Multiplications of forward mode, one product after the other."""
    rows, cost = int(n[1]), 0
    for size in n[2:].tolist():
        cost += np.ones((size, rows)).size * int(n[0])
        rows = size
    return cost


@cheapest_order.check
def _(answer, rng):
    chains = [np.array([5, 3, 7, 9, 8]), np.array([9, 8, 2, 7, 9]), np.array([4, 6])]
    chains += [np.array([2, 3, 4]), np.array([1, 1, 1, 1]), np.array([7, 1, 7, 1, 7])]
    chains += [rng.integers(2, 30, size=count) for count in (3, 5, 6, 7, 7, 31)]
    for n in chains:
        best = _cheapest(tuple(n.tolist()))
        got = float(numbers(answer(n), "the number of multiplications", ()))
        if got == best:
            continue
        shown = f" for n = {n.tolist()}" if len(n) < 9 else " for a chain of 30 Jacobians"
        if got == min(_carried(n), _carried(n[::-1])):
            raise Wrong(
                f"forward or reverse mode is not always the best: {best} suffice{shown}, "
                f"got {show(got)}"
            )
        if got < best:
            raise Wrong(f"no order is that cheap{shown}: {best} is the least, got {show(got)}")
        raise Wrong(f"there is a cheaper order{shown}: {best}, got {show(got)}")


@cache
def _cheapest(n):
    """The least number of multiplications, by the choice of the last product."""
    last = (
        _cheapest(n[: k + 1]) + _cheapest(n[k:]) + n[0] * n[k] * n[-1] for k in range(1, len(n) - 1)
    )
    return min(last, default=0)


cheapest_order.wrongs(
    {
        "forward or reverse mode is not always the best": lambda n: min(
            _carried(n), _carried(n[::-1])
        ),
        "no order is that cheap": lambda n: min(n[0] * n[k] * n[-1] for k in range(1, len(n) - 1)),
    }
)


@cheapest_order.wrong("there is a cheaper order")
def _largest_first(n):
    left, cost = n.tolist(), 0
    while len(left) > 2:
        k = max(range(1, len(left) - 1), key=left.__getitem__)
        cost += left[k - 1] * left.pop(k) * left[k]
    return cost


# ---------------------------------------------------------------- 03.11
@exercise(
    "03.11",
    hints=(
        "Zero first: somebody may have left gradients. Then, for each part: forward, loss, "
        "backward. Gradients add up by themselves.",
        "`cross_entropy` is a mean over the part. The loss of the whole is a mean over all: how "
        "much does a part of n examples out of N count?",
        "Multiply the loss of each part by n/N before `backward()`. Return "
        "`[p.grad for p in model.parameters()]`.",
    ),
    why="The mean over all N is the sum of the parts' means, each times n/N. So the gradients of "
    "the weighted losses add up to that of the whole, and only one part at a time needs memory.",
)
def gradients_of_parts(model, parts):
    """Gradients of the mean cross-entropy over all parts, one tensor for each parameter of model.

    parts is a list of (x, y), of different lengths; model is a PyTorch module that takes one part
    at a time to logits.
    """
    import torch

    N = sum(len(y) for _, y in parts)
    model.zero_grad()
    for x, y in parts:
        loss = torch.nn.functional.cross_entropy(model(x), y)
        (loss * len(y) / N).backward()
    return [p.grad for p in model.parameters()]


@gradients_of_parts.check
def _(answer, rng):
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for lengths in ([5, 2, 9], [3, 3], [4], [1, 12]):
            model = torch.nn.Sequential(
                torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3)
            ).double()
            widest = []
            model.register_forward_pre_hook(lambda _, args, w=widest: w.append(len(args[0])))
            parts = [
                (torch.randn(n, 6, dtype=torch.float64), torch.randint(3, (n,))) for n in lengths
            ]
            whole = (torch.cat(side) for side in zip(*parts, strict=True))
            weights = list(model.parameters())
            truth = _whole_gradients(model, *whole)
            for p in weights:
                p.grad = torch.randn_like(p)  # left over from before
            left = [p.grad.clone() for p in weights]
            widest.clear()
            before = [p.detach().clone() for p in weights]
            got = unpack(answer(model, parts), *(f"gradient {k}" for k in range(len(weights))))
            got = [torch.as_tensor(numbers(g.detach(), "a gradient", p.shape))
                   for g, p in zip(got, weights, strict=True)]  # fmt: skip
            if not all(map(torch.equal, before, weights)):
                raise Wrong("the weights have moved: gradients only, no step")
            _judge_parts(model, parts, got, truth, left)
            if max(widest, default=0) > max(lengths):
                raise Wrong("right, but the parts were joined: one at a time must fit into memory")


def _whole_gradients(model, x, y):
    import torch

    loss = torch.nn.functional.cross_entropy(model(x), y)
    return torch.autograd.grad(loss, list(model.parameters()))


def _judge_parts(model, parts, got, truth, left):
    """Raise `Wrong` with the cause, if it is a known one."""
    import torch

    def close(ours):
        return all(
            torch.allclose(g, o, rtol=1e-6, atol=1e-9) for g, o in zip(got, ours, strict=True)
        )

    if close(truth):
        return
    each = [_whole_gradients(model, x, y) for x, y in parts]
    total = [sum(gradients) for gradients in zip(*each, strict=True)]
    causes = {
        "what was left over is still in it: zero first": [
            t + o for t, o in zip(truth, left, strict=True)
        ],
        "the parts' means are added without their shares: multiply each loss by n/N": total,
        "the parts' means are averaged, but the parts have different lengths: weigh with n/N": [
            t / len(parts) for t in total
        ],
        "this is the gradient of the last part alone: zero once, before the loop": [
            g * len(parts[-1][1]) / sum(len(y) for _, y in parts) for g in each[-1]
        ],
        "this is the gradient of the last part alone, and its share is missing": each[-1],
        "this is the sum over all examples: the loss is a mean, divide by N": [
            t * sum(len(y) for _, y in parts) for t in truth
        ],
    }
    for cause, gradients in causes.items():
        if len(parts) > 1 and close(gradients):
            raise Wrong(cause)
    raise Wrong("the gradients are not those of the mean loss over all parts together")


def _summed(model, parts, *, share=lambda n, N, k: n / N, first=True, each=False, reduction="mean"):
    """The loop with a mistake."""
    import torch

    N = sum(len(y) for _, y in parts)
    if first:
        model.zero_grad()
    for x, y in parts:
        if each:
            model.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), y, reduction=reduction)
        (loss * share(len(y), N, len(parts))).backward()
    return [p.grad for p in model.parameters()]


def _joined(model, parts):
    import torch

    x, y = (torch.cat(side) for side in zip(*parts, strict=True))
    return list(_whole_gradients(model, x, y))


def _stepped(model, parts):
    import torch

    gradients = gradients_of_parts.reference(model, parts)
    with torch.no_grad():
        for p in model.parameters():
            p -= 0.1 * p.grad
    return gradients


gradients_of_parts.wrongs(
    {
        "left over is still in it": partial(_summed, first=False),
        "added without their shares": partial(_summed, share=lambda n, N, k: 1),
        "the parts' means are averaged": partial(_summed, share=lambda n, N, k: 1 / k),
        "the last part alone: zero once": partial(_summed, each=True),
        "its share is missing": partial(_summed, each=True, share=lambda n, N, k: 1),
        "the sum over all examples": partial(_summed, share=lambda n, N, k: 1, reduction="sum"),
        "the parts were joined": _joined,
        "the weights have moved": _stepped,
        "not those of the mean loss": partial(_summed, share=lambda n, N, k: n / N / 2),
    }
)


# ---------------------------------------------------------------- 03.12
HIDDEN, READ = 32, 0.915


@exercise(
    "03.12",
    hints=(
        "`layers.Linear`, `layers.ReLU`, `layers.Sequential` and `fit` of the chapter do it; the "
        "weights are `model[0].weight.data` and so on.",
        "Adam with its usual step size, 0.001, comes close. Try a larger one, up to 0.005.",
        "Use all 4,000 digits, and fifteen epochs or so.",
    ),
    why="Ten neurons with one template each end below that in our runs. The bend lets thirty-two "
    "hidden neurons share what they see among the ten digits.",
)
def small_reader(x, y):
    """Weights W (32, 784), b (32,), V (10, 32), c (10,) of logits relu(x Wᵀ + b) Vᵀ + c.

    Learn them from x (4000, 784), float32 in [0, 1], and labels y (4000,), so that of 1,000
    digits that you have not seen at least 91.5 % are read.
    """
    from utils import layers, optim
    from utils.training import fit

    rng = np.random.default_rng(1)
    model = layers.Sequential(
        layers.Linear(784, 32, rng=rng), layers.ReLU(), layers.Linear(32, 10, rng=rng)
    )
    optimizer = optim.Adam(model.parameters(), lr=4e-3)
    fit(model, (x, y), 15, optimizer, layers.cross_entropy, rng=rng)
    return tuple(p.data for p in model.parameters())


@small_reader.check
def _(answer, rng):
    from utils.datasets import load_digits

    digits = load_digits(full=False)
    train, new = (a.reshape(-1, 784).astype(np.float32) for a in (digits.x_train, digits.x_test))
    shuffled = np.random.default_rng(5).permutation(784)
    for world, places in (("", slice(None)), (" in a world of shuffled pixels", shuffled)):
        made = answer(np.ascontiguousarray(train[:, places]), digits.y_train.copy())
        W, b, V, c = unpack(made, "W", "b", "V", "c")
        W, b = numbers(W, "W", (HIDDEN, 784)), numbers(b, "b", (HIDDEN,))
        V, c = numbers(V, "V", (10, HIDDEN)), numbers(c, "c", (10,))
        logits = np.maximum(new[:, places] @ W.T + b, 0) @ V.T + c
        read = np.mean(logits.argmax(axis=1) == digits.y_test)
        if read < READ:
            if np.ptp(W, axis=0).max() < 0.01 * np.abs(W).max():
                raise Wrong("all hidden neurons are alike: let them start different")
            raise Wrong(f"{read:.1%} of unseen digits are read{world}; reach {READ:.1%}")


def _trained(x, y, *, rate, alike=False):
    """Weights after one epoch; or with all hidden neurons like the first."""
    from utils import layers, optim
    from utils.training import fit

    rng = np.random.default_rng(1)
    model = layers.Sequential(
        layers.Linear(784, 32, rng=rng), layers.ReLU(), layers.Linear(32, 10, rng=rng)
    )
    fit(model, (x, y), 1, optim.Adam(model.parameters(), lr=rate), layers.cross_entropy, rng=rng)
    W, b, V, c = (p.data for p in model.parameters())
    return (np.tile(W[:1], (32, 1)), np.tile(b[:1], 32), V, c) if alike else (W, b, V, c)


@cache
def _known():
    from utils.datasets import load_digits

    digits = load_digits(full=False)
    return small_reader.reference(
        digits.x_train.reshape(-1, 784).astype(np.float32), digits.y_train
    )


small_reader.wrongs(
    {
        "all hidden neurons are alike": partial(_trained, rate=4e-3, alike=True),
        "of unseen digits are read; reach 91.5%": partial(_trained, rate=1e-4),
        "in a world of shuffled pixels; reach 91.5%": lambda x, y: _known(),
        "must have (32, 784)": lambda x, y: tuple(a.T for a in small_reader.reference(x, y)),
    }
)
