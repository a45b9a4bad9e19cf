"""Embedding: a learned vector for each symbol of a vocabulary.

Source: Y. Bengio et al., "A neural probabilistic language model", JMLR 3 (2003), section 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from utils.engine import Tensor
from utils.layers.basic import Module

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike


class Embedding(Module):
    """A table with a row for each symbol; integers (…,) become their rows (…, D).

    The same as one-hot vectors times the table, without the multiplications by 0. The weight (V, D)
    starts normal with deviation `std`, 1 as in PyTorch; Keras starts uniform in ±0.05, and small
    rows (0.1) serve texts better.

    Args:
        num_embeddings: V, the size of the vocabulary.
        embedding_dim: D, the length of a vector.
        padding_idx: a symbol whose row starts at 0 and receives no gradient.
        std: deviation of the first values.
        rng: draws the first values.
        dtype: precision of the weight.

    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        *,
        std: float = 1.0,
        rng: np.random.Generator,
        dtype: DTypeLike = np.float32,
    ) -> None:
        table = rng.normal(0, std, (num_embeddings, embedding_dim)).astype(dtype)
        if padding_idx is not None:
            table[padding_idx] = 0
        self.weight, self.padding_idx = Tensor(table, requires_grad=True), padding_idx

    def forward(self, indices: ArrayLike) -> Tensor:
        """The rows of the table at `indices`.

        Raises:
            TypeError: the indices are not integers.
            IndexError: an index is outside [0, V).

        """
        indices, table = np.asarray(indices), self.weight.data
        if not np.issubdtype(indices.dtype, np.integer):
            raise TypeError(f"Embedding takes integers, got {indices.dtype}; use astype(int)")
        if indices.size and not 0 <= indices.min() <= indices.max() < len(table):
            raise IndexError(
                f"Embedding({len(table)}, …) has rows 0 … {len(table) - 1}, "
                f"got indices {indices.min()} … {indices.max()}"
            )

        # y = E[i], so row i receives the sum of the gradients of all places where i stands
        def rule(g: np.ndarray) -> tuple[np.ndarray]:
            share = np.zeros_like(table, dtype=g.dtype)
            order = np.argsort(indices, axis=None, kind="stable")  # equal symbols side by side
            rows, first = np.unique(indices.ravel()[order], return_index=True)
            if rows.size:
                share[rows] = np.add.reduceat(g.reshape(-1, table.shape[1])[order], first)
            if self.padding_idx is not None:
                share[self.padding_idx] = 0
            return (share,)

        return Tensor._derive(table[indices], "embedding", (self.weight,), rule)
