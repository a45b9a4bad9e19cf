"""Letters, phonemes and errors of chapter 10, in plain Python and NumPy.

Letters are numbered as in chapter 09; phonemes follow the padding 0, `START` and `END`. Words of
one length share a batch, so that no letter is ever padded; phonemes are, and the loss leaves these
out.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from utils.sequences import encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    Phonemes = tuple[str, ...]

PAD, START, END = range(3)
FIRST = 3  # the number of the first phoneme
LONGEST = 18  # phonemes of an answer at most; the dictionary's longest has 15
EXAMPLES = {  # how each phoneme sounds; source: CMU Pronouncing Dictionary, table of phonemes
    "AA": "odd", "AE": "at", "AH": "hut", "AO": "ought", "AW": "cow", "AY": "hide", "B": "be",
    "CH": "cheese", "D": "dee", "DH": "thee", "EH": "Ed", "ER": "hurt", "EY": "ate", "F": "fee",
    "G": "green", "HH": "he", "IH": "it", "IY": "eat", "JH": "gee", "K": "key", "L": "lee",
    "M": "me", "N": "knee", "NG": "ping", "OW": "oat", "OY": "toy", "P": "pee", "R": "read",
    "S": "sea", "SH": "she", "T": "tea", "TH": "theta", "UH": "hood", "UW": "two", "V": "vee",
    "W": "we", "Y": "yield", "Z": "zee", "ZH": "seizure",
}  # fmt: skip


def lessons(
    words: Sequence[Iterable[str]],
    sounds: Sequence[Phonemes],
    alphabet: Sequence[str],
    batch_size: int,
    rng: np.random.Generator,
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """One epoch of batches (letters, phonemes from START on, phonemes up to END), in random order.

    Words of one batch have equally many letters and about equally many phonemes.
    """
    number = {phoneme: FIRST + k for k, phoneme in enumerate(alphabet)}
    rooms: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for i in rng.permutation(len(words)).tolist():
        rooms[len(words[i])].append((len(sounds[i]), i))
    batches = []
    for room in rooms.values():
        room.sort(key=lambda pair: pair[0])
        order = [i for _, i in room]
        batches += [order[k : k + batch_size] for k in range(0, len(order), batch_size)]
    for k in rng.permutation(len(batches)):
        chosen = batches[k]
        x = encode([words[i] for i in chosen])
        y = np.zeros((2, len(chosen), 1 + max(len(sounds[i]) for i in chosen)), int)
        for row, i in enumerate(chosen):
            codes = [number[phoneme] for phoneme in sounds[i]]
            y[0, row, : len(codes) + 1] = [START, *codes]
            y[1, row, : len(codes) + 1] = [*codes, END]
        yield x, y[0], y[1]


def edit_distance(a: Sequence[str], b: Sequence[str]) -> int:
    """Fewest insertions, deletions and replacements that turn `a` into `b`.

    Source: V. Levenshtein (1966); R. Wagner and M. Fischer (1974), doi:10.1145/321796.321811.
    """
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        above, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (x != y))
    return row[-1]


def errors(answer: Phonemes, right: Sequence[Phonemes]) -> tuple[int, int]:
    """Edit distance to the nearest of the `right` pronunciations, and that one's length."""
    return min((edit_distance(answer, phonemes), len(phonemes)) for phonemes in right)


def error_rate(answers: Sequence[Phonemes], right: Sequence[Sequence[Phonemes]]) -> float:
    """Phoneme error rate: all edits, divided by all phonemes of the nearest pronunciations."""
    edits, phonemes = zip(*map(errors, answers, right), strict=True)
    return sum(edits) / sum(phonemes)
