"""Ops that pick, place and join by integers, against values written by hand."""

from __future__ import annotations

import numpy as np
import pytest

from opconform.harness.numerics import Undecided
from opconform.runtimes.reference.kernels import indexed, suppression

X = np.arange(12).reshape(3, 4)


def array(*values):
    return np.asarray(values)


def test_gather_nd_picks_elements_and_rows():
    assert indexed.gather_nd(X, array([0, 1], [2, 3])).tolist() == [1, 11]
    assert indexed.gather_nd(X, array([1], [1])).tolist() == [[4, 5, 6, 7]] * 2
    assert indexed.gather_nd(X, array(2)).tolist() == [8, 9, 10, 11]


def test_scatter_nd_adds_up_where_indices_repeat():
    rows, updates = array([3], [0], [3]), array(1, 10, 100)
    assert indexed.scatter_nd(rows, updates, array(5)).tolist() == [10, 0, 0, 101, 0]
    assert indexed.scatter_nd(rows, np.array([True, False, True]), array(4)).tolist() == [False, False, False, True]
    assert indexed.scatter_nd(array([1]), array([7, 8]), array(2, 2)).tolist() == [[0, 0], [7, 8]]


def test_one_hot_puts_the_new_axis_where_it_is_told():
    indices, values = array(2, -1, 3), (np.array(5), np.array(0))
    assert indexed.one_hot(indices, np.array(3), *values, axis=-1).tolist() == [[0, 0, 5], [0, 0, 0], [0, 0, 0]]
    assert indexed.one_hot(indices, np.array(3), *values, axis=0).tolist() == [[0, 0, 0], [0, 0, 0], [5, 0, 0]]
    assert indexed.one_hot(np.array(1), np.array(2), *values, axis=-1).tolist() == [0, 5]


def test_select_knows_elements_rows_and_all():
    a, b = array([1, 2], [3, 4]), array([5, 6], [7, 8])
    assert indexed.select(array([True, False], [False, True]), a, b).tolist() == [[1, 6], [7, 4]]
    assert indexed.select(array(True, False), a, b).tolist() == [[1, 2], [7, 8]]
    assert indexed.select(np.array(False), a, b).tolist() == b.tolist()


def test_sparse_to_dense_takes_one_place_a_line_or_rows():
    zero = np.array(9)
    assert indexed.sparse_to_dense(np.array(1), array(3), np.array(4), zero).tolist() == [9, 4, 9]
    assert indexed.sparse_to_dense(array(0, 2), array(3), array(4, 5), zero).tolist() == [4, 9, 5]
    assert indexed.sparse_to_dense(array([0, 1], [1, 0]), array(2, 2), np.array(3), zero).tolist() == [[9, 3], [3, 9]]


def test_topk_keeps_the_order_of_equal_elements():
    values, places = indexed.topk(array([1, 3, 3, 2], [0, 0, 0, 0]), np.array(3))
    assert values.tolist() == [[3, 3, 2], [0, 0, 0]]
    assert places.tolist() == [[1, 2, 3], [0, 1, 2]]


def test_unique_numbers_by_first_appearance():
    values, numbers = indexed.unique(array(7, 3, 7, 7, 1, 3))
    assert values.tolist() == [7, 3, 1]
    assert numbers.tolist() == [0, 1, 0, 0, 2, 1]
    values, numbers = indexed.unique(array(-0.0, 0.0))
    assert np.signbit(values).tolist() == [True]
    assert numbers.tolist() == [0, 0]


def test_segments_join_what_has_one_number():
    x, ids = array([1, 2], [3, 4], [5, 6]), array(0, 0, 2)
    assert indexed.segment_sum(x, ids).tolist() == [[4, 6], [0, 0], [5, 6]]
    shuffled = array(1, -1, 1)
    assert indexed.unsorted_segment_sum(x, shuffled, np.array(2)).tolist() == [[0, 0], [6, 8]]
    assert indexed.unsorted_segment_prod(x, shuffled, np.array(2)).tolist() == [[1, 1], [5, 12]]
    assert indexed.unsorted_segment_max(x, shuffled, np.array(2)).tolist() == [[-(2**31)] * 2, [5, 6]]
    assert indexed.unsorted_segment_min(x, shuffled, np.array(2)).tolist() == [[2**31 - 1] * 2, [1, 2]]
    lowest = indexed.unsorted_segment_max(np.zeros((0, 1)), np.zeros(0, np.int64), np.array(1))
    assert lowest[0, 0] == np.finfo(np.float32).min


