"""Subcommands: what they print, their exit codes, and bad input as one line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from opconform.harness.cli.commands import COMMANDS
from opconform.harness.runner import Selection, run


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete log of a small run on a runtime that is wrong in one op."""
    folder = tmp_path_factory.mktemp("log")
    fake = folder / "fake.py"
    fake.write_text(FAKE)
    path = folder / "run.jsonl"
    run(Selection((f"{fake}:Fake",), ("LESS", "ABS"), ("float32", "int32")), path)
    return path


FAKE = """\
import numpy as np

from opconform.harness.runtime import InvalidModel, Manifest


class Session:
    def run(self, inputs):
        if len(inputs) == 1:
            return [np.abs(inputs[0])]
        try:
            return [inputs[0] <= inputs[1]]
        except ValueError as error:
            raise InvalidModel(str(error)) from error

    def meters(self):
        return {}

    def close(self):
        pass


class Fake:
    in_process = True

    def __init__(self, at=""):
        pass

    def describe(self):
        return Manifest(name="fake", targets=("host",))

    def open(self, model):
        return Session()
"""


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_command_is_a_manual_with_an_example(opconform: Callable[..., Any], command: str) -> None:
    ended = opconform(command, "--help")
    assert ended.code == 0
    assert f"Example: opconform {command}" in " ".join(ended.out.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("frobnicate",), "No such command 'frobnicate'"),
        (("run", "--op", "CONVV"), "--op CONVV: matches no op; ops: ABS"),
        (("run", "--runtime", "nope"), "unknown runtime 'nope', known are"),
        (("run", "--tier", "huge"), "--tier huge: unknown; allowed: smoke, pr, nightly"),
        (("run", "--jobs", "0"), "--jobs"),
        (("run", "--resume"), "--resume needs --log"),
        (("run", "--seed", "x"), "--seed"),
        (("conformance", "--tier", "huge"), "allowed: smoke"),
        (("replay", "CONV_2D", "--runtime", "lite"), "is no case id; one looks like"),
        (("replay", "ABS/float32/000", "--runtime", "nope"), "unknown runtime 'nope'"),
        (("replay", "ABS/float32/000"), "--runtime"),
        (("report", "missing.jsonl"), "missing.jsonl: No such file or directory; give a log"),
        (("diff", "missing.jsonl", "missing.jsonl"), "No such file"),
        (("list", "things"), "list things: unknown; allowed: ops, rows, runtimes, targets"),
        (("list", "rows", "--runtime", "nope"), "unknown runtime"),
        (("show", "NOPE"), "show NOPE: unknown op; ops: ABS"),
        (("size", "--target", "cortex-m99"), "allowed: cortex-m0"),
        (("size", "missing.tflite"), "missing.tflite: No such file or directory"),
        (("smoke", "nope"), "unknown runtime"),
        (("expect",), "give either --update LOG"),
        (("expect", "--update", "missing.jsonl"), "missing.jsonl: No such file"),
        (("new", "op", "../evil"), "cannot be an op"),
        (("new", "runtime", "Bad-Name"), "cannot be a runtime"),
        (("new", "op", "ABS"), "exists already and is left as it is"),
        (("lint", "--specs", "nowhere"), "no such folder"),
        (("lint", "--op", "NOSUCH"), "--op NOSUCH: there is no such spec; allowed: ABS, ADD"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_input_is_one_line_and_exit_code_2(refused: Callable[..., str], arguments: Any, words: str) -> None:
    assert words in refused(*arguments)


def test_lists_are_arrays_of_objects_for_scripts(opconform: Callable[..., Any]) -> None:
    ops = json.loads(opconform("list", "ops", "--json").out)
    rows = json.loads(opconform("list", "rows", "--json").out)
    mine = json.loads(opconform("list", "rows", "--runtime", "tflm", "--json").out)
    places = json.loads(opconform("list", "targets", "--json").out)
    assert {"op": "CONV_2D"} in ops
    assert {"op": "CONV_2D", "row": "int8"} in rows
    assert {"op": "CONV_2D", "row": "int8", "runtime": "tflm", "target": "host"} in mine
    assert {"op": "CONV_2D", "row": "uint8"} in rows
    assert "uint8" not in {entry["row"] for entry in mine if entry["op"] == "CONV_2D"}
    assert {"runtime": "litert", "target": "xnnpack"} in places
    assert {"runtime": "micro", "target": "cortex-m4"} in places
    assert {"runtime": "lite", "target": "host"} in json.loads(opconform("list", "runtimes", "--json").out)
    assert "CONV_2D/int8\n" in opconform("list", "rows").out


def test_show_cites_every_clause_with_file_and_line(opconform: Callable[..., Any]) -> None:
    out = opconform("show", "softmax").out
    for words in ("specs/ops/softmax.yaml:", " R1 ", " E1 ", "[T2]", "sums to one: y [L1]", "claimed by", "tflm: "):
        assert words in out


def test_all_reports_are_written_and_named(opconform: Callable[..., Any], log: Path, tmp_path: Path) -> None:
    names = {"--html": "site", "--junit": "a/junit.xml", "--markdown": "a/run.md", "--json": "a/run.json"}
    options = [part for key, name in names.items() for part in (key, tmp_path / name)]
    ended = opconform("report", log, *options)
    assert ended.code == 0
    for name in ("site/index.html", *list(names.values())[1:]):
        assert (tmp_path / name).stat().st_size > 100
        assert f"wrote {tmp_path / name}" in ended.out
    assert opconform("report", log).out.startswith("#")


def test_a_folder_that_cannot_be_written_is_one_line(refused: Callable[..., str], log: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "check the path" in refused("report", log, "--html", tmp_path / "file" / "site")
    assert "check the path" in refused("report", log, "--json", "/proc/nothing/run.json")


def test_an_incomplete_log_is_rendered_with_a_warning(opconform: Callable[..., Any], log: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.jsonl"
    cut.write_text("".join(log.read_text().splitlines(keepends=True)[:-1]))
    ended = opconform("report", cut, "--json", tmp_path / "run.json")
    assert ended.code == 0
    assert "incomplete" in ended.out


def test_diff_says_whether_anything_changed(opconform: Callable[..., Any], log: Path, tmp_path: Path) -> None:
    assert (opconform("diff", log, log).code, opconform("diff", log, log).out) == (0, "no change\n")
    lines = [json.loads(text) for text in log.read_text().splitlines()]
    other = tmp_path / "other.jsonl"
    kept = [line for line in lines if (line.get("op"), line.get("row")) != ("LESS", "int32")]
    other.write_text("".join(json.dumps(line) + "\n" for line in kept))
    ended = opconform("diff", log, other)
    assert ended.code == 1
    assert "gone: LESS/int32 fake@host" in ended.out


def test_replay_shows_inputs_want_got_and_verdict_of_each_runtime(
    opconform: Callable[..., Any], log: Path, tmp_path: Path
) -> None:
    lines = map(json.loads, log.read_text().splitlines())
    failure = next(line for line in lines if (line["kind"], line.get("verdict")) == ("failure", "wrong-value"))
    fake = f"{log.parent / 'fake.py'}:Fake"
    ended = opconform("replay", failure["case"], "--runtime", fake, "--save", tmp_path / "case")
    assert ended.code == 1
    for words in (failure["case"], "fake@host: ", failure["verdict"], "got ", "want "):
        assert words in ended.out
    saved = tmp_path / "case"
    document = json.loads((saved / "case.json").read_text())
    assert document["case"] == failure["case"]
    assert document["answers"][0]["verdict"] == failure["verdict"]
    assert (saved / "model.tflite").read_bytes()[4:8] == b"TFL3"
    with np.load(saved / "inputs.npz") as arrays:
        assert {"a", "b"} <= set(arrays.files)


def test_replay_of_a_case_that_passes_ends_with_0(opconform: Callable[..., Any], log: Path) -> None:
    lines = [json.loads(text) for text in log.read_text().splitlines()]
    case = next(line for line in lines if line["kind"] == "case" and line["verdict"] == "pass" and line["op"] == "ABS")
    ended = opconform("replay", case["case"], "--runtime", f"{log.parent / 'fake.py'}:Fake")
    assert ended.code == 0
    assert "fake@host: pass" in ended.out
    assert "got y: just that" in ended.out


def test_conformance_writes_log_and_reports_and_names_the_page(opconform: Callable[..., Any], log: Path) -> None:
    out = log.parent / "out"
    ended = opconform("conformance", "--op", "ABS", "--jobs", 1, "--runtime", "litert@ref", "--out", out)
    assert f"open {out / 'report' / 'index.html'}" in ended.out
    for name in ("run.jsonl", "report/index.html", "junit.xml", "report.md", "report.json"):
        assert (out / name).is_file()
    assert ended.code == json.loads((out / "run.jsonl").read_text().splitlines()[-1])["exit"]
    shutil.rmtree(out)


def test_smoke_prints_a_line_per_check(opconform: Callable[..., Any], log: Path) -> None:
    ended = opconform("smoke", f"{log.parent / 'fake.py'}:Fake")
    assert ended.code == 1
    assert "ok   fake@host starts" in ended.out
    assert "FAIL fake@host" in ended.out
