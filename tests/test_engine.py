"""The engine against finite differences, PyTorch and TensorFlow; its graph, memory and time."""

import gc
import operator
import re
import threading
import time
import weakref

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from utils import runtime
from utils.engine import (
    Tensor,
    as_tensor,
    concatenate,
    maximum,
    no_grad,
    stack,
    topological_order,
    where,
)

tf = runtime.import_tensorflow()
drawn = settings(max_examples=20, deadline=None, database=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)
shapes = hnp.array_shapes(min_dims=0, max_dims=3, max_side=4)


def weights(shape):
    """An upstream gradient without symmetries."""
    return np.cos(np.arange(1, 1 + np.prod(shape, dtype=int))).reshape(shape)


def ours(f, arrays):
    leaves = [Tensor(a, requires_grad=True) for a in arrays]
    y = f(*leaves)
    y.backward(weights(y.shape))
    return [y.data, *(leaf.grad for leaf in leaves)]


def by_torch(f, arrays):
    leaves = [torch.tensor(a, requires_grad=True) for a in arrays]
    y = f(*leaves)
    y.backward(torch.tensor(weights(tuple(y.shape))).to(y.dtype))
    return [y.detach().numpy(), *(leaf.grad.numpy() for leaf in leaves)]


def by_tensorflow(f, arrays):
    leaves = [tf.Variable(a) for a in arrays]
    with tf.GradientTape() as tape:
        y = f(*leaves)
    upstream = tf.constant(weights(tuple(y.shape)), dtype=y.dtype)
    gradients = tape.gradient(y, leaves, upstream, unconnected_gradients="zero")
    return [y.numpy(), *(tf.convert_to_tensor(g).numpy() for g in gradients)]


def by_differences(f, arrays, step=1e-6):
    def value():
        y = f(*map(Tensor, arrays)).data
        return float((y * weights(y.shape)).sum())

    gradients = []
    for a in arrays:
        g = np.empty_like(a)
        for i in np.ndindex(a.shape):
            kept = a[i]
            a[i] = kept + step
            above = value()
            a[i] = kept - step
            g[i] = (above - value()) / (2 * step)
            a[i] = kept
        gradients.append(g)
    return [f(*map(Tensor, arrays)).data, *gradients]


def assert_same(results, references, rtol, atol):
    for result, reference in zip(results, references, strict=True):
        assert result.shape == reference.shape
        np.testing.assert_allclose(result, reference, rtol, atol)


def check(arrays, f, f_torch, f_tensorflow):
    """One operation in four ways, in float64, and once more in float32."""
    arrays = [np.asarray(a, dtype=np.float64) for a in arrays]
    mine = ours(f, arrays)
    assert_same(mine, by_torch(f_torch, arrays), 1e-9, 1e-10)
    assert_same(mine, by_tensorflow(f_tensorflow, arrays), 1e-9, 1e-10)
    assert_same(mine, by_differences(f, arrays), 1e-6, 1e-6)
    single = ours(f, [a.astype(np.float32) for a in arrays])
    assert {result.dtype for result in single} == {np.dtype(np.float32)}
    assert_same(single, by_torch(f_torch, [a.astype(np.float32) for a in arrays]), 2e-5, 2e-5)


def normal(seed, *shapes, positive=False):
    rng = np.random.default_rng(seed)
    draws = [np.asarray(rng.normal(size=shape)) for shape in shapes]
    return [np.abs(a) + 0.5 if positive else a for a in draws]


