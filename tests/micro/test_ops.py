"""The kernels that belong to the core, against values derived by hand, under sanitizers."""

from __future__ import annotations

import numpy as np
import pytest

from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.harness.isolate import Executor
from opconform.harness.model import Array, Declined, Outcome, Produced, Quant, Rejected, TimedOut

ONE = Quant((1.0,), (0,))
HALF = Quant((0.5,), (0,))


def run(executor: Executor, model: bytes, *inputs: Array) -> list[Array]:
    outcome = executor.execute(model, [inputs])
    assert isinstance(outcome, Produced), outcome
    return list(outcome.outputs[0])


def binary(
    op: str,
    dtype: str,
    shapes: tuple[tuple[int, ...], ...],
    quants: tuple[Quant | None, ...] = (None,) * 3,
    act: str = "NONE",
) -> bytes:
    tensors = tuple(TensorDef(n, dtype, s, quant=q) for n, s, q in zip("aby", shapes, quants, strict=True))
    return write_model([Graph(tensors, (Node(op, (0, 1), (2,), {"activation": act}),), (0, 1), (2,))])


def dense(dtype: str, weights: Array, bias: Array | None, quants: tuple[Quant | None, ...], **options: object) -> bytes:
    units, depth = weights.shape
    wtype = "int8" if dtype == "int16" else dtype
    tensors = [
        TensorDef("x", dtype, (2, depth), quant=quants[0]),
        TensorDef("w", wtype, weights.shape, weights, quants[1]),
        TensorDef("y", dtype, (2, units), quant=quants[2]),
    ]
    inputs: tuple[int, ...] = (0, 1)
    if bias is not None:
        tensors.append(TensorDef("b", str(bias.dtype), bias.shape, bias, quants[3]))
        inputs = (0, 1, 3)
    return write_model([Graph(tuple(tensors), (Node("FULLY_CONNECTED", inputs, (2,), options),), (0,), (2,))])


def reshape(x: tuple[int, ...], y: tuple[int, ...], shape: list[int] | None, option: list[int] | None = None) -> bytes:
    tensors = [TensorDef("x", "float32", x), TensorDef("y", "float32", y)]
    inputs: tuple[int, ...] = (0,)
    if shape is not None:
        tensors.append(TensorDef("shape", "int32", (len(shape),), np.array(shape, np.int32)))
        inputs = (0, 2)
    options = {} if option is None else {"new_shape": option}
    return write_model([Graph(tuple(tensors), (Node("RESHAPE", inputs, (1,), options),), (0,), (1,))])


def counting_loop(limit: float, step: float = 1.0) -> bytes:
    """while a + b < limit: a += step. The condition is made of what every build has: bools come in as constants."""
    main = Graph(
        (TensorDef("x", "float32", ()), TensorDef("y", "float32", ())),
        (Node("WHILE", (0,), (1,), {"cond": 1, "body": 2}),),
        (0,),
        (1,),
    )
    condition = Graph(
        (
            TensorDef("x", "float32", ()),
            TensorDef("limit", "float32", (), np.array(limit, np.float32)),
            TensorDef("again", "bool", ()),
        ),
        (Node("LESS", (0, 1), (2,)),),
        (0,),
        (2,),
    )
    body = Graph(
        (
            TensorDef("x", "float32", ()),
            TensorDef("step", "float32", (), np.array(step, np.float32)),
            TensorDef("y", "float32", ()),
        ),
        (Node("ADD", (0, 1), (2,)),),
        (0,),
        (2,),
    )
    return write_model([main, condition, body])


def test_add_broadcasts_over_six_dimensions(checked: Executor) -> None:
    a = np.arange(24, dtype=np.float32).reshape(1, 2, 1, 3, 1, 4)
    b = np.arange(10, dtype=np.float32).reshape(5, 1, 1, 2, 1) * 100
    model = binary("ADD", "float32", (a.shape, b.shape, (1, 5 * 1, 1, 3, 2, 4)))
    assert isinstance(checked.execute(model, [(a, b)]), Rejected)
    b = np.arange(10, dtype=np.float32).reshape(5, 1, 1, 1, 2, 1) * 100
    model = binary("ADD", "float32", (a.shape, b.shape, (5, 2, 1, 3, 2, 4)))
    np.testing.assert_array_equal(run(checked, model, a, b)[0], a + b)


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_add_of_integers_wraps(checked: Executor, dtype: str) -> None:
    top = np.iinfo(dtype).max
    a, b = np.array([top, -5], dtype), np.array([1, 3], dtype)
    model = binary("ADD", dtype, ((2,), (2,), (2,)))
    assert run(checked, model, a, b)[0].tolist() == [np.iinfo(dtype).min, -2]


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_relu_of_integers_has_no_upper_end(checked: Executor, dtype: str) -> None:
    top = np.iinfo(dtype).max
    model = binary("ADD", dtype, ((2,), (2,), (2,)), act="RELU")
    assert run(checked, model, np.array([top, -5], dtype), np.zeros(2, dtype))[0].tolist() == [top, 0]


