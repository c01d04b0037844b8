"""What the harness itself reads of a run log's lines, with its types (docs/run-log.md has all keys)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opconform.harness.fields import WrongType, reader

_TEXTS = tuple[str, ...]
_PLACE: Mapping[str, Any] = dict.fromkeys(("op", "row", "runtime", "target", "verdict"), str)
_MODEL_TEXTS = dict.fromkeys(("operator", "clause", "message", "unit"), str | None)
_MODEL_COUNTS = dict.fromkeys(("correct", "reference_correct", "same_class", "float_class", "flash"), int | None)
_MODEL_NUMBERS = dict.fromkeys(("equal", "worst", "seconds"), float | None)


@dataclass(frozen=True, slots=True)
class _Runtime:
    """A runtime as the header lists it."""

    name: str
    target: str


@dataclass(frozen=True, slots=True)
class _Coverage:
    """Spec coverage as the footer counts it."""

    goals: int
    exercised: int
    never: tuple[str, ...]


#: kind -> key -> type; a key whose type allows None may be left out
KEYS: Mapping[str, Mapping[str, Any]] = {
    "header": {
        "version": str, "seed": int, "tier": str, "specs": str, "runtimes": tuple[_Runtime, ...],
        "selection": Mapping[str, Any], "started": str,
    },
    "spec": {"op": str, "rows": _TEXTS},
    "unavailable": {"runtime": str, "target": str, "message": str},
    "case": {
        **_PLACE, "case": str, "expected": bool | str, "cases": int, "message": str, "expectation": str | None,
    },
    "failure": {**_PLACE, "case": str, "expected": bool | str, "message": str, "replay": str},
    "agreement": {"op": str, "row": str},
    "coverage": {"op": str, "row": str, "clauses": Mapping[str, int]},
    "model": {
        "model": str, "runtime": str, "target": str, "verdict": str, "expected": bool | str, "examples": int,
        "meters": Mapping[str, float] | None, **_MODEL_TEXTS, **_MODEL_COUNTS, **_MODEL_NUMBERS,
    },
    "graph": {"model": str, "place": int},
    "cost": {"op": str, "runtime": str, "target": str, "verdict": str, "message": str},
    "note": {"op": str, "row": str, "message": str, "stale": str | None},
    "footer": {
        "cases": int, "lines": int, "verdicts": Mapping[str, int], "models": Mapping[str, int], "stale": _TEXTS,
        "thin": _TEXTS, "coverage": _Coverage, "seconds": float,
    },
}  # fmt: skip


#: kind -> (key, whether it may be left out, what reads its value), worked out once: logs have many lines
_CHECKS = {
    kind: tuple((key, type(None) in getattr(hint, "__args__", ()), reader(hint)) for key, hint in keys.items())
    for kind, keys in KEYS.items()
}


def fault(line: Mapping[str, Any]) -> str:
    """Return what keeps the harness from reading a line, as found and allowed; "" where nothing does."""
    kind = line.get("kind")
    if not isinstance(kind, str) or kind not in KEYS:
        return f"its kind is {kind!r:.60}; allowed: {', '.join(KEYS)}"
    for key, optional, read in _CHECKS[kind]:
        value = line.get(key)
        if optional and value is None:
            continue
        if key not in line:
            return f"its {kind} line has no '{key}'"
        try:
            read(value)
        except WrongType as error:
            return f"its {kind} line's '{key}': {error}"
    return ""
