"""Rectifiers and their integer twins against values worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from opconform.harness.model import Array, Quant
from opconform.harness.numerics import FAMILIES
from opconform.runtimes.reference.kernels import activations


def twin(
    function: Callable[..., Any],
    arrays: list[Any],
    dtype: str,
    quants: dict[str, tuple[float, int]],
    **options: Any,
) -> Array:
    """Run an integer definition on tensors of integers."""
    q = {name: Quant((float(np.float32(s)),), (z,)) for name, (s, z) in quants.items()}
    dtypes = dict.fromkeys(quants, dtype)
    inputs = [np.asarray(a) for a in arrays]
    return np.asarray(function(*inputs, q=q, dtypes=dtypes, rescale=FAMILIES["double_rounding"], **options))


@pytest.mark.parametrize(
    ("function", "want"),
    [
        (activations.relu, [0.0, 0.0, 0.5, 9.0]),
        (activations.relu6, [0.0, 0.0, 0.5, 6.0]),
        (activations.relu_n1_to_1, [-1.0, -0.5, 0.5, 1.0]),
        (activations.relu_0_to_1, [0.0, 0.0, 0.5, 1.0]),
    ],
)
def test_clamps_have_the_limits_of_their_names(function: Callable[..., Array], want: list[float]) -> None:
    assert function(np.asarray([-9.0, -0.5, 0.5, 9.0])).tolist() == want
    assert np.isnan(function(np.asarray([np.nan]))).all()


def test_a_quantized_clamp_rescales_before_it_clamps() -> None:
    quants = {"x": (0.5, 10), "y": (0.25, -100)}
    # Reals -5, 2, 10: quarters -20, 8, 40, and six are 24.
    assert twin(activations.relu_int, [[0, 14, 30]], "int8", quants).tolist() == [-100, -92, -60]
    assert twin(activations.relu6_int, [[0, 14, 30]], "int8", quants).tolist() == [-100, -92, -76]
    assert twin(activations.relu_n1_to_1_int, [[0, 14, 30]], "int8", quants).tolist() == [-104, -96, -96]
    assert twin(activations.relu_0_to_1_int, [[0, 14, 30]], "int8", quants).tolist() == [-100, -96, -96]


def test_a_clamp_beyond_the_integers_is_the_end_of_their_range() -> None:
    assert twin(activations.relu6_int, [[127]], "int8", {"x": (1.0, 0), "y": (0.01, 0)}).tolist() == [127]


def test_slopes_hold_below_zero_only() -> None:
    x = np.asarray([[-2.0, 2.0], [-4.0, -0.0]])
    assert activations.prelu(x, np.asarray([0.5, 3.0])).tolist() == [[-1.0, 2.0], [-2.0, 0.0]]
    assert activations.leaky_relu(x, alpha=-0.25).tolist() == [[0.5, 2.0], [1.0, 0.0]]


def test_quantized_slopes_multiply_before_they_round() -> None:
    quants = {"x": (0.5, 1), "alpha": (0.25, 2), "y": (0.25, 3)}
    # -1.5 * 0.75 = -1.125 is -4.5 quarters, and the high product rounds halves up; 2 is 8 quarters.
    assert twin(activations.prelu_int, [[-2, 5], [5, 5]], "int8", quants).tolist() == [-1, 11]


def test_a_negative_slope_turns_the_rounded_value() -> None:
    quants = {"x": (1.0, 0), "y": (1.0, 0)}
    # The high product rounds -1.5 and -2.5 up, and the sign comes after that.
    got = twin(activations.leaky_relu_int, [[-3, -5, 7]], "int8", quants, alpha=-0.5)
    assert got.tolist() == [1, 2, 7]


def test_elu_ends_at_minus_one() -> None:
    got = activations.elu(np.asarray([-np.inf, -1e-9, 0.0, 3.0]))
    assert got.tolist() == [-1.0, math.expm1(-1e-9), 0.0, 3.0]
    # expm1(-1) = -0.632 is -20.2 of 1/32
    assert twin(activations.elu_int, [[-1, 2]], "int8", {"x": (1.0, 0), "y": (1 / 32, 4)}).tolist() == [-16, 68]


def test_gelu_is_x_times_the_normal_distribution() -> None:
    # The normal distribution function is 0.8413447 at 1 and 0.1586553 at -1; its approximation 0.8411920.
    x = np.asarray([1.0, -1.0, 0.0])
    assert activations.gelu(x, approximate=False).tolist() == pytest.approx([0.8413447, -0.1586553, 0.0], abs=5e-8)
    assert activations.gelu(x, approximate=True).tolist() == pytest.approx([0.8411920, -0.1588080, 0.0], abs=5e-8)


def test_gelu_keeps_its_precision_where_its_sum_would_cancel() -> None:
    # Phi(-8) = 6.22096e-16
    assert float(activations.gelu(np.asarray([-8.0]), approximate=False)[0]) == pytest.approx(
        -8 * 6.22096e-16, rel=1e-5
    )


def test_gelu_of_integers_is_a_table() -> None:
    quants = {"x": (1.0, 0), "y": (1 / 32, 0)}
    assert twin(activations.gelu_int, [[1, -1, 3]], "int8", quants, approximate=False).tolist() == [27, -5, 96]
