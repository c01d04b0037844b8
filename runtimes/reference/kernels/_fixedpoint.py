"""Transcendental functions in 32-bit fixed point, as slow and obvious definitions.

A number is a raw int32 (held in int64 arrays) with m integer bits: its value is raw * 2**(m - 31).
The constants are real numbers rounded to that grid, the steps those of the public gemmlowp description of its
fixed-point functions and of the TFLite quantization helpers; docs/numerics.md names both.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from opconform.harness.model import Array
from opconform.harness.numerics import (
    INT32_MAX,
    INT32_MIN,
    quantize_multiplier,
    round_half_away,
    rounding_divide_by_pot,
    srdhm,
    wrap32,
)

ONE = INT32_MAX
#: Steps of the 16-bit tables: the upper 9 bits of an input choose one, the lower 7 interpolate inside it.
TABLE_STEPS = 512


def constant(value: float, integer_bits: int = 0) -> int:
    """Return a real number rounded to the grid of that many integer bits."""
    return round(value * 2.0 ** (31 - integer_bits))


def shift_left_saturating(x: Array, bits: int) -> Array:
    """Multiply by 2**bits and clamp to int32."""
    return np.asarray(np.minimum(np.maximum(np.asarray(x, dtype=np.int64) << bits, INT32_MIN), INT32_MAX))


def with_integer_bits(x: Array, old: int, new: int) -> Array:
    """Move to another grid: fewer integer bits saturate, more of them round halves away from zero."""
    return shift_left_saturating(x, old - new) if old >= new else rounding_divide_by_pot(x, new - old)


def _exp_near_zero(a: Array) -> Array:
    """exp(a) for a in [-1/4, 0) in Q0.31: Taylor around -1/8 to the fourth power, factored to keep precision."""
    x = a + constant(1 / 8)
    x2 = srdhm(x, x)
    x3, x4 = srdhm(x2, x), srdhm(x2, x2)
    cubic = srdhm(rounding_divide_by_pot(x4, 2) + x3, constant(1 / 3))
    tail = rounding_divide_by_pot(cubic + x2, 1)
    scale = constant(math.exp(-1 / 8))
    return wrap32(scale + srdhm(x + tail, scale))


def exp_on_negative_values(a: Array, integer_bits: int) -> Array:
    """exp(a) in Q0.31 for a <= 0 with 2 to 5 integer bits.

    a is split into a multiple of 1/4 and a rest in [-1/4, 0); every bit of the multiple is one factor exp(-2**k).
    """
    a = np.asarray(a, dtype=np.int64)
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    rest = (a & (quarter - 1)) - quarter
    result = _exp_near_zero(with_integer_bits(rest, integer_bits, 0))
    multiple = rest - a
    for power in range(-2, integer_bits):
        factor = srdhm(result, constant(math.exp(-(2.0**power))))
        result = np.where(multiple & (1 << (fraction_bits + power)), factor, result)
    return np.where(a == 0, ONE, result)


def _reciprocal_of_half(a: Array) -> Array:
    """2 / (1 + a) in Q2.29 for a in [0, 1): three Newton steps from 48/17 - 32/17 * d, with d = (1 + a) / 2."""
    total = np.asarray(a, dtype=np.int64) + ONE
    half = np.trunc((total + np.where(total >= 0, 1, -1)) / 2).astype(np.int64)
    x = constant(48 / 17, 2) + srdhm(half, constant(-32 / 17, 2))
    for _ in range(3):
        error = (1 << 29) - srdhm(half, x)
        x = wrap32(x + with_integer_bits(srdhm(x, error), 4, 2))
    return x


def one_over_one_plus(a: Array) -> Array:
    """1 / (1 + a) in Q0.31 for a in [0, 1) in Q0.31."""
    # Half of a number with two integer bits is the same raw number with one.
    return with_integer_bits(_reciprocal_of_half(a), 1, 0)


def logistic(a: Array, integer_bits: int) -> Array:
    """1 / (1 + exp(-a)) in Q0.31."""
    a = np.asarray(a, dtype=np.int64)
    positive = one_over_one_plus(exp_on_negative_values(-np.abs(a), integer_bits))
    return np.where(a == 0, 1 << 30, np.where(a > 0, positive, ONE - positive))


def tanh(a: Array, integer_bits: int) -> Array:
    """tanh(a) in Q0.31: (1 - e) / (1 + e) with e = exp(-2 * abs(a)); doubling adds an integer bit and moves nothing."""
    a = np.asarray(a, dtype=np.int64)
    e = exp_on_negative_values(-np.abs(a), integer_bits + 1)
    magnitude = with_integer_bits(_reciprocal_of_half(e) - (1 << 29), 2, 0)
    return np.where(a == 0, 0, np.where(a < 0, -magnitude, magnitude))


def leading_zeros(x: int) -> int:
    """Count the zero bits above the highest one bit of an unsigned 32-bit number."""
    return 32 - int(x).bit_length()


def leading_zeros_each(x: Array) -> Array:
    """As leading_zeros, of every number of an array; int64."""
    _, length = np.frexp(np.asarray(x, dtype=np.float64))  # exact: a float64 holds 53 bits
    return np.asarray(32 - length.astype(np.int64))


def reciprocal(x: Array, integer_bits: int) -> tuple[Array, Array]:
    """Return (raw Q0.31, bits) with 1 / x = raw * 2**-(31 + bits), for x > 0 with that many integer bits."""
    zeros = leading_zeros_each(x)
    # x << zeros is 1 + a with the leading one at bit 31.
    return one_over_one_plus((np.asarray(x, dtype=np.int64) << zeros) - (1 << 31)), integer_bits - zeros


def inverse_sqrt(value: int) -> tuple[int, int]:
    """Return (q31, shift) with 1 / sqrt(value) ~ q31 * 2**(shift - 31); 0 counts as 1."""
    if value <= 1:
        return INT32_MAX, 0
    right, x = 11, value
    while x >= 1 << 29:
        x, right = x // 4, right + 1
    pairs = (leading_zeros(x) - 1) // 2 - 1
    x, right = x << (2 * pairs), right - pairs
    root = int(srdhm(_inverse_sqrt_steps(np.asarray(x)), constant(math.sqrt(2) / 2)))
    return (root << -right, 0) if right < 0 else (root, -right)


def _inverse_sqrt_steps(value: Array) -> Array:
    """Five Newton steps x = 1.5 * x - 0.5 * value * x**3 from 1, in Q3.28; 2**27 <= value < 2**29 is in Q2.29."""
    half = rounding_divide_by_pot(value >> 1, 1)
    x = np.asarray(1 << 28, dtype=np.int64)
    for _ in range(5):
        cube = with_integer_bits(srdhm(srdhm(x, x), x), 9, 3)
        x = with_integer_bits(srdhm(x, constant(1.5, 3)) - srdhm(half, cube), 6, 3)
    return x


def input_radius(integer_bits: int, left_shift: int) -> int:
    """Return the largest integer that stays in range when it is shifted up to that many integer bits."""
    return int((2**integer_bits - 1) * 2.0 ** (31 - integer_bits - left_shift))


def to_int16_multiplier(q31: int) -> int:
    """Round a 31-bit multiplier to 15 bits, halves up, saturating."""
    return 0x7FFF if q31 >= INT32_MAX - 2**15 else (q31 + 2**15) >> 16


def quantize_multiplier_16(real: float) -> tuple[int, int]:
    """As quantize_multiplier with 15 bits: real ~ q15 * 2**(shift - 15)."""
    q31, shift = quantize_multiplier(real)
    return to_int16_multiplier(q31), shift


def table_int16(function: Callable[[Array], Array], low: Any, high: Any, y_low: Any, y_high: Any) -> Array:
    """Sample a function at 513 points of [low, high] as int16 whose range is [y_low, y_high].

    Each sample is moved by half of the interpolation's error in the middle of its step. The arithmetic has the
    dtype of `low` (np.float32 or np.float64): runtimes build tables in either.
    """
    real = type(low)
    step = (high - low) / real(TABLE_STEPS)
    inverse = real(65536) / (y_high - y_low)
    at = low + np.asarray(np.arange(TABLE_STEPS + 1), dtype=real) * step
    value = function(at) * inverse
    middle = function(at[:-1] + step / real(2)) * inverse
    sample = round_half_away(value)
    between = round_half_away((value[1:] + sample[:-1].astype(real)) / real(2))
    bias = round_half_away((between - round_half_away(middle)) / 2)
    last = round_half_away(function(np.asarray([high], dtype=real)) * inverse)
    return np.asarray(np.clip(np.concatenate([sample[:-1] - bias, last]), -32768, 32767).astype(np.int64))


def look_up_int16(x: Array, table: Array) -> Array:
    """Interpolate in a table of 513 int16: upper 9 bits of x + 32768 choose the step, lower 7 the place in it."""
    index, place = 256 + (np.asarray(x) >> 7), np.asarray(x) & 127
    # The slope is stored in 16 bits and wraps, and so does the result where a function falls off steeply.
    slope = (table[index + 1] - table[index]).astype(np.int16).astype(np.int64)
    return np.asarray(table[index] + ((slope * place + 64) >> 7)).astype(np.int16).astype(np.int64)
