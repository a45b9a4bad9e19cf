"""The widgets of chapter 05: their numbers against SciPy, PyTorch and MNIST; their state."""

from __future__ import annotations

import base64
import itertools

import numpy as np
import pytest
import traitlets
from scipy.signal import convolve2d, correlate2d

from utils import layers
from utils.datasets import load_digits
from utils.widgets import ConvolutionStepper, DigitPad
from utils.widgets.convolution_stepper import KERNELS, OPERATIONS, convolve, smiley
from utils.widgets.digit_pad import CENTER, PEN, SIDE, THREE, render


def network(rng=None, classes=10):
    rng = np.random.default_rng(0) if rng is None else rng
    return layers.Sequential(
        layers.Conv2d(1, 3, 5, padding=1, rng=rng),
        layers.ReLU(),
        layers.MaxPool2d(2),
        layers.Conv2d(3, 4, 3, rng=rng),
        layers.ReLU(),
        layers.MaxPool2d(3),
        layers.Flatten(),
        layers.Linear(4 * 3 * 3, classes, rng=rng),
    )


# ---------------------------------------------------------------- the stepper


@pytest.mark.parametrize(
    ("stride", "padding", "dilation"), list(itertools.product((1, 2, 3), repeat=3))
)
def test_convolve_equals_torch(stride, padding, dilation):
    import torch

    rng = np.random.default_rng(stride + 9 * padding + 81 * dilation)
    image, kernel = rng.normal(size=(11, 9)), rng.normal(size=(3, 3))
    for operation, laid in zip(OPERATIONS, (kernel, kernel[::-1, ::-1]), strict=True):
        theirs = torch.nn.functional.conv2d(
            torch.tensor(image)[None, None],
            torch.tensor(laid.copy())[None, None],
            stride=stride,
            padding=padding,
            dilation=dilation,
        )[0, 0]
        ours = convolve(image, kernel, stride, padding, dilation, operation)
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-13)


def test_the_two_operations_are_those_of_scipy():
    rng = np.random.default_rng(1)
    image, kernel = rng.normal(size=(8, 7)), rng.normal(size=(3, 3))
    for operation, scipys in zip(OPERATIONS, (correlate2d, convolve2d), strict=True):
        ours = convolve(image, kernel, operation=operation)
        np.testing.assert_allclose(ours, scipys(image, kernel, mode="valid"), atol=1e-13)


def test_stepper_state():
    stepper = ConvolutionStepper(kernel=np.eye(3), position=(27, 3), stride="2", padding="1")
    assert stepper.picture == "a handwritten 7"
    assert stepper.feature_map.shape == (14, 14)
    assert stepper.place == (13, 3)  # beyond the edge: the last row
    padded = np.pad(stepper.image, 1)
    assert stepper.value == pytest.approx(np.trace(padded[26:29, 6:9]), abs=1e-12)
    assert "14×14" in stepper.describe()
    assert repr(stepper).startswith("ConvolutionStepper(picture='a handwritten 7', kernel=((1.0, ")
    data, metadata = stepper._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert metadata["image/png"]["alt"] == stepper.describe()


def test_own_pictures_and_presets():
    picture = np.linspace(0, 1, 784).reshape(28, 28)
    stepper = ConvolutionStepper({"a ramp": picture}, kernel=KERNELS["outline"])
    np.testing.assert_allclose(stepper.image, picture, atol=0.005)
    assert np.abs(stepper.feature_map).max() < 0.05  # rounding of the picture only
    assert stepper.constants["KERNELS"] == KERNELS
    assert set(np.shape(kernel) for kernel in KERNELS.values()) == {(3, 3)}
    assert smiley().shape == (28, 28)
    assert 0 <= smiley().min() < smiley().max() <= 1


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"picture": "a cat"}, "picture must be one of a handwritten 7"),
        ({"kernel": np.ones((2, 2))}, "3 × 3"),
        ({"kernel": np.full((3, 3), 5)}, "between -4 and 4"),
        ({"position": (-1, 0)}, "between 0 and 29"),
        ({"stride": 2}, "one of 1, 2"),
        ({"operation": "flip"}, "one of cross-correlation, convolution"),
    ],
)
def test_stepper_refuses(state, words):
    with pytest.raises(traitlets.TraitError, match=words):
        ConvolutionStepper(**state)


@pytest.mark.parametrize("picture", [np.zeros((8, 8)), np.full((28, 28), 2.0)])
def test_stepper_refuses_pictures(picture):
    with pytest.raises(ValueError, match="must be 28×28 numbers from 0 to 1"):
        ConvolutionStepper({"mine": picture})
    with pytest.raises(ValueError, match="at least one picture"):
        ConvolutionStepper({})


def test_stepper_picture_shows_the_numbers():
    stepper = ConvolutionStepper(kernel=KERNELS["sharpen"], operation="convolution")
    image, kernel, feature_map = (ax.images[0].get_array() for ax in stepper.draw().axes)
    np.testing.assert_array_equal(image, stepper.image)
    np.testing.assert_array_equal(kernel, stepper.kernel)
    np.testing.assert_array_equal(feature_map, stepper.feature_map)


