"""Expectations rewritten from a log: grouped, kept, cut out, refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from opconform.harness.cli import expect
from opconform.harness.expectations import load_expectations
from opconform.harness.expectations_update import entries, joined, without
from opconform.harness.runtime import Manifest

FAKE = Manifest(name="fake")


def case(op: str, row: str, verdict: str = "pass", clause: str = "", **more: Any) -> dict[str, Any]:
    expected = more.pop("expected", verdict == "pass")
    line = {"kind": "case", "case": f"{op}/{row}/000", "op": op, "row": row, "runtime": "fake", "target": "host"}
    return {**line, "verdict": verdict, "expected": expected, "clause": clause, "message": "m", "cases": 1, **more}


def failure(op: str, row: str, verdict: str, clause: str, **more: Any) -> dict[str, Any]:
    return {**case(op, row, verdict, clause), "kind": "failure", "case": f"{op}/{row}/zzz", **more}


def added(*lines: dict[str, Any], manifest: Manifest = FAKE) -> list[dict[str, Any]]:
    return [yaml.safe_load(text)[0] for _, text in entries(lines, manifest)]


def test_rows_of_an_op_that_fail_alike_share_one_entry() -> None:
    rows = ("float32", "int8", "int16")
    found = added(*(case("ADD", row, "accepts-invalid", "E1") for row in rows), case("ADD", "float32", "pass", "T1"))
    assert [(one["case"], one["expect"], one["clause"]) for one in found] == [("ADD/*", "accepts-invalid", "E1")]


def test_a_row_on_which_the_clause_holds_is_not_covered() -> None:
    lines = [case("ADD", row, "crash", "E1") for row in ("int8", "int16")] + [case("ADD", "float32", "pass", "E1")]
    assert [one["case"] for one in added(*lines)] == ["ADD/int*"]
    lines.append(case("ADD", "int32", "pass", "E1"))
    assert [one["case"] for one in added(*lines)] == ["ADD/int8", "ADD/int16"]


def test_a_crash_that_cites_no_clause_does_not_cover_rows_that_pass() -> None:
    lines = [case("ADD", "int8", "crash"), case("ADD", "int16", "crash"), case("ADD", "uint8", "pass", "T1")]
    assert [one["case"] for one in added(*lines)] == ["ADD/int*"]


def test_other_verdicts_ops_and_clauses_are_entries_of_their_own() -> None:
    lines = [
        case("ADD", "int8", "crash", "E1"),
        case("ADD", "int8", "accepts-invalid", "E2"),
        case("MUL", "int8", "crash", "E1"),
    ]
    assert len(added(*lines)) == 3


def test_the_example_is_the_shrunk_case_and_a_law_has_none() -> None:
    lines = [case("ADD", "int8", "wrong-value", "T2"), failure("ADD", "int8", "wrong-value", "T2")]
    assert added(*lines)[0]["example"] == "ADD/int8/zzz"
    lines = [case("ADD", "int8", "wrong-value", "L1"), failure("ADD", "int8", "wrong-value", "L1", law="odd")]
    assert "example" not in added(*lines)[0]


def test_what_is_known_what_passes_and_what_failed_to_run_adds_nothing() -> None:
    lines = [case("ADD", "int8", "crash", expected="known"), case("ADD", "int8"), case("ADD", "int8", "infra")]
    assert added(*lines) == []


def test_variants_are_named_and_boards_are_not() -> None:
    lines = [case("ADD", "int8", "crash", "E1", target=at) for at in ("ref",)]
    variants = Manifest(name="fake", variants=("ref", "xnnpack"), targets=("host",))
    assert added(*lines, manifest=variants)[0]["at"] == ["ref"]
    boards = Manifest(name="fake", targets=("cortex-m3", "cortex-m4"))
    assert "at" not in added(case("ADD", "int8", "crash", target="cortex-m4"), manifest=boards)[0]
    mixed = [case("ADD", "int8", "crash", target="cortex-m4"), case("ADD", "int8", target="cortex-m3")]
    assert added(*mixed, manifest=boards)[0]["at"] == ["cortex-m4"]


def test_cutting_out_an_entry_keeps_comments_and_the_other_entries() -> None:
    text = "# head\n- case: A\n  because: one\n\n# about B\n- {case: B, because: two}\n"
    text += "- case: C\n  because: >\n    three\n"
    assert without(text, [6]) == text.replace("- {case: B, because: two}\n", "")
    assert without(text, [2]) == text.replace("- case: A\n  because: one\n", "")
    assert without(text, [7]) == text[: text.index("- case: C")]
    assert joined("", []) == "[]\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "runtimes" / "litert" / "expected"
    path.mkdir(parents=True)
    monkeypatch.setattr(expect, "expected_folder", lambda name: path)
    return path


def write_log(path: Path, lines: list[dict[str, Any]], stale: list[str], complete: bool = True) -> Path:
    header = {"kind": "header", "runtimes": [{"name": "litert", "target": "ref"}]}
    footer = [{"kind": "footer", "complete": True, "stale": stale}] if complete else []
    mine = [{**line, "runtime": "litert", "target": "ref"} for line in lines]
    path.write_text("".join(json.dumps(line) + "\n" for line in [header, *mine, *footer]))
    return path


def test_update_adds_keeps_and_cuts_out(opconform: Callable[..., Any], home: Path, tmp_path: Path) -> None:
    old = "# why we live with it\n- {case: ADD/int8, expect: crash, because: old}\n"
    (home / "add.yaml").write_text(old)
    (home / "mul.yaml").write_text("- {case: MUL/*, expect: crash, because: gone}\n")
    stale = ["runtimes/litert/expected/mul.yaml:1: litert@ref MUL/*: matched nothing; remove it or mend its glob"]
    lines = [case("ADD", "int8", "crash", expected="old"), case("MUL", "int8"), case("DIV", "int8", "wrong-shape")]
    log = write_log(tmp_path / "log", lines, stale)
    assert opconform("expect", "--update", log).code == 0
    text = (home / "div.yaml").read_text()
    assert '- case: "DIV/int8"' in text
    assert (home / "add.yaml").read_text() == old
    with pytest.raises(Exception, match="placeholder; write the reason"):
        load_expectations("litert", home)
    (home / "div.yaml").write_text(text.replace("<why this runtime does that, and why it may>", "reasons"))
    lines[-1]["expected"] = "reasons"
    log = write_log(tmp_path / "log", lines, stale)
    assert opconform("expect", "--update", log, "--prune").code == 0
    assert [entry.case for entry in load_expectations("litert", home)] == ["ADD/int8", "DIV/int8"]
    assert (home / "add.yaml").read_text() == old
    assert not (home / "mul.yaml").exists()


def test_an_example_that_is_gone_is_renewed_by_the_smallest_case_that_the_entry_explained(
    opconform: Callable[..., Any], home: Path, tmp_path: Path
) -> None:
    old = "# a\n- case: ADD\n  expect: crash\n  because: old\n  example: ADD/int8/0aa\n"
    (home / "add.yaml").write_text(old + "- {case: ADD, expect: timeout, because: b, example: ADD/int8/0bb}\n")
    where = "runtimes/litert/expected/add.yaml"
    known: dict[str, Any] = {"expected": "old", "expectation": f"{where}:2"}
    lines = [
        {**case("ADD", "int8", "crash", **known), "case": "ADD/int8/1large", "shapes": {"x": [9, 9]}},
        {**case("ADD", "int8", "crash", **known), "case": "ADD/int8/1small", "shapes": {"x": [2]}},
        {"kind": "note", "op": "ADD", "row": "int8", "message": f"{where}:2: no case", "stale": f"{where}:2"},
        {
            **case("ADD", "int8", expected=False),
            "message": f"{where}:6 expects timeout, but it passes; remove the expectation",
        },
    ]
    assert opconform("expect", "--update", write_log(tmp_path / "log", lines, []), "--refresh").code == 0
    text = (home / "add.yaml").read_text()
    assert text.startswith(old.replace("0aa", "1small"))
    assert "example: ADD/int8/0bb" in text


def test_an_incomplete_or_broken_log_is_refused(refused: Callable[..., str], home: Path, tmp_path: Path) -> None:
    log = write_log(tmp_path / "log", [case("ADD", "int8", "crash")], [], complete=False)
    assert "is incomplete (no footer); finish the run with --resume first" in refused("expect", "--update", log)
    log.write_text('{"kind": "header"')
    assert "is no whole run log" in refused("expect", "--update", log)
    log.write_text("{}\n")
    assert "is no run log" in refused("expect", "--update", log)
    log = write_log(tmp_path / "log", [case("ADD", "int8")], [])
    assert "runtime lite did not run in it; it has litert" in refused("expect", "--update", log, "--runtime", "lite")
    assert not list(home.iterdir())


def test_check_finds_entries_that_cannot_match(opconform: Callable[..., Any], home: Path) -> None:
    parts = ("case: ADD/int9", "at: cortex-m4", "clause: E77", "example: ADD/int8/0zz", "issue: none")
    entries = [part if part.startswith("case") else f"case: ADD/int8, {part}" for part in parts]
    (home / "add.yaml").write_text("".join(f"- {{{entry}, expect: crash, because: x}}\n" for entry in entries))
    ended = opconform("expect", "--check", "--runtime", "litert")
    assert ended.code == 1
    found = ended.out.splitlines()
    for line, words in ((1, "matches no row"), (2, "no target or variant"), (3, "is no clause"), (4, "mistyped")):
        assert any(f"expected/add.yaml:{line}: " in text and words in text for text in found), (line, found)
    assert not any("add.yaml:5" in text for text in found)
