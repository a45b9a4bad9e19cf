"""The code writer of chapter 11 in a real browser: text and bars equal Python's, all by keys."""

from __future__ import annotations

import numpy as np
import pytest

from tests.browser import lab as jupyter
from tests.test_widgets_11_writer import random_state
from utils.widgets import CodeWriter
from utils.widgets.code_writer import BARS, BEGINNINGS, MOST, label

pytestmark = pytest.mark.browser

FIELD = "textarea"
TOKENS = ".sheet .ground span"


def state(page, name):
    """What the model holds, once a frame has passed on what the hand did."""
    jupyter.frames(page)
    return jupyter.state(page, f"model.get('{name}')")


def text(hero):
    """What stands in the field."""
    return hero.locator(FIELD).input_value()


def wait(page, count):
    """Until so many tokens are written: a long text takes several frames."""
    page.wait_for_function(f"document.querySelectorAll('{TOKENS}').length === {count}")


def test_page_and_python_write_and_expect_the_same(plain, page):
    writer, rng = CodeWriter(), np.random.default_rng(0)
    hero = plain(writer)
    for chosen in ({}, *(random_state(rng) for _ in range(5))):
        for key, value in chosen.items():
            setattr(writer, key, value)
        jupyter.set_plain(page, **chosen)
        wait(page, len(writer.tokens))
        assert text(hero) == (writer.start + writer.written).replace("\r", "\n")
        shown = jupyter.readout(hero)
        bits = [shown[f"bits{k}"] for k in range(len(writer.tokens))]
        np.testing.assert_allclose(bits, writer.surprises, atol=1e-6)
        assert (shown["left"], len(writer.coder)) == (writer.left, 1280)
        assert shown["entropy"] == pytest.approx(writer.entropy, abs=1e-6)
        best = np.sort(writer.probabilities)[::-1]
        bars = [shown[f"p{k}"] for k in range(BARS)]
        np.testing.assert_allclose(bars, best[:BARS], atol=1e-6)
        assert shown["others"] == pytest.approx(best[BARS:].sum(), abs=1e-6)
        names = hero.locator("button.bar .token").all_text_contents()
        assert names[0] == label(writer.coder.words[writer.probabilities.argmax()])


def test_it_writes_while_it_plays_and_rests_when_told(plain, page):
    hero = plain(CodeWriter(count=0))
    hero.get_by_role("button", name="Write").click()
    page.wait_for_function(f"document.querySelectorAll('{TOKENS}').length > 5")
    hero.get_by_role("button", name="Pause").click()
    count = state(page, "count")
    page.wait_for_timeout(200)
    assert state(page, "count") == count > 5
    writer = CodeWriter(count=count)
    assert text(hero) == writer.start + writer.written


def test_one_token_back_and_erase(plain, page):
    writer = CodeWriter(count=3, fixed=(300, 301))
    hero = plain(writer)
    button = {name: hero.get_by_role("button", name=name) for name in ("One", "Back", "Erase")}
    button["One"].click()
    assert state(page, "count") == 4
    for name, count, fixed in (
        *(("Back", count, 2) for count in (3, 2, 1, 0)),
        ("Back", 0, 1),
        ("One", 1, 1),
        ("Erase", 0, 0),
    ):
        button[name].press("Enter")
        assert (state(page, "count"), len(state(page, "fixed"))) == (count, fixed)
    assert text(hero) == writer.start
    assert button["Back"].is_disabled()
    assert button["Erase"].is_disabled()


def test_a_bar_is_chosen_by_mouse_and_by_keys(plain, page):
    writer = CodeWriter(count=4, top_k=2)
    hero = plain(writer)
    bars = hero.locator("button.bar")
    order = np.argsort(-writer.uncut, kind="stable")
    assert bars.nth(2).locator(".percent").inner_text() == "cut"
    assert "cut" in bars.nth(2).get_attribute("class")
    written = writer.tokens
    bars.nth(2).click()  # what is cut off can be chosen all the same
    writer.fixed, writer.count = [*written, order[2]], 0
    assert state(page, "fixed") == list(writer.fixed)
    assert text(hero) == writer.start + writer.written
    bars.nth(0).focus()
    for key, rank in (("ArrowDown", 1), ("End", 9), ("ArrowUp", 8), ("Home", 0), ("ArrowUp", 0)):
        page.keyboard.press(key)
        assert bars.nth(rank).evaluate("(node) => node === document.activeElement")
    assert [bar.get_attribute("tabindex") for bar in bars.all()] == ["0"] + ["-1"] * 9
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    second = np.argsort(-writer.uncut, kind="stable")[1]
    assert state(page, "fixed") == [*writer.fixed, second]
    assert state(page, "count") == 0


def test_sliders_write_anew_what_is_not_fixed(plain, page):
    writer = CodeWriter(count=12, fixed=(300, 301), temperature=0.7)
    hero = plain(writer)
    for name, keys in (("temperature", "End"), ("top-k", "Home"), ("which random draw", "End")):
        slider = hero.get_by_role("slider", name=name)
        slider.focus()
        page.keyboard.press(keys)
        key = {"top-k": "top_k", "which random draw": "seed"}.get(name, name)
        setattr(writer, key, state(page, key))
        assert text(hero) == writer.start + writer.written
    assert (writer.temperature, writer.top_k, writer.seed) == (1.5, 1, 99)
    assert writer.tokens[:2] == [300, 301]


