"""The transformer in PyTorch: its block, positions, a GPT, the KV cache, how tokens are chosen.

The block's parts have the names of `torch.nn.TransformerEncoderLayer`, so that weights move between
the two by ``load_state_dict``. Masks are the course's: True where a query may look.

Source: A. Vaswani et al. (2017), Attention is all you need, arXiv:1706.03762; A. Radford et al.
(2019), Language models are unsupervised multitask learners; J. Su et al. (2021), RoFormer,
arXiv:2104.09864; R. Xiong et al. (2020), On layer normalization in the transformer architecture,
arXiv:2002.04745.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

POSITIONS = ("none", "learned", "sinusoidal", "rotary")
NORMS = ("pre", "post")
BASE = 10_000  # the slowest wave is so many times longer than the fastest
SPREAD = 0.02  # deviation of the first embeddings, as in GPT-2

# ---------------------------------------------------------------- positions


def angles(positions: Tensor, d: int) -> Tensor:
    """Angles p·10000^(−2i/d) of every position p, for i = 0 … d/2 − 1: (…, d/2)."""
    rates = BASE ** (-torch.arange(0, d, 2, device=positions.device, dtype=torch.float64) / d)
    return positions[..., None] * rates


def sinusoids(positions: Tensor, d: int) -> Tensor:
    """A vector of sines and cosines, in turn, for every position: (…, d)."""
    angle = angles(positions, d)
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(-2)


def rotate(x: Tensor, angle: Tensor) -> Tensor:
    """Turn each pair (xᵢ, xᵢ₊d/₂) of the last axis of (…, T, d) by its angle (T, d/2).

    The product of a turned query and a turned key depends on their distance alone.
    """
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


# ---------------------------------------------------------------- the block


class Cache:
    """Keys and values of the tokens so far, in one block: (N, heads, T, d) each.

    A new token changes neither: in a causal model no earlier token looks at it.
    """

    def __init__(self) -> None:
        self.keys: Tensor | None = None
        self.values: Tensor | None = None

    def __len__(self) -> int:
        return 0 if self.keys is None else self.keys.shape[2]

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Append new ones; return all."""
        if self.keys is not None:
            keys = torch.cat([self.keys, keys], dim=2)
            values = torch.cat([self.values, values], dim=2)
        self.keys, self.values = keys, values
        return keys, values


class SelfAttention(nn.Module):
    """Every token asks all tokens that the mask allows, with several heads.

    Raises:
        ValueError: d is no multiple of heads.

    """

    def __init__(self, d: int, heads: int) -> None:
        super().__init__()
        if d % heads:
            raise ValueError(f"d = {d} does not divide into {heads} heads of equal length")
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * d, d))  # of q, k and v, one below other
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * d))
        self.out_proj = nn.Linear(d, d)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def project(self, x: Tensor, angle: Tensor | None = None) -> Iterator[Tensor]:
        """Queries, keys and values (N, heads, T, d/heads) of x (N, T, d); turned, if `angle`."""
        for part, y in enumerate(F.linear(x, self.in_proj_weight, self.in_proj_bias).chunk(3, -1)):
            y = y.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            yield rotate(y, angle) if angle is not None and part < 2 else y

    def weights(self, x: Tensor, mask: Tensor | None = None, angle: Tensor | None = None) -> Tensor:
        """How much each token takes from each: softmax(QKᵀ/√d), (N, heads, T, T)."""
        q, k, _ = self.project(x, angle)
        scores = q @ k.mT / math.sqrt(q.shape[-1])
        return (scores if mask is None else scores.masked_fill(~mask, -math.inf)).softmax(-1)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        angle: Tensor | None = None,
        cache: Cache | None = None,
    ) -> Tensor:
        """Means of values for x (N, T, d), by heads, joined and mapped: (N, T, d).

        `mask` broadcasts to (N, heads, T, S), S counting the tokens in the cache, too.
        """
        q, k, v = self.project(x, angle)
        if cache is not None:
            k, v = cache.extend(k, v)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.out_proj(y.transpose(1, 2).flatten(-2))


