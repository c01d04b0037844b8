"""The inner loops of FULLY_CONNECTED: rescaling in one multiplication, and float sums in integers."""

from __future__ import annotations

import ctypes
import math
import shutil
import struct
import subprocess
from collections.abc import Sequence

import numpy as np
import pytest

from opconform.harness import numerics
from opconform.runtimes.micro import build
from opconform.targets.library import micro_folder

EDGES = (0, 1, -1, 2, -2, 3, -3, 255, -256, 2**30, -(2**30), 2**31 - 1, -(2**31))
MANTISSAS = (2**30, 2**30 + 1, 1518500250, 2**31 - 1)


class Multiplier(ctypes.Structure):
    _fields_ = (("mantissa", ctypes.c_int32), ("shift", ctypes.c_int32))


class Rows(ctypes.Structure):
    """opc_rows8 without its factors."""

    _fields_ = (
        *(("units", ctypes.c_uint32), ("depth", ctypes.c_uint32)),
        *((name, ctypes.c_int16) for name in ("zero_x", "zero_w", "zero_y", "lo", "hi")),
        ("per_unit", ctypes.c_uint16),
    )


class Part(ctypes.Structure):
    _fields_ = (("mantissa", ctypes.c_uint32), ("exponent", ctypes.c_int16), ("sign", ctypes.c_int16))


class Soft(ctypes.Structure):
    _fields_ = (("sum", ctypes.c_int64), ("exponent", ctypes.c_int32), ("special", ctypes.c_uint32))


@pytest.fixture(scope="module")
def soft(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The sums that cores without a floating-point unit use, built for this machine."""
    if shutil.which(build.COMPILER) is None:
        pytest.skip("there is no C compiler")
    place, source = tmp_path_factory.mktemp("soft"), micro_folder() / "src" / "core"
    stub = place / "stub.c"
    stub.write_text(
        '#include "opconform_kernel.h"\n'
        "int32_t opc_zero_point(const opc_tensor *t, uint32_t c) { return t == 0 ? 0 : (int32_t)c; }\n"
        "float opc_scale(const opc_tensor *t, uint32_t c) { return t == 0 ? 0 : (float)c; }\n"
        "opc_status opc_fail(opc_node *n, opc_status s, const char *why) { return n == 0 || why == 0 ? s : s; }\n"
    )
    sources = [*(source / name for name in ("soft_dot.c", "kernel_fixed.c", "fixedpoint.c")), stub]
    includes = [f"-I{micro_folder() / part}" for part in ("include", "src/core")]
    command = [build.COMPILER, *build.FLAGS, "-O1", "-shared", "-fPIC", "-DOPC_SOFT_FLOAT", *includes]
    subprocess.run([*command, *map(str, sources), "-lm", "-o", str(place / "soft.so")], check=True)
    library = ctypes.CDLL(str(place / "soft.so"))
    library.opc_part_of.restype = Part
    library.opc_soft_round.restype = ctypes.c_uint32
    library.opc_soft_add.argtypes = (ctypes.POINTER(Soft), Part, Part)
    return library


def bits_of(value: float) -> int:
    return int(struct.unpack("<I", struct.pack("<f", value))[0])


def float_of(bits: int) -> float:
    return float(struct.unpack("<f", struct.pack("<I", bits))[0])


def add_up(soft: ctypes.CDLL, bias: float, x: Sequence[float], w: Sequence[float], fast: bool) -> float:
    total = Soft()
    soft.opc_soft_start(ctypes.byref(total), ctypes.c_uint32(bits_of(bias)))
    parts = (Part * len(x))(*(soft.opc_part_of(ctypes.c_uint32(bits_of(value))) for value in x))
    if fast:
        rows = (ctypes.c_uint32 * len(w))(*map(bits_of, w))
        soft.opc_soft_add_all(ctypes.byref(total), parts, rows, ctypes.c_uint32(len(w)))
    else:
        for part, value in zip(parts, w, strict=True):
            soft.opc_soft_add(ctypes.byref(total), part, soft.opc_part_of(ctypes.c_uint32(bits_of(value))))
    return float_of(soft.opc_soft_round(ctypes.byref(total)))


@pytest.mark.parametrize("shift", [-31, -17, -8, -3, -2, -1, 0, 1, 7])
def test_a_rescale_in_one_multiplication_rounds_twice_like_two(library: ctypes.CDLL, shift: int) -> None:
    rng = np.random.default_rng(4)
    sums = [*EDGES, *rng.integers(-(2**31), 2**31, 60).tolist(), *rng.integers(-4096, 4096, 60).tolist()]
    sums = sums if shift <= 0 else [value for value in sums if abs(value) < 2**20]
    rows, found = Rows(zero_y=-5, lo=-100, hi=90), (ctypes.c_int8 * len(sums))()
    held = (ctypes.c_uint32 * len(sums))(*(value % 2**32 for value in sums))
    for mantissa in MANTISSAS:
        library.opc_dense_finish8(
            ctypes.byref(rows), ctypes.byref(Multiplier(mantissa, shift)), held, ctypes.c_uint32(len(sums)), found
        )
        scaled = [numerics.multiply_by_quantized_multiplier(np.array(v, np.int64), mantissa, shift) for v in sums]
        want = [min(max((int(v) - 5 + 2**31) % 2**32 - 2**31, -100), 90) for v in scaled]
        assert list(found) == want, mantissa


@pytest.mark.parametrize("fast", [True, False])
def test_a_float_sum_in_integers_is_off_by_one_rounding_of_its_magnitudes(soft: ctypes.CDLL, fast: bool) -> None:
    rng = np.random.default_rng(5)
    for spread in (0, 8, 40):
        for n in (1, 3, 17):
            scales = 2.0 ** rng.integers(-spread, spread + 1, (2, n))
            x, w = (rng.standard_normal((2, n)) * scales).astype(np.float32).astype(float)
            w[rng.random(n) < 0.2] = 0.0
            bias = float(np.float32(rng.standard_normal()))
            found = add_up(soft, bias, x.tolist(), w.tolist(), fast)
            magnitudes = abs(bias) + float(np.sum(np.abs(x * w)))
            assert abs(found - math.fsum([bias, *(x * w)])) <= magnitudes * 2**-24


def test_a_float_sum_in_integers_is_exact_where_the_terms_cancel(soft: ctypes.CDLL) -> None:
    assert add_up(soft, 0.1, [3.0, -3.0, 1.5], [7.0, 7.0, 0.0], True) == float(np.float32(0.1))
    assert add_up(soft, 0.0, [0.0, -0.0], [5.0, 1e30], True) == 0.0


@pytest.mark.parametrize("value", [0.0, 1.0, -2.5, 1e-45, -1e-39, 2.0**-126, 3.4028234663852886e38])
def test_one_float_stays_itself(soft: ctypes.CDLL, value: float) -> None:
    single = float(np.float32(value))
    assert add_up(soft, single, [], [], False) == single
    assert add_up(soft, 0.0, [single], [1.0], False) == single


def test_infinities_and_nan_are_those_of_float_arithmetic(soft: ctypes.CDLL) -> None:
    inf = math.inf
    assert add_up(soft, 1.0, [inf, 2.0], [-3.0, 1.0], False) == -inf
    assert add_up(soft, inf, [1.0], [1.0], True) == inf
    assert add_up(soft, 0.0, [3e38, 3e38], [10.0, 1.0], True) == inf
    for bias, x, w in ((0.0, inf, 0.0), (inf, inf, -1.0), (math.nan, 1.0, 1.0), (0.0, math.nan, 0.0)):
        assert math.isnan(add_up(soft, bias, [x], [w], False))
