"""One whole model on one runtime: how good its answers are, and which operator is wrong where they are.

Each operator is judged by its own spec on what the runtime itself fed it with, so that no bound for a whole model is
needed: the model is run once more with its inner tensors as outputs, on the examples whose answer is farthest from the
reference's and on all whose class differs. Accuracy is then below the reference's only by what the specs allow.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from opconform.harness.compare import Judge, judge, unanswered
from opconform.harness.expectations import Expectation, explain
from opconform.harness.expr import ExpressionError
from opconform.harness.flatread import ModelView
from opconform.harness.generate.cases import ReferenceMismatch
from opconform.harness.generate.source import Discard
from opconform.harness.isolate import Executor
from opconform.harness.limits import LimitError, declared_limit
from opconform.harness.model import DTYPES, Array, Case, Declined, Outcome, Produced, Verdict
from opconform.harness.models_graph import Step, Values, case_of, fed_to, in_parts, judge_of
from opconform.harness.registry import Handle
from opconform.harness.unit import Oracle, Seat, claims
from opconform.harness.wholemodel import Difference, answers, difference, miscounted
from opconform.targets.boards import target_names

Outputs = Sequence[tuple[Array, ...]]

#: Examples whose operators are judged one by one, besides those whose class is another than the reference's.
LOOKED_INTO, LOOKED_INTO_ON_BOARDS = 4, 1
#: Of those with another class: where more of them differ, the first show the operator.
MOST_LOOKED_INTO = 32


@dataclass(frozen=True, slots=True)
class Subject:
    """A model with what every runtime is asked, and what is right: the reference's tensors, or why it has none."""

    name: str
    view: ModelView
    steps: tuple[Step, ...]
    vectors: tuple[tuple[Array, ...], ...]
    labels: Array | None
    right: Values | str
    floating: Array | None = None  # classes that the reference gives the float32 model's answers

    def outputs(self, count: int) -> Outputs | None:
        """Return the reference's first answers in the dtypes of the model."""
        if isinstance(self.right, str):
            return None
        dtypes = [DTYPES[self.view.tensors[i].dtype][0] for i in self.view.outputs]
        columns = [self.right[i] for i in self.view.outputs]
        return [tuple(c[n].astype(d) for c, d in zip(columns, dtypes, strict=True)) for n in range(count)]


@dataclass(frozen=True, slots=True)
class Scores:
    """How good the answers to some examples are; None is not known."""

    examples: int
    correct: int | None = None
    reference_correct: int | None = None
    same_class: int | None = None
    float_class: int | None = None
    gap: Difference | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of a model on a runtime; `operator` is the first that is wrong, `expected` as in the run log."""

    verdict: Verdict
    expected: bool | str
    scores: Scores
    operator: str = ""
    known: Expectation | None = None
    meters: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0


def on_board(handle: Handle) -> bool:
    """Tell whether a runtime executes on a board, which is emulated here and slow."""
    return handle.at in target_names()


def classes(outputs: Outputs) -> Array:
    """Return the class of each answer: where its first output is largest, -1 where that has no elements."""
    return np.array([int(np.argmax(answer[0])) if answer[0].size else -1 for answer in outputs])


def not_supported(subject: Subject, seat: Seat) -> str:
    """Return why a runtime's manifest says that it does not run a model, or ""."""
    for step in subject.steps:
        if step.spec is None or step.why:
            continue
        if not claims(seat, step.spec.op, step.row):
            return f"{step.label} is not claimed"
        if why := _limit(seat, case_of(step, ())):
            return f"{step.label}: {why}"
    return ""


def _limit(seat: Seat, case: Case) -> str:
    try:
        limit = declared_limit(seat.handle.manifest, case)
    except LimitError:
        return ""  # it speaks of draws of the generator, which a file does not tell
    return limit.why if limit is not None else ""


def examine(subject: Subject, seat: Seat, oracle: Oracle, examples: int) -> Finding:
    """Run a model on a runtime with its first examples, and judge it."""
    vectors = subject.vectors[:examples]
    if why := not_supported(subject, seat):
        return Finding(Verdict("declined", message=why), why, Scores(0))
    started = time.perf_counter()
    outcome = answers(seat.executor, subject.view, subject.view.data, vectors)
    seconds = time.perf_counter() - started
    if not isinstance(outcome, Produced):
        return _without_answer(subject, outcome, seat)
    scores = score(subject, outcome.outputs)
    verdict, step, known = judge_operators(subject, seat, oracle, outcome.outputs)
    expected = True if verdict.kind == "pass" else known.because if known else False
    return Finding(verdict, expected, scores, step.label if step else "", known, outcome.meters, seconds)


