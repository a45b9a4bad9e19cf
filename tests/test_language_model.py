"""Training and judging language models: the recipe written out, known answers, other lengths."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from utils import optim
from utils.byte_pairs import BytePairs, learn
from utils.engine import Tensor
from utils.models.language_model import (
    LSTMLanguageModel,
    Muon,
    bits_per_byte,
    optimizers,
    surprise,
    train,
)
from utils.models.transformer import GPT
from utils.weights import count_parameters

TEXT = b"def f(x):\n    return x + 1\n" * 40


def tiny(kind="gpt", vocabulary=256):
    torch.manual_seed(0)
    if kind == "gpt":
        return GPT(vocabulary, d=16, layers=1, heads=2, context=8)
    return LSTMLanguageModel(vocabulary, 12, 20)


@pytest.fixture
def tokens():
    return BytePairs([]).encode(TEXT)


# ---- models and optimizers -------------------------------------------------------------------


def test_the_lstm_is_as_large_as_the_gpt_and_knows_no_future():
    assert count_parameters(LSTMLanguageModel(1280)) == 1_003_904
    model = tiny("lstm")
    tokens = torch.randint(256, (2, 9))
    scores, changed = model(tokens), tokens.clone()
    changed[:, 5:] = 7
    torch.testing.assert_close(model(changed)[:, :5], scores[:, :5])
    assert (model(changed)[:, 5] - scores[:, 5]).abs().max() > 1e-3


def test_muon_in_torch_is_that_of_the_engine():
    rng = np.random.default_rng(0)
    for shape in ((4, 4), (9, 3), (3, 9)):
        first, gradients = rng.normal(size=shape), rng.normal(size=(6, *shape))
        ours, theirs = Tensor(first, requires_grad=True), nn.Parameter(torch.tensor(first))
        a, b = optim.Muon([ours], lr=0.1, weight_decay=0), Muon([theirs], lr=0.1)
        for g in gradients:
            ours.grad, theirs.grad = g, torch.tensor(g)
            a.step()
            b.step()
        np.testing.assert_allclose(ours.data, theirs.detach().numpy(), atol=1e-12)


@pytest.mark.parametrize("kind", ["gpt", "lstm"])
def test_muon_gets_the_matrices_of_hidden_states_alone(kind):
    model = tiny(kind)
    names = {id(p): name for name, p in model.named_parameters()}
    muon, adam = optimizers(model, lr=1.0, muon=2.0)
    of_muon = {names[id(p)] for p in muon.param_groups[0]["params"]}
    assert (
        of_muon
        == {
            "gpt": {
                *("blocks.0.self_attn.in_proj_weight", "blocks.0.self_attn.out_proj.weight"),
                *("blocks.0.linear1.weight", "blocks.0.linear2.weight"),
            },
            "lstm": {"lstm.weight_ih_l0", "lstm.weight_hh_l0", "back.weight"},
        }[kind]
    )
    decayed, others = ({names[id(p)] for p in group["params"]} for group in adam.param_groups)
    assert decayed == {"tokens.weight"}
    assert of_muon | decayed | others == set(names.values())
    assert [group["weight_decay"] for group in adam.param_groups] == [0.05, 0]
    (alone,) = optimizers(model, muon=None)
    assert sum(len(group["params"]) for group in alone.param_groups) == len(names)


# ---- training --------------------------------------------------------------------------------


@pytest.mark.parametrize("muon", [None, 0.02])
def test_steps_are_those_of_the_recipe_written_out(tokens, muon):
    ours, theirs = tiny(), tiny()
    losses = train(
        ours, tokens, steps=3, muon=muon, batch_size=2, context=8, rng=np.random.default_rng(5)
    )
    both, rng = optimizers(theirs, 4e-3, muon), np.random.default_rng(5)
    factors = optim.one_cycle(10_000, warmup=0.05)
    for step in range(3):
        places = rng.integers(0, len(tokens) - 8, 2)
        batch = torch.tensor(np.stack([tokens[i : i + 9] for i in places]))
        loss = F.cross_entropy(theirs(batch[:, :-1]).transpose(1, 2), batch[:, 1:])
        assert losses[step] == pytest.approx(loss.item(), rel=1e-5)
        theirs.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(theirs.parameters(), 1.0)
        for optimizer, rate in zip(both, (muon, 4e-3) if muon else (4e-3,), strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate * factors(10_000 * step // 3)
            optimizer.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", ["gpt", "lstm"])
def test_training_learns_and_repeats_itself(tokens, kind):
    told = []
    runs = [
        train(
            tiny(kind),
            tokens,
            steps=200,
            lr=0.02,
            context=8,
            rng=np.random.default_rng(seed),
            after_step=lambda *told_now: told.append(told_now),
        )
        for seed in (0, 0, 1)
    ]
    assert runs[0] == runs[1] != runs[2]
    assert [step for step, _ in told] == 3 * list(range(1, 201))
    assert [loss for _, loss in told[:200]] == runs[0]
    assert runs[0][0] == pytest.approx(math.log(256), abs=0.1)
    share = np.bincount(tokens)[np.unique(tokens)] / len(tokens)
    assert np.mean(runs[0][-9:]) < -(share * np.log(share)).sum() - 0.2  # more than frequencies


def test_training_by_the_clock_ends():
    losses = train(tiny(), np.arange(200) % 256, seconds=0.3, rng=np.random.default_rng(0))
    assert 1 <= len(losses) < 2000


@pytest.mark.parametrize("wrong", [{}, {"steps": 1, "seconds": 1}])
def test_one_measure_of_training_is_needed(tokens, wrong):
    with pytest.raises(ValueError, match="give steps or seconds"):
        train(tiny(), tokens, rng=np.random.default_rng(0), **wrong)


def test_a_text_too_short_for_a_window_is_told(tokens):
    for judge in (
        lambda: train(tiny(), tokens[:8], steps=1, context=8, rng=np.random.default_rng(0)),
        lambda: surprise(tiny(), tokens[:8], 8),
    ):
        with pytest.raises(ValueError, match="a window takes 9 tokens, the text has 8"):
            judge()


# ---- bits ------------------------------------------------------------------------------------


def test_surprise_is_that_of_each_window(tokens):
    model = tiny()
    bits = surprise(model, tokens[:30], 8, batch_size=2)
    assert bits.shape == (6, 8)
    for i, row in enumerate(bits):
        window = torch.tensor(tokens[4 * i : 4 * i + 9])
        p = model(window[None, :-1])[0].softmax(-1)[torch.arange(8), window[1:]]
        np.testing.assert_allclose(row, -p.detach().log2().numpy(), rtol=1e-4)


class Fixed(nn.Module):
    """Gives every token the same probabilities, whatever came before."""

    def __init__(self, p):
        super().__init__()
        self.scores = nn.Parameter(torch.tensor(p).log())

    def forward(self, tokens):
        return self.scores.expand(*tokens.shape, -1)


@pytest.mark.parametrize("merges", [0, 12])
def test_a_model_that_knows_nothing_needs_eight_bits(merges):
    """Each token has 256 to the power of minus its bytes: 8 bits a byte, however it is cut."""
    coder = BytePairs(learn(TEXT, merges))
    model = Fixed([256.0 ** -len(word) for word in coder.words])
    model.scores.data -= model.scores.data.logsumexp(0)  # together they are more than 1
    share = -math.log2(sum(256.0 ** -len(word) for word in coder.words))
    tokens = coder.encode(TEXT)
    found = bits_per_byte(model, TEXT, coder, 8)
    if not merges:
        assert found == pytest.approx(8, rel=1e-6)
    counted = tokens[5 : 1 + 4 + 4 * ((len(tokens) - 9) // 4 + 1)]
    size = sum(len(coder.words[token]) for token in counted)
    assert found == pytest.approx(8 - share * len(counted) / size, rel=1e-5)
