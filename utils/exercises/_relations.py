"""What a wrong result has to do with the truth, the inputs, and the solution on other inputs."""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from utils.exercises._answer import copied
from utils.exercises._compare import Wrong, grammar, numbers
from utils.exercises._slips import slips

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy as np

    Predict = Callable[["View"], Any]

HARD_CODED = (2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 28, 32, 64, 100, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5,
              0.9, 0.99, 0.999, 1e-3, 1e-5, 1e-6, 1e-8)  # fmt: skip
NOTHING = 1e-4  # a number below it does what 0 does
CUTS = 1, 5, 10, 15, 20, 30, 50, 80, 88, 100, 500, 700, 709  # before exp, against an overflow
FACTORS = {
    2: "twice what {it} must be",
    0.5: "half of what {it} must be",
    math.log2(math.e): "in bits: the natural logarithm is asked for",
    math.log(2): "ln 2 times what {it} must be: is log2 asked for?",
}
STATISTICS = {"mean": "the mean", "sum": "the sum", "max": "the largest",
              "min": "the smallest", "prod": "the product", "var": "the variance",
              "std": "the standard deviation"}  # fmt: skip


class Relation(NamedTuple):
    """One way in which a wrong result may have come about.

    Attributes:
        text: what to tell; ``{part}`` is the result's name, ``{be}``, ``{has}``, ``{it}`` agree.
        predict: what it gives for a draw; it may raise an exception.
        kind: relations of one kind that explain the same draws say the same.
        is_plain: whether the truth is the only thing that it speaks of.
        least: how many inputs it must explain.

    """

    text: str
    predict: Predict
    kind: str
    is_plain: bool = False
    least: int = 2


class Partly(NamedTuple):
    """A prediction of some entries only."""

    value: np.ndarray
    known: np.ndarray


@dataclass
class View:
    """One part of a draw, as relations look at it."""

    truth: Any
    others: Mapping[str, Any]  # the other parts of the truth, by name
    inputs: Mapping[str, Any]
    sizes: Mapping[str, int]
    solution: Callable
    run: Callable[
        [Callable, Mapping[str, Any]], Any
    ]  # this part of a function's, for changed inputs

    def solve(self, changed: Mapping[str, Any]) -> Any:
        """What the solution gives as this part, with some of the inputs changed."""
        return self.run(self.solution, changed)

    @functools.cached_property
    def t(self) -> np.ndarray:
        """The truth as an array of floats."""
        import numpy as np

        return np.asarray(self.truth, float)

    @functools.cached_property
    def lengths(self) -> dict[str, int]:
        """The lengths of all axes of the inputs, by how to write them."""
        found = dict(self.sizes)
        for name, array in self.arrays.items():
            found |= {
                f"{name}.shape[{k}]" if array.ndim > 1 else f"len({name})": length
                for k, length in enumerate(array.shape)
                if length not in self.sizes.values()
            }
        found |= {f"{n}.size": a.size for n, a in self.arrays.items() if a.ndim > 1}
        return found

    @functools.cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        """The inputs that are arrays."""
        return {n: v for n, v in self.inputs.items() if getattr(v, "ndim", 0) > 0}

    @functools.cached_property
    def scalars(self) -> dict[str, float]:
        """The inputs that are numbers."""
        return {n: v for n, v in self.inputs.items() if isinstance(v, int | float)}


def told(relation: Relation, part: str, prefix: str = "") -> str:
    """The sentence of a relation for the part of that name, with a prefix if it names no part."""
    text = relation.text.format(part=part, **grammar(part))
    return text if part in text else prefix + text


def explain(draw: Any, part: int) -> list[Relation]:
    """The relations that explain this part of a draw's wrong result."""
    view = draw.view(part)
    with contextlib.suppress(Wrong):
        got = numbers(draw.got[part], "the result")
        candidates = itertools.chain(
            _of_truth(view, got),
            _of_sizes(view),
            _of_solution(view),
            _of_slips(view),
            _of_inputs(view),
        )
        return [relation for relation in candidates if explains(relation, draw, part)]
    return []


