"""The code writer of chapter 11: its numbers against PyTorch and the byte pairs; its state."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import traitlets

from tests.support.javascript import state_of
from utils.byte_pairs import BytePairs
from utils.datasets import load_code
from utils.models import transformer
from utils.recorded import code_writer as record
from utils.recorded import gpt_study
from utils.widgets import CodeWriter
from utils.widgets._random import uniforms
from utils.widgets._script import HERE
from utils.widgets.code_writer import BARS, BEGINNINGS, LONGEST, MOST, SHAPE, label, window_start

TEXTS = (
    "",
    " ",
    "\n\n    \n",
    "def f(x):\n\treturn x  # tab\r\f\x00",
    "Grüße, 世界 🐍 \u00a0\u2028\ufeff é",
    "\ufeffimport os",
    "a1b22 _x__y != 3.14e-5 @dataclass",
    "x" * 300,
    " " * 301 + "y",
)


def random_state(rng, count=12):
    """A beginning, now and then with tokens that are fixed, and options from end to end."""
    texts = [*BEGINNINGS.values(), *TEXTS]
    return {
        "start": texts[rng.integers(len(texts))][:LONGEST].replace("\r", "\n"),
        "fixed": rng.integers(0, SHAPE["vocabulary"], rng.integers(0, 3)).tolist(),
        "count": int(rng.integers(0, count)),
        "temperature": float(rng.choice([0, 0.05, 0.7, 1, 1.5])),
        "top_k": int(rng.choice([1, 2, 7, 40, SHAPE["vocabulary"]])),
        "top_p": float(rng.choice([0.05, 0.5, 0.9, 1])),
        "seed": float(rng.integers(0, 100)),
    }


def random_model(seed):
    """A GPT that is sure of something: its weights are larger than at the start of training."""
    torch.manual_seed(seed)
    model = transformer.GPT(SHAPE["vocabulary"])
    for name, parameter in model.named_parameters():
        large = 0.3 if name == "tokens.weight" else 0.15
        torch.nn.init.normal_(parameter, mean=float("norm" in name and "weight" in name), std=large)
    return model


@pytest.fixture(scope="module")
def writer():
    return CodeWriter()


@pytest.fixture(scope="module")
def load(node):
    """Return a function that leaves a writer's network in Node: its script, and what it knows."""

    def load(writer):
        script = node(writer)
        sent = (writer.whole, writer.rest, writer.merges, writer.constants)
        return script, script.keep("unpack", *sent)

    return load


@pytest.fixture(scope="module")
def page(load, writer):
    return load(writer)


# ---------------------------------------------------------------- byte pairs


def test_the_script_encodes_and_decodes_as_python_does(node, writer):
    """Real code, signs of many scripts, and pairs within them, as other texts would have them."""
    script = node(HERE / "js" / "byte_pairs.js")
    coder = script.keep("bytePairs", writer.constants["PIECE"], np.ravel(writer.coder.merges))
    rng = np.random.default_rng(0)
    strange = ["".join(map(chr, rng.integers(0, 0x3000, 40))) for _ in range(20)]
    code = load_code().excerpt("test", 20_000).decode()
    for text in (*TEXTS, *BEGINNINGS.values(), *strange, code):
        wanted = writer.coder.encode(text.encode()).tolist()
        assert script.encode(coder, text) == wanted
        words = [list(writer.coder.words[token]) for token in wanted]
        assert "".join(script.decode(words)) == text
    assert len(wanted) > 5_000
    foreign = BytePairs([(0xC3, 0xA0), (0xC2, 0xA0), (256, 256)])  # a0 is a space in Unicode
    coder = script.keep("bytePairs", writer.constants["PIECE"], np.ravel(foreign.merges))
    for text in ("à", "aàà à", "\u00a0 \u00a0"):
        assert script.encode(coder, text) == foreign.encode(text.encode()).tolist()


def test_bytes_that_are_no_text_come_as_python_replaces_them(node, writer):
    script, rng = node(HERE / "js" / "byte_pairs.js"), np.random.default_rng(1)
    for _ in range(50):
        tokens = np.where(rng.random(30) < 0.5, rng.integers(128, 256, 30), rng.integers(0, 1280))
        words = [list(writer.coder.words[token]) for token in tokens]
        wanted = writer.coder.decode(tokens).decode("utf-8", "replace")
        assert "".join(script.decode(words)) == wanted
    assert "�" in wanted


