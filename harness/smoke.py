"""Tests of an adapter itself, not of its kernels: a handful of tiny models with answers known by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.harness.isolate import Executor, Limits, connect
from opconform.harness.model import (
    Array,
    Crashed,
    Declined,
    Infra,
    Lost,
    Outcome,
    Produced,
    Quant,
    Rejected,
    TimedOut,
)
from opconform.harness.registry import Handle
from opconform.harness.runtime import RuntimeFailure

_UNKNOWN_CODE = 4000


@dataclass(frozen=True, slots=True)
class Check:
    """One property of an adapter; `message` says in one line what was found where it fails, or why it was skipped."""

    name: str
    passed: bool
    message: str = ""


@dataclass(frozen=True, slots=True)
class Tiny:
    """A model of one op with one vector, and the output that follows from the op's definition."""

    name: str
    model: bytes
    vector: tuple[Array, ...]
    want: Array


def smoke(handle: Handle, limits: Limits | None = None) -> list[Check]:
    """Check that the adapter answers, refuses, recovers and forgets as the contract asks.

    Never raises for what the runtime does. Where the first model does not run right, checks that need right
    answers are left out.
    """
    try:
        executor = connect(handle, limits or Limits(run=5.0))
    except RuntimeFailure as error:
        return [Check("starts", False, str(error))]
    try:
        return _checks(executor)
    finally:
        executor.close()


def lines(handle: Handle, checks: Sequence[Check]) -> list[str]:
    """Return one line per check."""
    return [
        f"{'ok  ' if check.passed else 'FAIL'} {handle.label} {check.name}"
        + (f": {check.message}" if check.message else "")
        for check in checks
    ]


def _checks(executor: Executor) -> list[Check]:
    tiny, outcome = _first_taken(executor)
    match outcome:
        case Infra(detail):
            return [Check("starts", False, detail)]
        case Declined(why):
            return [Check("starts", True), Check("runs a model of one op", False, f"took none of {_names()}: {why}")]
    first = right(f"runs {tiny.name}", tiny, outcome)
    others = (*_REFUSALS, *_ANSWERS) if first.passed else _REFUSALS
    return [Check("starts", True), first, *(check(executor, tiny) for check in others)]


def _names() -> str:
    return ", ".join(tiny.name for tiny in tinies())


def _first_taken(executor: Executor) -> tuple[Tiny, Outcome]:
    for tiny in tinies():
        outcome = executor.execute(tiny.model, [tiny.vector])
        if not isinstance(outcome, Declined):
            return tiny, outcome
    return tiny, outcome


def right(name: str, tiny: Tiny, outcome: Outcome, vectors: int = 1) -> Check:
    """Judge an outcome that must hold `tiny.want` for each of `vectors` vectors, bit for bit."""
    if not isinstance(outcome, Produced):
        return Check(name, False, f"want outputs, got {say(outcome)}")
    for index, outputs in enumerate(outcome.outputs):
        if len(outputs) != 1:
            return Check(name, False, f"vector {index}: {len(outputs)} outputs, the model has 1")
        found = outputs[0]
        if (found.dtype, found.shape) != (tiny.want.dtype, tiny.want.shape):
            want = f"{tiny.want.dtype} {list(tiny.want.shape)}"
            return Check(name, False, f"vector {index}: {found.dtype} {list(found.shape)}, want {want}")
        if not np.array_equal(found, tiny.want):
            return Check(name, False, f"vector {index}: {found.tolist()}, want {tiny.want.tolist()}")
    answered = len(outcome.outputs)
    return Check(name, answered == vectors, "" if answered == vectors else f"{answered} of {vectors} vectors answered")


def say(outcome: Outcome) -> str:
    """Return an outcome in a few words."""
    match outcome:
        case Produced():
            return "outputs"
        case Declined(why):
            return f"declined: {why}"
        case Rejected(why):
            return f"rejected: {why}"
        case Crashed(detail):
            return f"a crash: {detail}"
        case TimedOut(seconds):
            return f"no answer within {seconds:g} s"
        case Lost(detail):
            return f"a loss in transport: {detail}"
        case Infra(detail):
            return f"no valid answer: {detail}"


def _refused(name: str, outcome: Outcome, remedy: str) -> Check:
    if isinstance(outcome, Declined | Rejected):
        empty = not outcome.why.strip()
        return Check(name, not empty, "gave no reason; put one line into the exception" if empty else "")
    return Check(name, False, f"want declined or rejected, got {say(outcome)}; {remedy}")


def _unknown_op(executor: Executor, tiny: Tiny) -> Check:
    model = _add_float(code=_UNKNOWN_CODE).model
    return _refused("refuses an unknown operator", executor.execute(model, []), "raise Unsupported in open")


