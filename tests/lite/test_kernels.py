"""Kernels against values worked out by hand."""

from typing import Any

import numpy as np
import pytest

from opconform.harness.flatmodel import TensorDef, one_op
from opconform.harness.model import Quant
from opconform.harness.runtime import InvalidModel, Unsupported
from opconform.runtimes.lite import Lite


def run(model: bytes, *inputs: Any) -> np.ndarray[Any, Any]:
    return np.asarray(Lite().open(model).run([np.asarray(value) for value in inputs])[0])


def test_int8_addition_rescales_and_saturates() -> None:
    half, quarter = Quant((0.5,), (1,)), Quant((0.25,), (-2,))
    tensors = [TensorDef("a", "int8", (3,), quant=half), TensorDef("b", "int8", (3,), quant=half)]
    model = one_op("ADD", tensors, [TensorDef("y", "int8", (3,), quant=quarter)])
    # reals: 2 + 1 = 3 -> 12 - 2; -0.5 - 0.5 = -1 -> -4 - 2; 60 + 60 saturates
    a, b = np.array([5, 0, 121], np.int8), np.array([3, 0, 121], np.int8)
    assert run(model, a, b).tolist() == [10, -6, 127]


def test_broadcasting_reaches_rank_six() -> None:
    a, b = (2, 1, 3, 1, 2, 1), (1, 2, 1, 2, 1, 3)
    tensors = [TensorDef("a", "int32", a), TensorDef("b", "int32", b)]
    model = one_op("MUL", tensors, [TensorDef("y", "int32", (2, 2, 3, 2, 2, 3))])
    x = np.arange(12, dtype=np.int32).reshape(a)
    y = np.arange(12, dtype=np.int32).reshape(b)
    assert np.array_equal(run(model, x, y), x * y)


def test_integer_addition_wraps() -> None:
    tensors = [TensorDef(name, "int32", (1,)) for name in "ab"]
    model = one_op("ADD", tensors, [TensorDef("y", "int32", (1,))])
    assert run(model, np.array([2**31 - 1], np.int32), np.array([1], np.int32)).tolist() == [-(2**31)]


def test_int8_quotients_of_small_numerators_are_right_where_c_shifts_too_far() -> None:
    unit = Quant((1.0,), (0,))
    out = Quant((0.0078125,), (0,))
    tensors = [TensorDef(name, "int8", (3,), quant=unit) for name in "ab"]
    model = one_op("DIV", tensors, [TensorDef("y", "int8", (3,), quant=out)])
    # 1/100, 0/3 and -1/2 in steps of 1/128
    got = run(model, np.array([1, 0, -1], np.int8), np.array([100, 3, 2], np.int8))
    assert got.tolist() == [1, 0, -64]


@pytest.mark.parametrize(("dtype", "expected"), [("int8", 15), ("uint8", 16), ("int16", 16)])
def test_the_quotient_of_scales_is_formed_in_double_for_int8_and_in_float32_for_others(
    dtype: str, expected: int
) -> None:
    # 13 / 84 in quanta of y is 15.49999975; in float32 the quotient of the scales makes it 15.5
    scales = (0x185B47C * 2.0**-26, 0x126B26 * 2.0**-19, 0x1B0A7FC * 2.0**-34)
    a, b, y = (TensorDef(name, dtype, (1,), quant=Quant((s,), (0,))) for name, s in zip("aby", scales, strict=True))
    assert run(one_op("DIV", [a, b], [y]), np.array([13], dtype), np.array([84], dtype)).tolist() == [expected]


def test_a_quotient_by_zero_is_refused() -> None:
    tensors = [TensorDef(name, "int32", (2,)) for name in "ab"]
    model = one_op("DIV", tensors, [TensorDef("y", "int32", (2,))])
    with pytest.raises(InvalidModel, match="1 divisors are zero"):
        run(model, np.array([1, 2], np.int32), np.array([1, 0], np.int32))


def test_integer_quotients_truncate_towards_zero() -> None:
    tensors = [TensorDef(name, "int32", (4,)) for name in "ab"]
    model = one_op("DIV", tensors, [TensorDef("y", "int32", (4,))])
    got = run(model, np.array([7, -7, 7, -7], np.int32), np.array([2, 2, -2, -2], np.int32))
    assert got.tolist() == [3, -3, -3, 3]


def test_same_padding_puts_the_odd_cell_behind() -> None:
    weights = np.array([1, 10], np.float32).reshape(1, 1, 2, 1)
    tensors = [
        TensorDef("x", "float32", (1, 1, 3, 1)),
        TensorDef("w", "float32", (1, 1, 2, 1), weights),
        TensorDef("b", "float32", (1,), np.zeros(1, np.float32)),
    ]
    options = {"padding": "SAME", "stride_h": 1, "stride_w": 1}
    model = one_op("CONV_2D", tensors, [TensorDef("y", "float32", (1, 1, 3, 1))], options)
    got = run(model, np.array([1, 2, 3], np.float32).reshape(1, 1, 3, 1))
    assert got.ravel().tolist() == [21, 32, 3]


