"""Byte pairs against the algorithm taken literally and against the library tokenizers."""

import inspect
import time
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utils import byte_pairs
from utils.byte_pairs import PIECE, BytePairs, join, learn
from utils.datasets import load_code

drawn = settings(max_examples=100, deadline=None, database=None, derandomize=True)
few_letters = st.lists(st.sampled_from([b"a", b"b", b"ab", b" ", b"\n", b"_", b"7"])).map(b"".join)


@pytest.fixture(scope="module")
def text():
    return load_code().text("train")


@pytest.fixture(scope="module")
def coder(text):
    return BytePairs(learn(text[:2_000_000], 1024))


def slowly_joined(words, pair):
    """Every word (a list of byte strings) with `pair` joined, by the positions of the pair."""
    for i, word in enumerate(words):
        k = 0
        while k < len(word) - 1:
            if (word[k], word[k + 1]) == pair:
                word = [*word[:k], word[k] + word[k + 1], *word[k + 2 :]]
            k += 1
        words[i] = word


def slowly_learned(text, merges):
    """Algorithm 1 as it is written: count everything again for each merge."""
    words = [[bytes([byte]) for byte in piece] for piece in PIECE.findall(text)]
    number = {bytes([byte]): byte for byte in range(256)}
    found = []
    for _ in range(merges):
        pairs = Counter()
        for word in words:
            for k in range(len(word) - 1):
                pairs[word[k], word[k + 1]] += 1
        if not pairs or max(pairs.values()) < 2:
            break
        most = max(pairs.values())
        pair = min((p for p in pairs if pairs[p] == most), key=lambda p: [number[w] for w in p])
        slowly_joined(words, pair)
        number.setdefault(pair[0] + pair[1], len(number))
        found.append(tuple(number[word] for word in pair))
    return found, [[number[w] for w in word] for word in words]


def test_merges_and_tokens_are_those_of_the_literal_algorithm(text):
    sample = text[100_000:115_000]
    merges, tokens = slowly_learned(sample, 100)
    assert len(merges) == 100
    assert learn(sample, 100) == merges
    np.testing.assert_array_equal(BytePairs(merges).encode(sample), np.concatenate(tokens))


@drawn
@given(few_letters)
def test_repeats_are_joined_from_the_left(text):
    """Words such as aaaa, where pairs overlap."""
    merges, tokens = slowly_learned(text, 5)
    coder = BytePairs(learn(text, 5))
    if len(set(coder.words)) == len(coder):  # the literal version knows no two tokens of one word
        assert coder.merges == merges
        assert coder.encode(text).tolist() == [t for word in tokens for t in word]


def test_join_is_greedy():
    assert join([1, 1, 1, 1, 1], (1, 1), 9) == [9, 9, 1]
    assert join([1, 2, 1, 2, 3], (1, 2), 9) == [9, 9, 3]
    assert join([], (1, 2), 9) == []


@drawn
@given(st.binary(max_size=60))
def test_any_bytes_come_back(coder, text):
    tokens = coder.encode(text)
    assert tokens.dtype == np.int64
    assert coder.decode(tokens) == text
    assert b"".join(PIECE.findall(text)) == text


def test_learning_stops_where_nothing_repeats():
    assert learn(b"", 5) == []
    assert learn(b"abcdef", 5) == []
    assert learn(b"ab ab", 5) == [(97, 98)]  # " ab" comes once
    assert BytePairs([]).encode(b"ab").tolist() == [97, 98]


def test_a_thousand_merges_take_seconds_and_halve_the_code(text, coder):
    start = time.process_time()
    assert learn(text[:2_000_000], 1024) == coder.merges
    assert time.process_time() - start < 15
    held_out = load_code().text("test")
    tokens = coder.encode(held_out)
    assert coder.decode(tokens) == held_out
    assert 2.6 < len(held_out) / len(tokens) < 3.1
    assert len(coder) == 1280
    assert {b"self", b" return", b"\n        "} <= set(coder.words)


def test_it_is_short_enough_for_a_page():
    lines = inspect.getsource(byte_pairs.learn) + inspect.getsource(byte_pairs.join)
    code = [line for line in lines.splitlines() if line.strip()]
    assert len(code) <= 40


def test_the_library_learns_and_encodes_the_same(text):
    tokenizers = pytest.importorskip("tokenizers", reason="needs tokenizers")
    from tokenizers.models import BPE
    from tokenizers.trainers import BpeTrainer

    # a sign for each byte, in the order of the bytes, for the library knows signs only
    signs = {byte: chr(0x2500 + byte) for byte in range(256)}
    library = tokenizers.Tokenizer(BPE())
    trainer = BpeTrainer(
        vocab_size=256 + 1024, initial_alphabet=list(signs.values()), show_progress=False
    )
    sample = text[:1_000_000]
    pieces = ["".join(signs[byte] for byte in piece) for piece in PIECE.findall(sample)]
    library.train_from_iterator(pieces, trainer)
    merges = learn(sample, 1024)
    coder = BytePairs(merges)
    their = library.get_vocab()
    assert [their["".join(signs[b] for b in word)] for word in coder.words] == list(range(1280))

    other = text[1_000_000:1_100_000]
    encoded = library.encode_batch(
        ["".join(signs[byte] for byte in piece) for piece in PIECE.findall(other)]
    )
    assert coder.encode(other).tolist() == [t for piece in encoded for t in piece.ids]
