"""The study of language models with a handful of steps: every way trains, and at equal time."""

import numpy as np
import pytest

from tests.support.corpus import shrink
from utils import recorded
from utils.models.language_model import LSTMLanguageModel
from utils.models.transformer import GPT
from utils.recorded import gpt_study


@pytest.fixture(autouse=True)
def small(monkeypatch):
    return shrink(monkeypatch, EVERY=2)


def test_the_corpus_holds_packages_out(small):
    coder, tokens, held_out = small
    assert len(coder) == 256 + 64
    assert 2_500 < len(held_out) < 3_500
    assert held_out[:200] not in coder.decode(tokens)


@pytest.mark.parametrize("way", gpt_study.WAYS)
def test_every_way_trains_and_is_judged(way, small):
    run = gpt_study.run(way, seed=1, steps=3)
    batch = gpt_study.WAYS[way].training.get("batch_size", 8)
    assert (run["way"], run["seed"], run["steps"]) == (way, 1, 3)
    assert run["tokens"] == 3 * batch * 128
    assert run["seconds"] > 0
    assert len(run["losses"]) == 1
    assert len(run["by_place"]) == 8
    assert 2 < run["bits"] < 10
    model = gpt_study.build(way, len(small.coder))
    assert isinstance(model, LSTMLanguageModel if "LSTM" in way else GPT)


def test_ways_differ_in_what_they_say():
    def positions_and_norm(way):
        model = gpt_study.build(way, 300)
        return model.positions, model.blocks[0].norm

    assert [positions_and_norm(way) for way in list(gpt_study.WAYS)[:7]] == [
        *[("rotary", "pre")] * 2,
        *(("none", "pre"), ("learned", "pre"), ("sinusoidal", "pre"), ("rotary", "post")),
        ("rotary", "pre"),
    ]
    of_adam = {way for way, one in gpt_study.WAYS.items() if one.training.get("muon", 1) is None}
    assert of_adam == {"AdamW", "LSTM, AdamW"}


def test_rivals_get_the_time_of_the_gpt_of_their_seed(monkeypatch):
    asked = []

    def pretended(way, seed, steps=0, seconds=0):
        asked.append((way, seed, steps, seconds))
        long = 90.0 if way == "GPT, long" else 10.0
        return {"way": way, "seed": seed, "seconds": long + seed if "GPT" in way else 99.0}

    monkeypatch.setattr(gpt_study, "run", pretended)
    assert len(gpt_study.study()) == 3 * len(gpt_study.WAYS)
    given = {(way, seed): (steps, seconds) for way, seed, steps, seconds in asked}
    for seed in range(3):
        assert given["GPT", seed] == given["no positions", seed] == (381, 0)
        assert given["GPT, long", seed] == (1154, 0)
        assert given["LSTM", seed] == given["AdamW", seed] == (0, 10.0 + seed)
        assert given["LSTM, long", seed] == (0, 90.0 + seed)


def test_the_same_seed_gives_the_same_run():
    runs = [gpt_study.run("GPT", seed, steps=2) for seed in (0, 0, 1)]
    for run in runs:
        del run["seconds"]
    assert runs[0] == runs[1] != runs[2]


def test_runs_are_found_by_way_and_seed(monkeypatch):
    kept = ({"way": "GPT", "seed": 2, "bits": 1.9}, {"way": "LSTM", "seed": 2, "bits": 2.0})
    monkeypatch.setattr(recorded, "load", lambda name: kept)
    assert gpt_study.runs("LSTM") == {2: kept[1]}
    assert np.mean([run["bits"] for run in gpt_study.runs().values()]) == 1.9
