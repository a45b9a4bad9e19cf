"""Convolution and pooling against PyTorch, TensorFlow, plain loops and finite differences."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from utils import layers, runtime
from utils.engine import Tensor, no_grad
from utils.weights import copy_weights

tf = runtime.import_tensorflow()
keras = tf.keras
F = torch.nn.functional
drawn = settings(max_examples=60, deadline=None, database=None, derandomize=True)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@st.composite
def windows(draw, pooling=False):
    """Image size, kernel, stride, padding and dilation, a pair each, that fit together."""
    kernel = draw(st.tuples(*[st.integers(1, 4)] * 2))
    stride = draw(st.tuples(*[st.integers(1, 3)] * 2))
    dilation = draw(st.tuples(*[st.integers(1, 3)] * 2))
    padding = tuple(draw(st.integers(0, k // 2 if pooling else 3)) for k in kernel)
    least = (
        max(1, d * (k - 1) + 1 - 2 * p) for k, d, p in zip(kernel, dilation, padding, strict=True)
    )
    size = tuple(draw(st.integers(n, n + 5)) for n in least)
    return size, {"stride": stride, "padding": padding, "dilation": dilation}, kernel


seeds = st.integers(0, 2**32 - 1)


def upstream(shape):
    """A gradient without symmetries."""
    return np.cos(np.arange(1, 1 + np.prod(shape, dtype=int))).reshape(shape)


def ours(f, *arrays):
    leaves = [Tensor(a, requires_grad=True) for a in arrays]
    y = f(*leaves)
    y.backward(upstream(y.shape))
    return [y.data, *(leaf.grad for leaf in leaves)]


def by_torch(f, *arrays):
    leaves = [torch.tensor(a, requires_grad=True) for a in arrays]
    y = f(*leaves)
    y.backward(torch.tensor(upstream(tuple(y.shape))).to(y.dtype))
    return [y.detach().numpy(), *(leaf.grad.numpy() for leaf in leaves)]


def by_tensorflow(f, *arrays):
    """The same of a function in TensorFlow's order, channels last; results channels first."""
    leaves = [tf.Variable(a) for a in arrays]
    with tf.GradientTape() as tape:
        y = tf.transpose(f(*leaves), (0, 3, 1, 2))
    gradients = tape.gradient(y, leaves, tf.constant(upstream(tuple(y.shape))))
    return [y.numpy(), *(g.numpy() for g in gradients)]


def assert_same(results, references, rtol=1e-10, atol=1e-10):
    for result, reference in zip(results, references, strict=True):
        assert result.shape == reference.shape
        np.testing.assert_allclose(result, reference, rtol, atol)


# --- geometry and columns ---


@drawn
@given(windows(), st.integers(1, 3), st.integers(1, 3), seeds)
def test_im2col_is_unfold_and_col2im_is_fold(window, n, c, seed):
    size, options, kernel = window
    x = np.random.default_rng(seed).normal(size=(n, c, *size))
    columns = layers.im2col(x, kernel, **options)
    np.testing.assert_array_equal(columns, F.unfold(torch.tensor(x), kernel, **options).numpy())
    images = layers.col2im(columns, size, kernel, **options)
    folded = F.fold(torch.tensor(columns), size, kernel, **options)
    np.testing.assert_allclose(images, folded.numpy(), 1e-12, 1e-12)
    # ⟨im2col(x), u⟩ = ⟨x, col2im(u)⟩: the adjoint, hence the gradient
    u = upstream(columns.shape)
    adjoint = layers.col2im(u, size, kernel, **options)
    np.testing.assert_allclose((columns * u).sum(), (x * adjoint).sum(), 1e-10, 1e-10)