def test_what_is_typed_becomes_the_beginning(plain, page):
    hero = plain(CodeWriter(count=5, fixed=(300,)))
    field = hero.get_by_label("Python code")
    whole = text(hero)
    field.press("Control+End")
    page.keyboard.type("\nimport é🐍", delay=5)
    assert state(page, "start") == whole + "\nimport é🐍"
    assert (state(page, "fixed"), state(page, "count")) == ([], 0)
    hero.get_by_role("button", name="One token").click()
    writer = CodeWriter(start=whole + "\nimport é🐍", count=1)
    jupyter.frames(page)
    assert text(hero) == writer.start + writer.written
    assert hero.locator("select").input_value() == "your own text"
    field.press("Control+Home")
    page.keyboard.type("# ")
    assert state(page, "start").startswith("# def")
    assert field.evaluate("(node) => node.selectionStart") == 2  # the caret stays
    field.fill("")
    assert state(page, "start") == ""
    assert jupyter.readout(hero)["p0"] == pytest.approx(
        CodeWriter(start="", count=0).probabilities.max(), abs=1e-6
    )


def test_the_end_stays_in_sight_and_the_caret_too(plain, page):
    page.set_viewport_size({"width": 380, "height": 900})
    hero = plain(CodeWriter(start="x = 1\n" * 40, count=0))
    hero.locator(".sheet").evaluate("(node) => { node.scrollTop = node.scrollHeight; }")
    places = (
        """(node) => [node.scrollTop, node.scrollHeight - node.clientHeight - node.scrollTop]"""
    )
    jupyter.set_plain(page, count=120)
    wait(page, 120)
    above, below = hero.locator(".sheet").evaluate(places)
    assert above > 600
    assert below < 40
    hero.locator(FIELD).press("Control+Home")
    page.keyboard.type("y = 2", delay=5)
    jupyter.frames(page)
    assert hero.locator(".sheet").evaluate(places)[0] < 40


def test_a_recorded_beginning_is_continued_at_once(plain, page):
    hero = plain(CodeWriter(count=6))
    for name, start in BEGINNINGS.items():
        hero.locator("select").select_option(name)
        assert state(page, "start") == start
        writer = CodeWriter(start=start, count=state(page, "count"))
        jupyter.frames(page)
        assert text(hero) == start + writer.written
    assert state(page, "count") == 0  # one's own text is empty, and the field has the caret
    assert hero.locator(FIELD).evaluate("(node) => node === document.activeElement")


def test_a_full_sheet_takes_no_more(plain, page):
    hero = plain(CodeWriter(fixed=[300] * (MOST - 1), count=1, temperature=0))
    wait(page, MOST)
    assert hero.get_by_role("button", name="One token").is_disabled()
    assert hero.locator("button.bar").first.is_disabled()
    hero.get_by_role("button", name="Write").click()
    page.wait_for_timeout(100)
    assert hero.get_by_role("button", name="Write").is_visible()
    assert state(page, "count") == 1


def test_letters_and_their_tints_lie_one_upon_the_other(plain, page):
    """The field and its ground break lines alike: both are equally high, at every width."""
    for width in (300, 380, 640, 1000):
        page.set_viewport_size({"width": width, "height": 900})
        plain(CodeWriter(start="x = '" + "word " * 60 + "a" * 90 + "'\n", count=30))
        wait(page, 30)
        ground, field = page.evaluate("""() => {
          const [ground, field] = document.querySelectorAll(".sheet > *");
          ground.style.alignSelf = field.style.alignSelf = "start";
          field.rows = 1;
          return [ground.offsetHeight, field.scrollHeight];
        }""")
        assert abs(field - ground) <= 1


def test_more_than_twenty_tokens_a_second(plain, page):
    plain(CodeWriter(count=0))
    assert jupyter.frame_time(page, "count", [*range(1, 41)]) < 50


@pytest.mark.parametrize("width", [300, 380, 1000])
def test_nothing_is_cut_off(width, plain, page):
    page.set_viewport_size({"width": width, "height": 900})
    hero = plain(CodeWriter(top_p=0.5))
    jupyter.frames(page)
    assert jupyter.cut_off(hero) == []


def test_in_jupyterlab_every_control_moves_the_picture(open_notebook):
    notebook = open_notebook("from utils.widgets import CodeWriter\nw = CodeWriter(count=9)\nw")
    notebook.run_all()
    hero = notebook.heroes().nth(0)
    hero.wait_for()
    jupyter.exercise(notebook.page, hero)
    notebook.settle()
    assert text(hero) == notebook.kernel("", "w.start + w.written")
    notebook.kernel("w.start, w.fixed, w.count, w.temperature = 'class A', [], 7, 0.5")
    notebook.settle()
    assert text(hero) == notebook.kernel("", "w.start + w.written")
    hero.locator(FIELD).press("Control+End")
    notebook.page.keyboard.type("(b):")  # no shortcut of JupyterLab's, of which b is one
    notebook.settle()
    assert notebook.kernel("", "w.start").endswith("(b):")
    assert hero.get_by_role("button", name="Back").is_disabled()
