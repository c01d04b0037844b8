"""What the launcher adds to the frames that come from a board: meters, and words for faults."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from opconform.harness import wire
from opconform.targets.boards import MOST_REGISTERS, Architecture
from opconform.targets.faults import describe_access, describe_fault
from opconform.targets.meters import Record, Region
from opconform.targets.symbols import Symbols

_COUNTS = struct.Struct("<HH")
_METER = struct.Struct("<HHII")
_STACK, _INSTRUCTIONS = 2, 3
_WORDS = struct.Struct(f"<{MOST_REGISTERS}I")


@dataclass(frozen=True, slots=True)
class Map:
    """The memory of one image: its regions and its symbols, and the words for faults of its architecture."""

    regions: Sequence[Region]
    symbols: Symbols
    architecture: Architecture


def complete(frame: bytes, record: Record, image: Map) -> bytes:
    """Return the frame with what the plugin measured.

    RESULT gets the meters stack and instructions; after an access out of bounds it becomes ERROR 5, which says where.
    ERROR 6 gets what its registers say as text, and zeros for them. A frame whose CRC is wrong, and every other
    frame, stays as it is.
    """
    _, kind, _, _, sequence, _, crc = wire.HEADER.unpack_from(frame)
    payload = memoryview(frame)[wire.HEADER.size :]
    if kind not in (wire.RESULT, wire.ERROR) or zlib.crc32(payload) != crc:
        return frame
    if kind == wire.ERROR:
        return _explained(frame, record, image)
    if record.bad_count:
        return _error(sequence, wire.INTERNAL, describe_access(record, image.regions, image.symbols))
    return _metered(sequence, payload, record) if record.windows else frame


def _metered(sequence: int, payload: memoryview, record: Record) -> bytes:
    tensors, count = _COUNTS.unpack_from(payload)
    end = _COUNTS.size + count * _METER.size
    there = {_METER.unpack_from(payload, at)[0] for at in range(_COUNTS.size, end, _METER.size)}
    found = {_STACK: record.stack, _INSTRUCTIONS: record.instructions}
    new = [_METER.pack(key, 0, value & 0xFFFFFFFF, value >> 32) for key, value in found.items() if key not in there]
    parts: list[bytes | memoryview] = [
        _COUNTS.pack(tensors, count + len(new)),
        payload[_COUNTS.size : end],
        *new,
        payload[end:],
    ]
    return wire.encode_frame(wire.RESULT, sequence, b"".join(parts))


def _explained(frame: bytes, record: Record, image: Map) -> bytes:
    try:
        decoded = wire.decode_frame(frame)
        failure = wire.decode_error(decoded.payload)
    except wire.WireError:
        return frame
    if failure.code not in (wire.FAULT, wire.BUDGET):
        return frame
    fault = failure.code == wire.FAULT
    words = _WORDS.unpack_from(decoded.payload, len(decoded.payload) - _WORDS.size) if fault else ()
    texts = [describe_fault(words, image.architecture, record, image.symbols) if fault else failure.text]
    if record.bad_count:
        texts.append(describe_access(record, image.regions, image.symbols))
    return _error(decoded.sequence, failure.code, "; before it: ".join(texts), bytes(_WORDS.size if fault else 0))


def _error(sequence: int, code: int, text: str, registers: bytes = b"") -> bytes:
    data = text.encode()
    body = _COUNTS.pack(code, len(data)) + data + bytes(-len(data) % 4) + registers
    return wire.encode_frame(wire.ERROR, sequence, body)


def worst(seen: Mapping[str, int], record: Record) -> dict[str, int]:
    """Return the meters of a target with one more invocation: the largest of each."""
    found = {
        "stack": record.stack,
        "instructions": record.instructions,
        "loads": record.loads,
        "model-loads": record.model_loads,
        "stores": record.stores,
        "arena-touched": record.arena,
    }
    return {key: max(value, seen.get(key, 0)) for key, value in found.items()}
