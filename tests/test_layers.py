"""Layers, losses and copied weights against PyTorch and Keras."""

import contextlib

import numpy as np
import pytest
import torch
from torch import nn

from utils import layers, runtime
from utils.engine import Tensor, no_grad
from utils.layers import Linear, ReLU, Sequential
from utils.weights import copy_weights

tf = runtime.import_tensorflow()
keras = tf.keras
F = torch.nn.functional


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def mlp(rng, dtype=np.float64):
    return layers.Sequential(
        layers.Flatten(),
        layers.Linear(6, 5, rng=rng, dtype=dtype),
        layers.ReLU(),
        layers.Linear(5, 5, bias=False, rng=rng, dtype=dtype),
        layers.Sequential(layers.Tanh(), layers.Linear(5, 3, rng=rng, dtype=dtype)),
    )


def torch_mlp(dtype=torch.float64):
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(6, 5),
        nn.ReLU(),
        nn.Linear(5, 5, bias=False),
        nn.Sequential(nn.Tanh(), nn.Linear(5, 3)),
    ).to(dtype)


def keras_mlp(dtype="float64"):
    dense = keras.layers.Dense
    return keras.Sequential(
        [
            keras.Input((2, 3), dtype=dtype),
            keras.layers.Flatten(dtype=dtype),
            dense(5, activation="relu", dtype=dtype),
            dense(5, use_bias=False, dtype=dtype),
            keras.Sequential([keras.layers.Activation("tanh"), dense(3, dtype=dtype)]),
        ]
    )


# --- modules ---


def test_parameters_are_named_and_shaped_as_in_pytorch(rng):
    model, theirs = mlp(rng), torch_mlp()
    named = {name: p.shape for name, p in model.named_parameters()}
    assert named == {name: tuple(p.shape) for name, p in theirs.named_parameters()}
    assert [p.shape for p in model.parameters()] == list(named.values())
    assert list(model.state_dict()) == list(theirs.state_dict())


def test_the_three_worlds_agree_in_values_and_gradients(rng):
    model, theirs, third = mlp(rng), torch_mlp(), keras_mlp()
    copy_weights(model, theirs)
    copy_weights(theirs, third)
    x, y = rng.normal(size=(4, 2, 3)), rng.integers(0, 3, 4)

    output = model(x)
    layers.cross_entropy(output, y).backward()
    theirs_output = theirs(torch.tensor(x))
    F.cross_entropy(theirs_output, torch.tensor(y)).backward()
    with tf.GradientTape() as tape:
        third_output = third(tf.constant(x))
        loss = keras.losses.sparse_categorical_crossentropy(y, third_output, from_logits=True)
        loss = tf.reduce_mean(loss)
    gradients = tape.gradient(loss, third.trainable_variables)

    np.testing.assert_allclose(output.data, theirs_output.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(output.data, third_output.numpy(), rtol=1e-6)
    triples = zip(model.parameters(), theirs.parameters(), gradients, strict=True)
    for ours, torchs, kerass in triples:
        np.testing.assert_allclose(ours.grad, torchs.grad.numpy(), rtol=1e-10, atol=1e-14)
        np.testing.assert_allclose(ours.grad.T, kerass.numpy(), rtol=1e-5, atol=1e-7)


def test_state_dict_is_a_copy_and_comes_back(rng):
    model = layers.Sequential(layers.Linear(2, 3, rng=rng))
    model.running = np.zeros(2)  # a buffer: saved, not learned
    assert [name for name, _ in model.named_parameters()] == ["0.weight", "0.bias"]
    saved = model.state_dict()
    before = {name: value.copy() for name, value in saved.items()}
    for p in model.parameters():
        p.data = p.data + 1
    model.running = model.running + 1
    model.load_state_dict(saved)
    after = model.state_dict()
    assert set(before) == {"running", "0.weight", "0.bias"}
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value)
        assert after[name].dtype == value.dtype


