"""Whole models on boards: the figures come from the model's own image, and what cannot run is said."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from opconform.harness import bench, budgets_model
from opconform.harness.bench_boards import FIGURES, board_rows
from opconform.harness.bench_models import hello_model

pytestmark = pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="there is no QEMU for boards")


@pytest.fixture
def hello(tmp_path: Path) -> Path:
    file = tmp_path / "hello.tflite"
    file.write_bytes(hello_model())
    return file


def test_every_figure_of_a_model_is_that_of_its_image(hello: Path) -> None:
    want = budgets_model.predict(hello.read_bytes(), "cortex-m3").figures
    rows = list(board_rows([hello], [], ["cortex-m3"]))
    assert [(name, value) for name, value, _, _ in rows] == [(f"hello cortex-m3 {f}", want[f]) for f in FIGURES]
    assert all(value for _, value, _, _ in rows)


def test_a_model_that_does_not_run_is_a_dash_with_the_reason(tmp_path: Path) -> None:
    file = tmp_path / "damaged.tflite"
    file.write_bytes(b"\0\0\0\0TFL3 nonsense")
    ((name, value, _, note),) = board_rows([file], [], ["cortex-m3"])
    assert (name, value) == ("damaged cortex-m3", None)
    assert note


def test_the_part_takes_the_models_of_the_command(hello: Path) -> None:
    figures = list(bench.PARTS["boards"](bench.Plan(quick=True, models=(hello,))))
    assert {figure.part for figure in figures} == {"boards"}
    assert {figure.name.split()[0] for figure in figures} == {"hello"}
