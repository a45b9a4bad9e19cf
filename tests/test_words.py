"""Words as a recurrent network reads them."""

import math

import numpy as np
import pytest

from utils.engine import Tensor
from utils.words import LETTERS, LetterRNN, encode, letter_loss


def test_teacher_forcing_asks_for_each_next_letter():
    x, y = encode(["cab", "zz", "a"])
    assert x.tolist() == [[0, 3, 1, 2], [0, 26, 26, 0], [0, 1, 0, 0]]
    assert y.tolist() == [[3, 1, 2, 0], [26, 26, 0, -1], [1, 0, -1, -1]]
    assert x.dtype == y.dtype == np.int64
    for part, other in zip(encode([("c", "a", "b")]), encode(["cab"]), strict=True):
        np.testing.assert_array_equal(part, other)  # as load_pronunciations gives them
    assert len(LETTERS) == 26


@pytest.mark.parametrize(
    "wrong", [[], ["Cab"], ["l'or"], ["caf\N{LATIN SMALL LETTER E WITH ACUTE}"]]
)
def test_other_signs_are_refused(wrong):
    with pytest.raises(ValueError, match="letters a to z"):
        encode(wrong)


def test_the_loss_is_the_mean_over_what_was_asked():
    rng = np.random.default_rng(0)
    _, y = encode(["cab", "zz", "a"])
    scores = rng.normal(size=(3, 4, 27))
    expected = [
        -scores[n, t, y[n, t]] + math.log(np.exp(scores[n, t]).sum())
        for n, t in np.argwhere(y >= 0)
    ]
    assert len(expected) == 4 + 3 + 2
    tensor = Tensor(scores, requires_grad=True)
    loss = letter_loss(tensor, y)
    assert loss.item() == pytest.approx(np.mean(expected))
    loss.backward()
    assert not tensor.grad[y < 0].any()  # nothing is learned beyond the end
    assert letter_loss(Tensor(np.zeros((3, 4, 27))), y).item() == pytest.approx(math.log(27))


def test_a_letter_changes_only_what_comes_after_it():
    model = LetterRNN(8, 5, rng=np.random.default_rng(0))
    x, _ = encode(["cab", "cat"])
    scores = model(x).data
    assert scores.shape == (2, 4, 27)
    np.testing.assert_array_equal(scores[0, :3], scores[1, :3])
    assert np.abs(scores[0, 3] - scores[1, 3]).max() > 1e-3
