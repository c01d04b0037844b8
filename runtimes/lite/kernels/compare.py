"""LESS, LESS_EQUAL, GREATER, GREATER_EQUAL, EQUAL and NOT_EQUAL, with broadcasting.

Quantized arithmetic: TFLite's internal/reference/comparisons.h.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.lite import shapes
from opconform.runtimes.lite.fixedpoint import rescale
from opconform.runtimes.lite.graph import Memory, Node, Operand, Prepared, Step
from opconform.runtimes.lite.jit import bind, kernel
from opconform.runtimes.lite.kernels.binary import row_start
from opconform.runtimes.lite.kernels.ufunc import views
from opconform.runtimes.lite.quantize import INT8, INT16, UINT8, check_quantized, multiplier

_P = shapes.LOOP_PARAMETERS
_PLAIN = {
    "EQUAL": np.equal,
    "GREATER": np.greater,
    "GREATER_EQUAL": np.greater_equal,
    "LESS": np.less,
    "LESS_EQUAL": np.less_equal,
    "NOT_EQUAL": np.not_equal,
}
#: op -> the answers for less, equal and greater, as three bits
_ANSWERS: Mapping[str, int] = {
    "LESS": 1,
    "EQUAL": 2,
    "LESS_EQUAL": 3,
    "GREATER": 4,
    "NOT_EQUAL": 5,
    "GREATER_EQUAL": 6,
}
_DTYPES = ("float32", "float16", "bfloat16", "int32", "int64", "int16")


@kernel
def compare_quantized(a: Array, b: Array, out: Array, p: Array) -> None:
    """Compare after rescaling both sides with 8 more bits; p[_P + 6] holds the answers for less, equal and greater."""
    zero_a, qa, sa, zero_b, qb, sb = p[_P], p[_P + 1], p[_P + 2], p[_P + 3], p[_P + 4], p[_P + 5]
    answers = p[_P + 6]
    for row in range(p[0]):
        ia, ib, io = row_start(p, row, 0), row_start(p, row, 1), row * p[1]
        for c in range(p[1]):
            x = rescale((np.int64(a[ia + c * p[2]]) - zero_a) << 8, qa, sa)
            y = rescale((np.int64(b[ib + c * p[3]]) - zero_b) << 8, qb, sb)
            # 0, 1 or 2: less, equal, greater
            out[io + c] = np.uint8((answers >> (np.int64(x >= y) + np.int64(x > y))) & 1)


def prepare(node: Node) -> Prepared:
    """Prepare a comparison: quantized 8-bit integers compare as reals, most others as stored."""
    a, b, out = node.input(0), node.input(1), node.output()
    if a.dtype != b.dtype or out.dtype != np.bool_:
        raise node.invalid(f"dtypes {a.dtype}, {b.dtype} -> {out.dtype}; two equal ones -> bool are allowed")
    shape = shapes.broadcast(node, a, b)
    if _as_reals(node, a):
        check_quantized(node, a, b)
        return _quantized(node, a, b, shape)
    allowed = (*_DTYPES, "bool", "string") if node.op in ("EQUAL", "NOT_EQUAL") else _DTYPES
    if _name(a) not in allowed:
        raise node.unsupported(f"{a.dtype} is not supported; int8, uint8, {', '.join(allowed)} are")

    def build(m: Memory) -> Step:
        x, y, result = views(m, a, b, shape)
        function = _PLAIN[node.op]
        return lambda: function(x, y, out=result)

    return Prepared((shape,), build)


def _name(operand: Operand) -> str:
    return "string" if operand.dtype.kind == "S" else operand.dtype.name


def _as_reals(node: Node, a: Operand) -> bool:
    """Tell whether scales count: for 16 bits the ordering comparisons look at stored values only, as TFLite does."""
    scaled = a.dtype == INT16 and a.quantization is not None and node.op in ("EQUAL", "NOT_EQUAL")
    return a.dtype in (INT8, UINT8) or scaled


def _quantized(node: Node, a: Operand, b: Operand, shape: tuple[int, ...]) -> Prepared:
    numbers = [a.zero_point, *multiplier(node, a.scale), b.zero_point, *multiplier(node, b.scale)]
    p = shapes.loop(a.shape, b.shape, shape, [*numbers, _ANSWERS[node.op]])
    return Prepared((shape,), lambda m: bind(compare_quantized, m.inputs[0], m.inputs[1], m.outputs[0], p))
