"""Whole models: the reference runs them, a wrong operator is found and named, and what is declined is no failure."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from opconform.harness.expectations import load_expectations
from opconform.harness.fields import reader
from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.harness.flatread import ModelError, read_model
from opconform.harness.isolate import InProcess
from opconform.harness.model import Produced, Quant
from opconform.harness.models import Entry, chosen, held_out, load_zoo, read_entry, zoo_file
from opconform.harness.models_graph import run_whole, steps_of
from opconform.harness.models_run import Finding, examine, judge_step
from opconform.harness.models_unit import Amount, Models
from opconform.harness.numerics import quantize
from opconform.harness.registry import resolve
from opconform.harness.runner import load_oracle
from opconform.harness.spec_load import load_all
from opconform.harness.unit import Oracle, Seat
from opconform.harness.wholemodel import answers, difference
from opconform.harness.yamlish import SpecError
from opconform.reports.lines import ModelLine
from opconform.reports.models import row

FAKES = Path(__file__).parents[1] / "fakes" / "whole_models.py"
ZOO = zoo_file()


@cache
def oracle() -> Oracle:
    return load_oracle()


@cache
def zoo_of(examples: int) -> Models:
    return Models(load_zoo(ZOO), load_all(), oracle(), Amount(examples, examples))


def entry(name: str) -> Entry:
    return load_zoo(ZOO).models[name]


@cache
def seat(runtime: str) -> Seat:
    handle = resolve(f"{FAKES}:{runtime}")
    return Seat(handle, InProcess(handle.instantiate()), ())


def found(runtime: str, model: str, examples: int = 8) -> Finding:
    return examine(zoo_of(examples).subject(entry(model)), seat(runtime), oracle(), examples)


MODELS = tuple(load_zoo(ZOO).models)


@pytest.mark.parametrize("model", MODELS)
def test_every_operator_of_the_zoo_has_a_row_and_the_reference_runs_it(model: str) -> None:
    subject = zoo_of(8).subject(entry(model))
    assert [step.label for step in subject.steps if step.why or not step.row] == []
    assert not isinstance(subject.right, str)


@pytest.mark.parametrize("model", MODELS)
def test_a_right_runtime_passes_and_gives_the_classes_of_the_reference(model: str) -> None:
    finding = found("Right", model, 4)
    assert (finding.verdict.kind, finding.expected) == ("pass", True), finding
    assert finding.scores.same_class == 4
    if model.rpartition("_")[2] in ("int8", "int16x8"):
        assert finding.scores.gap is not None
        assert finding.scores.gap.worst == 0


@pytest.mark.parametrize("model", ["dense_float32", "dense_int8", "dense_int16x8"])
def test_a_wrong_operator_is_named_even_where_the_next_one_hides_it(model: str) -> None:
    finding = found("WrongLayer", model)
    assert (finding.verdict.kind, finding.expected) == ("wrong-value", False)
    steps = steps_of(read_entry(entry(model)), load_all())
    second = [step for step in steps if step.operation.op == "FULLY_CONNECTED"][1]
    assert finding.operator == second.label
    assert "specs/ops/fully_connected.yaml:" in finding.verdict.message


def test_wrong_classes_are_counted_against_the_labels_the_reference_and_the_float_model() -> None:
    finding = found("WrongWeights", "conv_int8", 16)
    scores = finding.scores
    assert finding.verdict.kind == "wrong-value"
    assert finding.operator.startswith("#")
    assert scores.correct is not None
    assert scores.same_class is not None
    assert scores.float_class is not None
    assert scores.correct < 12
    assert scores.reference_correct is not None
    assert scores.reference_correct > 14


def test_what_is_right_only_while_inner_tensors_are_kept_is_found() -> None:
    finding = found("Overwriting", "conv_float32")
    assert finding.verdict.kind == "wrong-value"
    assert "when no other inner tensor is kept" in finding.verdict.message
    assert finding.operator == "#0 CONV_2D/float32"


def test_a_runtime_without_room_for_all_inner_tensors_is_judged_operator_by_operator() -> None:
    assert found("Small", "dense_float32").verdict.kind == "pass"


def test_a_runtime_that_shows_no_inner_tensors_must_give_the_classes_of_the_reference() -> None:
    finding = found("Secretive", "conv_float32", 16)
    assert finding.verdict.kind == "wrong-value"
    assert "its inner tensors cannot be seen" in finding.verdict.message


def test_a_runtime_that_shows_no_inner_tensors_and_has_the_right_classes_is_said_to_be_judged_by_them_only() -> None:
    finding = found("Hiding", "dense_float32")
    assert finding.scores.gap is not None
    assert finding.scores.gap.matters
    assert finding.verdict.kind == "pass"
    assert finding.verdict.message.startswith("judged by class only: its inner tensors cannot be seen: only the last")


@pytest.mark.parametrize("model", ["dense_float32", "dense_int8"])
def test_without_classes_a_runtime_that_shows_no_inner_tensors_is_judged_by_its_numbers(model: str) -> None:
    subject = replace(zoo_of(8).subject(entry(model)), labels=None)
    wrong = examine(subject, seat("Hiding"), oracle(), 8)
    assert (wrong.verdict.kind, wrong.expected) == ("wrong-value", False)
    assert "from the reference, and its inner tensors cannot be seen" in wrong.verdict.message
    right = examine(subject, seat("Closed"), oracle(), 8)
    assert (right.verdict.kind, right.expected) == ("pass", True)
    assert right.verdict.message.startswith("judged by outputs only")


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize(
    ("runtime", "said"),
    [
        ("Silent", "answer 0 has 0 outputs, the model 1"),
        ("Doubling", "answer 0 has 2 outputs, the model 1"),
        ("Forgetful", "answer 4 has 0 outputs, the model 1"),
        ("Stingy", "with inner tensors as outputs: answer 0 has 1 outputs, the model"),
    ],
)
def test_another_number_of_outputs_than_the_model_has_is_a_wrong_shape(runtime: str, said: str, labelled: bool) -> None:
    subject = zoo_of(8).subject(entry("dense_float32"))
    finding = examine(subject if labelled else replace(subject, labels=None), seat(runtime), oracle(), 8)
    assert (finding.verdict.kind, finding.expected) == ("wrong-shape", False)
    assert finding.verdict.message.startswith(said)


def test_outputs_without_elements_are_a_wrong_shape() -> None:
    assert found("Empty", "dense_float32").verdict.kind == "wrong-shape"


def test_equal_infinities_are_no_difference_and_do_not_hide_one() -> None:
    wanted = [(np.array([np.inf, -np.inf, np.nan, 1.0], np.float32),)]
    assert not difference(wanted, wanted).matters
    assert difference(wanted, [(np.array([np.inf, -np.inf, np.nan, 1.5], np.float32),)]).matters
    assert difference(wanted, [(np.array([np.inf, np.inf, np.nan, 1.0], np.float32),)]).matters


def test_an_answer_that_is_no_number_is_wrong() -> None:
    assert found("NotANumber", "dense_float32").verdict.kind == "wrong-value"


def test_a_model_with_a_row_that_is_not_claimed_is_not_supported_and_says_which() -> None:
    finding = found("Modest", "dense_float32")
    assert (finding.verdict.kind, finding.scores.examples) == ("declined", 0)
    assert finding.expected == finding.verdict.message
    assert "SOFTMAX/float32 is not claimed" in finding.verdict.message


def test_declining_a_model_whose_rows_are_all_claimed_is_a_failure() -> None:
    finding = found("Refusing", "dense_float32")
    assert (finding.verdict.kind, finding.expected) == ("declined", False)


def test_a_known_deviation_of_a_row_explains_the_same_one_in_a_model(tmp_path: Path) -> None:
    known = "- {case: FULLY_CONNECTED/float32, expect: wrong-value, because: it adds one too much}\n"
    (tmp_path / "fully_connected.yaml").write_text(known)
    plain = seat("WrongLayer")
    knowing = Seat(plain.handle, plain.executor, load_expectations("fake", tmp_path))
    finding = examine(zoo_of(8).subject(entry("dense_float32")), knowing, oracle(), 8)
    assert (finding.verdict.kind, finding.expected) == ("wrong-value", "it adds one too much")
    assert finding.known is not None


def test_a_refusal_that_is_known_of_an_operator_explains_that_of_a_model_with_it(tmp_path: Path) -> None:
    known = "- {case: SOFTMAX/float32, expect: declined, because: it has no exponentials}\n"
    (tmp_path / "softmax.yaml").write_text(known)
    plain = seat("Refusing")
    knowing = Seat(plain.handle, plain.executor, load_expectations("fake", tmp_path))
    finding = examine(zoo_of(8).subject(entry("dense_float32")), knowing, oracle(), 8)
    assert (finding.verdict.kind, finding.expected) == ("declined", "it has no exponentials")
    assert finding.operator.endswith("SOFTMAX/float32")


def test_a_model_with_memory_starts_anew_with_every_example() -> None:
    model = next(name for name in MODELS if read_entry(entry(name)).variables)
    view = read_entry(entry(model))
    vectors = held_out(entry(model).task, view, 3).vectors
    carried = seat("Right").executor.execute(view.data, vectors)
    anew = answers(seat("Right").executor, view, view.data, vectors)
    assert isinstance(carried, Produced)
    assert isinstance(anew, Produced)
    np.testing.assert_array_equal(carried.outputs[0][0], anew.outputs[0][0])
    assert not np.array_equal(carried.outputs[2][0], anew.outputs[2][0])


def chain(*nodes: Node, tensors: tuple[TensorDef, ...]) -> Any:
    return read_model(write_model([Graph(tensors, nodes, (0,), (len(tensors) - 1,))]), "chain")


def test_the_reference_says_which_operator_it_cannot_run() -> None:
    x, y = TensorDef("x", "float32", (2,)), TensorDef("y", "int32", (2,))
    view = chain(Node("ABS", (0,), (1,)), tensors=(x, y))
    said = run_whole(view, steps_of(view, load_all()), oracle(), [(np.zeros(2, np.float32),)])
    assert said == "#0 ABS: no row of specs/ops/abs.yaml has its types (float32, int32)"


def test_several_inputs_of_one_slot_are_all_fed_to_the_reference() -> None:
    tensors = tuple(TensorDef(name, "float32", (2,)) for name in ("x", "a", "b"))
    view = chain(
        Node("NEG", (0,), (1,)),
        Node("CONCATENATION", (0, 1, 0), (3,), {"axis": 0, "activation": "NONE"}),
        tensors=(*tensors, TensorDef("y", "float32", (6,))),
    )
    said = run_whole(view, steps_of(view, load_all()), oracle(), [(np.array([1, 2], np.float32),)])
    assert not isinstance(said, str), said
    np.testing.assert_array_equal(said[3][0], [1, 2, -1, -2, 1, 2])


def test_what_overflows_inside_an_operator_is_judged_by_its_integer_definition() -> None:
    """Weights far beyond the spec's: the sum of products saturates, and no bound of the reference says how."""
    quant = Quant((1.0,), (0,))
    tensors = (
        TensorDef("x", "int8", (1, 4), quant=quant),
        TensorDef("w", "int8", (1, 4), np.full((1, 4), 127, np.int8), quant),
        TensorDef("b", "int32", (1,), np.array([2**31 - 1], np.int32), quant),
        TensorDef("y", "int8", (1, 1), quant=Quant((2.0**24,), (0,))),
    )
    view = chain(Node("FULLY_CONNECTED", (0, 1, 2), (3,)), tensors=tensors)
    (step,) = steps_of(view, load_all())
    values = {0: [np.full((1, 4), 127, np.int8)]}
    right = run_whole(view, (step,), oracle(), [(values[0][0],)])
    assert not isinstance(right, str)
    wrapped, other = right[3][0], right[3][0] + np.int8(1)
    assert judge_step(step, oracle(), values | {3: [wrapped]}, "unspecified")[0].kind == "pass"
    assert judge_step(step, oracle(), values | {3: [other]}, "unspecified")[0].kind == "wrong-value"
    assert judge_step(step, oracle(), values | {3: [wrapped.astype(np.int32)]}, "unspecified")[0].kind == "wrong-dtype"


