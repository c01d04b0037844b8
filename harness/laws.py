"""The named laws: each derives further cases from a judged one, and relates their outputs.

docs/spec-language.md says what each means; harness/properties.py names them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from opconform.harness.law_parts import (
    Broken,
    NotApplicable,
    Outputs,
    Subject,
    bounded_floats,
    equal,
    evaluate,
    fed_position,
    map_fed,
    map_slot,
    output_position,
    real,
    sortable,
)
from opconform.harness.model import Array, Case, TensorType
from opconform.harness.numerics import integer_range, is_float, spacing


def commutative(subject: Subject, argument: Any) -> Sequence[Case]:
    """Exchange the two operands."""
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


def same_again(subject: Subject, argument: Any, runs: Sequence[Outputs]) -> Broken | None:
    """Want the same outputs from the exchanged operands."""
    return equal(subject, subject.outputs, runs[0], "the operands swapped")


def _flip(axis: int) -> Callable[[Array], Array]:
    return lambda data: np.ascontiguousarray(np.flip(data, axis))


def reversed_batch(subject: Subject, argument: Any) -> Sequence[Case]:
    """Reverse the first axis of an input; NotApplicable at rank 0."""
    at = fed_position(subject.case, str(argument))
    if np.ndim(subject.case.vectors[0][at]) < 1:
        raise NotApplicable("rank 0")
    return [map_fed(subject.case, str(argument), _flip(0))]


def check_batch(subject: Subject, argument: Any, runs: Sequence[Outputs]) -> Broken | None:
    """Want the outputs reversed along their first axis."""
    flipped = tuple(tuple(np.flip(y, 0) for y in vector) for vector in runs[0])
    return equal(subject, subject.outputs, flipped, "the batch reversed")


def _along(subject: Subject, argument: Mapping[str, Any]) -> tuple[str, int]:
    slot = str(argument["of"])
    axis = int(evaluate(argument.get("axis", -1), subject.env))
    rank = np.ndim(subject.case.vectors[0][fed_position(subject.case, slot)])
    if not -rank <= axis < rank:
        raise NotApplicable("rank")
    return slot, axis


def permuted(subject: Subject, argument: Any) -> Sequence[Case]:
    """Reverse an input along the axis that the law names."""
    slot, axis = _along(subject, argument)
    return [map_fed(subject.case, slot, _flip(axis))]


def check_permuted(subject: Subject, argument: Any, runs: Sequence[Outputs]) -> Broken | None:
    """Want the outputs of that rank reversed along the same axis."""
    slot, axis = _along(subject, argument)
    rank = np.ndim(subject.case.vectors[0][fed_position(subject.case, slot)])
    # An output of another rank does not have the axis: it must stay as it is.
    flipped = tuple(tuple(np.flip(y, axis) if y.ndim == rank else y for y in vector) for vector in runs[0])
    return equal(subject, subject.outputs, flipped, f"axis {axis} reversed")


def no_cases(subject: Subject, argument: Any) -> Sequence[Case]:
    """Derive nothing: the law speaks of one run alone."""
    return []


def sums_to_one(subject: Subject, argument: Any, runs: Sequence[Outputs]) -> Broken | None:
    """Want sums of 1 along the last axis, within the errors that its elements may have."""
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


def snapped(subject: Subject, argument: Any) -> Sequence[Case]:
    """Snap to multiples of 2**-8 in [-64, 64], then add 1: both exact, so only the op's error remains."""
    slot = str(argument)

    def snap(data: Array) -> Array:
        return np.clip(np.round(np.nan_to_num(data) * 256) / 256, -64, 64).astype(data.dtype)

    return [
        map_fed(subject.case, slot, snap),
        map_fed(subject.case, slot, lambda data: (snap(data) + 1).astype(data.dtype)),
    ]


def check_pair(subject: Subject, argument: Any, runs: Sequence[Outputs]) -> Broken | None:
    """Want the same outputs from both derived cases."""
    return equal(subject, runs[0], runs[1], "the input shifted by 1")


def order(subject: Subject, argument: Any, runs: Sequence[Outputs]) -> Broken | None:
    """Want outputs along the last axis ordered as the inputs are."""
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


