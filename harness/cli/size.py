"""`opconform size`: what ops cost on boards."""

from __future__ import annotations

import json
import multiprocessing
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any

import typer

from opconform.harness import budgets, budgets_model, costs, costs_update
from opconform.harness.budgets_model import ModelCost
from opconform.harness.cli.common import AS_EXPECTED, DEVIATIONS, INFRASTRUCTURE, console
from opconform.harness.costs import Cost
from opconform.harness.registry import resolve
from opconform.harness.runner import load_oracle
from opconform.harness.spec import OpSpec
from opconform.harness.spec_load import load_all, spec_folder
from opconform.targets.boards import target_names

HELP = """\
own: flash that no other op needs. shared: also used by others. alone: what an image with only this op pays beside
the core. stack, arena (bytes) and instructions are those of each op's canonical case (see docs/budgets.md).
With a MODEL instead: flash, RAM, arena, stack and instructions of the image that holds it and only its kernels,
predicted from the image of all kernels. --link also links and runs that image and prints how far off each figure is.
Every figure that differs from the committed baseline is listed. --update makes the figures the new baseline and
renews the budgets of the specs: measured and a tenth more; every budget that rises is named.
The image of all kernels is also searched for anything of an operating system: heap, stdio, undeclared variables.
Exit code 0: within the budgets; 1: over budget, or the model does not fit the board; 2: bad input or no toolchain;
3: a board failed.

Example: opconform size --target cortex-m3 --target cortex-m55 --op 'CONV_*'
"""

_COLUMNS = ("own", "shared", "alone", *costs.METERS)


@dataclass(frozen=True, slots=True)
class Measured:
    """One board: its flash and the costs of the ops that were asked for."""

    target: str
    table: budgets.FlashTable
    costs: tuple[Cost, ...]

    @property
    def ops(self) -> frozenset[str]:
        """Return the ops that were measured."""
        return frozenset(cost.op for cost in self.costs)


@dataclass(frozen=True, slots=True)
class ModelOnBoard:
    """A model on one board: what its image is predicted to cost, and what the linked one costs, if asked for."""

    target: str
    predicted: ModelCost
    linked: ModelCost | None

    def document(self) -> dict[str, Any]:
        """Return the figures as an object; those of the linked image and the errors in per cent stand below it."""
        kernels = self.predicted.size.kernels
        ops = sorted({budgets.op_of(stem) for stem in kernels})
        found = {**self.predicted.figures, "target": self.target, "kernels": list(kernels), "ops": ops}
        return found if self.linked is None else {**found, "linked": self.linked.figures, "error": self._errors()}

    def table(self, model: Path) -> Iterator[str]:
        """Yield a line a figure."""
        yield f"{model} on {self.target}: kernels {', '.join(self.predicted.size.kernels)}"
        linked, off = self.linked.figures if self.linked else {}, self._errors()
        yield f"{'':14}{'predicted':>12}" + (f"{'linked':>12}{'error':>9}" if linked else "")
        for name, value in self.predicted.figures.items():
            error = f"{off[name]:8.1f}%" if name in off else ""
            yield f"{name:14}{value:12}" + (f"{linked[name]:12}{error}" if linked else "")

    def problems(self) -> list[str]:
        """Return a line for each memory that is too small and for each prediction that is too far off."""
        far = {name: error for name, error in self._errors().items() if abs(error) > budgets_model.TOLERANCE}
        lines = [f"{self.target}: {name} is predicted {off:+.1f} % off the linked image" for name, off in far.items()]
        return [*budgets_model.lacking(self.linked or self.predicted, self.target), *lines]

    def _errors(self) -> dict[str, float]:
        return budgets_model.errors(self.predicted, self.linked) if self.linked else {}


def register(app: typer.Typer) -> None:
    """Add the subcommand."""
    app.command("size", help=HELP)(command)


