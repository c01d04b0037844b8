"""Outcome + case -> verdict, by a closed list of comparators (docs/tolerances.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from opconform.harness.distribution import judge_distribution
from opconform.harness.expr_functions import SlotView
from opconform.harness.generate.cases import Built, real_value
from opconform.harness.model import (
    DTYPES,
    Array,
    Case,
    Crashed,
    Declined,
    Infra,
    Lost,
    Outcome,
    Produced,
    Rejected,
    TensorType,
    TimedOut,
    Verdict,
)
from opconform.harness.numerics import epsilon, is_integer, largest, parts_of, quantize, spacing
from opconform.harness.spec import OpSpec, Tolerance
from opconform.harness.spread import spread_of

Kernel = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Judge:
    """Everything that judging one built case needs, computed once for all runtimes.

    `wanted` holds, per vector and output, what is right (integers quantized); `exact` the
    integer definition's result where the row has one, else None.
    """

    spec: OpSpec
    built: Built
    limits: tuple[tuple[Any, ...], ...]
    floors: tuple[tuple[Any, ...], ...]
    wanted: tuple[tuple[Array, ...], ...]
    exact: tuple[tuple[Array, ...], ...] | None

    @property
    def case(self) -> Case:
        """Return the case that is judged."""
        return self.built.case


@lru_cache(maxsize=1024)
def tolerance_of(spec: OpSpec, row: str, output: str) -> Tolerance:
    """Return the rule of one output of a row."""
    rules = spec.tolerance[row]
    return next(rule for rule in rules if rule.output in ("", output))


def make_judge(spec: OpSpec, built: Built, kernel: Kernel, exact: tuple[tuple[Array, ...], ...] | None) -> Judge:
    """Evaluate the row's limits for every vector, and quantize the reference's results."""
    case = built.case
    rules = [tolerance_of(spec, case.row, t.name) for t in case.outputs]
    limits, floors, wanted = [], [], []
    fed = {slot.tensor.name for slot in case.inputs if slot.role == "input"}
    sees_values = any(part and part.names & fed for rule in rules for part in (rule.limit, rule.floor))
    spreads = {id(rule): spread_of(built, rule, kernel) for rule in rules if rule.kind == "spread"}
    settled = not sees_values and all(rule.kind not in ("bound", "spread") for rule in rules)
    for index, vector in enumerate(case.vectors):
        if not (settled and index):  # else every vector has what the first one has
            env = _vector_env(built, vector) if sees_values else built.env
            limit = tuple(
                spreads[id(rule)][index][o] if rule.kind == "spread" else _limit(rule, env, built, vector, kernel, o)
                for o, rule in enumerate(rules)
            )
            floor = tuple(float(rule.floor(env)) if rule.floor else 0.0 for rule in rules)
        limits.append(limit)
        floors.append(floor)
        wanted.append(tuple(wanted_in(i, t) for i, t in zip(built.ideals[index], case.outputs, strict=True)))
    return Judge(spec, built, tuple(limits), tuple(floors), tuple(wanted), exact)


def _vector_env(built: Built, vector: Sequence[Array]) -> Mapping[str, Any]:
    """Let expressions see the values of just this vector."""
    env = dict(built.env)
    fed = iter(vector)
    for slot in built.case.inputs:
        if slot.role == "input":
            view, data = env.get(slot.tensor.name), next(fed)
            if isinstance(view, SlotView):
                env[slot.tensor.name] = view.with_values(real_value(data, slot.tensor))
    return env


def wanted_in(ideal: Array, tensor: TensorType) -> Array:
    """Return the right answer in the output's dtype (float64 for floats: not rounded)."""
    if tensor.quant is not None and is_integer(tensor.dtype):
        return quantize(ideal, tensor.quant, tensor.dtype)
    if is_integer(tensor.dtype):
        return ideal.astype(np.int64).astype(DTYPES[tensor.dtype][0]).astype(np.int64)
    if tensor.dtype in ("bool", "string"):
        return ideal.astype(DTYPES[tensor.dtype][0])
    return ideal.astype(np.complex128 if tensor.dtype == "complex64" else np.float64)


