"""Ops that mirror, reverse, spread, overwrite and repeat elements: copies between views, made when they are prepared.

REVERSE_SEQUENCE alone has a kernel of its own; RESIZE_NEAREST_NEIGHBOR picks pixels with GATHER's.
"""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np

from opconform.harness.model import Array, Shape
from opconform.runtimes.lite import shapes
from opconform.runtimes.lite.graph import Memory, Node, Operand, Prepared, Step
from opconform.runtimes.lite.jit import bind, kernel
from opconform.runtimes.lite.kernels.indexed import gather
from opconform.runtimes.lite.kernels.layout import copy
from opconform.runtimes.lite.quantize import same_quantization

_INDICES = (np.dtype(np.int32), np.dtype(np.int64))


@kernel
def reverse_sequence(x: Array, lengths: Array, out: Array, p: Array, status: Array) -> None:
    """Copy cells of bytes, the first of each sequence in reverse order.

    p: outer extent, extent of the first of both axes, extent between, extent of the second, bytes of a cell,
    1 where the sequence comes before the batch. status[0] counts lengths outside of the sequence; those are limited.
    """
    first, between, second, width = p[1], p[2], p[3], p[4]
    extent = first if p[5] else second
    status[0] = 0
    for i in range(second if p[5] else first):
        if lengths[i] < 0 or lengths[i] > extent:
            status[0] += 1
    for o in range(p[0] * first * between * second):
        a, b = o // (between * second) % first, o % second
        at, batch = (a, b) if p[5] else (b, a)
        length = min(max(np.int64(lengths[batch]), np.int64(0)), extent)
        from_ = length - 1 - at if at < length else at
        shift = (from_ - at) * (between * second if p[5] else np.int64(1))
        for k in range(width):
            out[o * width + k] = x[(o + shift) * width + k]


def _alike(node: Node, *operands: Operand) -> None:
    """Raise InvalidModel where operands whose bytes are mixed differ in dtype or quantization."""
    for operand in operands[1:]:
        if operand.dtype != operands[0].dtype:
            raise node.invalid(f"dtypes {operands[0].dtype} and {operand.dtype}; all must be the same")
        same_quantization(node, operands[0], operand)


def _whole(node: Node, position: int, shape: Shape) -> Operand:
    """Return an input of indices with this shape."""
    operand = node.input(position)
    if operand.dtype not in _INDICES or operand.shape != shape:
        found = f"{operand.dtype}{list(operand.shape)}"
        raise node.invalid(f"input {position} is {found}; int32 or int64 {list(shape)} is allowed")
    return operand


def _single(node: Node, position: int) -> Operand:
    operand = node.input(position)
    node.require(operand.size == 1, f"input {position} has {operand.size} elements; 1 is allowed")
    return operand


def _pairs(node: Node, rank: int) -> list[tuple[int, int]]:
    flat = shapes.values(node, _whole(node, 1, (rank, 2)))
    pairs = list(zip(flat[::2], flat[1::2], strict=True))
    node.require(all(cells >= 0 for cells in flat), f"paddings {pairs}; none may be negative")
    return pairs


def prepare_pad_v2(node: Node) -> Prepared:
    """Prepare PADV2 with the value in input 2; input 1 holds the cells before and behind each axis."""
    x, value, out = node.input(0), _single(node, 2), node.output()
    _alike(node, x, value, out)
    pairs = _pairs(node, len(x.shape))
    shape = tuple(extent + sum(pair) for extent, pair in zip(x.shape, pairs, strict=True))
    inside: tuple[Any, ...] = tuple(
        slice(before, before + extent) for extent, (before, _) in zip(x.shape, pairs, strict=True)
    )

    def build(m: Memory) -> Step:
        target = m.outputs[0].reshape(shape)[(*inside, ...)]
        return _filled(m, m.inputs[2], m.inputs[0].reshape(x.shape), target)

    return Prepared((shape,), build)


def _filled(m: Memory, value: Array, source: Array, target: Array) -> Step:
    """Return a step that fills the output with a value and copies into a part of it."""

    def run() -> None:
        np.copyto(m.outputs[0], value)
        np.copyto(target, source)

    return run


