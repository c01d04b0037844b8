"""Fixed-point functions against real arithmetic: the errors are those of the algorithms, not of a runtime."""

from __future__ import annotations

import math

import numpy as np
import pytest

from opconform.runtimes.reference.kernels import _fixedpoint as fixed


def test_exp_is_within_a_quarter_millionth_on_the_whole_range() -> None:
    a = -np.arange(1, 2**31, 2**21 + 12345)
    ideal = np.exp(a / 2.0**26)
    # Taylor to the fourth power leaves (1/8)**5 / 120 = 2.5e-7 of the value.
    assert np.abs(fixed.exp_on_negative_values(a, 5) / 2.0**31 - ideal).max() < 2.6e-7


def test_exp_of_zero_is_the_largest_number() -> None:
    assert fixed.exp_on_negative_values(np.asarray([0]), 5).tolist() == [2**31 - 1]


@pytest.mark.parametrize("x", [0.0, 0.25, 0.5, 0.999])
def test_one_over_one_plus_x(x: float) -> None:
    got = int(fixed.one_over_one_plus(np.asarray(fixed.constant(x)))) / 2.0**31
    assert got == pytest.approx(1 / (1 + x), abs=2.0**-28)


def test_logistic_mirrors_around_a_half() -> None:
    a = np.arange(-(2**31) + 1, 2**31, 2**22 + 77)
    assert (fixed.logistic(a, 4) + fixed.logistic(-a, 4) == 2**31 - 1)[a != 0].all()
    assert int(fixed.logistic(np.asarray(0), 4)) == 2**30
    assert np.abs(fixed.logistic(a, 4) / 2.0**31 - 1 / (1 + np.exp(-a / 2.0**27))).max() < 1e-7


def test_tanh_is_odd_and_close() -> None:
    a = np.arange(-(2**31) + 1, 2**31, 2**22 + 77)
    assert (fixed.tanh(a, 4) == -fixed.tanh(-a, 4)).all()
    assert np.abs(fixed.tanh(a, 4) / 2.0**31 - np.tanh(a / 2.0**27)).max() < 2e-7


@pytest.mark.parametrize("value", [2, 3, 4, 100, 65025, 10**6, 2**29 - 1, 2**29, 2**31 - 1])
def test_inverse_square_root(value: int) -> None:
    q31, shift = fixed.inverse_sqrt(value)
    assert q31 * 2.0 ** (shift - 31) == pytest.approx(1 / math.sqrt(value), rel=2e-6)


@pytest.mark.parametrize("value", [0, 1])
def test_inverse_square_root_of_nothing_counts_as_one(value: int) -> None:
    assert fixed.inverse_sqrt(value) == (2**31 - 1, 0)


@pytest.mark.parametrize("real", [1.0, 1.5, 3.0, 100.0, 4095.0])
def test_reciprocal_of_numbers_with_12_integer_bits(real: float) -> None:
    raw, bits = fixed.reciprocal(np.asarray(int(real * 2**19)), 12)
    assert raw * 2.0 ** -(31 + bits) == pytest.approx(1 / real, rel=2.0**-27)


def test_fewer_integer_bits_saturate_and_more_round_away_from_zero() -> None:
    x = np.asarray([2**30, -(2**30) - 1, 3, -3])
    assert fixed.with_integer_bits(x, 3, 0).tolist() == [2**31 - 1, -(2**31), 24, -24]
    assert fixed.with_integer_bits(np.asarray([3, -3, 1]), 0, 1).tolist() == [2, -2, 1]


def test_input_radius_is_what_fits_after_the_shift() -> None:
    # 15 with 27 fraction bits, shifted down by 28: 7.5.
    assert fixed.input_radius(4, 28) == 7


@pytest.mark.parametrize(("q31", "q15"), [(2**30, 2**14), (2**30 + 2**15, 2**14 + 1), (2**31 - 1, 0x7FFF)])
def test_sixteen_bit_multipliers_round_up_at_halves_and_saturate(q31: int, q15: int) -> None:
    assert fixed.to_int16_multiplier(q31) == q15


def test_a_table_of_the_identity_gives_its_input_back() -> None:
    low, high = np.float32(-1), np.float32(32767 / 32768)
    table = fixed.table_int16(lambda x: x, low, high, low, high)
    x = np.arange(-32768, 32768, 37)
    assert np.abs(fixed.look_up_int16(x, table) - x).max() <= 1


def test_a_table_halves_the_error_in_the_middle_of_its_steps() -> None:
    low, high = np.float64(-4), np.float64(4)
    table = fixed.table_int16(np.square, low, high, np.float64(-16), np.float64(16))
    x = np.arange(-32768, 32768)
    error = fixed.look_up_int16(x, table) / 2048 - np.square(x / 8192)
    # h**2 / 8 * f'' = 2**-14 for h = 2**-6 and f'' = 2, half of it either way; two roundings of a quantum, 2**-11.
    assert np.abs(error).max() < 2.0**-15 + 2 * 2.0**-11


def test_the_slope_between_two_samples_wraps_to_16_bits() -> None:
    table = np.zeros(513, dtype=np.int64)
    table[256:258] = -32768, 32767
    # 65535 wraps to -1: (-1 * 64 + 64) >> 7 is 0.
    assert fixed.look_up_int16(np.asarray([0, 64]), table).tolist() == [-32768, -32768]
