"""Ops that transpose, cut, join and repeat tensors: nothing is computed, so they need no twins."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.reference.registry import kernel


@kernel("TRANSPOSE")
def transpose(x: Array, perm: Array, **_: Any) -> Array:
    """Dimension i of the result is dimension perm[i] of x; negative numbers count from the end."""
    return np.transpose(x, [int(axis) % x.ndim for axis in np.asarray(perm).ravel()])


@kernel("SQUEEZE")
def squeeze(x: Array, *, squeeze_dims: Sequence[int], **_: Any) -> Array:
    """Drop the named dimensions, which must be 1; all dimensions of 1 where none is named."""
    if not len(squeeze_dims):
        return np.squeeze(x)
    return np.squeeze(x, axis=tuple(sorted({int(axis) % x.ndim for axis in squeeze_dims})))


@kernel("EXPAND_DIMS")
def expand_dims(x: Array, axis: Array, **_: Any) -> Array:
    """Insert a dimension of 1 at `axis` of the result."""
    return np.expand_dims(x, int(np.asarray(axis).reshape(())))


@kernel("PACK")
def pack(*parts: Array, axis: int, **_: Any) -> Array:
    """Join tensors of one shape along a new dimension."""
    return np.stack(parts, axis=axis)


@kernel("UNPACK")
def unpack(x: Array, *, axis: int, **_: Any) -> tuple[Array, ...]:
    """Cut a dimension into its elements, and drop it."""
    return tuple(np.moveaxis(x, axis, 0))


@kernel("SPLIT")
def split(axis: Array, x: Array, *, num_splits: int, **_: Any) -> tuple[Array, ...]:
    """Cut a dimension into equal parts; the axis is the first input."""
    return tuple(np.split(x, num_splits, axis=int(np.asarray(axis).reshape(()))))


@kernel("SPLIT_V")
def split_v(x: Array, sizes: Array, axis: Array, **_: Any) -> tuple[Array, ...]:
    """Cut a dimension into parts of the given sizes; one of -1 takes the rest."""
    along = int(np.asarray(axis).reshape(()))
    wanted = [int(size) for size in sizes]
    rest = x.shape[along] - sum(size for size in wanted if size != -1)
    ends = np.cumsum([rest if size == -1 else size for size in wanted])
    return tuple(np.split(x, ends[:-1], axis=along))


@kernel("SLICE")
def slice_(x: Array, begin: Array, size: Array, **_: Any) -> Array:
    """Take `size` elements from `begin` on in every dimension; a size of -1 takes the rest."""
    index = []
    for extent, first, count in zip(x.shape, begin.tolist(), size.tolist(), strict=True):
        index.append(slice(int(first), extent if count == -1 else int(first) + int(count)))
    return np.asarray(x[tuple(index)])


@kernel("TILE")
def tile(x: Array, times: Array, **_: Any) -> Array:
    """Repeat the tensor so many times along each dimension."""
    return np.tile(x, [int(count) for count in times])


@kernel("DEPTH_TO_SPACE")
def depth_to_space(x: Array, *, block_size: int, **_: Any) -> Array:
    """Spread channels [b, b, C] of each place over b x b places (order DCR of NHWC tensors)."""
    n, h, w, c = x.shape
    b = block_size
    spread = x.reshape(n, h, w, b, b, c // (b * b)).transpose(0, 1, 3, 2, 4, 5)
    return spread.reshape(n, h * b, w * b, c // (b * b))


@kernel("SPACE_TO_DEPTH")
def space_to_depth(x: Array, *, block_size: int, **_: Any) -> Array:
    """Gather blocks of b x b places into channels: the inverse of DEPTH_TO_SPACE."""
    n, h, w, c = x.shape
    b = block_size
    blocks = x.reshape(n, h // b, b, w // b, b, c).transpose(0, 1, 3, 2, 4, 5)
    return blocks.reshape(n, h // b, w // b, b * b * c)


@kernel("SPACE_TO_BATCH_ND")
def space_to_batch(x: Array, block: Array, pads: Array, **_: Any) -> Array:
    """Pad the dimensions after the first with zeros, cut them into blocks, and put places of a block into batches."""
    sizes = [int(size) for size in block]
    around = [(int(before), int(after)) for before, after in pads]
    rest = x.ndim - 1 - len(sizes)
    padded = np.pad(x, [(0, 0), *around, *[(0, 0)] * rest])
    shape = [padded.shape[0]]
    for extent, size in zip(padded.shape[1:], sizes, strict=False):
        shape += [extent // size, size]
    cut = padded.reshape(*shape, *padded.shape[1 + len(sizes) :])
    inner = [2 + 2 * i for i in range(len(sizes))]
    outer = [1 + 2 * i for i in range(len(sizes))]
    tail = range(1 + 2 * len(sizes), cut.ndim)
    moved = cut.transpose(*inner, 0, *outer, *tail)
    return moved.reshape(x.shape[0] * math.prod(sizes), *[cut.shape[i] for i in outer], *[cut.shape[i] for i in tail])


@kernel("BATCH_TO_SPACE_ND")
def batch_to_space(x: Array, block: Array, crops: Array, **_: Any) -> Array:
    """Put batches back to the places of their blocks, then crop: undoes SPACE_TO_BATCH_ND with the same widths."""
    sizes = [int(size) for size in block]
    count = len(sizes)
    apart = x.reshape(*sizes, x.shape[0] // math.prod(sizes), *x.shape[1:])
    order = [count]
    for i in range(count):
        order += [count + 1 + i, i]
    order += range(2 * count + 1, apart.ndim)
    places = [extent * size for extent, size in zip(x.shape[1:], sizes, strict=False)]
    whole = apart.transpose(order).reshape(apart.shape[count], *places, *x.shape[1 + count :])
    cuts = [
        slice(int(before), extent - int(after)) for extent, (before, after) in zip(whole.shape[1:], crops, strict=False)
    ]
    return whole[(slice(None), *cuts)]
