"""The dtypes beside float32 and the integers: drawn, written, sent and judged as what they are."""

from __future__ import annotations

import numpy as np
import pytest

from opconform.harness import wire
from opconform.harness.flatmodel import packed_int4, packed_strings
from opconform.harness.generate.values import CLASSES, fill, generator
from opconform.harness.model import DTYPES, INNER_DTYPES
from opconform.harness.numerics import epsilon, integer_range, is_float, largest, spacing

FLOATS = ("float32", "float16", "bfloat16", "float64")


@pytest.mark.parametrize("dtype", FLOATS)
def test_spacing_is_the_distance_to_the_next_number_of_the_dtype(dtype: str) -> None:
    kind = DTYPES[dtype][0]
    for exact in (1.0, 1.5, 3.0, 2.0**-13, 100.0):
        x = np.array([exact]).astype(kind)
        above = (x.view(f"u{kind.itemsize}") + 1).view(kind)
        assert spacing(x.astype(np.float64), dtype)[0] == above.astype(np.float64)[0] - x.astype(np.float64)[0]


@pytest.mark.parametrize("dtype", FLOATS)
def test_spacing_at_zero_is_the_least_number(dtype: str) -> None:
    kind = DTYPES[dtype][0]
    least = np.ones(1, f"u{kind.itemsize}").view(kind).astype(np.float64)[0]
    assert spacing(np.zeros(1), dtype)[0] == least


@pytest.mark.parametrize("dtype", FLOATS)
def test_the_largest_number_is_finite_and_the_next_is_not(dtype: str) -> None:
    kind = DTYPES[dtype][0]
    top = np.array([largest(dtype)]).astype(kind)
    assert float(top.astype(np.float64)[0]) == largest(dtype)
    assert np.isinf((top.view(f"u{kind.itemsize}") + 1).view(kind).astype(np.float64))[0]
    assert epsilon(dtype) == spacing(np.ones(1), dtype)[0] / 2


@pytest.mark.parametrize("dtype", [name for name in DTYPES if name not in INNER_DTYPES])
@pytest.mark.parametrize("value_class", CLASSES)
def test_what_is_drawn_travels_unchanged(dtype: str, value_class: str) -> None:
    specials = ("nan", "inf", "negative_zero") if is_float(dtype) else ()
    data = fill(generator(3, 1), dtype, (2, 3), value_class, 0.0, 7.0, specials)
    assert data.dtype == DTYPES[dtype][0]
    back, end = wire.decode_tensor(wire.encode_tensor(data), 0)
    assert back.dtype == data.dtype
    assert back.tobytes() == data.tobytes()
    assert end == len(wire.encode_tensor(data))


def test_words_repeat_and_differ() -> None:
    words = fill(generator(0), "string", (40,), "ordinary", 0.0, 1.0)
    assert 1 < len(np.unique(words)) < words.size
    assert b"" in fill(generator(0), "string", (40,), "boundaries", 0.0, 1.0)


def test_four_bits_are_packed_low_half_first() -> None:
    assert packed_int4(np.array([1, -1, 7], np.int8)) == bytes([0xF1, 0x07])
    assert integer_range("int4") == (-8, 7)


def test_strings_are_stored_as_number_starts_and_bytes() -> None:
    stored = packed_strings(np.array([b"ab", b"", b"c"], DTYPES["string"][0]))
    assert np.frombuffer(stored[:20], np.int32).tolist() == [3, 20, 22, 22, 23]
    assert stored[20:] == b"abc"
