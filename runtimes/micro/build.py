"""Build the host programs of micro: the wire worker, plain and under sanitizers, the fuzzer, the lister of kernels."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from opconform.harness.runtime import InvalidModel
from opconform.targets import library
from opconform.targets.cache import cache_root, compile_source, digest, find_tool, identity, publish, run_tool

COMPILER = "gcc"
#: Contraction would give machines with fused multiply-add other bits. The model buffer is declared as bytes and read
#: as integers, hence no strict aliasing.
FLAGS = (
    *("-std=c99", "-D_POSIX_C_SOURCE=200809L", "-g", "-ffp-contract=off", "-fno-strict-aliasing", "-fno-math-errno"),
    *("-Wall", "-Wextra", "-Wconversion", "-Werror"),
)
SANITIZE = ("-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")
#: bytes that part what the interpreter keeps in the arena, so that the sanitizer sees a read beyond a record
REDZONE = "-DOPC_REDZONE=32U"
VARIANTS: Mapping[str, tuple[str, ...]] = {"host": ("-O2",), "host-asan": (*SANITIZE, REDZONE)}
#: program -> its own sources beside the library
PROGRAMS: Mapping[str, tuple[str, ...]] = {
    "worker": ("worker/worker.c", "worker/watch.c", "worker/host.c"),
    "fuzz": ("worker/fuzz.c",),
    "kernels": ("worker/kernels.c",),
}


def build(program: str = "worker", variant: str = "host") -> Path:
    """Return the path of a host program, built if needed.

    Raises Unavailable without a compiler, BuildFailed with its first error.
    """
    place = library.micro_folder()
    compiler = find_tool(COMPILER, COMPILER)
    own = (place / name for name in PROGRAMS[program])
    sources = [*sorted((place / "src").glob("*/*.c")), *own, library.registry_source(library.op_stems())]
    headers = sorted(path for part in ("include", "src/core", "worker") for path in (place / part).glob("*.h"))
    flags = (*FLAGS, *VARIANTS[variant], *(f"-I{place / part}" for part in ("include", "src/core", "worker")))
    relative = repr((*FLAGS, *VARIANTS[variant])).encode()
    base = digest([identity(compiler), relative, *(path.read_bytes() for path in headers)])
    with ThreadPoolExecutor(2) as pool:
        objects = tuple(pool.map(lambda source: compile_source((compiler, *flags), base, source), sources))
    key = digest([relative, *(path.name.encode() for path in objects)])
    link = [compiler, *FLAGS, *VARIANTS[variant], *map(str, objects), "-lm", "-o"]
    path = cache_root() / "programs" / f"micro-{program}-{variant}-{key}"
    return publish(path, lambda fresh: run_tool([*link, str(fresh)]))


def required_kernels(model: bytes) -> tuple[str, ...]:
    """Return the stems of the kernels that a model needs, for an image that holds nothing else.

    Raises InvalidModel when micro does not open it, Unavailable and BuildFailed.
    """
    program = build("kernels")
    with tempfile.NamedTemporaryFile(suffix=".tflite") as file:
        file.write(model)
        file.flush()
        done = subprocess.run([program, file.name], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise InvalidModel(done.stderr.strip() or f"kernels ended with status {done.returncode}")
    return tuple(done.stdout.split())
