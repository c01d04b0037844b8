"""Place buffers in one arena: the largest first, each at the lowest offset that is free during its life."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ALIGNMENT = 64  # bytes: a cache line, and the widest vector register


@dataclass(frozen=True, slots=True)
class Request:
    """A buffer of `size` bytes, in use from step `first` to step `last`, both included."""

    size: int
    first: int
    last: int


def place(requests: Sequence[Request]) -> tuple[list[int], int]:
    """Return an offset for every request and the size of the arena."""
    offsets = [0] * len(requests)
    placed: list[tuple[int, int, Request]] = []  # sorted by offset
    top = 0
    for index in sorted(range(len(requests)), key=lambda i: (-requests[i].size, i)):
        request = requests[index]
        size = -(-request.size // ALIGNMENT) * ALIGNMENT
        offset = 0
        for start, end, other in placed:
            if other.first <= request.last and request.first <= other.last:
                if offset + size <= start:
                    break
                offset = max(offset, end)
        offsets[index] = offset
        top = max(top, offset + size)
        placed.append((offset, offset + size, request))
        placed.sort(key=lambda entry: entry[:2])
    return offsets, top
