"""A race: contestants on one thread, each run in a process of its own; medians over seeds.

A bench is a module with a `RACE` that ends in ``sys.exit(RACE.main(sys.argv[1:]))``. What a
contestant reached is kept in ``tests/bench/results``; BENCHMARKS.md and README are made from there.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.notebooks.execute import ROOT

RESULTS = Path(__file__).parent / "results"
ONE_THREAD = {
    name: "1"
    for name in (
        *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"),
        *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),
    )
}
Result = dict[str, float]


class NotHere(Exception):
    """This machine cannot run the contestant; the text says why."""


class Stopwatch:
    """CPU seconds between the start and the end of a ``with`` block, in `seconds`."""

    seconds = 0.0

    def __enter__(self) -> Stopwatch:
        self._start = time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = self.so_far()

    def so_far(self) -> float:
        """CPU seconds since the start."""
        return time.process_time() - self._start


@dataclass(frozen=True)
class Contestant:
    """What is measured: `run` takes a seed and returns a value for some or all of the columns.

    Attributes:
        title: its row in the table.
        run: as above.
        target: what it should reach, in words.
        against: the name of another contestant; the table tells the ratio of their seconds.

    """

    title: str
    run: Callable[[int], Result]
    target: str = ""
    against: str = ""


@dataclass(frozen=True)
class Race:
    """Contestants that are compared in one table.

    Attributes:
        name: of the module in ``tests/bench``.
        title: what is measured; heads the table.
        columns: name of a measured value → how to format it.
        contestants: by a short name for the command line.
        headline: README's line, with medians as in the table for ``{contestant[column]}``.
        needs: a file in the folder COURSE_REAL_DATA, without which the race is skipped.

    """

    name: str
    title: str
    columns: Mapping[str, str]
    contestants: Mapping[str, Contestant]
    headline: str
    needs: str = ""

    @property
    def path(self) -> Path:
        """Where the results are kept."""
        return RESULTS / f"{self.name}.json"

    def main(self, arguments: Sequence[str]) -> int:
        """Run the named contestants, or all, keep what they reached and print the table."""
        parser = argparse.ArgumentParser(prog=f"python -m tests.bench.{self.name}")
        parser.add_argument("contestant", nargs="*", help=", ".join(self.contestants))
        parser.add_argument("--seeds", type=int, default=3, help="runs of each contestant")
        parser.add_argument("--once", type=int, metavar="SEED", help=argparse.SUPPRESS)
        options = parser.parse_args(arguments)
        unknown = set(options.contestant) - set(self.contestants)
        if unknown:
            parser.error(
                f"no contestant {unknown.pop()!r}; there are {', '.join(self.contestants)}"
            )
        if options.once is not None:
            (name,) = options.contestant
            print(json.dumps(self._once(name, options.once), default=float))
            return 0
        if self.needs and not real_data(self.needs, or_none=True):
            print(f"skipped: COURSE_REAL_DATA names no folder with {self.needs}")
            return 0
        kept = json.loads(self.path.read_text(encoding="utf-8")) if self.path.exists() else {}
        for name in options.contestant or self.contestants:
            runs = [self._in_a_process(name, seed) for seed in range(options.seeds)]
            if "not run" in runs[0]:
                print(f"{self.contestants[name].title} not run: {runs[0]['not run']}", flush=True)
                continue
            kept[name] = {"machine": machine(), "runs": runs}
            RESULTS.mkdir(exist_ok=True)
            self.path.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
            print(self.table({name: kept[name]}).splitlines()[-1], flush=True)
        print(f"\n{self.table(kept)}")
        return 0

    def table(self, kept: Mapping[str, dict]) -> str:
        """The medians of what was kept, in Markdown."""
        heads = [*self.columns, *(["ratio of seconds"] if self._compares else [])]
        lines = [
            f"| {self.title} | {' | '.join(heads)} | target |",
            f"|---|{'---:|' * len(heads)}---|",
        ]
        for name, contestant in self.contestants.items():
            if name in kept:
                values = [self._cell(column, kept[name]["runs"]) for column in self.columns]
                values += [self._ratio(name, kept)] if self._compares else []
                lines.append(f"| {contestant.title} | {' | '.join(values)} | {contestant.target} |")
        return "\n".join(lines)

    @property
    def _compares(self) -> bool:
        return any(contestant.against for contestant in self.contestants.values())

    def _ratio(self, name: str, kept: Mapping[str, dict]) -> str:
        other = self.contestants[name].against
        if other not in kept:
            return ""
        mine, its = (median(run["seconds"] for run in kept[n]["runs"]) for n in (name, other))
        return f"{mine / its:.2g} × {self.contestants[other].title.partition(':')[0]}"

    def missing(self, kept: Mapping[str, dict]) -> str:
        """A sentence that names the contestants without a result; empty where all have one."""
        titles = [c.title for name, c in self.contestants.items() if name not in kept]
        return f" Not run on this machine: {'; '.join(titles)}." if titles else ""

    def line(self, kept: Mapping[str, dict]) -> str:
        """The headline, with the medians of what was kept."""
        cells = {
            name: {column: self._cell(column, entry["runs"]) for column in self.columns}
            for name, entry in kept.items()
        }
        return self.headline.format(**cells)

    def _cell(self, column: str, runs: Sequence[Result]) -> str:
        values = [run[column] for run in runs if column in run]
        return self.columns[column].format(median(values)) if values else ""

    def _once(self, name: str, seed: int) -> dict:
        try:
            return self.contestants[name].run(seed)
        except NotHere as reason:
            return {"not run": str(reason)}

    def _in_a_process(self, name: str, seed: int) -> dict:
        command = [sys.executable, "-m", f"tests.bench.{self.name}", name, "--once", str(seed)]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=os.environ | ONE_THREAD | {"COURSE_QUIET": "1"},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return json.loads(done.stdout.splitlines()[-1])


def real_data(file: str, *, or_none: bool = False) -> Path | None:
    """Return the path of a file in the folder COURSE_REAL_DATA.

    Raises:
        NotHere: there is none, and `or_none` is False.

    """
    path = Path(os.environ.get("COURSE_REAL_DATA") or "-", file)
    if path.exists():
        return path
    if or_none:
        return None
    raise NotHere(f"COURSE_REAL_DATA names no folder with {file}")


def machine() -> str:
    """The kind of processor, for a reader who compares."""
    try:
        found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()
