"""A pretrained encoder, all-MiniLM-L6-v2, on the course's block: sentences as vectors, entities.

Source: J. Devlin et al. (2019), BERT, arXiv:1810.04805; N. Reimers, I. Gurevych (2019),
Sentence-BERT, arXiv:1908.10084; E. Hu et al. (2021), LoRA, arXiv:2106.09685.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from utils.datasets import encoder_folder
from utils.datasets.entities import TAGS
from utils.metrics import entities
from utils.models.transformer import Block
from utils.optim import one_cycle
from utils.text import IGNORED, batches_by_length

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tokenizers import Tokenizer

    Words = Sequence[str]

LONGEST = 256  # word pieces of a text; the rest is cut off
WORD = re.compile(r"\w+(?:[-.'’]\w+)*|[^\w\s]")

# ---------------------------------------------------------------- the encoder


class Encoder(nn.Module):
    """A BERT: embeddings of word pieces and of positions, then blocks that see all tokens.

    Each norm comes after the sum, as in the first transformer. `tokenizer` cuts texts into word
    pieces; `load_encoder` gives it. A fresh encoder is random.
    """

    tokenizer: Tokenizer | None = None

    def __init__(
        self,
        vocabulary: int = 30_522,
        d: int = 384,
        layers: int = 6,
        heads: int = 12,
        hidden: int = 1536,
        longest: int = 512,
        approximate: str = "none",
    ) -> None:
        super().__init__()
        self.pieces = nn.Embedding(vocabulary, d)
        self.places = nn.Embedding(longest, d)
        self.norm = nn.LayerNorm(d, 1e-12)
        options = {"norm": "post", "hidden": hidden, "eps": 1e-12, "approximate": approximate}
        self.blocks = nn.ModuleList(Block(d, heads, **options) for _ in range(layers))
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                nn.init.normal_(parameter, std=0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def states(self, tokens: Tensor, mask: Tensor) -> list[Tensor]:
        """Vectors (N, T, d) before the first block and after each.

        `tokens` (N, T) are word pieces, `mask` (N, T) is True where they are no padding.
        """
        x = self.norm(self.pieces(tokens) + self.places.weight[: tokens.shape[1]])
        states = [x]
        for block in self.blocks:
            states.append(block(states[-1], mask[:, None, None]))
        return states

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Vectors (N, T, d) after the last block."""
        return self.states(tokens, mask)[-1]

    @torch.no_grad()
    def maps(self, text: str) -> tuple[list[str], np.ndarray]:
        """The word pieces of a text, and how much each looks at each: (layers, heads, T, T)."""
        encoded = self.tokenizer.encode(text)
        tokens, mask = padded([encoded.ids])
        states = self.states(tokens, mask)
        maps = [
            block.self_attn.weights(x)[0] for block, x in zip(self.blocks, states, strict=False)
        ]
        return encoded.tokens, torch.stack(maps).numpy()


def load_encoder(pretrained: bool = True, approximate: str = "none") -> Encoder:
    """Return the encoder and its word pieces from the installed package; nothing is downloaded.

    Args:
        pretrained: False gives one of the same form with random weights.
        approximate: ``"tanh"`` computes GELU as keras-hub does; the checkpoint is for the exact.

    Raises:
        DataUnavailable: the package is missing.

    """
    from safetensors.torch import load_file
    from tokenizers import Tokenizer

    folder = encoder_folder()
    encoder = Encoder(approximate=approximate).eval()
    if pretrained:
        encoder.load_state_dict(from_bert(load_file(folder / "model.safetensors")))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(LONGEST)
    encoder.tokenizer = tokenizer
    return encoder


