"""Recurrent layers: the plain RNN, the LSTM and the GRU, named and shaped as in PyTorch.

Each comes twice. A *cell* is one time step, written as its formulas; the engine finds the gradient.
A *layer* runs a whole sequence as one operation: one product x Wᵀ for all time steps, a loop for
the rest, and back-propagation through time written out beside it. The tests prove both equal.

In the formulas x is the input and h the state; W is `weight_ih`, U is `weight_hh`, b is `bias_ih`
and d is `bias_hh`. Two biases where one would do are PyTorch's (and cuDNN's); the GRU needs both.
Batches come first: sequences are (N, T, D), as with PyTorch's ``batch_first=True``.

A `mask` (N, T), False at padding, makes these steps do nothing: the state is carried over them, and
the output repeats it. So the last output is the state after the last real step. That is what Keras
does with a mask; PyTorch's packed sequences give the same last state, and 0 as padded outputs.

Source: J. Elman, "Finding structure in time" (1990), doi:10.1207/s15516709cog1402_1; S. Hochreiter
and J. Schmidhuber, "Long short-term memory" (1997), doi:10.1162/neco.1997.9.8.1735, with the forget
gate of F. Gers et al. (2000), doi:10.1162/089976600300015015; K. Cho et al. (2014),
arXiv:1406.1078, in cuDNN's form (reset gate after the product).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from utils.engine import Tensor, _sigmoid
from utils.layers.basic import Module, in_precision_of, uniform

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

    Array = np.ndarray
    State = Tensor | ArrayLike | None  # None: zeros

PHI = {  # name → φ, and φ′ as a function of h = φ(a)
    "tanh": (np.tanh, lambda h: 1 - h * h),
    "relu": (lambda a: np.maximum(a, 0), lambda h: (h > 0).astype(h.dtype)),
}


def length_mask(lengths: ArrayLike, steps: int | None = None) -> np.ndarray:
    """Boolean (N, T), True at the first `lengths[n]` of T time steps (None: the longest)."""
    lengths = np.asarray(lengths)
    return np.arange(lengths.max() if steps is None else steps) < lengths[:, None]


def orthogonal(
    rng: np.random.Generator, size: int, gain: float = 1.0, dtype: DTypeLike = np.float32
) -> np.ndarray:
    """A random matrix (size, size) with QᵀQ = gain² I, uniform over the orthogonal group.

    Source: A. Saxe et al. (2014), arXiv:1312.6120; F. Mezzadri (2007), arXiv:math-ph/0609050.
    """
    q, r = np.linalg.qr(rng.normal(size=(size, size)))
    return (gain * q * np.sign(np.diag(r))).astype(dtype)  # QR alone would favor some signs


class _Recurrent(Module):
    """What all share: the weights of `gates` affine maps, stacked one below the other."""

    gates = 1
    suffix = ""  # after the names of the weights; PyTorch's layers say "_l0", for layer 0

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        rng: np.random.Generator,
        dtype: DTypeLike = np.float32,
    ) -> None:
        self.input_size, self.hidden_size = input_size, hidden_size
        rows, bound = self.gates * hidden_size, 1 / np.sqrt(hidden_size)
        shapes = {"weight_ih": (rows, input_size), "weight_hh": (rows, hidden_size)}
        shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)} if bias else {}
        for name, shape in shapes.items():
            setattr(self, name + self.suffix, uniform(rng, bound, shape, dtype))

    def _weights(self) -> tuple[Tensor, Tensor, Tensor | float, Tensor | float]:
        """W, U, b and d; a missing bias is 0."""
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        W, U, b, d = (getattr(self, name + self.suffix, 0.0) for name in names)
        return W, U, b, d

    def _set_forget_bias(self, value: float | None) -> None:
        """Start the forget gate at σ(value): b gets it, d gets 0."""
        if value is None:
            return
        _, _, b, d = self._weights()
        if not isinstance(b, Tensor):
            raise ValueError("forget_bias needs a bias; leave bias at True")
        forget = slice(self.hidden_size, 2 * self.hidden_size)
        b.data[forget], d.data[forget] = value, 0

    def _input(self, x: Tensor | ArrayLike, shape: str) -> Tensor:
        """`x` as a tensor whose axes are those of `shape`."""
        x = in_precision_of(self._weights()[0], x)
        if x.ndim != shape.count(",") + 1 or x.shape[-1] != self.input_size:
            raise ValueError(
                f"{type(self).__name__}({self.input_size}, {self.hidden_size}) takes inputs "
                f"({shape}) with D = {self.input_size}, got {x.shape}"
            )
        return x

    def _state(self, state: State, shape: tuple[int, ...]) -> Tensor:
        """The first state; zeros where none is given."""
        weight = self._weights()[0]
        if state is None:
            return Tensor(np.zeros(shape, weight.dtype))
        state = in_precision_of(weight, state)
        if state.shape != shape:
            raise ValueError(f"the first state must have shape {shape}, got {state.shape}")
        return state


# --- one time step ---


class RNNCell(_Recurrent):
    """One step of the plain RNN: (N, D) and state (N, H) → state (N, H)."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        *,
        rng: np.random.Generator,
        dtype: DTypeLike = np.float32,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, rng=rng, dtype=dtype)
        self.nonlinearity = _known(nonlinearity)

    def forward(self, x: Tensor | ArrayLike, h: State = None) -> Tensor:
        """The next state."""
        x = self._input(x, "N, D")
        h = self._state(h, (len(x), self.hidden_size))
        W, U, b, d = self._weights()
        a = x @ W.T + b + h @ U.T + d  # aₜ = W xₜ + b + U hₜ₋₁ + d
        return a.tanh() if self.nonlinearity == "tanh" else a.relu()  # hₜ = φ(aₜ)