# ---------------------------------------------------------------- the pad


def test_render_centers_and_fits_as_mnist_does():
    digits = load_digits(full=False).x_test
    place = np.arange(SIDE)
    for strokes in (THREE, [[(0.1, 0.2), (0.3, 0.2)]], [[(0, 0), (1, 1)], [(0, 1), (0.4, 0.9)]]):
        ink = render(strokes)
        assert 0 <= ink.min() < ink.max() == 1
        for axis in (0, 1):
            mass = ink.sum(axis=axis)
            mnist = digits.sum(axis=(0, 1 + axis))
            assert mass @ place / mass.sum() == pytest.approx(CENTER, abs=0.1)
            assert mnist @ place / mnist.sum() == pytest.approx(CENTER, abs=0.1)
        sides = [np.ptp(np.flatnonzero(ink.max(axis) > 0.5)) + 1 for axis in (0, 1)]
        assert max(sides) in (19, 20, 21)


def test_render_does_not_mind_place_and_size():
    line = np.array(THREE[0])
    np.testing.assert_allclose(render([line * 0.3 + 0.5]), render([line]), atol=1e-9)


def test_line_is_as_thick_as_the_pen():
    ink = render([[(0.5, 0.1), (0.5, 0.9)]])
    np.testing.assert_allclose(ink[10:18].sum(axis=1), 2 * PEN, atol=0.25)


def test_a_dot_and_an_empty_pad():
    assert not render([]).any()
    dot = render([[(0.2, 0.2)]])
    assert 4 < dot.sum() < 9
    assert dot[14, 14] == 1


def test_pad_equals_torch():
    import torch

    from utils.weights import copy_weights

    model = network()
    twin = torch.nn.Sequential(
        torch.nn.Conv2d(1, 3, 5, padding=1),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(3, 4, 3),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(3),
        torch.nn.Flatten(),
        torch.nn.Linear(36, 10),
    )
    copy_weights(model, twin)
    pad = DigitPad(model)
    x = torch.tensor(pad.image, dtype=torch.float32)[None, None]
    with torch.no_grad():
        for layer, ours in zip(twin, pad.activations, strict=True):
            x = layer(x)
            np.testing.assert_allclose(ours, x[0], atol=1e-6)
        np.testing.assert_allclose(pad.probabilities, x[0].softmax(0), atol=1e-6)
    assert pad.answer == str(int(x.argmax()))


def test_pad_state():
    model = layers.Sequential(*network(), layers.Dropout(0.5, rng=np.random.default_rng(0)))
    pad = DigitPad(model, strokes=[np.array([[0, 1], [0.5, 0.25]])])
    assert pad.strokes == (((0.0, 1.0), (0.5, 0.25)),)
    assert repr(pad) == "DigitPad(strokes=(((0.0, 1.0), (0.5, 0.25)),), pen=(0.5, 0.5))"
    assert f"a {pad.answer}," in pad.describe()
    sent = np.frombuffer(base64.b64decode(pad.weights), "<f4")
    given = np.concatenate([p.data.ravel() for p in model.parameters()])
    np.testing.assert_array_equal(sent, given)
    assert pad.layers[0] == ("Conv2d", 3, 1, 5, 5, 1)
    assert pad.layers[2] == ("MaxPool2d", 2)
    assert [kind for kind, *_ in pad.layers][-1] == "Linear"  # evaluation: no dropout
    np.testing.assert_array_equal(
        pad.probabilities, DigitPad(network(), strokes=pad.strokes).probabilities
    )
    data, metadata = pad._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert metadata["image/png"]["alt"] == pad.describe()
    pad.strokes = []
    assert pad.answer == ""
    assert "empty" in pad.describe()
    assert pad._repr_mimebundle_()[0]["image/png"].startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"strokes": [[(0.5, 1.5)]]}, "from 0 to 1"),
        ({"strokes": [[(0.5,)]]}, "from 0 to 1"),
        ({"strokes": [[]]}, "lines of points"),
        ({"strokes": "three"}, "lines of points"),
        ({"strokes": [[(0.5, float("nan"))]]}, "from 0 to 1"),
        ({"strokes": [np.zeros((2001, 2))]}, "at most 2000"),
        ({"pen": (2, 0)}, "between 0 and 1"),
    ],
)
def test_pad_refuses_state(state, words):
    with pytest.raises(traitlets.TraitError, match=words):
        DigitPad(network(), **state)


def test_pad_refuses_models():
    rng = np.random.default_rng(0)
    head = [layers.Flatten(), layers.Linear(784, 10, rng=rng)]
    assert DigitPad(layers.Sequential(*head)).answer in "0123456789"
    cases = {
        "knows Conv2d, ReLU": layers.Tanh(),
        "stride, dilation and groups 1": layers.Conv2d(1, 1, 3, stride=2, rng=rng),
        "equal in both directions": layers.Conv2d(1, 1, 3, padding=(0, 1), rng=rng),
        "bias=True": layers.Conv2d(1, 1, 3, bias=False, rng=rng),
        "whose stride is its size": layers.MaxPool2d(2, stride=1),
    }
    for words, layer in cases.items():
        with pytest.raises((TypeError, ValueError), match=words):
            DigitPad(layers.Sequential(layer, *head))
    with pytest.raises(ValueError, match=r"shape \(7,\) for 10 classes"):
        DigitPad(network(classes=7))


