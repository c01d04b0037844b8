"""The wire: frames and tensors as bytes, exactly as docs/wire.md lays them out.

Encoding trusts its caller, decoding trusts nobody: every length is checked before it is used, and a
WireError says what was found and what is allowed. All functions are pure but `FrameReader`, which keeps
the bytes that have come so far.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from opconform.harness.model import CODE_TO_DTYPE, DTYPES, INNER_DTYPES, Array, Shape

MAGIC = b"OPC1"
VERSION = 1
HEADER = struct.Struct("<4sBBHIII")
MAX_PAYLOAD = 16 * 1024 * 1024
UNKNOWN_DIM = 0xFFFFFFFF
UNKNOWN_COUNT = 0xFFFF
MAX_RANK = 32  # NumPy 1 stops here, and no op of the schema goes beyond

HELLO, OPEN, RUN, CLOSE, BYE, OPEN_FILE = 1, 2, 3, 4, 5, 6
READY, OPENED, RESULT, CLOSED, GONE, ERROR = 129, 130, 131, 132, 133, 192
KINDS: Mapping[int, str] = {
    HELLO: "HELLO",
    OPEN: "OPEN",
    RUN: "RUN",
    CLOSE: "CLOSE",
    BYE: "BYE",
    OPEN_FILE: "OPEN_FILE",
    READY: "READY",
    OPENED: "OPENED",
    RESULT: "RESULT",
    CLOSED: "CLOSED",
    GONE: "GONE",
    ERROR: "ERROR",
}

METERS: Mapping[int, str] = {
    1: "arena",
    2: "stack",
    3: "instructions",
    4: "time",
    5: "scratch",
    6: "delegated",
    7: "parts",
}
_METER_IDS: Mapping[str, int] = {name: number for number, name in METERS.items()}

UNSUPPORTED, INVALID_MODEL, INVALID_INPUT, NO_MEMORY, INTERNAL, FAULT, BUDGET, BAD_FRAME, LOST, UNREACHED = range(1, 11)
CODES: Mapping[int, str] = {
    UNSUPPORTED: "unsupported",
    INVALID_MODEL: "invalid-model",
    INVALID_INPUT: "invalid-input",
    NO_MEMORY: "no-memory",
    INTERNAL: "internal",
    FAULT: "fault",
    BUDGET: "budget",
    BAD_FRAME: "bad-frame",
    LOST: "lost",
    UNREACHED: "unreached",
}
REGISTERS = ("exception", "r0", "r12", "lr", "pc", "xpsr", "cfsr", "hfsr", "mmfar", "bfar", "sfsr", "sfar")
_REGISTER_WORDS = 16

_READY = struct.Struct("<HHIIH")
_OPENED = struct.Struct("<HHI")
_COUNTS = struct.Struct("<HH")
_METER = struct.Struct("<HHII")
_TENSOR = struct.Struct("<BBHI")
_DIMS = tuple(struct.Struct(f"<{rank}I") for rank in range(MAX_RANK + 1))
_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")
_SENT = {dtype: code for name, (dtype, code) in DTYPES.items() if name not in INNER_DTYPES}
_RECEIVED = {code: DTYPES[name][0] for code, name in CODE_TO_DTYPE.items() if name not in INNER_DTYPES}


class WireError(Exception):
    """Bytes that break docs/wire.md; the message is one line: where, what was found, what is allowed."""


class Frame(NamedTuple):
    """One frame, header checked."""

    kind: int
    sequence: int
    payload: bytes


class Descriptor(NamedTuple):
    """dtype name and shape of one input or output; `shape` is None where it is not known before a run."""

    dtype: str
    shape: Shape | None


@dataclass(frozen=True, slots=True)
class Ready:
    """Payload of READY. `arena` 0: not bounded."""

    name: str
    largest: int = MAX_PAYLOAD
    arena: int = 0


@dataclass(frozen=True, slots=True)
class Opened:
    """Payload of OPENED. `arena` 0 and descriptors None: the worker does not know them."""

    inputs: tuple[Descriptor, ...] | None = None
    outputs: tuple[Descriptor, ...] | None = None
    arena: int = 0


@dataclass(frozen=True, slots=True)
class Failure:
    """Payload of ERROR; `registers` only where code is FAULT."""

    code: int
    text: str
    registers: Mapping[str, int] = field(default_factory=dict)


def encode_frame(kind: int, sequence: int, payload: bytes = b"") -> bytes:
    """Return header and payload."""
    return HEADER.pack(MAGIC, kind, VERSION, 0, sequence, len(payload), zlib.crc32(payload)) + payload


def payload_length(header: bytes | bytearray, largest: int = MAX_PAYLOAD) -> int:
    """Check the first 20 bytes of a frame and return how many follow. Raises WireError."""
    magic, kind, version, reserved, _, length, _ = HEADER.unpack_from(header)
    if magic != MAGIC:
        raise WireError(f"no frame begins with {bytes(header[:12])!r}, {MAGIC!r} is allowed")
    if version != VERSION:
        raise WireError(f"frame of version {version}, {VERSION} is allowed")
    if kind not in KINDS:
        raise WireError(f"frame of kind {kind}, allowed are {sorted(KINDS)}")
    if reserved:
        raise WireError(f"frame {KINDS[kind]}: reserved field is {reserved}, 0 is allowed")
    if length > largest:
        raise WireError(f"frame {KINDS[kind]}: {length} bytes of payload, {largest} are allowed")
    return int(length)


def decode_frame(data: bytes, largest: int = MAX_PAYLOAD) -> Frame:
    """Decode exactly one whole frame and check its CRC. Raises WireError."""
    if len(data) < HEADER.size:
        raise WireError(f"frame of {len(data)} bytes, {HEADER.size} are the least")
    length = payload_length(data, largest)
    payload = bytes(data[HEADER.size :])
    if len(payload) != length:
        raise WireError(f"frame with {len(payload)} bytes of payload, its header says {length}")
    _, kind, _, _, sequence, _, crc = HEADER.unpack_from(data)
    if zlib.crc32(payload) != crc:
        raise WireError(f"frame {KINDS[kind]}: CRC is {zlib.crc32(payload):#010x}, its header says {crc:#010x}")
    return Frame(kind, sequence, payload)


class FrameReader:
    """Cuts a stream of bytes into whole frames."""

    def __init__(self, largest: int = MAX_PAYLOAD) -> None:
        self._largest = largest
        self._pending = bytearray()

    def feed(self, data: bytes) -> None:
        """Add bytes that came."""
        self._pending += data

    @property
    def pending(self) -> bytes:
        """Return the bytes that are no whole frame yet."""
        return bytes(self._pending)

    def next(self) -> bytes | None:
        """Return the next whole frame, CRC unchecked, or None. Raises WireError as soon as no frame can come."""
        if len(self._pending) < HEADER.size:
            if not MAGIC.startswith(self._pending[:4]):
                raise WireError(f"no frame begins with {bytes(self._pending[:12])!r}, {MAGIC!r} is allowed")
            return None
        end = HEADER.size + payload_length(self._pending, self._largest)
        if len(self._pending) < end:
            return None
        frame = bytes(self._pending[:end])
        del self._pending[:end]
        return frame

    def __iter__(self) -> Iterator[bytes]:
        while (frame := self.next()) is not None:
            yield frame


def encode_tensor(array: Array) -> bytes:
    """Return header, dimensions, data and padding. Raises WireError for a dtype that does not travel."""
    code = _SENT.get(array.dtype)
    if code is None:
        raise WireError(f"tensor of dtype {array.dtype}, allowed are {_dtype_names()}")
    head = _TENSOR.pack(code, array.ndim, 0, array.nbytes) + _DIMS[array.ndim].pack(*array.shape)
    return head + array.tobytes() + _PADDING[array.nbytes & 3]


def encode_descriptor(descriptor: Descriptor) -> bytes:
    """Return the tensor header and dimensions without data; a shape that is not known has one unknown dimension."""
    shape = (UNKNOWN_DIM,) if descriptor.shape is None else descriptor.shape
    return _TENSOR.pack(DTYPES[descriptor.dtype][1], len(shape), 0, 0) + _DIMS[len(shape)].pack(*shape)


def _dtype_names() -> str:
    return " ".join(str(dtype) for dtype in _SENT)


def _tensor_head(payload: bytes, at: int, what: str) -> tuple[np.dtype[np.generic], Shape, int, int]:
    """Return dtype, dimensions, bytes of data and where they begin."""
    if at + _TENSOR.size > len(payload):
        raise WireError(f"{what} begins at byte {at}, the payload has {len(payload)}")
    code, rank, reserved, size = _TENSOR.unpack_from(payload, at)
    dtype = _RECEIVED.get(code)
    if dtype is None:
        raise WireError(f"{what} has dtype code {code}, allowed are {sorted(_RECEIVED)}")
    if rank > MAX_RANK or reserved:
        raise WireError(f"{what} has rank {rank} and reserved {reserved}, allowed are at most {MAX_RANK} and 0")
    begin = at + _TENSOR.size + 4 * rank
    if begin > len(payload):
        raise WireError(f"{what} has rank {rank}, its dimensions end at byte {begin} of {len(payload)}")
    return dtype, _DIMS[rank].unpack_from(payload, at + _TENSOR.size), size, begin


def decode_tensor(payload: bytes, at: int, what: str = "tensor") -> tuple[Array, int]:
    """Return the tensor that begins at byte `at`, and where the next one begins. Raises WireError.

    The array is a read-only view of `payload` wherever the data is aligned for its dtype, else a copy.
    """
    dtype, shape, size, begin = _tensor_head(payload, at, what)
    count = 1
    for dim in shape:
        count *= dim
    if size != count * dtype.itemsize:
        raise WireError(f"{what} has {size} bytes, {dtype} {list(shape)} takes {count * dtype.itemsize}")
    end = begin + size + (-size & 3)
    if end > len(payload):
        raise WireError(f"{what} ends at byte {end}, the payload has {len(payload)}")
    try:
        array: Array = np.ndarray(shape, dtype, payload, begin) if count else np.empty(shape, dtype)
    except ValueError as error:  # dimensions whose product is 0 may still overflow NumPy's strides
        raise WireError(f"{what} has dimensions {list(shape)}: {error}") from error
    return (array if dtype.itemsize <= 4 or array.flags.aligned else array.copy()), end


def _decode_tensors(payload: bytes, at: int, count: int, what: str) -> tuple[Array, ...]:
    tensors = []
    for index in range(count):
        tensor, at = decode_tensor(payload, at, f"{what} tensor {index}")
        tensors.append(tensor)
    _at_end(payload, at, what)
    return tuple(tensors)


def _at_end(payload: bytes, at: int, what: str) -> None:
    if at != len(payload):
        raise WireError(f"{what} has {len(payload)} bytes, its fields take {at}")


def _unpack(layout: struct.Struct, payload: bytes, what: str, at: int = 0) -> tuple[int, ...]:
    if at + layout.size > len(payload):
        raise WireError(f"{what} has {len(payload)} bytes, {at + layout.size} are the least")
    return layout.unpack_from(payload, at)


def encode_run(inputs: Sequence[Array]) -> bytes:
    """Return the payload of RUN."""
    return _COUNTS.pack(len(inputs), 0) + b"".join([encode_tensor(array) for array in inputs])


def decode_run(payload: bytes) -> tuple[Array, ...]:
    """Return the tensors of a RUN. Raises WireError."""
    count, flags = _unpack(_COUNTS, payload, "RUN")
    if flags:
        raise WireError(f"RUN has flags {flags}, 0 is allowed")
    tensors = _decode_tensors(payload, _COUNTS.size, count, "RUN")
    for index, tensor in enumerate(tensors):
        if tensor.dtype.kind == "b" and tensor.size and tensor.view(np.uint8).max() > 1:
            found = tensor.view(np.uint8).max()
            raise WireError(f"RUN tensor {index} holds a bool byte {found}, 0 and 1 are allowed")
    return tensors


def encode_result(outputs: Sequence[Array], meters: Mapping[str, int] | None = None) -> bytes:
    """Return the payload of RESULT; meters that the wire has no number for are left out."""
    known = [(number, (meters or {})[name]) for name, number in _METER_IDS.items() if name in (meters or {})]
    parts = [_COUNTS.pack(len(outputs), len(known))]
    parts += [_METER.pack(number, 0, value & 0xFFFFFFFF, value >> 32 & 0xFFFFFFFF) for number, value in known]
    parts += [encode_tensor(array) for array in outputs]
    return b"".join(parts)


def decode_result(payload: bytes) -> tuple[tuple[Array, ...], dict[str, int]]:
    """Return outputs and meters of a RESULT. Raises WireError.

    A bool byte other than 0 and 1 is left as it is: a wrong answer, which the judge names, and no broken frame.
    """
    tensors, count = _unpack(_COUNTS, payload, "RESULT")
    at, meters = _COUNTS.size, {}
    for index in range(count):
        number, _, low, high = _unpack(_METER, payload, f"RESULT meter {index}", at)
        if number not in METERS:
            raise WireError(f"RESULT meter {index} has id {number}, allowed are {sorted(METERS)}")
        meters[METERS[number]] = low | high << 32
        at += _METER.size
    return _decode_tensors(payload, at, tensors, "RESULT"), meters


def encode_ready(ready: Ready) -> bytes:
    """Return the payload of READY."""
    name = ready.name.encode()
    return _READY.pack(VERSION, 0, ready.largest, ready.arena, len(name)) + name


def decode_ready(payload: bytes) -> Ready:
    """Return what a READY says. Raises WireError."""
    version, _, largest, arena, length = _unpack(_READY, payload, "READY")
    if version != VERSION:
        raise WireError(f"READY of wire version {version}, {VERSION} is allowed")
    _at_end(payload, _READY.size + length, "READY")
    return Ready(payload[_READY.size :].decode(errors="replace"), largest, arena)


def encode_opened(opened: Opened) -> bytes:
    """Return the payload of OPENED."""
    counts = [UNKNOWN_COUNT if side is None else len(side) for side in (opened.inputs, opened.outputs)]
    sides = (*(opened.inputs or ()), *(opened.outputs or ()))
    return _OPENED.pack(*counts, opened.arena) + b"".join([encode_descriptor(side) for side in sides])


def decode_opened(payload: bytes) -> Opened:
    """Return what an OPENED says. Raises WireError."""
    inputs, outputs, arena = _unpack(_OPENED, payload, "OPENED")
    known = (0 if inputs == UNKNOWN_COUNT else inputs, 0 if outputs == UNKNOWN_COUNT else outputs)
    at, sides = _OPENED.size, []
    for index in range(sum(known)):
        side, at = _decode_descriptor(payload, at, f"OPENED tensor {index}")
        sides.append(side)
    _at_end(payload, at, "OPENED")
    first, second = tuple(sides[: known[0]]), tuple(sides[known[0] :])
    return Opened(None if inputs == UNKNOWN_COUNT else first, None if outputs == UNKNOWN_COUNT else second, arena)


def _decode_descriptor(payload: bytes, at: int, what: str) -> tuple[Descriptor, int]:
    dtype, shape, size, begin = _tensor_head(payload, at, what)
    if size:
        raise WireError(f"{what} says {size} bytes of data, a descriptor has 0")
    return Descriptor(dtype.name, None if UNKNOWN_DIM in shape else shape), begin


def encode_error(failure: Failure) -> bytes:
    """Return the payload of ERROR; the text is cut at 1,000 bytes."""
    text = failure.text.encode()[:1000]
    head = _COUNTS.pack(failure.code, len(text)) + text + _PADDING[len(text) & 3]
    if failure.code != FAULT:
        return head
    words = [failure.registers.get(name, 0) for name in REGISTERS]
    return head + _DIMS[_REGISTER_WORDS].pack(*words, *([0] * (_REGISTER_WORDS - len(words))))


def decode_error(payload: bytes) -> Failure:
    """Return what an ERROR says. Raises WireError."""
    code, length = _unpack(_COUNTS, payload, "ERROR")
    if code not in CODES:
        raise WireError(f"ERROR has code {code}, allowed are {sorted(CODES)}")
    at = _COUNTS.size + length + (-length & 3)
    words = _unpack(_DIMS[_REGISTER_WORDS], payload, "ERROR", at) if code == FAULT else ()
    _at_end(payload, at + 4 * len(words), "ERROR")
    text = payload[_COUNTS.size : _COUNTS.size + length].decode(errors="replace")
    return Failure(code, text, dict(zip(REGISTERS, words, strict=False)))
