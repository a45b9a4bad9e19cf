"""Graph stepper: values flow forward through a graph, gradients flow back, one node a step."""

from __future__ import annotations

import itertools
import operator
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import traitlets

from utils import plotting
from utils.engine import Tensor, maximum, topological_order
from utils.widgets._hero import Hero, Numbers, script

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.figure import Figure

LIMIT = 4.0  # inputs may go from −4 to 4
UNARY: dict[str, Callable[[Tensor], Tensor]] = {
    "-": operator.neg,
    **{name: getattr(Tensor, name) for name in ("exp", "log", "sqrt", "abs", "relu", "tanh")},
    **{name: getattr(Tensor, name) for name in ("sigmoid", "softplus")},
}
BINARY: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "+": operator.add,
    "-": operator.sub,
    "×": operator.mul,
    "/": operator.truediv,
    "maximum": maximum,
}


class Node(NamedTuple):
    """One node of a graph as the widget draws it.

    Attributes:
        name: what the reader calls it; a constant is called by its value.
        op: the engine's name of the operation, ``"input"`` or ``"constant"``.
        parents: the places of its operands in the graph.
        value: the value of an input or a constant at the start.
        x: column, from 0 at the left.
        y: row, from 0 at the top.

    """

    name: str
    op: str
    parents: tuple[int, ...]
    value: float
    x: float
    y: float


def graph_of(result: Tensor, names: dict[str, Tensor]) -> tuple[Node, ...]:
    """The graph behind `result`, a single number, parents before children.

    Inputs come in the order of `names`. Nodes without a name are called v₁, v₂, … and the result L.

    Raises:
        ValueError: a node is no single number, its operation cannot be drawn, an input that
            requires a gradient has no name, or a name belongs to no node.

    """
    order = _reading_order(result, list(names.values()))
    place = {tensor: i for i, tensor in enumerate(order)}
    strangers = [name for name, tensor in names.items() if tensor not in place]
    if strangers:
        raise ValueError(f"{', '.join(strangers)}: not in the graph of this result")
    called = {tensor: name for name, tensor in names.items()}
    numbers = itertools.count(1)
    for tensor in order:
        _refuse(tensor, called)
        if tensor.op and tensor not in called:
            called[tensor] = "L" if tensor is result else f"v{_subscript(next(numbers))}"
        elif not tensor.op:
            called.setdefault(tensor, f"{tensor.item():g}".replace("-", "−"))
    parents = [tuple(place[parent] for parent in tensor.parents) for tensor in order]
    leaf = ["input" if tensor.requires_grad else "constant" for tensor in order]
    spots = _layout(parents)
    return tuple(
        Node(called[t], t.op or leaf[i], parents[i], 0.0 if t.op else t.item(), *spots[i])
        for i, t in enumerate(order)
    )


