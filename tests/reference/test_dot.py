"""Convolutions and fully connected layers, against hand values and a formula with all its loops."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from opconform.harness.model import Quant
from opconform.harness.numerics import FAMILIES
from opconform.runtimes.reference.kernels import dot
from opconform.runtimes.reference.kernels._common import window_1d

DOUBLE = FAMILIES["double_rounding"]
PLAIN = {"padding": "VALID", "stride_h": 1, "stride_w": 1, "dilation_h": 1, "dilation_w": 1}
INT8 = {"x": "int8", "w": "int8", "bias": "int32", "y": "int8"}
INT16 = {"x": "int16", "w": "int8", "bias": "int64", "y": "int16"}


def convolve_by_loops(x, w, bias, *, padding, stride_h, stride_w, dilation_h, dilation_w, groups, multiplier=None):
    """The definition, one product at a time. w is [O, KH, KW, C / groups]; multiplier set: [1, KH, KW, O]."""
    outputs, kh, kw, depth = w.shape if multiplier is None else (w.shape[3], *w.shape[1:3], 1)
    oh, top, _ = window_1d(x.shape[1], kh, stride_h, dilation_h, padding)
    ow, left, _ = window_1d(x.shape[2], kw, stride_w, dilation_w, padding)
    y = np.zeros((x.shape[0], oh, ow, outputs))
    for n, i, j, o, a, b, c in itertools.product(*map(range, (*y.shape, kh, kw, depth))):
        row, column = i * stride_h - top + a * dilation_h, j * stride_w - left + b * dilation_w
        if 0 <= row < x.shape[1] and 0 <= column < x.shape[2]:
            channel = o // multiplier if multiplier else o // (outputs // groups) * depth + c
            weight = w[0, a, b, o] if multiplier else w[o, a, b, c]
            y[n, i, j, o] += x[n, row, column, channel] * weight
    return y + bias


def test_a_window_of_ones_sums_what_it_covers():
    x = np.arange(1.0, 10.0).reshape(1, 3, 3, 1)
    w, bias = np.ones((1, 2, 2, 1)), np.array([100.0])
    valid = dot.conv_2d(x, w, bias, activation="NONE", **PLAIN)
    assert valid[0, :, :, 0].tolist() == [[112, 116], [124, 128]]
    same = dot.conv_2d(x, w, bias, activation="NONE", **PLAIN | {"padding": "SAME"})
    assert same[0, :, :, 0].tolist() == [[112, 116, 109], [124, 128, 115], [115, 117, 109]]


def test_a_filter_is_not_flipped():
    x, w = np.array([1.0, 10.0]).reshape(1, 1, 2, 1), np.array([3.0, 5.0]).reshape(1, 1, 2, 1)
    assert dot.conv_2d(x, w, None, activation="NONE", **PLAIN).reshape(-1).tolist() == [53]


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize(("strides", "dilations"), [((1, 1), (1, 1)), ((2, 3), (1, 2)), ((3, 1), (2, 1))])
@pytest.mark.parametrize("groups", [1, 3])
def test_convolution_equals_its_definition(padding, strides, dilations, groups):
    rng = np.random.default_rng(groups)
    x, w, bias = rng.normal(size=(2, 6, 7, 6)), rng.normal(size=(3 * 2, 2, 3, 6 // groups)), rng.normal(size=6)
    options = {
        "padding": padding, "stride_h": strides[0], "stride_w": strides[1],
        "dilation_h": dilations[0], "dilation_w": dilations[1],
    }  # fmt: skip
    wanted = convolve_by_loops(x, w, bias, groups=groups, **options)
    np.testing.assert_allclose(dot.conv_2d(x, w, bias, activation="NONE", **options), wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("multiplier", [1, 2])
def test_depthwise_convolution_equals_its_definition(padding, multiplier):
    rng = np.random.default_rng(multiplier)
    x, w = rng.normal(size=(2, 5, 6, 3)), rng.normal(size=(1, 3, 2, 3 * multiplier))
    bias = rng.normal(size=3 * multiplier)
    options = {"padding": padding, "stride_h": 2, "stride_w": 1, "dilation_h": 1, "dilation_w": 2}
    wanted = convolve_by_loops(x, w, bias, groups=3, multiplier=multiplier, **options)
    got = dot.depthwise_conv_2d(x, w, bias, activation="NONE", depth_multiplier=multiplier, **options)
    np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-12)


def test_a_fully_connected_layer_keeps_or_folds_dimensions():
    x, w = np.arange(6.0).reshape(1, 2, 3), np.array([[1.0, 0, 0], [0, 1, 1]])
    kept = dot.fully_connected(x, w, np.array([10.0, 20.0]), activation="NONE", keep_num_dims=True)
    assert kept.tolist() == [[[10, 23], [13, 29]]]
    assert dot.fully_connected(x, w, None, activation="NONE", keep_num_dims=False).tolist() == [[0, 3], [3, 9]]
    wide = dot.fully_connected(x, np.ones((1, 6)), None, activation="NONE", keep_num_dims=False)
    assert wide.tolist() == [[15]]


def quants(x, w, y, axis=0):
    scale_x, zero_x = x
    return {
        "x": Quant((scale_x,), (zero_x,)),
        "w": Quant(tuple(w), (0,) * len(w), axis),
        "bias": Quant(tuple(scale_x * s for s in w), (0,) * len(w)),
        "y": Quant((y[0],), (y[1],)),
    }


def test_padding_of_an_integer_convolution_is_the_real_zero():
    x = np.full((1, 2, 2, 1), 7)  # all of it the zero point
    y = dot.conv_2d_int(
        x, np.full((1, 3, 3, 1), 50), np.array([8]), q=quants((0.5, 7), [0.5], (0.5, -3)), dtypes=INT8,
        rescale=DOUBLE, activation="NONE", **PLAIN | {"padding": "SAME"},
    )  # fmt: skip
    assert y.reshape(-1).tolist() == [1] * 4  # 8 * 0.25 / 0.5 - 3


def test_each_channel_has_its_own_multiplier():
    x, w = np.array([4]).reshape(1, 1, 1, 1), np.array([10, 10]).reshape(2, 1, 1, 1)
    y = dot.conv_2d_int(
        x, w, np.array([0, 1]), q=quants((0.5, 0), [0.5, 0.25], (1.0, 0)), dtypes=INT8,
        rescale=DOUBLE, activation="NONE", **PLAIN,
    )  # fmt: skip
    assert y.reshape(-1).tolist() == [10, 5]  # 40 * 0.25, and 41 * 0.125 = 5.125


def test_a_64_bit_accumulator_is_rescaled_by_a_multiplier_of_16_bits():
    # 0.5 + 2**-16 is 16384.5 in units of 2**-15 and is rounded up to 16385: 65000 * 16385 / 32768 = 32501.98.
    q = quants((1.0, 0), [0.5 + 2.0**-16], (1.0, 0))
    x, w, bias = np.array([[650]]), np.array([[100]]), np.array([0])
    arguments = {"q": q, "rescale": DOUBLE, "activation": "NONE", "keep_num_dims": True}
    assert dot.fully_connected_int(x, w, bias, dtypes=INT16, **arguments).tolist() == [[32502]]
    # 32 bits have room for 31 of the multiplier: 32500.99.
    narrow = INT16 | {"bias": "int32"}
    assert dot.fully_connected_int(x, w, bias, dtypes=narrow, **arguments).tolist() == [[32501]]


def test_an_integer_layer_centres_weights_too_and_clamps():
    q = quants((0.5, 2), [0.5], (0.5, 1)) | {"w": Quant((0.5,), (-4,))}
    dtypes = {"x": "uint8", "w": "uint8", "bias": "int32", "y": "uint8"}
    arguments = {"q": q, "dtypes": dtypes, "rescale": DOUBLE, "keep_num_dims": True}
    x, w = np.array([[6, 10]]), np.array([[0, 2]])  # (4, 8) . (4, 6) = 64 quanta of 0.25 = 16 = 32 quanta of 0.5
    assert dot.fully_connected_int(x, w, None, activation="NONE", **arguments).tolist() == [[33]]
    assert dot.fully_connected_int(x, w, None, activation="RELU6", **arguments).tolist() == [[13]]


def test_an_integer_depthwise_convolution_keeps_channels_apart():
    x, w = np.array([3, 100]).reshape(1, 1, 1, 2), np.array([1, 2, 1, 1]).reshape(1, 1, 1, 4)
    y = dot.depthwise_conv_2d_int(
        x, w, np.zeros(4, dtype=np.int64), q=quants((1.0, 0), [0.5] * 4, (1.0, 0), axis=3), dtypes=INT8,
        rescale=DOUBLE, activation="NONE", depth_multiplier=2, **PLAIN,
    )  # fmt: skip
    assert y.reshape(-1).tolist() == [2, 3, 50, 50]  # 1.5 is rounded to 2
