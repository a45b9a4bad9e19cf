"""The widgets of chapter 08: their numbers against PyTorch and finite differences, their states."""

import base64

import numpy as np
import pytest
import traitlets

from tests.support.javascript import state_of
from utils import recorded
from utils.engine import no_grad
from utils.models.rnn import LetterRNN
from utils.recorded import letters
from utils.recorded.letters import fold
from utils.widgets import RNNStepper, WordWriter
from utils.widgets.rnn_stepper import unroll
from utils.widgets.word_writer import MAX_LETTERS, SIGNS, next_sign, write

# ---------------------------------------------------------------- the stepper


def test_states_and_gradients_equal_pytorch():
    import torch

    rng = np.random.default_rng(0)
    for _ in range(5):
        x, (w, u, b) = rng.uniform(-2, 2, 6), rng.uniform(-3, 3, 3)
        u_torch = torch.tensor(u, requires_grad=True)
        h, states = torch.zeros((), dtype=torch.float64), []
        for value in x:
            h = torch.tanh(w * value + u_torch * h + b)
            h.retain_grad()
            states.append(h)
        states[-1].backward()
        ours, gradients, shares = unroll(x, w, u, b)
        np.testing.assert_allclose(ours, [h.item() for h in states], rtol=1e-12)
        np.testing.assert_allclose(gradients, [h.grad.item() for h in states], rtol=1e-9)
        assert shares.sum() == pytest.approx(u_torch.grad.item(), rel=1e-9)


def test_the_stepper_shows_what_its_step_has_reached():
    stepper = RNNStepper()
    for step in range(13):
        stepper.step = step
        assert np.isfinite(stepper.states).sum() == min(step, 6)
        known = np.isfinite(stepper.gradients)
        assert known.sum() == max(step - 6, 0)
        assert known[6 - known.sum() :].all()  # from the last one back
        if step <= 7:
            assert (stepper.slope == 0) == (step <= 6)
    assert stepper.slope == pytest.approx(unroll(stepper.inputs, 1, 0.9, 0)[2].sum())


def test_the_first_input_fades():
    states = RNNStepper().states
    assert (np.diff(states) < 0).all()
    assert states[-1] > 0
    assert "Gradients of the last state" in RNNStepper().describe()
    assert "none yet" in RNNStepper(step=0).describe()


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"inputs": (3, 0, 0, 0, 0, 0)}, "between -2 and 2"),
        ({"inputs": (0, 0)}, "must be 6 numbers"),
        ({"u": 3.1}, "between -3 and 3"),
        ({"w": float("nan")}, "between -3 and 3"),
        ({"b": "1"}, "one number"),
        ({"step": 13}, "between 0 and 12"),
    ],
)
def test_the_stepper_refuses_state(state, words):
    with pytest.raises(traitlets.TraitError, match=words):
        RNNStepper(**state)


@pytest.mark.parametrize("state", [{"u": -3}, {"step": 0}, {"inputs": [2, -2] * 3}])
def test_the_picture_follows_the_state(state):
    def png(widget):
        return widget._repr_mimebundle_()[0]["image/png"]

    assert png(RNNStepper(**state)) != png(RNNStepper())


# ---------------------------------------------------------------- the writer


@pytest.fixture(scope="module")
def model():
    return LetterRNN(12, 5, rng=np.random.default_rng(0))


@pytest.mark.parametrize("start", ["", "a", "street"])
def test_the_next_sign_is_what_the_engine_says(model, start):
    x = [[0, *(SIGNS.index(letter) for letter in start)]]
    with no_grad():
        scores = model(x).data[0, -1].astype(float)
    for temperature in (0.1, 1.0, 2.0):
        e = np.exp((scores - scores.max()) / temperature)
        p = next_sign(fold(model), start, temperature)
        np.testing.assert_allclose(p, e / e.sum(), rtol=2e-5, atol=1e-7)
    writer = WordWriter(model, start=start, temperature=1.3)
    np.testing.assert_array_equal(writer.probabilities, next_sign(fold(model), start, 1.3))
    p = writer.probabilities
    assert writer.entropy == pytest.approx(-(p * np.log2(p)).sum())


def test_a_cold_writer_takes_the_surest_sign():
    word, weights = "", letters.weights()
    while len(word) < MAX_LETTERS and (sign := next_sign(weights, word, 1.0).argmax()):
        word += SIGNS[sign]
    cold = dict(weights, V=weights["V"] * 1000, c=weights["c"] * 1000)
    assert write(cold, "", 0.1, 0) == [word] * 12


def test_words_are_drawn_with_their_probabilities(model):
    weights = fold(model)
    first = [word[:1] for seed in range(100) for word in write(weights, "", 1.0, seed)]
    for sign, p in zip(SIGNS, next_sign(weights, "", 1.0), strict=True):
        share = np.mean([letter == sign.strip("·") for letter in first])
        assert share == pytest.approx(p, abs=4 * np.sqrt(p / 1200))


