"""Exercises that answer back: check, hint and solution, and the learner's progress.

    check("01.4", sigmoid_slope)     ✔ 01.4 sigmoid_slope
                                     ✘ 01.4 what is wrong   → hint("01.4")
                                     ○ 01.4 not answered yet

The exercises of chapter NN live in ``chapter_NN.py``, which is imported when one is asked for.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from utils import progress as kept
from utils import runtime
from utils.exercises._apart import judge_apart
from utils.exercises._exercise import UnknownExercise, chapters, exercises, find

__all__ = [
    "ChapterProgress",
    "UnknownExercise",
    "check",
    "hint",
    "progress",
    "solution",
]

_MISSING: Any = object()


class ChapterProgress(NamedTuple):
    """How many exercises of a chapter are solved."""

    chapter: str
    passed: int
    total: int


def check(id: str, answer: Any = _MISSING, *, limit: float = 10.0) -> None:
    """Print whether `answer` solves exercise `id`, and what is wrong with it; keep a pass.

    `answer` is the function or the value that the exercise asks for. Its code may run for `limit`
    seconds, and whatever it does, the notebook goes on.

    Raises:
        UnknownExercise: there is no such exercise.
        TypeError: `id` is not text.

    """
    runtime.prepare_tensorflow()  # which an answer may import
    exercise = find(id)
    if answer is _MISSING:
        runtime.say(f'○ {id} not answered yet   → check("{id}", {exercise.name})')
        return
    verdict = judge_apart(lambda: exercise.judge(answer, limit), limit)
    pointer = f'   → hint("{id}")' if verdict.mark == "✘" else ""
    runtime.say(f"{verdict.mark} {id} {verdict.text}{pointer}")
    if verdict.mark == "✔":
        kept.record([id])


def hint(id: str) -> None:
    """Print the next hint for exercise `id`.

    Raises:
        UnknownExercise: there is no such exercise.
        TypeError: `id` is not text.

    """
    runtime.say(find(id).next_hint())


def solution(id: str) -> None:
    """Print the solution of exercise `id` and why it is right.

    Raises:
        UnknownExercise: there is no such exercise.
        TypeError: `id` is not text.

    """
    runtime.say(find(id).solution())


def progress() -> list[ChapterProgress]:
    """How many exercises of each chapter are solved, in the order of the chapters."""
    passed = kept.passed()
    ids = {chapter: exercises(chapter).keys() for chapter in chapters()}
    return [ChapterProgress(c, len(passed & known), len(known)) for c, known in ids.items()]
