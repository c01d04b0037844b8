"""GATHER and WHERE."""

from __future__ import annotations

import math

import numpy as np

from opconform.harness.model import Array, Shape
from opconform.runtimes.lite import shapes
from opconform.runtimes.lite.graph import Memory, Node, Prepared, Step
from opconform.runtimes.lite.jit import bind, kernel
from opconform.runtimes.lite.quantize import INT16, same_quantization


@kernel
def gather(x: Array, positions: Array, out: Array, p: Array, status: Array) -> None:
    """Copy slices of bytes. p: batch, outer, extent, positions per batch, bytes of a slice.

    status[0] counts positions outside the extent; their slices are left alone.
    """
    outer, extent, count, width = p[1], p[2], p[3], p[4]
    status[0] = 0
    for b in range(p[0]):
        for i in range(count):
            position = np.int64(positions[b * count + i])
            if position < 0 or position >= extent:
                status[0] += 1
                continue
            for o in range(outer):
                source, target = ((b * outer + o) * extent + position) * width, ((b * outer + o) * count + i) * width
                for k in range(width):
                    out[target + k] = x[source + k]


@kernel
def where(x: Array, out: Array, count: Array, p: Array) -> None:
    """Write the index of every element that is not zero. p: elements, rank, then the extents."""
    rank = p[1]
    found = np.int64(0)
    for i in range(p[0]):
        if x[i] != 0:
            rest = np.int64(i)
            for d in range(rank - 1, -1, -1):
                out[found * rank + d] = rest % p[2 + d]
                rest //= p[2 + d]
            found += 1
    count[0] = found


def prepare_gather(node: Node) -> Prepared:
    """Prepare GATHER along an axis, with batch axes in front."""
    x, positions, out = node.input(0), node.input(1), node.output()
    if x.dtype != out.dtype or positions.dtype not in (INT16, np.dtype(np.int32), np.dtype(np.int64)):
        raise node.invalid(f"dtypes {x.dtype}, {positions.dtype} -> {out.dtype}; T, int32 -> T is allowed")
    same_quantization(node, x, out)
    axis = shapes.axis(node, node.options.number("axis"), len(x.shape))
    batch = _batch_axes(node, axis, x.shape, positions.shape)
    shape = x.shape[:axis] + positions.shape[batch:] + x.shape[axis + 1 :]
    extents = (
        x.shape[:batch],
        x.shape[batch:axis],
        x.shape[axis : axis + 1],
        positions.shape[batch:],
        x.shape[axis + 1 :],
    )
    numbers = [math.prod(extent) for extent in extents]
    p = np.array([*numbers[:4], numbers[4] * x.dtype.itemsize])

    def build(m: Memory) -> Step:
        status = np.zeros(1, np.int64)
        step = bind(gather, _bytes(m.inputs[0]), m.inputs[1], _bytes(m.outputs[0]), p, status)

        def run() -> None:
            step()
            if status[0]:
                raise node.invalid(f"{status[0]} positions lie outside the {x.shape[axis]} of axis {axis}")

        return run

    return Prepared((shape,), build)


def _bytes(flat: Array) -> Array:
    return flat.view(np.uint8)


def _batch_axes(node: Node, axis: int, x: Shape, positions: Shape) -> int:
    batch = node.options.number("batch_dims")
    count = batch + len(positions) if batch < 0 else batch
    if not 0 <= count <= min(axis, len(positions)) or x[:count] != positions[:count]:
        raise node.invalid(f"batch_dims {batch} of {list(x)} and {list(positions)} along axis {axis}")
    return count


_BITS = {np.dtype(np.int8): np.uint8, np.dtype(np.bool_): np.uint8, np.dtype(np.uint32): np.int32}
_COMPARED = (np.dtype(np.float32), np.dtype(np.int32), np.dtype(np.int64), np.dtype(np.uint8), *_BITS)


def prepare_where(node: Node) -> Prepared:
    """Prepare WHERE: at most as many rows of indices as there are elements; the true number is known afterwards."""
    x, out = node.input(0), node.output()
    if x.dtype not in _COMPARED:
        raise node.unsupported(f"{x.dtype} is not supported")
    node.require(out.dtype == np.int64, f"the output is {out.dtype}; int64 is allowed")
    node.require(len(x.shape) > 0, "a tensor of rank 0 has no indices; rank 1 at least is allowed")
    p = np.array([x.size, len(x.shape), *x.shape])
    count = np.zeros(1, np.int64)

    def build(m: Memory) -> Step:
        return bind(where, m.inputs[0].view(_BITS.get(x.dtype, x.dtype)), m.outputs[0], count, p)

    return Prepared(((x.size, len(x.shape)),), build, (), lambda: ((int(count[0]), len(x.shape)),))
