"""The pytest plugin: specs become tests with sentences for names; other projects do not notice it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from opconform.harness import pytest_items
from opconform.harness.expectations import Expectation
from opconform.harness.pytest_plugin import is_op_spec, names_specs
from opconform.harness.runtime import Unavailable

pytest_plugins = ["pytester"]

SPEC = """\
op: ABS
summary: Magnitude.
inputs:
  x: {shape: A}
outputs:
  y: {shape: A}
domain:
  A: {rank: [1, 2], dim: [1, 4]}
  values: {int32: [-50, 50]}
types:
  int32: {x: int32, y: int32}
invalid:
  E1: {missing: x, why: the input is mandatory}
tolerance:
  int32: exact
properties:
  - even: x
"""
RUNTIME = """\
import numpy as np

from opconform.harness.runtime import InvalidModel, Manifest


class Session:
    def run(self, inputs):
        if len(inputs) != 1:
            raise InvalidModel("one input is needed")
        return [np.abs(inputs[0]) + WRONG]

    def meters(self):
        return {}

    def close(self):
        pass


class Fake:
    in_process = True

    def __init__(self, at=""):
        pass

    def describe(self):
        return Manifest(name="fake", targets=("host",))

    def open(self, model):
        return Session()
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project of somebody else, with a spec and two runtimes."""
    folder = pytester.mkdir("specs") / "ops"
    folder.mkdir()
    (folder / "abs.yaml").write_text(SPEC)
    (pytester.path / "good.py").write_text(RUNTIME.replace("WRONG", "0"))
    (pytester.path / "bad.py").write_text(RUNTIME.replace("WRONG", "(inputs[0] > 40)"))
    (pytester.path / "test_own.py").write_text("def test_own():\n    pass\n")
    return pytester


def go(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return project.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:xdist", *arguments)


def test_names_are_sentences_of_the_spec(project: pytest.Pytester) -> None:
    result = go(project, "specs", "--runtime", "good.py:Fake", "-v")
    result.assert_outcomes(passed=5)
    for sentence in (
        "*::ABS int32 on fake: equal to the reference [[]T1[]] PASSED*",
        "*::ABS int32 on fake: refuses E1 (the input is mandatory) PASSED*",
        "*::ABS int32 on fake: even: x [[]L1[]] PASSED*",
        "*::ABS int32 on fake: deterministic [[]LD[]] PASSED*",
    ):
        result.stdout.fnmatch_lines([sentence])


def test_a_failure_shows_the_minimal_case_and_its_replay_and_no_traceback(project: pytest.Pytester) -> None:
    result = go(project, "specs", "--runtime", "bad.py:Fake")
    assert result.ret == 1
    text = result.stdout.str()
    assert "ABS/int32/" in text
    assert "want 4" in text
    assert "opconform replay ABS/int32/" in text
    assert "Traceback" not in text
    assert "runtest" not in text


def test_keywords_select_by_op_row_and_runtime(project: pytest.Pytester) -> None:
    result = go(project, "specs", "--runtime", "good.py:Fake", "--runtime", "bad.py:Fake", "-k", "ABS and refuses")
    result.assert_outcomes(passed=2, deselected=8)


def test_a_known_deviation_is_xfail_with_its_reason(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    known = Expectation("fake", "ABS/*", ("wrong-value",), "it rounds up", "here:1")
    monkeypatch.setattr(pytest_items, "expectations_of", lambda handle: (known,))
    result = go(project, "specs", "--runtime", "bad.py:Fake", "-rx", "-k", "equal")
    result.assert_outcomes(xfailed=1, deselected=4)
    result.stdout.fnmatch_lines(["*it rounds up*"])


def test_a_runtime_that_cannot_run_here_is_skipped_with_its_reason(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(handle: object) -> None:
        raise Unavailable("fake: the package fake-engine is missing; run: pip install fake-engine")

    monkeypatch.setattr(pytest_items, "connect", unavailable)
    result = go(project, "specs", "--runtime", "good.py:Fake", "-rs")
    result.assert_outcomes(skipped=5)
    result.stdout.fnmatch_lines(["*pip install fake-engine*"])


def test_a_malformed_spec_is_one_line_with_file_and_line(project: pytest.Pytester) -> None:
    (project.path / "specs/ops/abs.yaml").write_text(SPEC.replace("summary:", "summry:"))
    result = go(project, "specs", "--runtime", "good.py:Fake")
    assert result.ret == 2
    result.stdout.fnmatch_lines(["specs/ops/abs.yaml:2: unknown key 'summry' in a spec*"])
    assert "Traceback" not in result.stdout.str()


def test_an_unknown_runtime_stops_before_anything_runs(project: pytest.Pytester) -> None:
    result = go(project, "specs", "--runtime", "nope")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: unknown runtime 'nope', known are*"])


def test_a_bare_pytest_collects_no_specs(project: pytest.Pytester) -> None:
    go(project).assert_outcomes(passed=1)


def test_an_option_runtime_of_the_project_itself_is_left_alone(project: pytest.Pytester) -> None:
    (project.path / "conftest.py").write_text("def pytest_addoption(parser):\n    parser.addoption('--runtime')\n")
    go(project, "--runtime", "docker").assert_outcomes(passed=1)
    go(project, "test_own.py").assert_outcomes(passed=1)


def test_installed_specs_are_collected_on_request(project: pytest.Pytester) -> None:
    result = go(project, "test_own.py", "--opconform", "--collect-only", "-q", "-k", "own or LESS and int8 and refuses")
    result.stdout.fnmatch_lines(["test_own.py::test_own", "*LESS int8 on lite: refuses E1*"])
    result = go(project, "--opconform", "--collect-only", "-q", "-k", "own or LESS and int8")
    result.stdout.no_fnmatch_line("test_own.py*")
    result.stdout.fnmatch_lines(["*LESS int8 on lite*"])


def test_workers_of_xdist_agree_on_the_tests(project: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    arguments = ["specs", "--runtime", "good.py:Fake", "-n", "2", "--dist", "loadgroup", "-p", "no:cacheprovider"]
    result = project.runpytest_subprocess(*arguments)
    result.assert_outcomes(passed=5)


@pytest.mark.parametrize(
    ("path", "text", "found"),
    [
        ("ops/abs.yaml", SPEC, True),
        ("ops/abs.yml", SPEC, False),
        ("other/abs.yaml", SPEC, False),
        ("ops/deploy.yaml", "op: replace\npath: /x\n", False),
        ("ops/playbook.yaml", "- hosts: all\n  op: ABS\n", False),
        ("ops/binary.yaml", "op: ABS\ntypes: \udcff\n", False),
    ],
)
def test_only_specs_of_ops_are_taken_for_specs(tmp_path: Path, path: str, text: str, found: bool) -> None:
    file = tmp_path / path
    file.parent.mkdir()
    file.write_bytes(text.encode(errors="surrogateescape"))
    assert is_op_spec(file) == found
    assert names_specs([str(file)]) == found
    assert names_specs([f"{file}::ABS int32"]) == found
    assert names_specs([str(tmp_path / "nowhere"), "-k", "x"]) is False


def test_the_plugin_is_light_to_import() -> None:
    heavy = "[name for name in ('numpy', 'numba', 'yaml') if name in sys.modules]"
    code = f"import sys, opconform.harness.pytest_plugin; print({heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