ELEMENTWISE = {
    "neg": (operator.neg, operator.neg, operator.neg),
    "abs": (Tensor.abs, torch.abs, tf.abs),
    "exp": (Tensor.exp, torch.exp, tf.exp),
    "relu": (Tensor.relu, torch.relu, tf.nn.relu),
    "tanh": (Tensor.tanh, torch.tanh, tf.tanh),
    "sigmoid": (Tensor.sigmoid, torch.sigmoid, tf.sigmoid),
    "softplus": (Tensor.softplus, torch.nn.functional.softplus, tf.math.softplus),
    "square": (lambda a: a**2,) * 3,
    "cube": (lambda a: a**3,) * 3,
    "zeroth power": (lambda a: a**0,) * 3,
    "a + a·a": (lambda a: a + a * a,) * 3,
    "scalars": (lambda a: 2 * (1 - a / 4) + (3.0 + a) * a - 5,) * 3,
}
ON_POSITIVE = {
    "log": (Tensor.log, torch.log, tf.math.log),
    "sqrt": (Tensor.sqrt, torch.sqrt, tf.sqrt),
    "power": (lambda a: a**-1.5,) * 3,
    "reciprocal": (lambda a: 2 / a,) * 3,
}
BINARY = {
    "+": (operator.add,) * 3,
    "-": (operator.sub,) * 3,
    "×": (operator.mul,) * 3,
    "/": (operator.truediv,) * 3,
    "maximum": (maximum, torch.maximum, tf.maximum),
}


@pytest.mark.parametrize("name", ELEMENTWISE)
@drawn
@given(shape=shapes, seed=seeds)
def test_functions_of_each_element(name, shape, seed):
    check(normal(seed, shape), *ELEMENTWISE[name])


@pytest.mark.parametrize("name", ON_POSITIVE)
@drawn
@given(shape=shapes, seed=seeds)
def test_functions_of_positive_elements(name, shape, seed):
    check(normal(seed, shape, positive=True), *ON_POSITIVE[name])


@pytest.mark.parametrize("name", BINARY)
@drawn
@given(pair=hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3), seed=seeds)
def test_two_operands_broadcast(name, pair, seed):
    a, b = normal(seed, *pair.input_shapes)
    check((a, np.sign(b) * (np.abs(b) + 0.5)), *BINARY[name])


@drawn
@given(trio=hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=3, max_side=3), seed=seeds)
def test_where(trio, seed):
    c, a, b = normal(seed, *trio.input_shapes)
    c = c > 0
    check(
        (a, b),
        lambda a, b: where(c, a, b),
        lambda a, b: torch.where(torch.tensor(c), a, b),
        lambda a, b: tf.where(c, a, b),
    )


@drawn
@given(
    pair=hnp.mutually_broadcastable_shapes(
        signature="(m?,k),(k,n?)->(m?,n?)", max_dims=2, max_side=3
    ),
    seed=seeds,
)
def test_matmul_of_vectors_matrices_and_batches(pair, seed):
    arrays = normal(seed, *pair.input_shapes)

    def by_einsum(a, b):  # TensorFlow's matmul takes no vectors
        left, m = ("...mk", "m") if len(a.shape) > 1 else ("k", "")
        right, n = ("...kn", "n") if len(b.shape) > 1 else ("k", "")
        return tf.einsum(f"{left},{right}->{'...' * bool(m + n)}{m}{n}", a, b)

    check(arrays, operator.matmul, torch.matmul, by_einsum)


@st.composite
def reductions(draw):
    """A shape and some of its axes."""
    shape = draw(hnp.array_shapes(max_dims=3, max_side=4))
    axes = st.integers(-len(shape), len(shape) - 1)
    some = hnp.valid_tuple_axes(len(shape), min_size=1)
    return shape, draw(st.none() | axes | some), draw(st.booleans())


def all_axes(dim, shape):
    return tuple(range(len(shape))) if dim is None else dim


REDUCTIONS = {
    "sum": (Tensor.sum, torch.sum, tf.reduce_sum),
    "mean": (Tensor.mean, torch.mean, tf.reduce_mean),
    "max": (Tensor.max, torch.amax, tf.reduce_max),
    "logsumexp": (Tensor.logsumexp, torch.logsumexp, tf.reduce_logsumexp),
    "var": (
        lambda a, dim, keepdim: a.var(dim, correction=0, keepdim=keepdim),
        lambda a, dim, keepdim: torch.var(a, dim, correction=0, keepdim=keepdim),
        tf.math.reduce_variance,
    ),
}


