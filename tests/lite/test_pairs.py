"""Comparisons, choices, floored division, powers and bits: what no case of a spec draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from opconform.harness.flatmodel import TensorDef, one_op
from opconform.harness.model import Quant
from opconform.harness.runtime import InvalidModel, Unsupported
from opconform.runtimes.lite import Lite

SMALLEST = -(2**31)


def run(model: bytes, *inputs: Any) -> np.ndarray[Any, Any]:
    return np.asarray(Lite().open(model).run([np.asarray(value) for value in inputs])[0])


def pair(op: str, dtype: str, size: int, out: str = "", quant: Quant | None = None) -> bytes:
    tensors = [TensorDef(name, dtype, (size,), quant=quant) for name in "ab"]
    return one_op(op, tensors, [TensorDef("y", out or dtype, (size,), quant=None if out else quant)])


def test_a_quotient_without_a_place_in_its_type_ends_no_process() -> None:
    a, b = np.array([SMALLEST, 7], np.int32), np.array([-1, -2], np.int32)
    assert run(pair("FLOOR_DIV", "int32", 2), a, b)[1] == -4
    assert run(pair("FLOOR_MOD", "int32", 2), a, b).tolist() == [0, -1]


@pytest.mark.parametrize("op", ["FLOOR_DIV", "FLOOR_MOD"])
def test_division_by_zero_is_refused_for_floats_too(op: str) -> None:
    with pytest.raises(InvalidModel, match="1 divisors are zero"):
        run(pair(op, "int8", 2), np.array([1, 2], np.int8), np.array([1, 0], np.int8))
    with pytest.raises(InvalidModel, match="2 divisors are zero"):
        run(pair(op, "float32", 2), np.ones(2, np.float32), np.array([0, -0.0], np.float32))


def test_shifts_beyond_the_width_have_no_meaning_and_do_no_harm() -> None:
    got = run(pair("RIGHT_SHIFT", "int8", 3), np.array([-8] * 3, np.int8), np.array([8, 100, -1], np.int8))
    assert got.tolist() == [-1, -1, -1]


def test_an_integer_has_no_negative_power() -> None:
    with pytest.raises(InvalidModel, match="no negative power"):
        run(pair("POW", "int32", 1), np.array([2], np.int32), np.array([-1], np.int32))


def test_a_maximum_with_nan_is_nan() -> None:
    a, b = np.array([np.nan, 1, 2], np.float32), np.array([1, np.nan, 3], np.float32)
    assert np.array_equal(run(pair("MAXIMUM", "float32", 3), a, b), [np.nan, np.nan, 3], equal_nan=True)


def test_ordering_of_16_bits_looks_at_stored_values_and_equality_at_scales() -> None:
    tensors = [
        TensorDef("a", "int16", (1,), quant=Quant((0.5,), (0,))),
        TensorDef("b", "int16", (1,), quant=Quant((0.25,), (0,))),
    ]
    two, four = np.array([2], np.int16), np.array([4], np.int16)
    assert run(one_op("EQUAL", tensors, [TensorDef("y", "bool", (1,))]), two, four).tolist() == [True]
    assert run(one_op("LESS", tensors, [TensorDef("y", "bool", (1,))]), two, four).tolist() == [True]


def test_sums_of_one_term_are_refused() -> None:
    with pytest.raises(InvalidModel, match="1 input; 2 and more are allowed"):
        run(one_op("ADD_N", [TensorDef("x", "float32", (1,))], [TensorDef("y", "float32", (1,))]), np.zeros(1))


def test_a_total_of_many_terms_wraps_in_32_bits_as_in_c() -> None:
    unit = Quant((1.0,), (0,))
    tensors = [TensorDef(f"x{i}", "int8", (1,), quant=unit) for i in range(33)]
    model = one_op("ADD_N", tensors, [TensorDef("y", "int8", (1,), quant=Quant((64.0,), (0,)))])
    # 32 * 127 = 4064 fits below 2**12, of which the sum holds no more; 33 * 127 = 4191 is 8192 too small, -4001: -62.5
    assert run(model, *[np.array([127], np.int8)] * 32, np.zeros(1, np.int8)).tolist() == [64]
    assert run(model, *[np.array([127], np.int8)] * 33).tolist() == [-63]


@pytest.mark.parametrize(
    ("op", "dtype", "out"), [("LOGICAL_OR", "int32", ""), ("BITWISE_XOR", "float32", ""), ("LESS", "bool", "bool")]
)
def test_dtypes_that_an_operator_does_not_know_are_refused(op: str, dtype: str, out: str) -> None:
    with pytest.raises(Unsupported, match=f"{dtype} is not supported"):
        Lite().open(pair(op, dtype, 2, out))
