"""What a run prints of its log lines as they come."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from opconform.harness.cli.run import View

LINE = {
    "kind": "case", "case": "ABS/int8/0[a]", "op": "ABS", "row": "int8", "runtime": "tflm", "target": "host",
    "verdict": "pass", "expected": True, "cases": 4, "message": "",
}  # fmt: skip
GONE = "runtimes/tflm/expected/abs.yaml:1 expects crash here, but it passes; remove the expectation"


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
