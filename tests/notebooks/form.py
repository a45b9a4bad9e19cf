"""What every stored chapter must be like: anatomy, weight, pictures, links, language.

Each check takes a `Document` and yields its defects in words, with the id of the cell.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import nbformat

from tests.notebooks.course import chapter_of, with_generated_cells
from tests.notebooks.normal_form import (
    FOLD_CODE,
    FOLD_OUTPUT,
    GOING_DEEPER,
    IN_BOOK,
    WIDGET_VIEW,
    normalize,
    serialize,
)
from utils.course import APPENDICES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nbformat import NotebookNode

SECTIONS = (
    "Idea",
    "Mathematics",
    "From scratch",
    "The same in PyTorch and Keras",
    "Experiment",
    "Bug clinic",
    "Exercises",
    "Summary",
)
OBJECTIVES = "You will be able to"
MIN_CLAIMS, MIN_EXERCISES, MIN_ALT = 5, 8, 20
MAX_LINES, MAX_WIDTH, MAX_BYTES = 25, 88, 500_000
UNTESTED = "nbval-ignore-output"
TAGS = {UNTESTED, FOLD_CODE, FOLD_OUTPUT, GOING_DEEPER, *IN_BOOK.values()}
# only these cells may go untested: the bootstrap, the environment report, and clocks
UNTESTED_IDS = re.compile(r"bootstrap|(environment|clock)(-.*)?")
SPELLED_SO = ("nd", "pinter", "te", "theis")  # words and names that codespell takes for slips

HEADING = re.compile(r"^(#{1,6}) +(.+?) *$", re.MULTILINE)
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
CODE_OR_MATH = re.compile(r"`+[^`]*`+|\$\$.*?\$\$|\$[^$\n]+\$", re.DOTALL)
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)[^)]*\)|(?:href|src)=[\"']([^\"']+)")
CAPTION = re.compile(r"\**Figure (\d+)\.\** +\S")
MEASURED = re.compile(r"\d+\.\d+\s?%")
ABSOLUTE = re.compile(r"(?<![\w.~/-])/(?:home|root|work|tmp|Users)\b[\w./-]*|\b[A-Z]:\\+\w+\\")
ADDRESS = re.compile(r"\bat 0x[0-9a-f]{6,}")
YEAR = re.compile(r"\b(?:18|19|20)\d\d\b")
IDENTIFIER = re.compile(r"\b10\.\d{4,}/\S|arXiv|ISBN", re.IGNORECASE)


@dataclass(frozen=True)
class Document:
    """A chapter's notebook and the file it is stored in."""

    path: Path
    notebook: NotebookNode

    @classmethod
    def read(cls, path: Path) -> Document:
        return cls(path, nbformat.read(path, as_version=4))

    @cached_property
    def markdown(self) -> list[NotebookNode]:
        return [cell for cell in self.notebook.cells if cell.cell_type == "markdown"]

    @cached_property
    def code(self) -> list[NotebookNode]:
        return [cell for cell in self.notebook.cells if cell.cell_type == "code"]

    @cached_property
    def head(self) -> str:
        """The Markdown before the first code cell."""
        kinds = [cell.cell_type for cell in self.notebook.cells]
        end = kinds.index("code") if "code" in kinds else len(kinds)
        return "\n\n".join(cell.source for cell in self.notebook.cells[:end])

    @cached_property
    def words(self) -> str:
        """All Markdown that the author wrote, in one text, without code blocks."""
        return FENCE.sub("", "\n\n".join(cell.source for cell in self.markdown))

    @cached_property
    def page(self) -> str:
        """`words` and, in their places, what the outputs show in Markdown or plain text."""
        texts = []
        for cell in self.notebook.cells:
            if cell.cell_type == "markdown":
                texts.append(cell.source)
            texts += [_text(output) for output in cell.get("outputs", []) if "data" in output]
        return FENCE.sub("", "\n\n".join(texts))

    @property
    def is_lesson(self) -> bool:
        """Whether the whole anatomy is due; chapter 00 only shows the way."""
        chapter = chapter_of(self.path)
        return chapter is not None and chapter.number > 0


def section(text: str, title: str) -> str:
    """The text under the first heading that starts with `title`, to the next of its rank."""
    for heading in HEADING.finditer(text):
        if heading[2].startswith(title):
            rest = text[heading.end() :]
            following = re.search(rf"^#{{1,{len(heading[1])}}} ", rest, re.MULTILINE)
            return rest[: following.start()] if following else rest
    return ""


