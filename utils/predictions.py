"""Predict, then see: a question before an experiment, and what came out beside what you said.

    predict("02.a", "Which arrives first?", ("descent", "momentum", "Adam"))
    …
    reveal("02.a", first, "The ravine lies along the axes.")

What a learner says is kept with the progress, and changes until the answer is revealed.
"""

from __future__ import annotations

import math
import re
import textwrap
from typing import TYPE_CHECKING

from utils import progress, runtime
from utils.progress import Prediction as Kept

if TYPE_CHECKING:
    from collections.abc import Sequence

    from utils.widgets.prediction import Prediction

WIDTH = 88  # of a line, as in code
# the questions that stand on this notebook's page, by id; shown again, one replaces the other
_asked: dict[str, Prediction] = {}


def predict(
    id: str,
    question: str,
    choices: Sequence[str] = (),
    *,
    scale: Sequence[float] = (),
    log: bool = False,
    unit: str = "",
) -> None:
    """Display a question with answers to choose from, or with a number to guess on a scale.

    Args:
        id: chapter and letter, ``"02.a"``.
        question: what the experiment below answers.
        choices: two answers or more that people believe, or
        scale: the lowest and the highest number that may be guessed.
        log: whether the scale is logarithmic.
        unit: what the number counts, for instance ``"steps"``.

    Raises:
        ValueError: `id` is no such id.
        traitlets.TraitError: choices and scale, or neither, or such as cannot be answered.

    """
    from IPython.display import display

    from utils.widgets.prediction import Prediction

    if not re.fullmatch(r"\d\d\.[a-z]", id):
        raise ValueError(f'a prediction is named by chapter and letter, as in "02.a"; got {id!r}')
    widget = Prediction(
        id=id, question=question, choices=tuple(choices), scale=scale, log=log, unit=unit
    )
    kept = progress.predictions().get(id)
    if kept is not None and widget.accepts(kept.said):
        widget.said, widget.answer = kept.said, kept.answer
    widget.observe(lambda change: _keep(id, change["new"]), "said")
    _asked[id] = widget
    display(widget)


def reveal(id: str, answer: str | float, why: str) -> None:
    """Say what was predicted, what came out, and why; keep both.

    Args:
        id: the id of a question that was asked above.
        answer: what came out: one of the choices, or a number.
        why: the reason, in a sentence or two.

    Raises:
        LookupError: no such question was asked in this notebook.
        ValueError: the answer is none of the choices, or no finite number.

    """
    if id not in _asked:
        raise LookupError(f"run the cell with predict({id!r}, …) above, then this one again")
    widget = _asked[id]
    if widget.choices:
        if answer not in widget.choices:
            raise ValueError(f"{answer!r} is none of the choices {', '.join(widget.choices)}")
    else:
        answer = float(answer)
        if not math.isfinite(answer):
            raise ValueError(f"the answer to {id} must be a finite number, got {answer}")
    kept = progress.predictions().get(id)
    if widget.said is not None and (kept is None or kept.answer is None):
        progress.record_prediction(id, Kept(widget.said, answer))
        widget.answer = answer
    text = f"◆ {id} {_verdict(widget, answer)} {why}"
    runtime.say(textwrap.fill(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False))


def _keep(id: str, said: str | float | None) -> None:
    if said is not None:
        progress.record_prediction(id, Kept(said))


def _verdict(widget: Prediction, answer: str | float) -> str:
    """What was said beside what is, in a sentence or two."""
    said = widget.said
    if widget.choices:
        if said is None:
            return f"{_sentence(answer)}"
        if said == answer:
            return f"You said so: {_sentence(answer)}"
        return f"You said “{said.rstrip('.')}”. What came out: {_sentence(answer)}"
    unit = f" {widget.unit}".rstrip()
    measured = f"(measured {answer:.3g}{unit})"
    if said is None:
        return f"What came out: {measured}."
    return f"You guessed {said:g}{unit}; what came out: {measured}, {_distance(widget, answer)}."


def _distance(widget: Prediction, answer: float) -> str:
    """How far a guess is from the answer, in words."""
    low, high = widget.scale
    if widget.log and answer > 0:
        factor = max(widget.said / answer, answer / widget.said)
        near, far = factor < 1.25, f"a factor of {factor:.2g} away"
    else:
        off = abs(widget.said - answer)
        near, far = off <= 0.03 * (high - low), f"{off:.3g} away"
    return "which is as good as right" if near else far


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
