"""litert: the ai-edge-litert package, with one of its three resolvers as the variant.

`ref` are its reference kernels, `builtin` its optimized ones, `xnnpack` what an application gets by default.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from opconform.harness.model import DTYPES, STRING_BYTES, Array
from opconform.harness.runtime import InvalidModel, Manifest, Unavailable, Unsupported

RESOLVERS: Mapping[str, str] = {
    "ref": "BUILTIN_REF",
    "builtin": "BUILTIN_WITHOUT_DEFAULT_DELEGATES",
    "xnnpack": "BUILTIN",
}
# LiteRT has no error codes: these are its words for "legal, but not here".
_UNSUPPORTED = re.compile(
    r"didn't find op|unsupported|not (currently |yet )?(supported|implemented)|only supports?\b|newer model|unresolved",
    re.IGNORECASE,
)


class LiteRT:
    """The real TensorFlow Lite interpreter; `variant` is ref (default), builtin or xnnpack."""

    def __init__(self, variant: str = "") -> None:
        self._resolver = RESOLVERS[variant or "ref"]

    def describe(self) -> Manifest:
        """Return name and variants; rows and limits stand in runtime.yaml."""
        return Manifest(name="litert", variants=tuple(RESOLVERS))

    def warm(self) -> None:
        """Import the package. Raises Unavailable."""
        _interpreter_module()

    def open(self, model: bytes) -> Session:
        """Open a model. Raises InvalidModel, Unsupported or Unavailable."""
        return self._session(model_content=model)

    def open_file(self, path: Path) -> Session:
        """Open a model file, which the package maps into memory. Raises what open raises."""
        return self._session(model_path=str(path))

    def _session(self, **model: bytes | str) -> Session:
        module = _interpreter_module()
        resolver = module.OpResolverType[self._resolver]
        try:
            interpreter = module.Interpreter(**model, num_threads=1, experimental_op_resolver_type=resolver)
            interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise _failure(error) from error
        return Session(interpreter, self._resolver == RESOLVERS["xnnpack"])


class Session:
    """One interpreter with its tensors allocated; `delegates` tells whether its resolver brings a delegate."""

    def __init__(self, interpreter: Any, delegates: bool) -> None:
        self._interpreter = interpreter
        self._delegates = delegates
        self._inputs = [detail["index"] for detail in interpreter.get_input_details()]
        self._outputs = [detail["index"] for detail in interpreter.get_output_details()]

    def run(self, inputs: Sequence[Array]) -> Sequence[Array]:
        """Invoke once; the outputs are copies. Raises InvalidModel or Unsupported."""
        if len(inputs) != len(self._inputs):
            raise InvalidModel(f"{len(inputs)} inputs given, the model has {len(self._inputs)}")
        try:
            for index, array in zip(self._inputs, inputs, strict=True):
                self._interpreter.set_tensor(index, _unpadded(array))
            self._interpreter.invoke()
            return [self._read(slot, index) for slot, index in enumerate(self._outputs)]
        except (RuntimeError, ValueError) as error:
            raise _failure(error) from error

    def invoke(self) -> None:
        """Run again on the inputs given last, and copy nothing: what a figure of a runtime's own time is taken of."""
        self._interpreter.invoke()

    def _read(self, slot: int, index: int) -> Array:
        """Return a copy of an output. The package cannot read one whose shape came out empty, though it is right."""
        try:
            return _fixed_width(np.asarray(self._interpreter.get_tensor(index)))
        except ValueError:
            detail = self._interpreter.get_output_details()[slot]
            if 0 not in detail["shape"]:
                raise
            return np.zeros(detail["shape"], detail["dtype"])

    def meters(self) -> Mapping[str, int]:
        """Return how many operators a delegate runs and in how many parts; nothing without a delegate."""
        return self._delegation

    @cached_property
    def _delegation(self) -> Mapping[str, int]:
        if not self._delegates:
            return {}
        # the package lists the model's operators, then one DELEGATE for each part that took the place of some
        listed = self._interpreter._get_ops_details()
        parts = [entry for entry in listed if entry["op_name"] == "DELEGATE"]
        own = [entry for entry in listed if entry["op_name"] != "DELEGATE"]
        taken = sum(len(_covered(part, own)) for part in parts)
        return {"delegated": taken, "parts": len(parts)} if parts else {}

    def close(self) -> None:
        """Free the interpreter."""
        del self._interpreter


def _covered(part: Mapping[str, Any], operators: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the indices of the operators between the inputs and the outputs of a part."""
    wanted, given = set(part["outputs"]), set(part["inputs"])
    found = []
    for operator in reversed(operators):
        if wanted.intersection(operator["outputs"]):
            found.append(int(operator["index"]))
            wanted |= set(operator["inputs"]) - given
    return found


def _unpadded(array: Array) -> Array:
    """Return a single string without the zeros behind it, which the package takes for a part of it at rank 0 only."""
    return np.array(array.item()) if array.dtype.kind == "S" and array.ndim == 0 else array


def _fixed_width(array: Array) -> Array:
    """Return strings, which the package gives as objects, in the dtype that travels; Unsupported for long ones."""
    if array.dtype != object:
        return array
    longest = max(map(len, array.reshape(-1)), default=0)
    if longest > STRING_BYTES:
        raise Unsupported(f"an output holds a string of {longest} bytes; at most {STRING_BYTES} travel")
    return array.astype(DTYPES["string"][0])


def _interpreter_module() -> Any:
    try:
        return importlib.import_module("ai_edge_litert.interpreter")
    except ImportError as error:
        raise Unavailable(f"litert: {error}; pip install ai-edge-litert") from error


def _failure(error: Exception) -> InvalidModel | Unsupported:
    text = " ".join(str(error).split())
    return Unsupported(text) if _UNSUPPORTED.search(text) else InvalidModel(text)
