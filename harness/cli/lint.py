"""`opconform lint` and `opconform schema`: is every spec whole?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from opconform.harness.cli.common import AS_EXPECTED, BAD_INPUT, console, cpus
from opconform.harness.lint import lint_folder
from opconform.harness.runner import load_oracle
from opconform.harness.spec_load import spec_folder
from opconform.harness.spec_schema import schema_text

LINT_HELP = """\
Every row must generate, every invalid clause break something, the reference's shapes equal the shape rules,
limits be computable, integer twins that a tolerance promises exist and keep within it, the editors' schema be fresh.
One line per defect, with file:line and the remedy. Exit code 0: none; 2: some.

Example: opconform lint --op CONV_2D
"""
SCHEMA_HELP = """\
Example: opconform schema --write
"""


def register(app: typer.Typer) -> None:
    """Add the subcommands."""
    app.command("lint", help=LINT_HELP)(lint)
    app.command("schema", help=SCHEMA_HELP)(schema)


def lint(
    op: Annotated[list[str] | None, typer.Option("--op", metavar="NAME", help="Only this op; repeatable.")] = None,
    specs: Annotated[Path | None, typer.Option(metavar="DIR", help="Another folder of op specs.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes to work with.", show_default="CPUs")] = None,
) -> int:
    """Check every spec."""
    folder = specs or spec_folder()
    if not folder.is_dir():
        raise typer.BadParameter(f"--specs {folder}: no such folder")
    chosen = tuple(name.upper() for name in op or ())
    known = sorted(path.stem.upper() for path in folder.glob("*.yaml"))
    if unknown := [name for name in chosen if name not in known]:
        raise typer.BadParameter(f"--op {unknown[0]}: there is no such spec; allowed: {', '.join(known)}")
    defects = lint_folder(folder, load_oracle, chosen, jobs or cpus())
    out = console()
    for defect in defects:
        out.print(defect, markup=False)
    out.print(f"{len(chosen or known)} specs, {len(defects)} defects")
    return BAD_INPUT if defects else AS_EXPECTED


def schema(write: Annotated[bool, typer.Option("--write", help="Write specs/schema.json.")] = False) -> int:
    """Print or write the JSON schema."""
    if write:
        (spec_folder().parent / "schema.json").write_text(schema_text(), encoding="utf-8")
    else:
        print(schema_text(), end="")
    return AS_EXPECTED
