"""Quantization, ulp and fixed-point arithmetic as slow, obvious, vectorized definitions.

Integers are int64 arrays whose values fit the stated width. Sources: the TFLite
quantization specification and the public gemmlowp description of its fixed-point
operations; the rounding families are those seen in real runtimes (docs/numerics.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np

from opconform.harness.model import DTYPES, Array, Quant

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1
FLOAT32_MAX = float(np.finfo(np.float32).max)
EPS32 = 2.0**-24
#: Floating-point dtypes: bits of precision, and the exponent of the least number above zero.
FLOATS: Mapping[str, tuple[int, int]] = {
    "float32": (24, -149),
    "float16": (11, -24),
    "bfloat16": (8, -133),
    "float64": (53, -1074),
    "complex64": (24, -149),
}
#: The largest number below a half: adding a half itself would round up what is just below a half.
_BELOW_HALF = 0.5 - 2.0**-54
_LARGEST = {"float16": 65504.0, "bfloat16": 255 / 256 * 2.0**128, "float64": float(np.finfo(np.float64).max)}


class Undecided(Exception):
    """A reference kernel's word for inputs whose right answer hangs on how a runtime rounds: the case is not drawn."""


#: (values, real multiplier) -> integers: how an accumulator becomes an output
Rescale = Callable[[Array, Any], Array]


@cache
def integer_range(dtype: str) -> tuple[int, int]:
    """Return the least and the largest value of an integer dtype."""
    if dtype == "int4":
        return -8, 7
    info = np.iinfo(DTYPES[dtype][0])
    return int(info.min), int(info.max)


@cache
def is_integer(dtype: str) -> bool:
    """Tell whether a dtype name is an integer one (bool is not)."""
    return bool(np.issubdtype(DTYPES[dtype][0], np.integer))


def is_float(dtype: str) -> bool:
    """Tell whether a dtype name is a floating-point one (complex is not)."""
    return dtype in FLOATS and dtype != "complex64"


def parts_of(data: Array) -> Array:
    """Return complex numbers as reals of the same precision, with one more dimension of 2."""
    return np.stack([data.real, data.imag], axis=-1)


def numbers(data: Array) -> Array:
    """Return data without quantization as float64; complex numbers as their parts, strings as their bytes."""
    if data.dtype.kind == "c":
        return parts_of(data).astype(np.float64)
    if data.dtype.kind == "S":
        return np.ascontiguousarray(data).reshape(*data.shape, 1).view(np.uint8).astype(np.float64)
    return data.astype(np.float64)


def round_half_away(x: Array) -> Array:
    """Round to the nearest integer, halves away from zero (C's round)."""
    x = np.asarray(x, dtype=np.float64)
    return np.asarray(np.trunc(x + np.copysign(_BELOW_HALF, x)) + 0.0)  # the last sum makes -0.0 zero


def along_axis(values: tuple[float, ...] | tuple[int, ...], axis: int, rank: int) -> Array:
    """Shape per-axis values so that they broadcast against a tensor of that rank; one value is a scalar."""
    array = np.asarray(values, dtype=np.float64)
    if len(values) == 1:
        return array.reshape(())
    return array.reshape([-1 if d == axis else 1 for d in range(rank)])


def dequantize(q: Array, quant: Quant) -> Array:
    """Return scale * (q - zero_point) in float64 (exact: both factors are short)."""
    if not quant.per_axis:
        return np.asarray(quant.scale[0] * (np.asarray(q, dtype=np.float64) - quant.zero_point[0]))
    rank = np.ndim(q)
    scale, zero = along_axis(quant.scale, quant.axis, rank), along_axis(quant.zero_point, quant.axis, rank)
    return np.asarray(scale * (np.asarray(q, dtype=np.float64) - zero))


def quantize(x: Array, quant: Quant, dtype: str) -> Array:
    """Round to the nearest quantum (halves away from zero) and clamp to the dtype; int64 values."""
    rank = np.ndim(x)
    scale, zero = along_axis(quant.scale, quant.axis, rank), along_axis(quant.zero_point, quant.axis, rank)
    low, high = integer_range(dtype)
    steps = round_half_away(np.asarray(x, dtype=np.float64) / scale) + zero
    bounded = np.minimum(np.maximum(steps, low), high)
    return np.where(np.isnan(bounded), 0.0, bounded).astype(np.int64)


def largest(dtype: str) -> float:
    """Return the largest finite number of a floating-point dtype (of a part of a complex one)."""
    return _LARGEST.get(dtype, FLOAT32_MAX)


def epsilon(dtype: str) -> float:
    """Return the largest relative error of one rounding to a floating-point dtype (2**-24 for float32)."""
    return 2.0 ** -FLOATS.get(dtype, FLOATS["float32"])[0]


def spacing(x: Array, dtype: str = "float32") -> Array:
    """Return the distance between numbers of a dtype at |x| (for float32 2**-149 at zero), as float64."""
    bits, least = FLOATS.get(dtype, FLOATS["float32"])
    magnitude = np.minimum(np.abs(np.asarray(x, dtype=np.float64)), largest(dtype))
    _, exponent = np.frexp(magnitude)
    return np.asarray(np.ldexp(1.0, np.maximum(np.where(magnitude == 0, least, exponent - bits), least)))


