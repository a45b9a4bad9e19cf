"""The slider of λ and the cycle viewer of chapter 14 in a real browser."""

from __future__ import annotations

import numpy as np
import pytest

from tests.browser import lab as jupyter
from tests.test_widgets_14 import STATES
from utils.recorded import paintings
from utils.widgets import CycleViewer, LambdaSlider
from utils.widgets.cycle_viewer import AROUND_A, AROUND_B
from utils.widgets.lambda_slider import GLYPHS, LAMBDAS, MEASURES

pytestmark = pytest.mark.browser

EVERY = {
    "slider": LambdaSlider,
    "slider at its end": lambda: LambdaSlider(setting="GAN"),
    "viewer": CycleViewer,
    "viewer, swapped": lambda: CycleViewer(world="ink, seed 1", swapped=True),
    "viewer, from gray": lambda: CycleViewer(world="ink, seed 1", direction=AROUND_A),
}


# ---------------------------------------------------------------- the slider of λ


def test_every_setting_shows_its_paintings_and_numbers(plain, page):
    slider = LambdaSlider()
    hero = plain(slider)
    for k, name in enumerate(paintings.SHOWN):
        slider.setting = name
        jupyter.set_plain(page, setting=name)
        shown = jupyter.readout(hero)
        assert {key: shown[key] for key in MEASURES} == pytest.approx(slider.numbers, rel=1e-12)
        assert [shown[glyph] for glyph in GLYPHS] == slider.errors.tolist()
        sources = hero.locator("img.painting").evaluate_all("nodes => nodes.map((n) => n.src)")
        assert sources == slider.pictures[name]
        chosen = hero.locator("rect.chosen")
        assert chosen.evaluate_all("nodes => nodes.map((n) => n.dataset.name)") == [
            f"{key} {name}" for key in MEASURES
        ]
        for key in MEASURES:
            value = shown[f"{key} {name}"]
            assert value == pytest.approx(slider.numbers[key], rel=1e-12)
        assert hero.get_by_role("slider").input_value() == str(k)


def test_bars_end_at_the_mean_and_dots_at_the_seeds(plain):
    slider = LambdaSlider()
    hero = plain(slider)
    for chart, key in enumerate(MEASURES):
        svg = hero.locator("svg").nth(chart)
        heights = svg.locator("rect").evaluate_all(
            "nodes => nodes.map((n) => n.height.baseVal.value)"
        )
        dots = svg.locator(".seed").evaluate_all("nodes => nodes.map((n) => n.cy.baseVal.value)")
        seeds = [slider.measured[name][key] for name in paintings.SHOWN]
        top = max(map(max, seeds))
        np.testing.assert_allclose(heights, [96 * np.mean(s) / top for s in seeds], rtol=1e-5)
        np.testing.assert_allclose(dots, [108 - 96 * v / top for s in seeds for v in s], rtol=1e-5)


def test_pictures_are_crisp_and_have_names(plain, page):
    hero = plain(LambdaSlider())
    images = hero.locator("img")
    assert images.count() == 3 * len(GLYPHS)
    looks = images.evaluate_all(
        """nodes => Promise.all(nodes.map(async (n) => {
          await n.decode();
          return [n.alt, n.naturalWidth, n.clientWidth, getComputedStyle(n).imageRendering];
        }))"""
    )
    names = [f"{glyph}, {kind}" for glyph in GLYPHS for kind in ("outline", "painting", "truth")]
    assert looks == [[name, 64, 128, "pixelated"] for name in names]
    page.set_viewport_size({"width": 300, "height": 700})
    lines = images.evaluate_all("nodes => new Set(nodes.map((n) => n.offsetLeft)).size")
    assert lines == 3  # glyphs side by side


def test_the_slider_by_keyboard(plain, page):
    hero = plain(LambdaSlider())
    slider = hero.get_by_role("slider", name="λ, the weight of L1")
    slider.focus()
    for key, wanted in {
        "ArrowRight": "λ = 10",
        "ArrowLeft": "λ = 50",
        "Home": "L1",
        "ArrowUp": "λ = 100",
        "End": "GAN",
    }.items():
        page.keyboard.press(key)
        assert jupyter.state(page, "model.get('setting')") == wanted
        jupyter.frames(page)
        lam, name = LAMBDAS[wanted]
        spoken = name if name == wanted else f"λ = {lam}, {name}"
        assert slider.get_attribute("aria-valuetext") == spoken
    status = hero.get_by_role("status")
    status.get_by_text("GAN alone: color error").wait_for(state="attached")


