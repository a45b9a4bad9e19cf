"""Predictions and folding in JupyterLab: said by keyboard, kept over a restart, then revealed."""

from __future__ import annotations

import nbformat
import pytest

from tests.browser import lab as jupyter
from tests.notebooks.normal_form import FOLD_CODE, FOLD_OUTPUT, GOING_DEEPER, normalize, serialize
from utils.widgets import Prediction

pytestmark = pytest.mark.browser

RACERS = ("descent", "momentum", "Adam")
ASK = f"""
from utils.predictions import predict, reveal
predict("02.a", "Which arrives first?", {RACERS})
predict("02.b", "How many steps?", scale=(1, 1000), log=True, unit="steps")
"""
TELL = 'reveal("02.a", "momentum", "It adds up.")\nreveal("02.b", 100, "Ten times ten.")'


def said(page, name="said"):
    return jupyter.state(page, f"model.get('{name}')")


def test_a_choice_by_keyboard(plain, page):
    hero = plain(Prediction(id="02.a", question="Which arrives first?", choices=RACERS))
    assert hero.get_by_role("group", name="Predict · Which arrives first?").is_visible()
    assert "Choose before you read on." in hero.inner_text()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert said(page) == "descent"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert said(page) == "Adam"
    assert hero.get_by_role("radio", name="Adam").is_checked()
    assert "You say Adam." in hero.inner_text()


def test_a_revealed_answer_stays_as_it_was_said(plain, page):
    hero = plain(
        Prediction(id="02.a", question="Which?", choices=RACERS, said="Adam", answer="momentum")
    )
    radios = hero.get_by_role("radio").all()
    assert [radio.is_disabled() for radio in radios] == [True] * 3
    assert [radio.is_checked() for radio in radios] == [False, False, True]
    assert "You said Adam. The answer stands below." in hero.inner_text()


def test_a_guess_by_keyboard(plain, page):
    hero = plain(Prediction(id="02.b", question="How many?", scale=(1, 1000), log=True))
    guess = hero.get_by_role("slider", name="your guess")
    assert guess.get_attribute("aria-valuetext") == "none yet"
    guess.focus()
    for key, number in {"End": 1000, "ArrowLeft": 890, "Home": 1, "ArrowRight": 1.1}.items():
        page.keyboard.press(key)
        assert said(page) == number
    assert guess.get_attribute("aria-valuetext") == "1.1"


def test_a_page_without_a_kernel_keeps_what_was_said(plain, page):
    page.evaluate("""() => {
      const kept = new Map();
      globalThis.courseStorage = {
        getItem: (key) => kept.get(key) ?? null, setItem: (key, text) => kept.set(key, text),
      };
    }""")
    question = Prediction(id="02.a", question="Which arrives first?", choices=RACERS)
    plain(question).get_by_role("radio", name="momentum").check()
    jupyter.frames(page)
    again = plain(question)
    jupyter.frames(page)
    assert again.get_by_role("radio", name="momentum").is_checked()
    assert said(page) == "momentum"


def test_kept_over_a_restart_and_revealed(open_notebook, lab_page, tmp_path):
    home = f"import os; os.environ['COURSE_HOME'] = {str(tmp_path)!r}"
    notebook = open_notebook(f"{home}\n{ASK}", TELL)
    notebook.run_all()
    output = lab_page.locator(".jp-NotebookPanel:visible .jp-OutputArea-output")
    assert "◆ 02.a momentum. It adds up." in output.last.inner_text()
    notebook.heroes().first.get_by_role("radio", name="Adam").focus()
    lab_page.keyboard.press("Space")
    guess = notebook.heroes().last.get_by_role("slider", name="your guess")
    guess.focus()
    lab_page.keyboard.press("Home")
    notebook.settle()
    notebook.restart_and_run_all()
    told = output.last.inner_text()
    assert "◆ 02.a You said “Adam”. What came out: momentum. It adds up." in told
    assert "◆ 02.b You guessed 1 steps; what came out: (measured 100 steps)," in told
    jupyter.frames(lab_page)
    assert notebook.heroes().first.get_by_role("radio", name="Adam").is_disabled()


def test_every_control_moves_something(open_notebook, tmp_path):
    notebook = open_notebook(f"import os; os.environ['COURSE_HOME'] = {str(tmp_path)!r}\n{ASK}")
    notebook.run_all()
    for hero in notebook.heroes().all():
        jupyter.exercise(notebook.page, hero)


def test_what_is_folded_opens_when_it_is_run(lab, lab_page, request):
    cells = [
        nbformat.v4.new_markdown_cell("# A chapter"),
        nbformat.v4.new_code_cell("# @title Claims\nprint('the ' + 'answer')"),
        nbformat.v4.new_markdown_cell("## Going deeper"),
        nbformat.v4.new_markdown_cell("Deep words."),
        nbformat.v4.new_markdown_cell("## Summary"),
    ]
    cells[1].outputs = [nbformat.v4.new_output("stream", name="stdout", text="the answer\n")]
    cells[1].metadata["tags"] = [FOLD_CODE, FOLD_OUTPUT]
    cells[2].metadata["tags"] = [GOING_DEEPER]
    text = serialize(normalize(nbformat.v4.new_notebook(cells=cells)))
    (lab.root / "folded.ipynb").write_text(text, encoding="utf-8")
    notebook = jupyter.Notebook(lab_page, lab, "folded.ipynb")
    request.addfinalizer(notebook.close)
    panel = lab_page.locator(".jp-NotebookPanel:visible")
    assert not panel.locator("pre", has_text="the answer").is_visible()
    assert not panel.get_by_text("print('the '").is_visible()
    assert not panel.locator("p", has_text="Deep words.").is_visible()
    assert panel.get_by_role("heading", name="Going deeper").is_visible()
    notebook.run_all()
    assert panel.locator("pre", has_text="the answer").is_visible()
    assert not panel.locator("p", has_text="Deep words.").is_visible()
    assert notebook.problems == []
