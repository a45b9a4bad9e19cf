"""What the recorded entity tagger says of ten sentences, for pages where it cannot be asked.

``python -m utils.recorded.entity_sentences`` asks it again, in seconds.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from utils import recorded
from utils.recorded import entity_adapter

if TYPE_CHECKING:
    from collections.abc import Mapping

DIGITS = 4  # of a probability
# and what to see in each, beside what the tagger says
SENTENCES = {
    "My name is Wolff. I live in Berlin.": "",
    "Guido van Rossum made Python at CWI in Amsterdam.": "CWI is an institute, not a place.",
    "Real Madrid beat Bayern Munich 2 - 1 in Madrid.": "Madrid is a club once, then a city.",
    "The German chancellor met the Brazilian president at the World Cup.": (
        "MISC holds nationalities and events."
    ),
    "Jordan Smith plays against Jordan in Amman.": "One Jordan is a person, one a country.",
    "Washington criticized the plan, said George Washington University.": (
        "Wrong twice: a government is no person, and the university is cut in two."
    ),
    "Turkey eats turkey at Thanksgiving.": (
        "A country and a bird: this encoder reads no capitals, so both are the same word piece."
    ),
    "Will Smith will smith a sword in May.": "The second “smith” is a verb.",
    "Li Wei works for Huawei in Shenzhen.": "Li Wei is a person.",
    "Her dog is called Paris.": "Paris is a dog here, no place.",
}


class Reading(NamedTuple):
    """A text, tagged.

    Attributes:
        text: as it was given.
        words: of each, its first character and the one behind its last.
        pieces: of each word, the word pieces that the encoder reads.
        probabilities: of every tag for every word, (words, tags).
        remark: what to see in it; empty for what was not recorded.

    """

    text: str
    words: tuple[tuple[int, int], ...]
    pieces: tuple[tuple[str, ...], ...]
    probabilities: np.ndarray
    remark: str = ""

    def plain(self) -> dict[str, Any]:
        """The same in plain lists, rounded, as a record or a page keeps it."""
        return {
            "text": self.text,
            "words": [list(word) for word in self.words],
            "pieces": [list(pieces) for pieces in self.pieces],
            "probabilities": np.round(self.probabilities.astype(float), DIGITS).tolist(),
            "remark": self.remark,
        }

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Reading:
        """Take it back from plain lists."""
        words, pieces = (tuple(map(tuple, plain[name])) for name in ("words", "pieces"))
        p = np.array(plain["probabilities"])
        return cls(plain["text"], words, pieces, p, plain["remark"])


def read(text: str) -> Reading:
    """Ask the recorded tagger.

    Raises:
        DataUnavailable: the encoder's package is missing.

    """
    from utils.models.encoder import WORD, tag_probabilities

    tagger = entity_adapter.tagger()
    spans = tuple(word.span() for word in WORD.finditer(text))
    words = [text[start:end] for start, end in spans]
    encoded = tagger.encoder.tokenizer.encode(words, is_pretokenized=True)
    pieces: list[list[str]] = [[] for _ in words]
    for piece, word in zip(encoded.tokens, encoded.word_ids, strict=True):
        if word is not None:  # neither [CLS] nor [SEP]
            pieces[word].append(piece)
    (p,) = tag_probabilities(tagger, [words])
    return Reading(text, spans, tuple(map(tuple, pieces)), p)


@functools.cache
def readings() -> tuple[Reading, ...]:
    """What is recorded, a `Reading` for each of `SENTENCES`."""
    return tuple(map(Reading.of, recorded.load("entity_sentences")))


def record() -> list[dict[str, Any]]:
    """Read all of `SENTENCES`."""
    return [read(text)._replace(remark=remark).plain() for text, remark in SENTENCES.items()]


if __name__ == "__main__":
    recorded.make("entity_sentences", record, seeds=[0])
