"""The fixed-point functions that the kernels share, against float64 mathematics."""

from __future__ import annotations

import ctypes
import math
from ctypes import CDLL, c_float, c_int16, c_int32, c_uint16, c_uint32

import pytest

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1


class Multiplier(ctypes.Structure):
    """The C type opc_multiplier."""

    _fields_ = (("mantissa", c_int32), ("shift", c_int32))


@pytest.mark.parametrize("bits", [0, 4, 5])
def test_exponential_misses_only_the_fifth_power_of_its_series(library: CDLL, bits: int) -> None:
    exp = library.opc_fx_exp
    for k in range(1, 400):
        a = -(k * k * 13421 % (2**31 - 1))
        assert abs(exp(a, bits) / 2**31 - math.exp(a / 2 ** (31 - bits))) < (1 / 8) ** 5 / 120 + 2**-28
    assert exp(0, bits) == INT32_MAX


@pytest.mark.parametrize(
    ("name", "function"), [("opc_fx_logistic", lambda x: 1 / (1 + math.exp(-x))), ("opc_fx_tanh", math.tanh)]
)
def test_squashing_functions_are_good_to_22_bits_and_odd(library: CDLL, name: str, function: object) -> None:
    squash = getattr(library, name)
    centre = squash(0)
    for k in range(1, 400):
        a = k * k * 13421 % (2**31 - 1)
        real = function(a / 2**27)  # type: ignore[operator]
        assert abs(squash(a) / 2**31 - real) < 2**-22
        assert abs(squash(a) + squash(-a) - 2 * centre) <= 1


def test_reciprocal_keeps_24_bits_of_any_number(library: CDLL) -> None:
    bits = c_int32()
    for x in (1, 2, 3, 7, 100, 255, 256, 65535, 123456789, 2**31, 2**32 - 1):
        mantissa = library.opc_fx_reciprocal(c_uint32(x), 31, ctypes.byref(bits))
        assert mantissa / 2**31 * 2.0**-bits.value == pytest.approx(1 / x, rel=2**-24)


def test_inverse_square_root_keeps_19_bits_and_takes_zero_for_one(library: CDLL) -> None:
    root = library.opc_fx_inverse_sqrt
    root.restype = Multiplier
    for x in (2, 3, 4, 9, 100, 16129, 2**20 + 1, 2**29 - 1, 2**29, INT32_MAX):
        m = root(x)
        assert m.mantissa / 2**31 * 2.0**m.shift == pytest.approx(x**-0.5, rel=2**-19)
    assert (root(0).mantissa, root(1).mantissa) == (INT32_MAX, INT32_MAX)


def test_rescaling_outside_of_31_bits_vanishes_or_saturates(library: CDLL) -> None:
    scale = library.opc_mbqm_any
    half = 2**30
    assert scale(INT32_MAX, Multiplier(half, -32)) == 0
    assert scale(INT32_MIN, Multiplier(half, -40)) == 0
    assert scale(5, Multiplier(half, 40)) == INT32_MAX
    assert scale(-5, Multiplier(half, 31)) == INT32_MIN
    assert scale(0, Multiplier(half, 40)) == 0
    assert scale(-5, Multiplier(half, 3)) == -20


def test_the_input_radius_is_where_the_fixed_point_range_ends(library: CDLL) -> None:
    assert library.opc_fx_radius(4, 20) == (15 << 27) >> 20
    assert library.opc_fx_radius(5, 0) == library.opc_fx_radius(5, -3) == 31 << 26
    assert library.opc_fx_radius(5, 40) == 0


def test_the_logistic_table_halves_the_error_of_interpolation(library: CDLL) -> None:
    def f(i: float) -> float:
        return 65536 / (1 + math.exp(-i / 24))

    expected = [math.floor(f(i) + (f(i + 0.5) - (f(i) + f(i + 1)) / 2) / 2 + 0.5) for i in range(255)]
    table = (c_uint16 * 256).in_dll(library, "opc_logistic_table")
    assert list(table) == [*expected, 65535]


def test_rounding_goes_away_from_zero_and_saturates(library: CDLL) -> None:
    library.opc_round.argtypes = [c_float]
    cases = {0.5: 1, -0.5: -1, 1.49: 1, -2.5: -3, 8388609.0: 8388609, 3e9: 2**30, -3e38: -(2**30), math.nan: 0}
    assert {x: library.opc_round(x) for x in cases} == cases
    assert library.opc_round(0.49999997) == 0
    assert library.opc_round(math.inf) == 2**30


class TableOf(ctypes.Structure):
    """The C type opc_table_of."""

    _fields_ = (
        ("function", ctypes.c_void_p),
        ("low", c_float),
        ("high", c_float),
        ("step", c_float),
        ("per_unit", c_float),
        ("least", c_float),
    )


def test_a_table_interpolates_a_smooth_function_within_two_quanta_and_its_curvature(library: CDLL) -> None:
    callback = ctypes.CFUNCTYPE(c_float, c_float)(lambda x: math.exp(x))
    plan, entry, between = library.opc_table_plan, library.opc_table_entry, library.opc_table_between
    plan.restype, plan.argtypes = TableOf, [type(callback), c_float, c_int32, c_float, c_int32]
    entry.restype = between.restype = c_int16
    table = plan(callback, 10 / 65535, 32767, 2 / 65535, 0)
    samples = [entry(ctypes.byref(table), i) for i in range(513)]
    for value in range(-32768, 32768, 97):
        at = 256 + (value >> 7)
        exact = math.exp((value - 32767) * 10 / 65535)
        found = between(samples[at], samples[at + 1], c_int16(value))
        # A sample and the result are rounded; the correction is a whole number, up to 1 where a little is missing;
        # lines over steps of 10/512 miss twice 2^15 / 16 * (10/512)^2; the last entry stands at the end of the range,
        # a quantum before its place, which is 2^15 * 10/65535; a unit counts 32768 quanta, not 32767.5.
        assert abs(found - exact * 65535 / 2) <= 2 + (0.8 + 5 + 0.5) * exact
