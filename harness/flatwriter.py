"""Write flatbuffers: a tree of tables, vectors and strings -> bytes, from the root down.

The format (the public description of FlatBuffers' internals): a table begins with the distance back to its vtable;
the vtable holds its own size, the table's size and, per slot, where the field stands in the table (0: not stored).
References are unsigned and point forward, so that parents come before what they refer to.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

_SIZES = {code: struct.calcsize(f"<{code}") for code in "?bBhiIqf"}
_U32 = struct.Struct("<I")
#: code of a field that refers to a Block, a Table or Several; all others are those of the struct module
REFERENCE = "ref"


class Block(NamedTuple):
    """Bytes that are stored as they are: four bytes of length, then data on a multiple of `alignment` (4 at least)."""

    data: bytes
    alignment: int


class Table(NamedTuple):
    """Stored fields: slot, code and value of each."""

    fields: Sequence[tuple[int, str, Any]]


class Several(NamedTuple):
    """A vector of references."""

    items: Sequence[Any]


class _Layout(NamedTuple):
    """Where the fields of a kind of table stand; `order` is theirs in memory, `references` are index and place."""

    vtable: bytes
    body: struct.Struct
    alignment: int
    order: tuple[int, ...]
    references: tuple[tuple[int, int], ...]


@lru_cache(maxsize=1024)
def string(text: str) -> Block:
    """Return a string: its length in bytes, UTF-8, a zero byte."""
    data = text.encode()
    return Block(_U32.pack(len(data)) + data + b"\0", 4)


def vector(data: bytes, count: int, alignment: int) -> Block:
    """Return a vector of `count` scalars whose first one stands on a multiple of `alignment`."""
    return Block(_U32.pack(count) + data, alignment)


def scalar(slot: int, code: str, value: Any, default: Any) -> tuple[tuple[int, str, Any], ...]:
    """Return the field, or nothing where the value is what a reader assumes without it."""
    return () if value == default else ((slot, code, value),)


def write(root: Table, identifier: bytes) -> bytes:
    """Return a file: the root's place, four bytes of identifier, everything. No byte at its end is mere padding."""
    out = bytearray(_U32.size) + identifier
    _U32.pack_into(out, 0, _place(out, root, {}))
    return bytes(out)


def _pad(out: bytearray, ahead: int, alignment: int) -> None:
    """Let what follows `ahead` more bytes stand on a multiple of `alignment`."""
    if missing := -(len(out) + ahead) % alignment:
        out += bytes(missing)


def _place(out: bytearray, item: Block | Table | Several, vtables: dict[bytes, int]) -> int:
    """Append an item and all that it refers to. Returns where it begins."""
    if isinstance(item, Table):
        return _place_table(out, item.fields, vtables)
    _pad(out, _U32.size, max(item.alignment, 4) if isinstance(item, Block) else 4)
    at = len(out)
    if isinstance(item, Block):
        out += item.data
        return at
    out += _U32.pack(len(item.items)) + bytes(4 * len(item.items))
    for place, part in enumerate(item.items, 1):
        _refer(out, at + 4 * place, part, vtables)
    return at


def _refer(out: bytearray, at: int, item: Any, vtables: dict[bytes, int]) -> None:
    _U32.pack_into(out, at, _place(out, item, vtables) - at)


def _place_table(out: bytearray, fields: Sequence[tuple[int, str, Any]], vtables: dict[bytes, int]) -> int:
    layout = _layout(tuple([field[:2] for field in fields]))
    known = vtables.get(layout.vtable)
    if known is None:
        _pad(out, 0, 2)
        known = vtables[layout.vtable] = len(out)
        out += layout.vtable
    _pad(out, 0, layout.alignment)
    at = len(out)
    values = [0 if code == REFERENCE else value for _, code, value in fields]
    out += layout.body.pack(at - known, *[values[index] for index in layout.order])
    for index, place in layout.references:
        _refer(out, at + place, fields[index][2], vtables)
    return at


@lru_cache(maxsize=1024)
def _layout(shape: tuple[tuple[int, str], ...]) -> _Layout:
    """Place fields by falling size behind the distance, so that little is lost to alignment."""
    codes = ["I" if code == REFERENCE else code for _, code in shape]
    order = sorted(range(len(shape)), key=lambda index: -_SIZES[codes[index]])
    slots = [0] * (max((slot for slot, _ in shape), default=-1) + 1)
    body, end = "<i", 4
    for index in order:
        size = _SIZES[codes[index]]
        body += "x" * (-end % size) + codes[index]
        end += -end % size + size
        slots[shape[index][0]] = end - size
    vtable = struct.pack(f"<{len(slots) + 2}H", 4 + 2 * len(slots), end, *slots)
    references = tuple((index, slots[slot]) for index, (slot, code) in enumerate(shape) if code == REFERENCE)
    alignment = max((_SIZES[code] for code in codes), default=4)
    return _Layout(vtable, struct.Struct(body), max(alignment, 4), tuple(order), references)
