"""Spelling → phonemes: chapter 10's network with attention and without, and a small transformer.

Run ``python -m tests.bench.pronunciation``. All have equal time, and the step size follows the
clock. They learn from the same words and are judged on the 2,000 test words that none has seen; any
pronunciation that the dictionary lists counts as right.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.bench._race import Contestant, Race, Result, Stopwatch

if TYPE_CHECKING:
    from torch import nn


def transcriber(phonemes: int, d: int = 64, depth: int = 3, heads: int = 4) -> nn.Module:
    """A transformer in the place of `seq2seq.Pronouncer`: letters see each other, phonemes both.

    One stack of blocks takes the letters, which all see each other, and then the phonemes, each of
    which sees all letters and the phonemes before it. Both count their positions from 0, so letter
    and phoneme of one number have the distance 0.
    """
    import torch
    from torch import nn

    from utils.models.transformer import Block, Cache, angles, causal_mask
    from utils.text import FIRST

    class Transcriber(nn.Module):
        attention = False  # there are no maps to show

        def __init__(self) -> None:
            super().__init__()
            self.letters, self.phonemes = nn.Embedding(27, d), nn.Embedding(FIRST + phonemes, d)
            self.blocks = nn.ModuleList(Block(d, heads) for _ in range(depth))
            self.norm, self.output = nn.LayerNorm(d), nn.Linear(d, FIRST + phonemes)

        def through(self, x: Any, first: int, mask: Any, caches: list[Cache]) -> Any:
            angle = angles(first + torch.arange(x.shape[1]), d // heads)
            for block, cache in zip(self.blocks, caches, strict=True):
                x = block(x, mask, angle, cache)
            return x

        def read(self, x: Any) -> tuple[Any, list[Cache]]:
            caches = [Cache() for _ in self.blocks]
            return self.through(self.letters(x), 0, None, caches), caches

        def write(self, y: Any, caches: list[Cache], memory: Any) -> tuple[Any, list[Cache], None]:
            past, count = len(caches[0]), y.shape[1]
            mask = causal_mask(count, past + count)
            x = self.through(self.phonemes(y), past - memory.shape[1], mask, caches)
            return self.output(self.norm(x)), caches, None

        def forward(self, x: Any, y: Any) -> Any:
            memory, caches = self.read(x)
            return self.write(y, caches, memory)[0]

    return Transcriber()


def pronouncer(seed: int, seconds: float, kind: str) -> Result:
    """Train for so many CPU seconds; errors on all test words and on the long ones."""
    import torch

    from utils.datasets import load_pronunciations
    from utils.metrics import error_rate
    from utils.models.seq2seq import Pronouncer, pronounce, train

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    data = load_pronunciations()
    if kind == "transformer":
        model, options = transcriber(len(data.phonemes)), {"lr": 4e-3, "muon": 0.02}
    else:
        model, options = Pronouncer(len(data.phonemes), kind == "attention"), {}
    with Stopwatch() as clock:
        train(
            model,
            (data.x_train, data.y_train),
            data.phonemes,
            seconds=seconds,
            rng=np.random.default_rng(seed),
            **options,
        )
    answers = [spoken.phonemes for spoken in pronounce(model, data.x_test, data.phonemes)]
    long = [i for i, word in enumerate(data.x_test) if len(word) >= 9]
    right = [answer in of_word for answer, of_word in zip(answers, data.all_test, strict=True)]
    return {
        "phoneme errors": error_rate(answers, data.all_test),
        "of 9–10 letters": error_rate([answers[i] for i in long], [data.all_test[i] for i in long]),
        "words right": np.mean(right),
        "seconds": clock.seconds,
    }


RACE = Race(
    "pronunciation",
    "Spelling → phonemes, 2,000 unseen words",
    {
        "phoneme errors": "{:.1%}",
        "of 9–10 letters": "{:.1%}",
        "words right": "{:.1%}",
        "seconds": "{:.0f}",
    },
    {
        "attention": Contestant(
            "chapter 10 with attention",
            lambda seed: pronouncer(seed, 60, "attention"),
            "≤ 13% in 60 s",
        ),
        "without": Contestant(
            "without attention", lambda seed: pronouncer(seed, 60, "no attention")
        ),
        "transformer": Contestant(
            "a transformer of 157,000 weights", lambda seed: pronouncer(seed, 60, "transformer")
        ),
    },
    headline="**Pronunciation** (chapter 10): {attention[phoneme errors]} wrong phonemes in unseen "
    "words after {attention[seconds]} s with attention, {without[phoneme errors]} "
    "without.",
)

if __name__ == "__main__":
    sys.exit(RACE.main(sys.argv[1:]))
