"""The command line: one module per subcommand, bad input as one line and exit code 2."""

from __future__ import annotations

import os
import sys

import typer

from opconform.harness.cli.commands import Commands, register
from opconform.harness.cli.common import BAD_INPUT, guard

app = typer.Typer(
    name="opconform",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Conformance tests of neural-network operators, generated from specs, on every runtime.",
)
register(app)


@app.callback()
def _group() -> None:
    """Keep subcommands subcommands, even while there is one."""


def main() -> None:
    """Run the command line; every error that a user can cause is one line."""
    # What other packages plug into hypothesis (trio brings pytest along) has no say in what it draws here.
    os.environ.setdefault("HYPOTHESIS_NO_PLUGINS", "1")
    sys.exit(guard(app))


__all__ = ("BAD_INPUT", "app", "main")
