"""What the HTML pages show, worked out before a template sees it."""

from __future__ import annotations

import base64
import binascii
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opconform.reports import summary, text
from opconform.reports.lines import Agreement, Clause, FailureLine, InputTensor, SpecLine, place
from opconform.reports.log import Log
from opconform.reports.summary import ABSENT, Cell, Cells
from opconform.reports.svg import Drawing, bins, draw

SYMBOLS: Mapping[str, str] = {"pass": "✓", "fail": "✗", "known": "◐", "unsupported": "–", "absent": "·"}


@dataclass(frozen=True, slots=True)
class Shown:
    """A cell of the matrix with the place on an op's page that explains it."""

    cell: Cell
    runtime: str
    href: str


@dataclass(frozen=True, slots=True)
class MatrixOp:
    """One op of the matrix: its folded cells, and below them those of its rows."""

    op: str
    summary: str
    status: str
    cells: tuple[Shown, ...]
    rows: tuple[tuple[str, tuple[Shown, ...]], ...]

    @property
    def href(self) -> str:
        """Return the op's page, from the top of the site."""
        return op_page(self.op)


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input of a counterexample in words."""

    line: InputTensor
    shape: str
    quantization: str
    data: str


@dataclass(frozen=True, slots=True)
class Element:
    """One output element of a counterexample."""

    want: str
    got: str
    difference: str
    mark: str  # "", "differs" or "worst"


@dataclass(frozen=True, slots=True)
class Counterexample:
    """A failure with everything that its article shows."""

    line: FailureLine
    where: str
    status: str
    reason: str
    anchor: str
    message: str
    cite: str
    clause: Clause | None
    tensors: tuple[Tensor, ...]
    elements: tuple[Element, ...]
    families: tuple[tuple[str, str], ...]
    diagnosis: str
    agreements: tuple[Agreement, ...]
    model: str  # file of the site, or "" where the log holds no model


def op_page(op: str) -> str:
    """Return the file of an op's page."""
    return f"op/{text.slug(op)}.html"


def anchor(line: FailureLine) -> str:
    """Return the fragment of a failure on its op's page."""
    return text.slug(line.row, line.runtime, line.target, line.verdict, line.law, line.case.rsplit("/", 1)[-1])


def href(line: FailureLine) -> str:
    """Return the address of a failure, from the top of the site."""
    return f"{op_page(line.op)}#{anchor(line)}"


def sound(failures: Iterable[FailureLine]) -> tuple[FailureLine, ...]:
    """Return failures as a reader wants them: unexpected ones first, then the gravest."""
    return tuple(sorted(failures, key=_rank))


def _rank(line: FailureLine) -> tuple[int, int, str, str, str]:
    state = summary.STATUSES.index(summary.status(line))
    return state, summary.GRAVITY.index(line.verdict), line.op, line.row, place(line.runtime, line.target)


def matrix(log: Log, found: Cells) -> tuple[MatrixOp, ...]:
    """Return the matrix of ops and runtimes."""
    links = {
        (line.op, line.row, place(line.runtime, line.target)): href(line) for line in reversed(sound(log.failures))
    }
    whole = summary.folded(found)
    columns = summary.runtimes(log)
    specs = {spec.op: spec for spec in log.specs}
    listed = summary.rows(log)
    return tuple(_matrix_op(op, listed[op], specs.get(op), columns, found, whole, links) for op in summary.ops(log))


def _matrix_op(
    op: str,
    rows: Sequence[str],
    spec: SpecLine | None,
    columns: Sequence[str],
    found: Cells,
    whole: Mapping[tuple[str, str], Cell],
    links: Mapping[tuple[str, str, str], str],
) -> MatrixOp:
    page = op_page(op)
    lines = tuple(
        (
            row,
            tuple(
                Shown(found.get((op, row, c), ABSENT), c, links.get((op, row, c), f"{page}#row-{text.slug(row)}"))
                for c in columns
            ),
        )
        for row in rows
    )
    worst = tuple(
        _folded(whole.get((op, c), ABSENT), c, [cells[i] for _, cells in lines], page) for i, c in enumerate(columns)
    )
    state = min((shown.cell.status for shown in worst), key=summary.STATUSES.index, default="absent")
    return MatrixOp(op, spec.summary if spec else "", state, worst, lines)


