"""exp and tanh for float32 kernels, computed in float64 by branch-free polynomials that become vector code.

The relative error is below 1e-12, so the rounding to float32 is right but for one value in a hundred thousand.
"""

from __future__ import annotations

import math

import numpy as np

from opconform.runtimes.lite.jit import Number, helper

_LOG2E = 1.4426950408889634
_LN2_HIGH = 0.6931471803691238
_LN2_LOW = 1.9082149292705877e-10
_ROUNDER = 6755399441055744.0  # 1.5 * 2**52: adding and subtracting it rounds to an integer


@helper
def exp64(x: Number) -> Number:
    """Return exp(x) for |x| <= 700; values beyond are limited to that, NaN stays NaN."""
    x = -700.0 if x < -700.0 else x
    x = 700.0 if x > 700.0 else x
    n = (x * _LOG2E + _ROUNDER) - _ROUNDER
    r = (x - n * _LN2_HIGH) - n * _LN2_LOW
    # Taylor to the 11th power on |r| <= ln(2) / 2: the next term is below 1e-14
    s = 1.0 / 39916800.0
    s = s * r + 1.0 / 3628800.0
    s = s * r + 1.0 / 362880.0
    s = s * r + 1.0 / 40320.0
    s = s * r + 1.0 / 5040.0
    s = s * r + 1.0 / 720.0
    s = s * r + 1.0 / 120.0
    s = s * r + 1.0 / 24.0
    s = s * r + 1.0 / 6.0
    s = s * r + 0.5
    s = s * r + 1.0
    s = s * r + 1.0
    exponent = (np.int64(n) if n == n else np.int64(0)) + 1023
    return s * np.int64(exponent << 52).view(np.float64)


@helper
def tanh64(x: Number) -> Number:
    """Return tanh(x); below 1e-4 two terms of the series, where the quotient would cancel."""
    size = abs(x)
    e = exp64(-2.0 * size)
    value = (1.0 - e) / (1.0 + e)
    value = size - size * size * size / 3.0 if size < 1e-4 else value
    return math.copysign(value, x)
