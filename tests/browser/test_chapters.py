"""Every chapter in JupyterLab: it runs, every control moves something, nothing complains."""

from __future__ import annotations

import shutil

import pytest

from tests.browser import lab as jupyter

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
        jupyter.exercise(lab_page, hero)
    for slider in panel.locator(".widget-slider [role=slider], .widget-slider .noUi-handle").all():
        jupyter.exercise_core(notebook, slider)
    assert notebook.problems == []
