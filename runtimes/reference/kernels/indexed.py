"""Ops that pick, place, sort or join elements by integers: indices, keys, numbers of segments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from opconform.harness.model import Array
from opconform.harness.numerics import FLOAT32_MAX, Undecided
from opconform.runtimes.reference.registry import kernel


def _coordinates(indices: Array) -> tuple[Array, ...]:
    """Turn rows of coordinates into one array of positions per axis."""
    return tuple(indices[..., axis] for axis in range(indices.shape[-1]))


@kernel("GATHER_ND")
def gather_nd(x: Array, indices: Array, **_: Any) -> Array:
    """Pick x[row] for every row of the last axis of indices; a row may name fewer axes than x has."""
    return np.asarray(x[_coordinates(indices)])


@kernel("SCATTER_ND")
def scatter_nd(indices: Array, updates: Array, shape: Array, **_: Any) -> Array:
    """Add every update to zeros at the coordinates of its row; bools are joined by or."""
    y = np.zeros(tuple(shape.tolist()), updates.dtype)
    np.add.at(y, _coordinates(indices), updates)
    return y


@kernel("ONE_HOT")
def one_hot(indices: Array, depth: Array, on_value: Array, off_value: Array, *, axis: int, **_: Any) -> Array:
    """Compare the indices with 0 to depth - 1 along a new axis."""
    at = np.ndim(indices) if axis == -1 else axis
    places = np.arange(int(depth)).reshape(-1, *[1] * (np.ndim(indices) - at))
    return np.where(np.expand_dims(indices, at) == places, on_value, off_value)


@kernel("SELECT")
def select(condition: Array, a: Array, b: Array, **_: Any) -> Array:
    """Choose from a or b by the condition, whose one axis, if it has just one, is their first."""
    wide = condition.reshape(condition.shape + (1,) * (np.ndim(a) - condition.ndim))
    return np.where(wide, a, b)


@kernel("SPARSE_TO_DENSE")
def sparse_to_dense(indices: Array, shape: Array, values: Array, default: Array, **_: Any) -> Array:
    """Fill with the default, then write the values at the rows of indices."""
    y = np.full(tuple(shape.tolist()), default, dtype=values.dtype)
    rows = indices if indices.ndim == 2 else indices.reshape(-1, 1)
    y[_coordinates(rows)] = values
    return y


@kernel("TOPK_V2")
def topk(x: Array, k: Array, **_: Any) -> tuple[Array, Array]:
    """Sort falling along the last axis, equal elements by position, and keep k."""
    order = np.argsort(-x, axis=-1, kind="stable")[..., : int(k)]
    return np.take_along_axis(x, order, -1), order


@kernel("UNIQUE")
def unique(x: Array, **_: Any) -> tuple[Array, Array]:
    """Number the different elements in the order in which they first appear."""
    found: dict[float, int] = {}
    numbers = [found.setdefault(value, len(found)) for value in x.tolist()]
    firsts = [numbers.index(number) for number in range(len(found))]
    return x[np.asarray(firsts, np.int64)], np.asarray(numbers, np.int64)


def _segments(x: Array, ids: Array, count: int, start: float, join: Callable[..., Any]) -> Array:
    """Join the slices of each number with `join.at`, from `start`; negative numbers are left out."""
    rest = x.shape[ids.ndim :]
    y = np.full((count, *rest), start, dtype=x.dtype)
    kept = ids.reshape(-1) >= 0
    join(y, ids.reshape(-1)[kept], x.reshape(ids.size, *rest)[kept])
    return y


def _ends(x: Array) -> tuple[float, float]:
    """Return the least and the largest number of the row's dtype: float32 or int32."""
    return (-FLOAT32_MAX, FLOAT32_MAX) if x.dtype.kind == "f" else (-(2**31), 2**31 - 1)


@kernel("SEGMENT_SUM")
def segment_sum(x: Array, ids: Array, **_: Any) -> Array:
    """Sum the slices of each number, up to the last number."""
    return _segments(x, ids, int(ids[-1]) + 1, 0, np.add.at)


@kernel("UNSORTED_SEGMENT_SUM")
def unsorted_segment_sum(x: Array, ids: Array, segments: Array, **_: Any) -> Array:
    """Sum the slices of each number."""
    return _segments(x, ids, int(segments), 0, np.add.at)


@kernel("UNSORTED_SEGMENT_PROD")
def unsorted_segment_prod(x: Array, ids: Array, segments: Array, **_: Any) -> Array:
    """Multiply the slices of each number."""
    return _segments(x, ids, int(segments), 1, np.multiply.at)


@kernel("UNSORTED_SEGMENT_MAX")
def unsorted_segment_max(x: Array, ids: Array, segments: Array, **_: Any) -> Array:
    """Take the largest of the slices of each number."""
    return _segments(x, ids, int(segments), _ends(x)[0], np.maximum.at)


@kernel("UNSORTED_SEGMENT_MIN")
def unsorted_segment_min(x: Array, ids: Array, segments: Array, **_: Any) -> Array:
    """Take the least of the slices of each number."""
    return _segments(x, ids, int(segments), _ends(x)[1], np.minimum.at)


@kernel("EMBEDDING_LOOKUP")
def embedding_lookup(ids: Array, table: Array, **_: Any) -> Array:
    """Pick rows; a quantized table comes as real numbers."""
    return np.asarray(table[ids])


@kernel("EMBEDDING_LOOKUP_SPARSE")
def embedding_lookup_sparse(
    ids: Array, indices: Array, dense_shape: Array, weights: Array, table: Array, *, combiner: str, **_: Any
) -> Array:
    """Add weight * row at all but the last coordinate; divide by the sum of weights, or the root of that of squares."""
    head = tuple(dense_shape.tolist())[:-1]
    cells = _coordinates(indices[:, :-1])
    total, divisor = np.zeros(head + table.shape[1:]), np.zeros(head)
    tall = weights.reshape(-1, *[1] * (table.ndim - 1))
    np.add.at(total, cells, tall * table[ids])
    np.add.at(divisor, cells, weights**2 if combiner == "SQRTN" else weights)
    if combiner == "SUM":
        return total
    filled = np.zeros(head, bool)
    filled[cells] = True
    if np.any(divisor[filled] == 0):
        raise Undecided("an average of rows without weight")
    root = np.sqrt(divisor) if combiner == "SQRTN" else divisor
    return np.asarray(total / np.where(filled, root, 1).reshape(head + (1,) * (table.ndim - 1)))


@kernel("HASHTABLE_LOOKUP")
def hashtable_lookup(lookup: Array, keys: Array, table: Array, **_: Any) -> tuple[Array, Array]:
    """Find each key among the keys; zeros and no hit where it is missing."""
    equal = lookup[:, None] == keys[None, :]
    hits = equal.any(axis=1)
    y = np.zeros((len(lookup), *table.shape[1:]), table.dtype)
    y[hits] = table[equal.argmax(axis=1)[hits]]
    return y, hits.astype(np.int64)
