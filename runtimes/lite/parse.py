"""Read a .tflite file into records, checking every offset before it is followed.

Offsets between tables only point forward, so a walk that counts what it visits ends;
`_Reader.visit` bounds that count by the size of the file.
"""

from __future__ import annotations

from itertools import pairwise
from struct import Struct, unpack_from
from typing import NamedTuple

import numpy as np

from opconform.harness import schema
from opconform.harness.model import CODE_TO_DTYPE, DTYPES, STRING_BYTES, Array, Shape
from opconform.harness.runtime import InvalidModel, Unsupported
from opconform.runtimes.lite.densify import Level, densify
from opconform.runtimes.lite.graph import Model, Operator, Options, Quantization, Subgraph, Tensor

_U32 = Struct("<I").unpack_from
_I32 = Struct("<i").unpack_from
_HEAD = Struct("<HH").unpack_from
_WIDTHS = {"<b": 1, "<B": 1, "<i": 4, "<I": 4, "<Q": 8}
_MAX_RANK = 8
_MAX_ELEMENTS = 1 << 27  # far above what any model for small machines holds
_NUMPY = {code: DTYPES[name][0] for code, name in CODE_TO_DTYPE.items()}
_NO_OPTIONS = schema.Options(0, {})
_UNIONS = {1: ("options_type", "options"), 2: ("options_2_type", "options_2")}


class Table(NamedTuple):
    """A checked table: its position, its field offsets by slot (0: absent) and its size."""

    at: int
    offsets: tuple[int, ...]
    size: int


class _Reader:
    """Bounds-checked reads; every method raises InvalidModel instead of reading outside the file."""

    def __init__(self, buffer: memoryview) -> None:
        self.buffer = buffer
        self.size = len(buffer)
        self.budget = 64 + self.size // 4  # no honest file holds more tables

    def fail(self, what: str, at: int) -> InvalidModel:
        return InvalidModel(f"the file is corrupt: {what} at byte {at} of {self.size}")

    def table(self, at: int, what: str) -> Table:
        self.budget -= 1
        if self.budget < 0:
            raise self.fail(f"more tables than the file has room for, the last a {what}", at)
        if at < 4 or at + 4 > self.size:
            raise self.fail(f"{what} outside the file", at)
        vtable = at - _I32(self.buffer, at)[0]
        if vtable < 4 or vtable + 4 > self.size:
            raise self.fail(f"field offsets of {what} outside the file", vtable)
        length, size = _HEAD(self.buffer, vtable)
        if length < 4 or length & 1 or vtable + length > self.size or at + size > self.size or size < 4:
            raise self.fail(f"{what} with a wrong size", at)
        return Table(at, unpack_from(f"<{length // 2 - 2}H", self.buffer, vtable + 4), size)

    def scalar(self, table: Table, slot: int, code: str, default: int) -> int:
        at, offsets, size = table
        offset = offsets[slot] if slot < len(offsets) else 0
        if not offset:
            return default
        if offset + _WIDTHS[code] > size:
            raise self.fail(f"a field outside its table of {size} bytes", at)
        number: int = unpack_from(code, self.buffer, at + offset)[0]
        return number

    def target(self, table: Table, slot: int) -> int:
        """Follow an offset field; 0 where it is absent."""
        at, offsets, size = table
        offset = offsets[slot] if slot < len(offsets) else 0
        if not offset:
            return 0
        if offset + 4 > size:
            raise self.fail(f"a field outside its table of {size} bytes", at)
        at += offset
        at += int(_U32(self.buffer, at)[0])
        if at + 4 > self.size:
            raise self.fail("an offset outside the file", table.at)
        return at

    def count(self, at: int, width: int, what: str) -> int:
        """Return the length of the vector at `at`, 0 for none."""
        if not at:
            return 0
        count: int = _U32(self.buffer, at)[0]
        if at + 4 + count * width > self.size:
            raise self.fail(f"{what} of {count} elements runs past the end", at)
        return count

    def numbers(self, table: Table, slot: int, code: str, width: int, what: str) -> tuple[int, ...]:
        at = self.target(table, slot)
        count = self.count(at, width, what)
        return unpack_from(f"<{count}{code}", self.buffer, at + 4) if count else ()

    def tables(self, table: Table, slot: int, what: str) -> list[Table]:
        at = self.target(table, slot)
        count = self.count(at, 4, what)
        first = at + 4
        offsets = unpack_from(f"<{count}I", self.buffer, first)
        return [self.table(first + 4 * i + offset, what) for i, offset in enumerate(offsets)]

    def text(self, table: Table, slot: int) -> str:
        at = self.target(table, slot)
        count = self.count(at, 1, "text")
        return str(self.buffer[at + 4 : at + 4 + count], "utf-8", "replace") if count else ""


