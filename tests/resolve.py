"""Ask pip whether Binder's packages exist and fit together: ``python -m tests.resolve``.

Nothing is installed. It needs the package index, so it is no part of the tests.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import time

from tests.notebooks.execute import ROOT

# quiet twice: an index that cannot be reached is tolerated where another has the package
DRY = ["--dry-run", "--ignore-installed", "--quiet", "--quiet", "--retries=0", "--report=-"]


def post_build() -> list[str]:
    """Return the arguments of ``pip install`` in ``binder/postBuild``."""
    text = (ROOT / "binder" / "postBuild").read_text(encoding="utf-8").replace("\\\n", " ")
    (command,) = re.findall("python -m pip install (.*)", text)
    return shlex.split(command)


def main() -> int:
    """Resolve the list; return 1 if there is no solution, or one with the wrong torch."""
    begun = time.perf_counter()
    command = [sys.executable, "-m", "pip", "install", *DRY, *post_build()]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        return 1
    chosen = {
        package["metadata"]["name"]: package["metadata"]["version"]
        for package in json.loads(done.stdout)["install"]
    }
    seconds = time.perf_counter() - begun
    print(f"✔ {len(chosen)} packages fit together, with torch {chosen['torch']} ({seconds:.0f} s)")
    if sys.platform == "linux" and not chosen["torch"].endswith("+cpu"):
        print("✘ Binder would get gigabytes of CUDA: PyTorch's index of CPU wheels was not used")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
