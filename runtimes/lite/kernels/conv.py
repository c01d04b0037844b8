"""CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED: what is computed once; the loops are in `dot`.

Multipliers: PopulateConvolutionQuantizationParams and GetQuantizedConvolutionMultipler of TFLite's kernel_util.cc.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from opconform.harness.model import Array, Shape
from opconform.runtimes.lite import cpu, shapes
from opconform.runtimes.lite.graph import Memory, Node, Operand, Prepared, Step
from opconform.runtimes.lite.jit import bind
from opconform.runtimes.lite.kernels import dot, packing
from opconform.runtimes.lite.quantize import (
    INT8,
    INT16,
    INT32,
    UINT8,
    check_quantized,
    check_scales,
    dequantized,
    float32,
    float_range,
    quantized_range,
)

_FLOAT = np.dtype(np.float32)
_INT64 = np.dtype(np.int64)
#: dtypes of input and weights -> allowed dtypes of the bias
_ROWS = {
    (_FLOAT, _FLOAT): (_FLOAT,),
    (_FLOAT, INT8): (_FLOAT,),
    (_FLOAT, UINT8): (_FLOAT,),
    (INT8, INT8): (INT32,),
    (UINT8, UINT8): (INT32,),
    (INT16, INT8): (_INT64, INT32),
    (INT16, INT16): (_INT64, INT32),
}


@dataclass(frozen=True, slots=True)
class _Layer:
    """The operands of one layer, checked. `axis` is the weights' output channel, `outputs` its extent."""

    node: Node
    x: Operand
    w: Operand
    bias: Operand | None
    out: Operand
    axis: int
    outputs: int


def _layer(node: Node, rank: int, axis: int) -> _Layer:
    x, w, bias, out = node.input(0), node.input(1), node.optional(2), node.output()
    allowed = _ROWS.get((x.dtype, w.dtype))
    if allowed is None or (w.dtype == INT16 and node.op != "FULLY_CONNECTED"):
        raise node.unsupported(f"an input of {x.dtype} with weights of {w.dtype} is not supported")
    widened = node.op == "FULLY_CONNECTED" and (x.dtype, out.dtype) == (UINT8, INT16)
    if (out.dtype != x.dtype and not widened) or (bias is not None and bias.dtype not in allowed):
        found = bias.dtype if bias else "no bias"
        raise node.invalid(f"dtypes {x.dtype}, {w.dtype}, {found} -> {out.dtype} do not belong together")
    if len(w.shape) != rank:
        raise node.invalid(f"the weights have rank {len(w.shape)}; {rank} is allowed")
    outputs = w.shape[axis]
    if bias is not None and bias.size != outputs:
        raise node.invalid(f"the bias has {bias.size} elements for {outputs} output channels")
    if x.dtype != _FLOAT:
        check_quantized(node, x, out)
    if w.dtype != _FLOAT:
        check_scales(node, w)
        _check_channels(node, w, axis, outputs)
    if w.dtype != x.dtype == _FLOAT and w.data is None:
        raise node.unsupported("int8 weights of a float32 layer that are not constant are not supported")
    return _Layer(node, x, w, bias, out, axis, outputs)


def _check_channels(node: Node, w: Operand, axis: int, outputs: int) -> None:
    quantization = w.quantization
    if quantization is None or len(quantization.scale) == 1:
        return
    if w.dtype == UINT8:
        raise node.unsupported("uint8 weights with a scale per channel are not supported")
    if quantization.axis != axis or len(quantization.scale) != outputs:
        found = f"{len(quantization.scale)} scales along axis {quantization.axis}"
        raise node.invalid(f"the weights have {found}; {outputs} along axis {axis} are allowed")
    node.require(not any(quantization.zero_point), "weights with a scale per channel must have zero points of 0")


