"""The gradient-flow explorer: its numbers against PyTorch and against theory; its state."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import traitlets
from scipy import stats

from utils.widgets import GradientFlow
from utils.widgets.gradient_flow import (
    ACTIVATIONS,
    BATCH,
    INITIALIZATIONS,
    NORMALIZATIONS,
    WIDTH,
    flow,
    normals,
)

DEFAULT = {
    "depth": 30,
    "activation": "ReLU",
    "initialization": "2/D, He",
    "normalization": "none",
    "skip": "no",
    "seed": 0,
}


def ratio(**state):
    gradients, _ = flow(**DEFAULT | state)
    return gradients[0] / gradients[-1]


def torch_flow(depth, activation, initialization, normalization, skip, seed):
    """The same network from PyTorch's own functions."""
    import torch

    numbers = torch.from_numpy(normals(seed).copy())
    cells = BATCH * WIDTH
    states = [numbers[:cells].reshape(BATCH, WIDTH).requires_grad_()]
    for layer in range(depth):
        start = 2 * cells + layer * WIDTH**2
        weight = numbers[start : start + WIDTH**2].reshape(WIDTH, WIDTH)
        z = torch.nn.functional.linear(states[-1], INITIALIZATIONS[initialization] * weight)
        if normalization == "batch":
            z = torch.nn.functional.batch_norm(z, None, None, training=True)
        elif normalization == "layer":
            z = torch.nn.functional.layer_norm(z, (WIDTH,))
        y = getattr(torch, ACTIVATIONS[activation])(z)
        states.append(states[-1] + y if skip == "yes" else y)
        states[-1].retain_grad()
    states[-1].backward(numbers[cells : 2 * cells].reshape(BATCH, WIDTH))
    return (
        np.array([state.grad.norm().item() for state in states]),
        np.array([state.detach().square().mean().sqrt().item() for state in states]),
    )


@pytest.mark.parametrize("initialization", INITIALIZATIONS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_flow_equals_torch(activation, initialization):
    for seed, (normalization, skip) in enumerate(itertools.product(NORMALIZATIONS, ("no", "yes"))):
        state = (6, activation, initialization, normalization, skip, seed)
        for ours, theirs in zip(flow(*state), torch_flow(*state), strict=True):
            assert ours.shape == (7,)
            np.testing.assert_allclose(ours, theirs, rtol=1e-8)


def test_normals_are_normal_and_repeat():
    numbers = normals(5)
    assert stats.kstest(numbers[:20_000], "norm").pvalue > 1e-3
    assert abs(stats.kurtosis(numbers)) < 0.05
    assert abs(np.corrcoef(numbers[:-1], numbers[1:])[0, 1]) < 0.01
    normals.cache_clear()
    np.testing.assert_array_equal(normals(5), numbers)
    assert not np.array_equal(normals(6), numbers)


@pytest.mark.parametrize("seed", range(5))
def test_thirty_layers_do_what_the_chapter_says(seed):
    assert ratio(activation="sigmoid", initialization="1/D, Xavier", seed=seed) < 1e-12
    assert 0.1 < ratio(seed=seed) < 10
    assert ratio(normalization="batch", seed=seed) > 100
    assert ratio(normalization="batch", skip="yes", seed=seed) < 20


def test_the_factor_a_layer_is_that_of_theory():
    # 2/D keeps the mean square of a ReLU network, on average over weights; 1/D halves it
    squares = np.mean(
        [flow(**DEFAULT | {"depth": 5, "seed": s})[1] ** 2 for s in range(40)], axis=0
    )
    assert squares[-1] / squares[0] == pytest.approx(1, abs=0.25)  # standard error 0.1
    halved = [ratio(initialization="1/D, Xavier", seed=s) for s in range(8)]
    assert np.median(halved) == pytest.approx(2**-15, rel=0.6)
    exploding = [ratio(normalization="batch", seed=s) ** (1 / 30) for s in range(8)]
    assert np.median(exploding) == pytest.approx((np.pi / (np.pi - 1)) ** 0.5, rel=0.02)


def test_state():
    widget = GradientFlow(depth=7, activation="tanh", normalization="layer", skip="yes", seed=3)
    gradients, sizes = flow(7, "tanh", "1/D, Xavier", "layer", "yes", 3)
    np.testing.assert_array_equal(widget.gradients, gradients / gradients[-1])
    assert widget.ratio == widget.gradients[0]
    assert widget.size == sizes[-1]
    assert repr(widget) == (
        "GradientFlow(depth=7.0, activation='tanh', initialization='1/D, Xavier', "
        "normalization='layer', skip='yes', seed=3.0)"
    )
    data, metadata = widget._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert metadata["image/png"]["alt"] == widget.describe()


@pytest.mark.parametrize(
    ("state", "word"),
    [
        ({}, "vanishes"),
        ({"activation": "ReLU", "initialization": "2/D, He"}, "arrives"),
        ({"activation": "ReLU", "initialization": "N(0, 1)"}, "explodes"),
    ],
)
def test_the_description_says_what_happens(state, word):
    assert f"The gradient {word}:" in GradientFlow(**state).describe()


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"depth": 1}, "between 2 and 50"),
        ({"depth": 51}, "between 2 and 50"),
        ({"depth": float("nan")}, "between 2 and 50"),
        ({"activation": "GELU"}, "one of sigmoid, tanh, ReLU"),
        ({"initialization": "He"}, r"one of N\(0, 1\)"),
        ({"normalization": "group"}, "one of none, batch, layer"),
        ({"skip": True}, "one of no, yes"),
        ({"seed": -1}, "between 0 and 99"),
    ],
)
def test_bad_state_is_refused(state, words):
    with pytest.raises(traitlets.TraitError, match=words):
        GradientFlow(**state)