def test_im2col_of_a_small_image():
    x = np.arange(9.0).reshape(1, 1, 3, 3)
    columns = [[0, 1, 3, 4], [1, 2, 4, 5], [3, 4, 6, 7], [4, 5, 7, 8]]
    np.testing.assert_array_equal(layers.im2col(x, 2), [columns])
    times_used = [[1, 2, 1], [2, 4, 2], [1, 2, 1]]
    np.testing.assert_array_equal(layers.col2im(np.ones((1, 4, 4)), (3, 3), 2), [[times_used]])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((3, 5), r"kernel of 5 with dilation 1 spans 5 pixels, the axis has only 3 \+ 2·0"),
        ((3, 2, 1, 0, 4), r"spans 5 pixels"),
        ((3, 0), r"start at 1, padding at 0; got 0, 1, 1 and 0"),
        ((3, 2, 0), r"got 2, 0, 1 and 0"),
        ((3, 2, 1, -1), r"got 2, 1, 1 and -1"),
    ],
)
def test_output_size_explains(arguments, words):
    with pytest.raises(ValueError, match=words):
        layers.output_size(*arguments)


def test_col2im_explains_columns_of_another_geometry():
    columns = layers.im2col(np.ones((1, 2, 6, 6)), 3)
    with pytest.raises(ValueError, match=r"columns \(N, C·9, 4\), got \(1, 18, 16\)"):
        layers.col2im(columns, (6, 6), 3, stride=2)


# --- convolution ---


def conv_arrays(seed, n, c_in, c_out, groups, size, kernel):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, c_in * groups, *size))
    weight = rng.normal(size=(c_out * groups, c_in, *kernel))
    return x, weight, rng.normal(size=c_out * groups)


@drawn
@given(windows(), *[st.integers(1, 3)] * 4, seeds)
def test_conv2d_equals_pytorch(window, n, c_in, c_out, groups, seed):
    size, options, kernel = window
    arrays = conv_arrays(seed, n, c_in, c_out, groups, size, kernel)
    mine = ours(lambda x, w, b: layers.conv2d(x, w, b, groups=groups, **options), *arrays)
    theirs = by_torch(lambda x, w, b: F.conv2d(x, w, b, groups=groups, **options), *arrays)
    assert_same(mine, theirs)


def tensorflow_conv(options, kernel, spread):
    """`tf.nn.conv2d` for x (N, C, H, W), w (C′, C, Kh, Kw), b; it pads by explicit numbers.

    On a CPU TensorFlow has no gradient of a dilated convolution; `spread` puts zeros between the
    cells of the kernel instead.
    """
    (ph, pw), dilation = options["padding"], options["dilation"]
    rows, columns = (np.eye(d * (k - 1) + 1)[::d] for k, d in zip(kernel, dilation, strict=True))

    def conv(x, w, b):
        x, w = tf.transpose(x, (0, 2, 3, 1)), tf.transpose(w, (2, 3, 1, 0))
        x = tf.pad(x, [[0, 0], [ph, ph], [pw, pw], [0, 0]])
        w = tf.einsum("ijcd,iI,jJ->IJcd", w, rows, columns) if spread else w
        rates = 1 if spread else dilation
        return tf.nn.conv2d(x, w, options["stride"], "VALID", dilations=rates) + b

    return conv


@settings(drawn, max_examples=25)
@given(windows(), *[st.integers(1, 3)] * 3, seeds)
def test_conv2d_equals_tensorflow(window, n, c_in, c_out, seed):
    size, options, kernel = window
    arrays = conv_arrays(seed, n, c_in, c_out, 1, size, kernel)
    mine = ours(lambda x, w, b: layers.conv2d(x, w, b, **options), *arrays)
    assert_same(mine, by_tensorflow(tensorflow_conv(options, kernel, spread=True), *arrays))
    dilated = tensorflow_conv(options, kernel, spread=False)(*arrays)
    assert_same(mine[:1], [dilated.numpy().transpose(0, 3, 1, 2)])


