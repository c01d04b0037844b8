"""The runtime `lite`: opens models and runs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from opconform.harness.model import Array, Shape
from opconform.harness.runtime import InvalidModel, Manifest, Unsupported
from opconform.runtimes.lite import jit, pages
from opconform.runtimes.lite.blas import Blas
from opconform.runtimes.lite.delegate import Delegate
from opconform.runtimes.lite.executor import Executor, Plan, attach, make_plan, new_arena
from opconform.runtimes.lite.graph import Subgraph
from opconform.runtimes.lite.parse import parse
from opconform.runtimes.lite.resources import Body, BodyPlan, Resources, Services
from opconform.runtimes.lite.verify import verify

LOOP_SECONDS = 10.0
ARENA_LIMIT = 1 << 31
_VARIANTS: Mapping[str, Delegate | None] = {"": None, "host": None, "blas": Blas()}


class Lite:
    """An interpreter of .tflite files with compiled kernels.

    Variants: "" runs all operators itself, "blas" lets a delegate run float32 layers as matrix products.
    """

    def __init__(self, variant: str = "") -> None:
        if variant not in _VARIANTS:
            raise Unsupported(f"lite has no variant {variant!r}; {', '.join(v for v in _VARIANTS if v)} are known")
        self._delegate = _VARIANTS[variant]

    def describe(self) -> Manifest:
        """Return name, variants and arithmetic; the rest stands in runtime.yaml."""
        return Manifest(name="lite", variants=("blas",), arithmetic="double_rounding")

    def warm(self) -> None:
        """Load what every kernel needs, so that a forked worker starts at once."""
        jit.platform()

    def open(self, model: bytes) -> LiteSession:
        """Open a model from memory. It is copied once, to where the alignment of its constants holds."""
        return LiteSession(pages.copied(model), self._delegate)

    def open_file(self, path: Path) -> LiteSession:
        """Open a model file without reading it: weights are views of the mapped file."""
        return LiteSession(pages.mapped(path), self._delegate)


@dataclass(frozen=True, slots=True)
class _SubgraphBody:
    executor: Executor
    inputs: Sequence[Array]
    outputs: Sequence[Array]

    def run(self) -> None:
        self.executor.run()


@dataclass(frozen=True, slots=True)
class _SubgraphPlan:
    plan: Plan
    arena: int
    output_shapes: Sequence[Shape | None]

    def start(self, arena: Array) -> Body:
        executor = attach(self.plan, arena)
        graph = self.plan.graph
        inputs = [executor.flats[tensor] for tensor in graph.inputs]
        return _SubgraphBody(executor, inputs, [executor.flats[tensor] for tensor in graph.outputs])


def _plan_body(services: Services, index: int, shapes: Sequence[Shape]) -> BodyPlan:
    graph = services.model.subgraphs[index]
    if len(graph.inputs) != len(shapes):
        raise InvalidModel(f"subgraph {index} has {len(graph.inputs)} inputs and is given {len(shapes)}")
    plan = make_plan(graph, index, services, shapes)
    return _SubgraphPlan(plan, plan.arena, plan.output_shapes)


class LiteSession:
    """One opened model, with its arena and its state."""

    def __init__(self, data: Array, delegate: Delegate | None) -> None:
        model = parse(data)
        verify(model)
        self._graph: Subgraph = model.subgraphs[0]
        self._services = Services(model, Resources(), delegate, _plan_body, LOOP_SECONDS)
        self._executor = self._start(None)

    def _start(self, shapes: Sequence[Shape] | None) -> Executor:
        plan = make_plan(self._graph, 0, self._services, shapes)
        if plan.arena > ARENA_LIMIT:
            raise Unsupported(f"the model needs an arena of {plan.arena} bytes; at most {ARENA_LIMIT} are supported")
        executor = attach(plan, new_arena(plan.arena))
        self._inputs = [executor.view(tensor) for tensor in self._graph.inputs]
        return executor

    def run(self, inputs: Sequence[Array]) -> Sequence[Array]:
        """Invoke once; the outputs are copies. Inputs may have other shapes where the model declares them unknown."""
        targets = self._inputs
        if len(inputs) != len(targets):
            raise InvalidModel(f"{len(inputs)} inputs are given; the model has {len(targets)}")
        for position, (given, target) in enumerate(zip(inputs, targets, strict=True)):
            if given.dtype != target.dtype:
                raise InvalidModel(f"input {position} is {given.dtype}; {target.dtype} is needed")
        if any(given.shape != target.shape for given, target in zip(inputs, targets, strict=True)):
            targets = self._resize(inputs)
        for given, target in zip(inputs, targets, strict=True):
            np.copyto(target, given)
        executor = self._executor
        executor.run()
        return [executor.view(tensor).copy() for tensor in self._graph.outputs]

    def invoke(self) -> None:
        """Run again on the inputs given last, and copy nothing: what a figure of a runtime's own time is taken of."""
        self._executor.run()

    def _resize(self, inputs: Sequence[Array]) -> list[Array]:
        for position, (given, target) in enumerate(zip(inputs, self._inputs, strict=True)):
            tensor = self._graph.tensors[self._graph.inputs[position]]
            if given.shape != target.shape and not (tensor.dynamic and len(given.shape) == len(tensor.shape)):
                raise InvalidModel(
                    f"input {position} has the shape {list(given.shape)}; {list(tensor.shape)} is needed"
                )
        self._executor = self._start([given.shape for given in inputs])
        return self._inputs

    def meters(self) -> Mapping[str, int]:
        """Return the size of the arena in bytes, and where a delegate runs operators: how many, in how many parts."""
        plan = self._executor.plan
        sizes = [len(unit) for unit in plan.units if plan.takes(unit)]
        return {"arena": plan.arena, "delegated": sum(sizes), "parts": len(sizes)} if sizes else {"arena": plan.arena}

    def partition(self) -> list[list[str]]:
        """Return the names of the operators that run as one step each, in order; more than one only with a delegate."""
        return [[planned.node.op for planned in unit] for unit in self._executor.plan.units]

    def close(self) -> None:
        """Drop what holds the arena and the model."""
        self._inputs = []
        del self._executor, self._services, self._graph
