"""SVDF over several invocations, against values worked out by hand."""

from __future__ import annotations

import numpy as np

from opconform.harness.model import Quant
from opconform.harness.numerics import FAMILIES
from opconform.runtimes.reference.kernels.state import svdf, svdf_int

ONE_FILTER = {"w_feature": np.array([[2.0]]), "w_time": np.array([[10.0, 1.0]])}


def test_the_newest_feature_stands_last_and_the_oldest_is_forgotten():
    state = np.zeros((1, 2))
    answers = []
    for x in (3.0, 1.0, 0.0, 0.0):
        y, state = svdf(np.array([[x]]), *ONE_FILTER.values(), None, state, rank=1, activation="NONE")
        answers.append(y.item())
    # Features are 6, 2, 0, 0: each counts once when new and ten times when it is one invocation old.
    assert answers == [6, 62, 20, 0]


def test_neighbouring_filters_form_a_unit():
    w_feature, w_time = np.array([[1.0], [10.0], [100.0], [1000.0]]), np.ones((4, 1))
    bias = np.array([0.5, -2000.0])
    y, state = svdf(np.array([[2.0]]), w_feature, w_time, bias, np.zeros((1, 4)), rank=2, activation="RELU")
    assert y.tolist() == [[22.5, 200]]
    assert state.tolist() == [[2, 20, 200, 2000]]


def test_a_batch_keeps_its_memories_apart():
    state = np.array([[0.0, 1.0], [0.0, 5.0]])
    y, state = svdf(np.array([[0.0], [1.0]]), *ONE_FILTER.values(), None, state, rank=1, activation="NONE")
    assert y.tolist() == [[10], [52]]
    assert state.tolist() == [[1, 0], [5, 2]]


def integer_step(x, state, scale_state=0.5, dtype_state="int16"):
    q = {
        "x": Quant((0.5,), (1,)), "w_feature": Quant((0.5,), (0,)), "w_time": Quant((0.25,), (0,)),
        "state": Quant((scale_state,), (0,)), "bias": Quant((0.125,), (0,)), "y": Quant((1.0,), (-128,)),
    }  # fmt: skip
    dtypes = {"x": "int8", "w_feature": "int8", "w_time": "int16", "bias": "int32", "state": dtype_state, "y": "int8"}
    w_feature, w_time, bias = np.array([[3]]), np.array([[4, 8]]), np.array([8])
    return svdf_int(
        np.array([[x]]), w_feature, w_time, bias, np.array([state]), q=q, dtypes=dtypes,
        rescale=FAMILIES["double_rounding"], rank=1, activation="RELU",
    )  # fmt: skip


def test_the_integer_memory_is_rescaled_and_so_is_the_answer():
    # (6 - 1) * 3 = 15 quanta of 0.25 = 7.5 quanta of 0.5, rounded to 8; 8 * 8 + 20 * 4 + 8 = 152 quanta of 0.125 = 19.
    y, state = integer_step(6, [9, 20])
    assert state.tolist() == [[20, 8]]
    assert y.tolist() == [[-109]]


def test_the_integer_memory_saturates_at_its_own_width():
    # (127 - 1) * 3 = 378 quanta of 0.25 = 189 of 0.5: too much for 8 bits.
    assert integer_step(127, [0, 0])[1].tolist() == [[0, 189]]
    assert integer_step(127, [0, 0], dtype_state="int8")[1].tolist() == [[0, 127]]


def test_an_integer_answer_below_zero_is_the_zero_point():
    assert integer_step(-127, [0, 0])[0].tolist() == [[-128]]
