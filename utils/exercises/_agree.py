"""Hold a learner's function against the truth and against known mistakes, on the same inputs."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from utils.exercises._answer import copied
from utils.exercises._compare import Wrong, alike, same, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np

    from utils.exercises._answer import Answer

SINGLE = 1e-4, 1e-5  # relative and absolute error that a right answer in float32 may have
DRAWS = 2  # inputs with a wrong result that a mistake must explain before it is named


@dataclass
class Draw:
    """One input of a check: the results of the learner's function, the truth, known mistakes."""

    got: tuple[Any, ...] | None  # None: the function raised an exception
    truth: tuple[Any, ...]
    mistakes: Callable[[], dict[str, tuple[Any, ...]]]
    rtol: float
    atol: float

    def is_wrong(self, part: int) -> bool:
        """Whether this result is not the truth."""
        return self.got is None or not self._alike(self.got[part], self.truth[part])

    def score(self, mistake: str, part: int) -> int:
        """How many results a mistake explains; 0 if not this one."""
        known = self.mistakes()
        if self.got is None or mistake not in known:
            return int(self.got is None and mistake not in known)
        equal = [
            self._alike(ours, truth if theirs is ... else theirs)
            for ours, theirs, truth in zip(self.got, known[mistake], self.truth, strict=True)
        ]
        return sum(equal) if equal[part] else 0

    def _alike(self, a: Any, b: Any) -> bool:
        return alike(a, b, self.rtol, self.atol)


@dataclass
class Suspicion:
    """A result was wrong: which of several, its name, how it looks by itself, for which inputs."""

    part: int
    name: str
    fault: str
    case: str
    text: str = ""  # what to tell if nothing more comes to light


def agree(
    answer: Answer,
    args: Sequence[Any],
    expected: Any,
    what: str = "the result",
    *,
    order: Sequence[str] = (),
    quote: Literal["", "entry", "all"] = "",
    rtol: float = 1e-6,
    atol: float = 1e-9,
    sizes: Mapping[str, int] | None = None,
    double: bool = False,
) -> None:
    """Check that the learner's function gives for `args` what it must, and name the mistake.

    Where it does not, the exercise's mistakes are tried on the same `args`. One that gives what the
    learner's function gave is suspected. It is named once it alone has explained `DRAWS` inputs; if
    it fails to explain one, the message is what the first wrong result looks like by itself. So a
    check goes on after a wrong result, and `examine` runs it again if need be. Two ordinary inputs
    come first in a check: a special one can show a second fault, on which the first explains less.

    Args:
        answer: the learner's function.
        args: its arguments.
        expected: what it must return, computed in another way than by the reference solution;
            several results as a dictionary, by name.
        what: the name of a single result, beginning the sentence: "the derivative".
        order: the results in the order they are looked at, if not in that of `expected`.
        quote: inputs to put into the message: none, those where an entry differs, or all.
        rtol: largest error relative to `expected`.
        atol: largest absolute error.
        sizes: sizes by name, to recognize a factor such as a forgotten mean.
        double: whether the task is about precision; else a result in float32 may be as exact as
            that is.

    Raises:
        Wrong: the results differ, and the reason is clear or cannot become clearer.

    """
    several = isinstance(expected, dict)
    names, truth = zip(*(expected if several else {what: expected}).items(), strict=True)
    inputs = dict(zip(answer.names, map(copied, args), strict=True))
    given = {n: v for n, v in inputs.items() if quote == "entry" and not callable(v)}
    case = f" ({_in_words(inputs)})" if quote == "all" else ""

    def parts(value: Any) -> tuple[Any, ...]:
        return unpack(value, *(n.removeprefix("the ") for n in names)) if several else (value,)

    @functools.cache
    def mistakes() -> dict[str, tuple[Any, ...]]:
        return {m: parts(results) for m, results in answer.mistakes(*inputs.values()).items()}

    try:
        got = copied(parts(answer(*args)))
    except Wrong:
        if not answer.suspicion:
            raise
        got = None
    if any(str(getattr(one, "dtype", "")).endswith("float32") for one in got or ()):
        if double:
            raise Wrong(f"{names[0]} has the 7 digits of float32: the task asks for all of float64")
        rtol, atol = max(rtol, SINGLE[0]), max(atol, SINGLE[1])
    answer.draws.append(Draw(got, truth, mistakes, rtol, atol))
    for part in map(names.index, order or names):
        if answer.suspicion:
            break
        try:
            same(got[part], truth[part], names[part], rtol, atol, given=given, sizes=sizes)
        except Wrong as fault:
            answer.suspicion = Suspicion(part, names[part], f"{fault}{case}", case)
    if answer.suspicion:
        _conclude(answer.draws, answer.suspicion)


def examine(
    answer: Answer, test: Callable[[Answer, np.random.Generator], None], rng: np.random.Generator
) -> None:
    """Run a check, again while a mistake is suspected that has shown on too few inputs.

    Raises:
        Wrong: the answer is wrong.

    """
    try:
        for _ in range(DRAWS):
            test(answer, rng)
            if not answer.suspicion:
                return
    except Wrong:
        if not answer.suspicion:
            raise
    raise Wrong(answer.suspicion.text)


def _conclude(draws: Sequence[Draw], suspicion: Suspicion) -> None:
    """Raise `Wrong` once one mistake has explained enough, or if none explains all draws."""
    part, scores = suspicion.part, {}
    for mistake in dict.fromkeys(m for draw in draws for m in draw.mistakes()):
        explained = [draw.score(mistake, part) for draw in draws]
        if all(explained):
            scores[mistake] = sum(explained)
    if not scores:
        suspicion.text = suspicion.fault
        raise Wrong(suspicion.text)
    best = max(scores, key=scores.get)
    suspicion.text = best.replace("{part}", suspicion.name) + suspicion.case
    is_clear = list(scores.values()).count(scores[best]) == 1
    if is_clear and sum(draw.is_wrong(part) for draw in draws) >= DRAWS:
        raise Wrong(suspicion.text)


def _in_words(inputs: Mapping[str, Any]) -> str:
    """Inputs as Python writes them: ``n = [2, 3], steps = 4``."""
    plain = {n: v.tolist() if hasattr(v, "tolist") else v for n, v in inputs.items()}
    return ", ".join(f"{name} = {value!r}" for name, value in plain.items())
