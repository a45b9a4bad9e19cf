"""Run a check to its verdict; if no cause is known, with a call that a learner can try."""

from __future__ import annotations

import contextlib
import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from utils.exercises._agree import DRAWS, Draw
from utils.exercises._answer import copied
from utils.exercises._compare import DIGITS, Fact, Wrong, alike, numbers, same

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from utils.exercises._answer import Answer

TRIES = 6  # of a check with few and short numbers
CALL, SHORT, RESULT = 320, 120, 120  # characters that a message has room for
UNLIKE = 3  # draws that are tried as arrays of other kinds
CAUSES = {
    "overflow encountered in exp": "exp overflows",
    "overflow encountered in power": "a power overflows",
    "overflow encountered in square": "a square overflows",
    "overflow encountered in cosh": "cosh overflows",
    "divide by zero encountered in log": "log takes 0",
    "divide by zero encountered in arctanh": "arctanh takes ±1",
    "divide by zero encountered in divide": "it divides by 0",
    "divide by zero encountered in scalar divide": "it divides by 0",
    "invalid value encountered in log": "log takes a negative number",
    "invalid value encountered in sqrt": "sqrt takes a negative number",
    "invalid value encountered in power": "a negative number gets a fractional power",
    "invalid value encountered in divide": "it divides 0 by 0 or ∞ by ∞",
    "invalid value encountered in scalar divide": "it divides 0 by 0 or ∞ by ∞",
    "invalid value encountered in multiply": "it multiplies 0 by ∞",
    "invalid value encountered in subtract": "it takes ∞ from ∞",
    "Mean of empty slice": "it takes the mean of nothing",
}


