"""Ops that mirror, reverse, spread and overwrite, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from opconform.runtimes.reference.kernels import placement

X = np.arange(6).reshape(2, 3)


def test_padding_takes_its_value_from_an_input_of_one_element() -> None:
    pads = np.array([[1, 0], [0, 2]])
    expected = [[9, 9, 9, 9], [5, 6, 9, 9]]
    for value in (np.array(9), np.array([9])):
        assert placement.pad_v2(np.array([[5, 6]]), pads, value).tolist() == expected


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("REFLECT", [3, 2, 1, 2, 3, 2]), ("SYMMETRIC", [2, 1, 1, 2, 3, 3])],
)
def test_a_mirror_shows_the_border_once_or_twice(mode: str, expected: list[int]) -> None:
    assert placement.mirror_pad(np.array([1, 2, 3]), np.array([[2, 1]]), mode=mode).tolist() == expected


def test_corners_are_mirrored_along_both_axes() -> None:
    padded = placement.mirror_pad(X, np.array([[1, 0], [0, 1]]), mode="REFLECT")
    assert padded.tolist() == [[3, 4, 5, 4], [0, 1, 2, 1], [3, 4, 5, 4]]


def test_reversal_takes_any_axes() -> None:
    assert placement.reverse_v2(X, np.array([-1])).tolist() == [[2, 1, 0], [5, 4, 3]]
    assert placement.reverse_v2(X, np.array([1, 0])).tolist() == [[5, 4, 3], [2, 1, 0]]


def test_each_sequence_is_reversed_as_far_as_its_length() -> None:
    lengths = np.array([2, 3])
    expected = [[1, 0, 2], [5, 4, 3]]
    assert placement.reverse_sequence(X, lengths, seq_dim=1, batch_dim=0).tolist() == expected
    turned = placement.reverse_sequence(X.T, lengths, seq_dim=0, batch_dim=1)
    assert turned.T.tolist() == expected
    assert placement.reverse_sequence(X, np.array([0, 1]), seq_dim=1, batch_dim=0).tolist() == X.tolist()


def test_diagonals_are_made_and_replaced() -> None:
    assert placement.matrix_diag(np.array([[1, 2]])).tolist() == [[[1, 0], [0, 2]]]
    assert placement.matrix_set_diag(X, np.array([8, 9])).tolist() == [[8, 1, 2], [3, 9, 5]]
    assert placement.matrix_set_diag(X.T, np.array([8, 9])).tolist() == [[8, 3], [1, 9], [2, 5]]


def test_shapes_broadcast_from_the_right() -> None:
    assert placement.broadcast_to(np.array([[1], [2]]), np.array([2, 2, 3])).tolist() == [[[1] * 3, [2] * 3]] * 2
    assert placement.broadcast_args(np.array([4, 1, 3]), np.array([5, 1])).tolist() == [4, 5, 3]
    assert placement.broadcast_args(np.array([0]), np.array([1])).tolist() == [0]
    assert placement.broadcast_args(np.array([], int), np.array([2])).tolist() == [2]


@pytest.mark.parametrize(("start", "row"), [(1, [0, 9, 9, 3]), (3, [0, 1, 9, 9]), (-5, [9, 9, 2, 3])])
def test_a_window_that_would_stick_out_is_moved_inside(start: int, row: list[int]) -> None:
    assert placement.dynamic_update_slice(np.arange(4), np.array([9, 9]), np.array([start])).tolist() == row


def test_dilation_puts_copies_between_neighbours_only() -> None:
    y = placement.dilate(X, np.array([2, 1]), np.array(7))
    assert y.tolist() == [[0, 1, 2], [7, 7, 7], [3, 4, 5]]


@pytest.mark.parametrize(
    ("corners", "half", "count", "expected"),
    [
        (False, False, 4, [0, 0, 1, 1]),
        (False, False, 3, [0, 0, 1]),
        (False, True, 3, [0, 1, 1]),
        (True, False, 3, [0, 1, 1]),
        (True, False, 1, [0]),
    ],
)
def test_the_nearest_element_depends_on_where_places_are(
    corners: bool, half: bool, count: int, expected: list[int]
) -> None:
    x = np.arange(2).reshape(1, 1, 2, 1)
    y = placement.resize_nearest_neighbor(x, np.array([1, count]), align_corners=corners, half_pixel_centers=half)
    assert y.ravel().tolist() == expected
