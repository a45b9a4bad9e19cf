"""Names as numbers, batches of like lengths, the adding problem, and a reader of last states."""

import itertools

import numpy as np
import pytest

from utils import layers
from utils.sequences import PADDING, LastState, adding_problem, buckets, encode


def test_encode_numbers_the_letters_and_pads():
    np.testing.assert_array_equal(encode(["abz", "", "y"]), [[1, 2, 26], [0, 0, 0], [25, 0, 0]])
    assert encode(["ab"], 5).tolist() == [[1, 2, 0, 0, 0]]
    assert encode([]).shape == (0, 0)
    assert encode(["ab"]).dtype.kind == "i"


def test_encode_refuses_what_it_cannot_write():
    with pytest.raises(ValueError, match="has 3 letters, more than 2 steps"):
        encode(["a", "abc"], 2)
    for bad in ("O", "é", "a b", "a-"):
        with pytest.raises(ValueError, match="other than the letters a to z"):
            encode([bad])


@pytest.mark.parametrize("size", [1, 4, 7, 50])
def test_buckets_take_each_once_and_pad_least(size):
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 9, 41)
    batches = buckets(lengths, size, rng)
    assert sorted(np.concatenate(batches).tolist()) == list(range(41))
    assert sorted(map(len, batches))[1:] == [size] * (len(batches) - 1)
    spans = sorted((lengths[batch].min(), lengths[batch].max()) for batch in batches)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))


def test_buckets_differ_from_draw_to_draw():
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 4, 60)
    first, second = (buckets(lengths, 10, rng) for _ in range(2))
    assert [b.tolist() for b in first] != [b.tolist() for b in second]
    assert {frozenset(b.tolist()) for b in first} != {frozenset(b.tolist()) for b in second}


@pytest.mark.parametrize("steps", [2, 3, 50])
def test_adding_problem(steps):
    x, y = adding_problem(np.random.default_rng(0), 3000, steps)
    assert x.shape == (3000, steps, 2)
    assert x.dtype == y.dtype == np.float32
    values, marks = x[..., 0], x[..., 1]
    assert ((values >= 0) & (values < 1)).all()
    assert set(np.unique(marks)) <= {0, 1}
    for half in (marks[:, : steps // 2], marks[:, steps // 2 :]):
        np.testing.assert_array_equal(half.sum(axis=1), 1)
        np.testing.assert_allclose(half.mean(axis=0), 1 / half.shape[1], atol=0.05)
    expected = [v[m == 1].sum() for v, m in zip(values, marks, strict=True)]
    np.testing.assert_allclose(y, expected, rtol=1e-6)
    assert np.mean((y - 1) ** 2) == pytest.approx(1 / 6, abs=0.015)
    with pytest.raises(ValueError, match="at least two steps, got 1"):
        adding_problem(np.random.default_rng(0), 3, 1)


@pytest.mark.parametrize("core", [layers.RNN, layers.LSTM, layers.GRU])
def test_last_state_reads_numbers_and_letters(core):
    rng = np.random.default_rng(0)
    model = LastState(core(3, 4, rng=rng), 2, rng=rng)
    x = rng.normal(size=(5, 6, 3)).astype(np.float32)
    output, _ = model.core(x)
    np.testing.assert_array_equal(model(x).data, model.head(output[:, -1]).data)

    embedding = layers.Embedding(27, 3, PADDING, rng=rng)
    reader = LastState(core(3, 4, rng=rng), 2, embedding=embedding, rng=rng)
    names = [name for name, _ in reader.named_parameters()]
    assert names[0] == "embedding.weight"
    assert names[-2:] == ["head.weight", "head.bias"]
    short, long = reader(encode(["abc", "z"])).data, reader(encode(["abc", "z"], 12)).data
    np.testing.assert_array_equal(short, long)
