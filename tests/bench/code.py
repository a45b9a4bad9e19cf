"""A text that every Python has: the GPT of chapter 11 beside counting and compressors.

Run ``python -m tests.bench.code``. All are judged by their bits for a byte of the same 150,000
bytes, from packages of the standard library that nobody learned from. The compressors look back as
far as the text reaches, also into what they have packed of it; a GPT sees 128 tokens, and counting
never learns from what it judges. Time is CPU seconds of training or counting. The LSTMs take as
many steps as fitted into the GPT's time when the record of the study was made. The text is that of
the running Python.
"""

from __future__ import annotations

import gzip
import lzma
import sys
from statistics import mean
from typing import TYPE_CHECKING

import numpy as np

from tests.bench._race import Contestant, Race, Result, Stopwatch

if TYPE_CHECKING:
    from collections.abc import Callable

PART = 1_500_000  # bytes that the smaller 5-gram counts
WRITTEN = 256  # tokens


def learned(way: str, seed: int, steps: int = 0, seconds: float = 0) -> Result:
    """Train in one of the ways of `utils.recorded.gpt_study` and judge."""
    import torch

    from utils.recorded import gpt_study

    torch.set_num_threads(1)
    coder, tokens, _ = gpt_study.corpus()
    run = gpt_study.run(way, seed, steps, seconds)
    size = np.array([len(word) for word in coder.words])[tokens].mean()
    return {
        "bits per byte": run["bits"],
        "million bytes seen": run["tokens"] * size / 1e6,
        "seconds": run["seconds"],
    }


def lstm(way: str, seed: int) -> Result:
    """One of the LSTMs, for as many steps as its recorded runs took on average."""
    from utils.recorded import gpt_study

    return learned(
        way, seed, steps=round(mean(run["steps"] for run in gpt_study.runs(way).values()))
    )


def counted(order: int, size: int | None = None) -> Result:
    """Count n-grams in the training text, or in so many bytes of it, and judge."""
    from utils.datasets import load_code
    from utils.models.ngram import NGram
    from utils.recorded import gpt_study

    code = load_code()
    text = code.text("train") if size is None else code.excerpt("train", size)
    with Stopwatch() as clock:
        model = NGram(text, order)
    bits = model.bits_per_byte(code.excerpt("test", gpt_study.HELD_OUT))[-1]
    return {
        "bits per byte": bits,
        "million bytes seen": len(text) / 1e6,
        "seconds": clock.seconds,
    }


def compressed(compress: Callable[[bytes], bytes], after: bool = False) -> Result:
    """Bytes of the packed text, or by how many it lengthens the packed training text."""
    from utils.datasets import load_code
    from utils.recorded import gpt_study

    code = load_code()
    before, text = code.text("train") * after, code.excerpt("test", gpt_study.HELD_OUT)
    with Stopwatch() as clock:
        size = len(compress(before + text)) - (len(compress(before)) if after else 0)
    return {
        "bits per byte": 8 * size / len(text),
        "million bytes seen": len(before) / 1e6,
        "seconds": clock.seconds,
    }


def cached(seed: int, count: int = WRITTEN) -> Result:
    """How many times faster the GPT writes with its KV cache; the best of three each."""
    import torch

    from utils.models.transformer import GPT, generate

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    model, start = GPT(1280), torch.zeros(1, dtype=torch.long)
    taken: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(3):
        for cache, seconds in taken.items():
            with Stopwatch() as clock:
                generate(model, start, count, temperature=0, cache=cache)
            seconds.append(clock.seconds)
    return {"times as fast": min(taken[False]) / min(taken[True]), "seconds": min(taken[True])}


RACE = Race(
    "code",
    "Python's standard library, unseen packages",
    {
        "bits per byte": "{:.3f}",
        "million bytes seen": "{:.1f}",
        "times as fast": "{:.1f}",
        "seconds": "{:.0f}",
    },
    {
        "gpt": Contestant(
            "chapter 11, GPT, 381 steps",
            lambda seed: learned("GPT", seed, steps=381),
            "≤ 2.0, below the 5-gram of 1.5 million",
        ),
        "gpt_long": Contestant(
            "the same, 1,154 steps",
            lambda seed: learned("GPT, long", seed, steps=1154),
            "≤ 1.70, below the 5-gram",
        ),
        "lstm": Contestant("LSTM, the time of 381 steps", lambda seed: lstm("LSTM", seed)),
        "lstm_long": Contestant("LSTM, that of 1,154", lambda seed: lstm("LSTM, long", seed)),
        "lstm_16": Contestant(
            "LSTM, batches of 16, that of 381", lambda seed: lstm("LSTM, batch 16", seed)
        ),
        "five": Contestant("5-gram, Witten–Bell", lambda seed: counted(5)),
        "six": Contestant("6-gram", lambda seed: counted(6)),
        "five_part": Contestant("5-gram of 1.5 million bytes", lambda seed: counted(5, PART)),
        "gzip": Contestant("gzip", lambda seed: compressed(gzip.compress)),
        "xz": Contestant("xz", lambda seed: compressed(lzma.compress)),
        "xz_after": Contestant(
            "xz, behind the training text", lambda seed: compressed(lzma.compress, after=True)
        ),
        "cache": Contestant("KV cache, 256 tokens against none", cached, "≥ 3 times as fast"),
    },
    headline="**Source code** (chapter 11): for unseen packages a GPT needs {gpt[bits per byte]} "
    "bits per byte after {gpt[seconds]} s, {gpt_long[bits per byte]} after {gpt_long[seconds]} s; "
    "counting five bytes {five[bits per byte]}, xz {xz[bits per byte]}. Its cache makes it write "
    "{cache[times as fast]} times as fast.",
)

if __name__ == "__main__":
    sys.exit(RACE.main(sys.argv[1:]))
