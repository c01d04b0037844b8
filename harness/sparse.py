"""Sparse constants: the levels in which a .tflite file stores a tensor with many zeros.

A level walks one axis of the tensor, or the places inside a block of one axis. A dense level stores every index;
a compressed one stores, for each place of the levels above, where its indices begin (`segments`) and the indices
under which anything but zeros lies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from opconform.harness.model import Array, Sparsity


@dataclass(frozen=True, slots=True)
class Level:
    """How many indices a level has; of a compressed one its segments and indices too."""

    size: int
    segments: tuple[int, ...] = ()
    indices: tuple[int, ...] = ()


def compress(dense: Array, sparsity: Sparsity) -> tuple[tuple[Level, ...], Array]:
    """Return the levels of a tensor, in the order of storage, and the values that are stored.

    Raises ValueError where a block does not divide its axis, or the order does not name every level once.
    """
    expanded = split_blocks(dense, sparsity)
    if sorted(sparsity.order) != list(range(expanded.ndim)) or len(sparsity.compressed) != expanded.ndim:
        raise ValueError(f"levels {sparsity.order} with {sparsity.compressed}: {expanded.ndim} are needed, each once")
    walked = expanded.transpose(sparsity.order)
    places = [walked]  # what lies at each place of the levels above
    levels: list[Level] = []
    for size, compressed in zip(walked.shape, sparsity.compressed, strict=True):
        if not compressed:
            levels.append(Level(size))
            places = [part[i] for part in places for i in range(size)]
            continue
        kept = [[i for i in range(size) if np.any(part[i] != 0)] for part in places]
        segments = np.cumsum([0, *map(len, kept)])
        levels.append(Level(size, tuple(segments.tolist()), tuple(i for some in kept for i in some)))
        places = [part[i] for part, some in zip(places, kept, strict=True) for i in some]
    return tuple(levels), np.asarray(places, dtype=dense.dtype).reshape(-1)


def split_blocks(dense: Array, sparsity: Sparsity) -> Array:
    """Return the tensor with every blocked axis split: its blocks stay in place, the places inside go to the end."""
    shape: list[int] = []
    inner: dict[int, int] = {}  # blocked axis -> where the places inside its blocks went
    sizes = dict(sparsity.blocks)
    for axis, extent in enumerate(dense.shape):
        size = sizes.get(axis, 1)
        if extent % size:
            raise ValueError(f"blocks of {size} along axis {axis} of {extent}: it must be a multiple")
        shape.append(extent // size)
        if axis in sizes:
            inner[axis] = len(shape)
            shape.append(size)
    outer = [i for i in range(len(shape)) if i not in inner.values()]
    return dense.reshape(shape).transpose(outer + [inner[axis] for axis, _ in sparsity.blocks])
