"""CAST, BITCAST, BUCKETIZE and FAKE_QUANT: values in another type, or on a coarser grid."""

from __future__ import annotations

import math

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.lite.graph import Memory, Node, Prepared, Step
from opconform.runtimes.lite.jit import bind, kernel
from opconform.runtimes.lite.kernels.layout import copy

_FLOAT = np.dtype(np.float32)


@kernel
def bucketize(x: Array, edges: Array, out: Array, p: Array) -> None:
    """Count the edges that are not above each value, by bisection; NaN is above all. p: elements, edges."""
    for i in range(p[0]):
        value = np.float64(x[i])
        low, high = np.int64(0), p[1]
        while low < high:
            middle = (low + high) // 2
            if value < edges[middle]:
                high = middle
            else:
                low = middle + 1
        out[i] = low


@kernel
def fake_quant(x: Array, grid: Array, out: Array) -> None:
    """Clamp and round to steps, in float64. grid: elements, lowest value, highest value, step."""
    low, high, step = grid[1], grid[2], grid[3]
    for i in range(np.int64(grid[0])):
        value = np.float64(x[i])
        value = low if value < low else value
        value = high if value > high else value
        out[i] = np.float32(np.floor((value - low) / step + 0.5) * step + low)


def prepare_bucketize(node: Node) -> Prepared:
    """Prepare BUCKETIZE by the boundaries in the options."""
    x, out = node.input(0), node.output()
    if x.dtype not in (_FLOAT, np.float64, np.int32, np.int64):
        raise node.unsupported(f"{x.dtype} is not supported")
    node.require(out.dtype == np.int32, f"the output is {out.dtype}; int32 is allowed")
    edges = np.array(node.options.reals("boundaries") or (), np.float64)
    node.require(bool(np.all(edges[:-1] <= edges[1:])), "the boundaries are not sorted")
    p = np.array([x.size, edges.size], np.int64)
    return Prepared((x.shape,), lambda m: bind(bucketize, m.inputs[0], edges, m.outputs[0], p))


def prepare_fake_quant(node: Node) -> Prepared:
    """Prepare FAKE_QUANT: the range is moved so that zero is one of its steps."""
    x, out = node.input(0), node.output()
    node.require(x.dtype == out.dtype == _FLOAT, f"{x.dtype} -> {out.dtype}; float32 is allowed")
    low, high = node.options.real("min"), node.options.real("max")
    bits, first = node.options.number("num_bits"), node.options.number("narrow_range")
    node.require(2 <= bits <= 16, f"num_bits is {bits}; 2 to 16 is allowed")
    node.require(
        math.isfinite(high - low) and low < high, f"the range {low:g} to {high:g}; it must be finite and not empty"
    )
    last = 2**bits - 1
    step = (high - low) / (last - first)
    zero = min(max(math.floor(first - low / step + 0.5), first), last)
    grid = np.array([x.size, (first - zero) * step, (last - zero) * step, step])
    return Prepared((x.shape,), lambda m: bind(fake_quant, m.inputs[0], grid, m.outputs[0]))


def prepare_bitcast(node: Node) -> Prepared:
    """Prepare BITCAST: a last axis holds the parts of wider elements."""
    x, out = node.input(0), node.output()
    shape = x.shape
    wide, narrow = x.dtype.itemsize, out.dtype.itemsize
    if wide > narrow:
        shape = (*shape, wide // narrow)
    elif wide < narrow:
        parts = narrow // wide
        node.require(shape[-1:] == (parts,), f"{x.dtype}{list(shape)} -> {out.dtype}; the last axis must be {parts}")
        shape = shape[:-1]
    return Prepared((shape,), lambda m: copy(m.inputs[0].view(np.uint8), m.outputs[0].view(np.uint8)))


def prepare_cast(node: Node) -> Prepared:
    """Prepare CAST: floats are cut towards zero, integers wrap, what is not zero is true, reals are real parts."""
    x, out = node.input(0), node.output()
    for operand in (x, out):
        node.require(operand.dtype.kind != "S", f"{x.dtype} -> {out.dtype}; numbers are allowed")

    def build(m: Memory) -> Step:
        source = m.inputs[0].real if x.dtype.kind == "c" and out.dtype.kind != "c" else m.inputs[0]

        def run() -> None:
            with np.errstate(all="ignore"):
                np.copyto(m.outputs[0], source, casting="unsafe")

        return run

    return Prepared((x.shape,), build)
