"""Floats of 16 bits: an operator that computes in them runs its float32 kernel between two conversions.

Every sum, product and quotient of two float16 or bfloat16 numbers rounds through float32 to the
right one (float32 has more than twice their bits), so this loses nothing against kernels of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from opconform.harness.model import DTYPES, Array
from opconform.runtimes.lite.graph import Memory, Node, Operand, Prepared, Step

_HALVES = (DTYPES["float16"][0], DTYPES["bfloat16"][0])
#: Operators that compute; the others move bytes and take any dtype as it is.
WIDENED = frozenset(
    {
        "ABS",
        "ADD",
        "CEIL",
        "COS",
        "ELU",
        "EXP",
        "FLOOR",
        "GELU",
        "HARD_SWISH",
        "LEAKY_RELU",
        "LOG",
        "LOGISTIC",
        "MUL",
        "NEG",
        "RELU",
        "RELU6",
        "RELU_N1_TO_1",
        "ROUND",
        "RSQRT",
        "SIN",
        "SOFTMAX",
        "SQRT",
        "SQUARE",
        "TANH",
    }
)


def concerns(node: Node) -> bool:
    """Tell whether an operator is to be run in float32 instead of the dtype of its tensors."""
    return node.op in WIDENED and any(_half(operand) for operand in (*node.inputs, *node.outputs))


def _half(operand: Operand | None) -> bool:
    return operand is not None and operand.dtype in _HALVES


def widened(node: Node) -> Node:
    """Return the node with float32 in place of its shorter floats; constants are converted here, once."""
    inputs = tuple([operand and _wide(operand) for operand in node.inputs])
    return replace(node, inputs=inputs, outputs=tuple([_wide(operand) for operand in node.outputs]))


def _wide(operand: Operand) -> Operand:
    if not _half(operand):
        return operand
    data = None if operand.data is None else operand.data.astype(np.float32)
    return replace(operand, dtype=np.dtype(np.float32), data=data)


def narrowed(node: Node, prepared: Prepared) -> Prepared:
    """Wrap what the float32 node prepared: its tensors become scratch memory, filled before and read after it."""
    wide = [*node.inputs, *node.outputs]
    # an output without elements counts as known, and is no constant all the same
    known = [operand is not None and operand.data is not None for operand in node.inputs] + [False] * len(node.outputs)
    fed = [i for i, operand in enumerate(wide) if _half(operand) and not known[i]]
    shapes = [operand.shape if operand else () for operand in node.inputs] + list(prepared.shapes)
    sizes = tuple([4 * int(np.prod(shapes[i])) for i in fed])
    inner = len(prepared.scratch)

    def build(m: Memory) -> Step:
        tensors = [*m.inputs, *m.outputs]
        for position, operand in enumerate(node.inputs):
            if operand is not None and _half(operand) and operand.data is not None:
                tensors[position] = operand.data.astype(np.float32)
        copies = [area.view(np.float32) for area in m.scratch[inner:]]
        for position, copy in zip(fed, copies, strict=True):
            tensors[position] = copy
        count = len(node.inputs)
        step = prepared.build(Memory(tuple(tensors[:count]), tuple(tensors[count:]), m.scratch[:inner]))
        into = [(m.inputs[i], c) for i, c in zip(fed, copies, strict=True) if i < count]
        out = [(c, m.outputs[i - count]) for i, c in zip(fed, copies, strict=True) if i >= count]
        return _between(into, step, out)

    return replace(prepared, build=build, scratch=(*prepared.scratch, *sizes))


def _between(into: Sequence[tuple[Array, Array]], step: Step, out: Sequence[tuple[Array, Array]]) -> Step:
    def run() -> None:
        for source, target in into:
            np.copyto(target, source)
        step()
        for source, target in out:
            np.copyto(target, source, casting="unsafe")

    return run
