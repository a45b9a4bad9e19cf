"""Exercises of chapter 03, Backpropagation."""

from __future__ import annotations

import tracemalloc
from functools import cache

import numpy as np

from utils.exercises._agree import agree
from utils.exercises._compare import Wrong, numbers, show, sizes
from utils.exercises._examine import written
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
    """Derivatives of L = (a·b + c)², element by element, by a, b and c: a tuple of arrays."""
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
        "What is the derivative of tanh, written with tanh itself?",
        "tanh′(a) = 1 − tanh²(a) = 1 − y². That is the local derivative.",
        "A node passes local derivative × upstream, element by element.",
    ),
    why="The local derivative 1 − y² needs only the result, which the forward pass has kept; the "
    "chain rule multiplies it by what arrives.",
)
def tanh_rule(y, g):
    """∂L/∂a from the output y = tanh a and the upstream gradient g = ∂L/∂y, all of one shape."""
    return g * (1 - y * y)


@tanh_rule.check
def _(answer, rng):
    for dims in (1, 2):
        shape = sizes(rng, dims)
        a, g = rng.normal(size=shape), rng.normal(size=shape)
        agree(answer, (np.tanh(a), g), g / np.cosh(a) ** 2, "∂L/∂a", quote="entry")
    saturated, g = np.array([-1.0, 0.0, 1.0]), np.array([3.0, 5.0, 7.0])
    agree(answer, (saturated, g), [0.0, 5.0, 0.0], "∂L/∂a", quote="entry")
    if answer.warnings:
        raise Wrong(
            f"right, but for y = ±1 NumPy warns of a {answer.warnings[0]}: y is all you need"
        )


@tanh_rule.mistakes
def _(y, g):
    return {
        "the upstream gradient is missing: multiply by g": 1 - y**2,
        "y is already tanh a: do not apply tanh again": g * (1 - np.tanh(y) ** 2),
        "y·(1 − y) belongs to the sigmoid": g * y * (1 - y),
        "1 − y is not the derivative: square y": g * (1 - y),
        "g is squared, too: square y alone and multiply by g": 1 - (y * g) ** 2,
    }


@tanh_rule.wrong("g is changed in place")
def _in_place(y, g):
    g *= 1 - y * y
    return g


# ---------------------------------------------------------------- 03.3
@exercise(
    "03.3",
    hints=(
        "For one entry: add h to it, call f; take h from it, call f; divide the difference by 2h.",
        "Loop over all entries with `np.ndindex(x.shape)`; `x[i]` works with the index it gives.",
        "Change a copy, `moved = x.astype(float)`, and undo the change after each entry.",
    ),
    why="(f(x + h) − f(x − h))/2h errs by about h²; the one-sided difference errs by about h.",
)
def numeric_gradient(x, f, h):
    """∂f/∂x at an array x, for f: array → number, by central differences with step h."""
    moved, gradient = x.astype(float), np.empty(x.shape)
    for i in np.ndindex(x.shape):
        moved[i] = x[i] + h
        above = f(moved)
        moved[i] = x[i] - h
        gradient[i] = (above - f(moved)) / (2 * h)
        moved[i] = x[i]
    return gradient


@numeric_gradient.check
def _(answer, rng):
    for dims, h in ((1, 0.1), (2, 0.2), (1, 0.5)):
        shape = sizes(rng, dims)
        x, w = rng.normal(size=shape), rng.uniform(0.5, 2.0, size=shape)

        def f(v, w=w):
            return float((w * v**3).sum() + v.sum() ** 2)

        f.source = f"lambda v: np.sum({written(w)} * v**3) + np.sum(v) ** 2"
        central = w * (3 * x**2 + h**2) + 2 * x.sum()  # of a cubic, exactly
        agree(answer, (x, f, h), central, "the gradient", quote="entry")


