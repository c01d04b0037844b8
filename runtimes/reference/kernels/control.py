"""Control flow, and the one op whose output has as many rows as the data say."""

from __future__ import annotations

from typing import Any

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.reference.registry import kernel


@kernel("WHERE")
def where(condition: Array, **_: Any) -> Array:
    """Return the coordinates [n, rank] of elements that are not zero (NaN is not), in row-major order."""
    return np.argwhere(condition).astype(np.int64).reshape(-1, np.ndim(condition))


@kernel("WHILE")
def rotate_while_less(i: Array, limit: Array, x: Array, **_: Any) -> tuple[Array, Array, Array]:
    """Run the loop of specs/ops/while.yaml: while i < limit, add 1 to i and rotate x by one place to the left."""
    while bool(np.all(i < limit)):
        i, x = i + 1, np.roll(x, -1, axis=0)
    return i, limit, x


@kernel("IF")
def rotate_or_swap(go: Array, x: Array, z: Array, **_: Any) -> tuple[Array, Array]:
    """Run the branches of specs/ops/if.yaml: rotate x by one place to the left, or swap x and z."""
    return (np.roll(x, -1, axis=0), np.asarray(z)) if bool(np.all(go)) else (np.asarray(z), np.asarray(x))


@kernel("CALL_ONCE")
def read_what_was_initialized(x: Array, state: Array, **_: Any) -> tuple[Array, Array]:
    """Return what a variable holds before x is assigned to it: 7 at first, by the initialization.

    An imaginary part of 1 marks a state that was assigned: all states begin as zeros.
    """
    start = True if x.dtype == np.bool_ else 7
    held = np.where(np.imag(state) == 0, start, np.real(state)).astype(x.dtype)
    return held, x.astype(np.float64) + 1j


@kernel("DENSIFY")
def densify(x: Array, **_: Any) -> Array:
    """Return the constant: how a file stores it is not the reference's business."""
    return np.asarray(x)
