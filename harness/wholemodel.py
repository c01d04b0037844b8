"""Whole models on several runtimes: the same inputs, all outputs compared, the first operator that differs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from opconform.harness import schema
from opconform.harness.flatread import ModelError, ModelView, Operation
from opconform.harness.isolate import Executor
from opconform.harness.model import (
    Array,
    Crashed,
    Declined,
    Infra,
    Lost,
    Outcome,
    Produced,
    Rejected,
    TensorType,
    TimedOut,
)
from opconform.harness.numerics import numbers

Vectors = Sequence[tuple[Array, ...]]

#: Float outputs of two runtimes that differ by less than this share of their range are called equal:
#: float32 sums in another order differ by about sqrt(depth) * 2**-24, and models are a hundred ops deep at most.
FLOAT_SHARE = 1e-4


@dataclass(frozen=True, slots=True)
class Ran:
    """How one runtime answered: its outcome and the wall seconds of all invocations with opening."""

    label: str
    outcome: Outcome
    seconds: float

    @property
    def outputs(self) -> tuple[tuple[Array, ...], ...] | None:
        """Return the outputs, None where there are none."""
        return self.outcome.outputs if isinstance(self.outcome, Produced) else None


@dataclass(frozen=True, slots=True)
class Difference:
    """How far two runtimes are apart: the worst over all outputs and vectors, in `unit`."""

    worst: float
    share: float  # of elements that differ
    unit: str  # "lsb" for integers, "of range" for floats

    @property
    def matters(self) -> bool:
        """Tell whether the outputs are to be called different."""
        return self.worst > (FLOAT_SHARE if self.unit == "of range" else 0)


@dataclass(frozen=True, slots=True)
class Culprit:
    """The first operator whose output differs between two runtimes."""

    operation: Operation
    tensor: TensorType
    difference: Difference


def unknown_ops(view: ModelView) -> list[str]:
    """Return the operators that opconform has no spec of."""
    return sorted({o.op for o in view.operations if o.op not in schema.OPS})


def load_inputs(path: Path, view: ModelView) -> list[tuple[Array, ...]]:
    """Read one vector from an .npz: arrays by input name or input0, input1 ...; raises ModelError."""
    try:
        stored: Mapping[str, Any] = np.load(path, allow_pickle=False)
        names = set(stored.keys())
    except (OSError, ValueError, AttributeError) as error:
        raise ModelError(f"{path}: cannot be read as .npz: {error}; write it with numpy.savez") from error
    return [tuple(_stored(path, stored, names, view.tensors[i], n) for n, i in enumerate(view.inputs))]


def _stored(path: Path, stored: Mapping[str, Any], names: set[str], tensor: TensorType, position: int) -> Array:
    key = next((k for k in (tensor.name, f"input{position}") if k in names), None)
    if key is None:
        raise ModelError(
            f"{path}: has no array '{tensor.name}' or 'input{position}'; it has: {', '.join(sorted(names))}"
        )
    data = np.asarray(stored[key])
    if data.dtype.name != tensor.dtype or data.shape != tensor.shape:
        found, want = f"{data.dtype.name} {list(data.shape)}", f"{tensor.dtype} {list(tensor.shape)}"
        raise ModelError(f"{path}: '{key}' is {found}, the model wants {want}")
    return data


def answers(executor: Executor, view: ModelView, model: bytes, vectors: Vectors) -> Outcome:
    """Run a model, or a part of one, which begins without memory of vectors before: state is no input of a vector."""
    if not view.variables:
        return executor.execute(model, vectors)
    outputs: list[tuple[Array, ...]] = []
    meters: dict[str, int] = {}
    for vector in vectors:
        outcome = executor.execute(model, (vector,))
        if not isinstance(outcome, Produced):
            return outcome
        outputs += outcome.outputs
        meters = {name: max(value, meters.get(name, 0)) for name, value in outcome.meters.items()}
    return Produced(tuple(outputs), meters)


def execute(executors: Mapping[str, Executor], view: ModelView, vectors: Vectors) -> list[Ran]:
    """Run a model on every runtime with the same inputs."""
    result = []
    for label, executor in executors.items():
        began = time.perf_counter()
        outcome = answers(executor, view, view.data, vectors)
        result.append(Ran(label, outcome, time.perf_counter() - began))
    return result


def miscounted(outputs: Vectors, want: int) -> str:
    """Say of the first answer with another number of outputs than the model has how many it has, else ""."""
    wrong = ((n, len(answer)) for n, answer in enumerate(outputs) if len(answer) != want)
    return next((f"answer {n} has {count} outputs, the model {want}" for n, count in wrong), "")


def difference(a: Sequence[Sequence[Array]], b: Sequence[Sequence[Array]]) -> Difference:
    """Compare all outputs of two runs."""
    worst, differing, total, unit = 0.0, 0, 0, "lsb"
    for left, right in zip(a, b, strict=True):
        if len(left) != len(right):
            return Difference(float("inf"), 1.0, "shape")
        for x, y in zip(left, right, strict=True):
            if x.shape != y.shape or x.dtype != y.dtype:
                return Difference(float("inf"), 1.0, "shape")
            total += x.size
            if x.size == 0:
                continue
            x64, y64 = numbers(x), numbers(y)
            gap = _gaps(x64, y64)
            if x.dtype.kind == "f":
                unit = "of range"
                gap = gap / max(float(np.max(np.abs(x64[np.isfinite(x64)]), initial=0)), 1e-30)
            differing += int(np.sum(gap > (FLOAT_SHARE if x.dtype.kind == "f" else 0)))
            worst = max(worst, float(np.max(np.where(np.isnan(gap), np.inf, gap))))
    return Difference(worst, differing / max(total, 1), unit)


def _gaps(x: Array, y: Array) -> Array:
    """Return how far elements are apart; equal infinities and NaN beside NaN are not."""
    with np.errstate(invalid="ignore"):
        apart: Array = np.abs(x - y)
    return np.where((x == y) | (np.isnan(x) & np.isnan(y)), 0.0, apart)


def find_culprit(view: ModelView, first: Executor, second: Executor, vectors: Vectors) -> Culprit | None:
    """Cut the model after each operator, halving the range, until the first output that differs is found."""
    candidates = [o for o in view.operations if o.outputs]
    low, high = 0, len(candidates) - 1
    found: Culprit | None = None
    while low <= high:
        middle = (low + high) // 2
        here = _differs_at(view, candidates[middle], first, second, vectors)
        if here is not None:
            found, high = here, middle - 1
        else:
            low = middle + 1
    return found


def _differs_at(
    view: ModelView, operation: Operation, first: Executor, second: Executor, vectors: Vectors
) -> Culprit | None:
    tensor = operation.outputs[0]
    model = view.exposing((tensor,))
    outcomes = [answers(executor, view, model, vectors) for executor in (first, second)]
    if not all(isinstance(o, Produced) for o in outcomes):
        return None
    a, b = (o.outputs for o in outcomes if isinstance(o, Produced))
    gap = difference(a, b)
    return Culprit(operation, view.tensors[tensor], gap) if gap.matters else None


#: A refusal can list every tensor of a model; the start tells enough.
MOST_WORDS = 240


def describe(outcome: Outcome) -> str:
    """Say in a few words what happened."""
    text = _description(outcome)
    return text if len(text) <= MOST_WORDS else text[: MOST_WORDS - 1] + "…"


def _description(outcome: Outcome) -> str:
    match outcome:
        case Produced():
            return "ran"
        case Declined(why=why):
            return f"declined: {why}"
        case Rejected(why=why):
            return f"refused: {why}"
        case Crashed(detail=detail):
            return f"crashed: {detail}"
        case TimedOut(seconds=seconds):
            return f"no answer within {seconds:g} s"
        case Lost(detail=detail):
            return f"lost in transport: {detail}"
        case Infra(detail=detail):
            return f"target failed: {detail}"
