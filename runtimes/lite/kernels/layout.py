"""RESHAPE, PAD, CONCATENATION and STRIDED_SLICE: copies between views, made when the operator is prepared."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from opconform.harness.model import Array, Shape
from opconform.runtimes.lite import shapes
from opconform.runtimes.lite.graph import Memory, Node, Operand, Prepared, Step
from opconform.runtimes.lite.jit import bind
from opconform.runtimes.lite.kernels.unary import look_up
from opconform.runtimes.lite.quantize import INT8, INT16, UINT8, activation, check_quantized, same_quantization

#: dtypes of positions, sizes and axes
INTEGERS = (np.dtype(np.int32), np.dtype(np.int64))


def same_type(node: Node, *operands: Operand) -> None:
    """Raise InvalidModel where tensors that exchange elements differ in dtype."""
    dtypes = {operand.dtype for operand in operands}
    if len(dtypes) > 1:
        raise node.invalid(f"dtypes {', '.join(sorted(str(d) for d in dtypes))}; all must be the same")


def stored_zero(node: Node, out: Operand) -> int:
    """Return what stands for zero in a tensor: the zero point of 8 bits, else 0 (int16 is symmetric)."""
    low, high = {INT8: (-128, 127), UINT8: (0, 255)}.get(out.dtype, (0, 0))
    value = out.zero_point if out.dtype in (INT8, UINT8) else 0
    node.require(low <= value <= high, f"a zero point of {value} in {out.dtype}")
    return value


def copy(source: Array, target: Array) -> Step:
    """Return a step that copies one view to another."""
    return lambda: np.copyto(target, source)


def prepare_reshape(node: Node) -> Prepared:
    """Prepare RESHAPE to the shape in input 1, or in the options where there is no such input."""
    x, out = node.input(0), node.output()
    same_type(node, x, out)
    same_quantization(node, x, out)
    wanted = _wanted(node)
    if any(extent < -1 for extent in wanted) or wanted.count(-1) > 1:
        raise node.invalid(f"the shape {list(wanted)}; extents from 0 and at most one -1 are allowed")
    known = math.prod(extent for extent in wanted if extent != -1)
    rest = x.size // known if known else 0
    shape = tuple(rest if extent == -1 else extent for extent in wanted)
    if math.prod(shape) != x.size:
        raise node.invalid(f"{list(x.shape)} has {x.size} elements and does not reshape to {list(wanted)}")
    return Prepared((shape,), lambda m: copy(m.inputs[0], m.outputs[0]))


def _wanted(node: Node) -> tuple[int, ...]:
    target = node.optional(1)
    if target is not None:
        if target.dtype not in INTEGERS or len(target.shape) != 1:
            raise node.invalid(f"a shape of {target.dtype}{list(target.shape)}; a vector of int32 is allowed")
        return tuple(shapes.values(node, target))
    stored = node.options.vector("new_shape")
    if stored is None:
        raise node.invalid("neither an input nor the options give a shape")
    return stored


def prepare_pad(node: Node) -> Prepared:
    """Prepare PAD with the output's zero point; input 1 holds the cells before and behind each axis."""
    x, amounts, out = node.input(0), node.input(1), node.output()
    same_type(node, x, out)
    same_quantization(node, x, out)
    rank = len(x.shape)
    if amounts.shape != (rank, 2) or amounts.dtype not in (INT8, INT16, *INTEGERS):
        raise node.invalid(f"paddings of {amounts.dtype}{list(amounts.shape)}; int32 [{rank}, 2] is allowed")
    flat = shapes.values(node, amounts)
    pairs = list(zip(flat[::2], flat[1::2], strict=True))
    node.require(all(cells >= 0 for cells in flat), f"paddings {pairs}; none may be negative")
    shape = tuple(extent + before + behind for extent, (before, behind) in zip(x.shape, pairs, strict=True))
    inside: tuple[Any, ...] = tuple(
        slice(before, before + extent) for extent, (before, _) in zip(x.shape, pairs, strict=True)
    )
    value = stored_zero(node, out)

    def build(m: Memory) -> Step:
        source, target = m.inputs[0].reshape(x.shape), m.outputs[0].reshape(shape)[(*inside, ...)]

        def run() -> None:
            m.outputs[0].fill(value)
            np.copyto(target, source)

        return run

    return Prepared((shape,), build)


