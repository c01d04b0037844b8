"""What rectifiers, elementary functions and local norms of lite refuse, and where they share code."""

from typing import Any

import numpy as np
import pytest

from opconform.harness.flatmodel import TensorDef, one_op
from opconform.harness.model import Quant
from opconform.harness.runtime import InvalidModel, Unsupported
from opconform.runtimes.lite import Lite

UNIT = Quant((1.0,), (0,))


def run(model: bytes, *inputs: Any) -> np.ndarray[Any, Any]:
    return np.asarray(Lite().open(model).run([np.asarray(value) for value in inputs])[0])


def test_slopes_that_would_widen_the_input_are_refused() -> None:
    tensors = [TensorDef("x", "float32", (1, 2)), TensorDef("alpha", "float32", (3, 2))]
    with pytest.raises(InvalidModel, match="do not broadcast to"):
        Lite().open(one_op("PRELU", tensors, [TensorDef("y", "float32", (3, 2))]))


def test_slopes_of_16_bits_are_refused() -> None:
    tensors = [TensorDef("x", "int16", (2,), quant=UNIT), TensorDef("alpha", "int16", (2,), quant=UNIT)]
    with pytest.raises(InvalidModel, match="slopes of int16; int8 is allowed"):
        Lite().open(one_op("PRELU", tensors, [TensorDef("y", "int16", (2,), quant=UNIT)]))


def test_slopes_reach_rank_six() -> None:
    x, alpha = (2, 1, 3, 1, 2, 2), (3, 1, 1, 2)
    tensors = [TensorDef("x", "float32", x), TensorDef("alpha", "float32", alpha)]
    model = one_op("PRELU", tensors, [TensorDef("y", "float32", x)])
    values, slopes = -np.arange(24, dtype=np.float32).reshape(x), np.arange(6, dtype=np.float32).reshape(alpha)
    assert np.array_equal(run(model, values, slopes), values * slopes)


def test_an_alpha_that_is_no_number_is_refused() -> None:
    tensor = TensorDef("x", "float32", (2,))
    with pytest.raises(InvalidModel, match="alpha is nan"):
        Lite().open(one_op("LEAKY_RELU", [tensor], [TensorDef("y", "float32", (2,))], {"alpha": float("nan")}))


def test_8_bit_tables_serve_both_signs() -> None:
    for dtype, zero in (("int8", -28), ("uint8", 100)):
        x = TensorDef("x", dtype, (3,), quant=Quant((0.5,), (zero,)))
        model = one_op("RELU6", [x], [TensorDef("y", dtype, (3,), quant=Quant((0.25,), (zero,)))])
        # reals -1, 2 and 20: 0, 8 quarters and 24
        got = run(model, np.array([zero - 2, zero + 4, zero + 40]).astype(dtype))
        assert (got.astype(int) - zero).tolist() == [0, 8, 24]


def test_a_root_below_zero_is_refused_when_it_is_fed() -> None:
    x = TensorDef("x", "int8", (2,), quant=Quant((1.0,), (-3,)))
    model = one_op("SQRT", [x], [TensorDef("y", "int8", (2,), quant=UNIT)])
    assert run(model, np.array([13, -3], np.int8)).tolist() == [4, 0]
    with pytest.raises(InvalidModel, match="no square root"):
        run(model, np.array([13, -4], np.int8))


def test_a_radius_below_zero_is_refused() -> None:
    shape = (1, 1, 1, 3)
    options = {"radius": -1, "bias": 1.0, "alpha": 1.0, "beta": 0.5}
    tensors = [TensorDef("x", "float32", shape)], [TensorDef("y", "float32", shape)]
    with pytest.raises(InvalidModel, match="radius -1"):
        Lite().open(one_op("LOCAL_RESPONSE_NORMALIZATION", *tensors, options))


def test_a_radius_beyond_all_channels_takes_them_all() -> None:
    shape = (1, 1, 1, 2)
    options = {"radius": 2**31 - 1, "bias": 0.0, "alpha": 1.0, "beta": 0.5}
    model = one_op(
        "LOCAL_RESPONSE_NORMALIZATION", [TensorDef("x", "float32", shape)], [TensorDef("y", "float32", shape)], options
    )
    got = run(model, np.array([3, 4], np.float32).reshape(shape))
    assert got.ravel().tolist() == pytest.approx([0.6, 0.8])


def test_long_rows_of_a_quantized_log_softmax_are_refused() -> None:
    # The sum of exponentials has twelve integer bits.
    x = TensorDef("x", "int8", (1, 4096), quant=Quant((0.1,), (0,)))
    y = TensorDef("y", "int8", (1, 4096), quant=Quant((1 / 16,), (127,)))
    with pytest.raises(InvalidModel, match="4095"):
        Lite().open(one_op("LOG_SOFTMAX", [x], [y]))


def test_a_pool_of_squares_fuses_its_clamp() -> None:
    options = {"padding": "VALID", "stride_h": 1, "stride_w": 1, "filter_h": 1, "filter_w": 2, "activation": "RELU6"}
    tensors = [TensorDef("x", "float32", (1, 1, 3, 1))], [TensorDef("y", "float32", (1, 1, 2, 1))]
    got = run(one_op("L2_POOL_2D", *tensors, options), np.array([1, -1, 9], np.float32).reshape(1, 1, 3, 1))
    assert got.ravel().tolist() == [1.0, 6.0]


def test_integers_have_no_sine() -> None:
    with pytest.raises(Unsupported, match="int32 is not supported"):
        Lite().open(one_op("SIN", [TensorDef("x", "int32", (2,))], [TensorDef("y", "int32", (2,))]))
