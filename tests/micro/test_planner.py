"""The arena: what a plan costs, and that opc_arena_used is what opc_open needs, to the byte."""

from __future__ import annotations

import ctypes
import shutil
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from opconform.harness.flatmodel import Graph, Node, TensorDef, write_model
from opconform.harness.isolate import Executor, connect
from opconform.harness.model import Produced, Quant
from opconform.harness.registry import resolve

OK, INVALID_MODEL, NO_MEMORY = 0, 2, 4


def chain(length: int, elements: int, keep: bool = False) -> bytes:
    """x -> x + x -> ...; with `keep` every step is an output, so that none may be overwritten."""
    tensors = tuple(TensorDef(f"t{i}", "float32", (elements,)) for i in range(length + 1))
    nodes = tuple(Node("ADD", (i, i), (i + 1,)) for i in range(length))
    return write_model([Graph(tensors, nodes, (0,), tuple(range(1, length + 1)) if keep else (length,))])


def aligned(size: int) -> tuple[Any, int]:
    buffer = ctypes.create_string_buffer(size + 16)
    return buffer, (ctypes.addressof(buffer) + 15) & ~15


def try_open(library: ctypes.CDLL, model: bytes, arena_bytes: int) -> tuple[int, int]:
    """Return the status of opc_open and the arena that it used."""
    interpreter, it = aligned(1024)
    file, at = aligned(len(model))
    arena, base = aligned(arena_bytes)
    ctypes.memmove(at, model, len(model))
    registry = ctypes.c_char.in_dll(library, "opc_registry_all")
    address, size = ctypes.c_void_p, ctypes.c_size_t
    library.opc_open.argtypes = (address, address, size, address, size, address)
    library.opc_arena_used.argtypes = (address,)
    status = library.opc_open(it, at, len(model), base, arena_bytes, ctypes.addressof(registry))
    used = library.opc_arena_used(it)
    del interpreter, file, arena
    return status, used


def needed(library: ctypes.CDLL, model: bytes, work_bytes: int) -> tuple[int, int]:
    """Return the status of opc_arena_needed and the bytes that it tells."""
    file, at = aligned(len(model))
    work, base = aligned(work_bytes)
    ctypes.memmove(at, model, len(model))
    registry = ctypes.c_char.in_dll(library, "opc_registry_all")
    address, size = ctypes.c_void_p, ctypes.c_size_t
    library.opc_arena_needed.argtypes = (address, size, address, size, address, address)
    told = ctypes.c_uint32()
    status = library.opc_arena_needed(at, len(model), base, work_bytes, ctypes.addressof(registry), ctypes.byref(told))
    del file, work
    return status, told.value


def arena_of(executor: Executor, model: bytes, elements: int) -> int:
    outcome = executor.execute(model, [(np.ones(elements, np.float32),)])
    assert isinstance(outcome, Produced), outcome
    return outcome.meters["arena"]


