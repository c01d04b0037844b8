"""One input, one output, element by element: magnitude, exponential, sigmoids, inverse square root."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from opconform.harness.model import Array, Quant
from opconform.harness.numerics import (
    Rescale,
    integer_range,
    multiply_by_quantized_multiplier,
    round_half_away,
    rounding_divide_by_pot,
)
from opconform.runtimes.reference.kernels import _fixedpoint as fixed
from opconform.runtimes.reference.kernels._common import centred
from opconform.runtimes.reference.registry import kernel, twin

Quants = Mapping[str, Quant]
Dtypes = Mapping[str, str]


def _clamped(y: Array, dtype: str) -> Array:
    return np.clip(np.asarray(y, dtype=np.int64), *integer_range(dtype))


@kernel("ABS")
def absolute(x: Array, **_: Any) -> Array:
    """Return |x|."""
    return np.abs(x)


@twin("ABS")
def absolute_int(x: Array, *, q: Quants, dtypes: Dtypes, rescale: Rescale, **_: Any) -> Array:
    """Rescale the magnitude, but only where the scales differ."""
    x_scale, y_scale = q["x"].scale[0], q["y"].scale[0]
    magnitude = np.abs(centred(x, q["x"]))
    scaled = magnitude if x_scale == y_scale else rescale(magnitude, x_scale / y_scale)
    return _clamped(scaled + q["y"].zero_point[0], dtypes["y"])


@kernel("EXP")
def exponential(x: Array, **_: Any) -> Array:
    """Return e**x; overflow is infinity."""
    with np.errstate(over="ignore"):
        return np.exp(x)


def _exp32(x: Array) -> Array:
    """float32 exponential, correctly rounded: what a good C library gives in all but 0.4 % of its last bits."""
    return np.exp(np.asarray(x, dtype=np.float64)).astype(np.float32)


@twin("EXP")
def exponential_int(x: Array, *, q: Quants, dtypes: Dtypes, **_: Any) -> Array:
    """Tables in float32: one entry per 8-bit value, 513 interpolated ones for 16 bits."""
    low, high = integer_range(dtypes["x"])
    x_scale, y_scale, zero = np.float32(q["x"].scale[0]), np.float32(q["y"].scale[0]), q["y"].zero_point[0]
    if dtypes["x"] == "int16":
        bounds = (x_scale * np.float32(low), x_scale * np.float32(high))
        table = fixed.table_int16(_exp32, *bounds, y_scale * np.float32(low), y_scale * np.float32(high))
        return fixed.look_up_int16(x, table)
    real = x_scale * centred(x, q["x"]).astype(np.float32)
    return _clamped(round_half_away(_exp32(real) * (np.float32(1) / y_scale)) + zero, dtypes["y"])


@kernel("RSQRT")
def inverse_square_root(x: Array, **_: Any) -> Array:
    """Return 1 / sqrt(x): infinite at zero (with its sign), NaN below it."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(1.0 / np.sqrt(x))


@twin("RSQRT")
def inverse_square_root_int(x: Array, *, q: Quants, dtypes: Dtypes, rescale: Rescale, **_: Any) -> Array:
    """2**20 / sqrt(x) by Newton steps in fixed point, then rescaled; zero gives the largest value."""
    factor = 1 / (math.sqrt(q["x"].scale[0]) * q["y"].scale[0])
    values = centred(x, q["x"])
    parts = [fixed.inverse_sqrt(v) for v in values.ravel().tolist()]
    inverse = [int(multiply_by_quantized_multiplier(np.asarray(1), q31, shift + 20)) for q31, shift in parts]
    scaled = rescale(np.asarray(inverse, dtype=np.int64).reshape(values.shape), factor * 2.0**-20)
    highest = integer_range(dtypes["y"])[1]
    return np.where(values == 0, highest, _clamped(scaled + q["y"].zero_point[0], dtypes["y"]))


