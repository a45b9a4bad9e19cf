"""How good an answer is: accuracy, errors of numbers and of sequences, distances of sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    Tokens = Sequence[str]

# ---------------------------------------------------------------- classes


def accuracy(outputs: np.ndarray, targets: np.ndarray) -> float:
    """Share of rows of `outputs` (N, C) whose largest entry is at the label in `targets` (N,).

    Raises:
        ValueError: the shapes are others.

    """
    if outputs.ndim != 2 or targets.shape != outputs.shape[:1]:
        raise ValueError(
            f"accuracy takes outputs (N, C) and labels (N,), got {outputs.shape}, {targets.shape}"
        )
    return float((outputs.argmax(1) == targets).mean())


def confusion_matrix(labels: Any, answers: Any, classes: int) -> np.ndarray:
    """Count examples by label (row) and answer (column): int64 (classes, classes)."""
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (np.asarray(labels), np.asarray(answers)), 1)
    return counts


def surest_mistakes(labels: Any, probabilities: Any, label: int | None = None) -> np.ndarray:
    """Indices of wrong answers, the most probable first; of one true class if `label` is given."""
    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
    wrong = probabilities.argmax(axis=1) != labels
    if label is not None:
        wrong &= labels == label
    found = np.flatnonzero(wrong)
    return found[np.argsort(-probabilities.max(axis=1)[found], kind="stable")]


# ---------------------------------------------------------------- numbers


def rmse(forecast: ArrayLike, truth: ArrayLike) -> float:
    """Root of the mean squared error.

    Raises:
        ValueError: the shapes differ; NumPy would broadcast (N, 1) against (N,) in silence.

    """
    forecast, truth = np.asarray(forecast), np.asarray(truth)
    if forecast.shape != truth.shape:
        raise ValueError(f"forecasts {forecast.shape} and truth {truth.shape} differ in shape")
    return float(np.sqrt(np.mean((forecast - truth) ** 2)))


# ---------------------------------------------------------------- sequences


def edit_distance(a: Tokens, b: Tokens) -> int:
    """Fewest insertions, deletions and replacements that turn `a` into `b`.

    Source: V. Levenshtein (1966); R. Wagner and M. Fischer (1974), doi:10.1145/321796.321811.
    """
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        above, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (x != y))
    return row[-1]


def edits_to_nearest(answer: Tokens, right: Sequence[Tokens]) -> tuple[int, int]:
    """Edit distance to the nearest of the `right` sequences, and that one's length."""
    return min((edit_distance(answer, tokens), len(tokens)) for tokens in right)


def error_rate(answers: Sequence[Tokens], right: Sequence[Sequence[Tokens]]) -> float:
    """Share of wrong tokens: all edits, divided by all tokens of the nearest right sequences.

    Of phonemes it is the phoneme error rate, of words the word error rate. `right` lists, for each
    answer, all that count as right.
    """
    edits, tokens = zip(*map(edits_to_nearest, answers, right), strict=True)
    return sum(edits) / sum(tokens)


# ---------------------------------------------------------------- distributions


def frechet_distance(
    mean: np.ndarray, covariance: np.ndarray, other_mean: np.ndarray, other_covariance: np.ndarray
) -> float:
    """Squared Fréchet (2-Wasserstein) distance of two normal distributions in D dimensions.

    ‖μ − ν‖² + tr(Σ + T − 2(Σ^½ T Σ^½)^½), for means μ, ν (D,) and covariances Σ, T (D, D). Of sets
    of images, in features of the course's network: `utils.recorded.judge`.

    Source: D. Dowson, B. Landau (1982), doi:10.1016/0047-259X(82)90077-X.
    """
    variances, axes = np.linalg.eigh(covariance)
    root = (axes * np.sqrt(np.maximum(variances, 0))) @ axes.T  # Σ^½
    cross = np.linalg.eigvalsh(root @ other_covariance @ root)
    shift = mean - other_mean
    traces = np.trace(covariance) + np.trace(other_covariance)
    return float(shift @ shift + traces - 2 * np.sqrt(np.maximum(cross, 0)).sum())
