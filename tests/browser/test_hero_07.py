"""The widgets of chapter 07 in a real browser: numbers equal Python's, controls work."""

from __future__ import annotations

import numpy as np
import pytest

from tests.browser import lab as jupyter
from tests.test_widgets_07 import random_box
from utils.widgets import IouDragger

pytestmark = pytest.mark.browser


# ---------------------------------------------------------------- the dragger


def test_the_iou_is_shown(plain, page):
    dragger = IouDragger()
    hero = plain(dragger)
    rng = np.random.default_rng(0)
    for _ in range(4):
        dragger.truth, dragger.answer = random_box(rng), random_box(rng)
        jupyter.set_plain(page, truth=dragger.truth, answer=dragger.answer)
        shown = jupyter.readout(hero)
        assert shown["iou"] == pytest.approx(dragger.iou, rel=1e-12)
        assert shown["intersection"] == dragger.intersection
        assert shown["union"] == dragger.union
        assert shown["right"] == pytest.approx(dragger.after_shift[0], rel=1e-12)


def test_a_box_by_keyboard(plain, page):
    hero = plain(IouDragger(truth=(12, 14, 38, 40)))
    hero.get_by_role("slider", name="truth: drag it, or move").focus()
    for key, wanted in {
        "ArrowRight": [13, 14, 39, 40],
        "ArrowDown": [13, 15, 39, 41],
        "Shift+ArrowUp": [13, 5, 39, 31],
        "End": [38, 5, 64, 31],
        "PageDown": [38, 38, 64, 64],
        "Home": [0, 38, 26, 64],
        "PageUp": [0, 0, 26, 26],
    }.items():
        page.keyboard.press(key)
        assert jupyter.state(page, "model.get('truth')") == wanted
    hero.get_by_role("slider", name="lower right corner of truth").focus()
    for key, wanted in {
        "Shift+ArrowLeft": [0, 0, 16, 26],
        "ArrowDown": [0, 0, 16, 27],
        "Home": [0, 0, 1, 27],
        "PageDown": [0, 0, 1, 64],
    }.items():
        page.keyboard.press(key)
        assert jupyter.state(page, "model.get('truth')") == wanted


def test_a_box_and_its_corners_by_mouse(plain, page):
    hero = plain(IouDragger(truth=(4, 4, 24, 24), answer=(30, 30, 50, 50)))
    pixel = hero.locator("svg").first.bounding_box()["width"] * (400 - 56) / 400 / 64
    jupyter.drag(page, hero.locator(".body rect.truth"), 6 * pixel, 3 * pixel)
    np.testing.assert_allclose(jupyter.state(page, "model.get('truth')"), [10, 7, 30, 27], atol=1)
    for name, corner in (("first", [26, 26, 50, 50]), ("last", [26, 26, 50, 54])):
        jupyter.frames(page)
        knob = getattr(hero.locator(".handle.accent-orange:not(.body) .knob"), name)
        way = {"first": (-4, -4), "last": (0, 4)}[name]
        jupyter.drag(page, knob, way[0] * pixel, way[1] * pixel)
        np.testing.assert_allclose(jupyter.state(page, "model.get('answer')"), corner, atol=1)


@pytest.mark.parametrize("width", [380, 1000])
def test_nothing_is_cut_off(width, plain, page):
    page.set_viewport_size({"width": width, "height": 900})
    assert jupyter.cut_off(plain(IouDragger())) == []


def test_in_jupyterlab_every_control_moves_the_picture(open_notebook):
    notebook = open_notebook(
        "from utils.widgets import IouDragger\ndragger = IouDragger()\ndragger"
    )
    notebook.run_all()
    hero = notebook.heroes().first
    hero.wait_for()
    jupyter.exercise(notebook.page, hero)
    notebook.settle()
    shown = jupyter.readout(hero)
    assert shown["iou"] == pytest.approx(notebook.kernel("", "dragger.iou"), rel=1e-12)
    notebook.kernel("dragger.answer = dragger.truth")
    notebook.settle()
    assert jupyter.readout(hero)["iou"] == 1
