"""Attention against PyTorch, Keras and the formula: values, weights, masks and gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from utils import layers, runtime
from utils.engine import Tensor
from utils.layers import (
    AdditiveAttention,
    MultiheadAttention,
    attend,
    causal_mask,
    length_mask,
    scaled_dot_product_attention,
)
from utils.weights import copy_weights

tf = runtime.import_tensorflow()
keras = tf.keras
drawn = settings(max_examples=15, deadline=None, database=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)
side, several = st.integers(1, 6), st.integers(2, 6)  # Keras warns of a single key
TOLERANCE = {np.float32: 1e-5, np.float64: 1e-12}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def random_mask(rng, *shape):
    """True where a query may look; at least one key for each query."""
    mask = rng.random(shape) < 0.6
    mask[..., 0] |= ~mask.any(-1)
    return mask


def upstream(shape):
    """A gradient without symmetries."""
    return np.cos(np.arange(1, 1 + np.prod(shape, dtype=int))).reshape(shape)


def assert_close(ours, theirs, dtype, what="", tolerance=None):
    theirs = theirs.detach().numpy() if torch.is_tensor(theirs) else np.asarray(theirs)
    ours = ours.data if isinstance(ours, Tensor) else ours
    tolerance = tolerance or TOLERANCE[dtype]
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance, err_msg=what)


def leaves(arrays):
    return [Tensor(a, requires_grad=True) for a in arrays], [
        torch.tensor(a, requires_grad=True) for a in arrays
    ]


# ---------------------------------------------------------------- scaled dot product


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("masked", [False, True])
@drawn
@given(n=side, length=side, keys=side, d=side, values=side, seed=seeds)
def test_dot_product_equals_torch(dtype, masked, n, length, keys, d, values, seed):
    rng = np.random.default_rng(seed)
    shapes = (n, 2, length, d), (n, 2, keys, d), (n, 2, keys, values)
    ours, theirs = leaves([rng.normal(size=shape).astype(dtype) for shape in shapes])
    mask = random_mask(rng, n, 1, length, keys) if masked else None
    out, weights = scaled_dot_product_attention(*ours, mask)
    expected = F.scaled_dot_product_attention(
        *theirs, attn_mask=None if mask is None else torch.tensor(mask)
    )
    assert_close(out, expected, dtype)
    g = upstream(out.shape).astype(dtype)
    out.backward(g)
    expected.backward(torch.tensor(g))
    for name, a, b in zip("qkv", ours, theirs, strict=True):
        assert a.grad.dtype == dtype
        assert_close(a.grad, b.grad, dtype, name)
    np.testing.assert_allclose(weights.data.sum(-1), 1, rtol=1e-6)
    if masked:
        assert (weights.data[~np.broadcast_to(mask, weights.shape)] == 0).all()


@drawn
@given(n=side, length=side, keys=several, d=side, seed=seeds)
def test_dot_product_equals_keras(n, length, keys, d, seed):
    """Keras's layer leaves the root to the caller, and takes the value before the key."""
    rng = np.random.default_rng(seed)
    q, k = rng.normal(size=(n, length, d)), rng.normal(size=(n, keys, d))
    v, lengths = rng.normal(size=(n, keys, 3)), rng.integers(1, keys + 1, n)
    mask = length_mask(lengths, keys)
    layer = keras.layers.Attention(dtype="float64")
    expected, theirs = layer(
        [q / math.sqrt(d), v, k],
        mask=[None, tf.constant(mask)],
        return_attention_scores=True,
    )
    out, weights = scaled_dot_product_attention(q, k, v, mask[:, None])
    assert_close(out, expected, np.float64)
    assert_close(weights, theirs, np.float64)


def test_the_mask_is_that_of_the_function_and_the_opposite_of_the_module_of_torch(rng):
    x = rng.normal(size=(1, 5, 4))
    mask, t = causal_mask(5), torch.tensor(x)
    ours, weights = scaled_dot_product_attention(x, x, x, mask)
    assert_close(ours, F.scaled_dot_product_attention(t, t, t, is_causal=True), np.float64)
    assert_close(weights, np.tril(weights.data), np.float64)
    layer = nn.MultiheadAttention(4, 1, batch_first=True, dtype=torch.float64)
    _, theirs = layer(t, t, t, attn_mask=~torch.tensor(mask))
    assert (theirs.detach().numpy()[0][~mask] == 0).all()