def _multipliers(layer: _Layer, product32: bool) -> tuple[Array, Array]:
    """Return factor and shift per output channel; `product32` forms the product of scales in float32."""
    assert layer.w.quantization is not None  # check_scales has seen it
    scale = np.array(layer.w.quantization.scale, np.float64)
    product = layer.x.scale * scale
    if product32 and len(scale) == 1:
        product = np.array([float32(float(product[0]))])
    real = product / layer.out.scale
    if not (real < 2.0**31).all():
        raise layer.node.invalid(f"the scales give a rescale of {real.max():g}; up to 2**31 is allowed")
    fraction, exponent = np.frexp(real)
    factor = np.floor(fraction * 2147483648.0 + 0.5).astype(np.int64)
    full = factor == 2147483648
    factor, shift = np.where(full, factor // 2, factor), exponent.astype(np.int64) + full
    lost = shift < -31
    factor, shift = np.where(lost, 0, factor), np.where(lost, 0, shift)
    return (factor, shift) if len(scale) > 1 else (factor.repeat(layer.outputs), shift.repeat(layer.outputs))


def _bias(layer: _Layer, depth: int, fold: bool) -> Callable[[Memory], tuple[Array, Step | None]]:
    """Return what makes the bias array, and the step that refills it where bias or weights are no constants."""
    dtype = np.float32 if layer.x.dtype == _FLOAT else np.int64

    def make(m: Memory) -> tuple[Array, Step | None]:
        total = np.zeros(layer.outputs, dtype)
        w = m.inputs[1].reshape(layer.outputs, -1) if fold and layer.outputs else None

        def refill() -> None:
            total[:] = m.inputs[2] if layer.bias is not None else 0
            if w is not None:
                sums = w.sum(axis=1, dtype=np.int64) - depth * layer.w.zero_point
                np.subtract(total, layer.x.zero_point * sums, out=total)

        refill()
        fixed = layer.w.data is not None and (layer.bias is None or layer.bias.data is not None)
        return total, None if fixed else refill

    return make


def _weights(layer: _Layer, m: Memory) -> Array:
    """Return the weights as the kernels take them: as stored, or for a float32 layer with int8 weights as float32.

    Other runtimes quantize the input of such a layer on the fly; computing in float32 is at least as close.
    """
    if layer.w.dtype == layer.x.dtype or layer.x.dtype != _FLOAT:
        return m.inputs[1]
    return dequantized(layer.w, m.inputs[1])


def _packable(layer: _Layer) -> bool:
    """Tell whether the weights are packed for vector code: constants of float32, or of int8 around zero."""
    if cpu.vectors().lanes == 1 or layer.w.data is None or (layer.bias is not None and layer.bias.data is None):
        return False
    if 0 in layer.x.shape or 0 in layer.w.shape:
        return False
    return layer.x.dtype == _FLOAT or (layer.x.dtype == layer.w.dtype == INT8 and not layer.w.zero_point)


def _numbers(layer: _Layer, weights: Array, scales: tuple[Array, Array] | None) -> packing.Numbers:
    bias = np.zeros(layer.outputs, np.float32) if layer.bias is None else layer.bias.data
    assert bias is not None  # _packable has seen it
    if scales is None:
        return packing.Numbers(weights, bias, np.array(float_range(layer.node), np.float32))
    factor, shift = scales
    zero_points = (layer.x.zero_point, layer.out.zero_point)
    return packing.Numbers(weights, bias.astype(np.int64), None, factor, shift, *zero_points, *_limits(layer))


def _constant_weights(layer: _Layer) -> Array:
    assert layer.w.data is not None  # _packable has seen it
    real = layer.x.dtype == _FLOAT and layer.w.dtype != _FLOAT
    return (dequantized(layer.w, layer.w.data) if real else layer.w.data).reshape(layer.w.shape)


def _chain(first: Step | None, second: Step) -> Step:
    if first is None:
        return second
    before = first

    def run() -> None:
        before()
        second()

    return run


def _wide_sums(layer: _Layer) -> int:
    """Tell whether int16 layers sum in 64 bits: by the bias, or without one by what the options say it would be."""
    if layer.bias is None:
        return int(layer.node.op == "DEPTHWISE_CONV_2D" or layer.node.options.number("quantized_bias_type") != 2)
    return int(layer.bias.dtype == _INT64)


def _limits(layer: _Layer) -> tuple[int, int]:
    return (0, 0) if layer.x.dtype == _FLOAT else quantized_range(layer.node, layer.out)


def _conv_geometry(layer: _Layer, filter_h: int, filter_w: int, groups: int) -> tuple[Shape, Array]:
    number = layer.node.options.number
    code = number("padding")
    layer.node.require(code in (0, 1), f"padding code {code}; 0 (SAME) and 1 (VALID) are allowed")
    batch, height, width, channels = layer.x.shape
    steps = (number("stride_h"), number("stride_w"), number("dilation_h"), number("dilation_w"))
    rows, top = shapes.window(layer.node, height, filter_h, steps[0], steps[2], code == 0)
    columns, left = shapes.window(layer.node, width, filter_w, steps[1], steps[3], code == 0)
    zero_points = (layer.x.zero_point, layer.w.zero_point, layer.out.zero_point)
    numbers = [batch, height, width, channels, rows, columns, layer.outputs, filter_h, filter_w, *steps, top, left]
    numbers += [groups, *zero_points, *_limits(layer), _wide_sums(layer)]
    return (batch, rows, columns, layer.outputs), np.array(numbers, np.int64)


def prepare_conv(node: Node) -> Prepared:
    """Prepare CONV_2D: NHWC input, OHWI weights; fewer weight channels than input channels mean groups."""
    layer = _layer(node, 4, 0)
    if len(layer.x.shape) != 4:
        raise node.invalid(f"the input has rank {len(layer.x.shape)}; 4 (NHWC) is allowed")
    node.require(layer.bias is not None, "the bias is missing, which is mandatory here")
    channels, (outputs, filter_h, filter_w, per_group) = layer.x.shape[3], layer.w.shape
    groups = channels // per_group if per_group else 1
    if groups < 1 or groups * per_group != channels or outputs % groups:
        raise node.invalid(f"{channels} input channels, {per_group} weight channels and {outputs} outputs do not fit")
    shape, p = _conv_geometry(layer, filter_h, filter_w, groups)
    scales = None if layer.x.dtype == _FLOAT else _multipliers(layer, layer.x.dtype == UINT8)
    if _packable(layer):
        window = packing.Window(*p[: dot.ZERO_X].tolist())
        return packing.convolution(window, _numbers(layer, _constant_weights(layer), scales))
    if groups == 1 and filter_h * filter_w == 1 and (p[dot.STRIDE_H], p[dot.STRIDE_W]) == (1, 1):
        return Prepared((shape,), _dense(layer, math.prod(shape[:3]), per_group, layer.x.dtype == UINT8))
    depth = filter_h * filter_w * per_group
    scratch = max(1, shape[2] * depth) * layer.x.dtype.itemsize
    return Prepared((shape,), _conv(layer, depth, p), (scratch,))


def _conv(layer: _Layer, depth: int, p: Array) -> Callable[[Memory], Step]:
    bias_of = _bias(layer, depth, layer.x.dtype in (INT8, UINT8))
    if layer.x.dtype == _FLOAT:
        bounds = np.array(float_range(layer.node), np.float32)

        def build_float(m: Memory) -> Step:
            bias, refill = bias_of(m)
            patches = m.scratch[0].view(np.float32)
            return _chain(
                refill, bind(dot.conv_float, m.inputs[0], _weights(layer, m), bias, m.outputs[0], patches, bounds, p)
            )

        return build_float
    factor, shift = _multipliers(layer, layer.x.dtype == UINT8)
    function = dot.conv_wide if layer.x.dtype == INT16 else dot.conv_narrow

    def build(m: Memory) -> Step:
        bias, refill = bias_of(m)
        patches = m.scratch[0].view(layer.x.dtype)
        return _chain(refill, bind(function, *m.inputs[:2], bias, factor, shift, m.outputs[0], patches, p))

    return build


def _dense(layer: _Layer, rows: int, depth: int, product32: bool) -> Callable[[Memory], Step]:
    bias_of = _bias(layer, depth, layer.x.dtype in (INT8, UINT8))
    if layer.x.dtype == _FLOAT:
        bounds = np.array(float_range(layer.node), np.float32)
        extents = np.array([rows, layer.outputs, depth], np.int64)

        def build_float(m: Memory) -> Step:
            bias, refill = bias_of(m)
            return _chain(
                refill, bind(dot.dense_float, m.inputs[0], _weights(layer, m), bias, m.outputs[0], bounds, extents)
            )

        return build_float
    factor, shift = _multipliers(layer, product32)
    zero_points = (layer.w.zero_point, layer.out.zero_point)
    p = np.array([rows, layer.outputs, depth, *zero_points, *_limits(layer), _wide_sums(layer)], np.int64)
    function = dot.dense_wide if layer.x.dtype == INT16 else dot.dense_narrow

    def build(m: Memory) -> Step:
        bias, refill = bias_of(m)
        return _chain(refill, bind(function, *m.inputs[:2], bias, factor, shift, m.outputs[0], p))

    return build


def prepare_depthwise(node: Node) -> Prepared:
    """Prepare DEPTHWISE_CONV_2D: weights [1, H, W, outputs], outputs a multiple of the input channels."""
    layer = _layer(node, 4, 3)
    if len(layer.x.shape) != 4:
        raise node.invalid(f"the input has rank {len(layer.x.shape)}; 4 (NHWC) is allowed")
    channels, (one, filter_h, filter_w, outputs) = layer.x.shape[3], layer.w.shape
    declared = node.options.number("depth_multiplier")
    if one != 1 or channels == 0 or outputs % channels or declared not in (0, outputs // channels):
        found = f"weights {list(layer.w.shape)} and depth multiplier {declared}"
        raise node.invalid(f"{found} do not fit {channels} input channels")
    shape, p = _conv_geometry(layer, filter_h, filter_w, channels)
    rescales = None if layer.x.dtype == _FLOAT else _multipliers(layer, layer.x.dtype == UINT8)
    if channels in (1, outputs) and _packable(layer):
        return _packed_depthwise(layer, packing.Window(*p[: dot.ZERO_X].tolist()), rescales)
    bias_of = _bias(layer, filter_h * filter_w, False)
    total_type, function = _DEPTHWISE[layer.x.dtype]
    scales = rescales or ()
    bounds = (np.array(float_range(node), np.float32),) if layer.x.dtype == _FLOAT else ()

    def build(m: Memory) -> Step:
        bias, refill = bias_of(m)
        total = m.scratch[0].view(total_type)
        return _chain(
            refill, bind(function, m.inputs[0], _weights(layer, m), bias, *scales, m.outputs[0], total, *bounds, p)
        )

    return Prepared((shape,), build, (max(1, outputs) * total_type.itemsize,))


def _packed_depthwise(layer: _Layer, window: packing.Window, scales: tuple[Array, Array] | None) -> Prepared:
    """Prepare one filter per channel; several filters on a single channel are a plain convolution."""
    weights = _constant_weights(layer)
    if window.channels == 1:
        return packing.convolution(window, _numbers(layer, weights.transpose(3, 1, 2, 0), scales))
    return packing.depthwise(window, _numbers(layer, weights, scales))


_DEPTHWISE: Mapping[np.dtype[Any], tuple[np.dtype[Any], Callable[..., None]]] = {
    _FLOAT: (_FLOAT, dot.depthwise_float),
    INT8: (INT32, dot.depthwise_narrow),
    UINT8: (INT32, dot.depthwise_narrow),
    INT16: (_INT64, dot.depthwise_wide),
}


def prepare_fully_connected(node: Node) -> Prepared:
    """Prepare FULLY_CONNECTED: weights [outputs, depth]; the input is read as rows of `depth` values."""
    if node.options.number("weights_format"):
        raise node.unsupported("shuffled weights are not supported")
    layer = _layer(node, 2, 0)
    outputs, depth = layer.w.shape
    keep = bool(node.options.number("keep_num_dims"))
    if keep and (not layer.x.shape or layer.x.shape[-1] != depth):
        raise node.invalid(f"the last extent of {list(layer.x.shape)} is not the {depth} of the weights")
    if depth == 0 or layer.x.size % depth:
        raise node.invalid(f"{layer.x.size} input elements are no rows of {depth}")
    rows = layer.x.size // depth
    shape = (*layer.x.shape[:-1], outputs) if keep else (rows, outputs)
    if layer.x.dtype in (INT8, UINT8):
        _check_bias_scale(layer)
    scales = None if layer.x.dtype == _FLOAT or outputs == 0 else _multipliers(layer, True)
    if layer.out.dtype == layer.x.dtype and _packable(layer):
        window = packing.Window(1, rows, 1, depth, rows, 1, outputs, 1, 1, 1, 1, 1, 1, 0, 0, 1)
        return replace(packing.convolution(window, _numbers(layer, _constant_weights(layer), scales)), shapes=(shape,))
    return Prepared((shape,), _dense(layer, rows, depth, True))


def _check_bias_scale(layer: _Layer) -> None:
    """Refuse a per-tensor bias on another scale: TFLite allows a difference of 0.02 output steps."""
    if layer.bias is None or layer.bias.quantization is None or layer.w.quantization is None:
        return
    if len(layer.w.quantization.scale) > 1 or len(layer.bias.quantization.scale) > 1:
        return
    difference = abs(float32(layer.x.scale * layer.w.scale) - layer.bias.scale)
    if difference > 0.02 * layer.out.scale:
        raise layer.node.invalid(f"the bias scale {layer.bias.scale:g} is not the product of input and weight scales")
