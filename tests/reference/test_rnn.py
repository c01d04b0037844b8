"""Basic recurrent cells, against values worked out by hand."""

from __future__ import annotations

import numpy as np

from opconform.runtimes.reference.kernels.rnn import bidirectional_rnn, rnn, rnn_errors, sequence_rnn

W, R, BIAS = np.array([[2.0]]), np.array([[0.5]]), np.array([1.0])


def test_a_step_weighs_the_input_and_the_last_output():
    y, h = rnn(np.array([[3.0]]), W, R, BIAS, np.zeros((1, 1)), activation="NONE")
    assert (y.item(), h.item()) == (7, 7)
    y, h = rnn(np.array([[0.0]]), W, R, BIAS, h, activation="NONE")
    assert y.item() == 0.5 * 7 + 1


def test_the_state_is_what_comes_out_after_the_activation():
    x = np.array([[[3.0], [0.0]]])
    y, h = sequence_rnn(x, W, R, BIAS, np.zeros((1, 1)), activation="RELU6", time_major=False)
    assert y.ravel().tolist() == [6, 0.5 * 6 + 1]
    assert h.item() == 4


def test_time_is_the_first_axis_where_it_is_major():
    x = np.array([[[1.0], [10.0]], [[0.0], [0.0]]])
    h = np.zeros((2, 1))
    y, last = sequence_rnn(x, W, R, BIAS, h, activation="NONE", time_major=True)
    # two rows of a batch: 3 and 21, then half of that and one
    assert y[:, :, 0].tolist() == [[3, 21], [2.5, 11.5]]
    assert last.ravel().tolist() == [2.5, 11.5]


def both(x, aux=None, weights=(None, None), merge=True):
    one, zero = np.array([[1.0]]), np.zeros(1)
    cell = (one, one, zero, np.zeros((1, 1)))
    options = {"activation": "NONE", "time_major": False, "merge_outputs": merge}
    return bidirectional_rnn(x, *cell, *cell, aux, *weights, **options)


def test_the_backward_cell_starts_at_the_end():
    y, forward, backward = both(np.array([[[1.0], [2.0], [4.0]]]))
    # running sums from either end, side by side
    assert y.tolist() == [[[1, 7], [3, 6], [7, 4]]]
    assert (forward.item(), backward.item()) == (7, 7)


def test_unmerged_directions_are_two_outputs():
    y, z, *_ = both(np.array([[[1.0], [2.0]]]), merge=False)
    assert (y.ravel().tolist(), z.ravel().tolist()) == ([1, 3], [3, 2])


def test_a_second_input_without_weights_is_the_backward_cells():
    y, *_ = both(np.array([[[1.0], [2.0]]]), np.array([[[10.0], [20.0]]]))
    assert y.tolist() == [[[1, 30], [3, 20]]]


def test_a_second_input_with_weights_is_added_in_both_directions():
    x, aux = np.array([[[1.0], [2.0]]]), np.array([[[10.0], [20.0]]])
    y, *_ = both(x, aux, (np.array([[1.0]]), np.array([[-1.0]])))
    assert y.tolist() == [[[11, (2 - 20) + (1 - 10)], [11 + 22, 2 - 20]]]


def test_the_analysis_holds_what_float32_does_and_little_more():
    rng = np.random.default_rng(3)
    w, r, bias = (rng.uniform(-1, 1, shape).astype(np.float32) for shape in ((5, 4), (5, 5), (5,)))
    state32, state, carried = np.zeros((2, 5), np.float32), np.zeros((2, 5)), None
    for _ in range(8):
        x = rng.uniform(-2, 2, (2, 4)).astype(np.float32)
        wide = [a.astype(np.float64) for a in (x, w, r, bias)]
        y, state = rnn(*wide, state, activation="TANH")
        noise = {"unit": 2.0**-24, "curve": 2.0**-24}
        (error,), carried = rnn_errors(*wide, None, carried=carried, noise=noise, activation="TANH")
        state32 = np.tanh((x @ w.T + state32 @ r.T + bias).astype(np.float32)).astype(np.float32)
        assert np.all(np.abs(state32 - y) <= error)
        assert error.max() < 1e-4


def test_without_noise_no_error_is_allowed():
    (error,), _ = rnn_errors(np.ones((1, 1)), W, R, BIAS, None, carried=None, noise={}, activation="TANH")
    assert error.max() == 0


def test_an_input_that_is_quantized_on_the_fly_moves_every_sum():
    noise = {"operand": 1 / 127}
    (error,), _ = rnn_errors(np.array([[3.0, -1.0]]), np.array([[2.0, -1.0]]), R, BIAS, None, carried=None, noise=noise, activation="NONE")  # fmt: skip  # noqa: E501
    # either element by the same step, 3 / 127, times its weight
    assert np.isclose(error.item(), 3 * 3 / 127)
