"""The frozen form of an operator's spec. harness/spec_load.py reads it from YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from opconform.harness.expr import Expression


@dataclass(frozen=True, slots=True)
class Clause:
    """One labelled line of a spec: what a test exercises and a failure cites."""

    label: str
    kind: str  # require, invalid, tolerance, law, type
    line: int
    text: str
    why: str = ""
    rows: tuple[str, ...] = ()  # globs over row names; empty means all

    def applies(self, row: str) -> bool:
        """Tell whether the clause speaks of this row."""
        return not self.rows or _covered(self.rows, row)


@lru_cache(maxsize=4096)
def _covered(patterns: tuple[str, ...], row: str) -> bool:
    return any(fnmatchcase(row, pattern) for pattern in patterns)


@dataclass(frozen=True, slots=True)
class ShapeRule:
    """A shape: a list of integer expressions, or one expression that yields a shape."""

    parts: tuple[Expression, ...] = ()
    whole: Expression | None = None

    @property
    def names(self) -> frozenset[str]:
        """Return the symbols that the shape needs."""
        rules = [self.whole] if self.whole else list(self.parts)
        return frozenset().union(*(rule.names for rule in rules)) if rules else frozenset()

    def __call__(self, env: Mapping[str, Any]) -> tuple[int, ...]:
        if self.whole is not None:
            return tuple(int(n) for n in self.whole(env))
        return tuple(int(part(env)) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Slot:
    """One input or output of an op; `constant` is "no", "yes" or "either"."""

    name: str
    shape: ShapeRule
    line: int
    constant: str = "no"
    optional: bool = False
    variable: bool = False
    value: Expression | None = None
    repeat: Expression | None = None
    dynamic: bool = False
    low: Expression | None = None
    high: Expression | None = None
    order: str = ""  # "", sorted (rows ascend, repetitions allowed) or increasing (no repetitions)
    only: Expression | None = None  # where it does not hold, there is no such slot
    absent: Expression | None = None  # where it holds, the input is absent
    sparse: Expression | None = None  # of a constant: [order, compressed, blocks] of its storage
    intermediate: bool = False  # no operand: it carries the quantization of a value inside the op


@dataclass(frozen=True, slots=True)
class Attribute:
    """One option: drawn from `choices` or between `low` and `high`, or computed by `value`."""

    name: str
    kind: str  # enum, int, float, bool, value
    line: int
    choices: tuple[Any, ...] = ()
    low: float = 0
    high: float = 0
    value: Expression | None = None


@dataclass(frozen=True, slots=True)
class Draw:
    """How one symbol of the domain is drawn: a kind and its expressions."""

    name: str
    kind: str  # int, shape, broadcasts_with, reshapes, axis, axes, permutes, pairs, list, choice, slices
    line: int
    args: Mapping[str, Expression] = field(default_factory=dict)
    choices: tuple[Any, ...] = ()
    large: Expression | None = None  # the upper bound of an int in large cases, where it is another


@dataclass(frozen=True, slots=True)
class QuantRule:
    """How one slot of one row is quantized."""

    kind: str  # per_tensor, symmetric, per_axis, fixed, same_as
    line: int
    axis: int = 0
    scale: Expression | None = None
    zero_point: Expression | None = None
    low: Expression | None = None  # bounds of a drawn scale
    high: Expression | None = None
    same_as: str = ""
    range: tuple[int, int] | None = None  # of the stored integers


@dataclass(frozen=True, slots=True)
class Require:
    """A condition that every legal case fulfils."""

    clause: Clause
    that: Expression


@dataclass(frozen=True, slots=True)
class Invalid:
    """One way to break exactly one rule; `changes` maps a symbol or slot to its new value."""

    clause: Clause
    kind: str  # with, shape, dtype, scale, zero_point, value, missing
    changes: Mapping[str, Any]
    when: Expression | None = None


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far one output of one row may be from the reference."""

    clause: Clause
    kind: str  # exact, ulp, bound, lsb, spread, distribution
    limit: Expression | None = None
    floor: Expression | None = None
    family: str = ""  # rounding family of the integer definition
    signed_zero: bool = False
    low: float = 0.0
    high: float = 1.0
    output: str = ""  # empty: every output
    distribution: str = "uniform"  # where the kind is that
    of: str = ""  # the slot whose values determine a distribution
    noise: Mapping[str, Expression | tuple[Expression, Expression]] = field(default_factory=dict)  # of `spread`


@dataclass(frozen=True, slots=True)
class Law:
    """A metamorphic property that needs no reference."""

    clause: Clause
    name: str
    argument: Any
    when: Expression | None = None


@dataclass(frozen=True, slots=True, eq=False)
class OpSpec:
    """Everything specs/ops/<op>.yaml says. Equal to itself alone: it may be the key of a cache."""

    op: str
    file: str
    summary: str
    see: tuple[str, ...]
    inputs: tuple[Slot, ...]
    outputs: tuple[Slot, ...]
    attributes: tuple[Attribute, ...]
    domain: tuple[Draw, ...]
    derive: Mapping[str, Expression]
    values: Mapping[str, tuple[Expression, Expression]]
    specials: tuple[str, ...]
    types: Mapping[str, Mapping[str, str]]
    type_clauses: Mapping[str, Clause]
    quantization: Mapping[str, Mapping[str, QuantRule]]
    require: tuple[Require, ...]
    invalid: tuple[Invalid, ...]
    tolerance: Mapping[str, tuple[Tolerance, ...]]
    laws: tuple[Law, ...]
    graph: Mapping[str, Any] | None
    stateful: bool
    exhaustive: tuple[str, ...]
    budgets: Mapping[str, Mapping[str, int]]
    canonical: Mapping[str, Any]
    custom: str = ""  # name that a CUSTOM op is found by; its attributes are stored in a FlexBuffer map
    budget_lines: Mapping[str, int] = field(default_factory=dict)  # target -> its line in the file

    @property
    def rows(self) -> tuple[str, ...]:
        """Return the row names in the order of the file."""
        return tuple(self.types)

    @property
    def clauses(self) -> tuple[Clause, ...]:
        """Return every labelled clause, in the order requires, invalids, tolerances, laws."""
        tolerances = {t.clause.label: t.clause for rules in self.tolerance.values() for t in rules}
        return (
            *(r.clause for r in self.require),
            *(i.clause for i in self.invalid),
            *tolerances.values(),
            *(law.clause for law in self.laws),
        )