def _without_answer(subject: Subject, outcome: Outcome, seat: Seat) -> Finding:
    """Say what it means that a model is not answered; a deviation that is known of one of its operators explains it."""
    verdict, why = unanswered(outcome), ""
    if isinstance(outcome, Declined):
        why = outcome.why if outcome.no_memory else "" if seat.handle.manifest.rows else "declares no rows"
    explained = ((step, _known(seat, case_of(step, ()), verdict)) for step in subject.steps if not step.why)
    step, known = next(((step, known) for step, known in explained if known), (None, None))
    if why or known is None or step is None:
        return Finding(verdict, why or False, Scores(0))
    return Finding(verdict, known.because, Scores(0), step.label, known)


def _known(seat: Seat, case: Case, verdict: Verdict) -> Expectation | None:
    return explain(seat.expectations, seat.handle.name, seat.handle.at, case, verdict.kind, verdict.clause)


def score(subject: Subject, outputs: Outputs) -> Scores:
    """Count right classes and compare with the reference."""
    count, right = len(outputs), subject.outputs(len(outputs))
    gap = None if right is None else difference(right, outputs)
    if subject.labels is None or miscounted(outputs, len(subject.view.outputs)):
        return Scores(count, gap=gap)
    found, labels = classes(outputs), subject.labels[:count]
    wanted = None if right is None else classes(right)
    return Scores(
        count,
        correct=int(np.sum(found == labels)),
        reference_correct=None if wanted is None else int(np.sum(wanted == labels)),
        same_class=None if wanted is None else int(np.sum(found == wanted)),
        float_class=None if subject.floating is None else int(np.sum(found == subject.floating[:count])),
        gap=gap,
    )


def judge_operators(
    subject: Subject, seat: Seat, oracle: Oracle, outputs: Outputs
) -> tuple[Verdict, Step | None, Expectation | None]:
    """Judge the operators on the examples that say most; return the first deviation, unknown ones before known."""
    if text := miscounted(outputs, len(subject.view.outputs)):
        return Verdict("wrong-shape", message=text), None, None
    if text := _misplaced(subject, outputs):
        return Verdict("wrong-value", message=text), None, None
    chosen = doubtful(subject, outputs, LOOKED_INTO_ON_BOARDS if on_board(seat.handle) else LOOKED_INTO)
    vectors = [subject.vectors[n] for n in chosen]
    inner = inner_values(seat.executor, subject, vectors)
    if isinstance(inner, Verdict):
        return inner, None, None
    if not isinstance(inner, Mapping):
        return _by_outputs(subject, outputs, inner), None, None
    first: tuple[Verdict, Step | None, Expectation | None] = Verdict("pass"), None, None
    for step in subject.steps:
        verdict, case = judge_step(step, oracle, inner, seat.handle.manifest.arithmetic)
        if verdict.kind == "pass" or case is None:
            continue
        known = _known(seat, case, verdict)
        if known is None:
            return verdict, step, None
        first = first if first[1] else (verdict, step, known)
    if changing := _unsteady(subject, seat.executor, vectors, [outputs[n] for n in chosen], inner):
        text = f"the output of {changing.label} is another one when no other inner tensor is kept"
        return Verdict("wrong-value", message=text), changing, None
    return first


def _misplaced(subject: Subject, outputs: Outputs) -> str:
    """Say which output that no operator gives, an input or a constant, is another one than that, else ""."""
    made = {i for step in subject.steps for i in step.operation.outputs}
    right = subject.outputs(len(outputs))
    for n, index in enumerate(subject.view.outputs):
        if right is None or index in made:
            continue
        if any(difference([(want[n],)], [(got[n],)]).worst for want, got in zip(right, outputs, strict=True)):
            return f"output {n} is tensor {index}, which no operator changes, and it has other values"
    return ""


def doubtful(subject: Subject, outputs: Outputs, least: int) -> list[int]:
    """Return the examples whose answers are farthest from the reference's, and all whose class differs from its."""
    right = subject.outputs(len(outputs))
    if right is None:
        return list(range(min(least, len(outputs))))
    gaps = [difference([a], [b]).worst for a, b in zip(right, outputs, strict=True)]
    farthest = sorted(range(len(outputs)), key=lambda n: -gaps[n])[:least]
    other = np.flatnonzero(classes(right) != classes(outputs)) if subject.labels is not None else ()
    return sorted({*farthest, *(int(n) for n in other[:MOST_LOOKED_INTO])})


