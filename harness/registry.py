"""Names -> runtimes: entry points, `path/to/file.py:Class` and `exec:COMMAND`; manifests.

Looking a runtime up imports no runtime of the entry points: what the harness needs to know stands in the
`runtime.yaml` beside the class.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shlex
import shutil
import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from pathlib import Path
from types import ModuleType

from opconform import __version__
from opconform.harness.manifest import BOARDS, Card, ManifestError, check_manifest, load_manifest, read_card
from opconform.harness.runtime import Manifest, Runtime, RuntimeFailure, Unavailable

__all__ = (
    "Handle",
    "UnknownRuntime",
    "claims_row",
    "load_manifest",
    "manifests",
    "matches",
    "names",
    "resolve",
    "resolve_all",
)

GROUP = "opconform.runtimes"
Factory = Callable[[str], Runtime]


class UnknownRuntime(RuntimeFailure):
    """No runtime answers to the name; the message lists those that do."""


@dataclass(frozen=True, slots=True)
class Handle:
    """One runtime on one target or in one variant, found but not started.

    `source` finds it again in another process. `at` is the variant or target, never empty for a runtime that
    declares any; `default` tells whether it is what the bare name means. `command` is set for exec runtimes only,
    `load` for all others. `unavailable` is one line that says how to get what is missing here, or "". `rotates` tells
    that it was asked for as one of NAME@boards, which share the rows of a run. `distribution` is the package of another
    project that it needs, "" for none.
    """

    source: str
    name: str
    at: str
    manifest: Manifest
    load: Callable[[], Factory] | None = None
    command: tuple[str, ...] = ()
    unavailable: str = ""
    default: bool = True
    rotates: bool = False
    distribution: str = ""

    @property
    def label(self) -> str:
        """Return the name that logs and reports use, e.g. litert@ref."""
        return f"{self.name}@{self.at}" if self.at else self.name

    @property
    def target(self) -> str:
        """Return where it executes: the target, "host" for variants of a host runtime."""
        return self.at if self.at in self.manifest.targets else "host"

    @property
    def argument(self) -> str:
        """Return what stands behind --runtime in a shell to mean this runtime here."""
        return shlex.quote(self.source if self.command or ".py:" in self.source else self.label)

    def instantiate(self) -> Runtime:
        """Construct the runtime in this process. Raises Unavailable, and what its module raises."""
        if self.load is None:
            raise Unavailable(f"{self.label} is a program; it has no Python class")
        return self.load()("" if self.default else self.at)


def names() -> tuple[str, ...]:
    """Return the names of all installed runtimes, sorted."""
    return tuple(sorted({point.name for point in importlib.metadata.entry_points(group=GROUP)}))


def manifests() -> tuple[Manifest, ...]:
    """Return the manifest of every installed runtime. Raises ManifestError."""
    return tuple(resolve(name).manifest for name in names())


def resolve(source: str) -> Handle:
    """Find a runtime: NAME, NAME@AT, path/to/file.py:Class, path/to/file.py:Class@AT or exec:COMMAND.

    Raises UnknownRuntime, ManifestError, or Unavailable for a file that cannot be imported.
    """
    if source.startswith("exec:"):
        return _exec_handle(source)
    name, _, at = source.partition("@")
    if ".py:" in name:
        return _file_handle(source, name, at)
    return _installed_handle(source, name, at)


def resolve_all(source: str) -> tuple[Handle, ...]:
    """Find what a name means: one runtime, or for NAME@boards the same one on every board. Raises as resolve does."""
    name, _, at = source.partition("@")
    points = [point for point in importlib.metadata.entry_points(group=GROUP) if point.name == name]
    boards = _card_of(points[0]).boards if points and at == BOARDS else ()
    if not boards:
        return (resolve(source),)
    return tuple(replace(resolve(f"{name}@{board}"), rotates=True) for board in boards)


def _choose_at(source: str, card: Card, at: str) -> str:
    allowed = tuple(dict.fromkeys((*card.manifest.variants, *card.manifest.targets)))
    if at == BOARDS and card.boards:
        raise UnknownRuntime(f"runtime {source!r}: one board is needed here, allowed are {' '.join(card.boards)}")
    if at and not any(fnmatchcase(at, place) for place in allowed):  # a place may be a glob, as http://*
        raise UnknownRuntime(f"runtime {source!r}: {card.manifest.name} has no {at!r}, allowed are {' '.join(allowed)}")
    return at or card.default


def _exec_handle(source: str) -> Handle:
    try:
        command = tuple(shlex.split(source.removeprefix("exec:")))
    except ValueError as error:
        raise UnknownRuntime(f"runtime {source!r}: {error}; quote the command as for a shell") from error
    if not command:
        raise UnknownRuntime("runtime 'exec:': no command, write exec:COMMAND, e.g. exec:./my_worker")
    missing = "" if shutil.which(command[0]) else _no_program(source, command[0])
    name = Path(command[0]).name
    manifest = Manifest(name=name, summary=f"the program {source.removeprefix('exec:')}", rows=(), targets=("host",))
    return Handle(source, name, "host", manifest, command=command, unavailable=missing)


def _no_program(source: str, program: str) -> str:
    if Path(program).is_file():
        return f"{source}: {program} may not be executed; chmod +x it, or put its interpreter in front"
    return f"{source}: there is no program {program!r}; give its path"


def _file_handle(source: str, place: str, at: str) -> Handle:
    file, _, class_name = place.rpartition(":")
    factory = _class_of(_module_of(source, Path(file)), class_name, source)
    card = _described(factory, source)
    chosen = _choose_at(source, card, at)
    return Handle(source, card.manifest.name, chosen, card.manifest, lambda: factory, default=chosen == card.default)


def _described(factory: Factory, source: str) -> Card:
    """Return the card of a class that has no runtime.yaml: it means its first target. Raises what _asked raises."""
    manifest = _asked(factory, source)
    return Card(manifest, (*manifest.targets, *manifest.variants, "")[0])


def _asked(factory: Factory, source: str) -> Manifest:
    """Construct a runtime and ask for its manifest. Raises Unavailable and ManifestError, whatever the class does."""
    try:
        manifest = factory("").describe()
    except RuntimeFailure:
        raise
    except (Exception, SystemExit) as error:
        raise Unavailable(f"runtime {source!r}: cannot be constructed and described: {_one_line(error)}") from error
    if not isinstance(manifest, Manifest):
        raise ManifestError(f"runtime {source!r}: describe() returned {type(manifest).__name__}, want a Manifest")
    try:
        check_manifest(manifest)
    except ValueError as error:
        raise ManifestError(f"runtime {source!r}: {error}") from error
    return manifest


def _module_of(source: str, file: Path) -> ModuleType:
    if not file.is_file():
        raise UnknownRuntime(f"runtime {source!r}: there is no file {file}; write path/to/file.py:Class")
    name = f"opconform_runtime_{file.stem}_{zlib.crc32(bytes(file.resolve())):08x}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file.resolve())
    if spec is None or spec.loader is None:
        raise UnknownRuntime(f"runtime {source!r}: {file} is no Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise Unavailable(f"runtime {source!r}: {file} cannot be imported: {_one_line(error)}") from error
    return module


def _class_of(module: ModuleType, name: str, source: str) -> Factory:
    found = getattr(module, name, None)
    if found is None:
        here = {key for key, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__}
        classes = sorted(key for key in here if hasattr(getattr(module, key), "open"))
        raise UnknownRuntime(f"runtime {source!r}: no class {name!r}, its runtimes are {' '.join(classes) or 'none'}")
    return found  # type: ignore[no-any-return]


def _one_line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def _installed_handle(source: str, name: str, at: str) -> Handle:
    points = [point for point in importlib.metadata.entry_points(group=GROUP) if point.name == name]
    if not points:
        raise UnknownRuntime(
            f"unknown runtime {source!r}, known are {' '.join(names())}, path/to/file.py:Class and exec:COMMAND"
        )
    card = _card_of(points[0])
    chosen = _choose_at(source, card, at)
    missing, default = _missing(card), chosen == card.default
    return Handle(
        source, card.manifest.name, chosen, card.manifest, points[0].load, (), missing, default,
        distribution=card.distribution,
    )  # fmt: skip


@cache
def _card_of(point: importlib.metadata.EntryPoint) -> Card:
    """Read the runtime.yaml beside the module of an entry point; without one ask the class itself."""
    spec = importlib.util.find_spec(point.module)
    beside = Path(spec.origin).parent / "runtime.yaml" if spec and spec.origin else None
    if beside is None or not beside.is_file():
        return _described(point.load(), point.name)
    card = read_card(beside)
    if card.manifest.name != point.name:
        raise ManifestError(f"{beside}: name is {card.manifest.name!r}, the entry point says {point.name!r}")
    version = _version(card.distribution) if card.distribution else _version_beside(point)
    return replace(card, manifest=replace(card.manifest, version=version))


def _version_beside(point: importlib.metadata.EntryPoint) -> str:
    """Return the version of the package that an entry point comes with."""
    if point.module.partition(".")[0] == "opconform":
        return __version__  # an editable install keeps the version that it was made with
    return point.dist.version if point.dist else ""


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _missing(card: Card) -> str:
    if not card.distribution or _version(card.distribution):
        return ""
    return f"{card.manifest.name}: the package {card.distribution} is missing; {card.get}"


def claims_row(manifest: Manifest, op: str, row: str) -> bool:
    """Tell whether a manifest claims a row: a glob of `rows` takes it and none of `except_rows`."""
    return matches(manifest.rows, op, row) and not matches(manifest.except_rows, op, row)


def matches(patterns: Sequence[str], op: str, row: str) -> bool:
    """Tell whether any glob matches OP/row; a glob without a slash stands for all rows of the ops it matches."""
    return _matches(tuple(patterns), op, row)


@lru_cache(maxsize=8192)
def _matches(patterns: tuple[str, ...], op: str, row: str) -> bool:
    return any(fnmatchcase(f"{op}/{row}", glob if "/" in glob else f"{glob}/*") for glob in patterns)
