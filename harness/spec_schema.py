"""The JSON schema of the spec language, for editors; specs/schema.json is generated from here."""

from __future__ import annotations

import json
from typing import Any

from opconform.harness import schema
from opconform.harness.model import DTYPES
from opconform.harness.numerics import FAMILIES
from opconform.harness.spec_load import SECTIONS
from opconform.harness.spec_parts import BUDGETS, LAWS, SPECIALS
from opconform.harness.spec_tolerance import DISTRIBUTIONS

Json = dict[str, Any]

_EXPRESSION: Json = {"type": ["string", "number", "integer"]}
_SHAPE: Json = {"oneOf": [{"type": "array", "items": _EXPRESSION}, {"type": "string"}]}
_PAIR: Json = {"type": "array", "items": _EXPRESSION, "minItems": 2, "maxItems": 2}
_DTYPE: Json = {"enum": sorted(DTYPES)}
_ROWS: Json = {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}


def _object(properties: Json, required: tuple[str, ...] = ()) -> Json:
    result: Json = {"type": "object", "properties": properties, "additionalProperties": False}
    return result | ({"required": list(required)} if required else {})


def _map(values: Json) -> Json:
    return {"type": "object", "additionalProperties": values}


def _slot() -> Json:
    flags: Json = {name: {"type": "boolean"} for name in ("optional", "variable", "dynamic", "intermediate")}
    rest: Json = {"shape": _SHAPE, "constant": {"enum": [True, False, "either"]}, "range": _PAIR}
    rest |= {"order": {"enum": ["sorted", "increasing"]}}
    formulas: Json = dict.fromkeys(("value", "repeat", "only", "absent", "sparse"), _EXPRESSION)
    return _object(rest | flags | formulas, ("shape",))


def _attribute() -> Json:
    kinds: Json = {"enum": {"type": "array"}, "int": _PAIR, "float": _PAIR, "bool": {"const": True}}
    return _object(kinds | {"value": {}}) | {"minProperties": 1, "maxProperties": 1}


def _quantization() -> Json:
    drawn: Json = {"oneOf": [_PAIR, {"type": "null"}, {"type": "boolean"}]}
    fields: Json = {"per_tensor": drawn, "symmetric": drawn, "per_axis": {"type": "integer"}, "scale": _EXPRESSION}
    more: Json = {"zero_point": _EXPRESSION, "same_as": {"type": "string"}, "range": _PAIR}
    return {"oneOf": [{"enum": ["per_tensor", "symmetric"]}, _object(fields | more)]}


def _invalid() -> Json:
    changes: Json = {kind: _map({}) for kind in ("with", "shape", "scale", "zero_point", "value")}
    rest: Json = {"dtype": _map(_DTYPE), "missing": {"type": "string"}, "when": _EXPRESSION}
    return _object(changes | rest | {"for": _ROWS, "why": {"type": "string"}}, ("why",))


def _tolerance() -> Json:
    limits: Json = dict.fromkeys(("ulp", "bound", "lsb", "floor"), _EXPRESSION)
    rest: Json = {
        "exact": {"enum": sorted(FAMILIES)},
        "distribution": {"enum": list(DISTRIBUTIONS)},
        "of": {"type": "string"},
    }
    rest["spread"] = _map({"oneOf": [_EXPRESSION, _PAIR]})
    ends: Json = {"low": {"type": "number"}, "high": {"type": "number"}}
    rule = _object(limits | rest | ends | {"signed_zero": {"type": "boolean"}, "why": {"type": "string"}})
    return {"anyOf": [{"const": "exact"}, rule, _map({"anyOf": [{"const": "exact"}, rule]})]}


def _law() -> Json:
    named = {"type": "object", "propertyNames": {"enum": list(LAWS)}, "minProperties": 1, "maxProperties": 1}
    return {"oneOf": [{"enum": list(LAWS)}, named]}


def spec_schema() -> Json:
    """Return the JSON schema (draft 2020-12) of specs/ops/*.yaml."""
    domain = {"type": "object", "properties": {"specials": {"type": "array", "items": {"enum": list(SPECIALS)}}}}
    require = _object({"for": _ROWS, "that": _EXPRESSION, "why": {"type": "string"}}, ("that", "why"))
    sections: Json = {
        "op": {"enum": sorted(schema.OPS)},
        "summary": {"type": "string"},
        "see": {"type": "array", "items": {"type": "string", "format": "uri"}},
        "inputs": _map(_slot()),
        "outputs": _map(_slot()),
        "attributes": _map(_attribute()),
        "domain": domain,
        "derive": _map(_EXPRESSION | {"type": ["string", "number", "integer", "array"]}),
        "types": _map(_map(_DTYPE)),
        "quantization": _map(_map(_quantization())),
        "require": _map(require),
        "invalid": _map(_invalid()),
        "tolerance": _map(_tolerance()),
        "properties": {"type": "array", "items": _law()},
        "graph": {"type": "object"},
        "stateful": {"type": "boolean"},
        "custom": {"type": "string"},
        "exhaustive": {"type": "array", "items": {"type": "string"}},
        "budgets": _map(_object({name: {"type": "integer", "minimum": 0} for name in BUDGETS})),
        "canonical": {"type": "object"},
    }
    assert set(sections) == {*SECTIONS["required"], *SECTIONS["optional"]}
    top = _object(sections, SECTIONS["required"])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "opconform op spec", **top}


def schema_text() -> str:
    """Return what specs/schema.json must hold."""
    return json.dumps(spec_schema(), indent=2) + "\n"
