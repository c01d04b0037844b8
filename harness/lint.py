"""`opconform lint`: what the loader cannot know without drawing cases and running the reference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from opconform.harness.compare import make_judge
from opconform.harness.encode import encode_case
from opconform.harness.expr import ExpressionError
from opconform.harness.generate.build import build
from opconform.harness.generate.cases import (
    FIRST_INVALID,
    Built,
    Kernel,
    ReferenceMismatch,
    Request,
    classes_of,
    countable,
    plans,
)
from opconform.harness.generate.source import Discard, seeded
from opconform.harness.spec import OpSpec
from opconform.harness.spec_load import load_spec
from opconform.harness.spec_schema import schema_text
from opconform.harness.yamlish import SpecError

#: Draws per row, and the share of them that must be legal: below it hypothesis gives up too.
DRAWS, LEAST_SHARE = 40, 0.1


def lint_folder(folder: Path, kernels: Mapping[str, Kernel], ops: tuple[str, ...] = ()) -> list[str]:
    """Return one line per defect of the specs of a folder, and of the schema beside it."""
    defects: list[str] = []
    for path in sorted(folder.glob("*.yaml")):
        if ops and path.stem.upper() not in ops:
            continue
        try:
            spec = load_spec(path)
        except SpecError as error:
            defects.append(str(error))
            continue
        defects += lint_spec(spec, kernels)
    return defects + stale_schema(folder.parent / "schema.json")


def stale_schema(path: Path) -> list[str]:
    """Return a defect where the editors' schema is not the one that the loader enforces."""
    if path.is_file() and path.read_text(encoding="utf-8") == schema_text():
        return []
    return ["specs/schema.json:1: is stale; write it again with: opconform schema --write"]


def lint_spec(spec: OpSpec, kernels: Mapping[str, Kernel]) -> list[str]:
    """Return one line per defect of a spec."""
    if spec.op not in kernels:
        return [f"{spec.file}:1: {spec.op} has no reference kernel; add one under runtimes/reference/kernels"]
    return [defect for row in spec.rows for defect in _lint_row(spec, row, kernels[spec.op])]


def _lint_row(spec: OpSpec, row: str, kernel: Kernel) -> Iterator[str]:
    line = spec.type_clauses[row].line
    discards: Counter[str] = Counter()
    built = 0
    try:
        for number in range(DRAWS):
            made = _draw(spec, row, kernel, number, discards)
            if made is not None:
                built += 1
                _judge_itself(spec, made, kernel)
        yield from _lint_invalid(spec, row, kernel)
    except (ReferenceMismatch, ExpressionError, SpecError) as error:
        text = str(error)
        yield text if text.startswith(spec.file) else f"{spec.file}:{line}: row {row}: {text}"
        return
    except (ValueError, TypeError, KeyError, IndexError, ArithmeticError) as error:
        yield f"{spec.file}:{line}: row {row} cannot be built: {type(error).__name__}: {error}; mend the spec"
        return
    if built < LEAST_SHARE * DRAWS:
        label, count = discards.most_common(1)[0]
        yield (
            f"{spec.file}:{_line_of(spec, label, line)}: row {row} hardly generates: {built} of {DRAWS} draws are "
            f"legal, {label} rejects {count}; widen the domain or draw so that {label} holds"
        )


def _draw(spec: OpSpec, row: str, kernel: Kernel, number: int, discards: Counter[str]) -> Built | None:
    rows, classes = plans(spec, row), classes_of(spec, row)
    plan = number % len(rows) if rows and number % 2 else None
    try:
        request = Request(plan=plan, value_class=classes[number % len(classes)])
        return build(spec, row, seeded([7, number]), kernel, request)
    except Discard as discard:
        discards[discard.label] += 1
        return None


def _judge_itself(spec: OpSpec, built: Built, kernel: Kernel) -> None:
    """Evaluate limits and encode: both must work for every legal case."""
    make_judge(spec, built, kernel, None)
    encode_case(spec, built.case)


def _lint_invalid(spec: OpSpec, row: str, kernel: Kernel) -> Iterator[str]:
    for position, invalid in enumerate(spec.invalid):
        if not invalid.clause.applies(row):
            continue
        for number in range(DRAWS):
            try:
                made = build(spec, row, seeded([8, number]), kernel, Request(FIRST_INVALID + position, vectors=1))
                encode_case(spec, made.case)
                break
            except Discard:
                continue
        else:
            label = invalid.clause.label
            yield (
                f"{spec.file}:{invalid.clause.line}: {label} never breaks a case of row {row}; "
                "mend its change, or name the rows it is meant for with 'for'"
            )
    if spec.exhaustive and countable([spec.types[row].get(name, "none") for name in spec.exhaustive]):
        yield from _lint_exhaustive(spec, row, kernel)


def _lint_exhaustive(spec: OpSpec, row: str, kernel: Kernel) -> Iterator[str]:
    for number in range(DRAWS):
        try:
            build(spec, row, seeded([9, number]), kernel, Request(1))
            return
        except Discard:
            continue
    yield f"{spec.file}:{spec.type_clauses[row].line}: row {row} cannot be exhausted; see 'exhaustive' in the document"


def _line_of(spec: OpSpec, label: str, default: int) -> int:
    return next((clause.line for clause in spec.clauses if clause.label == label), default)