def from_bert(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of a BERT by the names of `Encoder`.

    The vector that BERT adds to all tokens of a first sentence is added to every position.
    """
    embeddings = "embeddings"
    state = {
        "pieces.weight": weights[f"{embeddings}.word_embeddings.weight"],
        "places.weight": weights[f"{embeddings}.position_embeddings.weight"]
        + weights[f"{embeddings}.token_type_embeddings.weight"][0],
    }
    names = {
        "self_attn.out_proj": "attention.output.dense",
        "norm1": "attention.output.LayerNorm",
        "linear1": "intermediate.dense",
        "linear2": "output.dense",
        "norm2": "output.LayerNorm",
    }
    count = 1 + max(int(name.split(".")[2]) for name in weights if name.startswith("encoder."))
    for kind in ("weight", "bias"):
        state[f"norm.{kind}"] = weights[f"{embeddings}.LayerNorm.{kind}"]
        for i in range(count):
            ours, theirs = f"blocks.{i}", f"encoder.layer.{i}"
            parts = [f"{theirs}.attention.self.{part}.{kind}" for part in ("query", "key", "value")]
            state[f"{ours}.self_attn.in_proj_{kind}"] = torch.cat([weights[p] for p in parts])
            for new, old in names.items():
                state[f"{ours}.{new}.{kind}"] = weights[f"{theirs}.{old}.{kind}"]
    return state


def padded(sequences: Sequence[Sequence[int]], fill: int = 0) -> tuple[Tensor, Tensor]:
    """Sequences of integers as one array (N, T), `fill` behind the shorter; True where real."""
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    mask = torch.arange(int(lengths.max())) < lengths[:, None]
    values = torch.full(mask.shape, fill)
    values[mask] = torch.tensor([value for sequence in sequences for value in sequence])
    return values, mask


@torch.no_grad()
def embed(encoder: Encoder, texts: Sequence[str], batch_size: int = 64) -> np.ndarray:
    """A vector of length 1 for each text, float32 (N, d): the mean of its tokens' vectors.

    The product of two is the cosine of their angle: how alike the texts are in what they say.
    """
    pieces = [encoded.ids for encoded in encoder.tokenizer.encode_batch(list(texts))]
    order = sorted(range(len(texts)), key=lambda i: len(pieces[i]))  # little padding
    vectors = np.zeros((len(texts), encoder.pieces.embedding_dim), np.float32)
    for first in range(0, len(texts), batch_size):
        chosen = order[first : first + batch_size]
        tokens, mask = padded([pieces[i] for i in chosen])
        states = encoder(tokens, mask) * mask[..., None]
        mean = states.sum(1) / mask.sum(1, keepdim=True)
        vectors[chosen] = F.normalize(mean).numpy()
    return vectors


# ---------------------------------------------------------------- a low-rank adapter


class LowRank(nn.Module):
    """W becomes W + (α/r)·BA for queries and values; W stays as it is, A and B are learned.

    B starts at 0, so that nothing is changed at first. A is (2, r, d), B is (2, d, r).
    """

    def __init__(self, d: int, rank: int = 8, alpha: float = 16) -> None:
        super().__init__()
        self.A = nn.Parameter(torch.randn(2, rank, d) / (2 * rank**0.5))
        self.B = nn.Parameter(torch.zeros(2, d, rank))
        self.scale = alpha / rank

    def forward(self, weight: Tensor) -> Tensor:
        """The changed weight of queries, keys and values, (3·d, d)."""
        query, value = self.scale * self.B @ self.A
        return weight + torch.cat([query, torch.zeros_like(query), value])


def add_adapters(encoder: Encoder, rank: int = 8) -> list[LowRank]:
    """Freeze the encoder and give the attention of every block a `LowRank`; return them."""
    encoder.requires_grad_(False)
    adapters = [LowRank(encoder.pieces.embedding_dim, rank) for _ in encoder.blocks]
    for block, adapter in zip(encoder.blocks, adapters, strict=True):
        parametrize.register_parametrization(block.self_attn, "in_proj_weight", adapter)
    return adapters


# ---------------------------------------------------------------- entities


class EntityTagger(nn.Module):
    """An encoder and a linear layer that reads a tag off every token: (N, T) → (N, T, tags).

    Args:
        encoder: is trained, too, unless its weights are frozen.
        tags: to choose from.

    """

    def __init__(self, encoder: Encoder, tags: Sequence[str] = TAGS) -> None:
        super().__init__()
        self.encoder, self.tags = encoder, tuple(tags)
        self.head = nn.Linear(encoder.pieces.embedding_dim, len(tags))
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Scores of each tag."""
        return self.head(self.encoder(tokens, mask))


class Aligned(NamedTuple):
    """A sentence for the encoder: word pieces, and the word whose first piece each is, or None."""

    pieces: list[int]
    words: list[int | None]

    def labels(self, labels: Sequence[int]) -> list[int]:
        """One for each piece: its word's label at the first piece, `IGNORED` at all others."""
        return [IGNORED if word is None else labels[word] for word in self.words]


def align(tokenizer: Tokenizer, sentences: Sequence[Words]) -> list[Aligned]:
    """Cut words into word pieces and remember where each word begins."""
    aligned = []
    for encoded in tokenizer.encode_batch(
        [list(words) for words in sentences], is_pretokenized=True
    ):
        before = [None, *encoded.word_ids]
        firsts = [
            word if word != last else None
            for word, last in zip(encoded.word_ids, before, strict=False)
        ]
        aligned.append(Aligned(encoded.ids, firsts))
    return aligned


def train_tagger(
    tagger: EntityTagger,
    sentences: Sequence[Words],
    tags: Sequence[Words],
    *,
    steps: int = 0,
    seconds: float = 0,
    lr: float = 4e-4,
    head_lr: float = 2e-3,
    batch_size: int = 16,
    rng: np.random.Generator,
) -> list[float]:
    """Teach all weights of `tagger` that are not frozen; return the loss of each step.

    AdamW, the step sizes rising for a tenth of the time and falling to 0 for the rest, gradients
    clipped to norm 1. Batches hold sentences of like lengths.

    Args:
        tagger: to be taught.
        sentences: as words.
        tags: one for each word.
        steps: of training, or 0.
        seconds: CPU seconds of training, or 0.
        lr: largest step size of the encoder's weights, or of its adapters (4e-3 serves them).
        head_lr: of the head.
        batch_size: sentences in a batch.
        rng: shuffles.

    Raises:
        ValueError: neither steps nor seconds are given, or both.

    """
    if (steps > 0) == (seconds > 0):
        raise ValueError(f"give steps or seconds, got {steps} and {seconds}")
    number = {tag: i for i, tag in enumerate(tagger.tags)}
    aligned = align(tagger.encoder.tokenizer, sentences)
    labels = [
        one.labels([number[tag] for tag in row]) for one, row in zip(aligned, tags, strict=True)
    ]
    lengths = [len(one.pieces) for one in aligned]
    head = list(tagger.head.parameters())
    body = [p for p in tagger.encoder.parameters() if p.requires_grad]
    rates = [(head, head_lr), (body, lr)] if body else [(head, head_lr)]
    optimizer = torch.optim.AdamW([{"params": p, "lr": rate} for p, rate in rates], fused=True)
    start, losses, parts = time.process_time(), [], 10_000
    factor = one_cycle(parts, warmup=0.1)
    tagger.train()
    while True:
        for chosen in batches_by_length(lengths, batch_size, rng):
            done = len(losses) / steps if steps else (time.process_time() - start) / seconds
            if done >= 1:
                return losses
            for group, (_, rate) in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * factor(int(parts * done))
            tokens, mask = padded([aligned[i].pieces for i in chosen])
            targets, _ = padded([labels[i] for i in chosen], IGNORED)
            scores = tagger(tokens, mask)
            loss = F.cross_entropy(scores.flatten(0, 1), targets.flatten(), ignore_index=IGNORED)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(head + body, 1.0)
            optimizer.step()
            losses.append(loss.item())


@torch.no_grad()
def tag_probabilities(
    tagger: EntityTagger, sentences: Sequence[Words], batch_size: int = 64
) -> list[np.ndarray]:
    """Of every tag for every word of each sentence, (words, tags); of its first piece.

    Words that do not fit into the encoder are surely outside: the first tag.
    """
    tagger.eval()
    aligned = align(tagger.encoder.tokenizer, sentences)
    order = sorted(range(len(sentences)), key=lambda i: len(aligned[i].pieces))
    found = [np.eye(1, len(tagger.tags)).repeat(len(words), axis=0) for words in sentences]
    for first in range(0, len(order), batch_size):
        chosen = order[first : first + batch_size]
        tokens, mask = padded([aligned[i].pieces for i in chosen])
        for i, row in zip(chosen, tagger(tokens, mask).softmax(-1).numpy(), strict=True):
            for word, p in zip(aligned[i].words, row, strict=False):  # padding has no word
                if word is not None:
                    found[i][word] = p
    return found


def tag(tagger: EntityTagger, sentences: Sequence[Words]) -> list[tuple[str, ...]]:
    """The most probable tag of every word."""
    found = tag_probabilities(tagger, sentences)
    return [tuple(tagger.tags[k] for k in p.argmax(axis=1)) for p in found]


class Entity(NamedTuple):
    """A part of a text: its kind, from which character to which, and how probable its tags are."""

    kind: str
    start: int
    end: int
    probability: float


def find_entities(tagger: EntityTagger, text: str) -> list[Entity]:
    """The entities of a text, in order; words are cut at blanks and signs."""
    words = list(WORD.finditer(text))
    if not words:
        return []
    (p,) = tag_probabilities(tagger, [[word.group() for word in words]])
    tags = [tagger.tags[k] for k in p.argmax(axis=1)]
    return [
        Entity(kind, words[i].start(), words[j - 1].end(), float(p[i:j].max(axis=1).prod()))
        for kind, i, j in sorted(entities(tags), key=lambda entity: entity[1])
    ]
