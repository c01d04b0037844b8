"""RESIZE_BILINEAR against values worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from opconform.runtimes.reference.kernels import resize


def row(values: Any, outputs: int, **options: bool) -> list[float]:
    """Resize one row of pixels."""
    settings = {"align_corners": False, "half_pixel_centers": False} | options
    x = np.asarray(values, dtype=np.float64).reshape(1, 1, -1, 1)
    return list(resize.resize_bilinear(x, np.asarray([1, outputs]), **settings).ravel().tolist())


def row_int(values: Any, outputs: int, **options: bool) -> list[int]:
    settings = {"align_corners": False, "half_pixel_centers": False} | options
    x = np.asarray(values).reshape(1, 1, -1, 1)
    got = resize.resize_bilinear_int(x, np.asarray([1, outputs]), dtypes={"x": "int8"}, **settings)
    return list(got.ravel().tolist())


def test_the_three_ways_to_place_pixels() -> None:
    assert row([0, 4], 4) == [0, 2, 4, 4]
    assert row([0, 4], 4, half_pixel_centers=True) == [0, 1, 3, 4]
    assert row([0, 4], 3, align_corners=True) == [0, 2, 4]


def test_the_same_size_changes_nothing() -> None:
    assert row([3, 1, 2], 3) == row([3, 1, 2], 3, half_pixel_centers=True) == [3, 1, 2]


def test_one_output_is_the_first_pixel_or_the_middle() -> None:
    assert row([1, 2, 9], 1, align_corners=True) == [1]
    assert row([1, 2, 9], 1, half_pixel_centers=True) == [2]


def test_height_and_width_are_independent() -> None:
    x = np.arange(4.0).reshape(1, 2, 2, 1)
    got = resize.resize_bilinear(x, np.asarray([3, 3]), align_corners=True, half_pixel_centers=False)
    assert got[0, :, :, 0].tolist() == [[0, 0.5, 1], [1, 1.5, 2], [2, 2.5, 3]]


def test_integers_round_halves_away_from_zero() -> None:
    assert row_int([0, 1], 3, align_corners=True) == [0, 1, 1]
    assert row_int([0, -1], 3, align_corners=True) == [0, -1, -1]


def test_integers_round_the_step_to_ten_bits() -> None:
    # 2 / 3 is 683 of 1024 (682.67); the third output is at 1366, behind the start of the last pixel.
    assert row_int([0, 1000], 3) == [0, 667, 1000]


@pytest.mark.parametrize("options", [{}, {"align_corners": True}, {"half_pixel_centers": True}])
def test_integers_follow_the_real_definition(options: dict[str, bool]) -> None:
    values = [-128, 127, 5, -30, 99]
    for outputs in range(1, 12):
        ideal = np.asarray(row(values, outputs, **options))
        assert np.abs(row_int(values, outputs, **options) - ideal).max() <= 0.5 + (outputs + 1) / 2048 * 255
