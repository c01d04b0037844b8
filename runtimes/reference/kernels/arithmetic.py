"""Elementwise arithmetic on two broadcast tensors: real definitions and integer twins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from opconform.harness.model import Array, Quant
from opconform.harness.numerics import Rescale
from opconform.runtimes.reference.kernels._common import activate, centred, finish
from opconform.runtimes.reference.registry import kernel, twin

#: Bits that quantized operands are shifted up by before they are brought to a common scale.
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
