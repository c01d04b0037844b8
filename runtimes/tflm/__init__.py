"""tflm: the tflite-micro package, reference kernels of TensorFlow Lite Micro on this machine's processor."""

from __future__ import annotations

import importlib
import os
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from opconform.harness.model import Array
from opconform.harness.runtime import InvalidModel, Manifest, Unavailable, Unsupported

# The package's own choice, ten times the size of the model, is too small for models of one op.
ARENA_BYTES = 2_000_000
# An upper bound; the package counts them by unpacking the whole model, which takes 30 times as long as opening it.
RESOURCE_VARIABLES = 16
_UNSUPPORTED = re.compile(
    r"didn't find op|failed to get registration|unsupported|only supports?\b"
    r"|not (currently |yet )?(supported|implemented)",
    re.IGNORECASE,
)
_GET = "pip install 'opconform[tflm]' (a pre-release, for CPython 3.11 on Linux only)"


class TFLM:
    """The real TensorFlow Lite Micro interpreter; it has no variants."""

    def __init__(self, variant: str = "") -> None:
        self._variant = variant

    def describe(self) -> Manifest:
        """Return the name; rows and limits stand in runtime.yaml."""
        return Manifest(name="tflm")

    def warm(self) -> None:
        """Import the package. Raises Unavailable."""
        _package("runtime")

    def open(self, model: bytes) -> Session:
        """Open a model. Raises InvalidModel, Unsupported or Unavailable."""
        counts = _count_tensors(model)
        try:
            return Session(_wrapper(model), *counts)
        except RuntimeError as error:
            raise _failure(error, lambda: _wrapper(model)) from error


class Session:
    """One interpreter with its tensors allocated."""

    def __init__(self, interpreter: Any, inputs: int, outputs: int) -> None:
        self._interpreter = interpreter
        self._inputs = inputs
        self._outputs = outputs

    def run(self, inputs: Sequence[Array]) -> Sequence[Array]:
        """Invoke once; the outputs are copies. Raises InvalidModel or Unsupported."""
        if len(inputs) != self._inputs:
            raise InvalidModel(f"{len(inputs)} inputs given, the model has {self._inputs}")
        try:
            for index, array in enumerate(inputs):
                self._interpreter.SetInputTensor(array, index)
        except (ValueError, IndexError) as error:
            raise InvalidModel(_one_line(error)) from error
        try:
            self._interpreter.Invoke()
        except RuntimeError as error:
            raise _failure(error, self._interpreter.Invoke) from error
        return [np.asarray(self._interpreter.GetOutputTensor(index)) for index in range(self._outputs)]

    def meters(self) -> Mapping[str, int]:
        """Return nothing: the package prints its arena but does not tell it."""
        return {}

    def close(self) -> None:
        """Free the interpreter and its arena."""
        del self._interpreter


def _package(module: str) -> Any:
    where = {
        "runtime": "tflite_micro.python.tflite_micro._runtime",
        "schema": "tflite_micro.tensorflow.lite.micro.python.schema_py_generated",
    }
    try:
        return importlib.import_module(where[module])
    except ImportError as error:
        raise Unavailable(f"tflm: {error}; {_GET}") from error


def _wrapper(model: bytes) -> Any:
    runtime = _package("runtime")
    config = runtime.PythonInterpreterConfig.kAllocationRecording
    return runtime.InterpreterWrapper(model, [], ARENA_BYTES, RESOURCE_VARIABLES, config, 0)


def _count_tensors(model: bytes) -> tuple[int, int]:
    """Return the numbers of inputs and outputs. TFLM follows offsets unchecked: walk them first."""
    try:
        root = _package("schema").Model.GetRootAsModel(model, 0)
        for graph in map(root.Subgraphs, range(root.SubgraphsLength())):
            _ = [graph.Tensors(index).ShapeAsNumpy() for index in range(graph.TensorsLength())]
            _ = [graph.Operators(index).InputsAsNumpy() for index in range(graph.OperatorsLength())]
        _ = [root.Buffers(index).DataAsNumpy() for index in range(root.BuffersLength())]
        return root.Subgraphs(0).InputsLength(), root.Subgraphs(0).OutputsLength()
    except (struct.error, IndexError, TypeError, ValueError, AttributeError) as error:
        raise InvalidModel(f"the model's offsets lead nowhere: {_one_line(error)}") from error


def _failure(error: Exception, again: Callable[[], object]) -> InvalidModel | Unsupported:
    text = _said(again) or _one_line(error)
    return Unsupported(text) if _UNSUPPORTED.search(text) else InvalidModel(text)


def _said(again: Callable[[], object]) -> str:
    """Return what TFLM prints while it refuses: its exceptions do not say why.

    What failed is done a second time, so that the first time standard error stays in place for the last words of
    a process that aborts.
    """
    saved, caught = os.dup(2), os.memfd_create("tflm-stderr")
    os.dup2(caught, 2)
    try:
        again()
    except RuntimeError:
        pass
    finally:
        os.dup2(saved, 2)
        os.close(saved)
    with os.fdopen(caught, "rb") as file:
        file.seek(0)
        return " ".join(file.read(2000).decode(errors="replace").split())


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