def test_pad_picture_shows_the_numbers():
    pad = DigitPad(network())
    top, first, second = pad.draw().subfigs
    np.testing.assert_array_equal(top.axes[1].images[0].get_array(), pad.image)
    heights = [bar.get_height() for bar in top.axes[2].patches]
    np.testing.assert_allclose(heights, pad.probabilities)
    for part, at in ((first, 1), (second, 4)):
        shown = np.array([ax.images[0].get_array() for ax in part.axes])
        np.testing.assert_array_equal(shown, pad.activations[at])


# ---------------------------------------------------------------- in the browser


def random_state(rng):
    return {
        "kernel": (np.round(rng.uniform(-4, 4, (3, 3)) * 2) / 2).tolist(),
        "position": rng.integers(6, 30, 2).tolist(),
        "stride": str(rng.integers(1, 3)),
        "padding": str(rng.integers(0, 2)),
        "dilation": str(rng.integers(1, 3)),
        "operation": str(rng.choice(OPERATIONS)),
    }


def reader(rng, padding=0):
    """A network with two convolutions, as DigitPad shows it."""
    return layers.Sequential(
        layers.Conv2d(1, 8, 5, padding=padding, rng=rng),
        layers.ReLU(),
        layers.MaxPool2d(2),
        layers.Conv2d(8, 16, 5, padding=padding, rng=rng),
        layers.ReLU(),
        layers.MaxPool2d(3),
        layers.Flatten(),
        layers.Linear(16 * (16 if padding else 4), 10, rng=rng),
    )


def random_strokes(rng):
    """One to four wandering lines, a dot among them."""
    lines = [
        np.clip(rng.uniform(0.2, 0.8, 2) + rng.normal(0, 0.08, (n, 2)).cumsum(0), 0, 1).tolist()
        for n in rng.integers(2, 12, rng.integers(1, 4))
    ]
    return [*lines, [rng.uniform(0, 1, 2).tolist()]] if rng.random() < 0.3 else lines


def test_the_scripts_feature_maps_equal_numpy(node):
    rng = np.random.default_rng(0)
    for _ in range(40):
        state = random_state(rng)
        image = rng.uniform(0, 1, (28, 28))
        settings = [int(state[key]) for key in ("stride", "padding", "dilation")]
        arguments = [image.tolist(), state["kernel"], *settings, state["operation"]]
        shown = node(ConvolutionStepper()).convolve(*arguments)
        np.testing.assert_allclose(shown, convolve(*arguments), rtol=1e-12, atol=1e-12)


def test_the_scripts_sum_equals_python(node):
    widget = ConvolutionStepper()
    rng = np.random.default_rng(1)
    seen = set()
    for _ in range(40):
        state = random_state(rng) | {"picture": str(rng.choice([n for n, _ in widget.pictures]))}
        for key, value in state.items():
            setattr(widget, key, value)
        shown = node(widget).numbers(widget.image, state)
        assert shown["sum"] == pytest.approx(widget.value, rel=1e-12, abs=1e-12)
        assert (shown["i"], shown["j"]) == widget.place
        assert np.shape(shown["map"]) == widget.feature_map.shape
        assert np.sum(shown["products"]) == pytest.approx(widget.value, rel=1e-12, abs=1e-12)
        seen.add(widget.value)
    assert len(seen) >= 10  # the states do differ


@pytest.mark.parametrize("padding", [0, 2])
def test_every_layer_of_the_script_equals_the_engine(padding, node):
    rng = np.random.default_rng(padding)
    pad = DigitPad(reader(rng, padding))
    model = node(pad).keep("unpack", pad.layers, pad.weights)
    for _ in range(15):
        pad.strokes = random_strokes(rng)
        shown = node(pad).numbers(model, pad.strokes, pad.constants)
        np.testing.assert_allclose(
            shown["image"], render(pad.strokes).ravel(), rtol=1e-9, atol=1e-9
        )
        for theirs, ours in zip(shown["outputs"], pad.activations, strict=True):
            np.testing.assert_allclose(theirs["data"], ours.ravel(), atol=2e-6)  # of float32
            assert tuple(theirs["shape"]) == ours.shape
        np.testing.assert_allclose(shown["p"], pad.probabilities, atol=1e-6)


def test_the_scripts_answer_equals_python(node):
    rng = np.random.default_rng(2)
    pad = DigitPad(reader(rng))
    model = node(pad).keep("unpack", pad.layers, pad.weights)
    for _ in range(10):
        pad.strokes = random_strokes(rng)
        shown = node(pad).numbers(model, pad.strokes, pad.constants)
        assert shown["answer"] == int(pad.answer)
        assert shown["probability"] == pytest.approx(pad.probabilities.max(), abs=1e-6)
        np.testing.assert_allclose(shown["p"], pad.probabilities, atol=1e-6)
    assert node(pad).numbers(model, [], pad.constants)["answer"] == -1
