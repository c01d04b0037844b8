"""Ops that mirror, reverse, spread, recode and sample in lite: shapes known only at run time, and broken models."""

from typing import Any

import numpy as np
import pytest

from opconform.harness.flatmodel import TensorDef, one_op
from opconform.harness.runtime import InvalidModel
from opconform.runtimes.lite import Lite

X = np.arange(6, dtype=np.float32).reshape(2, 3)


def fed(name: str, dtype: str, *shape: int) -> TensorDef:
    return TensorDef(name, dtype, shape)


def run(model: bytes, *inputs: Any) -> np.ndarray[Any, Any]:
    return np.asarray(Lite().open(model).run([np.asarray(value) for value in inputs])[0])


@pytest.mark.parametrize(
    ("op", "argument", "rest", "options", "expected"),
    [
        ("PADV2", [[1, 0], [0, 1]], [np.float32(9)], {}, [[9, 9, 9, 9], [0, 1, 2, 9], [3, 4, 5, 9]]),
        ("MIRROR_PAD", [[1, 0], [0, 0]], [], {"mode": "REFLECT"}, [[3, 4, 5], [0, 1, 2], [3, 4, 5]]),
        ("REVERSE_V2", [1], [], {}, [[2, 1, 0], [5, 4, 3]]),
        ("BROADCAST_TO", [1, 2, 3], [], {}, [[[0, 1, 2], [3, 4, 5]]]),
        ("DILATE", [2, 1], [np.float32(7)], {}, [[0, 1, 2], [7, 7, 7], [3, 4, 5]]),
    ],
)
def test_what_determines_the_shape_may_be_fed(op: str, argument: Any, rest: Any, options: Any, expected: Any) -> None:
    whole = np.array(argument, np.int32)
    tensors = [fed("x", "float32", 2, 3), TensorDef("a", "int32", whole.shape)]
    tensors += [TensorDef("v", "float32", (), np.asarray(value)) for value in rest]
    model = one_op(op, tensors, [fed("y", "float32", *np.shape(expected))], options)
    assert run(model, X, whole).tolist() == expected


def test_one_session_follows_sizes_that_change() -> None:
    tensors = [fed("x", "float32", 1, 2, 1, 1), fed("size", "int32", 2)]
    session = Lite().open(one_op("RESIZE_NEAREST_NEIGHBOR", tensors, [fed("y", "float32", 1, 1, 1, 1)]))
    x = np.array([1, 2], np.float32).reshape(1, 2, 1, 1)
    sizes = ([4, 1], [1, 3], [2, 2])
    found = [np.asarray(session.run([x, np.array(size, np.int32)])[0]).ravel().tolist() for size in sizes]
    assert found == [[1, 1, 2, 2], [1, 1, 1], [1, 1, 2, 2]]


@pytest.mark.parametrize(
    ("op", "shape", "others", "options", "inputs", "message"),
    [
        ("REVERSE_SEQUENCE", (2, 3), [("n", "int32", 2)], {"seq_dim": 1}, [[4, 0]], "1 lengths lie outside of 0 .. 3"),
        ("REVERSE_SEQUENCE", (2, 3), [("n", "int32", 2)], {"seq_dim": 1}, [[-1, -9]], "2 lengths lie outside"),
        ("REVERSE_SEQUENCE", (2, 3), [("n", "int32", 2)], {"seq_dim": 7}, [[0, 0]], "seq_dim 7 and batch_dim 0"),
        ("REVERSE_SEQUENCE", (2, 3), [("n", "int32", 2)], {"seq_dim": -1}, [[0, 0]], "two different axes are needed"),
        ("REVERSE_V2", (2, 3), [("a", "int32", 2)], {}, [[1, -1]], "one is named twice"),
        ("MIRROR_PAD", (2, 3), [("p", "int32", 2, 2)], {}, [[[2, 0], [0, 0]]], "2 mirrored cells of an axis of 2"),
        ("RESIZE_NEAREST_NEIGHBOR", (1, 2, 3, 1), [("s", "int32", 2)], {}, [[2**24, 2**24]], "a size of"),
        ("BROADCAST_TO", (2, 3), [("s", "int32", 2)], {}, [[2, 2**30]], "does not broadcast"),
        ("MATRIX_SET_DIAG", (2, 3), [("d", "float32", 3)], {}, [[0, 0, 0]], "diagonals of"),
        ("DYNAMIC_UPDATE_SLICE", (2, 3), [("u", "float32", 3, 3), ("s", "int32", 2)], {}, [X[:1], [0, 0]], "is larger"),
        ("MULTINOMIAL", (2, 3), [("n", "int32")], {"seed": 1}, [-1], "-1 samples"),
        ("MULTINOMIAL", (2, 3), [("n", "int32")], {"seed": 1}, [2**31 - 1], "samples of each of 2 rows"),
    ],
)
def test_what_would_reach_outside_is_refused(
    op: str, shape: Any, others: Any, options: Any, inputs: Any, message: str
) -> None:
    tensors = [fed("x", "float32", *shape), *[fed(*other) for other in others]]
    out = fed("y", "int32" if op == "MULTINOMIAL" else "float32", *shape)
    arrays = [
        np.broadcast_to(np.asarray(value, dtype), dims) for value, (_, dtype, *dims) in zip(inputs, others, strict=True)
    ]
    with pytest.raises(InvalidModel, match=message):
        run(one_op(op, tensors, [out], options), X.reshape(shape), *arrays)


def test_a_start_far_outside_is_moved_inside() -> None:
    tensors = [fed("x", "float32", 2, 3), fed("u", "float32", 1, 2), fed("s", "int64", 2)]
    model = one_op("DYNAMIC_UPDATE_SLICE", tensors, [fed("y", "float32", 2, 3)])
    update = np.array([[8, 9]], np.float32)
    assert run(model, X, update, np.array([2**62, -(2**62)])).tolist() == [[0, 1, 2], [8, 9, 5]]


@pytest.mark.parametrize(
    ("op", "options", "message"),
    [
        ("FAKE_QUANT", {"min": 1.0, "max": 0.0, "num_bits": 8}, "the range 1 to 0"),
        ("FAKE_QUANT", {"min": 0.0, "max": float("nan"), "num_bits": 8}, "must be finite"),
        ("FAKE_QUANT", {"min": 0.0, "max": 1.0, "num_bits": 64}, "num_bits is 64"),
    ],
)
def test_a_range_without_steps_is_refused(op: str, options: Any, message: str) -> None:
    with pytest.raises(InvalidModel, match=message):
        run(one_op(op, [fed("x", "float32", 2, 3)], [fed("y", "float32", 2, 3)], options), X)


@pytest.mark.parametrize("boundaries", [(2.0, 1.0), (1.0, float("nan"), 2.0)])
def test_boundaries_that_are_not_sorted_are_refused(boundaries: Any) -> None:
    model = one_op("BUCKETIZE", [fed("x", "float32", 2, 3)], [fed("y", "int32", 2, 3)], {"boundaries": boundaries})
    with pytest.raises(InvalidModel, match="not sorted"):
        run(model, X)


def test_random_streams_go_on_and_start_again_with_the_session() -> None:
    shape = np.array([7], np.int32)
    model = one_op("RANDOM_STANDARD_NORMAL", [fed("s", "int32", 1)], [fed("y", "float32", 7)], {"seed": 5})
    session = Lite().open(model)
    first, second = (np.array(session.run([shape])[0]) for _ in range(2))
    assert not np.array_equal(first, second)
    assert np.array_equal(run(model, shape), first)
