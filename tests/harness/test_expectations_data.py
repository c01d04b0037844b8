"""The committed expectations are true to the specs and manifests; a run is strict about them in both directions."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from opconform.harness import runner
from opconform.harness.expectations import Expectation, load_expectations
from opconform.harness.expr import compile_expression
from opconform.harness.generate.build import rebuild
from opconform.harness.limits import declared_limit
from opconform.harness.model import Case
from opconform.harness.registry import claims_row, resolve
from opconform.harness.runner import Result, Selection, load_oracle, run
from opconform.harness.spec import OpSpec
from opconform.harness.spec_load import load_all
from opconform.harness.totals import Totals
from opconform.harness.yamlish import SpecError

RUNTIMES = ("litert", "tflm", "lite", "micro")
FOLDER = Path(__file__).parents[2] / "runtimes"
#: Few words may stand alone as a reason.
FEWEST_WORDS = 5


def committed() -> list[Expectation]:
    return [entry for name in RUNTIMES for entry in load_expectations(name, FOLDER / name / "expected")]


def named(entry: Expectation) -> str:
    return f"{entry.label} {'/'.join(entry.clause)}"


@pytest.fixture(scope="module")
def specs() -> Mapping[str, OpSpec]:
    return load_all()


@pytest.fixture(scope="module")
def kernels() -> Mapping[str, Callable[..., Any]]:
    return load_oracle().kernels


@pytest.mark.parametrize("entry", committed(), ids=named)
def test_an_entry_has_a_reason_and_an_example(entry: Expectation) -> None:
    assert len(entry.because.split()) >= FEWEST_WORDS
    assert entry.example or entry.sometimes


@pytest.mark.parametrize("entry", committed(), ids=named)
def test_an_entry_speaks_of_rows_and_places_that_its_runtime_claims(
    entry: Expectation, specs: Mapping[str, OpSpec]
) -> None:
    manifest = resolve(entry.runtime).manifest
    places = [
        place
        for place in manifest.variants or manifest.targets
        if not entry.at or any(fnmatchcase(place, glob) for glob in entry.at)
    ]
    assert places
    rows = [
        (op, row) for op, spec in specs.items() for row in spec.rows if entry.covers(entry.runtime, places[0], op, row)
    ]
    assert any(claims_row(manifest, op, row) for op, row in rows)
    labels = {clause.label for op, _ in rows for clause in specs[op].clauses}
    assert all(any(fnmatchcase(label, glob) for label in labels) for glob in entry.clause)


@pytest.mark.parametrize("entry", [e for e in committed() if e.example], ids=named)
def test_an_example_is_a_case_that_its_entry_speaks_of(
    entry: Expectation, specs: Mapping[str, OpSpec], kernels: Mapping[str, Callable[..., Any]]
) -> None:
    case = rebuild(entry.example, specs, kernels).case
    manifest = resolve(entry.runtime).manifest
    at = entry.at[0] if entry.at else ""
    clause = case.violates or next(iter(entry.clause), "")
    assert entry.matches(entry.runtime, at, case, entry.expect[0], clause)
    assert claims_row(manifest, case.op, case.row)
    assert declared_limit(manifest, case) is None


def test_the_cases_that_the_page_of_deviations_tells_are_examples_of_entries() -> None:
    page = (FOLDER.parent / "docs" / "deviations.md").read_text()
    told = set(re.findall(r"opconform replay (\S+)", page)) - {"CASE"}
    assert told
    assert told <= {entry.example for entry in committed()}


RUNTIME = """\
import numpy as np

from opconform.harness.runtime import Manifest


class Session:
    def run(self, inputs):
        return [np.abs(inputs[0])]

    def meters(self):
        return {}

    def close(self):
        pass


class Careless:
    '''Right on every legal case of ABS/int32, and takes every model.'''
    in_process = True

    def __init__(self, at=""):
        pass

    def describe(self):
        return Manifest(name="careless")

    def open(self, model):
        return Session()
"""
KNOWN = Expectation(
    "careless", "ABS/int32", ("accepts-invalid",), "it looks at no dtype at all", "here:1", clause=("E4",)
)


@pytest.fixture
def careless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run the runtime above on ABS/int32 with some expectations."""
    file = tmp_path / "careless.py"
    file.write_text(RUNTIME)

    def go(*entries: Expectation) -> Result:
        monkeypatch.setattr(runner, "expectations_of", lambda handle: entries)
        return run(Selection((f"{file}:Careless",), ("ABS",), ("int32",)), tmp_path / "log.jsonl")

    return go