def test_grouped_convolution_keeps_groups_apart() -> None:
    tensors = [
        TensorDef("x", "float32", (1, 1, 1, 4)),
        TensorDef("w", "float32", (2, 1, 1, 2), np.array([1, 2, 3, 4], np.float32).reshape(2, 1, 1, 2)),
        TensorDef("b", "float32", (2,), np.array([100, 200], np.float32)),
    ]
    options = {"padding": "VALID", "stride_h": 1, "stride_w": 1}
    model = one_op("CONV_2D", tensors, [TensorDef("y", "float32", (1, 1, 1, 2))], options)
    got = run(model, np.array([1, 10, 100, 1000], np.float32).reshape(1, 1, 1, 4))
    assert got.ravel().tolist() == [100 + 1 + 20, 200 + 300 + 4000]


def test_padded_cells_of_int8_convolution_count_as_real_zero() -> None:
    step = Quant((1.0,), (5,))
    tensors = [
        TensorDef("x", "int8", (1, 1, 1, 1), quant=step),
        TensorDef("w", "int8", (1, 3, 3, 1), np.ones((1, 3, 3, 1), np.int8), Quant((0.5,), (0,))),
        TensorDef("b", "int32", (1,), np.array([4], np.int32), Quant((0.5,), (0,))),
    ]
    options = {"padding": "SAME", "stride_h": 1, "stride_w": 1}
    model = one_op("CONV_2D", tensors, [TensorDef("y", "int8", (1, 1, 1, 1), quant=step)], options)
    # (8 - 5) * 0.5 + 4 * 0.5 = 3.5, ties away from zero: 4 + 5
    assert run(model, np.full((1, 1, 1, 1), 8, np.int8)).ravel().tolist() == [9]


def test_not_a_number_passes_every_clamp() -> None:
    tensors = [TensorDef(name, "float32", (2,)) for name in "ab"]
    model = one_op("ADD", tensors, [TensorDef("y", "float32", (2,))], {"activation": "RELU6"})
    got = run(model, np.array([np.nan, -3], np.float32), np.array([1, 1], np.float32))
    assert np.isnan(got[0])
    assert got[1] == 0


def test_tanh_keeps_the_sign_of_zero_and_reaches_one() -> None:
    model = one_op("TANH", [TensorDef("x", "float32", (4,))], [TensorDef("y", "float32", (4,))])
    got = run(model, np.array([-0.0, np.inf, -np.inf, 1e-30], np.float32))
    assert np.signbit(got[0])
    assert got[0] == 0
    assert got[1:].tolist() == [1.0, -1.0, np.float32(1e-30)]


def test_where_returns_as_many_rows_as_there_are() -> None:
    model = one_op("WHERE", [TensorDef("x", "bool", (2, 3))], [TensorDef("y", "int64", (1, 1))])
    session = Lite().open(model)
    x = np.array([[0, 1, 0], [1, 0, 1]], np.bool_)
    assert session.run([x])[0].tolist() == [[0, 1], [1, 0], [1, 2]]
    assert session.run([np.zeros((2, 3), np.bool_)])[0].shape == (0, 2)


def test_gather_refuses_positions_outside() -> None:
    tensors = [TensorDef("x", "float32", (3,)), TensorDef("i", "int32", (2,))]
    model = one_op("GATHER", tensors, [TensorDef("y", "float32", (2,))])
    session = Lite().open(model)
    x = np.array([1, 2, 3], np.float32)
    with pytest.raises(InvalidModel, match="1 positions lie outside the 3 of axis 0"):
        session.run([x, np.array([0, 3], np.int32)])
    assert session.run([x, np.array([2, 0], np.int32)])[0].tolist() == [3, 1]


def test_random_numbers_are_those_of_philox_and_go_on() -> None:
    shape = TensorDef("s", "int32", (1,), np.array([4], np.int32))
    model = one_op("RANDOM_UNIFORM", [shape], [TensorDef("y", "float32", (4,))], {"seed": 0, "seed2": 0})
    session = Lite().open(model)
    # Random123's known answers for key 0, counter 0: 6627e8d5 e169c58d bc57ac4c 9b00dbd8
    words = [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    first = session.run([])[0]
    assert first.tolist() == [(word & 0x7FFFFF) / 2**23 for word in words]
    assert session.run([])[0].tolist() != first.tolist()
    assert Lite().open(model).run([])[0].tolist() == first.tolist()


def test_int16_softmax_of_equal_values_shares_evenly() -> None:
    tensors = [TensorDef("x", "int16", (1, 4), quant=Quant((0.001,), (0,)))]
    model = one_op(
        "SOFTMAX", tensors, [TensorDef("y", "int16", (1, 4), quant=Quant((1 / 32768,), (0,)))], {"beta": 1.0}
    )
    assert np.abs(run(model, np.full((1, 4), 77, np.int16)).astype(int) - 8192).max() <= 1


def test_the_int16_of_a_softmax_is_requantized_from_its_low_zero_point() -> None:
    shares = TensorDef("x", "int16", (3,), quant=Quant((1 / 65536,), (-32768,)))
    model = one_op("QUANTIZE", [shares], [TensorDef("y", "int8", (3,), quant=Quant((1 / 256,), (-128,)))])
    assert run(model, np.array([-32768, 0, 32767], np.int16)).tolist() == [-128, 0, 127]


def test_a_dtype_that_no_row_has_is_declined() -> None:
    model = one_op("EXP", [TensorDef("x", "int32", (1,))], [TensorDef("y", "int32", (1,))])
    with pytest.raises(Unsupported, match=r"EXP \(operator 0 of subgraph 0\): int32 is not supported"):
        Lite().open(model)