def explains(relation: Relation, draw: Any, part: int) -> bool:
    """Whether a relation gives what the learner's function gave."""
    import numpy as np

    with np.errstate(all="ignore"):
        try:
            value = relation.predict(draw.view(part))
        except Exception:
            return draw.got is None
    if draw.got is None:
        return False
    if isinstance(value, Partly):
        got = np.asarray(draw.got[part])
        return got.shape == value.known.shape and draw.equal(
            got[value.known], value.value[value.known]
        )
    return draw.equal(draw.got[part], value)


def _shifted(truth: np.ndarray, axis: int, step: int) -> Partly:
    """The truth moved along an axis, with anything at the end that becomes free."""
    import numpy as np

    if truth.shape[axis] < 3:
        raise ValueError("too short to tell a shift")
    known = np.ones(truth.shape, bool)
    np.moveaxis(known, axis, 0)[0 if step > 0 else -1] = False
    return Partly(np.roll(truth, step, axis), known)


def _of_truth(view: View, got: np.ndarray) -> Iterator[Relation]:
    """Functions of the truth alone; factor and offset are those of this draw."""
    import numpy as np

    def softmax(z: np.ndarray, axis: int) -> np.ndarray:
        e = np.exp(z - z.max(axis, keepdims=True))
        return e / e.sum(axis, keepdims=True)

    functions = {
        "{part} {has} the wrong sign": lambda t: -t,
        "{part} {has} lost {its} sign: is an absolute value taken?": np.abs,
        "{part} {be} never positive: is a minus left before |…|?": lambda t: -np.abs(t),
        "{part} {be} the square of what {it} must be": np.square,
        "{part} {be} the square root of what {it} must be": np.sqrt,
        "{part} {be} upside down: 1 over what {it} must be": lambda t: 1 / t,
        "{part} {be} 1 minus what {it} must be": lambda t: 1 - t,
        "{part} {be} e to the power of what {it} must be: is a logarithm missing?": np.exp,
        "{part} {be} the logarithm of what {it} must be: there is one logarithm too many": np.log,
        "{part} {be} minus the logarithm of what {it} must be": lambda t: -np.log(t),
        "{part} {be} rounded to whole numbers: keep the fractions": np.round,
        "{part} {be} rounded down to whole numbers: is // or an array of integers used?": np.floor,
        "{part} {has} lost the fractions: is an array of integers used?": np.trunc,
        "negative values of {part} are cut to 0: is a ReLU left over?": lambda t: np.maximum(t, 0),
        "{part} {be} cut to the range from 0 to 1": lambda t: np.clip(t, 0, 1),
        "{part} {be} cut to the range from −1 to 1": lambda t: np.clip(t, -1, 1),
        "a tanh is applied to {part} at the end": np.tanh,
        "a sigmoid is applied to {part} at the end": lambda t: 1 / (1 + np.exp(-t)),
        "only the sign of {part} is given": np.sign,
        "{part} {be} always 0": np.zeros_like,
        "{part} {be} always 1": np.ones_like,
    }  # fmt: skip
    for text, function in functions.items():
        yield Relation(text, lambda v, f=function: f(v.t), text, is_plain=True)
    yield from _factor_and_offset(view, got)
    t, constant = view.t, np.asarray(got, float).copy()

    def always(v: View) -> np.ndarray:
        if v is not view and np.array_equal(v.t, t):
            raise ValueError("here the same result is right")
        return constant

    text = "the result is the same for all inputs: does the function use its arguments?"
    yield Relation(text, always, "constant")
    spread = {
        "{part} {be} made to sum to 1": lambda t, k: t / t.sum(k, keepdims=True),
        "{part} {be} divided by the largest of them": lambda t, k: t / t.max(k, keepdims=True),
        "{part} {be} divided by {its} length": (
            lambda t, k: t / np.linalg.norm(t, axis=k, keepdims=True)
        ),
        "the mean of {part} is subtracted": lambda t, k: t - t.mean(k, keepdims=True),
        "a softmax is applied to {part} at the end": softmax,
        "{part} {be} in reverse order": np.flip,
        "{part} {be} sorted": np.sort,
        "{part} {be} added up step by step, as np.cumsum does": np.cumsum,
        "every entry is the mean of all": lambda t, k: 0 * t + t.mean(k, keepdims=True),
        "every entry is the sum of all": lambda t, k: 0 * t + t.sum(k, keepdims=True),
        "every entry is the first one": lambda t, k: 0 * t + t.take([0], k),
        "every entry is the last one": lambda t, k: 0 * t + t.take([-1], k),
        "every entry is the largest one": lambda t, k: 0 * t + t.max(k, keepdims=True),
    }  # fmt: skip
    reduced = {
        "{part} {be} added up": np.sum,
        "{part} {be} averaged": np.mean,
        "only the largest of {part} is given": np.max,
        "only the smallest of {part} is given": np.min,
        "only the first of {part} is given": lambda t, k: t.take(0, k),
        "only the last of {part} is given": lambda t, k: t.take(-1, k),
        "the first of {part} is left out": lambda t, k: np.delete(t, 0, k),
        "the last of {part} is left out": lambda t, k: np.delete(t, -1, k),
        "only every second of {part} is given": lambda t, k: t.take(range(0, t.shape[k], 2), k),
        "places are given, not values: {part} went through argmax": np.argmax,
        "places are given, not values: {part} went through argsort": np.argsort,
    }
    for axis in range(view.t.ndim):
        place = f" along axis {axis}" if view.t.ndim > 1 else ""
        for text, function in (spread | reduced).items():
            remark = ": that axis must stay" if text in reduced and place else ""
            yield Relation(
                text + place + remark, lambda v, f=function, k=axis: f(v.t, k), f"{text} {axis}"
            )
        for step, text in ((1, "moved on"), (-1, "moved back")):
            yield Relation(
                f"{{part}} {{be}} {text} by one place{place}",
                lambda v, k=axis, s=step: _shifted(v.t, k, s),
                f"{text} {axis}",
            )
    if view.t.ndim > 1:
        for text, function in {
            "{part} {be} added up over all entries": np.sum,
            "{part} {be} averaged over all entries": np.mean,
            "only the largest of all entries is given": np.max,
            "only the first entry is given": lambda t: t.flat[0],
            "every entry is the mean of all": lambda t: 0 * t + t.mean(),
            "{part} {be} made to sum to 1 all together": lambda t: t / t.sum(),
            "only the diagonal of {part} is given": np.diagonal,
            "{part} {be} cut to the upper triangle": np.triu,
            "{part} {be} cut to the lower triangle": np.tril,
            "{part} {be} flat: keep the axes": np.ravel,
        }.items():
            yield Relation(text, lambda v, f=function: f(v.t), text)
        for order in itertools.permutations(range(view.t.ndim)):
            text = "{part} {be} transposed: swap {its} two axes"
            if view.t.ndim > 2:
                text = f"the axes of {{part}} come in the order {order}: transpose them"
            if order != tuple(range(view.t.ndim)):
                yield Relation(text, lambda v, o=order: v.t.transpose(o), "transposed")
    for name in view.others:
        yield Relation(
            f"{{part}} and {name} stand in each other's place: mind the order",
            lambda v, n=name: v.others[n],
            "order",
        )


