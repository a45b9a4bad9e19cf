"""The training loop, one for engine and PyTorch models, and its history; Keras records the same.

`fit` draws nothing: a live curve, a table or early stopping is a callback, called with the history
after every epoch.
"""

from __future__ import annotations

import math
import sys
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from utils import runtime
from utils.engine import no_grad
from utils.layers import Module
from utils.optim import clip_grad_norm_

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    Metric = Callable[[np.ndarray, np.ndarray], float]


@dataclass
class History:
    """What a training run left behind; all numbers are Python floats.

    Attributes:
        step_loss: the loss of each mini-batch, before its step.
        epoch_loss: the mean of these over the samples of each epoch.
        validation: after each epoch, ``"loss"`` and every metric on the validation data.
        stopped: why the run ended early; "" if it did not.
        interrupted: whether the user ended it.

    """

    step_loss: list[float] = field(default_factory=list)
    epoch_loss: list[float] = field(default_factory=list)
    validation: dict[str, list[float]] = field(default_factory=dict)
    stopped: str = ""
    interrupted: bool = False


class StopTraining(Exception):
    """Raised by a callback to end the run; its message is kept as `History.stopped`."""


@np.errstate(over="ignore", divide="ignore", invalid="ignore")  # divergence is told in words
def fit(
    model: Any,
    data: Sequence[Any],
    epochs: int,
    optimizer: Any,
    loss: Callable[[Any, Any], Any],
    *,
    batch_size: int = 64,
    schedule: Callable[[int], float] | None = None,
    max_norm: float | None = None,
    validation: Sequence[Any] | None = None,
    metrics: Mapping[str, Metric] | None = None,
    callbacks: Iterable[Callable[[History], Any]] = (),
    rng: np.random.Generator | None = None,
    augment: Callable[[Any], Any] | None = None,
) -> History:
    """Train `model` by mini-batch descent.

    A PyTorch model on a CUDA GPU runs in mixed precision: bfloat16 where it is safe.

    An interrupt or a loss that is not finite ends the run early; history and weights are kept.

    Args:
        model: a `layers.Module` or `torch.nn.Module`; its inputs move to its device and precision.
        data: ``(inputs, targets)``, or several inputs before the targets; arrays or tensors whose
            first axis counts the samples.
        epochs: how often every sample is seen.
        optimizer: of `utils.optim` or `torch.optim`, made with the model's parameters.
        loss: mean loss of a batch, from ``(outputs, targets)``.
        batch_size: samples per step; the last batch of an epoch may be smaller. A single sample
            left over joins the batch before where the model has batch normalization, which can do
            nothing with one.
        schedule: factor of the optimizer's learning rate at step t = 0, 1, 2, … of this run, after
            which the optimizer has its own rate again.
        max_norm: before a step the gradients are shortened to this length, all together, if they
            are longer; None leaves them.
        validation: shaped like `data`; judged after each epoch in evaluation mode.
        metrics: name → function of outputs and targets, both NumPy arrays, for the validation data.
        callbacks: called with the history after each epoch; may raise `StopTraining`.
        rng: shuffles the samples in every epoch; None always gives the same shuffles.
        augment: changes the first inputs of every training batch, never of the validation data.

    Raises:
        ValueError: no samples, inputs and targets of different lengths, a count below 1, or an
            optimizer that holds none of the model's parameters.

    """
    data = _tensors(model, data)
    validation = None if validation is None else _tensors(model, validation)
    if not {id(p) for p in model.parameters()} & {id(p) for p in _parameters(optimizer)}:
        raise ValueError(
            "the optimizer holds none of this model's parameters and could teach it nothing; "
            "make the optimizer again after the model: run its cell"
        )
    if epochs < 1 or batch_size < 1:
        raise ValueError(f"epochs and batch_size start at 1, got {epochs} and {batch_size}")
    rng = np.random.default_rng(0) if rng is None else rng
    first_rates = _learning_rates(optimizer)
    history = History()
    try:
        for epoch in _progress(epochs):
            model.train()
            total = 0.0
            order = rng.permutation(len(data[0]))
            for *inputs, targets in _batches(data, batch_size, order, 1 + _has_batch_norm(model)):
                if schedule is not None:
                    factor = schedule(len(history.step_loss))
                    _set_learning_rates(optimizer, [factor * rate for rate in first_rates])
                if augment is not None:
                    inputs[0] = augment(inputs[0])
                with _precision(model):
                    batch_loss = loss(model(*inputs), targets)
                value = batch_loss.item()
                _record_step(history, value, epoch, max(_learning_rates(optimizer)))
                optimizer.zero_grad()
                batch_loss.backward()
                if max_norm is not None:
                    _clip(model, max_norm)
                optimizer.step()
                total += value * len(targets)
            history.epoch_loss.append(total / len(data[0]))
            if validation is not None:
                for name, score in evaluate(model, validation, loss, metrics).items():
                    history.validation.setdefault(name, []).append(score)
            for callback in callbacks:
                callback(history)
    except KeyboardInterrupt:
        history.stopped, history.interrupted = "interrupted", True
    except StopTraining as reason:
        history.stopped = str(reason)
    finally:
        _set_learning_rates(optimizer, first_rates)
    if history.stopped:
        print(f"Training stopped: {history.stopped}")
    return history


