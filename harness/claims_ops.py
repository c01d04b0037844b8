"""The number of operators that work: those of which at least one row of the spec conforms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice

from opconform.harness.claims import Evidence, NotMeasurable, Subject
from opconform.harness.compare import judge
from opconform.harness.encode import encode_case
from opconform.harness.expectations import explain
from opconform.harness.generate.cases import Built
from opconform.harness.generate.engine import TIERS, cases
from opconform.harness.isolate import Executor
from opconform.harness.model import Array, Declined, Outcome, Rejected, TimedOut
from opconform.harness.registry import claims_row
from opconform.harness.runner import expectations_of, load_oracle
from opconform.harness.spec import OpSpec
from opconform.harness.spec_load import load_all
from opconform.harness.unit import Oracle, Seat, prepare
from opconform.reports.lines import CaseLine, place
from opconform.reports.log import read

#: Legal cases of a row of which none may be wrong, and one at least must be right; and how many are asked until there
#: are so many, since some are refused, or wrong in a way that is known.
CASES, ASKED = 4, 8
SEED = 0
#: Models without an answer in time after which a runtime is asked no more.
SILENCES = 3


class Patient:
    """An executor that declines everything once the runtime gave no answer SILENCES times: waiting costs minutes."""

    def __init__(self, carrier: Executor) -> None:
        self._carrier = carrier
        self._silences = 0

    @property
    def listens(self) -> bool:
        """Tell whether the runtime is still asked."""
        return self._silences < SILENCES

    def execute(self, model: bytes, vectors: Sequence[Sequence[Array]]) -> Outcome:
        """See Executor."""
        return self._counted(self._carrier.execute(model, vectors)) if self.listens else Declined("it is asked no more")

    def run(self, vectors: Sequence[Sequence[Array]]) -> Outcome:
        """See Executor."""
        return self._counted(self._carrier.run(vectors)) if self.listens else Declined("it is asked no more")

    def renew(self) -> None:
        """See Executor."""
        self._carrier.renew()

    def close(self) -> None:
        """See Executor."""
        self._carrier.close()

    def _counted(self, outcome: Outcome) -> Outcome:
        self._silences += isinstance(outcome, TimedOut)
        return outcome


def check_ops(subject: Subject) -> Evidence:
    """Count operators by a quick run here, or by the log that `--run` names."""
    return _of_log(subject) if subject.log is not None else _of_run(subject)


def _of_run(subject: Subject) -> Evidence:
    specs, oracle = load_all(), load_oracle()
    executor = Patient(subject.connect())
    seat = Seat(subject.handle, executor, expectations_of(subject.handle))
    try:
        working = [
            op for op, spec in specs.items() if any(_works(seat, oracle, spec, row) for row in _rows(seat, spec))
        ]
    finally:
        executor.close()
    words = f"up to {CASES} of the first {ASKED} legal cases of each row of {len(specs)} specs"
    found = _evidence(working, specs, f"a quick run: {words}, seed {SEED}")
    return found if executor.listens else replace(found, why=f"stopped: {SILENCES} models got no answer; {found.why}")


def _rows(seat: Seat, spec: OpSpec) -> Sequence[str]:
    """Return the rows of an op, those first that the manifest speaks of: they are likelier to work."""
    return sorted(spec.rows, key=lambda row: not claims_row(seat.handle.manifest, spec.op, row))


def _works(seat: Seat, oracle: Oracle, spec: OpSpec, row: str) -> bool:
    generated = cases(spec, row, oracle.kernels[spec.op], TIERS["smoke"], SEED)
    legal = islice((built for built in generated if not built.case.violates), ASKED)
    judged = (passes for built in legal if (passes := _passes(seat, oracle, spec, built)) is not None)
    found = list(islice(judged, CASES))
    return bool(found) and all(found)


def _passes(seat: Seat, oracle: Oracle, spec: OpSpec, built: Built) -> bool | None:
    """Tell whether a case passes; None where it is refused, or wrong in a way that is known of the runtime."""
    outcome = seat.executor.execute(encode_case(spec, built.case), built.case.vectors)
    if isinstance(outcome, Declined | Rejected):
        return None
    handle = seat.handle
    verdict = judge(prepare(spec, built, oracle), outcome, handle.manifest.arithmetic)
    if verdict.kind == "pass":
        return True
    known = explain(seat.expectations, handle.name, handle.at, built.case, verdict.kind, verdict.clause)
    return None if known else False


def _of_log(subject: Subject) -> Evidence:
    """Count operators by a run log. Raises NotMeasurable where this runtime took no part in it."""
    assert subject.log is not None
    lines = [line for line in read(subject.log).cases if place(line.runtime, line.target) == subject.handle.label]
    if not lines:
        raise NotMeasurable(f"{subject.log} has no case of {subject.handle.label}")
    rows: dict[tuple[str, str], list[CaseLine]] = {}
    for line in lines:
        rows.setdefault((line.op, line.row), []).append(line)
    working = {op for (op, _), found in rows.items() if _conforms(found)}
    return _evidence(sorted(working), load_all(), f"the run log {subject.log}")


def _conforms(lines: Sequence[CaseLine]) -> bool:
    """Tell whether a row of a log has passing cases and nothing unexpected."""
    return any(line.verdict == "pass" for line in lines) and all(line.expected is not False for line in lines)


def _evidence(working: Sequence[str], specs: Mapping[str, OpSpec], source: str) -> Evidence:
    missing = [op for op in specs if op not in set(working)]
    shown = ", ".join(missing[:8]) + (f" and {len(missing) - 8} more" if len(missing) > 8 else "")
    return Evidence("ops", len(working), f"{len(working)}", source, f"not: {shown}" if missing else "")
