"""Case -> .tflite bytes: one op, or the op within the graph that its spec gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from flatbuffers import flexbuffers

from opconform.harness import schema
from opconform.harness.expr import compile_expression
from opconform.harness.expr_functions import SlotView
from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.harness.model import DTYPES, Case, Input, TensorType
from opconform.harness.spec import OpSpec

#: LiteRT's resolver knows these ops only from this version on.
VERSIONS: Mapping[str, int] = {"BROADCAST_TO": 2}


def encode_case(spec: OpSpec, case: Case) -> bytes:
    """Return the model of a case; its inputs are those of role "input", in the order of the vectors."""
    if spec.graph is not None:
        return write_model(_Graphs(spec, case).all())
    present = [slot for slot in case.inputs if slot.role != "absent"]
    tensors = [_input(slot) for slot in present] + [_plain(t) for t in case.outputs]
    position = {id(slot): index for index, slot in enumerate(present)}
    inside = tuple(position[id(slot)] for slot in present if slot.role == "intermediate")
    inputs = _trimmed(spec, [(position.get(id(s), -1), s) for s in case.inputs if s.role != "intermediate"])
    outputs = tuple(range(len(present), len(tensors)))
    version = VERSIONS.get(case.op, 1)
    node = Node(case.op, inputs, outputs, _options(case.op, case.attributes), version, intermediates=inside)
    if spec.custom:
        node = replace(node, custom=spec.custom, custom_options=bytes(flexbuffers.Dumps(dict(case.attributes))))
    fed = tuple(position[id(slot)] for slot in present if slot.role == "input")
    return write_model([Graph(tuple(tensors), (node,), fed, outputs)])


def _trimmed(spec: OpSpec, inputs: Sequence[tuple[int, Input]]) -> tuple[int, ...]:
    """Drop absent inputs at the end: a shorter list is how a file says that they are absent.

    One whose absence the spec ties to others (`absent`) keeps its place, as converters write it.
    """
    placed = {slot.name for slot in spec.inputs if slot.absent is not None}
    kept = [i for i, (index, slot) in enumerate(inputs) if index >= 0 or slot.tensor.name in placed]
    return tuple([index for index, _ in inputs[: max(kept, default=-1) + 1]])


def _input(slot: Input) -> TensorDef:
    t = slot.tensor
    return TensorDef(t.name, t.dtype, t.shape, slot.data, t.quant, slot.role == "variable", t.sparsity)


def _plain(t: TensorType) -> TensorDef:
    # A shape that depends on data is written as ones: runtimes resize it.
    shape = tuple(1 for _ in t.shape) if t.dynamic else t.shape
    return TensorDef(t.name, t.dtype, shape, None, t.quant)


def _options(op: str, attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    table = schema.OPS[op][1]
    fields = schema.OPTIONS[table].fields if table else {}
    return {name: value for name, value in attributes.items() if name in fields}


class _Graphs:
    """Builds the main graph and the subgraphs of a spec's `graph`, with tensors found by name."""

    def __init__(self, spec: OpSpec, case: Case) -> None:
        assert spec.graph is not None
        self._graph, self._case = spec.graph, case
        slots = [*(i.tensor for i in case.inputs), *case.outputs]
        self._env: dict[str, Any] = {t.name: SlotView(t.dtype, t.shape) for t in slots}
        self._env |= {**case.symbols, **case.attributes, "row": case.row}
        self._names = {name: index for index, name in enumerate(self._graph.get("subgraphs", {}), 1)}

    def all(self) -> list[Graph]:
        slots = [_input(slot) for slot in self._case.inputs if slot.role != "absent"]
        outputs = [_plain(t) for t in self._case.outputs]
        fed = [slot.tensor.name for slot in self._case.inputs if slot.role == "input"]
        main = self._one("main", self._graph, slots + outputs, fed, [t.name for t in self._case.outputs])
        rest = [
            self._one(name, body, [], body["inputs"], body["outputs"])
            for name, body in self._graph.get("subgraphs", {}).items()
        ]
        return [main, *rest]

    def _one(
        self, name: str, body: Mapping[str, Any], known: list[TensorDef], inputs: Sequence[str], outputs: Sequence[str]
    ) -> Graph:
        tensors = known + [self._tensor(n, rule) for n, rule in body.get("tensors", {}).items()]
        at = {t.name: index for index, t in enumerate(tensors)}
        nodes = tuple(self._node(node, at) for node in body["nodes"])
        return Graph(tuple(tensors), nodes, tuple(at[n] for n in inputs), tuple(at[n] for n in outputs), name)

    def _tensor(self, name: str, rule: Mapping[str, Any]) -> TensorDef:
        like = self._like(rule["like"]) if "like" in rule else None
        dtype = rule.get("dtype") or (like.dtype if like else "float32")
        quant = like.quant if like else None
        shape = self._shape(rule["shape"]) if "shape" in rule else (like.shape if like else ())
        data = None
        if "value" in rule:
            value = compile_expression(str(rule["value"]))(self._env)
            data = np.broadcast_to(np.asarray(value, dtype=DTYPES[dtype][0]), shape)
        return TensorDef(name, dtype, shape, data, quant)

    def _like(self, name: str) -> TensorType:
        everything = [i.tensor for i in self._case.inputs] + list(self._case.outputs)
        return next(t for t in everything if t.name == name)

    def _shape(self, rule: Any) -> tuple[int, ...]:
        if isinstance(rule, list):
            return tuple(int(compile_expression(str(part))(self._env)) for part in rule)
        return tuple(int(n) for n in compile_expression(str(rule))(self._env))

    def _node(self, node: Mapping[str, Any], at: Mapping[str, int]) -> Node:
        options = {name: self._option(node["op"], name, value) for name, value in node.get("options", {}).items()}
        inputs = tuple(at[n] for n in node.get("inputs", ()))
        outputs = tuple(at[n] for n in node.get("outputs", ()))
        return Node(node["op"], inputs, outputs, options)

    def _option(self, op: str, name: str, value: Any) -> Any:
        if schema.OPTIONS[schema.OPS[op][1]].fields[name].kind == "subgraph":
            return self._names[str(value)]
        return compile_expression(str(value))(self._env)