@numeric_gradient.mistakes
def _(x, f, h):
    central, at_once = numeric_gradient.reference(x, f, h), (f(x + h) - f(x - h)) / (2 * h)
    moved, rows = x.astype(float), np.empty(x.shape)
    drifting, gathered = np.empty(x.shape), np.empty(x.shape)
    plus, minus = moved.copy(), moved.copy()
    for i in np.ndindex(x.shape):
        plus[i] += h
        minus[i] -= h
        gathered[i] = (f(plus) - f(minus)) / (2 * h)
        above = f(moved + h * np.eye(x.size)[np.ravel_multi_index(i, x.shape)].reshape(x.shape))
        moved[i] -= h
        drifting[i] = (above - f(moved)) / (2 * h)
    for i in range(len(x)):
        step = h * (np.arange(len(x)) == i).reshape(-1, *[1] * (x.ndim - 1))
        rows[i] = (f(x + step) - f(x - step)) / (2 * h)
    one_sided = [f(x + h * unit) - f(x) for unit in np.eye(x.size).reshape(-1, *x.shape)]
    return {
        "this is the one-sided difference: go h to the left as well": (
            np.reshape(one_sided, x.shape) / h
        ),
        "a whole row is moved at once: move one entry at a time": rows,
        "the moves add up: begin with a fresh copy of x for each entry": gathered,
        "an entry stays moved while the next ones are: put it back": drifting,
        "/ 2 * h multiplies by h: write / (2 * h)": h * h * central,
        "the two points lie 2h apart: divide by 2h": 2 * central,
        "this is the difference alone: divide it by 2h": 2 * h * central,
        "the difference is f(x − h) − f(x + h): its sign is wrong": -central,
        "all entries are moved at once: move one at a time": at_once,
        "each entry gets what moving all of them gives: move one at a time": (
            np.full(x.shape, at_once)
        ),
    }


@numeric_gradient.wrong("x is changed in place")
def _not_restored(x, f, h):
    gradient = np.empty(x.shape)
    for i in np.ndindex(x.shape):
        x[i] += h
        above = f(x)
        x[i] -= 2 * h
        gradient[i] = (above - f(x)) / (2 * h)
    return gradient


# ---------------------------------------------------------------- 03.4
@exercise(
    "03.4",
    hints=(
        "Which axis of g was made by stretching? Over that one, add.",
        "For shape (D,) and (1, D) it is the first axis, for (N, 1) the second.",
        "`keepdims=True` keeps the length 1, `.reshape(shape)` gives the final shape.",
    ),
    why="A value that broadcasting uses N times lies on N paths to the loss; over paths we add, so "
    "its gradient is a sum, not a mean.",
)
def sum_to_shape(g, shape):
    """Sum g (N, D) over the axes along which an operand of `shape` was stretched."""
    if len(shape) == 1:
        return g.sum(axis=0)
    for axis in (0, 1):
        if shape[axis] == 1:
            g = g.sum(axis=axis, keepdims=True)
    return g


@sum_to_shape.check
def _(answer, rng):
    for kind in (0, 0, 1, 2):
        n, d = sizes(rng, 2)
        g, shape = rng.normal(size=(n, d)), [(d,), (1, d), (n, 1)][kind]
        vector = g @ np.ones(d) if shape == (n, 1) else np.ones(n) @ g
        agree(answer, (g, shape), vector.reshape(shape), f"the result for shape {shape}")
    square = np.array([[1.0, 2.0], [30.0, 40.0]])  # N = D: the lengths do not tell the axes apart
    for shape, sums in (((2,), [31, 42]), ((1, 2), [[31, 42]]), ((2, 1), [[3], [70]])):
        agree(answer, (square, shape), sums, f"the result for shape {shape} of a (2, 2)")
    column, row = np.array([[1.0], [2.0], [4.0]]), np.array([[1.0, 2.0, 4.0]])
    agree(answer, (column, (1,)), [7.0], "the result for shape (1,) of a (3, 1)")
    agree(answer, (column, (1, 1)), [[7.0]], "the result for shape (1, 1) of a (3, 1)")
    agree(answer, (row, (1, 1)), [[7.0]], "the result for shape (1, 1) of a (1, 3)")


@sum_to_shape.mistakes
def _(g, shape):
    axis = int(shape == (len(g), 1))
    return {
        "this is a mean: over paths gradients add": g.mean(axis).reshape(shape),
        "this keeps one row or column and forgets the others": g.take(0, axis).reshape(shape),
        "{part} still has the shape of g: nothing is summed": g,
    }


