"""Damaged whole models: the reference says in words what it cannot compute, and is not asked where nobody answers."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from opconform.harness import cli
from opconform.harness.cli import model as command
from opconform.harness.flatread import ModelView, random_inputs, read_model
from opconform.harness.models_graph import run_whole, steps_of
from opconform.harness.runner import load_oracle
from opconform.harness.spec_load import load_all, spec_folder

WHOLE = spec_folder().parent / "models" / "digits_int8.tflite"


def spoilt() -> ModelView:
    """Return a model whose input has NaN as its scale."""
    model = WHOLE.read_bytes()
    view = read_model(model, "the model")
    quant = view.tensors[view.inputs[0]].quant
    assert quant is not None
    scale = np.float32(quant.scale[0]).tobytes()
    return read_model(model.replace(scale, np.float32(np.nan).tobytes()), "the model")


def test_a_file_outside_of_what_the_integer_definition_relies_on_is_one_the_reference_cannot_run() -> None:
    view = spoilt()
    said = run_whole(view, steps_of(view, load_all()), load_oracle(), random_inputs(view, 0, 1))
    assert isinstance(said, str)
    assert "the integer definition fails: ValueError" in said


def test_the_reference_is_not_asked_for_a_model_that_no_runtime_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "spoilt.tflite"
    file.write_bytes(spoilt().data)
    monkeypatch.setattr(sys, "argv", ["opconform", "model", str(file), "--runtime", "lite"])
    monkeypatch.setattr(command, "run_whole", lambda *told: pytest.fail("the reference was asked"))
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert "a scale of nan: it must be finite and positive" in capsys.readouterr().out