def parse(data: Array) -> Model:
    """Return the model in a flat uint8 array; constants are views of it.

    Raises InvalidModel for a corrupt file, Unsupported for an unknown operator or dtype.
    """
    reader = _Reader(data.data)
    if reader.size < 8:
        raise InvalidModel(f"the file is corrupt: {reader.size} bytes are no .tflite model")
    if bytes(reader.buffer[4:8]) != schema.FILE_IDENTIFIER:
        raise InvalidModel("no .tflite model: the identifier TFL3 at byte 4 is missing")
    root = reader.table(int(_U32(reader.buffer, 0)[0]), "model")
    version = reader.scalar(root, schema.MODEL["version"], "<I", 0)
    if version != schema.SCHEMA_VERSION:
        raise InvalidModel(f"schema version {version}, {schema.SCHEMA_VERSION} is allowed")
    codes = [_code(reader, table) for table in reader.tables(root, schema.MODEL["operator_codes"], "operator code")]
    buffers = [_constant(reader, table, data) for table in reader.tables(root, schema.MODEL["buffers"], "buffer")]
    subgraphs = reader.tables(root, schema.MODEL["subgraphs"], "subgraph")
    if not subgraphs:
        raise InvalidModel("the model has no subgraph, at least 1 is needed")
    return Model(tuple([_subgraph(reader, table, codes, buffers) for table in subgraphs]))


def _code(reader: _Reader, table: Table) -> tuple[int, str]:
    old = reader.scalar(table, schema.OPERATOR_CODE["deprecated_builtin_code"], "<b", 0)
    new = reader.scalar(table, schema.OPERATOR_CODE["builtin_code"], "<i", 0)
    return max(old, new), reader.text(table, schema.OPERATOR_CODE["custom_code"])


def _constant(reader: _Reader, table: Table, data: Array) -> Array | None:
    if reader.scalar(table, schema.BUFFER["offset"], "<Q", 0) > 1:
        raise Unsupported("a buffer outside the flatbuffer (a file of more than 2 GB) is not supported")
    at = reader.target(table, schema.BUFFER["data"])
    count = reader.count(at, 1, "buffer")
    return data[at + 4 : at + 4 + count] if count else None


def _subgraph(reader: _Reader, table: Table, codes: list[tuple[int, str]], buffers: list[Array | None]) -> Subgraph:
    slots = schema.SUBGRAPH
    tensors = [_tensor(reader, entry, buffers) for entry in reader.tables(table, slots["tensors"], "tensor")]
    operators = [_operator(reader, entry, codes) for entry in reader.tables(table, slots["operators"], "operator")]
    inputs = reader.numbers(table, slots["inputs"], "i", 4, "inputs")
    outputs = reader.numbers(table, slots["outputs"], "i", 4, "outputs")
    return Subgraph(tuple(tensors), tuple(operators), inputs, outputs)


