"""Fixed-point arithmetic of the quantized kernels, as helpers for compiled code.

The rounding family is double rounding: a rounding high product, then a rounding shift, as in
TensorFlow Lite Micro and gemmlowp. All values are int64 that hold what C keeps in int32;
where C wraps around, `wrap32` does. "Qm.n" means m integer and n fractional bits in 32.
"""

from __future__ import annotations

import numpy as np

from opconform.runtimes.lite.jit import Number, helper

INT32_MAX = 2147483647
INT32_MIN = -2147483648


@helper
def wrap32(x: Number) -> Number:
    """Reduce to 32 bits, two's complement."""
    return np.int64(np.int32(x))


@helper
def clamp(x: Number, low: Number, high: Number) -> Number:
    """Limit x to [low, high]."""
    return min(max(x, low), high)


@helper
def high_product(a: Number, b: Number) -> Number:
    """Return round(a * b / 2**31), ties up; the one product that overflows saturates."""
    if a == INT32_MIN and b == INT32_MIN:
        return np.int64(INT32_MAX)
    # |a * b| < 2**62: no overflow in int64
    return (np.int64(a) * np.int64(b) + 1073741824) >> 31


@helper
def rounding_shift(x: Number, bits: Number) -> Number:
    """Return x / 2**bits rounded to nearest, ties away from zero; 0 <= bits <= 62."""
    one = np.int64(1)
    mask = (one << bits) - one
    threshold = (mask >> one) + np.int64(x < 0)
    return (x >> bits) + np.int64((x & mask) > threshold)


@helper
def rescale(x: Number, multiplier: Number, shift: Number) -> Number:
    """Return x * multiplier * 2**(shift - 31) with two roundings; x and the multiplier are int32."""
    left = max(shift, np.int64(0))
    return rounding_shift(high_product(wrap32(x << left), multiplier), left - shift)


@helper
def rescale_wide(x: Number, multiplier: Number, shift: Number) -> Number:
    """Rescale a 48-bit accumulator of the int16 kernels with a 16-bit multiplier and one rounding, ties up."""
    reduced = np.int64(32767)
    if multiplier < 2147418112:  # 0x7FFF0000: rounding it up would need a 17th bit
        reduced = (multiplier + 32768) >> 16
    total = 15 - shift
    # |x| < 2**47 and reduced < 2**15: no overflow
    return wrap32((x * reduced + (np.int64(1) << (total - 1))) >> total)


@helper
def rescale_sum(x: Number, multiplier: Number, shift: Number, wide: Number) -> Number:
    """Rescale the sum of an int16 kernel: `wide` is 0 where it has 32 bits, as an int32 bias makes it."""
    if wide != 0:
        return rescale_wide(x, multiplier, shift)
    return rescale(wrap32(x), multiplier, shift)


@helper
def saturating_left_shift(x: Number, bits: Number) -> Number:
    """Return x * 2**bits, limited to int32."""
    return clamp(x << bits, np.int64(INT32_MIN), np.int64(INT32_MAX))


@helper
def leading_zeros(x: Number) -> Number:
    """Count the leading zero bits of a 32-bit value; 32 for zero."""
    count = np.int64(32)
    while x > 0:
        x >>= 1
        count -= 1
    return count


@helper
def exp_unit(a: Number) -> Number:
    """Return exp(a) in Q0.31 for a in [-1/4, 0), Q0.31: Taylor at -1/8 up to the fourth power."""
    x = a + 268435456
    x2 = high_product(x, x)
    x3 = high_product(x2, x)
    x4 = high_product(x2, x2)
    third = high_product(rounding_shift(x4, 2) + x3, 715827883)
    tail = rounding_shift(third + x2, 1)
    return 1895147668 + high_product(1895147668, x + tail)


@helper
def exp_factor(result: Number, remainder: Number, bit: Number, factor: Number) -> Number:
    """Multiply by a constant exp(-2**k) where the remainder has this bit."""
    if remainder & (np.int64(1) << bit):
        return high_product(result, factor)
    return result


