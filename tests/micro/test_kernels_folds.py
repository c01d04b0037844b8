"""Folds, matrices, recurrence, subgraphs and the custom operator: what micro refuses, and how they start anew."""

from __future__ import annotations

import ctypes
import random
from typing import Any

import numpy as np
import pytest
from flatbuffers import flexbuffers

from opconform.harness.flatmodel import Graph, Node, TensorDef, one_op, write_model
from opconform.harness.isolate import Executor
from opconform.harness.model import Array, Declined, Produced, Quant, Rejected

Q = Quant((0.5,), (0,))
NAME = "TFLite_Detection_PostProcess"
OPTIONS: dict[str, float | int | bool] = {
    "max_detections": 2,
    "max_classes_per_detection": 1,
    "num_classes": 2,
    "nms_score_threshold": 0.25,
    "nms_iou_threshold": 0.5,
    "use_regular_nms": True,
    **dict.fromkeys(("y_scale", "x_scale", "h_scale", "w_scale"), 10.0),
}


def packed(options: dict[str, Any]) -> bytes:
    return bytes(flexbuffers.Dumps(options))


def tensor(shape: tuple[int, ...], dtype: str = "float32", quant: Quant | None = None, **more: Any) -> TensorDef:
    return TensorDef("t", dtype, shape, quant=quant, **more)


def constant(values: object, dtype: str = "int32", quant: Quant | None = None) -> TensorDef:
    data = np.array(values, dtype)
    return TensorDef("c", dtype, data.shape, data, quant)


def deconv(shape: list[int], options: dict[str, Any], w: tuple[int, ...] = (1, 2, 2, 2)) -> bytes:
    inputs = [constant(shape), constant(np.zeros(w), "float32"), tensor((1, 2, 2, 2))]
    return one_op("TRANSPOSE_CONV", inputs, [tensor((1, 4, 4, 1))], {"stride_w": 2, "stride_h": 2, **options})


def cell(zero: int = 0, scale: float = 2.0**-12, absent: int | None = None, **options: Any) -> bytes:
    """An int8 LSTM of one unit that only its own output feeds: beginning with 0, it stays there."""
    weights = [constant([[v]], "int8", Quant((0.01,), (0,))) for v in (0, 0, 0, 0, 100, 100, 100, 100)]
    states = [
        TensorDef("h", "int8", (1, 1), quant=Quant((0.01,), (zero,)), variable=True),
        TensorDef("c", "int16", (1, 1), quant=Quant((scale,), (0,)), variable=True),
    ]
    x = tensor((1, 1, 1), "int8", Quant((0.1,), (0,)))
    tensors = [x, *weights, *[constant([0])] * 4, *states, tensor((1, 1, 1), "int8", Quant((0.01,), (zero,)))]
    slots = [*range(9), -1, -1, -1, *range(9, 13), -1, -1, 13, 14, -1, -1, -1, -1]
    if absent is not None:
        slots[absent] = -1
    node = Node("UNIDIRECTIONAL_SEQUENCE_LSTM", tuple(slots), (15,), {"activation": "TANH", **options})
    return write_model([Graph(tuple(tensors), (node,), (0,), (15,))])


def choice(inside: TensorDef, branch: int = 1) -> bytes:
    """IF of one value, whose branches hand on what they are given."""
    main = Graph(
        (tensor((), "bool"), tensor((2,)), tensor((2,))),
        (Node("IF", (0, 1), (2,), {"then_branch": branch, "else_branch": 2}),),
        (0, 1),
        (2,),
    )
    return write_model([main, *[Graph((inside,), (), (0,), (0,))] * 2])


def detection(options: bytes, name: str = NAME, anchors: int = 3) -> bytes:
    tensors = (
        *(tensor((1, 3, 4)), tensor((1, 3, 2)), constant(np.full((anchors, 4), 0.5), "float32")),
        *(tensor((1, 2, 4)), tensor((1, 2)), tensor((1, 2)), tensor((1,))),
    )
    node = Node("CUSTOM", (0, 1, 2), (3, 4, 5, 6), custom=name, custom_options=options)
    return write_model([Graph(tensors, (node,), (0, 1), (3, 4, 5, 6))])


