"""The training loop on engine, PyTorch and Keras models."""

import numpy as np
import pytest
import torch

from utils import layers, optim, runtime, training
from utils.engine import Tensor
from utils.metrics import accuracy
from utils.models.cnn import SmallCNN
from utils.training import History, StopTraining, evaluate, fit, predict, record
from utils.weights import copy_weights

keras = runtime.import_tensorflow().keras
N, BATCH = 50, 16  # three batches of 16 and one of 2
STEPS = 4


@pytest.fixture
def data():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(N, 4)).astype(np.float32)
    return x, (x[:, 0] > x[:, 1]).astype(int)


def engine_model(dtype=np.float64):
    rng = np.random.default_rng(0)
    return layers.Sequential(
        layers.Linear(4, 8, rng=rng, dtype=dtype),
        layers.Tanh(),
        layers.Linear(8, 2, rng=rng, dtype=dtype),
    )


def torch_model():
    model = torch.nn.Sequential(
        torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2)
    ).double()
    copy_weights(engine_model(), model)
    return model


def train(data, epochs=3, lr=0.05, **options):
    """An engine model after a run, and the history."""
    model = engine_model()
    optimizer = optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    options = {"batch_size": BATCH, **options}
    return model, fit(model, data, epochs, optimizer, layers.cross_entropy, **options)


def train_torch(data, epochs=3, lr=0.05, **options):
    model = torch_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    options = {"batch_size": BATCH, **options}
    loss = torch.nn.functional.cross_entropy
    return model, fit(model, data, epochs, optimizer, loss, **options)


