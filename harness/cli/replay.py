"""`opconform replay`: one case again, in full."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from opconform.harness.cli.common import AS_EXPECTED, DEVIATIONS, INFRASTRUCTURE, console
from opconform.harness.replay import describe, replay, save
from opconform.harness.rotation import asked_for
from opconform.harness.spec_load import load_all

HELP = """\
The id carries every decision that made the case, so it is the same on every machine, as long as the op's spec
does not change. Laws are tried too. For quantized rows the share of elements that each rounding family reproduces
is printed. --save writes the one-op model, its inputs and the whole story for a bug report.

Exit code 0: pass, or a deviation that is known; 1: a new deviation; 2: bad input; 3: a target
failed.

Example: opconform replay CONV_2D/int8/7f3k2q --runtime lite --runtime tflm --save out/case
"""


def register(app: typer.Typer) -> None:
    """Add the subcommand."""
    app.command("replay", help=HELP)(command)


def command(
    case_id: Annotated[str, typer.Argument(metavar="CASE_ID", help="OP/row/token, from a log or a report.")],
    runtime: Annotated[
        list[str], typer.Option("--runtime", metavar="NAME[@TARGET]", help="Where to run it; repeatable.")
    ],
    save_to: Annotated[
        Path | None, typer.Option("--save", metavar="DIR", help="Write model.tflite, inputs.npz and case.json here.")
    ] = None,
) -> int:
    """Run one case again."""
    found = replay(case_id, asked_for(runtime), load_all())
    out = console()
    for line in describe(found):
        out.print(line, markup=False)
    if save_to is not None:
        for path in save(found, save_to):
            out.print(f"wrote {path}", markup=False)
    if any(answer.verdict.kind == "infra" and not answer.expected for answer in found.answers):
        return INFRASTRUCTURE
    return AS_EXPECTED if all(answer.expected for answer in found.answers) else DEVIATIONS
