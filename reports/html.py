"""A run log as a static HTML site: no network, no assets beside the pages but the models to download."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from opconform.reports import costs, models, summary, text, views
from opconform.reports.lines import CaseLine, place
from opconform.reports.log import Log, split
from opconform.reports.summary import Cells

#: the page of claims, which stands in the menu where it is there
CLAIMS_PAGE = "claims.html"
NOTHING: Mapping[str, bytes] = MappingProxyType({})
#: the page reads well up to here; the rest is in the log
MOST_UNEXPECTED = 50
#: a bound that is this many times wider than all errors seen deserves an explanation (docs/tolerances.md, "Slack")
WIDEST_SLACK = 50


@cache
def environment() -> Environment:
    """Return the templates with the filters and names that they use."""
    templates = Environment(
        loader=PackageLoader("opconform", "reports/templates"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    words = ("count", "figure", "share", "slack", "percent", "change", "duration", "date", "plural", "slug", "value")
    templates.filters.update({name: getattr(text, name) for name in words})
    templates.filters["safe_link"] = safe_link
    templates.globals.update(symbols=views.SYMBOLS, metrics=costs.METRICS, href=views.href, headline=summary.headline)
    return templates


def safe_link(address: str) -> str:
    """Return a web address as it is, and "" for any other scheme: a log is data that others wrote."""
    return address if address.startswith(("https://", "http://")) else ""


def site(log: Log, beside: Mapping[str, bytes] = NOTHING) -> Mapping[str, bytes]:
    """Return every file of the site by its path below the site's folder; `beside` are pages that are made elsewhere."""
    page = partial(_page, claims=CLAIMS_PAGE in beside)
    parts = {op: (part, summary.cells(part)) for op, part in split(log).items()}
    found = {key: cell for _, cells in parts.values() for key, cell in cells.items()}
    pages = {
        "index.html": page("index.html", log, "", _index(log, found)),
        "deviations.html": page("deviations.html", log, "", {"groups": deviations(log)}),
        "models.html": page("models.html", log, "", _whole_models(log)),
        "costs.html": page("costs.html", log, "", _costs(log)),
    }
    for op, (part, cells) in parts.items():
        pages[views.op_page(op)] = page("op.html", part, "../", _op(part, cells, op))
    return {**{name: content.encode() for name, content in pages.items()}, **_models(log), **beside}


def write(files: Mapping[str, bytes], folder: Path) -> None:
    """Write a site below `folder`; OSError where that is impossible."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _page(template: str, log: Log, top: str, more: Mapping[str, Any], claims: bool) -> str:
    return environment().get_template(template).render(log=log, top=top, page=template, claims=claims, **more)


def _models(log: Log) -> Mapping[str, bytes]:
    found = ((views.model_file(line), views.model_bytes(line)) for line in log.failures)
    return {name: data for name, data in found if name and data is not None}


def _whole_models(log: Log) -> Mapping[str, Any]:
    return {"models": models.shown(log), "columns": models.columns(log), "headings": models.COLUMNS}


def _index(log: Log, found: Cells) -> Mapping[str, Any]:
    unexpected = [line for line in views.sound(log.failures) if summary.status(line) == "fail"]
    return {
        "conclusion": summary.conclusion(log),
        "totals": summary.totals(log),
        "columns": summary.runtimes(log),
        "infos": {place(one.name, one.target): one for one in log.runtimes},
        "matrix": views.matrix(log, found),
        "row_total": sum(len(one) for one in summary.rows(log).values()),
        "per_runtime": _per_runtime(found),
        "unexpected": unexpected[:MOST_UNEXPECTED],
        "wrong_models": [(models.row(line), line.model) for line in models.unexpected(log)],
        "unshown": max(0, len(unexpected) - MOST_UNEXPECTED),
        "outliers": Counter(one.outlier for one in log.agreements if one.outlier).most_common(),
        "stale": [text.value(one) for footer in log.footers for one in footer.stale],
        "thin": [text.value(one) for footer in log.footers for one in footer.thin],
        "coverage": _coverage(log),
        "loose": loose(found),
        "floor": max((footer.floor for footer in log.footers), default=0),
    }


def loose(found: Cells) -> list[tuple[str, str, str, float, float]]:
    """Return op, row, unit, worst error and limit of the rows whose bound no runtime comes near, the widest first."""
    nearest: dict[tuple[str, str], summary.Worst] = {}
    for (op, row, _), cell in found.items():
        before = nearest.get((op, row))
        if cell.worst is not None and (before is None or cell.worst.share > before.share):
            nearest[op, row] = cell.worst
    wide = [(key, one) for key, one in nearest.items() if 0 < one.share < 1 / WIDEST_SLACK]
    return [(*key, one.unit, one.error, one.limit) for key, one in sorted(wide, key=lambda pair: pair[1].share)]


def _coverage(log: Log) -> Mapping[str, Any]:
    """Return how many clauses and values of all specs the run exercised, and which it never did."""
    counts = [(one, label, number) for one in log.coverage for label, number in one.clauses.items()]
    never = [(one.op, one.row, label) for one, label, number in counts if not number]
    return {"goals": len(counts), "exercised": len(counts) - len(never), "never": never}


def _per_runtime(found: Cells) -> Mapping[str, summary.Cell]:
    result: dict[str, summary.Cell] = {}
    for (_, _, where), cell in found.items():
        result[where] = summary.join(result.get(where, summary.ABSENT), cell)
    return result


def _op(log: Log, found: Cells, op: str) -> Mapping[str, Any]:
    """Return what an op's page shows; `log` and `found` hold that op alone."""
    spec, meters = next(iter(log.specs), None), _meters(found)
    columns = summary.runtimes(log)
    return {
        "op": op,
        "spec": spec,
        "glances": views.glances(op, columns, found),
        "rows": views.row_views(op, summary.rows(log)[op], columns, found),
        "counterexamples": [views.counterexample(line, spec, log.agreements) for line in views.sound(log.failures)],
        "clauses": views.clause_views(spec, log),
        "attributes": views.attribute_coverage(log),
        "covered": [one.row for one in log.coverage],
        "laws": views.law_views(log),
        "columns": [where for where in columns if any(where == ran for _, _, ran in found)],
        "agreements": log.agreements,
        "costs": [(cost.target, {key: costs.figure(cost, key) for key in costs.METRICS}) for cost in log.costs],
        "meters": meters,
        "metered": costs.metered(name for found in meters.values() for name in found),
    }


