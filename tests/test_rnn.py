"""Recurrent networks that read the last state, and that write letter by letter."""

import math

import numpy as np
import pytest

from utils import layers
from utils.engine import Tensor
from utils.models.rnn import LastState, LetterRNN, letter_loss
from utils.text import PAD, encode_letters, next_letter_pairs


def test_the_loss_is_the_mean_over_what_was_asked():
    rng = np.random.default_rng(0)
    _, y = next_letter_pairs(["cab", "zz", "a"])
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
    x, _ = next_letter_pairs(["cab", "cat"])
    scores = model(x).data
    assert scores.shape == (2, 4, 27)
    np.testing.assert_array_equal(scores[0, :3], scores[1, :3])
    assert np.abs(scores[0, 3] - scores[1, 3]).max() > 1e-3


@pytest.mark.parametrize("core", [layers.RNN, layers.LSTM, layers.GRU])
def test_last_state_reads_numbers_and_letters(core):
    rng = np.random.default_rng(0)
    model = LastState(core(3, 4, rng=rng), 2, rng=rng)
    x = rng.normal(size=(5, 6, 3)).astype(np.float32)
    output, _ = model.core(x)
    np.testing.assert_array_equal(model(x).data, model.head(output[:, -1]).data)

    embedding = layers.Embedding(27, 3, PAD, rng=rng)
    reader = LastState(core(3, 4, rng=rng), 2, embedding=embedding, rng=rng)
    names = [name for name, _ in reader.named_parameters()]
    assert names[0] == "embedding.weight"
    assert names[-2:] == ["head.weight", "head.bias"]
    short, long = (
        reader(encode_letters(["abc", "z"])).data,
        reader(encode_letters(["abc", "z"], 12)).data,
    )
    np.testing.assert_array_equal(short, long)
