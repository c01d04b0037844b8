"""Pages of an opened model: what stores into a constant dies of it, wherever the model came from."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import numpy as np
import pytest

from opconform.harness.apart import Lost, apart
from opconform.harness.model import Array
from opconform.harness.runtime import InvalidModel
from opconform.runtimes.lite import pages

MODEL = bytes(range(256)) * 40


def store(data: Array, at: int) -> int:
    """Change a byte as a kernel would, past NumPy, and return it."""
    place = (ctypes.c_ubyte * data.size).from_address(data.ctypes.data)
    place[at] ^= 1
    return int(data[at])


def store_into_copy(at: int) -> int:
    return store(pages.copied(MODEL), at)


def store_into_mapped(path: Path, at: int) -> int:
    return store(pages.mapped(path), at)


def test_a_model_is_kept_as_it_is_on_a_boundary_of_pages(tmp_path: Path) -> None:
    file = tmp_path / "model.tflite"
    file.write_bytes(MODEL)
    for data in (pages.copied(MODEL), pages.mapped(file)):
        assert data.tobytes() == MODEL
        assert data.ctypes.data % os.sysconf("SC_PAGE_SIZE") == 0
    assert pages.copied(b"").size == 0


@pytest.mark.parametrize("at", [0, len(MODEL) - 1])
def test_a_store_into_a_model_faults(tmp_path: Path, at: int) -> None:
    file = tmp_path / "model.tflite"
    file.write_bytes(MODEL)
    assert apart(store, np.zeros(8, np.uint8), 0) == 1
    with pytest.raises(Lost, match="status -11"):
        apart(store_into_copy, at)
    with pytest.raises(Lost, match="status -11"):
        apart(store_into_mapped, file, at)
    assert file.read_bytes() == MODEL


def test_an_empty_file_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "empty.tflite").touch()
    with pytest.raises(InvalidModel, match="is empty"):
        pages.mapped(tmp_path / "empty.tflite")
