"""CONV_3D, CONV_3D_TRANSPOSE and TRANSPOSE_CONV, which is the former with a depth of one.

Multipliers: PopulateConvolutionQuantizationParams of TFLite's kernel_util.cc. Padding of a transposed convolution is
that of the convolution which makes the input's extents of the output's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.lite import shapes
from opconform.runtimes.lite.fixedpoint import clamp, rescale_sum
from opconform.runtimes.lite.graph import Memory, Node, Operand, Prepared, Step
from opconform.runtimes.lite.jit import Number, bind, helper, kernel, summing_kernel
from opconform.runtimes.lite.kernels.dot import dot_float
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
    multiplier,
    quantized_range,
)

_FLOAT, _INT64 = np.dtype(np.float32), np.dtype(np.int64)
#: dtypes of input and weights -> those that a bias may have
_ROWS = {
    (_FLOAT, _FLOAT): (_FLOAT,),
    (_FLOAT, INT8): (_FLOAT,),
    (INT8, INT8): (INT32,),
    (UINT8, UINT8): (INT32,),
    (INT16, INT8): (_INT64, INT32),
}
# p of all kernels: batches; extents of the output (1 to 3) and its channels; extents of the input (5 to 7) and its
# channels; the window's extents (9), strides (12), dilations (15), padding before (18); the distance of two filters
# and of two taps in the weights (21, 22); then zero points of x, w and the output, lowest and highest, whether sums
# have 64 bits.


@helper
def met_by(place: Number, tap: Number, d: Number, p: Array) -> Number:
    """Return which input cell along dimension d reaches an output cell by a tap; -1: none."""
    at = place + p[18 + d] - tap * p[15 + d]
    if at < 0 or at % p[12 + d] != 0 or at // p[12 + d] >= p[5 + d]:
        return np.int64(-1)
    return at // p[12 + d]


@kernel
def transposed_float(x: Array, w: Array, bias: Array, out: Array, bounds: Array, p: Array) -> None:
    """Gather for every output cell what the input cells that reach it give."""
    for cell in range(p[0] * p[1] * p[2] * p[3]):
        column, row, layer = cell % p[3], cell // p[3] % p[2], cell // (p[3] * p[2]) % p[1]
        batch, base = cell // (p[3] * p[2] * p[1]), cell * p[4]
        for o in range(p[4]):
            out[base + o] = bias[o]
        for tap in range(p[9] * p[10] * p[11]):
            a = met_by(layer, tap // (p[10] * p[11]), 0, p)
            b = met_by(row, tap // p[11] % p[10], 1, p)
            c = met_by(column, tap % p[11], 2, p)
            if a >= 0 and b >= 0 and c >= 0:
                at = (((batch * p[5] + a) * p[6] + b) * p[7] + c) * p[8]
                for o in range(p[4]):
                    out[base + o] += dot_float(x, at, w, o * p[21] + tap * p[22], p[8])
        for o in range(p[4]):
            value = out[base + o]
            value = bounds[0] if value < bounds[0] else value
            out[base + o] = bounds[1] if value > bounds[1] else value


@kernel
def transposed_integer(
    x: Array, w: Array, bias: Array, factor: Array, shift: Array, out: Array, total: Array, p: Array
) -> None:
    """As transposed_float in integers; total is scratch of 64 bits per output channel."""
    for cell in range(p[0] * p[1] * p[2] * p[3]):
        column, row, layer = cell % p[3], cell // p[3] % p[2], cell // (p[3] * p[2]) % p[1]
        batch, base = cell // (p[3] * p[2] * p[1]), cell * p[4]
        for o in range(p[4]):
            total[o] = bias[o]
        for tap in range(p[9] * p[10] * p[11]):
            a = met_by(layer, tap // (p[10] * p[11]), 0, p)
            b = met_by(row, tap // p[11] % p[10], 1, p)
            c = met_by(column, tap % p[11], 2, p)
            if a >= 0 and b >= 0 and c >= 0:
                at = (((batch * p[5] + a) * p[6] + b) * p[7] + c) * p[8]
                for o in range(p[4]):
                    start, part = o * p[21] + tap * p[22], np.int64(0)
                    for k in range(p[8]):
                        part += np.int64(
                            (np.int32(x[at + k]) - np.int32(p[23])) * (np.int32(w[start + k]) - np.int32(p[24]))
                        )
                    total[o] += part
        for o in range(p[4]):
            value = rescale_sum(total[o], factor[o], shift[o], p[28])
            out[base + o] = clamp(value + p[25], p[26], p[27])


@summing_kernel
def volume_float(x: Array, w: Array, bias: Array, out: Array, bounds: Array, p: Array) -> None:
    """Convolve with weights [depth, height, width, input, output]: neighbouring output channels at once."""
    for cell in range(p[0] * p[1] * p[2] * p[3]):
        column, row, layer = cell % p[3], cell // p[3] % p[2], cell // (p[3] * p[2]) % p[1]
        batch, base = cell // (p[3] * p[2] * p[1]), cell * p[4]
        for o in range(p[4]):
            out[base + o] = bias[o]
        for tap in range(p[9] * p[10] * p[11]):
            a = layer * p[12] - p[18] + tap // (p[10] * p[11]) * p[15]
            b = row * p[13] - p[19] + tap // p[11] % p[10] * p[16]
            c = column * p[14] - p[20] + tap % p[11] * p[17]
            if 0 <= a < p[5] and 0 <= b < p[6] and 0 <= c < p[7]:
                at = (((batch * p[5] + a) * p[6] + b) * p[7] + c) * p[8]
                for k in range(p[8]):
                    start = (tap * p[8] + k) * p[4]
                    for o in range(p[4]):
                        out[base + o] += x[at + k] * w[start + o]
        for o in range(p[4]):
            value = out[base + o]
            value = bounds[0] if value < bounds[0] else value
            out[base + o] = bounds[1] if value > bounds[1] else value


@dataclass(frozen=True, slots=True)
class _Layer:
    """The operands of one layer, checked, and where x, w and bias stand among the inputs."""

    node: Node
    x: Operand
    w: Operand
    bias: Operand | None
    out: Operand
    places: tuple[int, int, int]


def _layer(node: Node, places: tuple[int, int, int], rank: int, outputs: int, inputs: int) -> _Layer:
    """Check dtypes, ranks and channels; `outputs` and `inputs` are the weights' axes of channels."""
    x, w, bias, out = node.input(places[0]), node.input(places[1]), node.optional(places[2]), node.output()
    allowed = _ROWS.get((x.dtype, w.dtype))
    if allowed is None or (rank == 5 and w.dtype != _FLOAT):
        raise node.unsupported(f"an input of {x.dtype} with weights of {w.dtype} is not supported")
    if out.dtype != x.dtype or (bias is not None and bias.dtype not in allowed):
        found = bias.dtype if bias else "no bias"
        raise node.invalid(f"dtypes {x.dtype}, {w.dtype}, {found} -> {out.dtype} do not belong together")
    if len(x.shape) != rank or len(w.shape) != rank:
        raise node.invalid(f"ranks {len(x.shape)} and {len(w.shape)} of input and weights; {rank} is allowed")
    if x.shape[-1] != w.shape[inputs] or (bias is not None and bias.size != w.shape[outputs]):
        found = f"input {list(x.shape)}, weights {list(w.shape)}, bias of {bias.size if bias else 'none'}"
        raise node.invalid(f"the channels do not fit: {found}")
    if w.dtype != x.dtype == _FLOAT and w.data is None:
        raise node.unsupported("int8 weights of a float32 layer that are not constant are not supported")
    return _Layer(node, x, w, bias, out, places)


