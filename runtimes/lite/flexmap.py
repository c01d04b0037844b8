"""The options of a CUSTOM operator: a FlexBuffer map from names to numbers, read with every offset checked."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from opconform.harness.runtime import InvalidModel

_INT, _UINT, _FLOAT, _INDIRECT_INT, _INDIRECT_UINT, _INDIRECT_FLOAT, _MAP, _BOOL = 1, 2, 3, 6, 7, 8, 9, 26
_CODES = {_INT: "bhiq", _UINT: "BHIQ", _FLOAT: " efd", _BOOL: "BHIQ"}
_INDIRECT = {_INDIRECT_INT: _INT, _INDIRECT_UINT: _UINT, _INDIRECT_FLOAT: _FLOAT}
_MOST = 256  # entries of a map: no operator has more options


def read_map(data: bytes) -> Mapping[str, float]:
    """Return the numbers of the map that the buffer holds; entries of other types are left out. Raises InvalidModel."""
    if len(data) < 3:
        raise _broken(f"{len(data)} bytes")
    packed, width = data[-2], data[-1]
    if packed >> 2 != _MAP or width not in (1, 2, 4, 8):
        raise _broken(f"type {packed >> 2} in {width} bytes; a map is needed")
    root = len(data) - 2 - width
    at, size = root - _number(data, root, width), 1 << (packed & 3)
    count = _number(data, at - size, size)
    keys = at - 3 * size - _number(data, at - 3 * size, size)
    key_size = _number(data, at - 2 * size, size)
    if count > _MOST or key_size not in (1, 2, 4, 8):
        raise _broken(f"{count} entries with names behind {key_size} bytes")
    found: dict[str, float] = {}
    for entry in range(count):
        place = keys + entry * key_size
        name = _text(data, place - _number(data, place, key_size))
        kind = _number(data, at + count * size + entry, 1)
        value = _value(data, at + entry * size, size, kind)
        if value is not None:
            found[name] = value
    return found


def _value(data: bytes, at: int, size: int, packed: int) -> float | None:
    kind = packed >> 2
    if kind in _INDIRECT:
        at, size, kind = at - _number(data, at, size), 1 << (packed & 3), _INDIRECT[kind]
    if kind not in _CODES:
        return None
    code = _CODES[kind][size.bit_length() - 1]
    if at < 0 or at + size > len(data) or code == " ":
        raise _broken(f"a number at byte {at}")
    value: float = struct.unpack_from(f"<{code}", data, at)[0]
    return value


def _number(data: bytes, at: int, size: int) -> int:
    if at < 0 or at + size > len(data):
        raise _broken(f"an offset to byte {at}")
    return int.from_bytes(data[at : at + size], "little")


def _text(data: bytes, at: int) -> str:
    end = data.find(b"\0", at) if 0 <= at < len(data) else -1
    if end < 0:
        raise _broken(f"a name at byte {at}")
    return data[at:end].decode("utf-8", "replace")


def _broken(what: str) -> InvalidModel:
    return InvalidModel(f"the options of a CUSTOM operator are no FlexBuffer map: {what}")