def evaluate(
    model: Any,
    data: Sequence[Any],
    loss: Callable[[Any, Any], Any],
    metrics: Mapping[str, Metric] | None = None,
    *,
    batch_size: int = 1000,
) -> dict[str, float]:
    """``"loss"`` and every metric of `model` on `data`, in evaluation mode and without a graph.

    The model returns to the mode it was in. Arguments and errors are those of `fit`; batches only
    bound the memory, the loss must be a mean over samples.
    """
    data = _tensors(model, data)
    was_training = model.training
    model.eval()
    try:
        with _no_grad(model):
            total, outputs = 0.0, []
            for *inputs, targets in _batches(data, batch_size, np.arange(len(data[0]))):
                output = model(*inputs)
                total += loss(output, targets).item() * len(targets)
                outputs.append(_numpy(output))
    finally:
        model.train(was_training)
    scores = {"loss": total / len(data[0])}
    for name, metric in (metrics or {}).items():
        scores[name] = float(metric(np.concatenate(outputs), _numpy(data[-1])))
    return scores


def predict(model: Any, x: Any, *, mirrored: bool = False, batch_size: int = 200) -> np.ndarray:
    """Class probabilities (N, C) of images by a PyTorch model in evaluation mode.

    `mirrored` averages the scores of each image (N, C, H, W) and of its mirror image before the
    softmax. The model returns to the mode it was in.
    """
    import torch

    was_training = model.training
    device = next(model.parameters()).device
    model.eval()
    try:
        with torch.no_grad():
            scores = []
            for batch in x.split(batch_size):
                batch = batch.to(device)
                score = model(batch)
                scores.append((score + model(batch.flip(3))) / 2 if mirrored else score)
    finally:
        model.train(was_training)
    return torch.cat(scores).softmax(1).cpu().numpy()