def head(document: Document) -> Iterator[str]:
    chapter = chapter_of(document.path)
    heading = chapter.heading if chapter else APPENDICES.get(document.path.name)
    if heading is None:
        yield f"{document.path.name} is no chapter of utils/course.py"
        return
    first = document.notebook.cells[0] if document.notebook.cells else None
    if first is None or first.source.partition("\n")[0] != f"# {heading}":
        yield f"the first line must be '# {heading}'"
    if chapter is None:
        return
    if not re.search(r"\d\s+minutes", document.head):
        yield "the head does not say how many minutes the chapter takes"
    if "prerequisite" not in document.head.lower():
        yield "the head does not name the prerequisites"
    objectives = [cell.source for cell in document.markdown if OBJECTIVES in cell.source]
    bullets = re.findall(r"^[-*] ", objectives[0], re.MULTILINE) if objectives else []
    if not 3 <= len(bullets) <= 5:
        yield f"'{OBJECTIVES}' must list three to five bullets, found {len(bullets)}"
    if not any(re.search(r"\bsetup\(seed=", cell.source) for cell in document.code):
        yield "no cell calls setup(seed=…)"


def sections(document: Document) -> Iterator[str]:
    if not document.is_lesson:
        return
    titles = [title for marks, title in HEADING.findall(document.words) if marks == "##"]
    at = [
        next((i for i, title in enumerate(titles) if title.startswith(wanted)), None)
        for wanted in SECTIONS
    ]
    missing = [wanted for wanted, place in zip(SECTIONS, at, strict=True) if place is None]
    yield from (f"no section '## {wanted}'" for wanted in missing)
    if not missing and at != sorted(at):
        yield f"the sections must stand in this order: {', '.join(SECTIONS)}"


def tables(document: Document) -> Iterator[str]:
    if not document.is_lesson:
        return
    if not re.search(r"^\|.*symbol.*shape", section(document.words, "Mathematics"), re.I | re.M):
        yield "Mathematics has no table of symbols with the columns Symbol and Shape"
    if not re.search(r"^\|.*English.*\|.*中文", section(document.page, "Terms"), re.MULTILINE):
        yield "Terms has no table with the columns English and 中文"
    items = re.findall(
        r"^(?:[-*]|\d+\.) +(.+(?:\n +.+)*)", section(document.words, "References"), re.M
    )
    if not items:
        yield "no list under a heading References"
    for item in items:
        if not (YEAR.search(item) and IDENTIFIER.search(item)):
            yield f"reference without a year or without DOI, arXiv or ISBN: {item}"


def claims_and_exercises(document: Document) -> Iterator[str]:
    if not document.is_lesson:
        return
    calls = [calls_of(cell.source) for cell in document.code]
    claims = sum(name == "claim" for cell_calls in calls for name, _ in cell_calls)
    if claims < MIN_CLAIMS:
        yield f"{claims} claims; at least {MIN_CLAIMS} are due"
    asked = []
    for place, cell_calls in enumerate(calls):
        for name, argument in cell_calls:
            if name == "check":
                asked.append(argument)
                if place == 0 or not _is_stub(document.code[place - 1].source):
                    yield f"the code cell before check({argument!r}) is no stub with '...'"
    number = chapter_of(document.path).number
    if asked != [f"{number:02d}.{k}" for k in range(1, len(asked) + 1)]:
        yield f"exercises must be numbered {number:02d}.1, {number:02d}.2, …; found {asked}"
    if len(asked) < MIN_EXERCISES:
        yield f"{len(asked)} exercises; at least {MIN_EXERCISES} are due"


def code_cells(document: Document) -> Iterator[str]:
    for cell in document.code:
        lines = cell.source.splitlines()
        if len(lines) > MAX_LINES:
            yield f"{cell.id}: {len(lines)} lines, more than {MAX_LINES}"
        for line in lines:
            if len(line) > MAX_WIDTH:
                yield f"{cell.id}: a line of {len(line)} characters, more than {MAX_WIDTH}"
        if cell.source.strip() and not _nodes(cell.source):
            yield f"{cell.id}: not plain Python; magics belong into no chapter"
        if re.search(r"^\s*#\s*(NBVAL|PYTEST)_", cell.source, re.MULTILINE):
            yield f"{cell.id}: a comment for nbval; what is not tested needs a tag"


def tags(document: Document) -> Iterator[str]:
    for cell in document.notebook.cells:
        used = set(cell.metadata.get("tags", []))
        yield from (f"{cell.id}: tag {tag!r} is not allowed" for tag in sorted(used - TAGS))
        if UNTESTED in used and not UNTESTED_IDS.fullmatch(cell.id):
            yield f"{cell.id}: only bootstrap, environment-… and clock-… may be {UNTESTED}"


def outputs(document: Document) -> Iterator[str]:
    for cell in document.code:
        for output in cell.outputs:
            if output.output_type == "error":
                yield f"{cell.id}: a stored error, {output.ename}"
            if output.get("name") == "stderr":
                yield f"{cell.id}: stored text on stderr"
            if WIDGET_VIEW in output.get("data", {}):
                yield f"{cell.id}: a stored widget view, which shows nothing without a kernel"
            if ADDRESS.search(_text(output)):
                yield f"{cell.id}: a memory address in the output"


