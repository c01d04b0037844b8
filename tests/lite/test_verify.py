"""Corrupt and contradictory files: one clear line, before anything runs."""

import random
import struct
from typing import Any

import numpy as np
import pytest

from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.harness.model import Quant
from opconform.harness.runtime import InvalidModel, RuntimeFailure, Unsupported
from opconform.runtimes.lite import Lite

X = TensorDef("x", "float32", (2,))
W = TensorDef("w", "float32", (2,), np.array([1, 2], np.float32))
ADD = Node("ADD", (0, 1), (2,))


def graph(*nodes: Node, tensors: tuple[TensorDef, ...] = (X, W, X), fed: Any = (0,), made: Any = (2,)) -> bytes:
    return write_model([Graph(tensors, nodes, fed, made)])


def refused(model: bytes) -> str:
    with pytest.raises(InvalidModel) as error:
        Lite().open(model)
    assert "\n" not in str(error.value)
    return str(error.value)


def runs(model: bytes) -> bool:
    """Open and run a model; return whether it ran, and was not refused in one line. Other errors escape."""
    try:
        Lite().open(model).run([np.zeros(2, np.float32)])
    except RuntimeFailure as error:
        said = str(error).splitlines()
    else:
        return True
    assert len(said) == 1
    return False


def test_every_truncation_is_refused() -> None:
    model = graph(ADD)
    assert runs(model)
    assert not any(runs(model[:length]) for length in range(len(model) - 4))


def test_every_flipped_bit_is_survived() -> None:
    model, ran = graph(ADD), 0
    for position in range(len(model) * 8):
        damaged = bytearray(model)
        damaged[position // 8] ^= 1 << position % 8
        ran += runs(bytes(damaged))
    assert 0 < ran < len(model) * 8


def test_random_bytes_and_extreme_numbers_are_survived() -> None:
    draw = random.Random(2)
    model, ran = graph(ADD), 0
    for _ in range(3000):
        damaged = bytearray(model)
        for _ in range(draw.randrange(1, 4)):
            at = draw.randrange(0, len(model) - 4)
            number = draw.choice([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, len(model), draw.getrandbits(32)])
            struct.pack_into("<I", damaged, at, number)
        ran += runs(bytes(damaged))
    assert 0 < ran < 3000
    for size in (0, 1, 7, 8, 100):
        assert not runs(draw.randbytes(size))


def test_a_file_of_another_kind_says_so() -> None:
    assert refused(b"GIF89a" * 4) == "no .tflite model: the identifier TFL3 at byte 4 is missing"


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (graph(Node("ADD", (0, 9), (2,))), "input 9 is none of the 3 tensors"),
        (graph(Node("ADD", (0, 1), (-1,))), "output -1 is none of the 3 tensors"),
        (graph(ADD, fed=(0, 7)), "input 7 is none of its 3 tensors"),
        (graph(ADD, made=(3,)), "output 3 is none of its 3 tensors"),
        (graph(Node("ADD", (0, 2), (2,))), "reads tensor 2 before anything has computed it"),
        (graph(ADD, ADD), "writes tensor 2, which already has a value"),
        (graph(Node("ADD", (0, 0), (1,)), made=(1,)), "writes tensor 1, which already has a value"),
        (graph(fed=(0,)), "nothing computes its output, tensor 2"),
        (graph(ADD, fed=(0, 1)), "input 1 has a value of its own"),
        (graph(ADD, tensors=(X, W, TensorDef("y", "float32", (3,)))), "declared as [3] and would be [2]"),
        (graph(ADD, tensors=(X, TensorDef("w", "float32", (3,), bytes(8)), X)), "needs 12 bytes of constant data"),
        (graph(ADD, tensors=(X, TensorDef("w", "float32", (3,), bytes(12)), X)), "do not broadcast"),
        (graph(ADD, tensors=(X, TensorDef("w", "int32", (2,), bytes(8)), X)), "all must be the same"),
    ],
)
def test_contradictions_are_refused(model: bytes, message: str) -> None:
    assert message in refused(model)


@pytest.mark.parametrize("scale", [0.0, -1.0, float("inf"), float("nan")])
def test_scales_that_are_no_scales_are_refused(scale: float) -> None:
    tensor = TensorDef("x", "int8", (2,), quant=Quant((scale,), (0,)))
    assert "a scale of" in refused(graph(Node("ADD", (0, 1), (2,)), tensors=(tensor,) * 3, fed=(0, 1)))


def test_a_loop_that_runs_itself_is_refused() -> None:
    flag = TensorDef("c", "bool", (1,))
    loop = Node("WHILE", (0,), (1,), {"cond": 1, "body": 2})
    model = write_model(
        [
            Graph((X, X), (loop,), (0,), (1,)),
            Graph((X, flag, W), (Node("LESS", (0, 2), (1,)),), (0,), (1,)),
            Graph((X, X), (loop,), (0,), (1,)),
        ]
    )
    assert "runs itself" in refused(model)


def test_more_elements_than_any_machine_holds_are_declined() -> None:
    big = TensorDef("x", "float32", (1 << 20, 1 << 20))
    with pytest.raises(Unsupported, match="elements are supported"):
        Lite().open(graph(Node("ABS", (0,), (1,)), tensors=(big, big), made=(1,)))


def test_an_unknown_operator_is_declined_by_its_code() -> None:
    with pytest.raises(Unsupported, match="operator with the builtin code 177 is not supported"):
        Lite().open(graph(Node("ADD", (0, 1), (2,), code=177)))