def train_keras(data, history, callbacks=(), epochs=3, **options):
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(8, activation="tanh"),
            keras.layers.Dense(2),
        ]
    )
    copy_weights(engine_model(), model)
    model.compile(
        keras.optimizers.SGD(0.05, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    kept = model.fit(
        *data,
        epochs=epochs,
        batch_size=BATCH,
        verbose=0,
        callbacks=[record(history, callbacks)],
        **options,
    )
    return model, kept.history


class InOrder:
    """Stands in for a generator that does not shuffle."""

    def permutation(self, n):
        return np.arange(n)


# --- the loop ---


def test_one_loop_equals_the_algorithm_written_out(data):
    model, history = train(data, epochs=2, rng=np.random.default_rng(5))
    twin, rng, losses = engine_model(), np.random.default_rng(5), []
    velocity = {name: 0.0 for name, _ in twin.named_parameters()}
    for _ in range(2):
        order = rng.permutation(N)
        for start in range(0, N, BATCH):
            rows = order[start : start + BATCH]
            twin.zero_grad()
            loss = layers.cross_entropy(twin(data[0][rows]), data[1][rows])
            loss.backward()
            for name, p in twin.named_parameters():
                velocity[name] = 0.9 * velocity[name] + p.grad
                p.data = p.data - 0.05 * velocity[name]
            losses.append(loss.item())
    assert history.step_loss == losses
    for p, q in zip(model.parameters(), twin.parameters(), strict=True):
        np.testing.assert_array_equal(p.data, q.data)


def test_the_epoch_loss_counts_samples_not_batches(data):
    _, history = train(data)
    sizes = [16, 16, 16, 2]
    expected = [np.average(history.step_loss[4 * e : 4 * e + 4], weights=sizes) for e in range(3)]
    np.testing.assert_allclose(history.epoch_loss, expected)
    assert len(history.step_loss) == 3 * STEPS
    assert (history.stopped, history.interrupted) == ("", False)


def test_engine_and_torch_give_the_same_history(data):
    options = {"validation": data, "metrics": {"accuracy": accuracy}, "schedule": optim.cosine(12)}
    model, mine = train(data, **options)
    twin, theirs = train_torch(data, **options)
    np.testing.assert_allclose(mine.step_loss, theirs.step_loss, rtol=1e-10)
    np.testing.assert_allclose(mine.epoch_loss, theirs.epoch_loss, rtol=1e-10)
    assert mine.validation.keys() == theirs.validation.keys() == {"loss", "accuracy"}
    for name, scores in mine.validation.items():
        np.testing.assert_allclose(scores, theirs.validation[name], rtol=1e-10)
    for p, q in zip(model.parameters(), twin.parameters(), strict=True):
        np.testing.assert_allclose(p.data, q.detach().numpy(), atol=1e-10)


def test_keras_records_the_same_history(data):
    options = {"validation": data, "metrics": {"accuracy": accuracy}}
    _, mine = train(data, **options, rng=InOrder())
    theirs = History()
    _, kept = train_keras(data, theirs, shuffle=False, validation_data=data)
    np.testing.assert_allclose(mine.step_loss, theirs.step_loss, rtol=1e-4)
    np.testing.assert_allclose(mine.epoch_loss, theirs.epoch_loss, rtol=1e-5)
    assert theirs.epoch_loss == kept["loss"]
    assert mine.validation.keys() == theirs.validation.keys()
    for name, scores in mine.validation.items():
        np.testing.assert_allclose(scores, theirs.validation[name], rtol=1e-5)


def test_training_learns(data):
    model, history = train(data, epochs=60)
    assert history.epoch_loss[-1] < 0.3 * history.epoch_loss[0]
    assert evaluate(model, data, layers.cross_entropy, {"right": accuracy})["right"] > 0.9


@pytest.mark.parametrize("run", [train, train_torch])
def test_the_same_seed_gives_the_same_run(data, run):
    first, second = run(data)[1], run(data)[1]
    assert first == second
    seeded = [run(data, rng=np.random.default_rng(seed))[1] for seed in (3, 3, 4)]
    assert seeded[0] == seeded[1]
    assert seeded[0] != seeded[2]


def test_every_sample_is_seen_once_an_epoch(data):
    seen = []

    class Spy(layers.Module):
        def __init__(self):
            self.w = Tensor(0.0, requires_grad=True)

        def forward(self, x):
            seen.append(x[:, 0])
            return Tensor(x).mean(1) * self.w

    spy, zeros = Spy(), np.zeros(N)
    fit(spy, (data[0], zeros), 2, optim.SGD([spy.w]), layers.mse_loss, batch_size=BATCH)
    assert [len(rows) for rows in seen] == [16, 16, 16, 2] * 2
    epochs = np.concatenate(seen[:4]), np.concatenate(seen[4:])
    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(epoch), np.sort(data[0][:, 0]))
    assert (epochs[0] != epochs[1]).any()


@pytest.mark.parametrize("run", [train, train_torch])
def test_gradients_are_clipped_before_the_step(data, run):
    """Plain descent with gradients of length at most 1e-3 moves by at most lr·1e-3 a step."""
    start, _ = run(data, epochs=1, lr=0.0)
    model, _ = run(data, epochs=1, lr=0.5, max_norm=1e-3)
    with_momentum = sum(sum(0.9**k for k in range(t + 1)) for t in range(STEPS))
    moved = sum(
        ((np.asarray(p.data) - np.asarray(q.data)) ** 2).sum()
        for p, q in zip(model.parameters(), start.parameters(), strict=True)
    )
    assert 0 < np.sqrt(moved) <= 0.5 * 1e-3 * with_momentum * (1 + 1e-6)


@pytest.mark.parametrize("run", [train, train_torch])
def test_the_schedule_sets_the_rate_of_every_step_and_gives_it_back(data, run, monkeypatch):
    rates = []
    for kind in (optim.SGD, torch.optim.SGD):
        step = kind.step

        def spy(self, *args, step=step):
            rates.extend(training._learning_rates(self))
            return step(self, *args)

        monkeypatch.setattr(kind, "step", spy)
    kept = []
    monkeypatch.setattr(
        training,
        "_set_learning_rates",
        lambda o, r, f=training._set_learning_rates: (kept.append(r), f(o, r)),
    )
    run(data, epochs=2, lr=0.5, schedule=lambda t: 1 / (1 + t))
    np.testing.assert_allclose(rates, [0.5 / (1 + t) for t in range(2 * STEPS)])
    assert kept[-1] == [0.5]


def test_several_inputs(data):
    x, _ = data

    class Difference(layers.Module):
        def __init__(self):
            self.w = Tensor(0.0, requires_grad=True)

        def forward(self, a, b):
            return (Tensor(a) - b) * self.w

    model = Difference()
    triple = x[:, 0], x[:, 1], 3 * (x[:, 0] - x[:, 1])
    fit(model, triple, 30, optim.SGD(model.parameters(), lr=0.1), layers.mse_loss)
    np.testing.assert_allclose(model.w.item(), 3, rtol=1e-3)


def test_torch_data_take_type_and_device_of_the_model(data):
    seen = []
    model = torch_model()
    model.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].dtype))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    pair = torch.tensor(data[0]), data[1].astype(np.uint8)
    fit(model, pair, 1, optimizer, torch.nn.functional.cross_entropy)
    assert seen == [torch.float64]


