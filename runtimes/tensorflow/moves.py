"""Operators that move, cut, join and pick elements."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Arguments = Sequence[Any]
Options = Mapping[str, Any]


def whole(x: Any) -> int:
    """Return the number in a scalar or in a vector of one element. Raises ValueError for more."""
    return int(x.numpy().reshape(()))


def _ints(x: Any) -> list[int]:
    return [int(n) for n in x.numpy().reshape(-1)]


def _concatenation(tf: Any, x: Arguments, options: Options, node: Any) -> Any:
    return tf.concat(list(x), axis=options["axis"])


def _gather(tf: Any, x: Arguments, options: Options, node: Any) -> Any:
    positions = tf.cast(x[1], tf.int32) if x[1].dtype == tf.int16 else x[1]
    return tf.gather(x[0], positions, axis=options["axis"], batch_dims=options["batch_dims"])


def _mirror_pad(tf: Any, x: Arguments, options: Options, node: Any) -> Any:
    return tf.pad(x[0], x[1], mode=options["mode"])


def _one_hot(tf: Any, x: Arguments, options: Options, node: Any) -> Any:
    return tf.one_hot(x[0], whole(x[1]), on_value=x[2], off_value=x[3], axis=options["axis"])


def _reshape(tf: Any, x: Arguments, options: Options, node: Any) -> Any:
    return tf.reshape(x[0], x[1] if len(x) > 1 and x[1] is not None else options["new_shape"])


def _reverse_sequence(tf: Any, x: Arguments, options: Options, node: Any) -> Any:
    return tf.reverse_sequence(x[0], x[1], seq_axis=options["seq_dim"], batch_axis=options["batch_dim"])


def _shape(tf: Any, x: Arguments, options: Options, node: Any) -> Any:
    return tf.shape(x[0], out_type=tf.as_dtype(options["out_type"]))


def _split(tf: Any, x: Arguments, options: Options, node: Any) -> Any:
    return tuple(tf.split(x[1], options["num_splits"], axis=whole(x[0])))


def _split_v(tf: Any, x: Arguments, options: Options, node: Any) -> Any:
    return tuple(tf.split(x[0], _ints(x[1]), axis=whole(x[2])))


def _squeeze(tf: Any, x: Arguments, options: Options, node: Any) -> Any:
    return tf.squeeze(x[0], axis=options["squeeze_dims"] or None)


def _strided_slice(tf: Any, x: Arguments, options: Options, node: Any) -> Any:
    names = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
    return tf.strided_slice(*x, **{name: options[name] for name in names})


def _topk(tf: Any, x: Arguments, options: Options, node: Any) -> Any:
    values, indices = tf.math.top_k(x[0], k=whole(x[1]), sorted=True)
    return values, tf.cast(indices, tf.as_dtype(node.dtypes[1]))


def _unique(tf: Any, x: Arguments, options: Options, node: Any) -> Any:
    return tuple(tf.unique(x[0], out_idx=tf.as_dtype(options["idx_out_type"])))


def _sparse_to_dense(tf: Any, x: Arguments, options: Options, node: Any) -> Any:
    return tf.raw_ops.SparseToDense(
        sparse_indices=x[0], output_shape=x[1], sparse_values=x[2], default_value=x[3], validate_indices=False
    )


def _update_slice(tf: Any, x: Arguments, options: Options, node: Any) -> Any:
    """Write the update where it fits: the start is moved so that all of it lies inside."""
    starts = [max(0, min(s, n - u)) for s, n, u in zip(_ints(x[2]), x[0].shape, x[1].shape, strict=True)]
    pads = [[s, n - s - u] for s, n, u in zip(starts, x[0].shape, x[1].shape, strict=True)]
    inside = tf.pad(tf.ones(x[1].shape, tf.bool), pads)
    return tf.where(inside, tf.pad(x[1], pads), x[0])


def _embedding(tf: Any, x: Arguments, options: Options, node: Any) -> Any:
    return tf.gather(x[1], x[0])


Kernel = Callable[[Any, Arguments, Options, Any], Any]
KERNELS: Mapping[str, Kernel] = {
    "BATCH_TO_SPACE_ND": lambda tf, x, options, node: tf.batch_to_space(*x),
    "BROADCAST_ARGS": lambda tf, x, options, node: tf.broadcast_dynamic_shape(*x),
    "BROADCAST_TO": lambda tf, x, options, node: tf.broadcast_to(*x),
    "CONCATENATION": _concatenation,
    "DEPTH_TO_SPACE": lambda tf, x, options, node: tf.nn.depth_to_space(x[0], options["block_size"]),
    "DYNAMIC_UPDATE_SLICE": _update_slice,
    "EMBEDDING_LOOKUP": _embedding,
    "EXPAND_DIMS": lambda tf, x, options, node: tf.expand_dims(x[0], whole(x[1])),
    "FILL": lambda tf, x, options, node: tf.fill(*x),
    "GATHER": _gather,
    "GATHER_ND": lambda tf, x, options, node: tf.gather_nd(*x),
    "MATRIX_DIAG": lambda tf, x, options, node: tf.linalg.diag(x[0]),
    "MATRIX_SET_DIAG": lambda tf, x, options, node: tf.linalg.set_diag(*x),
    "MIRROR_PAD": _mirror_pad,
    "ONE_HOT": _one_hot,
    "PACK": lambda tf, x, options, node: tf.stack(list(x), axis=options["axis"]),
    "PAD": lambda tf, x, options, node: tf.pad(*x),
    "PADV2": lambda tf, x, options, node: tf.pad(x[0], x[1], constant_values=tf.reshape(x[2], [])),
    "RANGE": lambda tf, x, options, node: tf.range(*x),
    "RESHAPE": _reshape,
    "REVERSE_SEQUENCE": _reverse_sequence,
    "REVERSE_V2": lambda tf, x, options, node: tf.reverse(x[0], axis=x[1]),
    "SCATTER_ND": lambda tf, x, options, node: tf.scatter_nd(*x),
    "SHAPE": _shape,
    "SLICE": lambda tf, x, options, node: tf.slice(*x),
    "SPACE_TO_BATCH_ND": lambda tf, x, options, node: tf.space_to_batch(*x),
    "SPACE_TO_DEPTH": lambda tf, x, options, node: tf.nn.space_to_depth(x[0], options["block_size"]),
    "SPARSE_TO_DENSE": _sparse_to_dense,
    "SPLIT": _split,
    "SPLIT_V": _split_v,
    "SQUEEZE": _squeeze,
    "STRIDED_SLICE": _strided_slice,
    "TILE": lambda tf, x, options, node: tf.tile(*x),
    "TOPK_V2": _topk,
    "TRANSPOSE": lambda tf, x, options, node: tf.transpose(*x),
    "UNIQUE": _unique,
    "UNPACK": lambda tf, x, options, node: tuple(tf.unstack(x[0], axis=options["axis"])),
}
