"""Text as numbers: letters and symbols as integers, batches by length, words weighed by TF-IDF."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    Words = Sequence[str | Sequence[str]]

ALPHABET = "abcdefghijklmnopqrstuvwxyz"
PAD = 0  # fills up short sequences; the letter a is 1, z is 26
BOUNDARY = 0  # for `next_letter_pairs`: before the first letter and after the last
IGNORED = -1  # the target where there is nothing to tell
START, END = 1, 2  # begin and end what a decoder writes
FIRST = 3  # the number of the first symbol of its alphabet


def encode_letters(words: Words, steps: int | None = None) -> np.ndarray:
    """Words of the letters a to z as integers (N, T): 1 … 26, then `PAD` to T = `steps`.

    None takes the longest word.

    Raises:
        ValueError: a word has other characters, or more than `steps` letters.

    """
    longest = max(map(len, words), default=0)
    steps = longest if steps is None else steps
    if longest > steps:
        raise ValueError(f"the longest word has {longest} letters, more than {steps} steps")
    numbers = np.full((len(words), steps), PAD)
    for row, word in zip(numbers, words, strict=True):
        row[: len(word)] = [ALPHABET.find(letter) + 1 for letter in word]
        if not row[: len(word)].all():
            raise ValueError(f"{word!r} has characters other than the letters a to z")
    return numbers


def next_letter_pairs(words: Words) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets of teacher forcing: the word so far, and the letter that comes next.

    Returns:
        x, y, both int64 (N, T), T − 1 the length of the longest word: x begins with `BOUNDARY` and
        goes on with the letters, y has the letters and then `BOUNDARY`, `IGNORED` beyond.

    Raises:
        ValueError: a word has other characters than a … z, or there is none.

    """
    if not len(words):
        raise ValueError("give words of the letters a to z, got none")
    letters = encode_letters(words)
    x = np.pad(letters, ((0, 0), (1, 0)), constant_values=BOUNDARY)
    y = np.pad(letters, ((0, 0), (0, 1)), constant_values=BOUNDARY)
    y[np.arange(y.shape[1]) > np.array([len(word) for word in words])[:, None]] = IGNORED
    return x, y


def batches_by_length(
    lengths: Sequence[int] | np.ndarray,
    size: int,
    rng: np.random.Generator,
    groups: Sequence[int] | np.ndarray | None = None,
) -> list[np.ndarray]:
    """Batches of like lengths: all indices 0 … N − 1 once, at most `size` a batch, shuffled.

    Sorted by length, with ties in random order, then cut; the batches come in random order.
    With `groups` (N,) no batch holds samples of two groups.
    """
    lengths = np.asarray(lengths)
    members: dict[int, list[int]] = {}
    for i in rng.permutation(len(lengths)).tolist():
        members.setdefault(0 if groups is None else groups[i], []).append(i)
    batches = []
    for rows in map(np.array, members.values()):
        rows = rows[np.argsort(lengths[rows], kind="stable")]
        batches += [rows[start : start + size] for start in range(0, len(rows), size)]
    return [batches[k] for k in rng.permutation(len(batches))]


def seq2seq_batches(
    words: Sequence[Iterable[str]],
    targets: Sequence[Sequence[str]],
    alphabet: Sequence[str],
    batch_size: int,
    rng: np.random.Generator,
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """One epoch of batches for an encoder–decoder, in random order.

    Words of one batch have equally many letters, so that none is padded, and about equally many
    symbols as targets, which are padded; the loss leaves `PAD` out.

    Args:
        words: of the letters a to z.
        targets: what to write for each, symbols of `alphabet`.
        alphabet: gets the numbers from `FIRST` on.
        batch_size: words in a batch at most.
        rng: shuffles words and batches.

    Yields:
        the letters (B, S); the symbols from `START` on, and up to `END`, each (B, T).

    """
    number = {symbol: FIRST + k for k, symbol in enumerate(alphabet)}
    symbols = [len(target) for target in targets]
    letters = [len(word) for word in words]
    for chosen in batches_by_length(symbols, batch_size, rng, letters):
        x = encode_letters([words[i] for i in chosen])
        y = np.full((2, len(chosen), 1 + max(symbols[i] for i in chosen)), PAD)
        for row, i in enumerate(chosen):
            codes = [number[symbol] for symbol in targets[i]]
            y[0, row, : len(codes) + 1] = [START, *codes]
            y[1, row, : len(codes) + 1] = [*codes, END]
        yield x, y[0], y[1]


class TfIdf:
    """Texts as words with weights, which compare a query with each of them.

    A word's weight is how often the text has it, times ln((1 + N) / (1 + n)) + 1 if n of the N
    texts have it: rare words count most. Each text's weights are divided by their norm. Words are
    runs of two or more letters, digits and underscores. These are the defaults of
    ``TfidfVectorizer`` of scikit-learn.

    Source: K. Spärck Jones (1972), A statistical interpretation of term specificity and its
    application in retrieval, Journal of Documentation 28(1).

    Raises:
        ValueError: there are no texts.

    """

    def __init__(self, texts: Sequence[str]) -> None:
        if not texts:
            raise ValueError("give one text or more, got none")
        counts = [Counter(words_of(text)) for text in texts]
        found = Counter(word for count in counts for word in count)
        self.idf = {word: math.log((1 + len(texts)) / (1 + n)) + 1 for word, n in found.items()}
        self._texts = [self._weighed(count) for count in counts]

    def _weighed(self, counts: Mapping[str, int]) -> dict[str, float]:
        """Weights of the words that any of the texts has."""
        weights = {word: n * self.idf[word] for word, n in counts.items() if word in self.idf}
        norm = math.hypot(*weights.values())
        return {word: weight / norm for word, weight in weights.items()}

    def similarities(self, query: str) -> np.ndarray:
        """The cosine of a query with each text, (N,), in [0, 1]; 0 where they share no word."""
        query = self._weighed(Counter(words_of(query)))
        return np.array(
            [
                sum(weight * text.get(word, 0) for word, weight in query.items())
                for text in self._texts
            ],
            float,
        )


def words_of(text: str) -> list[str]:
    """The words of a text in small letters, as `TfIdf` takes them."""
    return re.findall(r"\w\w+", text.lower())
