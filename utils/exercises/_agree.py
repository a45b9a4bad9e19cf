"""Hold a learner's function against the truth and against known mistakes, on the same inputs."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from utils.exercises._answer import copied
from utils.exercises._compare import Wrong, alike, same, unpack
from utils.exercises._relations import Relation, View, explain, explains, told

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from utils.exercises._answer import Answer

SINGLE = 1e-4, 1e-5  # relative and absolute error that a right answer in float32 may have
DRAWS = 2  # inputs with a wrong result that a mistake must explain before it is named
COUNTS = 4  # whole numbers of them, if there are few: these agree by chance now and then
FEW = 6  # numbers of one result
MANY = 4  # relations that hold at the same time and still mean something


@dataclass
class Draw:
    """One input of a check: the results of the learner's function, the truth, known mistakes."""

    inputs: Mapping[str, Any]
    got: tuple[Any, ...] | None  # None: the function raised an exception
    names: tuple[str, ...]
    truth: tuple[Any, ...]
    mistakes: Callable[[], dict[str, tuple[Any, ...]]]
    solution: Callable
    parts: Callable[[Any], tuple[Any, ...]]  # the results in what a function returns
    sizes: Mapping[str, int]
    warnings: Sequence[str]  # NumPy's, while the function ran
    rtol: float
    atol: float
    _views: dict[int, View] = field(default_factory=dict)
    _scores: dict[tuple[str, int], int] = field(default_factory=dict)

    @functools.cached_property
    def wrong(self) -> list[bool]:
        """For each result, whether it is not the truth."""
        return [self.is_wrong(part) for part in range(len(self.truth))]

    def is_wrong(self, part: int) -> bool:
        """Whether this result is not the truth."""
        return self.got is None or not self.equal(self.got[part], self.truth[part])

    def score(self, mistake: str, part: int) -> int:
        """How many results a mistake explains; 0 if not this one."""
        if (mistake, part) not in self._scores:
            self._scores[mistake, part] = self._score(mistake, part)
        return self._scores[mistake, part]

    def _score(self, mistake: str, part: int) -> int:
        known = self.mistakes()
        if self.got is None or mistake not in known:
            return int(self.got is None and mistake not in known)
        equal = [
            self.equal(ours, truth if theirs is ... else theirs)
            for ours, theirs, truth in zip(self.got, known[mistake], self.truth, strict=True)
        ]
        return sum(equal) if equal[part] else 0

    def equal(self, a: Any, b: Any) -> bool:
        """Whether two results are the same, within the precision that the task asks for."""
        return alike(a, b, self.rtol, self.atol)

    @functools.cached_property
    def key(self) -> tuple[Any, ...]:
        """Equal for equal inputs."""
        return tuple(
            v.tobytes() if hasattr(v, "tobytes") else repr(v) for v in self.inputs.values()
        )

    @functools.cached_property
    def count(self) -> int:
        """How many numbers the inputs hold."""
        import numpy as np

        return sum(np.size(value) for value in self.inputs.values())

    @functools.cached_property
    def is_empty(self) -> bool:
        """Whether an input holds no numbers."""
        import numpy as np

        return any(np.size(value) == 0 for value in self.inputs.values())

    def size(self, part: int) -> int:
        """How many numbers this result must hold."""
        import numpy as np

        return np.size(self.truth[part])

    def says_little(self, part: int) -> bool:
        """Whether the truth is a few whole numbers or truth values, met by chance now and then."""
        import numpy as np

        truth = np.asarray(self.truth[part], float)
        return truth.size < FEW and bool(np.all(truth == np.round(truth)))

    def view(self, part: int) -> View:
        """One result as relations look at it."""
        if part not in self._views:
            others = {
                n: t
                for i, (n, t) in enumerate(zip(self.names, self.truth, strict=True))
                if i != part
            }
            self._views[part] = View(
                self.truth[part],
                others,
                self.inputs,
                self.sizes,
                self.solution,
                lambda function, changed: self.run(function, changed)[part],
            )
        return self._views[part]

    def run(self, function: Callable, changed: Mapping[str, Any]) -> tuple[Any, ...]:
        """The results of a function for these inputs, some of them changed."""
        return self.parts(function(*{**copied(self.inputs), **changed}.values()))

    def solve(self, changed: Mapping[str, Any]) -> tuple[Any, ...]:
        """The results of the solution."""
        return self.run(self.solution, changed)


