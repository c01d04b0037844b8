"""Run one row of one op on every runtime: cases, laws, replays of known deviations, shrinking."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import numpy as np

from opconform.harness import coverage, events
from opconform.harness.compare import Judge, judge, make_judge, tolerance_of, unanswered
from opconform.harness.encode import encode_case
from opconform.harness.events import Line
from opconform.harness.exact import diagnose, promised_family, run_twin
from opconform.harness.expectations import Expectation, explain
from opconform.harness.fit import smaller_that_fits
from opconform.harness.generate.build import rebuild
from opconform.harness.generate.cases import Built
from opconform.harness.generate.codec import BadCaseId
from opconform.harness.generate.engine import Tier, cases, first_case, sparing
from opconform.harness.isolate import Executor
from opconform.harness.limits import LimitError, declared_limit
from opconform.harness.model import Case, Lost, Outcome, Produced, Verdict
from opconform.harness.numerics import FAMILIES
from opconform.harness.properties import LAWS, Broken, NotApplicable, Subject, allowed_of, applies
from opconform.harness.registry import Handle, claims_row
from opconform.harness.shrink import shrink
from opconform.harness.spec import Clause, Law, OpSpec

#: Runs of the runtime under test that shrinking one new failure may cost.
SHRINK_RUNS = 80
#: Cases of a row that a runtime may leave unanswered before the rest is not asked: each costs a deadline.
MOST_TIMEOUTS = 3
#: Lines on which runtimes differ, per row: the first few say it all.
MOST_AGREEMENTS = 3

UNIVERSAL = tuple(
    Law(Clause(label, "law", 1, name), name, None)
    for label, name in (("LD", "deterministic"), ("LU", "inputs_untouched"))
)


@dataclass(frozen=True, slots=True)
class Oracle:
    """The reference: float64 kernels and integer twins by op."""

    kernels: Mapping[str, Callable[..., Any]]
    twins: Mapping[str, Callable[..., Any]]


@dataclass(frozen=True, slots=True)
class Seat:
    """A runtime that takes part in a run."""

    handle: Handle
    executor: Executor
    expectations: tuple[Expectation, ...]

    @property
    def label(self) -> str:
        """Return name@target."""
        return self.handle.label


@dataclass(slots=True)
class Tally:
    """What a unit gathers while it runs."""

    lines: list[Line] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    laws: Counter[tuple[str, str]] = field(default_factory=Counter)
    seen: set[tuple[str, str, str, bool]] = field(default_factory=set)  # label, verdict, clause, whether it is known
    timeouts: Counter[str] = field(default_factory=Counter)  # cases without an answer, but known ones, by label
    agreements: int = 0


def prepare(spec: OpSpec, built: Built, oracle: Oracle) -> Judge:
    """Evaluate limits and the integer definition of a case once, for all runtimes."""
    kernel, case = oracle.kernels[spec.op], built.case
    if case.violates:
        return Judge(spec, built, (), (), (), None)
    family, twin = promised_family(spec, case.row), oracle.twins.get(spec.op)
    exact = run_twin(case, twin, FAMILIES[family]) if family and twin is not None else None
    return make_judge(spec, built, kernel, exact)


def run_unit(spec: OpSpec, row: str, seats: Sequence[Seat], oracle: Oracle, tier: Tier, seed: int) -> list[Line]:
    """Return the log lines of one row."""
    tally = Tally()
    claiming = [seat for seat in seats if claims(seat, spec.op, row)]
    if len(claiming) < len(seats):
        probe(spec, row, [seat for seat in seats if not claims(seat, spec.op, row)], oracle, seed, tally)
    for share, vectors in ((tier, "all"), (sparing(spec, row, tier), "least")):
        some = [seat for seat in claiming if seat.handle.manifest.vectors == vectors]
        for built in cases(spec, row, oracle.kernels[spec.op], share, seed) if some else ():
            run_case(spec, built, _answering(some, tally), oracle, share, tally)
    for seat in _answering(claiming, tally):
        replay_known(spec, row, seat, oracle, tally)
    owed = any(seat.handle.manifest.rows for seat in claiming)
    tally.lines.append(dict(coverage.coverage_line(spec, row, tally.counts, owed)))
    return tally.lines


def _answering(seats: Sequence[Seat], tally: Tally) -> list[Seat]:
    """Return the runtimes that may be asked further cases of a row."""
    return [seat for seat in seats if tally.timeouts[seat.label] < MOST_TIMEOUTS]


def probe(spec: OpSpec, row: str, seats: Sequence[Seat], oracle: Oracle, seed: int, tally: Tally) -> None:
    """Tell of runtimes that do not claim a row whether they pass its first case, with one vector, nevertheless."""
    built = first_case(spec, row, oracle.kernels[spec.op], seed)
    if built is None:
        return
    for seat in seats:
        why = limit_of(seat, built.case)
        if not why:
            outcome = seat.executor.execute(encode_case(spec, built.case), built.case.vectors)
            passes = isinstance(outcome, Produced) and _passes(spec, built, outcome, seat, oracle)
            why = "passes without being claimed" if passes else "not claimed"
        tally.lines.append(_line(seat, built.case, Verdict("declined", message=why), why, None, 0.0))


def _passes(spec: OpSpec, built: Built, outcome: Outcome, seat: Seat, oracle: Oracle) -> bool:
    return judge(prepare(spec, built, oracle), outcome, seat.handle.manifest.arithmetic).kind == "pass"


def run_case(spec: OpSpec, built: Built, seats: Sequence[Seat], oracle: Oracle, tier: Tier, tally: Tally) -> None:
    """Run one case on every seat and write its lines; it counts as covered where a runtime was judged by it."""
    judged = prepare(spec, built, oracle)
    model = encode_case(spec, built.case)
    outcomes: dict[str, Outcome] = {}
    ran = False
    for seat in seats:
        if limit := limit_of(seat, built.case):
            tally.lines.append(_line(seat, built.case, Verdict("declined", message=limit), limit, None, 0.0))
            continue
        started = time.perf_counter()
        outcome = seat.executor.execute(model, built.case.vectors)
        seconds = time.perf_counter() - started
        if small := smaller_that_fits(spec, built.case, oracle.kernels[spec.op], outcome, seat.executor):
            why = f"{seat.handle.at} has no memory for it; {small.case.id} runs instead"
            line = _line(seat, built.case, Verdict("declined", message=why), why, outcome, seconds)
            tally.lines.append(line | {"instead": small.case.id})
            run_case(spec, small, [seat], oracle, tier, tally)
            continue
        outcomes[seat.label] = outcome
        spare(seat, built.case, outcome)
        verdict = judge(judged, outcome, seat.handle.manifest.arithmetic)
        ran |= verdict.kind not in coverage.NOT_RUN
        record(spec, seat, judged, model, outcome, verdict, seconds, oracle, tally)
        if verdict.kind == "pass" and not built.case.violates and isinstance(outcome, Produced):
            run_laws(spec, seat, judged, model, outcome, oracle, tier, tally)
    if ran:
        tally.counts.update(coverage.exercised(spec, built.case))
    if not built.case.violates:
        note_agreement(built.case, outcomes, tally)


def spare(seat: Seat, case: Case, outcome: Outcome) -> None:
    """Give the next case a fresh worker after one that ran a broken model: its memory is no longer to be trusted."""
    if case.violates and isinstance(outcome, Produced):
        seat.executor.renew()


def limit_of(seat: Seat, case: Case) -> str:
    """Return why the manifest takes a case out, or ""."""
    try:
        limit = declared_limit(seat.handle.manifest, case)
    except LimitError:
        if case.violates:
            return ""  # what was broken may be the very thing that the limit speaks of
        raise
    return limit.why if limit is not None else ""


def claims(seat: Seat, op: str, row: str) -> bool:
    """Tell whether a runtime is to be tested on a row; one that declares no rows is tried on all."""
    return not seat.handle.manifest.rows or claims_row(seat.handle.manifest, op, row)


def record(
    spec: OpSpec,
    seat: Seat,
    judged: Judge,
    model: bytes,
    outcome: Outcome,
    verdict: Verdict,
    seconds: float,
    oracle: Oracle,
    tally: Tally,
) -> None:
    """Write the line of a case, and a counterexample for the first failure of its kind."""
    case = judged.case
    if verdict.kind == "declined" and not seat.handle.manifest.rows:
        tally.lines.append(_line(seat, case, verdict, "declares no rows", outcome, seconds))
        return
    known = _known(seat, case, verdict)
    tally.lines.append(_line(seat, case, verdict, _expected(verdict, known), outcome, seconds) | _named(known))
    tally.timeouts[seat.label] += verdict.kind == "timeout" and known is None
    if tally.timeouts[seat.label] == MOST_TIMEOUTS:
        text = f"{seat.label}: {MOST_TIMEOUTS} cases were not answered in time; it is asked no more of this row"
        tally.lines.append({"kind": "note", "op": case.op, "row": case.row, "message": text})
    key = (seat.label, verdict.kind, verdict.clause, known is not None)
    if verdict.kind == "pass" or key in tally.seen:
        return
    tally.seen.add(key)
    tally.lines.append(_failure(spec, seat, judged, model, outcome, verdict, known, oracle))


def _known(seat: Seat, case: Case, verdict: Verdict) -> Expectation | None:
    if verdict.kind == "pass":
        return None
    return explain(seat.expectations, seat.handle.name, seat.handle.at, case, verdict.kind, verdict.clause)


def _expected(verdict: Verdict, known: Expectation | None) -> bool | str:
    if verdict.kind == "pass":
        return True
    return known.because if known is not None else False


def _named(known: Expectation | None) -> Line:
    return {"expectation": known.where} if known is not None else {}


def _line(
    seat: Seat, case: Case, verdict: Verdict, expected: bool | str, outcome: Outcome | None, seconds: float
) -> Line:
    return events.case_line(case, seat.handle.name, seat.handle.at, verdict, expected, outcome, seconds)


def _failure(
    spec: OpSpec,
    seat: Seat,
    judged: Judge,
    model: bytes,
    outcome: Outcome,
    verdict: Verdict,
    known: Expectation | None,
    oracle: Oracle,
) -> Line:
    """Shrink a new failure and describe it; known ones, and those that cost a deadline a run, stay as they are."""
    original = judged.case.id
    small, small_verdict = judged, verdict
    if known is None and verdict.kind not in ("infra", "timeout"):
        small, small_verdict, outcome, model = _shrink(spec, seat, judged, verdict, oracle)
    line = _line(seat, small.case, small_verdict, _expected(verdict, known), outcome, 0.0)
    twin = oracle.twins.get(spec.op)
    rounding = None
    if (
        twin
        and isinstance(outcome, Produced)
        and small_verdict.kind == "wrong-value"
        and promised_family(spec, small.case.row)
    ):
        rounding = {name: events.number(share) for name, share in diagnose(small.case, twin, outcome.outputs).items()}
    extra = {"original": original, "rounding": rounding, **_reproduced(seat, small.case, model, known)}
    return events.failure_line(line, small, outcome, small_verdict, extra)


def _reproduced(seat: Seat, case: Case, model: bytes, known: Expectation | None) -> Line:
    """Return how to see a failure again, and what is known of it."""
    return {
        "replay": f"opconform replay {case.id} --runtime {seat.handle.argument}",
        "model": events.model_text(model),
        "because": known.because if known else "",
        "issue": known.issue if known else "",
    }


def _shrink(
    spec: OpSpec, seat: Seat, judged: Judge, verdict: Verdict, oracle: Oracle
) -> tuple[Judge, Verdict, Outcome, bytes]:
    arithmetic = seat.handle.manifest.arithmetic

    def check(built: Built) -> Verdict | None:
        if limit_of(seat, built.case):
            return None
        outcome = seat.executor.execute(encode_case(spec, built.case), built.case.vectors)
        spare(seat, built.case, outcome)
        return judge(prepare(spec, built, oracle), outcome, arithmetic)

    shrunk = shrink(spec, judged.built, verdict, oracle.kernels[spec.op], check, SHRINK_RUNS)
    best = prepare(spec, shrunk.built, oracle)
    model = encode_case(spec, shrunk.built.case)
    outcome = seat.executor.execute(model, shrunk.built.case.vectors)
    spare(seat, shrunk.built.case, outcome)
    return best, judge(best, outcome, arithmetic), outcome, model


def run_laws(
    spec: OpSpec,
    seat: Seat,
    judged: Judge,
    model: bytes,
    outcome: Produced,
    oracle: Oracle,
    tier: Tier,
    tally: Tally,
) -> None:
    """Try every law that speaks of the case, each on so many cases of a row as the tier says."""
    case = judged.case
    if case.classes == ("exhaustive",):
        return
    slack = cache(partial(_allowed, judged))
    for law in (*spec.laws, *UNIVERSAL):
        if tally.laws[seat.label, law.clause.label] >= tier.laws or not applies(law, case, judged.built.env):
            continue
        if spec.stateful and law.name == "inputs_untouched":
            continue  # an answer that depends on what came before is what state means
        try:
            subject = Subject(case, outcome.outputs, slack, judged.built.env, oracle.kernels)
            broken = _try_law(spec, seat, law, subject, model)
        except NotApplicable:
            continue
        tally.laws[seat.label, law.clause.label] += 1
        tally.counts[law.clause.label] += 1
        _record_law(spec, seat, judged, law, broken, tally)


def _allowed(judged: Judge) -> list[list[Any]]:
    case = judged.case
    kinds = [tolerance_of(judged.spec, case.row, t.name).kind for t in case.outputs]
    parts = zip(judged.limits, judged.floors, judged.built.ideals, strict=True)
    return [allowed_of(limits, floors, kinds, ideals, case) for limits, floors, ideals in parts]


def _try_law(spec: OpSpec, seat: Seat, law: Law, subject: Subject, model: bytes) -> Broken | None:
    derive, check = LAWS[law.name]
    runs = []
    for derived in derive(subject, law.argument):
        # Most laws change only what is fed: the model is then the very same.
        same = derived.inputs is subject.case.inputs and derived.attributes is subject.case.attributes
        outcome = seat.executor.execute(model if same else encode_case(spec, derived), derived.vectors)
        if isinstance(outcome, Lost):
            raise NotApplicable  # it never reached the runtime: that says nothing of the law
        if not isinstance(outcome, Produced):
            missed = unanswered(outcome)
            return Broken(-1, (), np.inf, f"the derived case is not answered: {missed.message}", missed.kind)
        runs.append(outcome.outputs)
    return check(subject, law.argument, runs)


def _record_law(spec: OpSpec, seat: Seat, judged: Judge, law: Law, broken: Broken | None, tally: Tally) -> None:
    label = law.clause.label
    if broken is None:
        verdict = Verdict("pass", label)
    else:
        where = f"{spec.file}:{law.clause.line} {label}" if law.clause.line > 1 else "every op"
        text = f"law {law.name} ({where}) does not hold: {broken.message}"
        verdict = Verdict(broken.kind, label, broken.error, 0.0, "law", text, broken.vector, broken.index)
    known = _known(seat, judged.case, verdict)
    line = _line(seat, judged.case, verdict, _expected(verdict, known), None, 0.0) | _named(known) | {"law": law.name}
    tally.lines.append(line)
    key = (seat.label, verdict.kind, label, known is not None)
    if verdict.kind != "pass" and key not in tally.seen:
        tally.seen.add(key)
        model = encode_case(spec, judged.case)
        told = {"law": law.name, "original": judged.case.id, "rounding": None}
        extra = told | _reproduced(seat, judged.case, model, known)
        tally.lines.append(
            events.failure_line(line, judged, seat.executor.execute(model, judged.case.vectors), verdict, extra)
        )


def note_agreement(case: Case, outcomes: Mapping[str, Outcome], tally: Tally) -> None:
    """Write who differs from whom, for the first few cases of a row."""
    if tally.agreements < MOST_AGREEMENTS and (line := events.agreement_line(case, outcomes)) is not None:
        tally.agreements += 1
        tally.lines.append(line)


def replay_known(spec: OpSpec, row: str, seat: Seat, oracle: Oracle, tally: Tally) -> None:
    """Run the examples of known deviations: one that passes now is a surprise that fails the run."""
    for entry in seat.expectations:
        if not entry.example or not entry.covers(seat.handle.name, seat.handle.at, spec.op, row):
            continue
        if entry.example.split("/")[:2] != [spec.op, row]:
            continue
        try:
            built = rebuild(entry.example, {spec.op: spec}, oracle.kernels)
        except BadCaseId as error:
            text = f"{entry.where}: {error}"
            tally.lines.append({"kind": "note", "op": spec.op, "row": row, "message": text, "stale": entry.where})
            continue
        judged, model = prepare(spec, built, oracle), encode_case(spec, built.case)
        outcome = seat.executor.execute(model, built.case.vectors)
        spare(seat, built.case, outcome)
        verdict = judge(judged, outcome, seat.handle.manifest.arithmetic)
        if verdict.kind == "pass" and entry.sometimes:
            continue
        if verdict.kind == "pass":
            text = f"{entry.where} expects {'/'.join(entry.expect)} here, but it passes; remove the expectation"
            tally.lines.append(_line(seat, built.case, Verdict("pass", message=text), False, outcome, 0.0))
        else:
            record(spec, seat, judged, model, outcome, verdict, 0.0, oracle, tally)
