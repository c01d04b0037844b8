"""tensorflow: the TensorFlow package, its eager kernels on the processor, asked what the reference is asked.

It knows no quantized arithmetic of TensorFlow Lite: rows of plain numbers only. Its kernels and the reference were
written by different people from one description of each operator; where both agree, the reference is right.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from opconform.harness.model import STRING_BYTES, Array
from opconform.harness.runtime import InvalidModel, Manifest, Trainer, Unsupported
from opconform.runtimes.tensorflow import clusters, training
from opconform.runtimes.tensorflow.draws import RANDOM
from opconform.runtimes.tensorflow.graph import Graph, Node, read_graph
from opconform.runtimes.tensorflow.package import tensorflow


class TensorFlow:
    """The real TensorFlow, operator by operator; in the variant "xla" parts of a model are compiled by XLA."""

    def __init__(self, variant: str = "") -> None:
        self._compiles = variant == "xla"

    def describe(self) -> Manifest:
        """Return the name; rows and limits stand in runtime.yaml."""
        return Manifest(name="tensorflow")

    def warm(self) -> None:
        """Import the package. Raises Unavailable."""
        tensorflow()

    def open(self, model: bytes) -> Session:
        """Open a model. Raises InvalidModel, Unsupported or Unavailable."""
        tf = tensorflow()
        graph = read_graph(model)
        for node in graph.nodes:
            if node.op not in _kernels():
                raise Unsupported(f"{node.op} has no counterpart in TensorFlow, or none that is mapped")
        if any(node.op in RANDOM for node in graph.nodes):
            tf.random.set_seed(0)
        return Session(graph, self._compiles)

    def trainer(self) -> Trainer:
        """Return what trains in this process (harness/runtime.py, Trains)."""
        return training.Alone()

    def distributed_trainer(self, addresses: Sequence[str], task: int) -> Trainer:
        """Return the trainer of one of several processes (harness/runtime.py, Distributes)."""
        return training.Together(addresses, task)


class Session:
    """One model, run node by node, or in parts that XLA compiles once the first inputs are there."""

    def __init__(self, graph: Graph, compiles: bool) -> None:
        self._graph = graph
        self._compiles = compiles
        self._parts: tuple[clusters.Part, ...] = ()

    def run(self, inputs: Sequence[Array]) -> Sequence[Array]:
        """Compute once; the outputs are copies. Raises InvalidModel for what TensorFlow refuses."""
        graph = self._graph
        if len(inputs) != len(graph.inputs):
            raise InvalidModel(f"{len(inputs)} inputs given, the model has {len(graph.inputs)}")
        tensors: dict[int, Any] = {number: _tensor(data) for number, data in graph.constants.items()}
        tensors |= {number: _tensor(data) for number, data in zip(graph.inputs, inputs, strict=True)}
        if self._compiles and not self._parts:
            self._parts = clusters.split(tensorflow(), graph.nodes, tensors, _run)
        for part in self._parts or (clusters.Part(graph.nodes, (), None),):
            clusters.run(part, tensors, _run)
        return [_array(tensors[number]) for number in graph.outputs]

    def meters(self) -> Mapping[str, int]:
        """Return how many operators XLA runs and in how many parts; nothing in the variant without it."""
        taken = [len(part.nodes) for part in self._parts if part.compiled is not None]
        return {"delegated": sum(taken), "parts": len(taken)} if taken else {}

    def close(self) -> None:
        """Nothing is held."""


def _run(node: Node, tensors: Mapping[int, Any]) -> tuple[Any, ...]:
    tf = tensorflow()
    arguments = [tensors[number] if number >= 0 else None for number in node.inputs]
    try:
        found = _kernels()[node.op](tf, arguments, node.options, node)
    except (tf.errors.UnimplementedError, tf.errors.NotFoundError) as error:  # the latter: no kernel of the dtype
        raise Unsupported(_one_line(error)) from error
    # An integer division by zero is an internal error to it.
    except (tf.errors.InvalidArgumentError, tf.errors.InternalError, ValueError, TypeError, IndexError) as error:
        raise InvalidModel(_one_line(error)) from error
    outputs = tuple(found) if isinstance(found, tuple | list) else (found,)
    if len(outputs) != len(node.outputs):
        raise InvalidModel(f"{node.op} has {len(node.outputs)} outputs, in TensorFlow {len(outputs)}")
    return outputs


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _kernels() -> Mapping[str, Any]:
    return importlib.import_module("opconform.runtimes.tensorflow.ops").KERNELS  # type: ignore[no-any-return]


def _tensor(data: Array) -> Any:
    tf = tensorflow()
    if data.dtype.kind == "S":
        return tf.constant(data.astype(object), tf.string)
    return tf.constant(data)


def _array(value: Any) -> Array:
    array = np.asarray(value.numpy())
    if value.dtype != tensorflow().string:
        return array.copy()
    if any(len(text) > STRING_BYTES for text in array.reshape(-1)):
        raise Unsupported(f"an output holds a string of more than {STRING_BYTES} bytes")
    return array.astype(f"S{STRING_BYTES}")
