"""Sums of products: convolutions and fully connected layers, real and integer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from opconform.harness.model import Array, Quant
from opconform.harness.numerics import Rescale
from opconform.runtimes.reference.kernels._common import Window, activate, centred, finish_sum, patches, with_bias
from opconform.runtimes.reference.registry import kernel, twin


def _window(w_shape: tuple[int, ...], options: Mapping[str, Any]) -> Window:
    return Window(
        size=(w_shape[1], w_shape[2]),
        stride=(options["stride_h"], options["stride_w"]),
        dilation=(options["dilation_h"], options["dilation_w"]),
        padding=options["padding"],
    )


def _convolve(x: Array, w: Array, options: Mapping[str, Any]) -> Array:
    """Cross-correlate x [N, H, W, C] with w [O, KH, KW, C / groups]; no bias, no activation."""
    outputs, kh, kw, depth = w.shape
    groups = x.shape[3] // depth
    cut = patches(x, _window(w.shape, options))
    cut = cut.reshape(*cut.shape[:5], groups, depth)
    filters = w.reshape(groups, outputs // groups, kh, kw, depth)
    y = np.asarray(np.einsum("nhwijgc,goijc->nhwgo", cut, filters))
    return y.reshape(*y.shape[:3], outputs)


def _convolve_depthwise(x: Array, w: Array, options: Mapping[str, Any]) -> Array:
    """Filter each channel of x by its own multiplier filters of w [1, KH, KW, C * multiplier]."""
    _, kh, kw, outputs = w.shape
    channels = x.shape[3]
    filters = w.reshape(kh, kw, channels, outputs // channels)
    y = np.asarray(np.einsum("nhwijc,ijcm->nhwcm", patches(x, _window(w.shape, options)), filters))
    return y.reshape(*y.shape[:3], outputs)


def _matmul(x: Array, w: Array, keep_num_dims: bool) -> Array:
    units, depth = w.shape
    y = x.reshape(-1, depth) @ w.T
    return y.reshape(*x.shape[:-1], units) if keep_num_dims else y


@kernel("CONV_2D")
def conv_2d(x: Array, w: Array, bias: Array | None, *, activation: str, **options: Any) -> Array:
    """Cross-correlation of NHWC input with OHWI filters (grouped where w is shallower than x), plus bias."""
    return activate(with_bias(_convolve(x, w, options), bias), activation)


@twin("CONV_2D")
def conv_2d_int(
    x: Array,
    w: Array,
    bias: Array | None,
    *,
    q: Mapping[str, Quant],
    dtypes: Mapping[str, str],
    rescale: Rescale,
    activation: str,
    **options: Any,
) -> Array:
    """Integer accumulator of centred operands (padding is real zero), rescaled per output channel."""
    acc = with_bias(_convolve(centred(x, q["x"]), centred(w, q["w"]), options), bias)
    return finish_sum(acc, dtypes["x"] == "uint8", q, dtypes, rescale, activation)


@kernel("DEPTHWISE_CONV_2D")
def depthwise_conv_2d(x: Array, w: Array, bias: Array | None, *, activation: str, **options: Any) -> Array:
    """Filter every input channel on its own; output channel c * multiplier + m is filter m of channel c."""
    return activate(with_bias(_convolve_depthwise(x, w, options), bias), activation)


@twin("DEPTHWISE_CONV_2D")
def depthwise_conv_2d_int(
    x: Array,
    w: Array,
    bias: Array | None,
    *,
    q: Mapping[str, Quant],
    dtypes: Mapping[str, str],
    rescale: Rescale,
    activation: str,
    **options: Any,
) -> Array:
    """As CONV_2D: integer accumulator, rescaled per output channel."""
    acc = with_bias(_convolve_depthwise(centred(x, q["x"]), centred(w, q["w"]), options), bias)
    return finish_sum(acc, dtypes["x"] == "uint8", q, dtypes, rescale, activation)


@kernel("FULLY_CONNECTED")
def fully_connected(x: Array, w: Array, bias: Array | None, *, activation: str, keep_num_dims: bool, **_: Any) -> Array:
    """Return x flattened to rows of the weights' depth, times w transposed, plus bias."""
    return activate(with_bias(_matmul(x, w, keep_num_dims), bias), activation)


@twin("FULLY_CONNECTED")
def fully_connected_int(
    x: Array,
    w: Array,
    bias: Array | None,
    *,
    q: Mapping[str, Quant],
    dtypes: Mapping[str, str],
    rescale: Rescale,
    activation: str,
    keep_num_dims: bool,
    **_: Any,
) -> Array:
    """Integer accumulator of centred operands, rescaled per output unit."""
    acc = with_bias(_matmul(centred(x, q["x"]), centred(w, q["w"]), keep_num_dims), bias)
    return finish_sum(acc, not q["w"].per_axis, q, dtypes, rescale, activation)