def _factor_and_offset(view: View, got: np.ndarray) -> Iterator[Relation]:
    import numpy as np

    t = view.t
    if got.shape != t.shape or not np.all(np.isfinite(got)) or not np.any(t):
        return
    got = got.astype(float)
    factor = float(np.vdot(t, got) / np.vdot(t, t))
    if factor and abs(factor - 1) > 1e-4:
        known = next((f for f in FACTORS if math.isclose(f, factor, rel_tol=1e-5)), factor)
        text = FACTORS.get(known, f"{known:.4g} times what {{it}} must be, on every input")
        least = 2 if known in FACTORS else 3
        yield Relation("{part} {be} " + text, lambda v: known * v.t, "factor", least=least)
    for offset in {float(np.mean(got - t)), float(got.flat[0] - t.flat[0])}:
        if offset:
            side = "large" if offset > 0 else "small"
            close = math.isclose(abs(offset), 1, rel_tol=1e-5)
            remark = ": off by one" if close else ", on every input"
            offset = round(offset) if close else offset
            text = f"{{part}} {{be}} too {side} by {abs(offset):.4g}{remark}"
            least = 2 if close else 3
            yield Relation(text, lambda v, o=offset: v.t + o, "offset", least=least)


def _of_sizes(view: View) -> Iterator[Relation]:
    """The truth times or divided by the length of an axis, as when a mean is taken for a sum."""
    for name in view.lengths:
        forms = {
            f"{{part}} {{be}} {name} times too large: is a mean missing?": lambda t, n: t * n,
            f"{{part}} {{be}} {name} times too small: a mean instead of a sum?": lambda t, n: t / n,
            f"{{part}} {{be}} divided by {name}² too much": lambda t, n: t / n**2,
            f"{{part}} {{be}} √{name} times too large": lambda t, n: t * n**0.5,
            f"{{part}} {{be}} √{name} times too small": lambda t, n: t / n**0.5,
            f"{{part}} {{be}} divided by {name} − 1 instead of {name}": (
                lambda t, n: t * n / (n - 1)
            ),
            f"{{part}} {{be}} divided by {name} instead of {name} − 1": (
                lambda t, n: t * (n - 1) / n
            ),
            f"{{part}} {{be}} {name} − 1 times too large": lambda t, n: t * (n - 1),
            f"{{part}} {{be}} {name} − 1 times too small": lambda t, n: t / (n - 1),
            f"{{part}} {{be}} as from a deviation with {name} − 1: take it with {name}": (
                lambda t, n: t * ((n - 1) / n) ** 0.5
            ),
            f"{{part}} {{be}} as from a deviation with {name}: take it with {name} − 1": (
                lambda t, n: t * (n / (n - 1)) ** 0.5
            ),
            f"{{part}} {{be}} {name} minus what {{it}} must be": lambda t, n: n - t,
            f"{{part}} {{be}} too large by {name}": lambda t, n: t + n,
            f"{{part}} {{be}} too small by {name}": lambda t, n: t - n,
        }  # fmt: skip
        for kind, (text, form) in enumerate(forms.items()):
            yield Relation(text, lambda v, f=form, n=name: f(v.t, v.lengths[n]), f"size {kind}")
        yield Relation(
            f"the result is {name} alone", lambda v, n=name: v.lengths[n] + 0 * v.t, "size alone"
        )


