"""Words for what went wrong on a board: fault registers and accesses out of bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opconform.targets.boards import Architecture
from opconform.targets.meters import Record, Region
from opconform.targets.symbols import Symbols

_NEAR = 1 << 16
#: where a fault report of every architecture has its exception, the return address and the address of the code
_EXCEPTION, _RETURN, _CODE = 0, 3, 4


def describe_fault(words: Sequence[int], architecture: Architecture, record: Record, symbols: Symbols) -> str:
    """Return the exception with its registers, and what they mean.

    E.g. "UsageFault (pc=0x00001234 cfsr=0x00010000): undefined instruction, in 0x00001234 (conv)".
    """
    registers = dict(zip(architecture.registers, words, strict=False))
    shown = " ".join(f"{name}={registers[name]:#010x}" for name in architecture.registers[1:] if registers[name])
    name = architecture.exceptions.get(words[_EXCEPTION], f"exception {words[_EXCEPTION]}")
    return f"{name} ({shown}): {_meaning(words, registers, architecture, record, symbols)}"


def _meaning(
    words: Sequence[int],
    registers: Mapping[str, int],
    architecture: Architecture,
    record: Record,
    symbols: Symbols,
) -> str:
    causes = [
        text for name, bits in architecture.causes.items() for bit, text in bits.items() if registers[name] >> bit & 1
    ]
    where = [
        f"at {registers[name]:#010x}"
        for name, conditions in architecture.addresses.items()
        if any(_holds(by, registers[by], allowed, architecture) for by, allowed in conditions.items())
    ]
    if words[_CODE]:
        where.append(f"in {place(words[_CODE], symbols)}")
        caller = symbols.function(words[_RETURN])
        where += [f"called from {caller}"] if caller else []
    else:
        causes = causes or ["stack pointer outside the stack"]
        where.append(f"{record.stack} bytes of stack in use")
        where += [f"the deepest by {place(record.stack_pc, symbols)}"] if record.stack_pc else []
    return ", ".join([*([" and ".join(causes)] if causes else []), *where])


def _holds(name: str, value: int, allowed: Sequence[int], architecture: Architecture) -> bool:
    """Tell whether a register has one of the bits, or, for the exception number, is one of the values."""
    if name == architecture.registers[_EXCEPTION]:
        return value in allowed
    return any(value >> bit & 1 for bit in allowed)


def describe_access(record: Record, parts: Sequence[Region], symbols: Symbols) -> str:
    """Return one clause, e.g. "out-of-bounds store of 4 bytes at 0x20004000, pc 0x1234 (conv)"."""
    kind = "store" if record.bad_store else "load"
    where = neighbour(record.bad_address, parts)
    if record.bad_gap:
        where = f" (in the arena, {_bytes(record.bad_gap)} past the end of a tensor)"
    more = f", and {record.bad_count - 1} more" if record.bad_count > 1 else ""
    what = f"out-of-bounds {kind} of {_bytes(record.bad_bytes)} at {record.bad_address:#010x}"
    return f"{what}{where}, pc {place(record.bad_pc, symbols)}{more}"


def _bytes(count: int) -> str:
    return f"{count} byte" + "s" * (count != 1)


def neighbour(address: int, parts: Sequence[Region]) -> str:
    """Return which region an address just misses, in brackets, or ""."""
    gaps = []
    for part in parts:
        if part.low <= address < part.high:
            return f" (in the {part.name}, {address - part.low} bytes from its start)"
        gaps.append((address - part.high, f" ({address - part.high} bytes past the end of the {part.name})"))
        gaps.append((part.low - address, f" ({part.low - address} bytes below the {part.name})"))
    distance, text = min((gap for gap in gaps if gap[0] >= 0), default=(_NEAR, ""))
    return text if distance < _NEAR else ""


def place(address: int, symbols: Symbols) -> str:
    """Return a code address with its function, e.g. "0x00001234 (conv)"."""
    function = symbols.function(address)
    return f"{address:#010x} ({function})" if function else f"{address:#010x}"
