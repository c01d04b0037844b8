"""Turn a subgraph into a list of steps: prepare every operator, place every tensor, bind kernels to memory."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from opconform.harness.model import CODE_TO_DTYPE, DTYPES, Array, Shape
from opconform.runtimes.lite import half
from opconform.runtimes.lite.control import CONTROL_OPS
from opconform.runtimes.lite.delegate import Delegate, DelegatedNode, partition
from opconform.runtimes.lite.graph import Memory, Node, Operand, Operator, Prepared, Step, Subgraph, Tensor
from opconform.runtimes.lite.hashtables import HASHTABLE_OPS
from opconform.runtimes.lite.jit import joined
from opconform.runtimes.lite.ops import OPS, SHAPE_INPUTS, UNDECLARED_OPS
from opconform.runtimes.lite.planner import ALIGNMENT, Request, place
from opconform.runtimes.lite.resources import PrepareWith, Services
from opconform.runtimes.lite.variables import VARIABLE_OPS
from opconform.runtimes.lite.verify import starts_known

_NUMPY = {code: DTYPES[name][0] for code, name in CODE_TO_DTYPE.items()}
#: operators that need more of the session than their tensors
_SESSION_OPS: Mapping[str, PrepareWith] = {**CONTROL_OPS, **VARIABLE_OPS, **HASHTABLE_OPS}
_EMPTY = np.zeros(0, np.uint8)
_MAX_ELEMENTS = 1 << 27


@dataclass(frozen=True, slots=True)
class PlannedNode:
    """One operator in order of execution. `prepared` is None where shapes are known only at run time."""

    operator: Operator
    node: Node
    prepared: Prepared | None
    scratch: tuple[int, ...] = ()  # numbers of its requests


@dataclass(frozen=True, slots=True)
class Plan:
    """A subgraph with the shapes, the order of execution and the place in the arena of everything in it."""

    graph: Subgraph
    operands: tuple[Operand, ...]
    dynamic: frozenset[int]
    units: tuple[tuple[PlannedNode, ...], ...]  # more than one node: taken by the delegate
    delegate: Delegate | None
    services: Services
    slots: tuple[int, ...]  # tensor -> its request, -1 where it needs none
    requests: tuple[Request, ...]
    offsets: tuple[int, ...]
    arena: int

    @property
    def output_shapes(self) -> tuple[Shape | None, ...]:
        """Shapes of the outputs; None where they depend on data."""
        return tuple(None if t in self.dynamic else self.operands[t].shape for t in self.graph.outputs)

    def takes(self, unit: Sequence[PlannedNode]) -> bool:
        """Tell whether the delegate runs a unit."""
        delegate = self.delegate
        return delegate is not None and all(delegate.takes(planned.node) and planned.prepared for planned in unit)


def prepare_node(node: Node, services: Services) -> Prepared:
    """Prepare one operator whose shapes are known."""
    if node.op in _SESSION_OPS:
        prepared = _SESSION_OPS[node.op](node, services)
    elif node.op in OPS:
        prepared = _prepare_computing(node)
    else:
        raise node.unsupported("no kernel")
    for shape in prepared.shapes:
        if math.prod(shape) >= _MAX_ELEMENTS:
            raise node.unsupported(f"an output of {list(shape)}; at most {_MAX_ELEMENTS} elements are supported")
    return prepared


def _prepare_computing(node: Node) -> Prepared:
    if not half.concerns(node):
        return OPS[node.op](node)
    return half.narrowed(node, OPS[node.op](half.widened(node)))


def make_plan(graph: Subgraph, index: int, services: Services, shapes: Sequence[Shape] | None = None) -> Plan:
    """Plan a subgraph, for other input shapes than the declared ones where `shapes` is given."""
    operands = [_operand(tensor) for tensor in graph.tensors]
    for position, shape in enumerate(shapes or ()):
        tensor = graph.inputs[position]
        operands[tensor] = _reshaped(operands[tensor], shape)
    free = shapes is not None and any(graph.tensors[t].shape != s for t, s in zip(graph.inputs, shapes, strict=True))
    dynamic: set[int] = set()
    nodes = []
    for position, operator in enumerate(graph.operators):
        where = f"{operator.op} (operator {position} of subgraph {index})"
        nodes.append(_plan_node(graph, operator, where, operands, dynamic, services, free))
    slots, requests, units = _requests(graph, operands, _units(nodes, services.delegate))
    offsets, arena = place(requests)
    return Plan(
        graph,
        tuple(operands),
        frozenset(dynamic),
        units,
        services.delegate,
        services,
        tuple(slots),
        tuple(requests),
        tuple(offsets),
        arena,
    )


def _operand(tensor: Tensor) -> Operand:
    dtype = _NUMPY[tensor.code]
    data = tensor.data
    if data is None and not tensor.variable and starts_known(tensor):
        data = np.zeros(0, dtype)
    return Operand(dtype, tensor.shape, tensor.quantization, data, tensor.variable)


def _reshaped(operand: Operand, shape: Shape) -> Operand:
    return Operand(operand.dtype, shape, operand.quantization, operand.data, operand.variable)


def _node(graph: Subgraph, operator: Operator, where: str, operands: Sequence[Operand]) -> Node:
    inputs = tuple([operands[t] if t >= 0 else None for t in operator.inputs])
    outputs = tuple([operands[t] for t in operator.outputs])
    inside = tuple([operands[t] for t in operator.intermediates])
    return Node(operator.op, where, inputs, outputs, operator.options, inside)


def _plan_node(
    graph: Subgraph,
    operator: Operator,
    where: str,
    operands: list[Operand],
    dynamic: set[int],
    services: Services,
    free: bool,
) -> PlannedNode:
    node = _node(graph, operator, where, operands)
    needed = [operator.inputs[i] for i in SHAPE_INPUTS.get(operator.op, ()) if i < len(operator.inputs)]
    unknown = any(t >= 0 and operands[t].data is None for t in needed)
    if unknown or not dynamic.isdisjoint(operator.inputs):
        dynamic.update(operator.outputs)
        return PlannedNode(operator, node, None)
    prepared = prepare_node(node, services)
    for tensor, shape in zip(operator.outputs, prepared.shapes, strict=True):
        declared = graph.tensors[tensor]
        fixed = not (free or declared.dynamic or prepared.narrow or operator.op in UNDECLARED_OPS)
        if fixed and shape != declared.shape and declared.shape:
            raise node.invalid(f"the output is declared as {list(declared.shape)} and would be {list(shape)}")
        operands[tensor] = _reshaped(operands[tensor], shape)
        if prepared.narrow:
            dynamic.add(tensor)
    return PlannedNode(operator, node, prepared)


def _units(nodes: list[PlannedNode], delegate: Delegate | None) -> list[tuple[PlannedNode, ...]]:
    if delegate is None:
        return [(node,) for node in nodes]
    takes = [node.prepared is not None and not node.prepared.narrow and delegate.takes(node.node) for node in nodes]
    ordered = [_has_effects(node) for node in nodes]
    groups = partition([(node.operator.inputs, node.operator.outputs) for node in nodes], takes, ordered)
    return [tuple([nodes[i] for i in group]) for group in groups]


def _has_effects(planned: PlannedNode) -> bool:
    """Tell whether an operator does more than write its outputs: then the order of such operators is kept."""
    variable = any(operand is not None and operand.variable for operand in planned.node.inputs)
    return variable or planned.operator.op in _SESSION_OPS or planned.operator.op in UNDECLARED_OPS


def _requests(
    graph: Subgraph, operands: Sequence[Operand], units: list[tuple[PlannedNode, ...]]
) -> tuple[list[int], list[Request], tuple[tuple[PlannedNode, ...], ...]]:
    """Ask for memory: a tensor lives from the step that writes it to the last that reads it, inputs from the start."""
    first = dict.fromkeys(graph.inputs, 0)
    last = dict.fromkeys(graph.inputs, 0)
    for step, unit in enumerate(units):
        for planned in unit:
            for tensor in planned.operator.inputs:
                last[tensor] = step
            for tensor in planned.operator.outputs:
                first[tensor] = last[tensor] = step
    last.update(dict.fromkeys(graph.outputs, len(units)))
    slots = [-1] * len(operands)
    requests: list[Request] = []
    for tensor, start in first.items():
        operand = operands[tensor]
        slots[tensor] = len(requests)
        requests.append(Request(operand.size * operand.dtype.itemsize, start, last[tensor]))
    placed = []
    for step, unit in enumerate(units):
        placed.append(tuple([_with_scratch(planned, step, requests) for planned in unit]))
    return slots, requests, tuple(placed)


def _with_scratch(planned: PlannedNode, step: int, requests: list[Request]) -> PlannedNode:
    if planned.prepared is None or not planned.prepared.scratch:
        return planned
    numbers = tuple(range(len(requests), len(requests) + len(planned.prepared.scratch)))
    requests += [Request(size, step, step) for size in planned.prepared.scratch]
    return PlannedNode(planned.operator, planned.node, planned.prepared, numbers)


@dataclass(slots=True)
class Executor:
    """A plan bound to memory, ready to run. Tensors are flat arrays; `shapes` follow data-dependent ones."""

    plan: Plan
    flats: list[Array]
    shapes: list[Shape]
    steps: list[Step] = field(default_factory=list)
    largest: dict[int, Array] = field(default_factory=dict)  # dynamic tensor -> its whole buffer

    def run(self) -> None:
        """Run all steps on what the input tensors hold."""
        for step in self.steps:
            step()

    def view(self, tensor: int) -> Array:
        """Return a tensor in its present shape, without copying it."""
        return self.flats[tensor].reshape(self.shapes[tensor])

    def resize(self, tensor: int, shape: Shape) -> None:
        """Give a dynamic tensor its shape; one that outgrows its place in the arena moves to a buffer of its own."""
        size = math.prod(shape)
        if size > self.largest[tensor].size:
            self.largest[tensor] = np.empty(size, self.largest[tensor].dtype)
        self.flats[tensor] = self.largest[tensor][:size]
        self.shapes[tensor] = shape


def new_arena(size: int) -> Array:
    """Return uninitialized bytes that start on a boundary of the planner's alignment."""
    raw = np.empty(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size]


