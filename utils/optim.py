"""Optimizers and learning-rate schedules on the engine's parameters.

Names, defaults and order of operations are those of `torch.optim`. In the formulas w is a
parameter, g = ∂L/∂w, α the learning rate ``lr``, λ the ``weight_decay``, t the step, counted from
1. A step gives every parameter a new array, so a graph recorded before it still sees the old one.
"""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from utils.engine import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import torch

    Schedule = Callable[[int], float]
    Matrix = TypeVar("Matrix", np.ndarray, torch.Tensor)


class Optimizer:
    """Base: what all optimizers share; a subclass writes `update`, the rule for one array.

    Attributes:
        params: the parameters, a list of tensors.
        lr: the learning rate α; may be changed between steps.

    """

    def __init__(
        self, params: Iterable[Tensor], lr: float, memory: dict[str, float], **options: float
    ) -> None:
        """Check what is given; `memory` is what is remembered of each parameter at the start."""
        self.params = _checked(params)
        for name, value in {"lr": lr, **options}.items():
            if not value >= 0:
                raise ValueError(f"{name} must not be negative, got {value}")
        self.lr = lr
        self._states = [SimpleNamespace(t=0, **memory) for _ in self.params]

    def zero_grad(self) -> None:
        """Forget the gradients; otherwise the next `backward` adds to them."""
        for p in self.params:
            p.grad = None

    def step(self) -> None:
        """Update every parameter that has a gradient."""
        for p, state in zip(self.params, self._states, strict=True):
            if p.grad is not None:
                state.t += 1
                p.data = self.update(p.data, p.grad, state).astype(p.dtype, copy=False)

    def update(self, w: np.ndarray, g: np.ndarray, s: SimpleNamespace) -> np.ndarray:
        """The new value of w; `s` is this parameter's memory, `s.t` the step."""
        raise NotImplementedError(f"{type(self).__name__} needs a method update(self, w, g, s)")


def _checked(params: Iterable[Tensor]) -> list[Tensor]:
    """The parameters as a list, if they can be learned.

    Raises:
        TypeError: a bare tensor, or something that is no tensor.
        ValueError: none, one that comes twice, or the result of an operation.

    """
    if isinstance(params, Tensor):
        raise TypeError("the optimizer takes a list of tensors; write [w], or model.parameters()")
    params = list(params)
    if not params:
        raise ValueError("the optimizer got no parameters; pass model.parameters()")
    for p in params:
        if not isinstance(p, Tensor):
            raise TypeError(f"the optimizer takes tensors, got {type(p).__name__}")
        if p.op:
            raise ValueError(
                f"the optimizer takes leaves, got the result of {p.op!r}, which the next forward "
                "pass makes anew"
            )
    if len(set(params)) < len(params):
        raise ValueError("a parameter comes twice and would take two steps at once")
    return params


class SGD(Optimizer):
    """Gradient descent with momentum μ.

    Source: I. Sutskever et al., "On the importance of initialization and momentum", ICML 2013; the
    velocity is PyTorch's, in units of the gradient.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-3,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(params, lr, {"v": 0.0}, momentum=momentum, weight_decay=weight_decay)
        if nesterov and momentum == 0:
            raise ValueError("nesterov looks ahead along the velocity; give a momentum above 0")
        self.momentum, self.weight_decay, self.nesterov = momentum, weight_decay, nesterov

    def update(self, w: np.ndarray, g: np.ndarray, s: SimpleNamespace) -> np.ndarray:
        """One step of momentum descent."""
        g = g + self.weight_decay * w  # g ← g + λw
        s.v = self.momentum * s.v + g  # v ← μv + g
        d = g + self.momentum * s.v if self.nesterov else s.v  # d = g + μv, or v
        return w - self.lr * d  # w ← w − αd


class Adagrad(Optimizer):
    """Step sizes that shrink with the sum of squared gradients.

    Source: J. Duchi, E. Hazan and Y. Singer, "Adaptive subgradient methods", JMLR 12 (2011). Keras
    starts the sum at 0.1 instead of 0 and takes the root of r + ε.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-2,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
    ) -> None:
        super().__init__(params, lr, {"r": initial_accumulator_value}, eps=eps)
        self.eps = eps

    def update(self, w: np.ndarray, g: np.ndarray, s: SimpleNamespace) -> np.ndarray:
        """One step of AdaGrad."""
        s.r = s.r + g**2  # r ← r + g²
        return w - self.lr * g / (np.sqrt(s.r) + self.eps)  # w ← w − αg/(√r + ε)


