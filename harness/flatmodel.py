"""Write .tflite files: graphs as frozen data -> bytes, through the flatbuffers package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np

from opconform.harness import schema
from opconform.harness.model import DTYPES, Array, Quant, Shape

#: Constant data starts on this boundary: weights are read in place, by vector instructions too.
ALIGNMENT = 16


@dataclass(frozen=True, slots=True)
class TensorDef:
    """One tensor of a graph: `data` makes it a constant, `variable` makes it state."""

    name: str
    dtype: str
    shape: Shape
    data: Array | bytes | None = None
    quant: Quant | None = None
    variable: bool = False


@dataclass(frozen=True, slots=True)
class Node:
    """One operator: indices of its tensors (-1: absent) and its options by name."""

    op: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    version: int = 1
    custom: str = ""  # name of a CUSTOM op; then `op` is "CUSTOM"
    code: int | None = None  # overrides the builtin code: for models that must be refused


@dataclass(frozen=True, slots=True)
class Graph:
    """One subgraph."""

    tensors: tuple[TensorDef, ...]
    nodes: tuple[Node, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    name: str = "main"


def write_model(graphs: Sequence[Graph], description: str = "opconform") -> bytes:
    """Return the .tflite bytes of a model; the first graph is the one that is invoked.

    Raises ValueError for an unknown op or option, naming the known ones.
    """
    builder = flatbuffers.Builder(1024)
    buffers: list[bytes] = [b""]  # buffer 0 is the empty one by convention
    codes: list[tuple[int, str, int]] = []
    subgraphs = [_subgraph(builder, graph, buffers, codes) for graph in graphs]
    subgraphs_at = _offsets(builder, subgraphs)
    codes_at = _offsets(builder, [_operator_code(builder, *code) for code in codes])
    buffers_at = _offsets(builder, [_buffer(builder, data) for data in buffers])
    description_at = builder.CreateString(description)
    builder.StartObject(5)
    builder.PrependUint32Slot(schema.MODEL["version"], schema.SCHEMA_VERSION, 0)
    builder.PrependUOffsetTRelativeSlot(schema.MODEL["operator_codes"], codes_at, 0)
    builder.PrependUOffsetTRelativeSlot(schema.MODEL["subgraphs"], subgraphs_at, 0)
    builder.PrependUOffsetTRelativeSlot(schema.MODEL["description"], description_at, 0)
    builder.PrependUOffsetTRelativeSlot(schema.MODEL["buffers"], buffers_at, 0)
    builder.Finish(builder.EndObject(), file_identifier=schema.FILE_IDENTIFIER)
    return bytes(builder.Output())


def _offsets(builder: Any, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _vector(builder: Any, values: Sequence[Any], dtype: type) -> int:
    return int(builder.CreateNumpyVector(np.asarray(values, dtype=dtype)))


def _buffer(builder: Any, data: bytes) -> int:
    data_at = _aligned(builder, data) if data else None
    builder.StartObject(3)
    if data_at is not None:
        builder.PrependUOffsetTRelativeSlot(schema.BUFFER["data"], data_at, 0)
    return int(builder.EndObject())


def _aligned(builder: Any, data: bytes) -> int:
    # CreateByteVector ignores the schema's force_align, so the vector is filled by hand.
    builder.StartVector(1, len(data), ALIGNMENT)
    builder.head = builder.head - len(data)
    builder.Bytes[builder.head : builder.head + len(data)] = data
    return int(builder.EndVector())


def _operator_code(builder: Any, code: int, custom: str, version: int) -> int:
    custom_at = builder.CreateString(custom) if custom else None
    builder.StartObject(4)
    builder.PrependInt8Slot(schema.OPERATOR_CODE["deprecated_builtin_code"], min(code, 127), 0)
    if custom_at is not None:
        builder.PrependUOffsetTRelativeSlot(schema.OPERATOR_CODE["custom_code"], custom_at, 0)
    builder.PrependInt32Slot(schema.OPERATOR_CODE["version"], version, 1)
    builder.PrependInt32Slot(schema.OPERATOR_CODE["builtin_code"], code, 0)
    return int(builder.EndObject())


def _subgraph(builder: Any, graph: Graph, buffers: list[bytes], codes: list[tuple[int, str, int]]) -> int:
    tensors_at = _offsets(builder, [_tensor(builder, tensor, buffers) for tensor in graph.tensors])
    nodes_at = _offsets(builder, [_operator(builder, node, codes) for node in graph.nodes])
    inputs_at = _vector(builder, graph.inputs, np.int32)
    outputs_at = _vector(builder, graph.outputs, np.int32)
    name_at = builder.CreateString(graph.name)
    builder.StartObject(5)
    for name, at in zip(
        ("tensors", "inputs", "outputs", "operators", "name"),
        (tensors_at, inputs_at, outputs_at, nodes_at, name_at),
        strict=True,
    ):
        builder.PrependUOffsetTRelativeSlot(schema.SUBGRAPH[name], at, 0)
    return int(builder.EndObject())


def _tensor(builder: Any, tensor: TensorDef, buffers: list[bytes]) -> int:
    buffer = 0
    if tensor.data is not None:
        buffer = len(buffers)
        buffers.append(_raw(tensor))
    name_at = builder.CreateString(tensor.name)
    shape_at = _vector(builder, tensor.shape, np.int32)
    quant_at = _quantization(builder, tensor.quant) if tensor.quant else None
    builder.StartObject(9)
    builder.PrependUOffsetTRelativeSlot(schema.TENSOR["shape"], shape_at, 0)
    builder.PrependInt8Slot(schema.TENSOR["type"], DTYPES[tensor.dtype][1], 0)
    builder.PrependUint32Slot(schema.TENSOR["buffer"], buffer, 0)
    builder.PrependUOffsetTRelativeSlot(schema.TENSOR["name"], name_at, 0)
    if quant_at is not None:
        builder.PrependUOffsetTRelativeSlot(schema.TENSOR["quantization"], quant_at, 0)
    builder.PrependBoolSlot(schema.TENSOR["is_variable"], tensor.variable, False)
    builder.PrependBoolSlot(schema.TENSOR["has_rank"], True, False)
    return int(builder.EndObject())


def _raw(tensor: TensorDef) -> bytes:
    if isinstance(tensor.data, bytes):
        return tensor.data
    return np.ascontiguousarray(tensor.data, dtype=DTYPES[tensor.dtype][0]).tobytes()


def _quantization(builder: Any, quant: Quant) -> int:
    scale_at = _vector(builder, quant.scale, np.float32)
    zero_at = _vector(builder, quant.zero_point, np.int64)
    builder.StartObject(7)
    builder.PrependUOffsetTRelativeSlot(schema.QUANTIZATION["scale"], scale_at, 0)
    builder.PrependUOffsetTRelativeSlot(schema.QUANTIZATION["zero_point"], zero_at, 0)
    builder.PrependInt32Slot(schema.QUANTIZATION["quantized_dimension"], quant.axis, 0)
    return int(builder.EndObject())


def _operator(builder: Any, node: Node, codes: list[tuple[int, str, int]]) -> int:
    code, table = _resolve(node)
    key = (code, node.custom, node.version)
    if key not in codes:
        codes.append(key)
    options_at = _options(builder, table, node.options) if table else None
    inputs_at = _vector(builder, node.inputs, np.int32)
    outputs_at = _vector(builder, node.outputs, np.int32)
    builder.StartObject(9)
    builder.PrependUint32Slot(schema.OPERATOR["opcode_index"], codes.index(key), 0)
    builder.PrependUOffsetTRelativeSlot(schema.OPERATOR["inputs"], inputs_at, 0)
    builder.PrependUOffsetTRelativeSlot(schema.OPERATOR["outputs"], outputs_at, 0)
    if options_at is not None:
        builder.PrependUint8Slot(schema.OPERATOR["options_type"], schema.OPTIONS[table].code, 0)
        builder.PrependUOffsetTRelativeSlot(schema.OPERATOR["options"], options_at, 0)
    return int(builder.EndObject())


def _resolve(node: Node) -> tuple[int, str]:
    if node.custom:
        return 32, ""
    if node.code is not None:
        return node.code, ""
    if node.op not in schema.OPS:
        raise ValueError(f"unknown op {node.op}; known: {', '.join(schema.OPS)}")
    return schema.OPS[node.op]


def _options(builder: Any, table: str, values: Mapping[str, Any]) -> int:
    fields = schema.OPTIONS[table].fields
    unknown = set(values) - set(fields)
    if unknown:
        raise ValueError(f"{table} has no field {sorted(unknown)[0]}; it has: {', '.join(fields)}")
    stored = {name: _offset_field(builder, fields[name], value) for name, value in values.items()}
    builder.StartObject(max((f.slot for f in fields.values()), default=-1) + 1)
    for name, value in stored.items():
        _scalar_field(builder, fields[name], value)
    return int(builder.EndObject())


def _offset_field(builder: Any, field_: schema.Field, value: Any) -> Any:
    """Write strings and vectors first: a table may not be nested in another one's building."""
    match field_.kind:
        case "string":
            return builder.CreateString(value)
        case "int32s":
            return _vector(builder, value, np.int32)
        case _:
            return value


def _scalar_field(builder: Any, field_: schema.Field, value: Any) -> None:
    slot, default = field_.slot, field_.default
    match field_.kind:
        case "string" | "int32s":
            builder.PrependUOffsetTRelativeSlot(slot, value, 0)
        case "enum:activation":
            builder.PrependInt8Slot(slot, schema.ACTIVATIONS.index(value), default)
        case "enum:padding":
            builder.PrependInt8Slot(slot, schema.PADDINGS.index(value), default)
        case "dtype":
            builder.PrependInt8Slot(slot, DTYPES[value][1], default)
        case "int8":
            builder.PrependInt8Slot(slot, value, default)
        case "int64":
            builder.PrependInt64Slot(slot, value, default)
        case "bool":
            builder.PrependBoolSlot(slot, bool(value), bool(default))
        case "float32":
            builder.PrependFloat32Slot(slot, value, float(default))
        case _:
            builder.PrependInt32Slot(slot, value, default)
