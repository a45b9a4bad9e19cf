"""Exercises of chapter 11, Transformers, GPT and BERT."""

from __future__ import annotations

import itertools
import math
import re
from functools import cache, partial

import numpy as np

from utils.exercises._agree import agree
from utils.exercises._compare import Wrong, numbers, sizes, unpack
from utils.exercises._exercise import exercise


def _softmax(z, axis=-1):
    e = np.exp(z - z.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


# ---------------------------------------------------------------- 11.1
@exercise(
    "11.1",
    hints=(
        "Take from the beginning of what is left the longest part that the vocabulary has. Begin "
        "with all of it and shorten it letter by letter.",
        '`prefix = ""` at first, `prefix = "##"` from the second piece on, and the key is '
        "`prefix + word[:n]`.",
        'If no n fits, not even 1, forget the pieces so far: return `[vocabulary["[UNK]"]]`.',
    ),
    why="The longest piece is taken without a look at what comes after it. So another cut may need "
    "fewer pieces, and a word may end as unknown that could have been cut: greedy is fast, not "
    "best. The ## keeps the `able` of `readable` apart from the word `able`.",
)
def pieces(word, vocabulary):
    """Numbers of the pieces of a word, as BERT cuts it: the longest piece first.

    A piece further in is known with ## before it. Where none fits, the word is ``[UNK]``.
    """
    found, prefix = [], ""
    while word:
        fitting = [n for n in range(len(word), 0, -1) if prefix + word[:n] in vocabulary]
        if not fitting:
            return [vocabulary["[UNK]"]]
        found.append(vocabulary[prefix + word[: fitting[0]]])
        word, prefix = word[fitting[0] :], "##"
    return found


def _cut(word, vocabulary, *, order=-1, first="", inside="##", unknown="word"):
    """Pieces of a word by regular expressions, longest first; or with one rule changed."""

    def pattern(prefix):
        known = (p.removeprefix(prefix) for p in vocabulary if p.startswith(prefix))
        plain = sorted({p for p in known if p.isalpha()}, key=lambda p: order * len(p))
        return re.compile("|".join(plain) or "(?!)")

    patterns, found, place = (pattern(first), pattern(inside)), [], 0
    while place < len(word):
        match = patterns[place > 0].match(word, place)
        if match:
            found.append((inside if place else first) + match.group())
            place = match.end()
        elif unknown == "word":
            return ["[UNK]"]
        elif unknown == "rest":
            return [*found, "[UNK]"]
        else:
            found += ["[UNK]"] * (unknown == "letter")
            place += 1
    return found


def _all_cuts(word, vocabulary, prefix=""):
    """Every way to cut a word into known pieces."""
    if not word:
        yield []
    for n in range(len(word), 0, -1):
        if prefix + word[:n] in vocabulary:
            for rest in _all_cuts(word[n:], vocabulary, "##"):
                yield [prefix + word[:n], *rest]


CUTS = (  # words and vocabularies: one that greed cuts badly, then others that it cannot cut
    ("abcde", "[UNK] abc ab ##d ##e ##cde"),
    ("abcd", "abc ab ##cd [UNK]"),
    ("bcabc", "bc ##a ##ab [UNK] ##b"),
    ("cab", "a ##b b [UNK] ##a ##ab"),
    ("aaab", "##aa a aa [UNK] ##b"),
    ("a", "##a a [UNK]"),
)


@pieces.check
def _(answer, rng):
    def attempt(word, vocabulary):
        expected = [vocabulary[piece] for piece in _cut(word, vocabulary)]
        agree(answer, (word, vocabulary), expected, "the list of numbers")

    def numbered(known):
        places = rng.permutation(90)[: len(known)] + 10
        return dict(zip(known, places.tolist(), strict=True))

    for missing in ("", "", "b", "", "c", ""):
        letters = "abc"
        parts = ["".join(p) for n in (2, 3) for p in itertools.product(letters, repeat=n)]
        inner = [f"##{parts[k]}" for k in rng.permutation(len(parts))[:5]]
        outer = [parts[k] for k in rng.permutation(len(parts))[:3]]
        single = [*letters, *(f"##{letter}" for letter in letters if letter != missing)]
        known = ["[UNK]", *inner, *outer, *single]
        word = "".join(letters[k] for k in rng.integers(3, size=sizes(rng, 1)[0] + 5))
        attempt(word, numbered([known[k] for k in rng.permutation(len(known))]))
    for word, known in CUTS:
        attempt(word, numbered(known.split()))


@pieces.mistakes
def _(word, vocabulary):
    right = _cut(word, vocabulary)
    cuts = list(_all_cuts(word, vocabulary)) or [["[UNK]"]]
    tail, ending = [], word
    while ending:  # from the end
        ends = (n for n in range(len(ending)) if ("##" * (n > 0) + ending[n:]) in vocabulary)
        n = next(ends, None)
        tail = ["[UNK]"] if n is None else ["##" * (n > 0) + ending[n:], *tail]
        ending = "" if n is None else ending[:n]
    letters = [("##" * (i > 0) + letter) for i, letter in enumerate(word)]
    wrong = {
        "the longest piece is taken first, not the shortest": _cut(word, vocabulary, order=1),
        "pieces further in are known with ## before them": _cut(word, vocabulary, inside=""),
        "the first piece has no ## before it": _cut(word, vocabulary, first="##"),
        "where nothing fits, the whole word is [UNK]: the pieces before are dropped": (
            _cut(word, vocabulary, unknown="rest")
        ),
        "where nothing fits, the whole word is [UNK], not one letter of it": (
            _cut(word, vocabulary, unknown="letter")
        ),
        "a letter that nothing fits is left out: the word is [UNK]": (
            _cut(word, vocabulary, unknown="nothing")
        ),
        "this is the cut with the fewest pieces: BERT takes the longest at each step": (
            min(cuts, key=len)
        ),
        "a dead end is not tried again in another way: the word is [UNK]": cuts[0],
        "this begins at the end of the word: the longest piece at its beginning comes first": tail,
        "these are single letters": (
            letters if all(p in vocabulary for p in letters) else ["[UNK]"]
        ),
        "the pieces come in reverse order": right[::-1],
    }
    found = {text: [vocabulary[piece] for piece in cut] for text, cut in wrong.items()}
    return found | {
        "these are places in the vocabulary: look its numbers up": (
            [list(vocabulary).index(piece) for piece in right]
        ),
        "a piece that comes twice is given twice": list(
            dict.fromkeys(vocabulary[piece] for piece in right)
        ),
    }


# ---------------------------------------------------------------- 11.2
@exercise(
    "11.2",
    hints=(
        "Try it with one query and three keys, as a step with a cache does. How many keys does the "
        "last token see, and how many should it see?",
        "Which length belongs under the root, that of a query or the number of keys? And what do "
        "the rows of `A` sum to when the mask is through with them?",
        "`np.tri(L, S, S - L)` lets the last of L queries see all of S keys. Forbidden scores must "
        "be −∞ before the softmax.",
    ),
    why="Without a cache L is S and the triangle is right, so the second bug waits until text is "
    "written on: then each new token sees the first key alone. The first bug only makes the "
    "softmax too soft or too sharp, and the third shrinks early rows; a model trains in spite of "
    "both, which is why they live long.",
)
def attention_repaired(Q, K, V):
    """Causal attention (L, d′) of the last L of S tokens: Q is (L, d), K (S, d), V (S, d′)."""
    L, S = len(Q), len(K)
    scores = Q @ K.T / np.sqrt(Q.shape[1])
    scores = np.where(np.tri(L, S, S - L), scores, -np.inf)
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True) @ V


