"""The covering array: every pair of settings of two factors occurs."""

from __future__ import annotations

from itertools import combinations, product
from typing import Any

import pytest

from opconform.harness.generate.cases import plans
from opconform.harness.generate.pairwise import covering_rows
from opconform.harness.generate.structure import factors
from opconform.harness.spec_load import load_all


def uncovered(table: dict[str, Any], rows: Any) -> set[tuple[str, object, str, object]]:
    wanted = {(a, i, b, j) for a, b in combinations(table, 2) for i, j in product(table[a], table[b])}
    return wanted - {(a, row[a], b, row[b]) for row in rows for a, b in combinations(table, 2)}


@pytest.mark.parametrize("sizes", [(2, 2), (3, 2, 4), (2, 2, 2, 2, 2), (5, 1, 3), (4, 4, 4), (6, 2, 2, 3, 3, 2)])
def test_all_pairs_are_covered_in_far_fewer_rows_than_all_combinations(sizes: tuple[int, ...]) -> None:
    table = {f"f{n}": tuple(range(size)) for n, size in enumerate(sizes)}
    rows = covering_rows(table)
    assert not uncovered(table, rows)
    first, second = sorted(sizes)[-2:]
    assert first * second <= len(rows) <= 2 * first * second


def test_one_factor_gives_a_row_per_value_and_none_gives_no_row() -> None:
    assert covering_rows({"a": (1, 2)}) == ({"a": 1}, {"a": 2})
    assert covering_rows({}) == ()


def test_the_plans_of_every_shipped_spec_cover_all_pairs() -> None:
    for spec in load_all().values():
        for row in spec.rows:
            table = dict(factors(spec, row))
            assert not uncovered(table, plans(spec, row)), f"{spec.op}/{row}"
