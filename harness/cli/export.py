"""`opconform export`: test vectors as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from opconform.harness.cli.common import AS_EXPECTED, DEVIATIONS, console
from opconform.harness.cli.run import checked_tier
from opconform.harness.vectors import Export, drift, write

HELP = """\
DIR gets a manifest with the hash of every file, its JSON schema, and a folder per case with model.tflite, .npy files
and a C header. The same specs, tier and seed give the same bytes. --check writes nothing: it regenerates and lists
every file that would differ (exit code 1).

Example: opconform export --op 'CONV_*' --row int8 --cases 20 out/vectors
"""


def register(app: typer.Typer) -> None:
    """Add the subcommand."""
    app.command("export", help=HELP)(command)


def command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Empty, or written by an earlier export.")],
    op: Annotated[
        list[str] | None, typer.Option("--op", metavar="GLOB", help="Only ops that match; repeatable.")
    ] = None,
    row: Annotated[
        list[str] | None, typer.Option("--row", metavar="GLOB", help="Only rows that match; repeatable.")
    ] = None,
    tier: Annotated[str, typer.Option(help="How much: smoke, pr or nightly.")] = "smoke",
    seed: Annotated[int, typer.Option(min=0, help="Seed of all draws.")] = 0,
    cases: Annotated[int, typer.Option(min=0, help="At most so many cases of each row; 0: all.")] = 0,
    check: Annotated[bool, typer.Option("--check", help="Only list what differs from DIR.")] = False,
) -> int:
    """Write or check vectors."""
    export = Export(tuple(op or ("*",)), tuple(row or ("*",)), checked_tier(tier), seed, cases)
    out = console()
    if check:
        lines = list(drift(export, folder))
        for line in lines:
            out.print(line, markup=False)
        out.print(f"{len(lines)} files differ" if lines else f"{folder}: as generated", markup=False)
        return DEVIATIONS if lines else AS_EXPECTED
    manifest = write(export, folder)
    for left in manifest["left_out"]:
        out.print(f"{left['row']} is left out: {left['why']}", markup=False)
    files = sum(len(case["files"]) for case in manifest["cases"])
    out.print(f"{len(manifest['cases'])} cases, {files} files in {folder}", markup=False)
    return AS_EXPECTED
