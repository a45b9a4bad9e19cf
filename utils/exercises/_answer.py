"""The learner's function as a check calls it: whatever it does is told in one line."""

from __future__ import annotations

import copy
import dis
import inspect
import re
import textwrap
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils.exercises._compare import Wrong
from utils.exercises._run import Stop

if TYPE_CHECKING:
    import warnings
    from collections.abc import Callable, Sequence


ADVICE = {  # what NumPy's and Python's words mean, by a pattern of them
    r"^The truth value of an array": (
        "an `if` cannot decide for a whole array at once: use np.where, or a mask"
    ),
    r"could not be broadcast together with shapes (\(\d+(?:,\d+)*,?\)) (\([\d,]+\))": (
        r"shapes \1 and \2 do not fit entry by entry, counted from the last axis: is "
        "keepdims=True, [:, None] or a transpose missing?"
    ),
    r"^shapes (\([\d,]+\)) and (\([\d,]+\)) not aligned": (
        r"shapes \1 and \2 cannot be multiplied: the two axes that meet must be equally long"
    ),
    r"^matmul: .* \(size (\d+) is different from (\d+)\)": (
        r"@ meets axes of \2 and \1 numbers, which must be equal: are the factors in the right "
        "order, is one to be transposed?"
    ),
    r"^cannot reshape array of size (\d+) into shape (\([\d,]+\))": (
        r"\1 numbers do not fit into shape \2"
    ),
    r"^index (-?\d+) is out of bounds for axis (\d+) with size (\d+)": (
        r"index \1 is beyond axis \2, which has \3 entries"
    ),
    r"^too many indices for array: array is (\d)-dimensional, but (\d) were indexed": (
        r"\2 indices are given to an array with \1 axes"
    ),
    r"^axis (\d+) is out of bounds for array of dimension (\d+)": (
        r"there is no axis \1 in an array with \2 axes, counted from 0"
    ),
    r"^slice indices|^only integer scalar arrays can be converted|^only integers, slices|"
    r"must be integers or slices|^'(numpy\.float64|float)' object cannot be interpreted": (
        "an index or a size must be a whole number: use // or int()"
    ),
    r"^only (length-1|0-dimensional|size-1) arrays can be converted": (
        "math.… and float() take one number, not an array: use NumPy's functions"
    ),
    r"^(tuple|list) index out of range": r"a \1 has fewer entries than that index asks for",
    r"^name '(\w+)' is not defined": r"\1 is not defined: a typing error, or an argument?",
    r"^cannot access local variable '(\w+)'": r"\1 is used before it gets a value",
    r"^numpy boolean subtract": "truth values cannot be subtracted: use &, |, ~ or numbers",
    r"^ufunc 'bitwise_(and|or)' not supported|^unsupported operand type\(s\) for [&|]: 'float": (
        "& and | combine truth values: put the comparisons into parentheses"
    ),
    r"^setting an array element with a sequence": (
        "an array is put where one number belongs, or rows have different lengths"
    ),
    r"^'(float|int)' object (has no attribute|is not subscriptable)": (
        "an argument may be one plain number: np.asarray(…) makes an array of it"
    ),
    r"^Integers to negative integer powers": "whole numbers to a negative power: make them floats",
}


class Unanswered(Exception):
    """The learner has not written anything yet; the text may add a remark."""


