"""Known deviations: what an entry covers, how a file is read, and that it is strict both ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from opconform.harness import runner
from opconform.harness.expectations import Expectation, explain, load_expectations
from opconform.harness.generate.engine import TIERS
from opconform.harness.runner import Selection
from opconform.harness.unit import run_unit
from opconform.harness.yamlish import SpecError

ENTRY = Expectation("fake", "ABS/int*", ("wrong-value",), "rounds down", "runtimes/fake/expected.yaml:3")


@pytest.mark.parametrize(
    ("changes", "explained"),
    [
        ({}, True),
        ({"case": "ABS"}, True),
        ({"case": "*/int32"}, True),
        ({"case": "ABS/int32/0*"}, True),
        ({"case": "ABS/int32/1*"}, False),
        ({"case": "ADD/*"}, False),
        ({"case": "ABS/float*"}, False),
        ({"expect": ("crash",)}, False),
        ({"expect": ("crash", "wrong-value")}, True),
        ({"clause": ("T2",)}, True),
        ({"clause": ("E*",)}, False),
        ({"at": ("ref",)}, True),
        ({"at": ("cortex-*",)}, False),
        ({"runtime": "other"}, False),
    ],
)
def test_an_entry_explains_exactly_what_it_says(core: SimpleNamespace, changes: Any, explained: bool) -> None:
    case = replace(core.case((1,), x=[1.0]), id="ABS/int32/000", op="ABS", row="int32")
    found = explain([replace(ENTRY, **changes)], "fake", "ref", case, "wrong-value", "T2")
    assert (found is not None) == explained


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("case: ABS\n", "a list of expectations is needed"),
        ("- ABS\n", "an expectation is a mapping"),
        ("- {case: ABS, expect: crash}\n", "lacks 'because'; add it"),
        ("- {case: ABS, because: x}\n", "lacks 'expect'; add it"),
        ("- {case: ABS, expect: pass, because: x}\n", "'pass' is no verdict"),
        ("- {case: ABS, expect: wrong, because: x}\n", "'wrong' is no verdict; known: wrong-value"),
        ("- {case: ABS, expect: crash, because: <why>}\n", "still a placeholder; write the reason"),
        ("- {case: ABS, expect: crash, because: x, reason: y}\n", "unknown key 'reason'; allowed: case"),
    ],
)
def test_a_bad_entry_is_one_line_with_file_and_line(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "expected.yaml").write_text(text)
    with pytest.raises(SpecError, match=r"expected\.yaml:1: ") as caught:
        load_expectations("fake", tmp_path / "expected.yaml")
    assert words in str(caught.value)


def test_no_file_is_no_expectation(tmp_path: Path) -> None:
    assert load_expectations("fake", tmp_path / "none.yaml") == ()


def off_by_one(inputs: Sequence[Any]) -> list[Any]:
    return [np.abs(inputs[0]) + 1]


def lines_of(core: SimpleNamespace, answer: Any, entries: Sequence[Expectation]) -> list[Any]:
    spec = core.parse(core.abs_text, "abs.yaml")
    seat = core.seat(core.executor(answer), expectations=entries)
    return run_unit(spec, "int32", [seat], core.oracle, TIERS["smoke"], 0)


def test_a_known_deviation_is_expected_with_its_reason_and_is_not_shrunk(core: SimpleNamespace) -> None:
    lines = lines_of(core, off_by_one, [ENTRY])
    wrong = [line for line in lines if line["kind"] == "case" and line["verdict"] == "wrong-value"]
    assert wrong
    assert {line["expected"] for line in wrong} == {"rounds down"}
    failure = next(line for line in lines if line["kind"] == "failure")
    assert failure["case"] == failure["original"]
    assert failure["because"] == "rounds down"


def test_an_unexpected_failure_is_described_although_a_known_one_of_its_kind_came_first(core: SimpleNamespace) -> None:
    wrong = [line for line in lines_of(core, off_by_one, []) if line.get("verdict") == "wrong-value"]
    entry = replace(ENTRY, case=wrong[0]["case"])
    failures = [line for line in lines_of(core, off_by_one, [entry]) if line["kind"] == "failure"]
    assert [line["expected"] for line in failures] == ["rounds down", False]
    assert failures[1]["original"] != wrong[0]["case"]


def test_an_example_that_passes_now_is_a_surprise_that_fails(core: SimpleNamespace) -> None:
    shown = next(line["case"] for line in lines_of(core, off_by_one, []) if line["kind"] == "failure")
    entry = replace(ENTRY, example=shown)
    lines = lines_of(core, lambda inputs: [np.abs(inputs[0])], [entry])
    surprises = [line for line in lines if line["kind"] == "case" and line["expected"] is False]
    assert len(surprises) == 1
    assert "it passes; remove the expectation" in surprises[0]["message"]
    assert not [line for line in lines_of(core, off_by_one, [entry]) if line.get("expected") is False]


def outcome(core: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, wrong: str, entries: Any) -> runner.Result:
    mine = tuple(replace(entry, runtime="inprocess") for entry in entries)
    monkeypatch.setattr(runner, "expectations_of", lambda handle: mine)
    return runner.run(Selection((core.runtime(wrong),), ("ADD",), folder=core.folder), None)


def test_an_entry_that_matches_nothing_fails_the_run(core: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = replace(ENTRY, case="ADD/*")
    assert outcome(core, monkeypatch, "0", []).exit == 0
    found = outcome(core, monkeypatch, "0", [entry])
    assert found.exit == 1
    assert "runtimes/fake/expected.yaml:3" in found.footer["stale"][0]
    assert "matched nothing; remove it or mend its glob" in found.footer["stale"][0]


def test_an_entry_of_rows_that_did_not_run_is_not_stale(core: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    assert outcome(core, monkeypatch, "0", [replace(ENTRY, case="ABS/*")]).exit == 0


def test_a_deviation_fails_the_run_until_it_is_known(core: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    assert outcome(core, monkeypatch, "100", []).exit == 1
    assert outcome(core, monkeypatch, "100", [replace(ENTRY, case="ADD/*")]).exit == 0