def _of_inputs(view: View) -> Iterator[Relation]:
    """The truth with an input added or multiplied; an input itself, or a statistic of it."""
    import numpy as np

    values = view.scalars | view.arrays
    with_truth = {
        "{part} {be} multiplied by NAME once too often": lambda t, a: t * a,
        "{part} {be} divided by NAME once too often, or a factor NAME is missing": lambda t, a: (
            t / a
        ),
        "{part} {be} too large by NAME: NAME is added, or not subtracted": lambda t, a: t + a,
        "{part} {be} too small by NAME: NAME is subtracted, or not added": lambda t, a: t - a,
        "{part} {be} too large by 2·NAME: the sign of NAME is wrong": lambda t, a: t + 2 * a,
        "{part} {be} too small by 2·NAME: the sign of NAME is wrong": lambda t, a: t - 2 * a,
        "{part} {be} NAME minus what {it} must be": lambda t, a: a - t,
        "{part} {be} multiplied by NAME²": lambda t, a: t * a * a,
        "{part} {be} divided by NAME²": lambda t, a: t / a**2,
        "{part} {be} multiplied by √NAME": lambda t, a: t * a**0.5,
        "{part} {be} divided by √NAME": lambda t, a: t / a**0.5,
        "{part} {be} multiplied by 1 − NAME": lambda t, a: t * (1 - a),
        "{part} {be} divided by 1 − NAME": lambda t, a: t / (1 - a),
        "{part} {be} raised to the power of NAME": lambda t, a: t**a,
    }
    alone = {
        "the result is NAME itself": lambda a: a,
        "the result is −NAME": lambda a: -a,
        "the result is NAME²": lambda a: a**2,
        "the result is 1 − NAME": lambda a: 1 - a,
        "the result is 1/NAME": lambda a: 1 / a,
        "the result is |NAME|": np.abs,
        "the result is √NAME": np.sqrt,
        "the result is the exponential of NAME": np.exp,
        "the result is the logarithm of NAME": np.log,
        "the result is tanh NAME": np.tanh,
        "the result is σ(NAME)": lambda a: 1 / (1 + np.exp(-a)),
        "the result is the ReLU of NAME": lambda a: np.maximum(a, 0),
    }
    for name in values:
        for text, form in with_truth.items():
            yield Relation(
                text.replace("NAME", name),
                lambda v, f=form, n=name: _of_one_shape(f(v.t, v.inputs[n]), v.t),
                _kind(text).replace("NAME", name),
            )
        for text, form in alone.items():
            yield Relation(
                text.replace("NAME", name), lambda v, f=form, n=name: f(v.inputs[n]), text
            )
    for a, b in itertools.permutations(values, 2):
        pairs = {f"{a} − {b}": lambda x, y: x - y, f"{a} / {b}": lambda x, y: x / y}
        if a < b:
            pairs |= {
                f"{a} + {b}": lambda x, y: x + y,
                f"{a}·{b}": lambda x, y: x * y,
                f"the product {a} @ {b}": lambda x, y: x @ y,
                f"the larger of {a} and {b}": np.maximum,
            }
        for text, form in pairs.items():
            yield Relation(
                f"the result is {text}",
                lambda v, f=form, a=a, b=b: f(v.inputs[a], v.inputs[b]),
                f"pair {text}",
            )
    for name, array in view.arrays.items():
        for (method, what), axis in itertools.product(
            STATISTICS.items(), (*range(array.ndim), None)
        ):
            place = f" over axis {axis}" if axis is not None and array.ndim > 1 else ""
            yield Relation(
                f"the result is {what} of {name}{place}",
                lambda v, n=name, m=method, k=axis: getattr(v.inputs[n], m)(k) + 0 * v.t,
                f"statistic {what} {axis}",
            )


