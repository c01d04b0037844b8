"""Shape rules shared by kernels: broadcasting, windows, axes, strides."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from math import prod

import numpy as np

from opconform.harness.model import Array, Shape
from opconform.runtimes.lite.graph import Node, Operand

#: where a broadcasting kernel finds its own parameters, behind those of the loop
LOOP_PARAMETERS = 32
_MAX_OUTER = 8


def broadcast(node: Node, *operands: Operand) -> Shape:
    """Return the common shape by NumPy's rules; raise InvalidModel where there is none."""
    shapes = [operand.shape for operand in operands]
    if all(shape == shapes[0] for shape in shapes):
        return shapes[0]
    extents = []
    for column in zip_longest(*(reversed(shape) for shape in shapes), fillvalue=1):
        wide = {extent for extent in column if extent != 1}
        if len(wide) > 1:
            raise node.invalid(f"the shapes {', '.join(str(list(shape)) for shape in shapes)} do not broadcast")
        extents.append(wide.pop() if wide else 1)
    return tuple(reversed(extents))


def loop(a: Shape, b: Shape, out: Shape, parameters: Sequence[int] = ()) -> Array:
    """Return the parameters of a two-input loop as the kernels of `binary` read them (int64).

    Neighbouring axes that advance alike are merged: rows, columns, the column strides of a and b,
    the number of outer axes, then extent and strides of a and b for each.
    """
    if a == out and b == out:
        head = [1, prod(out), 1, 1, 0]
    else:
        axes = _merged(list(zip(out, _strides(a, out), _strides(b, out), strict=True)))
        columns, stride_a, stride_b = axes[-1]
        outer = [number for axis in axes[:-1] for number in axis]
        head = [prod(axis[0] for axis in axes[:-1]), columns, stride_a, stride_b, len(axes) - 1, *outer]
    return np.array([*head, *[0] * (LOOP_PARAMETERS - len(head)), *parameters], np.int64)


def _strides(shape: Shape, out: Shape) -> list[int]:
    strides = []
    step = 1
    for extent in reversed(shape):
        strides.append(0 if extent == 1 else step)
        step *= extent
    return [0] * (len(out) - len(shape)) + strides[::-1]


def _merged(axes: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    merged: list[tuple[int, int, int]] = []
    for extent, a, b in reversed(axes):
        if extent == 1:
            continue
        if merged and a == merged[-1][0] * merged[-1][1] and b == merged[-1][0] * merged[-1][2]:
            merged[-1] = (extent * merged[-1][0], merged[-1][1], merged[-1][2])
        else:
            merged.append((extent, a, b))
    return merged[::-1] or [(1, 0, 0)]


def reduced(shape: Shape, axes: Sequence[int], keep: bool) -> Shape:
    """Return a shape without some axes (counted from the front), or with extents of 1 in their place."""
    if keep:
        return tuple(1 if i in axes else extent for i, extent in enumerate(shape))
    return tuple(extent for i, extent in enumerate(shape) if i not in axes)


def reduction_offsets(shape: Shape, axes: Sequence[int]) -> tuple[Array, Array]:
    """Return where each element of a reduction's output starts in the input, and the steps to what it reduces."""
    offsets: list[Array] = [np.zeros(1, np.int64), np.zeros(1, np.int64)]
    stride = prod(shape)
    for i, extent in enumerate(shape):
        stride = stride // extent if extent else 0
        which = int(i in axes)
        offsets[which] = np.add.outer(offsets[which], np.arange(extent) * stride).ravel()
    return offsets[0], offsets[1]


def axis(node: Node, index: int, rank: int) -> int:
    """Return an axis counted from the front; raise InvalidModel where it is outside the rank."""
    if not -rank <= index < rank:
        raise node.invalid(f"axis {index} of a tensor of rank {rank}; {-rank} to {rank - 1} is allowed")
    return index % rank


def window(node: Node, extent: int, size: int, stride: int, dilation: int, same: bool) -> tuple[int, int]:
    """Return the output extent and the padding before of one spatial axis.

    Source: ComputePaddingHeightWidth of TFLite's padding.h; the odd cell of SAME padding is behind.
    """
    if size < 1 or stride < 1 or dilation < 1:
        raise node.invalid(f"window {size}, stride {stride}, dilation {dilation}: each must be at least 1")
    reach = (size - 1) * dilation + 1
    out = -(-extent // stride) if same else -(-(extent - reach + 1) // stride)
    if out < 0 or (out == 0 and extent > 0):
        raise node.invalid(f"a window of {reach} does not fit in an extent of {extent}")
    return out, max(0, (out - 1) * stride + reach - extent) // 2 if same else 0


def values(node: Node, operand: Operand) -> list[int]:
    """Return the integers of an operand that must be known when the operator is prepared."""
    if operand.data is None:
        raise node.invalid("an input that determines the output's shape has no value yet")
    numbers: list[int] = operand.data.tolist()
    return numbers
