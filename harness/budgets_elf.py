"""Which bytes of a linked image belong to whom: input sections of the link map, joined by kept relocations."""

from __future__ import annotations

import bisect
import re
import struct
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from opconform.targets.symbols import parsed_elf

_LINE = re.compile(r"^ (\.\S+|COMMON)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+) (\S.*)$", re.MULTILINE)
#: a long name stands alone on its line
_BROKEN = re.compile(r"^( \.\S+)\n +(?=0x)", re.MULTILINE)
#: these lie at address 0 and up without being in the memory
_NOT_LOADED = (".debug", ".comment", ".ARM.attributes", ".rel.", ".symtab", ".strtab", ".shstrtab", ".note", ".group")
_STRING_END = re.compile(rb"\0+")
_MAP_BEGINS = "Linker script and memory map"
_SHF_ALLOC = 2
_STT_SECTION = 3
_SHN_UNDEF = 0
_GLOBAL_NOTYPE = 0x10
_BOUNDED = (".data", ".bss")  # start-up code names their ends and needs none of their variables
_SYMBOL = struct.Struct("<IIIBBH")
_REL, _RELA = struct.Struct("<II"), struct.Struct("<IIi")
# Relocation types of "ELF for the Arm Architecture" whose place in the linked image tells the target by itself.
_WORDS = (2, 38)  # R_ARM_ABS32, R_ARM_TARGET1
_BRANCHES = (10, 30)  # R_ARM_THM_CALL, R_ARM_THM_JUMP24
_PREL31 = 42
_NONE = (0, 40)  # R_ARM_NONE, R_ARM_V4BX


@dataclass(frozen=True, slots=True)
class Piece:
    """One input section where the linker put it: `output` is the section of the image, `file` the object it is from."""

    name: str
    address: int
    size: int
    file: str
    output: str

    @property
    def library(self) -> bool:
        """Tell whether it is a member of an archive: libm, libc or libgcc."""
        return self.file.endswith(")")


@dataclass(frozen=True, slots=True)
class Graph:
    """The pieces of an image in order of address, what each refers to, and the symbols; `undefined` have no address."""

    pieces: tuple[Piece, ...]
    edges: tuple[frozenset[int], ...]
    symbols: Mapping[str, int]
    undefined: frozenset[str] = frozenset()

    def find(self, symbol: str) -> int | None:
        """Return the index of the piece that holds a symbol, or None."""
        return _index(self.pieces, self.symbols[symbol]) if symbol in self.symbols else None

    def at(self, symbol: str) -> int:
        """Return the index of the piece that holds a symbol. Raises KeyError."""
        found = self.find(symbol)
        if found is None:
            raise KeyError(symbol)
        return found

    def reach(self, roots: Iterable[int], cut: Collection[int] = ()) -> frozenset[int]:
        """Return every piece that `roots` need, themselves included; what only `cut` refers to is left out."""
        seen: set[int] = set()
        stack = list(roots)
        while stack:
            index = stack.pop()
            if index not in seen:
                seen.add(index)
                stack += () if index in cut else self.edges[index]
        return frozenset(seen)

    def bytes(self, indices: Iterable[int]) -> int:
        """Return the sum of the sizes of pieces, in bytes."""
        return sum(self.pieces[index].size for index in indices)


def read_graph(elf: Path, link_map: Path) -> Graph:
    """Read an image that was linked with --emit-relocs and its map."""
    with elf.open("rb") as file:
        image: Any = parsed_elf(file)
        outputs = [s for s in image.iter_sections() if s["sh_flags"] & _SHF_ALLOC and s["sh_size"]]
        spans = [(s["sh_addr"], s["sh_addr"] + s["sh_size"], s.name) for s in outputs]
        contents = {s.name: (s["sh_addr"], s.data()) for s in outputs if s["sh_type"] == "SHT_PROGBITS"}
        pieces = split_strings(read_map(link_map.read_text(), spans), contents)
        table = image.get_section_by_name(".symtab")
        values = list(_SYMBOL.iter_unpack(table.data()))
        names = _names(image.get_section(table["sh_link"]).data(), [entry[0] for entry in values])
        edges: list[set[int]] = [set() for _ in pieces]
        for output in outputs:
            place = (output["sh_addr"], output.data())
            if relocations := image.get_section_by_name(f".rel{output.name}"):
                _join(edges, pieces, _targets(place, relocations.data(), values))
            if relocations := image.get_section_by_name(f".rela{output.name}"):
                _join(edges, pieces, _sums(relocations.data(), values))
        known = {name: entry[1] for name, entry in zip(names, values, strict=True) if name}
        missing = {name for name, entry in zip(names, values, strict=True) if name and entry[5] == _SHN_UNDEF}
        return Graph(pieces, tuple(map(frozenset, edges)), known, frozenset(missing))


