"""The widgets of chapter 05 in a real browser: numbers equal Python's, controls work."""

from __future__ import annotations

import numpy as np
import pytest

from tests.browser import lab as jupyter
from tests.test_widgets_05 import random_state, random_strokes, reader
from utils.widgets import ConvolutionStepper, DigitPad
from utils.widgets.convolution_stepper import KERNELS
from utils.widgets.digit_pad import THREE

pytestmark = pytest.mark.browser


# ---------------------------------------------------------------- the stepper


def test_the_sum_is_shown(plain, page):
    widget = ConvolutionStepper()
    hero = plain(widget)
    rng = np.random.default_rng(1)
    seen = set()
    for _ in range(5):
        state = random_state(rng) | {"picture": str(rng.choice([n for n, _ in widget.pictures]))}
        jupyter.set_plain(page, **state)
        for key, value in state.items():
            setattr(widget, key, value)
        assert jupyter.readout(hero)["sum"] == pytest.approx(widget.value, rel=1e-12, abs=1e-12)
        size = len(widget.feature_map)
        assert hero.locator("h4").nth(1).inner_text() == f"feature map, {size} × {size}"
        seen.add(widget.value)
    assert len(seen) >= 3  # the states do differ


def test_window_by_keyboard_and_mouse(plain, page):
    hero = plain(ConvolutionStepper(position=(5, 5)))
    window = hero.get_by_role("slider", name="window")
    window.focus()
    for key, wanted in {
        "ArrowRight": [5, 6],
        "ArrowUp": [4, 6],
        "Shift+ArrowDown": [14, 6],
        "End": [14, 25],
        "PageDown": [25, 25],
        "ArrowRight ": [25, 25],
        "Home": [25, 0],
        "PageUp": [0, 0],
    }.items():
        page.keyboard.press(key.strip())
        assert jupyter.state(page, "model.get('position')") == wanted
    jupyter.frames(page)
    jupyter.drag(page, window, 60, 40)
    row, column = jupyter.state(page, "model.get('position')")
    assert 0 < row < column < 25


def test_weights_by_keyboard_mouse_and_preset(plain, page):
    hero = plain(ConvolutionStepper(kernel=np.zeros((3, 3))))

    def weight():
        return jupyter.state(page, "model.get('kernel')[1][2]")

    cell = hero.get_by_role("slider", name="weight in row 2, column 3")
    cell.focus()
    keys = {"ArrowUp": 0.5, "3": 3, "-": -3, "Shift+ArrowRight": 2, "End": 4, "Home": -4}
    for key, wanted in keys.items():
        page.keyboard.press(key)
        assert weight() == wanted
    jupyter.drag(page, cell, 30, -20)
    assert weight() == -1.5
    hero.get_by_role("button", name="outline").click()
    jupyter.frames(page)
    assert jupyter.state(page, "model.get('kernel')") == [list(row) for row in KERNELS["outline"]]
    assert hero.get_by_role("button", name="outline").get_attribute("aria-pressed") == "true"


# ---------------------------------------------------------------- the pad


def test_the_readout_shows_the_numbers(plain, page):
    rng = np.random.default_rng(2)
    pad = DigitPad(reader(rng))
    hero = plain(pad)
    for _ in range(3):
        pad.strokes = random_strokes(rng)
        jupyter.set_plain(page, strokes=pad.strokes)
        shown = jupyter.readout(hero)
        assert shown["answer"] == int(pad.answer)
        assert shown["probability"] == pytest.approx(pad.probabilities.max(), abs=1e-6)
        bars = [shown[f"p{k}"] for k in range(10)]
        np.testing.assert_allclose(bars, pad.probabilities, atol=1e-6)


