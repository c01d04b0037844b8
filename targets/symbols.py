"""Names and addresses of a firmware image."""

from __future__ import annotations

import bisect
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

_MAPPING_SYMBOLS = ("$a", "$d", "$t")


def parsed_elf(file: BinaryIO) -> Any:
    """Return an ELF file as pyelftools reads it."""
    from elftools.elf.elffile import ELFFile  # takes a tenth of a second, and few processes read one

    return ELFFile(file)


def read_symbols(elf: Path) -> dict[str, tuple[int, int, str]]:
    """Return name -> (address, size in bytes, kind such as STT_FUNC) of an ELF file; the Thumb bit is cleared.

    A function that only its file sees is called FILE:NAME, as in add_int8.c:invoke: every kernel has an `invoke`.
    """
    with elf.open("rb") as file:
        table: Any = parsed_elf(file).get_section_by_name(".symtab")
        found, source = {}, ""
        for symbol in table.iter_symbols():
            kind = symbol["st_info"]["type"]
            if kind == "STT_FILE":
                source = symbol.name
            if symbol.name and not symbol.name.startswith(_MAPPING_SYMBOLS) and kind != "STT_FILE":
                address = symbol["st_value"] & ~1 if kind == "STT_FUNC" else symbol["st_value"]
                own = kind == "STT_FUNC" and symbol["st_info"]["bind"] == "STB_LOCAL" and source
                found[f"{source}:{symbol.name}" if own else symbol.name] = (address, symbol["st_size"], kind)
        return found


@dataclass(frozen=True, slots=True)
class Symbols:
    """Symbols of one image, by name, and its functions by address."""

    table: Mapping[str, tuple[int, int, str]]
    starts: tuple[int, ...]
    functions: tuple[str, ...]

    def address(self, name: str) -> int:
        """Return the address of a symbol. Raises KeyError."""
        return self.table[name][0]

    def size(self, name: str) -> int:
        """Return the size of a symbol in bytes. Raises KeyError."""
        return self.table[name][1]

    def function(self, address: int) -> str:
        """Return the function that holds a code address, or ""."""
        at = bisect.bisect_right(self.starts, address & ~1) - 1
        if at < 0:
            return ""
        start, size, _ = self.table[self.functions[at]]
        return self.functions[at] if address < start + max(size, 2) else ""


def load_symbols(path: Path) -> Symbols:
    """Read the JSON that the build left beside an image."""
    table = {name: (entry[0], entry[1], entry[2]) for name, entry in json.loads(path.read_text()).items()}
    by_address = sorted((entry[0], name) for name, entry in table.items() if entry[2] == "STT_FUNC")
    return Symbols(table, tuple(start for start, _ in by_address), tuple(name for _, name in by_address))
