"""Measure the course against what a reader would take instead: ``python -m tests.bench [name …]``.

``python -m tests.bench --readme`` writes what the races reached last into BENCHMARKS.md and README.
"""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from pathlib import Path

from tests.bench import _readme
from tests.notebooks.execute import ROOT

BENCHES = sorted(
    m.name for m in pkgutil.iter_modules([str(Path(__file__).parent)]) if m.name[0] != "_"
)


def main(names: list[str]) -> int:
    """Run the named benches, or all, one after the other; return 1 if one of them failed."""
    if names == ["--readme"]:
        _readme.write()
        return 0
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        print(f"no bench {unknown[0]!r}; there are {', '.join(BENCHES)}")
        return 2
    failed = False
    for name in names or BENCHES:
        print(f"\n── {name} ──", flush=True)
        command = [sys.executable, "-m", f"tests.bench.{name}"]
        failed |= bool(subprocess.run(command, cwd=ROOT, check=False).returncode)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
