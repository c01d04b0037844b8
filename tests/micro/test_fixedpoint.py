"""The C arithmetic against the obvious definitions of harness.numerics and against double arithmetic."""

from __future__ import annotations

import ctypes
import math

import numpy as np
import pytest

from opconform.harness import numerics

EDGES = (0, 1, -1, 2**30, -(2**30), 2**31 - 1, -(2**31), 2**30 - 1, -(2**30) - 1, 3, -3, 255, -256)


class Multiplier(ctypes.Structure):
    _fields_ = (("mantissa", ctypes.c_int32), ("shift", ctypes.c_int32))


def pairs(count: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    random = rng.integers(-(2**31), 2**31, (count, 2))
    return np.concatenate([random, np.array([(a, b) for a in EDGES for b in EDGES])])


def multiplier_of(library: ctypes.CDLL, a: float, b: float, c: float, exponent: int) -> tuple[int, int]:
    function = library.opc_multiplier_of
    function.restype = Multiplier
    function.argtypes = (ctypes.c_float, ctypes.c_float, ctypes.c_float, ctypes.c_int32)
    found = function(a, b, c, exponent)
    return found.mantissa, found.shift


def test_srdhm_is_the_rounded_high_product(library: ctypes.CDLL) -> None:
    found = [library.opc_srdhm(ctypes.c_int32(int(a)), ctypes.c_int32(int(b))) for a, b in pairs(2000)]
    want = numerics.srdhm(pairs(2000)[:, 0], pairs(2000)[:, 1])
    assert found == want.tolist()


def test_rdbpot_rounds_halves_away_from_zero(library: ctypes.CDLL) -> None:
    for exponent in range(32):
        for x in (*EDGES, *(pairs(50)[:, 0].tolist())):
            quotient = x / 2**exponent  # exact: 32 bits in a double
            want = math.floor(abs(quotient) + 0.5) * (1 if quotient >= 0 else -1)
            assert library.opc_rdbpot(ctypes.c_int32(int(x)), exponent) == want, (x, exponent)


@pytest.mark.parametrize("shift", [-31, -20, -8, -1, 0, 1, 5])
def test_mbqm_rounds_twice(library: ctypes.CDLL, shift: int) -> None:
    library.opc_mbqm.argtypes = (ctypes.c_int32, Multiplier)
    for x, q in pairs(300):
        mantissa = 2**30 + int(q) % 2**30
        want = numerics.multiply_by_quantized_multiplier(np.array(x, np.int64), mantissa, shift)
        assert library.opc_mbqm(int(x), Multiplier(mantissa, shift)) == int(want)


@pytest.mark.parametrize("shift", [-31, -10, 0, 7])
def test_mbqm64_has_a_16_bit_multiplier_and_one_rounding(library: ctypes.CDLL, shift: int) -> None:
    library.opc_mbqm64.argtypes = (ctypes.c_int64, Multiplier)
    rng = np.random.default_rng(2)
    for x in (*rng.integers(-(2**47), 2**47, 300).tolist(), 0, 1, -1, 2**40):
        for mantissa in (2**30, 2**31 - 1, 0x7FFF0000, 0x7FFEFFFF, int(rng.integers(2**30, 2**31))):
            want = numerics.multiply_by_quantized_multiplier_64(np.array(x, np.int64), mantissa, shift)
            assert library.opc_mbqm64(int(x), Multiplier(mantissa, shift)) == int(want)


def test_a_multiplier_is_that_of_double_arithmetic(library: ctypes.CDLL) -> None:
    rng = np.random.default_rng(3)
    scales = np.exp2(rng.uniform(-30, 6, (20_000, 3))).astype(np.float32)
    for a, b, c in [*scales.tolist(), (1.0, 1.0, 1.0), (0.5, 1.0, 3.0), (1.0, 1.0, 1.5), (1e-38, 1e-30, 1e-38)]:
        a, b, c = (float(np.float32(v)) for v in (a, b, c))
        assert multiplier_of(library, a, b, c, 0) == numerics.quantize_multiplier(a * b / c), (a, b, c)


def test_a_multiplier_takes_a_power_of_two(library: ctypes.CDLL) -> None:
    for exponent in (-19, -14, -1, 0, 3):
        want = numerics.quantize_multiplier(0.75 / 0.4000000059604645 * 2.0**exponent)
        assert multiplier_of(library, 0.75, 1.0, 0.4, exponent) == want


def test_subnormal_and_zero_scales_make_no_endless_loop(library: ctypes.CDLL) -> None:
    tiny = float(np.float32(1e-45))
    assert multiplier_of(library, tiny, 1.0, tiny, 0) == (2**30, 1)
    assert multiplier_of(library, 0.0, 1.0, 1.0, 0) == (0, 0)
    assert multiplier_of(library, 1.0, 1.0, 0.0, 0) == (0, 0)


def test_a_rounded_multiplier_rounds_the_product_to_a_float_first(library: ctypes.CDLL) -> None:
    function = library.opc_multiplier_of_rounded
    function.restype = Multiplier
    function.argtypes = (ctypes.c_float, ctypes.c_float, ctypes.c_float)
    rng = np.random.default_rng(4)
    differs = 0
    for a, b, c in np.exp2(rng.uniform(-12, 3, (5_000, 3))).astype(np.float32):
        found = function(a, b, c)
        want = numerics.quantize_multiplier(float(np.float32(a * b)) / float(c))
        assert (found.mantissa, found.shift) == want, (a, b, c)
        differs += want != numerics.quantize_multiplier(float(a) * float(b) / float(c))
    assert differs > 1000  # the two rules are not the same


def test_a_double_splits_into_mantissa_and_shift(library: ctypes.CDLL) -> None:
    function = library.opc_multiplier_of_double
    function.restype = Multiplier
    function.argtypes = (ctypes.c_double,)
    for value in (0.0, 1.0, 0.3, 1 - 2.0**-53, 2.0**-32, 2.0**-33, 1e-300, 5e-324, 123456.789):
        found = function(value)
        assert (found.mantissa, found.shift) == numerics.quantize_multiplier(value), value
