"""QUANTIZE and DEQUANTIZE against values worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from opconform.harness.model import Array, Quant
from opconform.harness.numerics import FAMILIES
from opconform.runtimes.reference.kernels import types


def quantize(x: Any, dtypes: tuple[str, str], x_quant: tuple[float, int] | None, y: Quant) -> Array:
    q = {"y": y} | ({"x": Quant((x_quant[0],), (x_quant[1],))} if x_quant else {})
    names = dict(zip(("x", "y"), dtypes, strict=True))
    return np.asarray(types.quantize_int(np.asarray(x), q=q, dtypes=names, rescale=FAMILIES["double_rounding"]))


def test_quantize_keeps_the_value() -> None:
    assert types.same_value(np.asarray([1.5])).tolist() == [1.5]


def test_halves_go_away_from_zero_and_the_ends_clamp() -> None:
    x = np.asarray([0.25, 0.75, -0.25, -0.75, 0.2, 1e3, -1e3])
    assert quantize(x, ("float32", "int8"), None, Quant((0.5,), (3,))).tolist() == [4, 5, 2, 1, 3, 127, -128]


def test_the_quotient_is_one_of_float32() -> None:
    # 0.35 / 0.1 is just below 3.5 in real numbers of these float32, and rounds to 3.5 as a float32.
    x, scale = float(np.float32(0.35)), float(np.float32(0.1))
    assert x / scale < 3.5
    assert quantize([x], ("float32", "int8"), None, Quant((scale,), (0,))).tolist() == [4]


def test_channels_have_scales_of_their_own() -> None:
    x = np.asarray([[1.0, 2.0], [1.0, 2.0]])
    got = quantize(x, ("float32", "int8"), None, Quant((1.0, 0.25), (0, 0), 0))
    assert got.tolist() == [[1, 2], [4, 8]]


def test_integers_move_to_another_scale() -> None:
    got = quantize([-3, 1, 127], ("int8", "int16"), (1.0, -1), Quant((0.5,), (0,)))
    assert got.tolist() == [-4, 4, 256]


def test_a_half_of_the_first_rounding_goes_up() -> None:
    # +-1.5: the rounding product takes both up, to 2 and -1.
    assert quantize([3, -3], ("int8", "int8"), (0.5, 0), Quant((1.0,), (0,))).tolist() == [2, -1]


def test_int8_becomes_uint8_by_a_shift() -> None:
    assert quantize([-128, 0, 127], ("int8", "uint8"), (0.1, -10), Quant((0.1,), (118,))).tolist() == [0, 128, 255]
