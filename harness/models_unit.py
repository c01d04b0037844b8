"""One model of the zoo on every runtime that takes part: the lines of the run log (docs/run-log.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opconform.harness import budgets_model
from opconform.harness.events import Line, number
from opconform.harness.flatread import ModelView
from opconform.harness.model import Array
from opconform.harness.models import Entry, Zoo, chosen, held_out, load_zoo, read_entry, zoo_file
from opconform.harness.models_graph import run_whole, steps_of
from opconform.harness.models_run import Finding, Subject, classes, examine, on_board
from opconform.harness.registry import Handle
from opconform.harness.runtime import RuntimeFailure
from opconform.harness.shards import Shard
from opconform.harness.spec import OpSpec
from opconform.harness.spec_load import load_all
from opconform.harness.unit import Oracle, Seat

#: The runtime whose image with just one model can be linked.
MICRO = "micro"


@dataclass(frozen=True, slots=True)
class Amount:
    """How many held-out examples a model is run with: on hosts, and on boards, which are emulated."""

    host: int = 64
    board: int = 4

    def of(self, handle: Handle) -> int:
        """Return how many a runtime gets."""
        return self.board if on_board(handle) else self.host


#: How many a tier asks for.
AMOUNTS: Mapping[str, Amount] = {"smoke": Amount(host=32), "pr": Amount(), "nightly": Amount(1000, 8)}
#: What stands for the op where a model is a unit of a run.
MODEL = "model"


def select(zoo: Path | None, globs: Sequence[str], shard: Shard) -> list[tuple[str, str]]:
    """Return the models that a part of a run is to work on, as its units.

    Raises SpecError and ModelError: all is read, so that nothing is run where a file is missing or damaged.
    """
    if not globs:
        return []
    entries = chosen(load_zoo(zoo or zoo_file()), globs)
    for entry in entries:
        held_out(entry.task, read_entry(entry), 1)
    return [(MODEL, entry.name) for entry in entries if shard.holds(f"{MODEL}/{entry.name}")]


def named(zoo: Path | None, globs: Sequence[str]) -> dict[str, Any]:
    """Return which models run, and a hash of all that they are made of, as a log's header has it."""
    return {"models": list(globs), "zoo": load_zoo(zoo or zoo_file()).hash} if globs else {}


class Models:
    """The zoo as one process works on it: what the reference says of a float32 model is found once."""

    def __init__(self, zoo: Zoo, specs: Mapping[str, OpSpec], oracle: Oracle, amount: Amount) -> None:
        self._zoo, self._specs, self._oracle, self._amount = zoo, specs, oracle, amount
        self._floating: dict[str, Array | None] = {}

    def unit(self, name: str, seats: Sequence[Seat]) -> list[Line]:
        """Run one model on every seat; its last line describes the model itself."""
        entry = self._zoo.models[name]
        subject = self.subject(entry)
        lines = [self._line(entry, subject, seat) for seat in seats]
        return [*lines, graph_line(entry, subject) | {"place": list(self._zoo.models).index(name)}]

    def subject(self, entry: Entry) -> Subject:
        """Read a model and its examples, and run it by the reference. Raises ModelError."""
        view = read_entry(entry)
        steps = steps_of(view, self._specs)
        held = held_out(entry.task, view, max(self._amount.host, self._amount.board))
        right = run_whole(view, steps, self._oracle, held.vectors)
        return Subject(entry.name, view, steps, held.vectors, held.labels, right, self._classes_of(entry.floating))

    def _classes_of(self, name: str) -> Array | None:
        if not name:
            return None
        if name not in self._floating:
            subject = self.subject(self._zoo.models[name])
            right = subject.outputs(len(subject.vectors))
            self._floating[name] = None if right is None else classes(right)
        return self._floating[name]

    def _line(self, entry: Entry, subject: Subject, seat: Seat) -> Line:
        finding = examine(subject, seat, self._oracle, self._amount.of(seat.handle))
        return model_line(entry, seat.handle, finding, flash_of(subject.view, seat.handle, finding))


def models_of(zoo: Path | None, tier: str, oracle: Oracle) -> Models:
    """Return a zoo, the project's own where none is given, as a tier runs it."""
    return Models(load_zoo(zoo or zoo_file()), load_all(), oracle, AMOUNTS[tier])


def flash_of(view: ModelView, handle: Handle, finding: Finding) -> int | None:
    """Return the flash of an image with just this model, without the model; None where none can be linked."""
    if handle.name != MICRO or not on_board(handle) or not finding.scores.examples:
        return None
    try:
        return budgets_model.build_image(view.data, handle.at).flash
    except RuntimeFailure:
        return None


def model_line(entry: Entry, handle: Handle, finding: Finding, flash: int | None) -> Line:
    """Return the line of one model on one runtime."""
    scores, verdict, gap = finding.scores, finding.verdict, finding.scores.gap
    line = {
        "kind": "model",
        "model": entry.name,
        "runtime": handle.name,
        "target": handle.at,
        "verdict": verdict.kind,
        "expected": finding.expected,
        "operator": finding.operator,
        "clause": verdict.clause,
        "message": verdict.message,
        "examples": scores.examples,
        "correct": scores.correct,
        "reference_correct": scores.reference_correct,
        "same_class": scores.same_class,
        "float_class": scores.float_class,
        "equal": None if gap is None else number(1 - gap.share),
        "worst": None if gap is None else number(gap.worst),
        "unit": "" if gap is None else gap.unit,
        "flash": flash,
        "meters": {name: value for name, value in finding.meters.items() if name != "time"},
        "seconds": round(finding.seconds, 6),
    }
    return line | ({"expectation": finding.known.where} if finding.known else {})


def graph_line(entry: Entry, subject: Subject) -> Line:
    """Return the line of a model itself: its operators, and how good the reference is with it."""
    right = subject.outputs(len(subject.vectors))
    good = None if right is None or subject.labels is None else int((classes(right) == subject.labels).sum())
    return {
        "kind": "graph",
        "model": entry.name,
        "file": entry.path.name,
        "task": entry.task.name,
        "family": entry.family,
        "format": entry.format,
        "floating": entry.floating,
        "bytes": len(subject.view.data),
        "operators": [{"op": s.operation.op, "row": s.row, "why": s.why} for s in subject.steps],
        "examples": len(subject.vectors),
        "correct": good,
        "why": subject.right if isinstance(subject.right, str) else "",
    }
