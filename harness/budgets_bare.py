"""Is an image free of an operating system: no heap, no stdio, no call that leaves it, no variable but declared ones."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from opconform.harness.budgets_elf import Graph

#: Every variable that firmware around the library may have, as SOURCE:NAME, and why. The library itself has none.
DECLARED: Mapping[str, str] = {
    "worker:opc_arena_buffer": "the arena",
    "worker:opc_model_buffer": "the model that was sent",
    "worker:worker": "the interpreter and the frame under way",
    "transport:io": "the wire",
    "transport:opc_io_input": "the wire",
    "transport:opc_io_output": "the wire",
    "platform:opc_invocation": "meters and time budget: odd while a model is invoked",
    "platform:budget_centiseconds": "time budget",
    "platform:served": "time budget",
    "platform:tick_start": "time budget",
    "platform:ticked_invocation": "time budget",
    "standalone:opc_arena_buffer": "the arena",
    "standalone:interpreter": "the interpreter of the firmware with one model",
    "standalone:opc_invocation": "meters: odd while a model is invoked",
    "buffer:opc_model_buffer": "the model that QEMU loads",
    "buffer:opc_io_model_bytes": "the length of the model that QEMU loads",
}
#: picolibc's libm keeps some constants in .data, so that a compiler cannot compute with them in advance.
_LIBM = re.compile(r"libm_\w+\.c$")

_HEAP = "malloc calloc realloc free memalign aligned_alloc strdup sbrk brk mmap"
_STDIO = (
    "printf fprintf sprintf snprintf vprintf vfprintf vsprintf vsnprintf puts fputs putchar putc fputc fwrite fread "
    "fopen fclose fflush getc getchar gets fgets scanf fscanf sscanf perror stdin stdout stderr iob"
)
_SYSTEM = (
    "open close read write lseek fstat stat isatty ioctl unlink link rename fork execve wait kill getpid exit Exit "
    "abort raise signal atexit system getenv times time clock gettimeofday nanosleep usleep sleep assert_func assert "
    "errno pthread_create pthread_mutex_lock dl_iterate_phdr init_array"
)
_FOREIGN: Mapping[str, str] = {
    name: kind
    for kind, names in (("heap", _HEAP), ("stdio", _STDIO), ("operating system", _SYSTEM))
    for name in names.split()
}
#: A C library has several names for one thing: _malloc_r, __errno, _fprintf_i ...
_AFFIXES = re.compile(r"^_+|(_r|_i|_chk|_nano)$")
_OBJECT = re.compile(r"(-[0-9a-f]{24})*\.(o|obj)$")
_WRITABLE = (".data", ".bss", ".sdata", ".sbss", ".tdata", ".tbss", ".buffers")


def foreign(graph: Graph, declared: Mapping[str, str] = DECLARED) -> tuple[str, ...]:
    """Return a line for each thing in a linked image that only an operating system has, or that nobody declared.

    Where its relocations were kept, a line names who refers to the thing.
    """
    missing = (f"{name} is undefined; nothing on a board will define it" for name in sorted(graph.undefined))
    return (*missing, *_called(graph), *_variables(graph, declared))


def kind_of(symbol: str) -> str | None:
    """Return what of an operating system a symbol belongs to: "heap", "stdio", "operating system"; None for others."""
    return _FOREIGN.get(_AFFIXES.sub("", symbol))


def _called(graph: Graph) -> Iterator[str]:
    for name in sorted(graph.symbols):
        kind = kind_of(name)
        index = graph.find(name)
        if kind and index is not None:
            yield f"{name} is linked ({kind}){_users(graph, index)}; micro has none of that"


def _variables(graph: Graph, declared: Mapping[str, str]) -> Iterator[str]:
    for index, piece in enumerate(graph.pieces):
        source = source_of(piece.file)
        if piece.output not in _WRITABLE or (piece.output == ".data" and piece.library and _LIBM.match(source)):
            continue
        name = _variable(graph, index)
        if f"{source}:{name}" not in declared:
            yield (
                f"{name}: {piece.size} bytes that can be written, in {source}{_users(graph, index)}; "
                "make it const, or keep it in the arena (opc_alloc)"
            )


def _variable(graph: Graph, index: int) -> str:
    """Return the name of what lies in a piece: the compiler names its section after it."""
    _, _, name = graph.pieces[index].name.lstrip(".").partition(".")
    return name or graph.pieces[index].name


def _users(graph: Graph, index: int) -> str:
    own = source_of(graph.pieces[index].file)
    found = {source_of(graph.pieces[i].file) for i, targets in enumerate(graph.edges) if index in targets} - {own}
    return f", for {', '.join(sorted(found)[:3])}" if found else ""


def source_of(file: str) -> str:
    """Return the name of an object without suffix and the hash of the cache, or that of a member of an archive."""
    name = Path(file).name
    return _OBJECT.sub("", name.partition("(")[2].rstrip(")") or name)
