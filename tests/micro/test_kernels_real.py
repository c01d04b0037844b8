"""The elementary functions of micro against float64, bit by bit where a result is special."""

from __future__ import annotations

import math
from collections.abc import Callable
from ctypes import CDLL, c_float

import numpy as np
import pytest

from opconform.harness.model import Array

Function = Callable[[Array], Array]


def elu(x: Array) -> Array:
    return np.where(x < 0, np.expm1(np.minimum(x, 0)), x)


#: name -> definition, units in the last place that a result may be off
FUNCTIONS: dict[str, tuple[Function, float]] = {
    "exp": (np.exp, 0.52),
    "elu": (elu, 0.52),
    "log": (np.log, 0.52),
    "sin": (np.sin, 0.52),
    "cos": (np.cos, 0.52),
    "tanh": (np.tanh, 3),
}


def call(library: CDLL, name: str, x: Array) -> Array:
    function = getattr(library, f"opc_{name}")
    function.restype, function.argtypes = c_float, [c_float]
    return np.array([function(float(v)) for v in x], np.float32)


def floats(seed: int, count: int) -> Array:
    """Finite numbers of every binade, and as many between -100 and 100."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2**32, count, dtype=np.uint32).view(np.float32)
    return np.concatenate([bits[np.isfinite(bits)], rng.uniform(-100, 100, count).astype(np.float32)])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_within_its_units_of_the_real_one(library: CDLL, name: str) -> None:
    definition, units = FUNCTIONS[name]
    x = floats(3, 20000)
    x = np.abs(x) if name == "log" else x
    # float64 is too coarse to reduce larger angles: 2**-52 of 2**20 is far below a unit next to any multiple of pi/2
    x = x[np.abs(x) < 2**20] if name in ("sin", "cos") else x
    with np.errstate(over="ignore", divide="ignore"):
        wanted = definition(x.astype(np.float64))
        nearest = wanted.astype(np.float32)
    found = call(library, name, x)
    normal = np.isfinite(nearest) & (np.abs(wanted) >= 2.0**-126)
    error = np.abs(found[normal].astype(np.float64) - wanted[normal]) / (
        2.0**-23 * 2 ** np.floor(np.log2(np.abs(wanted[normal])))
    )
    assert error.max() <= units
    assert np.array_equal(found[np.isinf(nearest)], nearest[np.isinf(nearest)])
    assert (np.abs(found[~normal & np.isfinite(nearest)]) <= 2.0**-126).all()


def test_angles_of_any_size_are_reduced(library: CDLL) -> None:
    """Values by exact fractions; the second is the float that lies nearest to a multiple of pi/2."""
    x = np.array([3.4028234663852886e38, 16367173 * 2.0**72, 1e30], np.float32)
    wanted = np.array([-0.5218765, 1.0, -0.79116344], np.float32)
    np.testing.assert_allclose(call(library, "sin", x), wanted, atol=2e-7)


INF, NAN = math.inf, math.nan
SPECIAL: dict[str, list[tuple[float, float]]] = {
    "exp": [(0.0, 1), (-0.0, 1), (INF, INF), (-INF, 0), (NAN, NAN), (89, INF), (-104, 0), (1e-30, 1)],
    "elu": [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -1), (NAN, NAN), (-1e-30, float(np.float32(-1e-30)))],
    "log": [(0.0, -INF), (-0.0, -INF), (1, 0), (INF, INF), (-1, NAN), (-INF, NAN), (NAN, NAN)],
    "sin": [(0.0, 0.0), (-0.0, -0.0), (INF, NAN), (NAN, NAN)],
    "cos": [(0.0, 1), (-0.0, 1), (-INF, NAN), (NAN, NAN)],
    "tanh": [(0.0, 0.0), (-0.0, -0.0), (INF, 1), (-INF, -1), (NAN, NAN)],
}


@pytest.mark.parametrize("name", SPECIAL)
def test_special_numbers_have_special_results(library: CDLL, name: str) -> None:
    x, wanted = zip(*SPECIAL[name], strict=True)
    found = call(library, name, np.array(x, np.float32))
    np.testing.assert_array_equal(found, np.array(wanted, np.float32))
    signs = ~np.isnan(found)
    assert np.array_equal(np.signbit(found)[signs], np.signbit(np.array(wanted))[signs])


def test_the_logarithm_knows_denormals(library: CDLL) -> None:
    x = np.array([2.0**-149, 2.0**-127, 1.5 * 2.0**-128], np.float32)
    np.testing.assert_array_equal(call(library, "log", x), np.log(x.astype(np.float64)).astype(np.float32))