def test_padding_changes_nothing(rng):
    """Three extra keys behind a mask: the same output and gradients, and none for the padding."""
    q, k, v = (rng.normal(size=(1, 4, 3)) for _ in range(3))
    short = [Tensor(a, requires_grad=True) for a in (q, k, v)]
    long = [Tensor(np.pad(a, ((0, 0), (0, 3), (0, 0))), True) for a in (k, v)]
    query = Tensor(q, requires_grad=True)
    a, _ = scaled_dot_product_attention(*short)
    b, _ = scaled_dot_product_attention(query, *long, length_mask([4], 7)[:, None])
    assert_close(a, b.data, np.float64)
    a.backward(upstream(a.shape))
    b.backward(upstream(b.shape))
    for ours, padded in zip(short, (query, *long), strict=True):
        assert_close(ours.grad, padded.grad[:, :4], np.float64)
        assert not padded.grad[:, 4:].any()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x: scaled_dot_product_attention(x, x[..., :2], x), ValueError, r"keys \(…, S, 3\)"),
        (lambda x: scaled_dot_product_attention(x, x[:, :1], x), ValueError, r"got \(2, 1, 3\)"),
        (
            lambda x: attend(Tensor(x @ x.mT), x, np.ones((2, 4), bool)),
            ValueError,
            r"mask\[:, None\]",
        ),
        (lambda x: attend(Tensor(x @ x.mT), x, np.zeros((4, 4), bool)), ValueError, "pass ~mask"),
        (lambda x: attend(Tensor(x @ x.mT), x, np.zeros((4, 4))), TypeError, "must be boolean"),
    ],
)
def test_what_does_not_fit_is_explained(rng, call, error, words):
    x = rng.normal(size=(2, 4, 3))
    with pytest.raises(error, match=words):
        call(x)


# ---------------------------------------------------------------- additive


@drawn
@given(n=side, length=side, keys=several, dims=st.tuples(side, side, side), seed=seeds)
def test_additive_equals_the_formula_and_keras(n, length, keys, dims, seed):
    rng = np.random.default_rng(seed)
    q_dim, k_dim, hidden = dims
    layer = AdditiveAttention(q_dim, k_dim, hidden, rng=rng, dtype=np.float64)
    arrays = [rng.normal(size=s) for s in ((n, length, q_dim), (n, keys, k_dim), (n, keys, 3))]
    mask = length_mask(rng.integers(1, keys + 1, n), keys)
    ours, theirs = leaves(arrays)
    out, weights = layer(*ours, mask[:, None])

    parameters = {
        name: torch.tensor(p.data, requires_grad=True) for name, p in layer.named_parameters()
    }
    q = theirs[0] @ parameters["query.weight"].T
    k = theirs[1] @ parameters["key.weight"].T + parameters["key.bias"]
    scores = torch.tanh(q[:, :, None] + k[:, None]) @ parameters["score.weight"][0]
    expected = scores.masked_fill(~torch.tensor(mask)[:, None], -torch.inf).softmax(-1) @ theirs[2]
    assert_close(out, expected, np.float64)
    out.backward(upstream(out.shape))
    expected.backward(torch.tensor(upstream(out.shape)))
    for a, b in zip(ours, theirs, strict=True):
        assert_close(a.grad, b.grad, np.float64)
    for name, p in layer.named_parameters():
        assert_close(p.grad, parameters[name].grad, np.float64, name)

    third = keras.layers.AdditiveAttention(dtype="float64")
    inputs = [q.detach().numpy(), arrays[2], k.detach().numpy()]
    third.build([a.shape for a in inputs])
    third.set_weights([layer.score.weight.data[0]])
    values, scores = third(inputs, mask=[None, tf.constant(mask)], return_attention_scores=True)
    assert_close(out, values, np.float64)
    assert_close(weights, scores, np.float64)


# ---------------------------------------------------------------- several heads


