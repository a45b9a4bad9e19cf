"""The encoder–decoder: its batches, its answers, its twin on the engine."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from utils import layers
from utils.datasets import load_pronunciations
from utils.datasets.pronunciations import EXAMPLES, LONGEST
from utils.engine import concatenate
from utils.metrics import error_rate
from utils.models.seq2seq import Pronouncer, pronounce, train
from utils.text import END, FIRST, PAD, START, encode_letters, seq2seq_batches
from utils.weights import copy_weights

ALPHABET = ("A", "B", "C")
WORDS = ["ab", "abc", "cab", "a", "bc", "b", "ccc"]
SOUNDS = [tuple(word.upper()) for word in WORDS]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


# ---------------------------------------------------------------- batches


@pytest.mark.slow
def test_the_alphabet_is_the_dictionarys():
    data = load_pronunciations()
    assert tuple(data.phonemes) == tuple(sorted(EXAMPLES))
    assert max(map(len, data.y_train + data.y_test)) < LONGEST
    assert encode_letters([data.letters]).tolist() == [list(range(1, 27))]


def test_an_epoch_has_every_word_once_with_both_halves(rng):
    seen = []
    for x, y, targets in seq2seq_batches(WORDS, SOUNDS, ALPHABET, 2, rng):
        assert 1 <= len(x) <= 2
        assert (x > 0).all()  # no letter is padded
        assert (y[:, 0] == START).all()
        for letters, given, wanted in zip(x, y, targets, strict=True):
            word = "".join("abc"[k - 1] for k in letters)
            codes = [FIRST + "abc".index(letter) for letter in word]
            assert [k for k in given if k != PAD] == [START, *codes]
            assert [k for k in wanted if k != PAD] == [*codes, END]
            seen.append(word)
    assert sorted(seen) == sorted(WORDS)


# ---------------------------------------------------------------- the network


@pytest.mark.parametrize("attention", [True, False])
def test_answers_are_those_of_the_forward_pass(attention):
    """Writing step by step gives the scores of teacher forcing on the same phonemes."""
    torch.manual_seed(0)
    model = Pronouncer(3, attention, embedding=4, reader=5, writer=6)
    for word, answer in zip(WORDS, pronounce(model, WORDS, ALPHABET), strict=True):
        codes = [FIRST + ALPHABET.index(phoneme) for phoneme in answer.phonemes]
        scores = model(torch.tensor(encode_letters([word])), torch.tensor([[START, *codes]]))
        best = (END + scores[..., END:].argmax(-1))[0].tolist()
        ended = len(codes) < LONGEST
        assert best[: len(codes)] == codes
        assert not ended or best[len(codes)] == END
        if attention:
            assert answer.weights.shape == (len(codes), len(word))
            np.testing.assert_allclose(answer.weights.sum(axis=1), 1, rtol=1e-5)
        else:
            assert answer.weights is None


@pytest.mark.parametrize("attention", [True, False])
def test_it_learns_to_copy(attention, rng):
    torch.manual_seed(0)
    model = Pronouncer(3, attention, embedding=8, reader=12, writer=16)
    losses = train(model, (WORDS, SOUNDS), ALPHABET, steps=150, lr=0.02, batch_size=4, rng=rng)
    assert len(losses) == 150
    assert losses[-1] < 0.2 < losses[0]
    answers = pronounce(model, WORDS, ALPHABET)
    assert error_rate([a.phonemes for a in answers], [[sound] for sound in SOUNDS]) < 0.1


def test_training_by_the_clock_ends(rng):
    model = Pronouncer(3, embedding=2, reader=2, writer=2)
    assert train(model, (WORDS, SOUNDS), ALPHABET, seconds=0.05, rng=rng)
    for options in ({}, {"steps": 1, "seconds": 1}):
        with pytest.raises(ValueError, match="give steps or seconds"):
            train(model, (WORDS, SOUNDS), ALPHABET, rng=rng, **options)


def test_the_same_seed_gives_the_same_run():
    runs = []
    for _ in range(2):
        torch.manual_seed(3)
        model = Pronouncer(3, embedding=4, reader=4, writer=4)
        rng = np.random.default_rng(3)
        runs.append(train(model, (WORDS, SOUNDS), ALPHABET, steps=5, batch_size=2, rng=rng))
    assert runs[0] == runs[1]


def test_without_attention_only_the_last_states_count():
    """Equal summaries give equal scores, whatever the states in between."""
    torch.manual_seed(0)
    model = Pronouncer(3, attention=False, embedding=4, reader=5, writer=6)
    memory, state = model.read(torch.tensor([[1, 2, 3, 1]]))
    assert memory.shape == (1, 10)
    assert state.shape == (1, 1, 6)
    scores, *_ = model.write(torch.tensor([[START, 4]]), state, memory)
    torch.testing.assert_close(scores, model(torch.tensor([[1, 2, 3, 1]]), torch.tensor([[1, 4]])))


class OnTheEngine(layers.Module):
    """Chapter 10's network as its notebook writes it."""

    def __init__(self, sizes, rng):
        phonemes, embedding, reader, writer = sizes
        self.letters = layers.Embedding(27, embedding, rng=rng)
        self.rightward = layers.GRU(embedding, reader, rng=rng)
        self.leftward = layers.GRU(embedding, reader, rng=rng)
        self.bridge = layers.Linear(2 * reader, writer, rng=rng)
        self.phonemes = layers.Embedding(FIRST + phonemes, embedding, rng=rng)
        self.writer = layers.GRU(embedding, writer, rng=rng)
        self.query = layers.Linear(writer, writer, rng=rng)
        self.key = layers.Linear(2 * reader, writer, rng=rng)
        self.output = layers.Linear(writer + 2 * reader + embedding, FIRST + phonemes, rng=rng)

    def forward(self, x, y):
        e = self.letters(x)
        right, last = self.rightward(e)
        left, first = self.leftward(e[:, ::-1])
        memory = concatenate([right, left[:, ::-1]], dim=2)
        e = self.phonemes(y)
        s, _ = self.writer(e, self.bridge(concatenate([last, first], dim=2)).tanh())
        context, _ = layers.scaled_dot_product_attention(self.query(s), self.key(memory), memory)
        return self.output(concatenate([s, context, e], dim=2))


def test_the_engine_has_the_same_scores_and_gradients(rng):
    sizes = (3, 4, 5, 6)
    ours, theirs = OnTheEngine(sizes, rng), Pronouncer(3, True, *sizes[1:])
    copy_weights(ours, theirs)
    x, y, targets = next(seq2seq_batches(WORDS, SOUNDS, ALPHABET, 3, rng))
    a, b = ours(x, y), theirs(torch.tensor(x), torch.tensor(y))
    np.testing.assert_allclose(a.data, b.detach().numpy(), rtol=1e-5, atol=1e-5)
    flat = targets.ravel()
    layers.cross_entropy(a.reshape(-1, 6)[flat != PAD], flat[flat != PAD]).backward()
    F.cross_entropy(b.flatten(0, 1), torch.tensor(flat), ignore_index=PAD).backward()
    gradients = dict(theirs.named_parameters())
    for name, p in ours.named_parameters():
        np.testing.assert_allclose(p.grad, gradients[name].grad, rtol=1e-4, atol=1e-6, err_msg=name)
