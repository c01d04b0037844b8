"""Sums, products, extremes and truth over axes, and running sums: real definitions and integer twins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from opconform.harness.model import Array, Quant
from opconform.harness.numerics import RESCALE_64, Rescale
from opconform.runtimes.reference.kernels._common import centred, finish
from opconform.runtimes.reference.registry import kernel, twin

#: Bits that a running sum is shifted up by before its rescale.
HEADROOM = 20


def distinct_axes(axis: Array, rank: int) -> tuple[int, ...]:
    """Turn an axis tensor (negative and repeated entries allowed) into distinct dimensions, in order."""
    return tuple(sorted({int(a) % rank for a in np.asarray(axis).reshape(-1)})) if rank else ()


def _over(fold: Callable[..., Any], x: Array, axis: Array, keep: bool, **initial: Any) -> Array:
    return np.asarray(fold(x, axis=distinct_axes(axis, x.ndim), keepdims=keep, **initial))


def _limits(x: Array) -> tuple[Any, Any]:
    """Return what is below and what is above every number: an extreme of no elements."""
    info = np.iinfo(np.int64)
    return (-np.inf, np.inf) if x.dtype.kind == "f" else (info.min, info.max)


@kernel("SUM")
def sum_over(x: Array, axis: Array, *, keep_dims: bool, **_: Any) -> Array:
    """Return the sum over the axes; no elements sum up to 0."""
    return _over(np.sum, x, axis, keep_dims)


@twin("SUM")
def sum_over_int(
    x: Array,
    axis: Array,
    *,
    q: Mapping[str, Quant],
    dtypes: Mapping[str, str],
    rescale: Rescale,
    keep_dims: bool,
    **_: Any,
) -> Array:
    """Rescale the exact sum of centred integers."""
    total = _over(np.sum, centred(x, q["x"]), axis, keep_dims)
    return finish(rescale(total, q["x"].scale[0] / q["y"].scale[0]), "NONE", q["y"], dtypes["y"])


@kernel("REDUCE_PROD")
def product_over(x: Array, axis: Array, *, keep_dims: bool, **_: Any) -> Array:
    """Return the product over the axes; that of no elements is 1."""
    return _over(np.prod, x, axis, keep_dims)


@twin("REDUCE_PROD")
def product_over_int(
    x: Array, axis: Array, *, q: Mapping[str, Quant], dtypes: Mapping[str, str], keep_dims: bool, **_: Any
) -> Array:
    """Multiply one by one, in storage order; each of the K factors takes a K-th part of the rescale with it.

    Partial products are rescaled by the rule of 64-bit accumulators. Source: GetQuantProdScaling and
    QuantizedReduceProd of TFLite, which public documentation does not describe.
    """
    axes = distinct_axes(axis, x.ndim)
    kept = [d for d in range(x.ndim) if d not in axes]
    rows = centred(x, q["x"]).transpose([*kept, *axes]).reshape(*[x.shape[d] for d in kept], -1)
    count = rows.shape[-1]
    part = q["x"].scale[0] / q["y"].scale[0] ** (1 / max(count, 1))
    product = rows[..., 0]
    for k in range(1, count):
        product = RESCALE_64(product * rows[..., k], part)
    scaled = RESCALE_64(product, part)
    shape = [1 if d in axes else n for d, n in enumerate(x.shape)] if keep_dims else scaled.shape
    return finish(scaled.reshape(shape), "NONE", q["y"], dtypes["y"])


@kernel("REDUCE_MAX")
def largest_over(x: Array, axis: Array, *, keep_dims: bool, **_: Any) -> Array:
    """Return the largest element over the axes."""
    return _over(np.max, x, axis, keep_dims, initial=_limits(x)[0])


@twin("REDUCE_MAX")
def largest_over_int(x: Array, axis: Array, *, keep_dims: bool, **_: Any) -> Array:
    """Return the largest stored integer: input and output share their scale."""
    return _over(np.max, x, axis, keep_dims, initial=_limits(x)[0])


@kernel("REDUCE_MIN")
def smallest_over(x: Array, axis: Array, *, keep_dims: bool, **_: Any) -> Array:
    """Return the smallest element over the axes."""
    return _over(np.min, x, axis, keep_dims, initial=_limits(x)[1])


@twin("REDUCE_MIN")
def smallest_over_int(x: Array, axis: Array, *, keep_dims: bool, **_: Any) -> Array:
    """Return the smallest stored integer: input and output share their scale."""
    return _over(np.min, x, axis, keep_dims, initial=_limits(x)[1])


@kernel("REDUCE_ANY")
def any_over(x: Array, axis: Array, *, keep_dims: bool, **_: Any) -> Array:
    """Tell whether an element over the axes is true."""
    return _over(np.any, x, axis, keep_dims)


@kernel("REDUCE_ALL")
def all_over(x: Array, axis: Array, *, keep_dims: bool, **_: Any) -> Array:
    """Tell whether all elements over the axes are true."""
    return _over(np.all, x, axis, keep_dims)


@kernel("ARG_MIN")
def arg_min(x: Array, axis: Array, **_: Any) -> Array:
    """Return the position of the smallest element along one axis, the first where several are equal."""
    return np.asarray(np.argmin(x, axis=int(np.asarray(axis).reshape(-1)[0])), dtype=np.int64)


def _running(x: Array, axis: Array, exclusive: bool, reverse: bool) -> Array:
    """Return sums of all elements up to each one (without it: exclusive; from the end: reverse) along one axis."""
    along = int(np.asarray(axis).reshape(-1)[0])
    x = np.flip(x, along) if reverse else x
    total = np.cumsum(x, axis=along)
    if exclusive:
        total = np.roll(total, 1, axis=along)
        index = [slice(None)] * x.ndim
        index[along] = slice(0, 1)
        total[tuple(index)] = 0
    return np.asarray(np.flip(total, along) if reverse else total)


@kernel("CUMSUM")
def cumsum(x: Array, axis: Array, *, exclusive: bool, reverse: bool, **_: Any) -> Array:
    """Return running sums along one axis."""
    return _running(x, axis, exclusive, reverse)


@twin("CUMSUM")
def cumsum_int(
    x: Array,
    axis: Array,
    *,
    q: Mapping[str, Quant],
    dtypes: Mapping[str, str],
    rescale: Rescale,
    exclusive: bool,
    reverse: bool,
    **_: Any,
) -> Array:
    """As ADD: terms on twice the input's scale with headroom, their sum rescaled to the output."""
    common = 2 * q["x"].scale[0]
    terms = rescale(centred(x, q["x"]) << HEADROOM, q["x"].scale[0] / common)
    total = _running(terms, axis, exclusive, reverse)
    return finish(rescale(total, common / (2**HEADROOM * q["y"].scale[0])), "NONE", q["y"], dtypes["y"])
