"""Ops that mirror, reverse, spread, overwrite and repeat elements: exact in every row, so they need no twins."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.reference.registry import kernel


@kernel("PADV2")
def pad_v2(x: Array, pads: Array, value: Array, **_: Any) -> Array:
    """Put (before, after) copies of one value around every dimension."""
    widths = [(int(before), int(after)) for before, after in pads]
    return np.pad(x, widths, constant_values=np.asarray(value).reshape(()))


@kernel("MIRROR_PAD")
def mirror_pad(x: Array, pads: Array, *, mode: str, **_: Any) -> Array:
    """Continue every dimension by its mirror image: REFLECT leaves the border element out, SYMMETRIC repeats it."""
    step = 1 if mode == "REFLECT" else 0
    for axis, (before, after) in enumerate(pads.tolist()):
        n = x.shape[axis]
        front = [step + k for k in reversed(range(before))]
        back = [n - 1 - step - k for k in range(after)]
        x = np.take(x, [*front, *range(n), *back], axis=axis)
    return x


@kernel("REVERSE_V2")
def reverse_v2(x: Array, axis: Array, **_: Any) -> Array:
    """Reverse the order of the elements along each of the axes."""
    return np.flip(x, tuple(axis.tolist()))


@kernel("REVERSE_SEQUENCE")
def reverse_sequence(x: Array, lengths: Array, *, seq_dim: int, batch_dim: int, **_: Any) -> Array:
    """Reverse the first lengths[b] elements along seq_dim in each slice b of batch_dim."""
    y = np.moveaxis(x, (batch_dim, seq_dim), (0, 1)).copy()
    for b, count in enumerate(lengths.tolist()):
        y[b, :count] = y[b, :count][::-1].copy()
    return np.moveaxis(y, (0, 1), (batch_dim, seq_dim))


@kernel("MATRIX_DIAG")
def matrix_diag(x: Array, **_: Any) -> Array:
    """Make the last dimension the diagonal of a square matrix of zeros."""
    n = x.shape[-1]
    y = np.zeros((*x.shape, n), dtype=x.dtype)
    for i in range(n):
        y[..., i, i] = x[..., i]
    return y


@kernel("MATRIX_SET_DIAG")
def matrix_set_diag(x: Array, diagonal: Array, **_: Any) -> Array:
    """Replace the main diagonal of each matrix, which need not be square."""
    y = x.copy()
    for i in range(min(x.shape[-2:])):
        y[..., i, i] = diagonal[..., i]
    return y


@kernel("BROADCAST_TO")
def broadcast_to(x: Array, shape: Array, **_: Any) -> Array:
    """Repeat along new leading dimensions and those of extent 1."""
    return np.broadcast_to(x, tuple(shape.tolist()))


@kernel("BROADCAST_ARGS")
def broadcast_args(a: Array, b: Array, **_: Any) -> Array:
    """Return the shape that two shapes broadcast to; the shorter one gets leading ones."""
    rank = max(len(a), len(b))
    left, right = ([1] * (rank - len(shape)) + shape.tolist() for shape in (a, b))
    return np.array([n if m == 1 else m for m, n in zip(left, right, strict=True)], dtype=np.int64)


@kernel("DYNAMIC_UPDATE_SLICE")
def dynamic_update_slice(x: Array, update: Array, start: Array, **_: Any) -> Array:
    """Overwrite a window of x; a start that would let it stick out is moved to the nearest place inside."""
    y = np.array(x)
    first = [min(max(at, 0), n - m) for at, n, m in zip(start.tolist(), x.shape, update.shape, strict=True)]
    y[tuple(slice(at, at + m) for at, m in zip(first, update.shape, strict=True))] = update
    return y


@kernel("DILATE")
def dilate(x: Array, dilations: Array, value: Array, **_: Any) -> Array:
    """Put dilation - 1 copies of a value between neighbours along each dimension."""
    steps = dilations.tolist()
    shape = [(n - 1) * step + 1 if n else 0 for n, step in zip(x.shape, steps, strict=True)]
    y = np.full(shape, np.asarray(value).reshape(()), dtype=x.dtype)
    y[tuple(slice(None, None, step) for step in steps)] = x
    return y


@kernel("RESIZE_NEAREST_NEIGHBOR")
def resize_nearest_neighbor(x: Array, size: Array, *, align_corners: bool, half_pixel_centers: bool, **_: Any) -> Array:
    """Take the element next to each output's place among the inputs (public documentation of tf.image.resize)."""
    for axis, outputs in zip((1, 2), size.tolist(), strict=True):
        places = [_nearest(i, x.shape[axis], outputs, align_corners, half_pixel_centers) for i in range(outputs)]
        x = np.take(x, places, axis=axis)
    return x


@lru_cache(maxsize=4096)
def _nearest(i: int, inputs: int, outputs: int, align_corners: bool, half_pixel_centers: bool) -> int:
    """Round to the nearest corner where corners are aligned, else down to the element whose area holds the place."""
    if align_corners and outputs > 1:
        return min(math.floor(i * Fraction(inputs - 1, outputs - 1) + Fraction(1, 2)), inputs - 1)
    middle = Fraction(1, 2) if half_pixel_centers else Fraction(0)
    shift = Fraction(1, 2) if align_corners else Fraction(0)
    return min(math.floor((i + middle) * Fraction(inputs, outputs) + shift), inputs - 1)