def prepare_mirror_pad(node: Node) -> Prepared:
    """Prepare MIRROR_PAD: each block of the output is a view of the input, forward or backward along each axis."""
    x, out = node.input(0), node.output()
    _alike(node, x, out)
    pairs = _pairs(node, len(x.shape))
    skip = 1 if node.options.number("mode") == 0 else 0
    blocks = []
    for extent, pair in zip(x.shape, pairs, strict=True):
        most = max(extent - skip, 0)
        node.require(max(pair) <= most, f"{max(pair)} mirrored cells of an axis of {extent}; at most {most} are there")
        blocks.append(_mirrored(extent, *pair, skip))
    shape = tuple(extent + sum(pair) for extent, pair in zip(x.shape, pairs, strict=True))

    def build(m: Memory) -> Step:
        source, target = m.inputs[0].reshape(x.shape), m.outputs[0].reshape(shape)
        parts = []
        for block in product(*blocks):
            to: tuple[Any, ...] = tuple(part[0] for part in block)
            of: tuple[Any, ...] = tuple(part[1] for part in block)
            parts.append((target[(*to, ...)], source[(*of, ...)]))

        def run() -> None:
            for piece, image in parts:
                np.copyto(piece, image)

        return run

    return Prepared((shape,), build)


def _mirrored(extent: int, before: int, behind: int, skip: int) -> list[tuple[slice, slice]]:
    """Return which slice of the output is which slice of the input, along one axis; none is empty."""
    last = extent - 1 - skip
    end = last - behind
    parts = [
        (slice(0, before), slice(before + skip - 1, skip - 1 if skip else None, -1)),
        (slice(before, before + extent), slice(0, extent)),
        (slice(before + extent, before + extent + behind), slice(last, end if end >= 0 else None, -1)),
    ]
    return [(to, of) for to, of in parts if to.stop > to.start]


def prepare_reverse(node: Node) -> Prepared:
    """Prepare REVERSE_V2 along the axes in input 1."""
    x, axes, out = node.input(0), node.input(1), node.output()
    _alike(node, x, out)
    if axes.dtype not in _INDICES or len(axes.shape) != 1:
        raise node.invalid(f"axes of {axes.dtype}{list(axes.shape)}; a vector of int32 is allowed")
    chosen = [shapes.axis(node, axis, len(x.shape)) for axis in shapes.values(node, axes)]
    node.require(len(set(chosen)) == len(chosen), f"the axes {chosen}: one is named twice")
    index: tuple[Any, ...] = tuple(slice(None, None, -1 if i in chosen else 1) for i in range(len(x.shape)))
    return Prepared((x.shape,), lambda m: copy(m.inputs[0].reshape(x.shape)[(*index, ...)], _shaped(m, x.shape)))


def _shaped(m: Memory, shape: Shape) -> Array:
    return m.outputs[0].reshape(shape)


def prepare_reverse_sequence(node: Node) -> Prepared:
    """Prepare REVERSE_SEQUENCE; the lengths in input 1 are checked at every run."""
    x, out = node.input(0), node.output()
    _alike(node, x, out)
    rank = len(x.shape)
    sequence, batch = node.options.number("seq_dim"), node.options.number("batch_dim")
    node.require(
        sequence != batch and min(sequence, batch) >= 0 and max(sequence, batch) < rank,
        f"seq_dim {sequence} and batch_dim {batch} of a tensor of rank {rank}; two different axes are needed",
    )
    _whole(node, 1, (x.shape[batch],))
    first, second = sorted((sequence, batch))
    cuts = (x.shape[:first], x.shape[first + 1 : second], x.shape[second + 1 :])
    outer, between, inner = (math.prod(cut) for cut in cuts)
    # The cells behind both axes are moved together.
    p = np.array([outer, x.shape[first], between, x.shape[second], inner * x.dtype.itemsize, sequence < batch])
    status = np.zeros(1, np.int64)

    def build(m: Memory) -> Step:
        step = bind(reverse_sequence, m.inputs[0].view(np.uint8), m.inputs[1], m.outputs[0].view(np.uint8), p, status)

        def run() -> None:
            step()
            node.require(not status[0], f"{status[0]} lengths lie outside of 0 .. {x.shape[sequence]}")

        return run

    return Prepared((x.shape,), build)


