"""LiteRT.js in Node and in Chromium: the adapter's smoke test, its boundary, and errors that it only prints.

What this needs is missing on most machines; then it is skipped, unless OPCONFORM_REQUIRE_NODE is set (tox -e tfjs).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.harness.isolate import Executor, connect
from opconform.harness.model import Declined, Produced, Quant, Rejected
from opconform.harness.registry import resolve
from opconform.harness.runtime import Unavailable
from opconform.harness.smoke import smoke

ONES = np.ones((2, 3), np.float32)


def model(op: str, *tensors: TensorDef) -> bytes:
    """Return a model of one op; the last tensor is its output. LiteRT.js finds tensors by name, so each has its own."""
    named = tuple(replace(tensor, name=f"t{index}") for index, tensor in enumerate(tensors))
    slots, out = tuple(range(len(tensors) - 1)), len(tensors) - 1
    return write_model([Graph(named, (Node(op, slots, (out,)),), slots, (out,))])


def tensor(dtype: str = "float32", shape: tuple[int, ...] = (2, 3), quant: Quant | None = None) -> TensorDef:
    return TensorDef("t", dtype, shape, quant=quant)


@pytest.fixture(scope="module", params=["node", "chromium"])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    try:
        opened = connect(resolve(f"litertjs@{request.param}"))
    except Unavailable as error:
        if os.environ.get("OPCONFORM_REQUIRE_NODE"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    yield opened
    opened.close()


def test_sums_come_back(executor: Executor) -> None:
    outcome = executor.execute(model("ADD", *[tensor()] * 3), [[ONES, ONES], [ONES, 2 * ONES]])
    assert isinstance(outcome, Produced)
    assert [outputs[0].tolist() for outputs in outcome.outputs] == [(2 * ONES).tolist(), (3 * ONES).tolist()]


def test_the_boundary_takes_quantized_bytes_without_sign_and_no_others(executor: Executor) -> None:
    unsigned, signed = (tensor(dtype, quant=Quant((0.5,), (0,))) for dtype in ("uint8", "int8"))
    outcome = executor.execute(model("ADD", *[unsigned] * 3), [[ONES.astype(np.uint8)] * 2])
    assert isinstance(outcome, Produced)
    assert outcome.outputs[0][0].tolist() == np.full((2, 3), 2).tolist()
    refused = executor.execute(model("ADD", *[signed] * 3), [[ONES.astype(np.int8)] * 2])
    assert isinstance(refused, Declined)


def test_what_litert_js_only_prints_is_a_refusal_and_the_next_model_runs(executor: Executor) -> None:
    shapes_differ = model("ADD", tensor(shape=(2, 3)), tensor(shape=(2, 2)), tensor(shape=(2, 3)))
    outcome = executor.execute(shapes_differ, [[ONES, ONES[:, :2]]])
    assert isinstance(outcome, Rejected)
    assert isinstance(executor.execute(model("ADD", *[tensor()] * 3), [[ONES, ONES]]), Produced)


def test_tensors_without_elements_are_declined(executor: Executor) -> None:
    empty = tensor(shape=(0, 3))
    outcome = executor.execute(model("ABS", empty, empty), [[np.ones((0, 3), np.float32)]])
    assert outcome == Declined("LiteRT.js makes no tensors without elements")


@pytest.mark.usefixtures("executor")
def test_the_adapter_passes_its_smoke_test() -> None:
    checks = smoke(resolve("litertjs@node"))
    assert len(checks) > 8
    assert [check for check in checks if not check.passed] == []
