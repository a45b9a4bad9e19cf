"""The widgets of chapter 08 in a real browser: numbers equal NumPy's, controls work."""

from __future__ import annotations

import numpy as np
import pytest

from tests.browser import lab as jupyter
from tests.test_widgets_08 import random_beginning, random_step
from utils.widgets import RNNStepper, WordWriter

pytestmark = pytest.mark.browser


def state(page, name):
    """What the model holds, once a frame has passed on what the hand did."""
    jupyter.frames(page)
    return jupyter.state(page, f"model.get('{name}')")


# ---------------------------------------------------------------- the stepper


def test_states_and_gradients_are_shown(plain, page):
    stepper = RNNStepper()
    hero = plain(stepper)
    rng = np.random.default_rng(0)
    for _ in range(4):
        chosen = random_step(rng)
        jupyter.set_plain(page, **chosen)
        for key, value in chosen.items():
            setattr(stepper, key, value)
        shown = jupyter.readout(hero)
        for letter, ours in (("h", stepper.states), ("g", stepper.gradients)):
            theirs = [shown[f"{letter}{t}"] for t in range(1, 7)]
            np.testing.assert_allclose(theirs, ours, rtol=1e-9, atol=1e-12)
        assert shown["slope"] == pytest.approx(stepper.slope, rel=1e-9, abs=1e-12)


def test_steps_by_button_and_inputs_by_keyboard_and_mouse(plain, page):
    hero = plain(RNNStepper(step=0))
    for name, wanted in {"one step on": 1, "to the end": 12, "one step back": 11}.items():
        hero.get_by_role("button", name=name, exact=True).click()
        assert state(page, "step") == wanted
    hero.get_by_role("button", name="to the start").click()
    hero.get_by_role("button", name="one step back", exact=True).click()
    assert state(page, "step") == 0
    knob = hero.get_by_role("slider", name="input x₃")
    knob.focus()
    for key, wanted in {"ArrowUp": 0.1, "Shift+ArrowRight": 1.1, "End": 2, "Home": -2}.items():
        page.keyboard.press(key)
        assert state(page, "inputs")[2] == pytest.approx(wanted)
    jupyter.frames(page)
    jupyter.drag(page, knob, 0, -25)
    assert -2 < state(page, "inputs")[2] < 1
    assert state(page, "inputs")[1] == 0


# ---------------------------------------------------------------- the writer


def test_words_and_probabilities_are_shown(plain, page):
    writer = WordWriter()
    hero = plain(writer)
    rng = np.random.default_rng(1)
    for _ in range(4):
        chosen = random_beginning(rng)
        jupyter.set_plain(page, **chosen)
        for key, value in chosen.items():
            setattr(writer, key, value)
        shown = jupyter.readout(hero)
        bars = [shown[f"p{k}"] for k in range(27)]
        np.testing.assert_allclose(bars, writer.probabilities, rtol=1e-9, atol=1e-12)
        assert shown["next"] == writer.probabilities.argmax()
        assert shown["entropy"] == pytest.approx(writer.entropy, abs=1e-9)
        assert hero.locator("li").all_text_contents() == writer.words


def test_a_beginning_is_typed(plain, page):
    hero = plain(WordWriter())
    field = hero.get_by_role("textbox", name="how the words begin")
    field.click()
    page.keyboard.type("Qu3 een")
    jupyter.frames(page)
    assert state(page, "start") == "queen"
    assert field.input_value() == "queen"
    page.keyboard.type("somuchlonger")
    jupyter.frames(page)
    assert state(page, "start") == "queensom"
    assert all(word.startswith("queensom") for word in hero.locator("li").all_text_contents())
    before = state(page, "seed")
    hero.get_by_role("button", name="Write others").click()
    assert state(page, "seed") == before + 1
    page.evaluate("model.set('seed', 99)")
    hero.get_by_role("button", name="Write others").click()
    assert state(page, "seed") == 0


# ---------------------------------------------------------------- both


@pytest.mark.parametrize("width", [380, 1000])
@pytest.mark.parametrize("make", [RNNStepper, WordWriter])
def test_nothing_is_cut_off(make, width, plain, page):
    page.set_viewport_size({"width": width, "height": 900})
    assert jupyter.cut_off(plain(make())) == []


def test_in_jupyterlab_every_control_moves_the_picture(open_notebook):
    notebook = open_notebook(
        "from utils.widgets import RNNStepper, WordWriter\nstepper = RNNStepper()\nstepper",
        "writer = WordWriter()\nwriter",
    )
    notebook.run_all()
    for index in range(2):
        hero = notebook.heroes().nth(index)
        hero.wait_for()
        jupyter.exercise(notebook.page, hero)
    notebook.settle()
    shown = [jupyter.readout(notebook.heroes().nth(index)) for index in range(2)]
    assert shown[0]["slope"] == pytest.approx(float(notebook.kernel("", "stepper.slope")))
    assert shown[1]["entropy"] == pytest.approx(float(notebook.kernel("", "writer.entropy")))
    notebook.kernel("writer.start = 'str'")
    notebook.settle()
    words = notebook.heroes().nth(1).locator("li").all_text_contents()
    assert all(word.startswith("str") for word in words)
