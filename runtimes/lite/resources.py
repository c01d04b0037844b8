"""What a session has beside tensors: resource variables, hash tables, subgraphs that operators run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from opconform.harness.model import Array, Shape
from opconform.runtimes.lite.delegate import Delegate
from opconform.runtimes.lite.graph import Model, Node, Prepared


@dataclass(slots=True)
class Table:
    """A hash table of one session: filled once, then only read."""

    key: np.dtype[np.generic]
    value: np.dtype[np.generic]
    entries: dict[object, object] | None = None  # None: not filled


@dataclass(slots=True)
class Resources:
    """Variables and hash tables of one session: handles by name, values by handle (None: never assigned)."""

    handles: dict[tuple[str, str], int] = field(default_factory=dict)
    values: list[Array | None] = field(default_factory=list)
    dtypes: list[np.dtype[np.generic] | None] = field(default_factory=list)  # of the first use
    tables: dict[int, Table] = field(default_factory=dict)  # hash tables by the number that a model gives them

    def handle(self, container: str, name: str) -> int:
        """Return the handle of a variable, the same for the same name."""
        key = (container, name)
        if key not in self.handles:
            self.handles[key] = len(self.values)
            self.values.append(None)
            self.dtypes.append(None)
        return self.handles[key]


class Body(Protocol):
    """A subgraph in memory of its own."""

    @property
    def inputs(self) -> Sequence[Array]:
        """Flat input tensors."""
        ...

    @property
    def outputs(self) -> Sequence[Array]:
        """Flat output tensors."""
        ...

    def run(self) -> None:
        """Compute the outputs from the inputs."""
        ...


class BodyPlan(Protocol):
    """A planned subgraph: how much memory it needs, and what it computes."""

    @property
    def arena(self) -> int:
        """Bytes of memory that it needs."""
        ...

    @property
    def output_shapes(self) -> Sequence[Shape | None]:
        """Shapes of the outputs; None where they depend on data."""
        ...

    def start(self, arena: Array) -> Body:
        """Bind it to memory."""
        ...


@dataclass(frozen=True, slots=True)
class Services:
    """What a session offers to its operators."""

    model: Model
    resources: Resources
    delegate: Delegate | None
    plan_body: Callable[[Services, int, Sequence[Shape]], BodyPlan]
    seconds: float  # that one WHILE may run


def check_handle(node: Node) -> None:
    """Refuse a node whose first input is no handle of a resource."""
    handle = node.input(0)
    node.require(handle.dtype == np.int32 and handle.size == 1, "input 0 is no resource handle")


PrepareWith = Callable[[Node, Services], Prepared]
