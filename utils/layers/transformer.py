"""The transformer's block on the engine: attention, a network for each token, norms and skips.

Source: A. Vaswani et al., "Attention is all you need" (2017), arXiv:1706.03762, section 3; with the
norm first, R. Xiong et al. (2020), arXiv:2002.04745.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from utils.layers.activations import GELU
from utils.layers.attention import MultiheadAttention
from utils.layers.basic import Linear, Module, in_precision_of
from utils.layers.normalization import LayerNorm

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

    from utils.engine import Tensor


class TransformerEncoderLayer(Module):
    """One block: (N, T, d_model) → (N, T, d_model).

    With ``norm_first`` x + attention(norm1(x)), then x + network(norm2(x)); without, as in the
    paper, each norm comes after the sum. Parts are named as in PyTorch with ``batch_first=True``,
    ``dropout=0`` and ``activation="gelu"``; its own defaults for these are False, 0.1 and ReLU.
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        layer_norm_eps: float = 1e-5,
        norm_first: bool = False,
        *,
        rng: np.random.Generator,
        dtype: DTypeLike = np.float32,
    ) -> None:
        self.self_attn = MultiheadAttention(d_model, nhead, rng=rng, dtype=dtype)
        self.linear1 = Linear(d_model, dim_feedforward, rng=rng, dtype=dtype)
        self.linear2 = Linear(dim_feedforward, d_model, rng=rng, dtype=dtype)
        self.norm1 = LayerNorm(d_model, layer_norm_eps, dtype=dtype)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, dtype=dtype)
        self.activation, self.norm_first = GELU(), norm_first

    def forward(self, x: Tensor | ArrayLike, mask: ArrayLike | None = None) -> Tensor:
        """Apply both halves; `mask` (…, T, T) is True where a token may look at another."""
        x = in_precision_of(self.linear1.weight, x)
        if self.norm_first:
            x = x + self.attend(self.norm1(x), mask)
            return x + self.think(self.norm2(x))
        x = self.norm1(x + self.attend(x, mask))
        return self.norm2(x + self.think(x))

    def attend(self, x: Tensor, mask: ArrayLike | None = None) -> Tensor:
        """Every token takes from others what it asks for."""
        return self.self_attn(x, x, x, mask)[0]

    def think(self, x: Tensor) -> Tensor:
        """Every token for itself."""
        return self.linear2(self.activation(self.linear1(x)))
