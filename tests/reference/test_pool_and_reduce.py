"""Pools, MEAN and ARG_MAX, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from opconform.harness.model import Quant
from opconform.harness.numerics import FAMILIES
from opconform.runtimes.reference.kernels import pool, reduce

TWO_BY_TWO = {"padding": "SAME", "stride_h": 1, "stride_w": 1, "filter_h": 2, "filter_w": 2}
INT8 = {"x": "int8", "y": "int8"}


def square(*values):
    return np.array(values).reshape(1, 2, 2, 1)


def test_an_average_leaves_padding_out():
    y = pool.average_pool_2d(square(1.0, 2.0, 3.0, 4.0), activation="NONE", **TWO_BY_TWO)
    assert y.reshape(-1).tolist() == [2.5, 3, 3.5, 4]


def test_a_maximum_is_never_padding():
    y = pool.max_pool_2d(square(-1.0, -2.0, -3.0, -4.0), activation="NONE", **TWO_BY_TWO)
    assert y.reshape(-1).tolist() == [-1, -2, -3, -4]
    q = {"y": Quant((1.0,), (0,))}
    stored = pool.max_pool_2d_int(square(-1, -2, -3, -4), q=q, dtypes=INT8, activation="NONE", **TWO_BY_TWO)
    assert stored.reshape(-1).tolist() == [-1, -2, -3, -4]


def test_windows_move_by_their_strides():
    x = np.arange(16.0).reshape(1, 4, 4, 1)
    options = {"padding": "VALID", "stride_h": 2, "stride_w": 1, "filter_h": 2, "filter_w": 3}
    assert pool.max_pool_2d(x, activation="NONE", **options)[0, :, :, 0].tolist() == [[6, 7], [14, 15]]
    assert pool.average_pool_2d(x, activation="RELU6", **options)[0, :, :, 0].tolist() == [[3, 4], [6, 6]]


@pytest.mark.parametrize(("values", "expected"), [((1, 2), 2), ((-1, -2), -2), ((1, 1), 1), ((-3, 2), -1), ((0, 1), 1)])
def test_a_stored_average_is_rounded_half_away_from_the_stored_zero(values, expected):
    x = np.array(values).reshape(1, 1, 2, 1)
    options = {"padding": "VALID", "stride_h": 1, "stride_w": 1, "filter_h": 1, "filter_w": 2}
    q = {"y": Quant((1.0,), (50,))}  # the zero point plays no part
    y = pool.average_pool_2d_int(x, q=q, dtypes=INT8, activation="NONE", **options)
    assert y.item() == expected


def test_a_stored_average_is_clamped_from_the_zero_point_on():
    q = {"y": Quant((1.0,), (10,))}
    y = pool.average_pool_2d_int(square(8, 12, 15, 30), q=q, dtypes=INT8, activation="RELU6", **TWO_BY_TWO)
    assert y.reshape(-1).tolist() == [16, 16, 16, 16]  # 16.25, 21, 22.5, 30, all above 10 + 6


def test_a_mean_is_over_the_axes_however_they_are_written():
    x = np.arange(12.0).reshape(2, 3, 2)
    assert reduce.mean(x, np.array([1]), keep_dims=False).tolist() == [[2, 3], [8, 9]]
    assert reduce.mean(x, np.array([-2, 1]), keep_dims=True).tolist() == [[[2, 3]], [[8, 9]]]
    assert reduce.mean(x, np.array([0, -1, 1]), keep_dims=False).item() == 5.5


def test_an_integer_mean_is_cut_towards_zero():
    assert reduce.mean(np.array([-1, -2]), np.array([0]), keep_dims=False).item() == -1
    assert reduce.mean(np.array([5, 6]), np.array([0]), keep_dims=False).item() == 5


def mean_int(values, scales=(1.0, 1.0), zeros=(0, 0)):
    q = {"x": Quant((scales[0],), (zeros[0],)), "y": Quant((scales[1],), (zeros[1],))}
    x, family = np.array(values), FAMILIES["double_rounding"]
    return reduce.mean_int(x, np.array([0]), q=q, dtypes=INT8, rescale=family, keep_dims=False).item()


def test_a_stored_mean_rounds_halves_up_where_nothing_is_shifted():
    # Multiplier 2**30 and no shift: floor((3 * 2**30 + 2**30) / 2**31) = 2, and floor((-3 + 1) / 2) = -1.
    assert mean_int([1, 2]) == 2
    assert mean_int([-1, -2]) == -1


def test_a_stored_mean_takes_zero_points_and_scales_into_account():
    assert mean_int([5, 9], scales=(0.5, 0.25), zeros=(3, -10)) == -2  # ((2 + 6) / 2) * 0.5 / 0.25 - 10
    assert mean_int([127, 127, 127], scales=(1.0, 0.5)) == 127


def test_the_division_by_the_count_cuts_the_multiplier():
    # 2**31 // 3 = 715827882 with one bit up: 3 * 715827882 < 2**31, so that a mean of 3 ones stays just below 1.
    assert reduce._divided(2**30, 1, 3) == (715827882, 0)
    assert mean_int([1, 1, 1]) == 1


def test_the_first_of_equal_largest_wins():
    x = np.array([[1.0, 5.0, 5.0], [7.0, -1.0, 7.0]])
    assert reduce.arg_max(x, np.array([-1])).tolist() == [1, 0]
    assert reduce.arg_max(x, np.array([0])).tolist() == [1, 0, 1]
    assert reduce.arg_max(np.array([False, True, True]), np.array([0])).item() == 1
