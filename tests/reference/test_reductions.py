"""Sums, products, extremes, truth and running sums over axes, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from opconform.harness.model import Quant
from opconform.harness.numerics import FAMILIES
from opconform.runtimes.reference.kernels import reductions

INT8 = {"x": "int8", "y": "int8"}
DOUBLE = FAMILIES["double_rounding"]
X = np.array([[1.0, -2.0, 3.0], [4.0, 5.0, -6.0]])


def test_reductions_fold_the_axes_however_they_are_written():
    assert reductions.sum_over(X, np.array([-1]), keep_dims=False).tolist() == [2, 3]
    assert reductions.product_over(X, np.array([0, 0]), keep_dims=True).tolist() == [[4, -10, -18]]
    assert reductions.largest_over(X, np.array([1, 0]), keep_dims=False).item() == 5
    assert reductions.smallest_over(X, np.array([0]), keep_dims=False).tolist() == [1, -2, -6]


def test_without_axes_nothing_is_folded():
    assert reductions.sum_over(X, np.array([], np.int64), keep_dims=False).tolist() == X.tolist()


def test_no_elements_give_what_changes_nothing():
    none = np.zeros((0, 2))
    assert reductions.sum_over(none, np.array([0]), keep_dims=False).tolist() == [0, 0]
    assert reductions.product_over(none, np.array([0]), keep_dims=False).tolist() == [1, 1]
    assert reductions.any_over(none.astype(bool), np.array([0]), keep_dims=False).tolist() == [False, False]
    assert reductions.all_over(none.astype(bool), np.array([0]), keep_dims=False).tolist() == [True, True]


def test_truth_is_some_or_all():
    x = np.array([[True, False], [True, True]])
    assert reductions.any_over(x, np.array([0]), keep_dims=False).tolist() == [True, True]
    assert reductions.all_over(x, np.array([0]), keep_dims=False).tolist() == [True, False]


def test_the_first_of_equal_smallest_elements_counts():
    assert reductions.arg_min(np.array([[3, 1, 1], [2, 2, 5]]), np.array([-1])).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("exclusive", "reverse", "expected"),
    [(False, False, [1, 3, 6]), (True, False, [0, 1, 3]), (False, True, [6, 5, 3]), (True, True, [5, 3, 0])],
)
def test_running_sums_start_at_either_end_with_or_without_the_element(exclusive, reverse, expected):
    x = np.array([[1, 2, 3]])
    assert reductions.cumsum(x, np.array(1), exclusive=exclusive, reverse=reverse).tolist() == [expected]


def test_a_stored_sum_counts_from_the_zero_points():
    q = {"x": Quant((0.5,), (10,)), "y": Quant((1.0,), (-3,))}
    x = np.array([14, 12, 11])  # (4 + 2 + 1) * 0.5 = 3.5, a half away from zero is 4
    y = reductions.sum_over_int(x, np.array([0]), q=q, dtypes=INT8, rescale=DOUBLE, keep_dims=False)
    assert y.item() == 4 - 3


def test_a_stored_product_takes_a_share_of_the_scale_per_factor():
    q = {"x": Quant((0.5,), (1,)), "y": Quant((0.25,), (2,))}
    x = np.array([[7], [5]])  # 3 * 2 = 6 = 24 quarters; every rescale is by 0.5 / sqrt(0.25) = 1
    y = reductions.product_over_int(x, np.array([0]), q=q, dtypes=INT8, keep_dims=True)
    assert y.tolist() == [[24 + 2]]


def test_a_stored_running_sum_starts_at_the_real_zero():
    q = {"x": Quant((1.0,), (-128,)), "y": Quant((2.0,), (0,))}
    x = np.array([-126, -124, -124])  # 2, 4, 4
    options = {"q": q, "dtypes": INT8, "rescale": DOUBLE, "reverse": False}
    assert reductions.cumsum_int(x, np.array(0), exclusive=False, **options).tolist() == [1, 3, 5]
    assert reductions.cumsum_int(x, np.array(0), exclusive=True, **options).tolist() == [0, 1, 3]
