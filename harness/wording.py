"""Clauses of a spec as sentences, for test names and for `opconform show`."""

from __future__ import annotations

from opconform.harness.expr import Expression
from opconform.harness.spec import Law, OpSpec, Tolerance


def tolerance_sentence(spec: OpSpec, row: str, arithmetic: str = "") -> str:
    """Say how far a row may be off, e.g. "within 1 lsb of the reference, bit-exact with double rounding [T2]".

    `arithmetic` is the family that a runtime promises; "" says what the spec says of every runtime.
    """
    rules = spec.tolerance[row]
    parts = [(f"{rule.output} " if rule.output else "") + _bound(rule, arithmetic) for rule in rules]
    return f"{'; '.join(parts)} [{rules[0].clause.label}]"


def _bound(rule: Tolerance, arithmetic: str) -> str:
    match rule.kind:
        case "exact":
            words = "equal to the reference"
        case "distribution":
            words = _distributed(rule)
        case "bound":
            words = f"within {_text(rule.limit)} roundings of the sum of magnitudes"
        case "spread":
            words = f"within what errors of {', '.join(rule.noise)} grow to over time"
        case kind:
            words = f"within {_text(rule.limit)} {kind} of the reference"
    words += f", or {_text(rule.floor)}" if rule.floor is not None else ""
    words += ", signed zeros included" if rule.signed_zero else ""
    return words + _exactness(rule, arithmetic)


def _distributed(rule: Tolerance) -> str:
    match rule.distribution:
        case "normal":
            return "distributed normally with mean 0 and deviation 1"
        case "categorical":
            return f"distributed as softmax({rule.of})"
        case _:
            return f"distributed uniformly on [{rule.low:g}, {rule.high:g})"


def _exactness(rule: Tolerance, arithmetic: str) -> str:
    family = rule.family.replace("_", " ")
    if not family:
        return ""
    if arithmetic == rule.family or (_text(rule.limit) == "0" and rule.kind != "spread"):
        return f", bit-exact with {family}"
    return "" if arithmetic else f", bit-exact where {family} is promised"


def _text(expression: Expression | None) -> str:
    return expression.text if expression is not None else "0"


def law_sentence(law: Law) -> str:
    """Say a law, e.g. "batch independent: x [L1]"."""
    name = law.name.replace("_", " ")
    match law.argument:
        case None:
            argument = ""
        case dict() as mapping:
            argument = ": " + ", ".join(f"{key} {value}" for key, value in mapping.items())
        case list() as items:
            argument = ": " + ", ".join(str(item) for item in items)
        case other:
            argument = f": {other}"
    return f"{name}{argument} [{law.clause.label}]"
