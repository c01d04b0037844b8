"""The pages say what the code does: links lead somewhere, commands exist, tables hold what specs and loaders hold."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from opconform.harness import bench
from opconform.harness.cli import app
from opconform.harness.cli.common import guard
from opconform.harness.expectations import load_expectations
from opconform.harness.model import VERDICTS
from opconform.harness.spec import OpSpec
from opconform.harness.spec_load import load_all

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason="the docs are not part of the wheel")

PAGES = tuple(str(p.relative_to(ROOT)) for p in sorted((*ROOT.glob("*.md"), *DOCS.glob("*.md"))))
SPECS = load_all()
OPS = tuple(SPECS)


def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def fenced(page: str, language: str) -> list[str]:
    """Return the blocks of a language, with continued lines as one."""
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```$", text(page), re.MULTILINE | re.DOTALL)
    return [block.replace("\\\n", " ") for block in found]


def commands() -> list[tuple[str, str]]:
    """Return every line of a shell block, and every command of ours in a plain one, without comment, by page."""
    lines = [(page, line) for page in PAGES for block in fenced(page, "sh") for line in block.splitlines()]
    plain = [(page, line) for page in PAGES for block in fenced(page, "") for line in block.splitlines()]
    lines += [(page, line) for page, line in plain if line.startswith("opconform ")]
    return [(page, line.split(" #")[0].strip()) for page, line in lines if line.strip() and not line.startswith("#")]


OURS = [(page, line) for page, line in commands() if line.startswith("opconform ")]


@pytest.mark.parametrize("page", PAGES)
def test_every_link_within_the_project_leads_somewhere(page: str) -> None:
    prose = re.sub(r"^```.*?^```$", "", text(page), flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", prose)
    inner = [target for target in targets if not target.startswith(("http", "<", "`"))]
    assert [target for target in inner if not (ROOT / page).parent.joinpath(target).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_page_and_file_that_is_named_exists(page: str) -> None:
    named = re.findall(r"\b(?:docs|specs|tests|harness|targets|runtimes)/[\w./-]+\.(?:md|py|yaml|json|c)\b", text(page))
    invented = ("specs/ops/sub.yaml", "runtimes/reference/kernels/sub.py", "runtimes/micro/src/ops/sub_float32.c")
    assert [name for name in named if name not in invented and not (ROOT / name).exists()] == []


@pytest.mark.parametrize(("page", "line"), OURS, ids=[f"{page}: {line}" for page, line in OURS])
def test_every_command_of_the_pages_parses(page: str, line: str) -> None:
    group: Any = typer.main.get_command(app)
    words = shlex.split(line)[1:]
    context = group.make_context("opconform", words, resilient_parsing=False)
    command, rest = group, words
    while hasattr(command, "commands"):
        _, command, rest = command.resolve_command(context, rest)
    with context:
        command.make_context(command.name, rest, parent=context)


def test_commands_of_dev_name_environments() -> None:
    listed = re.findall(r"^\[testenv:(.+)\]", text("tox.ini"), re.MULTILINE)
    known = {"opconform", "setup"} | {name for entry in listed for name in _expanded(entry)}
    used = {line.split()[1] for _, line in commands() if line.startswith("./dev ")}
    assert used
    assert used <= known


def _expanded(entry: str) -> list[str]:
    found = re.fullmatch(r"(.*)\{(.+)\}", entry)
    return [found[1] + part for part in found[2].split(",")] if found else [entry]


def test_the_expectations_of_the_page_load(tmp_path: Path) -> None:
    file = tmp_path / "expected.yaml"
    file.write_text(fenced("docs/expectations.md", "yaml")[0])
    first, second = load_expectations("litert", file)
    assert (first.at, first.clause, second.expect) == (("builtin", "xnnpack"), ("T4",), ("crash", "accepts-invalid"))
    assert first.when is not None


def test_the_page_lists_every_key_of_an_expectation() -> None:
    from opconform.harness import expectations

    assert set(re.findall(r"^\| `(\w+)` \|", text("docs/expectations.md"), re.MULTILINE)) == set(expectations._KEYS)


def test_the_glossary_has_every_verdict() -> None:
    line = next(line for line in text("docs/glossary.md").splitlines() if line.startswith("| verdict |"))
    assert re.findall(r"[a-z-]+", line.partition(":")[2]) == list(VERDICTS)


def specials_of(spec: OpSpec) -> tuple[str, ...]:
    return tuple(spec.specials)


def test_the_special_values_of_every_op_are_listed() -> None:
    table = text("docs/untested.md").partition("| ops | special values |")[2].split("\n\n")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
    listed = {op: () if kinds == "none" else tuple(kinds.split()) for ops, kinds in rows for op in ops.split()}
    assert listed == {op: specials_of(spec) for op, spec in SPECS.items()}


@pytest.mark.parametrize("op", OPS)
def test_every_bound_has_a_family_on_the_page_of_tolerances(op: str) -> None:
    rules = [rule.kind for rules in SPECS[op].tolerance.values() for rule in rules]
    page = text("docs/tolerances.md")
    moved = op in ("READ_VARIABLE", "ASSIGN_VARIABLE", "VAR_HANDLE")  # "variables" on the page
    assert op in page or moved or set(rules) <= {"exact", "distribution"}


def test_every_comparator_has_a_row() -> None:
    kinds = {rule.kind for spec in SPECS.values() for rules in spec.tolerance.values() for rule in rules}
    rows = re.findall(r"^\| `\{?(\w+)", text("docs/tolerances.md"), re.MULTILINE)
    assert kinds <= set(rows)


def test_the_parts_of_the_figures_are_those_that_are_measured() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", text("docs/bench.md"), re.MULTILINE)) == set(bench.PARTS)


def test_the_readme_says_how_many_operators_there_are() -> None:
    found = re.search(r"(\d+) operators", text("README.md"))
    assert found
    assert int(found[1]) == len(OPS)


def test_the_readme_shows_what_replay_prints(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = fenced("README.md", "text")[0]
    case = shown.splitlines()[0]
    monkeypatch.setattr("sys.argv", ["opconform", "replay", case, "--runtime", "litert@builtin"])
    assert guard(app) == 0
    assert capsys.readouterr().out.rstrip() == shown.rstrip(), "the spec changed: copy what it prints now"


def test_inline_commands_of_the_readme_name_subcommands() -> None:
    group: Any = typer.main.get_command(app)
    named = set(re.findall(r"`opconform ([a-z]+)", text("README.md")))
    assert named <= set(group.commands)
    assert {"run", "replay", "report", "diff", "smoke", "new", "model", "size", "bench"} <= set(
        re.findall(r"opconform ([a-z]+)", text("README.md"))
    )
