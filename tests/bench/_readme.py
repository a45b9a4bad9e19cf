"""BENCHMARKS.md and README's lines, made from what the races left in ``tests/bench/results``."""

from __future__ import annotations

import importlib
import json
import re

from tests.bench._race import RESULTS, Race
from tests.notebooks.execute import ROOT

TABLES, README = ROOT / "BENCHMARKS.md", ROOT / "README.md"
PLACE = re.compile(r"(<!-- bench: [^\n]* -->\n).*?(<!-- /bench -->)", re.DOTALL)


def results() -> list[tuple[Race, dict]]:
    """Each race that was run, with what it left."""
    return [
        (
            importlib.import_module(f"tests.bench.{path.stem}").RACE,
            json.loads(path.read_text(encoding="utf-8")),
        )
        for path in sorted(RESULTS.glob("*.json"))
    ]


def tables() -> str:
    """One table for each race that was run, and on what machine."""
    parts = []
    for race, kept in results():
        machines = sorted({entry["machine"] for entry in kept.values()})
        runs = sorted({len(entry["runs"]) for entry in kept.values()})
        count = f"{runs[0]}" if len(runs) == 1 else f"{runs[0]} to {runs[-1]}"
        parts.append(
            f"{race.table(kept)}\n\n`make bench`, {race.name}: medians of {count} seeds on one "
            f"thread of {' and '.join(machines)}; CPU seconds of training.{race.missing(kept)}"
        )
    return "\n\n".join(parts)


def lines() -> str:
    """One line for each race that was run."""
    return "\n".join(f"- {race.line(kept)}" for race, kept in results())


def filled(text: str, content: str) -> str:
    """A page's text with `content` in its place.

    Raises:
        ValueError: the page has no place for it.

    """
    text, found = PLACE.subn(lambda m: f"{m[1]}\n{content}\n\n{m[2]}", text)
    if found != 1:
        raise ValueError("the page must have one '<!-- bench: … -->' and '<!-- /bench -->'")
    return text


def write() -> None:
    """Bring both pages up to date."""
    for page, content in ((TABLES, tables()), (README, lines())):
        page.write_text(filled(page.read_text(encoding="utf-8"), content), encoding="utf-8")
