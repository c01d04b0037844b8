"""Random numbers, and rows of a table picked by a sparse matrix."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Arguments = Sequence[Any]
Options = Mapping[str, Any]
Kernel = Callable[[Any, Arguments, Options, Any], Any]


def _random(name: str) -> Kernel:
    def run(tf: Any, x: Arguments, options: Options, node: Any) -> Any:
        seeds = {key: options[key] for key in ("seed", "seed2")}
        return getattr(tf.raw_ops, name)(shape=x[0], dtype=tf.float32, **seeds)

    return run


def _multinomial(tf: Any, x: Arguments, options: Options, node: Any) -> Any:
    seeds = {key: options[key] for key in ("seed", "seed2")}
    dtype = tf.as_dtype(node.dtypes[0])
    return tf.raw_ops.Multinomial(logits=x[0], num_samples=tf.reshape(x[1], []), output_dtype=dtype, **seeds)


def _embedding_sparse(tf: Any, x: Arguments, options: Options, node: Any) -> Any:
    """Coordinates but the last one are counted through as rows: TensorFlow takes a matrix only."""
    ids, places, dense, weights, table = x
    head = [int(n) for n in dense.numpy()[:-1]]
    rows = places[:, 0]
    for axis, length in enumerate(head[1:], 1):
        rows = rows * length + places[:, axis]
    count = int(tf.reduce_prod(head))
    where = tf.cast(tf.stack([rows, places[:, -1]], axis=1), tf.int64)
    shape = tf.cast([count, int(dense[-1])], tf.int64)
    picked, weighed = (tf.sparse.SparseTensor(where, values, shape) for values in (ids, weights))
    y = tf.nn.embedding_lookup_sparse(table, picked, weighed, combiner=options["combiner"].lower())
    y = tf.pad(y, [[0, count - int(y.shape[0])], *[[0, 0]] * (len(y.shape) - 1)])  # it ends with the last row named
    return tf.reshape(y, [*head, *table.shape[1:]])


KERNELS: Mapping[str, Kernel] = {
    "EMBEDDING_LOOKUP_SPARSE": _embedding_sparse,
    "MULTINOMIAL": _multinomial,
    "RANDOM_STANDARD_NORMAL": _random("RandomStandardNormal"),
    "RANDOM_UNIFORM": _random("RandomUniform"),
}
#: Ops whose state TensorFlow keeps with the kernels that it has cached: it starts anew when a global seed is set.
RANDOM = ("MULTINOMIAL", "RANDOM_STANDARD_NORMAL", "RANDOM_UNIFORM")
