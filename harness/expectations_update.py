"""Rewrite runtimes/<name>/expected/<op>.yaml from a run log: the text of a file is kept, entries come and go."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from opconform.harness.errors import InputError
from opconform.harness.expectations import Expectation
from opconform.harness.runlog import Line
from opconform.harness.runtime import Manifest

#: What a maintainer replaces by the reason; the loader refuses it until then.
BECAUSE = "<why this runtime does that, and why it may>"
#: A target that fails is no property of a runtime.
_NEVER = ("pass", "infra")


class UpdateError(InputError):
    """A log cannot be turned into expectations; the message is one line that says what to do."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of failure of one op on one runtime: the rows and targets that show it, and an example."""

    op: str
    verdict: str
    clause: str
    rows: tuple[str, ...]
    at: tuple[str, ...]
    example: str
    message: str


def read_log(path: Path) -> list[Line]:
    """Return the lines of a complete log; UpdateError for any other."""
    try:
        lines = [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines() if text.strip()]
    except (ValueError, UnicodeDecodeError) as error:
        raise UpdateError(f"{path}: is no whole run log ({error}); finish the run with --resume first") from error
    if not lines or not all(isinstance(line, dict) for line in lines) or lines[0].get("kind") != "header":
        raise UpdateError(f"{path}:1: is no run log (its first line is no header); give what `run --log FILE` wrote")
    if lines[-1].get("kind") != "footer" or not lines[-1].get("complete"):
        raise UpdateError(f"{path}: is incomplete (no footer); finish the run with --resume first")
    return lines


def runtimes_of(lines: Sequence[Line]) -> tuple[str, ...]:
    """Return the names of the runtimes that ran, in the order of the header."""
    ran = {line["runtime"] for line in lines if line["kind"] == "case"}
    return tuple(dict.fromkeys(r["name"] for r in lines[0]["runtimes"] if r["name"] in ran))


def unexpected_kinds(lines: Sequence[Line], manifest: Manifest) -> list[Kind]:
    """Return every kind of unexpected failure of a runtime, rows with the same verdict and clause together."""
    mine = [line for line in lines if line.get("runtime") == manifest.name]
    found: dict[tuple[str, str, str], list[Line]] = {}
    for line in mine:
        if line["kind"] == "case" and line["expected"] is False and line["verdict"] not in _NEVER:
            found.setdefault(_key(line), []).append(line)
    return [_kind(key, failed, mine, manifest) for key, failed in sorted(found.items())]


def _key(line: Line) -> tuple[str, str, str]:
    return line["op"], line["verdict"], line["clause"]


def _kind(key: tuple[str, str, str], failed: Sequence[Line], mine: Sequence[Line], manifest: Manifest) -> Kind:
    ran = tuple(dict.fromkeys(line["target"] for line in mine if line["kind"] == "case"))
    at = tuple(target for target in ran if any(line["target"] == target for line in failed))
    every = {*manifest.variants, *manifest.targets}
    # Boards run one code: what fails on all that were tried is said of all. Variants are codes of their own.
    anywhere = set(at) >= (every if manifest.variants else set(ran))
    rows = tuple(dict.fromkeys(line["row"] for line in failed))
    return Kind(*key, rows, () if anywhere else at, _example(key, mine), str(failed[0]["message"]))


def _example(key: tuple[str, str, str], mine: Sequence[Line]) -> str:
    """Return a shrunk case that shows it; none for a law, which is more than one case."""
    for line in mine:
        if line["kind"] == "failure" and line["expected"] is False and _key(line) == key:
            return "" if line.get("law") else str(line["case"])
    return ""


def patterns(kind: Kind, tried: Iterable[str]) -> list[str]:
    """Return globs that cover the rows of a kind and none of the other rows on which its clause was tried."""
    if len(kind.rows) == 1:
        return [f"{kind.op}/{kind.rows[0]}"]
    others = set(tried) - set(kind.rows)
    for start in dict.fromkeys(("", _common_start(kind.rows))):
        if not any(row.startswith(start) for row in others):
            return [f"{kind.op}/{start}*"]
    return [f"{kind.op}/{row}" for row in kind.rows]


def _common_start(rows: Sequence[str]) -> str:
    """Return what all rows start with: where the first and the last in order part."""
    first, last = min(rows), max(rows)
    length = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:length]


