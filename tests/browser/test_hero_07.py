"""The widgets of chapter 07 in a real browser: numbers equal Python's, controls work."""

from __future__ import annotations

import numpy as np
import pytest

from tests.browser import lab as jupyter
from tests.test_widgets_07 import random_box, state_of_scene
from utils.widgets import IouDragger, SceneBoard
from utils.widgets.scene_board import GLYPHS, MOST

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


# ---------------------------------------------------------------- the board

SIDE = 400  # of the drawing
# what the page's own canvas holds, and what the script's network answers to it
SEEN = """async (script) => {
  const source = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  const { unpack, numbers } = await import(source);
  const canvas = document.querySelector(".seen canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const pixels = Array.from(data).filter((_, k) => k % 4 < 3);
  const constants = model.get("constants");
  const net = unpack(model.get("weights"), constants);
  const state = { objects: [], least: 0.5 };
  const { answers } = numbers(net, { pixels, boxes: [] }, state, constants);
  return [pixels, Array.from(answers)];
}"""


def show_board(plain, page, board):
    """Show a board and wait until the page has read its glyphs."""
    hero = plain(board)
    page.wait_for_function("document.querySelector('.scene-board [data-name=placed]').textContent")
    jupyter.frames(page)
    return hero


def first(page, index=0):
    """The first object as the page's model has it."""
    return jupyter.state(page, f"model.get('objects')[{index}]")


def test_page_and_numpy_see_the_same_scene_and_the_same_boxes_in_it(plain, page):
    board, rng = SceneBoard(), np.random.default_rng(0)
    hero, found = show_board(plain, page, board), 0
    for state in ({"least": 0.5}, *(state_of_scene(rng) for _ in range(4))):
        for key, value in state.items():
            setattr(board, key, value)
        jupyter.set_plain(page, **state)
        pixels, answers = page.evaluate(SEEN, str(board._esm))
        np.testing.assert_array_equal(pixels, board.image.ravel())
        np.testing.assert_allclose(answers, board.answers.ravel(), atol=1e-9)
        boxes = hero.locator(".answers .edge").evaluate_all(
            "(nodes) => nodes.map(({ x, y, width, height }) =>"
            " [x, y, width, height].map(({ baseVal }) => baseVal.value))"
        )
        corners = np.clip(board.found.boxes[::-1], 0, 1) * SIDE
        drawn = np.reshape(boxes, (-1, 4))
        np.testing.assert_allclose(drawn[:, :2], corners[:, :2], atol=1e-6)
        np.testing.assert_allclose(drawn[:, :2] + drawn[:, 2:], corners[:, 2:], atol=1e-6)
        shown = jupyter.readout(hero)
        assert shown["placed"] == len(board.truth[1])
        assert (shown["right"], shown["wrong"]) == (board.right.sum(), (~board.right).sum())
        found += len(drawn)
    assert found > 8


def test_an_object_by_mouse(plain, page):
    hero = show_board(
        plain, page, SceneBoard(objects=[("🐶", 20, 20, 20, 0), ("🍎", 44, 44, 16, 0)])
    )
    unit = hero.locator(".scene").bounding_box()["width"] / 64
    before = hero.locator(".answers").inner_html()
    jupyter.drag(page, hero.get_by_role("slider", name="dog face"), 12 * unit, 5 * unit)
    glyph, x, y, size, _ = first(page)
    assert (glyph, size) == ("🐶", 20)
    np.testing.assert_allclose((x, y), (32, 25), atol=0.1)
    jupyter.frames(page)
    assert hero.locator(".answers").inner_html() != before
    assert hero.locator("h4", has_text="chosen: dog face").is_visible()
    jupyter.drag(page, hero.locator(".scene > [aria-hidden] > .knob"), 4 * unit, 4 * unit)
    assert first(page)[3] == pytest.approx(28, abs=0.5)
    stage = hero.locator(".scene")
    stage.click(position={"x": 5, "y": 5})
    jupyter.frames(page)
    assert hero.locator("h4", has_text="nothing is chosen").is_visible()
    assert hero.get_by_role("slider", name="size of").is_disabled()