def _sliding(node: Node) -> tuple[list[int], list[int], bool]:
    """Return strides and dilations, and whether padding is SAME."""
    number = node.options.number
    code = number("padding")
    node.require(code in (0, 1), f"padding code {code}; 0 (SAME) and 1 (VALID) are allowed")
    flat = node.op == "TRANSPOSE_CONV"
    strides = [1 if flat and d == "d" else number(f"stride_{d}") for d in "dhw"]
    return strides, [1 if flat else number(f"dilation_{d}") for d in "dhw"], code == 0


def prepare_conv_3d(node: Node) -> Prepared:
    """Prepare CONV_3D: NDHWC input, DHWIO weights."""
    layer = _layer(node, (0, 1, 2), 5, 4, 3)
    strides, dilations, same = _sliding(node)
    size = layer.w.shape[:3]
    found = [
        shapes.window(node, *rule, same) for rule in zip(layer.x.shape[1:4], size, strides, dilations, strict=True)
    ]
    out, before = [f[0] for f in found], [f[1] for f in found]
    batches, *extents, channels = layer.x.shape
    outputs = layer.w.shape[4]
    numbers = [batches, *out, outputs, *extents, channels, *size, *strides, *dilations, *before]
    build = _float(layer, volume_float, outputs, np.array(numbers, np.int64))
    return Prepared(((batches, *out, outputs),), build)


def prepare_transposed(node: Node) -> Prepared:
    """Prepare TRANSPOSE_CONV (OHWI weights) or CONV_3D_TRANSPOSE (DHWOI); input 0 is the output's shape."""
    flat = node.op == "TRANSPOSE_CONV"
    rank = 4 if flat else 5
    wanted = node.input(0)
    layer = _layer(node, (2, 1, 3), rank, 0 if flat else 3, rank - 1)
    if wanted.dtype != INT32 or wanted.shape != (rank,):
        raise node.invalid(f"an output shape of {wanted.dtype}{list(wanted.shape)}; int32 [{rank}] is allowed")
    shape = tuple(shapes.values(node, wanted))
    outputs = layer.w.shape[0 if flat else 3]
    if min(shape) < 0 or shape[0] != layer.x.shape[0] or shape[-1] != outputs:
        raise node.invalid(f"the output {list(shape)} does not fit {layer.x.shape[0]} batches and {outputs} filters")
    p = _transposed_numbers(layer, shape, outputs)
    if layer.x.dtype == _FLOAT:
        return Prepared((shape,), _float(layer, transposed_float, outputs, p))
    return Prepared((shape,), _integer(layer, outputs, p), (max(1, outputs) * 8,))


