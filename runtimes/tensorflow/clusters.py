"""The variant `xla`: parts of a model that TensorFlow's XLA compiles, between operators that run one by one.

XLA is TensorFlow's way to delegate: what it cannot compile stays with the kernels. Whether it takes an operator is
found out by compiling the operator alone, on the first inputs of a session.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from opconform.runtimes.tensorflow.graph import Node

Values = dict[int, Any]
Kernel = Callable[[Node, Mapping[int, Any]], tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Part:
    """Operators that follow each other; `compiled` takes the tensors `reads` and returns all that they write."""

    nodes: tuple[Node, ...]
    reads: tuple[int, ...]
    compiled: Callable[..., Sequence[Any]] | None

    @property
    def writes(self) -> tuple[int, ...]:
        """Return the tensors that its operators write, in their order."""
        return tuple(number for node in self.nodes for number in node.outputs)


def split(tf: Any, nodes: Sequence[Node], values: Mapping[int, Any], kernel: Kernel) -> tuple[Part, ...]:
    """Return the parts of a model; `values` holds inputs and constants. Raises what the kernels raise."""
    known, taken = dict(values), []
    for node in nodes:
        known |= dict(zip(node.outputs, kernel(node, known), strict=True))
        taken.append((node, _compiles(tf, node, known, kernel)))
    groups = ((takes, tuple(node for node, _ in group)) for takes, group in groupby(taken, lambda entry: entry[1]))
    return tuple(_part(tf, group, kernel, takes) for takes, group in groups)


def _part(tf: Any, nodes: tuple[Node, ...], kernel: Kernel, takes: bool) -> Part:
    written = {number for node in nodes for number in node.outputs}
    reads = sorted({number for node in nodes for number in node.inputs if number >= 0} - written)

    def compute(*given: Any) -> list[Any]:
        values = dict(zip(reads, given, strict=True))
        for node in nodes:
            values |= dict(zip(node.outputs, kernel(node, values), strict=True))
        return [values[number] for node in nodes for number in node.outputs]

    return Part(nodes, tuple(reads), tf.function(compute, jit_compile=True, autograph=False) if takes else None)


def _compiles(tf: Any, node: Node, values: Mapping[int, Any], kernel: Kernel) -> bool:
    part = _part(tf, (node,), kernel, True)
    try:
        run(part, dict(values), kernel)
    except Exception:  # what a kernel does that cannot be traced fails in as many ways as there are kernels
        return False
    return True


def run(part: Part, values: Values, kernel: Kernel) -> None:
    """Compute a part; what its operators write is put among `values`."""
    if part.compiled is None:
        for node in part.nodes:
            values |= dict(zip(node.outputs, kernel(node, values), strict=True))
        return
    found = part.compiled(*(values[number] for number in part.reads))
    values |= dict(zip(part.writes, found, strict=True))
