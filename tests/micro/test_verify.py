"""No model makes the library read outside the file: what is wrong is refused with one line, under sanitizers."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from opconform.harness import flatmodel
from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.harness.isolate import Executor
from opconform.harness.model import Declined, Produced, Quant, Rejected

F32 = "float32"
X = TensorDef("x", F32, (4,))
S = TensorDef("s", F32, ())
C = TensorDef("c", F32, (4,), np.arange(4, dtype=np.float32))
Y = TensorDef("y", F32, (4,))
Z = TensorDef("z", F32, (4,))
ADD = Node("ADD", (0, 1), (2,))
MAIN = Graph((X, C, Y), (ADD,), (0,), (2,))
INPUT = np.ones(4, np.float32)


def refusal(executor: Executor, model: bytes) -> str:
    """Return why the model was refused as invalid or unsupported."""
    outcome = executor.execute(model, [(INPUT,)])
    assert isinstance(outcome, Rejected | Declined), outcome
    assert outcome.why
    assert "\n" not in outcome.why
    return f"{type(outcome).__name__}: {outcome.why}"


def test_the_model_that_the_others_are_made_from_runs(checked: Executor) -> None:
    outcome = checked.execute(write_model([MAIN]), [(INPUT,)])
    assert isinstance(outcome, Produced)
    assert outcome.outputs[0][0].tolist() == [1, 2, 3, 4]


WRONG_GRAPHS: dict[str, tuple[list[Graph], str]] = {
    "an input index out of range": (
        [replace(MAIN, nodes=(Node("ADD", (0, 3), (2,)),))],
        "Rejected: tensor index out of range",
    ),
    "an input index of -2": ([replace(MAIN, nodes=(Node("ADD", (0, -2), (2,)),))], "Rejected: tensor index"),
    "an output index of -1": ([replace(MAIN, nodes=(Node("ADD", (0, 1), (-1,)),))], "Rejected: tensor index"),
    "a graph output out of range": ([replace(MAIN, outputs=(9,))], "Rejected: tensor index out of range"),
    "a graph input out of range": ([replace(MAIN, inputs=(-1,))], "Rejected: tensor index out of range"),
    "an output that nothing writes": (
        [Graph((X, C, Y, Z), (ADD,), (0,), (3,))],
        "Rejected: output that nothing writes",
    ),
    "an input that nothing has written": (
        [Graph((X, C, Y, Z), (Node("ADD", (0, 3), (2,)),), (0,), (2,))],
        "Rejected: node 0, builtin 0: input that nothing has written",
    ),
    "operators in the wrong order": (
        [Graph((X, C, Y, Z), (Node("ADD", (3, 1), (2,)), Node("ADD", (0, 1), (3,))), (0,), (2,))],
        "Rejected: node 0, builtin 0: input that nothing has written",
    ),
    "an operator that reads its own output": (
        [replace(MAIN, nodes=(Node("ADD", (0, 2), (2,)),))],
        "Rejected: node 0, builtin 0: input that nothing has written",
    ),
    "two writers": ([replace(MAIN, nodes=(ADD, ADD))], "Rejected: node 1, builtin 0: tensor with two writers"),
    "a constant that is written": (
        [replace(MAIN, nodes=(Node("ADD", (0, 0), (1,)),), outputs=(1,))],
        "Rejected: node 0, builtin 0: tensor with two writers, or a constant",
    ),
    "an input twice": ([replace(MAIN, inputs=(0, 0))], "Rejected: tensor with two writers"),
    "a constant as input": ([replace(MAIN, inputs=(0, 1))], "Rejected: tensor with two writers, or a constant"),
    "a negative dimension": ([replace(MAIN, tensors=(X, C, replace(Y, shape=(-4,))))], "Rejected: negative or huge"),
    "dimensions that overflow": (
        [replace(MAIN, tensors=(X, C, replace(Y, shape=(2**16, 2**16, 4))))],
        "Rejected: negative or huge",
    ),
    "a zero beside dimensions that overflow": (
        [replace(MAIN, tensors=(X, C, replace(Y, shape=(0, 2**31 - 1, 2**31 - 1))))],
        "Rejected: negative or huge",
    ),
    "rank 9": ([replace(MAIN, tensors=(X, C, replace(Y, shape=(1,) * 9)))], "Declined: rank above 8"),
    "a buffer that is too short": (
        [replace(MAIN, tensors=(X, replace(C, shape=(5,)), Y))],
        "Rejected: buffer shorter than its tensor",
    ),
    "a variable with data": (
        [replace(MAIN, tensors=(X, replace(C, variable=True), Y))],
        "Rejected: variable tensor with constant data",
    ),
    "an infinite scale": (
        [replace(MAIN, tensors=(replace(X, quant=Quant((float("inf"),), (0,))), C, Y))],
        "Rejected: a scale is negative or not finite",
    ),
    "more zero points than scales": (
        [replace(MAIN, tensors=(replace(X, quant=Quant((1.0, 1.0, 1.0, 1.0), (0, 0))), C, Y))],
        "Rejected: scales and zero points differ",
    ),
    "scales along no dimension": (
        [replace(MAIN, tensors=(replace(X, shape=(2, 2), quant=Quant((1.0, 1.0), (0, 0), 2)), C, Y))],
        "Rejected: scales do not fit the quantized dimension",
    ),
    "no subgraph": ([], "Rejected: no subgraph"),
    "an operator that is not built in": (
        [replace(MAIN, nodes=(replace(ADD, code=31),))],
        "Declined: node 0, builtin 31: no kernel for this operator",
    ),
    "a type without a kernel": (
        [Graph(tuple(replace(t, dtype="float64", data=None) for t in (X, C, Y)), (ADD,), (0, 1), (2,))],
        "Declined: node 0, builtin 0: no kernel for this type",
    ),
    "a loop whose body is itself": (
        [
            Graph((S, S), (Node("WHILE", (0,), (1,), {"cond": 1, "body": 0}),), (0,), (1,)),
            Graph((S, TensorDef("b", "bool", ())), (Node("LESS", (0, 0), (1,)),), (0,), (1,)),
        ],
        "Rejected: node 0, builtin 119: subgraph that calls itself",
    ),
    "a loop without its subgraph": (
        [Graph((X, Y), (Node("WHILE", (0,), (1,), {"cond": 1, "body": 2}),), (0,), (1,))],
        "Rejected: node 0, builtin 119: subgraph index out of range",
    ),
    "a loop with a negative subgraph": (
        [Graph((X, Y), (Node("WHILE", (0,), (1,), {"cond": -1, "body": 0}),), (0,), (1,))],
        "Rejected: node 0, builtin 119: subgraph index out of range",
    ),
}


@pytest.mark.parametrize("name", WRONG_GRAPHS)
def test_a_wrong_graph_is_refused_with_its_reason(checked: Executor, name: str) -> None:
    graphs, reason = WRONG_GRAPHS[name]
    assert refusal(checked, write_model(graphs)).startswith(reason)


def patched(at: int, value: int) -> Callable[[bytes], bytes]:
    return lambda model: model[:at] + struct.pack("<I", value) + model[at + 4 :]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (patched(4, 0x58585858), "no TFL3 identifier"),
        (patched(0, 0xFFFFFFFF), "damaged model table"),
        (patched(0, 0), "damaged model table"),
        (lambda model: b"", "no TFL3 identifier"),
        (lambda model: model[:8], "damaged model table"),
        (lambda model: model[:100], "damaged"),
        (lambda model: model.replace(b"TFL3", b"TFL2"), "no TFL3 identifier"),
    ],
)
def test_a_damaged_file_is_refused(checked: Executor, damage: Callable[[bytes], bytes], reason: str) -> None:
    assert reason in refusal(checked, damage(write_model([MAIN])))


def test_every_truncation_is_survived(checked: Executor) -> None:
    model = write_model([MAIN])
    refused = 0
    for length in range(0, len(model), 4):
        outcome = checked.execute(model[:length], [(INPUT,)])
        assert isinstance(outcome, Rejected | Declined | Produced), (length, outcome)
        refused += not isinstance(outcome, Produced)
    assert refused >= length // 4 - 4  # the last words are a version that no one reads


def test_every_word_may_be_any_interesting_number(checked: Executor) -> None:
    model = write_model([MAIN])
    for at in range(0, len(model) - 3, 4):
        for value in (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFF0):
            outcome = checked.execute(patched(at, value)(model), [(INPUT,)])
            assert isinstance(outcome, Rejected | Declined | Produced), (at, value, outcome)


def test_a_file_that_shares_its_parts_without_end_is_refused(checked: Executor) -> None:
    # 4,000 subgraphs that are all the same table: walking each is cheap once and endless 4,000 times.
    tensors = tuple(replace(X, name=f"t{i}") for i in range(500))
    model = bytearray(write_model([Graph(tensors, (), (0,), (0,)), *[Graph((X,), (), (0,), (0,))] * 4000]))
    root = struct.unpack_from("<I", model, 0)[0]
    vtable = root - struct.unpack_from("<i", model, root)[0]
    at = root + struct.unpack_from("<H", model, vtable + 4 + 2 * 2)[0]
    vector = at + struct.unpack_from("<I", model, at)[0]
    assert struct.unpack_from("<I", model, vector)[0] == 4001
    first = vector + 4 + struct.unpack_from("<I", model, vector + 4)[0]
    for i in range(1, 4001):
        struct.pack_into("<I", model, vector + 4 + 4 * i, (first - (vector + 4 + 4 * i)) & 0xFFFFFFFF)
    assert refusal(checked, bytes(model)) == "Rejected: more parts than a file of this size can hold: they are shared"


def test_an_unaligned_constant_is_read_all_the_same(checked: Executor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flatmodel, "ALIGNMENT", 4)  # what the builders of other projects do
    constant = np.array([1 << 40, -7, 5], np.int64)
    tensors = (
        TensorDef("x", "int64", (3,)),
        TensorDef("c", "int64", (3,), constant),
        TensorDef("y", "int64", (3,)),
    )
    graph = Graph(tensors, (ADD,), (0,), (2,))
    models = [write_model([graph], description="d" * k) for k in range(8)]
    unaligned = [model for model in models if model.index(constant.tobytes()) % 8]
    assert unaligned
    outcome = checked.execute(unaligned[0], [(np.ones(3, np.int64),)])
    assert isinstance(outcome, Produced)
    assert outcome.outputs[0][0].tolist() == [(1 << 40) + 1, -6, 6]


def test_a_refusal_names_node_and_builtin(checked: Executor) -> None:
    graph = Graph((X, C, Y, replace(Z, shape=(5,))), (ADD, Node("ADD", (2, 1), (3,))), (0,), (3,))
    assert re.fullmatch(
        r"Rejected: node 1, builtin 0: shapes do not broadcast.*", refusal(checked, write_model([graph]))
    )
