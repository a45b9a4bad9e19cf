"""Exercises of chapter 10, Attention."""

from __future__ import annotations

from collections import Counter

import numpy as np

from utils.exercises._agree import agree
from utils.exercises._compare import Wrong, numbers, show, sizes, unpack
from utils.exercises._exercise import exercise


def _softmax(z, axis=-1):
    e = np.exp(z - z.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


# ---------------------------------------------------------------- 10.1
@exercise(
    "10.1",
    hints=(
        "Three steps: scores, weights, mean. A score is a dot product of the query and a key.",
        "`K @ q` holds all scores; divide by the root of the query's length, take the softmax.",
        "The answer is the mean of the rows of V under these weights: `weights @ V`.",
    ),
    why="softmax(Kq/√d)ᵀV: the query is compared with the keys, the weights are spent on the "
    "values. Every output lies between the smallest and the largest value.",
)
def attend(q, K, V):
    """What a query q (d,) gets from keys K (S, d) and values V (S, d′), by scaled dot product."""
    scores = K @ q / np.sqrt(len(q))
    e = np.exp(scores - scores.max())
    return e / e.sum() @ V


@attend.check
def _(answer, rng):
    for _ in range(4):
        S, d, d_out = sizes(rng, 3)
        q, K, V = rng.normal(size=d), rng.normal(size=(S, d)), rng.normal(size=(S, d_out))
        scores = [sum(a * b for a, b in zip(q, key, strict=True)) for key in K]
        expected = _softmax(np.array(scores) / d**0.5) @ V
        agree(answer, (q, K, V), expected, "the mean of the values")
    q, V = np.array([1.0, 0.0, 0.0, 0.0]), np.array([[1.0], [2.0], [6.0]])
    for height in (0.0, 4000.0, -4000.0):  # scores of 0 and of ±2,000: a power overflows
        for first, expected in ((0.0, 3.0), (-4000.0, 4.0)):
            K = np.zeros((3, 4))
            K[:, 0] = [height + first, height, height]
            agree(answer, (q, K, V), [expected], "the mean of the values, for large scores")
    alone = np.array([3.0]), np.array([[2.0]]), np.array([[5.0, 7.0]])
    agree(answer, alone, [5.0, 7.0], "the mean of a single value")


@attend.mistakes
def _(q, K, V):
    z, d = K @ q, len(q)
    weights = _softmax(z / d**0.5)
    return {
        "the scores are not divided by √d": _softmax(z) @ V,
        "d is the length of q, not the number of keys": _softmax(z / len(K) ** 0.5) @ V,
        "d is the length of q, not that of the values": _softmax(z / V.shape[1] ** 0.5) @ V,
        "divide the scores by √d before the softmax, not the weights after it": (
            _softmax(z) / d**0.5 @ V
        ),
        "this is the value of the best key alone: take the mean under the weights": V[z.argmax()],
        "the weights do not sum to 1: divide the powers by their sum": np.exp(z / d**0.5) @ V,
        "the scores are dot products, without the lengths of q and keys below": (
            _softmax(z / np.linalg.norm(q) / np.linalg.norm(K, axis=1)) @ V
        ),
        "these are cosines: a score is the dot product over √d": (
            _softmax(z / np.linalg.norm(q) / np.linalg.norm(K, axis=1) / d**0.5) @ V
        ),
        "divide by the root of d, not by d": _softmax(z / d) @ V,
        "the softmax is missing: these weights may be negative": z / d**0.5 @ V,
        "these are the weights: spend them on the values": weights,
        "the weights are spent on the keys: take the values": weights @ K,
        "a mean with weights that sum to 1 needs no further division": weights @ V / len(K),
    }


# ---------------------------------------------------------------- 10.2
@exercise(
    "10.2",
    hints=(
        "A forbidden key must have weight 0, and the others must still sum to 1.",
        "Which score gives the weight 0 after a softmax? `np.where(allowed, …, …)` puts it there.",
        "Subtract the largest *allowed* score before `np.exp`, then divide each row by its sum.",
    ),
    why="The score −∞ becomes exactly 0 in the softmax, and the sum below the fraction does not "
    "see it. Zeros put in after the softmax leave that sum as it was.",
)
def masked_weights(scores, allowed):
    """Weights (L, S) of scores (L, S), where a query may look only where `allowed` (L, S) holds."""
    z = np.where(allowed, scores, -np.inf)
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@masked_weights.check
def _(answer, rng):
    for _ in range(4):
        L, S = sizes(rng, 2)
        z, allowed = rng.normal(size=(L, S)) * 2, rng.random((L, S)) < 0.6
        allowed[:, :2] = [True, False]  # in every row one of each kind
        expected = np.zeros((L, S))
        for i in range(L):
            expected[i, allowed[i]] = _softmax(z[i, allowed[i]])
        agree(answer, (z, allowed), expected, "the matrix of weights")
    z = np.array([[2000.0, 2000.0, 0.0], [-2000.0, 0.0, -2000.0], [1.0, 1.0, 1.0]])
    allowed = np.array([[True, True, True], [True, False, True], [False, False, True]])
    expected = [[0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0, 1]]
    agree(answer, (z, allowed), expected, "the matrix of weights, for scores of ±2,000")
    z, allowed = np.array([[-2000.0, 5.0]]), np.array([[True, False]])
    agree(answer, (z, allowed), [[1, 0]], "the matrix of weights, for scores of ±2,000")


@masked_weights.mistakes
def _(scores, allowed):
    e = np.exp(scores) * allowed
    weak = {
        f"{-c} is not small enough for a forbidden score: take −∞": (
            _softmax(np.where(allowed, scores, -c))
        )
        for c in (1, 5, 10, 20, 100)
    }
    weak |= {
        f"subtracting {c} is not enough for a forbidden score: take −∞": (
            _softmax(scores - c * ~allowed)
        )
        for c in (1, 10)
    }
    down = np.where(allowed, scores, -np.inf)
    logarithms = down - np.log(np.exp(down).sum(axis=1, keepdims=True))
    return weak | {
        "the rows share one sum: each query has its own": e / e.sum(),
        "all allowed keys weigh alike: use the scores": allowed / allowed.sum(axis=1)[:, None],
        "these are logarithms of the weights: take exp": logarithms,
        "the softmax runs down the queries: each row must sum to 1": (
            np.exp(down - scores.max(axis=0)) / np.exp(down - scores.max(axis=0)).sum(axis=0)
        ),
        "the rows no longer sum to 1: mask before the softmax": _softmax(scores) * allowed,
        "a forbidden score became 0, which is a score like any other: it must be −∞": (
            _softmax(scores * allowed)
        ),
        "the mask is the wrong way round: True means that the query may look": (
            _softmax(np.where(allowed, -np.inf, scores))
        ),
        "the softmax runs over the queries: each query shares 1 among the keys, axis 1": (
            e / np.maximum(e.sum(axis=0), 1e-300)
        ),
        "the mask is not used": _softmax(scores),
    }


# ---------------------------------------------------------------- 10.3
@exercise(
    "10.3",
    hints=(
        "q·k is a sum of d products. What are mean and variance of one product q₁k₁?",
        "For independent numbers with mean 0, Var(q₁k₁) = E q₁² · E k₁² = σ²·σ².",
        "Variances of independent terms add: d·σ⁴. The standard deviation is its root.",
    ),
    why="Var(q·k) = d σ⁴, so the spread grows as √d: with d = 64 and σ = 1 scores are "
    "spread over ±8, and a softmax of such scores is nearly one-hot.",
)
def spread(d, sigma):
    """Standard deviation of q·k for each length in the array d.

    The entries of q and k are independent, with mean 0 and standard deviation sigma.
    """
    return np.sqrt(d) * sigma**2


@spread.check
def _(answer, rng):
    for _ in range(5):
        d, sigma = rng.integers(5, 200, sizes(rng, 1)), float(rng.uniform(0.3, 3))
        expected = [np.sqrt(sum([sigma**4] * n)) for n in d.tolist()]
        agree(answer, (d, sigma), expected, "the standard deviation", quote="entry")


@spread.mistakes
def _(d, sigma):
    return {
        "that is the variance: take its root": d * sigma**4,
        "sigma stands under the root: √(σ⁴) is σ²": np.sqrt(d * sigma),
        "sums of independent terms spread as √d, means as 1/√d: this is a sum": (
            sigma**2 / np.sqrt(d)
        ),
        "each product has two factors, so sigma comes twice": np.sqrt(d) * sigma,
        "variances add, not standard deviations: the root of d": d * sigma**2,
        "the variance of a product of two is σ²·σ², the root of that is σ²": np.sqrt(d) * sigma**4,
    }


# ---------------------------------------------------------------- 10.4
@exercise(
    "10.4",
    hints=(
        "For one state h: vᵀ tanh(W s + U h), a number.",
        "`H @ U.T` holds U h for all S states at once, (S, A); `W @ s` is (A,) and broadcasts.",
        "First add, then tanh, then the dot product with v.",
    ),
    why="A hidden layer with one output, asked once for every state. Query and states need not "
    "have the same length, and a large entry saturates instead of ruling the softmax.",
)
def additive_scores(s, H, W, U, v):
    """Scores (S,) of a query s (D,) and states H (S, E); W is (A, D), U is (A, E), v is (A,)."""
    return np.tanh(W @ s + H @ U.T) @ v


@additive_scores.check
def _(answer, rng):
    for _ in range(3):
        D, E, S, A = sizes(rng, 4)
        s, H = rng.normal(size=D), rng.normal(size=(S, E))
        W, U, v = rng.normal(size=(A, D)), rng.normal(size=(A, E)), rng.normal(size=A)
        expected = [sum(v * np.tanh([W[a] @ s + U[a] @ h for a in range(A)])) for h in H]
        agree(answer, (s, H, W, U, v), expected, "the scores")


@additive_scores.mistakes
def _(s, H, W, U, v):
    query, states = W @ s, H @ U.T
    return {
        "tanh is missing: a sum of two linear parts ranks the states alike for every query": (
            (query + states) @ v
        ),
        "tanh bends the hidden layer, before v": np.tanh((query + states) @ v),
        "add W s and U h before the tanh, not after it": (np.tanh(query) + np.tanh(states)) @ v,
        "W s and U h are added, not multiplied": np.tanh(query * states) @ v,
        "these are scores by a product of W s and U h: here a hidden layer makes them": (
            (query * states) @ v
        ),
        "these are dot products of W s and U h: here v weighs the hidden layer": states @ query,
        "the softmax comes later: these are to be the scores": (
            _softmax(np.tanh(query + states) @ v)
        ),
    }


# ---------------------------------------------------------------- 10.5
@exercise(
    "10.5",
    hints=(
        "Query i may look at key j if j is not later, and if j is no padding: two conditions.",
        "`np.tri(S, dtype=bool)` is the first, (S, S); `np.arange(S) < lengths[:, None]` the "
        "second, (N, S).",
        "The second needs an axis for the queries, [:, None]; then combine both with &.",
    ),
    why="Both must hold, so & combines them. The diagonal stays: a place may look at itself. A "
    "padded query still sees the real keys before it, which keeps its softmax defined.",
)
def decoder_mask(lengths, S):
    """(N, S, S): True where query i of sequence n may look at key j, j ≤ i and j < lengths[n]."""
    return np.tri(S, dtype=bool) & (np.arange(S) < lengths[:, None])[:, None]


@decoder_mask.check
def _(answer, rng):
    for _ in range(3):
        N, S = sizes(rng, 2)
        lengths = rng.integers(1, S, N)
        lengths[0] = 2
        expected = np.zeros((N, S, S), bool)
        for n, i, j in np.ndindex(N, S, S):
            expected[n, i, j] = j <= i and j < lengths[n]
        agree(answer, (lengths, S), expected, "the mask")
    mask = answer(np.array([1, 3]), 3)
    if "bool" not in str(getattr(mask, "dtype", "bool")):
        raise Wrong(f"the mask must hold True and False, not {mask.dtype}: ~ and & need them")


@decoder_mask.mistakes
def _(lengths, S):
    triangle, real = np.tri(S, dtype=bool), (np.arange(S) < lengths[:, None])[:, None]
    everywhere = np.ones((len(lengths), S, S), bool)
    return {
        "the triangle is upside down: a place looks back, not ahead": triangle.T & real,
        "a place may look at itself too: keep the diagonal": triangle
        & ~np.eye(S, dtype=bool)
        & real,
        "both conditions must hold: & and not |": triangle | real,
        "one padded key too many may be seen: j < lengths[n], not ≤": (
            triangle & (np.arange(S) <= lengths[:, None])[:, None]
        ),
        "one real key too few may be seen: j < lengths[n]": (
            triangle & (np.arange(S) < lengths[:, None] - 1)[:, None]
        ),
        "these are numbers to add to scores, 0 and −∞: True and False are asked for": (
            np.where(triangle & real, 0.0, -np.inf)
        ),
        "the padding is not masked": triangle & everywhere,
        "a place may look at later ones": real & everywhere,
        "here True means forbidden: turn it round": ~(triangle & real),
        "the padding lies along the keys, the last axis": triangle & real.mT,
    }


# ---------------------------------------------------------------- 10.6
@exercise(
    "10.6",
    hints=(
        "At each place the d numbers of head 0 come first, then those of head 1, and so on.",
        "So head and number must be neighbors: bring the axes into the order N, T, H, d.",
        "`x.transpose(0, 2, 1, 3)` does; then `reshape` the last two axes into one.",
    ),
    why="reshape reads memory in order, so it can melt two neighbors into one axis but not swap "
    "any. Reshaping at once gives the right shape and mixes places and heads: no error will "
    "tell you.",
)
def join_heads(x):
    """What H heads found at T places, x (N, H, T, d), as vectors (N, T, H·d)."""
    N, H, T, d = x.shape
    return x.transpose(0, 2, 1, 3).reshape(N, T, H * d)


@join_heads.check
def _(answer, rng):
    for _ in range(3):
        x = rng.normal(size=sizes(rng, 4))
        expected = np.concatenate([x[:, k] for k in range(x.shape[1])], axis=2)
        agree(answer, (x,), expected, "the array")


@join_heads.mistakes
def _(x):
    N, H, T, d = x.shape
    return {
        "reshape alone mixes places and heads: swap axes 1 and 2 first": x.reshape(N, T, H * d),
        "the numbers of one head must stay together": (
            x.transpose(0, 2, 3, 1).reshape(N, T, H * d)
        ),
        "the heads are joined, not added": x.sum(axis=1),
        "the heads are added and repeated: each keeps its own numbers": (
            np.tile(x.sum(axis=1), (1, 1, H))
        ),
        "all axes are swapped before the reshape: swap axes 1 and 2 only": (
            x.T.reshape(N, T, H * d)
        ),
        "axes 0 and 1 stay as they are: swap axes 1 and 2, not 0 and 2": (
            x.transpose(2, 1, 0, 3).reshape(N, T, H * d)
        ),
        "sequences and places are mixed: N must stay the first axis": (
            x.transpose(2, 0, 1, 3).reshape(N, T, H * d)
        ),
        "the heads come in reverse order": x[:, ::-1].transpose(0, 2, 1, 3).reshape(N, T, H * d),
    }


@decoder_mask.wrong("must hold True and False")
def _as_numbers(lengths, S):
    return decoder_mask.reference(lengths, S).astype(int)


# ---------------------------------------------------------------- 10.7
@exercise(
    "10.7",
    hints=(
        "Four square matrices: for queries, keys, values, and the output. Each with a bias.",
        "One head: QKᵀ takes L·S·d multiplications, with d = E/H; weights times values the same.",
        "All H heads together: 2·L·S·E, whatever H is.",
    ),
    why="Heads share the width E among them, so neither number depends on H. The work grows with "
    "L·S: an attention that looks everywhere saves nothing, it pays for every pair.",
)
def multihead_costs(shape, H):
    """(parameters, multiplications) of H heads of width E together; shape is (E, L, S).

    Every projection has a bias. Count the multiplications of QKᵀ and of weights times values for
    one sequence of L queries and S keys, without scaling, softmax and projections.
    """
    E, L, S = shape
    return 4 * E * E + 4 * E, 2 * L * S * E


@multihead_costs.check
def _(answer, rng):
    for _ in range(3):
        H, d, L, S = sizes(rng, 4)
        matrices = [np.ones((H * d, H * d)) for _ in range(4)]
        expected = {
            "the number of parameters": sum(m.size + len(m) for m in matrices),
            "the number of multiplications": H * (np.ones((L, S)).size * d * 2),
        }
        agree(answer, (np.array([H * d, L, S]), H), expected)


@multihead_costs.mistakes
def _(shape, H):
    E, L, S = shape
    parameters, work = multihead_costs.reference(shape, H)
    return {
        "the biases are missing": (4 * E * E, ...),
        "the output has a matrix too: four, not three": (3 * E * E + 3 * E, ...),
        "the heads share the width: H is not in it": (H * parameters, ...),
        "the output projection has a bias as well": (parameters - E, ...),
        "two products: QKᵀ, and weights times values": (..., L * S * E),
        "each head has only E/H numbers": (..., work * H),
        "there are L queries and S keys: L·S scores, not L·L": (..., 2 * L * L * E),
        "there are L queries and S keys: L·S scores, not S·S": (..., 2 * S * S * E),
        "the projections are not counted here": (..., work + 4 * L * E * E),
        "leave the projections of queries, keys, values and output out of the count": (
            ...,
            work + (2 * L + 2 * S) * E * E,
        ),
        "multiplications alone: additions are not counted": (..., 2 * work),
        "the output projection is E by E, too: it takes all heads together": (
            3 * E * E + 3 * E + E // H * E + E,
            ...,
        ),
        "each projection has a bias of its own: 4 E": (4 * E * E + E, ...),
        "the pair is swapped: the parameters come first": (work, parameters),
        "this is one head of H": (..., work // H),
    }


# ---------------------------------------------------------------- 10.8
@exercise(
    "10.8",
    hints=(
        "Let D[i][j] be the distance of the first i symbols of a and the first j of b.",
        "D[i][0] = i and D[0][j] = j: delete or insert them all.",
        "D[i][j] is the smallest of D[i−1][j] + 1, D[i][j−1] + 1, and D[i−1][j−1] + (a and b "
        "differ there).",
    ),
    why="The last step of the cheapest way is a deletion, an insertion, or a pair of last symbols "
    "that are equal or replaced. Each leaves a smaller problem that the table has solved.",
)
def edits(a, b):
    """Fewest insertions, deletions and replacements that turn the array of numbers a into b."""
    D = np.zeros((len(a) + 1, len(b) + 1), int)
    D[:, 0], D[0] = np.arange(len(a) + 1), np.arange(len(b) + 1)
    for i, j in np.ndindex(len(a), len(b)):
        keep = D[i, j] + (a[i] != b[j])
        D[i + 1, j + 1] = min(D[i, j + 1] + 1, D[i + 1, j] + 1, keep)
    return int(D[-1, -1])


@edits.check
def _(answer, rng):
    cases = [([1, 2, 3, 4, 5, 6], [2, 3, 4, 5, 6]), ([1, 2], [3]), ([4], [1, 2, 3])]
    cases += [([1, 2], [2, 1]), ([1, 2, 3, 4], [2, 1, 4, 3]), ([0, 1, 2], [0, 2, 1])]  # neighbors
    cases += [([5], [5]), ([2, 2], [2]), ([0, 9], [9, 0]), ([1, 2, 3], [3, 1, 2])]
    cases += [
        (rng.integers(0, 3, n).tolist(), rng.integers(0, 3, m).tolist())
        for n, m in rng.integers(1, 9, (20, 2))
    ]
    for a, b in cases:
        args = np.array(a), np.array(b)
        agree(answer, args, _distance(a, b), "the number of edits", quote="all")


def _distance(a, b, replacement=1):
    """By recursion, each pair of endings once."""
    kept = {}

    def rest(i, j):
        if (i, j) not in kept:
            if i == len(a) or j == len(b):
                kept[i, j] = len(a) - i + len(b) - j
            else:
                keep = rest(i + 1, j + 1) + (0 if a[i] == b[j] else replacement)
                kept[i, j] = min(keep, rest(i + 1, j) + 1, rest(i, j + 1) + 1)
        return kept[i, j]

    return rest(0, 0)


@edits.mistakes
def _(a, b):
    shorter, change = min(len(a), len(b)), abs(len(a) - len(b))
    common = np.zeros((len(a) + 1, len(b) + 1), int)
    free, wide, twisted = common.copy(), common.copy(), common.copy()
    for D in (wide, twisted):
        D[:, 0], D[0] = np.arange(len(a) + 1), np.arange(len(b) + 1)
    for i, j in np.ndindex(len(a), len(b)):
        differ = int(a[i] != b[j])
        common[i + 1, j + 1] = max(common[i, j] + 1 - differ, common[i, j + 1], common[i + 1, j])
        for D, cost in ((free, differ), (wide, abs(a[i] - b[j])), (twisted, differ)):
            D[i + 1, j + 1] = min(D[i, j + 1] + 1, D[i + 1, j] + 1, D[i, j] + cost)
        if i and j and a[i] == b[j - 1] and a[i - 1] == b[j]:
            twisted[i + 1, j + 1] = min(twisted[i + 1, j + 1], twisted[i - 1, j - 1] + 1)
    only_a, only_b = Counter(a.tolist()), Counter(b.tolist())
    return {
        "swapped neighbors are two edits: only insert, delete and replace": twisted[-1, -1],
        "the border of the table is D[i][0] = i and D[0][j] = j, not 0": free[-1, -1],
        "a replacement costs 1, however far apart the numbers are": wide[-1, -1],
        "the longest common part leaves the replacements out": (
            max(len(a), len(b)) - common[-1, -1]
        ),
        "the order counts, not only how often a symbol occurs": max(
            (only_a - only_b).total(), (only_b - only_a).total()
        ),
        "a count is asked for, not a rate: leave the division by the length out": (
            _distance(a, b) / len(b)
        ),
        "this is a rate: leave the division by the length of a out": _distance(a, b) / len(a),
        "each step costs 1 here, even from a symbol to the same": max(len(a), len(b)),
        "places are compared one by one: a dropped symbol must cost 1 only": (
            (a[:shorter] != b[:shorter]).sum() + change
        ),
        "a replacement costs 1, here it costs 2": _distance(a, b, replacement=2),
        "this counts the change of length only": change,
    }


# ---------------------------------------------------------------- 10.9
@exercise(
    "10.9",
    hints=(
        "Row t of the weights is a distribution over places 0 … S − 1. Its mean is where t looks.",
        "`weights @ np.arange(S)` holds these T means. Ranks: `means.argsort().argsort()`.",
        "The rank correlation is the ordinary one, `np.corrcoef(ranks, np.arange(T))[0, 1]`.",
    ),
    why="1 means: whoever speaks later looks further right, by whatever steps. Ranks forget the "
    "size of the steps, and the mean place has no ties, as the place of the largest weight has.",
)
def rank_correlation(weights):
    """Rank correlation of the phoneme's number 0 … T − 1 and of its mean place; weights (T, S)."""
    T, S = weights.shape
    ranks = (weights @ np.arange(S)).argsort().argsort()
    return np.corrcoef(ranks, np.arange(T))[0, 1]


@rank_correlation.check
def _(answer, rng):
    from scipy.stats import spearmanr

    for _ in range(5):
        T, S = sizes(rng, 2)
        weights = _softmax(rng.normal(size=(T, S)) * 2)
        means = [sum(i * a for i, a in enumerate(row)) for row in weights]
        expected = spearmanr(means, np.arange(T)).statistic
        agree(answer, (weights,), expected, "the rank correlation")


@rank_correlation.mistakes
def _(weights):
    T, S = weights.shape
    largest = weights.argmax(axis=1).argsort().argsort()
    means, steps = weights @ np.arange(S), np.arange(T)
    ranks, pairs = means.argsort().argsort(), np.triu_indices(T, 1)
    return {
        "argsort gives places: a second argsort turns them into ranks": (
            np.corrcoef(np.sort(means), steps)[0, 1]
        ),
        "the largest weight itself is no place: take the mean place": (
            np.corrcoef(weights.max(axis=1).argsort().argsort(), steps)[0, 1]
        ),
        "the ranks of the largest weights' places have ties: take the mean place": (
            np.corrcoef(weights.argmax(axis=1), steps)[0, 1]
        ),
        "this is the covariance: divide by both deviations": np.cov(ranks, steps)[0, 1],
        "the square of it has lost the sign": np.corrcoef(ranks, steps)[0, 1] ** 2,
        "the factor 6 of Spearman's formula is missing": (
            1 - ((ranks - steps) ** 2).sum() / (T * (T**2 - 1))
        ),
        "this is Kendall's, which counts pairs: correlate the ranks": np.mean(
            np.sign(means[pairs[1]] - means[pairs[0]])
        ),
        "this is the correlation of the means: take their ranks": (
            np.corrcoef(weights @ np.arange(S), np.arange(T))[0, 1]
        ),
        "take the mean place, not that of the largest weight": (
            np.corrcoef(largest, np.arange(T))[0, 1]
        ),
    }


rank_correlation.wrongs(
    {"has the wrong sign": lambda weights: rank_correlation.reference(weights[:, ::-1])}
)


# ---------------------------------------------------------------- 10.10
@exercise(
    "10.10",
    hints=(
        "Give every place a key of its own, orthogonal to the others: rows of the identity.",
        "Query t must point along the key of place target[t]: `np.eye(T)[target]`.",
        "The softmax must see a large gap: scores are divided by √d, so multiply by a large number "
        "times √d.",
    ),
    why="With orthogonal keys a query reads exactly one of them, like a dictionary; the length of "
    "the query is an inverse temperature. Soft attention contains hard look-up as a limit.",
)
def look_up(target):
    """Q and K, both (T, d) for a d you choose, whose attention looks where it is told.

    In softmax(QKᵀ/√d), query t must give at least 0.99 to key target[t].
    """
    T = len(target)
    return 20 * np.sqrt(T) * np.eye(T)[target], np.eye(T)


@look_up.check
def _(answer, rng):
    for T in (2, 3, 7, int(rng.integers(9, 30))):
        target = np.arange(T)[::-1].copy() if T < 4 else rng.integers(0, T, T)
        Q, K = unpack(answer(target), "Q", "K")
        Q, K = numbers(Q, "Q").astype(float), numbers(K, "K").astype(float)
        if Q.ndim != 2 or Q.shape != K.shape or len(Q) != T:
            raise Wrong(f"Q and K must both have shape ({T}, d), got {Q.shape} and {K.shape}")
        numbers(Q, "Q", Q.shape)
        numbers(K, "K", K.shape)
        weights = _softmax(Q @ K.T / np.sqrt(Q.shape[1]))
        if (weights.argmax(1) == np.arange(T)).all():
            raise Wrong("every query looks at its own place, not at target[t]")
        got = weights[np.arange(T), target]
        if not (got >= 0.99).all():
            right = (weights.argmax(1) == target).all()
            advice = (
                "it looks the right way but is not sure: make the scores larger, mind the √d"
                if right
                else f"query {int(got.argmin())} looks elsewhere"
            )
            raise Wrong(f"T = {T}: a weight of {show(got.min())} where 0.99 is due; {advice}")


look_up.wrongs(
    {
        "its own place": lambda target: look_up.reference(np.arange(len(target))),
        "mind the √d": lambda target: (4.7 * np.eye(len(target))[target], np.eye(len(target))),
        "looks elsewhere": lambda target: look_up.reference(0 * target),
        "must both have shape": lambda target: 2 * [np.eye(len(target) + 1, len(target))],
    }
)
