"""The heroes of chapter 07 with many boxes in a real browser."""

from __future__ import annotations

import numpy as np
import pytest

from tests.browser import lab as jupyter
from utils.widgets import AnchorExplorer, SuppressionBoard
from utils.widgets.anchor_explorer import ANCHORS, SHAPES, dots, place_of

pytestmark = pytest.mark.browser

EVERY = {
    "anchors": AnchorExplorer,
    "suppression": SuppressionBoard,
    "all kept": lambda: SuppressionBoard(score=0.05, overlap=1),
}


# ---------------------------------------------------------------- the anchors


def test_the_matching_is_shown(plain, page):
    explorer = AnchorExplorer()
    hero = plain(explorer)
    for anchor, threshold in ((0, 0.3), (154, 0.8), (178, 0.5), (297, 0.5)):
        explorer.anchor, explorer.threshold = anchor, threshold
        jupyter.set_plain(page, anchor=anchor, threshold=threshold)
        shown = jupyter.readout(hero)
        assert shown["positives"] == explorer.positives
        assert shown["negatives"] == len(ANCHORS) - explorer.positives
        offsets = [shown[name] for name in ("dx", "dy", "dw", "dh")]
        np.testing.assert_allclose(offsets, explorer.offsets, rtol=1e-6, atol=1e-6)
        overlaps = [shown[f"iou{j}"] for j in range(1, 5)]
        np.testing.assert_allclose(overlaps, explorer.overlaps, rtol=1e-12)
        assert hero.locator(".positive").count() == explorer.positives
        written = hero.locator(".positive text").all_text_contents()
        assert sorted(set(written)) == ["1", "2", "3", "4"]  # no object is forgotten


def test_anchors_by_keyboard(plain, page):
    hero = plain(AnchorExplorer(anchor=150))

    def place():
        return place_of(jupyter.state(page, "model.get('anchor')"))

    hand = hero.get_by_role("slider", name="anchor: arrow keys")
    hand.focus()
    assert place() == (8, 4, 5, 2)
    for key, wanted in {
        "ArrowRight": (8, 4, 6, 2),
        "ArrowUp": (8, 3, 6, 2),
        "PageDown": (8, 3, 6, 3),
        "PageDown ": (8, 3, 6, 0),
        "PageUp": (8, 3, 6, 3),
        "Home": (8, 3, 0, 3),
        "ArrowLeft": (8, 3, 0, 3),
        "End": (8, 3, 7, 3),
        "Shift+ArrowDown": (8, 7, 7, 3),
    }.items():
        page.keyboard.press(key.strip())
        assert place() == wanted
    jupyter.frames(page)
    assert "row 7, column 7, large wide" in hand.get_attribute("aria-valuetext")
    hero.get_by_role("combobox", name="grid").select_option("4 × 4")
    assert place() == (4, 3, 3, 3)
    hero.get_by_role("combobox", name="shape").select_option("small square")
    assert place() == (4, 3, 3, 0)
    hero.get_by_role("combobox", name="grid").select_option("8 × 8")
    assert place() == (8, 7, 7, 0)


def test_a_click_chooses_the_nearest_anchor(plain, page):
    hero = plain(AnchorExplorer())
    box = hero.locator(".scene image").bounding_box()
    for wanted in (0, 131, 255, 256, 290, 319):
        x, y = dots()[wanted]
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
        assert jupyter.state(page, "model.get('anchor')") == wanted
        x1, y1, x2, y2 = to_pixels(ANCHORS[wanted])
        jupyter.frames(page)
        frame = hero.locator(".chosen .edge").evaluate(
            "n => [n.x, n.y, n.width, n.height].map((each) => each.baseVal.value)"
        )
        np.testing.assert_allclose(frame, [x1, y1, x2 - x1, y2 - y1], atol=1e-3)
    page.keyboard.press("Home")  # the picture has the keys now
    assert jupyter.state(page, "model.get('anchor')") == 319 - 3 * len(SHAPES)


def to_pixels(anchor):
    x, y, w, h = 400 * anchor
    return x - w / 2, y - h / 2, x + w / 2, y + h / 2


# ---------------------------------------------------------------- the suppression


