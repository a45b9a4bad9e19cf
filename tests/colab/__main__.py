"""Run chapters as on Colab: ``python -m tests.colab [chapter …]``, without any 00 and 01."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.colab.packages import python
from tests.colab.run import run_chapter, snapshot
from tests.notebooks.execute import CHAPTERS
from tests.notebooks.refresh import find


def main(names: list[str]) -> int:
    """Run the named chapters, print time and memory of each; return 1 if one has a fault."""
    try:
        chapters = [find(name) for name in names] or sorted(CHAPTERS.glob("0[01]_*.ipynb"))
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    interpreter, failed = python(), not chapters
    if failed:
        print(f"no chapter 00 or 01 in {CHAPTERS}", file=sys.stderr)
    with TemporaryDirectory() as folder:
        address = snapshot(Path(folder))
        for chapter in chapters:
            report = run_chapter(chapter, interpreter, address, Path(folder, chapter.stem))
            failed |= bool(report.faults)
            print(
                f"{'✘' if report.faults else '✔'} {chapter.name}: {report.seconds:.0f} s, "
                f"{report.peak_megabytes:.0f} MB, {report.widgets} widgets, "
                f"pip installed {', '.join(report.installed) or 'nothing'}",
                *report.faults,
                sep="\n  ",
                flush=True,
            )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
