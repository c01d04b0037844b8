"""Build the host programs of micro: the wire worker, plain and under sanitizers, the fuzzer, and the lister of kernels.

Objects and programs lie in a cache outside the package, named by a hash of everything that goes into them, and appear
by an atomic rename: parallel processes share the cache, and an installed wheel works like a checkout.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path

from opconform.harness.runtime import InvalidModel, RuntimeFailure, Unavailable
from opconform.targets.build import digest, identity

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


class BuildFailed(RuntimeFailure):
    """The compiler refused; the message is its first error line."""


def folder() -> Path:
    """Return the folder of the C sources."""
    return Path(str(files("opconform") / "runtimes" / "micro"))


def cache_root() -> Path:
    """Return the folder of everything built: $OPCONFORM_CACHE, or opconform in the user's cache folder."""
    named = os.environ.get("OPCONFORM_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "opconform"


def op_stems() -> tuple[str, ...]:
    """Return the kernels by file name without ".c": add_int8, reshape ..."""
    return tuple(sorted(path.stem for path in (folder() / "src" / "ops").glob("*.c")))


def registry_text(stems: Sequence[str]) -> str:
    """Return the C source of the table of an image: only what it lists is linked."""
    names = ", ".join(f'"{stem}"' for stem in stems)
    return "\n".join(
        [
            '#include "opconform_kernel.h"',
            *(f"extern const opc_op opc_{stem};" for stem in stems),
            f"static const opc_op *const table[] = {{{', '.join(f'&opc_{stem}' for stem in stems)}}};",
            "extern const opc_registry opc_registry_all;",
            f"const opc_registry opc_registry_all = {{table, {len(stems)}}};",
            "extern const char *const opc_registry_names[];",
            f"const char *const opc_registry_names[] = {{{names}}};",
            "",
        ]
    )


def build(program: str = "worker", variant: str = "host") -> Path:
    """Return the path of a host program, built if needed.

    Raises Unavailable without a compiler, BuildFailed with its first error.
    """
    place = folder()
    compiler = _find_compiler()
    sources = [*sorted((place / "src").glob("*/*.c")), *(place / name for name in PROGRAMS[program])]
    headers = sorted(path for part in ("include", "src/core", "worker") for path in (place / part).glob("*.h"))
    flags = (*FLAGS, *VARIANTS[variant], *(f"-I{place / part}" for part in ("include", "src/core", "worker")))
    relative = repr((*FLAGS, *VARIANTS[variant])).encode()
    base = digest([identity(compiler), relative, *(path.read_bytes() for path in headers)])
    with ThreadPoolExecutor(2) as pool:
        compiled = pool.map(lambda source: _compile((compiler, *flags), base, source), [*sources, _registry()])
        objects = tuple(compiled)
    key = digest([relative, *(path.name.encode() for path in objects)])
    link = [compiler, *FLAGS, *VARIANTS[variant], *map(str, objects), "-lm", "-o"]
    return _publish(cache_root() / "programs" / f"micro-{program}-{variant}-{key}", lambda out: _run([*link, str(out)]))


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


def _registry() -> Path:
    text = registry_text(op_stems())
    path = cache_root() / "generated" / f"micro-registry-{digest([text.encode()])}.c"
    return _publish(path, lambda out: out.write_text(text, encoding="utf-8"))


def _compile(command: Sequence[str], base: str, source: Path) -> Path:
    key = digest([base.encode(), source.name.encode(), source.read_bytes()])
    path = cache_root() / "objects" / f"{source.stem}-{key}.o"
    return _publish(path, lambda out: _run([*command, "-c", str(source), "-o", str(out)]))


def _find_compiler() -> str:
    path = shutil.which(COMPILER)
    if path is None:
        raise Unavailable(f"micro: the compiler {COMPILER} is missing; install it with: apt-get install gcc")
    return path


def _publish(path: Path, make: Callable[[Path], object]) -> Path:
    """Make a file beside `path` and rename it there; another process may have been faster."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".new-") as work:
            fresh = Path(work) / path.name
            make(fresh)
            fresh.replace(path)
    return path


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = done.stderr.splitlines()
        errors = [line for line in lines if "error" in line or "undefined reference" in line]
        reason = (errors or lines or ["no message"])[0].strip()
        raise BuildFailed(f"micro: {Path(command[0]).name} failed with status {done.returncode}: {reason}")
