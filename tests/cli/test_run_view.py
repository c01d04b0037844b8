"""What a run prints of its log lines as they come."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from rich.console import Console

from opconform.harness.cli.run import View

LINE = {
    "kind": "case", "case": "ABS/int8/0[a]", "op": "ABS", "row": "int8", "runtime": "tflm", "target": "host",
    "verdict": "pass", "expected": True, "cases": 4, "message": "",
}  # fmt: skip
GONE = "runtimes/tflm/expected/abs.yaml:1 expects crash here, but it passes; remove the expectation"


FOOTER = {
    "cases": 4, "models": {}, "unexpected": 0, "stale": [], "thin": [], "exit": 0,
    "coverage": {"goals": 4, "exercised": 2, "never": ["ABS/int8: L1", "ABS/int8: L2"]},
}  # fmt: skip


def summed(timed: bool = True, **changes: Any) -> str:
    out = io.StringIO()
    view = View(Console(file=out, highlight=False, soft_wrap=True), 1)
    view.close()
    view.summary({**FOOTER, **changes}, None, timed)
    return out.getvalue()


def printed(**changes: Any) -> str:
    out = io.StringIO()
    view = View(Console(file=out, highlight=False, soft_wrap=True), 1)
    view.line({**LINE, **changes})
    view.close()
    return out.getvalue()


def test_an_example_of_a_known_deviation_that_passes_now_is_printed() -> None:
    assert printed(expected=False, message=GONE) == f"ABS/int8/0[a] tflm@host: {GONE}\n"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"expected": False, "verdict": "crash", "message": "SIGSEGV"},
        {"expected": "it is known", "verdict": "crash", "message": "SIGSEGV"},
        {"kind": "failure", "expected": "it is known", "message": "SIGSEGV", "replay": "opconform replay"},
    ],
)
def test_a_case_that_is_expected_or_has_a_failure_line_is_not(changes: dict[str, Any]) -> None:
    assert printed(**changes) == ""


def test_an_unexpected_failure_is_printed_with_how_to_replay_it() -> None:
    shown = printed(kind="failure", expected=False, message="y[0] = 1, want 2", replay="opconform replay ABS/int8/0")
    assert shown == "ABS/int8/0[a] tflm@host: y[0] = 1, want 2; replay: opconform replay ABS/int8/0\n"


def test_the_totals_say_what_was_covered_and_how_fast() -> None:
    assert "spec coverage 50.0 %" in summed()
    assert re.search(r"^4 cases in \d+\.\d s \([\d,]+/s\), 0 unexpected, exit 0$", summed(), re.MULTILINE)


def test_nothing_is_called_covered_where_no_runtime_ran() -> None:
    assert "coverage" not in summed(cases=0, exit=3)


def test_reading_logs_again_has_no_speed() -> None:
    assert summed(timed=False).endswith("\n4 cases, 0 unexpected, exit 0\n")
