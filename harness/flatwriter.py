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

_U32 = struct.Struct("<I")
#: code of a field that refers to a Block, a Table or Several; all others are those of the struct module
REFERENCE = "ref"
_SIZES = {code: struct.calcsize(f"<{code}") for code in "?bBhiIqf"} | {REFERENCE: _U32.size}


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
    """Where fields stand: `scalars` are the indices of those in `body`, `references` indices and places of the rest."""

    vtable: bytes
    body: struct.Struct
    alignment: int
    scalars: tuple[int, ...]
    references: tuple[tuple[int, int], ...]


@lru_cache(maxsize=1024)
def string(text: str) -> Block:
    """Return a string: its length in bytes, UTF-8, a zero byte."""
    data = text.encode()
    return Block(_U32.pack(len(data)) + data + b"\0", 4)


def vector(data: bytes, count: int, alignment: int) -> Block:
    """Return a vector of `count` scalars whose first one stands on a multiple of `alignment`."""
    return Block(_U32.pack(count) + data, alignment)


def integers(values: Sequence[int], code: str = "i") -> Block:
    """Return a vector of integers, whose width is that of a code of the struct module."""
    return Block(struct.pack(f"<I{len(values)}{code}", len(values), *values), _SIZES[code])


def scalar(slot: int, code: str, value: Any, default: Any) -> tuple[tuple[int, str, Any], ...]:
    """Return the field, or nothing where the value is what a reader assumes without it."""
    return () if value == default else ((slot, code, value),)


def write(root: Table, identifier: bytes) -> bytes:
    """Return a file: the root's place, four bytes of identifier, everything. No byte at its end is mere padding."""
    out = bytearray(_U32.size) + identifier
    _U32.pack_into(out, 0, _place(out, root, {}))
    return bytes(out)


def _place(out: bytearray, item: Block | Table | Several, vtables: dict[bytes, int]) -> int:
    """Append an item and all that it refers to. Returns where it begins."""
    if isinstance(item, Block):
        out += bytes(-(len(out) + _U32.size) % max(item.alignment, 4))
        at = len(out)
        out += item.data
        return at
    return _place_table(out, item, vtables) if isinstance(item, Table) else _place_several(out, item.items, vtables)


def _place_several(out: bytearray, items: Sequence[Any], vtables: dict[bytes, int]) -> int:
    out += bytes(-len(out) % _U32.size)
    at = len(out)
    out += _U32.pack(len(items)) + bytes(4 * len(items))
    for place, item in enumerate(items, 1):
        _U32.pack_into(out, at + 4 * place, _place(out, item, vtables) - (at + 4 * place))
    return at


def _place_table(out: bytearray, table: Table, vtables: dict[bytes, int]) -> int:
    slots, codes, values = zip(*table.fields, strict=True) if table.fields else ((), (), ())
    layout = _layout(slots, codes)
    known = vtables.get(layout.vtable)
    if known is None:
        out += bytes(-len(out) % 2)
        known = vtables[layout.vtable] = len(out)
        out += layout.vtable
    out += bytes(-len(out) % layout.alignment)
    at = len(out)
    out += layout.body.pack(at - known, *[values[index] for index in layout.scalars])
    for index, place in layout.references:
        _U32.pack_into(out, at + place, _place(out, values[index], vtables) - (at + place))
    return at


@lru_cache(maxsize=1024)
def _layout(slots: tuple[int, ...], codes: tuple[str, ...]) -> _Layout:
    """Place fields by falling size behind the distance, so that little is lost to alignment."""
    order = sorted(range(len(slots)), key=lambda index: -_SIZES[codes[index]])
    places = [0] * (max(slots, default=-1) + 1)
    body, end = "<i", 4
    for index in order:
        size = _SIZES[codes[index]]
        body += "x" * (-end % size) + ("4x" if codes[index] == REFERENCE else codes[index])
        end += -end % size + size
        places[slots[index]] = end - size
    vtable = struct.pack(f"<{len(places) + 2}H", 4 + 2 * len(places), end, *places)
    references = tuple((index, places[slot]) for index, slot in enumerate(slots) if codes[index] == REFERENCE)
    scalars = tuple(index for index in order if codes[index] != REFERENCE)
    alignment = max((_SIZES[code] for code in codes), default=4)
    return _Layout(vtable, struct.Struct(body), max(alignment, 4), scalars, references)
