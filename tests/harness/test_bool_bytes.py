"""A runtime that writes a bool byte other than 0 and 1 gives a wrong answer; no frame is broken by it."""

import numpy as np

from opconform.harness import wire
from opconform.harness.compare import judge, make_judge
from opconform.harness.events import failure_line
from opconform.harness.generate.engine import TIERS, cases
from opconform.harness.model import Array, Produced
from opconform.harness.runner import load_oracle
from opconform.harness.spec_load import load_all


def with_bytes(*values: int) -> Array:
    return np.array(values, np.uint8).view(np.bool_)


def test_a_result_with_other_bytes_arrives_as_it_was_sent() -> None:
    outputs, _ = wire.decode_result(wire.encode_result([with_bytes(0, 1, 245)]))
    assert outputs[0].dtype == np.bool_
    assert outputs[0].view(np.uint8).tolist() == [0, 1, 245]


def test_the_judge_names_the_byte() -> None:
    spec, oracle = load_all()["LESS"], load_oracle()
    kernel = oracle.kernels["LESS"]
    drawn = cases(spec, "int32", kernel, TIERS["smoke"], 0)
    built = next(b for b in drawn if not b.case.violates and b.ideals[0][0].size > 1)
    judged = make_judge(spec, built, kernel, None)
    right = [tuple(np.array(y, np.bool_) for y in vector) for vector in built.ideals]
    assert judge(judged, Produced(tuple(right))).kind == "pass"
    spoilt = right[0][0].view(np.uint8).copy()
    spoilt.reshape(-1)[1] = 245
    outcome = Produced(((spoilt.view(np.bool_),), *right[1:]))
    verdict = judge(judged, outcome)
    assert verdict.kind == "wrong-value"
    assert "= 245, want" in verdict.message
    line = failure_line({}, judged, outcome, verdict, {})
    assert 245 in line["got"]
