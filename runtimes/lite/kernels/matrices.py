"""BATCH_MATMUL: matrices are laid out as rows of the common extent, then every output is one dot product.

Multiplier: GetQuantizedConvolutionMultipler of TFLite's kernel_util.cc, which forms the product of scales in float32.
"""

from __future__ import annotations

import numpy as np

from opconform.harness.model import Array, Shape
from opconform.runtimes.lite import shapes
from opconform.runtimes.lite.fixedpoint import clamp, rescale, rescale_wide, wrap32
from opconform.runtimes.lite.graph import Memory, Node, Operand, Prepared, Step
from opconform.runtimes.lite.jit import Number, bind, helper, kernel
from opconform.runtimes.lite.kernels.dot import dot_float, dot_wide
from opconform.runtimes.lite.quantize import (
    INT8,
    INT16,
    INT32,
    RANGES,
    check_quantized,
    check_scales,
    float32,
    multiplier,
)

_FLOAT = np.dtype(np.float32)
#: dtypes of the left, the right and the output
_ROWS = (
    (_FLOAT, _FLOAT, _FLOAT),
    (_FLOAT, INT8, _FLOAT),
    (INT8, INT8, INT8),
    (INT8, INT8, INT32),
    (INT16, INT16, INT16),
    (INT16, INT8, INT16),
)


# p of both kernels: number of products, rows, columns, depth, whether left and right are stored transposed
@helper
def lay_out(source: Array, start: Number, rows: Array, p: Array, right: Number, zero: Number) -> Number:
    """Copy a matrix as rows of p[3], less its zero point; one that lies across is read by columns."""
    count, across = (p[2], p[5] == 0) if right != 0 else (p[1], p[4] != 0)
    for i in range(count):
        for k in range(p[3]):
            rows[i * p[3] + k] = source[start + (k * count + i if across else i * p[3] + k)] - zero


@kernel
def matmul_float(
    x: Array, w: Array, x_at: Array, w_at: Array, left: Array, right: Array, factors: Array, out: Array, p: Array
) -> None:
    """Multiply in float32. factors: zero point and scale of w, per column."""
    for b in range(p[0]):
        if b == 0 or x_at[b] != x_at[b - 1]:
            lay_out(x, x_at[b], left, p, 0, np.float32(0))
        if b == 0 or w_at[b] != w_at[b - 1]:
            lay_out(w, w_at[b], right, p, 1, factors[0])
        for i in range(p[1]):
            for j in range(p[2]):
                total = dot_float(left, i * p[3], right, j * p[3], p[3])
                out[(b * p[1] + i) * p[2] + j] = total * factors[1 + j]


@kernel
def matmul_integer(
    x: Array, w: Array, x_at: Array, w_at: Array, left: Array, right: Array, out: Array, p: Array
) -> None:
    """Multiply centred integers as int16; p[6:]: zero points of x, w and out, multiplier and shift, range, and whether
    to rescale in 64 bits (2), in 32 (1) or not at all (0).
    """
    for b in range(p[0]):
        if b == 0 or x_at[b] != x_at[b - 1]:
            lay_out(x, x_at[b], left, p, 0, p[6])
        if b == 0 or w_at[b] != w_at[b - 1]:
            lay_out(w, w_at[b], right, p, 1, p[7])
        for i in range(p[1]):
            for j in range(p[2]):
                total = dot_wide(left, i * p[3], right, j * p[3], p[3])
                if p[13] == 2:
                    total = rescale_wide(total, p[9], p[10])
                elif p[13] == 1:
                    total = rescale(wrap32(total), p[9], p[10])
                else:
                    total = wrap32(total)
                out[(b * p[1] + i) * p[2] + j] = clamp(total + p[8], p[11], p[12])


