"""Head browser and entity highlighter of chapter 11 in a real browser."""

from __future__ import annotations

import numpy as np
import pytest

from tests.browser import lab as jupyter
from tests.test_widgets_11_heads import (
    KINDS,
    every_state,
    made_look,
    made_reading,
    states_of_words,
)
from utils.datasets import DataUnavailable
from utils.recorded import heads
from utils.widgets import EntityHighlighter, HeadBrowser, _sentence
from utils.widgets.head_browser import HEADS, LAYERS, _plain

pytestmark = pytest.mark.browser

PIECES = "Guido van Rossum made Python at CWI in Amsterdam."
LONG = "Unbelievably extraordinary circumstances " * 3 + "happen"
EVERY = {
    "heads": HeadBrowser,
    "heads, many pieces": lambda: HeadBrowser(text=heads.SENTENCES[-1], measure="[CLS]"),
    "entities": EntityHighlighter,
    "entities, in pieces": lambda: EntityHighlighter(text=PIECES, pieces=True),
    "nothing to tell": lambda: EntityHighlighter(text=LONG),
    "nobody looks": lambda: HeadBrowser(text=LONG),
}


@pytest.fixture(autouse=True)
def without_encoder(monkeypatch):
    """No encoder in these pages, whatever is installed."""

    def missing():
        raise DataUnavailable("the encoder is missing")

    monkeypatch.setattr(_sentence, "encoder_folder", missing)


# ---------------------------------------------------------------- heads


def test_every_state_shows_the_heads_numbers(plain, page):
    browser = HeadBrowser()
    hero = plain(browser)
    for state in every_state(np.random.default_rng(1), 6):
        for name, value in state.items():
            setattr(browser, name, value)
        jupyter.set_plain(page, **state)
        shown = jupyter.readout(hero)
        for key, numbers in browser.numbers.items():
            for name, value in numbers.items():
                assert shown[f"{key} {name}"] == pytest.approx(value, rel=1e-12)
        for (layer, head), value in np.ndenumerate(browser.marks):
            assert shown[f"mark {layer} {head}"] == pytest.approx(value, rel=1e-12)
        chosen = hero.locator(".tile[aria-checked=true]")
        value = browser.marks[browser.layer, browser.head]
        assert chosen.get_attribute("aria-label") == (
            f"layer {browser.layer}, head {browser.head}: {value:.2f} on {browser.measure}"
        )
        opacity = hero.locator(".piece").evaluate_all(
            "rows => rows.map((row) => [...row.querySelectorAll('.weight')]"
            ".map((n) => Number(n.getAttribute('fill-opacity'))))"
        )
        A = browser.weights[browser.layer, browser.head]
        np.testing.assert_allclose(opacity, np.sqrt(A), atol=1e-4)
        at = min(browser.piece, len(A) - 1)
        told = hero.locator(".told").inner_text()
        assert told.startswith(f"“{browser.pieces[at]}” looks at")
        for piece, weight in zip(browser.pieces, A[at], strict=True):
            assert (f"“{piece}” ({weight:.2f})" in told) or weight < 0.0501


def test_small_maps_are_painted_from_the_weights(plain, page):
    browser = HeadBrowser(text=heads.SENTENCES[3])
    hero = plain(browser)
    for layer, head in ((0, 2), (5, 11), (3, 0)):
        tile = hero.locator(".map").nth(layer * HEADS + head)
        opacity = tile.evaluate(
            """async (node) => {
              const image = new Image();
              image.src = getComputedStyle(node).maskImage.slice(5, -2);
              await image.decode();
              const canvas = document.createElement("canvas");
              [canvas.width, canvas.height] = [image.width, image.height];
              const context = canvas.getContext("2d");
              context.drawImage(image, 0, 0);
              const { data } = context.getImageData(0, 0, image.width, image.height);
              return Array.from(data).filter((_, k) => k % 4 === 3);
            }"""
        )
        A = browser.weights[layer, head]
        np.testing.assert_allclose(np.reshape(opacity, A.shape), 255 * np.sqrt(A), atol=0.51)


