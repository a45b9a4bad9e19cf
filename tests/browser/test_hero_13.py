"""The widgets of chapter 13 in a real browser: numbers equal Python's, controls work."""

from __future__ import annotations

import numpy as np
import pytest

from tests.browser import lab as jupyter
from tests.test_widgets_13 import random_game, random_walk
from utils.recorded import ring
from utils.widgets import GanStepper, LatentWalk, RingFilm
from utils.widgets.gan_stepper import MAX_MOVES
from utils.widgets.latent_walk import SHOWN

pytestmark = pytest.mark.browser

EVERY = {
    "stepper": lambda: GanStepper(moves="DDDDDG" * 5),
    "film": lambda: RingFilm(frame=9),
    "walk": lambda: LatentWalk(),
}


# ---------------------------------------------------------------- the stepper


def test_the_game_is_shown(plain, page):
    game = GanStepper()
    hero = plain(game)
    rng = np.random.default_rng(0)
    for _ in range(4):
        state = random_game(rng)
        for name, value in state.items():
            setattr(game, name, value)
        jupyter.set_plain(page, **state)
        shown = jupyter.readout(hero)
        assert shown.pop("moved") == len(game.moves)
        assert shown == pytest.approx(game.numbers, rel=1e-7, abs=1e-9)


def test_a_move_added_is_a_game_played_from_its_start(plain, page):
    game = GanStepper(moves="D" * 10)
    hero = plain(game)
    for name, text in {
        "G moves": "G",
        "D moves": "D",
        "D moves 20 times": "D" * 20,
        "a round: 5 D, 1 G": "DDDDDG",
    }.items():
        button = hero.get_by_role("button", name=name, exact=True)
        button.focus()
        page.keyboard.press("Enter")
        game.moves += text
        jupyter.frames(page)
        assert jupyter.state(page, "model.get('moves')") == game.moves
        shown = jupyter.readout(hero)
        assert shown["mean"] == pytest.approx(game.numbers["mean"], rel=1e-9)
        assert shown["gap"] == pytest.approx(game.numbers["gap"], rel=1e-9)
    hero.get_by_role("button", name="Start again").press("Space")
    jupyter.frames(page)
    assert jupyter.state(page, "model.get('moves')") == ""
    assert jupyter.readout(hero)["mean"] == -1.5


