"""Norms of a neighbourhood: LOG_SOFTMAX of rows, LOCAL_RESPONSE_NORMALIZATION of channels, L2_POOL_2D of windows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from opconform.harness.model import Array, Quant
from opconform.harness.numerics import (
    INT32_MIN,
    integer_range,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
    rounding_divide_by_pot,
    srdhm,
)
from opconform.runtimes.reference.kernels import _fixedpoint as fixed
from opconform.runtimes.reference.kernels._common import Window, activate, patches
from opconform.runtimes.reference.registry import kernel, twin


@kernel("LOG_SOFTMAX")
def log_softmax(x: Array, **_: Any) -> Array:
    """Return x - ln(sum(exp(x))) along the last axis."""
    if x.size == 0:
        return np.asarray(x)
    below = x - np.max(x, axis=-1, keepdims=True)
    return np.asarray(below - np.log(np.sum(np.exp(below), axis=-1, keepdims=True)))


@twin("LOG_SOFTMAX")
def log_softmax_int(x: Array, *, q: Mapping[str, Quant], dtypes: Mapping[str, str], **_: Any) -> Array:
    """Every row in fixed point; the output's largest integer is the real 0."""
    low, high = integer_range(dtypes["y"])
    if x.size == 0:
        return np.asarray(x)
    rows = np.asarray(x, dtype=np.int64).reshape(-1, x.shape[-1])
    results = [_log_softmax_row(row, q["x"].scale[0]) + high for row in rows]
    return np.asarray(np.clip(np.asarray(results, dtype=np.int64), low, high).reshape(x.shape))


def _log_softmax_row(row: Array, scale: float) -> Array:
    """Return log softmax in sixteenths: differences and the logarithm in Q5.26, the sum of exponentials in Q12.19.

    Differences that do not fit in Q5.26, or no more once the logarithm is subtracted, give less than any output.
    """
    multiplier, shift = quantize_multiplier(min(scale * 2.0**26, 2.0**31 - 1))
    difference = row - np.max(row)
    least = -fixed.input_radius(5, shift)
    counted = difference >= least
    argument = multiply_by_quantized_multiplier(np.where(counted, difference, 0), multiplier, shift)
    e = np.where(counted, fixed.exp_on_negative_values(argument, 5), 0)
    logarithm = _log_of_sum(int(np.sum(rounding_divide_by_pot(e, 12))))
    inverse = quantize_multiplier(2.0 ** (31 - shift) / multiplier)
    lowest = max(least - 1, int(multiply_by_quantized_multiplier(np.asarray(logarithm + INT32_MIN), *inverse)))
    return np.where(difference > lowest, rounding_divide_by_pot(argument - logarithm, 22), -(1 << 16))


def _log_of_sum(total: int) -> int:
    """Return ln(total) in Q5.26, total >= 1 in Q12.19.

    ln(2**e * r) = e * ln(2) + ln(r), with e a multiple of 1/2 moved by 1/4, so that r lies around 2**(-1/4): of two
    candidates the smaller r and the larger e belong together. ln(r) is a quotient of polynomials.
    """
    root_half, middle = fixed.constant(math.sqrt(0.5)), fixed.constant(0.5**0.25)
    zeros = fixed.leading_zeros(total)
    halved = int(srdhm(np.asarray(total), root_half))
    room = fixed.leading_zeros(halved) - 1
    first = int(fixed.shift_left_saturating(srdhm(np.asarray(total << (zeros - 1)), root_half), 1))
    second = int(fixed.shift_left_saturating(np.asarray(total), room))
    quarter = fixed.constant(0.25, 6)
    exponent = max(((12 - zeros) << 25) + quarter, ((12 - room) << 25) - quarter)
    whole = srdhm(np.asarray(exponent), fixed.constant(math.log(2)))
    part = _log_near_middle(np.asarray(min(first, second)), middle)
    return int(fixed.shift_left_saturating(whole + part, 1))


def _log_near_middle(r: Array, middle: int) -> Array:
    """Return ln(r) - ln(2**(-1/4)) in Q6.25, r around 2**(-1/4) in Q0.31: polynomials of their doubled difference."""
    root = 2**0.25
    mean = (r + middle + 1) >> 1
    q = 2 * (r - middle)
    square = srdhm(q, q)
    top = srdhm(q, r) + srdhm(srdhm(q, square), fixed.constant(11 / 240 * root))
    inner = fixed.constant(2 / root - root) + q + srdhm(square, fixed.constant(root / 20))
    bottom = srdhm(mean, inner) + srdhm(q, fixed.constant(root / 4))
    return srdhm(rounding_divide_by_pot(top, 6), fixed.one_over_one_plus(bottom))


@kernel("LOCAL_RESPONSE_NORMALIZATION")
def local_response_normalization(x: Array, *, radius: int, bias: float, alpha: float, beta: float, **_: Any) -> Array:
    """Return x / (bias + alpha * s)**beta; s sums the squares of channels c - radius to c + radius, both included."""
    channels = x.shape[-1]
    squares = np.square(x)
    sums = [squares[..., max(c - radius, 0) : c + radius + 1].sum(axis=-1) for c in range(channels)]
    return np.asarray(x / (bias + alpha * np.stack(sums, axis=-1)) ** beta)


@kernel("L2_POOL_2D")
def l2_pool_2d(x: Array, *, activation: str, **options: Any) -> Array:
    """Return the root of the mean square of each window, padding not counted, clamped."""
    window = Window(
        size=(options["filter_h"], options["filter_w"]),
        stride=(options["stride_h"], options["stride_w"]),
        dilation=(1, 1),
        padding=options["padding"],
    )
    inside = patches(np.ones((1, *x.shape[1:3], 1)), window).sum(axis=(3, 4))
    return activate(np.sqrt(patches(np.square(x), window).sum(axis=(3, 4)) / inside), activation)
