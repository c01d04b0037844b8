"""`opconform verify`: judge what a device answered to exported vectors."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from opconform.harness.cli.common import AS_EXPECTED, DEVIATIONS, console
from opconform.harness.numerics import FAMILIES
from opconform.harness.vectors_verify import verify

HELP = """\
OUTPUTS holds a folder per case, named as in DIR, with NAME.VECTOR.npy or .bin (raw, little-endian) for each output,
or refused.txt where the device refused the model. The files of DIR are checked by their hashes first.
Exit code 0: all right; 1: wrong, missing or drifted; 2: bad input.

Example: opconform verify out/vectors out/device --family double_rounding
"""


def register(app: typer.Typer) -> None:
    """Add the subcommand."""
    app.command("verify", help=HELP)(command)


def command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Vectors.")],
    outputs: Annotated[Path, typer.Argument(metavar="OUTPUTS", help="What the device answered.")],
    family: Annotated[
        str, typer.Option(metavar="NAME", help="Hold quantized rows bit for bit to this rounding family.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print a list of objects.")] = False,
) -> int:
    """Judge a device's outputs."""
    if family and family not in FAMILIES:
        raise typer.BadParameter(f"--family {family}: unknown; allowed: {', '.join(FAMILIES)}")
    found = list(verify(folder, outputs, family))
    out = console()
    if as_json:
        out.print(json.dumps([asdict(judged) for judged in found]), markup=False)
    else:
        for judged in found:
            if not judged.good:
                out.print(f"{judged.case}: {judged.verdict}: {judged.message}", markup=False)
        counts = Counter(judged.verdict for judged in found)
        out.print(", ".join(f"{verdict} {n}" for verdict, n in sorted(counts.items())) or "no cases", markup=False)
    return AS_EXPECTED if found and all(judged.good for judged in found) else DEVIATIONS
