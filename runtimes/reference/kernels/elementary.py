"""Elementary functions of one element: sign changes, roots, rounding, sines, the logarithm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from opconform.harness.model import Array, Quant
from opconform.harness.numerics import integer_range, round_half_away
from opconform.runtimes.reference.kernels import _fixedpoint as fixed
from opconform.runtimes.reference.kernels._common import centred
from opconform.runtimes.reference.registry import kernel, twin

Quants = Mapping[str, Quant]
Dtypes = Mapping[str, str]


@kernel("NEG")
def negative(x: Array, **_: Any) -> Array:
    """Return -x."""
    return np.negative(x)


@kernel("SQUARE")
def square(x: Array, **_: Any) -> Array:
    """Return x * x."""
    return np.square(x)


@kernel("FLOOR")
def floor(x: Array, **_: Any) -> Array:
    """Return the largest integer that is not above x."""
    return np.floor(x)


@kernel("CEIL")
def ceil(x: Array, **_: Any) -> Array:
    """Return the smallest integer that is not below x."""
    return np.ceil(x)


@kernel("ROUND")
def nearest(x: Array, **_: Any) -> Array:
    """Return the nearest integer, of two the even one."""
    return np.rint(x)


@kernel("SIGN")
def sign(x: Array, **_: Any) -> Array:
    """Return -1, 0 or 1."""
    return np.sign(x)


@kernel("SIN")
def sine(x: Array, **_: Any) -> Array:
    """Return sin(x), NaN at the infinities."""
    with np.errstate(invalid="ignore"):
        return np.sin(x)


@kernel("COS")
def cosine(x: Array, **_: Any) -> Array:
    """Return cos(x), NaN at the infinities."""
    with np.errstate(invalid="ignore"):
        return np.cos(x)


@kernel("SQRT")
def square_root(x: Array, **_: Any) -> Array:
    """Return the root of x: NaN below zero, -0 at -0."""
    with np.errstate(invalid="ignore"):
        return np.sqrt(x)


@twin("SQRT")
def square_root_int(x: Array, *, q: Quants, dtypes: Dtypes, **_: Any) -> Array:
    """Truncate the float32 root, in quanta of the output, to an integer."""
    x_scale, y_scale = np.float32(q["x"].scale[0]), np.float32(q["y"].scale[0])
    root = np.sqrt(x_scale * centred(x, q["x"]).astype(np.float32))
    steps = np.trunc(root / y_scale).astype(np.int64) + q["y"].zero_point[0]
    return np.asarray(np.clip(steps, *integer_range(dtypes["y"])))


@kernel("LOG")
def logarithm(x: Array, **_: Any) -> Array:
    """Return ln(x): minus infinity at zero, NaN below."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(x)


@twin("LOG")
def logarithm_int(x: Array, *, q: Quants, dtypes: Dtypes, **_: Any) -> Array:
    """Tables in float32; up to zero the real value of the output's least integer."""
    low, _high = integer_range(dtypes["y"])
    y_scale, zero = np.float32(q["y"].scale[0]), q["y"].zero_point[0]
    least = float(y_scale * np.float32(low - zero))

    def function(real: Array) -> Array:
        wide = np.asarray(real, dtype=np.float64)
        return np.where(wide > 0, np.log(np.where(wide > 0, wide, 1.0)), least).astype(np.float32)

    return by_table(function, x, q, dtypes)


def by_table(function: Any, x: Array, q: Quants, dtypes: Dtypes) -> Array:
    """Evaluate a float32 function as table kernels do: an entry for each of 256 values, 513 samples for 16 bits."""
    low, high = integer_range(dtypes["x"])
    x_scale, y_scale, zero = np.float32(q["x"].scale[0]), np.float32(q["y"].scale[0]), q["y"].zero_point[0]
    if dtypes["x"] == "int16":
        ends = (x_scale * np.float32(low), x_scale * np.float32(high))
        table = fixed.table_int16(function, *ends, y_scale * np.float32(low), y_scale * np.float32(high))
        return fixed.look_up_int16(x, table)
    real = x_scale * centred(x, q["x"]).astype(np.float32)
    steps = round_half_away(function(real) * (np.float32(1) / y_scale)) + zero
    return np.asarray(np.clip(steps, low, high).astype(np.int64))
