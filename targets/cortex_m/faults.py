"""Words for what went wrong on a board: fault registers and accesses out of bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opconform.targets.cortex_m.meters import Record, Region
from opconform.targets.cortex_m.symbols import Symbols

#: bits of CFSR (Armv7-M and Armv8-M Architecture Reference Manuals, "Configurable Fault Status Register")
_CFSR: Mapping[int, str] = {
    0: "instruction access violation",
    1: "data access violation",
    3: "fault while unstacking",
    4: "stack overflow while stacking",
    5: "fault while saving FP registers",
    8: "instruction bus error",
    9: "precise data bus error",
    10: "imprecise data bus error",
    11: "bus error while unstacking",
    12: "bus error while stacking",
    13: "bus error while saving FP registers",
    16: "undefined instruction",
    17: "invalid state",
    18: "invalid return address",
    19: "no coprocessor",
    20: "stack overflow",
    24: "unaligned access",
    25: "division by zero",
}
_MMFAR_VALID, _BFAR_VALID = 1 << 7, 1 << 15
_NEAR = 1 << 16


def describe_fault(registers: Mapping[str, int], record: Record, symbols: Symbols) -> str:
    """Return one clause beside the registers, e.g. "undefined instruction in conv (called from invoke)"."""
    cfsr = registers["cfsr"]
    causes = [text for bit, text in _CFSR.items() if cfsr >> bit & 1]
    where = [
        f"at {registers[register]:#010x}"
        for register, valid in (("mmfar", _MMFAR_VALID), ("bfar", _BFAR_VALID))
        if cfsr & valid
    ]
    if registers["pc"]:
        where.append(f"in {place(registers['pc'], symbols)}")
        caller = symbols.function(registers["lr"])
        where += [f"called from {caller}"] if caller else []
    else:
        causes = causes or ["stack pointer outside the stack"]
        where.append(f"{record.stack} bytes of stack in use")
        where += [f"the deepest by {place(record.stack_pc, symbols)}"] if record.stack_pc else []
    return ", ".join([" and ".join(causes) or "fault", *where])


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
