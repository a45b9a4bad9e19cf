"""What an exercise is: reference solution, check, wrong answers, hints and why."""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib
import inspect
import itertools
import math
import pkgutil
import re
import textwrap
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from utils.exercises._answer import (
    Answer,
    Unanswered,
    is_unanswered,
    tell,
    tell_line,
)
from utils.exercises._compare import Wrong
from utils.exercises._run import TimedOut, run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Table = Callable[..., dict[str, Any]]


class UnknownExercise(LookupError):
    """There is no exercise of that name."""


@dataclass(frozen=True)
class Verdict:
    """How an answer fared: ``✔`` right, ``✘`` wrong or ``○`` not there yet, and why."""

    mark: Literal["✔", "✘", "○"]
    text: str


class WrongAnswer(NamedTuple):
    """A wrong answer and the message that it must earn, or a part of it."""

    message: str
    answer: Any


class Exercise:
    """One exercise. Made by `exercise`, completed by its check and its wrong answers.

    Each wrong answer is written once. `mistake` and `mistakes` take those that `agree` recognizes
    by their results; their messages are what the learner is told. `wrong` and `wrongs` take those
    that the check refuses in its own words, with a part of these words.

    Attributes:
        id: chapter and number, ``"01.4"``.
        name: what the learner writes; the name of the reference solution.
        task: what to do, in a sentence or two; the reference's docstring.
        reference: the solution; for an answer that is a value, a function that returns it.
        hints: steps toward the solution.
        why: why the solution is right.
        is_value: whether the answer is a value and not a function.

    """

    def __init__(
        self, id: str, reference: Callable, hints: Sequence[str], why: str, is_value: bool
    ):
        self.id, self.reference = id, reference
        self.name, self.task = reference.__name__, inspect.getdoc(reference) or ""
        self.hints, self.why, self.is_value = tuple(hints), why, is_value
        self.test: Callable[[Any, Any], None] | None = None
        self._tables: list[Table] = []
        self._mistaken: dict[str, Callable] = {}
        self._refused: list[WrongAnswer] = []
        self._hints_shown = 0

    def check(self, test: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
        """Decorator: ``test(answer, rng)`` raises `Wrong` unless the answer is right."""
        self.test = test
        return test

    def mistakes(self, table: Table) -> Table:
        """Decorator: for the arguments of the exercise, what mistakes give, by what to tell.

        Of several results, those that a mistake leaves right may be ``...``; ``{part}`` in what to
        tell is the name of the one that is wrong.
        """
        self._tables.append(table)
        return table

    def mistake(self, message: str) -> Callable[[Callable], Callable]:
        """Decorator: the function makes one mistake, of which `message` tells the learner."""

        def keep(function: Callable) -> Callable:
            self._mistaken[message] = function
            return function

        return keep

    def wrong(self, words: str) -> Callable[[Callable], Callable]:
        """Decorator: the check refuses this function in words of its own, `words` among them."""

        def keep(function: Callable) -> Callable:
            self._refused.append(WrongAnswer(words, function))
            return function

        return keep

    def wrongs(self, answers: Mapping[str, Any]) -> None:
        """Register functions or values that the check refuses, each behind some of its words."""
        self._refused += [WrongAnswer(words, answer) for words, answer in answers.items()]

    def wrong_answers(self) -> list[WrongAnswer]:
        """All answers that the exercise is known to refuse: each mistake as a function."""
        inputs = []

        def spy(*args: Any) -> Any:
            inputs.append(args)
            return self.reference(*args)

        def entry(table: Table, message: str, *args: Any) -> Any:
            return table(*args)[message]

        def completed(mistake: Callable, *args: Any) -> Any:
            results = mistake(*args)
            if not isinstance(results, tuple):
                return results
            right = self.reference(*args)
            return tuple(b if a is ... else a for a, b in zip(results, right, strict=True))

        found = {}
        if self._tables:
            self.judge(spy, math.inf)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for table, args in itertools.product(self._tables, inputs):
                found |= {
                    message: functools.partial(entry, table, message) for message in table(*args)
                }
        named = [
            WrongAnswer(message.partition("{part}")[2] or message, functools.partial(completed, f))
            for message, f in (found | self._mistaken).items()
        ]
        return named + self._refused

    def _mistakes(self, *args: Any) -> dict[str, Any]:
        """What mistakes give for these arguments, where they can be made."""
        found = {}
        for table in self._tables:
            with contextlib.suppress(Exception):
                found |= table(*args)
        for message, function in self._mistaken.items():
            with contextlib.suppress(Exception):
                found[message] = function(*args)
        return found

    def judge(self, answer: Any, limit: float, *, is_brief: bool = False) -> Verdict:
        """Try `answer` for at most `limit` seconds; the same answer earns the same verdict.

        With `is_brief` nobody looks for the cause of a wrong result, which takes longer than to
        find that it is wrong.
        """
        import numpy as np

        from utils.exercises._examine import examine

        if is_unanswered(answer, parts=self.is_value):
            return Verdict("○", "not answered yet")
        rng = np.random.default_rng([int(part) for part in self.id.split(".")])
        try:
            with warnings.catch_warnings(record=True) as log:
                warnings.simplefilter("always")
                if not self.is_value:
                    answer = Answer(answer, self.reference, self._mistakes, log)
                    answer.is_brief = is_brief
                    task = functools.partial(examine, answer, self.test, rng)
                elif callable(answer):
                    raise Wrong(f"the answer is a value, not a function: assign it to {self.name}")
                else:
                    task = functools.partial(self.test, answer, rng)
                run(task, limit)
        except Unanswered as remark:
            return Verdict("○", f"not answered yet{remark}")
        except Wrong as mistake:
            return Verdict("✘", str(mistake))
        except TimedOut as timeout:
            return Verdict("✘", _tell_timeout(timeout, limit, answer))
        except Exception as error:
            return Verdict("✘", f"the check cannot read this answer ({tell(error)})")
        return Verdict("✔", self.name)

    @property
    def is_one_line(self) -> bool:
        """Whether the solution is a single statement on a single line."""
        body = ast.parse(textwrap.dedent(inspect.getsource(self.reference))).body[0].body[1:]
        return len(body) == 1 and body[0].lineno == body[0].end_lineno

    def next_hint(self) -> str:
        """One more hint at each call; the last one points to the solution and is then repeated."""
        count = len(self.hints)
        self._hints_shown = min(self._hints_shown + 1, count)
        pointer = f'   → solution("{self.id}")' if self._hints_shown == count else ""
        text = self.hints[self._hints_shown - 1]
        return f"hint {self._hints_shown} of {count}: {text}{pointer}"

    def solution(self) -> str:
        """The reference solution as a learner would write it, and why it is right."""
        source = textwrap.dedent(inspect.getsource(self.reference))
        function = ast.parse(source).body[0]
        lines = source.splitlines()
        if not self.is_value:
            code = "\n".join(lines[function.lineno - 1 :])
        else:
            body = textwrap.dedent("\n".join(lines[function.body[1].lineno - 1 :]))
            code = re.sub(r"^return\b", f"{self.name} =", body, flags=re.MULTILINE)
        return f"{code}\n\nwhy: {self.why}"


def exercise(
    id: str, *, hints: Sequence[str], why: str, is_value: bool = False
) -> Callable[[Callable], Exercise]:
    """Decorator: the function is the reference solution of exercise `id`.

    With ``is_value`` the answer is not the function but what it returns, without arguments.
    """
    return lambda reference: Exercise(id, reference, hints, why, is_value)


def chapters() -> list[str]:
    """The numbers of all chapters with exercises: ``["01", …]``."""
    found = (re.fullmatch(r"chapter_(\d\d)", m.name) for m in pkgutil.iter_modules([_FOLDER]))
    return sorted(match[1] for match in found if match)


def exercises(chapter: str) -> dict[str, Exercise]:
    """All exercises of a chapter by id, in their order; imports the chapter's module."""
    module = importlib.import_module(f"utils.exercises.chapter_{chapter}")
    return {e.id: e for e in vars(module).values() if isinstance(e, Exercise)}


def find(id: str) -> Exercise:
    """The exercise of that id.

    Raises:
        UnknownExercise: there is none; the text says which there are.
        TypeError: `id` is not text.

    """
    if not isinstance(id, str):
        raise TypeError(f'an exercise is named by text such as "01.2", got {id!r}')
    match = re.fullmatch(r"(\d\d)\.\d+", id)
    if not match:
        raise UnknownExercise(f'{id!r} names no exercise: write chapter and number, as in "01.2"')
    if match[1] not in chapters():
        raise UnknownExercise(
            f"there is no exercise {id}; chapters with exercises: {', '.join(chapters())}"
        )
    known = exercises(match[1])
    if id not in known:
        have = ", ".join(known)
        raise UnknownExercise(f"there is no exercise {id}; chapter {match[1]} has {have}")
    return known[id]


_FOLDER = str(Path(__file__).parent)


def _tell_timeout(timeout: TimedOut, limit: float, answer: Any) -> str:
    line = tell_line(timeout.stack, answer.function) if isinstance(answer, Answer) else ""
    if timeout.stopped and isinstance(answer, Answer) and answer.has_answered:
        return (
            f"too slow: some inputs are answered, but not all within {limit:g} s{line}; "
            "is there a loop where one operation on arrays is enough?"
        )
    if timeout.stopped:
        return f"no result after {limit:g} s: an endless loop?{line}"
    return f"no result after {limit:g} s, and it cannot be stopped{line}: restart the kernel"
