"""Whole models in a run: the log is the same whoever works on it; parts merge, a broken-off run goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from opconform.harness.flatread import ModelError
from opconform.harness.runlog import LogError
from opconform.harness.runner import Result, Selection, merge, run
from opconform.harness.shards import Shard
from opconform.reports.diff import diff
from opconform.reports.log import read

FAKES = Path(__file__).parents[1] / "fakes" / "whole_models.py"
RIGHT, WRONG = f"{FAKES}:Right", f"{FAKES}:WrongLayer"
GLOBS = ("dense_*", "tabular_int8")
NAMES = ["dense_float32", "dense_dynamic_range", "dense_int8", "dense_int16x8", "tabular_int8"]
TIMES = ("started", "seconds")


def go(log: Path | None, runtime: str = RIGHT, resume: bool = False, **changes: Any) -> Result:
    told = {"ops": ("ABS",), "rows": ("float32",), "models": GLOBS} | changes
    return run(Selection((runtime,), **told), log, resume)


def timeless(path: Path) -> list[dict[str, Any]]:
    lines = [json.loads(text) for text in path.read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in TIMES} for line in lines]


def of_kind(path: Path, kind: str) -> list[dict[str, Any]]:
    return [line for line in timeless(path) if line["kind"] == kind]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    log = tmp_path_factory.mktemp("whole") / "run.jsonl"
    go(log)
    return log


def test_every_model_has_a_line_for_each_runtime_and_one_of_its_own_behind_them(whole: Path) -> None:
    lines = [line for line in timeless(whole) if line["kind"] in ("model", "graph")]
    assert [(line["kind"], line["model"]) for line in lines] == [
        (kind, name) for name in NAMES for kind in ("model", "graph")
    ]
    kinds = [line["kind"] for line in timeless(whole)]
    assert kinds.index("model") > max(n for n, kind in enumerate(kinds) if kind == "coverage")
    assert of_kind(whole, "footer")[0]["models"] == {"pass": len(NAMES)}


def test_processes_that_share_the_models_write_the_same_log(whole: Path, tmp_path: Path) -> None:
    go(tmp_path / "two.jsonl", jobs=2)
    assert timeless(tmp_path / "two.jsonl") == timeless(whole)


def test_merged_parts_are_the_log_of_one_machine(whole: Path, tmp_path: Path) -> None:
    parts = [tmp_path / f"{number}.jsonl" for number in (1, 2)]
    for number, part in enumerate(parts, 1):
        go(part, shard=Shard(number, 2))
    assert all(of_kind(part, "graph") for part in parts)
    result = merge(parts[::-1], tmp_path / "merged.jsonl")
    assert timeless(tmp_path / "merged.jsonl") == timeless(whole)
    assert result.footer["models"] == {"pass": len(NAMES)}


def test_parts_with_other_models_are_no_parts_of_one_run(tmp_path: Path) -> None:
    go(tmp_path / "1.jsonl", shard=Shard(1, 2))
    go(tmp_path / "2.jsonl", shard=Shard(2, 2), models=("dense_int8",))
    with pytest.raises(LogError, match="a part of another selection"):
        merge([tmp_path / "1.jsonl", tmp_path / "2.jsonl"], tmp_path / "merged.jsonl")


def test_a_run_that_was_broken_off_amid_the_models_goes_on_with_the_next(whole: Path, tmp_path: Path) -> None:
    lines = whole.read_text().splitlines(keepends=True)
    second = [n for n, text in enumerate(lines) if '"kind":"graph"' in text][1]
    log = tmp_path / "run.jsonl"
    log.write_text("".join(lines[: second + 2]))  # the third model has a line of a runtime, and none of its own
    go(log, resume=True)
    assert timeless(log) == timeless(whole)


def test_going_on_with_another_zoo_is_refused(whole: Path, tmp_path: Path) -> None:
    lines = whole.read_text().splitlines(keepends=True)
    header = json.loads(lines[0])
    header["selection"]["zoo"] = "0" * 16
    (tmp_path / "run.jsonl").write_text(json.dumps(header) + "\n")
    with pytest.raises(LogError, match="was made with selection"):
        go(tmp_path / "run.jsonl", resume=True)


def test_a_run_without_models_says_nothing_of_them(tmp_path: Path) -> None:
    go(tmp_path / "run.jsonl", models=())
    assert "zoo" not in of_kind(tmp_path / "run.jsonl", "header")[0]["selection"]
    assert of_kind(tmp_path / "run.jsonl", "footer")[0]["models"] == {}


def test_a_wrong_model_fails_the_run_and_names_model_and_operator(tmp_path: Path) -> None:
    result = go(tmp_path / "run.jsonl", WRONG, models=("dense_int8",))
    (line,) = of_kind(tmp_path / "run.jsonl", "model")
    assert (result.exit, result.footer["unexpected"]) == (1, 1)
    assert (line["model"], line["verdict"], line["expected"]) == ("dense_int8", "wrong-value", False)
    assert "FULLY_CONNECTED/int8" in line["operator"]


def test_a_comparison_tells_which_model_broke_and_what_its_figures_became(whole: Path, tmp_path: Path) -> None:
    go(tmp_path / "run.jsonl", WRONG)
    found = diff(read(whole), read(tmp_path / "run.jsonl"))
    assert found.worse
    broken = {(one.op, one.row, one.runtime, one.old, one.new) for one in found.verdicts if one.change == "broken"}
    assert ("model", "dense_int8", "fake@host", "pass", "wrong-value") in broken
    back = diff(read(tmp_path / "run.jsonl"), read(whole))
    assert {one.change for one in back.verdicts} == {"fixed"}


def test_nothing_is_run_where_a_model_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(b"no model at all")
    (tmp_path / "d.npz").write_bytes(b"")
    zoo = tmp_path / "zoo.yaml"
    zoo.write_text(
        "tasks: {t: {data: d.npz, inputs: x}}\nmodels: {m: {file: m.tflite, task: t, family: f, format: int8}}\n"
    )
    with pytest.raises(ModelError, match=r"is no \.tflite file"):
        go(tmp_path / "run.jsonl", models=("*",), zoo=zoo)
    assert not (tmp_path / "run.jsonl").exists()