def _kind(text: str) -> str:
    """What a sentence says of an input, in a word: other sentences may say the same."""
    for word, kind in (
        ("sign of NAME is wrong", "sign of NAME"),
        ("NAME is added, or not", "NAME is 0"),
        ("NAME is subtracted, or not", "NAME is 0"),
        ("a factor NAME is missing", "NAME is 1"),
    ):
        if word in text:
            return kind
    name = text.split(" ")[0]
    for word, kind in (
        (f"{name} has the wrong sign", f"sign of {name}"),
        (f"{name} is not used: the result is that for {name} = 0", f"{name} is 0"),
        (f"{name} is not used: the result is that for {name} = 1", f"{name} is 1"),
    ):
        if word == text:
            return kind
    return text


def _of_slips(view: View) -> Iterator[Relation]:
    """What the solution gives with one slip in it."""
    for text, function in slips(view.solution):
        yield Relation(text, lambda v, f=function: v.run(f, {}), f"slip {text}")


def _of_one_shape(value: np.ndarray, like: np.ndarray) -> np.ndarray:
    if value.shape != like.shape:
        raise ValueError("broadcast to another shape")
    return value


def _of_solution(view: View) -> Iterator[Relation]:
    """What the solution gives if an input is changed or two are swapped."""
    import numpy as np

    def when(text: str, name: str, change: Callable[[Any], Any], kind: str = "") -> Relation:
        def predict(v: View) -> Any:
            return v.solve({name: change(copied(v.inputs[name]))})

        return Relation(text, predict, kind or _kind(text))

    for a, b in itertools.combinations(view.inputs, 2):
        if type(view.inputs[a]) is type(view.inputs[b]):
            yield Relation(
                f"{a} and {b} are swapped",
                lambda v, a=a, b=b: v.solve({a: copied(v.inputs[b]), b: copied(v.inputs[a])}),
                f"swap {a} {b}",
            )
            yield Relation(
                f"{a} is used where {b} belongs",
                lambda v, a=a, b=b: v.solve({b: copied(v.inputs[a])}),
                f"use {a} {b}",
            )
            yield Relation(
                f"{b} is used where {a} belongs",
                lambda v, a=a, b=b: v.solve({a: copied(v.inputs[b])}),
                f"use {b} {a}",
            )
    for name, value in view.inputs.items():
        if isinstance(value, bool):
            yield when(f"{name} is turned round: True is taken for False", name, lambda s: not s)
        elif isinstance(value, int | float):
            yield from (
                when(text.replace("NAME", name), name, change)
                for text, change in _CHANGED_NUMBERS.items()
            )
            for constant in HARD_CODED:
                text = f"the result is that for {name} = {constant}: is {constant} written there?"
                kind = f"{name} is 0" if constant < NOTHING else text
                yield when(text, name, lambda s, c=constant: c, kind)
        elif isinstance(value, str):
            for other in {v for v in view.inputs.values() if isinstance(v, str)}:
                yield when(f"{name} is read as {other!r}", name, lambda s, o=other: o)
        elif getattr(getattr(value, "dtype", None), "kind", "") == "b":
            yield when(f"{name} is turned round: True is taken for False", name, np.logical_not)
            yield when(f"{name} is not used: all of it is taken as True", name, np.ones_like)
            yield when(f"{name} is not used: all of it is taken as False", name, np.zeros_like)
            yield when(f"{name} is not used: a triangle takes its place", name,
                       lambda a: np.tri(*a.shape[-2:], dtype=bool) | (0 * a > 0))  # fmt: skip
        elif getattr(value, "ndim", 0):
            for text, change in _changed_arrays(value).items():
                yield when(text.replace("NAME", name), name, change)


