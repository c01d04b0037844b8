"""Operators that are one function of NumPy per element, as stored: nothing to compile, nothing allocated.

MAXIMUM, MINIMUM, LOGICAL_*, BITWISE_XOR, RIGHT_SHIFT, FLOOR_DIV, FLOOR_MOD, POW, ATAN2, and SQUARED_DIFFERENCE of
plain numbers. The functions work on views that broadcast, in dtypes that need no conversion, which is when NumPy
works in place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from opconform.harness.model import Array, Shape
from opconform.runtimes.lite import shapes
from opconform.runtimes.lite.graph import Memory, Node, Operand, Prepared, Step
from opconform.runtimes.lite.kernels.binary import prepare_arithmetic
from opconform.runtimes.lite.quantize import activation, same_quantization

Check = Callable[[Node, Array], None]


def _no_check(node: Node, b: Array) -> None:
    return


def _no_zero(node: Node, b: Array) -> None:
    if np.count_nonzero(b) != b.size:
        raise node.invalid(f"{b.size - np.count_nonzero(b)} divisors are zero")


def _no_negative(node: Node, b: Array) -> None:
    if b.dtype.kind == "i" and b.size and b.min() < 0:
        raise node.invalid("an integer has no negative power")


@dataclass(frozen=True, slots=True)
class Rule:
    """What an operator computes, and of what: dtypes by name, or whatever kinds it refuses for good."""

    function: Callable[..., Any]
    dtypes: tuple[str, ...]
    check: Check = _no_check


_INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32")
_ORDERED = ("float32", "float16", "bfloat16", "int8", "uint8", "int16", "int32", "int64")
_RULES: Mapping[str, Rule] = {
    "ATAN2": Rule(np.arctan2, ("float32", "float16", "bfloat16", "float64")),
    "BITWISE_XOR": Rule(np.bitwise_xor, _INTEGERS),
    "FLOOR_DIV": Rule(np.floor_divide, ("float32", "int8", "int16", "int32"), _no_zero),
    "FLOOR_MOD": Rule(np.mod, ("float32", "int8", "int16", "int32", "int64"), _no_zero),
    "LOGICAL_AND": Rule(np.logical_and, ("bool",)),
    "LOGICAL_NOT": Rule(np.logical_not, ("bool",)),
    "LOGICAL_OR": Rule(np.logical_or, ("bool",)),
    "MAXIMUM": Rule(np.maximum, _ORDERED),
    "MINIMUM": Rule(np.minimum, _ORDERED),
    "MUL": Rule(np.multiply, ("complex64",)),
    "POW": Rule(np.power, ("float32", "int32"), _no_negative),
    "RIGHT_SHIFT": Rule(np.right_shift, _INTEGERS),
    "SQUARED_DIFFERENCE": Rule(np.subtract, ("float32", "int32")),
}


def prepare(node: Node) -> Prepared:
    """Prepare any operator of two tensors above: one dtype, broadcasting (ATAN2: one shape)."""
    a, b, out = node.input(0), node.input(1), node.output()
    if not a.dtype == b.dtype == out.dtype:
        raise node.invalid(f"dtypes {a.dtype}, {b.dtype} -> {out.dtype}; all must be the same")
    rule = _rule(node, a)
    if node.op in ("MAXIMUM", "MINIMUM"):
        same_quantization(node, a, b)
        same_quantization(node, a, out)
    shape = shapes.broadcast(node, a, b)
    if node.op == "ATAN2" and a.shape != b.shape:
        raise node.invalid(f"the shapes {list(a.shape)} and {list(b.shape)} differ; one shape is allowed")
    if node.op in _WIDE and a.dtype.kind not in "iu" and a.dtype != np.float64:
        return _wide(node, rule, shape)
    return Prepared((shape,), lambda m: _step(node, rule, m, shape))


def prepare_mul(node: Node) -> Prepared:
    """Prepare MUL: complex numbers here, all others where ADD is."""
    if node.input(0).dtype != np.complex64:
        return prepare_arithmetic(node)
    node.require(activation(node) == "NONE", "complex numbers have no order to clamp them by")
    return prepare(node)


def prepare_not(node: Node) -> Prepared:
    """Prepare LOGICAL_NOT."""
    x, out = node.input(0), node.output()
    if not x.dtype == out.dtype:
        raise node.invalid(f"dtypes {x.dtype} -> {out.dtype}; both must be the same")
    function = _rule(node, x).function
    return Prepared((x.shape,), lambda m: lambda: function(m.inputs[0], out=m.outputs[0]))


def _rule(node: Node, operand: Operand) -> Rule:
    rule = _RULES[node.op]
    if operand.dtype.name not in rule.dtypes:
        raise node.unsupported(f"{operand.dtype} is not supported; {', '.join(rule.dtypes)} are")
    return rule


def views(m: Memory, a: Operand, b: Operand, shape: Shape) -> tuple[Array, Array, Array]:
    """Return both inputs and the output in their shapes."""
    return m.inputs[0].reshape(a.shape), m.inputs[1].reshape(b.shape), m.outputs[0].reshape(shape)


def _step(node: Node, rule: Rule, m: Memory, shape: Shape) -> Step:
    a, b, out = views(m, node.input(0), node.input(1), shape)

    def run() -> None:
        rule.check(node, b)
        with np.errstate(all="ignore"):
            rule.function(a, b, out=out)
            if node.op == "SQUARED_DIFFERENCE":
                np.multiply(out, out, out=out)

    return run


def _floor_divide(a: Array, b: Array, out: Array) -> None:
    """Round a float64 quotient down: that of two float32 is never taken for a whole number that it is not."""
    np.divide(a, b, out=out)
    np.floor(out, out=out)


#: rounded once, from float64: NumPy's own float32 versions are off by up to 4 units on some processors
_WIDE: Mapping[str, Callable[..., Any]] = {"ATAN2": np.arctan2, "FLOOR_DIV": _floor_divide, "POW": np.power}


def _wide(node: Node, rule: Rule, shape: Shape) -> Prepared:
    a, b, function = node.input(0), node.input(1), _WIDE[node.op]

    def build(m: Memory) -> Step:
        left, right, out = views(m, a, b, shape)
        sizes = (left.size, right.size, out.size)
        flat = [area.view(np.float64)[:size] for area, size in zip(m.scratch, sizes, strict=True)]
        wide_left, wide_right, result = flat[0].reshape(a.shape), flat[1].reshape(b.shape), flat[2].reshape(shape)

        def run() -> None:
            rule.check(node, right)
            np.copyto(wide_left, left)
            np.copyto(wide_right, right)
            with np.errstate(all="ignore"):
                function(wide_left, wide_right, out=result)
                np.copyto(out, result, casting="unsafe")

        return run

    return Prepared((shape,), build, scratch=(8 * a.size, 8 * b.size, 8 * math.prod(shape)))