def command(
    model: Annotated[
        Path | None, typer.Argument(metavar="[MODEL.tflite]", help="Predict the image of a model.")
    ] = None,
    target: Annotated[
        list[str] | None, typer.Option("--target", metavar="GLOB", help="Boards; repeatable. Without: cortex-m4.")
    ] = None,
    op: Annotated[
        list[str] | None, typer.Option("--op", metavar="GLOB", help="Only ops that match; repeatable.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print an object with core, lib and ops.")] = False,
    update: Annotated[bool, typer.Option("--update", help="Renew the baseline and the budgets.")] = False,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Boards measured at the same time.")] = 1,
    link: Annotated[bool, typer.Option("--link", help="Link and run the image of MODEL too, and compare.")] = False,
) -> int:
    """Measure ops, or the image of a model."""
    boards = _boards(target or ["cortex-m4"])
    if model is not None:
        if update or op:
            raise typer.BadParameter("--update and --op speak of all kernels; leave out MODEL")
        return _of_model(model, boards, as_json, link)
    if link:
        raise typer.BadParameter("--link is for the image of a model; give MODEL")
    specs = _specs(op or ["*"])
    found = _together(boards, specs, jobs)
    baseline = budgets.read_baseline()
    over = [text for one in found for text in problems(one, specs)]
    if as_json:
        objects = {one.target: document(one) for one in found}
        print(json.dumps(objects if len(found) > 1 else objects[boards[0]], indent=1))
    else:
        for one in found:
            _print((*_table(one), *_changed(one, baseline)))
    broken = [cost for one in found for cost in one.costs if cost.message]
    if update and not broken:
        _print(list(renew(found, specs, baseline)), as_json)
        return AS_EXPECTED
    _print(over, as_json)
    return INFRASTRUCTURE if any(cost.verdict == "infra" for cost in broken) else DEVIATIONS if over else AS_EXPECTED


def _boards(globs: Sequence[str]) -> list[str]:
    names = target_names()
    for glob in globs:
        if not any(fnmatchcase(name, glob) for name in names):
            raise typer.BadParameter(f"--target {glob}: matches no board; allowed: {', '.join(names)}")
    return [name for name in names if any(fnmatchcase(name, glob) for glob in globs)]


def _specs(globs: Sequence[str]) -> Mapping[str, OpSpec]:
    specs = load_all()
    for glob in globs:
        if not any(fnmatchcase(op, glob.upper()) for op in specs):
            raise typer.BadParameter(f"--op {glob}: matches no op; ops: {', '.join(specs)}")
    return {op: spec for op, spec in specs.items() if any(fnmatchcase(op, glob.upper()) for glob in globs)}


def measured(target: str, specs: Sequence[OpSpec], kernels: Mapping[str, Any]) -> Measured:
    """Measure ops on a board. Raises Unavailable and BuildFailed where its image cannot be built."""
    table = budgets.measure_flash(target)
    handle = resolve(f"{costs.MICRO}@{target}")
    return Measured(target, table, tuple(costs.measure(specs, handle, kernels, lambda _: table)))


def _together(boards: Sequence[str], specs: Mapping[str, OpSpec], jobs: int) -> list[Measured]:
    """Measure boards in up to `jobs` processes; the order is that of the boards."""
    count = min(jobs, len(boards))
    if count <= 1:
        kernels = load_oracle().kernels
        return [measured(board, list(specs.values()), kernels) for board in boards]
    parts = [boards[number::count] for number in range(count)]
    with ProcessPoolExecutor(count, multiprocessing.get_context("spawn")) as pool:
        found = [one for part in pool.map(_apart, parts, [list(specs)] * count) for one in part]
    return sorted(found, key=lambda one: boards.index(one.target))


def _apart(boards: Sequence[str], ops: Sequence[str]) -> list[Measured]:
    """Measure boards in a process of its own, which reads the specs again."""
    specs, kernels = load_all(), load_oracle().kernels
    return [measured(board, [specs[op] for op in ops], kernels) for board in boards]


def problems(one: Measured, specs: Mapping[str, OpSpec]) -> list[str]:
    """Return a line for each figure above its budget, each op whose canonical case did not run, and what no image on
    bare metal may hold."""
    over = [text for cost in one.costs for text in (cost.message, *costs.over_budget(cost, specs[cost.op])) if text]
    return [*over, *(f"{one.target}: {text}" for text in one.table.foreign)]


def document(one: Measured) -> dict[str, Any]:
    """Return core, lib, platform, total and ram of a board in bytes, and its ops with all their figures."""
    table = budgets.as_json(one.table)
    return {
        **{name: table[name] for name in ("core", "lib", "platform", "total", "ram")},
        "ops": {cost.op: asdict(cost.figures) for cost in one.costs},
    }


