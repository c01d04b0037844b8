"""Tables of the quantized kernels: computed in float32, step by step as LUTPopulate of TFLite's internal/common.h."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.lite.graph import Operand
from opconform.runtimes.lite.quantize import RANGES

Function = Callable[[Array], Array]

#: where the reference's table of the logistic function is one above the rounded value
_RAISED = """4 8 12 14 15 16 17 19 20 21 22 25 27 28 29 30 31 33 34 35 37 39 40 41 43 44 45 46 49 50 54 62 63 64 66 82
86 93 100 103 112 116 135 255"""


def _sigmoid() -> Array:
    table = np.round(65536.0 / (1.0 + np.exp(np.arange(256) / -24.0)))
    table[np.array(_RAISED.split(), np.int64)] += 1.0
    return table.astype(np.uint16)


#: 65536 * logistic(i / 24): what the int16 kernels of LOGISTIC and TANH interpolate
SIGMOID = _sigmoid()


def _round(values: Array) -> Array:
    """Round ties away from zero, in the dtype of the values."""
    rounded: Array = np.copysign(np.floor(np.abs(values) + values.dtype.type(0.5)), values)
    return rounded


def _evaluate(function: Function, x: Array) -> Array:
    """Evaluate in float64 and round once: what a correctly rounded C library returns."""
    with np.errstate(all="ignore"):
        single: Array = function(x.astype(np.float64)).astype(np.float32)
    return single


def narrow_table(function: Function, x: Operand, out: Operand) -> Array:
    """Return the 256 results of an 8-bit unary function, by the bits of its input.

    Where C converts an infinity to an integer, which is undefined, the table saturates.
    """
    low, high = RANGES[out.dtype]
    inputs = np.arange(256, dtype=np.uint8).view(x.dtype)
    real = np.float32(x.scale) * (inputs.astype(np.int32) - x.zero_point).astype(np.float32)
    with np.errstate(all="ignore"):
        steps = _round(_evaluate(function, real) * (np.float32(1.0) / np.float32(out.scale))) + np.float32(
            out.zero_point
        )
    return np.clip(np.nan_to_num(steps, nan=0.0), low, high).astype(out.dtype)


def interpolation_table(function: Function, x_scale: float, x_zero_point: int, out_scale: float) -> Array:
    """Return 513 samples over the range of int16, each corrected by half the interpolation error of its cell."""
    scale, low, high = np.float32(x_scale), -32768 - x_zero_point, 32767 - x_zero_point
    with np.errstate(all="ignore"):
        start, end = scale * np.float32(low), scale * np.float32(high)
        step = (end - start) / np.float32(512)
        span = np.float32(out_scale) * np.float32(32767) - np.float32(out_scale) * np.float32(-32768)
        to_steps = np.float32(65536) / span
        index = np.arange(512, dtype=np.float32)
        base = start + index * step
        at = _evaluate(function, base) * to_steps
        middle = _round(_evaluate(function, base + step / np.float32(2)) * to_steps)
        following = _evaluate(function, start + (index + np.float32(1)) * step) * to_steps
        error = _round((following + _round(at)) / np.float32(2)) - middle
        samples = _round(at) - _round(error / np.float32(2))
        last = _round(_evaluate(function, np.array([end])) * to_steps)
    table: Array = np.clip(np.nan_to_num(np.concatenate([samples, last]), nan=0.0), -32768, 32767).astype(np.int16)
    return table
