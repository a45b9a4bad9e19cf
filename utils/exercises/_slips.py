"""The solution with one slip in it: each slip that a learner may make, and how to tell of it."""

from __future__ import annotations

import ast
import copy
import functools
import inspect
import textwrap
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SHORT = 24  # characters of the solution that a message may show
MOST = 400  # slips of one solution
OPERATORS = {
    ast.Add: ((ast.Sub, "a − stands where a + belongs"),
              (ast.Mult, "two things are multiplied that must be added")),
    ast.Sub: ((ast.Add, "a + stands where a − belongs"),),
    ast.Mult: ((ast.Div, "it is divided where it must be multiplied"),
               (ast.Add, "two things are added that must be multiplied")),
    ast.Div: ((ast.Mult, "it is multiplied where it must be divided"),
              (ast.FloorDiv, "// rounds down where / belongs")),
    ast.FloorDiv: ((ast.Div, "/ stands where // belongs"),),
    ast.MatMult: ((ast.Mult, "an entry-by-entry product stands where @ belongs"),),
    ast.BitAnd: ((ast.BitOr, "“or” stands where “and” belongs"),),
    ast.BitOr: ((ast.BitAnd, "“and” stands where “or” belongs"),),
    ast.Mod: ((ast.FloorDiv, "// stands where % belongs"),),
}  # fmt: skip
COMPARISONS = {
    ast.Lt: ((ast.LtE, "a tie is decided the wrong way: compare with <, not ≤"),
             (ast.Gt, "a comparison is turned round: > stands where < belongs")),
    ast.LtE: ((ast.Lt, "a tie is decided the wrong way: compare with ≤, not <"),
              (ast.GtE, "a comparison is turned round: ≥ stands where ≤ belongs")),
    ast.Gt: ((ast.GtE, "a tie is decided the wrong way: compare with >, not ≥"),
             (ast.Lt, "a comparison is turned round: < stands where > belongs")),
    ast.GtE: ((ast.Gt, "a tie is decided the wrong way: compare with ≥, not >"),
              (ast.LtE, "a comparison is turned round: ≤ stands where ≥ belongs")),
    ast.Eq: ((ast.NotEq, "a comparison is turned round: “equal” is asked for"),),
    ast.NotEq: ((ast.Eq, "a comparison is turned round: “different” is asked for"),),
}  # fmt: skip
NAMES = {
    "mean": ("sum", "max", "median"), "sum": ("mean", "max", "prod"),
    "max": ("min", "sum", "mean"), "min": ("max", "sum", "mean"),
    "var": ("std", "ptp"), "std": ("var", "ptp"),
    "argmax": ("argmin", "max"), "argmin": ("argmax", "min"),
    "maximum": ("minimum", "add"), "minimum": ("maximum", "add"),
    "exp": ("exp2", "expm1"), "log": ("log2", "log10", "log1p"), "sin": ("cos",),
    "cos": ("sin",), "tanh": ("sin", "arctan"), "ones": ("zeros",), "zeros": ("ones",),
    "zeros_like": ("ones_like",), "ones_like": ("zeros_like",), "cumsum": ("cumprod",),
    "norm": ("max", "sum"), "argsort": ("sort",), "floor": ("ceil", "round"),
    "eigvalsh": ("svdvals",), "unique": ("sort",), "triu": ("tril",), "tril": ("triu",),
}  # fmt: skip
WRAPPERS = {"sqrt", "exp", "log", "log1p", "tanh", "abs", "square", "sign", "cumsum", "sort",
            "round", "argsort", "flip", "diff", "unique", "float", "int", "norm"}  # fmt: skip


class Slip(NamedTuple):
    """The solution with a slip, and what to tell of it."""

    text: str
    function: Callable


