"""Hash tables of a session: made by number, filled once, then read."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from opconform.harness.model import CODE_TO_DTYPE, DTYPES, Array
from opconform.runtimes.lite.graph import Memory, Node, Prepared, Step
from opconform.runtimes.lite.resources import PrepareWith, Services, Table, check_handle

_PAIRS = (("int64", "string"), ("string", "int64"))


def prepare_hashtable(node: Node, services: Services) -> Prepared:
    """Prepare HASHTABLE: make the table where it is not there yet; write its number."""
    out = node.output()
    node.require(out.dtype == np.int32 and out.size == 1, "the output must be one resource")
    pair = tuple(CODE_TO_DTYPE.get(node.options.number(name), "") for name in ("key_dtype", "value_dtype"))
    if pair not in _PAIRS:
        raise node.unsupported(f"a table of {pair[0]} -> {pair[1]}; int64 -> string and string -> int64 are supported")
    made = Table(DTYPES[pair[0]][0], DTYPES[pair[1]][0])
    number = node.options.number("table_id")
    known = services.resources.tables.setdefault(number, made)
    node.require((known.key, known.value) == (made.key, made.value), f"table {number} has other dtypes elsewhere")
    return Prepared((out.shape,), lambda m: lambda: m.outputs[0].fill(number))


def _table(node: Node, services: Services, handle: Array) -> Table:
    table = services.resources.tables.get(int(handle[0]))
    if table is None:
        raise node.invalid(f"{int(handle[0])} is the handle of no hash table")
    return table


def prepare_import(node: Node, services: Services) -> Prepared:
    """Prepare HASHTABLE_IMPORT: fill the table; one that is filled stays as it is."""
    check_handle(node)
    keys, values = node.input(1), node.input(2)
    node.require(keys.size == values.size, f"{keys.size} keys and {values.size} values; every key has one value")
    node.require(not node.outputs, "outputs are given; none are allowed")

    def build(m: Memory) -> Step:
        def run() -> None:
            table = _table(node, services, m.inputs[0])
            node.require(keys.dtype == table.key, f"keys are {keys.dtype}; the table has {table.key}")
            node.require(values.dtype == table.value, f"values are {values.dtype}; the table has {table.value}")
            if table.entries is None:
                table.entries = {}
                for key, value in zip(m.inputs[1].tolist(), m.inputs[2].tolist(), strict=True):
                    table.entries.setdefault(key, value)

        return run

    return Prepared((), build)


def prepare_find(node: Node, services: Services) -> Prepared:
    """Prepare HASHTABLE_FIND: the value of every key, or the default; a table that was not filled holds none."""
    check_handle(node)
    wanted, fallback, out = node.input(1), node.input(2), node.output()
    node.require(fallback.size == 1, f"the default value has {fallback.size} elements; 1 is allowed")
    node.require(fallback.dtype == out.dtype, f"the default value is {fallback.dtype} and the output {out.dtype}")

    def build(m: Memory) -> Step:
        def run() -> None:
            table = _table(node, services, m.inputs[0])
            node.require(wanted.dtype == table.key, f"keys are {wanted.dtype}; the table has {table.key}")
            node.require(out.dtype == table.value, f"the output is {out.dtype}; the table has {table.value}")
            entries, default = table.entries or {}, m.inputs[2][0]
            for position, key in enumerate(m.inputs[1].tolist()):
                m.outputs[0][position] = entries.get(key, default)

        return run

    return Prepared((wanted.shape,), build)


def prepare_size(node: Node, services: Services) -> Prepared:
    """Prepare HASHTABLE_SIZE: the number of keys as one int64."""
    check_handle(node)
    out = node.output()
    node.require(out.dtype == np.int64, f"the output is {out.dtype}; int64 is needed")

    def build(m: Memory) -> Step:
        return lambda: m.outputs[0].fill(len(_table(node, services, m.inputs[0]).entries or ()))

    return Prepared(((1,),), build)


HASHTABLE_OPS: Mapping[str, PrepareWith] = {
    "HASHTABLE": prepare_hashtable,
    "HASHTABLE_FIND": prepare_find,
    "HASHTABLE_IMPORT": prepare_import,
    "HASHTABLE_SIZE": prepare_size,
}
