"""One case by its id on several runtimes: its verdict, and all that a reader needs to see why."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from opconform.harness import events
from opconform.harness.compare import Judge, judge
from opconform.harness.encode import encode_case
from opconform.harness.exact import diagnose
from opconform.harness.expectations import explain
from opconform.harness.generate.build import rebuild
from opconform.harness.generate.engine import TIERS
from opconform.harness.isolate import connect
from opconform.harness.model import Array, Case, Outcome, Produced, Verdict
from opconform.harness.registry import Handle
from opconform.harness.runner import expectations_of, load_oracle
from opconform.harness.spec import OpSpec
from opconform.harness.unit import Oracle, Seat, Tally, claims, limit_of, prepare, run_laws


@dataclass(frozen=True, slots=True)
class Answer:
    """What one runtime made of the case; `because` is the reason why a deviation is known, or ""."""

    label: str
    outcome: Outcome | None  # None: not run, a limit of its manifest takes the case out
    verdict: Verdict
    because: str
    rounding: Mapping[str, float]

    @property
    def expected(self) -> bool:
        """Tell whether the case passed or deviates as known."""
        return self.verdict.kind == "pass" or bool(self.because)


@dataclass(frozen=True, slots=True)
class Replay:
    """A case with its model, what is right, and one answer per runtime."""

    judged: Judge
    model: bytes
    answers: tuple[Answer, ...]

    @property
    def case(self) -> Case:
        """Return the case."""
        return self.judged.case

    @property
    def vector(self) -> int:
        """Return the vector to show: that of the first failure, else the first."""
        return next((a.verdict.vector for a in self.answers if a.verdict.kind != "pass" and a.verdict.vector >= 0), 0)


def replay(case_id: str, handles: Sequence[Handle], specs: Mapping[str, OpSpec]) -> Replay:
    """Rebuild a case and run it on every runtime.

    Raises BadCaseId, and Unavailable for a runtime that cannot run here.
    """
    oracle = load_oracle()
    built = rebuild(case_id, specs, oracle.kernels)
    spec = specs[built.case.op]
    judged, model = prepare(spec, built, oracle), encode_case(spec, built.case)
    return Replay(judged, model, tuple(_answer(spec, handle, judged, model, oracle) for handle in handles))


def _answer(spec: OpSpec, handle: Handle, judged: Judge, model: bytes, oracle: Oracle) -> Answer:
    with closing(connect(handle)) as executor:
        seat = Seat(handle, executor, expectations_of(handle))
        if limit := limit_of(seat, judged.case):
            return Answer(handle.label, None, Verdict("declined", message=limit), limit, {})
        outcome = executor.execute(model, judged.case.vectors)
        verdict = judge(judged, outcome, handle.manifest.arithmetic)
        if verdict.kind == "pass" and isinstance(outcome, Produced) and not judged.case.violates:
            verdict = _law_verdict(spec, seat, judged, model, outcome, oracle) or verdict
        return Answer(
            handle.label, outcome, verdict, _because(seat, judged.case, verdict), _rounding(judged, outcome, oracle)
        )


def _law_verdict(
    spec: OpSpec, seat: Seat, judged: Judge, model: bytes, outcome: Produced, oracle: Oracle
) -> Verdict | None:
    """Return the verdict of the first law that does not hold."""
    tally = Tally()
    run_laws(spec, seat, judged, model, outcome, oracle, TIERS["nightly"], tally)
    broken = (line for line in tally.lines if line["kind"] == "case" and line["verdict"] != "pass")
    line = next(broken, None)
    return Verdict(line["verdict"], line["clause"], message=line["message"]) if line else None


def _because(seat: Seat, case: Case, verdict: Verdict) -> str:
    if verdict.kind == "pass":
        return ""
    if not claims(seat, case.op, case.row):
        return f"its manifest does not claim {case.op}/{case.row}"
    known = explain(seat.expectations, seat.handle.name, seat.handle.at, case, verdict.kind, verdict.clause)
    return known.because if known else ""


def _rounding(judged: Judge, outcome: Outcome, oracle: Oracle) -> Mapping[str, float]:
    twin = oracle.twins.get(judged.case.op)
    if judged.exact is None or twin is None or not isinstance(outcome, Produced):
        return {}
    return diagnose(judged.case, twin, outcome.outputs)


def describe(found: Replay) -> Iterator[str]:
    """Yield the lines that `opconform replay` prints."""
    case, at = found.case, found.vector
    attributes = " ".join(f"{name}={events.plain(value)}" for name, value in case.attributes.items())
    yield f"{case.id}  {attributes}".rstrip()
    if case.violates:
        clause = next(c for c in found.judged.spec.clauses if c.label == case.violates)
        yield f"breaks {found.judged.spec.file}:{clause.line} {clause.label}: {clause.why}"
    if len(case.vectors) > 1:
        yield f"vector {at} of {len(case.vectors)}"
    yield from _inputs(case, at)
    for position, wanted in enumerate(found.judged.wanted[at] if found.judged.wanted else ()):
        yield f"want {_tensor(case.outputs[position])}: {_numbers(wanted)}"
    for answer in found.answers:
        yield from _answer_lines(found, answer, at)


def _inputs(case: Case, at: int) -> Iterator[str]:
    fed = iter(case.vectors[at] if case.vectors else ())
    for slot in case.inputs:
        data = next(fed, None) if slot.role == "input" else slot.data
        note = "" if slot.role == "input" else f" ({slot.role})"
        yield f"{_tensor(slot.tensor)}{note}" + (f": {_numbers(data)}" if data is not None else "")


def _tensor(tensor: Any) -> str:
    quant = tensor.quant
    scales = ", ".join(f"{s:.9g}" for s in quant.scale[:4]) + (" ..." if len(quant.scale) > 4 else "") if quant else ""
    real = f" = ({scales}) * (q - {quant.zero_point[0]})" if quant else ""
    return f"{tensor.name} {tensor.dtype}{list(tensor.shape)}{real}"


def _numbers(data: Array) -> str:
    text = np.array2string(
        np.asarray(data), separator=" ", threshold=256, edgeitems=8, max_line_width=10**6, precision=9
    )
    return re.sub(r"(?<=\[) +", "", re.sub(r"\s+", " ", text))


def _answer_lines(found: Replay, answer: Answer, at: int) -> Iterator[str]:
    verdict = answer.verdict
    margin = f" ({verdict.error:.4g} {verdict.unit}, {verdict.limit:.4g} allowed)" if verdict.unit else ""
    known = f"; known: {answer.because}" if answer.because else ""
    yield f"{answer.label}: {verdict.kind}" + (f": {verdict.message}" if verdict.message else margin) + known
    if isinstance(answer.outcome, Produced) and at < len(answer.outcome.outputs):
        wanted = found.judged.wanted[at] if found.judged.wanted else [None] * len(found.case.outputs)
        for tensor, got, want in zip(found.case.outputs, answer.outcome.outputs[at], wanted, strict=False):
            same = want is not None and np.array_equal(got, want)
            yield f"  got {tensor.name}: {'just that' if same else _numbers(got)}"
    if answer.rounding:
        yield "  rounding: " + ", ".join(f"{name} {share:.1%}" for name, share in answer.rounding.items())


def save(found: Replay, folder: Path) -> list[Path]:
    """Write model.tflite, inputs.npz and case.json; OSError where that is impossible.

    inputs.npz holds the shown vector under the names of the model's inputs, and where there are more vectors
    each of them under NAME.NUMBER.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / name for name in ("model.tflite", "inputs.npz", "case.json")]
    paths[0].write_bytes(found.model)
    with paths[1].open("wb") as file:
        np.savez(file, **_arrays(found))  # type: ignore[arg-type]
    paths[2].write_text(json.dumps(document(found), indent=1) + "\n", encoding="utf-8")
    return paths