@pytest.mark.parametrize("name", REDUCTIONS)
@drawn
@given(reduction=reductions(), seed=seeds)
def test_reductions(name, reduction, seed):
    shape, dim, keepdim = reduction
    f, f_torch, f_tensorflow = REDUCTIONS[name]
    check(
        normal(seed, shape),
        lambda a: f(a, dim=dim, keepdim=keepdim),
        lambda a: f_torch(a, dim=all_axes(dim, shape), keepdim=keepdim),
        lambda a: f_tensorflow(a, axis=dim, keepdims=keepdim),
    )


@drawn
@given(shape=hnp.array_shapes(max_dims=3, min_side=2, max_side=4), data=st.data(), seed=seeds)
def test_softmax_and_unbiased_variance(shape, data, seed):
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    n = shape[dim]
    arrays = normal(seed, shape)
    for f, f_torch, f_tensorflow in (
        (Tensor.softmax, torch.softmax, tf.nn.softmax),
        (Tensor.log_softmax, torch.log_softmax, tf.nn.log_softmax),
        (Tensor.var, torch.var, lambda a, axis: tf.math.reduce_variance(a, axis) * n / (n - 1)),
    ):
        check(arrays, *(lambda a, f=f: f(a, dim) for f in (f, f_torch, f_tensorflow)))


@drawn
@given(shape=hnp.array_shapes(min_dims=1, max_dims=4, max_side=3), data=st.data(), seed=seeds)
def test_permute_transpose_reshape(shape, data, seed):
    order = data.draw(st.permutations(range(len(shape))))
    signed = [d - len(shape) if data.draw(st.booleans()) else d for d in order]
    i, j = (data.draw(st.integers(-len(shape), len(shape) - 1)) for _ in range(2))
    swapped = list(range(len(shape)))
    swapped[i], swapped[j] = swapped[j], swapped[i]
    reverse = tuple(reversed(range(len(shape))))
    a = normal(seed, shape)
    check(
        a,
        lambda a: a.permute(*signed),
        lambda a: a.permute(order),
        lambda a: tf.transpose(a, order),
    )
    check(
        a,
        lambda a: a.transpose(i, j),
        lambda a: a.transpose(i, j),
        lambda a: tf.transpose(a, swapped),
    )
    check(a, lambda a: a.T, lambda a: a.permute(reverse), tf.transpose)
    check(
        a,
        lambda a: a.reshape(-1, shape[-1]),
        lambda a: a.reshape(-1, shape[-1]),
        lambda a: tf.reshape(a, (-1, shape[-1])),
    )


@pytest.mark.parametrize(
    "index",
    [
        1,
        -1,
        slice(1, 4, 2),
        (slice(None), None, 2),
        (..., slice(0, 2)),
        [0, 0, 3],
        np.array([[1, 1], [0, 3]]),
        (np.arange(4), np.array([0, 2, 2, 1])),
        (slice(None), np.array([2, 2])),
        (np.array([0, 0]), slice(1, 3)),
        np.arange(12).reshape(4, 3) % 2 == 0,
        np.array([True, False, True, False]),
    ],
    ids=str,
)
def test_indexing_adds_up_repeated_elements(index):
    rows = np.arange(12).reshape(4, 3)

    def by_gather(a):  # TensorFlow has no general indexing: gather the flat positions
        return tf.gather(tf.reshape(a, -1), rows[index])

    check(normal(0, (4, 3)), lambda a: a[index], lambda a: a[index], by_gather)


@drawn
@given(shape=hnp.array_shapes(max_dims=3, max_side=3), data=st.data(), seed=seeds)
def test_concatenate_and_stack(shape, data, seed):
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    longer = list(shape)
    longer[dim] += 2
    check(
        normal(seed, shape, tuple(longer), shape),
        lambda *t: concatenate(t, dim),
        lambda *t: torch.concatenate(t, dim),
        lambda *t: tf.concat(t, dim),
    )
    check(
        normal(seed, shape, shape),
        lambda *t: stack(t, dim),
        lambda *t: torch.stack(t, dim),
        lambda *t: tf.stack(t, dim),
    )


