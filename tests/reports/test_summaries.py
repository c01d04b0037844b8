"""Markdown, JSON and the diff of two logs."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from opconform.reports import diff as differ
from opconform.reports import json as machine
from opconform.reports import markdown
from opconform.reports.log import Log


def test_markdown_leads_with_the_conclusion_and_shows_matrix_deviations_and_costs(log: Log) -> None:
    text = markdown.render(log)
    assert text.startswith("## opconform: ❌ 2 unexpected deviations, 1 expectation matched nothing")
    assert "| `CONV_2D` |" in text
    assert "❌ wrong-value" in text
    assert "🟡 wrong-value" in text
    assert "`opconform replay CONV_2D/int8/7f3k2q --runtime micro@cortex-m4`" in text
    assert "| `CONV_2D` | cortex-m0 | Flash, own | 4,552 | 4,576 | +24 (+0.5\u202f%) | ❌ over 4,120 |" in text
    assert "XNNPACK" not in text.split("### Operators")[0]


def test_markdown_tables_keep_their_columns_whatever_the_log_says(make: SimpleNamespace) -> None:
    case = make.case("A|B`C\n", "int8", "li|te", "host", verdict="crash", expected=False)
    text = markdown.render(make.log(make.header(runtimes=[]), case))
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in rows}) == 1


def test_markdown_of_an_incomplete_log_warns_first(make: SimpleNamespace) -> None:
    text = markdown.render(make.log(make.header(), make.case("ADD", "int8", "lite", "host")))
    assert text.startswith("## opconform: ⚠️ incomplete log, no unexpected deviation so far")


def test_markdown_fits_into_a_comment_however_many_failures_there_are(make: SimpleNamespace) -> None:
    failures = [make.failure("ADD", f"row{i}", "lite", "host") for i in range(500)]
    text = markdown.render(make.log(make.header(), *failures))
    assert "… and 475 more." in text
    assert len(text) < 60_000


def test_the_json_document_holds_totals_cells_failures_and_costs(log: Log) -> None:
    document = json.loads(machine.render(log))
    assert document["complete"] is True
    assert document["status"] == "fail"
    assert document["totals"]["unexpected"] == 2
    cell = document["ops"]["CONV_2D"]["int8"]["micro@cortex-m4"]
    assert (cell["status"], cell["verdict"], cell["worst"]["share"]) == ("fail", "wrong-value", 2.0)
    assert document["failures"][0]["runtime"] == "micro@cortex-m4"
    assert document["failures"][2]["because"].startswith("XNNPACK")
    assert document["costs"][0]["over"] == []
    assert document["costs"][2]["over"] == ["own"]


def test_the_json_document_is_json_by_the_standard_even_with_infinities(make: SimpleNamespace) -> None:
    case = make.case("ADD", "int8", "lite", "host", error=float("inf"), verdict="wrong-value", expected=False)
    text = machine.render(make.log(make.header(), case))

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    document = json.loads(text, parse_constant=refuse)
    assert document["ops"]["ADD"]["int8"]["lite@host"]["worst"]["error"] == "Infinity"


def changes(make: SimpleNamespace, old: list[dict[str, Any]], new: list[dict[str, Any]]) -> differ.Diff:
    return differ.diff(make.log(make.header(), *old, make.footer()), make.log(make.header(), *new, make.footer()))


def test_a_log_does_not_differ_from_itself(log: Log) -> None:
    found = differ.diff(log, log)
    assert found == differ.Diff((), (), (), ())
    assert differ.describe(found) == "no change\n"


def test_a_diff_names_what_broke_what_was_fixed_what_is_new_and_what_is_gone(make: SimpleNamespace) -> None:
    bad = {"verdict": "crash", "expected": False}
    known = {"verdict": "crash", "expected": "known"}
    before = {"a": {}, "b": bad, "c": {}, "d": bad, "e": known, "f": {}, "g": {}}
    late = {**bad, "verdict": "timeout"}
    after = {"a": bad, "b": {}, "d": late, "e": bad, "f": known, "g": {}, "h": {}, "i": bad}
    old = [make.case("ADD", row, "lite", "host", **more) for row, more in before.items()]
    new = [make.case("ADD", row, "lite", "host", **more) for row, more in after.items()]
    found = changes(make, old, new)
    assert [(one.row, one.change) for one in found.verdicts] == [
        ("a", "broken"),
        ("e", "broken"),
        ("i", "broken"),
        ("d", "changed"),
        ("f", "changed"),
        ("h", "new"),
        ("c", "gone"),
        ("b", "fixed"),
    ]
    assert found.worse
    text = differ.describe(found)
    assert "broken: ADD/a lite@host: pass -> crash" in text
    assert "changed: ADD/f lite@host: pass -> crash (known)" in text
    assert text.endswith("3 broken, 2 changed, 1 new, 1 gone, 1 fixed\n")


def test_a_diff_shows_errors_that_moved_and_leaves_out_what_hardly_did(make: SimpleNamespace) -> None:
    old = [make.case("ADD", row, "lite", "host", error=0.5) for row in ("a", "b", "c")]
    new = [
        make.case("ADD", row, "lite", "host", error=error) for row, error in (("a", 0.75), ("b", 0.25), ("c", 0.5001))
    ]
    found = changes(make, old, new)
    assert [(one.row, one.worse) for one in found.errors] == [("a", True), ("b", False)]
    assert not found.worse
    assert "more error: ADD/a lite@host: 0.5 of 1 lsb -> 0.75 of 1 lsb" in differ.describe(found)


def test_a_diff_shows_costs_that_changed_and_those_no_longer_measured(make: SimpleNamespace) -> None:
    cost = {"kind": "cost", "op": "ADD", "target": "cortex-m0"}
    found = changes(make, [{**cost, "own": 100, "stack": 8}], [{**cost, "own": 110, "arena": 4}])
    assert [(one.metric, one.old, one.new) for one in found.costs] == [
        ("arena", None, 4),
        ("own", 100, 110),
        ("stack", 8, None),
    ]
    text = differ.describe(found)
    assert "cost: ADD cortex-m0 own: 100 -> 110, +10 (+10.0\u202f%)" in text
    assert "cost: ADD cortex-m0 stack: 8 -> not measured" in text


def test_a_diff_warns_where_two_logs_hardly_compare(make: SimpleNamespace) -> None:
    old = make.log(make.header(seed=1), make.case("ADD", "a", "lite", "host"))
    new = make.log(make.header(seed=2), make.footer())
    notes = differ.diff(old, new).notes
    assert any("the old log is incomplete" in note for note in notes)
    assert any("the seeds differ (1, 2)" in note for note in notes)


def test_the_machine_form_of_a_diff_is_json(make: SimpleNamespace) -> None:
    found = changes(
        make,
        [make.case("ADD", "a", "lite", "host", error=0.5)],
        [make.case("ADD", "a", "lite", "host", error=float("inf"))],
    )
    document = json.loads(json.dumps(differ.machine(found), allow_nan=False))
    assert document["errors"][0]["new"]["error"] == "Infinity"
    assert document["worse"] is False