def test_scales_that_do_not_fit_their_dimension_are_named() -> None:
    odd = TensorDef("w", "int8", (2, 3), np.ones((2, 3)), Quant((1.0, 1.0, 1.0, 1.0), (0,) * 4, 0))
    x, y = (TensorDef(name, "int8", (1, n), quant=Quant((1.0,), (0,))) for name, n in (("x", 3), ("y", 2)))
    (step,) = steps_of(chain(Node("FULLY_CONNECTED", (0, 1), (2,)), tensors=(x, odd, y)), load_all())
    assert step.why == "w has another number of scales than its dimension has places"


BROKEN_TEXTS = {
    "no mapping": ("- 1\n", ":1: a mapping with 'tasks' and 'models' is needed"),
    "no tasks": ("models: {}\n", ":1: 'tasks' has to map names to descriptions"),
    "no YAML": ("tasks: {a: [\n", "zoo.yaml:"),
    "a task that is no mapping": ("tasks: {t: 3}\nmodels: {m: {}}\n", ":1: tasks: t has to be a mapping"),
    "a task without data": ("tasks:\n  t: {inputs: x}\nmodels: {m: {}}\n", ":2: lacks 'data'; add it"),
    "a missing file": (
        "tasks:\n  t: {data: none.npz, inputs: x}\nmodels: {m: {}}\n", ":2: 'data': there is no file"
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", list(BROKEN_TEXTS))
def test_a_broken_zoo_is_one_line_with_its_place(tmp_path: Path, what: str) -> None:
    text, said = BROKEN_TEXTS[what]
    (tmp_path / "zoo.yaml").write_text(text)
    with pytest.raises(SpecError) as error:
        load_zoo(tmp_path / "zoo.yaml")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def own_zoo(folder: Path, **changes: str) -> Path:
    """Write a zoo of one model into a folder; `changes` replace values."""
    shutil.copy(entry("dense_float32").path, folder / "m.tflite")
    shutil.copy(entry("dense_float32").task.data, folder / "d.npz")
    told = {"data": "d.npz", "inputs": "x", "labels": "y", "file": "m.tflite", "task": "t", "format": "float32"}
    task, model = (
        ", ".join(f"{key}: {(told | changes)[key]}" for key in keys)
        for keys in (("data", "inputs", "labels"), ("file", "task", "format"))
    )
    path = folder / "zoo.yaml"
    path.write_text(f"tasks:\n  t: {{{task}}}\nmodels:\n  m: {{{model}}}\n")
    return path


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"file": "gone.tflite"}, ":4: 'file': there is no file"),
        ({"task": "chess"}, ":4: 'task': no task 'chess'; tasks: t"),
        ({"format": "int3"}, ":4: 'format': unknown 'int3'; allowed: float32, dynamic_range, int8, int16x8"),
        ({"data": "[d.npz]"}, ":2: 'data': a text is needed, found ['d.npz']"),
    ],
)
def test_a_zoo_that_names_what_is_not_there_is_refused(tmp_path: Path, change: dict[str, str], said: str) -> None:
    with pytest.raises(SpecError) as error:
        load_zoo(own_zoo(tmp_path, **change))
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"inputs": "pixels"}, "has no array 'pixels' for task t; it has: x, y"),
        ({"inputs": "y"}, "an example of 'y' has the shape [], a model wants float32 [1, 8, 8, 1]"),
        ({"inputs": "[x, y]"}, "task t has 2 inputs, a model 1"),
    ],
)
def test_data_that_does_not_fit_a_model_is_refused(tmp_path: Path, change: dict[str, str], said: str) -> None:
    one = load_zoo(own_zoo(tmp_path, **change)).models["m"]
    with pytest.raises(ModelError) as error:
        held_out(one.task, read_entry(one), 4)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"y": np.eye(3)[[0, 1]]}, "'y' is float64 [2, 3]; whole numbers, one for each example are needed"),
        ({"x": np.array(["a", "b"])}, "'x' is <U1 [2]; numbers are needed"),
        ({"y": np.array([1, 2, 3])}, "arrays of different lengths, or empty: {'x': 2, 'y': 3}"),
        ({"x": np.zeros((0, 8, 8, 1)), "y": np.zeros(0, np.int64)}, "arrays of different lengths, or empty"),
    ],
)
def test_arrays_that_no_examples_can_be_read_from_are_refused(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    one = load_zoo(own_zoo(tmp_path)).models["m"]
    np.savez(one.task.data, **({"x": np.zeros((2, 8, 8, 1), np.float32), "y": np.array([0, 1])} | change))
    with pytest.raises(ModelError) as error:
        held_out(one.task, read_entry(one), 4)
    assert said in str(error.value)


def test_data_is_quantized_unless_it_has_the_dtype_of_the_input(tmp_path: Path) -> None:
    view = read_entry(entry("dense_int8"))
    quant = view.tensors[view.inputs[0]].quant
    assert quant is not None
    for stored, fed in ((np.ones, quantize(np.ones(1), quant, "int8")[0]), (np.zeros, quant.zero_point[0])):
        task = replace(entry("dense_int8").task, data=tmp_path / "d.npz", labels="")
        for dtype in (np.float32, np.uint8):
            np.savez(task.data, x=stored((2, 8, 8, 1), dtype))
            assert {int(q) for q in held_out(task, view, 2).vectors[0][0].reshape(-1)} == {int(fed)}
        np.savez(task.data, x=np.full((2, 8, 8, 1), -7, np.int8))
        assert {int(q) for q in held_out(task, view, 2).vectors[0][0].reshape(-1)} == {-7}


@pytest.mark.parametrize("damage", [b"", b"no archive", b"PK\x03\x04 cut off"])
def test_data_that_cannot_be_read_is_refused(tmp_path: Path, damage: bytes) -> None:
    one = load_zoo(own_zoo(tmp_path)).models["m"]
    one.task.data.write_bytes(damage)
    with pytest.raises(ModelError, match=r"d\.npz: cannot be read as \.npz"):
        held_out(one.task, read_entry(one), 4)


def test_a_glob_that_names_no_model_is_refused_with_the_names() -> None:
    with pytest.raises(ModelError, match=r"--model none\*: matches no model; models: .*dense_int8"):
        chosen(load_zoo(ZOO), ("none*",))


def test_the_hash_of_a_zoo_changes_with_any_of_its_files(tmp_path: Path) -> None:
    before = load_zoo(own_zoo(tmp_path)).hash
    assert load_zoo(tmp_path / "zoo.yaml").hash == before
    (tmp_path / "m.tflite").write_bytes(b"other")
    assert load_zoo(tmp_path / "zoo.yaml").hash != before


def test_a_line_says_in_a_table_what_the_model_did() -> None:
    lines = zoo_of(8).unit("dense_int8", [seat("Right"), seat("WrongLayer"), seat("Modest")])
    rows = [row(reader(ModelLine)(line)) for line in lines[:-1]]
    assert [one.word for one in rows] == ["pass", "wrong-value", "not supported"]
    assert rows[0].cells[1:4] == ("8/8", "8/8", "equal")
    assert "FULLY_CONNECTED" in rows[1].reason
    assert lines[-1]["operators"][0]["op"] in ("RESHAPE", "FULLY_CONNECTED")
