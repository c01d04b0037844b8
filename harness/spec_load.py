"""YAML -> OpSpec: strict; every error is one line with file:line, the finding and the remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache, partial
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol, TypeVar

from opconform.harness import schema, spec_parts, spec_tolerance
from opconform.harness.expr import Expression
from opconform.harness.model import DTYPES
from opconform.harness.spec import Clause, OpSpec, Require
from opconform.harness.spec_parts import Reader
from opconform.harness.yamlish import Dict, SpecError, load, loads

SECTIONS = {
    "required": ("op", "summary", "outputs", "types", "tolerance"),
    "optional": (
        "see", "custom", "inputs", "attributes", "domain", "derive", "quantization", "require", "invalid", "properties",
        "graph", "stateful", "exhaustive", "budgets", "canonical",
    ),
}  # fmt: skip
_LISTS, _SCALARS = ("see", "properties", "exhaustive"), ("op", "summary", "stateful", "custom")
T = TypeVar("T")


def spec_folder() -> Path:
    """Return the folder of the op specs that came with this installation."""
    return Path(str(files("opconform") / "specs" / "ops"))


def load_all(folder: Path | None = None, ops: Sequence[str] = ("*",)) -> Mapping[str, OpSpec]:
    """Load the specs of a folder that the globs select, by op name, sorted; raise SpecError at the first bad one.

    A glob that selects nothing has all of them loaded, so that an error can list what there is.
    """
    paths = sorted((folder or spec_folder()).glob("*.yaml"))
    names = [path.stem.upper() for path in paths]
    if all(any(fnmatchcase(name, glob.upper()) for name in names) for glob in ops):
        paths = [path for path in paths if any(fnmatchcase(path.stem.upper(), glob.upper()) for glob in ops)]
    specs = [load_spec(path) for path in paths]
    return {spec.op: spec for spec in sorted(specs, key=lambda s: s.op)}


def load_spec(path: Path) -> OpSpec:
    """Load one spec file, once for each of its versions; raise SpecError."""
    status = path.stat()
    return _load_version(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=512)
def _load_version(path: Path, _time: int, _size: int) -> OpSpec:
    spec = _spec(Reader(_shown(path)), load(path))
    if path.stem != spec.op.lower():
        raise SpecError(_shown(path), 1, f"op is {spec.op}, so the file must be named {spec.op.lower()}.yaml")
    return spec


def parse_spec(text: str, where: str = "spec") -> OpSpec:
    """Load a spec from text; `where` names it in errors."""
    return _spec(Reader(where), loads(text, where))


def _shown(path: Path) -> str:
    """Name a spec the same on every machine, so that logs do not depend on where it lies."""
    parent = path.resolve().parent
    return f"specs/ops/{path.name}" if parent.name == "ops" else str(path)


def _spec(read: Reader, top: Any) -> OpSpec:
    read.mapping(top, "a spec", SECTIONS["required"], SECTIONS["optional"])
    op = read.text(top, "op")
    if op not in schema.OPS:
        raise read.error(top.lines["op"], f"unknown op '{op}'; it must stand in harness/schema.py")
    _check_forms(read, top)
    spec = _sections(read, top, op, partial(_in_section, read, top))
    _check_slots(read, top, spec)
    _check_symbols(read, top, spec)
    _check_canonical(read, top, spec)
    return spec


class _Within(Protocol):
    """Read one section: whatever goes wrong in it is an error at its line."""

    def __call__(self, key: str, build: Callable[[], T]) -> T: ...


def _in_section(read: Reader, top: Dict, key: str, build: Callable[[], T]) -> T:
    try:
        return build()
    except (TypeError, ValueError, LookupError, AttributeError, StopIteration) as error:
        text = f"'{key}' holds something of a form that cannot be read ({error}); see docs/spec-language.md"
        raise read.error(read.line(top, key), " ".join(text.split())) from error


def _check_forms(read: Reader, top: Dict) -> None:
    """Fail on a section that is no mapping, or no list, where one must be."""
    for key, value in top.items():
        if key in _LISTS and not isinstance(value, list):
            raise read.error(top.lines[key], f"'{key}' must be a list, found {value!r}; write [{value}]")
        if key not in (*_LISTS, *_SCALARS):
            read.section(top, key)


def _sections(read: Reader, top: Dict, op: str, within: _Within) -> OpSpec:
    types = within("types", lambda: _types(read, top))
    domain = dict(read.section(top, "domain"))
    values, names = domain.pop("values", {}), domain.pop("specials", [])
    return OpSpec(
        op=op,
        file=read.where,
        summary=read.text(top, "summary"),
        see=tuple(str(link) for link in top.get("see", ())),
        inputs=within("inputs", lambda: spec_parts.slots(read, top, "inputs")),
        outputs=within("outputs", lambda: spec_parts.slots(read, top, "outputs")),
        attributes=within("attributes", lambda: spec_parts.attributes(read, top)),
        domain=within("domain", lambda: spec_parts.draws(read, read.section(top, "domain"), domain)),
        derive=within("derive", lambda: _derive(read, top)),
        values=within("domain", lambda: spec_parts.value_ranges(read, values)),
        specials=within("domain", lambda: spec_parts.specials(read, top, names)),
        types=types,
        type_clauses=_type_clauses(top["types"]),
        quantization=within("quantization", lambda: spec_parts.quantization(read, top, types)),
        require=within("require", lambda: _requires(read, top, types)),
        invalid=within("invalid", lambda: spec_parts.invalids(read, top, types)),
        tolerance=within("tolerance", lambda: spec_tolerance.tolerances(read, top, types)),
        laws=within("properties", lambda: spec_parts.laws(read, top, types)),
        graph=spec_parts.graph(read, top),
        stateful=bool(top.get("stateful", False)),
        custom=str(top.get("custom", "")),
        exhaustive=tuple(str(name) for name in top.get("exhaustive", ())),
        budgets=within("budgets", lambda: spec_parts.budgets(read, top)),
        canonical=dict(read.section(top, "canonical")),
        budget_lines={target: read.line(top["budgets"], target) for target in read.section(top, "budgets")},
    )


def _derive(read: Reader, top: Dict) -> Mapping[str, Expression]:
    section = read.section(top, "derive")
    return {name: read.expression(rule, section.lines[name]) for name, rule in section.items()}


def _types(read: Reader, top: Dict) -> Mapping[str, Mapping[str, str]]:
    table = read.section(top, "types")
    for row, dtypes in table.items():
        line = table.lines[row]
        if not isinstance(dtypes, dict):
            raise read.error(line, f"row {row} must map slots to dtypes, e.g. {{x: {row}, y: {row}}}")
        for slot, dtype in dtypes.items():
            if dtype not in DTYPES:
                raise read.error(line, f"row {row}: unknown dtype '{dtype}' of {slot}; known: {', '.join(DTYPES)}")
    if not table:
        raise read.error(top.lines["types"], "no rows; at least one legal row is needed")
    return {row: dict(dtypes) for row, dtypes in table.items()}


def _type_clauses(table: Dict) -> Mapping[str, Clause]:
    return {
        row: Clause(f"row.{row}", "type", table.lines[row], f"{row}: {dict(table[row])}", rows=(row,)) for row in table
    }


def _requires(read: Reader, top: Dict, types: Mapping[str, Any]) -> tuple[Require, ...]:
    section = top.get("require") or Dict()
    result = []
    for label, body in section.items():
        line = read.line(section, label)
        read.mapping(body, f"require {label}", ("that", "why"), ("for",), line)
        rows = spec_parts.rows_of(read, body, types, line)
        clause = Clause(label, "require", line, str(body["that"]), str(body["why"]), rows)
        result.append(Require(clause, read.expression(body["that"], line)))
    return tuple(result)


def _check_slots(read: Reader, top: Dict, spec: OpSpec) -> None:
    known = [slot.name for slot in (*spec.inputs, *spec.outputs)]
    for row, dtypes in spec.types.items():
        line = top["types"].lines[row]
        needed = [slot.name for slot in (*spec.inputs, *spec.outputs) if slot.only is None]
        missing, extra = set(needed) - set(dtypes), set(dtypes) - set(known)
        if missing:
            raise read.error(line, f"row {row} gives no dtype for {sorted(missing)[0]}; every slot needs one")
        if extra:
            raise read.error(line, f"row {row} names '{sorted(extra)[0]}', which is no slot; slots: {', '.join(known)}")
    fields = schema.OPTIONS[schema.OPS[spec.op][1]].fields if schema.OPS[spec.op][1] else {}
    for attribute in spec.attributes:
        if attribute.name not in fields and not (spec.graph or spec.custom):
            allowed = ", ".join(fields) or "none"
            raise read.error(attribute.line, f"{spec.op} has no option '{attribute.name}'; allowed: {allowed}")
    for slot_name in spec.exhaustive:
        if slot_name not in known:
            raise read.error(top.lines["exhaustive"], f"'{slot_name}' is no slot; slots: {', '.join(known)}")


def _check_symbols(read: Reader, top: Dict, spec: OpSpec) -> None:
    """Fail on any expression that names a symbol nobody defines."""
    slots = {slot.name for slot in (*spec.inputs, *spec.outputs)}
    known = {a.name for a in spec.attributes} | {d.name for d in spec.domain} | set(spec.derive) | slots | {"row", "i"}
    for expression, line in _all_expressions(spec):
        unknown = sorted(expression.names - known)
        if unknown:
            raise read.error(
                line,
                f"'{expression.text}' uses '{unknown[0]}', which nothing defines; "
                f"known: {', '.join(sorted(known - {'i'}))}; define it in domain or derive",
            )


def _check_canonical(read: Reader, top: Dict, spec: OpSpec) -> None:
    """Fail where `canonical` leaves a draw open, or settles what nothing draws."""
    if not spec.canonical:
        return
    drawn = {d.name for d in spec.domain} | {a.name for a in spec.attributes if a.value is None}
    slots = {f"{slot.name}.{how}" for slot in spec.inputs for how in ("absent", "constant")}
    if missing := sorted(drawn - set(spec.canonical)):
        raise read.error(top.lines["canonical"], f"canonical gives no value for {missing[0]}; every draw needs one")
    if unknown := sorted(set(spec.canonical) - drawn - slots):
        line = top["canonical"].lines[unknown[0]]
        raise read.error(
            line, f"canonical settles '{unknown[0]}', which nothing draws; allowed: {', '.join(sorted(drawn))}"
        )


def _all_expressions(spec: OpSpec) -> Iterable[tuple[Expression, int]]:
    for slot in (*spec.inputs, *spec.outputs):
        parts = [slot.shape.whole, *slot.shape.parts, slot.value, slot.repeat, slot.low, slot.high]
        parts += [slot.only, slot.absent]
        yield from ((part, slot.line) for part in parts if part is not None)
    yield from ((a.value, a.line) for a in spec.attributes if a.value is not None)
    for draw in spec.domain:
        parts = [*draw.args.values(), draw.large]
        yield from ((part, draw.line) for part in parts if part is not None)
    yield from ((expression, 1) for expression in spec.derive.values())
    for rules in spec.quantization.values():
        for rule in rules.values():
            parts = [rule.scale, rule.zero_point, rule.low, rule.high]
            yield from ((part, rule.line) for part in parts if part is not None)
    yield from ((r.that, r.clause.line) for r in spec.require)
    for tolerances in spec.tolerance.values():
        for t in tolerances:
            yield from ((part, t.clause.line) for part in (t.limit, t.floor) if part is not None)
            for noise in t.noise.values():
                yield from ((part, t.clause.line) for part in (noise if isinstance(noise, tuple) else (noise,)))
    yield from ((law.when, law.clause.line) for law in spec.laws if law.when is not None)
    yield from ((invalid.when, invalid.clause.line) for invalid in spec.invalid if invalid.when is not None)
