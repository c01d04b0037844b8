"""The cache of compiled kernels: it is hit without numba, and missed when anything changed."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from opconform.harness.model import Array
from opconform.runtimes.lite import jit

FACTOR = 2


@jit.helper
def scaled(value: jit.Number) -> jit.Number:
    return value * FACTOR


@jit.kernel
def scale_all(x: Array, out: Array, p: Array) -> None:
    for i in range(p[0]):
        out[i] = scaled(x[i])


def test_a_kernel_writes_into_the_arrays_it_was_bound_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    x, out = np.array([1, 2, 3], np.int32), np.zeros(3, np.int32)
    run = jit.bind(scale_all, x, out, np.array([3]))
    run()
    assert out.tolist() == [2, 4, 6]
    x[:] = [5, 6, 7]
    run()
    assert out.tolist() == [10, 12, 14]


def test_every_dtype_and_every_change_of_a_helper_has_its_own_object(monkeypatch: pytest.MonkeyPatch) -> None:
    base = jit.fingerprint(scale_all, ("<i4", "<i4", "<i8"))
    assert jit.fingerprint(scale_all, ("<i4", "<i4", "<i8")) == base
    assert jit.fingerprint(scale_all, ("<f4", "<f4", "<i8")) != base
    monkeypatch.setitem(scaled.__globals__, "FACTOR", 3)
    assert jit.fingerprint(scale_all, ("<i4", "<i4", "<i8")) != base


def test_a_damaged_cache_file_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    dtypes = ("<i2", "<i2", "<i8")
    good = jit.object_code(scale_all, dtypes)
    (file,) = (tmp_path / "opconform-lite").iterdir()
    file.write_bytes(file.read_bytes()[:-7])
    assert len(jit.object_code(scale_all, dtypes)) == len(good)


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no directory")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file"))
    x, out = np.array([4], np.uint8), np.zeros(1, np.int64)
    jit.bind(scale_all, x, out, np.array([1]))()
    assert out.tolist() == [8]


START = """
import sys
import numpy as np
from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.runtimes.lite import Lite
t = TensorDef("x", "float32", (3,))
model = write_model([Graph((t, t), (Node("ABS", (0,), (1,)),), (0,), (1,))])
print(Lite().open(model).run([np.array([-1, 2, -3], np.float32)])[0].tolist(), "numba" in sys.modules)
"""


def test_a_warm_start_does_not_load_numba(tmp_path: Path) -> None:
    env = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    said = [subprocess.run([sys.executable, "-c", START], env=env, capture_output=True, text=True) for _ in range(2)]
    assert [run.stdout.strip() for run in said] == ["[1.0, 2.0, 3.0] True", "[1.0, 2.0, 3.0] False"]


def test_checked_kernels_stop_at_the_end_of_an_array(tmp_path: Path) -> None:
    program = (
        "import numpy as np\n"
        "from opconform.runtimes.lite import jit\n"
        "from opconform.runtimes.lite.kernels.unary import abs_plain\n"
        "jit.bind(abs_plain, np.zeros(2, np.int32), np.zeros(2, np.int32), np.array([3]))()\n"
    )
    env = {**os.environ, jit.CHECKED_VARIABLE: "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    run = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True)
    assert "IndexError" in run.stderr


def test_a_function_inside_another_is_known_by_what_it_does_and_not_by_its_address() -> None:
    @jit.helper
    def outer(x: int) -> int:
        return (lambda y: y + 12345)(x)

    digest = jit._digest(outer)
    assert "12345" in digest
    assert " at 0x" not in digest
