"""The judge of painted pictographs: its record, its reading, its distance."""

import numpy as np
import pytest
import scipy.linalg

from utils import recorded
from utils.datasets import load_sketches
from utils.recorded import picture_judge

DATA = load_sketches()
KNOWN = DATA.kind_test >= 0


def share_right(pictures):
    return (picture_judge.read(pictures[KNOWN]) == DATA.kind_test[KNOWN]).mean()


def test_it_reads_glyphs_never_seen_by_their_color():
    gray = np.repeat(DATA.y_test.mean(axis=3, keepdims=True), 3, axis=3)
    assert share_right(DATA.y_test) >= 0.78
    assert share_right(gray) < 0.6
    known = DATA.kind_train >= 0
    assert (picture_judge.read(DATA.y_train[known]) == DATA.kind_train[known]).mean() > 0.98


def test_the_distance_is_frechets_of_the_features():
    a, b = DATA.y_test[:100], DATA.y_test[100:]
    assert picture_judge.features(a).shape == (100, picture_judge.FEATURES)
    (m, s), (n, t) = (
        (f.mean(axis=0), np.cov(f.astype(float), rowvar=False))
        for f in map(picture_judge.features, (a, b))
    )
    root = scipy.linalg.sqrtm(s @ t).real
    expected = ((m - n) ** 2).sum() + np.trace(s + t - 2 * root)
    assert picture_judge.frechet_distance(a, b) == pytest.approx(expected, rel=1e-3)
    assert picture_judge.frechet_distance(a, a) == pytest.approx(0, abs=1e-6)
    darker = picture_judge.frechet_distance(0.5 * DATA.y_test, DATA.y_test)
    assert darker > 3 * picture_judge.frechet_distance(0.9 * DATA.y_test, DATA.y_test)


@pytest.mark.slow
def test_a_shorter_training_made_again_reads_nearly_as_well(monkeypatch):
    again = picture_judge.train(epochs=40)
    kept = recorded.load("picture_judge")
    assert {k: (v.shape, v.dtype) for k, v in again.items()} == {
        k: (v.shape, v.dtype) for k, v in kept.items()
    }
    before = share_right(DATA.y_test)
    monkeypatch.setattr(recorded, "load", lambda name: again)
    picture_judge._recorded.cache_clear()
    try:
        assert share_right(DATA.y_test) == pytest.approx(before, abs=0.12)
    finally:
        picture_judge._recorded.cache_clear()


@pytest.mark.parametrize(
    ("pictures", "message"),
    [
        (np.zeros((3, 3, 64, 64)), r"got \(3, 3, 64, 64\)"),
        (np.zeros((0, 64, 64, 3)), r"got \(0, 64, 64, 3\)"),
        (-np.ones((3, 64, 64, 3)), "got -1 to -1"),
        (np.full((3, 64, 64, 3), np.nan), "got nan to nan"),
    ],
)
def test_what_is_no_picture_is_refused(pictures, message):
    with pytest.raises(ValueError, match=message):
        picture_judge.read(pictures)


def test_one_picture_has_no_covariance():
    with pytest.raises(ValueError, match="two pictures"):
        picture_judge.frechet_distance(DATA.y_test[:1], DATA.y_test)
