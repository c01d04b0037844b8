"""Histograms of the error in quanta as inline SVG, with the same facts in words beside them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from opconform.reports.text import MINUS, count, percent

WIDTH, HEIGHT, BASE, TOP = 260, 104, 84, 8

#: above this span single quanta are too narrow to see: bins then double in width
LINEAR_SPAN = 18

Histogram = Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Bin:
    """Errors from `low` to `high` quanta, both included."""

    low: int
    high: int

    @property
    def label(self) -> str:
        """Return the bin as a reader would say it: "3" or "4 to 7"."""
        return _signed(self.low) if self.low == self.high else f"{_signed(self.low)} to {_signed(self.high)}"


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar in the coordinates of the drawing; `beyond` tells that it lies outside the limit."""

    x: float
    y: float
    width: float
    height: float
    beyond: bool
    words: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """All that the template needs: bars, the ticks under the axis, and the text alternative."""

    bars: tuple[Bar, ...]
    ticks: tuple[tuple[float, str], ...]
    words: str


def _signed(number: int) -> str:
    return f"{number:,}".replace("-", MINUS)


def bins(histograms: Sequence[Histogram]) -> tuple[Bin, ...]:
    """Return bins that hold all errors of several histograms, so that these can be compared by eye."""
    errors = [error for histogram in histograms for error, elements in histogram.items() if elements > 0]
    low, high = min(errors, default=0), max(errors, default=0)
    low, high = min(low, 0), max(high, 0)
    if high - low <= LINEAR_SPAN:
        return tuple(Bin(error, error) for error in range(min(low, -2) if low < 0 else low, max(high, 2) + 1))
    below = [Bin(-(2 ** (k + 1)) + 1, -(2**k)) for k in reversed(range((-low).bit_length()))]
    above = [Bin(2**k, 2 ** (k + 1) - 1) for k in range(high.bit_length())]
    return (*below, Bin(0, 0), *above)


def draw(histogram: Histogram, shared: Sequence[Bin], limit: float | None) -> Drawing:
    """Draw one histogram over bins shared with its neighbours.

    Heights are logarithmic (a bar of one element is still seen beside a million);
    bars beyond `limit` quanta are marked, None marks nothing.
    """
    counts = [_held(histogram, one) for one in shared]
    step = WIDTH / len(shared)
    top = math.log1p(max(counts, default=0)) or 1.0
    bars = tuple(
        _bar(i, step, elements, top, one, limit)
        for i, (one, elements) in enumerate(zip(shared, counts, strict=True))
        if elements
    )
    return Drawing(bars, _ticks(shared, step), words(histogram))


def _held(histogram: Histogram, one: Bin) -> int:
    return sum(elements for error, elements in histogram.items() if one.low <= error <= one.high)


def _bar(i: int, step: float, elements: int, top: float, one: Bin, limit: float | None) -> Bar:
    height = max(2.0, (BASE - TOP) * math.log1p(elements) / top)
    beyond = limit is not None and min(abs(one.low), abs(one.high)) > limit
    text = f"{one.label} quanta: {count(elements)} elements" + (", beyond the limit" if beyond else "")
    return Bar(
        round(i * step + step * 0.1, 2), round(BASE - height, 2), round(step * 0.8, 2), round(height, 2), beyond, text
    )


def _ticks(shared: Sequence[Bin], step: float) -> tuple[tuple[float, str], ...]:
    """Label both ends and zero, and the quanta between where there is room."""
    every = max(1, math.ceil(len(shared) / 7))
    zero = next(i for i, one in enumerate(shared) if one.low <= 0 <= one.high)
    chosen = [i for i in range(len(shared)) if (i - zero) % every == 0]
    return tuple((round((i + 0.5) * step, 2), _tick(shared[i])) for i in chosen)


def _tick(one: Bin) -> str:
    far = one.low if one.low > 0 else one.high
    return f"{far:+,}".replace("-", MINUS) if far else "0"


def words(histogram: Histogram) -> str:
    """Return the histogram in words: how much is exact, how much is off by one, and the worst."""
    total = sum(histogram.values())
    if not total:
        return "no element was compared"
    exact, one = histogram.get(0, 0), histogram.get(1, 0) + histogram.get(-1, 0)
    worst = max((error for error, elements in histogram.items() if elements), key=abs)
    parts = [f"{count(total)} elements", f"{percent(exact, total)} exact"]
    parts += [f"{percent(one, total)} off by 1"] if one else []
    parts += [f"worst {_signed(worst)}"] if abs(worst) > 1 else []
    return ", ".join(parts)
