"""Counting bytes against the formula taken literally, byte by byte, and on real code."""

from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.datasets import load_code
from utils.models.ngram import NGram

drawn = settings(max_examples=25, deadline=None, database=None, derandomize=True)
texts = st.text(alphabet="ab \n\0ü", min_size=1, max_size=40).map(str.encode)


def slow_model(text, order):
    """p(byte | the bytes before it) of an n-gram, as a function, from counts in dictionaries."""
    followers = defaultdict(Counter)
    padded = bytes(order) + text
    for i in range(order, len(padded)):
        for k in range(order):
            followers[padded[i - k : i]][padded[i]] += 1

    def p(byte, before, k=order - 1):
        if k < 0:
            return 1 / 256
        context = (bytes(order) + before)[order + len(before) - k :]
        seen = followers.get(context)
        lower = p(byte, before, k - 1)
        if not seen:
            return lower
        return (seen[byte] + len(seen) * lower) / (seen.total() + len(seen))

    return p


@drawn
@given(train=texts, text=texts, order=st.integers(1, 8))
def test_bits_are_those_of_the_formula(train, text, order):
    bits = NGram(train, order).bits_per_byte(text)
    assert bits.shape == (order,)
    for n in range(1, order + 1):
        p = slow_model(train, n)
        slow = [-np.log2(p(byte, text[:i])) for i, byte in enumerate(text)]
        assert bits[n - 1] == pytest.approx(np.mean(slow), rel=1e-12)


@drawn
@given(train=texts, context=texts, order=st.integers(1, 8))
def test_probabilities_sum_to_one(train, context, order):
    found, p = NGram(train, order).probabilities(context), slow_model(train, order)
    assert found.sum() == pytest.approx(1, rel=1e-12)
    assert found.min() > 0
    for byte in (*set(train), 200):
        assert found[byte] == pytest.approx(p(byte, context), rel=1e-12)


def test_no_context_is_zeros_before_the_text():
    model = NGram(b"ab", 3)
    np.testing.assert_array_equal(model.probabilities(), model.probabilities(b"\0\0"))
    assert model.probabilities().argmax() == ord("a")
    assert model.probabilities(b"a").argmax() == ord("b")


def test_longer_contexts_and_more_text_help_on_code():
    code = load_code()
    text, held_out = code.text("train"), code.excerpt("test", 50_000)
    little, much = (NGram(text[:n], 5).bits_per_byte(held_out) for n in (500_000, 4_000_000))
    assert (np.diff(much) < [-0.8, -0.6, -0.2, -0.02]).all()
    assert 4 < much[0] < 5
    assert 1.8 < much[-1] < little[-1] - 0.2


@pytest.mark.parametrize("order", [0, 9])
def test_orders_that_do_not_fit_are_refused(order):
    with pytest.raises(ValueError, match=f"order must be from 1 to 8, got {order}"):
        NGram(b"a", order)


def test_empty_texts_are_refused():
    with pytest.raises(ValueError, match="no text to count in"):
        NGram(b"", 2)
    with pytest.raises(ValueError, match="empty text has no bits"):
        NGram(b"a", 2).bits_per_byte(b"")
