"""Compile and link the firmware of boards, and the meter plugin."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from opconform.harness.runtime import Unavailable
from opconform.targets.boards import Architecture, Target, architecture_folder, folder, load_architecture, places
from opconform.targets.cache import cache_root, compile_source, digest, find_tool, identity, publish, run_tool
from opconform.targets.library import (
    REGISTRY,
    kernel_sources,
    library_sources,
    micro_folder,
    op_stems,
    registry_source,
)
from opconform.targets.symbols import read_symbols

#: contraction would give fused boards other bits than the others; errno would drag its wrappers in;
#: the model buffer is declared as bytes and read as integers
COMMON_FLAGS = (
    *("-std=c99", "-ffunction-sections", "-fdata-sections", "-fno-common"),
    *("-ffp-contract=off", "-fno-math-errno", "-fno-strict-aliasing", "-Wall", "-Wextra", "-Wconversion"),
)
PLUGIN_FLAGS = ("-std=c11", "-O2", "-shared", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra", "-Wconversion")
#: the wire worker
WORKER_SOURCES = ("watch.c", "worker.c")
#: sources that are written here, up to the hash in their names
GENERATED = (REGISTRY, "model")


@dataclass(frozen=True, slots=True)
class Image:
    """A linked firmware: the ELF file, its link map and its symbols as JSON."""

    elf: Path
    map: Path
    symbols: Path


def platform_sources(target: Target) -> tuple[Path, ...]:
    """Return the sources of start-up, transport and faults: the architecture's, then the common ones."""
    own = architecture_folder(target.architecture)
    return (*sorted(own.glob("*.S")), *sorted(own.glob("*.c")), *sorted((folder() / "common").glob("*.c")))


def driver_stems() -> frozenset[str]:
    """Return the sources of an image that are neither interpreter nor kernel, by file name without suffix."""
    sources = (path for place in places() for path in place.glob("**/*.[cS]"))
    return frozenset({*(path.stem for path in sources), *(Path(name).stem for name in WORKER_SOURCES), *GENERATED})


def core_sources() -> tuple[Path, ...]:
    """Return the sources of the interpreter and the wire worker, without kernels."""
    return (*library_sources(), *(micro_folder() / "worker" / name for name in WORKER_SOURCES))


def include_folders(target: Target) -> tuple[Path, ...]:
    """Return where headers of the firmware lie."""
    micro = micro_folder()
    parts = (micro, micro / "include", micro / "src", micro / "src" / "core", micro / "worker")
    return (*parts, folder() / "common", folder() / "standalone", architecture_folder(target.architecture))


def compile_objects(target: Target, sources: Sequence[Path], extra: Sequence[str] = ()) -> tuple[Path, ...]:
    """Compile each source for the board, at most two at a time; up-to-date objects come from the cache.

    Raises Unavailable without a compiler, BuildFailed with its first error.
    """
    architecture = load_architecture(target.architecture)
    compiler = find_tool(architecture.compiler, architecture.compiler_packages)
    flags = (*_board_flags(target, architecture), *extra)
    folders = include_folders(target)
    headers = sorted(path for place in folders for path in place.glob("*.h"))
    base = [identity(compiler), *(path.read_bytes() for path in headers)]
    command = [compiler, *(f"-I{place}" for place in folders)]

    def compiled(source: Path) -> Path:
        own = (*flags, *(() if _is_library(source) else _defines(target)))
        return compile_source([*command, *own], digest([*base, repr(own).encode()]), source)

    with ThreadPoolExecutor(2) as pool:
        return tuple(pool.map(compiled, sources))


def link_image(target: Target, objects: Sequence[Path], extra: Sequence[str] = ()) -> Image:
    """Link objects into an image of the board; `extra` are linker options. Raises Unavailable or BuildFailed."""
    architecture = load_architecture(target.architecture)
    compiler = find_tool(architecture.compiler, architecture.compiler_packages)
    script = _link_script(target)
    flags = (*_board_flags(target, architecture), "-nostartfiles", "-nostdlib", "-Wl,--gc-sections", *extra)
    key = digest([repr(flags).encode(), script.encode(), *(path.name.encode() for path in objects)])
    place = cache_root() / "images" / f"{target.name}-{key}"
    command = [compiler, *flags, *map(str, objects), "-Wl,--start-group", "-lm", "-lc", "-lgcc", "-Wl,--end-group"]
    publish(place, lambda temporary: _link(command, script, temporary))
    return Image(place / "firmware.elf", place / "firmware.map", place / "symbols.json")


