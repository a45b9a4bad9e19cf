"""Word writer: a recurrent network of letters, its next letter, and words drawn at a temperature.

Without a model it shows a recorded one.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import traitlets
from scipy.special import softmax

from utils import plotting
from utils.recorded import letters
from utils.text import ALPHABET
from utils.widgets._hero import Hero, Letters, Numbers, script
from utils.widgets._random import uniforms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure

    from utils.models.rnn import LetterRNN

SIGNS = "·" + ALPHABET  # the first one stands for the end of the word
WORDS, MAX_LETTERS, MAX_START = 12, 14, 8


def next_sign(weights: Mapping[str, np.ndarray], start: str, temperature: float) -> np.ndarray:
    """Probabilities (27,) of the sign after the letters `start`, softmax(scores / temperature)."""
    h = _read(weights, start)
    return _probabilities(weights, h[None], temperature)[0]


def write(
    weights: Mapping[str, np.ndarray], start: str, temperature: float, seed: float
) -> list[str]:
    """Draw `WORDS` words that begin with `start`; the browser draws the same.

    Letter k of word i is drawn with number i·`MAX_LETTERS` + k of this seed. A word ends at the
    sign for its end, or with `MAX_LETTERS` letters.
    """
    numbers = uniforms(int(seed), WORDS * MAX_LETTERS).reshape(WORDS, MAX_LETTERS)
    h = np.tile(_read(weights, start), (WORDS, 1))
    words, open_ = [start] * WORDS, np.ones(WORDS, bool)
    table, U = (np.asarray(weights[name], float) for name in ("table", "U"))
    for k in range(len(start), MAX_LETTERS):
        sums = _probabilities(weights, h, temperature).cumsum(axis=1)
        signs = np.minimum((sums <= numbers[:, k : k + 1]).sum(axis=1), len(SIGNS) - 1)
        open_ &= signs > 0
        words = [
            word + SIGNS[sign] if goes_on else word
            for word, sign, goes_on in zip(words, signs, open_, strict=True)
        ]
        h = np.tanh(table[signs] + h @ U.T)
    return words


def _read(weights: Mapping[str, np.ndarray], start: str) -> np.ndarray:
    """The state (H,) after the sign of the beginning and the letters `start`."""
    table, U = (np.asarray(weights[name], float) for name in ("table", "U"))
    h = np.tanh(table[0])
    for letter in start:
        h = np.tanh(table[SIGNS.index(letter)] + U @ h)
    return h


def _probabilities(
    weights: Mapping[str, np.ndarray], h: np.ndarray, temperature: float
) -> np.ndarray:
    return softmax((h @ weights["V"].T.astype(float) + weights["c"]) / temperature, axis=1)


class WordWriter(Hero):
    """Type how a word begins; see what letter the network expects next, and words it writes.

    ```python
    writer = WordWriter(start="str", temperature=0.5)
    writer.probabilities, writer.words
    ```

    Args:
        model: a `LetterRNN`; its weights go to the browser, which computes on its own. None takes
            the recorded one.
        **state: `start`, `temperature`, `seed`, `caption`, `alt`.

    Attributes:
        start: how the words begin, at most 8 letters a to z.
        temperature: the scores are divided by it before softmax, 0.1 … 2.
        seed: which random numbers are taken, 0 … 99.

    Raises:
        traitlets.TraitError: a state that is out of range or of the wrong kind.

    """

    STATE = ("start", "temperature", "seed")
    CONSTANTS: ClassVar = {"SIGNS": SIGNS, "WORDS": WORDS, "MAX_LETTERS": MAX_LETTERS}
    _esm = script("word_writer")

    start = Letters("", most=MAX_START, example="str").tag(sync=True)
    temperature = Numbers(0.7, 0.1, 2).tag(sync=True)
    seed = Numbers(0, 0, 99).tag(sync=True)
    hidden = traitlets.Float(read_only=True).tag(sync=True)
    weights = traitlets.Unicode(read_only=True).tag(sync=True)

    def __init__(self, model: LetterRNN | None = None, **state: Any) -> None:
        self._weights = letters.weights() if model is None else letters.fold(model)
        flat = np.concatenate([self._weights[name].ravel() for name in ("table", "U", "V", "c")])
        self.set_trait("hidden", float(len(self._weights["U"])))
        self.set_trait("weights", base64.b64encode(flat.astype("<f4").tobytes()).decode("ascii"))
        super().__init__(**state)

    @property
    def probabilities(self) -> np.ndarray:
        """Of the next sign, (27,): the word's end, then a to z."""
        return next_sign(self._weights, self.start, self.temperature)

    @property
    def entropy(self) -> float:
        """How open the next sign is, in bits: 0 if it is certain, log₂ 27 if all are alike."""
        p = self.probabilities
        return float(-(p * np.log2(np.maximum(p, 1e-300))).sum())

    @property
    def words(self) -> list[str]:
        """Twelve words that begin with `start`, drawn at `temperature`."""
        return write(self._weights, self.start, self.temperature, self.seed)

    def describe(self) -> str:
        """Return the present state in words."""
        p = self.probabilities
        surest = "the end of the word" if p.argmax() == 0 else f"“{SIGNS[p.argmax()]}”"
        place = f"After “{self.start}”" if self.start else "At the beginning"
        return (
            f"{place} the network expects {surest} with probability {p.max():.2f}. "
            f"Words at temperature {self.temperature:.2f}: {', '.join(self.words)}."
        )

    def draw(self) -> Figure:
        """Return the bars of the next sign, and the words."""
        fig, (left, right) = plotting.figure(1, 2, width=8.5, height=3.2, width_ratios=(3, 1))
        left.bar(range(len(SIGNS)), self.probabilities, color=plotting.BLUE)
        left.set_xticks(range(len(SIGNS)), SIGNS)
        place = f"after “{self.start}”" if self.start else "at the beginning"
        left.set(ylabel="probability", title=f"{place}, temperature {self.temperature:g}")
        right.set_axis_off()
        for row, word in enumerate(self.words):
            right.text(0, 1 - (row + 0.5) / WORDS, word, va="center")
        return fig
