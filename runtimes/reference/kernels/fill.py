"""Ops whose result follows from shapes and scalars: SHAPE, RANK, ZEROS_LIKE, FILL, RANGE."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.reference.registry import kernel


@kernel("SHAPE")
def shape(x: Array, **_: Any) -> Array:
    """Return the dimensions of x."""
    return np.asarray(x.shape, dtype=np.int64)


@kernel("RANK")
def rank(x: Array, **_: Any) -> Array:
    """Return the number of dimensions of x."""
    return np.asarray(x.ndim, dtype=np.int64)


@kernel("ZEROS_LIKE")
def zeros_like(x: Array, **_: Any) -> Array:
    """Return zeros (real ones, in quantized rows too) of the shape of x."""
    return np.zeros(x.shape, dtype=x.dtype)


@kernel("FILL")
def fill(dims: Array, value: Array, **_: Any) -> Array:
    """Return a tensor of the shape `dims` that holds one value."""
    return np.broadcast_to(np.asarray(value).reshape(()), tuple(int(extent) for extent in dims)).copy()


@kernel("RANGE")
def range_(start: Array, limit: Array, delta: Array, **_: Any) -> Array:
    """Return start, start + delta, ... up to the limit, which is left out."""
    first, last, step = (np.asarray(number).reshape(()) for number in (start, limit, delta))
    if first.dtype.kind in "iu":
        return np.asarray(range(int(first), int(last), int(step)), dtype=np.int64)
    count = max(0, math.ceil((float(last) - float(first)) / float(step)))
    return np.asarray(float(first) + np.arange(count) * float(step))
