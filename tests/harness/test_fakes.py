"""Each fake does what its name says and nothing else: a fake that is subtly right would prove nothing."""

from pathlib import Path

import numpy as np
import pytest

from opconform.harness import registry
from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.harness.isolate import InProcess
from opconform.harness.model import Array, Declined, Outcome, Produced, Quant

FAKES = Path(__file__).parents[1] / "fakes" / "fakes.py"


def model(op: str, dtype: str) -> bytes:
    quant = Quant((0.5,), (0,)) if dtype == "int8" else None
    tensors = tuple(TensorDef(name, dtype, (4,), quant=quant) for name in "aby")
    return write_model([Graph(tensors, (Node(op, (0, 1), (2,)),), (0, 1), (2,))])


def run(fake: str, op: str, dtype: str) -> Outcome:
    a, b = np.array([-128, 0, 3, 127]).astype(dtype), np.array([0, 1, 2, 0]).astype(dtype)
    return InProcess(registry.resolve(f"{FAKES}:{fake}").instantiate()).execute(model(op, dtype), [(a, b)])


def output(fake: str, op: str, dtype: str) -> list[float]:
    outcome = run(fake, op, dtype)
    assert isinstance(outcome, Produced), outcome
    array: Array = outcome.outputs[0][0]
    return [float(value) for value in array]


def test_always_right_is_right() -> None:
    assert output("always_right", "ADD", "int8") == [-128, 1, 5, 127]


def test_off_by_one_lsb_is_off_by_one_everywhere_on_its_row() -> None:
    assert output("off_by_one_lsb", "ADD", "int8") == [-127, 2, 6, 126]


@pytest.mark.parametrize(("op", "dtype"), [("ADD", "float32"), ("MUL", "int8")])
def test_off_by_one_lsb_is_right_on_every_other_row(op: str, dtype: str) -> None:
    assert output("off_by_one_lsb", op, dtype) == output("always_right", op, dtype)


@pytest.mark.parametrize("dtype", ["float32", "int8", "int32"])
def test_always_wrong_is_wrong_in_every_element(dtype: str) -> None:
    right, wrong = output("always_right", "ADD", dtype), output("always_wrong", "ADD", dtype)
    assert all(a != b for a, b in zip(right, wrong, strict=True))


def test_a_liar_claims_what_it_declines() -> None:
    manifest = registry.resolve(f"{FAKES}:lies_about_support").manifest
    assert registry.claims_row(manifest, "ADD", "int8")
    assert run("lies_about_support", "ADD", "int8") == Declined("ADD is not supported")
    assert isinstance(run("lies_about_support", "MUL", "int8"), Produced)


def test_the_one_that_declines_claims_nothing() -> None:
    assert not registry.claims_row(registry.resolve(f"{FAKES}:declines").manifest, "ADD", "int8")
