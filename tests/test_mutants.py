"""Each check refuses every small change of its own solution, unless the change is right, too."""

from __future__ import annotations

import csv
import io
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stdout
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pytest
from support.mutants import mutants

from utils.exercises._apart import judge_apart
from utils.exercises._exercise import chapters, exercises

LIMIT = 5  # s; a change may make a loop endless
# id, change and which of its kind, why it is right: by an identity, as another answer, or left open
EQUIVALENT = Path(__file__).with_name("equivalent_mutants.tsv")


def known() -> dict[tuple[str, str], str]:
    """The changes that no check can refuse, with the reason for each."""
    with EQUIVALENT.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return {(id, change): why for id, change, why in rows}


def survivors(chapter: str) -> set[tuple[str, str]]:
    """The changes that the checks of a chapter accept."""
    found = set()
    for exercise in exercises(chapter).values():
        count = Counter()
        solution = exercise.reference
        exercise.judge(solution() if exercise.is_value else solution, 60)  # loads its data, once
        for change, mutant in mutants(exercise.reference):
            count[change] += 1
            with redirect_stdout(io.StringIO()):
                try:
                    answer = mutant() if exercise.is_value else mutant
                except Exception:  # an expression that cannot be computed was refused by Python
                    continue
                judge = partial(exercise.judge, answer, LIMIT, is_brief=True)
                if judge_apart(judge, LIMIT).mark == "✔":
                    found.add((exercise.id, f"{change} #{count[change]}"))
    return found


@pytest.fixture(scope="module")
def small_process():
    """A process without the frameworks that other tests have loaded: its children start faster."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield pool


@pytest.mark.slow
@pytest.mark.parametrize("chapter", chapters())
def test_a_check_refuses_every_change_of_its_solution(chapter, small_process):
    expected = {key for key in known() if key[0].startswith(f"{chapter}.")}
    assert small_process.submit(survivors, chapter).result() == expected


def test_the_list_of_right_changes_is_short_and_reasoned():
    assert len(known()) <= 120
    assert all(len(why) > 10 for why in known().values())


def test_the_rules_find_the_usual_slips():
    def mean_of_squares(x, axis=0):
        return (x**2 - 1.0).mean(axis=axis) if x.ndim > 1 else x.T @ x

    changes = {change for change, _ in mutants(mean_of_squares)}
    assert {
        "x ** 2 - 1.0 → x ** 2 + 1.0", "x ** 2 - 1.0 → x ** 2", "x ** 2 → x", "2 → 3",
        "x.T → x", "x.ndim > 1 → x.ndim >= 1", "(x ** 2 - 1.0).mean → (x ** 2 - 1.0).sum",
    } <= changes  # fmt: skip