@kernel("LOGISTIC")
def logistic(x: Array, **_: Any) -> Array:
    """Return 1 / (1 + exp(-x)); both forms below are exact where the other would overflow."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small))


@kernel("TANH")
def hyperbolic_tangent(x: Array, **_: Any) -> Array:
    """Return tanh(x)."""
    return np.tanh(x)


@twin("LOGISTIC")
def logistic_int(x: Array, *, q: Quants, dtypes: Dtypes, **_: Any) -> Array:
    """8 bits: fixed point in Q4.27; 16 bits: the table of sigmoid_table()."""
    if dtypes["x"] == "int16":
        place = _table_place(x, q["x"].scale[0], powers=(-12,))
        high = _interpolate(place, 9)
        # 10 fraction bits are rounded away; the negative side mirrors 1 - y.
        return np.where(place >= 0, high + 512, (1 << 25) - high + 511) >> 10
    y = _saturating_q4(centred(x, q["x"]), q["x"].scale[0], fixed.logistic, 23, (-128, 127), 128)
    return _clamped(y + q["y"].zero_point[0], dtypes["y"])


@twin("TANH")
def hyperbolic_tangent_int(x: Array, *, q: Quants, dtypes: Dtypes, **_: Any) -> Array:
    """8 bits: fixed point in Q4.27; 16 bits: 2 * sigmoid(2 * x) - 1 by the table."""
    if dtypes["x"] == "int16":
        place = _table_place(x, q["x"].scale[0], powers=(-12, -11))
        high = _interpolate(place, 8) - (1 << 23)
        return np.where(place >= 0, high + 128, 127 - high) >> 8
    y = _saturating_q4(centred(x, q["x"]), q["x"].scale[0], fixed.tanh, 24, (-128, 127), 0)
    return _clamped(y + q["y"].zero_point[0], dtypes["y"])


def _saturating_q4(x: Array, scale: float, function: Any, drop: int, ends: tuple[int, int], offset: int) -> Array:
    """Apply a fixed-point function to x * scale in Q4.27, rounded by 2**drop; beyond +-15 the ends of int8.

    `ends` are int8 values of an output whose zero point is -`offset`; the result is counted from the zero point.
    """
    mantissa, shift = math.frexp(scale * 2.0**27)
    multiplier = int(round_half_away(np.asarray(mantissa * 2**31)))
    radius = fixed.input_radius(4, shift)
    inside = np.clip(x, -radius, radius)
    raw = function(multiply_by_quantized_multiplier(inside, multiplier, shift), 4)
    y = rounding_divide_by_pot(raw, drop)
    least, most = ends[0] + offset, ends[1] + offset
    return np.where(x <= -radius, least, np.where(x >= radius, most, np.clip(y, least, most)))


def sigmoid_table() -> Array:
    """Return 65536 / (1 + exp(-i / 24)) for i in 0..255, rounded to 16 bits.

    Each sample is moved by half of the interpolation's error in the middle of its step, and the last one is the end
    of the range. The formula gives the 256 numbers that int16 LOGISTIC and TANH kernels of TFLite runtimes carry.
    """
    at = np.arange(256) / 24
    sample, middle, after = (65536 / (1 + np.exp(-(at + part / 24))) for part in (0, 0.5, 1))
    table = np.rint(sample + (middle - (sample + after) / 2) / 2).astype(np.int64)
    table[-1] = 65535
    return table


def _table_place(x: Array, scale: float, powers: tuple[int, ...]) -> Array:
    """Return x * scale * 12288 (3 * 2**12), rounded half up: where in the table an input falls.

    Scales within 0.001 octaves of the named powers of two count as these; any other becomes a truncated integer
    multiplier of 15 bits and a right shift.
    """
    power = round(math.log2(scale))
    if power in powers and abs(math.log2(scale) - power) < 1e-3:
        return np.asarray(x, dtype=np.int64) * (3 << (12 + power))
    multiplier, shift = scale * 4096.0 * 3.0, 0
    while multiplier <= 32767.0 / 2.0 and shift <= 30:
        multiplier, shift = multiplier * 2, shift + 1
    half = (1 << shift) >> 1
    return (np.asarray(x, dtype=np.int64) * int(multiplier) + half) >> shift


def _interpolate(place: Array, fraction_bits: int) -> Array:
    """Look up |place| in the sigmoid's table; the result has 16 + fraction_bits bits and is 1.0 at its end."""
    table, magnitude = sigmoid_table(), np.abs(place)
    index = magnitude >> fraction_bits
    near, part = np.minimum(index, 254), magnitude & ((1 << fraction_bits) - 1)
    inside = (table[near] << fraction_bits) + part * (table[near + 1] - table[near])
    top = (0x7FFF << 10) if fraction_bits == 9 else (0xFFFF << 8)
    return np.where(index >= 255, top, inside)


@kernel("HARD_SWISH")
def hard_swish(x: Array, **_: Any) -> Array:
    """Return x * min(max(x + 3, 0), 6) / 6."""
    with np.errstate(invalid="ignore"):
        return np.asarray(x * np.clip(x + 3, 0, 6) / 6)


def _high_16(a: Array, b: Array | int) -> Array:
    """Rounding doubling high product of int16: floor((a * b + 2**14) / 2**15), saturating."""
    product = np.asarray(a, dtype=np.int64) * b
    return np.asarray(np.minimum((product + (1 << 14)) >> 15, 32767))


def _shifted_16(x: Array, bits: int) -> Array:
    return np.asarray(np.clip(np.asarray(x) << bits, -32768, 32767))


@twin("HARD_SWISH")
def hard_swish_int(x: Array, *, q: Quants, dtypes: Dtypes, **_: Any) -> Array:
    """16-bit pipeline: x on the output's scale times (x + 3) / 6, clamped to [0, 1) in Q0.15; truncated, shifted."""
    fine = np.float32(1 / 128) * np.float32(q["x"].scale[0])
    factor, exponent = fixed.quantize_multiplier_16(float(fine / np.float32(q["y"].scale[0])))
    wide = centred(x, q["x"]) << 7
    on_output = _high_16(wide, factor)
    gate = (_hard_tanh_third(wide, float(fine / np.float32(3 / 32768))) + (1 << 15)) >> 1
    product = gate * on_output
    truncated = np.sign(product) * (np.abs(product) >> 15)
    return _clamped(rounding_divide_by_pot(truncated, -exponent) + q["y"].zero_point[0], dtypes["y"])


def _hard_tanh_third(wide: Array, multiplier: float) -> Array:
    """x / 3 in Q0.15, saturating; a left shift saturates only in its last bit, so that nothing is lost before."""
    factor, exponent = fixed.quantize_multiplier_16(multiplier)
    value = _shifted_16(wide, exponent - 1) if exponent > 0 else wide
    value = _high_16(value, factor)
    return _shifted_16(value, 1) if exponent > 0 else rounding_divide_by_pot(value, -exponent)
