"""Spec coverage: what the cases of a run exercised, and what they never did."""

from __future__ import annotations

from typing import Any

from opconform.harness import coverage
from opconform.harness.generate.engine import TIERS, cases
from opconform.harness.runner import load_oracle
from opconform.harness.spec_load import load_all

LEAST_SHARE = 0.95


def line(op: str, row: str, **clauses: int) -> dict[str, Any]:
    return {"kind": "coverage", "op": op, "row": row, "clauses": clauses}


def test_goals_without_a_case_are_named() -> None:
    found = coverage.summary([line("ADD", "int8", R1=3, E1=0), line("MUL", "int8", T1=1, L1=0)])
    assert found == {"goals": 4, "exercised": 2, "never": ["ADD/int8: E1", "MUL/int8: L1"]}
    assert coverage.shown(found).startswith("spec coverage 50.0 %: 2 of 4")
    assert coverage.shown(found).endswith("; never ADD/int8: E1, MUL/int8: L1")


def test_many_names_are_cut_short() -> None:
    found = coverage.summary([line("ADD", "int8", **{f"E{n}": 0 for n in range(9)})])
    assert "and 4 more" in coverage.shown(found)


def test_a_run_without_rows_says_nothing() -> None:
    assert coverage.shown(coverage.summary([])) == ""


def test_the_smoke_tier_breaks_and_exercises_nearly_all_that_a_spec_says() -> None:
    spec, kernels = load_all(None, ("GATHER",))["GATHER"], load_oracle().kernels
    lines = []
    for row in spec.rows:
        seen: dict[str, int] = dict.fromkeys((law.clause.label for law in spec.laws), 1)  # runs on runtimes only
        for built in cases(spec, row, kernels["GATHER"], TIERS["smoke"], 0):
            for label in coverage.exercised(spec, built.case):
                seen[label] = seen.get(label, 0) + 1
        lines.append(coverage.coverage_line(spec, row, seen))
    found: Any = coverage.summary(lines)
    assert found["exercised"] >= LEAST_SHARE * found["goals"], found["never"]
