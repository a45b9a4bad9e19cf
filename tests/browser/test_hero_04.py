"""The gradient-flow explorer in a real browser: its numbers equal NumPy's, its controls work."""

from __future__ import annotations

import numpy as np
import pytest

from tests.browser import lab as jupyter
from tests.test_widgets_04 import random_states
from utils.widgets import GradientFlow
from utils.widgets.gradient_flow import flow

pytestmark = pytest.mark.browser


def test_the_readout_shows_the_numbers(plain, page):
    hero = plain(GradientFlow())
    seen = set()
    for state in random_states(3):
        state |= {"depth": min(state["depth"], 15)}
        jupyter.set_plain(page, **state)
        gradients, sizes = flow(**state)
        ratio = gradients[0] / gradients[-1]
        wanted = {
            "ratio": ratio,
            "factor": ratio ** (1 / state["depth"]),
            "size": sizes[-1],
        }
        shown = jupyter.readout(hero)
        assert shown.keys() == wanted.keys()
        for name, value in wanted.items():
            assert shown[name] == pytest.approx(value, rel=1e-6), (name, state)
        assert hero.locator("rect[fill]").count() == state["depth"] + 1
        seen.add(str(shown))
    assert len(seen) == 3


def test_bars_stand_for_the_logarithm(plain, page):
    hero = plain(GradientFlow(depth=20))
    heights = hero.locator("rect[fill]").evaluate_all(
        "nodes => nodes.map((node) => Number(node.getAttribute('height')) - 1.5)"
    )
    gradients, _ = flow(20, "sigmoid", "1/D, Xavier", "none", "no", 0)
    logs = np.abs(np.log10(gradients / gradients[-1]))
    np.testing.assert_allclose(np.array(heights) / heights[0], logs / logs[0], atol=1e-3)


@pytest.mark.parametrize(
    ("state", "word"),
    [
        ({}, "vanishes"),
        ({"activation": "ReLU", "initialization": "2/D, He"}, "arrives"),
        ({"activation": "ReLU", "initialization": "N(0, 1)"}, "explodes"),
    ],
)
def test_the_note_says_what_happens(state, word, plain, page):
    assert word in plain(GradientFlow(**state)).locator(".note").inner_text()


@pytest.mark.parametrize("width", [380, 1000])
def test_nothing_is_cut_off(width, plain, page):
    page.set_viewport_size({"width": width, "height": 900})
    hero = plain(GradientFlow(depth=50, initialization="N(0, 0.01²)"))
    assert jupyter.cut_off(hero) == []


def test_in_jupyterlab_every_control_moves_the_picture(open_notebook):
    notebook = open_notebook(
        "from utils.widgets import GradientFlow\nexplorer = GradientFlow()\nexplorer"
    )
    notebook.run_all()
    hero = notebook.heroes().first
    hero.wait_for()
    jupyter.exercise(notebook.page, hero)
    notebook.settle()
    assert notebook.kernel("", "explorer.depth") == float(
        hero.get_by_label("depth", exact=True).input_value()
    )
    notebook.kernel("explorer.depth, explorer.skip = 12, 'yes'")
    notebook.settle()
    assert hero.get_by_label("depth", exact=True).input_value() == "12"
    assert hero.locator("rect[fill]").count() == 13
