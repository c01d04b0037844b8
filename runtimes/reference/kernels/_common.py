"""What several families share: windows, activations, real and integer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from opconform.harness.model import Array, Quant
from opconform.harness.numerics import RESCALE_64, Rescale, integer_range, round_half_away

#: fused activation -> real limits; TANH and SIGN_BIT are no clamps and no op here has them
LIMITS: Mapping[str, tuple[float, float]] = {
    "NONE": (-np.inf, np.inf),
    "RELU": (0.0, np.inf),
    "RELU_N1_TO_1": (-1.0, 1.0),
    "RELU6": (0.0, 6.0),
}


@dataclass(frozen=True, slots=True)
class Window:
    """How a window slides over H and W; pairs are (height, width)."""

    size: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: str


def activate(y: Array, activation: str) -> Array:
    """Clamp real or integer values as a fused activation does; the dtype is kept."""
    low, high = LIMITS[activation]
    if np.isfinite(low):
        y = np.maximum(y, y.dtype.type(low))
    if np.isfinite(high):
        y = np.minimum(y, y.dtype.type(high))
    return y


def activation_range(activation: str, quant: Quant, dtype: str) -> tuple[int, int]:
    """Return the integers an activation clamps to: its limits quantized in float32, inside the dtype's range."""
    scale, zero = np.float32(quant.scale[0]), quant.zero_point[0]
    low, high = integer_range(dtype)
    least, most = LIMITS[activation]
    if np.isfinite(least):
        low = max(low, zero + _steps(least, scale))
    if np.isfinite(most):
        high = min(high, zero + _steps(most, scale))
    return low, high


def _steps(limit: float, scale: np.float32) -> int:
    return int(round_half_away(np.asarray(np.float32(limit) / scale)))


def finish(scaled: Array, activation: str, quant: Quant, dtype: str) -> Array:
    """Add the output's zero point to rescaled values and clamp them: the last step of every quantized op."""
    low, high = activation_range(activation, quant, dtype)
    return np.asarray(np.clip(scaled + quant.zero_point[0], low, high))


def with_bias(y: Array, bias: Array | None) -> Array:
    """Add one number per output channel, where there is a bias."""
    return y if bias is None else np.asarray(y + bias)


def finish_sum(
    acc: Array, per_tensor: bool, q: Mapping[str, Quant], dtypes: Mapping[str, str], rescale: Rescale, activation: str
) -> Array:
    """Turn the sum of products of centred x and w, plus bias, into y: rescaled per output channel, or by one factor.

    An int64 bias makes the accumulator 64 bits wide, and that has a rounding rule of its own.
    """
    scales = np.asarray(q["w"].scale) * q["x"].scale[0]
    if per_tensor:  # layers with one factor round it to float32 first
        scales = scales.astype(np.float32).astype(np.float64)
    rule = RESCALE_64 if dtypes["bias"] == "int64" else rescale
    return finish(rule(acc, scales / q["y"].scale[0]), activation, q["y"], dtypes["y"])


def centred(x: Array, quant: Quant) -> Array:
    """Return stored integers less their zero point (per tensor)."""
    return np.asarray(x, dtype=np.int64) - quant.zero_point[0]


def window_1d(n: int, k: int, stride: int, dilation: int, padding: str) -> tuple[int, int, int]:
    """Return (outputs, padding before, padding after) along one dimension of n elements.

    SAME yields ceil(n / stride) outputs and puts the odd element of padding after;
    VALID yields the windows that fit (public TensorFlow documentation of tf.nn.convolution).
    """
    reach = (k - 1) * dilation + 1
    outputs = -(-n // stride) if padding == "SAME" else max(-(-(n - reach + 1) // stride), 0)
    total = max((outputs - 1) * stride + reach - n, 0) if padding == "SAME" else 0
    return outputs, total // 2, total - total // 2


def patches(x: Array, window: Window, fill: float = 0) -> Array:
    """Cut x [N, H, W, C] into windows: [N, OH, OW, KH, KW, C]; elements outside of x are `fill`."""
    pads, index = [], []
    for n, k, stride, dilation in zip(x.shape[1:3], window.size, window.stride, window.dilation, strict=True):
        outputs, before, after = window_1d(n, k, stride, dilation, window.padding)
        pads.append((before, after))
        index.append(np.arange(outputs)[:, None] * stride + np.arange(k)[None, :] * dilation)
    (top, bottom), (left, right) = pads
    batches, height, width, channels = x.shape
    padded = np.full((batches, top + height + bottom, left + width + right, channels), fill, dtype=x.dtype)
    padded[:, top : top + height, left : left + width] = x
    rows, columns = index
    return padded[:, rows[:, None, :, None], columns[None, :, None, :], :]
