"""Tensors as the protocols carry them: datatypes, raw bytes, and numbers in JSON.

The datatypes and the raw form are those of the Open Inference Protocol (KServe v2): row-major, little-endian, BYTES as
a length of four bytes before each element. JSON has numbers, and no NaN and no infinities: what it cannot carry raises
LostInTransport, in either direction.
"""

from __future__ import annotations

import base64
import binascii
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from opconform.harness.model import DTYPES, STRING_BYTES, Array, Shape
from opconform.harness.runtime import LostInTransport, Unsupported

#: datatype of v2 -> (dtype, datatype in the metadata of v1)
DATATYPES: Mapping[str, tuple[np.dtype[Any], str]] = {
    "BOOL": (np.dtype(np.bool_), "DT_BOOL"),
    "UINT8": (np.dtype(np.uint8), "DT_UINT8"),
    "UINT16": (np.dtype(np.uint16), "DT_UINT16"),
    "UINT32": (np.dtype(np.uint32), "DT_UINT32"),
    "UINT64": (np.dtype(np.uint64), "DT_UINT64"),
    "INT8": (np.dtype(np.int8), "DT_INT8"),
    "INT16": (np.dtype(np.int16), "DT_INT16"),
    "INT32": (np.dtype(np.int32), "DT_INT32"),
    "INT64": (np.dtype(np.int64), "DT_INT64"),
    "FP16": (np.dtype(np.float16), "DT_HALF"),
    "FP32": (np.dtype(np.float32), "DT_FLOAT"),
    "FP64": (np.dtype(np.float64), "DT_DOUBLE"),
    "BYTES": (DTYPES["string"][0], "DT_STRING"),
}
OF_V1: Mapping[str, str] = {v1: v2 for v2, (_, v1) in DATATYPES.items()}
_OF_DTYPE = {dtype: name for name, (dtype, _) in DATATYPES.items()}
#: datatype of v2 -> the name that the dtype has here
DTYPE_NAMES: Mapping[str, str] = {
    v2: next(n for n, (d, _) in DTYPES.items() if d == dtype) for v2, (dtype, _) in DATATYPES.items()
}
_LENGTH = struct.Struct("<I")


class BadAnswer(Exception):
    """A server's answer breaks its protocol; the message is one line: what was found, what is allowed."""


@dataclass(frozen=True, slots=True)
class Described:
    """An input or output as the server describes it; a dimension of -1 is not known before a run."""

    name: str
    datatype: str
    shape: Shape

    def takes(self, array: Array) -> bool:
        """Tell whether an array has the datatype and a shape that fits."""
        fits = len(array.shape) == len(self.shape) and all(
            want in (-1, found) for want, found in zip(self.shape, array.shape, strict=True)
        )
        return fits and _OF_DTYPE.get(array.dtype) == self.datatype


def datatype_of(array: Array) -> str:
    """Return the name of an array's datatype. Raises Unsupported for one that the protocols do not have."""
    name = _OF_DTYPE.get(array.dtype)
    if name is None:
        raise Unsupported(f"the protocol has no datatype for {array.dtype}, it has {' '.join(DATATYPES)}")
    return name


def _dtype_of(name: str, datatype: str) -> np.dtype[Any]:
    if datatype not in DATATYPES:
        raise BadAnswer(f"output {name} has datatype {datatype!r}, allowed are {' '.join(DATATYPES)}")
    return DATATYPES[datatype][0]


def to_raw(array: Array) -> bytes:
    """Return the raw form of a tensor."""
    if array.dtype.kind != "S":
        return array.tobytes()
    return b"".join(_LENGTH.pack(len(item)) + item for item in array.reshape(-1).tolist())


def from_raw(name: str, datatype: str, shape: Shape, raw: bytes) -> Array:
    """Return the tensor of a raw form. Raises BadAnswer where the bytes do not fill the shape exactly."""
    dtype, count = _dtype_of(name, datatype), math.prod(shape)
    if dtype.kind == "S":
        return _strings(name, list(_raw_items(name, raw)), shape)
    if len(raw) != count * dtype.itemsize:
        raise BadAnswer(f"output {name} has {len(raw)} bytes, {datatype} {list(shape)} takes {count * dtype.itemsize}")
    return np.frombuffer(raw, dtype).reshape(shape)


