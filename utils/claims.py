"""Claims: statements about measured values that are checked each time a chapter runs."""

from __future__ import annotations

import math
from typing import Any

from utils import runtime

_UNSET: Any = object()


class ClaimError(AssertionError):
    """A statement of the course does not hold."""


def claim(
    statement: str,
    value: Any,
    *,
    at_least: float = _UNSET,
    at_most: float = _UNSET,
    within: tuple[float, float] = _UNSET,
    equal: Any = _UNSET,
) -> None:
    """Check that `value` keeps the bound written in `statement`, and print the statement.

    `statement` may format the bound: ``{bound}``, with ``within`` also ``{tolerance}``. Give one of

    * ``at_least=b``: value ≥ b
    * ``at_most=b``: value ≤ b
    * ``within=(b, t)``: abs(value − b) ≤ t
    * ``equal=b``: value == b, for arrays in shape and every element
    * nothing: `value` itself is the truth, a bool

    With the smoke budget nothing is judged.

    Raises:
        ClaimError: the statement is false, or the value is NaN.
        TypeError: two bounds, a value that is no number, or a missing bound for a number.

    """
    import numpy as np

    bounds = {"at_least": at_least, "at_most": at_most, "within": within, "equal": equal}
    given = {kind: bound for kind, bound in bounds.items() if bound is not _UNSET}
    if len(given) > 1:
        raise TypeError(f"claim takes one bound, got {' and '.join(given)}")
    kind, bound = next(iter(given.items()), (None, None))
    target, tolerance = bound if kind == "within" else (bound, None)

    if kind is None:
        if not isinstance(value, bool | np.bool_):
            raise TypeError(f"a claim without a bound needs True or False, got {value!r}")
        measured, holds = None, bool(value)
    elif kind == "equal":
        measured = value if np.ndim(value) == 0 else None
        holds = np.array_equal(value, target)
    else:
        measured = _number(value)
        holds = {
            "at_least": lambda: measured >= target,
            "at_most": lambda: measured <= target,
            "within": lambda: abs(measured - target) <= tolerance,
        }[kind]()
        holds = holds and not math.isnan(measured)

    sentence = statement if kind is None else statement.format(bound=target, tolerance=tolerance)
    if runtime.is_smoke():
        runtime.say(f"○ {sentence}   (not judged)")
        return
    shown = "" if measured is None else f"   (measured {_show(measured)})"
    if not holds:
        raise ClaimError(f"✘ {sentence}{shown}")
    runtime.say(f"✔ {sentence}{shown}")


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"a claim compares one number, got {value!r}") from None


def _show(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) or hasattr(value, "dtype") else str(value)