def test_no_game_is_longer_than_allowed(plain, page):
    hero = plain(GanStepper(moves="DG" * (MAX_MOVES // 2 - 1)))
    hero.get_by_role("button", name="D moves 20 times").click()
    jupyter.frames(page)
    moves = jupyter.state(page, "model.get('moves')")
    assert moves.endswith("GDD")
    assert len(moves) == MAX_MOVES


def test_the_game_plays_pauses_and_stops(plain, page):
    hero = plain(GanStepper())
    hero.get_by_role("button", name="Play").click()
    page.wait_for_function("model.get('moves').length >= 18")
    hero.get_by_role("button", name="Pause").click()
    jupyter.frames(page)
    moves = jupyter.state(page, "model.get('moves')")
    assert moves == "DDDDDG" * (len(moves) // 6)
    page.wait_for_timeout(250)
    assert jupyter.state(page, "model.get('moves')") == moves
    hero.get_by_role("button", name="Play").click()
    page.evaluate("leave()")
    page.wait_for_timeout(50)
    moves = jupyter.state(page, "model.get('moves')")
    page.wait_for_timeout(250)
    assert jupyter.state(page, "model.get('moves')") == moves


# ---------------------------------------------------------------- the film


def test_the_film_shows_its_numbers(plain, page):
    film = RingFilm()
    hero = plain(film)
    rng = np.random.default_rng(1)
    for setting in ring.SETTINGS:
        for frame in (0, int(rng.integers(1, 15)), ring.FRAMES - 1):
            film.setting, film.frame = setting, frame
            jupyter.set_plain(page, setting=setting, frame=frame)
            assert jupyter.readout(hero) == film.numbers
            ended = ", ".join(map(str, sorted(ring.modes_kept()[setting])))
            assert f"each recorded run: {ended}." in hero.inner_text()


def test_dots_lie_where_the_points_are_and_circles_end_at_three_sigma(plain, page):
    film = RingFilm(setting="diffusion", frame=12)
    hero = plain(film)
    dots = hero.locator("circle.mark")
    assert dots.count() == ring.SHOWN
    shown = dots.evaluate_all("nodes => nodes.map((n) => [n.cx.baseVal.value, n.cy.baseVal.value])")
    rings = hero.locator("svg circle:not(.mark)")
    centers = rings.evaluate_all(
        "nodes => nodes.map((n) => [n.cx.baseVal.value, n.cy.baseVal.value])"
    )
    right, left = centers[0], centers[4]  # (1, 0) and (−1, 0)
    middle, unit = np.add(right, left) / 2, (right[0] - left[0]) / 2
    back = (np.array(shown) - middle) / [unit, -unit]
    np.testing.assert_allclose(back, film.points, atol=1e-3)
    for setting, s in ring.SETTINGS.items():
        jupyter.set_plain(page, setting=setting)
        radii = rings.evaluate_all("nodes => nodes.map((n) => n.r.baseVal.value)")
        np.testing.assert_allclose(np.array(radii) / unit, 3 * s.sigma, rtol=1e-4)


def test_the_film_by_keyboard_and_to_its_end(plain, page):
    hero = plain(RingFilm())
    time = hero.get_by_role("slider", name="picture of the film")
    time.focus()
    for key, wanted in {"ArrowRight": 1, "End": 15, "ArrowLeft": 14, "Home": 0}.items():
        page.keyboard.press(key)
        jupyter.frames(page)
        assert jupyter.state(page, "model.get('frame')") == wanted
        assert hero.locator("output").inner_text() == f"{wanted} of 15"
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    jupyter.frames(page)
    assert jupyter.state(page, "model.get('frame')") == 12
    hero.get_by_role("button", name="Play").click()
    hero.get_by_role("button", name="Pause").wait_for()
    page.wait_for_function("model.get('frame') === 15")
    hero.get_by_role("button", name="Play").wait_for()  # it stops by itself
    hero.get_by_role("button", name="Play").click()  # and begins again
    page.wait_for_function("model.get('frame') < 15")


# ---------------------------------------------------------------- the walk


def test_the_walk_is_shown(plain, page):
    walk = LatentWalk()
    hero = plain(walk)
    rng = np.random.default_rng(3)
    for _ in range(4):
        state = random_walk(rng)
        for name, value in state.items():
            setattr(walk, name, value)
        jupyter.set_plain(page, **state)
        shown = jupyter.readout(hero)
        assert shown["length"] == pytest.approx(np.linalg.norm(walk.latent), rel=1e-9)
        assert shown["ink"] == pytest.approx(walk.image.mean(), rel=1e-9)


def test_both_canvases_show_the_pictures(plain, page):
    walk = LatentWalk(start="2", end="9", t=0.25)
    hero = plain(walk)
    read = """(node) => Array.from(node.getContext('2d')
      .getImageData(0, 0, node.width, node.height).data)"""
    big = np.reshape(hero.locator("canvas").nth(0).evaluate(read), (28, 28, 4))
    np.testing.assert_allclose(big[..., 0], 255 * walk.image, atol=0.51)
    assert (big[..., 3] == 255).all()
    strip = np.reshape(hero.locator("canvas").nth(1).evaluate(read), (28, SHOWN * 29 - 1, 4))
    np.testing.assert_array_equal(strip[:, 2 * 29 : 2 * 29 + 28], big)  # a quarter of the way
    assert (strip[:, 28, 3] == 0).all()  # a gap
    jupyter.set_plain(page, t=1)  # the strip stays, and the picture is its last
    big = np.reshape(hero.locator("canvas").nth(0).evaluate(read), (28, 28, 4))
    np.testing.assert_array_equal(
        np.reshape(hero.locator("canvas").nth(1).evaluate(read), strip.shape), strip
    )
    np.testing.assert_array_equal(strip[:, -28:], big)
    jupyter.set_plain(page, end="4")
    walk.t, walk.end = 1, "4"
    strip = np.reshape(hero.locator("canvas").nth(1).evaluate(read), strip.shape)
    np.testing.assert_allclose(strip[:, -28:, 0], 255 * walk.image, atol=0.51)


def test_the_walk_by_keyboard(plain, page):
    hero = plain(LatentWalk(t=0.5))
    hero.get_by_role("slider", name="share of the way").focus()
    for key, wanted in {
        "ArrowRight": 0.51,
        "Shift+ArrowRight": 0.61,
        "End": 1,
        "ArrowUp": 1,
        "Home": 0,
    }.items():
        page.keyboard.press(key)
        jupyter.frames(page)
        assert jupyter.state(page, "model.get('t')") == pytest.approx(wanted)
    for label, value, trait in (
        ("from", "8", "start"),
        ("to", "1", "end"),
        ("path", "straight", "path"),
    ):
        hero.get_by_role("combobox", name=label, exact=True).select_option(value)
        jupyter.frames(page)
        assert jupyter.state(page, f"model.get('{trait}')") == value


# ---------------------------------------------------------------- all three


@pytest.mark.parametrize("width", [380, 800, 1000])
@pytest.mark.parametrize("name", EVERY)
def test_nothing_is_cut_off(name, width, plain, page):
    page.set_viewport_size({"width": width, "height": 900})
    assert jupyter.cut_off(plain(EVERY[name]())) == []


@pytest.mark.parametrize("name", EVERY)
def test_every_control_has_a_name(name, plain):
    controls = plain(EVERY[name]()).locator("button, select, input")
    assert controls.count() >= 2
    assert all(jupyter.names(controls))


@pytest.mark.parametrize(
    ("code", "value", "name"),
    [
        ("GanStepper(moves='DDDDDG' * 5)", "widget.numbers['js']", "js"),
        ("RingFilm(frame=3)", "widget.numbers['near']", "near"),
        ("LatentWalk()", "widget.image.mean()", "ink"),
    ],
)
def test_in_jupyterlab_every_control_moves_the_picture(code, value, name, open_notebook):
    notebook = open_notebook(
        f"from utils.widgets import GanStepper, LatentWalk, RingFilm\nwidget = {code}\nwidget"
    )
    notebook.run_all()
    hero = notebook.heroes().first
    hero.wait_for()
    jupyter.exercise(notebook.page, hero)
    notebook.settle()
    expected = float(notebook.kernel("", f"float({value})"))
    assert jupyter.readout(hero)[name] == pytest.approx(expected, rel=1e-6)
    notebook.screenshots(code.split("(")[0])
