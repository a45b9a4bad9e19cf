"""Modules, dense layers and losses.

A `Module` finds its parts by itself: a `Tensor` that was made to be learned and is kept as an
attribute is a parameter, a NumPy array a buffer (a state that is saved but not learned), a `Module`
a child; children and parameters are also found in lists, tuples and dicts. Parts are named by their
path, as in PyTorch's ``state_dict``: ``"0.weight"``.

Source: I. Goodfellow, Y. Bengio and A. Courville, "Deep Learning" (2016), chapter 6; the contracts
are those of `torch.nn`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from utils.engine import Tensor, as_tensor

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Self

    from numpy.typing import ArrayLike, DTypeLike


class Module:
    """Base of all layers: a function with parameters; a subclass writes `forward`."""

    training = True

    def forward(self, *inputs: Any) -> Tensor:
        """The layer's function of its inputs."""
        raise NotImplementedError(f"{type(self).__name__} needs a method forward(self, x)")

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """Apply `forward`."""
        return self.forward(*inputs, **options)

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """Pairs (path, module) of this module and all below it, in the order of definition."""
        yield prefix, self
        for name, _, _, part in _members(vars(self), prefix):
            if isinstance(part, Module):
                yield from part.named_modules(name)

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """Pairs (name, parameter); a parameter shared by two layers comes once."""
        names: dict[Tensor, str] = {}
        for name, _, _, part in self._parts():
            if isinstance(part, Tensor):
                names.setdefault(part, name)
        return ((name, parameter) for parameter, name in names.items())

    def parameters(self) -> Iterator[Tensor]:
        """All parameters, for an optimizer."""
        return (parameter for _, parameter in self.named_parameters())

    def state_dict(self) -> dict[str, np.ndarray]:
        """Copies of all parameters and buffers by name."""
        parts = {name: part for name, _, _, part in self._parts()}
        return {n: np.array(p.data if isinstance(p, Tensor) else p) for n, p in parts.items()}

    def load_state_dict(self, state: Mapping[str, ArrayLike]) -> None:
        """Set all parameters and buffers to copies of the values in `state`.

        Raises:
            KeyError: the names are not exactly those of `state_dict()`.
            ValueError: a value has another shape; nothing has been changed.

        """
        shapes = {name: part.shape for name, _, _, part in self._parts()}
        if shapes.keys() != state.keys():
            missing, unexpected = shapes.keys() - state.keys(), state.keys() - shapes.keys()
            raise KeyError(f"missing: {sorted(missing)}, unexpected: {sorted(unexpected)}")
        for name, shape in shapes.items():
            if np.shape(state[name]) != shape:
                raise ValueError(f"{name} must have shape {shape}, got {np.shape(state[name])}")
        for name, place, key, part in self._parts():
            value = np.array(state[name], dtype=part.dtype)
            if isinstance(part, Tensor):
                part.data = value
            else:
                place[key] = value

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.grad = None

    def train(self, mode: bool = True) -> Self:
        """Switch all modules to training, or with False to evaluation."""
        for _, module in self.named_modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Switch to evaluation: dropout off, batch normalization by its running statistics."""
        return self.train(False)

    def _parts(self) -> Iterator[tuple[str, Any, Any, Tensor | np.ndarray]]:
        """Full name, container, place in it and value of each parameter and buffer."""
        for path, module in self.named_modules():
            for name, place, key, part in list(_members(vars(module), path)):
                is_buffer = isinstance(part, np.ndarray) and place is vars(module)
                if is_buffer or (isinstance(part, Tensor) and part.is_learned):
                    yield name, place, key, part


def _members(place: Any, path: str) -> Iterator[tuple[str, Any, Any, Any]]:
    """Name, container, key and value of all that a module keeps, also in lists and dicts."""
    for key, part in place.items() if isinstance(place, dict) else enumerate(place):
        name = f"{path}.{key}" if path else str(key)
        if isinstance(part, list | tuple | dict):
            yield from _members(part, name)
        else:
            yield name, place, key, part


class Sequential(Module):
    """Layers one after the other; layer i is called ``str(i)``.

    Raises:
        TypeError: something that is no module; the message says what to write.

    """

    def __init__(self, *layers: Module) -> None:
        for i, layer in enumerate(layers):
            if not isinstance(layer, Module):
                raise TypeError(f"Sequential: layer {i} is {_not_a_module(layer)}")
        for i, layer in enumerate(layers):
            setattr(self, str(i), layer)

    def forward(self, x: Tensor | ArrayLike) -> Tensor:
        """Apply all layers in order."""
        for layer in self:
            x = layer(x)
        return x

    def __iter__(self) -> Iterator[Module]:
        return (part for part in vars(self).values() if isinstance(part, Module))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, i: int) -> Module:
        return list(self)[i]


def _not_a_module(thing: Any) -> str:
    """What a layer is instead of a module, and what to write."""
    if isinstance(thing, list | tuple) or hasattr(thing, "__next__"):
        return f"a {type(thing).__name__}; unpack it with *: Sequential(*layers)"
    if isinstance(thing, type):
        return f"the class {thing.__name__}, not a layer; write {thing.__name__}(…)"
    return (
        f"a {type(thing).__name__}, not a Module; a function becomes one as the forward of a "
        "subclass of Module"
    )


class Linear(Module):
    """The affine map y = x Wᵀ + b on the last axis: (…, in) → (…, out).

    Weight (out, in) and bias (out,) start uniform in ±1/√in, as in PyTorch.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        rng: np.random.Generator,
        dtype: DTypeLike = np.float32,
    ) -> None:
        bound = 1 / np.sqrt(in_features)
        self.weight = uniform(rng, bound, (out_features, in_features), dtype)
        self.bias = uniform(rng, bound, (out_features,), dtype) if bias else None

    def forward(self, x: Tensor | ArrayLike) -> Tensor:
        """Map the last axis of `x`; an array takes the weight's precision.

        Raises:
            ValueError: the last axis of `x` is not in_features long.

        """
        x = in_precision_of(self.weight, x)
        n_out, n_in = self.weight.shape
        if x.ndim == 0 or x.shape[-1] != n_in:
            raise ValueError(
                f"Linear({n_in}, {n_out}) takes inputs of shape (…, {n_in}), got {x.shape}; "
                "put Flatten() before it, or give it another in_features"
            )
        y = x @ self.weight.T
        return y if self.bias is None else y + self.bias