def inner_values(
    executor: Executor, subject: Subject, vectors: Sequence[tuple[Array, ...]]
) -> Values | Outcome | Verdict:
    """Return every tensor that a runtime computes, or what came instead; a verdict where their number is wrong.

    All are asked for at once, and where that fails (a board has no memory for all) operator by operator.
    """
    view = subject.view
    fed = {i: [vector[n] for vector in vectors] for n, i in enumerate(view.inputs)}
    made = (i for step in subject.steps for i in step.operation.outputs)
    every = tuple(dict.fromkeys((*made, *(i for i in view.outputs if i not in fed))))
    found = _exposed(executor, view, every, vectors)
    if isinstance(found, Mapping):
        return fed | dict(found)
    if isinstance(found, Verdict):
        return found
    values: dict[int, Sequence[Array]] = dict(fed)
    for step in subject.steps:
        wanted = tuple(i for i in (*step.fed, *step.operation.outputs) if i not in values)
        found = _exposed(executor, view, wanted, vectors) if wanted else {}
        if not isinstance(found, Mapping):
            return found
        values |= found
    return values


def _exposed(
    executor: Executor, view: ModelView, tensors: Sequence[int], vectors: Sequence[tuple[Array, ...]]
) -> Values | Outcome | Verdict:
    outcome = answers(executor, view, view.exposing(tensors), vectors)
    if not isinstance(outcome, Produced):
        return outcome
    if text := miscounted(outcome.outputs, len(tensors)):
        return Verdict("wrong-shape", message=f"with inner tensors as outputs: {text}")
    return {index: [answer[n] for answer in outcome.outputs] for n, index in enumerate(tensors)}


def judge_step(step: Step, oracle: Oracle, values: Values, arithmetic: str) -> tuple[Verdict, Case | None]:
    """Judge one operator on what it was fed with and gave; an operator that cannot be judged passes without a case."""
    if step.why:
        return Verdict("pass"), None
    gave = [tuple(answer) for answer in zip(*(values[i] for i in step.operation.outputs), strict=True)]
    parts = zip(in_parts(step, fed_to(step, values)), in_parts(step, gave), strict=True)
    case: Case | None = None
    for vectors, outputs in parts:
        try:
            right = judge_of(step, oracle, vectors)
        except (ExpressionError, ReferenceMismatch, Discard):
            return Verdict("pass"), None
        verdict, case = judge(right, Produced(tuple(outputs)), arithmetic), right.case
        if verdict.kind != "pass" and not (verdict.kind == "wrong-value" and _as_defined(right, outputs)):
            return verdict, case
    return Verdict("pass"), case


def _as_defined(right: Judge, outputs: Outputs) -> bool:
    """Tell whether outputs are those of the integer definition, bit for bit.

    A bound against the float64 reference holds within a spec's domain, where nothing inside an op overflows or
    saturates. A file may leave it; what the op then gives is said by the integer definition alone.
    """
    if right.exact is None:
        return False
    pairs = zip(right.exact, outputs, strict=True)
    return all(np.array_equal(a, b) for want, got in pairs for a, b in zip(want, got, strict=True))


def _by_outputs(subject: Subject, outputs: Outputs, outcome: Outcome) -> Verdict:
    """Judge a runtime that shows no inner tensors by its answers: by their class, or by every number without classes.

    A pass says how little it rests on. Numbers beside the classes are not judged: what several operators may be off by
    together, no spec says.
    """
    right = subject.outputs(len(outputs))
    hidden = f"its inner tensors cannot be seen: {unanswered(outcome).message}"
    if right is None:
        return Verdict("pass", message=f"not judged: the reference cannot run it, and {hidden}")
    gap = difference(right, outputs)
    if gap.unit == "shape":
        return Verdict("wrong-shape", message=f"shapes or dtypes differ from the reference's, and {hidden}")
    if gap.matters and (subject.labels is None or not np.isfinite(gap.worst)):
        return Verdict("wrong-value", message=f"{gap.worst:.3g} {gap.unit} from the reference, and {hidden}")
    if subject.labels is not None and not np.array_equal(classes(right), classes(outputs)):
        return Verdict("wrong-value", message=f"classes differ from the reference's, and {hidden}")
    return Verdict("pass", message=f"judged by {'outputs' if subject.labels is None else 'class'} only: {hidden}")


def _unsteady(
    subject: Subject, executor: Executor, vectors: Sequence[tuple[Array, ...]], outputs: Outputs, inner: Values
) -> Step | None:
    """Return the first operator whose output changes when other inner tensors are no outputs of the model.

    A runtime that lets an operator overwrite what another one still reads shows it only so.
    """
    last = [tuple(inner[i][n] for i in subject.view.outputs) for n in range(len(outputs))]
    if not difference(last, outputs).matters:
        return None
    for step in subject.steps:
        alone = _exposed(executor, subject.view, step.operation.outputs, vectors)
        if isinstance(alone, Mapping) and _differ(alone, inner, step.operation.outputs):
            return step
    return subject.steps[-1]


def _differ(a: Values, b: Values, tensors: Sequence[int]) -> bool:
    return any(difference([(x,)], [(y,)]).matters for i in tensors for x, y in zip(a[i], b[i], strict=True))
