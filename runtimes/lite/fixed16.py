"""Fixed-point arithmetic in 16 bits, as helpers for compiled code: sigmoid and tanh of recurrent cells.

Values are int64 that hold what C keeps in int16. "Qm.n" means m integer and n fractional bits. Source: gemmlowp's
fixedpoint.h, whose functions of 32 bits (fixedpoint.py) take the same steps.
"""

from __future__ import annotations

import numpy as np

from opconform.runtimes.lite.fixedpoint import clamp, rounding_shift
from opconform.runtimes.lite.jit import Number, helper

INT16_MAX = 32767
INT16_MIN = -32768


@helper
def wrap16(x: Number) -> Number:
    """Reduce to 16 bits, two's complement."""
    return np.int64(np.int16(x))


@helper
def clamp16(x: Number) -> Number:
    """Limit to int16."""
    return clamp(x, np.int64(INT16_MIN), np.int64(INT16_MAX))


@helper
def half_product(a: Number, b: Number) -> Number:
    """Return round(a * b / 2**15), ties up, saturating."""
    return min((a * b + 16384) >> 15, np.int64(INT16_MAX))


@helper
def exp_factor16(result: Number, rest: Number, bit: Number, factor: Number) -> Number:
    """Multiply by a constant exp(-2**k) where the rest has this bit."""
    return half_product(result, factor) if rest & (np.int64(1) << bit) else result


@helper
def exp_negative16(a: Number, integer_bits: Number) -> Number:
    """Return exp(a) in Q0.15 for a <= 0 with up to 7 integer bits."""
    fraction = 15 - integer_bits
    quarter = np.int64(1) << (fraction - 2)
    part = (a & (quarter - 1)) - quarter
    x = clamp16(part << integer_bits) + 4096
    x2 = half_product(x, x)
    x4 = half_product(x2, x2)
    third = half_product(rounding_shift(x4, 2) + half_product(x2, x), np.int64(10923))
    tail = rounding_shift(third + x2, 1)
    result = clamp16(28918 + half_product(x + tail, np.int64(28918)))
    rest = wrap16(part - a)
    result = exp_factor16(result, rest, fraction - 2, np.int64(25520))
    result = exp_factor16(result, rest, fraction - 1, np.int64(19875))
    # a factor exp(-2**k) is for k below the number of integer bits; the bit above them is the sign's
    result = exp_factor16(result, rest, fraction, np.int64(12055)) if integer_bits > 0 else result
    result = exp_factor16(result, rest, fraction + 1, np.int64(4435)) if integer_bits > 1 else result
    result = exp_factor16(result, rest, fraction + 2, np.int64(600)) if integer_bits > 2 else result
    result = exp_factor16(result, rest, fraction + 3, np.int64(11)) if integer_bits > 3 else result
    result = exp_factor16(result, rest, fraction + 4, np.int64(0)) if integer_bits > 4 else result
    if integer_bits > 5 and a < -(np.int64(32) << fraction):
        result = np.int64(0)
    return np.int64(INT16_MAX) if a == 0 else result


@helper
def newton_reciprocal16(a: Number) -> Number:
    """Return 2 / (1 + a) in Q2.13 for a in [0, 1), Q0.15: three Newton steps on (1 + a) / 2."""
    half = (a + INT16_MAX + 1) >> 1
    x = wrap16(23130 + half_product(half, np.int64(-15420)))
    for _ in range(3):
        error = wrap16(8192 - half_product(half, x))
        x = wrap16(x + clamp16(half_product(x, error) << 2))
    return x


@helper
def curve16(a: Number, tanh: Number, integer_bits: Number) -> Number:
    """Return 1 / (1 + exp(-a)) in Q0.15, or tanh(a), by the exponential of -a or of -2a.

    The exponential of 2a is that of a read with one more integer bit. One function for both, so that compiled code has
    the exponential once.
    """
    if a == 0:
        return np.int64(0) if tanh else np.int64(16384)
    quotient = newton_reciprocal16(exp_negative16(-a if a > 0 else a, integer_bits + tanh))
    if tanh:
        quotient = clamp16(wrap16(quotient - 8192) << 2)
        return quotient if a > 0 else -quotient
    quotient = clamp16(quotient << 1)
    return quotient if a > 0 else INT16_MAX - quotient


@helper
def table_curve16(place: Number, tanh: Number, table: Number) -> Number:
    """Interpolate 1 / (1 + exp(-place / 12288)) in the table of 256 steps, or tanh as 2 * logistic(2 x) - 1; Q0.15."""
    size = abs(place)
    bits = 8 if tanh else 9
    cell = size >> bits
    # what lies beyond the table: 1 less a quantum of the result, or of the table
    result = np.int64(65535) << 8 if tanh else np.int64(32767) << 10
    if cell < 255:
        low, high = np.int64(table[cell]), np.int64(table[cell + 1])
        result = (low << bits) + (size & ((1 << bits) - 1)) * (high - low)
    if tanh:
        return (result - 8388608 + 128 if place >= 0 else -result + 8388608 + 127) >> 8
    return (result + 512 if place >= 0 else (1 << 25) - result + 511) >> 10
