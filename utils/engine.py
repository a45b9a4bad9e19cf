"""The engine: reverse-mode automatic differentiation on NumPy arrays, as built in chapter 03.

A `Tensor` is an array that remembers the operation and the parents it came from. Each operation
stands in one method: the forward value, and beside it the local backward rule, which takes the
gradient g = ∂L/∂(result) and returns ∂L/∂(parent) for every parent. `Tensor.backward` walks the
graph from the result back to the leaves, multiplies *local derivative × upstream gradient*, and
sums over all paths. Names, shapes and conventions are PyTorch's.

Source: A. G. Baydin et al., "Automatic differentiation in machine learning: a survey", JMLR 18
(2018), section 3.2; A. Griewank and A. Walther, "Evaluating Derivatives", 2nd ed. (2008), ch. 3.
"""

from __future__ import annotations

import zlib
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import ArrayLike, DTypeLike

    Dim = int | tuple[int, ...] | None
    Rule = Callable[[np.ndarray], tuple[np.ndarray | None, ...]]

BASIC_INDEX = int | np.integer | slice | None | type(...)
OF_THE_SHAPE = (np.shape, np.ndim, np.size)  # NumPy's functions that look at no value
FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
_recording = ContextVar("recording", default=True)


@contextmanager
def no_grad() -> Iterator[None]:
    """Compute without recording a graph, in this thread, as `torch.no_grad`."""
    token = _recording.set(False)
    try:
        yield
    finally:
        _recording.reset(token)


