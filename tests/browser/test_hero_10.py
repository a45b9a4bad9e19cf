"""The pronunciation map in a real browser: its numbers equal NumPy's, it follows what is typed."""

from __future__ import annotations

import numpy as np
import pytest

from tests.browser import lab as jupyter
from tests.test_widgets_10 import random_word
from utils.widgets import PronunciationMap

pytestmark = pytest.mark.browser


def test_the_readout_shows_the_numbers(plain, page):
    speaker = PronunciationMap()
    hero = plain(speaker)
    rng = np.random.default_rng(1)
    for _ in range(4):
        speaker.word, speaker.step = random_word(rng), int(rng.integers(0, 18))
        speaker.temperature = int(rng.integers(1, 101))
        state = {name: getattr(speaker, name) for name in speaker.STATE}
        jupyter.set_plain(page, **state)
        shown = jupyter.readout(hero)
        assert shown["probability"] == pytest.approx(speaker.probability, abs=1e-12)
        assert shown["weight"] == pytest.approx(speaker.weight, abs=1e-12)
        said = hero.locator("[aria-label=phonemes]").inner_text()
        assert said == (" ".join(speaker.answer.phonemes) or "(silence)")
        assert hero.get_by_role("radio").count() == len(speaker.answer.phonemes)


def test_what_is_typed_is_cleaned_and_spoken(plain, page):
    hero = plain(PronunciationMap())
    field = hero.get_by_role("textbox")
    field.fill("")
    assert jupyter.state(page, "model.get('word')") == "phonetic"  # an empty field says nothing new
    field.press_sequentially("Kn1g h-t")
    jupyter.frames(page)
    assert field.input_value() == "knght"
    field.fill("Knight")
    jupyter.frames(page)
    assert jupyter.state(page, "model.get('word')") == "knight"
    assert hero.locator("[aria-label=phonemes]").inner_text() == "N AY T"
    field.fill("")
    field.blur()
    assert field.input_value() == "knight"


def test_rows_by_keyboard_and_mouse(plain, page):
    hero = plain(PronunciationMap(word="phonetic"))
    rows = hero.get_by_role("radio")
    rows.nth(0).focus()
    for key, wanted in {
        "ArrowDown": 1,
        "ArrowRight": 2,
        "ArrowUp": 1,
        "End": 6,
        "ArrowDown ": 6,
        "Home": 0,
        "ArrowLeft": 0,
    }.items():
        page.keyboard.press(key.strip())
        jupyter.frames(page)
        jupyter.frames(page)
        assert jupyter.state(page, "model.get('step')") == wanted
        assert rows.nth(wanted).get_attribute("aria-checked") == "true"
        assert rows.nth(wanted).evaluate("(row) => row === document.activeElement")
    rows.nth(4).click()
    jupyter.frames(page)
    assert jupyter.state(page, "model.get('step')") == 4


@pytest.mark.parametrize("width", [380, 1000])
@pytest.mark.parametrize("word", ["a", "phonetic", "abcdefghijkl"])
def test_nothing_is_cut_off(word, width, plain, page):
    page.set_viewport_size({"width": width, "height": 900})
    assert jupyter.cut_off(plain(PronunciationMap(word=word))) == []


def test_in_jupyterlab_typing_reaches_python_and_no_shortcut(open_notebook):
    notebook = open_notebook(
        "from utils.widgets import PronunciationMap\nspeaker = PronunciationMap()\nspeaker"
    )
    notebook.run_all()
    hero = notebook.heroes().nth(0)
    hero.wait_for()
    jupyter.exercise(notebook.page, hero)
    field = hero.get_by_role("textbox")
    field.fill("")
    field.press_sequentially("addbaxyz")  # letters that JupyterLab takes for commands
    notebook.settle()
    assert notebook.kernel("", "speaker.word") == "addbaxyz"
    assert notebook.page.locator(".jp-NotebookPanel .jp-CodeCell").count() == 1
    notebook.kernel("speaker.word = 'queue'")
    notebook.settle()
    assert field.input_value() == "queue"
    assert hero.locator("[aria-label=phonemes]").inner_text() == "K Y UW"