def _tensor(reader: _Reader, table: Table, buffers: list[Array | None]) -> Tensor:
    slots = schema.TENSOR
    name = reader.text(table, slots["name"])
    code = reader.scalar(table, slots["type"], "<b", 0)
    shape = reader.numbers(table, slots["shape"], "i", 4, "shape")
    signature = reader.numbers(table, slots["shape_signature"], "i", 4, "shape signature")
    _check_shape(name, shape)
    if code not in _NUMPY:
        raise Unsupported(f"tensor {name!r} has the type code {code}, which is not supported")
    index = reader.scalar(table, slots["buffer"], "<I", 0)
    if index >= len(buffers) and (index or buffers):
        raise InvalidModel(f"tensor {name!r} names buffer {index} of {len(buffers)}")
    raw = buffers[index] if buffers else None
    variable = bool(reader.scalar(table, slots["is_variable"], "<b", 0))
    return Tensor(
        name,
        code,
        shape,
        -1 in signature,
        variable,
        _quantization(reader, table, name, shape),
        None if raw is None or variable else _constant_data(reader, table, name, raw, code, shape),
    )


def _constant_data(reader: _Reader, table: Table, name: str, raw: Array, code: int, shape: Shape) -> Array:
    at = reader.target(table, schema.TENSOR["sparsity"])
    if not at:
        return _view(name, raw, code, shape)
    slots = schema.SPARSITY
    entry = reader.table(at, "sparsity")
    order = reader.numbers(entry, slots["order"], "i", 4, "order of levels")
    blocks = reader.numbers(entry, slots["blocks"], "i", 4, "blocks")
    levels = [_level(reader, level) for level in reader.tables(entry, slots["levels"], "level")]
    return densify(name, raw, _NUMPY[code], shape, order, blocks, levels)


def _level(reader: _Reader, table: Table) -> Level:
    slots = schema.SPARSE_LEVEL
    size = reader.scalar(table, slots["size"], "<i", 0)
    if reader.scalar(table, slots["format"], "<b", 0) != schema.COMPRESSED:
        return Level(size, None, ())
    return Level(size, _indices(reader, table, "segments"), _indices(reader, table, "indices"))


def _indices(reader: _Reader, table: Table, name: str) -> tuple[int, ...]:
    slots, widths = schema.SPARSE_LEVEL, {schema.INT32_VECTOR: 4, schema.UINT16_VECTOR: 2, schema.UINT8_VECTOR: 1}
    width = widths.get(reader.scalar(table, slots[f"{name}_type"], "<B", 0), 0)
    at = reader.target(table, slots[name])
    if not width or not at:
        raise InvalidModel(f"a compressed level lacks its {name}, or has them in an unknown form")
    return reader.numbers(reader.table(at, name), 0, {4: "i", 2: "H", 1: "B"}[width], width, name)


def _check_shape(name: str, shape: Shape) -> None:
    if len(shape) > _MAX_RANK:
        raise Unsupported(f"tensor {name!r} has rank {len(shape)}, at most {_MAX_RANK} is supported")
    count = 1
    for extent in shape:
        if extent < 0:
            raise InvalidModel(f"tensor {name!r} has the shape {list(shape)}: no extent may be negative")
        count *= max(extent, 1)
    if count >= _MAX_ELEMENTS:
        raise Unsupported(
            f"tensor {name!r} has the shape {list(shape)}; at most {_MAX_ELEMENTS} elements are supported"
        )


def _view(name: str, raw: Array, code: int, shape: Shape) -> Array:
    """Return the first elements of a buffer as a flat array: a view, or a copy where the file misaligns them."""
    dtype = _NUMPY[code]
    count = 1
    for extent in shape:
        count *= extent
    if code in _PACKED:
        return _PACKED[code](name, raw, count)
    need = count * dtype.itemsize
    if raw.size < need:
        raise InvalidModel(f"tensor {name!r} needs {need} bytes of constant data and its buffer has {raw.size}")
    view = raw[:need].view(dtype)
    return view if view.flags.aligned else view.copy()


def _nibbles(name: str, raw: Array, count: int) -> Array:
    """Return numbers of four bits as int8: two a byte, the first in the low half."""
    need = (count + 1) // 2
    if raw.size < need:
        raise InvalidModel(f"tensor {name!r} needs {need} bytes of constant data and its buffer has {raw.size}")
    pairs = raw[:need].view(np.int8)
    both = np.stack([np.left_shift(pairs, 4) >> 4, pairs >> 4], axis=1)
    return np.ascontiguousarray(both.reshape(-1)[:count])


