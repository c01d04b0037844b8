"""`opconform show`: one op's contract, readable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated

import typer

from opconform.harness.cli.common import AS_EXPECTED, console
from opconform.harness.registry import claims_row, manifests
from opconform.harness.runner import NothingSelected
from opconform.harness.runtime import Manifest
from opconform.harness.spec import Attribute, Clause, OpSpec, QuantRule, ShapeRule, Slot
from opconform.harness.spec_load import load_all
from opconform.harness.wording import law_sentence, tolerance_sentence

HELP = """\
At the end stands which runtimes claim it, and within what limits.

Example: opconform show CONV_2D
"""


def register(app: typer.Typer) -> None:
    """Add the subcommand."""
    app.command("show", help=HELP)(command)


def command(op: Annotated[str, typer.Argument(metavar="OP", help="An op, e.g. CONV_2D.")]) -> int:
    """Show one op."""
    specs = load_all()
    if op.upper() not in specs:
        raise NothingSelected(f"show {op}: unknown op; ops: {', '.join(specs)}")
    out = console()
    for line in describe(specs[op.upper()], {m.name: m for m in manifests()}):
        out.print(line, markup=False)
    return AS_EXPECTED


def describe(spec: OpSpec, known: Mapping[str, Manifest]) -> Iterator[str]:
    """Yield the lines of one op."""
    yield f"{spec.op}: {spec.summary}"
    yield spec.file
    for link in spec.see:
        yield f"  see {link}"
    yield from _section("inputs", (_slot(slot) for slot in spec.inputs))
    yield from _section("outputs", (_slot(slot) for slot in spec.outputs))
    yield from _section("attributes", (f"{a.name}: {_attribute(a)}" for a in spec.attributes))
    yield from _section("rows", (line for row in spec.rows for line in _row(spec, row)))
    yield from _section("a legal case fulfils", (_clause(spec, r.clause) for r in spec.require))
    yield from _section("must be refused", (_clause(spec, i.clause) for i in spec.invalid))
    laws = (f"{spec.file}:{law.clause.line} {law_sentence(law)}{_rows(law.clause)}" for law in spec.laws)
    yield from _section("laws", (*laws, "every op: deterministic [LD], inputs untouched [LU]"))
    budgets = (f"{t}: " + ", ".join(f"{k} {v}" for k, v in b.items()) for t, b in spec.budgets.items())
    yield from _section("budgets", budgets)
    yield from _section("claimed by", (_claims(spec, manifest) for manifest in known.values()))


def _section(title: str, lines: Iterator[str] | tuple[str, ...]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield ""
        yield title
        yield from (f"  {line}" for line in found)


def _shape(rule: ShapeRule) -> str:
    return rule.whole.text if rule.whole else "[" + ", ".join(part.text for part in rule.parts) + "]"


def _slot(slot: Slot) -> str:
    flags = [name for name in ("optional", "variable", "dynamic", "intermediate") if getattr(slot, name)]
    flags += {"yes": ["constant"], "either": ["constant or not"]}.get(slot.constant, [])
    flags += [f"value {slot.value.text}"] if slot.value else []
    flags += [f"repeated {slot.repeat.text} times"] if slot.repeat else []
    flags += [f"only if {slot.only.text}"] if slot.only else []
    flags += [f"absent if {slot.absent.text}"] if slot.absent else []
    return f"{slot.name} {_shape(slot.shape)}" + (f" ({', '.join(flags)})" if flags else "")


def _attribute(attribute: Attribute) -> str:
    match attribute.kind:
        case "enum" | "bool":
            return " | ".join(str(choice) for choice in attribute.choices)
        case "value":
            return f"computed: {attribute.value.text if attribute.value else ''}"
        case kind:
            return f"{kind} from {attribute.low:g} to {attribute.high:g}"


def _row(spec: OpSpec, row: str) -> Iterator[str]:
    yield f"{row}: " + ", ".join(f"{slot} {dtype}" for slot, dtype in spec.types[row].items())
    rules = spec.quantization.get(row, {})
    if rules:
        yield "    quantized: " + ", ".join(f"{slot} {_quant(rule)}" for slot, rule in rules.items())
    yield f"    {spec.file}:{spec.tolerance[row][0].clause.line} {tolerance_sentence(spec, row)}"


def _quant(rule: QuantRule) -> str:
    match rule.kind:
        case "per_axis":
            return f"per axis {rule.axis}"
        case "same_as":
            return f"same as {rule.same_as}"
        case "fixed":
            zero = rule.zero_point.text if rule.zero_point else "0"
            return f"scale {rule.scale.text if rule.scale else ''}, zero point {zero}"
        case kind:
            return kind.replace("_", " ")


def _rows(clause: Clause) -> str:
    return f" (rows {', '.join(clause.rows)})" if clause.rows else ""


def _clause(spec: OpSpec, clause: Clause) -> str:
    return f"{spec.file}:{clause.line} {clause.label}{_rows(clause)} {clause.text}: {clause.why}"


def _claims(spec: OpSpec, manifest: Manifest) -> str:
    rows = [row for row in spec.rows if claims_row(manifest, spec.op, row)]
    limits = [f"; not where {limit.when}: {limit.why}" for limit in manifest.limits if limit.rows.startswith(spec.op)]
    every = "all rows" if len(rows) == len(spec.rows) else ", ".join(rows) or "no row"
    return f"{manifest.name}: {every}" + "".join(limits)