def _arrays(found: Replay) -> dict[str, Array]:
    names = [slot.tensor.name for slot in found.case.inputs if slot.role == "input"]
    vectors = found.case.vectors
    shown = dict(zip(names, vectors[found.vector], strict=False)) if vectors else {}
    if len(vectors) < 2:
        return shown
    every = {f"{name}.{n}": data for n, vector in enumerate(vectors) for name, data in zip(names, vector, strict=False)}
    return shown | every


def document(found: Replay) -> dict[str, Any]:
    """Return a replay as an object for JSON."""
    case = found.case
    return {
        "case": case.id,
        "violates": case.violates,
        "attributes": {name: events.plain(value) for name, value in case.attributes.items()},
        "symbols": {name: events.plain(value) for name, value in case.symbols.items()},
        "vector": found.vector,
        "vectors": len(case.vectors),
        "want": [[events.plain(v) for v in np.asarray(w).ravel().tolist()] for w in _wanted(found)],
        "answers": [_answer_document(found, answer) for answer in found.answers],
    }


def _wanted(found: Replay) -> Sequence[Array]:
    return found.judged.wanted[found.vector] if found.judged.wanted else ()


def _answer_document(found: Replay, answer: Answer) -> dict[str, Any]:
    verdict, got = answer.verdict, None
    if isinstance(answer.outcome, Produced) and found.vector < len(answer.outcome.outputs):
        got = [[events.plain(v) for v in np.asarray(y).ravel().tolist()] for y in answer.outcome.outputs[found.vector]]
    return {
        "runtime": answer.label,
        "verdict": verdict.kind,
        "clause": verdict.clause,
        "message": verdict.message,
        "error": events.number(verdict.error),
        "limit": events.number(verdict.limit),
        "unit": verdict.unit,
        "index": list(verdict.index),
        "known": answer.because,
        "rounding": {name: events.number(share) for name, share in answer.rounding.items()},
        "got": got,
    }
