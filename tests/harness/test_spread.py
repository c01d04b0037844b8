"""Slots that depend on each other, tensors inside an op, and the tolerance that follows errors through a state."""

from __future__ import annotations

import numpy as np
import pytest

from opconform.harness.compare import judge, make_judge
from opconform.harness.encode import encode_case
from opconform.harness.exact import run_twin
from opconform.harness.generate.build import build
from opconform.harness.generate.cases import Request
from opconform.harness.generate.source import seeded
from opconform.harness.model import Produced
from opconform.harness.spec_load import parse_spec
from opconform.harness.wording import tolerance_sentence
from opconform.harness.yamlish import SpecError
from opconform.runtimes.lite.parse import parse

TEXT = """
op: UNIDIRECTIONAL_SEQUENCE_LSTM
summary: a sum that is kept, to test slots and spreads
inputs:
  x: {shape: [2]}
  w: {shape: [2], constant: true, absent: lone}
  s: {shape: [2], variable: true}
  v: {shape: [2], constant: true, only: not lone}
  m: {shape: [0], intermediate: true, only: row == 'int8'}
outputs:
  y: {shape: [2]}
  z: {shape: [2], only: not lone}
domain:
  lone: {choice: [0, 1]}
  values: {float32: [1.0, 2.0]}
types:
  float32: {x: float32, w: float32, s: float32, v: float32, y: float32, z: float32}
  int8: {x: int8, w: int8, s: int8, v: int8, m: int8, y: int8, z: int8}
quantization:
  int8:
    x: {scale: 1 / 4, zero_point: 3}
    w: {scale: 1 / 4, zero_point: 0}
    s: {scale: 1 / 4, zero_point: -5}
    v: {scale: 1 / 4, zero_point: 0}
    m: {scale: 1 / 8, zero_point: 7}
    y: {scale: 1 / 4, zero_point: 0}
    z: {scale: 1 / 4, zero_point: 0}
stateful: true
tolerance:
  float32: {spread: {step: 0.25}}
  int8: {spread: {step: 0.25}, exact: double_rounding}
canonical: {lone: 1}
"""


def keeping(x, w, s, v=None, **_):
    """Add up what comes in: every step is off by `step`, and steps add up too."""
    total = s + x
    return (total, total) if v is None else (total, -total, total)


def errors(x, w, s, v=None, *, carried, noise, **_):
    error = (np.zeros(2) if carried is None else carried) + noise["step"]
    return ((error,) if v is None else (error, error)), error


keeping.spread = errors  # type: ignore[attr-defined]


def case_of(row, lone):
    spec = parse_spec(TEXT)
    for number in range(40):
        built = build(spec, row, seeded([number]), keeping, Request(vectors=3, plan=lone))
        if built.case.symbols["lone"] == lone:
            return spec, built
    raise AssertionError("no such case")


def operator_of(model):
    return parse(np.frombuffer(model, np.uint8)).subgraphs[0].operators[0]


@pytest.mark.parametrize(("lone", "inputs", "outputs"), [(1, 3, 1), (0, 4, 2)])
def test_a_slot_is_absent_or_not_there_where_its_formula_says_so(lone, inputs, outputs):
    spec, built = case_of("float32", lone)
    node = operator_of(encode_case(spec, built.case))
    assert len(node.inputs) == inputs
    assert (node.inputs[1] == -1) == bool(lone)
    assert len(built.case.outputs) == outputs
    assert all(len(ideal) == outputs for ideal in built.ideals)


def test_a_row_must_name_every_slot_that_is_always_there():
    with pytest.raises(SpecError, match="no dtype for w"):
        parse_spec(TEXT.replace("{x: float32, w: float32,", "{x: float32,"))
    parse_spec(TEXT.replace("v: float32, ", ""))


def test_the_error_that_is_allowed_grows_with_every_invocation():
    spec, built = case_of("float32", 1)
    judged = make_judge(spec, built, keeping, None)
    assert [float(limit[0].max()) for limit in judged.limits] == [0.25, 0.5, 0.75]
    off = [ideal[0] + 0.24 * (n + 1) for n, ideal in enumerate(built.ideals)]
    assert judge(judged, Produced(tuple((y.astype(np.float32),) for y in off))).kind == "pass"
    off[2] = built.ideals[2][0] + 0.76
    verdict = judge(judged, Produced(tuple((y.astype(np.float32),) for y in off)))
    assert (verdict.kind, verdict.vector) == ("wrong-value", 2)


def test_integers_may_be_off_by_whole_quanta_of_the_error():
    spec, built = case_of("int8", 1)
    judged = make_judge(spec, built, keeping, None)
    # 1, 2 and 3 quanta and half of one for the ideal's own rounding
    assert [limit[0] for limit in judged.limits] == [1, 2, 3]


def test_the_integer_state_starts_as_the_real_zero():
    _, built = case_of("int8", 1)
    seen = []

    def twin(x, w, s, *, q, **_):
        seen.append((s.tolist(), q["m"].zero_point))
        return s, s

    run_twin(built.case, twin, lambda acc, real: acc)
    assert seen[0] == ([-5, -5], (7,))


def test_an_intermediate_is_listed_with_the_operator_and_is_no_input():
    spec, built = case_of("int8", 1)
    assert [slot.role for slot in built.case.inputs] == ["input", "absent", "variable", "intermediate"]
    content = encode_case(spec, built.case)
    node = operator_of(content)
    assert len(node.inputs) == 3
    (inside,) = node.intermediates
    tensor = parse(np.frombuffer(content, np.uint8)).subgraphs[0].tensors[inside]
    assert (tensor.name, tensor.quantization.zero_point) == ("m", (7,))


def test_a_spread_needs_an_analysis_of_the_reference():
    spec, built = case_of("float32", 1)
    with pytest.raises(ValueError, match="no analysis"):
        make_judge(spec, built, lambda *_, **__: None, None)


def test_a_spread_is_said_in_words():
    assert "within what errors of step grow to over time" in tolerance_sentence(parse_spec(TEXT), "float32", "")
