"""The graph stepper of chapter 03 in the browser: its numbers, its steps, its keys, its graph."""

from __future__ import annotations

import numpy as np
import pytest

from tests.browser import lab as jupyter
from tests.test_widgets_03 import GRAPHS, make
from utils.widgets.graph_stepper import label, replay

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("name", GRAPHS)
def test_the_readout_shows_the_numbers(name, plain, page):
    widget = make(name)
    hero = plain(widget)
    rng = np.random.default_rng(0)
    names = [node.name for node in widget.graph if node.op != "constant"]
    ours = [i for i, node in enumerate(widget.graph) if node.op != "constant"]
    for k in range(2):
        inputs = rng.uniform(-4, 4, len(widget.inputs))
        inputs = np.round(inputs * 2) / 2 if k % 2 else inputs  # half of them on ties
        jupyter.set_plain(page, inputs=inputs.tolist(), step=float(widget.last))
        shown = jupyter.readout(hero)
        values, gradients = replay(widget.graph, inputs)
        assert shown.keys() == {*names, *(f"∂{n}" for n in names)}
        for i, n in zip(ours, names, strict=True):
            wanted = values[i], gradients[i]
            np.testing.assert_allclose((shown[n], shown[f"∂{n}"]), wanted, rtol=1e-11, atol=1e-14)


def test_each_step_shows_one_thing_more(plain, page):
    widget = make("product")
    hero = plain(widget)
    operations = [n for n in widget.graph if n.parents]
    known, passed = [], []
    for step in range(widget.last + 1):
        jupyter.set_plain(page, step=float(step))
        shown = jupyter.readout(hero)
        known.append(sum(not np.isnan(v) for n, v in shown.items() if not n.startswith("∂")))
        passed.append(sum(not np.isnan(v) for n, v in shown.items() if n.startswith("∂")))
    m = len(operations)
    inputs = len(widget.inputs)
    assert known == [inputs + min(k, m) for k in range(widget.last + 1)]
    assert passed[: m + 2] == [0] * (m + 1) + [1]
    assert passed[-1] == m + inputs
    assert sorted(passed) == passed


def test_a_node_with_two_users_waits_for_both(plain, page):
    widget = make("two paths")
    hero = plain(widget)
    seen = []
    for step in range(widget.last + 1):
        jupyter.set_plain(page, step=float(step))
        seen.append(hero.locator("[data-name='∂a']").text_content())
    partial = [text for text in seen if text.endswith("+ …")]
    assert partial
    assert seen[-1] == f"∂ {widget.gradients['a']:.2f}"
    assert seen.index(partial[-1]) < widget.last


def test_the_boxes_say_what_python_says(plain):
    widget = make("product")
    texts = plain(widget).locator("svg text").all_text_contents()
    assert {label(widget.graph, i) for i in range(len(widget.graph))} <= set(texts)


def test_buttons_and_keys_walk(plain, page):
    hero = plain(make("product"))
    step = lambda: jupyter.state(page, "model.get('step')")  # noqa: E731
    hero.get_by_role("button", name="step").click()
    hero.get_by_role("button", name="step").click()
    hero.get_by_role("button", name="back").click()
    assert step() == 1
    hero.get_by_role("button", name="show all").click()
    hero.get_by_role("button", name="step").focus()
    page.keyboard.press("Enter")
    assert step() == 9  # and no further
    hero.locator("svg").focus()
    for key, wanted in (
        ("ArrowLeft", 8),
        ("ArrowRight", 9),
        ("Home", 0),
        ("ArrowLeft", 0),
        ("End", 9),
    ):
        page.keyboard.press(key)
        assert step() == wanted
    hero.get_by_role("button", name="restart").focus()
    page.keyboard.press("Enter")
    assert step() == 0


def test_the_sentence_tells_the_product(plain, page):
    hero = plain(make("product"))
    jupyter.set_plain(page, inputs=[2.0, -1.5, 4.0, 1.5], step=1.0)
    sentence = hero.locator(".note").first
    assert sentence.text_content() == "Forward: v₁ = a × b = 2.00 × (−1.50) = −3.00"
    jupyter.set_plain(page, step=9.0)
    assert "to a: 1.50 × (−1.50) = −2.25; to b: 1.50 × 2.00 = 3.00" in sentence.text_content()


@pytest.mark.parametrize("width", [360, 560, 800, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_off(plain, page, width, scheme):
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    widget = make("neuron")
    hero = plain(widget)
    jupyter.set_plain(page, inputs=[-4.0, 4.0, -4.0, -4.0], step=float(widget.last))
    assert jupyter.cut_off(hero) == []


def test_in_jupyterlab(open_notebook):
    notebook = open_notebook(
        "from utils.engine import Tensor\nfrom utils.widgets import GraphStepper\n"
        "a, b = (Tensor(v, requires_grad=True) for v in (2.0, -1.5))\n"
        "stepper = GraphStepper((a * b).tanh() + a, a=a, b=b)\nstepper"
    )
    notebook.run_all()
    hero = notebook.heroes().first
    jupyter.exercise(notebook.page, hero)
    hero.locator("svg").focus()
    notebook.page.keyboard.press("End")
    notebook.settle()
    assert notebook.kernel("", "[stepper.step, stepper.last]") == [7, 7]
    notebook.kernel("stepper.inputs = (0.5, 1.0)")
    notebook.settle()
    wanted = notebook.kernel("", "stepper.gradients")
    shown = jupyter.readout(hero)
    assert shown["∂a"] == pytest.approx(wanted["a"], rel=1e-12)
    assert shown["∂b"] == pytest.approx(wanted["b"], rel=1e-12)
