"""Whole models in reports: the lines of kind `model` and `graph` as texts and tables, the same in all forms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from opconform.reports import summary, text, views
from opconform.reports.lines import GraphLine, ModelLine, Step, place
from opconform.reports.log import Log
from opconform.reports.summary import Cell, Cells, Key

#: What a model costs on a runtime: key of its line or of its meters -> heading.
COSTS: Mapping[str, str] = {"arena": "Arena", "stack": "Stack", "flash": "Flash", "instructions": "Instructions"}
#: Every column of the table of one model, the runtime before them.
COLUMNS = ("Verdict", "Right", "As reference", "As float32", "Worst", *COSTS.values())


@dataclass(frozen=True, slots=True)
class Row:
    """One model on one runtime in words."""

    where: str
    status: str
    word: str
    right: str
    cells: tuple[str, ...]  # from "Right" on
    reason: str


@dataclass(frozen=True, slots=True)
class Shown:
    """One model of the page: its graph, what came of it on each runtime, and the cells of the overview."""

    graph: GraphLine
    anchor: str
    accuracy: str
    operators: tuple[tuple[Step, str], ...]  # with the page of the op's row, or ""
    rows: tuple[Row, ...]
    overview: tuple[Row | None, ...]  # in the order of the columns


def columns(log: Log) -> tuple[str, ...]:
    """Return the runtimes that ran a model, in the order of the report."""
    ran = {place(line.runtime, line.target) for line in log.models}
    return tuple(where for where in summary.runtimes(log) if where in ran)


def shown(log: Log) -> tuple[Shown, ...]:
    """Return all models in the order of the log; one without a line of its own graph is shown without operators."""
    graphs = {one.model: one for one in log.graphs}
    names = dict.fromkeys((*graphs, *(line.model for line in log.models)))
    pages = set(summary.ops(log))
    return tuple(_shown(log, graphs.get(name, GraphLine(name)), pages) for name in names)


def _shown(log: Log, graph: GraphLine, pages: set[str]) -> Shown:
    rows = {one.where: one for one in (row(line) for line in log.models if line.model == graph.model)}
    steps = tuple((step, _page(step) if step.op in pages else "") for step in graph.operators)
    overview = tuple(rows.get(where) for where in columns(log))
    return Shown(
        graph, text.slug(graph.model), share(graph.correct, graph.examples), steps, tuple(rows.values()), overview
    )


def _page(step: Step) -> str:
    return views.op_page(step.op) + (f"#row-{text.slug(step.row)}" if step.row else "")


def row(line: ModelLine) -> Row:
    """Return one model on one runtime in words."""
    state = summary.status(line)
    word = "not supported" if state == "unsupported" else line.verdict
    why = f"{line.operator}: {line.message}" if line.operator else line.message
    known = summary.reason(line)
    because = f"{why} – known: {known}" if state == "known" and known != line.message else why
    right = share(line.correct, line.examples)
    cells = (
        right,
        share(line.same_class, line.examples),
        share(line.float_class, line.examples),
        worst(line),
        *(text.count(costs(line).get(name)) if name in costs(line) else "" for name in COSTS),
    )
    return Row(place(line.runtime, line.target), state, word, right, cells, because)


def share(count: int | None, total: int) -> str:
    """Return a share as a count of examples, as few are run: "63/64"; empty where it is not known."""
    return "" if count is None or not total else f"{count}/{total}"


def worst(line: ModelLine) -> str:
    """Return how far an output is from the reference's at worst: in quanta, or as a share of its range."""
    if line.worst is None:
        return ""
    return "equal" if line.worst == 0 else f"{text.figure(line.worst)} {line.unit}"


def costs(line: ModelLine) -> Mapping[str, float]:
    """Return what a model costs on a runtime, as far as it was measured."""
    found = {**line.meters, "flash": line.flash}
    return {name: value for name in COSTS if (value := found.get(name)) is not None}


def cells(log: Log) -> Cells:
    """Return a cell for every model on every runtime, as if the model were a row of an op named `model`."""
    return {key(line): Cell(summary.status(line), {line.verdict: 1}, 1, line.examples) for line in log.models}


def key(line: ModelLine) -> Key:
    """Return what tells one model on one runtime from all other cells."""
    return summary.MODEL, line.model, place(line.runtime, line.target)


def figures(log: Log) -> Iterator[tuple[tuple[str, str, str], float]]:
    """Yield what a comparison of two runs counts: right examples and costs, by model, runtime and name."""
    for line in log.models:
        counted = {"correct": line.correct} if line.correct is not None else {}
        for name, value in {**counted, **costs(line)}.items():
            yield (f"{summary.MODEL} {line.model}", place(line.runtime, line.target), name), value


def machine(log: Log) -> dict[str, dict[str, Any]]:
    """Return all models by name: the keys of their graph, and under `runtimes` those of each line with its status."""
    lines = {one.model: [] for one in log.models}  # type: dict[str, list[ModelLine]]
    for line in log.models:
        lines[line.model].append(line)
    return {
        one.graph.model: {
            **asdict(one.graph),
            "runtimes": {
                place(line.runtime, line.target): {"status": summary.status(line), **asdict(line)}
                for line in lines.get(one.graph.model, [])
            },
        }
        for one in shown(log)
    }


def unexpected(log: Log) -> Sequence[ModelLine]:
    """Return the models that are answered wrongly, or not at all, and of which nobody knew."""
    return [line for line in log.models if summary.status(line) == "fail"]
