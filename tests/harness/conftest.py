"""Small specs, kernels and runtimes in this process: what the tests of the harness core judge."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from opconform.harness.model import Array, Case, Input, Outcome, Produced, TensorType
from opconform.harness.registry import Handle
from opconform.harness.runtime import Limit, Manifest
from opconform.harness.spec_load import parse_spec
from opconform.harness.unit import Oracle, Seat

ABS = """\
op: ABS
summary: Magnitude of every element.
inputs:
  x: {shape: A}
outputs:
  y: {shape: A}
domain:
  A: {rank: [0, 3], dim: [1, 4]}
  values: {float32: [-100, 100], int32: [-1000, 1000]}
  specials: [nan, inf, negative_zero]
types:
  float32: {x: float32, y: float32}
  int32: {x: int32, y: int32}
require:
  R1: {that: size(A) <= 64, why: small}
invalid:
  E1: {for: float32, dtype: {y: int32}, why: one dtype}
tolerance:
  float32: {ulp: 0}
  int32: exact
properties:
  - even: {argument: x, types: [float32]}
"""
ADD = """\
op: ADD
summary: Sum.
inputs:
  a: {shape: A}
  b: {shape: B}
outputs:
  y: {shape: "broadcast(A, B)"}
attributes:
  activation: {enum: [NONE, RELU]}
domain:
  A: {rank: [0, 3], dim: [1, 4]}
  B: {broadcasts_with: A}
  values: {float32: [-100, 100]}
types:
  float32: {a: float32, b: float32, y: float32}
tolerance:
  float32: {ulp: 1}
properties:
  - commutative: [a, b]
"""


def add(a: Array, b: Array, *, activation: str = "NONE") -> Array:
    """Return the sum, clamped below by 0 for RELU."""
    total = a + b
    return np.maximum(total, 0) if activation == "RELU" else total


KERNELS: Mapping[str, Callable[..., Any]] = {"ABS": np.abs, "ADD": add}
Answer = Callable[[Sequence[Array]], Sequence[Array]]


@dataclass
class InProcess:
    """An executor that answers each vector by a function, or every model by one outcome."""

    answer: Answer | None = None
    outcome: Outcome | None = None
    runs: int = 0

    def execute(self, model: bytes, vectors: Sequence[Sequence[Array]]) -> Outcome:
        self.runs += 1
        if self.outcome is not None:
            return self.outcome
        assert self.answer is not None
        return Produced(tuple(tuple(self.answer(vector)) for vector in vectors))

    def run(self, vectors: Sequence[Sequence[Array]]) -> Outcome:
        return self.execute(b"", vectors)

    def close(self) -> None:
        return None


def make_seat(
    executor: InProcess,
    rows: Sequence[str] = ("*",),
    name: str = "fake",
    expectations: Any = (),
    limits: Sequence[Limit] = (),
) -> Seat:
    handle = Handle(name, name, "host", Manifest(name=name, rows=tuple(rows), limits=tuple(limits)))
    return Seat(handle, executor, tuple(expectations))


def make_case(y: Sequence[int], dtype: str = "float32", quant: Any = None, **inputs: Any) -> Case:
    """Return a case of one vector with float32 inputs; outputs are named y."""
    with np.errstate(over="ignore"):
        arrays = {name: np.asarray(value, dtype=np.float32) for name, value in inputs.items()}
    slots = tuple(Input(TensorType(name, "float32", data.shape), "input") for name, data in arrays.items())
    out = TensorType("y", dtype, tuple(y), quant)
    return Case("ABS/float32/000", "ABS", "float32", {}, {}, slots, (out,), (tuple(arrays.values()),))


RUNTIME = """\
import numpy as np

from opconform.harness.runtime import Manifest


class Session:
    def run(self, inputs):
        return [np.abs(inputs[0])] if len(inputs) == 1 else [WRONG + inputs[0] + inputs[1]]

    def meters(self):
        return {}

    def close(self):
        pass


class InProcess:
    in_process = True

    def __init__(self, at=""):
        pass

    def describe(self):
        return Manifest(name="inprocess")

    def open(self, model):
        return Session()
"""


@pytest.fixture
def core(tmp_path: Path) -> SimpleNamespace:
    """Everything above, and a folder of specs with a runtime file for whole runs."""
    folder = tmp_path / "specs" / "ops"
    folder.mkdir(parents=True)
    legal = ABS.replace("invalid:\n  E1: {for: float32, dtype: {y: int32}, why: one dtype}\n", "")
    (folder / "abs.yaml").write_text(legal)
    (folder / "add.yaml").write_text(ADD.replace("{enum: [NONE, RELU]}", "{enum: [NONE]}"))

    def runtime(wrong: str = "0") -> str:
        file = tmp_path / f"runtime_{len(list(tmp_path.glob('runtime_*.py')))}.py"
        file.write_text(RUNTIME.replace("WRONG", wrong))
        return f"{file}:InProcess"

    return SimpleNamespace(
        abs_text=ABS,
        add_text=ADD,
        parse=parse_spec,
        kernels=KERNELS,
        oracle=Oracle(KERNELS, {}),
        executor=InProcess,
        seat=make_seat,
        case=make_case,
        folder=folder,
        runtime=runtime,
    )
