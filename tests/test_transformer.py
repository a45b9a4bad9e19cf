"""The transformer against PyTorch's own layer, its formulas, and what must not depend on what."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from utils.models.transformer import (
    GPT,
    NORMS,
    POSITIONS,
    Block,
    Cache,
    SelfAttention,
    angles,
    causal_mask,
    generate,
    next_probabilities,
    rotate,
    sinusoids,
)
from utils.weights import count_parameters

drawn = settings(max_examples=40, deadline=None, database=None, derandomize=True)
EXACT = {"rtol": 0, "atol": 1e-12}


def randomized(model):
    """The same model in float64, whose biases and normalizations have something to say."""
    for parameter in model.double().parameters():
        nn.init.normal_(parameter, std=0.3 if parameter.ndim == 1 else parameter.shape[-1] ** -0.5)
    for module in model.modules():
        if isinstance(module, nn.LayerNorm):
            nn.init.uniform_(module.weight, 0.5, 1.5)
    return model.eval()


def small(positions="rotary", norm="pre", **changes):
    sizes = {"vocabulary": 11, "d": 8, "layers": 2, "heads": 2, "context": 12}
    return randomized(GPT(positions=positions, norm=norm, **{**sizes, **changes}))


@pytest.fixture
def x():
    return torch.randn(3, 7, 8, dtype=torch.float64)


# ---- the block -------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("masked", [False, True])
def test_the_block_is_that_of_torch(x, norm, masked):
    ours = randomized(Block(8, 2, norm, hidden=20, eps=1e-3))
    theirs = nn.TransformerEncoderLayer(
        *(8, 2, 20, 0.0), F.gelu, 1e-3, True, norm == "pre", dtype=torch.float64
    )
    theirs.load_state_dict(ours.state_dict())
    mask = causal_mask(7) if masked else None
    a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
    y, expected = ours(a, mask), theirs(b, src_mask=None if mask is None else ~mask)
    torch.testing.assert_close(y, expected, **EXACT)
    weight = torch.cos(torch.arange(y.numel(), dtype=torch.float64)).view_as(y)
    (y * weight).sum().backward()
    (expected * weight).sum().backward()
    torch.testing.assert_close(a.grad, b.grad, rtol=0, atol=1e-11)
    for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad, rtol=1e-10, atol=1e-11, msg=name)


def test_the_weights_of_attention_are_those_of_torch(x):
    ours = randomized(SelfAttention(8, 4))
    theirs = nn.MultiheadAttention(8, 4, batch_first=True, dtype=torch.float64)
    theirs.load_state_dict(ours.state_dict())
    mask = torch.rand(3, 1, 7, 7) < 0.7
    mask |= torch.eye(7, dtype=torch.bool)
    blocked = ~mask.expand(3, 4, 7, 7).flatten(0, 1)
    expected, weights = theirs(x, x, x, attn_mask=blocked, average_attn_weights=False)
    torch.testing.assert_close(ours.weights(x, mask), weights, **EXACT)
    torch.testing.assert_close(ours(x, mask), expected, **EXACT)


@pytest.mark.parametrize("norm", NORMS)
def test_without_positions_a_shuffled_sentence_is_the_shuffled_answer(x, norm):
    block = randomized(Block(8, 2, norm))
    order = torch.tensor([3, 0, 6, 1, 5, 2, 4])
    torch.testing.assert_close(block(x[:, order]), block(x)[:, order], **EXACT)
    angle = angles(torch.arange(7), 4)
    turned = block(x[:, order], angle=angle) - block(x, angle=angle)[:, order]
    assert turned.abs().max() > 1e-2


@pytest.mark.parametrize("positions", POSITIONS)
def test_a_gpt_without_positions_cannot_tell_the_order_of_what_came_before(positions):
    """The last token's answer, with the tokens before it shuffled: one block sees a set.

    With two, a causal mask already tells places apart: the first token sees itself alone.
    """
    model = small(positions, layers=1)
    tokens = torch.tensor([[1, 2, 3, 4, 5]])
    shuffled = torch.tensor([[3, 1, 4, 2, 5]])
    change = (model(tokens) - model(shuffled))[0, -1].abs().max()
    assert change < 1e-12 if positions == "none" else change > 1e-3
    deep = small("none", layers=2)
    assert (deep(tokens) - deep(shuffled))[0, -1].abs().max() > 1e-3


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Block(8, 3), "d = 8 does not divide into 3 heads"),
        (lambda: Block(8, 2, "middle"), "norm must be one of pre, post, got 'middle'"),
        (lambda: GPT(5, positions="relative"), "positions must be one of none, learned"),
    ],
)
def test_what_does_not_fit_is_explained(make, words):
    with pytest.raises(ValueError, match=words):
        make()


# ---- positions -------------------------------------------------------------------------------


def test_sinusoids_are_those_of_the_paper():
    wave = sinusoids(torch.arange(50), 6).numpy()
    for place in (0, 1, 7, 49):
        for i in range(3):
            angle = place / 10000 ** (2 * i / 6)
            assert wave[place, 2 * i] == pytest.approx(math.sin(angle), abs=1e-12)
            assert wave[place, 2 * i + 1] == pytest.approx(math.cos(angle), abs=1e-12)


def test_turned_vectors_are_complex_numbers_times_a_phase():
    x = torch.randn(2, 5, 6, dtype=torch.float64)
    angle = angles(torch.arange(3, 8), 6)
    phase = np.exp(1j * np.arange(3, 8)[:, None] / 10000 ** (np.arange(3) / 3))
    whole = (x[..., :3] + 1j * x[..., 3:]).numpy() * phase
    expected = np.concatenate([whole.real, whole.imag], axis=-1)
    np.testing.assert_allclose(rotate(x, angle), expected, atol=1e-12)


def test_rotary_scores_depend_on_the_distance_alone():
    q, k = torch.randn(2, 1, 8, dtype=torch.float64)

    def score(i, j):
        turned = (rotate(v, angles(torch.tensor([p]), 8)) for v, p in ((q, i), (k, j)))
        return (next(turned) * next(turned)).sum().item()

    assert score(3, 1) == pytest.approx(score(103, 101), abs=1e-12)
    assert abs(score(3, 1) - score(3, 2)) > 1e-3


@pytest.mark.parametrize("positions", ["learned", "sinusoidal"])
def test_added_positions_begin_as_large_as_the_embeddings(positions):
    model = GPT(50, context=100, positions=positions).double()
    tokens = torch.full((1, 100), 7)
    inputs = []
    model.blocks[0].register_forward_hook(lambda _, given, __: inputs.append(given[0]))
    model(tokens)
    added = (inputs[0] - model.tokens(tokens)).detach()
    assert added.square().mean().sqrt().item() == pytest.approx(0.02, rel=0.05)
    assert (added[0, 1:] - added[0, :-1]).abs().max() > 0.01


def test_learned_positions_end():
    model = small("learned")
    model(torch.zeros(1, 12, dtype=torch.int64))
    with pytest.raises(ValueError, match="learned 12 positions, got 13 tokens"):
        model(torch.zeros(1, 13, dtype=torch.int64))


# ---- GPT -------------------------------------------------------------------------------------


def test_the_course_gpt_has_so_many_weights():
    """1,280 vectors, four blocks, one last norm; nothing else scores the tokens."""
    d, blocks = 128, 4
    of_block = 3 * d * d + 3 * d + d * d + d + 2 * (4 * d * d) + 4 * d + d + 4 * d
    assert count_parameters(GPT(1280)) == 1280 * d + blocks * of_block + 2 * d == 957_184
    assert count_parameters(GPT(1280, norm="post")) == 957_184 - 2 * d


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("positions", POSITIONS)
def test_no_answer_depends_on_what_comes_later(positions, norm):
    model = small(positions, norm)
    tokens = torch.randint(11, (1, 9))
    embedded = model.tokens(tokens).detach().requires_grad_()
    hook = model.tokens.register_forward_hook(lambda *_: embedded)
    scores = model(tokens)
    hook.remove()
    for place in range(9):
        (gradient,) = torch.autograd.grad(scores[0, place].square().sum(), embedded, retain_graph=1)
        size = gradient[0].abs().amax(dim=-1)
        assert size[: place + 1].min() > 0
        assert (size[place + 1 :] == 0).all()


def test_at_the_start_every_token_is_about_equally_probable():
    model = GPT(1280)
    tokens = torch.randint(1280, (4, 64))
    loss = F.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
    assert loss.item() == pytest.approx(math.log(1280), abs=0.05)


# ---- cache -----------------------------------------------------------------------------------


@pytest.mark.parametrize("positions", POSITIONS)
def test_the_cache_changes_nothing(positions):
    """Tokens in pieces of several lengths, against all at once."""
    model = small(positions)
    tokens = torch.randint(11, (2, 12))
    expected = model(tokens)
    caches = [Cache() for _ in model.blocks]
    assert len(caches[0]) == 0
    parts = [model(part, caches) for part in tokens.split([1, 4, 1, 1, 5], dim=1)]
    assert len(caches[0]) == len(caches[1]) == 12
    torch.testing.assert_close(torch.cat(parts, dim=1), expected, **EXACT)


@pytest.mark.parametrize("options", [{"temperature": 0}, {"top_k": 5}, {"top_p": 0.8}])
@pytest.mark.parametrize("positions", POSITIONS)
def test_the_same_tokens_are_written_with_the_cache_and_without(positions, options):
    model = small(positions, context=40)
    start = torch.tensor([3, 1, 4])
    written = [
        generate(model, start, 30, cache=cache, generator=torch.manual_seed(1), **options)
        for cache in (True, False)
    ]
    assert torch.equal(*written)
    assert torch.equal(written[0][:3], start)
    assert len(written[0]) == 33
    if options == {"temperature": 0}:
        for place in range(3, 33):
            assert written[0][place] == model(written[0][None, :place])[0, -1].argmax()


def test_a_beginning_is_needed():
    with pytest.raises(ValueError, match="at least one token"):
        generate(small(), torch.tensor([], dtype=torch.int64), 3)


# ---- choosing --------------------------------------------------------------------------------


def slow_probabilities(scores, temperature, top_k, top_p):
    """One row, by a sorted list in plain Python."""
    powers = [math.exp(score / temperature) for score in scores]
    ranked = sorted(range(len(scores)), key=lambda i: -powers[i])[:top_k]
    total, kept, reached = sum(powers[i] for i in ranked), [], 0.0
    for i in ranked:
        if reached >= top_p:
            break
        kept.append(i)
        reached += powers[i] / total
    total = sum(powers[i] for i in kept)
    return [powers[i] / total if i in kept else 0.0 for i in range(len(scores))]


@drawn
@given(
    scores=st.lists(st.integers(-30, 30), min_size=1, max_size=8, unique=True),
    temperature=st.sampled_from([0.5, 1.0, 3.0]),
    top_k=st.sampled_from([None, 1, 3, 100]),
    top_p=st.sampled_from([0.05, 0.37, 0.9, 1.0]),
)
def test_probabilities_are_cut_as_by_hand(scores, temperature, top_k, top_p):
    scores = torch.tensor(scores, dtype=torch.float64) / 10
    p = next_probabilities(torch.stack([scores, scores]), temperature, top_k, top_p)
    expected = slow_probabilities(scores.tolist(), temperature, top_k, top_p)
    np.testing.assert_allclose(p, [expected] * 2, atol=1e-12)


def test_temperature_zero_takes_the_best_and_the_plain_case_is_softmax():
    scores = torch.tensor([1.0, 3.0, 3.0, -2.0])
    assert next_probabilities(scores, temperature=0).tolist() == [0, 1, 0, 0]
    torch.testing.assert_close(next_probabilities(scores), scores.softmax(0))


@pytest.mark.parametrize("wrong", [{"temperature": -1}, {"top_k": 0}, {"top_p": 0}, {"top_p": 2}])
def test_options_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match="temperature must be 0 or more, top_k 1 or more"):
        next_probabilities(torch.zeros(3), **wrong)


def test_drawn_tokens_follow_the_probabilities():
    model = small(vocabulary=4)
    start = torch.tensor([2])
    p = next_probabilities(model(start[None])[0, -1].detach())
    generator = torch.manual_seed(0)
    counts = torch.zeros(4)
    for _ in range(600):
        counts[generate(model, start, 1, generator=generator)[1]] += 1
    assert (counts / 600 - p).abs().max() < 4 * math.sqrt(0.25 / 600)