def test_heads_by_keyboard_mouse_and_the_names_of_the_most(plain, page):
    hero = plain(HeadBrowser())
    tiles = hero.locator(".tile")
    assert tiles.count() == LAYERS * HEADS
    assert hero.locator(".tile[tabindex='0']").count() == 1
    tiles.nth(2).focus()
    for key, wanted in {
        "ArrowDown": (1, 2),
        "ArrowRight": (1, 3),
        "End": (1, 11),
        "ArrowRight ": (1, 11),
        "ArrowUp": (0, 11),
        "ArrowUp ": (0, 11),
        "Home": (0, 0),
        "ArrowLeft": (0, 0),
    }.items():
        page.keyboard.press(key.strip())
        jupyter.frames(page)
        jupyter.frames(page)
        assert jupyter.state(page, "[model.get('layer'), model.get('head')]") == list(wanted)
        chosen = tiles.nth(wanted[0] * HEADS + wanted[1])
        assert chosen.get_attribute("aria-checked") == "true"
        assert chosen.evaluate("(node) => node === document.activeElement")
    tiles.nth(5 * HEADS + 7).click()
    jupyter.frames(page)
    assert hero.locator("h4").nth(1).inner_text() == "Layer 5, head 7"
    hero.get_by_role("combobox", name="mark by").select_option("the next piece")
    hero.get_by_role("button", name="layer 1, head 8").click()
    jupyter.frames(page)
    jupyter.frames(page)
    assert hero.locator("h4").nth(1).inner_text() == "Layer 1, head 8"
    assert tiles.nth(HEADS + 8).evaluate("(node) => node === document.activeElement")


def test_rows_of_the_large_map_by_keyboard_and_mouse(plain, page):
    hero = plain(HeadBrowser())
    rows = hero.locator(".piece")
    rows.nth(4).focus()
    for key, wanted in {"ArrowDown": 5, "ArrowUp": 4, "End": 11, "Home": 0}.items():
        page.keyboard.press(key)
        jupyter.frames(page)
        jupyter.frames(page)
        assert jupyter.state(page, "model.get('piece')") == wanted
        assert rows.nth(wanted).get_attribute("aria-checked") == "true"
        assert rows.nth(wanted).evaluate("(node) => node === document.activeElement")
    rows.nth(9).click()
    jupyter.frames(page)
    assert hero.locator(".told").inner_text() == "“berlin” looks at “in” (1.00)."
    assert rows.nth(9).get_attribute("aria-label") == "berlin, looking most at in"


# ---------------------------------------------------------------- entities


def test_every_word_shows_the_taggers_numbers(plain, page):
    highlighter = EntityHighlighter()
    hero = plain(highlighter)
    for text, word in list(states_of_words())[::9]:
        highlighter.text, highlighter.word = text, word
        jupyter.set_plain(page, text=text, word=word)
        shown = jupyter.readout(hero)
        wanted = highlighter.numbers | highlighter.probabilities
        assert shown == pytest.approx(wanted, rel=1e-12)
        words = hero.locator(".word")
        assert words.evaluate_all("nodes => nodes.map((n) => n.textContent)") == [
            text[a:b] for a, b in highlighter.reading.words
        ]
        marked = hero.locator(".entity").evaluate_all(
            "nodes => nodes.map((n) => [n.querySelector('.kind').textContent, n.textContent])"
        )
        assert marked == [[one.kind, one.text + one.kind] for one in highlighter.entities]
        at = min(word, words.count() - 1)
        tag = highlighter.tags[at]
        said = "no name" if tag == "O" else KINDS[tag[2:]][0]
        assert words.nth(at).get_attribute("aria-checked") == "true"
        assert words.nth(at).get_attribute("aria-label").endswith(f": {said}")
        assert hero.locator(".remark").text_content() == highlighter.reading.remark
        assert hero.locator(".told").inner_text().endswith(f"is tagged {tag}: {said}.")