def once() -> bytes:
    """Give the value of a variable that an initialization sets to 7, then put the input there."""
    handle = TensorDef("v", "resource", (1,))
    name = {"container": "", "shared_name": "v"}
    nodes = (
        Node("CALL_ONCE", (), (), {"init": 1}),
        Node("VAR_HANDLE", (), (1,), name),
        Node("READ_VARIABLE", (1,), (2,)),
        Node("ASSIGN_VARIABLE", (1, 0), ()),
    )
    first = (Node("VAR_HANDLE", (), (0,), name), Node("ASSIGN_VARIABLE", (0, 1), ()))
    main = Graph((tensor((1,), "int32"), handle, tensor((1,), "int32")), nodes, (0,), (2,))
    return write_model([main, Graph((handle, constant([7])), first, (), ())])


#: why -> model that must be refused when it is opened
MODELS: dict[str, bytes] = {
    "a sum over an axis beyond the rank": one_op("SUM", [tensor((2, 3)), constant([-3])], [tensor((2,))]),
    "a sum of another shape": one_op("SUM", [tensor((2, 3)), constant([0])], [tensor((2,))]),
    "a sum without quantization": one_op("SUM", [tensor((2,), "int8"), constant([0])], [tensor((), "int8")]),
    "the largest of nothing": one_op("REDUCE_MAX", [tensor((2, 0)), constant([1])], [tensor((2,))]),
    "an extreme that would have to rescale": one_op(
        "REDUCE_MIN", [tensor((2,), "int8", Q), constant([0])], [tensor((), "int8", Quant((0.25,), (0,)))]
    ),
    "numbers as truth values": one_op("REDUCE_ALL", [tensor((2,), "int32"), constant([0])], [tensor((), "int32")]),
    "the smallest along two axes": one_op(
        "ARG_MIN", [tensor((2, 2)), constant([0, 1])], [tensor((), "int32")], {"output_type": "int32"}
    ),
    "running sums along no axis": one_op("CUMSUM", [tensor((2,)), constant(1)], [tensor((2,))]),
    "running sums of another shape": one_op("CUMSUM", [tensor((2,)), constant(0)], [tensor((3,))]),
    "running sums in too fine a scale": one_op(
        "CUMSUM", [tensor((2,), "int8", Q), constant(0)], [tensor((2,), "int8", Quant((2.0**-24,), (0,)))]
    ),
    "matrices of different depths": one_op("BATCH_MATMUL", [tensor((2, 3)), tensor((2, 3))], [tensor((2, 3))]),
    "a product of another shape": one_op("BATCH_MATMUL", [tensor((2, 3)), tensor((3, 2))], [tensor((2, 3))]),
    "batches that do not broadcast": one_op(
        "BATCH_MATMUL", [tensor((2, 2, 2)), tensor((3, 2, 2))], [tensor((3, 2, 2))]
    ),
    "a vector as a matrix": one_op("BATCH_MATMUL", [tensor((2,)), tensor((2, 2))], [tensor((2,))]),
    "a 16-bit product far above its scale": one_op(
        "BATCH_MATMUL", [tensor((2, 2), "int16", Q)] * 2, [tensor((2, 2), "int16", Quant((2.0**-12,), (0,)))]
    ),
    "a transposed stride of 0": deconv([1, 4, 4, 1], {"stride_w": 0}),
    "an output shape that is not the output's": deconv([1, 4, 5, 1], {}),
    "an input that no such output gives": deconv([1, 4, 4, 1], {"stride_h": 1}),
    "filters for other channels": deconv([1, 4, 4, 1], {}, (1, 2, 2, 3)),
    "filters for other outputs": deconv([1, 4, 4, 1], {}, (2, 2, 2, 2)),
    "a pool of roots without a window": one_op(
        "L2_POOL_2D", [tensor((1, 2, 2, 1))], [tensor((1, 2, 2, 1))], {"stride_w": 1, "stride_h": 1}
    ),
    "a cell without a forget gate": cell(absent=2),
    "a cell without its state": cell(absent=19),
    "a cell whose quantum is no power of two": cell(scale=0.0003),
    "a negative bound of a cell": cell(cell_clip=-1.0),
    "a cell with another activation": cell(activation="RELU"),
    "a branch that does not exist": choice(tensor((2,)), branch=3),
    "a branch that calls its caller": choice(tensor((2,)), branch=0),
    "a branch of another shape": choice(tensor((3,))),
    "a branch of another dtype": choice(tensor((2,), "int32")),
    "a custom operator of another name": detection(packed(OPTIONS), NAME + "2"),
    "a custom operator without options": detection(b""),
    "a detection without a threshold": detection(
        packed({k: v for k, v in OPTIONS.items() if k != "nms_iou_threshold"})
    ),
    "more classes of a detection than there are": detection(packed({**OPTIONS, "max_classes_per_detection": 3})),
    "no room for the detections": detection(packed({**OPTIONS, "max_detections": 3})),
    "anchors of other boxes": detection(packed(OPTIONS), anchors=2),
}


