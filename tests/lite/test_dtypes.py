"""Floats of 16 bits, strings and weights of four bits in lite."""

from __future__ import annotations

import numpy as np
import pytest

from opconform.harness.flatmodel import Graph, Node, TensorDef, packed_strings, write_model
from opconform.harness.model import DTYPES, Array
from opconform.harness.runtime import InvalidModel, Unsupported
from opconform.runtimes.lite import Lite

WORDS = np.array([b"one", b"", b"three"], DTYPES["string"][0])


def picked(stored: Array | bytes) -> bytes:
    """Return a model that picks from three stored strings."""
    tensors = (TensorDef("x", "string", (3,), stored), TensorDef("i", "int32", (2,)), TensorDef("y", "string", (2,)))
    return write_model([Graph(tensors, (Node("GATHER", (0, 1), (2,), {"axis": 0}),), (1,), (2,))])


def run(model: bytes, *inputs: Array) -> Array:
    return np.asarray(Lite().open(model).run(inputs)[0])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_short_float_is_computed_in_float32_and_rounded_once(dtype: str) -> None:
    kind = DTYPES[dtype][0]
    x = np.array([1.5, -3.0, 0.1, 200.0]).astype(kind)
    factor = np.array([3.0]).astype(kind)
    tensors = (TensorDef("x", dtype, (4,)), TensorDef("c", dtype, (1,), factor), TensorDef("y", dtype, (4,)))
    model = write_model([Graph(tensors, (Node("MUL", (0, 1), (2,), {"activation": "RELU"}),), (0,), (2,))])
    wanted = np.maximum(x.astype(np.float64) * 3.0, 0.0).astype(kind)
    assert run(model, x).tobytes() == wanted.tobytes()


def test_stored_strings_are_read() -> None:
    assert run(picked(WORDS), np.array([2, 0], np.int32)).tolist() == [b"three", b"one"]


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (packed_strings(WORDS[:2]), "needs 3 strings"),
        (packed_strings(WORDS)[:-1], "outside its buffer"),
        (np.array([3, 20, 28, 24, 28], np.int32).tobytes() + b"x" * 8, "outside its buffer"),
        (b"\x03\0\0\0", "needs 3 strings"),
    ],
)
def test_broken_strings_are_refused(broken: bytes, words: str) -> None:
    with pytest.raises(InvalidModel, match=words):
        Lite().open(picked(broken))


def test_a_string_that_is_too_long_is_declined() -> None:
    with pytest.raises(Unsupported, match="more than 32 bytes"):
        Lite().open(picked(np.array([3, 20, 60, 60, 60], np.int32).tobytes() + b"x" * 40))


def test_weights_of_four_bits_are_unpacked() -> None:
    weights = np.array([[1, -8, 7]], np.int8)
    packed = write_model(
        [
            Graph(
                (
                    TensorDef("x", "int4", (1, 3), weights),
                    TensorDef("i", "int32", (1,)),
                    TensorDef("y", "int4", (1, 3)),
                ),
                (Node("GATHER", (0, 1), (2,), {"axis": 0}),),
                (1,),
                (2,),
            )
        ]
    )
    assert run(packed, np.zeros(1, np.int32)).tolist() == [[1, -8, 7]]