def tree(one: Measured) -> dict[str, Any]:
    """Return the figures of a board as the baseline keeps them."""
    known = {cost.op: cost.figures.known() for cost in one.costs}
    meters = {op: {name: found[name] for name in costs.METERS if name in found} for op, found in known.items()}
    return {"flash": budgets.as_json(one.table), "meters": meters}


def _print(lines: Iterable[str], aside: bool = False) -> None:
    """Print lines; `aside` of a JSON document, on standard error."""
    out = console()
    for line in lines:
        print(line, file=sys.stderr) if aside else out.print(line, markup=False)


def _table(one: Measured) -> Iterator[str]:
    yield f"{one.target:20}" + "".join(f"{name:>{9 if name != 'instructions' else 14}}" for name in _COLUMNS)
    for cost in one.costs:
        figures = asdict(cost.figures)
        cells = (f"{'-' if figures[n] is None else figures[n]:>{9 if n != 'instructions' else 14}}" for n in _COLUMNS)
        yield f"{cost.op:20}" + "".join(cells)
    table = one.table
    yield f"{'core':20}{table.core:9}  the interpreter without kernels"
    yield f"{'lib':20}{table.lib:9}  libm, libc, libgcc"
    yield f"{'platform':20}{table.platform:9}  start-up, transport, worker"
    yield f"{'total':20}{table.total:9}  {table.ram} bytes of RAM beside stacks and arena"


def changes(one: Measured, baseline: Mapping[str, Any]) -> list[budgets.Difference]:
    """Return what differs from the baseline, but for kernels one by one: their ops tell it, and ops not measured."""
    old = baseline.get(one.target, {})
    flash = dict(old.get("flash", {}))
    flash["ops"] = {op: figures for op, figures in flash.get("ops", {}).items() if op in one.ops}
    meters = {op: figures for op, figures in old.get("meters", {}).items() if op in one.ops}
    new = tree(one)
    new["flash"]["ops"] = {op: figures for op, figures in new["flash"]["ops"].items() if op in one.ops}
    found = budgets.compare(new, {"flash": flash, "meters": meters})
    return [change for change in found if not change.name.startswith("flash/kernels/")]


def _changed(one: Measured, baseline: Mapping[str, Any]) -> Iterator[str]:
    found = changes(one, baseline)
    if not found:
        yield "equal to the baseline"
        return
    yield f"{len(found)} figures differ from the baseline (opconform size --update makes them the new one):"
    yield from (f"  {change}" for change in found)


def renew(found: Sequence[Measured], specs: Mapping[str, OpSpec], baseline: Mapping[str, Any]) -> Iterator[str]:
    """Write baseline and budgets; yield what rose, and how many files changed."""
    written = dict(baseline)
    for one in found:
        new = tree(one)
        written[one.target] = {**new, "meters": {**written.get(one.target, {}).get("meters", {}), **new["meters"]}}
    budgets.write_baseline(written)
    count = 0
    for op, spec in specs.items():
        limits = costs_update.renewed(spec.budgets, [cost for one in found for cost in one.costs if cost.op == op])
        yield from costs_update.raised(op, spec.budgets, limits)
        count += bool(limits) and costs_update.write_budgets(spec, limits, spec_folder())
    yield f"baseline written; budgets of {count} specs changed"


def _of_model(model: Path, boards: Sequence[str], as_json: bool, link: bool) -> int:
    data = model.read_bytes()
    found = [_model_cost(data, board, link) for board in boards]
    if as_json:
        objects = {one.target: one.document() for one in found}
        print(json.dumps(objects if len(boards) > 1 else objects[boards[0]], indent=1))
    else:
        for one in found:
            _print(one.table(model))
    wrong = [text for one in found for text in one.problems()]
    _print(wrong, as_json)
    return DEVIATIONS if wrong else AS_EXPECTED


def _model_cost(model: bytes, target: str, link: bool) -> ModelOnBoard:
    predicted = budgets_model.predict(model, target)
    return ModelOnBoard(target, predicted, budgets_model.measure(model, target) if link else None)
