"""Pronunciation map: type a word; see its phonemes and at which letter each of them looked.

The weights are recorded, a byte each.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import traitlets
from scipy.special import expit, softmax

from utils import plotting
from utils.datasets.pronunciations import EXAMPLES, LONGEST
from utils.recorded import pronouncer
from utils.text import END, FIRST, START, encode_letters
from utils.widgets._hero import Hero, Letters, Numbers, script

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure

LONGEST_WORD = 12
PHONEMES = tuple(sorted(EXAMPLES))


class Answer(NamedTuple):
    """What the network says to a word: T phonemes and, in rows, what it thought at each of them.

    `probabilities` has T + 1 rows, the last one for the end; `weights` is (T, letters).
    """

    phonemes: tuple[str, ...]
    probabilities: np.ndarray
    weights: np.ndarray


def speak(word: str, w: Mapping[str, np.ndarray], temperature: float = 1.0) -> Answer:
    """Pronounce a word by the network of `models.seq2seq.Pronouncer`, in NumPy, step by step.

    Args:
        word: letters a to z.
        w: the network's weights by PyTorch's names.
        temperature: divides the scores of the attention; the higher, the more its look is blurred.

    """

    def linear(name: str, x: np.ndarray) -> np.ndarray:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def step(name: str, x: np.ndarray, h: np.ndarray) -> np.ndarray:
        W, U, b, d = (w[f"{name}.{kind}_l0"] for kind in _GRU)
        r, z, n = np.split(x @ W.T + b, 3)
        r_h, z_h, n_h = np.split(h @ U.T + d, 3)
        r, z = expit(r + r_h), expit(z + z_h)
        return (1 - z) * np.tanh(n + r * n_h) + z * h

    def read(name: str, sequence: np.ndarray) -> np.ndarray:
        states = [np.zeros(w[f"{name}.weight_hh_l0"].shape[1])]
        for x in sequence:
            states.append(step(name, x, states[-1]))
        return np.array(states[1:])

    letters = w["letters.weight"][encode_letters([word])[0]]
    right, left = read("rightward", letters), read("leftward", letters[::-1])
    memory = np.concatenate([right, left[::-1]], axis=1)
    state = np.tanh(linear("bridge", np.concatenate([right[-1], left[-1]])))
    keys, code = linear("key", memory), START
    scale = temperature * np.sqrt(keys.shape[1])
    codes, probabilities, weights = [], [], []
    for _ in range(LONGEST):
        y = w["phonemes.weight"][code]
        state = step("writer", y, state)
        a = softmax(keys @ linear("query", state) / scale)
        p = softmax(linear("output", np.concatenate([state, a @ memory, y])))
        code = END + int(p[END:].argmax())  # neither padding nor START
        probabilities.append(p)
        if code == END:
            break
        codes.append(code)
        weights.append(a)
    phonemes = tuple(PHONEMES[code - FIRST] for code in codes)
    return Answer(phonemes, np.array(probabilities), np.array(weights).reshape(-1, len(word)))


_GRU = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


class PronunciationMap(Hero):
    """Type a word: the recorded network pronounces it and shows where it looked.

    ```python
    speaker = PronunciationMap(word="attention")
    speaker.answer.phonemes, speaker.answer.weights
    ```

    Attributes:
        word: one to twelve letters a to z.
        step: the phoneme in the light, from 0 on; beyond the last it is the last.
        temperature: divides the scores of the attention, 1 … 100; the network learned with 1.

    Raises:
        traitlets.TraitError: a word with other characters, or a number out of range.

    """

    STATE = ("word", "step", "temperature")
    CONSTANTS: ClassVar = {
        "START": START,
        "END": END,
        "FIRST": FIRST,
        "LONGEST": LONGEST,
        "EXAMPLES": sorted(EXAMPLES.items()),
    }
    _esm = script("pronunciation_map")

    word = Letters("phonetic", least=1, most=LONGEST_WORD, example="phonetic").tag(sync=True)
    step = Numbers(0, 0, LONGEST - 1).tag(sync=True)
    temperature = Numbers(1.0, 1, 100).tag(sync=True)
    arrays = traitlets.Tuple(read_only=True).tag(sync=True)
    weights = traitlets.Unicode(read_only=True).tag(sync=True)
    scales = traitlets.Unicode(read_only=True).tag(sync=True)

    def __init__(self, **state: Any) -> None:
        super().__init__(**state)
        kept = pronouncer.quantized()
        self.set_trait("arrays", tuple((name, *rows.shape) for name, rows, _ in kept))
        for trait, part, kind in (("weights", 1, "i1"), ("scales", 2, "<f4")):
            flat = np.concatenate([entry[part].ravel() for entry in kept]).astype(kind)
            self.set_trait(trait, base64.b64encode(flat.tobytes()).decode("ascii"))

    @property
    def answer(self) -> Answer:
        """Phonemes, probabilities and attention weights for the present word."""
        return speak(self.word, pronouncer.weights(), self.temperature)

    def _row(self, answer: Answer) -> int:
        return min(int(self.step), len(answer.phonemes) - 1)

    @property
    def probability(self) -> float:
        """How sure the network was of the phoneme in the light; 0 where it says nothing."""
        answer = self.answer
        row = self._row(answer)
        return float(answer.probabilities[row, END:].max()) if row >= 0 else 0.0

    @property
    def weight(self) -> float:
        """The largest attention weight of that phoneme; 0 where there is none."""
        answer = self.answer
        row = self._row(answer)
        return float(answer.weights[row].max()) if row >= 0 else 0.0

    def describe(self) -> str:
        """Return the present state in words."""
        answer = self.answer
        looks = ", ".join(
            f"{phoneme} at {self.word[a.argmax()]}"
            for phoneme, a in zip(answer.phonemes, answer.weights, strict=True)
        )
        said = " ".join(answer.phonemes)
        blur = "" if self.temperature == 1 else f" at temperature {self.temperature:g}"
        return f"The network says {self.word} as {said}{blur}; it looks for {looks}."

    def draw(self) -> Figure:
        """Return the attention map, a row for each phoneme."""
        answer = self.answer
        fig, ax = plotting.figure(width=6.4, height=1.2 + 0.28 * max(len(answer.phonemes), 1))
        rows = answer.weights if len(answer.weights) else np.zeros((1, len(self.word)))
        ax.imshow(rows, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        labels = [f"{phoneme} · {EXAMPLES[phoneme]}" for phoneme in answer.phonemes]
        ax.set_yticks(range(len(labels)), labels)
        ax.set_xticks(range(len(self.word)), self.word)
        ax.xaxis.tick_top()
        ax.tick_params(length=0)
        ax.set_title(f"{self.word}: {' '.join(answer.phonemes)}")
        return fig
