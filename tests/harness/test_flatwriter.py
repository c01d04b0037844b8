"""Flatbuffers by hand: read back by the flatbuffers package, and laid out as in-place readers need them."""

from __future__ import annotations

import struct

import pytest
from flatbuffers import number_types as kinds
from flatbuffers.table import Table as Reader

from opconform.harness.flatwriter import REFERENCE, Block, Several, Table, scalar, string, vector, write


def opened(data: bytes) -> Reader:
    return Reader(bytearray(data), struct.unpack_from("<I", data)[0])


def field(table: Reader, slot: int) -> int:
    """Return where the field of a slot stands, 0 where it is not stored."""
    offset = table.Offset(4 + 2 * slot)
    return offset and table.Pos + offset


SCALARS = [("?", True, kinds.BoolFlags), ("b", -5, kinds.Int8Flags), ("B", 200, kinds.Uint8Flags)]
SCALARS += [("h", -500, kinds.Int16Flags), ("i", -70000, kinds.Int32Flags), ("I", 4000000000, kinds.Uint32Flags)]
SCALARS += [("q", -(2**40), kinds.Int64Flags), ("f", 0.5, kinds.Float32Flags)]


def test_every_scalar_of_a_table_is_read_back_and_aligned() -> None:
    table = opened(write(Table([(2 * n, code, value) for n, (code, value, _) in enumerate(SCALARS)]), b"TEST"))
    for number, (code, value, kind) in enumerate(SCALARS):
        at = field(table, 2 * number)
        assert table.Get(kind, at) == value
        assert at % struct.calcsize(f"<{code}") == 0
        assert field(table, 2 * number + 1) == 0


def test_a_field_that_has_its_default_is_not_stored() -> None:
    assert scalar(3, "i", 1, 1) == ()
    assert scalar(3, "i", 2, 1) == ((3, "i", 2),)


@pytest.mark.parametrize("alignment", [1, 4, 8, 16])
@pytest.mark.parametrize("ahead", ["", "a", "abcdefg"])
def test_the_data_of_a_vector_stands_on_its_boundary(alignment: int, ahead: str) -> None:
    data = bytes(range(1, 17))
    table = opened(write(Table([(0, REFERENCE, string(ahead)), (1, REFERENCE, vector(data, 16, alignment))]), b"TEST"))
    assert table.String(field(table, 0)) == ahead.encode()
    begin = table.Vector(field(table, 1) - table.Pos)
    assert begin % max(alignment, 4) == 0
    assert table.VectorLen(field(table, 1) - table.Pos) == 16
    assert bytes(table.Bytes[begin : begin + 16]) == data


def test_tables_in_tables_keep_their_own_values_and_share_vtables() -> None:
    children = [Table([(0, "i", n), (1, REFERENCE, string(f"child {n}"))]) for n in range(5)]
    table = opened(write(Table([(0, REFERENCE, Several(children))]), b"TEST"))
    begin = table.Vector(field(table, 0) - table.Pos)
    found = [Reader(table.Bytes, table.Indirect(begin + 4 * n)) for n in range(5)]
    assert [child.Get(kinds.Int32Flags, field(child, 0)) for child in found] == list(range(5))
    assert [child.String(field(child, 1)) for child in found] == [f"child {n}".encode() for n in range(5)]
    assert len({child.Pos - child.Get(kinds.SOffsetTFlags, child.Pos) for child in found}) == 1


def test_a_file_says_what_it_is_and_ends_with_its_last_byte() -> None:
    data = write(Table([(0, REFERENCE, Block(b"\x03\0\0\0xyz", 1))]), b"TEST")
    assert data[4:8] == b"TEST"
    assert data.endswith(b"xyz")


def test_an_empty_table_is_a_table() -> None:
    assert field(opened(write(Table(()), b"TEST")), 0) == 0
