"""Optimizers against torch.optim and keras.optimizers, schedules against both libraries."""

import numpy as np
import pytest
import torch

from utils import optim, runtime
from utils.engine import Tensor

tf = runtime.import_tensorflow()
keras = tf.keras

STEPS = 100
EXACT = 2.0**-7, 0.875, 1 - 2.0**-10  # α, β₁, β₂ that float32 holds exactly, as Keras needs
TINY = 2.0**-40  # ε that is exact too, and too small for its place in the formula to matter


def start(dtype=np.float64):
    rng = np.random.default_rng(0)
    return [rng.normal(size=(3, 2)).astype(dtype), rng.normal(size=4).astype(dtype)]


def ravine(w, b):
    """A curved, badly scaled loss of a matrix and a vector, in any library."""
    return ((w * w - w) ** 2).sum() + 10 * ((b[1:] - b[:-1] ** 2) ** 2).sum() + (b * b).sum()


def gradients(arrays):
    leaves = [torch.tensor(a, requires_grad=True) for a in arrays]
    ravine(*leaves).backward()
    return [leaf.grad.numpy() for leaf in leaves]


def ours(make, dtype=np.float64, steps=STEPS):
    params = [Tensor(a, requires_grad=True) for a in start(dtype)]
    optimizer = make(params)
    for _ in range(steps):
        optimizer.zero_grad()
        ravine(*params).backward()
        optimizer.step()
    return params


def by_torch(make, dtype=np.float64):
    params = [torch.tensor(a, requires_grad=True) for a in start(dtype)]
    optimizer = make(params)
    for _ in range(STEPS):
        optimizer.zero_grad()
        ravine(*params).backward()
        optimizer.step()
    return [p.detach().numpy() for p in params]


def by_keras(optimizer):
    variables = [keras.Variable(a, dtype="float64") for a in start()]
    optimizer.build(variables)
    step = tf.function(optimizer.apply)
    for _ in range(STEPS):
        step([tf.constant(g) for g in gradients([v.numpy() for v in variables])])
    return [v.numpy() for v in variables]


def farthest(params, references):
    return max(np.abs(p.data - r).max() for p, r in zip(params, references, strict=True))


