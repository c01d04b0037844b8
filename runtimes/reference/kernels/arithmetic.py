"""Elementwise ops on broadcast tensors: real definitions and integer twins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from opconform.harness.model import Array, Quant
from opconform.harness.numerics import Rescale, quantize_multiplier, rounding_divide_by_pot, srdhm
from opconform.runtimes.reference.kernels._common import activate, centred, finish
from opconform.runtimes.reference.kernels._fixedpoint import leading_zeros_each, one_over_one_plus
from opconform.runtimes.reference.registry import kernel, twin

#: Bits that operands are shifted up by before ADD brings them to a common scale.
HEADROOM: Mapping[str, int] = {"int8": 20, "uint8": 20, "int16": 15}


@kernel("ADD")
def add(a: Array, b: Array, *, activation: str, **_: Any) -> Array:
    """Return a + b, broadcast, clamped."""
    return activate(np.asarray(a + b), activation)


@twin("ADD")
def add_int(
    a: Array,
    b: Array,
    *,
    q: Mapping[str, Quant],
    dtypes: Mapping[str, str],
    rescale: Rescale,
    activation: str,
    **_: Any,
) -> Array:
    """Bring both operands to twice the larger scale with headroom, add, rescale to the output."""
    bits = HEADROOM[dtypes["y"]]
    scale_a, scale_b, scale_y = (q[slot].scale[0] for slot in ("a", "b", "y"))
    common = 2 * max(scale_a, scale_b)
    left = rescale(centred(a, q["a"]) << bits, scale_a / common)
    right = rescale(centred(b, q["b"]) << bits, scale_b / common)
    scaled = rescale(np.asarray(left + right), common / (2**bits * scale_y))
    return finish(scaled, activation, q["y"], dtypes["y"])


@kernel("MUL")
def mul(a: Array, b: Array, *, activation: str, **_: Any) -> Array:
    """Return a * b, broadcast, clamped."""
    return activate(np.asarray(a * b), activation)


@twin("MUL")
def mul_int(
    a: Array,
    b: Array,
    *,
    q: Mapping[str, Quant],
    dtypes: Mapping[str, str],
    rescale: Rescale,
    activation: str,
    **_: Any,
) -> Array:
    """Multiply the centred operands exactly and rescale once."""
    product = np.asarray(centred(a, q["a"]) * centred(b, q["b"]))
    multiplier = q["a"].scale[0] * q["b"].scale[0] / q["y"].scale[0]
    return finish(rescale(product, multiplier), activation, q["y"], dtypes["y"])


@kernel("DIV")
def div(a: Array, b: Array, *, activation: str, **_: Any) -> Array:
    """Return a / b, broadcast, clamped; integers are divided towards zero."""
    if a.dtype.kind == "i":
        return activate(np.asarray(np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b))), activation)
    return activate(np.asarray(a / b), activation)


@twin("DIV")
def div_int(
    a: Array, b: Array, *, q: Mapping[str, Quant], dtypes: Mapping[str, str], activation: str, **_: Any
) -> Array:
    """Multiply by the fixed-point reciprocal of the divisor and rescale; a negative one changes both signs."""
    q31, shift = quantize_multiplier(_quotient_of_scales(q, dtypes["y"]))
    above, below = np.broadcast_arrays(centred(a, q["a"]), centred(b, q["b"]))
    quotients = _quotients(np.where(below < 0, -above, above), np.abs(below), q31, shift)
    return finish(quotients, activation, q["y"], dtypes["y"])


def _quotient_of_scales(q: Mapping[str, Quant], dtype: str) -> float:
    """Return a.scale / (b.scale * y.scale): in double for int8, as TFLM forms it, else in float32, as LiteRT does.

    TFLM has no other row of integers with scales; LiteRT's own int8 is in float32 as well, so it may be a step off.
    """
    scale_a, scale_b, scale_y = (q[slot].scale[0] for slot in ("a", "b", "y"))
    if dtype == "int8":
        return scale_a / (scale_b * scale_y)
    return float(np.float32(scale_a) / (np.float32(scale_b) * np.float32(scale_y)))


def _quotients(numerators: Array, divisors: Array, q31: int, shift: int) -> Array:
    """Divide centred integers by positive ones; a numerator is first shifted up until its sign bit stands alone.

    Where the final shift exceeds 31 the quotient is zero: that is what the division by a power of two means,
    though a shift of 32 bits by a processor may give anything.
    """
    headroom = _leading_sign_bits(numerators)
    # The divisor is 2**(31 - zeros) * (1 + fraction), and so is its reciprocal the other way round.
    zeros = leading_zeros_each(divisors)
    inverse = one_over_one_plus((divisors << zeros) - (1 << 31))
    normalized = srdhm(numerators << headroom, inverse)
    return rounding_divide_by_pot(srdhm(normalized, q31), np.minimum(headroom + 31 - zeros - shift, 62))


def _leading_sign_bits(x: Array) -> Array:
    """Count, of every number, the bits below the sign bit that repeat it."""
    return np.asarray(leading_zeros_each(np.where(x >= 0, x, -2 * x - 1)) - (x >= 0))


@kernel("SELECT_V2")
def select_v2(condition: Array, x: Array, y: Array, **_: Any) -> Array:
    """Take x where the condition holds and y elsewhere; all three are broadcast."""
    return np.where(condition, x, y)
