"""`opconform run`: the main job."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from opconform.harness import coverage, models_unit
from opconform.harness.cli.common import console
from opconform.harness.fields import reader
from opconform.harness.generate.engine import TIERS
from opconform.harness.runner import Result, Selection, run, select
from opconform.harness.shards import Shard, parse_shard
from opconform.harness.spec_load import load_all
from opconform.reports.lines import ModelLine
from opconform.reports.summary import headline

#: What runs when no --runtime is given: ours, and the real ones that are light to install.
DEFAULT_RUNTIMES = ("lite", "micro@boards", "litert@ref", "tflm")
ENGINES = ("local", "ray")

HELP = """\
Cases are generated from specs/ops/*.yaml. The same --seed, specs and runtimes give the same log,
apart from times. Exit code 0: as expected; 1: deviations; 2: bad input; 3: a target failed.

Example: opconform run --op 'CONV_*' --row int8 --runtime lite --runtime litert@xnnpack --tier pr --log out/run.jsonl
"""


def register(app: typer.Typer) -> None:
    """Add the subcommand."""
    app.command("run", help=HELP)(command)


Ops = Annotated[list[str] | None, typer.Option("--op", metavar="GLOB", help="Only ops that match; repeatable.")]
Rows = Annotated[list[str] | None, typer.Option("--row", metavar="GLOB", help="Only rows that match; repeatable.")]
Runtimes = Annotated[
    list[str] | None,
    typer.Option(
        "--runtime", metavar="NAME[@TARGET]", help="A runtime; also NAME@boards, FILE.py:Class or 'exec:COMMAND'."
    ),
]
Models = Annotated[
    list[str] | None,
    typer.Option("--models", metavar="GLOB", help="Also whole models that match; repeatable. Without: none."),
]
Zoo = Annotated[Path | None, typer.Option(metavar="FILE.yaml", help="Models of another zoo than the project's own.")]
Part = Annotated[str, typer.Option(metavar="K/N", help="Only part K of N; opconform merge makes the logs one.")]
Address = Annotated[
    str, typer.Option(metavar="HOST:PORT", help="Of a Ray cluster; without, --engine ray starts one here.")
]


def command(
    op: Ops = None,
    row: Rows = None,
    runtime: Runtimes = None,
    tier: Annotated[str, typer.Option(help="How much: smoke, pr or nightly.")] = "smoke",
    seed: Annotated[int, typer.Option(min=0, help="Seed of all draws.")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Processes to work with.")] = 1,
    log: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the run log (JSON lines) here.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from an interrupted --log.")] = False,
    models: Models = None,
    zoo: Zoo = None,
    shard: Part = "1/1",
    engine: Annotated[str, typer.Option(help="Who works: local (processes) or ray (a cluster).")] = "local",
    address: Address = "",
) -> int:
    """Run the conformance tests."""
    if resume and log is None:
        raise typer.BadParameter("--resume needs --log FILE: the log to go on from")
    if engine not in ENGINES:
        raise typer.BadParameter(f"--engine {engine}: unknown; allowed: {', '.join(ENGINES)}")
    if address and engine != "ray":
        raise typer.BadParameter("--address needs --engine ray")
    selection = Selection(
        tuple(runtime or DEFAULT_RUNTIMES), tuple(op or ("*",)), tuple(row or ("*",)), checked_tier(tier), seed, jobs,
        shard=checked_shard(shard), engine=engine, address=address, models=tuple(models or ()), zoo=zoo,
    )  # fmt: skip
    return perform(selection, log, resume).exit


def checked_shard(text: str) -> Shard:
    """Return a part of a run; BadParameter where it is none."""
    try:
        return parse_shard(text)
    except ValueError as error:
        raise typer.BadParameter(f"--shard {error}") from error


def checked_tier(tier: str) -> str:
    """Return a tier's name; BadParameter where there is none."""
    if tier not in TIERS:
        raise typer.BadParameter(f"--tier {tier}: unknown; allowed: {', '.join(TIERS)}")
    return tier


def perform(selection: Selection, log: Path | None, resume: bool = False) -> Result:
    """Run a selection, showing what happens and the totals at the end."""
    rows = select(load_all(None, selection.ops), selection)
    view = View(console(), len(rows) + len(models_unit.select(selection.zoo, selection.models, selection.shard)))
    try:
        result = run(selection, log, resume, view.line)
    finally:
        view.close()
    view.summary(result.footer, log)
    return result


class View:
    """Shows progress on a terminal, plain lines elsewhere, and what failed as it comes."""

    def __init__(self, out: Console, rows: int) -> None:
        """Show that `rows` rows are worked on; 0: that they are only read, which needs no progress."""
        self._out, self._rows, self._done, self._cases = out, rows, 0, 0
        self._started = self._said = time.monotonic()
        self._verdicts: Counter[tuple[str, str]] = Counter()
        columns = (
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
        )  # fmt: skip
        self._progress = Progress(*columns, console=out, disable=not out.is_terminal, transient=True)
        self._task = self._progress.add_task("rows", total=rows, rate="")
        self._progress.start()

    def line(self, line: Mapping[str, Any]) -> None:
        """Take one line of the log."""
        match line["kind"]:
            case "case":
                self._cases += int(line["cases"])
                self._verdicts[f"{line['runtime']}@{line['target']}", line["verdict"]] += int(line["cases"])
                if line["expected"] is False and line["verdict"] == "pass":  # it has no failure line
                    self._say(line, line["message"])
            case "failure" if line["expected"] is False:
                self._say(line, f"{line['message']}; replay: {line['replay']}")
            case "unavailable":
                self._out.print(f"{line['runtime']}@{line['target']} cannot run here: {line['message']}", markup=False)
            case "cost" if line["message"]:
                self._out.print(line["message"], markup=False)
            case "model" if line["expected"] is False:
                self._out.print(f"model {headline(reader(ModelLine)(line))}", markup=False)
            case "graph":
                self._row_done(f"model {line['model']}")
            case "coverage":
                self._row_done(f"{line['op']}/{line['row']}")

    def _say(self, line: Mapping[str, Any], text: str) -> None:
        self._out.print(f"{line['case']} {line['runtime']}@{line['target']}: {text}", markup=False)

    def _row_done(self, name: str) -> None:
        self._done += 1
        rate = self._cases / max(time.monotonic() - self._started, 1e-9)
        self._progress.update(self._task, completed=self._done, rate=f"{rate:,.0f} cases/s  {name}")
        if self._rows and not self._out.is_terminal and time.monotonic() - self._said > 10:
            self._said = time.monotonic()
            print(f"{self._done}/{self._rows} rows, {self._cases} cases, {rate:,.0f} cases/s", file=sys.stderr)

    def close(self) -> None:
        """Stop the progress display."""
        self._progress.stop()

    def summary(self, footer: Mapping[str, Any], log: Path | None, timed: bool = True) -> None:
        """Print the totals; `timed`: and how fast they came, which says nothing where they were only read."""
        for label in sorted({label for label, _ in self._verdicts}):
            counts = {v: n for (name, v), n in sorted(self._verdicts.items()) if name == label}
            self._out.print(f"{label:24} " + "  ".join(f"{v} {n}" for v, n in counts.items()), markup=False)
        for text in (*footer["stale"], *footer["thin"]):
            self._out.print(text, markup=False)
        if footer["models"]:
            told = "  ".join(f"{verdict} {count}" for verdict, count in footer["models"].items())
            self._out.print(f"{'whole models':24} {told}", markup=False)
        if footer["cases"] and (text := coverage.shown(footer["coverage"])):  # no cases: nobody exercised anything
            self._out.print(text, markup=False)
        seconds = time.monotonic() - self._started
        speed = f" in {seconds:.1f} s ({footer['cases'] / max(seconds, 1e-9):,.0f}/s)" if timed else ""
        self._out.print(
            f"{footer['cases']} cases{speed}, {footer['unexpected']} unexpected, exit {footer['exit']}"
            + (f", log {log}" if log else "")
        )