@functools.cache
def slips(function: Callable) -> tuple[Slip, ...]:
    """All slips of a solution; none if it holds an open loop, which might never end."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return ()
    definition = tree.body[0]
    if not isinstance(definition, ast.FunctionDef):
        return ()
    definition.decorator_list = []
    if ast.get_docstring(definition):
        definition.body = definition.body[1:]
    nodes = [node for part in definition.body for node in ast.walk(part)]
    if any(isinstance(node, ast.While) for node in nodes):
        return ()
    names = [argument.arg for argument in definition.args.args]
    found = []
    for place, node in enumerate(nodes):
        for text, changed in _changes(node, names):
            twin = copy.deepcopy(tree)
            copies = [n for part in twin.body[0].body for n in ast.walk(part)]
            _replace(twin, copies[place], changed)
            found.append(Slip(text, _compiled(twin, function)))
    return tuple(found[:MOST])


def _compiled(tree: ast.Module, original: Callable) -> Callable:
    scope: dict = {}
    exec(compile(ast.fix_missing_locations(tree), "<slip>", "exec"), original.__globals__, scope)
    return scope[original.__name__]


def _replace(tree: ast.AST, old: ast.AST, new: ast.AST | None) -> None:
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is old and new is not None:
                setattr(parent, name, new)
            elif isinstance(value, list) and any(item is old for item in value):
                at = next(i for i, item in enumerate(value) if item is old)
                value[at : at + 1] = [new] if new is not None else []
                if not value and name == "body":
                    value.append(ast.Pass())


def _shown(node: ast.AST, names: list[str]) -> str:
    """A short part of the solution that is made of the arguments alone; else nothing."""
    inside = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    text = ast.unparse(node)
    return f" {text}" if inside <= {*names, "np", "len"} and len(text) <= SHORT else ""


def _the(word: str, node: ast.AST, names: list[str]) -> str:
    """Name a factor or a term if it can be shown: the factor 1 - p; else: a factor."""
    shown = _shown(node, names)
    return f"the {word}{shown}" if shown else f"a {word}"


def _changes(node: ast.AST, names: list[str]) -> Iterator[tuple[str, ast.AST | None]]:
    """What can stand in a node's place, with what to tell of it; None takes it out."""
    match node:
        case ast.BinOp(left=left, op=op, right=right):
            for other, text in OPERATORS.get(type(op), ()):
                yield text, ast.BinOp(left, other(), right)
            yield from _dropped(left, op, right, names)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            yield "a minus is missing", operand
        case ast.UnaryOp(op=ast.Invert() | ast.Not(), operand=operand):
            yield "a condition is turned round", operand
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            for other, text in COMPARISONS.get(type(op), ()):
                yield text, ast.Compare(left, [other()], [right])
        case ast.BoolOp(op=op, values=values):
            other = ast.Or() if isinstance(op, ast.And) else ast.And()
            yield "“and” and “or” are confused", ast.BoolOp(other, values)
            for one in values:
                yield "one of two conditions is left out", one
        case ast.IfExp(test=test, body=body, orelse=orelse):
            yield "the two cases are exchanged", ast.IfExp(test, orelse, body)
            yield "one of two cases is left out", body
            yield "one of two cases is left out", orelse
        case ast.If(test=test, body=body, orelse=orelse):
            turned = ast.UnaryOp(ast.Not(), test)
            yield "a condition is turned round", ast.If(turned, body, orelse)
            yield "a condition is left out", ast.If(ast.Constant(True), body, orelse)
            yield "a case is left out", ast.If(ast.Constant(False), body, orelse)
        case ast.AugAssign(target=target, op=op, value=value):
            yield (
                "a value is overwritten that must be added up",
                ast.Assign([_stored(target)], value),
            )
            for other, text in OPERATORS.get(type(op), ()):
                yield text, ast.AugAssign(target, other(), value)
        case ast.Call():
            yield from _called(node, names)
        case ast.Attribute(value=value, attr="T" | "mT"):
            yield "a transpose is missing", value
        case ast.Name(id=name, ctx=ast.Load()) if name in names:
            for other in names:
                if other != name:
                    yield (
                        f"{other} stands where {name} belongs, at one place",
                        ast.Name(other, ast.Load()),
                    )
        case ast.Constant(value=value) if type(value) in (int, float):
            for other in dict.fromkeys((value + 1, value - 1, 2 * value, value / 2, -value)):
                if other != value and (other == int(other) or isinstance(value, float)):
                    number = int(other) if isinstance(value, int) else other
                    yield f"a {number:g} stands where a {value:g} belongs", ast.Constant(number)
        case ast.Slice(lower=lower, upper=upper, step=step):
            yield from _sliced(lower, upper, step)
        case ast.Subscript(value=value, slice=index) if not isinstance(node.ctx, ast.Store):
            if isinstance(index, ast.Slice | ast.Compare):
                yield "a selection, […], is missing", value


def _stored(target: ast.expr) -> ast.expr:
    target = copy.deepcopy(target)
    target.ctx = ast.Store()
    return target


