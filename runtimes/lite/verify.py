"""Check that a parsed model is consistent, so that no later step has to ask whether an index is valid.

`parse` has checked every offset, shape and constant; this module checks how the parts refer to each other.
Kernels check in addition, when they are prepared, what their operators demand of shapes and values.
"""

from __future__ import annotations

from opconform.harness.runtime import InvalidModel, Unsupported
from opconform.runtimes.lite.graph import Model, Operator, Subgraph, Tensor

_MAX_DEPTH = 8  # of subgraphs that run one another
#: op -> the options that name the subgraphs it runs
_CALLS = {"WHILE": ("cond", "body"), "IF": ("then_branch", "else_branch"), "CALL_ONCE": ("init",)}


def verify(model: Model) -> None:
    """Raise InvalidModel with one line for the first broken rule."""
    for index, graph in enumerate(model.subgraphs):
        _check_graph(graph, index, len(model.subgraphs))
    _check_calls(model)


def called(operator: Operator) -> tuple[int, ...]:
    """Return the subgraphs that an operator runs."""
    return tuple([operator.options.number(name) for name in _CALLS.get(operator.op, ())])


def starts_known(tensor: Tensor) -> bool:
    """Tell whether a tensor has values before any operator runs; one without elements always has."""
    return tensor.data is not None or tensor.variable or (0 in tensor.shape and not tensor.dynamic)


def _check_graph(graph: Subgraph, index: int, subgraphs: int) -> None:
    where = f"subgraph {index}"
    count = len(graph.tensors)
    for role, indices in (("input", graph.inputs), ("output", graph.outputs)):
        for tensor in indices:
            if not 0 <= tensor < count:
                raise InvalidModel(f"{where}: {role} {tensor} is none of its {count} tensors")
    if len(set(graph.inputs)) != len(graph.inputs):
        raise InvalidModel(f"{where}: a tensor is an input twice: {list(graph.inputs)}")
    known = {i for i, tensor in enumerate(graph.tensors) if starts_known(tensor)}
    for tensor in graph.inputs:
        if graph.tensors[tensor].data is not None or graph.tensors[tensor].variable:
            raise InvalidModel(f"{where}: input {tensor} has a value of its own (a constant or a variable)")
    known.update(graph.inputs)
    written = set(graph.inputs)
    for position, operator in enumerate(graph.operators):
        _check_operator(f"{operator.op} (operator {position} of {where})", operator, graph, known, written, subgraphs)
    for tensor in graph.outputs:
        if tensor not in known:
            raise InvalidModel(f"{where}: nothing computes its output, tensor {tensor}")


def _check_operator(
    where: str, operator: Operator, graph: Subgraph, known: set[int], written: set[int], subgraphs: int
) -> None:
    count = len(graph.tensors)
    for tensor in operator.inputs:
        if not -1 <= tensor < count:
            raise InvalidModel(f"{where}: input {tensor} is none of the {count} tensors")
        if tensor >= 0 and tensor not in known:
            raise InvalidModel(f"{where}: reads tensor {tensor} before anything has computed it")
    for tensor in operator.outputs:
        if not 0 <= tensor < count:
            raise InvalidModel(f"{where}: output {tensor} is none of the {count} tensors")
        if tensor in written or graph.tensors[tensor].data is not None or graph.tensors[tensor].variable:
            raise InvalidModel(f"{where}: writes tensor {tensor}, which already has a value")
        known.add(tensor)
        written.add(tensor)
    for tensor in operator.intermediates:
        if not 0 <= tensor < count:
            raise InvalidModel(f"{where}: intermediate {tensor} is none of the {count} tensors")
    for target in called(operator):
        if not 0 <= target < subgraphs:
            raise InvalidModel(f"{where}: runs subgraph {target} of {subgraphs}")


def _check_calls(model: Model) -> None:
    """Refuse subgraphs that run themselves, directly or through others."""
    calls = [sorted({t for operator in graph.operators for t in called(operator)}) for graph in model.subgraphs]
    if not any(calls):
        return
    depths: dict[int, int] = {}
    for index in range(len(calls)):
        _depth(index, calls, (), depths)


def _depth(index: int, calls: list[list[int]], path: tuple[int, ...], depths: dict[int, int]) -> int:
    if index in path:
        raise InvalidModel(f"subgraph {index} runs itself, through {list(path)}")
    if len(path) > _MAX_DEPTH:
        raise Unsupported(f"more than {_MAX_DEPTH} subgraphs nested in one another")
    if index not in depths:
        depths[index] = 1 + max((_depth(target, calls, (*path, index), depths) for target in calls[index]), default=0)
    return depths[index]
