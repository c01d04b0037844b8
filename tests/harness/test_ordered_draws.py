"""Inputs with an order, or with a range for each column; values that are settled; cases that rounding decides."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from opconform.harness.generate import values
from opconform.harness.generate.build import build
from opconform.harness.generate.cases import Request, focused
from opconform.harness.generate.source import Discard, seeded
from opconform.harness.model import Input, TensorType
from opconform.harness.numerics import Undecided
from opconform.harness.yamlish import SpecError


def test_increasing_rows_never_repeat_and_stay_in_their_columns() -> None:
    rng = values.generator(1)
    rows = values.increasing(rng, (6, 2), 0, (1, 2))
    assert rows.tolist() == [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]]
    keys = values.increasing(rng, (5,), -3, 1)
    assert keys.tolist() == [-3, -2, -1, 0, 1]
    with pytest.raises(ValueError, match="7 different numbers"):
        values.increasing(rng, (7, 2), 0, (1, 2))


def test_sorted_rows_go_by_their_first_column_first() -> None:
    rows = np.array([[1, 0], [0, 5], [1, -2], [0, 5]])
    assert values.ascending(rows).tolist() == [[0, 5], [0, 5], [1, -2], [1, 0]]
    assert values.ascending(np.array([3, 1, 2])).tolist() == [1, 2, 3]


def test_a_range_that_is_a_list_bounds_each_column() -> None:
    def bounds(shape: tuple[int, ...], low: float, high: float) -> Any:
        return np.full(shape, 10 * low + high)

    assert values.by_column(bounds, (2, 3), 0, (1, 2, 3)).tolist() == [[1, 2, 3], [1, 2, 3]]
    assert values.by_column(bounds, (2,), (0,), (4,)).tolist() == [4, 4]
    assert values.by_column(bounds, (2, 0), 0, ()).shape == (2, 0)


def test_shrinking_leaves_settled_values_alone() -> None:
    inputs = [Input(TensorType(name, "int32", (2,)), "input") for name in ("x", "shape")]
    vectors = ((np.array([7, 8]), np.array([2, 3])),)
    ((x, shape),) = focused(inputs, vectors, (1,), ("shape",))
    assert x.tolist() == [0, 8]
    assert shape.tolist() == [2, 3]


def test_a_case_that_rounding_decides_is_not_drawn(core: SimpleNamespace) -> None:
    def kernel(*_: Any, **__: Any) -> Any:
        raise Undecided("either answer is right")

    spec = core.parse(core.abs_text, "abs.yaml")
    with pytest.raises(Discard, match="undecided"):
        build(spec, "float32", seeded([1]), kernel, Request())


def test_an_order_needs_a_range(core: SimpleNamespace) -> None:
    with pytest.raises(SpecError, match="both with a range"):
        core.parse(core.abs_text.replace("x: {shape: A}", "x: {shape: A, order: sorted}"), "abs.yaml")
