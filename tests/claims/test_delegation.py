"""A delegate must take a part of a graph, not nothing and not all of it, and what comes out must be right."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from opconform.harness.claims import Evidence, Subject
from opconform.harness.claims_delegation import check_delegation
from opconform.harness.claims_models import LAYER, MIDDLES, chain
from opconform.runtimes.litert import LiteRT

Subjects = Callable[[str], Subject]
Refuted = Callable[[Evidence, str], None]


@pytest.mark.parametrize(
    "ops", [(LAYER, LAYER), *((LAYER, middle, LAYER) for middle in MIDDLES), *((middle,) for middle in MIDDLES)]
)
def test_a_graph_has_one_right_answer(ops: tuple[str, ...]) -> None:
    question = chain(*ops)
    assert question.is_answered(tuple(LiteRT("builtin").open(question.model).run(question.inputs)))


@pytest.mark.parametrize(("name", "variant"), [("lite", "lite@blas"), ("litert", "litert@xnnpack")])
def test_the_variant_with_a_delegate_is_found(subject: Subjects, name: str, variant: str) -> None:
    evidence = check_delegation(subject(name))
    assert evidence.value is True
    assert evidence.measured == "2 of 3 operators in 2 parts"
    assert f"{variant} delegates 2 of 3 operators in 2 parts of FULLY_CONNECTED -> FLOOR_MOD" in evidence.source


def test_a_delegate_may_stand_in_a_variant_of_a_class_in_a_file(fake: Subjects) -> None:
    evidence = check_delegation(fake("OnlyAsVariant"))
    assert evidence.value is True
    assert "OnlyAsVariant@fast" in evidence.source


def test_an_honest_delegate_is_not_blamed(fake: Subjects) -> None:
    assert check_delegation(fake("Delegating")).value is True


def test_a_delegate_that_computes_something_else_is_seen(fake: Subjects) -> None:
    evidence = check_delegation(fake("WrongDelegate"))
    assert evidence.value is False
    assert evidence.why.startswith("the answer is wrong with 2 of 3 operators in 2 parts")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("TakesAll", "a delegate takes 3 of 3 operators in 1 part "),
        ("TakesNothing", "no variant delegates an operator"),
    ],
)
def test_all_or_nothing_is_no_partition(fake: Subjects, name: str, why: str, refuted: Refuted) -> None:
    refuted(check_delegation(fake(name)), why)


def test_what_is_said_of_the_whole_and_of_its_pieces_must_add_up(fake: Subjects, refuted: Refuted) -> None:
    refuted(check_delegation(fake("SaysTwo")), "what it says does not add up")


def test_a_runtime_that_runs_none_of_the_graphs_delegates_nothing(fake: Subjects) -> None:
    evidence = check_delegation(fake("DeclinesAll"))
    assert evidence.value is False
    assert evidence.why == "no variant delegates an operator"
