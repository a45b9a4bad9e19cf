"""The pretrained encoder against transformers and keras-hub; adapters; tags aligned with pieces."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.notebooks.execute import ROOT
from utils.datasets import DataUnavailable, encoder_folder
from utils.models import encoder as module
from utils.models.encoder import (
    Encoder,
    EntityTagger,
    LowRank,
    add_adapters,
    align,
    embed,
    find_entities,
    from_bert,
    load_encoder,
    padded,
    tag,
    tag_probabilities,
    train_tagger,
)
from utils.text import IGNORED
from utils.weights import count_parameters

TEXTS = ["How do I parse a date?", "copy a folder", "The Eiffel Tower is in Paris, and Mr. Smith."]


@pytest.fixture(scope="module")
def folder():
    pytest.importorskip("tokenizers", reason="needs tokenizers")
    pytest.importorskip("safetensors", reason="needs safetensors")
    try:
        return encoder_folder()
    except DataUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def encoder(folder):
    return load_encoder()


@pytest.fixture
def small(folder):
    """A random encoder of two narrow blocks, with the real word pieces."""
    torch.manual_seed(0)
    made = Encoder(d=16, layers=2, heads=2, hidden=20, longest=256)
    made.tokenizer = load_encoder(pretrained=False).tokenizer
    return made.eval()


# ---- without the package ---------------------------------------------------------------------


def test_an_encoder_is_torch_s_own_layers_behind_embeddings():
    ours = Encoder(30, 8, 3, 2, 12, 10).double().eval()
    for parameter in ours.parameters():
        nn.init.normal_(parameter, std=0.5)
    layer = nn.TransformerEncoderLayer(8, 2, 12, 0.0, F.gelu, 1e-12, True, dtype=torch.float64)
    theirs = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False).eval()
    for block, same in zip(ours.blocks, theirs.layers, strict=True):
        same.load_state_dict(block.state_dict())
    tokens, mask = padded([[3, 1, 4, 1, 5], [9, 2]])
    x = ours.norm(ours.pieces.weight[tokens] + ours.places.weight[:5])
    expected = theirs(x, src_key_padding_mask=~mask)
    torch.testing.assert_close(ours(tokens, mask)[mask], expected[mask], rtol=0, atol=1e-10)
    assert len(ours.states(tokens, mask)) == 4
    changed = tokens.clone()
    changed[1, 2:] = 7  # padding may hold anything
    assert torch.equal(ours(changed, mask)[mask], ours(tokens, mask)[mask])


def test_padding_fills_up():
    values, mask = padded([[1, 2, 3], [4]], -1)
    assert values.tolist() == [[1, 2, 3], [4, -1, -1]]
    assert mask.tolist() == [[True] * 3, [True, False, False]]


def test_a_low_rank_adapter_changes_queries_and_values_alone():
    adapter, weight = LowRank(6, rank=2, alpha=5.0), torch.randn(18, 6)
    assert torch.equal(adapter(weight), weight)
    nn.init.normal_(adapter.B)
    change = (adapter(weight) - weight).detach()
    assert (change[6:12] == 0).all()
    for part, rows in ((0, slice(0, 6)), (1, slice(12, 18))):
        expected = 2.5 * (adapter.B[part] @ adapter.A[part])
        torch.testing.assert_close(change[rows], expected.detach(), atol=1e-6, rtol=0)
        assert torch.linalg.matrix_rank(change[rows], rtol=1e-4) == 2


def test_only_adapters_learn_and_at_first_change_nothing():
    encoder = Encoder(30, 8, 2, 2, 12, 10).eval()
    tokens, mask = padded([[3, 1, 4]])
    before = encoder(tokens, mask).detach()
    adapters = add_adapters(encoder, rank=3)
    assert torch.equal(encoder(tokens, mask), before)
    learned = {name for name, p in encoder.named_parameters() if p.requires_grad}
    assert len(learned) == 4
    assert sum(p.numel() for a in adapters for p in a.parameters()) == 2 * 2 * 2 * 3 * 8
    nn.init.normal_(adapters[1].B)
    change = encoder(tokens, mask) - before
    assert change.abs().max() > 1e-3
    change.square().sum().backward()
    assert adapters[0].B.grad.abs().max() > 0
    assert all(p.grad is None for p in encoder.parameters() if not p.requires_grad)


# ---- against other libraries -----------------------------------------------------------------


@pytest.fixture(scope="module")
def theirs(folder):
    transformers = pytest.importorskip("transformers", reason="needs transformers")
    model = transformers.AutoModel.from_pretrained(str(folder), attn_implementation="eager").eval()
    return transformers.AutoTokenizer.from_pretrained(str(folder)), model


def test_states_and_maps_are_those_of_transformers(encoder, theirs):
    tokenizer, model = theirs
    ids = [encoded.ids for encoded in encoder.tokenizer.encode_batch(TEXTS)]
    tokens, mask = padded(ids)
    batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
    assert torch.equal(batch["input_ids"], tokens)
    with torch.no_grad():
        expected = model(**batch, output_hidden_states=True, output_attentions=True)
        states = encoder.states(tokens, mask)
    for ours, other in zip(states, expected.hidden_states, strict=True):
        torch.testing.assert_close(ours[mask], other[mask], rtol=0, atol=2e-5)
    pieces, maps = encoder.maps(TEXTS[2])
    assert pieces[:5] == ["[CLS]", "the", "e", "##iff", "##el"]
    assert maps.shape == (6, 12, len(pieces), len(pieces))
    for layer, other in zip(maps, expected.attentions, strict=True):
        np.testing.assert_allclose(layer, other[2, :, : len(pieces), : len(pieces)], atol=1e-5)


def test_vectors_are_means_of_length_one(encoder, theirs):
    tokenizer, model = theirs
    vectors = embed(encoder, [*TEXTS, TEXTS[0]], batch_size=3)
    assert vectors.shape == (4, 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(vectors[3], vectors[0], atol=1e-6)
    with torch.no_grad():
        for text, vector in zip(TEXTS, vectors, strict=False):
            state = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
            expected = state.mean(0) / state.mean(0).norm()
            np.testing.assert_allclose(vector, expected, atol=1e-5)


def test_meaning_is_found(encoder):
    question, *answers = embed(
        encoder,
        [
            "copy a folder with everything in it",
            "Recursively copy a directory tree and return the destination directory.",
            "Return a list of folder names.",
            "Return the sample arithmetic mean of data.",
        ],
    )
    scores = np.array(answers) @ question
    assert scores.argmax() == 0
    assert scores[0] > scores[2] + 0.3


def test_a_random_encoder_has_the_same_form(folder, encoder):
    other = load_encoder(pretrained=False)
    assert count_parameters(other) == count_parameters(encoder) == 22_565_376 - 2 * 384
    weight = other.blocks[0].linear1.weight
    assert weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert (other.norm.weight == 1).all()


def test_a_bert_of_another_size_is_read(theirs):
    from transformers import BertConfig, BertModel

    sizes = {"vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = BertModel(
        BertConfig(**sizes, intermediate_size=12, max_position_embeddings=9),
        add_pooling_layer=False,
    ).eval()
    ours = Encoder(20, 8, 2, 2, 12, 9).eval()
    ours.load_state_dict(from_bert(model.state_dict()))
    tokens, mask = padded([[3, 1, 4, 1]])
    expected = model(input_ids=tokens).last_hidden_state
    torch.testing.assert_close(ours(tokens, mask), expected, rtol=0, atol=1e-5)


KERAS = """
import json, sys
import numpy as np
from utils.models.keras_transformer import load_keras_encoder
from utils.runtime import import_tensorflow
import_tensorflow()
backbone = load_keras_encoder()
tokens, mask = map(np.array, json.loads(sys.argv[1]))
batch = {"token_ids": tokens, "padding_mask": mask, "segment_ids": np.zeros_like(tokens)}
states = np.array(backbone(batch)["sequence_output"])
print(json.dumps([states[mask.astype(bool)].tolist(), "torch" in sys.modules]))
"""


@pytest.mark.slow
def test_keras_hub_computes_the_same_with_the_same_gelu(encoder):
    pytest.importorskip("keras_hub", reason="needs keras-hub")
    tokens, mask = padded([encoded.ids for encoded in encoder.tokenizer.encode_batch(TEXTS)])
    batch = json.dumps([tokens.tolist(), mask.int().tolist()])
    command = [sys.executable, "-c", KERAS, batch]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    states, has_torch = json.loads(done.stdout.splitlines()[-1])
    assert not has_torch
    far = {}
    for approximate in ("tanh", "none"):
        with torch.no_grad():
            ours = load_encoder(approximate=approximate)(tokens, mask)[mask]
        far[approximate] = np.abs(ours.numpy() - states).max()
    assert far["tanh"] < 2e-5
    assert 1e-3 < far["none"] < 1e-2


# ---- entities --------------------------------------------------------------------------------


def test_labels_stand_at_the_first_piece_of_each_word(small):
    words = ("Wolff", "isn't", "unbelievably", "rich", ".")
    (one,) = align(small.tokenizer, [words])
    pieces = [small.tokenizer.id_to_token(piece) for piece in one.pieces]
    labels = one.labels([10, 11, 12, 13, 14])
    firsts = {}
    for piece, label in zip(pieces, labels, strict=True):
        if label != IGNORED:
            firsts[label] = piece
    assert len(pieces) > len(words) + 2
    assert list(firsts) == [10, 11, 12, 13, 14]
    assert [firsts[label] for label in (10, 11, 13, 14)] == ["wolff", "isn", "rich", "."]
    assert firsts[12].startswith("un")
    assert labels[0] == labels[-1] == IGNORED  # [CLS] and [SEP]


def test_words_beyond_the_end_are_outside(small):
    tagger = EntityTagger(small)
    nn.init.constant_(tagger.head.bias, 0)
    tagger.head.bias.data[3] = 100  # says B-ORG to everything
    (tags,) = tag(tagger, [["word"] * 300])
    assert tags == ("B-ORG",) * 254 + ("O",) * 46  # 256 pieces, two of them [CLS] and [SEP]
    (p,) = tag_probabilities(tagger, [["word"] * 300])
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-5)


def test_tagging_does_not_depend_on_the_batch(small):
    tagger = EntityTagger(small)
    sentences = [["a", "b"], ["One", "longer", "sentence", "unbelievably"], ["c"]]
    together = tag_probabilities(tagger, sentences, batch_size=2)
    for sentence, p in zip(sentences, together, strict=True):
        (alone,) = tag_probabilities(tagger, [sentence])
        assert p.shape == (len(sentence), 9)
        np.testing.assert_allclose(p, alone, atol=1e-5)


SENTENCES = [
    ["Anna", "lives", "here"],
    ["In", "Berlin", "it", "rains"],
    ["Anna", "likes", "Berlin"],
]
TRUTH = [["B-PER", "O", "O"], ["O", "B-LOC", "O", "O"], ["B-PER", "O", "B-LOC"]]


@pytest.mark.parametrize("kind", ["full", "adapters", "head"])
def test_what_is_not_frozen_learns(encoder, kind):
    torch.manual_seed(0)
    own = load_encoder()
    adapters = add_adapters(own) if kind == "adapters" else []
    own.requires_grad_(kind == "full")
    for adapter in adapters:
        adapter.requires_grad_()
    tagger = EntityTagger(own)
    lr = {"full": 4e-4, "adapters": 4e-3, "head": 0}[kind]
    losses = train_tagger(
        tagger, SENTENCES, TRUTH, steps=15, lr=lr, head_lr=2e-2, rng=np.random.default_rng(0)
    )
    assert len(losses) == 15
    assert losses[0] == pytest.approx(math.log(9), abs=0.6)
    assert losses[-1] < 0.5 * losses[0]
    moved = not torch.equal(own.blocks[0].linear1.weight, encoder.blocks[0].linear1.weight)
    assert moved == (kind == "full")
    learned = sum(p.numel() for p in tagger.parameters() if p.requires_grad)
    head = 384 * 9 + 9
    assert (
        learned - head == {"full": count_parameters(encoder), "adapters": 73_728, "head": 0}[kind]
    )
    if kind != "head":
        assert tag(tagger, SENTENCES) == [tuple(tags) for tags in TRUTH]


def test_only_words_with_a_label_count(small):
    """The loss of one step is the mean over first pieces; padding and later pieces say nothing."""
    tagger = EntityTagger(small)
    nn.init.normal_(tagger.head.weight)
    expected = []
    for words, tags in zip(SENTENCES, TRUTH, strict=True):
        p = tag_probabilities(tagger, [words])[0]
        expected += [-np.log(p[i, tagger.tags.index(one)]) for i, one in enumerate(tags)]
    (loss,) = train_tagger(tagger, SENTENCES, TRUTH, steps=1, rng=np.random.default_rng(0))
    assert loss == pytest.approx(np.mean(expected), rel=1e-4)
    with pytest.raises(ValueError, match="give steps or seconds"):
        train_tagger(tagger, SENTENCES, TRUTH, rng=np.random.default_rng(0))


def test_entities_are_found_in_a_text(small, monkeypatch):
    tagger, text = (
        EntityTagger(small),
        "My name is Dr. Wolff-Metternich. I live in New York (U.S.).",
    )
    words = [word.group() for word in module.WORD.finditer(text)]
    assert words[3:6] == ["Dr", ".", "Wolff-Metternich"]
    p = np.eye(9)[[0] * len(words)] * 0.9
    for i, k in ((5, 1), (words.index("New"), 5), (words.index("York"), 6)):
        p[i] = np.eye(9)[k] * 0.9
    monkeypatch.setattr(module, "tag_probabilities", lambda *_: [p])
    found = find_entities(tagger, text)
    assert [(one.kind, text[one.start : one.end]) for one in found] == [
        ("PER", "Wolff-Metternich"),
        ("LOC", "New York"),
    ]
    assert [one.probability for one in found] == pytest.approx([0.9, 0.81])
    assert find_entities(tagger, "  ") == []
