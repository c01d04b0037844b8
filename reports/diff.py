"""What changed between two run logs: verdicts, worst errors and costs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from opconform.reports import costs, models, summary, text
from opconform.reports.json import plain, worst
from opconform.reports.log import Log
from opconform.reports.summary import Cell, Worst

#: in the order in which a reader wants them
CHANGES = ("broken", "changed", "new", "gone", "fixed")

#: smaller changes of a worst error than this share of the old one are left out
LEAST_CHANGE = 0.01


@dataclass(frozen=True, slots=True)
class VerdictChange:
    """One op, row and runtime whose verdict changed; "" for a side that did not run it."""

    change: str
    op: str
    row: str
    runtime: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class ErrorChange:
    """One op, row and runtime whose worst error moved against its limit."""

    op: str
    row: str
    runtime: str
    old: Worst
    new: Worst

    @property
    def worse(self) -> bool:
        """Tell whether less room is left than before."""
        return self.new.share > self.old.share


@dataclass(frozen=True, slots=True)
class CostChange:
    """One figure of one op on one target; None on a side that did not measure it."""

    op: str
    target: str
    metric: str
    old: float | None
    new: float | None


@dataclass(frozen=True, slots=True)
class Diff:
    """All changes between two logs; `notes` say what limits the comparison."""

    verdicts: tuple[VerdictChange, ...]
    errors: tuple[ErrorChange, ...]
    costs: tuple[CostChange, ...]
    notes: tuple[str, ...]

    @property
    def worse(self) -> bool:
        """Tell whether anything is unexpectedly wrong that was not so before."""
        return any(one.change == "broken" for one in self.verdicts)


def diff(old: Log, new: Log) -> Diff:
    """Compare two logs cell by cell, where a cell is an op, a row and a runtime."""
    before, after = ({**summary.cells(log), **models.cells(log)} for log in (old, new))
    keys = sorted({*before, *after})
    changes = (_verdict(key, before.get(key), after.get(key)) for key in keys)
    errors = (_error(key, before[key], after[key]) for key in keys if key in before and key in after)
    return Diff(
        verdicts=tuple(sorted((one for one in changes if one), key=lambda one: CHANGES.index(one.change))),
        errors=tuple(one for one in errors if one),
        costs=_costs(old, new),
        notes=tuple(_notes(old, new)),
    )


def _verdict(key: summary.Key, old: Cell | None, new: Cell | None) -> VerdictChange | None:
    change = _change(old, new)
    return VerdictChange(change, *key, _word(old), _word(new)) if change else None


def _word(cell: Cell | None) -> str:
    """Name a cell so that an expected deviation and an unexpected one read differently."""
    if cell is None:
        return ""
    return f"{cell.word} (known)" if cell.status == "known" else cell.word


def _change(old: Cell | None, new: Cell | None) -> str:
    match old, new:
        case None, Cell(status="fail"):
            return "broken"
        case None, Cell():
            return "new"
        case Cell(), None:
            return "gone"
        case Cell(), Cell() if (_word(old), old.status) != (_word(new), new.status):
            return _moved(old.status, new.status)
        case _:
            return ""


def _moved(old: str, new: str) -> str:
    if new == "fail":
        return "changed" if old == "fail" else "broken"
    return "fixed" if new == "pass" else "changed"


def _error(key: summary.Key, old: Cell, new: Cell) -> ErrorChange | None:
    if old.worst is None or new.worst is None:
        return None
    one, two = old.worst.share, new.worst.share
    same = math.isclose(one, two, rel_tol=LEAST_CHANGE)
    return None if same else ErrorChange(*key, old.worst, new.worst)


def _costs(old: Log, new: Log) -> tuple[CostChange, ...]:
    before, after = (_figures(log) for log in (old, new))
    keys = sorted(key for key in {*before, *after} if before.get(key) != after.get(key))
    return tuple(CostChange(*key, before.get(key), after.get(key)) for key in keys)


def _figures(log: Log) -> dict[tuple[str, str, str], float | None]:
    found = {(one.op, one.target, one.metric): one.value for one in costs.figures(log)}
    return {**found, **dict(models.figures(log))}


def _notes(old: Log, new: Log) -> Iterable[str]:
    for side, log in (("old", old), ("new", new)):
        if not log.complete:
            yield f"the {side} log is incomplete: what it lacks shows as {'new' if side == 'old' else 'gone'}"
    for what, one, two in (
        ("seeds", old.header.seed, new.header.seed),
        ("tiers", old.header.tier, new.header.tier),
        ("specs", old.header.specs, new.header.specs),
    ):
        if one != two:
            yield f"the {what} differ ({one}, {two}): so worst errors differ by more than the runtime"


def describe(found: Diff) -> str:
    """Return the diff as text, a line for each change."""
    lines = [*(f"note: {note}" for note in found.notes), *_verdict_lines(found.verdicts)]
    lines += [_error_line(one) for one in found.errors]
    lines += [f"cost: {one.op} {one.target} {one.metric}: {_cost_words(one)}" for one in found.costs]
    return "\n".join([*lines, _closing(found)]) + "\n"


def _verdict_lines(changes: Sequence[VerdictChange]) -> list[str]:
    return [
        f"{one.change}: {one.op}/{one.row} {one.runtime}: {one.old or 'not run'} -> {one.new or 'not run'}"
        for one in changes
    ]


def _error_line(one: ErrorChange) -> str:
    before = f"{text.figure(one.old.error)} of {text.figure(one.old.limit)} {one.old.unit}"
    after = f"{text.figure(one.new.error)} of {text.figure(one.new.limit)} {one.new.unit}"
    return f"{'more' if one.worse else 'less'} error: {one.op}/{one.row} {one.runtime}: {before} -> {after}"


def _cost_words(one: CostChange) -> str:
    if one.new is None:
        return f"{text.count(one.old)} -> not measured"
    return f"{text.count(one.old)} -> {text.count(one.new)}, {text.change(one.new, one.old)}"


def _closing(found: Diff) -> str:
    counts = [(sum(one.change == change for one in found.verdicts), change) for change in CHANGES]
    parts = [f"{number} {change}" for number, change in counts if number]
    parts += [text.plural(len(found.errors), "worst error") + " moved"] if found.errors else []
    parts += [text.plural(len(found.costs), "cost") + " changed"] if found.costs else []
    return ", ".join(parts) if parts else "no change"


def machine(found: Diff) -> dict[str, Any]:
    """Return the diff as JSON-ready dicts: `verdicts`, `errors`, `costs`, `notes`, `worse`."""
    errors = [
        {"op": one.op, "row": one.row, "runtime": one.runtime, "old": worst(one.old), "new": worst(one.new)}
        for one in found.errors
    ]
    whole = {
        "worse": found.worse,
        "notes": list(found.notes),
        "verdicts": [asdict(one) for one in found.verdicts],
        "errors": errors,
        "costs": [asdict(one) for one in found.costs],
    }
    result: dict[str, Any] = plain(whole)
    return result
