"""Reductions over axes: real definitions and integer twins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from opconform.harness.model import Array, Quant
from opconform.harness.numerics import multiply_by_quantized_multiplier, quantize_multiplier
from opconform.runtimes.reference.kernels._common import finish
from opconform.runtimes.reference.registry import kernel, twin


def _axes(axis: Array, rank: int) -> tuple[int, ...]:
    """Turn an axis tensor (negative and repeated entries allowed) into distinct dimensions."""
    return tuple(sorted({int(a) % rank for a in np.asarray(axis).reshape(-1)})) if rank else ()


def _count(shape: tuple[int, ...], axes: tuple[int, ...]) -> int:
    return int(np.prod([shape[a] for a in axes], dtype=np.int64))


@kernel("MEAN")
def mean(x: Array, axis: Array, *, keep_dims: bool, **_: Any) -> Array:
    """Return the mean over the axes; that of integers is cut towards zero."""
    axes = _axes(axis, x.ndim)
    total, count = x.sum(axis=axes, keepdims=keep_dims), _count(x.shape, axes)
    if x.dtype.kind == "i":
        return np.asarray(np.sign(total) * (np.abs(total) // max(count, 1)))
    return np.asarray(total / count)


@twin("MEAN")
def mean_int(
    x: Array,
    axis: Array,
    *,
    q: Mapping[str, Quant],
    dtypes: Mapping[str, str],
    keep_dims: bool,
    **_: Any,
) -> Array:
    """Rescale the centred sum by a multiplier that has the division by the count folded in."""
    axes = _axes(axis, x.ndim)
    count = _count(x.shape, axes)
    total = x.sum(axis=axes, keepdims=keep_dims) - q["x"].zero_point[0] * count
    q31, shift = _divided(*quantize_multiplier(q["x"].scale[0] / q["y"].scale[0]), count)
    return finish(multiply_by_quantized_multiplier(np.asarray(total), q31, shift), "NONE", q["y"], dtypes["y"])


def _divided(q31: int, shift: int, count: int) -> tuple[int, int]:
    """Divide a fixed-point multiplier by count > 0, cutting its last bits; the result may have 30 bits only."""
    up = min(count.bit_length() - 1, 32, 31 + shift)
    return (q31 << up) // count, shift - up


@kernel("ARG_MAX")
def arg_max(x: Array, axis: Array, **_: Any) -> Array:
    """Return the position of the largest element along one axis, the first where several are equal."""
    return np.asarray(np.argmax(x, axis=int(np.asarray(axis).reshape(-1)[0])), dtype=np.int64)
