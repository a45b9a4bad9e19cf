"""Attention: scaled dot product, additive, and several heads at once; and the masks they take.

A query looks at keys and receives the mean of their values, weighted by how well each key fits. All
functions here take one kind of mask: True where a query may look. `torch.nn.MultiheadAttention`
wants the opposite, `torch.nn.functional.scaled_dot_product_attention` and Keras the same. Padded
keys are masked by ``length_mask(lengths)[:, None]``, where the new axis is that of the queries.

Shapes are batch first. In the formulas L counts queries, S counts keys, d is the length of both.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from utils.engine import Tensor, as_tensor, where
from utils.layers.basic import Linear, Module, in_precision_of, uniform

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike


def scaled_dot_product_attention(
    query: Tensor | ArrayLike,
    key: Tensor | ArrayLike,
    value: Tensor | ArrayLike,
    mask: ArrayLike | None = None,
) -> tuple[Tensor, Tensor]:
    """Attention softmax(QKᵀ/√d)V and its weights.

    Source: A. Vaswani et al., "Attention is all you need" (2017), arXiv:1706.03762, equation 1.

    Args:
        query: Q, (…, L, d).
        key: K, (…, S, d).
        value: V, (…, S, d′).
        mask: True where a query may look at a key; broadcasts to (…, L, S).

    Returns:
        The means of the values, (…, L, d′), and the weights, (…, L, S), whose rows sum to 1.

    Raises:
        ValueError: shapes that do not fit, or a query that may look nowhere.
        TypeError: a mask that is not boolean.

    """
    query, key, value = as_tensor(query), as_tensor(key), as_tensor(value)
    if query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        raise ValueError(
            f"attention: a query of shape {query.shape} needs keys (…, S, {query.shape[-1]}) and "
            f"values (…, S, d′), got {key.shape} and {value.shape}"
        )
    scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
    return attend(scores, value, mask)


def attend(
    scores: Tensor, value: Tensor | ArrayLike, mask: ArrayLike | None = None
) -> tuple[Tensor, Tensor]:
    """Means of the values (…, S, d′) under the softmax of scores (…, L, S), and the weights.

    The mask, as in `scaled_dot_product_attention`, comes before the softmax: a score of −∞ leaves
    its weight at exactly 0, and the others sum to 1.

    Raises:
        ValueError: the mask does not broadcast to the scores, or forbids a query all keys.

    """
    if mask is not None:
        scores = where(_allowed(mask, scores.shape), scores, -np.inf)
    weights = scores.softmax(-1)
    return weights @ value, weights


def causal_mask(size: int) -> np.ndarray:
    """Place i may look at places 0 … i: the lower triangle, (size, size)."""
    return np.tri(size, dtype=bool)


class AdditiveAttention(Module):
    """Attention whose score is a small network, vᵀ tanh(W_q q + W_k k + b).

    Queries and keys may differ in length. The parts are ``query`` (W_q), ``key`` (W_k and b) and
    ``score`` (v), each a `Linear`. `keras.layers.AdditiveAttention` starts behind W_q and W_k.

    Source: D. Bahdanau, K. Cho and Y. Bengio, "Neural machine translation by jointly learning to
    align and translate", ICLR 2015, arXiv:1409.0473, appendix A.1.2.
    """

    def __init__(
        self,
        query_dim: int,
        key_dim: int,
        hidden_dim: int,
        *,
        rng: np.random.Generator,
        dtype: DTypeLike = np.float32,
    ) -> None:
        self.query = Linear(query_dim, hidden_dim, bias=False, rng=rng, dtype=dtype)
        self.key = Linear(key_dim, hidden_dim, rng=rng, dtype=dtype)
        self.score = Linear(hidden_dim, 1, bias=False, rng=rng, dtype=dtype)

    def forward(
        self,
        query: Tensor | ArrayLike,
        key: Tensor | ArrayLike,
        value: Tensor | ArrayLike,
        mask: ArrayLike | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Means of `value` (N, S, d′) for queries (N, L, ·) on keys (N, S, ·); weights (N, L, S).

        Raises:
            ValueError: shapes that do not fit, or a query that may look nowhere.

        """
        q, k = self.query(query), self.key(key)
        n, length, hidden = q.shape
        pairs = q.reshape(n, length, 1, hidden) + k.reshape(
            n, 1, -1, hidden
        )  # every q with every k
        scores = self.score(pairs.tanh())
        return attend(scores.reshape(*scores.shape[:-1]), value, mask)