def _dropped(
    left: ast.expr, op: ast.operator, right: ast.expr, names: list[str]
) -> Iterator[tuple[str, ast.AST]]:
    """One operand without the other."""
    match op:
        case ast.Mult():
            yield f"{_the('factor', right, names)} is missing", left
            yield f"{_the('factor', left, names)} is missing", right
            for one in (left, right):
                other = right if one is left else left
                again = ast.BinOp(ast.BinOp(left, ast.Mult(), right), ast.Mult(), one)
                yield f"{_the('factor', one, names)} comes once too often", again
                turned = ast.BinOp(ast.Constant(1), ast.Sub(), one)
                yield (
                    f"1 minus{_shown(one, names) or ' a factor'} stands where it belongs itself",
                    (ast.BinOp(turned, ast.Mult(), other)),
                )
        case ast.Div():
            yield f"the division by{_shown(right, names) or ' something'} is missing", left
            yield "a fraction is upside down", ast.BinOp(right, op, left)
            yield "a fraction is only its denominator", right
            root = _numpy("sqrt", right)
            yield (
                f"it is divided by the root of{_shown(right, names) or ' the right thing'}",
                (ast.BinOp(left, op, root)),
            )
            yield (
                f"it is divided by the square of{_shown(right, names) or ' the right thing'}",
                (ast.BinOp(left, op, ast.BinOp(right, ast.Pow(), ast.Constant(2)))),
            )
        case ast.Add():
            yield f"{_the('term', right, names)} is missing", left
            yield f"{_the('term', left, names)} is missing", right
            for one, other in ((left, right), (right, left)):
                twice = ast.BinOp(ast.Constant(2), ast.Mult(), one)
                yield f"{_the('term', one, names)} comes twice", ast.BinOp(twice, op, other)
        case ast.Sub():
            yield f"the term −{(_shown(right, names) or ' …').strip()} is missing", left
            yield "a difference has the wrong sign", ast.BinOp(right, op, left)
            yield "only what must be subtracted is left", right
            yield (
                "an absolute value is taken of a difference",
                _numpy("abs", ast.BinOp(left, op, right)),
            )
        case ast.Pow():
            power = f" {right.value}" if isinstance(right, ast.Constant) else ""
            yield f"the power{power} is missing", left
            if power == " 2":
                yield "the size is taken, |…|, where the square belongs", _numpy("abs", left)
        case ast.MatMult():
            yield "a matrix product is missing", left
            yield "a matrix product is missing", right
            shape, last = ast.Attribute(left, "shape", ast.Load()), ast.Constant(-1)
            length = ast.Subscript(shape, last, ast.Load())
            yield (
                "the products of an @ are averaged: they must be added up",
                ast.BinOp(ast.BinOp(left, op, right), ast.Div(), length),
            )
            yield "the factors of @ are exchanged", ast.BinOp(right, op, left)
            for one, other, turned in ((left, right, True), (right, left, False)):
                flipped = ast.Attribute(one, "T", ast.Load())
                pair = (flipped, other) if turned else (other, flipped)
                yield "a matrix is transposed that must not be", ast.BinOp(pair[0], op, pair[1])
        case ast.BitAnd() | ast.BitOr():
            yield "one of two conditions is left out", left
            yield "one of two conditions is left out", right


def _numpy(name: str, *args: ast.expr) -> ast.Call:
    return ast.Call(ast.Attribute(ast.Name("np", ast.Load()), name, ast.Load()), list(args), [])


