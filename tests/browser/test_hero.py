"""The hero widgets of chapter 01 in JupyterLab and in a plain page: they work, and fail loudly."""

from __future__ import annotations

import re

import nbformat
import numpy as np
import pytest

from tests.browser import lab as jupyter
from tests.test_widgets import expected, random_states
from utils.widgets import ActivationExplorer, NeuronPlayground, XorBuilder
from utils.widgets.neuron_playground import neuron
from utils.widgets.xor_builder import xor_network

pytestmark = pytest.mark.browser

IMPORT = "from utils.widgets import ActivationExplorer, NeuronPlayground, XorBuilder"
ALL = (
    f"{IMPORT}\nplayground = NeuronPlayground(caption='Figure 1. Turn the arrow.')\nplayground",
    "explorer = ActivationExplorer()\nexplorer",
    "builder = XorBuilder()\nbuilder",
)
CLASSES = {
    "playground": NeuronPlayground,
    "explorer": ActivationExplorer,
    "builder": XorBuilder,
}


@pytest.mark.parametrize("name", CLASSES)
def test_the_readout_shows_the_numbers(name, plain, page):
    widget = CLASSES[name]()
    hero = plain(widget)
    for state in random_states(CLASSES[name], np.random.default_rng(0), 4):
        jupyter.set_plain(page, **state)
        shown, wanted = jupyter.readout(hero), expected(widget, state)
        assert shown.keys() == wanted.keys()
        for key, value in wanted.items():
            np.testing.assert_allclose(
                shown[key], value, rtol=1e-12, atol=1e-15, err_msg=str(state)
            )


def test_the_truth_table_shows_the_numbers(plain, page):
    hero = plain(XorBuilder())
    seen = set()
    for state in random_states(XorBuilder, np.random.default_rng(4), 6):
        jupyter.set_plain(page, **state)
        rows = [row.split() for row in hero.locator("tbody tr").all_inner_texts()]
        h, y = xor_network(**state)
        for (x1, x2, h1, h2, answer, target, mark), hidden, one in zip(rows, h, y, strict=True):
            assert [int(h1), int(h2), int(answer)] == [*hidden, one]
            assert int(target) == int(x1) ^ int(x2)
            assert mark == ("✔" if answer == target else "✘")
        seen.add(str(rows))
    assert len(seen) >= 3


def test_the_playground_is_shaded_by_the_output_of_the_neuron(plain, page):
    hero = plain(NeuronPlayground())
    for state in random_states(NeuronPlayground, np.random.default_rng(1), 4):
        jupyter.set_plain(page, **state)
        span, line, stops = hero.evaluate("""(root) => {
          const field = root.querySelector("rect[data-span]");
          const gradient = root.querySelector("linearGradient");
          const read = (node, names) => names.map((name) => Number(node.getAttribute(name)));
          return [Number(field.dataset.span), read(gradient, ["x1", "y1", "x2", "y2"]),
            [...gradient.children].map((stop) => [...read(stop, ["offset", "stop-opacity"]),
              stop.getAttribute("stop-color").includes("blue")])];
        }""")
        offset, opacity, blue = np.array(stops).T
        # from pixels to the plane: 344 pixels are 7 units, the lower left corner is (50, 360)
        start, end = [
            ((x - 50) * 7 / 344 - 3.5, (360 - y) * 7 / 344 - 3.5) for x, y in (line[:2], line[2:])
        ]
        places = np.outer(1 - offset, start) + np.outer(offset, end)
        output = neuron(
            places, np.zeros(len(places)), state["w"], state["b"], state["activation"]
        ).output
        away = abs(places @ state["w"] + state["b"]) > 1e-4  # at a jump both values are right
        signed = opacity * np.where(blue, 1, -1) / 0.4
        np.testing.assert_allclose(signed[away], np.clip(output / span, -1, 1)[away], atol=1e-6)
        assert away.sum() >= 45


