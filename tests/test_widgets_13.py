"""The widgets of chapter 13: their numbers against PyTorch and integrals, states, pictures."""

import base64
import itertools
import math
import warnings

import numpy as np
import pytest
import scipy.integrate
import torch
import traitlets
from scipy.stats import norm

from tests.support.javascript import state_of
from utils import recorded
from utils.datasets import ring
from utils.models import gan
from utils.recorded import generator, judge
from utils.recorded import ring as record
from utils.widgets import GanStepper, LatentWalk, RingFilm
from utils.widgets import gan_stepper as stepper
from utils.widgets.gan_stepper import LOSSES, MAX_MOVES, TARGETS
from utils.widgets.latent_walk import DIGITS, PATHS, SHOWN, between, pack

# ---------------------------------------------------------------- the stepper


def pdf(target):
    means, sigma = TARGETS[target]
    return lambda x: np.mean([norm.pdf(x, m, sigma) for m in means])


def test_the_batch_are_quantiles():
    z = stepper.quantiles()
    np.testing.assert_allclose(norm.cdf(z), (np.arange(40) + 0.5) / 40, atol=1e-12)
    np.testing.assert_array_equal(z, -z[::-1])
    for target, (means, _) in TARGETS.items():
        x = stepper.batch(target)
        assert len(x) == 40
        assert x.mean() == pytest.approx(np.mean(means), abs=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("target", TARGETS)
def test_a_game_equals_the_same_in_pytorch(target, loss):
    moves = "DDGDGGDDDDG" * 3
    theta = torch.tensor(stepper.first_weights(), requires_grad=True)
    player = torch.tensor([-1.5, 0.0], dtype=torch.float64, requires_grad=True)
    of_D = torch.optim.Adam([theta], lr=0.05, betas=(0.5, 0.99), eps=1e-8)
    of_G = torch.optim.SGD([player], lr=0.4)
    z, real = torch.tensor(stepper.quantiles()), torch.tensor(stepper.batch(target))

    def f(x):
        w, b, v = theta[:-1].reshape(3, -1)
        return torch.tanh(x[:, None] * w + b) @ v + theta[-1]

    bce = torch.nn.functional.binary_cross_entropy_with_logits
    for move in moves:
        s = f(player[0] + player[1].exp() * z)
        if move == "D":
            r = f(real)
            cost = bce(r, torch.ones_like(r)) + bce(s, torch.zeros_like(s))
        else:
            cost = bce(s, torch.ones_like(s))
            if loss == LOSSES[1]:
                cost = -bce(s, torch.zeros_like(s))
        optimizer = of_D if move == "D" else of_G
        for each in (of_D, of_G):
            each.zero_grad()
        cost.backward()
        optimizer.step()
    game = stepper.play(moves, target, loss, 0.4)
    np.testing.assert_allclose(game.theta, theta.detach(), rtol=1e-8)
    np.testing.assert_allclose([game.mean, game.log_sigma], player.detach(), rtol=1e-9)
    assert game.t == moves.count("D")


@pytest.mark.parametrize("loss", LOSSES)
def test_pulls_are_slopes_of_the_loss(loss):
    game = stepper.play("D" * 15, "one bump", loss, 0.3)
    x = game.mean + np.exp(game.log_sigma) * stepper.quantiles()

    def cost(x):
        s = stepper.score(game.theta, x)[0]
        return np.logaddexp(0, -s) if loss == LOSSES[0] else -np.logaddexp(0, s)

    slope = (cost(x + 1e-6) - cost(x - 1e-6)) / 2e-6
    np.testing.assert_allclose(stepper.pulls(game, loss), -slope, atol=1e-8)


@pytest.mark.parametrize(
    ("state", "where"),
    [
        ({}, "untrained"),
        ({"moves": "DDDDDG" * 30}, "trained"),
        ({"moves": "DDDDDG" * 30, "target": "two bumps"}, "one of two"),
        ({"moves": "D" * 30 + "G" * 200, "rate": 1}, "gone far"),
        ({"moves": "D" * 600 + "G" * 600, "loss": LOSSES[1]}, "spread wide"),
    ],
)
def test_divergence_and_best_discriminator_equal_the_integrals(state, where):
    game = GanStepper(**state)
    n, p = game.numbers, pdf(game.target)

    def q(x):
        return norm.pdf(x, n["mean"], n["spread"])

    def half(a):
        return lambda x: a(x) * math.log(2 * a(x) / (p(x) + q(x))) / 2 if a(x) > 0 else 0.0

    js = 0.0
    for a, middle, wide in ((p, 0, 7), (q, n["mean"], 8 * n["spread"])):
        near = [x for x in (n["mean"], *TARGETS[game.target][0]) if abs(x - middle) < wide]
        js += scipy.integrate.quad(half(a), middle - wide, middle + wide, points=near, limit=400)[0]
    assert n["js"] == pytest.approx(js, abs=2e-3)
    assert 0 <= n["js"] <= math.log(2) + 1e-9

    x, p_there, q_there, D, best = game.curves.values()
    some = slice(3, None, 25)
    np.testing.assert_allclose(p_there[some], [p(v) for v in x[some]], atol=1e-12)
    np.testing.assert_allclose(q_there[some], [q(v) for v in x[some]], atol=1e-12)
    shares = [p(v) / (p(v) + q(v)) for v in x[100:150]]
    np.testing.assert_allclose(best[100:150], shares, rtol=1e-9)
    assert (D >= 0).all()
    assert (D <= 1).all()


def test_the_value_at_the_best_discriminator_is_the_divergence():
    game = GanStepper(moves="DDDDDG" * 5, target="two bumps")
    _, p, q, _, best = game.curves.values()
    value = (p * np.log(best) + q * np.log(1 - best)).sum() * stepper.CELL
    assert value == pytest.approx(-math.log(4) + 2 * game.numbers["js"], abs=1e-3)


def test_the_discriminator_comes_near_the_best_and_the_generator_to_the_data():
    first = GanStepper().numbers
    assert first["value"] == pytest.approx(-math.log(4), abs=0.05)  # it knows nothing yet
    assert GanStepper(moves="D" * 20).numbers["gap"] < first["gap"]
    n = GanStepper(moves="DDDDDG" * 200).numbers
    assert n["gap"] < 0.05
    assert (n["mean"], n["spread"]) == (pytest.approx(2, abs=0.01), pytest.approx(0.5, abs=0.01))
    assert n["js"] < 1e-3


def test_a_sure_discriminator_pulls_little_by_the_saturating_loss():
    flat, steep = (GanStepper(moves="D" * 600, loss=loss).numbers["pull"] for loss in LOSSES[::-1])
    assert flat < 0.01 * steep


EXTREMES = ["", "D" * MAX_MOVES, "G" * MAX_MOVES, "D" * 600 + "G" * 600, "DDDDDG" * 20]


@pytest.mark.parametrize(
    ("moves", "target", "rate"), list(itertools.product(EXTREMES, TARGETS, (0.01, 1)))
)
def test_every_control_at_its_ends_gives_finite_numbers(moves, target, rate):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        game = GanStepper(moves=moves, target=target, rate=rate, loss=LOSSES[len(moves) % 7 > 3])
        n = game.numbers
        assert np.isfinite(list(n.values())).all()
        assert n["spread"] > 0
        assert 0 <= n["gap"] <= 1


def test_the_game_is_told_in_words():
    game = GanStepper(moves="DDDDDG" * 2)
    n, text = game.numbers, game.describe()
    assert "After 10 moves of D and 2 of G" in text
    assert f"divergence is {n['js']:.2f}" in text
    assert f"mean {n['mean']:.2f} and spread {n['spread']:.2f}" in text


def test_each_setting_changes_the_game():
    start = {"moves": "DDDDDG" * 6}
    seen = [
        GanStepper(**start | change).numbers["js"]
        for change in (
            {},
            {"moves": "DDDDDG" * 7},
            {"target": "two bumps"},
            {"loss": LOSSES[1]},
            {"rate": 1},
        )
    ]
    assert len(set(np.round(seen, 6))) == 5
    game = GanStepper(**start)
    assert eval(repr(game)).numbers == game.numbers


def test_the_picture_of_the_game_shows_the_curves():
    game = GanStepper(moves="DDDDDG" * 6)
    top, low = game.draw().axes
    curves = game.curves
    for ax, names in ((top, ("p", "q")), (low, ("D", "best"))):
        for line, name in zip(ax.lines, names, strict=True):
            np.testing.assert_array_equal(line.get_xydata().T, [curves["x"], curves[name]])
    data, metadata = game._repr_mimebundle_()
    assert metadata["image/png"]["alt"] == game.describe()
    game.moves += "D"
    assert game._repr_mimebundle_()[0]["image/png"] != data["image/png"]


# ---------------------------------------------------------------- the film


@pytest.mark.parametrize("setting", record.SETTINGS)
def test_the_film_shows_the_record(setting):
    kept = next(run for run in record.runs() if run["setting"] == setting and "frames" in run)
    film = RingFilm(setting=setting)
    for frame in (0, 7, record.FRAMES - 1):
        film.frame = frame
        there = kept["frames"][frame]
        assert film.numbers == {key: there[key] for key in ("step", "modes", "near")}
        np.testing.assert_allclose(100 * film.points, there["points"], atol=1e-9)
        assert f"{setting}, after {there['step']} steps" in film.describe()
        assert f"{there['modes']} of 8 modes kept" in film.describe()
        assert eval(repr(film)).numbers == film.numbers
    ended = ", ".join(str(n) for n in sorted(record.modes_kept()[setting]))
    assert f"ended with {ended} modes" in film.describe()


def test_the_shown_points_agree_with_the_count():
    for setting, frames in RingFilm().films.items():
        last = frames[-1]
        points = np.array(last["points"]) / 100
        modes, near = ring.count(points, record.SETTINGS[setting].sigma)
        assert modes <= last["modes"] + 1  # 128 of the 2,000 points, and rounded
        assert near == pytest.approx(last["near"], abs=0.16)


def test_the_picture_of_the_film_marks_the_present_frame():
    film = RingFilm(setting="diffusion", frame=7)
    axes = film.draw().axes
    bold = [ax.title.get_fontweight() == "bold" for ax in axes]
    assert bold == [False, False, True, False, False]
    np.testing.assert_allclose(axes[2].collections[0].get_offsets(), film.points)
    np.testing.assert_allclose([circle.center for circle in axes[0].patches], ring.centers())
    assert {circle.radius for circle in axes[0].patches} == {3 * 0.05}
    film.frame = 0
    assert len(film.draw().axes) == 4
    data, metadata = film._repr_mimebundle_()
    assert metadata["image/png"]["alt"] == film.describe()
    film.frame = 9
    assert film._repr_mimebundle_()[0]["image/png"] != data["image/png"]


# ---------------------------------------------------------------- the walk


def test_paths_start_and_end_where_they_should():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 32))
    for path in PATHS:
        np.testing.assert_allclose(between(a, b, 0, path), a, atol=1e-12)
        np.testing.assert_allclose(between(a, b, 1, path), b, atol=1e-12)
        np.testing.assert_allclose(between(a, b, 0.3, path), between(b, a, 0.7, path), atol=1e-12)
        np.testing.assert_allclose(between(a, a, 0.4, path), a, atol=1e-12)
    np.testing.assert_allclose(between(a, b, 0.5, "straight"), (a + b) / 2)


