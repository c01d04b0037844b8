"""CONV_3D and transposed convolutions against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from opconform.harness.model import Quant
from opconform.harness.numerics import FAMILIES
from opconform.runtimes.reference.kernels import volumes

ONES = {f"{what}_{d}": 1 for what in ("stride", "dilation") for d in "dhw"}


def test_a_window_slides_through_depth_height_and_width():
    x = np.arange(8.0).reshape(1, 2, 2, 2, 1)
    w = np.array([1.0, 10, 100, 1000, 0, 0, 0, 1]).reshape(2, 2, 2, 1, 1)
    valid = volumes.conv_3d(x, w, np.array([0.5]), padding="VALID", activation="NONE", **ONES)
    assert valid.ravel().tolist() == [3210 + 7 + 0.5]
    same = volumes.conv_3d(x, w, None, padding="SAME", activation="NONE", **ONES)
    assert same.shape == x.shape
    assert same[0, 1, 1].ravel().tolist() == [6 + 70, 7]


def test_dilation_spreads_the_taps():
    x = np.arange(3.0).reshape(1, 1, 1, 3, 1)
    options = {**ONES, "dilation_w": 2}
    y = volumes.conv_3d(
        x, np.array([1.0, 10]).reshape(1, 1, 2, 1, 1), None, padding="VALID", activation="NONE", **options
    )
    assert y.ravel().tolist() == [20]


@pytest.mark.parametrize(("padding", "expected"), [("VALID", [1, 10, 102, 20, 200, 0]), ("SAME", [1, 10, 102, 20])])
def test_every_input_cell_spreads_its_filter(padding, expected):
    x = np.array([1.0, 2.0]).reshape(1, 1, 2, 1)
    w = np.array([1.0, 10.0, 100.0]).reshape(1, 1, 3, 1)
    shape = np.array([1, 1, len(expected), 1])
    y = volumes.transpose_conv(shape, w, x, None, padding=padding, stride_h=1, stride_w=2, activation="NONE")
    assert y.ravel().tolist() == expected


def test_a_transpose_is_the_adjoint_of_the_convolution():
    rng = np.random.default_rng(1)
    options = {**ONES, "stride_h": 2, "dilation_w": 2, "padding": "SAME", "activation": "NONE"}
    x, w = rng.normal(size=(1, 3, 5, 4, 2)), rng.normal(size=(2, 3, 2, 2, 3))
    y = volumes.conv_3d(x, w, None, **options)
    z = rng.normal(size=y.shape)
    back = volumes.conv_3d_transpose(np.array(x.shape), w, z, None, **options)
    assert np.sum(y * z) == pytest.approx(np.sum(x * back))


def test_stored_cells_count_from_their_zero_point_and_padding_is_none():
    q = {"x": Quant((0.5,), (1,)), "w": Quant((0.5, 0.25), (0, 0), 0), "y": Quant((1.0,), (-1,))}
    dtypes = {"x": "int8", "w": "int8", "bias": "int32", "y": "int8"}
    x, w = np.array([[[[5]]]]), np.array([2, 4]).reshape(2, 1, 1, 1)
    shape = np.array([1, 1, 1, 2])
    options = {"q": q, "dtypes": dtypes, "rescale": FAMILIES["double_rounding"], "padding": "VALID"}
    y = volumes.transpose_conv_int(shape, w, x, np.array([4, 8]), stride_h=1, stride_w=1, activation="NONE", **options)
    assert y.ravel().tolist() == [(4 * 2 + 4) // 4 - 1, (4 * 4 + 8) // 8 - 1]
