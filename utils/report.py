"""What chapter 00 shows: the map of the course, the environment, the learner's progress."""

from __future__ import annotations

import os
import platform
import textwrap
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from utils import plotting, runtime
from utils.course import CHAPTERS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from utils.datasets import Source

PACKAGES = ("numpy", "tensorflow", "keras", "matplotlib", "ipywidgets", "jupyterlab")
FOLDER = Path(__file__).parents[1] / "chapters"


def positions() -> dict[int, tuple[float, float]]:
    """Place each chapter on the map: x is its depth, the longest way to it; y keeps ways short."""
    depth: dict[int, int] = {}
    for chapter in CHAPTERS:  # prerequisites have smaller numbers
        depth[chapter.number] = 1 + max((depth[p] for p in chapter.prerequisites), default=-1)
    place: dict[int, tuple[float, float]] = {}
    for x in range(max(depth.values()) + 1):
        column = [chapter for chapter in CHAPTERS if depth[chapter.number] == x]
        # below the chapters they build on, so that few arrows cross
        column.sort(
            key=lambda c: (
                -sum(place[p][1] for p in c.prerequisites) / max(len(c.prerequisites), 1),
                c.number,
            )
        )
        alone = [place[p][1] for p in column[0].prerequisites] if len(column) == 1 else []
        top = alone[0] if alone else (len(column) - 1) / 2
        for row, chapter in enumerate(column):
            place[chapter.number] = (x, top - row)
    return place


def course_map() -> Figure:
    """Draw the chapters as a graph: an arrow leads from a prerequisite to what builds on it.

    Chapters whose notebook is there are filled.
    """
    place = positions()
    fig, ax = plotting.figure(width=11, height=5)
    for chapter in CHAPTERS:
        x, y = place[chapter.number]
        there = (FOLDER / chapter.file).exists()
        ax.text(
            x, y, f"{chapter.number:02d}", ha="center", va="center", zorder=3, weight="bold",
            color="white" if there else plotting.GRAY,
            bbox={"boxstyle": "circle,pad=0.45", "ec": plotting.BLUE if there else plotting.GRAY,
                  "fc": plotting.BLUE if there else "none", "lw": 1.5},
        )  # fmt: skip
        # an arrow that comes from below would cross a title below
        rising = any(place[prerequisite][1] < y for prerequisite in chapter.prerequisites)
        ax.text(
            x,
            y + 0.28 if rising else y - 0.28,
            _wrapped(chapter.title),
            ha="center",
            va="bottom" if rising else "top",
            fontsize=9,
        )
        for prerequisite in chapter.prerequisites:
            ax.annotate(
                "",
                xy=(x, y),
                xytext=place[prerequisite],
                zorder=1,
                arrowprops={
                    "arrowstyle": "->",
                    "color": plotting.GRAY,
                    "shrinkA": 14,
                    "shrinkB": 14,
                    "lw": 1.2,
                    "connectionstyle": "arc,angleA=0,angleB=180,armA=48,armB=20,rad=6",
                },
            )
    ax.set(xlim=(-0.5, max(x for x, _ in place.values()) + 0.5), ylim=(-2.4, 1.8))
    ax.set_axis_off()
    return fig


def _wrapped(title: str) -> str:
    return textwrap.fill(title, 12, break_long_words=False, break_on_hyphens=False)


def environment_report() -> str:
    """Say in lines what a helper needs to know: versions, device, budget, data at hand."""
    from utils.datasets.digits import MNIST
    from utils.datasets.objects import CIFAR10
    from utils.datasets.reviews import IMDB

    def at_hand(source: Source) -> bool:
        try:
            return (runtime.cache_dir() / source.file_name).exists()
        except OSError:  # no home directory
            return False

    lines = {
        "course": version_of("deep-learning-live"),
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "Python": platform.python_version(),
        "torch": f"{version_of('torch')}, built for {torch_build()}",
        "triton": version_of("triton"),
        **{name: version_of(name) for name in PACKAGES},
        "place": runtime.where(),
        "device": runtime.device(),
        "budget": runtime.budget(),
        "digits": "all of MNIST" if at_hand(MNIST) else "5,000 embedded",
        "objects": "CIFAR-10, and OpenMoji" if at_hand(CIFAR10) else "OpenMoji, embedded",
        "reviews": "IMDB" if at_hand(IMDB) else "not downloaded",
    }
    width = max(map(len, lines))
    rows = [f"{name:{width}}  {value}" for name, value in lines.items()]
    return "\n".join(rows + [f"⚠ {clash}" for clash in known_clashes()])


def torch_build() -> str:
    """What this PyTorch was built for: ``CUDA 13.0``, ``ROCm 7.1``, or ``CPU``."""
    import torch

    cuda, rocm = torch.version.cuda, torch.version.hip
    return f"CUDA {cuda}" if cuda else f"ROCm {rocm}" if rocm else "CPU"


def known_clashes() -> list[str]:
    """Sentences about packages here that are known not to get on, and what to do about it."""
    found = []
    pair = f"triton {version_of('triton')} and TensorFlow {version_of('tensorflow')}"
    if runtime.triton_is_hidden():
        found.append(
            f"{pair} would crash, because TensorFlow came first in this kernel: triton is hidden. "
            "Restart the kernel and run the set-up cell first."
        )
    elif runtime.triton_clashes():
        found.append(
            f"{pair} crash together if TensorFlow comes first. setup() loads triton first; "
            "in programs of your own, import triton before tensorflow."
        )
    loaded = {Path(path).name.partition(".")[0] for path in _openmp_runtimes()}
    if {"libiomp5", "libomp"} <= loaded:
        found.append(
            "Intel's and LLVM's OpenMP are both loaded, which can hang or crash. Install PyTorch "
            "and scikit-learn from one place, all from PyPI or all from conda-forge."
        )
    return found


def _openmp_runtimes() -> list[str]:
    from threadpoolctl import threadpool_info

    return [pool["filepath"] for pool in threadpool_info() if pool["user_api"] == "openmp"]


def version_of(package: str) -> str:
    """Return the installed version of a package, or a word that it is missing."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def show_progress() -> None:
    """Display how many exercises the learner has passed, of each chapter that is there."""
    from IPython.display import display

    from utils.exercises import progress

    there = {f"{chapter.number:02d}" for chapter in CHAPTERS if (FOLDER / chapter.file).exists()}
    rows = [row for row in progress() if row.chapter in there]
    table = ["| chapter | passed | |", "|---|---|---|"]
    table += [
        f"| {row.chapter} | {row.passed} of {row.total} "
        f"| {'■' * row.passed}{'□' * (row.total - row.passed)} |"
        for row in rows
    ]
    plain = "\n".join(f"{row.chapter}: {row.passed} of {row.total}" for row in rows)
    display({"text/markdown": "\n".join(table), "text/plain": plain}, raw=True)
