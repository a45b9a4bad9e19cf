"""The record of the entity tagger: what is kept, how small it is, and that it comes back."""

import numpy as np
import pytest

from utils import recorded
from utils.datasets import DataUnavailable, Entities, encoder_folder
from utils.models.encoder import tag, tag_probabilities
from utils.recorded import entity_adapter

SENTENCES = (("Anna", "lives", "here"), ("In", "Berlin", "it", "rains"))
TRUTH = (("B-PER", "O", "O"), ("O", "B-LOC", "O", "O"))


@pytest.fixture(scope="module")
def made():
    """The record after a handful of steps on two sentences."""
    pytest.importorskip("tokenizers", reason="needs tokenizers")
    try:
        encoder_folder()
    except DataUnavailable as error:
        pytest.skip(str(error))
    sides = {"x": SENTENCES, "y": TRUTH}
    fields = {f"{side}_{part}": sides[side] for side in "xy" for part in ("train", "valid", "test")}
    about = {"source": "s", "license": "l", "is_full": True}
    data = Entities(**fields, **about, tags=entity_adapter.fresh().tags)
    return entity_adapter.train(data, steps=20)


@pytest.fixture
def kept(made, tmp_path, monkeypatch):
    """The same, through the file."""
    recorded.save("entity_adapter", made, seeds=[0], seconds=1, folder=tmp_path)
    load = recorded.load
    monkeypatch.setattr(recorded, "load", lambda name: load(name, tmp_path))
    entity_adapter.tagger.cache_clear()
    yield tmp_path / "entity_adapter.npz"
    entity_adapter.tagger.cache_clear()


def test_adapters_and_head_are_kept_and_little_else(made, kept):
    weights = {name: array for name, array in made.items() if not name.startswith("f1_")}
    assert sum(array.size for array in weights.values()) == 73_728 + 384 * 9 + 9
    assert {array.dtype for array in weights.values()} == {np.dtype(np.float16)}
    assert len(weights) == 6 * 2 + 2
    assert kept.stat().st_size < 200_000


def test_the_recorded_tagger_says_what_was_learned(made, kept):
    tagger = entity_adapter.tagger()
    assert not tagger.training
    assert not any(p.requires_grad for p in tagger.parameters())
    assert tag(tagger, SENTENCES) == list(TRUTH)
    assert entity_adapter.scores() == {"valid": 1.0, "test": 1.0}
    assert entity_adapter.tagger() is tagger
    for name, array in entity_adapter.learned(tagger.requires_grad_(True)).items():
        if name in made:
            np.testing.assert_array_equal(array, made[name])
    fresh = tag_probabilities(entity_adapter.fresh(), SENTENCES)[0]
    assert np.abs(fresh - tag_probabilities(tagger, SENTENCES)[0]).max() > 0.3
