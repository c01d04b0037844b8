"""Random ops whose numbers are a sample: only shapes are defined exactly."""

from __future__ import annotations

from typing import Any

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.reference.registry import kernel


@kernel("RANDOM_STANDARD_NORMAL")
def random_standard_normal(shape: Array, **_: Any) -> Array:
    """Return the mean of the standard normal distribution at every place of that shape."""
    return np.zeros(tuple(np.asarray(shape).tolist()))


@kernel("MULTINOMIAL")
def multinomial(logits: Array, num_samples: Array, **_: Any) -> Array:
    """Return the likeliest category of each row, as often as samples are drawn."""
    likeliest = np.argmax(logits, axis=-1)
    return np.repeat(likeliest[:, None], int(np.asarray(num_samples).reshape(())), axis=1)
