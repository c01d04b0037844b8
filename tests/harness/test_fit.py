"""A case that a target has no memory for is replaced by a smaller one of the same plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from opconform.harness.fit import smaller_cases, tensor_bytes
from opconform.harness.generate.engine import TIERS, cases
from opconform.harness.model import Array, Declined, Outcome, Produced
from opconform.harness.unit import run_unit

ROOM = 100


@dataclass
class Small:
    """Adds, where both inputs fit its memory."""

    room: int
    why: Declined = Declined("arena too small", True)  # noqa: RUF009 - frozen

    def execute(self, model: bytes, vectors: Sequence[Sequence[Array]]) -> Outcome:
        if sum(a.nbytes for a in vectors[0]) > self.room:
            return self.why
        return Produced(tuple((a + b,) for a, b in vectors))

    def close(self) -> None:
        return None


def lines_of(core: SimpleNamespace, executor: Small) -> list[dict[str, Any]]:
    spec = core.parse(core.add_text.replace("activation: {enum: [NONE, RELU]}", "activation: {enum: [NONE]}"), "add")
    found = run_unit(spec, "float32", [core.seat(executor)], core.oracle, TIERS["smoke"], 0)
    return [dict(line) for line in found if line["kind"] == "case"]


def judged(lines: list[dict[str, Any]]) -> int:
    return sum(line["cases"] for line in lines if line["verdict"] == "pass" and "law" not in line)


def test_a_row_keeps_its_cases_on_a_target_with_little_memory(core: SimpleNamespace) -> None:
    large, small = lines_of(core, Small(1 << 20)), lines_of(core, Small(ROOM))
    declined = [line for line in small if line["verdict"] == "declined"]
    assert declined
    assert judged(small) == judged(large)
    assert all(line["expected"] for line in small)
    ids = {line["case"] for line in small}
    for line in declined:
        assert "host has no memory for it; " in line["message"]
        assert line["message"].split("; ")[1].split(" runs instead")[0] in ids


def test_what_cannot_be_made_small_enough_is_a_failure(core: SimpleNamespace) -> None:
    lines = lines_of(core, Small(0))
    assert {line["expected"] for line in lines if line["verdict"] == "declined"} == {False}


def test_a_runtime_that_merely_declines_is_given_nothing_smaller(core: SimpleNamespace) -> None:
    lines = lines_of(core, Small(ROOM, Declined("no such shape")))
    assert {line["expected"] for line in lines if line["verdict"] == "declined"} == {False}


@pytest.mark.parametrize("op", ["abs", "add"])
def test_smaller_cases_are_of_the_same_plan_class_and_number_and_always_the_same(
    core: SimpleNamespace, op: str
) -> None:
    spec = core.parse(getattr(core, f"{op}_text"), op)
    kernel = core.kernels[op.upper()]
    built = max(cases(spec, "float32", kernel, TIERS["smoke"], 0), key=lambda b: tensor_bytes(b.case))
    first = [small.case for small in smaller_cases(spec, built.case, kernel)]
    assert first
    assert [case.id for case in first] == [small.case.id for small in smaller_cases(spec, built.case, kernel)]
    for case in first:
        assert tensor_bytes(case) < tensor_bytes(built.case)
        assert case.choices[0] == built.case.choices[0]
        assert (case.classes[0], len(case.vectors)) == (built.case.classes[0], len(built.case.vectors))