def raised(subject: Subject, argument: Any) -> Sequence[Case]:
    """Make every element of an input a little larger."""
    slot = argument[0]

    def raise_(data: Array) -> Array:
        if data.dtype.kind in "iu":
            _, high = integer_range(data.dtype.name)
            return np.minimum(data.astype(np.int64) + 1, high).astype(data.dtype)
        with np.errstate(all="ignore"):
            return (data + np.abs(data) / 4 + np.float32(2.0**-10)).astype(data.dtype)

    return [map_fed(subject.case, slot, raise_)]


def check_raised(subject: Subject, argument: Any, runs: Sequence[Outputs]) -> Broken | None:
    """Want no output smaller than before."""
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


def twice(subject: Subject, argument: Any) -> Sequence[Case]:
    """Feed the output to the op again, with the output's quantization; NotApplicable where it does not fit."""
    case, slot = subject.case, str(argument)
    at, out = fed_position(case, slot), case.outputs[0]
    tensor = [i.tensor for i in case.inputs if i.role == "input"][at]
    if tensor.shape != out.shape or tensor.dtype != out.dtype:
        raise NotApplicable("shape")
    again = replace(tensor, quant=out.quant)
    inputs = tuple(replace(i, tensor=again) if i.tensor.name == slot else i for i in case.inputs)
    vectors = tuple((*v[:at], y[0], *v[at + 1 :]) for v, y in zip(case.vectors, subject.outputs, strict=True))
    return [replace(case, inputs=inputs, vectors=vectors)]


def check_twice(subject: Subject, argument: Any, runs: Sequence[Outputs]) -> Broken | None:
    """Want the op applied to its own output to change nothing."""
    return equal(subject, subject.outputs, runs[0], "applied twice")


def inverse(subject: Subject, argument: Any, runs: Sequence[Outputs]) -> Broken | None:
    """Run the answer through another op's reference: half a quantum of both sides may be lost.

    `argument` is the op, or {op, of: slot, then: [expressions of further inputs], options: {name: expression}}.
    """
    case, rule = subject.case, argument if isinstance(argument, Mapping) else {"op": argument}
    kernel = subject.kernels[str(rule["op"])]
    fed = [i.tensor for i in case.inputs if i.role == "input"]
    of = str(rule.get("of", fed[0].name if fed else ""))
    places = [n for n, tensor in enumerate(fed) if tensor.name.partition("#")[0] == of or tensor.name == of]
    if not places:
        raise NotApplicable(of)
    then = [np.asarray(evaluate(text, subject.env)) for text in rule.get("then", ())]
    options = {name: evaluate(text, subject.env) for name, text in rule.get("options", {}).items()}
    for vector, outputs in enumerate(subject.outputs):
        answer = [real(y, tensor) for y, tensor in zip(outputs, case.outputs, strict=True)]
        back = kernel(*answer, *then, **options)
        for place, found in zip(places, back if isinstance(back, tuple) else (back,), strict=False):
            broken = _unlike(subject, vector, place, fed[place], np.asarray(found, dtype=np.float64))
            if broken is not None:
                return replace(broken, message=f"{rule['op']} of the result is {broken.message} away from the input")
    return None


def _unlike(subject: Subject, vector: int, place: int, source: TensorType, back: Array) -> Broken | None:
    x = real(subject.case.vectors[vector][place], source)
    steps = [max(t.quant.scale) for t in (source, subject.case.outputs[0]) if t.quant is not None]
    slack = sum(steps) / 2 * (1 + 2.0**-20) + np.max(subject.allowed[vector][0], initial=0.0)
    if back.shape != x.shape:
        return None
    inside = np.isfinite(x)
    off = np.abs(back[inside] - x[inside])
    if not np.any(off > slack + spacing(x[inside])):
        return None
    worst = float(np.max(off))
    return Broken(vector, (), worst, f"{worst:.4g}")


def scaled(subject: Subject, argument: Any) -> Sequence[Case]:
    """Double the named inputs."""
    case = subject.case
    for slot in [argument] if isinstance(argument, str) else argument:
        case = map_slot(case, str(slot), lambda data: (data * 2).astype(data.dtype))
    return [case]