class Block(nn.Module):
    """Attention between the tokens, then a network for each token; both add to what goes through.

    With norm ``"pre"`` x + attention(LN x), x + network(LN x): the sum itself is never normalized.
    With ``"post"``, as it was at first, LN(x + attention(x)), LN(x + network(x)).

    Args:
        d: length of a token's vector.
        heads: of the attention.
        norm: ``"pre"`` or ``"post"``.
        hidden: width of the network; None is 4·d.
        eps: ε of the normalizations.
        approximate: ``"tanh"`` for the approximation of GELU that some libraries take.

    Raises:
        ValueError: another norm, or heads that do not divide d.

    """

    def __init__(
        self,
        d: int,
        heads: int,
        norm: str = "pre",
        hidden: int | None = None,
        eps: float = 1e-5,
        approximate: str = "none",
    ) -> None:
        super().__init__()
        if norm not in NORMS:
            raise ValueError(f"norm must be one of {', '.join(NORMS)}, got {norm!r}")
        hidden = hidden or 4 * d
        self.self_attn = SelfAttention(d, heads)
        self.linear1, self.linear2 = nn.Linear(d, hidden), nn.Linear(hidden, d)
        self.norm1, self.norm2 = nn.LayerNorm(d, eps), nn.LayerNorm(d, eps)
        self.norm, self.approximate = norm, approximate

    def think(self, x: Tensor) -> Tensor:
        """The network, the same for every token."""
        return self.linear2(F.gelu(self.linear1(x), approximate=self.approximate))

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        angle: Tensor | None = None,
        cache: Cache | None = None,
    ) -> Tensor:
        """(N, T, d) → (N, T, d); arguments as in `SelfAttention`."""
        if self.norm == "pre":
            x = x + self.self_attn(self.norm1(x), mask, angle, cache)
            return x + self.think(self.norm2(x))
        x = self.norm1(x + self.self_attn(x, mask, angle, cache))
        return self.norm2(x + self.think(x))


def causal_mask(queries: int, keys: int | None = None) -> Tensor:
    """True where one of the last `queries` tokens may look: at itself and before, of `keys`."""
    keys = queries if keys is None else keys
    return torch.ones(queries, keys, dtype=torch.bool).tril(keys - queries)


# ---------------------------------------------------------------- GPT


