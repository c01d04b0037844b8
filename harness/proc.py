"""What Linux tells of running processes: resident memory, the files they have mapped, their children, their bytes."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_KILOBYTES = re.compile(r"^(\w+):\s+(\d+) kB", re.MULTILINE)
_CLEAR_PEAK = "5"
_ELF = b"\x7fELF"
_CHUNK = 1 << 24


@dataclass(frozen=True, slots=True)
class Resident:
    """Resident memory in bytes: `total`, and of it what is no page of a file: anonymous and shared memory."""

    total: int
    own: int

    @property
    def files(self) -> int:
        """Return the bytes that are pages of files. How many of them are resident is the kernel's choice: it maps
        those of the page cache around the one that was asked for."""
        return self.total - self.own


@dataclass(frozen=True, slots=True)
class Place:
    """Bytes of a process that does not run at the moment."""

    pid: int
    address: int
    size: int

    def read(self) -> bytes:
        """Return what lies there; nothing where it cannot be read, as behind the end of a file. Raises PermissionError
        where this process may not look into that one."""
        with _possibly(), self._memory("rb") as memory:
            memory.seek(self.address)
            return memory.read(self.size)
        return b""

    def store(self, content: bytes) -> bool:
        """Write as the process itself could; return False where its pages forbid it: a store would fault.

        Raises PermissionError where this process may not write to that one at all.
        """
        near = _Span(ctypes.cast(ctypes.c_char_p(content), ctypes.c_void_p), len(content))
        far = _Span(ctypes.c_void_p(self.address), len(content))
        write = ctypes.CDLL(None, use_errno=True).process_vm_writev
        write.restype = ctypes.c_ssize_t
        one, none = ctypes.c_ulong(1), ctypes.c_ulong(0)
        written = int(write(self.pid, ctypes.byref(near), one, ctypes.byref(far), one, none))
        if written < 0 and ctypes.get_errno() != errno.EFAULT:
            raise PermissionError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return written == len(content)

    def force(self, content: bytes) -> bool:
        """Write as a debugger does, whatever its pages allow; return False where even that is impossible: in a file
        that is mapped read-only and shared. Raises PermissionError."""
        with _possibly(), self._memory("r+b") as memory:
            memory.seek(self.address)
            return memory.write(content) == len(content)
        return False

    def _memory(self, mode: str) -> IO[bytes]:
        return Path(f"/proc/{self.pid}/mem").open(mode, buffering=0)


@contextlib.contextmanager
def _possibly() -> Iterator[None]:
    """Pass over what cannot be done with memory, but not over what is forbidden."""
    try:
        yield
    except PermissionError:
        raise
    except (OSError, OverflowError):
        pass


class _Span(ctypes.Structure):
    """The struct iovec of process_vm_writev."""

    _fields_ = (("base", ctypes.c_void_p), ("bytes", ctypes.c_size_t))


def can_measure() -> bool:
    """Tell whether this machine has Linux's /proc with sums of memory (Linux 4.14 and later)."""
    return Path("/proc/self/smaps_rollup").is_file()


def family(pid: int) -> tuple[int, ...]:
    """Return a process and all its descendants."""
    found = [pid]
    for member in found:
        for children in sorted(Path(f"/proc/{member}/task").glob("*/children")):
            found += map(int, _read(children).split())
    return tuple(dict.fromkeys(found))


def resident(pid: int) -> Resident:
    """Return what a process and its descendants have in memory; pages that they share count for each of them."""
    found = [_kilobytes(member, "smaps_rollup") for member in family(pid)]
    own = sum(one.get(kind, 0) for one in found for kind in ("Anonymous", "Pss_Shmem"))
    return Resident(sum(one.get("Rss", 0) for one in found), own)


def forget_peak(pid: int) -> None:
    """Let the peak of the resident memory of a process and its descendants begin anew, where Linux allows it."""
    for member in family(pid):
        with contextlib.suppress(OSError):
            Path(f"/proc/{member}/clear_refs").write_text(_CLEAR_PEAK)


def peak(pid: int) -> int:
    """Return the largest resident memory since forget_peak in bytes, summed over a process and its descendants."""
    return sum(_kilobytes(member, "status").get("VmHWM", 0) for member in family(pid))


def mapped_objects(pid: int) -> frozenset[Path]:
    """Return the ELF files, programs and shared objects, that a process or a descendant has mapped."""
    lines = [line.split(None, 5) for member in family(pid) for line in _of(member, "maps").splitlines()]
    paths = {Path(fields[5]) for fields in lines if len(fields) == 6 and fields[5].startswith("/")}
    return frozenset(path for path in paths if _is_elf(path))


def places(pid: int, content: bytes) -> Iterator[Place]:
    """Yield where a process or a descendant holds these bytes. Raises PermissionError where it may not be read."""
    for member in family(pid):
        for low, high in _readable(member):
            step = _CHUNK - len(content) + 1
            for start in range(low, high, step):
                yield from _found(Place(member, start, min(_CHUNK, high - start)), content)


def _readable(pid: int) -> list[tuple[int, int]]:
    """Return the mappings of a process that it can read, but for those of the kernel and of devices."""
    lines = [line.split(None, 5) for line in _of(pid, "maps").splitlines()]
    wanted = [fields for fields in lines if fields[1][0] == "r" and not fields[-1].startswith(("[v", "/dev/"))]
    return [(int(low, 16), int(high, 16)) for low, high in (fields[0].split("-") for fields in wanted)]


def _found(chunk: Place, content: bytes) -> Iterator[Place]:
    """Yield the places of bytes in a part of a mapping."""
    held = chunk.read()
    at = held.find(content)
    while at >= 0:
        yield Place(chunk.pid, chunk.address + at, len(content))
        at = held.find(content, at + 1)


def _is_elf(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_ELF)) == _ELF
    except OSError:
        return False


def _kilobytes(pid: int, name: str) -> dict[str, int]:
    return {key: int(number) * 1024 for key, number in _KILOBYTES.findall(_of(pid, name))}


def _of(pid: int, name: str) -> str:
    return _read(Path(f"/proc/{pid}/{name}"))


def _read(path: Path) -> str:
    """Return a file of /proc; nothing where its process has ended."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
