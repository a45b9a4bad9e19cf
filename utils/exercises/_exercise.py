"""What an exercise is: reference solution, check, hints, why, and the wrong answers it knows."""

from __future__ import annotations

import ast
import dis
import importlib
import inspect
import pkgutil
import re
import textwrap
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from utils.exercises._compare import Wrong
from utils.exercises._run import Stop, TimedOut, run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class UnknownExercise(LookupError):
    """There is no exercise of that name."""


class Unanswered(Exception):
    """The learner has not written anything yet; the text may add a remark."""


class Mistake(NamedTuple):
    """A wrong answer and a part of the message it must earn."""

    message: str
    answer: Callable[..., Any]


@dataclass(frozen=True)
class Verdict:
    """How an answer fared: ``✔`` right, ``✘`` wrong or ``○`` not there yet, and why."""

    mark: Literal["✔", "✘", "○"]
    text: str


class Exercise:
    """One exercise. Made by `exercise`, completed by its `check` and `wrong` decorators.

    Attributes:
        id: chapter and number, ``"01.4"``.
        name: what the learner writes; the name of the reference solution.
        task: what to do, in a sentence or two; the reference's docstring.
        reference: the solution; for an answer that is a value, a function that returns it.
        hints: steps toward the solution.
        why: why the solution is right.
        is_value: whether the answer is a value and not a function.
        mistakes: the wrong answers that the check is proved to recognize.

    """

    def __init__(
        self, id: str, reference: Callable, hints: Sequence[str], why: str, is_value: bool
    ):
        self.id, self.reference = id, reference
        self.name, self.task = reference.__name__, inspect.getdoc(reference) or ""
        self.hints, self.why, self.is_value = tuple(hints), why, is_value
        self.mistakes: list[Mistake] = []
        self.test: Callable[[Any, Any], None] | None = None
        self._hints_shown = 0

    def check(self, test: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
        """Decorator: ``test(answer, rng)`` raises `Wrong` unless the answer is right."""
        self.test = test
        return test

    def wrong(self, message: str) -> Callable[[Callable], Callable]:
        """Decorator: this answer is wrong and the check's message contains `message`."""

        def keep(answer: Callable) -> Callable:
            self.mistakes.append(Mistake(message, answer))
            return answer

        return keep

    def judge(self, answer: Any, limit: float) -> Verdict:
        """Try `answer` for at most `limit` seconds; the same answer earns the same verdict."""
        import numpy as np

        if _is_unanswered(answer, parts=self.is_value):
            return Verdict("○", "not answered yet")
        rng = np.random.default_rng([int(part) for part in self.id.split(".")])
        try:
            with warnings.catch_warnings(record=True) as log:
                warnings.simplefilter("always")
                if not self.is_value:
                    answer = Answer(answer, self.reference, log)
                elif callable(answer):
                    raise Wrong(f"the answer is a value, not a function: assign it to {self.name}")
                run(lambda: self.test(answer, rng), limit)
        except Unanswered as remark:
            return Verdict("○", f"not answered yet{remark}")
        except Wrong as mistake:
            return Verdict("✘", str(mistake))
        except TimedOut as timeout:
            return Verdict("✘", _tell_timeout(timeout, limit, answer))
        except Exception as error:
            return Verdict("✘", f"the check cannot read this answer ({_tell(error)})")
        return Verdict("✔", self.name)

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


class Answer:
    """The learner's function as a check calls it: each call tells what went wrong, by name.

    Attributes:
        warnings: the texts of the warnings that the latest call raised.

    Raises:
        Wrong: it is no function, takes other parameters, raised an exception, changed an argument
            in place, or returned None although it returned something before.
        Unanswered: it returned None, or ``...``.

    """

    def __init__(self, function: Any, reference: Callable, log: Sequence[warnings.WarningMessage]):
        self.function, self._log = function, log
        self.warnings: list[str] = []
        self._has_answered = False
        signature = inspect.signature(reference)
        self._names = tuple(signature.parameters)
        wanted = f"{reference.__name__}({', '.join(self._names)})"
        if not callable(function):
            raise Wrong(
                f"pass the function itself, {reference.__name__}, without parentheses; "
                f"got a value ({type(function).__name__})"
            )
        try:
            own = inspect.signature(function)
        except (TypeError, ValueError):  # some functions written in C keep theirs secret
            return
        try:
            own.bind(*self._names)
        except TypeError:
            taken = ", ".join(map(str, own.parameters.values()))
            raise Wrong(f"the function must take {wanted}; yours takes ({taken})") from None

    def __call__(self, *args: Any) -> Any:
        before = [_copy(argument) for argument in args]
        seen = len(self._log)
        try:
            value = self.function(*args)
        except Stop:
            raise
        except BaseException as error:
            stack = traceback.extract_tb(error.__traceback__)
            raise Wrong(_tell(error) + _tell_line(stack, self.function)) from None
        self.warnings = [str(entry.message) for entry in self._log[seen:]]
        for name, argument, copy in zip(self._names, args, before, strict=True):
            if not _equal(argument, copy):
                raise Wrong(f"{name} is changed in place: work on a copy or make a new array")
        if not _is_unanswered(value):
            self._has_answered = True
            return value
        if self._has_answered:
            raise Wrong("some inputs give None: a `return` is missing on one path")
        if value is not None or _is_stub(self.function):
            raise Unanswered
        raise Unanswered(": the function gives None, is a `return` missing?")


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


def _is_unanswered(value: Any, parts: bool = False) -> bool:
    """Whether `value` is None or holds an ``...``; with `parts`, None counts inside it as well."""
    if value is None or value is ...:
        return True
    if isinstance(value, tuple | list):
        return any(
            v is ... or ((parts or v is not None) and _is_unanswered(v, parts)) for v in value
        )
    if getattr(getattr(value, "dtype", None), "kind", "") == "O":
        return _is_unanswered(value.ravel().tolist(), parts)
    return False


def _is_stub(function: Any) -> bool:
    """Whether the function does nothing at all."""

    def stub() -> None: ...

    if not hasattr(function, "__code__"):
        return False
    own, empty = ([i.opname for i in dis.get_instructions(f)] for f in (function, stub))
    return own == empty


def _copy(value: Any) -> Any:
    """A copy of arrays and tensors, also in tuples, lists and dicts; anything else as it is."""
    if isinstance(value, tuple | list):
        return type(value)(map(_copy, value))
    if isinstance(value, dict):
        return {key: _copy(part) for key, part in value.items()}
    if hasattr(value, "detach"):
        return value.detach().clone()
    return value.copy() if hasattr(value, "dtype") and hasattr(value, "copy") else value


def _equal(value: Any, copy: Any) -> bool:
    import numpy as np

    if isinstance(value, tuple | list):
        return len(value) == len(copy) and all(map(_equal, value, copy))
    if isinstance(value, dict):
        return value.keys() == copy.keys() and all(_equal(value[key], copy[key]) for key in copy)
    if hasattr(value, "detach"):
        value, copy = value.detach().cpu().numpy(), copy.cpu().numpy()
    if not isinstance(value, np.ndarray):
        return True
    return np.array_equal(value, copy, equal_nan=value.dtype.kind in "fc")


def _tell(error: BaseException) -> str:
    """Type and message of an exception in one line that is the same in every run."""
    name = type(error).__name__.lstrip("_")
    if isinstance(error, SystemExit):
        return f"{name}: exit() would end the notebook; hand the result back with `return`"
    text = re.sub(r"0x[0-9a-fA-F]+", "0x…", " ".join(str(error).split()))
    if isinstance(error, RecursionError):
        text = "the function calls itself without an end"
    return f"{name}: {textwrap.shorten(text, 160, placeholder=' …')}" if text else name


def _tell_line(stack: Sequence[traceback.FrameSummary], function: Any) -> str:
    """The innermost line of the learner's own code; all cells of a notebook count as one folder."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    own = [f for f in stack if code and Path(f.filename).parent == Path(code.co_filename).parent]
    return f" (line {own[-1].lineno}: {own[-1].line})" if own else ""


def _tell_timeout(timeout: TimedOut, limit: float, answer: Any) -> str:
    line = _tell_line(timeout.stack, answer.function) if isinstance(answer, Answer) else ""
    if timeout.stopped:
        return f"no result after {limit:g} s: an endless loop?{line}"
    return f"no result after {limit:g} s, and it cannot be stopped{line}: restart the kernel"
