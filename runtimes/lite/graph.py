"""What a model is once it is read: frozen records, without data of their own."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from opconform.harness import schema
from opconform.harness.model import Array, Shape
from opconform.harness.runtime import InvalidModel, Unsupported


@dataclass(frozen=True, slots=True)
class Quantization:
    """Affine quantization as stored: float32 scales as floats, one or one per index along `axis`."""

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int = 0


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of a subgraph. `data` is a flat view of the file for a constant, else None."""

    name: str
    code: int  # of the schema's TensorType
    shape: Shape
    dynamic: bool  # some dimension is declared unknown
    variable: bool
    quantization: Quantization | None
    data: Array | None


@dataclass(frozen=True, slots=True)
class Options:
    """The options table of one operator, read field by field on demand; absent fields have the schema's defaults."""

    buffer: memoryview
    fields: Mapping[str, schema.Field]
    position: int  # of the table, 0 when there is none
    offsets: tuple[int, ...]  # of the fields in the table, by slot, 0 where absent
    size: int  # of the table in bytes
    custom: str = ""  # the name of a CUSTOM operator
    stored: bytes = b""  # and what the file tells it

    def number(self, name: str) -> int:
        """Return an integer, bool or enum field."""
        return int(self._scalar(name))

    def real(self, name: str) -> float:
        """Return a float32 field."""
        return float(self._scalar(name))

    def _scalar(self, name: str) -> float | int:
        field = self.fields[name]
        offset = self.offsets[field.slot] if field.slot < len(self.offsets) else 0
        if not offset:
            return field.default if not isinstance(field.default, str) else 0
        code = _SCALARS[field.kind.partition(":")[0]]
        if offset + struct.calcsize(code) > self.size:
            raise InvalidModel(f"options field {name} lies outside its table of {self.size} bytes")
        value: float | int = struct.unpack_from(code, self.buffer, self.position + offset)[0]
        return value

    def vector(self, name: str) -> tuple[int, ...] | None:
        """Return a vector of int32, or None where it is not stored."""
        return self._vector(name, "i")

    def reals(self, name: str) -> tuple[float, ...] | None:
        """Return a vector of float32, or None where it is not stored."""
        return self._vector(name, "f")

    def _vector(self, name: str, code: str) -> tuple[Any, ...] | None:
        at = self._target(name)
        if not at:
            return None
        (count,) = struct.unpack_from("<I", self.buffer, at)
        if at + 4 + 4 * count > len(self.buffer):
            raise InvalidModel(f"options vector {name} of {count} elements runs past the end of the file")
        return struct.unpack_from(f"<{count}{code}", self.buffer, at + 4)

    def text(self, name: str) -> str:
        """Return a string field, "" where it is not stored."""
        at = self._target(name)
        if not at:
            return ""
        (count,) = struct.unpack_from("<I", self.buffer, at)
        if at + 4 + count > len(self.buffer):
            raise InvalidModel(f"options text {name} of {count} bytes runs past the end of the file")
        return bytes(self.buffer[at + 4 : at + 4 + count]).decode("utf-8", "replace")

    def _target(self, name: str) -> int:
        slot = self.fields[name].slot
        offset = self.offsets[slot] if slot < len(self.offsets) else 0
        if not offset:
            return 0
        if offset + 4 > self.size:
            raise InvalidModel(f"options field {name} lies outside its table of {self.size} bytes")
        at = self.position + offset
        at += int(struct.unpack_from("<I", self.buffer, at)[0])
        if at + 4 > len(self.buffer):
            raise InvalidModel(f"options field {name} points outside the file")
        return at


_SCALARS = {
    "int8": "<b",
    "int32": "<i",
    "int64": "<q",
    "bool": "<?",
    "float32": "<f",
    "enum": "<b",
    "enum32": "<i",
    "dtype": "<b",
    "subgraph": "<i",
}


@dataclass(frozen=True, slots=True)
class Operator:
    """One node: the op's name, indices of its tensors (-1: absent) and its options."""

    op: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Options
    intermediates: tuple[int, ...] = ()  # tensors that only carry the quantization of values inside the op


@dataclass(frozen=True, slots=True)
class Subgraph:
    """Tensors and operators, in the order of execution."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Model:
    """A parsed file; the first subgraph is the one that is invoked."""

    subgraphs: tuple[Subgraph, ...]


@dataclass(frozen=True, slots=True)
class Operand:
    """One tensor as an operator sees it. `data` is set where its values are known when the operator is prepared."""

    dtype: np.dtype[np.generic]
    shape: Shape
    quantization: Quantization | None = None
    data: Array | None = None
    variable: bool = False

    @property
    def size(self) -> int:
        """Number of elements."""
        count = 1
        for extent in self.shape:
            count *= extent
        return count

    @property
    def scale(self) -> float:
        """The scale of a per-tensor quantization; 0.0 where there is none."""
        return self.quantization.scale[0] if self.quantization else 0.0

    @property
    def zero_point(self) -> int:
        """The zero point of a per-tensor quantization; 0 where there is none."""
        return self.quantization.zero_point[0] if self.quantization else 0


@dataclass(frozen=True, slots=True)
class Node:
    """An operator with its operands: what a kernel prepares from."""

    op: str
    where: str  # "MUL (operator 3 of subgraph 0)"
    inputs: tuple[Operand | None, ...]
    outputs: tuple[Operand, ...]
    options: Options
    intermediates: tuple[Operand, ...] = ()

    def input(self, index: int) -> Operand:
        """Return an input that must be there."""
        operand = self.inputs[index] if index < len(self.inputs) else None
        if operand is None:
            raise self.invalid(f"input {index} is missing")
        return operand

    def optional(self, index: int) -> Operand | None:
        """Return an input that may be absent."""
        return self.inputs[index] if index < len(self.inputs) else None

    def output(self) -> Operand:
        """Return the only output."""
        if len(self.outputs) != 1:
            raise self.invalid(f"{len(self.outputs)} outputs, 1 is allowed")
        return self.outputs[0]

    def invalid(self, what: str) -> InvalidModel:
        """Return the error for a broken rule."""
        return InvalidModel(f"{self.where}: {what}")

    def unsupported(self, what: str) -> Unsupported:
        """Return the error for what is legal and not supported."""
        return Unsupported(f"{self.where}: {what}")

    def require(self, condition: bool, what: str) -> None:
        """Raise InvalidModel unless the condition holds."""
        if not condition:
            raise self.invalid(what)


@dataclass(frozen=True, slots=True)
class Memory:
    """Where a prepared operator works: flat arrays, in the order of its operands; absent inputs are empty."""

    inputs: tuple[Array, ...]
    outputs: tuple[Array, ...]
    scratch: tuple[Array, ...] = ()


Step = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Prepared:
    """What preparing an operator yields.

    `shapes` of the outputs; `build` binds the kernel to memory; `scratch` asks for uninitialized bytes
    during the step; `narrow`, for data-dependent shapes, tells after the step the true shapes, which
    `shapes` bound from above.
    """

    shapes: tuple[Shape, ...]
    build: Callable[[Memory], Step]
    scratch: tuple[int, ...] = ()
    narrow: Callable[[], tuple[Shape, ...]] | None = None
