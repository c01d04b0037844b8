"""Recurrent kernels: what conformance does not prove."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.harness.model import Quant
from opconform.harness.runtime import InvalidModel, Unsupported
from opconform.runtimes.lite import Lite

SEQUENCE = {"time_major": False, "activation": "TANH"}
UNITS, INPUTS = 2, 3


def cell(**changes: TensorDef | None) -> dict[str, TensorDef | None]:
    """The 24 inputs of a float cell with all gates and nothing else, in order."""
    found: dict[str, TensorDef | None] = {"x": TensorDef("x", "float32", (1, 2, INPUTS))}
    for prefix, width in (("w", INPUTS), ("r", UNITS)):
        for gate in "ifgo":
            data = np.full((UNITS, width), 0.1, np.float32)
            found[prefix + gate] = TensorDef(prefix + gate, "float32", (UNITS, width), data)
    found |= dict.fromkeys(("ci", "cf", "co"))
    for gate in "ifgo":
        found["b" + gate] = TensorDef("b" + gate, "float32", (UNITS,), np.zeros(UNITS, np.float32))
    found |= dict.fromkeys(("p", "pb"))
    found |= {name: TensorDef(name, "float32", (1, UNITS), variable=True) for name in "hc"}
    return found | dict.fromkeys(("ni", "nf", "ng", "no")) | changes


def model(
    inputs: Mapping[str, TensorDef | None],
    output: tuple[int, ...] = (1, 2, UNITS),
    op: str = "UNIDIRECTIONAL_SEQUENCE_LSTM",
    options: Mapping[str, Any] = SEQUENCE,
    inside: tuple[int, ...] = (),
    dtype: str = "float32",
) -> bytes:
    tensors = [t for t in inputs.values() if t is not None]
    places = {t.name: position for position, t in enumerate(tensors)}
    slots = tuple(-1 if t is None else places[t.name] for t in inputs.values())
    fed = tuple(i for i, t in enumerate(tensors) if t.data is None and not t.variable)
    tensors.append(TensorDef("y", dtype, output, quant=Quant((1 / 128,), (0,)) if dtype == "int8" else None))
    made = (len(tensors) - 1,)
    return write_model([Graph(tuple(tensors), (Node(op, slots, made, options, intermediates=inside),), fed, made)])


def test_state_lasts_over_invocations_and_belongs_to_a_session():
    content, x = model(cell()), np.ones((1, 2, INPUTS), np.float32)
    first, second = Lite().open(content), Lite().open(content)
    once, again, fresh = (np.asarray(s.run([x])[0]) for s in (first, first, second))
    assert np.array_equal(once, fresh)
    assert np.all(again[0, 0] > once[0, 1])  # everything is positive: the cell only grows


def test_a_sequence_in_two_halves_is_one_sequence():
    x = np.linspace(-1, 1, 2 * INPUTS, dtype=np.float32).reshape(1, 2, INPUTS)
    whole = np.asarray(Lite().open(model(cell())).run([x])[0])
    half = cell(x=TensorDef("x", "float32", (1, 1, INPUTS)))
    session = Lite().open(model(half, (1, 1, UNITS)))
    parts = [np.asarray(session.run([x[:, t : t + 1]])[0]) for t in range(2)]
    assert np.array_equal(whole, np.concatenate(parts, axis=1))


def without(*names: str) -> dict[str, TensorDef | None]:
    inputs = cell()
    for name in names:
        inputs[name] = None
    return inputs


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        (without("wi"), "one of the input gate's weights"),
        (without("wi", "ri"), "a bias of the input gate"),
        (cell(cf=TensorDef("cf", "float32", (UNITS,), np.zeros(UNITS, np.float32))), "peepholes are there all or none"),
        (cell(pb=TensorDef("pb", "float32", (UNITS,), np.zeros(UNITS, np.float32))), "without its weights"),
        (cell(ng=TensorDef("ng", "float32", (UNITS,), np.zeros(UNITS, np.float32))), "normalizations are there all"),
        (cell(h=TensorDef("h", "float32", (1, UNITS), np.zeros((1, UNITS), np.float32))), "must be a variable"),
        (cell(x=TensorDef("x", "float32", (2, INPUTS))), "a rank of 3 is needed"),
    ],
)
def test_a_cell_whose_parts_do_not_belong_together_is_refused(inputs, says):
    with pytest.raises(InvalidModel, match=says):
        Lite().open(model(inputs))


def test_neither_20_nor_24_inputs_are_refused():
    inputs = cell()
    del inputs["no"]
    with pytest.raises(InvalidModel, match="23 inputs; 20 or 24"):
        Lite().open(model(inputs))


def test_parameters_that_are_fed_are_not_supported():
    with pytest.raises(Unsupported, match="no constants"):
        Lite().open(model(cell(wf=TensorDef("wf", "float32", (UNITS, INPUTS)))))


def integer_cell() -> dict[str, TensorDef | None]:
    found: dict[str, TensorDef | None] = {}
    for name, tensor in cell().items():
        if tensor is None:
            found[name] = None
            continue
        dtype = "int32" if name[0] == "b" else "int16" if name == "c" else "int8"
        scale = 2.0**-11 if name == "c" else 1e-4 if name[0] == "b" else 1 / 128
        data = None if tensor.data is None else np.zeros(tensor.shape, np.int32 if dtype == "int32" else np.int8)
        found[name] = TensorDef(name, dtype, tensor.shape, data, Quant((scale,), (0,)), tensor.variable)
    return found


def test_a_plain_integer_cell_needs_no_intermediates():
    content = model(integer_cell(), dtype="int8")
    y = np.asarray(Lite().open(content).run([np.zeros((1, 2, INPUTS), np.int8)])[0])
    assert y.tolist() == [[[0, 0], [0, 0]]]


def test_an_integer_projection_without_the_quantization_of_what_it_projects_is_refused():
    inputs = integer_cell()
    inputs["p"] = TensorDef("p", "int8", (UNITS, UNITS), np.zeros((UNITS, UNITS), np.int8), Quant((0.01,), (0,)))
    with pytest.raises(InvalidModel, match="0 intermediates; 5 are needed"):
        Lite().open(model(inputs, dtype="int8"))


def test_an_intermediate_that_is_no_tensor_is_refused():
    with pytest.raises(InvalidModel, match="intermediate 99 is none of the"):
        Lite().open(model(integer_cell(), dtype="int8", inside=(0, 0, 0, 0, 99)))


def test_a_basic_cell_keeps_states_that_are_variables():
    shapes = {"x": (1, 1), "a": (1, 1), "w": (4, 2), "b": (4,), "s": (1, 1)}
    kept = {"a": True, "s": True}
    data = {"w": np.full((4, 2), 0.5, np.float32), "b": np.zeros(4, np.float32)}
    tensors = [TensorDef(n, "float32", s, data.get(n), variable=n in kept) for n, s in shapes.items()]
    outputs = [TensorDef(n, "float32", s) for n, s in (("y", (1, 1)), ("t", (1, 1)), ("both", (1, 2)), ("z", (1, 4)))]
    node = Node("LSTM", (0, 1, 2, 3, 4), (5, 6, 7, 8), {"kernel_type": "BASIC", "activation": "TANH"})
    content = write_model([Graph((*tensors, *outputs), (node,), (0,), (5, 6, 7, 8))])
    session, x = Lite().open(content), np.ones((1, 1), np.float32)
    first, second = (session.run([x]) for _ in range(2))
    assert np.asarray(second[2]).tolist() == [[1, np.asarray(first[0]).item()]]
    assert np.asarray(second[1]).item() > np.asarray(first[1]).item()