# --- validation ---


def test_evaluate_is_exact_in_batches_and_leaves_the_mode(data):
    model = engine_model()
    model.train(False)
    whole = evaluate(model, data, layers.cross_entropy, {"accuracy": accuracy})
    parts = evaluate(model, data, layers.cross_entropy, {"accuracy": accuracy}, batch_size=7)
    assert whole["accuracy"] == parts["accuracy"]
    np.testing.assert_allclose(whole["loss"], parts["loss"], rtol=1e-12)
    assert not model.training
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("world", ["engine", "torch"])
def test_training_in_training_mode_validation_in_evaluation_mode(data, world):
    modes = []
    if world == "engine":

        class Watcher(layers.Module):
            def forward(self, x):
                modes.append((self.training, (x * 1).requires_grad))
                return x

        model = layers.Sequential(*engine_model(), Watcher())
        optimizer, loss = optim.SGD(model.parameters()), layers.cross_entropy
    else:
        model = torch_model()
        model.register_forward_hook(lambda m, i, o: modes.append((m.training, o.requires_grad)))
        optimizer = torch.optim.SGD(model.parameters())
        loss = torch.nn.functional.cross_entropy
    fit(model, data, 1, optimizer, loss, batch_size=25, validation=data)
    assert modes == [(True, True), (True, True), (False, False)]
    assert model.training


def test_predict_gives_probabilities_and_leaves_the_mode():
    torch.manual_seed(0)
    x = torch.randn(7, 3, 32, 32)
    model = SmallCNN(4)
    model(x)  # moves the running statistics away from their start
    got = predict(model, x, batch_size=3)
    assert model.training
    model.eval()
    with torch.no_grad():
        scores, mirrored = model(x), model(x.flip(3))
    np.testing.assert_allclose(got, scores.softmax(1), atol=1e-6)
    both = predict(model, x, mirrored=True)
    np.testing.assert_allclose(both, ((scores + mirrored) / 2).softmax(1), atol=1e-6)
    np.testing.assert_allclose(both, predict(model, x.flip(3), mirrored=True), atol=1e-6)
    assert not model.training


# --- early ends ---


def test_callbacks_see_the_history_and_may_stop(data, capsys):
    lengths = []

    def patience(history):
        lengths.append((len(history.epoch_loss), len(history.validation["loss"])))
        if len(lengths) == 2:
            raise StopTraining("no progress")

    _, history = train(data, epochs=9, validation=data, callbacks=[patience])
    assert lengths == [(1, 1), (2, 2)]
    assert (history.stopped, history.interrupted) == ("no progress", False)
    assert capsys.readouterr().out == "Training stopped: no progress\n"


@pytest.mark.parametrize("run", [train, train_torch])
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_nan_stops_with_advice_and_keeps_the_history(data, run, capsys):
    x, y = data[0].copy(), data[1]
    x[-1] = np.nan  # the second sample of the fourth batch
    _, history = run((x, y), epochs=5, lr=0.25, rng=InOrder())
    assert len(history.step_loss) == STEPS
    assert np.isnan(history.step_loss[-1])
    assert history.epoch_loss == []
    assert history.stopped.startswith(
        "the loss became nan in epoch 1, step 4; try a learning rate below 0.25, scale the inputs"
    )
    assert history.stopped in capsys.readouterr().out


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_diverging_run_stops_without_warnings(data):
    model = layers.Linear(4, 1, rng=np.random.default_rng(0))
    target = np.zeros((N, 1), np.float32)
    optimizer = optim.SGD(model.parameters(), lr=100.0)
    history = fit(model, (data[0], target), 50, optimizer, layers.mse_loss, batch_size=N)
    assert "the loss became inf in epoch" in history.stopped
    assert len(history.step_loss) == len(history.epoch_loss) + 1


def interrupt(history):
    if len(history.epoch_loss) == 2:
        raise KeyboardInterrupt


