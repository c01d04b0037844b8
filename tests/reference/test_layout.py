"""Ops that move elements, against index lists written by hand."""

from __future__ import annotations

import numpy as np
import pytest

from opconform.runtimes.reference.kernels import layout

X = np.arange(12).reshape(3, 4)
NO_MASKS = dict.fromkeys(("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask"), 0)


def test_reshape_infers_one_dimension_and_prefers_its_input():
    assert layout.reshape(X, None, new_shape=[2, -1]).shape == (2, 6)
    assert layout.reshape(X, np.array([-1, 3]), new_shape=[12]).shape == (4, 3)
    assert layout.reshape(np.array([7]), None, new_shape=[]).shape == ()
    assert layout.reshape(X, None, new_shape=[12]).tolist() == list(range(12))


def test_pad_puts_zeros_before_and_after():
    padded = layout.pad(np.array([[5, 6]]), np.array([[1, 0], [0, 2]]))
    assert padded.tolist() == [[0, 0, 0, 0], [5, 6, 0, 0]]
    assert layout.pad(np.array([True]), np.array([[1, 1]])).tolist() == [False, True, False]


def test_concatenation_joins_along_negative_axes_too():
    assert layout.concatenation(X, X[:, :1], axis=-1).tolist()[0] == [0, 1, 2, 3, 0]
    assert layout.concatenation(X, X[:1], axis=0).shape == (4, 4)
    assert layout.concatenation(X, X[:0], axis=0).tolist() == X.tolist()


def test_gather_replaces_the_axis_by_the_positions():
    assert layout.gather(X, np.array([2, 0]), axis=0, batch_dims=0).tolist() == [[8, 9, 10, 11], [0, 1, 2, 3]]
    picked = layout.gather(X, np.array([[3, 3]]), axis=-1, batch_dims=0)
    assert picked.tolist() == [[[3, 3]], [[7, 7]], [[11, 11]]]
    assert layout.gather(X, np.array(1), axis=0, batch_dims=0).tolist() == [4, 5, 6, 7]


def test_gather_picks_per_batch():
    positions = np.array([[0], [1], [3]])
    assert layout.gather(X, positions, axis=1, batch_dims=1).tolist() == [[0], [5], [11]]
    assert layout.gather(X, positions, axis=1, batch_dims=-1).tolist() == [[0], [5], [11]]
    cube = np.arange(8).reshape(2, 2, 2)
    pairs = np.array([[1, 0], [0, 0]])
    assert layout.gather(cube, pairs, axis=-1, batch_dims=1).tolist() == [[[1, 0], [3, 2]], [[4, 4], [6, 6]]]


@pytest.mark.parametrize(
    ("begin", "end", "strides", "masks", "expected"),
    [
        ([1, 1], [3, 4], [1, 2], {}, [[5, 7], [9, 11]]),
        ([-1, -1], [0, -4], [-1, -2], {}, [[11, 9], [7, 5]]),
        ([2, 2], [1, 99], [1, 1], {"begin_mask": 1}, [[2, 3]]),
        ([2, 2], [0, 0], [1, 1], {"end_mask": 3}, [[10, 11]]),
        ([1, 0], [2, 4], [1, 1], {"shrink_axis_mask": 1}, [4, 5, 6, 7]),
        ([-1, 2], [0, 3], [1, 1], {"shrink_axis_mask": 3}, 10),
        ([0, 3], [0, 4], [1, 1], {"ellipsis_mask": 1}, [[3], [7], [11]]),
        ([0, 0, 1], [0, 0, 3], [1, 1, 1], {"ellipsis_mask": 1, "shrink_axis_mask": 2, "end_mask": 4}, [1, 2, 3]),
        ([0, 2], [0, 3], [1, 1], {"new_axis_mask": 1}, [[[8, 9, 10, 11]]]),
        ([0], [1], [1], {}, [[0, 1, 2, 3]]),  # fewer entries than dimensions: the rest is taken whole
        ([3, 0], [3, 4], [1, 1], {}, []),
    ],
)
def test_a_strided_slice_with_its_masks(begin, end, strides, masks, expected):
    y = layout.strided_slice(X, np.array(begin), np.array(end), np.array(strides), **NO_MASKS | masks)
    assert y.tolist() == expected


def test_an_offset_counts_the_end_from_the_begin():
    y = layout.strided_slice(X, np.array([1]), np.array([2]), np.array([1]), **NO_MASKS, offset=True)
    assert y.tolist() == X[1:3].tolist()
