"""The ablation board in a real browser: its numbers equal Python's, its switches work."""

from __future__ import annotations

import numpy as np
import pytest

from tests.browser import lab as jupyter
from utils.widgets import AblationBoard
from utils.widgets.ablation_board import TRICKS

pytestmark = pytest.mark.browser


def test_the_numbers_are_shown(plain, page):
    board = AblationBoard()
    hero = plain(board)
    for bits in np.random.default_rng(0).permutation(64)[:4].tolist():
        board.tricks = [t for i, t in enumerate(TRICKS) if bits >> i & 1]
        jupyter.set_plain(page, tricks=list(board.tricks))
        shown = jupyter.readout(hero)
        assert shown["accuracy"] == pytest.approx(board.accuracy, abs=1e-12)
        assert shown["ticked"] == len(board.tricks)
        changes = [float(o.get_attribute("data-value")) for o in hero.locator("output").all()]
        np.testing.assert_allclose(changes, [*board.changes.values()], atol=1e-12)
        on = [s.get_attribute("aria-checked") == "true" for s in hero.get_by_role("switch").all()]
        assert on == [trick in board.tricks for trick in TRICKS]


def test_switches_by_mouse_and_keyboard(plain, page):
    hero = plain(AblationBoard())
    hero.get_by_role("switch", name="normalization").click()
    hero.get_by_role("switch", name="whitened stem").focus()
    page.keyboard.press("Space")
    assert jupyter.state(page, "model.get('tricks')") == ["whitened stem", "normalization"]
    page.keyboard.press("Enter")
    jupyter.frames(page)
    assert jupyter.state(page, "model.get('tricks')") == ["normalization"]
    board = AblationBoard(tricks=("normalization",))
    assert jupyter.readout(hero)["accuracy"] == pytest.approx(board.accuracy)


@pytest.mark.parametrize("width", [380, 1000])
def test_nothing_is_cut_off(width, plain, page):
    page.set_viewport_size({"width": width, "height": 900})
    assert jupyter.cut_off(plain(AblationBoard(tricks=TRICKS))) == []


def test_in_jupyterlab_a_tick_reaches_python_and_back(open_notebook):
    notebook = open_notebook(
        "from utils.widgets import AblationBoard\nboard = AblationBoard()\nboard"
    )
    notebook.run_all()
    hero = notebook.heroes().nth(0)
    hero.wait_for()
    hero.get_by_role("switch", name="one-cycle").click()
    notebook.settle()
    assert "one-cycle" in notebook.kernel("", "board.tricks")
    accuracy = float(notebook.kernel("", "board.accuracy"))
    assert jupyter.readout(hero)["accuracy"] == pytest.approx(accuracy)
    notebook.kernel("board.tricks = ()")
    notebook.settle()
    assert jupyter.readout(hero)["ticked"] == 0