# --- kinks and extremes ---


@pytest.mark.parametrize(
    ("f", "f_torch", "arrays"),
    [
        (Tensor.relu, torch.relu, [[-1.0, 0.0, 2.0]]),
        (Tensor.abs, torch.abs, [[-1.0, 0.0, 2.0]]),
        (maximum, torch.maximum, [[1.0, 2.0, 3.0], [1.0, 5.0, 3.0]]),
        (Tensor.max, torch.max, [[[3.0, 1.0], [3.0, 3.0]]]),
        (lambda a: a.max(1), lambda a: torch.amax(a, 1), [[[3.0, 3.0], [1.0, 2.0]]]),
        (lambda a: a**0, lambda a: a**0, [[0.0, 1.0]]),
        (lambda a: a**1, lambda a: a**1, [[0.0, 1.0]]),
        (lambda a: a**2, lambda a: a**2, [[0.0, -1.0]]),
    ],
)
def test_ties_and_kinks_follow_pytorch(f, f_torch, arrays):
    arrays = [np.array(a) for a in arrays]
    assert_same(ours(f, arrays), by_torch(f_torch, arrays), 0, 0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("f", "f_torch"),
    [
        (Tensor.sigmoid, torch.sigmoid),
        (Tensor.softplus, torch.nn.functional.softplus),
        (lambda a: a.softmax(0), lambda a: a.softmax(0)),
        (lambda a: a.log_softmax(0), lambda a: a.log_softmax(0)),
        (lambda a: a.logsumexp(0), lambda a: a.logsumexp(0)),
    ],
)
@pytest.mark.filterwarnings("error")
def test_large_numbers_do_not_overflow(f, f_torch, dtype):
    a = [np.array([-3e4, -50.0, 0.0, 50.0, 3e4], dtype=dtype)]
    assert_same(ours(f, a), by_torch(f_torch, a), 1e-5, 1e-37)


def test_softmax_ignores_minus_infinity():
    a = [np.array([1.0, -np.inf, 2.0])]
    for f in (lambda a: a.softmax(0), lambda a: a.logsumexp(0)):
        assert_same(ours(f, a), by_torch(f, a), 1e-12, 0)
    assert Tensor([-np.inf, -np.inf]).logsumexp(0).item() == -np.inf


# --- operands and types ---


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("other", [2, 2.0, np.float64(2), np.float32(2), np.array(2.0), True])
def test_a_scalar_never_changes_the_type(dtype, other):
    x = Tensor(np.ones(3, dtype), requires_grad=True)
    results = [x + other, other + x, x - other, other - x, x * other, other * x, x / other]
    results += [other / x, maximum(x, other), maximum(other, x), where(x.data > 0, other, x)]
    assert {y.dtype for y in results} == {np.dtype(dtype)}
    sum(results[1:], results[0]).sum().backward()
    assert x.grad.dtype == dtype


@pytest.mark.parametrize("op", [operator.add, operator.sub, operator.mul, operator.truediv])
def test_arrays_on_either_side(op):
    a, b = normal(0, (2, 3), (3,), positive=True)
    ta, tb = torch.tensor(a), torch.tensor(b)
    assert_same(ours(lambda x: op(x, b), [a]), by_torch(lambda x: op(x, tb), [a]), 1e-12, 0)
    assert_same(ours(lambda x: op(a, x), [b]), by_torch(lambda x: op(ta, x), [b]), 1e-12, 0)


def test_an_array_at_the_left_of_matmul():
    a, b = normal(0, (2, 3), (3, 4))
    right = Tensor(b, requires_grad=True)
    (a @ right).sum().backward()
    np.testing.assert_allclose(right.grad, a.T @ np.ones((2, 4)))


def test_integers_and_booleans_take_the_type_of_the_tensor():
    x = Tensor(np.ones(2, np.float32))
    assert (x * np.array([1, 2])).dtype == (np.array([True, False]) * x).dtype == np.float32
    assert (x * np.ones(2)).dtype == np.float64
    assert Tensor([1, 2]).dtype == as_tensor(3).dtype == np.float64


