"""The number of operators is that of those that work, by a run or by a log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from opconform.harness import claims_ops
from opconform.harness.claims import FAILS, NotMeasurable, Subject, examine
from opconform.harness.claims_ops import check_ops
from opconform.harness.isolate import Limits, connect
from opconform.harness.runner import Selection, run
from opconform.harness.spec_load import load_all

Subjects = Callable[[str], Subject]
FAKES = Path(__file__).parents[1] / "fakes" / "fakes.py"


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let there be three operators."""
    specs = {op: spec for op, spec in load_all().items() if op in ("ABS", "ADD", "MUL")}
    monkeypatch.setattr(claims_ops, "load_all", lambda: specs)


@pytest.mark.usefixtures("few")
def test_operators_that_work_count(subject: Subjects) -> None:
    assert check_ops(subject("lite")).value == 3


@pytest.mark.usefixtures("few")
def test_operators_that_are_refused_do_not_count(subject: Subjects) -> None:
    evidence = check_ops(subject(f"{FAKES}:lies_about_support"))
    assert (evidence.value, evidence.why) == (2, "not: ADD")


@pytest.mark.usefixtures("few")
def test_operators_count_whose_models_are_refused_now_and_then_and_right_else(boaster: Subjects) -> None:
    assert check_ops(boaster("Choosy")).value == 3


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("fake", ["always_wrong", "crashes", "declines"])
def test_operators_that_are_wrong_or_die_do_not_count(subject: Subjects, fake: str) -> None:
    assert check_ops(subject(f"{FAKES}:{fake}")).value == 0


@pytest.mark.usefixtures("few")
def test_a_runtime_that_never_answers_is_not_asked_for_ever(subject: Subjects) -> None:
    handle = subject(f"{FAKES}:hangs").handle
    evidence = check_ops(Subject(handle, lambda: connect(handle, Limits(run=0.2))))
    assert evidence.value == 0
    assert evidence.why.startswith("stopped: 3 models got no answer")


@pytest.mark.usefixtures("few")
def test_a_claim_of_more_operators_than_work_does_not_hold(boaster: Subjects) -> None:
    found = examine(boaster("ManyOps"), check_ops, "ops")
    assert (found.claimed, found.evidence.value, found.verdict) == (500, 3, FAILS)


def test_operators_are_counted_in_the_log_that_is_named(subject: Subjects, tmp_path: Path) -> None:
    log = tmp_path / "run.jsonl"
    run(Selection((f"{FAKES}:lies_about_support",), ("ABS", "ADD", "SQUEEZE"), ("float32",)), log)
    found = subject(f"{FAKES}:lies_about_support")
    evidence = check_ops(replace(found, log=log))
    assert evidence.value == 2
    assert str(log) in evidence.source
    with pytest.raises(NotMeasurable, match="no case of lite@host"):
        check_ops(replace(subject("lite"), log=log))