sum_to_shape.wrongs({"keep the axes": lambda g, shape: g.sum(int(shape == (len(g), 1)))})


# ---------------------------------------------------------------- 03.5
@exercise(
    "03.5",
    hints=(
        "First δ = f′(Z) ⊙ dY. What is the derivative of relu?",
        "Write the shapes: dW is (M, D) from δ (N, M) and X (N, D); dX is (N, D) from δ and W.",
        "dX = δ W, dW = δᵀ X, db = the sum of δ over the batch.",
    ),
    why="δ is what reaches Z. Each use of W in Z = XWᵀ + b contributes δₙ xₙᵀ, one for each sample "
    "of the batch; the product δᵀX adds them up.",
)
def layer_backward(X, W, Z, dY):
    """Gradients (dX, dW, db) of Y = relu(Z), Z = X Wᵀ + b; X (N, D), W (M, D), Z and dY (N, M)."""
    delta = (Z > 0) * dY
    return delta @ W, delta.T @ X, delta.sum(axis=0)


@layer_backward.check
def _(answer, rng):
    for _ in range(2):
        n, d, m = sizes(rng, 3)
        X, W, b, dY = (rng.normal(size=s) for s in [(n, d), (m, d), (m,), (n, m)])
        Z = X @ W.T + b
        delta = np.where(Z > 0, dY, 0)
        expected = {
            "dX": np.einsum("nm,md->nd", delta, W),
            "dW": np.einsum("nm,nd->md", delta, X),
            "db": np.einsum("nm->m", delta),
        }
        agree(answer, (X, W, Z, dY), expected, sizes={"N": n})
    X, W, dY = np.array([[1.0, 2.0]]), np.array([[1.0, -0.5], [3.0, 1.0]]), np.array([[7.0, 10.0]])
    expected = {"dX": [[30.0, 10.0]], "dW": [[0.0, 0.0], [10.0, 20.0]], "db": [0.0, 10.0]}
    agree(answer, (X, W, X @ W.T, dY), expected)  # one sample, and a Z of exactly 0


@layer_backward.mistakes
def _(X, W, Z, dY):
    def gradients(delta):
        return delta @ W, delta.T @ X, delta.sum(axis=0)

    delta = (Z > 0) * dY
    return {
        "the bend is missing: dY must pass through relu′(Z) first": gradients(dY),
        "relu′ is 0 or 1: δ is dY where Z > 0, not dY·Z": gradients(np.maximum(Z, 0) * dY),
        "db is not summed over the batch": (..., ..., delta),
        "db is a mean: every sample uses b, so add": (..., ..., delta.mean(axis=0)),
    }


@layer_backward.wrong("dW is transposed")
def _transposed(X, W, Z, dY):
    dX, dW, db = layer_backward.reference(X, W, Z, dY)
    return dX, dW.T, db


# ---------------------------------------------------------------- 03.6
@exercise(
    "03.6",
    hints=(
        "One row: δⱼ = Σᵢ gᵢ ∂sᵢ/∂zⱼ with ∂sᵢ/∂zⱼ = sᵢ([i = j] − sⱼ). Multiply out.",
        "δⱼ = sⱼ gⱼ − sⱼ Σᵢ sᵢ gᵢ = sⱼ (gⱼ − Σᵢ sᵢ gᵢ).",
        "The sum runs along each row; `keepdims=True` lets it broadcast.",
    ),
    why="Σᵢ sᵢgᵢ is the average of g under the shares s. Only what differs from the average moves "
    "the shares, so the rows of the result add up to 0.",
)
def softmax_backward(s, g):
    """∂L/∂z from the rows s (N, C) of softmax outputs and g = ∂L/∂s (N, C)."""
    return s * (g - (g * s).sum(axis=1, keepdims=True))