class Tensor:
    """An array with a gradient.

    Attributes:
        data: the values, float32 or float64; other types become float64. Not copied.
        grad: for a leaf that requires it, the sum of ∂L/∂data over all calls of `backward`, an
            array shaped like `data`; None before the first call.
        requires_grad: whether gradients flow to this tensor.
        op: the operation that made it; "" for a leaf.
        parents: the operands of that operation; () for a leaf.

    """

    __slots__ = (
        *("__weakref__", "_keeps", "_leaves", "_rule", "_was_made_to_learn"),
        *("data", "grad", "op", "parents", "requires_grad"),
    )
    __array_ufunc__ = None  # an ndarray on the left of an operator leaves the work to us

    def __init__(self, data: ArrayLike | Tensor, requires_grad: bool = False) -> None:
        data = np.asarray(data)
        self.data = data if data.dtype in FLOATS else data.astype(np.float64)
        self.grad: np.ndarray | None = None
        self.requires_grad = self._was_made_to_learn = requires_grad
        self.op = ""
        self.parents: tuple[Tensor, ...] = ()
        self._rule: Rule | None = None
        self._keeps = True

    @staticmethod
    def _derive(data: np.ndarray, op: str, parents: tuple[Tensor, ...], rule: Rule) -> Tensor:
        """The result of an operation, with its backward rule if a parent needs one.

        The rule maps g, shaped like `data`, to one gradient for each parent, shaped like that
        parent (or None where the parent requires none). It captures the operands, never the result:
        a graph without cycles is freed the moment its last user lets go.
        """
        result = Tensor(data)
        if _recording.get() and any(parent.requires_grad for parent in parents):
            result.requires_grad, result._keeps = True, False
            result.op, result.parents, result._rule = op, parents, rule
            leaves = [parent.data for parent in parents if not parent.op]
            result._leaves = [(array, _checksum(array)) for array in leaves]
            result.data.flags.writeable = False  # the rules of this node and the next may need it
        return result

    def backward(self, gradient: ArrayLike | None = None) -> None:
        """Add ∂self/∂leaf, weighted with `gradient`, to the `grad` of every leaf that requires it.

        It may be called again, and adds again. Inner nodes keep no gradient, unless `retain_grad`
        asked for it. Time is linear in the size of the graph.

        Raises:
            RuntimeError: nothing here requires a gradient; or `self` has several elements and no
                `gradient` says how to weigh them; or a leaf's data were changed in place since they
                were used, so that the rules would differentiate another function.
            ValueError: `gradient` has another shape than `self`.

        """
        if not self.requires_grad:
            raise RuntimeError(
                "backward: this tensor depends on nothing that requires a gradient; "
                "make a leaf with requires_grad=True and compute outside no_grad()"
            )
        if gradient is None:
            if self.data.size != 1:
                raise RuntimeError(
                    f"backward starts at a single number, this tensor has shape {self.shape}; "
                    "reduce it with sum() or mean(), or pass a gradient of its shape"
                )
            gradient = np.ones_like(self.data)
        gradient = np.asarray(gradient, dtype=self.dtype)
        if gradient.shape != self.shape:
            raise ValueError(f"backward: gradient {gradient.shape} for a tensor {self.shape}")

        upstream = {self: gradient}  # ∂L/∂node, complete once all users of the node are done
        for node in reversed(topological_order(self)):
            if not node.requires_grad:
                continue
            g = upstream.pop(node)
            if node._keeps:  # a copy: g may be shared with other nodes, or a read-only view
                node.grad = np.array(g if node.grad is None else node.grad + g, dtype=node.dtype)
            if node._rule is not None:
                node._check_leaves()
                for parent, share in zip(node.parents, node._rule(g), strict=True):
                    if parent.requires_grad:
                        upstream[parent] = upstream[parent] + share if parent in upstream else share

    def _check_leaves(self) -> None:
        for array, checksum in self._leaves:
            if _checksum(array) != checksum:
                raise RuntimeError(
                    f"backward: the data of a tensor {array.shape} were changed after {self.op!r} "
                    "had used them; change them after backward(), or give the tensor a new array: "
                    "t.data = t.data + …"
                )

    def retain_grad(self) -> None:
        """Let `backward` keep the gradient of this inner node too, as in PyTorch."""
        self._keeps = True

    # --- arithmetic ---

    def __add__(self, other: Tensor | ArrayLike) -> Tensor:
        """Element-wise sum; shapes broadcast as in NumPy."""
        other = self._operand("+", other)
        a, b = self.data, other.data
        # d(a + b) = da + db
        return self._derive(
            a + b, "+", (self, other), lambda g: (unbroadcast(g, a.shape), unbroadcast(g, b.shape))
        )

    def __sub__(self, other: Tensor | ArrayLike) -> Tensor:
        """Element-wise difference; shapes broadcast as in NumPy."""
        other = self._operand("-", other)
        a, b = self.data, other.data
        # d(a − b) = da − db
        return self._derive(
            a - b, "-", (self, other), lambda g: (unbroadcast(g, a.shape), unbroadcast(-g, b.shape))
        )

    def __mul__(self, other: Tensor | ArrayLike) -> Tensor:
        """Element-wise product; shapes broadcast as in NumPy."""
        other = self._operand("×", other)
        a, b = self.data, other.data
        # d(ab) = b·da + a·db; a broadcast operand collects the sum over its stretched axes
        return self._derive(
            a * b,
            "×",
            (self, other),
            lambda g: (unbroadcast(g * b, a.shape), unbroadcast(g * a, b.shape)),
        )

    def __truediv__(self, other: Tensor | ArrayLike) -> Tensor:
        """Element-wise quotient; shapes broadcast as in NumPy."""
        other = self._operand("/", other)
        a, b = self.data, other.data
        # d(a/b) = da/b − (a/b²)·db
        return self._derive(
            a / b,
            "/",
            (self, other),
            lambda g: (unbroadcast(g / b, a.shape), unbroadcast(-g * a / b**2, b.shape)),
        )

    def __pow__(self, n: float) -> Tensor:
        """Element-wise power aⁿ with a constant exponent n."""
        if not np.isscalar(n):
            raise TypeError("**: the exponent must be a number; write a**b as (b * a.log()).exp()")
        a, n = self.data, float(n)
        # d(aⁿ) = n·aⁿ⁻¹·da, which is 0 for n = 0 even at a = 0
        return self._derive(
            a**n, f"^{n:g}", (self,), lambda g: (g * n * a ** (n - 1) if n else np.zeros_like(a),)
        )

    def __neg__(self) -> Tensor:
        """Element-wise −a."""
        # d(−a) = −da
        return self._derive(-self.data, "-", (self,), lambda g: (-g,))

    def __matmul__(self, other: Tensor | ArrayLike) -> Tensor:
        """Matrix product; batch axes broadcast; a vector is a row at left, a column at right."""
        other = as_tensor(other, self.dtype)
        a, b = self.data, other.data
        try:
            product = a @ b
        except ValueError:
            raise ValueError(
                f"@: shapes {a.shape} and {b.shape} do not fit; the last axis of the left operand "
                "must be as long as the last but one of the right"
            ) from None

        # d(AB) = dA·B + A·dB, so A receives G·Bᵀ and B receives Aᵀ·G
        def rule(g: np.ndarray) -> tuple[np.ndarray | None, ...]:
            A = a if a.ndim > 1 else a[None, :]
            B = b if b.ndim > 1 else b[:, None]
            G = g if b.ndim > 1 else g[..., None]
            G = G if a.ndim > 1 else G[..., None, :]
            dA = unbroadcast(G @ B.mT, a.shape) if self.requires_grad else None
            dB = unbroadcast(A.mT @ G, B.shape).reshape(b.shape) if other.requires_grad else None
            return dA, dB

        return self._derive(product, "@", (self, other), rule)

    __radd__ = __add__
    __rmul__ = __mul__

    def __rsub__(self, other: ArrayLike) -> Tensor:
        return self._operand("-", other) - self

    def __rtruediv__(self, other: ArrayLike) -> Tensor:
        return self._operand("/", other) / self

    def __rmatmul__(self, other: ArrayLike) -> Tensor:
        return as_tensor(other, self.dtype) @ self

    # --- functions of each element ---

    def exp(self) -> Tensor:
        """Exponential eᵃ."""
        y = np.exp(self.data)
        # d(eᵃ) = eᵃ·da
        return self._derive(y, "exp", (self,), lambda g: (g * y,))

    def log(self) -> Tensor:
        """Natural logarithm."""
        a = self.data
        # d(ln a) = da/a
        return self._derive(np.log(a), "log", (self,), lambda g: (g / a,))

    def sqrt(self) -> Tensor:
        """Square root."""
        y = np.sqrt(self.data)
        # d√a = da/(2√a)
        return self._derive(y, "sqrt", (self,), lambda g: (g / (2 * y),))

    def abs(self) -> Tensor:
        """Absolute value; its derivative at 0 is taken as 0."""
        a = self.data
        # d|a| = sign(a)·da
        return self._derive(np.abs(a), "abs", (self,), lambda g: (g * np.sign(a),))

    def relu(self) -> Tensor:
        """max(a, 0); its derivative at 0 is taken as 0."""
        a = self.data
        # d relu(a) = [a > 0]·da
        return self._derive(np.maximum(a, 0), "relu", (self,), lambda g: (g * (a > 0),))

    def tanh(self) -> Tensor:
        """Hyperbolic tangent."""
        y = np.tanh(self.data)
        # d tanh(a) = (1 − tanh²a)·da
        return self._derive(y, "tanh", (self,), lambda g: (g * (1 - y * y),))

    def sigmoid(self) -> Tensor:
        """σ(a) = 1/(1 + e⁻ᵃ)."""
        y = _sigmoid(self.data)
        # dσ(a) = σ(a)·(1 − σ(a))·da
        return self._derive(y, "sigmoid", (self,), lambda g: (g * y * (1 - y),))

    def softplus(self) -> Tensor:
        """ln(1 + eᵃ), which does not overflow."""
        a = self.data
        # d ln(1 + eᵃ) = σ(a)·da
        return self._derive(np.logaddexp(a, 0), "softplus", (self,), lambda g: (g * _sigmoid(a),))

    # --- reductions ---

    def sum(self, dim: Dim = None, keepdim: bool = False) -> Tensor:
        """Sum over the axes `dim` (None: all); `keepdim` leaves them with length 1."""
        a = self.data
        y = a.sum(axis=dim, keepdims=keepdim)
        # d Σa = Σ da
        return self._derive(y, "sum", (self,), lambda g: (_stretch(g, a.shape, dim, keepdim),))

    def mean(self, dim: Dim = None, keepdim: bool = False) -> Tensor:
        """Mean over the axes `dim`."""
        a = self.data
        y = a.mean(axis=dim, keepdims=keepdim)
        n = a.size / y.size
        # d(Σa/n) = Σ da/n
        return self._derive(y, "mean", (self,), lambda g: (_stretch(g / n, a.shape, dim, keepdim),))

    def var(self, dim: Dim = None, correction: int = 1, keepdim: bool = False) -> Tensor:
        """Variance Σ(a − mean)²/(n − correction) over the axes `dim`."""
        squares = (self - self.mean(dim, keepdim=True)) ** 2
        total = squares.sum(dim, keepdim)
        return total / (self.data.size / total.data.size - correction)

    def max(self, dim: Dim = None, keepdim: bool = False) -> Tensor:
        """Largest value over the axes `dim`, as `torch.amax`: equal maxima share the gradient."""
        a = self.data
        y = a.max(axis=dim, keepdims=keepdim)
        is_max = a == _stretch(y, a.shape, dim, keepdim)
        n = is_max.sum(axis=dim, keepdims=keepdim, dtype=a.dtype)
        # d max(a) = Σ da/n over the n elements that are equal to the maximum
        return self._derive(
            y, "max", (self,), lambda g: (_stretch(g / n, a.shape, dim, keepdim) * is_max,)
        )

    def logsumexp(self, dim: Dim = None, keepdim: bool = False) -> Tensor:
        """Logarithm ln Σeᵃ over the axes `dim`, which does not overflow."""
        a = self.data
        y = _logsumexp(a, dim)
        # d ln Σeᵃ = Σ softmax(a)·da
        return self._derive(
            y if keepdim else y.squeeze(axis=dim),
            "logsumexp",
            (self,),
            lambda g: (_stretch(g, a.shape, dim, keepdim) * np.exp(a - y),),
        )

    def softmax(self, dim: int) -> Tensor:
        """eᵃ/Σeᵃ along the axis `dim`."""
        s = np.exp(self.data - _logsumexp(self.data, dim))
        # dsᵢ = sᵢ·(daᵢ − Σⱼ sⱼ·daⱼ): the Jacobian is not diagonal
        return self._derive(
            s, "softmax", (self,), lambda g: (s * (g - (g * s).sum(axis=dim, keepdims=True)),)
        )

    def log_softmax(self, dim: int) -> Tensor:
        """Logarithm of the softmax, a − ln Σeᵃ; finite where the softmax itself rounds to 0."""
        y = self.data - _logsumexp(self.data, dim)
        # d(aᵢ − ln Σeᵃ) = daᵢ − Σⱼ softmax(a)ⱼ·daⱼ
        return self._derive(
            y, "log_softmax", (self,), lambda g: (g - np.exp(y) * g.sum(axis=dim, keepdims=True),)
        )

    # --- shape ---

    def reshape(self, *shape: int) -> Tensor:
        """The same elements in another shape; one length may be −1."""
        old = self.shape
        try:
            y = self.data.reshape(*shape)
        except ValueError:
            raise ValueError(f"reshape: {old} cannot become {shape}, sizes differ") from None
        return self._derive(y, "reshape", (self,), lambda g: (g.reshape(old),))

    def permute(self, *dims: int) -> Tensor:
        """The axes in the order `dims`."""
        try:
            y = self.data.transpose(dims)
        except ValueError:
            raise ValueError(f"permute: shape {self.shape} has not the axes {dims}") from None
        back = np.argsort([dim % self.ndim for dim in dims])
        return self._derive(y, "permute", (self,), lambda g: (g.transpose(back),))

    def transpose(self, dim0: int, dim1: int) -> Tensor:
        """Two axes exchanged."""
        y = self.data.swapaxes(dim0, dim1)
        return self._derive(y, "transpose", (self,), lambda g: (g.swapaxes(dim0, dim1),))

    @property
    def T(self) -> Tensor:
        """All axes in reverse order: the transpose of a matrix."""
        return self._derive(self.data.T, "T", (self,), lambda g: (g.T,))

    def __getitem__(self, index: Any) -> Tensor:
        """Part of the tensor, by NumPy's basic or advanced indexing."""
        a = self.data
        parts = index if isinstance(index, tuple) else (index,)
        is_basic = all(isinstance(part, BASIC_INDEX) for part in parts)  # takes nothing twice

        # d(a[i]) = da at i and 0 elsewhere; an element taken twice receives both gradients
        def rule(g: np.ndarray) -> tuple[np.ndarray]:
            share = np.zeros_like(a, dtype=g.dtype)
            if is_basic:
                share[index] = g
            else:
                np.add.at(share, index, g)
            return (share,)

        return self._derive(a[index], "[ ]", (self,), rule)

    # --- the array inside ---

    def detach(self) -> Tensor:
        """The same values as a leaf through which no gradient flows."""
        return Tensor(self.data)

    def numpy(self) -> np.ndarray:
        """The values as an array that shares memory; no gradient flows through it."""
        return self.data

    def item(self) -> float:
        """The value of a tensor with one element, as a Python number."""
        return self.data.item()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        self._refuse_to_leave_the_graph("NumPy")
        return np.array(self.data, dtype=dtype, copy=copy)

    def __array_function__(
        self, function: Callable, types: Any, args: Any, kwargs: dict[str, Any]
    ) -> Any:
        """Let NumPy's functions see the arrays, where no gradient is lost by it."""

        def array(value: Any) -> Any:
            if isinstance(value, Tensor):
                if function not in OF_THE_SHAPE:
                    value._refuse_to_leave_the_graph(f"np.{function.__name__}")
                return value.data
            is_sequence = isinstance(value, list | tuple)
            return type(value)(map(array, value)) if is_sequence else value

        return function(*array(args), **{name: array(value) for name, value in kwargs.items()})

    def _refuse_to_leave_the_graph(self, name: str) -> None:
        if self.requires_grad and _recording.get():
            raise RuntimeError(
                f"{name} would take the values of a tensor that requires a gradient, and the "
                "gradient would be lost; use the tensor's own methods and the engine's functions "
                "(t.mean(), t.max(), stack, concatenate, where, maximum), or detach() where none "
                "is to flow"
            )

    def __float__(self) -> float:
        return self.item()

    def __len__(self) -> int:
        return len(self.data)

    def __repr__(self) -> str:
        """The values, then the operation they came from or the wish for a gradient."""
        origin = f", op={self.op!r}" if self.op else ", requires_grad=True" * self.requires_grad
        return f"Tensor({np.array2string(self.data, separator=', ', prefix='Tensor(')}{origin})"

    @property
    def is_learned(self) -> bool:
        """Whether this is a leaf to be learned, for now frozen or not, and no result."""
        return not self.op and (self._was_made_to_learn or self.requires_grad)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return self.data.shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.data.ndim

    @property
    def dtype(self) -> np.dtype:
        """float32 or float64."""
        return self.data.dtype

    def _operand(self, op: str, other: Tensor | ArrayLike) -> Tensor:
        """`other` as a tensor that broadcasts with `self`; an error names `op` and both shapes."""
        other = as_tensor(other, self.dtype)
        try:
            np.broadcast_shapes(self.shape, other.shape)
        except ValueError:
            raise ValueError(
                f"{op}: shapes {self.shape} and {other.shape} do not broadcast; counted from the "
                "right, two axes must be equally long, or one of them must have length 1"
            ) from None
        return other


