"""SHAPE, RANK, ZEROS_LIKE, FILL and RANGE: their results follow from shapes and scalars, no kernel is compiled."""

from __future__ import annotations

import math

import numpy as np

from opconform.harness.model import DTYPES, Array
from opconform.runtimes.lite.graph import Memory, Node, Prepared, Step
from opconform.runtimes.lite.kernels.layout import INTEGERS, copy, same_type, stored_zero, vector
from opconform.runtimes.lite.quantize import same_quantization

_MOST = 1 << 27  # elements, as the executor allows any output
_MAX_RANK = 8


def _known(values: Array) -> Prepared:
    """Prepare an output whose values are known now."""
    return Prepared((values.shape,), lambda m: copy(values.reshape(-1), m.outputs[0]))


def prepare_shape(node: Node) -> Prepared:
    """Prepare SHAPE, in the integers that the option asks for."""
    x, out = node.input(0), node.output()
    asked = node.options.number("out_type")
    if out.dtype not in INTEGERS or asked not in (DTYPES["int32"][1], DTYPES["int64"][1]):
        raise node.invalid(f"the output is {out.dtype} and the option {asked}; int32 and int64 are allowed")
    node.require(
        out.dtype == DTYPES["int32" if asked == DTYPES["int32"][1] else "int64"][0], "output and option differ"
    )
    return _known(np.array(x.shape, out.dtype))


def prepare_rank(node: Node) -> Prepared:
    """Prepare RANK."""
    x, out = node.input(0), node.output()
    node.require(out.dtype == np.int32, f"the output is {out.dtype}; int32 is allowed")
    return _known(np.array(len(x.shape), np.int32))


def prepare_zeros_like(node: Node) -> Prepared:
    """Prepare ZEROS_LIKE; in a quantized tensor zero is the zero point."""
    x, out = node.input(0), node.output()
    same_type(node, x, out)
    zero = stored_zero(node, out)

    def build(m: Memory) -> Step:
        return lambda: m.outputs[0].fill(zero)

    return Prepared((x.shape,), build)


def prepare_fill(node: Node) -> Prepared:
    """Prepare FILL of the shape in input 0 with the value in input 1."""
    value, out = node.input(1), node.output()
    same_type(node, value, out)
    same_quantization(node, value, out)
    node.require(value.shape == (), f"a value of shape {list(value.shape)}; a scalar is allowed")
    shape = tuple(vector(node, 0))
    fits = all(extent >= 0 for extent in shape) and len(shape) <= _MAX_RANK
    node.require(fits, f"the shape {list(shape)}; at most {_MAX_RANK} extents, none negative, are allowed")
    return Prepared((shape,), lambda m: copy(m.inputs[1], m.outputs[0]))


def prepare_range(node: Node) -> Prepared:
    """Prepare RANGE from input 0 up to input 1 in steps of input 2."""
    operands, out = [node.input(i) for i in range(3)], node.output()
    same_type(node, *operands, out)
    if out.dtype not in (np.dtype(np.float32), *INTEGERS):
        raise node.unsupported(f"{out.dtype} is not supported")
    node.require(all(operand.shape == () for operand in operands), "start, limit and delta must be scalars")
    start, limit, delta = (_scalar(node, position) for position in range(3))
    node.require(delta != 0, "a step of 0 never ends")
    node.require((limit - start) * delta >= 0, f"steps of {delta} do not lead from {start} to {limit}")
    count = math.ceil((limit - start) / delta) if out.dtype == np.float32 else -((start - limit) // delta)
    node.require(count < _MOST, f"{count} numbers; fewer than {_MOST} are supported")
    with np.errstate(all="ignore"):
        return _known((start + np.arange(count) * delta).astype(out.dtype))


def _scalar(node: Node, position: int) -> float | int:
    operand = node.input(position)
    if operand.data is None or operand.data.size != 1:
        raise node.invalid("start, limit and delta must be known when the operator is prepared")
    number: float | int = operand.data.reshape(-1)[0].item()
    node.require(math.isfinite(number), f"input {position} is {number}; a finite number is allowed")
    return number