class LSTMCell(_Recurrent):
    """One step of the LSTM: (N, D) and states h, c (N, H) → h, c.

    The four gates are stacked as i, f, g, o, in PyTorch and in Keras. `forget_bias` starts the bias
    of f at a number; None draws it around 0 as PyTorch does, Keras takes 1.
    """

    gates = 4

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        forget_bias: float | None = None,
        rng: np.random.Generator,
        dtype: DTypeLike = np.float32,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, rng=rng, dtype=dtype)
        self._set_forget_bias(forget_bias)

    def forward(
        self, x: Tensor | ArrayLike, state: tuple[State, State] | None = None
    ) -> tuple[Tensor, Tensor]:
        """The next h and c."""
        x = self._input(x, "N, D")
        h, c = (self._state(s, (len(x), self.hidden_size)) for s in state or (None, None))
        W, U, b, d = self._weights()
        i, f, g, o = _split(x @ W.T + b + h @ U.T + d, 4)  # input, forget, candidate, output gate
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()  # cₜ = σ(f) ⊙ cₜ₋₁ + σ(i) ⊙ tanh(g)
        h = o.sigmoid() * c.tanh()  # hₜ = σ(o) ⊙ tanh(cₜ)
        return h, c


class GRUCell(_Recurrent):
    """One step of the GRU: (N, D) and state (N, H) → state (N, H).

    The three gates are stacked as r, z, n; Keras stacks z, r, n and needs ``reset_after=True``.
    """

    gates = 3

    def forward(self, x: Tensor | ArrayLike, h: State = None) -> Tensor:
        """The next state."""
        x = self._input(x, "N, D")
        h = self._state(h, (len(x), self.hidden_size))
        W, U, b, d = self._weights()
        r, z, n = _split(
            x @ W.T + b, 3
        )  # what the input says to reset gate, update gate, candidate
        r_h, z_h, n_h = _split(h @ U.T + d, 3)  # what the state says to them
        z = (z + z_h).sigmoid()  # zₜ = σ(W_z xₜ + b_z + U_z hₜ₋₁ + d_z)
        r = (r + r_h).sigmoid()  # rₜ = σ(W_r xₜ + b_r + U_r hₜ₋₁ + d_r)
        n = (n + r * n_h).tanh()  # nₜ = tanh(W_n xₜ + b_n + rₜ ⊙ (U_n hₜ₋₁ + d_n))
        return (1 - z) * n + z * h  # hₜ = (1 − zₜ) ⊙ nₜ + zₜ ⊙ hₜ₋₁


def _split(a: Tensor, parts: int) -> list[Tensor]:
    """Equal parts of the last axis."""
    size = a.shape[-1] // parts
    return [a[:, k * size : (k + 1) * size] for k in range(parts)]


def _known(nonlinearity: str) -> str:
    if nonlinearity not in PHI:
        raise ValueError(f"nonlinearity is one of {', '.join(PHI)}, got {nonlinearity!r}")
    return nonlinearity


# --- a sequence at once ---


class _Sequence(_Recurrent):
    """A layer: the weights of its cell, run over a sequence by one operation.

    The operation works time first, (T, N, …), so that a step is one block of memory.
    """

    suffix = "_l0"

    def _prepare(
        self, x: Tensor | ArrayLike, mask: ArrayLike | None
    ) -> tuple[Tensor, Array | None]:
        """W xₜ + b for all t in one product (T, N, gates·H), and the mask (T, N, 1)."""
        x = self._input(x, "N, T, D")
        n, t, _ = x.shape
        if t == 0:
            raise ValueError(f"{type(self).__name__}: a sequence needs at least one step")
        W, _, b, _ = self._weights()
        a = x.permute(1, 0, 2).reshape(t * n, -1) @ W.T + b
        if mask is not None:
            mask = np.asarray(mask, dtype=bool)
            if mask.shape != (n, t):
                raise ValueError(f"the mask must have shape {(n, t)}, got {mask.shape}")
            mask = mask.T[..., None]
        return a.reshape(t, n, -1), mask


