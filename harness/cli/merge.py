"""`opconform merge`: the logs of a run in parts, as one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from opconform.harness.cli.common import console
from opconform.harness.cli.run import View
from opconform.harness.runner import merge

HELP = """\
It is the log that one machine would have written, apart from times: reports, diff and expect take it as such.
Exit code as of the whole run; 2 where a part is missing, incomplete or of another run.

Example: opconform merge out/part-*.jsonl --log out/run.jsonl
"""


def register(app: typer.Typer) -> None:
    """Add the subcommand."""
    app.command("merge", help=HELP)(command)


def command(
    logs: Annotated[list[Path], typer.Argument(metavar="LOG...", help="The logs of all parts, in any order.")],
    log: Annotated[Path, typer.Option("--log", metavar="FILE", help="Write the merged log here.")],
) -> int:
    """Merge the logs of all parts."""
    view = View(console(), 0)
    try:
        result = merge(logs, log, view.line)
    finally:
        view.close()
    view.summary(result.footer, log, timed=False)
    return result.exit
