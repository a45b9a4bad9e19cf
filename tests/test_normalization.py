"""Batch and layer normalization against PyTorch, Keras and finite differences."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from utils import layers, runtime
from utils.engine import Tensor
from utils.weights import copy_weights

tf = runtime.import_tensorflow()
keras = tf.keras
drawn = settings(max_examples=40, deadline=None, database=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)
SHAPES = {
    "BatchNorm1d": hnp.array_shapes(min_dims=2, max_dims=3, min_side=1, max_side=5),
    "BatchNorm2d": hnp.array_shapes(min_dims=4, max_dims=4, min_side=1, max_side=4),
}


def upstream(shape):
    """A gradient without symmetries."""
    return np.cos(np.arange(1, 1 + np.prod(shape, dtype=int))).reshape(shape)


def assert_same_step(mine, theirs, x):
    """Values, gradients of x and of the parameters, and buffers, for one backward pass."""
    a, b = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y, expected = mine(a), theirs(b)
    y.backward(upstream(x.shape))
    expected.backward(torch.tensor(upstream(x.shape)))
    np.testing.assert_allclose(y.data, expected.detach().numpy(), 1e-10, 1e-10)
    np.testing.assert_allclose(a.grad, b.grad.numpy(), 1e-9, 1e-10)
    for p, q in zip(mine.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(p.grad, q.grad.numpy(), 1e-10, 1e-10)
    assert_same_state(mine, theirs)


def assert_same_state(mine, theirs):
    state, reference = mine.state_dict(), theirs.state_dict()
    assert list(state) == list(reference)
    for name, value in state.items():
        np.testing.assert_allclose(value, reference[name].numpy(), 1e-12, 1e-12, err_msg=name)


def randomized(layer, rng):
    """Other values than the 1 and 0 that a normalization starts with."""
    for p in layer.parameters():
        p.data = rng.normal(size=p.shape)
    return layer


@pytest.mark.parametrize("name", SHAPES)
@drawn
@given(data=st.data(), momentum=st.sampled_from([0.1, 0.5, 1.0]), seed=seeds)
def test_batch_norm_equals_pytorch(name, data, momentum, seed):
    shape = data.draw(SHAPES[name])
    c = shape[1]
    assume(np.prod(shape) > c)  # the variance of one value is refused, see below
    rng = np.random.default_rng(seed)
    mine = getattr(layers, name)(c, 1e-3, momentum, dtype=np.float64)
    randomized(mine, rng)
    theirs = getattr(nn, name)(c, 1e-3, momentum).double()
    copy_weights(mine, theirs)
    for _ in range(3):
        mine.zero_grad()
        theirs.zero_grad()
        assert_same_step(mine, theirs, rng.normal(size=shape) * 3 + 1)
    assert mine.num_batches_tracked == 3
    mine.eval().zero_grad()
    theirs.eval().zero_grad()
    assert_same_step(mine, theirs, rng.normal(size=shape))
    assert mine.num_batches_tracked == 3


@drawn
@given(hnp.array_shapes(min_dims=1, max_dims=4, max_side=4), st.data(), seeds)
def test_layer_norm_equals_pytorch_and_keras(shape, data, seed):
    last = data.draw(st.integers(1, len(shape)))
    rng = np.random.default_rng(seed)
    mine = randomized(layers.LayerNorm(shape[-last:], dtype=np.float64), rng)
    theirs = nn.LayerNorm(shape[-last:]).double()
    copy_weights(mine, theirs)
    x = rng.normal(size=shape)
    assert_same_step(mine, theirs, x)
    if len(shape) > last:  # Keras needs an axis for the samples
        third = keras.layers.LayerNormalization(
            axis=list(range(-last, 0)), epsilon=1e-5, dtype="float64"
        )
        third.build(shape)
        third.set_weights([p.data for p in mine.parameters()])
        np.testing.assert_allclose(third(x).numpy(), mine(x).data, 1e-10, 1e-10)


def test_an_integer_is_the_length_of_the_last_axis():
    layer = layers.LayerNorm(4)
    assert layer.weight.shape == layer.bias.shape == (4,)
    y = layer(np.arange(12.0).reshape(3, 4)).data
    np.testing.assert_allclose(y.mean(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(y.std(axis=1), 1, atol=1e-5)


def keras_step(layer, x):
    """Value and gradient of a Keras layer in training, channels last inside."""
    leaf = tf.Variable(np.moveaxis(x, 1, -1))
    with tf.GradientTape() as tape:
        y = layer(leaf, training=True)
    gradient = tape.gradient(y, leaf, tf.constant(np.moveaxis(upstream(x.shape), 1, -1)))
    return [np.moveaxis(value.numpy(), -1, 1) for value in (y, gradient)]


@pytest.mark.parametrize(
    ("name", "shape"), [("BatchNorm1d", (6, 3)), ("BatchNorm2d", (4, 3, 5, 2))]
)
def test_batch_norm_equals_keras_but_for_the_running_variance(name, shape):
    rng = np.random.default_rng(0)
    mine = randomized(getattr(layers, name)(3, 1e-3, 0.25, dtype=np.float64), rng)
    layer = keras.layers.BatchNormalization(momentum=0.75, epsilon=1e-3, dtype="float64")
    x = rng.normal(size=shape) * 2 + 1
    layer.build(np.moveaxis(x, 1, -1).shape)
    layer.set_weights([mine.weight.data, mine.bias.data, mine.running_mean, mine.running_var])

    leaf = Tensor(x, requires_grad=True)
    y = mine(leaf)
    y.backward(upstream(shape))
    expected, gradient = keras_step(layer, x)
    np.testing.assert_allclose(y.data, expected, 1e-6, 1e-6)  # Keras rounds ε to float32
    np.testing.assert_allclose(leaf.grad, gradient, 1e-6, 1e-6)

    mean, var = (value.numpy() for value in (layer.moving_mean, layer.moving_variance))
    np.testing.assert_allclose(mine.running_mean, mean, 1e-6)
    n = x.size // 3
    biased, unbiased = (x.var(axis=(0, *range(2, x.ndim)), ddof=ddof) for ddof in (0, 1))
    np.testing.assert_allclose(var, 0.75 + 0.25 * biased, 1e-6)
    np.testing.assert_allclose(mine.running_var, 0.75 + 0.25 * unbiased, 1e-12)
    np.testing.assert_allclose(unbiased, biased * n / (n - 1), 1e-12)


def test_the_gradient_of_standardize_equals_finite_differences():
    rng = np.random.default_rng(0)
    x, step = rng.normal(size=(3, 2, 4)), 1e-6
    leaf = Tensor(x, requires_grad=True)
    y, mean, var = layers.standardize(leaf, (0, 2))
    y.backward(upstream(x.shape))
    np.testing.assert_allclose(mean, x.mean(axis=(0, 2), keepdims=True))
    np.testing.assert_allclose(var, x.var(axis=(0, 2), keepdims=True))

    def value(x):
        return (layers.standardize(Tensor(x), (0, 2))[0].data * upstream(x.shape)).sum()

    for i in np.ndindex(x.shape):
        move = np.zeros_like(x)
        move[i] = step
        slope = (value(x + move) - value(x - move)) / (2 * step)
        np.testing.assert_allclose(leaf.grad[i], slope, rtol=1e-6, atol=1e-8)


def test_training_output_ignores_shift_and_stretch_of_the_input():
    rng = np.random.default_rng(0)
    layer = layers.BatchNorm1d(3, eps=0.0, dtype=np.float64)
    x = rng.normal(size=(8, 3))
    np.testing.assert_allclose(layer(5 * x + 7).data, layer(x).data, atol=1e-12)
    np.testing.assert_allclose(layer(x).data.mean(0), 0, atol=1e-15)
    np.testing.assert_allclose(layer(x).data.var(0), 1, atol=1e-12)


def test_single_precision_stays_single():
    rng = np.random.default_rng(0)
    model = layers.Sequential(layers.BatchNorm2d(2), layers.Flatten(), layers.LayerNorm(18))
    y = model(rng.normal(size=(4, 2, 3, 3)))
    y.sum().backward()
    assert y.dtype == np.float32
    floats = [value for value in model.state_dict().values() if value.ndim]
    assert {value.dtype for value in floats} == {np.dtype(np.float32)}
    assert {p.grad.dtype for p in model.parameters()} == {np.dtype(np.float32)}


def test_the_state_goes_to_and_fro():
    rng = np.random.default_rng(0)
    trained, fresh = layers.BatchNorm1d(3), layers.BatchNorm1d(3)
    trained(rng.normal(size=(8, 3)))
    fresh.load_state_dict(trained.state_dict())
    x = rng.normal(size=(8, 3))
    np.testing.assert_array_equal(trained.eval()(x).data, fresh.eval()(x).data)
    assert fresh.num_batches_tracked == 1
    assert [name for name, _ in fresh.named_parameters()] == ["weight", "bias"]


WORLDS = ("engine", "torch", "keras")


def model_of(world, rng):
    if world == "engine":
        return layers.Sequential(layers.BatchNorm1d(3, 1e-3), layers.LayerNorm(3, 1e-3))
    if world == "torch":
        return nn.Sequential(nn.BatchNorm1d(3, 1e-3), nn.LayerNorm(3, 1e-3))
    make = keras.layers
    return keras.Sequential(
        [keras.Input((3,)), make.BatchNormalization(), make.LayerNormalization()]
    )


def spoil(model, rng):
    """Random weights and running statistics, in any world."""
    reference = model_of("engine", rng)
    reference.load_state_dict(
        {name: rng.uniform(0.5, 2, v.shape) for name, v in reference.state_dict().items()}
    )
    copy_weights(reference, model)


def evaluated(model, x):
    if isinstance(model, layers.Module):
        return model.eval()(x).data
    if isinstance(model, nn.Module):
        return model.eval()(torch.tensor(x)).detach().numpy()
    return model(x, training=False).numpy()


@pytest.mark.parametrize("source", WORLDS)
@pytest.mark.parametrize("to", WORLDS)
def test_copy_weights_takes_the_running_statistics_along(source, to):
    rng = np.random.default_rng(0)
    a, b = model_of(source, rng), model_of(to, rng)
    spoil(a, rng)
    x = rng.normal(size=(5, 3)).astype(np.float32)
    assert np.abs(evaluated(a, x) - evaluated(b, x)).max() > 0.01
    copy_weights(a, b)
    np.testing.assert_allclose(evaluated(b, x), evaluated(a, x), 1e-5, 1e-5)


def test_copy_weights_explains_a_keras_layer_without_scale():
    odd = keras.Sequential([keras.Input((3,)), keras.layers.LayerNormalization(scale=False)])
    with pytest.raises(ValueError, match=r"LayerNormalization has 1 arrays, not the 2 .*scale"):
        copy_weights(odd, layers.LayerNorm(3))


@pytest.mark.parametrize(
    ("layer", "shape", "words"),
    [
        (layers.BatchNorm1d(3), (5, 4), r"BatchNorm1d\(3\) .* \(N, 3\) or \(N, 3, L\), got \(5, 4"),
        (layers.BatchNorm1d(3), (5, 3, 2, 2), r"got \(5, 3, 2, 2\); the channels are axis 1"),
        (layers.BatchNorm2d(3), (5, 4, 4, 3), r"BatchNorm2d\(3\) .* \(N, 3, H, W\), got \(5, 4, 4"),
        (layers.BatchNorm1d(3), (1, 3), r"\(1, 3\) has one value a channel.*eval\(\)"),
        (layers.LayerNorm((4, 3)), (5, 4), r"shape \(…, 4, 3\), got \(5, 4\); normalized_shape"),
    ],
)
def test_a_wrong_shape_is_explained(layer, shape, words):
    with pytest.raises(ValueError, match=words):
        layer(np.zeros(shape))


def test_one_sample_is_fine_in_evaluation():
    x = np.array([[1.0, 2.0, 3.0]])
    y = layers.BatchNorm1d(3).eval()(x)
    np.testing.assert_allclose(y.data, x / np.sqrt(1 + 1e-5), rtol=1e-6)
