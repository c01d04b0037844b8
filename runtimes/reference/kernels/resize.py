"""Resampling of images [N, H, W, C]."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.reference.registry import kernel, twin


def _blend(x: Array, axis: int, lower: Array, upper: Array, part: Array, one: float) -> Array:
    """Weigh two neighbours along one axis with one - part and part."""
    weights = np.reshape(part, [-1 if d == axis else 1 for d in range(x.ndim)])
    return np.asarray(np.take(x, lower, axis) * (one - weights) + np.take(x, upper, axis) * weights)


def _real_places(inputs: int, outputs: int, align_corners: bool, half_pixel_centers: bool) -> Array:
    """Return where each output lies among the inputs (public documentation of tf.image.resize)."""
    if align_corners and outputs > 1:
        return np.arange(outputs) * ((inputs - 1) / (outputs - 1))
    scale = inputs / outputs
    return (np.arange(outputs) + 0.5) * scale - 0.5 if half_pixel_centers else np.arange(outputs) * scale


@kernel("RESIZE_BILINEAR")
def resize_bilinear(x: Array, size: Array, *, align_corners: bool, half_pixel_centers: bool, **_: Any) -> Array:
    """Interpolate linearly along H, then W; beyond the border the border counts."""
    y = np.asarray(x, dtype=np.float64)
    for axis, outputs in zip((1, 2), np.asarray(size).tolist(), strict=True):
        inputs = x.shape[axis]
        place = np.clip(_real_places(inputs, outputs, align_corners, half_pixel_centers), 0, inputs - 1)
        lower = np.floor(place).astype(np.int64)
        y = _blend(y, axis, lower, np.minimum(lower + 1, inputs - 1), place - lower, 1.0)
    return y


def _places_q10(inputs: int, outputs: int, align_corners: bool, half_pixel_centers: bool) -> Array:
    """As _real_places with 10 fraction bits; the step is rounded to them first."""
    above, below = (inputs - 1, outputs - 1) if align_corners and outputs > 1 else (inputs, outputs)
    step = ((above << 10) + below // 2) // below
    return np.arange(outputs) * step + (step // 2 - 512 if half_pixel_centers else 0)


@twin("RESIZE_BILINEAR")
def resize_bilinear_int(
    x: Array,
    size: Array,
    *,
    dtypes: Mapping[str, str],
    align_corners: bool,
    half_pixel_centers: bool,
    **_: Any,
) -> Array:
    """Weights with 10 fraction bits per axis; the 20 bits of their product are rounded off, halves away from zero."""
    y = np.asarray(x, dtype=np.int64)
    for axis, outputs in zip((1, 2), np.asarray(size).tolist(), strict=True):
        place = _places_q10(x.shape[axis], outputs, align_corners, half_pixel_centers)
        lower = np.maximum(place, 0) >> 10
        upper = np.minimum(np.maximum(place + 1023, 0) >> 10, x.shape[axis] - 1)
        y = _blend(y, axis, lower, upper, place - (lower << 10), 1 << 10).astype(np.int64)
    return np.asarray(np.sign(y) * ((np.abs(y) + (1 << 19)) >> 20))
