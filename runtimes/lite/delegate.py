"""Delegates: other executors of parts of a model.

A delegate says which operators it takes. The interpreter groups these into connected parts that can each run
as one step, and hands every part over with its memory; what comes back is called in place of the operators.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from opconform.runtimes.lite.graph import Memory, Node, Step


@dataclass(frozen=True, slots=True)
class DelegatedNode:
    """One operator of a part: its operands, and the flat arrays in which they live."""

    node: Node
    memory: Memory


class Delegate(Protocol):
    """What executes parts of a model in the interpreter's place."""

    @property
    def name(self) -> str:
        """The variant that selects it."""
        ...

    def takes(self, node: Node) -> bool:
        """Tell whether the delegate executes this operator; the answer must not change."""
        ...

    def compile(self, nodes: Sequence[DelegatedNode]) -> Step:
        """Return a step that runs the operators of one connected part, given in a valid order."""
        ...


Edges = tuple[tuple[int, ...], tuple[int, ...]]  # tensors read, tensors written


def partition(nodes: Sequence[Edges], takes: Sequence[bool], ordered: Sequence[bool] = ()) -> list[tuple[int, ...]]:
    """Group nodes into units and return these in a valid order.

    A node that the delegate takes joins the unit of a producer unless another way leads from that unit to the
    node: then the unit would wait for itself. Every node that it does not take is a unit of its own. Nodes marked
    in `ordered` keep their order.
    """
    producer: dict[int, int] = {}  # tensor -> unit
    units: list[list[int]] = []
    needs: list[set[int]] = []
    previous = -1
    for index, (reads, writes) in enumerate(nodes):
        before = {producer[tensor] for tensor in reads if tensor in producer}
        is_ordered = bool(ordered) and ordered[index]
        if is_ordered and previous >= 0:
            before.add(previous)
        unit = _joined(before, units, needs, takes) if takes[index] else -1
        if unit < 0:
            unit = len(units)
            units.append([])
            needs.append(set())
        units[unit].append(index)
        needs[unit] |= before - {unit}
        producer.update(dict.fromkeys(writes, unit))
        previous = unit if is_ordered else previous
    return [tuple(units[unit]) for unit in _sorted(units, needs)]


def _joined(before: set[int], units: list[list[int]], needs: list[set[int]], takes: Sequence[bool]) -> int:
    for unit in sorted(before):
        if takes[units[unit][0]] and not any(_reaches(other, unit, needs) for other in before - {unit}):
            return unit
    return -1


def _reaches(start: int, goal: int, needs: list[set[int]]) -> bool:
    waiting, seen = [start], {start}
    while waiting:
        unit = waiting.pop()
        if unit == goal:
            return True
        waiting += needs[unit] - seen
        seen |= needs[unit]
    return False


def _sorted(units: list[list[int]], needs: list[set[int]]) -> list[int]:
    """Return the units so that each comes after what it needs, otherwise in the order of the model."""
    missing = [len(need) for need in needs]
    users: list[list[int]] = [[] for _ in units]
    for unit, need in enumerate(needs):
        for other in need:
            users[other].append(unit)
    ready = [(units[unit][0], unit) for unit, count in enumerate(missing) if count == 0]
    heapq.heapify(ready)
    order = []
    while ready:
        _, unit = heapq.heappop(ready)
        order.append(unit)
        for user in users[unit]:
            missing[user] -= 1
            if not missing[user]:
                heapq.heappush(ready, (units[user][0], user))
    return order