def record(history: History, callbacks: Iterable[Callable[[History], Any]] = ()) -> Any:
    """A callback for `keras.Model.fit` that fills `history` as `fit` does, and calls `callbacks`.

    Keras reports a running mean of the loss; the loss of one batch is taken from its increments.
    """
    runtime.prepare_tensorflow()  # which Keras brings
    import keras

    class Record(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
            self.epoch, self.seen = epoch, (0.0, 0.0)

        def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
            mean = self.model.metrics[0]  # Keras keeps the loss first
            total, count = float(mean.total), float(mean.count)
            value = (total - self.seen[0]) / (count - self.seen[1])
            self.seen = total, count
            rate = float(self.model.optimizer.learning_rate)
            self._unless_stopped(lambda: _record_step(history, value, self.epoch, rate))

        def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
            if history.stopped:
                return
            history.epoch_loss.append(float(logs["loss"]))
            for name, score in logs.items():
                if name.startswith("val_"):
                    scores = history.validation.setdefault(name.removeprefix("val_"), [])
                    scores.append(float(score))
            for callback in callbacks:
                self._unless_stopped(lambda callback=callback: callback(history))

        def _unless_stopped(self, action: Callable[[], Any]) -> None:
            try:
                action()
            except StopTraining as reason:
                history.stopped = str(reason)
                self.model.stop_training = True
                print(f"Training stopped: {reason}")

    return Record()


def _record_step(history: History, value: float, epoch: int, rate: float) -> None:
    """Keep the loss of a step; a loss that is not finite ends the run."""
    history.step_loss.append(value)
    if not math.isfinite(value):
        raise StopTraining(
            f"the loss became {value} in epoch {epoch + 1}, step {len(history.step_loss)}; try a "
            f"learning rate below {rate:g}, scale the inputs to about −1 … 1, and look for log(0), "
            "a division by 0 or NaN in the data"
        )


def _progress(epochs: int) -> Iterable[int]:
    """The epochs, with a progress bar where one is wanted."""
    if not runtime.shows_progress():
        return range(epochs)
    from tqdm.auto import tqdm

    return tqdm(range(epochs), desc="epochs", leave=False)


def _batches(
    data: list[Any], batch_size: int, order: np.ndarray, least: int = 1
) -> Iterator[list[Any]]:
    """Cut all arrays into batches, with the samples in `order`; fewer than `least` join others."""
    starts = list(range(0, len(order), batch_size))
    if len(starts) > 1 and len(order) - starts[-1] < least:
        starts.pop()
    for start, end in zip(starts, [*starts[1:], len(order)], strict=True):
        chosen = order[start:end]
        yield [array[chosen] for array in data]


def _has_batch_norm(model: Any) -> bool:
    return any("BatchNorm" in type(module).__name__ for _, module in model.named_modules())


def _is_torch(thing: Any) -> bool:
    """Whether a model or a value is PyTorch's; does not import it."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(thing, torch.nn.Module | torch.Tensor)


def _tensors(model: Any, data: Sequence[Any]) -> list[Any]:
    """The arrays of `data` as the model takes them, all of one length."""
    if not isinstance(data, list | tuple) or len(data) < 2:
        raise ValueError("data must be a pair (inputs, targets)")
    lengths = [len(array) for array in data]
    if len(set(lengths)) > 1:
        raise ValueError(f"inputs and targets must be equally long, got {lengths} samples")
    if lengths[0] == 0:
        raise ValueError("there are no samples to learn from: the data are empty")
    if isinstance(model, Module):
        return [np.asarray(array) for array in data]
    if not _is_torch(model):
        raise TypeError(
            f"fit trains engine and PyTorch modules, got {type(model).__name__}; "
            "a Keras model has its own fit, with callbacks=[record(history)]"
        )
    import torch

    parameter = next(model.parameters())
    # the course's data sets are read-only, and PyTorch warns of arrays it could write into
    owned = [a if torch.is_tensor(a) else np.require(a, requirements="W") for a in data]
    tensors = [torch.as_tensor(array) for array in owned]

    def kind(t: Any) -> Any:
        if t.is_floating_point():
            return parameter.dtype
        return t.dtype if t.dtype == torch.bool else torch.int64

    # cast, then moved: Apple's GPUs know no float64
    return [t.to(kind(t)).to(parameter.device) for t in tensors]


def _clip(model: Any, max_norm: float) -> None:
    """Shorten the gradients of either kind of model."""
    if _is_torch(model):
        import torch

        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    else:
        clip_grad_norm_(model.parameters(), max_norm)


def _no_grad(model: Any) -> AbstractContextManager:
    if _is_torch(model):
        import torch

        return torch.no_grad()
    return no_grad()


def _precision(model: Any) -> AbstractContextManager:
    """Mixed precision on a CUDA GPU; bfloat16 has float32's range and needs no loss scaling."""
    if _is_torch(model) and next(model.parameters()).is_cuda:
        import torch

        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()


def _numpy(value: Any) -> np.ndarray:
    return value.detach().cpu().numpy() if _is_torch(value) else np.asarray(value)


def _parameters(optimizer: Any) -> list[Any]:
    """What an optimizer of either kind changes."""
    if hasattr(optimizer, "param_groups"):
        return [p for group in optimizer.param_groups for p in group["params"]]
    return optimizer.params


def _learning_rates(optimizer: Any) -> list[float]:
    """The learning rate, one for each parameter group where the optimizer is PyTorch's."""
    if hasattr(optimizer, "param_groups"):
        return [group["lr"] for group in optimizer.param_groups]
    return [optimizer.lr]


def _set_learning_rates(optimizer: Any, rates: list[float]) -> None:
    if hasattr(optimizer, "param_groups"):
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
    else:
        (optimizer.lr,) = rates
