"""Unary kernels and their integer twins against values worked out by hand or by real arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from opconform.harness.model import Array, Quant
from opconform.harness.numerics import FAMILIES
from opconform.runtimes.reference.kernels import elementwise as unary

INT8 = np.arange(-128, 128)


def twin(
    function: Callable[..., Any], x: Any, dtype: str, x_quant: tuple[float, int], y_quant: tuple[float, int]
) -> Array:
    """Run an integer definition on one tensor of integers."""
    q = {name: Quant((float(np.float32(s)),), (z,)) for name, (s, z) in {"x": x_quant, "y": y_quant}.items()}
    dtypes = {"x": dtype, "y": dtype}
    return np.asarray(function(np.asarray(x), q=q, dtypes=dtypes, rescale=FAMILIES["double_rounding"]))


def test_abs_rescales_the_distance_from_the_zero_point() -> None:
    # |-3 - (-1)| = 2 units of 1 are 4 units of 1/2, counted from 5.
    assert twin(unary.absolute_int, [-3, 1], "int8", (1.0, -1), (0.5, 5)).tolist() == [9, 9]


def test_abs_saturates_where_the_magnitude_has_no_room() -> None:
    assert twin(unary.absolute_int, [-128, 127], "int8", (0.5, 0), (0.5, 0)).tolist() == [127, 127]
    assert twin(unary.absolute_int, [-32768], "int16", (0.5, 0), (0.5, 0)).tolist() == [32767]


def test_exp_is_e_to_the_x() -> None:
    assert unary.exponential(np.asarray([0.0, 1.0, -np.inf])).tolist() == [1.0, math.e, 0.0]
    assert unary.exponential(np.asarray([1000.0])).tolist() == [np.inf]


def test_exp_of_8_bits_is_a_rounded_table() -> None:
    # 32, 32 * e = 86.98, 32 * e**2 = 236 of which 127 is left, 32 / e = 11.77; all counted from 10
    assert twin(unary.exponential_int, [3, 4, 5, 2], "int8", (1.0, 3), (1 / 32, 10)).tolist() == [42, 97, 127, 22]


def test_exp_of_16_bits_interpolates_in_a_table() -> None:
    x = np.arange(-32768, 32768, 101)
    scale, unit = 2.0**-14, math.exp(2.0) / 32767
    ideal = np.exp(x * scale) / unit
    got = twin(unary.exponential_int, x, "int16", (scale, 0), (unit, 0))
    # One input's width times the slope, and two roundings (specs/ops/exp.yaml).
    assert np.abs(got - ideal).max() < 32768 * scale + 2.5


def test_rsqrt_is_infinite_at_zero_and_nothing_below() -> None:
    got = unary.inverse_square_root(np.asarray([4.0, 0.0, -0.0, -1.0, np.inf]))
    np.testing.assert_array_equal(got, [0.5, np.inf, -np.inf, np.nan, 0.0])


def test_rsqrt_of_integers() -> None:
    # 1 / sqrt(4) = 32/64, 1 / sqrt(64) = 8/64, 1 / sqrt(100) = 6.4/64; zero gives the largest value
    got = twin(unary.inverse_square_root_int, [4, 64, 100, 0], "int8", (1.0, 0), (1 / 64, 0))
    assert got.tolist() == [32, 8, 6, 127]


def test_logistic_keeps_its_precision_at_both_ends() -> None:
    got = unary.logistic(np.asarray([0.0, -700.0, 700.0, np.inf, -np.inf]))
    assert got.tolist() == pytest.approx([0.5, math.exp(-700.0), 1.0, 1.0, 0.0], rel=1e-15)
    assert np.isnan(unary.logistic(np.asarray([np.nan]))).all()


@pytest.mark.parametrize("scale", [2.0**-10, 0.03, 0.0625, 0.11, 1.0])
def test_logistic_of_8_bits_is_the_rounded_sigmoid(scale: float) -> None:
    ideal = np.clip(np.rint(256 / (1 + np.exp(-scale * (INT8 - 3.0)))) - 128, -128, 127)
    got = twin(unary.logistic_int, INT8, "int8", (scale, 3), (1 / 256, -128))
    assert np.abs(got - ideal).max() <= 1
    assert np.count_nonzero(got != ideal) <= 2


def test_logistic_of_uint8_is_that_of_int8_shifted() -> None:
    signed = twin(unary.logistic_int, INT8, "int8", (0.05, 3), (1 / 256, -128))
    shifted = twin(unary.logistic_int, INT8 + 128, "uint8", (0.05, 131), (1 / 256, 0))
    assert (shifted == signed + 128).all()


def test_the_sigmoid_table_cannot_be_interpolated_better_than_by_its_samples() -> None:
    table = unary.sigmoid_table()
    assert table[[0, 24, 255]].tolist() == [32768, 47911, 65535]  # 65536 / (1 + 1 / e) = 47911.0
    at = np.linspace(0, 254, 10001)
    between = np.interp(at, np.arange(256), table)
    # Half of h**2 / 8 * max f'' = 1.37 units, and half a unit of rounding.
    assert np.abs(between - 65536 / (1 + np.exp(-at / 24))).max() < 1.37 / 2 + 0.51


def test_the_sigmoid_table_is_the_one_of_real_kernels() -> None:
    # 4, 28 and 100 are among the samples that the correction moves; the sum is that of the published table.
    table = unary.sigmoid_table()
    assert table[[4, 28, 100]].tolist() == [35493, 49975, 64536]
    assert int(table.sum()) == 15670629


def test_a_place_in_the_table_is_rounded_and_powers_of_two_are_exact() -> None:
    # 2**-13 * 12288 = 1.5 is 24576 * 2**-14: 1.5, -1.5 and 4.5 go up.
    assert unary._table_place(np.asarray([1, -1, 3]), 2.0**-13, powers=(-12,)).tolist() == [2, -1, 5]
    # Half a thousandth beside 2**-12 counts as 2**-12: three places for each input.
    assert unary._table_place(np.asarray([32767]), 2.0**-12 * 1.0005, powers=(-12,)).tolist() == [3 * 32767]
    assert unary._table_place(np.asarray([100]), 2.0**-11, powers=(-12, -11)).tolist() == [600]


def test_logistic_of_16_bits_by_hand() -> None:
    # 1.0 is 24 steps of 1/24, where the table holds 47911 of 65536: half of it is 23955.5, rounded up; -1.0 mirrors it.
    got = twin(unary.logistic_int, [0, 4096, -4096, 32767], "int16", (2.0**-12, 0), (2.0**-15, 0))
    assert got.tolist() == [16384, 23956, 32768 - 23956, 32757]


@pytest.mark.parametrize("scale", [2.0**-12, 2.0**-11, 0.0003, 0.0011])
@pytest.mark.parametrize(
    ("function", "real", "worst"),
    [(unary.logistic_int, lambda x: 1 / (1 + np.exp(-x)), 2), (unary.hyperbolic_tangent_int, np.tanh, 4)],
)
def test_16_bit_sigmoids_stay_within_the_derived_error(
    function: Callable[..., Any], real: Callable[..., Any], worst: int, scale: float
) -> None:
    x = np.arange(-32768, 32768, 13)
    ideal = np.clip(np.rint(real(x * np.float64(np.float32(scale))) * 32768), -32768, 32767)
    assert np.abs(twin(function, x, "int16", (scale, 0), (2.0**-15, 0)) - ideal).max() <= worst


def test_tanh_of_16_bits_by_hand_is_odd() -> None:
    # tanh(0.5) = 2 * sigmoid(1) - 1: 47911 - 32768 = 15143
    x = np.arange(0, 32768)
    got = twin(unary.hyperbolic_tangent_int, x, "int16", (2.0**-12, 0), (2.0**-15, 0))
    assert got[[0, 2048]].tolist() == [0, 15143]
    assert (twin(unary.hyperbolic_tangent_int, -x, "int16", (2.0**-12, 0), (2.0**-15, 0)) == -got).all()


@pytest.mark.parametrize("scale", [2.0**-10, 0.03, 0.11, 1.0])
def test_tanh_of_8_bits_is_the_rounded_tangent(scale: float) -> None:
    ideal = np.clip(np.rint(128 * np.tanh(scale * (INT8 + 5.0))), -128, 127)
    got = twin(unary.hyperbolic_tangent_int, INT8, "int8", (scale, -5), (1 / 128, 0))
    assert np.abs(got - ideal).max() <= 1
    assert np.count_nonzero(got != ideal) <= 4


def test_hard_swish_is_zero_left_of_minus_three_and_x_right_of_three() -> None:
    got = unary.hard_swish(np.asarray([-4.0, -3.0, 0.0, 1.0, 3.0, 6.0]))
    assert got.tolist() == pytest.approx([0, 0, 0, 4 / 6, 3, 6])


def test_hard_swish_of_integers_by_hand() -> None:
    # Scale 1/16: 48 stands for 3. It is 3072 of 2**-6 quanta, the gate saturates at 32767, 3071 / 64 rounds to 48.
    # -48: the gate is (-32768 + 32768) / 2 = 0.
    assert twin(unary.hard_swish_int, [48, -48, 0, -100], "int8", (1 / 16, 0), (1 / 16, 0)).tolist() == [48, 0, 0, 0]
    # -1/16 on quanta of 1/1024: -64 times a gate of 16043 / 32768 is -31.33, cut towards zero.
    assert twin(unary.hard_swish_int, [-1], "int8", (1 / 16, 0), (1 / 1024, 0)).tolist() == [-31]


@pytest.mark.parametrize(("scale", "unit"), [(0.05, 0.03), (0.5, 0.25), (0.01, 0.004), (0.1, 0.0015)])
def test_hard_swish_of_integers_is_close(scale: float, unit: float) -> None:
    x = scale * (INT8 + 10.0)
    ideal = np.clip(np.rint(x * np.clip(x + 3, 0, 6) / 6 / unit) - 20, -128, 127)
    got = twin(unary.hard_swish_int, INT8, "int8", (scale, -10), (unit, -20))
    assert np.abs(got - ideal).max() <= 1 + scale / (16 * unit)
