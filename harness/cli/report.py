"""`opconform report` and `opconform diff`: what run logs say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from opconform.harness import claims_log
from opconform.harness.cli.common import AS_EXPECTED, DEVIATIONS, console
from opconform.reports import claims, html, junit, markdown
from opconform.reports import json as json_report
from opconform.reports.diff import describe, diff
from opconform.reports.log import Log, merge, read

#: What opconform claims --log writes, where it lies beside a run log.
CLAIMS_LOG = "claims.jsonl"
REPORT_HELP = """\
Where several logs judge the same case, the later one counts. Without an option the Markdown summary is printed.
A log without its footer is incomplete: it is rendered, and every report says so.
The page of claims is added where their log lies beside a run log as claims.jsonl.

Example: opconform report out/run.jsonl --html out/report --junit out/junit.xml
"""
DIFF_HELP = """\
Exit code 0: nothing; 1: something; 2: bad input.

Example: opconform diff main.jsonl out/run.jsonl
"""

Logs = Annotated[list[Path], typer.Argument(metavar="LOG...", help="Run logs, the newest last.")]


def register(app: typer.Typer) -> None:
    """Add the subcommands."""
    app.command("report", help=REPORT_HELP)(report)
    app.command("diff", help=DIFF_HELP)(compare)


def report(
    logs: Logs,
    html_to: Annotated[Path | None, typer.Option("--html", metavar="DIR", help="A static site, no network.")] = None,
    junit_to: Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="For a CI server.")] = None,
    markdown_to: Annotated[Path | None, typer.Option("--markdown", metavar="FILE", help="A summary.")] = None,
    json_to: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="For other programs.")] = None,
) -> int:
    """Render logs."""
    log = merge([read(path) for path in logs])
    out = console()
    for warning in log.warnings:
        out.print(warning, markup=False)
    if not any((html_to, junit_to, markdown_to, json_to)):
        out.print(markdown.render(log), markup=False)
        return AS_EXPECTED
    for line in write_reports(log, html_to, junit_to, markdown_to, json_to, claims_beside(logs)):
        out.print(line, markup=False)
    return AS_EXPECTED


def claims_beside(logs: Sequence[Path]) -> Mapping[str, bytes]:
    """Return the page of claims by its name if a log of them lies beside a run log. Raises LogError."""
    files = dict.fromkeys(path.with_name(CLAIMS_LOG) for path in logs)
    findings = claims_log.merged([claims_log.read(path) for path in files if path.is_file()])
    return {html.CLAIMS_PAGE: claims.html(findings, "index.html").encode()} if findings else {}


def write_reports(
    log: Log,
    html_to: Path | None,
    junit_to: Path | None,
    markdown_to: Path | None,
    json_to: Path | None,
    pages: Mapping[str, bytes] = html.NOTHING,
) -> list[str]:
    """Write the wanted reports; return a line for each that says where it stands. OSError where it cannot.

    `pages` are made elsewhere and become a part of the site.
    """
    lines = []
    if html_to is not None:
        html.write(html.site(log, pages), html_to)
        lines.append(f"wrote {html_to / 'index.html'}")
    renders: tuple[tuple[Path | None, Callable[[Log], str]], ...] = (
        (junit_to, junit.render),
        (markdown_to, markdown.render),
        (json_to, json_report.render),
    )
    for path, render in renders:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(render(log), encoding="utf-8")
            lines.append(f"wrote {path}")
    return lines


def compare(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="The log to compare with.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The log of now.")],
) -> int:
    """Compare two logs."""
    found = diff(read(old), read(new))
    console().print(describe(found), markup=False, end="")
    return DEVIATIONS if found.verdicts or found.errors or found.costs else AS_EXPECTED