TORCH = {
    "SGD": [
        {"lr": 0.01},
        {"lr": 0.003, "momentum": 0.9},
        {"lr": 0.003, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
        {"lr": 0.01, "weight_decay": 0.1},
        {},
    ],
    "Adagrad": [{}, {"lr": 0.1, "initial_accumulator_value": 0.1, "eps": 1e-3}],
    "RMSprop": [{}, {"lr": 0.01, "alpha": 0.9, "eps": 1e-3}],
    "Adam": [{}, {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1}],
    "AdamW": [{}, {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.3}],
}


@pytest.mark.parametrize(
    ("name", "options"),
    [(name, options) for name, cases in TORCH.items() for options in cases],
    ids=str,
)
def test_100_steps_equal_torch(name, options):
    mine = ours(lambda params: getattr(optim, name)(params, **options))
    theirs = by_torch(lambda params: getattr(torch.optim, name)(params, **options))
    assert farthest(mine, start()) > 1e-2  # they moved
    assert farthest(mine, theirs) < 1e-9


α, β1, β2 = EXACT
KERAS = {
    "SGD": (
        lambda p: optim.SGD(p, lr=α / 4),
        lambda: keras.optimizers.SGD(α / 4),
    ),
    "momentum": (
        lambda p: optim.SGD(p, lr=α / 4, momentum=β1),
        lambda: keras.optimizers.SGD(α / 4, momentum=β1),
    ),
    "Nesterov": (
        lambda p: optim.SGD(p, lr=α / 4, momentum=β1, nesterov=True),
        lambda: keras.optimizers.SGD(α / 4, momentum=β1, nesterov=True),
    ),
    "Adagrad": (  # Keras's initial accumulator is 0.1 and its ε stands under the root
        lambda p: optim.Adagrad(p, lr=α, initial_accumulator_value=0.125, eps=0),
        lambda: keras.optimizers.Adagrad(α, initial_accumulator_value=0.125, epsilon=TINY),
    ),
    "RMSprop": (  # Keras's ρ is 0.9 and its ε stands under the root
        lambda p: optim.RMSprop(p, lr=α, alpha=β1, eps=0),
        lambda: keras.optimizers.RMSprop(α, rho=β1, epsilon=TINY),
    ),
    "Adam": (
        lambda p: optim.Adam(p, lr=α, betas=(β1, β2), eps=TINY),
        lambda: keras.optimizers.Adam(α, β1, β2, epsilon=TINY),
    ),
    "AdamW": (  # Keras's weight decay is 0.004
        lambda p: optim.AdamW(p, lr=α, betas=(β1, β2), eps=TINY, weight_decay=0.125),
        lambda: keras.optimizers.AdamW(α, 0.125, β1, β2, epsilon=TINY),
    ),
}


@pytest.mark.parametrize("name", KERAS)
def test_100_steps_equal_keras(name):
    make, make_keras = KERAS[name]
    mine = ours(make)
    assert farthest(mine, start()) > 1e-2
    assert farthest(mine, by_keras(make_keras())) < 1e-6


@pytest.mark.parametrize("shape", [(6, 6), (3, 9), (9, 3), (1, 4)])
@pytest.mark.parametrize("steps", [0, 1, 5])
def test_orthogonalize_maps_singular_values_alone(shape, steps):
    """Against the decomposition: the same U and V, and each σ sent through the polynomial."""
    g = np.random.default_rng(1).normal(size=shape)
    U, sigma, Vt = np.linalg.svd(g, full_matrices=False)
    sigma = sigma / np.linalg.norm(g)
    for _ in range(steps):
        sigma = 3.4445 * sigma - 4.775 * sigma**3 + 2.0315 * sigma**5
    made = optim.orthogonalize(g, steps)
    np.testing.assert_allclose(made, U @ np.diag(sigma) @ Vt, atol=1e-6)  # of ε beside the norm
    np.testing.assert_allclose(optim.orthogonalize(torch.tensor(g), steps), made, atol=1e-12)


@pytest.mark.parametrize("shape", [(64, 64), (48, 192), (192, 48)])
def test_five_steps_come_near_the_orthogonal_matrix(shape):
    g = np.random.default_rng(2).normal(size=shape)
    sigma = np.linalg.svd(optim.orthogonalize(g), compute_uv=False)
    small = np.linalg.svd(g, compute_uv=False) < 0.02 * np.linalg.norm(g)  # not yet lifted
    assert small.mean() < 0.15
    assert (np.sort(sigma)[small.sum() :] > 0.65).all()
    assert sigma.max() < 1.25
    assert np.linalg.svd(g / np.linalg.norm(g), compute_uv=False).max() < 0.4  # before


@pytest.mark.parametrize("options", [{}, {"nesterov": False, "weight_decay": 0}], ids=str)
@pytest.mark.parametrize("shape", [(4, 4), (6, 2), (2, 6)])
def test_muon_equals_torch_but_for_its_bfloat16(shape, options, monkeypatch):
    rng = np.random.default_rng(3)
    first, gradients = rng.normal(size=shape), rng.normal(size=(10, *shape))
    mine, theirs = Tensor(first, requires_grad=True), torch.tensor(first, requires_grad=True)
    rounded = torch.tensor(first, requires_grad=True)
    optimizers = [
        optim.Muon([mine], lr=0.1, **options),
        torch.optim.Muon([rounded], lr=0.1, **options),
    ]
    for g in gradients:
        mine.grad, rounded.grad = g, torch.tensor(g)
        for optimizer in optimizers:
            optimizer.step()
    np.testing.assert_allclose(mine.data, rounded.detach().numpy(), atol=0.04)
    monkeypatch.setattr(
        "torch.optim._muon._zeropower_via_newtonschulz", lambda d, *_: optim.orthogonalize(d)
    )
    exact = torch.optim.Muon([theirs], lr=0.1, **options)
    for g in gradients:
        theirs.grad = torch.tensor(g)
        exact.step()
    np.testing.assert_allclose(mine.data, theirs.detach().numpy(), atol=1e-12)


def test_where_the_defaults_of_the_libraries_differ():
    theirs = keras.optimizers
    parameter = [torch.zeros(1, requires_grad=True)]
    torch_adagrad = torch.optim.Adagrad(parameter).defaults
    assert torch_adagrad["initial_accumulator_value"] == 0
    assert theirs.Adagrad().initial_accumulator_value == 0.1
    assert torch.optim.RMSprop(parameter).defaults["alpha"] == 0.99
    assert theirs.RMSprop().rho == 0.9
    assert torch.optim.AdamW(parameter).defaults["weight_decay"] == 0.01
    assert theirs.AdamW().weight_decay == 0.004
    ours_default = [optim.AdamW([Tensor(0.0)]).weight_decay, optim.RMSprop([Tensor(0.0)]).alpha]
    assert ours_default == [0.01, 0.99]


@pytest.mark.parametrize("name", ["Adagrad", "RMSprop"])
def test_keras_puts_epsilon_under_the_root(name):
    eps = 2.0**-4
    options = {"Adagrad": {"initial_accumulator_value": 0.0}, "RMSprop": {"rho": 0.5}}[name]
    variable = keras.Variable(np.zeros(1), dtype="float64")
    getattr(keras.optimizers, name)(1.0, epsilon=eps, **options).apply([np.ones(1)], [variable])
    weight = Tensor(np.zeros(1), requires_grad=True)
    weight.grad = np.ones(1)
    ours_options = {"Adagrad": {}, "RMSprop": {"alpha": 0.5}}[name]
    getattr(optim, name)([weight], 1.0, eps=eps, **ours_options).step()
    second_moment = {"Adagrad": 1.0, "RMSprop": 0.5}[name]
    np.testing.assert_allclose(variable.numpy(), -1 / np.sqrt(second_moment + eps), rtol=1e-6)
    np.testing.assert_allclose(weight.data, -1 / (np.sqrt(second_moment) + eps), rtol=1e-12)


@pytest.mark.parametrize("name", TORCH)
def test_float32_stays_float32_whatever_the_options(name):
    options = {key: np.float64(value) for key, value in TORCH[name][1].items() if key != "betas"}
    params = ours(lambda p: getattr(optim, name)(p, **options), np.float32, steps=3)
    assert {p.dtype for p in params} == {np.dtype(np.float32)}


def test_a_parameter_without_gradient_stays():
    moved, kept = Tensor(1.0, requires_grad=True), Tensor(1.0, requires_grad=True)
    optimizer = optim.AdamW([moved, kept])
    moved.backward()
    optimizer.step()
    assert (kept.item(), moved.item() < 1) == (1.0, True)
    optimizer.zero_grad()
    assert moved.grad is None


def test_a_step_leaves_the_old_array_alone():
    values = np.ones(3)
    w = Tensor(values, requires_grad=True)
    w.sum().backward()
    optim.SGD([w], lr=1).step()
    np.testing.assert_array_equal(values, np.ones(3))
    np.testing.assert_array_equal(w.data, np.zeros(3))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda w: optim.SGD([]), "no parameters; pass model.parameters"),
        (lambda w: optim.SGD(w, lr=-1), "lr must not be negative, got -1"),
        (lambda w: optim.SGD(w, lr=float("nan")), "lr must not be negative, got nan"),
        (lambda w: optim.SGD(w, nesterov=True), "give a momentum above 0"),
        (lambda w: optim.Adam(w, betas=(0.9, 1)), r"betas must lie in \[0, 1\)"),
        (lambda w: optim.AdamW(w, weight_decay=-1), "weight_decay must not be negative"),
        (lambda w: optim.Muon(w), r"Muon takes matrices, got \(.*\); give it to AdamW"),
        (lambda w: optim.warmup_cosine(10, 10), "less than steps = 10, got 10"),
    ],
)
def test_impossible_options_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make([Tensor(1.0, requires_grad=True)])