@pytest.mark.parametrize("why", MODELS)
def test_a_model_is_refused_for(checked: Executor, why: str) -> None:
    outcome = checked.execute(MODELS[why], [])
    assert isinstance(outcome, Rejected | Declined), outcome
    assert len(outcome.why.splitlines()) == 1


#: why -> model, inputs that it must refuse, inputs that it takes afterwards
INPUTS: dict[str, tuple[bytes, list[Array], list[Array]]] = {
    "an axis of running sums": (
        one_op("CUMSUM", [tensor((2,)), tensor((), "int32")], [tensor((2,))]),
        [np.zeros(2, np.float32), np.array(1, np.int32)],
        [np.zeros(2, np.float32), np.array(-1, np.int32)],
    ),
    "an axis that leaves nothing to choose from": (
        one_op("REDUCE_MAX", [tensor((1, 0, 1)), tensor((1,), "int64")], [tensor((1, 1))]),
        [np.zeros((1, 0, 1), np.float32), np.array([1], np.int64)],
        [],
    ),
    "a shape of a transposed convolution": (
        one_op(
            "TRANSPOSE_CONV",
            [tensor((4,), "int32"), constant(np.zeros((1, 1, 1, 1)), "float32"), tensor((1, 2, 2, 1))],
            [tensor((1, 2, 2, 1))],
            {"stride_w": 1, "stride_h": 1},
        ),
        [np.array([1, 2, 3, 1], np.int32), np.zeros((1, 2, 2, 1), np.float32)],
        [np.array([1, 2, 2, 1], np.int32), np.zeros((1, 2, 2, 1), np.float32)],
    ),
}


@pytest.mark.parametrize("why", INPUTS)
def test_an_input_is_refused_for(checked: Executor, why: str) -> None:
    model, bad, good = INPUTS[why]
    outcome = checked.execute(model, [tuple(bad)])
    assert isinstance(outcome, Rejected | Declined), outcome
    if good:
        assert isinstance(checked.execute(model, [tuple(good)]), Produced)


def test_damaged_options_of_a_custom_operator_are_read_within_their_bounds(checked: Executor) -> None:
    options, draw, refused = packed(OPTIONS), random.Random(7), 0
    feeds = (np.zeros((1, 3, 4), np.float32), np.full((1, 3, 2), 0.5, np.float32))
    for _ in range(300):
        damaged = bytearray(options)
        for _ in range(draw.randint(1, 3)):
            damaged[draw.randrange(len(damaged))] = draw.choice((0, 1, 4, 8, 127, 128, 255, draw.randrange(256)))
        outcome = checked.execute(detection(bytes(damaged)), [feeds])
        assert isinstance(outcome, Produced | Rejected | Declined), outcome
        refused += not isinstance(outcome, Produced)
    assert 20 < refused < 300


