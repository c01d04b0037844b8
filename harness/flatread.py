"""Read what a report needs of a .tflite file: operators, tensors, inputs and outputs; and cut it.

Reading is bounded by the file: a damaged file gives a ModelError, never a long loop.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from flatbuffers import number_types as kinds
from flatbuffers.table import Table

from opconform.harness import schema
from opconform.harness.errors import InputError
from opconform.harness.model import CODE_TO_DTYPE, DTYPES, Array, Quant, TensorType


class ModelError(InputError):
    """A .tflite file cannot be read or used; the message is one line."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operator of the main graph: its name, position, tensors (indices, -1: absent) and options by name."""

    index: int
    op: str
    outputs: tuple[int, ...]
    inputs: tuple[int, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    intermediates: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelView:
    """What a .tflite file holds."""

    data: bytes
    operations: tuple[Operation, ...]
    tensors: tuple[TensorType, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    outputs_at: int  # where the file says where its list of outputs is
    constants: Mapping[int, Array] = field(default_factory=dict)
    variables: frozenset[int] = frozenset()

    def exposing(self, tensors: Sequence[int]) -> bytes:
        """Return the model with other tensors as its outputs; nothing else changes."""
        start = -(-len(self.data) // 4) * 4
        patched = bytearray(self.data.ljust(start, b"\0"))
        struct.pack_into("<I", patched, self.outputs_at, start - self.outputs_at)
        return bytes(patched) + struct.pack(f"<I{len(tensors)}i", len(tensors), *tensors)


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
    stored = _tables(main, schema.SUBGRAPH["tensors"])
    tensors = tuple(_tensor(table) for table in stored)
    nodes = enumerate(_tables(main, schema.SUBGRAPH["operators"]))
    operations = tuple(_operation(index, codes[_code_index(table)], table) for index, table in nodes)
    inputs = _integers(main, schema.SUBGRAPH["inputs"])
    outputs = _integers(main, schema.SUBGRAPH["outputs"])
    for index in (*inputs, *outputs):
        if not 0 <= index < len(tensors):
            raise ValueError(f"tensor {index} of {len(tensors)} is an input or output")
    for operation in operations:
        for index in (*operation.inputs, *operation.outputs, *operation.intermediates):
            if not -1 <= index < len(tensors):
                raise ValueError(f"operator {operation.index} names tensor {index} of {len(tensors)}")
    at = main.Pos + _field(main, schema.SUBGRAPH["outputs"])
    variables = (n for n, t in enumerate(stored) if _scalar(t, schema.TENSOR["is_variable"], kinds.BoolFlags, 0))
    return ModelView(
        data, operations, tensors, inputs, outputs, at, _constants(root, stored, tensors), frozenset(variables)
    )


def _code_index(table: Any) -> int:
    return _scalar(table, schema.OPERATOR["opcode_index"], kinds.Uint32Flags, 0)


def _operation(index: int, op: str, table: Any) -> Operation:
    inputs, outputs = (_integers(table, schema.OPERATOR[name]) for name in ("inputs", "outputs"))
    inside = _integers(table, schema.OPERATOR["intermediates"])
    return Operation(index, op, outputs, inputs, _options(op, table), inside)


def _options(op: str, table: Any) -> dict[str, Any]:
    """Return the options of an operator by name; those that are not stored have their defaults."""
    if op not in schema.OPS or not schema.OPS[op][1]:
        return {}
    options = schema.OPTIONS[schema.OPS[op][1]]
    at = _field(table, schema.OPERATOR["options" if options.union == 1 else "options_2"])
    stored = Table(table.Bytes, table.Indirect(table.Pos + at)) if at else None
    return {name: _option(stored, one) for name, one in options.fields.items()}


#: kind of an option -> how it is stored
_STORED: Mapping[str, Any] = {
    "int8": kinds.Int8Flags,
    "enum": kinds.Int8Flags,
    "dtype": kinds.Int8Flags,
    "bool": kinds.BoolFlags,
    "int64": kinds.Int64Flags,
    "float32": kinds.Float32Flags,
}


def _option(stored: Any, one: schema.Field) -> Any:
    width, _, enum = one.kind.partition(":")
    if width in ("int32s", "float32s"):
        return () if stored is None else _numbers(stored, one.slot, "i" if width == "int32s" else "f", 4)
    at = 0 if stored is None else _field(stored, one.slot)
    if width == "string":
        return stored.String(stored.Pos + at).decode("utf-8", "replace") if at else str(one.default)
    value = stored.Get(_STORED.get(width, kinds.Int32Flags), stored.Pos + at) if at else one.default
    if enum:
        return schema.ENUMS[enum][int(value)]
    return CODE_TO_DTYPE[int(value)] if width == "dtype" else bool(value) if width == "bool" else value


def _constants(root: Any, stored: Sequence[Any], tensors: Sequence[TensorType]) -> dict[int, Array]:
    """Return the data of every tensor that the file holds in full; strings and sparse ones are left out."""
    buffers = _tables(root, schema.MODEL["buffers"])
    found = {}
    for index, (table, tensor) in enumerate(zip(stored, tensors, strict=True)):
        buffer = _scalar(table, schema.TENSOR["buffer"], kinds.Uint32Flags, 0)
        start, length = _vector(buffers[buffer], schema.BUFFER["data"], 1) if buffer < len(buffers) else (0, 0)
        raw = bytes(root.Bytes[start : start + length])
        whole = raw and tensor.dtype in DTYPES and not _field(table, schema.TENSOR["sparsity"])
        data = _decoded(raw, tensor) if whole else None
        if data is not None:
            found[index] = data
    return found


def _decoded(raw: bytes, tensor: TensorType) -> Array | None:
    if tensor.dtype == "string":
        return None
    count = math.prod(tensor.shape)
    if tensor.dtype == "int4":
        halves = np.frombuffer(raw, np.uint8)
        numbers = np.stack([halves << 4, halves & 0xF0], axis=-1).reshape(-1)[:count].view(np.int8) >> 4
    else:
        numbers = np.frombuffer(raw, DTYPES[tensor.dtype][0])
    return numbers.reshape(tensor.shape)


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
    shape = _integers(table, schema.TENSOR["shape"])
    quant_at = _field(table, schema.TENSOR["quantization"])
    quant = None
    if quant_at:
        inner = Table(table.Bytes, table.Indirect(table.Pos + quant_at))
        scale = _numbers(inner, schema.QUANTIZATION["scale"], "f", 4)
        zero = _numbers(inner, schema.QUANTIZATION["zero_point"], "q", 8)
        # Older converters name the dimension of the weights for a bias too, which has only one.
        axis = _scalar(inner, schema.QUANTIZATION["quantized_dimension"], kinds.Int32Flags, 0) * (len(shape) != 1)
        quant = Quant(scale, tuple(int(z) for z in zero), axis) if scale else None
    name_at = _field(table, schema.TENSOR["name"])
    name = table.String(table.Pos + name_at).decode("utf-8", "replace") if name_at else ""
    return TensorType(name, CODE_TO_DTYPE.get(code, f"type {code}"), shape, quant)


def random_inputs(view: ModelView, seed: int, vectors: int) -> list[tuple[np.ndarray[Any, Any], ...]]:
    """Return input vectors from a seed: integers over their whole range, floats normal, strings of four letters."""
    rng = np.random.Generator(np.random.Philox(seed))
    makers: dict[str, Callable[[tuple[int, ...], np.dtype[Any]], Any]] = {
        "f": lambda shape, dtype: rng.standard_normal(shape).astype(dtype),
        "c": lambda shape, dtype: rng.standard_normal((*shape, 2)).view(np.complex128)[..., 0].astype(dtype),
        "b": lambda shape, dtype: rng.random(shape) < 0.5,
        "S": lambda shape, dtype: rng.integers(97, 123, (*shape, 4), np.uint8).view("S4")[..., 0].astype(dtype),
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