def test_the_straight_way_cuts_the_corner():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 32))
    ways = np.linspace(0, 1, 11)
    lengths = [np.linalg.norm(between(a, b, t, "along the sphere")) for t in ways]
    assert np.linalg.norm(between(a, b, 0.5, "straight")) < 0.9 * min(lengths)


def test_the_walk_draws_what_pytorch_draws():
    kept = {name: array.astype(np.float32) for name, array in generator.weights().items()}
    walk = LatentWalk(start="3", end="8")
    z = torch.tensor(walk.latent[None], dtype=torch.float32)
    h = z @ torch.tensor(kept["w0"]).T + torch.tensor(kept["b0"])
    up = torch.nn.functional.conv_transpose2d
    for i in (1, 2):
        h = up(
            h.relu().reshape(1, -1, 7 * i, 7 * i),
            torch.tensor(kept[f"w{i}"]),
            torch.tensor(kept[f"b{i}"]),
            stride=2,
            padding=1,
        )
    np.testing.assert_allclose(walk.image, (h.tanh()[0, 0] + 1) / 2, atol=1e-5)


def test_the_walk_goes_from_digit_to_digit():
    anchors = recorded.load("generator")["anchors"]
    for start, end in itertools.pairwise("0123456789"):
        walk = LatentWalk(start=start, end=end, t=0)
        np.testing.assert_allclose(walk.latent, anchors[int(start)], rtol=1e-6)
        ends = [walk.image]
        walk.t = 1
        ends.append(walk.image)
        assert judge.read(np.array(ends)).tolist() == [int(start), int(end)]
        walk.t = 0.5
        assert walk.image.shape == (28, 28)
        assert 0 <= walk.image.min() < walk.image.max() <= 1
    assert f"a generated {walk.start} to a generated {walk.end}, 50%" in walk.describe()
    assert eval(repr(walk)).t == 0.5
    here = walk.image
    walk.path = "straight"
    assert np.abs(walk.image - here).max() > 0.01
    assert "straight" in walk.describe()