def prepare_matrix_diag(node: Node) -> Prepared:
    """Prepare MATRIX_DIAG; what is off the diagonal is a real zero."""
    x, out = node.input(0), node.output()
    _alike(node, x, out)
    node.require(len(x.shape) > 0, "a scalar is no diagonal; rank 1 at least is allowed")
    n = x.shape[-1]
    zero = np.full(1, out.zero_point, x.dtype)

    def build(m: Memory) -> Step:
        return _filled(m, zero, m.inputs[0].reshape(-1, max(n, 1)), _diagonal(m.outputs[0], n, n))

    return Prepared(((*x.shape, n),), build)


def _diagonal(flat: Array, rows: int, columns: int) -> Array:
    """Return the main diagonals of matrices as a view [matrices, diagonal]."""
    size, length = rows * columns, min(rows, columns)
    matrices = flat.reshape(-1, size) if size else flat.reshape(0, 1)
    return matrices[:, : (length - 1) * (columns + 1) + 1 : columns + 1]


def prepare_matrix_set_diag(node: Node) -> Prepared:
    """Prepare MATRIX_SET_DIAG of matrices in the last two axes."""
    x, diagonal, out = node.input(0), node.input(1), node.output()
    _alike(node, x, diagonal, out)
    node.require(len(x.shape) > 1, f"the input has rank {len(x.shape)}; 2 at least is allowed")
    rows, columns = x.shape[-2:]
    wanted = (*x.shape[:-2], min(rows, columns))
    node.require(diagonal.shape == wanted, f"diagonals of {list(diagonal.shape)}; {list(wanted)} is allowed")

    def build(m: Memory) -> Step:
        target = _diagonal(m.outputs[0], rows, columns)
        source = m.inputs[1].reshape(target.shape)

        def run() -> None:
            np.copyto(m.outputs[0], m.inputs[0])
            np.copyto(target, source)

        return run

    return Prepared((x.shape,), build)


def prepare_broadcast_to(node: Node) -> Prepared:
    """Prepare BROADCAST_TO the shape in input 1."""
    x, target, out = node.input(0), node.input(1), node.output()
    _alike(node, x, out)
    if target.dtype not in _INDICES or len(target.shape) != 1:
        raise node.invalid(f"a shape of {target.dtype}{list(target.shape)}; a vector of int32 or int64 is allowed")
    shape = tuple(shapes.values(node, target))
    own = (1,) * (len(shape) - len(x.shape)) + x.shape
    fits = len(own) == len(shape) and all(n >= 0 and m in (1, n) for m, n in zip(own, shape, strict=True))
    node.require(fits, f"{list(x.shape)} does not broadcast to {list(shape)}")
    node.require(len(shape) <= 8 and math.prod(shape) < 1 << 31, f"the shape {list(shape)} is too large")
    return Prepared((shape,), lambda m: copy(np.broadcast_to(m.inputs[0].reshape(own), shape), _shaped(m, shape)))


def prepare_broadcast_args(node: Node) -> Prepared:
    """Prepare BROADCAST_ARGS: the shapes are vectors, known when it runs."""
    a, b, out = node.input(0), node.input(1), node.output()
    node.require(a.dtype in _INDICES, f"shapes of {a.dtype}; int32 or int64 is allowed")
    _alike(node, a, b, out)
    node.require(
        len(a.shape) == len(b.shape) == 1, f"shapes of {list(a.shape)} and {list(b.shape)}; vectors are allowed"
    )
    rank = max(a.size, b.size)

    def build(m: Memory) -> Step:
        return lambda: _broadcast_values(node, m.inputs[0].tolist(), m.inputs[1].tolist(), m.outputs[0])

    return Prepared(((rank,),), build)


def _broadcast_values(node: Node, a: list[int], b: list[int], out: Array) -> None:
    rank = len(out)
    for i, (m, n) in enumerate(zip([1] * (rank - len(a)) + a, [1] * (rank - len(b)) + b, strict=True)):
        if m != n and 1 not in (m, n):
            raise node.invalid(f"the shapes {a} and {b} do not broadcast")
        out[i] = n if m == 1 else m