def test_load_state_dict_refuses_other_names_and_shapes(rng):
    model = layers.Linear(2, 3, rng=rng)
    state = model.state_dict()
    with pytest.raises(KeyError, match=r"missing: \['bias'\], unexpected: \['b'\]"):
        model.load_state_dict({"weight": state["weight"], "b": state["bias"]})
    with pytest.raises(ValueError, match=r"bias must have shape \(3,\), got \(2,\)"):
        model.load_state_dict({"weight": state["weight"] + 1, "bias": np.ones(2)})
    np.testing.assert_array_equal(model.weight.data, state["weight"])


def test_a_shared_parameter_comes_once(rng):
    first, second = layers.Linear(2, 2, rng=rng), layers.Linear(2, 2, rng=rng)
    second.weight = first.weight
    model = layers.Sequential(first, second)
    assert [name for name, _ in model.named_parameters()] == ["0.weight", "0.bias", "1.bias"]


def test_train_and_eval_reach_every_module(rng):
    model = mlp(rng)
    assert model.training
    assert model.eval() is model
    assert not any(module.training for _, module in model.named_modules())
    assert all(module.training for _, module in model.train().named_modules())


def test_zero_grad_forgets(rng):
    model = layers.Linear(2, 1, rng=rng)
    model(np.ones((3, 2))).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())


def test_sequential_is_a_sequence(rng):
    model = mlp(rng)
    assert len(model) == 5
    assert model[0] is next(iter(model))
    assert model[-1][1].weight.shape == (3, 5)


def test_a_module_without_forward_says_so():
    with pytest.raises(NotImplementedError, match=r"Module needs a method forward\(self, x\)"):
        layers.Module()(1)


# --- layers ---


def test_linear_starts_uniform_as_in_pytorch(rng):
    layer = layers.Linear(400, 300, rng=rng)
    bound = 1 / 20
    theirs = nn.Linear(400, 300)
    for ours, reference in ((layer.weight, theirs.weight), (layer.bias, theirs.bias)):
        assert ours.dtype == np.float32
        assert ours.requires_grad
        assert np.abs(ours.data).max() <= bound
        assert np.abs(reference.detach().numpy()).max() <= bound
    # 120,000 draws: the standard error of a standard deviation is below 0.15 %
    np.testing.assert_allclose(layer.weight.data.std(), bound / np.sqrt(3), rtol=1e-2)
    np.testing.assert_allclose(theirs.weight.detach().numpy().std(), bound / np.sqrt(3), rtol=1e-2)
    again = layers.Linear(400, 300, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(again.weight.data, layer.weight.data)


def test_linear_keeps_its_precision_and_explains_a_wrong_shape(rng):
    layer = layers.Linear(3, 2, rng=rng)
    assert layer(np.ones((4, 5, 3))).shape == (4, 5, 2)
    assert layer(np.ones((4, 3), np.float64)).dtype == np.float32
    assert layer([1, 2, 3]).dtype == np.float32
    with pytest.raises(ValueError, match=r"Linear\(3, 2\) .*got \(4, 1, 2\); put Flatten"):
        layer(np.ones((4, 1, 2)))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (layers.ReLU(), nn.ReLU()),
        (layers.Tanh(), nn.Tanh()),
        (layers.Sigmoid(), nn.Sigmoid()),
        (layers.Softmax(1), nn.Softmax(1)),
        (layers.Flatten(), nn.Flatten()),
    ],
)
def test_layers_without_parameters(rng, ours, theirs):
    x = rng.normal(size=(2, 3, 4))
    result = ours(x)
    np.testing.assert_allclose(result.data, theirs(torch.tensor(x)).numpy(), rtol=1e-12)
    assert list(ours.parameters()) == []


def test_dropout(rng):
    x = Tensor(np.ones((200, 100), np.float32), requires_grad=True)
    layer = layers.Dropout(0.2, rng=rng)
    y = layer(x)
    y.sum().backward()
    kept = y.data != 0
    np.testing.assert_allclose(y.data[kept], 1.25)
    np.testing.assert_array_equal(x.grad, y.data)
    assert y.dtype == np.float32
    assert abs(kept.mean() - 0.8) < 5 * np.sqrt(0.2 * 0.8 / x.data.size)
    assert layer.eval()(x) is x
    with pytest.raises(ValueError, match=r"\[0, 1\), got 1"):
        layers.Dropout(1, rng=rng)


