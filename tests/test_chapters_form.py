"""The chapters keep their form, and each check of the form finds the defect it is for."""

from __future__ import annotations

import pytest

from tests.notebooks import form, samples
from tests.notebooks.course import with_generated_cells
from tests.notebooks.execute import CHAPTERS
from tests.notebooks.form import CHECKS, Document
from tests.notebooks.normal_form import normalize, serialize
from tests.notebooks.samples import code, shown, stream, text

FILES = sorted(CHAPTERS.glob("*.ipynb"))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_chapter(path, check):
    assert list(check(Document.read(path))) == []


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "05_convolution.ipynb"
    notebook = normalize(with_generated_cells(samples.chapter(), path))
    path.write_bytes(serialize(notebook).encode("utf-8"))
    return Document.read(path)


def test_the_good_chapter_has_no_defect(good):
    assert {check.__name__: list(check(good)) for check in CHECKS} == {
        check.__name__: [] for check in CHECKS
    }


def cell(document, name):
    return next(cell for cell in document.notebook.cells if cell.id == name)


def replaced(name, old, new):
    """A defect: in the source of one cell, other words."""

    def spoil(document):
        assert old in cell(document, name).source
        cell(document, name).source = cell(document, name).source.replace(old, new)

    return spoil


def removed(*names):
    def spoil(document):
        cells = document.notebook.cells
        assert set(names) <= {cell.id for cell in cells}
        document.notebook.cells = [cell for cell in cells if cell.id not in names]

    return spoil


def added(*cells):
    return lambda document: document.notebook.cells.extend(cells)


def edited(name, change):
    return lambda document: change(cell(document, name))


def heavy(document):
    document.path.write_bytes(document.path.read_bytes() + b" " * form.MAX_BYTES)


