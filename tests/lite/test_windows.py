"""REDUCE_WINDOW: what the conformance cases do not reach."""

from typing import Any

import numpy as np
import pytest

from opconform.harness.flatmodel import TensorDef, one_op
from opconform.harness.runtime import InvalidModel, Unsupported
from opconform.runtimes.lite import Lite


def model(window: Any, function: str = "ADD", dtype: str = "int32") -> bytes:
    ones = np.ones(1, np.int64)
    inputs = [TensorDef("x", dtype, (4,)), TensorDef("init", dtype, ())]
    inputs += [TensorDef(n, "int64", (1,), d) for n, d in (("window", window), ("strides", ones), ("dilations", ones))]
    return one_op("REDUCE_WINDOW", inputs, [TensorDef("y", dtype, ())], {"reduce_function": function})


def test_a_window_that_is_fed_gives_another_shape_every_time() -> None:
    session = Lite().open(model(None))
    x, init = np.arange(4, dtype=np.int32), np.array(10, np.int32)
    for size, expected in ((1, [10, 11, 12, 13]), (3, [13, 16]), (2**40, [])):
        assert session.run([x, init, np.array([size])])[0].tolist() == expected
    for size in (0, -1):
        with pytest.raises(InvalidModel, match="must be at least 1"):
            session.run([x, init, np.array([size])])


def test_functions_and_dtypes_must_fit() -> None:
    with pytest.raises(Unsupported, match="ALL of int32"):
        Lite().open(model(np.ones(1, np.int64), "ALL"))
    with pytest.raises(InvalidModel, match="reduce_function 0"):
        Lite().open(model(np.ones(1, np.int64), "UNSUPPORTED"))


def test_sums_of_float64_keep_its_bits() -> None:
    session = Lite().open(model(np.array([4]), dtype="float64"))
    assert session.run([np.array([1.0, 2.0**-40, 0.0, 0.0]), np.array(2.0**-50)])[0].item() == 1 + 2.0**-40 + 2.0**-50
