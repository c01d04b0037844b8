"""A runtime whose manifest says `vectors: least` is judged on every structure, by the fewest vectors for the floor."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from opconform.harness.generate.build import rebuild
from opconform.harness.generate.engine import TIERS, cases, sparing
from opconform.harness.model import Case
from opconform.harness.runner import load_oracle
from opconform.harness.spec_load import load_all
from opconform.harness.unit import Seat, run_unit

SPECS = load_all(None, ("ABS", "ADD", "CAST", "CONV_2D", "LEAKY_RELU"))
ORACLE = load_oracle()
ROWS = [("ABS", "float32"), ("ADD", "int8"), ("CAST", "int8_float32"), ("CONV_2D", "int8"), ("LEAKY_RELU", "int8")]


def drawn(op: str, row: str, tier: Any) -> list[Case]:
    return [built.case for built in cases(SPECS[op], row, ORACLE.kernels[op], tier, 0)]


def sparing_seat(core: SimpleNamespace) -> Seat:
    seat = core.seat(core.executor(lambda inputs: [abs(inputs[0])]), name="sparing")
    manifest = replace(seat.handle.manifest, vectors="least")
    return replace(seat, handle=replace(seat.handle, manifest=manifest))


@pytest.mark.parametrize(("op", "row"), ROWS)
def test_every_class_and_broken_clause_stays_and_the_floor_holds(op: str, row: str) -> None:
    full, few = TIERS["smoke"], sparing(SPECS[op], row, TIERS["smoke"])
    whole, thin = drawn(op, row, full), drawn(op, row, few)
    assert {case.classes for case in thin} == {case.classes for case in whole}
    assert {case.violates for case in thin} == {case.violates for case in whole}
    legal = [case for case in thin if not case.violates]
    assert full.floor <= sum(len(case.vectors) for case in legal) < sum(len(case.vectors) for case in whole)
    assert max(len(case.vectors) for case in legal) <= full.vectors


def test_an_exhausted_case_is_cut_too_and_its_id_builds_what_ran() -> None:
    few = sparing(SPECS["ADD"], "int8", TIERS["smoke"])
    case = drawn("ADD", "int8", few)[0]
    assert (case.classes, len(case.vectors)) == (("exhaustive",), few.vectors)
    again = rebuild(case.id, SPECS, ORACLE.kernels).case
    assert [len(again.vectors), again.vectors[1][0].tolist()] == [few.vectors, case.vectors[1][0].tolist()]


def test_a_tier_of_many_cases_needs_fewer_vectors_of_each() -> None:
    found = {name: sparing(SPECS["CONV_2D"], "float32", tier).vectors for name, tier in TIERS.items()}
    assert 0 < found["smoke"] < TIERS["smoke"].vectors
    assert 0 < found["pr"] < TIERS["pr"].vectors
    assert 0 < found["nightly"] < TIERS["nightly"].vectors


def test_each_law_is_tried_on_half_as_many_cases_and_on_one_at_least() -> None:
    assert [sparing(SPECS["ABS"], "float32", replace(TIERS["pr"], laws=n)).laws for n in (1, 2, 8)] == [1, 1, 4]


def test_who_spares_and_who_does_not_each_run_their_own_cases(core: SimpleNamespace) -> None:
    usual = core.seat(core.executor(lambda inputs: [abs(inputs[0])]), name="usual")
    lines = run_unit(
        core.parse(core.abs_text, "spec.yaml"), "int32", [usual, sparing_seat(core)], core.oracle, TIERS["smoke"], 0
    )
    counts = {
        name: [
            line["cases"] for line in lines if line["kind"] == "case" and line["runtime"] == name and "law" not in line
        ]
        for name in ("usual", "sparing")
    }
    assert len(counts["sparing"]) == len(counts["usual"])
    assert (max(counts["sparing"]), max(counts["usual"])) == (2, 4)
    assert {line["verdict"] for line in lines if line["kind"] == "case"} == {"pass"}
