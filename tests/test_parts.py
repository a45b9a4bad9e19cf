"""What ``python -m tests`` runs for the names that it is given."""

import pytest

from tests.__main__ import PARTS, main, plan, side_by_side
from tests.notebooks.execute import ROOT


def test_without_names_all_parts_run_and_fast_and_slow_tests_in_one_process():
    parts = plan([])
    assert list(parts) == [
        "style",
        "format",
        "fast and slow tests",
        "chapters",
        "machines",
        "browser",
    ]
    (command,) = parts["fast and slow tests"]
    kinds = "not browser and not machines"
    assert command[-3:] == ["-m", kinds, "tests"]


def test_one_kind_alone_is_that_kind():
    assert plan(["slow tests", "style"]) == {name: PARTS[name] for name in ("slow tests", "style")}


@pytest.mark.parametrize(
    "chapter", sorted(ROOT.glob("chapters/[0-9]*.ipynb")), ids=lambda p: p.stem
)
def test_a_chapter_brings_its_exercises_widgets_and_form(chapter):
    number = chapter.stem[:2]
    ((name, (cells, others)),) = plan([number]).items()
    assert name == chapter.stem
    assert cells[-1] == f"chapters/{chapter.name}"
    suffix = "" if number == "01" else f"_{number}*"
    own = {
        file.relative_to(ROOT).as_posix()
        for form in (f"tests/test_widgets{suffix}.py", f"tests/browser/test_hero{suffix}.py")
        for file in ROOT.glob(form)
    }
    assert len(own) >= 2 or number == "00"
    shared = {"chapters_form", "second_edition", "exercises", "mutants"}
    files = {f"tests/test_{word}.py" for word in shared} | {"tests/browser/test_chapters.py"}
    assert set(others[others.index("-k") + 2 :]) == own | files
    names = others[others.index("-k") + 1].split(" or ")
    assert names[0] == number
    assert {file.rpartition("/")[2] for file in own} <= set(names)


def test_an_unknown_name_is_told(capsys):
    assert main(["color"]) == 2
    assert "no part 'color'; the parts are: style, " in capsys.readouterr().out
    assert main(["99"]) == 2


def test_jobs_share_files_and_the_browsers_tests():
    assert side_by_side(PARTS["chapters"][0], 1) == PARTS["chapters"][0]
    assert side_by_side(PARTS["style"][0], 2) == PARTS["style"][0]
    shared = side_by_side(PARTS["chapters"][0], 2)
    assert shared == [*PARTS["chapters"][0], "--numprocesses=2", "--dist=loadfile"]
    assert side_by_side(PARTS["browser"][0], 3)[-2:] == ["--numprocesses=3", "--dist=worksteal"]
