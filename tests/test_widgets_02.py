"""The optimizer race: its numbers against PyTorch, finite differences and SciPy; its state."""

from __future__ import annotations

import numpy as np
import pytest
import traitlets
from scipy.optimize import minimize

from utils.widgets import OptimizerRace
from utils.widgets import optimizer_race as module
from utils.widgets.optimizer_race import (
    BATCHES,
    RACERS,
    STARTS,
    SURFACES,
    draws,
    gradient,
    loss,
    race,
)

LOWEST = {"ravine": (0, 0), "Rosenbrock": (1, 1), "saddle": (0, 1)}


def torch_path(name, surface, start, step_size, momentum, batch, steps):
    """The same run with PyTorch's optimizers."""
    import torch

    w = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    optimizer = {
        "descent": lambda: torch.optim.SGD([w], step_size),
        "momentum": lambda: torch.optim.SGD([w], step_size, momentum=momentum),
        "Nesterov": lambda: torch.optim.SGD(
            [w], step_size, momentum=momentum, nesterov=momentum > 0
        ),
        "AdaGrad": lambda: torch.optim.Adagrad([w], step_size),
        "RMSProp": lambda: torch.optim.RMSprop([w], step_size),
        "Adam": lambda: torch.optim.Adam([w], step_size),
    }[name]()
    size = 0 if batch == "all" else int(batch)
    numbers = draws(size * steps)
    path = [w.detach().numpy().copy()]
    for t in range(steps):
        drawn = numbers[t * size : (t + 1) * size] if size else None
        if np.abs(path[-1]).max() <= module.LOST:
            w.grad = torch.from_numpy(gradient(surface, path[-1], drawn))
            optimizer.step()
        path.append(w.detach().numpy().copy())
    return np.array(path)


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("name", RACERS)
def test_paths_equal_torch(surface, name):
    for momentum, batch in ((0.9, "all"), (0.0, "8"), (0.5, "1")):
        settings = surface, STARTS[surface], 0.03, momentum, batch
        ours, theirs = race(*settings, steps=60)[name], torch_path(name, *settings, steps=60)
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)
        assert ours.shape == (61, 2)
        assert np.abs(ours[-1] - ours[0]).max() > 0.01


@pytest.mark.parametrize("surface", SURFACES)
def test_gradient_is_that_of_the_loss(surface):
    rng, h = np.random.default_rng(0), 1e-5
    for w in rng.uniform(-2, 2, (20, 2)):
        slopes = [(loss(surface, w + d) - loss(surface, w - d)) / (2 * h) for d in h * np.eye(2)]
        np.testing.assert_allclose(gradient(surface, w), slopes, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("surface", SURFACES)
def test_single_examples_average_to_the_whole(surface):
    for w in np.random.default_rng(1).uniform(-2, 2, (5, 2)):
        each = [gradient(surface, w, [n]) for n in range(50)]
        np.testing.assert_allclose(np.mean(each, axis=0), gradient(surface, w), atol=1e-12)
        assert np.std(each, axis=0).min() > 0.05


@pytest.mark.parametrize("surface", SURFACES)
def test_height_is_measured_from_the_lowest_point(surface):
    found = minimize(
        lambda w: loss(surface, w), (0.7, 0.6), jac=lambda w: gradient(surface, w), tol=1e-10
    )
    assert abs(found.fun) < 1e-12
    if surface in LOWEST:
        assert loss(surface, LOWEST[surface]) == 0
        np.testing.assert_allclose(found.x, LOWEST[surface], atol=1e-5)


def test_loss_takes_a_grid():
    grid = np.random.default_rng(2).uniform(-2, 2, (3, 4, 2))
    for surface in SURFACES:
        one_by_one = [[loss(surface, w) for w in row] for row in grid]
        np.testing.assert_allclose(loss(surface, grid), one_by_one, rtol=1e-12)


def test_draws_are_uniform_and_repeat():
    numbers = draws(20_000)
    assert numbers == draws(30_000)[:20_000]
    counts = np.bincount(numbers, minlength=50)
    assert len(counts) == 50
    assert ((counts - 400) ** 2 / 400).sum() < 86  # χ² with 49 degrees of freedom, p = 0.001


def test_small_batches_are_noisy_and_all_is_not():
    ends = {b: race("ravine", (-1, 1), 0.05, 0.9, b, steps=150)["descent"][-50:] for b in BATCHES}
    spread = [ends[b].std() for b in BATCHES]
    assert spread[0] > 3 * spread[-2] > 3 * spread[-1]


def test_the_limit_of_the_step_size():
    below = race("ravine", (-1, 1), 0.079, 0, "all")["descent"]
    above = race("ravine", (-1, 1), 0.081, 0, "all")["descent"]
    assert abs(below[-1, 1]) < 0.05 < 50 < abs(above[-1, 1])


def test_a_diverged_racer_stays_where_it_is():
    path = race("ravine", (-1, 1), 1.0, 0.9, "all")["descent"]
    assert np.isfinite(path).all()
    np.testing.assert_array_equal(path[-1], path[-2])
    assert np.abs(path[-1]).max() > module.LOST


def test_on_the_ridge_of_the_saddle_nobody_finds_a_minimum():
    paths = race("saddle", (-1.5, 0), 0.1, 0.9, "all")
    assert all(path[-1, 1] == 0 for path in paths.values())
    assert abs(race("saddle", (-1.5, 0), 0.1, 0.9, "4")["descent"][-1, 1]) > 0.5


def test_state():
    widget = OptimizerRace(surface="saddle", racers=["Adam", "descent"], step=10)
    assert widget.start == STARTS["saddle"]
    assert widget.racers == ("descent", "Adam")
    assert [len(path) for path in widget.paths.values()] == [11, 11]
    assert widget.losses["Adam"] == loss("saddle", widget.paths["Adam"][-1])
    assert repr(widget) == repr(
        OptimizerRace(surface="saddle", racers=("descent", "Adam"), step=10)
    )
    assert "Adam" in widget.describe()
    assert "momentum 0.9" in widget.describe()
    data, metadata = widget._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert metadata["image/png"]["alt"] == widget.describe()


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"surface": "hill"}, "one of ravine"),
        ({"racers": ()}, "must be some of"),
        ({"racers": ("Adam", "Adamax")}, "must be some of"),
        ({"racers": "Adam"}, "must be some of"),
        ({"start": (3, 0)}, "between -2 and 2"),
        ({"start": (0, 0, 0)}, "must be 2 numbers"),
        ({"step_size": 0}, "between 0.001 and 1"),
        ({"momentum": 1}, "between 0 and 0.99"),
        ({"momentum": float("nan")}, "between 0 and 0.99"),
        ({"batch": 4}, "one of 1, 2, 4"),
        ({"step": 201}, "between 0 and 200"),
    ],
)
def test_bad_state_is_refused(state, words):
    with pytest.raises(traitlets.TraitError, match=words):
        OptimizerRace(**state)


