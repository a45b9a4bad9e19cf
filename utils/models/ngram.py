"""Counting as a language model: what followed the same bytes before, from long contexts to short.

Source: I. Witten and T. Bell (1991), The zero-frequency problem, IEEE Transactions on Information
Theory 37(4), method C, doi:10.1109/18.87000; interpolated as in S. Chen and J. Goodman (1996), An
empirical study of smoothing techniques for language modeling, section 2.4, arXiv:cmp-lg/9606011.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

LONGEST = 8  # bytes of a context and of the one that follows: they share a number of 64 bits


class _Counts(NamedTuple):
    """What was counted for one length of context, sorted so that it can be looked up.

    A sequence (context, byte) is one number, the bytes as its digits in base 256.
    """

    sequences: np.ndarray
    times: np.ndarray  # of each sequence
    contexts: np.ndarray
    total: np.ndarray  # bytes that followed each context
    kinds: np.ndarray  # different bytes among them


class NGram:
    """An n-gram model of bytes with Witten–Bell smoothing.

    With c the last k bytes, N(c) the bytes that followed c in the training text, T(c) how many
    different ones they were, and c′ the context c without its first byte,

        p_k(b | c) = (N(cb) + T(c) p_{k−1}(b | c′)) / (N(c) + T(c)),

    and p_k = p_{k−1} where c was never seen; below all lies the uniform 1/256. An n-gram looks at
    n − 1 bytes. Before the first byte of a text stand zeros.

    Args:
        text: to count in.
        order: n, from 1 to 8.

    Raises:
        ValueError: another order, or no text.

    """

    def __init__(self, text: bytes, order: int) -> None:
        if not 1 <= order <= LONGEST:
            raise ValueError(f"order must be from 1 to {LONGEST}, got {order}")
        if not text:
            raise ValueError("there is no text to count in")
        self.order = order
        following = _digits(text)
        self._counts = [_count(_contexts(following, k), following) for k in range(order)]

    def probabilities(self, context: bytes = b"") -> np.ndarray:
        """Of each of the 256 bytes to come next, float64 (256,)."""
        padded = _digits(bytes(self.order) + context)
        last = [_contexts(np.append(padded, np.uint64(0)), k)[-1:] for k in range(self.order)]
        return self._each_order(last, np.arange(256, dtype=np.uint64))[-1]

    def bits_per_byte(self, text: bytes) -> np.ndarray:
        """Mean of −log₂ p over a text, for each of the 1-, 2-, … n-gram: float64 (order,).

        Raises:
            ValueError: an empty text.

        """
        if not text:
            raise ValueError("an empty text has no bits per byte")
        following = _digits(text)
        contexts = [_contexts(following, k) for k in range(self.order)]
        return -np.log2(self._each_order(contexts, following)).mean(axis=1)

    def _each_order(self, contexts: list[np.ndarray], following: np.ndarray) -> np.ndarray:
        """Probabilities (order, T) of bytes that follow; contexts broadcast with them."""
        p = np.full(len(following), 1 / 256)
        found = []
        for counts, context in zip(self._counts, contexts, strict=True):
            times = _look_up(counts.sequences, counts.times, context << 8 | following)
            total = _look_up(counts.contexts, counts.total, context)
            kinds = _look_up(counts.contexts, counts.kinds, context)
            p = np.where(total > 0, (times + kinds * p) / np.maximum(total + kinds, 1), p)
            found.append(p)
        return np.stack(found)


def _digits(text: bytes) -> np.ndarray:
    return np.frombuffer(text, np.uint8).astype(np.uint64)


def _contexts(following: np.ndarray, k: int) -> np.ndarray:
    """For each byte the k before it, as one number."""
    context = np.zeros_like(following)
    for back in range(k, 0, -1):
        before = np.concatenate([np.zeros(back, np.uint64), following])[: len(following)]
        context = context << 8 | before
    return context


def _count(context: np.ndarray, following: np.ndarray) -> _Counts:
    sequences, times = np.unique(context << 8 | following, return_counts=True)
    contexts, first = np.unique(sequences >> 8, return_index=True)
    kinds = np.diff(first, append=len(sequences))
    return _Counts(sequences, times, contexts, np.add.reduceat(times, first), kinds)


def _look_up(keys: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The value of each wanted key; 0 where it is not among the sorted keys."""
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, values[place], 0)