def prepare_concatenation(node: Node) -> Prepared:
    """Prepare CONCATENATION; uint8 inputs are moved to the output's scale."""
    out = node.output()
    inputs = [node.input(i) for i in range(len(node.inputs))]
    node.require(bool(inputs), "no inputs; at least 1 is needed")
    node.require(activation(node) == "NONE", "no fused activation is allowed")
    same_type(node, *inputs, out)
    first = inputs[0].shape
    axis = shapes.axis(node, node.options.number("axis"), len(first))
    for operand in inputs:
        if len(operand.shape) != len(first) or any(
            a != b for i, (a, b) in enumerate(zip(operand.shape, first, strict=True)) if i != axis
        ):
            raise node.invalid(f"the shapes {list(first)} and {list(operand.shape)} differ off axis {axis}")
        if out.dtype != UINT8:
            same_quantization(node, operand, out)
    ends = np.cumsum([operand.shape[axis] for operand in inputs]).tolist()
    shape = (*first[:axis], ends[-1], *first[axis + 1 :])
    tables = [_rescaling(node, operand, out) for operand in inputs]

    def build(m: Memory) -> Step:
        target = m.outputs[0].reshape(shape)
        steps: list[Step] = []
        for flat, operand, end, table in zip(m.inputs, inputs, ends, tables, strict=True):
            part = target[(slice(None),) * axis + (slice(end - operand.shape[axis], end),)]
            steps += _placing(flat, operand, part, table)
        return in_order(steps)

    return Prepared((shape,), build)


def in_order(steps: list[Step]) -> Step:
    """Return a step that runs others one after the other."""

    def run() -> None:
        for step in steps:
            step()

    return run


def _placing(flat: Array, operand: Operand, part: Array, table: Array | None) -> list[Step]:
    if table is None:
        return [copy(flat.reshape(operand.shape), part)]
    moved = np.empty_like(flat)
    step = bind(look_up, flat, table, moved, np.array([flat.size]))
    return [step, copy(moved.reshape(operand.shape), part)]


def _rescaling(node: Node, operand: Operand, out: Operand) -> Array | None:
    """Return the table that moves uint8 values to the output's scale, or None where they stay.

    Source: ConcatenationWithScaling of TFLite's internal/reference/concatenation.h, in float32.
    """
    if out.dtype != UINT8 or out.quantization is None or operand.quantization is None:
        return None
    if (operand.scale, operand.zero_point) == (out.scale, out.zero_point):
        return None
    check_quantized(node, operand, out)
    factor = np.float32(operand.scale) * (np.float32(1) / np.float32(out.scale))
    real = np.arange(256, dtype=np.float32) * factor + np.float32(-operand.zero_point) * factor
    rounded = np.copysign(np.floor(np.abs(real) + np.float32(0.5)), real)
    table: Array = np.clip(rounded + out.zero_point, 0, 255).astype(np.uint8)
    return table


def prepare_strided_slice(node: Node) -> Prepared:
    """Prepare STRIDED_SLICE with all five masks and the offset option; the semantics are NumPy's basic indexing."""
    x, out = node.input(0), node.output()
    same_type(node, x, out)
    same_quantization(node, x, out)
    begin, end, strides = (vector(node, i) for i in (1, 2, 3))
    node.require(len(begin) == len(end) == len(strides), "begin, end and strides differ in length")
    index = _index(node, x.shape, begin, end, strides)
    shape = np.broadcast_to(np.zeros(1, np.int8), x.shape)[index].shape
    return Prepared((shape,), lambda m: copy(m.inputs[0].reshape(x.shape)[index], m.outputs[0].reshape(shape)))


def vector(node: Node, position: int) -> list[int]:
    """Return the numbers of an input that is a vector of int32 or int64."""
    operand = node.input(position)
    if operand.dtype not in INTEGERS or len(operand.shape) != 1:
        raise node.invalid(f"input {position} is {operand.dtype}{list(operand.shape)}; a vector of int32 is allowed")
    return shapes.values(node, operand)


def _index(node: Node, shape: Shape, begin: list[int], end: list[int], strides: list[int]) -> tuple[Any, ...]:
    number = node.options.number
    masks = {name: number(f"{name}_mask") for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")}
    node.require(masks["ellipsis"].bit_count() <= 1, "more than one ellipsis")
    plain = [i for i in range(len(begin)) if not (masks["ellipsis"] | masks["new_axis"]) >> i & 1]
    node.require(len(plain) <= len(shape), f"{len(plain)} slices of a tensor of rank {len(shape)}")
    skipped = len(shape) - len(plain)
    index: list[Any] = []
    axis = 0
    for i in range(len(begin)):
        bit = 1 << i
        if masks["ellipsis"] & bit:
            index.append(Ellipsis)
            axis += skipped
        elif masks["new_axis"] & bit:
            index.append(np.newaxis)
        else:
            index.append(_part(node, shape[axis], (begin[i], end[i], strides[i]), masks, bit))
            axis += 1
    return (*index, ...) if Ellipsis not in index else tuple(index)


def _part(node: Node, extent: int, bounds: tuple[int, int, int], masks: dict[str, int], bit: int) -> int | slice:
    begin, end, stride = bounds
    node.require(stride != 0, "a stride of 0")
    if masks["shrink_axis"] & bit:
        if masks["begin"] & bit:
            begin = 0
        node.require(-extent <= begin < extent, f"index {begin} of an axis of {extent}")
        node.require(stride > 0, "a negative stride on an axis that is removed")
        return begin
    if node.options.number("offset"):
        end += begin
    return slice(None if masks["begin"] & bit else begin, None if masks["end"] & bit else end, stride)
