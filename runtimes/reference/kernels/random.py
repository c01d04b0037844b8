"""Random numbers: only the shape is defined exactly, values are judged as a sample."""

from __future__ import annotations

from typing import Any

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.reference.registry import kernel


@kernel("RANDOM_UNIFORM")
def random_uniform(shape: Array, **_: Any) -> Array:
    """Return the mean of the distribution on [0, 1) at every place of that shape."""
    return np.full(tuple(np.asarray(shape).tolist()), 0.5)
