"""Ops that move elements and compute nothing: exact in every row, so they need no twins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.reference.registry import kernel


@kernel("RESHAPE")
def reshape(x: Array, shape: Array | None, *, new_shape: Sequence[int], **_: Any) -> Array:
    """Same elements in row-major order under another shape; one -1 is inferred; the input wins over the option."""
    target = new_shape if shape is None else np.asarray(shape).tolist()
    return np.reshape(x, tuple(target))


@kernel("PAD")
def pad(x: Array, pads: Array, **_: Any) -> Array:
    """Put (before, after) zeros, which are real zeros in quantized rows too, around every dimension."""
    return np.pad(x, [(int(before), int(after)) for before, after in pads])


@kernel("CONCATENATION")
def concatenation(*parts: Array, axis: int, **_: Any) -> Array:
    """Join the inputs along one axis."""
    return np.concatenate(parts, axis=axis)


@kernel("GATHER")
def gather(x: Array, positions: Array, *, axis: int, batch_dims: int, **_: Any) -> Array:
    """Take slices of x along the axis; the first batch_dims dimensions of x and positions go together."""
    axis = axis % x.ndim
    batch = batch_dims + positions.ndim if batch_dims < 0 else batch_dims
    result = np.zeros((*x.shape[:axis], *positions.shape[batch:], *x.shape[axis + 1 :]), dtype=x.dtype)
    for at in np.ndindex(x.shape[:batch]):
        result[at] = np.take(x[at], positions[at], axis=axis - batch)
    return result


@kernel("STRIDED_SLICE")
def strided_slice(x: Array, begin: Array, end: Array, strides: Array, **options: Any) -> Array:
    """Slice with a start, an end and a step per entry; bit i of each mask changes the meaning of entry i."""
    masks = {name: int(options[f"{name}_mask"]) for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")}
    entries = list(zip(begin.tolist(), end.tolist(), strides.tolist(), strict=True))
    if options.get("offset"):
        entries = [(first, first + length, step) for first, length, step in entries]
    return np.asarray(x[tuple(_entry(i, entry, masks) for i, entry in enumerate(entries))])


def _entry(i: int, entry: tuple[int, int, int], masks: dict[str, int]) -> Any:
    """Turn one entry into a NumPy index; an ellipsis wins over a new axis, and that over a single element."""
    on = {name: bool(mask >> i & 1) for name, mask in masks.items()}
    if on["ellipsis"]:
        return Ellipsis
    if on["new_axis"]:
        return None
    first, last, step = entry
    if on["shrink_axis"]:
        return first
    return slice(None if on["begin"] else first, None if on["end"] else last, step)
