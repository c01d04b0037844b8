"""A run log as JUnit XML: a suite per runtime and target, a test case per op and row.

CI servers show one outcome of a test case, so all that went wrong with a row stands in one
element. A crash, or a target that failed, is an error; any other unexpected deviation a failure;
an expected deviation, or a row that the runtime does not claim, is skipped with its reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree

from opconform.reports import models, summary, text, views
from opconform.reports.lines import CaseLine, FailureLine, ModelLine, place
from opconform.reports.log import Log

ERRORS = frozenset({"crash", "infra"})

#: what XML 1.0 cannot hold, escaped or not
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

#: a row with more lines than this names only the first of them
MOST_LINES = 20


def render(log: Log) -> str:
    """Return the XML document; the same log gives the same text."""
    suites = [_suite(log, where) for where in summary.runtimes(log)]
    suites += [_unavailable(place(one.runtime, one.target), one.message) for one in log.unavailable]
    suites.append(_run(log))
    root = ElementTree.Element("testsuites", {"name": "opconform"})
    for key in ("tests", "failures", "errors", "skipped"):
        root.set(key, str(sum(int(suite.get(key, "0")) for suite in suites)))
    root.set("time", f"{sum(float(suite.get('time', '0')) for suite in suites):.3f}")
    root.extend(suites)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _clean(words: str) -> str:
    return _ILLEGAL.sub("\N{REPLACEMENT CHARACTER}", words)


def _suite(log: Log, where: str) -> ElementTree.Element:
    mine = [line for line in log.cases if place(line.runtime, line.target) == where]
    rows: dict[tuple[str, str], list[CaseLine]] = {}
    for line in mine:
        rows.setdefault((line.op, line.row), []).append(line)
    failures: dict[tuple[str, str], list[FailureLine]] = {}
    for failure in views.sound(line for line in log.failures if place(line.runtime, line.target) == where):
        failures.setdefault((failure.op, failure.row), []).append(failure)
    files = {spec.op: spec.file for spec in log.specs}
    keys = sorted({*rows, *failures})
    cases = [_testcase(*key, files.get(key[0], ""), rows.get(key, []), failures.get(key, [])) for key in keys]
    cases += [_model(line) for line in log.models if place(line.runtime, line.target) == where]
    return _finish(where, cases, log, _properties(log, where))


def _properties(log: Log, where: str) -> dict[str, str]:
    info = next((one for one in log.runtimes if place(one.name, one.target) == where), None)
    run = {
        "opconform": log.header.version,
        "seed": str(log.header.seed),
        "tier": log.header.tier,
        "specs": log.header.specs,
    }
    told = {"version": info.version, "arithmetic": info.arithmetic} if info else {}
    return {key: value for key, value in {**run, **told}.items() if value}


def _finish(
    name: str, cases: Sequence[ElementTree.Element], log: Log | None = None, properties: dict[str, str] | None = None
) -> ElementTree.Element:
    suite = ElementTree.Element("testsuite", {"name": _clean(name), "tests": str(len(cases))})
    for key, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(key, str(sum(case.find(tag) is not None for case in cases)))
    suite.set("time", f"{sum(float(case.get('time', '0')) for case in cases):.3f}")
    if log is not None and log.header.started:
        suite.set("timestamp", log.header.started.removesuffix("Z"))
    if properties:
        parent = ElementTree.SubElement(suite, "properties")
        for key, value in properties.items():
            ElementTree.SubElement(parent, "property", {"name": key, "value": _clean(value)})
    suite.extend(cases)
    return suite


def _testcase(
    op: str, row: str, spec: str, lines: Sequence[CaseLine], failures: Sequence[FailureLine]
) -> ElementTree.Element:
    cell = summary.joined(lines) if lines else summary.ABSENT
    told = {"classname": op, "name": row, "file": spec, "time": f"{cell.seconds:.3f}"}
    case = ElementTree.Element("testcase", {key: _clean(value) for key, value in told.items() if value})
    wrong = [line for line in failures if summary.status(line) == "fail"]
    if cell.status == "fail" or wrong:
        _deviation(case, [line for line in lines if summary.status(line) == "fail"], wrong)
    elif cell.status in ("known", "unsupported"):
        words = (
            "; ".join(cell.reasons[:MOST_LINES]) if cell.reasons else "not supported, and not claimed by the runtime"
        )
        ElementTree.SubElement(case, "skipped", {"message": _clean(words)})
    _output(case, [summary.headline(line) for line in failures if summary.status(line) == "known"])
    return case


def _deviation(case: ElementTree.Element, lines: Sequence[CaseLine], failures: Sequence[FailureLine]) -> None:
    verdicts = {line.verdict for line in lines} | {line.verdict for line in failures}
    worst = next(verdict for verdict in summary.GRAVITY if verdict in verdicts)
    tag = "error" if verdicts & ERRORS else "failure"
    message = next(summary.headline(line) for group in (failures, lines) for line in group)
    element = ElementTree.SubElement(case, tag, {"type": worst, "message": _clean(message)})
    parts = [_counterexample(line) for line in failures]
    shown = [summary.headline(line) for line in lines[:MOST_LINES]]
    rest = [f"... and {len(lines) - MOST_LINES} more lines in the log"] if len(lines) > MOST_LINES else []
    element.text = _clean("\n\n".join([*parts, "\n".join([*shown, *rest])]).strip() + "\n")


def _model(line: ModelLine) -> ElementTree.Element:
    told = {"classname": summary.MODEL, "name": line.model, "time": f"{line.seconds:.3f}"}
    case = ElementTree.Element("testcase", {key: _clean(value) for key, value in told.items()})
    match summary.status(line):
        case "fail":
            tag = "error" if line.verdict in ERRORS else "failure"
            words = {"type": line.verdict, "message": _clean(summary.headline(line))}
            ElementTree.SubElement(case, tag, words)
        case "known" | "unsupported":
            ElementTree.SubElement(case, "skipped", {"message": _clean(models.row(line).reason or "not supported")})
    return case


def _output(case: ElementTree.Element, lines: Iterable[str]) -> None:
    words = "\n".join(lines)
    if words:
        ElementTree.SubElement(case, "system-out").text = _clean(words + "\n")


def _counterexample(line: FailureLine) -> str:
    """Return a counterexample as text: what was fed, what came, what was wanted."""
    named = (("attributes", text.value(line.attributes)), ("replay", line.replay), ("rounding", views.diagnosis(line)))
    inputs = [
        f"{one.name} {one.dtype}{text.value(one.shape)} ({one.role}) = {text.value(text.flat(one.data))}"
        for one in line.inputs
    ]
    results = [f"want = {text.value(text.flat(line.want))}", f"got  = {text.value(text.flat(line.got))}"]
    facts = [f"{name}: {words}" for name, words in named if words]
    return "\n".join([summary.headline(line), *inputs, *(results if line.want or line.got else []), *facts])


def _unavailable(where: str, message: str) -> ElementTree.Element:
    case = ElementTree.Element("testcase", {"classname": "runtime", "name": "available", "time": "0.000"})
    ElementTree.SubElement(case, "skipped", {"message": _clean(message or "cannot run here")})
    return _finish(where, [case])


def _run(log: Log) -> ElementTree.Element:
    """Return the suite that judges the run itself: an incomplete log must not look green."""
    stale = [text.value(one) for footer in log.footers for one in footer.stale]
    floor = sum(footer.floor for footer in log.footers)
    judged = sum(footer.cases for footer in log.footers)
    short = f"{judged} cases of at least {floor}" if log.complete and judged < floor else ""
    thin = ", ".join(text.value(one) for footer in log.footers for one in footer.thin) or short
    checks = {
        "the log is complete": "" if log.complete else "; ".join(log.warnings) or "the footer is missing",
        "every expectation matches something": f"matched nothing: {', '.join(stale)}" if stale else "",
        "the tier's floor is reached": thin,
    }
    cases = []
    for name, problem in checks.items():
        case = ElementTree.Element("testcase", {"classname": "run", "name": name, "time": "0.000"})
        if problem:
            ElementTree.SubElement(case, "failure", {"type": "run", "message": _clean(problem)})
        cases.append(case)
    return _finish("run", cases, log)