def entries(lines: Sequence[Line], manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Yield the op and the YAML text of a new entry for every kind of unexpected failure."""
    tried: dict[tuple[str, str], set[str]] = {}
    for line in lines:
        if line["kind"] == "case" and line["runtime"] == manifest.name:
            for clause in ("", line["clause"]):  # a crash cites no clause: then every row counts
                tried.setdefault((line["op"], clause), set()).add(line["row"])
    for kind in unexpected_kinds(lines, manifest):
        globs = patterns(kind, tried[kind.op, kind.clause])
        for glob in globs:
            shown = kind.example if len(globs) == 1 or kind.example.startswith(f"{glob}/") else ""
            yield kind.op, _entry(kind, glob, shown)


def _entry(kind: Kind, glob: str, example: str) -> str:
    values: dict[str, Any] = {"case": glob}
    if kind.at:
        values["at"] = list(kind.at)
    values["expect"] = kind.verdict
    if kind.clause:
        values["clause"] = kind.clause
    values["because"] = BECAUSE
    if example:
        values["example"] = example
    body = "".join(f"{'- ' if n == 0 else '  '}{key}: {_scalar(v)}\n" for n, (key, v) in enumerate(values.items()))
    return f"# {' '.join(kind.message.split())[:110]}\n{body}"


def _scalar(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def stale(lines: Sequence[Line], manifest: Manifest, known: Sequence[Expectation]) -> list[Expectation]:
    """Return the entries that the run itself calls stale, on every target where they could have matched."""
    cases = [line for line in lines if line["kind"] == "case" and line["runtime"] == manifest.name]
    places = {(line["target"], line["op"], line["row"]) for line in cases}
    messages = [str(text) for text in lines[-1]["stale"]]
    found = []
    for entry in known:
        labels = {f"{manifest.name}@{place[0]}" for place in places if entry.covers(manifest.name, *place)}
        starts = [f"{entry.where}: {label} {entry.case}: matched nothing" for label in labels]
        if starts and all(any(text.startswith(start) for text in messages) for start in starts):
            found.append(entry)
    return found


def renewed(lines: Sequence[Line], manifest: Manifest, known: Sequence[Expectation]) -> dict[str, str]:
    """Return new examples by the place (file:line) of an entry whose own is no case any more, or passes now.

    The example is the smallest case of the log that the entry explained; an entry that explained none gets none.
    """
    mine = [line for line in lines if line["kind"] == "case" and line["runtime"] == manifest.name]
    gone = {line["stale"] for line in lines if line["kind"] == "note" and "stale" in line}
    gone |= {line["message"].split(" ")[0] for line in mine if line["message"].endswith("; remove the expectation")}
    found: dict[str, str] = {}
    for entry in known:
        shown = [line for line in mine if line.get("expectation") == entry.where and not line.get("law")]
        if entry.where in gone and shown:
            found[entry.where] = str(min(shown, key=_size)["case"])
    return found


def _size(line: Line) -> tuple[int, str]:
    return sum(math.prod(shape) for shape in line["shapes"].values()), str(line["case"])


def with_example(text: str, line: int, old: str, new: str) -> str:
    """Return the YAML text of a list with the example of the entry that starts on a line replaced."""
    rows = text.splitlines(keepends=True)
    at = next(n for n in range(line - 1, len(rows)) if old in rows[n])
    return "".join([*rows[:at], rows[at].replace(old, new), *rows[at + 1 :]])


def without(text: str, lines_of: Iterable[int]) -> str:
    """Return the YAML text of a list without the entries that start on these lines; comments stay."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    items = node.value if isinstance(node, yaml.SequenceNode) else []
    gone = {line for item in items if item.start_mark.line + 1 in set(lines_of) for line in _span(item)}
    return "".join(line for number, line in enumerate(text.splitlines(keepends=True)) if number not in gone)


def _span(item: yaml.Node) -> range:
    """Return the 0-based lines of an entry: to the end of its last scalar, not to the next token."""
    return range(item.start_mark.line, _last_line(item) + 1)


def _last_line(node: yaml.Node) -> int:
    if isinstance(node, yaml.ScalarNode):
        # A mark at the start of a line stands behind a block scalar's last newline.
        end: int = node.end_mark.line - (node.end_mark.column == 0 and node.end_mark.line > node.start_mark.line)
        return end
    if getattr(node, "flow_style", False) or not node.value:
        return int(node.end_mark.line)
    last = node.value[-1]
    return _last_line(last[1] if isinstance(last, tuple) else last)


def joined(old: str, new: Sequence[str]) -> str:
    """Return the file's text with new entries at its end."""
    kept = old.rstrip("\n") + "\n" if old.strip() else ""
    if kept.strip() == "[]":
        kept = ""
    return (kept + ("\n" if kept and new else "") + "\n".join(new)) or "[]\n"