def _names(strings: bytes, offsets: Iterable[int]) -> list[str]:
    return [strings[at : strings.index(b"\0", at)].decode() for at in offsets]


def read_map(text: str, outputs: Sequence[tuple[int, int, str]]) -> tuple[Piece, ...]:
    """Return the input sections of a GNU link map that lie in `outputs` (first address, end, name)."""
    found: list[Piece] = []
    for name, address, size, file in _LINE.findall(_BROKEN.sub(r"\1 ", text[text.index(_MAP_BEGINS) :])):
        start, length = int(address, 16), int(size, 16)
        output = next((key for low, high, key in outputs if low <= start < high), "")
        if length and output and not name.startswith(_NOT_LOADED):
            found.append(Piece(name, start, length, file, output))
    # The linker keeps the old size of a section whose strings it merged into others: the next one begins inside it.
    ends = [piece.address for piece in found[1:]] + [1 << 32]
    clipped = (
        replace(piece, size=min(piece.size, end - piece.address)) if end >= piece.address else piece
        for piece, end in zip(found, ends, strict=True)
    )
    return tuple(sorted((piece for piece in clipped if piece.size), key=lambda piece: piece.address))


def split_strings(pieces: Iterable[Piece], contents: Mapping[str, tuple[int, bytes]]) -> tuple[Piece, ...]:
    """Make every string of a section of merged strings a piece of its own: it may serve other objects too."""
    found: list[Piece] = []
    for piece in pieces:
        if ".str1." not in piece.name or piece.output not in contents:
            found.append(piece)
            continue
        base, data = contents[piece.output]
        text = data[piece.address - base : piece.address - base + piece.size]
        starts = [0, *(match.end() for match in _STRING_END.finditer(text))]
        for start, end in pairwise(starts if starts[-1] == len(text) else [*starts, len(text)]):
            found.append(replace(piece, address=piece.address + start, size=end - start))
    return tuple(found)


def _index(pieces: Sequence[Piece], address: int) -> int | None:
    at = bisect.bisect_right(pieces, address, key=lambda piece: piece.address) - 1
    return at if at >= 0 and address < pieces[at].address + pieces[at].size else None


def _join(edges: list[set[int]], pieces: Sequence[Piece], references: Iterable[tuple[int, int, bool]]) -> None:
    """Add what `references` join: place, target, and whether the target may be an end from the linker script."""
    for place, value, bound in references:
        source, target = _index(pieces, place), _index(pieces, value)
        if source is None or target is None or source == target:
            continue
        if not (bound and pieces[target].output in _BOUNDED):
            edges[source].add(target)


def _targets(
    output: tuple[int, bytes], relocations: bytes, symbols: Sequence[tuple[int, ...]]
) -> Iterator[tuple[int, int, bool]]:
    """Yield the references of relocations without addends: Arm."""
    for place, info in _REL.iter_unpack(relocations):
        kind, (_, value, size, symbol_info, _, _) = info & 0xFF, symbols[info >> 8]
        if kind in _NONE:
            continue
        if symbol_info & 0xF == _STT_SECTION or kind in _WORDS:
            value = _target(output, place, kind, value)
        yield place, value, size == 0 and symbol_info == _GLOBAL_NOTYPE


def _sums(relocations: bytes, symbols: Sequence[tuple[int, ...]]) -> Iterator[tuple[int, int, bool]]:
    """Yield the references of relocations with addends: RISC-V and most others."""
    for place, info, addend in _RELA.iter_unpack(relocations):
        _, value, size, symbol_info, _, _ = symbols[info >> 8]
        yield place, (value + addend) & 0xFFFFFFFF, size == 0 and symbol_info == _GLOBAL_NOTYPE


def _target(output: tuple[int, bytes], place: int, kind: int, value: int) -> int:
    """Return where the relocated place points to: a section symbol, or that of a merged string, does not say."""
    base, data = output
    at = place - base
    if kind in _WORDS:
        return int.from_bytes(data[at : at + 4], "little")
    if kind == _PREL31:
        offset = int.from_bytes(data[at : at + 4], "little") & 0x7FFFFFFF
        return (place + (offset ^ 0x40000000) - 0x40000000) & 0xFFFFFFFF
    if kind in _BRANCHES:
        return place + 4 + branch_offset(*struct.unpack_from("<HH", data, at))
    return value


def branch_offset(first: int, second: int) -> int:
    """Return the signed offset of a 32-bit Thumb BL or B.W (Armv7-M Architecture, B encoding T4)."""
    sign, j1, j2 = first >> 10 & 1, second >> 13 & 1, second >> 11 & 1
    i1, i2 = 1 ^ j1 ^ sign, 1 ^ j2 ^ sign
    offset = sign << 24 | i1 << 23 | i2 << 22 | (first & 0x3FF) << 12 | (second & 0x7FF) << 1
    return offset - (sign << 25)