def test_gradients_have_the_type_of_their_leaf():
    single = Tensor(np.ones(2, np.float32), requires_grad=True)
    double = Tensor(np.ones(2), requires_grad=True)
    (single * double).sum().backward()
    assert (single.grad.dtype, double.grad.dtype) == (np.float32, np.float64)


def test_the_array_inside():
    values = np.arange(3.0)
    x = Tensor(values, requires_grad=True)
    assert x.numpy() is values
    assert np.array_equal(np.asarray(x.detach()), values)
    assert (x.shape, x.ndim, len(x), x.dtype) == ((3,), 1, 3, np.float64)
    assert isinstance(x[1].item(), float)
    assert float(x[2]) == 2.0
    assert not (x * 2).detach().requires_grad
    assert repr(x) == "Tensor([0., 1., 2.], requires_grad=True)"
    assert repr(x + 1) == "Tensor([1., 2., 3.], op='+')"
    assert repr(Tensor(1.5)) == "Tensor(1.5)"
    with pytest.raises(ValueError, match="size 1"):
        x.item()


NUMPY_FUNCTIONS = {
    "linalg.norm": np.linalg.norm,
    "dot": lambda t: np.dot(t, t),
    "concatenate": lambda t: np.concatenate([t, t]),
    "stack": lambda t: np.stack((t, np.ones(3))),
    "where": lambda t: np.where(np.ones(3, bool), t, 0.0),
    "clip": lambda t: np.clip(t, 0, 1),
    "mean": np.mean,
    "sum": lambda t: np.sum(a=t),
    "asarray": np.asarray,
    "array of a list": lambda t: np.array([t, t]),
    "Tensor": Tensor,
    "Tensor of a list": lambda t: Tensor([t[0], t[1]]),
    "Tensor of lists": lambda t: Tensor([[t, t], [t, t]]),
}


@pytest.mark.parametrize("function", NUMPY_FUNCTIONS.values(), ids=NUMPY_FUNCTIONS)
def test_numpy_may_not_cut_the_graph_in_silence(function):
    leaf = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    for tensor in (leaf, leaf * 2):
        with pytest.raises(RuntimeError, match=r"gradient would be lost; .* detach\(\)"):
            function(tensor)
    plain = np.asarray(function(leaf.detach()), dtype=float)
    with no_grad():
        assert np.array_equal(np.asarray(function(leaf), dtype=float), plain)


def test_numpy_may_ask_for_the_shape():
    x = Tensor(np.ones((2, 3)), requires_grad=True)
    assert (np.shape(x), np.ndim(x), np.size(x)) == ((2, 3), 2, 6)


def changes(array):
    """What people do to an array in place."""
    yield lambda: array.__imul__(2)
    yield lambda: array.fill(0)
    yield lambda: array.__setitem__((0, 0), np.nextafter(array[0, 0], 9))
    yield lambda: np.random.default_rng(0).shuffle(array)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [(3, 4), (300, 40)])  # a short and a long checksum
@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("sparse", [False, True])
def test_data_that_changed_since_they_were_used_are_noticed(dtype, size, number, sparse):
    values = normal(0, size)[0].astype(dtype)
    if sparse:
        values[:] = np.eye(size[1], dtype=dtype)[np.arange(size[0]) % size[1]]
    x, w = Tensor(values), Tensor(np.ones(size[1], dtype), requires_grad=True)
    loss = (x @ w).tanh().sum()
    list(changes(values))[number]()
    with pytest.raises(RuntimeError, match=re.escape(f"a tensor {size} were changed after '@'")):
        loss.backward()


def test_a_weight_may_be_changed_in_place_after_backward_and_before_forward():
    w = Tensor(np.ones(3), requires_grad=True)
    for _ in range(3):
        w.grad = None
        (w * w).sum().backward()
        w.data -= 0.1 * w.grad
    np.testing.assert_allclose(w.data, 0.8**3)


