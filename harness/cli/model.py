"""`opconform model`: a whole .tflite file on several runtimes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from opconform.harness import budgets_model
from opconform.harness.cli.common import AS_EXPECTED, DEVIATIONS, INFRASTRUCTURE, console
from opconform.harness.flatread import ModelError, ModelView, random_inputs, read_model
from opconform.harness.isolate import Executor, connect
from opconform.harness.model import Infra, Produced
from opconform.harness.rotation import asked_for
from opconform.harness.runtime import RuntimeFailure, Unavailable
from opconform.harness.wholemodel import (
    Culprit,
    Difference,
    Ran,
    describe,
    difference,
    execute,
    find_culprit,
    load_inputs,
    unknown_ops,
)

HELP = """Run a whole .tflite on several runtimes with the same inputs and compare all outputs.

The first runtime that answers is what the others are compared with. Where one differs, the model is cut after
each operator until the first one that differs is found. Exit code 0: all agree (integers exactly, floats within
1e-4 of the range); 1: they do not, or one does not answer; 2: bad input; 3: a target failed, or none can run here.

Example: opconform model specs/models/digits_int8.tflite --runtime lite --runtime micro@cortex-m4 --runtime litert@ref
"""

DEFAULT = ("lite", "micro@host", "litert@ref", "tflm")


def register(app: typer.Typer) -> None:
    """Add the subcommand."""
    app.command("model", help=HELP)(model)


def model(
    file: Annotated[Path, typer.Argument(metavar="FILE.tflite", help="The model.")],
    runtime: Annotated[list[str] | None, typer.Option("--runtime", metavar="NAME[@TARGET]")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random inputs.")] = 0,
    vectors: Annotated[int, typer.Option(min=1, max=1000, help="How many random input vectors.")] = 4,
    inputs: Annotated[Path | None, typer.Option(metavar="FILE.npz", help="Inputs instead of random ones.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Run a whole model."""
    view = _load(file)
    executors, missing = _connect(runtime or list(DEFAULT))
    try:
        fed = load_inputs(inputs, view) if inputs else random_inputs(view, seed, vectors)
        ran = execute(executors, view.data, fed)
        differences = _compare(ran)
        base = next((r for r in ran if r.outputs is not None), None)
        culprits = {
            label: find_culprit(view, executors[base.label], executors[label], fed)
            for label, gap in differences.items()
            if base is not None and gap.matters
        }
    finally:
        for executor in executors.values():
            executor.close()
    found = [_row(r, differences.get(r.label), culprits.get(r.label), view) for r in ran] + missing
    print(json.dumps(found, indent=2)) if as_json else _print(file, view, found)
    if not ran or any(isinstance(r.outcome, Infra) for r in ran):
        return INFRASTRUCTURE
    wrong = any(r.outputs is None for r in ran) or any(gap.matters for gap in differences.values())
    return DEVIATIONS if wrong else AS_EXPECTED


def _load(file: Path) -> ModelView:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ModelError(f"{file}: cannot be read: {error.strerror}; check the path") from error
    view = read_model(data, str(file))
    if unknown := unknown_ops(view):
        raise ModelError(f"{file}: holds operators without a spec here: {', '.join(unknown)}; see: opconform list ops")
    return view


def _connect(names: Sequence[str]) -> tuple[dict[str, Executor], list[dict[str, Any]]]:
    executors, missing = {}, []
    for handle in asked_for(names):
        try:
            executors[handle.label] = connect(handle)
        except Unavailable as error:
            missing.append({"runtime": handle.label, "outcome": f"cannot run here: {error}"})
    return executors, missing


def _compare(ran: Sequence[Ran]) -> Mapping[str, Difference]:
    answered = [(r.label, r.outputs) for r in ran if r.outputs is not None]
    return {label: difference(answered[0][1], outputs) for label, outputs in answered[1:]} if answered else {}


def _row(ran: Ran, gap: Difference | None, culprit: Culprit | None, view: ModelView) -> dict[str, Any]:
    meters = dict(ran.outcome.meters) if isinstance(ran.outcome, Produced) else {}
    result: dict[str, Any] = {"runtime": ran.label, "outcome": describe(ran.outcome), **meters}
    result["seconds"] = round(ran.seconds, 4)
    if ran.label.startswith("micro@cortex"):
        result |= _flash(view.data, ran.label.partition("@")[2])
    if gap is not None:
        result |= {"worst": gap.worst, "unit": gap.unit, "differing": gap.share, "agrees": not gap.matters}
    if culprit is not None:
        operation = culprit.operation
        where = f"#{operation.index} {operation.op} -> {culprit.tensor.name or operation.outputs[0]}"
        result["first_difference"] = f"{where}: {culprit.difference.worst:.4g} {culprit.difference.unit}"
    return result


def _flash(data: bytes, target: str) -> dict[str, Any]:
    """Return what an image with just this model costs on a board (nothing where it cannot be linked)."""
    try:
        return {"flash": budgets_model.build_image(data, target).flash}
    except RuntimeFailure:
        return {}


def _print(file: Path, view: ModelView, rows: Sequence[Mapping[str, Any]]) -> None:
    out = console()
    ops = sorted({o.op for o in view.operations})
    out.print(f"{file}: {len(view.data)} bytes, {len(view.operations)} operators ({', '.join(ops)})", markup=False)
    headers = ("outcome", "difference", "arena", "instructions", "stack", "flash", "seconds")
    table = Table(Column("runtime", no_wrap=True), *headers, box=None)
    for row in rows:
        gap = "" if "worst" not in row else ("equal" if row["worst"] == 0 else f"{row['worst']:.3g} {row['unit']}")
        cells = [str(row.get(key, "")) for key in ("arena", "instructions", "stack", "flash", "seconds")]
        table.add_row(row["runtime"], "ran" if row["outcome"] == "ran" else "did not run", gap, *cells)
    out.print(table)
    for row in rows:
        if row["outcome"] != "ran":
            out.print(f"{row['runtime']}: {row['outcome']}", markup=False)
        if "first_difference" in row:
            out.print(f"{row['runtime']} differs first at {row['first_difference']}", markup=False)
