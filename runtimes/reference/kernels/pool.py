"""Pooling over H and W: real definitions and integer twins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from opconform.harness.model import Array, Quant
from opconform.runtimes.reference.kernels._common import Window, activate, activation_range, patches
from opconform.runtimes.reference.registry import kernel, twin


def _window(options: Mapping[str, Any]) -> Window:
    return Window(
        size=(options["filter_h"], options["filter_w"]),
        stride=(options["stride_h"], options["stride_w"]),
        dilation=(1, 1),
        padding=options["padding"],
    )


def _sums(x: Array, options: Mapping[str, Any]) -> tuple[Array, Array]:
    """Return the sum of each window and how many elements of it lie inside of x."""
    window = _window(options)
    inside = patches(np.ones((1, *x.shape[1:3], 1), dtype=np.int64), window)
    return patches(x, window).sum(axis=(3, 4)), inside.sum(axis=(3, 4))


@kernel("AVERAGE_POOL_2D")
def average_pool_2d(x: Array, *, activation: str, **options: Any) -> Array:
    """Return the mean of each window, padding not counted, clamped."""
    total, count = _sums(x, options)
    return activate(np.asarray(total / count), activation)


@twin("AVERAGE_POOL_2D")
def average_pool_2d_int(
    x: Array, *, q: Mapping[str, Quant], dtypes: Mapping[str, str], activation: str, **options: Any
) -> Array:
    """Divide the sum of stored integers by the count, halves away from zero; zero points play no part."""
    total, count = _sums(x, options)
    quotient = np.sign(total) * ((np.abs(total) + count // 2) // count)
    return np.asarray(np.clip(quotient, *activation_range(activation, q["y"], dtypes["y"])))


@kernel("MAX_POOL_2D")
def max_pool_2d(x: Array, *, activation: str, **options: Any) -> Array:
    """Return the largest element of each window, clamped; padding is never the largest."""
    return activate(patches(x, _window(options), fill=-np.inf).max(axis=(3, 4)), activation)


@twin("MAX_POOL_2D")
def max_pool_2d_int(
    x: Array, *, q: Mapping[str, Quant], dtypes: Mapping[str, str], activation: str, **options: Any
) -> Array:
    """Return the largest stored integer of each window, clamped."""
    largest = patches(x, _window(options), fill=np.iinfo(np.int64).min).max(axis=(3, 4))
    return np.asarray(np.clip(largest, *activation_range(activation, q["y"], dtypes["y"])))
