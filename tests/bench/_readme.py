"""README's tables of measurements, made from what the races left in ``tests/bench/results``."""

from __future__ import annotations

import importlib
import json
import re

from tests.bench._race import RESULTS, Race
from tests.notebooks.execute import ROOT

README = ROOT / "README.md"
PLACE = re.compile(r"(<!-- bench: [^\n]* -->\n).*?(<!-- /bench -->)", re.DOTALL)


def tables() -> str:
    """One table for each race that was run, and on what machine."""
    parts = []
    for path in sorted(RESULTS.glob("*.json")):
        race: Race = importlib.import_module(f"tests.bench.{path.stem}").RACE
        kept = json.loads(path.read_text(encoding="utf-8"))
        machines = sorted({entry["machine"] for entry in kept.values()})
        runs = sorted({len(entry["runs"]) for entry in kept.values()})
        count = f"{runs[0]}" if len(runs) == 1 else f"{runs[0]} to {runs[-1]}"
        parts.append(
            f"{race.table(kept)}\n\n`make bench`, {race.name}: medians of {count} seeds on one "
            f"thread of {' and '.join(machines)}; CPU seconds of training.{race.missing(kept)}"
        )
    return "\n\n".join(parts)


def with_tables(text: str) -> str:
    """README's text with the present tables in their place.

    Raises:
        ValueError: README has no place for them.

    """
    text, found = PLACE.subn(lambda m: f"{m[1]}\n{tables()}\n\n{m[2]}", text)
    if found != 1:
        raise ValueError("README.md must have one '<!-- bench: … -->' and '<!-- /bench -->'")
    return text


def write() -> None:
    """Bring README up to date."""
    README.write_text(with_tables(README.read_text(encoding="utf-8")), encoding="utf-8")