def test_the_weights_of_the_walk_travel_as_half_precision():
    walk = LatentWalk()
    assert len(walk.weights) <= 200_000
    sent = np.frombuffer(base64.b64decode(walk.weights), "<f2")
    kept = generator.weights()
    parts = [kept[name].ravel() for name in ("w0", "b0", "w1", "b1", "w2", "b2")]
    np.testing.assert_array_equal(sent, np.concatenate(parts))
    assert [tuple(shape) for shape in walk.shapes] == [(1568, 32), (32, 16, 4, 4), (16, 1, 4, 4)]
    assert pack(kept) == walk.weights


def test_the_picture_of_the_walk_shows_all_of_it():
    walk = LatentWalk(start="1", end="0", t=0.5)
    axes = [ax for ax in walk.draw().axes if ax.images]
    assert len(axes) == SHOWN
    np.testing.assert_allclose(axes[SHOWN // 2].images[0].get_array(), walk.image, atol=1e-6)
    data, metadata = walk._repr_mimebundle_()
    assert metadata["image/png"]["alt"] == walk.describe()
    walk.end = "4"
    assert walk._repr_mimebundle_()[0]["image/png"] != data["image/png"]


# ---------------------------------------------------------------- all three


@pytest.mark.parametrize(
    ("widget", "state", "words"),
    [
        (GanStepper, {"moves": "DGX"}, "moves must be at most 1200 letters D and G"),
        (GanStepper, {"moves": "D" * (MAX_MOVES + 1)}, "moves must be at most 1200 letters"),
        (GanStepper, {"moves": 3}, "moves must be at most 1200 letters D and G.*got 3"),
        (GanStepper, {"rate": 0}, "rate must stay between 0.01 and 1"),
        (GanStepper, {"rate": 1.5}, "rate must stay between 0.01 and 1"),
        (GanStepper, {"rate": "fast"}, "rate must be one number"),
        (GanStepper, {"target": "three bumps"}, "'one bump', 'two bumps'|one bump.*two bumps"),
        (GanStepper, {"loss": "hinge"}, "non-saturating"),
        (RingFilm, {"setting": "magic"}, "slow discriminator"),
        (RingFilm, {"frame": -1}, "frame"),
        (RingFilm, {"frame": record.FRAMES}, "frame"),
        (RingFilm, {"frame": 1.5}, "frame"),
        (LatentWalk, {"start": "11"}, "start"),
        (LatentWalk, {"end": 3}, "end"),
        (LatentWalk, {"t": 1.01}, "t must stay between 0 and 1"),
        (LatentWalk, {"t": math.nan}, "t must stay between 0 and 1"),
        (LatentWalk, {"path": "around"}, "along the sphere.*straight"),
    ],
)
def test_a_state_that_makes_no_sense_is_refused(widget, state, words):
    with pytest.raises(traitlets.TraitError, match=words):
        widget(**state)


# ---------------------------------------------------------------- in the browser


def random_game(rng):
    return {
        "moves": "".join(rng.choice(["D", "G"], rng.integers(0, 120), p=[0.8, 0.2])),
        "target": str(rng.choice(list(TARGETS))),
        "loss": str(rng.choice(LOSSES)),
        "rate": round(float(rng.uniform(0.01, 1)), 2),
    }


def random_walk(rng):
    return {
        "start": str(rng.choice(DIGITS)),
        "end": str(rng.choice(DIGITS)),
        "t": round(float(rng.uniform(0, 1)), 2),
        "path": str(rng.choice(PATHS)),
    }


def numbers_of_script(node, game):
    script, constants = node(game), game.constants
    rules = script.keep("rules", state_of(game), constants)
    played = script.keep("advance", script.keep("begin", constants), game.moves, rules, constants)
    shown = script.numbers(played, constants["TARGETS"][game.target], rules, constants)
    return shown, script.curves(played, constants["TARGETS"][game.target], constants)


def test_the_scripts_game_equals_numpy(node):
    game = GanStepper()
    rng = np.random.default_rng(0)
    for _ in range(30):
        for name, value in random_game(rng).items():
            setattr(game, name, value)
        shown, curves = numbers_of_script(node, game)
        assert shown == pytest.approx(game.numbers, rel=1e-7, abs=1e-9)
        for key, values in game.curves.items():
            theirs = [point[key] for point in curves]
            np.testing.assert_allclose(theirs, values, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("moves", ["DDDDDG" * 200, "D" * 600 + "G" * 600])
def test_long_games_of_the_script_equal_numpy(moves, node):
    game = GanStepper(moves=moves)  # it settles; with two bumps it wanders, and last digits count
    assert numbers_of_script(node, game)[0] == pytest.approx(game.numbers, rel=1e-3, abs=1e-3)


def test_the_scripts_film_equals_the_record(node):
    film = RingFilm()
    for film.setting in record.SETTINGS:
        for film.frame in range(record.FRAMES):
            assert node(film).numbers(film.films, film.setting, film.frame) == film.numbers


def test_the_scripts_pictures_and_paths_equal_numpy(node):
    walk = LatentWalk()
    network = node(walk).keep("unpack", walk.weights, walk.shapes)
    z = np.random.default_rng(2).normal(size=(12, gan.LATENT))
    shown = [node(walk).generate(network, latent) for latent in z]
    wanted = gan.apply_folded(generator.weights(), z).reshape(12, -1)
    np.testing.assert_allclose(shown, wanted, rtol=1e-9, atol=1e-12)
    for path in PATHS:
        for t in (0, 0.2, 1):
            here = node(walk).between(z[0], z[1], t, path)
            np.testing.assert_allclose(here, between(z[0], z[1], t, path), atol=1e-12)
            same = node(walk).between(z[0], z[0], t, path)
            np.testing.assert_allclose(same, z[0], atol=1e-12)


def test_the_scripts_walk_equals_python(node):
    walk = LatentWalk()
    network = node(walk).keep("unpack", walk.weights, walk.shapes)
    rng = np.random.default_rng(3)
    for _ in range(20):
        for name, value in random_walk(rng).items():
            setattr(walk, name, value)
        shown = node(walk).numbers(network, walk.anchors, state_of(walk))
        assert shown["length"] == pytest.approx(np.linalg.norm(walk.latent), rel=1e-9)
        assert shown["ink"] == pytest.approx(walk.image.mean(), rel=1e-9)
        np.testing.assert_allclose(shown["image"], walk.image.ravel(), rtol=1e-9, atol=1e-12)