def test_a_cell_begins_with_an_output_of_zero_whatever_its_zero_point(checked: Executor) -> None:
    outcome = checked.execute(cell(zero=-20), [(np.zeros((1, 1, 1), np.int8),)])
    assert isinstance(outcome, Produced), outcome
    assert outcome.outputs[0][0].tolist() == [[[-20]]]


def test_raw_products_of_wild_zero_points_wrap(checked: Executor) -> None:
    wild = Quant((1.0,), (-(2**31),))
    model = one_op("BATCH_MATMUL", [tensor((1, 1), "int8", wild)] * 2, [tensor((1, 1), "int32")])
    outcome = checked.execute(model, [(np.array([[1]], np.int8), np.array([[3]], np.int8))])
    assert isinstance(outcome, Produced), outcome
    assert outcome.outputs[0][0].tolist() == [[3]]  # (1 + 2**31) * (3 + 2**31) modulo 2**32, as 4 * 2**31 is 0


def test_the_first_of_equal_elements_is_found_from_every_dtype(checked: Executor) -> None:
    for dtype in ("float32", "int8", "uint8", "int32", "bool"):
        x = np.array([[0, 1, 1], [1, 0, 0]], dtype)
        for op, want in (("ARG_MAX", [1, 0]), ("ARG_MIN", [0, 1])):
            model = one_op(
                op, [tensor((2, 3), dtype), constant([1])], [tensor((2,), "int32")], {"output_type": "int32"}
            )
            outcome = checked.execute(model, [(x,)])
            assert isinstance(outcome, Produced), outcome
            assert outcome.outputs[0][0].tolist() == want, (op, dtype)


def test_bytes_order_as_the_numbers_that_they_are(checked: Executor) -> None:
    for dtype, ends in (("int8", (-128, 127)), ("uint8", (0, 255)), ("int64", (-(2**63), 2**63 - 1))):
        x = np.array([1, ends[1], 100, ends[0], 5], dtype)
        for op, want in (("REDUCE_MAX", ends[1]), ("REDUCE_MIN", ends[0])):
            outcome = checked.execute(one_op(op, [tensor((5,), dtype), constant([0])], [tensor((), dtype)]), [(x,)])
            assert isinstance(outcome, Produced), outcome
            assert int(outcome.outputs[0][0]) == want, (op, dtype)


def test_a_reset_lets_an_initialization_run_again(library: ctypes.CDLL) -> None:
    interpreter, file, arena = (ctypes.create_string_buffer(size + 16) for size in (1024, 4096, 8192))
    it, at, base = ((ctypes.addressof(b) + 15) & ~15 for b in (interpreter, file, arena))
    model = once()
    ctypes.memmove(at, model, len(model))
    registry = ctypes.addressof(ctypes.c_char.in_dll(library, "opc_registry_all"))
    address, size = ctypes.c_void_p, ctypes.c_size_t
    library.opc_open.argtypes = (address, address, size, address, size, address)
    assert library.opc_open(it, at, len(model), base, 8192, registry) == 0

    def run(value: int) -> int:
        view = ctypes.create_string_buffer(64)  # opc_tensor, whose first field points to the data
        library.opc_model_input(ctypes.c_void_p(it), 0, view)
        ctypes.c_int32.from_address(ctypes.c_void_p.from_buffer(view).value or 0).value = value
        assert library.opc_invoke(ctypes.c_void_p(it)) == 0
        library.opc_model_output(ctypes.c_void_p(it), 0, view)
        return ctypes.c_int32.from_address(ctypes.c_void_p.from_buffer(view).value or 0).value

    assert [run(1), run(2), run(3)] == [7, 1, 2]
    library.opc_reset(ctypes.c_void_p(it))
    assert [run(4), run(5)] == [7, 4]
