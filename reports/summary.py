"""What the lines of a log add up to: one cell per op, row and runtime, which every report shows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce

from opconform.reports.costs import figures
from opconform.reports.lines import CaseLine, FailureLine, ModelLine, place
from opconform.reports.log import Log, split
from opconform.reports.text import plural

#: worst first; a cell has the status of its worst line
STATUSES = ("fail", "known", "pass", "unsupported", "absent")

#: which verdict names a cell that has several, the most telling first
GRAVITY = (
    "crash",
    "timeout",
    "wrong-value",
    "wrong-shape",
    "wrong-dtype",
    "accepts-invalid",
    "rejects-valid",
    "over-budget",
    "lost-in-transport",
    "declined",
    "infra",
    "pass",
)


@dataclass(frozen=True, slots=True)
class Worst:
    """The error that came closest to its limit, or passed it furthest; both in `unit`."""

    error: float
    limit: float
    unit: str
    case: str

    @property
    def share(self) -> float:
        """Return error / limit: above 1 the bound is broken, infinite where nothing is allowed."""
        if math.isnan(self.error):
            return math.inf
        if self.limit > 0:
            return self.error / self.limit
        return math.inf if self.error > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Cell:
    """One op, or row, on one runtime."""

    status: str = "absent"
    verdicts: Mapping[str, int] = field(default_factory=dict)  # verdict -> lines
    lines: int = 0
    cases: int = 0
    seconds: float = 0.0
    worst: Worst | None = None
    reasons: tuple[str, ...] = ()
    histogram: Mapping[int, int] = field(default_factory=dict)
    meters: Mapping[str, float] = field(default_factory=dict)  # the largest of each

    @property
    def word(self) -> str:
        """Return the cell's verdict in a word: the gravest of its verdicts, or what is the case instead."""
        match self.status:
            case "absent":
                return "not run"
            case "unsupported":
                return "not supported"
            case "pass":
                # What else it holds are cases that the manifest takes out: they are no part of the verdict.
                return "pass"
            case _:
                return next((verdict for verdict in GRAVITY if verdict in self.verdicts), "pass")


Key = tuple[str, str, str]  # op, row, runtime@target
Cells = Mapping[Key, Cell]

ABSENT = Cell()
#: What stands for the op where a whole model is meant.
MODEL = "model"


Judged = CaseLine | FailureLine | ModelLine


def reason(line: Judged) -> str:
    """Return why a deviation is expected, or "" where no expectation covers the line."""
    because = line.because if isinstance(line, FailureLine) else ""
    return because or (line.expected if isinstance(line.expected, str) else "")


def headline(line: Judged) -> str:
    """Return a deviation in one line that stands alone: case, runtime, what was found; no replay command."""
    message = line.message.split("; replay:")[0] or line.verdict
    what = f"{line.model} {line.operator}".strip() if isinstance(line, ModelLine) else line.case
    where = f"{what} {place(line.runtime, line.target)}"
    return message if message.startswith(where) else f"{where}: {message}"


def status(line: Judged) -> str:
    """Return what a line means for its cell: pass, known, unsupported or fail.

    What a runtime declines because it never claimed it, or because its manifest names a limit, is no
    deviation; only an expectation makes it one, and then a counterexample says `because`.
    """
    if line.verdict == "pass":
        return "pass"
    if line.verdict == "declined" and not isinstance(line, FailureLine) and reason(line):
        return "unsupported"
    if reason(line):
        return "known"
    return "unsupported" if line.expected is True else "fail"


def _worst_of(line: CaseLine) -> Worst | None:
    judged = line.verdict in ("pass", "wrong-value") and not line.law and bool(line.unit)
    return Worst(line.error, line.limit, line.unit, line.case) if judged else None


def worse(one: Worst | None, two: Worst | None) -> Worst | None:
    """Return the error with the larger share of its limit; of equal shares the larger error, then the first."""
    if one is None or two is None:
        return one or two
    return two if (two.share, two.error) > (one.share, one.error) else one


def join(one: Cell, two: Cell) -> Cell:
    """Return the cell of all lines of both."""
    return Cell(
        status=min(one.status, two.status, key=STATUSES.index),
        verdicts=Counter(one.verdicts) + Counter(two.verdicts),
        lines=one.lines + two.lines,
        cases=one.cases + two.cases,
        seconds=one.seconds + two.seconds,
        worst=worse(one.worst, two.worst),
        reasons=tuple(dict.fromkeys((*one.reasons, *two.reasons))),
        histogram=Counter(one.histogram) + Counter(two.histogram),
        meters={
            key: max(one.meters.get(key, -math.inf), two.meters.get(key, -math.inf))
            for key in {**one.meters, **two.meters}
        },
    )


def cells(log: Log) -> Cells:
    """Return the cell of every op, row and runtime that has lines."""
    groups: dict[Key, list[CaseLine]] = {}
    for line in log.cases:
        groups.setdefault((line.op, line.row, place(line.runtime, line.target)), []).append(line)
    return {key: joined(lines) for key, lines in groups.items()}


