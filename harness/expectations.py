"""Known deviations as data: runtimes/<name>/expected.yaml, strict both ways.

An entry that matches nothing in a run that covered its rows is stale and fails the run;
the example it names is replayed in every run, so a deviation that is gone shows at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from opconform.harness.model import VERDICTS
from opconform.harness.yamlish import Dict, SpecError, load

_KEYS = ("case", "at", "expect", "clause", "because", "issue", "example")


@dataclass(frozen=True, slots=True)
class Expectation:
    """One known deviation of one runtime (at some of its variants or targets)."""

    runtime: str
    case: str  # glob over OP/row, or over a whole case id
    expect: tuple[str, ...]
    because: str
    where: str  # file:line
    at: tuple[str, ...] = ()
    clause: tuple[str, ...] = ()  # only failures of these clauses; empty: any
    issue: str = ""
    example: str = ""  # id of a case that shows it

    def covers(self, runtime: str, at: str, op: str, row: str) -> bool:
        """Tell whether the entry speaks of cases of this row on this runtime."""
        pattern = "/".join(self.case.split("/")[:2])
        here = self.runtime == runtime and (not self.at or any(fnmatchcase(at, glob) for glob in self.at))
        return here and fnmatchcase(f"{op}/{row}", pattern if "/" in pattern else f"{pattern}/*")

    def matches(self, runtime: str, at: str, case_id: str, verdict: str, clause: str) -> bool:
        """Tell whether the entry explains this failure."""
        op, row, _ = case_id.split("/")
        if not self.covers(runtime, at, op, row) or verdict not in self.expect:
            return False
        if self.case.count("/") == 2 and not fnmatchcase(case_id, self.case):
            return False
        return not self.clause or any(fnmatchcase(clause, glob) for glob in self.clause)

    @property
    def label(self) -> str:
        """Return a short name for reports."""
        return f"{self.runtime}{'@' + ','.join(self.at) if self.at else ''} {self.case} {'/'.join(self.expect)}"


def load_expectations(runtime: str, path: Path) -> tuple[Expectation, ...]:
    """Read one expected.yaml (no file: no expectations); raise SpecError with file:line."""
    if not path.is_file():
        return ()
    entries = load(path)
    if not isinstance(entries, list):
        raise SpecError(str(path), 1, "a list of expectations is needed; see docs/expectations.md")
    shown = f"runtimes/{path.parent.name}/{path.name}"
    return tuple(_entry(runtime, shown, entry) for entry in entries)


def _entry(runtime: str, where: str, entry: object) -> Expectation:
    if not isinstance(entry, Dict):
        raise SpecError(where, 1, f"an expectation is a mapping, found {entry!r}")
    for key in entry:
        if key not in _KEYS:
            raise SpecError(where, entry.lines[key], f"unknown key '{key}'; allowed: {', '.join(_KEYS)}")
    for key in ("case", "expect", "because"):
        if not entry.get(key):
            raise SpecError(where, entry.line, f"an expectation lacks '{key}'; add it")
    if str(entry["because"]).startswith("<"):
        raise SpecError(where, entry.lines["because"], "'because' is still a placeholder; write the reason")
    expect = _texts(entry["expect"])
    for verdict in expect:
        if verdict not in VERDICTS or verdict == "pass":
            raise SpecError(
                where, entry.lines["expect"], f"'{verdict}' is no verdict; known: {', '.join(VERDICTS[1:])}"
            )
    return Expectation(
        runtime,
        str(entry["case"]),
        expect,
        str(entry["because"]),
        f"{where}:{entry.line}",
        _texts(entry.get("at", ())),
        _texts(entry.get("clause", ())),
        str(entry.get("issue", "")),
        str(entry.get("example", "")),
    )


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, list | tuple):
        return tuple(str(item) for item in value)
    return (str(value),)


def explain(
    entries: Sequence[Expectation], runtime: str, at: str, case_id: str, verdict: str, clause: str
) -> Expectation | None:
    """Return the first entry that explains a failure."""
    return next((e for e in entries if e.matches(runtime, at, case_id, verdict, clause)), None)