@settings(drawn, max_examples=20)
@given(windows(), *[st.integers(1, 3)] * 3, seeds)
def test_conv2d_equals_the_layer_of_keras(window, n, c_in, c_out, seed):
    size, options, kernel = window
    strided, dilated = max(options["stride"]) > 1, max(options["dilation"]) > 1
    assume(not (strided and dilated))  # Keras refuses both together
    x, weight, bias = conv_arrays(seed, n, c_in, c_out, 1, size, kernel)
    (ph, pw) = options["padding"]
    layer = keras.layers.Conv2D(
        c_out, kernel, options["stride"], dilation_rate=options["dilation"], dtype="float64"
    )
    padded = np.pad(x, [(0, 0), (0, 0), (ph, ph), (pw, pw)]).transpose(0, 2, 3, 1)
    layer.build(padded.shape)
    layer.set_weights([weight.transpose(2, 3, 1, 0), bias])
    mine = layers.conv2d(x, Tensor(weight), Tensor(bias), **options)
    assert_same([mine.data], [layer(padded).numpy().transpose(0, 3, 1, 2)])


def test_keras_refuses_stride_and_dilation_together():
    with pytest.raises(ValueError, match="not supported in conjunction with"):
        keras.layers.Conv2D(1, 3, strides=2, dilation_rate=2)


@pytest.mark.parametrize(("kernel", "dilation"), [(3, 1), (5, 1), (3, 2)])
def test_same_padding_of_keras_at_stride_1(rng, kernel, dilation):
    x, weight, bias = conv_arrays(0, 2, 3, 4, 1, (7, 8), (kernel, kernel))
    layer = keras.layers.Conv2D(4, kernel, padding="same", dilation_rate=dilation, dtype="float64")
    channels_last = x.transpose(0, 2, 3, 1)
    layer.build(channels_last.shape)
    layer.set_weights([weight.transpose(2, 3, 1, 0), bias])
    padding = dilation * (kernel - 1) // 2
    mine = layers.conv2d(x, Tensor(weight), Tensor(bias), padding=padding, dilation=dilation)
    assert_same([mine.data], [layer(channels_last).numpy().transpose(0, 3, 1, 2)])


def test_same_padding_of_keras_at_stride_2_is_lopsided(rng):
    x, weight, bias = conv_arrays(0, 1, 1, 1, 1, (6, 6), (3, 3))
    theirs = tf.nn.conv2d(x.transpose(0, 2, 3, 1), weight.transpose(2, 3, 1, 0), 2, "SAME") + bias
    theirs = theirs.numpy().transpose(0, 3, 1, 2)
    mine = layers.conv2d(x, Tensor(weight), Tensor(bias), stride=2, padding=1)
    assert mine.shape == theirs.shape
    assert np.abs(mine.data - theirs).max() > 0.1
    lopsided = np.pad(x, [(0, 0), (0, 0), (0, 1), (0, 1)])
    mine = layers.conv2d(lopsided, Tensor(weight), Tensor(bias), stride=2)
    assert_same([mine.data], [theirs])


def test_conv2d_equals_its_formula(rng):
    x, w, b = conv_arrays(0, 2, 2, 3, 1, (5, 6), (3, 2))
    s, p, d = 2, 1, 2
    y = layers.conv2d(x, Tensor(w), Tensor(b), stride=s, padding=p, dilation=d).data
    for n, c, i, j in np.ndindex(y.shape):
        total = b[c]
        for k, m, q in itertools.product(range(2), range(3), range(2)):
            row, column = s * i + d * m - p, s * j + d * q - p
            if 0 <= row < 5 and 0 <= column < 6:
                total += w[c, k, m, q] * x[n, k, row, column]
        np.testing.assert_allclose(y[n, c, i, j], total, rtol=1e-12)


@drawn
@given(windows(), *[st.integers(1, 3)] * 4, seeds, st.data())
def test_conv_transpose2d_equals_pytorch(window, n, c_in, c_out, groups, seed, data):
    size, options, kernel = window
    extra = tuple(data.draw(st.integers(0, s - 1)) for s in options["stride"])
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, c_in * groups, *size))
    weight = rng.normal(size=(c_in * groups, c_out, *kernel))
    bias = rng.normal(size=c_out * groups)
    options = {**options, "output_padding": extra, "groups": groups}
    grown = [
        (z - 1) * s - 2 * p + d * (k - 1) + 1 + e
        for z, s, p, d, k, e in zip(
            size,
            options["stride"],
            options["padding"],
            options["dilation"],
            kernel,
            extra,
            strict=True,
        )
    ]
    assume(min(grown) >= 1)
    mine = ours(lambda x, w, b: layers.conv_transpose2d(x, w, b, **options), x, weight, bias)
    theirs = by_torch(lambda x, w, b: F.conv_transpose2d(x, w, b, **options), x, weight, bias)
    assert_same(mine, theirs)


