"""CAST, BITCAST, BUCKETIZE and FAKE_QUANT, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from opconform.runtimes.reference.kernels import recode


def test_a_cast_keeps_the_number_and_drops_an_imaginary_part() -> None:
    x = np.array([1.5 + 2j, 3j])
    assert recode.cast(x, out_data_type="float32").tolist() == [1.5, 0.0]
    assert recode.cast(x, out_data_type="complex64").tolist() == [1.5 + 2j, 3j]


@pytest.mark.parametrize(
    ("source", "target", "x", "expected"),
    [
        ("float32", "int32", [1.0, -0.0], [0x3F800000, -(2**31)]),
        ("int32", "uint8", [0x01020304], [[4, 3, 2, 1]]),
        ("int8", "int16", [[1, 2], [-1, -1]], [0x0201, -1]),
        ("bfloat16", "uint16", [1.0], [0x3F80]),
        ("int32", "float32", [0x40490FDB], [np.float32(np.pi)]),
    ],
)
def test_bits_are_read_little_end_first(source: str, target: str, x: list[float], expected: list[float]) -> None:
    assert recode.bitcast(np.array(x), from_type=source, to_type=target).tolist() == expected


def test_a_value_on_a_boundary_belongs_to_the_bucket_above() -> None:
    x = np.array([[-5, 10000], [150, 10], [5, 100]])
    assert recode.bucketize(x, boundaries=[0, 10, 100]).tolist() == [[0, 3], [3, 2], [1, 3]]
    assert recode.bucketize(np.array([1.0]), boundaries=[1.0, 1.0]).tolist() == [2]


def fake(x: float, low: float, high: float, bits: int, narrow: bool = False) -> float:
    options = {"min": low, "max": high, "num_bits": bits, "narrow_range": narrow}
    return float(recode.fake_quant(np.array(x), **options))


def test_fake_quantization_rounds_to_steps_of_which_zero_is_one() -> None:
    # [-1, 2] in 3 steps of 1, and [-0.9, 2.1]: its zero lies at 0.9, so the grid moves to [-1, 2]
    for low, high in ((-1.0, 2.0), (-0.9, 2.1)):
        assert [fake(x, low, high, 2) for x in (-9.0, -0.6, 0.4, 1.6, 9.0)] == [-1.0, -1.0, 0.0, 2.0, 2.0]


def test_a_range_above_or_below_zero_is_moved_to_it() -> None:
    assert [fake(x, 1.0, 4.0, 2) for x in (-1.0, 1.2, 9.0)] == [0.0, 1.0, 3.0]
    assert [fake(x, -4.0, -1.0, 2) for x in (-9.0, -1.2, 1.0)] == [-3.0, -1.0, 0.0]


def test_a_narrow_range_has_one_step_less() -> None:
    assert [fake(x, -1.0, 1.0, 2, narrow=True) for x in (-9.0, 0.4, 0.6)] == [-1.0, 0.0, 1.0]
