"""How operators of .tflite files are mapped to kernels of TensorFlow.js, and what the worker refuses."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.harness.isolate import Executor, connect
from opconform.harness.model import Array, Declined, Outcome, Produced, Rejected
from opconform.harness.registry import resolve
from opconform.harness.runtime import Unavailable
from opconform.runtimes.tfjs import Tfjs


def started(target: str) -> Executor:
    """Return an executor, or skip where Node or the packages are missing."""
    try:
        Tfjs(target).command(target)
    except Unavailable as error:
        if os.environ.get("OPCONFORM_REQUIRE_NODE"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    return connect(resolve(f"tfjs@{target}"))


@pytest.fixture(scope="module")
def cpu() -> Iterator[Executor]:
    executor = started("node-cpu")
    yield executor
    executor.close()


@pytest.fixture(scope="module")
def wasm() -> Iterator[Executor]:
    executor = started("node-wasm")
    yield executor
    executor.close()


def tensor(dtype: str, *shape: int) -> TensorDef:
    return TensorDef("t", dtype, shape)


def model(op: str, *tensors: TensorDef, **options: Any) -> bytes:
    """Return a model of one op; the last tensor is its output."""
    slots, out = tuple(range(len(tensors) - 1)), len(tensors) - 1
    return write_model([Graph(tensors, (Node(op, slots, (out,), options),), slots, (out,))])


def answer(outcome: Outcome) -> list[Any]:
    assert isinstance(outcome, Produced), outcome
    found: list[Any] = outcome.outputs[0][0].tolist()
    return found


def ints(*values: int) -> Array:
    return np.array(values, np.int32)


@pytest.mark.parametrize(
    ("op", "dtypes"),
    [("CEIL", ["int32", "int32"]), ("ADD", ["float32", "int32", "float32"]), ("ABS", ["float32", "int32"])],
)
def test_operands_of_other_dtypes_than_the_operators_are_refused(cpu: Executor, op: str, dtypes: list[str]) -> None:
    outcome = cpu.execute(model(op, *(tensor(dtype, 2) for dtype in dtypes)), [])
    assert isinstance(outcome, Rejected)
    assert op in outcome.why


def test_an_operator_without_a_kernel_is_declined_with_the_reason(cpu: Executor) -> None:
    outcome = cpu.execute(model("RIGHT_SHIFT", *(tensor("int32", 2) for _ in range(3))), [])
    assert outcome == Declined("RIGHT_SHIFT: TensorFlow.js has no kernel that does this, nor do several in turn")


def test_what_would_not_fit_into_an_answer_is_declined_before_memory_is_taken(cpu: Executor) -> None:
    outcome = cpu.execute(
        model("FILL", tensor("int32", 2), tensor("float32"), tensor("float32", 1, 1)),
        [(ints(30000, 30000), np.array(1, np.float32))],
    )
    assert isinstance(outcome, Declined)
    assert "900000000 elements" in outcome.why


def test_quotients_of_whole_numbers_are_cut_towards_zero(cpu: Executor, wasm: Executor) -> None:
    divide = model("DIV", *(tensor("int32", 4) for _ in range(3)))
    for executor in (cpu, wasm):
        assert answer(executor.execute(divide, [(ints(7, -7, 7, -7), ints(2, 2, -2, -2))])) == [3, -3, -3, 3]


def test_a_whole_number_divided_by_zero_is_refused(cpu: Executor) -> None:
    divide = model("FLOOR_DIV", *(tensor("int32", 1) for _ in range(3)))
    assert isinstance(cpu.execute(divide, [(ints(1), ints(0))]), Rejected)


def test_one_hot_of_one_class_along_an_inner_axis_is_composed(cpu: Executor) -> None:
    slots = (tensor("int32", 2), tensor("int32"), tensor("float32"), tensor("float32"), tensor("float32", 1, 2))
    on, off = np.array(5, np.float32), np.array(7, np.float32)
    outcome = cpu.execute(model("ONE_HOT", *slots, axis=0), [(ints(0, 1), np.array(1, np.int32), on, off)])
    assert answer(outcome) == [[5.0, 7.0]]


def test_kernels_that_overwrite_memory_on_wasm_are_not_let_at_bools(cpu: Executor, wasm: Executor) -> None:
    turn = model("REVERSE_V2", tensor("bool", 3), tensor("int32", 1), tensor("bool", 3))
    given = (np.array([True, False, False]), ints(0))
    assert answer(cpu.execute(turn, [given])) == [False, False, True]
    outcome = wasm.execute(turn, [given])
    assert isinstance(outcome, Declined)
    assert "on wasm" in outcome.why


def test_broken_files_are_answered_and_the_worker_goes_on(cpu: Executor) -> None:
    whole, draw = model("ADD", *(tensor("int32", 2) for _ in range(3))), random.Random(5)
    for _ in range(200):
        broken = bytearray(whole[: draw.randrange(len(whole))] if draw.random() < 0.3 else whole)
        for _ in range(draw.choice((1, 8, 40))):
            if broken:
                broken[draw.randrange(len(broken))] = draw.choice((0, 1, 127, 128, 255))
        outcome = cpu.execute(bytes(broken), [(ints(1, 2), ints(3, 4))])
        assert isinstance(outcome, Rejected | Declined | Produced), outcome
    assert answer(cpu.execute(whole, [(ints(1, 2), ints(3, 4))])) == [4, 6]
