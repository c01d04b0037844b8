"""`opconform models`, and whole models in `opconform run` and `opconform conformance`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from opconform.reports.log import read

FAKES = Path(__file__).parents[1] / "fakes" / "whole_models.py"
RIGHT, WRONG, MODEST = (f"{FAKES}:{name}" for name in ("Right", "WrongLayer", "Modest"))


def test_models_are_shown_side_by_side(opconform: Callable[..., Any]) -> None:
    ended = opconform("models", "--runtime", RIGHT, "--runtime", MODEST, "--model", "dense_int8", "--examples", 8)
    assert ended.code == 0, ended
    head, columns, right, modest, why = ended.out.splitlines()
    assert head.startswith("dense_int8 (int8, ")
    assert "reference right on" in head
    assert columns.split()[:3] == ["Runtime", "Verdict", "Right"]
    assert right.split()[:4] == ["fake@host", "pass", "7/8", "8/8"]
    assert "equal" in right
    assert "not supported" in modest
    assert why.startswith("modest@host #")
    assert why.endswith("SOFTMAX/int8 is not claimed")


def test_a_wrong_model_ends_with_1_and_names_the_operator(opconform: Callable[..., Any]) -> None:
    ended = opconform("models", "--runtime", WRONG, "--model", "dense_float32", "--examples", 4)
    assert ended.code == 1
    assert "FULLY_CONNECTED/float32: y[" in ended.out


def test_the_machine_form_is_lines_of_a_log(opconform: Callable[..., Any]) -> None:
    ended = opconform("models", "--runtime", RIGHT, "--model", "dense_f*", "--examples", 4, "--json")
    model, graph = json.loads(ended.out)
    assert (model["kind"], model["verdict"], model["examples"]) == ("model", "pass", 4)
    assert [step["op"] for step in graph["operators"]][-1] == "SOFTMAX"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("models", "--model", "none"), "--model none: matches no model"),
        (("models", "--zoo", "nowhere.yaml"), "nowhere.yaml"),
        (("models", "--runtime", "nobody", "--model", "dense_int8"), "unknown runtime 'nobody'"),
        (("run", "--op", "ABS", "--models", "none"), "matches no model"),
        (("run", "--op", "ABS", "--models", "*", "--zoo", "nowhere.yaml"), "nowhere.yaml"),
        (("conformance", "--models", "dense_int8", "--no-models"), "give one of them"),
    ],
)
def test_bad_input_is_one_line(refused: Callable[..., str], arguments: tuple[str, ...], said: str) -> None:
    assert said in refused(*arguments)


def test_a_run_takes_models_only_where_it_is_told_to(opconform: Callable[..., Any], tmp_path: Path) -> None:
    common = ("run", "--op", "ABS", "--row", "float32", "--runtime", RIGHT)
    assert opconform(*common, "--log", tmp_path / "without").code == 0
    ended = opconform(*common, "--models", "dense_int8", "--log", tmp_path / "with")
    assert ended.code == 0
    assert "whole models             pass 1" in ended.out
    assert read(tmp_path / "without").models == ()
    assert [line.model for line in read(tmp_path / "with").models] == ["dense_int8"]


def test_a_run_says_at_once_which_model_is_wrong(opconform: Callable[..., Any]) -> None:
    ended = opconform("run", "--op", "ABS", "--row", "float32", "--runtime", WRONG, "--models", "dense_int8")
    assert ended.code == 1
    assert "model dense_int8 #" in ended.out


def test_conformance_shows_models_in_every_report(opconform: Callable[..., Any], tmp_path: Path) -> None:
    ended = opconform(
        "conformance", "--op", "ABS", "--models", "dense_int8", "--runtime", RIGHT, "--jobs", 1, "--out", tmp_path
    )
    assert ended.code == 0, ended
    assert "dense_int8" in (tmp_path / "report" / "models.html").read_text()
    assert "### Models" in (tmp_path / "report.md").read_text()
    assert 'classname="model" name="dense_int8"' in (tmp_path / "junit.xml").read_text()
    assert (
        json.loads((tmp_path / "report.json").read_text())["models"]["dense_int8"]["runtimes"]["fake@host"]["status"]
        == "pass"
    )


def test_conformance_of_some_ops_runs_no_models_by_itself(opconform: Callable[..., Any], tmp_path: Path) -> None:
    ended = opconform("conformance", "--op", "ABS", "--runtime", RIGHT, "--jobs", 1, "--out", tmp_path)
    assert ended.code == 0
    assert "This run ran no models." in (tmp_path / "report" / "models.html").read_text()