# --- losses ---


def by_torch(loss, z, target):
    leaf = torch.tensor(z, requires_grad=True)
    value = loss(leaf, torch.tensor(target))
    value.backward()
    return value.item(), leaf.grad.numpy()


LOSSES = {
    "mse_loss": (layers.mse_loss, F.mse_loss, "real"),
    "l1_loss": (layers.l1_loss, F.l1_loss, "real"),
    "binary_cross_entropy_with_logits": (
        layers.binary_cross_entropy_with_logits,
        F.binary_cross_entropy_with_logits,
        "probability",
    ),
    "cross_entropy": (layers.cross_entropy, F.cross_entropy, "label"),
    "kl_div": (
        lambda z, p: layers.kl_div(z.log_softmax(1), p),
        lambda z, p: F.kl_div(z.log_softmax(1), p, reduction="batchmean"),
        "distribution",
    ),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("scale", [1, 300])
def test_losses_equal_pytorch(rng, name, scale):
    ours, theirs, kind = LOSSES[name]
    z = rng.normal(size=(6, 4)) * scale
    z[0, 0] = 0.0  # a kink of the terms, not of the loss
    target = {
        "real": rng.normal(size=(6, 4)),
        "probability": rng.integers(0, 3, (6, 4)) / 2,
        "label": rng.integers(0, 4, 6),
        "distribution": np.eye(4)[rng.integers(0, 4, 6)] * 0.5 + 0.5 * np.eye(4)[0],
    }[kind]
    leaf = Tensor(z, requires_grad=True)
    value = ours(leaf, target)
    value.backward()
    expected, gradient = by_torch(theirs, z, target)
    np.testing.assert_allclose(value.item(), expected, rtol=1e-12)
    np.testing.assert_allclose(leaf.grad, gradient, rtol=1e-10, atol=1e-14)


def test_losses_equal_keras(rng):
    z, p = rng.normal(size=(6, 4)), rng.dirichlet(np.ones(4), 6)
    y = rng.integers(0, 4, 6)
    pairs = [
        (layers.mse_loss(z, p), keras.losses.MeanSquaredError()(p, z)),
        (layers.l1_loss(z, p), keras.losses.MeanAbsoluteError()(p, z)),
        (
            layers.binary_cross_entropy_with_logits(z, p),
            keras.losses.BinaryCrossentropy(from_logits=True)(p, z),
        ),
        (
            layers.cross_entropy(z, y),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True)(y, z),
        ),
        (
            layers.kl_div(Tensor(z).log_softmax(1), p),
            keras.losses.KLDivergence()(p, tf.nn.softmax(z)),
        ),
    ]
    for ours, theirs in pairs:
        np.testing.assert_allclose(ours.item(), float(theirs), rtol=1e-5)


def test_softmax_and_cross_entropy_give_p_minus_y(rng):
    z = Tensor(rng.normal(size=(5, 3)), requires_grad=True)
    y = rng.integers(0, 3, 5)
    layers.cross_entropy(z, y).backward()
    np.testing.assert_allclose(z.grad, (z.softmax(1).data - np.eye(3)[y]) / 5, atol=1e-15)


@pytest.mark.parametrize(
    "loss",
    [layers.mse_loss, layers.l1_loss, layers.kl_div, layers.binary_cross_entropy_with_logits],
)
def test_a_column_against_a_vector_is_refused(loss):
    with pytest.raises(ValueError, match=rf"{loss.__name__}: input \(4, 1\) and target \(4,\)"):
        loss(np.ones((4, 1)), np.ones(4))
    with pytest.raises(ValueError, match=r"use reshape\(-1\)"):
        loss(Tensor(np.ones(4)), Tensor(np.ones((4, 1))))