def test_labels_are_the_same_and_show_spaces(node, writer):
    script = node(writer)
    for word in writer.coder.words:
        assert script.label(list(word)) == label(word)
    assert label(b"\n        ") == "↵␣×8"
    assert label(b" self") == "␣self"
    assert label(b"\x0c\t") == "␌⇥"
    assert label(b"\xe2\x80") == r"\xe2\x80"


# ---------------------------------------------------------------- the network


def test_python_says_what_the_torch_network_with_these_bytes_says(writer):
    """All at once, without cache: the tokens so far, and the probabilities after them."""
    kept = record.weights()
    exact = {}
    for name, array in kept.items():
        if name + ".scale" in kept:
            exact[name] = torch.tensor(array * kept[name + ".scale"].astype(np.float64))
        elif not name.endswith(".scale"):
            exact[name] = torch.tensor(array, dtype=torch.float64)
    model = transformer.GPT(SHAPE["vocabulary"]).double()
    model.load_state_dict(exact)
    options = {"temperature": 0.8, "top_k": 60, "top_p": 0.95}
    ours = CodeWriter(start="class Stack:\n    ", count=9, seed=3, **options)
    given = ours.coder.encode(ours.start.encode()).tolist()
    scores = model(torch.tensor([[*given, *ours.tokens]])).detach()[0]
    p = transformer.next_probabilities(scores, **options).numpy()
    np.testing.assert_allclose(ours.probabilities, p[-1], atol=1e-9)
    uncut = transformer.next_probabilities(scores, 0.8).numpy()
    np.testing.assert_allclose(ours.uncut, uncut[-1], atol=1e-9)
    for k, token in enumerate(ours.tokens):
        after = p[len(given) - 1 + k]
        above = after[after > after[token]].sum()
        assert above <= uniforms(3, 9)[k] <= above + after[token]
        bits = -torch.log2(scores[len(given) - 1 + k].softmax(0)[token])
        assert ours.surprises[k] == pytest.approx(float(bits), abs=1e-9)


def test_the_script_writes_and_expects_what_python_does(load, writer):
    rng, torn, cut = np.random.default_rng(2), 0, 0
    for ours in (writer, CodeWriter(random_model(1), writer.coder)):
        script, net = load(ours)
        for _ in range(25):
            for name, value in random_state(rng).items():
                setattr(ours, name, value)
            shown = script.numbers(net, state_of(ours), ours.constants)
            assert shown["done"]
            assert shown["tokens"] == ours.tokens
            assert "".join(shown["texts"]) == ours.written
            np.testing.assert_allclose(shown["surprises"], ours.surprises, atol=1e-9)
            for name, wanted in (("before", ours.uncut), ("after", ours.probabilities)):
                p = np.zeros(SHAPE["vocabulary"])
                p[shown["order"]] = shown[name]
                np.testing.assert_allclose(p, wanted, atol=1e-9)
            assert shown["left"] == ours.left
            assert shown["entropy"] == pytest.approx(ours.entropy, abs=1e-9)
            torn += "�" in ours.written
            cut += 1 < ours.left < SHAPE["vocabulary"]
    assert torn > 2
    assert cut > 10


def test_the_framed_bar_is_the_next_token(page, writer):
    script, net = page
    rng, ranks = np.random.default_rng(3), set()
    for _ in range(12):
        state = random_state(rng) | {"temperature": 1.5, "top_k": 1280, "top_p": 1.0}
        now = script.numbers(net, state, writer.constants)
        later = script.numbers(net, state | {"count": state["count"] + 1}, writer.constants)
        assert later["tokens"] == [*now["tokens"], now["order"][now["rank"]]]
        ranks.add(now["rank"])
    assert len(ranks) > 3