def test_words_by_keyboard_and_mouse(plain, page):
    hero = plain(EntityHighlighter())
    words = hero.locator(".word")
    words.nth(3).focus()
    for key, wanted in {"ArrowRight": 4, "ArrowUp": 3, "End": 9, "ArrowDown": 9, "Home": 0}.items():
        page.keyboard.press(key)
        jupyter.frames(page)
        jupyter.frames(page)
        assert jupyter.state(page, "model.get('word')") == wanted
        assert words.nth(wanted).evaluate("(node) => node === document.activeElement")
        assert hero.locator(".word[tabindex='0']").count() == 1
    words.nth(8).click()
    jupyter.frames(page)
    assert hero.locator(".told").inner_text() == "“Berlin” is tagged B-LOC: place."
    status = hero.get_by_role("status")
    status.get_by_text("Wolff, person; Berlin, place.").wait_for(state="attached")


def test_word_pieces_are_shown_on_demand(plain, page):
    highlighter = EntityHighlighter(text=PIECES)
    hero = plain(highlighter)
    assert hero.locator(".pieces").count() == 0
    switch = hero.get_by_role("switch", name="word pieces")
    switch.focus()
    for key, wanted in (("Enter", True), ("Space", False), ("Space", True)):
        page.keyboard.press(key)
        jupyter.frames(page)
        assert jupyter.state(page, "model.get('pieces')") is wanted
        assert switch.get_attribute("aria-checked") == str(wanted).lower()
    shown = hero.locator(".pieces").evaluate_all(
        "nodes => nodes.map((n) => [...n.children].map((one) => one.textContent))"
    )
    assert shown == [list(pieces) for pieces in highlighter.reading.pieces]
    assert any(len(pieces) > 1 for pieces in shown)
    firsts = hero.locator(".pieces b").all_text_contents()
    assert firsts == [pieces[0] for pieces in shown]  # where the tag is read


# ---------------------------------------------------------------- a reader's own sentence


@pytest.mark.parametrize("make", [HeadBrowser, EntityHighlighter])
def test_recorded_sentences_are_chosen_and_own_ones_typed(make, plain, page):
    widget = make()
    hero = plain(widget)
    field, choice = hero.get_by_role("textbox"), hero.get_by_role("combobox", name="recorded")
    texts = [one["text"] for one in widget.recorded]
    choice.select_option(texts[2])
    assert jupyter.state(page, "model.get('text')") == texts[2]
    jupyter.frames(page)
    assert field.input_value() == texts[2]
    assert hero.get_by_text(f"One of {len(texts)} recorded sentences").is_visible()
    choice.select_option("a sentence of your own")
    assert field.evaluate("(node) => node === document.activeElement")
    page.keyboard.type(" My  cat sleeps ")  # replaces what was selected
    page.keyboard.press("Enter")
    assert jupyter.state(page, "model.get('text')") == "My cat sleeps"
    jupyter.frames(page)
    assert choice.input_value() == "a sentence of your own"
    assert hero.get_by_text(
        "Only recorded sentences can be read here: the encoder is missing."
    ).is_visible()
    assert hero.locator(".told").is_hidden()
    if make is HeadBrowser:  # no map of another sentence stays
        assert hero.locator(".piece").first.is_hidden()
        assert hero.locator(".map").first.is_hidden()
    field.fill("   ")
    field.blur()
    jupyter.frames(page)
    assert field.input_value() == "My cat sleeps"
    field.fill(texts[1])  # counts after a pause, too
    page.wait_for_function("text => model.get('text') === text", arg=texts[1])
    jupyter.frames(page)
    assert choice.input_value() == texts[1]
    assert hero.locator(".told").is_visible()


ANSWERS = {
    HeadBrowser: lambda text: _plain(made_look(text)),
    EntityHighlighter: lambda text: made_reading(text, ("B-ORG",)).plain(),
}


