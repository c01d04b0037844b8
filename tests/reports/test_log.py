"""The log reader: everything that docs/run-log.md lists, one clear line for everything else."""

import json
import math
from pathlib import Path
from types import SimpleNamespace

import pytest

from opconform.reports.lines import CaseLine
from opconform.reports.log import Log, LogError, merge, parse, read


def refusal(data: bytes) -> str:
    with pytest.raises(LogError) as caught:
        parse(data, "run.jsonl")
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_every_kind_of_line_lands_in_its_own_field(log: Log) -> None:
    counts = {
        name: len(getattr(log, name)) for name in ("headers", "specs", "unavailable", "failures", "costs", "footers")
    }
    assert counts == {"headers": 1, "specs": 6, "unavailable": 1, "failures": 4, "costs": 9, "footers": 1}
    assert log.complete
    assert log.warnings == ()


def test_rows_are_named_without_their_op_wherever_they_stand(make: SimpleNamespace) -> None:
    log = make.log(
        make.header(), make.spec("ADD", ("int8",)), make.case("ADD", "ADD/int8", "lite", "host"), make.footer()
    )
    assert log.cases[0].row == "int8"
    assert log.specs[0].rows == ("int8",)


def test_a_missing_footer_is_named_and_the_lines_still_count(make: SimpleNamespace) -> None:
    log = make.log(make.header(), make.case("ADD", "int8", "lite", "host"))
    assert not log.complete
    assert "small.jsonl: incomplete: the footer is missing" in log.warnings[0]
    assert len(log.cases) == 1


def test_a_footer_that_says_incomplete_is_believed(make: SimpleNamespace) -> None:
    log = make.log(make.header(), make.footer(complete=False))
    assert not log.complete
    assert "its footer says" in log.warnings[0]


def test_a_last_line_that_was_cut_off_is_left_out_and_named(make: SimpleNamespace) -> None:
    whole = make.encode([make.header(), make.case("ADD", "int8", "lite", "host")])
    log = parse(whole + b'{"kind": "case", "op": "AD', "run.jsonl")
    assert len(log.cases) == 1
    assert log.warnings[0] == "run.jsonl:3: the last line is cut off after 26 bytes and was left out"


def test_a_cut_inside_a_character_is_a_cut_like_any_other(make: SimpleNamespace) -> None:
    tail = '{"kind": "case", "message": "∞'.encode()[:-1]
    log = parse(make.encode([make.header()]) + tail, "run.jsonl")
    assert "run.jsonl:2: the last line is cut off" in log.warnings[0]


def test_every_cut_of_a_log_is_read_or_refused_with_one_line(make: SimpleNamespace) -> None:
    data = make.encode([make.header(runtimes=[]), make.case("ADD", "int8", "lite", "host"), make.footer()])
    first = data.index(b"\n")
    for end in range(len(data)):
        if end < first:
            assert "header is missing" in refusal(data[:end])
        else:
            log = parse(data[:end], "run.jsonl")
            assert log.complete == (end >= len(data) - 1)


def test_a_last_line_without_its_newline_counts_when_it_is_whole(make: SimpleNamespace) -> None:
    assert parse(make.encode([make.header(), make.footer()]).rstrip(b"\n"), "run.jsonl").complete


def test_bad_json_in_the_middle_is_refused_with_its_line(make: SimpleNamespace) -> None:
    message = refusal(make.encode([make.header()]) + b"{oops\n" + make.encode([make.footer()]))
    assert message.startswith("run.jsonl:2: not JSON (")


def test_deeply_nested_json_is_refused_like_any_bad_json(make: SimpleNamespace) -> None:
    deep = b'{"kind": "case", "shapes": ' + b"[" * 200_000 + b"]" * 200_000 + b"}\n"
    assert "run.jsonl:2" in refusal(make.encode([make.header()]) + deep)


@pytest.mark.parametrize("data", [b"", b"\n\n", b'{"kind": "footer", "complete": true, "cases": 1}\n'])
def test_a_log_without_a_header_is_refused(data: bytes) -> None:
    assert "the header is missing" in refusal(data)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ([], "found JSON that is no object"),
        ({"kind": "cases"}, "kind 'cases' is unknown; allowed are header, spec"),
        ({"op": "ADD"}, "kind None is unknown"),
        ({"kind": "cost", "op": "ADD"}, "cost: key 'target' is missing"),
        ({"kind": "cost", "op": "ADD", "target": "m0", "own": "12"}, "key 'own': found text '12', allowed is a number"),
        ({"kind": "cost", "op": "ADD", "target": "m0", "own": True}, "key 'own': found a true/false True"),
        ({"kind": "cost", "op": "ADD", "target": "m0", "budget": []}, "key 'budget': found a list [], allowed is an"),
        ({"kind": "agreement", "case": "c", "op": "ADD", "row": "i", "groups": [["a"], "b"]}, "'groups': item 1: fou"),
        ({"kind": "spec", "op": "ADD", "clauses": [{"kind": "law"}]}, "item 0: key 'label' is missing"),
        ({"kind": "unavailable", "runtime": 7}, "key 'runtime': found a number 7, allowed is text"),
    ],
)  # fmt: skip
def test_a_line_that_breaks_the_format_is_refused_with_file_and_line(
    make: SimpleNamespace, line: object, words: str
) -> None:
    message = refusal(make.encode([make.header()]) + json.dumps(line).encode() + b"\n")
    assert message.startswith("run.jsonl:2: ")
    assert words in message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"verdict": "meh"}, "verdict 'meh' is unknown; allowed are pass, wrong-value"),
        ({"cases": 1.5}, "key 'cases': found a number 1.5, allowed is a whole number"),
        ({"histogram": {"one": 1}}, "key 'histogram': key 'one': found text 'one', allowed is a whole number"),
        ({"expected": 3}, "key 'expected': found a number 3, allowed is true or false or text"),
        ({"limit": None}, "key 'limit' is missing"),
    ],
)
def test_a_case_of_wrong_types_is_refused(make: SimpleNamespace, change: dict[str, object], words: str) -> None:
    message = refusal(make.encode([make.header(), make.case("ADD", "int8", "lite", "host", **change)]))
    assert message.startswith("run.jsonl:2: ")
    assert words in message