def _folded(cell: Cell, runtime: str, rows: Sequence[Shown], page: str) -> Shown:
    """Link a folded cell to the row that gave it its status, where that row has something to tell."""
    telling = [shown.href for shown in rows if shown.cell.status == cell.status and cell.status in ("fail", "known")]
    return Shown(cell, runtime, telling[0] if telling else page)


def model_file(line: FailureLine) -> str:
    """Return the file of the site that holds a counterexample's one-op model, or ""."""
    if not line.model or model_bytes(line) is None:
        return ""
    return f"models/{text.slug(line.op, anchor(line))}.tflite"


def model_bytes(line: FailureLine) -> bytes | None:
    """Return the model of a counterexample; None where the log's base64 is damaged."""
    try:
        return base64.b64decode(line.model, validate=True)
    except (binascii.Error, ValueError):
        return None


def counterexample(line: FailureLine, spec: SpecLine | None, agreements: Sequence[Agreement]) -> Counterexample:
    """Work out everything that the article of one failure shows."""
    clause = _clause(line, spec)
    families = sorted(line.rounding.items(), key=lambda item: -item[1])
    return Counterexample(
        line=line,
        where=place(line.runtime, line.target),
        status=summary.status(line),
        reason=summary.reason(line),
        anchor=anchor(line),
        message=summary.headline(line),
        cite=f"{spec.file}:{clause.line}" if spec and clause else "",
        clause=clause,
        tensors=tuple(_tensor(one) for one in line.inputs),
        elements=elements(line),
        families=tuple((name.replace("_", " "), text.percent(part, 1.0)) for name, part in families),
        diagnosis=diagnosis(line),
        agreements=tuple(one for one in agreements if one.case in (line.case, line.original)),
        model=model_file(line),
    )


def _clause(line: FailureLine, spec: SpecLine | None) -> Clause | None:
    labelled = [clause for clause in spec.clauses if clause.label == line.clause] if spec and line.clause else []
    mine = [clause for clause in labelled if line.row in clause.rows]
    return next(iter([*mine, *labelled]), None)


def _tensor(line: InputTensor) -> Tensor:
    quantized = line.scale is not None
    scale, zero = text.single(line.scale), text.single(line.zero_point or 0)
    words = f"scale {text.value(scale)}, zero point {text.value(zero)}" if quantized else ""
    return Tensor(line, text.value(line.shape), words, text.array(line.data, line.shape))


def elements(line: FailureLine) -> tuple[Element, ...]:
    """Return wanted and got elements side by side, those that differ marked, the worst by name."""
    want, got = text.flat(line.want), text.flat(line.got)
    longest = max(len(want), len(got))
    pairs = [(want[i] if i < len(want) else None, got[i] if i < len(got) else None) for i in range(longest)]
    gaps = [_gap(*pair) for pair in pairs]
    widest = max((gap for gap in gaps if gap), default=0.0)
    return tuple(
        _element(pair, gap, widest, gaps.index(widest) == i)
        for i, (pair, gap) in enumerate(zip(pairs, gaps, strict=True))
    )


def _gap(want: Any, got: Any) -> float:
    """Return |got - want|: infinite where only one of them is a number, zero where both are NaN."""
    numeric = all(isinstance(one, int | float) for one in (want, got))
    if not numeric:
        return 0.0 if want == got else math.inf
    if math.isnan(want) or math.isnan(got):
        return 0.0 if math.isnan(want) and math.isnan(got) else math.inf
    return 0.0 if want == got else float(abs(got - want))


def _element(pair: tuple[Any, Any], gap: float, widest: float, first: bool) -> Element:
    want, got = ("–" if one is None else text.element(one) for one in pair)
    if not gap:
        return Element(want, got, "", "")
    signed = math.isfinite(gap) and not isinstance(pair[0], bool)
    difference = ("+" if pair[1] > pair[0] else text.MINUS) + text.figure(gap) if signed else "≠"
    return Element(want, got, difference, "worst" if gap == widest and first else "differs")