@pytest.mark.parametrize("run", [train, train_torch])
def test_an_interrupt_keeps_history_and_weights(data, run):
    model, history = run(data, epochs=9, callbacks=[interrupt])
    assert (history.interrupted, history.stopped) == (True, "interrupted")
    twin, expected = run(data, epochs=2)
    assert history.step_loss == expected.step_loss
    for p, q in zip(model.parameters(), twin.parameters(), strict=True):
        np.testing.assert_array_equal(np.asarray(p.data), np.asarray(q.data))


def test_other_errors_pass_through(data):
    def broken(history):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        train(data, callbacks=[broken])


def test_keras_stops_for_callbacks_and_nan(data, capsys):
    def stop(history):
        raise StopTraining("enough")

    history = History()
    train_keras(data, history, [stop])
    assert (len(history.epoch_loss), history.stopped) == (1, "enough")
    assert capsys.readouterr().out == "Training stopped: enough\n"
    history = History()
    train_keras((np.full_like(data[0], np.nan), data[1]), history)
    assert "the loss became nan in epoch 1, step 1; try" in history.stopped
    assert (len(history.step_loss), history.epoch_loss) == (1, [])


# --- wrong input ---


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"data": (np.ones((3, 4)), np.zeros(2, int))}, ValueError, r"equally long, got \[3, 2\]"),
        ({"data": (np.ones((0, 4)), np.zeros(0, int))}, ValueError, "the data are empty"),
        ({"data": np.ones((3, 4))}, ValueError, r"must be a pair \(inputs, targets\)"),
        ({"data": (np.ones((3, 4)),)}, ValueError, r"must be a pair \(inputs, targets\)"),
        ({"data": (np.ones((3, 5)), np.zeros(3, int))}, ValueError, r"takes inputs of shape"),
        ({"data": (np.ones((3, 4)), np.zeros((3, 1), int))}, ValueError, r"labels \(N,\), got"),
        ({"epochs": 0}, ValueError, "start at 1, got 0 and 16"),
        ({"batch_size": 0}, ValueError, "start at 1, got 3 and 0"),
        ({"validation": (np.ones((3, 4)), np.zeros(2, int))}, ValueError, "equally long"),
    ],
)
def test_wrong_input_is_explained(data, change, error, words):
    with pytest.raises(error, match=words):
        train(**{"data": data, **change})


def test_a_keras_model_is_sent_to_its_own_fit(data):
    model = keras.Sequential([keras.layers.Dense(2)])
    with pytest.raises(TypeError, match=r"callbacks=\[record\(history\)\]"):
        fit(model, data, 1, None, None)


def test_the_progress_bar_follows_the_runtime(data, monkeypatch, capsys):
    train(data, epochs=1)
    assert capsys.readouterr().err == ""
    monkeypatch.delenv("COURSE_QUIET")
    train(data, epochs=1)
    assert "epochs" in capsys.readouterr().err


# --- augmentation and precision ---


@pytest.mark.parametrize("run", [train, train_torch])
def test_augment_changes_training_batches_only(data, run):
    seen = []

    def augment(x):
        seen.append(len(x))
        return 2 * x

    model, history = run(data, epochs=2, augment=augment, validation=data)
    twin, expected = run((2 * data[0], data[1]), epochs=2, validation=data)
    assert seen == [16, 16, 16, 2] * 2
    assert history.step_loss == expected.step_loss
    assert history.validation == expected.validation
    for p, q in zip(model.parameters(), twin.parameters(), strict=True):
        np.testing.assert_array_equal(np.asarray(p.data), np.asarray(q.data))
    assert history.step_loss != run(data, epochs=2)[1].step_loss


def test_mixed_precision_is_for_cuda_alone(data):
    seen = []
    model = torch_model().float()
    model.register_forward_hook(lambda m, i, o: seen.append(torch.is_autocast_enabled("cuda")))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    fit(model, data, 1, optimizer, torch.nn.functional.cross_entropy)
    assert seen == [False]
    assert isinstance(training._precision(engine_model()), type(training._precision(model)))


def test_one_cycle_is_a_triangle():
    schedule = optim.one_cycle(100, warmup=0.25)
    triangle = np.interp(range(121), [-1, 25, 100, 120], [0, 1, 0, 0])
    np.testing.assert_allclose([schedule(t) for t in range(121)], triangle, atol=1e-12)
    for warmup in (0, 1):
        with pytest.raises(ValueError, match="a share of the steps between 0 and 1"):
            optim.one_cycle(10, warmup)


