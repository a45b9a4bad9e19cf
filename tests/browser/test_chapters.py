"""Every chapter in JupyterLab: it runs, every control moves something, nothing complains."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.browser import lab as jupyter
from utils import widgets
from utils.widgets._hero import Hero

pytestmark = pytest.mark.browser

CHAPTERS = sorted((jupyter.ROOT / "chapters").glob("*.ipynb"))


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_chapter_in_the_browser(chapter, lab, lab_page, request):
    shutil.copy(chapter, lab.root)  # what the test saves must not reach the course
    notebook = jupyter.Notebook(lab_page, lab, chapter.name)
    request.addfinalizer(notebook.close)
    notebook.run_all()
    panel = lab_page.locator(".jp-NotebookPanel:visible")
    for kind in ("error", "stderr"):
        outputs = panel.locator(f"[data-mime-type='application/vnd.jupyter.{kind}']")
        assert outputs.all_inner_texts() == []
    notebook.screenshots(chapter.stem)
    for hero in notebook.heroes().all():
        assert jupyter.cut_off(hero) == []
        jupyter.exercise(lab_page, hero, is_brief=True)  # the tests of the heroes do it at length
    for slider in panel.locator(".widget-slider [role=slider], .widget-slider .noUi-handle").all():
        jupyter.exercise_core(notebook, slider)
    assert notebook.problems == []


def test_every_hero_is_exercised_at_length():
    """In a notebook of its own, so that it needs only a touch in its chapter."""
    names = [name for name in widgets.__all__ if _is_hero(getattr(widgets, name))]
    assert len(names) >= 15
    tests = [path.read_text("utf-8") for path in Path(__file__).parent.glob("test_hero*.py")]
    walks = ("jupyter.exercise(notebook.page", 'get_by_role("switch"')  # a switch has two states
    at_length = [
        text for text in tests if "open_notebook" in text and any(walk in text for walk in walks)
    ]
    assert [name for name in names if not any(name in text for text in at_length)] == []


def _is_hero(thing):
    return isinstance(thing, type) and issubclass(thing, Hero)