class RNN(_Sequence, RNNCell):
    """The plain recurrent network hₜ = φ(W xₜ + b + U hₜ₋₁ + d), with φ = tanh or relu."""

    def forward(
        self, x: Tensor | ArrayLike, h_0: State = None, mask: ArrayLike | None = None
    ) -> tuple[Tensor, Tensor]:
        """All states (N, T, H) and the last one (1, N, H) of a sequence (N, T, D).

        Raises:
            ValueError: input, first state (1, N, H) or mask (N, T) has another shape.

        """
        a, mask = self._prepare(x, mask)
        h_0 = self._state(h_0, (1, a.shape[1], self.hidden_size))
        _, U, _, d = self._weights()
        states = _rnn(a + d, h_0, U, mask, self.nonlinearity)
        return states.permute(1, 0, 2), states[-1:]


class LSTM(_Sequence, LSTMCell):
    """Long short-term memory: the formulas of `LSTMCell` over a sequence."""

    def forward(
        self,
        x: Tensor | ArrayLike,
        state: tuple[State, State] | None = None,
        mask: ArrayLike | None = None,
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """All h (N, T, H), and the last h and c (1, N, H), of a sequence (N, T, D).

        Raises:
            ValueError: input, first states (1, N, H) or mask (N, T) has another shape.

        """
        a, mask = self._prepare(x, mask)
        shape = (1, a.shape[1], self.hidden_size)
        h_0, c_0 = (self._state(s, shape) for s in state or (None, None))
        _, U, _, d = self._weights()
        states = _lstm(a + d, h_0, c_0, U, mask)
        h = states[:-1]
        return h.permute(1, 0, 2), (h[-1:], states[-1:])


class GRU(_Sequence, GRUCell):
    """Gated recurrent unit: the formulas of `GRUCell` over a sequence."""

    def forward(
        self, x: Tensor | ArrayLike, h_0: State = None, mask: ArrayLike | None = None
    ) -> tuple[Tensor, Tensor]:
        """All states (N, T, H) and the last one (1, N, H) of a sequence (N, T, D).

        Raises:
            ValueError: input, first state (1, N, H) or mask (N, T) has another shape.

        """
        a, mask = self._prepare(x, mask)
        h_0 = self._state(h_0, (1, a.shape[1], self.hidden_size))
        _, U, _, d = self._weights()
        d = d if isinstance(d, Tensor) else Tensor(np.zeros(len(U), U.dtype))
        states = _gru(a, h_0, U, d, mask)
        return states.permute(1, 0, 2), states[-1:]


# --- the three operations, with back-propagation through time ---
#
# aₜ is what the input says at step t. dhₜ stands for ∂L/∂hₜ; it is complete when the loop back
# comes to t: what the loss says about the output hₜ, and what came back from step t + 1.


def _rnn(a: Tensor, h_0: Tensor, weight: Tensor, mask: Array | None, nonlinearity: str) -> Tensor:
    """States hₜ = φ(aₜ + U hₜ₋₁), (T, N, H)."""
    phi, phi_prime = PHI[nonlinearity]
    A, U = a.data, weight.data
    h = np.concatenate([h_0.data, np.empty_like(A)])  # h[t] is the state before step t
    for t in range(len(A)):
        h[t + 1] = _chosen(mask, t, phi(A[t] + h[t] @ U.T), h[t])  # hₜ = φ(aₜ + U hₜ₋₁)

    def rule(g: Array) -> tuple[Array, ...]:
        da, dh = np.empty_like(A), np.zeros_like(A[0])
        for t in reversed(range(len(A))):
            new, kept = _shares(mask, t, dh + g[t])
            da[t] = new * phi_prime(h[t + 1])  # daₜ = φ′(…) ⊙ dhₜ
            dh = da[t] @ U + kept  # dhₜ₋₁ = Uᵀ daₜ
        return da, dh[None], _outer(da, h[:-1])

    return Tensor._derive(h[1:], "rnn", (a, h_0, weight), rule)


def _lstm(a: Tensor, h_0: Tensor, c_0: Tensor, weight: Tensor, mask: Array | None) -> Tensor:
    """States hₜ for all t, and below them the last cell state c_T: (T + 1, N, H)."""
    A, U = a.data, weight.data
    steps, n, _ = A.shape
    gates = np.empty((steps, 4, n, len(U) // 4), A.dtype)  # i, f, g, o after σ and tanh
    h = np.concatenate([h_0.data, np.empty_like(gates[:, 0])])
    c = np.concatenate([c_0.data, np.empty_like(gates[:, 0])])
    for t in range(steps):
        i, f, g, o = np.split(A[t] + h[t] @ U.T, 4, axis=1)
        gates[t] = i, f, g, o = _sigmoid(i), _sigmoid(f), np.tanh(g), _sigmoid(o)
        new = f * c[t] + i * g  # cₜ = f ⊙ cₜ₋₁ + i ⊙ g
        c[t + 1] = _chosen(mask, t, new, c[t])
        h[t + 1] = _chosen(mask, t, o * np.tanh(new), h[t])  # hₜ = o ⊙ tanh(cₜ)

    def rule(G: Array) -> tuple[Array, ...]:
        da, dh, dc = np.empty_like(A), np.zeros_like(h[0]), G[-1]
        for t in reversed(range(steps)):
            i, f, g, o = gates[t]
            dh, h_kept = _shares(mask, t, dh + G[t])
            dc, c_kept = _shares(mask, t, dc)
            tanh_c = np.tanh(c[t + 1])
            dc = dc + dh * o * (1 - tanh_c**2)  # dcₜ: through hₜ, and from step t + 1
            da[t] = np.concatenate(
                [
                    dc * g * i * (1 - i),  # ∂cₜ/∂i = g, and σ′ = σ(1 − σ)
                    dc * c[t] * f * (1 - f),  # ∂cₜ/∂f = cₜ₋₁
                    dc * i * (1 - g**2),  # ∂cₜ/∂g = i, and tanh′ = 1 − tanh²
                    dh * tanh_c * o * (1 - o),  # ∂hₜ/∂o = tanh(cₜ)
                ],
                axis=1,
            )
            dc = dc * f + c_kept  # dcₜ₋₁ = f ⊙ dcₜ: no matrix on this path
            dh = da[t] @ U + h_kept  # dhₜ₋₁ = Uᵀ daₜ
        return da, dh[None], dc[None], _outer(da, h[:-1])

    return Tensor._derive(np.concatenate([h[1:], c[-1:]]), "lstm", (a, h_0, c_0, weight), rule)


def _gru(a: Tensor, h_0: Tensor, weight: Tensor, d: Tensor, mask: Array | None) -> Tensor:
    """States hₜ, (T, N, H)."""
    A, U = a.data, weight.data
    steps, n, _ = A.shape
    gates = np.empty((steps, 4, n, len(U) // 3), A.dtype)  # r, z, n and U_n hₜ₋₁ + d_n
    h = np.concatenate([h_0.data, np.empty_like(gates[:, 0])])
    for t in range(steps):
        r, z, n = np.split(A[t], 3, axis=1)
        r_h, z_h, n_h = np.split(h[t] @ U.T + d.data, 3, axis=1)
        r, z = _sigmoid(r + r_h), _sigmoid(z + z_h)
        n = np.tanh(n + r * n_h)  # nₜ = tanh(aₙ + r ⊙ (U_n hₜ₋₁ + d_n))
        gates[t] = r, z, n, n_h
        h[t + 1] = _chosen(mask, t, (1 - z) * n + z * h[t], h[t])  # hₜ = (1 − z) ⊙ n + z ⊙ hₜ₋₁

    def rule(G: Array) -> tuple[Array, ...]:
        da, du, dh = np.empty_like(A), np.empty_like(A), np.zeros_like(h[0])
        for t in reversed(range(steps)):
            r, z, n, n_h = gates[t]
            dh, kept = _shares(mask, t, dh + G[t])
            dn = dh * (1 - z) * (1 - n**2)  # ∂hₜ/∂n = 1 − z
            dz = dh * (h[t] - n) * z * (1 - z)  # ∂hₜ/∂z = hₜ₋₁ − n
            dr = dn * n_h * r * (1 - r)  # r scales what the state says to n
            da[t] = np.concatenate([dr, dz, dn], axis=1)
            du[t] = np.concatenate([dr, dz, dn * r], axis=1)
            dh = du[t] @ U + dh * z + kept  # dhₜ₋₁ = Uᵀ duₜ + z ⊙ dhₜ
        return da, dh[None], _outer(du, h[:-1]), du.sum(axis=(0, 1))

    return Tensor._derive(h[1:], "gru", (a, h_0, weight, d), rule)


def _chosen(mask: Array | None, t: int, new: Array, old: Array) -> Array:
    """The new state where step t is real, the old one where it is padding."""
    return new if mask is None else np.where(mask[t], new, old)


def _shares(mask: Array | None, t: int, g: Array) -> tuple[Array, Array | float]:
    """The gradient of the new state, and of the old one that padding keeps."""
    return (g, 0.0) if mask is None else (g * mask[t], g * ~mask[t])


def _outer(da: Array, h: Array) -> Array:
    """DU = Σₜ daₜ hₜ₋₁ᵀ, over all steps and samples in one product."""
    return da.reshape(-1, da.shape[-1]).T @ h.reshape(-1, h.shape[-1])
