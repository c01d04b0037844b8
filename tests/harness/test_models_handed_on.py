"""Whole models with outputs that no operator gives, inputs of every kind, and deviations that are known."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from opconform.harness import cli
from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.harness.flatread import ModelView, random_inputs, read_model
from opconform.harness.isolate import InProcess
from opconform.harness.model import Array, Produced
from opconform.harness.models_graph import run_whole, steps_of
from opconform.harness.models_run import Subject, judge_operators
from opconform.harness.registry import resolve
from opconform.harness.runner import load_oracle
from opconform.harness.runtime import Runtime
from opconform.harness.spec_load import load_all
from opconform.harness.unit import Oracle, Seat
from opconform.harness.wholemodel import answers


@cache
def oracle() -> Oracle:
    return load_oracle()


def view_of(dtype: str = "float32", op: str = "ABS") -> ModelView:
    """Return a model with three outputs: what ABS gives, a constant, and its own input."""
    constant = np.array([1.5, -2.0], np.float32)
    tensors = (
        TensorDef("x", dtype, (2,)),
        TensorDef("c", "float32", (2,), constant),
        TensorDef("y", dtype, (2,)),
    )
    return read_model(write_model([Graph(tensors, (Node(op, (0,), (2,), {}),), (0,), (2, 1, 0))]), "the model")


def subject_of(view: ModelView) -> Subject:
    steps, fed = steps_of(view, load_all()), random_inputs(view, 0, 3)
    return Subject("handed on", view, steps, tuple(fed), None, run_whole(view, steps, oracle(), fed))


def judged(change: int | None) -> tuple[str, str]:
    """Judge lite with one output (by number) made another one; return verdict and message."""
    subject, handle = subject_of(view_of()), resolve("lite")
    runtime: Runtime = handle.instantiate()
    executor = InProcess(runtime)
    outcome = answers(executor, subject.view, subject.view.data, subject.vectors)
    assert isinstance(outcome, Produced)
    outputs = [tuple(y + (n == change) for n, y in enumerate(answer)) for answer in outcome.outputs]
    verdict, _, _ = judge_operators(subject, Seat(handle, executor, ()), oracle(), outputs)
    return verdict.kind, verdict.message


def test_the_reference_gives_outputs_that_are_constants_or_inputs() -> None:
    subject = subject_of(view_of())
    given = subject.outputs(1)
    assert given is not None
    y, c, x = given[0]
    assert c.tolist() == [1.5, -2.0]
    np.testing.assert_array_equal(y, np.abs(x))


def test_a_model_that_hands_on_a_constant_and_its_input_passes() -> None:
    assert judged(None) == ("pass", "")


@pytest.mark.parametrize(("output", "tensor"), [(1, 1), (2, 0)])
def test_another_value_of_an_output_that_no_operator_changes_is_wrong(output: int, tensor: int) -> None:
    said = f"output {output} is tensor {tensor}, which no operator changes, and it has other values"
    assert judged(output) == ("wrong-value", said)


@pytest.mark.parametrize(("dtype", "kind"), [("string", "S"), ("complex64", "c"), ("bool", "b"), ("int64", "i")])
def test_random_inputs_are_of_every_dtype_and_differ(dtype: str, kind: str) -> None:
    vectors: list[tuple[Array, ...]] = random_inputs(view_of(dtype), 0, 8)
    assert {x.dtype.kind for (x,) in vectors} == {kind}
    assert len({x.tobytes() for (x,) in vectors}) > 2


def test_a_deviation_that_is_known_of_an_operator_is_told_and_fails_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tensors = (TensorDef("x", "float32", (1, 2, 2, 6)), TensorDef("y", "float32", (1, 2, 2, 6)))
    options = {"radius": 2, "bias": 1.0, "alpha": 1.0, "beta": 0.5}
    node = Node("LOCAL_RESPONSE_NORMALIZATION", (0,), (1,), options)
    (tmp_path / "lrn.tflite").write_bytes(write_model([Graph(tensors, (node,), (0,), (1,))]))
    monkeypatch.setattr(sys, "argv", ["opconform", "model", str(tmp_path / "lrn.tflite"), "--runtime", "litert@ref"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    assert "deviates as known at #0 LOCAL_RESPONSE_NORMALIZATION/float32" in capsys.readouterr().out