def test_relu_of_floats_lets_nan_through(checked: Executor) -> None:
    model = binary("ADD", "float32", ((3,), (), (3,)), act="RELU")
    found = run(checked, model, np.array([np.nan, -1, 1], np.float32), np.array(0, np.float32))[0]
    assert np.isnan(found[0])
    assert found[1:].tolist() == [0, 1]


@pytest.mark.parametrize(("dtype", "zero"), [("int8", -3), ("uint8", 7), ("int16", 0)])
def test_quantized_add_rescales_both_operands(checked: Executor, dtype: str, zero: int) -> None:
    # (q1 - z) * 0.5 + q2 * 1 over steps of 2: (10 * 0.5 + 4) / 2 = 4.5, which the rules round to 5
    quants = (Quant((0.5,), (zero,)), ONE, Quant((2.0,), (zero,)))
    model = binary("ADD", dtype, ((2,), (2,), (2,)), quants)
    found = run(checked, model, np.array([zero + 10, zero], dtype), np.array([4, 0], dtype))[0]
    assert found.tolist() == [zero + 5, zero]


def test_quantized_add_clamps_to_relu6(checked: Executor) -> None:
    model = binary("ADD", "int8", ((3,), (3,), (3,)), (HALF, HALF, Quant((0.25,), (-100,))), act="RELU6")
    found = run(checked, model, np.array([12, 20, -9], np.int8), np.array([-1, 0, 0], np.int8))[0]
    # 5.5 / 0.25 - 100; 10 becomes 6 / 0.25 - 100; -4.5 becomes 0
    assert found.tolist() == [-78, -76, -100]


@pytest.mark.parametrize(
    ("quants", "kind"),
    [
        ((None, None, None), Rejected),
        ((ONE, ONE, Quant((1e-7,), (0,))), Declined),
        ((ONE, ONE, Quant((1.0,), (300,))), Rejected),
        ((ONE, ONE, Quant((0.0,), (0,))), Rejected),
        ((ONE, ONE, Quant((-1.0,), (0,))), Rejected),
        ((ONE, ONE, Quant((float("nan"),), (0,))), Rejected),
    ],
)
def test_bad_quantization_of_add_is_refused(
    checked: Executor, quants: tuple[Quant | None, ...], kind: type[Outcome]
) -> None:
    model = binary("ADD", "int8", ((1,), (1,), (1,)), quants)
    assert isinstance(checked.execute(model, [(np.array([1], np.int8), np.array([1], np.int8))]), kind)


def test_dense_float_adds_bias_and_clamps(checked: Executor) -> None:
    weights = np.array([[1, 2, 3], [-1, 0, 1]], np.float32)
    model = dense("float32", weights, np.array([10, -5], np.float32), (None,) * 4, activation="RELU")
    found = run(checked, model, np.array([[1, 1, 1], [1, 0, 2]], np.float32))[0]
    assert found.tolist() == [[16, 0], [17, 0]]


def test_dense_int8_per_tensor_honours_all_zero_points(checked: Executor) -> None:
    quants = (Quant((0.5,), (3,)), Quant((2.0,), (-1,)), Quant((4.0,), (10,)), Quant((1.0,), (0,)))
    model = dense("int8", np.array([[1, 2], [3, -4]], np.int8), np.array([4, -8], np.int32), quants)
    # row 0: x - 3 = [1, 2], w + 1 = [[2, 3], [4, -3]]; sums 8 + 4 = 12 and -2 - 8 = -10; times 1/4: 3, -2.5 -> -3
    # row 1: x - 3 = [-3, 0]: -6 + 4 = -2 -> -0.5 -> -1 (half away), -12 - 8 = -20 -> -5
    found = run(checked, model, np.array([[4, 5], [0, 3]], np.int8))[0]
    # The first rounding (of the high product) takes halves up: -2.5 stays -2.5 and goes away from zero afterwards.
    assert found.tolist() == [[13, 7], [9, 5]]


