"""The optimizer race in a real browser: its numbers equal NumPy's, its controls work."""

from __future__ import annotations

import numpy as np
import pytest

from tests.browser import lab as jupyter
from tests.test_widgets_02 import random_states
from utils.widgets import OptimizerRace
from utils.widgets.optimizer_race import STEPS, loss, race

pytestmark = pytest.mark.browser


def test_the_readout_shows_the_numbers(plain, page):
    hero = plain(OptimizerRace())
    rng = np.random.default_rng(1)
    seen = set()
    for state in random_states(4):
        step = int(rng.integers(0, 51))
        jupyter.set_plain(page, **state, step=step)
        shown = jupyter.readout(hero)
        for name, path in race(**state, steps=step).items():
            height = float(loss(state["surface"], path[-1]))
            np.testing.assert_allclose(
                shown[name], height, rtol=1e-8, atol=1e-12, err_msg=str(state)
            )
        seen.add(str(shown))
    assert len(seen) == 4


def test_play_pause_step_reset(plain, page):
    hero = plain(OptimizerRace())

    def step():
        return jupyter.state(page, "model.get('step')")

    play = hero.get_by_role("button", name="the race")
    play.focus()
    page.keyboard.press("Enter")  # at the end: begins anew
    page.wait_for_function("model.get('step') > 3 && model.get('step') < 100")
    page.keyboard.press("Space")
    jupyter.frames(page)
    paused = step()
    page.wait_for_timeout(200)
    assert step() == paused
    hero.get_by_role("button", name="one step further").click()
    assert step() == paused + 1
    hero.get_by_role("button", name="back to the start").click()
    assert step() == 0
    jupyter.set_plain(page, step=STEPS - 2)
    play.click()
    page.wait_for_function(f"model.get('step') == {STEPS}")
    page.wait_for_timeout(200)
    assert step() == STEPS
    assert play.inner_text().endswith("Play")


def test_leaving_stops_the_clock(plain, page):
    hero = plain(OptimizerRace(step=0))
    hero.get_by_role("button", name="play the race").click()
    page.evaluate("leave()")
    before = jupyter.state(page, "model.get('step')")
    page.wait_for_timeout(200)
    assert jupyter.state(page, "model.get('step')") == before


def test_racers_leave_and_return(plain, page):
    hero = plain(OptimizerRace(racers=("descent", "Adam")))
    adam = hero.get_by_role("button", name="Adam, loss")
    assert adam.get_attribute("aria-pressed") == "true"
    adam.click()
    jupyter.frames(page)
    assert jupyter.state(page, "model.get('racers')") == ["descent"]
    assert adam.get_attribute("aria-pressed") == "false"
    hero.get_by_role("button", name="descent, loss").click()  # the last one has to stay
    assert jupyter.state(page, "model.get('racers')") == ["descent"]
    hero.get_by_role("button", name="Nesterov, loss").click()
    assert jupyter.state(page, "model.get('racers')") == ["descent", "Nesterov"]


def test_a_new_surface_begins_at_its_own_start(plain, page):
    hero = plain(OptimizerRace(start=(0, 0)))
    hero.locator("select").first.select_option("saddle")
    jupyter.frames(page)
    assert jupyter.state(page, "model.get('start')") == [-1.5, 0.05]
    assert "minimum" in hero.locator(".note").inner_text()


@pytest.mark.parametrize("width", [380, 1000])
def test_nothing_is_cut_off(width, plain, page):
    page.set_viewport_size({"width": width, "height": 900})
    hero = plain(OptimizerRace(racers=("descent", "Adam"), step_size=0.2))  # descent diverges
    assert jupyter.cut_off(hero) == []


def test_in_jupyterlab_every_control_moves_the_picture(open_notebook):
    notebook = open_notebook(
        "from utils.widgets import OptimizerRace\nrunners = OptimizerRace()\nrunners"
    )
    notebook.run_all()
    hero = notebook.heroes().first
    hero.wait_for()
    jupyter.exercise(notebook.page, hero)
    notebook.settle()
    assert notebook.kernel("", "runners.step") == notebook.page.evaluate(
        "Number(document.querySelector('.dll-hero input[aria-label=step]').value)"
    )
    page = notebook.page
    hero.get_by_role("button", name="back to the start").focus()
    page.keyboard.press("Enter")
    hero.get_by_role("button", name="one step further").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    jupyter.frames(page)
    notebook.settle()
    assert notebook.kernel("", "runners.step") == 2
    notebook.kernel("runners.step_size, runners.step = 0.2, 7")
    notebook.settle()
    assert hero.get_by_label("step", exact=True).input_value() == "7"
