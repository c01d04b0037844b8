"""What Linux tells of running processes: resident memory, the files they have mapped, their children."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path

_KILOBYTES = re.compile(r"^(\w+):\s+(\d+) kB", re.MULTILINE)
_CLEAR_PEAK = "5"
_ELF = b"\x7fELF"


@dataclass(frozen=True, slots=True)
class Resident:
    """Resident memory in bytes: `total`, and of it what is no page of a file."""

    total: int
    anonymous: int

    @property
    def files(self) -> int:
        """Return the bytes that are pages of files, shared with other processes or not."""
        return self.total - self.anonymous


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
    return Resident(sum(one.get("Rss", 0) for one in found), sum(one.get("Anonymous", 0) for one in found))


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
