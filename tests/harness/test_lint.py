"""Lint: what only drawing cases and running the reference can show."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from opconform.harness.lint import lint_folder, lint_spec, stale_schema
from opconform.harness.runner import load_oracle
from opconform.harness.spec_load import load_spec, spec_folder
from opconform.harness.spec_schema import schema_text


def defects(core: SimpleNamespace, old: str = "", new: str = "", kernel: object = np.abs) -> list[str]:
    assert old in core.abs_text
    spec = core.parse(core.abs_text.replace(old, new) if old else core.abs_text, "abs.yaml")
    return lint_spec(spec, {"ABS": kernel})  # type: ignore[dict-item]


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
    assert "ABS has no reference kernel" in lint_spec(core.parse(core.abs_text, "abs.yaml"), {})[0]


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
    found = lint_folder(folder, core.kernels)
    assert len(found) == 2
    assert "unknown law 'evenly'" in found[0]
    assert "add.yaml:11: " in found[1]
    assert len(lint_folder(folder, core.kernels, ("ADD",))) == 1


@pytest.mark.parametrize("text", ["", "{}", schema_text() + " "])
def test_a_stale_schema_is_a_defect_with_its_remedy(tmp_path: Path, text: str) -> None:
    (tmp_path / "schema.json").write_text(text)
    assert "opconform schema --write" in stale_schema(tmp_path / "schema.json")[0]
    (tmp_path / "schema.json").write_text(schema_text())
    assert stale_schema(tmp_path / "schema.json") == []


def test_shipped_specs_of_every_kind_are_whole() -> None:
    for name in ("exp", "where"):
        assert lint_spec(load_spec(spec_folder() / f"{name}.yaml"), load_oracle().kernels) == []