@pytest.mark.parametrize("model", [chain(1, 8), chain(12, 3), chain(3, 1000), chain(5, 100, keep=True)])
def test_an_arena_of_the_used_size_suffices_and_one_less_does_not(library: ctypes.CDLL, model: bytes) -> None:
    status, used = try_open(library, model, 1 << 20)
    assert status == OK
    assert try_open(library, model, used) == (OK, used)
    for less in (8, 16, used // 2, used - 8, used):
        assert try_open(library, model, used - less)[0] == NO_MEMORY


@pytest.mark.parametrize("model", [chain(1, 8), chain(12, 3), chain(3, 100_000), chain(5, 10_000, keep=True)])
def test_what_a_model_needs_is_told_without_that_arena(library: ctypes.CDLL, model: bytes) -> None:
    status, used = try_open(library, model, 1 << 20)
    assert status == OK
    assert needed(library, model, 4096) == (OK, used)
    assert needed(library, model, 64) == (NO_MEMORY, 0)


def test_an_arena_that_is_too_small_for_the_tensors_tells_what_is_needed(library: ctypes.CDLL) -> None:
    model = chain(3, 10_000)
    used = try_open(library, model, 1 << 20)[1]
    assert try_open(library, model, used // 2) == (NO_MEMORY, used)
    assert try_open(library, model, used // 2 + 3) == (NO_MEMORY, used)


def test_a_model_with_an_error_needs_nothing(library: ctypes.CDLL) -> None:
    assert needed(library, chain(1, 8).replace(b"TFL3", b"TFL2"), 4096) == (INVALID_MODEL, 0)


def test_opening_takes_no_more_than_running(library: ctypes.CDLL) -> None:
    # The planner's own records lie where the tensors will be.
    elements = 4096
    node, cell, graph, alignment = 64, 48, 64, 64
    used = try_open(library, chain(12, elements), 1 << 20)[1]
    assert used <= 4 * elements + 12 * node + 13 * cell + graph + alignment


def test_variables_do_not_share_with_anything(checked: Executor) -> None:
    tensors = (
        TensorDef("x", "float32", (4,)),
        TensorDef("v", "float32", (4,), variable=True),
        TensorDef("y", "float32", (4,)),
        TensorDef("z", "float32", (4,)),
    )
    nodes = (Node("ADD", (0, 1), (2,)), Node("ADD", (2, 1), (3,)))
    outcome = checked.execute(write_model([Graph(tensors, nodes, (0,), (2, 3))]), [(np.ones(4, np.float32),)] * 2)
    assert isinstance(outcome, Produced)
    assert [[output.tolist() for output in vector] for vector in outcome.outputs] == [[[1] * 4, [1] * 4]] * 2


def test_a_chain_runs_in_one_buffer(checked: Executor) -> None:
    elements = 4096
    one = arena_of(checked, chain(1, elements), elements)
    ten = arena_of(checked, chain(10, elements), elements)
    assert one < 4 * elements + 512  # in place: one tensor and the tables
    assert ten - one < 1024  # longer chains cost tables only


def test_tensors_that_live_at_once_do_not_share(checked: Executor) -> None:
    elements = 256
    outcome = checked.execute(chain(6, elements, keep=True), [(np.ones(elements, np.float32),)])
    assert isinstance(outcome, Produced)
    for step, output in enumerate(outcome.outputs[0]):
        assert (output == 2.0 ** (step + 1)).all()
    assert outcome.meters["arena"] >= 6 * 4 * elements


def test_a_small_tensor_fits_between_large_ones(checked: Executor) -> None:
    # a (big) dies before c (big) is made, so both may share although b and d (small) overlap in time with both.
    big, small = 4000, 10
    tensors = (
        TensorDef("a", "float32", (big,)),
        TensorDef("s", "float32", (small,)),
        TensorDef("t", "float32", (1, big)),
        TensorDef("u", "float32", (small,)),
        TensorDef("v", "float32", (1, big)),
    )
    shape = TensorDef("shape", "int32", (2,), np.array([1, big], np.int32))
    nodes = (Node("RESHAPE", (0, 5), (2,)), Node("ADD", (1, 1), (3,)), Node("ADD", (2, 2), (4,)))
    model = write_model([Graph((*tensors, shape), nodes, (0, 1), (3, 4))])
    inputs = (np.arange(big, dtype=np.float32), np.ones(small, np.float32))
    outcome = checked.execute(model, [inputs])
    assert isinstance(outcome, Produced)
    assert (outcome.outputs[0][0] == 2).all()
    assert (outcome.outputs[0][1][0] == 2 * inputs[0]).all()
    assert outcome.meters["arena"] < 4 * big + 1024


def test_an_input_that_is_an_output_too_keeps_its_value(checked: Executor) -> None:
    graph = Graph(
        (TensorDef("x", "float32", (4,)), TensorDef("y", "float32", (4,))), (Node("ADD", (0, 0), (1,)),), (0,), (0, 1)
    )
    outcome = checked.execute(write_model([graph]), [(np.ones(4, np.float32),)])
    assert isinstance(outcome, Produced)
    assert [output.tolist() for output in outcome.outputs[0]] == [[1] * 4, [2] * 4]


def test_a_broadcast_operand_is_not_overwritten(checked: Executor) -> None:
    tensors = (
        TensorDef("a", "float32", (1, 3)),
        TensorDef("b", "float32", (2, 1)),
        TensorDef("y", "float32", (2, 3)),
    )
    model = write_model([Graph(tensors, (Node("ADD", (0, 1), (2,)),), (0, 1), (2,))])
    a, b = np.array([[1, 2, 3]], np.float32), np.array([[10], [20]], np.float32)
    outcome = checked.execute(model, [(a, b)])
    assert isinstance(outcome, Produced)
    np.testing.assert_array_equal(outcome.outputs[0][0], a + b)


def test_loop_variables_of_one_source_do_not_share(checked: Executor) -> None:
    scalar = TensorDef("s", "float32", ())
    main = Graph(
        (scalar, replace(scalar, name="a"), replace(scalar, name="b")),
        (Node("WHILE", (0, 0), (1, 2), {"cond": 1, "body": 2}),),
        (0,),
        (1, 2),
    )
    limit = TensorDef("limit", "float32", (), np.array(4, np.float32))
    condition = Graph((scalar, scalar, limit, TensorDef("c", "bool", ())), (Node("LESS", (0, 2), (3,)),), (0, 1), (3,))
    step = TensorDef("step", "float32", (), np.array(1, np.float32))
    body = Graph((scalar, scalar, step, scalar), (Node("ADD", (0, 2), (3,)),), (0, 1), (3, 1))
    outcome = checked.execute(write_model([main, condition, body]), [(np.array(1, np.float32),)])
    assert isinstance(outcome, Produced)
    assert [float(value) for value in outcome.outputs[0]] == [4.0, 1.0]


def dense(units: Sequence[int]) -> bytes:
    """int8 FULLY_CONNECTED layers one behind the other, as in hello_world and the autoencoder for anomalies."""
    quant = Quant((0.5,), (0,))
    tensors = [TensorDef("x", "int8", (1, units[0]), quant=quant)]
    nodes = []
    for depth, count in pairwise(units):
        at = len(tensors)
        tensors += [
            TensorDef(f"w{at}", "int8", (count, depth), np.ones((count, depth), np.int8), quant),
            TensorDef(f"b{at}", "int32", (count,), np.ones(count, np.int32), Quant((0.25,), (0,))),
            TensorDef(f"y{at}", "int8", (1, count), quant=quant),
        ]
        nodes.append(Node("FULLY_CONNECTED", (at - 1, at, at + 1), (at + 2,), {"activation": "RELU"}))
    return write_model([Graph(tuple(tensors), tuple(nodes), (0,), (len(tensors) - 1,))])


@pytest.mark.parametrize(
    ("units", "peer"),
    # what TensorFlow Lite Micro takes of models of these forms on the same board
    [((1, 16, 16, 1), 676), ((640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640), 2260)],
    ids=["hello_world", "anomaly detection"],
)
def test_on_a_board_the_arena_is_no_larger_than_the_peers(units: Sequence[int], peer: int) -> None:
    if shutil.which("qemu-system-arm") is None or shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("there is no board")
    with closing(connect(resolve("micro@cortex-m3"))) as board:
        outcome = board.execute(dense(units), [(np.ones((1, units[0]), np.int8),)])
    assert isinstance(outcome, Produced), outcome
    assert outcome.meters["arena"] <= peer


def test_a_model_that_needs_more_than_the_arena_is_declined(library: ctypes.CDLL) -> None:
    assert try_open(library, chain(1, 1 << 20), 1 << 16)[0] == NO_MEMORY