def prepare(node: Node) -> Prepared:
    """Prepare BATCH_MATMUL."""
    x, w, out = node.input(0), node.input(1), node.output()
    if (x.dtype, w.dtype, out.dtype) not in _ROWS:
        raise node.invalid(f"dtypes {x.dtype}, {w.dtype} -> {out.dtype} do not belong together")
    if min(len(x.shape), len(w.shape)) < 2:
        raise node.invalid(f"the shapes {list(x.shape)} and {list(w.shape)}; two dimensions at least are needed")
    adj_x, adj_y = node.options.number("adj_x"), node.options.number("adj_y")
    rows, depth = x.shape[-2:][:: -1 if adj_x else 1]
    inner, columns = w.shape[-2:][:: -1 if adj_y else 1]
    node.require(inner == depth, f"the inner extents {depth} and {inner} of the matrices differ")
    batches = shapes.broadcast(node, *(Operand(o.dtype, o.shape[:-2]) for o in (x, w)))
    starts = [_starts(o.shape[:-2], batches, rows * depth if o is x else depth * columns) for o in (x, w)]
    numbers = [len(starts[0]), rows, columns, depth, adj_x, adj_y]
    shape = (*batches, rows, columns)
    width = 4 if x.dtype == _FLOAT else 2
    scratch = (max(1, rows * depth) * width, max(1, depth * columns) * width)
    if x.dtype != _FLOAT:
        p = np.array([*numbers, *_integer(node, x, w, out)], np.int64)

        def build(m: Memory) -> Step:
            left, right = (s.view(np.int16) for s in m.scratch)
            return bind(matmul_integer, *m.inputs[:2], *starts, left, right, m.outputs[0], p)

        return Prepared((shape,), build, scratch)
    p, factors = np.array(numbers, np.int64), _factors(node, w, columns, adj_y)

    def build_float(m: Memory) -> Step:
        left, right = (s.view(np.float32) for s in m.scratch)
        return bind(matmul_float, *m.inputs[:2], *starts, left, right, factors, m.outputs[0], p)

    return Prepared((shape,), build_float, scratch)


def _starts(batch: Shape, batches: Shape, step: int) -> Array:
    """Return where the matrix of every product starts in an operand."""
    count = 1
    for extent in batch:
        count *= extent
    own = np.arange(count, dtype=np.int64).reshape(batch) * step
    return np.array(np.broadcast_to(own, batches)).ravel()


def _factors(node: Node, w: Operand, columns: int, adj_y: int) -> Array:
    """Return the zero point of the right matrix, then its scale per column."""
    if w.dtype == _FLOAT:
        return np.array([0.0, *[1.0] * columns], np.float32)
    check_scales(node, w)
    assert w.quantization is not None  # check_scales has seen it
    scale, zero_point = w.quantization.scale, w.quantization.zero_point
    if len(scale) == 1:
        return np.array([zero_point[0], *scale * columns], np.float32)
    axis = len(w.shape) - (2 if adj_y else 1)
    if len(scale) != columns or w.quantization.axis != axis or any(zero_point):
        found = f"{len(scale)} scales along axis {w.quantization.axis}"
        raise node.invalid(f"the right matrix has {found}; {columns} along {axis} without zero points are allowed")
    return np.array([0.0, *scale], np.float32)


def _integer(node: Node, x: Operand, w: Operand, out: Operand) -> list[int]:
    """Return zero points, rescale, range and how to rescale."""
    if out.dtype == INT32 and x.quantization is None and w.quantization is None:
        return [0, 0, 0, 0, 0, *RANGES[INT32], 0]
    check_quantized(node, x, w)
    node.require(
        x.dtype != INT16 or w.zero_point == 0, f"a zero point of {w.zero_point}; beside int16 only 0 is allowed"
    )
    zero_points = [x.zero_point, w.zero_point, out.zero_point]
    if out.dtype == INT32:
        return [*zero_points[:2], 0, 0, 0, *RANGES[INT32], 0]
    check_quantized(node, out)
    q, shift = multiplier(node, float32(x.scale * w.scale) / out.scale)
    # rescale_wide shifts to the right, by no more than 62 bits
    node.require(shift < 15, f"the scales give a rescale of 2**{shift}; up to 2**14 is allowed")
    return [*zero_points, q, shift, *RANGES[out.dtype], 2 if x.dtype == INT16 else 1]
