"""REDUCE_WINDOW against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from opconform.runtimes.reference.kernels import windows

X = np.array([[1.0, 2, 3, 4], [5, 6, 7, 8]])


def slide(x, init, function, sizes=(1, 2), strides=(1, 1), dilations=(1, 1)):
    arrays = (np.array(a) for a in (sizes, strides, dilations))
    return windows.reduce_window(x, np.array(init), *arrays, reduce_function=function).tolist()


def test_a_window_takes_the_start_value_and_its_own_cells():
    assert slide(X, 10.0, "ADD") == [[13, 15, 17], [21, 23, 25]]
    assert slide(X, 2.0, "MUL", sizes=(2, 1)) == [[10, 24, 42, 64]]


def test_strides_move_it_and_dilations_spread_it():
    assert slide(X, 0.0, "ADD", strides=(1, 2)) == [[3, 7], [11, 15]]
    assert slide(X, 0.0, "ADD", dilations=(1, 3)) == [[5], [13]]


@pytest.mark.parametrize(
    ("function", "init", "expected"), [("MAXIMUM", 6.5, [[6.5, 7, 8]]), ("MINIMUM", 2.5, [[1, 2, 2.5]])]
)
def test_the_start_value_takes_part_in_extremes(function, init, expected):
    assert slide(X, init, function, sizes=(2, 2)) == expected


def test_truth_is_some_or_all_of_start_and_window():
    x = np.array([[True, True, False]])
    assert slide(x, True, "ALL") == [[True, False]]
    assert slide(x, False, "ALL") == [[False, False]]
    assert slide(x, False, "ANY", sizes=(1, 1)) == [[True, True, False]]


def test_a_window_that_never_fits_has_no_output():
    assert slide(X, 0.0, "ADD", sizes=(3, 1)) == []
