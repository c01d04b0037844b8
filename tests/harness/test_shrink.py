"""The shrinker finds the least case that still fails in the same way, on the runtime under test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from opconform.harness.generate.engine import TIERS
from opconform.harness.model import Array, Crashed, Produced
from opconform.harness.runtime import Limit
from opconform.harness.unit import run_unit


def failure(core: SimpleNamespace, answer: Callable[[Sequence[Array]], Any], text: str, row: str) -> dict[str, Any]:
    """Return the one counterexample of a row."""
    spec = core.parse(text, "spec.yaml")
    seat = core.seat(core.executor(answer))
    lines = run_unit(spec, row, [seat], core.oracle, TIERS["smoke"], 0)
    found = [line for line in lines if line["kind"] == "failure" and line["verdict"] == "wrong-value"]
    assert found
    return found[0]


def test_a_value_above_a_threshold_shrinks_to_one_element(core: SimpleNamespace) -> None:
    def wrong(inputs: Sequence[Array]) -> Sequence[Array]:
        return [np.where(np.abs(inputs[0]) > 50, np.abs(inputs[0]) + 1, np.abs(inputs[0]))]

    found = failure(core, wrong, core.abs_text, "int32")
    (x,) = found["inputs"]
    assert found["cases"] == 1
    assert len(x["data"]) == 1
    assert abs(x["data"][0]) > 50
    assert abs(found["got"][0] - found["want"][0]) == 1


def test_a_failure_that_needs_two_dimensions_keeps_two_and_one_element(core: SimpleNamespace) -> None:
    def wrong(inputs: Sequence[Array]) -> Sequence[Array]:
        y = np.abs(inputs[0])
        return [y + 1 if y.ndim == 2 and np.any(y) else y]

    found = failure(core, wrong, core.abs_text, "int32")
    (x,) = found["inputs"]
    assert x["shape"] == [1, 1]


def test_a_failure_at_one_position_keeps_that_position_alone(core: SimpleNamespace) -> None:
    def wrong(inputs: Sequence[Array]) -> Sequence[Array]:
        y = np.abs(inputs[0])
        if y.size > 5 and y.reshape(-1)[5]:
            y.reshape(-1)[5] += 1
        return [y]

    found = failure(core, wrong, core.abs_text, "int32")
    (x,) = found["inputs"]
    assert np.prod(x["shape"]) <= 8
    assert np.count_nonzero(x["data"]) == 1
    assert x["data"][5] != 0


def test_a_failure_of_broadcasting_keeps_operands_that_differ(core: SimpleNamespace) -> None:
    def wrong(inputs: Sequence[Array]) -> Sequence[Array]:
        a, b = inputs
        return [a + b if a.shape == b.shape else (a + b) * np.float32(1.5)]

    found = failure(core, wrong, core.add_text, "float32")
    a, b = found["inputs"]
    assert a["shape"] != b["shape"]
    assert len(a["data"]) + len(b["data"]) <= 4
    assert found["attributes"] == {"activation": "NONE"}


@pytest.mark.parametrize("threshold", [10, 90])
def test_the_shrunk_case_fails_in_the_same_way_and_says_what_it_came_from(
    core: SimpleNamespace, threshold: int
) -> None:
    def wrong(inputs: Sequence[Array]) -> Sequence[Array]:
        return [np.where(np.abs(inputs[0]) > threshold, 0, np.abs(inputs[0])).astype(np.int32)]

    found = failure(core, wrong, core.abs_text, "int32")
    assert found["original"].startswith("ABS/int32/")
    assert len(found["case"]) <= len(found["original"])
    assert found["replay"] == f"opconform replay {found['case']} --runtime fake@host"
    assert found["got"] == [0]


def test_shrinking_spends_a_bounded_number_of_runs(core: SimpleNamespace) -> None:
    executor = core.executor(lambda inputs: [inputs[0] * 0 + 7])
    spec = core.parse(core.abs_text, "spec.yaml")
    lines = run_unit(spec, "int32", [core.seat(executor)], core.oracle, TIERS["smoke"], 0)
    models = sum(line["kind"] == "case" for line in lines)
    assert executor.runs <= models + 200


def test_a_crash_shrinks_too(core: SimpleNamespace) -> None:
    class Crashing(core.executor):  # type: ignore[misc]
        def execute(self, model: bytes, vectors: Any) -> Any:
            if any(np.any(np.abs(v[0]) > 50) for v in vectors):
                return Crashed("SIGSEGV during RUN of vector 0")
            return Produced(tuple((np.abs(v[0]),) for v in vectors))

    spec = core.parse(core.abs_text, "spec.yaml")
    lines = run_unit(spec, "int32", [core.seat(Crashing())], core.oracle, TIERS["smoke"], 0)
    found = next(line for line in lines if line["kind"] == "failure")
    assert (found["verdict"], found["shapes"]["x"]) == ("crash", [])


def test_no_counterexample_is_a_case_that_the_manifest_takes_out(core: SimpleNamespace) -> None:
    executor = core.executor(lambda inputs: [np.abs(inputs[0]) + 1])
    seat = core.seat(executor, limits=(Limit("ABS", "largest_rank < 2", "no vectors"),))
    lines = run_unit(core.parse(core.abs_text, "spec.yaml"), "int32", [seat], core.oracle, TIERS["smoke"], 0)
    found = next(line for line in lines if line["kind"] == "failure")
    assert found["shapes"]["x"] == [1, 1]
    assert found["case"] != found["original"]
