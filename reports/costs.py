"""What ops cost on boards: against the budget, against the baseline, and board against board."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from opconform.reports.lines import Cost
from opconform.reports.log import Log

#: key of a cost line -> what it is called, and its unit
METRICS: Mapping[str, tuple[str, str]] = {
    "own": ("Flash, own", "bytes"),
    "shared": ("Flash, shared", "bytes"),
    "alone": ("Flash, alone", "bytes"),
    "stack": ("Stack", "bytes"),
    "scratch": ("Scratch", "bytes"),
    "arena": ("Arena", "bytes"),
    "instructions": ("Instructions", ""),
}


#: meter of a case line -> what it is called, and its unit
METERS: Mapping[str, tuple[str, str]] = {
    **{name: METRICS[name] for name in ("stack", "scratch", "arena")},
    "arena-touched": ("Arena touched", "bytes"),
    "instructions": METRICS["instructions"],
    "loads": ("Loads", ""),
    "model-loads": ("Loads of the model", ""),
    "stores": ("Stores", ""),
}


def metered(names: Iterable[str]) -> Mapping[str, tuple[str, str]]:
    """Return the words and unit of each meter that was found, in the order of METERS; others follow as they are."""
    found = dict.fromkeys(names)
    known = {name: words for name, words in METERS.items() if name in found}
    return known | {name: (name, "") for name in found if name not in known}


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric of one op on one target; None where it was not measured or not set."""

    op: str
    target: str
    metric: str
    value: float | None
    budget: float | None
    baseline: float | None

    @property
    def over(self) -> bool:
        """Tell whether the figure is above its budget."""
        return self.value is not None and self.budget is not None and self.value > self.budget

    @property
    def changed(self) -> bool:
        """Tell whether the figure differs from the committed baseline."""
        return self.value is not None and self.baseline is not None and self.value != self.baseline


def figure(cost: Cost, metric: str) -> Figure:
    """Return one metric of a cost line."""
    value = getattr(cost, metric)
    return Figure(cost.op, cost.target, metric, value, cost.budget.get(metric), cost.baseline.get(metric))


def figures(log: Log) -> tuple[Figure, ...]:
    """Return every measured figure of a log, in its order."""
    found = (figure(cost, metric) for cost in log.costs for metric in METRICS)
    return tuple(one for one in found if one.value is not None)


def targets(log: Log) -> tuple[str, ...]:
    """Return the targets that have costs, in the log's order."""
    return tuple(dict.fromkeys(cost.target for cost in log.costs))


@dataclass(frozen=True, slots=True)
class CostTable:
    """One metric over ops and targets; a missing figure is None. `most` is the largest of each op."""

    metric: str
    rows: tuple[tuple[str, float, tuple[Figure | None, ...]], ...]


def tables(log: Log) -> tuple[CostTable, ...]:
    """Return a table for each metric that was measured at all."""
    found = {(one.metric, one.op, one.target): one for one in figures(log)}
    names = sorted({cost.op for cost in log.costs})
    made = (_table(metric, names, targets(log), found) for metric in METRICS)
    return tuple(table for table in made if table.rows)


def _table(
    metric: str, ops: Sequence[str], columns: Sequence[str], found: Mapping[tuple[str, str, str], Figure]
) -> CostTable:
    rows = []
    for op in ops:
        cells = tuple(found.get((metric, op, target)) for target in columns)
        values = [one.value for one in cells if one is not None and one.value is not None]
        if values:
            rows.append((op, max(values), cells))
    return CostTable(metric, tuple(rows))


def relative(log: Log, metric: str) -> Mapping[str, float]:
    """Return per target the geometric mean of its figures over those of the cheapest target.

    Only ops measured on every target count, so that a missing op moves no mean.
    """
    found = {(one.op, one.target): one.value for one in figures(log) if one.metric == metric and one.value}
    columns = [target for target in targets(log) if any(target == one for _, one in found)]
    common = [op for op in sorted({op for op, _ in found}) if all((op, target) in found for target in columns)]
    if not common:
        return {}
    means = {c: math.exp(sum(math.log(found[op, c] or 1) for op in common) / len(common)) for c in columns}
    least = min(means.values())
    return {target: mean / least for target, mean in means.items()}
