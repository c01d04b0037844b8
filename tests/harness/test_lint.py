"""Lint: what only drawing cases and running the reference can show."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from opconform.harness.lint import lint_folder, lint_spec, stale_schema
from opconform.harness.model import Array
from opconform.harness.runner import load_oracle
from opconform.harness.spec_load import load_spec, spec_folder
from opconform.harness.spec_schema import schema_text
from opconform.harness.unit import Oracle


def defects(core: SimpleNamespace, old: str = "", new: str = "", kernel: object = np.abs) -> list[str]:
    assert old in core.abs_text
    spec = core.parse(core.abs_text.replace(old, new) if old else core.abs_text, "abs.yaml")
    return lint_spec(spec, Oracle({"ABS": kernel}, {}))  # type: ignore[dict-item]


def test_a_whole_spec_has_no_defect(core: SimpleNamespace) -> None:
    assert defects(core) == []


def test_a_row_that_cannot_generate_names_the_clause_that_rejects_most_draws(core: SimpleNamespace) -> None:
    found = defects(core, "size(A) <= 64", "size(A) > 999")
    for row in ("float32", "int32"):
        words = f"abs.yaml:15: row {row} hardly generates: 0 of 40 draws are legal, R1 rejects 40"
        assert any(text.startswith(words) for text in found)


def test_a_reference_of_another_shape_than_the_rule_is_a_defect(core: SimpleNamespace) -> None:
    found = defects(core, kernel=lambda x: np.abs(x).reshape(-1))
    assert "the shape rule gives" in found[0]
    assert found[0].startswith("abs.yaml:6: ")


def test_a_reference_that_fails_is_a_defect_with_its_exception(core: SimpleNamespace) -> None:
    def failing(x: object) -> None:
        raise ZeroDivisionError("oh")

    assert "the reference kernel fails: ZeroDivisionError: oh" in defects(core, kernel=failing)[0]


def test_an_op_without_a_reference_is_a_defect(core: SimpleNamespace) -> None:
    assert "ABS has no reference kernel" in lint_spec(core.parse(core.abs_text, "abs.yaml"), Oracle({}, {}))[0]


def test_an_invalid_clause_that_breaks_nothing_is_a_defect(core: SimpleNamespace) -> None:
    found = defects(core, "  E1: {for: float32,", "  E1: {for: float32, when: 1 > 2,")
    assert len(found) == 1
    assert found[0].startswith("abs.yaml:17: E1 never breaks a case of row float32; mend its change, or name the rows")


def test_a_limit_that_cannot_be_computed_is_a_defect(core: SimpleNamespace) -> None:
    assert "cannot be computed" in defects(core, "{ulp: 0}", "{ulp: 1 / 0}")[0]


def test_a_malformed_spec_is_a_defect_and_the_others_are_still_checked(core: SimpleNamespace, tmp_path: Path) -> None:
    folder = tmp_path / "ops"
    folder.mkdir()
    (folder / "abs.yaml").write_text(core.abs_text.replace("- even:", "- evenly:"))
    (folder / "add.yaml").write_text(core.add_text.replace("A: {rank", "A: {ranks"))
    (tmp_path / "schema.json").write_text(schema_text())
    found = lint_folder(folder, lambda: core.oracle)
    assert len(found) == 2
    assert "unknown law 'evenly'" in found[0]
    assert "add.yaml:11: " in found[1]
    assert len(lint_folder(folder, lambda: core.oracle, ("ADD",))) == 1


def promising(core: SimpleNamespace, twin: Callable[..., Any] | None) -> list[str]:
    """Lint ABS with a quantized row that is promised bit for bit."""
    text = core.abs_text.replace("  int32: {x", "  int8: {x: int8, y: int8}\n  int32: {x")
    text = text.replace("require:", "quantization:\n  int8: {x: per_tensor, y: {same_as: x}}\nrequire:")
    text = text.replace("  int32: exact", "  int8: {lsb: 1, exact: double_rounding}\n  int32: exact")
    return lint_spec(core.parse(text, "abs.yaml"), Oracle({"ABS": np.abs}, {"ABS": twin} if twin else {}))


def abs_int(x: Array, *, q: Any, off: int = 0, **_: Any) -> Array:
    zero = q["x"].zero_point[0]
    return np.clip(np.abs(x - zero) + zero + off, -128, 127)


def test_a_promise_of_bits_without_an_integer_twin_is_a_defect(core: SimpleNamespace) -> None:
    assert promising(core, abs_int) == []
    found = promising(core, None)
    assert len(found) == 1
    assert found[0].startswith("abs.yaml:23: row int8 promises exact: double_rounding, but ABS has no integer twin")


def test_a_twin_that_the_rows_own_tolerance_calls_wrong_is_a_defect(core: SimpleNamespace) -> None:
    assert promising(core, partial(abs_int, off=1)) == []
    found = promising(core, partial(abs_int, off=2))
    assert len(found) == 1
    assert found[0].startswith("abs.yaml:23: row int8: the integer twin is wrong on ABS/int8/")
    assert "2 lsb, 1 allowed by abs.yaml:23 T2" in found[0]


def test_a_twin_that_fails_is_a_defect_with_its_exception(core: SimpleNamespace) -> None:
    def failing(*_: Any, **__: Any) -> Array:
        raise OverflowError("oh")

    assert "the integer twin fails on ABS/int8/" in promising(core, failing)[0]
    assert ": OverflowError: oh; mend it" in promising(core, failing)[0]


def test_defects_come_in_the_order_of_the_files_however_many_processes_look(tmp_path: Path) -> None:
    folder = tmp_path / "ops"
    folder.mkdir()
    for name in ("where", "exp", "less"):
        text = (spec_folder() / f"{name}.yaml").read_text()
        (folder / f"{name}.yaml").write_text(text.replace("summary:", "summery:", 1))
    shutil.copy(spec_folder() / "abs.yaml", folder)
    alone = lint_folder(folder, load_oracle)
    assert [text.split("/")[-1].split(".")[0] for text in alone[:3]] == ["exp", "less", "where"]
    assert lint_folder(folder, load_oracle, jobs=2) == alone


@pytest.mark.parametrize("text", ["", "{}", schema_text() + " "])
def test_a_stale_schema_is_a_defect_with_its_remedy(tmp_path: Path, text: str) -> None:
    (tmp_path / "schema.json").write_text(text)
    assert "opconform schema --write" in stale_schema(tmp_path / "schema.json")[0]
    (tmp_path / "schema.json").write_text(schema_text())
    assert stale_schema(tmp_path / "schema.json") == []


def test_shipped_specs_of_every_kind_are_whole() -> None:
    for name in ("exp", "where"):
        assert lint_spec(load_spec(spec_folder() / f"{name}.yaml"), load_oracle()) == []
