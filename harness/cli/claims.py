"""`opconform claims`: what manifests claim, checked by measurement."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from opconform.harness import claims_log
from opconform.harness.claim_values import CLAIMS
from opconform.harness.claims import FAILS, Finding, Subject, examine
from opconform.harness.claims_checks import CHECKS
from opconform.harness.claims_promised import SOURCE, SYSTEMS
from opconform.harness.cli.common import AS_EXPECTED, DEVIATIONS, INFRASTRUCTURE, console
from opconform.harness.isolate import Executor, Isolated, connect
from opconform.harness.registry import Handle, names, resolve
from opconform.harness.runtime import RuntimeFailure
from opconform.reports import claims as report

#: Columns of the table where no terminal says how many there are.
_WIDTH = 240
#: Columns of text that a runtime needs at least, and that the claim and the promises take beside them.
_COLUMN, _MARGINS = 18, 42
#: What the bare name means here: a claim about flash and RAM is one about a board.
_BOARDS = {"micro": "micro@cortex-m3"}

HELP = """\
The claims are those of docs/claims.md. Without --runtime every installed runtime is examined that can run here.
--with FILE reads the findings of other environments (--log writes them); with --with and without --runtime nothing is
measured. Exit code 0: every claim holds, or cannot be measured here; 1: a claim does not hold; 2: bad input;
3: none of the runtimes can run here.

Example: opconform claims --runtime lite --runtime litert --claim ops --log out/claims.jsonl --html out/claims.html
"""


def register(app: typer.Typer) -> None:
    """Add the subcommand."""
    app.command("claims", help=HELP)(command)


def command(
    runtime: Annotated[
        list[str] | None, typer.Option("--runtime", metavar="NAME[@TARGET]", help="A runtime; repeatable.")
    ] = None,
    claim: Annotated[list[str] | None, typer.Option("--claim", metavar="NAME", help="Only this; repeatable.")] = None,
    run: Annotated[Path | None, typer.Option("--run", metavar="LOG", help="Count operators in this run log.")] = None,
    log: Annotated[Path | None, typer.Option("--log", metavar="FILE", help="Write findings as JSON lines.")] = None,
    others: Annotated[
        list[Path] | None, typer.Option("--with", metavar="FILE", help="Add the findings of a log; repeatable.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    markdown: Annotated[Path | None, typer.Option("--markdown", metavar="FILE", help="Table and evidence.")] = None,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Table and evidence as a page.")] = None,
    readme: Annotated[
        Path | None, typer.Option("--readme", metavar="FILE", help="Renew the table between its markers.")
    ] = None,
) -> int:
    """Check claims."""
    wanted = _claims(claim or ())
    if readme is not None:
        _renewed(readme, ())  # what is wrong with it is told before anything is measured
    read = [claims_log.read(path) for path in others or ()]
    asked = [resolve(source) for source in (runtime or ())] if runtime or read else _usual()
    ready = [handle for handle in asked if not handle.unavailable]
    told = [_told(finding, as_json) for handle in asked for finding in _examined(handle, wanted, run)]
    findings = claims_log.merged([*read, told])
    if log is not None:
        claims_log.write(log, findings)
    _write(findings, markdown, html, readme)
    _print(findings, as_json)
    if asked and not ready:
        return INFRASTRUCTURE
    return DEVIATIONS if any(finding.verdict == FAILS for finding in findings) else AS_EXPECTED


def _claims(asked: Sequence[str]) -> list[str]:
    """Return the claims to check in the order of the table. Raises BadParameter for one that there is not."""
    for name in asked:
        if name not in CLAIMS:
            raise typer.BadParameter(f"--claim {name}: unknown; allowed: {', '.join(CLAIMS)}")
    return [name for name in CLAIMS if name in asked or not asked]


def _usual() -> list[Handle]:
    """Return every installed runtime that can run here, but the reference: it opens no models."""
    found = [resolve(_BOARDS.get(name, name)) for name in names() if name != "reference"]
    for handle in found:
        if handle.unavailable:
            console().print(f"left out: {handle.unavailable}", markup=False)
    return [handle for handle in found if not handle.unavailable]


def _examined(handle: Handle, wanted: Sequence[str], log: Path | None) -> Iterator[Finding]:
    subject = Subject(handle, lambda: _started(handle), log)
    return (examine(subject, CHECKS[claim], claim) for claim in wanted)


def _started(handle: Handle) -> Executor:
    """Return an executor whose worker runs. Raises Unavailable, and RuntimeFailure where it does not start."""
    executor = connect(handle)
    why = executor.greet() if isinstance(executor, Isolated) else ""
    if why:
        executor.close()
        raise RuntimeFailure(why)
    return executor


def _write(findings: Sequence[Finding], markdown: Path | None, html: Path | None, readme: Path | None) -> None:
    for path, text in ((markdown, report.markdown), (html, report.html)):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text(findings), encoding="utf-8")
    if readme is not None:
        readme.write_text(_renewed(readme, findings), encoding="utf-8")


def _renewed(readme: Path, findings: Sequence[Finding]) -> str:
    try:
        return report.with_block(readme.read_text(encoding="utf-8"), findings)
    except ValueError as error:
        raise typer.BadParameter(f"--readme {readme}: {error}") from error


def _told(finding: Finding, as_json: bool) -> Finding:
    """Print the evidence of a finding as soon as it is there."""
    if not as_json:
        console().print(_evidence(finding), markup=False)
    return finding


def _print(findings: Sequence[Finding], as_json: bool) -> None:
    if as_json:
        print(json.dumps([claims_log.as_line(finding) for finding in findings], indent=1))
        return
    out = console()
    if not out.is_terminal:
        out.width = _WIDTH
    columns, rows = report.runtimes(findings), report.rows(findings)
    count = max(1, (out.width - _MARGINS) // _COLUMN)
    for some in (slice(at, at + count) for at in range(0, len(columns), count)):
        part = [replace(row, cells=row.cells[some]) for row in rows]
        out.print(_table(columns[some], part), soft_wrap=False)
        out.print()
    out.print(f"promised: by {SOURCE}", markup=False)


def _table(columns: Sequence[str], rows: Sequence[report.Row]) -> Table:
    """Return the table of some runtimes."""
    table = Table(box=None)
    for head in ("claim", *columns, f"promised: {' / '.join(SYSTEMS)}"):
        table.add_column(head, overflow="fold")
    for row in rows:
        cells = (cell.text if cell else "" for cell in row.cells)
        table.add_row(report.title(row.claim), *cells, " / ".join(row.promised))
    return table


def _evidence(finding: Finding) -> str:
    """Return the evidence of a finding in a line."""
    one = finding.evidence
    parts = (one.measured, one.source and f"from {one.source}", one.why)
    return (
        f"{finding.runtime} {report.title(one.claim)}: {finding.verdict}: {'; '.join(part for part in parts if part)}"
    )
