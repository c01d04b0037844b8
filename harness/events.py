"""Lines of the run log from judged cases (docs/run-log.md says what each key means)."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from opconform.harness.compare import Judge
from opconform.harness.model import Array, Case, Outcome, Produced, Verdict
from opconform.harness.numerics import numbers
from opconform.harness.spec import OpSpec

Line = dict[str, Any]
MOST_NUMBERS = 256


def number(value: float) -> float | str:
    """Return a number that JSON can carry: infinities and NaN become text."""
    return float(f"{value:.6g}") if math.isfinite(value) else str(value)


def plain(value: Any) -> Any:
    """Turn symbols and attributes into what JSON holds."""
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return number(value)
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value if isinstance(value, int | str | bool | None) else repr(value)


def case_line(
    case: Case,
    runtime: str,
    target: str,
    verdict: Verdict,
    expected: bool | str,
    outcome: Outcome | None,
    seconds: float,
) -> Line:
    """Return the line of one opened model on one runtime."""
    meters = dict(outcome.meters) if isinstance(outcome, Produced) else {}
    return {
        "kind": "case",
        "case": case.id,
        "op": case.op,
        "row": case.row,
        "runtime": runtime,
        "target": target,
        "verdict": verdict.kind,
        "expected": expected,
        "clause": verdict.clause,
        "error": number(verdict.error),
        "limit": number(verdict.limit),
        "unit": verdict.unit,
        "cases": len(case.vectors),
        "seconds": round(seconds, 6),
        "meters": meters,
        "histogram": {str(k): v for k, v in verdict.histogram.items()},
        "attributes": {k: plain(v) for k, v in case.attributes.items()},
        "shapes": {t.name: list(t.shape) for t in (*(i.tensor for i in case.inputs), *case.outputs)},
        "class": case.classes[0] if case.classes else "",
        "message": verdict.message,
    }


def failure_line(line: Line, judge: Judge, outcome: Outcome, verdict: Verdict, extra: Mapping[str, Any]) -> Line:
    """Return the line of a counterexample: the case line and everything a reader needs to see it."""
    case = judge.case
    at = max(verdict.vector, 0)
    want, got = None, None
    if isinstance(outcome, Produced) and judge.wanted and at < len(outcome.outputs):
        produced = outcome.outputs[at]
        if verdict.output < len(produced):
            got = _numbers(np.asarray(produced[verdict.output]), verdict.index)
        want = _numbers(_wanted(judge, verdict, at), verdict.index)
    return {
        **line,
        "kind": "failure",
        "inputs": _inputs(case, at),
        "want": want,
        "got": got,
        "index": list(verdict.index),
        "outputs": [_described(t) for t in case.outputs],
        **extra,
    }


def _wanted(judge: Judge, verdict: Verdict, at: int) -> Array:
    exact = judge.exact if verdict.unit.startswith("exact:") and judge.exact is not None else judge.wanted
    return exact[at][verdict.output]


def _numbers(data: Array, index: Sequence[int]) -> list[Any]:
    """Return the elements, or those around the worst one where there are too many."""
    flat = data.reshape(-1)
    if flat.dtype.kind == "b" and flat.size and flat.view(np.uint8).max() > 1:
        flat = flat.view(np.uint8)  # bytes that are no bool are shown as what they are
    start = 0
    if flat.size > MOST_NUMBERS and len(index) == data.ndim:
        at = int(np.ravel_multi_index(tuple(index), data.shape)) if index else 0
        start = max(0, min(at - MOST_NUMBERS // 2, flat.size - MOST_NUMBERS))
    return [_element(v) for v in flat[start : start + MOST_NUMBERS]]


def _element(value: Any) -> Any:
    item = value.item()
    if isinstance(item, float):
        return float(f"{item:.9g}") if math.isfinite(item) else str(item)
    if isinstance(item, bytes):
        return item.decode("utf-8", "backslashreplace")
    return f"{item:.9g}" if isinstance(item, complex) else item


def _inputs(case: Case, vector: int) -> list[Line]:
    fed = iter(case.vectors[vector] if case.vectors else ())
    described = []
    for slot in case.inputs:
        data = slot.data if slot.role != "input" else next(fed, None)
        entry = {**_described(slot.tensor), "role": slot.role}
        entry["data"] = _numbers(data, ()) if data is not None else None
        described.append(entry)
    return described


def _described(tensor: Any) -> Line:
    quant = tensor.quant
    return {
        "name": tensor.name,
        "dtype": tensor.dtype,
        "shape": list(tensor.shape),
        "scale": [float(s) for s in quant.scale[:MOST_NUMBERS]] if quant else None,
        "zero_point": list(quant.zero_point[:1]) if quant else None,
    }


def agreement_line(case: Case, outcomes: Mapping[str, Outcome]) -> Line | None:
    """Return who differs from whom, None where all agree: by equality, so only where no output is a float."""
    produced = {label: o for label, o in outcomes.items() if isinstance(o, Produced)}
    if len(produced) < 2 or any(t.dtype.startswith("float") for t in case.outputs):
        return None
    groups: dict[bytes, list[str]] = {}
    for label, outcome in produced.items():
        key = b"|".join(np.ascontiguousarray(y).tobytes() for vector in outcome.outputs for y in vector)
        groups.setdefault(key, []).append(label)
    if len(groups) < 2:
        return None
    singles = [g[0] for g in groups.values() if len(g) == 1]
    return {
        "kind": "agreement",
        "case": case.id,
        "op": case.op,
        "row": case.row,
        "outlier": singles[0] if len(singles) == 1 and len(groups) == 2 and len(produced) > 2 else "",
        "groups": sorted(groups.values()),
        "error": _largest_difference([list(o.outputs) for o in produced.values()]),
        "unit": "lsb",
    }


def _largest_difference(runs: Sequence[Sequence[Sequence[Array]]]) -> float:
    worst = 0.0
    for other in runs[1:]:
        for a, b in zip(runs[0], other, strict=True):
            for x, y in zip(a, b, strict=False):
                if np.shape(x) == np.shape(y) and np.size(x):
                    worst = max(worst, float(np.max(np.abs(numbers(x) - numbers(y)))))
    return worst


def model_text(model: bytes) -> str:
    """Return a model as base64."""
    return base64.b64encode(model).decode("ascii")


def spec_line(spec: OpSpec) -> Line:
    """Return what reports need of a spec."""
    return {
        "kind": "spec",
        "op": spec.op,
        "file": spec.file,
        "summary": spec.summary,
        "see": list(spec.see),
        "rows": list(spec.rows),
        "attributes": {a.name: _attribute(a) for a in spec.attributes},
        "clauses": [
            {"label": c.label, "kind": c.kind, "row": ", ".join(c.rows), "line": c.line, "text": c.text, "why": c.why}
            for c in spec.clauses
        ],
        "laws": [law.clause.text for law in spec.laws],
    }


def _attribute(attribute: Any) -> str:
    if attribute.choices:
        return ", ".join(str(c) for c in attribute.choices)
    return attribute.value.text if attribute.value else f"{attribute.low:g} to {attribute.high:g}"
