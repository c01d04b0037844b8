"""A worker program that breaks the wire in one way each: `--runtime "exec:python tests/fakes/rude.py MANNER"`.

It knows the frame's layout and nothing else, and imports nothing of opconform.
"""

import os
import struct
import sys
import zlib

HEADER = struct.Struct("<4sBBHIII")
READY = struct.pack("<HHIIH", 1, 0, 1 << 20, 0, 4) + b"rude"
OPENED = struct.pack("<HHI", 1, 1, 0) + 2 * struct.pack("<BBHII", 0, 1, 0, 0, 1)
ONE = struct.pack("<BBHIIf", 0, 1, 0, 4, 1, 1.0)
ANSWERS = {1: (129, READY), 2: (130, OPENED), 3: (131, struct.pack("<HH", 1, 0) + ONE), 4: (132, b""), 5: (133, b"")}


def read(size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = os.read(0, size - len(data))
        if not more:
            sys.exit(0)
        data += more
    return data


def frame(kind: int, sequence: int, payload: bytes) -> bytes:
    return HEADER.pack(b"OPC1", kind, 1, 0, sequence, len(payload), zlib.crc32(payload)) + payload


def spoilt(manner: str, kind: int, sequence: int, payload: bytes) -> bytes:
    """Return the answer to a RUN, spoilt."""
    good = frame(kind, sequence, payload)
    match manner:
        case "garbage":
            return b"Segmentation fault (core dumped)\n" + good
        case "crc":
            return good[:-1] + bytes([good[-1] ^ 1])
        case "sequence":
            return frame(kind, sequence + 1, payload)
        case "kind":
            return frame(132, sequence, b"")
        case "huge":
            return HEADER.pack(b"OPC1", kind, 1, 0, sequence, 0x7FFFFFFF, 0)
        case "version":
            return good[:5] + b"\2" + good[6:]
        case "count":
            return frame(kind, sequence, struct.pack("<HH", 2, 0) + ONE + ONE)
        case "tensor":
            return frame(kind, sequence, struct.pack("<HH", 1, 0) + struct.pack("<BBHIIf", 0, 1, 0, 4, 7, 1.0))
        case "fault":
            text = b"load from 0x20"
            words = struct.pack("<16I", 5, 0, 0, 0x101, 0x204, 0, 0x8200, 0, 0, 0x20, *[0] * 6)
            return frame(192, sequence, struct.pack("<HH", 6, len(text)) + text + b"\0\0" + words)
        case "budget":
            return frame(192, sequence, struct.pack("<HH", 7, 0))
        case "torn":
            os.write(1, good[:25])
            sys.exit(7)
        case "stale":
            sys.exit(7)
        case "chatty":
            os.write(2, b"x" * 300_000 + b"\n")
    return good


def main(manner: str) -> None:
    if manner == "dies":
        sys.exit("rude: no such device")
    if manner == "closes":
        os.close(1)
    while True:
        _, kind, _, _, sequence, length, _ = HEADER.unpack(read(HEADER.size))
        if read(length) == b"say":
            os.write(2, b"words about the first model\n")
        answer, payload = ANSWERS[kind]
        data = spoilt(manner, answer, sequence, payload) if kind == 3 else frame(answer, sequence, payload)
        os.write(1, data)
        if kind == 5:
            sys.exit(0)


main(sys.argv[1])
