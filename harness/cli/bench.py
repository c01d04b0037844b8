"""`opconform bench`: the figures of the documentation, measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from opconform.harness import bench
from opconform.harness.cli.common import AS_EXPECTED, console

HELP = """\
overhead: opening a one-op model and running one case. size: flash and RAM of micro. models: the models of
specs/models. boards: flash, arena, stack and instructions of models on every board (--model: of these). layers and
networks: how many times faster lite is than LiteRT with XNNPACK, one thread each, on single layers and on whole models
(--model: on these). memory: machine code and memory of lite. speed: the smoke tier with one
process and with two (the longest part). shards: what a run in parts costs more than one run. ray: what a second worker
of a Ray cluster brings. Without a PART all are measured.
Times are medians over --repeats runs; compare figures of one machine and one run only. --quick takes few ops, one
board, few repeats, and is good for trying the command, not for quoting.

Example: opconform bench overhead size --quick --json out/bench.json
"""


def register(app: typer.Typer) -> None:
    """Add the subcommand."""
    app.command("bench", help=HELP)(command)


def command(
    part: Annotated[list[str] | None, typer.Argument(metavar="[PART]...", help=" ".join(bench.PARTS))] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Few ops, one board, one repeat.")] = False,
    model: Annotated[
        list[Path] | None,
        typer.Option("--model", metavar="FILE", help="A .tflite file for `networks` and `boards`; repeatable."),
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, max=99, help="Runs that a median of `speed` is taken over.")] = 3,
    json_to: Annotated[Path, typer.Option("--json", metavar="FILE", help="Where figures and machine go.")] = Path(
        "out/bench.json"
    ),
) -> int:
    """Measure figures."""
    chosen = part or list(bench.PARTS)
    for name in chosen:
        if name not in bench.PARTS:
            raise typer.BadParameter(f"PART {name}: unknown; allowed: {', '.join(bench.PARTS)}")
    plan, out = bench.Plan(1 if quick else repeats, quick, tuple(model or ())), console()
    json_to.parent.mkdir(parents=True, exist_ok=True)
    described = bench.machine()
    out.print(
        f"{described['cpus']} x {described['processor']}, load {described['load']}, {described['platform']}",
        markup=False,
    )
    figures: list[bench.Figure] = []
    for name in chosen:
        out.print(f"{name}:", markup=False)
        for figure in bench.PARTS[name](plan):
            out.print(shown(figure), markup=False)
            figures.append(figure)
        json_to.write_text(json.dumps(bench.as_json(described, plan, figures), indent=1) + "\n", encoding="utf-8")
    out.print(f"wrote {json_to}", markup=False)
    return AS_EXPECTED


def shown(figure: bench.Figure) -> str:
    """Return one line of the table."""
    value = figure.value
    number = "-" if value is None else f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"
    return f"  {figure.name:58} {number:>12} {figure.unit:12} {figure.note}".rstrip()
