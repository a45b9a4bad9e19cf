"""The study of small language models: what a GPT on the standard library owes to what, over seeds.

``python -m utils.recorded.gpt_study`` trains all again, half an hour on one core.
"""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from utils import recorded

if TYPE_CHECKING:
    from torch import nn

    from utils.byte_pairs import BytePairs

SEEDS = range(3)  # of weights and windows
STEPS, LONG = 381, 1154  # about one and three minutes on one core
MERGES, SAMPLE = 1024, 2_000_000  # byte pairs, learned from so many bytes
HELD_OUT = 150_000  # bytes of the test part
CONTEXT = 128
EVERY = 20  # a recorded loss is the mean of so many steps


class Way(NamedTuple):
    """What is trained and how: for so many steps, or for the CPU seconds of the way `like`."""

    model: dict[str, Any]  # options of `GPT`, or of the LSTM where "hidden" is among them
    training: dict[str, Any]
    steps: int | None = None
    like: str = "GPT"


WAYS = {
    "GPT": Way({}, {}, STEPS),
    "GPT, long": Way({}, {}, LONG),
    "no positions": Way({"positions": "none"}, {}, STEPS),
    "learned positions": Way({"positions": "learned"}, {}, STEPS),
    "sinusoidal positions": Way({"positions": "sinusoidal"}, {}, STEPS),
    "post-norm": Way({"norm": "post"}, {}, STEPS),
    "AdamW": Way({}, {"muon": None, "lr": 3e-3}),
    "LSTM": Way({"hidden": 384}, {}),
    "LSTM, long": Way({"hidden": 384}, {}, like="GPT, long"),
    "LSTM, batch 16": Way({"hidden": 384}, {"batch_size": 16}),
    "LSTM, AdamW": Way({"hidden": 384}, {"muon": None, "lr": 5e-3, "batch_size": 16}),
}


class Corpus(NamedTuple):
    """Byte pairs, the training text in them, and the text to be judged on."""

    coder: BytePairs
    tokens: np.ndarray
    held_out: bytes


@functools.cache
def corpus() -> Corpus:
    """The standard library, cut into byte pairs; takes some seconds."""
    from utils.byte_pairs import BytePairs, learn
    from utils.datasets import load_code

    code = load_code()
    text = code.text("train")
    coder = BytePairs(learn(text[:SAMPLE], MERGES))
    return Corpus(coder, coder.encode(text), code.excerpt("test", HELD_OUT))


def build(way: str, vocabulary: int) -> nn.Module:
    """A fresh model of one of the `WAYS`."""
    from utils.models.language_model import LSTMLanguageModel
    from utils.models.transformer import GPT

    options = WAYS[way].model
    if "hidden" in options:
        return LSTMLanguageModel(vocabulary, **options)
    return GPT(vocabulary, context=CONTEXT, **options)


def run(way: str, seed: int, steps: int = 0, seconds: float = 0) -> dict[str, Any]:
    """Train in one of the `WAYS` for so many steps or CPU seconds, and judge on the held-out text.

    Returns:
        ``way``, ``seed``, ``steps``, ``seconds``, ``tokens`` seen, ``weights``; ``bits`` a byte;
        ``losses``, means over `EVERY` steps in nats a token; ``by_place``, bits a token for each
        eighth of the window, the first eighth with the least to look back at.

    """
    import torch

    from utils.models.language_model import bits_per_byte, surprise, train
    from utils.weights import count_parameters

    coder, tokens, held_out = corpus()
    torch.manual_seed(seed)
    model = build(way, len(coder))
    options = WAYS[way].training
    start = time.process_time()
    losses = train(
        model,
        tokens,
        steps=steps,
        seconds=seconds,
        context=CONTEXT,
        rng=np.random.default_rng(seed),
        **options,
    )
    seconds = time.process_time() - start
    whole = len(losses) - len(losses) % EVERY
    by_place = surprise(model, coder.encode(held_out), CONTEXT).mean(axis=0).reshape(8, -1)
    return {
        "way": way,
        "seed": seed,
        "steps": len(losses),
        "seconds": round(seconds, 1),
        "tokens": len(losses) * options.get("batch_size", 8) * CONTEXT,
        "weights": count_parameters(model),
        "bits": round(bits_per_byte(model, held_out, coder, CONTEXT), 4),
        "losses": np.mean(np.reshape(losses[:whole], (-1, EVERY)), axis=1).round(3).tolist(),
        "by_place": by_place.mean(axis=1).round(3).tolist(),
    }


def study() -> list[dict[str, Any]]:
    """Train all `WAYS` with all seeds; those without steps get the time of others, seed by seed."""
    import torch

    torch.set_num_threads(1)
    made = []
    for seed in SEEDS:
        seconds: dict[str, float] = {}  # of the ways of this seed
        for way, (_, _, steps, like) in WAYS.items():
            made.append(
                run(way, seed, **({"steps": steps} if steps else {"seconds": seconds[like]}))
            )
            seconds[way] = made[-1]["seconds"]
    return made


def runs(way: str = "GPT") -> dict[int, dict[str, Any]]:
    """The recorded runs of one way, by seed."""
    return recorded.by_seed("gpt_study", way=way)


if __name__ == "__main__":
    recorded.make("gpt_study", study, seeds=SEEDS)