def test_a_long_text_moves_the_window_and_a_way_back_finds_the_same(load, writer):
    """Over two jumps, back, changed, and on again: what is remembered is what would be computed."""
    ours = CodeWriter(random_model(4), writer.coder, temperature=1.0)
    script, net = load(ours)
    start = "x = 1\n" * 30
    assert 100 < len(ours.coder.encode(start.encode())) < 128
    for count, seed, text in (
        (90, 0, start),
        (89, 0, start),
        (20, 0, start),
        (2, 0, start[:-2]),
        (30, 1, start),
        (90, 0, start),
        (0, 1, start),
        (0, 0, start[:60]),  # within what was read
        (5, 0, start),
        (0, 0, start + "y = 2"),
        (0, 0, start + "y"),  # never asked for, where something else was known before
    ):
        ours.start, ours.count, ours.seed = text, count, seed
        shown = script.numbers(net, state_of(ours), ours.constants)
        assert shown["tokens"] == ours.tokens
        np.testing.assert_allclose(shown["after"], ours.probabilities[shown["order"]], atol=1e-9)


def test_the_window_keeps_half_a_context(node):
    script = node(HERE / "js" / "gpt.js")
    for count in range(1, 700):
        start = window_start(count)
        assert script.windowStart(count, SHAPE["context"]) == start
        assert start % 64 == 0
        assert count - start <= 128
        assert start == 0 or count - start > 64


def test_what_is_computed_piece_by_piece_is_the_same_and_ends(load, writer):
    script, net = load(writer)
    state = random_state(np.random.default_rng(5)) | {"count": 70, "temperature": 1.0}
    lengths = []
    for _ in range(40):
        part = script.numbers(net, state, writer.constants, 8)
        lengths.append(len(part["tokens"]))
        if part["done"]:
            break
    assert lengths[-1] == 70 + len(state["fixed"])
    assert len(lengths) > 7
    assert lengths == sorted(lengths)
    script, fresh = load(writer)
    assert script.numbers(fresh, state, writer.constants)["tokens"] == part["tokens"]


def test_a_constant_of_the_script_is_that_of_the_network(writer):
    source = (HERE / "js" / "gpt.js").read_text(encoding="utf-8")
    assert f"[{transformer.Block(8, 1).norm1.eps:g}, 10_000]" in source.replace("1e-5", "1e-05")
    assert transformer.BASE == 10_000
    assert SHAPE["context"] == gpt_study.CONTEXT
    assert len(writer.coder) == SHAPE["vocabulary"]


# ---------------------------------------------------------------- the record


def test_bytes_cost_less_than_a_hundredth_of_a_bit():
    exact, as_bytes = record.bits()
    assert 1 < exact < 1.7
    assert as_bytes / exact < 1.01


def test_the_script_of_the_record_trains_and_rounds(monkeypatch):
    coder = BytePairs([(32, 32), (101, 108)])
    corpus = gpt_study.Corpus(coder, np.arange(2_000) % len(coder), b"def else  x\n" * 40)
    monkeypatch.setattr(gpt_study, "corpus", lambda: corpus)
    made = record.record(steps=2, seed=1)
    assert made.keys() - record.weights().keys() == {"merges", "bits", "python"}
    assert made["merges"].tolist() == [[32, 32], [101, 108]]
    assert made["bits"][0] == pytest.approx(made["bits"][1], rel=0.01) != 0
    torch.manual_seed(1)
    start = gpt_study.build(record.WAY, len(coder)).state_dict()["blocks.0.linear1.weight"]
    moved = made["blocks.0.linear1.weight"] * made["blocks.0.linear1.weight.scale"] - start.numpy()
    assert 1e-3 < np.abs(moved).max() < 0.1


def test_restored_weights_are_off_by_half_a_step_at_most():
    model = random_model(6)
    kept = record.rounded(model)
    back = record.restored(kept).state_dict()
    off = 0
    for name, tensor in model.state_dict().items():
        difference = np.abs((back[name] - tensor).numpy(force=True))
        step = kept.get(name + record.SCALE, np.zeros(1))
        assert (difference <= step / 2 + 1e-7).all()
        off += difference.max() > 1e-4
    assert off == 4 * SHAPE["layers"] + 1  # matrices


