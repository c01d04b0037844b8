"""A covering array: rows of settings in which every pair of values of two factors occurs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

Row = Mapping[str, Any]


def covering_rows(factors: Mapping[str, Sequence[Any]]) -> tuple[Row, ...]:
    """Return rows that cover every pair of values of every two factors (greedy, deterministic).

    One factor alone gives one row per value; no factor gives no row.
    """
    names = list(factors)
    if len(names) < 2:
        return tuple({name: value} for name in names for value in factors[name])
    missing = {
        (a, i, b, j)
        for a, b in combinations(range(len(names)), 2)
        for i in range(len(factors[names[a]]))
        for j in range(len(factors[names[b]]))
    }
    rows: list[Row] = []
    while missing:
        chosen = _next_row(missing, [len(factors[name]) for name in names])
        missing -= {(a, chosen[a], b, chosen[b]) for a, b in combinations(range(len(names)), 2)}
        rows.append({name: factors[name][index] for name, index in zip(names, chosen, strict=True)})
    return tuple(rows)


def _next_row(missing: set[tuple[int, int, int, int]], sizes: Sequence[int]) -> list[int]:
    """Start from the first uncovered pair and settle the other factors, each by the most new pairs."""
    a, i, b, j = min(missing)
    chosen = {a: i, b: j}
    for factor in range(len(sizes)):
        if factor not in chosen:
            gains = [_gain(missing, chosen, factor, value) for value in range(sizes[factor])]
            chosen[factor] = gains.index(max(gains))
    return [chosen[factor] for factor in range(len(sizes))]


def _gain(missing: set[tuple[int, int, int, int]], chosen: Mapping[int, int], factor: int, value: int) -> int:
    pairs = (
        (other, index, factor, value) if other < factor else (factor, value, other, index)
        for other, index in chosen.items()
    )
    return sum(pair in missing for pair in pairs)
