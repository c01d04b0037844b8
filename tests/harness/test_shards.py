"""A run in parts: every row is in just one, and the merged log is that of the whole run."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from opconform.harness.runlog import LogError
from opconform.harness.runner import Selection, merge, run, select
from opconform.harness.shards import Shard, parse_shard
from opconform.harness.spec_load import load_all

OPS = ("ABS", "ADD", "EXP", "CALL_ONCE")
#: One that is right and one that deviates, so that failures, agreements and explained lines are merged too.
RUNTIMES = ("lite", "litert@ref")


def without_times(path: Path) -> list[dict[str, Any]]:
    lines = [json.loads(text) for text in path.read_text().splitlines()]
    for line in lines:
        for key in ("started", "seconds"):
            line.pop(key, None)
        line.get("meters", {}).pop("time", None)
    return lines


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    log = tmp_path_factory.mktemp("whole") / "run.jsonl"
    run(Selection(RUNTIMES, OPS), log)
    return log


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("parts")
    logs = [folder / f"{number}.jsonl" for number in (1, 2, 3)]
    for number, log in enumerate(logs, 1):
        run(Selection(RUNTIMES, OPS, shard=Shard(number, 3)), log)
    return logs


def test_every_row_is_in_just_one_part() -> None:
    specs = load_all()
    whole = select(specs, Selection(()))
    parts = [select(specs, Selection((), shard=Shard(number, 7))) for number in range(1, 8)]
    assert sorted(pair for part in parts for pair in part) == sorted(whole)
    assert max(map(len, parts)) < 2 * min(map(len, parts))


def test_the_merged_log_is_that_of_one_machine(whole: Path, parts: list[Path], tmp_path: Path) -> None:
    result = merge(parts[::-1], tmp_path / "merged.jsonl")
    assert without_times(tmp_path / "merged.jsonl") == without_times(whole)
    assert result.exit == json.loads(whole.read_text().splitlines()[-1])["exit"]


def test_a_surprise_in_one_part_fails_the_merged_run(tmp_path: Path) -> None:
    logs = [tmp_path / "1.jsonl", tmp_path / "2.jsonl"]
    ended = [run(Selection(("lite",), ("ABS",), shard=Shard(n, 2)), log) for n, log in enumerate(logs, 1)]
    assert [result.exit for result in ended] == [0, 0]
    lines = logs[0].read_text().splitlines()
    broken = [json.loads(line) for line in lines]
    victim = next(line for line in broken if line["kind"] == "case")
    victim.update(verdict="wrong-value", expected=False)
    logs[0].write_text("".join(json.dumps(line) + "\n" for line in broken))
    assert merge(logs, tmp_path / "merged.jsonl").exit == 1


def test_a_part_without_rows_is_complete(tmp_path: Path) -> None:
    specs = load_all()
    chosen = ("RANK",), ("float32",)
    empty = next(n for n in range(1, 50) if not select(specs, Selection((), *chosen, shard=Shard(n, 50))))
    result = run(Selection(("lite",), *chosen, shard=Shard(empty, 50)), tmp_path / "run.jsonl")
    assert (result.exit, result.footer["cases"]) == (0, 0)


def changed(log: Path, change: Callable[[list[dict[str, Any]]], Any]) -> None:
    lines = [json.loads(text) for text in log.read_text().splitlines()]
    change(lines)
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda lines: lines.pop(), r"1\.jsonl: is incomplete; finish it with opconform run --resume"),
        (lambda lines: lines[0].update(seed=7), "was made with seed"),
        (lambda lines: lines[0]["selection"].pop("shard"), "is no part of a run"),
        (lambda lines: lines[0]["selection"].update(ops=["*"]), "another selection"),
        (lambda lines: lines[0]["selection"].update(shard="2/3"), "give each once"),
        (lambda lines: lines.pop(0), "its first line is no header"),
        (lambda lines: lines[0].pop("selection"), r"1\.jsonl:1: its header line has no 'selection'"),
        (
            lambda lines: lines[0].update(selection=3),
            r"1\.jsonl:1: its header line's 'selection': found a number 3, allowed is an object",
        ),
        (lambda lines: lines[0]["selection"].update(shard="9/3"), r"1\.jsonl:1: '9/3' is no part of a run"),
        (lambda lines: lines[0]["selection"].update(shard=5), r"'5' is no part of a run"),
        (lambda lines: lines[-1].pop("stale"), "its footer line has no 'stale'"),
        (lambda lines: lines.pop(-2), r"has \d+ lines, its footer says \d+; the log is damaged"),
    ],
)
def test_logs_that_do_not_belong_together_are_refused(
    parts: list[Path], tmp_path: Path, change: Callable[[list[dict[str, Any]]], Any], text: str
) -> None:
    logs = [Path(shutil.copy(log, tmp_path)) for log in parts]
    changed(logs[0], change)
    with pytest.raises(LogError, match=text):
        merge(logs, tmp_path / "merged.jsonl")


def first(lines: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return next(line for line in lines if line["kind"] == kind)


@pytest.mark.parametrize(
    ("kind", "key", "value", "text"),
    [
        ("header", "runtimes", ["lite"], "item 0: found text 'lite', allowed is an object"),
        ("header", "started", 3, "found a number 3, allowed is text"),
        ("header", "tier", "most", "its tier is 'most'; allowed: smoke, pr, nightly"),
        ("spec", "rows", None, "found null None, allowed is a list"),
        ("case", "cases", "many", "found text 'many', allowed is a whole number"),
        ("case", "cases", True, "found a true/false True, allowed is a whole number"),
        ("case", "verdict", {}, "found an object {}, allowed is text"),
        ("case", "expected", [], r"found a list \[\], allowed is true or false or text"),
        ("case", "expectation", [1], "allowed is text"),
        ("case", "runtime", "other", r"its runtime is 'other@\w+'; allowed: lite@host, litert@ref"),
        ("case", "kind", [1], r"its kind is \[1\]; allowed: header, spec"),
        ("case", "kind", "cas", "its kind is 'cas'; allowed: header, spec"),
        ("case", "kind", "footer", "its footer line has no"),
        ("coverage", "clauses", 3, "found a number 3, allowed is an object"),
        ("coverage", "clauses", {"C1": "x"}, "key 'C1': found text 'x', allowed is a whole number"),
        ("coverage", "row", "int5", "belongs to no row or model"),
        ("footer", "cases", 1, r"has \d+ cases, its footer says 1"),
        ("footer", "stale", 4, "found a number 4, allowed is a list"),
        ("footer", "seconds", "x", "found text 'x', allowed is a number"),
        ("footer", "seconds", 10**400, "allowed is a number that a float can hold"),
        ("footer", "thin", [{}], "item 0: found an object {}, allowed is text"),
        ("footer", "thin", ["much"], "its footer calls 'much' thin: no row that it has"),
    ],
)
def test_a_value_that_no_run_writes_is_one_line_with_where_found_and_allowed(
    parts: list[Path], tmp_path: Path, kind: str, key: str, value: Any, text: str
) -> None:
    logs = [Path(shutil.copy(log, tmp_path)) for log in parts]
    for log in logs:  # in all, so that it is not the difference that is refused; a small part may have no such line
        if f'"kind":"{kind}"' in log.read_text():
            changed(log, lambda lines: first(lines, kind).update({key: value}))
    with pytest.raises(
        LogError, match=rf"^\S+\.jsonl(:\d+)?: [^\n]*{text}[^\n]*; the log is damaged: run the part again$"
    ):
        merge(logs, tmp_path / "merged.jsonl")


def test_a_row_that_two_parts_ran_is_refused(parts: list[Path], tmp_path: Path) -> None:
    logs = [Path(shutil.copy(log, tmp_path)) for log in parts]
    stolen = next(line for log in logs[1:] for line in without_times(log) if line["kind"] == "coverage")

    def add(lines: list[dict[str, Any]]) -> None:
        lines.insert(-1, stolen)
        lines[-1]["lines"] += 1

    changed(logs[0], add)
    with pytest.raises(LogError, match=r"\.jsonl:\d+: its \w+ line belongs to no row or model, or to one that another"):
        merge(logs, tmp_path / "merged.jsonl")


def test_a_damaged_log_is_not_resumed(parts: list[Path], tmp_path: Path) -> None:
    log = Path(shutil.copy(parts[0], tmp_path))
    changed(log, lambda lines: first(lines, "coverage").update(op=3))
    with pytest.raises(LogError, match=r"its coverage line's 'op': found a number 3, allowed is text; the log is"):
        run(Selection(RUNTIMES, OPS, shard=Shard(1, 3)), log, resume=True)


@pytest.mark.parametrize("link", [False, True])
def test_merging_overwrites_no_part(parts: list[Path], tmp_path: Path, link: bool) -> None:
    before = parts[0].read_bytes()
    log = tmp_path / "merged.jsonl" if link else parts[0]
    if link:
        log.symlink_to(parts[0])
    with pytest.raises(LogError, match="is one of the parts, which would be overwritten; give another --log"):
        merge(parts, log)
    assert parts[0].read_bytes() == before


def test_a_merge_that_is_stopped_leaves_an_incomplete_log_and_whole_parts(
    whole: Path, parts: list[Path], tmp_path: Path
) -> None:
    before = [part.read_bytes() for part in parts]
    merged = tmp_path / "merged.jsonl"

    def stopped(line: Mapping[str, Any]) -> None:
        if line["kind"] == "coverage":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        merge(parts, merged, stopped)
    assert "footer" not in {json.loads(line)["kind"] for line in merged.read_text().splitlines()}
    assert [part.read_bytes() for part in parts] == before
    merge(parts, merged)
    assert without_times(merged) == without_times(whole)


def test_a_missing_part_is_named(parts: list[Path], tmp_path: Path) -> None:
    with pytest.raises(LogError, match=r"parts 2/3 are missing"):
        merge([parts[0], parts[2]], tmp_path / "merged.jsonl")


@pytest.mark.parametrize("text", ["", "3", "0/2", "3/2", "1/0", "-1/2", "a/b", "1/2/3", "1/1000000"])
def test_a_part_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape("allowed: K/N")):
        parse_shard(text)