@pytest.mark.parametrize(("kernel", "stride"), [(2, 2), (4, 2), (3, 1), (3, 3), (5, 2)])
def test_conv_transpose2d_equals_keras(rng, kernel, stride):
    x, weight = rng.normal(size=(2, 3, 4, 5)), rng.normal(size=(3, 2, kernel, kernel))
    layer = keras.layers.Conv2DTranspose(2, kernel, stride, use_bias=False, dtype="float64")

    def theirs(x, w):
        return tf.nn.conv2d_transpose(
            tf.transpose(x, (0, 2, 3, 1)),
            tf.transpose(w, (2, 3, 1, 0)),
            (2, 3 * stride + kernel, 4 * stride + kernel, 2),
            stride,
            "VALID",
        )

    mine = ours(lambda x, w: layers.conv_transpose2d(x, w, stride=stride), x, weight)
    assert_same(mine, by_tensorflow(theirs, x, weight))
    layer.build((None, 4, 5, 3))
    layer.set_weights([weight.transpose(2, 3, 1, 0)])
    assert_same([mine[0]], [layer(x.transpose(0, 2, 3, 1)).numpy().transpose(0, 3, 1, 2)])


@drawn
@given(windows(), seeds)
def test_conv_transpose2d_is_the_adjoint_of_conv2d(window, seed):
    size, options, kernel = window
    x, weight, _ = conv_arrays(seed, 2, 2, 3, 1, size, kernel)
    y = layers.conv2d(x, Tensor(weight), **options)
    u = upstream(y.shape)
    lost = [
        (z + 2 * p - d * (k - 1) - 1) % s
        for z, k, (s, p, d) in zip(size, kernel, zip(*options.values(), strict=True), strict=True)
    ]
    back = layers.conv_transpose2d(u, Tensor(weight), output_padding=tuple(lost), **options)
    assert back.shape == x.shape
    np.testing.assert_allclose((y.data * u).sum(), (x * back.data).sum(), 1e-10, 1e-10)


@settings(drawn, max_examples=10)
@given(windows(), seeds)
def test_gradients_equal_finite_differences(window, seed):
    size, options, kernel = window
    arrays = conv_arrays(seed, 1, 2, 2, 1, size, kernel)

    def value():
        y = layers.conv2d(arrays[0], Tensor(arrays[1]), Tensor(arrays[2]), **options).data
        return (y * upstream(y.shape)).sum()

    _, *gradients = ours(lambda x, w, b: layers.conv2d(x, w, b, **options), *arrays)
    for a, gradient in zip(arrays, gradients, strict=True):
        i = np.unravel_index(seed % a.size, a.shape)
        kept, step = a[i], 0.5  # linear in each argument, so a large step is exact
        a[i] = kept + step
        above = value()
        a[i] = kept - step
        np.testing.assert_allclose(gradient[i], (above - value()) / (2 * step), 1e-9, 1e-9)
        a[i] = kept


def test_single_precision_stays_single(rng):
    model = layers.Sequential(
        layers.Conv2d(2, 4, 3, padding=1, rng=rng),
        layers.MaxPool2d(2),
        layers.AvgPool2d(3, 1, 1),
        layers.ConvTranspose2d(4, 2, 2, 2, rng=rng),
    )
    x = rng.normal(size=(2, 2, 6, 6)).astype(np.float32)
    y = model(x)
    assert y.dtype == model(x.astype(np.float64)).dtype == np.float32
    y.sum().backward()
    assert {p.grad.dtype for p in model.parameters()} == {np.dtype(np.float32)}
    theirs = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.MaxPool2d(2),
        nn.AvgPool2d(3, 1, 1),
        nn.ConvTranspose2d(4, 2, 2, 2),
    )
    copy_weights(model, theirs)
    np.testing.assert_allclose(y.data, theirs(torch.tensor(x)).detach().numpy(), 1e-5, 1e-5)


