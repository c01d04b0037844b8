"""Read run logs strictly, and merge several into one.

A log is JSON lines (docs/run-log.md). Whatever a reader cannot trust is one line of text:
file:line, what was found, what is allowed, what to do. Two flaws are tolerated, because a
killed run leaves them, and are named in `Log.warnings`: a missing footer and a last line
that was cut off.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from opconform.harness.errors import InputError
from opconform.harness.fields import WrongType, reader
from opconform.harness.model import VERDICTS
from opconform.reports.lines import (
    KINDS,
    Agreement,
    CaseLine,
    Cost,
    Coverage,
    FailureLine,
    Footer,
    GraphLine,
    Header,
    Line,
    ModelLine,
    Note,
    RuntimeInfo,
    SpecLine,
    Unavailable,
)

FORMAT = 1

Item = TypeVar("Item")


class LogError(InputError):
    """A log cannot be read; the message is one line with file:line and the remedy."""


@dataclass(frozen=True, slots=True)
class Log:
    """One run, or several merged into one. Every tuple is in the order of the file."""

    name: str
    headers: tuple[Header, ...]
    specs: tuple[SpecLine, ...] = ()
    unavailable: tuple[Unavailable, ...] = ()
    notes: tuple[Note, ...] = ()
    cases: tuple[CaseLine, ...] = ()
    failures: tuple[FailureLine, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    coverage: tuple[Coverage, ...] = ()
    models: tuple[ModelLine, ...] = ()
    graphs: tuple[GraphLine, ...] = ()
    costs: tuple[Cost, ...] = ()
    footers: tuple[Footer, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def header(self) -> Header:
        """Return the header of the first run."""
        return self.headers[0]

    @property
    def complete(self) -> bool:
        """Tell whether every run reached its end."""
        return len(self.footers) == len(self.headers) and all(footer.complete for footer in self.footers)

    @property
    def runtimes(self) -> tuple[RuntimeInfo, ...]:
        """Return every runtime and target of the headers, once, in their order."""
        found = {(one.name, one.target): one for header in self.headers for one in header.runtimes}
        return tuple(found.values())


def split(log: Log) -> Mapping[str, Log]:
    """Return the part of a log that is about each op, in alphabetical order, with the same header and footer."""
    names = ("specs", "cases", "failures", "agreements", "coverage", "costs")
    parts: dict[str, dict[str, list[Any]]] = {}
    for name in names:
        for line in getattr(log, name):
            parts.setdefault(line.op, {one: [] for one in names})[name].append(line)
    return {op: _part(log, parts[op]) for op in sorted(parts)}


def _part(log: Log, lines: Mapping[str, list[Any]]) -> Log:
    changes: dict[str, Any] = {name: tuple(found) for name, found in lines.items()}
    return replace(log, **changes)


def read(path: Path) -> Log:
    """Read one log; raise LogError with one line where it is missing or malformed."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise LogError(f"{path}: {error.strerror}; give a log that `opconform run --log FILE` wrote") from None
    return parse(data, str(path))


def parse(data: bytes, name: str = "log") -> Log:
    """Parse the bytes of one log; `name` stands before the line number in messages."""
    raw = data.split(b"\n")
    tail = raw.pop()
    numbered = [(number, text) for number, text in enumerate(raw, 1) if text.strip()]
    lines = [(number, _line(text, f"{name}:{number}")) for number, text in numbered]
    last, warning = _last(tail, name, len(raw) + 1)
    return _collect([*lines, *last], name, warning)


def _last(tail: bytes, name: str, number: int) -> tuple[list[tuple[int, Line]], tuple[str, ...]]:
    """Read what follows the last newline: nothing, a whole line, or a line cut off."""
    if not tail.strip():
        return [], ()
    try:
        json.loads(tail)
    except ValueError:
        return [], (f"{name}:{number}: the last line is cut off after {len(tail)} bytes and was left out",)
    return [(number, _line(tail, f"{name}:{number}"))], ()


def _line(text: bytes, where: str) -> Line:
    record = _object(text, where)
    kind = record.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise LogError(f"{where}: kind {kind!r} is unknown; allowed are {', '.join(KINDS)}; is this a run log?")
    try:
        line: Line = reader(KINDS[kind])(record)
    except WrongType as error:
        raise LogError(f"{where}: {kind}: {error}; see docs/run-log.md") from None
    _check(line, where)
    return _short(line)


def _short(line: Line) -> Line:
    """Name rows without their op: `CONV_2D/int8` and `int8` are the same row of CONV_2D."""
    match line:
        case CaseLine() | FailureLine() | Agreement() | Coverage() if line.row.startswith(f"{line.op}/"):
            return replace(line, row=line.row.removeprefix(f"{line.op}/"))
        case SpecLine():
            rows = tuple(row.removeprefix(f"{line.op}/") for row in line.rows)
            clauses = tuple(replace(one, row=one.row.removeprefix(f"{line.op}/")) for one in line.clauses)
            return replace(line, rows=rows, clauses=clauses)
        case _:
            return line


def _object(text: bytes, where: str) -> dict[str, Any]:
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        why = getattr(error, "msg", "") or type(error).__name__
        raise LogError(f"{where}: not JSON ({why}); a log holds one object a line: run again or cut it there") from None
    if not isinstance(record, dict):
        raise LogError(f"{where}: found JSON that is no object; a log holds one object a line")
    return record


