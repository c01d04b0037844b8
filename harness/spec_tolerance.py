"""The reader of a spec's section `tolerance`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opconform.harness.numerics import FAMILIES
from opconform.harness.spec import Clause, Tolerance
from opconform.harness.spec_parts import Reader
from opconform.harness.yamlish import Dict

DISTRIBUTIONS = ("uniform", "normal", "categorical")
_KINDS = ("ulp", "bound", "lsb", "spread", "distribution")
_REST = ("exact", "floor", "low", "high", "of", "signed_zero", "why")


def tolerances(read: Reader, top: Dict, types: Mapping[str, Mapping[str, str]]) -> Mapping[str, tuple[Tolerance, ...]]:
    """Read `tolerance`; every row needs one. Labels T1, T2 ... follow the order of the file."""
    section = read.section(top, "tolerance")
    for row in section:
        if row not in types:
            raise read.error(section.lines[row], f"'{row}' is no row; rows: {', '.join(types)}")
    for row in types:
        if row not in section:
            raise read.error(read.line(top, "tolerance"), f"row {row} has no tolerance; add one")
    result = {}
    for number, (row, body) in enumerate(section.items(), 1):
        line = section.lines[row]
        clause = Clause(f"T{number}", "tolerance", line, f"{row}: {body}", rows=(row,))
        slots_of_row = types[row]
        if isinstance(body, dict) and body and all(key in slots_of_row for key in body):
            result[row] = tuple(_tolerance(read, clause, rule, line, output) for output, rule in body.items())
        else:
            result[row] = (_tolerance(read, clause, body, line, ""),)
    return result


def _tolerance(read: Reader, clause: Clause, body: Any, line: int, output: str) -> Tolerance:
    if body == "exact":
        return Tolerance(clause, "exact", output=output)
    read.mapping(body, "a tolerance", (), (*_KINDS, *_REST), line)
    kind = next((key for key in _KINDS if key in body), None)
    if kind is None:
        raise read.error(line, f"a tolerance is 'exact', or has one of {', '.join(_KINDS)}")
    family = str(body.get("exact", ""))
    if family and family not in FAMILIES:
        raise read.error(line, f"unknown rounding family '{family}'; known: {', '.join(FAMILIES)}")
    if kind == "distribution":
        return _distribution(read, clause, body, line, output)
    if kind == "spread":
        return Tolerance(clause, kind, family=family, output=output, noise=_noise(read, body["spread"], line))
    floor = read.expression(body["floor"], line) if "floor" in body else None
    signed = bool(body.get("signed_zero"))
    return Tolerance(clause, kind, read.expression(body[kind], line), floor, family, signed, output=output)


def _noise(read: Reader, body: Any, line: int) -> Mapping[str, Any]:
    """Read what `spread` is told: a formula by name, or the two of a range."""
    read.mapping(body, "a spread", (), tuple(body) if isinstance(body, dict) else (), line)
    return {
        name: read.pair(rule, line, name) if isinstance(rule, list) else read.expression(rule, line)
        for name, rule in body.items()
    }


def _distribution(read: Reader, clause: Clause, body: Dict, line: int, output: str) -> Tolerance:
    name = body["distribution"]
    if name not in DISTRIBUTIONS:
        raise read.error(line, f"unknown distribution '{name}'; known: {', '.join(DISTRIBUTIONS)}")
    if (name == "categorical") != ("of" in body):
        raise read.error(line, "a categorical distribution names the slot of its logits with 'of', no other does")
    low, high, of = float(body.get("low", 0)), float(body.get("high", 1)), str(body.get("of", ""))
    return Tolerance(clause, "distribution", low=low, high=high, output=output, distribution=name, of=of)
