"""Ops that move elements and compute nothing: exact in every row, so they need no twins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.reference.registry import kernel


@kernel("RESHAPE")
def reshape(x: Array, shape: Array | None, *, new_shape: Sequence[int], **_: Any) -> Array:
    """Same elements in row-major order under another shape; one -1 is inferred; the input wins over the option."""
    target = new_shape if shape is None else np.asarray(shape).tolist()
    return np.reshape(x, tuple(target))
