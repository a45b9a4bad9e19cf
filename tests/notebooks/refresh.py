"""Execute notebooks and store them in normal form.

``python -m tests.notebooks.refresh [chapter …]``: a chapter is a number (``05``) or a path;
without any, all chapters are run. Outputs that say the same as before stay byte for byte, but for
those of cells edited since the last commit; so a second run changes nothing. If a cell fails, its
file is left as it was.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import nbformat
from nbclient.exceptions import CellTimeoutError, DeadKernelError

from tests.notebooks.compare import differences, masks
from tests.notebooks.course import with_generated_cells
from tests.notebooks.execute import CHAPTERS, FrontEnd
from tests.notebooks.normal_form import normalize, same_picture, serialize
from tests.notebooks.second_edition import with_minutes
from utils.update import UpdateError, git

CELL_TIMEOUT = 300
# a cell whose output is not tested stays as long as only its numbers change
UNTESTED = {r"\d+(?:\.\d+)?(?:e[-+]?\d+)?": "#"}


class RefreshError(Exception):
    """A notebook could not be run to its end."""


def normal_text(path: Path) -> str:
    """Return what the file should hold without running it: generated cells and normal form."""
    return serialize(_prepared(path))


def refreshed_text(path: Path, timeout: float = CELL_TIMEOUT) -> str:
    """Run a notebook in its folder and return what its file should hold.

    Raises:
        RefreshError: a cell raised, printed on stderr, took too long or killed the kernel.

    """
    stored, committed = _prepared(path), _committed_sources(path)
    front_end = FrontEnd(nbformat.from_dict(stored), timeout=timeout)
    with front_end.kernel(path.parent, COURSE_BUDGET="quick"):
        for index, cell in enumerate(front_end.nb.cells):
            if cell.cell_type == "code":
                _run(front_end, index)
    fresh = normalize(front_end.nb)
    for old, new in zip(stored["cells"], fresh["cells"], strict=True):
        edited = committed.get(new["id"], new["source"]) != new["source"]
        if new["cell_type"] == "code" and not edited and says_the_same(old, new):
            new["outputs"] = old["outputs"]
    return serialize(fresh)


def says_the_same(old: dict, new: dict) -> bool:
    """Whether the outputs of two cells in normal form are equal to the test and to the eye."""
    ignored = "nbval-ignore-output" in old["metadata"].get("tags", [])
    masked = masks() | (UNTESTED if ignored else {})
    if differences(old["outputs"], new["outputs"], masked):
        return False
    pairs = zip(_pictures(old), _pictures(new), strict=True)
    return all(same_picture(a, b) for a, b in pairs)


def find(name: str) -> Path:
    """Return the path of a chapter that is given by number, file name or path.

    Raises:
        FileNotFoundError: there is no such notebook.

    """
    numbered = CHAPTERS.glob(f"{name:0>2}_*.ipynb") if name.isdecimal() else ()
    candidates = [Path(name), CHAPTERS / name, *numbered]
    for path in candidates:
        if path.suffix == ".ipynb" and path.exists():
            return path.resolve()
    raise FileNotFoundError(f"no chapter {name!r}: give a number such as 05, or a notebook's path")


def main(arguments: list[str] | None = None) -> int:
    """Refresh or check notebooks; return 1 if one failed, else 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.notebooks.refresh", description=__doc__)
    parser.add_argument("chapter", nargs="*", help="a number or a path; all if none is given")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--check", action="store_true", help="only report what is not in normal form")
    how.add_argument("--form", action="store_true", help="bring to normal form without running")
    options = parser.parse_args(arguments)
    try:
        paths = [find(name) for name in options.chapter] or sorted(CHAPTERS.glob("*.ipynb"))
    except FileNotFoundError as error:
        parser.error(str(error))
    make = normal_text if options.check or options.form else refreshed_text
    failed = False
    for path in paths:
        begun = time.perf_counter()
        try:
            text = make(path)
        except RefreshError as error:
            print(f"✘ {path.name}: {error}", file=sys.stderr)
            failed = True
            continue
        same = path.read_bytes() == text.encode("utf-8")
        failed |= options.check and not same
        if not (same or options.check):
            path.write_bytes(text.encode("utf-8"))
        verdict = "unchanged" if same else "not in normal form" if options.check else "rewritten"
        print(f"{time.perf_counter() - begun:6.1f} s  {path.name}: {verdict}", flush=True)
    return int(failed)


def _prepared(path: Path) -> dict:
    return normalize(with_minutes(with_generated_cells(nbformat.read(path, as_version=4), path)))


def _committed_sources(path: Path) -> dict[str, str]:
    """The last committed source of each cell by its id; none where git knows no such file."""
    try:
        committed = git(path.parent, "show", f"HEAD:./{path.name}")
    except UpdateError:
        return {}
    notebook = nbformat.reads(committed, as_version=4)
    return {cell["id"]: cell["source"] for cell in notebook.cells}


def _run(front_end: FrontEnd, index: int) -> None:
    name = front_end.nb.cells[index].id
    try:
        front_end.run(index)
    except DeadKernelError:
        raise RefreshError(f"cell {name!r}: the kernel died") from None
    except CellTimeoutError:
        raise RefreshError(f"cell {name!r}: not finished after {front_end.timeout} s") from None
    if front_end.errors:
        error = front_end.errors[0]
        what = f"{error['name']}: {error['value']}"
        raise RefreshError(f"cell {name!r}: {what}\n{error['traceback']}")
    if front_end.stderr:
        raise RefreshError(f"cell {name!r} printed on stderr:\n{front_end.stderr}")


def _pictures(cell: dict) -> list[str]:
    data = (output.get("data", {}) for output in cell["outputs"])
    return [one["image/png"] for one in data if "image/png" in one]


if __name__ == "__main__":
    sys.exit(main())
