"""Pages of an opened model: what stores into a constant dies of it, wherever the model came from."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from opconform.harness.runtime import InvalidModel
from opconform.runtimes.lite import pages

MODEL = bytes(range(256)) * 40


#: Opens a file in one way and changes a byte of it as a kernel would, past NumPy.
STORE = """
import ctypes, sys
from pathlib import Path
from opconform.runtimes.lite import pages

way, file, at = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
data = pages.mapped(file) if way == "mapped" else pages.copied(file.read_bytes())
if way == "writable":
    data = data.copy()
(ctypes.c_ubyte * data.size).from_address(data.ctypes.data)[at] ^= 1
print("stored")
"""


def test_a_model_is_kept_as_it_is_on_a_boundary_of_pages(tmp_path: Path) -> None:
    file = tmp_path / "model.tflite"
    file.write_bytes(MODEL)
    for data in (pages.copied(MODEL), pages.mapped(file)):
        assert data.tobytes() == MODEL
        assert data.ctypes.data % os.sysconf("SC_PAGE_SIZE") == 0
    assert pages.copied(b"").size == 0


@pytest.mark.parametrize("at", [0, len(MODEL) - 1])
@pytest.mark.parametrize(
    ("way", "status", "output"),
    [("copied", -signal.SIGSEGV, b""), ("mapped", -signal.SIGSEGV, b""), ("writable", 0, b"stored\n")],
)
def test_a_store_into_a_model_faults(tmp_path: Path, way: str, status: int, output: bytes, at: int) -> None:
    file = tmp_path / "model.tflite"
    file.write_bytes(MODEL)
    done = subprocess.run([sys.executable, "-c", STORE, way, file, str(at)], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (status, output)
    assert file.read_bytes() == MODEL


def test_an_empty_file_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "empty.tflite").touch()
    with pytest.raises(InvalidModel, match="is empty"):
        pages.mapped(tmp_path / "empty.tflite")
