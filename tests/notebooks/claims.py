"""List the claims that neither data nor training can overturn, for a person to judge.

``python -m tests.notebooks.claims [chapter …]``. A claim that compares a formula with itself cannot
fail and says nothing; one that holds two ways of computing against each other may be worth its
place. The program cannot tell them apart: it follows each value back through the notebook and lists
those that come from no data, no random numbers and no training.
"""

from __future__ import annotations

import ast
import re
import sys
from typing import NamedTuple

import nbformat

from tests.notebooks.execute import CHAPTERS
from tests.notebooks.refresh import find

# names that bring data, chance or training into a value
SOURCES = re.compile(r"rng|default_rng|(load|make|sample|fit|train|race)(_\w+)?|evaluate|recorded")


class Listed(NamedTuple):
    """A claim that depends on no data: the id of its cell and its statement."""

    cell: str
    statement: str


def without_data(notebook: nbformat.NotebookNode) -> list[Listed]:
    """Return the claims of a notebook whose values come from no data and no training."""
    needs: dict[str, set[str]] = {}  # name → all names that its value comes from, so far
    listed = []
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        for statement in ast.parse(cell.source).body:
            _note(statement, needs)
            for call in ast.walk(statement):
                if not (isinstance(call, ast.Call) and getattr(call.func, "id", "") == "claim"):
                    continue
                values = call.args[1:] + [k.value for k in call.keywords if k.arg == "values"]
                names = set().union(*(_names(value) for value in values))
                if not any(SOURCES.fullmatch(name) for name in _closure(names, needs)):
                    listed.append(Listed(cell.id, ast.unparse(call.args[0])))
    return listed


def _note(statement: ast.stmt, needs: dict[str, set[str]]) -> None:
    """Add what the names that a statement gives a meaning come from."""
    names, given = _names(statement), set()
    for node in ast.walk(statement):
        changed = node
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            changed = node.func.value  # path.append(…) changes path
        elif not isinstance(getattr(node, "ctx", None), ast.Store):
            continue
        while isinstance(changed, ast.Attribute | ast.Subscript):
            changed = changed.value
        if isinstance(changed, ast.Name):
            given.add(changed.id)
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        given = {statement.name}
    if isinstance(statement, ast.ImportFrom):
        names = set((statement.module or "").split("."))
        given = {alias.asname or alias.name for alias in statement.names}
    for name in given:
        needs.setdefault(name, set()).update(names - {name})


def _names(node: ast.AST) -> set[str]:
    """All names and attributes that occur in a piece of code."""
    found = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    return found | {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}


def _closure(names: set[str], needs: dict[str, set[str]]) -> set[str]:
    found, waiting = set(), set(names)
    while waiting:
        name = waiting.pop()
        found.add(name)
        waiting |= needs.get(name, set()) - found
    return found


def main(arguments: list[str]) -> int:
    """Print the listed claims of the named chapters, or of all."""
    for path in [find(name) for name in arguments] or sorted(CHAPTERS.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        listed = without_data(notebook)
        print(f"{path.name}: {len(listed)} claims depend on neither data nor training")
        for cell, statement in listed:
            print(f"  {cell}: {statement}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
