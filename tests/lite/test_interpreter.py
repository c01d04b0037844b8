"""The session: memory, state, control flow, shapes that depend on data."""

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.harness.runtime import InvalidModel, RuntimeFailure, Unsupported
from opconform.runtimes.lite import Lite, interpreter


def f32(name: str, *shape: int, data: Any = None) -> TensorDef:
    return TensorDef(name, "float32", shape, None if data is None else np.array(data, np.float32).reshape(shape))


def count_up(limit: float) -> bytes:
    """Return a model that adds 1 to x until it is not below the limit."""
    one, scalar, flag = f32("one", 1, data=1), f32("x", 1), TensorDef("c", "bool", (1,))
    return write_model(
        [
            Graph((scalar, scalar), (Node("WHILE", (0,), (1,), {"cond": 1, "body": 2}),), (0,), (1,)),
            Graph((scalar, f32("limit", 1, data=limit), flag), (Node("LESS", (0, 1), (2,)),), (0,), (2,)),
            Graph((scalar, one, scalar), (Node("ADD", (0, 1), (2,)),), (0,), (2,)),
        ]
    )


def test_weights_of_a_mapped_file_are_views_of_it(tmp_path: Path) -> None:
    tensors = (f32("x", 1, 64), f32("w", 8, 64, data=np.ones((8, 64))), f32("y", 1, 8))
    (tmp_path / "m.tflite").write_bytes(
        write_model([Graph(tensors, (Node("FULLY_CONNECTED", (0, 1), (2,)),), (0,), (2,))])
    )
    session = Lite().open_file(tmp_path / "m.tflite")
    weights = session._executor.flats[1]
    assert not weights.flags.owndata
    assert np.shares_memory(weights, session._services.model.subgraphs[0].tensors[1].data)
    assert session.run([np.ones((1, 64), np.float32)])[0].tolist() == [[64.0] * 8]


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(b"")
    with pytest.raises(InvalidModel, match="is empty"):
        Lite().open_file(tmp_path / "m.tflite")


def test_intermediate_tensors_share_one_arena() -> None:
    tensors = tuple(f32(f"t{i}", 160) for i in range(7))
    nodes = tuple(Node("ABS", (i,), (i + 1,)) for i in range(6))
    session = Lite().open(write_model([Graph(tensors, nodes, (0,), (6,))]))
    assert session.meters()["arena"] == 2 * 640
    session.run([np.ones(160, np.float32)])
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    session._executor.run()
    assert tracemalloc.get_traced_memory()[0] - before < 200
    tracemalloc.stop()


def test_inputs_are_left_alone_and_outputs_are_copies() -> None:
    session = Lite().open(write_model([Graph((f32("x", 2), f32("y", 2)), (Node("ABS", (0,), (1,)),), (0,), (1,))]))
    x = np.array([-1, -2], np.float32)
    first = session.run([x])[0]
    session.run([np.zeros(2, np.float32)])
    assert x.tolist() == [-1, -2]
    assert first.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([], "0 inputs are given; the model has 1"),
        ([np.zeros(2, np.int32)], "input 0 is int32; float32 is needed"),
        ([np.zeros(3, np.float32)], r"input 0 has the shape \[3\]; \[2\] is needed"),
    ],
)
def test_wrong_inputs_are_refused(inputs: list[Any], message: str) -> None:
    session = Lite().open(write_model([Graph((f32("x", 2), f32("y", 2)), (Node("ABS", (0,), (1,)),), (0,), (1,))]))
    with pytest.raises(InvalidModel, match=message):
        session.run(inputs)


def test_a_loop_runs_until_its_condition_fails() -> None:
    session = Lite().open(count_up(5.5))
    assert session.run([np.array([0.25], np.float32)])[0].tolist() == [6.25]
    assert session.run([np.array([9], np.float32)])[0].tolist() == [9.0]


def test_an_endless_loop_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "LOOP_SECONDS", 0.05)
    session = Lite().open(count_up(np.inf))
    with pytest.raises(RuntimeFailure, match="did not end within"):
        session.run([np.array([0], np.float32)])


def test_a_shape_that_is_fed_is_followed_and_may_change() -> None:
    tensors = (f32("x", 2, 3), TensorDef("s", "int32", (2,)), f32("y", 1, 1), f32("z", 1, 1))
    nodes = (Node("RESHAPE", (0, 1), (2,)), Node("ABS", (2,), (3,)))
    session = Lite().open(write_model([Graph(tensors, nodes, (0, 1), (3,))]))
    x = -np.arange(6, dtype=np.float32).reshape(2, 3)
    for shape in ([3, 2], [6, 1], [-1, 2], [3, 2]):
        got = session.run([x, np.array(shape, np.int32)])[0]
        assert np.array_equal(got, np.abs(x).reshape(shape))
    with pytest.raises(InvalidModel, match="does not reshape"):
        session.run([x, np.array([4, 2], np.int32)])


def test_operators_behind_a_data_dependent_shape_follow_it() -> None:
    tensors = (TensorDef("x", "bool", (4,)), TensorDef("i", "int64", (1, 1)), TensorDef("y", "int64", (1, 1)))
    nodes = (Node("WHERE", (0,), (1,)), Node("ADD", (1, 1), (2,)))
    session = Lite().open(write_model([Graph(tensors, nodes, (0,), (2,))]))
    for x in ([0, 1, 1, 1], [0, 0, 0, 0], [1, 0, 0, 1]):
        assert session.run([np.array(x, np.bool_)])[0].ravel().tolist() == [2 * i for i in range(4) if x[i]]


def test_variables_live_as_long_as_the_session() -> None:
    handle, value = TensorDef("h", "resource", (1,)), f32("v", 2)
    tensors = (f32("x", 2), handle, value, f32("y", 2))
    nodes = (
        Node("VAR_HANDLE", (), (1,), {"container": "", "shared_name": "sum"}),
        Node("READ_VARIABLE", (1,), (2,)),
        Node("ADD", (0, 2), (3,)),
        Node("ASSIGN_VARIABLE", (1, 3), ()),
    )
    model = write_model([Graph(tensors, nodes, (0,), (3,))])
    session, x = Lite().open(model), np.array([1, 10], np.float32)
    assert [session.run([x])[0].tolist() for _ in range(3)] == [[1, 10], [2, 20], [3, 30]]
    assert Lite().open(model).run([x])[0].tolist() == [1, 10]


def test_two_sessions_do_not_share_state() -> None:
    tensors = (
        f32("x", 1, 1),
        f32("f", 1, 1, data=1),
        f32("t", 1, 2, data=[1, 1]),
        f32("b", 1, data=0),
        TensorDef("s", "float32", (1, 2), variable=True),
        f32("y", 1, 1),
    )
    model = write_model([Graph(tensors, (Node("SVDF", (0, 1, 2, 3, 4), (5,), {"rank": 1}),), (0,), (5,))])
    a, b = Lite().open(model), Lite().open(model)
    feed = [np.array([[x]], np.float32) for x in (1, 10, 100)]
    assert [a.run([x])[0].item() for x in feed] == [1, 11, 110]
    assert b.run([feed[0]])[0].item() == 1


def test_an_unknown_variant_is_named() -> None:
    with pytest.raises(Unsupported, match="lite has no variant 'gpu'; host, blas are known"):
        Lite("gpu")
