"""What a chapter of the second edition must be like, beyond `form`: predictions, folding, minutes.

Each check takes a `Document` and yields its defects in words, with the id of the cell.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, NamedTuple

from tests.notebooks.course import chapter_of
from tests.notebooks.form import calls_of
from tests.notebooks.normal_form import FOLD_CODE, FOLD_OUTPUT, GOING_DEEPER
from utils.exercises._exercise import exercises
from utils.questions import QUESTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbformat import NotebookNode

    from tests.notebooks.form import Document

CHAPTERS = {2, 3, 7, 11, 14}  # those that are rewritten so far
QUESTIONS_DUE, EXERCISES_DUE, ONE_LINERS, PREDICTIONS_DUE = 10, 10, 3, 2
CORE_MINUTES, CORE_LINES = 120, 250
# words and visible lines a minute, minutes for a task; so chosen that the chapters
# of the first edition come to the 220 to 300 minutes that readers need
WORDS, LINES, EXERCISE, WIDGET, PREDICTION = 90, 5, 10, 5, 1
GENERATED = {"badges", "bootstrap", "navigation"}
NOTATION = "A2_notation.ipynb"
DUE = ("claim", "live", "predict", "reveal", "setup", "show", "show_questions", "show_terms")
MINUTES = re.compile(
    r"\*\*Core: (\d+) minutes · with exercises and going deeper: (\d+) minutes\*\*"
)


class Effort(NamedTuple):
    """Minutes of the core and of all, and the lines of code that a reader of the core sees."""

    core: int
    all: int
    lines: int


def effort(notebook: NotebookNode) -> Effort:
    """Estimate how long a chapter takes: its core, and all of it; rounded to ten minutes."""
    deeper, widgets = _going_deeper(notebook), _widgets(notebook)
    minutes = {True: 0.0, False: 0.0}  # going deeper or not
    lines, in_exercises = 0, False
    for cell in notebook.cells:
        is_deeper = cell.id in deeper
        if cell.cell_type == "markdown":
            if title := re.match("## (.*)", cell.source):
                in_exercises = title[1].startswith("Exercises")
            if not (in_exercises or cell.id in GENERATED or "### References" in cell.source):
                minutes[is_deeper] += len(cell.source.split()) / WORDS
            continue
        if cell.id in GENERATED:
            continue
        calls = set(_calls(cell))
        minutes[True] += EXERCISE * ("check" in calls)
        minutes[is_deeper] += WIDGET * bool(widgets & calls) + PREDICTION * ("predict" in calls)
        if not (in_exercises or FOLD_CODE in _tags(cell)):
            visible = sum(bool(line.strip()) for line in cell.source.splitlines())
            minutes[is_deeper] += visible / LINES
            lines += 0 if is_deeper else visible
    core = round(minutes[False], -1)
    return Effort(int(core), int(round(sum(minutes.values()), -1)), lines)


def with_minutes(notebook: NotebookNode) -> NotebookNode:
    """Write the estimated minutes into the title's cell, which must say them in these words."""
    core, every, _ = effort(notebook)
    said = f"**Core: {core} minutes · with exercises and going deeper: {every} minutes**"
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = MINUTES.sub(said, cell["source"])
    return notebook


def minutes(document: Document) -> Iterator[str]:
    core, every, lines = effort(document.notebook)
    said = MINUTES.search(document.head)
    if said is None or (int(said[1]), int(said[2])) != (core, every):
        yield f"the head must say core {core} and {every} minutes in all: make refresh"
    if core > CORE_MINUTES:
        yield f"the core takes {core} minutes, more than {CORE_MINUTES}"
    if lines > CORE_LINES:
        yield f"the core shows {lines} lines of code, more than {CORE_LINES}"


def predictions(document: Document) -> Iterator[str]:
    """Each question is answered below; until then nothing shows what the answer is."""
    asked: list[str] = []
    waiting: set[str] = set()
    for cell in document.code:
        calls = calls_of(cell.source)
        new = [first for name, first in calls if name == "predict"]
        asked += new
        told = [first for name, first in calls if name == "reveal"]
        tags = _tags(cell)
        if waiting and not new:
            if cell.outputs and FOLD_OUTPUT not in tags:
                yield f"{cell.id}: its outputs stand below a question; tag it {FOLD_OUTPUT}"
            if {"claim", "reveal"} & {name for name, _ in calls} and FOLD_CODE not in tags:
                yield f"{cell.id}: its claims give the answer away; tag it {FOLD_CODE}"
        for id in told:
            if id not in waiting:
                yield f"{cell.id}: reveal({id!r}) without a question above"
        waiting = (waiting | set(new)) - set(told)
    number = chapter_of(document.path).number
    if asked != [f"{number:02d}.{letter}" for letter in "abcdefghijklmnop"[: len(asked)]]:
        yield f"predictions must be named {number:02d}.a, {number:02d}.b, …; found {asked}"
    if len(asked) < PREDICTIONS_DUE:
        yield f"{len(asked)} predictions; at least {PREDICTIONS_DUE} are due"
    yield from (f"{id} is asked and never revealed" for id in sorted(waiting))