class Flatten(Module):
    """All axes after the first become one: (N, …) → (N, product)."""

    def forward(self, x: Tensor | ArrayLike) -> Tensor:
        """Reshape without changing an element."""
        x = as_tensor(x)
        return x.reshape(len(x), -1)


class Dropout(Module):
    """In training each element is zeroed with probability p, the others are divided by 1 − p.

    Source: N. Srivastava et al., "Dropout", JMLR 15 (2014), section 10 (inverted form).
    """

    def __init__(self, p: float = 0.5, *, rng: np.random.Generator) -> None:
        if not 0 <= p < 1:
            raise ValueError(f"Dropout: p must lie in [0, 1), got {p}")
        self.p, self.rng = p, rng

    def forward(self, x: Tensor | ArrayLike) -> Tensor:
        """Same shape as `x`; the identity in evaluation."""
        x = as_tensor(x)
        if not self.training:
            return x
        return x * (self.rng.random(x.shape) >= self.p) / (1 - self.p)


def uniform(
    rng: np.random.Generator, bound: float, shape: tuple[int, ...], dtype: DTypeLike
) -> Tensor:
    """A parameter drawn from U(−bound, bound)."""
    return Tensor(rng.uniform(-bound, bound, shape).astype(dtype), requires_grad=True)


def in_precision_of(weight: Tensor, x: Tensor | ArrayLike) -> Tensor:
    """A tensor as it is; an array as a tensor of the weight's precision."""
    return x if isinstance(x, Tensor) else Tensor(np.asarray(x, dtype=weight.dtype))


def mse_loss(input: Tensor | ArrayLike, target: Tensor | ArrayLike) -> Tensor:
    """Mean squared error, (1/n) Σ (x − y)² over all n elements of two equal shapes.

    Raises:
        ValueError: the shapes differ.

    """
    return ((_same_shape("mse_loss", input, target) - target) ** 2).mean()


def l1_loss(input: Tensor | ArrayLike, target: Tensor | ArrayLike) -> Tensor:
    """Mean absolute error, (1/n) Σ |x − y| over all n elements of two equal shapes.

    Raises:
        ValueError: the shapes differ.

    """
    return (_same_shape("l1_loss", input, target) - target).abs().mean()


def binary_cross_entropy_with_logits(
    input: Tensor | ArrayLike, target: Tensor | ArrayLike
) -> Tensor:
    """Mean of −y ln σ(z) − (1 − y) ln(1 − σ(z)) = ln(1 + eᶻ) − y·z, for logits z and y in [0, 1].

    Raises:
        ValueError: the shapes differ.

    """
    z = _same_shape("binary_cross_entropy_with_logits", input, target)
    return (z.softplus() - z * target).mean()


def cross_entropy(input: Tensor | ArrayLike, target: ArrayLike) -> Tensor:
    """Mean of −ln softmax(z)_y for logits z (N, C) and integer labels y (N,) in [0, C).

    Raises:
        ValueError: logits or labels have another shape, or a label is outside [0, C).
        TypeError: the labels are not integers.

    """
    z, y = as_tensor(input), np.asarray(target)
    if z.ndim != 2 or y.shape != z.shape[:1]:
        raise ValueError(
            f"cross_entropy takes logits (N, C) and labels (N,), got {z.shape} and {y.shape}; "
            "turn one-hot rows into labels with argmax(1), a column (N, 1) with reshape(-1)"
        )
    if not np.issubdtype(y.dtype, np.integer):
        raise TypeError(f"cross_entropy takes integer labels, got {y.dtype}; use astype(int)")
    n, classes = z.shape
    if n and not 0 <= y.min() <= y.max() < classes:
        raise ValueError(
            f"cross_entropy: {classes} logits are for labels 0 … {classes - 1}, "
            f"got labels {y.min()} … {y.max()}"
        )
    return -z.log_softmax(1)[np.arange(n), y].mean()


def kl_div(input: Tensor | ArrayLike, target: ArrayLike) -> Tensor:
    """Kullback–Leibler divergence Σ p·(ln p − ln q), averaged over the first axis.

    `input` is ln q, `target` the constant p, with 0·ln 0 = 0. PyTorch calls this average
    ``reduction="batchmean"``; its default divides by the number of elements instead.

    Raises:
        ValueError: the shapes differ.

    """
    log_q, p = _same_shape("kl_div", input, target), np.asarray(target)
    log_p = np.log(np.where(p > 0, p, 1))
    return (p * (log_p - log_q)).sum() / len(log_q)


def _same_shape(loss: str, input: Tensor | ArrayLike, target: Tensor | ArrayLike) -> Tensor:
    """`input` as a tensor, once it is sure that no broadcasting will change the objective."""
    input = as_tensor(input)
    if input.shape != np.shape(target):
        raise ValueError(
            f"{loss}: input {input.shape} and target {np.shape(target)} must have the same shape, "
            "or broadcasting would compare every output with every target; "
            "use reshape(-1) on a column (N, 1), or reshape(-1, 1) on a target (N,)"
        )
    return input
