"""Laws: metamorphic properties that need no reference.

A law turns a judged case into further cases (`derive`) and relates their outputs
(`check`). Integer and bool outputs must fulfil it exactly; float outputs within twice
what the row's tolerance allows one of them, since both sides may be off.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from opconform.harness.model import Array, Case, TensorType
from opconform.harness.numerics import dequantize, integer_range, is_float, spacing32
from opconform.harness.spec import Law

Outputs = tuple[tuple[Array, ...], ...]
Slack = Sequence[Sequence[Array]]


@dataclass(frozen=True, slots=True)
class Subject:
    """A case with its outputs on the runtime under test, and per vector and output what the row allows."""

    case: Case
    outputs: Outputs
    allowed: Slack
    env: Mapping[str, Any]
    kernels: Mapping[str, Callable[..., Any]]


@dataclass(frozen=True, slots=True)
class Broken:
    """Where a law does not hold: vector, index, and one line that says what was found."""

    vector: int
    index: tuple[int, ...]
    error: float
    message: str


Derive = Callable[[Subject, Any], Sequence[Case]]
Check = Callable[[Subject, Any, Sequence[Outputs]], Broken | None]


class NotApplicable(Exception):
    """The law says nothing about this case (a constant slot, a rank that is too small)."""


def evaluate(argument: Any, env: Mapping[str, Any]) -> Any:
    """Evaluate a law's argument where it is a formula."""
    from opconform.harness.expr import compile_expression

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
    return data.astype(np.float64)


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
    x64, y64 = x.astype(np.float64), y.astype(np.float64)
    same = (x == y) | (np.isnan(x64) & np.isnan(y64))
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


def _commutative(subject: Subject, argument: Any) -> Sequence[Case]:
    first, second = argument
    case = subject.case
    position = {i.tensor.name: n for n, i in enumerate(case.inputs)}
    a, b = position[first], position[second]
    order = list(range(len(case.inputs)))
    order[a], order[b] = b, a
    inputs = tuple(case.inputs[n] for n in order)
    fed = [n for n in range(len(case.inputs)) if case.inputs[n].role == "input"]
    moved = [fed.index(n) for n in order if case.inputs[n].role == "input"]
    return [replace(case, inputs=inputs, vectors=tuple(tuple(v[m] for m in moved) for v in case.vectors))]


def _same_again(subject: Subject, argument: Any, runs: Sequence[Outputs]) -> Broken | None:
    return equal(subject, subject.outputs, runs[0], "the operands swapped")


def _flip(axis: int) -> Callable[[Array], Array]:
    return lambda data: np.ascontiguousarray(np.flip(data, axis))


def _reversed_batch(subject: Subject, argument: Any) -> Sequence[Case]:
    at = fed_position(subject.case, str(argument))
    if np.ndim(subject.case.vectors[0][at]) < 1:
        raise NotApplicable("rank 0")
    return [map_fed(subject.case, str(argument), _flip(0))]


def _check_batch(subject: Subject, argument: Any, runs: Sequence[Outputs]) -> Broken | None:
    flipped = tuple(tuple(np.flip(y, 0) for y in vector) for vector in runs[0])
    return equal(subject, subject.outputs, flipped, "the batch reversed")


def _along(subject: Subject, argument: Mapping[str, Any]) -> tuple[str, int]:
    slot = str(argument["of"])
    axis = int(evaluate(argument.get("axis", -1), subject.env))
    rank = np.ndim(subject.case.vectors[0][fed_position(subject.case, slot)])
    if not -rank <= axis < rank:
        raise NotApplicable("rank")
    return slot, axis


def _permuted(subject: Subject, argument: Any) -> Sequence[Case]:
    slot, axis = _along(subject, argument)
    return [map_fed(subject.case, slot, _flip(axis))]


def _check_permuted(subject: Subject, argument: Any, runs: Sequence[Outputs]) -> Broken | None:
    slot, axis = _along(subject, argument)
    rank = np.ndim(subject.case.vectors[0][fed_position(subject.case, slot)])
    # An output of another rank does not have the axis: it must stay as it is.
    flipped = tuple(tuple(np.flip(y, axis) if y.ndim == rank else y for y in vector) for vector in runs[0])
    return equal(subject, subject.outputs, flipped, f"axis {axis} reversed")


