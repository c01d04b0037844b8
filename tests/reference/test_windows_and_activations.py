"""Windows, patches and fused activations, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from opconform.harness.model import Quant
from opconform.runtimes.reference.kernels._common import Window, activate, activation_range, patches, window_1d


@pytest.mark.parametrize(
    ("n", "k", "stride", "dilation", "padding", "expected"),
    [
        (5, 3, 1, 1, "SAME", (5, 1, 1)),
        (4, 3, 2, 1, "SAME", (2, 0, 1)),  # one element of padding goes after
        (5, 2, 1, 1, "SAME", (5, 0, 1)),
        (5, 3, 1, 2, "SAME", (5, 2, 2)),  # a dilated window reaches over 5
        (7, 1, 3, 1, "SAME", (3, 0, 0)),  # gaps between windows need no padding
        (5, 3, 1, 1, "VALID", (3, 0, 0)),
        (6, 3, 2, 1, "VALID", (2, 0, 0)),  # the last element is in no window
        (5, 3, 1, 2, "VALID", (1, 0, 0)),
        (2, 3, 1, 1, "VALID", (0, 0, 0)),  # no window fits
    ],
)
def test_a_window_gives_so_many_outputs_and_pads_so_much(n, k, stride, dilation, padding, expected):
    assert window_1d(n, k, stride, dilation, padding) == expected


def test_patches_hold_what_the_window_covers_and_the_fill_outside():
    x = np.arange(1.0, 7.0).reshape(1, 2, 3, 1)
    cut = patches(x, Window((2, 2), (1, 2), (1, 1), "SAME"), fill=-9)
    assert cut.shape == (1, 2, 2, 2, 2, 1)
    assert cut[0, 0, 0, :, :, 0].tolist() == [[1, 2], [4, 5]]
    assert cut[0, 0, 1, :, :, 0].tolist() == [[3, -9], [6, -9]]
    assert cut[0, 1, 1, :, :, 0].tolist() == [[6, -9], [-9, -9]]


def test_a_dilated_window_skips_elements():
    x = np.arange(5.0).reshape(1, 1, 5, 1)
    cut = patches(x, Window((1, 3), (1, 1), (1, 2), "VALID"))
    assert cut.reshape(-1).tolist() == [0, 2, 4]


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        ("NONE", [-7, -1, 0, 1, 7]),
        ("RELU", [0, 0, 0, 1, 7]),
        ("RELU_N1_TO_1", [-1, -1, 0, 1, 1]),
        ("RELU6", [0, 0, 0, 1, 6]),
    ],
)
@pytest.mark.parametrize("dtype", [np.float64, np.int64])
def test_an_activation_clamps_and_keeps_the_dtype(activation, expected, dtype):
    y = activate(np.array([-7, -1, 0, 1, 7], dtype=dtype), activation)
    assert y.tolist() == expected
    assert y.dtype == dtype


def test_a_clamp_lets_nan_through():
    assert np.isnan(activate(np.array([np.nan]), "RELU6"))[0]


@pytest.mark.parametrize(
    ("activation", "quant", "dtype", "expected"),
    [
        ("NONE", Quant((0.5,), (3,)), "int8", (-128, 127)),
        ("RELU", Quant((0.5,), (3,)), "int8", (3, 127)),
        ("RELU_N1_TO_1", Quant((0.5,), (3,)), "int8", (1, 5)),
        ("RELU6", Quant((0.5,), (3,)), "int8", (3, 15)),
        ("RELU6", Quant((0.01,), (-128,)), "int8", (-128, 127)),  # 6 is outside of the range
        ("RELU_N1_TO_1", Quant((0.4,), (0,)), "int16", (-3, 3)),  # 2.5 quanta: the half goes away from zero
        ("RELU6", Quant((0.1,), (10,)), "uint8", (10, 70)),
    ],
)
def test_quantized_limits_are_the_real_ones_rounded_inside_of_the_dtype(activation, quant, dtype, expected):
    assert activation_range(activation, quant, dtype) == expected
