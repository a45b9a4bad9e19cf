"""Metrics against scikit-learn, SciPy, known pairs and the axioms of a distance."""

import numpy as np
import pytest
import scipy.linalg
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.metrics import (
    accuracy,
    confusion_matrix,
    edit_distance,
    edits_to_nearest,
    entities,
    entity_f1,
    error_rate,
    frechet_distance,
    rmse,
    surest_mistakes,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


# ---------------------------------------------------------------- classes


@pytest.fixture
def answers():
    rng = np.random.default_rng(1)
    return rng.integers(0, 4, 60), rng.dirichlet(np.ones(4), 60)


def test_accuracy():
    outputs = np.array([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]])
    assert accuracy(outputs, np.array([1, 0, 0, 0])) == 0.75
    with pytest.raises(ValueError, match=r"got \(4, 2\), \(4, 1\)"):
        accuracy(outputs, np.ones((4, 1)))


def test_confusion_matrix_equals_sklearn(answers):
    labels, probabilities = answers
    expected = sklearn.metrics.confusion_matrix(labels, probabilities.argmax(1), labels=range(5))
    np.testing.assert_array_equal(
        confusion_matrix(labels, probabilities.argmax(axis=1), 5), expected
    )


def test_surest_mistakes(answers):
    labels, probabilities = answers
    found = surest_mistakes(labels, probabilities)
    wrong = [i for i in range(60) if probabilities[i].argmax() != labels[i]]
    assert found.tolist() == sorted(wrong, key=lambda i: -max(probabilities[i]))
    of_two = surest_mistakes(labels, probabilities, 2)
    assert of_two.tolist() == [i for i in found if labels[i] == 2]


# ---------------------------------------------------------------- numbers


def test_rmse_refuses_what_would_broadcast():
    assert rmse([1, 2], [1, 4]) == pytest.approx(np.sqrt(2))
    with pytest.raises(ValueError, match=r"\(2, 1\) and truth \(2,\)"):
        rmse([[1], [2]], [1, 4])


# ---------------------------------------------------------------- sequences


@pytest.mark.parametrize(
    ("a", "b", "distance"),
    [
        ("kitten", "sitting", 3),
        ("", "abc", 3),
        ("abc", "", 3),
        ("abc", "abc", 0),
        ("ab", "ba", 2),
        ("intention", "execution", 5),
    ],
)
def test_edit_distance_of_known_pairs(a, b, distance):
    assert edit_distance(a, b) == distance
    assert edit_distance(list(a), list(b)) == distance


def test_edit_distance_is_a_metric(rng):
    words = ["".join(rng.choice(list("ab"), n)) for n in rng.integers(0, 6, 12)]
    for a in words:
        for b in words:
            d = edit_distance(a, b)
            assert d == edit_distance(b, a)
            assert (d == 0) == (a == b)
            assert abs(len(a) - len(b)) <= d <= max(len(a), len(b))
            assert all(d <= edit_distance(a, c) + edit_distance(c, b) for c in words)


def test_the_nearest_pronunciation_counts():
    right = [("T", "AH"), ("T", "UW", "W")]
    assert edits_to_nearest(("T", "UW"), right) == (1, 2)  # of two at the same distance the shorter
    assert edits_to_nearest(("T", "UW", "W"), right) == (0, 3)
    assert error_rate([("T", "UW"), ("A",)], [right, [("A",)]]) == pytest.approx(1 / 3)


# ---------------------------------------------------------------- entities

tags = st.lists(st.sampled_from(["O", "O", "B-PER", "I-PER", "B-LOC", "I-LOC"]), max_size=9)
drawn = settings(max_examples=200, deadline=None, database=None, derandomize=True)


@pytest.mark.parametrize(
    ("sentence", "found"),
    [
        ("O B-PER I-PER O B-LOC", {("PER", 1, 3), ("LOC", 4, 5)}),
        ("B-PER B-PER I-PER", {("PER", 0, 1), ("PER", 1, 3)}),  # two neighbors
        ("I-PER I-LOC B-LOC I-PER", {("PER", 0, 1), ("LOC", 1, 2), ("LOC", 2, 3), ("PER", 3, 4)}),
        ("", set()),
        ("O O", set()),
    ],
)
def test_entities_of_known_sentences(sentence, found):
    assert entities(sentence.split()) == found


def test_f1_by_hand():
    right = [["B-PER", "I-PER", "O"], ["B-LOC", "O", "B-ORG"]]
    answers = [["B-PER", "O", "O"], ["B-LOC", "O", "B-LOC"]]  # half a name, right, wrong kind
    precision = recall = 1 / 3
    expected = 2 * precision * recall / (precision + recall)
    assert entity_f1(answers, right) == pytest.approx(expected)
    assert entity_f1(right, right) == 1
    assert entity_f1([["O"] * 3] * 2, right) == 0
    assert entity_f1([["O"]], [["O"]]) == 0
    for other in (right[:1], [right[0][:2], right[1]]):
        with pytest.raises(ValueError, match="equally many sentences of equal lengths"):
            entity_f1(answers, other)


@drawn
@given(st.lists(st.tuples(tags, tags), min_size=1, max_size=5))
def test_entities_and_f1_are_those_of_seqeval(pairs):
    seqeval = pytest.importorskip("seqeval.metrics", reason="needs seqeval")
    from seqeval.metrics.sequence_labeling import get_entities

    pairs = [(a[: len(b)] + ["O"] * (len(b) - len(a)), b) for a, b in pairs]
    answers, right = map(list, zip(*pairs, strict=True))
    for sentence in answers + right:
        theirs = {(kind, first, last + 1) for kind, first, last in get_entities(sentence)}
        assert entities(sentence) == theirs
    expected = seqeval.f1_score(right, answers, zero_division=0)
    assert entity_f1(answers, right) == pytest.approx(expected, abs=1e-12)


# ---------------------------------------------------------------- distributions


def gaussians(seed, size=6):
    rng = np.random.default_rng(seed)
    for _ in range(2):
        a = rng.normal(size=(size, size))
        yield rng.normal(size=size)
        yield a @ a.T


@pytest.mark.parametrize("seed", range(5))
def test_frechet_distance_equals_the_formula_with_a_matrix_root(seed):
    mu, sigma, nu, tau = gaussians(seed)
    root = scipy.linalg.sqrtm(sigma @ tau).real
    expected = ((mu - nu) ** 2).sum() + np.trace(sigma + tau - 2 * root)
    assert frechet_distance(mu, sigma, nu, tau) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(nu, tau, mu, sigma) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(mu, sigma, mu, sigma) == pytest.approx(0, abs=1e-9)


def test_frechet_distance_of_commuting_covariances_is_a_plain_sum():
    mean, a, b = np.array([1.0, 2, 3]), np.array([1.0, 4, 9]), np.array([0, 1.0, 25])
    got = frechet_distance(mean, np.diag(a), 0 * mean, np.diag(b))
    assert got == pytest.approx(14 + ((np.sqrt(a) - np.sqrt(b)) ** 2).sum())
