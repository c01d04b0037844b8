"""Read what a report needs of a .tflite file: operators, tensors, inputs and outputs; and cut it.

Reading is bounded by the file: a damaged file gives a ModelError, never a long loop.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from flatbuffers import number_types as kinds
from flatbuffers.table import Table

from opconform.harness import schema
from opconform.harness.model import CODE_TO_DTYPE, DTYPES, Quant, TensorType


class ModelError(Exception):
    """A .tflite file cannot be read or used; the message is one line."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operator of the main graph: its name, position and output tensors (indices)."""

    index: int
    op: str
    outputs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ModelView:
    """What a .tflite file holds."""

    data: bytes
    operations: tuple[Operation, ...]
    tensors: tuple[TensorType, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    outputs_at: int  # offset of the first output index in the file

    def cut_at(self, tensor: int) -> bytes:
        """Return the model with every output replaced by one inner tensor; nothing else changes."""
        patched = bytearray(self.data)
        for position in range(len(self.outputs)):
            struct.pack_into("<i", patched, self.outputs_at + 4 * position, tensor)
        return bytes(patched)


def read_model(data: bytes, where: str) -> ModelView:
    """Read a model; `where` names it in errors. Raises ModelError."""
    if len(data) < 8 or data[4:8] != schema.FILE_IDENTIFIER:
        found = data[4:8].decode("latin-1") if len(data) >= 8 else f"{len(data)} bytes"
        raise ModelError(f"{where}: is no .tflite file: identifier {found!r}, want 'TFL3'; give a model file")
    try:
        return _read(data)
    except (struct.error, IndexError, ValueError, OverflowError, TypeError, KeyError) as error:
        raise ModelError(f"{where}: is damaged: {error}; the file was cut off or changed") from error


def _read(data: bytes) -> ModelView:
    root = Table(data, struct.unpack_from("<I", data)[0])
    codes = [_op_name(code) for code in _tables(root, schema.MODEL["operator_codes"])]
    graphs = _tables(root, schema.MODEL["subgraphs"])
    if not graphs:
        raise ValueError("it holds no graph")
    main = graphs[0]
    tensors = tuple(_tensor(table) for table in _tables(main, schema.SUBGRAPH["tensors"]))
    nodes = enumerate(_tables(main, schema.SUBGRAPH["operators"]))
    operations = tuple(Operation(index, codes[_code_index(table)], _output_list(table)) for index, table in nodes)
    inputs = _integers(main, schema.SUBGRAPH["inputs"])
    outputs = _integers(main, schema.SUBGRAPH["outputs"])
    for index in (*inputs, *outputs):
        if not 0 <= index < len(tensors):
            raise ValueError(f"tensor {index} of {len(tensors)} is an input or output")
    at = main.Vector(_field(main, schema.SUBGRAPH["outputs"]))
    return ModelView(data, operations, tensors, inputs, outputs, at)


def _code_index(table: Any) -> int:
    return _scalar(table, schema.OPERATOR["opcode_index"], kinds.Uint32Flags, 0)


def _output_list(table: Any) -> tuple[int, ...]:
    return _integers(table, schema.OPERATOR["outputs"])


def _field(table: Any, slot: int) -> int:
    return int(table.Offset(4 + 2 * slot))


def _scalar(table: Any, slot: int, kind: Any, default: int) -> int:
    offset = _field(table, slot)
    return int(table.Get(kind, table.Pos + offset)) if offset else default


def _vector(table: Any, slot: int, width: int) -> tuple[int, int]:
    """Return start and length of a vector; ValueError where it leaves the file."""
    offset = _field(table, slot)
    if not offset:
        return 0, 0
    start, length = int(table.Vector(offset)), int(table.VectorLen(offset))
    if start < 0 or length * width > len(table.Bytes) - start:
        raise ValueError(f"a list of {length} entries leaves the file")
    return start, length


def _tables(table: Any, slot: int) -> list[Any]:
    start, length = _vector(table, slot, 4)
    return [Table(table.Bytes, table.Indirect(start + 4 * n)) for n in range(length)]


def _integers(table: Any, slot: int) -> tuple[int, ...]:
    start, length = _vector(table, slot, 4)
    return tuple(struct.unpack_from(f"<{length}i", table.Bytes, start))


def _numbers(table: Any, slot: int, code: str, width: int) -> tuple[Any, ...]:
    start, length = _vector(table, slot, width)
    return tuple(struct.unpack_from(f"<{length}{code}", table.Bytes, start))


def _op_name(table: Any) -> str:
    old = _scalar(table, schema.OPERATOR_CODE["deprecated_builtin_code"], kinds.Int8Flags, 0)
    code = max(old, _scalar(table, schema.OPERATOR_CODE["builtin_code"], kinds.Int32Flags, 0))
    return schema.CODE_TO_OP.get(code, f"builtin {code}")


def _tensor(table: Any) -> TensorType:
    code = _scalar(table, schema.TENSOR["type"], kinds.Int8Flags, 0)
    quant_at = _field(table, schema.TENSOR["quantization"])
    quant = None
    if quant_at:
        inner = Table(table.Bytes, table.Indirect(table.Pos + quant_at))
        scale = _numbers(inner, schema.QUANTIZATION["scale"], "f", 4)
        zero = _numbers(inner, schema.QUANTIZATION["zero_point"], "q", 8)
        axis = _scalar(inner, schema.QUANTIZATION["quantized_dimension"], kinds.Int32Flags, 0)
        quant = Quant(scale, tuple(int(z) for z in zero), axis) if scale else None
    name_at = _field(table, schema.TENSOR["name"])
    name = table.String(table.Pos + name_at).decode("utf-8", "replace") if name_at else ""
    shape = _integers(table, schema.TENSOR["shape"])
    return TensorType(name, CODE_TO_DTYPE.get(code, f"type {code}"), shape, quant)


def random_inputs(view: ModelView, seed: int, vectors: int) -> list[tuple[np.ndarray[Any, Any], ...]]:
    """Return input vectors from a seed: integers over their whole range, floats normal."""
    rng = np.random.Generator(np.random.Philox(seed))
    makers: dict[str, Callable[[tuple[int, ...], np.dtype[Any]], Any]] = {
        "f": lambda shape, dtype: rng.standard_normal(shape).astype(dtype),
        "b": lambda shape, dtype: rng.random(shape) < 0.5,
    }

    def one(tensor: TensorType) -> Any:
        if tensor.dtype not in DTYPES:
            raise ModelError(f"input {tensor.name} has {tensor.dtype}, which no runtime here takes; feed another model")
        dtype = DTYPES[tensor.dtype][0]
        shape = tuple(max(n, 1) for n in tensor.shape)
        if dtype.kind in makers:
            return makers[dtype.kind](shape, dtype)
        info = np.iinfo(dtype)
        return rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)

    return [tuple(one(view.tensors[i]) for i in view.inputs) for _ in range(vectors)]
