"""Between real values and integers of some quantization."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from opconform.harness.model import Array, Quant
from opconform.harness.numerics import Rescale, along_axis, integer_range, is_float, round_half_away
from opconform.runtimes.reference.kernels._common import centred
from opconform.runtimes.reference.registry import kernel, twin


@kernel("QUANTIZE", "DEQUANTIZE")
def same_value(x: Array, **_: Any) -> Array:
    """Return x: a value keeps its meaning, only its representation changes."""
    return np.asarray(x)


@twin("QUANTIZE")
def quantize_int(x: Array, *, q: Mapping[str, Quant], dtypes: Mapping[str, str], rescale: Rescale, **_: Any) -> Array:
    """Round the float32 quotient x / scale, or rescale an integer; clamp to the output's type."""
    if is_float(dtypes["x"]):
        steps = _float_steps(x, q["y"])
    else:
        steps = rescale(centred(x, q["x"]), q["x"].scale[0] / q["y"].scale[0])
    zero = along_axis(q["y"].zero_point, q["y"].axis, np.ndim(x)).astype(np.int64)
    return np.clip(steps + zero, *integer_range(dtypes["y"]))


def _float_steps(x: Array, quant: Quant) -> Array:
    """Halves away from zero; the division is one of float32."""
    scale = along_axis(quant.scale, quant.axis, np.ndim(x)).astype(np.float32)
    return round_half_away(np.asarray(x, dtype=np.float32) / scale).astype(np.int64)