def diagnosis(line: FailureLine) -> str:
    """Say which rounding family the runtime follows, as far as the counterexample tells."""
    if not line.rounding:
        return ""
    name, part = max(line.rounding.items(), key=lambda item: item[1])
    named = [key.replace("_", " ") for key, value in line.rounding.items() if value == part]
    if part >= 1:
        return f"Every element is what {' or '.join(named)} gives."
    closest = f"{name.replace('_', ' ')} comes closest with {text.percent(part, 1.0)}"
    return f"No rounding family gives every element; {closest}."


@dataclass(frozen=True, slots=True)
class RowView:
    """One row on an op's page: a line and a histogram per runtime that ran it."""

    row: str
    cells: tuple[tuple[str, Cell], ...]
    drawings: tuple[tuple[str, Drawing], ...]


def row_views(op: str, rows: Sequence[str], columns: Sequence[str], found: Cells) -> tuple[RowView, ...]:
    """Return the rows of an op, each with histograms over the same bins."""
    return tuple(_row_view(row, [(c, found[op, row, c]) for c in columns if (op, row, c) in found]) for row in rows)


@dataclass(frozen=True, slots=True)
class Glance:
    """An op on one runtime: the cell of all its rows, and how many of them the runtime takes."""

    where: str
    cell: Cell
    taken: int


def glances(op: str, columns: Sequence[str], found: Cells) -> tuple[Glance, ...]:
    """Return what an op is on each runtime that ran it."""
    whole = summary.folded(found)
    taken = Counter(where for (_, _, where), cell in found.items() if cell.status != "unsupported")
    return tuple(Glance(where, whole[op, where], taken[where]) for where in columns if (op, where) in whole)


def _row_view(row: str, cells: Sequence[tuple[str, Cell]]) -> RowView:
    drawn = [(where, cell) for where, cell in cells if cell.histogram]
    shared = bins([cell.histogram for _, cell in drawn])
    drawings = tuple((where, draw(cell.histogram, shared, _quanta(cell))) for where, cell in drawn)
    return RowView(row, tuple(cells), drawings)


def _quanta(cell: Cell) -> float | None:
    """Return a limit in quanta; bounds in other units say nothing about one quantum."""
    return cell.worst.limit if cell.worst and cell.worst.unit.split(":")[0] in ("lsb", "exact") else None


@dataclass(frozen=True, slots=True)
class ClauseView:
    """A clause with the number of cases that exercised it."""

    clause: Clause
    cases: int


def clause_views(spec: SpecLine | None, log: Log) -> tuple[ClauseView, ...]:
    """Return the clauses of a spec with the coverage in the log of its op; without a row it counts all rows."""
    if spec is None:
        return ()
    counts = {one.row: one.clauses for one in log.coverage}
    return tuple(ClauseView(one, _exercised(one, counts)) for one in spec.clauses)


def _exercised(clause: Clause, counts: Mapping[str, Mapping[str, int]]) -> int:
    rows = clause.rows or tuple(counts)
    return sum(counts.get(row, {}).get(clause.label, 0) for row in rows)


def attribute_coverage(log: Log) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Return `attribute=value` with the cases of each row, in the order of the log's coverage lines."""
    labels = dict.fromkeys(label for one in log.coverage for label in one.clauses if "=" in label)
    return tuple((label, tuple(one.clauses.get(label, 0) for one in log.coverage)) for label in labels)


def law_views(log: Log) -> tuple[tuple[str, str, Mapping[str, Counter[str]]], ...]:
    """Return law, row and, per runtime, how many lines had which status."""
    found: dict[tuple[str, str], dict[str, Counter[str]]] = {}
    for line in log.cases:
        if line.law:
            per_runtime = found.setdefault((line.law, line.row), {})
            per_runtime.setdefault(place(line.runtime, line.target), Counter())[summary.status(line)] += 1
    return tuple((law, row, per_runtime) for (law, row), per_runtime in sorted(found.items()))
