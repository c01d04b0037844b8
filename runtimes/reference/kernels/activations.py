"""Activations: clamps, the leaky and the smooth rectifiers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from opconform.harness.model import Array, Quant
from opconform.harness.numerics import Rescale, integer_range, round_half_away
from opconform.runtimes.reference.kernels._common import centred
from opconform.runtimes.reference.kernels.elementary import by_table
from opconform.runtimes.reference.registry import kernel, twin

Quants = Mapping[str, Quant]
Dtypes = Mapping[str, str]


def _clamp_twin(x: Array, low: float, high: float, q: Quants, dtypes: Dtypes, rescale: Rescale) -> Array:
    """Rescale to the output and clamp to its limits, which are quantized in float32."""
    scale, zero = np.float32(q["y"].scale[0]), q["y"].zero_point[0]
    least, most = integer_range(dtypes["y"])
    limits = round_half_away(np.asarray([low, high], dtype=np.float32) / scale) + zero
    scaled = rescale(centred(x, q["x"]), q["x"].scale[0] / q["y"].scale[0]) + zero
    return np.asarray(np.clip(scaled, max(least, limits[0]), min(most, limits[1])).astype(np.int64))


@kernel("RELU")
def relu(x: Array, **_: Any) -> Array:
    """Return max(x, 0); NaN stays."""
    return np.maximum(x, 0)


@twin("RELU")
def relu_int(x: Array, *, q: Quants, dtypes: Dtypes, rescale: Rescale, **_: Any) -> Array:
    """Rescale, at least the real 0."""
    return _clamp_twin(x, 0, math.inf, q, dtypes, rescale)


@kernel("RELU6")
def relu6(x: Array, **_: Any) -> Array:
    """Return x clamped to [0, 6]; NaN stays."""
    return np.clip(x, 0, 6)


@twin("RELU6")
def relu6_int(x: Array, *, q: Quants, dtypes: Dtypes, rescale: Rescale, **_: Any) -> Array:
    """Rescale, from the real 0 to the real 6."""
    return _clamp_twin(x, 0, 6, q, dtypes, rescale)


@kernel("RELU_N1_TO_1")
def relu_n1_to_1(x: Array, **_: Any) -> Array:
    """Return x clamped to [-1, 1]; NaN stays."""
    return np.clip(x, -1, 1)


@twin("RELU_N1_TO_1")
def relu_n1_to_1_int(x: Array, *, q: Quants, dtypes: Dtypes, rescale: Rescale, **_: Any) -> Array:
    """Rescale, from the real -1 to the real 1."""
    return _clamp_twin(x, -1, 1, q, dtypes, rescale)


@kernel("RELU_0_TO_1")
def relu_0_to_1(x: Array, **_: Any) -> Array:
    """Return x clamped to [0, 1]; NaN stays."""
    return np.clip(x, 0, 1)


@twin("RELU_0_TO_1")
def relu_0_to_1_int(x: Array, *, q: Quants, dtypes: Dtypes, rescale: Rescale, **_: Any) -> Array:
    """Rescale, from the real 0 to the real 1."""
    return _clamp_twin(x, 0, 1, q, dtypes, rescale)


def _two_slopes(x: Array, negative: Array, rescale: Rescale, q: Quants, dtypes: Dtypes) -> Array:
    """Join the rescaled elements that are not negative and the results for those that are, and saturate."""
    value = centred(x, q["x"])
    positive = rescale(value, q["x"].scale[0] / q["y"].scale[0])
    joined = np.where(value >= 0, positive, negative) + q["y"].zero_point[0]
    return np.asarray(np.clip(joined, *integer_range(dtypes["y"])))


@kernel("PRELU")
def prelu(x: Array, alpha: Array, **_: Any) -> Array:
    """Return x where it is not negative, else alpha * x; alpha is broadcast."""
    with np.errstate(invalid="ignore"):
        return np.where(x >= 0, x, x * alpha)


@twin("PRELU")
def prelu_int(x: Array, alpha: Array, *, q: Quants, dtypes: Dtypes, rescale: Rescale, **_: Any) -> Array:
    """Rescale the element or, where it is negative, its exact product with alpha."""
    factor = q["x"].scale[0] * q["alpha"].scale[0] / q["y"].scale[0]
    negative = rescale(centred(x, q["x"]) * centred(alpha, q["alpha"]), factor)
    return _two_slopes(x, negative, rescale, q, dtypes)


@kernel("LEAKY_RELU")
def leaky_relu(x: Array, *, alpha: float, **_: Any) -> Array:
    """Return x where it is positive, else alpha * x."""
    with np.errstate(invalid="ignore"):
        return np.where(x > 0, x, x * alpha)


@twin("LEAKY_RELU")
def leaky_relu_int(x: Array, *, alpha: float, q: Quants, dtypes: Dtypes, rescale: Rescale, **_: Any) -> Array:
    """Rescale by one factor or the other; the sign of a negative slope is applied after rounding."""
    factor = q["x"].scale[0] * float(np.float32(alpha)) / q["y"].scale[0]
    scaled = rescale(centred(x, q["x"]), abs(factor))
    return _two_slopes(x, -scaled if factor < 0 else scaled, rescale, q, dtypes)


@kernel("ELU")
def elu(x: Array, **_: Any) -> Array:
    """Return x where it is not negative, else e**x - 1."""
    return np.where(x < 0, np.expm1(np.minimum(x, 0)), x)


@twin("ELU")
def elu_int(x: Array, *, q: Quants, dtypes: Dtypes, **_: Any) -> Array:
    """A table in float32."""
    return by_table(lambda v: elu(v.astype(np.float64)).astype(np.float32), x, q, dtypes)


_erfc = np.vectorize(math.erfc, otypes=[np.float64])


@kernel("GELU")
def gelu(x: Array, *, approximate: bool, **_: Any) -> Array:
    """Return x times the normal distribution function at x, or times its approximation by tanh."""
    x = np.asarray(x, dtype=np.float64)
    if approximate:
        # (1 + tanh u) / 2 without its cancellation for negative u
        with np.errstate(over="ignore"):
            return np.asarray(x / (1 + np.exp(-2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))))
    return np.asarray(x * (_erfc(-x / math.sqrt(2)) if x.size else x) / 2)


@twin("GELU")
def gelu_int(x: Array, *, approximate: bool, q: Quants, dtypes: Dtypes, **_: Any) -> Array:
    """Tables in float32, whose function is taken with one rounding at its end."""
    return by_table(lambda v: gelu(v, approximate=approximate).astype(np.float32), x, q, dtypes)
