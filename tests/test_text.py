"""Words as numbers, inputs and targets, batches by length, texts weighed by TF-IDF."""

import itertools

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from utils.recorded.library import QUERIES, library
from utils.text import (
    ALPHABET,
    TfIdf,
    batches_by_length,
    encode_letters,
    next_letter_pairs,
    words_of,
)


def test_encode_letters_numbers_the_letters_and_pads():
    np.testing.assert_array_equal(
        encode_letters(["abz", "", "y"]), [[1, 2, 26], [0, 0, 0], [25, 0, 0]]
    )
    assert encode_letters(["ab"], 5).tolist() == [[1, 2, 0, 0, 0]]
    assert encode_letters([]).shape == (0, 0)
    assert encode_letters(["ab"]).dtype.kind == "i"


def test_encode_letters_refuses_what_it_cannot_write():
    with pytest.raises(ValueError, match="has 3 letters, more than 2 steps"):
        encode_letters(["a", "abc"], 2)
    for bad in ("O", "é", "a b", "a-"):
        with pytest.raises(ValueError, match="other than the letters a to z"):
            encode_letters([bad])


def test_teacher_forcing_asks_for_each_next_letter():
    x, y = next_letter_pairs(["cab", "zz", "a"])
    assert x.tolist() == [[0, 3, 1, 2], [0, 26, 26, 0], [0, 1, 0, 0]]
    assert y.tolist() == [[3, 1, 2, 0], [26, 26, 0, -1], [1, 0, -1, -1]]
    assert x.dtype == y.dtype == np.int64
    for part, other in zip(
        next_letter_pairs([("c", "a", "b")]), next_letter_pairs(["cab"]), strict=True
    ):
        np.testing.assert_array_equal(part, other)  # as load_pronunciations gives them
    assert len(ALPHABET) == 26


@pytest.mark.parametrize(
    "wrong", [[], ["Cab"], ["l'or"], ["caf\N{LATIN SMALL LETTER E WITH ACUTE}"]]
)
def test_other_signs_are_refused(wrong):
    with pytest.raises(ValueError, match="letters a to z"):
        next_letter_pairs(wrong)


@pytest.mark.parametrize("size", [1, 4, 7, 50])
def test_batches_by_length_take_each_once_and_pad_least(size):
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 9, 41)
    batches = batches_by_length(lengths, size, rng)
    assert sorted(np.concatenate(batches).tolist()) == list(range(41))
    assert sorted(map(len, batches))[1:] == [size] * (len(batches) - 1)
    spans = sorted((lengths[batch].min(), lengths[batch].max()) for batch in batches)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))


def test_batches_by_length_differ_from_draw_to_draw():
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 4, 60)
    first, second = (batches_by_length(lengths, 10, rng) for _ in range(2))
    assert [b.tolist() for b in first] != [b.tolist() for b in second]
    assert {frozenset(b.tolist()) for b in first} != {frozenset(b.tolist()) for b in second}


def test_no_batch_holds_two_groups():
    rng = np.random.default_rng(0)
    lengths, groups = rng.integers(1, 9, 60), rng.integers(0, 4, 60)
    batches = batches_by_length(lengths, 7, rng, groups)
    assert sorted(np.concatenate(batches).tolist()) == list(range(60))
    assert all(len(set(groups[batch])) == 1 for batch in batches)
    sizes = np.bincount(groups)
    assert len(batches) == sum(-(-size // 7) for size in sizes)
    for group in range(4):
        spans = sorted(
            (lengths[b].min(), lengths[b].max()) for b in batches if groups[b[0]] == group
        )
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))


ODD = ("Naïve_où 42 ÉTÉ the №7 x²y", "od.copy() -> a_b 1 22", "İstanbul ﬁne ½½ ٣٤ 漢字 a\u0301bc")


@pytest.mark.parametrize("count", [1, 2, 920])
def test_tf_idf_equals_scikit_learn(count):
    texts = (*library().texts[:count], *ODD[: count - 1])
    theirs, ours = TfidfVectorizer(), TfIdf(texts)
    rows = theirs.fit_transform(texts)
    assert ours.idf == pytest.approx(
        {word: theirs.idf_[k] for word, k in theirs.vocabulary_.items()}, rel=1e-12
    )
    for query in (*QUERIES, *ODD, texts[-1], "zzz", ""):
        wanted = (theirs.transform([query]) @ rows.T).toarray()[0]
        np.testing.assert_allclose(ours.similarities(query), wanted, atol=1e-12, err_msg=query)


def test_words_are_cut_as_scikit_learn_does():
    cut = TfidfVectorizer().build_analyzer()
    for text in ODD:
        assert words_of(text) == cut(text) != []


def test_tf_idf_of_no_texts_is_refused():
    with pytest.raises(ValueError, match="one text or more"):
        TfIdf([])
