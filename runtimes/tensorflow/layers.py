"""Layers: convolutions, pooling, products of matrices, normalization, resizing, recurrent filters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Arguments = Sequence[Any]
Options = Mapping[str, Any]


def activated(tf: Any, x: Any, activation: str) -> Any:
    """Apply a fused activation."""
    clamp = {"RELU": (0, None), "RELU6": (0, 6), "RELU_N1_TO_1": (-1, 1)}.get(activation)
    if clamp is None:
        return x
    low = tf.maximum(x, tf.cast(max(clamp[0], x.dtype.min), x.dtype))
    return low if clamp[1] is None else tf.minimum(low, tf.cast(clamp[1], x.dtype))


def _finished(tf: Any, y: Any, bias: Any, activation: str) -> Any:
    return activated(tf, y if bias is None else y + bias, activation)


def _strides(options: Options) -> list[int]:
    return [options["stride_h"], options["stride_w"]]


def _third(x: Arguments) -> Any:
    return x[2] if len(x) > 2 else None


def _conv(tf: Any, x: Arguments, options: Options, node: Any) -> Any:
    """Filters come as [out, h, w, in]."""
    weights = tf.transpose(x[1], [1, 2, 3, 0])
    dilations = [options["dilation_h"], options["dilation_w"]]
    y = tf.nn.conv2d(x[0], weights, _strides(options), options["padding"], dilations=dilations)
    return _finished(tf, y, _third(x), options["activation"])


def _depthwise(tf: Any, x: Arguments, options: Options, node: Any) -> Any:
    """Filters come as [1, h, w, out]: of each input channel `multiplier` outputs, one behind the other."""
    channels = x[0].shape[3]
    multiplier = x[1].shape[3] // channels
    dilations = [options["dilation_h"], options["dilation_w"]]
    weights = tf.reshape(x[1], [*x[1].shape[1:3], 1, -1])
    # Its depthwise kernel takes equal strides only: one convolution per channel takes any.
    parts = [
        tf.nn.conv2d(x[0][..., c : c + 1], part, _strides(options), options["padding"], dilations=dilations)
        for c, part in enumerate(tf.split(weights, [multiplier] * channels, axis=3))
    ]
    return _finished(tf, tf.concat(parts, axis=3), _third(x), options["activation"])


def _transpose_conv(tf: Any, x: Arguments, options: Options, node: Any) -> Any:
    """Inputs are the output's shape, filters [out, h, w, in], the input, and perhaps a bias."""
    weights = tf.transpose(x[1], [1, 2, 0, 3])
    y = tf.nn.conv2d_transpose(x[2], weights, x[0], _strides(options), options["padding"])
    return _finished(tf, y, x[3] if len(x) > 3 else None, options["activation"])


def _dilated(tf: Any, weights: Any, dilations: Sequence[int]) -> Any:
    """Put dilation - 1 zeros between the cells of a filter [d, h, w, ...]: its kernels take strides or dilations."""
    for axis, step in enumerate(dilations):
        shape = [int(n) for n in weights.shape]
        pads = [[0, step - 1 if n == axis + 1 else 0] for n in range(len(shape) + 1)]
        apart = tf.pad(tf.expand_dims(weights, axis + 1), pads)
        merged = tf.reshape(apart, [*shape[:axis], shape[axis] * step, *shape[axis + 1 :]])
        weights = tf.gather(merged, tf.range(shape[axis] * step - step + 1), axis=axis)
    return weights


def _conv_3d(tf: Any, x: Arguments, options: Options, node: Any) -> Any:
    """Filters come as [d, h, w, in, out]."""
    strides = [1, options["stride_d"], *_strides(options), 1]
    weights = _dilated(tf, x[1], [options[f"dilation_{axis}"] for axis in "dhw"])
    y = tf.raw_ops.Conv3D(input=x[0], filter=weights, strides=strides, padding=options["padding"])
    return _finished(tf, y, _third(x), options["activation"])


def _conv_3d_transpose(tf: Any, x: Arguments, options: Options, node: Any) -> Any:
    """Inputs are the output's shape, filters [d, h, w, out, in], the input, and perhaps a bias."""
    strides = [1, options["stride_d"], *_strides(options), 1]
    weights = _dilated(tf, x[1], [options[f"dilation_{axis}"] for axis in "dhw"])
    y = tf.raw_ops.Conv3DBackpropInputV2(
        input_sizes=x[0], filter=weights, out_backprop=x[2], strides=strides, padding=options["padding"]
    )
    return _finished(tf, y, x[3] if len(x) > 3 else None, options["activation"])


