"""Known deviations as data: runtimes/<name>/expected/<op>.yaml, strict both ways.

An entry that matches nothing in a run that covered its rows is stale and fails the run;
the example it names is replayed in every run, so a deviation that is gone shows at once.
`when` narrows an entry to its cause: an expression over the case, with the names that a manifest's limits have.
`sometimes: true` takes the strictness back where a runtime reads memory that is not its own, so that the same case
fails in one process and passes in another: such an entry is never stale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from opconform.harness.expr import Expression, ExpressionError, compile_expression
from opconform.harness.limits import environment
from opconform.harness.model import VERDICTS, Case
from opconform.harness.yamlish import Dict, SpecError, load

_KEYS = ("case", "at", "when", "expect", "clause", "because", "issue", "example", "sometimes")


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
    when: Expression | None = None  # only cases for which it holds; None: any
    sometimes: bool = False  # it depends on what lies in memory whether a case shows it

    def covers(self, runtime: str, at: str, op: str, row: str) -> bool:
        """Tell whether the entry speaks of cases of this row on this runtime."""
        pattern = "/".join(self.case.split("/")[:2])
        here = self.runtime == runtime and (not self.at or any(fnmatchcase(at, glob) for glob in self.at))
        return here and fnmatchcase(f"{op}/{row}", pattern if "/" in pattern else f"{pattern}/*")

    def matches(self, runtime: str, at: str, case: Case, verdict: str, clause: str) -> bool:
        """Tell whether the entry explains this failure."""
        if not self.covers(runtime, at, case.op, case.row) or verdict not in self.expect:
            return False
        if self.case.count("/") == 2 and not fnmatchcase(case.id, self.case):
            return False
        if self.clause and not any(fnmatchcase(clause, glob) for glob in self.clause):
            return False
        return self.when is None or _holds(self.when, case)

    @property
    def label(self) -> str:
        """Return a short name for reports."""
        return f"{self.runtime}{'@' + ','.join(self.at) if self.at else ''} {self.case} {'/'.join(self.expect)}"


def _holds(when: Expression, case: Case) -> bool:
    try:
        return bool(when(environment(case)))
    except ExpressionError:
        return False  # what was broken on purpose may be the very thing that the expression speaks of


def load_expectations(runtime: str, path: Path) -> tuple[Expectation, ...]:
    """Read a folder with one file per op, or one file (none: no expectations); raise SpecError with file:line."""
    if path.is_dir():
        return tuple(entry for file in sorted(path.glob("*.yaml")) for entry in load_expectations(runtime, file))
    if not path.is_file():
        return ()
    entries = load(path)
    if not isinstance(entries, list):
        raise SpecError(str(path), 1, "a list of expectations is needed; see docs/expectations.md")
    shown = f"runtimes/{runtime}/{path.parent.name}/{path.name}"
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
        _when(where, entry),
        entry.get("sometimes") is True,
    )


def _when(where: str, entry: Dict) -> Expression | None:
    if "when" not in entry:
        return None
    try:
        return compile_expression(str(entry["when"]))
    except ExpressionError as error:
        raise SpecError(where, entry.lines["when"], f"'when': {error}") from error


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, list | tuple):
        return tuple(str(item) for item in value)
    return (str(value),)


def explain(
    entries: Sequence[Expectation], runtime: str, at: str, case: Case, verdict: str, clause: str
) -> Expectation | None:
    """Return the first entry that explains a failure."""
    return next((e for e in entries if e.matches(runtime, at, case, verdict, clause)), None)