class RMSprop(Optimizer):
    """Step sizes from a decaying mean of squared gradients; `alpha` is its decay ρ.

    Source: T. Tieleman and G. Hinton, "Neural Networks for Machine Learning", lecture 6.5 (2012).
    Keras has ρ = 0.9 by default and takes the root of v + ε.
    """

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-2, alpha: float = 0.99, eps: float = 1e-8
    ) -> None:
        super().__init__(params, lr, {"v": 0.0}, alpha=alpha, eps=eps)
        self.alpha, self.eps = alpha, eps

    def update(self, w: np.ndarray, g: np.ndarray, s: SimpleNamespace) -> np.ndarray:
        """One step of RMSProp."""
        s.v = self.alpha * s.v + (1 - self.alpha) * g**2  # v ← ρv + (1 − ρ)g²
        return w - self.lr * g / (np.sqrt(s.v) + self.eps)  # w ← w − αg/(√v + ε)


class Adam(Optimizer):
    """Momentum and adaptive step sizes with bias correction; weight decay adds λw to the gradient.

    Source: D. Kingma and J. Ba, "Adam", ICLR 2015, algorithm 1.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr, {"m": 0.0, "v": 0.0}, eps=eps, weight_decay=weight_decay)
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"betas must lie in [0, 1), got {betas}")
        self.betas, self.eps, self.weight_decay = betas, eps, weight_decay

    def update(self, w: np.ndarray, g: np.ndarray, s: SimpleNamespace) -> np.ndarray:
        """One step of Adam."""
        return self._adam(w, g + self.weight_decay * w, s)  # g ← g + λw

    def _adam(self, w: np.ndarray, g: np.ndarray, s: SimpleNamespace) -> np.ndarray:
        beta1, beta2 = self.betas
        s.m = beta1 * s.m + (1 - beta1) * g  # m ← β₁m + (1 − β₁)g
        s.v = beta2 * s.v + (1 - beta2) * g**2  # v ← β₂v + (1 − β₂)g²
        m_hat = s.m / (1 - beta1**s.t)  # m̂ = m/(1 − β₁ᵗ)
        v_hat = s.v / (1 - beta2**s.t)  # v̂ = v/(1 − β₂ᵗ)
        return w - self.lr * m_hat / (np.sqrt(v_hat) + self.eps)  # w ← w − αm̂/(√v̂ + ε)


class AdamW(Adam):
    """Adam whose weight decay shrinks w itself and so escapes the adaptive scaling.

    Source: I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", ICLR 2019. As in
    PyTorch and Keras the decay is multiplied by α; the default λ is PyTorch's (Keras: 0.004).
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)

    def update(self, w: np.ndarray, g: np.ndarray, s: SimpleNamespace) -> np.ndarray:
        """One step of Adam from the shrunken w."""
        return self._adam(w - self.lr * self.weight_decay * w, g, s)  # w ← w − αλw


