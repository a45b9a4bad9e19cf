"""The widgets of chapter 09: the gate viewer and its record, the adding problem and its record."""

import numpy as np
import pytest
import torch
import traitlets

from tests.support.javascript import state_of
from utils import layers, recorded
from utils.datasets import load_names
from utils.engine import Tensor
from utils.metrics import accuracy
from utils.models.rnn import LastState
from utils.recorded import adding, names_lstm
from utils.recorded.names_lstm import parts_of
from utils.text import ALPHABET, encode_letters
from utils.training import evaluate
from utils.widgets import GateViewer, adding_lengths
from utils.widgets.gate_viewer import MAPS, gates

NAMES = ("a", "rossi", "zz", "featherstonehaug", "")


def network(rng, hidden=5, classes=3):
    core = layers.LSTM(4, hidden, rng=rng)
    return LastState(core, classes, embedding=layers.Embedding(27, 4, 0, rng=rng), rng=rng)


# ---------------------------------------------------------------- the gate viewer


@pytest.mark.parametrize("name", NAMES[:-1])
def test_gates_equal_the_engine_and_pytorch(name):
    model = network(np.random.default_rng(0))
    values = gates(parts_of(model), name)
    with torch.no_grad():
        cell = torch.nn.LSTMCell(4, 5)
        for ours in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            array = getattr(model.core, f"{ours}_l0").data
            getattr(cell, ours).copy_(torch.tensor(array))
        state = None
        for t, letter in enumerate(encode_letters([name])[0]):
            x = torch.tensor(model.embedding.weight.data[letter])[None]
            before = state
            state = cell(x, state)
            for key, part in zip("hc", state, strict=True):
                np.testing.assert_allclose(values[key][t], part[0], atol=1e-6)
            c_old = 0 if before is None else before[1][0].numpy()
            c = values["f"][t] * c_old + values["i"][t] * values["g"][t]
            np.testing.assert_allclose(values["c"][t], c, atol=1e-6)
            np.testing.assert_allclose(
                values["h"][t], values["o"][t] * np.tanh(values["c"][t]), atol=1e-12
            )
    scores = model(encode_letters([name], 16)).data[0]  # padded and masked
    np.testing.assert_allclose(values["p"][-1], Tensor(scores).softmax(0).data, atol=1e-6)


def test_the_record_reads_names_as_well_as_it_says():
    kept = recorded.load("names_lstm")
    data = load_names()
    assert tuple(kept["languages"]) == tuple(data.class_names)
    right = [
        gates(kept, name)["p"][-1].argmax() == label
        for name, label in zip(data.x_test, data.y_test, strict=True)
    ]
    assert np.mean(right) == pytest.approx(kept["accuracy"], abs=0.005)
    assert kept["accuracy"] > 0.65


def test_training_makes_such_a_record(monkeypatch):
    model, share = names_lstm.train(epochs=2)
    monkeypatch.setattr(names_lstm, "train", lambda epochs: (model, share))
    kept = names_lstm.record()
    assert {k: (a.shape, a.dtype) for k, a in kept.items()} == {
        k: (a.shape, a.dtype) for k, a in recorded.load("names_lstm").items()
    }
    assert 0.4 < kept["accuracy"] == round(share, 4)
    for key, array in parts_of(model).items():
        np.testing.assert_allclose(kept[key], array, rtol=1e-3)
    viewer = GateViewer(model, load_names().class_names)
    x = encode_letters(load_names().x_test, 16)
    assert evaluate(model, (x, load_names().y_test), layers.cross_entropy, {"a": accuracy})[
        "a"
    ] == pytest.approx(share)
    assert viewer.answer in load_names().class_names


@pytest.mark.parametrize("name", NAMES)
def test_every_state_has_words_and_a_picture(name):
    viewer = GateViewer(name=name, letter=15, unit=31)
    t, k = viewer.place
    assert (t, k) == (max(len(name) - 1, 0), 11)
    axes = viewer.draw().axes
    assert [ax.get_title() for ax in axes] == [title for title, *_ in MAPS.values()]
    for ax, key in zip(axes, MAPS, strict=True):
        if name:
            np.testing.assert_array_equal(ax.images[0].get_array(), viewer.values[key].T)
        else:
            assert not ax.images
    if name:
        assert f"letters of {name}" in viewer.describe()
        assert viewer.answer in viewer.describe()
        assert f"c = {viewer.values['c'][t, k]:.2f}" in viewer.describe()
    else:
        assert viewer.answer == ""
        assert "No name" in viewer.describe()


def test_moving_the_cursor_changes_the_words():
    viewer = GateViewer(name="moreau")
    seen = set()
    for letter, unit in ((0, 0), (5, 0), (2, 6), (5, 11)):
        viewer.letter, viewer.unit = letter, unit
        seen.add(viewer.describe())
    assert len(seen) == 4
    assert repr(viewer) == "GateViewer(name='moreau', letter=5.0, unit=11.0)"


