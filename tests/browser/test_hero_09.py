"""The widgets of chapter 09 in a real browser: numbers equal Python's, controls work."""

from __future__ import annotations

import numpy as np
import pytest

from tests.browser import lab as jupyter
from tests.test_widgets_09 import random_name
from utils.widgets import GateViewer
from utils.widgets.gate_viewer import MAPS

pytestmark = pytest.mark.browser


def test_the_readout_shows_the_numbers(plain, page):
    viewer = GateViewer()
    hero = plain(viewer)
    rng = np.random.default_rng(1)
    for _ in range(4):
        viewer.name = random_name(rng)
        viewer.letter, viewer.unit = int(rng.integers(16)), int(rng.integers(32))
        jupyter.set_plain(page, name=viewer.name, letter=viewer.letter, unit=viewer.unit)
        shown, (t, k) = jupyter.readout(hero), viewer.place
        for key in MAPS:
            assert shown[key] == pytest.approx(viewer.values[key][t, k], rel=1e-11, abs=1e-12)
        for language, p in zip(viewer.class_names, viewer.values["p"][t], strict=True):
            assert shown[f"p_{language}"] == pytest.approx(p, rel=1e-11)
        assert hero.get_by_role("textbox").input_value() == viewer.name


def test_typing_a_name(plain, page):
    hero = plain(GateViewer())
    box = hero.get_by_role("textbox", name="name")
    box.fill("")
    jupyter.frames(page)
    assert jupyter.state(page, "model.get('name')") == ""
    assert "Type a name." in hero.inner_text()
    assert "–" in hero.locator(".facts").inner_text()
    box.press_sequentially("Müller-3")
    jupyter.frames(page)
    assert jupyter.state(page, "[model.get('name'), model.get('letter')]") == ["muller", 5]
    assert "After “muller” the network says" in hero.inner_text()
    box.fill("a" * 40)
    jupyter.frames(page)
    assert jupyter.state(page, "model.get('name')") == "a" * 16


def test_cursor_by_keyboard_and_mouse(plain, page):
    hero = plain(GateViewer(name="moreau", letter=0, unit=0))
    knob = hero.get_by_role("slider", name="letter and unit")
    knob.focus()
    for key, wanted in {
        "ArrowRight": [1, 0],
        "ArrowDown": [1, 1],
        "End": [5, 1],
        "PageDown": [5, 11],
        "ArrowRight ": [5, 11],
        "Shift+ArrowUp": [5, 1],
        "Home": [0, 1],
        "PageUp": [0, 0],
        "ArrowUp": [0, 0],
    }.items():
        page.keyboard.press(key.strip())
        jupyter.frames(page)
        assert jupyter.state(page, "[model.get('letter'), model.get('unit')]") == wanted
    assert knob.get_attribute("aria-valuetext") == "letter 1, m; unit 1"
    state = hero.locator("svg[aria-label='cell state c'] .frame")
    box = state.bounding_box()
    page.mouse.click(box["x"] + box["width"] * 2.5 / 16, box["y"] + box["height"] * 6.5 / 12)
    jupyter.frames(page)
    assert jupyter.state(page, "[model.get('letter'), model.get('unit')]") == [2, 6]


@pytest.mark.parametrize("width", [380, 800, 1000])
def test_nothing_is_cut_off(width, plain, page):
    page.set_viewport_size({"width": width, "height": 900})
    assert jupyter.cut_off(plain(GateViewer(name="featherstonehaug"))) == []


def test_in_jupyterlab_every_control_moves_the_picture(open_notebook):
    notebook = open_notebook(
        "from utils.widgets import GateViewer\nviewer = GateViewer()\nviewer",
        "from utils.widgets import adding_lengths\nadding_lengths()",
    )
    notebook.run_all()
    hero = notebook.heroes().nth(0)
    hero.wait_for()
    jupyter.exercise(notebook.page, hero)
    notebook.settle()
    shown = jupyter.readout(hero)
    value = notebook.kernel("", "viewer.values['c'][viewer.place]")
    assert shown["c"] == pytest.approx(float(value), abs=1e-9)
    notebook.kernel("viewer.name = 'esposito'")
    notebook.settle()
    assert hero.get_by_role("textbox").input_value() == "esposito"