def test_xor_region_is_where_the_network_says_one(plain, page):
    """Ask the browser whether each of 400 points lies in the striped path."""
    hero = plain(XorBuilder())
    grid = np.linspace(-0.55, 1.55, 20)
    points = np.stack(np.meshgrid(grid, grid), -1).reshape(-1, 2)
    answers = set()
    for state in random_states(XorBuilder, np.random.default_rng(2), 4):
        jupyter.set_plain(page, **state)
        inside = hero.evaluate(
            """(root, points) => {
          const svg = root.querySelector("svg");
          const [path] = svg.querySelectorAll("path[fill^='url']");
          const [left, bottom, width, height] = [50, 260, 244, 244];
          return points.map(([x, y]) => path.isPointInFill(
            new DOMPoint(left + ((x + 0.6) / 2.2) * width, bottom - ((y + 0.6) / 2.2) * height)));
        }""",
            points.tolist(),
        )
        w, b = np.array(state["w"]), state["b"]
        near = (np.abs(points @ w.T + b) < 1e-2).any(1)
        y = xor_network(w, b, state["v"], state["c"], points)[1]
        assert (np.array(inside) == (y == 1))[~near].all(), state
        answers.update(y.tolist())
    assert answers == {0, 1}


def test_touch_drags_the_arrow(browser, page):
    context = browser.new_context(has_touch=True, viewport={"width": 400, "height": 900})
    phone = context.new_page()
    jupyter.show_plain(phone, NeuronPlayground())
    tip = phone.get_by_role("slider", name=re.compile("weights w"))
    box = tip.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    session = context.new_cdp_session(phone)
    for kind, dy in (("touchStart", 0), ("touchMove", -40), ("touchMove", -60), ("touchEnd", None)):
        points = [] if dy is None else [{"x": x, "y": y + dy}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    jupyter.frames(phone)
    assert phone.evaluate("model.get('w')")[1] > 0.5
    context.close()


@pytest.mark.parametrize("width", [360, 560, 800, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_off_in_a_plain_page(plain, page, width, scheme):
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    for name, make in CLASSES.items():
        hero = plain(make())
        page.add_style_tag(content=":root { color-scheme: light dark; }")
        assert jupyter.cut_off(hero) == []
        if folder := jupyter.pictures():
            hero.screenshot(path=folder / f"{name}-plain-{scheme}-{width}.png")


def test_the_echo_of_an_older_value_does_not_undo_a_newer_one(plain, page):
    hero = plain(NeuronPlayground())
    shown = hero.locator("select").evaluate("""async (select) => {
      select.value = "ReLU";
      select.dispatchEvent(new Event("change"));
      model.set("activation", "tanh"); // what the kernel says of an earlier choice
      await new Promise(requestAnimationFrame);
      return [select.value, model.get("activation")];
    }""")
    assert shown == ["ReLU", "ReLU"]


def test_leaving_the_page_stops_listening(plain, page):
    hero = plain(ActivationExplorer())
    before = jupyter.picture(hero)
    page.evaluate("leave()")
    jupyter.set_plain(page, z=3.0)
    assert jupyter.picture(hero) == before


def test_in_jupyterlab_all_controls_work_and_nothing_complains(open_notebook):
    notebook = open_notebook(*ALL)
    notebook.run_all()
    jupyter.expect_count(notebook.heroes(), 3)
    notebook.screenshots("hero")
    for hero in notebook.heroes().all():
        assert jupyter.cut_off(hero) == []
        jupyter.exercise(notebook.page, hero)


def test_python_and_browser_share_the_state(open_notebook):
    notebook = open_notebook(*ALL)
    notebook.run_all()
    jupyter.expect_count(notebook.heroes(), 3)
    for i, name in enumerate(CLASSES):
        hero = notebook.heroes().nth(i)
        widget = CLASSES[name]()
        for state in random_states(CLASSES[name], np.random.default_rng(3), 4):
            notebook.kernel(f"for k, v in {state!r}.items(): setattr({name}, k, v)")
            notebook.settle()
            shown = jupyter.readout(hero)
            for key, value in expected(widget, state).items():
                np.testing.assert_allclose(shown[key], value, rtol=1e-12, atol=1e-15)
    # and the way back: what the hand does reaches Python
    notebook.kernel("playground.w, playground.b, explorer.z = (1, 0), 0, 1.0")
    notebook.settle()
    notebook.page.get_by_role("slider", name=re.compile("^weights w:")).press("Shift+ArrowUp")
    notebook.page.get_by_role("slider", name="position z").press("End")
    notebook.settle()
    assert notebook.kernel("", "[playground.w, explorer.z]") == [[1, 0.5], 4]
    accuracy = jupyter.readout(notebook.heroes().first)["accuracy"]
    assert notebook.kernel("", "playground.accuracy") == accuracy


def test_twice_in_one_page_restarted_saved_and_reopened(open_notebook, lab):
    notebook = open_notebook(*ALL, "builder")
    notebook.run_all()
    jupyter.expect_count(notebook.heroes(), 4)
    first, second = notebook.heroes().nth(2), notebook.heroes().nth(3)
    first.get_by_role("slider", name="bias of y").press("End")
    notebook.settle()
    assert jupyter.readout(first) == jupyter.readout(second) == {"right": 2}

    notebook.restart_and_run_all()
    jupyter.expect_count(notebook.heroes(), 4)
    assert jupyter.readout(notebook.heroes().nth(3)) == {"right": 3}  # a new widget, a new start
    notebook.heroes().nth(3).get_by_role("slider", name="bias of y").press("End")
    notebook.settle()
    assert notebook.kernel("", "builder.c") == 2

    notebook.save()
    for cell in nbformat.read(lab.root / notebook.path, 4).cells:
        (output,) = cell.outputs
        assert output.metadata["image/png"]["alt"] == output.data["text/plain"]
        assert len(output.data["image/png"]) > 1000

    notebook.reload()
    jupyter.expect_count(notebook.heroes(), 4)
    assert jupyter.readout(notebook.heroes().nth(2)) == {"right": 2}  # as it was left
    notebook.heroes().nth(1).get_by_role("slider", name="position z").press("End")
    notebook.settle()
    assert notebook.kernel("", "explorer.z") == 4
    notebook.run_all()
    jupyter.expect_count(notebook.heroes(), 4)


def test_a_broken_callback_is_seen(open_notebook):
    notebook = open_notebook(ALL[0], "playground.observe(lambda change: 1 / 0, 'b')")
    notebook.run_all()
    jupyter.expect_count(notebook.heroes(), 1)
    notebook.page.get_by_role("slider", name=re.compile("^bias b:")).press("ArrowRight")
    notebook.settle()
    assert any("ZeroDivisionError" in problem for problem in notebook.take_problems())


def test_a_script_error_is_seen(open_notebook):
    cell = f"""{IMPORT}
class Broken(ActivationExplorer):
    _esm = ActivationExplorer._esm.replace("view.say(", "view.sey(")
Broken()"""
    notebook = open_notebook(cell)
    notebook.run_all()
    assert any("sey" in problem for problem in notebook.take_problems())


def test_an_error_while_dragging_is_seen(open_notebook):
    cell = f"""{IMPORT}
class Broken(ActivationExplorer):
    _esm = ActivationExplorer._esm.replace("view.say(", "if (z > 3) view.sey(")
Broken()"""
    notebook = open_notebook(cell)
    notebook.run_all()
    jupyter.expect_count(notebook.heroes(), 1)
    assert notebook.problems == []
    notebook.page.get_by_role("slider", name="position z").press("End")
    notebook.settle()
    assert any("sey" in problem for problem in notebook.take_problems())


def test_a_dead_control_is_seen(plain, page):
    widget = ActivationExplorer()
    widget._esm = str(widget._esm).replace("view.change({ z:", "view.get({ z:")
    with pytest.raises(AssertionError, match="changed nothing"):
        jupyter.exercise(page, plain(widget))
