"""Norms of rows, channels and windows against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from opconform.harness.model import Quant
from opconform.runtimes.reference.kernels import local


def test_log_softmax_of_equal_elements_is_minus_the_logarithm_of_their_number() -> None:
    assert local.log_softmax(np.full((2, 4), 1000.0)).tolist() == [[-math.log(4)] * 4] * 2


def test_log_softmax_of_integers_counts_sixteenths_below_its_largest() -> None:
    quants = {"x": Quant((0.5,), (3,)), "y": Quant((1 / 16,), (127,))}
    dtypes = {"x": "int8", "y": "int8"}
    # Two equal: -ln(2) = -11.09 sixteenths. 0 and -20: 0 and -320 sixteenths, below the least of -255.
    got = local.log_softmax_int(np.asarray([[7, 7], [40, 0]]), q=quants, dtypes=dtypes)
    assert got.tolist() == [[116, 116], [127, -128]]


@pytest.mark.parametrize("depth", [1, 2, 3, 7, 100, 3000])
def test_the_logarithm_of_a_sum_is_good_to_its_last_bits(depth: int) -> None:
    # Units of 2**-26 in the result; the argument has steps of 2**-19.
    assert local._log_of_sum(depth << 19) / 2**26 == pytest.approx(math.log(depth), abs=2e-7)
    assert local._log_of_sum((depth << 19) + 12345) / 2**26 == pytest.approx(math.log(depth + 12345 / 2**19), abs=2e-7)


def test_a_response_is_normalized_by_both_neighbours_and_itself() -> None:
    x = np.asarray([1.0, 2.0, 3.0, 4.0]).reshape(1, 1, 1, 4)
    got = local.local_response_normalization(x, radius=1, bias=1.0, alpha=0.5, beta=1.0)
    # Sums of squares: 1 + 4, 1 + 4 + 9, 4 + 9 + 16, 9 + 16.
    assert got.ravel().tolist() == pytest.approx([1 / 3.5, 2 / 8, 3 / 15.5, 4 / 13.5])


def test_a_pool_of_squares_leaves_padding_out() -> None:
    x = np.asarray([3.0, -4.0, 5.0]).reshape(1, 1, 3, 1)
    window = {"filter_h": 1, "filter_w": 2, "stride_h": 1, "stride_w": 2, "padding": "SAME"}
    got = local.l2_pool_2d(x, activation="NONE", **window)
    assert got.ravel().tolist() == pytest.approx([math.sqrt(12.5), 5.0])
    assert local.l2_pool_2d(x, activation="RELU_N1_TO_1", **window).ravel().tolist() == [1.0, 1.0]
