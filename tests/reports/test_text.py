"""Numbers, dates and arrays as people read them; histograms as drawings and words."""

import math
from itertools import pairwise

import pytest

from opconform.reports import text
from opconform.reports.svg import Bin, bins, draw, words


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (text.count(1234567), "1,234,567"),
        (text.count(-5), "−5"),
        (text.count(None), "–"),
        (text.count(0.5), "0.5"),
        (text.figure(0.000123456), "0.000123"),
        (text.figure(2.0), "2"),
        (text.figure(-2.5), "−2.5"),
        (text.figure(math.inf), "∞"),
        (text.figure(math.nan), "NaN"),
        (text.share(0.434), "43\u202f%"),
        (text.share(3.2), "320\u202f%"),
        (text.share(12.0), "×12"),
        (text.share(0.001), "<\u202f1\u202f%"),
        (text.share(math.inf), "∞"),
        (text.slack(0.5, 1.0), "×2"),
        (text.slack(0.0, 1.0), "no error"),
        (text.slack(1.0, 0.0), "none"),
        (text.percent(1, 3), "33.3\u202f%"),
        (text.percent(999_999, 1_000_000), ">\u202f99.9\u202f%"),
        (text.percent(1, 1_000_000), "<\u202f0.1\u202f%"),
        (text.percent(1, 1), "100\u202f%"),
        (text.change(1200, 1000), "+200 (+20.0\u202f%)"),
        (text.change(900, 1000), "−100 (−10.0\u202f%)"),
        (text.change(5, 0), "+5"),
        (text.change(5, None), "new"),
        (text.change(5, 5), "unchanged"),
        (text.duration(0.0123), "12 ms"),
        (text.duration(4.21), "4.2 s"),
        (text.duration(192), "3 min 12 s"),
        (text.duration(7260), "2 h 1 min"),
        (text.date("2026-11-22T10:02:00Z"), "22 November 2026, 10:02 UTC"),
        (text.date("2026-11-22T12:02:00+02:00"), "22 November 2026, 10:02 UTC"),
        (text.date("yesterday"), "yesterday"),
        (text.plural(1, "case"), "1 case"),
        (text.plural(1200, "case"), "1,200 cases"),
        (text.value({"x": [1, 2], "flag": True}), "x [1, 2], flag true"),
        (text.element(0.1), "0.1"),
        (text.element(-math.inf), "-Infinity"),
    ],
)
def test_a_value_reads_as(shown: str, expected: str) -> None:
    assert shown == expected


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "CONV 2D", "é", "", "..", "a\0b"])
def test_a_slug_is_safe_as_a_file_name(name: str) -> None:
    slug = text.slug(name)
    assert slug
    assert not slug.startswith(".")
    assert all(letter.isascii() and (letter.isalnum() or letter in "-_.") for letter in slug)


def test_arrays_show_their_shape_and_what_the_log_left_out() -> None:
    assert text.array([1, -20, 3, 4], (2, 2)) == "[[  1, -20],\n [  3,   4]]"
    assert text.array([[1, 2], [3, 4]], (2, 2)) == "[[1, 2],\n [3, 4]]"
    assert text.array([1, 2, 3], (3, 1)) == "[[1], [2], [3]]"
    assert text.array([1, 2], (2, 3)) == "[1, 2, … 4 more]"
    assert text.array([7], ()) == "7"
    assert text.array([], (0, 3)) == "[]"
    assert text.array([], (2,)) == "not in the log"


def test_small_errors_get_a_bin_for_each_quantum() -> None:
    assert bins([{0: 9, 1: 2}, {-1: 4}]) == tuple(Bin(i, i) for i in range(-2, 3))


@pytest.mark.parametrize("errors", [{0: 1, 100_000: 3}, {-1: 1, -4097: 2, 63: 4, 64: 1}, {2**40: 1}])
def test_wide_errors_get_bins_that_touch_and_hold_every_element(errors: dict[int, int]) -> None:
    found = bins([errors])
    assert all(after.low == before.high + 1 for before, after in pairwise(found))
    assert found[0].low <= min(errors)
    assert found[-1].high >= max(errors)
    assert len(found) < 90


def test_bars_beyond_the_limit_are_marked_and_every_bar_stays_inside_the_drawing() -> None:
    histogram = {0: 1_000_000, 1: 10, 3: 1}
    drawing = draw(histogram, bins([histogram]), 1.0)
    assert [bar.beyond for bar in drawing.bars] == [False, False, True]
    assert all(bar.y >= 0 and bar.height >= 2 and 0 <= bar.x <= bar.x + bar.width <= 260 for bar in drawing.bars)
    assert drawing.bars[2].words == "3 quanta: 1 elements, beyond the limit"


def test_an_empty_histogram_draws_nothing() -> None:
    assert draw({}, bins([{}]), None).bars == ()


def test_a_histogram_reads_as_words() -> None:
    assert words({0: 970, 1: 20, -1: 9, -2: 1}) == "1,000 elements, 97\u202f% exact, 2.9\u202f% off by 1, worst −2"
    assert words({0: 5}) == "5 elements, 100\u202f% exact"
    assert words({}) == "no element was compared"
