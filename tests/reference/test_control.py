"""WHERE, WHILE, variables and random numbers: what their specs' graphs compute."""

from __future__ import annotations

import numpy as np

from opconform.runtimes.reference.kernels import control, random, variables


def test_where_lists_coordinates_in_row_major_order() -> None:
    assert control.where(np.asarray([[1, 0], [0, 2]])).tolist() == [[0, 0], [1, 1]]


def test_where_counts_nan_and_not_minus_zero() -> None:
    assert control.where(np.asarray([np.nan, -0.0, 1e-45])).tolist() == [[0], [2]]


def test_where_of_nothing_has_no_rows_and_as_many_columns_as_axes() -> None:
    assert control.where(np.zeros((0, 3))).shape == (0, 2)
    assert control.where(np.zeros((2, 2, 2), dtype=bool)).shape == (0, 3)


def test_while_turns_until_the_limit() -> None:
    n, m, y = control.rotate_while_less(np.asarray([1]), np.asarray([3]), np.asarray([[0], [1], [2]]))
    assert (n.tolist(), m.tolist(), y.ravel().tolist()) == ([3], [3], [2, 0, 1])


def test_while_that_never_starts_passes_its_inputs_on() -> None:
    n, m, y = control.rotate_while_less(np.asarray([4]), np.asarray([3]), np.asarray([[0], [1]]))
    assert (n.tolist(), m.tolist(), y.ravel().tolist()) == ([4], [3], [0, 1])


def test_a_variable_gives_what_the_previous_invocation_left() -> None:
    y, state = variables.read_then_assign(np.asarray([1, 2]), np.zeros(2))
    assert (y.tolist(), state.tolist()) == ([0, 0], [1, 2])
    assert variables.read_then_assign(np.asarray([3, 4]), state)[0].tolist() == [1, 2]


def test_two_variables_do_not_mix_and_a_second_assignment_wins() -> None:
    x, z = np.asarray([1]), np.asarray([2])
    assert [part.tolist() for part in variables.two_variables(x, z, differ="name")] == [[1], [2]]
    assert [part.tolist() for part in variables.assign_twice(x, z)] == [[1], [2]]


def test_random_numbers_have_the_shape_that_is_asked_for() -> None:
    assert random.random_uniform(np.asarray([2, 0, 3]), seed=1, seed2=2).shape == (2, 0, 3)
