"""The boards: target.yaml -> Board description, strictly."""

from __future__ import annotations

from dataclasses import dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Any

from opconform.harness import yamlish
from opconform.harness.runtime import Unavailable


@dataclass(frozen=True, slots=True)
class Memory:
    """One memory of a board: first address and size in bytes."""

    origin: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Target:
    """What target.yaml says. Sizes in bytes, the clock in hertz.

    `model_bytes` and `arena_bytes` are the buffers of the firmware: generated cases must fit them.
    """

    name: str
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


def folder() -> Path:
    """Return the folder of this package, installed or in a checkout."""
    return Path(str(files("opconform") / "targets" / "cortex_m"))


def target_names() -> tuple[str, ...]:
    """Return the names of all boards, smallest core first."""
    names = [path.parent.name for path in folder().glob("*/target.yaml")]
    return tuple(sorted(names, key=lambda name: (len(name), name)))


def load_target(name: str) -> Target:
    """Read targets/cortex_m/NAME/target.yaml. Raises Unavailable with one line for an unknown board or a bad file."""
    path = folder() / name / "target.yaml"
    if not path.is_file():
        raise Unavailable(f"target {name!r} is unknown; boards are {', '.join(target_names())}")
    return parse_target(path.read_text(), f"targets/cortex_m/{name}/target.yaml")


def parse_target(text: str, where: str) -> Target:
    """Check the keys and types of a target.yaml. Raises Unavailable with `where` and the key at fault."""
    try:
        data = yamlish.loads(text, where)
    except yamlish.SpecError as error:
        raise Unavailable(str(error)) from error
    if not isinstance(data, dict):
        raise Unavailable(f"{where}: found {type(data).__name__}, a mapping is allowed")
    wanted = {field.name: str(field.type) for field in fields(Target)}
    wrong = sorted(set(wanted) ^ set(data), key=str)
    if wrong:
        raise Unavailable(f"{where}: key {wrong[0]!r} is missing or unknown; allowed are {', '.join(wanted)}")
    return Target(**{key: _value(data[key], kind, f"{where}: {key}") for key, kind in wanted.items()})


def _value(value: Any, kind: str, where: str) -> Any:
    match kind, value:
        case "int", int() if not isinstance(value, bool) and value >= 0:
            return value
        case "str", str() if value:
            return value
        case "tuple[str, ...]", [*words] if all(isinstance(word, str) for word in words):
            return tuple(words)
        case "Memory", {"origin": int() as origin, "bytes": int() as size, **rest} if not rest:
            return Memory(origin, size)
    raise Unavailable(f"{where}: found {value!r}, {kind} is allowed")