def test_results_that_a_rule_may_need_cannot_be_changed():
    y = Tensor(np.ones(3), requires_grad=True).exp()
    with pytest.raises(ValueError, match="read-only"):
        y.data[0] = 0
    with no_grad():
        z = Tensor(np.ones(3), requires_grad=True).exp()
    z.data[0] = 0  # belongs to no graph


# --- backward ---


def test_a_second_backward_adds_to_the_leaves_as_in_pytorch():
    a, b = normal(0, (3, 2), (2,))
    x, w = Tensor(a, requires_grad=True), Tensor(b, requires_grad=True)
    tx, tw = torch.tensor(a, requires_grad=True), torch.tensor(b, requires_grad=True)
    y, ty = ((x * w).tanh() * x).sum(), ((tx * tw).tanh() * tx).sum()
    for calls in (1, 2, 3):
        y.backward()
        ty.backward(retain_graph=True)
        np.testing.assert_allclose(x.grad, tx.grad.numpy(), rtol=1e-12)
        np.testing.assert_allclose(w.grad, tw.grad.numpy(), rtol=1e-12)
        if calls == 1:
            first = x.grad.copy()
    x.grad = None
    y.backward()
    np.testing.assert_array_equal(x.grad, first)


def test_inner_nodes_keep_no_gradient_unless_asked():
    x = Tensor([1.0, 2.0], requires_grad=True)
    h, kept = x * 3, x * 5
    kept.retain_grad()
    (h * h + kept).sum().backward()
    assert h.grad is None
    np.testing.assert_array_equal(kept.grad, [1.0, 1.0])
    np.testing.assert_array_equal(x.grad, 18 * x.data + 5)


def test_gradients_of_two_leaves_never_share_memory():
    a, b = Tensor(np.ones(3), requires_grad=True), Tensor(np.ones(3), requires_grad=True)
    (a + b).sum().backward()
    a.grad *= 7
    np.testing.assert_array_equal(b.grad, np.ones(3))


def test_the_graph_remembers_the_values_of_the_forward_pass():
    w = Tensor([2.0], requires_grad=True)
    y = w * w
    w.data = np.array([100.0])
    y.backward()
    np.testing.assert_array_equal(w.grad, [4.0])


def test_gradient_given_by_the_caller():
    x = Tensor(np.arange(3.0), requires_grad=True)
    (x**2).backward([1, 0, 2])
    np.testing.assert_array_equal(x.grad, [0.0, 0.0, 8.0])
    with pytest.raises(ValueError, match=r"gradient \(2,\) for a tensor \(3,\)"):
        (x**2).backward([1, 0])


def test_a_leaf_is_its_own_gradient():
    x = Tensor(3.0, requires_grad=True)
    x.backward()
    assert x.grad == 1


def test_backward_says_what_to_do():
    x = Tensor(np.ones(3), requires_grad=True)
    with pytest.raises(RuntimeError, match=r"shape \(3,\); reduce it with sum\(\) or mean\(\)"):
        (x * 2).backward()
    with pytest.raises(RuntimeError, match="requires_grad=True"):
        Tensor(1.0).backward()
    with no_grad():
        y = x.sum()
    with pytest.raises(RuntimeError, match=r"outside no_grad\(\)"):
        y.backward()


def test_no_grad_records_nothing_and_ends_with_an_error():
    x = Tensor(1.0, requires_grad=True)
    results = []

    def fail():
        with no_grad():
            results.append(x * 2)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert results[0].parents == ()
    assert (x * 2).requires_grad


def test_no_grad_holds_in_its_own_thread_only():
    x, seen = Tensor(1.0, requires_grad=True), []
    with no_grad():
        thread = threading.Thread(target=lambda: seen.append((x * 2).requires_grad))
        thread.start()
        thread.join()
    assert seen == [True]


def test_no_gradient_flows_past_detach_or_into_constants():
    x, constant = Tensor(2.0, requires_grad=True), Tensor(3.0)
    (x.detach() * x * constant).backward()
    assert x.grad == 6
    assert constant.grad is None