def _called(node: ast.Call, names: list[str]) -> Iterator[tuple[str, ast.AST]]:
    """Another function, a call that is missing, other arguments."""
    function, args, keywords = node.func, node.args, node.keywords
    name = getattr(function, "attr", getattr(function, "id", ""))

    def called(function: ast.expr = function, args: list = args, keywords: list = keywords):
        return ast.Call(function, args, keywords)

    is_method = isinstance(function, ast.Attribute) and not (
        isinstance(function.value, ast.Name) and function.value.id == "np"
    )
    for other in NAMES.get(name, ()):
        if isinstance(function, ast.Attribute):
            renamed = ast.Attribute(function.value, other, function.ctx)
            made = called(renamed)
            if is_method and other in ("median", "ptp"):
                made = ast.Call(
                    ast.Attribute(ast.Name("np", ast.Load()), other, ast.Load()),
                    [function.value, *args], keywords,
                )  # fmt: skip
            yield f"{_word(other)} is taken where {_word(name)} belongs", made
    if name in WRAPPERS and args:
        yield f"{_word(name)} is missing", args[0]
    if name == "exp" and args:
        yield "exp gets the wrong sign", called(args=[ast.UnaryOp(ast.USub(), args[0])])
    if name == "tanh" and args:
        minus = _numpy("exp", ast.UnaryOp(ast.USub(), args[0]))
        sigma = ast.BinOp(ast.Constant(1), ast.Div(), ast.BinOp(ast.Constant(1), ast.Add(), minus))
        yield "a sigmoid is taken where tanh belongs", sigma
        relu = _numpy("maximum", args[0], ast.Constant(0))
        yield "a ReLU is taken where tanh belongs", relu
    if name in ("sum", "mean", "max", "min") and is_method:
        yield f"{_word(name)} is missing", function.value
    if name == "where" and len(args) == 3:
        yield "the two cases of np.where are exchanged", called(args=[args[0], args[2], args[1]])
        yield "one of the two cases is given everywhere", args[1]
        yield "one of the two cases is given everywhere", args[2]
    if name in ("var", "std") and not any(k.arg == "ddof" for k in keywords):
        ddof = ast.keyword("ddof", ast.Constant(1))
        yield f"{_word(name)} is divided by N − 1: divide by N", called(keywords=[*keywords, ddof])
    if name in ("maximum", "minimum", "logaddexp") and len(args) == 2:
        yield f"{name} is missing: one side is given everywhere", args[0]
        yield f"{name} is missing: one side is given everywhere", args[1]
    if name == "range" and len(args) == 1:
        one = ast.Constant(1)
        yield (
            "a loop is one step too short at its end",
            called(args=[ast.BinOp(args[0], ast.Sub(), one)]),
        )
        yield "a loop leaves out its first step", called(args=[one, args[0]])
    if name == "linspace" and len(args) == 3:
        open_end = ast.keyword("endpoint", ast.Constant(False))
        yield "the end of np.linspace is left out", called(keywords=[*keywords, open_end])
    if name in ("softmax", "_softmax", "sigmoid", "_sigmoid") and args:
        yield f"the {name.strip('_')} is missing", args[0]
    if name == "transpose" and is_method and args:
        yield "transpose is missing", function.value
    for i, keyword in enumerate(keywords):
        rest = keywords[:i] + keywords[i + 1 :]
        if keyword.arg == "axis" and isinstance(keyword.value, ast.Constant | ast.UnaryOp):
            axis = ast.unparse(keyword.value)
            for other in ("0", "1", "-1", "2"):
                if other == axis:
                    continue
                replaced = ast.keyword("axis", ast.parse(other).body[0].value)
                yield (
                    f"{_word(name)} is taken along axis {other}, not along axis {axis}",
                    called(keywords=[*rest, replaced]),
                )
            yield (
                f"{_word(name)} is taken over everything, not along axis {axis}",
                called(keywords=rest),
            )
        elif keyword.arg == "ddof":
            yield f"{_word(name)} is divided by N: divide by N − 1", called(keywords=rest)
        elif keyword.arg == "keepdims":
            yield "keepdims=True is missing", called(keywords=rest)


def _sliced(
    lower: ast.expr | None, upper: ast.expr | None, step: ast.expr | None
) -> Iterator[tuple[str, ast.AST]]:
    one, last = ast.Constant(1), ast.UnaryOp(ast.USub(), ast.Constant(1))
    if step is not None:
        yield "the order is not turned round, [::-1]", ast.Slice(lower, upper, None)
    if lower is not None:
        yield (
            "a part begins one place too late",
            ast.Slice(ast.BinOp(lower, ast.Add(), one), upper, step),
        )
        yield "a part begins at 0, too early", ast.Slice(None, upper, step)
        yield (
            "a part begins one place too early",
            ast.Slice(ast.BinOp(lower, ast.Sub(), one), upper, step),
        )
    if upper is not None:
        yield (
            "a part ends one place too late",
            ast.Slice(lower, ast.BinOp(upper, ast.Add(), one), step),
        )
        yield (
            "a part ends one place too early",
            ast.Slice(lower, ast.BinOp(upper, ast.Sub(), one), step),
        )
    if ast.unparse(ast.Slice(lower, upper, step)) == "1:":
        yield "the last is left out where the first must be", ast.Slice(None, last, None)
    if ast.unparse(ast.Slice(lower, upper, step)) == ":-1":
        yield "the first is left out where the last must be", ast.Slice(one, None, None)


def _word(name: str) -> str:
    return {
        "mean": "a mean", "sum": "a sum", "max": "the largest", "min": "the smallest",
        "var": "a variance", "std": "a standard deviation", "median": "a median",
        "ptp": "a range", "exp": "exp", "log": "the natural logarithm", "sqrt": "the root",
        "norm": "the length", "prod": "a product", "abs": "the absolute value",
        "square": "the square", "argmax": "the place of the largest",
        "argmin": "the place of the smallest",
    }.get(name, f"{name}")  # fmt: skip