def build_worker(target: Target, extra: Sequence[str] = ()) -> Image:
    """Build the wire worker with all kernels for the board; `extra` are linker options.

    Raises Unavailable or BuildFailed.
    """
    stems = op_stems()
    sources = (*platform_sources(target), *core_sources(), *kernel_sources(stems), registry_source(stems))
    return link_image(target, compile_objects(target, sources), extra)


def standalone_sources(target: Target) -> tuple[Path, ...]:
    """Return the sources of the smallest firmware around a model, without the model: start-up and main program."""
    own, place = architecture_folder(target.architecture), folder() / "standalone"
    machine = sorted((own / "standalone").glob("*.c"))
    return (*sorted(own.glob("*.S")), *machine, place / "standalone.c", place / "report.c")


def build_plugin() -> Path:
    """Build the meter plugin with the host's compiler. Raises Unavailable or BuildFailed."""
    compiler = find_tool("gcc", "gcc")
    source = folder() / "meter" / "meter.c"
    parts = [path.read_bytes() for path in sorted(source.parent.glob("*.[ch]"))]
    key = digest([identity(compiler), repr(PLUGIN_FLAGS).encode(), *parts])
    path = cache_root() / "plugins" / f"meter-{key}.so"
    return publish(path, lambda out: run_tool([compiler, *PLUGIN_FLAGS, str(source), "-o", str(out)]))


def need_tools(target: Target) -> None:
    """Raise Unavailable where a program is missing that a board is built with or runs on."""
    architecture = load_architecture(target.architecture)
    find_tool(architecture.emulator, architecture.emulator_packages)
    find_tool(architecture.compiler, architecture.compiler_packages)
    find_tool("gcc", "gcc")


def _board_flags(target: Target, architecture: Architecture) -> tuple[str, ...]:
    if target.libc not in architecture.libc:
        raise Unavailable(f"{target.name}: libc {target.libc!r}, allowed are {', '.join(architecture.libc)}")
    return (*architecture.libc[target.libc], *target.flags, target.optimize, *architecture.flags, *COMMON_FLAGS)


def _is_library(source: Path) -> bool:
    """Tell whether a source is a kernel or the interpreter's: those know no board, so boards share their objects."""
    return source.resolve().is_relative_to((micro_folder() / "src").resolve())


def _defines(target: Target) -> tuple[str, ...]:
    numbers = {
        "OPC_CLOCK_HZ": target.clock_hz,
        "OPC_IO_BYTES": target.io_bytes,
        "OPC_MODEL_BYTES": target.model_bytes,
        "OPC_ARENA_BYTES": target.arena_bytes,
    }
    return tuple(f"-D{name}={value}u" for name, value in numbers.items())


def _link_script(target: Target) -> str:
    numbers = {
        "FLASH_ORIGIN": target.flash.origin,
        "FLASH_BYTES": target.flash.bytes,
        "RAM_ORIGIN": target.ram.origin,
        "RAM_BYTES": target.ram.bytes,
        "GUARD_BYTES": target.guard_bytes,
        "STACK_BYTES": target.stack_bytes,
        "MAIN_STACK_BYTES": target.main_stack_bytes,
    }
    own, common = (place / "link.ld.in" for place in (architecture_folder(target.architecture), folder() / "common"))
    text = (own if own.is_file() else common).read_text()
    for name, value in numbers.items():
        text = text.replace(f"@{name}@", hex(value))
    return text


def _link(command: Sequence[str], script: str, place: Path) -> None:
    place.mkdir()
    (place / "link.ld").write_text(script)
    elf = place / "firmware.elf"
    run_tool([*command, f"-T{place / 'link.ld'}", f"-Wl,-Map={place / 'firmware.map'}", "-o", str(elf)])
    (place / "symbols.json").write_text(json.dumps(read_symbols(elf)))
