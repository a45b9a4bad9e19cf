"""Run one chapter as a visitor does on Colab: an empty folder, a fresh kernel, top to bottom."""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import dataclass, field
from importlib.metadata import distributions
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.colab.packages import PINS
from tests.notebooks.course import BRANCH, COLAB_LACKS, repository
from tests.notebooks.execute import ROOT, FrontEnd
from tests.notebooks.normal_form import WIDGET_VIEW

FAKE = Path(__file__).parent / "fake"
CELL_TIMEOUT = 300
# the last cell: what only the kernel knows
PROBE = """\
import json
import resource
import sys
from importlib.metadata import version

import utils
from google.colab import output

print(json.dumps({{
    "calls": len(output.calls),
    "course": utils.__file__,
    "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    "versions": {{name: version(name) for name in {names}}},
}}))
"""


@dataclass
class Report:
    """What a chapter did: `faults` are the sentences that must not be there."""

    seconds: float = 0.0
    peak_megabytes: float = 0.0
    widgets: int = 0
    installed: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def snapshot(folder: Path) -> str:
    """Commit the working tree, changes and all, to a bare repository; return its address."""
    store = folder / "course.git"
    git = ["git", f"--git-dir={store}", f"--work-tree={ROOT}", "-c", "core.bare=false"]
    author = ["-c", "user.name=Course", "-c", "user.email=course@example.org"]
    commit = ["commit", "--quiet", "--no-gpg-sign", "--message=The working tree"]
    subprocess.run(
        ["git", "init", "--quiet", "--bare", f"--initial-branch={BRANCH}", store], check=True
    )
    subprocess.run([*git, "add", "--all"], cwd=ROOT, check=True)
    subprocess.run([*git, *author, *commit], cwd=ROOT, check=True)
    return store.as_uri()


def run_chapter(chapter: Path, interpreter: Path, address: str, scratch: Path) -> Report:
    """Run `chapter` with `interpreter` in `scratch`, an empty folder, and judge what came out.

    git is told to find the course's public address at `address`; pip installs into a folder of
    its own, so that everything it was asked for is found there afterwards.
    """
    home, packages = scratch / "content", scratch / "packages"
    startup = scratch / "ipython" / "profile_default" / "startup"
    for folder in (home, packages, startup):
        folder.mkdir(parents=True)
    (startup / "00-colab.py").write_text("import google.colab\n", encoding="utf-8")
    variables = {
        "COURSE_BUDGET": "smoke",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{address}.insteadOf",
        "GIT_CONFIG_VALUE_0": repository(),
        "IPYTHONDIR": str(scratch / "ipython"),
        "PIP_QUIET": "1",  # what pip says about this machine's package index is not the course's
        "PIP_TARGET": str(packages),
        "PYTHONPATH": os.pathsep.join([str(FAKE), str(packages)]),
    }
    notebook = nbformat.read(chapter, as_version=4)
    wants_widgets = any("utils.widgets" in cell.source for cell in notebook.cells)
    probe = nbformat.v4.new_code_cell(PROBE.format(names=list(PINS)), id="probe")
    notebook.cells.append(probe)

    report, begun = Report(), time.perf_counter()
    front_end = FrontEnd(notebook, timeout=CELL_TIMEOUT)
    front_end.km.kernel_spec_manager = _Kernels(interpreter)
    with front_end.kernel(home, **variables):
        for index, cell in enumerate(notebook.cells):
            if cell.cell_type == "code":
                front_end.run(index)
                report.faults += _faults(cell.id, front_end)
                report.widgets += sum(WIDGET_VIEW in out.get("data", {}) for out in cell.outputs)
    report.seconds = time.perf_counter() - begun

    installed = distributions(path=[str(packages)])
    report.installed = sorted(canonicalize_name(each.name) for each in installed)
    surplus = set(report.installed) - {canonicalize_name(name) for name in COLAB_LACKS}
    if surplus:
        report.faults.append(f"pip was asked for what Colab has: {', '.join(sorted(surplus))}")
    if wants_widgets and not report.widgets:
        report.faults.append("no widget was shown")
    if not front_end.errors:  # of the last cell, the probe
        seen = json.loads(probe.outputs[0].text)
        report.peak_megabytes = seen["peak"] / 1024
        report.faults += _foreign(seen, home)
    return report


class _Kernels(KernelSpecManager):
    """Knows one kernel, that of the given interpreter, whatever name is asked for."""

    def __init__(self, interpreter: Path):
        super().__init__()
        self._interpreter = interpreter

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        argv = [str(self._interpreter), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name=kernel_name, language="python")


def _faults(cell: str, front_end: FrontEnd) -> list[str]:
    errors = [f"cell {cell!r}: {each['traceback']}" for each in front_end.errors]
    stderr = front_end.stderr.strip()
    return errors + ([f"cell {cell!r} printed on stderr:\n{stderr}"] if stderr else [])


def _foreign(seen: dict, home: Path) -> list[str]:
    """Say what the probe saw that a visitor's kernel must not have."""
    faults = []
    if not seen["calls"]:
        faults.append("the widget manager was not enabled")
    if not Path(seen["course"]).is_relative_to(home):
        faults.append(f"utils came from {seen['course']}, not from the clone")
    for name, pinned in PINS.items():
        if Version(seen["versions"][name]).public != pinned:
            faults.append(f"{name} is {seen['versions'][name]}, Colab has {pinned}")
    return faults
