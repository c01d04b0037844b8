"""Ops that place slices by integers: SCATTER_ND, SPARSE_TO_DENSE, SEGMENT_SUM, UNSORTED_SEGMENT_*, ONE_HOT; SELECT."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from opconform.harness.model import Array, Shape
from opconform.runtimes.lite import shapes
from opconform.runtimes.lite.graph import Memory, Node, Operand, Prepared, Step
from opconform.runtimes.lite.jit import Number, bind, kernel
from opconform.runtimes.lite.quantize import same_quantization

_ADD, _MULTIPLY, _MAX, _MIN, _SET = range(5)
_INT32, _INT64, _FLOAT = (np.dtype(t) for t in (np.int32, np.int64, np.float32))


@kernel
def scatter(updates: Array, rows: Array, out: Array, fill: Array, p: Array, status: Array) -> None:
    """Fill, then join every update to the slice at its row of coordinates.

    p: operation, updates, coordinates in a row, elements of a slice, step from one update to the next, whether
    negative coordinates are left out, whether places must ascend, elements of the output, extents.
    status: rows outside the extents, rows that do not ascend; neither is written.
    """
    depth, width = p[2], p[3]
    status[0] = status[1] = 0
    for i in range(p[7]):
        out[i] = fill[0]
    last = np.int64(-1)
    for i in range(p[1]):
        at: Number = np.int64(0)
        outside: Number = 0
        negative: Number = 0
        for d in range(depth):
            place = np.int64(rows[i * depth + d])
            negative += place < 0
            outside += place < 0 or place >= p[8 + d]
            at = at * p[8 + d] + place
        if outside > 0:
            status[0] += 0 if negative > 0 and p[5] != 0 else 1
            continue
        if p[6] != 0 and at <= last:
            status[1] += 1
        last = at
        for k in range(width):
            new, old = updates[i * p[4] + k], out[at * width + k]
            if p[0] == 0:
                new = old + new
            elif p[0] == 1:
                new = old * new
            elif p[0] == 2:
                new = old if old > new else new
            elif p[0] == 3:
                new = old if old < new else new
            out[at * width + k] = new


@kernel
def one_hot(indices: Array, on: Array, off: Array, out: Array, p: Array) -> None:
    """Write bits of `on` where the place along the new axis is the index. p: before, the new axis, after."""
    after = p[2]
    for b in range(p[0]):
        for d in range(p[1]):
            for a in range(after):
                out[(b * p[1] + d) * after + a] = on[0] if indices[b * after + a] == d else off[0]


def _bits(flat: Array) -> Array:
    """Return elements as unsigned integers of their size."""
    return flat.view(f"u{flat.dtype.itemsize}")


def _checked(node: Node, step: Step, status: Array, extents: Sequence[int]) -> Step:
    def run() -> None:
        step()
        if status[0]:
            raise node.invalid(f"{status[0]} rows of indices lie outside of {list(extents)}")
        if status[1]:
            raise node.invalid(f"{status[1]} rows of indices do not ascend, or repeat")

    return run


def _scattered(
    node: Node, operation: int, inputs: tuple[int, int], lead: Shape, rest: Shape, start: float, **flags: int
) -> Prepared:
    """Return a prepared `scatter` of input inputs[0] by the rows in inputs[1] into lead + rest."""
    updates, rows = (node.input(index) for index in inputs)
    depth = flags.get("depth", 1)
    count = rows.size // depth if depth else 0
    width = math.prod(rest)
    total = math.prod(lead) * width
    settings = [flags.get("step", width), flags.get("skip", 0), flags.get("ascend", 0)]
    p = np.array([operation, count, depth, width, *settings, total, *lead], np.int64)
    boolean = updates.dtype == np.bool_
    fill = np.full(1, start, np.uint8 if boolean else updates.dtype)

    def build(m: Memory) -> Step:
        status = np.zeros(2, np.int64)
        source, target = m.inputs[inputs[0]], m.outputs[0]
        if boolean:
            source, target = source.view(np.uint8), target.view(np.uint8)
        initial = m.inputs[flags["fill"]] if "fill" in flags else fill
        return _checked(node, bind(scatter, source, m.inputs[inputs[1]], target, initial, p, status), status, lead)

    return Prepared(((*lead, *rest),), build)


def _extents(node: Node, operand: Operand) -> Shape:
    """Return the shape that an input holds."""
    node.require(operand.dtype in (_INT32, _INT64) and len(operand.shape) == 1, "a shape is a vector of integers")
    shape = tuple(shapes.values(node, operand))
    node.require(all(extent >= 0 for extent in shape), f"the shape {list(shape)}: no extent is negative")
    return shape


def _one_number(node: Node, index: int, what: str) -> int:
    operand = node.input(index)
    node.require(operand.dtype == _INT32 and operand.size == 1, f"{what} is one number of int32")
    number = shapes.values(node, operand)[0]
    node.require(number >= 0, f"{what} is {number}; 0 at least is allowed")
    return number


_SUMMED = (_FLOAT, _INT32, _INT64, np.dtype(np.int8), np.dtype(np.uint8), np.dtype(np.bool_))


def prepare_scatter_nd(node: Node) -> Prepared:
    """Prepare SCATTER_ND: updates of equal places add up, bools by or."""
    rows, updates, shape = node.input(0), node.input(1), _extents(node, node.input(2))
    node.require(rows.dtype == _INT32, f"indices of {rows.dtype}; int32 is allowed")
    node.require(updates.dtype == node.output().dtype, f"updates of {updates.dtype} for {node.output().dtype}")
    if updates.dtype not in _SUMMED:
        raise node.unsupported(f"{updates.dtype} is not supported")
    node.require(len(rows.shape) > 0, "indices need one axis at least, along which coordinates lie")
    depth = rows.shape[-1]
    fits = depth <= len(shape) and updates.shape == rows.shape[:-1] + shape[depth:]
    node.require(fits, f"updates of {list(updates.shape)} at rows of {list(rows.shape)} in {list(shape)}")
    node.require(depth > 0, "a row without coordinates names no place")
    operation = _MAX if updates.dtype == np.bool_ else _ADD
    return _scattered(node, operation, (1, 0), shape[:depth], shape[depth:], 0, depth=depth)


def prepare_sparse_to_dense(node: Node) -> Prepared:
    """Prepare SPARSE_TO_DENSE: a place, places along one axis, or rows of coordinates."""
    rows, values, default = node.input(0), node.input(2), node.input(3)
    shape = _extents(node, node.input(1))
    node.require(rows.dtype in (_INT32, _INT64), f"indices of {rows.dtype}; int32 and int64 are allowed")
    node.require(values.dtype == default.dtype == node.output().dtype, f"{values.dtype}, {default.dtype} are mixed")
    if values.dtype not in _SUMMED[:-1]:
        raise node.unsupported(f"{values.dtype} is not supported")
    same_quantization(node, values, node.output())
    depth = rows.shape[1] if len(rows.shape) == 2 else 1
    count = rows.shape[0] if rows.shape else 1
    fits = len(rows.shape) <= 2 and depth == len(shape)
    node.require(fits, f"indices of {list(rows.shape)} for an output of {list(shape)}")
    one = len(values.shape) == 0
    node.require(one or values.shape == (count,), f"values of {list(values.shape)} for {count} places")
    node.require(default.size == 1, f"a default of {list(default.shape)}; one number is allowed")
    ascend = node.options.number("validate_indices")
    flags = {"depth": depth, "step": 0 if one else 1, "ascend": ascend, "fill": 3}
    return _scattered(node, _SET, (2, 0), shape, (), 0, **flags)


def _joined(node: Node) -> tuple[Operand, Operand]:
    """Check data and numbers of segments."""
    x, ids = node.input(0), node.input(1)
    node.require(ids.dtype == _INT32, f"numbers of segments in {ids.dtype}; int32 is allowed")
    node.require(x.dtype == node.output().dtype, f"data of {x.dtype} for {node.output().dtype}")
    if x.dtype not in (_FLOAT, _INT32):
        raise node.unsupported(f"{x.dtype} is not supported")
    fits = len(ids.shape) > 0 and x.shape[: len(ids.shape)] == ids.shape
    node.require(fits, f"numbers of {list(ids.shape)} for slices of {list(x.shape)}")
    return x, ids


def prepare_segment_sum(node: Node) -> Prepared:
    """Prepare SEGMENT_SUM: the last of the ascending numbers says how many sums there are."""
    x, ids = _joined(node)
    node.require(len(ids.shape) == 1, f"numbers of {list(ids.shape)}; a vector is allowed")
    numbers = shapes.values(node, ids)
    ascending = all(a <= b for a, b in zip([0, *numbers], numbers, strict=False))
    node.require(ascending, "numbers of segments start from 0 and ascend")
    count = numbers[-1] + 1 if numbers else 0
    return _scattered(node, _ADD, (0, 1), (count,), x.shape[1:], 0)


_LEAST = {_FLOAT: float(np.finfo(np.float32).min), _INT32: -(2**31)}
_LARGEST = {_FLOAT: float(np.finfo(np.float32).max), _INT32: 2**31 - 1}


def prepare_unsorted_segment(node: Node) -> Prepared:
    """Prepare UNSORTED_SEGMENT_*: negative numbers take no part."""
    x, ids = _joined(node)
    count = _one_number(node, 2, "the number of segments")
    operation, start = {
        "UNSORTED_SEGMENT_SUM": (_ADD, 0.0),
        "UNSORTED_SEGMENT_PROD": (_MULTIPLY, 1.0),
        "UNSORTED_SEGMENT_MAX": (_MAX, _LEAST[x.dtype]),
        "UNSORTED_SEGMENT_MIN": (_MIN, _LARGEST[x.dtype]),
    }[node.op]
    return _scattered(node, operation, (0, 1), (count,), x.shape[len(ids.shape) :], start, skip=1)


def prepare_one_hot(node: Node) -> Prepared:
    """Prepare ONE_HOT along a new axis; an index outside of it names nothing."""
    indices, on, off, out = node.input(0), node.input(2), node.input(3), node.output()
    node.require(indices.dtype in (_INT32, _INT64), f"indices of {indices.dtype}; int32 and int64 are allowed")
    node.require(on.dtype == off.dtype == out.dtype, f"values of {on.dtype} and {off.dtype} for {out.dtype}")
    node.require(on.size == off.size == 1, "on and off values are one number each")
    same_quantization(node, on, out)
    depth, axis, rank = _one_number(node, 1, "the depth"), node.options.number("axis"), len(indices.shape)
    node.require(-1 <= axis <= rank, f"axis {axis} of an output of rank {rank + 1}; -1 to {rank} is allowed")
    at = rank if axis == -1 else axis
    shape = (*indices.shape[:at], depth, *indices.shape[at:])
    p = np.array([math.prod(shape[:at]), depth, math.prod(shape[at + 1 :])], np.int64)

    def build(m: Memory) -> Step:
        return bind(one_hot, m.inputs[0], _bits(m.inputs[2]), _bits(m.inputs[3]), _bits(m.outputs[0]), p)

    return Prepared((shape,), build)


def prepare_select(node: Node) -> Prepared:
    """Prepare SELECT: the condition is of the choices' shape, of one axis for rows, or one for all."""
    condition, a, b = node.input(0), node.input(1), node.input(2)
    if condition.dtype != np.bool_ or not a.dtype == b.dtype == node.output().dtype:
        raise node.invalid(f"dtypes {condition.dtype}, {a.dtype}, {b.dtype}; bool and two equal ones are allowed")
    fits = a.shape == b.shape and condition.shape in (a.shape, a.shape[:1], ())
    node.require(fits, f"a condition of {list(condition.shape)} for {list(a.shape)} and {list(b.shape)}")
    wide = condition.shape + (1,) * (len(a.shape) - len(condition.shape))

    def build(m: Memory) -> Step:
        out = m.outputs[0].reshape(a.shape)
        mask = np.broadcast_to(m.inputs[0].reshape(wide), a.shape)
        first, second = m.inputs[1].reshape(a.shape), m.inputs[2].reshape(a.shape)

        def run() -> None:
            np.copyto(out, second)
            np.copyto(out, first, where=mask)

        return run

    return Prepared((a.shape,), build)
