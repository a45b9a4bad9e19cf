"""Run the course as on machines whose PyTorch is built for GPUs; no GPU is needed.

``python -m tests.machines``: the clash, and all chapters in smoke budget, with triton beside this
Python. ``python -m tests.machines 3.12 /path/to/python3.13``: for each Python an environment with
PyTorch's default wheel (7.5 GB); there the clash, the fast tests, and all chapters strictly.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from tests.__main__ import PYTEST, STRICT
from tests.notebooks.execute import ROOT
from tests.support.pins import pinned

FOLDER = ROOT / ".venv-machines"


def triton(folder: Path = FOLDER) -> Path | None:
    """Return a folder that holds the pinned triton alone, fetched once; None if it cannot be had.

    The folder hides itself from git.
    """
    version = pinned()["triton"]
    there = folder / f"triton-{version}-{sys.implementation.cache_tag}"
    if not there.exists():
        part = there.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        (folder / ".gitignore").write_text("*\n", encoding="utf-8")
        how = ["--quiet", "--no-deps", "--retries=0", f"--target={part}"]
        pip = [sys.executable, "-m", "pip", "install", *how, f"triton=={version}"]
        if subprocess.run(pip, check=False).returncode:
            shutil.rmtree(part)
            return None
        part.rename(there)
    return there


def beside_this_python() -> int:
    """Run the clash and all chapters in smoke budget with triton; return pytest's exit status."""
    env = os.environ | {"COURSE_BUDGET": "smoke"}
    if sys.platform != "linux":
        print("skipped: triton is a package for Linux")
        return 0
    if not find_spec("triton"):
        folder = triton()
        if folder is None:
            print("skipped: triton is not installed and cannot be fetched now")
            return 0
        path = [str(folder), *env.get("PYTHONPATH", "").split(os.pathsep)]
        env["PYTHONPATH"] = os.pathsep.join(filter(None, path))
    # apart: what holds for all of tests/ would give the chapters the quick budget
    commands = [*PYTEST, "tests/machines"], [*PYTEST, *STRICT, "chapters"]
    return max(
        subprocess.run(command, cwd=ROOT, env=env, check=False).returncode for command in commands
    )


def default_wheels(interpreter: Path, folder: Path = FOLDER) -> int:
    """Install what a user of `interpreter` gets on Linux, and test it; return 1 on failure.

    Raises:
        subprocess.CalledProcessError: the packages could not be installed.

    """
    tag = "import sys; print(sys.implementation.cache_tag)"
    done = subprocess.run([interpreter, "-c", tag], capture_output=True, text=True, check=True)
    home = folder / done.stdout.strip()
    python = home / "bin" / "python"
    # other sources than PyPI could bring the CPU's wheel
    env = {
        k: v for k, v in os.environ.items() if k not in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS")
    }
    if not python.exists():
        subprocess.run([interpreter, "-m", "venv", home], check=True)
        (folder / ".gitignore").write_text("*\n", encoding="utf-8")
    pip = [python, "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "--upgrade", "pip>=25.1"], check=True, env=env)
    course = ["--constraint", "constraints.txt", "--editable", ".", "--group", "test"]
    subprocess.run([*pip, *course], cwd=ROOT, check=True, env=env)
    clash = [python, *PYTEST[1:], "tests/machines"]
    rest = [python, "-m", "tests", "fast tests", "chapters"]
    return int(
        any([subprocess.run(run, cwd=ROOT, check=False).returncode for run in (clash, rest)])
    )


def find(name: str) -> Path:
    """Return the interpreter that a user means by a version (``3.12``) or a path.

    Raises:
        FileNotFoundError: there is none.

    """
    found = shutil.which(f"python{name}") or shutil.which(name)
    if not found:
        raise FileNotFoundError(f"no Python {name} on this machine; give a version or a path")
    return Path(found)


def main(names: list[str]) -> int:
    """Test beside this Python, or in an environment for each of the named ones."""
    if not names:
        return beside_this_python()
    try:
        interpreters = [find(name) for name in names]
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    return max(default_wheels(interpreter) for interpreter in interpreters)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
