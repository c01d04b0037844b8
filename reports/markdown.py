"""A run log as Markdown for a pull request: totals, a compact matrix, what is wrong, what got dearer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from opconform.reports import costs, models, summary, text, views
from opconform.reports.lines import FailureLine, ModelLine, place
from opconform.reports.log import Log
from opconform.reports.summary import ABSENT, Cell

SYMBOLS = {"pass": "✅", "fail": "❌", "known": "🟡", "unsupported": "➖", "absent": "·"}
LEGEND = "✅ pass, worst error as a share of its bound · ❌ unexpected · 🟡 known · ➖ not supported · · not run"

#: a comment on a forge holds about 65,000 characters
MOST_FAILURES, MOST_COSTS = 25, 30


def render(log: Log) -> str:
    """Return the summary; the same log gives the same text."""
    found = summary.cells(log)
    wrong = (line for line in log.failures if summary.status(line) == "fail")
    parts = [
        *_heading(log),
        *_wrong([*views.sound(wrong), *models.unexpected(log)]),
        *_matrix(log, found),
        *_models(log),
        *_costs(log),
        *_unavailable(log),
        f"<sub>opconform {escape(log.header.version)}, seed {log.header.seed}, specs {code(log.header.specs)}</sub>",
    ]
    return "\n".join(parts) + "\n"


def escape(words: str) -> str:
    """Return text that a table cell shows as it is: one line, no markup."""
    single = " ".join(words.split())
    marked = "".join(f"\\{letter}" if letter in "\\`*_[]|#~" else letter for letter in single)
    return marked.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def code(words: str) -> str:
    """Return text as inline code, whatever it holds; pipes would end a table's cell."""
    single = " ".join(words.split()).replace("`", "'").replace("|", "\N{DIVIDES}")
    return f"`{single}`" if single else ""


def _heading(log: Log) -> list[str]:
    total = summary.totals(log)
    status, words = summary.conclusion(log)
    state = f"{SYMBOLS[status]} {words}" if log.complete else f"⚠️ incomplete log, {words}"
    figures = [
        f"{text.plural(total.cases, 'case')} judged",
        text.plural(total.deviations.get("known", 0), "known deviation"),
        f"{text.plural(len(summary.ops(log)), 'operator')} on {text.plural(len(summary.runtimes(log)), 'runtime')}",
        text.duration(total.seconds),
    ]
    warnings = [f"> {escape(warning)}\n" for warning in log.warnings]
    return [f"## opconform: {state}\n", " · ".join(figures) + "\n", *warnings]


def _wrong(lines: Sequence[FailureLine | ModelLine]) -> list[str]:
    if not lines:
        return []
    more = [f"… and {len(lines) - MOST_FAILURES} more.\n"] if len(lines) > MOST_FAILURES else []
    return ["### New deviations\n", *(_failure(line) for line in lines[:MOST_FAILURES]), "", *more]


def _failure(line: FailureLine | ModelLine) -> str:
    if isinstance(line, ModelLine):
        return f"- **{escape(line.verdict)}** {code(summary.headline(line))}"
    diagnosis = f"<br>{escape(views.diagnosis(line))}" if line.rounding else ""
    replay = f"<br>replay: {code(line.replay)}" if line.replay else ""
    return f"- **{escape(line.verdict)}** {code(summary.headline(line))}{diagnosis}{replay}"


def _matrix(log: Log, found: summary.Cells) -> list[str]:
    columns, whole = summary.runtimes(log), summary.folded(found)
    if not columns:
        return []
    rows = [[code(op), *(_cell(whole.get((op, column), ABSENT)) for column in columns)] for op in summary.ops(log)]
    return [
        "### Operators and runtimes\n",
        *_table(["", *(code(one) for one in columns)], rows),
        "",
        f"<sub>{LEGEND}</sub>\n",
    ]


def _cell(cell: Cell) -> str:
    match cell.status:
        case "pass":
            return f"{SYMBOLS['pass']} {text.share(cell.worst.share)}" if cell.worst else SYMBOLS["pass"]
        case "fail" | "known":
            return f"{SYMBOLS[cell.status]} {cell.word}"
        case _:
            return SYMBOLS[cell.status]


def _models(log: Log) -> list[str]:
    columns, shown = models.columns(log), models.shown(log)
    if not shown:
        return []
    rows = [[code(one.graph.model), one.accuracy, *(_on_runtime(cell) for cell in one.overview)] for one in shown]
    return [
        "### Models\n",
        *_table(["", "reference", *(code(one) for one in columns)], rows),
        "",
        "<sub>Examples answered right, of those that were run.</sub>\n",
    ]


def _on_runtime(cell: models.Row | None) -> str:
    if cell is None:
        return SYMBOLS["absent"]
    words = cell.right if cell.status == "pass" else f"{cell.word} {cell.right}" if cell.status != "unsupported" else ""
    return f"{SYMBOLS[cell.status]} {words}".strip()


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


def _costs(log: Log) -> list[str]:
    changed = [one for one in costs.figures(log) if one.changed or one.over]
    if not changed:
        return ["Costs are those of the baseline.\n"] if log.costs else []
    rows = [_cost(one) for one in changed[:MOST_COSTS]]
    more = [f"… and {len(changed) - MOST_COSTS} more.\n"] if len(changed) > MOST_COSTS else []
    head = ["Operator", "Target", "Figure", "Baseline", "Now", "Change", "Budget"]
    return ["<details><summary>Costs that changed</summary>\n", *_table(head, rows), "", *more, "</details>\n"]


def _cost(one: costs.Figure) -> list[str]:
    budget = f"{'❌ over ' if one.over else ''}{text.count(one.budget)}" if one.budget is not None else ""
    figures = [text.count(one.baseline), text.count(one.value), text.change(one.value, one.baseline), budget]
    return [code(one.op), escape(one.target), costs.METRICS[one.metric][0], *figures]


def _unavailable(log: Log) -> list[str]:
    return [f"Not run: {code(place(one.runtime, one.target))} – {escape(one.message)}\n" for one in log.unavailable]
