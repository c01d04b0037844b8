"""A run in parts, by hash, for machines that know nothing of each other; and their logs made one again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opconform.harness.generate.engine import TIERS
from opconform.harness.loglines import fault
from opconform.harness.runlog import LogError

Line = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Shard:
    """Part `number` of `count`, counted from 1."""

    number: int = 1
    count: int = 1

    def holds(self, name: str) -> bool:
        """Tell whether a row ("OP/row") or the costs of an op ("OP") belong to this part."""
        digest = hashlib.sha256(name.encode()).digest()
        return self.count == 1 or int.from_bytes(digest[:8], "big") % self.count == self.number - 1

    @property
    def named(self) -> dict[str, str]:
        """Return it as the header of a log names it: nothing where it is the whole."""
        return {} if self.count == 1 else {"shard": f"{self.number}/{self.count}"}


WHOLE = Shard()


#: what to do about a log that no run wrote like this
_DAMAGED = "the log is damaged: run the part again"


def parse_shard(text: str) -> Shard:
    """Read "K/N"; raise ValueError whose message says what is allowed."""
    number, slash, count = text.partition("/")
    if not (slash and number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count) <= 10_000):
        raise ValueError(f"{text!r} is no part of a run; allowed: K/N with 1 <= K <= N, e.g. 2/4")
    return Shard(int(number), int(count))


@dataclass(frozen=True, slots=True)
class Part:
    """A complete log of one shard: where it came from, its lines, and which part it is."""

    path: Path
    lines: Sequence[Line]
    shard: Shard

    @property
    def header(self) -> Line:
        """Return the first line."""
        return self.lines[0]

    @property
    def footer(self) -> Line:
        """Return the last line."""
        return self.lines[-1]


def read_part(path: Path) -> Part:
    """Read the complete log of one shard; raise LogError."""
    try:
        lines = [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines()]
    except OSError as error:
        raise LogError(f"{path}: cannot be merged: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise LogError(f"{path}: is no run log ({str(error)[:80]}); give logs of opconform run --shard") from error
    if not lines or not isinstance(lines[0], dict) or lines[0].get("kind") != "header":
        raise LogError(f"{path}:1: is no run log (its first line is no header); give logs of opconform run --shard")
    _check_lines(path, lines)
    named = lines[0]["selection"].get("shard")
    if named is None:
        raise LogError(f"{path}:1: is no part of a run; give logs of opconform run --shard K/N")
    try:
        return Part(path, lines, parse_shard(str(named)))
    except ValueError as error:
        raise LogError(f"{path}:1: {error}") from error


def _check_lines(path: Path, lines: Sequence[Any]) -> None:
    """Raise LogError where a line cannot be read, or lines are missing, or the footer tells of others."""
    for number, line in enumerate(lines, 1):
        if wrong := fault(line) if isinstance(line, dict) else "is no JSON object":
            raise LogError(f"{path}:{number}: {wrong}; {_DAMAGED}")
    if lines[-1]["kind"] != "footer":
        raise LogError(f"{path}: is incomplete; finish it with opconform run --resume --log {path}")
    for number, line in enumerate(lines[1:-1], 2):
        if line["kind"] in ("header", "footer"):
            raise LogError(f"{path}:{number}: a second {line['kind']} line; allowed is one; {_DAMAGED}")
    cases = sum(line["cases"] for line in lines if line["kind"] == "case")
    for what, count in (("lines", len(lines)), ("cases", cases)):
        if lines[-1][what] != count:
            raise LogError(f"{path}: has {count} {what}, its footer says {lines[-1][what]}; {_DAMAGED}")
    _check_names(path, lines)


def _check_names(path: Path, lines: Sequence[Line]) -> None:
    """Raise LogError where a line names a tier, runtime or row that the log does not have."""
    header, names = lines[0], labels(lines[0])
    if header["tier"] not in TIERS:
        raise LogError(f"{path}:1: its tier is {header['tier']!r:.60}; allowed: {', '.join(TIERS)}; {_DAMAGED}")
    placed = [(number, line) for number, line in enumerate(lines, 1) if "runtime" in line]
    for number, line in placed:
        if (label := f"{line['runtime']}@{line['target']}") not in names:
            text = f"its runtime is {label!r:.60}; allowed: {', '.join(names) or 'none'} (of its header)"
            raise LogError(f"{path}:{number}: {text}; {_DAMAGED}")
    rows = {f"{line['op']}/{line['row']}" for line in lines if line["kind"] == "coverage"}
    for text in lines[-1]["thin"]:
        row, label = _thin_place(text)
        if row not in rows or label not in names:
            raise LogError(f"{path}:{len(lines)}: its footer calls {text!r:.60} thin: no row that it has; {_DAMAGED}")


def check_parts(parts: Sequence[Part]) -> None:
    """Raise LogError unless the parts are all of one run, each just once."""
    first = parts[0]
    seen: dict[int, Path] = {}
    for part in parts:
        for key in ("version", "seed", "tier", "specs", "runtimes"):
            if part.header.get(key) != first.header.get(key):
                raise LogError(
                    f"{part.path}:1: was made with {key} {part.header.get(key)!r}, {first.path} with "
                    f"{first.header.get(key)!r}; merge parts of one run"
                )
        if _whole_selection(part) != _whole_selection(first) or part.shard.count != first.shard.count:
            raise LogError(f"{part.path}:1: is a part of another selection than {first.path}; merge parts of one run")
        if part.shard.number in seen:
            raise LogError(f"{part.path}: is part {part.shard.number} like {seen[part.shard.number]}; give each once")
        seen[part.shard.number] = part.path
    missing = [f"{n}/{first.shard.count}" for n in range(1, first.shard.count + 1) if n not in seen]
    if missing:
        raise LogError(f"parts {', '.join(missing)} are missing; give the logs of all parts")


def _whole_selection(part: Part) -> Mapping[str, Any]:
    return {key: value for key, value in part.header["selection"].items() if key != "shard"}


def merged(parts: Sequence[Part]) -> list[Line]:
    """Return the lines of the log that one machine would have written, but for times; all but the footer.

    Raises LogError where parts are missing or of different runs.
    """
    check_parts(parts)
    ordered = sorted(parts, key=lambda part: part.shard.number)
    specs = {line["op"]: line for part in ordered for line in part.lines if line["kind"] == "spec"}
    rows = _rows(ordered)
    lines = [_header(ordered), *_unavailable(ordered), *(specs[op] for op in sorted(specs))]
    for op in sorted(specs):
        for row in specs[op]["rows"]:
            lines += rows.get((op, row), [])
    lines += _models(ordered)
    costs = [line for part in ordered for line in part.lines if line["kind"] == "cost"]
    boards = labels(lines[0])
    lines += sorted(costs, key=lambda line: (boards.index(f"{line['runtime']}@{line['target']}"), line["op"]))
    _check_kept(ordered, lines)
    return lines


def _check_kept(parts: Sequence[Part], lines: Sequence[Line]) -> None:
    """Raise LogError where a line of a part found no place among the merged lines."""
    kept = {id(line) for line in lines}
    for part in parts:
        for number, line in enumerate(part.lines, 1):
            if line["kind"] not in ("header", "unavailable", "spec", "footer") and id(line) not in kept:
                text = f"its {line['kind']} line belongs to no row or model, or to one that another line ended"
                raise LogError(f"{part.path}:{number}: {text}; {_DAMAGED}")


def labels(header: Line) -> list[str]:
    """Return the runtimes of a run as name@target, in its order."""
    return [f"{runtime['name']}@{runtime['target']}" for runtime in header["runtimes"]]


def _header(parts: Sequence[Part]) -> Line:
    first = min((part.header for part in parts), key=lambda header: str(header["started"]))
    return dict(first) | {"selection": _whole_selection(parts[0])}


def _unavailable(parts: Sequence[Part]) -> list[Line]:
    found = {json.dumps(line): line for part in parts for line in part.lines if line["kind"] == "unavailable"}
    return list(found.values())


def _models(parts: Sequence[Part]) -> list[Line]:
    """Return the lines of the models, each with the line of its graph last, in the order of the zoo."""
    found: dict[int, list[Line]] = {}
    for part in parts:
        waiting: list[Line] = []
        for line in part.lines:
            if line["kind"] in ("model", "graph"):
                waiting.append(line)
            if line["kind"] == "graph":
                found[line["place"]] = waiting
                waiting = []
    return [line for place in sorted(found) for line in found[place]]


def _rows(parts: Sequence[Part]) -> Mapping[tuple[str, str], list[Line]]:
    """Return the lines of each row; those of a row end with its coverage."""
    found: dict[tuple[str, str], list[Line]] = {}
    for part in parts:
        waiting: list[Line] = []
        for line in part.lines[1:-1]:
            if line["kind"] in ("spec", "unavailable", "cost", "model", "graph"):
                continue
            waiting.append(line)
            if line["kind"] == "coverage":
                found[line["op"], line["row"]] = waiting
                waiting = []
    return found


def still_stale(parts: Sequence[Part], explained: Set[tuple[str, str]]) -> list[str]:
    """Return what parts call stale and no other part needs, in the order of the whole run.

    `explained` holds (name@target, file:line) of the expectations that matched somewhere.
    """
    used = tuple(f"{where}: {label} " for label, where in explained)
    texts = dict.fromkeys(text for part in parts for text in part.footer["stale"] if not text.startswith(used))
    return _in_order(texts, labels(parts[0].header))


def all_thin(parts: Sequence[Part], rows: Sequence[str]) -> list[str]:
    """Return the rows that any part calls thin; `rows` are all "OP/row" in the order of the run."""
    order, names = {row: n for n, row in enumerate(rows)}, labels(parts[0].header)
    texts = [text for part in parts for text in part.footer["thin"]]

    def place(text: str) -> tuple[int, int]:
        row, label = _thin_place(text)
        return names.index(label), order[row]

    return sorted(texts, key=place)


def _thin_place(text: str) -> tuple[str, str]:
    """Return ("OP/row", name@target) of what a footer calls thin."""
    row, _, label = text.split(": ")[0].rpartition(" ")
    return row, label if "@" in label else f"{label}@"


def _in_order(texts: Iterable[str], names: Sequence[str]) -> list[str]:
    """Sort messages of expectations by runtime, file and line."""

    def place(text: str) -> tuple[int, str, int]:
        where, _, rest = text.partition(": ")
        file, _, line = where.rpartition(":")
        number = next((n for n, name in enumerate(names) if rest.startswith(name + " ")), -1)
        return number, file, int(line) if line.isdecimal() else 0

    return sorted(texts, key=place)