@dataclass
class Suspicion:
    """A result was wrong: which of several, its name, how it looks by itself, for which inputs."""

    part: int
    name: str
    fault: Wrong
    case: str
    first: Draw
    text: str = ""  # what is known so far
    is_named: bool = False  # whether the text names a cause
    _relations: list[Relation] | None = None  # those that have explained the first draws
    _tried: int = 0  # how many draws these are

    def relations(self, draws: Sequence[Draw]) -> list[Relation]:
        """What explains all draws so far, one relation of each kind."""
        if self._relations is None:
            self._relations = explain(self.first, self.part)
        known = [draw for draw in draws[self._tried :] if draw is not self.first]
        self._tried = len(draws)
        self._relations = [
            r for r in self._relations if all(explains(r, draw, self.part) for draw in known)
        ]
        first: dict[str, Relation] = {}
        for relation in self._relations:
            first.setdefault(relation.kind, relation)
        return list(first.values())


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
    it fails to explain one, relations to the truth and the inputs are tried in the same way, and if
    none of them holds, the message is what the first wrong result looks like by itself. So a
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
    are_numbers = all(getattr(one, "ndim", 0) == 0 and not isinstance(one, list) for one in truth)
    given = {n: v for n, v in inputs.items() if quote == "entry" and not callable(v)}
    case = f" ({_in_words(inputs)})" if quote == "all" else ""

    def parts(value: Any) -> tuple[Any, ...]:
        if several and getattr(value, "ndim", 0) == 1 and len(value) == len(names) and are_numbers:
            value = tuple(value)  # an array of two numbers is as good as a pair of them
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

    draw = Draw(
        inputs, got, names, truth, mistakes, answer.reference, parts, sizes or {},
        answer.warnings, rtol, atol,
    )  # fmt: skip
    answer.draws.append(draw)
    if answer.is_watched:
        return
    for part in map(names.index, order or names):
        if answer.suspicion:
            break
        try:
            same(got[part], truth[part], names[part], rtol, atol, given=given, guess=False)
        except Wrong as fault:
            answer.suspicion = Suspicion(part, names[part], fault, case, draw)
            if answer.is_brief:
                raise
    if answer.suspicion:
        _conclude(answer.draws, answer.suspicion)


def _conclude(draws: Sequence[Draw], suspicion: Suspicion) -> None:
    """Raise `Wrong` once one mistake has explained enough, or if none explains all draws."""
    part, scores = suspicion.part, {}
    wrong = [draw for draw in draws if draw.wrong[part]]
    for mistake in dict.fromkeys(m for draw in draws for m in draw.mistakes()):
        explained = [draw.score(mistake, part) for draw in draws]
        if all(explained):
            scores[mistake] = sum(explained)
    if scores:
        best = max(scores, key=scores.get)
        suspicion.text = best.replace("{part}", suspicion.name) + suspicion.case
        suspicion.is_named = len({draw.key for draw in wrong}) >= DRAWS
        is_clear = list(scores.values()).count(scores[best]) == 1
        if is_clear and suspicion.is_named and not all(d.says_little(part) for d in wrong):
            raise Wrong(suspicion.text)
        return
    suspicion.text, suspicion.is_named = str(suspicion.fault), False
    found = suspicion.relations(draws)
    if not found:
        raise Wrong(suspicion.text)
    few = all(draw.says_little(part) for draw in wrong)
    unlike = {draw.key: draw for draw in wrong}
    numbers = sum(draw.size(part) for draw in unlike.values())
    if len(unlike) < found[0].least or (few and numbers < COUNTS):
        return
    if len(found) > MANY and not found[0].is_plain:
        return  # so far these inputs tell too little
    told_of = found[: 1 if found[0].is_plain else 2]
    prefix = f"{suspicion.name}: " if len(wrong[0].names) > 1 else ""
    texts = (told(relation, suspicion.name, prefix) for relation in told_of)
    suspicion.text, suspicion.is_named = "; or: ".join(dict.fromkeys(texts)), True
    if len(found) == 1 and not few:
        raise Wrong(suspicion.text)


def _in_words(inputs: Mapping[str, Any]) -> str:
    """Inputs as Python writes them: ``n = [2, 3], steps = 4``."""
    plain = {n: v.tolist() if hasattr(v, "tolist") else v for n, v in inputs.items()}
    return ", ".join(f"{name} = {value!r}" for name, value in plain.items())