def _meters(found: Cells) -> Mapping[str, Mapping[str, float]]:
    """Return per runtime the largest meter of any case."""
    return {where: cell.meters for (_, where), cell in summary.folded(found).items() if cell.meters}


def deviations(log: Log) -> Mapping[str, Mapping[str, list[Any]]]:
    """Return the expected deviations by `runtime@target` and reason.

    Each is an op, row and verdict with its number of lines and its counterexample, None where the log has none. Those
    that legal models show come first.
    """
    known = [line for line in log.cases if summary.status(line) == "known"]
    examples = {summary.kind(line): line for line in reversed(log.failures) if summary.status(line) == "known"}
    result: dict[str, dict[str, list[Any]]] = {}
    for key, lines in _by_kind(known).items():
        first, example = lines[0], examples.pop(key, None)
        why = example.because if example and example.because else summary.reason(first)
        result.setdefault(place(first.runtime, first.target), {}).setdefault(why, []).append(
            (first, len(lines), example)
        )
    for example in examples.values():
        why = summary.reason(example)
        result.setdefault(place(example.runtime, example.target), {}).setdefault(why, []).append((example, 1, example))
    return {where: dict(sorted(reasons.items(), key=_concern)) for where, reasons in sorted(result.items())}


def _concern(reason: tuple[str, list[Any]]) -> tuple[bool, int, str]:
    """Order deviations by what they mean to a user: legal models first, of those the wrong numbers, then crashes."""
    line = reason[1][0][0]
    concerns = ("wrong-value", "wrong-shape", "wrong-dtype", "crash", "timeout", "rejects-valid", "declined")
    rank = concerns.index(line.verdict) if line.verdict in concerns else len(concerns)
    return line.clause.startswith("E"), rank, line.op


def _by_kind(lines: Iterable[CaseLine]) -> Mapping[tuple[str, ...], list[CaseLine]]:
    groups: dict[tuple[str, ...], list[CaseLine]] = {}
    for line in lines:
        groups.setdefault(summary.kind(line), []).append(line)
    return groups


def _costs(log: Log) -> Mapping[str, Any]:
    return {
        "targets": costs.targets(log),
        "tables": costs.tables(log),
        "relative": {metric: means for metric in costs.METRICS if (means := costs.relative(log, metric))},
        "over": [one for one in costs.figures(log) if one.over],
        "changed": [one for one in costs.figures(log) if one.changed],
    }