def _no_cases(subject: Subject, argument: Any) -> Sequence[Case]:
    return []


def _sums_to_one(subject: Subject, argument: Any, runs: Sequence[Outputs]) -> Broken | None:
    at = output_position(subject.case, str(argument))
    tensor = subject.case.outputs[at]
    for vector, outputs in enumerate(subject.outputs):
        y = real(outputs[at], tensor)
        if y.size == 0 or not np.all(np.isfinite(y)):
            continue
        total = y.sum(axis=-1)
        limit = y.shape[-1] * (float(np.max(subject.allowed[vector][at])) + 2.0**-24)
        if np.any(np.abs(total - 1) > limit):
            worst = int(np.argmax(np.abs(total - 1)))
            value = float(total.reshape(-1)[worst])
            return Broken(vector, (worst,), abs(value - 1), f"a sum along the last axis is {value:.9g}, want 1")
    return None


def _snapped(subject: Subject, argument: Any) -> Sequence[Case]:
    """Snap to multiples of 2**-8 in [-64, 64], then add 1: both exact, so only the op's error remains."""
    slot = str(argument)

    def snap(data: Array) -> Array:
        return np.clip(np.round(np.nan_to_num(data) * 256) / 256, -64, 64).astype(data.dtype)

    return [
        map_fed(subject.case, slot, snap),
        map_fed(subject.case, slot, lambda data: (snap(data) + 1).astype(data.dtype)),
    ]


def _check_pair(subject: Subject, argument: Any, runs: Sequence[Outputs]) -> Broken | None:
    return equal(subject, runs[0], runs[1], "the input shifted by 1")


def _order(subject: Subject, argument: Any, runs: Sequence[Outputs]) -> Broken | None:
    slot, name = argument
    at, out = fed_position(subject.case, slot), output_position(subject.case, name)
    for vector, (fed, outputs) in enumerate(zip(subject.case.vectors, subject.outputs, strict=True)):
        x, y = fed[at].astype(np.float64), outputs[out].astype(np.float64)
        if x.size == 0 or np.ndim(x) == 0 or not np.all(np.isfinite(x)):
            continue
        order = np.argsort(x, axis=-1, kind="stable")
        steps = np.diff(np.take_along_axis(y, order, -1), axis=-1)
        rises = np.diff(np.take_along_axis(x, order, -1), axis=-1) > 0
        slack = 2 * float(np.max(subject.allowed[vector][out])) if is_float(subject.case.outputs[out].dtype) else 0.0
        if np.any(rises & (steps < -slack)):
            return Broken(vector, (), float(-steps.min()), f"a larger {slot} gives a smaller {name} in the same row")
    return None


def _raised(subject: Subject, argument: Any) -> Sequence[Case]:
    slot = argument[0]

    def raise_(data: Array) -> Array:
        if data.dtype.kind in "iu":
            _, high = integer_range(data.dtype.name)
            return np.minimum(data.astype(np.int64) + 1, high).astype(data.dtype)
        return (data + np.abs(data) / 4 + np.float32(2.0**-10)).astype(data.dtype)

    return [map_fed(subject.case, slot, raise_)]


def _check_raised(subject: Subject, argument: Any, runs: Sequence[Outputs]) -> Broken | None:
    slot, name = argument
    out = output_position(subject.case, name)
    for vector, (before, after) in enumerate(zip(subject.outputs, runs[0], strict=True)):
        low, high = before[out].astype(np.float64), after[out].astype(np.float64)
        slack = 2 * subject.allowed[vector][out] if is_float(subject.case.outputs[out].dtype) else 0.0
        fell = np.isfinite(low) & np.isfinite(high) & (high < low - slack)
        if np.any(fell):
            index = tuple(int(i) for i in np.argwhere(fell)[0])
            return Broken(
                vector, index, float((low - high)[index]), f"a larger {slot} gives a smaller {name} at {index}"
            )
    return None


