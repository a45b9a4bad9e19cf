"""The pronunciation map: its numbers against PyTorch, its recorded weights, its state."""

from __future__ import annotations

import base64

import numpy as np
import pytest
import torch
import traitlets

from utils import recorded
from utils.datasets import load_pronunciations
from utils.metrics import error_rate
from utils.models.seq2seq import Pronouncer, pronounce
from utils.recorded import pronouncer
from utils.text import ALPHABET, FIRST
from utils.widgets import PronunciationMap
from utils.widgets.pronunciation_map import PHONEMES, speak


def random_weights(seed, phonemes=39):
    torch.manual_seed(seed)
    model = Pronouncer(phonemes, embedding=6, reader=5, writer=7)
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(3)
    return model, {name: p.double().numpy() for name, p in model.state_dict().items()}


@pytest.mark.parametrize("seed", range(5))
def test_speak_equals_torch(seed):
    model, weights = random_weights(seed)
    rng = np.random.default_rng(seed)
    words = ["".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), n)) for n in (1, 3, 7, 12)]
    for word, theirs in zip(words, pronounce(model.double(), words, PHONEMES), strict=True):
        ours = speak(word, weights)
        assert ours.phonemes == theirs.phonemes
        np.testing.assert_allclose(ours.weights, theirs.weights, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(ours.probabilities.sum(axis=1), 1, rtol=1e-12)


def test_recorded_weights_pronounce_unseen_words():
    data, kept = load_pronunciations(), pronouncer.weights()
    words, right = data.x_test[:300], data.all_test[:300]
    answers = [speak("".join(word), kept).phonemes for word in words]
    assert error_rate(answers, right) < 0.12
    assert speak("phonetic", kept).phonemes == ("F", "AH", "N", "EH", "T", "IH", "K")


def test_recorded_weights_fit_the_network():
    model, kept = Pronouncer(), pronouncer.weights()
    model.load_state_dict({name: torch.tensor(value) for name, value in kept.items()})
    (answer,) = pronounce(model, ["knight"], PHONEMES)
    assert answer.phonemes == speak("knight", kept).phonemes == ("N", "AY", "T")


def test_a_short_recording_is_made_and_read_again(monkeypatch):
    state = pronouncer.train(steps=2)
    monkeypatch.setattr(pronouncer, "train", lambda steps: state)
    kept = pronouncer.record()
    monkeypatch.setattr(recorded, "load", lambda name: kept)
    pronouncer.quantized.cache_clear()
    pronouncer.weights.cache_clear()
    try:
        for name, array in pronouncer.weights().items():
            assert array.shape == state[name].shape
            np.testing.assert_allclose(array, state[name], atol=np.abs(state[name]).max() / 250)
    finally:
        pronouncer.quantized.cache_clear()
        pronouncer.weights.cache_clear()


def test_state():
    speaker = PronunciationMap(word="Knight", step=1)
    assert speaker.word == "knight"
    assert repr(speaker) == "PronunciationMap(word='knight', step=1.0, temperature=1.0)"
    answer = speaker.answer
    assert speaker.probability == answer.probabilities[1].max()
    assert speaker.weight == answer.weights[1].max()
    speaker.step = 17  # beyond the last: the last
    assert speaker.weight == answer.weights[-1].max()
    assert "knight as N AY T" in speaker.describe()
    data, metadata = speaker._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert metadata["image/png"]["alt"] == speaker.describe()
    image = speaker.draw().axes[0].images[0].get_array()
    np.testing.assert_array_equal(image, answer.weights)


def test_a_hot_look_is_blurred_and_a_cold_one_sharp():
    speaker = PronunciationMap(word="phonetic")
    sharpness = []
    for speaker.temperature in (1, 20, 100):
        weights = speaker.answer.weights
        np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-12)
        sharpness.append(weights.max(axis=1).min())
    assert sharpness[0] > sharpness[1] > sharpness[2]
    assert "at temperature 100" in speaker.describe()
    _, weights = random_weights(0)
    hot = speak("abc", weights, 1e9)
    np.testing.assert_allclose(hot.weights, 1 / 3, rtol=1e-6)


