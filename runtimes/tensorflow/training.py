"""Gradients of the network of runtime.Trainer by TensorFlow's tape, and steps of an optimizer; alone or with others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.tensorflow.package import tensorflow


class Alone:
    """The trainer of a single process."""

    def gradients(self, weights: Sequence[Array], x: Array, labels: Array) -> tuple[float, tuple[Array, ...]]:
        """Return the mean loss of a batch, and its gradient by each of the weights."""
        return _numpy(_backward(weights, x, labels))

    def step(self, weights: Sequence[Array], gradients: Sequence[Array], rate: float) -> tuple[Array, ...]:
        """Return the weights after a step of Keras's SGD."""
        return _step(weights, gradients, rate)


class Together:
    """The trainer of one of several processes: MultiWorkerMirroredStrategy reduces over gRPC what each one found."""

    def __init__(self, addresses: Sequence[str], task: int) -> None:
        tf = tensorflow()
        spec, resolver = tf.train.ClusterSpec({"worker": list(addresses)}), tf.distribute.cluster_resolver
        place = resolver.SimpleClusterResolver(spec, task_type="worker", task_id=task, rpc_layer="grpc")
        self._strategy = tf.distribute.MultiWorkerMirroredStrategy(place)

    def gradients(self, weights: Sequence[Array], x: Array, labels: Array) -> tuple[float, tuple[Array, ...]]:
        """Return the mean over all processes of the loss and the gradients of each one's batch."""
        tf = tensorflow()

        def reduced() -> Any:
            context = tf.distribute.get_replica_context()
            return context.all_reduce(tf.distribute.ReduceOp.MEAN, _backward(weights, x, labels))

        return _numpy(tf.function(lambda: self._strategy.run(reduced), autograph=False)())

    def step(self, weights: Sequence[Array], gradients: Sequence[Array], rate: float) -> tuple[Array, ...]:
        """Return the weights after a step of Keras's SGD, the same in every process."""
        return _step(weights, gradients, rate)


def _backward(weights: Sequence[Array], x: Array, labels: Array) -> list[Any]:
    """Return the loss and, after it, the gradients."""
    tf = tensorflow()
    given = [tf.constant(array) for array in weights]
    with tf.GradientTape() as tape:
        tape.watch(given)
        w1, b1, w2, b2 = given
        logits = tf.tanh(x @ w1 + b1) @ w2 + b2
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
    return [loss, *tape.gradient(loss, given)]


def _step(weights: Sequence[Array], gradients: Sequence[Array], rate: float) -> tuple[Array, ...]:
    tf = tensorflow()
    variables = [tf.Variable(array) for array in weights]
    slopes = [tf.constant(array) for array in gradients]
    tf.keras.optimizers.SGD(rate).apply_gradients(zip(slopes, variables, strict=True))
    return tuple(variable.numpy() for variable in variables)


def _numpy(found: Sequence[Any]) -> tuple[float, tuple[Array, ...]]:
    loss, *gradients = found
    return float(loss), tuple(np.array(gradient) for gradient in gradients)