def _check(line: Line, where: str) -> None:
    match line:
        case Header(format=found) if found != FORMAT:
            raise LogError(f"{where}: format {found} is unknown; this opconform reads format {FORMAT}: use its version")
        case CaseLine(verdict=found) | FailureLine(verdict=found) | ModelLine(verdict=found) if found not in VERDICTS:
            raise LogError(f"{where}: verdict {found!r} is unknown; allowed are {', '.join(VERDICTS)}")
        case _:
            return


def _collect(lines: Sequence[tuple[int, Line]], name: str, warnings: tuple[str, ...]) -> Log:
    _check_order(lines, name)
    groups: dict[type[Any], list[Any]] = {cls: [] for cls in KINDS.values()}
    for _, line in lines:
        groups[type(line)].append(line)
    found = {cls: tuple(group) for cls, group in groups.items()}
    footers: tuple[Footer, ...] = found[Footer]
    return Log(
        name=name,
        headers=found[Header],
        specs=found[SpecLine],
        unavailable=found[Unavailable],
        notes=found[Note],
        cases=found[CaseLine],
        failures=found[FailureLine],
        agreements=found[Agreement],
        coverage=found[Coverage],
        models=found[ModelLine],
        graphs=found[GraphLine],
        costs=found[Cost],
        footers=footers,
        warnings=warnings + _incomplete(footers, name),
    )


def _incomplete(footers: tuple[Footer, ...], name: str) -> tuple[str, ...]:
    if not footers:
        return (
            f"{name}: incomplete: the footer is missing, so the run was cut short; `opconform run --resume` goes on",
        )
    if not footers[0].complete:
        return (f"{name}: incomplete: its footer says that the run was cut short; `opconform run --resume` goes on",)
    return ()


def _check_order(lines: Sequence[tuple[int, Line]], name: str) -> None:
    if not lines or not isinstance(lines[0][1], Header):
        where = f"{name}:{lines[0][0]}" if lines else f"{name}:1"
        raise LogError(f"{where}: the header is missing; the first line of a run log has kind header")
    for number, line in lines[1:]:
        if isinstance(line, Header):
            raise LogError(f"{name}:{number}: a second header; give several logs as several files")
    for number, line in lines[:-1]:
        if isinstance(line, Footer):
            raise LogError(f"{name}:{number}: lines follow the footer; a footer is the last line of a log")


def merge(logs: Sequence[Log]) -> Log:
    """Return one log of several; where two judge the same thing, the later one counts."""
    if not logs:
        raise LogError("no log given; name at least one file that `opconform run --log FILE` wrote")
    if len(logs) == 1:
        return logs[0]
    return replace(
        logs[0],
        name=", ".join(log.name for log in logs),
        headers=tuple(header for log in logs for header in log.headers),
        footers=tuple(footer for log in logs for footer in log.footers),
        specs=_latest([log.specs for log in logs], lambda one: one.op),
        unavailable=_still_unavailable(logs),
        notes=_latest([log.notes for log in logs], lambda one: one),
        cases=_latest([log.cases for log in logs], _judged),
        failures=_latest([log.failures for log in logs], _judged),
        agreements=_latest([log.agreements for log in logs], lambda one: (one.case, one.groups)),
        coverage=_widest(one for log in logs for one in log.coverage),
        models=_latest([log.models for log in logs], lambda one: (one.model, one.runtime, one.target)),
        graphs=_latest([log.graphs for log in logs], lambda one: one.model),
        costs=_latest([log.costs for log in logs], lambda one: (one.op, one.target)),
        warnings=tuple(warning for log in logs for warning in log.warnings) + _differences(logs),
    )


def _judged(line: CaseLine | FailureLine) -> Hashable:
    return line.case, line.op, line.row, line.runtime, line.target, line.law


def _latest(logs: Iterable[Iterable[Item]], key: Callable[[Item], Hashable]) -> tuple[Item, ...]:
    """Keep of each key what the last log that has it says; one log may say several things."""
    found: dict[Hashable, list[Item]] = {}
    for log in logs:
        mine: dict[Hashable, list[Item]] = {}
        for item in log:
            mine.setdefault(key(item), []).append(item)
        found |= mine
    return tuple(item for group in found.values() for item in group)


def _still_unavailable(logs: Sequence[Log]) -> tuple[Unavailable, ...]:
    ran = {(one.runtime, one.target) for log in logs for one in log.cases}
    ran |= {(one.runtime, one.target) for log in logs for one in log.models}
    found = _latest([log.unavailable for log in logs], lambda one: (one.runtime, one.target))
    return tuple(one for one in found if (one.runtime, one.target) not in ran)


def _widest(items: Iterable[Coverage]) -> tuple[Coverage, ...]:
    """Keep the larger count of each clause: runs of one seed share their cases, so a sum would count twice."""
    found: dict[tuple[str, str], Mapping[str, int]] = {}
    for item in items:
        old = found.get((item.op, item.row), {})
        labels = [*old, *(label for label in item.clauses if label not in old)]
        widest = {label: max(old.get(label, 0), item.clauses.get(label, 0)) for label in labels}
        found[item.op, item.row] = widest
    return tuple(Coverage(op, row, clauses) for (op, row), clauses in found.items())


def _differences(logs: Sequence[Log]) -> tuple[str, ...]:
    """Name what keeps merged runs from being one: other specs, other versions."""
    headers = [header for log in logs for header in log.headers]
    named = {"spec files": {one.specs for one in headers}, "versions": {one.version for one in headers}}
    return tuple(
        f"the merged runs differ in their {what}: {', '.join(sorted(found))}"
        for what, found in named.items()
        if len(found) > 1
    )
