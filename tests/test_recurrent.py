"""Recurrent layers, embedding and gradient clipping against PyTorch and Keras."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from utils import layers, optim, runtime
from utils.engine import Tensor, no_grad, stack
from utils.weights import copy_weights

tf = runtime.import_tensorflow()
keras = tf.keras
drawn = settings(max_examples=15, deadline=None, database=None, derandomize=True)
KINDS = {  # name → class and arguments in the engine, in PyTorch and in Keras
    "tanh": ("RNN", {}, {}, "SimpleRNN", {}),
    "relu": (
        "RNN",
        {"nonlinearity": "relu"},
        {"nonlinearity": "relu"},
        "SimpleRNN",
        {"activation": "relu"},
    ),
    "LSTM": ("LSTM", {}, {}, "LSTM", {}),
    "GRU": ("GRU", {}, {}, "GRU", {}),
}
kinds = pytest.mark.parametrize("kind", KINDS)


@st.composite
def shapes(draw):
    """N, T, D, H and whether there are biases and padding."""
    sizes = [draw(st.integers(1, 5)) for _ in range(4)]
    return *sizes, draw(st.booleans()), draw(st.booleans()), draw(st.integers(0, 2**32 - 1))


def make(kind, n_in, hidden, bias=True, seed=0, dtype=np.float64, cell=False):
    name, options, _, _, _ = KINDS[kind]
    layer = getattr(layers, name + "Cell" * cell)
    rng = np.random.default_rng(seed)
    return layer(n_in, hidden, bias, rng=rng, dtype=dtype, **options)


def make_torch(kind, ours):
    name, _, options, _, _ = KINDS[kind]
    n_in, hidden = ours.input_size, ours.hidden_size
    bias = hasattr(ours, "bias_ih_l0")
    theirs = getattr(nn, name)(n_in, hidden, bias=bias, batch_first=True, **options).double()
    copy_weights(ours, theirs)
    return theirs


def make_keras(kind, ours, **others):
    _, _, _, name, options = KINDS[kind]
    layer = getattr(keras.layers, name)(
        ours.hidden_size,
        use_bias=hasattr(ours, "bias_ih_l0"),
        return_sequences=True,
        return_state=True,
        dtype="float64",
        **options,
        **others,
    )
    model = keras.Sequential([keras.Input((None, ours.input_size), dtype="float64"), layer])
    copy_weights(ours, model)
    return layer


def flat(result):
    """(output, h) or (output, (h, c)) as a list."""
    output, state = result
    return [output, *(state if isinstance(state, tuple) else (state,))]


def upstream(shape):
    """A gradient without symmetries."""
    return np.cos(np.arange(1, 1 + np.prod(shape, dtype=int))).reshape(shape)


def run(layer, x, states, mask=None):
    """Values and gradients of the inputs, in the engine; weights keep theirs."""
    leaves = [Tensor(a, requires_grad=True) for a in (x, *states)]
    first = tuple(leaves[1:]) if len(states) == 2 else leaves[1]
    results = flat(layer(leaves[0], first, mask=mask))
    live = 1 if mask is None else mask[..., None]  # the loss does not look at padding
    weights = [upstream(r.shape) for r in results]
    weights[0] = weights[0] * live
    sum(((r * w).sum() for r, w in zip(results, weights, strict=True)), Tensor(0.0)).backward()
    return [r.data for r in results], [leaf.grad for leaf in leaves]


def run_torch(layer, x, states, lengths=None):
    leaves = [torch.tensor(a, requires_grad=True) for a in (x, *states)]
    first = tuple(leaves[1:]) if len(states) == 2 else leaves[1]
    if lengths is None:
        results = flat(layer(leaves[0], first))
    else:
        packed = nn.utils.rnn.pack_padded_sequence(
            leaves[0], torch.tensor(lengths), batch_first=True, enforce_sorted=False
        )
        output, state = layer(packed, first)
        output, _ = nn.utils.rnn.pad_packed_sequence(
            output, batch_first=True, total_length=x.shape[1]
        )
        results = flat((output, state))
    sum((r * torch.tensor(upstream(r.shape))).sum() for r in results).backward()
    return [r.detach().numpy() for r in results], [leaf.grad.numpy() for leaf in leaves]


def close(a, b, message=""):
    np.testing.assert_allclose(a, b, 1e-9, 1e-11, err_msg=message)


def drawn_inputs(kind, n, t, n_in, hidden, rng):
    states = [rng.normal(size=(1, n, hidden)) for _ in range(2 if kind == "LSTM" else 1)]
    return rng.normal(size=(n, t, n_in)), states


# --- layers ---


@kinds
@drawn
@given(sizes=shapes())
def test_a_sequence_equals_pytorch(kind, sizes):
    n, t, n_in, hidden, bias, padded, seed = sizes
    rng = np.random.default_rng(seed)
    ours = make(kind, n_in, hidden, bias, seed)
    theirs = make_torch(kind, ours)
    assert [(k, v.shape) for k, v in ours.state_dict().items()] == [
        (k, tuple(v.shape)) for k, v in theirs.state_dict().items()
    ]
    x, states = drawn_inputs(kind, n, t, n_in, hidden, rng)
    lengths = rng.integers(1, t + 1, n) if padded else None
    mask = layers.length_mask(lengths, t) if padded else None
    values, gradients = run(ours, x, states, mask)
    expected, expected_gradients = run_torch(theirs, x, states, lengths)
    if padded:  # PyTorch puts 0 where we repeat the state
        np.testing.assert_array_equal(values[0][:, -1], values[1][0])
        values[0] = values[0] * mask[..., None]
    for a, b in zip(values + gradients, expected + expected_gradients, strict=True):
        close(a, b)
    for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        close(p.grad, q.grad.numpy(), name)


@kinds
@settings(drawn, max_examples=8)
@given(sizes=shapes())
def test_a_sequence_equals_keras_under_any_mask(kind, sizes):
    n, t, n_in, hidden, bias, padded, seed = sizes
    rng = np.random.default_rng(seed)
    ours = make(kind, n_in, hidden, bias, seed)
    theirs = make_keras(kind, ours)
    x, states = drawn_inputs(kind, n, t, n_in, hidden, rng)
    mask = rng.random((n, t)) < 0.6 if padded else None
    if padded:
        mask[:, 0] = True  # before the first real step Keras says 0, we repeat the first state
    values, gradients = run(ours, x, states, mask)

    leaves = [tf.Variable(x), *(tf.Variable(s[0]) for s in states)]
    with tf.GradientTape() as tape:
        output, *last = theirs(
            leaves[0], initial_state=leaves[1:], mask=None if mask is None else tf.constant(mask)
        )
        live = 1 if mask is None else mask[..., None].astype(float)
        loss = tf.reduce_sum(output * upstream(output.shape) * live)
        loss += sum(tf.reduce_sum(s * upstream(s.shape)) for s in last)
    found = tape.gradient(loss, leaves + theirs.trainable_variables)
    close(values[0], output.numpy())
    for a, b in zip(values[1:], last, strict=True):
        close(a[0], b.numpy())
    for a, b in zip(gradients, found, strict=False):
        close(a.reshape(b.shape), b.numpy())
    # the gradients of the weights pass through the same translation as the weights
    for p in ours.parameters():
        p.data = p.grad
    kernel, recurrent, *biases = (g.numpy() for g in found[len(leaves) :])
    theirs.set_weights([kernel, recurrent, *biases])
    back = make(kind, n_in, hidden, bias)
    model = keras.Sequential([keras.Input((None, n_in), dtype="float64"), theirs])
    copy_weights(model, back)
    for (name, p), q in zip(ours.named_parameters(), back.parameters(), strict=True):
        if name != "bias_hh_l0" or kind == "GRU":  # Keras's one bias has the gradient of each
            close(p.data, q.data, name)


@kinds
def test_a_sequence_equals_its_cell_step_by_step(kind):
    rng = np.random.default_rng(0)
    layer, cell = make(kind, 3, 4), make(kind, 3, 4, cell=True)
    copied = {name.removesuffix("_l0"): value for name, value in layer.state_dict().items()}
    cell.load_state_dict(copied)
    x, states = drawn_inputs(kind, 2, 5, 3, 4, rng)
    values, gradients = run(layer, x, states)

    def steps(x, first, mask=None):
        state = tuple(s[0] for s in first) if isinstance(first, tuple) else first[0]
        outputs = []
        for t in range(x.shape[1]):
            state = cell(x[:, t], state)
            outputs.append(state[0] if isinstance(state, tuple) else state)
        last = tuple(s.reshape(1, *s.shape) for s in state) if isinstance(state, tuple) else None
        return stack(outputs, dim=1), last or state.reshape(1, *state.shape)

    expected, expected_gradients = run(steps, x, states)
    for a, b in zip(values + gradients, expected + expected_gradients, strict=True):
        close(a, b)
    for p, q in zip(layer.parameters(), cell.parameters(), strict=True):
        close(p.grad, q.grad)


@kinds
@pytest.mark.parametrize("bias", [True, False])
def test_a_cell_equals_pytorch(kind, bias):
    rng = np.random.default_rng(1)
    name, _, options, _, _ = KINDS[kind]
    ours = make(kind, 3, 4, bias, cell=True)
    theirs = getattr(nn, name + "Cell")(3, 4, bias=bias, **options).double()
    copy_weights(ours, theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    x, states = drawn_inputs(kind, 2, 1, 3, 4, rng)
    for given_states in (states, None):
        first = second = None
        if given_states:
            first = tuple(Tensor(s[0]) for s in states)
            second = tuple(torch.tensor(s[0]) for s in states)
            first, second = (s if kind == "LSTM" else s[0] for s in (first, second))
        results, expected = ours(x[:, 0], first), theirs(torch.tensor(x[:, 0]), second)
        if kind != "LSTM":
            results, expected = [results], [expected]
        for a, b in zip(results, expected, strict=True):
            close(a.data, b.detach().numpy())


@kinds
def test_padding_changes_nothing(kind):
    rng = np.random.default_rng(2)
    layer = make(kind, 3, 4)
    x, states = drawn_inputs(kind, 3, 4, 3, 4, rng)
    first = tuple(states) if kind == "LSTM" else states[0]
    *_, expected = flat(layer(x, first))
    noise = rng.normal(size=(3, 3, 3)) * 100
    for padded, where in (
        ([x, noise], [1, 1, 1, 1, 0, 0, 0]),
        ([noise, x], [0, 0, 0, 1, 1, 1, 1]),
    ):
        mask = np.tile(np.array(where, dtype=bool), (3, 1))
        leaf = Tensor(np.concatenate(padded, axis=1), requires_grad=True)
        *_, last = flat(layer(leaf, first, mask=mask))
        np.testing.assert_array_equal(last.data, expected.data)
        last.sum().backward()
        assert not leaf.grad[~mask].any()
        assert leaf.grad[mask].any()


@kinds
def test_float32_stays_float32_and_inference_needs_no_graph(kind):
    layer = make(kind, 3, 4, dtype=np.float32)
    with no_grad():
        results = flat(layer(np.ones((2, 5, 3))))
    assert {r.dtype for r in results} == {np.dtype(np.float32)}
    assert not any(r.requires_grad for r in results)
    flat(layer(np.ones((2, 5, 3))))[0].sum().backward()
    assert {p.grad.dtype for p in layer.parameters()} == {np.dtype(np.float32)}


@pytest.mark.parametrize(("gates", "kind"), [(1, "tanh"), (4, "LSTM"), (3, "GRU")])
def test_weights_start_uniform_as_in_pytorch(gates, kind):
    layer = make(kind, 30, 100)
    for p in layer.parameters():
        assert p.shape[0] == gates * 100
        assert abs(p.data).max() <= 0.1
        np.testing.assert_allclose(p.data.var(), 0.1**2 / 3, rtol=0.2)


def test_the_forget_bias_is_that_of_the_sum():
    for cls, suffix in ((layers.LSTM, "_l0"), (layers.LSTMCell, "")):
        layer = cls(2, 5, forget_bias=3, rng=np.random.default_rng(0))
        b, d = (getattr(layer, name + suffix).data for name in ("bias_ih", "bias_hh"))
        np.testing.assert_array_equal((b + d)[5:10], 3)
        assert (b + d)[[*range(5), *range(10, 20)]].all()
        with pytest.raises(ValueError, match="forget_bias needs a bias"):
            cls(2, 5, False, forget_bias=1, rng=np.random.default_rng(0))
    model = keras.Sequential([keras.Input((None, 2)), keras.layers.LSTM(5)])
    layer = layers.LSTM(2, 5, rng=np.random.default_rng(0))
    copy_weights(model, layer)
    np.testing.assert_array_equal(layer.bias_ih_l0.data[5:10], 1)  # Keras's default


@pytest.mark.parametrize("gain", [1.0, 1.8])
def test_orthogonal(gain):
    q = layers.orthogonal(np.random.default_rng(0), 7, gain, np.float64)
    close(q.T @ q, gain**2 * np.eye(7))
    assert layers.orthogonal(np.random.default_rng(0), 7).dtype == np.float32
    signs = [np.linalg.det(layers.orthogonal(np.random.default_rng(k), 2)) for k in range(40)]
    assert 10 < sum(d > 0 for d in signs) < 30  # rotations and reflections alike


def test_length_mask():
    expected = [[True, False, False], [False] * 3, [True] * 3]
    np.testing.assert_array_equal(layers.length_mask([1, 0, 3]), expected)
    assert layers.length_mask([1, 0, 3], 5).shape == (3, 5)


@kinds
def test_wrong_shapes_are_explained(kind):
    layer, cell = make(kind, 3, 4), make(kind, 3, 4, cell=True)
    with pytest.raises(ValueError, match=r"\(N, T, D\) with D = 3, got \(2, 5, 4\)"):
        layer(np.ones((2, 5, 4)))
    with pytest.raises(ValueError, match=r"\(N, T, D\) with D = 3, got \(5, 3\)"):
        layer(np.ones((5, 3)))
    with pytest.raises(ValueError, match=r"\(N, D\) with D = 3, got \(2, 5, 3\)"):
        cell(np.ones((2, 5, 3)))
    with pytest.raises(ValueError, match="at least one step"):
        layer(np.ones((2, 0, 3)))
    with pytest.raises(ValueError, match=r"mask must have shape \(2, 5\), got \(5, 2\)"):
        layer(np.ones((2, 5, 3)), mask=np.ones((5, 2)))
    bad = np.zeros((2, 4))
    with pytest.raises(ValueError, match=r"must have shape \(1, 2, 4\), got \(2, 4\)"):
        layer(np.ones((2, 5, 3)), (bad, bad) if kind == "LSTM" else bad)


def test_an_unknown_nonlinearity_is_refused():
    for cls in (layers.RNN, layers.RNNCell):
        with pytest.raises(ValueError, match="one of tanh, relu, got 'selu'"):
            cls(2, 3, nonlinearity="selu", rng=np.random.default_rng(0))


# --- copied weights ---


@kinds
def test_weights_come_back_from_keras(kind):
    ours, back = make(kind, 3, 4, seed=1), make(kind, 3, 4, seed=2)
    layer = make_keras(kind, ours)
    model = keras.Sequential([keras.Input((None, 3), dtype="float64"), layer])
    copy_weights(model, back)
    x = np.random.default_rng(0).normal(size=(2, 5, 3))
    close(back(x)[0].data, ours(x)[0].data)


def test_what_cannot_be_copied_is_said():
    ours = layers.GRU(3, 4, rng=np.random.default_rng(0))
    old = keras.layers.GRU(4, reset_after=False, use_bias=False)
    model = keras.Sequential([keras.Input((None, 3)), old])
    for pair in ((ours, model), (model, ours)):
        with pytest.raises(ValueError, match="must be made with reset_after=True"):
            copy_weights(*pair)
    two = nn.LSTM(3, 4, num_layers=2)
    one = keras.Sequential([keras.Input((None, 3)), keras.layers.LSTM(4)])
    for target in (layers.LSTM(3, 4, rng=np.random.default_rng(0)), one):
        with pytest.raises(ValueError, match="weight_ih_l1"):
            copy_weights(two, target)
    both = keras.layers.Bidirectional(keras.layers.LSTM(4))
    with pytest.raises(TypeError, match="is a Bidirectional"):
        copy_weights(keras.Sequential([keras.Input((None, 3)), both]), nn.LSTM(3, 4))


# --- embedding ---


@drawn
@given(
    st.integers(1, 6),
    st.integers(1, 4),
    st.lists(st.integers(0, 3), max_size=3),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_embedding_equals_pytorch_and_keras(size, dim, shape, padded, seed):
    rng = np.random.default_rng(seed)
    padding = size - 1 if padded else None
    ours = layers.Embedding(size, dim, padding, rng=rng, dtype=np.float64)
    theirs = nn.Embedding(size, dim, padding).double()
    if padded:
        np.testing.assert_array_equal(ours.weight.data[padding], 0)
    copy_weights(ours, theirs)
    indices = rng.integers(0, size, shape)
    y, expected = ours(indices), theirs(torch.tensor(indices))
    y.backward(upstream(y.shape))
    expected.backward(torch.tensor(upstream(y.shape)))
    np.testing.assert_array_equal(y.data, expected.detach().numpy())
    close(ours.weight.grad, theirs.weight.grad.numpy())


def test_embedding_moves_to_keras_and_back():
    rng = np.random.default_rng(0)
    ours, back = (layers.Embedding(5, 3, std=0.1, rng=rng) for _ in range(2))
    model = keras.Sequential([keras.layers.Embedding(5, 3, mask_zero=True)])
    indices = np.array([[1, 0], [4, 4]])
    model(indices)
    copy_weights(ours, model)
    np.testing.assert_array_equal(model(indices).numpy(), ours(indices).data)
    copy_weights(model, back)
    np.testing.assert_array_equal(back.weight.data, ours.weight.data)


def test_embedding_explains_wrong_indices():
    layer = layers.Embedding(5, 1000, std=0.1, rng=np.random.default_rng(0))
    np.testing.assert_allclose(layer.weight.data.std(), 0.1, rtol=0.05)
    with pytest.raises(IndexError, match=r"rows 0 … 4, got indices -1 … 5"):
        layer([5, -1])
    with pytest.raises(TypeError, match="takes integers, got float64"):
        layer([1.0])


# --- gradient clipping ---


@pytest.mark.parametrize("max_norm", [0.5, 100.0])
def test_clipping_equals_pytorch(max_norm):
    rng = np.random.default_rng(0)
    gradients = [rng.normal(size=shape) for shape in ((3, 2), (4,), ())]
    ours = [Tensor(np.zeros_like(g), requires_grad=True) for g in gradients]
    theirs = [torch.zeros(g.shape, dtype=torch.float64, requires_grad=True) for g in gradients]
    for p, q, g in zip(ours, theirs, gradients, strict=True):
        p.grad, q.grad = np.array(g), torch.tensor(g)
    unused = Tensor(0.0, requires_grad=True)
    norm = optim.clip_grad_norm_(iter([*ours, unused]), max_norm)
    close(norm, nn.utils.clip_grad_norm_(theirs, max_norm).item())
    for p, q in zip(ours, theirs, strict=True):
        close(p.grad, q.grad.numpy())
    assert unused.grad is None


def test_clipping_keeps_float32():
    p = Tensor(np.zeros(3, np.float32), requires_grad=True)
    p.grad = np.full(3, 7, np.float32)
    optim.clip_grad_norm_([p], 1)
    assert p.grad.dtype == np.float32
