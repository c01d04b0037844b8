"""Strict reader of runtime.yaml: every error names file, line and what is allowed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType

import yaml

from opconform.harness.runtime import Limit, Manifest, RuntimeFailure

ARITHMETICS = ("unspecified", "double_rounding", "single_rounding")
_LIMIT_KEYS = tuple(field.name for field in fields(Limit))


class ManifestError(RuntimeFailure):
    """A runtime.yaml breaks the rules; the message is file:line, what was found, what is allowed."""


@dataclass(frozen=True, slots=True)
class Card:
    """A runtime.yaml: the manifest, and the package that the runtime needs with the words that say how to get it."""

    manifest: Manifest
    distribution: str = ""
    get: str = ""


@dataclass(frozen=True, slots=True)
class _Place:
    file: Path
    node: yaml.Node
    key: str = ""

    def fail(self, found: str) -> ManifestError:
        where = f"{self.file}:{self.node.start_mark.line + 1}"
        return ManifestError(f"{where}: {self.key}: {found}" if self.key else f"{where}: {found}")


def load_manifest(file: Path) -> Manifest:
    """Read the manifest of a runtime.yaml. Raises ManifestError."""
    return read_card(file).manifest


def read_card(file: Path) -> Card:
    """Read a runtime.yaml. Raises ManifestError."""
    entries = _mapping(_Place(file, _compose(file)))
    _known(file, entries, _READERS)
    values = {key: _READERS[key](_Place(file, node, key)) for key, (node, _) in entries.items()}
    if "name" not in values:
        raise ManifestError(f"{file}:1: there is no name; write `name: my_runtime`")
    apart = {key: str(values.pop(key, "")) for key in ("distribution", "get")}
    return Card(Manifest(**values), **apart)  # type: ignore[arg-type]


def _compose(file: Path) -> yaml.Node:
    try:
        node = yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{file}: cannot be read: {error}") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ManifestError(f"{file}:{line}: no YAML: {error.problem}") from error
    if node is None:
        raise ManifestError(f"{file}:1: empty; write at least `name: my_runtime`")
    return node


def _mapping(place: _Place) -> dict[str, tuple[yaml.Node, yaml.Node]]:
    """Return key -> (value, key) nodes. Raises ManifestError for anything else and for a key given twice."""
    if not isinstance(place.node, yaml.MappingNode):
        raise place.fail("a mapping of keys is needed")
    entries: dict[str, tuple[yaml.Node, yaml.Node]] = {}
    for key, value in place.node.value:
        name = _text(_Place(place.file, key))
        if name in entries:
            raise _Place(place.file, key, name).fail("is given twice")
        entries[name] = (value, key)
    return entries


def _known(file: Path, entries: Mapping[str, tuple[yaml.Node, yaml.Node]], allowed: Mapping[str, object]) -> None:
    for name, (_, key) in entries.items():
        if name not in allowed:
            raise _Place(file, key).fail(f"unknown key {name!r}, allowed are {' '.join(allowed)}")


def _text(place: _Place) -> str:
    node = place.node
    if not isinstance(node, yaml.ScalarNode) or node.tag != "tag:yaml.org,2002:str":
        raise place.fail(f"{_shown(node)} is no text; put it in quotes")
    return str(node.value)


def _shown(node: yaml.Node) -> str:
    match node:
        case yaml.ScalarNode():
            return repr(node.value)
        case yaml.SequenceNode():
            return "a list"
        case _:
            return "a mapping"


def _texts(place: _Place) -> tuple[str, ...]:
    return tuple(_text(item) for item in _items(place))


def _items(place: _Place) -> list[_Place]:
    if not isinstance(place.node, yaml.SequenceNode):
        raise place.fail(f"{_shown(place.node)} is no list; write [a, b]")
    return [_Place(place.file, item, place.key) for item in place.node.value]


def _arithmetic(place: _Place) -> str:
    name = _text(place)
    if name not in ARITHMETICS:
        raise place.fail(f"{name!r}, allowed are {' '.join(ARITHMETICS)}")
    return name


def _limit(place: _Place) -> Limit:
    entries = _mapping(place)
    _known(place.file, entries, dict.fromkeys(_LIMIT_KEYS))
    missing = [key for key in _LIMIT_KEYS if key not in entries]
    if missing:
        raise place.fail(f"a limit lacks {' and '.join(missing)}; it needs {' '.join(_LIMIT_KEYS)}")
    return Limit(**{key: _text(_Place(place.file, entries[key][0], key)) for key in _LIMIT_KEYS})


def _limits(place: _Place) -> tuple[Limit, ...]:
    return tuple(_limit(item) for item in _items(place))


def _claims(place: _Place) -> Mapping[str, object]:
    return MappingProxyType({key: _scalar(_Place(place.file, node, key)) for key, (node, _) in _mapping(place).items()})


def _scalar(place: _Place) -> object:
    if not isinstance(place.node, yaml.ScalarNode):
        raise place.fail(f"{_shown(place.node)} is no single value")
    try:
        return yaml.SafeLoader("").construct_object(place.node)
    except (ValueError, yaml.YAMLError) as error:
        raise place.fail(f"{_shown(place.node)} is no value: {error}") from error


_READERS: Mapping[str, Callable[[_Place], object]] = {
    "name": _text,
    "summary": _text,
    "targets": _texts,
    "variants": _texts,
    "arithmetic": _arithmetic,
    "rows": _texts,
    "except_rows": _texts,
    "limits": _limits,
    "claims": _claims,
    "distribution": _text,
    "get": _text,
}
