"""Read YAML strictly: 1.2 core scalars, no duplicate keys, a line number for every node."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from opconform.harness.errors import InputError

# The C parser of libyaml where PyYAML has it.
_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PREFIX = "tag:yaml.org,2002:"


class _Loader(_PARSER):  # type: ignore[misc]
    """Composes nodes without working out a tag for what has none: `_scalar` decides what plain text means."""

    def resolve(self, _kind: Any, _value: Any, _implicit: Any) -> str:
        return _PREFIX + "str"

    def descend_resolver(self, _node: Any, _index: Any) -> None:
        """Keep no place in the document."""

    def ascend_resolver(self) -> None:
        """Keep no place in the document."""


class SpecError(InputError):
    """Bad input in a data file; the message is one line: file:line, what was found, what is allowed, what to do."""

    def __init__(self, where: str, line: int, message: str) -> None:
        super().__init__(f"{where}:{line}: {message}")
        self.where, self.line = where, line


class Dict(dict[str, Any]):
    """A mapping that knows the line of each key (`lines`) and its own (`line`)."""

    line: int = 0
    lines: dict[str, int]


class List(list[Any]):
    """A sequence that knows the line of each item (`lines`) and its own (`line`)."""

    line: int = 0
    lines: list[int]


_CONVERTERS: Mapping[str, Callable[[str], Any]] = {
    "true": lambda _: True,
    "false": lambda _: False,
    "null": lambda _: None,
    "int": int,
    "hex": lambda text: int(text, 16),
    "float": float,
}
_PLAIN = re.compile(
    r"(?P<true>true|True|TRUE)|(?P<false>false|False|FALSE)|(?P<null>null|Null|NULL|~|)|(?P<int>[-+]?[0-9]+)"
    r"|(?P<hex>0x[0-9a-fA-F]+)|(?P<float>[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)"
)


def load(path: Path) -> Any:
    """Return the file as Dict, List and Python scalars; raise SpecError on anything doubtful."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(str(path), 1, f"cannot be read as UTF-8 text: {error}; check the path") from error
    return loads(text, str(path))


def loads(text: str, where: str) -> Any:
    """Parse YAML text; `where` names it in errors."""
    try:
        node = yaml.compose(text, Loader=_Loader)
    except (yaml.YAMLError, RecursionError) as error:
        raise SpecError(where, _error_line(error), f"not valid YAML: {_first_line(error)}; fix the syntax") from error
    if node is None:
        raise SpecError(where, 1, "the file is empty; a mapping is expected")
    if "&" in text:  # an alias needs an anchor
        _refuse_aliases(node, where)
    return _build(node, where, 0)


def _refuse_aliases(top: yaml.Node, where: str) -> None:
    """Fail on a node that stands in two places: a few lines of aliases of aliases fill any memory."""
    seen, waiting = {id(top)}, [top]
    while waiting:
        node = waiting.pop()
        if isinstance(node, yaml.ScalarNode):
            continue
        for child in (part for item in node.value for part in (item if isinstance(item, tuple) else (item,))):
            if id(child) in seen:
                raise SpecError(where, node.start_mark.line + 1, "an alias (*name) stands here; write the value out")
            seen.add(id(child))
            waiting.append(child)


def _error_line(error: Exception) -> int:
    mark = getattr(error, "problem_mark", None)
    return mark.line + 1 if mark else 1


def _first_line(error: Exception) -> str:
    return str(getattr(error, "problem", None) or error).split("\n")[0]


def _build(node: yaml.Node, where: str, depth: int) -> Any:
    line = node.start_mark.line + 1
    if depth > 20:
        raise SpecError(where, line, "nested deeper than 20 levels, or an alias that contains itself; flatten it")
    if node.tag not in _KNOWN_TAGS:
        raise SpecError(where, line, f"tag {node.tag} is not allowed; write plain data")
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, where, depth)
    if isinstance(node, yaml.SequenceNode):
        items = List(_build(item, where, depth + 1) for item in node.value)
        items.line, items.lines = line, [item.start_mark.line + 1 for item in node.value]
        return items
    return _scalar(node)


def _mapping(node: yaml.MappingNode, where: str, depth: int) -> Dict:
    result = Dict()
    result.line, result.lines = node.start_mark.line + 1, {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise SpecError(where, line, "a key is a list or a mapping; keys are plain names")
        key = key_node.value
        if key in result:
            first = result.lines[key]
            raise SpecError(where, line, f"key '{key}' stands twice (first on line {first}); remove one")
        result[key] = _build(value_node, where, depth + 1)
        result.lines[key] = line
    return result


def _scalar(node: yaml.Node) -> Any:
    text: str = node.value
    if getattr(node, "style", None):  # quoted or block: always text
        return text
    found = _PLAIN.fullmatch(text)
    return _CONVERTERS[found.lastgroup or ""](text) if found else text


_KNOWN_TAGS = {_PREFIX + name for name in ("str", "int", "float", "bool", "null", "timestamp", "map", "seq")}
