"""What a spec accepts of each element, as a closed interval in the output's own dtype: tolerances without the spec.

An interval says the same as harness/compare.py does, for readers that have neither the spec nor Python: an element is
right where `low <= element <= high`, or where all three are NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from opconform.harness.compare import Judge, tolerance_of
from opconform.harness.model import DTYPES, Array, TensorType
from opconform.harness.numerics import epsilon, integer_range, is_float, is_integer, largest, parts_of, spacing


@dataclass(frozen=True, slots=True)
class Accepted:
    """What is right for one output of one vector.

    `want`, `low` and `high` have the output's dtype and shape (complex numbers: one more dimension of 2, float32).
    `exact` is what the integer definition of the row's family gives, None where the row has none.
    """

    want: Array
    low: Array
    high: Array
    exact: Array | None
    signed_zero: bool


def accepted(judge: Judge, vector: int, output: int) -> Accepted:
    """Return the interval of one output of a legal case whose rule is not a distribution."""
    tensor = judge.case.outputs[output]
    rule = tolerance_of(judge.spec, judge.case.row, tensor.name)
    want, limit = judge.wanted[vector][output], judge.limits[vector][output]
    exact = judge.exact[vector][output] if judge.exact is not None and rule.family else None
    if not (is_float(tensor.dtype) or tensor.dtype == "complex64"):
        return _integers(tensor, want, limit, exact)
    want = parts_of(want) if tensor.dtype == "complex64" else want
    unit = spacing(want, tensor.dtype) if rule.kind == "ulp" else np.ones_like(want)
    allowed = limit * unit + judge.floors[vector][output]
    low, high = _reals(want, np.nan_to_num(allowed, nan=0.0, posinf=largest(tensor.dtype)), tensor.dtype)
    dtype = np.dtype(np.float32) if tensor.dtype == "complex64" else DTYPES[tensor.dtype][0]
    with np.errstate(over="ignore"):
        near = want.astype(dtype)
    return Accepted(near, _inwards(low, dtype, np.inf), _inwards(high, dtype, -np.inf), None, rule.signed_zero)


def _integers(tensor: TensorType, want: Array, limit: Any, exact: Array | None) -> Accepted:
    dtype = DTYPES[tensor.dtype][0]
    if exact is not None:
        exact = exact.astype(dtype)
    most = np.floor(np.asarray(limit, dtype=np.float64)).astype(np.int64)
    if not is_integer(tensor.dtype) or tensor.dtype == "uint64" or not most.any():
        low = high = want
    else:
        least, greatest = integer_range(tensor.dtype)
        # Beyond the ends of the dtype there is nothing to accept; 2**62 keeps the sum within int64.
        most = np.minimum(most, 2**62)
        low = np.where(want < least + most, least, want - most)
        high = np.where(want > greatest - most, greatest, want + most)
    return Accepted(want.astype(dtype), low.astype(dtype), high.astype(dtype), exact, False)


def _reals(want: Array, allowed: Array, dtype: str) -> tuple[Array, Array]:
    """Return the ends in float64.

    NaN wants NaN. Where `want` and what is allowed reach beyond the largest number, an infinity of its sign is
    right, and so is the largest number itself (compare.float_errors).
    """
    most = largest(dtype)
    with np.errstate(all="ignore"):
        low, high = want - allowed, want + allowed
        beyond = np.abs(want) + allowed > most
    edge = most * (1 - 16 * epsilon(dtype))
    up, down = beyond & (want > 0), beyond & (want < 0)
    low = np.where(up, np.minimum(np.where(np.isinf(want), np.inf, low), edge), np.where(down, -np.inf, low))
    high = np.where(down, np.maximum(np.where(np.isinf(want), -np.inf, high), -edge), np.where(up, np.inf, high))
    return low, high


def _inwards(end: Array, dtype: np.dtype[Any], towards: float) -> Array:
    """Round an end of an interval to a dtype without widening it."""
    with np.errstate(all="ignore"):
        near = end.astype(dtype)
        back = near.astype(np.float64)
        outside = back < end if towards > 0 else back > end
        return np.where(outside, np.nextafter(near, np.asarray(towards, dtype=dtype)), near).astype(dtype)


def inside(found: Array, low: Array, high: Array, want: Array, signed_zero: bool) -> Array:
    """Return for each element whether it is accepted; all arrays have one shape and dtype."""
    if found.dtype.kind == "S":
        return np.asarray(found == want)
    real = found.dtype.kind not in "iub"
    values, least, greatest, right = (
        (a.astype(np.float64) for a in (found, low, high, want)) if real else (found, low, high, want)
    )
    good = (values >= least) & (values <= greatest)
    if not real:
        return np.asarray(good)
    if signed_zero:
        good &= ~((right == 0) & (np.signbit(values) != np.signbit(right)))
    return np.asarray(good | (np.isnan(values) & np.isnan(right)))
