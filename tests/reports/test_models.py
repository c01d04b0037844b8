"""Whole models in every form of a report."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest

from opconform.reports import html, junit, markdown, models, summary
from opconform.reports import json as json_report
from opconform.reports.diff import describe, diff
from opconform.reports.log import Log, LogError, merge, parse
from opconform.reports.text import slug
from opconform.reports.views import op_page

Record = dict[str, Any]


With = Callable[..., Log]


@pytest.fixture
def with_models(make: SimpleNamespace, lines: list[Record]) -> With:
    """Return the log of the other tests with lines of models in it."""
    return lambda *records: parse(make.encode([*lines[:-1], *records, lines[-1]]), "run.jsonl")


@pytest.fixture
def records(make: SimpleNamespace) -> list[Record]:
    return list(make.models())


@pytest.fixture
def log(with_models: With, records: list[Record]) -> Log:
    return with_models(*records)


def test_figures_stand_as_counts_of_examples_and_with_their_unit(make: SimpleNamespace, log: Log) -> None:
    rows = {one.where: one for one in models.shown(log)[0].rows}
    assert rows["lite@host"].cells == ("62/64", "64/64", "", "equal", "512", "", "", "")
    assert rows["micro@cortex-m4"].cells[-4:] == ("3,112", "660", "17,635", "530,413")
    assert rows["litert@ref"].reason == f"#3 SOFTMAX/int8: {make.wrong}"
    assert (rows["litert@xnnpack"].status, rows["litert@xnnpack"].reason) == (
        "known",
        f"{make.wrong} – known: it rounds in float",
    )
    assert models.shown(log)[1].rows[0].word == "not supported"


def test_a_wrong_model_makes_the_run_fail_and_stands_among_what_is_wrong(with_models: With, log: Log) -> None:
    before = summary.totals(with_models()).deviations
    after = summary.totals(log).deviations
    assert after["fail"] == before["fail"] + 1
    assert after["known"] == before["known"] + 1
    index = html.site(log)["index.html"].decode()
    assert f'href="models.html#{slug("conv_int8")}"' in index
    assert "4 of 5" in index


def test_the_page_links_operators_to_their_pages_and_says_which_are_not_judged(log: Log) -> None:
    page = html.site(log)["models.html"].decode()
    assert f'href="{op_page("CONV_2D")}#row-int8"' in page
    assert "not judged: it has no spec" in page
    assert "odd&lt;name&gt;" in page
    assert "<name>" not in page
    for link in {part.split('"')[0].partition("#")[0] for part in page.split('href="')[1:]}:
        assert not link or link in html.site(log) or link.startswith("data:"), link


def test_every_link_to_a_model_on_the_page_has_its_place(log: Log) -> None:
    page = html.site(log)["models.html"].decode()
    anchors = {part.split('"')[0] for part in page.split('href="#')[1:]}
    assert anchors
    assert all(f'id="{anchor}"' in page for anchor in anchors)


def test_markdown_has_a_table_and_the_deviation(log: Log) -> None:
    text = markdown.render(log)
    assert "### Models" in text
    assert "| `conv_int8` | 63/64 | ✅ 62/64 |" in text
    assert "conv_int8 #3 SOFTMAX/int8 litert@ref" in text


def test_junit_has_a_test_case_for_each_model_on_each_runtime(log: Log) -> None:
    root = ElementTree.fromstring(junit.render(log))
    found = {
        suite.get("name"): case
        for suite in root
        for case in suite.iter("testcase")
        if case.get("classname") == "model" and case.get("name") == "conv_int8"
    }
    assert [child.tag for child in found["litert@ref"]] == ["failure"]
    assert [child.tag for child in found["litert@xnnpack"]] == ["skipped"]
    assert [child.tag for child in found["lite@host"]] == []


def test_json_has_every_model_with_its_runtimes(log: Log) -> None:
    found = json.loads(json_report.render(log))["models"]
    assert found["conv_int8"]["operators"][0] == {"op": "CONV_2D", "row": "int8", "why": ""}
    assert found["conv_int8"]["runtimes"]["litert@ref"]["status"] == "fail"
    assert found["conv_int8"]["runtimes"]["micro@cortex-m4"]["flash"] == 17635
    assert found["odd<name>"]["runtimes"]["lite@host"]["status"] == "unsupported"


def test_a_comparison_tells_verdicts_and_figures_of_models(with_models: With, log: Log, records: list[Record]) -> None:
    records[0] |= {"verdict": "crash", "expected": False}
    records[1] |= {"flash": 18000}
    told = describe(diff(log, with_models(*records)))
    assert "broken: model/conv_int8 lite@host: pass -> crash" in told
    assert "cost: model conv_int8 micro@cortex-m4 flash: 17,635 -> 18,000" in told


def test_of_several_logs_the_later_counts(with_models: With, log: Log, records: list[Record]) -> None:
    later = with_models(records[0] | {"correct": 64}, records[4])
    both = merge([log, later])
    assert [line.correct for line in both.models if line.runtime == "lite" and line.model == "conv_int8"] == [64]
    assert len(both.graphs) == 2


def test_a_model_of_a_broken_off_run_is_shown_without_its_graph(with_models: With, records: list[Record]) -> None:
    (one,) = models.shown(with_models(records[0]))
    assert (one.graph.model, one.operators, len(one.rows)) == ("conv_int8", (), 1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"verdict": "splendid"}, "verdict 'splendid' is unknown"),
        ({"examples": "many"}, "key 'examples': found text 'many', allowed is a whole number"),
        ({"runtime": None}, "key 'runtime' is missing"),
    ],
)
def test_a_malformed_line_is_refused_with_its_place(
    with_models: With, records: list[Record], change: Record, said: str
) -> None:
    with pytest.raises(LogError) as error:
        with_models(records[0] | change)
    assert said in str(error.value)
    assert "run.jsonl:" in str(error.value)
