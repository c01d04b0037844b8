"""Ops that transpose, cut, join and repeat tensors: copies between views, made when the operator is prepared.

No kernel of theirs is compiled: NumPy copies between any two views without allocating.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from opconform.harness.model import Array, Shape
from opconform.runtimes.lite import shapes
from opconform.runtimes.lite.graph import Memory, Node, Operand, Prepared, Step
from opconform.runtimes.lite.kernels.layout import INTEGERS, copy, in_order, same_type, stored_zero, vector
from opconform.runtimes.lite.quantize import same_quantization


def _pair(node: Node, position: int = 0) -> tuple[Operand, Operand]:
    """Return the input and the only output, which must be of one type."""
    x, out = node.input(position), node.output()
    same_type(node, x, out)
    same_quantization(node, x, out)
    return x, out


def _number(node: Node, position: int) -> int:
    operand = node.input(position)
    if operand.dtype not in INTEGERS or operand.size != 1:
        raise node.invalid(f"input {position} is {operand.dtype}{list(operand.shape)}; one int32 is allowed")
    return shapes.values(node, operand)[0]


def _along(axis: int, part: int | slice) -> tuple[Any, ...]:
    return (*(slice(None),) * axis, part)


def prepare_transpose(node: Node) -> Prepared:
    """Prepare TRANSPOSE by the order in input 1."""
    x, _ = _pair(node)
    rank = len(x.shape)
    order = vector(node, 1)
    node.require(len(order) == rank, f"an order of {len(order)} dimensions for a tensor of rank {rank}")
    axes = [shapes.axis(node, axis, rank) for axis in order]
    node.require(len(set(axes)) == rank, f"the order {order} names a dimension twice")
    shape = tuple([x.shape[axis] for axis in axes])
    return Prepared((shape,), lambda m: copy(m.inputs[0].reshape(x.shape).transpose(axes), m.outputs[0].reshape(shape)))


def prepare_squeeze(node: Node) -> Prepared:
    """Prepare SQUEEZE of the dimensions in the options, or of all that are 1."""
    x, _ = _pair(node)
    named = node.options.vector("squeeze_dims") or ()
    axes = {shapes.axis(node, axis, len(x.shape)) for axis in named}
    node.require(all(x.shape[axis] == 1 for axis in axes), f"{sorted(axes)} of {list(x.shape)} are not all 1")
    gone = axes or {axis for axis, extent in enumerate(x.shape) if extent == 1}
    shape = tuple([extent for axis, extent in enumerate(x.shape) if axis not in gone])
    return Prepared((shape,), lambda m: copy(m.inputs[0], m.outputs[0]))


def prepare_expand_dims(node: Node) -> Prepared:
    """Prepare EXPAND_DIMS at the axis in input 1."""
    x, _ = _pair(node)
    axis = shapes.axis(node, _number(node, 1), len(x.shape) + 1)
    return Prepared(((*x.shape[:axis], 1, *x.shape[axis:]),), lambda m: copy(m.inputs[0], m.outputs[0]))


def prepare_pack(node: Node) -> Prepared:
    """Prepare PACK along a new axis."""
    out = node.output()
    inputs = [node.input(i) for i in range(len(node.inputs))]
    count = node.options.number("values_count")
    node.require(0 < count == len(inputs), f"{len(inputs)} inputs; the options say {count}")
    same_type(node, *inputs, out)
    first = inputs[0].shape
    for operand in inputs:
        node.require(operand.shape == first, f"the shapes {list(first)} and {list(operand.shape)} differ")
        same_quantization(node, operand, out)
    axis = shapes.axis(node, node.options.number("axis"), len(first) + 1)
    single, shape = ((*first[:axis], extent, *first[axis:]) for extent in (1, count))

    def build(m: Memory) -> Step:
        target = m.outputs[0].reshape(shape)
        parts = [target[_along(axis, slice(i, i + 1))] for i in range(count)]
        return in_order([copy(flat.reshape(single), part) for flat, part in zip(m.inputs, parts, strict=True)])

    return Prepared((shape,), build)


def _cut(node: Node, position: int, axis: int, sizes: Sequence[int], shape_of: Shape | None = None) -> Prepared:
    """Prepare outputs that are parts of an input along an axis; `shape_of` is theirs where it is not the part's."""
    x = node.input(position)
    node.require(len(node.outputs) == len(sizes), f"{len(node.outputs)} outputs; {len(sizes)} are needed")
    same_type(node, x, *node.outputs)
    for out in node.outputs:
        same_quantization(node, x, out)
    parts = [(*x.shape[:axis], size, *x.shape[axis + 1 :]) for size in sizes]
    ends = np.cumsum(sizes).tolist()

    def build(m: Memory) -> Step:
        source = m.inputs[position].reshape(x.shape)
        views = [source[_along(axis, slice(end - size, end))] for end, size in zip(ends, sizes, strict=True)]
        return in_order([copy(v, y.reshape(p)) for v, y, p in zip(views, m.outputs, parts, strict=True)])

    return Prepared(tuple(parts) if shape_of is None else (shape_of,) * len(sizes), build)