SHOWN = "<Thing object at 0x7f1234567890>"
DEFECTS = {
    "title": (form.head, replaced("title", "05 · ", "5. "), "'# 05 · Convolution'"),
    "minutes": (form.head, replaced("minutes", "45 minutes", "an hour"), "how many minutes"),
    "prerequisites": (form.head, replaced("minutes", "Prereq", "Req"), "prerequisites"),
    "two objectives": (form.head, replaced("objectives", "- slide\n", ""), "found 2"),
    "no objectives": (form.head, removed("objectives"), "found 0"),
    "six objectives": (form.head, replaced("objectives", "- slide", "- a\n- b\n- c\n- d"), "6"),
    "no setup": (form.head, removed("setup"), "setup(seed=…)"),
    "section missing": (form.sections, removed("bug-clinic"), "no section '## Bug clinic'"),
    "section too low": (form.sections, replaced("idea", "## ", "### "), "'## Idea'"),
    "section in a code block": (
        form.sections,
        replaced("idea", "## Idea", "```\n## Idea\n```"),
        "'## Idea'",
    ),
    "sections in disorder": (
        form.sections,
        replaced("idea", "## Idea", "## Summary\n\n## Idea"),
        "in this order: Idea",
    ),
    "no table of symbols": (form.tables, replaced("mathematics", "Shape", "Form"), "table of sym"),
    "no Chinese terms": (form.tables, replaced("summary", "中文", "Chinese"), "中文"),
    "no references": (form.tables, replaced("summary", "- LeCun", "LeCun"), "References"),
    "reference without year": (form.tables, replaced("summary", "(1998)", ""), "without a year"),
    "reference without DOI": (form.tables, replaced("summary", "doi:10.", "10-"), "without a year"),
    "four claims": (
        form.claims_and_exercises,
        replaced("claims", 'claim("Statement 0", True)', "# claim()"),
        "4 claims",
    ),
    "seven exercises": (form.claims_and_exercises, removed("stub-8", "check-8"), "7 exercises"),
    "exercise without stub": (form.claims_and_exercises, removed("stub-4"), "before check('05.4')"),
    "stub is solved": (form.claims_and_exercises, replaced("stub-3", "...", "return x"), "05.3"),
    "exercise of another chapter": (
        form.claims_and_exercises,
        replaced("check-2", "05.2", "06.2"),
        "numbered 05.1",
    ),
    "long cell": (form.code_cells, added(code("x = 1\n" * 26, name="long")), "long: 26 lines"),
    "long line": (
        form.code_cells,
        added(code(f"x = '{'y' * 83}'", name="wide")),
        "wide: a line of 89",
    ),
    "nbval comment": (
        form.code_cells,
        added(code("# NBVAL_SKIP", name="dodge")),
        "dodge: a comment",
    ),
    "magic": (form.code_cells, added(code("%matplotlib inline", name="m")), "m: not plain Python"),
    "alt text that no run tests": (
        form.figures,
        edited("first-figure", lambda c: c.outputs[0].data.update({"text/plain": "Another"})),
        "first-figure: a picture's alt text is not its text/plain",
    ),
    "foreign tag": (form.tags, added(code("1", name="t", tags=["nbval-skip"])), "'nbval-skip'"),
    "untested cell": (
        form.tags,
        added(code("1", name="training", tags=["nbval-ignore-output"])),
        "training: only bootstrap",
    ),
    "stored error": (
        form.outputs,
        added(code("1 / 0", samples.error("ZeroDivisionError"), name="e")),
        "e: a stored error",
    ),
    "stored stderr": (form.outputs, added(code("1", stream("w", "stderr"), name="s")), "on stderr"),
    "stored widget view": (
        form.outputs,
        added(code("1", shown("x", **{form.WIDGET_VIEW: "{}"}), name="w")),
        "w: a stored widget view",
    ),
    "memory address": (form.outputs, added(code("1", shown(SHOWN), name="m")), "memory address"),
    "short alt text": (
        form.figures,
        edited("first-figure", lambda c: c.outputs[0].metadata["image/png"].update(alt="A line")),
        "first-figure: a picture's alt text",
    ),
    "no alt text": (
        form.figures,
        edited("first-figure", lambda c: c.outputs[0].metadata.clear()),
        "first-figure: a picture's alt text",
    ),
    "no caption": (
        form.figures,
        edited("first-figure", lambda c: c.outputs.pop()),
        "first-figure: no caption",
    ),
    "figure number used twice": (
        form.figures,
        edited("second-figure", lambda c: c.update(outputs=samples.figure(1))),
        "found [1, 1]",
    ),
    "figure number left out": (
        form.figures,
        edited("second-figure", lambda c: c.update(outputs=samples.figure(3))),
        "found [1, 3]",
    ),
    "figure not referred to": (
        form.figures,
        replaced("idea", " and Figure 2", ""),
        "does not refer to Figure 2",
    ),
    "figure 1 is not figure 12": (
        form.figures,
        replaced("idea", "Figure 1 and", "Figure 12 and"),
        "does not refer to Figure 1",
    ),
    "link to a missing chapter": (
        form.links,
        replaced("idea", "See", "[Next](06_modern_cnns.ipynb). See"),
        "idea: the link 06_modern_cnns.ipynb",
    ),
    "insecure link": (form.links, replaced("idea", "See", "[x](http://x.org)"), "http://x.org"),
    "absolute link": (form.links, replaced("idea", "See", "[x](/etc)"), "the link /etc"),
    "html link": (form.links, replaced("idea", "See", '<img src="no.png">'), "the link no.png"),
    "picture without alt": (form.links, replaced("idea", "See", "![](https://x.org/a.png)"), "alt"),
    "British spelling": (form.language, replaced("idea", "See", "Behaviour:"), "Behaviour ==>"),
    "misspelling": (form.language, replaced("idea", "See", "Teh"), "Teh ==> The"),
    "British caption": (
        form.language,
        edited("first-figure", lambda c: c.outputs[1].data.update({"text/markdown": "A colour"})),
        "colour ==> color",
    ),
    "measured number in the text": (
        form.numbers_in_prose,
        replaced("experiment", "98 %", "97.8 %"),
        "quotes 97.8 %",
    ),
    "path in code": (
        form.paths,
        added(code("open('/home/me/x')", name="p")),
        "p: the path /home/me",
    ),
    "path in an output": (form.paths, added(code("1", stream("in /tmp/a1"), name="p")), "/tmp/a1"),
    "path on Windows": (form.paths, added(text(r"see C:\Users\me", "p")), r"C:\Users"),
    "badges of another chapter": (
        form.stored_form,
        replaced("badges", "05_convolution", "06_modern_cnns"),
        "a generated cell",
    ),
    "bootstrap edited": (
        form.stored_form,
        replaced("bootstrap", "--quiet", "-q"),
        "a generated cell",
    ),
    "random id": (form.stored_form, added(text("x", "0a1b2c3d")), "not in normal form"),
    "heavy": (form.stored_form, heavy, "more than 500,000"),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_defect_is_found(good, name):
    check, spoil, words = DEFECTS[name]
    spoil(good)
    fresh = Document(good.path, good.notebook)
    found = list(check(fresh))
    assert any(words in defect for defect in found), found


def test_what_looks_like_a_defect_and_is_none(good):
    cell(good, "idea").source += (
        "\n\nA map $f[x](y)$ and `a[i](j)`, [here](#idea), [there](05_convolution.ipynb#idea), "
        "a half or 50 %.\n\n| measured | 97.8 % |\n\n```\nBehaviour at /home/me, [x](nowhere)\n```"
    )
    for check in (form.links, form.language, form.numbers_in_prose):
        assert list(check(Document(good.path, good.notebook))) == []


def test_terms_may_be_shown_by_a_cell(good):
    table = cell(good, "summary").source.partition("### Terms\n\n")[2].partition("\n\n")[0]
    replaced("summary", table, "")(good)
    assert list(form.tables(Document(good.path, good.notebook))) != []
    cells = [text("### Terms"), code("show_terms(5)", shown("terms", text_markdown=table))]
    added(*cells)(good)
    replaced("summary", "### Terms", "")(good)
    assert list(form.tables(Document(good.path, good.notebook))) == []


def test_chapter_00_needs_no_lesson(tmp_path):
    path = tmp_path / "00_start_here.ipynb"
    document = Document(path, samples.notebook(text("# 00 · Start here")))
    for check in (form.sections, form.tables, form.claims_and_exercises):
        assert list(check(document)) == []


def test_a_file_that_is_no_chapter_is_reported(tmp_path):
    document = Document(tmp_path / "draft.ipynb", samples.chapter())
    assert list(form.head(document)) == ["draft.ipynb is no chapter of utils/course.py"]
