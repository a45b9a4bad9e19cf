"""A question before an experiment, with answers to choose from or a number to guess."""

from __future__ import annotations

import math
from typing import Any

import traitlets

from utils.widgets._hero import Hero, script


class Choices(traitlets.Tuple):
    """No answers, or two and more different ones."""

    def validate(self, obj: Any, value: Any) -> tuple[str, ...]:
        """Return the answers as a tuple."""
        if isinstance(value, str) or not all(isinstance(each, str) and each for each in value):
            raise traitlets.TraitError(f"{self.name} must be answers in words, got {value!r}")
        if len(value) == 1 or len(set(value)) < len(value):
            raise traitlets.TraitError(f"{self.name} must be two answers or more, got {value!r}")
        return tuple(value)


class Scale(traitlets.Tuple):
    """No numbers, or the lowest and the highest that may be guessed."""

    def validate(self, obj: Any, value: Any) -> tuple[float, ...]:
        """Return the two ends as floats."""
        ends = tuple(map(float, value))
        if ends and not (len(ends) == 2 and all(map(math.isfinite, ends)) and ends[0] < ends[1]):
            raise traitlets.TraitError(f"{self.name} must be (lowest, highest), got {value!r}")
        return ends


class Prediction(Hero):
    """Ask for an answer before the experiment gives it; `utils.predictions.predict` shows it.

    Attributes:
        id: chapter and letter, ``"02.a"``.
        question: what is asked.
        choices: the answers to choose from; or
        scale: lowest and highest number that may be guessed.
        log: whether the scale is logarithmic; its ends are positive then.
        unit: what the number counts.
        said: the answer or the number that the reader chose; None before.
        answer: what came out, which ends the choosing; None before.

    Raises:
        traitlets.TraitError: both choices and a scale or none of them, or one that cannot be.

    """

    STATE = ("id", "said", "answer")
    _esm = script("prediction")

    id = traitlets.Unicode().tag(sync=True)
    question = traitlets.Unicode().tag(sync=True)
    choices = Choices(()).tag(sync=True)
    scale = Scale(()).tag(sync=True)
    log = traitlets.Bool(False).tag(sync=True)
    unit = traitlets.Unicode("").tag(sync=True)
    said = traitlets.Any(None, allow_none=True).tag(sync=True)
    answer = traitlets.Any(None, allow_none=True).tag(sync=True)

    def __init__(self, **state: Any) -> None:
        super().__init__(**state)
        if bool(self.choices) == bool(self.scale):
            raise traitlets.TraitError("a prediction has choices or a scale, one of the two")
        if self.log and self.scale[0] <= 0:
            raise traitlets.TraitError(f"a logarithmic scale must be positive, got {self.scale}")

    def accepts(self, said: Any) -> bool:
        """Whether `said` is one of the choices, or a number of the scale."""
        if self.choices:
            return said in self.choices
        is_number = isinstance(said, int | float) and not isinstance(said, bool)
        return is_number and self.scale[0] <= said <= self.scale[1]

    @traitlets.validate("said")
    def _said(self, proposal: dict[str, Any]) -> Any:
        if proposal["value"] is not None and not self.accepts(proposal["value"]):
            raise traitlets.TraitError(f"{proposal['value']!r} is no answer to “{self.question}”")
        return proposal["value"]

    def describe(self) -> str:
        """Return question and possible answers in words, whatever was chosen."""
        if self.choices:
            return f"Predict: {self.question} {' · '.join(f'○ {each}' for each in self.choices)}"
        low, high = (f"{end:g} {self.unit}".rstrip() for end in self.scale)
        return f"Predict: {self.question} Guess a number between {low} and {high}."

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = super(Hero, self)._repr_mimebundle_(**kwargs)  # words instead of a picture
        text = self.describe()
        marked = text.replace("Predict:", "**Predict:**", 1)
        return data | {"text/markdown": marked, "text/plain": text}, metadata