_CHANGED_NUMBERS: dict[str, Callable[[float], float]] = {
    "NAME is not used: the result is that for NAME = 0": lambda s: 0 * s,
    "NAME is not used: the result is that for NAME = 1": lambda s: 0 * s + 1,
    "NAME has the wrong sign": lambda s: -s,
    "1 − NAME is used where NAME belongs": lambda s: 1 - s,
    "1/NAME is used where NAME belongs": lambda s: 1 / s,
    "NAME² is used where NAME belongs": lambda s: s * s,
    "√NAME is used where NAME belongs": lambda s: s**0.5,
    "2·NAME is used where NAME belongs": lambda s: 2 * s,
    "half of NAME is used where NAME belongs": lambda s: s / 2,
    "NAME + 1 is used where NAME belongs: off by one": lambda s: s + 1,
    "NAME − 1 is used where NAME belongs: off by one": lambda s: s - 1,
    "NAME + 2 is used where NAME belongs": lambda s: s + 2,
    "NAME − 2 is used where NAME belongs": lambda s: s - 2,
}


def _changed_arrays(array: np.ndarray) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    import numpy as np

    def like(a: np.ndarray, value: Any) -> np.ndarray:
        return np.broadcast_to(value, a.shape).astype(a.dtype if a.dtype.kind == "f" else float)

    found = {
        "NAME is not used: the result is that for NAME = 0": np.zeros_like,
        "NAME is not used: the result is that for NAME = 1": np.ones_like,
        "NAME has the wrong sign": lambda a: -a,
        "NAME is squared, which it must not be": lambda a: a * a,
        "the size of NAME is used, |NAME|, and not its sign": np.abs,
        "the root of NAME is used": np.sqrt,
        "1/NAME is used where NAME belongs": lambda a: 1 / a,
        "1 − NAME is used where NAME belongs": lambda a: 1 - a,
        "the exponential of NAME is used": np.exp,
        "the logarithm of NAME is used": np.log,
        "tanh NAME is used where NAME belongs": np.tanh,
        "σ(NAME) is used where NAME belongs": lambda a: 1 / (1 + np.exp(-a)),
        "negative values of NAME are cut to 0": lambda a: np.maximum(a, 0),
        "only the sign of NAME is used": np.sign,
        "NAME is rounded": np.round,
        **{
            f"NAME is cut to the range from −{c} to {c}": lambda a, c=c: np.clip(a, -c, c)
            for c in CUTS
        },
        "NAME is taken twice": lambda a: 2 * a,
        "half of NAME is used": lambda a: a / 2,
        "NAME + 1 is used where NAME belongs: off by one": lambda a: a + 1,
        "NAME − 1 is used where NAME belongs: off by one": lambda a: a - 1,
        "NAME is standardized first": lambda a: (a - a.mean()) / a.std(),
        "NAME is made to sum to 1 first": lambda a: a / a.sum(),
        "NAME is divided by its length first": lambda a: a / np.sqrt((a * a).sum()),
        "the mean of NAME is used for all of its entries": lambda a: like(a, a.mean()),
        "the first number of NAME is used for all": lambda a: like(a, a.flat[0]),
    }
    for axis in range(array.ndim):
        place = f" along axis {axis}" if array.ndim > 1 else ""
        found |= {
            f"NAME is reversed{place}": lambda a, k=axis: np.flip(a, k),
            f"NAME is sorted{place}": lambda a, k=axis: np.sort(a, k),
            f"the first of NAME is left out{place}": lambda a, k=axis: np.delete(a, 0, k),
            f"the last of NAME is left out{place}": lambda a, k=axis: np.delete(a, -1, k),
            f"only the first of NAME is used{place}": lambda a, k=axis: a.take([0], k),
            f"only the last of NAME is used{place}": lambda a, k=axis: a.take([-1], k),
            f"NAME is moved on by one place{place}": lambda a, k=axis: np.roll(a, 1, k),
            f"NAME is moved back by one place{place}": lambda a, k=axis: np.roll(a, -1, k),
        }
        if array.ndim > 1:
            found |= {
                f"the mean of NAME over axis {axis} is used": (
                    lambda a, k=axis: like(a, a.mean(k, keepdims=True))
                ),
                f"the mean of NAME over axis {axis} is subtracted first": (
                    lambda a, k=axis: a - a.mean(k, keepdims=True)
                ),
                f"the first of NAME along axis {axis} is used for all": (
                    lambda a, k=axis: like(a, a.take([0], k))
                ),
            }
    if array.ndim == 2:
        found["NAME is transposed"] = lambda a: a.T
        found["NAME is reshaped where it must be transposed"] = lambda a: a.reshape(a.shape[::-1]).T
        if array.shape[0] == array.shape[1]:
            found["only the diagonal of NAME is used"] = lambda a: a * np.eye(len(a))
    if array.ndim > 2:
        found |= {
            f"the axes of NAME come in the order {order}": lambda a, o=order: a.transpose(o)
            for order in itertools.permutations(range(array.ndim))
            if order != tuple(range(array.ndim))
        }
    return found