# --- functions of several tensors ---


def as_tensor(value: Tensor | ArrayLike, dtype: DTypeLike = np.float64) -> Tensor:
    """A tensor as it is; anything else as a leaf that requires no gradient.

    Arrays of float32 and float64 keep their type; scalars, integers and booleans take `dtype`.
    """
    if isinstance(value, Tensor):
        return value
    array = np.asarray(value)
    return Tensor(array if array.ndim and array.dtype in FLOATS else array.astype(dtype))


def maximum(left: Tensor | ArrayLike, right: Tensor | ArrayLike) -> Tensor:
    """The larger of two elements; equal ones receive half the gradient each, as in PyTorch."""
    left, right = _pair("maximum", left, right)
    a, b = left.data, right.data

    # d max(a, b) = da where a > b, db where b > a, (da + db)/2 where they are equal
    def rule(g: np.ndarray) -> tuple[np.ndarray, ...]:
        g = np.where(a == b, g / 2, g)
        return unbroadcast(g * (a >= b), a.shape), unbroadcast(g * (a <= b), b.shape)

    return Tensor._derive(np.maximum(a, b), "maximum", (left, right), rule)


def where(condition: ArrayLike, left: Tensor | ArrayLike, right: Tensor | ArrayLike) -> Tensor:
    """`left` where the boolean array `condition` holds, else `right`; all three broadcast."""
    left, right = _pair("where", left, right)
    condition, a, b = np.asarray(condition, dtype=bool), left.data, right.data
    try:
        y = np.where(condition, a, b)
    except ValueError:
        raise ValueError(
            f"where: the condition {condition.shape} does not broadcast with {a.shape}, {b.shape}"
        ) from None

    # d where(c, a, b) = c·da + (1 − c)·db
    def rule(g: np.ndarray) -> tuple[np.ndarray, ...]:
        da, db = np.where(condition, g, 0), np.where(condition, 0, g)
        return unbroadcast(da, a.shape), unbroadcast(db, b.shape)

    return Tensor._derive(y, "where", (left, right), rule)