# --- schedules ---


def torch_rates(make, steps, lr=0.5):
    """The learning rates that a scheduler of PyTorch gives to steps 0, 1, …"""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    scheduler, rates = make(optimizer), []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


schedulers = torch.optim.lr_scheduler
keras_schedules = keras.optimizers.schedules


@pytest.mark.parametrize(
    ("schedule", "scheduler"),
    [
        (optim.step_decay(7), lambda o: schedulers.StepLR(o, 7)),
        (optim.step_decay(7, 0.5), lambda o: schedulers.StepLR(o, 7, 0.5)),
        (optim.cosine(30), lambda o: schedulers.CosineAnnealingLR(o, 30)),
        (optim.cosine(30, 0.1), lambda o: schedulers.CosineAnnealingLR(o, 30, 0.05)),
        (
            optim.warmup_cosine(30, 5, 0.1),
            lambda o: schedulers.SequentialLR(
                o,
                [
                    schedulers.LinearLR(o, 1 / 5, total_iters=4),
                    schedulers.CosineAnnealingLR(o, 25, 0.05),
                ],
                [5],
            ),
        ),
    ],
)
def test_schedules_equal_torch(schedule, scheduler):
    expected = torch_rates(scheduler, 31)
    np.testing.assert_allclose([0.5 * schedule(t) for t in range(31)], expected, atol=1e-12)
    through_lambda = torch_rates(lambda o: schedulers.LambdaLR(o, schedule), 31)
    np.testing.assert_allclose(through_lambda, expected, atol=1e-12)