def figures(document: Document) -> Iterator[str]:
    numbers = []
    for cell in document.code:
        for place, output in enumerate(cell.outputs):
            kinds = [kind for kind in output.get("data", {}) if kind.startswith("image/")]
            for kind in kinds:
                alt = output.metadata.get(kind, {}).get("alt", "")
                if len(alt) < MIN_ALT:
                    yield f"{cell.id}: a picture's alt text has fewer than {MIN_ALT} characters"
                if alt != output.data.get("text/plain"):
                    yield f"{cell.id}: a picture's alt text is not its text/plain, which is tested"
            if kinds:
                following = _text(cell.outputs[place + 1]) if cell.outputs[place + 1 :] else ""
                caption = CAPTION.match(following)
                if caption:
                    numbers.append(int(caption[1]))
                else:
                    yield f"{cell.id}: no caption 'Figure N. …' after a picture"
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"figures must be numbered 1, 2, …; found {numbers}"
    for number in sorted(set(numbers)):
        if not re.search(rf"\bFigure\s{number}\b", document.words):
            yield f"the text does not refer to Figure {number}"


def links(document: Document) -> Iterator[str]:
    for cell in document.markdown:
        source = CODE_OR_MATH.sub("", FENCE.sub("", cell.source))
        if "![](" in source:
            yield f"{cell.id}: a picture without alt text"
        for match in LINK.finditer(source):
            target = match[1] or match[2]
            if target.startswith(("https://", "#", "attachment:")):
                continue
            file = target.partition("#")[0]
            if re.match(r"[a-z]+:|/", file) or not (document.path.parent / file).exists():
                yield f"{cell.id}: the link {target} is neither https nor a file that exists"


def language(document: Document) -> Iterator[str]:
    prose = document.page.replace(section(document.words, "References"), "")  # titles as they are
    prose = CODE_OR_MATH.sub(" ", re.sub(r"\]\([^)]*\)", "]", prose))
    command = [sys.executable, "-m", "codespell_lib", "--builtin=clear,en-GB_to_en-US"]
    command += [f"--ignore-words-list={','.join(SPELLED_SO)}", "-"]
    done = subprocess.run(command, input=prose, capture_output=True, encoding="utf-8", check=False)
    if done.stderr:
        raise RuntimeError(f"codespell failed: {done.stderr}")
    yield from re.findall(r"\S+ ==> .+", done.stdout)


def numbers_in_prose(document: Document) -> Iterator[str]:
    prose = document.words.replace(section(document.words, "References"), "")
    lines = [line for line in prose.splitlines() if not line.lstrip().startswith("|")]
    for found in MEASURED.findall("\n".join(lines)):
        yield f"the text quotes {found}: point at the claim that measures it"


def paths(document: Document) -> Iterator[str]:
    for cell in document.notebook.cells:
        texts = [cell.source, *(_text(output) for output in cell.get("outputs", []))]
        for found in ABSOLUTE.findall("\n".join(texts)):
            yield f"{cell.id}: the path {found} exists on one machine only"


def stored_form(document: Document) -> Iterator[str]:
    raw = document.path.read_bytes()
    if len(raw) > MAX_BYTES:
        yield f"{len(raw):,} bytes, more than {MAX_BYTES:,}"
    if with_generated_cells(document.notebook, document.path) != document.notebook:
        yield "a generated cell (badges, bootstrap, navigation) is out of date: make refresh"
    if serialize(normalize(document.notebook)).encode("utf-8") != raw:
        yield "not in normal form: make refresh"


CHECKS = (
    head,
    sections,
    tables,
    claims_and_exercises,
    code_cells,
    tags,
    outputs,
    figures,
    links,
    language,
    numbers_in_prose,
    paths,
    stored_form,
)


def calls_of(source: str) -> list[tuple[str, object]]:
    """Names and first arguments of the calls in a cell, in the order of the lines."""
    nodes = [node for node in _nodes(source) if isinstance(node, ast.Call)]
    nodes.sort(key=lambda node: (node.lineno, node.col_offset))
    return [
        (node.func.id, getattr(next(iter(node.args), None), "value", None))
        for node in nodes
        if isinstance(node.func, ast.Name)
    ]


def _is_stub(source: str) -> bool:
    return any(getattr(node, "value", None) is Ellipsis for node in _nodes(source))


def _nodes(source: str) -> list[ast.AST]:
    """The syntax tree of a cell; empty for what is not Python, which `code_cells` reports."""
    try:
        return list(ast.walk(ast.parse(source)))
    except SyntaxError:
        return []


def _text(output: NotebookNode) -> str:
    """What an output says in words: the Markdown where there is some, else the plain text."""
    data = output.get("data", {})
    return data.get("text/markdown") or data.get("text/plain") or output.get("text", "")
