"""Differences, choices, powers, floored division and bits, against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from opconform.harness.model import Quant
from opconform.harness.numerics import FAMILIES
from opconform.runtimes.reference import Reference
from opconform.runtimes.reference.kernels import binary as ops

DOUBLE = FAMILIES["double_rounding"]


def run(twin, *inputs, scales, zeros=(0, 0, 0), dtype="int8", **attributes):
    q = {name: Quant((s,), (z,)) for name, s, z in zip("aby", scales, zeros, strict=True)}
    dtypes = dict.fromkeys("aby", dtype)
    result = twin(*(np.array(x) for x in inputs), q=q, dtypes=dtypes, rescale=DOUBLE, **attributes)
    return np.asarray(result).tolist()


def test_differences_broadcast_and_are_clamped():
    a, b = np.array([[3.0], [-4.0]]), np.array([5.0, 1.0])
    assert ops.sub(a, b, activation="NONE").tolist() == [[-2, 2], [-9, -5]]
    assert ops.sub(a, b, activation="RELU").tolist() == [[0, 2], [0, 0]]
    assert ops.squared_difference(a, b).tolist() == [[4, 4], [81, 25]]


def test_sub_int_takes_zero_points_off_first():
    # (12 - 2) * 0.5 - (5 - -1) * 0.25 = 3.5 = 7 quanta, and 4 more.
    assert run(ops.sub_int, [12], [5], scales=(0.5, 0.25, 0.5), zeros=(2, -1, 4), activation="NONE") == [11]


def test_sub_int_subtracts_after_rounding_so_halves_go_away_from_zero_on_both_sides():
    assert run(ops.sub_int, [0, 0], [1, -1], scales=(0.5, 0.25, 0.5), activation="NONE") == [-1, 1]


def test_sub_int_of_16_bits_saturates():
    scales = (1.0, 1.0, 1.0)
    ends = run(ops.sub_int, [32767, -32768], [-32768, 32767], scales=scales, dtype="int16", activation="NONE")
    assert ends == [32767, -32768]


def test_squared_difference_int_squares_on_the_common_scale():
    # (6 - 2) * 0.5 - (3 - 1) * 0.25 = 1.5, squared 2.25 = 9 quanta of 1/4, and -3.
    assert run(ops.squared_difference_int, [6], [3], scales=(0.5, 0.25, 0.25), zeros=(2, 1, -3)) == [6]


def test_squared_difference_int_of_16_bits_halves_its_operands_without_headroom():
    # 181 is halved to 90.5, rounded to 91: 91**2 * 4 = 33124 in place of 32761, in quanta of 4.
    twin = ops.squared_difference_int
    assert run(twin, [181], [0], scales=(1.0, 1.0, 4.0), dtype="int16") == [8281]


def test_choices():
    a, b = np.array([1, 5, -3]), np.array([2, 5, -4])
    assert ops.maximum(a, b).tolist() == [2, 5, -3]
    assert ops.minimum(a, b).tolist() == [1, 5, -4]


def test_truth_values():
    a, b = np.array([True, True, False, False]), np.array([True, False, True, False])
    assert ops.logical_or(a, b).tolist() == [True, True, True, False]
    assert ops.logical_and(a, b).tolist() == [True, False, False, False]
    assert ops.logical_not(a).tolist() == [False, False, True, True]


def test_bits_of_negative_numbers_go_on_without_end():
    assert ops.bitwise_xor(np.array([12, -1, -128]), np.array([10, 1, 127])).tolist() == [6, -2, -1]
    assert ops.right_shift(np.array([-1, -128, 255, 7]), np.array([7, 3, 4, 0])).tolist() == [-1, -16, 15, 7]


def test_powers():
    assert ops.power(np.array([2.0, -2.0, 0.0]), np.array([-2.0, 3.0, 0.0])).tolist() == [0.25, -8, 1]
    assert ops.power(np.array([-3, 0]), np.array([3, 0])).tolist() == [-27, 1]


@pytest.mark.parametrize(
    ("a", "b", "quotient", "remainder"), [(7, 2, 3, 1), (-7, 2, -4, 1), (7, -2, -4, -1), (-7, -2, 3, -1)]
)
def test_division_is_rounded_down_and_leaves_a_remainder_of_the_divisors_sign(a, b, quotient, remainder):
    for kind in (int, float):
        assert ops.floor_div(np.array([kind(a)]), np.array([kind(b)])).tolist() == [quotient]
        assert ops.floor_mod(np.array([kind(a)]), np.array([kind(b)])).tolist() == [remainder]


def test_a_quotient_just_below_a_whole_number_is_rounded_down():
    # 1 / 0.1 with float32's 0.1, which is a little more: 9.99999985, in float32 itself 10.
    assert ops.floor_div(np.array([1.0]), np.array([float(np.float32(0.1))])).tolist() == [9]


def test_add_n_adds_them_all():
    x = [np.array([1.0, 2.0]), np.array([10.0, 20.0]), np.array([-4.0, 0.5])]
    assert ops.add_n(*x).tolist() == [7, 22.5]


def test_add_n_int_takes_the_zero_point_off_every_term():
    # (10 + 20 + -7 - 3 * 5) * 0.5 = 4 = 2 quanta of 2, and 1.
    q = {"x": Quant((0.5,), (5,)), "y": Quant((2.0,), (1,))}
    terms = [np.array([v]) for v in (10, 20, -7)]
    assert ops.add_n_int(*terms, q=q, dtypes={"y": "int8"}, rescale=DOUBLE).tolist() == [3]


def test_angles_lie_in_all_four_quadrants():
    a, b = np.array([1.0, 1.0, -1.0, -1.0, -0.0]), np.array([1.0, -1.0, -1.0, 1.0, -1.0])
    quarters = (ops.atan2(a, b) / (math.pi / 4)).round(12).tolist()
    assert quarters == [1, 3, -3, -1, -4]


def test_every_op_of_the_file_is_found():
    assert {"SUB", "ATAN2", "ADD_N", "RIGHT_SHIFT"} <= set(Reference().kernels)
    assert {"SUB", "ADD_N", "SQUARED_DIFFERENCE", "NOT_EQUAL"} <= set(Reference().twins)