def test_no_gradient_is_computed_for_data(rng, monkeypatch):
    from utils.layers import convolution

    layer = layers.Conv2d(2, 3, 3, rng=rng)
    expected = ours(lambda x: layer(x), np.ones((1, 2, 4, 4)))
    wanted = layer.weight.grad
    layer.zero_grad()
    monkeypatch.setattr(convolution, "col2im", None)  # calling it would fail
    y = layer(Tensor(np.ones((1, 2, 4, 4))))
    y.backward(upstream(y.shape))
    np.testing.assert_array_equal(y.data, expected[0])
    np.testing.assert_array_equal(layer.weight.grad, wanted)


def test_shift_equivariance_away_from_the_border(rng):
    x = rng.normal(size=(1, 1, 12, 12))
    weight = Tensor(rng.normal(size=(2, 1, 3, 3)))
    shifted = np.roll(x, (2, 1), axis=(2, 3))
    y, moved = (layers.conv2d(a, weight).data for a in (x, shifted))
    np.testing.assert_array_equal(moved[:, :, 2:, 1:], y[:, :, :-2, :-1])


@pytest.mark.parametrize(
    ("make", "shape", "words"),
    [
        ("Conv2d", (5, 8, 8, 3), r"images of shape \(N, 3, H, W\), got \(5, 8, 8, 3\).*transpose"),
        ("Conv2d", (3, 8, 8), r"got \(3, 8, 8\); a single image needs .* x\[None\]"),
        ("Conv2d", (5, 4, 8, 8), r"got \(5, 4, 8, 8\); the channels of the input"),
        ("Conv2d", (5, 3, 2, 8), r"a kernel of 3 with dilation 1 spans 3 pixels"),
        ("ConvTranspose2d", (5, 4, 8, 8), r"conv_transpose2d takes .*\(N, 3, H, W\)"),
    ],
)
def test_a_wrong_image_is_explained(rng, make, shape, words):
    layer = getattr(layers, make)(3, 6, 3, rng=rng)
    with pytest.raises(ValueError, match=words):
        layer(np.zeros(shape))


def test_wrong_arguments_are_explained(rng):
    gray = layers.Conv2d(1, 2, 3, rng=rng)
    with pytest.raises(ValueError, match=r"got \(5, 8, 8\); gray images .* x\[:, None\]"):
        gray(np.zeros((5, 8, 8)))
    with pytest.raises(ValueError, match=r"groups must divide in_channels .* got 2 for 3 and 4"):
        layers.Conv2d(3, 4, 3, groups=2, rng=rng)
    with pytest.raises(ValueError, match="groups must divide the 3 outputs, got 2"):
        layers.conv2d(np.zeros((1, 2, 4, 4)), Tensor(np.zeros((3, 1, 2, 2))), groups=2)
    with pytest.raises(ValueError, match="groups must divide the 3 inputs, got 2"):
        layers.conv_transpose2d(np.zeros((1, 3, 4, 4)), Tensor(np.zeros((3, 1, 2, 2))), groups=2)
    with pytest.raises(ValueError, match=r"output_padding .* below stride \(2, 2\), got \(2, 2\)"):
        layers.ConvTranspose2d(1, 1, 3, 2, output_padding=2, rng=rng)(np.zeros((1, 1, 4, 4)))
    with pytest.raises(ValueError, match=r"nothing is left of the output, its size is \(0, 0\)"):
        layers.ConvTranspose2d(1, 1, 2, padding=1, rng=rng)(np.zeros((1, 1, 1, 1)))


