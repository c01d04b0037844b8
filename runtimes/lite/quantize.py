"""What quantized kernels compute once, when they are prepared: multipliers, ranges, checks. Plain Python floats."""

from __future__ import annotations

import math
import struct

import numpy as np

from opconform.harness.model import Array
from opconform.harness.schema import ACTIVATIONS
from opconform.runtimes.lite.graph import Node, Operand

INT8, UINT8, INT16, INT32 = (np.dtype(t) for t in (np.int8, np.uint8, np.int16, np.int32))
RANGES = {INT8: (-128, 127), UINT8: (0, 255), INT16: (-32768, 32767), INT32: (-(2**31), 2**31 - 1)}


def float32(value: float) -> float:
    """Round to float32, as C does when it stores a float; overflow gives an infinity."""
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


def round_away(value: float) -> int:
    """Round to nearest, ties away from zero; what int32 cannot hold is limited to it."""
    value = min(max(value, -2147483648.0), 2147483647.0)
    return math.floor(abs(value) + 0.5) * (1 if value >= 0 else -1)


def multiplier(node: Node, real: float) -> tuple[int, int]:
    """Return (q, shift) with real = q * 2**(shift - 31), q in [2**30, 2**31); (0, 0) for what is too small.

    Source: QuantizeMultiplier of TFLite's quantization_util.cc.
    """
    if not 0 <= real < 2.0**31:
        raise node.invalid(f"the scales give a rescale of {real:g}; 0 up to 2**31 is allowed")
    fraction, exponent = math.frexp(real)
    q = math.floor(fraction * 2147483648.0 + 0.5)
    if q == 2147483648:
        q, exponent = q // 2, exponent + 1
    return (q, exponent) if exponent >= -31 and q else (0, 0)


def multiplier_below_one(node: Node, real: float) -> tuple[int, int]:
    """Return a multiplier that must be below one, as the operator's fixed-point range demands."""
    q, shift = multiplier(node, real)
    if shift > 0 or real <= 0:
        raise node.invalid(f"the scales give a rescale of {real:g}; above 0 and below 1 is allowed")
    return q, shift


def check_quantized(node: Node, *operands: Operand) -> None:
    """Raise InvalidModel unless each operand has one finite positive scale and a zero point in its dtype's range."""
    for operand in operands:
        quantization = operand.quantization
        if quantization is None or len(quantization.scale) != 1:
            raise node.invalid(f"a tensor of {operand.dtype} needs one scale and zero point, and has {quantization}")
        check_scales(node, operand)


def check_scales(node: Node, operand: Operand) -> None:
    """Raise InvalidModel unless all scales are finite and positive and all zero points in range."""
    quantization = operand.quantization
    if quantization is None:
        raise node.invalid(f"a tensor of {operand.dtype} has no quantization")
    low, high = RANGES.get(operand.dtype, (-(2**63), 2**63 - 1))
    if operand.dtype == INT16:
        low, high = (0, 0) if node.op not in _ASYMMETRIC_INT16 else (low, high)
    for scale in quantization.scale:
        if not 0 < scale < math.inf:
            raise node.invalid(f"a scale of {scale:g}: it must be finite and positive")
    for zero_point in quantization.zero_point:
        if not low <= zero_point <= high:
            raise node.invalid(f"the zero point {zero_point} of {operand.dtype}: {low} to {high} is allowed")


#: int16 is symmetric but for the operands of these
_ASYMMETRIC_INT16 = ("SOFTMAX", "SVDF", "QUANTIZE")


def same_quantization(node: Node, a: Operand, b: Operand) -> None:
    """Raise InvalidModel where two operands that share their raw values differ in scale or zero point."""
    if a.dtype not in RANGES or a.dtype == INT32 or a.quantization is None or b.quantization is None:
        return
    if a.scale != b.scale or a.zero_point != b.zero_point:
        found = f"({a.scale:g}, {a.zero_point}) and ({b.scale:g}, {b.zero_point})"
        raise node.invalid(f"input and output need the same quantization and have {found}")


def fixed_output(node: Node, output: Operand, scale: float, zero_point: int) -> None:
    """Raise InvalidModel unless the output has the scale (within 0.1 %) and zero point that the operator fixes."""
    check_quantized(node, output)
    if abs(output.scale - scale) > 1e-3 * scale or output.zero_point != zero_point:
        found = f"({output.scale:g}, {output.zero_point})"
        raise node.invalid(f"the output's quantization is {found}; only ({scale:g}, {zero_point}) is allowed")


def dequantized(operand: Operand, flat: Array) -> Array:
    """Return the real values of a checked operand's elements as a flat float32 array."""
    quantization = operand.quantization
    assert quantization is not None  # check_scales has seen it
    scale, zero_point = np.array(quantization.scale, np.float32), np.array(quantization.zero_point, np.float32)
    if len(scale) > 1:
        along = [1] * len(operand.shape)
        along[quantization.axis] = -1
        scale, zero_point = scale.reshape(along), zero_point.reshape(along)
    real: Array = (flat.reshape(operand.shape).astype(np.float32) - zero_point) * scale
    return real.ravel()


def activation(node: Node, name: str = "activation") -> str:
    """Return the fused activation; TANH and SIGN_BIT, which no kernel fuses, are refused."""
    code = node.options.number(name)
    if not 0 <= code < len(ACTIVATIONS):
        raise node.invalid(f"activation code {code}; {', '.join(ACTIVATIONS[:4])} are allowed")
    if code > 3:
        raise node.unsupported(f"the fused activation {ACTIVATIONS[code]} is not supported")
    return ACTIVATIONS[code]


_BOUNDS = {
    "NONE": (-math.inf, math.inf),
    "RELU": (0.0, math.inf),
    "RELU_N1_TO_1": (-1.0, 1.0),
    "RELU6": (0.0, 6.0),
}


def float_range(node: Node) -> tuple[float, float]:
    """Return the bounds of the fused activation as reals."""
    return _BOUNDS[activation(node)]


def integer_range(node: Node, dtype: np.dtype[np.generic]) -> tuple[int, int]:
    """Return the bounds of the fused activation on unquantized integers."""
    info = np.iinfo(np.dtype(dtype.str))
    low, high = _BOUNDS[activation(node)]
    return max(info.min, int(low)) if low > -math.inf else info.min, int(high) if high < math.inf else info.max


def quantized_range(node: Node, output: Operand) -> tuple[int, int]:
    """Return the bounds of the fused activation as quantized values, within the dtype's range."""
    low, high = RANGES[output.dtype]
    real_low, real_high = _BOUNDS[activation(node)]
    if real_low > -math.inf:
        low = max(low, output.zero_point + round_away(float32(real_low / output.scale)))
    if real_high < math.inf:
        high = min(high, output.zero_point + round_away(float32(real_high / output.scale)))
    return low, high