def test_a_target_tensor_receives_its_gradient(rng):
    a, b = rng.normal(size=(2, 3)), rng.normal(size=(2, 3))
    x, y = Tensor(a, requires_grad=True), Tensor(b, requires_grad=True)
    layers.mse_loss(x, y).backward()
    np.testing.assert_allclose(y.grad, (b - a) / 3)
    np.testing.assert_allclose(x.grad, (a - b) / 3)


@pytest.mark.parametrize(
    ("z", "y", "error", "words"),
    [
        ((4, 3), np.zeros((4, 1), int), ValueError, r"got \(4, 3\) and \(4, 1\).*reshape\(-1\)"),
        ((4, 3), np.zeros((4, 3), int), ValueError, r"one-hot rows into labels with argmax"),
        ((4,), np.zeros(4, int), ValueError, r"logits \(N, C\)"),
        ((4, 3), np.zeros(3, int), ValueError, r"got \(4, 3\) and \(3,\)"),
        ((4, 3), np.zeros(4), TypeError, r"integer labels, got float64"),
        ((4, 3), np.array([0, 1, 2, 3]), ValueError, r"labels 0 … 2, got labels 0 … 3"),
        ((4, 3), np.array([0, -1, 2, 0]), ValueError, r"got labels -1 … 2"),
    ],
)
def test_cross_entropy_explains_wrong_labels(z, y, error, words):
    with pytest.raises(error, match=words):
        layers.cross_entropy(np.zeros(z), y)


# --- copied weights ---


def models(rng):
    return {
        "engine": (mlp(rng, np.float32), lambda model, x: model(x).data),
        "torch": (torch_mlp(torch.float32), lambda m, x: m(torch.tensor(x)).detach().numpy()),
        "keras": (keras_mlp("float32"), lambda model, x: model(tf.constant(x)).numpy()),
    }


