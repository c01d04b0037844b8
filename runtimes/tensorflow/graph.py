"""What a .tflite file says, as TensorFlow's own reader of the format gives it."""

from __future__ import annotations

import importlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from opconform.harness import schema
from opconform.harness.model import CODE_TO_DTYPE, DTYPES, Array, Shape
from opconform.harness.runtime import InvalidModel, Unsupported

_SCALARS = {"int8": "<b", "int32": "<i", "int64": "<q", "bool": "<?", "float32": "<f", "dtype": "<b", "subgraph": "<i"}


@dataclass(frozen=True, slots=True)
class Node:
    """One operator: numbers of its tensors (-1: absent), its options by the names of the specs, its outputs' types."""

    op: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any]
    dtypes: tuple[str, ...]
    shapes: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """The first subgraph of a model."""

    nodes: tuple[Node, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    constants: Mapping[int, Array]


def read_graph(model: bytes) -> Graph:
    """Read a model. Raises InvalidModel for what cannot be read, Unsupported for quantized and stateful ones."""
    reader: Any = importlib.import_module("tensorflow.lite.python.schema_py_generated")
    try:
        root = reader.Model.GetRootAsModel(model, 0)
        graph = root.Subgraphs(0)
        tensors = [graph.Tensors(n) for n in range(graph.TensorsLength())]
        for tensor in tensors:
            _check(tensor)
        constants = {n: data for n, t in enumerate(tensors) if (data := _data(root, t)) is not None}
        nodes = tuple(_node(root, graph.Operators(n), tensors) for n in range(graph.OperatorsLength()))
        inputs, outputs = (tuple(int(n) for n in values) for values in (graph.InputsAsNumpy(), graph.OutputsAsNumpy()))
    except (struct.error, IndexError, TypeError, AttributeError, KeyError) as error:
        raise InvalidModel(f"the model cannot be read: {' '.join(str(error).split())}") from error
    return Graph(nodes, inputs, outputs, constants)


def _check(tensor: Any) -> None:
    quantization = tensor.Quantization()
    if quantization is not None and quantization.ScaleLength():
        raise Unsupported("quantized tensors are TensorFlow Lite's")
    if tensor.IsVariable() or tensor.Type() not in CODE_TO_DTYPE or tensor.Sparsity() is not None:
        raise Unsupported("variable and sparse tensors, and types of its own, are TensorFlow Lite's")


def _shape(tensor: Any) -> Shape:
    return tuple(int(tensor.Shape(n)) for n in range(tensor.ShapeLength()))


def _data(root: Any, tensor: Any) -> Array | None:
    raw = root.Buffers(tensor.Buffer()).DataAsNumpy()
    if isinstance(raw, int) or not len(raw):
        return None
    dtype, shape = CODE_TO_DTYPE[tensor.Type()], _shape(tensor)
    if dtype == "string":
        count, *starts = struct.unpack_from(f"<{1 + int(np.prod(shape)) + 1}i", raw.tobytes())
        texts = [raw.tobytes()[a:b] for a, b in pairwise(starts)][:count]
        return np.asarray(texts, DTYPES["string"][0]).reshape(shape)
    if dtype in ("int4", "resource"):
        raise Unsupported(f"{dtype} is TensorFlow Lite's")
    return np.frombuffer(raw.tobytes(), DTYPES[dtype][0])[: int(np.prod(shape))].reshape(shape)


def _node(root: Any, operator: Any, tensors: list[Any]) -> Node:
    code = root.OperatorCodes(operator.OpcodeIndex())
    op = schema.CODE_TO_OP.get(max(code.DeprecatedBuiltinCode(), code.BuiltinCode()), "")
    table = schema.OPTIONS.get(schema.OPS[op][1]) if op else None
    stored = None if table is None else operator.BuiltinOptions() if table.union == 1 else operator.BuiltinOptions2()
    options = {} if table is None else {name: _option(stored, field) for name, field in table.fields.items()}
    outputs = [int(n) for n in operator.OutputsAsNumpy()]
    return Node(
        op,
        tuple(int(n) for n in operator.InputsAsNumpy()) if operator.InputsLength() else (),
        tuple(outputs),
        options,
        tuple(CODE_TO_DTYPE[tensors[n].Type()] for n in outputs),
        tuple(_shape(tensors[n]) for n in outputs),
    )


def _option(table: Any, field: schema.Field) -> Any:
    """Return a field by name of its enum, as a number, or as a list."""
    width, _, enum = field.kind.partition(":")
    at = table.Offset(4 + 2 * field.slot) if table is not None else 0
    if field.kind in ("int32s", "float32s"):
        if not at:
            return None
        start, count = table.Vector(at), table.VectorLen(at)
        return list(struct.unpack_from(f"<{count}{'i' if field.kind == 'int32s' else 'f'}", table.Bytes, start))
    if field.kind == "string":
        return table.String(at + table.Pos) if at else ""
    code = "<i" if width == "enum32" else "<b" if enum else _SCALARS[field.kind]
    value = struct.unpack_from(code, table.Bytes, at + table.Pos)[0] if at else field.default
    if enum:
        return schema.ENUMS[enum][int(value)]
    return CODE_TO_DTYPE[int(value)] if field.kind == "dtype" else value