class MultiheadAttention(Module):
    """Several attentions side by side, each in its own subspace of d = embed_dim/num_heads.

    head_i = attention(Q W_qᵢ, K W_kᵢ, V W_vᵢ); the heads, joined, pass through ``out_proj``.
    ``in_proj_weight`` (3·embed_dim, embed_dim) holds W_q, W_k and W_v below one another, as in
    PyTorch with ``batch_first=True``, and starts as there: Xavier-uniform, biases 0.

    Source: A. Vaswani et al., "Attention is all you need" (2017), arXiv:1706.03762, section 3.2.2.

    Raises:
        ValueError: embed_dim is no multiple of num_heads.

    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        bias: bool = True,
        *,
        rng: np.random.Generator,
        dtype: DTypeLike = np.float32,
    ) -> None:
        if embed_dim % num_heads:
            raise ValueError(
                f"embed_dim = {embed_dim} does not divide into {num_heads} heads of equal length"
            )
        self.num_heads = num_heads
        bound = math.sqrt(6 / (4 * embed_dim))  # Xavier for a matrix of (3·embed_dim, embed_dim)
        self.in_proj_weight = uniform(rng, bound, (3 * embed_dim, embed_dim), dtype)
        self.in_proj_bias = uniform(rng, 0, (3 * embed_dim,), dtype) if bias else None
        self.out_proj = Linear(embed_dim, embed_dim, bias, rng=rng, dtype=dtype)
        if bias:
            self.out_proj.bias = uniform(rng, 0, (embed_dim,), dtype)

    def forward(
        self,
        query: Tensor | ArrayLike,
        key: Tensor | ArrayLike,
        value: Tensor | ArrayLike,
        mask: ArrayLike | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Attend with all heads.

        Args:
            query: (N, L, embed_dim).
            key: (N, S, embed_dim).
            value: (N, S, embed_dim).
            mask: True where a query may look; broadcasts to (N, L, S), the same for all heads.

        Returns:
            The output, (N, L, embed_dim), and the weights of each head, (N, num_heads, L, S).

        Raises:
            ValueError: shapes that do not fit, or a query that may look nowhere.

        """
        q, k, v = (self._project(i, x) for i, x in enumerate((query, key, value)))
        if mask is not None:
            allowed = (q.shape[0], q.shape[2], k.shape[2])
            mask = _allowed(mask, allowed).reshape(allowed[0], 1, *allowed[1:])
        heads, weights = scaled_dot_product_attention(q, k, v, mask)
        n, _, length, _ = heads.shape
        return self.out_proj(heads.transpose(1, 2).reshape(n, length, -1)), weights

    def _project(self, part: int, x: Tensor | ArrayLike) -> Tensor:
        """Queries (part 0), keys (1) or values (2) of all heads, (N, num_heads, length, d)."""
        x = in_precision_of(self.in_proj_weight, x)
        size = self.in_proj_weight.shape[1]
        if x.ndim != 3 or x.shape[2] != size:
            raise ValueError(
                f"MultiheadAttention takes (N, length, {size}), got {x.shape}; "
                "a single sequence x becomes a batch by x[None]"
            )
        rows = slice(part * size, (part + 1) * size)
        y = x @ self.in_proj_weight[rows].T
        if self.in_proj_bias is not None:
            y = y + self.in_proj_bias[rows]
        return y.reshape(*x.shape[:2], self.num_heads, -1).transpose(1, 2)


def _allowed(mask: ArrayLike, shape: tuple[int, ...]) -> np.ndarray:
    """The mask, broadcast to the shape of the scores."""
    mask = np.asarray(mask)
    if mask.dtype != bool:
        raise TypeError(
            f"attention: the mask must be boolean, True where a query may look; got {mask.dtype}"
        )
    try:
        mask = np.broadcast_to(mask, shape)
    except ValueError:
        raise ValueError(
            f"attention: a mask of shape {mask.shape} does not broadcast to the scores {shape}; "
            "a mask of padded keys (N, S) needs an axis for the queries: mask[:, None]"
        ) from None
    if not mask.any(-1).all():
        raise ValueError(
            "attention: the mask forbids a query all keys; True must mean that it may look "
            "(torch.nn.MultiheadAttention has it the other way round: pass ~mask)"
        )
    return mask