def joined(lines: Iterable[CaseLine]) -> Cell:
    """Return the cell of many lines. It counts in place: a log holds lines by the hundred thousand."""
    histogram: dict[int, int] = {}
    meters: dict[str, float] = {}
    found = list(lines)
    for line in found:
        for error, elements in () if line.law else line.histogram.items():
            histogram[error] = histogram.get(error, 0) + elements
        for name, value in line.meters.items():
            meters[name] = max(value, meters.get(name, value))
    statuses = Counter(status(line) for line in found)
    return Cell(
        status=min(statuses, key=STATUSES.index),
        verdicts=Counter(line.verdict for line in found),
        lines=len(found),
        cases=sum(line.cases for line in found),
        seconds=sum(line.seconds for line in found),
        worst=reduce(worse, (_worst_of(line) for line in found), None),
        reasons=tuple(
            dict.fromkeys(reason(line) for line in found if status(line) in ("known", "unsupported") and reason(line))
        ),
        histogram=histogram,
        meters=meters,
    )


def folded(found: Cells) -> Mapping[tuple[str, str], Cell]:
    """Return the cell of every whole op on every runtime, by op and `runtime@target`."""
    result: dict[tuple[str, str], Cell] = {}
    for (op, _, where), cell in found.items():
        result[op, where] = join(result.get((op, where), ABSENT), cell)
    return result


def ops(log: Log) -> tuple[str, ...]:
    """Return every op that the log names, in alphabetical order."""
    return tuple(split(log))


def rows(log: Log) -> Mapping[str, tuple[str, ...]]:
    """Return the rows of every op: first as its spec lists them, then what only results name."""
    listed = [(spec.op, row) for spec in log.specs for row in spec.rows]
    judged = [(line.op, line.row) for line in log.cases]
    shrunk = [(line.op, line.row) for line in log.failures]
    found: dict[str, list[str]] = {op: [] for op in ops(log)}
    for op, row in dict.fromkeys([*listed, *judged, *shrunk]):
        found[op].append(row)
    return {op: tuple(mine) for op, mine in found.items()}


def runtimes(log: Log) -> tuple[str, ...]:
    """Return `runtime@target` of everything that ran, in the header's order, then as cases name them."""
    ran = dict.fromkeys((line.runtime, line.target) for line in log.cases)
    missing = {(one.runtime, one.target) for one in log.unavailable} - set(ran)
    listed = dict.fromkeys((one.name, one.target) for one in log.runtimes)
    return tuple(place(*one) for one in {**listed, **ran} if one not in missing)


@dataclass(frozen=True, slots=True)
class Totals:
    """The run in figures. `verdicts` counts judged cases.

    `deviations` counts by status, once for each op, row, runtime, target and verdict: that is
    how often a log holds a counterexample, while one defect may show in hundreds of lines.
    """

    lines: int
    cases: int
    seconds: float
    verdicts: Mapping[str, int]
    deviations: Mapping[str, int]
    models: Mapping[str, int] = field(default_factory=dict)  # status -> models on runtimes


def totals(log: Log) -> Totals:
    """Add up a whole log."""
    verdicts: Counter[str] = Counter()
    kinds: dict[tuple[str, ...], str] = {}
    for line in log.cases:
        verdicts[line.verdict] += line.cases
    judged: list[Judged] = [*log.cases, *log.failures, *log.models]
    for one in judged:
        kinds[kind(one)] = min(kinds.get(kind(one), "absent"), status(one), key=STATUSES.index)
    seconds = sum(footer.seconds for footer in log.footers) or sum(line.seconds for line in log.cases)
    models = Counter(status(line) for line in log.models)
    return Totals(len(log.cases), verdicts.total(), seconds, verdicts, Counter(kinds.values()), models)


def kind(line: Judged) -> tuple[str, ...]:
    """Return what makes deviations the same: op and row, or the model; runtime, target, verdict."""
    if isinstance(line, ModelLine):
        return MODEL, line.model, line.runtime, line.target, line.verdict
    return line.op, line.row, line.runtime, line.target, line.verdict


def conclusion(log: Log) -> tuple[str, str]:
    """Return the status of the whole run and what to say of it; only a whole, clean run is a pass."""
    found = totals(log)
    floor, stale = sum(one.floor for one in log.footers), sum(len(one.stale) for one in log.footers)
    over = sum(one.over for one in figures(log))
    checks = (
        (found.deviations.get("fail", 0), "unexpected deviation", ""),
        (stale, "expectation matched nothing", "expectations matched nothing"),
        (over, "figure over budget", "figures over budget"),
    )
    wrong = [plural(number, one, many) for number, one, many in checks if number]
    thin = sum(len(one.thin) for one in log.footers)
    wrong += [plural(thin, "row") + " below the tier's floor"] if thin else []
    wrong += ["fewer cases than the tier's floor"] if log.complete and found.cases < floor else []
    if wrong:
        return "fail", ", ".join(wrong)
    if any(footer.exit for footer in log.footers):
        return "fail", f"the run ended with exit status {max(footer.exit for footer in log.footers)}"
    if not log.complete:
        return "known", "no unexpected deviation so far"
    return ("pass", "everything as expected") if found.cases or found.models else ("known", "nothing was judged")
