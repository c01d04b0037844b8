"""Results that follow from shapes and scalars, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from opconform.runtimes.reference.kernels import fill


def test_shape_and_rank_count_dimensions():
    x = np.zeros((2, 0, 3))
    assert fill.shape(x).tolist() == [2, 0, 3]
    assert fill.rank(x).tolist() == 3
    assert fill.shape(np.array(1)).shape == (0,)


def test_zeros_like_keeps_shape_and_type_and_no_sign():
    zeros = fill.zeros_like(np.array([-0.0, np.nan]))
    assert zeros.tolist() == [0, 0]
    assert not np.signbit(zeros).any()


def test_fill_repeats_one_value_also_into_a_scalar():
    assert fill.fill(np.array([2, 1]), np.array(7)).tolist() == [[7], [7]]
    assert fill.fill(np.zeros(0, int), np.array(7)).tolist() == 7
    assert fill.fill(np.array([0]), np.array(7)).tolist() == []


@pytest.mark.parametrize(
    ("start", "limit", "delta", "expected"),
    [
        (3, 9, 3, [3, 6]),
        (3, 10, 3, [3, 6, 9]),
        (5, 0, -2, [5, 3, 1]),
        (4, 4, 1, []),
        (0.5, 2.0, 0.5, [0.5, 1.0, 1.5]),
        (1.0, -0.1, -0.5, [1.0, 0.5, 0.0]),
    ],
)
def test_range_stops_before_its_limit(start, limit, delta, expected):
    assert fill.range_(np.array(start), np.array(limit), np.array(delta)).tolist() == expected
