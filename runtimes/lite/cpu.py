"""Which vector instructions kernels are written for: chosen once by the features of the processor.

Integer results are the same on every path, bit for bit. OPCONFORM_LITE_CPU forces a path by name, for tests and for
comparisons; a path that the processor lacks is refused in favour of the widest that it has.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import llvmlite.binding as llvm

PATH_VARIABLE = "OPCONFORM_LITE_CPU"
#: Set to compile with bounds checks, which vector code cannot have.
CHECKED_VARIABLE = "OPCONFORM_LITE_CHECKED"


_AMX = "amx-tile"


@dataclass(frozen=True, slots=True)
class Vectors:
    """A path: 32-bit lanes of a register, rows of a tile, and how many 8-bit values one lane of a dot product takes."""

    name: str
    lanes: int
    rows: int
    unit: int
    features: tuple[str, ...] = ()

    @property
    def tiles(self) -> bool:
        """Tell whether there are registers of 16 rows of 64 bytes that multiply int8."""
        return _AMX in self.features


_VNNI = ("avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512vnni")
#: The widest first. `portable` is plain vector code that every processor has, `plain` no vector code of ours at all.
PATHS = (
    Vectors("avx512amx", 16, 8, 4, (*_VNNI, _AMX, "amx-int8")),
    Vectors("avx512vnni", 16, 8, 4, _VNNI),
    Vectors("avx512", 16, 8, 2, ("avx512f", "avx512bw", "avx512dq", "avx512vl")),
    Vectors("avx2", 8, 6, 2, ("avx2", "fma")),
    Vectors("portable", 4, 6, 2),
    Vectors("plain", 1, 1, 1),
)
_NAMES: Mapping[str, int] = {path.name: position for position, path in enumerate(PATHS)}


def vectors() -> Vectors:
    """Return the path to take."""
    if os.environ.get(CHECKED_VARIABLE):
        return PATHS[-1]
    widest = _widest()
    return PATHS[max(widest, _NAMES.get(os.environ.get(PATH_VARIABLE, ""), widest))]


@functools.lru_cache(maxsize=1)
def _widest() -> int:
    features = llvm.get_host_cpu_features()
    found = [n for n, path in enumerate(PATHS) if all(features.get(name) for name in path.features)]
    return found[1] if _AMX in PATHS[found[0]].features and not _tiles_granted() else found[0]


def _tiles_granted() -> bool:
    """Ask Linux for tile registers, which a process has to before it touches one: arch_prctl(REQ_XCOMP_PERM)."""
    if not sys.platform.startswith("linux"):
        return False
    arch_prctl, request, tile_data = 158, 0x1023, 18
    return bool(ctypes.CDLL(None).syscall(arch_prctl, request, tile_data) == 0)
