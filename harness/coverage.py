"""Which clauses, attribute values and value classes a row's cases exercised."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from opconform.harness.generate import structure
from opconform.harness.model import Case
from opconform.harness.spec import OpSpec

#: names of what was never exercised that a terminal shows; the report shows all
MOST_SHOWN = 5
#: verdicts of legal cases that a runtime was not judged by: nothing was exercised
NOT_RUN = ("declined", "infra", "lost-in-transport")


def goals(spec: OpSpec, row: str) -> tuple[str, ...]:
    """Return everything that the cases of a row should exercise."""
    clauses = [c.label for c in spec.clauses if c.applies(row)]
    settings = [f"{name}={value}" for name, values in structure.factors(spec, row).items() for value in values]
    return (*clauses, *settings)


def exercised(spec: OpSpec, case: Case) -> Iterable[str]:
    """Return the clauses and settings that one case exercises."""
    if case.violates:
        yield case.violates
        return
    yield from _always(spec, case.row)
    known = {**case.symbols, **case.attributes}
    roles = {slot.tensor.name: slot.role for slot in case.inputs}
    for name, values in structure.factors(spec, case.row).items():
        slot, _, what = name.partition(".")
        value = roles.get(slot) == what if what else known.get(name)
        if value in values:
            yield f"{name}={value}"


@lru_cache(maxsize=256)
def _always(spec: OpSpec, row: str) -> tuple[str, ...]:
    """Return the clauses that every legal case of a row exercises."""
    return tuple(c.label for c in spec.clauses if c.kind in ("require", "tolerance") and c.applies(row))


def coverage_line(spec: OpSpec, row: str, counts: Mapping[str, int], owed: bool = True) -> dict[str, object]:
    """Return the log line: every goal with the number of cases that a runtime was judged by, 0 where there is none.

    A row without such cases has no goals unless they are `owed`, which is so where a manifest claims the row.
    """
    every = dict.fromkeys(goals(spec, row) if owed or counts else (), 0)
    return {"kind": "coverage", "op": spec.op, "row": row, "clauses": every | dict(sorted(counts.items()))}


def summary(lines: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    """Return what all coverage lines of a run say together.

    `goals` and `exercised` count the clauses, attribute values and error conditions of all rows; `never` names
    those that no case exercised, as "OP/row: label".
    """
    goals_ = [(f"{line['op']}/{line['row']}", label, n) for line in lines for label, n in line["clauses"].items()]
    never = [f"{where}: {label}" for where, label, number in goals_ if not number]
    return {"goals": len(goals_), "exercised": len(goals_) - len(never), "never": never}


def shown(found: Mapping[str, Any]) -> str:
    """Return the summary as one line for a terminal."""
    if not found["goals"]:
        return ""
    share = 100 * found["exercised"] / found["goals"]
    text = f"spec coverage {share:.1f} %: {found['exercised']} of {found['goals']} clauses, values and error conditions"
    rest = len(found["never"]) - MOST_SHOWN
    names = ", ".join(found["never"][:MOST_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
    return text + (f"; never {names}" if names else "")
