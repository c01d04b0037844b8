"""BATCH_MATMUL: what the conformance cases do not reach."""

from typing import Any

import numpy as np
import pytest

from opconform.harness.flatmodel import TensorDef, one_op
from opconform.harness.model import Quant
from opconform.harness.runtime import InvalidModel
from opconform.runtimes.lite import Lite


def run(model: bytes, *inputs: Any) -> np.ndarray[Any, Any]:
    return np.asarray(Lite().open(model).run([np.asarray(value) for value in inputs])[0])


def test_columns_may_have_scales_of_their_own() -> None:
    w = TensorDef("w", "int8", (2, 2), np.array([[1, 2], [3, 4]], np.int8), Quant((0.5, 2.0), (0, 0), axis=1))
    model = one_op("BATCH_MATMUL", [TensorDef("x", "float32", (1, 2)), w], [TensorDef("y", "float32", (1, 2))])
    assert run(model, np.array([[1, 10]], np.float32)).tolist() == [[15.5, 84]]
    bad = TensorDef("w", "int8", (2, 2), np.ones((2, 2), np.int8), Quant((0.5, 2.0), (0, 0), axis=0))
    with pytest.raises(InvalidModel, match="2 scales along axis 0; 2 along 1"):
        Lite().open(
            one_op("BATCH_MATMUL", [TensorDef("x", "float32", (1, 2)), bad], [TensorDef("y", "float32", (1, 2))])
        )


def test_unquantized_bytes_multiply_to_whole_numbers() -> None:
    tensors = [TensorDef("x", "int8", (1, 3)), TensorDef("w", "int8", (1, 3))]
    model = one_op("BATCH_MATMUL", tensors, [TensorDef("y", "int32", (1, 1))], {"adj_y": True})
    x = np.array([[-128, 127, 1]], np.int8)
    assert run(model, x, x).item() == 128 * 128 + 127 * 127 + 1


def test_a_rescale_that_no_shift_can_do_is_refused() -> None:
    quants = [Quant((s,), (0,)) for s in (1e6, 1e6, 1e-3)]
    tensors = [TensorDef(n, "int16", (1, 1), quant=q) for n, q in zip("xwy", quants, strict=True)]
    with pytest.raises(InvalidModel, match="rescale"):
        Lite().open(one_op("BATCH_MATMUL", tensors[:2], tensors[2:]))
