"""Where the sources of the micro library are, and the table of the kernels that an image holds."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from opconform.targets.cache import publish_bytes

#: the stem of the table's file in the cache, up to the hash
REGISTRY = "registry"


def micro_folder() -> Path:
    """Return the folder of the micro library's C sources."""
    return Path(str(files("opconform") / "runtimes" / "micro"))


def op_stems() -> tuple[str, ...]:
    """Return the kernels by file name without ".c": add_int8, reshape ..."""
    return tuple(sorted(path.stem for path in (micro_folder() / "src" / "ops").glob("*.c")))


def kernel_sources(stems: Sequence[str]) -> tuple[Path, ...]:
    """Return the sources of kernels."""
    return tuple(micro_folder() / "src" / "ops" / f"{stem}.c" for stem in stems)


def library_sources() -> tuple[Path, ...]:
    """Return the sources of the interpreter, without kernels."""
    return tuple(sorted((micro_folder() / "src" / "core").glob("*.c")))


def registry_text(stems: Sequence[str]) -> str:
    """Return the C source of the table of an image, at least one kernel: only what it lists is linked."""
    names = ", ".join(f'"{stem}"' for stem in stems)
    lines = [
        '#include "opconform_kernel.h"',
        *(f"extern const opc_op opc_{stem};" for stem in stems),
        f"static const opc_op *const table[] = {{{', '.join(f'&opc_{stem}' for stem in stems)}}};",
        "extern const opc_registry opc_registry_all;",
        f"const opc_registry opc_registry_all = {{table, {len(stems)}}};",
        "extern const char *const opc_registry_names[];",
        f"const char *const opc_registry_names[] = {{{names}}};",
    ]
    return "\n".join(lines) + "\n"


def registry_source(stems: Sequence[str]) -> Path:
    """Write the table of the kernels `stems` into the cache and return its path."""
    return publish_bytes(REGISTRY, ".c", registry_text(stems).encode())
