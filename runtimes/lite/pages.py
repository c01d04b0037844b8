"""Models in pages that cannot be written: a kernel that stores into a constant dies of it, and changes nothing."""

from __future__ import annotations

import ctypes
import mmap
import os
from pathlib import Path

import numpy as np

from opconform.harness.model import Array
from opconform.harness.runtime import InvalidModel

_PRIVATE = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if os.name == "posix" else {}
_PROTECT = ctypes.CDLL(None, use_errno=True).mprotect if os.name == "posix" else None


def copied(model: bytes) -> Array:
    """Return a copy of a model, once, on a page of its own: the alignment of its constants holds."""
    place = mmap.mmap(-1, max(len(model), 1), **_PRIVATE)
    place[: len(model)] = model
    return _fixed(place)[: len(model)]


def mapped(path: Path) -> Array:
    """Return a model file without reading it. Raises OSError, and InvalidModel where it is empty."""
    with open(path, "rb") as file:
        try:
            return _fixed(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
        except ValueError as error:
            raise InvalidModel(f"{path} is empty") from error


def _fixed(place: mmap.mmap) -> Array:
    """Return the bytes of a private mapping, from now on read-only. NumPy calls them writable all the same: compiled
    kernels have one signature for constants and for what they compute."""
    data = np.frombuffer(place, np.uint8)
    if _PROTECT is not None and _PROTECT(
        ctypes.c_void_p(data.ctypes.data), ctypes.c_size_t(len(place)), mmap.PROT_READ
    ):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return data
