"""BATCH_MATMUL in float64 and in integers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from opconform.harness.model import Array, Quant
from opconform.harness.numerics import RESCALE_64, Rescale
from opconform.runtimes.reference.kernels._common import centred, finish
from opconform.runtimes.reference.registry import kernel, twin


def _product(x: Array, w: Array, adj_x: bool, adj_y: bool) -> Array:
    """Multiply matrices in the last two dimensions; a transposed one is turned first."""
    left = np.swapaxes(x, -1, -2) if adj_x else x
    right = np.swapaxes(w, -1, -2) if adj_y else w
    return np.asarray(left @ right)


@kernel("BATCH_MATMUL")
def batch_matmul(x: Array, w: Array, *, adj_x: bool, adj_y: bool, **_: Any) -> Array:
    """Return the broadcast matrix products."""
    return _product(x, w, adj_x, adj_y)


@twin("BATCH_MATMUL")
def batch_matmul_int(
    x: Array,
    w: Array,
    *,
    q: Mapping[str, Quant],
    dtypes: Mapping[str, str],
    rescale: Rescale,
    adj_x: bool,
    adj_y: bool,
    **_: Any,
) -> Array:
    """Integer accumulator of centred operands, rescaled once; the product of their scales is rounded to float32."""
    acc = _product(centred(x, q["x"]), centred(w, q["w"]), adj_x, adj_y)
    if dtypes["y"] == "int32":
        return acc
    product = float(np.float32(q["x"].scale[0]) * np.float32(q["w"].scale[0]))
    rule = RESCALE_64 if dtypes["x"] == "int16" else rescale
    return finish(rule(acc, product / q["y"].scale[0]), "NONE", q["y"], dtypes["y"])
