"""Comparators on cases made by hand: what is right by each rule, special values, and how a failure reads."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from opconform.harness.compare import Judge, float_errors, judge, make_judge
from opconform.harness.generate.cases import Built
from opconform.harness.model import (
    Crashed,
    Declined,
    Infra,
    Produced,
    Quant,
    Rejected,
    TensorType,
    TimedOut,
    Verdict,
)
from opconform.harness.spec_load import parse_spec

NAN, INF, MAX = float("nan"), float("inf"), float(np.finfo(np.float32).max)


def judged(core: SimpleNamespace, rule: str, want: list[float], dtype: str = "float32", exact: object = None) -> Judge:
    """Return a judge of one vector whose right answer is `want`, by the tolerance `rule` of ABS/float32."""
    spec = parse_spec(core.abs_text.replace("  float32: {ulp: 0}", f"  float32: {rule}"), "abs.yaml")
    quant = Quant((1.0,), (0,)) if dtype in ("int8", "int16") else None
    case = core.case((len(want),), dtype, quant, x=want)
    built = Built(case, ((np.asarray(want, dtype=np.float64),),), {})
    return make_judge(spec, built, np.abs, exact)  # type: ignore[arg-type]


def verdict(judge_: Judge, got: object, dtype: str = "float32", arithmetic: str = "unspecified") -> Verdict:
    return judge(judge_, Produced(((np.asarray(got, dtype=dtype),),)), arithmetic)


@pytest.mark.parametrize(
    ("rule", "want", "got", "kind"),
    [
        ("{ulp: 0}", [1.0], [1.0], "pass"),
        ("{ulp: 0}", [1.0], [1 + 2.0**-23], "wrong-value"),
        ("{ulp: 1}", [1.0], [1 + 2.0**-23], "pass"),
        ("{ulp: 1}", [1.0], [1 + 2.0**-22], "wrong-value"),
        ("{ulp: 0}", [NAN], [NAN], "pass"),
        ("{ulp: 1000}", [NAN], [0.0], "wrong-value"),
        ("{ulp: 1000}", [0.0], [NAN], "wrong-value"),
        ("{ulp: 0}", [INF], [INF], "pass"),
        ("{ulp: 1000}", [INF], [-INF], "wrong-value"),
        ("{ulp: 1000}", [INF], [1.0], "wrong-value"),
        ("{ulp: 1000}", [1.0], [INF], "wrong-value"),
        ("{ulp: 0}", [0.0], [-0.0], "pass"),
        ("{ulp: 0, signed_zero: true}", [0.0], [-0.0], "wrong-value"),
        ("{ulp: 0, signed_zero: true}", [-0.0], [-0.0], "pass"),
        ("{ulp: 0}", [1e39], [INF], "pass"),
        ("{ulp: 0}", [1e39], [MAX], "pass"),
        ("{ulp: 0}", [-1e39], [-INF], "pass"),
        ("{ulp: 0}", [-1e39], [INF], "wrong-value"),
        ("{ulp: 0}", [1e39], [1.0], "wrong-value"),
        ("{ulp: 0, floor: 0.5}", [0.0], [0.5], "pass"),
        ("{ulp: 0, floor: 0.5}", [0.0], [0.5001], "wrong-value"),
        ("{bound: 1}", [1.0], [1 + 2.0**-23], "wrong-value"),
        ("{bound: 2}", [1.0], [1 + 2.0**-23], "pass"),
        ("{bound: 2}", [0.0], [1e-30], "wrong-value"),
    ],
)
def test_floats_are_judged_by_their_rule(
    core: SimpleNamespace, rule: str, want: list[float], got: list[float], kind: str
) -> None:
    assert verdict(judged(core, rule, want), got).kind == kind


@pytest.mark.parametrize(("got", "kind"), [([5], "pass"), ([6], "pass"), ([7], "wrong-value"), ([-5], "wrong-value")])
def test_integers_are_judged_in_quanta(core: SimpleNamespace, got: list[int], kind: str) -> None:
    assert verdict(judged(core, "{lsb: 1}", [5.0], "int8"), got, "int8").kind == kind


def test_integers_clamp_to_their_type_before_they_are_compared(core: SimpleNamespace) -> None:
    assert verdict(judged(core, "{lsb: 0}", [300.0], "int8"), [127], "int8").kind == "pass"


def test_a_promised_rounding_family_is_held_to_the_bit(core: SimpleNamespace) -> None:
    judge_ = judged(core, "{lsb: 1, exact: double_rounding}", [5.0], "int8", ((np.array([6]),),))
    assert verdict(judge_, [5], "int8").kind == "pass"
    assert verdict(judge_, [6], "int8", "double_rounding").kind == "pass"
    found = verdict(judge_, [5], "int8", "double_rounding")
    assert (found.kind, found.unit) == ("wrong-value", "exact:double_rounding")
    assert verdict(judge_, [5], "int8", "single_rounding").kind == "pass"


def test_the_histogram_counts_signed_errors_in_quanta(core: SimpleNamespace) -> None:
    found = verdict(judged(core, "{lsb: 1}", [5.0, 5.0, 5.0, 5.0], "int8"), [4, 5, 6, 6], "int8")
    assert found.histogram == {-1: 1, 0: 1, 1: 2}


def test_a_failure_names_element_found_wanted_allowed_and_clause(core: SimpleNamespace) -> None:
    found = verdict(judged(core, "{lsb: 1}", [5.0, 5.0, 35.0], "int8"), [5, 6, 37], "int8")
    assert found.message == "y[2] = 37, want 35 (2 lsb, 1 allowed by abs.yaml:19 T1)"
    assert (found.index, found.vector, found.error, found.limit, found.clause) == ((2,), 0, 2.0, 1.0, "T1")


def test_the_worst_of_several_vectors_decides(core: SimpleNamespace) -> None:
    one = judged(core, "{ulp: 4}", [1.0])
    vectors = one.case.vectors * 2
    case = replace(one.case, vectors=vectors)
    judge_ = make_judge(one.spec, Built(case, one.built.ideals * 2), np.abs, None)
    outputs = tuple((np.array([1 + n * 2.0**-23], dtype=np.float32),) for n in (1, 3))
    found = judge(judge_, Produced(outputs))
    assert (found.kind, found.error, found.vector) == ("pass", 3.0, 1)


def test_other_shapes_dtypes_and_numbers_of_outputs_are_verdicts_of_their_own(core: SimpleNamespace) -> None:
    judge_ = judged(core, "{ulp: 0}", [1.0, 2.0])
    assert verdict(judge_, [[1.0, 2.0]]).kind == "wrong-shape"
    assert verdict(judge_, [1.0, 2.0], "float64").kind == "wrong-dtype"
    y = np.array([1, 2], np.float32)
    assert judge(judge_, Produced(((y, y),))).kind == "wrong-shape"


@pytest.mark.parametrize(
    ("outcome", "legal", "invalid"),
    [
        (Declined("no"), "declined", "pass"),
        (Rejected("no"), "rejects-valid", "pass"),
        (Crashed("SIGSEGV"), "crash", "crash"),
        (TimedOut(3.0), "timeout", "timeout"),
        (Infra("no frame"), "infra", "infra"),
    ],
)
def test_every_outcome_has_its_verdict(core: SimpleNamespace, outcome: object, legal: str, invalid: str) -> None:
    judge_ = judged(core, "{ulp: 0}", [1.0])
    assert judge(judge_, outcome).kind == legal  # type: ignore[arg-type]
    broken = replace(judge_.case, violates="E1")
    found = judge(Judge(judge_.spec, Built(broken, ()), (), (), (), None), outcome)  # type: ignore[arg-type]
    assert found.kind == invalid


def test_accepting_an_invalid_model_is_a_failure(core: SimpleNamespace) -> None:
    judge_ = judged(core, "{ulp: 0}", [1.0])
    broken = replace(judge_.case, violates="E1")
    found = judge(Judge(judge_.spec, Built(broken, ()), (), (), (), None), Produced(()))
    assert (found.kind, found.clause) == ("accepts-invalid", "E1")


def test_an_empty_output_is_right_when_its_shape_is(core: SimpleNamespace) -> None:
    judge_ = judged(core, "{ulp: 0}", [])
    assert verdict(judge_, []).kind == "pass"
    assert verdict(judge_, [[]]).kind == "wrong-shape"


def test_float_errors_are_infinite_where_an_answer_is_no_number() -> None:
    got, want = np.array([NAN, 1.0, INF]), np.array([1.0, NAN, 1.0])
    assert np.isinf(float_errors(got, want, np.zeros(3))).all()


def test_bool_outputs_must_be_equal(core: SimpleNamespace) -> None:
    text = core.abs_text.replace("  int32: {x: int32, y: int32}", "  int32: {x: int32, y: bool}")
    spec = parse_spec(text, "abs.yaml")
    case = core.case((2,), x=[1.0, 0.0])
    case = replace(case, row="int32", outputs=(TensorType("y", "bool", (2,)),))
    judge_ = make_judge(spec, Built(case, ((np.array([True, False]),),), {}), np.abs, None)
    assert verdict(judge_, [True, False], "bool").kind == "pass"
    assert verdict(judge_, [True, True], "bool").kind == "wrong-value"
