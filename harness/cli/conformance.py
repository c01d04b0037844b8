"""`opconform conformance`: the main job, and its reports."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from opconform.harness.cli.common import console, cpus
from opconform.harness.cli.report import claims_beside, write_reports
from opconform.harness.cli.run import DEFAULT_RUNTIMES, checked_tier, perform
from opconform.harness.runner import Selection
from opconform.reports.log import read

HELP = f"""\
Runtimes: {", ".join(DEFAULT_RUNTIMES)}; one that cannot run here is left out, and the report says so.
The log is DIR/run.jsonl, the page to open DIR/report/index.html; JUnit, Markdown and JSON stand beside it.
Exit code as of `opconform run`: 0 as expected, 1 deviations, 2 bad input, 3 a target failed.

Example: opconform conformance --tier pr --out out
"""


def register(app: typer.Typer) -> None:
    """Add the subcommand."""
    app.command("conformance", help=HELP)(command)


def command(
    tier: Annotated[str, typer.Option(help="How much: smoke, pr or nightly.")] = "smoke",
    seed: Annotated[int, typer.Option(min=0, help="Seed of all draws.")] = 0,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes to work with.", show_default="CPUs")] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where log and reports go.")] = Path("out"),
    op: Annotated[list[str] | None, typer.Option("--op", metavar="GLOB", help="Only ops that match.")] = None,
    runtime: Annotated[
        list[str] | None, typer.Option("--runtime", metavar="NAME[@TARGET]", help="Other runtimes than the usual.")
    ] = None,
    models: Annotated[
        list[str] | None,
        typer.Option("--models", metavar="GLOB", help="Only whole models that match.", show_default="all without --op"),
    ] = None,
    no_models: Annotated[bool, typer.Option("--no-models", help="No whole models.")] = False,
) -> int:
    """Run everything and write the reports."""
    if models and no_models:
        raise typer.BadParameter("--models and --no-models: give one of them")
    selection = Selection(
        tuple(runtime or DEFAULT_RUNTIMES), tuple(op or ("*",)), ("*",), checked_tier(tier), seed, jobs or cpus(),
        models=() if no_models or (op and not models) else tuple(models or ("*",)),
    )  # fmt: skip
    log = out / "run.jsonl"
    result = perform(selection, log)
    report = out / "report"
    others = out / "junit.xml", out / "report.md", out / "report.json"
    lines = write_reports(read(log), report, *others, claims_beside([log]))
    for line in lines[1:]:
        console().print(line, markup=False)
    console().print(f"open {report / 'index.html'}", markup=False)
    return result.exit
