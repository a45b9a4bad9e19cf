"""The latent map of chapter 12 in a real browser: pixels equal Python's, controls work."""

from __future__ import annotations

import numpy as np
import pytest

from tests.browser import lab as jupyter
from utils.widgets import LatentMap
from utils.widgets.latent_map import GROUNDS, VIEW

pytestmark = pytest.mark.browser


def test_the_readout_shows_the_numbers(plain, page):
    latent = LatentMap()
    hero = plain(latent)
    rng = np.random.default_rng(1)
    seen = set()
    for _ in range(5):
        latent.position = np.round(rng.uniform(-VIEW, VIEW, 2), 2)
        latent.ground = str(rng.choice(GROUNDS))
        jupyter.set_plain(page, position=latent.position, ground=latent.ground)
        shown = jupyter.readout(hero)
        assert (shown["z1"], shown["z2"]) == latent.position
        assert shown["nearest"] == latent.nearest
        assert shown["ink"] == pytest.approx(latent.ink, rel=1e-9)
        seen.add(latent.nearest)
    assert len(seen) >= 2


def test_the_canvas_shows_the_pixels(plain, page):
    latent = LatentMap(position=(1.25, -0.5))
    hero = plain(latent)
    shown = hero.locator("canvas").evaluate(
        "(node) => Array.from(node.getContext('2d').getImageData(0, 0, 28, 28).data)"
    )
    gray = np.reshape(shown, (28, 28, 4))
    np.testing.assert_allclose(gray[..., 0], 255 * latent.image, atol=0.51)
    assert (gray[..., 3] == 255).all()


def test_walk_by_keyboard_and_mouse(plain, page):
    hero = plain(LatentMap(position=(0, 0)))
    knob = hero.get_by_role("slider", name="code z")
    knob.focus()
    for key, wanted in {
        "ArrowRight": [0.05, 0],
        "ArrowUp": [0.05, 0.05],
        "Shift+ArrowDown": [0.05, -0.45],
        "Home": [-3, -0.45],
        "ArrowLeft": [-3, -0.45],
        "PageUp": [-3, 3],
        "End": [3, 3],
        "PageDown": [3, -3],
    }.items():
        page.keyboard.press(key)
        np.testing.assert_allclose(jupyter.state(page, "model.get('position')"), wanted, atol=1e-9)
    jupyter.frames(page)
    jupyter.drag(page, knob, -60, -40)
    x, y = jupyter.state(page, "model.get('position')")
    assert -3 < y < 3
    assert -3 < x < 3
    area = hero.locator("svg rect[fill=transparent]")
    box = area.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 4)
    np.testing.assert_allclose(jupyter.state(page, "model.get('position')"), (0, 1.5), atol=0.05)


def test_both_grounds_by_choice(plain, page):
    hero = plain(LatentMap())
    for ground, tiles in ((GROUNDS[1], False), (GROUNDS[0], True)):
        hero.get_by_role("combobox").select_option(ground)
        jupyter.frames(page)
        assert jupyter.state(page, "model.get('ground')") == ground
        assert hero.locator("svg image").is_visible() == tiles


@pytest.mark.parametrize("width", [380, 1000])
@pytest.mark.parametrize("ground", GROUNDS)
def test_nothing_is_cut_off(ground, width, plain, page):
    page.set_viewport_size({"width": width, "height": 900})
    assert jupyter.cut_off(plain(LatentMap(ground=ground))) == []


def test_in_jupyterlab_every_control_moves_the_picture(open_notebook):
    notebook = open_notebook(
        "from utils.widgets import LatentMap\nlatent = LatentMap()\nlatent",
    )
    notebook.run_all()
    hero = notebook.heroes().first
    hero.wait_for()
    jupyter.exercise(notebook.page, hero)
    notebook.settle()
    shown = jupyter.readout(hero)
    assert shown["ink"] == pytest.approx(float(notebook.kernel("", "latent.ink")), rel=1e-6)
    notebook.kernel("latent.position = (2.5, 2.5)")
    notebook.settle()
    assert jupyter.readout(hero)["z1"] == 2.5
