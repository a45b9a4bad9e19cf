"""The sketch pad of chapter 14 in a real browser: numbers equal Python's, hand and keys draw."""

from __future__ import annotations

import numpy as np
import pytest

from tests.browser import lab as jupyter
from tests.test_widgets_14_sketch import HOLE, HOUSE, random_state
from utils.widgets import SketchPad
from utils.widgets.sketch_pad import COLORS, EMPTY, visible

pytestmark = pytest.mark.browser

# what the page's canvases hold: sketch, network, and the other pictures
SEEN = """(root) => [...root.querySelectorAll("canvas[width='64']")].map((canvas) => Array.from(
  canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data,
).filter((_, k) => k % 4 < 3))"""
MARKS = "model.get('marks')"


def pictures(hero):
    """The page's canvases, each (64, 64, 3) in [0, 1]."""
    return [np.reshape(one, (64, 64, 3)) / 255 for one in hero.evaluate(SEEN)]


def pull(page, hero, *points, steps=6):
    """Draw with the mouse through points in pixels of the sketch."""
    box = hero.locator(".pad").bounding_box()
    unit = box["width"] / 64
    for k, (x, y) in enumerate(points):
        page.mouse.move(box["x"] + x * unit, box["y"] + y * unit, steps=steps if k else 1)
        if k == 0:
            page.mouse.down()
    page.mouse.up()


def test_page_and_python_paint_the_same(plain, page):
    pad, rng = SketchPad(bucket=True, truth=True), np.random.default_rng(0)
    hero = plain(pad)
    for state in ({}, *(random_state(rng) | {"bucket": True} for _ in range(4))):
        for key, value in state.items():
            setattr(pad, key, value)
        jupyter.set_plain(page, **state)
        sketch, painted, filled, truth = pictures(hero)
        half = 0.5 / 255 + 1e-3  # bytes
        np.testing.assert_allclose(sketch, visible(pad.sketch), atol=half)
        np.testing.assert_allclose(painted, pad.painted, atol=half)
        np.testing.assert_allclose(filled, pad.filled, atol=half)
        shown = jupyter.readout(hero)
        if pad.errors:
            np.testing.assert_allclose(truth, pad.true_colors, atol=half)
            assert shown["painted"] == pytest.approx(pad.errors["painted"], abs=1e-3)
            assert shown["filled"] == pytest.approx(pad.errors["filled"], abs=1e-3)
        else:
            assert hero.get_by_role("button", name="true colors").is_disabled()


def test_lines_and_dabs_by_mouse(plain, page):
    hero = plain(SketchPad(start=EMPTY, marks=[]))
    before = pictures(hero)[1]
    pull(page, hero, *HOUSE)
    ((tool, points),) = jupyter.state(page, MARKS)
    assert tool == "line"
    assert len(points) > len(HOUSE)
    np.testing.assert_allclose(points[-1], HOUSE[-1], atol=0.3)
    jupyter.frames(page)
    after = pictures(hero)[1]
    assert np.abs(after - before).max() > 0.3
    hero.get_by_role("button", name="green").click()
    pull(page, hero, (20, 20), (32, 40))  # it goes along
    mark = jupyter.state(page, MARKS)[1]
    assert mark[0] == "green"
    np.testing.assert_allclose(mark[1], [(32, 40)], atol=0.3)
    jupyter.frames(page)
    assert np.abs(pictures(hero)[1] - after).max() > 0.1
    hero.get_by_role("button", name="undo").click()
    assert len(jupyter.state(page, MARKS)) == 1
    hero.get_by_role("button", name="clear").click()
    assert jupyter.state(page, MARKS) == []
    jupyter.frames(page)
    np.testing.assert_array_equal(pictures(hero)[1], before)
    assert hero.get_by_role("button", name="undo").is_disabled()


def test_a_finger_draws(plain, page):
    hero = plain(SketchPad(start=EMPTY, marks=[], tool="red"))
    hero.locator(".pad .catch").dispatch_event(
        "pointerdown", {"button": 0, "pointerId": 1, "pointerType": "touch", "clientX": 60}
    )
    assert [tool for tool, _ in jupyter.state(page, MARKS)] == ["red"]


def test_the_paint_program_fails_beside_a_hole(plain, page):
    marks = [("line", HOUSE), ("blue", [(32, 40)])]
    hero = plain(SketchPad(start=EMPTY, marks=marks, bucket=True))
    blue = np.array(list(bytes.fromhex(COLORS["blue"]))) / 255
    room = np.s_[34:50, 20:44]
    filled = pictures(hero)[2][room]
    np.testing.assert_allclose(filled, np.broadcast_to(blue, filled.shape), atol=0.01)
    hero.get_by_role("button", name="eraser").click()
    pull(page, hero, *HOLE[1])
    jupyter.frames(page)
    _, painted, torn = pictures(hero)
    distance = np.abs(torn[room] - blue).mean()
    assert distance > 0.2
    assert np.abs(painted[room] - blue).mean() < distance - 0.05