def _fully_connected(tf: Any, x: Arguments, options: Options, node: Any) -> Any:
    flat = tf.reshape(x[0], [-1, x[1].shape[1]])
    y = tf.matmul(flat, x[1], transpose_b=True)
    if options["keep_num_dims"]:
        y = tf.reshape(y, [*x[0].shape[:-1], x[1].shape[0]])
    return _finished(tf, y, _third(x), options["activation"])


def _batch_matmul(tf: Any, x: Arguments, options: Options, node: Any) -> Any:
    a, b = (tf.cast(part, tf.int32) if part.dtype == tf.int8 else part for part in x)  # int8 gives int32 here
    return tf.matmul(a, b, transpose_a=bool(options["adj_x"]), transpose_b=bool(options["adj_y"]))


def _pooled(kind: str) -> Callable[[Any, Arguments, Options, Any], Any]:
    def run(tf: Any, x: Arguments, options: Options, node: Any) -> Any:
        window = [options["filter_h"], options["filter_w"]]
        pool = tf.nn.max_pool2d if kind == "MAX" else tf.nn.avg_pool2d
        data = x[0] * x[0] if kind == "L2" else x[0]
        y = pool(data, window, _strides(options), options["padding"])
        return _finished(tf, tf.sqrt(y) if kind == "L2" else y, None, options["activation"])

    return run


def _softmax(tf: Any, x: Arguments, options: Options, node: Any) -> Any:
    return tf.nn.softmax(x[0] * options["beta"])


def _l2(tf: Any, x: Arguments, options: Options, node: Any) -> Any:
    """The least norm is 1e-6, of which TensorFlow takes the square."""
    return tf.math.l2_normalize(x[0], axis=-1, epsilon=1e-12)


def _local_response(tf: Any, x: Arguments, options: Options, node: Any) -> Any:
    names = ("bias", "alpha", "beta")
    return tf.nn.local_response_normalization(x[0], options["radius"], **{name: options[name] for name in names})


def _resized(kind: str) -> Callable[[Any, Arguments, Options, Any], Any]:
    def run(tf: Any, x: Arguments, options: Options, node: Any) -> Any:
        flags = {name: bool(options[name]) for name in ("align_corners", "half_pixel_centers")}
        return getattr(tf.raw_ops, kind)(images=x[0], size=x[1], **flags)

    return run


def _fake_quant(tf: Any, x: Arguments, options: Options, node: Any) -> Any:
    return tf.quantization.fake_quant_with_min_max_args(
        x[0], options["min"], options["max"], options["num_bits"], bool(options["narrow_range"])
    )


def _suppressed(tf: Any, x: Arguments, options: Options, node: Any) -> Any:
    """NON_MAX_SUPPRESSION_V4: indices filled up with zeros, and how many there are."""
    found = tf.raw_ops.NonMaxSuppressionV4(
        boxes=x[0],
        scores=x[1],
        max_output_size=x[2],
        iou_threshold=x[3],
        score_threshold=x[4],
        pad_to_max_output_size=True,
    )
    return tuple(found)


def _softly_suppressed(tf: Any, x: Arguments, options: Options, node: Any) -> Any:
    found = tf.raw_ops.NonMaxSuppressionV5(
        boxes=x[0], scores=x[1], max_output_size=x[2], iou_threshold=x[3], score_threshold=x[4], soft_nms_sigma=x[5],
        pad_to_max_output_size=True,
    )  # fmt: skip
    return tuple(found)


Kernel = Callable[[Any, Arguments, Options, Any], Any]
KERNELS: Mapping[str, Kernel] = {
    "AVERAGE_POOL_2D": _pooled("AVERAGE"),
    "BATCH_MATMUL": _batch_matmul,
    "CONV_2D": _conv,
    "CONV_3D": _conv_3d,
    "CONV_3D_TRANSPOSE": _conv_3d_transpose,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FAKE_QUANT": _fake_quant,
    "FULLY_CONNECTED": _fully_connected,
    "L2_NORMALIZATION": _l2,
    "L2_POOL_2D": _pooled("L2"),
    "LOCAL_RESPONSE_NORMALIZATION": _local_response,
    "MAX_POOL_2D": _pooled("MAX"),
    "NON_MAX_SUPPRESSION_V4": _suppressed,
    "NON_MAX_SUPPRESSION_V5": _softly_suppressed,
    "RESIZE_BILINEAR": _resized("ResizeBilinear"),
    "RESIZE_NEAREST_NEIGHBOR": _resized("ResizeNearestNeighbor"),
    "SOFTMAX": _softmax,
    "TRANSPOSE_CONV": _transpose_conv,
}