def _limit(
    rule: Tolerance, env: Mapping[str, Any], built: Built, vector: Sequence[Array], kernel: Kernel, output: int
) -> Any:
    """Return what a rule allows for one vector: a number, or an array for `bound`."""
    if rule.limit is None:
        return 0.0
    limit = rule.limit(env)
    if rule.kind != "bound":
        return float(limit)
    return float(limit) * epsilon(built.case.outputs[output].dtype) * magnitude(built.case, vector, kernel)[output]


def magnitude(case: Case, vector: Sequence[Array], kernel: Kernel) -> tuple[Array, ...]:
    """Return the op applied to absolute inputs, without its activation: the size of what was added up."""
    fed = iter(vector)
    arguments: list[Array | None] = []
    for slot in [slot for slot in case.inputs if slot.role != "intermediate"]:
        data = next(fed) if slot.role == "input" else slot.data
        if slot.role == "variable":
            data = np.zeros(slot.tensor.shape)
        keep = data is not None and data.dtype.kind in "ib" and slot.tensor.quant is None
        real = None if data is None else real_value(data, slot.tensor)
        arguments.append(real if keep or real is None else np.abs(real))
    attributes = {k: "NONE" if k == "activation" else v for k, v in case.attributes.items()}
    with np.errstate(all="ignore"):
        produced = kernel(*arguments, **attributes)
    parts = produced if isinstance(produced, tuple) else (produced,)
    return tuple(np.abs(np.asarray(p, dtype=np.float64)) for p in parts)


def judge(judge_: Judge, outcome: Outcome, arithmetic: str = "unspecified") -> Verdict:
    """Say what an outcome means for a case; `arithmetic` is the family the runtime promises."""
    case = judge_.case
    if case.violates:
        return _judge_invalid(case, outcome)
    if isinstance(outcome, Produced):
        return _judge_values(judge_, outcome.outputs, arithmetic)
    return unanswered(outcome)


def unanswered(outcome: Outcome) -> Verdict:
    """Say what it means that a legal model is not answered."""
    match outcome:
        case Produced():
            return Verdict("pass")
        case Declined(why=why):
            return Verdict("declined", message=why)
        case Rejected(why=why):
            return Verdict("rejects-valid", message=f"a legal model is refused: {why}")
        case Crashed(detail=detail):
            return Verdict("crash", message=detail)
        case TimedOut(seconds=seconds):
            return Verdict("timeout", message=f"no answer within {seconds:g} s")
        case Lost(detail=detail):
            return Verdict("lost-in-transport", message=detail)
        case Infra(detail=detail):
            return Verdict("infra", message=detail)


def _judge_invalid(case: Case, outcome: Outcome) -> Verdict:
    match outcome:
        case Rejected() | Declined():
            return Verdict("pass", clause=case.violates)
        case Produced():
            text = f"a model that breaks {case.violates} is accepted; it must be refused with an error"
            return Verdict("accepts-invalid", clause=case.violates, message=text)
        case Crashed(detail=detail):
            return Verdict("crash", clause=case.violates, message=f"breaking {case.violates} crashes it: {detail}")
        case TimedOut(seconds=seconds):
            return Verdict("timeout", clause=case.violates, message=f"no answer within {seconds:g} s")
        case Lost(detail=detail):
            return Verdict("lost-in-transport", clause=case.violates, message=detail)
        case Infra(detail=detail):
            return Verdict("infra", message=detail)


def _judge_values(judge_: Judge, outputs: Sequence[Sequence[Array]], arithmetic: str) -> Verdict:
    """Compare every vector; the first wrong shape or dtype decides, else the worst value."""
    worst = Verdict("pass")
    histogram: dict[int, int] = {}
    for index, produced in enumerate(outputs):
        for output, tensor in enumerate(judge_.case.outputs):
            found = structural(judge_, index, output, produced)
            if found is not None:
                return found
            verdict = _compare(judge_, index, output, tensor, np.asarray(produced[output]), arithmetic)
            for quanta, count in verdict.histogram.items():
                histogram[quanta] = histogram.get(quanta, 0) + count
            worst = _worse(worst, verdict)
    for output, tensor in enumerate(judge_.case.outputs):
        rule = tolerance_of(judge_.spec, judge_.case.row, tensor.name)
        if rule.kind == "distribution":
            samples = [np.asarray(produced[output]) for produced in outputs]
            worst = _worse(worst, judge_distribution(rule, judge_.spec, samples, _logits(judge_.case, rule.of)))
    return _with_histogram(worst, histogram)


