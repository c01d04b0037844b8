"""Fixed-point helpers against exact arithmetic."""

import math
import random
from fractions import Fraction
from typing import Any

import numpy as np

from opconform.harness.model import Array
from opconform.runtimes.lite import fixedpoint as fp
from opconform.runtimes.lite.fixedpoint import (
    exp_negative,
    inverse_sqrt,
    inverse_sqrt_shift,
    logistic_fixed,
    reciprocal,
    rescale,
    rescale_wide,
    tanh_fixed,
)
from opconform.runtimes.lite.floatmath import exp64, tanh64
from opconform.runtimes.lite.jit import bind, kernel


@kernel
def rescale_all(x: Array, q: Array, shift: Array, out: Array, wide: Array) -> None:
    for i in range(wide[2]):
        out[i] = rescale(x[i], q[i], shift[i])
        wide[3 + i] = rescale_wide(x[i], q[i], shift[i])


@kernel
def unary_all(x: Array, out: Array, p: Array) -> None:
    n = p[0]
    for i in range(n):
        out[i] = exp_negative(-abs(x[i]), 5)
        out[n + i] = logistic_fixed(x[i])
        out[2 * n + i] = tanh_fixed(x[i])
        out[3 * n + i] = reciprocal(abs(x[i]) + 1)


@kernel
def inverse_roots(x: Array, out: Array, shifts: Array, p: Array) -> None:
    for i in range(p[0]):
        out[i] = inverse_sqrt(x[i])
        shifts[i] = inverse_sqrt_shift(x[i])


@kernel
def floats(x: Array, out: Array, p: Array) -> None:
    for i in range(p[0]):
        out[i] = np.float32(exp64(np.float64(x[i])))
        out[p[0] + i] = np.float32(tanh64(np.float64(x[i])))


def away(value: Fraction) -> int:
    return math.floor(abs(value) + Fraction(1, 2)) * (1 if value >= 0 else -1)


def exact(x: int, q: int, shift: int) -> int:
    """Round the product half up, then the shift half away from zero."""
    high = math.floor(Fraction((x << max(shift, 0)) * q, 2**31) + Fraction(1, 2))
    return away(Fraction(high, 2 ** max(-shift, 0)))


def test_rescaling_rounds_twice_and_wide_rescaling_once() -> None:
    draw = random.Random(1)
    rows: list[tuple[int, int, int]] = []
    for _ in range(4000):
        shift = draw.randrange(-31, 8)
        bits = 30 - max(shift, 0)
        x = draw.choice([draw.randrange(-(2**bits), 2**bits), draw.randrange(-300, 300)])
        rows.append((x, draw.randrange(2**30, 2**31), shift))
    columns: Any = [np.array(column, np.int64) for column in zip(*rows, strict=True)]
    out, wide = np.zeros(len(rows), np.int64), np.zeros(3 + len(rows), np.int64)
    wide[2] = len(rows)
    bind(rescale_all, *columns, out, wide)()
    for (x, q, shift), double, single in zip(rows, out.tolist(), wide[3:].tolist(), strict=True):
        assert double == exact(x, q, shift)
        reduced = (q + 2**15) >> 16 if q < 0x7FFF0000 else 0x7FFF
        assert single == math.floor(Fraction(x * reduced, 2 ** (15 - shift)) + Fraction(1, 2))


def test_transcendental_functions_are_close_to_the_reals() -> None:
    draw = np.random.default_rng(4)
    x = np.concatenate([draw.integers(-(2**31) + 1, 2**31 - 1, 2000), [0, 1, -1, 2**31 - 1]])
    n = len(x)
    out = np.zeros(4 * n, np.int64)
    bind(unary_all, x, out, np.array([n]))()
    real = out / 2.0**31
    assert np.abs(real[:n] - np.exp(-np.abs(x) / 2.0**26)).max() < 3e-7
    assert np.abs(real[n : 2 * n] - 1 / (1 + np.exp(-x / 2.0**27))).max() < 2e-7
    assert np.abs(real[2 * n : 3 * n] - np.tanh(x / 2.0**27)).max() < 4e-7
    _, exponent = np.frexp(np.abs(x) + 1)
    assert np.abs(real[3 * n :] * (np.abs(x) + 1) / 2.0 ** (exponent - 1) - 1).max() < 2e-7


def test_inverse_roots_are_close_to_the_reals() -> None:
    x = np.array([2, 3, 4, 100, 12345, 2**28, 2**29, 2**31 - 1], np.int64)
    out, shifts = np.zeros(len(x), np.int64), np.zeros(len(x), np.int64)
    bind(inverse_roots, x, out, shifts, np.array([len(x)]))()
    assert np.abs(out / 2.0**31 / 2.0**shifts * np.sqrt(x) - 1).max() < 2e-6


def test_exp_and_tanh_of_float32_are_rounded_once() -> None:
    x = np.concatenate([np.linspace(-105, 90, 20001), np.logspace(-30, 1, 500), [np.inf, -np.inf, -0.0]])
    single = x.astype(np.float32)
    out = np.zeros(2 * len(x), np.float32)
    bind(floats, single, out, np.array([len(x)]))()
    with np.errstate(all="ignore"):
        want = np.concatenate([np.exp(single.astype(np.float64)), np.tanh(single.astype(np.float64))]).astype(
            np.float32
        )
    different = out != want
    assert different.mean() < 1e-4
    assert np.all(np.abs(out[different] - want[different]) <= np.spacing(np.abs(want[different])))


def test_the_constants_are_those_of_the_reals() -> None:
    assert fp.INT32_MAX == 2**31 - 1
    assert [round(math.exp(-(2.0**k)) * 2**31) for k in range(-2, 5)] == [
        1672461947,
        1302514674,
        790015084,
        290630308,
        39332535,
        720401,
        242,
    ]