def prepare_unpack(node: Node) -> Prepared:
    """Prepare UNPACK of an axis into as many outputs as it has elements."""
    x = node.input(0)
    axis = shapes.axis(node, node.options.number("axis"), len(x.shape))
    count = node.options.number("num")
    node.require(0 < count == x.shape[axis], f"{x.shape[axis]} elements along axis {axis}; the options say {count}")
    return _cut(node, 0, axis, [1] * count, (*x.shape[:axis], *x.shape[axis + 1 :]))


def prepare_split(node: Node) -> Prepared:
    """Prepare SPLIT of input 1 along the axis in input 0 into equal parts."""
    x = node.input(1)
    axis = shapes.axis(node, _number(node, 0), len(x.shape))
    count = node.options.number("num_splits")
    node.require(0 < count == len(node.outputs), f"{len(node.outputs)} outputs; the options say {count}")
    node.require(x.shape[axis] % count == 0, f"{x.shape[axis]} elements along axis {axis} make no {count} equal parts")
    return _cut(node, 1, axis, [x.shape[axis] // count] * count)


def prepare_split_v(node: Node) -> Prepared:
    """Prepare SPLIT_V into parts of the sizes in input 1, along the axis in input 2."""
    x, sizes = node.input(0), vector(node, 1)
    axis = shapes.axis(node, _number(node, 2), len(x.shape))
    count = node.options.number("num_splits")
    node.require(0 < count == len(sizes), f"{len(sizes)} sizes; the options say {count}")
    allowed = all(size >= -1 for size in sizes) and sizes.count(-1) <= 1
    node.require(allowed, f"the sizes {sizes}; numbers from 0 and at most one -1 are allowed")
    rest = x.shape[axis] - sum(size for size in sizes if size >= 0)
    whole = rest >= 0 if -1 in sizes else rest == 0
    node.require(whole, f"the sizes {sizes} do not add up to the {x.shape[axis]} of axis {axis}")
    return _cut(node, 0, axis, [rest if size == -1 else size for size in sizes])


def prepare_slice(node: Node) -> Prepared:
    """Prepare SLICE from the begins in input 1, of the sizes in input 2 (-1: the rest)."""
    x, _ = _pair(node)
    begin, size = vector(node, 1), vector(node, 2)
    rank = len(x.shape)
    node.require(len(begin) == len(size) == rank, f"{len(begin)} begins, {len(size)} sizes and a rank of {rank}")
    shape = tuple([n - b if s == -1 else s for n, b, s in zip(x.shape, begin, size, strict=True)])
    inside = all(b >= 0 and s >= 0 and b + s <= n for n, b, s in zip(x.shape, begin, shape, strict=True))
    node.require(inside, f"{size} elements from {begin} on do not lie inside {list(x.shape)}")
    box: tuple[Any, ...] = (*[slice(b, b + s) for b, s in zip(begin, shape, strict=True)], ...)
    return Prepared((shape,), lambda m: copy(m.inputs[0].reshape(x.shape)[box], m.outputs[0].reshape(shape)))


def prepare_tile(node: Node) -> Prepared:
    """Prepare TILE by the counts in input 1."""
    x, _ = _pair(node)
    counts = vector(node, 1)
    node.require(len(counts) == len(x.shape), f"{len(counts)} counts for a tensor of rank {len(x.shape)}")
    node.require(all(count >= 0 for count in counts), f"the counts {counts}; none may be negative")
    shape = tuple([extent * count for extent, count in zip(x.shape, counts, strict=True)])
    apart = [number for pair in zip(counts, x.shape, strict=True) for number in pair]
    once = [number for extent in x.shape for number in (1, extent)]
    return Prepared((shape,), lambda m: copy(m.inputs[0].reshape(once), m.outputs[0].reshape(apart)))


def _blocked(node: Node) -> tuple[Shape, int]:
    x, _ = _pair(node)
    node.require(len(x.shape) == 4, f"a tensor of rank {len(x.shape)}; rank 4 is allowed")
    size = node.options.number("block_size")
    node.require(size > 0, f"a block size of {size}; at least 1 is allowed")
    return x.shape, size


def prepare_depth_to_space(node: Node) -> Prepared:
    """Prepare DEPTH_TO_SPACE: channels [b, b, C] become places."""
    (n, h, w, c), b = _blocked(node)
    node.require(c % (b * b) == 0, f"{c} channels do not fill blocks of {b} x {b}")
    depth = c // (b * b)
    spread = (n, h, w, b, b, depth)

    def build(m: Memory) -> Step:
        source = m.inputs[0].reshape(spread).transpose(0, 1, 3, 2, 4, 5)
        return copy(source, m.outputs[0].reshape(n, h, b, w, b, depth))

    return Prepared(((n, h * b, w * b, depth),), build)


def prepare_space_to_depth(node: Node) -> Prepared:
    """Prepare SPACE_TO_DEPTH: the places of a block become channels [b, b, C]."""
    (n, h, w, c), b = _blocked(node)
    node.require(h % b == 0 and w % b == 0, f"{h} x {w} places do not fill blocks of {b} x {b}")
    rows, columns = h // b, w // b

    def build(m: Memory) -> Step:
        source = m.inputs[0].reshape(n, rows, b, columns, b, c).transpose(0, 1, 3, 2, 4, 5)
        return copy(source, m.outputs[0].reshape(n, rows, columns, b, b, c))

    return Prepared(((n, rows, columns, b * b * c),), build)


def _block(node: Node) -> tuple[Operand, list[int], list[tuple[int, int]]]:
    """Return the input, the size of a block, and the widths around it."""
    x, _ = _pair(node)
    sizes, widths = vector(node, 1), node.input(2)
    node.require(all(size > 0 for size in sizes), f"a block of {sizes}; at least 1 in every dimension is allowed")
    node.require(len(sizes) < len(x.shape), f"a block of rank {len(sizes)} in a tensor of rank {len(x.shape)}")
    if widths.dtype not in INTEGERS or widths.shape != (len(sizes), 2):
        raise node.invalid(f"input 2 is {widths.dtype}{list(widths.shape)}; int32 [{len(sizes)}, 2] is allowed")
    flat = shapes.values(node, widths)
    node.require(all(cells >= 0 for cells in flat), f"the widths {flat}; none may be negative")
    return x, sizes, list(zip(flat[::2], flat[1::2], strict=True))


def _interleaved(before: Sequence[int], pairs: Sequence[tuple[int, int]], behind: Sequence[int]) -> list[int]:
    return [*before, *[number for pair in pairs for number in pair], *behind]


def prepare_space_to_batch(node: Node) -> Prepared:
    """Prepare SPACE_TO_BATCH_ND: pad with the zero point, then move the places of a block into the batch."""
    x, sizes, widths = _block(node)
    count, out = len(sizes), node.output()
    batch, rest = x.shape[0], x.shape[1 + count :]
    wide = [n + before + behind for n, (before, behind) in zip(x.shape[1:], widths, strict=False)]
    node.require(all(n % s == 0 for n, s in zip(wide, sizes, strict=True)), f"{wide} do not fill blocks of {sizes}")
    blocks = [n // s for n, s in zip(wide, sizes, strict=True)]
    cut = _interleaved([batch], list(zip(blocks, sizes, strict=True)), rest)
    order = [*range(2, 2 * count + 2, 2), 0, *range(1, 2 * count + 1, 2), *range(2 * count + 1, len(cut))]
    inside = (slice(None), *[slice(b, b + n) for n, (b, _) in zip(x.shape[1:], widths, strict=False)])
    zero = stored_zero(node, out)

    def build(m: Memory) -> Step:
        target = m.outputs[0].reshape([*sizes, batch, *blocks, *rest])
        source = m.inputs[0].reshape(x.shape)
        if not m.scratch:
            return copy(source.reshape(cut).transpose(order), target)
        room = m.scratch[0].view(x.dtype)
        middle = room.reshape([batch, *wide, *rest])[inside]
        steps = [lambda: room.fill(zero), copy(source, middle), copy(room.reshape(cut).transpose(order), target)]
        return in_order(steps)

    size = batch * math.prod(wide) * math.prod(rest) * x.dtype.itemsize
    scratch = (size,) if any(b or a for b, a in widths) else ()
    return Prepared(((batch * math.prod(sizes), *blocks, *rest),), build, scratch)


def prepare_batch_to_space(node: Node) -> Prepared:
    """Prepare BATCH_TO_SPACE_ND: move batches to the places of their blocks, then crop."""
    x, sizes, widths = _block(node)
    count, cells = len(sizes), math.prod(sizes)
    node.require(x.shape[0] % cells == 0, f"a batch of {x.shape[0]} does not fill blocks of {sizes}")
    batch, blocks, rest = x.shape[0] // cells, x.shape[1 : 1 + count], x.shape[1 + count :]
    wide = [n * s for n, s in zip(blocks, sizes, strict=True)]
    inside = [slice(b, n - a) for n, (b, a) in zip(wide, widths, strict=True)]
    left = [n - a - b for n, (b, a) in zip(wide, widths, strict=True)]
    node.require(all(n >= 0 for n in left), f"{widths} are more than the {wide} that can be cropped")
    cut = _interleaved([batch], list(zip(blocks, sizes, strict=True)), rest)
    order = [count, *[axis for i in range(count) for axis in (count + 1 + i, i)], *range(2 * count + 1, len(cut))]

    def build(m: Memory) -> Step:
        source = m.inputs[0].reshape([*sizes, batch, *blocks, *rest]).transpose(order)
        if not m.scratch:
            return copy(source, m.outputs[0].reshape(cut))
        room: Array = m.scratch[0].view(x.dtype)
        cropped = room.reshape([batch, *wide, *rest])[(slice(None), *inside)]
        return in_order([copy(source, room.reshape(cut)), copy(cropped, m.outputs[0].reshape([batch, *left, *rest]))])

    scratch = (x.size * x.dtype.itemsize,) if any(b or a for b, a in widths) else ()
    return Prepared(((batch, *left, *rest),), build, scratch)
