"""The study of few examples: which package is a docstring from, told by features of several kinds.

``python -m utils.recorded.few_shot`` makes it again, in minutes; it needs the pretrained encoder.
All features are read by one linear classifier, whose setting is chosen for each of them alike. Its
draws change the texts; the random encoder is one and the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from utils import recorded

if TYPE_CHECKING:
    from collections.abc import Sequence

DRAWS = range(5)  # of the examples to learn from and of those to be asked
COUNTS = (1, 4, 8, 32)  # examples of each package
ASKED = 16  # texts of each package to be asked, which play no part before
REHEARSALS, REHEARSED = 4, 8  # how often a setting is tried, on so many texts of each package
PENALTIES = (10.0, 1.0, 0.1, 0.01, 1e-3, 1e-4)
FEATURES = {
    "words": "words, weighed by TF-IDF",
    "characters": "2 to 5 neighboring characters inside words, weighed by TF-IDF",
    "MiniLM": "the pretrained encoder, frozen: means of its tokens' vectors",
    "random": "an encoder of the same form with random weights, frozen",
    "pieces": "means of the pretrained encoder's embeddings of word pieces, without its blocks",
}


def vectors(features: str, texts: Sequence[str]) -> np.ndarray:
    """One for each text, float32 (N, 384), where the `FEATURES` come from an encoder.

    Raises:
        DataUnavailable: the encoder's package is missing.
        ValueError: these features come from counting.

    """
    import torch

    from utils.models.encoder import embed, load_encoder

    if features not in ("MiniLM", "random", "pieces"):
        raise ValueError(f"{features!r} are counted, not computed by an encoder")
    torch.manual_seed(0)
    encoder = load_encoder(pretrained=features != "random")
    if features != "pieces":
        return embed(encoder, texts)
    table = encoder.pieces.weight.detach().numpy()
    cut = encoder.tokenizer.encode_batch(list(texts), add_special_tokens=False)
    return np.stack([table[encoded.ids].mean(axis=0) for encoded in cut])


def counted(
    features: str, texts: Sequence[str], new: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """TF-IDF weights of both, float64 (N, words); what is counted comes from `texts` alone."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    options = {"analyzer": "char_wb", "ngram_range": (2, 5)} if features == "characters" else {}
    vectorizer = TfidfVectorizer(sublinear_tf=True, **options)
    return vectorizer.fit_transform(texts).toarray(), vectorizer.transform(new).toarray()


def answers(
    x: np.ndarray, y: np.ndarray, new: np.ndarray, penalties: Sequence[float]
) -> np.ndarray:
    """What a linear classifier that learned from x (N, d), y (N,) says of `new` (M, d).

    It is ridge regression onto 1 for the right class and 0 for others: W minimizes
    ‖XW − Y‖² + λ‖W‖². Features and targets are centered, and features divided by the root of their
    mean squared length, so that one λ means the same for all kinds of them. With more features than
    examples W = Xᵀ(XXᵀ + λI)⁻¹Y, and the eigenvectors of XXᵀ serve every λ.

    Returns:
        A class for each λ of `penalties` and each row of `new`: (λs, M).

    """
    center = x.mean(axis=0)
    x, new = x - center, new - center
    size = np.sqrt((x**2).sum(axis=1).mean()) or 1.0
    values, Q = np.linalg.eigh((x / size) @ (x / size).T)
    Y = np.eye(y.max() + 1)[y]
    shares = Y.mean(axis=0)
    alike, coded = (new / size) @ (x / size).T @ Q, Q.T @ (Y - shares)
    shrunk = [coded / (values.clip(0) + penalty)[:, None] for penalty in penalties]
    return np.stack([(alike @ one + shares).argmax(axis=1) for one in shrunk])


def draw(y: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of `max(COUNTS)` texts of each class to learn from, and of `ASKED` others.

    Both are (classes, number), in random order; from the first, fewer are taken by columns.
    """
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(np.flatnonzero(y == label)) for label in range(y.max() + 1)]
    return (
        np.stack([order[: max(COUNTS)] for order in orders]),
        np.stack([order[max(COUNTS) :][:ASKED] for order in orders]),
    )


class Reader:
    """Learns from some texts, and answers about others, by one kind of `FEATURES`."""

    def __init__(self, features: str, texts: Sequence[str], y: np.ndarray) -> None:
        self.features, self.texts, self.y = features, np.array(texts), y
        counts = features in ("words", "characters")
        self.x = None if counts else vectors(features, texts).astype(float)

    def accuracies(
        self, learn: np.ndarray, ask: np.ndarray, penalties: Sequence[float]
    ) -> np.ndarray:
        """Share of right answers for each λ; `learn` and `ask` are indices of texts."""
        learn, ask = learn.ravel(), ask.ravel()
        if self.x is None:
            x, new = counted(self.features, self.texts[learn], self.texts[ask])
        else:
            x, new = self.x[learn], self.x[ask]
        return (answers(x, self.y[learn], new, penalties) == self.y[ask]).mean(axis=1)

    def choose(self, pool: np.ndarray, count: int, seed: int) -> float:
        """The λ that is best in rehearsals on `pool` (classes, number), which are not asked later.

        A rehearsal learns from `count` texts of a class, or from all but `REHEARSED` where there
        are no more. Among equals the largest λ is taken.
        """
        rng, total = np.random.default_rng([seed, count]), np.zeros(len(PENALTIES))
        for _ in range(REHEARSALS):
            mixed = rng.permuted(pool, axis=1)
            learn, ask = mixed[:, :-REHEARSED][:, :count], mixed[:, -REHEARSED:]
            total += self.accuracies(learn, ask, PENALTIES)
        return PENALTIES[int(total.argmax())]


def study() -> list[dict[str, Any]]:
    """All `FEATURES`, `COUNTS` and `DRAWS`; a draw asks the same of all.

    Raises:
        DataUnavailable: the encoder's package is missing.

    """
    from utils.datasets import load_docstrings

    texts, y = load_docstrings().labeled()
    made = []
    for features in FEATURES:
        reader = Reader(features, texts, y)
        for seed in DRAWS:
            pool, asked = draw(y, seed)
            for count in COUNTS:
                penalty = reader.choose(pool, count, seed)
                (accuracy,) = reader.accuracies(pool[:, :count], asked, [penalty])
                row = {"features": features, "count": count, "draw": seed, "penalty": penalty}
                made.append(row | {"accuracy": round(float(accuracy), 4)})
    return made


def runs(features: str, count: int) -> dict[int, dict[str, Any]]:
    """What was recorded of some `FEATURES` and one of the `COUNTS`, by draw."""
    return recorded.by_seed("few_shot", "draw", features=features, count=count)


def values(features: str, count: int) -> dict[int, float]:
    """The accuracies of some `FEATURES` with so many examples, by draw, as `claim` takes them."""
    return {seed: row["accuracy"] for seed, row in runs(features, count).items()}


if __name__ == "__main__":
    recorded.make("few_shot", study, seeds=DRAWS)
