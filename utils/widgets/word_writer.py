"""Word writer: a recurrent network of letters, its next letter, and words drawn at a temperature.

Without a model it shows a recorded one; ``python -m utils.widgets.word_writer`` trains that again,
in half a minute.
"""

from __future__ import annotations

import base64
import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets

from utils import plotting
from utils.text import ALPHABET
from utils.widgets._hero import Hero, Letters, Numbers, script
from utils.widgets._random import uniforms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure

    from utils.models.rnn import LetterRNN

SIGNS = "·" + ALPHABET  # the first one stands for the end of the word
WORDS, MAX_LETTERS, MAX_START = 12, 14, 8
RECORD = Path(__file__).parents[1] / "recorded" / "letters.npz"
HIDDEN, EPOCHS, SEED = 96, 6, 0


def fold(model: LetterRNN) -> dict[str, np.ndarray]:
    """The model's weights as the widget wants them, float32.

    ``table`` (27, H) is what each sign adds to the state before tanh: W times its embedding, and
    both biases; ``U`` (H, H), ``V`` (27, H) and ``c`` (27,) are the recurrent matrix and the head.
    """
    rnn, head = model.rnn, model.head
    table = model.embedding.weight.data @ rnn.weight_ih_l0.data.T
    table += rnn.bias_ih_l0.data + rnn.bias_hh_l0.data
    parts = {"table": table, "U": rnn.weight_hh_l0.data}
    parts |= {"V": head.weight.data, "c": head.bias.data}
    return {name: np.asarray(part, np.float32) for name, part in parts.items()}


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
    scores = (h @ weights["V"].T.astype(float) + weights["c"]) / temperature
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def train(
    hidden: int = HIDDEN, epochs: int = EPOCHS, words: int | None = None
) -> dict[str, np.ndarray]:
    """Train a network on `words` words of the pronouncing dictionary (None: all); see `fold`."""
    from utils.datasets import load_pronunciations
    from utils.models.rnn import LetterRNN, letter_loss
    from utils.optim import Adam
    from utils.text import next_letter_pairs
    from utils.training import fit

    rng = np.random.default_rng(SEED)
    x, y = next_letter_pairs(load_pronunciations().x_train[:words])
    model, batch = LetterRNN(hidden, rng=rng), 128
    steps = epochs * -(-len(x) // batch)
    fit(
        model, (x, y), epochs, Adam(model.parameters(), lr=6e-3), letter_loss, batch_size=batch,
        schedule=lambda t: 1 - t / steps, max_norm=5.0, rng=rng,
    )  # fmt: skip
    return fold(model)


def save(weights: Mapping[str, np.ndarray], path: Path = RECORD) -> None:
    """Keep the weights, in half precision."""
    np.savez(path, **{name: np.asarray(part, np.float16) for name, part in weights.items()})


@functools.cache
def recorded(path: Path = RECORD) -> Mapping[str, np.ndarray]:
    """The recorded weights as float32."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name].astype(np.float32) for name in file.files}


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
    _esm = script("_extra", "word_writer")

    start = Letters("", most=MAX_START, example="str").tag(sync=True)
    temperature = Numbers(0.7, 0.1, 2).tag(sync=True)
    seed = Numbers(0, 0, 99).tag(sync=True)
    hidden = traitlets.Float(read_only=True).tag(sync=True)
    weights = traitlets.Unicode(read_only=True).tag(sync=True)

    def __init__(self, model: LetterRNN | None = None, **state: Any) -> None:
        self._weights = recorded() if model is None else fold(model)
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


if __name__ == "__main__":
    save(train())
