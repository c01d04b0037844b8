"""Runtimes that misbehave in one known way each: `--runtime tests/fakes/fakes.py:always_wrong`.

Those that need right values carry a real runtime and change what goes in or out of it: `altered` is the pattern.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from opconform.harness.model import Array
from opconform.harness.runtime import Manifest, Runtime, Session, Unsupported
from opconform.runtimes.litert import LiteRT

Factory = Callable[[str], Runtime]


@dataclass(frozen=True)
class Seen:
    """What a change may look at: the model's first op, its first input's dtype, and the inputs of this invocation."""

    op: str
    dtype: str
    inputs: Sequence[Array]


Change = Callable[[Seen, list[Array]], Sequence[Array]]
Gate = Callable[[str, str], None]


@dataclass(frozen=True)
class AlteredSession:
    """A session whose outputs pass through `change`."""

    carrier: Session
    op: str
    dtype: str
    change: Change

    def run(self, inputs: Sequence[Array]) -> Sequence[Array]:
        return self.change(Seen(self.op, self.dtype, inputs), list(self.carrier.run(inputs)))

    def meters(self) -> Mapping[str, int]:
        return self.carrier.meters()

    def close(self) -> None:
        self.carrier.close()


@dataclass(frozen=True)
class Altered:
    """A runtime that asks `gate` before it opens a model, and changes every output."""

    name: str
    carrier: Runtime
    change: Change
    gate: Gate
    manifest: Manifest

    def describe(self) -> Manifest:
        return self.manifest

    def open(self, model: bytes) -> Session:
        op, dtype = op_and_dtype(model)
        self.gate(op, dtype)
        return AlteredSession(self.carrier.open(model), op, dtype, self.change)


def right(seen: Seen, outputs: list[Array]) -> Sequence[Array]:
    return outputs


def takes_all(op: str, dtype: str) -> None:
    return None


def altered(
    name: str,
    change: Change = right,
    gate: Gate = takes_all,
    rows: tuple[str, ...] = ("*",),
    carrier: Factory = LiteRT,
) -> Factory:
    """Return a factory of fakes: outputs of `carrier` through `change`, models through `gate`, `rows` claimed."""
    manifest = Manifest(name=name, rows=rows)

    def factory(at: str = "") -> Runtime:
        return Altered(name, carrier(at), change, gate, manifest)

    return factory


def op_and_dtype(model: bytes) -> tuple[str, str]:
    """Return the name of the first op and the dtype of its first input, "?" where the model has none."""
    try:
        root = schema.Model.GetRootAsModel(model, 0)
        graph, code = root.Subgraphs(0), root.OperatorCodes(0)
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        dtype = graph.Tensors(graph.Operators(0).Inputs(0)).Type()
    except Exception:
        return "?", "?"
    return _name(schema.BuiltinOperator, number), _name(schema.TensorType, dtype).lower()


def _name(enum: type, number: int) -> str:
    return next((key for key, value in vars(enum).items() if value == number and key[0] != "_"), "?")


def _off_by_one(seen: Seen, outputs: list[Array]) -> Sequence[Array]:
    if (seen.op, seen.dtype) != ("ADD", "int8"):
        return outputs
    return [np.where(output < 127, output + 1, output - 1).astype(output.dtype) for output in outputs]


def _wrong(seen: Seen, outputs: list[Array]) -> Sequence[Array]:
    return [~output if output.dtype.kind in "biu" else output * 2 + 1 for output in outputs]


def _segfault(seen: Seen, outputs: list[Array]) -> Sequence[Array]:
    ctypes.string_at(0)
    return outputs


def _spin(seen: Seen, outputs: list[Array]) -> Sequence[Array]:
    while True:
        pass


def _sleep(seen: Seen, outputs: list[Array]) -> Sequence[Array]:
    time.sleep(3600)
    return outputs


def _print(seen: Seen, outputs: list[Array]) -> Sequence[Array]:
    print("a runtime says hello on stdout", flush=True)
    os.write(1, b"and so does its native code\n")
    return outputs


def _exit(seen: Seen, outputs: list[Array]) -> Sequence[Array]:
    raise SystemExit(3)


def _raise(seen: Seen, outputs: list[Array]) -> Sequence[Array]:
    raise ZeroDivisionError("division by zero")


def _die_at_open(op: str, dtype: str) -> None:
    os.write(2, b"kernel.cc:7: check failed\n")
    os.abort()


def _refuse(op: str, dtype: str) -> None:
    raise Unsupported("this runtime supports nothing")


def _refuse_add(op: str, dtype: str) -> None:
    if op == "ADD":
        raise Unsupported("ADD is not supported")


always_right = altered("always_right")
always_wrong = altered("always_wrong", _wrong)
off_by_one_lsb = altered("off_by_one_lsb", _off_by_one)
declines = altered("declines", gate=_refuse, rows=())
lies_about_support = altered("lies_about_support", gate=_refuse_add)
crashes = altered("crashes", _segfault)
crashes_at_open = altered("crashes_at_open", gate=_die_at_open)
hangs = altered("hangs", _spin)
sleeps = altered("sleeps", _sleep)
prints_to_stdout = altered("prints_to_stdout", _print)
exits = altered("exits", _exit)
raises = altered("raises", _raise)
wrong_shape = altered("wrong_shape", lambda seen, outputs: [output.reshape(1, *output.shape) for output in outputs])
wrong_dtype = altered("wrong_dtype", lambda seen, outputs: [output.astype(np.float64) for output in outputs])
unsendable_dtype = altered("unsendable_dtype", lambda seen, outputs: [output.astype(complex) for output in outputs])
too_many_outputs = altered("too_many_outputs", lambda seen, outputs: [*outputs, *outputs])
oversized = altered("oversized", lambda seen, outputs: [np.zeros(17 << 20, np.uint8)])


@dataclass(frozen=True)
class Unclosed:
    """A session that ignores `close`."""

    carrier: Session

    def run(self, inputs: Sequence[Array]) -> Sequence[Array]:
        return self.carrier.run(inputs)

    def meters(self) -> Mapping[str, int]:
        return {}

    def close(self) -> None:
        return None


class Forgetful:
    """A runtime that gives every model the session it opened first: reopening resets nothing."""

    def __init__(self, at: str = "") -> None:
        self._carrier = LiteRT(at)
        self._sessions: dict[bytes, Session] = {}

    def describe(self) -> Manifest:
        return Manifest(name="forgetful")

    def open(self, model: bytes) -> Session:
        if model not in self._sessions:
            self._sessions[model] = Unclosed(self._carrier.open(model))
        return self._sessions[model]


class OpensNothing:
    """Forgets to return the session."""

    def __init__(self, at: str = "") -> None:
        self.at = at

    def describe(self) -> Manifest:
        return Manifest(name="opens_nothing")

    def open(self, model: bytes) -> None:
        return None