def _twice(subject: Subject, argument: Any) -> Sequence[Case]:
    case, slot = subject.case, str(argument)
    at, out = fed_position(case, slot), case.outputs[0]
    tensor = [i.tensor for i in case.inputs if i.role == "input"][at]
    if tensor.shape != out.shape or tensor.dtype != out.dtype:
        raise NotApplicable("shape")
    again = replace(tensor, quant=out.quant)
    inputs = tuple(replace(i, tensor=again) if i.tensor.name == slot else i for i in case.inputs)
    vectors = tuple((*v[:at], y[0], *v[at + 1 :]) for v, y in zip(case.vectors, subject.outputs, strict=True))
    return [replace(case, inputs=inputs, vectors=vectors)]


def _check_twice(subject: Subject, argument: Any, runs: Sequence[Outputs]) -> Broken | None:
    return equal(subject, subject.outputs, runs[0], "applied twice")


def _inverse(subject: Subject, argument: Any, runs: Sequence[Outputs]) -> Broken | None:
    """Run the answer through the other op's reference: half a quantum of both sides may be lost."""
    case = subject.case
    source = next(i.tensor for i in case.inputs if i.role == "input")
    kernel = subject.kernels[str(argument)]
    steps = [max(t.quant.scale) for t in (source, case.outputs[0]) if t.quant is not None]
    for vector, (fed, outputs) in enumerate(zip(case.vectors, subject.outputs, strict=True)):
        x = real(fed[0], source)
        back = np.asarray(kernel(real(outputs[0], case.outputs[0])), dtype=np.float64)
        slack = sum(steps) / 2 * (1 + 2.0**-20) + np.max(subject.allowed[vector][0], initial=0.0)
        inside = np.isfinite(x)
        if back.shape == x.shape and np.any(np.abs(back - x)[inside] > slack + spacing32(x)[inside]):
            worst = float(np.max(np.abs(back - x)[inside]))
            return Broken(vector, (), worst, f"{argument} of the result is {worst:.4g} away from the input")
    return None


def _scaled(subject: Subject, argument: Any) -> Sequence[Case]:
    case = subject.case
    for slot in [argument] if isinstance(argument, str) else argument:
        case = map_slot(case, str(slot), lambda data: (data * 2).astype(data.dtype))
    return [case]


def _check_scaled(subject: Subject, argument: Any, runs: Sequence[Outputs]) -> Broken | None:
    with np.errstate(all="ignore"):
        doubled = tuple(tuple((y * 2).astype(y.dtype) for y in vector) for vector in subject.outputs)
    tiny = any(np.any((np.abs(y) < 1e-35) & (y != 0)) or not np.all(np.isfinite(y)) for v in runs[0] for y in v)
    return None if tiny else equal(subject, doubled, runs[0], "the input doubled, the output should double")


def _negated(subject: Subject, argument: Any) -> Sequence[Case]:
    return [map_fed(subject.case, str(argument), lambda data: (-data).astype(data.dtype))]


def _check_odd(subject: Subject, argument: Any, runs: Sequence[Outputs]) -> Broken | None:
    negated = tuple(tuple(-y for y in vector) for vector in runs[0])
    return equal(subject, subject.outputs, negated, "the input negated, the output should be")


def _check_even(subject: Subject, argument: Any, runs: Sequence[Outputs]) -> Broken | None:
    return equal(subject, subject.outputs, runs[0], "the input negated")


def _bounded(subject: Subject, argument: Any, runs: Sequence[Outputs]) -> Broken | None:
    at = output_position(subject.case, str(argument["of"]))
    tensor = subject.case.outputs[at]
    for vector, outputs in enumerate(subject.outputs):
        y = real(outputs[at], tensor)
        slack = np.max(subject.allowed[vector][at], initial=0.0)
        low = evaluate(argument["low"], subject.env) if "low" in argument else -np.inf
        high = evaluate(argument["high"], subject.env) if "high" in argument else np.inf
        outside = (y < low - slack) | (y > high + slack)
        if np.any(outside):
            index = tuple(int(i) for i in np.argwhere(outside)[0])
            return Broken(
                vector, index, np.inf, f"{tensor.name}{list(index)} = {y[index]:.9g} is outside [{low}, {high}]"
            )
    return None