class GPT(nn.Module):
    """Predicts the next token at every place, from those up to it.

    The matrix that turns tokens into vectors also scores the next one (tied embedding).

    Args:
        vocabulary: number of tokens.
        d: length of a token's vector.
        layers: number of blocks.
        heads: of each.
        context: tokens that it is trained on; learned positions end there.
        positions: one of `POSITIONS`. Learned and sinusoidal ones are added to the embeddings and
            begin with the same spread; rotary ones turn queries and keys in every block.
        norm: ``"pre"`` or ``"post"``.

    Raises:
        ValueError: other positions or norm, or heads that do not divide d.

    """

    def __init__(
        self,
        vocabulary: int,
        d: int = 128,
        layers: int = 4,
        heads: int = 4,
        context: int = 128,
        positions: str = "rotary",
        norm: str = "pre",
    ) -> None:
        super().__init__()
        if positions not in POSITIONS:
            raise ValueError(f"positions must be one of {', '.join(POSITIONS)}, got {positions!r}")
        self.context, self.positions = context, positions
        self.tokens = nn.Embedding(vocabulary, d)
        self.blocks = nn.ModuleList(Block(d, heads, norm) for _ in range(layers))
        self.norm = nn.LayerNorm(d) if norm == "pre" else nn.Identity()  # else it comes last anyway
        nn.init.normal_(self.tokens.weight, std=SPREAD)
        if positions == "learned":
            self.places = nn.Embedding(context, d)
            nn.init.normal_(self.places.weight, std=SPREAD)
        for block in self.blocks:
            attention = block.self_attn
            for weight in (attention.in_proj_weight, block.linear1.weight):
                nn.init.normal_(weight, std=0.6 / math.sqrt(d))
            # what is added to the stream begins small, and smaller where there is more to add
            for linear in (attention.out_proj, block.linear2):
                nn.init.normal_(linear.weight, std=SPREAD / math.sqrt(2 * layers))
            for linear in (block.linear1, block.linear2):
                nn.init.zeros_(linear.bias)

    def hidden(self, tokens: Tensor, caches: Sequence[Cache] | None = None) -> Tensor:
        """Vectors (N, T, d) of tokens (N, T), after all blocks.

        Raises:
            ValueError: positions beyond those that were learned.

        """
        past, count = len(caches[0]) if caches else 0, tokens.shape[1]
        places = torch.arange(past, past + count, device=tokens.device)
        x, angle = self.tokens(tokens), None
        if self.positions == "learned":
            if past + count > self.context:
                raise ValueError(
                    f"this model learned {self.context} positions, got {past + count} tokens"
                )
            x = x + self.places(places)
        elif self.positions == "sinusoidal":
            wave = sinusoids(places, x.shape[-1])
            x = x + (SPREAD * math.sqrt(2) * wave).to(x.dtype)  # sines have a deviation of 1/√2
        elif self.positions == "rotary":
            angle = angles(places, x.shape[-1] // self.blocks[0].self_attn.heads)
        mask = causal_mask(count, past + count).to(tokens.device)
        for i, block in enumerate(self.blocks):
            x = block(x, mask, angle, caches[i] if caches else None)
        return self.norm(x)

    def forward(self, tokens: Tensor, caches: Sequence[Cache] | None = None) -> Tensor:
        """Scores (N, T, vocabulary) of the token that follows each of `tokens` (N, T).

        With `caches`, one a block, `tokens` go on from those already in them.
        """
        return F.linear(self.hidden(tokens, caches), self.tokens.weight)


# ---------------------------------------------------------------- writing on


def next_probabilities(
    scores: Tensor, temperature: float = 1.0, top_k: int | None = None, top_p: float = 1.0
) -> Tensor:
    """Probabilities from which the next token is drawn, in the last axis of `scores`.

    Args:
        scores: of all tokens, (…, vocabulary).
        temperature: divides the scores; 0 leaves the best alone (the first of equals).
        top_k: only so many of the most probable stay; None all.
        top_p: of the most probable only so many stay as are needed to reach this probability.

    Source: A. Fan et al. (2018), arXiv:1805.04833 (top-k); A. Holtzman et al. (2020), The curious
    case of neural text degeneration, arXiv:1904.09751 (top-p).

    Raises:
        ValueError: a temperature below 0, a top_k below 1, a top_p outside (0, 1].

    """
    if temperature < 0 or (top_k is not None and top_k < 1) or not 0 < top_p <= 1:
        raise ValueError(
            "temperature must be 0 or more, top_k 1 or more, top_p above 0 and at most 1; "
            f"got {temperature}, {top_k}, {top_p}"
        )
    if temperature == 0:
        return F.one_hot(scores.argmax(-1), scores.shape[-1]).to(scores.dtype)
    p, order = (scores / temperature).softmax(-1).sort(dim=-1, descending=True, stable=True)
    if top_k is not None:
        p[..., top_k:] = 0
        p = p / p.sum(-1, keepdim=True)
    p = p * (p.cumsum(-1) - p < top_p)  # a token stays while those before it do not suffice
    p = p / p.sum(-1, keepdim=True)
    return torch.zeros_like(p).scatter(-1, order, p)


@torch.no_grad()
def generate(
    model: GPT,
    tokens: Tensor,
    count: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float = 1.0,
    cache: bool = True,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Write `count` tokens on: (T,) → (T + count,).

    With the cache a step computes one token, without it all so far; the tokens are the same.

    Raises:
        ValueError: no tokens to begin with, or `next_probabilities` refuses the options.

    """
    if not len(tokens):
        raise ValueError("give at least one token to go on from")
    model.eval()
    caches = [Cache() for _ in model.blocks] if cache else None
    written, new = tokens, tokens
    for _ in range(count):
        scores = model(new[None], caches)[0, -1]
        p = next_probabilities(scores, temperature, top_k, top_p)
        token = torch.multinomial(p, 1, generator=generator)
        written = torch.cat([written, token])
        new = token if cache else written
    return written
