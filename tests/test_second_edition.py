"""The form of the second edition: what it asks for is there, and each check finds its defect."""

from __future__ import annotations

import copy

import pytest

from tests.notebooks import claims, samples, second_edition
from tests.notebooks.execute import CHAPTERS
from tests.notebooks.form import Document
from tests.notebooks.normal_form import FOLD_CODE, FOLD_OUTPUT, GOING_DEEPER
from tests.notebooks.samples import code, stream, text
from tests.notebooks.second_edition import effort, with_minutes
from utils.course import CHAPTERS as ALL

FILES = [CHAPTERS / each.file for each in ALL if each.number in second_edition.CHAPTERS]


@pytest.mark.parametrize("check", second_edition.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_chapter(path, check):
    assert list(check(Document.read(path))) == []


def tagged(source, *tags):
    cell = text(source)
    cell.metadata["tags"] = list(tags)
    return cell


def good():
    """A chapter 02 with all that the second edition asks for, but for its exercises."""
    folded = {"tags": [FOLD_CODE, FOLD_OUTPUT]}
    return samples.notebook(
        text(
            "# 02 · Gradient descent\n\n"
            "**Core: 0 minutes · with exercises and going deeper: 0 minutes**"
        ),
        code("# @title Set-up\nsetup(seed=0)", name="setup", tags=[FOLD_CODE]),
        text("## Idea"),
        code('predict("02.a", "Which?", ("a", "b"))', name="ask-a"),
        code("w = 1\nw", samples.result("1"), name="run-a", tags=[FOLD_OUTPUT]),
        code('# @title Claims\nreveal("02.a", "a", "So.")', stream("a"), name="tell-a", **folded),
        text("Now you know."),
        code('predict("02.b", "How many?", scale=(0, 1))', name="ask-b"),
        code('# @title Claims\nreveal("02.b", 0.5, "So.")', stream("b"), name="tell-b", **folded),
        text("## Mathematics\n\n[Notation](A2_notation.ipynb)\n\n| symbol | shape |"),
        tagged("### Going deeper", GOING_DEEPER),
        code("deep = 1\n" * 10, name="deep"),
        text("## Exercises"),
        text("## Ten questions"),
        code("show_questions(chapter=2)", name="questions"),
        text("## Summary"),
    )


@pytest.fixture
def document(tmp_path):
    path = tmp_path / "02_gradient_descent.ipynb"
    return lambda notebook: Document(path, with_minutes(notebook))


FORM = [c for c in second_edition.CHECKS if c.__name__ not in ("tasks", "ten_questions")]


@pytest.mark.parametrize("check", FORM, ids=lambda check: check.__name__)
def test_the_good_chapter_has_no_defect(document, check):
    assert list(check(document(good()))) == []


def spoiled(name, change):
    notebook = good()
    change(next(cell for cell in notebook.cells if cell.id == name))
    return notebook


def source(words):
    return lambda cell: cell.update(source=words)


def tags(*names):
    return lambda cell: cell.metadata.update(tags=list(names))


DEFECTS = [
    ("predictions", "run-a", tags(), "run-a: its outputs stand below a question"),
    ("predictions", "tell-a", tags(FOLD_OUTPUT), "tell-a: its claims give the answer away"),
    ("predictions", "ask-a", source("1"), "reveal('02.a') without a question above"),
    ("predictions", "tell-b", source("# @title x\nshow(1)"), "02.b is asked and never revealed"),
    ("predictions", "ask-b", source('predict("02.c", "?")'), "named 02.a, 02.b, …; found ['02.a'"),
    ("folding", "tell-a", source('reveal("02.a", "a", "So.")'), "begins with '# @title …'"),
    ("folding", "run-a", tags(FOLD_CODE), "run-a: a folded cell begins with"),
    ("folding", "tell-a", source("# @title T\nx = 1"), "neither draws nor claims nor sets up"),
    ("folding", "deep", source("print(late)"), None),
]


@pytest.mark.parametrize(("check", "name", "change", "words"), DEFECTS)
def test_defect_is_found(document, check, name, change, words):
    found = list(getattr(second_edition, check)(document(spoiled(name, change))))
    assert any(words in defect for defect in found) if words else found == []


def test_visible_code_needs_nothing_that_is_folded(document):
    notebook = good()
    notebook.cells.insert(
        3, code("# @title A figure\ndef f():\n    return 1\nshow(f)", name="fig", tags=[FOLD_CODE])
    )
    notebook.cells.insert(4, code("f() + 1", name="use"))
    (found,) = second_edition.folding(document(notebook))
    assert found == "use: uses f, which the folded cell fig defines"
    notebook.cells[4].source = "def f():\n    return 2\nf() + 1"
    assert list(second_edition.folding(document(notebook))) == []


def test_only_a_heading_goes_deeper(document):
    notebook = good()
    notebook.cells[6] = tagged("Now you know.", GOING_DEEPER)
    (found,) = second_edition.folding(document(notebook))
    assert found.endswith("only a heading by itself can be going-deeper; it stays visible")


def test_a_table_of_symbols_links_to_the_notation(document):
    notebook = good()
    notebook.cells[9].source = "## Mathematics\n\n| symbol | shape |"
    (found,) = second_edition.notation(document(notebook))
    assert "does not link to A2_notation.ipynb" in found


def test_questions_stand_between_exercises_and_summary(document):
    notebook = good()
    del notebook.cells[13:15]
    found = list(second_edition.ten_questions(document(notebook)))
    assert "'## Ten questions' must stand between Exercises and Summary" in found
    assert "no cell calls show_questions(chapter=…)" in found


def test_minutes_count_words_lines_exercises_and_widgets():
    play = code("from utils.widgets import live\nlive(fig)", tags=[FOLD_CODE])
    core = [text("word " * 900), code("x = 1\n\n" * 50), code('predict("02.a")'), play]
    deeper = [tagged("## More " + "word " * 448, GOING_DEEPER), code("x = 1\n" * 25)]
    exercises = [text("## Exercises"), code("def f(x):\n    ..."), code('check("02.1", f)')]
    notebook = samples.notebook(*core, *deeper, *exercises)
    # 10 + 10 + 1 and a fifth for its line + 5 · and 5 + 5 + 10; the stub is no code to read
    assert effort(notebook) == (30, 50, 51)
    folded = copy.deepcopy(notebook)
    folded.cells[1].metadata["tags"] = [FOLD_CODE]
    assert effort(folded) == (20, 40, 1)


def test_too_long_a_core_is_a_defect(document):
    notebook = good()
    notebook.cells.insert(3, code("x = 1\n" * 300))
    notebook.cells.insert(3, text("word " * 7000))
    assert [found.partition(",")[0] for found in second_edition.minutes(document(notebook))] == [
        "the core takes 140 minutes",
        "the core shows 305 lines of code",
    ]
    wrong = Document(document(notebook).path, good())
    wrong.notebook.cells[0].source = "**Core: 20 minutes**"
    assert "make refresh" in next(second_edition.minutes(wrong))


def test_claims_that_no_data_can_overturn_are_listed():
    notebook = samples.notebook(
        code("from utils.datasets import load_digits\nx = load_digits()\ny = 2 * x", name="a"),
        code('z = 3\npath = []\npath.append(y)\ntable = {}\ntable["k"] = y', name="b"),
        code(
            'claim("data", y, at_least=0)\nclaim("list", path[0])\nclaim("dict", table)', name="c"
        ),
        code('def f(n):\n    return rng.normal(n)\nclaim("chance", values={0: f(z)})', name="d"),
        code('claim("identity", 2 * z, equal=6)\nclaim(f"{z}", z == 3)', name="e"),
    )
    assert claims.without_data(notebook) == [("e", "'identity'"), ("e", "f'{z}'")]
