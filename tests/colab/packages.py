"""The packages of Colab that matter to the course, and a cached environment that holds them."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from tests.notebooks.execute import ROOT
from tests.support.pins import pinned

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = ROOT / ".venv-colab"

# Colab's versions of 2026-08-19. Two differ: Colab has Python 3.13 and torch 2.11; here runs the
# Python at hand, with the torch that the course pins.
PINS = {
    "anywidget": "0.9.21",
    "ipykernel": "6.17.1",
    "ipython": "7.34.0",
    "ipywidgets": "7.7.1",
    "jupyterlab_widgets": "1.1.11",
    "keras": "3.13.2",
    "matplotlib": "3.10.0",
    "numpy": "2.1.3",
    "tensorflow": "2.20.0",
    "torch": "2.13.0",
}
# Colab has these too, in versions that change often and that the course does not depend on.
# mlxtend is left out on purpose: the bootstrap cell must be seen to install something.
UNPINNED = (
    "pandas",
    "pillow",
    "platformdirs",
    "pooch",
    "requests",
    "scikit-learn",
    "scipy",
    "sentence-transformers",
    "statsmodels",
    "tqdm",
    "transformers",
)


def requirements() -> list[str]:
    """Return what pip is asked for, the pinned packages first."""
    # Colab's torch is built for GPUs and brings triton; the CPU's wheel does not
    triton = f"triton=={pinned()['triton']}; sys_platform == 'linux'"
    return [f"{name}=={version}" for name, version in PINS.items()] + [triton, *UNPINNED]


def python(folder: Path = FOLDER) -> Path:
    """Return the interpreter of the environment, which is made first where it is missing or old.

    The course itself is not installed in it. The folder hides itself from git.

    Raises:
        subprocess.CalledProcessError: pip could not install a package; its message was printed.

    """
    interpreter, stamp = folder / "bin" / "python", folder / "requirements.txt"
    wanted = "\n".join(requirements()) + "\n"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        print("Making an environment with Colab's packages; this takes some minutes, once.")
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        (folder / ".gitignore").write_text("*\n", encoding="utf-8")
        pip = [interpreter, "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, *requirements()], check=True)
        stamp.write_text(wanted, encoding="utf-8")
    return interpreter