def folding(document: Document) -> Iterator[str]:
    """Folded is what draws, claims or sets up; nothing that visible code needs to be understood."""
    hidden: dict[str, str] = {}
    for cell in document.code:
        tree = ast.parse(cell.source)
        if FOLD_CODE in _tags(cell):
            if not cell.source.startswith("# @title "):
                yield f"{cell.id}: a folded cell begins with '# @title …', which Colab shows"
            if cell.id in GENERATED:
                continue
            if not set(DUE) & set(_calls(cell)):
                yield f"{cell.id}: folded, but it neither draws nor claims nor sets up"
            if "setup" not in _calls(cell):
                hidden |= dict.fromkeys(_defined(tree), cell.id)
            continue
        used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} - _defined(tree)
        for name in sorted(used & set(hidden)):
            yield f"{cell.id}: uses {name}, which the folded cell {hidden[name]} defines"
        hidden = {name: place for name, place in hidden.items() if name not in _defined(tree)}
    for cell in document.markdown:
        if GOING_DEEPER in _tags(cell) and not re.fullmatch("##+ .*", cell.source):
            yield f"{cell.id}: only a heading by itself can be {GOING_DEEPER}; it stays visible"


def ten_questions(document: Document) -> Iterator[str]:
    number = chapter_of(document.path).number
    found = sum(each.chapter == number for each in QUESTIONS)
    if found != QUESTIONS_DUE:
        yield f"utils/questions.tsv has {found} questions, {QUESTIONS_DUE} are due"
    titles = re.findall(r"^## +(.+?) *$", document.words, re.MULTILINE)
    wanted = ["Exercises", "Ten questions", "Summary"]
    if [title for title in titles if title in wanted] != wanted:
        yield "'## Ten questions' must stand between Exercises and Summary"
    if not any("show_questions" in _calls(cell) for cell in document.code):
        yield "no cell calls show_questions(chapter=…)"


def tasks(document: Document) -> Iterator[str]:
    found = exercises(f"{chapter_of(document.path).number:02d}").values()
    if len(found) < EXERCISES_DUE:
        yield f"{len(found)} exercises, {EXERCISES_DUE} are due"
    short = [each.id for each in found if each.is_one_line]
    if len(short) > ONE_LINERS:
        yield f"the solutions of {', '.join(short)} have one line: at most {ONE_LINERS} may"


def notation(document: Document) -> Iterator[str]:
    tables = [cell for cell in document.markdown if re.search(r"^\| *symbol", cell.source, re.M)]
    for cell in tables:
        if f"]({NOTATION})" not in cell.source:
            yield f"{cell.id}: the table of symbols does not link to {NOTATION}"


CHECKS = (minutes, predictions, folding, ten_questions, tasks, notation)


def _going_deeper(notebook: NotebookNode) -> set[str]:
    """The ids of all cells under headings that go deeper."""
    found, rank = set(), None
    for cell in notebook.cells:
        heading = re.match("(##+) ", cell.source) if cell.cell_type == "markdown" else None
        if heading and (rank is None or len(heading[1]) <= rank):
            rank = len(heading[1]) if GOING_DEEPER in _tags(cell) else None
        if rank is not None:
            found.add(cell.id)
    return found


def _tags(cell: NotebookNode) -> set[str]:
    return set(cell.metadata.get("tags", []))


def _calls(cell: NotebookNode) -> list[str]:
    return [name for name, _ in calls_of(cell.source)]


def _defined(tree: ast.AST) -> set[str]:
    """Names that a cell gives a meaning."""
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    stored = {name.id for name in names if isinstance(name.ctx, ast.Store)}
    named = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    arguments = {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)}
    return stored | named | arguments


def _widgets(notebook: NotebookNode) -> set[str]:
    """The names of what a reader plays with: all that comes from `utils.widgets`."""
    found = set()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            for node in ast.walk(ast.parse(cell.source)):
                if isinstance(node, ast.ImportFrom) and node.module == "utils.widgets":
                    found |= {alias.name for alias in node.names}
    return found