def _logits(case: Case, slot_name: str) -> list[Array]:
    """Return what a slot holds at each invocation; nothing where no slot is named."""
    names = [slot.tensor.name for slot in case.inputs if slot.role == "input"]
    stored = next((slot.data for slot in case.inputs if slot.tensor.name == slot_name and slot.data is not None), None)
    if stored is not None:
        return [stored for _ in case.vectors]
    return [vector[names.index(slot_name)] for vector in case.vectors] if slot_name else []


def _with_histogram(verdict: Verdict, histogram: Mapping[int, int]) -> Verdict:
    return replace(verdict, histogram=dict(sorted(histogram.items())))


def _worse(a: Verdict, b: Verdict) -> Verdict:
    """Prefer a failure, then the larger share of its limit."""
    if (a.kind == "pass") != (b.kind == "pass"):
        return b if a.kind == "pass" else a
    return b if _share(b) > _share(a) or not a.unit else a


def _share(verdict: Verdict) -> float:
    if verdict.error == 0:
        return 0.0
    return verdict.error / verdict.limit if verdict.limit > 0 else float("inf")


def structural(judge_: Judge, index: int, output: int, produced: Sequence[Array]) -> Verdict | None:
    """Check number, dtype and shape of the outputs."""
    case, tensor = judge_.case, judge_.case.outputs[output]
    if len(produced) != len(case.outputs):
        text = f"{len(produced)} outputs, want {len(case.outputs)}"
        return Verdict("wrong-shape", message=text, vector=index)
    value = np.asarray(produced[output])
    if value.dtype != DTYPES[tensor.dtype][0]:
        text = f"{tensor.name} is {value.dtype}, want {tensor.dtype}"
        return Verdict("wrong-dtype", message=text, vector=index, output=output)
    shape = judge_.wanted[index][output].shape
    if value.shape != shape:
        text = f"{tensor.name} has shape {list(value.shape)}, want {list(shape)}"
        return Verdict("wrong-shape", message=text, vector=index, output=output)
    return None


def _compare(judge_: Judge, index: int, output: int, tensor: TensorType, got: Array, arithmetic: str) -> Verdict:
    rule = tolerance_of(judge_.spec, judge_.case.row, tensor.name)
    want = judge_.wanted[index][output]
    if want.size == 0 or rule.kind == "distribution":
        return Verdict("pass")
    if tensor.dtype == "string":
        wrong = (got != want).astype(np.float64)
        return _verdict(judge_, rule, index, output, wrong, 0.0, "exact", got, want, {})
    if tensor.dtype == "bool" or is_integer(tensor.dtype):
        return _compare_integers(judge_, rule, index, output, got, want, arithmetic)
    if tensor.dtype == "complex64":  # each part by itself: the last index is 0 for the real and 1 for the imaginary
        got, want = parts_of(got), parts_of(want)
    return _compare_floats(judge_, rule, index, output, got, want)


def _compare_integers(
    judge_: Judge, rule: Tolerance, index: int, output: int, got: Array, want: Array, arithmetic: str
) -> Verdict:
    if got.dtype.kind == "b":  # as bytes: a runtime may write others than 0 and 1, and the number says what it wrote
        got, want = np.ascontiguousarray(got).view(np.uint8), want.view(np.uint8)
    limit = float(judge_.limits[index][output])
    unit = "lsb" if rule.kind in ("lsb", "spread") else "exact"
    if limit >= 0 and _equal(got, want):  # nearly always: what follows is for the rest
        histogram = {0: got.size}
        verdict = Verdict("pass", rule.clause.label, 0.0, limit, unit, "", index, (0,) * got.ndim, output, histogram)
    else:
        difference = got.astype(np.int64) - want.astype(np.int64)
        quanta, counts = np.unique(np.clip(difference, -99, 99), return_counts=True)
        histogram = {int(q): int(c) for q, c in zip(quanta, counts, strict=True)}
        verdict = _verdict(judge_, rule, index, output, np.abs(difference), limit, unit, got, want, histogram)
    promised = rule.family and (arithmetic == rule.family or limit == 0)
    if verdict.kind != "pass" or not promised or judge_.exact is None:
        return verdict
    exact = judge_.exact[index][output]
    if _equal(got, exact):
        return verdict
    off = np.abs(got.astype(np.int64) - exact)
    return _verdict(judge_, rule, index, output, off, 0.0, f"exact:{rule.family}", got, exact, histogram)


