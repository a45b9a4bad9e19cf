"""Names of persons and places after 60 seconds: ``python -m tests.bench.entities``.

All contestants stand on the encoder of chapter 11, learn from 1,000 sentences of CoNLL-2003 that
the seed chooses, for 60 CPU seconds each, and are judged on one and the same third of its
validation sentences. The sentences are downloaded, or come from ``COURSE_REAL_DATA=FOLDER`` through
a server on this machine and the same loader. A seed also changes weights and batches.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tests.bench._race import Contestant, NotHere, Race, Result, Stopwatch, real_data

if TYPE_CHECKING:
    from utils.datasets import Entities

SENTENCES, SECONDS = 1_000, 60.0
JUDGED = slice(None, None, 3)  # of the validation sentences: some of each of their documents
WAYS = {  # name → pretrained, what learns
    "full": (True, "all"),
    "adapter": (True, "adapter"),
    "head": (True, "head"),
    "random": (False, "all"),
}


def load() -> Entities:
    """CoNLL-2003 through its loader.

    Raises:
        NotHere: neither an address nor COURSE_REAL_DATA has it.

    """
    from utils.datasets import DataUnavailable, load_entities

    program = real_data("make_mirror.py", or_none=True)
    if program:
        return served(program)
    try:
        return load_entities(full=True)
    except DataUnavailable as reason:
        raise NotHere(str(reason)) from reason


def served(program: Path) -> Entities:
    """What `program` lays out, through a server; its bytes are not the official archive's."""
    from tests.support.loopback import Loopback, good
    from utils.datasets import load_entities
    from utils.datasets.entities import CONLL

    spec = importlib.util.spec_from_file_location("make_mirror", program)
    mirror = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(mirror)
    with tempfile.TemporaryDirectory() as folder, Loopback() as server:
        mirror.conll(Path(folder))
        body = Path(folder, CONLL.file_name).read_bytes()
        source = dataclasses.replace(
            CONLL,
            file_name=f"served-{CONLL.file_name}",  # leaves the official one in the cache alone
            addresses=(server.serve(f"/{CONLL.file_name}", good(body)),),
            sha256=hashlib.sha256(body).hexdigest(),
            size=len(body),
        )
        return load_entities(full=True, source=source)


def tagged(way: str, seed: int, seconds: float = SECONDS) -> Result:
    """Train in one of the `WAYS` and find the entities of the judged sentences."""
    import torch

    from utils.datasets import DataUnavailable
    from utils.metrics import entity_f1
    from utils.models.encoder import EntityTagger, add_adapters, load_encoder, tag, train_tagger

    torch.set_num_threads(1)
    pretrained, learns = WAYS[way]
    data, rng = load(), np.random.default_rng(seed)
    chosen = rng.choice(len(data.x_train), min(SENTENCES, len(data.x_train)), replace=False)
    sentences, tags = ([part[i] for i in chosen] for part in (data.x_train, data.y_train))
    torch.manual_seed(seed)
    try:
        encoder = load_encoder(pretrained)
    except DataUnavailable as reason:
        raise NotHere(str(reason)) from reason
    if learns == "adapter":
        add_adapters(encoder)
    elif learns == "head":
        encoder.requires_grad_(False)
    tagger = EntityTagger(encoder)
    lr = 4e-3 if learns == "adapter" else 4e-4
    with Stopwatch() as clock:
        losses = train_tagger(tagger, sentences, tags, seconds=seconds, lr=lr, rng=rng)
    return {
        "F1": entity_f1(tag(tagger, data.x_valid[JUDGED]), data.y_valid[JUDGED]),
        "weights that learn": sum(p.numel() for p in tagger.parameters() if p.requires_grad),
        "steps": len(losses),
        "seconds": clock.seconds,
    }


RACE = Race(
    "entities",
    "Names in the news, 1,000 sentences of CoNLL-2003 to learn from",
    {
        "F1": "{:.1%}",
        "weights that learn": "{:,.0f}",
        "steps": "{:.0f}",
        "seconds": "{:.0f}",
    },
    {
        "full": Contestant(
            "chapter 11, pretrained encoder, all of it learns",
            lambda seed: tagged("full", seed),
            "F1 ≥ 75% in 60 s",
        ),
        "adapter": Contestant("low-rank adapter and head", lambda seed: tagged("adapter", seed)),
        "head": Contestant("head alone", lambda seed: tagged("head", seed)),
        "random": Contestant(
            "the same encoder from random weights", lambda seed: tagged("random", seed)
        ),
    },
    headline="**Names** (chapter 11): after {full[seconds]} s on 1,000 sentences the pretrained "
    "encoder finds names with an F1 of {full[F1]}, with a low-rank adapter of {adapter[F1]}, from "
    "random weights of {random[F1]}.",
)

if __name__ == "__main__":
    sys.exit(RACE.main(sys.argv[1:]))
