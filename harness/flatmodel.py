"""Write .tflite files: graphs as frozen data -> bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from opconform.harness import schema
from opconform.harness.flatwriter import REFERENCE, Block, Several, Table, integers, scalar, string, vector, write
from opconform.harness.model import DTYPES, Array, Quant, Shape, Sparsity
from opconform.harness.sparse import Level, compress

#: Constant data starts on this boundary: weights are read in place, by vector instructions too.
ALIGNMENT = 16

#: One stored field of a table: slot, struct code, value.
Stored = tuple[int, str, Any]


@dataclass(frozen=True, slots=True)
class TensorDef:
    """One tensor of a graph: `data` makes it a constant, `variable` makes it state."""

    name: str
    dtype: str
    shape: Shape
    data: Array | bytes | None = None
    quant: Quant | None = None
    variable: bool = False
    sparsity: Sparsity | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """One operator: indices of its tensors (-1: absent) and its options by name."""

    op: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    version: int = 1
    custom: str = ""  # name of a CUSTOM op; then `op` is "CUSTOM"
    custom_options: bytes = b""  # what a CUSTOM op is told, usually a FlexBuffer map
    intermediates: tuple[int, ...] = ()  # tensors that only carry the quantization of values inside the op
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
    buffers: list[bytes] = [b""]  # buffer 0 is the empty one by convention
    codes: dict[tuple[int, str, int], int] = {}
    subgraphs = Several([_subgraph(graph, buffers, codes) for graph in graphs])
    root = Table(
        (
            (schema.MODEL["version"], "I", schema.SCHEMA_VERSION),
            (schema.MODEL["operator_codes"], REFERENCE, Several([_operator_code(*code) for code in codes])),
            (schema.MODEL["subgraphs"], REFERENCE, subgraphs),
            (schema.MODEL["description"], REFERENCE, string(description)),
            (schema.MODEL["buffers"], REFERENCE, Several([_buffer(data) for data in buffers])),
        )
    )
    return write(root, schema.FILE_IDENTIFIER)


def one_op(
    op: str, inputs: Sequence[TensorDef], outputs: Sequence[TensorDef], options: Mapping[str, Any] | None = None
) -> bytes:
    """Return a model of one operator; it is fed with its inputs that are neither constants nor state."""
    fed = tuple(place for place, tensor in enumerate(inputs) if tensor.data is None and not tensor.variable)
    made = tuple(range(len(inputs), len(inputs) + len(outputs)))
    node = Node(op, tuple(range(len(inputs))), made, options or {})
    return write_model([Graph((*inputs, *outputs), (node,), fed, made)])


def _float32s(values: Sequence[float]) -> Block:
    array = np.asarray(values, dtype=np.float32)
    return vector(array.tobytes(), array.size, array.itemsize)


def _buffer(data: bytes) -> Table:
    return Table(((schema.BUFFER["data"], REFERENCE, vector(data, len(data), ALIGNMENT)),) if data else ())


def _operator_code(code: int, custom: str, version: int) -> Table:
    slots = schema.OPERATOR_CODE
    return Table(
        (
            *scalar(slots["deprecated_builtin_code"], "b", min(code, 127), 0),
            *(((slots["custom_code"], REFERENCE, string(custom)),) if custom else ()),
            *scalar(slots["version"], "i", version, 1),
            *scalar(slots["builtin_code"], "i", code, 0),
        )
    )


def _subgraph(graph: Graph, buffers: list[bytes], codes: dict[tuple[int, str, int], int]) -> Table:
    slots = schema.SUBGRAPH
    return Table(
        (
            (slots["tensors"], REFERENCE, Several([_tensor(tensor, buffers) for tensor in graph.tensors])),
            (slots["inputs"], REFERENCE, integers(graph.inputs)),
            (slots["outputs"], REFERENCE, integers(graph.outputs)),
            (slots["operators"], REFERENCE, Several([_operator(node, codes) for node in graph.nodes])),
            (slots["name"], REFERENCE, string(graph.name)),
        )
    )


def _tensor(tensor: TensorDef, buffers: list[bytes]) -> Table:
    slots, buffer = schema.TENSOR, 0
    if tensor.data is not None:
        buffer = len(buffers)
        buffers.append(_raw(tensor))
    levels: tuple[Stored, ...] = ()
    if tensor.sparsity is not None:
        levels, buffers[buffer] = _sparse(tensor, tensor.sparsity)
    return Table(
        (
            (slots["shape"], REFERENCE, integers(tensor.shape)),
            *scalar(slots["type"], "b", DTYPES[tensor.dtype][1], 0),
            *scalar(slots["buffer"], "I", buffer, 0),
            (slots["name"], REFERENCE, string(tensor.name)),
            *(((slots["quantization"], REFERENCE, _quantization(tensor.quant)),) if tensor.quant else ()),
            *scalar(slots["is_variable"], "?", tensor.variable, False),
            *levels,
            (slots["has_rank"], "?", True),
        )
    )


def _sparse(tensor: TensorDef, sparsity: Sparsity) -> tuple[tuple[Stored, ...], bytes]:
    """Return the field of a tensor's sparsity, and the values that are stored."""
    data = np.asarray(tensor.data, dtype=DTYPES[tensor.dtype][0]).reshape(tensor.shape)
    levels, kept = compress(data, sparsity)
    slots = schema.SPARSITY
    table = Table(
        (
            (slots["order"], REFERENCE, integers(sparsity.order)),
            (slots["blocks"], REFERENCE, integers([axis for axis, _ in sparsity.blocks])),
            (slots["levels"], REFERENCE, Several([_level(level) for level in levels])),
        )
    )
    return ((schema.TENSOR["sparsity"], REFERENCE, table),), kept.tobytes()