@pytest.mark.parametrize("depth", [2, 50])
def test_picture_has_a_bar_for_each_state(depth):
    widget = GradientFlow(depth=depth)
    (ax,) = widget.draw().axes
    bottoms = [bar.get_y() for bar in ax.patches]
    tops = [bar.get_y() + bar.get_height() for bar in ax.patches]
    np.testing.assert_allclose(bottoms, np.minimum(widget.gradients, 1), rtol=1e-9)
    np.testing.assert_allclose(tops, np.maximum(widget.gradients, 1), rtol=1e-9)
    assert ax.get_ylim()[0] < widget.gradients.min()


# ---------------------------------------------------------------- in the browser


def random_states(count):
    rng = np.random.default_rng(0)
    for _ in range(count):
        yield {
            "depth": int(rng.integers(2, 51)),
            "activation": str(rng.choice(list(ACTIVATIONS))),
            "initialization": str(rng.choice(list(INITIALIZATIONS))),
            "normalization": str(rng.choice(NORMALIZATIONS)),
            "skip": str(rng.choice(["no", "yes"])),
            "seed": int(rng.integers(0, 100)),
        }


def test_the_scripts_flow_equals_numpy(node):
    widget = GradientFlow()
    compared = 0
    for state in random_states(80):
        gradients, sizes = flow(**state)
        if gradients[0] > 1e5 * gradients[-1] and state["activation"] != "ReLU":
            continue  # rounding errors grow as the gradient does; only ReLU's grow with the values
        shown = node(widget).flow(state, widget.constants)
        for name, wanted in (("gradients", gradients), ("sizes", sizes)):
            got = np.array(shown[name], float)
            np.testing.assert_allclose(got, wanted, rtol=1e-7, err_msg=f"{name} {state}")
        compared += 1
    assert compared > 60


def test_the_scripts_numbers_equal_numpy(node):
    widget = GradientFlow()
    seen = set()
    for state in random_states(12):
        state |= {"depth": min(state["depth"], 15)}
        gradients, sizes = flow(**state)
        shown = node(widget).numbers(state, widget.constants)
        r = gradients[0] / gradients[-1]
        wanted = {"ratio": r, "factor": r ** (1 / state["depth"]), "size": sizes[-1]}
        for name, value in wanted.items():
            assert shown[name] == pytest.approx(value, rel=1e-6), (name, state)
        assert f"The gradient {shown['fate']}" in GradientFlow(**state).describe()
        seen.add(str(shown))
    assert len(seen) == 12
