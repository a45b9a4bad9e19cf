"""Small changes to a function's code, each of which a good check of its results must notice."""

from __future__ import annotations

import ast
import copy
import inspect
import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OPERATORS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.And: ast.Or, ast.Or: ast.And,
    ast.FloorDiv: ast.Div, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
NAMES = {
    "mean": "sum", "sum": "mean", "max": "min", "min": "max",
    "argmax": "argmin", "argmin": "argmax",
    "maximum": "minimum", "minimum": "maximum", "log": "exp", "exp": "log", "sin": "cos",
    "cos": "sin", "tanh": "sin", "std": "var", "var": "std", "ones": "zeros", "zeros": "ones",
    "zeros_like": "ones_like", "ones_like": "zeros_like",
}  # fmt: skip


def mutants(function: Callable) -> Iterator[tuple[str, Callable]]:
    """Pairs (what was changed, the changed function), for every change that the rules know."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    definition = tree.body[0]
    definition.decorator_list = []
    if ast.get_docstring(definition):
        definition.body = definition.body[1:]
    places = [node for part in definition.body for node in ast.walk(part)]
    for place, node in enumerate(places):
        for changed in _changes(node):
            twin = copy.deepcopy(tree)
            nodes = [n for part in twin.body[0].body for n in ast.walk(part)]
            _replace(twin, nodes[place], changed)
            what = f"{_text(node)} → {_text(changed)}"
            yield what, _compile(twin, function)


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    """What can stand in a node's place."""
    match node:
        case ast.BinOp(left=left, op=op, right=right):
            if type(op) in OPERATORS:
                yield ast.BinOp(left, OPERATORS[type(op)](), right)
            if isinstance(op, ast.MatMult):
                yield ast.BinOp(right, op, left)
            else:
                yield left
            if isinstance(op, ast.Add | ast.Sub | ast.Mult):
                yield right
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in OPERATORS:
            yield ast.Compare(left, [OPERATORS[type(op)]()], [right])
        case ast.BoolOp(op=op, values=values):
            yield ast.BoolOp(OPERATORS[type(op)](), values)
            yield values[0]
        case ast.UnaryOp(operand=operand):
            yield operand
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value)):
            yield ast.Constant(value + 1)
            yield ast.Constant(1 - value)  # the other of two axes
        case ast.Constant(value=float(value)):
            yield ast.Constant(value * 1.25 if value else 1.0)
        case ast.Attribute(attr="T" | "mT", value=value):
            yield value
        case ast.Attribute(attr=name) if name in NAMES:
            changed = copy.deepcopy(node)
            changed.attr = NAMES[name]
            yield changed
        case ast.IfExp(body=body, orelse=orelse):
            yield body
            yield orelse
        case ast.If() | ast.AugAssign() | ast.Assert():
            yield ast.Pass()


def _replace(tree: ast.AST, old: ast.AST, new: ast.AST) -> None:
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, name, new)
                return
            if isinstance(value, list) and any(each is old for each in value):
                value[[each is old for each in value].index(True)] = new
                return


def _compile(tree: ast.AST, function: Callable) -> Callable:
    scope: dict[str, Any] = dict(inspect.unwrap(function).__globals__)
    exec(compile(ast.fix_missing_locations(tree), "<mutant>", "exec"), scope)
    return scope[function.__name__]


def _text(node: ast.AST) -> str:
    return " ".join(ast.unparse(ast.fix_missing_locations(node)).split())
