"""Ops that transpose, cut, join and repeat, against index lists written by hand."""

from __future__ import annotations

import numpy as np
import pytest

from opconform.runtimes.reference.kernels import moves

X = np.arange(6).reshape(2, 3)


def listed(parts: tuple[np.ndarray, ...]) -> list[object]:
    return [part.tolist() for part in parts]


def test_transpose_takes_the_dimensions_in_the_given_order():
    assert moves.transpose(X, np.array([1, 0])).tolist() == [[0, 3], [1, 4], [2, 5]]
    assert moves.transpose(X, np.array([-1, 0])).tolist() == [[0, 3], [1, 4], [2, 5]]
    assert moves.transpose(np.array(7), np.zeros(0, int)).tolist() == 7
    assert moves.transpose(np.zeros((2, 3, 4)), np.array([2, 0, 1])).shape == (4, 2, 3)


def test_squeeze_drops_named_ones_or_all():
    x = np.zeros((1, 2, 1))
    assert moves.squeeze(x, squeeze_dims=[]).shape == (2,)
    assert moves.squeeze(x, squeeze_dims=[-1]).shape == (1, 2)
    assert moves.squeeze(x, squeeze_dims=[0, -3]).shape == (2, 1)


def test_expand_dims_counts_the_axis_in_the_result():
    assert moves.expand_dims(X, np.array(-1)).shape == (2, 3, 1)
    assert moves.expand_dims(X, np.array([1])).shape == (2, 1, 3)


def test_pack_and_unpack_undo_each_other():
    packed = moves.pack(X, X + 10, axis=-1)
    assert packed.tolist() == [[[0, 10], [1, 11], [2, 12]], [[3, 13], [4, 14], [5, 15]]]
    assert listed(moves.unpack(packed, axis=2, num=2)) == [X.tolist(), (X + 10).tolist()]


def test_split_takes_its_axis_first_and_cuts_evenly():
    assert listed(moves.split(np.array(-1), X, num_splits=3)) == [[[0], [3]], [[1], [4]], [[2], [5]]]


def test_split_v_infers_one_size():
    cut = moves.split_v(X, np.array([1, -1]), np.array(1), num_splits=2)
    assert listed(cut) == [[[0], [3]], [[1, 2], [4, 5]]]
    assert [part.shape for part in moves.split_v(X, np.array([0, 2]), np.array(0), num_splits=2)] == [(0, 3), (2, 3)]


def test_slice_takes_a_box_and_minus_one_the_rest():
    assert moves.slice_(X, np.array([0, 1]), np.array([1, -1])).tolist() == [[1, 2]]
    assert moves.slice_(X, np.array([1, 3]), np.array([1, 0])).shape == (1, 0)


def test_tile_repeats_each_dimension():
    assert moves.tile(np.array([[1, 2]]), np.array([2, 2])).tolist() == [[1, 2, 1, 2], [1, 2, 1, 2]]
    assert moves.tile(X, np.array([0, 1])).shape == (0, 3)


def test_depth_to_space_lays_channels_row_by_row_into_the_block():
    # one place with channels [block row, block column, depth]
    x = np.arange(8).reshape(1, 1, 1, 8)
    assert moves.depth_to_space(x, block_size=2).tolist() == [[[[0, 1], [2, 3]], [[4, 5], [6, 7]]]]
    assert moves.space_to_depth(moves.depth_to_space(x, block_size=2), block_size=2).tolist() == x.tolist()


def test_space_to_batch_makes_the_place_in_the_block_the_slowest_part_of_the_batch():
    x = np.array([1, 2, 3, 4]).reshape(1, 2, 2, 1)
    block, none = np.array([2, 2]), np.zeros((2, 2), int)
    assert moves.space_to_batch(x, block, none).ravel().tolist() == [1, 2, 3, 4]
    two = np.concatenate([x, x + 4])
    assert moves.space_to_batch(two, block, none).ravel().tolist() == [1, 5, 2, 6, 3, 7, 4, 8]


def test_space_to_batch_pads_with_zeros_first():
    x = np.array([7, 8]).reshape(1, 2, 1)
    moved = moves.space_to_batch(x, np.array([3]), np.array([[1, 3]]))
    assert moved[:, :, 0].tolist() == [[0, 0], [7, 0], [8, 0]]


@pytest.mark.parametrize("crops", [[[0, 0]], [[1, 3]], [[6, 0]]])
def test_batch_to_space_undoes_the_blocks_then_crops(crops):
    x = np.array([[0, 0], [7, 0], [8, 0]])[:, :, None]
    whole = [0, 7, 8, 0, 0, 0]
    before, after = crops[0]
    moved = moves.batch_to_space(x, np.array([3]), np.array(crops))
    assert moved.ravel().tolist() == whole[before : 6 - after]
