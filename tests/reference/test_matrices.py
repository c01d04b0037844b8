"""BATCH_MATMUL against values worked out by hand."""

from __future__ import annotations

import numpy as np

from opconform.harness.model import Quant
from opconform.harness.numerics import FAMILIES
from opconform.runtimes.reference.kernels import matrices

A = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
B = np.array([[1.0, 0.0, 2.0], [0.0, 1.0, 3.0]])


def test_each_matrix_may_be_stored_transposed():
    wanted = [[1, 2, 8], [3, 4, 18], [5, 6, 28]]
    for left, adj_x in ((A, False), (A.T, True)):
        for right, adj_y in ((B, False), (B.T, True)):
            assert matrices.batch_matmul(left, right, adj_x=adj_x, adj_y=adj_y).tolist() == wanted


def test_batches_broadcast():
    x = np.ones((2, 1, 1, 3))
    w = np.arange(4.0).reshape(4, 1, 1) * np.ones((4, 3, 2))
    y = matrices.batch_matmul(x, w, adj_x=False, adj_y=False)
    assert y.shape == (2, 4, 1, 2)
    assert y[1, :, 0, 0].tolist() == [0, 3, 6, 9]


def test_stored_matrices_count_from_their_zero_points():
    q = {"x": Quant((0.5,), (1,)), "w": Quant((0.25,), (-2,)), "y": Quant((1.0,), (3,))}
    x, w = np.array([[3, 5]]), np.array([[2], [0]])  # 2 * 4 + 4 * 2 = 16 eighths
    options = {"q": q, "rescale": FAMILIES["double_rounding"], "adj_x": False, "adj_y": False}
    dtypes = {"x": "int8", "w": "int8", "y": "int8"}
    assert matrices.batch_matmul_int(x, w, dtypes=dtypes, **options).tolist() == [[2 + 3]]
    assert matrices.batch_matmul_int(x, w, dtypes={**dtypes, "y": "int32"}, **options).tolist() == [[16]]
