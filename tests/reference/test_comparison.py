"""The six comparisons, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from opconform.harness.model import Quant
from opconform.harness.numerics import FAMILIES
from opconform.runtimes.reference.kernels import comparison as ops

NAN = float("nan")


def twin(function, a, b, scales, zeros=(0, 0)):
    q = {name: Quant((s,), (z,)) for name, s, z in zip("ab", scales, zeros, strict=True)}
    result = function(np.array(a), np.array(b), q=q, rescale=FAMILIES["double_rounding"])
    return np.asarray(result).tolist()


@pytest.mark.parametrize(
    ("name", "less", "same", "more", "nan"),
    [
        ("less", True, False, False, False),
        ("less_equal", True, True, False, False),
        ("greater", False, False, True, False),
        ("greater_equal", False, True, True, False),
        ("equal", False, True, False, False),
        ("not_equal", True, False, True, True),
    ],
)
def test_each_comparison_answers_for_less_equal_more_and_nan(name, less, same, more, nan):
    a, b = np.array([1.0, 2.0, 3.0, NAN]), np.array([[2.0]])
    assert getattr(ops, name)(a, b).tolist() == [[less, same, more, nan]]
    # The same three in quanta of 1/2 and 1/4, zero points 10 and -3: 1, 2 and 3 against 2.
    answers = twin(getattr(ops, f"{name}_int"), [12, 14, 16], [5, 5, 5], (0.5, 0.25), (10, -3))
    assert answers == [less, same, more]


def test_nan_differs_from_itself():
    assert not ops.equal(np.array([NAN]), np.array([NAN])).any()


def test_negative_zero_equals_zero():
    assert ops.equal(np.array([-0.0]), np.array([0.0])).all()


def test_twins_lose_what_is_below_their_grid():
    # In steps of 2**-8: 0.001 and 0.002 are both 0.256 and 0.512 steps, which round to 0 and 1; 0.002 and 0.003 to 1.
    assert twin(ops.less_int, [1, 2], [2, 3], (0.001, 0.001)) == [True, False]
    assert twin(ops.equal_int, [1, 2], [2, 3], (0.001, 0.001)) == [False, True]


def test_words_are_equal_byte_by_byte():
    assert ops.equal(np.array([b"ab", b"a"]), np.array([b"ab", b"A"])).tolist() == [True, False]