@pytest.mark.parametrize("make", ANSWERS)
def test_the_kernels_answer_is_shown_and_its_silence_told(make, plain, page, monkeypatch):
    monkeypatch.setattr(_sentence, "encoder_folder", lambda: None)
    monkeypatch.setattr(_sentence, "find_spec", lambda name: name)
    hero = plain(make())
    page.clock.install()
    jupyter.set_plain(page, text="My cat sleeps")
    assert hero.get_by_text("Your kernel is reading …").is_visible()
    page.clock.run_for(6100)
    jupyter.frames(page)
    assert hero.get_by_text("No kernel has answered.").is_visible()
    answer = ANSWERS[make]("My cat sleeps")
    jupyter.set_plain(page, answer=answer)
    assert hero.get_by_text("Read in your kernel just now.").is_visible()
    count = hero.locator(".piece" if make is HeadBrowser else ".entity").count()
    assert count == (5 if make is HeadBrowser else 3)
    jupyter.set_plain(page, text="So long", answer={"text": "So long", "error": "Too long."})
    assert hero.get_by_text("Too long.").is_visible()
    assert hero.locator(".told").is_hidden()
    page.clock.run_for(7000)
    jupyter.frames(page)
    assert hero.get_by_text("Too long.").is_visible()
    page.evaluate("leave()")


# ---------------------------------------------------------------- both


@pytest.mark.parametrize("width", [300, 600, 1000])
@pytest.mark.parametrize("name", EVERY)
def test_nothing_is_cut_off(name, width, plain, page):
    page.set_viewport_size({"width": width, "height": 900})
    assert jupyter.cut_off(plain(EVERY[name]())) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("name", EVERY)
def test_every_control_has_a_name(name, plain):
    controls = plain(EVERY[name]()).locator("button, select, input, [role=radio]")
    assert controls.count() >= 3
    assert all(jupyter.names(controls))


@pytest.mark.parametrize(
    ("kind", "number", "value"),
    [
        ("HeadBrowser", "here [CLS]", "widget.numbers['here']['[CLS]']"),
        ("EntityHighlighter", "probability", "widget.numbers['probability']"),
    ],
)
def test_in_jupyterlab_every_control_moves_the_picture(kind, number, value, open_notebook):
    notebook = open_notebook(f"from utils.widgets import {kind}\nwidget = {kind}()\nwidget")
    notebook.run_all()
    hero = notebook.heroes().first
    hero.wait_for()
    jupyter.exercise(notebook.page, hero)
    hero.get_by_role("combobox", name="recorded").select_option(index=3)
    hero.get_by_role("radio").last.click()
    notebook.settle()
    expected = float(notebook.kernel("", f"float({value})"))
    assert jupyter.readout(hero)[number] == pytest.approx(expected, rel=1e-12)
    notebook.screenshots(kind)


STUB = """
from utils.recorded import entity_sentences, heads
from utils.widgets import EntityHighlighter, HeadBrowser, _sentence
import numpy as np
_sentence.encoder_folder = lambda: None
_sentence.find_spec = lambda name: name

def look(text):
    maps = np.full((6, 12, 4, 4), 64, np.uint8)
    return heads.Look(text, ("[CLS]", "one", "two", "[SEP]"), maps)

def read(text):
    p = np.eye(9)[[1, 2]]
    return entity_sentences.Reading(text, ((0, 3), (4, 7)), (("a",), ("b",)), p)

heads.look, entity_sentences.read = look, read
"""


@pytest.mark.parametrize("kind", ["HeadBrowser", "EntityHighlighter"])
def test_in_jupyterlab_the_kernel_reads_what_is_typed(kind, open_notebook):
    notebook = open_notebook(f"{STUB}\nwidget = {kind}()\nwidget")
    notebook.run_all()
    hero = notebook.heroes().first
    hero.wait_for()
    field = hero.get_by_role("textbox")
    field.fill("")
    field.press_sequentially("addbaxy")  # letters that JupyterLab takes for commands
    field.press("Enter")
    hero.get_by_text("Read in your kernel just now.").wait_for()
    assert notebook.kernel("", "widget.text") == "addbaxy"
    assert notebook.page.locator(".jp-NotebookPanel .jp-CodeCell").count() == 1
    if kind == "HeadBrowser":
        assert hero.locator(".piece").count() == 4
        assert jupyter.readout(hero)["here itself"] == pytest.approx(64 / 255)
    else:
        assert hero.locator(".entity .kind").all_text_contents() == ["PER"]
    notebook.kernel(f"widget.text = {heads.SENTENCES[0]!r}")
    notebook.settle()
    assert field.input_value() == heads.SENTENCES[0]
