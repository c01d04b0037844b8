"""Hash tables: what the graphs of their specs compute."""

from __future__ import annotations

from typing import Any

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.reference.registry import kernel


def looked_up(keys: Array, values: Array, wanted: Array, fallback: Array) -> Array:
    """Return the value of every wanted key, `fallback` [1] for those that are not among the keys (all different)."""
    table = dict(zip(keys.tolist(), values.tolist(), strict=True))
    default = fallback.reshape(-1).tolist()[0]
    found = [table.get(key, default) for key in wanted.reshape(-1).tolist()]
    return np.asarray(found, dtype=values.dtype).reshape(wanted.shape)


@kernel("HASHTABLE_FIND")
def find(keys: Array, values: Array, wanted: Array, fallback: Array, **_: Any) -> Array:
    """Return what a table filled with keys and values [n] holds for the wanted ones."""
    return looked_up(keys, values, wanted, fallback)


@kernel("HASHTABLE_IMPORT")
def fill_and_ask(keys: Array, values: Array, wanted: Array, fallback: Array, **_: Any) -> tuple[Array, Array, Array]:
    """Return what the table holds for all of its keys and for the wanted ones, and how many keys it has."""
    count = np.asarray([len(keys)])
    return looked_up(keys, values, keys, fallback), looked_up(keys, values, wanted, fallback), count


@kernel("HASHTABLE_SIZE")
def size(keys: Array, values: Array, **_: Any) -> Array:
    """Return the number of keys (all different) as an array [1]."""
    return np.asarray([len(set(keys.tolist()))])


@kernel("HASHTABLE")
def two_tables(
    keys: Array, values: Array, others: Array, wanted: Array, fallback: Array, **_: Any
) -> tuple[Array, Array]:
    """Return what the first table, through its second handle, and the second table hold for the wanted keys."""
    return looked_up(keys, values, wanted, fallback), looked_up(keys, others, wanted, fallback)
