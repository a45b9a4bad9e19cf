"""A file of `utils` imports only from rows above its own in CONTRIBUTING's table; no circles."""

from __future__ import annotations

import ast
import graphlib
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.notebooks.execute import ROOT

TABLE = re.compile(r"^## Adding a helper$.*?^```text$\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILES = sorted((ROOT / "utils").rglob("*.py"))


class Import(NamedTuple):
    """What a line of a file imports from the course, as in ``utils.layers.basic``."""

    line: int
    module: str


def rows() -> dict[str, int]:
    """The row of each file and folder of `utils`, counted from 0 at the top."""
    (table,) = TABLE.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    names = [re.split(r"\s{2,}", line)[0].split() for line in table.splitlines()]
    return {name.rstrip("/"): row for row, listed in enumerate(names) for name in listed}


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path) for path in FILES}


def imports(code: str, modules: set[str]) -> list[Import]:
    """All imports of the course, also those inside functions and for type checkers alone."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found += [Import(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            full = [f"{base}.{alias.name}" for alias in node.names]
            found += [Import(node.lineno, name if name in modules else base) for name in full]
    return [one for one in found if one.module.partition(".")[0] in ("utils", "")]


def against_the_table(
    module: str, code: str, table: dict[str, int], modules: set[str]
) -> list[str]:
    """A sentence for each import from the same row or from below."""
    own, wrong = module.split(".")[1], []
    for line, imported in imports(code, modules):
        if imported.startswith("."):
            wrong.append(f"line {line}: a relative import; write utils.…")
        elif imported != "utils":
            unit = imported.split(".")[1]
            if unit != own and table[unit] >= table[own]:
                wrong.append(f"line {line}: {unit} does not stand above {own}")
    return wrong


def test_the_table_lists_every_file_and_folder_once():
    table = rows()
    (text,) = TABLE.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    names = [name for line in text.splitlines() for name in re.split(r"\s{2,}", line)[0].split()]
    assert sorted(table) == sorted(name.rstrip("/") for name in names)
    there = {module.split(".")[1] for module in MODULES if "." in module}
    assert set(table) == there
    folders = {path.parent.name for path in FILES if path.name == "__init__.py"} - {"utils"}
    assert {name.rstrip("/") for name in names if name.endswith("/")} == folders


def test_imports_come_from_above():
    wrong = {}
    for path in FILES:
        code, module = path.read_text(encoding="utf-8"), module_of(path)
        if module != "utils" and (found := against_the_table(module, code, rows(), MODULES)):
            wrong[module] = found
    assert wrong == {}
    assert imports((ROOT / "utils" / "__init__.py").read_text(encoding="utf-8"), MODULES) == []


def test_no_file_imports_itself_through_others():
    graph = {
        module_of(path): {one.module for one in imports(path.read_text(encoding="utf-8"), MODULES)}
        - {"utils"}
        for path in FILES
    }
    order = list(graphlib.TopologicalSorter(graph).static_order())
    assert set(order) >= set(graph) - {"utils"}


SAMPLES = {
    "from above": ("from utils import runtime", []),
    "the package alone": ("import utils", []),
    "another package": ("import numpy\nfrom os import path", []),
    "its own folder": ("from utils.layers.basic import Linear", []),
    "from below": ("from utils.models.cnn import LeNet", ["line 1: models does not stand above"]),
    "by name": ("from utils import widgets", ["line 1: widgets does not stand above"]),
    "the same row": ("import utils.optim", ["line 1: optim does not stand above layers"]),
    "inside a function": ("def f():\n    import utils.training", ["line 2: training does not"]),
    "for types alone": (
        "if TYPE_CHECKING:\n    from utils.training import History",
        ["line 2: training does not"],
    ),
    "relative": ("from . import basic", ["line 1: a relative import"]),
}


@pytest.mark.parametrize("sample", SAMPLES)
def test_an_import_from_below_is_found(sample):
    code, expected = SAMPLES[sample]
    table = {"runtime": 0, "layers": 1, "optim": 1, "training": 2, "models": 3, "widgets": 4}
    modules = {"utils", "utils.layers.basic", "utils.models.cnn"} | {f"utils.{u}" for u in table}
    found = against_the_table("utils.layers.attention", code, table, modules)
    assert len(found) == len(expected)
    assert all(got.startswith(start) for got, start in zip(found, expected, strict=True))
