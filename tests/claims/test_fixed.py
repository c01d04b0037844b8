"""Fixed weights and topology: a write that gets through is found, and so is a runtime that merely runs nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NoReturn

import pytest

from opconform.harness import budgets_model, claims_boards, proc
from opconform.harness.claims import Evidence, NotMeasurable, Subject
from opconform.harness.claims_fixed import check_fixed_topology, check_fixed_weights
from opconform.targets.modelimage import NotRun

Subjects = Callable[[str], Subject]
Refuted = Callable[[Evidence, str], None]


@pytest.mark.parametrize("name", ["lite", "micro"])
def test_who_refuses_a_model_that_writes_its_weights_has_fixed_ones(subject: Subjects, name: str) -> None:
    evidence = check_fixed_weights(subject(name))
    assert evidence.value is True, evidence
    assert "writes" in evidence.why or "written" in evidence.why


@pytest.mark.skipif(not proc.can_measure(), reason="no /proc of Linux")
def test_stores_into_weights_of_lite_fault_in_memory_and_in_a_mapped_file(subject: Subjects) -> None:
    words = check_fixed_weights(subject("lite")).why
    assert words.count("a store into them faults: their pages are read-only") == 2, words
    assert "in memory: a store" in words
    assert "in a mapped file: a store" in words


@pytest.mark.skipif(not proc.can_measure(), reason="no /proc of Linux")
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("SoftPages", "in memory: a store into them gets through, and the answer changes"),
        ("Zipped", "copies of them in its memory is what it computes with"),
    ],
)
def test_weights_that_a_stray_store_reaches_or_that_nobody_sees_are_not_fixed(
    boaster: Subjects, name: str, why: str
) -> None:
    evidence = check_fixed_weights(boaster(name))
    assert evidence.value is False
    assert evidence.why.startswith("from memory: rejected: ABS")
    assert why in evidence.why


@pytest.mark.skipif(not proc.can_measure(), reason="no /proc of Linux")
def test_where_the_system_hides_memory_the_models_alone_tell(
    subject: Subjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hidden(pid: int, content: bytes) -> Iterator[proc.Place]:
        raise PermissionError

    monkeypatch.setattr(proc, "places", hidden)
    evidence = check_fixed_weights(subject("lite"))
    assert evidence.value is True
    assert "in memory: not tried: the system forbids to look into a worker's memory" in evidence.why


def test_weights_of_a_board_lie_in_flash_and_a_run_that_stores_there_is_none(
    subject: Subjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = subject("micro@cortex-m4").handle
    try:
        stays, words = claims_boards.store_into_weights(handle)
    except NotMeasurable as error:
        pytest.skip(str(error))
    assert stays
    assert words.startswith("on cortex-m4 weights lie at 0x")

    def stores(model: bytes, board: str) -> NoReturn:
        raise NotRun(f"{board}: 1 store of 4 bytes at 0x1db0 in model")

    monkeypatch.setattr(budgets_model, "measure", stores)
    assert claims_boards.store_into_weights(handle) == (False, "cortex-m4: 1 store of 4 bytes at 0x1db0 in model")


@pytest.mark.skipif(not proc.can_measure(), reason="no /proc of Linux")
def test_weights_in_memory_can_be_written_where_a_mapped_file_faults(subject: Subjects) -> None:
    evidence = check_fixed_weights(subject("litert"))
    assert evidence.value is False
    assert evidence.why.startswith("from memory: it writes into the constant")
    assert "from a file: RUN: SIG" in evidence.why


def test_a_claim_of_fixed_weights_that_can_be_written_is_wrong(boaster: Subjects) -> None:
    assert check_fixed_weights(boaster("SoftWeights")).value is False


def test_weights_that_no_model_can_use_are_not_called_fixed(boaster: Subjects, refuted: Refuted) -> None:
    refuted(check_fixed_weights(boaster("DeadWithWeights")), "the same model without the write does not run right")


@pytest.mark.parametrize("name", ["lite", "litert", "micro"])
def test_an_opened_model_that_refuses_other_inputs_has_a_fixed_topology(subject: Subjects, name: str) -> None:
    assert check_fixed_topology(subject(name)).value is True


def test_a_graph_that_follows_its_inputs_is_not_fixed(boaster: Subjects, refuted: Refuted) -> None:
    refuted(check_fixed_topology(boaster("Elastic")), "was not refused")


@pytest.mark.skipif(not proc.can_measure(), reason="no /proc of Linux")
def test_a_graph_that_follows_its_file_is_not_fixed(boaster: Subjects, refuted: Refuted) -> None:
    refuted(check_fixed_topology(boaster("ReadsAgain")), "with its file, the opened model changed")
