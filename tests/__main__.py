"""Run all tests of the course and print the time of each part.

``python -m tests`` runs all, ``python -m tests style chapters`` two parts, ``python -m tests 05``
one chapter with its exercises, widgets and form; ``--jobs 2`` runs files of tests side by side.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

from utils.runtime import say

ROOT = Path(__file__).parents[1]
TOOLS = Path(sysconfig.get_path("scripts"))
PYTEST = [sys.executable, "-m", "pytest", "--quiet", "--durations=10", "--durations-min=1"]
STRICT = [
    "-p",
    "tests.notebooks.strict",
    "--nbval",
    "--nbval-current-env",
    "--nbval-cell-timeout=300",
    "--nbval-sanitize-with=tests/notebooks/sanitize.cfg",
]
PARTS = {  # name → commands
    "style": [
        [sys.executable, "-m", "ruff", "check", "."],
        [TOOLS / "oxlint", "utils/widgets"],
    ],
    "format": [
        [sys.executable, "-m", "ruff", "format", "--check", "."],
        [TOOLS / "oxfmt", "--check", "utils/widgets"],
    ],
    "fast tests": [[*PYTEST, "-m", "not browser and not slow and not machines", "tests"]],
    "slow tests": [[*PYTEST, "-m", "slow", "tests"]],
    "chapters": [[*PYTEST, *STRICT, "chapters"]],
    "machines": [[sys.executable, "-m", "tests.machines"]],
    "browser": [[*PYTEST, "-m", "browser", "-rs", "tests/browser"]],
}
# in one process the frameworks are loaded once
BOTH = {"fast and slow tests": [[*PYTEST, "-m", "not browser and not machines", "tests"]]}
OF_A_CHAPTER = (  # those of the first chapter have names without a number
    "tests/test_chapters_form.py",
    "tests/test_second_edition.py",
    "tests/test_exercises.py",
    "tests/test_mutants.py",
    "tests/test_widgets{}.py",
    "tests/browser/test_hero{}.py",
    "tests/browser/test_chapters.py",
)


def main(arguments: list[str]) -> int:
    """Run the named parts and chapters, or all parts; return 1 if any of them failed."""
    parser = argparse.ArgumentParser(prog="python -m tests", description=__doc__)
    parser.add_argument("part", nargs="*", help=f"{', '.join(PARTS)}, or the number of a chapter")
    parser.add_argument("--jobs", type=int, default=1, help="how many files are tested at a time")
    options = parser.parse_args(arguments)
    try:
        parts = plan(options.part)
    except ValueError as error:
        print(error)
        return 2
    ledger = []
    for name, commands in parts.items():
        say(f"\n── {name} ──")
        sys.stdout.flush()
        start = time.perf_counter()
        codes = [
            subprocess.run(
                side_by_side(command, options.jobs), cwd=ROOT, env=os.environ, check=False
            ).returncode
            for command in commands
        ]
        ledger.append((name, time.perf_counter() - start, any(codes)))
    say("\n── time ──")
    for name, seconds, failed in ledger:
        print(f"{name:20} {seconds:7.1f} s   {'failed' if failed else 'ok'}")
    print(f"{'all':20} {sum(seconds for _, seconds, _ in ledger):7.1f} s")
    return int(any(failed for _, _, failed in ledger))


def plan(names: list[str]) -> dict[str, list]:
    """Return the commands of each part, by name, in the order of running.

    Raises:
        ValueError: a name that is no part's and no chapter's.

    """
    parts = {}
    for name in names or PARTS:
        if name in PARTS:
            parts[name] = PARTS[name]
        elif name.isdecimal() and (chapters := [*ROOT.glob(f"chapters/{name:0>2}_*.ipynb")]):
            parts[chapters[0].stem] = of_chapter(chapters[0])
        else:
            raise ValueError(f"no part {name!r}; the parts are: {', '.join(PARTS)}; or a chapter")
    if parts.keys() >= {"fast tests", "slow tests"}:
        both = iter(BOTH.items())
        parts = dict(
            next(both) if name == "fast tests" else (name, commands)
            for name, commands in parts.items()
            if name != "slow tests"
        )
    return parts


def of_chapter(path: Path) -> list[list]:
    """Return the commands that test one chapter with its exercises, widgets and form."""
    number = path.stem[:2]
    suffix = "" if number == "01" else f"_{number}*"
    files, own = [], []
    for form in OF_A_CHAPTER:
        found = sorted(ROOT.glob(form.format(suffix)))
        files += [each.relative_to(ROOT).as_posix() for each in found]
        own += [each.name for each in found] if "{}" in form else []
    return [
        [*PYTEST, *STRICT, path.relative_to(ROOT).as_posix()],
        [*PYTEST, "-k", " or ".join((number, *own)), *files],
    ]


def side_by_side(command: list, jobs: int) -> list:
    """Return the command, with pytest's work shared among `jobs` processes, each file in one."""
    if jobs == 1 or "pytest" not in command:
        return command
    # one file of the browser's tests holds all chapters
    share = "worksteal" if "browser" in command else "loadfile"
    return [*command, f"--numprocesses={jobs}", f"--dist={share}"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
