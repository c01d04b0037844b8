"""What ops cost on boards: the case they are measured with, the figures, and what the specs allow them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, fields, replace
from typing import Any

from opconform.harness import budgets
from opconform.harness.compare import Judge, judge
from opconform.harness.encode import encode_case
from opconform.harness.generate.build import build
from opconform.harness.generate.cases import Built, Kernel, Request
from opconform.harness.generate.source import Discard, seeded
from opconform.harness.isolate import Executor, connect
from opconform.harness.model import Outcome, Produced
from opconform.harness.registry import Handle, claims_row
from opconform.harness.runtime import Manifest, Unavailable
from opconform.harness.spec import OpSpec
from opconform.targets.boards import Target, load_target, target_names
from opconform.targets.cache import BuildFailed

Line = Mapping[str, Any]
#: Figures of the canonical case, by the names of the wire's meters.
METERS = ("stack", "scratch", "arena", "instructions")

Flash = Callable[[Target], budgets.FlashTable]

#: Draws of the canonical case: scales, zero points and values. Another seed would be another case with other costs.
SEED = 2024
ATTEMPTS = 40
PREFERRED_ROW = "int8"
MICRO = "micro"


class CanonicalError(Exception):
    """The canonical line of a spec gives no legal case; the message is one line with file and clause."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What one op costs on one board: bytes, and a count of instructions; None is not measured.

    own, shared and alone are flash (harness/budgets.py), the others come from the meters of the canonical case; scratch
    is a part of arena.
    """

    own: int | None = None
    shared: int | None = None
    alone: int | None = None
    stack: int | None = None
    scratch: int | None = None
    arena: int | None = None
    instructions: int | None = None

    def known(self) -> dict[str, int]:
        """Return the figures that were measured."""
        pairs = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value for name, value in pairs if value is not None}


@dataclass(frozen=True, slots=True)
class Cost:
    """The figures of one op on one board; `verdict` and `message` say why some are missing."""

    op: str
    target: str
    figures: Figures
    verdict: str = "pass"
    message: str = ""


def canonical_row(spec: OpSpec, manifest: Manifest) -> str:
    """Return the row that costs are measured on: int8 where it is claimed, else the first claimed one, or ""."""
    rows = [row for row in spec.rows if claims_row(manifest, spec.op, row)]
    return PREFERRED_ROW if PREFERRED_ROW in rows else next(iter(rows), "")


def canonical_case(spec: OpSpec, kernels: Mapping[str, Kernel], row: str) -> Built:
    """Build the case that the costs of an op are measured with: one vector, always the same.

    Raises CanonicalError where the spec's canonical line breaks a clause.
    """
    label, request = "", Request(vectors=1, canonical=True)
    for attempt in range(ATTEMPTS):
        try:
            built = build(spec, row, seeded([SEED, attempt]), kernels[spec.op], request)
        except Discard as discard:
            label = discard.label
            continue
        return replace(built, case=replace(built.case, id=f"{spec.op}/{row}/canonical"))
    raise CanonicalError(f"{spec.file}: canonical gives no legal case of row {row} (clause {label}); change its values")


def boards_of(handles: Sequence[Handle]) -> list[Handle]:
    """Return the runtimes whose kernels are measured: micro on a board."""
    return [handle for handle in handles if handle.name == MICRO and handle.at in target_names()]


def measure(
    specs: Sequence[OpSpec],
    handle: Handle,
    kernels: Mapping[str, Kernel],
    flash: Flash = budgets.measure_flash,
    executor: Executor | None = None,
) -> Iterator[Cost]:
    """Measure ops that the runtime claims on its board, in the order given. Flash is missing without a toolchain."""
    claimed = [spec for spec in specs if canonical_row(spec, handle.manifest)]
    bytes_of = flash_of(handle.at, flash) if claimed else {}
    with closing(executor or connect(handle)) as running:
        for spec in claimed:
            yield _measured(spec, handle, kernels, running, bytes_of.get(spec.op, Figures()))


def flash_of(target: str, flash: Flash) -> dict[str, Figures]:
    """Return the flash of every op of a board; empty where no image can be linked."""
    try:
        table = flash(load_target(target))
    except (Unavailable, BuildFailed):
        return {}
    return {op: Figures(one.own, one.shared, one.alone) for op, one in table.ops.items()}


def _measured(spec: OpSpec, handle: Handle, kernels: Mapping[str, Kernel], executor: Executor, bytes_: Figures) -> Cost:
    try:
        built = canonical_case(spec, kernels, canonical_row(spec, handle.manifest))
    except CanonicalError as error:
        return Cost(spec.op, handle.at, bytes_, "over-budget", str(error))
    outcome = executor.execute(encode_case(spec, built.case), built.case.vectors)
    if isinstance(outcome, Produced):
        found = {name: outcome.meters.get(name) for name in METERS}
        return Cost(spec.op, handle.at, replace(bytes_, **found))
    return _unmeasured(spec, handle, built, outcome, bytes_)


def _unmeasured(spec: OpSpec, handle: Handle, built: Built, outcome: Outcome, bytes_: Figures) -> Cost:
    verdict = judge(Judge(spec, built, (), (), (), None), outcome)
    message = f"{spec.op} {handle.label}: the canonical case ({built.case.row}) has no costs: {verdict.message}"
    return Cost(spec.op, handle.at, bytes_, verdict.kind, message)


def over_budget(cost: Cost, spec: OpSpec, runtime: str = MICRO) -> list[str]:
    """Return a line for each figure above its budget: what was found, what is allowed, and where that stands."""
    where = f"{spec.file}:{spec.budget_lines.get(cost.target, 1)}"
    found, allowed = cost.figures.known(), spec.budgets.get(cost.target, {})
    return [
        f"{cost.op} {runtime}@{cost.target}: {name} {found[name]}, budget {limit} ({where})"
        for name, limit in allowed.items()
        if found.get(name, 0) > limit
    ]


def cost_line(cost: Cost, spec: OpSpec, baseline: Mapping[str, Any]) -> Line:
    """Return the log line of an op on a board; over its budget it is unexpected (docs/run-log.md)."""
    over = over_budget(cost, spec)
    verdict = cost.verdict if cost.verdict != "pass" else "over-budget" if over else "pass"
    return {
        "kind": "cost",
        "op": cost.op,
        "runtime": MICRO,
        "target": cost.target,
        **{field.name: getattr(cost.figures, field.name) for field in fields(Figures)},
        "budget": dict(spec.budgets.get(cost.target, {})),
        "baseline": baseline_of(baseline, cost.target, cost.op),
        "verdict": verdict,
        "expected": verdict == "pass",
        "message": "; ".join(text for text in (cost.message, *over) if text),
    }


def cost_lines(specs: Sequence[OpSpec], handle: Handle, kernels: Mapping[str, Kernel]) -> Iterator[Line]:
    """Yield a line for each op that the runtime claims on its board, in the order given."""
    known = budgets.read_baseline()
    by_op = {spec.op: spec for spec in specs}
    for cost in measure(specs, handle, kernels):
        yield cost_line(cost, by_op[cost.op], known)


def baseline_of(baseline: Mapping[str, Any], target: str, op: str) -> dict[str, int]:
    """Return the committed figures of an op on a board; empty where there are none."""
    board = baseline.get(target, {})
    return {**board.get("flash", {}).get("ops", {}).get(op, {}), **board.get("meters", {}).get(op, {})}