@pytest.mark.parametrize("make", ["Conv2d", "ConvTranspose2d"])
def test_layers_start_named_and_spread_as_in_pytorch(rng, make):
    arguments = (60, 40, (3, 5), 2, 1)
    layer = getattr(layers, make)(*arguments, groups=2, rng=rng)
    theirs = getattr(nn, make)(*arguments, groups=2)
    named = {name: p.shape for name, p in layer.named_parameters()}
    assert named == {name: tuple(p.shape) for name, p in theirs.named_parameters()}
    for p, reference in zip(layer.parameters(), theirs.parameters(), strict=True):
        spread = float(reference.detach().abs().max())
        assert abs(np.abs(p.data).max() / spread - 1) < 0.1  # the largest of 40 or more draws
    without = getattr(layers, make)(*arguments, bias=False, rng=rng)
    assert [name for name, _ in without.named_parameters()] == ["weight"]


# --- pooling ---


@drawn
@given(windows(pooling=True), st.integers(1, 3), st.booleans(), seeds)
def test_pooling_equals_pytorch(window, n, tied, seed):
    size, options, kernel = window
    rng = np.random.default_rng(seed)
    shape = (n, 2, *size)
    x = rng.integers(-1, 2, shape).astype(float) if tied else rng.normal(size=shape)
    mine = ours(lambda x: layers.max_pool2d(x, kernel, **options), x)
    assume(np.isfinite(mine[0]).all())  # with dilation a window may see nothing but padding
    assert_same(mine, by_torch(lambda x: F.max_pool2d(x, kernel, **options), x))
    options.pop("dilation")
    assume(all(k <= z + 2 * p for k, z, p in zip(kernel, size, options["padding"], strict=True)))
    mine = ours(lambda x: layers.avg_pool2d(x, kernel, **options), x)
    assert_same(mine, by_torch(lambda x: F.avg_pool2d(x, kernel, **options), x))


@settings(drawn, max_examples=20)
@given(windows(pooling=True), seeds)
def test_pooling_equals_tensorflow(window, seed):
    size, options, kernel = window
    assume(all(k <= z for k, z in zip(kernel, size, strict=True)))
    x, stride = np.random.default_rng(seed).normal(size=(2, 3, *size)), options["stride"]
    for mine, theirs in ((layers.max_pool2d, tf.nn.max_pool2d), (layers.avg_pool2d, avg_pool_tf)):
        assert_same(
            ours(lambda x, mine=mine: mine(x, kernel, stride), x),
            by_tensorflow(
                lambda x, f=theirs: f(tf.transpose(x, (0, 2, 3, 1)), kernel, stride, "VALID"), x
            ),
        )


def avg_pool_tf(x, kernel, stride, padding):
    return tf.nn.avg_pool2d(x, kernel, stride, padding)


def test_padded_average_of_keras_leaves_the_padding_out():
    x = np.ones((1, 1, 3, 3))
    mine = layers.AvgPool2d(3, 1, 1)(x)
    theirs = keras.layers.AveragePooling2D(3, 1, padding="same")(x.transpose(0, 2, 3, 1))
    np.testing.assert_allclose(mine.data[0, 0, 0], [4 / 9, 6 / 9, 4 / 9])
    np.testing.assert_allclose(np.asarray(theirs), 1)


def test_layers_of_pooling(rng):
    x = rng.normal(size=(2, 3, 9, 8))
    for name, arguments in (
        ("MaxPool2d", (2,)),
        ("MaxPool2d", ((3, 2), 2, (1, 0), 2)),
        ("AvgPool2d", (2,)),
        ("AvgPool2d", ((3, 2), 1, 1)),
    ):
        theirs = getattr(nn, name)(*arguments)
        mine = ours(getattr(layers, name)(*arguments), x)
        assert_same(mine, by_torch(theirs, x))


def test_a_nan_is_never_hidden():
    x = np.zeros((1, 1, 2, 2))
    x[0, 0, 1, 0] = np.nan
    assert np.isnan(layers.max_pool2d(x, 2).item())


@pytest.mark.parametrize("pool", [layers.max_pool2d, layers.avg_pool2d])
def test_pooling_explains(pool):
    with pytest.raises(ValueError, match=rf"{pool.__name__} takes images .*got \(2, 8, 8\)"):
        pool(np.zeros((2, 8, 8)), 2)
    with pytest.raises(ValueError, match=r"padding \(2, 2\) exceeds half the kernel \(3, 3\)"):
        pool(np.zeros((1, 1, 8, 8)), 3, padding=2)
    with pytest.raises(ValueError, match="spans 9 pixels"):
        pool(np.zeros((1, 1, 8, 8)), 9)