def _truncated(executor: Executor, tiny: Tiny) -> Check:
    name, remedy = "refuses a truncated model", "verify the file and raise InvalidModel in open"
    found = [_refused(name, executor.execute(tiny.model[:size], []), remedy) for size in (0, 7, len(tiny.model) // 2)]
    return next((check for check in found if not check.passed), found[0])


def _wrong_count(executor: Executor, tiny: Tiny) -> Check:
    vector = (*tiny.vector, tiny.vector[0])
    outcome = executor.execute(tiny.model, [vector])
    return _refused("refuses a wrong number of inputs", outcome, "raise InvalidModel in run")


def _wrong_size(executor: Executor, tiny: Tiny) -> Check:
    vector = tuple(array[:-1] for array in tiny.vector)
    outcome = executor.execute(tiny.model, [vector])
    return _refused("refuses inputs of a wrong size", outcome, "raise InvalidModel in run")


def _wrong_dtype(executor: Executor, tiny: Tiny) -> Check:
    vector = tuple(array.astype(np.int64) for array in tiny.vector)
    outcome = executor.execute(tiny.model, [vector])
    return _refused("refuses inputs of a wrong dtype", outcome, "raise InvalidModel in run")


def _goes_on(executor: Executor, tiny: Tiny) -> Check:
    name = "goes on after refusals, twice in a row"
    for _ in range(2):
        check = right(name, tiny, executor.execute(tiny.model, [tiny.vector]))
        if not check.passed:
            return check
    return Check(name, True)


def _repeats(executor: Executor, tiny: Tiny) -> Check:
    outcome = executor.execute(tiny.model, [tiny.vector] * 100)
    return right("gives the same answer to 100 equal vectors", tiny, outcome, 100)


def _second_run(executor: Executor, tiny: Tiny) -> Check:
    executor.execute(tiny.model, [tiny.vector])
    return right("keeps a model open", tiny, executor.run([tiny.vector]))


def _state_reset(executor: Executor, tiny: Tiny) -> Check:
    name, model = "forgets state when a model is opened again", _svdf()
    push, nothing = (np.full((1, 1), 3, np.float32),), (np.zeros((1, 1), np.float32),)
    first = executor.execute(model, [push, push])
    again = executor.execute(model, [nothing])
    if not isinstance(first, Produced) or not isinstance(again, Produced):
        wanted = isinstance(first, Declined | Rejected) and isinstance(again, Declined | Rejected)
        return Check(name, wanted, f"{'skipped, ' if wanted else ''}SVDF/float32 was {say(first)}")
    values = [float(outputs[0].ravel()[0]) for outputs in (*first.outputs, *again.outputs)]
    if values != [3.0, 6.0, 0.0]:
        return Check(name, False, f"SVDF gave {values[:2]}, opened again {values[2:]}, want [3.0, 6.0] and [0.0]")
    return Check(name, True)


_REFUSALS: tuple[Callable[[Executor, Tiny], Check], ...] = (
    _unknown_op,
    _truncated,
    _wrong_count,
    _wrong_size,
    _wrong_dtype,
)
_ANSWERS: tuple[Callable[[Executor, Tiny], Check], ...] = (_goes_on, _repeats, _second_run, _state_reset)


def tinies() -> tuple[Tiny, ...]:
    """Return ADD and ABS of float32, and ADD of int8."""
    return _add_float(), _abs_float(), _add_int8()


def _one_op(op: str, dtype: str, inputs: int, quant: Quant | None = None, code: int | None = None) -> bytes:
    tensors = tuple(TensorDef(name, dtype, (2, 3), quant=quant) for name in "abc"[:inputs] + "y")
    slots = tuple(range(inputs))
    graph = Graph(tensors, (Node(op, slots, (inputs,), {}, code=code),), slots, (inputs,))
    return write_model([graph])


def _add_float(code: int | None = None) -> Tiny:
    a = np.arange(6, dtype=np.float32).reshape(2, 3)
    b = np.full((2, 3), 0.5, np.float32)
    return Tiny("ADD/float32", _one_op("ADD", "float32", 2, code=code), (a, b), a + b)


def _abs_float() -> Tiny:
    a = np.arange(-3, 3, dtype=np.float32).reshape(2, 3)
    return Tiny("ABS/float32", _one_op("ABS", "float32", 1), (a,), np.abs(a))


def _add_int8() -> Tiny:
    """With one scale and zero point 0 everywhere, quantized addition is integer addition."""
    a = np.arange(6, dtype=np.int8).reshape(2, 3)
    b = np.full((2, 3), -7, np.int8)
    return Tiny("ADD/int8", _one_op("ADD", "int8", 2, Quant((0.5,), (0,))), (a, b), a + b)


def _svdf() -> bytes:
    """One filter with memory 2 and weights 1: the output is this input plus the one before."""
    one, ones = np.ones((1, 1), np.float32), np.ones((1, 2), np.float32)
    tensors = (
        TensorDef("x", "float32", (1, 1)),
        TensorDef("feature", "float32", (1, 1), one),
        TensorDef("time", "float32", (1, 2), ones),
        TensorDef("bias", "float32", (1,), np.zeros(1, np.float32)),
        TensorDef("state", "float32", (1, 2), variable=True),
        TensorDef("y", "float32", (1, 1)),
    )
    node = Node("SVDF", (0, 1, 2, 3, 4), (5,), {"rank": 1})
    return write_model([Graph(tensors, (node,), (0,), (5,))])
