"""Copying weights between the engine, PyTorch and Keras, layer by layer; counting them."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from functools import partial, reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from utils.engine import Tensor
from utils.layers import Module

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Weights = dict[str, np.ndarray]  # PyTorch's name of each array, PyTorch's shape


@dataclass(frozen=True)
class Kind:
    """How Keras keeps the weights of one kind of layer; the engine keeps them as PyTorch does.

    Attributes:
        keras: the name of the class in Keras.
        to_keras: from PyTorch's named arrays to the list that `set_weights` takes.
        from_keras: from the list that `get_weights` gives to PyTorch's named arrays.
        needs: arguments that a Keras layer must have, for others compute another function.
        whole: whether Keras has one layer where PyTorch has a layer with others inside it.

    """

    keras: str
    to_keras: Callable[[Weights], list[np.ndarray]]
    from_keras: Callable[[list[np.ndarray]], Weights]
    needs: dict[str, Any] = field(default_factory=dict)
    whole: bool = False


def _kernel(keras: str, *axes: int) -> Kind:
    """A layer with a kernel and perhaps a bias; `axes` puts PyTorch's axes in Keras's order."""
    back = np.argsort(axes)
    return Kind(
        keras,
        lambda w: [w["weight"].transpose(axes), *([w["bias"]] if "bias" in w else [])],
        lambda arrays: dict(
            zip(("weight", "bias"), (arrays[0].transpose(back), *arrays[1:]), strict=False)
        ),
    )


def _normalization(keras: str, *names: str, **uncounted: np.ndarray) -> Kind:
    """A layer with the arrays `names`, alike in all worlds; Keras does not keep `uncounted`."""

    def from_keras(arrays: list[np.ndarray]) -> Weights:
        if len(arrays) != len(names):
            raise ValueError(
                f"{keras} has {len(arrays)} arrays, not the {len(names)} of PyTorch's layer "
                f"({', '.join(names)}); leave its center and scale at True"
            )
        return dict(zip(names, arrays, strict=True)) | uncounted

    return Kind(keras, lambda w: [w[name] for name in names], from_keras)


def _recurrent(
    keras: str, order: tuple[int, ...], suffix: str = "_l0", biases: int = 1, **needs: Any
) -> Kind:
    """A recurrent layer; `order` lists PyTorch's gates in Keras's order.

    Keras keeps transposed matrices and, but for the GRU, one bias: the sum of PyTorch's two. On the
    way back this sum becomes `bias_ih`, and `bias_hh` is 0.
    """
    back = tuple(np.argsort(order))
    W, U, b, d = (name + suffix for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))

    def reordered(array: np.ndarray, order: tuple[int, ...]) -> np.ndarray:
        gates = np.split(array, len(order))
        return np.concatenate([gates[k] for k in order])

    def to_keras(w: Weights) -> list[np.ndarray]:
        arrays = [reordered(w[W], order).T, reordered(w[U], order).T]
        if b in w:
            both = np.stack([reordered(w[b], order), reordered(w[d], order)])
            arrays.append(both if biases == 2 else both.sum(axis=0))
        return arrays

    def from_keras(arrays: list[np.ndarray]) -> Weights:
        kernel, recurrent, *bias = arrays
        w = {W: reordered(kernel.T, back), U: reordered(recurrent.T, back)}
        if bias:
            both = bias[0] if biases == 2 else (bias[0], np.zeros_like(bias[0]))
            w |= {b: reordered(both[0], back), d: reordered(both[1], back)}
        return w

    return Kind(keras, to_keras, from_keras, needs)


def _attention_to_keras(w: Weights) -> list[np.ndarray]:
    """Kernel and perhaps bias for queries, keys, values and output, each with one axis of heads."""
    kernels = [*np.split(w["in_proj_weight"], 3), w["out_proj.weight"]]
    if "in_proj_bias" not in w:
        return [kernel.T for kernel in kernels]
    biases = [*np.split(w["in_proj_bias"], 3), w["out_proj.bias"]]
    return [a for kernel, b in zip(kernels, biases, strict=True) for a in (kernel.T, b)]


def _attention_from_keras(arrays: list[np.ndarray]) -> Weights:
    has_bias = len(arrays) == 8
    *kernels, output = arrays[::2] if has_bias else arrays
    if len({len(kernel) for kernel in kernels}) > 1:
        raise ValueError(
            "PyTorch's attention keeps queries, keys and values of one length in one matrix, but "
            f"this MultiHeadAttention takes lengths {', '.join(str(len(k)) for k in kernels)}"
        )
    weights = {
        "in_proj_weight": np.concatenate([k.reshape(len(k), -1).T for k in kernels]),
        "out_proj.weight": output.reshape(-1, output.shape[-1]).T,
    }
    if has_bias:
        *biases, last = arrays[1::2]
        weights["in_proj_bias"] = np.concatenate([b.ravel() for b in biases])
        weights["out_proj.bias"] = last
    return weights


_BATCH_NORM = _normalization(
    "BatchNormalization",
    *("weight", "bias", "running_mean", "running_var"),
    num_batches_tracked=np.array(0),
)
KINDS = {  # by the name of the class in PyTorch and in the engine
    "Linear": _kernel("Dense", 1, 0),  # y = xK + b with the kernel K = Wᵀ
    "Conv2d": _kernel("Conv2D", 2, 3, 1, 0),  # (out, in, height, width), in Keras out comes last
    "ConvTranspose2d": _kernel("Conv2DTranspose", 2, 3, 1, 0),  # (in, out, …), in comes last
    "BatchNorm1d": _BATCH_NORM,
    "BatchNorm2d": _BATCH_NORM,
    "LayerNorm": _normalization("LayerNormalization", "weight", "bias"),
    "Embedding": Kind("Embedding", lambda w: [w["weight"]], lambda arrays: {"weight": arrays[0]}),
    "RNN": _recurrent("SimpleRNN", (0,)),
    "LSTM": _recurrent("LSTM", (0, 1, 2, 3)),  # i, f, g, o; Keras calls g c
    "GRU": _recurrent("GRU", (1, 0, 2), biases=2, reset_after=True),  # r, z, n; in Keras z, r, h
    "RNNCell": _recurrent("SimpleRNNCell", (0,), ""),
    "LSTMCell": _recurrent("LSTMCell", (0, 1, 2, 3), ""),
    "GRUCell": _recurrent("GRUCell", (1, 0, 2), "", biases=2, reset_after=True),
    "MultiheadAttention": Kind(
        "MultiHeadAttention", _attention_to_keras, _attention_from_keras, whole=True
    ),
}


def copy_weights(source: Any, target: Any) -> None:
    """Give `target` copies of the weights of `source`.

    Both are models of any of the three worlds (`layers.Module`, `torch.nn.Module`, `keras.Model`).
    Their layers with weights are matched in order; the target keeps its device and precision. Only
    arrays are copied: the ε of a normalization, the φ of an RNN and the number of heads stay what
    each library makes them. Recurrent layers have one level and one direction. A Keras GRU must
    have its default ``reset_after=True``: without it the reset gate acts before the matrix product,
    another function that PyTorch does not have.

    Keras keeps channels last, so it flattens pixels in another order: where a dense layer follows
    an image, put ``Permute((3, 1, 2))`` before Keras's ``Flatten()``.

    Raises:
        TypeError: a model or one of its layers is of a kind not known here.
        ValueError: the layers do not match in number, kind or shape, a Keras layer computes
            another function, or a Keras model has no weights yet; nothing has been changed.

    """
    ours, theirs = _layers(source), _layers(target)
    if [KINDS[layer.kind].keras for layer in ours] != [KINDS[layer.kind].keras for layer in theirs]:
        raise ValueError(
            "the models have different layers: "
            f"{[layer.kind for layer in ours]} and {[layer.kind for layer in theirs]}"
        )
    for a, b in zip(ours, theirs, strict=True):
        shapes = [{name: w.shape for name, w in layer.weights.items()} for layer in (a, b)]
        if shapes[0] != shapes[1]:
            raise ValueError(
                f"layer {a.name!r} has {shapes[0]}, but layer {b.name!r} has {shapes[1]} "
                "(in PyTorch's names and shapes)"
            )
    for a, b in zip(ours, theirs, strict=True):
        b.write(a.weights)


@dataclass(frozen=True)
class _Layer:
    """A layer with weights, whatever its world."""

    name: str
    kind: str
    weights: Weights
    write: Callable[[Weights], None]


def _layers(model: Any) -> list[_Layer]:
    """The layers of a model that carry weights, in order."""
    torch, keras = sys.modules.get("torch"), sys.modules.get("keras")
    if isinstance(model, Module):
        found = _named_layers(model, _write_engine)
    elif torch and isinstance(model, torch.nn.Module):
        found = _named_layers(model, _write_torch)
    elif keras and isinstance(model, keras.Model):
        if not model.built:
            raise ValueError("the Keras model has no weights yet; call it once on a batch")
        found = [_keras_layer(layer) for layer in _flat(model) if layer.weights]
    else:
        raise TypeError(
            f"copy_weights knows engine, PyTorch and Keras models, not {type(model).__name__}"
        )
    return found


def count_parameters(model: Any) -> int:
    """Numbers that a PyTorch model keeps as parameters, frozen ones included."""
    return sum(parameter.numel() for parameter in model.parameters())


def quantize(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Round to bytes: rows of whole numbers from −127 to 127, and the float32 scale of each row."""
    rows = np.asarray(array, np.float64).reshape(-1, array.shape[-1])
    scale = np.abs(rows).max(axis=1, keepdims=True) / 127
    scale = np.where(scale > 0, scale, 1).astype(np.float32)
    return np.round(rows / scale).astype(np.int8), scale


