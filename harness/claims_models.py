"""Models that claims are measured with; every number in them is exact in float32, so a right answer is one value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from opconform.harness.flatmodel import Graph, Node, TensorDef, one_op, write_model
from opconform.harness.model import Array

#: Columns of the table: with 32,768 rows it takes 64 MiB.
WIDTH = 512
ROWS = 32_768
#: Inputs of the dense layer; 4,096 outputs make 512 KiB of weights.
DEPTH = 32
_EXACT = 1 << 24  # float32 holds every integer below
_UNITS = 16
LAYER = "FULLY_CONNECTED"
#: Operators between two layers: a constant operand, and what they compute. No delegate that is known takes them all.
MIDDLES: Mapping[str, tuple[Array, Callable[[Array], Array]]] = {
    "FLOOR_MOD": (np.array([8], np.float32), lambda x: np.mod(x, np.float32(8))),
    "CUMSUM": (np.array(1, np.int32), lambda x: np.cumsum(x, axis=1, dtype=np.float32)),
    "REVERSE_V2": (np.array([1], np.int32), lambda x: x[:, ::-1]),
    "SEGMENT_SUM": (np.array([0], np.int32), lambda x: x),
}


@dataclass(frozen=True, slots=True)
class Question:
    """A model, its inputs and its only right output."""

    model: bytes
    inputs: tuple[Array, ...]
    right: Array

    def is_answered(self, outputs: tuple[Array, ...]) -> bool:
        """Tell whether outputs are the right ones, value by value."""
        return (
            len(outputs) == 1 and outputs[0].shape == self.right.shape and bool(np.array_equal(outputs[0], self.right))
        )


def lookup(rows: int) -> Question:
    """Return GATHER of the first and the last row of a float32 table [rows, WIDTH]: it need not touch the others."""
    table = (np.arange(rows * WIDTH, dtype=np.float32) % np.float32(_EXACT)).reshape(rows, WIDTH)
    read = [TensorDef("table", "float32", table.shape, table), TensorDef("rows", "int32", (2,))]
    model = one_op("GATHER", read, [TensorDef("y", "float32", (2, WIDTH))], {"axis": 0})
    return Question(model, (np.array([0, rows - 1], np.int32),), table[[0, rows - 1]])


def dense(outputs: int) -> Question:
    """Return FULLY_CONNECTED of float32 from DEPTH numbers to `outputs`: it reads every weight once."""
    weights, x = _integers(outputs, DEPTH), np.ones((1, DEPTH), np.float32)
    tensors = (
        TensorDef("x", "float32", x.shape),
        TensorDef("w", "float32", weights.shape, weights),
        TensorDef("y", "float32", (1, outputs)),
    )
    model = write_model([Graph(tensors, (Node("FULLY_CONNECTED", (0, 1, -1), (2,)),), (0,), (2,))])
    return Question(model, (x,), x @ weights.T)


def tiny() -> Question:
    """Return a network of the size of hello_world: three FULLY_CONNECTED layers of float32, the first two with RELU."""
    units = (1, _UNITS, _UNITS, 1)
    tensors = [TensorDef(f"h{number}", "float32", (1, count)) for number, count in enumerate(units)]
    value, nodes = np.array([[3.0]], np.float32), []
    for number, count in enumerate(units[1:]):
        weights = _integers(count, units[number])
        tensors += [
            TensorDef(f"w{number}", "float32", weights.shape, weights),
            TensorDef(f"b{number}", "float32", (count,), np.ones(count, np.float32)),
        ]
        last = number == len(units) - 2
        options = {"activation": "NONE" if last else "RELU"}
        nodes.append(Node("FULLY_CONNECTED", (number, len(tensors) - 2, len(tensors) - 1), (number + 1,), options))
        value = value @ weights.T + 1
        value = value if last else np.maximum(value, 0)
    model = write_model([Graph(tuple(tensors), tuple(nodes), (0,), (len(units) - 1,))])
    return Question(model, (np.array([[3.0]], np.float32),), value)


def addition() -> Question:
    """Return ADD of float32, for runtimes that take models of one operator only."""
    x = np.arange(_UNITS, dtype=np.float32)[None]
    *added, y = (TensorDef(name, "float32", x.shape) for name in ("a", "b", "y"))
    return Question(one_op("ADD", added, [y], {"activation": "NONE"}), (x, x), x + x)


#: Models that hardly any memory is needed for, and what they are; the first that a runtime takes is used.
SMALL: Mapping[str, Callable[[], Question]] = {"a network of three layers": tiny, "ADD": addition}


def chain(*ops: str) -> Question:
    """Return operators in a row: LAYER, which is FULLY_CONNECTED, and those of MIDDLES, at most one of these."""
    weights, value = _integers(_UNITS, _UNITS), np.arange(_UNITS, dtype=np.float32)[None] - 5
    x, zeros = value, np.zeros(_UNITS, np.float32)
    operands = [MIDDLES[op][0] for op in ops if op in MIDDLES]
    constants = [weights, zeros, *operands] if LAYER in ops else operands
    stages = [TensorDef(f"h{number}", "float32", x.shape) for number in range(len(ops) + 1)]
    held = [TensorDef(f"c{number}", str(data.dtype), data.shape, data) for number, data in enumerate(constants)]
    first, nodes = len(stages), []
    for number, op in enumerate(ops):
        more = (first, first + 1) if op == LAYER else (first + len(held) - 1,)
        nodes.append(Node(op, (number, *more), (number + 1,)))
        value = value @ weights.T if op == LAYER else MIDDLES[op][1](value)
    return Question(write_model([Graph((*stages, *held), tuple(nodes), (0,), (len(ops),))]), (x,), value)


def _integers(rows: int, columns: int) -> Array:
    """Return small integers of both signs as float32."""
    return ((3 * np.arange(rows)[:, None] + 5 * np.arange(columns)) % 7 - 3).astype(np.float32)
