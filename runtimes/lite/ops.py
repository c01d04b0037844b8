"""Which function prepares which operator, and which inputs determine its output's shape by their values."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from opconform.runtimes.lite.graph import Node, Prepared
from opconform.runtimes.lite.kernels import (
    binary,
    conv,
    convert,
    indexed,
    layout,
    norm,
    pool,
    recurrent,
    reduce,
    resize,
    unary,
)

Prepare = Callable[[Node], Prepared]

OPS: Mapping[str, Prepare] = {
    "ABS": unary.prepare,
    "ADD": binary.prepare_arithmetic,
    "ARG_MAX": reduce.prepare_arg_max,
    "AVERAGE_POOL_2D": pool.prepare,
    "CONCATENATION": layout.prepare_concatenation,
    "CONV_2D": conv.prepare_conv,
    "DEPTHWISE_CONV_2D": conv.prepare_depthwise,
    "DEQUANTIZE": convert.prepare_dequantize,
    "DIV": binary.prepare_arithmetic,
    "EXP": unary.prepare,
    "FULLY_CONNECTED": conv.prepare_fully_connected,
    "GATHER": indexed.prepare_gather,
    "HARD_SWISH": unary.prepare,
    "L2_NORMALIZATION": norm.prepare_l2,
    "LESS": binary.prepare_less,
    "LOGISTIC": unary.prepare,
    "MAX_POOL_2D": pool.prepare,
    "MEAN": reduce.prepare_mean,
    "MUL": binary.prepare_arithmetic,
    "PAD": layout.prepare_pad,
    "QUANTIZE": convert.prepare_quantize,
    "RANDOM_UNIFORM": indexed.prepare_random,
    "RESHAPE": layout.prepare_reshape,
    "RESIZE_BILINEAR": resize.prepare,
    "RSQRT": unary.prepare,
    "SELECT_V2": binary.prepare_select,
    "SOFTMAX": norm.prepare_softmax,
    "STRIDED_SLICE": layout.prepare_strided_slice,
    "SVDF": recurrent.prepare_svdf,
    "TANH": unary.prepare,
    "WHERE": indexed.prepare_where,
}

#: op -> inputs whose values must be known before the shape of the output is
SHAPE_INPUTS: Mapping[str, tuple[int, ...]] = {
    "ARG_MAX": (1,),
    "MEAN": (1,),
    "PAD": (1,),
    "RANDOM_UNIFORM": (0,),
    "RESHAPE": (1,),
    "RESIZE_BILINEAR": (1,),
    "STRIDED_SLICE": (1, 2, 3),
}

#: operators whose output other runtimes resize at run time in any case: the shape in the file says nothing
UNDECLARED_OPS = ("RANDOM_UNIFORM",)
