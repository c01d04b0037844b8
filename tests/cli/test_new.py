"""Scaffolds: complete in form, refused by lint until filled in, never over what exists."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from opconform.harness.lint import lint_spec
from opconform.harness.registry import resolve
from opconform.harness.scaffold import op_files, runtime_files, schema_advice
from opconform.harness.smoke import smoke
from opconform.harness.spec_load import parse_spec
from opconform.harness.unit import Oracle
from opconform.harness.yamlish import SpecError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "specs" / "ops").mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text("")
    return tmp_path


def test_a_new_op_is_refused_until_each_placeholder_is_filled_in(root: Path, opconform: Callable[..., Any]) -> None:
    ended = opconform("new", "op", "abs", "--root", root)
    assert ended.code == 0
    text = (root / "specs/ops/abs.yaml").read_text()
    with pytest.raises(SpecError, match=r"3: 'summary' still holds the placeholder"):
        parse_spec(text, "abs.yaml")
    text = text.replace("<one sentence: what it computes>", "Magnitude.")
    with pytest.raises(SpecError, match="still holds the placeholder <bound>"):
        parse_spec(text, "abs.yaml")
    text = text.replace('"<bound>"', "0")

    def unwritten(x: object) -> None:
        raise ValueError("<write the definition of ABS: float64 in, float64 out, no rounding>")

    assert "the reference kernel fails" in lint_spec(parse_spec(text, "abs.yaml"), Oracle({"ABS": unwritten}, {}))[0]
    assert lint_spec(parse_spec(text, "abs.yaml"), Oracle({"ABS": np.abs}, {})) == []


def test_the_stub_of_a_kernel_compiles_and_raises(root: Path) -> None:
    namespace: dict[str, Any] = {}
    exec(compile(op_files("FLOOR_DIV")["runtimes/reference/kernels/floor_div.py"], "stub", "exec"), namespace)
    with pytest.raises(ValueError, match="<write the definition of FLOOR_DIV"):
        namespace["floor_div"](np.zeros(1))


def test_an_op_that_the_schema_does_not_know_is_told_what_to_add(root: Path, opconform: Callable[..., Any]) -> None:
    ended = opconform("new", "op", "NOT_YET_KNOWN", "--root", root)
    assert ended.code == 0
    assert '"NOT_YET_KNOWN": (<builtin code>, "NotYetKnownOptions")' in ended.out
    assert schema_advice("ABS") == ""


def test_nothing_is_overwritten_and_nothing_is_half_written(root: Path, refused: Callable[..., str]) -> None:
    kernel = root / "runtimes/reference/kernels/abs.py"
    kernel.parent.mkdir(parents=True)
    kernel.write_text("mine")
    assert "exists already" in refused("new", "op", "ABS", "--root", root)
    assert kernel.read_text() == "mine"
    assert not (root / "specs/ops/abs.yaml").exists()


def test_a_folder_that_is_no_checkout_is_refused(tmp_path: Path, refused: Callable[..., str]) -> None:
    assert "is no checkout of opconform; give one with --root" in refused("new", "op", "ABS", "--root", tmp_path)


@pytest.mark.parametrize("name", ["", "9lives", "a b", "a/b", "..", "Class", "é"])
def test_names_that_cannot_be_modules_are_refused(name: str, root: Path, refused: Callable[..., str]) -> None:
    assert "cannot be a runtime" in refused("new", "runtime", name, "--root", root)


def test_a_new_runtime_starts_declines_with_a_reason_and_passes_its_own_test(
    root: Path, opconform: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = opconform("new", "runtime", "my_engine", "--root", root)
    assert 'my_engine = "opconform.runtimes.my_engine:MyEngine"' in ended.out
    adapter = root / "runtimes/my_engine/__init__.py"
    checks = smoke(resolve(f"{adapter}:MyEngine"))
    assert checks[0].passed
    assert "my_engine runs no operator yet" in checks[1].message
    monkeypatch.setitem(sys.modules, "opconform.runtimes.my_engine", runpy_module(adapter))
    namespace = runpy.run_path(str(root / "tests/runtimes/test_my_engine.py"))
    tests = [value for name, value in namespace.items() if name.startswith("test_")]
    assert len(tests) == 2
    for test in tests:
        test()


def runpy_module(path: Path) -> ModuleType:
    """Return a file as a module."""
    module = ModuleType("my_engine")
    exec(compile(path.read_text(), str(path), "exec"), vars(module))
    return module


def test_scaffolds_hold_no_lines_that_the_linter_refuses(tmp_path: Path) -> None:
    for path, text in {**runtime_files("my_engine"), **op_files("FLOOR_DIV")}.items():
        assert max(map(len, text.splitlines())) <= 120, path
        if path.endswith(".py"):
            compile(text, path, "exec")