# ---------------------------------------------------------------- the cycle viewer


def pixels(canvas):
    """Colors (32, 32, 3) of a canvas, 0 to 255."""
    data = canvas.evaluate(
        "(node) => Array.from(node.getContext('2d').getImageData(0, 0, 32, 32).data)"
    )
    image = np.reshape(data, (32, 32, 4))
    assert (image[..., 3] == 255).all()
    return image[..., :3]


def test_pictures_readings_and_numbers_are_shown(plain, page):
    viewer = CycleViewer()
    hero = plain(viewer)
    for state in STATES[3::13]:
        for name, value in state.items():
            setattr(viewer, name, value)
        jupyter.set_plain(page, **state)
        assert jupyter.readout(hero) == pytest.approx(viewer.numbers, rel=1e-5)
        said = hero.locator(".said").all_text_contents()
        for k, (image, read) in enumerate(zip(viewer.images, viewer.read, strict=True)):
            shown = pixels(hero.locator("canvas").nth(k))
            wanted = image[..., None] if image.ndim == 2 else image
            np.testing.assert_allclose(shown / 255, np.broadcast_to(wanted, shown.shape), atol=1e-6)
            mark = "✓" if str(read) == state["digit"] else "✗"
            assert said[k].endswith(viewer.world if read is None else f"read as {read} {mark}")


def test_the_swap_by_keyboard_and_only_on_the_way_from_b(plain, page):
    viewer = CycleViewer()
    hero = plain(viewer)
    swap = hero.get_by_role("switch", name="put the true gray digit in the middle")
    swap.focus()
    for key, wanted in (("Enter", True), ("Space", False), ("Space", True)):
        page.keyboard.press(key)
        assert jupyter.state(page, "model.get('swapped')") is wanted
        jupyter.frames(page)
        assert swap.get_attribute("aria-checked") == str(wanted).lower()
        assert hero.locator("canvas.put").count() == wanted
    viewer.swapped = True
    assert jupyter.readout(hero) == pytest.approx(viewer.numbers, rel=1e-5)
    hero.get_by_role("combobox", name="direction").select_option(AROUND_A)
    jupyter.frames(page)
    assert swap.is_disabled()
    assert hero.locator("canvas.put").count() == 0
    assert hero.locator(".step").all_text_contents() == ["to B →", "to A →"]
    hero.get_by_role("combobox", name="direction").select_option(AROUND_B)
    jupyter.frames(page)
    assert swap.is_enabled()
    assert hero.locator(".step").all_text_contents() == ["to A →", "to B →"]


def test_every_picture_of_a_trip_has_a_name(plain, page):
    hero = plain(CycleViewer(world="neon", digit="0"))
    names = hero.locator("canvas").evaluate_all("nodes => nodes.map((n) => n.ariaLabel)")
    read = CycleViewer(world="neon", digit="0").read[1]
    assert names == ["start: neon", f"middle: gray, read as {read}", "back: neon"]
    status = hero.get_by_role("status")
    status.get_by_text(f"middle read as {read}").wait_for(state="attached")


# ---------------------------------------------------------------- both


@pytest.mark.parametrize("width", [300, 600, 1000])
@pytest.mark.parametrize("name", EVERY)
def test_nothing_is_cut_off(name, width, plain, page):
    page.set_viewport_size({"width": width, "height": 900})
    assert jupyter.cut_off(plain(EVERY[name]())) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("name", EVERY)
def test_every_control_has_a_name(name, plain):
    controls = plain(EVERY[name]()).locator("button, select, input, [role=slider]")
    assert controls.count() == (1 if "slider" in name else 4)
    assert all(jupyter.names(controls))


@pytest.mark.parametrize(
    ("code", "value", "name"),
    [
        ("LambdaSlider()", "widget.numbers['hue']", "hue"),
        ("CycleViewer()", "widget.numbers['error']", "error"),
    ],
)
def test_in_jupyterlab_every_control_moves_the_picture(code, value, name, open_notebook):
    kind = code.split("(")[0]
    notebook = open_notebook(f"from utils.widgets import {kind}\nwidget = {code}\nwidget")
    notebook.run_all()
    hero = notebook.heroes().first
    hero.wait_for()
    # six places are too few for the steps of a full walk
    jupyter.exercise(notebook.page, hero, is_brief=kind == "LambdaSlider")
    notebook.settle()
    expected = float(notebook.kernel("", f"float({value})"))
    assert jupyter.readout(hero)[name] == pytest.approx(expected, rel=1e-5)
    notebook.screenshots(kind)
