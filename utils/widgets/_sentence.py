"""What widgets share that read a sentence: one of the record, or the reader's own in the kernel."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import traitlets

from utils.datasets import DataUnavailable, encoder_folder
from utils.widgets._hero import Hero

MOST = 160  # characters
NEEDED = ("safetensors", "tokenizers")  # packages, beside the encoder's own


class Sentence(traitlets.Unicode):
    """A text of 1 to `MOST` characters, its blanks made single.

    Raises:
        traitlets.TraitError: another kind of value, nothing but blanks, or too long.

    """

    def validate(self, obj: Any, value: Any) -> str:
        """Return the text with single blanks."""
        text = " ".join(value.split()) if isinstance(value, str) else ""
        if not 1 <= len(text) <= MOST:
            raise traitlets.TraitError(
                f"{self.name} must be a sentence of 1 to {MOST} characters, for instance "
                f"{self.name} = {self.default_value!r}; got {value!r:.60}"
            )
        return text


class SentenceReader(Hero):
    """A widget that shows what a network says of a sentence.

    Recorded sentences are answered wherever the widget is shown. For others the kernel asks the
    network, if its packages are installed; what it says stands in `answer`, ``{"text": …}``, or
    ``{"text": …, "error": …}`` with the reason why it says nothing. `why` tells why no others can
    be read at all. A subclass gives `text` a default and implements `_records` and `_ask`.
    """

    text = Sentence().tag(sync=True)
    recorded = traitlets.Tuple(read_only=True).tag(sync=True)
    answer = traitlets.Dict(read_only=True).tag(sync=True)
    why = traitlets.Unicode(read_only=True).tag(sync=True)

    def _records(self) -> tuple[dict[str, Any], ...]:
        """All recorded answers."""
        raise NotImplementedError

    def _ask(self, text: str) -> dict[str, Any]:
        """The network's answer to another sentence; a `ValueError` tells why there is none."""
        raise NotImplementedError

    @traitlets.default("recorded")
    def _known(self) -> tuple[dict[str, Any], ...]:
        return self._records()

    @traitlets.default("why")
    def _reason(self) -> str:
        try:
            encoder_folder()
        except DataUnavailable as error:
            return f"Only recorded sentences can be read here: {error}."
        if missing := [name for name in NEEDED if find_spec(name) is None]:
            return (
                "Only recorded sentences can be read here: the pretrained encoder needs "
                f"{' and '.join(missing)}; install them with pip install {' '.join(missing)}."
            )
        return ""

    @traitlets.observe("text")
    def _read(self, change: Any) -> None:
        if self.why or any(one["text"] == self.text for one in self.recorded):
            return
        try:
            said = self._ask(self.text)
        except ValueError as error:
            said = {"error": f"This sentence is not read: {error}."}
        self.set_trait("answer", {"text": self.text} | said)

    @property
    def silence(self) -> str:
        """Why there is no answer to the present sentence; empty where there is one."""
        if any(one["text"] == self.text for one in self.recorded):
            return ""
        return self.why or self.answer.get("error", "")

    @property
    def said(self) -> dict[str, Any]:
        """The answer to the present sentence.

        Raises:
            DataUnavailable: there is none.

        """
        if self.silence:
            raise DataUnavailable(self.silence)
        return next((one for one in self.recorded if one["text"] == self.text), self.answer)
