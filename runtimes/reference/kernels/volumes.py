"""CONV_3D and transposed convolutions, in two and three dimensions: real definitions and integer twins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from opconform.harness.model import Array, Quant
from opconform.harness.numerics import Rescale
from opconform.runtimes.reference.kernels._common import activate, centred, finish_sum, window_1d, with_bias
from opconform.runtimes.reference.registry import kernel, twin


@dataclass(frozen=True, slots=True)
class Slide:
    """How a window slides over depth, height and width."""

    size: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: str

    def before(self, extents: Sequence[int]) -> list[int]:
        """Return the padding before each dimension of what the window slides over."""
        rules = zip(extents, self.size, self.stride, self.dilation, strict=True)
        return [window_1d(n, k, s, d, self.padding)[1] for n, k, s, d in rules]

    def outputs(self, extents: Sequence[int]) -> list[int]:
        """Return how many places the window has along each dimension."""
        rules = zip(extents, self.size, self.stride, self.dilation, strict=True)
        return [window_1d(n, k, s, d, self.padding)[0] for n, k, s, d in rules]


def _slide(size: Sequence[int], options: Mapping[str, Any]) -> Slide:
    return Slide(
        size=tuple(size),
        stride=tuple(options[f"stride_{d}"] for d in "dhw"),
        dilation=tuple(options[f"dilation_{d}"] for d in "dhw"),
        padding=options["padding"],
    )


def _taps(slide: Slide, places: Sequence[int], extents: Sequence[int]) -> Iterator[tuple[Any, Any, Any]]:
    """Yield every tap of the window with the places where it meets a cell of what it slides over, and these cells."""
    before = slide.before(extents)
    for tap in product(*(range(k) for k in slide.size)):
        rules = zip(places, extents, slide.stride, tap, slide.dilation, before, strict=True)
        met = [_met(n, extent, s, t * d - b) for n, extent, s, t, d, b in rules]
        yield tap, (slice(None), *(inside for inside, _ in met)), (slice(None), *(cells for _, cells in met))


def _met(places: int, extent: int, stride: int, offset: int) -> tuple[slice, slice]:
    """Return the places whose cell, place * stride + offset, is one of `extent`, and these cells."""
    first = max(-(offset // stride), 0)
    end = max(min(places, -((offset - extent) // stride)), first)
    return slice(first, end), slice(first * stride + offset, end * stride + offset, stride)


def _convolve(x: Array, w: Array, slide: Slide) -> Array:
    """Cross-correlate x [N, D, H, W, C] with w [KD, KH, KW, C, O]; cells outside of x are 0."""
    outputs = slide.outputs(x.shape[1:4])
    y = np.zeros((x.shape[0], *outputs, w.shape[4]), dtype=x.dtype)
    for tap, inside, cells in _taps(slide, outputs, x.shape[1:4]):
        y[inside] += x[cells] @ w[tap]
    return y


def _transposed(x: Array, w: Array, extents: Sequence[int], slide: Slide) -> Array:
    """Spread x [N, D, H, W, C] over an output of these extents by w [KD, KH, KW, O, C]: _convolve's transpose."""
    y = np.zeros((x.shape[0], *extents, w.shape[3]), dtype=x.dtype)
    for tap, inside, cells in _taps(slide, x.shape[1:4], extents):
        y[cells] += x[inside] @ w[tap].T
    return y


@kernel("CONV_3D")
def conv_3d(x: Array, w: Array, bias: Array | None, *, activation: str, **options: Any) -> Array:
    """Return the cross-correlation, plus bias, clamped."""
    return activate(with_bias(_convolve(x, w, _slide(w.shape[:3], options)), bias), activation)


@kernel("CONV_3D_TRANSPOSE")
def conv_3d_transpose(
    output_shape: Array, w: Array, x: Array, bias: Array | None, *, activation: str, **options: Any
) -> Array:
    """Return the transposed convolution, plus bias, clamped."""
    extents = [int(n) for n in np.asarray(output_shape)[1:4]]
    return activate(with_bias(_transposed(x, w, extents, _slide(w.shape[:3], options)), bias), activation)


def _transposed_2d(output_shape: Array, w: Array, x: Array, options: Mapping[str, Any]) -> Array:
    """As _transposed, of x [N, H, W, C] by w [O, KH, KW, C]: a depth of one."""
    slide = Slide((1, *w.shape[1:3]), (1, options["stride_h"], options["stride_w"]), (1, 1, 1), options["padding"])
    extents = [1, *(int(n) for n in np.asarray(output_shape)[1:3])]
    return _transposed(x[:, np.newaxis], w.transpose(1, 2, 0, 3)[np.newaxis], extents, slide)[:, 0]


@kernel("TRANSPOSE_CONV")
def transpose_conv(
    output_shape: Array, w: Array, x: Array, bias: Array | None, *, activation: str, **options: Any
) -> Array:
    """Return the transposed convolution of NHWC input by OHWI filters, plus bias, clamped."""
    return activate(with_bias(_transposed_2d(output_shape, w, x, options), bias), activation)


@twin("TRANSPOSE_CONV")
def transpose_conv_int(
    output_shape: Array,
    w: Array,
    x: Array,
    bias: Array | None,
    *,
    q: Mapping[str, Quant],
    dtypes: Mapping[str, str],
    rescale: Rescale,
    activation: str,
    **options: Any,
) -> Array:
    """As CONV_2D: integer accumulator of centred operands, rescaled per output channel."""
    acc = with_bias(_transposed_2d(output_shape, centred(w, q["w"]), centred(x, q["x"]), options), bias)
    return finish_sum(acc, dtypes["x"] == "uint8", q, dtypes, rescale, activation)
