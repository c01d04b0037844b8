"""`opconform lint`: what the loader cannot know without drawing cases and running the reference."""

from __future__ import annotations

import multiprocessing
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache, partial
from itertools import chain
from pathlib import Path
from typing import Protocol

import numpy as np

from opconform.harness.compare import judge, make_judge
from opconform.harness.encode import encode_case
from opconform.harness.exact import Twin, promised_family, run_twin
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
from opconform.harness.generate.engine import large_cases
from opconform.harness.generate.source import Discard, seeded
from opconform.harness.model import DTYPES, Array, Case, Produced
from opconform.harness.numerics import FAMILIES
from opconform.harness.spec import OpSpec
from opconform.harness.spec_load import load_spec
from opconform.harness.spec_schema import schema_text
from opconform.harness.yamlish import SpecError

#: Draws per row, and the share of them that must be legal: below it hypothesis gives up too.
DRAWS, LEAST_SHARE = 40, 0.1
LARGE_DRAWS = 2


class Oracle(Protocol):
    """What is right: real definitions and integer twins, by op."""

    @property
    def kernels(self) -> Mapping[str, Kernel]:
        """Return the float64 definitions."""

    @property
    def twins(self) -> Mapping[str, Twin]:
        """Return the integer definitions."""


def lint_folder(folder: Path, load: Callable[[], Oracle], ops: Sequence[str] = (), jobs: int = 1) -> list[str]:
    """Return one line per defect of the specs of a folder, in the order of the files, and of the schema beside it.

    `load` returns the reference; with more than one job it must be a function that another process can import.
    """
    paths = [path for path in sorted(folder.glob("*.yaml")) if not ops or path.stem.upper() in ops]
    found = chain.from_iterable(_spread(partial(_lint_file, load), paths, jobs))
    return [*found, *stale_schema(folder.parent / "schema.json")]


def _spread(lint: Callable[[Path], list[str]], paths: Sequence[Path], jobs: int) -> list[list[str]]:
    """Lint every file, on several processes where there are several files."""
    if min(jobs, len(paths)) < 2:
        return [lint(path) for path in paths]
    context = multiprocessing.get_context("spawn")
    deaf = (signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    with ProcessPoolExecutor(min(jobs, len(paths)), context, signal.signal, deaf) as pool:
        return list(pool.map(lint, paths))


def _lint_file(load: Callable[[], Oracle], path: Path) -> list[str]:
    try:
        return lint_spec(load_spec(path), _loaded(load))
    except SpecError as error:
        return [str(error)]


@lru_cache(maxsize=1)
def _loaded(load: Callable[[], Oracle]) -> Oracle:
    """Load the reference once in each process."""
    return load()


def stale_schema(path: Path) -> list[str]:
    """Return a defect where the editors' schema is not the one that the loader enforces."""
    if path.is_file() and path.read_text(encoding="utf-8") == schema_text():
        return []
    return ["specs/schema.json:1: is stale; write it again with: opconform schema --write"]


def lint_spec(spec: OpSpec, oracle: Oracle) -> list[str]:
    """Return one line per defect of a spec."""
    if spec.op not in oracle.kernels:
        return [f"{spec.file}:1: {spec.op} has no reference kernel; add one under runtimes/reference/kernels"]
    return [defect for row in spec.rows for defect in _lint_row(spec, row, oracle)]


def _lint_row(spec: OpSpec, row: str, oracle: Oracle) -> Iterator[str]:
    line, kernel, family = spec.type_clauses[row].line, oracle.kernels[spec.op], promised_family(spec, row)
    twin = oracle.twins.get(spec.op) if family else None
    if family and twin is None:
        yield (
            f"{spec.file}:{_promise_line(spec, row)}: row {row} promises exact: {family}, but {spec.op} has no integer "
            "twin to be equal to; add one under runtimes/reference/kernels, or take the promise out"
        )
    discards: Counter[str] = Counter()
    try:
        for made in chain(_drawn(spec, row, kernel, discards), large_cases(spec, row, kernel, LARGE_DRAWS, seed_=7)):
            _judge_itself(spec, made, kernel)
            if twin is not None and (defect := _off_itself(spec, made, kernel, twin, family)):
                yield defect
                twin = None  # one example is enough
        yield from _lint_invalid(spec, row, kernel)
    except (ReferenceMismatch, ExpressionError, SpecError) as error:
        text = str(error)
        yield text if text.startswith(spec.file) else f"{spec.file}:{line}: row {row}: {text}"
        return
    except (ValueError, TypeError, KeyError, IndexError, ArithmeticError) as error:
        yield f"{spec.file}:{line}: row {row} cannot be built: {type(error).__name__}: {error}; mend the spec"
        return
    if (built := DRAWS - discards.total()) < LEAST_SHARE * DRAWS:
        yield _hardly(spec, row, built, discards)


def _hardly(spec: OpSpec, row: str, built: int, discards: Counter[str]) -> str:
    label, count = discards.most_common(1)[0]
    return (
        f"{spec.file}:{_line_of(spec, label, spec.type_clauses[row].line)}: row {row} hardly generates: {built} of "
        f"{DRAWS} draws are legal, {label} rejects {count}; widen the domain or draw so that {label} holds"
    )


def _drawn(spec: OpSpec, row: str, kernel: Kernel, discards: Counter[str]) -> Iterator[Built]:
    rows, classes = plans(spec, row), classes_of(spec, row)
    for number in range(DRAWS):
        plan = number % len(rows) if rows and number % 2 else None
        try:
            request = Request(plan=plan, value_class=classes[number % len(classes)])
            yield build(spec, row, seeded([7, number]), kernel, request)
        except Discard as discard:
            discards[discard.label] += 1


def _judge_itself(spec: OpSpec, built: Built, kernel: Kernel) -> None:
    """Evaluate limits and encode: both must work for every legal case."""
    make_judge(spec, built, kernel, None)
    encode_case(spec, built.case)


def _off_itself(spec: OpSpec, built: Built, kernel: Kernel, twin: Twin, family: str) -> str:
    """Return a defect where the integer twin fails, or answers what the row's own tolerance calls wrong."""
    case = built.case
    where = f"{spec.file}:{_promise_line(spec, case.row)}: row {case.row}: the integer twin"
    try:
        results = run_twin(case, twin, FAMILIES[family])
    except Exception as error:  # whatever the twin raises is the defect
        return f"{where} fails on {case.id}: {type(error).__name__}: {error}; mend it"
    answer = Produced(tuple(_stored(case, parts) for parts in results))
    verdict = judge(make_judge(spec, built, kernel, None), answer)
    if verdict.kind == "pass":
        return ""
    return f"{where} is wrong on {case.id}: {verdict.message}; mend the twin or the tolerance"


def _stored(case: Case, parts: Sequence[Array]) -> tuple[Array, ...]:
    """Give raw results the dtypes of the outputs."""
    return tuple(np.asarray(p).astype(DTYPES[t.dtype][0]) for p, t in zip(parts, case.outputs, strict=True))


def _promise_line(spec: OpSpec, row: str) -> int:
    return next(rule.clause.line for rule in spec.tolerance[row] if rule.family)


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