def test_dense_int8_per_channel_scales_each_unit(checked: Executor) -> None:
    quants = (ONE, Quant((1.0, 0.25), (0, 0)), ONE)
    model = dense("int8", np.array([[2, 0], [0, 8]], np.int8), None, quants)
    assert run(checked, model, np.array([[3, 5], [-1, -2]], np.int8))[0].tolist() == [[6, 10], [-2, -4]]


@pytest.mark.parametrize("bias_dtype", ["int32", "int64"])
def test_dense_int16_takes_both_kinds_of_bias(checked: Executor, bias_dtype: str) -> None:
    quants = (ONE, ONE, HALF, ONE)
    model = dense("int16", np.array([[100, -100]], np.int8), np.array([7], bias_dtype), quants)
    found = run(checked, model, np.array([[100, 0], [0, 1]], np.int16))[0]
    assert found.tolist() == [[20014], [-186]]


def test_a_bias_with_a_foreign_scale_is_refused(checked: Executor) -> None:
    model = dense("int8", np.ones((1, 2), np.int8), np.array([1], np.int32), (ONE, ONE, ONE, HALF))
    assert isinstance(checked.execute(model, [(np.zeros((2, 2), np.int8),)]), Rejected)


def test_dense_refuses_an_input_that_is_no_multiple_of_the_depth(checked: Executor) -> None:
    tensors = (
        TensorDef("x", "float32", (2, 3)),
        TensorDef("w", "float32", (2, 4), np.zeros((2, 4), np.float32)),
        TensorDef("y", "float32", (1, 2)),
    )
    model = write_model([Graph(tensors, (Node("FULLY_CONNECTED", (0, 1), (2,)),), (0,), (2,))])
    assert isinstance(checked.execute(model, [(np.zeros((2, 3), np.float32),)]), Rejected)


@pytest.mark.parametrize(
    ("shape", "option"), [([3, -1], None), ([3, 2], None), (None, [3, 2]), (None, [-1, 2]), ([-1, 2], [9, 9])]
)
def test_reshape_takes_its_shape_from_tensor_or_option(
    checked: Executor, shape: list[int] | None, option: list[int] | None
) -> None:
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    found = run(checked, reshape((2, 3), (3, 2), shape, option), x)[0]
    np.testing.assert_array_equal(found, x.reshape(3, 2))


@pytest.mark.parametrize("shape", [[2, 3], [3, -2], [-1, -1], [6], [3, 3], None])
def test_reshape_refuses_another_shape_than_the_output(checked: Executor, shape: list[int] | None) -> None:
    outcome = checked.execute(reshape((2, 3), (3, 2), shape), [(np.zeros((2, 3), np.float32),)])
    assert isinstance(outcome, Rejected)


def test_reshape_to_a_scalar_reads_an_empty_shape(checked: Executor) -> None:
    found = run(checked, reshape((1, 1), (), []), np.array([[5]], np.float32))[0]
    assert found.shape == ()
    assert found == 5


def test_tensors_without_elements_pass_through(checked: Executor) -> None:
    assert run(checked, reshape((0, 3), (3, 0), [3, 0]), np.zeros((0, 3), np.float32))[0].shape == (3, 0)
    model = binary("ADD", "float32", ((0, 2), (1, 2), (0, 2)))
    assert run(checked, model, np.zeros((0, 2), np.float32), np.ones((1, 2), np.float32))[0].shape == (0, 2)


@pytest.mark.parametrize(("start", "want"), [(0.0, 5.0), (4.5, 5.5), (9.0, 9.0)])
def test_while_runs_until_its_condition_fails(checked: Executor, start: float, want: float) -> None:
    assert run(checked, counting_loop(5.0), np.array(start, np.float32))[0] == want


def test_an_endless_loop_ends_by_the_budget(checked: Executor) -> None:
    assert isinstance(checked.execute(counting_loop(5.0, step=0.0), [(np.array(0, np.float32),)]), TimedOut)


def test_a_worker_goes_on_after_an_endless_loop(checked: Executor) -> None:
    checked.execute(counting_loop(5.0, step=0.0), [(np.array(0, np.float32),)])
    assert run(checked, counting_loop(2.0), np.array(0, np.float32))[0] == 2