def test_draw_with_the_mouse(plain, page):
    pad = DigitPad(reader(np.random.default_rng(3)), strokes=[])
    hero = plain(pad)
    assert "–" in hero.locator(".facts").inner_text()
    box = hero.locator("svg").first.bounding_box()
    page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + 0.5 * box["height"], steps=10)
    page.mouse.up()
    (line,) = jupyter.state(page, "model.get('strokes')")
    np.testing.assert_allclose(line[0], (0.25, 0.5), atol=0.01)
    np.testing.assert_allclose(line[-1], (0.75, 0.5), atol=0.01)
    assert len(line) >= 8
    pad.strokes = [line]
    jupyter.frames(page)
    assert jupyter.readout(hero)["answer"] == int(pad.answer)
    hero.get_by_role("button", name="Undo").click()
    jupyter.frames(page)
    assert jupyter.state(page, "model.get('strokes')") == []


def test_draw_with_the_keyboard(plain, page):
    hero = plain(DigitPad(reader(np.random.default_rng(4)), strokes=THREE, pen=(0.5, 0.2)))
    hero.get_by_role("button", name="Clear").click()
    pen = hero.get_by_role("slider", name="pen")
    pen.focus()
    page.keyboard.press("ArrowRight")
    assert jupyter.state(page, "model.get('strokes')") == []
    page.keyboard.press("Space")
    for _ in range(3):
        page.keyboard.press("Shift+ArrowDown")
    jupyter.frames(page)
    assert "drawing" in pen.get_attribute("aria-valuetext")
    page.keyboard.press("Space")
    page.keyboard.press("Home")
    (line,) = jupyter.state(page, "model.get('strokes')")
    np.testing.assert_allclose(line, [(0.52, 0.2), (0.52, 0.4), (0.52, 0.6), (0.52, 0.8)])
    assert jupyter.state(page, "model.get('pen')") == [0, 0.8]
    page.keyboard.press("Backspace")
    jupyter.frames(page)
    assert jupyter.state(page, "model.get('strokes')") == []


def test_a_full_pad_takes_no_more(plain, page):
    full = [np.random.default_rng(5).uniform(0, 1, (2000, 2)).tolist()]
    hero = plain(DigitPad(reader(np.random.default_rng(5)), strokes=full))
    jupyter.drag(page, hero.locator("svg").first, 30, 30)
    assert jupyter.state(page, "model.get('strokes').flat().length") == 2000


@pytest.mark.parametrize("width", [380, 1000])
@pytest.mark.parametrize("name", ["stepper", "pad"])
def test_nothing_is_cut_off(name, width, plain, page):
    page.set_viewport_size({"width": width, "height": 900})
    pad = DigitPad(reader(np.random.default_rng(6)))
    hero = plain(ConvolutionStepper() if name == "stepper" else pad)
    assert jupyter.cut_off(hero) == []


def test_in_jupyterlab_every_control_moves_the_picture(open_notebook):
    notebook = open_notebook(
        "from utils.widgets import ConvolutionStepper\nstepper = ConvolutionStepper()\nstepper",
        "import numpy as np\nfrom utils.layers import Conv2d, Flatten, Linear, ReLU, Sequential\n"
        "from utils.widgets import DigitPad\nrng = np.random.default_rng(0)\n"
        "pad = DigitPad(Sequential(Conv2d(1, 2, 5, rng=rng), ReLU(), Flatten(),\n"
        "                          Linear(1152, 10, rng=rng)))\npad",
    )
    notebook.run_all()
    for index in range(2):
        hero = notebook.heroes().nth(index)
        hero.wait_for()
        jupyter.exercise(notebook.page, hero)
    notebook.settle()
    shown = [jupyter.readout(notebook.heroes().nth(index)) for index in range(2)]
    assert shown[0]["sum"] == pytest.approx(float(notebook.kernel("", "stepper.value")), abs=1e-9)
    assert shown[1]["answer"] == int(notebook.kernel("", "pad.answer"))
    notebook.kernel("pad.strokes = []")
    notebook.settle()
    assert jupyter.readout(notebook.heroes().nth(1))["answer"] == -1