def _strings(name: str, raw: Array, count: int) -> Array:
    """Return strings, which a file holds as their number, where each starts, where the last ends, and their bytes."""
    buffer = raw.tobytes()
    if len(buffer) < 8 or unpack_from("<i", buffer)[0] != count or len(buffer) < 4 * (count + 2):
        raise InvalidModel(f"tensor {name!r} needs {count} strings and its buffer of {len(buffer)} bytes has others")
    starts = unpack_from(f"<{count + 1}i", buffer, 4)
    if starts[0] < 4 * (count + 2) or starts[-1] > len(buffer) or list(starts) != sorted(starts):
        raise InvalidModel(f"tensor {name!r} has strings outside its buffer of {len(buffer)} bytes")
    if any(end - start > STRING_BYTES for start, end in pairwise(starts)):
        raise Unsupported(f"tensor {name!r} has a string of more than {STRING_BYTES} bytes, which is not supported")
    return np.array([buffer[start:end] for start, end in pairwise(starts)], DTYPES["string"][0])


_PACKED = {DTYPES["int4"][1]: _nibbles, DTYPES["string"][1]: _strings}


def _quantization(reader: _Reader, table: Table, name: str, shape: Shape) -> Quantization | None:
    at = reader.target(table, schema.TENSOR["quantization"])
    if not at:
        return None
    slots = schema.QUANTIZATION
    entry = reader.table(at, "quantization")
    scale = reader.numbers(entry, slots["scale"], "f", 4, "scales")
    if not scale:
        return None
    zero_point = reader.numbers(entry, slots["zero_point"], "q", 8, "zero points") or (0,) * len(scale)
    axis = reader.scalar(entry, slots["quantized_dimension"], "<i", 0)
    if len(zero_point) not in (1, len(scale)):
        raise InvalidModel(f"tensor {name!r} has {len(scale)} scales and {len(zero_point)} zero points")
    if len(zero_point) < len(scale):
        zero_point *= len(scale)
    return Quantization(scale, zero_point, axis)


def _operator(reader: _Reader, table: Table, codes: list[tuple[int, str]]) -> Operator:
    slots = schema.OPERATOR
    index = reader.scalar(table, slots["opcode_index"], "<I", 0)
    if index >= len(codes):
        raise InvalidModel(f"an operator names operator code {index} of {len(codes)}")
    code, custom = codes[index]
    name = schema.CODE_TO_OP.get(code)
    if name is None:
        raise Unsupported(f"operator {custom or f'with the builtin code {code}'} is not supported")
    inputs = reader.numbers(table, slots["inputs"], "i", 4, "inputs")
    outputs = reader.numbers(table, slots["outputs"], "i", 4, "outputs")
    inside = reader.numbers(table, slots["intermediates"], "i", 4, "intermediates")
    return Operator(name, inputs, outputs, _options(reader, table, schema.OPS[name][1], custom), inside)


def _custom_options(reader: _Reader, table: Table) -> bytes:
    at = reader.target(table, schema.OPERATOR["custom_options"])
    return bytes(reader.buffer[at + 4 : at + 4 + reader.count(at, 1, "options of a CUSTOM operator")]) if at else b""


def _options(reader: _Reader, table: Table, expected: str, custom: str) -> Options:
    known = schema.OPTIONS.get(expected, _NO_OPTIONS)
    kind, place = _UNIONS[known.union]
    stored = reader.scalar(table, schema.OPERATOR[kind], "<B", 0)
    at = reader.target(table, schema.OPERATOR[place])
    if not at or stored != known.code:
        return Options(reader.buffer, known.fields, 0, (), 0, custom, _custom_options(reader, table))
    entry = reader.table(at, f"options of {expected}")
    return Options(reader.buffer, known.fields, entry.at, entry.offsets, entry.size)
