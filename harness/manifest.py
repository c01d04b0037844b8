"""Strict reader of runtime.yaml: every error names file, line and what is allowed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from opconform.harness import yamlish
from opconform.harness.claim_values import CLAIMS, check_claims, read_claim
from opconform.harness.expr import ExpressionError, compile_expression
from opconform.harness.runtime import Limit, Manifest, RuntimeFailure
from opconform.targets.boards import target_names

#: Among the targets of a runtime.yaml: every board that has a folder (docs/adding-a-target.md).
BOARDS = "boards"
VECTORS = ("all", "least")
ARITHMETICS = ("unspecified", "double_rounding")
_NAME = r"[A-Za-z0-9_.-]+"
_LIMIT_KEYS = tuple(field.name for field in fields(Limit))


class ManifestError(RuntimeFailure):
    """A runtime.yaml breaks the rules; the message is file:line, what was found, what is allowed."""


@dataclass(frozen=True, slots=True)
class Card:
    """A runtime.yaml: the manifest, and what only the registry needs.

    `default` is the variant or target that the bare name means; `distribution` the package that the runtime
    needs, `get` the words that say how to get it. `boards` are the targets that "boards" stands for.
    """

    manifest: Manifest
    default: str = ""
    distribution: str = ""
    get: str = ""
    boards: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Place:
    """A value with where it stands."""

    file: Path
    line: int
    key: str
    value: Any

    def fail(self, found: str) -> ManifestError:
        key = f"{self.key}: " if self.key else ""
        return ManifestError(f"{self.file}:{self.line}: {key}{found}")


def check_manifest(manifest: Manifest) -> None:
    """Check what a class says of itself as a runtime.yaml is checked. Raises ValueError that names the field."""
    if not re.fullmatch(_NAME, str(manifest.name)):
        raise ValueError(f"its name is {manifest.name!r}; letters, digits, _ . - are allowed")
    for field in ("targets", "variants", "rows", "except_rows"):
        _check_texts(field, getattr(manifest, field))
    if not (manifest.targets or manifest.variants):
        raise ValueError("targets: none, at least one is needed, e.g. host")
    for field, allowed in (("arithmetic", ARITHMETICS), ("vectors", VECTORS)):
        if getattr(manifest, field) not in allowed:
            raise ValueError(f"{field}: {getattr(manifest, field)!r}, allowed are {' '.join(allowed)}")
    if not isinstance(manifest.limits, tuple | list):
        raise ValueError(f"limits: {manifest.limits!r}, want a tuple of limits")
    with _naming("limits"):
        for limit in manifest.limits:
            _check_limit(limit)
    with _naming("claims"):
        check_claims(manifest.claims)


@contextmanager
def _naming(field: str) -> Iterator[None]:
    """Let a ValueError begin with the name of a field."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{field}: {error}") from error


def _check_texts(field: str, texts: object) -> None:
    if not isinstance(texts, tuple | list) or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{field}: {texts!r}, want a tuple of texts")


def _check_limit(limit: Limit) -> None:
    """Check that a limit is made of texts and its condition an expression. Raises ValueError."""
    if not isinstance(limit, Limit):
        raise ValueError(f"{limit!r}, want Limit(rows, when, why)")
    for key in _LIMIT_KEYS:
        if not isinstance(text := getattr(limit, key), str) or not text:
            raise ValueError(f"{key}: {text!r}, want a text")
    try:
        compile_expression(limit.when)
    except ExpressionError as error:
        raise ValueError(f"{limit.rows}: {error}") from error


def load_manifest(file: Path) -> Manifest:
    """Read the manifest of a runtime.yaml. Raises ManifestError."""
    return read_card(file).manifest


def read_card(file: Path) -> Card:
    """Read a runtime.yaml. Raises ManifestError."""
    try:
        whole = _Place(file, 1, "", yamlish.load(file))
    except yamlish.SpecError as error:
        raise ManifestError(str(error)) from error
    values = {key: _READERS[key](place) for key, place in _mapping(whole, tuple(_READERS)).items()}
    if "name" not in values:
        raise whole.fail("there is no name; write `name: my_runtime`")
    default = values.pop("default", "")
    apart = {key: str(values.pop(key, "")) for key in ("distribution", "get")}
    manifest = Manifest(**values)  # type: ignore[arg-type]
    boards = target_names() if BOARDS in whole.value.get("targets", ()) else ()
    return Card(manifest, _default(whole, manifest, str(default)), **apart, boards=boards)