def _transposed_numbers(layer: _Layer, shape: Sequence[int], outputs: int) -> Array:
    node, flat = layer.node, len(shape) == 4
    strides, dilations, same = _sliding(node)
    size = [1, *layer.w.shape[1:3]] if flat else list(layer.w.shape[:3])
    extents, out = ([1] * flat + [*s[1:-1]] for s in (layer.x.shape, shape))
    found = [shapes.window(node, *rule, same) for rule in zip(out, size, strides, dilations, strict=True)]
    node.require(
        [f[0] for f in found] == extents,
        f"the input {list(layer.x.shape)} is not made of an output {list(shape)}",
    )
    taps, channels = size[0] * size[1] * size[2], layer.x.shape[-1]
    steps = [taps * channels, channels] if flat else [channels, outputs * channels]
    numbers = [shape[0], *out, outputs, *extents, channels, *size, *strides, *dilations, *[f[1] for f in found], *steps]
    return np.array(numbers, np.int64)


def _bias(layer: _Layer, m: Memory, outputs: int, dtype: type) -> tuple[Array, Callable[[], None] | None]:
    """Return the bias as kernels take it, and what fetches it anew where it is fed."""
    total: Array = np.zeros(outputs, dtype)
    if layer.bias is None:
        return total, None

    def refill() -> None:
        total[:] = m.inputs[layer.places[2]]

    refill()
    return total, None if layer.bias.data is not None else refill


def _after(refill: Callable[[], None] | None, run: Step) -> Step:
    if refill is None:
        return run
    before = refill

    def step() -> None:
        before()
        run()

    return step


def _float(layer: _Layer, function: Callable[..., None], outputs: int, p: Array) -> Callable[[Memory], Step]:
    bounds = np.array(float_range(layer.node), np.float32)
    if layer.w.dtype != _FLOAT:
        check_scales(layer.node, layer.w)
        _per_channel(layer, outputs)

    def build(m: Memory) -> Step:
        bias, refill = _bias(layer, m, outputs, np.float32)
        x, w = m.inputs[layer.places[0]], m.inputs[layer.places[1]]
        weights = w if layer.w.dtype == _FLOAT else dequantized(layer.w, w)
        return _after(refill, bind(function, x, weights, bias, m.outputs[0], bounds, p))

    return build


def _per_channel(layer: _Layer, outputs: int) -> list[float]:
    """Return the scale of the weights per output channel."""
    quantization = layer.w.quantization
    assert quantization is not None  # check_scales has seen it
    if len(quantization.scale) == 1:
        return [quantization.scale[0]] * outputs
    if quantization.axis != 0 or len(quantization.scale) != outputs or any(quantization.zero_point):
        found = f"{len(quantization.scale)} scales along axis {quantization.axis}"
        raise layer.node.invalid(f"the weights have {found}; {outputs} along 0 without zero points are allowed")
    return [*quantization.scale]


def _integer(layer: _Layer, outputs: int, p: Array) -> Callable[[Memory], Step]:
    node = layer.node
    check_quantized(node, layer.x, layer.out)
    check_scales(node, layer.w)
    products = [layer.x.scale * scale for scale in _per_channel(layer, outputs)]
    if layer.x.dtype == UINT8:
        products = [float32(product) for product in products]
    pairs = [multiplier(node, product / layer.out.scale) for product in products]
    # rescale_wide shifts to the right, by no more than 62 bits
    node.require(all(shift < 15 for _, shift in pairs), "the scales give a rescale of more than 2**14")
    factor, shift = (np.array([pair[i] for pair in pairs], np.int64) for i in (0, 1))
    wide = layer.bias.dtype == _INT64 if layer.bias else node.options.number("quantized_bias_type") != 2
    zero_points = (layer.x.zero_point, layer.w.zero_point, layer.out.zero_point)
    limits = quantized_range(node, layer.out)
    numbers = np.array([*p, *zero_points, *limits, wide and layer.x.dtype == INT16], np.int64)

    def build(m: Memory) -> Step:
        bias, refill = _bias(layer, m, outputs, np.int64)
        x, w = m.inputs[layer.places[0]], m.inputs[layer.places[1]]
        total = m.scratch[0].view(np.int64)
        return _after(refill, bind(transposed_integer, x, w, bias, factor, shift, m.outputs[0], total, numbers))

    return build
