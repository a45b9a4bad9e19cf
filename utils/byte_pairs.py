"""Byte pairs: text cut into tokens that are learned, by joining the pair that is most frequent.

Tokens 0 … 255 are the bytes, so that any text can be written; each merge adds one. Merges stay
inside pieces (a word with the space before it, digits, signs, a line's indentation), so a merge has
to touch few of them, and no token ends in the middle of one word and begins in another.

Source: R. Sennrich, B. Haddow, A. Birch (2016), Neural machine translation of rare words with
subword units, arXiv:1508.07909, algorithm 1; on bytes and in pieces: A. Radford et al. (2019),
Language models are unsupervised multitask learners, section 2.2.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from itertools import chain, pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Pair = tuple[int, int]

BYTES = 256
PIECE = re.compile(rb"\n *| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+")


def learn(text: bytes, merges: int) -> list[Pair]:
    """Return the pairs to join, in order; the pair at place i becomes token 256 + i.

    Of equally frequent pairs the one with the smaller numbers is taken. There are fewer than
    `merges` where no pair is left that comes twice.
    """
    counts = Counter(PIECE.findall(text))
    pieces, times = [list(piece) for piece in counts], list(counts.values())
    pairs: Counter[Pair] = Counter()
    places: defaultdict[Pair, set[int]] = defaultdict(set)  # pieces that have or had the pair

    def count(i: int, sign: int) -> None:
        for pair in pairwise(pieces[i]):
            pairs[pair] += sign * times[i]
            places[pair].add(i)

    for i in range(len(pieces)):
        count(i, 1)
    learned: list[Pair] = []
    while len(learned) < merges and (most := max(pairs.values(), default=0)) > 1:
        best = min(pair for pair, n in pairs.items() if n == most)
        for i in places[best].copy():  # only these change
            count(i, -1)
            pieces[i] = join(pieces[i], best, BYTES + len(learned))
            count(i, 1)
        del pairs[best], places[best]
        learned.append(best)
    return learned


def join(tokens: Sequence[int], pair: Pair, new: int) -> list[int]:
    """Write `new` wherever `pair` stands, from the left."""
    joined: list[int] = []
    for token in tokens:
        if joined and (joined[-1], token) == pair:
            joined[-1] = new
        else:
            joined.append(token)
    return joined


class BytePairs:
    """Encodes by the merges that `learn` found, and decodes.

    Attributes:
        merges: pairs of tokens, in the order in which they were learned.
        words: the bytes of each token.

    """

    def __init__(self, merges: Iterable[Pair]) -> None:
        self.merges = [tuple(pair) for pair in merges]
        self.words = [bytes([byte]) for byte in range(BYTES)]
        for left, right in self.merges:
            self.words.append(self.words[left] + self.words[right])
        self._number = {pair: BYTES + i for i, pair in enumerate(self.merges)}
        self._known: dict[bytes, list[int]] = {}  # most pieces come again and again

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, text: bytes) -> np.ndarray:
        """Tokens of a text, int64 (T,): in each piece the earliest merge first, until none fits."""
        tokens = chain.from_iterable(map(self._encode_piece, PIECE.findall(text)))
        return np.fromiter(tokens, np.int64)

    def decode(self, tokens: Iterable[int]) -> bytes:
        """The text of tokens."""
        return b"".join([self.words[token] for token in tokens])

    def _encode_piece(self, piece: bytes) -> list[int]:
        tokens = self._known.get(piece)
        if tokens is None:
            tokens = list(piece)
            while fitting := self._number.keys() & set(pairwise(tokens)):
                first = min(fitting, key=self._number.__getitem__)
                tokens = join(tokens, first, self._number[first])
            self._known[piece] = tokens
        return tokens