def _default(whole: _Place, manifest: Manifest, chosen: str) -> str:
    allowed = (*manifest.targets, *manifest.variants)
    if chosen and chosen not in allowed:
        raise _Place(whole.file, whole.value.lines["default"], "default", chosen).fail(
            f"{chosen!r}, allowed are {' '.join(allowed)}"
        )
    return chosen or (*allowed, "")[0]


def _mapping(place: _Place, allowed: tuple[str, ...]) -> dict[str, _Place]:
    """Return the entries of a mapping whose keys are all among `allowed` (empty: any)."""
    mapping = place.value
    if not isinstance(mapping, yamlish.Dict):
        raise place.fail("a mapping of keys is needed")
    for key in mapping:
        if allowed and key not in allowed:
            at = _Place(place.file, mapping.lines[key], "", key)
            raise at.fail(f"unknown key {key!r}, allowed are {' '.join(allowed)}")
    return {key: _Place(place.file, mapping.lines[key], key, value) for key, value in mapping.items()}


def _text(place: _Place) -> str:
    if not isinstance(place.value, str):
        raise place.fail(f"{_shown(place.value)} is no text; put it in quotes")
    return place.value


def _shown(value: object) -> str:
    match value:
        case list():
            return "a list"
        case dict():
            return "a mapping"
        case _:
            return repr(value)


def _items(place: _Place) -> list[_Place]:
    if not isinstance(place.value, yamlish.List):
        raise place.fail(f"{_shown(place.value)} is no list; write [a, b]")
    lined = zip(place.value, place.value.lines, strict=True)
    return [_Place(place.file, line, place.key, item) for item, line in lined]


def _texts(place: _Place) -> tuple[str, ...]:
    return tuple(_text(item) for item in _items(place))


def _targets(place: _Place) -> tuple[str, ...]:
    return tuple(name for text in _texts(place) for name in (target_names() if text == BOARDS else (text,)))


def _one_of(names: tuple[str, ...]) -> Callable[[_Place], str]:
    def read(place: _Place) -> str:
        name = _text(place)
        if name not in names:
            raise place.fail(f"{name!r}, allowed are {' '.join(names)}")
        return name

    return read


def _limit(place: _Place) -> Limit:
    entries = _mapping(place, _LIMIT_KEYS)
    missing = [key for key in _LIMIT_KEYS if key not in entries]
    if missing:
        raise place.fail(f"a limit lacks {' and '.join(missing)}; it needs {' '.join(_LIMIT_KEYS)}")
    limit = Limit(**{key: _text(entries[key]) for key in _LIMIT_KEYS})
    try:
        _check_limit(limit)
    except ValueError as error:
        raise place.fail(str(error)) from error
    return limit


def _limits(place: _Place) -> tuple[Limit, ...]:
    return tuple(_limit(item) for item in _items(place))


def _claims(place: _Place) -> Mapping[str, object]:
    claims = {key: _claim(entry) for key, entry in _mapping(place, tuple(CLAIMS)).items()}
    missing = [key for key in CLAIMS if key not in claims]
    if missing:
        raise place.fail(f"missing {' '.join(missing)}; say something of every claim, or leave claims out")
    return MappingProxyType(claims)


def _claim(place: _Place) -> object:
    try:
        read_claim(place.key, place.value)
    except ValueError as error:
        raise place.fail(str(error)) from error
    return place.value


_READERS: Mapping[str, Callable[[_Place], object]] = {
    "name": _text,
    "summary": _text,
    "targets": _targets,
    "variants": _texts,
    "arithmetic": _one_of(ARITHMETICS),
    "rows": _texts,
    "except_rows": _texts,
    "limits": _limits,
    "vectors": _one_of(VECTORS),
    "claims": _claims,
    "default": _text,
    "distribution": _text,
    "get": _text,
}