def concatenate(tensors: Sequence[Tensor | ArrayLike], dim: int = 0) -> Tensor:
    """Tensors joined along an existing axis; all other axes must agree."""
    parents = tuple(as_tensor(tensor) for tensor in tensors)
    y = _joined("concatenate", np.concatenate, parents, dim)
    ends = np.cumsum([parent.shape[dim] for parent in parents])[:-1]
    return Tensor._derive(y, "concatenate", parents, lambda g: tuple(np.split(g, ends, axis=dim)))


def stack(tensors: Sequence[Tensor | ArrayLike], dim: int = 0) -> Tensor:
    """Tensors of one shape joined along a new axis."""
    parents = tuple(as_tensor(tensor) for tensor in tensors)
    y = _joined("stack", np.stack, parents, dim)
    return Tensor._derive(y, "stack", parents, lambda g: tuple(np.moveaxis(g, dim, 0)))


# --- the graph ---


def topological_order(result: Tensor) -> list[Tensor]:
    """All tensors that `result` depends on, each once, parents before children, `result` last.

    Depth-first search with its own stack, because Python's would overflow on a deep graph.
    """
    order, seen, todo = [], set(), [(result, False)]
    while todo:
        node, parents_are_done = todo.pop()
        if parents_are_done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            todo.append((node, True))
            todo.extend((parent, False) for parent in node.parents)
    return order


