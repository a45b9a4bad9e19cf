"""Run all tests of the course and print the time of each part: ``python -m tests``."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

from utils.runtime import say

ROOT = Path(__file__).parents[1]
TOOLS = Path(sysconfig.get_path("scripts"))
PYTEST = [sys.executable, "-m", "pytest", "--quiet"]
STRICT = [
    "-p", "tests.notebooks.strict",
    "--nbval", "--nbval-current-env", "--nbval-cell-timeout=300",
    "--nbval-sanitize-with=tests/notebooks/sanitize.cfg",
]  # fmt: skip
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


def main(names: list[str]) -> int:
    """Run the named parts, or all; return 1 if any of them failed."""
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        print(f"no part {unknown[0]!r}; the parts are: {', '.join(PARTS)}")
        return 2
    ledger = []
    for name in names or PARTS:
        say(f"\n── {name} ──")
        sys.stdout.flush()
        start = time.perf_counter()
        codes = [
            subprocess.run(command, cwd=ROOT, env=os.environ, check=False).returncode
            for command in PARTS[name]
        ]
        ledger.append((name, time.perf_counter() - start, any(codes)))
    say("\n── time ──")
    for name, seconds, failed in ledger:
        print(f"{name:12} {seconds:7.1f} s   {'failed' if failed else 'ok'}")
    print(f"{'all':12} {sum(seconds for _, seconds, _ in ledger):7.1f} s")
    return int(any(failed for _, _, failed in ledger))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