class Small(np.random.Generator):
    """A random generator of few and short numbers, for examples that are easy to read.

    Attributes:
        smallest: the smallest size that `sizes` may draw.

    """

    def __init__(self, seed: int, smallest: int):
        super().__init__(np.random.PCG64(seed))
        self.smallest = smallest

    def normal(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        """Halves, and never 0."""
        value = np.round(2 * super().normal(0.0, 1.0, size)) / 2
        return loc + scale * (value + 0.5 * (value == 0))

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        """One decimal of the range."""
        return np.round(low + (np.asarray(high) - low) * self.random(size), 3)

    def random(self, size: Any = None, *args: Any, **kwargs: Any) -> Any:
        """One decimal, and neither 0 nor 1."""
        return np.clip(np.round(super().random(size), 1), 0.1, 0.9)

    def dirichlet(self, alpha: Any, size: Any = None) -> Any:
        """Shares in tenths, none of them 0."""
        count = len(alpha)
        parts = super().multinomial(max(10 - count, 0), np.ones(count) / count, size)
        return (parts + 1) / max(10, count)


def examine(
    answer: Answer, test: Callable[[Answer, np.random.Generator], None], rng: np.random.Generator
) -> None:
    """Run a check, again while a mistake is suspected that has shown on too few inputs.

    Raises:
        Wrong: the answer is wrong; if no cause is known, with the smallest call that shows it.

    """
    try:
        for _ in range(DRAWS):
            test(answer, rng)
            if not answer.suspicion:
                _check_other_arrays(answer)
                return
    except Wrong:
        if not answer.suspicion or answer.is_brief:
            raise
    if answer.suspicion.is_named:
        raise Wrong(answer.suspicion.text)
    raise Wrong(_failure(answer, test))


def _failure(answer: Answer, test: Callable[[Answer, np.random.Generator], None]) -> str:
    """Tell of the smallest input on which the answer is known to fail, and of what must come."""
    suspicion = answer.suspicion
    if _is_random(answer, suspicion.first, suspicion.part):
        return "the same input gives another result each time: draw no random numbers of your own"
    is_fact = isinstance(suspicion.fault, Fact)
    found = [
        (draw.is_empty, len(text), text)
        for draw in _draws(answer, test)
        if (text := _told(answer, draw, suspicion.part, is_fact))
    ]
    return min(found)[-1] if found else f"{suspicion.fault}{suspicion.case}"


def _is_random(answer: Answer, draw: Draw, part: int) -> bool:
    with contextlib.suppress(Exception):
        again = draw.run(answer, {})[part]
        is_readable = draw.equal(again, again)  # words, for one, are equal to nothing
        return is_readable and not draw.equal(again, draw.got[part])
    return False


def _draws(answer: Answer, test: Callable[[Answer, np.random.Generator], None]) -> list[Draw]:
    """Inputs with a wrong result: those of the check, and of the check with small numbers."""
    answer.is_watched = True
    for seed, smallest in itertools.product(range(TRIES // 2), (1, 2)):
        with contextlib.suppress(Exception):
            test(answer, Small(seed, smallest))
    part = answer.suspicion.part
    usable = (draw for draw in answer.draws if draw.got is not None and _is_usable(draw, part))
    few = sorted(usable, key=lambda draw: (draw.is_empty, draw.count))
    return few[: 2 * TRIES]


def _is_usable(draw: Draw, part: int) -> bool:
    return draw.is_wrong(part) and bool(np.all(np.isfinite(np.asarray(draw.truth[part], float))))


def _told(answer: Answer, draw: Draw, part: int, is_fact: bool) -> str | None:
    """A failure in words; None if this draw shows another one, or is too long to print."""
    try:
        same(draw.got[part], draw.truth[part], draw.names[part], draw.rtol, draw.atol, guess=False)
    except Wrong as fault:
        if isinstance(fault, Fact) != is_fact:
            return None
        inputs, got, truth = draw.inputs, None, None
        if not is_fact:
            inputs, got, truth = _shortened(answer, draw, part)
        call = _call(answer, inputs)
        if is_fact:
            return f"{fault}; try {call}" if len(call) < SHORT and "<" not in call else str(fault)
        if len(call) > CALL or "<" in call:
            return None
        came, due = _results(got, truth)
        name = f" as {draw.names[part]}" if len(draw.names) > 1 else ""
        return f"{_cause(draw, got, truth)}{call} gives {came}{name}, must give {due}"
    return None


def _call(answer: Answer, inputs: Mapping[str, Any]) -> str:
    return f"{answer.reference.__name__}({', '.join(map(written, inputs.values()))})"


def _cause(draw: Draw, got: Any, truth: Any) -> str:
    """Why a result is not finite, from what NumPy has warned of."""
    if np.all(np.isfinite(got)) or not np.all(np.isfinite(truth)):
        return ""
    known = (CAUSES.get(warning) for warning in draw.warnings)
    return next((f"{cause}: " for cause in known if cause), "")


def _shortened(answer: Answer, draw: Draw, part: int) -> tuple[Mapping[str, Any], Any, Any]:
    """Inputs, result and truth of a draw, with fewer digits if it fails on them, too."""
    for digits in (1, 2, 3):
        inputs = {name: _rounded(value, digits) for name, value in draw.inputs.items()}
        with contextlib.suppress(Exception):
            truth = draw.solve(copied(inputs))[part]
            got = answer(*copied(tuple(inputs.values())))
            got = got[part] if len(draw.names) > 1 else got
            known = draw.solve(copied(draw.inputs))[part]
            is_usual = alike(known, draw.truth[part], 1e-3, 1e-3)
            if is_usual and np.all(np.isfinite(truth)) and not draw.equal(got, truth):
                return inputs, numbers(got, ""), truth
    return draw.inputs, numbers(draw.got[part], ""), draw.truth[part]


def _rounded(value: Any, digits: int) -> Any:
    if getattr(getattr(value, "dtype", None), "kind", "") == "f" or isinstance(value, float):
        short = np.round(value, digits)
        return short if hasattr(value, "dtype") else float(short)
    return copied(value)


def written(value: Any) -> str:
    """A value as Python reads it."""
    if hasattr(value, "source"):
        return value.source
    if isinstance(value, np.ufunc):
        return f"np.{value.__name__}"
    if hasattr(value, "bit_generator"):
        return "np.random.default_rng(0)"
    if isinstance(value, np.ndarray):
        kind = f", {value.dtype.name!r}" if value.dtype == np.float32 else ""
        kind = ", int" if not value.size and value.dtype.kind in "iu" else kind
        return f"np.array({value.tolist()!r}{kind})"
    if isinstance(value, list | tuple):
        inside = ", ".join(map(written, value))
        return f"[{inside}]" if isinstance(value, list) else f"({inside}{',' * (len(value) == 1)})"
    return repr(value.item() if hasattr(value, "item") else value)


def _results(got: Any, truth: Any) -> tuple[str, str]:
    """What came and what was due, with as few digits as tell them apart."""
    got, truth = np.asarray(got), np.asarray(truth)
    pair = ("", "")
    for digits in DIGITS:
        pair = tuple(str(_plain(array.tolist(), digits)).replace("'", "") for array in (got, truth))
        if pair[0] != pair[1]:
            break
    if max(map(len, pair)) <= RESULT or got.shape != truth.shape:
        return pair
    index = tuple(np.argwhere(~np.isclose(got.astype(float), truth.astype(float)))[0].tolist())
    came, due = _results(got[index], truth[index])
    return f"{came} at {list(index)}", due


def _plain(value: Any, digits: int) -> Any:
    if isinstance(value, list):
        return [_plain(part, digits) for part in value]
    if isinstance(value, float):
        text = f"{value:.{digits}g}"
        return text + ".0" if text.lstrip("-").isdigit() else text
    return value


def _check_other_arrays(answer: Answer) -> None:
    """Check that the kind of an array does not matter: whole numbers, another order in memory.

    What the function itself gives for the usual kind is the measure; an exception is no silent
    error and passes.

    Raises:
        Wrong: it matters.

    """
    for draw, (turn, remark) in itertools.product(_unlike(answer.draws), KINDS.items()):

        def arguments(turn: Callable = turn, draw: Draw = draw, usual: bool = False) -> dict:
            values = {
                name: turn(value) if _is_float(value) else copied(value)
                for name, value in draw.inputs.items()
            }
            floats = {
                n: np.array(v, float, order="C")
                for n, v in values.items()
                if _is_float(draw.inputs[n])
            }
            return values | floats if usual else values

        def results(*args: Any, several: bool = len(draw.names) > 1) -> tuple[Any, ...]:
            value = answer(*args)
            return tuple(value) if several else (value,)

        try:
            truth, same_truth = draw.solve(arguments(usual=True)), draw.solve(arguments())
            ours, got = (results(*arguments(usual=u).values()) for u in (True, False))
        except Exception:
            continue
        for known, again, mine, other in zip(truth, same_truth, ours, got, strict=True):
            is_fair = draw.equal(known, again) and draw.equal(known, mine)
            if is_fair and np.all(np.isfinite(known)) and not draw.equal(mine, other):
                call = _call(answer, arguments())
                came, due = _results(numbers(other, ""), known)
                raise Wrong(f"{remark}: {call} gives {came}, must give {due}")


def _unlike(draws: Iterable[Draw]) -> list[Draw]:
    """The first draws, smallest first, whose inputs have different shapes."""
    found = {}
    for draw in draws:
        if draw.got is not None:
            found.setdefault(tuple(np.shape(v) for v in draw.inputs.values()), draw)
    return sorted(found.values(), key=lambda draw: draw.count)[:UNLIKE]


def _is_float(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.ndim > 0


def _strided(array: np.ndarray) -> np.ndarray:
    """A view with gaps, whose last axis comes first in memory."""
    wide = np.zeros((2 * array.shape[-1], *array.shape[:-1]), array.dtype)
    wide[::2] = np.moveaxis(array, -1, 0)
    return np.moveaxis(wide[::2], 0, -1)


KINDS: dict[Callable[[np.ndarray], np.ndarray], str] = {
    lambda array: np.round(array).astype(int): (
        "an array of whole numbers goes wrong, for copies of it hold no fractions; make it floats"
    ),
    _strided: "the result depends on the order of an array in memory",
}