def test_an_object_by_keyboard(plain, page):
    hero = show_board(
        plain, page, SceneBoard(objects=[("🐶", 20, 20, 20, 0), ("🍎", 44, 44, 16, 0)])
    )
    hero.get_by_role("slider", name="dog face").focus()
    for key, wanted in {
        "ArrowRight": [21, 20, 20, 0],
        "Shift+ArrowDown": [21, 30, 20, 0],
        "End": [64, 30, 20, 0],
        "Home": [0, 30, 20, 0],
        "PageDown": [0, 64, 20, 0],
        "PageUp": [0, 0, 20, 0],
        "+": [0, 0, 21, 0],
        "-": [0, 0, 20, 0],
        ">": [0, 0, 20, 5],
        "<": [0, 0, 20, 0],
    }.items():
        page.keyboard.press(key)
        assert first(page) == ["🐶", *wanted]
    page.keyboard.press("Delete")
    assert jupyter.state(page, "model.get('objects').map(([glyph]) => glyph)") == ["🍎"]
    jupyter.frames(page)
    page.keyboard.press("Backspace")  # the next one has the focus
    assert jupyter.state(page, "model.get('objects')") == []
    jupyter.frames(page)
    assert jupyter.readout(hero)["placed"] == 0


def test_glyphs_are_taken_from_the_palette(plain, page):
    hero = show_board(plain, page, SceneBoard(objects=[]))
    hero.get_by_role("button", name="add lion face").click()
    assert first(page)[0] == "🦁"
    lion = hero.get_by_role("button", name="add top hat")
    stage, button = hero.locator(".scene").bounding_box(), lion.bounding_box()
    page.mouse.move(button["x"] + 20, button["y"] + 20)
    page.mouse.down()
    for x, y in ((0.25, 0.5), (0.5, 0.75)):
        page.mouse.move(stage["x"] + x * stage["width"], stage["y"] + y * stage["height"], steps=3)
    page.mouse.up()
    glyph, *place = first(page, 1)
    assert glyph == "🎩"
    np.testing.assert_allclose(place[:2], (32, 48), atol=0.1)
    assert jupyter.state(page, "model.get('objects').length") == 2
    hero.get_by_role("button", name="add fox face, never seen in training").press("Enter")
    assert first(page, 2)[0] == "🦊"
    hero.get_by_role("slider", name="lion face").focus()
    jupyter.frames(page)
    hero.get_by_role("button", name="To the front").click()
    glyphs = "model.get('objects').map(([glyph]) => glyph).join('')"
    assert jupyter.state(page, glyphs) == "🎩🦊🦁"
    jupyter.frames(page)
    hero.get_by_role("button", name="Take away").click()
    assert jupyter.state(page, glyphs) == "🎩🦊"
    jupyter.frames(page)
    hero.get_by_role("button", name="Clear").click()
    assert jupyter.state(page, glyphs) == ""


def test_a_full_board_takes_no_more(plain, page):
    full = [(glyph, 32, 32, 20, 0) for glyph in GLYPHS[:MOST]]
    hero = show_board(plain, page, SceneBoard(objects=full))
    assert hero.get_by_role("button", name="add top hat").is_disabled()
    assert jupyter.readout(hero)["placed"] == MOST


def test_more_than_ten_scenes_a_second(plain, page):
    full = [(glyph, 32, 32, 30, 20) for glyph in GLYPHS[:MOST]]
    show_board(plain, page, SceneBoard(objects=full, least=0.05))
    moved = [[(glyph, 20 + k, *rest) for glyph, _, *rest in full] for k in range(20)]
    assert jupyter.frame_time(page, "objects", moved) < 100


# ---------------------------------------------------------------- all of them


@pytest.mark.parametrize("width", [380, 1000])
@pytest.mark.parametrize("make", [IouDragger, SceneBoard])
def test_nothing_is_cut_off(make, width, plain, page):
    page.set_viewport_size({"width": width, "height": 900})
    hero = plain(make())
    jupyter.frames(page)
    assert jupyter.cut_off(hero) == []


def test_in_jupyterlab_every_control_moves_the_picture(open_notebook):
    notebook = open_notebook(
        "from utils.widgets import IouDragger\ndragger = IouDragger()\ndragger",
        "from utils.widgets import SceneBoard\nboard = SceneBoard()\nboard",
    )
    notebook.run_all()
    for index in range(2):
        hero = notebook.heroes().nth(index)
        hero.wait_for()
        jupyter.exercise(notebook.page, hero)
    notebook.settle()
    shown = [jupyter.readout(notebook.heroes().nth(index)) for index in range(2)]
    assert shown[0]["iou"] == pytest.approx(notebook.kernel("", "dragger.iou"), rel=1e-12)
    assert shown[1]["right"] == notebook.kernel("", "int(board.right.sum())")
    assert shown[1]["wrong"] == notebook.kernel("", "int((~board.right).sum())")
    notebook.kernel("dragger.answer = dragger.truth\nboard.objects = [('🐶', 32, 32, 24, 0)]")
    notebook.settle()
    assert jupyter.readout(notebook.heroes().nth(0))["iou"] == 1
    assert jupyter.readout(notebook.heroes().nth(1))["placed"] == 1
