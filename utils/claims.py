"""Claims: statements about measured values that are checked each time a chapter runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from utils import runtime

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

_UNSET: Any = object()


class ClaimError(AssertionError):
    """A statement of the course does not hold."""


MIN_SEEDS = 3
CONFIDENCE = 0.95


def claim(
    statement: str,
    value: Any = _UNSET,
    *,
    values: Mapping[Hashable, float] = _UNSET,
    every: bool = False,
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

    A sentence about more than one run gives ``values={seed: value}`` instead, three seeds or more.
    Their mean must keep the bound also when it is moved toward it by m = t s/√n, where s is the
    standard deviation of the n values and t the one-sided 95 % quantile of Student's distribution
    with n − 1 degrees of freedom. ``(measured 0.703 ± 0.012, 5 seeds)`` shows mean and m. With
    ``every=True`` each value must keep the bound, and smallest and largest are shown; `equal` asks
    it of each anyway.

    With the smoke budget nothing is judged.

    Raises:
        ClaimError: the statement is false, or the value is NaN.
        TypeError: two bounds, a value that is no number, a missing bound for a number, both or
            none of `value` and `values`.
        ValueError: fewer than three seeds.

    """
    bounds = {"at_least": at_least, "at_most": at_most, "within": within, "equal": equal}
    given = {kind: bound for kind, bound in bounds.items() if bound is not _UNSET}
    if len(given) > 1:
        raise TypeError(f"claim takes one bound, got {' and '.join(given)}")
    if (value is _UNSET) == (values is _UNSET):
        raise TypeError("claim takes a value or values={seed: value}, one of the two")
    kind, bound = next(iter(given.items()), (None, None))
    target, tolerance = bound if kind == "within" else (bound, None)
    if values is _UNSET:
        if every:
            raise TypeError("every=True is about several seeds: give values={seed: value}")
        holds, shown = _judge_one(kind, bound, value)
    else:
        holds, shown = _judge_seeds(kind, bound, values, every)

    sentence = statement if kind is None else statement.format(bound=target, tolerance=tolerance)
    if runtime.is_smoke():
        runtime.say(f"○ {sentence}   (not judged)")
        return
    shown = f"   (measured {shown})" if shown else ""
    if not holds:
        raise ClaimError(f"✘ {sentence}{shown}")
    runtime.say(f"✔ {sentence}{shown}")


def paired(
    ours: Mapping[Hashable, float], theirs: Mapping[Hashable, float]
) -> dict[Hashable, float]:
    """Return ours − theirs for each seed, which is what a comparison claims something about.

    Raises:
        ValueError: the two do not have the same seeds.

    """
    if ours.keys() != theirs.keys():
        raise ValueError(f"the seeds differ: {sorted(ours)} and {sorted(theirs)}")
    return {seed: ours[seed] - theirs[seed] for seed in ours}


def _judge_one(kind: str | None, bound: Any, value: Any) -> tuple[bool, str]:
    """Whether one value keeps its bound, and how to show it."""
    import numpy as np

    if kind is None:
        if not isinstance(value, bool | np.bool_):
            raise TypeError(f"a claim without a bound needs True or False, got {value!r}")
        return bool(value), ""
    if kind == "equal":
        return np.array_equal(value, bound), _show(value) if np.ndim(value) == 0 else ""
    number = _number(value)
    return _keeps(kind, bound, number, number), _show(number)


def _judge_seeds(
    kind: str | None, bound: Any, values: Mapping[Hashable, float], every: bool
) -> tuple[bool, str]:
    """Whether the values of several seeds keep the bound, and how to show them."""
    import numpy as np
    from scipy.special import stdtrit

    if len(values) < MIN_SEEDS:
        raise ValueError(f"a claim about seeds needs {MIN_SEEDS} or more, got {len(values)}")
    if kind is None:
        raise TypeError("a claim about seeds needs a bound, for instance at_least=0")
    numbers = np.array([_number(value) for value in values.values()])
    n = len(numbers)
    if kind == "equal":
        return bool((numbers == _number(bound)).all()), f"{_range(numbers)}, {n} seeds"
    if every:
        holds = _keeps(kind, bound, numbers.min(), numbers.max())
        return holds, f"{_range(numbers)}, {n} seeds"
    with np.errstate(invalid="ignore"):  # infinite values have no deviation and keep no bound
        s = numbers.std(ddof=1)
    mean, margin = numbers.mean(), stdtrit(n - 1, CONFIDENCE) * s / np.sqrt(n)
    holds = _keeps(kind, bound, mean - margin, mean + margin)
    return holds, f"{_show(mean)} ± {margin:.2g}, {n} seeds"


def _keeps(kind: str, bound: Any, low: float, high: float) -> bool:
    """Whether all between `low` and `high` keeps the bound; NaN never does."""
    if kind == "within":
        target, tolerance = bound
        return target - low <= tolerance and high - target <= tolerance
    return bool(low >= bound if kind == "at_least" else high <= bound)


def _range(numbers: Any) -> str:
    return f"{_show(numbers.min())} to {_show(numbers.max())}"


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"a claim compares one number, got {value!r}") from None


def _show(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) or hasattr(value, "dtype") else str(value)
