"""More elementwise ops of two tensors: differences, choices, powers, floored division, bits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from opconform.harness.model import Array, Quant
from opconform.harness.numerics import Rescale
from opconform.runtimes.reference.kernels._common import activate, centred, finish
from opconform.runtimes.reference.kernels.arithmetic import HEADROOM
from opconform.runtimes.reference.registry import kernel, twin

Quants = Mapping[str, Quant]
Dtypes = Mapping[str, str]


@kernel("SUB")
def sub(a: Array, b: Array, *, activation: str, **_: Any) -> Array:
    """Return a - b, broadcast, clamped."""
    return activate(np.asarray(a - b), activation)


def on_common_scale(a: Array, b: Array, q: Quants, rescale: Rescale, bits: int) -> tuple[Array, Array, float]:
    """Bring both operands to twice the larger scale with so many bits of headroom; return them and that scale."""
    common = 2 * max(q["a"].scale[0], q["b"].scale[0])
    left = rescale(centred(a, q["a"]) << bits, q["a"].scale[0] / common)
    right = rescale(centred(b, q["b"]) << bits, q["b"].scale[0] / common)
    return left, right, common / 2**bits


@twin("SUB")
def sub_int(a: Array, b: Array, *, q: Quants, dtypes: Dtypes, rescale: Rescale, activation: str, **_: Any) -> Array:
    """Subtract on a common scale with headroom, rescale to the output."""
    left, right, unit = on_common_scale(a, b, q, rescale, HEADROOM[dtypes["y"]])
    scaled = rescale(np.asarray(left - right), unit / q["y"].scale[0])
    return finish(scaled, activation, q["y"], dtypes["y"])


@kernel("SQUARED_DIFFERENCE")
def squared_difference(a: Array, b: Array, **_: Any) -> Array:
    """Return (a - b) squared, broadcast."""
    return np.asarray((a - b) ** 2)


#: Bits that operands are shifted up by before they are subtracted: the squares of 255 << 7 and of 65535 / 2 fit in 32.
SQUARED_HEADROOM: Mapping[str, int] = {"int8": 7, "int16": 0}


@twin("SQUARED_DIFFERENCE")
def squared_difference_int(a: Array, b: Array, *, q: Quants, dtypes: Dtypes, rescale: Rescale, **_: Any) -> Array:
    """Subtract on a common scale, square in 32 bits, rescale to the output."""
    left, right, unit = on_common_scale(a, b, q, rescale, SQUARED_HEADROOM[dtypes["y"]])
    return finish(rescale((left - right) ** 2, unit**2 / q["y"].scale[0]), "NONE", q["y"], dtypes["y"])


@kernel("MAXIMUM")
def maximum(a: Array, b: Array, **_: Any) -> Array:
    """Return the larger of a and b, broadcast."""
    return np.maximum(a, b)


@kernel("MINIMUM")
def minimum(a: Array, b: Array, **_: Any) -> Array:
    """Return the smaller of a and b, broadcast."""
    return np.minimum(a, b)


@kernel("LOGICAL_OR")
def logical_or(a: Array, b: Array, **_: Any) -> Array:
    """Return whether a or b holds, broadcast."""
    return np.logical_or(a, b)


@kernel("LOGICAL_AND")
def logical_and(a: Array, b: Array, **_: Any) -> Array:
    """Return whether a and b hold, broadcast."""
    return np.logical_and(a, b)


@kernel("LOGICAL_NOT")
def logical_not(x: Array, **_: Any) -> Array:
    """Return whether x does not hold."""
    return np.logical_not(x)


@kernel("BITWISE_XOR")
def bitwise_xor(a: Array, b: Array, **_: Any) -> Array:
    """Return the bits that a and b differ in, broadcast; the sign is the highest of any number of bits."""
    return np.bitwise_xor(a, b)


@kernel("RIGHT_SHIFT")
def right_shift(a: Array, b: Array, **_: Any) -> Array:
    """Return floor(a / 2**b), broadcast, for 0 <= b < 32."""
    return np.asarray(a // 2**b)


@kernel("POW")
def power(a: Array, b: Array, **_: Any) -> Array:
    """Return a to the power of b, broadcast: as IEEE 754's pow for reals; integers have exponents of 0 and above."""
    return np.power(a, b)


@kernel("FLOOR_DIV")
def floor_div(a: Array, b: Array, **_: Any) -> Array:
    """Return the real quotient rounded down, broadcast."""
    return np.floor(a / b) if a.dtype.kind == "f" else np.asarray(a // b)


@kernel("FLOOR_MOD")
def floor_mod(a: Array, b: Array, **_: Any) -> Array:
    """Return a - b * floor(a / b) of the real quotient, broadcast: the remainder has the divisor's sign."""
    return np.mod(a, b)


@kernel("ADD_N")
def add_n(*x: Array, **_: Any) -> Array:
    """Return the sum of all inputs, which have one shape."""
    return np.asarray(sum(x[1:], start=x[0]))


@twin("ADD_N")
def add_n_int(*x: Array, q: Quants, dtypes: Dtypes, rescale: Rescale, **_: Any) -> Array:
    """Halve every term with headroom, as ADD does with operands of one scale, add them up, rescale to the output."""
    bits = HEADROOM["int8"]
    total = sum(rescale(centred(term, q["x"]) << bits, 0.5) for term in x)
    return finish(
        rescale(np.asarray(total), 2 * q["x"].scale[0] / (2**bits * q["y"].scale[0])), "NONE", q["y"], dtypes["y"]
    )


@kernel("ATAN2")
def atan2(a: Array, b: Array, **_: Any) -> Array:
    """Return the angle of the point (b, a), in (-pi, pi]."""
    return np.arctan2(a, b)
