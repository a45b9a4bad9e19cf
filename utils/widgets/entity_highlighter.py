"""Entity highlighter: persons, places, organizations and other names in the reader's sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import traitlets

from utils import metrics, plotting
from utils.datasets.entities import TAGS
from utils.recorded import entity_sentences
from utils.recorded.entity_sentences import Reading
from utils.widgets._hero import script
from utils.widgets._sentence import MOST, Sentence, SentenceReader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

# kind of an entity → its name, its color in the page and in figures
KINDS = {
    "PER": ("person", "blue", plotting.BLUE),
    "LOC": ("place", "green", plotting.GREEN),
    "ORG": ("organization", "orange", plotting.ORANGE),
    "MISC": ("other name", "pink", plotting.PINK),
}
WIDTH, LINE = 6.4, 0.55  # of the printed picture and of a line in it, in inches


class Found(NamedTuple):
    """An entity: its kind, its text, its first word, the one behind its last, how probable.

    The probability is the product of those of its words' tags.
    """

    kind: str
    text: str
    first: int
    end: int
    probability: float


class EntityHighlighter(SentenceReader):
    """Type a sentence: a pretrained encoder with a recorded adapter marks the names in it.

    ```python
    highlighter = EntityHighlighter(text="My name is Wolff. I live in Berlin.", word=3)
    highlighter.entities, highlighter.probabilities
    ```

    Attributes:
        text: a sentence. Without the encoder's package only recorded ones are answered.
        word: whose probabilities are shown, from 0 on; beyond the last word it is the last.
        pieces: whether the word pieces are shown that the encoder reads.

    Raises:
        traitlets.TraitError: a text that is blank or too long, or a value of another kind.

    """

    STATE = ("text", "word", "pieces")
    CONSTANTS: ClassVar = {
        "TAGS": TAGS,
        "KINDS": {kind: (name, color) for kind, (name, color, _) in KINDS.items()},
        "MOST": MOST,
    }
    _esm = script("entity_highlighter")

    text = Sentence(next(iter(entity_sentences.SENTENCES))).tag(sync=True)
    word = traitlets.Int(3, min=0, max=MOST - 1).tag(sync=True)
    pieces = traitlets.Bool(False).tag(sync=True)

    def _records(self) -> tuple[dict[str, Any], ...]:
        return tuple(reading.plain() for reading in entity_sentences.readings())

    def _ask(self, text: str) -> dict[str, Any]:
        return entity_sentences.read(text).plain()

    @property
    def reading(self) -> Reading:
        """Words, their pieces and probabilities.

        Raises:
            DataUnavailable: the sentence is not recorded, and the encoder's package is missing.

        """
        return Reading.of(self.said)

    @property
    def tags(self) -> tuple[str, ...]:
        """The most probable tag of every word."""
        return tuple(TAGS[k] for k in self.reading.probabilities.argmax(axis=1))

    @property
    def entities(self) -> list[Found]:
        """All that is found, in order."""
        text, words, _, p, _ = self.reading
        best = p.max(axis=1)
        return [
            Found(kind, text[words[i][0] : words[j - 1][1]], i, j, float(best[i:j].prod()))
            for kind, i, j in sorted(metrics.entities(self.tags), key=lambda one: one[1])
        ]

    @property
    def probabilities(self) -> dict[str, float]:
        """Of every tag, for the chosen word."""
        p = self.reading.probabilities
        return dict(zip(TAGS, p[min(self.word, len(p) - 1)].tolist(), strict=True))

    @property
    def numbers(self) -> dict[str, float]:
        """What stands beside the sentence.

        Returns:
            ``count``, the number of entities; ``probability``, that of the chosen word's tag;
            ``entity``, that of the entity which holds the word, 0 where none does.

        """
        found, word = self.entities, min(self.word, len(self.reading.words) - 1)
        around = [one.probability for one in found if one.first <= word < one.end]
        return {
            "count": len(found),
            "probability": max(self.probabilities.values()),
            "entity": sum(around),
        }

    def describe(self) -> str:
        """Return the present state in words."""
        if self.silence:
            return f"{self.text} {self.silence}"
        found = [
            f"{one.text} ({KINDS[one.kind][0]}, {one.probability:.2f})" for one in self.entities
        ]
        return f"{self.text} Found: {', '.join(found) or 'no name'}. {self.reading.remark}".rstrip()

    def draw(self) -> Figure:
        """Return the sentence with its names marked, and the chosen word's probabilities."""
        fig, ax = plotting.figure(width=WIDTH, height=4.2)
        fig.set_layout_engine("none")
        if self.silence:
            ax.set_axis_off()
            ax.text(0, 1, self.describe(), wrap=True, va="top")
            return fig
        height = self._write(fig)
        names, values = zip(*self.probabilities.items(), strict=True)
        bars = ax.barh(names, values, color=plotting.BLUE)
        ax.bar_label(bars, [f"{value:.0%}" for value in values], padding=4, color=plotting.GRAY)
        ax.invert_yaxis()
        ax.set_xlim(0, 1.12)
        ax.set_xticks([])
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        start, end = self.reading.words[min(self.word, len(self.reading.words) - 1)]
        ax.set_title(f"“{self.text[start:end]}”: probability of each tag")
        total = height + 2.9
        fig.set_figheight(total)
        ax.set_position((0.11, 0.1 / total, 0.88, 2.4 / total))
        return fig

    def _write(self, fig: Figure) -> float:
        """Write the sentence from the top, a frame around each name; return the inches it takes."""
        renderer, tops = fig.canvas.get_renderer(), []
        x, line = 0.1, 0
        for text, kind, gap in self._parts():
            x += 0.07 * gap
            node = fig.text(0, 0, text, fontsize=13, transform=fig.dpi_scale_trans, va="center")
            width = node.get_window_extent(renderer).width / fig.dpi + 0.16 * (kind is not None)
            if x + width > WIDTH - 0.1 and x > 0.1:
                x, line = 0.1, line + 1
            nodes = [node]
            if kind is not None:
                color = KINDS[kind][2]
                node.set_bbox({"boxstyle": "round,pad=0.25", "fc": "none", "ec": color, "lw": 1.5})
                below = {"fontsize": 9, "color": color, "weight": "bold", "va": "center"}
                nodes.append(fig.text(0, 0, kind, transform=fig.dpi_scale_trans, **below))
            for drop, each in enumerate(nodes):
                each.set_x(x + 0.08 * (kind is not None))
                tops.append((each, 0.2 + LINE * line + 0.25 * drop))
            x += width
        height = LINE * (line + 1)
        for node, top in tops:
            node.set_y(height + 2.9 - top)
        return height

    def _parts(self) -> Iterator[tuple[str, str | None, bool]]:
        """Names, with their kind, and other words, in order; whether a blank stands before each."""
        begins = {one.first: one for one in self.entities}
        last, i, words = 0, 0, self.reading.words
        while i < len(words):
            one = begins.get(i)
            start, end = words[i][0], words[one.end - 1 if one else i][1]
            yield self.text[start:end], one and one.kind, start > last
            last, i = end, one.end if one else i + 1
