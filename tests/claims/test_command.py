"""`opconform claims` as it is typed: exit codes, files, one line for what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from opconform.harness import claims_log, claims_ops
from opconform.harness.claim_values import CLAIMS
from opconform.harness.claims import Evidence, Finding
from opconform.harness.cli import app
from opconform.harness.cli import claims as cli_claims
from opconform.harness.cli.common import guard
from opconform.harness.cli.report import claims_beside, write_reports
from opconform.harness.runner import Selection, run
from opconform.harness.spec_load import load_all
from opconform.reports.log import read

FAKES = Path(__file__).parents[1] / "fakes"
BOASTER = f"{FAKES / 'boasters.py'}:"
Command = Callable[..., int]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Command:
    """Return the command line as a function from words to its exit code."""

    def typed(*words: object) -> int:
        monkeypatch.setattr("sys.argv", ["opconform", "claims", *map(str, words)])
        return guard(app)

    return typed


def test_a_claim_that_does_not_hold_fails_and_every_form_says_so(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, page, table = tmp_path / "a.jsonl", tmp_path / "deep" / "a.html", tmp_path / "a.md"
    words = ("--runtime", f"{BOASTER}SoftWeights", "--claim", "fixed_weights", "--claim", "inference")
    assert command(*words, "--log", log, "--html", page, "--markdown", table) == 1
    out = capsys.readouterr().out
    assert "fixed weights: does not hold: can be overwritten" in out
    assert "yes: does not hold" in page.read_text()
    assert "yes: does not hold" in table.read_text()
    assert [json.loads(line).get("verdict") for line in log.read_text().splitlines()] == [
        None,
        "holds",
        "does not hold",
    ]


BOASTS = dict.fromkeys(CLAIMS, "BoastsOfAll") | {
    "inference": "WrongFloat",
    "native_quantization": "WrongInt8",
    "fixed_topology": "Elastic",
}


@pytest.mark.parametrize("claim", CLAIMS)
def test_each_claim_that_does_not_hold_fails_the_run(
    command: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, claim: str
) -> None:
    few = {op: spec for op, spec in load_all().items() if op in ("ABS", "ADD")}
    monkeypatch.setattr(claims_ops, "load_all", lambda: few)
    name = BOASTS[claim]
    assert command("--runtime", f"{BOASTER}{name}", "--claim", claim) == 1
    assert f"{name.lower()}@host {claim.replace('_', ' ')}: does not hold: " in capsys.readouterr().out


def test_claims_that_hold_pass_and_what_is_understated_is_listed(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("--runtime", f"{BOASTER}Modest", "--claim", "native_quantization", "--claim", "fixed_topology") == 0
    assert "no: yet it can" in capsys.readouterr().out


@pytest.mark.parametrize(("columns", "tables"), [(80, 4), (120, 2), (240, 1)])
def test_a_table_that_is_wider_than_the_terminal_is_printed_in_parts(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    columns: int, tables: int
) -> None:  # fmt: skip
    names = [f"runtime_{number}@host" for number in range(8)]
    evidence = Evidence("binary_size", 10_000, "10 KB of machine code, all ops 300 KB", "a file")
    claims_log.write(tmp_path / "a.jsonl", [Finding(name, "1", 20_000, evidence) for name in names])
    monkeypatch.setattr(cli_claims, "_WIDTH", columns)
    assert command("--with", tmp_path / "a.jsonl") == 0
    out = capsys.readouterr().out
    assert max(map(len, out.partition("promised: by")[0].splitlines())) <= columns
    assert out.count("binary size") == tables
    assert all(name in out for name in names)
    assert "promised: by the comparison of the three systems" in out


def test_logs_of_other_places_are_rendered_without_measuring(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, readme = tmp_path / "a.jsonl", tmp_path / "README.md"
    command("--runtime", f"{BOASTER}WrongInt8", "--claim", "native_quantization", "--log", log)
    readme.write_text("# x\n<!-- claims: begin, written by opconform claims --readme -->\n<!-- claims: end -->\ny\n")
    capsys.readouterr()
    assert command("--with", log, "--readme", readme, "--json") == 1
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["runtime"], found["verdict"]) == ("wrongint8@host", "does not hold")
    assert "| native quantization | yes: does not hold |" in readme.read_text()


def test_a_runtime_that_cannot_run_here_is_infrastructure(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("--runtime", f"exec:{tmp_path / 'nothing'}", "--claim", "inference") == 3
    assert "not measurable here" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--claim", "speed"), "--claim speed: unknown; allowed: training, inference"),
        (("--runtime", "nobody"), "unknown runtime 'nobody'"),
        (("--with", "nowhere.jsonl"), "nowhere.jsonl: cannot be read as a log of claims"),
        (("--with", __file__), "is no JSON"),
        (("--readme", str(FAKES / "fakes.py")), "no place for the table"),
        (("--readme", "nowhere.md"), "nowhere.md"),
        (("--runtime", "lite", "--claim", "ops", "--run", "nowhere.jsonl"), "nowhere.jsonl"),
    ],
)
def test_bad_input_is_one_line(
    command: Command, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str
) -> None:
    assert command(*words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_the_run_report_links_the_claims_that_lie_beside_its_log(command: Command, tmp_path: Path) -> None:
    run(Selection((f"{FAKES / 'fakes.py'}:always_right",), ("ABS",), ("float32",)), tmp_path / "run.jsonl")
    site = write_reports(read(tmp_path / "run.jsonl"), tmp_path / "bare", None, None, None)
    assert site == [f"wrote {tmp_path / 'bare' / 'index.html'}"]
    assert "claims.html" not in (tmp_path / "bare" / "index.html").read_text()

    command("--runtime", f"{BOASTER}Modest", "--claim", "inference", "--log", tmp_path / "claims.jsonl")
    pages = claims_beside([tmp_path / "run.jsonl"])
    write_reports(read(tmp_path / "run.jsonl"), tmp_path / "full", None, None, None, pages)
    assert '<a href="claims.html">Claims</a>' in (tmp_path / "full" / "index.html").read_text()
    assert '<a href="../claims.html">Claims</a>' in next((tmp_path / "full").rglob("ABS.html")).read_text()
    assert "modest" in (tmp_path / "full" / "claims.html").read_text()
    assert 'href="index.html"' in (tmp_path / "full" / "claims.html").read_text()