def _level(level: Level) -> Table:
    slots = schema.SPARSE_LEVEL
    if not level.segments:
        return Table(scalar(slots["size"], "i", level.size, 0))
    return Table(
        (
            (slots["format"], "b", schema.COMPRESSED),
            (slots["size"], "i", level.size),
            *_indices(slots["segments_type"], slots["segments"], level.segments),
            *_indices(slots["indices_type"], slots["indices"], level.indices),
        )
    )


def _indices(kind: int, place: int, numbers: Sequence[int]) -> tuple[Stored, ...]:
    return ((kind, "B", schema.INT32_VECTOR), (place, REFERENCE, Table(((0, REFERENCE, integers(numbers)),))))


def _raw(tensor: TensorDef) -> bytes:
    if isinstance(tensor.data, bytes):
        return tensor.data
    data = np.ascontiguousarray(tensor.data, dtype=DTYPES[tensor.dtype][0])
    if tensor.dtype == "string":
        return packed_strings(data)
    return packed_int4(data) if tensor.dtype == "int4" else data.tobytes()


def packed_strings(data: Array) -> bytes:
    """Return a string tensor as a model stores it: their number, where each starts, where the last ends, the bytes."""
    texts = [bytes(text) for text in data.reshape(-1)]
    starts = np.cumsum([4 * (len(texts) + 2), *map(len, texts)])
    return np.array([len(texts), *starts], np.int32).tobytes() + b"".join(texts)


def packed_int4(data: Array) -> bytes:
    """Return numbers of four bits, two a byte, the first in the low half."""
    nibbles = np.append(data.reshape(-1), np.zeros(data.size % 2, np.int8)).astype(np.uint8) & 15
    return bytes(nibbles[0::2] | nibbles[1::2] << 4)


def _quantization(quant: Quant) -> Table:
    slots = schema.QUANTIZATION
    return Table(
        (
            (slots["scale"], REFERENCE, _float32s(quant.scale)),
            (slots["zero_point"], REFERENCE, integers(quant.zero_point, "q")),
            *scalar(slots["quantized_dimension"], "i", quant.axis, 0),
        )
    )


def _operator(node: Node, codes: dict[tuple[int, str, int], int]) -> Table:
    slots = schema.OPERATOR
    code, table = _resolve(node)
    number = codes.setdefault((code, node.custom, node.version), len(codes))
    return Table(
        (
            *scalar(slots["opcode_index"], "I", number, 0),
            (slots["inputs"], REFERENCE, integers(node.inputs)),
            (slots["outputs"], REFERENCE, integers(node.outputs)),
            *(_union(table, node.options) if table else ()),
            *_bytes(slots["custom_options"], node.custom_options),
            *(((slots["intermediates"], REFERENCE, integers(node.intermediates)),) * bool(node.intermediates)),
        )
    )


def _union(table: str, values: Mapping[str, Any]) -> tuple[Stored, ...]:
    """Store an option table with its type code, in the union that has it."""
    options = schema.OPTIONS[table]
    name = "options" if options.union == 1 else "options_2"
    return (
        (schema.OPERATOR[f"{name}_type"], "B", options.code),
        (schema.OPERATOR[name], REFERENCE, _options(table, values)),
    )


def _bytes(slot: int, data: bytes) -> tuple[Stored, ...]:
    return ((slot, REFERENCE, vector(data, len(data), ALIGNMENT)),) if data else ()


def _resolve(node: Node) -> tuple[int, str]:
    if node.code is not None:
        return node.code, ""
    if node.op not in schema.OPS:
        raise ValueError(f"unknown op {node.op}; known: {', '.join(schema.OPS)}")
    return schema.OPS[node.op]


def _options(table: str, values: Mapping[str, Any]) -> Table:
    fields = schema.OPTIONS[table].fields
    unknown = set(values) - set(fields)
    if unknown:
        raise ValueError(f"{table} has no field {sorted(unknown)[0]}; it has: {', '.join(fields)}")
    return Table([part for name, value in values.items() for part in _option(fields[name], value)])


def _option(field_: schema.Field, value: Any) -> tuple[Stored, ...]:
    slot, default = field_.slot, field_.default
    width, _, enum = field_.kind.partition(":")
    if enum:
        return scalar(slot, "i" if width == "enum32" else "b", schema.ENUMS[enum].index(value), default)
    match field_.kind:
        case "string":
            return ((slot, REFERENCE, string(value)),)
        case "int32s":
            return ((slot, REFERENCE, integers(value)),)
        case "float32s":
            return ((slot, REFERENCE, _float32s(value)),)
        case "dtype":
            return scalar(slot, "b", DTYPES[value][1], default)
        case "int8":
            return scalar(slot, "b", value, default)
        case "int64":
            return scalar(slot, "q", value, default)
        case "bool":
            return scalar(slot, "?", bool(value), bool(default))
        case "float32":
            return scalar(slot, "f", value, float(default))
        case _:
            return scalar(slot, "i", value, default)
