"""The zoo that TensorFlow trained: the committed files are what they are said to be, and making them anew works.

Whole models on every runtime are judged elsewhere (tests/harness/test_models*.py); here the files themselves are.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from opconform.harness import zoo_tensorflow
from opconform.harness.flatread import ModelView, read_model
from opconform.harness.isolate import Executor, connect
from opconform.harness.model import Array, Produced
from opconform.harness.models import FORMATS, held_out, load_zoo, read_entry, zoo_file
from opconform.harness.registry import resolve
from opconform.harness.wholemodel import answers
from opconform.harness.yamlish import load
from opconform.harness.zoo_tensorflow_convert import convert_all
from opconform.harness.zoo_tensorflow_networks import FAMILIES, TASKS, train

ENTRIES = load_zoo(zoo_file()).models
INTEGER = [name for name, entry in ENTRIES.items() if entry.format in ("int8", "int16x8")]
FAST = "tabular"


@cache
def view(name: str) -> ModelView:
    return read_entry(ENTRIES[name])


def ops(name: str) -> set[str]:
    return {operation.op for operation in view(name).operations}


def constants(name: str) -> set[str]:
    return {view(name).tensors[n].dtype for n in view(name).constants if len(view(name).tensors[n].shape) > 1}


def test_the_committed_files_are_what_zoo_yaml_says() -> None:
    assert zoo_tensorflow.check(zoo_file().parent) == []


def test_every_family_stands_there_in_every_format_beside_its_float32_model() -> None:
    assert set(ENTRIES) == {f"{family}_{form}" for family in FAMILIES for form in FORMATS}
    for entry in ENTRIES.values():
        assert (entry.floating or entry.name) == f"{entry.family}_float32"


def test_the_files_are_small() -> None:
    sizes = [entry.path.stat().st_size for entry in ENTRIES.values()]
    assert max(sizes) < 40_000
    assert sum(sizes) < 500_000


def test_training_made_every_loss_a_fifth_or_less() -> None:
    losses = load(zoo_file())["losses"]
    assert set(losses) == set(FAMILIES)
    assert [family for family, (first, last) in losses.items() if last > first / 5] == []


def test_at_least_ninety_five_of_a_hundred_are_answered_rightly() -> None:
    accuracies = {name: listed["accuracy"] for name, listed in load(zoo_file())["models"].items()}
    assert {name: accuracy for name, accuracy in accuracies.items() if accuracy < 0.95} == {}


@pytest.mark.parametrize("task", TASKS)
def test_the_held_out_examples_are_scikit_learns_and_none_was_trained_with(task: str) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn brings the data: pip install 'opconform[test]'")
    data = TASKS[task]()
    with np.load(zoo_file().parent / f"{task}_held_out.npz") as stored:
        np.testing.assert_allclose(stored["x"], data.held_inputs, rtol=1e-6, atol=1e-6)
        np.testing.assert_array_equal(stored["y"], data.held_labels)
    assert len(data.held_labels) > 100
    known, held = ({row.tobytes() for row in rows} for rows in (data.inputs, data.held_inputs))
    assert known & held == set()


@pytest.mark.parametrize(
    ("family", "op"),
    [("dense", "FULLY_CONNECTED"), ("conv", "CONV_2D"), ("depthwise", "DEPTHWISE_CONV_2D"), ("residual", "ADD")],
)
def test_a_family_holds_the_operator_it_is_named_after(family: str, op: str) -> None:
    assert [form for form in FORMATS if op not in ops(f"{family}_{form}")] == []


def test_the_recurrent_family_holds_a_fused_lstm_and_the_same_one_step_by_step() -> None:
    assert [form for form in FORMATS if "UNIDIRECTIONAL_SEQUENCE_LSTM" in ops(f"recurrent_{form}")] == [
        "float32",
        "int8",
    ]
    assert {"LOGISTIC", "TANH", "MUL", "SPLIT"} <= ops("recurrent_int16x8")
    assert len(view("recurrent_float32").variables) == 2


@pytest.mark.parametrize("family", FAMILIES)
def test_a_format_is_one_of_weights_and_activations(family: str) -> None:
    assert constants(f"{family}_float32") == {"float32"}
    assert "int8" in constants(f"{family}_dynamic_range")
    assert constants(f"{family}_int8") == {"int8"}
    assert constants(f"{family}_int16x8") == {"int8"}


@pytest.fixture(scope="module")
def runtimes() -> Iterator[Mapping[str, Executor]]:
    executors = {name: connect(resolve(name)) for name in ("lite", "micro@host")}
    yield executors
    for executor in executors.values():
        executor.close()


def outputs(name: str, executor: Executor) -> list[Array]:
    asked = held_out(ENTRIES[name].task, view(name), 16).vectors
    outcome = answers(executor, view(name), view(name).data, asked)
    assert isinstance(outcome, Produced), outcome
    return [answer[0] for answer in outcome.outputs]


@pytest.mark.parametrize("name", INTEGER)
def test_lite_and_micro_answer_integers_with_the_same_integers(name: str, runtimes: Mapping[str, Executor]) -> None:
    lite, micro = (outputs(name, executor) for executor in runtimes.values())
    np.testing.assert_array_equal(lite, micro)
    assert len(np.unique(lite)) > 2


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[dict[str, Any]], Path]:
    """Return a function that copies the smallest family into a folder; its int8 model is listed with changes."""

    def copy(changes: dict[str, Any]) -> Path:
        listed = {name: yaml.safe_load(zoo_file().read_text())[name] for name in ("tasks", "models")}
        listed["models"] = {f"{FAST}_{form}": listed["models"][f"{FAST}_{form}"] for form in FORMATS}
        listed["models"][f"{FAST}_int8"] |= changes
        for path in [*zoo_file().parent.glob(f"zoo_{FAST}_*"), *zoo_file().parent.glob("*_held_out.npz")]:
            shutil.copy(path, tmp_path)
        (tmp_path / "zoo.yaml").write_text(yaml.safe_dump(listed))
        return tmp_path

    return copy


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sha256": "0" * 64}, "its sha256 is"),
        ({"format": "int16x8"}, "is called int16x8 and has inputs and outputs of int8"),
        ({"accuracy": 0.5}, "zoo.yaml says 0.5"),
        ({"accuracy": None}, "zoo.yaml says None"),
    ],
)
def test_a_list_that_says_something_else_than_the_file_is_found(
    copied: Callable[[dict[str, Any]], Path], changes: dict[str, Any], said: str
) -> None:
    (wrong,) = zoo_tensorflow.check(copied(changes))
    assert f"zoo_{FAST}_int8.tflite" in wrong
    assert said in wrong


@pytest.mark.parametrize("file", [f"zoo_{FAST}_float32.tflite", "tumours_held_out.npz"])
def test_a_file_with_another_byte_is_found_and_told_by_the_exit_code(
    file: str, copied: Callable[[dict[str, Any]], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = copied({}) / file
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    folder = path.parent
    assert zoo_tensorflow.main([str(folder), "--check"]) == 1
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"{path}: its sha256 is")


def test_a_copy_as_it_is_passes_and_a_file_that_was_cut_off_does_not(copied: Callable[[dict[str, Any]], Path]) -> None:
    folder = copied({})
    assert zoo_tensorflow.main([str(folder), "--check"]) == 0
    path = folder / f"zoo_{FAST}_int8.tflite"
    path.write_bytes(path.read_bytes()[:100])
    assert zoo_tensorflow.main([str(folder), "--check"]) == 1


def test_a_few_families_do_not_take_the_place_of_a_zoo(
    copied: Callable[[dict[str, Any]], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert zoo_tensorflow.main([str(copied({})), "--family", "dense"]) == 2
    assert "give another folder" in capsys.readouterr().err


def test_a_conversion_that_changes_the_answers_is_found(
    copied: Callable[[dict[str, Any]], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoilt(path: Path, runtime: str) -> dict[str, tuple[float, Array]]:
        found = measured(path, runtime)
        right, said = found[f"{FAST}_int8"]
        return found | {f"{FAST}_int8": (right, np.where(np.arange(len(said)) < 10, 1 - said, said))}

    measured = zoo_tensorflow.accuracies
    monkeypatch.setattr(zoo_tensorflow, "accuracies", spoilt)
    (wrong,) = zoo_tensorflow.check(copied({}))
    assert f"of its classes are those of {FAST}_float32" in wrong


@pytest.mark.parametrize("folder", ["nowhere", "."])
def test_a_folder_without_a_zoo_is_refused_in_one_line(
    folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert zoo_tensorflow.main([str(tmp_path / folder), "--check"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "zoo.yaml" in err


def test_training_without_tensorflow_is_refused_in_one_line_that_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    assert zoo_tensorflow.main([str(tmp_path / "zoo")]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "run: tox -e tensorflow" in err
    assert not (tmp_path / "zoo").exists()


def written(folder: Path) -> dict[str, bytes]:
    """Train the smallest family in a process of its own, as a user does."""
    command = [sys.executable, "-m", "opconform.harness.zoo_tensorflow", str(folder), "--family", FAST]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.usefixtures("tf")
def test_training_twice_gives_the_same_bytes_and_a_zoo_that_passes_the_check(tmp_path: Path) -> None:
    first, second = written(tmp_path / "first"), written(tmp_path / "second")
    assert set(first) == {"zoo.yaml", "tumours_held_out.npz", *(f"zoo_{FAST}_{form}.tflite" for form in FORMATS)}
    assert first == second
    assert zoo_tensorflow.check(tmp_path / "first") == []


@pytest.mark.parametrize("family", ["recurrent", "depthwise"])
def test_a_converted_network_answers_as_keras_does(family: str, tf: Any) -> None:
    network, data = train(family, seed=1, epochs=4).network, TASKS["digits"]()
    model = convert_all(tf, network, data.inputs)["float32"]
    executor = connect(resolve("litert@ref"))
    try:
        outcome = answers(executor, read_model(model, family), model, [(row[None],) for row in data.held_inputs[:32]])
    finally:
        executor.close()
    assert isinstance(outcome, Produced), outcome
    want = network.predict(data.held_inputs[:32], verbose=0)
    np.testing.assert_allclose(np.concatenate([answer[0] for answer in outcome.outputs]), want, atol=1e-5)
    assert np.ptp(want, axis=0).max() > 0.01
