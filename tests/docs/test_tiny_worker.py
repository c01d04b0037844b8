"""The example worker of docs/examples is a whole runtime in C: it builds, passes the smoke test, and computes right."""

import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from opconform.harness import registry
from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.harness.isolate import Executor, Limits, connect
from opconform.harness.model import Array, Declined, Produced, Quant, Rejected
from opconform.harness.smoke import smoke

SOURCE = Path(__file__).parents[2] / "docs" / "examples" / "tiny_worker.c"
WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror")
SANITIZE = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")

pytestmark = [
    pytest.mark.skipif(not SOURCE.is_file(), reason="the docs are not part of the wheel"),
    pytest.mark.skipif(shutil.which("gcc") is None, reason="needs a host compiler: apt install gcc"),
]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    program = tmp_path_factory.mktemp("tiny") / "tiny_worker"
    subprocess.run(["gcc", *WARNINGS, *SANITIZE, str(SOURCE), "-o", str(program), "-lm"], check=True)
    return f"exec:{program}"


@pytest.fixture
def worker(source: str) -> Iterator[Executor]:
    executor = connect(registry.resolve(source), Limits(open=5, run=5))
    yield executor
    executor.close()


def model(op: str, dtype: str, quants: list[Quant | None], shape: tuple[int, ...] = (2, 3), **options: object) -> bytes:
    tensors = tuple(TensorDef(f"t{index}", dtype, shape, quant=quant) for index, quant in enumerate(quants))
    slots, out = tuple(range(len(quants) - 1)), len(quants) - 1
    return write_model([Graph(tensors, (Node(op, slots, (out,), options),), slots, (out,))])


def output(outcome: object) -> Array:
    assert isinstance(outcome, Produced), outcome
    return outcome.outputs[0][0]


def test_it_passes_the_smoke_test(source: str) -> None:
    assert [check for check in smoke(registry.resolve(source)) if not check.passed] == []


def test_it_adds_integers_with_their_own_scales_and_zero_points(worker: Executor) -> None:
    data = model("ADD", "int8", [Quant((0.5,), (-4,)), Quant((0.25,), (10,)), Quant((1.0,), (3,))])
    a, b = np.array([[-4, 0, 127], [-128, 2, 4]], np.int8), np.array([[10, 14, 127], [-128, 11, 8]], np.int8)
    # 0.5 * (a + 4) + 0.25 * (b - 10) = 0, 3, 94.75, -96.5, 3.25, 3.5; halves go away from zero; then + 3
    assert output(worker.execute(data, [(a, b)])).tolist() == [[3, 6, 98], [-94, 6, 7]]


def test_it_saturates(worker: Executor) -> None:
    data = model("ABS", "int8", [Quant((1.0,), (0,)), Quant((0.5,), (0,))])
    assert output(worker.execute(data, [(np.full((2, 3), -128, np.int8),)])).tolist() == [[127] * 3] * 2


@pytest.mark.parametrize("shape", [(), (0, 3), (1, 2, 1, 2, 1, 2)])
def test_it_takes_shapes_of_every_rank(worker: Executor, shape: tuple[int, ...]) -> None:
    data = model("ABS", "float32", [None, None], shape)
    values = np.full(shape, -1.5, np.float32)
    assert np.array_equal(output(worker.execute(data, [(values,)])), -values)


def test_it_says_what_it_does_not_support(worker: Executor) -> None:
    fused = model("ADD", "float32", [None] * 3, activation="RELU")
    assert worker.execute(fused, []) == Declined("a fused activation is not supported")
    assert worker.execute(model("MUL", "float32", [None] * 3), []) == Declined(
        "only the operators ADD and ABS are supported"
    )
    assert worker.execute(model("ABS", "int16", [None] * 2), []) == Declined("only float32 and int8 are supported")
    assert worker.execute(model("ABS", "int8", [None] * 2), []) == Rejected("an int8 tensor needs a positive scale")


def test_no_mutated_model_kills_it(worker: Executor) -> None:
    """Under the sanitizers: a read outside the file would be a crash."""
    whole, rng, vector = model("ADD", "float32", [None] * 3), random.Random(7), (np.zeros((2, 3), np.float32),) * 2
    for _ in range(2000):
        bent = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(bent))
            bent[at] = rng.choice([0, 1, 127, 128, 255, bent[at] ^ 1 << rng.randrange(8)])
        outcome = worker.execute(bytes(bent), [vector])
        assert isinstance(outcome, Produced | Declined | Rejected), outcome
