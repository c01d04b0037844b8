"""REDUCE_WINDOW: reductions of a window that slides through all dimensions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.reference.registry import kernel

FOLDS: Mapping[str, Callable[[Array, Array], Array]] = {
    "ADD": np.add,
    "MUL": np.multiply,
    "MINIMUM": np.minimum,
    "MAXIMUM": np.maximum,
    "ALL": np.logical_and,
    "ANY": np.logical_or,
}


@kernel("REDUCE_WINDOW")
def reduce_window(
    x: Array, init: Array, window: Array, strides: Array, dilations: Array, *, reduce_function: str, **_: Any
) -> Array:
    """Fold the start value and the elements of every window that fits (StableHLO's definition, without padding)."""
    sizes, steps, spread = ([int(v) for v in np.asarray(a)] for a in (window, strides, dilations))
    rules = zip(x.shape, sizes, steps, spread, strict=True)
    places = [max(0, -(-(n - (k - 1) * d) // s)) for n, k, s, d in rules]
    y = np.full(places, np.asarray(init).item(), dtype=x.dtype)
    for tap in product(*(range(k) for k in sizes)):
        if y.size:
            at = [np.arange(n) * s + t * d for n, s, t, d in zip(places, steps, tap, spread, strict=True)]
            y = np.asarray(FOLDS[reduce_function](y, x[np.ix_(*at)]))
    return y
