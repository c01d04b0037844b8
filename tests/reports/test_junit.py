"""JUnit XML as a CI server reads it."""

from __future__ import annotations

from types import SimpleNamespace
from xml.etree import ElementTree

import pytest

from opconform.reports import junit
from opconform.reports.log import Log


@pytest.fixture(scope="module")
def root(log: Log) -> ElementTree.Element:
    return ElementTree.fromstring(junit.render(log))


def case_of(root: ElementTree.Element, suite: str, op: str, row: str) -> ElementTree.Element:
    cases = [case for one in root if one.get("name") == suite for case in one.iter("testcase")]
    return next(case for case in cases if (case.get("classname"), case.get("name")) == (op, row))


def test_there_is_a_suite_for_each_runtime_on_its_target_and_one_for_the_run(root: ElementTree.Element) -> None:
    names = [suite.get("name") for suite in root]
    assert names[:2] == ["reference@host", "lite@host"]
    assert names[-2:] == ["tflm@host", "run"]


def test_the_counts_of_suites_and_of_the_whole_add_up(root: ElementTree.Element) -> None:
    for key, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(root.get(key, "")) == len(list(root.iter(tag))) == sum(int(suite.get(key, "")) for suite in root)


def test_a_wrong_value_is_a_failure_with_the_counterexample(root: ElementTree.Element) -> None:
    found = case_of(root, "micro@cortex-m4", "CONV_2D", "int8").find("failure")
    assert found is not None
    assert found.get("type") == "wrong-value"
    assert "y[0,1,0,1] = 37, want 35" in found.get("message", "")
    for words in (
        "want = [12, -4, 0, 35]",
        "got  = [12, -4, 0, 37]",
        "stride_h 2",
        "opconform replay",
        "float half even",
    ):
        assert words in (found.text or "")


def test_a_crash_is_an_error(root: ElementTree.Element) -> None:
    found = case_of(root, "micro@cortex-m0", "STRIDED_SLICE", "bool").find("error")
    assert found is not None
    assert "HardFault" in found.get("message", "")


def test_an_expected_deviation_is_skipped_with_its_reason_and_shown_in_the_output(root: ElementTree.Element) -> None:
    case = case_of(root, "litert@xnnpack", "CONV_2D", "int8")
    skipped, output = case.find("skipped"), case.find("system-out")
    assert skipped is not None
    assert "XNNPACK rescales in float" in skipped.get("message", "")
    assert output is not None
    assert "want 35" in (output.text or "")


def test_a_row_that_is_not_claimed_is_skipped(root: ElementTree.Element) -> None:
    skipped = case_of(root, "micro@host", "WHERE", "bool").find("skipped")
    assert skipped is not None
    assert "not supported" in skipped.get("message", "")


def test_seed_and_version_are_properties(root: ElementTree.Element) -> None:
    suite = root.find("testsuite[@name='litert@ref']")
    assert suite is not None
    properties = {one.get("name"): one.get("value") for one in suite.iter("property")}
    assert properties["seed"] == "20261122"
    assert properties["version"] == "2.3.0"
    assert suite.get("timestamp") == "2026-11-22T10:02:00"
    assert case_of(root, "litert@ref", "ADD", "int8").get("file") == "specs/ops/add.yaml"


def test_the_time_of_a_test_case_is_that_of_its_lines(root: ElementTree.Element) -> None:
    assert case_of(root, "lite@host", "ADD", "int8").get("time") == "0.087"


def test_an_incomplete_log_fails(make: SimpleNamespace) -> None:
    log = make.log(make.header(), make.case("ADD", "int8", "lite", "host"))
    case = case_of(ElementTree.fromstring(junit.render(log)), "run", "run", "the log is complete")
    failure = case.find("failure")
    assert failure is not None
    assert "the footer is missing" in failure.get("message", "")


def test_stale_expectations_and_a_missed_floor_fail(make: SimpleNamespace) -> None:
    log = make.log(make.header(), make.footer(cases=10, floor=11, stale=["ABS/int8 lite"]))
    root = ElementTree.fromstring(junit.render(log))
    for name, words in (
        ("every expectation matches something", "ABS/int8 lite"),
        ("the tier's floor is reached", "10 cases"),
    ):
        failure = case_of(root, "run", "run", name).find("failure")
        assert failure is not None
        assert words in failure.get("message", "")


def test_what_xml_cannot_hold_is_replaced(make: SimpleNamespace) -> None:
    message = "bell \x07, null \x00, half a pair \ud800, tag <b>&amp;"
    case = make.case("ADD", "int8", "lite", "host", verdict="crash", expected=False, message=message)
    text = junit.render(make.log(make.header(), case, make.footer()))
    error = case_of(ElementTree.fromstring(text.encode()), "lite@host", "ADD", "int8").find("error")
    assert error is not None
    assert (
        error.get("message") == "ADD/int8/7f3k2q lite@host: bell \ufffd, null \ufffd, half a pair \ufffd, tag <b>&amp;"
    )