def test_states_and_models_are_checked():
    viewer = GateViewer(name="Rossi")
    assert viewer.name == "rossi"
    for bad in ("rossi!", "a b", "x" * 17, 3):
        with pytest.raises(traitlets.TraitError, match="name must be 0 to 16 letters a to z"):
            viewer.name = bad
    with pytest.raises(traitlets.TraitError, match="unit must stay between 0 and 31"):
        viewer.unit = 32
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="has 3 classes, but there are 2"):
        GateViewer(network(rng), ("a", "b"))
    with pytest.raises(ValueError, match="at most 32 units, got 27 and 33"):
        GateViewer(network(rng, hidden=33), "abc")
    plain = LastState(layers.GRU(4, 5, rng=rng), 3, rng=rng)
    with pytest.raises(TypeError, match="an embedding and an LSTM"):
        GateViewer(plain, "abc")
    assert GateViewer(network(rng), "abc").answer in "abc"


# ---------------------------------------------------------------- the adding problem


def test_the_record_holds_every_network_at_every_length():
    runs = adding.runs()
    networks, lengths = adding.NETWORKS, adding.LENGTHS
    assert set(runs) == {(name, length) for name in networks for length in lengths}
    for run in runs.values():
        assert len(run["loss"]) == adding.STEPS // adding.EVERY
        assert 0 < run["test"] < 1


def test_a_cheap_run_made_again_gives_what_is_recorded():
    name = "ReLU RNN, identity start"
    again, model = adding.train(name, 10, steps=200)
    kept = adding.runs()[name, 10]
    # a shorter run draws other sequences from the same start
    assert np.mean(again["loss"][-2:]) == pytest.approx(np.mean(kept["loss"][6:8]), rel=0.8)
    assert again["loss"][0] > 3 * again["loss"][-1]
    assert model.core.nonlinearity == "relu"


def test_starts_are_what_their_names_say():
    rng = np.random.default_rng(0)
    cores = {name: adding.make(name, rng).core for name in adding.NETWORKS}
    H = adding.HIDDEN
    for name, core in cores.items():
        assert type(core).__name__ == name.split(",")[0].split()[-1]
        U = core.weight_hh_l0.data
        b = core.bias_ih_l0.data + core.bias_hh_l0.data
        forget = b[H : 2 * H]
        if "identity" in name:
            np.testing.assert_array_equal(U, np.eye(H))
            assert core.nonlinearity == "relu"
            assert not b.any()
        elif "orthogonal" in name:
            np.testing.assert_allclose(U @ U.T, np.eye(H), atol=1e-5)
        else:
            assert abs(U).max() <= 1 / np.sqrt(H)
        if "forget bias" in name:
            assert (forget == float(name[-1])).all()
        elif name.startswith("LSTM"):
            assert abs(forget).max() <= 2 / np.sqrt(H)
    with pytest.raises(ValueError, match="no network 'luck'; there are tanh RNN"):
        adding.make("luck", rng)


def test_solved_at_is_the_first_mean_below_the_line():
    every = adding.EVERY
    assert adding.solved_at({"loss": [0.1, 0.009, 0.02, 0.001]}) == 2 * every
    assert adding.solved_at({"loss": [0.1, 0.02]}) is None


def test_every_length_shows_its_runs():
    explorer = adding_lengths()
    (ax,) = explorer.fig.axes
    seen = set()
    for length in adding.LENGTHS:
        explorer.set(length=length)
        assert ax.get_title() == f"adding problem, T = {length}"
        for line in ax.lines[: len(adding.NETWORKS)]:
            run = adding.runs()[line.get_label(), length]
            np.testing.assert_array_equal(line.get_ydata(), run["loss"])
            step = adding.solved_at(run)
            words = f"solved by step {step}" if step else "not solved"
            assert f"{line.get_label()}: {words}" in explorer.readout.value
        seen.add(explorer.image.value)
    assert len(seen) == len(adding.LENGTHS)


# ---------------------------------------------------------------- in the browser


def random_name(rng):
    return "".join(rng.choice(list(ALPHABET), rng.integers(1, 17)))


def test_all_gates_of_the_script_equal_numpy(node):
    viewer = GateViewer()
    rng = np.random.default_rng(0)
    for _ in range(40):
        name = random_name(rng)
        shown, ours = node(viewer).gates(viewer.weights, name), gates(viewer.weights, name)
        assert set(shown) == set(ours)
        for key, values in ours.items():
            np.testing.assert_allclose(shown[key], values, rtol=1e-11, atol=1e-12)


def test_the_scripts_numbers_equal_python(node):
    viewer = GateViewer()
    rng = np.random.default_rng(1)
    for _ in range(25):
        viewer.name = random_name(rng)
        viewer.letter, viewer.unit = int(rng.integers(16)), int(rng.integers(32))
        shown = node(viewer).numbers(viewer.weights, state_of(viewer), viewer.constants)
        t, k = viewer.place
        assert (shown["t"], shown["k"]) == (t, k)
        assert list(shown["here"]) == list(MAPS)
        for key in MAPS:
            wanted = viewer.values[key][t, k]
            assert shown["here"][key] == pytest.approx(wanted, rel=1e-11, abs=1e-12)
        np.testing.assert_allclose(shown["p"], viewer.values["p"][t], rtol=1e-11)
    viewer.name = ""
    shown = node(viewer).numbers(viewer.weights, state_of(viewer), viewer.constants)
    assert set(shown["here"].values()) == {0}
    assert shown["p"] == [0] * len(viewer.class_names)