@pytest.mark.parametrize("to", ["engine", "torch", "keras"])
@pytest.mark.parametrize("source", ["engine", "torch", "keras"])
def test_copy_weights_between_all_worlds(rng, source, to):
    x = rng.normal(size=(7, 2, 3)).astype(np.float32)
    a, run_a = models(rng)[source]
    b, run_b = models(rng)[to]
    expected = run_a(a, x)
    assert np.abs(run_b(b, x) - expected).max() > 0.01
    assert copy_weights(a, b) is None
    np.testing.assert_allclose(run_b(b, x), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(run_a(a, x), expected)


def test_copied_weights_are_copies(rng):
    a, b, c = mlp(rng), mlp(rng), torch_mlp()
    copy_weights(a, b)
    copy_weights(a, c)
    for ours, copied, theirs in zip(a.parameters(), b.parameters(), c.parameters(), strict=True):
        assert not np.shares_memory(ours.data, copied.data)
        assert not np.shares_memory(ours.data, theirs.detach().numpy())


def test_the_target_keeps_its_precision(rng):
    a, b = mlp(rng, np.float64), mlp(rng, np.float32)
    copy_weights(a, b)
    assert {p.dtype for p in b.parameters()} == {np.dtype(np.float32)}


def test_copy_weights_explains_and_changes_nothing(rng):
    small, large = layers.Linear(2, 3, rng=rng), layers.Linear(2, 4, rng=rng)
    source = layers.Sequential(layers.Linear(2, 2, rng=rng), small)
    target = layers.Sequential(layers.Linear(2, 2, rng=rng), large)
    before = target.state_dict()
    with pytest.raises(ValueError, match=r"layer '1' has .*\(3, 2\).*layer '1' has .*\(4, 2\)"):
        copy_weights(source, target)
    with pytest.raises(ValueError, match=r"different layers: \['Linear'\] and \['Linear', 'Lin"):
        copy_weights(small, target)
    with pytest.raises(ValueError, match=r"layer '' has .*'bias'"):
        copy_weights(small, nn.Linear(2, 3, bias=False))
    for name, value in target.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_copy_weights_names_what_it_does_not_know(rng):
    small = layers.Linear(2, 3, rng=rng)
    with pytest.raises(TypeError, match="layer '' is a Bilinear; copy_weights knows Linear"):
        copy_weights(nn.Bilinear(2, 2, 2), small)
    unknown = keras.Sequential([keras.Input((2,)), keras.layers.GroupNormalization(1)])
    with pytest.raises(TypeError, match="is a GroupNormalization; copy_weights knows Dense"):
        copy_weights(unknown, small)
    with pytest.raises(TypeError, match="not ndarray"):
        copy_weights(np.ones(3), small)
    with pytest.raises(ValueError, match="no weights yet; call it once on a batch"):
        copy_weights(small, keras.Sequential([keras.layers.Dense(3)]))


# --- what a module keeps ---

NO_MODULES = {
    "a list": (lambda rng: [[Linear(2, 8, rng=rng), ReLU()]], r"0 is a list; unpack it with \*"),
    "a generator": (lambda rng: [(ReLU() for _ in range(2))], r"0 is a generator; unpack it"),
    "a class": (lambda rng: [Linear(2, 8, rng=rng), ReLU], r"1 is the class ReLU, .*write ReLU\("),
    "a function": (lambda rng: [np.tanh], "0 is a ufunc, not a Module"),
    "a lambda": (lambda rng: [lambda x: x], "0 is a function, not a Module"),
    "PyTorch's": (lambda rng: [torch.nn.ReLU()], "0 is a ReLU, not a Module"),
    "nothing": (lambda rng: [None], "0 is a NoneType"),
}


@pytest.mark.parametrize(("parts", "message"), NO_MODULES.values(), ids=NO_MODULES)
def test_sequential_takes_modules_alone(rng, parts, message):
    with pytest.raises(TypeError, match=message):
        Sequential(*parts(rng))


class Collections(layers.Module):
    """Keeps its parts in a list, a tuple and a dict, and remembers its latest activation."""

    def __init__(self, rng):
        self.hidden = [Linear(4, 4, rng=rng), [Linear(4, 4, rng=rng)]]
        self.heads = {"left": Linear(4, 1, rng=rng), "right": (Linear(4, 1, rng=rng),)}
        self.scales = [Tensor(np.ones(4), requires_grad=True)]
        self.mean = np.zeros(4)
        self.table = [np.zeros(2)]  # no buffer: as in PyTorch those are attributes
        self.latest = self.frozen = None

    def forward(self, x):
        self.latest = self.hidden[1][0](self.hidden[0](x)) * self.scales[0]
        self.frozen = self.latest.detach()
        return self.heads["left"](self.latest) + self.heads["right"][0](self.latest)


NAMES = [
    *("hidden.0.weight", "hidden.0.bias", "hidden.1.0.weight", "hidden.1.0.bias"),
    *("heads.left.weight", "heads.left.bias", "heads.right.0.weight", "heads.right.0.bias"),
]


def test_parts_are_found_in_lists_tuples_and_dicts(rng):
    model = Collections(rng)
    model(rng.normal(size=(3, 4))).sum().backward()
    named = dict(model.named_parameters())
    assert sorted(named) == sorted([*NAMES, "scales.0"])
    assert all(parameter.grad is not None for parameter in named.values())
    assert sorted(model.state_dict()) == sorted([*NAMES, "scales.0", "mean"])
    assert not any(module.training for _, module in model.eval().named_modules())
    assert len(list(model.named_modules())) == 5


def test_an_activation_that_is_kept_is_no_parameter(rng):
    model, fresh = Collections(rng), Collections(rng)
    x = rng.normal(size=(3, 4))
    for context in (contextlib.nullcontext, no_grad):
        with context():
            model(x)
        fresh.load_state_dict(model.state_dict())
        np.testing.assert_array_equal(model(x).data, fresh(x).data)


def test_a_parameter_that_is_frozen_stays_one(rng):
    model = Linear(2, 2, rng=rng)
    model.weight.requires_grad = False
    assert [name for name, _ in model.named_parameters()] == ["weight", "bias"]
    assert model.state_dict().keys() == {"weight", "bias"}
