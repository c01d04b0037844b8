"""What laws are made of: the judged case, how one fails, and the changes and comparisons they share.

Integer and bool outputs must fulfil a law exactly; float outputs within twice what the
row's tolerance allows one of them, since both sides may be off.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from opconform.harness.expr import compile_expression
from opconform.harness.model import DTYPES, Array, Case, TensorType
from opconform.harness.numerics import FLOAT32_MAX, dequantize, is_float, numbers

Outputs = tuple[tuple[Array, ...], ...]
Slack = Sequence[Sequence[Array]]


@dataclass(frozen=True, slots=True)
class Subject:
    """A case with its outputs on the runtime under test; `slack` returns what the row allows them."""

    case: Case
    outputs: Outputs
    slack: Callable[[], Slack]
    env: Mapping[str, Any]
    kernels: Mapping[str, Callable[..., Any]]

    @property
    def allowed(self) -> Slack:
        """Return, per vector and output, what the row allows."""
        return self.slack()


@dataclass(frozen=True, slots=True)
class Broken:
    """Where a law does not hold: vector, index, and one line that says what was found; `kind` is the verdict's."""

    vector: int
    index: tuple[int, ...]
    error: float
    message: str
    kind: str = "wrong-value"


class NotApplicable(Exception):
    """The law says nothing about this case (a constant slot, a rank that is too small)."""


def evaluate(argument: Any, env: Mapping[str, Any]) -> Any:
    """Evaluate a law's argument where it is a formula."""
    return compile_expression(str(argument))(env)


def fed_position(case: Case, slot: str) -> int:
    """Return where a slot stands among the fed inputs; NotApplicable if it is not fed."""
    fed = [i.tensor.name for i in case.inputs if i.role == "input"]
    if slot not in fed:
        raise NotApplicable(slot)
    return fed.index(slot)


def output_position(case: Case, name: str) -> int:
    """Return the index of an output."""
    return [t.name for t in case.outputs].index(name)


def map_fed(case: Case, slot: str, change: Callable[[Array], Array]) -> Case:
    """Return the case with one fed input changed in every vector."""
    at = fed_position(case, slot)
    vectors = tuple((*v[:at], change(v[at]), *v[at + 1 :]) for v in case.vectors)
    return replace(case, vectors=vectors)


def map_slot(case: Case, slot: str, change: Callable[[Array], Array]) -> Case:
    """Return the case with one input changed, fed or constant."""
    for position, item in enumerate(case.inputs):
        if item.tensor.name == slot and item.role == "constant" and item.data is not None:
            new = replace(item, data=change(item.data))
            return replace(case, inputs=(*case.inputs[:position], new, *case.inputs[position + 1 :]))
    return map_fed(case, slot, change)


def real(data: Array, tensor: TensorType) -> Array:
    """Return real values as float64."""
    if tensor.quant is not None and data.dtype.kind in "iu":
        return dequantize(data, tensor.quant)
    return numbers(data)


def bounded_floats(data: Array) -> Array:
    """Return float32 values with infinities as the largest number, which the comparison with the reference allows too.

    A fused clamp without an activation is one to the largest number in LiteRT and TFLM. Other dtypes are left alone.
    """
    return np.clip(data, -FLOAT32_MAX, FLOAT32_MAX) if data.dtype == np.float32 else data


def sortable(data: Array) -> Array:
    """Return bfloat16 values as float32, since a NaN among them misleads NumPy's sort; others as they are."""
    return data.astype(np.float32) if data.dtype == DTYPES["bfloat16"][0] else data


def equal(subject: Subject, left: Outputs, right: Outputs, what: str) -> Broken | None:
    """Compare two runs element by element: exactly, or floats within twice the row's tolerance."""
    for vector, (a, b) in enumerate(zip(left, right, strict=True)):
        for output, (x, y) in enumerate(zip(a, b, strict=True)):
            if x.shape != y.shape:
                return Broken(vector, (), np.inf, f"{what}: shapes {list(x.shape)} and {list(y.shape)} differ")
            found = _difference(subject, vector, output, x, y, what)
            if found is not None:
                return found
    return None


def _difference(subject: Subject, vector: int, output: int, x: Array, y: Array, what: str) -> Broken | None:
    if x.dtype.kind in "cS":
        x, y = numbers(x), numbers(y)
    with np.errstate(invalid="ignore"):  # a signalling NaN makes even a conversion complain
        x64, y64 = x.astype(np.float64), y.astype(np.float64)
    same = (bounded_floats(x) == bounded_floats(y)) | (np.isnan(x64) & np.isnan(y64))
    if is_float(subject.case.outputs[output].dtype):
        allowed = np.broadcast_to(np.max(subject.allowed[vector][output], initial=0.0), x.shape)
        with np.errstate(all="ignore"):
            same |= np.abs(x64 - y64) <= 2 * allowed
    if np.all(same):
        return None
    flat = int(np.argmin(same))
    index = tuple(int(i) for i in np.unravel_index(flat, x.shape))
    name = subject.case.outputs[output].name
    error = float(abs(x64.reshape(-1)[flat] - y64.reshape(-1)[flat]))
    text = f"{what}: {name}[{','.join(map(str, index))}] = {x.reshape(-1)[flat]} and {y.reshape(-1)[flat]}"
    return Broken(vector, index, error, text)
