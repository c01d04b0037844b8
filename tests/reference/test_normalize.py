"""SOFTMAX and L2_NORMALIZATION against values worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from opconform.harness.model import Array, Quant
from opconform.harness.numerics import FAMILIES
from opconform.runtimes.reference.kernels import normalize


def softmax_int(x: Any, dtypes: tuple[str, str], scale: float, zero: int = 0) -> Array:
    """Run the integer definition with beta = 1; the output's quantization is fixed by its dtype."""
    q = {"x": Quant((float(np.float32(scale)),), (zero,)), "y": Quant((1.0,), (0,))}
    names = dict(zip(("x", "y"), dtypes, strict=True))
    rescale = FAMILIES["double_rounding"]
    return np.asarray(normalize.softmax_int(np.asarray(x), q=q, dtypes=names, rescale=rescale, beta=1.0))


def l2_int(x: Any, dtype: str, zero: int) -> Array:
    q = {"x": Quant((0.1,), (zero,)), "y": Quant((1 / 128,), (0,))}
    return np.asarray(normalize.l2_normalization_int(np.asarray(x), q=q, dtypes={"x": dtype, "y": dtype}))


def test_softmax_weighs_by_powers_and_never_overflows() -> None:
    got = normalize.softmax(np.asarray([[0.0, 1.0], [1000.0, 0.0]]), beta=math.log(3))
    np.testing.assert_allclose(got, [[0.25, 0.75], [1.0, 0.0]], atol=1e-15)


def test_softmax_of_equal_inputs_is_uniform() -> None:
    assert softmax_int([7, 7, 7, 7], ("int8", "int8"), 0.1).tolist() == [-64] * 4


def test_softmax_saturates_at_one() -> None:
    assert softmax_int([127, -128], ("int8", "int8"), 0.5).tolist() == [127, -128]
    assert softmax_int([255, 0], ("uint8", "uint8"), 0.5).tolist() == [255, 0]


@pytest.mark.parametrize(
    ("dtypes", "expected"),
    [
        (("int8", "int8"), [64 - 128, 192 - 128]),
        (("uint8", "uint8"), [64, 192]),
        (("int8", "int16"), [16384 - 32768, 49152 - 32768]),
        (("uint8", "int16"), [16384 - 32768, 49152 - 32768]),
    ],
)
def test_softmax_of_a_quarter_and_three_quarters(dtypes: tuple[str, str], expected: list[int]) -> None:
    # A difference of one step of log(3): exp gives 1/3 and 1.
    assert softmax_int([3, 4], dtypes, math.log(3)).tolist() == expected


def test_softmax_of_16_bits_is_close_to_a_quarter_and_three_quarters() -> None:
    got = softmax_int([-5000, 5000], ("int16", "int16"), math.log(3) / 10000)
    assert np.abs(got - [8192, 24576]).max() <= 3


def test_softmax_of_16_bits_cuts_differences_beyond_ten() -> None:
    # exp(-10) is 1.49 of 32768. Its sample 1 and the next, 1.52, meet at 1 in the middle, where 1.503 is 2: half of
    # that error, rounded away from zero, makes the sample 2; all that is farther away gets it too.
    got = softmax_int([0, -32768, -32768], ("int16", "int16"), 1e-2)
    assert got[0] >= 32760
    assert got[1:].tolist() == [2, 2]


def test_softmax_treats_rows_apart() -> None:
    rows = np.asarray([[0, 10, 20], [5, 5, 5], [-128, 127, 0]])
    apart = [softmax_int(row, ("int8", "int8"), 0.07).tolist() for row in rows]
    assert softmax_int(rows, ("int8", "int8"), 0.07).tolist() == apart


def test_l2_norm_of_three_and_four_is_five() -> None:
    np.testing.assert_allclose(
        normalize.l2_normalization(np.asarray([[3.0, 4.0], [0.0, 0.0]])), [[0.6, 0.8], [0.0, 0.0]]
    )


def test_l2_norm_counts_as_a_millionth_where_it_is_less() -> None:
    np.testing.assert_allclose(normalize.l2_normalization(np.asarray([1e-9, 0.0])), [1e-3, 0.0])


def test_l2_norm_of_integers_by_hand() -> None:
    # 0.6 and 0.8 of 128 are 76.8 and 102.4; one alone is 1.0, which is 128 and saturates.
    assert l2_int([3, 4], "int8", 0).tolist() == [77, 102]
    assert l2_int([[-4, -5], [-1, -1], [-1, 9]], "int8", -1).tolist() == [[-77, -102], [0, 0], [0, 127]]
    assert l2_int([131, 132], "uint8", 128).tolist() == [205, 230]