def test_all_by_keyboard(plain, page):
    hero = plain(SketchPad(start=EMPTY, marks=[]))
    pen = hero.get_by_role("slider", name="pen: arrow keys move it")
    pen.focus()
    for key, wanted in {
        "ArrowRight": [33, 32],
        "ArrowDown": [33, 33],
        "Shift+ArrowUp": [33, 23],
        "End": [64, 23],
        "PageDown": [64, 64],
        "Home": [0, 64],
        "PageUp": [0, 0],
    }.items():
        page.keyboard.press(key)
        assert jupyter.state(page, "model.get('pen')") == wanted
    assert jupyter.state(page, MARKS) == []
    for key in ("Shift+ArrowRight", "Shift+ArrowDown", " ", "ArrowRight", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    page.keyboard.press("ArrowDown")  # lifted
    assert jupyter.state(page, MARKS) == [["line", [[10, 10], [11, 10], [12, 10]]]]
    for key in ("3", " ", "e", " ", "ArrowDown", "l"):
        page.keyboard.press(key)
    marks = jupyter.state(page, MARKS)
    assert marks[1:] == [["yellow", [[12, 11]]], ["eraser", [[12, 11], [12, 12]]]]
    assert jupyter.state(page, "model.get('tool')") == "line"
    page.keyboard.press("Backspace")
    assert jupyter.state(page, MARKS) == marks[:2]
    jupyter.frames(page)
    assert "x 12, y 12, line; painted" in pen.get_attribute("aria-valuetext")


def test_buttons_tell_what_is_chosen(plain, page):
    hero = plain(SketchPad())
    for name, state in (("blue", "tool"), ("paint program", "bucket"), ("true colors", "truth")):
        button = hero.get_by_role("button", name=name, exact=True)
        assert button.get_attribute("aria-pressed") == "false"
        button.press("Enter")
        assert jupyter.state(page, f"model.get('{state}')") == ("blue" if state == "tool" else True)
        jupyter.frames(page)
        assert button.get_attribute("aria-pressed") == "true"
    assert all(canvas.is_visible() for canvas in hero.locator("canvas").all())
    hero.locator("select").select_option("frog")
    assert jupyter.state(page, MARKS) == []
    hero.locator("select").select_option(EMPTY)
    jupyter.frames(page)
    assert [canvas.is_visible() for canvas in hero.locator("canvas").all()] == [True] * 3 + [False]


def test_a_full_sheet_takes_no_more(plain, page):
    hero = plain(SketchPad(marks=[("line", [(32, 32)] * 2000)]))
    pull(page, hero, (10, 10), (20, 20))
    assert len(jupyter.state(page, MARKS)) == 1


def test_more_than_five_pictures_a_second(plain, page):
    marks = [("line", HOUSE), ("red", [(32, 40)]), ("blue", [(32, 24)])]
    plain(SketchPad(start="dog", marks=marks, bucket=True, truth=True))
    longer = [[*marks, ("line", [(10, 10 + k), (20, 10 + k)])] for k in range(20)]
    assert jupyter.frame_time(page, "marks", longer) < 200


@pytest.mark.parametrize("width", [300, 380, 1000])
def test_nothing_is_cut_off(width, plain, page):
    page.set_viewport_size({"width": width, "height": 900})
    hero = plain(SketchPad(bucket=True, truth=True))
    jupyter.frames(page)
    assert jupyter.cut_off(hero) == []


def test_in_jupyterlab_every_control_moves_the_picture(open_notebook):
    notebook = open_notebook("from utils.widgets import SketchPad\npad = SketchPad()\npad")
    notebook.run_all()
    hero = notebook.heroes().nth(0)
    hero.wait_for()
    jupyter.exercise(notebook.page, hero)
    notebook.settle()
    shown = jupyter.readout(hero)
    assert shown["painted"] == pytest.approx(notebook.kernel("", "pad.errors['painted']"), abs=1e-3)
    notebook.kernel("pad.start, pad.marks, pad.bucket = 'frog', [('green', [(32, 40)])], True")
    notebook.settle()
    shown, errors = jupyter.readout(hero), notebook.kernel("", "pad.errors")
    assert shown["painted"] == pytest.approx(errors["painted"], abs=1e-3)
    assert shown["filled"] == pytest.approx(errors["filled"], abs=1e-3)
