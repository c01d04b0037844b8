"""What a claim and a finding mean together, how they are written, and what the table says of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from opconform.harness import claims_log
from opconform.harness.claim_values import CLAIMS, claimed_values, parse_size, show_size
from opconform.harness.claims import (
    FAILS,
    HOLDS,
    UNCLAIMED,
    UNMEASURED,
    Evidence,
    Finding,
    NotMeasurable,
    Subject,
    examine,
    judge,
)
from opconform.harness.claims_checks import CHECKS
from opconform.harness.claims_promised import PROMISED, SYSTEM_OF, SYSTEMS, promised
from opconform.harness.registry import Handle, names, resolve
from opconform.harness.runlog import LogError
from opconform.harness.runtime import Manifest, RuntimeFailure, Unavailable
from opconform.reports import claims as report

README = Path(__file__).parents[2] / "README.md"


def finding(claim: str, claimed: bool | int | None, value: bool | int | None, runtime: str = "mine@host") -> Finding:
    return Finding(runtime, "1.0", claimed, Evidence(claim, value, "so | so", "a <file>", "because"))


@pytest.mark.parametrize(
    ("claim", "claimed", "measured", "verdict"),
    [
        ("training", True, True, HOLDS),
        ("training", True, False, FAILS),
        ("training", True, None, UNMEASURED),
        ("training", False, True, UNCLAIMED),
        ("training", False, False, UNCLAIMED),
        ("training", None, True, UNCLAIMED),
        ("ops", 100, 100, HOLDS),
        ("ops", 100, 99, FAILS),
        ("ops", 0, 0, HOLDS),
        ("binary_size", 1024, 1024, HOLDS),
        ("binary_size", 1024, 1025, FAILS),
        ("base_memory", None, 5, UNCLAIMED),
        ("base_memory", 5, None, UNMEASURED),
    ],
)
def test_a_claim_holds_where_what_was_measured_is_no_less(
    claim: str, claimed: bool | int | None, measured: bool | int | None, verdict: str
) -> None:
    assert judge(claim, claimed, measured) == verdict


def test_only_an_ability_that_is_denied_can_be_understated() -> None:
    assert finding("training", False, True).understated
    assert not finding("training", False, False).understated
    assert not finding("training", None, True).understated
    assert not finding("ops", 1, 9).understated


def test_there_is_a_check_and_a_promise_of_every_claim() -> None:
    assert list(CHECKS) == list(CLAIMS) == list(PROMISED)
    assert promised("litert@ref", "binary_size") == "100 KB"
    assert promised("somebody", "ops") == ""
    assert set(SYSTEM_OF.values()) == set(SYSTEMS)


@pytest.mark.parametrize(
    ("error", "value"),
    [(NotMeasurable("no QEMU"), None), (Unavailable("no package"), None), (RuntimeFailure("it died"), False)],
)
def test_what_cannot_be_measured_is_evidence_and_so_is_a_death(error: Exception, value: bool | None) -> None:
    def check(subject: Subject) -> Evidence:
        raise error

    handle = Handle("mine", "mine", "host", Manifest(name="mine"))
    found = examine(Subject(handle, lambda: None), check, "training")  # type: ignore[arg-type, return-value]
    assert found.evidence.value is value
    assert found.evidence.why == str(error)


def test_a_runtime_that_is_not_here_is_not_asked() -> None:
    handle = Handle("mine", "mine", "host", Manifest(name="mine"), unavailable="get it")
    found = examine(Subject(handle, lambda: None), CHECKS["ops"], "ops")  # type: ignore[arg-type, return-value]
    assert (found.verdict, found.evidence.why) == (UNMEASURED, "get it")


@pytest.mark.parametrize(
    ("size", "text"), [(1, "1 B"), (1023, "1023 B"), (1536, "1.5 KB"), (106_496, "104 KB"), (5 << 30, "5 GB")]
)
def test_sizes_are_written_with_units_of_1024(size: int, text: str) -> None:
    assert show_size(size) == text
    assert parse_size(text) == size


def test_findings_come_back_from_a_log_as_they_were(tmp_path: Path) -> None:
    found = [finding("training", True, False), finding("ops", 3, 5), finding("binary_size", None, None)]
    claims_log.write(tmp_path / "new" / "claims.jsonl", found)
    assert claims_log.read(tmp_path / "new" / "claims.jsonl") == found


def test_the_verdict_of_a_log_is_not_believed(tmp_path: Path) -> None:
    log = tmp_path / "claims.jsonl"
    claims_log.write(log, [finding("ops", 500, 3)])
    log.write_text(log.read_text().replace(f'"{FAILS}"', f'"{HOLDS}"'))
    assert [one.verdict for one in claims_log.read(log)] == [FAILS]


def test_of_two_logs_the_later_one_counts() -> None:
    old, new, other = finding("ops", 1, 1), finding("ops", 1, 2), finding("ops", 1, 3, "other@host")
    assert claims_log.merged([[old, other], [new]]) == [new, other]


HEADER = '{"kind": "claims", "format": 1}\n'
LINE = {
    "kind": "claim",
    "runtime": "a",
    "version": "",
    "claim": "ops",
    "claimed": 1,
    "value": 1,
    "measured": "",
    "source": "",
    "why": "",
}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ":1: is no log of claims"),
        ('{"kind": "header"}\n', ":1: is no log of claims"),
        (HEADER + "{", ":2: is no JSON"),
        (HEADER + "[]", ":2: is no JSON object"),
        (HEADER + json.dumps(LINE | {"claim": "speed"}), ":2: kind 'claim' and claim 'speed'"),
        (HEADER + json.dumps(LINE | {"claim": []}), ":2: kind 'claim' and claim []"),
        (HEADER + json.dumps(LINE | {"value": True}), ":2: value must be a number or null"),
        (HEADER + json.dumps(LINE | {"claim": "training"}), ":2: claimed value must be true, false or null"),
        (HEADER + json.dumps(LINE | {"why": 3}), ":2: why must be text"),
    ],
)
def test_a_damaged_log_is_one_line_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    log = tmp_path / "claims.jsonl"
    log.write_text(text)
    with pytest.raises(LogError) as caught:
        claims_log.read(log)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


FOUND = (
    finding("training", True, False),
    finding("inference", False, True),
    finding("ops", 100, 99),
    finding("native_quantization", True, None),
    finding("binary_size", 2048, 1536),
    finding("base_memory", None, 1536),
    finding("fixed_weights", False, False),
    finding("inference", True, True, "other@host"),
)


def test_a_cell_says_what_is_claimed_and_what_was_found() -> None:
    cells = {row.claim: row.cells for row in report.rows(FOUND)}
    assert {claim: cell[0].text for claim, cell in cells.items() if cell[0]} == {
        "training": "yes: does not hold",
        "inference": "no: yet it can",
        "ops": "at least 100: 99, does not hold",
        "native_quantization": "yes: not measurable here",
        "binary_size": "at most 2 KB: so | so",
        "base_memory": "nothing claimed: so | so",
        "fixed_weights": "no",
    }
    assert [cell and cell.text for cell in cells["inference"]] == ["no: yet it can", "yes"]
    assert cells["ops"][1] is None


def test_markdown_keeps_its_columns_whatever_stands_in_a_cell() -> None:
    lines = report.markdown(FOUND).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in table[: len(report.rows(FOUND)) + 2]} == {5}
    assert any("so \\| so" in line for line in table)


def test_the_page_shows_every_finding_and_runs_nothing_of_a_log() -> None:
    page = report.html(FOUND)
    assert page.count("a &lt;file&gt;") == len(FOUND)
    assert "<file>" not in page
    assert "Can do more than its manifest says" in page
    assert 'href="index.html"' in report.html(FOUND, "index.html")


def test_only_the_table_of_a_readme_is_renewed() -> None:
    text = f"before\n{report.BEGIN}\nstale\n{report.END}\nafter\n"
    new = report.with_block(text, FOUND)
    assert new.startswith("before\n" + report.BEGIN)
    assert new.endswith(report.END + "\nafter\n")
    assert "stale" not in new
    assert report.with_block(new, FOUND) == new
    with pytest.raises(ValueError, match="no place for the table"):
        report.with_block("nothing here", FOUND)


def test_every_runtime_of_the_project_claims_something() -> None:
    for name in set(names()) - {"reference"}:
        assert set(resolve(name).manifest.claims) == set(CLAIMS), name


@pytest.mark.skipif(not README.is_file(), reason="the README is not part of the wheel")
def test_the_table_of_the_readme_agrees_with_the_manifests() -> None:
    block = README.read_text().partition(report.BEGIN)[2].partition(report.END)[0]
    head, _, *body = ([cell.strip() for cell in line.strip("|").split("|")] for line in block.strip().splitlines())
    runtimes = [name.strip("`") for name in head[1:-1]]
    assert {name.partition("@")[0] for name in runtimes} == set(names()) - {"reference"}
    assert [line[0] for line in body] == [report.title(claim) for claim in CLAIMS]
    for runtime, number in zip(runtimes, range(1, len(head)), strict=False):
        claimed = claimed_values(resolve(runtime).manifest.claims)
        for claim, line in zip(CLAIMS, body, strict=True):
            found = line[number]
            assert found.partition(":")[0] == report.claimed_words(claim, claimed[claim]), (runtime, claim)
            assert FAILS not in found
            assert UNMEASURED not in found
