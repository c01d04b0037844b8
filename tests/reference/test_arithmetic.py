"""ADD, MUL, DIV and SELECT_V2, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from opconform.harness.model import Quant
from opconform.harness.numerics import FAMILIES
from opconform.runtimes.reference.kernels import arithmetic as ops

DOUBLE, SINGLE = FAMILIES["double_rounding"], FAMILIES["single_rounding"]


def run(twin, a, b, scales, zeros=(0, 0, 0), dtype="int8", activation="NONE", rescale=DOUBLE):
    q = {name: Quant((s,), (z,)) for name, s, z in zip(("a", "b", "y"), scales, zeros, strict=False)}
    dtypes = {"a": dtype, "b": dtype, "y": dtype}
    result = twin(np.array(a), np.array(b), q=q, dtypes=dtypes, rescale=rescale, activation=activation)
    return np.asarray(result).tolist()


def test_real_arithmetic_broadcasts_and_clamps():
    a, b = np.array([[1.0], [-4.0]]), np.array([2.0, 5.0])
    assert ops.add(a, b, activation="NONE").tolist() == [[3, 6], [-2, 1]]
    assert ops.add(a, b, activation="RELU_N1_TO_1").tolist() == [[1, 1], [-1, 1]]
    assert ops.mul(a, b, activation="RELU").tolist() == [[2, 5], [0, 0]]
    assert ops.div(a, b, activation="NONE").tolist() == [[0.5, 0.2], [-2, -0.8]]


def test_integer_quotients_are_cut_towards_zero():
    a, b = np.array([7, -7, 7, -7, 6]), np.array([2, 2, -2, -2, 3])
    assert ops.div(a, b, activation="NONE").tolist() == [3, -3, -3, 3, 2]


def test_add_int_is_exact_where_the_scales_are_powers_of_two():
    # 10 * 0.5 + 6 * 0.25 = 6.5 = 13 quanta; with zero points 2, -1 and 4 the same one further on.
    assert run(ops.add_int, [10], [6], (0.5, 0.25, 0.5)) == [13]
    assert run(ops.add_int, [12], [5], (0.5, 0.25, 0.5), (2, -1, 4)) == [17]


def test_add_int_rounds_halves_away_from_zero():
    # 0.25 / 0.5 is half a quantum.
    assert run(ops.add_int, [0, 0], [1, -1], (0.5, 0.25, 0.5)) == [1, -1]


def test_add_int_has_one_bit_above_the_larger_operand_and_no_more():
    # In units of 2**-19: 2**19 - 2 rescaled by 2**-20 is below a half, and the high multiply still sees it.
    # 2**19 - 1 it already rounds up to the half, which then goes away from zero.
    assert run(ops.add_int, [1, 1], [-2, -1], (1.0, 2.0**-19, 2.0)) == [0, 1]


def test_add_int_saturates_and_clamps():
    assert run(ops.add_int, [100, -100], [100, -100], (1.0, 1.0, 0.5)) == [127, -128]
    assert run(ops.add_int, [5, -5, 100], [0, 0, 0], (1.0, 1.0, 1.0), activation="RELU6") == [5, 0, 6]


def test_add_int_of_16_bits_keeps_15_bits_of_headroom():
    # 20 bits would overflow 32 with operands of 16 bits.
    assert run(ops.add_int, [32767, -32768], [32767, -32768], (1.0, 1.0, 2.0), dtype="int16") == [32767, -32768]


def test_mul_int_rounds_twice():
    # 6 * 0.25 * (1 - 2**-24) is just below 1.5: the high multiply rounds to 6 quarters, and the shift then to 2.
    scales = (0.25 * (1 - 2.0**-24), 1.0, 1.0)
    assert run(ops.mul_int, [6], [1], scales) == [2]
    assert run(ops.mul_int, [6], [1], scales, rescale=SINGLE) == [1]


def test_mul_int_subtracts_zero_points_before_it_multiplies():
    # (5 - 3) * (1 - -2) * 0.5 * 0.5 / 0.5 = 3, and 4 more.
    assert run(ops.mul_int, [5], [1], (0.5, 0.5, 0.5), (3, -2, 4)) == [7]


@pytest.mark.parametrize(("n", "d", "expected"), [(7, 2, 28), (1, 3, 3), (-1, 3, -3), (7, -2, -28), (0, 5, 0)])
def test_div_int_is_the_rounded_quotient(n, d, expected):
    assert run(ops.div_int, [n], [d], (1.0, 1.0, 0.125)) == [expected]


def test_div_int_of_a_tiny_numerator_is_zero():
    # 2**-8 / 100 quanta: the last shift is 44 bits, more than a 32-bit shift can do.
    assert run(ops.div_int, [1, -1], [100, 100], (2.0**-8, 1.0, 1.0)) == [0, 0]


#: Here a.scale / (b.scale * y.scale) * 13 / 84 is half a step from a whole number, to the precision of float32.
HALFWAY = (0x185B47C * 2.0**-26, 0x126B26 * 2.0**-19, 0x1B0A7FC * 2.0**-34)


def test_div_int_of_int8_forms_the_quotient_of_scales_in_double_and_the_others_in_float32():
    assert run(ops.div_int, [13], [84], HALFWAY, (0, 0, 38)) == [53]
    assert run(ops.div_int, [-13], [-84], HALFWAY, (0, 0, 38)) == [53]
    assert run(ops.div_int, [-13], [84], HALFWAY, (0, 0, 38)) == [23]
    for dtype in ("uint8", "int16"):
        assert run(ops.div_int, [13], [84], HALFWAY, (0, 0, 38), dtype) == [54]


@pytest.mark.parametrize(
    ("n", "d", "scale", "expected"),
    [(-32, -8, 0x115B1E6 * 2.0**-27, 30), (64, -99, 0x1CC81F8 * 2.0**-29, -11), (-8, -62, 0x1592744 * 2.0**-32, 25)],
)
def test_div_int_of_a_negative_divisor_divides_the_negated_operands(n, d, scale, expected):
    # The quotients are next to halves. The bits that a power of two is shifted up by depend on its sign, and so does
    # the rounding: with the sign left on the divisor each would be one less or more, as LiteRT and TFLM are not.
    assert run(ops.div_int, [n], [d], (1.0, 1.0, scale), dtype="int16") == [expected]
    assert run(ops.div_int, [-n], [-d], (1.0, 1.0, scale), dtype="int16") == [expected]


def test_div_int_agrees_with_real_division_within_a_step():
    a, b = np.meshgrid(np.arange(-128, 128), np.setdiff1d(np.arange(-128, 128), [7]))
    got = np.array(run(ops.div_int, a, b, (0.3, 0.11, 0.21), (3, 7, -5)))
    real = np.clip((a - 3) * 0.3 / ((b - 7) * 0.11) / 0.21 - 5, -128, 127)
    assert np.max(np.abs(got - real)) < 0.5 + 1e-3


def test_select_takes_each_element_by_its_condition():
    condition = np.array([[True], [False]])
    assert ops.select_v2(condition, np.array([1, 2]), np.array([8])).tolist() == [[1, 2], [8, 8]]