def cases(tmp_path: Path) -> list[dict[str, Any]]:
    lines = [json.loads(text) for text in (tmp_path / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if line["kind"] == "case"]


def a_case(tmp_path: Path, verdict: str) -> str:
    return next(str(line["case"]) for line in cases(tmp_path) if line["verdict"] == verdict)


def test_a_deviation_without_an_entry_fails_the_run_and_one_with_an_entry_does_not(
    careless: Callable[..., Result], tmp_path: Path
) -> None:
    assert careless().exit == 1
    example = a_case(tmp_path, "accepts-invalid")
    known = careless(replace(KNOWN, example=example))
    assert (known.exit, known.footer["unexpected"], known.footer["stale"]) == (0, 0, [])
    assert {line.get("expectation") for line in cases(tmp_path) if line["verdict"] != "pass"} == {"here:1"}


def test_an_entry_for_what_passes_fails_the_run_with_and_without_an_example(
    careless: Callable[..., Result], tmp_path: Path
) -> None:
    careless(KNOWN)
    wrong = Expectation("careless", "ABS/int32", ("wrong-value",), KNOWN.because, "here:9")
    without = careless(KNOWN, wrong)
    assert without.exit == 1
    assert [text.split(":")[:2] for text in without.footer["stale"]] == [["here", "9"]]
    shown = careless(KNOWN, replace(wrong, example=a_case(tmp_path, "pass")))
    assert (shown.exit, shown.footer["unexpected"]) == (1, 1)
    assert "it passes; remove the expectation" in str([line["message"] for line in cases(tmp_path)])


def test_an_example_that_is_no_case_any_more_is_stale(careless: Callable[..., Result], tmp_path: Path) -> None:
    careless(KNOWN)
    case = a_case(tmp_path, "pass")
    outdated = f"{case[:-1]}{'0' if case[-1] != '0' else '1'}"
    result = careless(replace(KNOWN, example=outdated))
    assert result.exit == 1
    assert result.footer["unexpected"] == 0
    assert len(result.footer["stale"]) == 1
    assert "does not fit" in result.footer["stale"][0]


def test_what_depends_on_memory_may_explain_nothing(careless: Callable[..., Result], tmp_path: Path) -> None:
    chance = replace(KNOWN, expect=("crash",), where="here:2", sometimes=True)
    assert careless(KNOWN, chance).exit == 0
    example = a_case(tmp_path, "pass")
    assert careless(KNOWN, replace(chance, example=example)).exit == 0


@pytest.mark.parametrize(("when", "exit_code"), [("rank(A) >= 0", 0), ("rank(A) > 9", 1), ("no_such_name", 1)])
def test_an_entry_holds_only_where_its_condition_does(
    careless: Callable[..., Result], when: str, exit_code: int
) -> None:
    assert careless(replace(KNOWN, when=compile_expression(when))).exit == exit_code


def test_a_condition_that_is_no_expression_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "expected.yaml"
    file.write_text("- case: ABS\n  expect: crash\n  because: a reason\n  when: open('x')\n")
    with pytest.raises(SpecError, match=r"expected\.yaml:4: 'when'"):
        load_expectations("careless", file)


def test_an_entry_is_not_stale_where_the_row_of_its_example_did_not_run() -> None:
    handle = resolve("litert")
    entry = Expectation("litert", "ABS", ("crash",), KNOWN.because, "here:1", example="ABS/int8/000")
    assert runner._stale(Totals(), [(handle, [("ABS", "float32")])], {handle.label: [entry]}) == []
    assert len(runner._stale(Totals(), [(handle, [("ABS", "int8")])], {handle.label: [entry]})) == 1


def test_an_entry_without_a_condition_speaks_of_any_case() -> None:
    case = Case("ABS/int32/000", "ABS", "int32", {}, {}, (), (), ())
    assert KNOWN.matches("careless", "host", case, "accepts-invalid", "E4")
    assert not KNOWN.matches("careless", "host", case, "crash", "E4")
    assert not KNOWN.matches("careless", "host", case, "accepts-invalid", "E1")
    assert not KNOWN.matches("careless", "host", replace(case, row="int8"), "accepts-invalid", "E4")
