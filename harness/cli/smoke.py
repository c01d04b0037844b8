"""`opconform smoke`: is an adapter sound?"""

from __future__ import annotations

from typing import Annotated

import typer

from opconform.harness.cli.common import AS_EXPECTED, DEVIATIONS, console
from opconform.harness.rotation import asked_for
from opconform.harness.smoke import lines, smoke

HELP = """\
A handful of tiny models with answers known by hand. Make it pass before anything else when you add a runtime.
Exit code 0: every check passed; 1: some failed; 2: bad input.

Example: opconform smoke litert@xnnpack path/to/my_runtime.py:MyRuntime 'exec:./my_worker --fast'
"""


def register(app: typer.Typer) -> None:
    """Add the subcommand."""
    app.command("smoke", help=HELP)(command)


def command(
    runtime: Annotated[list[str], typer.Argument(metavar="RUNTIME...", help="NAME[@TARGET], FILE.py:Class, exec:...")],
) -> int:
    """Test adapters."""
    out, sound = console(), True
    for handle in asked_for(runtime):
        checks = smoke(handle)
        for line in lines(handle, checks):
            out.print(line, markup=False)
        sound &= all(check.passed for check in checks)
    return AS_EXPECTED if sound else DEVIATIONS
