"""Constants that a file stores sparsely become dense when a model is opened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from opconform.harness.model import Array, Shape
from opconform.harness.runtime import InvalidModel
from opconform.runtimes.lite.graph import Node, Prepared


class Level(NamedTuple):
    """One level of storage: its extent; the segments (None: dense) and indices of a compressed one."""

    size: int
    segments: tuple[int, ...] | None
    indices: tuple[int, ...]


def densify(
    name: str,
    raw: Array,
    dtype: np.dtype[np.generic],
    shape: Shape,
    order: Sequence[int],
    blocks: Sequence[int],
    levels: Sequence[Level],
) -> Array:
    """Return the flat tensor that levels and values describe. Raises InvalidModel for what does not fit together.

    `order` names the axes of the tensor and, from its rank on, the places inside blocks, outermost first;
    `blocks` the axis that each block splits.
    """
    rank = len(shape)
    fits = sorted(order) == list(range(rank + len(blocks))) and len(levels) == len(order)
    if not fits or len(set(blocks)) != len(blocks) or not all(0 <= axis < rank for axis in blocks):
        raise _broken(name, f"levels {list(order)} of {len(levels)} and blocks {list(blocks)} do not fit rank {rank}")
    sizes = {level: entry.size for level, entry in zip(order, levels, strict=True)}
    for axis, extent in enumerate(shape):
        inner = sizes[rank + blocks.index(axis)] if axis in blocks else 1
        if sizes[axis] < 0 or inner < 1 or sizes[axis] * inner != extent:
            raise _broken(name, f"{sizes[axis]} blocks of {inner} along axis {axis} of {extent}")
    places = _places(name, levels)
    need = len(places) * dtype.itemsize
    if raw.size < need:
        raise _broken(name, f"{len(places)} values need {need} bytes and its buffer has {raw.size}")
    expanded = np.zeros([sizes[level] for level in order], dtype)
    expanded.reshape(-1)[places] = raw[:need].copy().view(dtype)
    return np.ascontiguousarray(_joined(expanded, order, blocks, rank).reshape(-1))


def _places(name: str, levels: Sequence[Level]) -> Array:
    """Return where in the expanded tensor each stored value lies."""
    places = np.zeros(1, np.int64)
    for number, (size, segments, indices) in enumerate(levels):
        if segments is None:
            places = (places[:, None] * size + np.arange(size)).reshape(-1)
            continue
        bounds, found = np.asarray(segments, np.int64), np.asarray(indices, np.int64)
        counts = np.diff(bounds)
        whole = len(bounds) == len(places) + 1 and bounds[0] == 0 and bounds[-1] == len(found)
        if not whole or (counts < 0).any() or (found < 0).any() or (found >= size).any():
            raise _broken(name, f"segments or indices of level {number} are out of range")
        places = np.repeat(places, counts) * size + found
    return places


def _joined(expanded: Array, order: Sequence[int], blocks: Sequence[int], rank: int) -> Array:
    """Bring the axes back into the tensor's order, the places inside a block right behind its axis."""
    at = {level: position for position, level in enumerate(order)}
    axes = [a for axis in range(rank) for a in (axis, *([rank + blocks.index(axis)] if axis in blocks else []))]
    return expanded.transpose([at[axis] for axis in axes])


def _broken(name: str, what: str) -> InvalidModel:
    return InvalidModel(f"tensor {name!r} is stored sparse: {what}")


def prepare_densify(node: Node) -> Prepared:
    """Prepare DENSIFY: its constant is dense since the model was opened, and is copied."""
    x, out = node.input(0), node.output()
    node.require(x.data is not None, "the input is no constant")
    node.require(x.dtype == out.dtype, f"{x.dtype} -> {out.dtype}; one dtype is allowed")
    return Prepared((x.shape,), lambda m: lambda: np.copyto(m.outputs[0], m.inputs[0]))
