"""Which TensorFlow functions an operator of TensorFlow Lite is.

A kernel takes the package, the inputs (None: absent), the options by name and the node, and returns its outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from opconform.runtimes.tensorflow import draws, layers, moves
from opconform.runtimes.tensorflow.layers import activated

Kernel = Callable[[Any, Sequence[Any], Mapping[str, Any], Any], Any]


def _one(path: str) -> Kernel:
    """Return a kernel of one function of the package, given all inputs."""

    def run(tf: Any, x: Sequence[Any], options: Mapping[str, Any], node: Any) -> Any:
        function = tf
        for name in path.split("."):
            function = getattr(function, name)
        return activated(tf, function(*x), options.get("activation", "NONE"))

    return run


def _reduced(path: str) -> Kernel:
    def run(tf: Any, x: Sequence[Any], options: Mapping[str, Any], node: Any) -> Any:
        return getattr(tf.math, path)(x[0], axis=x[1], keepdims=bool(options["keep_dims"]))

    return run


def _placed(path: str) -> Kernel:
    """Return a kernel of ARG_MAX or ARG_MIN."""

    def run(tf: Any, x: Sequence[Any], options: Mapping[str, Any], node: Any) -> Any:
        return getattr(tf.math, path)(x[0], axis=moves.whole(x[1]), output_type=tf.as_dtype(options["output_type"]))

    return run


def _clamped(low: float, high: float | None) -> Kernel:
    def run(tf: Any, x: Sequence[Any], options: Mapping[str, Any], node: Any) -> Any:
        return tf.maximum(x[0], low) if high is None else tf.minimum(tf.maximum(x[0], low), high)

    return run


def _prelu(tf: Any, x: Sequence[Any], options: Mapping[str, Any], node: Any) -> Any:
    return tf.where(x[0] >= 0, x[0], x[0] * x[1])


def _hard_swish(tf: Any, x: Sequence[Any], options: Mapping[str, Any], node: Any) -> Any:
    return x[0] * tf.nn.relu6(x[0] + 3) / 6


def _gelu(tf: Any, x: Sequence[Any], options: Mapping[str, Any], node: Any) -> Any:
    return tf.nn.gelu(x[0], approximate=bool(options["approximate"]))


def _leaky(tf: Any, x: Sequence[Any], options: Mapping[str, Any], node: Any) -> Any:
    return tf.nn.leaky_relu(x[0], alpha=options["alpha"])


def _cumsum(tf: Any, x: Sequence[Any], options: Mapping[str, Any], node: Any) -> Any:
    flags = {name: bool(options[name]) for name in ("exclusive", "reverse")}
    return tf.math.cumsum(x[0], axis=moves.whole(x[1]), **flags)


def _select(tf: Any, x: Sequence[Any], options: Mapping[str, Any], node: Any) -> Any:
    return tf.raw_ops.Select(condition=x[0], x=x[1], y=x[2])


def _cast(tf: Any, x: Sequence[Any], options: Mapping[str, Any], node: Any) -> Any:
    return tf.cast(x[0], tf.as_dtype(node.dtypes[0]))


def _bitcast(tf: Any, x: Sequence[Any], options: Mapping[str, Any], node: Any) -> Any:
    return tf.bitcast(x[0], tf.as_dtype(node.dtypes[0]))


def _bucketize(tf: Any, x: Sequence[Any], options: Mapping[str, Any], node: Any) -> Any:
    return tf.raw_ops.Bucketize(input=x[0], boundaries=options["boundaries"] or [])


def _rfft(tf: Any, x: Sequence[Any], options: Mapping[str, Any], node: Any) -> Any:
    return tf.signal.rfft2d(x[0], fft_length=x[1])


def _divided(tf: Any, x: Sequence[Any], options: Mapping[str, Any], node: Any) -> Any:
    """Quotients of integers are cut towards zero."""
    divide = tf.truncatediv if x[0].dtype.is_integer else tf.math.divide
    return activated(tf, divide(*x), options["activation"])


def _segments(path: str) -> Kernel:
    def run(tf: Any, x: Sequence[Any], options: Mapping[str, Any], node: Any) -> Any:
        return getattr(tf.math, path)(x[0], x[1], num_segments=moves.whole(x[2]))

    return run


_UNARY = {
    "ABS": "math.abs",
    "CEIL": "math.ceil",
    "COMPLEX_ABS": "math.abs",
    "COS": "math.cos",
    "ELU": "nn.elu",
    "EXP": "math.exp",
    "FLOOR": "math.floor",
    "IMAG": "math.imag",
    "LOG": "math.log",
    "LOGICAL_NOT": "math.logical_not",
    "LOGISTIC": "math.sigmoid",
    "LOG_SOFTMAX": "nn.log_softmax",
    "NEG": "math.negative",
    "RANK": "rank",
    "REAL": "math.real",
    "ROUND": "math.round",
    "RSQRT": "math.rsqrt",
    "SIGN": "math.sign",
    "SIN": "math.sin",
    "SQRT": "math.sqrt",
    "SQUARE": "math.square",
    "TANH": "math.tanh",
    "WHERE": "where",
    "ZEROS_LIKE": "zeros_like",
}
_BINARY = {
    "ADD": "math.add",
    "ATAN2": "math.atan2",
    "BITWISE_XOR": "bitwise.bitwise_xor",
    "EQUAL": "math.equal",
    "FLOOR_DIV": "math.floordiv",
    "FLOOR_MOD": "math.floormod",
    "GREATER": "math.greater",
    "GREATER_EQUAL": "math.greater_equal",
    "LESS": "math.less",
    "LESS_EQUAL": "math.less_equal",
    "LOGICAL_AND": "math.logical_and",
    "LOGICAL_OR": "math.logical_or",
    "MAXIMUM": "math.maximum",
    "MINIMUM": "math.minimum",
    "MUL": "math.multiply",
    "NOT_EQUAL": "math.not_equal",
    "POW": "math.pow",
    "RIGHT_SHIFT": "bitwise.right_shift",
    "SELECT_V2": "where",
    "SQUARED_DIFFERENCE": "math.squared_difference",
    "SUB": "math.subtract",
}

KERNELS: Mapping[str, Kernel] = {
    **{op: _one(path) for op, path in (_UNARY | _BINARY).items()},
    **moves.KERNELS,
    **layers.KERNELS,
    **draws.KERNELS,
    "ADD_N": lambda tf, x, options, node: tf.add_n(list(x)),
    "ARG_MAX": _placed("argmax"),
    "ARG_MIN": _placed("argmin"),
    "BITCAST": _bitcast,
    "BUCKETIZE": _bucketize,
    "CAST": _cast,
    "CUMSUM": _cumsum,
    "DIV": _divided,
    "GELU": _gelu,
    "HARD_SWISH": _hard_swish,
    "LEAKY_RELU": _leaky,
    "MEAN": _reduced("reduce_mean"),
    "PRELU": _prelu,
    "REDUCE_ALL": _reduced("reduce_all"),
    "REDUCE_ANY": _reduced("reduce_any"),
    "REDUCE_MAX": _reduced("reduce_max"),
    "REDUCE_MIN": _reduced("reduce_min"),
    "REDUCE_PROD": _reduced("reduce_prod"),
    "RELU": _clamped(0, None),
    "RELU6": _clamped(0, 6),
    "RELU_0_TO_1": _clamped(0, 1),
    "RELU_N1_TO_1": _clamped(-1, 1),
    "RFFT2D": _rfft,
    "SEGMENT_SUM": lambda tf, x, options, node: tf.math.segment_sum(x[0], x[1]),
    "SELECT": _select,
    "SUM": _reduced("reduce_sum"),
    "UNSORTED_SEGMENT_MAX": _segments("unsorted_segment_max"),
    "UNSORTED_SEGMENT_MIN": _segments("unsorted_segment_min"),
    "UNSORTED_SEGMENT_PROD": _segments("unsorted_segment_prod"),
    "UNSORTED_SEGMENT_SUM": _segments("unsorted_segment_sum"),
}
