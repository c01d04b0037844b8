"""Closed arithmetic over symbols: an AST whitelist compiled to closures, never eval.

docs/spec-language.md lists what an expression may contain; anything else is an
ExpressionError that names the part and the allowed ones.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from opconform.harness.expr_functions import FUNCTIONS

Env = Mapping[str, Any]
Compiled = Callable[[Env], Any]

_BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}
_FIELDS = {"scale", "zero_point", "dtype", "shape", "begin", "end", "strides"} | {
    f"{name}_mask" for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
}
#: An exponent or a repetition above this is a mistake, or an attack on the reader's memory.
_LARGEST = 4096


class ExpressionError(ValueError):
    """An expression is malformed or fails; the message names the text and the part."""


class Expression:
    """A compiled expression: call it with a mapping of symbols; `names` are those it needs."""

    __slots__ = ("_run", "names", "text")

    def __init__(self, text: str, run: Compiled, names: frozenset[str]) -> None:
        self.text, self._run, self.names = text, run, names

    def __call__(self, env: Env) -> Any:
        try:
            return self._run(env)
        except KeyError as error:
            raise ExpressionError(f"'{self.text}': unknown symbol {error}; known: {', '.join(sorted(env))}") from error
        except (ArithmeticError, ValueError, TypeError, IndexError, AttributeError) as error:
            raise ExpressionError(f"'{self.text}' cannot be computed: {error}") from error

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"


@lru_cache(maxsize=4096)
def compile_expression(text: str) -> Expression:
    """Compile an expression; raise ExpressionError for anything outside the whitelist."""
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ExpressionError(f"'{text[:80]}' is not an expression: {error.args[0]}") from error
    names: set[str] = set()
    return Expression(text, _compile(tree.body, text, names), frozenset(names))


def _compile(node: ast.expr, text: str, names: set[str]) -> Compiled:
    match node:
        case ast.Constant(value=value) if isinstance(value, int | float | str):
            return lambda env: value
        case ast.Name(id=name):
            names.add(name)
            return lambda env: env[name]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _binary(type(op), _compile(left, text, names), _compile(right, text, names))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            inner = _compile(operand, text, names)
            return lambda env: -inner(env)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = _compile(operand, text, names)
            return lambda env: not inner(env)
        case ast.BoolOp(op=op, values=values):
            return _boolean(isinstance(op, ast.And), [_compile(v, text, names) for v in values])
        case ast.Compare():
            return _comparison(node, text, names)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            t, b, o = (_compile(part, text, names) for part in (test, body, orelse))
            return lambda env: b(env) if t(env) else o(env)
        case ast.List(elts=items) | ast.Tuple(elts=items):
            parts = [_compile(item, text, names) for item in items]
            return lambda env: tuple(part(env) for part in parts)
        case ast.Subscript(value=value, slice=index) if not isinstance(index, ast.Slice):
            v, i = _compile(value, text, names), _compile(index, text, names)
            return lambda env: v(env)[i(env)]
        case ast.Attribute(value=ast.Name(id=name), attr=attr) if attr in _FIELDS:
            names.add(name)
            return lambda env: getattr(env[name], attr)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
            return _call(name, args, text, names)
    part = ast.unparse(node)[:60]
    raise ExpressionError(f"'{text}': '{part}' is not allowed; see docs/spec-language.md, Expressions")


def _binary(kind: type[ast.operator], left: Compiled, right: Compiled) -> Compiled:
    apply = {ast.Pow: _power, ast.Mult: _product}.get(kind, _BINARY[kind])
    return lambda env: apply(left(env), right(env))


def _power(base: Any, exponent: Any) -> Any:
    if (abs(exponent) if isinstance(exponent, int) else np.max(np.abs(exponent))) > _LARGEST:
        raise ValueError(f"exponent {exponent} is above {_LARGEST}")
    if isinstance(base, int) and base.bit_length() * abs(exponent) > 16 * _LARGEST:
        raise ValueError(f"a power of more than {16 * _LARGEST} bits")
    return base**exponent


def _product(a: Any, b: Any) -> Any:
    for items, count in ((a, b), (b, a)):
        if isinstance(items, str | tuple) and isinstance(count, int) and len(items) * count > _LARGEST:
            raise ValueError(f"a repetition of more than {_LARGEST} items")
    return a * b


def _boolean(conjunction: bool, parts: list[Compiled]) -> Compiled:
    if conjunction:
        return lambda env: all(bool(part(env)) for part in parts)
    return lambda env: any(bool(part(env)) for part in parts)


def _comparison(node: ast.Compare, text: str, names: set[str]) -> Compiled:
    if any(type(op) not in _COMPARE for op in node.ops):
        raise ExpressionError(f"'{text}': only == != < <= > >= in, not in compare")
    operands = [_compile(part, text, names) for part in (node.left, *node.comparators)]
    tests = [_COMPARE[type(op)] for op in node.ops]

    def compare(env: Env) -> bool:
        values = [operand(env) for operand in operands]
        return all(_holds(test(a, b)) for test, a, b in zip(tests, values, values[1:], strict=False))

    return compare


def _holds(found: Any) -> bool:
    """Tell whether a comparison holds, for every element where arrays were compared."""
    return found if isinstance(found, bool) else bool(np.all(found))


def _call(name: str, args: list[ast.expr], text: str, names: set[str]) -> Compiled:
    if name not in FUNCTIONS:
        raise ExpressionError(f"'{text}': no function {name}; known: {', '.join(sorted(FUNCTIONS))}")
    function = FUNCTIONS[name]
    parts = [_compile(arg, text, names) for arg in args]
    return lambda env: function(*(part(env) for part in parts))
