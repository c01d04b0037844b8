"""`opconform model`: a whole .tflite file on several runtimes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from opconform.harness import budgets_model
from opconform.harness.cli.common import AS_EXPECTED, DEVIATIONS, INFRASTRUCTURE, wide_console
from opconform.harness.flatread import ModelError, ModelView, random_inputs, read_model
from opconform.harness.isolate import connect
from opconform.harness.model import Infra, Produced
from opconform.harness.models_graph import Values, run_whole, steps_of
from opconform.harness.models_run import Subject, judge_operators
from opconform.harness.rotation import asked_for
from opconform.harness.runner import expectations_of, load_oracle
from opconform.harness.runtime import RuntimeFailure, Unavailable
from opconform.harness.spec_load import load_all
from opconform.harness.unit import Oracle, Seat
from opconform.harness.wholemodel import (
    Culprit,
    Difference,
    Ran,
    Vectors,
    describe,
    difference,
    execute,
    find_culprit,
    load_inputs,
    miscounted,
    unknown_ops,
)

HELP = """\
The float64 reference says what is right: each operator is judged by its own spec on what the runtime fed it with.
Where the reference cannot run the model, the first runtime that answers is what the others are compared with
(integers exactly, floats within 1e-4 of the range), and the first operator that differs is found by halving.
Exit code 0: all are right, or agree; 1: one is not, or does not answer; 2: bad input; 3: a target failed.

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
    seats, missing = _connect(runtime or list(DEFAULT))
    try:
        fed = load_inputs(inputs, view) if inputs else random_inputs(view, seed, vectors)
        ran = execute({label: seat.executor for label, seat in seats.items()}, view, fed)
        oracle = load_oracle()
        steps = steps_of(view, load_all())
        # Where nobody answers there is nothing to judge, and a damaged file may cost the reference minutes.
        answered = any(r.outputs is not None for r in ran)
        right = run_whole(view, steps, oracle, fed) if answered else ""
        subject = Subject(file.name, view, steps, tuple(fed), None, right)
        if isinstance(subject.right, str):
            found = _compared(ran, view, seats, fed)
        else:
            found = [_judged(r, subject, seats[r.label], oracle) for r in ran]
    finally:
        for seat in seats.values():
            seat.executor.close()
    rows = [_row(r, view) | more for r, more in zip(ran, found, strict=True)] + missing
    print(json.dumps(rows, indent=2)) if as_json else _print(file, view, rows, subject.right)
    if not ran or any(isinstance(r.outcome, Infra) for r in ran):
        return INFRASTRUCTURE
    wrong = any(r.outputs is None for r in ran) or any(not told.get("agrees", True) for told in found)
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


def _connect(names: Sequence[str]) -> tuple[dict[str, Seat], list[dict[str, Any]]]:
    seats, missing = {}, []
    for handle in asked_for(names):
        try:
            seats[handle.label] = Seat(handle, connect(handle), expectations_of(handle))
        except Unavailable as error:
            missing.append({"runtime": handle.label, "outcome": f"cannot run here: {error}"})
    return seats, missing


def _judged(ran: Ran, subject: Subject, seat: Seat, oracle: Oracle) -> dict[str, Any]:
    """Return how far a runtime is from the reference, and the first operator that its spec calls wrong."""
    right = subject.outputs(len(subject.vectors))
    if ran.outputs is None or right is None:
        return {}
    gap = difference(right, ran.outputs)
    verdict, step, known = judge_operators(subject, seat, oracle, ran.outputs)
    told = _told(gap, verdict.kind == "pass" or known is not None)
    if step and known:
        return told | {"note": f"deviates as known at {step.label}: {verdict.message}; {known.because}"}
    if step:
        return told | {"first_difference": f"{step.label}: {verdict.message}"}
    return told | ({"note" if verdict.kind == "pass" else "wrong": verdict.message} if verdict.message else {})


def _told(gap: Difference, agrees: bool) -> dict[str, Any]:
    return {"worst": gap.worst, "unit": gap.unit, "differing": gap.share, "agrees": agrees}


def _compared(ran: Sequence[Ran], view: ModelView, seats: Mapping[str, Seat], fed: Vectors) -> list[dict[str, Any]]:
    """Compare every runtime with the first that answers; find the first operator that differs."""
    counted = {r.label: miscounted(r.outputs or (), len(view.outputs)) for r in ran}
    base = next((r for r in ran if r.outputs is not None and not counted[r.label]), None)
    found = []
    for r in ran:
        if counted[r.label]:
            found.append({"agrees": False, "wrong": counted[r.label]})
            continue
        if base is None or r.outputs is None or base.outputs is None or r is base:
            found.append(dict[str, Any]())
            continue
        gap = difference(base.outputs, r.outputs)
        told = _told(gap, not gap.matters)
        culprit = find_culprit(view, seats[base.label].executor, seats[r.label].executor, fed) if gap.matters else None
        found.append(told | ({"first_difference": _where(culprit)} if culprit else {}))
    return found


def _where(culprit: Culprit) -> str:
    operation = culprit.operation
    where = f"#{operation.index} {operation.op} -> {culprit.tensor.name or operation.outputs[0]}"
    return f"{where}: {culprit.difference.worst:.4g} {culprit.difference.unit}"


def _row(ran: Ran, view: ModelView) -> dict[str, Any]:
    meters = dict(ran.outcome.meters) if isinstance(ran.outcome, Produced) else {}
    result: dict[str, Any] = {"runtime": ran.label, "outcome": describe(ran.outcome), **meters}
    result["seconds"] = round(ran.seconds, 4)
    return result | (_flash(view.data, ran.label.partition("@")[2]) if ran.label.startswith("micro@cortex") else {})


def _flash(data: bytes, target: str) -> dict[str, Any]:
    """Return what an image with just this model costs on a board (nothing where it cannot be linked)."""
    try:
        return {"flash": budgets_model.build_image(data, target).flash}
    except RuntimeFailure:
        return {}


def _gap(row: Mapping[str, Any]) -> str:
    if "worst" not in row:
        return ""
    if row["unit"] == "shape":
        return "another shape"
    return "equal" if row["worst"] == 0 else f"{row['worst']:.3g} {row['unit']}"


def _print(file: Path, view: ModelView, rows: Sequence[Mapping[str, Any]], right: Values | str) -> None:
    out = wide_console()
    ops = sorted({o.op for o in view.operations})
    out.print(f"{file}: {len(view.data)} bytes, {len(view.operations)} operators ({', '.join(ops)})", markup=False)
    if isinstance(right, str) and right:
        out.print(f"compared with the first runtime, as the reference cannot run it: {right}", markup=False)
    headers = ("outcome", "difference", "arena", "instructions", "stack", "flash", "seconds")
    table = Table(*(Column(name, no_wrap=True) for name in ("runtime", *headers)), box=None)
    for row in rows:
        cells = [str(row.get(key, "")) for key in ("arena", "instructions", "stack", "flash", "seconds")]
        table.add_row(row["runtime"], "ran" if row["outcome"] == "ran" else "did not run", _gap(row), *cells)
    out.print(table)
    for row in rows:
        if row["outcome"] != "ran":
            out.print(f"{row['runtime']}: {row['outcome']}", markup=False)
        if "first_difference" in row:
            out.print(f"{row['runtime']} is wrong first at {row['first_difference']}", markup=False)
        if "wrong" in row:
            out.print(f"{row['runtime']} is wrong: {row['wrong']}", markup=False)
        if "note" in row:
            out.print(f"{row['runtime']} {row['note']}", markup=False)