class Muon(Optimizer):
    """Momentum whose step, a matrix, is made orthogonal: it turns in all directions equally far.

    For the matrices of hidden layers alone; embeddings, biases and the like are left to AdamW. As
    in PyTorch the velocity is a mean of gradients, and a tall matrix takes a step √(rows/columns)
    times as long. `torch.optim.Muon` computes in bfloat16, which processors without it do slowly.

    Source: K. Jordan et al. (2024), Muon, https://kellerjordan.github.io/posts/muon/.

    Raises:
        ValueError: a parameter is no matrix.

    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
    ) -> None:
        super().__init__(params, lr, {"v": 0.0}, weight_decay=weight_decay, momentum=momentum)
        for p in self.params:
            if p.ndim != 2:
                raise ValueError(f"Muon takes matrices, got {p.shape}; give it to AdamW")
        self.weight_decay, self.momentum, self.nesterov = weight_decay, momentum, nesterov

    def update(self, w: np.ndarray, g: np.ndarray, s: SimpleNamespace) -> np.ndarray:
        """One step along the orthogonal matrix nearest to the velocity."""
        s.v = self.momentum * s.v + (1 - self.momentum) * g  # v ← μv + (1 − μ)g
        d = self.momentum * s.v + (1 - self.momentum) * g if self.nesterov else s.v
        scale = math.sqrt(max(1, w.shape[0] / w.shape[1]))
        w = w - self.lr * self.weight_decay * w  # w ← w − αλw
        return w - self.lr * scale * orthogonalize(d)  # w ← w − α√(rows/columns) UVᵀ


def orthogonalize(g: Matrix, steps: int = 5) -> Matrix:
    """About UVᵀ where g = UΣVᵀ: every singular value brought to 1, give or take a third.

    Newton–Schulz steps X ← aX + (bXXᵀ + c(XXᵀ)²)X, which are matrix products alone: each maps the
    singular values by σ ↦ aσ + bσ³ + cσ⁵ and leaves U and V. The coefficients are chosen to lift
    small σ fast, not to converge. `g` is an array of NumPy or a tensor of PyTorch.

    Source: as `Muon`.
    """
    a, b, c = 3.4445, -4.775, 2.0315
    is_tall = g.shape[0] > g.shape[1]
    X = g.T if is_tall else g  # XXᵀ is the smaller of the two products
    X = X / ((X * X).sum() ** 0.5 + 1e-7)  # no singular value above 1
    for _ in range(steps):
        A = X @ X.T
        X = a * X + (b * A + c * (A @ A)) @ X
    return X.T if is_tall else X


def clip_grad_norm_(parameters: Iterable[Tensor], max_norm: float) -> float:
    """Shorten all gradients together to the length `max_norm`, if they are longer.

    Their direction stays. Returns their length before: √(Σ g²) over all parameters. Name, values
    and the 1e-6 that keeps a division by 0 away are those of `torch.nn.utils.clip_grad_norm_`.

    Source: R. Pascanu, T. Mikolov and Y. Bengio, "On the difficulty of training recurrent neural
    networks", ICML 2013, arXiv:1211.5063, algorithm 1.
    """
    learned = [p for p in parameters if p.grad is not None]
    norm = math.sqrt(sum(float((p.grad**2).sum()) for p in learned))
    scale = max_norm / (norm + 1e-6)
    if scale < 1:  # g ← g·max_norm/‖g‖
        for p in learned:
            p.grad = (p.grad * scale).astype(p.dtype, copy=False)
    return norm


# Schedules: each returns the function t ↦ factor of the first learning rate, t = 0, 1, 2, …, for
# `fit(…, schedule=…)` and for `torch.optim.lr_scheduler.LambdaLR`.


def inverse_time(beta: float) -> Schedule:
    """The factor 1/(1 + βt); written α/(1 + β(t − 1)) where the first step is t = 1."""
    return lambda t: 1 / (1 + beta * t)


def step_decay(every: int, gamma: float = 0.1) -> Schedule:
    """The factor γ^⌊t/every⌋: constant, then γ times as much after each `every` steps."""
    return lambda t: gamma ** (t // every)


def linear_decay(steps: int, constant: float = 0.0) -> Schedule:
    """The factor 1 for the share `constant` of the steps, then a straight line to 0, to stay."""
    return lambda t: min(1.0, (1 - min(t / steps, 1)) / (1 - constant))


def cosine(steps: int, final: float = 0.0) -> Schedule:
    """Half a cosine from 1 at t = 0 down to `final` at t = `steps`, where it stays.

    Source: I. Loshchilov and F. Hutter, "SGDR", ICLR 2017, equation 5.
    """
    return lambda t: final + (1 - final) * (1 + math.cos(math.pi * min(t / steps, 1))) / 2


def warmup_cosine(steps: int, warmup: int, final: float = 0.0) -> Schedule:
    """The straight line (t + 1)/warmup up to 1, then `cosine` for the remaining steps."""
    if not 0 <= warmup < steps:
        raise ValueError(f"warmup must be at least 0 and less than steps = {steps}, got {warmup}")
    descent = cosine(steps - warmup, final)
    return lambda t: (t + 1) / warmup if t < warmup else descent(t - warmup)


def one_cycle(steps: int, warmup: float = 0.2) -> Schedule:
    """A triangle: up in a straight line for the share `warmup` of all steps, then down to 0.

    The factor is 1 at the peak and 0 at t = `steps`, where it stays.

    Source: L. Smith, N. Topin (2017), "Super-convergence", arXiv:1708.07120, without their third
    phase.

    Raises:
        ValueError: `warmup` is not between 0 and 1.

    """
    if not 0 < warmup < 1:
        raise ValueError(f"warmup is a share of the steps between 0 and 1, got {warmup}")
    peak = warmup * steps
    return lambda t: max(0.0, min((t + 1) / (peak + 1), (steps - t) / (steps - peak)))
