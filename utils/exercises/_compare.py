"""Compare an answer with the truth and name the mistake: shape, sign, factor, offset, value."""

from __future__ import annotations

import contextlib
import math
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np


DIGITS = 4, 8, 17  # of a number in a message: as few as tell the result from the truth


class Wrong(Exception):
    """An answer is wrong; the text tells the learner what, in one line."""


class Fact(Wrong):
    """What is wrong shows in the answer itself: its type or its shape."""


def sizes(rng: np.random.Generator, count: int) -> tuple[int, ...]:
    """Draw `count` different sizes from 3 to 9: no two axes can be taken for each other."""
    if hasattr(rng, "smallest"):  # in search of an example that is easy to read
        return tuple(int(n) for n in rng.smallest + rng.permutation(count)[:count])
    return tuple(int(n) for n in 3 + rng.permutation(7)[:count])


def unpack(value: Any, *names: str) -> tuple[Any, ...]:
    """Return `value` as one part per name.

    Raises:
        Wrong: it is no tuple or list, or has another number of parts.

    """
    wanted = f"return {len(names)} things: {', '.join(names)}"
    if not isinstance(value, tuple | list):
        raise Wrong(f"{wanted}; got one {type(value).__name__}")
    if len(value) != len(names):
        raise Wrong(f"{wanted}; got {len(value)}")
    return tuple(value)


