"""What the operands of a cell with gates are, and whether they fit each other: shared by float and integer kernels."""

from __future__ import annotations

from dataclasses import dataclass

from opconform.runtimes.lite.graph import Node, Operand
from opconform.runtimes.lite.kernels.rnn import require_shape


@dataclass(frozen=True, slots=True)
class Cell:
    """Where a cell's 17 parameters, its states, norms and auxiliary input with its weights stand; -1: it has none.

    The parameters: W, then R of the gates i, f, g, o; peepholes of i, f, o; biases of i, f, g, o; projection, its bias.
    """

    x: int
    first: int  # of the parameters
    h: int
    c: int
    norms: int = -1
    aux: int = -1
    auxiliary: int = -1


@dataclass(frozen=True, slots=True)
class Extents:
    """What the shapes of a cell's operands say, and which parts it has."""

    inputs: int
    others: int
    units: int
    outputs: int
    coupled: bool
    peephole: bool
    normed: bool
    projected: bool


def optional(node: Node, index: int) -> Operand | None:
    """Return an input, None where it is absent or has no place."""
    return node.optional(index) if index >= 0 else None


def extents(node: Node, cell: Cell, batch: int) -> Extents:
    """Check which parameters are there and that all shapes fit; raise InvalidModel."""
    first = cell.first
    there = [optional(node, first + i) is not None for i in range(17)]
    coupled = not there[0]
    node.require(there[4] == there[0], "one of the input gate's weights is there and another is not")
    node.require(there[11] == there[0], "a bias of the input gate belongs to its weights, and they to it")
    node.require(there[9] == there[10], "peepholes are there all or none")
    node.require(there[8] == (there[9] and not coupled), "peepholes are there all or none, that of i with its gate")
    node.require(there[15] or not there[16], "a projection's bias without its weights")
    inputs = node.input(cell.x).shape[-1]
    recurrent = node.input(first + 7)
    node.require(len(recurrent.shape) == 2, f"recurrent weights of rank {len(recurrent.shape)}; 2 is needed")
    units, outputs = recurrent.shape
    node.require(units > 0 and outputs > 0, f"{units} cells and {outputs} outputs; at least 1 of each is needed")
    others = node.input(cell.aux).shape[-1] if cell.aux >= 0 else 0
    normed = optional(node, cell.norms + 1 if cell.norms >= 0 else -1) is not None
    found = Extents(inputs, others, units, outputs, coupled, there[9], normed, there[15])
    node.require(found.projected or units == outputs, f"{units} cells and {outputs} outputs, and no projection")
    _check_shapes(node, cell, found)
    for index, width, what in ((cell.h, outputs, "the output's state"), (cell.c, units, "the cell's state")):
        node.require(node.input(index).variable, f"{what} must be a variable tensor")
        node.require(node.input(index).size == batch * width, f"{what} needs {batch * width} elements")
    return found


def _check_shapes(node: Node, cell: Cell, e: Extents) -> None:
    first, per_unit = cell.first, (e.units,)
    for gate in range(int(e.coupled), 4):
        require_shape(node, node.input(first + gate), (e.units, e.inputs), f"weights {gate} of the input")
        require_shape(node, node.input(first + 4 + gate), (e.units, e.outputs), f"recurrent weights {gate}")
        require_shape(node, node.input(first + 11 + gate), per_unit, f"bias {gate}")
        if e.normed:
            require_shape(node, node.input(cell.norms + gate), per_unit, f"normalization {gate}")
        if cell.auxiliary >= 0:
            require_shape(node, node.input(cell.auxiliary + gate), (e.units, e.others), f"auxiliary weights {gate}")
    absent_norms = range(4) if not e.normed else range(int(e.coupled))
    for gate in absent_norms if cell.norms >= 0 else ():
        node.require(optional(node, cell.norms + gate) is None, "normalizations are there all or none")
    for index in range(8 + int(e.coupled), 11) if e.peephole else ():
        require_shape(node, node.input(first + index), per_unit, "a peephole")
    if e.projected:
        require_shape(node, node.input(first + 15), (e.outputs, e.units), "the projection")
    if optional(node, first + 16) is not None:
        require_shape(node, node.input(first + 16), (e.outputs,), "the projection's bias")


def clips(node: Node) -> tuple[float, float]:
    """Return the bounds of cell and projected output, 0 where there is none."""
    cell, projection = node.options.real("cell_clip"), node.options.real("proj_clip")
    node.require(cell >= 0 and projection >= 0, f"clips of {cell:g} and {projection:g}; none may be negative")
    return cell, projection