def _named_layers(model: Any, write: Callable[[Any, Weights], None]) -> list[_Layer]:
    """The layers of an engine or PyTorch model: modules that own arrays themselves."""
    found, done = [], ()
    for name, module in model.named_modules():
        if name.startswith(done):
            continue
        kind = type(module).__name__
        whole = kind in KINDS and KINDS[kind].whole
        if whole:
            done += (f"{name}." if name else "",)
        own = {key: value for key, value in module.state_dict().items() if whole or "." not in key}
        if own:
            if kind not in KINDS:
                raise TypeError(
                    f"layer {name!r} is a {kind}; copy_weights knows {', '.join(KINDS)}"
                )
            weights = {key: _array(value) for key, value in own.items()}
            found.append(_Layer(name, kind, weights, partial(write, module)))
    return found


def _array(value: Any) -> np.ndarray:
    """A PyTorch tensor as an array in main memory; an array as it is."""
    return value if isinstance(value, np.ndarray) else value.numpy(force=True)


def _write_engine(module: Module, weights: Weights) -> None:
    for path, array in weights.items():
        owner, name = _owner(module, path)
        part = getattr(owner, name)
        if isinstance(part, Tensor):
            part.data = array.astype(part.dtype)
        else:
            setattr(owner, name, array.astype(part.dtype))