def three_worlds(embed_dim, heads, bias, rng, dtype):
    """The same attention in the engine, PyTorch and Keras; biases that are not 0."""
    ours = MultiheadAttention(embed_dim, heads, bias, rng=rng, dtype=dtype)
    for p in ours.parameters():
        p.data = (rng.normal(size=p.shape) / math.sqrt(embed_dim)).astype(dtype)
    name = np.dtype(dtype).name
    theirs = nn.MultiheadAttention(
        embed_dim, heads, bias=bias, batch_first=True, dtype=getattr(torch, name)
    )
    copy_weights(ours, theirs)
    inputs = [keras.Input((None, embed_dim), dtype=name) for _ in range(3)]
    layer = keras.layers.MultiHeadAttention(heads, embed_dim // heads, use_bias=bias, dtype=name)
    output = layer(inputs[0], inputs[2], inputs[1])  # Keras takes the value before the key
    third = keras.Model(inputs, output)
    copy_weights(theirs, third)
    return ours, theirs, third, layer


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_multihead_equals_torch_and_keras(dtype, bias, seed):
    rng = np.random.default_rng(seed)
    heads, d, n, length, keys = (int(i) for i in rng.integers([1, 1, 1, 1, 2], 5))
    ours, theirs, _, third = three_worlds(heads * d, heads, bias, rng, dtype)
    arrays = [rng.normal(size=(n, t, heads * d)).astype(dtype) / 2 for t in (length, keys, keys)]
    mask = random_mask(rng, n, length, keys)
    a, b = leaves(arrays)
    out, weights = ours(*a, mask)
    blocked = ~torch.tensor(mask).repeat_interleave(heads, 0)
    expected, their_weights = theirs(*b, attn_mask=blocked, average_attn_weights=False)
    assert_close(out, expected, dtype)
    assert_close(weights, their_weights, dtype)

    g = upstream(out.shape).astype(dtype)
    out.backward(g)
    expected.backward(torch.tensor(g))
    for x, y in zip(a, b, strict=True):
        assert_close(x.grad, y.grad, dtype)
    gradients = dict(theirs.named_parameters())
    scale = max(1.0, *(np.abs(p.grad).max() for p in ours.parameters()))
    for name, p in ours.named_parameters():
        assert_close(p.grad / scale, gradients[name].grad / scale, dtype, name)

    q, k, v = (tf.Variable(x) for x in arrays)
    with tf.GradientTape() as tape:
        values, scores = third(q, v, k, attention_mask=mask, return_attention_scores=True)
        loss = tf.reduce_sum(values * g)
    # Keras rounds 1/√d to float32 whatever the layer's type: exact only where √d is whole
    tolerance = TOLERANCE[dtype] if d in (1, 4) else max(1e-7, TOLERANCE[dtype])
    assert_close(out, values, dtype, tolerance=tolerance)
    assert_close(weights, scores, dtype, tolerance=tolerance)
    for x, gradient in zip(a, tape.gradient(loss, [q, k, v]), strict=True):
        assert_close(x.grad, gradient, dtype, tolerance=tolerance)


@pytest.mark.parametrize("bias", [True, False])
def test_copied_weights_come_back_from_every_world(rng, bias):
    ours, theirs, third, _ = three_worlds(6, 3, bias, rng, np.float32)
    for source in (theirs, third):
        again = MultiheadAttention(6, 3, bias, rng=rng)
        copy_weights(source, again)
        for name, value in ours.state_dict().items():
            np.testing.assert_array_equal(again.state_dict()[name], value, err_msg=name)


def test_copy_weights_finds_attention_inside_a_model(rng):
    class Block(layers.Module):
        def __init__(self):
            self.attention = MultiheadAttention(4, 2, rng=rng)
            self.out = layers.Linear(4, 2, rng=rng)

    class TorchBlock(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
            self.out = nn.Linear(4, 2)

    block, theirs = Block(), TorchBlock()
    copy_weights(block, theirs)
    for name, value in block.state_dict().items():
        np.testing.assert_array_equal(theirs.state_dict()[name].numpy(), value)
    with pytest.raises(ValueError, match=r"has .*\(18, 6\).* has .*\(12, 4\)"):
        copy_weights(MultiheadAttention(6, 2, rng=rng), nn.MultiheadAttention(4, 2))


def test_keras_attention_with_keys_of_another_length_is_refused(rng):
    inputs = [keras.Input((3, 4)), keras.Input((3, 6))]
    output = keras.layers.MultiHeadAttention(2, 2)(inputs[0], inputs[1])
    with pytest.raises(ValueError, match="lengths 4, 6, 6"):
        copy_weights(keras.Model(inputs, output), MultiheadAttention(4, 2, rng=rng))


def test_multihead_starts_as_in_torch():
    layer = MultiheadAttention(64, 4, rng=np.random.default_rng(0))
    theirs = nn.MultiheadAttention(64, 4)
    assert {n: p.shape for n, p in layer.named_parameters()} == {
        n: tuple(p.shape) for n, p in theirs.named_parameters()
    }
    for name, p in theirs.named_parameters():
        ours = dict(layer.named_parameters())[name].data
        np.testing.assert_allclose(np.abs(ours).max(), p.abs().max().item(), rtol=0.02)
        np.testing.assert_allclose(ours.std(), p.std().item(), rtol=0.05)


def test_multihead_explains(rng):
    with pytest.raises(ValueError, match="does not divide into 3 heads"):
        MultiheadAttention(4, 3, rng=rng)
    layer = MultiheadAttention(4, 2, rng=rng)
    x = rng.normal(size=(2, 5, 4))
    with pytest.raises(ValueError, match=r"becomes a batch by x\[None\]"):
        layer(x[0], x[0], x[0])
    with pytest.raises(ValueError, match=r"takes \(N, length, 4\), got \(2, 5, 3\)"):
        layer(x, x[..., :3], x)
    with pytest.raises(ValueError, match="does not broadcast"):
        layer(x, x, x, np.ones((2, 4), bool))