def test_the_verdicts_are_shown(plain, page):
    board = SuppressionBoard()
    hero = plain(board)
    for score, overlap in ((0.3, 0.45), (0.05, 1), (0.95, 0.45), (0.1, 0), (0.2, 0.8)):
        board.score, board.overlap = score, overlap
        jupyter.set_plain(page, score=score, overlap=overlap)
        assert jupyter.readout(hero) == board.numbers
        for name in ("hit", "duplicate", "false-alarm"):
            count = board.verdicts.count(name.replace("-", " "))
            assert hero.locator(f".scene .{name}").count() == count
            assert hero.locator(f".bar.{name}").count() == count
        raw = board.scene["scores"]
        unsure = sum(value < score for value in raw)
        assert hero.locator(".scene .unsure").count() == unsure
        assert hero.locator(".scene .dropped").count() == len(raw) - unsure - len(board.kept)


def test_the_surest_box_lies_on_top_and_no_tag_on_another(plain, page):
    board = SuppressionBoard(score=0.05, overlap=1)
    hero = plain(board)
    x1, y1, x2, y2 = board.scene["boxes"][board.kept[0]]
    top = hero.locator(".scene .kept .edge").last.evaluate(
        "n => [n.x, n.y, n.width, n.height].map((each) => each.baseVal.value)"
    )
    np.testing.assert_allclose(top, 400 * np.array([x1, y1, x2 - x1, y2 - y1]), atol=1e-3)
    tags = hero.locator(".scene .tag:not(:empty)")
    assert "face 1.00 ✓" in tags.all_text_contents()
    assert 4 <= tags.count() < len(board.kept)
    rects = [each.bounding_box() for each in tags.all()]
    for i, a in enumerate(rects):
        for b in rects[:i]:
            apart = [a["x"] - b["x"] - b["width"], b["x"] - a["x"] - a["width"]]
            apart += [a["y"] - b["y"] - b["height"], b["y"] - a["y"] - a["height"]]
            assert max(apart) > -4  # the white rims of the letters may touch


def test_thresholds_by_keyboard(plain, page):
    hero = plain(SuppressionBoard())
    for name, trait, ends, start in (
        ("lowest score", "score", (0.05, 0.95), 0.3),
        ("highest IoU", "overlap", (0, 1), 0.45),
    ):
        slider = hero.get_by_role("slider", name=name)
        slider.focus()
        for key, wanted in {
            "ArrowRight": start + 0.01,
            "Shift+ArrowRight": start + 0.11,
            "Home": ends[0],
            "End": ends[1],
        }.items():
            page.keyboard.press(key)
            jupyter.frames(page)
            assert jupyter.state(page, f"model.get('{trait}')") == pytest.approx(wanted)
    assert slider.get_attribute("aria-valuetext") == "keep all"
    page.keyboard.press("ArrowLeft")
    jupyter.frames(page)
    assert slider.get_attribute("aria-valuetext") == "0.99"


# ---------------------------------------------------------------- both


@pytest.mark.parametrize("width", [380, 600, 1000])
@pytest.mark.parametrize("name", EVERY)
def test_nothing_is_cut_off(name, width, plain, page):
    page.set_viewport_size({"width": width, "height": 900})
    assert jupyter.cut_off(plain(EVERY[name]())) == []


@pytest.mark.parametrize("name", EVERY)
def test_every_control_has_a_name(name, plain):
    controls = plain(EVERY[name]()).locator("button, select, input, [role=slider]")
    assert controls.count() >= 2
    assert all(jupyter.names(controls))


@pytest.mark.parametrize(
    ("code", "value", "name"),
    [
        ("AnchorExplorer()", "widget.positives", "positives"),
        ("SuppressionBoard()", "widget.numbers['precision']", "precision"),
    ],
)
def test_in_jupyterlab_every_control_moves_the_picture(code, value, name, open_notebook):
    kind = code.split("(")[0]
    notebook = open_notebook(f"from utils.widgets import {kind}\nwidget = {code}\nwidget")
    notebook.run_all()
    hero = notebook.heroes().first
    hero.wait_for()
    jupyter.exercise(notebook.page, hero)
    notebook.settle()
    expected = float(notebook.kernel("", f"float({value})"))
    assert jupyter.readout(hero)[name] == pytest.approx(expected, rel=1e-6)
    notebook.screenshots(kind)
