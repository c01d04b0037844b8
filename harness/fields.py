"""JSON objects to typed values, strictly: annotations are the schema (those of dataclasses, or of single keys)."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

Read = Callable[[Any], Any]

#: JSON has no word for these; Python writes them bare, other writers as text
SPECIAL: Mapping[Any, float] = {
    **dict.fromkeys(("NaN", "nan"), float("nan")),
    **dict.fromkeys(("Infinity", "inf"), float("inf")),
    **dict.fromkeys(("-Infinity", "-inf"), float("-inf")),
}
_WORDS = ((bool, "true or false"), (str, "text"), (int, "a whole number"), (float, "a number"))
_WORD = {bool: "a true/false", str: "text", int: "a number", float: "a number", list: "a list", dict: "an object"}


class WrongType(Exception):
    """A value is not what the log's format allows; the message says found and allowed."""


def _refuse(value: Any, allowed: str) -> WrongType:
    shown = repr(value) if len(repr(value)) <= 40 else repr(value)[:37] + "..."
    return WrongType(f"found {_WORD.get(type(value), 'null')} {shown}, allowed is {allowed}")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _refuse(value, "text")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _refuse(value, "true or false")
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _refuse(value, "a whole number")
    return value


def _number(value: Any) -> float:
    if isinstance(value, str) and value in SPECIAL:
        return SPECIAL[value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _refuse(value, "a number")
    if isinstance(value, int) and abs(value) > sys.float_info.max:
        raise _refuse(value, "a number that a float can hold")
    return value


def _anything(value: Any) -> Any:
    return value


def _sequence(item: Read) -> Read:
    def read(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise _refuse(value, "a list")
        found = []
        for i, one in enumerate(value):
            try:
                found.append(item(one))
            except WrongType as error:
                raise WrongType(f"item {i}: {error}") from None
        return tuple(found)

    return read


def _integer_key(key: str) -> int:
    try:
        return int(key)
    except ValueError:
        raise _refuse(key, "a whole number as key") from None


def _mapping(key_of: Callable[[str], Any], item: Read) -> Read:
    def read(value: Any) -> dict[Any, Any]:
        if not isinstance(value, dict):
            raise _refuse(value, "an object")
        found = {}
        for key, one in value.items():
            try:
                if one is not None:
                    found[key_of(key)] = item(one)
            except WrongType as error:
                raise WrongType(f"key {key!r}: {error}") from None
        return found

    return read


def _either(hints: tuple[Any, ...]) -> Read:
    words = " or ".join(word for kind, word in _WORDS if kind in hints)
    readers = tuple(reader(hint) for hint in hints if hint is not type(None))

    def read(value: Any) -> Any:
        for one in readers:
            try:
                return one(value)
            except WrongType:
                continue
        raise _refuse(value, words)

    return read


_PLAIN: Mapping[Any, Read] = {str: _text, bool: _flag, int: _whole, float: _number, Any: _anything}


@cache
def reader(hint: Any) -> Read:
    """Return the function that reads one JSON value as `hint`; it raises WrongType."""
    if hint in _PLAIN:
        return _PLAIN[hint]
    if is_dataclass(hint):
        return _record(hint)
    match get_origin(hint), get_args(hint):
        case origin, (item, end) if origin is tuple and end is ...:
            return _sequence(reader(item))
        case origin, (key, item) if origin is Mapping:
            return _mapping(_integer_key if key is int else str, reader(item))
        case origin, hints if origin in (Union, types.UnionType):
            return _either(hints)
    raise TypeError(f"{hint} is not a type that a log line may hold")


def _record(cls: Any) -> Read:
    hints = get_type_hints(cls)
    readers = {one.name: reader(hints[one.name]) for one in fields(cls)}
    required = [one.name for one in fields(cls) if one.default is MISSING and one.default_factory is MISSING]

    def read(value: Any) -> Any:
        if not isinstance(value, dict):
            raise _refuse(value, "an object")
        for key in required:
            if value.get(key) is None:
                raise WrongType(f"key {key!r} is missing, and a reader cannot do without it")
        return cls(**_keys(value, readers))

    return read


def _keys(value: Mapping[str, Any], readers: Mapping[str, Read]) -> dict[str, Any]:
    """Read the keys that a record knows; null is as good as absent."""
    found = {}
    for key, one in value.items():
        read = readers.get(key)
        if read is None or one is None:
            continue
        try:
            found[key] = read(one)
        except WrongType as error:
            raise WrongType(f"key {key!r}: {error}") from None
    return found
