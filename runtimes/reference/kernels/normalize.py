"""Ops that divide each row of the last axis by a norm of its own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from opconform.harness.model import Array, Quant
from opconform.harness.numerics import (
    Rescale,
    integer_range,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
    rounding_divide_by_pot,
    srdhm,
)
from opconform.runtimes.reference.kernels import _fixedpoint as fixed
from opconform.runtimes.reference.kernels._common import centred
from opconform.runtimes.reference.registry import kernel, twin

Quants = Mapping[str, Quant]
Dtypes = Mapping[str, str]


@kernel("SOFTMAX")
def softmax(x: Array, *, beta: float, **_: Any) -> Array:
    """Return exp(beta * x) over its sum along the last axis."""
    if x.size == 0:
        return np.asarray(x)
    e = np.exp(beta * (x - np.max(x, axis=-1, keepdims=True)))
    return np.asarray(e / np.sum(e, axis=-1, keepdims=True))


@twin("SOFTMAX")
def softmax_int(x: Array, *, q: Quants, dtypes: Dtypes, rescale: Rescale, beta: float, **_: Any) -> Array:
    """8-bit inputs in fixed point, 16-bit ones by two tables."""
    scale = float(beta) * q["x"].scale[0]
    if x.size == 0:
        return np.asarray(x)
    if dtypes["x"] == "int16":
        return _softmax_16(x, scale / (10.0 / 65535.0), rescale)
    low, high = integer_range(dtypes["y"])
    return np.asarray(np.clip(_softmax_8(x, scale, 16 if dtypes["y"] == "int16" else 8) + low, low, high))


def _softmax_8(x: Array, scale: float, bits: int) -> Array:
    """Return softmax in units of 2**-bits: exp in Q0.31 of differences in Q5.26, their sum in Q12.19."""
    multiplier, shift = quantize_multiplier(min(scale * 2.0**26, 2.0**31 - 1))
    difference = x - np.max(x, axis=-1, keepdims=True)
    counted = difference >= -fixed.input_radius(5, shift)
    argument = srdhm(np.where(counted, difference, 0) << shift, multiplier)
    e = np.where(counted, fixed.exp_on_negative_values(argument, 5), 0)
    total = np.sum(rounding_divide_by_pot(e, 12), axis=-1, keepdims=True)
    inverse, over = fixed.reciprocal(total, 12)
    return rounding_divide_by_pot(srdhm(inverse, e), over + 31 - bits)


@cache
def _softmax_tables() -> tuple[Array, Array]:
    """exp over [-10, 0] and 1 / (1 + x) over [0, 1], both with outputs in [-1, 1) as int16; built in float32."""
    one, ten, steps = np.float32(1), np.float32(10), np.float32(65535)
    unit = np.float32(2) / steps
    ends = (unit * np.float32(-32768), unit * np.float32(32767))
    exponential = fixed.table_int16(_exp32, ten / steps * -steps, np.float32(0), *ends)
    reciprocal = fixed.table_int16(lambda x: one / (one + x), np.float32(0), one / steps * steps, *ends)
    return exponential, reciprocal


def _exp32(x: Array) -> Array:
    return np.exp(np.asarray(x, dtype=np.float64)).astype(np.float32)


def _softmax_16(x: Array, multiplier: float, rescale: Rescale) -> Array:
    """Return softmax in Q0.15; the sum of exponentials, normalized to [1, 2), is inverted by a table."""
    exponential, reciprocal = _softmax_tables()
    difference = rescale(x - np.max(x, axis=-1, keepdims=True), multiplier)
    e = fixed.look_up_int16(np.clip(difference + 32767, -32768, 32767), exponential)
    total = np.sum(e, axis=-1, keepdims=True)
    zeros = fixed.leading_zeros_each(total)
    # 16 bits below the leading one, from [0, 65535] to the table's [-32768, 32767].
    place = (((total << (zeros - 1)) + (1 << 13)) >> 14) - (1 << 16) - (1 << 15)
    inverse = fixed.look_up_int16(np.clip(place, -32768, 32767), reciprocal)
    right = 31 - zeros
    return np.asarray(np.clip((e * inverse + (1 << (right - 1))) >> right, 0, 32767))


@kernel("L2_NORMALIZATION")
def l2_normalization(x: Array, **_: Any) -> Array:
    """Return x over the Euclidean norm of its last axis, which counts as 1e-6 where it is less."""
    norm = np.sqrt(np.sum(np.square(x), axis=-1, keepdims=True))
    return np.asarray(x / np.maximum(norm, 1e-6))


@twin("L2_NORMALIZATION")
def l2_normalization_int(x: Array, *, q: Quants, dtypes: Dtypes, **_: Any) -> Array:
    """Multiply by the inverse square root of the sum of squares; scales cancel, an output quantum is 1/128."""
    low, high = integer_range(dtypes["y"])
    if x.size == 0:
        return np.asarray(x)
    signed = dtypes["x"] == "int8"
    centred_x = centred(x, q["x"])
    y = np.asarray([_l2_row(row, signed) for row in centred_x.reshape(-1, x.shape[-1])]).reshape(x.shape)
    return np.asarray(np.clip(y + (0 if signed else 128), low, high))


def _l2_row(row: Array, signed: bool) -> Array:
    """int8 shifts the multiplier by the 7 bits of the output's scale, uint8 the values: that rounds elsewhere."""
    q31, shift = fixed.inverse_sqrt(int(np.sum(row * row)))
    if signed:
        return multiply_by_quantized_multiplier(row, q31, shift + 7)
    return multiply_by_quantized_multiplier(row * 128, q31, shift)
