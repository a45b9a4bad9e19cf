"""Head browser: where each attention head of a pretrained encoder looks in a sentence."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import traitlets

from utils import plotting
from utils.recorded import heads
from utils.recorded.heads import STEPS
from utils.widgets._hero import script
from utils.widgets._pictures import packed
from utils.widgets._sentence import MOST, Sentence, SentenceReader

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matplotlib.figure import Figure

LAYERS, HEADS = 6, 12
MEASURES = ("the previous piece", "the next piece", "itself", "[CLS]", "[SEP]")
TOP = 3  # heads that are named for a measure


def measure(weights: Iterable[np.ndarray]) -> np.ndarray:
    """How much each head looks at what `MEASURES` name, (5, layers, heads).

    A mean over all word pieces of all sentences, [CLS] and [SEP] not counted as those who look.

    Args:
        weights: (layers, heads, T, T) of each sentence, a row for each piece that looks.

    """
    found = []
    for A in weights:
        last = A.shape[-1] - 1
        i = np.arange(1, last)
        found.append(np.stack([A[..., i, j] for j in (i - 1, i + 1, i, 0 * i, 0 * i + last)]))
    return np.concatenate(found, axis=-1).mean(axis=-1)


class HeadBrowser(SentenceReader):
    """Choose a head on a grid of small maps; see where it looks, in numbers too.

    ```python
    browser = HeadBrowser(text="The dog chased the cat.", layer=0, head=2)
    browser.weights[0, 2], browser.numbers
    ```

    Attributes:
        text: a sentence. Without the encoder's package only recorded ones are answered.
        layer: of the chosen head, from 0 on.
        head: its number in the layer, from 0 on.
        piece: which word piece's look is told, from 0 on; beyond the last it is the last.
        measure: by which one of `MEASURES` the heads are marked.

    Raises:
        traitlets.TraitError: a text that is blank or too long, or a value of another kind.

    """

    STATE = ("text", "layer", "head", "piece", "measure")
    CONSTANTS: ClassVar = {
        "STEPS": STEPS,
        "LAYERS": LAYERS,
        "HEADS": HEADS,
        "TOP": TOP,
        "MOST": MOST,
    }
    _esm = script("head_browser")

    text = Sentence(heads.SENTENCES[0]).tag(sync=True)
    layer = traitlets.Int(0, min=0, max=LAYERS - 1).tag(sync=True)
    head = traitlets.Int(2, min=0, max=HEADS - 1).tag(sync=True)
    piece = traitlets.Int(4, min=0, max=heads.LONGEST - 1).tag(sync=True)
    measure = traitlets.Enum(MEASURES, MEASURES[0]).tag(sync=True)

    def _records(self) -> tuple[dict[str, Any], ...]:
        return tuple(map(_plain, heads.looks()))

    def _ask(self, text: str) -> dict[str, Any]:
        return _plain(heads.look(text))

    @property
    def pieces(self) -> tuple[str, ...]:
        """The word pieces of the sentence.

        Raises:
            DataUnavailable: the sentence is not recorded, and the encoder's package is missing.

        """
        return tuple(self.said["pieces"])

    @property
    def weights(self) -> np.ndarray:
        """How much each piece, a row, looks at each: (layers, heads, T, T), in steps of 1/255.

        Raises:
            DataUnavailable: as `pieces`.

        """
        return _weights(self.said)

    @property
    def marks(self) -> np.ndarray:
        """How much every head looks at what is to be marked, in the recorded sentences."""
        return self._recorded()[MEASURES.index(self.measure)]

    @property
    def top(self) -> list[tuple[int, int]]:
        """Layer and head of those `TOP` that look there most."""
        order = np.argsort(-self.marks, axis=None, kind="stable")[:TOP]
        return [divmod(int(k), HEADS) for k in order]

    @property
    def numbers(self) -> dict[str, dict[str, float]]:
        """How much the chosen head looks at what `MEASURES` name.

        Returns:
            ``here``, in the present sentence, and ``recorded``, in the recorded ones.

        Raises:
            DataUnavailable: as `pieces`.

        """
        of = {"here": measure([self.weights]), "recorded": self._recorded()}
        return {
            key: dict(zip(MEASURES, each[:, self.layer, self.head].tolist(), strict=True))
            for key, each in of.items()
        }

    def _recorded(self) -> np.ndarray:
        return measure(map(_weights, self.recorded))

    def describe(self) -> str:
        """Return the present state in words."""
        layer, head = self.top[0]
        most = (
            f"Most on {self.measure} in the recorded sentences looks layer {layer}, head {head}: "
            f"{self.marks[layer, head]:.2f}."
        )
        if self.silence:
            return f"{self.text} {self.silence} {most}"
        found = ", ".join(f"{name} {value:.2f}" for name, value in self.numbers["here"].items())
        return f"{self.text} Layer {self.layer}, head {self.head} looks at: {found}. {most}"

    def draw(self) -> Figure:
        """Return the maps of all heads, and that of the chosen one with the word pieces."""
        from matplotlib.patches import Rectangle

        fig, (left, right) = plotting.figure(1, 2, width=9, height=3.9, width_ratios=(1.55, 1))
        if self.silence:
            for ax in (left, right):
                ax.set_axis_off()
            left.text(0, 1, self.describe(), wrap=True, va="top")
            return fig
        A, count = self.weights, len(self.pieces)
        tiles = np.full((LAYERS, HEADS, count + 2, count + 2), np.nan)
        tiles[:, :, 1:-1, 1:-1] = A
        sheet = tiles.swapaxes(1, 2).reshape(LAYERS * (count + 2), -1)
        look = {"cmap": "Blues", "vmin": 0, "vmax": 1}
        left.imshow(np.sqrt(sheet), **look)  # small weights are seen
        corner = (np.array([self.head, self.layer]) * (count + 2) - 0.5).tolist()
        frame = {"fill": False, "edgecolor": plotting.ORANGE, "linewidth": 2}
        left.add_patch(Rectangle(corner, count + 2, count + 2, **frame))
        middle = (count + 1) / 2 + (count + 2) * np.arange(HEADS)
        left.set_xticks(middle, range(HEADS))
        left.set_yticks(middle[:LAYERS], range(LAYERS))
        left.set(xlabel="head", ylabel="layer")
        right.imshow(np.sqrt(A[self.layer, self.head]), **look)
        size = {"fontsize": 9 if count <= 17 else 7}
        right.set_xticks(range(count), self.pieces, rotation=90, **size)
        right.set_yticks(range(count), self.pieces, **size)
        right.xaxis.tick_top()
        for ax in (left, right):
            ax.tick_params(length=0)
            ax.spines[:].set_visible(False)
        right.set_xlabel(f"layer {self.layer}, head {self.head}: each row looks at columns")
        return fig


def _plain(look: heads.Look) -> dict[str, Any]:
    """As it is sent to the page."""
    return {"text": look.text, "pieces": list(look.pieces), "maps": packed(look.maps.tobytes())}


def _weights(answer: dict[str, Any]) -> np.ndarray:
    count = len(answer["pieces"])
    flat = np.frombuffer(base64.b64decode(answer["maps"]), np.uint8)
    return flat.reshape(LAYERS, HEADS, count, count) / STEPS