def srdhm(a: Array, b: Array | int) -> Array:
    """Saturating rounding doubling high multiply of int32: floor((a * b + 2**30) / 2**31).

    The tie goes up; only INT32_MIN * INT32_MIN saturates. Result in int32.
    """
    a64, b64 = np.asarray(a, dtype=np.int64), np.asarray(b, dtype=np.int64)
    return np.asarray(np.minimum((a64 * b64 + 2**30) >> 31, INT32_MAX))  # no other product comes to more


def rounding_divide_by_pot(x: Array, exponent: Array | int) -> Array:
    """Divide by 2**exponent, halves away from zero. 0 <= exponent <= 62."""
    x64, e = np.asarray(x, dtype=np.int64), np.asarray(exponent, dtype=np.int64)
    mask = (np.int64(1) << e) - 1
    remainder = x64 & mask
    threshold = (mask >> 1) + (x64 < 0)
    return (x64 >> e) + (remainder > threshold)


def quantize_multiplier(real: float) -> tuple[int, int]:
    """Split a real multiplier into (q31, shift): real ~ q31 * 2**(shift - 31), q31 in [2**30, 2**31).

    0 gives (0, 0), and so does anything below 2**-32.
    """
    if real == 0:
        return 0, 0
    mantissa, shift = math.frexp(real)
    q31 = math.floor(abs(mantissa) * 2**31 + 0.5) * (1 if mantissa > 0 else -1)
    if q31 == 2**31:
        q31, shift = 2**30, shift + 1
    return (0, 0) if shift < -31 else (q31, shift)


def wrap32(x: Array) -> Array:
    """Wrap to int32 as two's complement addition does."""
    return np.asarray(x, dtype=np.int64).astype(np.int32).astype(np.int64)


def multiply_by_quantized_multiplier(x: Array, q31: int, shift: int) -> Array:
    """Rescale int32 by q31 * 2**(shift - 31) with two roundings (the default build everywhere)."""
    shifted = wrap32(np.asarray(x, dtype=np.int64) << max(shift, 0))
    return rounding_divide_by_pot(srdhm(shifted, q31), max(-shift, 0))


def multiply_by_quantized_multiplier_64(x: Array, q31: int, shift: int) -> Array:
    """Rescale an int64 accumulator (|x| < 2**47) by a 16-bit multiplier, one rounding, half up."""
    q15 = (q31 + 2**15) >> 16 if q31 < 0x7FFF0000 else 0x7FFF
    total = 15 - shift
    return wrap32((np.asarray(x, dtype=np.int64) * q15 + (np.int64(1) << (total - 1))) >> total)


def _per_channel(rule: Callable[[Array, float], Array]) -> Rescale:
    """Apply a scalar-multiplier rule along the last axis where there is one multiplier per channel."""

    def rescale(acc: Array, multiplier: Any) -> Array:
        factors = np.atleast_1d(np.asarray(multiplier, dtype=np.float64))
        if factors.size == 1:
            return rule(np.asarray(acc), float(factors[0]))
        columns = [rule(np.asarray(acc)[..., c], float(m)) for c, m in enumerate(factors)]
        return np.stack(columns, axis=-1)

    return rescale


def _double(acc: Array, multiplier: float) -> Array:
    return multiply_by_quantized_multiplier(acc, *quantize_multiplier(multiplier))


def _single(acc: Array, multiplier: float) -> Array:
    q31, shift = quantize_multiplier(multiplier)
    total = 31 - shift
    return (np.asarray(acc, dtype=np.int64) * q31 + (np.int64(1) << (total - 1))) >> total


def _double_half_up(acc: Array, multiplier: float) -> Array:
    q31, shift = quantize_multiplier(multiplier)
    high = srdhm(wrap32(np.asarray(acc, dtype=np.int64) << max(shift, 0)), q31)
    right = max(-shift, 0)
    return (high + ((np.int64(1) << right) >> 1)) >> right


def _float_half_even(acc: Array, multiplier: float) -> Array:
    product = np.asarray(acc).astype(np.float32) * np.float32(multiplier)
    return np.rint(product.astype(np.float64)).astype(np.int64)


def _float_half_away(acc: Array, multiplier: float) -> Array:
    return round_half_away(np.asarray(acc, dtype=np.float64) * multiplier).astype(np.int64)


def _wide(acc: Array, multiplier: float) -> Array:
    return multiply_by_quantized_multiplier_64(acc, *quantize_multiplier(multiplier))


#: Rounding families by name; `double_rounding` is TFLM's, the others are for diagnosis.
FAMILIES: Mapping[str, Rescale] = {
    "double_rounding": _per_channel(_double),
    "single_rounding": _per_channel(_single),
    "double_rounding_half_up": _per_channel(_double_half_up),
    "float_half_even": _per_channel(_float_half_even),
    "float_half_away": _per_channel(_float_half_away),
}

#: int16x8 with int64 accumulators has one rounding rule of its own.
RESCALE_64: Rescale = _per_channel(_wide)
