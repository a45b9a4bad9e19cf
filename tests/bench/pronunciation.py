"""Spelling → phonemes: chapter 10's network with attention and without, at equal time.

Run ``python -m tests.bench.pronunciation``. The step size follows the clock. All contestants learn
from the same words and are judged on the 2,000 test words that none has seen; any pronunciation
that the dictionary lists counts as right.
"""

from __future__ import annotations

import sys

import numpy as np

from tests.bench._race import Contestant, Race, Result, Stopwatch


def pronouncer(seed: int, seconds: float, attention: bool) -> Result:
    """Train for so many CPU seconds; errors on all test words and on the long ones."""
    import torch

    from utils.datasets import load_pronunciations
    from utils.metrics import error_rate
    from utils.models.seq2seq import Pronouncer, pronounce, train

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    data = load_pronunciations()
    model = Pronouncer(len(data.phonemes), attention)
    with Stopwatch() as clock:
        train(
            model,
            (data.x_train, data.y_train),
            data.phonemes,
            seconds=seconds,
            rng=np.random.default_rng(seed),
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
            "chapter 10 with attention", lambda seed: pronouncer(seed, 60, True), "≤ 13% in 60 s"
        ),
        "without": Contestant("without attention", lambda seed: pronouncer(seed, 60, False)),
    },
    headline="**Pronunciation** (chapter 10): {attention[phoneme errors]} wrong phonemes in unseen "
    "words after {attention[seconds]} s with attention, {without[phoneme errors]} "
    "without.",
)

if __name__ == "__main__":
    sys.exit(RACE.main(sys.argv[1:]))
