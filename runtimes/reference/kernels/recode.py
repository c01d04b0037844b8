"""Ops that give values another type, or a coarser grid: CAST, BITCAST, BUCKETIZE and FAKE_QUANT."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from opconform.harness.model import DTYPES, Array
from opconform.harness.numerics import round_half_away
from opconform.runtimes.reference.registry import kernel


@kernel("CAST")
def cast(x: Array, *, out_data_type: str, **_: Any) -> Array:
    """Return the number itself: floats round it, integers cut or wrap it; reals drop an imaginary part."""
    return x.real if np.iscomplexobj(x) and out_data_type != "complex64" else x


@kernel("BITCAST")
def bitcast(x: Array, *, from_type: str, to_type: str, **_: Any) -> Array:
    """Read the same bytes, little end first, as another type; a last dimension holds the parts of wider elements."""
    source, target = DTYPES[from_type][0], DTYPES[to_type][0]
    shape = x.shape
    if source.itemsize > target.itemsize:
        shape = (*shape, source.itemsize // target.itemsize)
    elif source.itemsize < target.itemsize:
        shape = shape[:-1]
    parts = np.frombuffer(x.astype(source).tobytes(), dtype=target).reshape(shape)
    if target.kind == "b":
        return parts
    with np.errstate(invalid="ignore"):  # a signalling NaN becomes a quiet one
        return parts.astype(np.float64 if target.kind == "f" else np.int64)


@kernel("BUCKETIZE")
def bucketize(x: Array, *, boundaries: Sequence[float], **_: Any) -> Array:
    """Count the boundaries that are not above each value (public documentation of tf.raw_ops.Bucketize)."""
    edges = np.asarray(boundaries, dtype=np.float64)
    return np.asarray(np.sum(x[..., None] >= edges, axis=-1))


@kernel("FAKE_QUANT")
def fake_quant(x: Array, *, min: float, max: float, num_bits: int, narrow_range: bool, **_: Any) -> Array:
    """Clamp to the range, moved so that zero is one of its steps, and round to the nearest step.

    Source: public documentation of tf.quantization.fake_quant_with_min_max_args.
    """
    first, last = int(narrow_range), 2**num_bits - 1
    step = (max - min) / (last - first)
    zero = np.clip(round_half_away(np.asarray(first - min / step)), first, last)
    low, high = (first - zero) * step, (last - zero) * step
    steps = round_half_away((np.clip(x, low, high) - low) / step)
    return np.asarray(low + steps * step)
