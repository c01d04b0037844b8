"""binary_size and os_independence: the files that a runtime's process runs, and what their symbols ask for."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import io
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from opconform.harness import claims_boards, claims_scripts, proc
from opconform.harness.budgets_bare import kind_of
from opconform.harness.budgets_model import flash_of
from opconform.harness.claim_values import show_size
from opconform.harness.claims import Evidence, NotMeasurable, Subject
from opconform.harness.claims_worker import Refused, command_of, idle, interpreter_of, started
from opconform.harness.fuzz import samples_of_specs
from opconform.harness.registry import Handle
from opconform.harness.runner import load_oracle
from opconform.harness.spec_load import load_all

SIZE, INDEPENDENCE = "binary_size", "os_independence"
#: Where the system and the interpreter keep their own libraries.
_SYSTEM = tuple(map(Path, ("/lib", "/usr/lib", "/lib64", "/usr/lib64", sysconfig.get_path("stdlib"))))
_PACKAGES = Path(sysconfig.get_path("platlib"))
_OBJECT = ".o"
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Code:
    """What a worker runs after a tiny model, beyond its idle interpreter: files, and their bytes of code and data.

    `own` are shared objects of the runtime's package, or the worker's program; `compiled` are object files that it
    compiled, then or earlier; `needed` are shared objects of other packages, `modules` sources of Python code.
    """

    own: Mapping[Path, int]
    compiled: Mapping[Path, int]
    needed: Mapping[Path, int]
    modules: Mapping[Path, int]


def check_binary_size(subject: Subject) -> Evidence:
    """Add up code and data of what a runtime runs for a tiny model: the kernels it compiled, else its shared objects.

    In Node these are its scripts, and on a board it is the flash of the image of such a model.
    """
    handle = subject.handle
    if claims_boards.builds_images(handle):
        return claims_boards.check_binary_size(subject)
    if claims_scripts.runs_scripts(handle):
        return claims_scripts.check_binary_size(subject)
    code = _code(handle)
    every = _all_kernels(handle) if code.compiled else {}
    parts = {"machine code": code.compiled, "libraries": code.own or code.needed, "Python": code.modules}
    kind = next((kind for kind, files in parts.items() if files), "")
    if not kind:
        raise NotMeasurable("its worker runs nothing that can be told from its interpreter")
    size = sum(parts[kind].values())
    measured = f"{show_size(size)} of {kind}"
    if code.compiled:
        measured += f", all ops {show_size(sum(every.values()))}"
    if code.needed and (code.compiled or code.own):
        measured += f", beside {show_size(sum(code.needed.values()))} of other libraries"
    return Evidence(SIZE, size, measured, "; ".join(_described(code, every, handle.distribution)))


def _described(code: Code, every: Mapping[Path, int], distribution: str) -> Iterator[str]:
    """Yield what was added up, then what was not."""
    if code.compiled:
        yield f"text and data of {len(code.compiled)} compiled objects ({_largest(code.compiled)})"
        yield f"of {len(every)} objects when one case of every claimed row has run"
    if code.own:
        yield f"text and data of {len(code.own)} mapped ELF files ({_largest(code.own)})"
    if code.needed:
        total = show_size(sum(code.needed.values()))
        yield f"{'beside them ' if code.own or code.compiled else ''}{total} in {_largest(code.needed)}"
    if code.modules:
        plural = "s" if len(code.modules) > 1 else ""
        yield f"{show_size(sum(code.modules.values()))} of Python in {len(code.modules)} module{plural}"
    if distribution:
        yield f"the package {distribution} has {show_size(_package_bytes(distribution))} of files"


def _largest(files: Mapping[Path, int]) -> str:
    ordered = sorted(files, key=lambda path: -files[path])
    names = ", ".join(path.name for path in ordered[:_SHOWN])
    return names + (f" and {len(ordered) - _SHOWN} more" if len(ordered) > _SHOWN else "")


def _code(handle: Handle) -> Code:
    """Run a tiny model and look at what the worker has mapped and opened. Raises Refused where none starts."""
    with idle(handle) as empty:
        shared = proc.mapped_objects(empty.pid) if empty.pid else frozenset()
    with started(handle) as worker:
        with suppress(Refused):  # a runtime that declines the model has loaded its code all the same
            worker.use_small_model()
        mapped, opened = proc.mapped_objects(worker.pid) - shared, worker.opened() - empty.opened
    return _sorted(mapped, opened, handle.distribution)


def _all_kernels(handle: Handle) -> dict[Path, int]:
    """Run one case of every row that a runtime claims; return the object files that it compiled, with their bytes."""
    samples = samples_of_specs(list(load_all().values()), load_oracle().kernels, handle.manifest)
    with started(handle) as worker:
        for sample in samples:
            with suppress(Refused):
                worker.open(sample.model)
                worker.run(sample.inputs)
        return _object_sizes(worker.opened())


def _sorted(mapped: Iterable[Path], opened: Iterable[Path], distribution: str) -> Code:
    theirs = [path for path in mapped if not _is_system(path)]
    package = _files_of(distribution)
    own = [path for path in theirs if path in package or not path.is_relative_to(_PACKAGES)]
    needed = [path for path in theirs if path not in own]
    modules = {source for source in map(_source_of, opened) if source and not _is_system(source)}
    return Code(
        {path: flash_of(path) for path in own},
        _object_sizes(opened),
        {path: flash_of(path) for path in needed},
        {path: path.stat().st_size for path in modules},
    )


def _source_of(path: Path) -> Path | None:
    """Return the Python module that was read, if it was one: a compiled one stands for its source."""
    with suppress(ValueError, NotImplementedError):
        path = Path(importlib.util.source_from_cache(path)) if path.suffix == ".pyc" else path
    return path if path.suffix == ".py" and path.is_file() else None


def _is_system(path: Path) -> bool:
    return any(path.is_relative_to(place) for place in _SYSTEM) and not path.is_relative_to(_PACKAGES)


def _files_of(distribution: str) -> frozenset[Path]:
    """Return the files of an installed package; none where there is no such package."""
    with suppress(importlib.metadata.PackageNotFoundError, ValueError):
        found = importlib.metadata.files(distribution) or ()
        return frozenset(Path(str(file.locate())).resolve() for file in found)
    return frozenset()


def _package_bytes(distribution: str) -> int:
    return sum(path.stat().st_size for path in _files_of(distribution) if path.is_file())


def _object_sizes(opened: Iterable[Path]) -> dict[Path, int]:
    sizes = {path: _object_bytes(path) for path in opened if path.suffix == _OBJECT}
    return {path: size for path, size in sizes.items() if size}


def _object_bytes(path: Path) -> int:
    """Return the bytes of code and constants of an object file, which may stand behind a header; 0 where it is none."""
    try:
        stored = path.read_bytes()
        image: Any = ELFFile(io.BytesIO(stored[stored.index(b"\x7fELF") :]))
    except (OSError, ValueError, ELFError):
        return 0
    return sum(section["sh_size"] for section in image.iter_sections() if section["sh_flags"] & 2)


def check_os_independence(subject: Subject) -> Evidence:
    """Look for symbols of an operating system: in a linked image for micro, else in what the worker runs."""
    handle = subject.handle
    if claims_boards.builds_images(handle):
        return claims_boards.check_os_independence(subject)
    code = _code(handle)
    asked = {path: _asked_of_system(path) for path in (*code.own, *code.needed)}
    names = sorted({name for found in asked.values() for name in found})
    language = interpreter_of(command_of(handle))
    source = f"symbols of {_largest({**code.own, **code.needed}) or 'its interpreter alone'}"
    if not names and not language:
        return Evidence(INDEPENDENCE, True, "no symbol of an OS", source)
    words = f"{len(names)} functions of an OS" if names else f"runs in {language}"
    why = ", ".join((*([f"it runs in {language}, which needs one"] if language else []), *names[: 2 * _SHOWN]))
    return Evidence(INDEPENDENCE, False, words, source, why)


def _asked_of_system(path: Path) -> frozenset[str]:
    """Return the symbols of an ELF file that only an operating system has: imported, or linked in statically.

    Raises NotMeasurable for a static program without symbols: they were stripped.
    """
    with path.open("rb") as file:
        image: Any = ELFFile(file)
        table = image.get_section_by_name(".dynsym") or image.get_section_by_name(".symtab")
        if table is None:
            raise NotMeasurable(f"{path.name} has no symbols; link it without -s, and do not strip it")
        return frozenset(name for name in _names(image, table) if kind_of(name))


def _names(image: Any, table: Any) -> set[str]:
    """Return the names of a table of symbols; a large library has too many to read them one by one."""
    order: Literal["little", "big"] = "little" if image.little_endian else "big"
    entries, step, strings = table.data(), table["sh_entsize"], image.get_section(table["sh_link"]).data()
    starts = (int.from_bytes(entries[at : at + 4], order) for at in range(0, len(entries), step))
    return {strings[start : strings.index(b"\0", start)].decode(errors="replace") for start in starts}
