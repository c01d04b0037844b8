"""`opconform size`: what kernels cost in flash."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from opconform.harness import budgets
from opconform.harness.cli.common import AS_EXPECTED, DEVIATIONS, console
from opconform.harness.spec import OpSpec
from opconform.harness.spec_load import load_all
from opconform.targets.cortex_m.boards import target_names

HELP = """Measure the flash of micro on a board: interpreter core, libraries and every op, in bytes.

own: needed by no other op. shared: also by others. alone: what an image with only this op pays beside the core.
With a MODEL the image that holds just this model and its kernels is measured instead.
Every figure that differs from the committed baseline is listed; --update commits the new ones.
Exit code 0: within the budgets of the specs; 1: over budget; 2: bad input or no toolchain.

Example: opconform size --target cortex-m3
"""


def register(app: typer.Typer) -> None:
    """Add the subcommand."""
    app.command("size", help=HELP)(command)


def command(
    model: Annotated[
        Path | None, typer.Argument(metavar="[MODEL.tflite]", help="Measure the image of a model.")
    ] = None,
    target: Annotated[str, typer.Option("--target", metavar="T", help="The board.")] = "cortex-m4",
    as_json: Annotated[bool, typer.Option("--json", help="Print an object with core, lib and ops.")] = False,
    update: Annotated[bool, typer.Option("--update", help="Make the figures the new baseline.")] = False,
) -> int:
    """Measure flash."""
    if target not in target_names():
        raise typer.BadParameter(f"--target {target}: unknown board; allowed: {', '.join(target_names())}")
    if model is not None:
        return _of_model(model, target, as_json, update)
    table, baseline = budgets.measure_flash(target), budgets.read_baseline()
    old = dict(_of(baseline, target))
    changes = budgets.compare(budgets.as_json(table), _of(old, "flash"))
    over = over_budget(table, load_all())
    if as_json:
        print(json.dumps(budgets.as_json(table), indent=1))
    else:
        _print((*_table(table), *_changed(changes), *over))
    if update:
        budgets.write_baseline({**baseline, target: {**old, "flash": budgets.as_json(table)}})
    return DEVIATIONS if over else AS_EXPECTED


def _of(tree: Mapping[str, object], key: str) -> Mapping[str, object]:
    found = tree.get(key)
    return found if isinstance(found, Mapping) else {}


def _print(lines: tuple[str, ...]) -> None:
    out = console()
    for line in lines:
        out.print(line, markup=False)


def _table(table: budgets.FlashTable) -> Iterator[str]:
    yield f"{table.target:24} {'own':>8} {'shared':>8} {'alone':>8}"
    for op, flash in sorted(table.ops.items()):
        yield f"{op:24} {flash.own:8} {flash.shared:8} {flash.alone:8}"
    yield f"{'core':24} {table.core:8}    the interpreter without kernels"
    yield f"{'lib':24} {table.lib:8}    libm, libc, libgcc"
    yield f"{'platform':24} {table.platform:8}    start-up, transport, worker"
    yield f"{'total':24} {table.total:8}    {table.ram} bytes of RAM beside stacks and arena"


def _changed(changes: list[budgets.Difference]) -> Iterator[str]:
    if not changes:
        yield "equal to the baseline"
        return
    yield f"{len(changes)} figures differ from the baseline (opconform size --update makes them the new one):"
    yield from (f"  {change}" for change in changes)


def over_budget(table: budgets.FlashTable, specs: Mapping[str, OpSpec]) -> list[str]:
    """Return a line for each op whose own flash is above the budget of its spec."""
    lines = []
    for op, spec in specs.items():
        budget = spec.budgets.get(table.target, {})
        if op in table.ops and "own" in budget:
            found = budgets.exceeded({"own": budget["own"]}, {"own": table.ops[op].own})
            lines += [f"over budget: {op} on {table.target}: {text} by {spec.file}" for text in found]
    return lines


def _of_model(model: Path, target: str, as_json: bool, update: bool) -> int:
    if update:
        raise typer.BadParameter("--update keeps figures of all kernels; leave out MODEL")
    size = budgets.build_image(model.read_bytes(), target)
    figures: dict[str, Any] = asdict(size)
    if as_json:
        print(json.dumps({**figures, "ops": sorted({budgets.op_of(stem) for stem in size.kernels})}, indent=1))
        return AS_EXPECTED
    lines = [f"{model} on {target}: kernels {', '.join(size.kernels)}"]
    lines += [
        f"{name:14} {figures[name]:8}" for name in ("flash", "core", "kernel_bytes", "lib", "platform", "model", "ram")
    ]
    _print(tuple(lines))
    return AS_EXPECTED
