"""The graph stepper's pure functions: the graph of a tensor, its numbers, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import traitlets
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.engine import Tensor, maximum
from utils.widgets import GraphStepper
from utils.widgets.graph_stepper import graph_of, label, replay

number = st.floats(-4, 4).map(lambda value: round(value, 3))
drawn = settings(max_examples=25, deadline=None, database=None, derandomize=True)

EXPRESSIONS = {
    "product": ("abcd", lambda a, b, c, d: (a * b + c) * d.relu()),
    "neuron": ("wxbt", lambda w, x, b, t: ((w * x + b).sigmoid() - t) ** 2),
    "two paths": ("a", lambda a: a * a.tanh()),
    "twice": ("ab", lambda a, b: a * a - (-b) + 2 * a),
    "quotient": ("ab", lambda a, b: (a / (b**2 + 1)).exp().abs().log()),
}


def leaves(values):
    return [Tensor(value, requires_grad=True) for value in values]


def stepper(name, values, **state):
    names, f = EXPRESSIONS[name]
    tensors = leaves(values)
    return GraphStepper(f(*tensors), **dict(zip(names, tensors, strict=True)), **state)


@pytest.mark.parametrize("name", EXPRESSIONS)
@drawn
@given(st.data())
def test_values_and_gradients_are_pytorchs(name, data):
    names, f = EXPRESSIONS[name]
    values = data.draw(st.lists(number, min_size=len(names), max_size=len(names)))
    widget = stepper(name, [1.0] * len(names), inputs=values)
    tensors = [torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in values]
    result = f(*tensors)
    result.backward()
    np.testing.assert_allclose(widget.values["L"], result.item(), rtol=1e-12, atol=1e-15)
    for key, tensor in zip(names, tensors, strict=True):
        gradient = tensor.grad.item()
        np.testing.assert_allclose(widget.gradients[key], gradient, rtol=1e-12, atol=1e-15)


def test_inner_gradients_are_those_of_the_engine():
    a, b, c, d = tensors = leaves([2.0, -1.5, 4.0, 1.5])
    product = a * b
    total = product + c
    result = total * d.relu()
    product.retain_grad()
    total.retain_grad()
    result.backward()
    widget = GraphStepper(result, a=a, b=b, c=c, d=d, p=product)
    assert widget.gradients["p"] == product.grad
    assert widget.gradients["v₂"] == total.grad
    assert [widget.gradients[n] for n in "abcd"] == [t.grad for t in tensors]
    assert widget.gradients["L"] == 1


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_no_two_boxes_and_no_line_overlap(name):
    graph = stepper(name, [1.0] * len(EXPRESSIONS[name][0])).graph
    for i, node in enumerate(graph):
        assert all(p < i and graph[p].x < node.x for p in node.parents)
        for other in graph[:i]:
            assert other.x != node.x or abs(other.y - node.y) >= 1
        for p in node.parents:
            parent = graph[p]
            for other in graph:
                if parent.x < other.x < node.x:
                    share = (other.x - parent.x) / (node.x - parent.x)
                    assert abs(parent.y + share * (node.y - parent.y) - other.y) > 0.45


def test_inputs_come_in_the_order_of_reading():
    graph = stepper("product", [2.0, -1.5, 4.0, 1.5]).graph
    assert [node.name for node in graph if node.op == "input"] == list("abcd")
    assert [label(graph, i) for i in range(4, 8)] == [
        "v₁ = a × b",
        "v₂ = relu(d)",
        "v₃ = v₁ + c",
        "L = v₃ × v₂",
    ]


def test_a_constant_has_a_value_and_no_gradient():
    graph = stepper("twice", [1.0, 2.0]).graph
    (constant,) = [i for i, node in enumerate(graph) if node.op == "constant"]
    values, gradients = replay(graph, (1.0, 2.0))
    assert graph[constant].name == "2"
    assert values[constant] == 2
    assert np.isnan(gradients[constant])
    assert "2" not in stepper("twice", [1.0, 2.0]).gradients


def test_steps_count_operations_twice_and_the_start():
    assert stepper("product", [2.0, -1.5, 4.0, 1.5]).last == 9
    assert stepper("two paths", [1.0]).last == 5


def test_words_and_picture_tell_the_state():
    widget = stepper("neuron", [1.0, -2.0, 0.5, 1.0])
    assert "v₁ = × of w and x: value -2" in widget.describe()
    texts = [text.get_text() for text in widget.draw().axes[0].texts]
    assert "v₃ = σ(v₂)" in texts
    assert "0.182" in texts
    assert "∂ −1.64" in texts
    assert repr(widget) == "GraphStepper(inputs=(1.0, -2.0, 0.5, 1.0), step=0.0)"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"inputs": (1, 2)}, "inputs must be 4 numbers"),
        ({"inputs": (1, 2, 3, 5)}, "between -4 and 4"),
        ({"inputs": (1, 2, 3, float("nan"))}, "between -4 and 4"),
        ({"step": 10}, "whole number, 0 … 9"),
        ({"step": 1.5}, "whole number, 0 … 9"),
        ({"step": -1}, "between 0"),
    ],
)
def test_a_state_out_of_range_is_refused(state, words):
    widget = stepper("product", [2.0, -1.5, 4.0, 1.5])
    ((name, value),) = state.items()
    with pytest.raises(traitlets.TraitError, match=words):
        setattr(widget, name, value)
    assert widget.inputs == (2.0, -1.5, 4.0, 1.5)
    assert widget.step == 0


def test_a_graph_that_cannot_be_drawn_is_refused():
    a, b = leaves([1.0, 2.0])
    vector = Tensor(np.ones(3), requires_grad=True)
    with pytest.raises(ValueError, match="shape"):
        graph_of(vector.sum(), {"v": vector})
    with pytest.raises(ValueError, match="has no name"):
        graph_of(a * b, {"a": a})
    with pytest.raises(ValueError, match="b: not in the graph"):
        graph_of(a * a, {"a": a, "b": b})
    with pytest.raises(ValueError, match="'sum' cannot be drawn"):
        graph_of(a.sum() * b, {"a": a, "b": b})
    (large,) = leaves([5.0])
    with pytest.raises(ValueError, match="a is 5"):
        graph_of(large * b, {"a": large, "b": b})


def test_maximum_shares_a_tie():
    a, b = leaves([1.0, 1.0])
    widget = GraphStepper(maximum(a, b), a=a, b=b)
    assert widget.gradients == {"a": 0.5, "b": 0.5, "L": 1.0}
    assert label(widget.graph, 2) == "L = maximum(a, b)"


# ---------------------------------------------------------------- in the browser


def everything(a, b, c, d):
    """All operations that the widget knows, at values where each is defined."""
    upper = maximum(a * b - c, d) / (b**2 + 1)
    lower = (a.sigmoid() + c.tanh()).relu().softplus().sqrt()
    return (upper.abs() + 1).log() * lower + (-d).exp() ** -1.5


GRAPHS = {
    "product": ("abcd", lambda a, b, c, d: (a * b + c) * d.relu()),
    "neuron": ("wxbt", lambda w, x, b, t: ((w * x + b).sigmoid() - t) ** 2),
    "two paths": ("a", lambda a: a * a.tanh() + a * a),
    "everything": ("abcd", everything),
}


def make(name):
    names, f = GRAPHS[name]
    tensors = [Tensor(0.5 + 0.25 * k, requires_grad=True) for k in range(len(names))]
    return GraphStepper(f(*tensors), **dict(zip(names, tensors, strict=True)))


@pytest.mark.parametrize("name", GRAPHS)
def test_the_scripts_numbers_equal_the_engines(name, node):
    widget = make(name)
    rng = np.random.default_rng(0)
    ours = [node.op != "constant" for node in widget.graph]
    for k in range(40):
        inputs = rng.uniform(-4, 4, len(widget.inputs))
        inputs = np.round(inputs * 2) / 2 if k % 2 else inputs  # half of them on ties
        shown = node(widget).walk(widget.graph, inputs, widget.last)
        values, gradients = replay(widget.graph, inputs)
        assert all(shown["known"])
        for theirs, wanted in ((shown["values"], values), (shown["gradients"], gradients)):
            theirs = np.array(theirs, float)
            np.testing.assert_allclose(theirs[ours], wanted[ours], rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("name", GRAPHS)
def test_each_step_of_the_script_makes_one_thing_known(name, node):
    widget = make(name)
    steps = range(widget.last + 1)
    seen = [node(widget).walk(widget.graph, widget.inputs, step) for step in steps]
    ours = [node.op != "constant" for node in widget.graph]
    known = [int(np.array(state["known"])[ours].sum()) for state in seen]
    passed = [sum(g is not None for g in state["gradients"]) for state in seen]
    m = sum(bool(node.parents) for node in widget.graph)
    inputs = len(widget.inputs)
    assert known == [inputs + min(k, m) for k in steps]
    assert passed[: m + 2] == [0] * (m + 1) + [1]
    assert passed[-1] == m + inputs
    assert sorted(passed) == passed


def test_the_script_tells_each_step(node):
    widget = make("product")
    inputs = [2.0, -1.5, 4.0, 1.5]

    def told(step):
        state = node(widget).walk(widget.graph, inputs, step)
        return node(widget).explain(widget.graph, state, step)

    assert told(0) == "Only the inputs are known."
    assert told(1) == "Forward: v₁ = a × b = 2.00 × (−1.50) = −3.00"
    assert told(5) == "Backward starts: ∂L/∂L = 1."
    assert "to a: 1.50 × (−1.50) = −2.25; to b: 1.50 × 2.00 = 3.00" in told(9)


@pytest.mark.parametrize("name", GRAPHS)
def test_the_script_writes_operations_as_python_does(name, node):
    graph = make(name).graph
    for i, one in enumerate(graph):
        if one.parents:
            own = node(make(name)).written(one.op, [graph[p].name for p in one.parents])
            assert f"{one.name} = {own}" == label(graph, i)


def test_a_wrong_rule_is_seen(node):
    widget, right = make("product"), "[a * b, [b, a]]"
    assert right in widget._esm
    wrong = node(widget._esm.replace(right, "[a * b, [a, b]]"))
    inputs = [2.0, -1.5, 4.0, 1.5]
    gradients = replay(widget.graph, inputs)[1]
    assert wrong.walk(widget.graph, inputs, widget.last)["gradients"][0] != gradients[0]
    assert node(widget).walk(widget.graph, inputs, widget.last)["gradients"][0] == gradients[0]