def _equal(a: Array, b: Array) -> bool:
    """Return what numpy.array_equal does, in half the time: it is asked of every vector."""
    return a.shape == b.shape and bool((a == b).all())


def float_errors(got: Array, want: Array, allowed: Array, dtype: str = "float32") -> Array:
    """Return |got - want| with the special values' rules applied: 0 where right, inf where wrong.

    NaN wants NaN; an infinity wants the same infinity; beyond the largest number of the dtype an
    infinity of the right sign is allowed, and so is the largest number itself.
    """
    most = largest(dtype)
    with np.errstate(all="ignore"):  # a signalling NaN makes even a conversion complain
        got64 = got.astype(np.float64)
        error = np.abs(got64 - want)
    both_nan = np.isnan(got64) & np.isnan(want)
    overflow = np.abs(want) + allowed > most
    overflowed = overflow & (np.sign(got64) == np.sign(want)) & (np.abs(got64) >= most * (1 - 16 * epsilon(dtype)))
    same = both_nan | (got64 == want) | overflowed
    error = np.where(same, 0.0, error)
    return np.where(np.isnan(error), np.inf, error)


def _compare_floats(judge_: Judge, rule: Tolerance, index: int, output: int, got: Array, want: Array) -> Verdict:
    limit, floor = judge_.limits[index][output], judge_.floors[index][output]
    most, unit = (float(limit), "ulp") if rule.kind == "ulp" and not floor else (1.0, "of bound")
    if most >= 0 and not rule.signed_zero and _equal(got, want):  # copies, selections: nothing to measure
        return Verdict("pass", rule.clause.label, 0.0, most, unit, "", index, (0,) * got.ndim, output)
    dtype = judge_.case.outputs[output].dtype
    unit_size = spacing(want, dtype) if rule.kind == "ulp" else np.ones_like(want)
    allowed = limit * unit_size + floor
    if not np.isfinite(allowed).all():
        allowed = np.nan_to_num(allowed, nan=0.0, posinf=largest(dtype))
    error = float_errors(got, want, allowed, dtype)
    if rule.signed_zero:
        error = np.where((want == 0) & (np.signbit(got) != np.signbit(want)), np.inf, error)
    if unit == "ulp":
        return _verdict(judge_, rule, index, output, error / unit_size, most, unit, got, want, {})
    with np.errstate(all="ignore"):
        share = np.where(error == 0, 0.0, error / allowed)
    return _verdict(judge_, rule, index, output, share, most, unit, got, want, {})


def _verdict(
    judge_: Judge,
    rule: Tolerance,
    index: int,
    output: int,
    error: Array,
    limit: float,
    unit: str,
    got: Array,
    want: Array,
    histogram: Mapping[int, int],
) -> Verdict:
    """Turn elementwise errors into a verdict that names the worst element."""
    flat = int(np.argmax(error))
    worst = float(error.reshape(-1)[flat])
    where = tuple(int(i) for i in np.unravel_index(flat, got.shape))
    kind = "pass" if worst <= limit else "wrong-value"
    message = ""
    if kind != "pass":
        name = judge_.case.outputs[output].name
        message = (
            f"{name}[{','.join(map(str, where))}] = {_show(got.reshape(-1)[flat])}, "
            f"want {_show(want.reshape(-1)[flat])} ({worst:.4g} {unit}, {limit:.4g} allowed by "
            f"{judge_.spec.file}:{rule.clause.line} {rule.clause.label})"
        )
    return Verdict(kind, rule.clause.label, worst, limit, unit, message, index, where, output, dict(histogram))


def _show(value: Any) -> str:
    return f"{value:.9g}" if isinstance(value, float | np.floating) else str(value)