def test_words_keep_their_start_their_letters_and_their_length(model):
    for start in ("", "q", "unhappil"):
        for word in write(fold(model), start, 2.0, 3):
            assert word.startswith(start)
            assert len(word) <= MAX_LETTERS
            assert set(word) <= set(SIGNS[1:])
    writer = WordWriter(model)
    assert writer.words == WordWriter(model).words
    writer.seed = 1
    assert writer.words != WordWriter(model).words


def test_the_browser_is_sent_the_weights(model):
    writer = WordWriter(model)
    sent = np.frombuffer(base64.b64decode(writer.weights), "<f4")
    parts = fold(model)
    given = np.concatenate([parts[name].ravel() for name in ("table", "U", "V", "c")])
    np.testing.assert_array_equal(sent, given)
    assert (writer.hidden, len(sent)) == (12.0, 2 * 27 * 12 + 12 * 12 + 27)


def test_the_record_is_small_and_writes_english():
    assert (recorded.FOLDER / "letters.npz").stat().st_size < 60_000
    writer = WordWriter()
    assert {name: part.shape for name, part in writer._weights.items()} == {
        "table": (27, 96),
        "U": (96, 96),
        "V": (27, 96),
        "c": (27,),
    }
    assert {part.dtype for part in writer._weights.values()} == {np.dtype(np.float32)}
    q, th = (WordWriter(start=start, temperature=1.0).probabilities for start in ("q", "th"))
    assert SIGNS[q.argmax()] == "u"
    assert q.max() > 0.9
    assert SIGNS[th.argmax()] in "aeiou"


def test_a_cheap_record_made_again_is_the_same(monkeypatch):
    made = [letters.train(hidden=8, epochs=1, words=300) for _ in range(2)]
    for name, part in made[0].items():
        np.testing.assert_array_equal(part, made[1][name])
    monkeypatch.setattr(letters, "train", lambda: made[0])
    kept = letters.record()
    assert kept.keys() == recorded.load("letters").keys()
    for name, part in made[0].items():
        np.testing.assert_array_equal(kept[name], part.astype(np.float16))


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"start": "st3"}, "0 to 8 letters a to z"),
        ({"start": "toolongaword"}, "0 to 8 letters"),
        ({"start": 5}, "0 to 8 letters"),
        ({"temperature": 0}, "between 0.1 and 2"),
        ({"seed": 100}, "between 0 and 99"),
    ],
)
def test_the_writer_refuses_state(state, words):
    with pytest.raises(traitlets.TraitError, match=words):
        WordWriter(**state)


@pytest.mark.parametrize("state", [{"start": "str"}, {"temperature": 2}, {"seed": 99}])
def test_the_writers_picture_follows_the_state(state):
    data, metadata = WordWriter(**state)._repr_mimebundle_()
    assert data["image/png"] != WordWriter()._repr_mimebundle_()[0]["image/png"]
    assert metadata["image/png"]["alt"] == WordWriter(**state).describe()


# ---------------------------------------------------------------- in the browser

STARTS = ["", "q", "th", "str", "unhappil", "zzz"]


def random_step(rng):
    chosen = {"inputs": rng.uniform(-2, 2, 6).tolist(), "step": int(rng.integers(0, 13))}
    return chosen | dict(zip("wub", rng.uniform(-3, 3, 3).tolist(), strict=True))


def random_beginning(rng):
    return {
        "start": str(rng.choice(STARTS)),
        "temperature": float(rng.uniform(0.1, 2)),
        "seed": int(rng.integers(0, 100)),
    }


def test_the_scripts_states_and_gradients_equal_numpy(node):
    stepper = RNNStepper()
    rng = np.random.default_rng(0)
    for _ in range(40):
        for key, value in random_step(rng).items():
            setattr(stepper, key, value)
        shown = node(stepper).numbers(state_of(stepper))
        for theirs, ours in (
            (shown["states"], stepper.states),
            (shown["gradients"], stepper.gradients),
        ):
            np.testing.assert_allclose(theirs, ours, rtol=1e-9, atol=1e-12)
        assert shown["slope"] == pytest.approx(stepper.slope, rel=1e-9, abs=1e-12)


def test_the_scripts_words_and_probabilities_equal_numpy(node):
    writer = WordWriter()
    script = node(writer)
    network = script.keep("unfold", writer.weights, writer.hidden, writer.constants)
    rng = np.random.default_rng(1)
    for _ in range(25):
        for key, value in random_beginning(rng).items():
            setattr(writer, key, value)
        shown = script.numbers(network, state_of(writer), writer.constants)
        np.testing.assert_allclose(shown["p"], writer.probabilities, rtol=1e-9, atol=1e-12)
        assert shown["next"] == writer.probabilities.argmax()
        assert shown["probability"] == max(shown["p"])
        assert shown["entropy"] == pytest.approx(writer.entropy, abs=1e-9)
        assert shown["words"] == writer.words
