"""A run log as one JSON document for programs; docs/reading-a-report.md lists its keys."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from opconform.reports import costs, models, summary
from opconform.reports.lines import FailureLine, place
from opconform.reports.log import Log
from opconform.reports.summary import Cell, Worst

#: of this document, not of the log
FORMAT = 1


def render(log: Log) -> str:
    """Return the document as text; the same log gives the same text."""
    return json.dumps(plain(document(log)), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def document(log: Log) -> dict[str, Any]:
    """Return the document as dicts and lists."""
    found = summary.cells(log)
    total = summary.totals(log)
    state, words = summary.conclusion(log)
    return {
        "format": FORMAT,
        "complete": log.complete,
        "status": state,
        "conclusion": words,
        "warnings": list(log.warnings),
        "runs": [asdict(header) for header in log.headers],
        "runtimes": [asdict(one) for one in log.runtimes],
        "unavailable": [asdict(one) for one in log.unavailable],
        "totals": {
            "cases": total.cases,
            "lines": total.lines,
            "seconds": total.seconds,
            "verdicts": dict(total.verdicts),
            "unexpected": total.deviations.get("fail", 0),
            "known": total.deviations.get("known", 0),
        },
        "ops": _ops(found),
        "failures": [_failure(line) for line in log.failures],
        "agreements": [asdict(one) for one in log.agreements],
        "coverage": [asdict(one) for one in log.coverage],
        "models": models.machine(log),
        "costs": [
            {**asdict(one), "over": [name for name in costs.METRICS if costs.figure(one, name).over]}
            for one in log.costs
        ],
        "stale": [one for footer in log.footers for one in footer.stale],
        "thin": [one for footer in log.footers for one in footer.thin],
        "notes": [asdict(one) for one in log.notes],
        "exit": max((footer.exit for footer in log.footers), default=None),
    }


def _ops(found: summary.Cells) -> dict[str, Any]:
    result: dict[str, dict[str, dict[str, Any]]] = {}
    for (op, row, where), cell in sorted(found.items()):
        result.setdefault(op, {}).setdefault(row, {})[where] = _cell(cell)
    return result


def _cell(cell: Cell) -> dict[str, Any]:
    return {
        "status": cell.status,
        "verdict": cell.word,
        "verdicts": dict(cell.verdicts),
        "cases": cell.cases,
        "lines": cell.lines,
        "seconds": cell.seconds,
        "worst": worst(cell.worst),
        "because": list(cell.reasons),
        "histogram": {str(error): elements for error, elements in sorted(cell.histogram.items())},
        "meters": dict(cell.meters),
    }


def worst(one: Worst | None) -> dict[str, Any] | None:
    """Return the worst error of a cell with its share of the limit."""
    if one is None:
        return None
    return {"error": one.error, "limit": one.limit, "unit": one.unit, "share": one.share, "case": one.case}


def _failure(line: FailureLine) -> dict[str, Any]:
    """Return a failure without its tensors, which the log and the HTML site hold."""
    keys = (
        "case",
        "original",
        "op",
        "row",
        "verdict",
        "law",
        "clause",
        "error",
        "limit",
        "unit",
        "message",
        "replay",
        "issue",
    )
    told = {key: getattr(line, key) for key in keys}
    more = {"status": summary.status(line), "because": summary.reason(line), "rounding": dict(line.rounding)}
    return {"runtime": place(line.runtime, line.target), **told, **more}


def plain(anything: Any) -> Any:
    """Return the same with infinities and NaN as text, for which JSON has no numbers."""
    match anything:
        case float() if not math.isfinite(anything):
            return "NaN" if math.isnan(anything) else "Infinity" if anything > 0 else "-Infinity"
        case Mapping():
            return {key: plain(one) for key, one in anything.items()}
        case list() | tuple():
            return [plain(one) for one in anything]
        case _:
            return anything
