"""Ops that work by integers: shapes that follow data, and what broken models and inputs are answered."""

from typing import Any

import numpy as np
import pytest

from opconform.harness.flatmodel import Graph, Node, TensorDef, one_op, write_model
from opconform.harness.runtime import InvalidModel
from opconform.runtimes.lite import Lite

INT, REAL = np.int32, np.float32


def run(model: bytes, *inputs: Any) -> list[Any]:
    return [np.asarray(y).tolist() for y in Lite().open(model).run([np.asarray(value) for value in inputs])]


def test_the_shape_of_a_scatter_follows_its_input_from_run_to_run() -> None:
    tensors = [TensorDef("rows", "int32", (2, 1)), TensorDef("u", "int32", (2,)), TensorDef("shape", "int32", (1,))]
    session = Lite().open(one_op("SCATTER_ND", tensors, [TensorDef("y", "int32", (1,))]))
    rows, updates = np.array([[1], [1]], INT), np.array([3, 4], INT)
    for extent, want in ((2, [0, 7]), (4, [0, 7, 0, 0])):
        assert session.run([rows, updates, np.array([extent], INT)])[0].tolist() == want
    with pytest.raises(InvalidModel, match="2 rows of indices lie outside"):
        session.run([rows, updates, np.array([1], INT)])
    with pytest.raises(InvalidModel, match="no extent is negative"):
        session.run([rows, updates, np.array([-5], INT)])


def test_numbers_of_segments_decide_how_many_sums_there_are() -> None:
    tensors = [TensorDef("x", "int32", (3,)), TensorDef("ids", "int32", (3,))]
    session = Lite().open(one_op("SEGMENT_SUM", tensors, [TensorDef("y", "int32", (1,))]))
    x = np.array([1, 2, 3], INT)
    assert session.run([x, np.array([0, 0, 1], INT)])[0].tolist() == [3, 3]
    assert session.run([x, np.array([0, 2, 2], INT)])[0].tolist() == [1, 0, 5]
    with pytest.raises(InvalidModel, match="ascend"):
        session.run([x, np.array([1, 0, 2], INT)])


def test_what_unique_finds_feeds_the_next_operator() -> None:
    tensors = (
        TensorDef("x", "int32", (5,)),
        TensorDef("y", "int32", (1,)),
        TensorDef("idx", "int32", (5,)),
        TensorDef("axis", "int32", (1,), np.array([0], INT)),
        TensorDef("most", "int32", ()),
    )
    nodes = (
        Node("UNIQUE", (0,), (1, 2), {"idx_out_type": "int32"}),
        Node("REDUCE_MAX", (1, 3), (4,), {"keep_dims": False}),
    )
    session = Lite().open(write_model([Graph(tensors, nodes, (0,), (1, 4))]))
    for x, found in (([4, 4, 4, 4, 4], [4]), ([1, 2, 1, 9, 2], [1, 2, 9])):
        y, most = session.run([np.array(x, INT)])
        assert y.tolist() == found
        assert int(most) == max(found)


def test_unique_keeps_many_elements_apart() -> None:
    x = (np.arange(5000, dtype=np.int64) * 2654435761 % 1009) << 32
    model = one_op(
        "UNIQUE", [TensorDef("x", "int64", (5000,))], [TensorDef("y", "int64", (1,)), TensorDef("i", "int32", (5000,))]
    )
    y, numbers = run(model, x)
    assert np.array(y)[numbers].tolist() == x.tolist()
    assert len(y) == len(set(x.tolist()))


def _sparse() -> bytes:
    tensors = [
        TensorDef("ids", "int32", (1,)),
        TensorDef("places", "int32", (1, 2)),
        TensorDef("dense", "int32", (2,), np.array([2, 2], INT)),
        TensorDef("weights", "float32", (1,)),
        TensorDef("table", "float32", (1, 1)),
    ]
    model: bytes = one_op("EMBEDDING_LOOKUP_SPARSE", tensors, [TensorDef("y", "float32", (2, 1))], {"combiner": "SUM"})
    return model