def check_scaled(subject: Subject, argument: Any, runs: Sequence[Outputs]) -> Broken | None:
    """Want doubled outputs, where nothing is tiny or infinite."""
    with np.errstate(all="ignore"):
        doubled = tuple(tuple((y * 2).astype(y.dtype) for y in vector) for vector in subject.outputs)
    tiny = any(np.any((np.abs(y) < 1e-35) & (y != 0)) or not np.all(np.isfinite(y)) for v in runs[0] for y in v)
    return None if tiny else equal(subject, doubled, runs[0], "the input doubled, the output should double")


def negated(subject: Subject, argument: Any) -> Sequence[Case]:
    """Negate an input."""
    return [map_fed(subject.case, str(argument), lambda data: (-data).astype(data.dtype))]


def check_odd(subject: Subject, argument: Any, runs: Sequence[Outputs]) -> Broken | None:
    """Want negated outputs."""
    negated = tuple(tuple(-y for y in vector) for vector in runs[0])
    return equal(subject, subject.outputs, negated, "the input negated, the output should be")


def check_even(subject: Subject, argument: Any, runs: Sequence[Outputs]) -> Broken | None:
    """Want the same outputs."""
    return equal(subject, subject.outputs, runs[0], "the input negated")


def bounded(subject: Subject, argument: Any, runs: Sequence[Outputs]) -> Broken | None:
    """Want every output between two bounds, which may be formulas."""
    at = output_position(subject.case, str(argument["of"]))
    tensor = subject.case.outputs[at]
    for vector, outputs in enumerate(subject.outputs):
        y = real(outputs[at], tensor)
        slack = np.max(subject.allowed[vector][at], initial=0.0)
        low = evaluate(argument["low"], subject.env) if "low" in argument else -np.inf
        high = evaluate(argument["high"], subject.env) if "high" in argument else np.inf
        # Formulas see finite inputs only; whether an infinite answer is right, the comparison with the reference says.
        outside = np.isfinite(y) & ((y < low - slack) | (y > high + slack))
        if np.any(outside):
            index = tuple(int(i) for i in np.argwhere(outside)[0])
            return Broken(
                vector, index, np.inf, f"{tensor.name}{list(index)} = {y[index]:.9g} is outside [{low}, {high}]"
            )
    return None


def subset(subject: Subject, argument: Any, runs: Sequence[Outputs]) -> Broken | None:
    """Want every output value to be one of the input's."""
    at = output_position(subject.case, str(argument["of"]))
    slot = str(argument["from"])
    if any(i.tensor.name == slot and i.role == "constant" for i in subject.case.inputs):
        raise NotApplicable(slot)
    source = fed_position(subject.case, slot)
    for vector, (fed, outputs) in enumerate(zip(subject.case.vectors, subject.outputs, strict=True)):
        y, x = sortable(outputs[at]), sortable(fed[source])
        known = np.isin(bounded_floats(y), bounded_floats(x))
        known |= np.isnan(y) if y.dtype.kind == "f" else False
        if not np.all(known):
            index = tuple(int(i) for i in np.argwhere(~np.asarray(known))[0])
            return Broken(vector, index, np.inf, f"{y[index]} is no value of {slot}")
    return None


def again(subject: Subject, argument: Any) -> Sequence[Case]:
    """Run the very same case once more."""
    return [subject.case]


def check_again(subject: Subject, argument: Any, runs: Sequence[Outputs]) -> Broken | None:
    """Want the same bytes."""
    for vector, (a, b) in enumerate(zip(subject.outputs, runs[0], strict=True)):
        for x, y in zip(a, b, strict=True):
            if x.tobytes() != y.tobytes():
                return Broken(vector, (), np.inf, "opened again and given the same inputs, it answers differently")
    return None


def first_vector_again(subject: Subject, argument: Any) -> Sequence[Case]:
    """Let the first vector come again after all others: what it changed of weights or inputs shows now."""
    return [replace(subject.case, vectors=(*subject.case.vectors, subject.case.vectors[0]))]


def check_untouched(subject: Subject, argument: Any, runs: Sequence[Outputs]) -> Broken | None:
    """Want the same bytes for the first vector before and after all others."""
    for x, y in zip(runs[0][0], runs[0][-1], strict=True):
        if x.tobytes() != y.tobytes():
            return Broken(0, (), np.inf, "the first vector, fed again after the others, gives another answer")
    return None