@pytest.mark.parametrize(
    ("combiner", "want"), [("SUM", [7.0, 0.0]), ("MEAN", [7 / 4, 0.0]), ("SQRTN", [7 / 10**0.5, 0.0])]
)
def test_sparse_embeddings_are_combined(combiner, want):
    table, weights = array([1.0], [4.0]), array(3.0, 1.0)
    places, dense = array([0, 0], [0, 2]), array(2, 3)
    y = indexed.embedding_lookup_sparse(array(0, 1), places, dense, weights, table, combiner=combiner)
    assert y.ravel() == pytest.approx(want)


def test_hashtable_lookup_gives_zeros_for_what_is_missing():
    y, hits = indexed.hashtable_lookup(array(5, 6, -2), array(-2, 5), array([1, 2], [3, 4]))
    assert y.tolist() == [[3, 4], [0, 0], [1, 2]]
    assert hits.tolist() == [1, 0, 1]


def suppressed(boxes, scores, most, overlap, least=0.0, sigma=0.0):
    scalars = [np.asarray(number) for number in (most, overlap, least, sigma)]
    indices, kept, count = suppression.non_max_suppression_v5(np.array(boxes, float), np.array(scores), *scalars)
    return indices.tolist(), kept.tolist(), int(count)


UNIT, SAME, HALF, FAR, FLAT = [0, 0, 1, 1], [1, 1, 0, 0], [0, 0, 1, 2], [5, 5, 6, 6], [0, 0, 0, 1]


def test_boxes_that_overlap_too_much_go():
    assert suppressed([UNIT, HALF, FAR], [0.9, 0.8, 0.7], 3, 0.4) == ([0, 2, 0], [0.9, 0.7, 0.0], 2)
    assert suppressed([UNIT, SAME], [0.5, 0.6], 2, 0.9) == ([1, 0], [0.6, 0.0], 1)
    assert suppressed([UNIT, FLAT], [0.5, 0.6], 2, 0.0) == ([1, 0], [0.6, 0.5], 2)


def test_an_overlap_of_just_the_threshold_stays():
    assert suppressed([UNIT, HALF], [0.9, 0.8], 2, 0.5)[2] == 2
    assert suppressed([UNIT, SAME], [0.9, 0.8], 2, 1.0)[2] == 2


def test_equal_scores_come_by_position_and_low_ones_not_at_all():
    assert suppressed([FAR, UNIT, FLAT], [0.5, 0.5, 0.1], 3, 0.5, least=0.1) == ([0, 1, 0], [0.5, 0.5, 0.0], 2)


def test_soft_suppression_rules_no_box_out_by_its_overlap():
    indices, kept, count = suppressed([UNIT, SAME], [0.9, 0.8], 2, 0.0, sigma=0.5)
    assert (indices, count) == ([0, 1], 2)
    assert kept == pytest.approx([0.9, 0.8 * np.exp(-1)])


def test_soft_suppression_lowers_scores_and_order():
    indices, kept, count = suppressed([UNIT, SAME, FAR], [0.9, 0.8, 0.7], 3, 1.0, sigma=0.5)
    assert indices == [0, 2, 1]
    assert kept == pytest.approx([0.9, 0.7, 0.8 * np.exp(-1)])
    assert count == 3


def test_what_rounding_decides_is_left_alone():
    with pytest.raises(Undecided):
        suppressed([[0, 0, 1, 1], [0, 0, 1, 3]], [0.9, 0.8], 2, 1 / 3)
    with pytest.raises(Undecided):
        suppressed([UNIT, SAME, FAR], [0.9, 0.8, 0.8 * np.exp(-1)], 3, 1.0, sigma=0.5)
    with pytest.raises(Undecided):
        indexed.embedding_lookup_sparse(array(0), array([0, 0]), array(1, 1), array(0.0), array([1.0]), combiner="MEAN")