@helper
def exp_negative(a: Number, integer_bits: Number) -> Number:
    """Return exp(a) in Q0.31 for a <= 0 in Q(integer_bits), 4 or 5 integer bits."""
    if a == 0:
        return np.int64(INT32_MAX)
    fraction = 31 - integer_bits
    quarter = np.int64(1) << (fraction - 2)
    part = (a & (quarter - 1)) - quarter
    result = exp_unit(part << integer_bits)
    rest = part - a
    result = exp_factor(result, rest, fraction - 2, 1672461947)
    result = exp_factor(result, rest, fraction - 1, 1302514674)
    result = exp_factor(result, rest, fraction, 790015084)
    result = exp_factor(result, rest, fraction + 1, 290630308)
    result = exp_factor(result, rest, fraction + 2, 39332535)
    result = exp_factor(result, rest, fraction + 3, 720401)
    if integer_bits > 4:
        result = exp_factor(result, rest, fraction + 4, 242)
    return result


@helper
def newton_reciprocal(a: Number) -> Number:
    """Return 2 / (1 + a) in Q2.29 for a in [0, 1), Q0.31: three Newton steps on (1 + a) / 2."""
    half = (a + np.int64(INT32_MAX) + 1) >> 1
    x = 1515870810 + high_product(half, -1010580540)
    for _ in range(3):
        error = 536870912 - high_product(half, x)
        x += saturating_left_shift(high_product(x, error), 2)
    return x


@helper
def one_over_one_plus(a: Number) -> Number:
    """Return 1 / (1 + a) in Q0.31 for a in [0, 1), Q0.31."""
    return saturating_left_shift(newton_reciprocal(a), 1)


@helper
def logistic_fixed(a: Number) -> Number:
    """Return the logistic function in Q0.31 of a in Q4.27."""
    if a == 0:
        return np.int64(1073741824)
    positive = one_over_one_plus(exp_negative(-abs(a), 4))
    return positive if a > 0 else INT32_MAX - positive


@helper
def tanh_fixed(a: Number) -> Number:
    """Return tanh in Q0.31 of a in Q4.27: the exponential of 2a is that of a read as Q5.26."""
    if a == 0:
        return np.int64(0)
    e = exp_negative(-abs(a), 5)
    t = saturating_left_shift(newton_reciprocal(e) - 536870912, 2)
    return t if a > 0 else -t


@helper
def reciprocal_bits(x: Number, integer_bits: Number) -> Number:
    """Return how many bits the divisor x > 0 stands over one half of its unit: the exponent of `reciprocal`."""
    return integer_bits - leading_zeros(x)


@helper
def reciprocal(x: Number) -> Number:
    """Return 1 / x in Q0.31, x > 0 normalized to [1, 2) first."""
    return one_over_one_plus((x << leading_zeros(x)) - 2147483648)


@helper
def inverse_sqrt_shift(x: Number) -> Number:
    """Return the right shift that belongs to `inverse_sqrt`."""
    if x <= 1:
        return np.int64(0)
    shift = np.int64(11)
    while x >= 536870912:
        x = x // 4
        shift += 1
    shift -= (leading_zeros(x) - 1) // 2 - 1
    return max(shift, np.int64(0))


@helper
def inverse_sqrt(x: Number) -> Number:
    """Return 1 / sqrt(x) as a Q0.31 multiplier for x >= 0: five Newton steps in Q3.28 on x in [1/4, 1)."""
    if x <= 1:
        return np.int64(INT32_MAX)
    shift = np.int64(11)
    while x >= 536870912:
        x = x // 4
        shift += 1
    pairs = (leading_zeros(x) - 1) // 2 - 1
    shift -= pairs
    value = (x << (2 * pairs)) >> 1
    half = rounding_shift(value, 1)
    y = np.int64(268435456)
    for _ in range(5):
        cube = saturating_left_shift(high_product(high_product(y, y), y), 6)
        y = saturating_left_shift(wrap32(high_product(402653184, y) - high_product(half, cube)), 3)
    y = high_product(y, 1518500250)
    return wrap32(y << -shift) if shift < 0 else y
