"""The boards and their architectures: target.yaml and architecture.yaml -> descriptions, strictly.

Each board is a folder with a target.yaml, each architecture one with an architecture.yaml and its sources; both may be
the same folder. They lie in this package and in the folders that $OPCONFORM_TARGETS names.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Any

from opconform.harness import yamlish
from opconform.harness.runtime import Unavailable

BOARD_FILE, ARCHITECTURE_FILE = "target.yaml", "architecture.yaml"
#: What an ERROR of the wire carries for a fault.
MOST_REGISTERS = 16


@dataclass(frozen=True, slots=True)
class Memory:
    """One memory of a board: first address and size in bytes."""

    origin: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Target:
    """What target.yaml says. Sizes in bytes, the clock in hertz.

    `model_bytes` and `arena_bytes` are the buffers of the firmware: generated cases must fit them. `models_on` names a
    board with larger memories that runs the same instructions, where this one has room for no whole model.
    """

    name: str
    architecture: str
    core: str
    machine: str
    flags: tuple[str, ...]
    optimize: str
    libc: str
    clock_hz: int
    flash: Memory
    ram: Memory
    stack_bytes: int
    main_stack_bytes: int
    guard_bytes: int
    io_bytes: int
    model_bytes: int
    arena_bytes: int
    models_on: str = ""


@dataclass(frozen=True, slots=True)
class Architecture:
    """What architecture.yaml says: tools, the Debian packages that bring them, and words for faults.

    `registers` names the words of a fault report. `exceptions` names the values of the first of them, `causes` the
    bits of others. `addresses` says when a register holds the address at fault: another register, and the bits of it,
    or, of the first one, the values.
    """

    name: str
    compiler: str
    compiler_packages: str
    emulator: str
    emulator_packages: str
    emulator_options: tuple[str, ...]
    flags: tuple[str, ...]
    libc: Mapping[str, tuple[str, ...]]
    registers: tuple[str, ...]
    exceptions: Mapping[int, str]
    causes: Mapping[str, Mapping[int, str]]
    addresses: Mapping[str, Mapping[str, tuple[int, ...]]]


def folder() -> Path:
    """Return the folder of this package, installed or in a checkout."""
    return Path(str(files("opconform") / "targets"))


def places() -> tuple[Path, ...]:
    """Return the folders that hold boards and architectures: this package, then those of $OPCONFORM_TARGETS."""
    more = os.environ.get("OPCONFORM_TARGETS", "").split(os.pathsep)
    return (folder(), *(Path(place) for place in more if place))


def target_names() -> tuple[str, ...]:
    """Return the names of all boards, those that begin alike together, shortest first."""
    names = {path.parent.name for place in places() for path in place.glob(f"*/{BOARD_FILE}")}
    return tuple(sorted(names, key=lambda name: (name.partition("-")[0], len(name), name)))


def load_target(name: str) -> Target:
    """Read NAME/target.yaml. Raises Unavailable with one line for an unknown board or a bad file."""
    path = _find(name, BOARD_FILE)
    if path is None:
        raise Unavailable(f"target {name!r} is unknown; boards are {', '.join(target_names())}")
    target = parse_target(path.read_text(), f"targets/{name}/{BOARD_FILE}")
    if target.name != name:
        raise Unavailable(f"targets/{name}/{BOARD_FILE}: name is {target.name!r}, the folder's {name!r} is allowed")
    return target


def load_architecture(name: str) -> Architecture:
    """Read NAME/architecture.yaml. Raises Unavailable with one line for an unknown one or a bad file."""
    path = _find(name, ARCHITECTURE_FILE)
    if path is None:
        known = sorted({path.parent.name for place in places() for path in place.glob(f"*/{ARCHITECTURE_FILE}")})
        raise Unavailable(f"architecture {name!r} is unknown; architectures are {', '.join(known)}")
    return parse_architecture(path.read_text(), f"targets/{name}/{ARCHITECTURE_FILE}")


def architecture_folder(name: str) -> Path:
    """Return where the sources of an architecture lie. Raises Unavailable."""
    path = _find(name, ARCHITECTURE_FILE)
    if path is None:
        load_architecture(name)
        raise AssertionError("an unknown architecture was loaded")
    return path.parent


def _find(name: str, file: str) -> Path | None:
    found = [place / name / file for place in places() if (place / name / file).is_file()]
    if len(found) > 1:
        raise Unavailable(f"{name!r} is in {found[0].parent} and in {found[1].parent}; give one another name")
    return found[0] if found else None


def parse_target(text: str, where: str) -> Target:
    """Check the keys and types of a target.yaml. Raises Unavailable with `where` and the key at fault."""
    return Target(**_checked(text, where, Target))


def parse_architecture(text: str, where: str) -> Architecture:
    """Check the keys and types of an architecture.yaml. Raises Unavailable with `where` and the key at fault."""
    found = Architecture(**_checked(text, where, Architecture))
    named = {*found.causes, *found.addresses, *(name for by in found.addresses.values() for name in by)}
    if unknown := sorted(named - set(found.registers)):
        raise Unavailable(f"{where}: {unknown[0]!r} is no register; allowed are {', '.join(found.registers)}")
    if len(found.registers) > MOST_REGISTERS:
        raise Unavailable(f"{where}: {len(found.registers)} registers, {MOST_REGISTERS} are allowed")
    return found


def _checked(text: str, where: str, kind: type[Target] | type[Architecture]) -> dict[str, Any]:
    try:
        data = yamlish.loads(text, where)
    except yamlish.SpecError as error:
        raise Unavailable(str(error)) from error
    if not isinstance(data, dict):
        raise Unavailable(f"{where}: found {type(data).__name__}, a mapping is allowed")
    wanted = {field.name: str(field.type) for field in fields(kind)}
    optional = {field.name for field in fields(kind) if field.default is not MISSING}
    wrong = sorted((set(wanted) ^ set(data)) - (optional - set(data)), key=str)
    if wrong:
        raise Unavailable(f"{where}: key {wrong[0]!r} is missing or unknown; allowed are {', '.join(wanted)}")
    return {key: _value(data[key], kind, f"{where}: {key}") for key, kind in wanted.items() if key in data}


def _value(value: Any, kind: str, where: str) -> Any:
    match kind, value:
        case "int", int() if not isinstance(value, bool) and value >= 0:
            return value
        case "str", str() if value:
            return value
        case "tuple[str, ...]", [*words] if all(isinstance(word, str) for word in words):
            return tuple(words)
        case "tuple[int, ...]", [*numbers] if all(isinstance(number, int) for number in numbers):
            return tuple(numbers)
        case "Memory", {"origin": int() as origin, "bytes": int() as size, **rest} if not rest:
            return Memory(origin, size)
        case _, dict() if kind.startswith("Mapping["):
            keys, _, values = kind.removeprefix("Mapping[").removesuffix("]").partition(", ")
            return _mapping(value, keys, values, where)
    raise Unavailable(f"{where}: found {value!r}, {kind} is allowed")


def _mapping(value: Mapping[str, Any], key_kind: str, kind: str, where: str) -> dict[Any, Any]:
    numbers = key_kind == "int"
    if numbers and not all(key.isdecimal() for key in value):
        raise Unavailable(f"{where}: found the keys {', '.join(value)}, numbers are allowed")
    return {int(key) if numbers else key: _value(entry, kind, f"{where}.{key}") for key, entry in value.items()}
