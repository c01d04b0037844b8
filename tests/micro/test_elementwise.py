"""Elementwise kernels of micro where conformance does not reach: long tensors, ends of types, shared memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from opconform.harness.flatmodel import Graph, Node, TensorDef, one_op, write_model
from opconform.harness.isolate import Executor
from opconform.harness.model import Array, Declined, Outcome, Produced, Quant, Rejected
from opconform.harness.numerics import FAMILIES, integer_range, round_half_away

RESCALE = FAMILIES["double_rounding"]
#: More elements than conformance has, so that a table of all 256 values pays.
LONG = 600


def tensor(shape: tuple[int, ...], dtype: str = "float32", quant: Quant | None = None) -> TensorDef:
    return TensorDef("t", dtype, shape, quant=quant)


def result(executor: Executor, model: bytes, *inputs: Array) -> Outcome:
    return executor.execute(model, [inputs])


def value(executor: Executor, model: bytes, *inputs: Array) -> Array:
    outcome = result(executor, model, *inputs)
    assert isinstance(outcome, Produced), outcome
    return outcome.outputs[0][0]


def rescaled(slope: float, activation: tuple[float, float]) -> Callable[[Array, Quant, Quant], Array]:
    """Two factors, then a clamp of real values: the definition of the rectifiers."""

    def run(centred: Array, x: Quant, y: Quant) -> Array:
        factor = x.scale[0] / y.scale[0]
        below = np.sign(slope) * RESCALE(centred, abs(slope) * factor)
        steps = np.where(centred >= 0, RESCALE(centred, factor), below)
        low, high = (round_half_away(np.asarray(limit) / y.scale[0]) for limit in activation)
        return np.asarray(np.clip(steps, low, high))

    return run


def real(function: Callable[[float], float]) -> Callable[[Array, Quant, Quant], Array]:
    def run(centred: Array, x: Quant, y: Quant) -> Array:
        values = [function(float(v) * x.scale[0]) for v in centred]
        return np.asarray(round_half_away(np.clip(np.asarray(values) / y.scale[0], -1e6, 1e6)))

    return run


def logarithm(x: float) -> float:
    return math.log(x) if x > 0 else -math.inf


BOTH = ("int8", "uint8")
FUNCTIONS: list[tuple[str, str, dict[str, Any], Callable[[Array, Quant, Quant], Array]]] = [
    *(("RELU", dtype, {}, rescaled(0.0, (0, math.inf))) for dtype in BOTH),
    *(("RELU6", dtype, {}, rescaled(0.0, (0, 6))) for dtype in BOTH),
    *(("LEAKY_RELU", dtype, {"alpha": -0.375}, rescaled(-0.375, (-math.inf, math.inf))) for dtype in BOTH),
    ("ELU", "int8", {}, real(lambda x: math.expm1(x) if x < 0 else x)),
    ("LOG", "int8", {}, real(logarithm)),
]


@pytest.mark.parametrize(("op", "dtype", "options", "function"), FUNCTIONS, ids=[f"{f[0]}-{f[1]}" for f in FUNCTIONS])
def test_long_tensors_have_the_values_of_the_definition(
    checked: Executor, op: str, dtype: str, options: dict[str, Any], function: Callable[[Array, Quant, Quant], Array]
) -> None:
    low, high = integer_range(dtype)
    x, y = Quant((0.0625,), (low + 90,)), Quant((0.046875,), (low + 100,))
    data = np.random.default_rng(5).permutation(np.resize(np.arange(low, high + 1), LONG)).astype(dtype)
    found = value(checked, one_op(op, [tensor((LONG,), dtype, x)], [tensor((LONG,), dtype, y)], options), data)
    wanted = function(data.astype(np.int64) - x.zero_point[0], x, y) + y.zero_point[0]
    np.testing.assert_array_equal(found, np.clip(wanted, low, high))


def test_a_sum_may_lie_on_top_of_a_term_that_occurs_twice(checked: Executor) -> None:
    """The negative dies in the sum, which takes its place."""
    tensors = (tensor((40,)), tensor((40,)), tensor((40,)))
    nodes = (Node("NEG", (0,), (1,), {}), Node("ADD_N", (1, 0, 1, 1), (2,), {}))
    x = np.arange(40, dtype=np.float32)
    found = value(checked, write_model([Graph(tensors, nodes, (0,), (2,))]), x)
    np.testing.assert_array_equal(found, -2 * x)


def test_an_output_of_bytes_is_not_put_on_an_input_of_words_that_is_as_long(checked: Executor) -> None:
    """Two words have as many bytes as eight truth values, but are read again for every row."""
    tensors = (tensor((2,), "int32"), tensor((4, 1), "int32"), tensor((2,), "int32"), tensor((4, 2), "bool"))
    nodes = (Node("NEG", (0,), (2,), {}), Node("LESS", (2, 1), (3,), {}))
    a, b = np.array([3, -4], np.int32), np.array([[-5], [0], [4], [9]], np.int32)
    found = value(checked, write_model([Graph(tensors, nodes, (0, 1), (3,))]), a, b)
    np.testing.assert_array_equal(found, -a < b)


LEAST = -(2**31)


@pytest.mark.parametrize(("op", "wanted"), [("FLOOR_DIV", LEAST), ("FLOOR_MOD", 0)])
def test_the_least_integer_divided_by_minus_one_wraps(checked: Executor, op: str, wanted: int) -> None:
    model = one_op(op, [tensor((1,), "int32"), tensor((1,), "int32")], [tensor((1,), "int32")])
    found = value(checked, model, np.array([LEAST], np.int32), np.array([-1], np.int32))
    assert found.tolist() == [wanted]


def test_floored_quotients_are_right_next_to_whole_numbers(checked: Executor) -> None:
    """Quotients that float32 rounds to a whole number, from both sides."""
    rng = np.random.default_rng(7)
    whole = rng.integers(1, 2**20, 4000).astype(np.float64) * rng.choice([-1, 1], 4000)
    b = rng.uniform(0.01, 100, 4000).astype(np.float32) * rng.choice([-1, 1], 4000).astype(np.float32)
    a = (whole * b).astype(np.float32)
    model = one_op("FLOOR_DIV", [tensor((4000,)), tensor((4000,))], [tensor((4000,))])
    found = value(checked, model, a, b)
    wanted = np.floor(a.astype(np.float64) / b.astype(np.float64))
    rounded_up = np.count_nonzero(np.floor(a / b) != wanted)
    assert rounded_up > 100
    np.testing.assert_array_equal(found, wanted.astype(np.float32))


def test_casts_of_what_no_integer_holds_give_some_number(checked: Executor) -> None:
    x = np.array([math.nan, math.inf, -math.inf, 3e38, -1e30, 1e19, 1e-45], np.float32)
    for dtype in ("int8", "uint32", "int64"):
        assert value(checked, one_op("CAST", [tensor((7,))], [tensor((7,), dtype)]), x).shape == (7,)
    truths = value(checked, one_op("CAST", [tensor((7,))], [tensor((7,), "bool")]), x)
    assert truths.all()


def test_the_fused_clamp_of_a_difference_passes_what_is_no_number(checked: Executor) -> None:
    a, b = np.array([math.nan, math.inf, 1, 9, 5], np.float32), np.array([1, 1, 4, 1, 1], np.float32)
    model = one_op("SUB", [tensor((5,)), tensor((5,))], [tensor((5,))], {"activation": "RELU6"})
    np.testing.assert_array_equal(value(checked, model, a, b), [math.nan, 6, 0, 6, 4])


def test_log_softmax_of_many_equal_values_is_as_low_as_its_sum_is_kept(checked: Executor) -> None:
    """Above 4095 terms the sum saturates, at 2**12: ln(4096) = 8.32 are 133 sixteenths, below the least output."""
    model = one_op(
        "LOG_SOFTMAX",
        [tensor((5000,), "int8", Quant((0.5,), (0,)))],
        [tensor((5000,), "int8", Quant((1 / 16,), (127,)))],
    )
    assert set(value(checked, model, np.full(5000, 3, np.int8)).tolist()) == {127 - 133}


@pytest.mark.parametrize("scale", [2.0**-30, 1e-3, 64.0, 1e9])
def test_log_softmax_takes_any_input_scale(checked: Executor, scale: float) -> None:
    quant = Quant((scale,), (0,))
    model = one_op("LOG_SOFTMAX", [tensor((3,), "int8", quant)], [tensor((3,), "int8", Quant((1 / 16,), (127,)))])
    x = np.array([-100, 7, 9], np.int8)
    real_x = x.astype(np.float64) * scale
    below = real_x - real_x.max()
    wanted = np.clip(np.rint(16 * (below - np.log(np.exp(below).sum()))) + 127, -128, 127)
    assert np.abs(value(checked, model, x) - wanted).max() <= 1


Q, OTHER = Quant((0.5,), (0,)), Quant((0.25,), (0,))
REFUSED: dict[str, bytes] = {
    "a maximum of two quantizations": one_op(
        "MAXIMUM", [tensor((2,), "int8", Q), tensor((2,), "int8", OTHER)], [tensor((2,), "int8", Q)]
    ),
    "a maximum whose output alone has a scale": one_op(
        "MAXIMUM", [tensor((2,), "int8"), tensor((2,), "int8")], [tensor((2,), "int8", Q)]
    ),
    "slopes of 16 bits": one_op(
        "PRELU", [tensor((2,), "int16", Q), tensor((2,), "int16", Q)], [tensor((2,), "int16", Q)]
    ),
    "slopes of more dimensions than the input": one_op("PRELU", [tensor((2,)), tensor((2, 1))], [tensor((2, 2))]),
    "an infinite slope": one_op(
        "LEAKY_RELU", [tensor((2,), "int8", Q)], [tensor((2,), "int8", Q)], {"alpha": math.inf}
    ),
    "a sum of two shapes": one_op("ADD_N", [tensor((2,)), tensor((1,))], [tensor((2,))]),
    "a sum of two scales": one_op(
        "ADD_N", [tensor((2,), "int8", Q), tensor((2,), "int8", OTHER)], [tensor((2,), "int8", Q)]
    ),
    "a sum of nothing": one_op("ADD_N", [], [tensor((2,))]),
    "a root of another shape": one_op("SQRT", [tensor((2,))], [tensor((3,))]),
    "a rectifier without quantization": one_op("RELU", [tensor((2,), "int8")], [tensor((2,), "int8")]),
    "a logarithm of 16 bits with a zero point": one_op(
        "LOG", [tensor((2,), "int16", Quant((0.1,), (1,)))], [tensor((2,), "int16", Q)]
    ),
    "a square beyond its scale": one_op(
        "SQUARED_DIFFERENCE", [tensor((2,), "int16", Q), tensor((2,), "int16", Q)], [tensor((2,), "int16", Q)]
    ),
    "a cast of another shape": one_op("CAST", [tensor((2,))], [tensor((2, 1), "int8")]),
    "a cast to text": one_op("CAST", [tensor((2,))], [tensor((2,), "string")]),
    "a comparison of 16 bits of two scales": one_op(
        "EQUAL", [tensor((2,), "int16", Q), tensor((2,), "int16", OTHER)], [tensor((2,), "bool")]
    ),
    "a fused activation that no kernel has": one_op(
        "SUB", [tensor((2,)), tensor((2,))], [tensor((2,))], {"activation": "TANH"}
    ),
}


@pytest.mark.parametrize("why", REFUSED)
def test_a_model_is_refused_for(checked: Executor, why: str) -> None:
    model = REFUSED[why]
    outcome = checked.execute(model, [])
    assert isinstance(outcome, Rejected | Declined), outcome


@pytest.mark.parametrize("op", ["SQRT", "RSQRT"])
def test_a_root_of_a_negative_number_is_an_error(checked: Executor, op: str) -> None:
    model = one_op(op, [tensor((2,), "int8", Q)], [tensor((2,), "int8", Q)])
    outcome = result(checked, model, np.array([4, -1], np.int8))
    assert isinstance(outcome, Rejected), outcome
    assert "negative" in outcome.why