def test_lines_after_the_footer_and_second_headers_are_refused(make: SimpleNamespace) -> None:
    assert "run.jsonl:2: lines follow the footer" in refusal(make.encode([make.header(), make.footer(), make.footer()]))
    assert "run.jsonl:2: a second header" in refusal(make.encode([make.header(), make.header()]))


def test_a_log_of_another_format_is_refused(make: SimpleNamespace) -> None:
    assert "format 2 is unknown; this opconform reads format 1" in refusal(make.encode([make.header(format=2)]))


def test_a_missing_file_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(LogError, match=r"none\.jsonl: No such file"):
        read(tmp_path / "none.jsonl")


def test_keys_of_a_newer_writer_are_ignored(make: SimpleNamespace) -> None:
    log = make.log(make.header(moon="full"), make.footer())
    assert log.header.seed == 20261122


def test_infinities_and_nan_are_read_bare_and_as_text(make: SimpleNamespace) -> None:
    log = make.log(make.header(), make.case("ADD", "int8", "lite", "host", error=math.inf, limit="nan"))
    assert log.cases[0].error == math.inf
    assert math.isnan(log.cases[0].limit)


def places(log: Log) -> list[tuple[str, str]]:
    return [(line.runtime, line.verdict) for line in log.cases]


def test_merging_runs_of_two_runtimes_keeps_all_lines(make: SimpleNamespace) -> None:
    one = make.log(make.header(), make.case("ADD", "int8", "lite", "host"), make.footer())
    two = make.log(make.header(), make.case("ADD", "int8", "micro", "host", verdict="crash"), make.footer())
    both = merge([one, two])
    assert places(both) == [("lite", "pass"), ("micro", "crash")]
    assert both.complete


def test_merging_a_log_with_itself_counts_nothing_twice(log: Log) -> None:
    both = merge([log, log])
    assert both.cases == log.cases
    assert both.costs == log.costs
    assert {(one.op, one.row): one.clauses for one in both.coverage} == {
        (one.op, one.row): one.clauses for one in log.coverage
    }


def test_two_lines_of_one_case_in_one_log_both_survive_a_merge(make: SimpleNamespace) -> None:
    twice = [make.case("ADD", "int8", "lite", "host"), make.case("ADD", "int8", "lite", "host", verdict="over-budget")]
    both = merge([make.log(make.header(), *twice), make.log(make.header(), make.case("ABS", "int8", "lite", "host"))])
    assert places(both) == [("lite", "pass"), ("lite", "over-budget"), ("lite", "pass")]


def test_the_later_log_wins_where_two_judge_the_same_case(make: SimpleNamespace) -> None:
    old = make.log(make.header(), make.case("ADD", "int8", "lite", "host", verdict="crash"), make.footer())
    new = make.log(make.header(), make.case("ADD", "int8", "lite", "host"), make.footer())
    assert places(merge([old, new])) == [("lite", "pass")]


def test_a_runtime_that_ran_in_one_of_the_merged_logs_is_available(make: SimpleNamespace) -> None:
    missing = {"kind": "unavailable", "runtime": "lite", "target": "host", "message": "not here"}
    one = make.log(make.header(), missing, make.footer())
    two = make.log(make.header(), make.case("ADD", "int8", "lite", "host"), make.footer())
    assert len(merge([one, one]).unavailable) == 1
    assert merge([one, two]).unavailable == ()


def test_merged_logs_of_different_specs_say_so_and_one_incomplete_log_makes_all_incomplete(
    make: SimpleNamespace,
) -> None:
    both = merge([make.log(make.header(), make.footer()), make.log(make.header(specs="other"))])
    assert not both.complete
    assert any("differ in their spec files: 9f2c41d07ab3, other" in warning for warning in both.warnings)


def test_merging_nothing_is_refused() -> None:
    with pytest.raises(LogError, match="no log given"):
        merge([])


def test_lines_are_frozen(log: Log) -> None:
    line: CaseLine = log.cases[0]
    with pytest.raises(AttributeError):
        line.op = "other"  # type: ignore[misc]