@softmax_backward.check
def _(answer, rng):
    for _ in range(2):
        n, c = sizes(rng, 2)
        s = rng.dirichlet(np.ones(c), size=n)
        g = rng.normal(size=(n, c))
        expected = [(np.diag(p) - np.outer(p, p)) @ q for p, q in zip(s, g, strict=True)]
        agree(answer, (s, g), expected, "∂L/∂z")
    for s, g, expected in (  # N = C, a sure row, a single class
        (np.eye(2), np.array([[3.0, 5.0], [7.0, 1.0]]), np.zeros((2, 2))),
        (np.full((2, 2), 0.5), np.array([[4.0, 0.0], [0.0, 2.0]]), [[1, -1], [-0.5, 0.5]]),
        (np.ones((3, 1)), np.array([[1.0], [2.0], [3.0]]), np.zeros((3, 1))),
    ):
        agree(answer, (s, g), expected, "∂L/∂z")
    s = np.full((1, 3000), 1 / 3000)  # a Jacobian of this row would hold nine million numbers
    g = rng.normal(size=s.shape)
    peak = _peak_memory(lambda: answer(s, g))
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


@softmax_backward.wrong("the whole Jacobian is built")
def _jacobians(s, g):
    J = s[:, :, None] * (np.eye(s.shape[1]) - s[:, None, :])
    return np.einsum("nij,ni->nj", J, g)


@softmax_backward.mistakes
def _(s, g):
    average = (g * s).sum(axis=1, keepdims=True)
    return {
        "this is the diagonal of the Jacobian only: every output depends on every input": (
            s * (1 - s) * g
        ),
        "the shares s in front are missing": g - average,
        "s multiplies the whole bracket: s·(g − Σ sᵢgᵢ)": s * g - average,
        "this is the rule of log-softmax, g − s·Σ gᵢ": g - s * g.sum(axis=1, keepdims=True),
        "the sum runs over the samples: it must run along each row": s * (g - (g * s).sum(axis=0)),
        "the average of g is the one under s: Σ sᵢgᵢ, not the plain mean": (
            s * (g - g.mean(axis=1, keepdims=True))
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
@exercise(
    "03.8",
    hints=(
        "An (m, n) matrix times an (n, r) matrix takes m·n·r multiplications.",
        "Forward mode starts with J₁, which is (n₁, n₀): every later product has n₀ columns.",
        "Forward: n₀·Σ nₖnₖ₋₁ for k = 2 … K; reverse: n_K·Σ nₖnₖ₋₁ for k = 1 … K − 1.",
    ),
    why="K matrices need K − 1 products; the first Jacobian of each order is there for free. The "
    "side that is carried along is n₀ wide in forward mode and n_K high in reverse mode.",
)
def mode_costs(n):
    """Multiplications (forward, reverse) for a chain of layers of n = [n₀, …, n_K] numbers."""
    elements = n[1:] * n[:-1]
    return n[0] * elements[1:].sum(), n[-1] * elements[:-1].sum()


@mode_costs.check
def _(answer, rng):
    for count in (4, 5, 7):
        n = 2 + rng.permutation(12)[:count]
        costs = {"the cost of forward mode": _carried(n), "that of reverse mode": _carried(n[::-1])}
        agree(answer, (n,), costs, quote="all")


def _carried(n):
    """Multiplications of forward mode, one product after the other."""
    rows, cost = int(n[1]), 0
    for size in n[2:].tolist():
        cost += np.ones((size, rows)).size * int(n[0])
        rows = size
    return cost


@mode_costs.mistakes
def _(n):
    elements = n[1:] * n[:-1]
    total = elements.sum()
    return {
        "the pair is swapped: forward mode first": mode_costs.reference(n)[::-1],
        "one product too many: K matrices need K − 1 products": (n[0] * total, n[-1] * total),
        "sizes are added up: multiply the sizes of each two neighbors": (
            n[0] * n[2:].sum(),
            n[-1] * n[1:-1].sum(),
        ),
        "the layers of a Jacobian are neighbors: n[k] and n[k − 1]": (
            n[0] * (n[2:] * n[:-2]).sum(),
            n[-1] * (n[2:] * n[:-2]).sum(),
        ),
        "each product carries n₀ columns or n_K rows: multiply by them": (
            elements[1:].sum(),
            elements[:-1].sum(),
        ),
    }


mode_costs.wrongs({"the result is the sum of n": lambda n: (n.sum(), n.sum())})


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
        "forward or reverse mode is not always the best": lambda n: min(mode_costs.reference(n)),
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
