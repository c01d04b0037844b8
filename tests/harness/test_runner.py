"""Whole runs: reproducible logs, several processes, interruptions, full disks, and every way to end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from opconform.harness.generate.engine import TIERS
from opconform.harness.model import Crashed, Declined, Infra, Outcome, Rejected, TimedOut
from opconform.harness.registry import UnknownRuntime
from opconform.harness.runlog import LogError
from opconform.harness.runner import NothingSelected, Result, Selection, run, select
from opconform.harness.runtime import Limit
from opconform.harness.unit import run_unit

TIMES = ("started", "seconds", "time")


def timeless(path: Path) -> list[Any]:
    """Return the lines of a log without what may differ between two equal runs."""
    return [without_times(json.loads(text)) for text in path.read_text().splitlines()]


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_times(part) for key, part in value.items() if key not in TIMES}
    return [without_times(part) for part in value] if isinstance(value, list) else value


def go(core: SimpleNamespace, log: Path | None, runtime: str, resume: bool = False, **changes: Any) -> Result:
    return run(Selection((runtime,), folder=core.folder, **changes), log, resume)


def test_the_same_seed_gives_the_same_log_in_one_process_or_two(core: SimpleNamespace, tmp_path: Path) -> None:
    runtime = core.runtime("100")
    for name, jobs in (("a", 1), ("b", 1), ("c", 2)):
        go(core, tmp_path / name, runtime, jobs=jobs)
    go(core, tmp_path / "other", runtime, seed=1)
    assert timeless(tmp_path / "a") == timeless(tmp_path / "b") == timeless(tmp_path / "c")
    assert timeless(tmp_path / "a")[1:] != timeless(tmp_path / "other")[1:]


def test_a_log_has_header_footer_and_coverage_of_every_row(core: SimpleNamespace, tmp_path: Path) -> None:
    result = go(core, tmp_path / "log", core.runtime())
    lines = timeless(tmp_path / "log")
    assert (lines[0]["kind"], lines[-1]["kind"], lines[-1]["complete"]) == ("header", "footer", True)
    assert lines[-1]["lines"] == len(lines)
    covered = [(line["op"], line["row"]) for line in lines if line["kind"] == "coverage"]
    assert covered == [("ABS", "float32"), ("ABS", "int32"), ("ADD", "float32")]
    cases = [line for line in lines if line["kind"] == "case"]
    assert sum(line["cases"] for line in cases) == lines[-1]["cases"] == result.footer["cases"]
    keys = {"case", "op", "row", "runtime", "target", "verdict", "clause", "error", "limit", "cases"}
    assert all(keys <= set(line) for line in cases)
    assert result.exit == 0


@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
def test_a_run_that_was_killed_goes_on_to_the_same_log(core: SimpleNamespace, tmp_path: Path, part: float) -> None:
    runtime, log = core.runtime("100"), tmp_path / "log"
    go(core, log, runtime)
    whole, data = timeless(log), log.read_bytes()
    log.write_bytes(data[: int(len(data) * part)])  # cut anywhere, mostly inside a line
    go(core, log, runtime, resume=True)
    assert timeless(log) == whole


def test_a_run_is_only_resumed_with_its_own_settings(core: SimpleNamespace, tmp_path: Path) -> None:
    runtime, log = core.runtime(), tmp_path / "log"
    go(core, log, runtime)
    with pytest.raises(LogError, match="is complete already"):
        go(core, log, runtime, resume=True)
    log.write_text("\n".join(log.read_text().splitlines()[:-1]) + "\n")
    with pytest.raises(LogError, match="was made with seed 0, this run has 1"):
        go(core, log, runtime, resume=True, seed=1)
    log.write_text("not a log\n")
    with pytest.raises(LogError, match="no header"):
        go(core, log, runtime, resume=True)
    with pytest.raises(LogError, match="cannot be resumed"):
        go(core, tmp_path / "none", runtime, resume=True)


def test_a_damaged_log_is_refused_with_its_line(core: SimpleNamespace, tmp_path: Path) -> None:
    runtime, log = core.runtime(), tmp_path / "log"
    go(core, log, runtime)
    lines = log.read_text().splitlines()
    log.write_text("\n".join([lines[0], "{broken", *lines[2:-1]]) + "\n")
    with pytest.raises(LogError, match=r"log:2: is no JSON; the log is damaged"):
        go(core, log, runtime, resume=True)


def test_ctrl_c_keeps_what_was_measured(core: SimpleNamespace, tmp_path: Path) -> None:
    runtime, log = core.runtime(), tmp_path / "log"

    def interrupt(line: Any) -> None:
        if line["kind"] == "coverage":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(Selection((runtime,), folder=core.folder), log, False, interrupt)
    kinds = [line["kind"] for line in timeless(log)]
    assert kinds.count("coverage") == 1
    assert "footer" not in kinds
    assert go(core, log, runtime, resume=True).exit == 0


def test_a_full_disk_is_one_line_that_says_how_to_go_on(core: SimpleNamespace) -> None:
    with pytest.raises(LogError, match=r"/dev/full: No space left on device; .*free space and use --resume"):
        go(core, Path("/dev/full"), core.runtime())


def test_a_log_that_cannot_be_written_is_one_line(core: SimpleNamespace, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LogError, match=r"cannot be written: .*; give another --log"):
        go(core, tmp_path / "file" / "log", core.runtime())


def test_unknown_ops_rows_and_runtimes_list_the_known_ones(core: SimpleNamespace) -> None:
    with pytest.raises(NothingSelected, match="--op CONV: matches no op; ops: ABS, ADD"):
        go(core, None, core.runtime(), ops=("CONV",))
    with pytest.raises(NothingSelected, match="--row int9: matches no row; rows: float32, int32"):
        go(core, None, core.runtime(), rows=("int9",))
    with pytest.raises(UnknownRuntime, match="unknown runtime 'nope', known are"):
        go(core, None, "nope")


def test_globs_select_ops_and_rows(core: SimpleNamespace) -> None:
    specs = {"ABS": core.parse(core.abs_text, "a"), "ADD": core.parse(core.add_text, "b")}
    assert select(specs, Selection((), ("a*",), ("int*",))) == [("ABS", "int32")]
    assert len(select(specs, Selection((), ("*",), ("float32",)))) == 2


def test_a_run_below_the_floor_of_its_tier_fails(core: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    few = TIERS["smoke"].__class__("smoke", 1, 1, 1, 0, 0, floor=1000)
    monkeypatch.setitem(TIERS, "smoke", few)
    result = go(core, None, core.runtime(), ops=("ADD",))
    assert result.exit == 1
    assert "the tier asks for 1000" in result.footer["thin"][0]


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [
        (Declined("no such op"), "declined"),
        (Rejected("bad"), "rejects-valid"),
        (Crashed("SIGSEGV"), "crash"),
        (TimedOut(1.0), "timeout"),
        (Infra("no frame"), "infra"),
    ],
)
def test_no_outcome_is_lost_and_each_is_unexpected_where_the_row_is_claimed(
    core: SimpleNamespace, outcome: Any, verdict: str
) -> None:
    lines = unit(core, [core.seat(core.executor(outcome=outcome))])
    legal = [line for line in lines if line["kind"] == "case" and line["clause"] != "E1"]
    assert {line["verdict"] for line in legal} == {verdict}
    assert {line["expected"] for line in legal} == {False}


def test_after_three_cases_without_an_answer_the_rest_of_a_row_is_not_asked(core: SimpleNamespace) -> None:
    executor = core.executor(outcome=TimedOut(1.0))
    lines = unit(core, [core.seat(executor)])
    assert [line["verdict"] for line in lines if line["kind"] == "case"] == ["timeout"] * 3
    assert executor.runs == 3, "what hangs is not shrunk: each run would cost the whole deadline"
    (note,) = [line["message"] for line in lines if line["kind"] == "note"]
    assert note.endswith("3 cases were not answered in time; it is asked no more of this row")


def test_a_law_whose_case_crashes_the_runtime_is_a_crash_and_says_how(core: SimpleNamespace) -> None:
    executor = core.executor(lambda vector: [np.abs(vector[0])])
    answer = executor.execute

    def dies_on_each_second(model: bytes, vectors: Sequence[Any]) -> Outcome:
        outcome = answer(model, vectors)
        return outcome if executor.runs % 2 else Crashed("SIGSEGV during OPEN")

    executor.execute = dies_on_each_second
    lines = unit(core, [core.seat(executor)])
    laws = [line for line in lines if line["kind"] == "failure" and "law" in line]
    assert {line["verdict"] for line in laws} == {"crash"}
    assert all("the derived case is not answered: SIGSEGV during OPEN" in line["message"] for line in laws)


def test_a_runtime_that_does_not_claim_a_row_is_tried_once_with_one_vector_and_fails_nothing(
    core: SimpleNamespace,
) -> None:
    seat = core.seat(core.executor(outcome=Declined("no")), rows=("ADD/*",))
    lines = unit(core, [seat])
    cases = [line for line in lines if line["kind"] == "case"]
    assert [(line["expected"], line["cases"]) for line in cases] == [("not claimed", 1)]
    assert seat.executor.runs == 1
    assert lines[-1] == {"kind": "coverage", "op": "ABS", "row": "int32", "clauses": {}}


def test_a_runtime_that_does_not_claim_a_row_takes_no_part_where_another_does(core: SimpleNamespace) -> None:
    right, wrong = (core.executor(lambda inputs, add=add: [abs(inputs[0]) + add]) for add in (0, 1))
    lines = unit(core, [core.seat(right), core.seat(wrong, rows=("ADD/*",), name="other")])
    others = [line for line in lines if line.get("runtime") == "other"]
    assert [(line["kind"], line["expected"]) for line in others] == [("case", "not claimed")]
    assert not [line for line in lines if line["kind"] == "agreement"]


def test_where_runtimes_differ_the_outlier_is_named(core: SimpleNamespace) -> None:
    answers = [abs, abs, lambda x: abs(x) + 1]
    seats = [core.seat(core.executor(lambda i, f=f: [f(i[0])]), name=f"r{n}") for n, f in enumerate(answers)]
    found = [line for line in unit(core, seats) if line["kind"] == "agreement"]
    assert found
    assert {line["outlier"] for line in found} == {"r2@host"}
    assert found[0]["groups"] == [["r0@host", "r1@host"], ["r2@host"]]


def test_coverage_counts_what_was_exercised_and_shows_what_was_not(core: SimpleNamespace) -> None:
    text = core.add_text.replace("{enum: [NONE, RELU]}", "{enum: [NONE, RELU, RELU6]}")
    seat = core.seat(core.executor(lambda inputs: [inputs[0] + inputs[1]]))
    lines = unit(core, [seat], text, "float32")
    clauses = next(line["clauses"] for line in lines if line["kind"] == "coverage")
    assert all(clauses[f"activation={name}"] > 0 for name in ("NONE", "RELU", "RELU6"))
    assert clauses["T1"] > 0


def test_what_no_runtime_was_judged_by_is_not_covered(core: SimpleNamespace) -> None:
    def declining(rows: tuple[str, ...]) -> Any:
        return coverage_of(core, core.seat(core.executor(outcome=Declined("no")), rows=rows))

    assert declining(rows=("ABS/*",)) == {"R1": 0, "T2": 0}
    assert declining(rows=()) == {}  # it is tried on all rows, and owes none


def test_a_case_that_a_declared_limit_takes_out_is_not_covered(core: SimpleNamespace) -> None:
    limits = (Limit("ADD/*", "activation == 'RELU'", "no RELU here"),)
    clauses = coverage_of(
        core, core.seat(core.executor(lambda inputs: [inputs[0] + inputs[1]]), limits=limits), core.add_text, "float32"
    )
    assert clauses["activation=RELU"] == 0
    assert clauses["activation=NONE"] > 0


def coverage_of(core: SimpleNamespace, seat: Any, text: str = "", row: str = "int32") -> Any:
    return unit(core, [seat], text, row)[-1]["clauses"]


def unit(core: SimpleNamespace, seats: Sequence[Any], text: str = "", row: str = "int32") -> list[Any]:
    spec = core.parse(text or core.abs_text, "spec.yaml")
    return run_unit(spec, row, seats, core.oracle, TIERS["smoke"], 0)