def _write_torch(module: Any, weights: Weights) -> None:
    import torch

    with torch.no_grad():
        for path, array in weights.items():
            owner, name = _owner(module, path)
            getattr(owner, name).copy_(torch.from_numpy(array))


def _owner(module: Any, path: str) -> tuple[Any, str]:
    """The module that holds an array, and the array's name in it."""
    *parents, name = path.split(".")
    return reduce(getattr, parents, module), name


def _keras_layer(layer: Any) -> _Layer:
    names = {kind.keras: name for name, kind in KINDS.items()}
    name = names.get(type(layer).__name__)
    if name is None:
        known = ", ".join(names)
        raise TypeError(
            f"layer {layer.name!r} is a {type(layer).__name__}; copy_weights knows {known}"
        )
    kind, arrays = KINDS[name], layer.get_weights()
    for argument, value in kind.needs.items():
        if getattr(layer, argument) != value:
            raise ValueError(f"layer {layer.name!r} must be made with {argument}={value}")

    def write(weights: Weights) -> None:
        pairs = zip(kind.to_keras(weights), arrays, strict=True)
        layer.set_weights([new.reshape(old.shape) for new, old in pairs])  # heads have an own axis

    return _Layer(layer.name, name, kind.from_keras(arrays), write)


def _flat(model: Any) -> Iterator[Any]:
    """The layers of a Keras model and of the models inside it."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _flat(layer)
        else:
            yield layer
