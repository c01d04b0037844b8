"""Comparisons of two tensors: real definitions and integer twins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from opconform.harness.model import Array, Quant
from opconform.harness.numerics import Rescale
from opconform.runtimes.reference.kernels._common import centred
from opconform.runtimes.reference.registry import kernel, twin

#: Bits that comparisons keep below one real unit.
COMPARED_BITS = 8
Quants = Mapping[str, Quant]


@kernel("LESS")
def less(a: Array, b: Array, **_: Any) -> Array:
    """Return a < b, broadcast; NaN is less than nothing."""
    return np.asarray(a < b)


@kernel("LESS_EQUAL")
def less_equal(a: Array, b: Array, **_: Any) -> Array:
    """Return a <= b, broadcast; false where either is NaN."""
    return np.asarray(a <= b)


@kernel("GREATER")
def greater(a: Array, b: Array, **_: Any) -> Array:
    """Return a > b, broadcast; NaN is greater than nothing."""
    return np.asarray(a > b)


@kernel("GREATER_EQUAL")
def greater_equal(a: Array, b: Array, **_: Any) -> Array:
    """Return a >= b, broadcast; false where either is NaN."""
    return np.asarray(a >= b)


@kernel("EQUAL")
def equal(a: Array, b: Array, **_: Any) -> Array:
    """Return a == b, broadcast; NaN equals nothing, not even itself."""
    return np.asarray(a == b)


@kernel("NOT_EQUAL")
def not_equal(a: Array, b: Array, **_: Any) -> Array:
    """Return a != b, broadcast; NaN differs from everything."""
    return np.asarray(a != b)


def sides(a: Array, b: Array, q: Quants, rescale: Rescale) -> tuple[Array, Array]:
    """Return both operands as fixed-point real numbers of 8 fractional bits."""
    left = rescale(centred(a, q["a"]) << COMPARED_BITS, q["a"].scale[0])
    right = rescale(centred(b, q["b"]) << COMPARED_BITS, q["b"].scale[0])
    return left, right


@twin("LESS")
def less_int(a: Array, b: Array, *, q: Quants, rescale: Rescale, **_: Any) -> Array:
    """Compare fixed-point numbers."""
    return np.asarray(less(*sides(a, b, q, rescale)))


@twin("LESS_EQUAL")
def less_equal_int(a: Array, b: Array, *, q: Quants, rescale: Rescale, **_: Any) -> Array:
    """Compare fixed-point numbers."""
    return np.asarray(less_equal(*sides(a, b, q, rescale)))


@twin("GREATER")
def greater_int(a: Array, b: Array, *, q: Quants, rescale: Rescale, **_: Any) -> Array:
    """Compare fixed-point numbers."""
    return np.asarray(greater(*sides(a, b, q, rescale)))


@twin("GREATER_EQUAL")
def greater_equal_int(a: Array, b: Array, *, q: Quants, rescale: Rescale, **_: Any) -> Array:
    """Compare fixed-point numbers."""
    return np.asarray(greater_equal(*sides(a, b, q, rescale)))


@twin("EQUAL")
def equal_int(a: Array, b: Array, *, q: Quants, rescale: Rescale, **_: Any) -> Array:
    """Compare fixed-point numbers."""
    return np.asarray(equal(*sides(a, b, q, rescale)))


@twin("NOT_EQUAL")
def not_equal_int(a: Array, b: Array, *, q: Quants, rescale: Rescale, **_: Any) -> Array:
    """Compare fixed-point numbers."""
    return np.asarray(not_equal(*sides(a, b, q, rescale)))