# --- a whole network ---


def test_a_cnn_in_three_worlds(rng):
    mine = layers.Sequential(
        layers.Conv2d(2, 4, 3, padding=1, rng=rng, dtype=np.float64),
        layers.BatchNorm2d(4, eps=1e-3, dtype=np.float64),
        layers.ReLU(),
        layers.MaxPool2d(2),
        layers.ConvTranspose2d(4, 3, 2, 2, rng=rng, dtype=np.float64),
        layers.Flatten(),
        layers.Linear(3 * 6 * 4, 5, rng=rng, dtype=np.float64),
    )
    theirs = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.BatchNorm2d(4, eps=1e-3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.ConvTranspose2d(4, 3, 2, 2),
        nn.Flatten(),
        nn.Linear(72, 5),
    ).double()
    make = keras.layers
    third = keras.Sequential(
        [
            keras.Input((6, 4, 2), dtype="float64"),
            make.Conv2D(4, 3, padding="same", dtype="float64"),
            make.BatchNormalization(epsilon=1e-3, dtype="float64"),
            make.ReLU(dtype="float64"),
            make.MaxPooling2D(2, dtype="float64"),
            make.Conv2DTranspose(3, 2, 2, dtype="float64"),
            make.Permute((3, 1, 2), dtype="float64"),
            make.Flatten(dtype="float64"),
            make.Dense(5, dtype="float64"),
        ]
    )
    mine[1].running_mean = rng.normal(size=4)
    mine[1].running_var = rng.uniform(0.5, 2, 4)
    copy_weights(mine, theirs)
    copy_weights(theirs, third)
    back = layers.Sequential(*mine)
    copy_weights(third, back)

    x, y = rng.normal(size=(6, 2, 6, 4)), rng.integers(0, 5, 6)
    x_last = tf.constant(x.transpose(0, 2, 3, 1))
    for training in (True, False):
        mine.train(training).zero_grad()
        theirs.train(training).zero_grad()
        output = mine(x)
        layers.cross_entropy(output, y).backward()
        expected = theirs(torch.tensor(x))
        F.cross_entropy(expected, torch.tensor(y)).backward()
        np.testing.assert_allclose(output.data, expected.detach().numpy(), 1e-10, 1e-10)
        for p, q in zip(mine.parameters(), theirs.parameters(), strict=True):
            np.testing.assert_allclose(p.grad, q.grad.numpy(), 1e-8, 1e-10)
        np.testing.assert_allclose(
            third(x_last, training=training).numpy(), expected.detach().numpy(), 1e-5, 1e-5
        )
        if training:  # undo the step of the running averages, which Keras does differently
            copy_weights(theirs, mine)
            copy_weights(mine, third)


def test_inference_records_nothing(rng):
    layer = layers.Conv2d(1, 2, 3, rng=rng)
    with no_grad():
        y = layers.max_pool2d(layer(np.ones((1, 1, 6, 6))), 2)
    assert y.parents == ()
    assert not y.requires_grad


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"padding": "same"}, r"padding=\"same\" is padding = d\(k − 1\)/2"),
        ({"padding": "valid"}, 'padding="valid" is padding = 0'),
        ({"padding": "sane"}, "a whole number or a pair .* got 'sane'"),
        ({"stride": 2.0}, "a whole number or a pair .* got 2.0"),
        ({"dilation": (1, 1, 1)}, r"a whole number or a pair .* got \(1, 1, 1\)"),
        ({"stride": None}, "got None"),
    ],
)
def test_what_is_no_size_is_refused_in_words(options, message):
    x, w = np.zeros((1, 1, 5, 5)), np.zeros((2, 1, 3, 3))
    with pytest.raises(TypeError, match=message):
        layers.conv2d(x, w, **options)
