"""Kernels of micro that only move elements: shared memory, sizes beyond those of the specs, and what they refuse."""

from __future__ import annotations

import ctypes
import subprocess
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from opconform.harness.flatmodel import Graph, Node, TensorDef, one_op, write_model
from opconform.harness.isolate import Executor
from opconform.harness.model import Array, Declined, Produced, Quant, Rejected
from opconform.runtimes.micro import build

Q = Quant((0.5,), (0,))
OTHER = Quant((0.25,), (0,))


def tensor(shape: tuple[int, ...], dtype: str = "float32", quant: Quant | None = None) -> TensorDef:
    return TensorDef("t", dtype, shape, quant=quant)


def constant(values: object, dtype: str = "int32", quant: Quant | None = None) -> TensorDef:
    data = np.array(values, dtype)
    return TensorDef("c", dtype, data.shape, data, quant)


def run(executor: Executor, model: bytes, *inputs: Array) -> list[Array]:
    outcome = executor.execute(model, [inputs])
    assert isinstance(outcome, Produced), outcome
    return list(outcome.outputs[0])


def test_operators_that_only_rename_dimensions_share_one_buffer(checked: Executor) -> None:
    size = 4096
    tensors = (
        tensor((1, size)),
        tensor((size,)),
        constant(0),
        tensor((1, size)),
        constant([2, size // 2]),
        tensor((2, size // 2)),
    )
    nodes = (
        Node("SQUEEZE", (0,), (1,), {"squeeze_dims": [0]}),
        Node("EXPAND_DIMS", (1, 2), (3,)),
        Node("RESHAPE", (3, 4), (5,)),
    )
    x = np.arange(size, dtype=np.float32).reshape(1, size)
    outcome = checked.execute(write_model([Graph(tensors, nodes, (0,), (5,))]), [(x,)])
    assert isinstance(outcome, Produced)
    np.testing.assert_array_equal(outcome.outputs[0][0], x.reshape(2, -1))
    assert outcome.meters["arena"] < x.nbytes + 1024


def test_an_update_happens_in_place_unless_the_old_tensor_is_still_needed(checked: Executor) -> None:
    size = 2048
    tensors = (
        tensor((size,)),
        constant([1, 2], "float32"),
        constant([3]),
        tensor((size,)),
        constant([4]),
        tensor((size,)),
    )
    nodes = (
        Node("DYNAMIC_UPDATE_SLICE", (0, 1, 2), (3,)),
        Node("DYNAMIC_UPDATE_SLICE", (3, 1, 4), (5,)),
    )
    x = np.zeros(size, np.float32)
    meters = {}
    for results in ((5,), (3, 5)):
        outcome = checked.execute(write_model([Graph(tensors, nodes, (0,), results)]), [(x,)])
        assert isinstance(outcome, Produced)
        assert outcome.outputs[0][-1][:8].tolist() == [0, 0, 0, 1, 1, 2, 0, 0]
        assert outcome.outputs[0][0][:8].tolist() == [0, 0, 0, 1, *((1, 2) if len(results) == 1 else (2, 0)), 0, 0]
        meters[len(results)] = outcome.meters["arena"]
    assert meters[1] < x.nbytes + 1024
    assert meters[2] >= 2 * x.nbytes


def test_a_tensor_may_be_its_own_update(checked: Executor) -> None:
    graph = Graph(
        (tensor((3,)), constant([1]), tensor((3,))), (Node("DYNAMIC_UPDATE_SLICE", (0, 0, 1), (2,)),), (0,), (2,)
    )
    assert run(checked, write_model([graph]), np.array([5, 6, 7], np.float32))[0].tolist() == [5, 6, 7]


def test_a_shape_that_depends_on_data_is_told_as_it_is(checked: Executor) -> None:
    tensors = (tensor((5,), "bool"), tensor((5, 1), "int64"), tensor((2,), "int32"))
    nodes = (Node("WHERE", (0,), (1,)), Node("SHAPE", (1,), (2,), {"out_type": "int32"}))
    model = write_model([Graph(tensors, nodes, (0,), (2,))])
    assert run(checked, model, np.array([True, False, True, True, False]))[0].tolist() == [3, 1]


@pytest.mark.parametrize(("corners", "middle"), [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize(("inputs", "outputs"), [(7, 1000), (1000, 7), (999, 1000), (1, 5), (640, 1)])
def test_the_nearest_element_is_found_in_whole_numbers(
    checked: Executor, corners: bool, middle: bool, inputs: int, outputs: int
) -> None:
    model = one_op(
        "RESIZE_NEAREST_NEIGHBOR",
        [tensor((1, inputs, 1, 1), "int16"), constant([outputs, 1])],
        [tensor((1, outputs, 1, 1), "int16")],
        {"align_corners": corners, "half_pixel_centers": middle},
    )
    numbers = np.arange(inputs, dtype=np.int16)
    step = Fraction(inputs - 1, outputs - 1) if corners and outputs > 1 else Fraction(inputs, outputs)
    add = Fraction(int(corners), 2)
    places = [min(inputs - 1, floor((i + Fraction(int(middle), 2)) * step + add)) for i in range(outputs)]
    result = run(checked, model, numbers.reshape(1, -1, 1, 1))[0]
    np.testing.assert_array_equal(result.reshape(-1), places)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64"])
def test_eight_dimensions_can_be_turned_around(checked: Executor, dtype: str) -> None:
    x = np.arange(2 * 3 * 2 * 3 * 2 * 3, dtype=dtype).reshape(2, 3, 1, 2, 3, 1, 2, 3)
    order = [7, 2, 0, 6, 1, 5, 4, 3]
    model = one_op("TRANSPOSE", [tensor(x.shape, dtype), constant(order)], [tensor(x.transpose(order).shape, dtype)])
    np.testing.assert_array_equal(run(checked, model, x)[0], x.transpose(order))


@pytest.mark.parametrize(("mode", "numpy_mode"), [("REFLECT", "reflect"), ("SYMMETRIC", "symmetric")])
def test_mirrors_as_wide_as_the_tensor_meet_in_all_dimensions(checked: Executor, mode: str, numpy_mode: Any) -> None:
    x = np.arange(3 * 4 * 2 * 3, dtype=np.int8).reshape(3, 4, 2, 3)
    most = np.array(x.shape) - (1 if mode == "REFLECT" else 0)
    widths = np.stack([most, most], axis=1)
    want = np.pad(x, widths, mode=numpy_mode)
    model = one_op(
        "MIRROR_PAD", [tensor(x.shape, "int8"), constant(widths)], [tensor(want.shape, "int8")], {"mode": mode}
    )
    np.testing.assert_array_equal(run(checked, model, x)[0], want)


def test_blocks_may_have_three_axes(checked: Executor) -> None:
    x = np.arange(2 * 4 * 2 * 3 * 2, dtype=np.int32).reshape(2, 4, 2, 3, 2)
    apart = x.reshape(2, 2, 2, 1, 2, 1, 3, 2).transpose(2, 4, 6, 0, 1, 3, 5, 7).reshape(24, 2, 1, 1, 2)
    there = one_op(
        "SPACE_TO_BATCH_ND",
        [tensor(x.shape, "int32"), constant([2, 2, 3]), constant([[0, 0]] * 3)],
        [tensor(apart.shape, "int32")],
    )
    back = one_op(
        "BATCH_TO_SPACE_ND",
        [tensor(apart.shape, "int32"), constant([2, 2, 3]), constant([[0, 0]] * 3)],
        [tensor(x.shape, "int32")],
    )
    np.testing.assert_array_equal(run(checked, there, x)[0], apart)
    np.testing.assert_array_equal(run(checked, back, apart)[0], x)


IMAGE = (1, 2, 2, 4)
#: why -> model that must be refused when it is opened
MODELS: dict[str, bytes] = {
    "a block that is not positive": one_op(
        "DEPTH_TO_SPACE", [tensor(IMAGE)], [tensor((1, 2, 2, 4))], {"block_size": -1}
    ),
    "a block whose square is 0 in 32 bits": one_op(
        "DEPTH_TO_SPACE", [tensor((1, 0, 0, 0))], [tensor((1, 0, 0, 1))], {"block_size": 65536}
    ),
    "a block for another image": one_op("SPACE_TO_DEPTH", [tensor(IMAGE)], [tensor((1, 1, 1, 8))], {"block_size": 2}),
    "crops for another rank": one_op(
        "BATCH_TO_SPACE_ND", [tensor((4, 1, 1, 1)), constant([2, 2]), constant([[0, 0]])], [tensor((1, 2, 2, 1))]
    ),
    "more axes of blocks than dimensions": one_op(
        "SPACE_TO_BATCH_ND", [tensor((2,)), constant([1]), constant([[0, 0]])], [tensor((2,))]
    ),
    "crops that add up to 0 in 32 bits": one_op(
        "BATCH_TO_SPACE_ND", [tensor((1, 2, 1)), constant([1]), constant([[-(2**31), -(2**31)]])], [tensor((1, 2, 1))]
    ),
    "an order that names an axis twice": one_op("TRANSPOSE", [tensor((2, 2)), constant([1, -1])], [tensor((2, 2))]),
    "an order of a longer tensor": one_op("TRANSPOSE", [tensor((2,)), constant([0, 1])], [tensor((2, 1))]),
    "an output of another quantization": one_op(
        "TRANSPOSE", [tensor((2,), "int8", Q), constant([0])], [tensor((2,), "int8", OTHER)]
    ),
    "a dropped dimension of 2": one_op("SQUEEZE", [tensor((1, 2))], [tensor((1,))], {"squeeze_dims": [1]}),
    "a squeezed tensor of another shape": one_op("SQUEEZE", [tensor((1, 2))], [tensor((1, 2))], {"squeeze_dims": [0]}),
    "a dimension that was not asked for": one_op("EXPAND_DIMS", [tensor((2,)), constant(0)], [tensor((2, 1))]),
    "parts of two sizes": one_op("SPLIT", [constant(0), tensor((3,))], [tensor((2,)), tensor((1,))], {"num_splits": 2}),
    "parts of 1 and of 0": one_op(
        "SPLIT", [constant(0), tensor((1,))], [tensor((1,)), tensor((0,))], {"num_splits": 2}
    ),
    "fewer outputs than parts": one_op("SPLIT", [constant(0), tensor((2,))], [tensor((2,))], {"num_splits": 2}),
    "two sizes that are open": one_op(
        "SPLIT_V", [tensor((2,)), constant([-1, -1]), constant(0)], [tensor((1,)), tensor((1,))], {"num_splits": 2}
    ),
    "a pack of two shapes": one_op(
        "PACK", [tensor((2,)), tensor((1,))], [tensor((2, 2))], {"values_count": 2, "axis": 0}
    ),
    "a pack into a longer tensor": one_op("PACK", [tensor((2,))], [tensor((2, 2))], {"values_count": 1, "axis": 0}),
    "an unpack that leaves a rest": one_op("UNPACK", [tensor((2, 2))], [tensor((2,))], {"num": 1, "axis": 0}),
    "two values to pad with": one_op(
        "PADV2", [tensor((1,)), constant([[1, 1]]), constant([1, 2], "float32")], [tensor((3,))]
    ),
    "paddings that add up to 0 in 32 bits": one_op(
        "PADV2", [tensor((1,)), constant([[-(2**31), -(2**31)]]), constant(1, "float32")], [tensor((1,))]
    ),
    "a mirror wider than the tensor": one_op(
        "MIRROR_PAD", [tensor((2,)), constant([[2, 0]])], [tensor((4,))], {"mode": "REFLECT"}
    ),
    "a box that begins behind the end": one_op("SLICE", [tensor((2,)), constant([3]), constant([-1])], [tensor((0,))]),
    "a box that ends behind the end": one_op(
        "SLICE", [tensor((2,)), constant([2**62], "int64"), constant([1], "int64")], [tensor((1,))]
    ),
    "an axis reversed twice": one_op("REVERSE_V2", [tensor((2, 2)), constant([0, -2])], [tensor((2, 2))]),
    "an axis that does not exist": one_op("REVERSE_V2", [tensor((2, 2)), constant([2])], [tensor((2, 2))]),
    "zeros of another shape": one_op("ZEROS_LIKE", [tensor((2, 2))], [tensor((4,))]),
    "a shape of another length": one_op("SHAPE", [tensor((2, 2))], [tensor((1,), "int32")], {"out_type": "int32"}),
    "a shape in small numbers": one_op("SHAPE", [tensor((2, 2))], [tensor((2,), "int8")], {"out_type": "int8"}),
    "more than one value to fill with": one_op("FILL", [constant([2]), tensor((1,))], [tensor((2,))]),
    "other dimensions than the output's": one_op("FILL", [constant([2**33 + 2], "int64"), tensor(())], [tensor((2,))]),
    "a broadcast that takes a dimension away": one_op("BROADCAST_TO", [tensor((1, 2)), constant([2])], [tensor((2,))]),
    "shapes that do not broadcast": one_op("BROADCAST_ARGS", [constant([2]), constant([3])], [tensor((1,), "int32")]),
    "a result of another length": one_op("BROADCAST_ARGS", [constant([2]), constant([2])], [tensor((2,), "int32")]),
    "an update larger than its tensor": one_op(
        "DYNAMIC_UPDATE_SLICE", [tensor((2,)), tensor((3,)), constant([0])], [tensor((2,))]
    ),
    "a start of another rank": one_op(
        "DYNAMIC_UPDATE_SLICE", [tensor((2,)), tensor((1,)), constant([0, 0])], [tensor((2,))]
    ),
    "more coordinates than axes": one_op("GATHER_ND", [tensor((2,)), constant([[0, 0]])], [tensor((1,))]),
    "a coordinate outside": one_op("GATHER_ND", [tensor((2, 2)), constant([[0, 2]])], [tensor((1,))]),
    "a coordinate that is no vector": one_op("GATHER_ND", [tensor((2,)), constant(0)], [tensor(())]),
    "a table without rows": one_op("EMBEDDING_LOOKUP", [constant([0]), tensor((2,))], [tensor((1,))]),
    "a row outside": one_op("EMBEDDING_LOOKUP", [constant([2]), tensor((2, 1))], [tensor((1, 1))]),
    "a table without a scale": one_op("EMBEDDING_LOOKUP", [constant([0]), tensor((2, 1), "int8")], [tensor((1, 1))]),
    "scales along columns": one_op(
        "EMBEDDING_LOOKUP", [constant([0]), tensor((2, 2), "int8", Quant((0.5, 0.25), (0, 0), 1))], [tensor((1, 2))]
    ),
    "an image without columns": one_op(
        "RESIZE_NEAREST_NEIGHBOR", [tensor((1, 2, 0, 1)), constant([2, 2])], [tensor((1, 2, 2, 1))]
    ),
    "joined parts of another quantization": one_op(
        "CONCATENATION", [tensor((2,), "int8", Q), tensor((2,), "int8", OTHER)], [tensor((4,), "int8", Q)], {"axis": 0}
    ),
    "a joined part without quantization": one_op(
        "CONCATENATION", [tensor((2,), "uint8", Q), tensor((2,), "uint8")], [tensor((4,), "uint8", Q)], {"axis": 0}
    ),
}


@pytest.mark.parametrize("why", MODELS)
def test_a_model_is_refused_for(checked: Executor, why: str) -> None:
    outcome = checked.execute(MODELS[why], [])
    assert isinstance(outcome, Rejected | Declined), outcome
    assert outcome.why.startswith("node 0, builtin "), outcome.why


def index(values: object) -> Array:
    return np.array(values, np.int32)


X = np.arange(4, dtype=np.float32)
#: why -> model, inputs that it must refuse, inputs that it takes afterwards
INPUTS: dict[str, tuple[bytes, tuple[Array, ...], tuple[Array, ...]]] = {
    "an order that does not fit": (
        one_op("TRANSPOSE", [tensor((2, 2)), tensor((2,), "int32")], [tensor((2, 2))]),
        (X.reshape(2, 2), index([0, 0])),
        (X.reshape(2, 2), index([-1, 0])),
    ),
    "a box that sticks out": (
        one_op("SLICE", [tensor((4,)), tensor((1,), "int32"), constant([2])], [tensor((2,))]),
        (X, index([3])),
        (X, index([2])),
    ),
    "an axis along which parts are not equal": (
        one_op("SPLIT", [tensor((), "int32"), tensor((1, 4))], [tensor((1, 2))] * 2, {"num_splits": 2}),
        (index(0), X.reshape(1, 4)),
        (index(-1), X.reshape(1, 4)),
    ),
    "sizes of other parts": (
        one_op(
            "SPLIT_V",
            [tensor((4,)), tensor((2,), "int32"), constant(0)],
            [tensor((1,)), tensor((3,))],
            {"num_splits": 2},
        ),
        (X, index([2, 2])),
        (X, index([1, -1])),
    ),
    "blocks of another size": (
        one_op(
            "SPACE_TO_BATCH_ND", [tensor((1, 4, 1)), tensor((1,), "int32"), constant([[0, 0]])], [tensor((2, 2, 1))]
        ),
        (X.reshape(1, 4, 1), index([0])),
        (X.reshape(1, 4, 1), index([2])),
    ),
    "dimensions of another tensor": (
        one_op("FILL", [tensor((1,), "int32"), tensor(())], [tensor((2,))]),
        (index([-2]), np.array(3, np.float32)),
        (index([2]), np.array(3, np.float32)),
    ),
    "an axis beyond the rank": (
        one_op("EXPAND_DIMS", [tensor((4,)), tensor((), "int32")], [tensor((1, 4))]),
        (X, index(2)),
        (X, index(-2)),
    ),
    "a coordinate beyond its axis": (
        one_op("GATHER_ND", [tensor((2, 2)), tensor((1, 2), "int32")], [tensor((1,))]),
        (X.reshape(2, 2), index([[0, 2]])),
        (X.reshape(2, 2), index([[1, 1]])),
    ),
    "a row beyond the table": (
        one_op("EMBEDDING_LOOKUP", [tensor((1,), "int32"), tensor((2, 2))], [tensor((1, 2))]),
        (index([2]), X.reshape(2, 2)),
        (index([1]), X.reshape(2, 2)),
    ),
}


@pytest.mark.parametrize("why", INPUTS)
def test_an_input_is_refused_for(checked: Executor, why: str) -> None:
    model, bad, good = INPUTS[why]
    outcome = checked.execute(model, [bad])
    assert isinstance(outcome, Rejected | Declined), outcome
    assert isinstance(checked.execute(model, [good]), Produced)


def test_mutated_models_do_no_harm(tmp_path: Path) -> None:
    program = build.build("fuzz", "host-asan")
    for name, (model, _, _) in INPUTS.items():
        path = tmp_path / "model.tflite"
        path.write_bytes(model)
        done = subprocess.run([program, path, "1", "500"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, (name, done.stderr[:2000])


@pytest.mark.parametrize("aligned", [0, 1])
@pytest.mark.parametrize("way", [-12, -4, -3, 0, 3, 4, 12, 64])
@pytest.mark.parametrize("count", [0, 3, 4, 31, 64])
def test_a_copy_may_overlap_its_source(library: ctypes.CDLL, aligned: int, way: int, count: int) -> None:
    memory = np.arange(256, dtype=np.uint8)
    source = 64 + aligned
    want = memory.copy()
    want[source + way : source + way + count] = memory[source : source + count]
    base = memory.ctypes.data
    library.opc_copy(ctypes.c_void_p(base + source + way), ctypes.c_void_p(base + source), count, 1)
    np.testing.assert_array_equal(memory, want)