def _subset(subject: Subject, argument: Any, runs: Sequence[Outputs]) -> Broken | None:
    at = output_position(subject.case, str(argument["of"]))
    slot = str(argument["from"])
    if any(i.tensor.name == slot and i.role == "constant" for i in subject.case.inputs):
        raise NotApplicable(slot)
    source = fed_position(subject.case, slot)
    for vector, (fed, outputs) in enumerate(zip(subject.case.vectors, subject.outputs, strict=True)):
        y = outputs[at]
        known = np.isin(y, fed[source]) | (np.isnan(y) if y.dtype.kind == "f" else False)
        if not np.all(known):
            index = tuple(int(i) for i in np.argwhere(~np.asarray(known))[0])
            return Broken(vector, index, np.inf, f"{y[index]} is no value of {slot}")
    return None


def _again(subject: Subject, argument: Any) -> Sequence[Case]:
    return [subject.case]


def _check_again(subject: Subject, argument: Any, runs: Sequence[Outputs]) -> Broken | None:
    for vector, (a, b) in enumerate(zip(subject.outputs, runs[0], strict=True)):
        for x, y in zip(a, b, strict=True):
            if x.tobytes() != y.tobytes():
                return Broken(vector, (), np.inf, "opened again and given the same inputs, it answers differently")
    return None


def _first_vector_again(subject: Subject, argument: Any) -> Sequence[Case]:
    """Let the first vector come again after all others: what it changed of weights or inputs shows now."""
    return [replace(subject.case, vectors=(*subject.case.vectors, subject.case.vectors[0]))]


def _check_untouched(subject: Subject, argument: Any, runs: Sequence[Outputs]) -> Broken | None:
    for x, y in zip(runs[0][0], runs[0][-1], strict=True):
        if x.tobytes() != y.tobytes():
            return Broken(0, (), np.inf, "the first vector, fed again after the others, gives another answer")
    return None


LAWS: Mapping[str, tuple[Derive, Check]] = {
    "commutative": (_commutative, _same_again),
    "batch_independent": (_reversed_batch, _check_batch),
    "permutation_equivariant": (_permuted, _check_permuted),
    "sums_to_one": (_no_cases, _sums_to_one),
    "shift_invariant": (_snapped, _check_pair),
    "order_preserving": (_no_cases, _order),
    "monotone": (_raised, _check_raised),
    "idempotent": (_twice, _check_twice),
    "inverse_of": (_no_cases, _inverse),
    "homogeneous": (_scaled, _check_scaled),
    "odd": (_negated, _check_odd),
    "even": (_negated, _check_even),
    "bounded": (_no_cases, _bounded),
    "subset_of": (_no_cases, _subset),
    "deterministic": (_again, _check_again),
    "inputs_untouched": (_first_vector_again, _check_untouched),
}


def applies(law: Law, case: Case, env: Mapping[str, Any]) -> bool:
    """Tell whether a law speaks of a case."""
    return law.clause.applies(case.row) and (law.when is None or bool(law.when(env)))


def allowed_of(
    limits: Sequence[Any], floors: Sequence[Any], kinds: Sequence[str], ideals: Sequence[Array], case: Case
) -> list[Array]:
    """Return, per output of one vector, the absolute error that the row allows (in real numbers)."""
    result = []
    for limit, floor, kind, ideal, tensor in zip(limits, floors, kinds, ideals, case.outputs, strict=True):
        match kind:
            case "ulp":
                size = limit * spacing32(ideal) + floor
            case "lsb":
                size = np.asarray((limit + 0.5) * (max(tensor.quant.scale) if tensor.quant else 1.0))
            case _:
                size = np.asarray(limit + floor)
        result.append(np.asarray(np.nan_to_num(size, nan=0.0, posinf=0.0)))
    return result