def numbers(value: Any, what: str, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Return `value` as an array of real numbers; with `shape` they must fill it and be finite.

    Takes arrays, nested lists, numbers and tensors on the CPU.

    Raises:
        Wrong: it is None, text, ragged, complex, or otherwise no such array.

    """
    import numpy as np

    if value is None:
        raise Wrong(f"{what} is None")
    try:
        array = np.asarray(value.detach() if hasattr(value, "detach") else value)
    except (TypeError, ValueError, RuntimeError):
        raise Wrong(f"{what} must be an array of numbers, got {_kind(value)}") from None
    if array.dtype.kind not in "buif":
        raise Wrong(f"{what} must hold real numbers, got {_kind(value)}")
    if shape is not None:
        if array.shape != shape:
            raise Wrong(_tell_shape(what, array.shape, shape))
        if not np.all(np.isfinite(array)):
            raise Wrong(f"{what} must be finite, got {show(array[_first(~np.isfinite(array))])}")
    return array


def same(
    value: Any,
    expected: Any,
    what: str,
    rtol: float = 1e-6,
    atol: float = 1e-9,
    *,
    given: Mapping[str, Any] | None = None,
    sizes: Mapping[str, int] | None = None,
    guess: bool = True,
) -> None:
    """Check that `value` equals `expected` and otherwise say what kind of mistake it looks like.

    Args:
        value: what the learner's code returned.
        expected: numbers of the shape wanted.
        what: the name of the quantity, beginning the sentence: "the derivative".
        rtol: largest error relative to `expected`.
        atol: largest absolute error.
        given: inputs by name; one as large as `expected` is quoted where the values differ.
        sizes: sizes by name, to recognize a factor such as a forgotten mean.
        guess: whether to name a pattern in the values: where there is only one input to go by.

    Raises:
        Fact: the type or the shape is another one.
        Wrong: they differ, in sign, by a factor, an offset, a shift, or in values.

    """
    import numpy as np

    expected = np.asarray(expected)
    if isinstance(value, tuple) and (
        len(value) == 1 or [np.shape(part) for part in _arrays(value)].count(expected.shape)
    ):
        raise Fact(f"return one thing, {what}: got a tuple of {len(value)}")
    try:
        got = numbers(value, what)
    except Wrong as fault:
        raise Fact(str(fault)) from None
    be = grammar(what)["be"]

    def close(a: np.ndarray, b: np.ndarray) -> bool:
        return a.shape == b.shape and bool(np.allclose(a, b, rtol=rtol, atol=atol))

    if close(got, expected):
        return
    if guess and got.ndim == 2 and close(got.T, expected):
        raise Wrong(f"{what} {be} transposed: swap its two axes")
    if got.shape != expected.shape:
        raise Fact(_tell_shape(what, got.shape, expected.shape))
    if got.dtype.kind in "iu" and np.all(np.abs(got - expected) < 1):
        lost = f"{what} {grammar(what)['has']} lost {grammar(what)['its']} fractions"
        raise Fact(f"{lost}: is an array of integers used?")
    got, expected = got.astype(float), expected.astype(float)
    for bad, name in ((np.isnan(got), "NaN"), (np.isinf(got), "infinite")):
        if np.any(bad & np.isfinite(expected)):
            index = _first(bad)
            raise Wrong(f"{what} {be} {name}{_where(index, expected.shape, given)}")
    if guess and close(-got, expected):
        raise Wrong(f"{what} has the wrong sign")
    if guess and _varies(expected) and _varies(got):
        _name_pattern(got, expected, what, close, sizes or {})
    index = _first(~np.isclose(got, expected, rtol=rtol, atol=atol))
    shown, wanted = _apart(got[index], expected[index])
    raise Wrong(f"{what} must be {wanted}{_where(index, expected.shape, given)}, got {shown}")


def _arrays(value: tuple) -> list[Any]:
    import numpy as np

    found = []
    for part in value:
        with contextlib.suppress(TypeError, ValueError, RuntimeError):
            found.append(np.asarray(part.detach() if hasattr(part, "detach") else part))
    return [array for array in found if array.ndim or len(value) < 3]


def _tell_shape(what: str, got: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    """What is wrong with a shape, and what may have caused it."""
    has = grammar(what)["has"]
    if not wanted:
        return (
            f"{what} must be one number, {has} shape {got}: is a sum, a mean or an index missing?"
        )
    return f"{what} {has} shape {got}, must have {wanted}{_shape_remark(got, wanted)}"


def _shape_remark(got: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    long, short = [n for n in got if n != 1], [n for n in wanted if n != 1]
    if long == short:
        if len(got) > len(wanted):
            return ": an axis of length 1 too many, is keepdims or [:, None] left?"
        return ": an axis of length 1 is missing, use keepdims=True or [:, None]"
    if not got:
        return ": one number, where is the array? A sum or mean runs over too many axes"
    if sorted(got) == sorted(wanted):
        return ": the axes stand in another order"
    if math.prod(got) == math.prod(wanted):
        return ": all numbers are there, in another arrangement"
    if len(got) == 2 * len(wanted) and got == 2 * wanted:
        return ": (N,) meets (N, 1) somewhere, which makes (N, N)"
    for axis in range(len(wanted)):
        if got == wanted[:axis] + wanted[axis + 1 :]:
            return f": axis {axis} must stay, is a sum, a mean or an index taken along it?"
        if got == (*wanted[:axis], 1, *wanted[axis + 1 :]):
            return f": axis {axis} must keep its length, is a sum or a mean taken along it?"
    for axis in range(len(got)):
        if wanted == got[:axis] + got[axis + 1 :]:
            return f": axis {axis} is too many, is a sum or a mean over it missing?"
    if len(got) == len(wanted):
        differ = [k for k in range(len(got)) if got[k] != wanted[k]]
        if len(differ) == 1:
            k = differ[0]
            gap = got[k] - wanted[k]
            if abs(gap) == 1:
                return f": one too {'many' if gap > 0 else 'few'}" + (
                    f" along axis {k}" if len(got) > 1 else ""
                )
            short, long = sorted((got[k], wanted[k]))
            if short > 1 and long % short == 0:
                return f": {long // short} times too {'long' if gap > 0 else 'short'}" + (
                    f" along axis {k}" if len(got) > 1 else ""
                )
    return ""


def grammar(name: str) -> dict[str, str]:
    """The forms of a verb and a pronoun that agree with a name."""
    head = re.split(r" (?:of|for|in|that|to) |,", name)[0].split()[-1]
    if head.endswith("s") and not head.endswith(("ss", "us", "is", "as")) and len(head) > 2:
        return {"be": "are", "has": "have", "it": "they", "its": "their"}
    return {"be": "is", "has": "has", "it": "it", "its": "its"}


def alike(a: Any, b: Any, rtol: float, atol: float) -> bool:
    """Whether two results are the same numbers; NaN and infinite ones count as equal."""
    import numpy as np

    try:
        a, b = (numbers(value, "the result") for value in (a, b))
    except Wrong:
        return False
    if a.shape != b.shape or not np.array_equal(np.isfinite(a), np.isfinite(b)):
        return False
    finite = np.isfinite(a)
    return bool(np.allclose(a[finite], b[finite], rtol=rtol, atol=atol))


def _name_pattern(
    got: np.ndarray, expected: np.ndarray, what: str, close: Any, sizes: Mapping[str, int]
) -> None:
    """Raise `Wrong` if all of `got` differs from `expected` in one simple way."""
    import numpy as np

    factor = float(np.vdot(expected, got) / np.vdot(expected, expected))
    if factor and close(got / factor, expected):
        for name, size in sizes.items():
            if np.isclose(factor, size):
                raise Wrong(f"{what} is {name} = {size} times too large: is a mean missing?")
            if np.isclose(factor, 1 / size):
                raise Wrong(f"{what} is {name} = {size} times too small: a mean instead of a sum?")
        raise Wrong(f"{what} is {factor:.4g} times what it must be, everywhere")
    offset = float(np.mean(got - expected))
    if close(got - offset, expected):
        direction = "large" if offset > 0 else "small"
        raise Wrong(f"{what} is too {direction} by {abs(offset):.4g}, everywhere")
    if len(got) > 2 and (close(got[1:], expected[:-1]) or close(got[:-1], expected[1:])):
        raise Wrong(f"{what} is shifted by one place")


def _varies(array: np.ndarray) -> bool:
    import numpy as np

    return array.ndim > 0 and array.size > 1 and bool(np.ptp(array) > 0)


def _first(mask: np.ndarray) -> tuple[int, ...]:
    import numpy as np

    return tuple(int(i) for i in np.argwhere(mask)[0])


def _where(index: tuple[int, ...], shape: tuple[int, ...], given: Mapping[str, Any] | None) -> str:
    """The place of a value in words: by its inputs if they have its shape, else by its index."""
    import numpy as np

    inputs = {n: np.asarray(v) for n, v in (given or {}).items() if np.shape(v) in ((), shape)}
    if any(v.shape == shape for v in inputs.values()):
        quoted = (f"{n} = {show(v[index] if v.ndim else v)}" for n, v in inputs.items())
        return " for " + ", ".join(quoted)
    return f" at [{', '.join(map(str, index))}]" if index else ""


def _apart(got: Any, expected: Any) -> tuple[str, str]:
    """Both numbers with as few digits as tell them apart."""
    pairs = [(show(got, digits), show(expected, digits)) for digits in DIGITS]
    return next((pair for pair in pairs if pair[0] != pair[1]), pairs[-1])


def show(number: Any, digits: int = 4) -> str:
    """A number in at most `digits` digits, whole numbers with ``.0`` as Python writes floats."""
    text = f"{float(number):.{digits}g}"
    return text + ".0" if text.lstrip("-").isdigit() else text


def _kind(value: Any) -> str:
    if hasattr(value, "dtype"):
        return f"{type(value).__name__} of {value.dtype}"
    return repr(value) if isinstance(value, str) else type(value).__name__
