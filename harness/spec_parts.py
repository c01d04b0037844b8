"""The readers of a spec's sections; each turns checked YAML into frozen data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from opconform.harness.expr import Expression, ExpressionError, compile_expression
from opconform.harness.model import DTYPES
from opconform.harness.spec import Attribute, Clause, Draw, Invalid, Law, QuantRule, ShapeRule, Slot
from opconform.harness.yamlish import Dict, SpecError

LAWS = (
    "commutative", "batch_independent", "sums_to_one", "shift_invariant", "order_preserving", "monotone", "idempotent",
    "inverse_of", "homogeneous", "permutation_equivariant", "odd", "even", "bounded", "subset_of", "deterministic",
    "inputs_untouched",
)  # fmt: skip
SPECIALS = ("nan", "inf", "zero", "negative_zero", "denormal")
DRAWS = {
    "broadcasts_with": (), "reshapes": (), "axis": (), "axes": ("min",), "pairs": ("each",), "list": ("each",),
    "choice": (), "slices": (), "rank": ("dim",), "permutes": (),
}  # fmt: skip
_PRESENCE = ("only", "absent", "intermediate")
BUDGETS = ("own", "stack", "scratch", "arena", "instructions")


@dataclass(frozen=True, slots=True)
class Reader:
    """Checks YAML values and makes errors that carry the file and the line."""

    where: str

    def error(self, line: int, message: str) -> SpecError:
        """Return the error to raise."""
        return SpecError(self.where, line, message)

    def line(self, mapping: Any, key: str) -> int:
        """Return the line of a key (of the mapping where it is unknown)."""
        lines = getattr(mapping, "lines", {})
        return int(lines.get(key, getattr(mapping, "line", 1)) if isinstance(lines, dict) else mapping.line)

    def mapping(
        self, value: Any, what: str, required: Sequence[str] = (), optional: Sequence[str] = (), line: int = 1
    ) -> None:
        """Fail unless value is a mapping with just these keys."""
        if not isinstance(value, Dict):
            raise self.error(line, f"{what} must be a mapping, not {type(value).__name__}")
        allowed = (*required, *optional)
        for key in value:
            if key not in allowed:
                raise self.error(
                    value.lines[key], f"unknown key '{key}' in {what}; allowed: {', '.join(allowed)}; fix the spelling"
                )
        for key in required:
            if key not in value:
                raise self.error(value.line, f"{what} lacks '{key}'; add it")

    def text(self, mapping: Dict, key: str) -> str:
        """Return a text value."""
        value = mapping[key]
        if not isinstance(value, str) or not value.strip():
            raise self.error(mapping.lines[key], f"'{key}' must be text, found {value!r}; quote it")
        if value.startswith("<") and value.endswith(">"):
            raise self.error(mapping.lines[key], f"'{key}' still holds the placeholder {value}; fill it in")
        return value

    def section(self, top: Dict, key: str) -> Dict:
        """Return a mapping section (empty where it is absent)."""
        value = top.get(key)
        if value is None:
            return Dict()
        if not isinstance(value, Dict):
            raise self.error(self.line(top, key), f"'{key}' must be a mapping, not {type(value).__name__}")
        return value

    def expression(self, value: Any, line: int) -> Expression:
        """Compile an expression, or a number."""
        if isinstance(value, list):
            value = "[" + ", ".join(str(item) for item in value) + "]"
        if value is None:
            raise self.error(line, "an expression is missing here; write a number or a formula")
        if isinstance(value, str) and value.startswith("<") and value.endswith(">"):
            raise self.error(line, f"still holds the placeholder {value}; fill it in")
        try:
            return compile_expression(str(value))
        except ExpressionError as error:
            raise self.error(line, str(error)) from error

    def pair(self, value: Any, line: int, what: str) -> tuple[Expression, Expression]:
        """Compile [LO, HI]."""
        if not isinstance(value, list) or len(value) != 2:
            raise self.error(line, f"{what} must be [LO, HI], found {value!r}")
        return self.expression(value[0], line), self.expression(value[1], line)


def shape_rule(read: Reader, value: Any, line: int) -> ShapeRule:
    """Compile a shape: a list of expressions, or one expression."""
    if isinstance(value, list):
        return ShapeRule(parts=tuple(read.expression(part, line) for part in value))
    return ShapeRule(whole=read.expression(value, line))


def slots(read: Reader, top: Dict, key: str) -> tuple[Slot, ...]:
    """Read `inputs` or `outputs`."""
    optional = (
        "constant",
        "optional",
        "variable",
        "value",
        "repeat",
        "dynamic",
        "range",
        "order",
        "sparse",
        *_PRESENCE,
    )
    result = []
    section = read.section(top, key)
    for name, body in section.items():
        line = section.lines[name]
        read.mapping(body, f"slot {name}", ("shape",), optional, line)
        constant = {True: "yes", False: "no", "either": "either"}.get(body.get("constant", False))
        if constant is None:
            raise read.error(line, f"slot {name}: constant is {body['constant']!r}; allowed: true, false, either")
        low, high = read.pair(body["range"], line, "range") if "range" in body else (None, None)
        order = body.get("order", "")
        if order not in ("", "sorted", "increasing") or (order and low is None):
            raise read.error(line, f"slot {name}: order is {order!r}; allowed: sorted, increasing, both with a range")
        result.append(
            Slot(
                name, shape_rule(read, body["shape"], line), line, constant,
                bool(body.get("optional")), bool(body.get("variable")),
                read.expression(body["value"], line) if "value" in body else None,
                read.expression(body["repeat"], line) if "repeat" in body else None,
                bool(body.get("dynamic")), low, high, order,
                read.expression(body["only"], line) if "only" in body else None,
                read.expression(body["absent"], line) if "absent" in body else None,
                read.expression(body["sparse"], line) if "sparse" in body else None,
                bool(body.get("intermediate")),
            )
        )  # fmt: skip
    return tuple(result)


def attributes(read: Reader, top: Dict) -> tuple[Attribute, ...]:
    """Read `attributes`."""
    section = read.section(top, "attributes")
    return tuple(_attribute(read, name, body, section.lines[name]) for name, body in section.items())


def _attribute(read: Reader, name: str, body: Any, line: int) -> Attribute:
    kinds = ("enum", "int", "float", "bool", "value")
    read.mapping(body, f"attribute {name}", (), kinds, line)
    if len(body) != 1:
        raise read.error(line, f"attribute {name} needs exactly one of {', '.join(kinds)}")
    kind, value = next(iter(body.items()))
    match kind:
        case "enum":
            return Attribute(name, "enum", line, choices=tuple(value))
        case "bool":
            return Attribute(name, "bool", line, choices=(False, True))
        case "value":
            return Attribute(name, "value", line, value=read.expression(value, line))
        case _:
            low, high = (float(part({})) for part in read.pair(value, line, f"attribute {name}"))
            return Attribute(name, kind, line, low=low, high=high)


def draws(read: Reader, section: Dict, domain: Mapping[str, Any]) -> tuple[Draw, ...]:
    """Read `domain` without its value ranges."""
    return tuple(_draw(read, name, rule, read.line(section, name)) for name, rule in domain.items())


def _draw(read: Reader, name: str, rule: Any, line: int) -> Draw:
    if isinstance(rule, list):
        low, high = read.pair(rule[:2], line, name)
        if len(rule) > 3:
            raise read.error(line, f"{name} must be [LO, HI] or [LO, HI, HI of large cases], found {rule!r}")
        large = read.expression(rule[2], line) if len(rule) == 3 else None
        return Draw(name, "int", line, {"low": low, "high": high}, large=large)
    kind = next((key for key in DRAWS if isinstance(rule, dict) and key in rule), None)
    if kind is None:
        raise read.error(line, f"{name}: {rule!r} is no way to draw; allowed: [LO, HI] or one of {', '.join(DRAWS)}")
    read.mapping(rule, name, (kind,), DRAWS[kind], line)
    if kind == "choice":
        return Draw(name, "choice", line, choices=tuple(rule["choice"]))
    if kind == "rank":
        low, high = read.pair(rule["rank"], line, "rank")
        dim_low, dim_high = read.pair(rule["dim"], line, "dim")
        return Draw(name, "shape", line, {"low": low, "high": high, "dim_low": dim_low, "dim_high": dim_high})
    args = {"of": read.expression(rule[kind], line)}
    if "each" in rule:
        args["low"], args["high"] = read.pair(rule["each"], line, "each")
    args["min"] = read.expression(rule.get("min", 0), line)
    return Draw(name, kind, line, args)


def value_ranges(read: Reader, values: Any) -> Mapping[str, tuple[Expression, Expression]]:
    """Read `domain.values`."""
    if not values:
        return {}
    read.mapping(values, "values", (), tuple(values))
    return {key: read.pair(rule, values.lines[key], key) for key, rule in values.items()}


def specials(read: Reader, top: Dict, names: Any) -> tuple[str, ...]:
    """Read `domain.specials`."""
    for name in names:
        if name not in SPECIALS:
            raise read.error(read.line(top, "domain"), f"unknown special '{name}'; known: {', '.join(SPECIALS)}")
    return tuple(names)


def rows_of(read: Reader, body: Any, types: Mapping[str, Any], line: int, key: str = "for") -> tuple[str, ...]:
    """Read a row, or a list of rows (globs); each must match a row."""
    value = body.get(key) if isinstance(body, dict) else None
    rows = tuple(value) if isinstance(value, list) else (str(value),) if value is not None else ()
    for pattern in rows:
        if not any(fnmatchcase(row, pattern) for row in types):
            raise read.error(line, f"'{pattern}' matches no row; rows: {', '.join(types)}")
    return rows


def quantization(
    read: Reader, top: Dict, types: Mapping[str, Mapping[str, str]]
) -> Mapping[str, Mapping[str, QuantRule]]:
    """Read `quantization`."""
    section = read.section(top, "quantization")
    result: dict[str, Mapping[str, QuantRule]] = {}
    for row, rules in section.items():
        line = section.lines[row]
        if row not in types:
            raise read.error(line, f"'{row}' is no row; rows: {', '.join(types)}")
        if not isinstance(rules, Dict):
            raise read.error(line, f"row {row} must map slots to rules")
        for slot in rules:
            if slot not in types[row]:
                raise read.error(rules.lines[slot], f"'{slot}' is no slot; slots: {', '.join(types[row])}")
        result[row] = {slot: _quant_rule(read, rule, rules.lines[slot]) for slot, rule in rules.items()}
    return result


def _quant_rule(read: Reader, rule: Any, line: int) -> QuantRule:
    if rule in ("per_tensor", "symmetric"):
        return QuantRule(rule, line)
    keys = ("per_tensor", "symmetric", "per_axis", "scale", "zero_point", "same_as", "range")
    read.mapping(rule, "a quantization rule", (), keys, line)
    bounds = _whole_pair(read, rule["range"], line) if "range" in rule else None
    common: dict[str, Any] = {"range": bounds}
    for key in ("scale", "zero_point"):
        if key in rule:
            common[key] = read.expression(rule[key], line)
    if "same_as" in rule:
        return QuantRule("same_as", line, same_as=str(rule["same_as"]), range=bounds)
    for kind in ("per_tensor", "symmetric"):
        if isinstance(rule.get(kind), list):
            common["low"], common["high"] = read.pair(rule[kind], line, kind)
        if kind in rule:
            return QuantRule(kind, line, **common)
    if "per_axis" in rule:
        return QuantRule("per_axis", line, axis=int(rule["per_axis"]), **common)
    if "scale" not in rule:
        raise read.error(line, f"rule {dict(rule)} gives no scale; allowed: {', '.join(keys)}")
    return QuantRule("fixed", line, **common)


def _whole_pair(read: Reader, value: Any, line: int) -> tuple[int, int]:
    """Read [LO, HI] of stored integers."""
    if not isinstance(value, list) or len(value) != 2 or not all(isinstance(n, int) for n in value):
        raise read.error(line, f"range must be two whole numbers [LO, HI], found {value!r}")
    return value[0], value[1]


def invalids(read: Reader, top: Dict, types: Mapping[str, Any]) -> tuple[Invalid, ...]:
    """Read `invalid`."""
    kinds = ("with", "shape", "dtype", "scale", "zero_point", "value", "missing")
    section = read.section(top, "invalid")
    result = []
    for label, body in section.items():
        line = section.lines[label]
        read.mapping(body, f"invalid {label}", ("why",), (*kinds, "for", "when"), line)
        kind = next((key for key in kinds if key in body), None)
        if kind is None:
            raise read.error(line, f"invalid {label} changes nothing; allowed: one of {', '.join(kinds)}")
        clause = Clause(
            label, "invalid", line, f"{kind}: {body[kind]}", str(body["why"]), rows_of(read, body, types, line)
        )
        when = read.expression(body["when"], line) if "when" in body else None
        result.append(Invalid(clause, kind, _changes(read, kind, body[kind], line), when))
    return tuple(result)


def _changes(read: Reader, kind: str, value: Any, line: int) -> Mapping[str, Any]:
    if kind == "missing":
        return {str(value): None}
    if not isinstance(value, dict):
        raise read.error(line, f"'{kind}' must be a mapping, found {value!r}")
    if kind == "dtype":
        for name, dtype in value.items():
            if dtype not in DTYPES:
                raise read.error(line, f"unknown dtype '{dtype}' of {name}; known: {', '.join(DTYPES)}")
        return dict(value)
    if kind == "shape":
        return {name: shape_rule(read, shape, line) for name, shape in value.items()}
    return {name: read.expression(rule, line) for name, rule in value.items()}


def laws(read: Reader, top: Dict, types: Mapping[str, Any]) -> tuple[Law, ...]:
    """Read `properties`. Labels L1, L2 ... follow the order of the file."""
    result = []
    for number, entry in enumerate(top.get("properties") or (), 1):
        line = entry.line if isinstance(entry, Dict) else top.lines["properties"]
        name, body = _law_entry(read, entry, line)
        if name not in LAWS:
            raise read.error(line, f"unknown law '{name}'; known: {', '.join(LAWS)}")
        detailed = isinstance(body, Dict) and "argument" in body
        if detailed:
            read.mapping(body, f"law {name}", ("argument",), ("types", "when", "why"), line)
        argument = body["argument"] if detailed else body
        rows = rows_of(read, body, types, line, "types") if detailed else ()
        why = str(body.get("why", "")) if detailed else ""
        when = read.expression(body["when"], line) if detailed and "when" in body else None
        text = f"{name}: {argument}" if argument is not None else name
        result.append(Law(Clause(f"L{number}", "law", line, text, why, rows), name, argument, when))
    return tuple(result)


def _law_entry(read: Reader, entry: Any, line: int) -> tuple[str, Any]:
    """Split `NAME` or `NAME: ARGUMENT`."""
    if not isinstance(entry, dict):
        return str(entry), None
    if len(entry) != 1:
        raise read.error(line, f"a law is one NAME: ARGUMENT, found {', '.join(entry)}; make each an item of its own")
    return next(iter(entry.items()))


def graph(read: Reader, top: Dict) -> Mapping[str, Any] | None:
    """Read `graph` (checked in depth when it is built)."""
    body: Mapping[str, Any] | None = top.get("graph")
    if body is None:
        return None
    read.mapping(body, "graph", ("nodes",), ("tensors", "subgraphs"), read.line(top, "graph"))
    return body


def budgets(read: Reader, top: Dict) -> Mapping[str, Mapping[str, int]]:
    """Read `budgets`: target -> own, stack, scratch, arena, instructions."""
    section = read.section(top, "budgets")
    for target, body in section.items():
        read.mapping(body, f"budget of {target}", (), BUDGETS, section.lines[target])
        for key, value in body.items():
            if not isinstance(value, int) or value < 0:
                raise read.error(section.lines[target], f"{target}.{key} is {value!r}; a whole number is needed")
    return {target: dict(body) for target, body in section.items()}
