"""Kernels of micro against slow definitions in NumPy and values derived by hand, under sanitizers."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from opconform.harness.flatmodel import TensorDef, one_op
from opconform.harness.isolate import Executor
from opconform.harness.model import Array, Produced, Quant
from opconform.harness.numerics import FAMILIES, RESCALE_64, integer_range

RESCALE = FAMILIES["double_rounding"]
UNIT = Quant((1.0,), (0,))


def run(executor: Executor, model: bytes, *vectors: tuple[Array, ...]) -> list[Array]:
    outcome = executor.execute(model, list(vectors))
    assert isinstance(outcome, Produced), outcome
    return [outputs[0] for outputs in outcome.outputs]


def integers(seed: int, dtype: str, shape: tuple[int, ...], low: int | None = None, high: int | None = None) -> Array:
    least, most = integer_range(dtype)
    rng = np.random.default_rng(seed)
    return rng.integers(
        least if low is None else low, most if high is None else high, shape, endpoint=True, dtype=dtype
    )


Geometry = dict[str, Any]
GEOMETRIES: list[Geometry] = [
    {"x": (2, 5, 6, 4), "w": (3, 3, 2, 4), "stride": (1, 1), "dilation": (1, 1), "padding": "SAME"},
    {"x": (1, 7, 5, 3), "w": (2, 3, 3, 3), "stride": (2, 2), "dilation": (1, 1), "padding": "SAME"},
    {"x": (1, 8, 9, 2), "w": (5, 2, 3, 2), "stride": (1, 2), "dilation": (3, 2), "padding": "VALID"},
    {"x": (1, 4, 7, 6), "w": (6, 1, 1, 2), "stride": (1, 1), "dilation": (1, 1), "padding": "VALID"},
    {"x": (1, 3, 3, 4), "w": (2, 4, 4, 2), "stride": (1, 3), "dilation": (1, 2), "padding": "SAME"},
]


def along(n: int, k: int, stride: int, dilation: int, padding: str) -> tuple[int, int]:
    """Outputs and padding before, as the schema defines them."""
    span = (k - 1) * dilation + 1
    if padding == "VALID":
        return (n - span) // stride + 1, 0
    out = -(-n // stride)
    return out, max((out - 1) * stride + span - n, 0) // 2


def convolve(x: Array, w: Array, g: Geometry, depthwise: bool) -> Array:
    """Sum of x * w over the window, x without its zero point; one loop a dimension."""
    (oh, top), (ow, left) = (
        along(x.shape[1 + d], w.shape[1 + d], g["stride"][d], g["dilation"][d], g["padding"]) for d in (0, 1)
    )
    outputs = w.shape[3] if depthwise else w.shape[0]
    acc = np.zeros((x.shape[0], oh, ow, outputs), np.int64)
    for b, i, j, o, fy, fx in product(*map(range, (*acc.shape, *w.shape[1:3]))):
        y = i * g["stride"][0] - top + fy * g["dilation"][0]
        z = j * g["stride"][1] - left + fx * g["dilation"][1]
        if not (0 <= y < x.shape[1] and 0 <= z < x.shape[2]):
            continue
        if depthwise:
            acc[b, i, j, o] += x[b, y, z, o * x.shape[3] // outputs] * w[0, fy, fx, o]
        else:
            first = o // (outputs * w.shape[3] // x.shape[3]) * w.shape[3]
            acc[b, i, j, o] += int(x[b, y, z, first : first + w.shape[3]] @ w[o, fy, fx])
    return acc


def options_of(g: Geometry) -> dict[str, Any]:
    (sh, sw), (dh, dw) = g["stride"], g["dilation"]
    return {"padding": g["padding"], "stride_h": sh, "stride_w": sw, "dilation_h": dh, "dilation_w": dw}


@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("g", GEOMETRIES, ids=range(len(GEOMETRIES)))
def test_convolutions_equal_the_sum_over_the_window_rescaled(
    checked: Executor, g: Geometry, dtype: str, depthwise: bool
) -> None:
    shape = (1, *g["w"][1:3], g["x"][3] * 2) if depthwise else g["w"]
    outputs = shape[3] if depthwise else shape[0]
    zero = 0 if dtype == "int16" else -11
    x, w = integers(1, dtype, g["x"]), integers(2, "int8", shape, -127)
    bias = integers(3, "int32", (outputs,), -5000, 5000).astype("int64" if dtype == "int16" else "int32")
    scales = tuple(float(np.float32(0.003 * (1 + c / 7))) for c in range(outputs))
    w_quant = Quant(scales, (0,) * outputs, 3 if depthwise else 0)
    x_quant, y_quant = Quant((0.5,), (zero,)), Quant((1.25 if dtype == "int8" else 40.0,), (-zero,))
    acc = convolve(x.astype(np.int64) - zero, w.astype(np.int64), g, depthwise) + bias
    rescale = RESCALE if dtype == "int8" else RESCALE_64
    low, high = integer_range(dtype)
    expected = np.clip(rescale(acc, 0.5 * np.array(scales) / y_quant.scale[0]) - zero, low, high)
    tensors = [
        TensorDef("x", dtype, g["x"], quant=x_quant),
        TensorDef("w", "int8", shape, w, w_quant),
        TensorDef("b", str(bias.dtype), bias.shape, bias),
    ]
    y = TensorDef("y", dtype, expected.shape, quant=y_quant)
    op, extra = ("DEPTHWISE_CONV_2D", {"depth_multiplier": 2}) if depthwise else ("CONV_2D", {})
    found = run(checked, one_op(op, tensors, [y], {**options_of(g), **extra}), (x,))[0]
    assert len(np.unique(expected)) > min(8, expected.size // 2)
    np.testing.assert_array_equal(found, expected)


def test_float_convolution_takes_int8_weights(checked: Executor) -> None:
    w = np.array([[[[2, -4]]]], np.int8)
    tensors = [
        TensorDef("x", "float32", (1, 1, 2, 2)),
        TensorDef("w", "int8", w.shape, w, Quant((0.5,), (0,))),
        TensorDef("b", "float32", (1,), np.array([10], np.float32)),
    ]
    model = one_op("CONV_2D", tensors, [TensorDef("y", "float32", (1, 1, 2, 1))], {"stride_h": 1, "stride_w": 1})
    found = run(checked, model, (np.array([[[[1, 2], [3, 4]]]], np.float32),))[0]
    assert found.ravel().tolist() == [10 + 1 - 4, 10 + 3 - 8]


@pytest.mark.parametrize(("dtype", "low"), [("int8", -128), ("uint8", 0), ("int16", -32768)])
def test_average_pool_divides_by_the_taps_inside_and_rounds_halves_away(
    checked: Executor, dtype: str, low: int
) -> None:
    x = np.array([[1, 2, -4], [2, 2, -5]]).reshape(1, 2, 3, 1) + (100 if dtype == "uint8" else 0)
    model = one_op(
        "AVERAGE_POOL_2D",
        [TensorDef("x", dtype, x.shape, quant=UNIT)],
        [TensorDef("y", dtype, (1, 2, 3, 1), quant=UNIT)],
        {"padding": "SAME", "stride_w": 1, "stride_h": 1, "filter_w": 2, "filter_h": 2},
    )
    found = run(checked, model, (x.astype(dtype),))[0].astype(int) - (100 if dtype == "uint8" else 0)
    # means 7/4, -5/4, -9/2; 2, -3/2, -5: of halves the sign decides, which uint8 does not have
    half = -4 if dtype == "uint8" else -5
    assert found.ravel().tolist() == [2, -1, half, 2, -1 if dtype == "uint8" else -2, -5]


def test_max_pool_clamps_to_the_activation(checked: Executor) -> None:
    quant = Quant((0.5,), (-10,))
    model = one_op(
        "MAX_POOL_2D",
        [TensorDef("x", "int8", (1, 1, 4, 1), quant=quant)],
        [TensorDef("y", "int8", (1, 1, 2, 1), quant=quant)],
        {"padding": "VALID", "stride_w": 2, "stride_h": 1, "filter_w": 2, "filter_h": 1, "activation": "RELU6"},
    )
    found = run(checked, model, (np.array([-20, -30, 5, 9], np.int8).reshape(1, 1, 4, 1),))[0]
    assert found.ravel().tolist() == [-10, 2]


@pytest.mark.parametrize(
    ("dtype", "out", "quant"),
    [
        ("int8", "int8", Quant((1 / 256,), (-128,))),
        ("uint8", "uint8", Quant((1 / 256,), (0,))),
        ("int8", "int16", Quant((1 / 65536,), (-32768,))),
        ("int16", "int16", Quant((1 / 32768,), (0,))),
    ],
)
def test_softmax_is_near_the_real_one(checked: Executor, dtype: str, out: str, quant: Quant) -> None:
    scale = 0.05 if dtype != "int16" else 0.0003
    x = integers(5, dtype, (6, 40))
    model = one_op(
        "SOFTMAX",
        [TensorDef("x", dtype, x.shape, quant=Quant((scale,), (0,)))],
        [TensorDef("y", out, x.shape, quant=quant)],
        {"beta": 0.75},
    )
    real = np.exp(0.75 * scale * (x.astype(float) - x.max(axis=1, keepdims=True)))
    ideal = real / real.sum(axis=1, keepdims=True) / quant.scale[0]
    found = run(checked, model, (x,))[0].astype(float) - quant.zero_point[0]
    # each of 40 terms may be off by a quantum of 2^-15 of the largest, and so all of them by 40 of their sum
    most = integer_range(out)[1] - quant.zero_point[0]
    assert (np.abs(found - np.minimum(ideal, most)) <= 1 + ideal * 41 / 2**15).all()


def test_softmax_of_many_equal_values_does_not_overflow(checked: Executor) -> None:
    # 9000 shares of 1/9000: far below half a quantum of 1/256
    quant = Quant((1 / 256,), (-128,))
    model = one_op(
        "SOFTMAX",
        [TensorDef("x", "int8", (1, 9000), quant=Quant((0.1,), (0,)))],
        [TensorDef("y", "int8", (1, 9000), quant=quant)],
        {"beta": 1.0},
    )
    assert set(run(checked, model, (np.zeros((1, 9000), np.int8),))[0].ravel().tolist()) == {-128}


@pytest.mark.parametrize("op", ["LOGISTIC", "TANH"])
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16"])
def test_squashing_functions_are_within_a_quantum_or_three_for_every_input(
    checked: Executor, op: str, dtype: str
) -> None:
    zeros = {"LOGISTIC": {"int8": -128}, "TANH": {"uint8": 128}}
    scale = {"int8": 1 / 256, "uint8": 1 / 256, "int16": 1 / 32768}[dtype] * (
        2 if op == "TANH" and dtype != "int16" else 1
    )
    quant = Quant((scale,), (zeros[op].get(dtype, 0),))
    low, high = integer_range(dtype)
    x = np.arange(low, high + 1).astype(dtype)
    step = 0.04 if dtype != "int16" else 0.00021
    zero = 100 if dtype == "uint8" else 0
    model = one_op(
        op,
        [TensorDef("x", dtype, x.shape, quant=Quant((step,), (zero,)))],
        [TensorDef("y", dtype, x.shape, quant=quant)],
    )
    real = (x.astype(float) - zero) * step
    ideal = (1 / (1 + np.exp(-real)) if op == "LOGISTIC" else np.tanh(real)) / scale + quant.zero_point[0]
    error = np.abs(run(checked, model, (x,))[0] - np.clip(ideal, low, high))
    assert error.max() <= (1 if dtype != "int16" else 3)


def test_division_of_tiny_numerators_is_right(checked: Executor) -> None:
    # -1 * 0.02 / (143 * 0.03) / 0.02 is -0.23 quanta; TensorFlow Lite shifts it by more than 31 bits and gets -128
    model = one_op(
        "DIV",
        [
            TensorDef("a", "int8", (4,), quant=Quant((0.02,), (0,))),
            TensorDef("b", "int8", (4,), quant=Quant((0.03,), (-43,))),
        ],
        [TensorDef("y", "int8", (4,), quant=Quant((0.02,), (101,)))],
    )
    a, b = np.array([-1, 0, 1, -100], np.int8), np.array([100, 100, -128, 7], np.int8)
    ideal = np.clip((a * 0.02) / ((b + 43.0) * 0.03) / 0.02 + 101, -128, 127)
    assert np.abs(run(checked, model, (a, b))[0] - ideal).max() <= 0.51


def test_division_forms_the_quotient_of_scales_of_int8_in_double_and_of_the_others_in_float32(
    checked: Executor,
) -> None:
    # 13 / 84 in quanta of y is 15.49999975; in float32 the quotient of the scales makes it 15.5
    scales = (0x185B47C * 2.0**-26, 0x126B26 * 2.0**-19, 0x1B0A7FC * 2.0**-34)
    for dtype, expected in (("int8", 15), ("uint8", 16), ("int16", 16)):
        a, b, y = (TensorDef(name, dtype, (1,), quant=Quant((s,), (0,))) for name, s in zip("aby", scales, strict=True))
        answer = run(checked, one_op("DIV", [a, b], [y]), (np.array([13], dtype), np.array([84], dtype)))
        assert answer[0].tolist() == [expected]


def test_mean_folds_the_count_into_the_multiplier(checked: Executor) -> None:
    x = integers(8, "int8", (3, 4, 5))
    axes = np.array([-1, 0], np.int32)
    model = one_op(
        "MEAN",
        [TensorDef("x", "int8", x.shape, quant=Quant((0.5,), (7,))), TensorDef("axis", "int32", (2,), axes)],
        [TensorDef("y", "int8", (1, 4, 1), quant=Quant((0.25,), (-3,)))],
        {"keep_dims": True},
    )
    ideal = np.clip((x.astype(float) - 7).mean(axis=(0, 2), keepdims=True) * 2 - 3, -128, 127)
    # a half for each of two roundings, the second on a grid twice as coarse
    assert np.abs(run(checked, model, (x,))[0] - ideal).max() <= 0.76


def test_multiplication_reaches_six_dimensions(checked: Executor) -> None:
    a, b = integers(1, "int32", (2, 1, 3, 1, 2, 1), -9, 9), integers(2, "int32", (2, 1, 2, 1, 3), -9, 9)
    model = one_op(
        "MUL",
        [TensorDef("a", "int32", a.shape), TensorDef("b", "int32", b.shape)],
        [TensorDef("y", "int32", (a * b).shape)],
    )
    np.testing.assert_array_equal(run(checked, model, (a, b))[0], a * b)


def test_quantize_and_back_round_halves_away_and_saturate(checked: Executor) -> None:
    x = np.array([0.25, -0.25, 1e30, -np.inf, np.inf, 3.0], np.float32)
    quant = Quant((0.5,), (3,))
    model = one_op("QUANTIZE", [TensorDef("x", "float32", x.shape)], [TensorDef("y", "int8", x.shape, quant=quant)])
    assert run(checked, model, (x,))[0].tolist() == [4, 2, 127, -128, 127, 9]
    q = np.array([4, 2, -128], np.int8)
    model = one_op("DEQUANTIZE", [TensorDef("x", "int8", (3,), quant=quant)], [TensorDef("y", "float32", (3,))])
    assert run(checked, model, (q,))[0].tolist() == [0.5, -0.5, -65.5]


def test_requantizing_is_one_rescale(checked: Executor) -> None:
    x = integers(4, "int16", (500,))
    quants = Quant((0.013,), (0,)), Quant((0.9,), (5,))
    model = one_op(
        "QUANTIZE",
        [TensorDef("x", "int16", x.shape, quant=quants[0])],
        [TensorDef("y", "int8", x.shape, quant=quants[1])],
    )
    factor = float(np.float32(0.013)) / float(np.float32(0.9))
    np.testing.assert_array_equal(run(checked, model, (x,))[0], np.clip(RESCALE(x, factor) + 5, -128, 127))


def test_padding_is_the_zero_point(checked: Executor) -> None:
    x, pads = integers(1, "int8", (2, 3)), np.array([[1, 0], [2, 1]], np.int64)
    quant = Quant((0.5,), (-7,))
    model = one_op(
        "PAD",
        [TensorDef("x", "int8", x.shape, quant=quant), TensorDef("p", "int64", (2, 2), pads)],
        [TensorDef("y", "int8", (3, 6), quant=quant)],
    )
    np.testing.assert_array_equal(run(checked, model, (x,))[0], np.pad(x, pads, constant_values=-7))


def test_strided_slice_knows_all_masks(checked: Executor) -> None:
    x = np.arange(120, dtype=np.float32).reshape(2, 3, 4, 5)
    begin, end, strides = (np.array(v, np.int32) for v in ([1, 0, 0, -2], [0, 0, 0, -9], [1, 1, 1, -2]))
    specs = [TensorDef("s", "int32", (4,), v) for v in (begin, end, strides)]
    expected = x[1, ..., None, -2:-9:-2]
    model = one_op(
        "STRIDED_SLICE",
        [TensorDef("x", "float32", x.shape), *specs],
        [TensorDef("y", "float32", expected.shape)],
        {"shrink_axis_mask": 1, "ellipsis_mask": 2, "new_axis_mask": 4},
    )
    np.testing.assert_array_equal(run(checked, model, (x,))[0], expected)


@pytest.mark.parametrize("step", [1, 2, -1, -3])
@pytest.mark.parametrize("masks", [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_masked_bounds_reach_the_ends_in_both_directions(checked: Executor, step: int, masks: tuple[int, int]) -> None:
    x = np.arange(7, dtype=np.int64)
    begin, end = (1, 5) if step > 0 else (-2, 2)
    expected = x[None if masks[0] else begin : None if masks[1] else end : step]
    specs = [TensorDef("s", "int32", (1,), np.array([v], np.int32)) for v in (begin, end, step)]
    output = TensorDef("y", "int64", expected.shape)
    model = one_op(
        "STRIDED_SLICE",
        [TensorDef("x", "int64", (7,)), *specs],
        [output],
        {"begin_mask": masks[0], "end_mask": masks[1]},
    )
    np.testing.assert_array_equal(run(checked, model, (x,))[0], expected)


def test_gather_takes_batches_together(checked: Executor) -> None:
    x = integers(1, "int16", (2, 3, 4, 2))
    positions = integers(2, "int64", (2, 5), 0, 3)
    expected = np.stack([np.take(x[b], positions[b], axis=1) for b in range(2)])
    model = one_op(
        "GATHER",
        [TensorDef("x", "int16", x.shape), TensorDef("p", "int64", positions.shape)],
        [TensorDef("y", "int16", expected.shape)],
        {"axis": -2, "batch_dims": 1},
    )
    np.testing.assert_array_equal(run(checked, model, (x, positions))[0], expected)


def test_uint8_inputs_of_a_concatenation_are_converted(checked: Executor) -> None:
    quants = Quant((0.5,), (10,)), Quant((1.0,), (0,)), Quant((1.0,), (0,))
    model = one_op(
        "CONCATENATION",
        [TensorDef(n, "uint8", (3,), quant=q) for n, q in zip("ab", quants[:2], strict=True)],
        [TensorDef("y", "uint8", (6,), quant=quants[2])],
        {"axis": -1},
    )
    a, b = np.array([10, 13, 255], np.uint8), np.array([1, 2, 3], np.uint8)
    assert run(checked, model, (a, b))[0].tolist() == [0, 2, 123, 1, 2, 3]  # 1.5 rounds to 2, 122.5 to 123


def test_hard_swish_follows_its_16_bit_definition(checked: Executor) -> None:
    # 12-bit accuracy of the gate: within two quanta of x * relu6(x + 3) / 6 for every input
    x = np.arange(-128, 128).astype(np.int8)
    quants = Quant((0.05,), (5,)), Quant((0.03,), (-100,))
    model = one_op(
        "HARD_SWISH",
        [TensorDef("x", "int8", x.shape, quant=quants[0])],
        [TensorDef("y", "int8", x.shape, quant=quants[1])],
    )
    real = (x.astype(float) - 5) * 0.05
    ideal = np.clip(real * np.clip(real + 3, 0, 6) / 6 / 0.03 - 100, -128, 127)
    assert np.abs(run(checked, model, (x,))[0] - ideal).max() <= 2


def test_rescaling_rounds_twice(checked: Executor) -> None:
    # 123 / 8 = 15.375, but 123 / 2 rounds to 62 and 62 / 4 to 16
    x = np.arange(-128, 128).astype(np.int8)
    model = one_op(
        "ABS",
        [TensorDef("x", "int8", x.shape, quant=Quant((1.0,), (0,)))],
        [TensorDef("y", "int8", x.shape, quant=Quant((8.0,), (0,)))],
    )
    found = run(checked, model, (x,))[0]
    assert found[128 + 123] == 16
    np.testing.assert_array_equal(found, RESCALE(np.abs(x.astype(np.int64)), 0.125))