def unbroadcast(g: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Undo broadcasting: sum `g` over the axes along which an operand of `shape` was stretched."""
    if g.shape == shape:
        return g
    new = g.ndim - len(shape)
    stretched = [new + i for i, n in enumerate(shape) if n == 1]
    return g.sum(axis=(*range(new), *stretched)).reshape(shape)


# --- helpers on plain arrays ---


def _pair(op: str, left: Tensor | ArrayLike, right: Tensor | ArrayLike) -> tuple[Tensor, Tensor]:
    """Two operands as tensors that broadcast; a scalar takes the type of the other operand."""
    if not isinstance(left, Tensor):
        left = as_tensor(left, as_tensor(right).dtype)
    return left, left._operand(op, right)


def _stretch(y: np.ndarray, shape: tuple[int, ...], dim: Dim, keepdim: bool) -> np.ndarray:
    """Undo the shape of a reduction over `dim`: repeat `y` along the axes that were reduced."""
    return np.broadcast_to(y if keepdim or dim is None else np.expand_dims(y, dim), shape)


def _checksum(a: np.ndarray) -> int:
    """A number that changes when an element of `a` does, and when rows change places.

    Long arrays are first summed as whole numbers, which is exact, down to one row of 509 of them;
    the row is so long, a prime number, that rows of `a` that change places meet other columns.
    """
    a = np.ascontiguousarray(a)
    if a.nbytes < 2**14:
        return zlib.crc32(a)
    raw = a.reshape(-1).view(np.uint8)
    split = raw.size - raw.size % (8 * 509)
    row = raw[:split].view(np.uint64).reshape(-1, 509).sum(axis=0)
    return zlib.crc32(raw[split:], zlib.crc32(row))


def _sigmoid(a: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # e⁻ᵃ = ∞ gives the right limit, 0
        return 1 / (1 + np.exp(-a))


def _logsumexp(a: np.ndarray, dim: Dim) -> np.ndarray:
    """Logarithm ln Σeᵃ = m + ln Σeᵃ⁻ᵐ for any m; with the largest a as m no power overflows."""
    m = a.max(axis=dim, keepdims=True)
    m = np.where(np.isfinite(m), m, 0)  # −∞ − (−∞) would be NaN
    with np.errstate(divide="ignore"):  # ln 0 = −∞ is right where every a is −∞
        return m + np.log(np.exp(a - m).sum(axis=dim, keepdims=True))


def _joined(op: str, join: Callable, parents: Sequence[Tensor], dim: int) -> np.ndarray:
    try:
        return join([parent.data for parent in parents], axis=dim)
    except ValueError:
        shapes = ", ".join(str(parent.shape) for parent in parents)
        raise ValueError(f"{op}: shapes {shapes or '()'} do not join along axis {dim}") from None
