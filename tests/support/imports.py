"""What a piece of code imports, in a Python of its own."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.notebooks.execute import ROOT


def imported(code: str) -> set[str]:
    """Run `code` in a fresh Python and return the names of all modules that it then holds."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules, sep='\\n')"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())
