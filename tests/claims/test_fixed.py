"""Fixed weights and topology: a write that gets through is found, and so is a runtime that merely runs nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from opconform.harness import proc
from opconform.harness.claims import Subject
from opconform.harness.claims_fixed import check_fixed_topology, check_fixed_weights

Subjects = Callable[[str], Subject]


@pytest.mark.parametrize("name", ["lite", "micro"])
def test_who_refuses_a_model_that_writes_its_weights_has_fixed_ones(subject: Subjects, name: str) -> None:
    evidence = check_fixed_weights(subject(name))
    assert evidence.value is True, evidence
    assert "writes" in evidence.why or "written" in evidence.why


@pytest.mark.skipif(not proc.can_measure(), reason="no /proc of Linux")
def test_weights_in_memory_can_be_written_where_a_mapped_file_faults(subject: Subjects) -> None:
    evidence = check_fixed_weights(subject("litert"))
    assert evidence.value is False
    assert evidence.why.startswith("from memory: it writes into the constant")
    assert "from a file: RUN: SIG" in evidence.why


def test_a_claim_of_fixed_weights_that_can_be_written_is_wrong(boaster: Subjects) -> None:
    assert check_fixed_weights(boaster("SoftWeights")).value is False


def test_weights_that_no_model_can_use_are_not_called_fixed(boaster: Subjects) -> None:
    evidence = check_fixed_weights(boaster("DeadWithWeights"))
    assert evidence.value is False
    assert "the same model without the write does not run right" in evidence.why


@pytest.mark.parametrize("name", ["lite", "litert", "micro"])
def test_an_opened_model_that_refuses_other_inputs_has_a_fixed_topology(subject: Subjects, name: str) -> None:
    assert check_fixed_topology(subject(name)).value is True


def test_a_graph_that_follows_its_inputs_is_not_fixed(boaster: Subjects) -> None:
    evidence = check_fixed_topology(boaster("Elastic"))
    assert evidence.value is False
    assert "was not refused" in evidence.why


@pytest.mark.skipif(not proc.can_measure(), reason="no /proc of Linux")
def test_a_graph_that_follows_its_file_is_not_fixed(boaster: Subjects) -> None:
    evidence = check_fixed_topology(boaster("ReadsAgain"))
    assert evidence.value is False
    assert "with its file, the opened model changed" in evidence.why