def prepare_dynamic_update_slice(node: Node) -> Prepared:
    """Prepare DYNAMIC_UPDATE_SLICE; the start in input 2 is read, and moved inside, at every run."""
    x, update, out = node.input(0), node.input(1), node.output()
    _alike(node, x, update, out)
    rank = len(x.shape)
    fits = len(update.shape) == rank and all(m <= n for m, n in zip(update.shape, x.shape, strict=True))
    node.require(fits, f"an update of {list(update.shape)} is larger than the tensor of {list(x.shape)}")
    _whole(node, 2, (rank,))

    def build(m: Memory) -> Step:
        target, source = _shaped(m, x.shape), m.inputs[1].reshape(update.shape)

        def run() -> None:
            np.copyto(m.outputs[0], m.inputs[0])
            window: list[Any] = []
            for at, extent, size in zip(m.inputs[2].tolist(), x.shape, update.shape, strict=True):
                first = min(max(at, 0), extent - size)
                window.append(slice(first, first + size))
            np.copyto(target[(*window, ...)], source)

        return run

    return Prepared((x.shape,), build)


def prepare_dilate(node: Node) -> Prepared:
    """Prepare DILATE by the steps in input 1, with the value in input 2 between."""
    x, value, out = node.input(0), _single(node, 2), node.output()
    _alike(node, x, value, out)
    steps = shapes.values(node, _whole(node, 1, (len(x.shape),)))
    node.require(all(step >= 1 for step in steps), f"dilations {steps}; each must be at least 1")
    shape = tuple((n - 1) * step + 1 if n else 0 for n, step in zip(x.shape, steps, strict=True))
    index: tuple[Any, ...] = tuple(slice(None, None, step) for step in steps)

    def build(m: Memory) -> Step:
        target = _shaped(m, shape)[(*index, ...)]
        return _filled(m, m.inputs[2], m.inputs[0].reshape(x.shape), target)

    return Prepared((shape,), build)


def prepare_resize_nearest(node: Node) -> Prepared:
    """Prepare RESIZE_NEAREST_NEIGHBOR to the rows and columns in input 1; whole pixels are copied as bytes."""
    x, out = node.input(0), node.output()
    _alike(node, x, out)
    corners, half = bool(node.options.number("align_corners")), bool(node.options.number("half_pixel_centers"))
    node.require(not (corners and half), "align_corners and half_pixel_centers exclude each other")
    node.require(len(x.shape) == 4, f"the input has rank {len(x.shape)}; 4 (NHWC) is allowed")
    size = _whole(node, 1, (2,))
    node.require(size.dtype == np.int32, f"a size of {size.dtype}; int32 is allowed")
    rows, columns = shapes.values(node, size)
    batch, height, width, channels = x.shape
    node.require(min(rows, columns) > 0 and rows * columns < 1 << 27, f"a size of {rows} x {columns}")
    node.require(height > 0 and width > 0, f"nothing to pick from an input of {height} x {width}")
    vertical, horizontal = _nearest(height, rows, corners, half), _nearest(width, columns, corners, half)
    positions = np.add.outer(vertical * width, horizontal).ravel()
    p = np.array([1, batch, height * width, positions.size, channels * x.dtype.itemsize])
    status = np.zeros(1, np.int64)

    def build(m: Memory) -> Step:
        return bind(gather, m.inputs[0].view(np.uint8), positions, m.outputs[0].view(np.uint8), p, status)

    return Prepared(((batch, rows, columns, channels),), build)


def _nearest(extent: int, count: int, corners: bool, half: bool) -> Array:
    """Return the cell for each output cell of one axis, in whole numbers: floor((i + shift) * from / to + round)."""
    above, below = (extent - 1, count - 1) if corners and count > 1 else (extent, count)
    at = np.arange(count, dtype=np.int64)
    doubled = (2 * at + half) * above + (below if corners else 0)
    cells: Array = np.minimum(doubled // (2 * below), extent - 1)
    return cells
