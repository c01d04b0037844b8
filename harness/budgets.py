"""What kernels cost in flash and RAM, from linked images; figures against budgets and the committed baseline."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from opconform.harness.budgets_bare import foreign
from opconform.harness.budgets_elf import Graph, read_graph
from opconform.targets import build, library
from opconform.targets.boards import Target, folder, load_target

BASELINE = "baseline.json"
_TYPE = re.compile(r"_(u?int\d+(x\d+)?|float\d+|bool)$")
LINK = ("-Wl,--emit-relocs",)
_ROOTS = ("board_reset", "board_fault_entry", "board_tick_entry")
#: an object of numbers
_INNERMOST = re.compile(r"\{[^{}]*\}")
_VECTORS = ".vectors"
_RAM_OUTPUTS = (".data", ".bss", ".tdata", ".tbss")
_NOT_FLASH = (".bss", ".stacks", ".buffers", ".tbss")
_HASH = re.compile(r"-[0-9a-f]{24}\.o$")


@dataclass(frozen=True, slots=True)
class OpFlash:
    """Flash of one op or kernel in bytes.

    `own` is needed by nothing else, `shared` also by others (helpers, libm, libgcc), `alone` = own + shared is what
    an image pays that holds only this op, beside the core.
    """

    own: int
    shared: int
    alone: int


@dataclass(frozen=True, slots=True)
class FlashTable:
    """Flash of an image with all kernels, in bytes.

    `core` is the interpreter without kernels, `platform` start-up, transport and wire worker, `lib` libm, libc and
    libgcc, `total` everything; `ram` is .data and .bss beside stacks, arena and model buffer. `ops` is keyed by op,
    `kernels` by file stem; `foreign` says what in the image belongs to an operating system (harness/budgets_bare.py).
    """

    target: str
    core: int
    platform: int
    lib: int
    total: int
    ram: int
    ops: Mapping[str, OpFlash]
    kernels: Mapping[str, OpFlash]
    foreign: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure that changed; None where it is missing."""

    name: str
    before: int | None
    after: int | None

    def __str__(self) -> str:
        if self.before is None:
            return f"{self.name}: {self.after} (new)"
        if self.after is None:
            return f"{self.name}: {self.before} (gone)"
        return f"{self.name}: {self.before} -> {self.after} ({self.after - self.before:+d})"


def op_of(stem: str) -> str:
    """Return the op of a kernel file, e.g. "conv_2d_int8" -> "CONV_2D"."""
    return _TYPE.sub("", stem).upper()


def measure_flash(target: str | Target) -> FlashTable:
    """Link one image with all kernels and attribute its bytes. Raises Unavailable and BuildFailed."""
    board = load_target(target) if isinstance(target, str) else target
    image = build.build_worker(board, LINK)
    graph = read_graph(image.elf, image.map)
    return replace(flash_table(board.name, graph, library.op_stems()), foreign=foreign(graph))


def flash_table(target: str, graph: Graph, stems: Sequence[str]) -> FlashTable:
    """Attribute the bytes of an image whose kernels are `stems`."""
    base = base_pieces(graph)
    kernels = _attribute(graph, {stem: (stem,) for stem in stems}, base)
    by_op: dict[str, tuple[str, ...]] = {}
    for stem in stems:
        by_op[op_of(stem)] = (*by_op.get(op_of(stem), ()), stem)
    parts = parts_of(graph, base)
    return FlashTable(
        target, parts["core"], parts["platform"], _library(graph), _flash_total(graph), _ram(graph),
        _attribute(graph, by_op, base), kernels,
    )  # fmt: skip


def compare(measured: Mapping[str, object], baseline: Mapping[str, object]) -> list[Difference]:
    """Return every figure that differs, sorted by name; nested names are joined by "/"."""
    new, old = _flatten(measured), _flatten(baseline)
    names = sorted({*new, *old})
    return [Difference(name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)]


