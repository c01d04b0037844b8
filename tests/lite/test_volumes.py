"""Transposed convolutions: what the conformance cases do not reach."""

from typing import Any

import numpy as np
import pytest

from opconform.harness.flatmodel import TensorDef, one_op
from opconform.harness.runtime import InvalidModel
from opconform.runtimes.lite import Lite

OPTIONS = {"padding": "VALID", "stride_h": 1, "stride_w": 2}


def model(shape: Any = None, bias: Any = None) -> bytes:
    inputs = [
        TensorDef("shape", "int32", (4,), shape),
        TensorDef("w", "float32", (1, 1, 2, 1), np.array([1, 10], np.float32)),
        TensorDef("x", "float32", (1, 1, 2, 1)),
        TensorDef("bias", "float32", (1,), bias),
    ]
    return one_op("TRANSPOSE_CONV", inputs, [TensorDef("y", "float32", ())], OPTIONS)


def test_an_output_shape_that_is_fed_is_checked_every_time() -> None:
    session = Lite().open(model(bias=np.zeros(1, np.float32)))
    x = np.array([1, 2], np.float32).reshape(1, 1, 2, 1)
    for width, expected in ((4, [1, 10, 2, 20]), (5, [1, 10, 2, 20, 0])):
        shape = np.array([1, 1, width, 1], np.int32)
        assert session.run([shape, x])[0].ravel().tolist() == expected
    for bad in ([1, 1, 6, 1], [2, 1, 4, 1], [1, 1, 4, 2], [1, 1, -4, 1]):
        with pytest.raises(InvalidModel):
            session.run([np.array(bad, np.int32), x])


def test_a_bias_that_is_fed_is_read_every_time() -> None:
    session = Lite().open(model(shape=np.array([1, 1, 4, 1], np.int32)))
    x = np.array([1, 2], np.float32).reshape(1, 1, 2, 1)
    for bias in (0.0, 0.5):
        assert session.run([x, np.array([bias], np.float32)])[0].ravel().tolist() == [
            1 + bias,
            10 + bias,
            2 + bias,
            20 + bias,
        ]
