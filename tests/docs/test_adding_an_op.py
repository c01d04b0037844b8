"""What docs/adding-an-op.md adds works: the spec is whole, the reference agrees with a real runtime."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from opconform.harness.generate.engine import TIERS
from opconform.harness.isolate import connect
from opconform.harness.lint import lint_spec
from opconform.harness.model import Quant
from opconform.harness.numerics import FAMILIES
from opconform.harness.registry import resolve
from opconform.harness.scaffold import op_files, write_new
from opconform.harness.spec import OpSpec
from opconform.harness.spec_load import load_spec, spec_folder
from opconform.harness.unit import Oracle, Seat, run_unit
from opconform.runtimes.reference.kernels import binary

PAGE = Path(__file__).parents[2] / "docs" / "adding-an-op.md"

pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="the docs are not part of the wheel")


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert found
    return found.group(1)


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> OpSpec:
    file = tmp_path_factory.mktemp("ops") / "sub.yaml"
    file.write_text(block("yaml"))
    return load_spec(file)


@pytest.fixture(scope="module")
def module() -> Any:
    made = ModuleType("sub")
    exec(compile(block("python"), "sub.py", "exec"), made.__dict__)
    return made


@pytest.fixture(scope="module")
def seat() -> Iterator[Seat]:
    handle = resolve("litert@ref")
    executor = connect(handle)
    yield Seat(handle, executor, ())
    executor.close()


def test_the_files_to_start_from_are_written_where_the_op_is_not_there_yet(tmp_path: Path) -> None:
    written = write_new(tmp_path, op_files("SUB"))
    assert [path.relative_to(tmp_path).as_posix() for path in written] == [
        "specs/ops/sub.yaml",
        "runtimes/reference/kernels/sub.py",
    ]


def test_the_spec_of_the_page_is_the_one_that_opconform_has_with_fewer_rows(spec: OpSpec) -> None:
    whole = load_spec(spec_folder() / "sub.yaml")
    assert set(spec.rows) < set(whole.rows)
    for row in spec.rows:
        assert spec.types[row] == whole.types[row]
        assert [rule.family for rule in spec.tolerance[row]] == [rule.family for rule in whole.tolerance[row]]


def test_the_kernel_and_the_twin_of_the_page_answer_as_those_that_opconform_has(module: Any) -> None:
    a, b = np.meshgrid(np.arange(-128, 128), np.arange(-128, 128, 5))
    settings = {
        "q": {"a": Quant((0.3,), (3,)), "b": Quant((0.11,), (-7,)), "y": Quant((0.21,), (5,))},
        "dtypes": dict.fromkeys("aby", "int8"),
        "rescale": FAMILIES["double_rounding"],
        "activation": "RELU6",
    }
    assert np.array_equal(module.sub_int(a, b, **settings), binary.sub_int(a, b, **settings))
    assert np.array_equal(module.sub(a, b, activation="NONE"), binary.sub(a, b, activation="NONE"))


def test_lint_finds_nothing_in_the_spec(spec: OpSpec, module: Any) -> None:
    assert lint_spec(spec, Oracle({"SUB": module.sub}, {"SUB": module.sub_int})) == []


@pytest.mark.parametrize("row", ["float32", "int32", "int8"])
def test_a_real_runtime_passes_the_contract(spec: OpSpec, module: Any, seat: Seat, row: str) -> None:
    oracle = Oracle({"SUB": module.sub}, {"SUB": module.sub_int})
    lines = run_unit(spec, row, [seat], oracle, TIERS["smoke"], 0)
    verdicts = Counter(line["verdict"] for line in lines if line["kind"] == "case")
    assert set(verdicts) == {"pass"}
    assert verdicts["pass"] > 10


def test_the_contract_catches_a_sign(spec: OpSpec, module: Any, seat: Seat) -> None:
    wrong = Oracle({"SUB": lambda a, b, **rest: module.sub(a, -b, **rest)}, {})
    lines = run_unit(spec, "float32", [seat], wrong, TIERS["smoke"], 0)
    assert any(line["verdict"] == "wrong-value" for line in lines if line["kind"] == "failure")


def test_the_values_named_on_the_page_are_right(module: Any) -> None:
    a, b = np.array([3.0]), np.array([5.0])
    assert module.sub(a, b, activation="NONE").tolist() == [-2.0]
    assert module.sub(a, b, activation="RELU").tolist() == [0.0]