@pytest.mark.parametrize("place", [[2, 0], [-1, 0], [0, 2], [2**31 - 1, 1]])
def test_a_sparse_place_outside_of_the_dense_shape_is_refused(place: list[int]) -> None:
    model = _sparse()
    numbers = (np.array([1], REAL), np.array([[5]], REAL))
    assert run(model, np.array([0], INT), np.array([[1, 0]], INT), *numbers) == [[[0.0], [5.0]]]
    with pytest.raises(InvalidModel, match="1 ids or indices lie outside"):
        run(model, np.array([0], INT), np.array([place], INT), *numbers)


def test_places_must_ascend_where_they_are_to_be_validated() -> None:
    tensors = [
        TensorDef("rows", "int32", (2,)),
        TensorDef("shape", "int32", (1,), np.array([3], INT)),
        TensorDef("values", "int32", (2,), np.array([7, 8], INT)),
        TensorDef("default", "int32", (), np.array(0, INT)),
    ]
    for validate in (False, True):
        model = one_op("SPARSE_TO_DENSE", tensors, [TensorDef("y", "int32", (3,))], {"validate_indices": validate})
        assert run(model, np.array([0, 2], INT)) == [[7, 0, 8]]
        if validate:
            with pytest.raises(InvalidModel, match="do not ascend"):
                run(model, np.array([2, 0], INT))
        else:
            assert run(model, np.array([2, 0], INT)) == [[8, 0, 7]]


def test_a_huge_index_does_not_wrap_into_the_tensor() -> None:
    tensors = [TensorDef("x", "float32", (3, 2)), TensorDef("rows", "int64", (1, 2))]
    model = one_op("GATHER_ND", tensors, [TensorDef("y", "float32", (1,))])
    x = np.arange(6, dtype=REAL).reshape(3, 2)
    assert run(model, x, np.array([[2, 1]], np.int64)) == [[5.0]]
    for row in ([2**62, 0], [0, -(2**63)], [1 << 32, 1]):
        with pytest.raises(InvalidModel, match="1 rows of indices lie outside"):
            run(model, x, np.array([row], np.int64))


def _boxes(n: int) -> bytes:
    scalars = [TensorDef(name, "float32", ()) for name in ("overlap", "least", "sigma")]
    tensors = [
        TensorDef("boxes", "float32", (n, 4)),
        TensorDef("scores", "float32", (n,)),
        TensorDef("most", "int32", ()),
    ]
    outputs = [TensorDef("y", "int32", (1,)), TensorDef("kept", "float32", (1,)), TensorDef("count", "int32", ())]
    model: bytes = one_op("NON_MAX_SUPPRESSION_V5", [*tensors, *scalars], outputs)
    return model


def test_suppression_gives_as_many_places_as_are_asked_for() -> None:
    session = Lite().open(_boxes(2))
    boxes, scores = np.array([[0, 0, 1, 1], [2, 2, 3, 3]], REAL), np.array([0.25, 0.5], REAL)
    rest = (np.array(0.5, REAL), np.array(0, REAL), np.array(0, REAL))
    for most, want in ((1, [1]), (4, [1, 0, 0, 0]), (0, [])):
        y, _, count = session.run([boxes, scores, np.array(most, INT), *rest])
        assert y.tolist() == want
        assert int(count) == min(most, 2)


@pytest.mark.parametrize("broken", [(float("nan"), 0.0), (1.5, 0.0), (0.5, -1.0), (0.5, float("nan"))])
def test_thresholds_out_of_range_are_refused(broken: tuple[float, float]) -> None:
    numbers = [np.array(value, REAL) for value in (broken[0], 0.0, broken[1])]
    with pytest.raises(InvalidModel, match="between 0 and 1"):
        run(_boxes(1), np.zeros((1, 4), REAL), np.ones(1, REAL), np.array(1, INT), *numbers)


def test_scores_that_are_not_numbers_are_never_chosen() -> None:
    numbers = [np.array(value, REAL) for value in (0.5, -1.0, 0.5)]
    scores = np.array([np.nan, 0.5], REAL)
    y, _, count = run(_boxes(2), np.zeros((2, 4), REAL), scores, np.array(2, INT), *numbers)
    assert y == [1, 0]
    assert count == 1
