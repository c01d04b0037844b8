"""Resource variables: what the graphs of their specs compute."""

from __future__ import annotations

from typing import Any

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.reference.registry import kernel


@kernel("VAR_HANDLE")
def two_variables(x: Array, z: Array, **_: Any) -> tuple[Array, Array]:
    """Return what is read through a second handle of the first variable, and from the second variable."""
    return np.asarray(x), np.asarray(z)


@kernel("ASSIGN_VARIABLE")
def assign_twice(x: Array, z: Array, **_: Any) -> tuple[Array, Array]:
    """Return what is read after the first and after the second assignment to one variable."""
    return np.asarray(x), np.asarray(z)


@kernel("READ_VARIABLE")
def read_then_assign(x: Array, state: Array, **_: Any) -> tuple[Array, Array]:
    """Return what the previous invocation assigned (zeros before the first), and the new state."""
    return np.asarray(state), np.asarray(x)