# ---------------------------------------------------------------- the widget


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"start": 3}, "start must be at most 4,000 letters"),
        ({"start": "x" * (LONGEST + 1)}, "at most 4,000 letters"),
        ({"start": "\ud83d"}, "start must be"),
        ({"fixed": 3}, "fixed must be at most 256 tokens"),
        ({"fixed": [1280]}, "from 0 to 1279"),
        ({"fixed": [-1]}, "from 0 to 1279"),
        ({"fixed": [0.5]}, "whole numbers"),
        ({"fixed": [[1]]}, "fixed must be"),
        ({"fixed": [[1], [2, 3]]}, "fixed must be"),
        ({"fixed": [1] * (MOST + 1)}, "at most 256"),
        ({"count": MOST + 1}, "not be greater than 256"),
        ({"count": 1.5}, "count"),
        ({"temperature": -0.1}, "between 0 and 1.5"),
        ({"top_k": 0}, "not be less than 1"),
        ({"top_p": 0}, "between 0.05 and 1"),
        ({"seed": 100}, "between 0 and 99"),
    ],
)
def test_the_writer_refuses(state, words, writer):
    for name, value in state.items():
        with pytest.raises(traitlets.TraitError, match=words):
            setattr(writer, name, value)


def test_it_takes_a_model_of_its_shape_with_its_coder(writer):
    with pytest.raises(ValueError, match="together with the coder"):
        CodeWriter(random_model(7))
    with pytest.raises(ValueError, match=r"got matrices of \(1280, 64\)"):
        CodeWriter(transformer.GPT(1280, d=64), writer.coder)
    with pytest.raises(ValueError, match="4 layers"):
        CodeWriter(transformer.GPT(1280, layers=3), writer.coder)
    model = random_model(7)
    given = writer.coder.encode(b"import os")
    scores = model(torch.from_numpy(given)[None]).detach()[0, -1]
    ours = CodeWriter(model, writer.coder, start="import os", count=0, temperature=1.0)
    assert np.abs(ours.probabilities - scores.softmax(0).numpy()).max() < 0.05  # rounded


def test_the_writer_in_words_and_as_code(writer):
    ours = CodeWriter(start="import os\r\n", fixed=[300], count=2, top_k=5, top_p=0.9, seed=3)
    assert ours.start == "import os\n"
    assert eval(repr(ours)).tokens == ours.tokens
    assert ours.tokens[0] == 300
    said = ours.describe()
    assert " ".join((ours.start + ours.written).split()) in said
    best = ours.probabilities.argmax()
    assert f"“{label(ours.coder.words[best])}” with probability {ours.probabilities.max():.2f}" in (
        said
    )
    assert "temperature 0.70, top-k 5 and top-p 0.90" in said
    assert "without top-k and without top-p" in CodeWriter(count=0).describe()


def test_temperature_zero_takes_the_likeliest_and_the_draw_does_not_matter(writer):
    texts = {CodeWriter(temperature=0, count=8, seed=seed).written for seed in range(3)}
    assert len(texts) == 1
    ours = CodeWriter(temperature=0, count=8)
    assert (ours.left, ours.entropy) == (1, 0)
    for k, token in enumerate(ours.tokens):
        ours.count = k
        assert ours.uncut.argmax() == token


def test_the_picture_of_the_writer_shows_the_numbers():
    ours = CodeWriter(count=20, top_k=3)
    text, bars = ours.draw().axes
    best = np.sort(ours.uncut)[::-1][:BARS]
    widths = [patch.get_width() for patch in bars.patches]
    np.testing.assert_allclose(widths, [*(best[:3] / best[:3].sum()), *best[3:]], rtol=1e-6)
    assert len({patch.get_facecolor() for patch in bars.patches}) == 2
    rows = {}
    for part in text.texts:
        rows.setdefault(part.get_position()[1], []).append(part.get_text())
    lines = ["".join(rows[row]) for row in sorted(rows)]
    whole = (ours.start + ours.written).split("\n")
    assert lines == [line for line in whole if line][: len(lines)]
    data, metadata = ours._repr_mimebundle_()
    assert metadata["image/png"]["alt"] == ours.describe()
    assert len(data["image/png"]) <= 30_000
    ours.seed = 5
    assert ours._repr_mimebundle_()[0]["image/png"] != data["image/png"]