@pytest.mark.parametrize(
    ("schedule", "theirs"),
    [
        (optim.inverse_time(0.25), keras_schedules.InverseTimeDecay(1.0, 1, 0.25)),
        (optim.step_decay(7), keras_schedules.ExponentialDecay(1.0, 7, 0.1, staircase=True)),
        (optim.linear_decay(30), keras_schedules.PolynomialDecay(1.0, 30, 0.0)),
        (optim.cosine(30, 0.125), keras_schedules.CosineDecay(1.0, 30, 0.125)),
        (
            lambda t: optim.warmup_cosine(34, 4)(t + 4),
            keras_schedules.CosineDecay(1.0, 30),
        ),
        (
            lambda t: optim.warmup_cosine(100, 50)(min(t, 40)),
            lambda t: keras_schedules.CosineDecay(1 / 50, 50, warmup_target=1.0, warmup_steps=49)(
                min(t, 40)
            ),
        ),
    ],
)
def test_schedules_equal_keras(schedule, theirs):
    steps = range(45)
    np.testing.assert_allclose([schedule(t) for t in steps], [theirs(t) for t in steps], atol=1e-6)


def test_linear_decay_may_stay_constant_first():
    factors = [optim.linear_decay(100, constant=0.4)(t) for t in (0, 20, 40, 70, 100, 120)]
    np.testing.assert_allclose(factors, [1, 1, 1, 0.5, 0, 0], atol=1e-12)


def test_inverse_time_is_the_formula_of_the_chapter():
    α, β = 0.3, 0.7
    for t in range(1, 20):  # the chapter counts from 1
        np.testing.assert_allclose(α * optim.inverse_time(β)(t - 1), α / (1 + β * (t - 1)))


W = Tensor(np.ones(3), requires_grad=True)
NO_PARAMETERS = {
    "a bare tensor": (W, TypeError, r"write \[w\]"),
    "none": ([], ValueError, "no parameters"),
    "one twice": ([W, W], ValueError, "comes twice"),
    "names": (["w"], TypeError, "takes tensors, got str"),
    "an array": ([np.ones(3)], TypeError, "takes tensors, got ndarray"),
    "a result": ([W * 2], ValueError, "result of '×'"),
}


@pytest.mark.parametrize(("params", "error", "message"), NO_PARAMETERS.values(), ids=NO_PARAMETERS)
def test_an_optimizer_refuses_what_it_cannot_teach(params, error, message):
    with pytest.raises(error, match=message):
        optim.Adam(params)
