"""The page shared with the meter plugin; meter/meter.c has the same layout."""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from opconform.targets.boards import Target
from opconform.targets.symbols import Symbols

RECORDS = 1024
_RECORD = struct.Struct("<15Q")
_RECORD_BYTES = 128
_RECORDS_AT = 512
_PAGE_BYTES = _RECORDS_AT + RECORDS * _RECORD_BYTES
_WORD = struct.Struct("<Q")
_RANGE = struct.Struct("<4Q")
_MAGIC = 0x3152544D43504F  # "OPCMTR1"
_LOAD, _LOAD_STORE = 1, 3
_MARKS = (
    *("opc_meter_begin", "opc_meter_end", "board_tick_entry"),
    *("board_tick_leave", "board_fault_entry", "opc_meter_answer"),
)
_WATCH = ("opc_watch_forget", "opc_watch_load", "opc_watch_store")


@dataclass(frozen=True, slots=True)
class Record:
    """What happened before one answer. Bytes, except the counts.

    `stack` is the depth below the entry of the invocation, `arena` the end of the highest store to the arena.
    `stack_pc` made the lowest store to the stack. `bad_*` describe the first of `bad_count` accesses
    that no range allowed; `bad_gap`, where not 0, is its distance behind the last byte of the nearest tensor below it.
    `model_loads` counts those of `loads` that read the model.
    """

    model_bytes: int
    windows: int
    instructions: int
    loads: int
    stores: int
    stack: int
    arena: int
    bad_count: int
    bad_pc: int
    bad_address: int
    bad_bytes: int
    bad_store: int
    stack_pc: int
    bad_gap: int = 0
    model_loads: int = 0


@dataclass(frozen=True, slots=True)
class Region:
    """A named part of the memory: [low, high)."""

    name: str
    low: int
    high: int


def regions(target: Target, symbols: Symbols) -> tuple[Region, ...]:
    """Return stack, arena, model, flash and the worker's variables of an image, in this order."""
    model = symbols.address("opc_model_buffer")
    arena = symbols.address("opc_arena_buffer")
    return (
        Region("stack", symbols.address("opc_task_stack_bottom"), symbols.address("opc_task_stack_top")),
        Region("arena", arena, arena + symbols.size("opc_arena_buffer")),
        Region("model", model, model + symbols.size("opc_model_buffer")),
        Region("flash", target.flash.origin, target.flash.origin + target.flash.bytes),
        Region("data", symbols.address("opc_data_start"), symbols.address("opc_data_end")),
        Region("data", symbols.address("opc_bss_start"), symbols.address("opc_bss_end")),
    )


class Page:
    """The shared page of one QEMU; an anonymous file that QEMU reaches through an inherited descriptor."""

    def __init__(self) -> None:
        self.fd = os.memfd_create("opconform-meters")
        os.ftruncate(self.fd, _PAGE_BYTES)
        self._map = mmap.mmap(self.fd, _PAGE_BYTES)

    def reset(self, symbols: Symbols, parts: Sequence[Region]) -> None:
        """Forget all records and set what the plugin watches; call before QEMU starts."""
        self._map[:] = bytes(_PAGE_BYTES)
        marks = [symbols.address(name) for name in _MARKS]
        struct.pack_into("<8Q", self._map, 0, _MAGIC, 0, *marks)
        stack, arena, model, *others = parts
        for index, part in enumerate((stack, arena, model)):
            _RANGE.pack_into(self._map, 64 + 32 * index, part.low, part.high, 0, 0)
        struct.pack_into(
            "<2Q", self._map, 424, symbols.address("board_quiet_start"), symbols.address("board_quiet_end")
        )
        watch = [symbols.table[name][0] if name in symbols.table else 0 for name in _WATCH]  # 0: no worker of micro
        struct.pack_into("<3Q", self._map, 440, *watch)
        _WORD.pack_into(self._map, 160, len(others))
        for index, part in enumerate(others):
            allow = _LOAD if part.name == "flash" else _LOAD_STORE
            _RANGE.pack_into(self._map, 168 + 32 * index, part.low, part.high, allow, 0)

    def answers(self) -> int:
        """Return how many answers the worker has completed since the start."""
        return int(_WORD.unpack_from(self._map, 8)[0])

    def expect(self, frame: int, model_bytes: int) -> None:
        """Say before sending that the `frame`-th frame since the start opens a model of so many bytes, or none: 0."""
        _WORD.pack_into(self._map, _RECORDS_AT + frame % RECORDS * _RECORD_BYTES, model_bytes)

    def record(self, answer: int) -> Record:
        """Return what the plugin noted before the `answer`-th answer since the start (one of the last 1023)."""
        return Record(*_RECORD.unpack_from(self._map, _RECORDS_AT + answer % RECORDS * _RECORD_BYTES))

    def close(self) -> None:
        """Give the memory back; safe to call twice."""
        if not self._map.closed:
            self._map.close()
            os.close(self.fd)
