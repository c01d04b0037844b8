"""What the tests of micro share: the library as a shared object, executors, and small models."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from opconform.harness.isolate import Executor, connect
from opconform.harness.registry import resolve
from opconform.runtimes.micro import build
from opconform.targets.library import micro_folder, registry_text

OWN_KERNELS = (
    *("add_float32", "add_int8", "fully_connected_int8", "reshape", "while"),
    *("call_once", "var_handle", "read_variable", "assign_variable"),
)


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The interpreter's core with a few kernels, for calls that the wire does not offer."""
    if shutil.which(build.COMPILER) is None:
        pytest.skip("there is no C compiler")
    place = tmp_path_factory.mktemp("micro")
    table = place / "registry.c"
    table.write_text(registry_text(OWN_KERNELS))
    source = micro_folder() / "src"
    sources = [*sorted((source / "core").glob("*.c")), *(source / "ops" / f"{stem}.c" for stem in OWN_KERNELS), table]
    out = place / "micro.so"
    includes = [f"-I{micro_folder() / part}" for part in ("include", "src/core")]
    command = [build.COMPILER, *build.FLAGS, "-O1", "-shared", "-fPIC", *includes, *map(str, sources), "-lm"]
    subprocess.run([*command, "-o", str(out)], check=True)
    return ctypes.CDLL(str(out))


@pytest.fixture(scope="session")
def checked() -> Iterator[Executor]:
    """An executor of micro under the address and undefined-behaviour sanitizers."""
    if shutil.which(build.COMPILER) is None:
        pytest.skip("there is no C compiler")
    executor = connect(resolve("micro@host-asan"))
    yield executor
    executor.close()


@pytest.fixture(scope="session")
def sources() -> Path:
    """The folder of the C sources."""
    return micro_folder()
