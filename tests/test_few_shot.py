"""The study of few examples: its classifier against scikit-learn, and nothing asked is known."""

import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier

from utils import recorded
from utils.datasets import DataUnavailable, encoder_folder, load_docstrings
from utils.recorded import few_shot

TEXTS, Y = load_docstrings().labeled()


@pytest.fixture
def encoder():
    pytest.importorskip("tokenizers", reason="needs tokenizers")
    try:
        encoder_folder()
    except DataUnavailable as missing:
        pytest.skip(str(missing))


@pytest.mark.parametrize("size", [1, 40])
def test_the_classifier_is_that_of_scikit_learn(size):
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(4), 6)
    means = 2 * rng.normal(size=(4, 50)) + 3
    x, new = (means[y] + 2 * rng.normal(size=(24, 50)) for _ in range(2))
    # our λ is in units of the mean squared length around the mean
    length = ((x - x.mean(axis=0)) ** 2).sum(axis=1).mean()
    found = few_shot.answers(size * x, y, size * new, few_shot.PENALTIES)
    for penalty, row in zip(few_shot.PENALTIES, found, strict=True):
        theirs = RidgeClassifier(alpha=penalty * length).fit(x, y).predict(new)
        np.testing.assert_array_equal(row, theirs)
    assert (found == y).mean() > 0.7


def test_one_example_of_each_class_is_enough_to_answer():
    x = np.eye(3)
    (found,) = few_shot.answers(x, np.arange(3), x[[2, 0, 1, 1]], [0.1])
    assert found.tolist() == [2, 0, 1, 1]
    same = few_shot.answers(np.ones((2, 3)), np.array([0, 1]), np.ones((1, 3)), [1.0])
    assert same.shape == (1, 1)  # texts that cannot be told apart have no length to divide by


def test_a_draw_asks_nothing_that_is_learned():
    for seed in few_shot.DRAWS:
        pool, asked = few_shot.draw(Y, seed)
        assert pool.shape == (16, 32)
        assert asked.shape == (16, 16)
        assert not np.intersect1d(pool, asked).size
        assert (Y[pool] == np.arange(16)[:, None]).all()
        assert (Y[asked] == np.arange(16)[:, None]).all()
    assert not np.array_equal(few_shot.draw(Y, 0)[1], few_shot.draw(Y, 1)[1])
    np.testing.assert_array_equal(few_shot.draw(Y, 2)[0], few_shot.draw(Y, 2)[0])


@pytest.mark.parametrize("features", ["words", "characters"])
def test_counting_knows_nothing_of_the_new_texts(features):
    x, new = few_shot.counted(features, ["copy a file", "move a file"], ["copy it", "zzz qqq"])
    assert x.shape[1] == new.shape[1]
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1)
    assert new[0].any()
    assert not new[1].any()
    assert (x.shape[1] == 3) == (features == "words")  # copy, file, move


def test_the_setting_is_chosen_without_what_is_asked(monkeypatch):
    reader = few_shot.Reader("words", TEXTS, Y)
    pool, asked = few_shot.draw(Y, 0)
    seen = []

    def rehearsed(learn, ask, penalties):
        seen.append((learn, ask))
        return np.array([penalty in (0.1, 0.01) for penalty in penalties], float)

    monkeypatch.setattr(reader, "accuracies", rehearsed)
    for count in few_shot.COUNTS:
        assert reader.choose(pool, count, 0) == 0.1  # the larger of equals
    for learn, ask in seen:
        assert not np.intersect1d(learn, ask).size
        assert not np.intersect1d(asked, np.concatenate([learn, ask], axis=1)).size
    assert [learn.shape[1] for learn, _ in seen[:: few_shot.REHEARSALS]] == [1, 4, 8, 24]


def test_more_examples_tell_more():
    reader = few_shot.Reader("words", TEXTS, Y)
    pool, asked = few_shot.draw(Y, 0)
    one, many = (reader.accuracies(pool[:, :n], asked, [0.1])[0] for n in (1, 32))
    assert 1 / 16 < one + 0.05 < many < 0.9


def test_encoders_give_their_own_vectors(encoder):
    texts = ["Copy a file.", "Walk over a tree of folders."]
    # the order of words is lost where there are no blocks
    turned = [" ".join(reversed(text.rstrip(".").split())) + "." for text in texts]
    for kind in ("MiniLM", "random", "pieces"):
        made = few_shot.vectors(kind, [*texts, *turned])
        assert made.shape == (4, 384)
        assert not np.allclose(made[0], made[1])
        assert np.allclose(made[:2], made[2:], atol=1e-6) == (kind == "pieces")
    np.testing.assert_allclose(few_shot.vectors("pieces", texts), made[:2], atol=1e-6)
    with pytest.raises(ValueError, match="'words' are counted"):
        few_shot.vectors("words", texts)


def test_everything_planned_is_recorded():
    rows = recorded.load("few_shot")
    assert len(rows) == len(few_shot.FEATURES) * len(few_shot.COUNTS) * len(few_shot.DRAWS)
    for features in few_shot.FEATURES:
        for count in few_shot.COUNTS:
            runs = few_shot.runs(features, count)
            assert sorted(runs) == list(few_shot.DRAWS)
            assert all(run["penalty"] in few_shot.PENALTIES for run in runs.values())
            assert few_shot.values(features, count)[1] == runs[1]["accuracy"]