def replay(graph: Sequence[Node], inputs: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Values and gradients ∂L/∂v of all nodes for other inputs, computed by the engine.

    A constant has no gradient: NaN.

    Args:
        graph: as `graph_of` gives it.
        inputs: one value for each input, in the order of the graph.

    """
    given, tensors = iter(inputs), []
    for node in graph:
        operands = [tensors[i] for i in node.parents]
        if node.op == "input":
            tensor = Tensor(next(given), requires_grad=True)
        elif node.op == "constant":
            tensor = Tensor(node.value)
        elif node.op.startswith("^"):
            tensor = operands[0] ** float(node.op[1:])
        else:
            tensor = (UNARY if len(operands) == 1 else BINARY)[node.op](*operands)
        if tensor.op:
            tensor.retain_grad()
        tensors.append(tensor)
    with np.errstate(all="ignore"):
        tensors[-1].backward()
    gradients = [np.nan if tensor.grad is None else tensor.grad.item() for tensor in tensors]
    return np.array([tensor.item() for tensor in tensors]), np.array(gradients)


class GraphStepper(Hero):
    """Step through a graph that the engine has recorded: forward for values, back for gradients.

    ```python
    a, b = Tensor(2.0, requires_grad=True), Tensor(-1.0, requires_grad=True)
    stepper = GraphStepper(((a * b).tanh() + a) ** 2, a=a, b=b)
    stepper.step = stepper.last
    stepper.gradients["a"]
    ```

    A step computes one operation, then the result's own gradient 1 is set, then each step sends one
    operation's gradient back to its operands.

    Attributes:
        graph: the nodes, as `graph_of` gives them; fixed.
        inputs: one value for each input, −4 … 4, in the order of the names.
        step: 0 (only the inputs are known) … `last` (all is known).

    Raises:
        ValueError: the graph cannot be drawn; see `graph_of`.
        traitlets.TraitError: inputs or step out of range.

    """

    STATE = ("inputs", "step")
    CONSTANTS: ClassVar = {"LIMITS": (-LIMIT, LIMIT)}
    _esm = script("graph_stepper")

    graph = traitlets.Tuple(read_only=True).tag(sync=True)
    inputs = traitlets.Tuple().tag(sync=True)
    step = Numbers(0.0, 0, 9999).tag(sync=True)

    def __init__(self, result: Tensor, /, **named: Any) -> None:
        """Take the graph of `result`; keywords name its nodes, or set `step` and `caption`."""
        nodes = {name: value for name, value in named.items() if isinstance(value, Tensor)}
        graph = graph_of(result, nodes)
        self._start = tuple(node.value for node in graph if node.op == "input")
        options = {name: value for name, value in named.items() if name not in nodes}
        self._operations = sum(bool(node.parents) for node in graph)
        self.set_trait("graph", graph)
        super().__init__(**{"inputs": self._start} | options)

    @traitlets.validate("inputs")
    def _validate_inputs(self, proposal: dict[str, Any]) -> tuple[float, ...]:
        trait = Numbers(self._start, -LIMIT, LIMIT)
        trait.name = "inputs"
        return trait.validate(self, proposal["value"])

    @traitlets.validate("step")
    def _validate_step(self, proposal: dict[str, Any]) -> float:
        step = proposal["value"]
        if step % 1 or step > self.last:
            raise traitlets.TraitError(
                f"step must be a whole number, 0 … {self.last}; got {step:g}"
            )
        return step

    @property
    def last(self) -> int:
        """The number of steps until every value and every gradient is known."""
        return 2 * self._operations + 1

    @property
    def values(self) -> dict[str, float]:
        """The value of each node but constants by name, whatever the step."""
        return self._by_name(0)

    @property
    def gradients(self) -> dict[str, float]:
        """∂L/∂v of each node by name, whatever the step."""
        return self._by_name(1)

    def describe(self) -> str:
        """Return the present state in words."""
        rows = []
        for node in self.graph:
            if node.op == "constant":
                continue
            operands = " and ".join(self.graph[i].name for i in node.parents)
            made = f" = {node.op} of {operands}" if operands else ""
            rows.append(
                f"{node.name}{made}: value {self.values[node.name]:.3g}, gradient "
                f"{self.gradients[node.name]:.3g}"
            )
        return f"A graph of {len(rows)} nodes. {'; '.join(rows)}."

    def draw(self) -> Figure:
        """Return the graph with all values and gradients."""
        values, gradients = replay(self.graph, self.inputs)
        columns = max(node.x for node in self.graph) + 1
        rows = max(node.y for node in self.graph) + 1
        fig, ax = plotting.figure(width=1.65 * columns, height=0.95 * rows)
        ax.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.45, -0.55))
        ax.set_axis_off()
        for i, node in enumerate(self.graph):
            for p in node.parents:
                parent = self.graph[p]
                ax.annotate(
                    "",
                    (node.x - 0.36, node.y),
                    (parent.x + 0.36, parent.y),
                    arrowprops={"arrowstyle": "->", "color": plotting.GRAY, "lw": 1.5},
                )
            ax.text(
                node.x,
                node.y - 0.24,
                label(self.graph, i),
                ha="center",
                va="center",
                bbox={"boxstyle": "square,pad=0.2", "fc": "none", "ec": "none"},
            )
            ax.text(
                node.x,
                node.y,
                f"{values[i]:.3g}".replace("-", "−"),
                color=plotting.BLUE,
                ha="center",
                va="center",
            )
            if not np.isnan(gradients[i]):
                ax.text(
                    node.x,
                    node.y + 0.24,
                    f"∂ {gradients[i]:.3g}".replace("-", "−"),
                    color=plotting.ORANGE,
                    ha="center",
                    va="center",
                )
            ax.add_patch(_box(node))
        return fig

    def _by_name(self, part: int) -> dict[str, float]:
        numbers = replay(self.graph, self.inputs)[part]
        return {
            node.name: float(number)
            for node, number in zip(self.graph, numbers, strict=True)
            if node.op != "constant"
        }


def label(graph: Sequence[Node], i: int) -> str:
    """What stands in the first line of node i: ``v₁ = a × b``."""
    node = graph[i]
    names = [graph[p].name for p in node.parents]
    if not names:
        return node.name
    if node.op.startswith("^"):
        return f"{node.name} = {names[0]}{_power(node.op[1:])}"
    if len(names) == 2 and node.op != "maximum":
        return f"{node.name} = {names[0]} {node.op.replace('-', '−')} {names[1]}"
    op = {"-": "−", "sigmoid": "σ"}.get(node.op, node.op)
    return f"{node.name} = {op}({', '.join(names)})"


def _box(node: Node) -> Any:
    from matplotlib.patches import FancyBboxPatch

    return FancyBboxPatch(
        (node.x - 0.36, node.y - 0.36),
        0.72,
        0.72,
        boxstyle="round,pad=0,rounding_size=0.08",
        facecolor="none",
        edgecolor=plotting.GRAY,
    )


def _refuse(tensor: Tensor, called: dict[Tensor, str]) -> None:
    """Raise ValueError for a node that the widget cannot show."""
    what = called.get(tensor) or tensor.op or "an input"
    if tensor.shape != ():
        raise ValueError(f"{what} has shape {tensor.shape}: only single numbers can be drawn")
    if not tensor.op and tensor.requires_grad:
        if tensor not in called:
            raise ValueError("an input that requires a gradient has no name: GraphStepper(y, a=a)")
        if abs(tensor.item()) > LIMIT:
            raise ValueError(f"{what} is {tensor.item():g}; inputs may go from −4 to 4")
    known = UNARY if len(tensor.parents) == 1 else BINARY
    if tensor.op and tensor.op not in known and not tensor.op.startswith("^"):
        raise ValueError(f"the operation {tensor.op!r} cannot be drawn; known: {', '.join(known)}")


def _reading_order(result: Tensor, named: list[Tensor]) -> list[Tensor]:
    """Leaves in the order of their names, constants, then operations, the shallow ones first."""
    backward = topological_order(result)[::-1]  # left operands first
    depth: dict[Tensor, int] = {}
    for tensor in reversed(backward):
        depth[tensor] = 1 + max((depth[parent] for parent in tensor.parents), default=-1)
    leaves = [tensor for tensor in named if not tensor.op and tensor in depth]
    rest = [tensor for tensor in backward if tensor not in set(leaves)]
    return leaves + sorted(rest, key=depth.__getitem__)


def _layout(parents: Sequence[tuple[int, ...]]) -> list[tuple[float, float]]:
    """Column and row of each node: leaves beside their first user, operations amid their operands.

    Two nodes of one column stand at least one row apart; a node in the way of a longer line steps
    aside.
    """
    depth = [0] * len(parents)
    for i, own in enumerate(parents):
        depth[i] = 1 + max((depth[p] for p in own), default=-1)
    for i, own in enumerate(parents):
        if not own:
            depth[i] = min((depth[k] for k, of in enumerate(parents) if i in of), default=1) - 1
    leaves = (i for i, own in enumerate(parents) if not own)
    row = {i: float(k) for k, i in enumerate(leaves)}
    for column in range(max(depth) + 1):
        members = [i for i, d in enumerate(depth) if d == column]
        for i in members:
            if parents[i]:
                row[i] = sum(row[p] for p in parents[i]) / len(parents[i])
                if any(
                    row[p] == row[i] and p in parents[k] and depth[k] > column
                    for p in parents[i]
                    for k in range(i + 1, len(parents))
                ):
                    row[i] += 1
        free = -np.inf
        for i in sorted(members, key=row.__getitem__):
            row[i] = max(row[i], free)
            free = row[i] + 1
    return [(float(depth[i]), row[i]) for i in range(len(parents))]


def _subscript(number: int) -> str:
    return str(number).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


def _power(text: str) -> str:
    return text.translate(str.maketrans("0123456789.-", "⁰¹²³⁴⁵⁶⁷⁸⁹·⁻"))