def test_the_graph_can_be_drawn():
    x, w = Tensor(np.ones((2, 3))), Tensor(np.ones((4, 3)), requires_grad=True)
    y = (x @ w.T).relu().sum()
    order = topological_order(y)
    assert [node.op for node in order if node.op] == ["T", "@", "relu", "sum"]
    assert sum(node.op == "" for node in order) == 2
    for i, node in enumerate(order):
        assert all(parent in order[:i] for parent in node.parents)


# --- errors ---


@pytest.mark.parametrize(
    ("f", "words"),
    [
        (lambda a, b: a + b, r"\+: shapes \(2, 3\) and \(4,\)"),
        (lambda a, b: a - b, r"-: shapes \(2, 3\) and \(4,\)"),
        (lambda a, b: a * b, r"×: shapes \(2, 3\) and \(4,\)"),
        (lambda a, b: a / b, r"/: shapes \(2, 3\) and \(4,\)"),
        (lambda a, b: a @ b, r"@: shapes \(2, 3\) and \(4,\)"),
        (lambda a, b: a @ b[0], r"@: shapes \(2, 3\) and \(\)"),
        (maximum, r"maximum: shapes \(2, 3\) and \(4,\)"),
        (lambda a, b: where(True, a, b), r"where: shapes \(2, 3\) and \(4,\)"),
        (lambda a, b: where([True, False], a, 0), r"where: the condition \(2,\)"),
        (lambda a, b: concatenate([a, b]), r"concatenate: shapes \(2, 3\), \(4,\)"),
        (lambda a, b: stack([a, b]), r"stack: shapes \(2, 3\), \(4,\)"),
        (lambda a, b: a.reshape(4), r"reshape: \(2, 3\) cannot become \(4,\)"),
        (lambda a, b: a.permute(1), r"permute: shape \(2, 3\) has not the axes \(1,\)"),
    ],
)
def test_shape_errors_name_the_operation_and_the_shapes(f, words):
    with pytest.raises(ValueError, match=words):
        f(Tensor(np.ones((2, 3))), Tensor(np.ones(4)))


def test_a_tensor_as_exponent_is_refused_with_advice():
    with pytest.raises(TypeError, match=r"\(b \* a.log\(\)\).exp\(\)"):
        Tensor(2.0) ** Tensor(3.0)


# --- memory, depth, time ---


@pytest.fixture
def collector_off():
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("collector_off")
def test_a_graph_is_freed_without_the_cycle_collector():
    x = Tensor(np.ones((3, 3)), requires_grad=True)
    h = x @ x
    for step in (lambda a: a.softmax(0).max(0, keepdim=True) + a[0] * a.var(), Tensor.logsumexp):
        h = step(h)
    y = (concatenate([h.reshape(1, 1), stack([h, h]).reshape(2, 1)]) ** 2).mean()
    y.backward()
    nodes = [weakref.ref(node) for node in topological_order(y) if node is not x]
    assert len(nodes) > 12
    del h, y
    assert [node() for node in nodes] == [None] * len(nodes)


def test_a_chain_of_5000_nodes():
    x = y = Tensor(1.0, requires_grad=True)
    for _ in range(5000):
        y = y * 1.001
    y.backward()
    np.testing.assert_allclose(x.grad, 1.001**5000)


@pytest.mark.slow
@pytest.mark.usefixtures("collector_off")
def test_a_chain_of_a_million_nodes_is_freed():
    y = Tensor(1.0, requires_grad=True)
    for _ in range(1_000_000):
        y = -y
    parent = weakref.ref(y.parents[0])
    del y
    assert parent() is None


@pytest.mark.slow
@pytest.mark.usefixtures("collector_off")
def test_backward_takes_linear_time():
    def seconds(n):
        y = x = Tensor(1.0, requires_grad=True)
        for _ in range(n // 2):  # two nodes a round, joined: a graph with 2**(n/2) paths
            y = (y + y) / 2
        times = []
        for _ in range(3):
            start = time.process_time()
            y.backward()
            times.append(time.process_time() - start)
        assert x.grad == 3
        return min(times)

    assert seconds(100_000) / seconds(20_000) < 8