@attention_repaired.check
def _(answer, rng):
    def attempt(Q, K, V):
        expected = []
        for i, q in enumerate(Q):
            seen = len(K) - len(Q) + i + 1
            scores = [math.fsum(a * b for a, b in zip(q, k, strict=True)) for k in K[:seen]]
            expected.append(_softmax(np.array(scores) / len(q) ** 0.5) @ V[:seen])
        args, expected = (Q, K, V), np.array(expected)
        agree(answer, args, expected, "the mean of the values", rtol=1e-5, atol=1e-6)

    for _ in range(3):
        L, more, d, width = sizes(rng, 4)
        S = L + more
        attempt(*(rng.normal(size=shape) for shape in ((L, d), (S, d), (S, width))))
    attempt(rng.normal(size=(1, 4)), rng.normal(size=(6, 4)), rng.normal(size=(6, 3)))
    attempt(rng.normal(size=(5, 3)), rng.normal(size=(5, 3)), rng.normal(size=(5, 2)))
    huge = np.zeros((4, 4))  # scores that overflow without a shift, and are exact in float32
    huge[:, 0], huge[:, 1] = [4000, 4000, -4000, 3996], [0, 4, 8, 0]
    attempt(np.array([[1.0, 0.5, 0, 0], [-1.0, 0.25, 0, 0]]), huge, np.eye(4)[:, :3])


_ATTENTION_BUGS = {  # which of three bugs are left: the scale, the triangle, when it is masked
    (0, 0, 1): "one bug is left: masked after the softmax, a row no longer sums to 1",
    (0, 1, 0): "one bug is left: the queries are the last of the tokens, the triangle takes them "
    "for the first",
    (1, 0, 0): "one bug is left: the root is of the length of a query, not of the number of keys",
    (0, 1, 1): "two bugs are left: what the triangle takes the queries for, and when it masks",
    (1, 0, 1): "two bugs are left: what stands under the root, and when it is masked",
    (1, 1, 0): "two bugs are left: what stands under the root, and the triangle",
    (1, 1, 1): "this is the program as it stands: three bugs are to be found",
}


@attention_repaired.mistakes
def _(Q, K, V):
    (L, d), S = Q.shape, len(K)
    triangle, z = np.tri(L, S, S - L, dtype=bool), Q @ K.T

    def masked(allowed=triangle, scale=d**0.5, low=-np.inf):
        return _softmax(np.where(allowed, z / scale, low))

    found = {
        text: (
            _softmax(z / (S if root else d) ** 0.5) * np.tri(L, S, 0 if first else S - L)
            if after
            else masked(np.tri(L, S, 0 if first else S - L), (S if root else d) ** 0.5)
        )
        for (root, first, after), text in _ATTENTION_BUGS.items()
    }
    down = np.exp(np.where(triangle, z / d**0.5, -np.inf) - z.max() / d**0.5)
    found |= {
        "the scores are not divided by √d": masked(scale=1),
        "divide by the root of d, not by d": masked(scale=d),
        "divide by √d, do not multiply": masked(scale=d**-0.5),
        "nothing is masked": _softmax(z / d**0.5),
        "a forbidden score became 0, which is a score like any other": masked(low=0),
        "a token may see itself: the triangle is one key too short": np.nan_to_num(
            masked(np.tri(L, S, S - L - 1, dtype=bool), low=-1e300)
        ),
        "the triangle is one key too long: each query sees the next token": (
            masked(np.tri(L, S, S - L + 1, dtype=bool))
        ),
        "the mask is the wrong way round": masked(~triangle, low=-1e300),
        "the softmax runs down the queries: each row must sum to 1": (
            down / np.maximum(down.sum(axis=0), 1e-300)
        ),
        "one sum for all rows: each query has its own": down / down.sum(),
        "a row is divided twice: its weights sum to 1 before that": masked()
        / np.arange(S - L + 1, S + 1)[:, None],
    }
    return {text: A @ V for text, A in found.items()} | {
        "these are the weights: spend them on the values": masked(),
    }


# ---------------------------------------------------------------- 11.3
@exercise(
    "11.3",
    hints=(
        "`x[:, ::2]` and `x[:, 1::2]` are the two halves of the pairs, (T, d/2) each. Pair number "
        "i of row t turns by the angle positions[t] · 10000^(−2i/d).",
        "`positions[:, None] * 10_000.0 ** (-np.arange(0, d, 2) / d)` holds all angles. A pair "
        "(a, b) becomes (a cos − b sin, a sin + b cos).",
        "Back into the order a₀, b₀, a₁, b₁, …: stack both along a new last axis, then reshape.",
    ),
    why="Turned by p and by p′, a pair of the query and one of the key meet at an angle that only "
    "p′ − p changes, so a score knows how far apart two tokens are, not where. Which coordinates "
    "make a pair does not matter for that, but a model trained with neighbors gives nonsense with "
    "the chapter's halves: the weights know the pairs.",
)
def rotate(x, positions):
    """Rows x (T, d) turned by their positions (T,), neighbors (x₀, x₁), (x₂, x₃), … as pairs."""
    d = x.shape[1]
    angle = positions[:, None] * 10_000.0 ** (-np.arange(0, d, 2) / d)
    a, b, cos, sin = x[:, ::2], x[:, 1::2], np.cos(angle), np.sin(angle)
    return np.stack([a * cos - b * sin, a * sin + b * cos], axis=-1).reshape(x.shape)


