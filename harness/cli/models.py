"""`opconform models`: the zoo, side by side on several runtimes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from opconform.harness.cli.common import AS_EXPECTED, DEVIATIONS, INFRASTRUCTURE, console, wide_console
from opconform.harness.fields import reader
from opconform.harness.isolate import connect
from opconform.harness.models import chosen, load_zoo, zoo_file
from opconform.harness.models_unit import MODEL, Amount, Models
from opconform.harness.rotation import Rotation, asked_for, rotation
from opconform.harness.runner import expectations_of, load_oracle
from opconform.harness.runtime import Unavailable
from opconform.harness.spec_load import load_all
from opconform.harness.unit import Seat
from opconform.reports.lines import ModelLine
from opconform.reports.models import COLUMNS, Row, row

HELP = """\
The float64 reference says what is right: each operator is judged by its own spec on what the runtime fed it with.
Columns: examples whose class is right, is the reference's, is that of the float32 model by the reference; the worst
output compared with the reference's; bytes of arena, stack and flash (without the model), instructions an inference.
Exit code 0: as expected; 1: a model is answered wrongly, or not at all; 2: bad input; 3: a target failed.

Example: opconform models --model 'dense_*' --runtime lite --runtime micro@cortex-m4
"""

DEFAULT = ("lite", "micro@boards", "litert@ref", "tflm")


def register(app: typer.Typer) -> None:
    """Add the subcommand."""
    app.command("models", help=HELP)(command)


def command(
    runtime: Annotated[list[str] | None, typer.Option("--runtime", metavar="NAME[@TARGET]")] = None,
    model: Annotated[list[str] | None, typer.Option("--model", metavar="GLOB", help="Only models that match.")] = None,
    zoo: Annotated[Path | None, typer.Option(metavar="FILE.yaml", help="Another zoo than the project's own.")] = None,
    examples: Annotated[int, typer.Option(min=1, max=100_000, help="Held-out examples on hosts.")] = Amount().host,
    on_boards: Annotated[int, typer.Option(min=1, max=100_000, help="On boards, which are emulated.")] = Amount().board,
    seed: Annotated[int, typer.Option(min=0, help="Which board of micro@boards runs which model.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: the lines of a run log.")] = False,
) -> int:
    """Run the zoo."""
    described = load_zoo(zoo or zoo_file())
    entries = chosen(described, tuple(model or ("*",)))
    models = Models(described, load_all(), load_oracle(), Amount(examples, on_boards))
    seats, turns = _seats(runtime or DEFAULT, seed)
    lines: list[Mapping[str, Any]] = []
    try:
        for entry in entries:
            found = models.unit(entry.name, [s for s in seats if turns.takes(s.label, MODEL, entry.name)])
            lines += found
            if not as_json:
                _print(found)
    finally:
        for seat in seats:
            seat.executor.close()
    if as_json:
        print(json.dumps(lines, indent=1))
    return _exit(lines, bool(seats))


def _seats(names: Sequence[str], seed: int) -> tuple[list[Seat], Rotation]:
    seats = []
    for handle in asked_for(names):
        try:
            seats.append(Seat(handle, connect(handle), expectations_of(handle)))
        except Unavailable as error:
            console().print(f"{handle.label} cannot run here: {error}", markup=False)
    return seats, rotation([seat.handle for seat in seats], "pr", seed)


def _exit(lines: Sequence[Mapping[str, Any]], seated: bool) -> int:
    if not seated or any(line.get("verdict") == "infra" for line in lines):
        return INFRASTRUCTURE
    return DEVIATIONS if any(line.get("expected") is False for line in lines) else AS_EXPECTED


def _print(lines: Sequence[Mapping[str, Any]]) -> None:
    out, graph = wide_console(), lines[-1]
    ops = ", ".join(dict.fromkeys(step["op"] for step in graph["operators"]))
    good = "" if graph["correct"] is None else f"; reference right on {graph['correct']} of {graph['examples']}"
    out.print(f"{graph['model']} ({graph['format']}, {graph['bytes']} bytes): {ops}{good}", markup=False)
    table = Table(*(Column(name, no_wrap=True) for name in ("Runtime", *COLUMNS)), box=None)
    rows: list[Row] = [row(reader(ModelLine)(line)) for line in lines[:-1]]
    for one in rows:
        table.add_row(one.where, one.word, *one.cells)
    out.print(table)
    for one in rows:
        if one.reason:
            out.print(f"{one.where} {one.reason}", markup=False)