def attach(plan: Plan, arena: Array) -> Executor:
    """Bind a plan to an arena of at least `plan.arena` bytes."""
    flats = [_flat(plan, tensor, arena) for tensor in range(len(plan.operands))]
    executor = Executor(plan, flats, [operand.shape for operand in plan.operands])
    executor.largest.update({tensor: flats[tensor] for tensor in plan.dynamic})
    for unit in plan.units:
        if plan.delegate is not None and plan.takes(unit):
            nodes = [DelegatedNode(planned.node, _memory(planned, executor, arena)) for planned in unit]
            executor.steps.append(plan.delegate.compile(nodes))
        else:
            executor.steps += [_step(planned, executor, arena) for planned in unit]
    executor.steps = joined(executor.steps)
    return executor


def _flat(plan: Plan, tensor: int, arena: Array) -> Array:
    operand, slot = plan.operands[tensor], plan.slots[tensor]
    if slot >= 0:
        offset, size = plan.offsets[slot], plan.requests[slot].size
        return arena[offset : offset + size].view(operand.dtype)
    if operand.data is not None:
        return operand.data
    # A variable starts as the real zero.
    return np.full(operand.size, operand.zero_point, operand.dtype) if operand.variable else _EMPTY


def _memory(planned: PlannedNode, executor: Executor, arena: Array) -> Memory:
    flats, plan = executor.flats, executor.plan
    scratch = [arena[plan.offsets[n] : plan.offsets[n] + plan.requests[n].size] for n in planned.scratch]
    inputs = tuple([flats[t] if t >= 0 else _EMPTY for t in planned.operator.inputs])
    return Memory(inputs, tuple([flats[t] for t in planned.operator.outputs]), tuple(scratch))