def _raw_items(name: str, raw: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(raw):
        if at + _LENGTH.size > len(raw):
            raise BadAnswer(f"output {name}: {len(raw) - at} bytes are left at byte {at}, a length takes 4")
        (length,) = _LENGTH.unpack_from(raw, at)
        at += _LENGTH.size + length
        if at > len(raw):
            raise BadAnswer(f"output {name}: an element of {length} bytes ends at byte {at} of {len(raw)}")
        yield raw[at - length : at]


def _strings(name: str, items: Sequence[bytes], shape: Shape) -> Array:
    if len(items) != math.prod(shape):
        raise BadAnswer(f"output {name} has {len(items)} elements, {list(shape)} takes {math.prod(shape)}")
    longest = max(map(len, items), default=0)
    if longest > STRING_BYTES:
        raise Unsupported(f"output {name} holds a string of {longest} bytes, {STRING_BYTES} are the most here")
    return np.array(items, DTYPES["string"][0]).reshape(shape)


def to_numbers(name: str, array: Array, base64_strings: bool) -> list[Any]:
    """Return the elements for JSON, row-major. Raises LostInTransport for what JSON cannot tell apart.

    A float is written as the float64 of the same value, which is exact. NaN and infinities are written as the words
    that JSON of JavaScript and of TensorFlow Serving has for them; whether the server knows them, it has to say.
    """
    if array.dtype.kind == "S":
        encode = _in_base64 if base64_strings else _as_text
        return [encode(name, item) for item in array.reshape(-1).tolist()]
    if array.dtype.kind == "f":
        _check_nans(name, array)
    return array.reshape(-1).tolist()


def _in_base64(name: str, item: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(item).decode("ascii")}


def _as_text(name: str, item: bytes) -> str:
    try:
        return item.decode("utf-8")
    except UnicodeDecodeError as error:
        raise LostInTransport(f"input {name}: {item!r} is no UTF-8, and a string of JSON holds nothing else") from error


def _check_nans(name: str, array: Array) -> None:
    """Refuse a NaN with a sign or a payload: JSON has one word for all. Raises LostInTransport."""
    bits = array[np.isnan(array)].view(f"u{array.itemsize}")
    usual = np.array(np.nan, array.dtype).view(bits.dtype)
    if np.any(bits != usual):
        odd = int(bits[bits != usual][0])
        raise LostInTransport(f"input {name}: JSON has one NaN, and {odd:#x} is another than {int(usual):#x}")


def finite(array: Array) -> bool:
    """Tell whether JSON proper can write every element."""
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())


def from_numbers(name: str, datatype: str, shape: Shape, items: Sequence[Any]) -> Array:
    """Return the tensor of elements that came as JSON. Raises LostInTransport and BadAnswer."""
    dtype = _dtype_of(name, datatype)
    if dtype.kind == "S":
        return _strings(name, [_bytes_of(name, item) for item in items], shape)
    if len(items) != math.prod(shape):
        raise BadAnswer(f"output {name} has {len(items)} elements, {list(shape)} takes {math.prod(shape)}")
    check = {"b": _check_bool, "f": _check_float}.get(dtype.kind, _check_integer)
    for item in items:
        check(name, datatype, item)
    with np.errstate(over="ignore"):
        array = np.array(items, dtype).reshape(shape)
    if dtype.kind == "f" and not np.array_equal(np.isinf(array).reshape(-1), [math.isinf(item) for item in items]):
        raise LostInTransport(f"output {name} holds a number that is beyond {datatype}")
    return array


def _bytes_of(name: str, item: Any) -> bytes:
    match item:
        case str():
            return item.encode("utf-8", "surrogatepass")
        case {"b64": str() as text}:
            try:
                return base64.b64decode(text, validate=True)
            except binascii.Error as error:
                raise BadAnswer(f"output {name} holds {text!r}, which is no base64") from error
    raise BadAnswer(f"output {name} holds {_shown(item)}, a string is needed")


def _check_bool(name: str, datatype: str, item: Any) -> None:
    if not isinstance(item, bool):
        raise BadAnswer(f"output {name} holds {_shown(item)}, true or false is needed")


def _check_float(name: str, datatype: str, item: Any) -> None:
    if item is None:
        raise LostInTransport(f"output {name} holds null: the server's JSON has no NaN and no infinity")
    if isinstance(item, bool) or not isinstance(item, int | float):
        raise BadAnswer(f"output {name} holds {_shown(item)}, a number is needed")


def _check_integer(name: str, datatype: str, item: Any) -> None:
    info = np.iinfo(DATATYPES[datatype][0])
    if isinstance(item, float):
        raise LostInTransport(f"output {name} holds {item!r}: an {datatype} that came as a float")
    if isinstance(item, bool) or not isinstance(item, int):
        raise BadAnswer(f"output {name} holds {_shown(item)}, an integer is needed")
    if not info.min <= item <= info.max:
        raise LostInTransport(f"output {name} holds {item}, {datatype} ends at {info.min} and {info.max}")


def _shown(item: Any) -> str:
    return repr(item)[:60]


def nested(items: Sequence[Any], shape: Shape) -> Any:
    """Return elements as lists within lists, as v1 writes a tensor; a scalar is the element itself."""
    if not shape:
        return items[0]
    step = math.prod(shape[1:])
    return [nested(items[n * step : (n + 1) * step], shape[1:]) for n in range(shape[0])]


def flattened(name: str, value: Any, declared: Shape) -> tuple[list[Any], Shape]:
    """Return the elements and the shape of lists within lists.

    Lists do not say what stands behind a dimension of 0: there the declared shape must. Raises BadAnswer where the
    lists are ragged, and LostInTransport where the shape is not to be told.
    """
    shape, items = [], [value]
    while items and all(isinstance(item, list) for item in items):
        lengths = {len(item) for item in items}
        if len(lengths) > 1:
            raise BadAnswer(f"output {name} has lists of {min(lengths)} and of {max(lengths)} elements side by side")
        shape.append(lengths.pop())
        items = [inner for item in items for inner in item]
    if any(isinstance(item, list) for item in items):
        raise BadAnswer(f"output {name} has a list beside a number")
    if items or len(shape) == len(declared):
        return items, tuple(shape)
    begins = all(want in (-1, found) for want, found in zip(declared, shape, strict=False))
    if len(declared) < len(shape) or not begins or -1 in declared[len(shape) :]:
        raise LostInTransport(f"output {name} is {value}, and lists do not say the shape of a tensor without elements")
    return [], (*shape, *declared[len(shape) :])
