"""The lines of a run log as frozen dataclasses: docs/run-log.md in types.

A field without a default is required in the log; a key that the log leaves out, or sets
to null, takes the default. Keys beyond these are allowed and ignored, so that a newer
writer does not break an older reader.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Nested = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class RuntimeInfo:
    """One runtime on one target, as the header lists it."""

    name: str
    target: str = ""
    version: str = ""
    summary: str = ""
    arithmetic: str = ""


@dataclass(frozen=True, slots=True)
class Header:
    """What ran: the first line of a log. `started` is ISO 8601."""

    format: int
    version: str
    seed: int
    tier: str = ""
    specs: str = ""
    runtimes: tuple[RuntimeInfo, ...] = ()
    started: str = ""
    python: str = ""
    platform: str = ""


@dataclass(frozen=True, slots=True)
class Clause:
    """One labelled line of a spec; `row` names its rows, and is empty where it holds for all."""

    label: str
    kind: str = ""
    row: str = ""
    line: int = 0
    text: str = ""
    why: str = ""

    @property
    def rows(self) -> tuple[str, ...]:
        """Return the rows that the clause is about; none means all."""
        return tuple(row for row in self.row.split(", ") if row)


@dataclass(frozen=True, slots=True)
class SpecLine:
    """What the spec of one op says, so that a report needs no spec file."""

    op: str
    file: str = ""
    summary: str = ""
    see: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    clauses: tuple[Clause, ...] = ()
    laws: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Unavailable:
    """A runtime that could not run on the machine of the run."""

    runtime: str
    target: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """Something that the run met on its way and that is no verdict."""

    message: str
    op: str = ""
    row: str = ""


@dataclass(frozen=True, slots=True)
class CaseLine:
    """One opened model on one runtime. `histogram` counts elements by error in quanta."""

    case: str
    op: str
    row: str
    runtime: str
    target: str
    verdict: str
    expected: bool | str
    error: float
    limit: float
    cases: int
    clause: str = ""
    unit: str = ""
    seconds: float = 0.0
    meters: Mapping[str, float] = field(default_factory=dict)
    histogram: Mapping[int, int] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    shapes: Any = None
    law: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class InputTensor:
    """One input of a counterexample; `data` is flat and may be cut off at 256 numbers."""

    name: str
    role: str = "input"
    dtype: str = ""
    shape: tuple[int, ...] = ()
    scale: Any = None
    zero_point: Any = None
    data: Nested = ()


@dataclass(frozen=True, slots=True)
class FailureLine:
    """The minimal counterexample of one row, runtime, target and verdict. `model` is base64."""

    case: str
    op: str
    row: str
    runtime: str
    target: str
    verdict: str
    message: str
    expected: bool | str = False
    clause: str = ""
    error: float = 0.0
    limit: float = 0.0
    unit: str = ""
    cases: int = 0
    seconds: float = 0.0
    meters: Mapping[str, float] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    shapes: Any = None
    law: str = ""
    original: str = ""
    replay: str = ""
    inputs: tuple[InputTensor, ...] = ()
    want: Nested = ()
    got: Nested = ()
    index: tuple[int, ...] = ()
    model: str = ""
    rounding: Mapping[str, float] = field(default_factory=dict)
    because: str = ""
    issue: str = ""


@dataclass(frozen=True, slots=True)
class Agreement:
    """A case on which runtimes differ; each group gave equal outputs."""

    case: str
    op: str
    row: str
    outlier: str = ""
    groups: tuple[tuple[str, ...], ...] = ()
    error: float = 0.0
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many cases exercised each clause, or `attribute=value`, of one row."""

    op: str
    row: str
    clauses: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one op costs on one target: bytes, but for `instructions`; None is not measured."""

    op: str
    target: str
    own: float | None = None
    shared: float | None = None
    alone: float | None = None
    stack: float | None = None
    scratch: float | None = None
    arena: float | None = None
    instructions: float | None = None
    budget: Mapping[str, float | None] = field(default_factory=dict)
    baseline: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelLine:
    """One whole model on one runtime: counts are of `examples`, None is not known or not measured."""

    model: str
    runtime: str
    target: str
    verdict: str
    expected: bool | str
    examples: int
    operator: str = ""
    clause: str = ""
    message: str = ""
    correct: int | None = None
    reference_correct: int | None = None
    same_class: int | None = None
    float_class: int | None = None
    equal: float | None = None
    worst: float | None = None
    unit: str = ""
    flash: int | None = None
    meters: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Step:
    """One operator of a model; `why` says why its spec cannot judge it."""

    op: str
    row: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class GraphLine:
    """One whole model: what it is made of, and how many examples the reference gets right with it."""

    model: str
    file: str = ""
    task: str = ""
    family: str = ""
    format: str = ""
    floating: str = ""
    bytes: int = 0
    operators: tuple[Step, ...] = ()
    examples: int = 0
    correct: int | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Footer:
    """What the run says of itself at its end: the last line of a complete log."""

    complete: bool
    cases: int
    lines: int = 0
    verdicts: Mapping[str, int] = field(default_factory=dict)
    unexpected: int = 0
    stale: tuple[Any, ...] = ()
    floor: int = 0
    thin: tuple[Any, ...] = ()
    coverage: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    exit: int = 0


Line = (
    Header
    | SpecLine
    | Unavailable
    | Note
    | CaseLine
    | FailureLine
    | Agreement
    | Coverage
    | ModelLine
    | GraphLine
    | Cost
    | Footer
)

KINDS: Mapping[str, Any] = {
    "header": Header,
    "spec": SpecLine,
    "unavailable": Unavailable,
    "note": Note,
    "case": CaseLine,
    "failure": FailureLine,
    "agreement": Agreement,
    "coverage": Coverage,
    "model": ModelLine,
    "graph": GraphLine,
    "cost": Cost,
    "footer": Footer,
}


def place(runtime: str, target: str) -> str:
    """Return how a runtime on a target is named everywhere: `litert@ref`."""
    return f"{runtime}@{target}" if target else runtime