class Answer:
    """The learner's function as a check calls it: each call tells what went wrong, by name.

    Attributes:
        reference: the solution.
        warnings: the texts of the warnings that the latest call raised.
        names: the names of the parameters wanted.
        mistakes: for the same arguments, what known mistakes give, by what to tell of them.
        draws: the inputs on which `agree` has tried the function so far.
        suspicion: what `agree` has found wrong so far, if anything.
        is_watched: whether `agree` is to keep the draws without a verdict.
        is_brief: whether a wrong result is enough, and nobody asks for its cause.
        has_answered: whether a call has come back with a result.

    Raises:
        Wrong: it is no function, takes other parameters, raised an exception, changed an argument
            in place, or returned None although it returned something before.
        Unanswered: it returned None, or ``...``.

    """

    def __init__(
        self,
        function: Any,
        reference: Callable,
        mistakes: Callable[..., dict[str, Any]],
        log: Sequence[warnings.WarningMessage],
    ):
        self.function, self.reference, self.mistakes = function, reference, mistakes
        self._log = log
        self.warnings: list[str] = []
        self.draws: list[Any] = []  # for `agree`, which fills them
        self.suspicion: Any = None
        self.is_watched = False
        self.is_brief = False
        self.has_answered = False
        self.names = tuple(inspect.signature(reference).parameters)
        wanted = f"{reference.__name__}({', '.join(self.names)})"
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
            own.bind(*self.names)
        except TypeError:
            taken = ", ".join(map(str, own.parameters.values()))
            raise Wrong(f"the function must take {wanted}; yours takes ({taken})") from None

    def __call__(self, *args: Any) -> Any:
        before = [copied(argument) for argument in args]
        seen = len(self._log)
        try:
            value = self.function(*args)
        except (Stop, Wrong):  # the second from a function that the check has given
            raise
        except BaseException as error:
            stack = traceback.extract_tb(error.__traceback__)
            raise Wrong(tell(error, advise=True) + tell_line(stack, self.function)) from None
        self.warnings = [str(entry.message) for entry in self._log[seen:]]
        for name, argument, kept in zip(self.names, args, before, strict=True):
            if not _equal(argument, kept):
                raise Wrong(f"{name} is changed in place: work on a copy or make a new array")
        if not is_unanswered(value):
            self.has_answered = True
            return value
        if self.has_answered:
            raise Wrong("some inputs give None: a `return` is missing on one path")
        if value is not None or _is_stub(self.function):
            raise Unanswered
        raise Unanswered(": the function gives None, is a `return` missing?")


def is_unanswered(value: Any, parts: bool = False) -> bool:
    """Whether `value` is None or holds an ``...``; with `parts`, None counts inside it as well."""
    if value is None or value is ...:
        return True
    if isinstance(value, tuple | list):
        return any(
            v is ... or ((parts or v is not None) and is_unanswered(v, parts)) for v in value
        )
    if getattr(getattr(value, "dtype", None), "kind", "") == "O":
        return is_unanswered(value.ravel().tolist(), parts)
    return False


def tell(error: BaseException, advise: bool = False) -> str:
    """Type and message of an exception in one line that is the same in every run, or advice."""
    name = type(error).__name__.lstrip("_")
    if isinstance(error, SystemExit):
        return f"{name}: exit() would end the notebook; hand the result back with `return`"
    text = re.sub(r"0x[0-9a-fA-F]+", "0x…", " ".join(str(error).split()))
    for pattern, advice in ADVICE.items() if advise else ():
        match = re.search(pattern, text)
        if match:
            return f"{match.expand(advice)} ({name})"
    if isinstance(error, RecursionError):
        text = "the function calls itself without an end"
    return f"{name}: {textwrap.shorten(text, 160, placeholder=' …')}" if text else name


def tell_line(stack: Sequence[traceback.FrameSummary], function: Any) -> str:
    """The innermost line of the learner's own code; all cells of a notebook count as one folder."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    own = [f for f in stack if code and Path(f.filename).parent == Path(code.co_filename).parent]
    return f" (line {own[-1].lineno}: {own[-1].line})" if own else ""


def _is_stub(function: Any) -> bool:
    """Whether the function does nothing at all."""

    def stub() -> None: ...

    if not hasattr(function, "__code__"):
        return False
    own, empty = ([i.opname for i in dis.get_instructions(f)] for f in (function, stub))
    return own == empty


def copied(value: Any) -> Any:
    """A copy of what a function could change: arrays, tensors, containers, random generators."""
    if isinstance(value, tuple | list):
        return type(value)(map(copied, value))
    if isinstance(value, dict):
        return {key: copied(part) for key, part in value.items()}
    if hasattr(value, "detach"):
        return value.detach().clone()
    if hasattr(value, "bit_generator"):
        return copy.deepcopy(value)
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