@pytest.mark.parametrize("surface", SURFACES)
def test_picture_shows_every_racer(surface):
    fig = OptimizerRace(surface=surface).draw()
    left, right = fig.axes
    assert [text.get_text()[2:] for text in fig.legends[0].get_texts()] == list(RACERS)
    np.testing.assert_allclose(
        [line.get_ydata()[-1] for line in right.lines],
        np.maximum(list(OptimizerRace(surface=surface).losses.values()), 1e-8),
    )
    assert left.get_xlim() == (-2, 2)


# ---------------------------------------------------------------- in the browser


def random_states(count):
    rng = np.random.default_rng(0)
    for i in range(count):
        yield {
            "surface": SURFACES[i % 4],
            "start": rng.uniform(-2, 2, 2).tolist(),
            "step_size": float(10 ** rng.uniform(-3, -0.8)),
            "momentum": float(rng.uniform(0, 0.95)),
            "batch": str(rng.choice(BATCHES)),
        }


def test_the_scripts_paths_equal_numpy_over_50_steps(node):
    widget = OptimizerRace()
    for state in random_states(60):
        shown, wanted = node(widget).race(state, widget.constants, 50), race(**state, steps=50)
        assert list(shown) == list(RACERS)
        for name in RACERS:
            np.testing.assert_allclose(
                shown[name], wanted[name], rtol=1e-9, atol=1e-10, err_msg=f"{name} {state}"
            )


def test_the_scripts_losses_equal_numpy(node):
    widget = OptimizerRace()
    rng = np.random.default_rng(1)
    seen = set()
    for state in random_states(16):
        step = int(rng.integers(0, 51))
        shown = node(widget).numbers(state | {"step": step}, widget.constants)
        for name, path in race(**state, steps=step).items():
            heights = loss(state["surface"], path)
            tolerance = {"rtol": 1e-8, "atol": 1e-12, "err_msg": str(state)}
            np.testing.assert_allclose(shown[name]["heights"], heights, **tolerance)
            np.testing.assert_allclose(shown[name]["path"], path, rtol=1e-9, atol=1e-10)
            assert shown[name]["now"] == shown[name]["heights"][-1]
        seen.add(str(shown))
    assert len(seen) == 16


def test_the_script_knows_the_optimizers_defaults():
    known = OptimizerRace().constants
    assert known["OPTIMIZERS"] == {
        "AdaGrad": {"eps": 1e-10},
        "RMSProp": {"alpha": 0.99, "eps": 1e-8},
        "Adam": {"betas": (0.9, 0.999), "eps": 1e-8},
    }
    assert (known["step"], known["batch"], known["racers"]) == ((0, 200), BATCHES, RACERS)
