"""Large cases: one per row has a long axis, and its id says so."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from opconform.harness.generate import structure
from opconform.harness.generate.build import rebuild
from opconform.harness.generate.cases import Built
from opconform.harness.generate.codec import BadCaseId
from opconform.harness.generate.engine import TIERS, cases, large_cases
from opconform.harness.lint import lint_spec
from opconform.harness.model import Verdict
from opconform.harness.runner import load_oracle
from opconform.harness.shrink import shrink
from opconform.harness.spec_load import load_all
from opconform.harness.yamlish import SpecError

SPECS, ORACLE = load_all(), load_oracle()


def large(op: str, row: str, count: int = 1) -> list[Built]:
    return list(large_cases(SPECS[op], row, ORACLE.kernels[op], count, 0))


def sizes(built: Built) -> list[int]:
    return [math.prod(tensor.shape) for tensor in (*(slot.tensor for slot in built.case.inputs), *built.case.outputs)]


@pytest.mark.parametrize("op", ["ABS", "ADD", "MEAN", "GATHER", "PAD", "CONV_2D", "AVERAGE_POOL_2D", "LSTM"])
def test_the_smoke_tier_runs_a_large_case_on_every_row(op: str) -> None:
    for row in SPECS[op].rows:
        found = [b for b in cases(SPECS[op], row, ORACLE.kernels[op], TIERS["smoke"], 0) if "large" in b.case.classes]
        assert [max(sizes(built)) >= structure.LARGE[0] for built in found] == [True, True]


def test_large_cases_are_long_or_have_all_axes_with_partners_that_broadcast_in_between() -> None:
    symbols = [built.case.symbols for built in large("ADD", "float32", 20)]
    assert max(max(s["A"]) for s in symbols) > 64
    assert any(len(s["A"]) == len(s["B"]) == 6 and 1 < s["B"].count(1) < 5 for s in symbols)


def test_scales_of_large_cases_lie_next_to_powers_of_two_and_do_not_repeat_with_four_channels() -> None:
    built = large("CONV_2D", "int8", 20)
    scales = [slot.tensor.quant.scale for one in built for slot in one.case.inputs[:2] if slot.tensor.quant]
    assert {math.frexp(scale[0])[0] for scale in scales} >= {0.5 + 2.0**-18, 1 - 2.0**-17}
    many = [scale for scale in scales if len(scale) > 8]
    assert many
    assert any(scale[:4] != scale[4:8] for scale in many)


def test_a_large_case_is_rebuilt_from_its_id_alone() -> None:
    for built in (*large("ADD", "int8", 3), *large("CONV_2D", "float32", 3)):
        again = rebuild(built.case.id, SPECS, ORACLE.kernels).case
        assert (again.id, again.symbols, again.classes) == (built.case.id, built.case.symbols, built.case.classes)


ROW = """op: ABS
summary: absolute value
see: [https://example.org]
inputs: {x: {shape: [n]}}
outputs: {y: {shape: [n]}}
domain:
  n: [1, 4LARGE]
types:
  float32: {x: float32, y: float32}
tolerance:
  float32: {ulp: 0}
properties:
  - even: x
canonical: {n: 4}
"""


def row(core: SimpleNamespace, large: str) -> Any:
    return core.parse(ROW.replace("LARGE", large), "abs.yaml")


def test_the_bound_of_large_cases_holds_for_them_alone(core: SimpleNamespace) -> None:
    found = [b.case for b in cases(row(core, ", 300"), "float32", core.kernels["ABS"], TIERS["smoke"], 0)]
    assert [case.symbols["n"] > 4 for case in found] == ["large" in case.classes for case in found]
    assert not list(large_cases(row(core, ""), "float32", core.kernels["ABS"], 1, 0))


def test_the_bound_of_large_cases_decides_their_ids_alone(core: SimpleNamespace) -> None:
    kernels = {"ABS": core.kernels["ABS"]}
    some, other = row(core, ", 300"), {"ABS": row(core, ", 400")}
    for built in cases(some, "float32", kernels["ABS"], TIERS["smoke"], 0):
        if "large" in built.case.classes:
            with pytest.raises(BadCaseId):
                rebuild(built.case.id, other, kernels)
        else:
            assert rebuild(built.case.id, other, kernels).case.symbols == built.case.symbols


def test_a_fourth_bound_is_refused(core: SimpleNamespace) -> None:
    with pytest.raises(SpecError, match=r"abs.yaml:7: n must be \[LO, HI\] or \[LO, HI, HI of large cases\]"):
        row(core, ", 300, 400")


def test_a_large_case_shrinks_to_a_large_case(core: SimpleNamespace) -> None:
    spec, kernel = row(core, ", 300"), core.kernels["ABS"]
    (start,) = large_cases(spec, "float32", kernel, 1, 0)

    def check(built: Built) -> Verdict:
        return Verdict("wrong-value" if built.case.symbols["n"] > 64 else "pass", "T1")

    shrunk = shrink(spec, start, Verdict("wrong-value", "T1", vector=0), kernel, check, 80).built.case
    assert 65 <= shrunk.symbols["n"] <= start.case.symbols["n"]
    assert rebuild(shrunk.id, {"ABS": spec}, {"ABS": kernel}).case.symbols == shrunk.symbols


def test_lint_judges_the_twin_on_large_cases_too() -> None:
    def forgetful(*arguments: Any, **options: Any) -> Any:
        result = ORACLE.twins["SUM"](*arguments, **options)
        return result if arguments[0].size < structure.LARGE[0] else np.zeros_like(result)

    assert lint_spec(SPECS["SUM"], ORACLE) == []
    defects = lint_spec(SPECS["SUM"], replace(ORACLE, twins={**ORACLE.twins, "SUM": forgetful}))
    assert any("the integer twin is wrong on SUM/int8/" in defect for defect in defects)