def _step(planned: PlannedNode, executor: Executor, arena: Array) -> Step:
    if planned.prepared is None:
        return _deferred(planned, executor)
    step = planned.prepared.build(_memory(planned, executor, arena))
    return _narrowing(planned, step, planned.prepared, executor) if planned.prepared.narrow else step


def _narrowing(planned: PlannedNode, step: Step, prepared: Prepared, executor: Executor) -> Step:
    narrow = prepared.narrow

    def run() -> None:
        step()
        for tensor, shape in zip(planned.operator.outputs, narrow() if narrow else (), strict=True):
            executor.resize(tensor, shape)

    return run


def _deferred(planned: PlannedNode, executor: Executor) -> Step:
    """Return a step that prepares its operator when it runs, and again only when shapes or shape values change."""
    operator, services = planned.operator, executor.plan.services
    values = [operator.inputs[i] for i in SHAPE_INPUTS.get(operator.op, ()) if i < len(operator.inputs)]
    cached: list[tuple[object, Step, Prepared]] = []

    def run() -> None:
        present = [t for t in operator.inputs if t >= 0]
        known = [executor.flats[t].tobytes() for t in values if t >= 0]
        key = ([executor.shapes[t] for t in present], [executor.flats[t].ctypes.data for t in present], known)
        if not cached or cached[0][0] != key:
            prepared = prepare_node(_present(planned, executor, values), services)
            for tensor, shape in zip(operator.outputs, prepared.shapes, strict=True):
                executor.resize(tensor, shape)
            cached[:] = [(key, _late(planned, prepared, executor), prepared)]
        _, step, prepared = cached[0]
        step()

    return run


def _late(planned: PlannedNode, prepared: Prepared, executor: Executor) -> Step:
    flats = executor.flats
    scratch = tuple([new_arena(size) for size in prepared.scratch])
    inputs = tuple([flats[t] if t >= 0 else _EMPTY for t in planned.operator.inputs])
    step = prepared.build(Memory(inputs, tuple([flats[t] for t in planned.operator.outputs]), scratch))
    return _narrowing(planned, step, prepared, executor) if prepared.narrow else step


def _present(planned: PlannedNode, executor: Executor, values: Sequence[int]) -> Node:
    """Return the node with the shapes, and where they matter the values, that its inputs have now."""
    inputs: list[Operand | None] = []
    for tensor, operand in zip(planned.operator.inputs, planned.node.inputs, strict=True):
        if operand is None:
            inputs.append(None)
            continue
        data = executor.flats[tensor] if tensor in values else operand.data
        inputs.append(Operand(operand.dtype, executor.shapes[tensor], operand.quantization, data, operand.variable))
    node = planned.node
    return Node(node.op, node.where, tuple(inputs), node.outputs, node.options, node.intermediates)
