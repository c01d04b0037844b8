"""The figures: that they are measured on what they say, and that what cannot be measured is said."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from opconform.harness import bench, bench_models, budgets
from opconform.harness.cli import app
from opconform.harness.cli.bench import shown
from opconform.harness.cli.common import guard
from opconform.harness.flatread import read_model
from opconform.harness.isolate import connect
from opconform.harness.model import Produced
from opconform.harness.registry import resolve
from opconform.harness.runner import Result, Selection
from opconform.harness.runtime import Unavailable

QUICK = bench.Plan(repeats=1, quick=True)


def test_the_one_op_model_is_an_add_that_runs() -> None:
    model, vector = bench_models.one_op_model()
    executor = connect(resolve("lite"))
    try:
        outcome = executor.execute(model, [vector])
    finally:
        executor.close()
    assert isinstance(outcome, Produced)
    assert outcome.outputs[0][0].tolist() == (vector[0] + vector[1]).tolist()


def test_the_hello_model_has_three_dense_layers_that_micro_runs() -> None:
    view = read_model(bench_models.hello_model(), "hello")
    assert [operation.op for operation in view.operations] == ["FULLY_CONNECTED"] * 3
    assert [view.tensors[i].shape for i in (view.inputs[0], view.outputs[0])] == [(1, 1), (1, 1)]
    executor = connect(resolve("micro@host"))
    try:
        assert isinstance(executor.execute(view.data, []), Produced)
    finally:
        executor.close()


def test_a_quick_plan_measures_less() -> None:
    full = bench.Plan()
    assert full.ops == ("*",)
    assert set(QUICK.boards) < set(full.boards)
    assert QUICK.invocations < full.invocations


def test_the_machine_is_described() -> None:
    found = bench.machine()
    assert found["cpus"] >= 1
    assert found["processor"]
    assert found["packages"]["numpy"]


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[Selection]:
    """Replace runs by ones that count, of 600 cases and a time that halves with two processes."""
    seen: list[Selection] = []
    clock = [0.0]

    def run(selection: Selection, log: Path | None) -> Result:
        seen.append(selection)
        clock[0] += 12.0 if selection.jobs == 1 else 6.0
        return Result({"cases": 600}, 0)

    monkeypatch.setattr(bench, "run", run)
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(bench, "ALONE", ("lite",))
    monkeypatch.setattr(bench, "SUITE", ())
    return seen


def test_speed_is_cases_over_seconds_and_the_ratio_of_two_processes(runs: list[Selection]) -> None:
    figures = {figure.name: figure.value for figure in bench.speed(bench.Plan(repeats=3))}
    assert figures["alone lite --jobs 1 rate"] == 50.0
    assert figures["alone lite --jobs 2 time"] == 6.0
    assert figures["alone lite --jobs 2 against 1"] == 2.0
    assert [selection.jobs for selection in runs] == [1, 1, 1, 1, 2, 2, 2]  # the first one warms up


def test_a_runtime_that_cannot_run_here_is_a_figure_without_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: Any) -> None:
        raise Unavailable("pip install it")

    monkeypatch.setattr(bench, "connect", absent)
    monkeypatch.setattr(bench, "OVERHEAD", ("micro@host",))
    monkeypatch.setattr(bench, "ALONE", ("micro@host",))
    monkeypatch.setattr(bench, "SUITE", ())
    for part in (bench.overhead, bench.models, bench.speed):
        found = list(part(QUICK))
        assert found
        assert all(figure.value is None and figure.note == "pip install it" for figure in found)


def test_a_board_without_its_toolchain_is_a_figure_without_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: Any) -> None:
        raise Unavailable("install gcc-arm-none-eabi")

    monkeypatch.setattr(budgets, "measure_flash", absent)
    assert [(f.value, f.note) for f in bench.size(QUICK)] == [(None, "install gcc-arm-none-eabi")]


def test_overhead_is_measured_through_both_ways_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "OVERHEAD", ("lite", "micro@host"))
    figures = {figure.name: figure for figure in bench.overhead(QUICK)}
    assert set(figures) == {"lite over the wire", "lite in process", "micro@host over the wire"}
    assert all(figure.value and figure.value > 0 for figure in figures.values())


def test_the_command_writes_figures_plan_and_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "OVERHEAD", ("lite",))
    one = bench.models_folder() / "digits_int8.tflite"
    (tmp_path / one.name).write_bytes(one.read_bytes())
    monkeypatch.setattr(bench, "models_folder", lambda: tmp_path)
    target = tmp_path / "new" / "bench.json"
    monkeypatch.setattr("sys.argv", ["opconform", "bench", "overhead", "models", "--quick", "--json", str(target)])
    assert guard(app) == 0
    written = json.loads(target.read_text())
    assert written["format"] == 1
    assert written["plan"] == {"repeats": 1, "quick": True}
    assert written["machine"]["cpus"] == bench.machine()["cpus"]
    assert {figure["part"] for figure in written["figures"]} == {"overhead", "models"}
    arena = [f for f in written["figures"] if f["name"] == "digits_int8 lite arena"]
    assert arena[0]["unit"] == "bytes"


def test_an_unknown_part_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["opconform", "bench", "sped"])
    assert guard(app) == 2
    error = capsys.readouterr().err
    assert "sped" in error
    assert ", ".join(bench.PARTS) in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), (7745.0, "7,745"), (76.0, "76"), (1.834, "1.83"), (217.6, "218")]
)
def test_a_figure_is_one_line(value: float | None, text: str) -> None:
    line = shown(bench.Figure("size", "core", value, "bytes", "why"))
    assert line.split() == ["core", text, "bytes", "why"]
