"""REDUCE_WINDOW: the loops are those of a reduction, over the window's cells instead of whole dimensions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from opconform.harness.model import Array
from opconform.harness.schema_options import ENUMS
from opconform.runtimes.lite import shapes
from opconform.runtimes.lite.graph import Memory, Node, Prepared, Step
from opconform.runtimes.lite.jit import bind
from opconform.runtimes.lite.kernels.reductions import extreme, total_float, total_integer

_BOOL = np.dtype(np.bool_)
_NUMBERS = tuple(np.dtype(t) for t in (np.float32, np.float64, np.int32, np.int64, np.int8, np.uint8, np.int16))
#: function -> its fold in `reductions`, and what folds the start value into that
_FOLDS: Mapping[str, tuple[int, Callable[..., Any]]] = {
    "ADD": (2, np.add),
    "MUL": (3, np.multiply),
    "MINIMUM": (1, np.minimum),
    "MAXIMUM": (0, np.maximum),
    "ALL": (1, np.logical_and),
    "ANY": (0, np.logical_or),
}


def prepare(node: Node) -> Prepared:
    """Prepare REDUCE_WINDOW; inputs 2 to 4 are the window's extents, strides and dilations."""
    x, init, out = node.input(0), node.input(1), node.output()
    if not x.dtype == init.dtype == out.dtype or init.size != 1:
        raise node.invalid(f"dtypes {x.dtype}, {init.dtype}{list(init.shape)} -> {out.dtype}; T, one T -> T is allowed")
    fold, finish = _function(node, x.dtype)
    sizes, steps, spread = (_numbers(node, i, len(x.shape)) for i in (2, 3, 4))
    rules = list(zip(x.shape, sizes, steps, spread, strict=True))
    shape = tuple((n - (k - 1) * d - 1) // s + 1 if n > (k - 1) * d else 0 for n, k, s, d in rules)
    if 0 in shape:
        sizes = [0] * len(sizes)
    kept = _offsets(x.shape, shape, steps)
    cells = _offsets(x.shape, sizes, spread)
    p, none = np.array([len(kept), len(cells), fold], np.int64), np.zeros(1, x.dtype)

    def build(m: Memory) -> Step:
        source, start, target = m.inputs[0], m.inputs[1], m.outputs[0]
        if fold < 2:
            run = bind(extreme, source, kept, cells, none, target, p)
        else:
            run = bind(total_float if x.dtype.kind == "f" else total_integer, source, kept, cells, target, p)

        def step() -> None:
            run()
            finish(target, start, out=target)

        return step

    return Prepared((shape,), build)


def _function(node: Node, dtype: np.dtype[np.generic]) -> tuple[int, Callable[..., Any]]:
    code, names = node.options.number("reduce_function"), ENUMS["reduce_window"]
    node.require(0 < code < len(names), f"reduce_function {code}; 1 to {len(names) - 1} are allowed")
    truth = names[code] in ("ALL", "ANY")
    if dtype not in ((_BOOL,) if truth else _NUMBERS):
        raise node.unsupported(f"{names[code]} of {dtype} is not supported")
    return _FOLDS[names[code]]


def _numbers(node: Node, index: int, rank: int) -> list[int]:
    operand = node.input(index)
    if operand.dtype != np.int64 or operand.shape != (rank,):
        raise node.invalid(f"input {index} is {operand.dtype}{list(operand.shape)}; int64 [{rank}] is allowed")
    numbers = shapes.values(node, operand)
    node.require(all(n >= 1 for n in numbers), f"input {index} is {numbers}; each must be at least 1")
    return numbers


def _offsets(shape: Sequence[int], counts: Sequence[int], steps: Sequence[int]) -> Array:
    """Return the offsets in a tensor of this shape that so many steps along every dimension reach."""
    offsets, stride = np.zeros(1, np.int64), 1
    for extent, count, step in zip(reversed(shape), reversed(counts), reversed(steps), strict=True):
        offsets = np.add.outer(np.arange(count) * (step * stride), offsets).ravel()
        stride *= extent
    return offsets