def test_what_is_sent_to_the_browser_is_what_python_has():
    speaker = PronunciationMap()
    whole = np.frombuffer(base64.b64decode(speaker.weights), np.int8).astype(float)
    scales = np.frombuffer(base64.b64decode(speaker.scales), "<f4").astype(float)
    for name, rows, cols in speaker.arrays:
        array = whole[: rows * cols].reshape(rows, cols) * scales[:rows, None]
        kept = pronouncer.weights()[name]
        np.testing.assert_array_equal(array.reshape(kept.shape), kept)
        whole, scales = whole[rows * cols :], scales[rows:]
    assert len(whole) == len(scales) == 0


def test_a_network_that_says_nothing(monkeypatch):
    _, weights = random_weights(0)
    weights["output.weight"] = weights["output.weight"] * 0
    weights["output.bias"] = np.eye(42)[2] * 9  # always the end
    monkeypatch.setattr(pronouncer, "weights", lambda: weights)
    speaker = PronunciationMap(word="hush")
    assert speaker.answer.phonemes == ()
    assert speaker.answer.weights.shape == (0, 4)
    assert speaker.probability == speaker.weight == 0
    assert speaker._repr_mimebundle_()[0]["image/png"].startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"word": ""}, "1 to 12 letters"),
        ({"word": "naïve"}, "letters a to z"),
        ({"word": "two words"}, "letters a to z"),
        ({"word": "a" * 13}, "1 to 12 letters"),
        ({"word": 7}, "got 7"),
        ({"step": -1}, "between 0 and 17"),
        ({"temperature": 0.5}, "between 1 and 100"),
    ],
)
def test_it_refuses(state, words):
    with pytest.raises(traitlets.TraitError, match=words):
        PronunciationMap(**state)


# ---------------------------------------------------------------- in the browser


def random_word(rng):
    return "".join(rng.choice(list(ALPHABET), rng.integers(1, 13)))


@pytest.fixture
def speaking(node):
    """Return a widget, its script, and a function that keeps what the script says to a word."""
    speaker = PronunciationMap()
    script = node(speaker)
    net = script.keep("unpack", speaker.arrays, speaker.weights, speaker.scales)
    return speaker, script, lambda word, t: script.keep("speak", word, net, speaker.constants, t)


def test_every_number_of_the_script_equals_numpy(speaking, node):
    speaker, script, _ = speaking
    net = script.keep("unpack", speaker.arrays, speaker.weights, speaker.scales)
    rng = np.random.default_rng(0)
    for word in ["knight", "phonetic", *(random_word(rng) for _ in range(20))]:
        temperature = float(rng.choice([1, 5, 30, 100]))
        shown = script.speak(word, net, speaker.constants, temperature)
        ours = speak(word, pronouncer.weights(), temperature)
        assert tuple(PHONEMES[code - FIRST] for code in shown["codes"]) == ours.phonemes
        np.testing.assert_allclose(shown["probabilities"], ours.probabilities, atol=1e-12)
        weights = np.reshape(shown["weights"], ours.weights.shape)
        np.testing.assert_allclose(weights, ours.weights, atol=1e-12)


def test_the_scripts_numbers_equal_python(speaking):
    speaker, script, say = speaking
    rng = np.random.default_rng(1)
    for _ in range(15):
        speaker.word, speaker.step = random_word(rng), int(rng.integers(0, 18))
        speaker.temperature = int(rng.integers(1, 101))
        answer = say(speaker.word, speaker.temperature)
        shown = script.numbers(answer, speaker.step, speaker.constants)
        assert shown["probability"] == pytest.approx(speaker.probability, abs=1e-12)
        assert shown["weight"] == pytest.approx(speaker.weight, abs=1e-12)
        assert shown["row"] == min(speaker.step, len(speaker.answer.phonemes) - 1)
