"""Cells: what many lines add up to."""

from types import SimpleNamespace
from typing import Any

import pytest

from opconform.reports import summary
from opconform.reports.log import Log
from opconform.reports.summary import Cell, Worst


def cell_of(make: SimpleNamespace, *changes: dict[str, Any]) -> Cell:
    cases = [make.case("ADD", "int8", "lite", "host", **change) for change in changes]
    return summary.cells(make.log(make.header(), *cases))["ADD", "int8", "lite@host"]


@pytest.mark.parametrize(
    ("change", "status", "word"),
    [
        ({}, "pass", "pass"),
        ({"verdict": "crash", "expected": False}, "fail", "crash"),
        ({"verdict": "crash", "expected": ""}, "fail", "crash"),
        ({"verdict": "wrong-value", "expected": "it rounds half to even"}, "known", "wrong-value"),
        ({"verdict": "declined", "expected": True}, "unsupported", "not supported"),
        ({"verdict": "declined", "expected": "not claimed"}, "unsupported", "not supported"),
        ({"verdict": "declined", "expected": False}, "fail", "declined"),
        ({"verdict": "pass", "expected": "it rounds half to even"}, "pass", "pass"),
    ],
)
def test_a_line_means_what_verdict_and_expectation_say(
    make: SimpleNamespace, change: dict[str, Any], status: str, word: str
) -> None:
    cell = cell_of(make, change)
    assert (cell.status, cell.word) == (status, word)


def test_one_unexpected_line_among_many_passes_makes_the_cell_fail(make: SimpleNamespace) -> None:
    cell = cell_of(make, {}, {}, {"verdict": "wrong-value", "expected": False}, {"verdict": "crash", "expected": False})
    assert (cell.status, cell.word, cell.lines, cell.cases) == ("fail", "crash", 4, 32)


def test_the_worst_error_is_the_one_closest_to_its_own_limit(make: SimpleNamespace) -> None:
    cell = cell_of(make, {"error": 5.0, "limit": 10.0}, {"error": 0.9, "limit": 1.0}, {"error": 3.0, "limit": 100.0})
    assert cell.worst == Worst(0.9, 1.0, "lsb", "ADD/int8/7f3k2q")


def test_laws_and_declined_lines_say_nothing_about_the_error(make: SimpleNamespace) -> None:
    law = {"error": 9.0, "law": "commutative", "histogram": {"9": 1}}
    declined = {"verdict": "declined", "expected": True, "error": 9.0}
    cell = cell_of(make, {"error": 0.5}, law, declined)
    assert cell.worst is not None
    assert cell.worst.error == 0.5
    assert 9 not in cell.histogram


def test_an_error_where_none_is_allowed_is_an_infinite_share() -> None:
    assert Worst(1.0, 0.0, "exact", "c").share == float("inf")
    assert Worst(0.0, 0.0, "exact", "c").share == 0.0
    assert Worst(float("nan"), 1.0, "lsb", "c").share == float("inf")


def test_histograms_add_up_and_meters_keep_their_largest(make: SimpleNamespace) -> None:
    one = {"histogram": {"0": 5, "1": 1}, "meters": {"arena": 640}}
    two = {"histogram": {"0": 7, "-1": 2}, "meters": {"arena": 128, "stack": 96}}
    cell = cell_of(make, one, two)
    assert dict(cell.histogram) == {0: 12, 1: 1, -1: 2}
    assert dict(cell.meters) == {"arena": 640, "stack": 96}


def test_folding_gives_the_same_as_joining_all_lines(log: Log) -> None:
    found = summary.cells(log)
    whole = summary.folded(found)["CONV_2D", "micro@cortex-m4"]
    lines = [
        line for line in log.cases if line.op == "CONV_2D" and (line.runtime, line.target) == ("micro", "cortex-m4")
    ]
    alone = summary.joined(lines)
    assert (whole.status, whole.cases, whole.lines, whole.worst) == (
        alone.status,
        alone.cases,
        alone.lines,
        alone.worst,
    )
    assert dict(whole.histogram) == dict(alone.histogram)


def test_runtimes_stand_in_the_order_of_the_header_without_those_that_could_not_run(log: Log) -> None:
    names = summary.runtimes(log)
    assert names[:2] == ("reference@host", "lite@host")
    assert "tflm@host" not in names


def test_a_defect_counts_once_however_many_lines_show_it(make: SimpleNamespace) -> None:
    bad = [make.case("ADD", "int8", "lite", "host", verdict="crash", expected=False, case=f"c{i}") for i in range(9)]
    log = make.log(make.header(), *bad, make.footer())
    assert summary.totals(log).deviations == {"fail": 1}


@pytest.mark.parametrize(
    ("footer", "case", "status", "words"),
    [
        ({}, {}, "pass", "everything as expected"),
        ({}, {"verdict": "crash", "expected": False}, "fail", "1 unexpected deviation"),
        ({"stale": ["a", "b"]}, {}, "fail", "2 expectations matched nothing"),
        ({"thin": [["lite@host", "ADD", "int8"]]}, {}, "fail", "1 row below the tier's floor"),
        ({"floor": 9}, {}, "fail", "fewer cases than the tier's floor"),
        ({"exit": 3}, {}, "fail", "the run ended with exit status 3"),
        (None, {}, "known", "no unexpected deviation so far"),
        ({}, None, "known", "nothing was judged"),
    ],
)
def test_only_a_whole_and_clean_run_is_a_pass(
    make: SimpleNamespace, footer: dict[str, Any] | None, case: dict[str, Any] | None, status: str, words: str
) -> None:
    cases = [] if case is None else [make.case("ADD", "int8", "lite", "host", **case)]
    clean = {"stale": [], "floor": 0, "exit": 0}
    footers = [] if footer is None else [make.footer(**{**clean, **footer})]
    assert summary.conclusion(make.log(make.header(), *cases, *footers)) == (status, words)


def test_a_figure_over_its_budget_is_no_clean_run(make: SimpleNamespace) -> None:
    cost = {"kind": "cost", "op": "ADD", "target": "cortex-m0", "own": 101, "budget": {"own": 100}}
    end = make.footer(stale=[], floor=0, exit=0)
    log = make.log(make.header(), make.case("ADD", "int8", "lite", "host"), cost, end)
    assert summary.conclusion(log) == ("fail", "1 figure over budget")
