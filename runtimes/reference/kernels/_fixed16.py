"""Sigmoid and tanh in 16-bit fixed point, as slow and obvious definitions.

The same steps as in _fixedpoint.py with numbers of 16 bits: m integer and 15 - m fractional ones, so that a value is
raw * 2**(m - 15). Source: the public gemmlowp description of its fixed-point functions. Constants are those of 32 bits,
rounded again.
"""

from __future__ import annotations

import math

import numpy as np

from opconform.harness.model import Array
from opconform.harness.numerics import rounding_divide_by_pot
from opconform.runtimes.reference.kernels._fixedpoint import constant as constant32

LOWEST, HIGHEST = -(2**15), 2**15 - 1
#: exp(-32) is nothing in 16 bits; with more than 5 integer bits an argument may lie below it.
VANISHING = -32.0


def constant(value: float, integer_bits: int = 0) -> int:
    """Round a real number to 32 bits and then to 16, as the constants of a header for both widths are."""
    return int(rounding_divide_by_pot(np.asarray(constant32(value, integer_bits)), 16))


def wrap16(x: Array) -> Array:
    """Wrap to int16 as two's complement arithmetic does."""
    return np.asarray(x, dtype=np.int64).astype(np.int16).astype(np.int64)


def clamp16(x: Array) -> Array:
    """Saturate to int16."""
    return np.asarray(np.clip(x, LOWEST, HIGHEST))


def high_product(a: Array, b: Array | int) -> Array:
    """Rounding doubling high product of int16: floor((a * b + 2**14) / 2**15), saturating."""
    return np.asarray(np.minimum((np.asarray(a, dtype=np.int64) * b + (1 << 14)) >> 15, HIGHEST))


def _exp_near_zero(a: Array) -> Array:
    """exp(a) for a in [-1/4, 0) in Q0.15: Taylor around -1/8 to the fourth power."""
    x = a + constant(1 / 8)
    x2 = high_product(x, x)
    x3, x4 = high_product(x2, x), high_product(x2, x2)
    cubic = high_product(rounding_divide_by_pot(x4, 2) + x3, constant(1 / 3))
    tail = rounding_divide_by_pot(cubic + x2, 1)
    scale = constant(math.exp(-1 / 8))
    return clamp16(scale + high_product(x + tail, scale))


def exp_on_negative_values(a: Array, integer_bits: int) -> Array:
    """exp(a) in Q0.15 for a <= 0: a multiple of 1/4 and a rest; every bit of the multiple is one factor exp(-2**k)."""
    a = np.asarray(a, dtype=np.int64)
    fraction_bits = 15 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    rest = (a & (quarter - 1)) - quarter
    result = _exp_near_zero(clamp16(rest << integer_bits))
    multiple = wrap16(rest - a)
    for power in range(-2, min(integer_bits, 5)):
        factor = high_product(result, constant(math.exp(-(2.0**power))))
        result = np.where(multiple & (1 << (fraction_bits + power)), factor, result)
    if integer_bits > 5:
        result = np.where(a < round(VANISHING * 2**fraction_bits), 0, result)
    return np.where(a == 0, HIGHEST, result)


def _reciprocal_of_half(a: Array) -> Array:
    """2 / (1 + a) in Q2.13 for a in [0, 1): three Newton steps from 48/17 - 32/17 * d, with d = (1 + a) / 2."""
    total = np.asarray(a, dtype=np.int64) + HIGHEST
    half = np.trunc((total + np.where(total >= 0, 1, -1)) / 2).astype(np.int64)
    x = wrap16(constant(48 / 17, 2) + high_product(half, constant(-32 / 17, 2)))
    for _ in range(3):
        error = wrap16((1 << 13) - high_product(half, x))
        x = wrap16(x + clamp16(high_product(x, error) << 2))
    return x


def sigmoid(a: Array, integer_bits: int) -> Array:
    """1 / (1 + exp(-a)) in Q0.15."""
    a = np.asarray(a, dtype=np.int64)
    e = exp_on_negative_values(np.where(a > 0, -a, a), integer_bits)
    positive = clamp16(_reciprocal_of_half(e) << 1)
    return np.where(a == 0, 1 << 14, np.where(a > 0, positive, HIGHEST - positive))


def tanh(a: Array, integer_bits: int) -> Array:
    """tanh(a) in Q0.15: (1 - e) / (1 + e) with e = exp(-2 * abs(a)); doubling adds an integer bit and moves nothing."""
    a = np.asarray(a, dtype=np.int64)
    e = exp_on_negative_values(np.where(a > 0, -a, a), integer_bits + 1)
    magnitude = clamp16(wrap16(_reciprocal_of_half(e) - (1 << 13)) << 2)
    return np.where(a == 0, 0, np.where(a < 0, -magnitude, magnitude))