def test_read_only_arrays_are_taken_without_a_warning():
    import warnings

    x, y = np.zeros((8, 3), np.float32), np.zeros(8, np.int64)
    for array in (x, y):
        array.setflags(write=False)
    model = torch.nn.Linear(3, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        training.fit(
            model,
            (x, y),
            1,
            torch.optim.SGD(model.parameters(), lr=0.1),
            torch.nn.functional.cross_entropy,
        )


# --- what fit refuses, and sizes at the edge ---


@pytest.mark.parametrize("kind", ["engine", "torch"])
def test_an_optimizer_of_another_model_is_refused(data, kind):
    if kind == "engine":
        stale, model = engine_model(), engine_model()
        optimizer, loss = optim.SGD(stale.parameters()), layers.cross_entropy
    else:
        stale, model = torch_model(), torch_model()
        optimizer = torch.optim.SGD(stale.parameters(), lr=0.1)
        loss = torch.nn.functional.cross_entropy
    with pytest.raises(ValueError, match="none of this model's parameters"):
        fit(model, data, 1, optimizer, loss)


def test_an_optimizer_of_a_part_of_the_model_is_welcome(data):
    model = engine_model()
    head = model[2]
    before = model[0].weight.data.copy()
    fit(model, data, 1, optim.SGD(head.parameters(), lr=0.1), layers.cross_entropy)
    assert np.array_equal(model[0].weight.data, before)


def normalized(kind):
    rng = np.random.default_rng(0)
    if kind == "engine":
        model = layers.Sequential(
            layers.Linear(4, 8, rng=rng), layers.BatchNorm1d(8), layers.Linear(8, 2, rng=rng)
        )
        return model, optim.SGD(model.parameters(), lr=0.1), layers.cross_entropy
    model = torch.nn.Sequential(
        torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 2)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return model, optimizer, torch.nn.functional.cross_entropy


@pytest.mark.parametrize("kind", ["engine", "torch"])
@pytest.mark.parametrize(
    ("samples", "sizes"),
    [(33, [16, 17]), (34, [16, 16, 2]), (17, [17]), (32, [16, 16]), (16, [16]), (2, [2])],
)
def test_one_sample_left_over_joins_the_batch_before_under_batch_norm(kind, samples, sizes):
    rng = np.random.default_rng(2)
    x = rng.normal(size=(samples, 4)).astype(np.float32)
    data = x, np.arange(samples) % 2
    model, optimizer, loss = normalized(kind)
    seen = []

    def spy(outputs, targets):
        seen.append(len(targets))
        return loss(outputs, targets)

    history = fit(model, data, 2, optimizer, spy, batch_size=16)
    assert seen == sizes * 2
    assert len(history.epoch_loss) == 2


def test_without_batch_norm_one_sample_left_over_is_a_batch(data):
    seen = []

    def spy(outputs, targets):
        seen.append(len(targets))
        return layers.cross_entropy(outputs, targets)

    model = engine_model()
    fit(model, data, 1, optim.SGD(model.parameters()), spy, batch_size=49)
    assert seen == [49, 1]


class Masked(torch.nn.Module):
    """Takes a boolean mask beside its input."""

    def __init__(self):
        super().__init__()
        self.map = torch.nn.Linear(4, 2)
        self.kinds = []

    def forward(self, x, mask):
        self.kinds.append((x.dtype, mask.dtype))
        return self.map(x.masked_fill(mask, 0.0))


def test_booleans_stay_booleans_integers_become_labels(data):
    model = Masked()
    mask = data[0] > 0
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loss = torch.nn.functional.cross_entropy
    fit(model, (data[0], mask, data[1].astype(np.int16)), 1, optimizer, loss)
    assert set(model.kinds) == {(torch.float32, torch.bool)}


def test_numbers_are_cast_before_they_move(data, monkeypatch):
    """Apple's GPUs refuse float64; a device that records what arrives stands in for one."""
    model = torch.nn.Linear(4, 2)
    arrived = []
    move = torch.Tensor.to

    def to(tensor, target, *rest, **options):
        if isinstance(target, torch.device):
            arrived.append(tensor.dtype)
        return move(tensor, target, *rest, **options)

    monkeypatch.setattr(torch.Tensor, "to", to)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    wide = data[0].astype(np.float64), data[1]
    fit(model, wide, 1, optimizer, torch.nn.functional.cross_entropy)
    assert arrived == [torch.float32, torch.int64]