def exceeded(budget: Mapping[str, int], measured: Mapping[str, int]) -> list[str]:
    """Return one clause per figure above its budget; a figure that was not measured exceeds nothing."""
    over = ((name, measured[name], limit) for name, limit in budget.items() if measured.get(name, 0) > limit)
    return [f"{name} is {found}, {limit} is allowed" for name, found, limit in over]


def as_json(table: FlashTable) -> dict[str, object]:
    """Return a table's figures as an object for JSON."""
    return {key: value for key, value in asdict(table).items() if key not in ("target", "foreign")}


def read_baseline(path: Path | None = None) -> dict[str, object]:
    """Return the committed figures by target; empty where there are none yet."""
    path = path or folder() / BASELINE
    return dict(json.loads(path.read_text())) if path.is_file() else {}


def write_baseline(figures: Mapping[str, object], path: Path | None = None) -> None:
    """Write figures by target, sorted, a line an op or kernel, so that a change shows as a small diff."""
    path = path or folder() / BASELINE
    fresh = path.with_suffix(".new")
    fresh.write_text(_INNERMOST.sub(_on_one_line, json.dumps(figures, indent=1, sort_keys=True)) + "\n")
    fresh.replace(path)


def _on_one_line(found: re.Match[str]) -> str:
    return " ".join(found[0].split()).replace("{ ", "{").replace(" }", "}")


def base_pieces(graph: Graph) -> frozenset[int]:
    """Return what an image needs without any kernel: everything reachable when the table of kernels leads nowhere."""
    table = {i for i, piece in enumerate(graph.pieces) if "registry-" in piece.file}
    vectors = [i for i, piece in enumerate(graph.pieces) if piece.name == _VECTORS]
    return graph.reach([*vectors, *(graph.at(name) for name in _ROOTS)], table)


def _attribute(graph: Graph, groups: Mapping[str, Sequence[str]], base: frozenset[int]) -> dict[str, OpFlash]:
    needs = {
        name: frozenset(i for i in graph.reach(graph.at(f"opc_{stem}") for stem in stems) - base if is_flash(graph, i))
        for name, stems in groups.items()
    }
    users: dict[int, int] = {}
    for need in needs.values():
        for index in need:
            users[index] = users.get(index, 0) + 1
    found = {}
    for name, need in needs.items():
        own = graph.bytes(index for index in need if users[index] == 1)
        found[name] = OpFlash(own, graph.bytes(need) - own, graph.bytes(need))
    return found


def parts_of(graph: Graph, base: frozenset[int]) -> dict[str, int]:
    """Return the bytes of flash of the project's own pieces: `core` and `platform`."""
    parts, drivers = {"core": 0, "platform": 0}, build.driver_stems()
    for index in base:
        piece = graph.pieces[index]
        if is_flash(graph, index) and not piece.library:
            parts["platform" if stem_of(piece.file).split("-")[0] in drivers else "core"] += piece.size
    return parts


def stem_of(file: str) -> str:
    """Return the name of the source of an object in the cache, without suffix; that of a generated one ends in -."""
    return _HASH.sub("", Path(file).name)


def is_flash(graph: Graph, index: int) -> bool:
    """Tell whether a piece lies in flash; initial values of variables do."""
    return graph.pieces[index].output not in _NOT_FLASH


def _library(graph: Graph) -> int:
    return graph.bytes(i for i, piece in enumerate(graph.pieces) if piece.library and is_flash(graph, i))


def _flash_total(graph: Graph) -> int:
    return graph.bytes(i for i in range(len(graph.pieces)) if is_flash(graph, i))


def _ram(graph: Graph) -> int:
    return graph.bytes(i for i, piece in enumerate(graph.pieces) if piece.output in _RAM_OUTPUTS)


def _flatten(tree: Mapping[str, object], prefix: str = "") -> dict[str, int]:
    flat: dict[str, int] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}/")
        elif isinstance(value, int):
            flat[f"{prefix}{key}"] = value
    return flat