@rotate.check
def _(answer, rng):
    def attempt(x, positions):
        expected = np.empty(x.shape)
        for t, i in np.ndindex(len(x), x.shape[1] // 2):
            turn = np.exp(1j * positions[t] / 10_000 ** (2 * i / x.shape[1]))
            pair = complex(*x[t, 2 * i : 2 * i + 2]) * turn
            expected[t, 2 * i : 2 * i + 2] = pair.real, pair.imag
        agree(answer, (x, positions), expected, "the array of turned rows")

    for _ in range(4):
        T, half = sizes(rng, 2)
        attempt(rng.normal(size=(T, 2 * half)), rng.permutation(100)[:T] - 20)
    attempt(np.eye(4), np.array([7, 7, 7, 7]))
    attempt(np.array([[3.0, -4.0]]), np.array([1]))
    attempt(np.ones((2, 6)), np.array([0, 1000]))


@rotate.mistakes
def _(x, positions):
    T, d = x.shape
    a, b, steps = x[:, ::2], x[:, 1::2], np.arange(0, d, 2) / d

    def turned(angle, a=a, b=b):
        return a * np.cos(angle) - b * np.sin(angle), a * np.sin(angle) + b * np.cos(angle)

    def woven(a, b):
        return np.stack([a, b], axis=2).reshape(x.shape)

    def paired(angle):
        return woven(*turned(angle))

    angle = positions[:, None] * 10_000.0**-steps
    cos, sin = np.cos(angle), np.sin(angle)
    first, second = np.split(x, 2, axis=1)
    return {
        "these are the chapter's pairs, (x₀, x_{d/2}), …: here neighbors make a pair": (
            np.concatenate(turned(angle, first, second), axis=1)
        ),
        "the pairs are turned, but not put back between each other: a₀, b₀, a₁, b₁, …": (
            np.concatenate(turned(angle), axis=1)
        ),
        "the pairs turn the other way: a cos − b sin, a sin + b cos": paired(-angle),
        "sine and cosine have changed places": woven(a * sin - b * cos, a * cos + b * sin),
        "the rate of pair i is 10000^(−2i/d), here it is 10000^(−i/d)": (
            paired(positions[:, None] * 10_000.0 ** (-steps / 2))
        ),
        "the rate of pair i is 10000^(−2i/d), here it is 10000^(−4i/d)": (
            paired(positions[:, None] * 10_000.0 ** (-2 * steps))
        ),
        "the rates rise: the exponent has a minus, 10000^(−2i/d)": (
            paired(positions[:, None] * 10_000.0**steps)
        ),
        "all pairs turn alike: each has a rate of its own": paired(positions[:, None] + 0 * steps),
        "positions is not used: its rows need not begin at 0": (
            paired(np.arange(T)[:, None] * 10_000.0**-steps)
        ),
        "positions begin at 0, here they are one too large": (
            paired((positions[:, None] + 1) * 10_000.0**-steps)
        ),
        "angles are radians already": paired(np.radians(angle)),
        "the angle makes whole turns: leave 2π out": paired(2 * np.pi * angle),
        "waves are added, as sinusoidal positions do: here pairs are turned": x + woven(sin, cos),
        "a minus is missing: a cos − b sin": woven(a * cos + b * sin, a * sin + b * cos),
    }


# ---------------------------------------------------------------- 11.4
VOCABULARY, LONGEST = 50, 64


def _model(mix, extra=lambda tokens: 0):
    """A language model on random embeddings: (T,) → (T, 50).

    `mix` makes of the tokens' vectors what each place sees, `extra` adds to the scores.
    """
    draws = np.random.default_rng(11)
    embedding, out = draws.normal(size=(VOCABULARY, 6)), draws.normal(size=(6, VOCABULARY))

    def model(tokens):
        tokens = np.asarray(tokens)
        if tokens.ndim != 1 or not 1 <= len(tokens) <= LONGEST or tokens.dtype.kind not in "iu":
            raise Wrong(f"the model takes 1 to {LONGEST} tokens: an array of whole numbers, (T,)")
        if tokens.min() < 0 or tokens.max() >= VOCABULARY:
            raise Wrong(f"the model knows the tokens 0 … {VOCABULARY - 1}")
        return 3 + np.tanh(mix(embedding[tokens]) @ out) + extra(tokens)

    return model


def _running(x):
    """The mean of each row and all before it."""
    return np.cumsum(x, axis=0) / np.arange(1, len(x) + 1)[:, None]


def _banded(x, back, ahead):
    """The mean of rows from so many back to so many ahead."""
    T = len(x)
    band = np.tri(T, T, ahead) - np.tri(T, T, -back - 1)
    return band @ x / band.sum(axis=1, keepdims=True)


def _attending(x, ahead=0):
    T = len(x)
    return _softmax(np.where(np.tri(T, T, ahead), x @ x.T, -np.inf)) @ x


def _moved(x, by):
    """Row i + by in place of row i, zeros where there is none."""
    moved = np.zeros_like(x)
    moved[: max(len(x) - by, 0)] = x[by:]
    return moved


def _one_ahead_at_first(x):
    return _running(x) + np.eye(len(x), 1) * (x[1] if len(x) > 1 else 0)


def _into_one_score(tokens):
    return 1e-2 * tokens.sum() * (np.arange(VOCABULARY) == 7)


def _padding_ahead(tokens):
    later = (tokens == 0).sum() - np.cumsum(tokens == 0)
    return 0.1 * (later > 0)[:, None]


_CAUSAL_MODELS = {
    "one whose seventh digit depends on the length, by rounding": partial(
        _model, lambda x: _running(x) * (1 + 1e-7 * len(x))
    ),
    "one that takes the mean of all tokens so far": partial(_model, _running),
    "one that attends with a causal mask": partial(_model, _attending),
    "one that knows the latest two tokens": partial(_model, lambda x: _banded(x, 1, 0)),
    "one that looks back over 20 tokens": partial(_model, lambda x: _banded(x, 20, 0)),
    "one that counts positions from the beginning": partial(
        _model, lambda x: _running(x) + 0.1 * np.arange(len(x))[:, None]
    ),
    "one that sees nothing and always says the same": partial(_model, lambda x: 0 * x),
}
_LEAKY_MODELS = {
    "one without any mask": partial(_model, lambda x: _attending(x, LONGEST)),
    "one whose mask lets each token see the next": partial(_model, lambda x: _attending(x, 1)),
    "one that subtracts the mean over the whole text": partial(
        _model, lambda x: _running(x) - x.mean(axis=0)
    ),
    "one that counts positions from the end": partial(
        _model, lambda x: _running(x) + 0.1 * np.arange(len(x))[::-1, None]
    ),
    "one in which the first token sees the second, no other sees any": partial(
        _model, _one_ahead_at_first
    ),
    "one that sees the token 40 places ahead": partial(
        _model, lambda x: _running(x) + _moved(x, 40)
    ),
    "one that sees all tokens ahead, but gives them a thousandth": partial(
        _model, lambda x: _running(x) + 1e-3 * x.mean(axis=0)
    ),
    "one that leaks into one of its 50 scores": partial(_model, _running, _into_one_score),
    "one that sees ahead whether the token 0 will come": partial(_model, _running, _padding_ahead),
}


@exercise(
    "11.4",
    hints=(
        "What a model says of the first t tokens must not depend on what follows, not even on "
        "whether anything follows. Which two calls say the same if it is causal?",
        "`model(tokens)[:t]` and `model(tokens[:t])` must agree, up to rounding: `np.allclose`.",
        "Try every t of a long text: one of the models leaks at the first place alone, another 40 "
        "places ahead. And try several texts, for one of them leaks only where a 0 comes.",
    ),
    why="Cutting the text is a stronger test than changing a token: it also finds a model that "
    "knows how much follows. It is what the KV cache does, so where both ways give the same "
    "scores the cache is right and nothing leaks. The loss does not tell: it falls so low that one "
    "is pleased.",
)
def looks_ahead(model):
    """Whether a language model, tokens (T,) to scores (T, 50), looks at tokens that come later."""
    for seed in range(5):
        tokens = np.random.default_rng(seed).integers(50, size=64)
        scores = model(tokens)
        for t in range(1, len(tokens)):
            if not np.allclose(model(tokens[:t]), scores[:t]):
                return True
    return False


@looks_ahead.check
def _(answer, rng):
    def verdict(make):
        model = make()
        model.__qualname__ = "model"  # as a message about wrong arguments tells it
        said = answer(model)
        if not isinstance(said, bool | np.bool_):
            raise Wrong(f"return True or False, got {type(said).__name__}")
        return bool(said)

    refused = [name for name, make in _CAUSAL_MODELS.items() if verdict(make)]
    if len(refused) == len(_CAUSAL_MODELS):
        raise Wrong("your test refuses every causal model")
    if refused:
        raise Wrong(f"your test refuses a causal model: {refused[0]}")
    missed = [name for name, make in _LEAKY_MODELS.items() if not verdict(make)]
    if missed:
        more = f", and {len(missed) - 1} more" if missed[1:] else ""
        raise Wrong(f"your test passes a model that looks ahead: {missed[0]}{more}")


def _prefix_test(*, length=LONGEST, places=range(1, LONGEST), low=0, texts=5, see=lambda s: s,
                 close=np.allclose):  # fmt: skip
    """A test by prefixes that looks at less."""

    def test(model):
        for seed in range(texts):
            tokens = np.random.default_rng(seed).integers(low, VOCABULARY, size=length)
            whole = model(tokens)
            for t in places:
                if t < length and not close(see(model(tokens[:t])), see(whole[:t])):
                    return True
        return False

    return test


def _last_changed(model):
    """A test that changes the last token and keeps the length."""
    for seed in range(20):
        tokens = np.random.default_rng(seed).integers(VOCABULARY, size=LONGEST)
        before = model(tokens)[:-1]
        for token in (0, 1, 2):
            tokens[-1] = token
            if not np.allclose(model(tokens)[:-1], before):
                return True
    return False


looks_ahead.wrongs(
    {
        "your test refuses every causal model": lambda model: True,
        "refuses a causal model: one whose seventh digit": _prefix_test(close=np.array_equal),
        "passes a model that looks ahead: one without any mask, and 8 more": lambda model: False,
        "passes a model that looks ahead: one that counts positions from the end": _last_changed,
        "passes a model that looks ahead: one in which the first token": _prefix_test(
            places=range(2, LONGEST)
        ),
        "passes a model that looks ahead: one that sees the token 40": _prefix_test(length=20),
        "passes a model that looks ahead: one that sees all tokens ahead, but": _prefix_test(
            close=partial(np.allclose, atol=0.02)
        ),
        "passes a model that looks ahead: one that leaks into one": _prefix_test(
            see=lambda scores: scores[:, [0, 10, 20, 30, 40]]
        ),
        "passes a model that looks ahead: one that sees ahead whether": _prefix_test(low=1),
        "return True or False, got int": lambda model: 0,
        "the model takes 1 to 64 tokens": _prefix_test(places=[0]),
        "the model knows the tokens 0 … 49": lambda model: bool(model(np.arange(60)).all()),
    }
)


# ---------------------------------------------------------------- 11.5
@exercise(
    "11.5",
    hints=(
        "Sort: `order = np.argsort(-p)`, the most probable first. A token stays as long as those "
        "*before* it do not reach `top_p`.",
        "`np.cumsum(ranked) - ranked` is what stands before each, with `ranked = p[order]`.",
        "`order[stays]` are the places of those that stay. Put their probabilities into zeros of "
        "the shape of p, and divide by their sum.",
    ),
    why="The token that crosses top_p belongs to the nucleus, or a sure model, 0.97 for the best, "
    "would have none left for top_p = 0.9. Where the model is sure few tokens stay, where it "
    "wavers many do: that is what top-k cannot.",
)
def nucleus(p, top_p):
    """Probabilities p (V,) cut to the fewest most probable that reach top_p, made to sum to 1."""
    order = np.argsort(-p)
    ranked = p[order]
    stays = order[np.cumsum(ranked) - ranked < top_p]
    kept = np.zeros(len(p))
    kept[stays] = p[stays]
    return kept / kept.sum()


@nucleus.check
def _(answer, rng):
    def attempt(p, top_p):
        p, left, expected = np.asarray(p, float), float(top_p), np.zeros(len(p))
        for token in sorted(range(len(p)), key=lambda k: p[k], reverse=True):
            if left > 0:
                expected[token] = p[token]
            left -= float(p[token])
        agree(answer, (p, top_p), expected / math.fsum(expected), "the array of probabilities")

    for top_p in (0.7, 0.8, 0.5, 0.9):
        V = sizes(rng, 1)[0] + 3
        attempt(rng.permutation(rng.dirichlet(np.full(V, 0.7))), top_p)
    powers = np.array([1, 8, 4, 1, 2]) / 16  # sums of these are exact
    for top_p in (0.5, 0.75, 0.8125, 0.875, 1.0, 0.25):
        attempt(powers, top_p)
    attempt([0.01, 0.97, 0.02], 0.9)
    attempt([1.0], 0.3)


@nucleus.mistakes
def _(p, top_p):
    order = np.argsort(-p, kind="stable")
    ranked = p[order]
    total, V = np.cumsum(ranked), len(p)
    before = total - ranked

    def made(stays, values=p):
        kept = np.where(stays, values, 0.0)
        with np.errstate(invalid="ignore"):
            return kept / kept.sum()

    def of(ranks):
        stays = np.zeros(V, bool)
        stays[order[ranks]] = True
        return stays

    right = of(before < top_p)
    rising = np.cumsum(ranked[::-1])[::-1] - ranked  # what is less probable
    return {
        "the token that crosses top_p stays: compare what stands before it": made(
            of(total <= top_p)
        ),
        "what reaches top_p exactly is enough: one token too many stays": made(of(before <= top_p)),
        "the probabilities that are left must sum to 1 again": np.where(right, p, 0),
        "the result is sorted: each token keeps its place": (
            np.where(before < top_p, ranked, 0) / ranked[before < top_p].sum()
        ),
        "p is added up unsorted: the most probable come first": made(np.cumsum(p) - p < top_p),
        "the least probable come first: sort downward": made(of(rising < top_p)),
        "nothing is cut off: p[order] is a copy, to write into it leaves p as it is": p,
        "which ranks stay is not which tokens stay: order[…] has their places": made(
            (before < top_p)[order]
        ),
        "this compares each probability with top_p times the largest": made(p >= top_p * p.max()),
        "this compares each probability with 1 − top_p": made(p >= 1 - top_p),
        "top_p is no share of the tokens: it is the probability to reach": made(
            of(np.arange(V) < max(1, round(top_p * V)))
        ),
        "the probabilities of the nucleus stay as unlike as they were": made(right, np.ones(V)),
        "no second softmax: divide by the sum": made(right, np.exp(p)),
        "what falls away goes to the best token alone: it is shared out in proportion": (
            np.where(right, p, 0) + (1 - p[right].sum()) * (np.arange(V) == order[0])
        ),
        "these are truth values, which tokens stay: probabilities are asked for": right,
    }


# ---------------------------------------------------------------- 11.6
@exercise(
    "11.6",
    hints=(
        "First append: `np.vstack([keys, k])`, and the same for the values. The new token is among "
        "those that it looks at.",
        "Then keep the last `window` rows, `[-window:]`; fewer rows stay as they are.",
        "Now it is attention with one query: `keys @ q / np.sqrt(len(q))`, softmax, times values.",
    ),
    why="The cache stops growing: memory and work for a token no longer depend on how much was "
    "written. What is older still has an influence, through the layers: in L layers news travels "
    "L · (window − 1) tokens. Mistral 7B does this with 4,096 tokens in 32 layers.",
)
def step(q, k, v, keys, values, window):
    """Attention of a new token that sees itself and the window − 1 tokens before it.

    q, k are (d,), v is (d′,); keys (S, d) and values (S, d′) are kept from before, oldest first.
    Returns what the token gets, (d′,), and both as they are to be kept.
    """
    keys, values = np.vstack([keys, k])[-window:], np.vstack([values, v])[-window:]
    scores = keys @ q / np.sqrt(len(q))
    e = np.exp(scores - scores.max())
    return e @ values / e.sum(), keys, values


@step.check
def _(answer, rng):
    def attempt(Q, K, V, window, t):
        """Token t of a text, by attention over the whole text with a band as its mask."""
        first = max(0, t - window)
        scores = np.full(len(K), -np.inf)
        for j in range(max(0, t - window + 1), t + 1):
            scores[j] = math.fsum(a * b for a, b in zip(Q[t], K[j], strict=True)) / len(Q[t]) ** 0.5
        seen = np.isfinite(scores)
        expected = {
            "the output": _softmax(scores) @ V,
            "the array of keys": K[seen],
            "the array of values": V[seen],
        }
        args = Q[t], K[t], V[t], K[first:t], V[first:t], window
        agree(answer, args, expected, rtol=1e-5, atol=1e-6)

    for _ in range(2):
        d, width, window = sizes(rng, 3)
        T = window + 4
        text = tuple(rng.normal(size=(T, n)) for n in (d, d, width))
        for t in (T - 1, window, window - 1, window - 2, T - 3, 1, 0):
            attempt(*text, window, t)
    lone = tuple(rng.normal(size=(3, 2)) for _ in range(3))
    attempt(*lone, 1, 2)
    large = (
        np.array([[1.0, 0.0]] * 4),
        3000 * np.array([[1, 0], [1, 1], [-1, 0], [1, 1]]),
        np.eye(4),
    )
    attempt(*large, 3, 3)
    attempt(large[0], -large[1], large[2], 3, 3)


@step.mistakes
def _(q, k, v, keys, values, window):
    d, S = len(q), len(keys)
    all_keys, all_values = np.vstack([keys, k]), np.vstack([values, v])

    def attend(keys, values, scale=d**0.5):
        return _softmax(keys @ q / scale) @ values

    def whole(keys, values):
        return attend(keys, values), keys, values

    kept = all_keys[-window:], all_values[-window:]
    weights = _softmax(kept[0] @ q / d**0.5)
    ring = [np.array(one) for one in (all_keys, all_values)]
    if window < len(all_keys):
        ring = [np.vstack([one[-1:], one[1:-1]]) for one in ring]
    found = {
        "the oldest token must leave when there are more than `window`": whole(
            all_keys, all_values
        ),
        "this keeps the oldest: the newest `window` tokens are to be kept": whole(
            all_keys[:window], all_values[:window]
        ),
        "the new token comes last: here it stands before the others": whole(
            *(np.vstack([one[-1:], one[:-1]]) for one in kept)
        ),
        "the new token takes the place of the oldest: the order must stay": (..., *ring),
        "the token looks at one too many: drop the oldest before the softmax": (
            attend(all_keys, all_values), ..., ...,
        ),
        "the scores are not divided by √d": (attend(*kept, 1), ..., ...),
        "divide by √d, not by d": (attend(*kept, d), ..., ...),
        "d is the length of q, not the number of keys": (
            attend(*kept, len(kept[0]) ** 0.5), ..., ...,
        ),
        "the weights are spent on the values, not on the keys": (weights @ kept[0], ..., ...),
        "this is the value of the best key: take the mean under the weights": (
            kept[1][weights.argmax()], ..., ...,
        ),
        "the weights must sum to 1": (np.exp(kept[0] @ q / d**0.5) @ kept[1], ..., ...),
        "what is to be kept are keys: here the query went among them": (
            ..., np.vstack([keys, q])[-window:], ...,
        ),
        "the output is no value: keep v": (
            ..., ..., np.vstack([values, weights @ kept[1]])[-window:],
        ),
    }  # fmt: skip
    if window > 1:
        found["one token too few stays: `window` counts the new one, too"] = whole(
            all_keys[1 - window :], all_values[1 - window :]
        )
    if S:
        found |= {
            "the token looks at itself, too: append before the softmax": (
                attend(*(one[: len(one) - 1] for one in kept)) if len(kept[0]) > 1 else 0 * v,
                ..., ...,
            ),
            "the new token is not kept": (..., keys, values),
        }  # fmt: skip
    return found


# ---------------------------------------------------------------- 11.7
@exercise(
    "11.7",
    hints=(
        "Perplexity is e to the mean loss of a token: among how many equally likely tokens the "
        "model would waver as much.",
        "Bits are nats divided by ln 2. Add the bits of the whole text up before you divide.",
        "`sizes[tokens]` is how many bytes each token of the text has; its sum is the text.",
    ),
    why="Larger tokens are fewer and each is harder to guess: perplexity rises though the model is "
    "no worse. All cuts of a text have the same bytes, so bits per byte compare them, with gzip, "
    "too. The mean of each token's own ratio would count short tokens as much as long ones.",
)
def judged(nats, tokens, sizes):
    """Perplexity of a token, and bits per byte, of a text.

    nats (T,) is the loss −ln p of each of its tokens (T,), sizes (V,) the bytes of every token
    that there is.
    """
    bits = nats.sum() / np.log(2)
    return np.exp(nats.mean()), bits / sizes[tokens].sum()


@judged.check
def _(answer, rng):
    def attempt(nats, tokens, lengths):
        text = b"".join(b"x" * int(lengths[token]) for token in tokens)
        p = math.prod(math.exp(-loss) for loss in nats)
        expected = {
            "the perplexity": p ** (-1 / len(nats)),
            "the number of bits per byte": -math.log2(p) / len(text),
        }
        agree(answer, (np.asarray(nats), np.asarray(tokens), np.asarray(lengths)), expected)

    for _ in range(4):
        T, V = sizes(rng, 2)
        lengths = rng.integers(1, 9, size=V + 3)
        attempt(rng.uniform(0.2, 6, size=T + 3), rng.integers(V + 3, size=T + 3), lengths)
    attempt([np.log(256.0)] * 3, [65, 66, 65], np.ones(256, int))
    attempt([0.0, 0.0], [0, 1], [3, 2])
    attempt([2.5], [1], [1, 4, 2])


@judged.mistakes
def _(nats, tokens, sizes):
    mean, own = nats.mean(), sizes[tokens]
    bits = nats / np.log(2)
    right = bits.sum() / own.sum()
    return {
        "the perplexity is e to the mean, not 2 to it: the loss is in nats": (2**mean, ...),
        "the perplexity is that of a token: e to the mean, not to the sum": (
            np.exp(nats.sum()), ...,
        ),
        "take the mean before exp: this is the mean of 1/p": (np.exp(nats).mean(), ...),
        "this is the mean probability: the perplexity is e to the mean loss": (
            np.exp(-nats).mean(), ...,
        ),
        "the perplexity is upside down: e to the loss, not to minus it": (np.exp(-mean), ...),
        "exp is missing in the perplexity": (mean, ...),
        "e to the bits: take 2 to them, or e to the nats": (np.exp(bits.mean()), ...),
        "this is the perplexity of a byte: that of a token is asked for": (
            np.exp(nats.sum() / own.sum()), ...,
        ),
        "these are nats per byte: divide by ln 2": (..., nats.sum() / own.sum()),
        "divide by ln 2, do not multiply": (..., nats.sum() * np.log(2) / own.sum()),
        "these are bits per token: divide by the bytes": (..., bits.mean()),
        "divide the bits of the text by its bytes: this is the mean of each token's ratio": (
            ..., (bits / own).mean(),
        ),
        "add up the bytes of this text: sizes[tokens], not sizes": (..., bits.sum() / sizes.sum()),
        "divide by the bytes of this text, not by the mean token of the vocabulary": (
            ..., bits.mean() / sizes.mean(),
        ),
        "a token that comes twice has its bytes twice": (
            ..., bits.sum() / sizes[np.unique(tokens)].sum(),
        ),
        "the numbers of the tokens are not their bytes: look them up in sizes": (
            ..., bits.sum() / max(tokens.sum(), 1),
        ),
        "this is bytes per bit": (..., 1 / right if right else np.inf),
        "this is the text's bits over the bytes, and over the tokens once more": (
            ..., right / len(nats),
        ),
    }  # fmt: skip


# ---------------------------------------------------------------- 11.8
@exercise(
    "11.8",
    hints=(
        "Find the last point that is not below the level, `np.flatnonzero(bits >= level)[-1]`. The "
        "curve passes the level for good between it and the next one.",
        "Between the two the share of the way is (bits[i] − level) / (bits[i] − bits[i+1]).",
        "Straight over the logarithm of time: the share is a power, seconds[i] · "
        "(seconds[i+1] / seconds[i]) ** share. And mind the curves that never or always lie below.",
    ),
    why="Loss often falls by like amounts when time doubles, so a straight line between two points "
    "is nearer to the truth over log time. A curve that dips and rises again has not won: what "
    "counts is from when on it stays below. And a winner at 180 seconds may be a loser at 60.",
)
def overtakes(seconds, bits, level):
    """From how many seconds on a curve stays below `level`; infinity if its end is not below.

    bits (K,) were measured after seconds (K,), which rise; between them the curve is straight over
    the logarithm of time. One that is always below stays so from its first point on.
    """
    not_below = np.flatnonzero(bits >= level)
    if len(not_below) == 0:
        return seconds[0]
    i = not_below[-1]
    if i == len(bits) - 1:
        return np.inf
    share = (bits[i] - level) / (bits[i] - bits[i + 1])
    return seconds[i] * (seconds[i + 1] / seconds[i]) ** share


def _passes(seconds, bits, level, *, time=np.log, back=np.exp):
    """All times at which the curve passes the level from above, by its roots."""
    from scipy.optimize import brentq

    found = []
    for i in range(len(bits) - 1):
        if bits[i] >= level > bits[i + 1]:
            ends = time(seconds[i : i + 2])
            gap = partial(_gap, ends=ends, bits=bits[i : i + 2], level=level)
            found.append(float(back(brentq(gap, *ends, xtol=1e-14, rtol=1e-14))))
    return found


def _gap(at, ends, bits, level):
    return np.interp(at, ends, bits) - level


@overtakes.check
def _(answer, rng):
    def attempt(seconds, bits, level):
        seconds, bits = np.asarray(seconds, float), np.asarray(bits, float)
        passes = _passes(seconds, bits, level)
        expected = passes[-1] if passes else float(seconds[0])
        expected = expected if bits[-1] < level else np.inf
        agree(answer, (seconds, bits, level), expected, "the time", atol=1e-7)

    for waves in (0.1, 1.5, 0.1, 1.5, 0.4):
        K = sizes(rng, 1)[0] + 3
        seconds = np.cumsum(rng.uniform(1, 5, size=K)) ** 2
        bits = np.linspace(4, 1.2, K) + waves * np.cos(3 * np.arange(K)) * np.linspace(1, 0.3, K)
        attempt(seconds, bits, float(rng.uniform(1.7, 2.2)))
    times = [15.0, 30.0, 60.0, 120.0]
    attempt(times, [2.6, 2.2, 1.9, 1.6], 1.835)  # the 5-gram of all data
    attempt(times, [1.9, 1.7, 1.6, 1.5], 2.0)  # always below
    attempt(times, [2.6, 2.2, 1.9, 1.9], 1.8)  # never
    attempt(times, [2.6, 1.7, 1.6, 2.2], 2.0)  # not for good
    attempt(times, [2.6, 1.7, 2.4, 1.6], 2.0)
    attempt(times, [2.6, 2.0, 1.9, 1.6], 2.0)  # a point on the level
    attempt(times, [2.6, 2.3, 2.2, 2.0], 2.0)
    attempt([7.0], [2.0], 1.0)
    attempt([7.0], [1.0], 2.0)


@overtakes.mistakes
def _(seconds, bits, level):
    right = overtakes.reference(seconds, bits, level)
    under = np.flatnonzero(bits < level)
    passes = _passes(seconds, bits, level)
    straight = _passes(seconds, bits, level, time=np.asarray, back=np.asarray)
    first_point = seconds[under[0]] if len(under) else np.inf
    last_above = np.flatnonzero(bits >= level)
    ends_below = bool(bits[-1] < level)
    crosses = bool(passes) and ends_below
    i = int(last_above[-1]) if crosses else 0
    found = {
        "straight over the logarithm of time: this is straight over time": (
            straight[-1] if crosses else right
        ),
        "the curve comes back: this is the first time, ask for the last": (
            right if not passes or bits[0] < level else passes[0]
        ),
        "this is the first point below the level: pass it between two points": first_point,
        "this is the first point from which all are below: pass the level before it": (
            seconds[i + 1] if crosses else right
        ),
        "this is the last point that is not below: pass the level after it": (
            seconds[i] if crosses else right
        ),
        "a curve that ends above the level has not won: infinity": (
            right if ends_below else passes[-1] if passes else seconds[-1]
        ),
        "a curve that ends above the level never stays below it, not from its end on": (
            right if ends_below else seconds[-1]
        ),
        "a curve that is always below stays so from its first point on, not from 0": (
            right if len(last_above) else 0.0
        ),
        "a curve that is always below has won, at its first point": (
            right if len(last_above) else np.inf
        ),
        "this is the place among the points: give the seconds": (
            i + (bits[i] - level) / (bits[i] - bits[i + 1]) if crosses else right
        ),
        "this is the logarithm: give the seconds": np.log(right),
        "below the level is better: this waits until the curve is above": (
            seconds[0] if not len(under) else np.inf if ends_below else right
        ),
    }
    if crosses:
        share = (bits[i] - level) / (bits[i] - bits[i + 1])
        low, high = seconds[i], seconds[i + 1]
        found["the share of the way is counted from the wrong end"] = low**share * high ** (
            1 - share
        )
    else:
        found["the share of the way is counted from the wrong end"] = right
    return found


# ---------------------------------------------------------------- 11.9
@exercise(
    "11.9",
    hints=(
        "Go through `words` and remember the word of the piece before. There are three cases: no "
        "word, a new word, the same word as before.",
        "First words of entities have odd numbers, 1, 3, 5, 7; the number after it stands for the "
        "words that go on with it.",
        "So a further piece gets `label + label % 2`: 3 becomes 4, while 0 and 4 stay.",
    ),
    why="Two conventions, both right, as long as training and reading agree. The chapter scores "
    "the first piece alone and gives −100 to the rest, so that a long name counts no more than a "
    "short one. Here every piece learns; a copied B- would say that Wolff, cut into three, are "
    "three persons.",
)
def every_piece(labels, words):
    """A label for each piece: labels (W,) are the words', words (P,) the word of each piece, or −1.

    A word's first piece gets its label, the others that of a word inside the entity; −1 gets −100.
    """
    given, before = [], None
    for word in words:
        if word < 0:
            given.append(-100)
        elif word != before:
            given.append(labels[word])
        else:
            given.append(labels[word] + labels[word] % 2)
        before = word
    return np.array(given)


@every_piece.check
def _(answer, rng):
    def attempt(labels, words):
        inside = dict(enumerate([0, 2, 2, 4, 4, 6, 6, 8, 8]))
        expected = np.full(len(words), -100)
        for word in {w for w in words if w >= 0}:
            first, *rest = (p for p, w in enumerate(words) if w == word)
            expected[first], expected[rest] = labels[word], inside[labels[word]]
        agree(answer, (np.array(labels), np.array(words)), expected, "the array of labels")

    for _ in range(4):
        W, _ = sizes(rng, 2)
        labels = rng.permutation([1, 2, 3, 0, 5, 6, 7, 8, 4])[:W]
        counts = rng.permutation([1, 2, 3, 1, 4, 2, 1, 3, 2])[:W]
        words = np.repeat(np.arange(W), counts).tolist()
        attempt(labels.tolist(), [-1, *words, -1])
    attempt([3, 0, 7], [-1, 0, 0, 0, 1, 1, 2, -1, -1, -1])  # padding
    attempt([1, 2], [0, 0, 1, 1])  # nothing around
    attempt([0, 5, 3], [-1, 0, 1, 1, -1, 2, 2, -1])  # a separator


@every_piece.mistakes
def _(labels, words):
    right = every_piece.reference(labels, words)
    special, own = words < 0, labels[words]
    first = np.append(True, words[1:] != words[:-1]) & ~special
    starts, counts = np.flatnonzero(first), np.append(words[1:] == words[:-1], False)
    plain = np.where(special, -100, own)
    found = {
        "this is the chapter's way, −100 for all but a word's first piece: here each is labeled": (
            np.where(first, right, -100)
        ),
        "all pieces of a word get its label: a copied B- begins an entity again": plain,
        "pieces that are no word get −100, not 0": np.where(special, 0, right),
        "pieces that are no word get −100, not −1": np.where(special, -1, right),
        "−1 is no word: as an index it takes the last label": (
            np.where(special, np.where(first, own, own + own % 2), right)
        ),
        "the first piece keeps the label of its word": np.where(special, -100, own + own % 2),
        "further pieces of a word outside are outside, too": (
            np.where(special, -100, np.where(first, own, own + 1 - (own > 0) * (1 - own % 2)))
        ),
        "further pieces get the number after their word's, but 2, 4, 6, 8 stay": (
            np.where(special, -100, np.where(first, own, own + (own > 0)))
        ),
        "further pieces go up by one only from odd numbers: 0, 2, 4, 6, 8 stay": (
            np.where(special, -100, np.where(first, own, own + 1))
        ),
        "further pieces belong to the entity: they are not outside": (
            np.where(special | first, plain, 0)
        ),
        "the number of what goes on is one more, not one less": (
            np.where(special | first, plain, own - own % 2)
        ),
        "the last piece of a word keeps its label here: the first one does": (
            np.where(special, -100, np.where(counts, own + own % 2, own))
        ),
        "labels go from piece to piece, not from word to word": (
            np.where(special, -100, np.resize(labels, len(words)))
        ),
        "everything after the first piece is one behind": (
            np.append(right[:1], np.where(special[1:], -100, right[:-1]))
        ),
        "one label for each word: one for each piece is asked for": right[starts],
        "leave the pieces without a word in: they get −100": right[~special],
    }
    return found


# ---------------------------------------------------------------- 11.10
@exercise(
    "11.10",
    hints=(
        "An entity is right only as a whole: kind, first word, last word. Which single change "
        "spoils one of three words, and which one spoils one of a single word?",
        "Let it end a word too early: its last word becomes 0. One of a single word is gone then.",
        "A word is not the last of its entity if the next one goes on with it: an even number "
        "above 0 there.",
    ),
    why="One wrong word an entity is enough, whatever its length, while the words outside come "
    "for free: in news five of six are. So a tagger that finds no single name has more "
    "than 80 % of the words right. This is why entities are counted as wholes, by F1.",
)
def misled(tags):
    """Tags (W,) that find no entity of `tags` (W,), with at most one wrong word for each.

    0 is outside, 1, 3, 5, 7 begin an entity of one of four kinds, 2, 4, 6, 8 go on with it.
    """
    inside = tags * (tags % 2 == 0)
    return np.where(np.append(inside[1:], 0), tags, 0)


def _sentence(rng, parts):
    """Tags of a sentence: as many words of each entity, or outside where a number is negative."""
    found = []
    for length in parts:
        kind = 2 * int(rng.integers(4)) + 1
        found += [0] * -length if length < 0 else [kind] + [kind + 1] * (length - 1)
    return np.array(found)


SENTENCES = (
    (-2, 2, -3, 1, -4), (3, -5, 1), (1, 2, -1, 1, 1), (-1, 4, -6), (1,), (2,), (-7,), (1, 1, 3, 2),
)  # fmt: skip


@misled.check
def _(answer, rng):
    from utils.datasets.entities import TAGS
    from utils.metrics import entities

    def found(tags):
        return entities([TAGS[tag] for tag in tags])

    for parts in SENTENCES + SENTENCES:
        tags = _sentence(rng, parts)
        given = numbers(answer(tags), "the array of tags", tags.shape)
        case = f" for {tags.tolist()}"
        if not np.isin(given, range(len(TAGS))).all():
            raise Wrong(f"tags are whole numbers from 0 to 8, got {given.tolist()}{case}")
        given, whole = given.astype(int), found(tags)
        if whole and np.array_equal(given, tags):
            raise Wrong(f"nothing is changed, every entity is found{case}")
        for before, tag in itertools.pairwise([0, *given.tolist()]):
            if tag and tag % 2 == 0 and before not in (tag - 1, tag):
                raise Wrong(
                    f"{TAGS[tag]} follows {TAGS[before]}: nothing was begun with which it could "
                    f"go on{case}"
                )
        if right := sorted(whole & found(given), key=lambda entity: entity[1]):
            kind, first, end = right[0]
            raise Wrong(f"the {kind} in tags[{first}:{end}] is still found{case}")
        wrong = int((given != tags).sum())
        if wrong > len(whole):
            raise Wrong(f"{wrong} words are wrong, {len(whole)} at most may be{case}")


misled.wrongs(
    {
        "nothing is changed, every entity is found": lambda tags: tags.copy(),
        "words are wrong, 2 at most may be": lambda tags: 0 * tags,
        "I-ORG follows O: nothing was begun": lambda tags: np.where(tags % 2 == 1, 0, tags),
        "I-ORG follows B-": lambda tags: np.where(tags % 2 == 1, (tags + 2) % 8, tags),
        "in tags[7:8] is still found": lambda tags: np.where(tags % 2 == 0, 0, tags),
        "words are wrong, 0 at most may be": lambda tags: (
            misled.reference(tags) if tags.any() else tags + 1
        ),
        "tags are whole numbers from 0 to 8": lambda tags: tags - 1,
        "the array of tags has shape": lambda tags: tags[tags > 0],
    }
)


# ---------------------------------------------------------------- 11.11
@exercise(
    "11.11",
    hints=(
        "`U, S, Vh = torch.linalg.svd(change)`: the best sum of `rank` products of a column and a "
        "row is that of the first ones, each times its S.",
        "So B is `U[:, :rank]`, A is `Vh[:rank]`, and S multiplies one of them: the columns of B, "
        "for instance.",
        "The adapter multiplies B A by alpha / rank: divide by that.",
    ),
    why="By Eckart and Young no matrices of this rank come nearer. For a change of full rank much "
    "is lost, for one that training made often little, and that is LoRA's bet: what a task asks of "
    "a big matrix is a small change. Learned factors need not be orthogonal, as these are.",
)
def adapter(change, rank, alpha):
    """A (rank, n) and B (m, rank) of a low-rank adapter that does nearly what `change` (m, n) does.

    The adapter adds alpha / rank · B A to the weights; as near as can be, by the squared error.
    """
    import torch

    U, S, Vh = torch.linalg.svd(change)
    return Vh[:rank], U[:, :rank] * S[:rank] * rank / alpha


def _low_rank(change, rank):
    """The nearest matrix of a rank, by the eigenvectors of changeᵀ change."""
    _, vectors = np.linalg.eigh(change.T @ change)
    best = vectors[:, -rank:]
    return change @ best @ best.T


def _low_rank_mistakes(change, rank, alpha):
    """What mistakes give as alpha / rank · B A."""
    U, S, Vh = np.linalg.svd(change, full_matrices=False)
    right, scale = _low_rank(change, rank), alpha / rank

    def made(singular, rows=slice(rank)):
        return (U[:, rows] * singular[rows]) @ Vh[rows]

    return {
        "the factor alpha / rank is forgotten: the adapter multiplies by it": scale * right,
        "multiply by rank / alpha: this has multiplied by alpha / rank": scale**2 * right,
        "alpha is divided out, rank is not: the adapter multiplies by alpha / rank": right / rank,
        "the factor rank / alpha is in both matrices: it belongs in once": right / scale,
        "neither the singular values nor rank / alpha are in the matrices": scale
        * made(np.ones_like(S)),
        "the singular values are missing": made(np.ones_like(S)),
        "the singular values are in both matrices: B A has them squared": made(S**2),
        "these are the smallest singular values: take the first ones": made(S, slice(-rank, None)),
        "the singular values are in there by their roots once: multiply both matrices by them": (
            made(np.sqrt(S))
        ),
        "the adapter is 0, as at the start of training": 0 * right,
    }


@adapter.check
def _(answer, rng):
    import torch

    for m, n, rank in ((9, 6, 2), (5, 8, 3), (7, 7, 1), (10, 4, 4)):
        change, alpha = rng.normal(size=(m, n)), float(rng.integers(5, 20))
        A, B = unpack(answer(torch.from_numpy(change), rank, alpha), "A", "B")
        if not (isinstance(A, torch.Tensor) and isinstance(B, torch.Tensor)):
            raise Wrong("return A and B as tensors of PyTorch")
        if (tuple(A.shape), tuple(B.shape)) == ((m, rank), (rank, n)):
            raise Wrong("A and B have changed places: A comes first, (rank, n)")
        A, B = numbers(A, "A", (rank, n)), numbers(B, "B", (m, rank))
        made, nearest = alpha / rank * B @ A, _low_rank(change, rank)
        got, least = (np.square(one - change).sum() for one in (made, nearest))
        if got <= 1.001 * least + 1e-6:
            continue
        for text, wrong in _low_rank_mistakes(change, rank, alpha).items():
            if np.allclose(made, wrong, rtol=1e-4, atol=1e-5):
                raise Wrong(text)
        raise Wrong(f"the squared error is {got:.4g}, the least possible is {least:.4g}")


def _split(singular, *, rows=None, share=None):
    """An adapter with other singular values, rows of them, or factor; S goes into B."""

    def wrong(change, rank, alpha):
        import torch

        U, S, Vh = torch.linalg.svd(change, full_matrices=False)
        chosen = rows(rank) if rows else slice(rank)
        factor = share(rank, alpha) if share else rank / alpha
        return Vh[chosen], U[:, chosen] * singular(S)[chosen] * factor

    return wrong


def _same(S):
    return S


adapter.wrongs(
    {
        "the factor alpha / rank is forgotten": _split(_same, share=lambda r, a: 1),
        "this has multiplied by alpha / rank": _split(_same, share=lambda r, a: a / r),
        "alpha is divided out, rank is not": _split(_same, share=lambda r, a: 1 / a),
        "the factor rank / alpha is in both matrices": _split(
            _same, share=lambda r, a: (r / a) ** 2
        ),
        "neither the singular values nor rank / alpha": _split(
            lambda S: S**0, share=lambda r, a: 1
        ),
        "the singular values are missing": _split(lambda S: S**0),
        "B A has them squared": _split(lambda S: S**2),
        "by their roots once": _split(lambda S: S**0.5),
        "these are the smallest singular values": _split(
            _same, rows=lambda rank: slice(-rank, None)
        ),
        "the squared error is": lambda change, rank, alpha: (
            change[:rank] * rank / alpha,
            change[:, :rank] ** 0,
        ),
        "the adapter is 0": lambda change, rank, alpha: (change[:rank], 0 * change[:, :rank]),
        "A and B have changed places": lambda *args: adapter.reference(*args)[::-1],
        "A has shape": lambda *args: [part.T for part in adapter.reference(*args)],
        "return A and B as tensors": lambda *args: [
            part.numpy() for part in adapter.reference(*args)
        ],
        "return 2 things": lambda change, rank, alpha: change,
    }
)


# ---------------------------------------------------------------- 11.12
PER_PACKAGE, DRAWS, LEAD = 8, 8, 0.03


@exercise(
    "11.12",
    hints=(
        "scikit-learn's `TfidfVectorizer` can count parts of words: read of its `analyzer` and "
        "`ngram_range`.",
        '`analyzer="char_wb"` takes runs of letters inside words. `send`, `sends` and `sender` '
        "have most of theirs in common; as words they have nothing.",
        "A linear classifier on top, `RidgeClassifier()`, fitted to 128 texts, is enough: "
        "`make_pipeline(vectorizer, classifier).fit(texts, labels).predict(questions)`.",
    ),
    why="With eight examples a package most words of a question were never seen, but their parts "
    "were: that is half of what word pieces are for. Runs of three and four letters get about 52 % "
    "right, words 47 %. A pretrained encoder gets 62 %: it has also seen which words mean alike.",
)
def packages(texts, labels, questions):
    """Of which package each question tells, (N,), learned from texts and their labels (128,)."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import RidgeClassifier
    from sklearn.pipeline import make_pipeline

    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 4))
    return make_pipeline(letters, RidgeClassifier()).fit(texts, labels).predict(questions)


@cache
def _few_examples(seed):
    """Texts, labels and questions, the questions' labels, and what words make of them."""
    from utils.datasets import load_docstrings

    texts, labels = load_docstrings().labeled()
    rng = np.random.default_rng(seed)
    labels = rng.permutation(labels.max() + 1)[labels]  # other numbers for the packages each time
    order = rng.permutation(len(labels))
    known = np.concatenate(
        [order[labels[order] == k][:PER_PACKAGE] for k in range(labels.max() + 1)]
    )
    asked = np.setdiff1d(order, known)
    task = [texts[i] for i in known], labels[known], [texts[i] for i in asked]
    return task, labels[asked], _by_words(*task)


@packages.check
def _(answer, rng):
    from threadpoolctl import threadpool_limits

    ours, words, alike = [], [], []
    for seed in range(DRAWS):
        (texts, labels, questions), truth, by_words = _few_examples(seed)
        with threadpool_limits(1):  # several threads wait for each other on a busy machine
            said = answer(list(texts), labels.copy(), list(questions))
        said = numbers(said, "the array of labels", truth.shape)
        if not np.isin(said, labels).all():
            raise Wrong("a label is none of those in `labels`")
        if (said == said[0]).all():
            raise Wrong("all questions get the same package")
        ours.append((said == truth).mean())
        words.append((by_words == truth).mean())
        alike.append((said == by_words).mean())
    got, base = np.mean(ours), np.mean(words)
    if np.mean(alike) > 0.98:
        raise Wrong(f"these are words, TF-IDF: {base:.1%} are right, {LEAD:.0%} more are due")
    if got < base:
        raise Wrong(f"{got:.1%} are right over {DRAWS} draws: words are better, {base:.1%}")
    if got < base + LEAD:
        raise Wrong(
            f"{got:.1%} are right over {DRAWS} draws, better than words by {got - base:.1%}: "
            f"{LEAD:.0%} are due"
        )


def _fitted(**options):
    """The same classifier on other parts of the texts."""

    def guess(texts, labels, questions):
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import RidgeClassifier
        from sklearn.pipeline import make_pipeline

        model = make_pipeline(TfidfVectorizer(**options), RidgeClassifier())
        return model.fit(texts, labels).predict(questions)

    return guess


_by_words = _fitted()  # the guess to beat
packages.wrongs(
    {
        "these are words, TF-IDF": _by_words,
        "words are better": _fitted(analyzer="char"),
        "better than words by": _fitted(stop_words="english"),
        "all questions get the same package": lambda texts, labels, questions: np.full(
            len(questions), labels[0]
        ),
        "a label is none of those": lambda *args: packages.reference(*args) + 1,
        "the array of labels has shape": lambda texts, labels, questions: packages.reference(
            texts, labels, texts
        ),
        "the array of labels must hold real numbers": lambda texts, labels, questions: questions,
    }
)


# ---------------------------------------------------------------- 11.13
@exercise(
    "11.13",
    hints=(
        "`images.reshape(N, C, H // P, P, W // P, P)` names each pixel by the row of its patch, "
        "its row inside, the column of its patch and its column inside. Nothing has moved yet.",
        "The first two axes of the result belong to the patches, (N, H/P, W/P, …); behind them "
        "stand channel, row inside, column inside: `transpose(0, 2, 4, 1, 3, 5)`.",
        "A last reshape to (N, H/P · W/P, C · P · P) makes rows of them.",
    ),
    why="One product with a matrix (d, C·P·P) now makes a token of each patch. It is a convolution "
    "whose steps are as long as its kernel, which is how ViTs compute it. A reshape alone has the "
    "right shape and cuts the image into strips: the network trains all the same, only worse.",
)
def patches(images, P):
    """Patches (N, T, C·P·P) of images (N, C, H, W), row by row of patches, channels first."""
    N, C, H, W = images.shape
    x = images.reshape(N, C, H // P, P, W // P, P).transpose(0, 2, 4, 1, 3, 5)
    return x.reshape(N, H // P * (W // P), C * P * P)


@patches.check
def _(answer, rng):
    def attempt(images, P):
        _, _, H, W = images.shape
        rows = [
            images[:, :, i : i + P, j : j + P].reshape(len(images), -1)
            for i in range(0, H, P)
            for j in range(0, W, P)
        ]
        agree(answer, (images, P), np.stack(rows, axis=1), "the array of patches")

    for P in (2, 3, 2):
        N, C, down, across = sizes(rng, 4)
        attempt(rng.normal(size=(N, C, down * P, across * P)), P)
    attempt(np.arange(32.0).reshape(1, 2, 4, 4), 2)
    attempt(rng.normal(size=(2, 3, 4, 6)), 1)
    attempt(rng.normal(size=(3, 1, 5, 5)), 5)


@patches.mistakes
def _(images, P):
    N, C, H, W = images.shape
    x = images.reshape(N, C, H // P, P, W // P, P)
    axes = {
        "the patches stand column by column": (0, 4, 2, 1, 3, 5),
        "the channels come last inside a patch: they come first": (0, 2, 4, 3, 5, 1),
        "a patch is read column by column: rows and columns inside it are swapped": (
            (0, 2, 4, 1, 5, 3)
        ),
    }
    found = {text: x.transpose(order).reshape(N, -1, C * P * P) for text, order in axes.items()}
    strips = x.transpose(0, 2, 1, 3, 4, 5)
    return found | {
        "reshaped alone: a row is no patch, but what lies one behind the other in memory": (
            images.reshape(N, -1, C * P * P)
        ),
        "a row goes across several patches: the axis of the patches' columns is still inside": (
            strips.reshape(N, -1, C * P * P)
        ),
        "each channel has patches of its own: a patch holds all channels": (
            x.transpose(0, 1, 2, 4, 3, 5).reshape(N, -1, C * P * P)
        ),
        "these are the patches' means": x.mean(axis=(3, 5)).reshape(N, C, -1).swapaxes(1, 2),
    }
